/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - the owner's event stream
 */
#ifndef VSOCKDEV_EVENT_H
#define VSOCKDEV_EVENT_H

#include <linux/list.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <linux/vsockdev.h>

struct iov_iter;
struct kiocb;

/* What the first version had, and what there may be one day */
#define VSOCKDEV_EVENT_SIZE_MIN	64
#define VSOCKDEV_EVENT_SIZE_MAX	256

/**
 * struct vsockdev_event_slot - room for one event of one object
 * @node: in the stream while the event is unread
 * @record: what read() will return
 * @seen: a reader has begun to copy it out: it cannot be taken back
 */
struct vsockdev_event_slot {
	struct list_head node;
	struct vsockdev_event record;
	bool seen;
};

/**
 * struct vsockdev_stream - unread events in the order of their occurrence
 * @lock: the device's lock; guards all that follows
 * @pending: slots
 * @held: slots that nobody may see yet
 * @holding: what is posted goes to @held
 * @wait: readers and pollers
 * @seq: of the last event
 * @epoch: counts the owners, so that a reader notices when its time is over
 * @record_size: bytes of a record as the owner wants it
 * @closed: 0, or the negative errno that readers get when @pending is empty
 * @reading: a reader of this owner is between the copy and the list. It is no
 *	lock, as the copy may never end, and the next owner has readers, too
 * @consumed: told, under @lock, that a slot was read
 */
struct vsockdev_stream {
	/* The device's: guards all fields */
	spinlock_t *lock;
	struct list_head pending;
	struct list_head held;
	bool holding;
	wait_queue_head_t wait;
	u64 seq;
	u32 epoch;
	u32 record_size;
	int closed;
	bool reading;
	void (*consumed)(struct vsockdev_stream *stream,
			 struct vsockdev_event_slot *slot);
};

void vsockdev_stream_init(struct vsockdev_stream *stream, spinlock_t *lock,
			  void (*consumed)(struct vsockdev_stream *stream,
					   struct vsockdev_event_slot *slot));
void vsockdev_stream_open(struct vsockdev_stream *stream, u32 record_size);
void vsockdev_stream_close(struct vsockdev_stream *stream, int error);
void vsockdev_stream_hold(struct vsockdev_stream *stream);
void vsockdev_stream_release(struct vsockdev_stream *stream);

void vsockdev_event_init(struct vsockdev_event_slot *slot);
bool vsockdev_event_pending(const struct vsockdev_event_slot *slot);
void vsockdev_event_post(struct vsockdev_stream *stream,
			 struct vsockdev_event_slot *slot, u32 type);
void vsockdev_event_drop(struct vsockdev_event_slot *slot);

ssize_t vsockdev_stream_read(struct vsockdev_stream *stream,
			     struct kiocb *iocb, struct iov_iter *to);
__poll_t vsockdev_stream_poll(struct vsockdev_stream *stream);

#endif /* VSOCKDEV_EVENT_H */
