// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev cid - print the context id of this guest */
#include <argp.h>
#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <vsockdev.h>

#include "command.h"
#include "device.h"

static const struct argp argp = {
	.doc = "Print the context id of this guest. The device may be in use.",
};

enum status cid_main(const char *device, int argc, char **argv)
{
	struct vsockdev *dev;
	uint32_t cid;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	dev = device_open(device);
	if (vsockdev_get_cid(dev, &cid))
		error(STATUS_ERROR, errno, "%s", device);
	printf("%u\n", cid);
	return STATUS_OK;
}
