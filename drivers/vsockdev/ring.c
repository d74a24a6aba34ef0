// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - the three virtqueues
 *
 * DOC: This file knows virtio and no connection. Received packets lie in
 * buffers of several pages, which are posted again as soon as their content
 * was taken. Who wants to keep a large payload takes references to its pages:
 * then another buffer is posted, and this one comes back when all references
 * are gone. There is a fixed number of buffers, so what programs do not read
 * never takes more memory; when there is none to spare, bytes are copied.
 * Packets to send are frames: header and payload in one piece, as
 * there are devices that take nothing else. A control packet needs no memory
 * of its own: one frame per ring entry exists from the start, so that no
 * RESPONSE and no RST can ever fail for lack of memory.
 */
#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "compat.h"
#include "ring.h"

/* Ring entries, as a fraction, that only control packets may use */
#define TX_RESERVE	8

/*
 * Payload from which on references are taken: who has them has the buffer, so
 * it must be half of it.
 */
#define RX_LEND_MIN	(VSOCKDEV_RX_SIZE / 2)

/* Lent buffers that are looked at for one that has come back */
#define RX_LENT_LOOKS	4

/* A control frame and its header, at a stride that keeps frames aligned */
#define CONTROL_STRIDE \
	ALIGN(sizeof(struct vsockdev_frame) + VSOCKDEV_HDR_LEN, SMP_CACHE_BYTES)

/* Buffers are taken without being told, too, so an interrupt may come late */
static void *get_buf(struct virtqueue *vq, u32 *used)
{
	/* The core's handler compares an index without a lock, which is harmless */
	return data_race(virtqueue_get_buf(vq, used));
}

static void *alloc_rx_buffer(gfp_t gfp)
{
	/* The device may say that it has written all of it, and not do so */
	gfp |= __GFP_ZERO | __GFP_COMP | __GFP_NOWARN;
	return (void *)__get_free_pages(gfp, get_order(VSOCKDEV_RX_SIZE));
}

/* It may be lent: whoever has it frees it then */
static void free_rx_buffer(void *buffer)
{
	put_page(virt_to_page(buffer));
}

static bool is_lent(const void *buffer)
{
	return page_count(virt_to_page(buffer)) > 1;
}

static int ring_alloc_control(struct vsockdev_ring *ring)
{
	u32 count = virtqueue_get_vring_size(ring->vqs[VSOCKDEV_VQ_TX]);
	u32 i;

	ring->tx_control = kcalloc(count, CONTROL_STRIDE, GFP_KERNEL);
	if (!ring->tx_control)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		struct vsockdev_frame *frame;

		frame = ring->tx_control + i * CONTROL_STRIDE;
		frame->control = true;
		list_add_tail(&frame->node, &ring->tx_free);
	}
	return 0;
}

/*
 * There are devices that take a header and one piece of payload, and leak
 * anything longer. Those that offer indirect descriptors are not among them. In
 * the smallest queues a payload of its own would hardly find room.
 */
static u32 tx_runs(struct vsockdev_ring *ring, struct virtio_device *vdev)
{
	u32 size = virtqueue_get_vring_size(ring->vqs[VSOCKDEV_VQ_TX]);

	if (!virtio_has_feature(vdev, VIRTIO_RING_F_INDIRECT_DESC))
		return size >= 4;
	return clamp_t(u32, size / 4, 1, VSOCKDEV_PAGES_MAX);
}

/**
 * vsockdev_ring_init() - find the virtqueues
 * @ring: to be set up, zeroed or destroyed before
 * @vdev: the device
 * @callbacks: called in interrupt context when a queue has used buffers
 *
 * Return: 0, or an errno, with nothing to undo.
 */
int vsockdev_ring_init(struct vsockdev_ring *ring, struct virtio_device *vdev,
		       vq_callback_t *callbacks[VSOCKDEV_VQ_COUNT])
{
	static const char * const names[VSOCKDEV_VQ_COUNT] = {
		[VSOCKDEV_VQ_RX] = "rx",
		[VSOCKDEV_VQ_TX] = "tx",
		[VSOCKDEV_VQ_EVENT] = "event",
	};
	int ret;

	INIT_LIST_HEAD(&ring->tx_free);
	ret = vsockdev_compat_find_vqs(vdev, VSOCKDEV_VQ_COUNT, ring->vqs,
				       callbacks, names);
	if (ret)
		return ret;
	ring->tx_runs = tx_runs(ring, vdev);
	ring->tx_limit = VSOCKDEV_TX_BYTES_MIN;
	vsockdev_ring_tx_disarm(ring);
	ring->events = kcalloc(VSOCKDEV_EVENT_BUFS, sizeof(*ring->events),
			       GFP_KERNEL);
	ret = ring->events ? ring_alloc_control(ring) : -ENOMEM;
	if (ret) {
		kfree(ring->events);
		vdev->config->del_vqs(vdev);
		memset(ring, 0, sizeof(*ring));
	}
	return ret;
}

