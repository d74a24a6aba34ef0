// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtio socket device for vhost-user clients: puts the parts together and
 * turns the wheel. While there is work the loop only looks at descriptors in
 * between batches; it asks the guest for kicks, and sleeps, when there is
 * none.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "control.h"
#include "hostile.h"
#include "loop.h"
#include "options.h"
#include "unix.h"
#include "util.h"
#include "vhost_user.h"
#include "vsock.h"

struct host {
	struct options opts;
	struct loop loop;
	struct vsock vsock;
	struct hostile hostile;
	struct vhost_user vhost_user;
	struct unix_listener streams;
	struct unix_listener seqpackets;
	struct control control;
	struct source signals;
	bool stop;
};

static void signalled(struct source *src, uint32_t events)
{
	(void)events;
	container_of(src, struct host, signals)->stop = true;
}

static int watch_signals(struct host *host)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return loop_add(&host->loop, &host->signals, fd, EPOLLIN, signalled);
}

/* Every connection may be a descriptor. */
static void raise_fd_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static void check(int err, const char *what)
{
	if (!err)
		return;
	log_error("%s: %s", what, strerror(-err));
	exit(EXIT_FAILURE);
}

static void setup(struct host *host)
{
	struct vhost_user_queue *queues = host->vhost_user.queues;

	raise_fd_limit();
	check(loop_init(&host->loop), "epoll");
	check(watch_signals(host), "signals");
	vhost_user_init(&host->vhost_user, &host->opts, &host->loop,
			&host->vsock);
	hostile_init(&host->hostile, &host->vsock, host->opts.scripts);
	vsock_init(&host->vsock, &host->opts, &host->loop, &host->hostile,
		   &queues[VSOCK_QUEUE_RX].vq, &queues[VSOCK_QUEUE_TX].vq,
		   &queues[VSOCK_QUEUE_EVENT].vq);
	check(unix_listen(&host->streams, &host->vsock, SOCK_STREAM),
	      host->opts.uds);
	if (host->opts.seqpacket)
		check(unix_listen(&host->seqpackets, &host->vsock,
				  SOCK_SEQPACKET),
		      "socket for SEQPACKET");
	check(control_listen(&host->control, host->opts.control, &host->vsock,
			     &host->vhost_user),
	      host->opts.control);
	check(vhost_user_listen(&host->vhost_user), host->opts.socket);
}

static void run(struct host *host)
{
	struct vsock *vs = &host->vsock;

	while (!host->stop) {
		bool busy = vsock_work(vs) || vsock_rest(vs);
		int wait = busy ? 0 : conn_timer_wait(&vs->conns);

		check(loop_wait(&host->loop, wait), "epoll");
		vsock_expire(vs);
		conn_reap(&vs->conns);
		if (host->vhost_user.client_left && !host->opts.keep)
			return;
	}
}

int main(int argc, char **argv)
{
	static struct host host;

	options_parse(&host.opts, argc, argv);
	setup(&host);
	printf("vsockdev-host: ready on %s\n", host.opts.socket);
	fflush(stdout);
	run(&host);
	vhost_user_close(&host.vhost_user);
	unix_unlisten(&host.streams);
	if (host.opts.seqpacket)
		unix_unlisten(&host.seqpackets);
	control_close(&host.control);
	conn_reap(&host.vsock.conns);
	return EXIT_SUCCESS;
}
