/* SPDX-License-Identifier: GPL-2.0-only */
/* Repeatable random numbers: a failed run is the same again. */
#ifndef VSOCKDEV_UNIT_RANDOM_H
#define VSOCKDEV_UNIT_RANDOM_H

#include <stdint.h>

static inline uint64_t random_u64(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* 0 to limit - 1 */
static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return random_u64(state) % limit;
}

/* Small, large and special numbers alike. */
static inline uint32_t random_u32(uint64_t *state)
{
	static const uint32_t special[] = {
		0,  1,		2,	    43,		44,
		45, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
	};
	uint32_t kind = random_below(state, 4);

	if (kind == 0)
		return special[random_below(state, sizeof(special) / 4)];
	return random_u64(state) >> (32 + random_below(state, 32));
}

#endif
