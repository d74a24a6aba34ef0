/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev tests - the device's side of a split virtqueue
 */
#ifndef VSOCKDEV_TESTS_FAKE_RING_H
#define VSOCKDEV_TESTS_FAKE_RING_H

#include <linux/types.h>
#include <uapi/linux/virtio_ring.h>

#include "fake_abi.h"

/**
 * struct fake_ring - one queue, as the device knows it
 * @vring: where it lies; num is 0 as long as there is none
 * @event_idx: VIRTIO_RING_F_EVENT_IDX was negotiated
 * @next: index of the next entry of the available ring
 * @used: index of the next entry of the used ring
 * @told: @used when the driver was last interrupted
 * @held: chains that were taken and not returned, by their head
 *
 * There are no locks here: the caller serializes all calls for a ring.
 */
struct fake_ring {
	struct vring vring;
	bool event_idx;
	u16 next;
	u16 used;
	u16 told;
	DECLARE_BITMAP(held, VSOCKDEV_FAKE_RING_MAX);
};

/**
 * struct fake_chain - what a chain of descriptors consists of
 * @readable: bytes that the device may read
 * @writable: bytes that it may write
 * @count: descriptors
 * @sizes: their lengths
 */
struct fake_chain {
	u32 readable;
	u32 writable;
	u32 count;
	u32 sizes[VSOCKDEV_FAKE_SIZES];
};

void fake_ring_init(struct fake_ring *ring, const struct vring *vring,
		    bool event_idx);
void fake_ring_forget(struct fake_ring *ring);
u32 fake_ring_posted(struct fake_ring *ring);
u32 fake_ring_held(const struct fake_ring *ring);
int fake_ring_peek(struct fake_ring *ring, u16 *head);
void fake_ring_take(struct fake_ring *ring, u16 head);
int fake_ring_read(const struct fake_ring *ring, u16 head, void *buf, u32 room,
		   struct fake_chain *chain);
int fake_ring_write(const struct fake_ring *ring, u16 head, const void *buf,
		    u32 len);
void fake_ring_return(struct fake_ring *ring, u32 id, u32 used);
bool fake_ring_wants_interrupt(struct fake_ring *ring);

#endif /* VSOCKDEV_TESTS_FAKE_RING_H */
