// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that come and go, sleep and wake, reset and misbehave; and the fake
 * device itself, without which none of this would mean much.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/fake.h"

#define KIB 1024
#define EVENT_BUFS 8

static const struct fake_options not_started = { .no_start = true };

FIXTURE(plug) {
	struct fake fake;
};

FIXTURE_SETUP(plug)
{
	fake_open(&self->fake, NULL);
}

FIXTURE_TEARDOWN(plug)
{
	fake_close(&self->fake);
}

static void expect_echo(struct flow *flow)
{
	struct stream stream = { .seed = 1 };
	uint8_t bytes[100];

	send_stream(flow->link.sock, 1, sizeof(bytes));
	flow_expect_stream(flow, &stream, sizeof(bytes));
	stream = (struct stream){ .seed = 2 };
	stream_fill(&stream, bytes, sizeof(bytes));
	flow_put_data(flow, bytes, sizeof(bytes));
	receive_stream(flow->link.sock, 2, sizeof(bytes));
}

/* What the driver sets up, and takes back. */
TEST_F(plug, in_posts_buffers)
{
	struct vsockdev_fake_state state = fake_state(&self->fake);

	EXPECT_EQ(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			  VIRTIO_CONFIG_S_FEATURES_OK |
			  VIRTIO_CONFIG_S_DRIVER_OK,
		  state.status);
	EXPECT_EQ(1ULL << VIRTIO_F_VERSION_1, state.features);
	EXPECT_EQ(128, state.posted[FAKE_RX]);
	EXPECT_EQ(0, state.posted[FAKE_TX]);
	EXPECT_EQ(EVENT_BUFS, state.posted[FAKE_EVENTS]);
}

TEST_F(plug, out_takes_the_node_away_and_leaves_files_that_say_enodev)
{
	struct flow flow = flow_connect(&self->fake);

	fake_remove(&self->fake);

	EXPECT_NE(0, access(self->fake.node, F_OK));
	EXPECT_EQ(-ENODEV, stop(self->fake.dev.fd));
	EXPECT_EQ(-ENODEV, send_rst(self->fake.dev.fd, flow.link.addr, 0));
	EXPECT_EQ(POLLHUP | POLLERR,
		  poll_now(self->fake.dev.fd) & (POLLHUP | POLLERR));
	expect_end(flow.link.sock, TRANSFER_RESET);
}

/* Rings full both ways, chains that the device never returns. */
TEST_F(plug, out_with_everything_under_way)
{
	struct flow flow = flow_connect_with(&self->fake, 1 << 20);
	struct flow pending = flow_dial(&self->fake);
	struct flow connecting = flow_request(&self->fake);
	struct job *writer;
	uint8_t bytes[1000];

	(void)pending;
	writer = start_sending(flow.link.sock, TRANSFER(1, 4096, 4096),
			       TRANSFER_TO_END, TRANSFER_BROKEN);
	for (int i = 0; i < 8; i++)
		fake_hold(&self->fake);
	memset(bytes, 0, sizeof(bytes));
	while (!fake_try_put(&self->fake, FAKE_RX, bytes, sizeof(bytes),
			     sizeof(bytes), 0))
		;

	fake_remove(&self->fake);

	finish(writer);
	expect_end(connecting.link.sock, TRANSFER_RESET);
}

TEST_F_TIMEOUT(plug, in_and_out_again_and_again, 120)
{
	for (int i = 0; i < 20; i++) {
		struct fake fake;
		struct flow flow;

		fake_open(&fake, NULL);
		flow = flow_connect(&fake);
		expect_echo(&flow);
		fake_close(&fake);
		expect_end(flow.link.sock, TRANSFER_RESET);
		link_close(&flow.link);
	}
}

