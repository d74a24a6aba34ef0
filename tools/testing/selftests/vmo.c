// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEND_VMO: ranges of files of every kind arrive byte by byte, without a copy
 * and in order with what the program writes, and are completed once, whatever
 * ends first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/vmo.h"
#include "vmo-fixture.h"

#define PACKET_MAX (64 * KIB)
#define LONG_SECONDS 240

/* An honest host, and files of every kind. */
FIXTURE(file) {
	struct device dev;
	struct peer peer;
	struct link link;
	int file;
};

FIXTURE_VARIANT(file) {
	enum vmo_kind kind;
};

FIXTURE_VARIANT_ADD(file, memfd) {
	.kind = VMO_MEMFD,
};

FIXTURE_VARIANT_ADD(file, transparent_huge_pages) {
	.kind = VMO_THP,
};

FIXTURE_VARIANT_ADD(file, hugetlb) {
	.kind = VMO_HUGE,
};

FIXTURE_VARIANT_ADD(file, tmpfs) {
	.kind = VMO_TMPFS,
};

FIXTURE_VARIANT_ADD(file, ordinary) {
	.kind = VMO_RAMFS,
};

FIXTURE_VARIANT_ADD(file, on_disk) {
	.kind = VMO_DISK,
};

FIXTURE_VARIANT_ADD(file, block_device) {
	.kind = VMO_BLOCK,
};

#define FILE_SIZE (4 * HUGE_PAGE)

FIXTURE_SETUP(file)
{
	if (variant->kind == VMO_HUGE && !huge_pages_reserve(4))
		SKIP(return, "no huge pages here");
	self->file = vmo_open(variant->kind, FILE_SIZE);
	if (self->file < 0)
		SKIP(return, "no such files here");
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
	self->link = peer_connect(&self->dev, &self->peer);
}

FIXTURE_TEARDOWN(file)
{
	close(self->file);
	if (variant->kind == VMO_HUGE)
		huge_pages_reserve(0);
}

TEST_F(file, arrives_whole)
{
	vmo_fill(self->file, 0, stream_at(7, 0), FILE_SIZE);
	peer_tell(&self->peer, "recv 7 %llu", FILE_SIZE);
	ASSERT_EQ(0, send_vmo(self->dev.fd, &self->link, self->file, 0,
			      FILE_SIZE));
	peer_hear_exactly(&self->peer, "done %llu", FILE_SIZE);
	expect_complete(&self->dev, self->link.id, 0, FILE_SIZE);
}

TEST_F(file, odd_range_arrives)
{
	static const struct {
		unsigned long long offset;
		unsigned long long length;
	} ranges[] = {
		{ 0, 1 },
		{ 4095, 1 },
		{ 4095, 2 },
		{ 1, 4096 },
		{ 123, 65536 },
		{ 4096, 65537 },
		{ HUGE_PAGE - 1, 2 },
		{ HUGE_PAGE - 12345, 234567 },
		{ 2 * HUGE_PAGE - 1, 1 },
		{ FILE_SIZE - 1, 1 },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		vmo_fill(self->file, ranges[i].offset, stream_at(i, 0),
			 ranges[i].length);
		ASSERT_EQ(0, send_vmo(self->dev.fd, &self->link, self->file,
				      ranges[i].offset, ranges[i].length));
		expect_complete(&self->dev, self->link.id, 0,
				ranges[i].length);
		peer_tell(&self->peer, "recv %zu %llu", i, ranges[i].length);
		peer_hear_exactly(&self->peer, "done %llu", ranges[i].length);
	}
}

/* The same kinds, and a host that looks at every packet. */
FIXTURE(range) {
	struct fake fake;
	struct flow flow;
	int file;
};

FIXTURE_VARIANT(range) {
	enum vmo_kind kind;
	uint64_t features;
};

FIXTURE_VARIANT_ADD(range, memfd) {
	.kind = VMO_MEMFD,
};

FIXTURE_VARIANT_ADD(range, memfd_in_runs) {
	.kind = VMO_MEMFD,
	.features = INDIRECT,
};

FIXTURE_VARIANT_ADD(range, transparent_huge_pages) {
	.kind = VMO_THP,
	.features = INDIRECT,
};

FIXTURE_VARIANT_ADD(range, hugetlb) {
	.kind = VMO_HUGE,
};

FIXTURE_VARIANT_ADD(range, hugetlb_in_runs) {
	.kind = VMO_HUGE,
	.features = INDIRECT,
};

FIXTURE_VARIANT_ADD(range, tmpfs) {
	.kind = VMO_TMPFS,
	.features = INDIRECT,
};

