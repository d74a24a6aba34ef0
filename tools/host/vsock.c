// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device: dispatch of the guest's packets, and turns for connections that
 * have packets for the guest.
 *
 * Replies without a connection, such as RST, wait in a list of their own that
 * goes out first, so a RST never meets a later connection on the same ports.
 * The guest's packets are left alone while that list is long.
 */
#include "vsock.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "flow.h"
#include "hostile.h"
#include "options.h"
#include "packet.h"
#include "unix.h"
#include "util.h"
#include "virtq.h"

#define BATCH 64
#define REPLIES_MAX 1024
#define PORT_FIRST 0x40000000u

struct reply {
	STAILQ_ENTRY(reply) next;
	struct packet pkt;
};

void vsock_init(struct vsock *vs, const struct options *opts, struct loop *loop,
		struct hostile *hostile, struct virtq *rxq, struct virtq *txq,
		struct virtq *eventq)
{
	*vs = (struct vsock){
		.opts = opts,
		.loop = loop,
		.hostile = hostile,
		.rxq = rxq,
		.txq = txq,
		.eventq = eventq,
		.cid = opts->cid,
		.last_port = PORT_FIRST,
	};
	rxq->device_writes = true;
	eventq->device_writes = true;
	conn_table_init(&vs->conns);
	STAILQ_INIT(&vs->replies);
}

static void drop_reply(struct vsock *vs)
{
	struct reply *reply = STAILQ_FIRST(&vs->replies);

	STAILQ_REMOVE_HEAD(&vs->replies, next);
	vs->reply_count--;
	free(reply);
}

void vsock_start(struct vsock *vs, uint64_t features)
{
	log_verbose("driver is there");
	vs->running = true;
	vs->seqpacket = features & (1ULL << VIRTIO_VSOCK_F_SEQPACKET);
}

void vsock_stop(struct vsock *vs)
{
	if (!vs->running)
		return;
	log_verbose("driver has gone, %u connections", vs->conns.count);
	vs->running = false;
	hostile_forget(vs->hostile);
	vsock_drop_all(vs);
}

void vsock_drop_all(struct vsock *vs)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&vs->conns.all)))
		conn_kill(conn);
	while (vs->reply_count)
		drop_reply(vs);
}

int vsock_transport_reset(struct vsock *vs, uint64_t cid)
{
	const struct virtio_vsock_event event = {
		.id = htole32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET),
	};
	struct virtq_chain *chain;

	if (!vs->running)
		return -ENOTCONN;
	if (!vs->eventq->running)
		return -EOPNOTSUPP;
	while ((chain = virtq_next(vs->eventq)) && chain->len < sizeof(event))
		virtq_done(vs->eventq, 0);
	if (!chain)
		return -ENOBUFS;
	/* From here on the driver may ask for it. */
	vs->cid = cid;
	vsock_drop_all(vs);
	iov_put(&chain->iov, &event, sizeof(event));
	virtq_done(vs->eventq, sizeof(event));
	virtq_flush(vs->eventq);
	return 0;
}

/* A header of the device for a pair of ports, without credit. */
static struct packet header(const struct vsock *vs, uint32_t host_port,
			    uint32_t guest_port, uint16_t type, uint16_t op)
{
	return (struct packet){
		.src_cid = HOST_CID,
		.dst_cid = vs->cid,
		.src_port = host_port,
		.dst_port = guest_port,
		.type = type,
		.op = op,
	};
}

/* The same for a connection, with the credit that goes with every packet. */
static struct packet conn_header(struct conn *conn, uint16_t op)
{
	struct packet pkt = header(conn->vs, conn->host_port, conn->guest_port,
				   conn->type, op);

	pkt.buf_alloc = conn->credit.buf_alloc;
	pkt.fwd_cnt = conn->credit.fwd_cnt;
	return pkt;
}

static bool knows_type(const struct vsock *vs, uint16_t type)
{
	return type == VIRTIO_VSOCK_TYPE_STREAM ||
	       (type == VIRTIO_VSOCK_TYPE_SEQPACKET && vs->seqpacket);
}

