// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a SEND_VMO ends: by itself or by whatever ends first, with one completion
 * and no page that is lost, or gone while the device has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/slow.h"
#include "lib/vmo.h"
#include "vmo-fixture.h"

#define LONG_SECONDS 240

/* Takes what is left of it, up to the RST; gives back the bytes. */
static uint64_t take_to_rst(struct flow *flow)
{
	struct packet packet;

	while (packet = fake_take(flow->fake),
	       packet.op == VIRTIO_VSOCK_OP_RW)
		flow->taken += packet.len;
	if (packet.op != VIRTIO_VSOCK_OP_RST)
		fail("expected RST, saw %s", op_name(packet.op));
	return flow->taken;
}

TEST_F(vmo, truncated_underneath_ends_the_connection)
{
	struct vsockdev_event event;
	uint64_t bytes;

	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, MIB));
	WAIT_FOR(fake_posted(&self->fake, FAKE_TX) >= 8);
	resize(self->file, MIB - 1);
	bytes = take_to_rst(&self->flow);
	EXPECT_GT(MIB, bytes);
	flow_complete(&self->flow, EIO, bytes);
	event = expect_rst(&self->fake.dev, self->flow.link.id,
			   VSOCKDEV_RST_LOCAL_ERROR, EIO);
	EXPECT_EQ(bytes, event.rst.bytes_sent);
	expect_end(self->flow.link.sock, TRANSFER_RESET);
	expect_no_event(&self->fake.dev, 0);
}

/* Pages that the device has are whole, even when the file has lost them. */
TEST_F_TIMEOUT(vmo, truncation_leaves_what_is_on_its_way, LONG_SECONDS)
{
	struct packet packet;
	struct stream stream;
	int other;

	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, MIB));
	packet = fake_hold(&self->fake);
	resize(self->file, 0);
	/* Whoever wants memory now might get those pages, if they were free */
	other = vmo_open(VMO_MEMFD, 64 * MIB);
	vmo_fill(other, 0, stream_at(8, 0), 64 * MIB);
	packet = fake_look(&self->fake, &packet);
	stream = stream_at(7, 0);
	EXPECT_EQ(packet.len,
		  stream_check(&stream, packet.payload, packet.len));
	fake_return(&self->fake, &packet);
	close(other);
}

/* Each page is of before or of after. Gives back how many are of after. */
static uint32_t count_holes(const struct packet *packet, struct stream stream)
{
	const uint8_t *bytes = packet->payload;
	uint32_t holes = 0;

	for (uint32_t at = 0; at < packet->len; at += PAGE) {
		struct stream page = stream_at(stream.seed, stream.pos + at);

		if (stream_check(&page, bytes + at, PAGE) == PAGE)
			continue;
		if (!all_zero(bytes + at, PAGE))
			fail("a page is neither old nor new");
		holes++;
	}
	return holes;
}

TEST_F(vmo, holes_that_are_punched_meanwhile_are_zeroes)
{
	const uint64_t whole = 2 * MIB; /* more than the ring takes */
	int file = scattered_file(whole);
	struct stream stream = stream_at(7, 0);
	uint32_t holes = 0;

	ASSERT_EQ(0, flow_vmo(&self->flow, file, 0, whole));
	WAIT_FOR(fake_posted(&self->fake, FAKE_TX) >= 8);
	ASSERT_EQ(0, fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       0, whole));
	while (stream.pos < whole) {
		struct packet packet = flow_expect(&self->flow,
						   VIRTIO_VSOCK_OP_RW);

		holes += count_holes(&packet, stream);
		stream.pos += packet.len;
	}
	EXPECT_LT(0, holes);
	EXPECT_EQ(0, blocks_of(file));
	flow_complete(&self->flow, 0, whole);
	close(file);
}

TEST_F(vmo, file_may_be_closed_at_once)
{
	struct stream stream = stream_at(7, 0);
	int file = scattered_file(MIB);

	ASSERT_EQ(0, flow_vmo(&self->flow, file, 0, MIB));
	close(file);
	flow_expect_stream(&self->flow, &stream, MIB);
	flow_complete(&self->flow, 0, MIB);
}

TEST_F(vmo, program_may_end_its_writing)
{
	struct stream stream = stream_at(7, 0);
	struct packet packet;

	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, MIB));
	ASSERT_EQ(0, shutdown(self->flow.link.sock, SHUT_WR));
	flow_expect_stream(&self->flow, &stream, MIB);
	packet = flow_expect(&self->flow, VIRTIO_VSOCK_OP_SHUTDOWN);
	EXPECT_EQ(VSOCKDEV_SHUTDOWN_SEND, packet.flags);
	flow_complete(&self->flow, 0, MIB);
	EXPECT_EQ(-EPIPE, flow_vmo(&self->flow, self->file, 0, 1));
}

