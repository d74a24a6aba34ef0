// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - /dev/vsockdev_fake: programs play virtio-vsock devices
 *
 * DOC: Each open file is at most one device. What it can do is in fake_abi.h.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "fake_device.h"

static struct miscdevice fake_misc;

static int fake_open(struct inode *inode, struct file *file)
{
	struct fake_device *fake = kzalloc(sizeof(*fake), GFP_KERNEL_ACCOUNT);

	if (!fake)
		return -ENOMEM;
	fake_device_init(fake);
	file->private_data = fake;
	return nonseekable_open(inode, file);
}

static int fake_release(struct inode *inode, struct file *file)
{
	struct fake_device *fake = file->private_data;

	fake_device_remove(fake);
	mutex_destroy(&fake->control);
	kfree(fake);
	return 0;
}

static __poll_t fake_poll(struct file *file, poll_table *wait)
{
	struct fake_device *fake = file->private_data;
	bool driven = false;
	__poll_t mask = 0;

	poll_wait(file, &fake->wait, wait);
	if (fake_device_posted(fake, 1, &driven))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (fake_device_posted(fake, 0, &driven))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return driven ? mask : mask | EPOLLHUP;
}

static int call_add(struct fake_device *fake, void __user *arg)
{
	struct vsockdev_fake_add add;
	int ret;

	if (copy_from_user(&add, arg, sizeof(add)))
		return -EFAULT;
	ret = fake_device_add(fake, fake_misc.this_device, add.features,
			      add.cid, add.queue_size);
	if (ret)
		return ret;
	add.index = fake->vdev.index;
	return copy_to_user(arg, &add, sizeof(add)) ? -EFAULT : 0;
}

static int call_remove(struct fake_device *fake, void __user *arg)
{
	return fake_device_remove(fake);
}

static int call_put(struct fake_device *fake, void __user *arg)
{
	struct vsockdev_fake_put put;
	void *buf;
	int ret;

	if (copy_from_user(&put, arg, sizeof(put)))
		return -EFAULT;
	if (put.len > VSOCKDEV_FAKE_BYTES_MAX)
		return -EINVAL;
	buf = kvmalloc(put.len, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	if (copy_from_user(buf, u64_to_user_ptr(put.data), put.len))
		ret = -EFAULT;
	else
		ret = fake_device_put(fake, put.queue, buf, put.len, put.used,
				      put.flags);
	kvfree(buf);
	return ret;
}

static void take_fill(struct vsockdev_fake_take *take,
		      const struct fake_chain *chain)
{
	take->len = chain->readable;
	take->writable = chain->writable;
	take->count = chain->count;
	memcpy(take->sizes, chain->sizes, sizeof(take->sizes));
}

static int take_or_look(struct fake_device *fake, void __user *arg, bool look)
{
	struct vsockdev_fake_take take;
	struct fake_chain chain;
	void *buf;
	int ret;

	if (copy_from_user(&take, arg, sizeof(take)))
		return -EFAULT;
	if (take.room > VSOCKDEV_FAKE_BYTES_MAX)
		return -EINVAL;
	buf = kvmalloc(take.room, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	if (look)
		ret = fake_device_look(fake, take.queue, buf, take.room,
				       take.id, &chain);
	else
		ret = fake_device_take(fake, take.queue, buf, take.room,
				       take.flags, &take.id, &chain);
	if (!ret) {
		take_fill(&take, &chain);
		if (copy_to_user(u64_to_user_ptr(take.data), buf,
				 min(take.len, take.room)) ||
		    copy_to_user(arg, &take, sizeof(take)))
			ret = -EFAULT;
	}
	kvfree(buf);
	return ret;
}

static int call_take(struct fake_device *fake, void __user *arg)
{
	return take_or_look(fake, arg, false);
}

static int call_look(struct fake_device *fake, void __user *arg)
{
	return take_or_look(fake, arg, true);
}

static int call_return(struct fake_device *fake, void __user *arg)
{
	struct vsockdev_fake_return ret;

	if (copy_from_user(&ret, arg, sizeof(ret)))
		return -EFAULT;
	return fake_device_return(fake, ret.queue, ret.id, ret.used,
				  ret.flags);
}

static int call_interrupt(struct fake_device *fake, void __user *arg)
{
	return fake_device_interrupt(fake, (unsigned long)arg);
}

static int call_config(struct fake_device *fake, void __user *arg)
{
	struct vsockdev_fake_config config;

	if (copy_from_user(&config, arg, sizeof(config)))
		return -EFAULT;
	return fake_device_config(fake, config.cid, config.flags);
}

static int call_freeze(struct fake_device *fake, void __user *arg)
{
	return fake_device_freeze(fake);
}

static int call_restore(struct fake_device *fake, void __user *arg)
{
	return fake_device_restore(fake);
}

static int call_state(struct fake_device *fake, void __user *arg)
{
	struct vsockdev_fake_state state;
	int ret = fake_device_state(fake, &state);

	if (!ret && copy_to_user(arg, &state, sizeof(state)))
		ret = -EFAULT;
	return ret;
}

static const struct {
	unsigned int cmd;
	int (*call)(struct fake_device *fake, void __user *arg);
} fake_calls[] = {
	{ VSOCKDEV_FAKE_ADD, call_add },
	{ VSOCKDEV_FAKE_REMOVE, call_remove },
	{ VSOCKDEV_FAKE_PUT, call_put },
	{ VSOCKDEV_FAKE_TAKE, call_take },
	{ VSOCKDEV_FAKE_LOOK, call_look },
	{ VSOCKDEV_FAKE_RETURN, call_return },
	{ VSOCKDEV_FAKE_INTERRUPT, call_interrupt },
	{ VSOCKDEV_FAKE_CONFIG, call_config },
	{ VSOCKDEV_FAKE_FREEZE, call_freeze },
	{ VSOCKDEV_FAKE_RESTORE, call_restore },
	{ VSOCKDEV_FAKE_STATE, call_state },
};

static long fake_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(fake_calls); i++)
		if (fake_calls[i].cmd == cmd)
			return fake_calls[i].call(file->private_data,
						  (void __user *)arg);
	return -ENOTTY;
}

static const struct file_operations fake_fops = {
	.owner = THIS_MODULE,
	.open = fake_open,
	.release = fake_release,
	.poll = fake_poll,
	.unlocked_ioctl = fake_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice fake_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &fake_fops,
	.mode = 0600,
};

module_misc_device(fake_misc);

MODULE_DESCRIPTION("virtio-vsock devices for tests of vsockdev");
MODULE_LICENSE("GPL");