static void queue_reply(struct vsock *vs, const struct packet *pkt)
{
	struct reply *reply = malloc(sizeof(*reply));

	if (!reply) {
		/* A few hundred bytes short there is no going on. */
		log_error("out of memory");
		abort();
	}
	reply->pkt = *pkt;
	STAILQ_INSERT_TAIL(&vs->replies, reply, next);
	vs->reply_count++;
}

/* Answers a packet that belongs to nothing; a RST is never answered. */
static void refuse(struct vsock *vs, const struct packet *pkt)
{
	struct packet rst = header(vs, pkt->dst_port, pkt->src_port, pkt->type,
				   VIRTIO_VSOCK_OP_RST);

	if (pkt->op != VIRTIO_VSOCK_OP_RST)
		queue_reply(vs, &rst);
}

void vsock_send(struct conn *conn, uint16_t op, uint32_t flags, uint32_t len)
{
	struct packet pkt = conn_header(conn, op);

	pkt.flags = flags;
	pkt.len = len;
	conn->credit.told_fwd_cnt = pkt.fwd_cnt;
	packet_send(conn->vs->rxq, &pkt);
	conn->vs->packets_to_guest++;
}

void vsock_reset(struct conn *conn)
{
	struct packet rst = conn_header(conn, VIRTIO_VSOCK_OP_RST);

	if (conn->state == CONN_DEAD)
		return;
	log_verbose("host %u guest %u: reset", conn->host_port,
		    conn->guest_port);
	queue_reply(conn->vs, &rst);
	conn_kill(conn);
}

void vsock_connect(struct conn *conn, uint32_t guest_port)
{
	struct vsock *vs = conn->vs;

	if (!vs->running || vs->cid_is_news || !knows_type(vs, conn->type)) {
		conn_kill(conn);
		return;
	}
	do {
		if (++vs->last_port < PORT_FIRST)
			vs->last_port = PORT_FIRST;
	} while (conn_find(&vs->conns, vs->last_port, guest_port));
	log_verbose("host %u guest %u: request to guest", vs->last_port,
		    guest_port);
	conn_hash(conn, vs->last_port, guest_port);
	conn->state = CONN_CONNECTING;
	conn->pending = CONN_PEND_REQUEST;
	conn_timer_set(conn, CONN_TIMER_CONNECT);
	conn_schedule(conn);
}

static void on_request(struct vsock *vs, const struct packet *pkt)
{
	enum service kind = options_service(vs->opts, pkt->dst_port);
	struct conn *conn;

	if (kind == SERVICE_SILENT)
		return;
	if (kind == SERVICE_NONE)
		conn = unix_connect(vs, pkt->type, pkt->dst_port);
	else
		conn = conn_new(vs, service_ops(kind), pkt->type);
	log_verbose("host %u guest %u: request from guest %s", pkt->dst_port,
		    pkt->src_port, conn ? "accepted" : "refused");
	if (!conn) {
		refuse(vs, pkt);
		return;
	}
	conn_hash(conn, pkt->dst_port, pkt->src_port);
	conn->credit.peer_buf_alloc = pkt->buf_alloc;
	conn->state = CONN_OPEN;
	conn->pending = CONN_PEND_RESPONSE;
	flow_readable(conn);
}

static bool on_response(struct conn *conn)
{
	if (conn->state != CONN_CONNECTING)
		return false;
	conn->state = CONN_OPEN;
	conn_timer_clear(conn);
	conn->ops->accepted(conn);
	flow_readable(conn);
	return true;
}

static void on_reset(struct conn *conn)
{
	log_verbose("host %u guest %u: reset by guest", conn->host_port,
		    conn->guest_port);
	flow_orphan(conn);
}

/* False if the guest may not send this packet in this state. */
static bool deliver(struct conn *conn, const struct packet *pkt,
		    const struct iov *payload)
{
	if (pkt->op == VIRTIO_VSOCK_OP_RESPONSE)
		return on_response(conn);
	if (conn->state != CONN_OPEN)
		return false;
	switch (pkt->op) {
	case VIRTIO_VSOCK_OP_RW:
		return flow_from_guest(conn, payload, pkt->flags);
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		flow_guest_shutdown(conn, pkt->flags);
		return true;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		conn->pending |= CONN_PEND_CREDIT_UPDATE;
		conn_schedule(conn);
		return true;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
	case VIRTIO_VSOCK_OP_INVALID:
		return true;
	default:
		return false;
	}
}

