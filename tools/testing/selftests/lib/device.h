/* SPDX-License-Identifier: GPL-2.0-only */
/* The device node, its calls and its events. */
#ifndef VSOCKDEV_TEST_DEVICE_H
#define VSOCKDEV_TEST_DEVICE_H

#include <linux/vsockdev.h>
#include <stdbool.h>
#include <stdint.h>

#include "check.h"

#define HOST_CID 2

struct device {
	int fd;
	unsigned int stashed; /* events that were read past */
	struct vsockdev_event stash[256];
};

/* A further file on the first device, or on that one. */
int open_device(void);
int open_device_flags(int flags);
int open_device_at(unsigned int device, int flags);

/* 0 or a negative errno. */
int call(int fd, unsigned long cmd, void *arg);

/* Opens it and starts it; the zero members of @options become patient. */
void device_start(struct device *dev, const struct vsockdev_start *options);
void device_start_at(struct device *dev, unsigned int device,
		     const struct vsockdev_start *options);
int start(int fd, const struct vsockdev_start *options);
int stop(int fd);
struct vsockdev_get_info info_of(int fd);

int send_request(int fd, struct vsockdev_addr addr, int sock, uint64_t *id);
int send_response(int fd, struct vsockdev_addr addr, uint64_t id, int sock);
int send_rst(int fd, struct vsockdev_addr addr, uint64_t id);
int send_shutdown(int fd, struct vsockdev_addr addr, uint64_t id,
		  uint32_t flags);

/* The next event, whatever it is; waits. */
struct vsockdev_event next_event(struct device *dev);

/*
 * The next event of that connection (0: of any), which must be of that type
 * (0: of any).
 */
struct vsockdev_event expect_event(struct device *dev, uint32_t type,
				   uint64_t id);

/* The same for a REQUEST to that port of ours. */
struct vsockdev_event expect_request(struct device *dev, uint32_t port);

/* The same for RST, with that reason and error. */
struct vsockdev_event expect_rst(struct device *dev, uint64_t id,
				 uint32_t reason, int error);

/* The same, however that connection ended; SHUTDOWN may come before. */
struct vsockdev_event skip_to_rst(struct device *dev, uint64_t id);

void expect_shutdown(struct device *dev, uint64_t id, uint32_t directions);

/* There is none now, of that connection (0: of any). */
void expect_no_event(struct device *dev, uint64_t id);

/* poll() now. */
short poll_now(int fd);

#define expect_event(...) HERE((expect_event)(__VA_ARGS__))
#define next_event(...) HERE((next_event)(__VA_ARGS__))
#define expect_request(...) HERE((expect_request)(__VA_ARGS__))
#define expect_rst(...) HERE((expect_rst)(__VA_ARGS__))
#define skip_to_rst(...) HERE((skip_to_rst)(__VA_ARGS__))
#define expect_shutdown(...) HERE((expect_shutdown)(__VA_ARGS__))
#define expect_no_event(...) HERE((expect_no_event)(__VA_ARGS__))
#define device_start(...) HERE((device_start)(__VA_ARGS__))
#define device_start_at(...) HERE((device_start_at)(__VA_ARGS__))
#define info_of(...) HERE((info_of)(__VA_ARGS__))

#endif
