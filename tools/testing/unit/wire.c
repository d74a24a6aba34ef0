// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the packet header: its layout byte by byte, and that no frame of
 * the device makes the driver read past it or believe what cannot be.
 */
#include <sys/mman.h>

#include <kselftest_harness.h>

#include "wire_model.h"

#define GUEST_CID WIRE_MODEL_CID
#define HDR_LEN WIRE_MODEL_HDR
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
	struct vsockdev_hdr right = wire_model_hdr(0x00414243), hdr;
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
	EXPECT_TRUE(wire_model_same(&right, &hdr));
}

struct wire_case {
	const char *name;
	uint32_t size;
	uint32_t used;
	uint32_t len;
	uint64_t src_cid;
	uint64_t dst_cid;
	enum vsockdev_wire_status expected;
};

#define WIRE_CASE(name, size, used, len, src, dst, status) \
	{ #name, size, used, len, src, dst, VSOCKDEV_WIRE_##status },

static const struct wire_case wire_cases[] = {
#include "wire_cases.h"
};

static enum vsockdev_wire_status judge(const struct wire_case *wire)
{
	struct vsockdev_hdr hdr = wire_model_hdr(wire->len);
	uint8_t frame[4096] = {};

	hdr.src_cid = wire->src_cid;
	hdr.dst_cid = wire->dst_cid;
	vsockdev_wire_encode(frame, &hdr);
	return vsockdev_wire_decode(&hdr, frame, wire->size, wire->used,
				    GUEST_CID);
}

TEST(decode_judges_each_frame)
{
	for (size_t i = 0; i < ARRAY_SIZE(wire_cases); i++) {
		EXPECT_EQ(wire_cases[i].expected, judge(&wire_cases[i]))
			TH_LOG("%s", wire_cases[i].name);
	}
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

TEST(decode_agrees_with_the_rules_on_random_frames)
{
	unsigned int seen[VSOCKDEV_WIRE_CID + 1] = {};
	uint64_t state = 1;

	for (int i = 0; i < ROUNDS; i++) {
		int status = wire_model_step(&state);

		ASSERT_LE(0, status) {
			TH_LOG("round %d", i);
		}
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
