// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - bytes between a socket and a connection
 *
 * DOC: Each connection has one work item, the pump. Whatever may concern the
 * socket (the program wrote, read or closed; bytes came from the host; there
 * is credit again; the connection died) merely wakes it, and it looks at
 * everything: it is the only one that touches the socket, so no locking is
 * needed there, and if a program holds the socket's lock for ever, nobody but
 * this connection waits.
 *
 * Guest to host: bytes go from the socket into frames, which are staged with
 * the scheduler, two at a time: one to send and one to follow. As long as
 * these wait, small writes pile up in the socket and become one large packet.
 *
 * Host to guest: bytes go into chunks, and the pump moves them into the
 * socket. fwd_cnt advances when they are in there. Small packets share a
 * chunk, so that a byte costs about a byte however the host slices them.
 */
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "blob.h"
#include "conn.h"
#include "device.h"
#include "frame.h"
#include "pump.h"
#include "sock.h"

#define STAGED_FRAMES	2
/* Frames and chunks that the pump moves before it lets others run */
#define BATCH		64

/*
 * Packets up to this size share chunks, which costs a copy under the lock.
 * Larger ones get a chunk each.
 */
#define CHUNK_SMALL	(SZ_4K - sizeof(struct vsockdev_chunk))

/* How much may be staged now of @pending bytes */
static u32 tx_allowance(struct vsockdev_conn *conn, u64 pending)
{
	u32 space;

	if (conn->state != VSOCKDEV_CONN_ESTABLISHED || conn->tx_stopped)
		return 0;
	if (conn->tx_frame_count >= STAGED_FRAMES) {
		conn->tx_waiting = true;
		return 0;
	}
	space = vsockdev_credit_tx_space(&conn->credit);
	if (space <= conn->tx_staged) {
		/* With frames staged, sending them will ask again */
		if (conn->tx_frame_count)
			conn->tx_waiting = true;
		else
			vsockdev_sched_block(conn);
		return 0;
	}
	space = min(space - conn->tx_staged,
		    vsockdev_credit_tx_packet(&conn->credit));
	space = min_t(u64, space, pending);
	if (vsockdev_credit_tx_should_wait(&conn->credit, space) &&
	    !conn->tx_small_pass) {
		vsockdev_sched_block(conn);
		return 0;
	}
	vsockdev_sched_unblock(conn);
	return space;
}

static void local_error(struct vsockdev_conn *conn, int error)
{
	lockdep_assert_held(&conn->vd->lock);

	if (conn->state != VSOCKDEV_CONN_DEAD)
		vsockdev_conn_end(conn, true, VSOCKDEV_RST_LOCAL_ERROR,
				  -error);
}

/* The peer made its window smaller than the first frame */
static void split_frame(struct vsockdev_conn *conn)
{
	struct vsockdev *vd = conn->vd;
	struct vsockdev_frame *head;
	bool split;
	u32 space;

	spin_lock(&vd->lock);
	split = conn->tx_split;
	conn->tx_split = false;
	space = vsockdev_credit_tx_space(&conn->credit);
	spin_unlock(&vd->lock);
	if (!split)
		return;

	head = vsockdev_frame_alloc(space, GFP_KERNEL_ACCOUNT);
	spin_lock(&vd->lock);
	if (!head)
		local_error(conn, -ENOMEM);
	else if (vsockdev_sched_split(conn, head))
		head = NULL;
	vsockdev_sched_unlock(vd);
	if (head)
		vsockdev_frame_free(head);
}

/*
 * Moves up to @len bytes of a SEND_VMO into the scheduler, unless something
 * has ended it meanwhile.
 */
