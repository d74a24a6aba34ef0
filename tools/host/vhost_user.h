/* SPDX-License-Identifier: GPL-2.0-only */
/* The vhost-user protocol: how QEMU or UML hands us a virtio device. */
#ifndef VSOCKDEV_HOST_VHOST_USER_H
#define VSOCKDEV_HOST_VHOST_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "gmem.h"
#include "loop.h"
#include "virtq.h"
#include "vsock.h"

struct vhost_user_queue {
	struct virtq vq;
	struct source kick;
	bool enabled;
};

struct vhost_user {
	const struct options *opts;
	struct loop *loop;
	struct vsock *vs;
	struct source listener;
	struct source client;
	int backend_fd; /* where the device may send requests of its own */
	bool client_left;
	uint64_t features;
	struct gmem mem;
	struct vhost_user_queue queues[VSOCK_QUEUES];
};

void vhost_user_init(struct vhost_user *vu, const struct options *opts,
		     struct loop *loop, struct vsock *vs);

/*
 * Tells the client, if there is one, that the configuration has changed: the
 * CID, that is. -EOPNOTSUPP if it did not offer to be told.
 */
int vhost_user_config_changed(struct vhost_user *vu);

int vhost_user_listen(struct vhost_user *vu);
void vhost_user_close(struct vhost_user *vu);

#endif