TEST_F(plug, in_twice_gives_two_devices_that_do_not_meet)
{
	struct flow flow = flow_connect(&self->fake), other;
	struct packet packet;
	struct fake fake;

	fake_open(&fake, &(struct fake_options){ .cid = 77 });
	EXPECT_STRNE(self->fake.node, fake.node);
	EXPECT_EQ(FAKE_CID, info_of(self->fake.dev.fd).cid);
	EXPECT_EQ(77, info_of(fake.dev.fd).cid);

	/* The address of one is nothing to the other */
	packet = packet_from_host(&fake, flow.link.addr, VIRTIO_VSOCK_OP_RST);
	fake_put(&fake, &packet);
	packet.op = VIRTIO_VSOCK_OP_RW;
	fake_put(&fake, &packet);
	expect_packet(&fake, flow.link.addr, VIRTIO_VSOCK_OP_RST);
	other = flow_accept(&fake);
	expect_echo(&flow);
	expect_echo(&other);
	fake_close(&fake);
	expect_end(other.link.sock, TRANSFER_RESET);
	expect_echo(&flow);
}

/* Sleeping and waking. */
static void expect_frozen(struct fake *fake)
{
	struct vsockdev_fake_state state = fake_state(fake);

	if (state.status || state.posted[FAKE_RX] || state.posted[FAKE_EVENTS])
		fail("not reset: status %u", state.status);
}

static void expect_reposted(struct fake *fake)
{
	struct vsockdev_fake_state state = fake_state(fake);

	if (state.posted[FAKE_RX] != 128 ||
	    state.posted[FAKE_EVENTS] != EVENT_BUFS)
		fail("%u RX and %u event buffers posted", state.posted[FAKE_RX],
		     state.posted[FAKE_EVENTS]);
}

static int reset_done(struct fake *fake, uint64_t generation)
{
	struct vsockdev_reset_done done = {
		.size = sizeof(done),
		.generation = generation,
	};

	return call(fake->dev.fd, VSOCKDEV_RESET_DONE, &done);
}

/* There was one, of that CID, and it is the owner's turn no more. */
static uint64_t acknowledge_reset(struct fake *fake, uint32_t cid)
{
	struct vsockdev_event event;
	int error;

	event = expect_event(&fake->dev, VSOCKDEV_EVENT_TRANSPORT_RESET, 0);
	if (event.transport_reset.new_cid != cid)
		fail("new CID %u", event.transport_reset.new_cid);
	error = reset_done(fake, event.transport_reset.generation);
	if (error)
		fail("RESET_DONE: %s", strerror(-error));
	return event.transport_reset.generation;
}

TEST_F(plug, freeze_and_restore_is_a_transport_reset)
{
	struct flow flow = flow_connect(&self->fake);
	struct flow unread = flow_dial(&self->fake);

	(void)unread;
	expect_no_packet(&self->fake);
	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_FREEZE, NULL));
	expect_frozen(&self->fake);
	expect_end(flow.link.sock, TRANSFER_RESET);
	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_RESTORE, NULL));
	expect_reposted(&self->fake);
	acknowledge_reset(&self->fake, FAKE_CID);

	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	flow = flow_connect(&self->fake);
	expect_echo(&flow);
}

TEST_F(plug, frozen_calls_say_econnreset_and_do_not_wait)
{
	struct flow flow = flow_connect(&self->fake);
	int pair[2];

	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_FREEZE, NULL));
	unix_pair(pair);
	EXPECT_EQ(-ECONNRESET, send_request(self->fake.dev.fd, host_addr(1),
					    pair[1], NULL));
	EXPECT_EQ(0, send_rst(self->fake.dev.fd, flow.link.addr,
			      flow.link.id));
	EXPECT_EQ(FAKE_CID, info_of(self->fake.dev.fd).cid);
	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_RESTORE, NULL));
	acknowledge_reset(&self->fake, FAKE_CID);
	expect_usable(&self->fake);
}

TEST_F(plug, restore_with_another_cid)
{
	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_FREEZE, NULL));
	fake_set_cid(&self->fake, 1234, false);
	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_RESTORE, NULL));

	acknowledge_reset(&self->fake, 1234);
	EXPECT_EQ(1234, info_of(self->fake.dev.fd).cid);
	expect_usable(&self->fake);
}

