// SPDX-License-Identifier: GPL-2.0-only
/*
 * A storm of random packets. Each begins as one that an honest device could
 * send on one of its connections, or to open another, and some of its fields
 * may be spoiled then. Without the first part the guest would see little but
 * packets for no connection.
 *
 * All that is random about the Nth packet follows from the seed and N. When the
 * guest answers is not: so the same seed asks the same questions, of whatever
 * connections there are by then.
 */
#include "storm.h"

#include <stdlib.h>
#include <string.h>

#include "hostile.h"
#include "util.h"
#include "vsock.h"

#define FLOWS 64
#define PORTS 256 /* of the host; few, so that they come again soon */
#define HELD_MAX 16
#define RX_BUFFER (32u << 10)

/* A connection as far as it is known. */
struct flow {
	bool open; /* data may flow */
	bool called; /* by the guest, which awaits RESPONSE */
	uint16_t type;
	uint32_t host_port, guest_port;
	uint32_t fwd_cnt; /* what it sent */
	uint32_t sent;
	uint32_t guest_buf_alloc, guest_fwd_cnt;
};

struct storm {
	struct hostile *h;
	uint64_t seed, count, index;
	uint64_t dice; /* of this packet */
	unsigned int flow_count;
	struct flow flows[FLOWS];
};

