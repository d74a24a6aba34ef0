// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flow control and the queues, with a host that plays unfair: windows of every
 * size that shrink and lie, floods, queues that nobody empties.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <linux/virtio_ring.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/fake.h"

#define KIB 1024
#define MIB (1024 * KIB)
#define WINDOW 4096 /* the least that START takes */

FIXTURE(window) {
	struct fake fake;
};

FIXTURE_SETUP(window)
{
	struct fake_options options = { .start.buf_alloc = WINDOW };

	fake_open(&self->fake, &options);
}

FIXTURE_TEARDOWN(window)
{
	fake_close(&self->fake);
}

static void put_stream(struct flow *flow, struct stream *stream, uint32_t len,
		       uint32_t packet)
{
	static uint8_t bytes[65536];

	while (len) {
		uint32_t part = len < packet ? len : packet;

		stream_fill(stream, bytes, part);
		flow_put_data(flow, bytes, part);
		len -= part;
	}
}

/* What the host may send now, as far as it was told. */
static uint32_t room(const struct flow *flow)
{
	return flow->guest_buf_alloc - (flow->sent - flow->guest_fwd_cnt);
}

static void expect_violation(struct flow *flow)
{
	flow_expect(flow, VIRTIO_VSOCK_OP_RST);
	expect_rst(&flow->fake->dev, flow->link.id, VSOCKDEV_RST_PROTOCOL,
		   EPROTO);
}

/* How much of what the program wrote waits in its socket. */
static int unsent(int sock)
{
	int bytes;

	if (ioctl(sock, SIOCOUTQ, &bytes))
		fail("SIOCOUTQ: %s", strerror(errno));
	return bytes;
}

