// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host of a device that the mob has. It keeps to the rules as a rule, so
 * that connections live for a while; now and then it does not, or the device
 * itself sleeps, goes and comes.
 */
#include "mob.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define FLOWS 64
#define HELD 32
#define WINDOW 65536
#define PART 20000

/* What the host knows of a connection. */
struct end {
	bool known;
	struct vsockdev_addr addr;
	uint16_t type;
	uint32_t fwd_cnt; /* that it took */
	uint32_t sent;
	uint32_t room; /* up to which the guest takes it */
};

struct host {
	struct mob *mob;
	struct fake *fake;
	struct player dice;
	struct end ends[FLOWS];
	unsigned int device;
	uint32_t held[HELD]; /* ids + 1 of chains */
};

static bool one(struct host *host, uint32_t n)
{
	return one_in(&host->dice, n);
}

static struct end *find(struct host *host, struct vsockdev_addr addr)
{
	for (int i = 0; i < FLOWS; i++)
		if (host->ends[i].known &&
		    !memcmp(&host->ends[i].addr, &addr, sizeof(addr)))
			return &host->ends[i];
	return NULL;
}

static struct end *any_end(struct host *host)
{
	unsigned int from = pick(&host->dice, 0, FLOWS - 1);

	for (int i = 0; i < FLOWS; i++)
		if (host->ends[(from + i) % FLOWS].known)
			return &host->ends[(from + i) % FLOWS];
	return NULL;
}

static struct end *enter(struct host *host, struct vsockdev_addr addr,
			 uint16_t type)
{
	struct end *end = find(host, addr) ?: &PICK(&host->dice, host->ends);

	*end = (struct end){ .known = true, .addr = addr, .type = type };
	return end;
}

static void put(struct host *host, const struct end *end, uint16_t op,
		uint32_t flags, uint32_t len)
{
	struct packet packet = packet_from_host(host->fake, end->addr, op);
	static uint8_t bytes[FAKE_BYTES_MAX], payload[PART];
	size_t size;

	packet.type = end->type;
	packet.flags = flags;
	packet.buf_alloc = WINDOW;
	packet.fwd_cnt = end->fwd_cnt;
	packet.len = len;
	packet.payload = len ? payload : NULL;
	size = packet_bytes(&packet, bytes);
	if (one(host, 300)) /* no packet at all */
		memset(bytes + pick(&host->dice, 0, 40), 0xff, 4);
	fake_try_put(host->fake, FAKE_RX, bytes, size, size,
		     VSOCKDEV_FAKE_INTERRUPT_WANTED);
}

static void put_data(struct host *host)
{
	struct end *end = any_end(host);
	uint32_t len, room;

	if (!end)
		return;
	room = end->room - end->sent;
	len = pick(&host->dice, 0, one(host, 2) ? 100 : PART);
	if (room > WINDOW * 256U || (len > room && !one(host, 200)))
		return;
	put(host, end, VIRTIO_VSOCK_OP_RW,
	    one(host, 2) ? VIRTIO_VSOCK_SEQ_EOM : 0, len);
	end->sent += len;
}

static void put_request(struct host *host)
{
	struct vsockdev_addr addr = {
		.local_port = pick(&host->dice, 1, MOB_PORTS),
		.remote_cid = HOST_CID,
		.remote_port = pick(&host->dice, 1, MOB_PORTS),
	};
	struct end *end = enter(host, addr, pick(&host->dice, 1, 2));

	put(host, end, VIRTIO_VSOCK_OP_REQUEST, 0, 0);
}

static void put_end(struct host *host)
{
	struct end *end = any_end(host);

	if (!end)
		return;
	if (one(host, 2)) {
		put(host, end, VIRTIO_VSOCK_OP_SHUTDOWN,
		    pick(&host->dice, 0, 3), 0);
	} else {
		put(host, end, VIRTIO_VSOCK_OP_RST, 0, 0);
		end->known = false;
	}
}

static void put_any_op(struct host *host)
{
	struct end *end = any_end(host);

	if (end)
		put(host, end, pick(&host->dice, 0, 9),
		    pick(&host->dice, 0, 3), 0);
}

static void answer_request(struct host *host, const struct packet *packet,
			   struct vsockdev_addr addr)
{
	struct end *end = enter(host, addr, packet->type);

	end->room = packet->buf_alloc;
	if (one(host, 10))
		return; /* it will time out */
	put(host, end, one(host, 8) ? VIRTIO_VSOCK_OP_RST :
				      VIRTIO_VSOCK_OP_RESPONSE,
	    0, 0);
}