static uint64_t next(struct storm *s)
{
	uint64_t x = s->dice += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* 0 to limit - 1 */
static uint32_t roll(struct storm *s, uint32_t limit)
{
	return next(s) % limit;
}

/* Small, large and special numbers alike */
static uint32_t any(struct storm *s)
{
	static const uint32_t special[] = {
		0, 1, 2, 43, 44, 45, 0x7fffffff, 0x80000000, 0xfffffffe,
		0xffffffff,
	};

	if (!roll(s, 4))
		return special[roll(s, ARRAY_SIZE(special))];
	return next(s) >> (32 + roll(s, 32));
}

static bool chance(struct storm *s, uint32_t percent)
{
	return roll(s, 100) < percent;
}

static struct flow *find(struct storm *s, uint32_t host_port,
			 uint32_t guest_port)
{
	for (unsigned int i = 0; i < s->flow_count; i++)
		if (s->flows[i].host_port == host_port &&
		    s->flows[i].guest_port == guest_port)
			return &s->flows[i];
	return NULL;
}

static void forget(struct storm *s, struct flow *flow)
{
	*flow = s->flows[--s->flow_count];
}

static struct flow *add(struct storm *s, uint32_t host_port,
			uint32_t guest_port, uint16_t type)
{
	struct flow *flow = find(s, host_port, guest_port);

	if (!flow && s->flow_count == FLOWS)
		flow = &s->flows[roll(s, FLOWS)];
	else if (!flow)
		flow = &s->flows[s->flow_count++];
	*flow = (struct flow) {
		.type = type,
		.host_port = host_port,
		.guest_port = guest_port,
	};
	return flow;
}

void storm_receive(struct storm *s, const struct packet *pkt)
{
	struct flow *flow = find(s, pkt->dst_port, pkt->src_port);

	if (pkt->op == VIRTIO_VSOCK_OP_REQUEST) {
		flow = add(s, pkt->dst_port, pkt->src_port, pkt->type);
		flow->called = true;
	}
	if (!flow)
		return;
	if (pkt->op == VIRTIO_VSOCK_OP_RST) {
		forget(s, flow);
		return;
	}
	if (pkt->op == VIRTIO_VSOCK_OP_RESPONSE)
		flow->open = true;
	else if (pkt->op == VIRTIO_VSOCK_OP_RW)
		flow->fwd_cnt += pkt->len;
	flow->guest_buf_alloc = pkt->buf_alloc;
	flow->guest_fwd_cnt = pkt->fwd_cnt;
}

static struct packet header(struct storm *s, const struct flow *flow,
			    uint16_t op)
{
	return (struct packet){
		.src_cid = HOST_CID,
		.dst_cid = s->h->vs->cid,
		.src_port = flow->host_port,
		.dst_port = flow->guest_port,
		.type = flow->type,
		.op = op,
		.buf_alloc = 64 << 10,
		.fwd_cnt = flow->fwd_cnt,
	};
}

/* The guest's ports where programs wait, see values.c; and now and then none. */
static uint32_t some_guest_port(struct storm *s)
{
	uint32_t port = 7000 + roll(s, 7) + 10 * roll(s, 3);

	return chance(s, 5) ? any(s) : port;
}

static struct packet request(struct storm *s)
{
	uint16_t type = chance(s, 30) && s->h->vs->seqpacket ?
				VIRTIO_VSOCK_TYPE_SEQPACKET :
				VIRTIO_VSOCK_TYPE_STREAM;
	struct flow *flow = add(s, HOSTILE_PORT_FIRST + roll(s, PORTS),
				some_guest_port(s), type);

	return header(s, flow, VIRTIO_VSOCK_OP_REQUEST);
}

static struct packet data(struct storm *s, struct flow *flow)
{
	struct packet pkt = header(s, flow, VIRTIO_VSOCK_OP_RW);
	uint32_t room = flow->guest_buf_alloc -
			(flow->sent - flow->guest_fwd_cnt);
	uint32_t most = chance(s, 50) ? 2 : RX_BUFFER - PACKET_HEADER_SIZE + 1;

	pkt.len = roll(s, most);
	if (pkt.len > room)
		pkt.len = min(room, RX_BUFFER - (uint32_t)PACKET_HEADER_SIZE);
	if (flow->type == VIRTIO_VSOCK_TYPE_SEQPACKET && chance(s, 60))
		pkt.flags = VIRTIO_VSOCK_SEQ_EOM;
	flow->sent += pkt.len;
	return pkt;
}

/* What an honest device may send on this connection as it is. */
static struct packet plausible(struct storm *s, struct flow *flow)
{
	struct packet pkt;
	uint32_t dice = roll(s, 100);

	if (flow->called) {
		flow->called = false;
		flow->open = true;
		return header(s, flow, VIRTIO_VSOCK_OP_RESPONSE);
	}
	if (flow->open && dice < 70)
		return data(s, flow);
	if (dice < 82)
		return header(s, flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	if (dice < 90)
		return header(s, flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	if (dice < 96) {
		pkt = header(s, flow, VIRTIO_VSOCK_OP_SHUTDOWN);
		pkt.flags = roll(s, 4);
		return pkt;
	}
	return header(s, flow, VIRTIO_VSOCK_OP_RST);
}

static struct packet choose(struct storm *s)
{
	struct flow *flow;

	if (!s->flow_count || chance(s, 12))
		return request(s);
	flow = &s->flows[roll(s, s->flow_count)];
	if (chance(s, 10))
		return header(s, flow, roll(s, 10));
	return plausible(s, flow);
}

static uint64_t some_cid(struct storm *s)
{
	static const uint64_t cids[] = {
		0, 1, HOST_CID, 3, 77, UINT32_MAX,
		1ULL << 32 | HOST_CID, UINT64_MAX,
	};

	return cids[roll(s, ARRAY_SIZE(cids))];
}

static void spoil(struct storm *s, struct packet *pkt, uint32_t *used)
{
	switch (roll(s, 14)) {
	case 0:
		pkt->src_cid = some_cid(s);
		break;
	case 1:
		pkt->dst_cid = some_cid(s);
		break;
	case 2:
		pkt->src_port = any(s);
		break;
	case 3:
		pkt->dst_port = any(s);
		break;
	case 4:
		pkt->len = any(s);
		break;
	case 5:
		pkt->len = roll(s, RX_BUFFER);
		*used = PACKET_HEADER_SIZE + pkt->len;
		break;
	case 6:
		pkt->type = any(s);
		break;
	case 7:
		pkt->op = any(s);
		break;
	case 8:
		pkt->op = roll(s, 8);
		break;
	case 9:
		pkt->flags = any(s);
		break;
	case 10:
		pkt->buf_alloc = any(s);
		break;
	case 11:
		pkt->fwd_cnt = any(s);
		break;
	case 12:
		pkt->fwd_cnt += roll(s, 3) - 1;
		break;
	default:
		*used = any(s);
	}
}

/* Some chains go back late, and in another order. */
static void play_with_chains(struct storm *s)
{
	struct hostile *h = s->h;

	if (h->held_count >= HELD_MAX)
		hostile_release(h, h->held_count, chance(s, 50));
	else if (chance(s, 10))
		hostile_release(h, roll(s, HELD_MAX), chance(s, 50));
	h->hold = chance(s, 20) ? HOSTILE_HOLD_OWN : HOSTILE_HOLD_NONE;
	h->hold_left = HELD_MAX;
	h->hold_least = 0;
}

bool storm_run(struct storm *s)
{
	struct packet pkt;
	uint32_t used;

	if (s->index == s->count)
		return false;
	s->dice = s->seed ^ s->index++ * 0xd1342543de82ef95ULL;
	play_with_chains(s);
	pkt = choose(s);
	used = PACKET_HEADER_SIZE + pkt.len;
	while (chance(s, 20))
		spoil(s, &pkt, &used);
	/* Whom it would meet by chance it leaves alone. */
	if (hostile_is_honest(s->h, &pkt))
		pkt.src_port = HOSTILE_PORT_FIRST + roll(s, PORTS);
	if (chance(s, 3))
		hostile_scribble(s->h, next(s));
	hostile_put(s->h, &pkt, used);
	return true;
}

struct storm *storm_start(struct hostile *h, uint64_t seed, uint64_t count)
{
	struct storm *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->h = h;
	s->seed = seed;
	s->count = count;
	return s;
}

void storm_free(struct storm *s)
{
	free(s);
}

unsigned int storm_flows(const struct storm *s)
{
	return s->flow_count;
}
