/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two that are compared: the in-tree driver with its AF_VSOCK sockets, and
 * vsockdev. One of them has the device at a time.
 */
#ifndef BENCH_SIDE_H
#define BENCH_SIDE_H

#include <linux/vsockdev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB 1024ULL
#define MIB (1024 * KIB)

/* How AF_VSOCK's programs may help themselves, and what else may differ. */
struct variant {
	const char *name;
	uint64_t window; /* of AF_VSOCK, 0 for the default */
	size_t piece; /* bytes of one call that sends, 0 for the default */
	bool zerocopy; /* MSG_ZEROCOPY */
	int idle; /* connections beside what is measured */
};

/* A connection to the host. */
struct link {
	int sock;
	uint64_t id; /* ours only */
	struct vsockdev_addr addr; /* ours only */
};

/* What the other one cannot do is NULL. */
struct side {
	const char *name;
	const char *driver;
	void (*start)(const char *node); /* the driver has the device */
	void (*stop)(void); /* the driver is about to lose it */
	struct link (*open)(const struct variant *variant, uint32_t port);
	void (*close)(struct link *link);
	void (*abort)(struct link *link); /* with bytes unread */
	/* One short connection: open, a byte there and back, close. */
	void (*visit)(uint32_t port);
	/* The same on a socket that is there already. */
	void (*give)(int sock, uint32_t port);
	/* Until all connections are gone. */
	void (*settle)(void);
	/* Part of a file. */
	void (*send_file)(const struct link *link, int fd, size_t len);
	/* What comes to the port goes to TCP; the host dials in between. */
	void (*bridge_open)(const struct variant *variant, uint32_t port,
			    uint16_t tcp_port);
	void (*bridge_accept)(uint32_t port, uint16_t tcp_port);
	void (*bridge_close)(void);
	/* The driver's own counters. */
	void (*info)(struct vsockdev_get_info *info);
};

extern const struct side side_ours, side_peer;

/* Gives the device to this side; the other one has lost it. */
void side_take(const struct side *side);

/* Whether the host device is vhost-device-vsock. */
bool host_is_foreign(void);

int tcp_connect(uint16_t port);

/* Ends the program, and says why. */
void die(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

#endif
