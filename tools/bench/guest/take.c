// SPDX-License-Identifier: GPL-2.0-only
/* Which driver has the device. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "side.h"

static const struct side *owner;

static struct bus_device the_device(void)
{
	struct bus_device *devices, found;
	size_t count;

	devices = bus_list(&count);
	if (!count)
		die("there is no virtio socket device");
	found = devices[0];
	free(devices);
	return found;
}

bool host_is_foreign(void)
{
	const char *name = getenv("VSOCKDEV_HOST");

	return name && !strcmp(name, "vhost-device-vsock");
}

void side_take(const struct side *side)
{
	struct bus_device device;

	if (owner == side)
		return;
	if (owner)
		owner->stop();
	device = the_device();
	if (strcmp(device.driver, side->driver)) {
		if (*device.driver &&
		    bus_write(device.driver, "unbind", device.name))
			die("unbind: %s", strerror(errno));
		if (bus_write(side->driver, "bind", device.name))
			die("bind to %s: %s", side->driver, strerror(errno));
		bus_look_again(&device);
	}
	side->start(device.node);
	owner = side;
}