TEST_F(plug, frozen_again_and_again)
{
	uint64_t last = 0, generation;

	for (int i = 0; i < 10; i++) {
		struct flow flow = flow_connect(&self->fake);

		ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_FREEZE,
				       NULL));
		ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_RESTORE,
				       NULL));
		generation = acknowledge_reset(&self->fake, FAKE_CID);
		EXPECT_GT(generation, last);
		last = generation;
		expect_end(flow.link.sock, TRANSFER_RESET);
		expect_usable(&self->fake);
		link_close(&flow.link);
	}
	EXPECT_EQ(0, info_of(self->fake.dev.fd).conns);
}

TEST_F(plug, frozen_without_an_owner_needs_no_acknowledgement)
{
	ASSERT_EQ(0, stop(self->fake.dev.fd));
	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_FREEZE, NULL));
	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_RESTORE, NULL));
	ASSERT_EQ(0, start(self->fake.dev.fd, NULL));

	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
}

TEST_F(plug, out_while_frozen)
{
	struct flow flow = flow_connect(&self->fake);

	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_FREEZE, NULL));
	fake_remove(&self->fake);

	EXPECT_EQ(-ENODEV, stop(self->fake.dev.fd));
	expect_end(flow.link.sock, TRANSFER_RESET);
}

TEST_F(plug, frozen_with_a_full_queue)
{
	struct flow flow = flow_connect_with(&self->fake, 1 << 20);
	struct job *writer;

	writer = start_sending(flow.link.sock, TRANSFER(1, 65536, 65536),
			       TRANSFER_TO_END, TRANSFER_BROKEN);
	fake_hold(&self->fake);
	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_FREEZE, NULL));
	finish(writer);
	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_RESTORE, NULL));
	acknowledge_reset(&self->fake, FAKE_CID);
	EXPECT_EQ(0, fake_posted(&self->fake, FAKE_TX));
	expect_usable(&self->fake);
}

/* Transport resets. */
TEST_F(plug, reset_reposts_the_event_buffer_at_once)
{
	for (int i = 0; i < 3 * EVENT_BUFS; i++) {
		fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
		WAIT_FOR(fake_posted(&self->fake, FAKE_EVENTS) == EVENT_BUFS);
	}
}

TEST_F(plug, reset_ends_connections_without_a_packet)
{
	struct flow flow = flow_connect(&self->fake);
	struct flow connecting = flow_request(&self->fake);

	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);

	expect_end(flow.link.sock, TRANSFER_RESET);
	expect_end(connecting.link.sock, TRANSFER_RESET);
	acknowledge_reset(&self->fake, FAKE_CID);
	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	EXPECT_EQ(0, info_of(self->fake.dev.fd).conns);
}

TEST_F(plug, reset_reads_the_cid_again)
{
	fake_set_cid(&self->fake, 99, false);
	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);

	acknowledge_reset(&self->fake, 99);
	EXPECT_EQ(99, info_of(self->fake.dev.fd).cid);
	expect_usable(&self->fake);
}

TEST_F(plug, another_cid_is_a_reset)
{
	struct flow flow = flow_connect(&self->fake);

	fake_set_cid(&self->fake, 99, true);

	acknowledge_reset(&self->fake, 99);
	expect_end(flow.link.sock, TRANSFER_RESET);
	expect_usable(&self->fake);
}

/* Both queue the same work, so the second has looked when the reset is told. */
TEST_F(plug, the_same_cid_is_no_reset)
{
	struct flow flow = flow_connect(&self->fake);
	uint64_t generation = info_of(self->fake.dev.fd).generation;

	for (int i = 0; i < 10; i++)
		fake_set_cid(&self->fake, FAKE_CID, true);
	expect_echo(&flow);
	fake_set_cid(&self->fake, 99, true);
	EXPECT_EQ(generation + 1, acknowledge_reset(&self->fake, 99));
}