static bool send_vmo(struct vsockdev_conn *conn, u32 len)
{
	struct vsockdev *vd = conn->vd;
	struct vsockdev_frame *frame;
	bool staged = false;

	frame = vsockdev_blob_read(conn->blob, len,
				   READ_ONCE(vd->ring.tx_runs));
	spin_lock(&vd->lock);
	if (IS_ERR(frame)) {
		vsockdev_conn_vmo_end(conn, -PTR_ERR(frame));
		local_error(conn, PTR_ERR(frame));
		frame = NULL;
	} else if (conn->vmo_active) {
		conn->vmo_left -= frame->len;
		vsockdev_sched_own(conn, frame);
		vsockdev_sched_stage(conn, frame);
		staged = true;
	}
	vsockdev_sched_unlock(vd);
	if (frame && !staged)
		vsockdev_frame_free(frame);
	return staged;
}

/* Moves up to @len bytes from the socket into the scheduler */
static bool send_some(struct vsockdev_conn *conn, u32 len)
{
	struct vsockdev *vd = conn->vd;
	struct vsockdev_frame *frame;

	frame = vsockdev_frame_alloc(len, GFP_KERNEL_ACCOUNT);
	if (frame)
		frame->len = vsockdev_sock_read(conn->sock, frame->data +
						VSOCKDEV_HDR_LEN,
						min(len, frame->room));
	spin_lock(&vd->lock);
	if (!frame) {
		local_error(conn, -ENOMEM);
	} else if (frame->len && !conn->tx_stopped &&
		   conn->state == VSOCKDEV_CONN_ESTABLISHED) {
		vsockdev_sched_stage(conn, frame);
		len = frame->len;
		frame = NULL;
	} else {
		len = 0;
	}
	vsockdev_sched_unlock(vd);
	if (frame)
		vsockdev_frame_free(frame);
	return len;
}

/**
 * struct tx_plan - what to send next
 * @stopped: nothing any more
 * @vmo: of a SEND_VMO, which goes ahead of what the program wrote
 * @len: bytes at most, 0 for nothing now
 * @done: this range is staged, or given up: to be closed
 */
struct tx_plan {
	bool stopped;
	bool vmo;
	u32 len;
	struct vsockdev_blob *done;
};

static struct tx_plan plan_tx(struct vsockdev_conn *conn, size_t pending)
{
	struct vsockdev *vd = conn->vd;
	struct tx_plan plan = {};

	spin_lock(&vd->lock);
	plan.stopped = conn->tx_stopped || conn->state == VSOCKDEV_CONN_DEAD;
	plan.vmo = conn->vmo_left;
	if (!plan.vmo)
		swap(plan.done, conn->blob);
	if (plan.vmo || pending)
		plan.len = tx_allowance(conn, plan.vmo ? conn->vmo_left :
							 pending);
	vsockdev_sched_unlock(vd);
	return plan;
}

/*
 * Program to host. Returns true if there is more to do at once. @pending is
 * what the program wrote and is neither sent nor staged.
 */
static bool transmit(struct vsockdev_conn *conn, size_t *pending)
{
	int budget = BATCH;
	struct tx_plan plan;

	for (;;) {
		*pending = vsockdev_sock_pending(conn->sock);
		plan = plan_tx(conn, *pending);
		if (plan.done)
			vsockdev_blob_close(plan.done);
		if (plan.stopped) {
			vsockdev_sock_discard(conn->sock);
			*pending = 0;
			return vsockdev_sock_pending(conn->sock);
		}
		if (!plan.len)
			return false;
		if (!budget--)
			return true;
		if (!(plan.vmo ? send_vmo(conn, plan.len) :
				 send_some(conn, plan.len))) {
			*pending = vsockdev_sock_pending(conn->sock);
			return false;
		}
	}
}

static void forwarded(struct vsockdev_conn *conn, u32 len)
{
	vsockdev_credit_forwarded(&conn->credit, len);
	if (conn->state == VSOCKDEV_CONN_ESTABLISHED &&
	    vsockdev_credit_update_due(&conn->credit))
		vsockdev_sched_control(conn, VSOCKDEV_SEND_CREDIT_UPDATE);
}

