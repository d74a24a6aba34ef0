/* SPDX-License-Identifier: GPL-2.0-only */
/* Walking over scattered memory. */
#ifndef VSOCKDEV_HOST_IOV_H
#define VSOCKDEV_HOST_IOV_H

#include <stddef.h>
#include <sys/uio.h>

/* A view that is consumed from the front; the pieces are its own to alter. */
struct iov {
	struct iovec *vec;
	int count;
};

/* Copy between flat and scattered memory, at most what fits; the size. */
size_t iov_get(const struct iov *iov, void *buf, size_t len);
size_t iov_put(const struct iov *iov, const void *buf, size_t len);

/* Drops @len bytes from the front. */
void iov_skip(struct iov *iov, size_t len);

/* Cuts the view down to its first @len bytes. */
void iov_trim(struct iov *iov, size_t len);

size_t iov_size(const struct iov *iov);

#endif
