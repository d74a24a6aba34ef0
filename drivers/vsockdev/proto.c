// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - what a received packet does
 *
 * DOC: One handler for each state of a connection; for each operation it is
 * legal, ignored, or ends the connection: RST to the host, and an RST event
 * with reason PROTOCOL to the owner. The table is in
 * Documentation/architecture.rst. Never is it the device that ends.
 *
 * RST is never answered. Everything else for an address that is no
 * connection is answered with RST. That goes through a bounded queue, and the
 * caller stops reading packets while it is full.
 */
#include <linux/slab.h>

#include "conn.h"
#include "deliver.h"
#include "device.h"
#include "proto.h"
#include "pump.h"
#include "wire.h"

#include <trace/vsockdev.h>

#define SHUTDOWN_FLAGS \
	(VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

/* The host broke the rules of this connection */
static void violation(struct vsockdev_conn *conn)
{
	conn->vd->stats.rx_violations++;
	vsockdev_conn_end(conn, true, VSOCKDEV_RST_PROTOCOL, EPROTO);
}

static void addr_from_header(struct vsockdev_addr *addr,
			     const struct vsockdev_hdr *hdr)
{
	addr->local_port = hdr->dst_port;
	addr->remote_cid = hdr->src_cid;
	addr->remote_port = hdr->src_port;
}

static void reply_rst(struct vsockdev *vd, const struct vsockdev_hdr *hdr)
{
	struct vsockdev_addr addr;

	if (hdr->op == VIRTIO_VSOCK_OP_RST ||
	    hdr->op == VIRTIO_VSOCK_OP_INVALID)
		return;
	addr_from_header(&addr, hdr);
	vsockdev_sched_reply(vd, &addr, hdr->type);
}

/* Takes over the credit of a header. Returns false if that was a violation */
static bool take_credit(struct vsockdev_conn *conn,
			const struct vsockdev_hdr *hdr)
{
	struct vsockdev_credit *credit = &conn->credit;
	u32 fwd_cnt = credit->peer_fwd_cnt;

	if (!vsockdev_credit_peer_update(credit, hdr->buf_alloc,
					 hdr->fwd_cnt)) {
		violation(conn);
		return false;
	}
	if (credit->peer_fwd_cnt != fwd_cnt) {
		conn->ask_delay = 0;
		if (conn->closing)
			vsockdev_conn_arm(conn, conn->close_timeout);
	}
	if (!list_empty(&conn->blocked_node) &&
	    vsockdev_credit_tx_space(credit)) {
		vsockdev_sched_unblock(conn);
		vsockdev_conn_wake(conn);
	}
	return true;
}

static bool carries(const struct vsockdev *vd, u16 type)
{
	return type < BITS_PER_TYPE(vd->types) && (vd->types & BIT(type));
}

/* A new connection: may the host have one? */
static bool may_request(struct vsockdev *vd, const struct vsockdev_hdr *hdr)
{
	return vd->owner && vd->ready && carries(vd, hdr->type) &&
	       vd->backlog < vd->options.backlog &&
	       vd->conns < vd->options.max_conns;
}

static void publish_request(struct vsockdev *vd, struct vsockdev_conn *conn,
			    const struct vsockdev_hdr *hdr)
{
	vsockdev_conn_publish(conn, VSOCKDEV_CONN_PENDING,
			      vd->options.buf_alloc);
	vsockdev_credit_peer_update(&conn->credit, hdr->buf_alloc, 0);
	vsockdev_conn_request_event(conn);
}

/* REQUEST for a free address. The lock is dropped to allocate */
static void receive_request(struct vsockdev *vd,
			    const struct vsockdev_hdr *hdr)
{
	struct vsockdev_conn *conn = NULL;
	struct vsockdev_addr addr;
	u64 generation = vd->generation;
	u32 epoch = vd->stream.epoch;

	addr_from_header(&addr, hdr);
	if (may_request(vd, hdr)) {
		spin_unlock(&vd->lock);
		conn = vsockdev_conn_alloc(vd, &addr, hdr->type, GFP_KERNEL,
					   vsockdev_pump_work);
		spin_lock(&vd->lock);
	}
	/*
	 * Meanwhile another owner may have come, or another host, or this
	 * owner took the address.
	 */
	if (conn && may_request(vd, hdr) && vd->stream.epoch == epoch &&
	    vd->generation == generation && !vsockdev_conn_find(vd, &addr)) {
		publish_request(vd, conn, hdr);
		return;
	}
	vd->stats.refused++;
	reply_rst(vd, hdr);
	if (conn)
		vsockdev_conn_put(conn);
}

static void receive_pending(struct vsockdev_conn *conn,
			    const struct vsockdev_hdr *hdr)
{
	switch (hdr->op) {
	case VIRTIO_VSOCK_OP_RST:
		vsockdev_conn_end(conn, false, VSOCKDEV_RST_PEER_RESET,
				  ECONNRESET);
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		/* A host that gives up politely expects RST */
		vsockdev_conn_end(conn, true, VSOCKDEV_RST_PEER_RESET,
				  ECONNRESET);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		/* Any answer before RESPONSE would break the handshake */
		take_credit(conn, hdr);
		break;
	default:
		violation(conn);
	}
}

static void receive_connecting(struct vsockdev_conn *conn,
			       const struct vsockdev_hdr *hdr)
{
	struct vsockdev_event_slot *slot;

	switch (hdr->op) {
	case VIRTIO_VSOCK_OP_RESPONSE:
		if (!take_credit(conn, hdr))
			break;
		vsockdev_conn_open(conn);
		slot = &conn->events[VSOCKDEV_CONN_EVENT_OPEN];
		vsockdev_event_post(&conn->vd->stream, slot,
				    VSOCKDEV_EVENT_RESPONSE);
		break;
	case VIRTIO_VSOCK_OP_RST:
		vsockdev_conn_end(conn, false, VSOCKDEV_RST_REFUSED,
				  ECONNREFUSED);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		take_credit(conn, hdr);
		break;
	default:
		violation(conn);
	}
}

static void receive_data(struct vsockdev_conn *conn,
			 const struct vsockdev_hdr *hdr, const void *payload)
{
	bool end = conn->type == VSOCKDEV_TYPE_SEQPACKET &&
		   (hdr->flags & VIRTIO_VSOCK_SEQ_EOM);
	struct vsockdev *vd = conn->vd;

	/* It said that it would not send more, or sends more than allowed */
	if ((conn->shut_received & VSOCKDEV_SHUTDOWN_SEND) ||
	    !vsockdev_credit_rx(&conn->credit, hdr->len)) {
		violation(conn);
		return;
	}
	vd->stats.rx_bytes += hdr->len;
	conn->bytes_received += hdr->len;
	/* A host that still has something to say is not one that hangs */
	if (conn->closing && !conn->user_closed && hdr->len)
		vsockdev_conn_arm(conn, conn->close_timeout);
	/* An empty message would read as an end of file: there are none */
	if (hdr->len || (end && conn->rx_message))
		vsockdev_deliver_receive(conn, payload, hdr->len, end);
}

/*
 * RST is the answer to SHUTDOWN of both directions, whoever sent it. Before
 * that, and be it that the program has closed and the rest of its bytes wait
 * for credit, it cuts something off.
 */
static void receive_rst(struct vsockdev_conn *conn)
{
	if (conn->shut_sent != VSOCKDEV_SHUTDOWN_BOTH &&
	    conn->shut_received != VSOCKDEV_SHUTDOWN_BOTH)
		vsockdev_conn_end(conn, false, VSOCKDEV_RST_PEER_RESET,
				  ECONNRESET);
	else if (conn->user_closed)
		vsockdev_conn_end(conn, false, VSOCKDEV_RST_LOCAL_CLOSE, 0);
	else
		vsockdev_conn_end(conn, false, VSOCKDEV_RST_SHUTDOWN, 0);
}

static void receive_shutdown(struct vsockdev_conn *conn,
			     const struct vsockdev_hdr *hdr)
{
	/* Half of a message is no clean end, if somebody wants it */
	if ((hdr->flags & VIRTIO_VSOCK_SHUTDOWN_SEND) && conn->rx_message &&
	    !conn->rx_discard)
		violation(conn);
	else
		vsockdev_conn_peer_shutdown(conn, hdr->flags & SHUTDOWN_FLAGS);
}

static void receive_established(struct vsockdev_conn *conn,
				const struct vsockdev_hdr *hdr,
				const void *payload)
{
	/* There are devices that leave the credit of an RST empty */
	if (hdr->op == VIRTIO_VSOCK_OP_RST) {
		receive_rst(conn);
		return;
	}
	if (!take_credit(conn, hdr))
		return;

	switch (hdr->op) {
	case VIRTIO_VSOCK_OP_RW:
		receive_data(conn, hdr, payload);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		vsockdev_sched_control(conn, VSOCKDEV_SEND_CREDIT_UPDATE);
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		receive_shutdown(conn, hdr);
		break;
	default:
		violation(conn);
	}
}

static void receive_conn(struct vsockdev_conn *conn,
			 const struct vsockdev_hdr *hdr, const void *payload)
{
	if (hdr->op == VIRTIO_VSOCK_OP_INVALID)
		return;
	if (hdr->type != conn->type) {
		if (hdr->op == VIRTIO_VSOCK_OP_RST)
			return;
		violation(conn);
		return;
	}
	switch (conn->state) {
	case VSOCKDEV_CONN_PENDING:
		receive_pending(conn, hdr);
		break;
	case VSOCKDEV_CONN_CONNECTING:
		receive_connecting(conn, hdr);
		break;
	case VSOCKDEV_CONN_ESTABLISHED:
		receive_established(conn, hdr, payload);
		break;
	case VSOCKDEV_CONN_DEAD:
		break;
	}
}

/**
 * vsockdev_proto_receive() - handle a packet from the host
 * @vd: the device; there is room for a reply, vsockdev_sched_reply_room()
 * @frame: the packet, which the device may still write to
 * @size: bytes of the buffer that it lies in
 * @used: bytes that the device says it wrote
 *
 * Context: the RX work; may sleep for memory, not for a program.
 */
void vsockdev_proto_receive(struct vsockdev *vd, const void *frame, u32 size,
			    u32 used)
{
	struct vsockdev_conn *conn;
	struct vsockdev_addr addr;
	struct vsockdev_hdr hdr;
	int status;

	spin_lock(&vd->lock);
	vd->stats.rx_packets++;
	status = vsockdev_wire_decode(&hdr, frame, size, used, vd->cid);
	if (status != VSOCKDEV_WIRE_OK) {
		trace_vsockdev_rx_malformed(status, used);
		vd->stats.rx_malformed++;
		goto out;
	}
	trace_vsockdev_rx(&hdr);

	addr_from_header(&addr, &hdr);
	conn = vsockdev_conn_find(vd, &addr);
	if (conn) {
		receive_conn(conn, &hdr, frame + VSOCKDEV_HDR_LEN);
	} else if (hdr.op == VIRTIO_VSOCK_OP_REQUEST) {
		receive_request(vd, &hdr);
	} else {
		vd->stats.rx_unknown++;
		reply_rst(vd, &hdr);
	}
out:
	vsockdev_sched_unlock(vd);
}
