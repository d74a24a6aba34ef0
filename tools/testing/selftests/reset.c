// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transport resets: the host is another one, or the same and has forgotten, or
 * the machine slept. Connections end at once, calls wait for no one, and what
 * the new host asks for waits for the owner to know.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/fake.h"
#include "lib/load.h"
#include "lib/machine.h"
#include "lib/reader.h"
#include "lib/vmo.h"

#define LONG_SECONDS 240
#define OTHER_CID 77

static int reset_done(int fd, uint64_t generation)
{
	struct vsockdev_reset_done args = {
		.size = sizeof(args),
		.generation = generation,
	};

	return call(fd, VSOCKDEV_RESET_DONE, &args);
}

static uint32_t cid_of(int fd)
{
	struct vsockdev_get_cid args = { .size = sizeof(args) };

	if (call(fd, VSOCKDEV_GET_CID, &args))
		fail("GET_CID failed");
	return args.cid;
}

/* The same whether there is an owner or not. */
static struct vsockdev_get_info info_at(const struct fake *fake)
{
	int fd = fake_open_node(fake);
	struct vsockdev_get_info info = info_of(fd);

	close(fd);
	return info;
}

static uint64_t generation_of(const struct fake *fake)
{
	return info_at(fake).generation;
}

/* The driver has handled all packets that were put. */
static void handle_packets(struct fake *fake)
{
	struct vsockdev_addr nobody = host_addr(new_port());
	struct packet packet = packet_from_host(fake, nobody,
						VIRTIO_VSOCK_OP_RST);
	struct vsockdev_get_info before = info_at(fake), after;

	fake_put(fake, &packet);
	WAIT_FOR((after = info_at(fake), after.rx_unknown > before.rx_unknown));
}

/*
 * The driver has seen it when this returns, and the owner not yet. It comes
 * after the packets that were put before, which a queue of its own does not
 * promise.
 */
