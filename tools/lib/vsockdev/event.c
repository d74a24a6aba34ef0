// SPDX-License-Identifier: LGPL-2.1-or-later
/* The event stream: taking records and waiting for them. */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

int vsockdev_read_events(struct vsockdev *dev, struct vsockdev_event *events,
			 size_t count)
{
	ssize_t len;

	if (count > INT_MAX / sizeof(*events))
		count = INT_MAX / sizeof(*events);
	len = read(dev->fd, events, count * sizeof(*events));
	if (len < 0)
		return errno == EAGAIN ? 0 : -1;
	return len / sizeof(*events);
}

int vsockdev_wait(struct vsockdev *dev, int timeout_ms)
{
	struct pollfd pfd = { .fd = dev->fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int vsockdev_next_event(struct vsockdev *dev, struct vsockdev_event *event,
			int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms, left;
	int ret;

	for (;;) {
		ret = vsockdev_read_events(dev, event, 1);
		if (ret)
			return ret;
		left = timeout_ms < 0 ? -1 : end - now_ms();
		if (timeout_ms >= 0 && left < 0)
			left = 0;
		ret = vsockdev_wait(dev, left);
		if (ret <= 0)
			return ret;
	}
}