static int ring_post(struct vsockdev_ring *ring, enum vsockdev_vq index,
		     void *buffer, size_t size)
{
	struct scatterlist sg;

	sg_init_one(&sg, buffer, size);
	return virtqueue_add_inbuf(ring->vqs[index], &sg, 1, buffer,
				   GFP_ATOMIC);
}

/**
 * vsockdev_ring_fill() - post all buffers of the event and RX queues
 * @ring: the ring
 *
 * The event queue comes first, as a transport reset must not be missed. Fewer
 * RX buffers than planned are fine, none is not.
 *
 * Context: before the device is told that the driver is ready; may sleep.
 * Return: 0 or -ENOMEM. Posted buffers stay until vsockdev_ring_destroy().
 */
int vsockdev_ring_fill(struct vsockdev_ring *ring)
{
	struct virtqueue *rx = ring->vqs[VSOCKDEV_VQ_RX];
	u32 i;

	for (i = 0; i < VSOCKDEV_EVENT_BUFS; i++)
		if (ring_post(ring, VSOCKDEV_VQ_EVENT, &ring->events[i],
			      sizeof(ring->events[i])))
			break;

	while (rx->num_free && ring->rx_posted < VSOCKDEV_RX_MAX) {
		void *buffer = alloc_rx_buffer(GFP_KERNEL);

		if (!buffer)
			break;
		if (ring_post(ring, VSOCKDEV_VQ_RX, buffer, VSOCKDEV_RX_SIZE)) {
			free_rx_buffer(buffer);
			break;
		}
		ring->rx_posted++;
	}
	return ring->rx_posted ? 0 : -ENOMEM;
}

static void *next_lent(struct vsockdev_ring *ring)
{
	void *buffer = ring->rx_lent[ring->rx_lent_first];

	ring->rx_lent_first = (ring->rx_lent_first + 1) % VSOCKDEV_RX_LENT_MAX;
	ring->rx_lent_count--;
	return buffer;
}

static void note_lent(struct vsockdev_ring *ring, void *buffer)
{
	u32 slot = ring->rx_lent_first + ring->rx_lent_count++;

	ring->rx_lent[slot % VSOCKDEV_RX_LENT_MAX] = buffer;
}

/**
 * vsockdev_ring_destroy() - take every buffer back and free the queues
 * @ring: the ring; may be set up again
 * @left: data frames that the device did not send are added here
 *
 * Context: after the device was reset, with nobody else using the ring.
 */
void vsockdev_ring_destroy(struct vsockdev_ring *ring, struct list_head *left)
{
	struct virtqueue *rx = ring->vqs[VSOCKDEV_VQ_RX];
	struct virtqueue *tx = ring->vqs[VSOCKDEV_VQ_TX];
	struct vsockdev_frame *frame;
	void *buffer;

	while ((buffer = virtqueue_detach_unused_buf(rx)))
		free_rx_buffer(buffer);
	while (ring->rx_lent_count)
		free_rx_buffer(next_lent(ring));
	if (ring->rx_spare)
		free_rx_buffer(ring->rx_spare);
	while ((frame = virtqueue_detach_unused_buf(tx)))
		if (!frame->control)
			list_add(&frame->node, left);
	while (virtqueue_detach_unused_buf(ring->vqs[VSOCKDEV_VQ_EVENT]))
		;
	rx->vdev->config->del_vqs(rx->vdev);
	kfree(ring->tx_control);
	kfree(ring->events);
	memset(ring, 0, sizeof(*ring));
}

/**
 * vsockdev_ring_tx_room() - tells whether a control packet can be sent
 * @ring: the ring
 *
 * Return: true if so.
 */
bool vsockdev_ring_tx_room(const struct vsockdev_ring *ring)
{
	return ring->vqs[VSOCKDEV_VQ_TX]->num_free &&
	       !list_empty(&ring->tx_free);
}

/**
 * vsockdev_ring_tx_data_room() - tells whether a data packet should be sent
 * @ring: the ring
 * @its_turn: even where there is room only for control packets
 *
 * Return: true if so.
 */
