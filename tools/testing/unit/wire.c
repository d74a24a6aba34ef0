// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the packet header: its layout byte by byte, and that no frame of
 * the device makes the driver read past it or believe what cannot be.
 */
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "random.h"
#include "wire.h"

#define GUEST_CID 3
#define HOST_CID 2
#define HDR_LEN 44
#define ROUNDS 200000

/* As the specification draws it, all bytes different. */
static const uint8_t golden[HDR_LEN] = {
	0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, /* src_cid */
	0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, /* dst_cid */
	0x21, 0x22, 0x23, 0x24, /* src_port */
	0x31, 0x32, 0x33, 0x34, /* dst_port */
	0x41, 0x42, 0x43, 0x44, /* len */
	0x51, 0x52, /* type */
	0x61, 0x62, /* op */
	0x71, 0x72, 0x73, 0x74, /* flags */
	0x81, 0x82, 0x83, 0x84, /* buf_alloc */
	0x91, 0x92, 0x93, 0x94, /* fwd_cnt */
};

static const struct vsockdev_hdr golden_hdr = {
	.src_cid = 0x0807060504030201,
	.dst_cid = 0x1817161514131211,
	.src_port = 0x24232221,
	.dst_port = 0x34333231,
	.len = 0x44434241,
	.type = 0x5251,
	.op = 0x6261,
	.flags = 0x74737271,
	.buf_alloc = 0x84838281,
	.fwd_cnt = 0x94939291,
};

/* A header that is right for GUEST_CID, with that payload length. */
static struct vsockdev_hdr right_hdr(uint32_t len)
{
	return (struct vsockdev_hdr){
		.src_cid = HOST_CID,
		.dst_cid = GUEST_CID,
		.src_port = 1024,
		.dst_port = 5000,
		.len = len,
		.type = 1,
		.op = 5,
		.flags = 7,
		.buf_alloc = 65536,
		.fwd_cnt = 99,
	};
}

static bool same_hdr(const struct vsockdev_hdr *a, const struct vsockdev_hdr *b)
{
	return a->src_cid == b->src_cid && a->dst_cid == b->dst_cid &&
	       a->src_port == b->src_port && a->dst_port == b->dst_port &&
	       a->len == b->len && a->type == b->type && a->op == b->op &&
	       a->flags == b->flags && a->buf_alloc == b->buf_alloc &&
	       a->fwd_cnt == b->fwd_cnt;
}

TEST(header_is_44_bytes)
{
	EXPECT_EQ(HDR_LEN, VSOCKDEV_HDR_LEN);
}

TEST(encode_lays_out_each_field)
{
	uint8_t frame[HDR_LEN];

	memset(frame, 0, sizeof(frame));
	vsockdev_wire_encode(frame, &golden_hdr);

	for (int i = 0; i < HDR_LEN; i++)
		EXPECT_EQ(golden[i], frame[i]);
}

TEST(encode_writes_only_the_header_and_needs_no_alignment)
{
	uint8_t frame[HDR_LEN + 2];

	memset(frame, 0xa5, sizeof(frame));
	vsockdev_wire_encode(frame + 1, &golden_hdr);

	EXPECT_EQ(0xa5, frame[0]);
	EXPECT_EQ(0, memcmp(golden, frame + 1, HDR_LEN));
	EXPECT_EQ(0xa5, frame[HDR_LEN + 1]);
}

TEST(decode_reads_each_field)
{
	struct vsockdev_hdr right = right_hdr(0x00414243), hdr;
	static uint8_t frame[HDR_LEN + 0x00414243];

	right.src_cid = 0x04030201;
	right.type = 0x5251;
	right.op = 0x6261;
	right.flags = 0x74737271;
	vsockdev_wire_encode(frame, &right);
	memset(&hdr, 0xa5, sizeof(hdr));

	ASSERT_EQ(VSOCKDEV_WIRE_OK,
		  vsockdev_wire_decode(&hdr, frame, sizeof(frame),
				       sizeof(frame), GUEST_CID));
	EXPECT_TRUE(same_hdr(&right, &hdr));
}

FIXTURE(decode) {};

FIXTURE_VARIANT(decode) {
	uint32_t size;
	uint32_t used;
	uint32_t len;
	uint64_t src_cid;
	uint64_t dst_cid;
	enum vsockdev_wire_status expected;
};

#define DECODE(name, size_, used_, len_, src, dst, status)       \
	FIXTURE_VARIANT_ADD(decode, name)                        \
	{                                                        \
		.size = (size_), .used = (used_), .len = (len_), \
		.src_cid = (src), .dst_cid = (dst),              \
		.expected = VSOCKDEV_WIRE_##status,              \
	}