FIXTURE_VARIANT_ADD(range, ordinary) {
	.kind = VMO_RAMFS,
	.features = INDIRECT,
};

FIXTURE_VARIANT_ADD(range, on_disk) {
	.kind = VMO_DISK,
	.features = INDIRECT,
};

FIXTURE_VARIANT_ADD(range, block_device) {
	.kind = VMO_BLOCK,
	.features = INDIRECT,
};

#define RANGE_SIZE (2 * HUGE_PAGE)

FIXTURE_SETUP(range)
{
	struct fake_options options = { .features = variant->features };

	if (variant->kind == VMO_HUGE && !huge_pages_reserve(2))
		SKIP(return, "no huge pages here");
	self->file = vmo_open(variant->kind, RANGE_SIZE);
	if (self->file < 0)
		SKIP(return, "no such files here");
	fake_open(&self->fake, &options);
	self->flow = flow_endless(&self->fake);
}

FIXTURE_TEARDOWN(range)
{
	close(self->file);
	fake_close(&self->fake);
	if (variant->kind == VMO_HUGE)
		huge_pages_reserve(0);
}

TEST_F_TIMEOUT(range, any_part_arrives, LONG_SECONDS)
{
	uint64_t random = variant->kind;

	vmo_fill(self->file, 0, stream_at(7, 0), RANGE_SIZE);
	for (int i = 0; i < rounds(150); i++) {
		uint32_t most = i % 4 ? 3 * PAGE : 300 * KIB;
		uint32_t length = stream_pick(&random, 1, most);
		uint32_t offset = stream_pick(&random, 0, RANGE_SIZE - length);

		expect_sent(&self->flow, self->file, 7, offset, length);
	}
}

/* Takes a file of zeroes, and how many bytes of it were none. */
static uint64_t take_zeroes(struct flow *flow, uint64_t len)
{
	uint64_t others = 0;

	while (len) {
		struct packet packet = flow_expect(flow, VIRTIO_VSOCK_OP_RW);
		const uint8_t *bytes = packet.payload;

		len -= packet.len;
		if (all_zero(bytes, packet.len))
			continue;
		for (uint32_t i = 0; i < packet.len; i++)
			others += !!bytes[i];
	}
	return others;
}

TEST_F(range, holes_are_zeroes_and_stay_holes)
{
	struct vmo_map map = vmo_map(self->file, HUGE_PAGE + 5, 3);
	unsigned int free_pages;
	uint64_t blocks;

	memset(map.bytes, 'x', 3);
	vmo_unmap(&map);
	fsync(self->file);
	blocks = blocks_of(self->file);
	free_pages = huge_pages_free();

	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 1, RANGE_SIZE - 2));
	EXPECT_EQ(3, take_zeroes(&self->flow, RANGE_SIZE - 2));
	flow_complete(&self->flow, 0, RANGE_SIZE - 2);
	/* Those of ordinary files are filled by whoever reads them */
	if (variant->kind != VMO_RAMFS)
		EXPECT_EQ(blocks, blocks_of(self->file));
	EXPECT_EQ(free_pages, huge_pages_free());
}

/* What the program writes while the device has the pages, the device sees. */
TEST_F(range, goes_without_a_copy)
{
	struct vmo_map map = vmo_map(self->file, 0, RANGE_SIZE);
	struct stream before = stream_at(1, 0), after = stream_at(2, 0);
	struct packet packet;

	stream_fill(&before, map.bytes, RANGE_SIZE);
	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 100, 3 * PAGE));
	packet = fake_hold(&self->fake);
	before.pos = 100;
	ASSERT_EQ(packet.len,
		  stream_check(&before, packet.payload, packet.len));

	stream_fill(&after, map.bytes, RANGE_SIZE);
	packet = fake_look(&self->fake, &packet);
	after.pos = 100;
	ASSERT_EQ(packet.len, stream_check(&after, packet.payload, packet.len));
	fake_return(&self->fake, &packet);
	flow_expect_stream(&self->flow, &after, 3 * PAGE - packet.len);
	flow_complete(&self->flow, 0, 3 * PAGE);
	vmo_unmap(&map);
}

/* How it is cut into packets. */
FIXTURE(packet) {
	struct fake fake;
	struct flow flow;
};

FIXTURE_SETUP(packet)
{
	self->fake.fd = -1;
}

FIXTURE_TEARDOWN(packet)
{
	if (self->fake.fd >= 0)
		fake_close(&self->fake);
}

static void open_packet(struct fake *fake, struct flow *flow,
			uint64_t features, uint32_t queue_size)
{
	struct fake_options options = {
		.features = features,
		.queue_size = queue_size,
	};

	fake_open(fake, &options);
	*flow = flow_endless(fake);
}

