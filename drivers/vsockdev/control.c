// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - packets without data
 *
 * DOC: Part of the scheduler, see sched.c: what goes ahead of data. RSTs to
 * addresses that are no connection wait in a ring buffer, control packets of a
 * connection are bits in it.
 *
 * All functions here are called under the device's lock.
 */
#include "conn.h"
#include "device.h"
#include "ring.h"

#include <trace/vsockdev.h>

static void header_init(struct vsockdev *vd, struct vsockdev_hdr *hdr,
			const struct vsockdev_addr *addr, u16 type, u16 op)
{
	*hdr = (struct vsockdev_hdr) {
		.src_cid = vd->cid,
		.dst_cid = addr->remote_cid,
		.src_port = addr->local_port,
		.dst_port = addr->remote_port,
		.type = type,
		.op = op,
	};
}

static bool send_packet(struct vsockdev *vd, const struct vsockdev_hdr *hdr,
			struct vsockdev_frame *frame)
{
	if (vsockdev_ring_send(&vd->ring, hdr, frame))
		return false;
	trace_vsockdev_tx(hdr);
	vd->stats.tx_packets++;
	vd->stats.tx_bytes += hdr->len;
	return true;
}

/**
 * vsockdev_sched_packet() - put a packet of a connection into the TX queue
 * @conn: the connection
 * @op: of the header
 * @flags: of the header
 * @frame: with data, or NULL
 *
 * The peer learns our credit from each.
 *
 * Return: false if there is no room.
 */
bool vsockdev_sched_packet(struct vsockdev_conn *conn, u16 op, u32 flags,
			   struct vsockdev_frame *frame)
{
	struct vsockdev_hdr hdr;

	header_init(conn->vd, &hdr, &conn->addr, conn->type, op);
	hdr.flags = flags;
	hdr.len = frame ? frame->len : 0;
	hdr.buf_alloc = conn->credit.buf_alloc;
	hdr.fwd_cnt = conn->credit.fwd_cnt;
	if (!send_packet(conn->vd, &hdr, frame))
		return false;
	vsockdev_credit_tell(&conn->credit);
	conn->control &= ~VSOCKDEV_SEND_CREDIT_UPDATE;
	return true;
}

/**
 * vsockdev_sched_reply_room() - tells whether one more reply can wait
 * @vd: the device
 *
 * Return: true if so.
 */
bool vsockdev_sched_reply_room(const struct vsockdev *vd)
{
	return vd->sched.reply_count < VSOCKDEV_REPLIES;
}

/**
 * vsockdev_sched_reply() - send RST to an address that is no connection
 * @vd: the device, with room for a reply
 * @addr: the address
 * @type: socket type to name
 */
void vsockdev_sched_reply(struct vsockdev *vd,
			  const struct vsockdev_addr *addr, u16 type)
{
	struct vsockdev_sched *sched = &vd->sched;
	u32 slot;

	lockdep_assert_held(&vd->lock);

	if (!vd->ready || WARN_ON_ONCE(!vsockdev_sched_reply_room(vd)))
		return;
	slot = (sched->reply_first + sched->reply_count++) % VSOCKDEV_REPLIES;
	sched->replies[slot].addr = *addr;
	sched->replies[slot].type = type;
}

static bool run_reply(struct vsockdev *vd)
{
	struct vsockdev_sched *sched = &vd->sched;
	struct vsockdev_reply *reply = &sched->replies[sched->reply_first];
	struct vsockdev_hdr hdr;

	if (!sched->reply_count || !vsockdev_ring_tx_room(&vd->ring))
		return false;
	header_init(vd, &hdr, &reply->addr, reply->type, VIRTIO_VSOCK_OP_RST);
	if (!send_packet(vd, &hdr, NULL))
		return false;
	sched->reply_first = (sched->reply_first + 1) % VSOCKDEV_REPLIES;
	if (sched->reply_count-- == VSOCKDEV_REPLIES)
		vsockdev_device_resume_rx(vd);
	return true;
}

/**
 * vsockdev_sched_control() - let a connection send control packets
 * @conn: the connection
 * @packets: VSOCKDEV_SEND_*
 */
