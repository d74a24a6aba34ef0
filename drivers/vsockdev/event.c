// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - the owner's event stream
 *
 * DOC: Reporting an event must not fail and must not let the host make the
 * driver allocate. So each object that can report something contains the
 * slots for all it can have unread at a time, and posting one only links it.
 *
 * A reader copies a record to the user first and takes the slot off the list
 * afterwards, as a copy can fault and the event must not be lost then. In
 * between the lock is not held and the object may withdraw the event, or be
 * freed. The reader therefore works on a copy of the record and recognises
 * the slot again by its sequence number: new events only ever go to the end,
 * so the first slot is either still the one it copied or that one is gone.
 */
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/uio.h>

#include "event.h"

/**
 * vsockdev_stream_init() - set up a stream that nobody may read yet
 * @stream: the stream
 * @lock: guards it
 * @consumed: see struct vsockdev_stream
 */
void vsockdev_stream_init(struct vsockdev_stream *stream, spinlock_t *lock,
			  void (*consumed)(struct vsockdev_stream *stream,
					   struct vsockdev_event_slot *slot))
{
	stream->lock = lock;
	INIT_LIST_HEAD(&stream->pending);
	INIT_LIST_HEAD(&stream->held);
	init_waitqueue_head(&stream->wait);
	stream->record_size = VSOCKDEV_EVENT_SIZE_MIN;
	stream->closed = -EPERM;
	stream->consumed = consumed;
}

/**
 * vsockdev_stream_open() - let a new owner read; the stream is empty
 * @stream: the stream
 * @record_size: as agreed with the owner
 */
void vsockdev_stream_open(struct vsockdev_stream *stream, u32 record_size)
{
	lockdep_assert_held(stream->lock);
	WARN_ON_ONCE(!list_empty(&stream->pending));
	WARN_ON_ONCE(!list_empty(&stream->held));

	stream->holding = false;
	stream->record_size = record_size;
	stream->reading = false;
	stream->closed = 0;
}

/**
 * vsockdev_stream_close() - end the time of this owner
 * @stream: the stream
 * @error: negative errno for those who read from now on. -ENODEV is final;
 *	with any other, readers that wait now are woken with -EPIPE
 */
void vsockdev_stream_close(struct vsockdev_stream *stream, int error)
{
	lockdep_assert_held(stream->lock);

	if (error != -ENODEV)
		stream->epoch++;
	stream->closed = error;
	wake_up_interruptible_all(&stream->wait);
}

/**
 * vsockdev_stream_hold() - keep back what is posted from now on
 * @stream: the stream
 */
void vsockdev_stream_hold(struct vsockdev_stream *stream)
{
	lockdep_assert_held(stream->lock);

	stream->holding = true;
}

/**
 * vsockdev_stream_release() - let readers see what was kept back
 * @stream: the stream, holding or not
 */
void vsockdev_stream_release(struct vsockdev_stream *stream)
{
	lockdep_assert_held(stream->lock);

	stream->holding = false;
	if (list_empty(&stream->held))
		return;
	list_splice_tail_init(&stream->held, &stream->pending);
	wake_up_interruptible_poll(&stream->wait, EPOLLIN | EPOLLRDNORM);
}

/**
 * vsockdev_event_init() - set up a slot with nothing in it
 * @slot: the slot
 */
void vsockdev_event_init(struct vsockdev_event_slot *slot)
{
	INIT_LIST_HEAD(&slot->node);
}

/**
 * vsockdev_event_pending() - tells whether an event is unread
 * @slot: of the event
 *
 * Return: true if so.
 */
bool vsockdev_event_pending(const struct vsockdev_event_slot *slot)
{
	return !list_empty(&slot->node);
}

/**
 * vsockdev_event_post() - report an event
 * @stream: to whom
 * @slot: its record is filled in except for type, seq and time
 * @type: enum vsockdev_event_type
 *
 * Context: under the stream's lock; allocates nothing.
 */
void vsockdev_event_post(struct vsockdev_stream *stream,
			 struct vsockdev_event_slot *slot, u32 type)
{
	lockdep_assert_held(stream->lock);
	WARN_ON_ONCE(vsockdev_event_pending(slot));

	slot->record.type = type;
	slot->record.seq = ++stream->seq;
	slot->record.time_ns = ktime_get_ns();
	slot->seen = false;
	if (stream->holding) {
		list_add_tail(&slot->node, &stream->held);
		return;
	}
	list_add_tail(&slot->node, &stream->pending);
	wake_up_interruptible_poll(&stream->wait, EPOLLIN | EPOLLRDNORM);
}

/**
 * vsockdev_event_drop() - take back an event if it is unread
 * @slot: of the event
 *
 * Context: under the stream's lock.
 */
void vsockdev_event_drop(struct vsockdev_event_slot *slot)
{
	list_del_init(&slot->node);
}

/*
 * Begins to read if there is something to do or to learn, and no other reader
 * of this owner is at it. Whose time is over needs no turn to learn that.
 */