static void reset(struct fake *fake)
{
	uint64_t before = generation_of(fake);

	handle_packets(fake);
	fake_event(fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	WAIT_FOR(generation_of(fake) == before + 1);
}

/* The event, which is the next one and tells the same as the calls do. */
static uint64_t expect_reset(struct device *dev)
{
	struct vsockdev_event event = next_event(dev);
	struct vsockdev_get_info info = info_of(dev->fd);

	if (event.type != VSOCKDEV_EVENT_TRANSPORT_RESET)
		fail("expected TRANSPORT_RESET, saw type %u", event.type);
	if (event.conn_id || event.addr.local_port || event.addr.remote_cid ||
	    event.addr.remote_port || event.transport_reset.reserved)
		fail("TRANSPORT_RESET of a connection");
	if (event.transport_reset.generation != info.generation ||
	    event.transport_reset.new_cid != info.cid ||
	    info.cid != cid_of(dev->fd))
		fail("TRANSPORT_RESET with generation %llu, context id %u",
		     (unsigned long long)event.transport_reset.generation,
		     event.transport_reset.new_cid);
	return event.transport_reset.generation;
}

static void recover(struct device *dev)
{
	int error = reset_done(dev->fd, expect_reset(dev));

	if (error)
		fail("RESET_DONE: %s", strerror(-error));
}

/* What the host has put into the queue of events is handled. */
static void flush_events(struct fake *fake, uint32_t buffers)
{
	/* The second one begins when the first one's work is over */
	for (int i = 0; i < 2; i++) {
		WAIT_FOR(fake_posted(fake, FAKE_EVENTS) == buffers);
		fake_event(fake, 1000);
		WAIT_FOR(fake_posted(fake, FAKE_EVENTS) == buffers);
	}
}

#define expect_reset(...) HERE((expect_reset)(__VA_ARGS__))
#define recover(...) HERE((recover)(__VA_ARGS__))
#define reset(...) HERE((reset)(__VA_ARGS__))

FIXTURE(reset) {
	struct fake fake;
	uint32_t buffers; /* for events */
};

FIXTURE_SETUP(reset)
{
	fake_open(&self->fake, NULL);
	self->buffers = fake_posted(&self->fake, FAKE_EVENTS);
	ASSERT_LT(0, self->buffers);
}

FIXTURE_TEARDOWN(reset)
{
	fake_close(&self->fake);
}

TEST_F(reset, takes_every_connection_without_a_packet)
{
	struct flow asking = flow_request(&self->fake);
	struct flow ours = flow_connect(&self->fake);
	struct flow theirs = flow_accept(&self->fake);
	struct flow asked = flow_dial(&self->fake);
	struct stream stream = { .seed = 1 };
	uint8_t bytes[1000];

	expect_request(&self->fake.dev, asked.link.addr.local_port);
	stream_fill(&stream, bytes, sizeof(bytes));
	flow_put_data(&ours, bytes, sizeof(bytes));
	send_stream(theirs.link.sock, 2, 10);
	flow_expect(&theirs, VIRTIO_VSOCK_OP_RW);
	ASSERT_EQ(4, info_of(self->fake.dev.fd).conns);

	reset(&self->fake);
	EXPECT_EQ(0, info_of(self->fake.dev.fd).conns);
	receive_to_end(ours.link.sock, 1, sizeof(bytes), TRANSFER_RESET);
	expect_end(theirs.link.sock, TRANSFER_RESET);
	expect_end(asking.link.sock, TRANSFER_RESET);
	send_to_end(theirs.link.sock);
	expect_no_packet(&self->fake);
	recover(&self->fake.dev);
	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
}

TEST_F(reset, aborts_tcp)
{
	struct flow flow = flow_new(&self->fake);
	struct stream stream = { .seed = 1 };
	uint8_t bytes[1000];
	int pair[2];

	tcp_pair(pair);
	flow.link = link_request_with(&self->fake.dev,
				      flow.link.addr.remote_port, pair);
	flow_expect(&flow, VIRTIO_VSOCK_OP_REQUEST);
	flow_put(&flow, VIRTIO_VSOCK_OP_RESPONSE);
	expect_event(&self->fake.dev, VSOCKDEV_EVENT_RESPONSE, flow.link.id);
	stream_fill(&stream, bytes, sizeof(bytes));
	flow_put_data(&flow, bytes, sizeof(bytes));
	reset(&self->fake);
	receive_to_end(flow.link.sock, 1, sizeof(bytes), TRANSFER_RESET);
}

/* A socket that is full takes the rest when the program reads. */
TEST_F(reset, leaves_programs_what_arrived)
{
	struct flow flow = flow_connect(&self->fake);
	struct stream stream = { .seed = 1 };
	uint8_t bytes[16 * KIB];

	while (flow.sent < flow.guest_buf_alloc) {
		stream_fill(&stream, bytes, sizeof(bytes));
		flow_put_data(&flow, bytes, sizeof(bytes));
	}
	reset(&self->fake);
	recover(&self->fake.dev);
	receive_to_end(flow.link.sock, 1, flow.sent, TRANSFER_RESET);
}

TEST_F(reset, takes_unread_events_but_completions)
{
	struct flow done = flow_endless(&self->fake);
	struct flow under_way = flow_endless(&self->fake);
	struct flow ended = flow_connect(&self->fake);
	struct flow shut = flow_connect(&self->fake);
	struct flow asking = flow_request(&self->fake);
	int file = scattered_file(MIB);
	struct packet held;

	ASSERT_EQ(0, flow_vmo(&done, file, 0, 100));
	flow_expect(&done, VIRTIO_VSOCK_OP_RW);
	WAIT_FOR(poll_now(self->fake.dev.fd) & POLLIN);
	ASSERT_EQ(0, flow_vmo(&under_way, file, 0, 100));
	held = fake_hold(&self->fake);
	flow_put(&asking, VIRTIO_VSOCK_OP_RESPONSE);
	flow_put(&ended, VIRTIO_VSOCK_OP_RST);
	flow_put_flags(&shut, VIRTIO_VSOCK_OP_SHUTDOWN,
		       VSOCKDEV_SHUTDOWN_SEND);
	flow_dial(&self->fake);
	expect_no_packet(&self->fake);

	reset(&self->fake);
	EXPECT_EQ(done.link.id, next_event(&self->fake.dev).conn_id);
	flow_complete(&under_way, ECONNRESET, 100);
	recover(&self->fake.dev);
	expect_no_event(&self->fake.dev, 0);
	fake_return(&self->fake, &held);
	expect_no_event(&self->fake.dev, 0);
	EXPECT_EQ(0, info_of(self->fake.dev.fd).conns);
	close(file);
}

/* What the old host was owed, and had no room for, is not for the new one. */
TEST_F(reset, leaves_nothing_for_the_new_host)
{
	struct fake_options options = { .queue_size = 8 };
	struct flow flows[20];
	struct fake fake;

	fake_open(&fake, &options);
	for (int i = 0; i < 20; i++)
		flows[i] = flow_connect(&fake);
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, send_rst(fake.dev.fd, flows[i].link.addr, 0));
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, send_rst(fake.dev.fd, host_addr(new_port()), 0));
	ASSERT_EQ(8, fake_posted(&fake, FAKE_TX));
	reset(&fake);
	recover(&fake.dev);
	for (int i = 0; i < 8; i++)
		fake_take(&fake);
	expect_no_packet(&fake);
	fake_close(&fake);
}

static int some_socket(void)
{
	int pair[2];

	unix_pair(pair);
	close(pair[0]);
	return pair[1];
}

/* What the calls say that would mean the host. */
static void expect_gated(const struct fake *fake, struct vsockdev_addr addr,
			 uint64_t id)
{
	struct link link = { .addr = addr, .id = id };
	int fd = fake->dev.fd, sock = some_socket();
	int file = vmo_open(VMO_MEMFD, 1);
	int errors[] = {
		send_request(fd, host_addr(new_port()), sock, NULL),
		send_response(fd, addr, id, sock),
		send_shutdown(fd, addr, id, 0),
		send_vmo(fd, &link, file, 0, 1),
	};

	for (int i = 0; i < 4; i++)
		if (errors[i] != -ECONNRESET)
			fail("call %d says %s", i, strerror(-errors[i]));
	close(file);
	close(sock);
}

#define expect_gated(...) HERE((expect_gated)(__VA_ARGS__))

