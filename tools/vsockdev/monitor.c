// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev monitor - print what the host does */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stdio.h>
#include <vsockdev.h>

#include "args.h"
#include "command.h"
#include "device.h"
#include "format.h"
#include "service.h"

static const struct argp_child children[] = {
	{ .argp = &args_json },
	{}
};

static const struct argp argp = {
	.children = children,
	.doc = "Print each event of the device until a signal comes. Only the "
	       "owner of the device sees its events, so monitor owns it: it "
	       "refuses every request, and no other program can use the "
	       "device meanwhile."
	       "\vKeys of the JSON objects: \"event\" (request, response, "
	       "rst, shutdown, transport_reset, send_vmo_complete), \"seq\", "
	       "\"time_ns\" (monotonic clock); except for transport_reset "
	       "\"conn_id\", \"local_port\", \"remote_cid\", "
	       "\"remote_port\"; of request \"socket_type\"; of rst "
	       "\"reason\", \"error\", \"bytes_sent\", \"bytes_received\"; of "
	       "shutdown \"receive\", \"send\"; of transport_reset "
	       "\"new_cid\", \"generation\"; of send_vmo_complete \"status\", "
	       "\"bytes\".",
};

enum status monitor_main(const char *device, int argc, char **argv)
{
	struct vsockdev_event event;
	struct vsockdev *dev;
	bool json = false;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	dev = device_start(device);
	service_ends_by_signal();
	note("monitoring %s", device);
	for (;;) {
		device_next(dev, &event, -1);
		if (json)
			print_event_json(&event);
		else
			print_event_text(&event);
		if (fflush(stdout))
			error(STATUS_ERROR, errno, "writing the output");
		device_decline(dev, &event);
	}
}