static void answer(struct host *host, const struct packet *packet)
{
	struct vsockdev_addr addr = {
		.local_port = packet->src_port,
		.remote_cid = packet->dst_cid,
		.remote_port = packet->dst_port,
	};
	struct end *end = find(host, addr);

	if (packet->op == VIRTIO_VSOCK_OP_REQUEST) {
		answer_request(host, packet, addr);
		return;
	}
	if (!end)
		return;
	end->room = packet->fwd_cnt + packet->buf_alloc;
	if (packet->op == VIRTIO_VSOCK_OP_RST)
		end->known = false;
	else if (packet->op == VIRTIO_VSOCK_OP_SHUTDOWN && !one(host, 5))
		put(host, end, VIRTIO_VSOCK_OP_RST, 0, 0);
	else if (packet->op == VIRTIO_VSOCK_OP_RW)
		end->fwd_cnt += packet->len;
	if (packet->op == VIRTIO_VSOCK_OP_CREDIT_REQUEST || one(host, 4))
		put(host, end, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, 0);
}

static void give_back(struct host *host)
{
	uint32_t *held = &PICK(&host->dice, host->held);
	struct vsockdev_fake_return arg = {
		.id = *held - 1,
		.queue = FAKE_TX,
		.flags = VSOCKDEV_FAKE_INTERRUPT_WANTED,
	};

	if (*held)
		fake_call(host->fake, VSOCKDEV_FAKE_RETURN, &arg);
	*held = 0;
}

/* What is held in the place of another one goes with the device. */
static void take(struct host *host)
{
	static uint8_t bytes[FAKE_BYTES_MAX];
	uint32_t *held = &PICK(&host->dice, host->held);
	bool hold = !*held && one(host, 6);
	struct vsockdev_fake_take chain = {
		.data = (uintptr_t)bytes,
		.room = sizeof(bytes),
		.queue = FAKE_TX,
		.flags = hold ? VSOCKDEV_FAKE_HOLD :
				VSOCKDEV_FAKE_INTERRUPT_WANTED,
	};
	struct packet packet;

	if (fake_call(host->fake, VSOCKDEV_FAKE_TAKE, &chain))
		return;
	if (hold)
		*held = chain.id + 1;
	packet_decode(&packet, bytes);
	answer(host, &packet);
}

static void forget(struct host *host)
{
	memset(host->ends, 0, sizeof(host->ends));
	memset(host->held, 0, sizeof(host->held));
}

static void add(struct host *host)
{
	struct vsockdev_fake_add add = {
		.features = pick(&host->dice, 0, 3),
		.cid = host->fake->cid,
		.queue_size = 1U << pick(&host->dice, 4, 8),
	};
	int error;

	error = fake_call(host->fake, VSOCKDEV_FAKE_ADD, &add);
	host->fake->index = add.index;
	if (error || !fake_find_node(host->fake))
		fail("the fake device does not come back: %d", error);
	snprintf(host->mob->nodes[host->device], sizeof(host->mob->nodes[0]),
		 "%s", host->fake->node);
}

/* Each of these resets the connections. */
static void shock(struct host *host)
{
	struct fake *fake = host->fake;

	forget(host);
	switch (pick(&host->dice, 1, 4)) {
	case 1:
		fake_try_event(fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
		break;
	case 2:
		fake_set_cid(fake, pick(&host->dice, 3, 9), !one(host, 4));
		break;
	case 3:
		fake_call(fake, VSOCKDEV_FAKE_FREEZE, NULL);
		fake_call(fake, VSOCKDEV_FAKE_RESTORE, NULL);
		break;
	case 4:
		if (!one(host, 3))
			break;
		fake_call(fake, VSOCKDEV_FAKE_REMOVE, NULL);
		add(host);
	}
}

static void turn(struct host *host)
{
	switch (pick(&host->dice, 1, 16)) {
	case 1:
	case 2:
		put_request(host);
		break;
	case 3:
	case 4:
		put_data(host);
		break;
	case 5:
		give_back(host);
		break;
	case 6:
		if (one(host, 12))
			put_end(host);
		break;
	case 7:
		if (one(host, 20))
			put_any_op(host);
		break;
	case 8:
		if (one(host, 10))
			shock(host);
		break;
	default:
		take(host);
	}
}

void mob_host(struct mob *mob, unsigned int device, struct fake *fake)
{
	struct host host = {
		.mob = mob,
		.fake = fake,
		.device = device,
		.dice = { .random = mob->seed + device },
	};
	struct pollfd fds = { .fd = fake->fd, .events = POLLIN };

	while (!atomic_load(&mob->over)) {
		if (one_in(&host.dice, 4))
			poll(&fds, 1, 1);
		turn(&host);
	}
}
