// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services inside the device. They behave as a program would that reads to
 * the end of data and then closes.
 */
#include "service.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "conn.h"
#include "flow.h"
#include "packet.h"
#include "util.h"

#define PATTERN_PERIOD 251
#define SOURCE_MESSAGE 4096

static ssize_t end_or_wait(struct conn *conn)
{
	return conn->wr_shut ? 0 : -EAGAIN;
}

static int64_t no_next(struct conn *conn)
{
	return conn->wr_shut ? -ENODATA : -EAGAIN;
}

static ssize_t no_read(struct conn *conn, const struct iov *iov)
{
	(void)iov;
	return end_or_wait(conn);
}

static void end_seen(struct conn *conn, int how)
{
	if (how == SHUT_WR)
		flow_readable(conn);
}

static void nothing(struct conn *conn)
{
	(void)conn;
}

static bool always(struct conn *conn)
{
	(void)conn;
	return true;
}

/* Echo: the connection's own buffer is the store. */

static int64_t echo_next(struct conn *conn)
{
	int64_t len = messages_first(&conn->messages);

	return len < 0 ? no_next(conn) : len;
}

static ssize_t echo_read(struct conn *conn, const struct iov *iov)
{
	size_t done = buf_copy(&conn->buf, iov);

	if (!done && !conn->in_message)
		return end_or_wait(conn);
	flow_taken(conn, done);
	return done;
}

static ssize_t echo_peek(struct conn *conn)
{
	return conn->buf.len ? 1 : end_or_wait(conn);
}

static ssize_t echo_write(struct conn *conn, const struct iov *iov)
{
	/* With nobody to send it back to, it is done with. */
	if (conn->shut_received & VIRTIO_VSOCK_SHUTDOWN_RCV)
		return iov_size(iov);
	flow_readable(conn);
	return -EAGAIN;
}

static void echo_shutdown(struct conn *conn, int how)
{
	end_seen(conn, how);
	if (how == SHUT_RD)
		flow_discard(conn);
}

static const struct endpoint_ops echo_ops = {
	.next = echo_next,
	.read = echo_read,
	.peek = echo_peek,
	.write = echo_write,
	.shutdown = echo_shutdown,
	.gone = always,
	.accepted = nothing,
	.close = nothing,
};

/* Sink */

static ssize_t sink_write(struct conn *conn, const struct iov *iov)
{
	(void)conn;
	return iov_size(iov);
}

static const struct endpoint_ops sink_ops = {
	.next = no_next,
	.read = no_read,
	.peek = end_or_wait,
	.write = sink_write,
	.shutdown = end_seen,
	.gone = always,
	.accepted = nothing,
	.close = nothing,
};

/* Source */

static ssize_t source_read(struct conn *conn, const struct iov *iov)
{
	/* Long enough that any packet is a slice of it. */
	static uint8_t pattern[PACKET_PAYLOAD_MAX + PATTERN_PERIOD];
	size_t done = 0;

	if (!pattern[1])
		for (size_t i = 0; i < sizeof(pattern); i++)
			pattern[i] = i % PATTERN_PERIOD;
	for (int i = 0; i < iov->count; i++) {
		const uint8_t *from = pattern + conn->produced % PATTERN_PERIOD;

		memcpy(iov->vec[i].iov_base, from, iov->vec[i].iov_len);
		conn->produced += iov->vec[i].iov_len;
		done += iov->vec[i].iov_len;
	}
	return done;
}

static int64_t source_next(struct conn *conn)
{
	(void)conn;
	return SOURCE_MESSAGE;
}

static ssize_t source_peek(struct conn *conn)
{
	(void)conn;
	return 1;
}

static void no_shutdown(struct conn *conn, int how)
{
	(void)conn;
	(void)how;
}

static const struct endpoint_ops source_ops = {
	.next = source_next,
	.read = source_read,
	.peek = source_peek,
	.write = sink_write,
	.shutdown = no_shutdown,
	.gone = always,
	.accepted = nothing,
	.close = nothing,
};

/* Hold */

static ssize_t hold_write(struct conn *conn, const struct iov *iov)
{
	(void)conn;
	(void)iov;
	return -EAGAIN;
}

static const struct endpoint_ops hold_ops = {
	.next = no_next,
	.read = no_read,
	.peek = end_or_wait,
	.write = hold_write,
	.shutdown = end_seen,
	.gone = always,
	.accepted = nothing,
	.close = nothing,
};

static const struct {
	const char *name;
	const struct endpoint_ops *ops;
} services[] = {
	[SERVICE_NONE] = { "none", NULL },
	[SERVICE_ECHO] = { "echo", &echo_ops },
	[SERVICE_SINK] = { "sink", &sink_ops },
	[SERVICE_SOURCE] = { "source", &source_ops },
	[SERVICE_SILENT] = { "silent", NULL },
	[SERVICE_HOLD] = { "hold", &hold_ops },
};

bool service_parse(const char *name, enum service *kind)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(services); i++) {
		if (!strcmp(name, services[i].name)) {
			*kind = i;
			return true;
		}
	}
	return false;
}

const struct endpoint_ops *service_ops(enum service kind)
{
	return services[kind].ops;
}
