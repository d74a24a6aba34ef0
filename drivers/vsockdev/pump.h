/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - bytes between a socket and a connection
 */
#ifndef VSOCKDEV_PUMP_H
#define VSOCKDEV_PUMP_H

#include <linux/types.h>

struct vsockdev_conn;
struct work_struct;

void vsockdev_pump_work(struct work_struct *work);
void vsockdev_pump_receive(struct vsockdev_conn *conn, const void *payload,
			   u32 len);

#endif /* VSOCKDEV_PUMP_H */
