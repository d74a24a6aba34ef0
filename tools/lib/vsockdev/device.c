// SPDX-License-Identifier: LGPL-2.1-or-later
/* The device node: opening, owning and asking it. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct vsockdev *vsockdev_adopt(int fd)
{
	struct vsockdev *dev;
	int flags;

	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return NULL;
	dev = malloc(sizeof(*dev));
	if (dev)
		dev->fd = fd;
	return dev;
}

struct vsockdev *vsockdev_open(const char *path)
{
	struct vsockdev *dev;
	int fd, error;

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	dev = vsockdev_adopt(fd);
	if (!dev) {
		error = errno;
		close(fd);
		errno = error;
	}
	return dev;
}

void vsockdev_close(struct vsockdev *dev)
{
	if (!dev)
		return;
	close(dev->fd);
	free(dev);
}

int vsockdev_fd(const struct vsockdev *dev)
{
	return dev->fd;
}

int vsockdev_ioctl(struct vsockdev *dev, unsigned long request, void *arg)
{
	return ioctl(dev->fd, request, arg) < 0 ? -1 : 0;
}

int vsockdev_start(struct vsockdev *dev, const struct vsockdev_start *options)
{
	struct vsockdev_start arg = {};

	if (options)
		arg = *options;
	arg.size = sizeof(arg);
	arg.flags = 0;
	/* Never the kernel's own size: it may know a larger record. */
	arg.event_size = sizeof(struct vsockdev_event);
	return vsockdev_ioctl(dev, VSOCKDEV_START, &arg);
}

int vsockdev_stop(struct vsockdev *dev)
{
	struct vsockdev_stop arg = { .size = sizeof(arg) };

	return vsockdev_ioctl(dev, VSOCKDEV_STOP, &arg);
}

int vsockdev_get_cid(struct vsockdev *dev, uint32_t *cid)
{
	struct vsockdev_get_cid arg = { .size = sizeof(arg) };

	if (vsockdev_ioctl(dev, VSOCKDEV_GET_CID, &arg))
		return -1;
	*cid = arg.cid;
	return 0;
}

int vsockdev_get_info(struct vsockdev *dev, struct vsockdev_get_info *info)
{
	*info = (struct vsockdev_get_info){ .size = sizeof(*info) };
	return vsockdev_ioctl(dev, VSOCKDEV_GET_INFO, info);
}

int vsockdev_reset_done(struct vsockdev *dev, uint64_t generation)
{
	struct vsockdev_reset_done arg = {
		.size = sizeof(arg),
		.generation = generation,
	};

	return vsockdev_ioctl(dev, VSOCKDEV_RESET_DONE, &arg);
}
