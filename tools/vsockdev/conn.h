/* SPDX-License-Identifier: GPL-2.0-only */
/* One connection, from its start to what is told about its end. */
#ifndef VSOCKDEV_CONN_H
#define VSOCKDEV_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <vsockdev.h>

#include "command.h"

struct addrinfo;

/* What is wanted; each command has options for some of it. */
struct conn_args {
	struct vsockdev_addr addr;	/* local_port 0: any that is free */
	uint32_t timeout_ms;		/* as in the ABI */
	uint32_t linger_ms;
	bool listen;			/* on addr.local_port */
	bool seqpacket;
	struct addrinfo *tcp;
};

struct conn {
	struct vsockdev *dev;
	struct vsockdev_addr addr;
	uint64_t id;
	int fd;				/* our end, -1 if it is not ours */
	bool vmo_pending;		/* a SEND_VMO is not complete yet */
	struct vsockdev_event vmo;	/* SEND_VMO_COMPLETE, once it is */
	struct vsockdev_event end;	/* RST or TRANSPORT_RESET, once over */
};

/*
 * Connects to the remote side of the address. @tcp_fd, if not -1, becomes the
 * socket. Returns after the host's answer; anything but STATUS_OK was
 * reported.
 */
enum status conn_connect(struct conn *conn, struct vsockdev *dev,
			 const struct conn_args *args, int tcp_fd);

/* Whether the host asks for such a connection. */
bool conn_is_request(const struct vsockdev_event *event,
		     const struct conn_args *args);

/*
 * Waits for such a request and declines others; the request is still to be
 * answered. False if the timeout (0: none) ran out, which was reported.
 */
bool conn_await(struct vsockdev *dev, const struct conn_args *args,
		struct vsockdev_event *request);

enum accept {
	ACCEPTED,
	WITHDRAWN,	/* by the host, before we answered */
	FAILED,		/* on our side, which was reported */
};

/* Answers @request with @tcp_fd or, if that is -1, a socket of our own. */
enum accept conn_accept(struct conn *conn, struct vsockdev *dev,
			const struct vsockdev_event *request, int tcp_fd);

/* Listens or connects, with a socket of our own. */
enum status conn_open(struct conn *conn, struct vsockdev *dev,
		      const struct conn_args *args);

/* Begins to send a range of a file; vmo_pending tells how long it takes. */
int conn_send_vmo(struct conn *conn, int file, uint64_t offset,
		  uint64_t length);

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