TEST_F(plug, a_second_reset_takes_the_place_of_the_first)
{
	struct vsockdev_event event;

	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	event = expect_event(&self->fake.dev, VSOCKDEV_EVENT_TRANSPORT_RESET,
			     0);
	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	WAIT_FOR(info_of(self->fake.dev.fd).generation ==
		 event.transport_reset.generation + 1);

	EXPECT_EQ(-ESTALE, reset_done(&self->fake,
				      event.transport_reset.generation));
	acknowledge_reset(&self->fake, FAKE_CID);
	EXPECT_EQ(-EALREADY, reset_done(&self->fake,
					event.transport_reset.generation + 1));
	expect_usable(&self->fake);
}

TEST_F(plug, requests_wait_until_the_reset_is_acknowledged)
{
	struct vsockdev_event event;
	struct flow flow;

	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	event = expect_event(&self->fake.dev, VSOCKDEV_EVENT_TRANSPORT_RESET,
			     0);
	flow = flow_dial(&self->fake);
	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	ASSERT_EQ(0, reset_done(&self->fake, event.transport_reset.generation));

	event = expect_request(&self->fake.dev, flow.link.addr.local_port);
	flow.link = link_accept(&self->fake.dev, &event);
	flow_expect(&flow, VIRTIO_VSOCK_OP_RESPONSE);
	expect_echo(&flow);
}

/* Events that are none. */
TEST_F(plug, unknown_events_are_ignored)
{
	uint64_t generation = info_of(self->fake.dev.fd).generation;
	static const uint32_t lengths[] = { 0, 1, 3, 5, 100, UINT32_MAX };
	uint32_t id = htole32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);

	fake_event(&self->fake, 1);
	fake_event(&self->fake, UINT32_MAX);
	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		WAIT_FOR(fake_posted(&self->fake, FAKE_EVENTS));
		ASSERT_EQ(0, fake_try_put(&self->fake, FAKE_EVENTS, &id,
					  sizeof(id), lengths[i],
					  VSOCKDEV_FAKE_INTERRUPT_ALWAYS));
	}
	WAIT_FOR(fake_posted(&self->fake, FAKE_EVENTS) == EVENT_BUFS);
	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	EXPECT_EQ(generation + 1, acknowledge_reset(&self->fake, FAKE_CID));
	expect_usable(&self->fake);
}

/* Interrupts for nothing. */
TEST_F(plug, spurious_interrupts_are_ignored)
{
	for (int i = 0; i < 1000; i++)
		for (int queue = 0; queue < VSOCKDEV_FAKE_QUEUES; queue++)
			fake_interrupt(&self->fake, queue);

	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
}

/* A device that returns what it was never given is as good as gone. */
FIXTURE(broken) {
	struct fake fake;
};

FIXTURE_VARIANT(broken) {
	uint32_t queue;
	uint32_t id;
};

FIXTURE_VARIANT_ADD(broken, rx) {
	.queue = FAKE_RX,
	.id = 12345678,
};

FIXTURE_VARIANT_ADD(broken, tx) {
	.queue = FAKE_TX,
	.id = 12345678,
};

FIXTURE_VARIANT_ADD(broken, tx_unused_entry) {
	.queue = FAKE_TX,
	.id = FAKE_QUEUE_SIZE - 1,
};

FIXTURE_VARIANT_ADD(broken, event) {
	.queue = FAKE_EVENTS,
	.id = UINT32_MAX,
};

FIXTURE_SETUP(broken)
{
	fake_open(&self->fake, NULL);
}

FIXTURE_TEARDOWN(broken)
{
	fake_close(&self->fake);
}

