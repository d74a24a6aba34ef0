// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - connections
 *
 * DOC: A connection is born PENDING by a REQUEST of the host or CONNECTING by
 * SEND_REQUEST, may become ESTABLISHED, and is DEAD in the end. DEAD is final
 * for the transport: the address is free for the host, nothing is received
 * any more and nothing sent but perhaps the RST. The object lives on as long
 * as somebody needs it: the pump, to hand over what was received; the TX
 * queue, to send the RST; the table, until the owner has read the RST event.
 * Those of the latter two kinds count against the connection limit, so that
 * neither a host that does not empty its queue nor an owner that does not
 * read can pile them up. Those of the first kind last no longer than the
 * program's descriptor, and are charged to it.
 *
 * All functions here are called under the device's lock unless they say
 * otherwise. Those that give the TX queue something to do leave it to the
 * caller to end with vsockdev_sched_unlock().
 */
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/slab.h>

#include "conn.h"
#include "device.h"
#include "workers.h"

#include <trace/vsockdev.h>

static u32 addr_hash(const struct vsockdev *vd,
		     const struct vsockdev_addr *addr)
{
	return jhash_3words(addr->local_port, addr->remote_cid,
			    addr->remote_port, vd->hash_seed);
}

static bool addr_equal(const struct vsockdev_addr *a,
		       const struct vsockdev_addr *b)
{
	return a->local_port == b->local_port &&
	       a->remote_cid == b->remote_cid &&
	       a->remote_port == b->remote_port;
}

static void conn_timer(struct work_struct *work)
{
	struct vsockdev_conn *conn = container_of(to_delayed_work(work),
						  struct vsockdev_conn, timer);
	struct vsockdev *vd = conn->vd;

	spin_lock(&vd->lock);
	if (time_before(jiffies, conn->deadline))
		; /* armed again while this one was on its way */
	else if (conn->state == VSOCKDEV_CONN_CONNECTING ||
		 (conn->state == VSOCKDEV_CONN_ESTABLISHED && conn->closing)) {
		vd->stats.timeouts++;
		vsockdev_conn_end(conn, true, VSOCKDEV_RST_TIMED_OUT,
				  ETIMEDOUT);
	} else if (conn->lingering) {
		conn->linger_due = true;
		vsockdev_conn_wake(conn);
	}
	vsockdev_sched_unlock(vd);
	vsockdev_conn_put(conn);
}

/**
 * vsockdev_conn_alloc() - make a connection that nobody knows of yet
 * @vd: the device
 * @addr: its address
 * @type: VSOCKDEV_TYPE_*
 * @gfp: how to allocate
 * @pump: moves its bytes
 *
 * Context: any that @gfp allows; without the lock.
 * Return: the connection with one reference, or NULL.
 */
struct vsockdev_conn *vsockdev_conn_alloc(struct vsockdev *vd,
					  const struct vsockdev_addr *addr,
					  u16 type, gfp_t gfp,
					  work_func_t pump)
{
	struct vsockdev_conn *conn = kzalloc(sizeof(*conn), gfp);
	int i;

	if (!conn)
		return NULL;
	get_device(&vd->dev);
	conn->vd = vd;
	refcount_set(&conn->refs, 1);
	INIT_WORK(&conn->work, pump);
	conn->place = -1;
	conn->addr = *addr;
	conn->type = type;
	INIT_LIST_HEAD(&conn->control_node);
	INIT_LIST_HEAD(&conn->tx_frames);
	INIT_LIST_HEAD(&conn->tx_node);
	INIT_LIST_HEAD(&conn->blocked_node);
	INIT_LIST_HEAD(&conn->rx_chunks);
	INIT_DELAYED_WORK(&conn->timer, conn_timer);
	for (i = 0; i < VSOCKDEV_CONN_EVENTS; i++) {
		vsockdev_event_init(&conn->events[i]);
		conn->events[i].record.addr = *addr;
	}
	return conn;
}

static void conn_free(struct vsockdev_conn *conn)
{
	struct vsockdev *vd = conn->vd;
	struct vsockdev_chunk *chunk, *next;

	WARN_ON_ONCE(conn->sock);
	WARN_ON_ONCE(!list_empty(&conn->tx_frames));
	list_for_each_entry_safe(chunk, next, &conn->rx_chunks, node)
		kfree(chunk);
	mem_cgroup_put(conn->memcg);
	if (conn->place >= 0)
		vsockdev_worker_put(conn->place);
	kfree_rcu(conn, rcu);
	put_device(&vd->dev);
}

