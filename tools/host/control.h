/* SPDX-License-Identifier: GPL-2.0-only */
/* The control socket: what a VMM would do to its device, on demand. */
#ifndef VSOCKDEV_HOST_CONTROL_H
#define VSOCKDEV_HOST_CONTROL_H

#include <stddef.h>

#include "loop.h"

struct vhost_user;
struct vsock;

#define CONTROL_CLIENTS 16
#define CONTROL_LINE 64

struct control_client {
	struct source src;
	struct control *control;
	size_t len;
	char line[CONTROL_LINE];
};

struct control {
	struct source listener;
	const char *path;
	struct loop *loop;
	struct vsock *vs;
	struct vhost_user *vu;
	char *rest; /* of the line that is being performed */
	struct control_client clients[CONTROL_CLIENTS];
};

/* Without a @path there is no such socket. */
int control_listen(struct control *control, const char *path, struct vsock *vs,
		   struct vhost_user *vu);
void control_close(struct control *control);

#endif
