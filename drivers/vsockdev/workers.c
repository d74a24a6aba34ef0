// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - work queues
 *
 * DOC: What an interrupt asks for runs ahead of programs, so that a packet of a
 * few bytes does not wait until one that computes, or writes bulk, has had its
 * share of the CPU. All work runs on the CPU that queued it: a worker more there
 * is woken only if one sleeps, and caches are warm.
 *
 * A pump may wait for a program for ever, and is then one of the items
 * that its work queue has under way on that CPU, of which there is a maximum.
 * Woken again meanwhile, it is one more of them, which waits for the first.
 * Would more pumps than that share a queue, programs could bring all of them to
 * a stop. So each pump has a place, and there are half as many places in a queue
 * as items that it can have under way. Queues are made when the first place in
 * them is taken and stay until the module goes.
 *
 * A place is one in two queues, the other of high priority, for a pump that has
 * a turn to lose. A pump may be under way in both, and on several CPUs; all but
 * one of them wait for io_mutex then.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/mutex.h>
#include <linux/sched.h>

#include "compat.h"
#include "workers.h"

#define MAX_ACTIVE		512
/* Of a pump that is stuck, one item runs and one waits */
#define PLACES_PER_QUEUE	(MAX_ACTIVE / 2)
#define QUEUES			512

struct workqueue_struct *vsockdev_wq;
struct workqueue_struct *vsockdev_high_wq;

/* Guards the making of queues; a queue that a place refers to stays */
static DEFINE_MUTEX(pump_queues_mutex);
static struct workqueue_struct *pump_queues[QUEUES];
static struct workqueue_struct *hurried_queues[QUEUES];
static DEFINE_IDA(places);

static int make_queue(struct workqueue_struct **queues, int index,
		      const char *name, unsigned int flags)
{
	struct workqueue_struct *wq;

	lockdep_assert_held(&pump_queues_mutex);

	if (queues[index])
		return 0;
	wq = alloc_workqueue("vsockdev_%s%d",
			     VSOCKDEV_COMPAT_WQ_PERCPU | flags,
			     MAX_ACTIVE, name, index);
	if (!wq)
		return -ENOMEM;
	WRITE_ONCE(queues[index], wq);
	return 0;
}

static int make_queues(int index)
{
	int ret;

	mutex_lock(&pump_queues_mutex);
	ret = make_queue(pump_queues, index, "pump", 0);
	if (!ret)
		ret = make_queue(hurried_queues, index, "hurried",
				 WQ_HIGHPRI);
	mutex_unlock(&pump_queues_mutex);
	return ret;
}

/**
 * vsockdev_worker_get() - take a place for a pump
 *
 * Context: may sleep.
 * Return: the place, or -ENOMEM, or -ENOBUFS if there is none.
 */
int vsockdev_worker_get(void)
{
	int place = ida_alloc_max(&places, QUEUES * PLACES_PER_QUEUE - 1,
				  GFP_KERNEL);
	int ret;

	if (place < 0)
		return place == -ENOSPC ? -ENOBUFS : place;
	ret = make_queues(place / PLACES_PER_QUEUE);
	if (ret) {
		ida_free(&places, place);
		return ret;
	}
	return place;
}

/**
 * vsockdev_worker_put() - give a place back
 * @place: of a pump that is not queued any more; it may still be returning
 */
void vsockdev_worker_put(int place)
{
	ida_free(&places, place);
}

/**
 * vsockdev_worker_wq() - a queue that a place is in
 * @place: from vsockdev_worker_get()
 * @hurried: the one of high priority
 *
 * Return: the work queue.
 */
struct workqueue_struct *vsockdev_worker_wq(int place, bool hurried)
{
	struct workqueue_struct **queues;

	queues = hurried ? hurried_queues : pump_queues;
	return READ_ONCE(queues[place / PLACES_PER_QUEUE]);
}

/**
 * vsockdev_worker_fput() - give a program's file back
 * @file: the file
 *
 * The last reference may be ours, and closing takes as long then as the file,
 * or the SO_LINGER of a socket, says. A worker that leaves that to others
 * leaves it to one worker for the whole system, so it closes the file itself.
 */
void vsockdev_worker_fput(struct file *file)
{
	if (current->flags & PF_KTHREAD)
		__fput_sync(file);
	else
		fput(file);
}

/**
 * vsockdev_workers_init() - make what there must be from the start
 *
 * Return: 0 or -ENOMEM.
 */
int vsockdev_workers_init(void)
{
	vsockdev_wq = alloc_workqueue("vsockdev", VSOCKDEV_COMPAT_WQ_PERCPU, 0);
	if (!vsockdev_wq)
		return -ENOMEM;
	vsockdev_high_wq = alloc_workqueue("vsockdev_high",
					   VSOCKDEV_COMPAT_WQ_PERCPU |
					   WQ_HIGHPRI, 0);
	if (!vsockdev_high_wq) {
		destroy_workqueue(vsockdev_wq);
		return -ENOMEM;
	}
	return 0;
}

/**
 * vsockdev_workers_exit() - wait for all work to return, and free the queues
 */
void vsockdev_workers_exit(void)
{
	int i;

	/* What runs there may queue a pump, but no pump has a socket any more */
	destroy_workqueue(vsockdev_wq);
	destroy_workqueue(vsockdev_high_wq);
	for (i = 0; i < QUEUES; i++) {
		if (pump_queues[i])
			destroy_workqueue(pump_queues[i]);
		if (hurried_queues[i])
			destroy_workqueue(hurried_queues[i]);
	}
	ida_destroy(&places);
}
