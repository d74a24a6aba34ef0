/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev tests - a virtio-vsock device without a host
 */
#ifndef VSOCKDEV_TESTS_FAKE_DEVICE_H
#define VSOCKDEV_TESTS_FAKE_DEVICE_H

#include <linux/completion.h>
#include <linux/irq_work.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/wait.h>

#include "fake_ring.h"

/**
 * struct fake_queue - one virtqueue
 * @vq: the driver's side; read without the lock by the interrupt
 * @pages: memory of the ring
 * @ring: the device's side
 */
struct fake_queue {
	struct virtqueue *vq;
	void *pages;
	struct fake_ring ring;
};

/**
 * struct fake_device - a virtio-vsock device that someone plays
 * @control: serializes plugging in and out, freeze and restore; is taken
 *	before any lock of the driver core
 * @added: it is plugged in; guarded by @control and, for those who do not
 *	hold it, by @lock
 * @frozen: freeze was called and restore was not; guarded by @control
 * @vdev: what the driver sees
 * @released: its last reference is gone
 * @features: feature bits that are offered
 * @queue_size: entries of each queue
 * @missing: a queue that cannot be had, or %VSOCKDEV_FAKE_QUEUES for none
 * @hasty: it interrupts for each queue that there is, also while the driver
 *	finds them or takes them down, and has context id @late_cid when it
 *	learns that the driver is ready
 * @late_cid: see there
 * @lock: guards everything below but @wait. Is taken in process context
 *	only, nothing is called under it that sleeps or calls the driver
 * @cid: guest's context id
 * @generation: of the configuration
 * @status: the status byte
 * @resets: how often the driver reset the device
 * @notified: how often it notified it
 * @queues: the queues
 * @causes: interrupts to raise, a bit for each queue and one for the
 *	configuration; atomic
 * @interrupt: raises them, so that the driver meets a real interrupt
 * @wait: is woken whenever the driver did something
 */
struct fake_device {
	/* Serializes plugging in and out, freeze and restore */
	struct mutex control;
	bool added;
	bool frozen;
	struct virtio_device vdev;
	struct completion released;
	u64 features;
	u32 queue_size;
	u32 missing;
	bool hasty;
	u64 late_cid;

	/* Guards all fields from here to queues */
	spinlock_t lock;
	u64 cid;
	u32 generation;
	u8 status;
	u32 resets;
	u32 notified;
	struct fake_queue queues[VSOCKDEV_FAKE_QUEUES];

	unsigned long causes;
	struct irq_work interrupt;
	wait_queue_head_t wait;
};

void fake_device_init(struct fake_device *fake);
int fake_device_add(struct fake_device *fake, struct device *parent,
		    u64 features, u64 cid, u32 queue_size);
int fake_device_remove(struct fake_device *fake);
int fake_device_freeze(struct fake_device *fake);
int fake_device_restore(struct fake_device *fake);
int fake_device_put(struct fake_device *fake, u32 queue, const void *buf,
		    u32 len, u32 used, u32 flags);
int fake_device_take(struct fake_device *fake, u32 queue, void *buf, u32 room,
		     u32 flags, u32 *id, struct fake_chain *chain);
int fake_device_look(struct fake_device *fake, u32 queue, void *buf, u32 room,
		     u32 id, struct fake_chain *chain);
int fake_device_return(struct fake_device *fake, u32 queue, u32 id, u32 used,
		       u32 flags);
int fake_device_interrupt(struct fake_device *fake, u32 queue);
int fake_device_config(struct fake_device *fake, u64 cid, u32 flags);
int fake_device_state(struct fake_device *fake,
		      struct vsockdev_fake_state *state);
u32 fake_device_posted(struct fake_device *fake, u32 queue, bool *driven);

#endif /* VSOCKDEV_TESTS_FAKE_DEVICE_H */
