// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - the device node
 *
 * DOC: An open file keeps struct vsockdev, not the virtio device. That the
 * latter is gone shows in vsockdev.gone, which every operation looks at under
 * the lock before it touches what went with it. Nothing sleeps under that
 * lock, so removal waits for no operation and no operation for removal.
 */
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "device.h"

#define MINORS	256

static dev_t first_devt;
static DEFINE_IDA(minors);

/* By which udev can tell one device from another */
static ssize_t cid_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	struct vsockdev *vd = container_of(dev, struct vsockdev, dev);

	return sysfs_emit(buf, "%u\n", READ_ONCE(vd->cid));
}
static DEVICE_ATTR_RO(cid);

static struct attribute *vsockdev_attrs[] = {
	&dev_attr_cid.attr,
	NULL,
};
ATTRIBUTE_GROUPS(vsockdev);

static struct class vsockdev_class = {
	.name = KBUILD_MODNAME,
	.dev_groups = vsockdev_groups,
};

static int chardev_open(struct inode *inode, struct file *file)
{
	struct vsockdev *vd = container_of(inode->i_cdev, struct vsockdev,
					   cdev);
	bool gone;

	spin_lock(&vd->lock);
	gone = vd->gone;
	spin_unlock(&vd->lock);
	if (gone)
		return -ENODEV;
	file->private_data = vd;
	file->f_mode |= FMODE_NOWAIT;
	return stream_open(inode, file);
}

/* The last descriptor of this open file is gone, wherever it had been sent */
static int chardev_release(struct inode *inode, struct file *file)
{
	vsockdev_owner_stop(file->private_data, file);
	return 0;
}

static int check_reader(struct vsockdev *vd, struct file *file)
{
	int ret = 0;

	spin_lock(&vd->lock);
	if (vd->owner != file)
		ret = vd->gone ? -ENODEV : -EPERM;
	spin_unlock(&vd->lock);
	return ret;
}

static ssize_t chardev_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct vsockdev *vd = iocb->ki_filp->private_data;
	int ret = check_reader(vd, iocb->ki_filp);

	return ret ?: vsockdev_stream_read(&vd->stream, iocb, to);
}

static __poll_t chardev_poll(struct file *file, poll_table *wait)
{
	struct vsockdev *vd = file->private_data;
	__poll_t mask;

	poll_wait(file, &vd->stream.wait, wait);
	mask = vsockdev_stream_poll(&vd->stream);
	if (check_reader(vd, file))
		mask &= EPOLLHUP | EPOLLERR;
	return mask;
}

static const struct file_operations chardev_fops = {
	.owner = THIS_MODULE,
	.open = chardev_open,
	.release = chardev_release,
	.read_iter = chardev_read_iter,
	.poll = chardev_poll,
	.unlocked_ioctl = vsockdev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static void chardev_free(struct device *dev)
{
	struct vsockdev *vd = container_of(dev, struct vsockdev, dev);

	ida_free(&minors, MINOR(dev->devt));
	kfree(vd);
}

/**
 * vsockdev_chardev_alloc() - make a device that has a name and no node yet
 *
 * Return: the device, with one reference to its @dev, or an ERR_PTR().
 */
struct vsockdev *vsockdev_chardev_alloc(void)
{
	struct vsockdev *vd;
	int minor;
	int ret;

	vd = kzalloc(sizeof(*vd), GFP_KERNEL);
	if (!vd)
		return ERR_PTR(-ENOMEM);
	minor = ida_alloc_max(&minors, MINORS - 1, GFP_KERNEL);
	if (minor < 0) {
		kfree(vd);
		return ERR_PTR(minor);
	}
	device_initialize(&vd->dev);
	vd->dev.class = &vsockdev_class;
	vd->dev.devt = MKDEV(MAJOR(first_devt), minor);
	vd->dev.release = chardev_free;
	cdev_init(&vd->cdev, &chardev_fops);
	vd->cdev.owner = THIS_MODULE;
	ret = dev_set_name(&vd->dev, "vsockdev%d", minor);
	if (ret) {
		put_device(&vd->dev);
		return ERR_PTR(ret);
	}
	return vd;
}

/**
 * vsockdev_chardev_add() - let programs open the node
 * @vd: the device, ready for use
 * @parent: of which it is the node
 *
 * Return: 0 or an errno.
 */
int vsockdev_chardev_add(struct vsockdev *vd, struct device *parent)
{
	vd->dev.parent = parent;
	return cdev_device_add(&vd->cdev, &vd->dev);
}

/**
 * vsockdev_chardev_changed() - let udev look at the attributes again
 * @vd: the device, whose context id is another one now
 */
void vsockdev_chardev_changed(struct vsockdev *vd)
{
	kobject_uevent(&vd->dev.kobj, KOBJ_CHANGE);
}

/**
 * vsockdev_chardev_del() - take the node away; open files remain
 * @vd: the device
 */
void vsockdev_chardev_del(struct vsockdev *vd)
{
	cdev_device_del(&vd->cdev, &vd->dev);
}

/**
 * vsockdev_chardev_init() - get device numbers and a class
 *
 * Return: 0 or an errno.
 */
int vsockdev_chardev_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&first_devt, 0, MINORS, KBUILD_MODNAME);
	if (ret)
		return ret;
	ret = class_register(&vsockdev_class);
	if (ret)
		unregister_chrdev_region(first_devt, MINORS);
	return ret;
}

/**
 * vsockdev_chardev_exit() - give them back
 */
void vsockdev_chardev_exit(void)
{
	class_unregister(&vsockdev_class);
	unregister_chrdev_region(first_devt, MINORS);
}
