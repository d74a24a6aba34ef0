// SPDX-License-Identifier: GPL-2.0-only
/* What the mob does to device nodes. */
#include "mob.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "slow.h"
#include "table.h"

#define EVENT_SIZE 64

/* The structs begin alike. */
union argument {
	struct {
		uint32_t size;
		uint32_t flags;
	};
	struct vsockdev_start start;
	struct vsockdev_stop stop;
	struct vsockdev_send_request request;
	struct vsockdev_send_response response;
	struct vsockdev_send_rst rst;
	struct vsockdev_send_shutdown shutdown;
	struct vsockdev_send_vmo vmo;
	struct vsockdev_reset_done reset_done;
	struct vsockdev_get_cid cid;
	struct vsockdev_get_info info;
	uint32_t words[64];
};

/* Nearly right: one of its words is another. */
static void spoil(struct player *player, union argument *arg)
{
	static const uint32_t odd[] = { 0, 1, 2, 3, 255, 4096, 4097, 1U << 31,
					-1U };
	unsigned int words = arg->size / 4;

	if (one_in(player, 10) && words && words <= 64)
		arg->words[pick(player, 0, words - 1)] = PICK(player, odd);
}

/* Whatever it answers, the documentation has it. */
static int issue(struct player *player, int fd, unsigned int nr,
		 union argument *arg)
{
	void *at;
	int error;

	spoil(player, arg);
	at = place(player, arg, sizeof(*arg));
	error = call(fd, _IO(VSOCKDEV_IOC_TYPE, nr), at);
	/* No descriptor, or O_PATH: that is none of ours */
	if (error && error != -EBADF && !in_table(nr, -error))
		fail("ioctl %u answered %s, which its table has not", nr,
		     strerror(-error));
	if (!error && at >= (void *)player->arena &&
	    at < (void *)(player->arena + ARENA - sizeof(*arg)))
		memcpy(arg, at, sizeof(*arg));
	return error;
}

static void learn(struct player *player, struct vsockdev_addr addr, uint64_t id,
		  uint64_t generation)
{
	unsigned int at = atomic_fetch_add(&player->mob->news, 1) % MOB_KNOWN;

	player->mob->known[at] = (struct known){
		.addr = addr,
		.id = id,
		.generation = generation,
	};
}

static struct known recall(struct player *player)
{
	struct known known = PICK(player, player->mob->known);

	if (one_in(player, 3))
		known.id = 0;
	return known;
}

static struct vsockdev_addr any_addr(struct player *player)
{
	static const uint32_t host_ports[] = {
		HOLD_PORT, SILENT_PORT, DEAF_PORT, 7, 7, 9, 19, 1,
	};

	return (struct vsockdev_addr){
		.local_port = pick(player, 1, MOB_PORTS),
		.remote_cid = one_in(player, 50) ? pick(player, 0, 5) :
						   HOST_CID,
		.remote_port = PICK(player, host_ports),
	};
}

static void act_open(struct player *player)
{
	static const int modes[] = { O_RDWR, O_RDWR, O_RDWR, O_RDONLY,
				     O_WRONLY, O_PATH };
	struct mob *mob = player->mob;
	unsigned int device = pick(player, 0, mob->devices - 1);
	int flags = PICK(player, modes) | O_CLOEXEC;

	if (one_in(player, 2))
		flags |= O_NONBLOCK;
	/* Right, as with any device the name may be that of another by now */
	put_node(player, open(mob->nodes[device], flags));
}

static void act_close(struct player *player)
{
	int fd = take_node(player);

	if (fd >= 0)
		close(fd);
}

static void act_dup(struct player *player)
{
	int fd = take_node(player);

	if (fd < 0)
		return;
	put_node(player, fcntl(fd, F_DUPFD_CLOEXEC, 0));
	put_node(player, fd);
}

static void act_start(struct player *player)
{
	static const uint32_t sizes[] = { 0, 0, 0, 64, 128, 256, 1024, 72 };
	static const uint32_t windows[] = { 0, 0, 4096, 65536, 1 << 24 };
	static const uint32_t times[] = { 0, 1, 5, 50, 3000,
					  VSOCKDEV_TIMEOUT_NONE };
	int fd = take_node(player);
	union argument arg = { .start = {
		.size = sizeof(arg.start),
		.event_size = PICK(player, sizes),
		.backlog = one_in(player, 2) ? pick(player, 1, 8) : 0,
		.max_conns = one_in(player, 2) ? pick(player, 1, 64) : 0,
		.buf_alloc = PICK(player, windows),
		.connect_timeout_ms = PICK(player, times),
		.close_timeout_ms = PICK(player, times),
	} };

	if (arg.start.close_timeout_ms == VSOCKDEV_TIMEOUT_NONE)
		arg.start.close_timeout_ms = 1;
	issue(player, fd, VSOCKDEV_NR_START, &arg);
	put_node(player, fd);
}