/* Most descriptors of a packet; each has 64 KiB but the last. */
static uint32_t count_runs(struct flow *flow, struct stream stream,
			   uint64_t len)
{
	uint32_t most = 0;

	while (len) {
		struct packet packet = flow_expect(flow, VIRTIO_VSOCK_OP_RW);

		if (packet.len != (len < PACKET_MAX ? len : PACKET_MAX))
			fail("a packet of %u bytes with %llu to come",
			     packet.len, (unsigned long long)len);
		if (packet.chain.sizes[0] != PACKET_HEADER)
			fail("a header of %u bytes", packet.chain.sizes[0]);
		if (stream_check(&stream, packet.payload, packet.len) !=
		    packet.len)
			fail("a wrong byte");
		if (packet.chain.count > most)
			most = packet.chain.count;
		len -= packet.len;
	}
	return most;
}

TEST_F(packet, several_runs_go_in_one)
{
	int file = scattered_file(2 * MIB);

	open_packet(&self->fake, &self->flow, INDIRECT, 0);
	ASSERT_EQ(0, flow_vmo(&self->flow, file, 0, 2 * MIB));
	/* A page more would do; chance does not put all in a row */
	EXPECT_LT(3, count_runs(&self->flow, stream_at(7, 0), 2 * MIB));
	flow_complete(&self->flow, 0, 2 * MIB);
	close(file);
}

TEST_F(packet, is_no_longer_than_a_quarter_of_the_ring)
{
	struct stream stream = stream_at(7, 0);
	int file = scattered_file(MIB);
	uint64_t len = MIB;

	open_packet(&self->fake, &self->flow, INDIRECT, 16);
	ASSERT_EQ(0, flow_vmo(&self->flow, file, 0, MIB));
	while (len) {
		struct packet packet = flow_expect(&self->flow,
						   VIRTIO_VSOCK_OP_RW);

		EXPECT_GE(1 + 16 / 4, packet.chain.count);
		ASSERT_EQ(packet.len, stream_check(&stream, packet.payload,
						   packet.len));
		len -= packet.len;
	}
	flow_complete(&self->flow, 0, MIB);
	close(file);
}

TEST_F(packet, is_one_run_where_no_chains_are_offered)
{
	struct stream stream = stream_at(7, 0);
	int file = scattered_file(MIB);
	uint64_t len = MIB;

	open_packet(&self->fake, &self->flow, 0, 0);
	ASSERT_EQ(0, flow_vmo(&self->flow, file, 0, MIB));
	while (len) {
		struct packet packet = flow_expect(&self->flow,
						   VIRTIO_VSOCK_OP_RW);

		ASSERT_EQ(2, packet.chain.count);
		ASSERT_EQ(PACKET_HEADER, packet.chain.sizes[0]);
		ASSERT_EQ(packet.len, packet.chain.sizes[1]);
		ASSERT_EQ(packet.len, stream_check(&stream, packet.payload,
						   packet.len));
		len -= packet.len;
	}
	flow_complete(&self->flow, 0, MIB);
	close(file);
}

TEST_F(packet, of_contiguous_pages_is_full)
{
	int file;

	if (!huge_pages_reserve(1))
		SKIP(return, "no huge pages here");
	file = vmo_open(VMO_HUGE, HUGE_PAGE);
	vmo_fill(file, 0, stream_at(7, 0), HUGE_PAGE);
	open_packet(&self->fake, &self->flow, 0, 0);
	ASSERT_EQ(0, flow_vmo(&self->flow, file, 0, HUGE_PAGE));
	EXPECT_EQ(2, count_runs(&self->flow, stream_at(7, 0), HUGE_PAGE));
	flow_complete(&self->flow, 0, HUGE_PAGE);
	close(file);
	huge_pages_reserve(0);
}

/* After an odd beginning, the next packets begin with a page. */
TEST_F(packet, ends_with_a_page)
{
	int file = scattered_file(MIB);
	struct stream stream = stream_at(7, 123);
	uint64_t pos = 123;

	open_packet(&self->fake, &self->flow, INDIRECT, 0);
	ASSERT_EQ(0, flow_vmo(&self->flow, file, pos, MIB - pos));
	while (pos < MIB) {
		struct packet packet = flow_expect(&self->flow,
						   VIRTIO_VSOCK_OP_RW);

		ASSERT_EQ(packet.len, stream_check(&stream, packet.payload,
						   packet.len));
		pos += packet.len;
		EXPECT_EQ(0, pos % PAGE);
		EXPECT_LE(packet.len, PACKET_MAX);
		EXPECT_LT(PACKET_MAX - PAGE, packet.len);
	}
	flow_complete(&self->flow, 0, MIB - 123);
	close(file);
}

