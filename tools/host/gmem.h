/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's memory as the vhost-user client shared it with us. */
#ifndef VSOCKDEV_HOST_GMEM_H
#define VSOCKDEV_HOST_GMEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define GMEM_MAX_REGIONS 8

struct gmem_region {
	uint64_t guest_addr; /* what descriptors name */
	uint64_t user_addr; /* what SET_VRING_ADDR names */
	uint64_t size;
	uint64_t mmap_offset;
	uint8_t *base; /* where guest_addr is mapped here */
};

struct gmem {
	unsigned int count;
	struct gmem_region regions[GMEM_MAX_REGIONS];
};

/* Maps one more region; its fd is not needed afterwards. */
int gmem_add(struct gmem *mem, const struct gmem_region *region, int fd);

void gmem_clear(struct gmem *mem);

/* @len bytes at a client's address, NULL unless all lie in one region. */
void *gmem_user(const struct gmem *mem, uint64_t addr, uint64_t len);

/* The same for a guest's address. */
void *gmem_guest(const struct gmem *mem, uint64_t addr, uint64_t len);

/*
 * Appends @len bytes at a guest's address to @iov, as several pieces where
 * they cross regions. Returns the number of pieces, or -1 if any byte is
 * outside or @max pieces do not do.
 */
int gmem_iov(const struct gmem *mem, uint64_t addr, uint64_t len,
	     struct iovec *iov, int max);

#endif