static void act_stop(struct player *player)
{
	union argument arg = { .stop = { .size = sizeof(arg.stop) } };
	int fd = take_node(player);

	issue(player, fd, VSOCKDEV_NR_STOP, &arg);
	put_node(player, fd);
}

/* Sockets that somebody has, or new ones, and then more of the same. */
static int any_sock(struct player *player)
{
	int pair[2];

	if (one_in(player, 3))
		return take_sock(player);
	if (!any_pair(player, pair))
		return -1;
	put_sock(player, pair[0]);
	return pair[1];
}

static void done_with(struct player *player, int sock)
{
	if (one_in(player, 2))
		put_sock(player, sock);
	else if (sock >= 0)
		close(sock);
}

static void act_request(struct player *player)
{
	static const uint32_t windows[] = { 0, 0, 4096, 65536, 1 << 24 };
	int sock = any_sock(player), fd = take_node(player);
	union argument arg = { .request = {
		.size = sizeof(arg.request),
		.addr = any_addr(player),
		.socket_fd = sock,
		.buf_alloc = PICK(player, windows),
		.connect_timeout_ms = pick(player, 0, 40),
		.close_timeout_ms = pick(player, 0, 40),
	} };

	if (!issue(player, fd, VSOCKDEV_NR_SEND_REQUEST, &arg))
		learn(player, arg.request.addr, arg.request.conn_id, 0);
	put_node(player, fd);
	done_with(player, sock);
}

static void act_response(struct player *player)
{
	int sock = any_sock(player), fd = take_node(player);
	struct known known = recall(player);
	union argument arg = { .response = {
		.size = sizeof(arg.response),
		.addr = known.addr,
		.conn_id = known.id,
		.socket_fd = sock,
		.close_timeout_ms = pick(player, 0, 40),
	} };

	issue(player, fd, VSOCKDEV_NR_SEND_RESPONSE, &arg);
	put_node(player, fd);
	done_with(player, sock);
}

static void act_rst(struct player *player)
{
	struct known known = recall(player);
	int fd = take_node(player);
	union argument arg = { .rst = {
		.size = sizeof(arg.rst),
		.addr = known.addr,
		.conn_id = known.id,
	} };

	issue(player, fd, VSOCKDEV_NR_SEND_RST, &arg);
	put_node(player, fd);
}

static void act_shutdown(struct player *player)
{
	struct known known = recall(player);
	int fd = take_node(player);
	union argument arg = { .shutdown = {
		.size = sizeof(arg.shutdown),
		.flags = pick(player, 0, 3),
		.addr = known.addr,
		.conn_id = known.id,
	} };

	issue(player, fd, VSOCKDEV_NR_SEND_SHUTDOWN, &arg);
	put_node(player, fd);
}

static void act_vmo(struct player *player)
{
	struct known known = recall(player);
	int fd = take_node(player), file = take_file(player);
	bool slow = player->mob->slow && one_in(player, 16);
	union argument arg = { .vmo = {
		.size = sizeof(arg.vmo),
		.addr = known.addr,
		.conn_id = known.id,
		.vmo_fd = slow ? player->mob->slow->file : file,
		.offset = one_in(player, 2) ? 0 : pick(player, 0, 1 << 18),
		.length = pick(player, 1, 1 << 18),
	} };

	issue(player, fd, VSOCKDEV_NR_SEND_VMO, &arg);
	put_node(player, fd);
	put_file(player, file);
}

static void reset_done(struct player *player, int fd, uint64_t generation)
{
	union argument arg = { .reset_done = {
		.size = sizeof(arg.reset_done),
		.generation = generation,
	} };

	issue(player, fd, VSOCKDEV_NR_RESET_DONE, &arg);
}

static void act_reset_done(struct player *player)
{
	int fd = take_node(player);

	reset_done(player, fd, recall(player).generation);
	put_node(player, fd);
}

static void act_ask(struct player *player)
{
	union argument cid = { .cid = { .size = sizeof(cid.cid) } };
	union argument info = { .info = { .size = sizeof(info.info) } };
	int fd = take_node(player);

	issue(player, fd, VSOCKDEV_NR_GET_CID, &cid);
	issue(player, fd, VSOCKDEV_NR_GET_INFO, &info);
	put_node(player, fd);
}

