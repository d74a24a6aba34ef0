// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - one virtio-vsock device
 *
 * DOC: Interrupts only queue work. The RX work handles packets and never
 * waits for a program. The TX work takes back what was sent and lets the
 * scheduler go on. The event work handles transport events.
 */
#include <linux/module.h>
#include <linux/random.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "conn.h"
#include "device.h"
#include "proto.h"
#include "workers.h"

/* Packets that the RX work handles before it lets others run */
#define RX_BUDGET	256

static void rx_interrupt(struct virtqueue *vq)
{
	struct vsockdev *vd = vq->vdev->priv;

	queue_work(vsockdev_wq, &vd->rx_work);
}

static void tx_interrupt(struct virtqueue *vq)
{
	struct vsockdev *vd = vq->vdev->priv;

	queue_work(vsockdev_wq, &vd->tx_work);
}

static void event_interrupt(struct virtqueue *vq)
{
	struct vsockdev *vd = vq->vdev->priv;

	queue_work(vsockdev_wq, &vd->event_work);
}

static void config_changed(struct virtio_device *vdev)
{
	struct vsockdev *vd = vdev->priv;

	queue_work(vsockdev_wq, &vd->cid_work);
}

/**
 * vsockdev_device_resume_rx() - read packets again
 * @vd: the device, whose RX work stopped as there was no room for replies
 */
void vsockdev_device_resume_rx(struct vsockdev *vd)
{
	queue_work(vsockdev_wq, &vd->rx_work);
}

static bool rx_may_go_on(struct vsockdev *vd)
{
	bool room;

	spin_lock(&vd->lock);
	room = vsockdev_sched_reply_room(vd);
	spin_unlock(&vd->lock);
	return room;
}

/* Returns false if packets are left for another time */
static bool rx_all(struct vsockdev *vd, int *budget)
{
	void *buffer;
	u32 used;

	while (rx_may_go_on(vd)) {
		if (!(*budget)--) {
			vsockdev_device_resume_rx(vd);
			return false;
		}
		buffer = vsockdev_ring_rx_get(&vd->ring, &used);
		if (!buffer)
			return true;
		vsockdev_proto_receive(vd, buffer, VSOCKDEV_RX_SIZE, used);
		vsockdev_ring_rx_put(&vd->ring, buffer);
	}
	return false;
}

static void rx_work(struct work_struct *work)
{
	struct vsockdev *vd = container_of(work, struct vsockdev, rx_work);
	struct virtqueue *vq = vd->ring.vqs[VSOCKDEV_VQ_RX];
	int budget = RX_BUDGET;

	virtqueue_disable_cb(vq);
	if (rx_all(vd, &budget) && !virtqueue_enable_cb(vq))
		vsockdev_device_resume_rx(vd);
	virtqueue_kick(vq);
}

static void tx_work(struct work_struct *work)
{
	struct vsockdev *vd = container_of(work, struct vsockdev, tx_work);
	struct virtqueue *vq = vd->ring.vqs[VSOCKDEV_VQ_TX];
	struct vsockdev_frame *frame, *next;
	LIST_HEAD(done);
	bool enabled;

	spin_lock(&vd->lock);
	virtqueue_disable_cb(vq);
	vsockdev_ring_tx_reclaim(&vd->ring, &done);
	enabled = virtqueue_enable_cb_delayed(vq);
	vsockdev_sched_unlock(vd);

	list_for_each_entry_safe(frame, next, &done, node)
		vsockdev_frame_free(frame);
	/* The device returned more meanwhile, and may go on to: let others run */
	if (!enabled)
		queue_work(vsockdev_wq, &vd->tx_work);
}

/* The upper half is reserved and zero */
static u32 read_cid(struct vsockdev *vd)
{
	u64 cid;

	virtio_cread_le(vd->vdev, struct virtio_vsock_config, guest_cid, &cid);
	return cid;
}

/* Ends every connection without a word to the host, which knows */
static void reset_conns(struct vsockdev *vd)
{
	struct vsockdev_conn *conn;
	struct hlist_node *next;
	int bucket;

	hash_for_each_safe(vd->table, bucket, next, conn, node)
		if (conn->state != VSOCKDEV_CONN_DEAD)
			vsockdev_conn_end(conn, false, VSOCKDEV_RST_PEER_RESET,
					  ECONNRESET);
}