void vsockdev_sched_control(struct vsockdev_conn *conn, u32 packets)
{
	struct vsockdev *vd = conn->vd;

	lockdep_assert_held(&vd->lock);

	if (!vd->ready)
		return;
	conn->control |= packets;
	if (list_empty(&conn->control_node)) {
		vsockdev_conn_get(conn);
		list_add_tail(&conn->control_node, &vd->sched.control);
	}
}

/**
 * vsockdev_sched_forget() - send no control packet of a connection
 * @conn: the connection, to which the caller has a reference
 */
void vsockdev_sched_forget(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	conn->control = 0;
	if (list_empty(&conn->control_node))
		return;
	list_del_init(&conn->control_node);
	vsockdev_conn_uncount(conn);
	vsockdev_conn_put(conn);
}

/**
 * vsockdev_sched_clear() - send no reply and no control packet
 * @vd: the device, whose host is gone or was reset
 */
void vsockdev_sched_clear(struct vsockdev *vd)
{
	struct vsockdev_conn *conn, *next;

	if (!vsockdev_sched_reply_room(vd) && vd->ready)
		vsockdev_device_resume_rx(vd);
	vd->sched.reply_count = 0;

	list_for_each_entry_safe(conn, next, &vd->sched.control, control_node)
		vsockdev_sched_forget(conn);
}

/* The packets of a connection in the order in which they must go out */
static const struct {
	u32 bit;
	u16 op;
} control_order[] = {
	{ VSOCKDEV_SEND_RST_PACKET, VIRTIO_VSOCK_OP_RST },
	{ VSOCKDEV_SEND_REQUEST_PACKET, VIRTIO_VSOCK_OP_REQUEST },
	{ VSOCKDEV_SEND_RESPONSE_PACKET, VIRTIO_VSOCK_OP_RESPONSE },
	{ VSOCKDEV_SEND_SHUTDOWN_PACKET, VIRTIO_VSOCK_OP_SHUTDOWN },
	{ VSOCKDEV_SEND_CREDIT_REQUEST, VIRTIO_VSOCK_OP_CREDIT_REQUEST },
	{ VSOCKDEV_SEND_CREDIT_UPDATE, VIRTIO_VSOCK_OP_CREDIT_UPDATE },
};

static bool send_control(struct vsockdev_conn *conn)
{
	u32 flags = 0;
	u16 op;
	int i;

	for (i = 0; i < ARRAY_SIZE(control_order); i++)
		if (conn->control & control_order[i].bit)
			break;
	if (WARN_ON_ONCE(i == ARRAY_SIZE(control_order)))
		return true;

	op = control_order[i].op;
	if (op == VIRTIO_VSOCK_OP_SHUTDOWN)
		flags = conn->shut_sent;
	if (!vsockdev_sched_packet(conn, op, flags, NULL))
		return false;
	conn->control &= ~control_order[i].bit;
	if (op == VIRTIO_VSOCK_OP_CREDIT_REQUEST)
		conn->vd->stats.credit_requests++;
	else if (op == VIRTIO_VSOCK_OP_CREDIT_UPDATE)
		conn->vd->stats.credit_updates++;
	return true;
}

/* Sends the first packet of the first connection */
static bool run_control(struct vsockdev *vd)
{
	struct vsockdev_conn *conn;

	conn = list_first_entry_or_null(&vd->sched.control,
					struct vsockdev_conn, control_node);
	if (!conn || !vsockdev_ring_tx_room(&vd->ring))
		return false;
	if (!send_control(conn))
		return false;
	if (!conn->control)
		vsockdev_sched_forget(conn);
	return true;
}

/**
 * vsockdev_sched_run_control() - send replies and control packets
 * @vd: the device, which is ready
 *
 * Return: true if any was sent.
 */
bool vsockdev_sched_run_control(struct vsockdev *vd)
{
	bool sent = false;

	lockdep_assert_held(&vd->lock);

	while (run_reply(vd))
		sent = true;
	while (run_control(vd))
		sent = true;
	return sent;
}
