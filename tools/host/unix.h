/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections that end in unix sockets. */
#ifndef VSOCKDEV_HOST_UNIX_H
#define VSOCKDEV_HOST_UNIX_H

#include <stdint.h>

#include "loop.h"

struct conn;
struct endpoint_ops;
struct vsock;

extern const struct endpoint_ops unix_ops;

/* Where host programs ask for connections to the guest. */
struct unix_listener {
	struct source src;
	struct vsock *vs;
	const char *path;
};

/* A listening socket at @path, in place of a dead one; or -errno. */
int unix_bind(const char *path);

int unix_listen(struct unix_listener *listener, struct vsock *vs,
		const char *path);
void unix_unlisten(struct unix_listener *listener);

/* Connects to the program that serves @port at @base. */
int unix_connect(struct conn *conn, const char *base, uint32_t port);

#endif