TEST_F(vmo, program_may_close)
{
	struct stream stream = stream_at(7, 0);
	struct packet packet;

	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, MIB));
	link_close(&self->flow.link);
	flow_expect_stream(&self->flow, &stream, MIB);
	packet = flow_expect(&self->flow, VIRTIO_VSOCK_OP_SHUTDOWN);
	EXPECT_EQ(VSOCKDEV_SHUTDOWN_SEND | VSOCKDEV_SHUTDOWN_RECEIVE,
		  packet.flags);
	flow_complete(&self->flow, 0, MIB);
	flow_put(&self->flow, VIRTIO_VSOCK_OP_RST);
	expect_rst(&self->fake.dev, self->flow.link.id,
		   VSOCKDEV_RST_LOCAL_CLOSE, 0);
}

/* The other direction is another matter. */
TEST_F(vmo, goes_on_when_only_receiving_ends)
{
	struct stream stream = stream_at(7, 0);

	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, MIB));
	flow_put_flags(&self->flow, VIRTIO_VSOCK_OP_SHUTDOWN,
		       VSOCKDEV_SHUTDOWN_SEND);
	flow_expect_stream(&self->flow, &stream, MIB);
	expect_shutdown(&self->fake.dev, self->flow.link.id,
			VSOCKDEV_SHUTDOWN_SEND);
	flow_complete(&self->flow, 0, MIB);
}

TEST_F(vmo, timed_out_when_the_host_stands_still)
{
	struct fake_options options = { .start.close_timeout_ms = 1 };
	struct stream stream = stream_at(7, 0);
	struct fake fake;
	struct flow flow;

	fake_open(&fake, &options);
	flow = flow_connect_with(&fake, 1000);
	flow.hoards = true;
	ASSERT_EQ(0, flow_vmo(&flow, self->file, 0, MIB));
	while (stream.pos < 1000) {
		struct packet packet = next_data(&flow);

		stream_check(&stream, packet.payload, packet.len);
	}
	link_close(&flow.link);
	flow_complete(&flow, ETIMEDOUT, 1000);
	expect_rst(&fake.dev, flow.link.id, VSOCKDEV_RST_TIMED_OUT, ETIMEDOUT);
	fake_close(&fake);
}

/* What can end it, while the device has some of its pages. */
enum way {
	PEER_RST,
	PEER_NONSENSE,
	PEER_SHUTDOWN,
	OWN_RST,
	OWN_SHUTDOWN,
	PROGRAM_RESET,
	TRUNCATION,
	STOP,
	CLOSE,
	RESET,
	NEW_CID,
	FREEZE,
	REMOVE,
};

#define END_PAGES 3
#define END_SIZE (END_PAGES * HUGE_PAGE)

FIXTURE(end) {
	struct fake fake;
	struct flow flow;
	struct packet held[3];
	int file;
};

FIXTURE_VARIANT(end) {
	enum way way;
	int status; /* of the completion; 0: nobody can read it */
	uint32_t reason; /* of the RST event; 0: there is none */
	int error;
	uint64_t features;
};

FIXTURE_VARIANT_ADD(end, peer_rst) {
	.way = PEER_RST,
	.status = ECONNRESET,
	.reason = VSOCKDEV_RST_PEER_RESET,
	.error = ECONNRESET,
};

FIXTURE_VARIANT_ADD(end, peer_nonsense) {
	.way = PEER_NONSENSE,
	.status = EPROTO,
	.reason = VSOCKDEV_RST_PROTOCOL,
	.error = EPROTO,
	.features = INDIRECT,
};

FIXTURE_VARIANT_ADD(end, peer_shutdown) {
	.way = PEER_SHUTDOWN,
	.status = EPIPE,
	.features = INDIRECT,
};

FIXTURE_VARIANT_ADD(end, own_rst) {
	.way = OWN_RST,
	.status = ECANCELED,
};

FIXTURE_VARIANT_ADD(end, own_shutdown) {
	.way = OWN_SHUTDOWN,
	.status = EPIPE,
};

FIXTURE_VARIANT_ADD(end, program_reset) {
	.way = PROGRAM_RESET,
	.status = ECONNRESET,
	.reason = VSOCKDEV_RST_LOCAL_CLOSE,
	.error = ECONNRESET,
};

