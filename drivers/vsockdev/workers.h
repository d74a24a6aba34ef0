/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - work queues
 */
#ifndef VSOCKDEV_WORKERS_H
#define VSOCKDEV_WORKERS_H

#include <linux/workqueue.h>

/* For what never waits for a program */
extern struct workqueue_struct *vsockdev_wq;

/* Likewise, for what an interrupt asks for, ahead of programs */
extern struct workqueue_struct *vsockdev_high_wq;

struct file;

int vsockdev_worker_get(void);
void vsockdev_worker_put(int place);
struct workqueue_struct *vsockdev_worker_wq(int place, bool hurried);
void vsockdev_worker_fput(struct file *file);

int vsockdev_workers_init(void);
void vsockdev_workers_exit(void);

#endif /* VSOCKDEV_WORKERS_H */
