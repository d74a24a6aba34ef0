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
 * program's end of the socket, and are charged to it.
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
#include "deliver.h"
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

static void late_wake(struct work_struct *work)
{
	struct vsockdev_conn *conn = container_of(to_delayed_work(work),
						  struct vsockdev_conn,
						  late_wake);

	vsockdev_conn_wake(conn);
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
	mutex_init(&conn->io_mutex);
	conn->place = -1;
	conn->addr = *addr;
	conn->type = type;
	INIT_LIST_HEAD(&conn->control_node);
	INIT_LIST_HEAD(&conn->tx_frames);
	INIT_LIST_HEAD(&conn->tx_node);
	INIT_LIST_HEAD(&conn->blocked_node);
	INIT_LIST_HEAD(&conn->rx_chunks);
	INIT_DELAYED_WORK(&conn->timer, conn_timer);
	INIT_DELAYED_WORK(&conn->late_wake, late_wake);
	for (i = 0; i < VSOCKDEV_CONN_EVENTS; i++) {
		vsockdev_event_init(&conn->events[i]);
		conn->events[i].record.addr = *addr;
	}
	return conn;
}

static void conn_free(struct vsockdev_conn *conn)
{
	struct vsockdev *vd = conn->vd;

	WARN_ON_ONCE(conn->sock);
	WARN_ON_ONCE(conn->blob);
	WARN_ON_ONCE(!list_empty(&conn->tx_frames));
	vsockdev_deliver_free(conn);
	mem_cgroup_put(conn->memcg);
	/*
	 * Callbacks of a socket find it under RCU. Without one there are none, and
	 * REQUESTs that come and go must not pile up until a grace period ends.
	 */
	if (conn->place >= 0) {
		vsockdev_worker_put(conn->place);
		kfree_rcu(conn, rcu);
	} else {
		kfree(conn);
	}
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
 * Return: one with an unread RST event, no reference taken, or NULL.
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
		    vsockdev_event_pending(&conn->events
					   [VSOCKDEV_CONN_EVENT_RST]) &&
		    (!id || conn->id == id))
			return conn;
	return NULL;
}

/**
 * vsockdev_conn_forget() - take a connection out of the table
 * @conn: DEAD; what is unread of it is dropped, and it may be freed by this
 */
void vsockdev_conn_forget(struct vsockdev_conn *conn)
{
	int i;

	lockdep_assert_held(&conn->vd->lock);

	for (i = 0; i < VSOCKDEV_CONN_EVENTS; i++)
		vsockdev_event_drop(&conn->events[i]);
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

static void wake(struct vsockdev_conn *conn, bool hurried)
{
	int place = READ_ONCE(conn->place);

	if (place < 0)
		return;
	vsockdev_conn_get(conn);
	if (!queue_work(vsockdev_worker_wq(place, hurried), &conn->work))
		vsockdev_conn_put(conn);
}

/**
 * vsockdev_conn_wake() - let the pump look at the connection
 * @conn: the connection
 *
 * Context: any, with or without the lock.
 */
void vsockdev_conn_wake(struct vsockdev_conn *conn)
{
	wake(conn, false);
}

/**
 * vsockdev_conn_wake_to_send() - let the pump stage the next frame
 * @conn: one of its frames was sent
 *
 * Among many that send, the pump must not wait for the end of the time slice of
 * another one's writer: it would miss its turn, and that writer take it. But it
 * runs ahead of programs only for what programs have written, at a priority of
 * their own; not for a file, nor for what the network brings.
 */
void vsockdev_conn_wake_to_send(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	wake(conn, conn->tx_written && !conn->vmo_left);
}

/**
 * vsockdev_conn_wake_late() - let the pump look at the connection in a moment
 * @conn: ESTABLISHED
 */
void vsockdev_conn_wake_late(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	if (delayed_work_pending(&conn->late_wake))
		return;
	vsockdev_conn_get(conn);
	if (!queue_delayed_work(vsockdev_wq, &conn->late_wake, 1))
		vsockdev_conn_put(conn);
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
 * vsockdev_conn_disarm() - stop the timer, and what was to happen in a moment
 * @conn: the connection
 *
 * When it is DEAD, nothing of this is left that could outlast the module.
 */
void vsockdev_conn_disarm(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	if (cancel_delayed_work(&conn->timer))
		vsockdev_conn_put(conn);
	if (cancel_delayed_work(&conn->late_wake))
		vsockdev_conn_put(conn);
}
