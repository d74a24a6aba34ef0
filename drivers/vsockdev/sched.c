// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - what is sent next
 *
 * DOC: Nothing waits in the TX queue for long, and nothing is decided there.
 * Ahead of it are three lists, served in this order whenever there is room:
 *
 * - replies: RSTs to addresses that are no connection. They are bounded, and
 *   when they are full the RX queue is not read any further, so a host that
 *   provokes them without taking them stops itself.
 * - control: connections with control packets to send. A packet is a bit in
 *   the connection until it goes out, and its header is written then, so it
 *   cannot be lost, takes no memory, and always carries the newest credit.
 * - active: connections with data. Each may send a quantum of bytes and then
 *   goes to the end of the list (deficit round robin). Large and small frames
 *   get the same share of bytes that way.
 *
 * What is in the TX queue may stay there for as long as the device likes, so no
 * connection may fill it alone: one that has its share in there is crowded, and
 * leaves the list until the device has returned some of it. The queue is short,
 * and becomes longer for a connection that is alone, if the device would stand
 * still otherwise.
 *
 * A fourth list has the connections that ran out of credit, see ask.c. The
 * first two are in control.c.
 *
 * All functions here are called under the device's lock.
 */
#include <linux/jiffies.h>
#include <linux/preempt.h>

#include "conn.h"
#include "device.h"
#include "ring.h"
#include "workers.h"

#define QUANTUM		65536U
/* How long what was sent may stay in the TX queue */
#define TIDY_DELAY	(HZ / 20)
/* Interrupts until a device that was slow gets another chance */
#define OVERDUE		64

static void own(struct vsockdev_conn *conn, struct vsockdev_frame *frame)
{
	vsockdev_conn_get(conn);
	frame->owner = conn;
	conn->vmo_frames += frame->vmo;
}

/* A frame was sent, or never will be */
static void disown(struct vsockdev_frame *frame)
{
	struct vsockdev_conn *conn = frame->owner;

	if (frame->vmo && !--conn->vmo_frames && !conn->vmo_left)
		vsockdev_conn_vmo_end(conn, 0);
	frame->owner = NULL;
	vsockdev_conn_put(conn);
}

/**
 * vsockdev_sched_activate() - a connection may send what it has staged
 * @conn: the connection
 */
void vsockdev_sched_activate(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	if (!conn->tx_frame_count || conn->tx_crowded ||
	    !list_empty(&conn->tx_node))
		return;
	conn->tx_deficit = 0;
	list_add_tail(&conn->tx_node, &conn->vd->sched.active);
}

/* Cost of what is in the TX queue that a single connection leaves for others */
static u32 left_for_others(u32 limit)
{
	return limit / 3;
}

/*
 * Returns true if a connection has its share of the TX queue. One that has
 * nothing there has not, also when the queue is gone and its limit is 0.
 */
static bool has_share(const struct vsockdev_conn *conn)
{
	u32 limit = conn->vd->ring.tx_limit;

	return conn->tx_ring_bytes &&
	       conn->tx_ring_bytes >= limit - left_for_others(limit);
}

static bool is_crowded(struct vsockdev_conn *conn)
{
	if (!has_share(conn))
		return false;
	conn->tx_crowded = true;
	conn->vd->sched.crowded++;
	list_del_init(&conn->tx_node);
	return true;
}

static void uncrowd(struct vsockdev_conn *conn)
{
	if (!conn->tx_crowded || has_share(conn))
		return;
	conn->tx_crowded = false;
	conn->vd->sched.crowded--;
	vsockdev_sched_activate(conn);
}

/**
 * vsockdev_sched_stage() - let a connection send a data frame
 * @conn: ESTABLISHED
 * @frame: at least one byte, for which there is credit
 */
void vsockdev_sched_stage(struct vsockdev_conn *conn,
			  struct vsockdev_frame *frame)
{
	lockdep_assert_held(&conn->vd->lock);

	own(conn, frame);
	list_add_tail(&frame->node, &conn->tx_frames);
	conn->tx_frame_count++;
	conn->tx_staged += frame->len;
	vsockdev_sched_activate(conn);
}

/**
 * vsockdev_sched_cork() - let small writes pile up
 * @conn: has packets in the TX queue
 *
 * The pump is woken when they were sent.
 */
void vsockdev_sched_cork(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	if (conn->tx_corked)
		return;
	WRITE_ONCE(conn->tx_corked, true);
	conn->vd->sched.corked++;
}

