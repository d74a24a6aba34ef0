/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - bytes from the host to a program
 */
#ifndef VSOCKDEV_DELIVER_H
#define VSOCKDEV_DELIVER_H

#include <linux/types.h>

struct vsockdev_conn;

bool vsockdev_deliver(struct vsockdev_conn *conn);
void vsockdev_deliver_discard(struct vsockdev_conn *conn);
void vsockdev_deliver_free(struct vsockdev_conn *conn);
void vsockdev_deliver_tell(struct vsockdev_conn *conn);
void vsockdev_deliver_forwarded(struct vsockdev_conn *conn, u32 len);

/* receive.c: from the RX work to the socket, or to where it waits */
void vsockdev_deliver_receive(struct vsockdev_conn *conn, const void *payload,
			      u32 len, bool end);

#endif /* VSOCKDEV_DELIVER_H */
