// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - bytes from a program to the host
 *
 * DOC: The pump of a connection moves bytes from the socket, or the pages of a
 * SEND_VMO, into frames, which are staged with the scheduler, two at a time:
 * one to send and one to follow. As long as these wait, small writes pile up in
 * the socket and become one large packet.
 */
#include <linux/err.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>

#include "blob.h"
#include "conn.h"
#include "device.h"
#include "frame.h"
#include "sock.h"
#include "transmit.h"

#define STAGED_FRAMES	2
/* Messages are not merged, so that more of small ones make a fair share */
#define STAGED_MESSAGES	64
/* Bytes that are a packet of their own although others are on their way */
#define CORK_MAX	SZ_4K
/* Frames that the pump stages before it lets others run */
#define BATCH		64

/*
 * While a packet is on its way, small writes wait for each other. With more of
 * them, or when it has been sent, they go as one.
 */
static bool should_cork(struct vsockdev_conn *conn, u32 len)
{
	if (len >= CORK_MAX || !conn->tx_in_ring || conn->vmo_left ||
	    conn->type != VSOCKDEV_TYPE_STREAM)
		return false;
	vsockdev_sched_reclaim(conn->vd);
	return conn->tx_in_ring;
}

static bool has_enough_staged(const struct vsockdev_conn *conn)
{
	if (conn->tx_frame_count < STAGED_FRAMES)
		return false;
	return conn->type == VSOCKDEV_TYPE_STREAM ||
	       conn->tx_frame_count >= STAGED_MESSAGES ||
	       conn->tx_staged >= VSOCKDEV_PAYLOAD_MAX;
}

/* Sending what is staged will ask again */
static void wait_for_turn(struct vsockdev_conn *conn)
{
	conn->tx_waiting = true;
	conn->tx_written = !vsockdev_sock_is_tcp(conn->sock);
}

/* How much may be staged now of @pending bytes */
static u32 tx_allowance(struct vsockdev_conn *conn, u64 pending)
{
	u32 space;

	if (conn->state != VSOCKDEV_CONN_ESTABLISHED || conn->tx_stopped)
		return 0;
	if (has_enough_staged(conn)) {
		wait_for_turn(conn);
		return 0;
	}
	space = vsockdev_credit_tx_space(&conn->credit);
	if (space <= conn->tx_staged) {
		if (conn->tx_frame_count)
			wait_for_turn(conn);
		else
			vsockdev_sched_block(conn);
		return 0;
	}
	space = min(space - conn->tx_staged,
		    vsockdev_credit_tx_packet(&conn->credit));
	space = min_t(u64, space, pending);
	if (should_cork(conn, space)) {
		vsockdev_sched_cork(conn);
		return 0;
	}
	if (vsockdev_credit_tx_should_wait(&conn->credit, space) &&
	    !conn->tx_small_pass) {
		vsockdev_sched_block(conn);
		return 0;
	}
	vsockdev_sched_unblock(conn);
	return space;
}

/* The peer made its window smaller than the first frame */
static void split_frame(struct vsockdev_conn *conn)
{
	struct vsockdev *vd = conn->vd;
	struct vsockdev_frame *head;
	bool split;
	u32 len;

	spin_lock(&vd->lock);
	split = conn->tx_split;
	conn->tx_split = false;
	len = vsockdev_sched_cut(conn);
	spin_unlock(&vd->lock);
	if (!split)
		return;

	head = vsockdev_frame_alloc(len, GFP_KERNEL_ACCOUNT);
	spin_lock(&vd->lock);
	if (!head)
		vsockdev_conn_fail(conn, -ENOMEM);
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
	struct vsockdev_blob *done = NULL;
	struct vsockdev_frame *frame;
	bool staged = false;

	frame = vsockdev_blob_read(conn->blob, len,
				   READ_ONCE(vd->ring.tx_runs));
	spin_lock(&vd->lock);
	if (!conn->vmo_active) {
		; /* it was ended meanwhile, and has nothing to fail with */
	} else if (IS_ERR(frame)) {
		vsockdev_conn_vmo_end(conn, -PTR_ERR(frame));
		vsockdev_conn_fail(conn, PTR_ERR(frame));
	} else {
		conn->vmo_left -= frame->len;
		/* The next SEND_VMO may come at any time from now on */
		if (!conn->vmo_left)
			swap(done, conn->blob);
		frame->vmo = true;
		frame->awaited = !conn->vmo_left;
		vsockdev_sched_stage(conn, frame);
		staged = true;
	}
	vsockdev_sched_unlock(vd);
	if (done)
		vsockdev_blob_close(done);
	if (!IS_ERR(frame) && !staged)
		vsockdev_frame_free(frame);
	return staged;
}

