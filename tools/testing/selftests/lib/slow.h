/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file whose bytes come when the test says so: it is in a file system that
 * the test itself serves, by FUSE.
 */
#ifndef VSOCKDEV_TEST_SLOW_H
#define VSOCKDEV_TEST_SLOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "check.h"

struct slow {
	int file;
	uint64_t size;
	uint64_t seed; /* of the stream that it consists of */
	/* Of the server's thread */
	pthread_t thread;
	int fuse;
	int stop[2]; /* a pipe: closed to end the thread */
	bool waits; /* for slow_answer() */
	uint64_t unique;
	uint64_t offset;
	uint32_t len;
};

/* False where there is no FUSE. Reads of the file wait from the first on. */
bool slow_open(struct slow *slow, uint64_t size, uint64_t seed);

/* Returns once somebody waits for bytes. */
void slow_wait(struct slow *slow);

/* Lets them have these bytes, or an error; the next ones wait again. */
void slow_answer(struct slow *slow, int error);

/* All who wait, and who ever will, get an error. */
void slow_close(struct slow *slow);

#define slow_wait(...) HERE((slow_wait)(__VA_ARGS__))

#endif
