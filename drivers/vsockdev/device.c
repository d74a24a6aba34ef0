// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - one virtio-vsock device
 *
 * DOC: Interrupts only queue work. The RX work handles packets and never
 * waits for a program. The TX work takes back what was sent and lets the
 * scheduler go on. The event work handles transport events, which the RX work
 * does as well before it believes that a packet is of the host it knows.
 *
 * A device can interrupt at any time, also while its queues are still made, or
 * taken down after that failed. Until we are ready that is ignored; then there
 * is a look at everything.
 */
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "conn.h"
#include "device.h"
#include "proto.h"
#include "wire.h"
#include "workers.h"

/* Packets that the RX work handles before it lets others run */
#define RX_BUDGET	256

static void rx_interrupt(struct virtqueue *vq)
{
	struct vsockdev *vd = vq->vdev->priv;

	if (READ_ONCE(vd->ready))
		queue_work(vsockdev_high_wq, &vd->rx_work);
}

static void tx_interrupt(struct virtqueue *vq)
{
	struct vsockdev *vd = vq->vdev->priv;

	if (READ_ONCE(vd->ready))
		queue_work(vsockdev_high_wq, &vd->tx_work);
}

static void event_interrupt(struct virtqueue *vq)
{
	struct vsockdev *vd = vq->vdev->priv;

	if (READ_ONCE(vd->events_ready))
		queue_work(vsockdev_wq, &vd->event_work);
}

static void config_changed(struct virtio_device *vdev)
{
	struct vsockdev *vd = vdev->priv;

	if (READ_ONCE(vd->events_ready))
		queue_work(vsockdev_wq, &vd->event_work);
}

/* Whoever asks from now on gets ENODEV */
static void close_for_good(struct vsockdev *vd)
{
	vd->gone = true;
	vsockdev_owner_drop_conns(vd, false, ENODEV);
	vsockdev_sched_clear(vd);
	vsockdev_event_drop(&vd->reset_event);
	vsockdev_stream_close(&vd->stream, -ENODEV);
}

/**
 * vsockdev_device_resume_rx() - read packets again
 * @vd: the device, whose RX work stopped as there was no room for replies
 */
void vsockdev_device_resume_rx(struct vsockdev *vd)
{
	queue_work(vsockdev_high_wq, &vd->rx_work);
}

/* A host that never stops must not keep programs from running */
static void rx_yield(struct work_struct *work)
{
	struct vsockdev *vd = container_of(work, struct vsockdev,
					   rx_yield_work);

	vsockdev_device_resume_rx(vd);
}

/*
 * A device that has broken a queue is as good as gone, but for its memory,
 * which is ours again when it is unbound.
 */
static void look_for_damage(struct vsockdev *vd)
{
	spin_lock(&vd->lock);
	if (vd->ready && !vd->gone && vsockdev_ring_broken(&vd->ring)) {
		dev_err(&vd->dev, "the device has broken a virtqueue\n");
		close_for_good(vd);
	}
	spin_unlock(&vd->lock);
}

/* The upper half is reserved and zero */
static u32 read_cid(struct vsockdev *vd)
{
	u64 cid;

	virtio_cread_le(vd->vdev, struct virtio_vsock_config, guest_cid, &cid);
	return cid;
}

/* @asked: the host said so. Without that, a new context id says the same */
static void transport_reset(struct vsockdev *vd, bool asked)
{
	u32 cid = read_cid(vd);
	bool changed, same;

	spin_lock(&vd->lock);
	changed = vd->ready && !vd->gone && cid != vd->cid;
	/* All that there is has come from the new host, and waits for us */
	same = vd->reset_by_cid && vd->reset_pending && !changed;
	if (vd->ready && !vd->gone && (changed || (asked && !same))) {
		vsockdev_owner_reset(vd);
		vsockdev_owner_tell_reset(vd, cid);
	}
	if (changed || asked)
		vd->reset_by_cid = !asked;
	vsockdev_sched_unlock(vd);
	if (changed)
		vsockdev_chardev_changed(vd);
}

/* @config: the context id may have changed without one */
static void see_events(struct vsockdev *vd, bool config)
{
	struct virtqueue *vq = vd->ring.vqs[VSOCKDEV_VQ_EVENT];
	int budget = VSOCKDEV_EVENT_BUFS;
	bool reset = false;
	u32 id;

	mutex_lock(&vd->event_mutex);
	virtqueue_disable_cb(vq);
	for (; budget && vsockdev_ring_event_get(&vd->ring, &id); budget--)
		reset |= id == VIRTIO_VSOCK_EVENT_TRANSPORT_RESET;
	if (!virtqueue_enable_cb(vq))
		queue_work(vsockdev_wq, &vd->event_work);
	if (budget < VSOCKDEV_EVENT_BUFS)
		virtqueue_kick(vq);
	if (reset || config)
		transport_reset(vd, reset);
	mutex_unlock(&vd->event_mutex);
}

