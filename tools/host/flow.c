// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes between a connection and its endpoint.
 *
 * From the guest they go to the endpoint straight out of guest memory; only
 * what it does not take at once is copied, within the window that the guest
 * was given. To the guest the endpoint reads straight into the posted buffer.
 *
 * How it ends: the endpoint's end of data is SHUTDOWN(send), its close is
 * SHUTDOWN(both), and then the guest's RST is awaited for a time. When the
 * guest has shut down both directions and everything was taken, RST is ours.
 * An endpoint that closed without taking everything ends by RST, so that a
 * loss does not look like an orderly end.
 */
#include "flow.h"

#include <errno.h>
#include <sys/socket.h>

#include "conn.h"
#include "packet.h"
#include "vsock.h"

static bool guest_shut(const struct conn *conn, uint32_t flags)
{
	return (conn->shut_received & flags) == flags;
}

/* Counts bytes as taken and tells the guest when that is worth a packet. */
static void forwarded(struct conn *conn, size_t len)
{
	conn->credit.fwd_cnt += len;
	if (credit_update_due(&conn->credit))
		conn_schedule(conn);
}

static void drop_buffer(struct conn *conn)
{
	size_t len = conn->buf.len;

	buf_free(&conn->buf);
	forwarded(conn, len);
}

void flow_readable(struct conn *conn)
{
	conn->readable = true;
	conn_schedule(conn);
}

void flow_gone(struct conn *conn)
{
	if (conn->gone)
		return;
	conn->gone = true;
	if (conn->buf.len)
		conn->lossy = true;
	drop_buffer(conn);
	/* A guest that wants no bytes does not wait for their end. */
	if (guest_shut(conn, VIRTIO_VSOCK_SHUTDOWN_RCV))
		conn->eof = true;
	if (conn->state == CONN_ORPHAN) {
		conn_kill(conn);
		return;
	}
	conn_timer_set(conn, CONN_TIMER_CLOSE);
	flow_readable(conn);
}

/* Hands bytes to the endpoint; how many it took. */
static size_t offer(struct conn *conn, const struct iov *iov)
{
	ssize_t n;

	if (!conn->writable)
		return 0;
	n = conn->ops->write(conn, iov);
	if (n >= 0)
		return n;
	if (n == -EAGAIN)
		conn->writable = false;
	else
		flow_gone(conn);
	return 0;
}

/* Passes on the guest's end once everything before it was taken. */
static void check_end(struct conn *conn)
{
	if (conn->state == CONN_DEAD || conn->buf.len ||
	    !guest_shut(conn, VIRTIO_VSOCK_SHUTDOWN_SEND))
		return;
	if (conn->state == CONN_ORPHAN) {
		conn_kill(conn);
		return;
	}
	if (!conn->wr_shut) {
		conn->wr_shut = true;
		conn->ops->shutdown(conn, SHUT_WR);
	}
	if (guest_shut(conn, PACKET_SHUTDOWN_BOTH))
		vsock_reset(conn);
}

void flow_taken(struct conn *conn, size_t len)
{
	buf_drop(&conn->buf, len);
	forwarded(conn, len);
	check_end(conn);
}

void flow_writable(struct conn *conn)
{
	conn->writable = true;
	while (conn->buf.len) {
		struct iovec vec[2];
		struct iov iov = { vec, buf_peek(&conn->buf, vec) };
		size_t n = offer(conn, &iov);

		if (!n || conn->state == CONN_DEAD)
			return;
		flow_taken(conn, n);
	}
}

bool flow_from_guest(struct conn *conn, const struct iov *payload)
{
	size_t len = iov_size(payload);
	struct iov rest = *payload;
	size_t n = 0;

	if (guest_shut(conn, VIRTIO_VSOCK_SHUTDOWN_SEND) ||
	    len > credit_rx_room(&conn->credit))
		return false;
	conn->credit.rx_cnt += len;
	if (!conn->buf.len && !conn->gone)
		n = offer(conn, payload);
	if (conn->gone) {
		n = len;
		/* What crosses our SHUTDOWN is the guest's own loss. */
		if (!(conn->shut_sent & VIRTIO_VSOCK_SHUTDOWN_RCV))
			conn->lossy = true;
	}
	forwarded(conn, n);
	iov_skip(&rest, n);
	if (!rest.count)
		return true;
	return !buf_put(&conn->buf, &rest);
}