/* Any number and size, and any bytes. */
static void act_garbage(struct player *player)
{
	int fd = take_node(player);
	union argument arg;
	unsigned long cmd;

	for (size_t i = 0; i < sizeof(arg) / 4; i++)
		arg.words[i] = one_in(player, 2) ? pick(player, 0, 300) :
						   pick(player, 0, -2U);
	cmd = _IOC(pick(player, 0, 3),
		   one_in(player, 3) ? pick(player, 0, 255) : VSOCKDEV_IOC_TYPE,
		   pick(player, 0, one_in(player, 4) ? 255 : 12),
		   one_in(player, 2) ? 0 : pick(player, 0, 8191));
	ioctl(fd, cmd, place(player, &arg, sizeof(arg)));
	put_node(player, fd);
}

static void hear(struct player *player, int fd, const void *at)
{
	struct vsockdev_event event;

	memcpy(&event, at, sizeof(event));
	if (event.type == VSOCKDEV_EVENT_TRANSPORT_RESET) {
		learn(player, event.addr, 0, event.transport_reset.generation);
		if (!one_in(player, 4))
			reset_done(player, fd,
				   event.transport_reset.generation);
	} else if (event.conn_id) {
		learn(player, event.addr, event.conn_id, 0);
	}
}

static void act_read(struct player *player)
{
	size_t size = EVENT_SIZE * pick(player, 1, 16) + pick(player, 0, 1);
	int fd = take_node(player);
	uint8_t *at = place(player, NULL, size);
	bool mine = at >= player->arena && at <= player->arena + ARENA - size;
	ssize_t n = read(fd, at, size);

	if (n < 0 && !in_table(CALL_read, errno))
		fail("read() says %s", strerror(errno));
	if (n > 0 && n % 8)
		fail("read() gives %zd bytes", n);
	for (ssize_t i = 0; mine && i + EVENT_SIZE <= n; i += EVENT_SIZE)
		hear(player, fd, at + i);
	put_node(player, fd);
}

static void act_poll(struct player *player)
{
	int fd = take_node(player), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct pollfd fds = { .fd = fd, .events = -1 };
	struct epoll_event event = { .events = -1U };

	poll(&fds, 1, pick(player, 0, 2));
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	epoll_wait(epoll, &event, 1, 0);
	if (one_in(player, 2))
		put_node(player, fd);
	else if (fd >= 0)
		close(fd); /* while it is polled */
	close(epoll);
}

/* None of which a node has anything to do with. */
static void act_other(struct player *player)
{
	int fd = take_node(player), sock = take_sock(player);
	struct iovec iov[] = {
		{ player->arena, 32 },
		{ place(player, NULL, 64), 64 },
		{ player->arena + 64, 320 },
	};

	fcntl(fd, F_SETFL, one_in(player, 2) ? O_NONBLOCK : O_ASYNC);
	preadv2(fd, iov, 3, -1, one_in(player, 2) ? RWF_NOWAIT : 0);
	if (write(fd, player->arena, 64) > 0)
		fail("a node was written to");
	lseek(fd, 0, SEEK_SET);
	mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	sendfile(sock, fd, NULL, 100);
	put_sock(player, sock);
	put_node(player, fd);
}

/* Ends by itself, or with the ring, or with the process. */
static void act_uring(struct player *player)
{
	uint8_t *to = player->arena + pick(player, 0, ARENA / 2);
	int fd;

	if (!player->has_uring)
		return;
	if (++player->reads == 8) {
		uring_close(&player->uring);
		player->has_uring = uring_open(&player->uring);
		player->reads = 0;
		return;
	}
	fd = one_in(player, 3) ? take_sock(player) : take_node(player);
	uring_read(&player->uring, 1, fd, to, EVENT_SIZE * 4, 0);
	if (fd >= 0)
		put_any(player, fd);
}

/* A process of its own, with all that this one has, for some steps. */
static void act_fork(struct player *player)
{
	pid_t pid;

	if (player->forked)
		return;
	pid = fork();
	if (pid > 0 && one_in(player, 3))
		kill(pid, SIGKILL);
	if (pid)
		return;
	player->forked = true;
	player->has_uring = false;
	player->random += pick(player, 1, 1000);
	/* Nobody interrupts it */
	alarm(1);
	for (int i = pick(player, 1, 10); i; i--)
		mob_step(player);
	_exit(0);
}

const struct act mob_calls[] = {
	ACT(20, act_open),	 ACT(14, act_close),   ACT(6, act_dup),
	ACT(20, act_start),	 ACT(3, act_stop),     ACT(60, act_request),
	ACT(40, act_response),	 ACT(12, act_rst),     ACT(10, act_shutdown),
	ACT(30, act_vmo),	 ACT(4, act_ask),      ACT(3, act_reset_done),
	ACT(10, act_garbage),	 ACT(60, act_read),    ACT(8, act_poll),
	ACT(5, act_other),	 ACT(6, act_uring),    ACT(1, act_fork),
	{}
};