bool vsockdev_ring_tx_data_room(const struct vsockdev_ring *ring, bool its_turn)
{
	struct virtqueue *tx = ring->vqs[VSOCKDEV_VQ_TX];
	u32 reserve = virtqueue_get_vring_size(tx) / TX_RESERVE;

	return tx->num_free > (its_turn ? 0 : reserve) &&
	       ring->tx_bytes < ring->tx_limit;
}

/**
 * vsockdev_ring_send() - give a packet to the device
 * @ring: the ring; one of the functions above said that there is room
 * @hdr: its header
 * @frame: its payload, or NULL if it has none
 *
 * Context: serialized by the caller; does not sleep. The device is told when
 * the caller kicks the queue.
 * Return: 0, or an errno if the queue is broken, or has no room for a frame of
 * so many pieces now: the frame is still the caller's then.
 */
int vsockdev_ring_send(struct vsockdev_ring *ring,
		       const struct vsockdev_hdr *hdr,
		       struct vsockdev_frame *frame)
{
	struct virtqueue *tx = ring->vqs[VSOCKDEV_VQ_TX];
	struct vsockdev_frame *sent = frame;
	struct vsockdev_lent *lent;
	struct scatterlist sg;
	int ret;

	if (!frame)
		sent = list_first_entry(&ring->tx_free, struct vsockdev_frame,
					node);
	vsockdev_wire_encode(sent->data, hdr);
	lent = sent->lent;
	if (lent) {
		sg_set_buf(&lent->sg[0], sent->data, VSOCKDEV_HDR_LEN);
		sg_mark_end(&lent->sg[lent->sg_count - 1]);
		ret = virtqueue_add_outbuf(tx, lent->sg, lent->sg_count, sent,
					   GFP_ATOMIC);
	} else {
		sg_init_one(&sg, sent->data, VSOCKDEV_HDR_LEN + hdr->len);
		ret = virtqueue_add_outbuf(tx, &sg, 1, sent, GFP_ATOMIC);
	}
	if (ret)
		return ret;
	if (frame)
		ring->tx_bytes += vsockdev_frame_cost(frame);
	else
		list_del(&sent->node);
	ring->tx_awaited += sent->awaited;
	return 0;
}

/**
 * vsockdev_ring_tx_reclaim() - take back what the device has sent
 * @ring: the ring
 * @done: frames that the caller frees are added here
 *
 * Context: serialized by the caller; does not sleep.
 */
void vsockdev_ring_tx_reclaim(struct vsockdev_ring *ring,
			      struct list_head *done)
{
	struct vsockdev_frame *frame;
	u32 used;

	while ((frame = get_buf(ring->vqs[VSOCKDEV_VQ_TX], &used))) {
		if (frame->control) {
			list_add(&frame->node, &ring->tx_free);
		} else {
			ring->tx_bytes -= vsockdev_frame_cost(frame);
			ring->tx_awaited -= frame->awaited;
			list_add_tail(&frame->node, done);
		}
	}
}

/**
 * vsockdev_ring_tx_adapt() - let the TX queue hold more, or a little less
 * @ring: the ring, which was too full for somebody before reclaim
 *
 * A device that has sent everything by the time that we notice would have gone
 * on. Otherwise less may do, until it no longer does.
 */
void vsockdev_ring_tx_adapt(struct vsockdev_ring *ring)
{
	u32 limit = ring->tx_limit;

	limit = ring->tx_bytes ? limit - limit / 64 : limit + limit / 8;
	ring->tx_limit = clamp(limit, VSOCKDEV_TX_BYTES_MIN,
			       VSOCKDEV_TX_BYTES_MAX);
}

/**
 * vsockdev_ring_broken() - tells whether the device has put nonsense into a queue
 * @ring: the ring
 *
 * Return: true if so: nothing goes through that queue any more.
 */
bool vsockdev_ring_broken(const struct vsockdev_ring *ring)
{
	int i;

	for (i = 0; i < VSOCKDEV_VQ_COUNT; i++)
		if (virtqueue_is_broken(ring->vqs[i]))
			return true;
	return false;
}

/**
 * vsockdev_ring_tx_busy() - tells whether packets are in the TX queue
 * @ring: the ring
 *
 * Return: true if the device has not returned all that we know of.
 */
bool vsockdev_ring_tx_busy(const struct vsockdev_ring *ring)
{
	struct virtqueue *tx = ring->vqs[VSOCKDEV_VQ_TX];

	return tx->num_free < virtqueue_get_vring_size(tx);
}

