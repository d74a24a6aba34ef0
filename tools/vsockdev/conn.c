// SPDX-License-Identifier: GPL-2.0-only
/* One connection, from its start to what is told about its end. */
#include "conn.h"

#include <errno.h>
#include <error.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device.h"

/* Ports that nobody chooses by hand. */
#define FIRST_EPHEMERAL 0x10000U
#define LAST_EPHEMERAL 0x7fffffffU

static uint32_t random_port(void)
{
	uint32_t number = 0;

	/* It need not be secret, only unlikely to be in use. */
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		number = clock_ms();
	return FIRST_EPHEMERAL +
	       number % (LAST_EPHEMERAL - FIRST_EPHEMERAL + 1);
}

static void conn_init(struct conn *conn, struct vsockdev *dev,
		      const struct vsockdev_addr *addr, uint64_t id)
{
	*conn = (struct conn){ .dev = dev, .addr = *addr, .id = id, .fd = -1 };
}

static int send_request(struct conn *conn, const struct conn_args *args,
			int tcp_fd)
{
	const struct vsockdev_conn_options options = {
		.connect_timeout_ms = args->timeout_ms,
	};
	int type = args->seqpacket ? SOCK_SEQPACKET : SOCK_STREAM;

	if (tcp_fd >= 0)
		return vsockdev_send_request(conn->dev, &conn->addr, tcp_fd,
					     &options, &conn->id);
	conn->fd = vsockdev_connect(conn->dev, &conn->addr, type, &options,
				    &conn->id);
	return conn->fd < 0 ? -1 : 0;
}

/* Whether it can succeed if it is tried once more. */
static bool request_failed(struct conn *conn, const struct conn_args *args)
{
	const struct vsockdev_addr *addr = &conn->addr;

	switch (errno) {
	case EADDRINUSE:
		if (!args->addr.local_port)
			return true;
		break;
	case ECONNRESET:
		device_await_reset(conn->dev);
		return true;
	case EPROTOTYPE:
		error(STATUS_ERROR, 0, "the device has no %s connections",
		      args->seqpacket ? "seqpacket" : "stream");
	}
	error(STATUS_ERROR, errno, "connecting to %u:%u from port %u",
	      addr->remote_cid, addr->remote_port, addr->local_port);
	return false;
}

static void request_from_free_port(struct conn *conn,
				   const struct conn_args *args, int tcp_fd)
{
	do {
		if (!args->addr.local_port)
			conn->addr.local_port = random_port();
	} while (send_request(conn, args, tcp_fd) &&
		 request_failed(conn, args));
}

/* Whether the event was an answer. */
static bool conn_handle(struct conn *conn, const struct vsockdev_event *event)
{
	bool ours = event->conn_id == conn->id;

	if (event->type == VSOCKDEV_EVENT_TRANSPORT_RESET ||
	    (ours && event->type == VSOCKDEV_EVENT_RST))
		conn->end = *event;
	if (ours && event->type == VSOCKDEV_EVENT_SEND_VMO_COMPLETE) {
		conn->vmo = *event;
		conn->vmo_pending = false;
	}
	if (!ours)
		device_decline(conn->dev, event);
	return ours && event->type == VSOCKDEV_EVENT_RESPONSE;
}

enum status conn_connect(struct conn *conn, struct vsockdev *dev,
			 const struct conn_args *args, int tcp_fd)
{
	struct vsockdev_event event;
	bool accepted = false;

	conn_init(conn, dev, &args->addr, 0);
	request_from_free_port(conn, args, tcp_fd);
	while (!accepted && !conn_over(conn)) {
		device_next(dev, &event, -1);
		accepted = conn_handle(conn, &event);
	}
	if (!accepted)
		return conn_finish(conn);
	note("connected to %u:%u from port %u", conn->addr.remote_cid,
	     conn->addr.remote_port, conn->addr.local_port);
	return STATUS_OK;
}

bool conn_is_request(const struct vsockdev_event *event,
		     const struct conn_args *args)
{
	uint32_t type = args->seqpacket ? VSOCKDEV_TYPE_SEQPACKET :
					  VSOCKDEV_TYPE_STREAM;

	return event->type == VSOCKDEV_EVENT_REQUEST &&
	       event->addr.local_port == args->addr.local_port &&
	       event->request.socket_type == type;
}

bool conn_await(struct vsockdev *dev, const struct conn_args *args,
		struct vsockdev_event *request)
{
	uint32_t port = args->addr.local_port;
	int64_t end = -1;