FIXTURE_VARIANT_ADD(end, truncation) {
	.way = TRUNCATION,
	.status = EIO,
	.reason = VSOCKDEV_RST_LOCAL_ERROR,
	.error = EIO,
};

FIXTURE_VARIANT_ADD(end, stop) {
	.way = STOP,
};

FIXTURE_VARIANT_ADD(end, close) {
	.way = CLOSE,
	.features = INDIRECT,
};

FIXTURE_VARIANT_ADD(end, transport_reset) {
	.way = RESET,
	.status = ECONNRESET,
};

FIXTURE_VARIANT_ADD(end, new_cid) {
	.way = NEW_CID,
	.status = ECONNRESET,
};

FIXTURE_VARIANT_ADD(end, freeze) {
	.way = FREEZE,
	.status = ECONNRESET,
};

FIXTURE_VARIANT_ADD(end, remove) {
	.way = REMOVE,
	.status = ENODEV,
	.features = INDIRECT,
};

/* The device has as many packets as it gets, and holds the first ones. */
FIXTURE_SETUP(end)
{
	struct fake_options options = { .features = variant->features };

	if (!huge_pages_reserve(END_PAGES))
		SKIP(return, "no huge pages here");
	fake_open(&self->fake, &options);
	self->flow = flow_endless(&self->fake);
	self->file = vmo_open(VMO_HUGE, END_SIZE);
	vmo_fill(self->file, 0, stream_at(7, 0), END_SIZE);
	ASSERT_EQ(0, huge_pages_free());
	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, END_SIZE));
	for (int i = 0; i < 3; i++)
		self->held[i] = fake_hold(&self->fake);
	WAIT_FOR(info_of(self->fake.dev.fd).tx_bytes == 512 * KIB);
}

FIXTURE_TEARDOWN(end)
{
	fake_close(&self->fake);
	huge_pages_reserve(0);
}

