// SPDX-License-Identifier: GPL-2.0-only
/* SEQPACKET connections over a device that the test plays. */
#include "talk.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#undef fake_open
#undef fake_put
#undef fake_take
#undef flow_expect
#undef flow_put
#undef flow_put_flags
#undef expect_event
#undef expect_request
#undef expect_rst
#undef expect_shutdown
#undef expect_end
#undef link_request_with
#undef link_accept_with
#undef talk_plug
#undef talk_begin
#undef talk_request
#undef talk_open
#undef talk_connect_with
#undef talk_connect
#undef talk_dial
#undef talk_accept
#undef talk_connect_narrow
#undef talk_connect_blocked
#undef program_sends
#undef program_gets
#undef program_gets_end
#undef host_takes
#undef host_syncs
#undef host_gets
#undef host_gets_end
#undef host_puts
#undef host_sends_part
#undef host_sends
#undef host_begins
#undef host_asks
#undef host_fills
#undef host_ends
#undef owner_gets_rst
#undef owner_gets_shutdown
#undef expect_working
#undef set_buffer

void talk_plug(struct fake *fake, uint32_t buf_alloc)
{
	struct fake_options options = {
		.features = 1ULL << VIRTIO_VSOCK_F_SEQPACKET,
		.start.buf_alloc = buf_alloc,
	};

	fake_open(fake, &options);
}

static struct talk *talks; /* of this test */

static uint32_t talk_port(const struct talk *talk)
{
	return talk->flow.link.addr.local_port;
}

/* @flow is copied; the seeds are the port's, so no two talks say the same. */
void talk_begin(struct talk *talk, const struct flow *flow)
{
	memset(talk, 0, sizeof(*talk));
	talk->flow = *flow;
	talk->wrote.seed = 2ULL * talk_port(talk);
	talk->got.seed = talk->wrote.seed;
	talk->sent.seed = talk->wrote.seed + 1;
	talk->read.seed = talk->sent.seed;
	talk->next = talks;
	talks = talk;
}

void talk_end(struct talk *talk)
{
	struct talk **place = &talks;

	while (*place != talk)
		place = &(*place)->next;
	*place = talk->next;
}

/* Between REQUEST and RESPONSE. The second of the pair is closed here. */
void talk_request(struct talk *talk, struct fake *fake, uint16_t type,
		  const int pair[2])
{
	struct flow flow = flow_new(fake);

	flow.type = type;
	flow.link =
		link_request_with(&fake->dev, flow.link.addr.remote_port, pair);
	flow_expect(&flow, VIRTIO_VSOCK_OP_REQUEST);
	talk_begin(talk, &flow);
}

void talk_open(struct talk *talk)
{
	struct flow *flow = &talk->flow;

	flow_put(flow, VIRTIO_VSOCK_OP_RESPONSE);
	expect_event(&flow->fake->dev, VSOCKDEV_EVENT_RESPONSE, flow->link.id);
}

void talk_connect_with(struct talk *talk, struct fake *fake, const int pair[2])
{
	talk_request(talk, fake, SEQPACKET, pair);
	talk_open(talk);
}

void talk_connect(struct talk *talk, struct fake *fake)
{
	int pair[2];

	seqpacket_pair(pair);
	talk_connect_with(talk, fake, pair);
}

struct vsockdev_event talk_dial(struct talk *talk, struct fake *fake,
				uint16_t type)
{
	struct flow flow = flow_new(fake);
	struct vsockdev_event event;

	flow.type = type;
	flow_put(&flow, VIRTIO_VSOCK_OP_REQUEST);
	event = expect_request(&fake->dev, flow.link.addr.local_port);
	talk_begin(talk, &flow);
	return event;
}

void talk_accept(struct talk *talk, struct fake *fake)
{
	struct vsockdev_event event = talk_dial(talk, fake, SEQPACKET);
	int pair[2];

	seqpacket_pair(pair);
	talk->flow.link = link_accept_with(&fake->dev, &event, pair);
	flow_expect(&talk->flow, VIRTIO_VSOCK_OP_RESPONSE);
}

