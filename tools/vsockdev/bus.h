/* SPDX-License-Identifier: GPL-2.0-only */
/* The socket devices on the virtio bus and their drivers, in sysfs. */
#ifndef VSOCKDEV_BUS_H
#define VSOCKDEV_BUS_H

#include <stdbool.h>
#include <stddef.h>

#define BUS_OUR_DRIVER "vsockdev"
#define BUS_LINUX_DRIVER "vmw_vsock_virtio_transport"

/* Room for any name in sysfs. */
#define BUS_NAME_SIZE 256

struct bus_device {
	char name[BUS_NAME_SIZE];	/* such as virtio3 */
	char driver[BUS_NAME_SIZE];	/* "" if none has it */
	char node[BUS_NAME_SIZE];	/* its path; "" if it is not ours */
};

/* All of them, in an array to be freed. */
struct bus_device *bus_list(size_t *count);

/* What has become of a device since. */
void bus_look_again(struct bus_device *device);

/* Whether the driver is loaded. */
bool bus_has_driver(const char *driver);

/* Writes to a file of a driver, "bind" or "unbind"; -1 and errno if it fails. */
int bus_write(const char *driver, const char *file, const char *device);

/* Whether we may write there; the error is as that of bus_write(). */
int bus_may_write(const char *driver, const char *file);

static inline bool bus_is_ours(const struct bus_device *device)
{
	return *device->node;
}

#endif
