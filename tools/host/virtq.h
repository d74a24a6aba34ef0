/* SPDX-License-Identifier: GPL-2.0-only */
/* The device's end of one split virtqueue. Knows nothing of vsock. */
#ifndef VSOCKDEV_HOST_VIRTQ_H
#define VSOCKDEV_HOST_VIRTQ_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "gmem.h"
#include "iov.h"

/* The largest ring that QEMU makes; also bounds an indirect table. */
#define VIRTQ_NUM_MAX 1024

/* A chain of that many descriptors, each crossing regions at worst once. */
#define VIRTQ_IOV_MAX (VIRTQ_NUM_MAX + GMEM_MAX_REGIONS)

/* One buffer that the guest made available; all pieces have one direction. */
struct virtq_chain {
	struct iov iov;
	size_t len;
	uint16_t head;
	struct iovec vec[VIRTQ_IOV_MAX];
};

struct virtq {
	/* Set by the vhost-user client while the ring is at rest. */
	uint32_t num;
	uint64_t desc_addr, avail_addr, used_addr;
	int call_fd;
	bool device_writes; /* else it reads */

	/* From virtq_start() on. */
	bool running;
	bool broken; /* the guest's indices make no sense */
	bool event_idx;
	bool indirect;
	const struct gmem *mem;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t last_avail; /* kept while at rest */
	uint16_t used_idx; /* ahead of used->idx until flushed */
	uint16_t flushed_idx;
	bool have_chain;
	uint64_t kicks; /* those that woke us */
	uint64_t calls;
	struct virtq_chain chain;
};

/* Maps the rings, again if running: the memory table may change below. */
int virtq_map(struct virtq *vq, const struct gmem *mem);

int virtq_start(struct virtq *vq, const struct gmem *mem, uint64_t features);
void virtq_stop(struct virtq *vq);

/* The oldest available chain, the same one until it is done; or NULL. */
struct virtq_chain *virtq_next(struct virtq *vq);

/* How many chains the guest says are available. */
uint16_t virtq_available(struct virtq *vq);

/* Hands that chain back with @len bytes written. Flush makes it seen. */
void virtq_done(struct virtq *vq, uint32_t len);

/*
 * The two halves of that: takes the chain and keeps it, its head is returned;
 * and hands back whatever chain, which nobody checks.
 */
uint16_t virtq_take(struct virtq *vq);
void virtq_give(struct virtq *vq, uint32_t head, uint32_t len);

/* Publishes what is done and interrupts the guest if it asked for that. */
void virtq_flush(struct virtq *vq);

/* No kicks wanted while the device is looking by itself. */
void virtq_mute(struct virtq *vq);

/* Kicks wanted from here on; true if a chain slipped in before. */
bool virtq_listen(struct virtq *vq);

#endif
