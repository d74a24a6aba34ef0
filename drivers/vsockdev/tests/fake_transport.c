// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - how a driver reaches a device that someone plays
 *
 * DOC: What a transport such as virtio-pci does for a driver is done here.
 * Interrupts are real ones, raised by irq_work: the driver's callbacks run
 * where those of hardware do. On machines where irq_work has to wait for the
 * next tick, they run with interrupts disabled instead.
 *
 * As a host would, the device forgets its rings when it is reset.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_vsock.h>

#include "compat.h"
#include "fake_transport.h"

static struct fake_device *to_fake(struct virtio_device *vdev)
{
	return container_of(vdev, struct fake_device, vdev);
}

static void raise_causes(struct fake_device *fake)
{
	unsigned long causes = xchg(&fake->causes, 0);
	struct virtqueue *vq;
	int i;

	for (i = 0; i < VSOCKDEV_FAKE_QUEUES; i++) {
		vq = READ_ONCE(fake->queues[i].vq);
		if (vq && test_bit(i, &causes))
			vring_interrupt(0, vq);
	}
	if (test_bit(FAKE_CAUSE_CONFIG, &causes))
		virtio_config_changed(&fake->vdev);
}

/* Whether there is something in a queue or not */
static void be_hasty(struct fake_device *fake)
{
	unsigned long flags;
	int i;

	if (!fake->hasty)
		return;
	local_irq_save(flags);
	for (i = 0; i < VSOCKDEV_FAKE_QUEUES; i++)
		if (fake->queues[i].vq)
			fake->queues[i].vq->callback(fake->queues[i].vq);
	local_irq_restore(flags);
}

/* In hard interrupt context */
static void interrupt(struct irq_work *work)
{
	raise_causes(container_of(work, struct fake_device, interrupt));
}

/**
 * fake_transport_interrupt() - raise an interrupt
 * @fake: the device
 * @cause: index of a queue, or %FAKE_CAUSE_CONFIG
 *
 * Context: under the lock, so that whoever takes things away there is rid of
 * it. fake_transport_wait() follows.
 */
void fake_transport_interrupt(struct fake_device *fake, u32 cause)
{
	lockdep_assert_held(&fake->lock);

	set_bit(cause, &fake->causes);
	if (arch_irq_work_has_interrupt())
		irq_work_queue(&fake->interrupt);
}

/**
 * fake_transport_wait() - wait until no interrupt is raised or handled
 * @fake: the device
 *
 * Context: may sleep; without the lock.
 */
void fake_transport_wait(struct fake_device *fake)
{
	unsigned long flags;

	if (arch_irq_work_has_interrupt()) {
		irq_work_sync(&fake->interrupt);
		return;
	}
	local_irq_save(flags);
	raise_causes(fake);
	local_irq_restore(flags);
}

static void config_get(struct virtio_device *vdev, unsigned int offset,
		       void *buf, unsigned int len)
{
	struct virtio_vsock_config config = {};
	struct fake_device *fake = to_fake(vdev);

	spin_lock(&fake->lock);
	config.guest_cid = cpu_to_le64(fake->cid);
	spin_unlock(&fake->lock);
	if (!WARN_ON(len > sizeof(config) || offset > sizeof(config) - len))
		memcpy(buf, (void *)&config + offset, len);
}

static u32 config_generation(struct virtio_device *vdev)
{
	struct fake_device *fake = to_fake(vdev);
	u32 generation;

	spin_lock(&fake->lock);
	generation = fake->generation;
	spin_unlock(&fake->lock);
	return generation;
}

static u8 get_status(struct virtio_device *vdev)
{
	return READ_ONCE(to_fake(vdev)->status);
}

static void set_status(struct virtio_device *vdev, u8 status)
{
	struct fake_device *fake = to_fake(vdev);

	spin_lock(&fake->lock);
	WRITE_ONCE(fake->status, status);
	if (fake->hasty && (status & VIRTIO_CONFIG_S_DRIVER_OK))
		fake->cid = fake->late_cid;
	spin_unlock(&fake->lock);
	be_hasty(fake);
	wake_up_all(&fake->wait);
}

static void synchronize_cbs(struct virtio_device *vdev)
{
	fake_transport_wait(to_fake(vdev));
}