/* The smallest rings there are: slow, but right. */
TEST_F(packet, fits_a_tiny_ring)
{
	static const struct {
		uint64_t features;
		uint32_t size;
	} rings[] = {
		{ 0, 1 }, { 0, 2 }, { 0, 4 }, { INDIRECT, 1 }, { INDIRECT, 2 },
	};
	int file = scattered_file(256 * KIB);

	for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
		open_packet(&self->fake, &self->flow, rings[i].features,
			    rings[i].size);
		expect_sent(&self->flow, file, 7, 0, 256 * KIB);
		fake_close(&self->fake);
	}
	self->fake.fd = -1;
	close(file);
}

/*
 * The driver has put as much into the ring as it wants to, or all. What is left
 * of a packet that was cut keeps all its pages, and counts as if it were whole:
 * each of the two that were staged may have been cut.
 */
static bool ring_is_full(const struct flow *flow, uint32_t total)
{
	uint32_t sent = info_of(flow->fake->dev.fd).tx_bytes;

	if (sent < total && sent - flow->taken < (512 - 2 * 64) * KIB)
		return false;
	/* It may go on, as we take much at once */
	usleep(1000);
	return sent == info_of(flow->fake->dev.fd).tx_bytes;
}

/*
 * Takes back all room but for @more bytes beyond those that were sent, or for
 * all that are sent before the driver knows. Returns how many can come.
 */
static uint32_t flow_shrink(struct flow *flow, uint32_t more, uint32_t total)
{
	uint32_t sent = info_of(flow->fake->dev.fd).tx_bytes, late;

	if (more > total - sent)
		more = total - sent;
	flow->buf_alloc = sent + more - flow->fwd_cnt;
	flow_tell(flow);
	/* When this is taken, what the first one said has been acted on */
	flow_tell(flow);
	late = info_of(flow->fake->dev.fd).tx_bytes;
	return late > sent + more ? late : sent + more;
}

/* Frames were made for the room that the peer takes back. */
static void shrink_and_grow(struct flow *flow, int file)
{
	const uint32_t total = 4 * MIB - 1;
	struct stream stream = stream_at(7, 1);
	uint64_t random = 1;
	uint32_t limit;

	flow->hoards = true;
	if (flow_vmo(flow, file, 1, total))
		fail("SEND_VMO failed");
	while (flow->taken < total) {
		WAIT_FOR(ring_is_full(flow, total));
		limit = flow_shrink(flow, stream_pick(&random, 0, 9000), total);
		while (flow->taken < limit) {
			struct packet packet = next_data(flow);

			flow->taken += packet.len;
			if (stream_check(&stream, packet.payload, packet.len) !=
			    packet.len)
				fail("a wrong byte at %llu",
				     (unsigned long long)stream.pos);
		}
		if (flow->taken != limit)
			fail("%u bytes in a window to %u", flow->taken, limit);
		flow_grant(flow, ENDLESS);
	}
	flow_complete(flow, 0, total);
}

TEST_F_TIMEOUT(packet, of_many_runs_is_cut_when_the_window_shrinks,
	       LONG_SECONDS)
{
	int file = scattered_file(4 * MIB);

	open_packet(&self->fake, &self->flow, INDIRECT, 0);
	shrink_and_grow(&self->flow, file);
	close(file);
}

TEST_F_TIMEOUT(packet, of_one_run_is_cut_when_the_window_shrinks,
	       LONG_SECONDS)
{
	int file;

	if (!huge_pages_reserve(2))
		SKIP(return, "no huge pages here");
	file = vmo_open(VMO_HUGE, 4 * MIB);
	vmo_fill(file, 0, stream_at(7, 0), 4 * MIB);
	open_packet(&self->fake, &self->flow, 0, 0);
	shrink_and_grow(&self->flow, file);
	close(file);
	huge_pages_reserve(0);
}

/*
 * Two kinds of bytes, told apart by their first bit, on one connection. What
 * is of the file comes in one piece, and never in a packet with the other.
 */
struct mix {
	const uint8_t *sock; /* what the program writes */
	uint64_t sock_at;
	const uint8_t *file;
	uint64_t file_at; /* of the range under way */
	uint64_t file_end;
};

static bool is_of_file(uint8_t byte)
{
	return byte & 0x80;
}

static void mix_make(uint8_t *bytes, size_t len, bool file)
{
	struct stream stream = { .seed = file };

	stream_fill(&stream, bytes, len);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (bytes[i] & 0x7f) | (file ? 0x80 : 0);
}

