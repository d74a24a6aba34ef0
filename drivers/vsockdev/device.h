/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - one virtio-vsock device
 */
#ifndef VSOCKDEV_DEVICE_H
#define VSOCKDEV_DEVICE_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "event.h"
#include "ring.h"
#include "sched.h"

struct file;

#define VSOCKDEV_HASH_BITS	10

#define VSOCKDEV_BACKLOG_DEFAULT	128
#define VSOCKDEV_BACKLOG_MAX		4096
#define VSOCKDEV_CONNS_DEFAULT		1024
#define VSOCKDEV_CONNS_MAX		65536
#define VSOCKDEV_BUF_ALLOC_DEFAULT	(256U << 10)
#define VSOCKDEV_BUF_ALLOC_MIN		4096U
#define VSOCKDEV_BUF_ALLOC_MAX		(16U << 20)
#define VSOCKDEV_CONNECT_TIMEOUT_MS	2000
#define VSOCKDEV_CLOSE_TIMEOUT_MS	8000

/**
 * struct vsockdev_stats - counters, as in struct vsockdev_get_info
 * @rx_packets: see there
 * @rx_bytes: see there
 * @tx_packets: see there
 * @tx_bytes: see there
 * @rx_malformed: see there
 * @rx_unknown: see there
 * @rx_violations: see there
 * @rx_discarded: see there
 * @refused: see there
 * @timeouts: see there
 * @credit_requests: see there
 * @credit_updates: see there
 */
struct vsockdev_stats {
	u64 rx_packets;
	u64 rx_bytes;
	u64 tx_packets;
	u64 tx_bytes;
	u64 rx_malformed;
	u64 rx_unknown;
	u64 rx_violations;
	u64 rx_discarded;
	u64 refused;
	u64 timeouts;
	u64 credit_requests;
	u64 credit_updates;
};

/**
 * struct vsockdev - one virtio-vsock device and its node
 * @dev: the node's device; its references keep this struct, and are held by
 *	the driver, by each open file (through @cdev) and by each connection
 * @cdev: the node
 * @vdev: the virtio device; valid until @gone
 * @events_ready: as @ready, and there is a node: the event work may run. Read
 *	without the lock, as interrupts read @ready
 * @lock: see below
 * @owner: the file that issued START, not a reference: its release resets it
 * @options: what the owner asked for, defaults filled in
 * @gone: the device was removed, for good
 * @ready: the rings may be used. They may not once the device is gone, nor
 *	between freeze and restore
 * @cid: the guest's context id
 * @features: virtio feature bits agreed on
 * @generation: counts transport resets
 * @reset_pending: the owner has not acknowledged the last one
 * @reset_by_cid: the last one was seen by the context id. While the owner has not
 *	acknowledged it, an event says the same again
 * @reset_event: the owner's TRANSPORT_RESET
 * @last_id: last connection id that was given out
 * @backlog: connections in state PENDING
 * @conns: connections that count against the limit
 * @stats: counters
 * @stream: events; has no lock but this one
 * @table: connections by address
 * @sched: what waits to be sent
 * @ring: the TX queue of it; the RX queue belongs to its work alone
 * @event_mutex: see below
 * @types: a bit for each VSOCKDEV_TYPE_* that the device carries; constant
 * @hash_seed: keeps the host from choosing addresses that share a bucket
 * @rx_work: takes packets from the RX queue
 * @rx_yield_work: queues @rx_work again when others had their turn
 * @tx_work: takes back what was sent, and sends what waits
 * @event_work: takes transport events, and notes a new context id
 *
 * @lock guards @owner to @sched, the TX queue, and of each connection what its
 * struct says. It is taken in process context only: interrupts merely queue work,
 * and so do socket callbacks, but for that of a program that writes. It is held
 * for no longer than it takes to fill the TX ring. Inside it: locks of wait queues
 * and work queues, none of sockets.
 *
 * @event_mutex guards the event queue, and from there on until @cid is what the
 * configuration says. It is taken outside of @lock.
 */
struct vsockdev {
	struct device dev;
	struct cdev cdev;
	struct virtio_device *vdev;
	bool events_ready;

	/* Guards all fields from owner to ring but for the ring's RX and event parts */
	spinlock_t lock;
	struct file *owner;
	struct vsockdev_start options;
	bool gone;
	bool ready;
	u32 cid;
	u64 features;
	u64 generation;
	bool reset_pending;
	bool reset_by_cid;
	struct vsockdev_event_slot reset_event;
	u64 last_id;
	u32 backlog;
	u32 conns;
	struct vsockdev_stats stats;
	struct vsockdev_stream stream;
	DECLARE_HASHTABLE(table, VSOCKDEV_HASH_BITS);
	struct vsockdev_sched sched;
	struct vsockdev_ring ring;

	/* Guards the ring's event part */
	struct mutex event_mutex;

	u32 types;
	u32 hash_seed;
	struct work_struct rx_work;
	struct work_struct rx_yield_work;
	struct work_struct tx_work;
	struct work_struct event_work;
};

/* sched.c: ends each critical section that may have given it something to do */
void vsockdev_sched_unlock(struct vsockdev *vd) __releases(&vd->lock);

void vsockdev_device_resume_rx(struct vsockdev *vd);

int vsockdev_device_init(void);
void vsockdev_device_exit(void);

/* owner.c: who has the device */
int vsockdev_owner_start(struct vsockdev *vd, struct file *file,
			 const struct vsockdev_start *start);
int vsockdev_owner_stop(struct vsockdev *vd, struct file *file);
int vsockdev_owner_check(struct vsockdev *vd, struct file *file);
int vsockdev_owner_check_ready(struct vsockdev *vd, struct file *file);
int vsockdev_owner_reset_done(struct vsockdev *vd, struct file *file,
			      u64 generation);
void vsockdev_owner_drop_conns(struct vsockdev *vd, bool send_rst,
			       int error);
void vsockdev_owner_reset(struct vsockdev *vd);
void vsockdev_owner_tell_reset(struct vsockdev *vd, u32 cid);

/* chardev.c: the node of a device */
int vsockdev_chardev_add(struct vsockdev *vd, struct device *parent);
struct vsockdev *vsockdev_chardev_alloc(void);
void vsockdev_chardev_changed(struct vsockdev *vd);
void vsockdev_chardev_del(struct vsockdev *vd);
int vsockdev_chardev_init(void);
void vsockdev_chardev_exit(void);

/* ioctl.c: the calls on an open file */
long vsockdev_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* VSOCKDEV_DEVICE_H */
