// SPDX-License-Identifier: GPL-2.0-only
/*
 * What went wrong in the driver that this one is modelled on: each fault has a
 * test of its name, with a host that brings it about.
 */
#include <errno.h>
#include <linux/memfd.h>
#include <linux/virtio_ring.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/fake.h"

#define KIB 1024
#define MIB (1024 * KIB)
#define LONG_SECONDS 300
#define BOTH (VSOCKDEV_SHUTDOWN_RECEIVE | VSOCKDEV_SHUTDOWN_SEND)

FIXTURE(fault) {
	struct fake fake;
};

FIXTURE_VARIANT(fault) {
	struct fake_options options;
};

FIXTURE_VARIANT_ADD(fault, plain) {
	.options = {},
};

/* All that a ring can be. */
FIXTURE_VARIANT_ADD(fault, fancy) {
	.options.features = 1ULL << VIRTIO_RING_F_INDIRECT_DESC |
			    1ULL << VIRTIO_RING_F_EVENT_IDX,
};

FIXTURE_VARIANT_ADD(fault, tight) {
	.options.queue_size = 16,
};

FIXTURE_SETUP(fault)
{
	fake_open(&self->fake, &variant->options);
}

FIXTURE_TEARDOWN(fault)
{
	fake_close(&self->fake);
}

/* The host takes all of a stream, in windows of @window bytes. */
static void take_stream(struct flow *flow, struct stream *stream, uint32_t len,
			uint32_t window)
{
	flow->waits = true;
	flow->hoards = true;
	while (len) {
		uint32_t part = len < window ? len : window;

		flow->fwd_cnt = flow->taken;
		flow->buf_alloc = window;
		flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
		flow_expect_stream(flow, stream, part);
		len -= part;
	}
}

