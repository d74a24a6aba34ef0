/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - the work item of a connection
 */
#ifndef VSOCKDEV_PUMP_H
#define VSOCKDEV_PUMP_H

#include <linux/types.h>

struct work_struct;

void vsockdev_pump_work(struct work_struct *work);

#endif /* VSOCKDEV_PUMP_H */
