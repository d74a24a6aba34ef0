/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev tests - how a driver reaches a device that someone plays
 */
#ifndef VSOCKDEV_TESTS_FAKE_TRANSPORT_H
#define VSOCKDEV_TESTS_FAKE_TRANSPORT_H

#include <linux/virtio_ring.h>

#include "fake_device.h"

/* An interrupt of no queue */
#define FAKE_CAUSE_CONFIG	VSOCKDEV_FAKE_QUEUES

/* Of the transport's features, what is done here */
#define FAKE_TRANSPORT_FEATURES \
	(BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) | \
	 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) | \
	 BIT_ULL(VIRTIO_F_VERSION_1))

extern const struct virtio_config_ops fake_transport_ops;

void fake_transport_init(struct fake_device *fake);
void fake_transport_interrupt(struct fake_device *fake, u32 cause);
void fake_transport_wait(struct fake_device *fake);

#endif /* VSOCKDEV_TESTS_FAKE_TRANSPORT_H */