static void drop_chunk(struct vsockdev_conn *conn,
		       struct vsockdev_chunk *chunk)
{
	list_del(&chunk->node);
	kfree(chunk);
}

/* The program takes no more: forget what it did not get, keep the peer going */
static void discard_chunks(struct vsockdev_conn *conn)
{
	struct vsockdev_chunk *chunk, *next;

	lockdep_assert_held(&conn->vd->lock);

	list_for_each_entry_safe(chunk, next, &conn->rx_chunks, node) {
		u32 len = chunk->tail - chunk->head;

		conn->vd->stats.rx_discarded += len;
		forwarded(conn, len);
		drop_chunk(conn, chunk);
	}
}

static struct vsockdev_chunk *first_chunk(struct vsockdev_conn *conn,
					  u32 *len)
{
	struct vsockdev_chunk *chunk;

	chunk = list_first_entry_or_null(&conn->rx_chunks,
					 struct vsockdev_chunk, node);
	if (chunk)
		*len = chunk->tail - chunk->head;
	return chunk;
}

/* Host to program. Returns true if there is more to do at once */
static bool deliver(struct vsockdev_conn *conn)
{
	struct vsockdev *vd = conn->vd;
	struct vsockdev_chunk *chunk;
	int budget = BATCH;
	ssize_t ret;
	u32 len;

	spin_lock(&vd->lock);
	chunk = first_chunk(conn, &len);
	spin_unlock(&vd->lock);

	/* Others only ever add to the end, of the chunk and of the list */
	while (chunk) {
		if (!budget--)
			return true;
		ret = vsockdev_sock_write(conn->sock, chunk->data +
					  chunk->head, len);
		if (ret == -EAGAIN)
			return false;
		spin_lock(&vd->lock);
		if (ret < 0) {
			conn->rx_discard = true;
			spin_unlock(&vd->lock);
			return false;
		}
		chunk->head += ret;
		forwarded(conn, ret);
		if (chunk->head == chunk->tail)
			drop_chunk(conn, chunk);
		chunk = first_chunk(conn, &len);
		vsockdev_sched_unlock(vd);
	}
	return false;
}

/* The program closed, or failed, before it had everything */
static bool user_aborted(struct vsockdev_conn *conn, u32 ends)
{
	return (ends & VSOCKDEV_SOCK_FAILED) ||
	       ((ends & VSOCKDEV_SOCK_CLOSED) &&
		!list_empty(&conn->rx_chunks));
}

/* Takes note of what the program did to its end of the socket */
static void note_ends(struct vsockdev_conn *conn, u32 ends, size_t pending)
{
	int error = vsockdev_sock_error(conn->sock);

	lockdep_assert_held(&conn->vd->lock);

	if (user_aborted(conn, ends)) {
		if (error && error != -ECONNRESET && error != -EPIPE)
			local_error(conn, error);
		else
			vsockdev_conn_end(conn, true,
					  VSOCKDEV_RST_LOCAL_CLOSE,
					  ECONNRESET);
		return;
	}
	if (ends & VSOCKDEV_SOCK_CLOSED)
		conn->user_closed = true;
	if (conn->state == VSOCKDEV_CONN_CONNECTING) {
		if (conn->user_closed)
			vsockdev_conn_end(conn, true,
					  VSOCKDEV_RST_LOCAL_CLOSE, 0);
		return;
	}
	if (ends & VSOCKDEV_SOCK_READS_OVER)
		conn->rx_discard = true;
	if ((ends & VSOCKDEV_SOCK_WRITES_OVER) && !pending && !conn->vmo_left)
		conn->tx_ended = true;
}