static void mix_check(struct mix *mix, const struct packet *packet,
		      bool in_file)
{
	const uint8_t *bytes = packet->payload;

	if (is_of_file(bytes[0])) {
		if (packet->len > mix->file_end - mix->file_at ||
		    memcmp(bytes, mix->file + mix->file_at, packet->len))
			fail("wrong bytes at %llu of the file",
			     (unsigned long long)mix->file_at);
		mix->file_at += packet->len;
		return;
	}
	if (in_file)
		fail("bytes of the socket, at %llu of the file",
		     (unsigned long long)mix->file_at);
	if (memcmp(bytes, mix->sock + mix->sock_at, packet->len))
		fail("wrong bytes at %llu of the socket",
		     (unsigned long long)mix->sock_at);
	mix->sock_at += packet->len;
}

static void mix_take(struct mix *mix, struct flow *flow)
{
	struct packet packet = next_data(flow);
	uint64_t begun = mix->file_at;

	mix_check(mix, &packet, begun && begun < mix->file_end);
	flow->taken += packet.len;
}

#define MIX_SOCK (200 * KIB)

static void mix_open(struct mix *mix, struct vmo_map *map, int file)
{
	static uint8_t sock[MIX_SOCK];

	*map = vmo_map(file, 0, MIB);
	mix_make(map->bytes, MIB, true);
	mix_make(sock, sizeof(sock), false);
	*mix = (struct mix){ .sock = sock, .file = map->bytes };
}

static void must_send(int sock, const void *bytes, size_t len)
{
	if (send(sock, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
		fail("send: %s", strerror(errno));
}

/* Bytes that wait in the socket, as there is no credit, come after it. */
TEST_F(vmo, goes_ahead_of_what_is_in_the_socket)
{
	struct flow flow = flow_connect_with(&self->fake, 8 * KIB);
	struct vmo_map map;
	struct mix mix;

	mix_open(&mix, &map, self->file);
	must_send(flow.link.sock, mix.sock, 64 * KIB);
	while (flow.taken < 8 * KIB)
		mix_take(&mix, &flow);
	ASSERT_EQ(0, flow_vmo(&flow, self->file, 0, 300 * KIB));
	mix.file_end = 300 * KIB;
	flow_grant(&flow, ENDLESS);
	while (mix.file_at < mix.file_end)
		mix_take(&mix, &flow);
	EXPECT_EQ(8 * KIB, mix.sock_at);
	flow_complete(&flow, 0, 300 * KIB);
	while (mix.sock_at < 64 * KIB)
		mix_take(&mix, &flow);
	vmo_unmap(&map);
}

/* The ring is full, and a frame or two of the socket are made already. */
TEST_F(vmo, goes_behind_what_is_on_its_way)
{
	struct vmo_map map;
	struct mix mix;

	mix_open(&mix, &map, self->file);
	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, MIB));
	mix.file_end = MIB;
	must_send(self->flow.link.sock, mix.sock, 100 * KIB);
	while (mix.file_at < mix.file_end)
		mix_take(&mix, &self->flow);
	flow_complete(&self->flow, 0, MIB);
	WAIT_FOR(fake_posted(&self->fake, FAKE_TX));
	mix.file_at = 0;
	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, MIB));
	while (mix.file_at < mix.file_end || mix.sock_at < 100 * KIB)
		mix_take(&mix, &self->flow);
	flow_complete(&self->flow, 0, MIB);
	vmo_unmap(&map);
}

/* Small writes and ranges in turn, through a small window. */
TEST_F_TIMEOUT(vmo, is_never_mixed_with_the_socket, LONG_SECONDS)
{
	struct flow flow = flow_connect_with(&self->fake, 10000);
	uint64_t written = 0, random = 1;
	struct vmo_map map;
	struct mix mix;

	mix_open(&mix, &map, self->file);
	for (int i = 0; i < rounds(50); i++) {
		uint32_t wrote = stream_pick(&random, 0, 3000);
		uint32_t length = stream_pick(&random, 1, 30000);

		mix.file_at = 0;
		mix.file_end = length;
		must_send(flow.link.sock, mix.sock + written, wrote);
		written += wrote;
		ASSERT_EQ(0, flow_vmo(&flow, self->file, 0, length));
		while (mix.file_at < mix.file_end) {
			mix_take(&mix, &flow);
			flow_grant(&flow, stream_pick(&random, 1, 10000));
		}
		flow_complete(&flow, 0, length);
	}
	flow_grant(&flow, ENDLESS);
	while (mix.sock_at < written)
		mix_take(&mix, &flow);
	vmo_unmap(&map);
}