static void event_work(struct work_struct *work)
{
	struct vsockdev *vd = container_of(work, struct vsockdev, event_work);

	see_events(vd, true);
	look_for_damage(vd);
}

/*
 * What a new host sends may be here before the work that is to see its event, or
 * its new context id. A REQUEST that is taken for one of the old host is lost.
 */
static void catch_up(struct vsockdev *vd, const void *frame, u32 used)
{
	bool other;
	u64 dst_cid;
	u16 op;

	if (!READ_ONCE(vd->events_ready) ||
	    !vsockdev_wire_peek(frame, used, &op, &dst_cid))
		return;
	other = dst_cid != READ_ONCE(vd->cid);
	if (other || op == VIRTIO_VSOCK_OP_REQUEST)
		see_events(vd, other);
}

static bool rx_may_go_on(struct vsockdev *vd)
{
	bool may;

	spin_lock(&vd->lock);
	may = vd->ready && !vd->gone && vsockdev_sched_reply_room(vd);
	spin_unlock(&vd->lock);
	return may;
}

/* Returns false if packets are left for another time */
static bool rx_all(struct vsockdev *vd, int *budget)
{
	void *buffer;
	u32 used;

	while (rx_may_go_on(vd)) {
		if (!(*budget)--) {
			queue_work(vsockdev_wq, &vd->rx_yield_work);
			return false;
		}
		buffer = vsockdev_ring_rx_get(&vd->ring, &used);
		if (!buffer)
			return true;
		catch_up(vd, buffer, used);
		vsockdev_proto_receive(vd, buffer, VSOCKDEV_RX_SIZE, used);
		vsockdev_ring_rx_put(&vd->ring, buffer);
		cond_resched();
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
	look_for_damage(vd);
}

static void tx_work(struct work_struct *work)
{
	struct vsockdev *vd = container_of(work, struct vsockdev, tx_work);

	spin_lock(&vd->lock);
	vsockdev_sched_interrupted(vd);
	vsockdev_sched_unlock(vd);
	look_for_damage(vd);
}

static int ring_prepare(struct vsockdev *vd)
{
	vq_callback_t *callbacks[VSOCKDEV_VQ_COUNT] = {
		[VSOCKDEV_VQ_RX] = rx_interrupt,
		[VSOCKDEV_VQ_TX] = tx_interrupt,
		[VSOCKDEV_VQ_EVENT] = event_interrupt,
	};
	LIST_HEAD(none);
	int ret;

	ret = vsockdev_ring_init(&vd->ring, vd->vdev, callbacks);
	if (ret)
		return ret;
	ret = vsockdev_ring_fill(&vd->ring);
	if (ret)
		vsockdev_ring_destroy(&vd->ring, &none);
	return ret;
}

/*
 * Nothing is sent before the device knows that we are ready. It may have sent
 * something by then, which the RX work has left alone.
 */
static void ring_go(struct vsockdev *vd, bool restored)
{
	u32 cid = read_cid(vd);

	virtio_device_ready(vd->vdev);
	virtqueue_kick(vd->ring.vqs[VSOCKDEV_VQ_EVENT]);
	virtqueue_kick(vd->ring.vqs[VSOCKDEV_VQ_RX]);
	spin_lock(&vd->lock);
	WRITE_ONCE(vd->ready, true);
	if (restored) {
		WRITE_ONCE(vd->events_ready, true);
		vd->reset_by_cid = false;
		vsockdev_owner_tell_reset(vd, cid);
	}
	vsockdev_sched_unlock(vd);
	vsockdev_device_resume_rx(vd);
}

/* What they tell goes on to udev, so there must be a node */
static void events_go(struct vsockdev *vd)
{
	WRITE_ONCE(vd->events_ready, true);
	queue_work(vsockdev_wq, &vd->event_work);
}

static void not_ready(struct vsockdev *vd)
{
	lockdep_assert_held(&vd->lock);

	WRITE_ONCE(vd->ready, false);
	WRITE_ONCE(vd->events_ready, false);
}

/*
 * After @ready was cleared under the lock, nobody who takes it touches the
 * rings any more. Then the order is: no notification under way, no interrupt,
 * no work; then the buffers are ours again. Programs that have the node open,
 * and pumps that wait for a program, go on without the rings.
 */
static void ring_stop(struct vsockdev *vd)
{
	LIST_HEAD(left);

	synchronize_rcu();
	/* A broken queue gives nothing, and interrupts for it are ignored */
	virtio_break_device(vd->vdev);
	virtio_synchronize_cbs(vd->vdev);
	virtio_reset_device(vd->vdev);
	/* Each of these two may have queued the other */
	cancel_work_sync(&vd->rx_work);
	cancel_work_sync(&vd->rx_yield_work);
	cancel_work_sync(&vd->rx_work);
	cancel_work_sync(&vd->tx_work);
	cancel_work_sync(&vd->event_work);
	cancel_delayed_work_sync(&vd->sched.ask_work);
	cancel_delayed_work_sync(&vd->sched.tidy_work);
	vsockdev_ring_destroy(&vd->ring, &left);
	spin_lock(&vd->lock);
	vsockdev_sched_returned(vd, &left);
	spin_unlock(&vd->lock);
	vsockdev_frames_free(&left);
}

static void device_gone(struct vsockdev *vd)
{
	bool was_ready;

	spin_lock(&vd->lock);
	was_ready = vd->ready;
	not_ready(vd);
	close_for_good(vd);
	spin_unlock(&vd->lock);
	if (was_ready)
		ring_stop(vd);
	else
		virtio_reset_device(vd->vdev);
}

/* A device that offers nothing carries streams (virtio 1.3, 5.10.3) */
static u32 carried_types(struct virtio_device *vdev)
{
	u32 types = 0;

	if (virtio_has_feature(vdev, VSOCKDEV_F_STREAM) ||
	    !virtio_has_feature(vdev, VSOCKDEV_F_NO_IMPLIED_STREAM))
		types |= BIT(VSOCKDEV_TYPE_STREAM);
	if (virtio_has_feature(vdev, VIRTIO_VSOCK_F_SEQPACKET))
		types |= BIT(VSOCKDEV_TYPE_SEQPACKET);
	return types;
}

static void device_init(struct vsockdev *vd, struct virtio_device *vdev)
{
	vd->vdev = vdev;
	vdev->priv = vd;
	spin_lock_init(&vd->lock);
	mutex_init(&vd->event_mutex);
	hash_init(vd->table);
	vd->hash_seed = get_random_u32();
	vsockdev_stream_init(&vd->stream, &vd->lock,
			     vsockdev_conn_event_consumed);
	vsockdev_event_init(&vd->reset_event);
	vsockdev_sched_init(vd);
	INIT_WORK(&vd->rx_work, rx_work);
	INIT_WORK(&vd->rx_yield_work, rx_yield);
	INIT_WORK(&vd->tx_work, tx_work);
	INIT_WORK(&vd->event_work, event_work);
	vd->cid = read_cid(vd);
	vd->features = vdev->features;
	vd->types = carried_types(vdev);
}

static int device_probe(struct virtio_device *vdev)
{
	struct vsockdev *vd;
	int ret;

	vd = vsockdev_chardev_alloc();
	if (IS_ERR(vd))
		return PTR_ERR(vd);
	device_init(vd, vdev);
	ret = ring_prepare(vd);
	if (ret)
		goto err_put;
	ring_go(vd, false);
	ret = vsockdev_chardev_add(vd, &vdev->dev);
	if (ret)
		goto err_gone;
	events_go(vd);
	return 0;

err_gone:
	device_gone(vd);
err_put:
	put_device(&vd->dev);
	return ret;
}

static void device_remove(struct virtio_device *vdev)
{
	struct vsockdev *vd = vdev->priv;

	device_gone(vd);
	vsockdev_chardev_del(vd);
	put_device(&vd->dev);
}

#ifdef CONFIG_PM_SLEEP
/* The host will not know any of our connections when we wake up */
static int device_freeze(struct virtio_device *vdev)
{
	struct vsockdev *vd = vdev->priv;
	bool was_ready;

	spin_lock(&vd->lock);
	was_ready = vd->ready;
	not_ready(vd);
	vsockdev_owner_reset(vd);
	spin_unlock(&vd->lock);
	if (was_ready)
		ring_stop(vd);
	return 0;
}

static int device_restore(struct virtio_device *vdev)
{
	struct vsockdev *vd = vdev->priv;
	int ret;

	if (vd->gone)
		return -ENODEV;
	ret = ring_prepare(vd);
	if (ret) {
		device_gone(vd);
		return ret;
	}
	ring_go(vd, true);
	events_go(vd);
	vsockdev_chardev_changed(vd);
	return 0;
}
#endif

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_VSOCK, VIRTIO_DEV_ANY_ID },
	{ },
};
MODULE_DEVICE_TABLE(virtio, id_table);

static const unsigned int feature_table[] = {
	VSOCKDEV_F_STREAM,
	VIRTIO_VSOCK_F_SEQPACKET,
	VSOCKDEV_F_NO_IMPLIED_STREAM,
};

static struct virtio_driver vsockdev_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	.id_table = id_table,
	.feature_table = feature_table,
	.feature_table_size = ARRAY_SIZE(feature_table),
	.probe = device_probe,
	.remove = device_remove,
	.config_changed = config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = device_freeze,
	.restore = device_restore,
#endif
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