/* Acts on the ends noted: what is shut, and who has to hurry from now on */
static void act_on_ends(struct vsockdev_conn *conn)
{
	bool over = conn->tx_ended && (conn->rx_discard || conn->rx_ended);

	lockdep_assert_held(&conn->vd->lock);

	if (conn->rx_discard)
		discard_chunks(conn);
	if (conn->state != VSOCKDEV_CONN_ESTABLISHED)
		return;
	if (conn->user_closed ||
	    (over && (conn->rx_discard || vsockdev_sock_is_tcp(conn->sock))))
		vsockdev_conn_close(conn);
	if (conn->rx_discard && !conn->user_closed)
		vsockdev_conn_shutdown(conn, VSOCKDEV_SHUTDOWN_RECEIVE);
	vsockdev_conn_settle(conn);
}

/*
 * The peer's last byte was handed over. Returns true if the program has not
 * been told so yet.
 */
static bool rx_complete(struct vsockdev_conn *conn)
{
	bool complete;

	spin_lock(&conn->vd->lock);
	complete = (conn->shut_received & VSOCKDEV_SHUTDOWN_SEND) &&
		   list_empty(&conn->rx_chunks) && !conn->rx_ended &&
		   !conn->aborted;
	spin_unlock(&conn->vd->lock);
	return complete;
}

static void end_of_file(struct vsockdev_conn *conn)
{
	vsockdev_sock_end_writes(conn->sock);
	spin_lock(&conn->vd->lock);
	conn->rx_ended = true;
	vsockdev_conn_settle(conn);
	vsockdev_sched_unlock(conn->vd);
}

/*
 * The other side of a TCP connection has not acknowledged @left bytes. Returns
 * true if it got nothing further in a whole close timeout.
 */
static bool has_lingered(struct vsockdev_conn *conn, u32 left)
{
	if (conn->lingering && !conn->linger_due)
		return false;
	if (conn->lingering && conn->linger_left == left)
		return true;
	conn->lingering = true;
	conn->linger_due = false;
	conn->linger_left = left;
	vsockdev_conn_arm(conn, conn->close_timeout);
	return false;
}

/* Tells whether the socket may go: the connection is over, all handed over */
static bool is_finished(struct vsockdev_conn *conn)
{
	u32 left;

	if (conn->state != VSOCKDEV_CONN_DEAD)
		return false;
	if (conn->aborted) {
		discard_chunks(conn);
		return true;
	}
	if (!list_empty(&conn->rx_chunks))
		return false;
	if (!conn->rx_ended)
		return true;
	left = vsockdev_sock_unsent(conn->sock);
	return !left || has_lingered(conn, left);
}

/* Gives the socket back when it may go */
static void finish(struct vsockdev_conn *conn)
{
	struct vsockdev_sock *vs = conn->sock;
	struct vsockdev_blob *blob = NULL;
	bool finished, cut_off;

	spin_lock(&conn->vd->lock);
	finished = is_finished(conn);
	cut_off = !conn->rx_ended;
	if (finished) {
		vsockdev_conn_disarm(conn);
		swap(blob, conn->blob);
	}
	spin_unlock(&conn->vd->lock);
	if (!finished)
		return;
	if (blob)
		vsockdev_blob_close(blob);
	if (cut_off)
		vsockdev_sock_abort(vs);
	/* To close a socket with bytes unread would be an abort, too */
	vsockdev_sock_end_reads(vs);
	vsockdev_sock_discard(vs);
	WRITE_ONCE(conn->sock, NULL);
	vsockdev_sock_release(vs);
}

