/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections that end in unix sockets. */
#ifndef VSOCKDEV_HOST_UNIX_H
#define VSOCKDEV_HOST_UNIX_H

#include <stdint.h>

#include "loop.h"

struct conn;
struct vsock;

/* As long as the name of a unix socket may be, and a byte to notice more. */
#define UNIX_PATH 109

/* Where host programs ask for connections to the guest. */
struct unix_listener {
	struct source src;
	struct vsock *vs;
	int type;
	char path[UNIX_PATH];
};

/* A listening socket at @path, in place of a dead one; or -errno. */
int unix_bind(const char *path, int type);

/* For sockets of @type, SOCK_STREAM or SOCK_SEQPACKET. */
int unix_listen(struct unix_listener *listener, struct vsock *vs, int type);
void unix_unlisten(struct unix_listener *listener);

/* A connection to the program that serves the port; NULL if there is none. */
struct conn *unix_connect(struct vsock *vs, uint16_t type, uint32_t port);

#endif
