/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - what is sent next
 */
#ifndef VSOCKDEV_SCHED_H
#define VSOCKDEV_SCHED_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <linux/vsockdev.h>

struct vsockdev;
struct vsockdev_conn;
struct vsockdev_frame;

/* RSTs that can wait for a place in the TX queue */
#define VSOCKDEV_REPLIES	64

/**
 * struct vsockdev_reply - an RST that belongs to no connection
 * @addr: whom it goes to
 * @type: socket type to name
 */
struct vsockdev_reply {
	struct vsockdev_addr addr;
	u16 type;
};

/**
 * struct vsockdev_sched - everything that waits for the TX queue
 * @replies: a ring buffer of RSTs to unknown addresses
 * @reply_first: first entry of @replies
 * @reply_count: entries of @replies
 * @control: connections with control packets to send, in order
 * @active: connections with data frames to send, in turn
 * @blocked: connections that wait for credit
 * @corked: number of connections that wait for their last packet to be sent
 * @crowded: number of connections that have their share of the TX queue
 * @passed_over: data waits, and control packets were sent since the last of it
 * @full: data was left when the TX queue was filled last
 * @sender: id of the connection that has sent data last
 * @moving: frames came back since @tidy_work looked last
 * @overdue: they did not: each of so many interrupts for the TX queue is to
 *	come at the next packet
 * @tidy_work: looks whether what is in the TX queue has been there for long
 * @done: frames that the device has returned, to be freed
 * @ask_work: sends CREDIT_REQUESTs for @blocked
 * @ask_next: jiffies when @ask_work will run
 *
 * Guarded by the device's lock.
 */
struct vsockdev_sched {
	struct vsockdev_reply replies[VSOCKDEV_REPLIES];
	u32 reply_first;
	u32 reply_count;
	struct list_head control;
	struct list_head active;
	struct list_head blocked;
	u32 corked;
	u32 crowded;
	bool passed_over;
	bool full;
	u64 sender;
	bool moving;
	u32 overdue;
	struct delayed_work tidy_work;
	struct list_head done;
	struct delayed_work ask_work;
	unsigned long ask_next;
};

void vsockdev_sched_init(struct vsockdev *vd);
void vsockdev_sched_activate(struct vsockdev_conn *conn);
void vsockdev_sched_stage(struct vsockdev_conn *conn,
			  struct vsockdev_frame *frame);
void vsockdev_sched_returned(struct vsockdev *vd, struct list_head *frames);
void vsockdev_sched_reclaim(struct vsockdev *vd);
void vsockdev_sched_interrupted(struct vsockdev *vd);
void vsockdev_sched_cork(struct vsockdev_conn *conn);
u32 vsockdev_sched_cut(struct vsockdev_conn *conn);
bool vsockdev_sched_split(struct vsockdev_conn *conn,
			  struct vsockdev_frame *head);
void vsockdev_sched_drop_data(struct vsockdev_conn *conn);

/* control.c: packets without data */
bool vsockdev_sched_reply_room(const struct vsockdev *vd);
void vsockdev_sched_reply(struct vsockdev *vd,
			  const struct vsockdev_addr *addr, u16 type);
void vsockdev_sched_control(struct vsockdev_conn *conn, u32 packets);
void vsockdev_sched_forget(struct vsockdev_conn *conn);
void vsockdev_sched_clear(struct vsockdev *vd);
bool vsockdev_sched_packet(struct vsockdev_conn *conn, u16 op, u32 flags,
			   struct vsockdev_frame *frame);
bool vsockdev_sched_run_control(struct vsockdev *vd);

/* ask.c: connections that wait for credit */
void vsockdev_sched_block(struct vsockdev_conn *conn);
void vsockdev_sched_unblock(struct vsockdev_conn *conn);
void vsockdev_sched_init_asking(struct vsockdev *vd);

#endif /* VSOCKDEV_SCHED_H */
