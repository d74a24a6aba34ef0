// SPDX-License-Identifier: GPL-2.0-only
/* The event loop: one epoll instance, one thread. */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define MAX_EVENTS 64

int loop_init(struct loop *loop)
{
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epfd < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct source *src, int fd, uint32_t events,
	     void (*ready)(struct source *src, uint32_t events))
{
	struct epoll_event ev = { .events = events, .data.ptr = src };

	src->fd = fd;
	src->ready = ready;
	return epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

void loop_close(struct loop *loop, struct source *src)
{
	if (src->fd < 0)
		return;
	/* A client may hold a duplicate, so that close() alone won't do. */
	epoll_ctl(loop->epfd, EPOLL_CTL_DEL, src->fd, NULL);
	close(src->fd);
	src->fd = -1;
}

int loop_wait(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(loop->epfd, events, MAX_EVENTS, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct source *src = events[i].data.ptr;

		/* An earlier event of this round may have closed it. */
		if (src->fd >= 0)
			src->ready(src, events[i].events);
	}
	return 0;
}

uint64_t loop_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
