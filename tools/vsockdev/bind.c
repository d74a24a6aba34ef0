// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev bind, vsockdev unbind - take a device over, and give it back
 *
 * The virtio bus has no way to say which driver is to have a device: whoever
 * comes first has it, until it is moved.
 */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "bus.h"
#include "command.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key != 'd')
		return ARGP_ERR_UNKNOWN;
	*(const char **)state->input = arg;
	return 0;
}

static const struct argp_option options[] = {
	{ "device", 'd', "DEVICE", 0,
	  "Its name on the virtio bus, such as virtio3, or its node; see "
	  "vsockdev devices. Not needed if there is only one", 0 },
	{}
};

static const struct argp bind_argp = {
	.options = options,
	.parser = parse,
	.doc = "Take a device over from the driver that has it, which is that "
	       "of AF_VSOCK, and print its new node. Connections of AF_VSOCK "
	       "end by this.",
};

static const struct argp unbind_argp = {
	.options = options,
	.parser = parse,
	.doc = "Take a device from vsockdev, and give it to the driver of "
	       "AF_VSOCK if that is loaded. A program that uses the node is "
	       "told that the device is gone.",
};

static bool is_named(const struct bus_device *device, const char *name)
{
	return !strcmp(device->name, name) ||
	       (bus_is_ours(device) && !strcmp(device->node, name));
}

static struct bus_device the_named(const char *name)
{
	struct bus_device *devices, found = {};
	size_t count, i;

	devices = bus_list(&count);
	for (i = 0; i < count; i++)
		if (is_named(&devices[i], name))
			found = devices[i];
	free(devices);
	if (!*found.name)
		error(STATUS_ERROR, 0, "%s is no virtio socket device", name);
	return found;
}

/* The only device that is, or is not, ours. */
static struct bus_device the_only(bool ours)
{
	struct bus_device *devices, found = {};
	size_t count, i, fit = 0;

	devices = bus_list(&count);
	for (i = 0; i < count; i++) {
		if (bus_is_ours(&devices[i]) != ours)
			continue;
		found = devices[i];
		fit++;
	}
	/* To take a device twice is no mistake. */
	if (!ours && count == 1 && !fit++)
		found = devices[0];
	free(devices);
	if (!count)
		error(STATUS_ERROR, 0, "there is no virtio socket device");
	if (!fit)
		error(STATUS_ERROR, 0, ours ? "vsockdev has no device" :
					      "vsockdev has all devices");
	if (fit > 1)
		error(STATUS_ERROR, 0, "there are %zu such devices: name one "
		      "with --device", fit);
	return found;
}

static struct bus_device choose(const char *name, bool ours)
{
	return name ? the_named(name) : the_only(ours);
}

/* Before anything is moved. */
static void check_access(const char *file)
{
	if (!bus_has_driver(BUS_OUR_DRIVER))
		error(STATUS_ERROR, 0, "the module vsockdev is not loaded");
	if (bus_may_write(BUS_OUR_DRIVER, file))
		error(STATUS_ERROR, errno, "only root may move devices");
}

static void move_out(const struct bus_device *device)
{
	if (*device->driver &&
	    bus_write(device->driver, "unbind", device->name))
		error(STATUS_ERROR, errno, "%s: taking it from %s",
		      device->name, device->driver);
}

/* What did not work must not leave the device with nobody. */
static void give_back(const struct bus_device *device)
{
	if (*device->driver && bus_write(device->driver, "bind", device->name))
		error(0, errno, "%s: giving it back to %s", device->name,
		      device->driver);
}

enum status bind_main(const char *name, int argc, char **argv)
{
	struct bus_device device;

	argp_parse(&bind_argp, argc, argv, 0, NULL, &name);
	check_access("bind");
	device = choose(name, false);
	if (!bus_is_ours(&device)) {
		move_out(&device);
		if (bus_write(BUS_OUR_DRIVER, "bind", device.name)) {
			error(0, errno, "%s: vsockdev does not take it",
			      device.name);
			give_back(&device);
			return STATUS_ERROR;
		}
		bus_look_again(&device);
	}
	puts(device.node);
	return STATUS_OK;
}

enum status unbind_main(const char *name, int argc, char **argv)
{
	struct bus_device device;

	argp_parse(&unbind_argp, argc, argv, 0, NULL, &name);
	check_access("unbind");
	device = choose(name, true);
	if (!bus_is_ours(&device))
		error(STATUS_ERROR, 0, "vsockdev does not have %s",
		      device.name);
	move_out(&device);
	if (!bus_has_driver(BUS_LINUX_DRIVER))
		error(0, 0, "%s has no driver now: %s is not loaded",
		      device.name, BUS_LINUX_DRIVER);
	else if (bus_write(BUS_LINUX_DRIVER, "bind", device.name))
		error(STATUS_ERROR, errno, "%s has no driver now: %s, which "
		      "takes only one device, does not take it", device.name,
		      BUS_LINUX_DRIVER);
	return STATUS_OK;
}