TEST_F(vmo, obeys_the_window)
{
	struct flow flow = flow_connect_with(&self->fake, 10000);
	struct stream stream = stream_at(7, 0);
	uint64_t random = 1;

	flow.hoards = true;
	ASSERT_EQ(0, flow_vmo(&flow, self->file, 0, 200 * KIB));
	while (stream.pos < 200 * KIB) {
		struct packet packet = next_data(&flow);

		flow.taken += packet.len;
		ASSERT_EQ(packet.len, stream_check(&stream, packet.payload,
						   packet.len));
		ASSERT_LE(flow.taken - flow.fwd_cnt, flow.buf_alloc);
		if (flow.taken - flow.fwd_cnt == flow.buf_alloc)
			flow_grant(&flow, stream_pick(&random, 1, 20000));
	}
	flow_complete(&flow, 0, 200 * KIB);
}

/* All but the last descriptor came back, in any order: nothing is told. */
TEST_F(vmo, completes_with_the_last_descriptor)
{
	struct flow other = flow_endless(&self->fake);
	struct packet packets[128], last;
	struct vsockdev_event event;
	uint64_t len = 128 * KIB;
	int count = 0;

	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, len));
	for (uint64_t held = 0; held < len; held += packets[count++].len)
		packets[count] = fake_hold(&self->fake);
	ASSERT_EQ(0, flow_vmo(&other, self->file, 0, 1));
	last = fake_hold(&self->fake);
	while (--count)
		fake_return(&self->fake, &packets[count]);
	fake_return(&self->fake, &last);

	event = next_event(&self->fake.dev);
	EXPECT_EQ(other.link.id, event.conn_id);
	EXPECT_EQ(-EBUSY, flow_vmo(&self->flow, self->file, 0, 1));
	expect_no_event(&self->fake.dev, 0);
	fake_return(&self->fake, &packets[0]);
	flow_complete(&self->flow, 0, len);
	expect_no_event(&self->fake.dev, 0);
}

TEST_F(vmo, is_one_at_a_time)
{
	struct flow other = flow_endless(&self->fake);
	uint64_t bytes = 0;

	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, MIB));
	EXPECT_EQ(-EBUSY, flow_vmo(&self->flow, self->file, 0, 1));
	EXPECT_EQ(0, flow_vmo(&other, self->file, 0, 1));
	EXPECT_EQ(-EBUSY, flow_vmo(&other, self->file, 0, 1));
	while (bytes < MIB + 1)
		bytes += next_data(&self->flow).len;
	flow_complete(&self->flow, 0, MIB);
	flow_complete(&other, 0, 1);
}

TEST_F(vmo, stays_busy_until_its_end_was_read)
{
	struct stream stream = stream_at(7, 0);

	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, 1));
	flow_expect_stream(&self->flow, &stream, 1);
	WAIT_FOR(poll_now(self->fake.dev.fd));
	EXPECT_EQ(-EBUSY, flow_vmo(&self->flow, self->file, 0, 1));
	flow_complete(&self->flow, 0, 1);
	EXPECT_EQ(0, flow_vmo(&self->flow, self->file, 0, 1));
}

TEST_F_TIMEOUT(vmo, follows_vmo_thousands_of_times, LONG_SECONDS)
{
	uint64_t random = 1;

	for (int i = 0; i < rounds(3000); i++) {
		uint32_t length = stream_pick(&random, 1, 6000);
		uint32_t offset = stream_pick(&random, 0, MIB - length);

		expect_sent(&self->flow, self->file, 7, offset, length);
	}
}

