/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - what a message consists of while it waits
 */
#ifndef VSOCKDEV_PART_H
#define VSOCKDEV_PART_H

#include <linux/align.h>
#include <linux/bits.h>
#include <linux/types.h>

/*
 * In a chunk of SEQPACKET each part of a message has its length in front, in
 * whose highest bit is whether the message ends with it.
 */
#define VSOCKDEV_PART_END	BIT(31)

/**
 * struct vsockdev_part - bytes of a message
 * @len: how many, and %VSOCKDEV_PART_END
 * @data: the bytes
 */
struct vsockdev_part {
	u32 len;
	u8 data[];
};

static inline u32 vsockdev_part_len(const struct vsockdev_part *part)
{
	return part->len & ~VSOCKDEV_PART_END;
}

/* Room in a chunk that a part of @len bytes takes */
static inline u32 vsockdev_part_room(u32 len)
{
	return ALIGN(sizeof(struct vsockdev_part) + len,
		     __alignof__(struct vsockdev_part));
}

#endif /* VSOCKDEV_PART_H */
