/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - bytes from a program to the host
 */
#ifndef VSOCKDEV_TRANSMIT_H
#define VSOCKDEV_TRANSMIT_H

#include <linux/types.h>

struct vsockdev_conn;

bool vsockdev_transmit(struct vsockdev_conn *conn, size_t *pending);
void vsockdev_transmit_now(struct vsockdev_conn *conn);

#endif /* VSOCKDEV_TRANSMIT_H */