TEST_F(broken, queue_harms_nobody)
{
	struct flow flow = flow_connect(&self->fake);
	struct vsockdev_fake_return lie = {
		.id = variant->id,
		.queue = variant->queue,
		.flags = VSOCKDEV_FAKE_LIE | VSOCKDEV_FAKE_INTERRUPT_ALWAYS,
	};
	struct fake other;

	struct pollfd node = { .fd = self->fake.dev.fd };

	ASSERT_EQ(0, fake_call(&self->fake, VSOCKDEV_FAKE_RETURN, &lie));
	expect_end(flow.link.sock, TRANSFER_RESET);
	WAIT_FOR(poll(&node, 1, 0) == 1);
	EXPECT_EQ(POLLHUP | POLLERR, node.revents);
	EXPECT_EQ(-ENODEV, stop(self->fake.dev.fd));
	EXPECT_EQ(-ENODEV, send_rst(self->fake.dev.fd, flow.link.addr, 0));
	fake_open(&other, NULL);
	expect_usable(&other);
	fake_close(&other);
	fake_remove(&self->fake);
}

/* Rings of every kind. */
FIXTURE(ring) {
	struct fake fake;
};

FIXTURE_VARIANT(ring) {
	struct fake_options options;
};

#define INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)

#define RING(name, size, bits)                  \
	FIXTURE_VARIANT_ADD(ring, name) {       \
		.options.queue_size = (size),   \
		.options.features = (bits),     \
	}

RING(of_1, 1, 0);
RING(of_2, 2, 0);
RING(of_4, 4, EVENT_IDX);
RING(of_8, 8, INDIRECT);
RING(of_16, 16, EVENT_IDX | INDIRECT);
RING(of_256_with_events, 256, EVENT_IDX);
RING(of_1024, 1024, INDIRECT | EVENT_IDX);

FIXTURE_SETUP(ring)
{
	fake_open(&self->fake, &variant->options);
}

FIXTURE_TEARDOWN(ring)
{
	fake_close(&self->fake);
}

/* Sends and takes @len bytes at once, as one side may wait for the other. */
static void exchange(struct flow *flow, uint32_t len)
{
	struct stream out = { .seed = 1 }, in = { .seed = 2 };
	struct job *writer, *reader;
	uint8_t bytes[16 * KIB];

	writer = start_sending(flow->link.sock, TRANSFER(1, 1, 20000), len,
			       TRANSFER_DONE);
	reader = start_receiving(flow->link.sock, TRANSFER(2, 1, 20000), len,
				 TRANSFER_DONE);
	while (out.pos < len || flow->guest_fwd_cnt < len) {
		uint32_t part = len - in.pos;
		struct packet packet;

		if (part > sizeof(bytes))
			part = sizeof(bytes);
		if (part && flow->sent + part - flow->guest_fwd_cnt <=
				    flow->guest_buf_alloc) {
			stream_fill(&in, bytes, part);
			flow_put_data(flow, bytes, part);
			if (!fake_posted(flow->fake, FAKE_TX))
				continue;
		} else if (!part) {
			flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
		}
		packet = flow_expect_any(flow);
		if (packet.op == VIRTIO_VSOCK_OP_RW &&
		    stream_check(&out, packet.payload, packet.len) !=
			    packet.len)
			fail("a wrong byte");
	}
	finish(writer);
	finish(reader);
}

TEST_F_TIMEOUT(ring, carries_bytes_both_ways, 120)
{
	struct flow flow = flow_connect(&self->fake);

	EXPECT_EQ(variant->options.features | 1ULL << VIRTIO_F_VERSION_1,
		  fake_state(&self->fake).features);
	exchange(&flow, 1024 * KIB);
	/* After that nothing more can come of it, however full the ring is */
	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
	expect_event(&self->fake.dev, VSOCKDEV_EVENT_RST, flow.link.id);
	count_packets(&self->fake, flow.link.addr, ANY_OP);
	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
}

/* The fake device's own manners. */
TEST(fake_says_enodev_before_it_is_plugged_in)
{
	struct fake fake = { .fd = open("/dev/vsockdev_fake", O_RDWR) };
	struct vsockdev_fake_state state;

	ASSERT_LE(0, fake.fd);
	EXPECT_EQ(-ENODEV, fake_call(&fake, VSOCKDEV_FAKE_STATE, &state));
	EXPECT_EQ(-ENODEV, fake_call(&fake, VSOCKDEV_FAKE_REMOVE, NULL));
	EXPECT_EQ(-ENODEV, fake_call(&fake, VSOCKDEV_FAKE_FREEZE, NULL));
	EXPECT_EQ(-ENODEV, fake_try_put(&fake, FAKE_RX, "", 0, 0, 0));
	EXPECT_EQ(-ENOTTY, fake_call(&fake, 0, NULL));
	EXPECT_EQ(POLLHUP, poll_now(fake.fd));
	close(fake.fd);
}

