/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What libFuzzer calls, and replay.c for inputs that are kept: each input makes
 * the room do something, and what must hold is checked then. Here also: taking
 * numbers from an input, which is followed by zeros without end.
 */
#ifndef VSOCKDEV_FUZZ_H
#define VSOCKDEV_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct input {
	const uint8_t *data;
	size_t left;
};

static inline void take(struct input *in, void *to, size_t len)
{
	size_t part = len < in->left ? len : in->left;

	memset(to, 0, len);
	memcpy(to, in->data, part);
	in->data += part;
	in->left -= part;
}

static inline uint32_t take_u32(struct input *in)
{
	uint8_t bytes[4];

	take(in, bytes, sizeof(bytes));
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

static inline uint64_t take_u64(struct input *in)
{
	uint64_t low = take_u32(in);

	return low | (uint64_t)take_u32(in) << 32;
}

#define MUST(condition)                                              \
	do {                                                         \
		if (!(condition)) {                                  \
			fprintf(stderr, "# %s:%d: not so: %s\n",     \
				__FILE__, __LINE__, #condition);     \
			abort();                                     \
		}                                                    \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