/**
 * vsockdev_ring_tx_arm() - let the device interrupt
 * @ring: the ring
 * @when: %VSOCKDEV_TX_SOON or %VSOCKDEV_TX_NEXT
 *
 * Return: false if it is too late: there is more to take back already.
 */
bool vsockdev_ring_tx_arm(struct vsockdev_ring *ring,
			  enum vsockdev_tx_armed when)
{
	struct virtqueue *tx = ring->vqs[VSOCKDEV_VQ_TX];

	ring->tx_armed = when;
	/* Not all kernels see to that, and would never say yes */
	if (virtqueue_is_broken(tx))
		return true;
	return when == VSOCKDEV_TX_NEXT ? virtqueue_enable_cb(tx) :
					  virtqueue_enable_cb_delayed(tx);
}

/**
 * vsockdev_ring_tx_disarm() - no interrupt is needed, or it has come
 * @ring: the ring
 */
void vsockdev_ring_tx_disarm(struct vsockdev_ring *ring)
{
	ring->tx_armed = VSOCKDEV_TX_QUIET;
	virtqueue_disable_cb(ring->vqs[VSOCKDEV_VQ_TX]);
}

/**
 * vsockdev_ring_rx_get() - take a buffer that the device has filled
 * @ring: the ring
 * @used: bytes that the device claims to have written
 *
 * Return: %VSOCKDEV_RX_SIZE bytes of one compound page, for
 * vsockdev_ring_rx_put(), or NULL.
 */
void *vsockdev_ring_rx_get(struct vsockdev_ring *ring, u32 *used)
{
	void *buffer = get_buf(ring->vqs[VSOCKDEV_VQ_RX], used);

	if (buffer)
		ring->rx_posted--;
	return buffer;
}

/* A buffer that has come back, or a new one; NULL if that is too much to ask */
static void *find_spare(struct vsockdev_ring *ring)
{
	int looks = min_t(u32, ring->rx_lent_count, RX_LENT_LOOKS);

	while (looks--) {
		void *buffer = next_lent(ring);

		if (!is_lent(buffer))
			return buffer;
		note_lent(ring, buffer);
	}
	if (ring->rx_lent_count == VSOCKDEV_RX_LENT_MAX)
		return NULL;
	return alloc_rx_buffer(GFP_NOWAIT);
}

/**
 * vsockdev_ring_rx_may_lend() - tells whether references may be taken
 * @ring: the ring, of which the caller has a buffer
 * @len: bytes of payload in that
 *
 * Context: as vsockdev_ring_rx_put(); does not sleep.
 * Return: true if there is another buffer to be posted in its place, and it is
 * large enough to be worth it.
 */
bool vsockdev_ring_rx_may_lend(struct vsockdev_ring *ring, u32 len)
{
	if (len < RX_LEND_MIN)
		return false;
	if (!ring->rx_spare)
		ring->rx_spare = find_spare(ring);
	return ring->rx_spare;
}

/**
 * vsockdev_ring_rx_put() - post a buffer again
 * @ring: the ring
 * @buffer: from vsockdev_ring_rx_get(); if somebody has a reference to it now,
 *	vsockdev_ring_rx_may_lend() was asked
 *
 * The place that it came from is free, so only a broken queue refuses it.
 */
void vsockdev_ring_rx_put(struct vsockdev_ring *ring, void *buffer)
{
	if (ring->rx_spare && is_lent(buffer)) {
		note_lent(ring, buffer);
		buffer = ring->rx_spare;
		ring->rx_spare = NULL;
	}
	if (ring_post(ring, VSOCKDEV_VQ_RX, buffer, VSOCKDEV_RX_SIZE))
		free_rx_buffer(buffer);
	else
		ring->rx_posted++;
}

/**
 * vsockdev_ring_event_get() - take a transport event and repost its buffer
 * @ring: the ring
 * @id: out: enum virtio_vsock_event_id
 *
 * Return: false if there is none. An event of odd length counts as id
 * 0xffffffff, which is none that exists.
 */
bool vsockdev_ring_event_get(struct vsockdev_ring *ring, u32 *id)
{
	struct virtio_vsock_event *event;
	u32 used;

	event = get_buf(ring->vqs[VSOCKDEV_VQ_EVENT], &used);
	if (!event)
		return false;
	*id = used == sizeof(*event) ? vsockdev_wire_event(event) : ~0U;
	ring_post(ring, VSOCKDEV_VQ_EVENT, event, sizeof(*event));
	return true;
}