/**
 * vsockdev_conn_get() - take a reference
 * @conn: to which the caller has one already, or the lock
 */
void vsockdev_conn_get(struct vsockdev_conn *conn)
{
	refcount_inc(&conn->refs);
}

/**
 * vsockdev_conn_tryget() - take a reference if the connection still lives
 * @conn: found under rcu_read_lock()
 *
 * Return: false if it is being freed.
 */
bool vsockdev_conn_tryget(struct vsockdev_conn *conn)
{
	return refcount_inc_not_zero(&conn->refs);
}

/**
 * vsockdev_conn_put() - give a reference back
 * @conn: the connection
 *
 * Context: any, with or without the lock. Whoever holds the lock has a
 * reference to the device by other means.
 */
void vsockdev_conn_put(struct vsockdev_conn *conn)
{
	if (refcount_dec_and_test(&conn->refs))
		conn_free(conn);
}

/**
 * vsockdev_conn_publish() - enter a connection in the table
 * @conn: from vsockdev_conn_alloc(); the reference becomes the table's
 * @state: %VSOCKDEV_CONN_PENDING or %VSOCKDEV_CONN_CONNECTING
 * @buf_alloc: our window
 */
void vsockdev_conn_publish(struct vsockdev_conn *conn,
			   enum vsockdev_conn_state state, u32 buf_alloc)
{
	struct vsockdev *vd = conn->vd;
	int i;

	lockdep_assert_held(&vd->lock);

	conn->id = ++vd->last_id;
	conn->counted = true;
	vd->conns++;
	for (i = 0; i < VSOCKDEV_CONN_EVENTS; i++)
		conn->events[i].record.conn_id = conn->id;
	conn->state = state;
	if (state == VSOCKDEV_CONN_PENDING)
		vd->backlog++;
	vsockdev_credit_init(&conn->credit, buf_alloc);
	hash_add(vd->table, &conn->node, addr_hash(vd, &conn->addr));
	trace_vsockdev_conn_new(conn->id, &conn->addr, 0);
}

/**
 * vsockdev_conn_find() - find the connection at an address
 * @vd: the device
 * @addr: the address
 *
 * Return: the one that is not DEAD, no reference taken, or NULL.
 */
struct vsockdev_conn *vsockdev_conn_find(struct vsockdev *vd,
					 const struct vsockdev_addr *addr)
{
	struct vsockdev_conn *conn;

	lockdep_assert_held(&vd->lock);

	hash_for_each_possible(vd->table, conn, node, addr_hash(vd, addr))
		if (addr_equal(&conn->addr, addr) &&
		    conn->state != VSOCKDEV_CONN_DEAD)
			return conn;
	return NULL;
}

/**
 * vsockdev_conn_find_dead() - find a connection whose end is unread
 * @vd: the device
 * @addr: its address
 * @id: its id, or 0 for any
 *
 * Return: a DEAD one, no reference taken, or NULL.
 */
struct vsockdev_conn *vsockdev_conn_find_dead(struct vsockdev *vd,
					      const struct vsockdev_addr *addr,
					      u64 id)
{
	struct vsockdev_conn *conn;

	lockdep_assert_held(&vd->lock);

	hash_for_each_possible(vd->table, conn, node, addr_hash(vd, addr))
		if (addr_equal(&conn->addr, addr) &&
		    conn->state == VSOCKDEV_CONN_DEAD &&
		    (!id || conn->id == id))
			return conn;
	return NULL;
}

/**
 * vsockdev_conn_forget() - take a connection out of the table
 * @conn: DEAD; may be freed by this
 */
void vsockdev_conn_forget(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	hash_del(&conn->node);
	vsockdev_conn_uncount(conn);
	vsockdev_conn_put(conn);
}

/**
 * vsockdev_conn_uncount() - it may not count against the limit any more
 * @conn: has left the table, or the list of control packets
 */
void vsockdev_conn_uncount(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	if (!conn->counted || !hlist_unhashed(&conn->node) ||
	    !list_empty(&conn->control_node))
		return;
	conn->counted = false;
	conn->vd->conns--;
}

/**
 * vsockdev_conn_make_room() - take what a connection with a socket needs
 * @conn: has no socket yet
 *
 * Context: may sleep; without the lock.
 * Return: 0, -ENOMEM or -ENOBUFS. What was taken goes with the connection.
 */
