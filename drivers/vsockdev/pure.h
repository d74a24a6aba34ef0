/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - what the pure rooms (wire, credit) need to build outside of the
 * kernel too, where unit tests and fuzzers call them
 */
#ifndef VSOCKDEV_PURE_H
#define VSOCKDEV_PURE_H

#ifdef __KERNEL__

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>
#include <uapi/linux/virtio_vsock.h>

#else

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/virtio_vsock.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;

#define cpu_to_le16(x)	htole16(x)
#define cpu_to_le32(x)	htole32(x)
#define cpu_to_le64(x)	htole64(x)
#define le16_to_cpu(x)	le16toh(x)
#define le32_to_cpu(x)	le32toh(x)
#define le64_to_cpu(x)	le64toh(x)
#define min(a, b)	((a) < (b) ? (a) : (b))
#define max(a, b)	((a) > (b) ? (a) : (b))

#endif /* __KERNEL__ */

#endif /* VSOCKDEV_PURE_H */
