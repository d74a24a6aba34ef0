/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev tests - repeatable random numbers: a failed run is the same again
 *
 * Also for tests in userspace.
 */
#ifndef VSOCKDEV_TESTS_RANDOM_H
#define VSOCKDEV_TESTS_RANDOM_H

#include "pure.h"

static inline u64 random_u64(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* 0 to limit - 1 */
static inline u32 random_below(u64 *state, u32 limit)
{
	return random_u64(state) % limit;
}

/* Small, large and special numbers alike */
static inline u32 random_u32(u64 *state)
{
	static const u32 special[] = {
		0,  1,		2,	    43,		44,
		45, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
	};
	u32 kind = random_below(state, 4);

	if (kind == 0)
		return special[random_below(state, sizeof(special) / 4)];
	return random_u64(state) >> (32 + random_below(state, 32));
}

#endif /* VSOCKDEV_TESTS_RANDOM_H */
