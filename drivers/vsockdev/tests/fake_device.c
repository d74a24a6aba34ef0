// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - a virtio-vsock device without a host
 *
 * DOC: What a transport such as virtio-pci does for a driver is done here, and
 * what the host does is left to the caller. Interrupts are real ones, raised
 * by irq_work: the driver's callbacks run where those of hardware do. A call
 * that raises one returns after it was handled.
 *
 * As a host would, the device forgets its rings when it is reset, and looks
 * at them only once the driver has said that it is ready.
 */
#include <linux/device.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_vsock.h>

#include "compat.h"
#include "fake_device.h"

#define CAUSE_CONFIG	VSOCKDEV_FAKE_QUEUES

/* Of the transport's features, what is done here */
#define TRANSPORT_FEATURES \
	(BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) | \
	 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) | \
	 BIT_ULL(VIRTIO_F_VERSION_1))
#define DEVICE_FEATURES		GENMASK_ULL(VIRTIO_TRANSPORT_F_START - 1, 0)

static struct fake_device *to_fake(struct virtio_device *vdev)
{
	return container_of(vdev, struct fake_device, vdev);
}

/* In hard interrupt context */
static void raise_causes(struct irq_work *work)
{
	struct fake_device *fake = container_of(work, struct fake_device,
						interrupt);
	unsigned long causes = xchg(&fake->causes, 0);
	struct virtqueue *vq;
	int i;

	for (i = 0; i < VSOCKDEV_FAKE_QUEUES; i++) {
		vq = READ_ONCE(fake->queues[i].vq);
		if (vq && test_bit(i, &causes))
			vring_interrupt(0, vq);
	}
	if (test_bit(CAUSE_CONFIG, &causes))
		virtio_config_changed(&fake->vdev);
}

/* Under the lock, so that whoever takes things away there is rid of it */
static void raise_interrupt(struct fake_device *fake, u32 cause)
{
	lockdep_assert_held(&fake->lock);

	set_bit(cause, &fake->causes);
	irq_work_queue(&fake->interrupt);
}

static void wait_for_interrupt(struct fake_device *fake)
{
	irq_work_sync(&fake->interrupt);
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
	spin_unlock(&fake->lock);
	wake_up_all(&fake->wait);
}