TEST_F(reset, stops_calls_until_it_is_acknowledged)
{
	struct flow flow = flow_connect(&self->fake);
	struct vsockdev_addr addr = flow.link.addr;
	int fd = self->fake.dev.fd, other;
	uint64_t generation;

	reset(&self->fake);
	expect_gated(&self->fake, addr, flow.link.id);
	generation = expect_reset(&self->fake.dev);
	expect_gated(&self->fake, addr, flow.link.id);
	expect_gated(&self->fake, addr, 0);
	EXPECT_EQ(-EALREADY, start(fd, NULL));
	EXPECT_EQ(FAKE_CID, cid_of(fd));
	other = fake_open_node(&self->fake);
	EXPECT_EQ(-EPERM, send_rst(other, addr, 0));
	EXPECT_EQ(-EPERM, reset_done(other, generation));
	EXPECT_EQ(-EBUSY, start(other, NULL));
	close(other);
	ASSERT_EQ(0, reset_done(fd, generation));

	/* Nothing of the old time is known any more */
	EXPECT_EQ(-ESTALE, send_shutdown(fd, addr, flow.link.id, 0));
	EXPECT_EQ(-ENOTCONN, send_shutdown(fd, addr, 0, 0));
	flow = flow_connect(&self->fake);
	flow = flow_accept(&self->fake);
	expect_no_packet(&self->fake);
}

TEST_F(reset, lets_send_rst_do_nothing)
{
	struct flow flow = flow_connect(&self->fake), again = flow;
	int fd = self->fake.dev.fd;

	reset(&self->fake);
	expect_reset(&self->fake.dev);
	/* The new host wants a connection at just that address */
	flow_put(&again, VIRTIO_VSOCK_OP_REQUEST);
	WAIT_FOR(info_of(fd).conns == 1);
	EXPECT_EQ(0, send_rst(fd, flow.link.addr, flow.link.id));
	EXPECT_EQ(0, send_rst(fd, flow.link.addr, 0));
	EXPECT_EQ(0, send_rst(fd, host_addr(new_port()), 0));
	EXPECT_EQ(0, send_rst(fd, host_addr(new_port()), 12345));
	expect_no_packet(&self->fake);
	ASSERT_EQ(0, reset_done(fd, generation_of(&self->fake)));
	expect_request(&self->fake.dev, flow.link.addr.local_port);
	expect_no_packet(&self->fake);
}

TEST_F(reset, is_acknowledged_by_its_generation)
{
	int fd = self->fake.dev.fd;
	uint64_t generation;

	EXPECT_EQ(-EALREADY, reset_done(fd, 0));
	reset(&self->fake);
	generation = generation_of(&self->fake);
	EXPECT_EQ(-ESTALE, reset_done(fd, 0));
	EXPECT_EQ(-ESTALE, reset_done(fd, generation - 1));
	EXPECT_EQ(-ESTALE, reset_done(fd, generation + 1));
	expect_gated(&self->fake, host_addr(1), 0);
	/* Who asked GET_INFO needs not read the event */
	EXPECT_EQ(0, reset_done(fd, generation));
	expect_no_event(&self->fake.dev, 0);
	EXPECT_EQ(-EALREADY, reset_done(fd, generation));
	expect_usable(&self->fake);
}

#define CALLERS 6

static void dial_all(struct fake *fake, struct flow *flows, uint32_t count)
{
	uint32_t before = info_of(fake->dev.fd).conns;

	for (uint32_t i = 0; i < count; i++)
		flows[i] = flow_dial(fake);
	WAIT_FOR(info_of(fake->dev.fd).conns == before + count);
}

/* A host that dials meanwhile, and of which two think better of it. */
TEST_F(reset, lets_requests_wait)
{
	struct flow flows[CALLERS];
	struct reader reader;
	uint64_t generation, last = 0;

	reset(&self->fake);
	generation = expect_reset(&self->fake.dev);
	dial_all(&self->fake, flows, CALLERS);
	flow_put(&flows[1], VIRTIO_VSOCK_OP_RST);
	flow_put_flags(&flows[3], VIRTIO_VSOCK_OP_SHUTDOWN, 3);
	flow_expect(&flows[3], VIRTIO_VSOCK_OP_RST);
	expect_no_packet(&self->fake);
	EXPECT_EQ(0, poll_now(self->fake.dev.fd));
	start_reader(&reader, self->fake.dev.fd);
	expect_gated(&self->fake, flows[0].link.addr, 0);

	ASSERT_EQ(0, reset_done(self->fake.dev.fd, generation));
	ASSERT_EQ(sizeof(reader.event), finish_reader(&reader));
	for (int i = 0; i < CALLERS; i++) {
		struct vsockdev_event event = reader.event;

		if (i == 1 || i == 3)
			continue;
		if (i)
			event = next_event(&self->fake.dev);
		ASSERT_EQ(VSOCKDEV_EVENT_REQUEST, event.type);
		ASSERT_EQ(flows[i].link.addr.local_port, event.addr.local_port);
		EXPECT_LT(last, event.conn_id);
		last = event.conn_id;
		flows[i].link = link_accept(&self->fake.dev, &event);
		flow_expect(&flows[i], VIRTIO_VSOCK_OP_RESPONSE);
	}
	expect_no_event(&self->fake.dev, 0);
}

TEST_F(reset, bounds_the_requests_that_wait)
{
	struct fake_options options = { .start.backlog = 4 };
	struct flow flows[CALLERS];
	struct fake fake;

	fake_open(&fake, &options);
	reset(&fake);
	dial_all(&fake, flows, 4);
	for (int i = 4; i < CALLERS; i++) {
		flows[i] = flow_dial(&fake);
		expect_packet(&fake, flows[i].link.addr, VIRTIO_VSOCK_OP_RST);
	}
	recover(&fake.dev);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(flows[i].link.addr.local_port,
			  next_event(&fake.dev).addr.local_port);
	expect_no_event(&fake.dev, 0);
	fake_close(&fake);
}

