// SPDX-License-Identifier: GPL-2.0-only
/* Connections over a device that the test plays, and their flow control. */
#include "fake.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#undef flow_request
#undef flow_request_with
#undef flow_connect
#undef flow_connect_with
#undef flow_dial
#undef flow_accept
#undef flow_put
#undef flow_put_flags
#undef flow_put_data
#undef flow_expect
#undef flow_expect_any
#undef flow_expect_stream
#undef fake_put
#undef fake_take
#undef expect_event
#undef expect_request
#undef link_request_with
#undef link_accept

struct flow flow_new(struct fake *fake)
{
	return (struct flow){
		.fake = fake,
		.link = { .sock = -1, .addr = host_addr(new_port()) },
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.buf_alloc = FLOW_BUF_ALLOC,
	};
}

struct packet flow_packet(const struct flow *flow, uint16_t op)
{
	struct packet packet;

	packet = packet_from_host(flow->fake, flow->link.addr, op);
	packet.type = flow->type;
	packet.buf_alloc = flow->buf_alloc;
	packet.fwd_cnt = flow->fwd_cnt;
	return packet;
}

void flow_put_flags(struct flow *flow, uint16_t op, uint32_t flags)
{
	struct packet packet = flow_packet(flow, op);

	packet.flags = flags;
	fake_put(flow->fake, &packet);
}

void flow_put(struct flow *flow, uint16_t op)
{
	flow_put_flags(flow, op, 0);
}

void flow_put_data(struct flow *flow, const void *bytes, uint32_t len)
{
	struct packet packet = flow_packet(flow, VIRTIO_VSOCK_OP_RW);

	packet.len = len;
	packet.payload = bytes;
	fake_put(flow->fake, &packet);
	flow->sent += len;
}

/* The guest can have passed on only what it was sent, and takes nothing back. */
static void check_credit(struct flow *flow, const struct packet *packet)
{
	uint32_t passed_on = packet->fwd_cnt - flow->guest_fwd_cnt;

	if (!packet->buf_alloc ||
	    (flow->guest_buf_alloc &&
	     packet->buf_alloc != flow->guest_buf_alloc))
		fail("%s: buf_alloc is %u, and was %u", op_name(packet->op),
		     packet->buf_alloc, flow->guest_buf_alloc);
	if (passed_on > flow->sent - flow->guest_fwd_cnt)
		fail("%s: fwd_cnt is %u, and was %u; %u were sent",
		     op_name(packet->op), packet->fwd_cnt, flow->guest_fwd_cnt,
		     flow->sent);
	if (packet->type != flow->type)
		fail("%s: type is %u", op_name(packet->op), packet->type);
	flow->guest_buf_alloc = packet->buf_alloc;
	flow->guest_fwd_cnt = packet->fwd_cnt;
}

static void check_window(struct flow *flow, const struct packet *packet)
{
	uint32_t unread = flow->taken - flow->fwd_cnt;

	if (unread > flow->buf_alloc || packet->len > flow->buf_alloc - unread)
		fail("RW of %u bytes, with %u unread in a window of %u",
		     packet->len, unread, flow->buf_alloc);
}

/* What the host takes counts in the credit of both. */
void flow_note(struct flow *flow, const struct packet *packet)
{
	check_credit(flow, packet);
	if (packet->op != VIRTIO_VSOCK_OP_RW)
		return;
	check_window(flow, packet);
	flow->taken += packet->len;
	if (!flow->hoards)
		flow->fwd_cnt += packet->len;
}

struct packet flow_expect_any(struct flow *flow)
{
	struct packet packet = fake_take(flow->fake);

	check_packet(flow->fake, &packet, flow->link.addr, packet.op);
	flow_note(flow, &packet);
	return packet;
}

/* A guest that waits asks whenever it likes, as long as it waits. */
struct packet flow_expect(struct flow *flow, uint16_t op)
{
	struct packet packet;

	do {
		packet = flow_expect_any(flow);
	} while (flow->waits && packet.op != op &&
		 packet.op == VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	check_packet(flow->fake, &packet, flow->link.addr, op);
	return packet;
}

void flow_expect_stream(struct flow *flow, struct stream *stream, uint64_t len)
{
	while (len) {
		struct packet packet = flow_expect(flow, VIRTIO_VSOCK_OP_RW);

		if (packet.len > len)
			fail("RW of %u bytes, with %llu to come", packet.len,
			     (unsigned long long)len);
		if (stream_check(stream, packet.payload, packet.len) !=
		    packet.len)
			fail("a wrong byte at %llu of the stream",
			     (unsigned long long)stream->pos);
		len -= packet.len;
	}
}

struct flow flow_request_with(struct fake *fake, const int pair[2])
{
	struct flow flow = flow_new(fake);

	flow.link = link_request_with(&fake->dev, flow.link.addr.remote_port,
				      pair);
	flow_expect(&flow, VIRTIO_VSOCK_OP_REQUEST);
	return flow;
}

struct flow flow_request(struct fake *fake)
{
	int pair[2];

	unix_pair(pair);
	return flow_request_with(fake, pair);
}

struct flow flow_connect_with(struct fake *fake, uint32_t buf_alloc)
{
	struct flow flow = flow_request(fake);

	flow.buf_alloc = buf_alloc;
	flow_put(&flow, VIRTIO_VSOCK_OP_RESPONSE);
	expect_event(&fake->dev, VSOCKDEV_EVENT_RESPONSE, flow.link.id);
	return flow;
}

struct flow flow_connect(struct fake *fake)
{
	return flow_connect_with(fake, FLOW_BUF_ALLOC);
}

struct flow flow_dial(struct fake *fake)
{
	struct flow flow = flow_new(fake);

	flow_put(&flow, VIRTIO_VSOCK_OP_REQUEST);
	return flow;
}

struct flow flow_accept(struct fake *fake)
{
	struct flow flow = flow_dial(fake);
	struct vsockdev_event event;

	event = expect_request(&fake->dev, flow.link.addr.local_port);
	flow.link = link_accept(&fake->dev, &event);
	flow_expect(&flow, VIRTIO_VSOCK_OP_RESPONSE);
	return flow;
}
