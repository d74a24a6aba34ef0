/* SPDX-License-Identifier: GPL-2.0-only */
/* How much memory the machine uses, as its kernel counts it, in bytes. */
#ifndef VSOCKDEV_TEST_MEMORY_H
#define VSOCKDEV_TEST_MEMORY_H

#include <stdint.h>

struct memory {
	int64_t total;
	int64_t available;
	int64_t slab;
	int64_t unreclaimable; /* of slab */
};

struct memory memory_now(void);

/* What was taken between the two: pages of any kind, and slab alone. */
int64_t memory_taken(const struct memory *before, const struct memory *after);

/*
 * What a measurement may be off without anything being wrong: what other parts
 * of the kernel and the tests keep, and, where freed memory is kept back to find
 * uses of it, as much as that may be.
 */
int64_t memory_slack(void);

void memory_describe(const char *when, const struct memory *memory);

#endif