static void end_by_host(struct flow *flow, enum way way)
{
	struct fake *fake = flow->fake;

	if (way == PEER_RST)
		flow_put(flow, VIRTIO_VSOCK_OP_RST);
	else if (way == PEER_NONSENSE)
		flow_put(flow, VIRTIO_VSOCK_OP_RESPONSE);
	else if (way == PEER_SHUTDOWN)
		flow_put_flags(flow, VIRTIO_VSOCK_OP_SHUTDOWN,
			       VSOCKDEV_SHUTDOWN_RECEIVE);
	else if (way == RESET)
		fake_event(fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	else if (way == NEW_CID)
		fake_set_cid(fake, 77, true);
	else if (way == FREEZE)
		fake_call(fake, VSOCKDEV_FAKE_FREEZE, NULL);
	else if (way == REMOVE)
		fake_remove(fake);
}

static void reset_socket(struct flow *flow)
{
	flow_put_data(flow, "!", 1);
	WAIT_FOR(poll_now(flow->link.sock) & POLLIN);
	link_close(&flow->link);
}

/* Gives back whether it was one of these. */
static bool end_by_guest(struct flow *flow, int file, enum way way)
{
	int fd = flow->fake->dev.fd;

	switch (way) {
	case OWN_RST:
		return !send_rst(fd, flow->link.addr, flow->link.id);
	case OWN_SHUTDOWN:
		return !send_shutdown(fd, flow->link.addr, 0,
				      VSOCKDEV_SHUTDOWN_SEND);
	case PROGRAM_RESET:
		reset_socket(flow);
		return true;
	case TRUNCATION:
		resize(file, HUGE_PAGE);
		return true;
	case STOP:
		return !stop(fd);
	case CLOSE:
		flow->fake->dev.fd = -1;
		return !close(fd);
	default:
		return false;
	}
}

static bool device_forgets(enum way way)
{
	return way == FREEZE || way == REMOVE;
}

/* The completion first, and then what ended it. */
static uint64_t expect_end_of_vmo(struct fake *fake, uint64_t id, enum way way,
				  int status)
{
	struct vsockdev_event event;

	if (way == PEER_SHUTDOWN)
		expect_shutdown(&fake->dev, id, VSOCKDEV_SHUTDOWN_RECEIVE);
	event = next_event(&fake->dev);
	if (event.type != VSOCKDEV_EVENT_SEND_VMO_COMPLETE ||
	    event.conn_id != id || event.vmo.status != status)
		fail("event %u, status %d came instead of a completion with %d",
		     event.type, event.vmo.status, status);
	return event.vmo.bytes;
}

static void expect_what_ended_it(struct fake *fake, uint64_t id, enum way way,
				 uint32_t reason, int error)
{
	if (reason)
		expect_rst(&fake->dev, id, reason, error);
	else if (way == RESET || way == NEW_CID)
		expect_event(&fake->dev, VSOCKDEV_EVENT_TRANSPORT_RESET, 0);
	if (way != REMOVE)
		expect_no_event(&fake->dev, 0);
}

/* All bytes that the driver has put into the ring. */
static uint64_t return_all(struct fake *fake, const struct packet *held,
			   int count)
{
	uint64_t bytes = 0;

	for (int i = 0; i < count; i++)
		fake_return(fake, &held[i]);
	while (fake_posted(fake, FAKE_TX))
		bytes += fake_take(fake).len;
	return bytes;
}

TEST_F(end, keeps_the_pages_that_the_device_has)
{
	uint64_t id = self->flow.link.id, bytes = 0, told = 0;
	int held = 3;

	for (int i = 0; i < 3; i++)
		bytes += self->held[i].len;
	if (!end_by_guest(&self->flow, self->file, variant->way))
		end_by_host(&self->flow, variant->way);
	/* What comes next is not there, which shows when it is its turn */
	if (variant->way == TRUNCATION)
		fake_return(&self->fake, &self->held[--held]);
	close(self->file);
	if (variant->status)
		told = expect_end_of_vmo(&self->fake, id, variant->way,
					 variant->status);
	expect_what_ended_it(&self->fake, id, variant->way, variant->reason,
			     variant->error);

	if (!device_forgets(variant->way)) {
		struct stream stream = stream_at(7, 0);
		struct packet seen;

		WAIT_FOR(huge_pages_free() == END_PAGES - 1);
		seen = fake_look(&self->fake, &self->held[0]);
		EXPECT_EQ(seen.len,
			  stream_check(&stream, seen.payload, seen.len));
		EXPECT_EQ(END_PAGES - 1, huge_pages_free());
		bytes += return_all(&self->fake, self->held, held);
		if (variant->status)
			EXPECT_EQ(bytes, told);
	}
	WAIT_FOR(huge_pages_free() == END_PAGES);
	if (self->flow.link.sock >= 0 && variant->way != PEER_SHUTDOWN &&
	    variant->way != OWN_SHUTDOWN)
		expect_end(self->flow.link.sock, TRANSFER_RESET);
}

/* A file whose reading lasts, which only its own connection waits for. */
FIXTURE(stuck) {
	struct fake fake;
	struct flow flow;
	struct slow slow;
};

#define SLOW_SIZE (16 * PAGE)

FIXTURE_SETUP(stuck)
{
	if (!slow_open(&self->slow, SLOW_SIZE, 9))
		SKIP(return, "no FUSE here");
	fake_open(&self->fake, NULL);
	self->flow = flow_endless(&self->fake);
	ASSERT_EQ(0, flow_vmo(&self->flow, self->slow.file, 0, SLOW_SIZE));
	slow_wait(&self->slow);
}

FIXTURE_TEARDOWN(stuck)
{
	fake_close(&self->fake);
}

static void answer_all(struct slow *slow)
{
	for (uint64_t pos = 0; pos < SLOW_SIZE; pos += slow->len) {
		slow_wait(slow);
		slow_answer(slow, 0);
	}
}

TEST_F(stuck, arrives_when_it_was_read)
{
	struct stream stream = stream_at(9, 0);

	answer_all(&self->slow);
	flow_expect_stream(&self->flow, &stream, SLOW_SIZE);
	flow_complete(&self->flow, 0, SLOW_SIZE);
	slow_close(&self->slow);
}

TEST_F(stuck, others_go_on)
{
	struct stream stream = stream_at(9, 0);
	struct flow other = flow_endless(&self->fake);
	int file = scattered_file(MIB);

	expect_sent(&other, file, 7, 0, MIB);
	flow_put_data(&other, "!", 1);
	WAIT_FOR(poll_now(other.link.sock) & POLLIN);
	expect_usable(&self->fake);
	answer_all(&self->slow);
	flow_expect_stream(&self->flow, &stream, SLOW_SIZE);
	flow_complete(&self->flow, 0, SLOW_SIZE);
	slow_close(&self->slow);
	close(file);
}

TEST_F(stuck, reading_fails)
{
	slow_answer(&self->slow, ENXIO);
	flow_complete(&self->flow, EIO, 0);
	expect_rst(&self->fake.dev, self->flow.link.id,
		   VSOCKDEV_RST_LOCAL_ERROR, EIO);
	flow_expect(&self->flow, VIRTIO_VSOCK_OP_RST);
	expect_end(self->flow.link.sock, TRANSFER_RESET);
	slow_close(&self->slow);
}

/* It was over before, so that it fails does not end the rest. */
TEST_F(stuck, reading_fails_when_nobody_wants_it)
{
	ASSERT_EQ(0, send_shutdown(self->fake.dev.fd, self->flow.link.addr, 0,
				   VSOCKDEV_SHUTDOWN_SEND));
	flow_complete(&self->flow, EPIPE, 0);
	flow_expect(&self->flow, VIRTIO_VSOCK_OP_SHUTDOWN);
	slow_answer(&self->slow, ENXIO);
	flow_put_data(&self->flow, "!", 1);
	WAIT_FOR(poll_now(self->flow.link.sock) & POLLIN);
	EXPECT_EQ(1, recv(self->flow.link.sock, (char[1]) {}, 1, 0));
	expect_no_event(&self->fake.dev, 0);
	slow_close(&self->slow);
}

static const struct ending {
	const char *name;
	enum way way;
	int status;
	uint32_t reason;
	int error;
} endings[] = {
	{ "the host resets it", PEER_RST, ECONNRESET, VSOCKDEV_RST_PEER_RESET,
	  ECONNRESET },
	{ "the host shuts down", PEER_SHUTDOWN, EPIPE, 0, 0 },
	{ "SEND_RST", OWN_RST, ECANCELED, 0, 0 },
	{ "SEND_SHUTDOWN", OWN_SHUTDOWN, EPIPE, 0, 0 },
	{ "STOP", STOP, 0, 0, 0 },
	{ "close", CLOSE, 0, 0, 0 },
	{ "transport reset", RESET, ECONNRESET, 0, 0 },
	{ "freeze", FREEZE, ECONNRESET, 0, 0 },
	{ "removal", REMOVE, ENODEV, 0, 0 },
};

static void acknowledge(struct fake *fake)
{
	struct vsockdev_reset_done done = {
		.size = sizeof(done),
		.generation = info_of(fake->dev.fd).generation,
	};
	int error = call(fake->dev.fd, VSOCKDEV_RESET_DONE, &done);

	if (error)
		fail("RESET_DONE: %s", strerror(-error));
}

/* The device can be used again, whatever is stuck. */
static void expect_usable_after(struct fake *fake, enum way way)
{
	if (way == REMOVE)
		return;
	if (way == FREEZE) {
		if (fake_call(fake, VSOCKDEV_FAKE_RESTORE, NULL))
			fail("the device does not wake up");
		expect_event(&fake->dev, VSOCKDEV_EVENT_TRANSPORT_RESET, 0);
	}
	if (way == FREEZE || way == RESET)
		acknowledge(fake);
	if (way == CLOSE)
		fake->dev.fd = fake_open_node(fake);
	if (way == CLOSE || way == STOP)
		WAIT_FOR(start(fake->dev.fd, NULL) == 0);
	while (fake_posted(fake, FAKE_TX))
		fake_take(fake);
	expect_usable(fake);
}

static void end_while_stuck(const struct ending *ending)
{
	static struct fake fake;
	struct slow slow;
	struct flow flow;

	slow_open(&slow, SLOW_SIZE, 9);
	fake_open(&fake, NULL);
	flow = flow_endless(&fake);
	if (flow_vmo(&flow, slow.file, 0, SLOW_SIZE))
		fail("SEND_VMO failed");
	slow_wait(&slow);
	if (!end_by_guest(&flow, slow.file, ending->way))
		end_by_host(&flow, ending->way);
	if (ending->status)
		expect_end_of_vmo(&fake, flow.link.id, ending->way,
				  ending->status);
	expect_what_ended_it(&fake, flow.link.id, ending->way, ending->reason,
			     ending->error);
	expect_usable_after(&fake, ending->way);
	fake_close(&fake);
	slow_close(&slow);
	expect_end(flow.link.sock, TRANSFER_RESET);
	link_close(&flow.link);
}

TEST_F_TIMEOUT(stuck, ends_all_the_same, LONG_SECONDS)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		check_case(endings[i].name);
		end_while_stuck(&endings[i]);
	}
	check_case(NULL);
	slow_close(&self->slow);
}

TEST_HARNESS_MAIN