/* SHUTDOWN with data pending is never sent. */
TEST_F(fault, shutdown_with_data_pending_is_never_sent)
{
	struct flow flow = flow_connect_with(&self->fake, 100);
	struct stream stream = { .seed = 1 };

	send_stream(flow.link.sock, 1, 1000);
	shutdown(flow.link.sock, SHUT_WR);
	flow.hoards = true;
	flow_expect_stream(&flow, &stream, 100);
	flow_expect(&flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	take_stream(&flow, &stream, 900, 50);

	EXPECT_EQ(VSOCKDEV_SHUTDOWN_SEND,
		  flow_expect(&flow, VIRTIO_VSOCK_OP_SHUTDOWN).flags);
}

TEST_F(fault, close_with_data_pending_is_never_sent)
{
	struct flow flow = flow_connect_with(&self->fake, 100);
	struct stream stream = { .seed = 1 };

	send_stream(flow.link.sock, 1, 1000);
	link_close(&flow.link);
	flow.hoards = true;
	flow_expect_stream(&flow, &stream, 100);
	take_stream(&flow, &stream, 900, 50);

	EXPECT_EQ(BOTH, flow_expect(&flow, VIRTIO_VSOCK_OP_SHUTDOWN).flags);
	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
	expect_rst(&self->fake.dev, flow.link.id, VSOCKDEV_RST_LOCAL_CLOSE, 0);
}

/* RST with a full ring is lost. */
TEST_F(fault, rst_with_a_full_ring_is_lost)
{
	enum { COUNT = 300 };
	struct flow flows[COUNT];

	for (int i = 0; i < COUNT; i++)
		flows[i] = flow_connect(&self->fake);
	for (int i = 0; i < COUNT; i++)
		ASSERT_EQ(0, send_rst(self->fake.dev.fd, flows[i].link.addr,
				      flows[i].link.id));

	for (int i = 0; i < COUNT; i++)
		flow_expect(&flows[i], VIRTIO_VSOCK_OP_RST);
	expect_no_packet(&self->fake);
	EXPECT_EQ(0, info_of(self->fake.dev.fd).conns);
}

/* Credit in REQUEST is ignored: an accepted connection stalls. */
TEST_F(fault, credit_in_request_is_ignored)
{
	struct flow flow = flow_new(&self->fake);
	struct stream stream = { .seed = 1 };
	struct vsockdev_event event;
	int pair[2];

	flow.buf_alloc = 500;
	flow_put(&flow, VIRTIO_VSOCK_OP_REQUEST);
	event = expect_request(&self->fake.dev, flow.link.addr.local_port);
	unix_pair(pair);
	send_stream(pair[0], 1, 800);
	flow.link = link_accept_with(&self->fake.dev, &event, pair);

	flow.hoards = true;
	flow_expect(&flow, VIRTIO_VSOCK_OP_RESPONSE);
	flow_expect_stream(&flow, &stream, 500);
	flow_expect(&flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
}

static int memfd_with_stream(uint64_t seed, size_t len)
{
	int fd = memfd_create("vmo", MFD_CLOEXEC);
	struct stream stream = { .seed = seed };
	uint8_t *map;

	if (fd < 0 || ftruncate(fd, len))
		fail("memfd: %s", strerror(errno));
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	stream_fill(&stream, map, len);
	munmap(map, len);
	return fd;
}

static int send_vmo(struct fake *fake, struct vsockdev_addr addr, int fd,
		    uint64_t len)
{
	struct vsockdev_send_vmo args = {
		.size = sizeof(args),
		.addr = addr,
		.vmo_fd = fd,
		.length = len,
	};

	return call(fake->dev.fd, VSOCKDEV_SEND_VMO, &args);
}

/* The packets of a SEND_VMO, which the device has and does not return. */
struct in_flight {
	struct packet packets[256];
	unsigned int count;
};

static void hold_packets(struct flow *flow, struct in_flight *held,
			 uint32_t bytes)
{
	for (held->count = 0; bytes; held->count++) {
		struct packet *packet = &held->packets[held->count];

		*packet = fake_hold(flow->fake);
		check_packet(flow->fake, packet, flow->link.addr,
			     VIRTIO_VSOCK_OP_RW);
		bytes -= packet->len;
	}
}

static void expect_unchanged(struct fake *fake, const struct in_flight *held,
			     uint64_t seed)
{
	struct stream stream = { .seed = seed };

	for (unsigned int i = 0; i < held->count; i++) {
		struct packet packet = fake_look(fake, &held->packets[i]);

		if (stream_check(&stream, packet.payload, packet.len) !=
		    packet.len)
			fail("the device reads another's memory at %llu",
			     (unsigned long long)stream.pos);
	}
}

/* Takes and dirties memory that was just freed. */
static void use_free_memory(void)
{
	int fd = memfd_with_stream(99, 32 * MIB);

	close(fd);
}

static void expect_completion(struct fake *fake, uint64_t id, int status,
			      uint64_t bytes)
{
	struct vsockdev_event event;

	event = expect_event(&fake->dev, VSOCKDEV_EVENT_SEND_VMO_COMPLETE, id);
	if (event.vmo.status != status || event.vmo.bytes != bytes)
		fail("completed with %d after %llu bytes", event.vmo.status,
		     event.vmo.bytes);
}

/* Pages are unpinned while the device may still read them. */
TEST_F_TIMEOUT(fault,
	       pages_are_unpinned_while_the_device_may_still_read_them,
	       LONG_SECONDS)
{
	uint32_t len = 4 * 4096;
	struct flow flow = flow_connect_with(&self->fake, MIB);
	int fd = memfd_with_stream(1, len);
	struct in_flight held;

	ASSERT_EQ(0, send_vmo(&self->fake, flow.link.addr, fd, len));
	hold_packets(&flow, &held, len);
	expect_no_event(&self->fake.dev, 0);
	ASSERT_EQ(0, ftruncate(fd, 0));
	close(fd);
	use_free_memory();
	expect_unchanged(&self->fake, &held, 1);

	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
	expect_completion(&self->fake, flow.link.id, ECONNRESET, len);
	expect_rst(&self->fake.dev, flow.link.id, VSOCKDEV_RST_PEER_RESET,
		   ECONNRESET);
	link_close(&flow.link);
	use_free_memory();
	expect_unchanged(&self->fake, &held, 1);

	ASSERT_EQ(0, stop(self->fake.dev.fd));
	ASSERT_EQ(0, start(self->fake.dev.fd, NULL));
	use_free_memory();
	expect_unchanged(&self->fake, &held, 1);

	for (unsigned int i = 0; i < held.count; i++)
		fake_return(&self->fake, &held.packets[i]);
	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
}

/* Only when the last one is back, in whatever order they come. */
TEST_F(fault, completion_comes_before_the_device_has_returned_the_pages)
{
	uint32_t len = 4 * 4096;
	struct flow flow = flow_connect_with(&self->fake, MIB);
	int fd = memfd_with_stream(1, len);
	struct in_flight held;

	ASSERT_EQ(0, send_vmo(&self->fake, flow.link.addr, fd, len));
	hold_packets(&flow, &held, len);
	for (unsigned int i = held.count; i > 0; i--) {
		expect_no_packet(&self->fake);
		expect_no_event(&self->fake.dev, 0);
		fake_return(&self->fake, &held.packets[i - 1]);
	}
	expect_completion(&self->fake, flow.link.id, 0, len);
	expect_no_event(&self->fake.dev, 0);
}

/* Credit underflows when the peer shrinks buf_alloc. */
TEST_F(fault, credit_underflows_when_the_peer_shrinks_buf_alloc)
{
	struct flow flow = flow_connect_with(&self->fake, 1000);
	struct stream stream = { .seed = 1 };

	flow.hoards = true;
	send_stream(flow.link.sock, 1, 1000);
	flow_expect_stream(&flow, &stream, 1000);
	flow.buf_alloc = 10;
	flow_put(&flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	wait_until_handled(&self->fake);
	send_stream(flow.link.sock, 2, 100);

	flow_expect(&flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	stream = (struct stream){ .seed = 2 };
	take_stream(&flow, &stream, 100, 10);
}

/* Division by zero at buf_alloc 0. */
TEST_F(fault, division_by_zero_at_buf_alloc_0)
{
	struct flow flow = flow_connect_with(&self->fake, 0);
	struct stream stream = { .seed = 1 };

	send_stream(flow.link.sock, 1, 100);
	flow_expect(&flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	take_stream(&flow, &stream, 100, 100);
}

/* A used length under 44. */
TEST_F(fault, used_length_under_44)
{
	struct flow flow = flow_connect(&self->fake);
	struct packet packet = flow_packet(&flow, VIRTIO_VSOCK_OP_RST);
	uint64_t malformed = info_of(self->fake.dev.fd).rx_malformed;
	uint8_t bytes[PACKET_HEADER];

	packet_encode(&packet, bytes);
	for (uint32_t used = 0; used < PACKET_HEADER; used++)
		fake_put_bytes(&self->fake, bytes, sizeof(bytes), used);

	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	EXPECT_EQ(malformed + PACKET_HEADER,
		  info_of(self->fake.dev.fd).rx_malformed);
}

/* SEND_VMO on an unestablished connection. */
TEST_F(fault, send_vmo_on_an_unestablished_connection)
{
	struct flow none = flow_new(&self->fake);
	struct flow pending = flow_dial(&self->fake);
	struct flow connecting = flow_request(&self->fake);
	struct flow dead = flow_connect(&self->fake);
	int fd = memfd_with_stream(1, 4096);
	struct flow *flows[] = { &none, &pending, &connecting, &dead };

	flow_put(&dead, VIRTIO_VSOCK_OP_RST);
	expect_no_packet(&self->fake);
	for (unsigned int i = 0; i < 4; i++)
		EXPECT_EQ(-ENOTCONN, send_vmo(&self->fake, flows[i]->link.addr,
					      fd, 4096));
	expect_no_packet(&self->fake);
	expect_request(&self->fake.dev, pending.link.addr.local_port);
	for (unsigned int i = 0; i < 2; i++)
		EXPECT_EQ(-ENOTCONN, send_vmo(&self->fake, flows[i]->link.addr,
					      fd, 4096));
	expect_no_packet(&self->fake);
}

/* TransportReset deadlocks a client with a single thread. */
TEST_F(fault, transport_reset_deadlocks_a_single_threaded_client)
{
	struct vsockdev_reset_done done = { .size = sizeof(done) };
	struct flow flow = flow_connect(&self->fake);
	struct vsockdev_event event;
	int pair[2];

	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	expect_end(flow.link.sock, TRANSFER_RESET);
	unix_pair(pair);
	EXPECT_EQ(-ECONNRESET, send_request(self->fake.dev.fd, host_addr(1),
					    pair[1], NULL));
	EXPECT_EQ(0, send_rst(self->fake.dev.fd, flow.link.addr,
			      flow.link.id));
	event = expect_event(&self->fake.dev, VSOCKDEV_EVENT_TRANSPORT_RESET,
			     0);
	EXPECT_EQ(-ECONNRESET, send_request(self->fake.dev.fd, host_addr(1),
					    pair[1], NULL));
	done.generation = event.transport_reset.generation;
	EXPECT_EQ(0, call(self->fake.dev.fd, VSOCKDEV_RESET_DONE, &done));

	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
}

/* Stale packets are delivered to the next owner. */
TEST_F(fault, stale_packets_are_delivered_to_the_next_owner)
{
	struct flow flow = flow_connect(&self->fake);
	struct packet packet = flow_packet(&flow, VIRTIO_VSOCK_OP_RW);
	uint8_t bytes[PACKET_HEADER + 1];
	struct flow dialled = flow_dial(&self->fake);

	expect_no_packet(&self->fake);
	packet.len = 1;
	packet.payload = "x";
	ASSERT_EQ(sizeof(bytes), packet_bytes(&packet, bytes));
	ASSERT_EQ(0, stop(self->fake.dev.fd));
	/* In the queue, and most likely not seen by the driver yet */
	ASSERT_EQ(0, fake_try_put(&self->fake, FAKE_RX, bytes, sizeof(bytes),
				  sizeof(bytes), 0));
	ASSERT_EQ(0, start(self->fake.dev.fd, NULL));
	fake_interrupt(&self->fake, FAKE_RX);

	/* In the order of a table */
	for (int i = 0; i < 2; i++) {
		packet = fake_take(&self->fake);
		EXPECT_EQ(VIRTIO_VSOCK_OP_RST, packet.op);
		EXPECT_TRUE(packet.src_port == flow.link.addr.local_port ||
			    packet.src_port == dialled.link.addr.local_port);
	}
	expect_packet(&self->fake, flow.link.addr, VIRTIO_VSOCK_OP_RST);
	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
}

/* A full data socket kills the connection. */
TEST_F(fault, full_data_socket_kills_the_connection)
{
	struct stream stream = { .seed = 1 };
	uint8_t bytes[8 * KIB];
	struct flow flow;
	int pair[2], size = 1;
	uint64_t sent = 0;

	unix_pair(pair);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	flow = flow_request_with(&self->fake, pair);
	flow_put(&flow, VIRTIO_VSOCK_OP_RESPONSE);
	expect_event(&self->fake.dev, VSOCKDEV_EVENT_RESPONSE, flow.link.id);
	while (sent + sizeof(bytes) <= flow.guest_buf_alloc) {
		stream_fill(&stream, bytes, sizeof(bytes));
		flow_put_data(&flow, bytes, sizeof(bytes));
		sent += sizeof(bytes);
	}
	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);

	/* The other direction goes on */
	send_stream(flow.link.sock, 2, 100);
	stream = (struct stream){ .seed = 2 };
	flow_expect_stream(&flow, &stream, 100);
	receive_stream(flow.link.sock, 1, sent);
	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
	expect_end(flow.link.sock, TRANSFER_RESET);
}

/* RST comes without a reason. */
TEST_F(fault, rst_comes_without_a_reason)
{
	struct device *dev = &self->fake.dev;
	struct flow flow = flow_request(&self->fake);
	struct vsockdev_event event;

	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
	expect_rst(dev, flow.link.id, VSOCKDEV_RST_REFUSED, ECONNREFUSED);

	flow = flow_connect(&self->fake);
	flow_put_data(&flow, "abc", 3);
	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
	event = expect_rst(dev, flow.link.id, VSOCKDEV_RST_PEER_RESET,
			   ECONNRESET);
	EXPECT_EQ(3, event.rst.bytes_received);
	EXPECT_EQ(0, event.rst.bytes_sent);

	flow = flow_connect(&self->fake);
	flow_put_flags(&flow, VIRTIO_VSOCK_OP_SHUTDOWN, BOTH);
	flow_expect(&flow, VIRTIO_VSOCK_OP_RST);
	expect_shutdown(dev, flow.link.id, BOTH);
	expect_rst(dev, flow.link.id, VSOCKDEV_RST_SHUTDOWN, 0);

	flow = flow_connect(&self->fake);
	link_close(&flow.link);
	flow_expect(&flow, VIRTIO_VSOCK_OP_SHUTDOWN);
	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
	expect_rst(dev, flow.link.id, VSOCKDEV_RST_LOCAL_CLOSE, 0);

	flow = flow_connect(&self->fake);
	flow_put(&flow, VIRTIO_VSOCK_OP_REQUEST);
	flow_expect(&flow, VIRTIO_VSOCK_OP_RST);
	expect_rst(dev, flow.link.id, VSOCKDEV_RST_PROTOCOL, EPROTO);
}

/* SEND_REQUEST with timeouts of its own, and the REQUEST packet. */
static struct flow hasty_request(struct fake *fake, uint32_t connect_ms,
				 uint32_t close_ms)
{
	struct flow flow = flow_new(fake);
	struct vsockdev_send_request args = {
		.size = sizeof(args),
		.addr = flow.link.addr,
		.connect_timeout_ms = connect_ms,
		.close_timeout_ms = close_ms,
	};
	int pair[2], error;

	unix_pair(pair);
	args.socket_fd = pair[1];
	error = call(fake->dev.fd, VSOCKDEV_SEND_REQUEST, &args);
	if (error)
		fail("SEND_REQUEST: %s", strerror(-error));
	close(pair[1]);
	flow.link.sock = pair[0];
	flow.link.id = args.conn_id;
	flow_expect(&flow, VIRTIO_VSOCK_OP_REQUEST);
	return flow;
}

static struct flow hasty_connect(struct fake *fake, uint32_t buf_alloc)
{
	struct flow flow = hasty_request(fake, 0, 50);

	flow.buf_alloc = buf_alloc;
	flow_put(&flow, VIRTIO_VSOCK_OP_RESPONSE);
	expect_event(&fake->dev, VSOCKDEV_EVENT_RESPONSE, flow.link.id);
	return flow;
}

static void expect_timeout(struct flow *flow)
{
	flow->waits = true;
	flow_expect(flow, VIRTIO_VSOCK_OP_RST);
	expect_rst(&flow->fake->dev, flow->link.id, VSOCKDEV_RST_TIMED_OUT,
		   ETIMEDOUT);
}

/* The application's close goes unnoticed while blocked on credit. */
TEST_F(fault, close_goes_unnoticed_while_blocked_on_credit)
{
	struct flow flow = hasty_connect(&self->fake, 0);

	send_stream(flow.link.sock, 1, 100);
	flow_expect(&flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	link_close(&flow.link);

	expect_timeout(&flow);
}

/* There are no timers at all: for a host that never says anything. */
TEST_F(fault, there_are_no_timers_at_all)
{
	struct flow flow = hasty_request(&self->fake, 50, 0);

	expect_timeout(&flow);

	flow = hasty_connect(&self->fake, FLOW_BUF_ALLOC);
	ASSERT_EQ(0, send_shutdown(self->fake.dev.fd, flow.link.addr, 0, 0));
	flow_expect(&flow, VIRTIO_VSOCK_OP_SHUTDOWN);
	expect_timeout(&flow);

	flow = hasty_connect(&self->fake, FLOW_BUF_ALLOC);
	link_close(&flow.link);
	flow_expect(&flow, VIRTIO_VSOCK_OP_SHUTDOWN);
	expect_timeout(&flow);
	EXPECT_EQ(3, info_of(self->fake.dev.fd).timeouts);
}

TEST_HARNESS_MAIN
