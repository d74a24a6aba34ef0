/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev tests - the rules for a received frame, told in another way
 *
 * Also for tests in userspace.
 */
#ifndef VSOCKDEV_TESTS_WIRE_MODEL_H
#define VSOCKDEV_TESTS_WIRE_MODEL_H

#include "random.h"
#include "wire.h"

#define WIRE_MODEL_CID	3
#define WIRE_MODEL_HDR	44	/* bytes of a header, as the specification says */

/* A header that is right for WIRE_MODEL_CID, with that payload length */
static inline struct vsockdev_hdr wire_model_hdr(u32 len)
{
	return (struct vsockdev_hdr) {
		.src_cid = 2,
		.dst_cid = WIRE_MODEL_CID,
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

static inline bool wire_model_same(const struct vsockdev_hdr *a,
				   const struct vsockdev_hdr *b)
{
	return a->src_cid == b->src_cid && a->dst_cid == b->dst_cid &&
	       a->src_port == b->src_port && a->dst_port == b->dst_port &&
	       a->len == b->len && a->type == b->type && a->op == b->op &&
	       a->flags == b->flags && a->buf_alloc == b->buf_alloc &&
	       a->fwd_cnt == b->fwd_cnt;
}

/* With no arithmetic that can wrap */
static inline enum vsockdev_wire_status
wire_model_judge(const struct vsockdev_hdr *hdr, u64 size, u64 used, u64 cid)
{
	if (used < WIRE_MODEL_HDR)
		return VSOCKDEV_WIRE_SHORT;
	if (used > size)
		return VSOCKDEV_WIRE_OVERRUN;
	if ((u64)hdr->len + WIRE_MODEL_HDR > used)
		return VSOCKDEV_WIRE_LENGTH;
	if (hdr->dst_cid != cid || hdr->src_cid > 0xffffffff)
		return VSOCKDEV_WIRE_CID;
	return VSOCKDEV_WIRE_OK;
}

static inline struct vsockdev_hdr wire_model_random(u64 *state)
{
	struct vsockdev_hdr hdr = wire_model_hdr(0);

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

/*
 * Encodes a random header and has it judged. Returns what was thought of it,
 * or -1 if that is not what the rules say.
 */
static inline int wire_model_step(u64 *state)
{
	struct vsockdev_hdr in = wire_model_random(state), out;
	u32 size = random_below(state, 70000);
	u32 used = random_below(state, 2) ? size : random_u32(state);
	u8 frame[WIRE_MODEL_HDR];
	int status;

	memset(&out, 0xa5, sizeof(out));
	vsockdev_wire_encode(frame, &in);
	status = vsockdev_wire_decode(&out, frame, size, used, WIRE_MODEL_CID);
	if (status != (int)wire_model_judge(&in, size, used, WIRE_MODEL_CID))
		return -1;
	if (status == VSOCKDEV_WIRE_OK && !wire_model_same(&in, &out))
		return -1;
	return status;
}

#endif /* VSOCKDEV_TESTS_WIRE_MODEL_H */
