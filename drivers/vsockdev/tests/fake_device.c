// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - a virtio-vsock device without a host
 *
 * DOC: The device comes and goes, and what the host does with its queues is
 * left to the caller, but done only once the driver has said that it is
 * ready. A call that raises an interrupt returns after it was handled.
 */
#include <linux/device.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "fake_transport.h"

#define DEVICE_FEATURES		GENMASK_ULL(VIRTIO_TRANSPORT_F_START - 1, 0)

static void release(struct device *dev)
{
	complete(&container_of(dev_to_virtio(dev), struct fake_device, vdev)->released);
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
	fake->missing = VSOCKDEV_FAKE_QUEUES;
	fake_transport_init(fake);
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
	fake->vdev.config = &fake_transport_ops;
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
	if (features & ~(FAKE_TRANSPORT_FEATURES | DEVICE_FEATURES))
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
		fake_transport_wait(fake);
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

/* The chain that is next in a queue that can be used */
static int find_next(struct fake_device *fake, u32 queue,
		     struct fake_ring **ring, u16 *head)
{
	int ret = check_queue(fake, queue);

	if (ret)
		return ret;
	*ring = &fake->queues[queue].ring;
	return fake_ring_peek(*ring, head);
}

static void returned(struct fake_device *fake, u32 queue, u32 flags)
{
	bool wanted = fake_ring_wants_interrupt(&fake->queues[queue].ring);

	if ((flags & VSOCKDEV_FAKE_INTERRUPT_ALWAYS) ||
	    ((flags & VSOCKDEV_FAKE_INTERRUPT_WANTED) && wanted))
		fake_transport_interrupt(fake, queue);
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
	ret = find_next(fake, queue, &ring, &head);
	if (!ret)
		ret = fake_ring_write(ring, head, buf, len);
	if (!ret) {
		fake_ring_take(ring, head);
		fake_ring_return(ring, head, used);
		returned(fake, queue, flags);
	}
	spin_unlock(&fake->lock);
	fake_transport_wait(fake);
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
	ret = find_next(fake, queue, &ring, &head);
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
	fake_transport_wait(fake);
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
	fake_transport_wait(fake);
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
		fake_transport_interrupt(fake, queue);
	spin_unlock(&fake->lock);
	fake_transport_wait(fake);
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
			fake_transport_interrupt(fake, FAKE_CAUSE_CONFIG);
		ret = 0;
	}
	spin_unlock(&fake->lock);
	fake_transport_wait(fake);
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