static void synchronize_cbs(struct virtio_device *vdev)
{
	wait_for_interrupt(to_fake(vdev));
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
	wait_for_interrupt(fake);
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
	spin_lock(&fake->lock);
	fake_ring_forget(&queue->ring);
	WRITE_ONCE(queue->vq, NULL);
	spin_unlock(&fake->lock);
	wait_for_interrupt(fake);
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
		ret = add_queue(fake, i, &info[i]);
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

static const struct virtio_config_ops config_ops = {
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

static void release(struct device *dev)
{
	complete(&to_fake(dev_to_virtio(dev))->released);
}

/**
 * fake_device_init() - a device that is not plugged in
 * @fake: the device, zeroed
 */
void fake_device_init(struct fake_device *fake)
{
	mutex_init(&fake->control);
	spin_lock_init(&fake->lock);
	init_completion(&fake->released);
	init_waitqueue_head(&fake->wait);
	init_irq_work(&fake->interrupt, raise_causes);
}

static void set_added(struct fake_device *fake, bool added)
{
	spin_lock(&fake->lock);
	fake->added = added;
	spin_unlock(&fake->lock);
	wake_up_all(&fake->wait);
}

static int plug_in(struct fake_device *fake, struct device *parent)
{
	int ret;

	memset(&fake->vdev, 0, sizeof(fake->vdev));
	reinit_completion(&fake->released);
	fake->vdev.dev.parent = parent;
	fake->vdev.dev.release = release;
	fake->vdev.id.device = VIRTIO_ID_VSOCK;
	fake->vdev.config = &config_ops;
	fake->frozen = false;
	ret = register_virtio_device(&fake->vdev);
	if (ret) {
		put_device(&fake->vdev.dev);
		wait_for_completion(&fake->released);
		return ret;
	}
	set_added(fake, true);
	return 0;
}

/**
 * fake_device_add() - plug the device in
 * @fake: the device
 * @parent: where it appears in sysfs
 * @features: to offer, besides VIRTIO_F_VERSION_1
 * @cid: guest's context id
 * @queue_size: entries of each queue, a power of 2
 *
 * A driver that is there probes it before this returns.
 *
 * Return: 0, -EBUSY if it is plugged in, -EINVAL, or another errno.
 */
int fake_device_add(struct fake_device *fake, struct device *parent,
		    u64 features, u64 cid, u32 queue_size)
{
	int ret = -EBUSY;

	features |= BIT_ULL(VIRTIO_F_VERSION_1);
	if (features & ~(TRANSPORT_FEATURES | DEVICE_FEATURES))
		return -EINVAL;
	if (!is_power_of_2(queue_size) || queue_size > VSOCKDEV_FAKE_RING_MAX)
		return -EINVAL;

	mutex_lock(&fake->control);
	if (!fake->added) {
		fake->features = features;
		fake->queue_size = queue_size;
		fake->cid = cid;
		fake->resets = 0;
		fake->notified = 0;
		ret = plug_in(fake, parent);
	}
	mutex_unlock(&fake->control);
	return ret;
}

/**
 * fake_device_remove() - unplug the device
 * @fake: the device
 *
 * Return: 0, or -ENODEV if it is not plugged in.
 */
int fake_device_remove(struct fake_device *fake)
{
	int ret = -ENODEV;

	mutex_lock(&fake->control);
	if (fake->added) {
		set_added(fake, false);
		wait_for_interrupt(fake);
		unregister_virtio_device(&fake->vdev);
		/* It lies in memory of ours, and its release is code of ours */
		wait_for_completion(&fake->released);
		ret = 0;
	}
	mutex_unlock(&fake->control);
	return ret;
}

/* As buses do it: with the device locked, so that its driver stays */
static int suspend_resume(struct fake_device *fake, bool frozen,
			  int (*function)(struct virtio_device *vdev))
{
	int ret = -ENODEV;

	mutex_lock(&fake->control);
	if (fake->added)
		ret = fake->frozen == frozen ? -EBUSY : 0;
	if (!ret) {
		device_lock(&fake->vdev.dev);
		ret = function(&fake->vdev);
		device_unlock(&fake->vdev.dev);
		if (!ret)
			fake->frozen = frozen;
	}
	mutex_unlock(&fake->control);
	return ret;
}

/**
 * fake_device_freeze() - what happens when the machine suspends
 * @fake: the device
 *
 * Return: 0, -ENODEV, -EBUSY if it is frozen, or the driver's errno.
 */
int fake_device_freeze(struct fake_device *fake)
{
	return suspend_resume(fake, true, virtio_device_freeze);
}

/**
 * fake_device_restore() - what happens when the machine resumes
 * @fake: the device
 *
 * Return: 0, -ENODEV, -EBUSY if it is not frozen, or the driver's errno.
 */
int fake_device_restore(struct fake_device *fake)
{
	return suspend_resume(fake, false, virtio_device_restore);
}

/* Is there a driver that this queue can be used with? */
static int check_queue(struct fake_device *fake, u32 queue)
{
	lockdep_assert_held(&fake->lock);

	if (queue >= VSOCKDEV_FAKE_QUEUES)
		return -EINVAL;
	if (!fake->added)
		return -ENODEV;
	if (!(fake->status & VIRTIO_CONFIG_S_DRIVER_OK) ||
	    !fake->queues[queue].ring.vring.num)
		return -ENOLINK;
	return 0;
}

static void returned(struct fake_device *fake, u32 queue, u32 flags)
{
	bool wanted = fake_ring_wants_interrupt(&fake->queues[queue].ring);

	if ((flags & VSOCKDEV_FAKE_INTERRUPT_ALWAYS) ||
	    ((flags & VSOCKDEV_FAKE_INTERRUPT_WANTED) && wanted))
		raise_interrupt(fake, queue);
}

/**
 * fake_device_put() - fill the next buffer of a queue and return it
 * @fake: the device
 * @queue: which queue
 * @buf: the bytes
 * @len: how many
 * @used: how many to claim
 * @flags: VSOCKDEV_FAKE_INTERRUPT_*
 *
 * Return: 0 or an errno, see fake_abi.h.
 */
int fake_device_put(struct fake_device *fake, u32 queue, const void *buf,
		    u32 len, u32 used, u32 flags)
{
	struct fake_ring *ring;
	u16 head;
	int ret;

	spin_lock(&fake->lock);
	ret = check_queue(fake, queue);
	if (ret)
		goto out;
	ring = &fake->queues[queue].ring;
	ret = fake_ring_peek(ring, &head);
	if (!ret)
		ret = fake_ring_write(ring, head, buf, len);
	if (!ret) {
		fake_ring_take(ring, head);
		fake_ring_return(ring, head, used);
		returned(fake, queue, flags);
	}
out:
	spin_unlock(&fake->lock);
	wait_for_interrupt(fake);
	return ret;
}

/**
 * fake_device_take() - take a chain from a queue
 * @fake: the device
 * @queue: which queue
 * @buf: where the bytes go
 * @room: how many of them at most
 * @flags: %VSOCKDEV_FAKE_HOLD, VSOCKDEV_FAKE_INTERRUPT_*
 * @id: out: which chain it is
 * @chain: out: what it consists of
 *
 * Return: 0 or an errno, see fake_abi.h.
 */
int fake_device_take(struct fake_device *fake, u32 queue, void *buf, u32 room,
		     u32 flags, u32 *id, struct fake_chain *chain)
{
	struct fake_ring *ring;
	u16 head;
	int ret;

	spin_lock(&fake->lock);
	ret = check_queue(fake, queue);
	if (ret)
		goto out;
	ring = &fake->queues[queue].ring;
	ret = fake_ring_peek(ring, &head);
	if (!ret)
		ret = fake_ring_read(ring, head, buf, room, chain);
	if (ret)
		goto out;
	*id = head;
	fake_ring_take(ring, head);
	if (!(flags & VSOCKDEV_FAKE_HOLD)) {
		fake_ring_return(ring, head, 0);
		returned(fake, queue, flags);
	}
out:
	spin_unlock(&fake->lock);
	wait_for_interrupt(fake);
	return ret;
}

static int check_held(struct fake_device *fake, u32 queue, u32 id)
{
	int ret = check_queue(fake, queue);

	if (ret)
		return ret;
	if (id >= VSOCKDEV_FAKE_RING_MAX ||
	    !test_bit(id, fake->queues[queue].ring.held))
		return -ENOENT;
	return 0;
}

/**
 * fake_device_look() - read a chain that is held
 * @fake: the device
 * @queue: which queue
 * @buf: where the bytes go
 * @room: how many of them at most
 * @id: from fake_device_take()
 * @chain: out: what it consists of
 *
 * Return: 0 or an errno, see fake_abi.h.
 */
int fake_device_look(struct fake_device *fake, u32 queue, void *buf, u32 room,
		     u32 id, struct fake_chain *chain)
{
	int ret;

	spin_lock(&fake->lock);
	ret = check_held(fake, queue, id);
	if (!ret)
		ret = fake_ring_read(&fake->queues[queue].ring, id, buf, room,
				     chain);
	spin_unlock(&fake->lock);
	return ret;
}

/**
 * fake_device_return() - return a chain that is held
 * @fake: the device
 * @queue: which queue
 * @id: from fake_device_take()
 * @used: bytes to claim as written
 * @flags: VSOCKDEV_FAKE_INTERRUPT_*, %VSOCKDEV_FAKE_LIE
 *
 * Return: 0 or an errno, see fake_abi.h.
 */
int fake_device_return(struct fake_device *fake, u32 queue, u32 id, u32 used,
		       u32 flags)
{
	int ret;

	spin_lock(&fake->lock);
	if (flags & VSOCKDEV_FAKE_LIE)
		ret = check_queue(fake, queue);
	else
		ret = check_held(fake, queue, id);
	if (!ret) {
		fake_ring_return(&fake->queues[queue].ring, id, used);
		returned(fake, queue, flags);
	}
	spin_unlock(&fake->lock);
	wait_for_interrupt(fake);
	return ret;
}

/**
 * fake_device_interrupt() - interrupt the driver, whether it wants it or not
 * @fake: the device
 * @queue: for which queue
 *
 * Return: 0 or an errno, see fake_abi.h.
 */
int fake_device_interrupt(struct fake_device *fake, u32 queue)
{
	int ret;

	spin_lock(&fake->lock);
	ret = check_queue(fake, queue);
	if (!ret)
		raise_interrupt(fake, queue);
	spin_unlock(&fake->lock);
	wait_for_interrupt(fake);
	return ret;
}

/**
 * fake_device_config() - change the context id
 * @fake: the device
 * @cid: the new one
 * @flags: VSOCKDEV_FAKE_INTERRUPT_* to tell the driver
 *
 * Return: 0 or -ENODEV.
 */
int fake_device_config(struct fake_device *fake, u64 cid, u32 flags)
{
	int ret = -ENODEV;

	spin_lock(&fake->lock);
	if (fake->added) {
		fake->cid = cid;
		fake->generation++;
		if (flags)
			raise_interrupt(fake, CAUSE_CONFIG);
		ret = 0;
	}
	spin_unlock(&fake->lock);
	wait_for_interrupt(fake);
	return ret;
}

/**
 * fake_device_state() - what the device sees of its driver
 * @fake: the device
 * @state: out: that
 *
 * Return: 0 or -ENODEV.
 */
int fake_device_state(struct fake_device *fake,
		      struct vsockdev_fake_state *state)
{
	int i, ret = -ENODEV;

	memset(state, 0, sizeof(*state));
	spin_lock(&fake->lock);
	if (fake->added) {
		state->features = fake->vdev.features;
		state->resets = fake->resets;
		state->notified = fake->notified;
		state->status = fake->status;
		for (i = 0; i < VSOCKDEV_FAKE_QUEUES; i++) {
			struct fake_ring *ring = &fake->queues[i].ring;

			state->posted[i] = fake_ring_posted(ring);
			state->held[i] = fake_ring_held(ring);
		}
		ret = 0;
	}
	spin_unlock(&fake->lock);
	return ret;
}

/**
 * fake_device_posted() - count the chains of a queue that were not taken
 * @fake: the device
 * @queue: which queue
 * @driven: out: whether there is a driver
 *
 * Return: how many there are.
 */
u32 fake_device_posted(struct fake_device *fake, u32 queue, bool *driven)
{
	u32 posted = 0;

	spin_lock(&fake->lock);
	*driven = !check_queue(fake, queue);
	if (*driven)
		posted = fake_ring_posted(&fake->queues[queue].ring);
	spin_unlock(&fake->lock);
	return posted;
}