void flow_guest_shutdown(struct conn *conn, uint32_t flags)
{
	uint32_t news = flags & ~conn->shut_received;

	conn->shut_received |= flags & PACKET_SHUTDOWN_BOTH;
	if (news & VIRTIO_VSOCK_SHUTDOWN_RCV) {
		if (conn->gone)
			conn->eof = true;
		conn->ops->shutdown(conn, SHUT_RD);
	}
	conn_schedule(conn);
	check_end(conn);
}

void flow_orphan(struct conn *conn)
{
	if (!conn->ops->drains || !conn->buf.len ||
	    !guest_shut(conn, VIRTIO_VSOCK_SHUTDOWN_SEND)) {
		conn_kill(conn);
		return;
	}
	conn_unhash(conn);
	conn_timer_clear(conn);
	conn->pending = 0;
	conn->state = CONN_ORPHAN;
}

static bool send_control(struct conn *conn, uint16_t op, uint32_t flags)
{
	vsock_send(conn, op, flags, 0);
	return true;
}

static bool send_pending(struct conn *conn)
{
	static const struct {
		unsigned int bit;
		uint16_t op;
	} order[] = {
		{ CONN_PEND_REQUEST, VIRTIO_VSOCK_OP_REQUEST },
		{ CONN_PEND_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE },
		{ CONN_PEND_CREDIT_UPDATE, VIRTIO_VSOCK_OP_CREDIT_UPDATE },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		if (conn->pending & order[i].bit) {
			conn->pending &= ~order[i].bit;
			return send_control(conn, order[i].op, 0);
		}
	}
	return false;
}

/* What a read, or a look, that brought no bytes means. */
static void read_ended(struct conn *conn, ssize_t n)
{
	conn->readable = false;
	if (n == -EAGAIN)
		return;
	if (n < 0) {
		vsock_reset(conn);
		return;
	}
	conn->eof = true;
	if (conn->ops->gone(conn))
		flow_gone(conn);
}

/* No credit: ask for it if there really is something to send. */
static bool ask_credit(struct conn *conn)
{
	ssize_t n;

	if (conn->credit_asked)
		return false;
	n = conn->ops->peek(conn);
	if (n <= 0) {
		read_ended(conn, n);
		return false;
	}
	conn->credit_asked = true;
	return send_control(conn, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0);
}

static bool send_data(struct conn *conn)
{
	uint32_t room = credit_tx_room(&conn->credit);
	struct iov iov;
	ssize_t n;

	if (!conn->readable || conn->eof ||
	    guest_shut(conn, VIRTIO_VSOCK_SHUTDOWN_RCV))
		return false;
	if (!room)
		return ask_credit(conn);
	conn->credit_asked = false;
	iov = packet_payload(conn->vs->rxq, room);
	n = conn->ops->read(conn, &iov);
	if (n <= 0) {
		read_ended(conn, n);
		return false;
	}
	conn->credit.tx_cnt += n;
	vsock_send(conn, VIRTIO_VSOCK_OP_RW, 0, n);
	/* A closed program's last bytes are moving: no reason to give up. */
	if (conn->gone)
		conn_timer_set(conn, CONN_TIMER_CLOSE);
	return true;
}

static bool send_shutdown(struct conn *conn)
{
	uint32_t flags = (conn->gone ? VIRTIO_VSOCK_SHUTDOWN_RCV : 0) |
			 (conn->eof ? VIRTIO_VSOCK_SHUTDOWN_SEND : 0);

	if (!(flags & ~conn->shut_sent))
		return false;
	if (conn->lossy && conn->eof) {
		vsock_reset(conn);
		return false;
	}
	conn->shut_sent = flags;
	if (flags == PACKET_SHUTDOWN_BOTH)
		conn_timer_set(conn, CONN_TIMER_CLOSE);
	return send_control(conn, VIRTIO_VSOCK_OP_SHUTDOWN, flags);
}

static bool send_update(struct conn *conn)
{
	return credit_update_due(&conn->credit) &&
	       send_control(conn, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
}

bool flow_to_guest(struct conn *conn)
{
	if (send_pending(conn))
		return true;
	if (conn->state != CONN_OPEN)
		return false;
	if (send_data(conn))
		return true;
	/* Looking for data may have found the connection's end. */
	return (conn->state == CONN_OPEN && send_shutdown(conn)) ||
	       (conn->state == CONN_OPEN && send_update(conn));
}
