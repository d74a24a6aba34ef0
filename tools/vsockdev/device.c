// SPDX-License-Identifier: GPL-2.0-only
/* The device as every command uses it. */
#include "device.h"

#include <errno.h>
#include <error.h>
#include <stdlib.h>
#include <time.h>
#include <vsockdev.h>

#include "command.h"

/* Ends the program, and says what helps against it. */
static void cannot_open(const char *path, int reason)
{
	error(0, reason, "%s", path);
	if (reason == ENOENT)
		error(0, 0, "\"vsockdev devices\" says who has the devices, "
		      "\"vsockdev bind\" takes one over");
	if (reason == EACCES)
		error(0, 0, "who may open it is for a udev rule to say; there "
		      "is an example, 60-vsockdev.rules");
	exit(STATUS_ERROR);
}

struct vsockdev *device_open(const char *path)
{
	struct vsockdev *dev = vsockdev_open(path);

	if (!dev)
		cannot_open(path, errno);
	return dev;
}

struct vsockdev *device_start(const char *path)
{
	struct vsockdev *dev = device_open(path);

	if (!vsockdev_start(dev, NULL))
		return dev;
	if (errno == EBUSY)
		error(STATUS_ERROR, 0, "%s is in use by another program",
		      path);
	error(STATUS_ERROR, errno, "%s: start", path);
	return NULL;
}

bool device_poll(struct vsockdev *dev, struct vsockdev_event *event)
{
	return device_next(dev, event, 0);
}

bool device_next(struct vsockdev *dev, struct vsockdev_event *event,
		 int64_t end_ms)
{
	int64_t left = -1;
	int ret;

	do {
		if (end_ms >= 0)
			left = end_ms - clock_ms();
		if (end_ms >= 0 && left < 0)
			left = 0;
		ret = vsockdev_next_event(dev, event, left);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		error(STATUS_ERROR, errno, "reading events");
	return ret;
}

void device_decline(struct vsockdev *dev, const struct vsockdev_event *event)
{
	/* A failure means that somebody else ended it already. */
	switch (event->type) {
	case VSOCKDEV_EVENT_REQUEST:
		vsockdev_send_rst(dev, &event->addr, event->conn_id);
		note("refused a connection from %u:%u to port %u",
		     event->addr.remote_cid, event->addr.remote_port,
		     event->addr.local_port);
		break;
	case VSOCKDEV_EVENT_TRANSPORT_RESET:
		vsockdev_reset_done(dev, event->transport_reset.generation);
		note("transport reset; the context id is %u",
		     event->transport_reset.new_cid);
		break;
	}
}

void device_await_reset(struct vsockdev *dev)
{
	struct vsockdev_event event;

	do {
		device_next(dev, &event, -1);
		device_decline(dev, &event);
	} while (event.type != VSOCKDEV_EVENT_TRANSPORT_RESET);
}

int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}
