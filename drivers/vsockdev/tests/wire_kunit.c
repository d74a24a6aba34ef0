// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - the packet header
 */
#include "kunit.h"
#include "wire_model.h"

struct wire_case {
	const char *name;
	u32 size;
	u32 used;
	u32 len;
	u64 src_cid;
	u64 dst_cid;
	enum vsockdev_wire_status expected;
};

#define WIRE_CASE(_name, _size, _used, _len, _src, _dst, _status)	\
	{								\
		.name = #_name,						\
		.size = _size,						\
		.used = _used,						\
		.len = _len,						\
		.src_cid = _src,					\
		.dst_cid = _dst,					\
		.expected = VSOCKDEV_WIRE_##_status,			\
	},

static const struct wire_case wire_cases[] = {
#include "wire_cases.h"
};

KUNIT_ARRAY_PARAM_DESC(wire, wire_cases, name);

static void wire_decode_judges(struct kunit *test)
{
	const struct wire_case *param = test->param_value;
	struct vsockdev_hdr hdr = wire_model_hdr(param->len);
	u8 frame[WIRE_MODEL_HDR];

	hdr.src_cid = param->src_cid;
	hdr.dst_cid = param->dst_cid;
	vsockdev_wire_encode(frame, &hdr);

	KUNIT_EXPECT_EQ(test, vsockdev_wire_decode(&hdr, frame, param->size,
						   param->used,
						   WIRE_MODEL_CID),
			param->expected);
}

/* As the specification draws it: little-endian, in this order */
static void wire_layout(struct kunit *test)
{
	static const u8 golden[WIRE_MODEL_HDR] = {
		1, 2, 3, 4, 5, 6, 7, 8,
		11, 12, 13, 14, 15, 16, 17, 18,
		21, 22, 23, 24,
		31, 32, 33, 34,
		41, 42, 43, 44,
		51, 52,
		61, 62,
		71, 72, 73, 74,
		81, 82, 83, 84,
		91, 92, 93, 94,
	};
	static const struct vsockdev_hdr hdr = {
		.src_cid = 0x0807060504030201,
		.dst_cid = 0x1211100f0e0d0c0b,
		.src_port = 0x18171615,
		.dst_port = 0x2221201f,
		.len = 0x2c2b2a29,
		.type = 0x3433,
		.op = 0x3e3d,
		.flags = 0x4a494847,
		.buf_alloc = 0x54535251,
		.fwd_cnt = 0x5e5d5c5b,
	};
	u8 frame[WIRE_MODEL_HDR + 2];

	memset(frame, 0xa5, sizeof(frame));
	vsockdev_wire_encode(frame + 1, &hdr);

	KUNIT_EXPECT_EQ(test, frame[0], 0xa5);
	KUNIT_EXPECT_MEMEQ(test, frame + 1, golden, WIRE_MODEL_HDR);
	KUNIT_EXPECT_EQ(test, frame[WIRE_MODEL_HDR + 1], 0xa5);
}

/* Memory that ends where the device's word does: KASAN looks on */
static void wire_decode_stays_inside(struct kunit *test)
{
	struct vsockdev_hdr hdr;
	u32 used;

	for (used = 0; used <= WIRE_MODEL_HDR; used++) {
		u8 *frame = kunit_kzalloc(test, used, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, frame);
		KUNIT_EXPECT_EQ(test, vsockdev_wire_decode(&hdr, frame, 4096,
							   used,
							   WIRE_MODEL_CID),
				used < WIRE_MODEL_HDR ? VSOCKDEV_WIRE_SHORT :
							VSOCKDEV_WIRE_CID);
	}
}

static void wire_decode_agrees_with_rules(struct kunit *test)
{
	unsigned int seen[VSOCKDEV_WIRE_CID + 1] = {};
	u64 state = kunit_random(test);
	unsigned int i;

	for (i = 0; i < kunit_steps; i++) {
		int status = wire_model_step(&state);

		if (status < 0)
			KUNIT_FAIL_AND_ABORT(test, "step %u", i);
		seen[status]++;
		if (!(i % 65536))
			cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		KUNIT_EXPECT_GT(test, seen[i], kunit_steps / 100000);
}

static void wire_peek_sees_what_decode_sees(struct kunit *test)
{
	struct vsockdev_hdr hdr = wire_model_hdr(0);
	u8 frame[WIRE_MODEL_HDR];
	u64 dst_cid = 0;
	u16 op = 0;

	vsockdev_wire_encode(frame, &hdr);
	KUNIT_EXPECT_FALSE(test, vsockdev_wire_peek(frame, WIRE_MODEL_HDR - 1,
						    &op, &dst_cid));
	KUNIT_EXPECT_EQ(test, 0, op);
	KUNIT_EXPECT_TRUE(test, vsockdev_wire_peek(frame, WIRE_MODEL_HDR, &op,
						   &dst_cid));
	KUNIT_EXPECT_EQ(test, hdr.op, op);
	KUNIT_EXPECT_EQ(test, hdr.dst_cid, dst_cid);
}

static void wire_event_is_little_endian(struct kunit *test)
{
	static const u8 bytes[] = { 1, 2, 3, 4 };
	struct virtio_vsock_event event;

	memcpy(&event, bytes, sizeof(bytes));
	KUNIT_EXPECT_EQ(test, vsockdev_wire_event(&event), 0x04030201);
}

static struct kunit_case wire_tests[] = {
	KUNIT_CASE(wire_layout),
	KUNIT_CASE_PARAM(wire_decode_judges, wire_gen_params),
	KUNIT_CASE(wire_decode_stays_inside),
	KUNIT_CASE(wire_decode_agrees_with_rules),
	KUNIT_CASE(wire_peek_sees_what_decode_sees),
	KUNIT_CASE(wire_event_is_little_endian),
	{}
};

static struct kunit_suite wire_suite = {
	.name = "vsockdev_wire",
	.test_cases = wire_tests,
};

kunit_test_suite(wire_suite);