/* Moves up to @len bytes from the socket into the scheduler */
static bool send_some(struct vsockdev_conn *conn, u32 len)
{
	struct vsockdev *vd = conn->vd;
	struct vsockdev_frame *frame;

	frame = vsockdev_sock_read(conn->sock, len, READ_ONCE(vd->ring.tx_runs));
	spin_lock(&vd->lock);
	if (!frame) {
		vsockdev_conn_fail(conn, -ENOMEM);
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
 * @given_up: nobody wants the rest of this range: to be closed
 */
struct tx_plan {
	bool stopped;
	bool vmo;
	u32 len;
	struct vsockdev_blob *given_up;
};

/* A message that the peer could never hold will never be sent */
static void check_message(struct vsockdev_conn *conn)
{
	if (conn->state == VSOCKDEV_CONN_ESTABLISHED && !conn->tx_stopped &&
	    vsockdev_sock_message(conn->sock) > conn->credit.peer_buf_alloc)
		vsockdev_conn_end(conn, true, VSOCKDEV_RST_MESSAGE_SIZE,
				  EMSGSIZE);
}

static struct tx_plan plan_tx(struct vsockdev_conn *conn, size_t pending)
{
	struct vsockdev *vd = conn->vd;
	struct tx_plan plan = {};

	spin_lock(&vd->lock);
	check_message(conn);
	plan.stopped = conn->tx_stopped || conn->state == VSOCKDEV_CONN_DEAD;
	plan.vmo = conn->vmo_left;
	if (!plan.vmo)
		swap(plan.given_up, conn->blob);
	if (plan.vmo || pending)
		plan.len = tx_allowance(conn, plan.vmo ? conn->vmo_left :
					vsockdev_sock_packet(conn->sock,
							     pending));
	vsockdev_sched_unlock(vd);
	return plan;
}

/**
 * vsockdev_transmit() - move bytes from the program towards the host
 * @conn: with a socket
 * @pending: out: what the program wrote and is neither sent nor staged
 *
 * Context: the pump; may sleep for as long as a program likes.
 * Return: true if there is more to do at once.
 */
bool vsockdev_transmit(struct vsockdev_conn *conn, size_t *pending)
{
	int budget = BATCH;
	struct tx_plan plan;

	split_frame(conn);
	for (;;) {
		*pending = vsockdev_sock_pending(conn->sock);
		plan = plan_tx(conn, *pending);
		if (plan.given_up)
			vsockdev_blob_close(plan.given_up);
		if (plan.stopped) {
			*pending = 0;
			return vsockdev_sock_discard(conn->sock);
		}
		if (!plan.len)
			return false;
		if (!budget--)
			return true;
		cond_resched();
		if (!(plan.vmo ? send_vmo(conn, plan.len) :
				 send_some(conn, plan.len))) {
			*pending = vsockdev_sock_pending(conn->sock);
			return false;
		}
	}
}

/*
 * AF_UNIX tells of each part of a large write. They go out together, or, if
 * there was only that part after all, or the program is held up between them,
 * a moment later.
 */
static bool should_hold(struct vsockdev_conn *conn, size_t pending)
{
	u32 full = min_t(u32, vsockdev_credit_tx_packet(&conn->credit),
			 VSOCKDEV_PAGED_MAX);

	return pending < full && vsockdev_sock_in_write(conn->sock) &&
	       pending < vsockdev_credit_tx_space(&conn->credit);
}

static u32 allowance_now(struct vsockdev_conn *conn, size_t pending)
{
	if (!pending)
		return 0;
	if (should_hold(conn, pending)) {
		vsockdev_conn_wake_late(conn);
		return 0;
	}
	return tx_allowance(conn, vsockdev_sock_packet(conn->sock, pending));
}

/* Sends what is in the socket. Returns false if that is for the pump to do */
static bool send_now(struct vsockdev_conn *conn)
{
	struct vsockdev *vd = conn->vd;
	int budget = BATCH;
	size_t pending;
	u32 len;

	while (budget--) {
		if (vsockdev_sock_is_read(conn->sock))
			return false;
		pending = vsockdev_sock_pending(conn->sock);
		/* If that is just over, the pump was woken after it */
		if (READ_ONCE(conn->tx_corked) && pending < CORK_MAX)
			return true;
		spin_lock(&vd->lock);
		if (conn->blob || conn->tx_stopped || conn->tx_split ||
		    conn->state != VSOCKDEV_CONN_ESTABLISHED) {
			bool later = conn->state == VSOCKDEV_CONN_CONNECTING;

			/* The host's answer wakes the pump */
			spin_unlock(&vd->lock);
			return later;
		}
		check_message(conn);
		len = allowance_now(conn, pending);
		vsockdev_sched_unlock(vd);
		if (!len || !send_some(conn, len))
			return true;
	}
	return false;
}

/**
 * vsockdev_transmit_now() - let a writer send its bytes itself
 * @conn: whose AF_UNIX socket has just got some
 *
 * Context: a program that has written, with no lock held. It waits for nobody,
 * but for a program that begins to read at our end in that very moment.
 */
void vsockdev_transmit_now(struct vsockdev_conn *conn)
{
	struct mem_cgroup *memcg;
	bool done;

	if (!mutex_trylock(&conn->io_mutex)) {
		vsockdev_conn_wake(conn);
		return;
	}
	memcg = set_active_memcg(conn->memcg);
	/* Pairs with whoever published it, after what belongs to it */
	done = smp_load_acquire(&conn->sock) && send_now(conn);
	set_active_memcg(memcg);
	mutex_unlock(&conn->io_mutex);
	if (!done)
		vsockdev_conn_wake(conn);
}
