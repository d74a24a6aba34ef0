/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes that tests send: from a seed and a position alone, so both sides
 * know them and a byte that is lost, doubled or moved shows at once.
 */
#ifndef VSOCKDEV_TEST_STREAM_H
#define VSOCKDEV_TEST_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct stream {
	uint64_t seed;
	uint64_t pos;
};

/* Writes the next @len bytes of the stream. */
void stream_fill(struct stream *stream, void *buf, size_t len);

/* Steps over the bytes that are right: @len, or how many before a wrong one. */
size_t stream_check(struct stream *stream, const void *buf, size_t len);

/* A small generator of its own, for sizes: a number from @min to @max. */
uint32_t stream_pick(uint64_t *state, uint32_t min, uint32_t max);

#endif