static void transport_reset(struct vsockdev *vd)
{
	u32 cid = read_cid(vd);

	spin_lock(&vd->lock);
	WRITE_ONCE(vd->cid, cid);
	vd->generation++;
	reset_conns(vd);
	/* Nor is anything owed to who was there before */
	vsockdev_sched_clear(vd);
	vsockdev_sched_unlock(vd);
}

static void event_work(struct work_struct *work)
{
	struct vsockdev *vd = container_of(work, struct vsockdev, event_work);
	struct virtqueue *vq = vd->ring.vqs[VSOCKDEV_VQ_EVENT];
	int budget = VSOCKDEV_EVENT_BUFS;
	bool reset = false;
	u32 id;

	virtqueue_disable_cb(vq);
	while (budget-- && vsockdev_ring_event_get(&vd->ring, &id))
		reset |= id == VIRTIO_VSOCK_EVENT_TRANSPORT_RESET;
	if (!virtqueue_enable_cb(vq))
		queue_work(vsockdev_wq, &vd->event_work);
	virtqueue_kick(vq);
	if (reset)
		transport_reset(vd);
}

static void cid_work(struct work_struct *work)
{
	struct vsockdev *vd = container_of(work, struct vsockdev, cid_work);

	if (read_cid(vd) != READ_ONCE(vd->cid))
		transport_reset(vd);
}

/**
 * vsockdev_device_start() - give the device an owner
 * @vd: the device
 * @file: the owner
 * @start: its options, checked and with defaults filled in
 *
 * Return: 0, -ENODEV, -EBUSY or -EALREADY.
 */
int vsockdev_device_start(struct vsockdev *vd, struct file *file,
			  const struct vsockdev_start *start)
{
	int ret = 0;

	spin_lock(&vd->lock);
	if (vd->gone) {
		ret = -ENODEV;
	} else if (vd->owner) {
		ret = vd->owner == file ? -EALREADY : -EBUSY;
	} else {
		vd->owner = file;
		vd->options = *start;
		vsockdev_stream_open(&vd->stream, start->event_size);
	}
	spin_unlock(&vd->lock);
	return ret;
}

/**
 * vsockdev_device_check_owner() - tells whether a file may give orders
 * @vd: the device
 * @file: the file
 *
 * Context: under the lock.
 * Return: 0, -ENODEV, or -EPERM if @file is not the owner.
 */
int vsockdev_device_check_owner(struct vsockdev *vd, struct file *file)
{
	lockdep_assert_held(&vd->lock);

	if (vd->gone)
		return -ENODEV;
	return vd->owner == file ? 0 : -EPERM;
}

/* Ends every connection and forgets every event */
static void drop_conns(struct vsockdev *vd, bool send_rst)
{
	struct vsockdev_conn *conn;
	struct hlist_node *next;
	int bucket;

	hash_for_each_safe(vd->table, bucket, next, conn, node)
		vsockdev_conn_end_silently(conn, send_rst);
}

/**
 * vsockdev_device_stop() - take the device from its owner
 * @vd: the device
 * @file: who says so
 *
 * The RSTs that this queues go out ahead of what a next owner sends, as
 * control packets are sent in order. Sockets that could not take everything
 * yet are finished by their pumps.
 *
 * Return: 0, -ENODEV, or -EPERM if @file is not the owner.
 */
int vsockdev_device_stop(struct vsockdev *vd, struct file *file)
{
	int ret = 0;

	spin_lock(&vd->lock);
	if (vd->owner != file) {
		ret = vd->gone ? -ENODEV : -EPERM;
	} else if (vd->gone) {
		vd->owner = NULL;
		ret = -ENODEV;
	} else {
		drop_conns(vd, true);
		vd->owner = NULL;
		vsockdev_stream_close(&vd->stream, -EPERM);
	}
	vsockdev_sched_unlock(vd);
	return ret;
}