TEST_F(reset, drops_the_requests_of_the_last_one)
{
	struct flow flows[CALLERS];

	reset(&self->fake);
	dial_all(&self->fake, flows, CALLERS);
	reset(&self->fake);
	EXPECT_EQ(0, info_of(self->fake.dev.fd).conns);
	recover(&self->fake.dev);
	expect_no_event(&self->fake.dev, 0);
	/* And the host of before is answered as any other */
	flow_put(&flows[0], VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	expect_packet(&self->fake, flows[0].link.addr, VIRTIO_VSOCK_OP_RST);
	expect_no_packet(&self->fake);
}

TEST_F(reset, is_told_once_for_all)
{
	uint64_t first, last;

	reset(&self->fake);
	first = generation_of(&self->fake);
	reset(&self->fake);
	EXPECT_EQ(-ESTALE, reset_done(self->fake.dev.fd, first));
	reset(&self->fake);
	last = expect_reset(&self->fake.dev);
	EXPECT_EQ(first + 2, last);
	expect_no_event(&self->fake.dev, 0);
	ASSERT_EQ(0, reset_done(self->fake.dev.fd, last));
	expect_usable(&self->fake);
}

/* The answer to the one that was read comes too late. */
TEST_F(reset, may_come_between_event_and_answer)
{
	uint64_t first, second;

	reset(&self->fake);
	first = expect_reset(&self->fake.dev);
	reset(&self->fake);
	EXPECT_EQ(-ESTALE, reset_done(self->fake.dev.fd, first));
	expect_gated(&self->fake, host_addr(1), 0);
	second = expect_reset(&self->fake.dev);
	EXPECT_EQ(first + 1, second);
	ASSERT_EQ(0, reset_done(self->fake.dev.fd, second));
	expect_usable(&self->fake);
}

TEST_F(reset, of_a_device_without_owner)
{
	struct fake_options options = { .no_start = true };
	struct fake fake;

	fake_open(&fake, &options);
	EXPECT_EQ(0, generation_of(&fake));
	reset(&fake);
	fake.dev.fd = fake_open_node(&fake);
	ASSERT_EQ(0, start(fake.dev.fd, NULL));
	EXPECT_EQ(-EALREADY, reset_done(fake.dev.fd, 1));
	expect_no_event(&fake.dev, 0);
	expect_usable(&fake);
	fake_close(&fake);
}

TEST_F(reset, is_over_with_its_owner)
{
	int fd = self->fake.dev.fd;
	struct flow flows[2];

	reset(&self->fake);
	dial_all(&self->fake, flows, 2);
	ASSERT_EQ(0, stop(fd));
	for (int i = 0; i < 2; i++)
		fake_take(&self->fake);
	flows[0] = flow_dial(&self->fake);
	expect_packet(&self->fake, flows[0].link.addr, VIRTIO_VSOCK_OP_RST);
	ASSERT_EQ(0, start(fd, NULL));
	expect_no_event(&self->fake.dev, 0);
	EXPECT_EQ(-EALREADY, reset_done(fd, generation_of(&self->fake)));
	expect_usable(&self->fake);

	/* The same when the file is closed */
	reset(&self->fake);
	close(fd);
	self->fake.dev.fd = fake_open_node(&self->fake);
	WAIT_FOR(start(self->fake.dev.fd, NULL) == 0);
	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
}

/* Many more than the driver has room for at a time. */
TEST_F(reset, gives_event_buffers_back)
{
	uint64_t before = generation_of(&self->fake);

	for (uint32_t i = 0; i < 5 * self->buffers; i++) {
		fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
		WAIT_FOR(fake_posted(&self->fake, FAKE_EVENTS));
	}
	flush_events(&self->fake, self->buffers);
	for (uint32_t i = 0; i < self->buffers; i++)
		fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	flush_events(&self->fake, self->buffers);
	EXPECT_LT(before, generation_of(&self->fake));
	recover(&self->fake.dev);
	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
}

/* All at a time, without an interrupt: the driver looks at each. */
TEST_F(reset, comes_with_others)
{
	struct virtio_vsock_event event = {};

	flush_events(&self->fake, self->buffers);
	for (uint32_t i = 0; i < self->buffers; i++)
		ASSERT_EQ(0, fake_try_put(&self->fake, FAKE_EVENTS, &event,
					  sizeof(event), sizeof(event), 0));
	fake_interrupt(&self->fake, FAKE_EVENTS);
	WAIT_FOR(fake_posted(&self->fake, FAKE_EVENTS) == self->buffers);
	flush_events(&self->fake, self->buffers);
	EXPECT_EQ(1, generation_of(&self->fake));
	recover(&self->fake.dev);
	expect_usable(&self->fake);
}

static void put_event(struct fake *fake, const void *bytes, uint32_t len,
		      uint32_t used)
{
	int error = fake_try_put(fake, FAKE_EVENTS, bytes, len, used,
				 VSOCKDEV_FAKE_INTERRUPT_WANTED);

	if (error)
		fail("putting an event: %s", strerror(-error));
}

TEST_F(reset, is_not_just_any_event)
{
	struct flow flow = flow_connect(&self->fake);
	static const uint32_t used[] = { 0, 1, 3, 5, 8, 1000, 1U << 31, ~0U };
	static const uint32_t ids[] = { 1, 2, 256, 1U << 24, 1U << 31, ~0U };
	struct virtio_vsock_event event = {};

	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
		WAIT_FOR(fake_posted(&self->fake, FAKE_EVENTS));
		put_event(&self->fake, &event, sizeof(event), used[i]);
	}
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		event.id = ids[i];
		WAIT_FOR(fake_posted(&self->fake, FAKE_EVENTS));
		put_event(&self->fake, &event, sizeof(event), sizeof(event));
	}
	flush_events(&self->fake, self->buffers);
	EXPECT_EQ(0, generation_of(&self->fake));
	expect_no_event(&self->fake.dev, 0);
	flow_put_data(&flow, "!", 1);
	EXPECT_EQ(1, recv(flow.link.sock, (char[1]) {}, 1, 0));
}