void set_buffer(int sock, int which, int bytes)
{
	if (setsockopt(sock, SOL_SOCKET, which, &bytes, sizeof(bytes)))
		fail("size of a socket's buffer: %s", strerror(errno));
}

/* The driver's end takes few messages, and the rest stay with the driver. */
void talk_connect_narrow(struct talk *talk, struct fake *fake)
{
	int pair[2];

	seqpacket_pair(pair);
	set_buffer(pair[1], SO_SNDBUF, SMALL_BUFFER);
	talk_connect_with(talk, fake, pair);
}

/* The program. */
void program_sends(struct talk *talk, uint32_t len)
{
	static uint8_t bytes[MIB];
	ssize_t n;

	stream_fill(&talk->wrote, bytes, len);
	n = send(talk->flow.link.sock, bytes, len, MSG_NOSIGNAL);
	if (n < 0)
		fail("writing a message of %u: %s", len, strerror(errno));
}

void program_gets(struct talk *talk, uint32_t len)
{
	static uint8_t bytes[MESSAGE_MAX];
	ssize_t n;

	n = recv(talk->flow.link.sock, bytes, sizeof(bytes), MSG_TRUNC);
	if (n < 0)
		fail("reading a message of %u: %s", len, strerror(errno));
	if ((size_t)n != len)
		fail("a message of %u is %zd long", len, n);
	if (stream_check(&talk->read, bytes, len) != len)
		fail("a message of %u has a wrong byte", len);
}

void program_gets_end(const struct talk *talk, enum transfer_end end)
{
	expect_end(talk->flow.link.sock, end);
}

void program_closes(struct talk *talk)
{
	link_close(&talk->flow.link);
}

/* The host. Packets of all talks come as they like, and data and credit are
 * dealt with at once.
 */
static void got_data(struct talk *talk, const struct packet *packet)
{
	uint64_t pos = talk->got.pos;

	if (!packet->len)
		fail("an empty RW packet");
	if (stream_check(&talk->got, packet->payload, packet->len) !=
	    packet->len)
		fail("a wrong byte at %llu of what the host got",
		     (unsigned long long)talk->got.pos);
	if (packet->flags & ~(talk->flow.type == SEQPACKET ? EOM : 0))
		fail("RW with flags %x", packet->flags);
	if (!talk->part)
		talk->packets = 0;
	talk->packets++;
	talk->part += talk->got.pos - pos;
	if (!(packet->flags & EOM))
		return;
	if (talk->count == TALK_MESSAGES)
		fail("too many messages wait at the host");
	talk->sizes[(talk->first + talk->count++) % TALK_MESSAGES] = talk->part;
	talk->part = 0;
}

static struct talk *talk_of(const struct packet *packet)
{
	struct talk *talk = talks;

	while (talk && talk_port(talk) != packet->src_port)
		talk = talk->next;
	if (!talk)
		fail("%s of a connection that there is not",
		     op_name(packet->op));
	return talk;
}