static int ring_start(struct vsockdev *vd)
{
	vq_callback_t *callbacks[VSOCKDEV_VQ_COUNT] = {
		[VSOCKDEV_VQ_RX] = rx_interrupt,
		[VSOCKDEV_VQ_TX] = tx_interrupt,
		[VSOCKDEV_VQ_EVENT] = event_interrupt,
	};
	int ret;

	ret = vsockdev_ring_init(&vd->ring, vd->vdev, callbacks);
	if (ret)
		return ret;
	ret = vsockdev_ring_fill(&vd->ring);
	if (ret) {
		vsockdev_ring_destroy(&vd->ring);
		return ret;
	}
	virtio_device_ready(vd->vdev);
	virtqueue_kick(vd->ring.vqs[VSOCKDEV_VQ_EVENT]);
	virtqueue_kick(vd->ring.vqs[VSOCKDEV_VQ_RX]);
	return 0;
}

/*
 * The order is: no new work (nobody who takes the lock touches the rings any
 * more), no notification under way, no interrupt, no work; then the buffers
 * are ours again. Programs that still have the node open, and pumps that wait
 * for a program, go on without the device and keep @vd, not the rings.
 */
static void ring_stop(struct vsockdev *vd)
{
	spin_lock(&vd->lock);
	vd->gone = true;
	drop_conns(vd, false);
	vsockdev_sched_clear(vd);
	vsockdev_stream_close(&vd->stream, -ENODEV);
	spin_unlock(&vd->lock);

	synchronize_rcu();
	/* A broken queue gives nothing, and interrupts for it are ignored */
	virtio_break_device(vd->vdev);
	virtio_synchronize_cbs(vd->vdev);
	virtio_reset_device(vd->vdev);
	cancel_work_sync(&vd->rx_work);
	cancel_work_sync(&vd->tx_work);
	cancel_work_sync(&vd->event_work);
	cancel_work_sync(&vd->cid_work);
	cancel_delayed_work_sync(&vd->sched.ask_work);
	vsockdev_ring_destroy(&vd->ring);
}

static void device_init(struct vsockdev *vd, struct virtio_device *vdev)
{
	vd->vdev = vdev;
	vdev->priv = vd;
	spin_lock_init(&vd->lock);
	hash_init(vd->table);
	vd->hash_seed = get_random_u32();
	vsockdev_stream_init(&vd->stream, &vd->lock,
			     vsockdev_conn_event_consumed);
	vsockdev_sched_init(vd);
	INIT_WORK(&vd->rx_work, rx_work);
	INIT_WORK(&vd->tx_work, tx_work);
	INIT_WORK(&vd->event_work, event_work);
	INIT_WORK(&vd->cid_work, cid_work);
	vd->cid = read_cid(vd);
	vd->features = vdev->features;
}

static int device_probe(struct virtio_device *vdev)
{
	struct vsockdev *vd;
	int ret;

	vd = vsockdev_chardev_alloc();
	if (IS_ERR(vd))
		return PTR_ERR(vd);
	device_init(vd, vdev);
	ret = ring_start(vd);
	if (ret)
		goto err_put;
	ret = vsockdev_chardev_add(vd, &vdev->dev);
	if (ret)
		goto err_stop;
	return 0;

err_stop:
	ring_stop(vd);
err_put:
	put_device(&vd->dev);
	return ret;
}

static void device_remove(struct virtio_device *vdev)
{
	struct vsockdev *vd = vdev->priv;

	vsockdev_chardev_del(vd);
	ring_stop(vd);
	put_device(&vd->dev);
}

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_VSOCK, VIRTIO_DEV_ANY_ID },
	{ },
};
MODULE_DEVICE_TABLE(virtio, id_table);

static struct virtio_driver vsockdev_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	.id_table = id_table,
	.probe = device_probe,
	.remove = device_remove,
	.config_changed = config_changed,
};

/**
 * vsockdev_device_init() - begin to drive devices
 *
 * Return: 0 or an errno.
 */
int vsockdev_device_init(void)
{
	return register_virtio_driver(&vsockdev_driver);
}

/**
 * vsockdev_device_exit() - let go of all devices
 */
void vsockdev_device_exit(void)
{
	unregister_virtio_driver(&vsockdev_driver);
}
