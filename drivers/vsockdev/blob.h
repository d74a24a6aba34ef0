/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - a range of a file, to be sent without a copy
 */
#ifndef VSOCKDEV_BLOB_H
#define VSOCKDEV_BLOB_H

#include <linux/types.h>

struct vsockdev_blob;
struct vsockdev_frame;

struct vsockdev_blob *vsockdev_blob_open(int fd, u64 offset, u64 length);
struct vsockdev_frame *vsockdev_blob_read(struct vsockdev_blob *blob, u32 len,
					  u32 runs);
void vsockdev_blob_close(struct vsockdev_blob *blob);

int vsockdev_blob_init(void);
void vsockdev_blob_exit(void);

#endif /* VSOCKDEV_BLOB_H */