static void uncork(struct vsockdev_conn *conn)
{
	if (!conn->tx_corked)
		return;
	WRITE_ONCE(conn->tx_corked, false);
	conn->vd->sched.corked--;
	vsockdev_conn_wake(conn);
}

/**
 * vsockdev_sched_cut() - tells what to cut off the first frame
 * @conn: the connection
 *
 * That is what the peer has room for, and half of the frame at most, so that a
 * peer that does this again before the part was sent gets no more than a few of
 * them.
 *
 * Return: bytes, 0 if the frame can be sent whole, or not at all.
 */
u32 vsockdev_sched_cut(struct vsockdev_conn *conn)
{
	u32 space = vsockdev_credit_tx_space(&conn->credit);
	struct vsockdev_frame *frame;

	lockdep_assert_held(&conn->vd->lock);

	frame = list_first_entry_or_null(&conn->tx_frames,
					 struct vsockdev_frame, node);
	if (!frame || frame->len <= space)
		return 0;
	return min(space, frame->len / 2);
}

/**
 * vsockdev_sched_split() - cut the first frame to what the peer has room for
 * @conn: the connection
 * @head: an empty frame, for the part that can be sent now
 *
 * Return: false if that is not needed, or not possible, any more: @head is
 * still the caller's then.
 */
bool vsockdev_sched_split(struct vsockdev_conn *conn,
			  struct vsockdev_frame *head)
{
	struct vsockdev_frame *frame;

	head->len = min(vsockdev_sched_cut(conn), head->room);
	if (!head->len) {
		vsockdev_sched_unblock(conn);
		return false;
	}
	frame = list_first_entry(&conn->tx_frames, struct vsockdev_frame, node);
	vsockdev_frame_split(frame, head);
	head->vmo = frame->vmo;
	own(conn, head);
	list_add(&head->node, &conn->tx_frames);
	conn->tx_frame_count++;
	vsockdev_sched_activate(conn);
	return true;
}

static void unstage(struct vsockdev_conn *conn, struct vsockdev_frame *frame)
{
	list_del(&frame->node);
	conn->tx_frame_count--;
	conn->tx_staged -= frame->len;
	if (!conn->tx_frame_count)
		list_del_init(&conn->tx_node);
}

/**
 * vsockdev_sched_drop_data() - drop the frames that a connection has staged
 * @conn: the connection
 */
void vsockdev_sched_drop_data(struct vsockdev_conn *conn)
{
	struct vsockdev_frame *frame, *next;

	lockdep_assert_held(&conn->vd->lock);

	list_for_each_entry_safe(frame, next, &conn->tx_frames, node) {
		unstage(conn, frame);
		disown(frame);
		vsockdev_frame_free(frame);
	}
}

/**
 * vsockdev_sched_returned() - the device returned frames
 * @vd: the device
 * @frames: the caller frees them
 *
 * A SEND_VMO is complete when the device has returned all of it.
 */
void vsockdev_sched_returned(struct vsockdev *vd, struct list_head *frames)
{
	struct vsockdev_frame *frame;

	lockdep_assert_held(&vd->lock);

	list_for_each_entry(frame, frames, node) {
		struct vsockdev_conn *conn = frame->owner;

		vd->sched.moving = true;
		conn->tx_ring_bytes -= vsockdev_frame_cost(frame);
		if (!--conn->tx_in_ring)
			uncork(conn);
		uncrowd(conn);
		disown(frame);
	}
}

/**
 * vsockdev_sched_reclaim() - take back what the device has sent
 * @vd: the device, which is ready
 *
 * If an interrupt is to come, it is left to that: one that finds nothing to do
 * is an error to the kernel.
 */
void vsockdev_sched_reclaim(struct vsockdev *vd)
{
	LIST_HEAD(done);

	lockdep_assert_held(&vd->lock);

	if (vd->ring.tx_armed != VSOCKDEV_TX_QUIET)
		return;
	vsockdev_ring_tx_reclaim(&vd->ring, &done);
	if (vd->sched.full && !list_empty(&done))
		vsockdev_ring_tx_adapt(&vd->ring);
	vsockdev_sched_returned(vd, &done);
	list_splice_tail(&done, &vd->sched.done);
}

static void frame_sent(struct vsockdev_conn *conn)
{
	if (conn->tx_waiting) {
		conn->tx_waiting = false;
		vsockdev_conn_wake_to_send(conn);
	}
	if (!conn->tx_frame_count)
		vsockdev_conn_settle(conn);
}

/*
 * The TX queue is long for one connection only. With several it is more
 * important who is next; there is room for those that come later.
 */
