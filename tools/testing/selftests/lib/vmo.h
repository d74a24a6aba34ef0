/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of all kinds, and SEND_VMO of their bytes. */
#ifndef VSOCKDEV_TEST_VMO_H
#define VSOCKDEV_TEST_VMO_H

#include <linux/virtio_ring.h>

#include "fake.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define PAGE (4 * KIB)
#define HUGE_PAGE (2 * MIB)

enum vmo_kind {
	VMO_MEMFD,
	VMO_THP, /* a memfd of transparent huge pages */
	VMO_HUGE, /* one of hugetlb */
	VMO_TMPFS,
	VMO_RAMFS, /* an ordinary file: its pages are read by its mapping */
	VMO_DISK, /* of a file system on a block device */
	VMO_BLOCK, /* a block device itself */
};

/* A file of that size, all holes where it can; -1 if there is none here. */
int vmo_open(enum vmo_kind kind, uint64_t size);

/* The stream's next bytes, put into the file at an offset. */
void vmo_fill(int file, uint64_t offset, struct stream stream, uint64_t len);

/* Bytes where the file has them. */
struct vmo_map {
	uint8_t *bytes;
	void *start;
	size_t size;
};

struct vmo_map vmo_map(int file, uint64_t offset, uint64_t len);
void vmo_unmap(const struct vmo_map *map);

/* Pages of hugetlb. There may be fewer than asked for: false then. */
bool huge_pages_reserve(unsigned int count);
unsigned int huge_pages_free(void);

/* A memfd full of stream 7, whose pages lie anywhere in memory. */
int scattered_file(uint64_t size);
void resize(int file, uint64_t size);
uint64_t blocks_of(int file); /* st_blocks */

static inline struct stream stream_at(uint64_t seed, uint64_t pos)
{
	return (struct stream){ .seed = seed, .pos = pos };
}

bool all_zero(const uint8_t *bytes, size_t len);

/* A module of the kernel that may be built in, or may not be there. */
void load_module(const char *name);

/* As many, or fewer where a debug kernel is emulated. */
int rounds(int count);

int send_vmo(int fd, const struct link *link, int file, uint64_t offset,
	     uint64_t length);

/* The next event of that connection is this completion. */
void expect_complete(struct device *dev, uint64_t id, int status,
		     uint64_t bytes);

/* Devices that take chains of descriptors offer this. */
#define INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)

/* With an endless window, which no test fills, nobody asks for credit. */
#define ENDLESS (1U << 30)

struct flow flow_endless(struct fake *fake);

/* The same over a device that the test plays. */
int flow_vmo(const struct flow *flow, int file, uint64_t offset,
	     uint64_t length);
void flow_complete(const struct flow *flow, int status, uint64_t bytes);

/* The whole way of a range that is full of a stream's bytes. */
void expect_sent(struct flow *flow, int file, uint64_t seed, uint64_t offset,
		 uint64_t length);

/* The next packet with data; a driver that is blocked may ask for credit. */
struct packet next_data(struct flow *flow);

/* The host's credit, which the driver knows when this returns. */
void flow_tell(struct flow *flow);

/* How large the host's window is from now on, and that all was read. */
void flow_grant(struct flow *flow, uint32_t buf_alloc);

#define expect_complete(...) HERE((expect_complete)(__VA_ARGS__))
#define vmo_fill(...) HERE((vmo_fill)(__VA_ARGS__))
#define vmo_map(...) HERE((vmo_map)(__VA_ARGS__))
#define flow_endless(...) HERE((flow_endless)(__VA_ARGS__))
#define flow_complete(...) HERE((flow_complete)(__VA_ARGS__))
#define expect_sent(...) HERE((expect_sent)(__VA_ARGS__))
#define next_data(...) HERE((next_data)(__VA_ARGS__))
#define flow_tell(...) HERE((flow_tell)(__VA_ARGS__))

#endif
