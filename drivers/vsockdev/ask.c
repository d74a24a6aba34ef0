// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - connections that wait for credit
 *
 * DOC: Part of the scheduler, see sched.c. A connection that ran out of credit
 * asks the peer for it at once, since there are devices that tell of room only
 * when asked, and again at growing intervals, since the answer may be that
 * there is none.
 *
 * All functions here are called under the device's lock unless they say
 * otherwise.
 */
#include <linux/jiffies.h>

#include "conn.h"
#include "device.h"
#include "workers.h"

#define ASK_DELAY_MIN	msecs_to_jiffies(8)
#define ASK_DELAY_MAX	HZ

/* Sends a CREDIT_REQUEST if it is time */
static void ask(struct vsockdev_conn *conn)
{
	if (time_before(jiffies, conn->ask_at))
		return;
	conn->ask_delay = clamp_t(unsigned long, conn->ask_delay * 2,
				  ASK_DELAY_MIN, ASK_DELAY_MAX);
	conn->ask_at = jiffies + conn->ask_delay;
	vsockdev_sched_control(conn, VSOCKDEV_SEND_CREDIT_REQUEST);
}

/* Lets ask_work run in @delay, unless it will run before that anyway */
static void schedule_asking(struct vsockdev *vd, unsigned long delay)
{
	struct vsockdev_sched *sched = &vd->sched;

	if (delayed_work_pending(&sched->ask_work) &&
	    time_before_eq(sched->ask_next, jiffies + delay))
		return;
	sched->ask_next = jiffies + delay;
	mod_delayed_work(vsockdev_wq, &sched->ask_work, delay);
}

/**
 * vsockdev_sched_block() - a connection has bytes to send and may not
 * @conn: ESTABLISHED
 *
 * It asks for credit at once, unless it did so a moment ago.
 */
void vsockdev_sched_block(struct vsockdev_conn *conn)
{
	struct vsockdev *vd = conn->vd;

	lockdep_assert_held(&vd->lock);

	if (!list_empty(&conn->blocked_node) || !vd->ready)
		return;
	list_add_tail(&conn->blocked_node, &vd->sched.blocked);
	if (!conn->ask_delay)
		conn->ask_at = jiffies;
	ask(conn);
	schedule_asking(vd, conn->ask_delay);
}

/**
 * vsockdev_sched_unblock() - a connection does not wait for credit
 * @conn: the connection, blocked or not
 */
void vsockdev_sched_unblock(struct vsockdev_conn *conn)
{
	lockdep_assert_held(&conn->vd->lock);

	list_del_init(&conn->blocked_node);
	vsockdev_sched_activate(conn);
}

/* The answer may be on its way, or there was none. A small packet may pass */
static void ask_again(struct vsockdev_conn *conn)
{
	ask(conn);
	if (!vsockdev_credit_tx_space(&conn->credit))
		return;
	conn->tx_small_pass = true;
	vsockdev_sched_unblock(conn);
	vsockdev_conn_wake(conn);
}

static void ask_for_credit(struct work_struct *work)
{
	struct vsockdev *vd = container_of(to_delayed_work(work),
					   struct vsockdev, sched.ask_work);
	struct vsockdev_conn *conn, *next;
	unsigned long delay = ASK_DELAY_MAX;

	spin_lock(&vd->lock);
	list_for_each_entry_safe(conn, next, &vd->sched.blocked,
				 blocked_node) {
		if (time_after_eq(jiffies, conn->ask_at))
			ask_again(conn);
		/* Now it is in the future */
		delay = min(delay, conn->ask_at - jiffies);
	}
	if (!list_empty(&vd->sched.blocked) && vd->ready)
		schedule_asking(vd, delay);
	vsockdev_sched_unlock(vd);
}

/**
 * vsockdev_sched_init_asking() - nobody waits
 * @vd: the device
 */
void vsockdev_sched_init_asking(struct vsockdev *vd)
{
	INIT_LIST_HEAD(&vd->sched.blocked);
	INIT_DELAYED_WORK(&vd->sched.ask_work, ask_for_credit);
}