/* The guest's window. */
TEST_F(window, may_be_filled_to_the_last_byte)
{
	struct flow flow = flow_connect(&self->fake);
	struct stream stream = { .seed = 1 };

	EXPECT_EQ(WINDOW, room(&flow));
	put_stream(&flow, &stream, WINDOW, WINDOW);
	receive_stream(flow.link.sock, 1, WINDOW);

	flow_expect(&flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	EXPECT_EQ(WINDOW, room(&flow));
	expect_no_packet(&self->fake);
}

TEST_F(window, overrun_by_one_packet_is_a_violation)
{
	struct flow flow = flow_connect(&self->fake);
	struct stream stream = { .seed = 1 };
	struct vsockdev_get_info before = info_of(self->fake.dev.fd);

	put_stream(&flow, &stream, WINDOW + 1, WINDOW + 1);

	expect_violation(&flow);
	expect_end(flow.link.sock, TRANSFER_RESET);
	EXPECT_EQ(before.rx_violations + 1,
		  info_of(self->fake.dev.fd).rx_violations);
	expect_usable(&self->fake);
}

/* Puts packets, whatever room there is for them, until RST comes. */
static void put_until_reset(struct flow *flow, uint32_t packet_size)
{
	struct stream stream = { .seed = 1 };
	struct packet packet = {};

	while (packet.op != VIRTIO_VSOCK_OP_RST) {
		put_stream(flow, &stream, packet_size, packet_size);
		while (fake_posted(flow->fake, FAKE_TX))
			packet = fake_take(flow->fake);
	}
}

/* The socket takes some, the window some, and then it is too much. */
TEST_F(window, overrun_by_many_packets_is_a_violation)
{
	struct flow flow = flow_connect(&self->fake);
	struct vsockdev_event event;

	put_until_reset(&flow, 512);

	event = expect_rst(&self->fake.dev, flow.link.id, VSOCKDEV_RST_PROTOCOL,
			   EPROTO);
	EXPECT_LT(event.rst.bytes_received, flow.sent);
	receive_to_end(flow.link.sock, 1, event.rst.bytes_received,
		       TRANSFER_RESET);
	count_packets(&self->fake, flow.link.addr, VIRTIO_VSOCK_OP_RST);
	expect_usable(&self->fake);
}

TEST_F(window, of_its_own_goes_before_that_of_start)
{
	struct vsockdev_send_request args = {
		.size = sizeof(args),
		.addr = host_addr(1),
		.buf_alloc = 2 * WINDOW,
	};
	struct packet packet;
	int pair[2];

	unix_pair(pair);
	args.socket_fd = pair[1];
	ASSERT_EQ(0, call(self->fake.dev.fd, VSOCKDEV_SEND_REQUEST, &args));

	packet = expect_packet(&self->fake, args.addr, VIRTIO_VSOCK_OP_REQUEST);

	EXPECT_EQ(2 * WINDOW, packet.buf_alloc);
}

/* Told at half the window, and not for each packet. */
TEST_F(window, is_told_of_in_time_and_not_too_often)
{
	struct flow flow = flow_connect(&self->fake);
	uint32_t before, updates, len = 64 * WINDOW;
	struct stream stream = { .seed = 1 };
	struct job *reader;

	before = info_of(self->fake.dev.fd).credit_updates;
	reader = start_receiving(flow.link.sock, TRANSFER(1, 1, 4096), len,
				 TRANSFER_DONE);
	while (flow.sent < len) {
		if (room(&flow) < 64)
			flow_expect(&flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
		else
			put_stream(&flow, &stream, 64, 64);
	}
	finish(reader);

	updates = info_of(self->fake.dev.fd).credit_updates - before;
	EXPECT_GE(updates, len / WINDOW - 1);
	EXPECT_LE(updates, 2 * len / WINDOW);
}

/* Each packet of the guest tells both numbers as they are. */
TEST_F(window, is_told_in_every_packet)
{
	struct flow flow = flow_new(&self->fake);
	struct stream stream = { .seed = 1 };

	flow.link = link_request(&self->fake.dev, flow.link.addr.remote_port);
	flow_expect(&flow, VIRTIO_VSOCK_OP_REQUEST);
	EXPECT_EQ(WINDOW, flow.guest_buf_alloc);
	flow.buf_alloc = 10;
	flow_put(&flow, VIRTIO_VSOCK_OP_RESPONSE);
	expect_event(&self->fake.dev, VSOCKDEV_EVENT_RESPONSE, flow.link.id);

	put_stream(&flow, &stream, 100, 100);
	receive_stream(flow.link.sock, 1, 100);
	flow.hoards = true;
	send_stream(flow.link.sock, 2, 100);
	while (flow.taken < flow.buf_alloc) {
		flow_expect(&flow, VIRTIO_VSOCK_OP_RW);
		EXPECT_EQ(100, flow.guest_fwd_cnt);
	}
	flow_expect(&flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	EXPECT_EQ(100, flow.guest_fwd_cnt);

	flow.waits = true;
	flow_put(&flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	flow_expect(&flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	EXPECT_EQ(100, flow.guest_fwd_cnt);
	ASSERT_EQ(0, send_shutdown(self->fake.dev.fd, flow.link.addr, 0,
				   VSOCKDEV_SHUTDOWN_SEND));
	flow_expect(&flow, VIRTIO_VSOCK_OP_SHUTDOWN);
	EXPECT_EQ(100, flow.guest_fwd_cnt);
	ASSERT_EQ(0, send_rst(self->fake.dev.fd, flow.link.addr, 0));
	flow_expect(&flow, VIRTIO_VSOCK_OP_RST);
	EXPECT_EQ(100, flow.guest_fwd_cnt);
}

TEST_F(window, is_told_in_a_response)
{
	struct flow flow = flow_accept(&self->fake);

	EXPECT_EQ(WINDOW, flow.guest_buf_alloc);
	EXPECT_EQ(0, flow.guest_fwd_cnt);
}

/* The host's window. */
FIXTURE(credit) {
	struct fake fake;
};

FIXTURE_SETUP(credit)
{
	struct fake_options options = { .queue_size = 16 };

	fake_open(&self->fake, &options);
}

FIXTURE_TEARDOWN(credit)
{
	fake_close(&self->fake);
}

TEST_F(credit, is_never_overdrawn)
{
	static const uint32_t windows[] = { 1, 2, 3, 100, 4096, 65536 };

	for (unsigned int i = 0; i < sizeof(windows) / sizeof(*windows); i++) {
		uint32_t len = windows[i] * 3 + 17;
		struct stream stream = { .seed = i };
		struct flow flow = flow_connect_with(&self->fake, windows[i]);
		struct job *writer;

		flow.hoards = true;
		flow.waits = true;
		writer = start_sending(flow.link.sock, TRANSFER(i, 1, 9000),
				       len, TRANSFER_DONE);
		while (flow.taken < len) {
			uint32_t left = len - flow.taken;
			uint32_t part = left < windows[i] ? left : windows[i];

			flow_expect_stream(&flow, &stream, part);
			flow.fwd_cnt = flow.taken;
			if (flow.taken < len)
				flow_put(&flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
		}
		finish(writer);
		ASSERT_EQ(0, send_rst(self->fake.dev.fd, flow.link.addr, 0));
		flow_expect(&flow, VIRTIO_VSOCK_OP_RST);
		link_close(&flow.link);
	}
}

/* Nothing divides by it, and nothing is sent. */
TEST_F(credit, of_nothing_sends_nothing_until_there_is_more)
{
	struct flow flow = flow_connect_with(&self->fake, 0);
	struct stream stream = { .seed = 1 };

	send_stream(flow.link.sock, 1, 1000);
	flow_expect(&flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	flow.waits = true;
	flow.buf_alloc = 10;
	flow_put(&flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	flow.hoards = true;
	flow_expect_stream(&flow, &stream, 10);
	flow_expect(&flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	flow.buf_alloc = 1000;
	flow_put(&flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	flow_expect_stream(&flow, &stream, 990);
}

TEST_F(credit, of_four_gib_is_fine)
{
	struct flow flow = flow_connect_with(&self->fake, UINT32_MAX);
	struct stream stream = { .seed = 1 };
	struct job *writer;

	writer = start_sending(flow.link.sock, TRANSFER(1, 65536, 65536),
			       4 * MIB, TRANSFER_DONE);
	flow.hoards = true;
	flow_expect_stream(&flow, &stream, 4 * MIB);
	finish(writer);
	expect_no_packet(&self->fake);
}

/* The largest number that a fwd_cnt can be ahead by, and the smallest. */
TEST_F(credit, for_what_was_never_sent_is_a_violation)
{
	static const uint32_t lies[] = { 11, 12, 1U << 31, UINT32_MAX };

	for (unsigned int i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct flow flow = flow_connect(&self->fake);
		struct stream stream = { .seed = 1 };

		send_stream(flow.link.sock, 1, 10);
		flow_expect_stream(&flow, &stream, 10);
		flow.fwd_cnt = lies[i];
		flow_put(&flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
		expect_violation(&flow);
		expect_end(flow.link.sock, TRANSFER_RESET);
	}
	expect_usable(&self->fake);
}

TEST_F(credit, does_not_go_backwards)
{
	struct flow flow = flow_connect(&self->fake);
	struct stream stream = { .seed = 1 };

	send_stream(flow.link.sock, 1, 10);
	flow_expect_stream(&flow, &stream, 10);
	flow_put(&flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	flow.fwd_cnt = 9;
	flow_put(&flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);

	expect_violation(&flow);
	expect_usable(&self->fake);
}

TEST_F(credit, before_anything_was_sent_is_a_violation)
{
	struct flow flow = flow_request(&self->fake);

	flow.fwd_cnt = 1;
	flow_put(&flow, VIRTIO_VSOCK_OP_RESPONSE);

	expect_violation(&flow);
	expect_end(flow.link.sock, TRANSFER_RESET);
}

/* Queues that nobody empties. */
static const struct fake_options tight = { .queue_size = 16 };

#define TIGHT_DATA 14 /* entries of its TX queue that data may take */
#define FILLER (4 * KIB) /* a packet that waits for no other to join it */

/* That many packets that the host does not take. */
static void fill_queue(struct fake *fake, struct flow *flow, uint32_t packets)
{
	static const char filler[FILLER];

	for (uint32_t i = 0; i < packets; i++) {
		if (send(flow->link.sock, filler, FILLER, MSG_NOSIGNAL) !=
		    FILLER)
			fail("send: %s", strerror(errno));
		WAIT_FOR(fake_posted(fake, FAKE_TX) == i + 1);
	}
}

static void expect_filler(struct flow *flow, uint32_t packets)
{
	for (uint32_t i = 0; i < packets; i++)
		if (flow_expect(flow, VIRTIO_VSOCK_OP_RW).len != FILLER)
			fail("a packet that is not one of those");
}

/* They are in the socket of none, and not in the queue. */
static void wait_until_staged(const struct flow *flow)
{
	WAIT_FOR(unsent(flow->link.sock) == 0);
}

FIXTURE(shrinking) {
	struct fake fake;
	struct flow filler;
	struct flow flow;
	struct stream stream;
};

/* 8 KiB of the flow wait behind a full queue. */
FIXTURE_SETUP(shrinking)
{
	fake_open(&self->fake, &tight);
	self->filler = flow_connect(&self->fake);
	self->flow = flow_connect(&self->fake);
	self->flow.waits = true;
	self->flow.hoards = true;
	self->stream = (struct stream){ .seed = 1 };
	fill_queue(&self->fake, &self->filler, TIGHT_DATA);
	send_stream(self->flow.link.sock, 1, 8 * KIB);
	wait_until_staged(&self->flow);
}

FIXTURE_TEARDOWN(shrinking)
{
	fake_close(&self->fake);
}

static void set_window(struct flow *flow, uint32_t window)
{
	flow->buf_alloc = window;
	flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	wait_until_handled(flow->fake);
}

/* The room that is left is used, the rest waits; no byte is lost. */
TEST_F(shrinking, to_less_than_a_packet_splits_it)
{
	set_window(&self->flow, 1000);
	expect_filler(&self->filler, TIGHT_DATA);

	flow_expect_stream(&self->flow, &self->stream, 1000);
	flow_expect(&self->flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	set_window(&self->flow, 1001);
	flow_expect_stream(&self->flow, &self->stream, 1);
	set_window(&self->flow, 64 * KIB);
	flow_expect_stream(&self->flow, &self->stream, 8 * KIB - 1001);
}

TEST_F(shrinking, to_nothing_stops_it)
{
	set_window(&self->flow, 0);
	expect_filler(&self->filler, TIGHT_DATA);

	flow_expect(&self->flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	set_window(&self->flow, 64 * KIB);
	flow_expect_stream(&self->flow, &self->stream, 8 * KIB);
}

/* Below what is on its way: there is no room, and less than that. */
TEST_F(shrinking, to_less_than_is_unread_does_not_underflow)
{
	struct flow *flow = &self->flow;

	expect_filler(&self->filler, TIGHT_DATA);
	flow_expect_stream(flow, &self->stream, 8 * KIB);
	set_window(flow, 100);
	send_stream(flow->link.sock, 2, 100);

	flow_expect(flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	flow->fwd_cnt = 8 * KIB - 50;
	flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	self->stream = (struct stream){ .seed = 2 };
	flow_expect_stream(flow, &self->stream, 50);
	flow->fwd_cnt = flow->taken;
	flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	flow_expect_stream(flow, &self->stream, 50);
}

FIXTURE(full) {
	struct fake fake;
	struct flow filler;
};

FIXTURE_SETUP(full)
{
	fake_open(&self->fake, &tight);
	self->filler = flow_connect(&self->fake);
}

FIXTURE_TEARDOWN(full)
{
	fake_close(&self->fake);
}

/* What data may not take is for control packets, and beyond it they wait. */
TEST_F(full, queue_loses_no_control_packet)
{
	enum { COUNT = 40 };
	struct flow flows[COUNT], requests[COUNT];

	for (int i = 0; i < COUNT; i++)
		flows[i] = flow_connect(&self->fake);
	for (int i = 0; i < COUNT; i++)
		requests[i] = flow_dial(&self->fake);
	fill_queue(&self->fake, &self->filler, TIGHT_DATA);
	for (int i = 0; i < COUNT; i++) {
		struct vsockdev_event event;

		event = expect_request(&self->fake.dev,
				       requests[i].link.addr.local_port);
		requests[i].link = link_accept(&self->fake.dev, &event);
		ASSERT_EQ(0, send_shutdown(self->fake.dev.fd,
					   flows[i].link.addr, 0, 0));
		ASSERT_EQ(0, send_rst(self->fake.dev.fd,
				      requests[i].link.addr, 0));
		requests[i].link.id = event.conn_id;
	}
	ASSERT_EQ(16, fake_posted(&self->fake, FAKE_TX));

	expect_filler(&self->filler, TIGHT_DATA);
	for (int i = 0; i < 2 * COUNT; i++) {
		struct packet packet = fake_take(&self->fake);

		/* It fitted before; RST makes the others moot */
		if (packet.op == VIRTIO_VSOCK_OP_RESPONSE)
			packet = fake_take(&self->fake);
		if (i % 2)
			check_packet(&self->fake, &packet,
				     requests[i / 2].link.addr,
				     VIRTIO_VSOCK_OP_RST);
		else
			check_packet(&self->fake, &packet,
				     flows[i / 2].link.addr,
				     VIRTIO_VSOCK_OP_SHUTDOWN);
	}
	expect_no_packet(&self->fake);
}

/* Each is answered, however many there are, and however late. */
TEST_F(full, queue_stops_the_host_that_provokes_replies)
{
	struct vsockdev_addr addr[400];
	struct vsockdev_get_info before = info_of(self->fake.dev.fd);
	uint8_t bytes[PACKET_HEADER];
	unsigned int count = 0;
	int error = 0;

	for (; count < sizeof(addr) / sizeof(*addr); count++) {
		struct packet packet;

		addr[count] = host_addr(new_port());
		packet = packet_from_host(&self->fake, addr[count],
					  VIRTIO_VSOCK_OP_REQUEST + 1);
		packet_encode(&packet, bytes);
		WAIT_FOR(fake_posted(&self->fake, FAKE_RX) ||
			 (count == 16 + 64 + 16 &&
			  info_of(self->fake.dev.fd).rx_packets -
					  before.rx_packets ==
				  16 + 64));
		error = fake_try_put(&self->fake, FAKE_RX, bytes,
				     sizeof(bytes), sizeof(bytes),
				     VSOCKDEV_FAKE_INTERRUPT_WANTED);
		if (error)
			break;
	}
	/* TX queue, replies that wait, and the RX queue: full */
	ASSERT_EQ(-EAGAIN, error);
	EXPECT_EQ(16 + 64 + 16, count);

	for (unsigned int i = 0; i < count; i++)
		expect_packet(&self->fake, addr[i], VIRTIO_VSOCK_OP_RST);
	expect_no_packet(&self->fake);
	EXPECT_EQ(count + 1, info_of(self->fake.dev.fd).rx_packets -
				     before.rx_packets);
	expect_usable(&self->fake);
}

/* Held and returned in any order. */
TEST_F(full, queue_is_emptied_in_any_order)
{
	struct packet held[TIGHT_DATA];
	struct stream stream = { .seed = 1 };

	fill_queue(&self->fake, &self->filler, TIGHT_DATA);
	for (int i = 0; i < TIGHT_DATA; i++)
		held[i] = fake_hold(&self->fake);
	for (int i = TIGHT_DATA - 1; i >= 0; i -= 2)
		fake_return(&self->fake, &held[i]);
	for (int i = 0; i < TIGHT_DATA; i += 2)
		fake_return(&self->fake, &held[i]);
	self->filler.taken += TIGHT_DATA;
	self->filler.fwd_cnt += TIGHT_DATA;

	send_stream(self->filler.link.sock, 1, 100 * KIB);
	self->filler.waits = true;
	while (stream.pos < 100 * KIB) {
		struct packet packet;

		packet = flow_expect(&self->filler, VIRTIO_VSOCK_OP_RW);
		ASSERT_EQ(packet.len, stream_check(&stream, packet.payload,
						   packet.len));
		flow_put(&self->filler, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	}
}

/* Floods. */
FIXTURE(flood) {
	struct fake fake;
	struct flow flow;
};

FIXTURE_SETUP(flood)
{
	fake_open(&self->fake, NULL);
	self->flow = flow_connect(&self->fake);
}

FIXTURE_TEARDOWN(flood)
{
	fake_close(&self->fake);
}

TEST_F_TIMEOUT(flood, of_empty_packets_does_nothing, 120)
{
	struct stream stream = { .seed = 1 };

	for (int i = 0; i < 20000; i++)
		flow_put_data(&self->flow, NULL, 0);

	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	expect_silence(self->flow.link.sock);
	put_stream(&self->flow, &stream, 100, 100);
	receive_stream(self->flow.link.sock, 1, 100);
}

/* A window of single bytes, of which the program reads none for a while. */
TEST_F_TIMEOUT(flood, of_single_bytes_is_delivered, 120)
{
	uint32_t len = room(&self->flow) / 8;
	struct stream stream = { .seed = 1 };

	put_stream(&self->flow, &stream, len, 1);

	receive_stream(self->flow.link.sock, 1, len);
	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
}

/* As full as it gets: that it could still go on is not seen, nor needed. */
static void wait_until_steady(struct fake *fake)
{
	uint32_t posted = 0, looks = 0;

	while (looks++ < 2000) {
		if (fake_posted(fake, FAKE_TX) == posted)
			continue;
		posted = fake_posted(fake, FAKE_TX);
		looks = 0;
	}
}

/* Another connection's packet is not behind all that this one has. */
TEST_F_TIMEOUT(flood, of_data_delays_others_by_little, 120)
{
	enum { BOUND = (512 + 2 * 64) * KIB, LEN = 16 * MIB };
	struct flow bulk = flow_connect_with(&self->fake, 64 * MIB);
	struct flow *small = &self->flow;
	struct job *writer;
	uint32_t ahead = 0;

	writer = start_sending(bulk.link.sock, TRANSFER(1, 65536, 65536), LEN,
			       TRANSFER_DONE);
	wait_until_steady(&self->fake);
	/*
	 * A quarter of the window is a packet. The socket is empty when the
	 * second one was made, and so the first one waits its turn.
	 */
	send_stream(small->link.sock, 2, 2 * small->buf_alloc / 4);
	wait_until_staged(small);

	for (;;) {
		struct packet packet = fake_take(&self->fake);

		if (packet.src_port == small->link.addr.local_port)
			break;
		ahead += packet.len;
	}
	EXPECT_LE(ahead, (uint32_t)BOUND);
	for (uint32_t taken = ahead; taken < LEN;) {
		struct packet packet = fake_take(&self->fake);

		if (packet.src_port == bulk.link.addr.local_port)
			taken += packet.len;
	}
	finish(writer);
}

TEST_F_TIMEOUT(flood, of_requests_is_refused_beyond_the_backlog, 120)
{
	enum { BACKLOG = 128, COUNT = 300 };
	struct flow flows[COUNT];

	for (int i = 0; i < COUNT; i++) {
		flows[i] = flow_dial(&self->fake);
		if (i >= BACKLOG)
			expect_packet(&self->fake, flows[i].link.addr,
				      VIRTIO_VSOCK_OP_RST);
	}
	expect_no_packet(&self->fake);
	for (int i = 0; i < BACKLOG; i++) {
		struct vsockdev_event event;

		event = expect_request(&self->fake.dev,
				       flows[i].link.addr.local_port);
		flow_put(&flows[i], VIRTIO_VSOCK_OP_RST);
		expect_event(&self->fake.dev, VSOCKDEV_EVENT_RST,
			     event.conn_id);
	}
	expect_no_packet(&self->fake);
	EXPECT_EQ(1, info_of(self->fake.dev.fd).conns);
}

/* Each leaves nothing behind, or this would end (CVE-2026-46214). */
TEST_F_TIMEOUT(flood, of_withdrawn_requests_leaves_nothing, 120)
{
	for (int i = 0; i < 5000; i++) {
		struct flow flow = flow_dial(&self->fake);

		flow_put(&flow, VIRTIO_VSOCK_OP_RST);
	}

	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	EXPECT_EQ(1, info_of(self->fake.dev.fd).conns);
	expect_usable(&self->fake);
}

TEST_HARNESS_MAIN
