// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev devices - list the socket devices of this guest */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <vsockdev.h>

#include "args.h"
#include "bus.h"
#include "command.h"

static const struct argp_child children[] = {
	{ .argp = &args_json },
	{}
};

static const struct argp argp = {
	.children = children,
	.doc = "List the virtio socket devices of this guest, whichever driver "
	       "has them: their names on the virtio bus, and of those that "
	       "vsockdev drives the node and the context id.\v"
	       "Keys of the JSON objects: \"virtio\", \"node\", \"cid\", "
	       "\"driver\"; null for what there is not, or for a node that "
	       "may not be opened.",
};

/* The context id, or 0, which is nobody's. */
static uint32_t cid_of(const struct bus_device *device)
{
	struct vsockdev *dev;
	uint32_t cid = 0;

	dev = bus_is_ours(device) ? vsockdev_open(device->node) : NULL;
	if (!dev)
		return 0;
	if (vsockdev_get_cid(dev, &cid))
		cid = 0;
	vsockdev_close(dev);
	return cid;
}

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static void print_text(const struct bus_device *device)
{
	char cid[16] = "";

	if (cid_of(device))
		snprintf(cid, sizeof(cid), "%u", cid_of(device));
	printf("%-10s %-16s %-10s %s\n", device->name, or_dash(device->node),
	       or_dash(cid), or_dash(device->driver));
}

static void print_string(const char *key, const char *text)
{
	printf(*text ? "\"%s\":\"%s\"," : "\"%s\":null,", key, text);
}

static void print_json(const struct bus_device *device)
{
	uint32_t cid = cid_of(device);

	putchar('{');
	print_string("virtio", device->name);
	print_string("node", device->node);
	print_string("driver", device->driver);
	if (cid)
		printf("\"cid\":%u}\n", cid);
	else
		puts("\"cid\":null}");
}

enum status devices_main(const char *device, int argc, char **argv)
{
	struct bus_device *devices;
	bool json = false;
	size_t count, i;

	(void)device;
	argp_parse(&argp, argc, argv, 0, NULL, &json);
	devices = bus_list(&count);
	if (!json)
		printf("%-10s %-16s %-10s %s\n", "VIRTIO", "NODE", "CID",
		       "DRIVER");
	for (i = 0; i < count; i++)
		(json ? print_json : print_text)(&devices[i]);
	free(devices);
	return STATUS_OK;
}