DECODE(control, 4096, 44, 0, 2, 3, OK);
DECODE(payload, 4096, 144, 100, 2, 3, OK);
DECODE(payload_fills_the_buffer, 4096, 4096, 4052, 2, 3, OK);
DECODE(more_used_than_payload, 4096, 4096, 1, 2, 3, OK);
DECODE(buffer_of_one_header, 44, 44, 0, 2, 3, OK);
DECODE(nothing_used, 4096, 0, 0, 2, 3, SHORT);
DECODE(one_byte_used, 4096, 1, 0, 2, 3, SHORT);
DECODE(header_less_one, 4096, 43, 0, 2, 3, SHORT);
DECODE(short_and_over, 40, 43, 0, 2, 3, SHORT);
DECODE(one_past_the_buffer, 4096, 4097, 0, 2, 3, OVERRUN);
DECODE(all_ones_used, 4096, UINT32_MAX, 0, 2, 3, OVERRUN);
DECODE(all_ones_used_and_len, 4096, UINT32_MAX, UINT32_MAX, 2, 3, OVERRUN);
DECODE(len_one_too_long, 4096, 144, 101, 2, 3, LENGTH);
DECODE(len_counts_the_header, 4096, 144, 144, 2, 3, LENGTH);
DECODE(len_without_payload, 4096, 44, 1, 2, 3, LENGTH);
DECODE(len_to_the_buffers_end, 4096, 144, 4052, 2, 3, LENGTH);
DECODE(len_all_ones, 4096, 144, UINT32_MAX, 2, 3, LENGTH);
DECODE(len_that_wraps, 4096, 144, UINT32_MAX - 43, 2, 3, LENGTH);
DECODE(other_guest, 4096, 44, 0, 2, 4, CID);
DECODE(dst_zero, 4096, 44, 0, 2, 0, CID);
DECODE(dst_upper_half, 4096, 44, 0, 2, 0x100000003, CID);
DECODE(src_upper_half, 4096, 44, 0, 0x100000002, 3, CID);
DECODE(src_top_bit, 4096, 44, 0, 0x8000000000000002, 3, CID);

FIXTURE_SETUP(decode)
{
}

FIXTURE_TEARDOWN(decode)
{
}

TEST_F(decode, judges_the_frame)
{
	struct vsockdev_hdr hdr = right_hdr(variant->len);
	uint8_t frame[4096] = {};

	hdr.src_cid = variant->src_cid;
	hdr.dst_cid = variant->dst_cid;
	vsockdev_wire_encode(frame, &hdr);

	EXPECT_EQ(variant->expected,
		  vsockdev_wire_decode(&hdr, frame, variant->size,
				       variant->used, GUEST_CID));
}

/* Memory that ends exactly after @len bytes. */
static uint8_t *guarded(size_t len)
{
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || munmap(page + 4096, 4096))
		abort();
	return page + 4096 - len;
}

TEST(decode_reads_nothing_past_what_was_used)
{
	struct vsockdev_hdr hdr;

	for (uint32_t used = 0; used <= HDR_LEN; used++) {
		enum vsockdev_wire_status expected = VSOCKDEV_WIRE_SHORT;

		if (used == HDR_LEN)
			expected = VSOCKDEV_WIRE_CID; /* all zero */
		EXPECT_EQ(expected,
			  vsockdev_wire_decode(&hdr, guarded(used), 4096, used,
					       GUEST_CID));
	}
}

/* The rules again, told in another way: with no arithmetic that can wrap. */
static enum vsockdev_wire_status judge(const struct vsockdev_hdr *hdr,
				       uint64_t size, uint64_t used,
				       uint64_t cid)
{
	if (used < HDR_LEN)
		return VSOCKDEV_WIRE_SHORT;
	if (used > size)
		return VSOCKDEV_WIRE_OVERRUN;
	if ((uint64_t)hdr->len + HDR_LEN > used)
		return VSOCKDEV_WIRE_LENGTH;
	if (hdr->dst_cid != cid || hdr->src_cid > UINT32_MAX)
		return VSOCKDEV_WIRE_CID;
	return VSOCKDEV_WIRE_OK;
}

static struct vsockdev_hdr random_hdr(uint64_t *state)
{
	struct vsockdev_hdr hdr = right_hdr(0);

	if (random_below(state, 4) == 0)
		hdr.src_cid = random_u64(state);
	if (random_below(state, 4) == 0)
		hdr.dst_cid = random_u64(state) >> random_below(state, 64);
	hdr.len = random_u32(state);
	hdr.src_port = random_u32(state);
	hdr.dst_port = random_u32(state);
	hdr.type = random_u32(state);
	hdr.op = random_u32(state);
	hdr.flags = random_u32(state);
	hdr.buf_alloc = random_u32(state);
	hdr.fwd_cnt = random_u32(state);
	return hdr;
}

TEST(decode_agrees_with_the_rules_on_random_frames)
{
	unsigned int seen[VSOCKDEV_WIRE_CID + 1] = {};
	uint64_t state = 1;
	uint8_t frame[HDR_LEN];

	for (int i = 0; i < ROUNDS; i++) {
		struct vsockdev_hdr in = random_hdr(&state), out;
		uint32_t size = random_below(&state, 70000);
		uint32_t used = random_below(&state, 2) ? size :
							  random_u32(&state);
		enum vsockdev_wire_status expected, status;

		memset(&out, 0xa5, sizeof(out));
		vsockdev_wire_encode(frame, &in);
		expected = judge(&in, size, used, GUEST_CID);
		status = vsockdev_wire_decode(&out, frame, size, used,
					      GUEST_CID);
		ASSERT_EQ(expected, status) {
			TH_LOG("round %d: len %u size %u used %u", i, in.len,
			       size, used);
		}
		if (status == VSOCKDEV_WIRE_OK)
			ASSERT_TRUE(same_hdr(&in, &out));
		seen[status]++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		EXPECT_LT(100, seen[i]);
}

TEST(event_is_little_endian)
{
	struct virtio_vsock_event event;
	const uint8_t bytes[4] = { 1, 2, 3, 4 };

	memcpy(&event, bytes, sizeof(bytes));

	EXPECT_EQ(0x04030201, vsockdev_wire_event(&event));
}

TEST_HARNESS_MAIN