static bool pump(struct vsockdev_conn *conn)
{
	struct vsockdev *vd = conn->vd;
	size_t pending;
	bool stopped;
	bool again;
	u32 ends;

	ends = vsockdev_sock_ends(conn->sock);
	split_frame(conn);
	again = transmit(conn, &pending);
	again |= deliver(conn);
	/*
	 * Writing may just have met the end of the program. That it writes no
	 * more counts only if it was so before we looked for its bytes.
	 */
	ends |= vsockdev_sock_ends(conn->sock) & ~VSOCKDEV_SOCK_WRITES_OVER;

	spin_lock(&vd->lock);
	/* A stream that misses something must not look complete */
	if (ends & VSOCKDEV_SOCK_FAILED)
		conn->aborted = true;
	if (conn->state != VSOCKDEV_CONN_DEAD)
		note_ends(conn, ends, pending);
	else if (ends & (VSOCKDEV_SOCK_FAILED | VSOCKDEV_SOCK_READS_OVER))
		conn->rx_discard = true;
	act_on_ends(conn);
	stopped = conn->tx_stopped || conn->state == VSOCKDEV_CONN_DEAD;
	vsockdev_sched_unlock(vd);

	if (stopped)
		vsockdev_sock_end_reads(conn->sock);
	if (rx_complete(conn))
		end_of_file(conn);
	finish(conn);
	return again;
}

/**
 * vsockdev_pump_work() - the work item of a connection
 * @work: in struct vsockdev_conn
 *
 * Context: may sleep on the socket for as long as a program likes.
 */
void vsockdev_pump_work(struct work_struct *work)
{
	struct vsockdev_conn *conn = container_of(work, struct vsockdev_conn,
						  work);
	struct mem_cgroup *memcg;

	/* Pairs with whoever published it, after what belongs to it */
	if (smp_load_acquire(&conn->sock)) {
		memcg = set_active_memcg(conn->memcg);
		if (pump(conn))
			vsockdev_conn_wake(conn);
		set_active_memcg(memcg);
	}
	vsockdev_conn_put(conn);
}

/* Puts bytes at the end of the last chunk, if it has the room */
static bool join_chunk(struct vsockdev_conn *conn, const void *payload,
		       u32 len)
{
	struct vsockdev_chunk *chunk;

	if (len > CHUNK_SMALL || list_empty(&conn->rx_chunks))
		return false;
	chunk = list_last_entry(&conn->rx_chunks, struct vsockdev_chunk, node);
	if (chunk->size - chunk->tail < len)
		return false;
	memcpy(chunk->data + chunk->tail, payload, len);
	chunk->tail += len;
	return true;
}

static struct vsockdev_chunk *make_chunk(struct vsockdev_conn *conn,
					 const void *payload, u32 len)
{
	struct vsockdev_chunk *chunk;
	struct mem_cgroup *memcg;
	u32 size = max_t(u32, len, CHUNK_SMALL);

	/* All connections wait for this: no trying hard in a full cgroup */
	memcg = set_active_memcg(conn->memcg);
	chunk = kmalloc(struct_size(chunk, data, size),
			GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN);
	set_active_memcg(memcg);
	if (!chunk)
		return NULL;
	chunk->head = 0;
	chunk->tail = len;
	chunk->size = size;
	memcpy(chunk->data, payload, len);
	return chunk;
}

/**
 * vsockdev_pump_receive() - queue received bytes for the program
 * @conn: ESTABLISHED, and @len was counted in its credit
 * @payload: the bytes
 * @len: how many, at least 1
 *
 * Context: under the device's lock, which is dropped for a while.
 */
void vsockdev_pump_receive(struct vsockdev_conn *conn, const void *payload,
			   u32 len)
{
	struct vsockdev *vd = conn->vd;
	struct vsockdev_chunk *chunk;

	lockdep_assert_held(&vd->lock);

	if (conn->rx_discard) {
		vd->stats.rx_discarded += len;
		forwarded(conn, len);
		return;
	}
	if (join_chunk(conn, payload, len)) {
		vsockdev_conn_wake(conn);
		return;
	}

	vsockdev_conn_get(conn);
	spin_unlock(&vd->lock);
	chunk = make_chunk(conn, payload, len);
	spin_lock(&vd->lock);
	if (!chunk) {
		local_error(conn, -ENOMEM);
	} else {
		list_add_tail(&chunk->node, &conn->rx_chunks);
		vsockdev_conn_wake(conn);
	}
	vsockdev_conn_put(conn);
}