/* The device's configuration changed; and then? */
TEST_F(reset, is_not_any_change_of_the_configuration)
{
	struct flow flow = flow_connect(&self->fake);

	for (int i = 0; i < 10; i++)
		fake_set_cid(&self->fake, FAKE_CID, true);
	flush_events(&self->fake, self->buffers);
	EXPECT_EQ(0, generation_of(&self->fake));
	flow_put_data(&flow, "!", 1);
	EXPECT_EQ(1, recv(flow.link.sock, (char[1]) {}, 1, 0));
}

static void expect_new_cid(struct fake *fake, struct flow *old)
{
	uint64_t malformed = info_of(fake->dev.fd).rx_malformed;
	struct vsockdev_addr addr = host_addr(new_port());
	struct packet packet;
	struct flow flow;

	if (cid_of(fake->dev.fd) != fake->cid)
		fail("the context id is %u", cid_of(fake->dev.fd));
	expect_end(old->link.sock, TRANSFER_RESET);
	recover(&fake->dev);
	expect_no_event(&fake->dev, 0);
	flow = flow_connect(fake);
	flow_put_data(&flow, "!", 1);
	WAIT_FOR(poll_now(flow.link.sock) & POLLIN);
	packet = packet_from_host(fake, addr, VIRTIO_VSOCK_OP_REQUEST);
	packet.dst_cid = FAKE_CID;
	fake_put(fake, &packet);
	expect_no_packet(fake);
	if (info_of(fake->dev.fd).rx_malformed != malformed + 1)
		fail("a packet to the old context id was taken");
}

#define expect_new_cid(...) HERE((expect_new_cid)(__VA_ARGS__))

TEST_F(reset, comes_with_a_new_cid_alone)
{
	struct flow flow = flow_connect(&self->fake);

	fake_set_cid(&self->fake, OTHER_CID, true);
	WAIT_FOR(generation_of(&self->fake) == 1);
	expect_new_cid(&self->fake, &flow);
	flush_events(&self->fake, self->buffers);
	EXPECT_EQ(1, generation_of(&self->fake));
}

TEST_F(reset, asks_for_the_cid)
{
	struct flow flow = flow_connect(&self->fake);

	fake_set_cid(&self->fake, OTHER_CID, false);
	EXPECT_EQ(FAKE_CID, cid_of(self->fake.dev.fd));
	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	WAIT_FOR(generation_of(&self->fake) == 1);
	expect_new_cid(&self->fake, &flow);
	/* The change itself is told late, and is no news */
	fake_set_cid(&self->fake, OTHER_CID, true);
	flush_events(&self->fake, self->buffers);
	EXPECT_EQ(1, generation_of(&self->fake));
	expect_no_event(&self->fake.dev, 0);
}

/* Whichever the driver sees first: in the end there is one to acknowledge. */
TEST_F(reset, comes_with_event_and_new_cid)
{
	struct flow flow = flow_connect(&self->fake);

	fake_set_cid(&self->fake, OTHER_CID, true);
	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	flush_events(&self->fake, self->buffers);
	EXPECT_LE(1, generation_of(&self->fake));
	EXPECT_GE(2, generation_of(&self->fake));
	expect_new_cid(&self->fake, &flow);
}

/* The one that waits, of a host that dialled before anybody told the driver. */
static void expect_caller(struct fake *fake, const struct flow *flow)
{
	struct vsockdev_event event;

	recover(&fake->dev);
	event = next_event(&fake->dev);
	if (event.type != VSOCKDEV_EVENT_REQUEST ||
	    event.addr.local_port != flow->link.addr.local_port)
		fail("expected the REQUEST, saw type %u", event.type);
	expect_no_event(&fake->dev, 0);
	if (generation_of(fake) != 1)
		fail("there was more than one reset");
}

#define expect_caller(...) HERE((expect_caller)(__VA_ARGS__))

/* Two queues: the interrupt of the second is there before that of the first. */
TEST_F(reset, is_seen_before_a_request_that_follows_it)
{
	struct flow old = flow_connect(&self->fake), flow;
	struct virtio_vsock_event event = {};

	flush_events(&self->fake, self->buffers);
	ASSERT_EQ(0, fake_try_put(&self->fake, FAKE_EVENTS, &event,
				  sizeof(event), sizeof(event), 0));
	flow = flow_dial(&self->fake);
	expect_end(old.link.sock, TRANSFER_RESET);
	expect_caller(&self->fake, &flow);

	fake_interrupt(&self->fake, FAKE_EVENTS);
	flush_events(&self->fake, self->buffers);
	EXPECT_EQ(1, generation_of(&self->fake));
	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
}

