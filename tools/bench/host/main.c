// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev-bench-host - the host's end of the measurements
 *
 * A program on the unix sockets of a host device, with a thread for each
 * connection. It does as little as possible with what comes, as it is not what
 * is to be measured.
 */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cpu.h"
#include "order.h"
#include "sample.h"
#include "uds.h"

#define BUFFER (1 << 20)
#define DIAL_TRIES 2000
#define DIAL_PAUSE_MS 10

static const char *base, *control, *nice_value;

static const struct argp_option options[] = {
	{ "uds", 'u', "BASE", 0, "unix socket of the host device", 0 },
	{ "control", 'c', "PATH", 0, "its control socket", 0 },
	{ "nice", 'n', "N", 0, "priority of the guest's session", 0 },
	{},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'u':
		base = arg;
		return 0;
	case 'c':
		control = arg;
		return 0;
	case 'n':
		nice_value = arg;
		return 0;
	case ARGP_KEY_END:
		if (!base)
			argp_error(state, "--uds is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "The host's end of the vsockdev measurements.",
};

static bool read_all(int fd, void *buf, size_t len)
{
	return recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

static bool write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		buf += n;
		len -= n;
	}
	return true;
}

static void sink(int fd, const struct order *order, char *buf)
{
	uint64_t left = order->count;

	/* SEND_VMO overtakes what is still in the socket, so it waits. */
	write_all(fd, "", 1);
	while (left) {
		ssize_t n = recv(fd, buf, left < BUFFER ? left : BUFFER, 0);

		if (n <= 0)
			return;
		left -= n;
	}
	write_all(fd, "", 1);
}

static void source(int fd, const struct order *order, const char *buf)
{
	uint64_t left = order->count;

	while (left) {
		size_t n = left < order->size ? left : order->size;

		if (!write_all(fd, buf, n))
			return;
		left -= n;
	}
}

static void echo(int fd, const struct order *order, char *buf)
{
	while (read_all(fd, buf, order->size))
		if (!write_all(fd, buf, order->size))
			return;
}

static int process_behind(int sock)
{
	struct ucred cred = { .pid = -1 };
	socklen_t len = sizeof(cred);

	getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	return cred.pid;
}

/* With threads that have ended. */
static double own_cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* What the host device says, and what it and we cost. */
static void stats(int fd)
{
	int device = control ? uds_connect(control) : -1;
	char line[256] = "";
	double cpu = 0;

	if (device >= 0) {
		if (write_all(device, "stats\n", 6))
			uds_read_line(device, line, sizeof(line));
		cpu = cpu_of_process(process_behind(device));
		close(device);
	}
	dprintf(fd, "%s device_us=%.0f end_us=%.0f\n", line, cpu * 1e6,
		own_cpu() * 1e6);
}

static void serve(int fd);

/* The guest's program may not listen yet: again and again. */
static void dial(uint32_t port)
{
	char line[64];
	int fd;

	for (int i = 0; i < DIAL_TRIES; i++) {
		fd = uds_dial(base, port, SOCK_STREAM);
		if (fd >= 0 && uds_read_line(fd, line, sizeof(line)) > 0) {
			serve(fd);
			return;
		}
		close(fd);
		poll(NULL, 0, DIAL_PAUSE_MS);
	}
	fprintf(stderr, "bench-host: the guest's port %u is closed\n", port);
}

static void obey(int fd, const struct order *order, char *buf)
{
	char byte;

	if (!order->size || order->size > BUFFER)
		return;
	switch (order->verb) {
	case ORDER_SINK:
		sink(fd, order, buf);
		break;
	case ORDER_SOURCE:
		source(fd, order, buf);
		break;
	case ORDER_ECHO:
		echo(fd, order, buf);
		break;
	case ORDER_STATS:
		stats(fd);
		break;
	case ORDER_CPU:
		dprintf(fd, "%.6f\n", cpu_of_guest());
		break;
	case ORDER_SAMPLE:
		sample_process(cpu_guest_process(), fd);
		break;
	case ORDER_DIAL:
		dial(order->count);
		break;
	}
	/* The guest ends first. */
	while (recv(fd, &byte, 1, 0) > 0)
		;
}

static void serve(int fd)
{
	char *buf = malloc(BUFFER);
	struct order order;

	if (buf) {
		memset(buf, 'b', BUFFER);
		if (read_all(fd, &order, sizeof(order)))
			obey(fd, &order, buf);
	}
	close(fd);
	free(buf);
}

static void *serve_one(void *arg)
{
	serve((intptr_t)arg);
	return NULL;
}

static void start(int fd)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd))
		close(fd);
	else
		pthread_detach(thread);
}

static void *serve_bytes(void *arg)
{
	int listener = (intptr_t)arg, fd;
	char byte;

	for (;;) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		if (recv(fd, &byte, 1, 0) == 1 && write_all(fd, &byte, 1))
			while (recv(fd, &byte, 1, 0) > 0)
				;
		close(fd);
	}
	return NULL;
}

/* Until the guest ends them. */
static void *hold(void *arg)
{
	int listener = (intptr_t)arg, epfd = epoll_create1(EPOLL_CLOEXEC), fd;
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };

	epoll_ctl(epfd, EPOLL_CTL_ADD, listener, &event);
	while (epoll_wait(epfd, &event, 1, -1) == 1) {
		if (event.data.fd != listener) {
			close(event.data.fd);
			continue;
		}
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		event = (struct epoll_event){ .events = EPOLLIN,
					       .data.fd = fd };
		if (fd >= 0)
			epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
	}
	return NULL;
}

static int open_port(uint32_t port)
{
	int fd = uds_listen(base, port, SOCK_STREAM);

	if (fd < 0) {
		fprintf(stderr, "bench-host: %s_%u: %s\n", base, port,
			strerror(errno));
		exit(1);
	}
	return fd;
}

static void listen_with(uint32_t port, void *(*serve)(void *arg))
{
	intptr_t listener = open_port(port);
	pthread_t thread;

	if (pthread_create(&thread, NULL, serve, (void *)listener))
		exit(1);
}

static void raise_fd_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static void end(int sig)
{
	(void)sig;
	_exit(0);
}

int main(int argc, char **argv)
{
	int orders;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	signal(SIGTERM, end);
	signal(SIGINT, end);
	raise_fd_limit();
	orders = open_port(ORDER_PORT);
	listen_with(BYTE_PORT, serve_bytes);
	listen_with(HOLD_PORT, hold);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int fd = accept4(orders, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		if (nice_value)
			cpu_prefer_guest(nice_value);
		nice_value = NULL;
		start(fd);
	}
}
