/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev tests - what test programs say to /dev/vsockdev_fake
 *
 * Each open file can be one virtio-vsock device, which the program plays: it
 * fills receive buffers, takes what the driver sends, and does so in any order
 * and with any lie. Closing the file unplugs the device.
 */
#ifndef VSOCKDEV_TESTS_FAKE_ABI_H
#define VSOCKDEV_TESTS_FAKE_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define VSOCKDEV_FAKE_IOC_TYPE	0xBF

#define VSOCKDEV_FAKE_QUEUES	3	/* RX, TX, event */
#define VSOCKDEV_FAKE_RING_MAX	1024	/* entries of a queue */
#define VSOCKDEV_FAKE_BYTES_MAX	0x100000	/* of one PUT or TAKE */
#define VSOCKDEV_FAKE_SIZES	20	/* descriptors whose sizes are told */

/**
 * DOC: Errors and waiting
 *
 * ========= ============================================================
 * ENODEV    ADD was not called yet, or REMOVE was.
 * ENOLINK   There is no driver at work: none is bound, or it has reset the
 *           device. The rings are unknown then.
 * EAGAIN    The driver has posted nothing there.
 * EMSGSIZE  The chain that is next has not that much room.
 * ENOENT    No such chain is held.
 * EIO       The driver has put nonsense into the ring.
 * ========= ============================================================
 *
 * poll() says POLLIN when there is a chain to take from the TX queue, POLLOUT
 * when there is an RX buffer to fill, POLLHUP when there is no driver at work.
 */

/**
 * struct vsockdev_fake_add - plug the device in
 * @features: virtio feature bits to offer; VIRTIO_F_VERSION_1 always is
 * @cid: guest's context id
 * @queue_size: entries of each queue, a power of 2
 * @index: out: the N of virtioN
 */
struct vsockdev_fake_add {
	__u64 features;
	__u64 cid;
	__u32 queue_size;
	__u32 index;
};

#define VSOCKDEV_FAKE_ADD \
	_IOWR(VSOCKDEV_FAKE_IOC_TYPE, 0, struct vsockdev_fake_add)

/* Unplug the device. */
#define VSOCKDEV_FAKE_REMOVE	_IO(VSOCKDEV_FAKE_IOC_TYPE, 1)

/* Interrupt the driver, unless it asked for no interrupts */
#define VSOCKDEV_FAKE_INTERRUPT_WANTED	0x1
/* Interrupt it anyway */
#define VSOCKDEV_FAKE_INTERRUPT_ALWAYS	0x2
/* TAKE: keep the chain until RETURN */
#define VSOCKDEV_FAKE_HOLD	0x4
/* RETURN: any id, held or not */
#define VSOCKDEV_FAKE_LIE	0x8

/**
 * struct vsockdev_fake_put - fill the next buffer of a queue and return it
 * @data: address of the bytes
 * @len: how many there are
 * @used: how many to claim
 * @queue: 0 for packets, 2 for events
 * @flags: VSOCKDEV_FAKE_INTERRUPT_*, or 0 for no interrupt yet
 */
struct vsockdev_fake_put {
	__u64 data;
	__u32 len;
	__u32 used;
	__u32 queue;
	__u32 flags;
};

#define VSOCKDEV_FAKE_PUT \
	_IOW(VSOCKDEV_FAKE_IOC_TYPE, 2, struct vsockdev_fake_put)

/**
 * struct vsockdev_fake_take - take a chain from a queue, and read it
 * @data: address for the bytes that the device may read
 * @room: how many fit there
 * @queue: of 0 to 2
 * @flags: %VSOCKDEV_FAKE_HOLD, or VSOCKDEV_FAKE_INTERRUPT_*
 * @id: out: which chain it is; in for LOOK
 * @len: out: bytes that the device may read, even if more than @room
 * @writable: out: bytes that the device may write
 * @count: out: descriptors
 * @sizes: out: their lengths
 * @reserved: 0
 */
struct vsockdev_fake_take {
	__u64 data;
	__u32 room;
	__u32 queue;
	__u32 flags;
	__u32 id;
	__u32 len;
	__u32 writable;
	__u32 count;
	__u32 sizes[VSOCKDEV_FAKE_SIZES];
	__u32 reserved;
};

#define VSOCKDEV_FAKE_TAKE \
	_IOWR(VSOCKDEV_FAKE_IOC_TYPE, 3, struct vsockdev_fake_take)

/* Read a chain that is held once more. */
#define VSOCKDEV_FAKE_LOOK \
	_IOWR(VSOCKDEV_FAKE_IOC_TYPE, 4, struct vsockdev_fake_take)

/**
 * struct vsockdev_fake_return - return a chain that is held
 * @id: of TAKE
 * @used: bytes to claim as written
 * @queue: of TAKE
 * @flags: VSOCKDEV_FAKE_INTERRUPT_*, %VSOCKDEV_FAKE_LIE
 */
struct vsockdev_fake_return {
	__u32 id;
	__u32 used;
	__u32 queue;
	__u32 flags;
};

#define VSOCKDEV_FAKE_RETURN \
	_IOW(VSOCKDEV_FAKE_IOC_TYPE, 5, struct vsockdev_fake_return)

/* Interrupt the driver for a queue; the argument is its number. */
#define VSOCKDEV_FAKE_INTERRUPT	_IO(VSOCKDEV_FAKE_IOC_TYPE, 6)

/**
 * struct vsockdev_fake_config - change the context id
 * @cid: the new one
 * @flags: VSOCKDEV_FAKE_INTERRUPT_* to tell the driver
 * @reserved: 0
 */
struct vsockdev_fake_config {
	__u64 cid;
	__u32 flags;
	__u32 reserved;
};

#define VSOCKDEV_FAKE_CONFIG \
	_IOW(VSOCKDEV_FAKE_IOC_TYPE, 7, struct vsockdev_fake_config)

/* What the bus of the device does when the machine suspends and resumes. */
#define VSOCKDEV_FAKE_FREEZE	_IO(VSOCKDEV_FAKE_IOC_TYPE, 8)
#define VSOCKDEV_FAKE_RESTORE	_IO(VSOCKDEV_FAKE_IOC_TYPE, 9)

/**
 * struct vsockdev_fake_state - what the device sees of its driver
 * @features: out: feature bits that the driver accepted
 * @posted: out: chains in each queue that the device has not taken
 * @held: out: chains in each queue that the device holds
 * @resets: out: times that the driver has reset the device
 * @notified: out: times that the driver has notified the device
 * @status: out: the status byte
 * @reserved: out: 0
 */
struct vsockdev_fake_state {
	__u64 features;
	__u32 posted[VSOCKDEV_FAKE_QUEUES];
	__u32 held[VSOCKDEV_FAKE_QUEUES];
	__u32 resets;
	__u32 notified;
	__u32 status;
	__u32 reserved;
};

#define VSOCKDEV_FAKE_STATE \
	_IOR(VSOCKDEV_FAKE_IOC_TYPE, 10, struct vsockdev_fake_state)

#endif /* VSOCKDEV_TESTS_FAKE_ABI_H */