static bool stream_begin(struct vsockdev_stream *stream, u32 epoch)
{
	bool turn;

	spin_lock(stream->lock);
	turn = stream->epoch != epoch;
	if (!turn && !stream->reading &&
	    (!list_empty(&stream->pending) || stream->closed)) {
		stream->reading = true;
		turn = true;
	}
	spin_unlock(stream->lock);
	return turn;
}

/* Lets the next reader begin */
static void stream_end(struct vsockdev_stream *stream, u32 epoch)
{
	spin_lock(stream->lock);
	if (stream->epoch == epoch) {
		stream->reading = false;
		if (!list_empty(&stream->pending) || stream->closed)
			wake_up_interruptible_poll(&stream->wait,
						   EPOLLIN | EPOLLRDNORM);
	}
	spin_unlock(stream->lock);
}

/* Copies the first record. Returns 1, 0 if there is none, or an errno */
static int stream_peek(struct vsockdev_stream *stream, u32 epoch,
		       struct vsockdev_event *record, u32 *size)
{
	struct vsockdev_event_slot *slot;
	int ret = 0;

	spin_lock(stream->lock);
	slot = list_first_entry_or_null(&stream->pending,
					struct vsockdev_event_slot, node);
	if (stream->epoch != epoch) {
		ret = -EPIPE;
	} else if (slot) {
		slot->seen = true;
		*record = slot->record;
		*size = stream->record_size;
		ret = 1;
	} else {
		ret = stream->closed;
	}
	spin_unlock(stream->lock);
	return ret;
}

static void stream_consume(struct vsockdev_stream *stream, u64 seq)
{
	struct vsockdev_event_slot *slot;

	spin_lock(stream->lock);
	slot = list_first_entry_or_null(&stream->pending,
					struct vsockdev_event_slot, node);
	if (slot && slot->record.seq == seq) {
		list_del_init(&slot->node);
		stream->consumed(stream, slot);
	}
	spin_unlock(stream->lock);
}

/* All or nothing: @to is where it was if this returns false */
static bool copy_record(const struct vsockdev_event *record, u32 size,
			struct iov_iter *to)
{
	size_t known = min_t(size_t, size, sizeof(*record));
	size_t done = copy_to_iter(record, known, to);

	if (done == known)
		done += iov_iter_zero(size - known, to);
	if (done == size)
		return true;
	iov_iter_revert(to, done);
	return false;
}

/* Copies out as many records as fit and are there. Returns bytes or errno */
static ssize_t stream_copy(struct vsockdev_stream *stream, u32 epoch,
			   struct iov_iter *to)
{
	struct vsockdev_event record;
	ssize_t copied = 0;
	u32 size;
	int ret;

	for (;;) {
		ret = stream_peek(stream, epoch, &record, &size);
		if (ret <= 0)
			break;
		ret = copied ? 0 : -EINVAL;
		if (iov_iter_count(to) < size)
			break;
		ret = -EFAULT;
		if (!copy_record(&record, size, to))
			break;
		stream_consume(stream, record.seq);
		copied += size;
	}
	return copied ?: ret;
}

/* The part of a read that does not depend on what is in the stream */
static int stream_enter(struct vsockdev_stream *stream, size_t space,
			u32 *epoch)
{
	int ret;

	spin_lock(stream->lock);
	*epoch = stream->epoch;
	if (stream->closed && list_empty(&stream->pending))
		ret = stream->closed;
	else
		ret = space < stream->record_size ? -EINVAL : 0;
	spin_unlock(stream->lock);
	return ret;
}

/**
 * vsockdev_stream_read() - read_iter of the owner's file
 * @stream: the stream
 * @iocb: of the call
 * @to: where records go
 *
 * Context: may sleep, until a signal at most.
 * Return: bytes, or an errno as listed in <linux/vsockdev.h>.
 */
ssize_t vsockdev_stream_read(struct vsockdev_stream *stream,
			     struct kiocb *iocb, struct iov_iter *to)
{
	bool nonblock = (iocb->ki_filp->f_flags & O_NONBLOCK) ||
			(iocb->ki_flags & IOCB_NOWAIT);
	ssize_t ret;
	u32 epoch;

	ret = stream_enter(stream, iov_iter_count(to), &epoch);
	if (ret)
		return ret;

	do {
		if (nonblock)
			ret = stream_begin(stream, epoch) ? 0 : -EAGAIN;
		else
			ret = wait_event_interruptible(stream->wait,
						       stream_begin(stream,
								    epoch));
		if (ret)
			return ret;
		ret = stream_copy(stream, epoch, to);
		stream_end(stream, epoch);
		/* What there was may have been taken back: then wait again */
	} while (!ret && !nonblock);

	return ret ?: -EAGAIN;
}

/**
 * vsockdev_stream_poll() - what poll() of the owner's file says
 * @stream: the stream; the caller has put itself on its wait queue
 *
 * Return: EPOLL* bits.
 */
__poll_t vsockdev_stream_poll(struct vsockdev_stream *stream)
{
	__poll_t mask = 0;

	spin_lock(stream->lock);
	if (!list_empty(&stream->pending))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (stream->closed == -ENODEV)
		mask |= EPOLLHUP | EPOLLERR;
	spin_unlock(stream->lock);
	return mask;
}