/* Only where there is a device to swap to. */
static bool swap_on(char path[64])
{
	char link[64], command[96];
	int disk = vmo_open(VMO_BLOCK, 8 * MIB);
	ssize_t n;

	if (disk < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", disk);
	n = readlink(link, path, 63);
	path[n > 0 ? n : 0] = '\0';
	snprintf(command, sizeof(command), "mkswap %s >/dev/null", path);
	n = system(command) || swapon(path, 0);
	close(disk);
	return !n;
}

TEST_F(vmo, comes_back_from_swap)
{
	struct vmo_map map = vmo_map(self->file, 0, MIB);
	struct stream stream = stream_at(7, 0);
	char path[64];

	if (!swap_on(path))
		SKIP(return, "nothing to swap to");
	ASSERT_EQ(0, madvise(map.bytes, MIB, MADV_PAGEOUT));
	ASSERT_EQ(0, flow_vmo(&self->flow, self->file, 0, MIB));
	flow_expect_stream(&self->flow, &stream, MIB);
	flow_complete(&self->flow, 0, MIB);
	vmo_unmap(&map);
	ASSERT_EQ(0, swapoff(path));
}

TEST_F(vmo, reaches_the_end_of_the_largest_file)
{
	const uint64_t size = INT64_MAX;
	int file = vmo_open(VMO_MEMFD, size);

	ASSERT_EQ(3, pwrite(file, "end", 3, size - 3));
	ASSERT_EQ(0, flow_vmo(&self->flow, file, size - 3, 3));
	ASSERT_EQ(0, memcmp(flow_expect(&self->flow,
					VIRTIO_VSOCK_OP_RW).payload,
			    "end", 3));
	flow_complete(&self->flow, 0, 3);
	/* There is no end to this one */
	ASSERT_EQ(0, flow_vmo(&self->flow, file, 0, size));
	for (int i = 0; i < 100; i++)
		flow_expect(&self->flow, VIRTIO_VSOCK_OP_RW);
	ASSERT_EQ(0, send_rst(self->fake.dev.fd, self->flow.link.addr, 0));
	EXPECT_EQ(ECANCELED,
		  expect_event(&self->fake.dev,
			       VSOCKDEV_EVENT_SEND_VMO_COMPLETE,
			       self->flow.link.id).vmo.status);
	close(file);
}

/* What is no file to send from, or no connection to send on. */
FIXTURE(refused) {
	struct fake fake;
	struct flow flow;
	int file;
};

FIXTURE_SETUP(refused)
{
	fake_open(&self->fake, NULL);
	self->flow = flow_endless(&self->fake);
	self->file = vmo_open(VMO_MEMFD, PAGE);
}

/* Whatever was refused, nothing was sent, and the next one goes. */
FIXTURE_TEARDOWN(refused)
{
	expect_no_packet(&self->fake);
	close(self->file);
	fake_close(&self->fake);
}

static int open_or_fail(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	return fd;
}

static void expect_refused(const struct flow *flow, int error, int file)
{
	int got = flow_vmo(flow, file, 0, 1);

	if (got != -error)
		fail("expected %s, saw %s", strerror(error), strerror(-got));
	close(file);
}

#define expect_refused(...) HERE((expect_refused)(__VA_ARGS__))

TEST_F(refused, what_has_no_pages)
{
	int ends[2], pair[2];

	expect_refused(&self->flow, EOPNOTSUPP,
		       open_or_fail("/proc/self/status", O_RDONLY));
	expect_refused(&self->flow, EOPNOTSUPP,
		       open_or_fail("/sys/kernel/uevent_seqnum", O_RDONLY));
	expect_refused(&self->flow, EOPNOTSUPP, open_or_fail("/", O_RDONLY));
	expect_refused(&self->flow, EOPNOTSUPP,
		       open_or_fail("/dev/zero", O_RDONLY));
	expect_refused(&self->flow, EOPNOTSUPP,
		       open_or_fail("/dev/full", O_RDONLY));
	expect_refused(&self->flow, EOPNOTSUPP, dup(self->fake.dev.fd));
	ASSERT_EQ(0, pipe(ends));
	expect_refused(&self->flow, EOPNOTSUPP, ends[0]);
	expect_refused(&self->flow, EBADF, ends[1]);
	unix_pair(pair);
	expect_refused(&self->flow, EOPNOTSUPP, pair[0]);
	expect_refused(&self->flow, EOPNOTSUPP, pair[1]);
}

TEST_F(refused, what_cannot_be_read)
{
	char path[64];

	expect_refused(&self->flow, EBADF, -1);
	expect_refused(&self->flow, EBADF, 1000);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->file);
	expect_refused(&self->flow, EBADF, open_or_fail(path, O_WRONLY));
	expect_refused(&self->flow, EBADF, open_or_fail(path, O_PATH));
	expect_refused(&self->flow, EINVAL, vmo_open(VMO_MEMFD, 0));
}

TEST_F(refused, secret_memory)
{
	int file = syscall(SYS_memfd_secret, O_CLOEXEC);

	if (file < 0)
		SKIP(return, "no secret memory here");
	resize(file, PAGE);
	expect_refused(&self->flow, EOPNOTSUPP, file);
}