TEST(fake_refuses_what_it_cannot_do)
{
	struct vsockdev_fake_add add = { .queue_size = 4096 };
	struct fake fake;

	fake_open(&fake, &not_started);
	EXPECT_EQ(-EBUSY, fake_call(&fake, VSOCKDEV_FAKE_ADD,
				    &(struct vsockdev_fake_add){
					    .queue_size = 4 }));
	fake_remove(&fake);
	EXPECT_EQ(-EINVAL, fake_call(&fake, VSOCKDEV_FAKE_ADD, &add));
	add.queue_size = 3;
	EXPECT_EQ(-EINVAL, fake_call(&fake, VSOCKDEV_FAKE_ADD, &add));
	add.queue_size = 4;
	add.features = 1ULL << VIRTIO_F_ACCESS_PLATFORM;
	EXPECT_EQ(-EINVAL, fake_call(&fake, VSOCKDEV_FAKE_ADD, &add));
	add.features = 0;
	EXPECT_EQ(0, fake_call(&fake, VSOCKDEV_FAKE_ADD, &add));
	fake_close(&fake);
}

TEST(fake_forgets_its_rings_when_it_is_reset)
{
	struct vsockdev_fake_take take = { .queue = FAKE_TX };
	struct fake fake;

	fake_open(&fake, NULL);
	EXPECT_EQ(-EAGAIN, fake_call(&fake, VSOCKDEV_FAKE_TAKE, &take));
	ASSERT_EQ(0, fake_call(&fake, VSOCKDEV_FAKE_FREEZE, NULL));
	EXPECT_EQ(-ENOLINK, fake_call(&fake, VSOCKDEV_FAKE_TAKE, &take));
	EXPECT_EQ(-ENOLINK, fake_try_put(&fake, FAKE_RX, "", 0, 0, 0));
	EXPECT_EQ(POLLHUP, poll_now(fake.fd));
	fake_close(&fake);
}

TEST(fake_holds_and_returns_each_chain_once)
{
	struct vsockdev_fake_return back = { .queue = FAKE_TX };
	struct packet packet;
	struct fake fake;

	fake_open(&fake, NULL);
	link_request(&fake.dev, 1);
	packet = fake_hold(&fake);
	EXPECT_EQ(VIRTIO_VSOCK_OP_REQUEST, packet.op);
	EXPECT_EQ(1, packet.chain.count);
	EXPECT_EQ(PACKET_HEADER, packet.chain.sizes[0]);
	EXPECT_EQ(1, fake_state(&fake).held[FAKE_TX]);
	EXPECT_EQ(packet.src_port, fake_look(&fake, &packet).src_port);
	fake_return(&fake, &packet);
	EXPECT_EQ(0, fake_state(&fake).held[FAKE_TX]);
	back.id = packet.chain.id;
	EXPECT_EQ(-ENOENT, fake_call(&fake, VSOCKDEV_FAKE_RETURN, &back));
	fake_close(&fake);
}

TEST(fake_buffers_have_their_size)
{
	static uint8_t bytes[65536];
	struct fake fake;

	fake_open(&fake, NULL);
	EXPECT_EQ(-EMSGSIZE, fake_try_put(&fake, FAKE_RX, bytes, 32769, 0, 0));
	EXPECT_EQ(0, fake_try_put(&fake, FAKE_RX, bytes, 32768, 32768, 0));
	EXPECT_EQ(-EMSGSIZE, fake_try_put(&fake, FAKE_EVENTS, bytes, 5, 0, 0));
	fake_close(&fake);
}

TEST_HARNESS_MAIN