static void reset(struct virtio_device *vdev)
{
	struct fake_device *fake = to_fake(vdev);
	int i;

	spin_lock(&fake->lock);
	WRITE_ONCE(fake->status, 0);
	fake->resets++;
	for (i = 0; i < VSOCKDEV_FAKE_QUEUES; i++)
		fake_ring_forget(&fake->queues[i].ring);
	spin_unlock(&fake->lock);
	fake_transport_wait(fake);
	wake_up_all(&fake->wait);
}

static bool notify(struct virtqueue *vq)
{
	struct fake_device *fake = to_fake(vq->vdev);

	spin_lock(&fake->lock);
	fake->notified++;
	spin_unlock(&fake->lock);
	wake_up_all(&fake->wait);
	return true;
}

static void del_queue(struct fake_device *fake, struct fake_queue *queue)
{
	struct virtqueue *vq = queue->vq;

	if (!vq)
		return;
	be_hasty(fake);
	spin_lock(&fake->lock);
	fake_ring_forget(&queue->ring);
	WRITE_ONCE(queue->vq, NULL);
	spin_unlock(&fake->lock);
	fake_transport_wait(fake);
	vring_del_virtqueue(vq);
	free_pages_exact(queue->pages, vring_size(fake->queue_size,
						  PAGE_SIZE));
}

static void del_vqs(struct virtio_device *vdev)
{
	struct fake_device *fake = to_fake(vdev);
	int i;

	for (i = 0; i < VSOCKDEV_FAKE_QUEUES; i++)
		del_queue(fake, &fake->queues[i]);
}

static int add_queue(struct fake_device *fake, u32 index,
		     const struct virtqueue_info *info)
{
	struct fake_queue *queue = &fake->queues[index];
	size_t size = vring_size(fake->queue_size, PAGE_SIZE);
	struct virtqueue *vq;

	queue->pages = alloc_pages_exact(size, GFP_KERNEL | __GFP_ZERO);
	if (!queue->pages)
		return -ENOMEM;
	vq = vring_new_virtqueue(index, fake->queue_size, PAGE_SIZE,
				 &fake->vdev, true, info->ctx, queue->pages,
				 notify, info->callback, info->name);
	if (!vq) {
		free_pages_exact(queue->pages, size);
		return -ENOMEM;
	}
	vq->num_max = fake->queue_size;

	spin_lock(&fake->lock);
	fake_ring_init(&queue->ring, virtqueue_get_vring(vq),
		       virtio_has_feature(&fake->vdev,
					  VIRTIO_RING_F_EVENT_IDX));
	WRITE_ONCE(queue->vq, vq);
	spin_unlock(&fake->lock);
	be_hasty(fake);
	return 0;
}

static int find_vqs(struct virtio_device *vdev, unsigned int nvqs,
		    struct virtqueue *vqs[], struct virtqueue_info info[],
		    struct irq_affinity *desc)
{
	struct fake_device *fake = to_fake(vdev);
	unsigned int i;
	int ret;

	if (nvqs > VSOCKDEV_FAKE_QUEUES)
		return -ENOENT;
	for (i = 0; i < nvqs; i++) {
		vqs[i] = NULL;
		if (!info[i].name)
			continue;
		ret = i == fake->missing ? -ENOENT :
					   add_queue(fake, i, &info[i]);
		if (ret) {
			del_vqs(vdev);
			return ret;
		}
		vqs[i] = fake->queues[i].vq;
	}
	return 0;
}

static u64 get_features(struct virtio_device *vdev)
{
	return to_fake(vdev)->features;
}

static int finalize_features(struct virtio_device *vdev)
{
	vring_transport_features(vdev);
	return 0;
}

static const char *bus_name(struct virtio_device *vdev)
{
	return dev_name(vdev->dev.parent);
}

VSOCKDEV_COMPAT_FIND_VQS(compat_find_vqs, find_vqs)

/* What virtio calls for a device of ours */
const struct virtio_config_ops fake_transport_ops = {
	.get = config_get,
	.generation = config_generation,
	.get_status = get_status,
	.set_status = set_status,
	.reset = reset,
	.find_vqs = compat_find_vqs,
	.del_vqs = del_vqs,
	.synchronize_cbs = synchronize_cbs,
	.get_features = get_features,
	.finalize_features = finalize_features,
	.bus_name = bus_name,
};

/**
 * fake_transport_init() - set up what interrupts need
 * @fake: the device, zeroed
 */
void fake_transport_init(struct fake_device *fake)
{
	init_irq_work(&fake->interrupt, interrupt);
}