static void note_sender(struct vsockdev_conn *conn)
{
	struct vsockdev_ring *ring = &conn->vd->ring;
	u32 least = VSOCKDEV_TX_BYTES_MIN;

	if (conn->vd->sched.sender == conn->id)
		return;
	conn->vd->sched.sender = conn->id;
	least = max(least, ring->tx_bytes + left_for_others(least));
	ring->tx_limit = min(ring->tx_limit, least);
}

/*
 * The peer took back room that it had promised. The pump makes a frame of
 * what is left of it, as that may be all there will ever be.
 */
static void window_shrank(struct vsockdev_conn *conn)
{
	list_del_init(&conn->tx_node);
	if (vsockdev_credit_tx_space(&conn->credit)) {
		conn->tx_split = true;
		vsockdev_conn_wake(conn);
	} else {
		vsockdev_sched_block(conn);
	}
}

/* A data frame is in the TX queue, and its connection has paid for it */
static void data_sent(struct vsockdev_conn *conn, struct vsockdev_frame *frame)
{
	struct vsockdev *vd = conn->vd;
	u32 len = frame->len;

	unstage(conn, frame);
	conn->tx_in_ring++;
	conn->tx_ring_bytes += vsockdev_frame_cost(frame);
	if (frame->vmo)
		conn->vmo_bytes += len;
	conn->tx_deficit -= len;
	conn->bytes_sent += len;
	vsockdev_credit_tx(&conn->credit, len);
	conn->tx_small_pass = false;
	vd->sched.passed_over = false;
	note_sender(conn);
	/* It carried the news of our credit */
	if (!conn->control)
		vsockdev_sched_forget(conn);
	frame_sent(conn);
}

/* What became of a turn to send data */
enum turn {
	TURN_IDLE,	/* nobody has data, or there is no room for it */
	TURN_PASSED,	/* whose turn it was did not send, another may */
	TURN_SENT,
};

static enum turn run_data(struct vsockdev *vd)
{
	bool its_turn = vd->sched.passed_over;
	struct vsockdev_frame *frame;
	struct vsockdev_conn *conn;

	conn = list_first_entry_or_null(&vd->sched.active,
					struct vsockdev_conn, tx_node);
	if (!conn || !vsockdev_ring_tx_data_room(&vd->ring, its_turn))
		return TURN_IDLE;
	if (is_crowded(conn))
		return TURN_PASSED;
	frame = list_first_entry(&conn->tx_frames, struct vsockdev_frame,
				 node);
	if (conn->tx_deficit < frame->len) {
		conn->tx_deficit += QUANTUM;
		list_move_tail(&conn->tx_node, &vd->sched.active);
		return TURN_PASSED;
	}
	if (frame->len > vsockdev_credit_tx_space(&conn->credit)) {
		window_shrank(conn);
		return TURN_PASSED;
	}
	if (!vsockdev_sched_packet(conn, VIRTIO_VSOCK_OP_RW, frame->flags,
				   frame))
		return TURN_IDLE;
	data_sent(conn, frame);
	return TURN_SENT;
}

/* Credit can come early or late, but nothing goes ahead of a RESPONSE */
static bool may_overtake(struct vsockdev *vd)
{
	struct vsockdev_conn *conn;

	conn = list_first_entry_or_null(&vd->sched.active,
					struct vsockdev_conn, tx_node);
	return conn && !(conn->control & ~(VSOCKDEV_SEND_CREDIT_REQUEST |
					   VSOCKDEV_SEND_CREDIT_UPDATE));
}

/*
 * When the queue is full, a host that asks for credit whenever it has taken a
 * packet would keep data back for good: they take turns, also with the entries
 * that only control packets may use otherwise.
 */
static bool catch_up(struct vsockdev *vd)
{
	enum turn turn = TURN_PASSED;

	while (turn == TURN_PASSED && vd->sched.passed_over && may_overtake(vd))
		turn = run_data(vd);
	return turn == TURN_SENT;
}

/* Sends what there is, in the order of its importance, as long as it fits */
static bool fill(struct vsockdev *vd)
{
	bool sent = catch_up(vd);
	enum turn turn;

	/* Sending data can make a control packet due, so go round */
	do {
		if (vsockdev_sched_run_control(vd)) {
			vd->sched.passed_over = !list_empty(&vd->sched.active);
			sent = true;
		}
		turn = TURN_IDLE;
		while (list_empty(&vd->sched.control)) {
			turn = run_data(vd);
			if (turn == TURN_IDLE)
				break;
			sent |= turn == TURN_SENT;
		}
	} while (turn != TURN_IDLE);
	return sent;
}