TEST_F(reset, is_seen_before_a_packet_for_the_new_cid)
{
	struct flow old = flow_connect(&self->fake), flow;

	fake_set_cid(&self->fake, OTHER_CID, false);
	flow = flow_dial(&self->fake);
	expect_end(old.link.sock, TRANSFER_RESET);
	expect_caller(&self->fake, &flow);
	EXPECT_EQ(OTHER_CID, cid_of(self->fake.dev.fd));
	EXPECT_EQ(0, info_of(self->fake.dev.fd).rx_malformed);
	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
}

/* One reset, told twice: no caller of the new host waits for an answer in vain. */
TEST_F(reset, keeps_who_called_between_new_cid_and_event)
{
	struct flow old = flow_connect(&self->fake), flow;

	fake_set_cid(&self->fake, OTHER_CID, false);
	flow = flow_dial(&self->fake);
	expect_end(old.link.sock, TRANSFER_RESET);
	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	flush_events(&self->fake, self->buffers);
	expect_caller(&self->fake, &flow);
	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
}

TEST_F(reset, is_another_one_after_that_event)
{
	fake_set_cid(&self->fake, OTHER_CID, true);
	WAIT_FOR(generation_of(&self->fake) == 1);
	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	flush_events(&self->fake, self->buffers);
	EXPECT_EQ(1, generation_of(&self->fake));
	flow_dial(&self->fake);
	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	WAIT_FOR(generation_of(&self->fake) == 2);
	recover(&self->fake.dev);
	expect_no_event(&self->fake.dev, 0);
}

TEST_F(reset, is_another_one_after_the_owner_knows_of_the_cid)
{
	struct flow flow;

	fake_set_cid(&self->fake, OTHER_CID, true);
	WAIT_FOR(generation_of(&self->fake) == 1);
	recover(&self->fake.dev);
	flow = flow_connect(&self->fake);
	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	WAIT_FOR(generation_of(&self->fake) == 2);
	expect_end(flow.link.sock, TRANSFER_RESET);
	recover(&self->fake.dev);
}

/*
 * A host without mercy, on a thread of its own: it dials and resets at will,
 * and takes what it is sent.
 */
struct host {
	struct fake *fake;
	pthread_t thread;
	atomic_bool over;
};

static void act(struct fake *fake, uint64_t *random)
{
	struct virtio_vsock_event event = {};
	struct packet packet;
	uint8_t bytes[64];

	if (!stream_pick(random, 0, 20)) {
		fake_try_put(fake, FAKE_EVENTS, &event, sizeof(event),
			     sizeof(event), VSOCKDEV_FAKE_INTERRUPT_WANTED);
	} else if (!stream_pick(random, 0, 50)) {
		fake_set_cid(fake, stream_pick(random, 50, 52), true);
	} else {
		packet = packet_from_host(fake, host_addr(new_port()),
					  VIRTIO_VSOCK_OP_REQUEST);
		packet.buf_alloc = FLOW_BUF_ALLOC;
		fake_try_put(fake, FAKE_RX, bytes, packet_bytes(&packet, bytes),
			     PACKET_HEADER, VSOCKDEV_FAKE_INTERRUPT_WANTED);
	}
}

static void *be_host(void *arg)
{
	struct host *host = arg;
	uint64_t random = 1;

	while (!atomic_load(&host->over)) {
		act(host->fake, &random);
		while (fake_posted(host->fake, FAKE_TX))
			fake_take(host->fake);
	}
	return NULL;
}

struct client {
	struct device *dev;
	unsigned int resets;
	unsigned int accepted;
	int socks[8];
};

