// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - how a connection ends
 *
 * DOC: Each side shuts its directions, in any order, or one of them resets the
 * connection. Who did what so far is in the connection; vsockdev_conn_settle()
 * takes the steps that follow from it. When it is DEAD, the owner has an RST
 * event to read, and before it perhaps the completion of a SEND_VMO.
 *
 * All functions here are called under the device's lock. Those that give the
 * TX queue something to do leave it to the caller to end with
 * vsockdev_sched_unlock().
 */
#include "conn.h"
#include "device.h"

#include <trace/vsockdev.h>

/**
 * vsockdev_conn_shutdown() - tell the peer that directions are shut
 * @conn: ESTABLISHED
 * @directions: VSOCKDEV_SHUTDOWN_*; SEND only when nothing is staged
 */
void vsockdev_conn_shutdown(struct vsockdev_conn *conn, u32 directions)
{
	lockdep_assert_held(&conn->vd->lock);

	if (!(directions & ~conn->shut_sent))
		return;
	conn->shut_sent |= directions;
	vsockdev_sched_control(conn, VSOCKDEV_SEND_SHUTDOWN_PACKET);
	if (conn->closing)
		vsockdev_conn_arm(conn, conn->close_timeout);
}

/**
 * vsockdev_conn_stop_tx() - send nothing more; drop what is staged
 * @conn: the connection
 */
void vsockdev_conn_stop_tx(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	conn->tx_stopped = true;
	vsockdev_conn_vmo_end(conn, EPIPE);
	vsockdev_sched_drop_data(conn);
	vsockdev_sched_unblock(conn);
	vsockdev_conn_wake(conn);
}

/**
 * vsockdev_conn_close() - from now on the peer must make progress
 * @conn: ESTABLISHED
 */
void vsockdev_conn_close(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	if (conn->closing)
		return;
	conn->closing = true;
	vsockdev_conn_arm(conn, conn->close_timeout);
}

static void post_shutdown(struct vsockdev_conn *conn, u32 directions)
{
	struct vsockdev_event_slot *slot;

	slot = &conn->events[VSOCKDEV_CONN_EVENT_SHUTDOWN];
	if (!vsockdev_event_pending(slot)) {
		slot->record.shutdown.directions = directions;
		vsockdev_event_post(&conn->vd->stream, slot,
				    VSOCKDEV_EVENT_SHUTDOWN);
		return;
	}
	slot->record.shutdown.directions |= directions;
	/* A reader is copying the old record: it must find this one too */
	if (slot->seen) {
		vsockdev_event_drop(slot);
		vsockdev_event_post(&conn->vd->stream, slot,
				    VSOCKDEV_EVENT_SHUTDOWN);
	}
}

/**
 * vsockdev_conn_peer_shutdown() - the peer shut directions
 * @conn: ESTABLISHED
 * @directions: VSOCKDEV_SHUTDOWN_* as the peer means them
 */
void vsockdev_conn_peer_shutdown(struct vsockdev_conn *conn, u32 directions)
{
	u32 news = directions & VSOCKDEV_SHUTDOWN_BOTH & ~conn->shut_received;

	lockdep_assert_held(&conn->vd->lock);

	if (!news)
		return;
	conn->shut_received |= news;
	post_shutdown(conn, news);
	if (news & VSOCKDEV_SHUTDOWN_RECEIVE)
		vsockdev_conn_stop_tx(conn);
	vsockdev_conn_wake(conn);
	vsockdev_conn_settle(conn);
}

static bool tx_is_over(const struct vsockdev_conn *conn)
{
	return (conn->shut_sent & VSOCKDEV_SHUTDOWN_SEND) ||
	       (conn->shut_received & VSOCKDEV_SHUTDOWN_RECEIVE);
}

static bool rx_is_over(const struct vsockdev_conn *conn)
{
	return conn->rx_ended || conn->rx_discard;
}

/**
 * vsockdev_conn_settle() - take the steps that the ends reached so far allow
 * @conn: the connection; called whenever one of its ends may have moved on
 *
 * The program's last byte was sent: SHUTDOWN. The peer shut both directions
 * and the program has everything: RST, and that was it. Neither direction
 * carries anything any more: SHUTDOWN of both, which the peer answers by RST.
 */
void vsockdev_conn_settle(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	if (conn->state != VSOCKDEV_CONN_ESTABLISHED)
		return;

	if (conn->tx_ended && !conn->tx_stopped && !conn->tx_frame_count)
		vsockdev_conn_shutdown(conn, conn->user_closed ?
				       VSOCKDEV_SHUTDOWN_BOTH :
				       VSOCKDEV_SHUTDOWN_SEND);

	if (conn->shut_received == VSOCKDEV_SHUTDOWN_BOTH && rx_is_over(conn))
		vsockdev_conn_end(conn, true, conn->user_closed ?
				  VSOCKDEV_RST_LOCAL_CLOSE :
				  VSOCKDEV_RST_SHUTDOWN, 0);
	else if (tx_is_over(conn) && rx_is_over(conn))
		vsockdev_conn_shutdown(conn, VSOCKDEV_SHUTDOWN_BOTH);
}

/**
 * vsockdev_conn_vmo_end() - a SEND_VMO is over
 * @conn: the connection; nothing happens if it has none under way
 * @status: 0, or a positive errno
 *
 * The device may still have pages of it then: they are released when it
 * returns them.
 */
