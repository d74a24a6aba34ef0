/* SPDX-License-Identifier: GPL-2.0-only */
/* The event loop: file descriptors and what to call when they are ready. */
#ifndef VSOCKDEV_HOST_LOOP_H
#define VSOCKDEV_HOST_LOOP_H

#include <stdint.h>

struct source {
	int fd;
	void (*ready)(struct source *src, uint32_t events);
};

struct loop {
	int epfd;
};

int loop_init(struct loop *loop);

/* Calls @ready for @fd; the source must outlive the current loop_wait(). */
int loop_add(struct loop *loop, struct source *src, int fd, uint32_t events,
	     void (*ready)(struct source *src, uint32_t events));

/* Forgets and closes the descriptor; harmless on a source without one. */
void loop_close(struct loop *loop, struct source *src);

/* Waits @timeout_ms (-1: for ever) and calls every source that is ready. */
int loop_wait(struct loop *loop, int timeout_ms);

/* Milliseconds of a clock that only moves forward. */
uint64_t loop_now_ms(void);

#endif