/*
 * When somebody wants to know that packets were sent. Whoever waits for its
 * last packet, or for room, must not wait for what others sent after it. One
 * that has its share in the queue had better put several packets there when it
 * goes on; but the device may keep some for long, and return only few. What was
 * sent need not be noticed before something else is, but memory of others
 * should go back some time.
 */
static enum vsockdev_tx_armed wanted(struct vsockdev *vd)
{
	const struct vsockdev_sched *sched = &vd->sched;

	/* What waits for room is left over by fill() */
	if (sched->corked || vd->ring.tx_awaited || sched->reply_count ||
	    sched->overdue ||
	    !list_empty(&sched->control) || !list_empty(&sched->active))
		return VSOCKDEV_TX_NEXT;
	return sched->crowded ? VSOCKDEV_TX_SOON : VSOCKDEV_TX_QUIET;
}

/**
 * vsockdev_sched_interrupted() - the device has told that packets were sent
 * @vd: the device
 */
void vsockdev_sched_interrupted(struct vsockdev *vd)
{
	lockdep_assert_held(&vd->lock);

	if (vd->ready)
		vsockdev_ring_tx_disarm(&vd->ring);
	if (vd->sched.overdue)
		vd->sched.overdue--;
}

static void tidy_up(struct work_struct *work)
{
	struct vsockdev *vd = container_of(to_delayed_work(work),
					   struct vsockdev, sched.tidy_work);

	spin_lock(&vd->lock);
	if (!vd->sched.moving)
		vd->sched.overdue = OVERDUE;
	vd->sched.moving = false;
	vsockdev_sched_unlock(vd);
}

/* Returns false if it is too late for that interrupt */
static bool arm(struct vsockdev *vd)
{
	enum vsockdev_tx_armed when = wanted(vd);
	bool busy = vsockdev_ring_tx_busy(&vd->ring);
	bool waiting = when == VSOCKDEV_TX_NEXT;

	/* With nothing there and yet something left, memory was short */
	if (busy != waiting && !delayed_work_pending(&vd->sched.tidy_work))
		queue_delayed_work(vsockdev_wq, &vd->sched.tidy_work,
				   TIDY_DELAY);
	if (!busy) {
		vd->sched.overdue = 0;
		return true;
	}
	return when <= vd->ring.tx_armed ||
	       vsockdev_ring_tx_arm(&vd->ring, when);
}

/* Fills the TX queue. Returns true if the device must be notified */
static bool run(struct vsockdev *vd)
{
	bool sent;

	lockdep_assert_held(&vd->lock);

	if (!vd->ready)
		return false;
	vsockdev_sched_reclaim(vd);
	sent = fill(vd);
	vd->sched.full = vd->sched.crowded || !list_empty(&vd->sched.active);
	/* The device goes on meanwhile, and may go on to: let others run */
	if (!arm(vd) || (vsockdev_ring_broken(&vd->ring) && !vd->gone))
		queue_work(vsockdev_high_wq, &vd->tx_work);
	return sent && virtqueue_kick_prepare(vd->ring.vqs[VSOCKDEV_VQ_TX]);
}

/**
 * vsockdev_sched_unlock() - fill the TX queue, unlock, notify the device
 * @vd: the device, locked
 *
 * A notification can take long, so it is made without the lock. Whoever frees
 * the queues waits for an RCU grace period after marking them as not ready. A
 * program that owes one must not lose the processor in between: nobody else
 * makes it, and it is for the packets of others, too.
 */
void vsockdev_sched_unlock(struct vsockdev *vd)
	__releases(&vd->lock)
{
	LIST_HEAD(done);
	bool notify;

	rcu_read_lock();
	notify = run(vd);
	list_splice_init(&vd->sched.done, &done);
	preempt_disable();
	spin_unlock(&vd->lock);
	if (notify)
		virtqueue_notify(vd->ring.vqs[VSOCKDEV_VQ_TX]);
	preempt_enable();
	rcu_read_unlock();
	vsockdev_frames_free(&done);
}

/**
 * vsockdev_sched_init() - nothing waits
 * @vd: the device
 */
void vsockdev_sched_init(struct vsockdev *vd)
{
	INIT_LIST_HEAD(&vd->sched.control);
	INIT_LIST_HEAD(&vd->sched.active);
	INIT_LIST_HEAD(&vd->sched.done);
	INIT_DELAYED_WORK(&vd->sched.tidy_work, tidy_up);
	vsockdev_sched_init_asking(vd);
}
