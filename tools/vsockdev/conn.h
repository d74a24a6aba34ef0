/* SPDX-License-Identifier: GPL-2.0-only */
/* One connection, from its start to what is told about its end. */
#ifndef VSOCKDEV_CONN_H
#define VSOCKDEV_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <vsockdev.h>

#include "command.h"

struct conn {
	struct vsockdev *dev;
	struct vsockdev_addr addr;
	uint64_t id;
	int fd;				/* our end, -1 if it is not ours */
	struct vsockdev_event end;	/* RST or TRANSPORT_RESET, once over */
};

/*
 * Connects to the remote side of @addr, from its local port or, if that is 0,
 * from an unused one. @tcp_fd, if not -1, becomes the socket. Returns after
 * the host's answer; anything but STATUS_OK was reported.
 */
enum status conn_connect(struct conn *conn, struct vsockdev *dev,
			 const struct vsockdev_addr *addr,
			 uint32_t timeout_ms, int tcp_fd);

/* Whether the host asks for a connection to @port that we can use. */
bool conn_is_request(const struct vsockdev_event *event, uint32_t port);

/*
 * Waits for a request to @port and declines others; the request is still to
 * be answered. False if the timeout (0: none) ran out, which was reported.
 */
bool conn_await(struct vsockdev *dev, uint32_t port, uint32_t timeout_ms,
		struct vsockdev_event *request);

enum accept {
	ACCEPTED,
	WITHDRAWN,	/* by the host, before we answered */
	FAILED,		/* on our side, which was reported */
};

/* Answers @request with @tcp_fd or, if that is -1, a socket of our own. */
enum accept conn_accept(struct conn *conn, struct vsockdev *dev,
			const struct vsockdev_event *request, int tcp_fd);

/* Waits for a request to @port, and accepts it on a socket of our own. */
enum status conn_listen(struct conn *conn, struct vsockdev *dev,
			uint32_t port, uint32_t timeout_ms);

/* Takes the events that are there. */
void conn_read_events(struct conn *conn);

static inline bool conn_over(const struct conn *conn)
{
	return conn->end.type;
}

/* Closes our end, waits until the connection is over, and tells how it was. */
enum status conn_finish(struct conn *conn);

/* Says how a connection ended, if it did not end well. */
enum status conn_report(const struct vsockdev_addr *addr,
			const struct vsockdev_event *end);

#endif