int vsockdev_conn_make_room(struct vsockdev_conn *conn)
{
	int place = vsockdev_worker_get();

	if (place < 0)
		return place;
	/* Two threads may be about to answer the same REQUEST */
	if (cmpxchg(&conn->place, -1, place) != -1)
		vsockdev_worker_put(place);
	return 0;
}

/**
 * vsockdev_conn_wake() - let the pump look at the connection
 * @conn: the connection
 *
 * Context: any, with or without the lock.
 */
void vsockdev_conn_wake(struct vsockdev_conn *conn)
{
	int place = READ_ONCE(conn->place);

	if (place < 0)
		return;
	vsockdev_conn_get(conn);
	if (!queue_work(vsockdev_worker_wq(place), &conn->work))
		vsockdev_conn_put(conn);
}

/**
 * vsockdev_conn_open() - let data flow
 * @conn: PENDING or CONNECTING
 */
void vsockdev_conn_open(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	if (conn->state == VSOCKDEV_CONN_PENDING)
		conn->vd->backlog--;
	vsockdev_conn_disarm(conn);
	conn->state = VSOCKDEV_CONN_ESTABLISHED;
	trace_vsockdev_conn_open(conn->id, &conn->addr, 0);
	vsockdev_conn_wake(conn);
}

/**
 * vsockdev_conn_arm() - start the timer, or start it again
 * @conn: the connection
 * @timeout: jiffies; 0 for never
 */
void vsockdev_conn_arm(struct vsockdev_conn *conn, unsigned long timeout)
{
	lockdep_assert_held(&conn->vd->lock);

	if (!timeout)
		return;
	conn->deadline = jiffies + timeout;
	vsockdev_conn_get(conn);
	if (mod_delayed_work(vsockdev_wq, &conn->timer, timeout))
		vsockdev_conn_put(conn);
}

/**
 * vsockdev_conn_disarm() - stop the timer
 * @conn: the connection
 */
void vsockdev_conn_disarm(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	if (cancel_delayed_work(&conn->timer))
		vsockdev_conn_put(conn);
}

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
 * vsockdev_conn_request_event() - report a REQUEST of the host
 * @conn: PENDING
 */
void vsockdev_conn_request_event(struct vsockdev_conn *conn)
{
	struct vsockdev_event_slot *slot;

	slot = &conn->events[VSOCKDEV_CONN_EVENT_OPEN];
	slot->record.request.socket_type = conn->type;
	vsockdev_event_post(&conn->vd->stream, slot, VSOCKDEV_EVENT_REQUEST);
}

static void conn_die(struct vsockdev_conn *conn, bool send_rst, u32 reason)
{
	struct vsockdev *vd = conn->vd;

	lockdep_assert_held(&vd->lock);

	if (conn->state == VSOCKDEV_CONN_PENDING)
		vd->backlog--;
	conn->state = VSOCKDEV_CONN_DEAD;
	trace_vsockdev_conn_end(conn->id, &conn->addr, reason);
	vsockdev_conn_disarm(conn);
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
		vsockdev_conn_end_silently(conn, send_rst);
		return;
	}
	conn_die(conn, send_rst, reason);
	rst->record.rst.reason = reason;
	rst->record.rst.error = error;
	rst->record.rst.bytes_sent = conn->bytes_sent;
	rst->record.rst.bytes_received = conn->bytes_received;
	vsockdev_event_post(&conn->vd->stream, rst, VSOCKDEV_EVENT_RST);
}

/**
 * vsockdev_conn_end_silently() - a connection is over, and so are its events
 * @conn: in the table; may be freed by this unless the caller has a reference
 * @send_rst: tell the host
 */
void vsockdev_conn_end_silently(struct vsockdev_conn *conn, bool send_rst)
{
	int i;

	if (conn->state != VSOCKDEV_CONN_DEAD)
		conn_die(conn, send_rst, 0);
	for (i = 0; i < VSOCKDEV_CONN_EVENTS; i++)
		vsockdev_event_drop(&conn->events[i]);
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
	if (slot->record.type != VSOCKDEV_EVENT_RST)
		return;
	vsockdev_conn_forget(container_of(slot, struct vsockdev_conn,
					  events[VSOCKDEV_CONN_EVENT_RST]));
}
