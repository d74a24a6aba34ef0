/* SPDX-License-Identifier: GPL-2.0-only */
/* A small io_uring, for reading events. */
#ifndef VSOCKDEV_TEST_URING_H
#define VSOCKDEV_TEST_URING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"

struct uring {
	int fd;
	struct io_uring_params params;
	void *ring; /* both queues' heads, and the completions */
	void *entries; /* of the submission queue */
};

/* False if this kernel has none. */
bool uring_open(struct uring *uring);

/* What has not ended is cancelled. */
void uring_close(struct uring *uring);

/* Begins a read, which is known as @tag. @flags: IOSQE_... */
void uring_read(struct uring *uring, uint64_t tag, int fd, void *buf,
		size_t size, unsigned int flags);

/* Cancels it and gives its result; the cancellation is tag URING_CANCEL. */
#define URING_CANCEL (1ULL << 63)
int uring_cancel(struct uring *uring, uint64_t tag);

/* Is there nothing that ended? */
bool uring_is_quiet(struct uring *uring);

/* Waits for the next end, which must be that one's, and gives its result. */
int uring_finish(struct uring *uring, uint64_t tag);

#define uring_read(...) HERE((uring_read)(__VA_ARGS__))
#define uring_cancel(...) HERE((uring_cancel)(__VA_ARGS__))
#define uring_finish(...) HERE((uring_finish)(__VA_ARGS__))

#endif