static void take_request(struct client *client,
			 const struct vsockdev_event *event)
{
	int *sock = &client->socks[client->accepted % 8];
	int pair[2], error;

	unix_pair(pair);
	error = send_response(client->dev->fd, event->addr, event->conn_id,
			      pair[1]);
	close(pair[1]);
	if (error && error != -ECONNRESET && error != -ESTALE &&
	    error != -ENOTCONN)
		fail("SEND_RESPONSE: %s", strerror(-error));
	if (error) {
		close(pair[0]);
		return;
	}
	if (client->accepted++ >= 8)
		close(*sock);
	*sock = pair[0];
	send(*sock, "hello", 5, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* One thread, which only ever reads events and answers them. */
static void be_client(struct client *client)
{
	struct vsockdev_event event = next_event(client->dev);
	int error;

	if (event.type == VSOCKDEV_EVENT_REQUEST) {
		take_request(client, &event);
	} else if (event.type == VSOCKDEV_EVENT_TRANSPORT_RESET) {
		error = reset_done(client->dev->fd,
				   event.transport_reset.generation);
		if (error && error != -ESTALE)
			fail("RESET_DONE: %s", strerror(-error));
		client->resets += !error;
	}
}

TEST_F_TIMEOUT(reset, does_not_deadlock_a_single_thread, LONG_SECONDS)
{
	struct client client = { .dev = &self->fake.dev };
	struct host host = { .fake = &self->fake };

	ASSERT_EQ(0, pthread_create(&host.thread, NULL, be_host, &host));
	while (client.resets < (unsigned int)rounds(200) ||
	       client.accepted < (unsigned int)rounds(200))
		be_client(&client);
	atomic_store(&host.over, true);
	pthread_join(host.thread, NULL);
}

/* The machine goes to sleep, and wakes up with a host that knows nothing. */
FIXTURE(sleep) {
	struct fake fake;
	struct flow flow;
	uint32_t buffers;
};

FIXTURE_SETUP(sleep)
{
	fake_open(&self->fake, NULL);
	self->flow = flow_connect(&self->fake);
	self->buffers = fake_posted(&self->fake, FAKE_EVENTS);
}

FIXTURE_TEARDOWN(sleep)
{
	fake_close(&self->fake);
}

static void freeze(struct fake *fake)
{
	int error = fake_call(fake, VSOCKDEV_FAKE_FREEZE, NULL);

	if (error)
		fail("freeze: %s", strerror(-error));
}

static void thaw(struct fake *fake)
{
	int error = fake_call(fake, VSOCKDEV_FAKE_RESTORE, NULL);

	if (error)
		fail("restore: %s", strerror(-error));
}

TEST_F(sleep, ends_connections_at_once)
{
	struct stream stream = { .seed = 1 };
	uint8_t bytes[1000];

	stream_fill(&stream, bytes, sizeof(bytes));
	flow_put_data(&self->flow, bytes, sizeof(bytes));
	expect_no_packet(&self->fake);
	freeze(&self->fake);
	EXPECT_EQ(0, info_of(self->fake.dev.fd).conns);
	receive_to_end(self->flow.link.sock, 1, sizeof(bytes), TRANSFER_RESET);
	thaw(&self->fake);
	recover(&self->fake.dev);
	expect_no_packet(&self->fake);
	expect_usable(&self->fake);
}

/* Nobody is there to talk to; nothing waits for that, either. */
TEST_F(sleep, lets_calls_return)
{
	int fd = self->fake.dev.fd;
	uint64_t generation;

	freeze(&self->fake);
	generation = generation_of(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	expect_gated(&self->fake, self->flow.link.addr, self->flow.link.id);
	EXPECT_EQ(0, send_rst(fd, self->flow.link.addr, self->flow.link.id));
	EXPECT_EQ(0, send_rst(fd, host_addr(new_port()), 0));
	EXPECT_EQ(-ESTALE, reset_done(fd, generation));
	EXPECT_EQ(-ESTALE, reset_done(fd, generation + 1));
	EXPECT_EQ(-EALREADY, start(fd, NULL));
	EXPECT_EQ(FAKE_CID, cid_of(fd));

	thaw(&self->fake);
	EXPECT_EQ(generation + 1, generation_of(&self->fake));
	EXPECT_EQ(-ESTALE, reset_done(fd, generation));
	expect_gated(&self->fake, self->flow.link.addr, self->flow.link.id);
	recover(&self->fake.dev);
	expect_no_packet(&self->fake);
	expect_usable(&self->fake);
}

TEST_F(sleep, may_bring_a_new_cid)
{
	freeze(&self->fake);
	fake_set_cid(&self->fake, OTHER_CID, true);
	thaw(&self->fake);
	expect_new_cid(&self->fake, &self->flow);
	flush_events(&self->fake, self->buffers);
	EXPECT_EQ(1, generation_of(&self->fake));
}

TEST_F(sleep, again_and_again)
{
	for (int i = 0; i < 20; i++) {
		struct flow flow;

		/* Who has not acknowledged the last one learns of this one */
		freeze(&self->fake);
		thaw(&self->fake);
		if (i % 3 == 0)
			continue;
		recover(&self->fake.dev);
		flow = flow_connect(&self->fake);
		send_stream(flow.link.sock, 1, 1000);
		flow_expect_stream(&flow, &(struct stream){ .seed = 1 }, 1000);
		link_close(&flow.link);
		flow_expect(&flow, VIRTIO_VSOCK_OP_SHUTDOWN);
	}
	EXPECT_EQ(20, generation_of(&self->fake));
	EXPECT_EQ(self->buffers, fake_posted(&self->fake, FAKE_EVENTS));
}

TEST_F(sleep, during_a_reset)
{
	struct flow flows[CALLERS];

	reset(&self->fake);
	dial_all(&self->fake, flows, CALLERS);
	freeze(&self->fake);
	EXPECT_EQ(-ESTALE,
		  reset_done(self->fake.dev.fd, generation_of(&self->fake)));
	EXPECT_EQ(0, info_of(self->fake.dev.fd).conns);
	thaw(&self->fake);
	recover(&self->fake.dev);
	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
}

TEST_F(sleep, without_an_owner)
{
	ASSERT_EQ(0, stop(self->fake.dev.fd));
	fake_take(&self->fake);
	freeze(&self->fake);
	thaw(&self->fake);
	EXPECT_EQ(1, generation_of(&self->fake));
	ASSERT_EQ(0, start(self->fake.dev.fd, NULL));
	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
}

/* Who comes meanwhile waits for the host as the others do. */
TEST_F(sleep, owner_comes_meanwhile)
{
	int fd = self->fake.dev.fd;

	ASSERT_EQ(0, stop(fd));
	fake_take(&self->fake);
	freeze(&self->fake);
	ASSERT_EQ(0, start(fd, NULL));
	EXPECT_EQ(-EALREADY, reset_done(fd, 0));
	expect_gated(&self->fake, host_addr(1), 0);
	EXPECT_EQ(0, send_rst(fd, host_addr(1), 0));
	thaw(&self->fake);
	recover(&self->fake.dev);
	expect_no_packet(&self->fake);
	expect_usable(&self->fake);
}

TEST_F(sleep, owner_goes_meanwhile)
{
	int fd = self->fake.dev.fd;

	freeze(&self->fake);
	ASSERT_EQ(0, stop(fd));
	ASSERT_EQ(0, start(fd, NULL));
	close(fd);
	thaw(&self->fake);
	self->fake.dev.fd = fake_open_node(&self->fake);
	WAIT_FOR(start(self->fake.dev.fd, NULL) == 0);
	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
}

TEST_F(sleep, reader_sleeps_through_it)
{
	struct reader reader;

	start_reader(&reader, self->fake.dev.fd);
	freeze(&self->fake);
	thaw(&self->fake);
	ASSERT_EQ(sizeof(reader.event), finish_reader(&reader));
	EXPECT_EQ(VSOCKDEV_EVENT_TRANSPORT_RESET, reader.event.type);
	EXPECT_EQ(0, reset_done(self->fake.dev.fd,
				reader.event.transport_reset.generation));
}

TEST_F(sleep, from_which_the_device_does_not_return)
{
	int fd = self->fake.dev.fd;
	struct reader reader;

	freeze(&self->fake);
	start_reader(&reader, fd);
	fake_remove(&self->fake);
	EXPECT_EQ(-ENODEV, finish_reader(&reader));
	EXPECT_EQ(POLLHUP | POLLERR, poll_now(fd) & (POLLHUP | POLLERR));
	EXPECT_EQ(-ENODEV, reset_done(fd, 0));
	EXPECT_EQ(-ENODEV, send_rst(fd, self->flow.link.addr, 0));
	EXPECT_EQ(-ENODEV, stop(fd));
	expect_end(self->flow.link.sock, TRANSFER_RESET);
}

/* Programs do as they like while there are no rings. */
TEST_F(sleep, programs_go_on)
{
	struct flow flows[CALLERS];

	for (int i = 0; i < CALLERS; i++) {
		flows[i] = flow_connect(&self->fake);
		flow_put_data(&flows[i], "hello", 5);
	}
	freeze(&self->fake);
	for (int i = 0; i < CALLERS; i++) {
		send(flows[i].link.sock, "bye", 3, MSG_NOSIGNAL);
		if (i % 2)
			shutdown(flows[i].link.sock, SHUT_RDWR);
		if (i % 3 == 0)
			link_close(&flows[i].link);
	}
	thaw(&self->fake);
	recover(&self->fake.dev);
	expect_no_packet(&self->fake);
	expect_usable(&self->fake);
}

/* An honest host, whose context id changes under load. */
FIXTURE(load) {
	struct device dev;
	struct device other; /* which tells the host of the first */
	struct peer control;
	uint32_t cid;
};

FIXTURE_SETUP(load)
{
	if (!host_is_ours() || machine_devices() < 2)
		SKIP(return, "needs two hosts that can be told what to do");
	device_start(&self->dev, NULL);
	device_start_at(&self->other, 1, NULL);
	self->control = peer_open(&self->other);
	self->cid = cid_of(self->dev.fd);
}

FIXTURE_TEARDOWN(load)
{
}

#define VMOS 4

static void vmos_start(struct device *dev, struct link *links, int file)
{
	for (int i = 0; i < VMOS; i++) {
		links[i] = link_connect(dev, HOLD_PORT);
		if (send_vmo(dev->fd, &links[i], file, 0, 64 * MIB))
			fail("SEND_VMO failed");
	}
}

/* Any order among them, but all before the reset. */
static void vmos_finish(struct device *dev, struct link *links)
{
	for (int i = 0; i < VMOS; i++) {
		struct vsockdev_event event = next_event(dev);

		if (event.type != VSOCKDEV_EVENT_SEND_VMO_COMPLETE ||
		    event.vmo.status != ECONNRESET)
			fail("event %u came before a completion", event.type);
	}
	for (int i = 0; i < VMOS; i++) {
		expect_end(links[i].sock, TRANSFER_RESET);
		link_close(&links[i]);
	}
}

TEST_F_TIMEOUT(load, is_cut_off, LONG_SECONDS)
{
	int file = vmo_open(VMO_MEMFD, 64 * MIB);

	for (int i = 0; i < 3; i++) {
		uint32_t cid = i < 2 ? 1000U + i : self->cid;
		struct link vmos[VMOS], link;
		static struct load load;
		struct peer peer;

		load_start(&load, &self->dev);
		vmos_start(&self->dev, vmos, file);
		peer_do(&self->control, "OK", "control 0 cid %u", cid);
		vmos_finish(&self->dev, vmos);
		recover(&self->dev);
		EXPECT_EQ(cid, cid_of(self->dev.fd));
		load_finish(&load);
		peer = peer_open(&self->dev);
		link = peer_connect(&self->dev, &peer);
		exchange(&peer, &link, 1);
		expect_alive(&self->control.link);
		link_close(&link);
		skip_to_rst(&self->dev, link.id);
	}
	close(file);
}

TEST_HARNESS_MAIN