/* What every header of a connection says about credit. */
static bool note_credit(struct conn *conn, const struct packet *pkt)
{
	struct credit *cr = &conn->credit;
	uint32_t room = credit_tx_room(cr), taken = cr->peer_fwd_cnt;

	if (!credit_note_peer(cr, pkt->buf_alloc, pkt->fwd_cnt))
		return false;
	if (credit_tx_room(cr) > room)
		conn_schedule(conn);
	/* The guest still reads what came before the end: let it. */
	if (conn->timed && conn->timer_kind == CONN_TIMER_CLOSE &&
	    cr->peer_fwd_cnt != taken)
		conn_timer_set(conn, CONN_TIMER_CLOSE);
	return true;
}

static void dispatch(struct vsock *vs, const struct packet *pkt,
		     const struct iov *payload)
{
	struct conn *conn;

	if (hostile_receive(vs->hostile, pkt) || pkt->src_cid != vs->cid)
		return;
	if (!knows_type(vs, pkt->type)) {
		refuse(vs, pkt);
		return;
	}
	conn = conn_find(&vs->conns, pkt->dst_port, pkt->src_port);
	if (!conn && pkt->op == VIRTIO_VSOCK_OP_REQUEST)
		on_request(vs, pkt);
	else if (!conn)
		refuse(vs, pkt);
	else if (pkt->op == VIRTIO_VSOCK_OP_RST)
		on_reset(conn);
	else if (pkt->type != conn->type || !note_credit(conn, pkt) ||
		 !deliver(conn, pkt, payload))
		vsock_reset(conn);
}

static bool receive_batch(struct vsock *vs)
{
	struct packet pkt;
	struct iov payload;
	int i;

	for (i = 0; i < BATCH && vs->reply_count < REPLIES_MAX; i++) {
		if (!packet_receive(vs->txq, &pkt, &payload))
			break;
		vs->packets_from_guest++;
		dispatch(vs, &pkt, &payload);
		if (!hostile_keep(vs->hostile, &pkt))
			packet_received(vs->txq);
	}
	virtq_flush(vs->txq);
	return i == BATCH;
}

/* A packet that is no connection's, or one of a connection's turn. */
static bool send_honest(struct vsock *vs)
{
	struct conn *conn;

	if (vs->reply_count) {
		packet_send(vs->rxq, &STAILQ_FIRST(&vs->replies)->pkt);
		vs->packets_to_guest++;
		drop_reply(vs);
		return true;
	}
	conn = conn_dequeue(&vs->conns);
	if (conn && flow_to_guest(conn))
		conn_schedule(conn);
	return conn;
}

static bool send_batch(struct vsock *vs)
{
	bool honest = true, hostile = true;
	int i;

	for (i = 0; i < BATCH && (honest || hostile); i++) {
		if (packet_room(vs->rxq))
			honest = send_honest(vs);
		if (packet_room(vs->rxq))
			hostile = hostile_send(vs->hostile);
		else
			break;
	}
	virtq_flush(vs->rxq);
	hostile_flushed(vs->hostile);
	return i == BATCH;
}

bool vsock_work(struct vsock *vs)
{
	bool more;

	if (!vs->running)
		return false;
	virtq_mute(vs->txq);
	virtq_mute(vs->rxq);
	more = receive_batch(vs);
	return send_batch(vs) || more;
}

bool vsock_rest(struct vsock *vs)
{
	bool more = false;

	if (!vs->running)
		return false;
	if (vs->reply_count < REPLIES_MAX)
		more = virtq_listen(vs->txq);
	if (vs->reply_count || !TAILQ_EMPTY(&vs->conns.run) ||
	    hostile_wants_buffer(vs->hostile))
		more |= virtq_listen(vs->rxq);
	return more;
}

void vsock_expire(struct vsock *vs)
{
	struct conn *conn;

	while ((conn = conn_timer_expired(&vs->conns))) {
		log_verbose("host %u guest %u: timed out", conn->host_port,
			    conn->guest_port);
		vsock_reset(conn);
	}
}