TEST_F(refused, overlay)
{
	int file;

	load_module("overlay");
	mkdir("/tmp/lower", 0700);
	mkdir("/tmp/lowest", 0700);
	mkdir("/tmp/mount", 0700);
	file = open("/tmp/lower/file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ASSERT_EQ(1, write(file, "!", 1));
	close(file);
	if (mount("none", "/tmp/mount", "overlay", 0,
		  "lowerdir=/tmp/lower:/tmp/lowest"))
		SKIP(return, "no overlay here");
	file = open_or_fail("/tmp/mount/file", O_RDONLY);
	umount2("/tmp/mount", MNT_DETACH);
	expect_refused(&self->flow, EOPNOTSUPP, file);
}

TEST_F(refused, ranges)
{
	static const struct {
		uint64_t offset;
		uint64_t length;
	} ranges[] = {
		{ 0, 0 },
		{ PAGE, 0 },
		{ 0, PAGE + 1 },
		{ 1, PAGE },
		{ PAGE, 1 },
		{ PAGE - 1, 2 },
		{ PAGE + 1, 1 },
		{ 1ULL << 63, 1 },
		{ 0, 1ULL << 63 },
		{ UINT64_MAX, 1 },
		{ UINT64_MAX, 2 },
		{ 1, UINT64_MAX },
		{ 2, UINT64_MAX },
		{ PAGE, UINT64_MAX - PAGE + 1 },
		{ UINT64_MAX, UINT64_MAX },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		EXPECT_EQ(-EINVAL,
			  flow_vmo(&self->flow, self->file, ranges[i].offset,
				   ranges[i].length));
	EXPECT_EQ(0, flow_vmo(&self->flow, self->file, PAGE - 1, 1));
	flow_expect(&self->flow, VIRTIO_VSOCK_OP_RW);
	flow_complete(&self->flow, 0, 1);
}

TEST_F(refused, where_no_connection_is)
{
	struct flow nobody = flow_new(&self->fake);
	struct flow asking = flow_request(&self->fake);
	struct flow asked = flow_dial(&self->fake);
	struct vsockdev_event event;

	EXPECT_EQ(-ENOTCONN, flow_vmo(&nobody, self->file, 0, 1));
	EXPECT_EQ(-ENOTCONN, flow_vmo(&asking, self->file, 0, 1));
	event = expect_request(&self->fake.dev, asked.link.addr.local_port);
	EXPECT_EQ(-ENOTCONN, flow_vmo(&asked, self->file, 0, 1));
	asked.link.id = event.conn_id;
	EXPECT_EQ(-ENOTCONN, flow_vmo(&asked, self->file, 0, 1));
	asked.link.id++;
	EXPECT_EQ(-ESTALE, flow_vmo(&asked, self->file, 0, 1));
	nobody.link.id = self->flow.link.id;
	EXPECT_EQ(-ESTALE, flow_vmo(&nobody, self->file, 0, 1));
}

TEST_F(refused, where_sending_is_over)
{
	struct flow shut = flow_endless(&self->fake);
	struct flow told = flow_endless(&self->fake);

	ASSERT_EQ(0, send_shutdown(self->fake.dev.fd, shut.link.addr, 0,
				   VSOCKDEV_SHUTDOWN_SEND));
	EXPECT_EQ(-EPIPE, flow_vmo(&shut, self->file, 0, 1));
	flow_expect(&shut, VIRTIO_VSOCK_OP_SHUTDOWN);
	flow_put_flags(&told, VIRTIO_VSOCK_OP_SHUTDOWN,
		       VSOCKDEV_SHUTDOWN_RECEIVE);
	expect_shutdown(&self->fake.dev, told.link.id,
			VSOCKDEV_SHUTDOWN_RECEIVE);
	EXPECT_EQ(-EPIPE, flow_vmo(&told, self->file, 0, 1));
}

TEST_F(refused, messages)
{
	struct fake_options options = {
		.features = 1ULL << VIRTIO_VSOCK_F_SEQPACKET,
	};
	struct vsockdev_addr addr = host_addr(new_port());
	struct link link = { .addr = addr };
	struct packet packet;
	struct fake fake;
	int pair[2];

	fake_open(&fake, &options);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair));
	ASSERT_EQ(0, send_request(fake.dev.fd, addr, pair[1], &link.id));
	expect_packet(&fake, addr, VIRTIO_VSOCK_OP_REQUEST);
	packet = packet_from_host(&fake, addr, VIRTIO_VSOCK_OP_RESPONSE);
	packet.type = VIRTIO_VSOCK_TYPE_SEQPACKET;
	packet.buf_alloc = ENDLESS;
	fake_put(&fake, &packet);
	expect_event(&fake.dev, VSOCKDEV_EVENT_RESPONSE, link.id);
	EXPECT_EQ(-EPROTOTYPE, send_vmo(fake.dev.fd, &link, self->file, 0, 1));
	close(pair[0]);
	close(pair[1]);
	fake_close(&fake);
}

TEST_HARNESS_MAIN