void vsockdev_conn_vmo_end(struct vsockdev_conn *conn, int status)
{
	struct vsockdev_event_slot *slot;

	lockdep_assert_held(&conn->vd->lock);

	if (!conn->vmo_active)
		return;
	conn->vmo_active = false;
	conn->vmo_left = 0;
	slot = &conn->events[VSOCKDEV_CONN_EVENT_VMO];
	slot->record.vmo.status = status;
	slot->record.vmo.bytes = conn->vmo_bytes;
	vsockdev_event_post(&conn->vd->stream, slot,
			    VSOCKDEV_EVENT_SEND_VMO_COMPLETE);
}

static void conn_die(struct vsockdev_conn *conn, bool send_rst, u32 reason,
		     int error)
{
	struct vsockdev *vd = conn->vd;

	lockdep_assert_held(&vd->lock);

	if (conn->state == VSOCKDEV_CONN_PENDING)
		vd->backlog--;
	conn->state = VSOCKDEV_CONN_DEAD;
	trace_vsockdev_conn_end(conn->id, &conn->addr, reason);
	vsockdev_conn_disarm(conn);
	vsockdev_conn_vmo_end(conn, error ?: ECONNRESET);
	vsockdev_sched_drop_data(conn);
	vsockdev_sched_unblock(conn);
	vsockdev_sched_forget(conn);
	if (send_rst)
		vsockdev_sched_control(conn, VSOCKDEV_SEND_RST_PACKET);
	vsockdev_conn_wake(conn);
}

/**
 * vsockdev_conn_end() - a connection is over and the owner learns why
 * @conn: not DEAD
 * @send_rst: tell the host, too
 * @reason: enum vsockdev_rst_reason
 * @error: detail, a positive errno or 0
 *
 * A REQUEST that nobody has read yet vanishes instead.
 */
void vsockdev_conn_end(struct vsockdev_conn *conn, bool send_rst, u32 reason,
		       int error)
{
	struct vsockdev_event_slot *open, *rst;

	open = &conn->events[VSOCKDEV_CONN_EVENT_OPEN];
	rst = &conn->events[VSOCKDEV_CONN_EVENT_RST];
	if (conn->state == VSOCKDEV_CONN_PENDING &&
	    vsockdev_event_pending(open) && !open->seen) {
		vsockdev_conn_end_silently(conn, send_rst, error);
		return;
	}
	conn_die(conn, send_rst, reason, error);
	rst->record.rst.reason = reason;
	rst->record.rst.error = error;
	rst->record.rst.bytes_sent = conn->bytes_sent;
	rst->record.rst.bytes_received = conn->bytes_received;
	vsockdev_event_post(&conn->vd->stream, rst, VSOCKDEV_EVENT_RST);
}

/**
 * vsockdev_conn_fail() - something on this side failed
 * @conn: the connection; nothing happens if it is DEAD
 * @error: negative errno
 */
void vsockdev_conn_fail(struct vsockdev_conn *conn, int error)
{
	if (conn->state != VSOCKDEV_CONN_DEAD)
		vsockdev_conn_end(conn, true, VSOCKDEV_RST_LOCAL_ERROR,
				  -error);
}

/* Tells whether the owner has something to read before it is forgotten */
static bool has_news(const struct vsockdev_conn *conn)
{
	return vsockdev_event_pending(&conn->events[VSOCKDEV_CONN_EVENT_RST]) ||
	       vsockdev_event_pending(&conn->events[VSOCKDEV_CONN_EVENT_VMO]);
}

/**
 * vsockdev_conn_end_silently() - a connection is over, and so are its events
 * @conn: in the table; may be freed by this unless the caller has a reference
 * @send_rst: tell the host
 * @error: of a SEND_VMO that is under way, positive
 *
 * The completion of a SEND_VMO is the only event that remains.
 */
void vsockdev_conn_end_silently(struct vsockdev_conn *conn, bool send_rst,
				int error)
{
	int i;

	if (conn->state != VSOCKDEV_CONN_DEAD)
		conn_die(conn, send_rst, 0, error);
	for (i = 0; i < VSOCKDEV_CONN_EVENTS; i++)
		if (i != VSOCKDEV_CONN_EVENT_VMO)
			vsockdev_event_drop(&conn->events[i]);
	if (!has_news(conn))
		vsockdev_conn_forget(conn);
}

/**
 * vsockdev_conn_event_consumed() - an event of a connection was read
 * @stream: of the device
 * @slot: of the event
 */
void vsockdev_conn_event_consumed(struct vsockdev_stream *stream,
				  struct vsockdev_event_slot *slot)
{
	struct vsockdev_conn *conn;

	if (slot->record.type == VSOCKDEV_EVENT_RST)
		conn = container_of(slot, struct vsockdev_conn,
				    events[VSOCKDEV_CONN_EVENT_RST]);
	else if (slot->record.type == VSOCKDEV_EVENT_SEND_VMO_COMPLETE)
		conn = container_of(slot, struct vsockdev_conn,
				    events[VSOCKDEV_CONN_EVENT_VMO]);
	else
		return;
	if (conn->state == VSOCKDEV_CONN_DEAD && !has_news(conn))
		vsockdev_conn_forget(conn);
}