	if (args->timeout_ms && args->timeout_ms != VSOCKDEV_TIMEOUT_NONE)
		end = clock_ms() + args->timeout_ms;
	note("listening on port %u", port);
	while (device_next(dev, request, end)) {
		if (conn_is_request(request, args))
			return true;
		device_decline(dev, request);
	}
	error(0, 0, "nobody connected to port %u in time", port);
	return false;
}

static int accept_socket(struct conn *conn,
			 const struct vsockdev_event *request)
{
	conn->fd = vsockdev_accept(conn->dev, request, NULL);
	return conn->fd < 0 ? -1 : 0;
}

enum accept conn_accept(struct conn *conn, struct vsockdev *dev,
			const struct vsockdev_event *request, int tcp_fd)
{
	int ret;

	conn_init(conn, dev, &request->addr, request->conn_id);
	if (tcp_fd >= 0)
		ret = vsockdev_send_response(dev, &conn->addr, conn->id,
					     tcp_fd, NULL);
	else
		ret = accept_socket(conn, request);
	if (!ret) {
		note("accepted a connection from %u:%u to port %u",
		     conn->addr.remote_cid, conn->addr.remote_port,
		     conn->addr.local_port);
		return ACCEPTED;
	}
	/* A transport reset takes it, too. */
	if (errno == ENOTCONN || errno == ESTALE || errno == ECONNRESET)
		return WITHDRAWN;
	error(0, errno, "accepting a connection");
	device_decline(dev, request);
	return FAILED;
}

static enum status conn_listen(struct conn *conn, struct vsockdev *dev,
			       const struct conn_args *args)
{
	struct vsockdev_event request;
	enum accept result;

	do {
		if (!conn_await(dev, args, &request))
			return STATUS_TIMEOUT;
		result = conn_accept(conn, dev, &request, -1);
	} while (result == WITHDRAWN);
	return result == ACCEPTED ? STATUS_OK : STATUS_ERROR;
}

enum status conn_open(struct conn *conn, struct vsockdev *dev,
		      const struct conn_args *args)
{
	if (args->listen)
		return conn_listen(conn, dev, args);
	return conn_connect(conn, dev, args, -1);
}

int conn_send_vmo(struct conn *conn, int file, uint64_t offset,
		  uint64_t length)
{
	if (vsockdev_send_vmo(conn->dev, &conn->addr, conn->id, file, offset,
			      length))
		return -1;
	conn->vmo_pending = true;
	return 0;
}

void conn_read_events(struct conn *conn)
{
	struct vsockdev_event event;

	while (device_poll(conn->dev, &event))
		conn_handle(conn, &event);
}

enum status conn_finish(struct conn *conn)
{
	struct vsockdev_event event;

	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
	while (!conn_over(conn)) {
		device_next(conn->dev, &event, -1);
		conn_handle(conn, &event);
	}
	return conn_report(&conn->addr, &conn->end);
}

static enum status status_of(const struct vsockdev_event *end)
{
	if (end->type == VSOCKDEV_EVENT_TRANSPORT_RESET)
		return STATUS_RESET;
	if (!end->rst.error)
		return STATUS_OK;
	switch (end->rst.reason) {
	case VSOCKDEV_RST_REFUSED:
		return STATUS_REFUSED;
	case VSOCKDEV_RST_TIMED_OUT:
		return STATUS_TIMEOUT;
	case VSOCKDEV_RST_LOCAL_ERROR:
		return STATUS_ERROR;
	default:
		return STATUS_RESET;
	}
}

enum status conn_report(const struct vsockdev_addr *addr,
			const struct vsockdev_event *end)
{
	enum status status = status_of(end);
	const char *what = "lost in a transport reset";

	if (end->type == VSOCKDEV_EVENT_RST)
		what = vsockdev_rst_strerror(end->rst.reason);
	if (status == STATUS_ERROR)
		error(0, end->rst.error, "%u:%u: %s", addr->remote_cid,
		      addr->remote_port, what);
	else if (status != STATUS_OK)
		error(0, 0, "%u:%u: %s", addr->remote_cid, addr->remote_port,
		      what);
	else
		note("%u:%u: %s, %llu bytes sent, %llu received",
		     addr->remote_cid, addr->remote_port, what,
		     end->rst.bytes_sent, end->rst.bytes_received);
	return status;
}
