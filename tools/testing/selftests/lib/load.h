/* SPDX-License-Identifier: GPL-2.0-only */
/* Much going on at a time, for tests that then take something away. */
#ifndef VSOCKDEV_TEST_LOAD_H
#define VSOCKDEV_TEST_LOAD_H

#include "link.h"

#define LOAD_BULKS 6 /* half of them in each direction */
#define LOAD_CROWD 50 /* connections that rest */

struct load {
	struct peer peers[LOAD_BULKS];
	struct job *jobs[LOAD_BULKS];
	struct link crowd[LOAD_CROWD];
};

/* Once this returns, bytes flow both ways, and do not stop by themselves. */
void load_start(struct load *load, struct device *dev);

/* Every connection of it must have been cut off, and end so for programs. */
void load_finish(struct load *load);

/* A MiB both ways at a time over a connection to the data end of a peer. */
void exchange(struct peer *peer, struct link *link, uint64_t seed);

#define load_start(...) HERE((load_start)(__VA_ARGS__))
#define load_finish(...) HERE((load_finish)(__VA_ARGS__))
#define exchange(...) HERE((exchange)(__VA_ARGS__))

#endif
