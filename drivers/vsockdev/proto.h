/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - what a received packet does
 */
#ifndef VSOCKDEV_PROTO_H
#define VSOCKDEV_PROTO_H

#include <linux/types.h>

struct vsockdev;

void vsockdev_proto_receive(struct vsockdev *vd, const void *frame, u32 size,
			    u32 used);

#endif /* VSOCKDEV_PROTO_H */
