// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: mapping of the shared regions and translation of addresses.
 * All addresses come from outside; nothing is added to one before the
 * subtraction that proves it lies in a region.
 */
#include "gmem.h"

#include <errno.h>
#include <sys/mman.h>

#include "util.h"

int gmem_add(struct gmem *mem, const struct gmem_region *region, int fd)
{
	struct gmem_region *r = &mem->regions[mem->count];
	uint64_t len = region->size + region->mmap_offset;
	void *p;

	if (mem->count == GMEM_MAX_REGIONS)
		return -ENOSPC;
	if (!region->size || len < region->size || len > SIZE_MAX ||
	    region->guest_addr + region->size < region->guest_addr ||
	    region->user_addr + region->size < region->user_addr)
		return -EINVAL;
	/* From the file's start: the offset need not be page aligned. */
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		 fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*r = *region;
	r->base = (uint8_t *)p + region->mmap_offset;
	mem->count++;
	return 0;
}

void gmem_clear(struct gmem *mem)
{
	for (unsigned int i = 0; i < mem->count; i++) {
		struct gmem_region *r = &mem->regions[i];

		munmap(r->base - r->mmap_offset, r->size + r->mmap_offset);
	}
	mem->count = 0;
}

void *gmem_user(const struct gmem *mem, uint64_t addr, uint64_t len)
{
	for (unsigned int i = 0; i < mem->count; i++) {
		const struct gmem_region *r = &mem->regions[i];
		uint64_t off = addr - r->user_addr;

		if (off < r->size && len <= r->size - off)
			return r->base + off;
	}
	return NULL;
}

/* The region of a guest address and the offset in it. */
static const struct gmem_region *find(const struct gmem *mem, uint64_t addr,
				      uint64_t *off)
{
	for (unsigned int i = 0; i < mem->count; i++) {
		const struct gmem_region *r = &mem->regions[i];

		*off = addr - r->guest_addr;
		if (*off < r->size)
			return r;
	}
	return NULL;
}

void *gmem_guest(const struct gmem *mem, uint64_t addr, uint64_t len)
{
	uint64_t off;
	const struct gmem_region *r = find(mem, addr, &off);

	return r && len <= r->size - off ? r->base + off : NULL;
}

int gmem_iov(const struct gmem *mem, uint64_t addr, uint64_t len,
	     struct iovec *iov, int max)
{
	int n = 0;

	while (len) {
		uint64_t off, part;
		const struct gmem_region *r = find(mem, addr, &off);

		if (!r || n == max)
			return -1;
		part = min(len, r->size - off);
		iov[n].iov_base = r->base + off;
		iov[n].iov_len = part;
		n++;
		addr += part;
		len -= part;
	}
	return n;
}