static void handle(const struct packet *packet)
{
	struct talk *talk = talk_of(packet);

	flow_note(&talk->flow, packet);
	switch (packet->op) {
	case VIRTIO_VSOCK_OP_RW:
		got_data(talk, packet);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		flow_put(&talk->flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
		break;
	default:
		if (talk->over == VIRTIO_VSOCK_OP_RST)
			fail("%s after RST", op_name(packet->op));
		talk->over = packet->op;
		talk->over_flags = packet->flags;
	}
}

void host_takes(struct fake *fake)
{
	struct packet packet = fake_take(fake);

	handle(&packet);
}

/* The driver has handled all that was put, and its answers were taken. */
void host_syncs(struct fake *fake)
{
	struct vsockdev_addr nobody = {
		.local_port = 1, /* below all of new_port() */
		.remote_cid = HOST_CID,
		.remote_port = 1,
	};
	struct packet packet;

	packet = packet_from_host(fake, nobody, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	fake_put(fake, &packet);
	for (packet = fake_take(fake); packet.src_port != nobody.local_port;
	     packet = fake_take(fake))
		handle(&packet);
}

void host_gets(struct talk *talk, uint32_t len)
{
	uint32_t size;

	while (!talk->count && !talk->over)
		host_takes(talk->flow.fake);
	if (!talk->count)
		fail("%s instead of a message of %u", op_name(talk->over), len);
	size = talk->sizes[talk->first++ % TALK_MESSAGES];
	talk->count--;
	if (size != len)
		fail("the host got a message of %u instead of %u", size, len);
}

/* And nothing but what was taken out with host_gets() before. */
void host_gets_end(struct talk *talk, uint16_t op, uint32_t flags)
{
	while (!talk->over)
		host_takes(talk->flow.fake);
	if (talk->over != op || talk->over_flags != flags)
		fail("%s with flags %u instead of %s with %u",
		     op_name(talk->over), talk->over_flags, op_name(op), flags);
	if (talk->count || talk->part)
		fail("%u messages and %u bytes before %s", talk->count,
		     talk->part, op_name(op));
	talk->over = 0;
}

uint32_t host_room(const struct talk *talk)
{
	const struct flow *flow = &talk->flow;

	return flow->guest_buf_alloc - (flow->sent - flow->guest_fwd_cnt);
}

/* With or without room. */
void host_puts(struct talk *talk, uint32_t len, uint32_t flags)
{
	struct packet packet = flow_packet(&talk->flow, VIRTIO_VSOCK_OP_RW);
	static uint8_t bytes[PART];

	stream_fill(&talk->sent, bytes, len);
	packet.len = len;
	packet.payload = bytes;
	packet.flags = flags;
	fake_put(talk->flow.fake, &packet);
	talk->flow.sent += len;
}

/*
 * As hosts do: whatever there is room for. When there is none, it waits until
 * the driver tells of some, and never asks. The flags are of the last packet.
 */
void host_sends_part(struct talk *talk, uint32_t len, uint32_t flags)
{
	while (true) {
		uint32_t room = host_room(talk);
		uint32_t n;

		if (len && !room) {
			host_takes(talk->flow.fake);
			continue;
		}
		n = len < PART ? len : PART;
		n = n < room ? n : room;
		host_puts(talk, n, n == len ? flags : 0);
		if (n == len)
			return;
		len -= n;
	}
}

/* A message, and one that goes on. */
void host_sends(struct talk *talk, uint32_t len)
{
	host_sends_part(talk, len, EOM);
}

void host_begins(struct talk *talk, uint32_t len)
{
	host_sends_part(talk, len, 0);
}

/* What the driver would tell of its credit now. */
uint32_t host_asks(struct talk *talk)
{
	flow_put(&talk->flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	host_syncs(talk->flow.fake);
	return talk->flow.guest_fwd_cnt;
}

/* Messages as long as there is room, which is all there was. */
unsigned int host_fills(struct talk *talk, uint32_t len)
{
	unsigned int count = 0;

	while (host_room(talk) >= len) {
		host_sends_part(talk, len, EOM);
		count++;
	}
	return count;
}

void host_ends(struct talk *talk, uint16_t op, uint32_t flags)
{
	flow_put_flags(&talk->flow, op, flags);
}

void owner_gets_rst(const struct talk *talk, uint32_t reason, int error)
{
	expect_rst(&talk->flow.fake->dev, talk->flow.link.id, reason, error);
}

void owner_gets_shutdown(const struct talk *talk, uint32_t directions)
{
	expect_shutdown(&talk->flow.fake->dev, talk->flow.link.id, directions);
}

void expect_working(struct talk *talk)
{
	program_sends(talk, 7);
	host_gets(talk, 7);
	host_sends(talk, 11);
	program_gets(talk, 11);
}

int outq(const struct talk *talk)
{
	int bytes;

	if (ioctl(talk->flow.link.sock, SIOCOUTQ, &bytes))
		fail("SIOCOUTQ: %s", strerror(errno));
	return bytes;
}

/* The host has no room: what the program writes stays in the driver. */
void talk_connect_blocked(struct talk *talk, struct fake *fake)
{
	talk_connect(talk, fake);
	talk->flow.hoards = true;
	program_sends(talk, WINDOW);
	host_gets(talk, WINDOW);
	WAIT_FOR(outq(talk) == 0);
}
