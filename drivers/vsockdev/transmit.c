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

#include "blob.h"
#include "conn.h"
#include "device.h"
#include "frame.h"
#include "sock.h"
#include "transmit.h"

#define STAGED_FRAMES	2
/* Frames that the pump stages before it lets others run */
#define BATCH		64

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
		vsockdev_sched_own(conn, frame);
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
	bool end = false;

	frame = vsockdev_frame_alloc(len, GFP_KERNEL_ACCOUNT);
	if (frame)
		frame->len = vsockdev_sock_read(conn->sock, frame->data +
						VSOCKDEV_HDR_LEN,
						min(len, frame->room), &end);
	if (end)
		frame->flags = VIRTIO_VSOCK_SEQ_EOM;
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
