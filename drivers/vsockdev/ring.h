/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - the three virtqueues
 */
#ifndef VSOCKDEV_RING_H
#define VSOCKDEV_RING_H

#include <linux/list.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include <linux/virtio.h>

#include "frame.h"

/**
 * enum vsockdev_vq - virtqueues in the order of virtio 1.2, 5.10.2
 * @VSOCKDEV_VQ_RX: packets from the device
 * @VSOCKDEV_VQ_TX: packets to the device
 * @VSOCKDEV_VQ_EVENT: transport events
 * @VSOCKDEV_VQ_COUNT: how many there are
 */
enum vsockdev_vq {
	VSOCKDEV_VQ_RX,
	VSOCKDEV_VQ_TX,
	VSOCKDEV_VQ_EVENT,
	VSOCKDEV_VQ_COUNT,
};

#define VSOCKDEV_RX_SIZE	SZ_32K
#define VSOCKDEV_RX_MAX		128
#define VSOCKDEV_RX_LENT_MAX	256
#define VSOCKDEV_EVENT_BUFS	8

/*
 * Cost of what is in the TX queue, see vsockdev_frame_cost(). What is there is
 * sent in order; all choice between connections is made before it, so it is no
 * longer than the device needs it.
 */
#define VSOCKDEV_TX_BYTES_MIN	(768U * 1024)
#define VSOCKDEV_TX_BYTES_MAX	(3072U * 1024)

/**
 * enum vsockdev_tx_armed - when the device interrupts for the TX queue
 * @VSOCKDEV_TX_QUIET: not at all
 * @VSOCKDEV_TX_SOON: when it has sent most of what was there
 * @VSOCKDEV_TX_NEXT: when it has sent the next packet
 */
enum vsockdev_tx_armed {
	VSOCKDEV_TX_QUIET,
	VSOCKDEV_TX_SOON,
	VSOCKDEV_TX_NEXT,
};

/**
 * struct vsockdev_ring - the virtqueues of one device and their buffers
 * @vqs: by enum vsockdev_vq
 * @tx_free: control frames that are not in the ring
 * @tx_control: memory of all control frames
 * @tx_bytes: cost of the data frames in the ring
 * @tx_limit: no data frame is added from there on
 * @tx_awaited: frames in the ring that somebody waits for
 * @tx_armed: when the device will interrupt
 * @tx_runs: pieces of memory that the payload of a packet may consist of
 * @rx_posted: buffers that the device may fill
 * @rx_lent: a ring buffer of those that somebody else has references to
 * @rx_lent_first: first entry of @rx_lent
 * @rx_lent_count: entries of @rx_lent
 * @rx_spare: to be posted in place of one that is lent, or NULL
 * @events: memory of all buffers of the event queue
 *
 * There are no locks here: the device serializes the calls for each queue.
 * All that begins with tx_ goes with the TX queue.
 */
struct vsockdev_ring {
	struct virtqueue *vqs[VSOCKDEV_VQ_COUNT];
	struct list_head tx_free;
	void *tx_control;
	u32 tx_bytes;
	u32 tx_limit;
	u32 tx_awaited;
	enum vsockdev_tx_armed tx_armed;
	u32 tx_runs;
	u32 rx_posted;
	void *rx_lent[VSOCKDEV_RX_LENT_MAX];
	u32 rx_lent_first;
	u32 rx_lent_count;
	void *rx_spare;
	struct virtio_vsock_event *events;
};

int vsockdev_ring_init(struct vsockdev_ring *ring, struct virtio_device *vdev,
		       vq_callback_t *callbacks[VSOCKDEV_VQ_COUNT]);
int vsockdev_ring_fill(struct vsockdev_ring *ring);
void vsockdev_ring_destroy(struct vsockdev_ring *ring, struct list_head *left);

bool vsockdev_ring_tx_room(const struct vsockdev_ring *ring);
bool vsockdev_ring_tx_data_room(const struct vsockdev_ring *ring,
				bool its_turn);
int vsockdev_ring_send(struct vsockdev_ring *ring,
		       const struct vsockdev_hdr *hdr,
		       struct vsockdev_frame *frame);
void vsockdev_ring_tx_reclaim(struct vsockdev_ring *ring,
			      struct list_head *done);
void vsockdev_ring_tx_adapt(struct vsockdev_ring *ring);
bool vsockdev_ring_broken(const struct vsockdev_ring *ring);
bool vsockdev_ring_tx_busy(const struct vsockdev_ring *ring);
bool vsockdev_ring_tx_arm(struct vsockdev_ring *ring,
			  enum vsockdev_tx_armed when);
void vsockdev_ring_tx_disarm(struct vsockdev_ring *ring);

void *vsockdev_ring_rx_get(struct vsockdev_ring *ring, u32 *used);
bool vsockdev_ring_rx_may_lend(struct vsockdev_ring *ring, u32 len);
void vsockdev_ring_rx_put(struct vsockdev_ring *ring, void *buffer);
bool vsockdev_ring_event_get(struct vsockdev_ring *ring, u32 *id);

#endif /* VSOCKDEV_RING_H */
