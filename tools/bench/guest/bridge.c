// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the host through a bridge to a TCP server in the guest: bytes go from a
 * vsock connection to a TCP connection. The server says over both how many.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

#define GUEST_PORT 4000
#define FIRST_BYTES (8 * MIB)
#define PIECE (64 * KIB)

static struct sockaddr_in local(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

int tcp_connect(uint16_t port)
{
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr = local(port);

	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		die("TCP: %s", strerror(errno));
	return sock;
}

static int tcp_listen(uint16_t *port)
{
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr = local(0);
	socklen_t len = sizeof(addr);

	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, len) ||
	    listen(sock, 1) ||
	    getsockname(sock, (struct sockaddr *)&addr, &len))
		die("TCP: %s", strerror(errno));
	*port = ntohs(addr.sin_port);
	return sock;
}

/* How long that takes. */
static double receive(int sock, uint64_t count)
{
	const struct link link = { .sock = sock };
	double start = wall_now();

	order_write(sock, ORDER_SOURCE, PIECE, count);
	link_skip(&link, count);
	return wall_now() - start;
}

void measure_bridge(struct run *run)
{
	int listener, server;
	double took, cpu;
	struct link dial;
	uint16_t tcp_port;

	if (!run->count)
		run->count = FIRST_BYTES;
	listener = tcp_listen(&tcp_port);
	run->side->bridge_open(run->variant, GUEST_PORT, tcp_port);
	dial = link_order(run, ORDER_DIAL, 1, GUEST_PORT);
	run->side->bridge_accept(GUEST_PORT, tcp_port);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0)
		die("TCP accept: %s", strerror(errno));
	cpu = cpu_now(run);
	took = receive(server, run->count);
	cpu = cpu_now(run) - cpu;
	close(server);
	close(listener);
	run->side->bridge_close();
	run->side->close(&dial);

	run->done = run->count / 1e6;
	run->unit = "MB";
	run->results[0] = run->done / took;
	run->results[1] = cpu / (run->count / 1e9);
	run_scale(run, took, 1);
}
