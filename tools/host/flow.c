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
 *
 * Of SEQPACKET connections an endpoint gets and gives whole messages. One that
 * is larger than the window of whoever is to receive it can never be there as
 * a whole: it ends the connection by RST, whichever side sends it.
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

static bool is_seqpacket(const struct conn *conn)
{
	return conn->type == VIRTIO_VSOCK_TYPE_SEQPACKET;
}

/* There is something that the endpoint has not taken. */
static bool waiting(const struct conn *conn)
{
	return conn->buf.len || conn->messages.count;
}

/*
 * Nothing more is taken, so no window opens, while a message lacks its end:
 * the guest is told of all that was taken before, as it may need just that.
 */
static bool update_due(const struct conn *conn)
{
	const struct credit *cr = &conn->credit;

	return credit_update_due(cr) ||
	       (conn->messages.open && cr->fwd_cnt != cr->told_fwd_cnt);
}

/* Counts bytes as taken and tells the guest when that is worth a packet. */
static void forwarded(struct conn *conn, size_t len)
{
	conn->credit.fwd_cnt += len;
	if (update_due(conn))
		conn_schedule(conn);
}

static void drop_buffer(struct conn *conn)
{
	size_t len = conn->buf.len;

	buf_free(&conn->buf);
	messages_free(&conn->messages);
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
	if (waiting(conn))
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

/* Hands bytes to the endpoint; how many it took, below 0 for none. */
static ssize_t offer(struct conn *conn, const struct iov *iov)
{
	ssize_t n;

	if (!conn->writable)
		return -EAGAIN;
	n = conn->ops->write(conn, iov);
	if (n == -EAGAIN)
		conn->writable = false;
	else if (n < 0)
		flow_gone(conn);
	return n;
}

/* Passes on the guest's end once everything before it was taken. */
static void check_end(struct conn *conn)
{
	if (conn->state == CONN_DEAD || waiting(conn) ||
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
	/* Who takes some may want more. */
	conn->writable = true;
	if (is_seqpacket(conn))
		messages_drop(&conn->messages, len);
	buf_drop(&conn->buf, len);
	forwarded(conn, len);
	check_end(conn);
}

void flow_discard(struct conn *conn)
{
	drop_buffer(conn);
	check_end(conn);
}

/* The oldest bytes that may be offered at once; false if there are none. */
static bool next_offer(struct conn *conn, struct iov *iov)
{
	int64_t len;

	iov->count = buf_peek(&conn->buf, iov->vec);
	if (!is_seqpacket(conn))
		return iov->count;
	len = messages_first(&conn->messages);
	if (len < 0)
		return false;
	iov_trim(iov, len);
	return true;
}

static void offer_waiting(struct conn *conn)
{
	struct iovec vec[2];
	struct iov iov = { vec, 0 };

	while (next_offer(conn, &iov)) {
		ssize_t n = offer(conn, &iov);

		if (n < 0 || conn->state == CONN_DEAD)
			return;
		flow_taken(conn, n);
	}
}

void flow_writable(struct conn *conn)
{
	conn->writable = true;
	offer_waiting(conn);
}

/* What comes when nobody takes it any more. */
static bool discard(struct conn *conn, size_t len)
{
	/* What crosses our SHUTDOWN is the guest's own loss. */
	if (!(conn->shut_sent & VIRTIO_VSOCK_SHUTDOWN_RCV))
		conn->lossy = true;
	forwarded(conn, len);
	return true;
}

static bool bytes_from_guest(struct conn *conn, const struct iov *payload)
{
	struct iov rest = *payload;
	ssize_t n = conn->buf.len ? -EAGAIN : offer(conn, payload);

	if (conn->gone)
		return discard(conn, iov_size(payload));
	if (n > 0) {
		forwarded(conn, n);
		iov_skip(&rest, n);
	}
	return !rest.count || !buf_put(&conn->buf, &rest);
}

static bool message_from_guest(struct conn *conn, const struct iov *payload,
			       bool end)
{
	size_t len = iov_size(payload);

	if (end && !waiting(conn) && offer(conn, payload) >= 0) {
		forwarded(conn, len);
		return true;
	}
	if (conn->gone)
		return discard(conn, len);
	if (buf_put(&conn->buf, payload) ||
	    messages_add(&conn->messages, len, end))
		return false;
	/* Without an end it fills the window, so no end can come. */
	if (conn->messages.open == conn->credit.buf_alloc)
		return false;
	if (update_due(conn))
		conn_schedule(conn);
	offer_waiting(conn);
	return true;
}

bool flow_from_guest(struct conn *conn, const struct iov *payload,
		     uint32_t flags)
{
	size_t len = iov_size(payload);

	if (guest_shut(conn, VIRTIO_VSOCK_SHUTDOWN_SEND) ||
	    len > credit_rx_room(&conn->credit))
		return false;
	conn->credit.rx_cnt += len;
	if (conn->gone)
		return discard(conn, len);
	return is_seqpacket(conn) ?
		       message_from_guest(conn, payload,
					  flags & VIRTIO_VSOCK_SEQ_EOM) :
		       bytes_from_guest(conn, payload);
}

void flow_guest_shutdown(struct conn *conn, uint32_t flags)
{
	uint32_t news = flags & ~conn->shut_received;

	conn->shut_received |= flags & PACKET_SHUTDOWN_BOTH;
	if (guest_shut(conn, VIRTIO_VSOCK_SHUTDOWN_SEND) &&
	    conn->messages.open) {
		/* It will not have an end any more. */
		vsock_reset(conn);
		return;
	}
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
	if (!conn->ops->drains || !waiting(conn) ||
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

static bool ask_credit(struct conn *conn)
{
	if (conn->credit_asked)
		return false;
	conn->credit_asked = true;
	return send_control(conn, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0);
}

/* Reads into the posted buffer; the endpoint's answer. */
static ssize_t read_payload(struct conn *conn, uint32_t len)
{
	struct iov iov = packet_payload(conn->vs->rxq, len);

	conn->credit_asked = false;
	return conn->ops->read(conn, &iov);
}

static bool send_payload(struct conn *conn, uint32_t flags, uint32_t len)
{
	conn->credit.tx_cnt += len;
	vsock_send(conn, VIRTIO_VSOCK_OP_RW, flags, len);
	/* A closed program's last bytes are moving: no reason to give up. */
	if (conn->gone)
		conn_timer_set(conn, CONN_TIMER_CLOSE);
	return true;
}

static bool send_bytes(struct conn *conn)
{
	uint32_t room = credit_tx_room(&conn->credit);
	/* Without credit, is there anything that needs it? */
	ssize_t n = room ? read_payload(conn, room) : conn->ops->peek(conn);

	if (n <= 0) {
		read_ended(conn, n);
		return false;
	}
	return room ? send_payload(conn, 0, n) : ask_credit(conn);
}

static bool start_message(struct conn *conn)
{
	int64_t len = conn->ops->next(conn);

	if (len < 0) {
		read_ended(conn, len == -ENODATA ? 0 : len);
		return false;
	}
	if (len > conn->credit.peer_buf_alloc) {
		log_verbose("host %u guest %u: message too large",
			    conn->host_port, conn->guest_port);
		vsock_reset(conn);
		return false;
	}
	conn->message_left = len;
	conn->in_message = true;
	return true;
}

static bool send_message(struct conn *conn)
{
	uint32_t room = credit_tx_room(&conn->credit);
	ssize_t n;

	if (!conn->in_message && !start_message(conn))
		return false;
	if (!room && conn->message_left)
		return ask_credit(conn);
	n = read_payload(conn, min(room, conn->message_left));
	if (n < 0) {
		read_ended(conn, n);
		return false;
	}
	conn->message_left -= n;
	conn->in_message = conn->message_left;
	return send_payload(conn, conn->in_message ? 0 : VIRTIO_VSOCK_SEQ_EOM,
			    n);
}

static bool send_data(struct conn *conn)
{
	if (!conn->readable || conn->eof ||
	    guest_shut(conn, VIRTIO_VSOCK_SHUTDOWN_RCV))
		return false;
	return is_seqpacket(conn) ? send_message(conn) : send_bytes(conn);
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
	return update_due(conn) &&
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
