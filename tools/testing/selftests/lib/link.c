// SPDX-License-Identifier: GPL-2.0-only
/* Connections to the host, and the script connection to its peer. */
#include "link.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#undef link_request
#undef link_request_with
#undef link_connect
#undef link_accept
#undef link_accept_with
#undef peer_open
#undef peer_tell
#undef peer_hear
#undef peer_hear_exactly
#undef peer_do
#undef expect_alive
#undef peer_connect
#undef peer_dial
#undef peer_connect_with
#undef peer_dial_with
#undef call_in
#undef info_of
#undef expect_event
#undef expect_request

uint32_t port_without_answer(void)
{
	return host_is_ours() ? SILENT_PORT : DEAF_PORT;
}

/*
 * Each test is a process of its own, so its number keeps the ports of one
 * test apart from those of the one before, of which hosts may still know.
 */
uint32_t new_port(void)
{
	static uint32_t count;

	return 100000 + (uint32_t)getpid() * 1024 + count++ % 1024;
}

struct vsockdev_addr host_addr(uint32_t remote_port)
{
	return (struct vsockdev_addr){
		.local_port = new_port(),
		.remote_cid = HOST_CID,
		.remote_port = remote_port,
	};
}

struct link link_request_with(struct device *dev, uint32_t host_port,
			      const int pair[2])
{
	struct link link = { .sock = pair[0], .addr = host_addr(host_port) };
	int error = send_request(dev->fd, link.addr, pair[1], &link.id);

	if (error)
		fail("SEND_REQUEST to host port %u: %s", host_port,
		     strerror(-error));
	if (!link.id)
		fail("SEND_REQUEST gave no connection id");
	close(pair[1]);
	return link;
}

struct link link_request(struct device *dev, uint32_t host_port)
{
	int pair[2];

	unix_pair(pair);
	return link_request_with(dev, host_port, pair);
}

struct link link_connect(struct device *dev, uint32_t host_port)
{
	struct link link = link_request(dev, host_port);

	expect_event(dev, VSOCKDEV_EVENT_RESPONSE, link.id);
	return link;
}

struct link link_accept_with(struct device *dev,
			     const struct vsockdev_event *request,
			     const int pair[2])
{
	struct link link = {
		.sock = pair[0],
		.id = request->conn_id,
		.addr = request->addr,
	};
	int error = send_response(dev->fd, link.addr, link.id, pair[1]);

	if (error)
		fail("SEND_RESPONSE: %s", strerror(-error));
	close(pair[1]);
	return link;
}

struct link link_accept(struct device *dev,
			const struct vsockdev_event *request)
{
	int pair[2];

	unix_pair(pair);
	return link_accept_with(dev, request, pair);
}

void link_close(struct link *link)
{
	close(link->sock);
	link->sock = -1;
}

struct peer peer_open(struct device *dev)
{
	return (struct peer){ .link = link_connect(dev, SCRIPT_PORT) };
}

static void tell(struct peer *peer, const char *format, va_list args)
{
	char line[256];
	int len = vsnprintf(line, sizeof(line) - 1, format, args);
	ssize_t n;

	line[len++] = '\n';
	n = send(peer->link.sock, line, len, MSG_NOSIGNAL);
	if (n != len)
		fail("telling the peer: %s", strerror(errno));
}

void peer_tell(struct peer *peer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(peer, format, args);
	va_end(args);
}

/* Answers are never told ahead, so a line comes alone. */
const char *peer_hear(struct peer *peer)
{
	static char line[256];
	size_t len = 0;

	while (len + 1 < sizeof(line)) {
		ssize_t n = recv(peer->link.sock, line + len, 1, 0);

		/* io_uring, for one, interrupts to get its own work done. */
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			fail("the script connection ended");
		if (n < 0)
			fail("hearing the peer: %s", strerror(errno));
		if (line[len] == '\n')
			break;
		len++;
	}
	line[len] = '\0';
	return line;
}

static void compare(const char *answer, const char *expected)
{
	if (strcmp(answer, expected))
		fail("the peer answers '%s' instead of '%s'", answer, expected);
}

void peer_hear_exactly(struct peer *peer, const char *format, ...)
{
	char expected[256];
	va_list args;

	va_start(args, format);
	vsnprintf(expected, sizeof(expected), format, args);
	va_end(args);
	compare(peer_hear(peer), expected);
}

void peer_do(struct peer *peer, const char *answer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(peer, format, args);
	va_end(args);
	compare(peer_hear(peer), answer);
}

void expect_alive(const struct link *link)
{
	struct peer peer = { .link = *link };

	peer_do(&peer, "pong", "ping");
}

struct link peer_connect_with(struct device *dev, struct peer *peer,
			      const int pair[2])
{
	uint32_t port = new_port();
	struct link link;

	peer_do(peer, "ok", "listen %u", port);
	link = link_request_with(dev, port, pair);
	peer_do(peer, "ok", "accept");
	expect_event(dev, VSOCKDEV_EVENT_RESPONSE, link.id);
	return link;
}

struct link peer_connect(struct device *dev, struct peer *peer)
{
	int pair[2];

	unix_pair(pair);
	return peer_connect_with(dev, peer, pair);
}

struct link peer_dial_with(struct device *dev, struct peer *peer,
			   const int pair[2])
{
	uint32_t port = new_port();
	struct vsockdev_event request;
	struct link link;

	peer_do(peer, "ok", "dial-start %u", port);
	request = expect_request(dev, port);
	link = link_accept_with(dev, &request, pair);
	peer_tell(peer, "dial-wait");
	if (strncmp(peer_hear(peer), "ok ", 3))
		fail("dialling the guest failed");
	return link;
}

struct link peer_dial(struct device *dev, struct peer *peer)
{
	int pair[2];

	unix_pair(pair);
	return peer_dial_with(dev, peer, pair);
}

void call_in(struct device *dev, struct callers *callers, int count)
{
	callers->count = count;
	for (int i = 0; i < count; i++)
		callers->peers[i] = peer_open(dev);
	callers->conns = info_of(dev->fd).conns;
	for (int i = 0; i < count; i++) {
		callers->ports[i] = new_port();
		peer_do(&callers->peers[i], "ok", "dial-start %u",
			callers->ports[i]);
	}
}

void wait_for_requests(struct device *dev, const struct callers *callers)
{
	WAIT_FOR(info_of(dev->fd).conns == callers->conns + callers->count);
}
