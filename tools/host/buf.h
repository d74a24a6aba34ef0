/* SPDX-License-Identifier: GPL-2.0-only */
/* A byte ring of fixed capacity: what an endpoint could not take yet. */
#ifndef VSOCKDEV_HOST_BUF_H
#define VSOCKDEV_HOST_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct iov;

struct buf {
	uint8_t *data; /* allocated by the first byte put in */
	size_t capacity;
	size_t head;
	size_t len;
};

/* Appends all of @iov, which the caller knows to fit. -ENOMEM or 0. */
int buf_put(struct buf *buf, const struct iov *iov);

/* The content as at most two pieces; returns how many. */
int buf_peek(const struct buf *buf, struct iovec vec[2]);

/* Copies from the front into @iov, which stays a copy until dropped. */
size_t buf_copy(const struct buf *buf, const struct iov *iov);

/* Drops bytes from the front. */
void buf_drop(struct buf *buf, size_t len);

void buf_free(struct buf *buf);

#endif
