// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - the owner's event stream
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched/task.h>
#include <linux/uio.h>

#include "event.h"
#include "kunit.h"

#define SLOTS	16

/**
 * struct stage - a stream, its slots, and what a reader should find
 * @lock: of the stream
 * @stream: the stream
 * @slots: with a number in each record, to tell one from another
 * @file: that the stream is read through
 * @consumed: number in the slot that was consumed last, -1 if none was
 */
struct stage {
	/* Guards the stream, as its device's would */
	spinlock_t lock;
	struct vsockdev_stream stream;
	struct vsockdev_event_slot slots[SLOTS];
	struct file *file;
	int consumed;
};

static const struct file_operations stage_fops = {
	.owner = THIS_MODULE,
};

static void note_consumed(struct vsockdev_stream *stream,
			  struct vsockdev_event_slot *slot)
{
	struct stage *stage = container_of(stream, struct stage, stream);

	stage->consumed = slot->record.conn_id;
}

static void open_stream(struct stage *stage, u32 size)
{
	spin_lock(&stage->lock);
	vsockdev_stream_open(&stage->stream, size);
	spin_unlock(&stage->lock);
}

static void close_stream(struct stage *stage, int error)
{
	spin_lock(&stage->lock);
	vsockdev_stream_close(&stage->stream, error);
	spin_unlock(&stage->lock);
}

static void post(struct stage *stage, int slot)
{
	spin_lock(&stage->lock);
	vsockdev_event_post(&stage->stream, &stage->slots[slot],
			    VSOCKDEV_EVENT_REQUEST);
	spin_unlock(&stage->lock);
}

static void drop(struct stage *stage, int slot)
{
	spin_lock(&stage->lock);
	vsockdev_event_drop(&stage->slots[slot]);
	spin_unlock(&stage->lock);
}

static void hold(struct stage *stage)
{
	spin_lock(&stage->lock);
	vsockdev_stream_hold(&stage->stream);
	spin_unlock(&stage->lock);
}

static void release(struct stage *stage)
{
	spin_lock(&stage->lock);
	vsockdev_stream_release(&stage->stream);
	spin_unlock(&stage->lock);
}

static bool pending(struct stage *stage, int slot)
{
	bool pending;

	spin_lock(&stage->lock);
	pending = vsockdev_event_pending(&stage->slots[slot]);
	spin_unlock(&stage->lock);
	return pending;
}

static ssize_t read_bytes(struct stage *stage, void *to, size_t len)
{
	struct kvec vec = { .iov_base = to, .iov_len = len };
	struct iov_iter iter;
	struct kiocb iocb;

	init_sync_kiocb(&iocb, stage->file);
	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, len);
	return vsockdev_stream_read(&stage->stream, &iocb, &iter);
}

/* Returns the number in the slot, or an errno */
static int read_one(struct stage *stage, struct vsockdev_event *event)
{
	ssize_t ret = read_bytes(stage, event, sizeof(*event));

	return ret == sizeof(*event) ? event->conn_id : ret;
}

static bool polls(struct stage *stage, __poll_t mask)
{
	return vsockdev_stream_poll(&stage->stream) == mask;
}

static int event_init(struct kunit *test)
{
	struct stage *stage = kunit_kzalloc(test, sizeof(*stage), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, stage);
	spin_lock_init(&stage->lock);
	vsockdev_stream_init(&stage->stream, &stage->lock, note_consumed);
	for (i = 0; i < SLOTS; i++) {
		vsockdev_event_init(&stage->slots[i]);
		stage->slots[i].record.conn_id = i;
	}
	stage->consumed = -1;
	stage->file = anon_inode_getfile("vsockdev_kunit", &stage_fops, NULL,
					 O_RDWR | O_NONBLOCK);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, stage->file);
	test->priv = stage;
	return 0;
}

static void event_exit(struct kunit *test)
{
	struct stage *stage = test->priv;

	if (stage)
		__fput_sync(stage->file);
}

static void event_nobody_reads_before_start(struct kunit *test)
{
	struct stage *stage = test->priv;
	struct vsockdev_event event;

	KUNIT_EXPECT_EQ(test, read_one(stage, &event), -EPERM);
	open_stream(stage, 64);
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), -EAGAIN);
}

static void event_order(struct kunit *test)
{
	static const int order[] = { 5, 0, 15, 7, 1 };
	struct stage *stage = test->priv;
	struct vsockdev_event event;
	u64 seq = 0, time = 0;
	unsigned int i;

	open_stream(stage, 64);
	for (i = 0; i < ARRAY_SIZE(order); i++)
		post(stage, order[i]);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		KUNIT_EXPECT_TRUE(test, pending(stage, order[i]));
		KUNIT_EXPECT_EQ(test, read_one(stage, &event), order[i]);
		KUNIT_EXPECT_EQ(test, stage->consumed, order[i]);
		KUNIT_EXPECT_FALSE(test, pending(stage, order[i]));
		KUNIT_EXPECT_GT(test, event.seq, seq);
		KUNIT_EXPECT_GE(test, event.time_ns, time);
		seq = event.seq;
		time = event.time_ns;
	}
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), -EAGAIN);
}

static void event_as_many_as_fit(struct kunit *test)
{
	struct stage *stage = test->priv;
	struct vsockdev_event events[4];
	int i;

	open_stream(stage, 64);
	for (i = 0; i < 5; i++)
		post(stage, i);
	KUNIT_EXPECT_EQ(test, read_bytes(stage, events, 63), -EINVAL);
	KUNIT_EXPECT_EQ(test, read_bytes(stage, events, 64 * 4 - 1), 64 * 3);
	KUNIT_EXPECT_EQ(test, events[2].conn_id, 2);
	KUNIT_EXPECT_EQ(test, read_bytes(stage, events, 64 * 4), 64 * 2);
	KUNIT_EXPECT_EQ(test, events[0].conn_id, 3);
	KUNIT_EXPECT_EQ(test, events[1].conn_id, 4);
}

/* A later owner may want larger records: what it does not know is zero */
static void event_record_size(struct kunit *test)
{
	struct stage *stage = test->priv;
	u8 bytes[256];

	open_stream(stage, 128);
	post(stage, 3);
	memset(bytes, 0xa5, sizeof(bytes));
	KUNIT_EXPECT_EQ(test, read_bytes(stage, bytes, 127), -EINVAL);
	KUNIT_EXPECT_EQ(test, read_bytes(stage, bytes, 255), 128);
	KUNIT_EXPECT_EQ(test, ((struct vsockdev_event *)bytes)->conn_id, 3);
	KUNIT_EXPECT_NULL(test, memchr_inv(bytes + 64, 0, 64));
	KUNIT_EXPECT_NULL(test, memchr_inv(bytes + 128, 0xa5, 128));
}

/* A record that could not be copied out is still there */
static void event_fault_loses_nothing(struct kunit *test)
{
	struct stage *stage = test->priv;
	struct vsockdev_event event;
	struct iov_iter iter;
	struct kiocb iocb;

	open_stream(stage, 64);
	post(stage, 9);
	init_sync_kiocb(&iocb, stage->file);
	iov_iter_ubuf(&iter, ITER_DEST, (void __user *)~0xfffUL, 64);
	KUNIT_EXPECT_EQ(test, vsockdev_stream_read(&stage->stream, &iocb,
						   &iter), -EFAULT);
	KUNIT_EXPECT_EQ(test, stage->consumed, -1);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), 64);
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), 9);
}

static void event_withdrawal(struct kunit *test)
{
	struct stage *stage = test->priv;
	struct vsockdev_event event;

	open_stream(stage, 64);
	post(stage, 0);
	post(stage, 1);
	post(stage, 2);
	drop(stage, 1);
	drop(stage, 1);
	KUNIT_EXPECT_FALSE(test, pending(stage, 1));
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), 0);
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), 2);
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), -EAGAIN);
	post(stage, 1);
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), 1);
}

static void event_hold(struct kunit *test)
{
	struct stage *stage = test->priv;
	struct vsockdev_event event;

	open_stream(stage, 64);
	post(stage, 0);
	hold(stage);
	post(stage, 1);
	post(stage, 2);
	post(stage, 3);
	drop(stage, 2);
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), 0);
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, polls(stage, 0));
	release(stage);
	KUNIT_EXPECT_TRUE(test, polls(stage, EPOLLIN | EPOLLRDNORM));
	post(stage, 4);
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), 1);
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), 3);
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), 4);
	release(stage);
}

/* The device is gone for good: what is unread can be read all the same */
static void event_gone(struct kunit *test)
{
	struct stage *stage = test->priv;
	struct vsockdev_event event;

	open_stream(stage, 64);
	post(stage, 0);
	close_stream(stage, -ENODEV);
	KUNIT_EXPECT_TRUE(test, polls(stage, EPOLLIN | EPOLLRDNORM | EPOLLHUP |
				      EPOLLERR));
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), 0);
	KUNIT_EXPECT_EQ(test, read_one(stage, &event), -ENODEV);
	KUNIT_EXPECT_TRUE(test, polls(stage, EPOLLHUP | EPOLLERR));
}

struct waiter {
	struct stage *stage;
	struct task_struct *task;
	struct vsockdev_event event;
	ssize_t ret;
};

static int wait_and_read(void *data)
{
	struct waiter *waiter = data;

	waiter->ret = read_bytes(waiter->stage, &waiter->event,
				 sizeof(waiter->event));
	return 0;
}

/* A thread that waits in a read */
static void start_waiter(struct kunit *test, struct waiter *waiter)
{
	struct stage *stage = test->priv;

	waiter->stage = stage;
	stage->file->f_flags &= ~O_NONBLOCK;
	waiter->task = kthread_create(wait_and_read, waiter, "vsockdev_kunit");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, waiter->task);
	get_task_struct(waiter->task);
	wake_up_process(waiter->task);
	/* Looked at again and again, so it needs no barrier */
	while (!waitqueue_active(&stage->stream.wait))
		schedule_timeout_uninterruptible(1);
}

/* Also after it has ended by itself */
static void join_waiter(struct waiter *waiter)
{
	kthread_stop(waiter->task);
	put_task_struct(waiter->task);
}

static void event_wakes_who_waits(struct kunit *test)
{
	struct stage *stage = test->priv;
	struct waiter waiter;

	open_stream(stage, 64);
	start_waiter(test, &waiter);
	post(stage, 6);
	join_waiter(&waiter);
	KUNIT_EXPECT_EQ(test, waiter.ret, 64);
	KUNIT_EXPECT_EQ(test, waiter.event.conn_id, 6);
}

/* STOP: who waits learns that its time is over, even if START comes at once */
static void event_wakes_with_epipe(struct kunit *test)
{
	struct stage *stage = test->priv;
	struct waiter waiter;

	open_stream(stage, 64);
	start_waiter(test, &waiter);
	spin_lock(&stage->lock);
	vsockdev_stream_close(&stage->stream, -EPERM);
	vsockdev_stream_open(&stage->stream, 64);
	vsockdev_event_post(&stage->stream, &stage->slots[0],
			    VSOCKDEV_EVENT_REQUEST);
	spin_unlock(&stage->lock);
	join_waiter(&waiter);
	KUNIT_EXPECT_EQ(test, waiter.ret, -EPIPE);
	KUNIT_EXPECT_TRUE(test, pending(stage, 0));
}

/* Random posts, drops, reads, holds and releases beside two plain queues */
struct event_model {
	int pending[SLOTS];
	int held[SLOTS];
	int pending_count;
	int held_count;
	bool holding;
	unsigned int reads;
};

static bool queue_has(const int *queue, int count, int slot)
{
	while (count--)
		if (queue[count] == slot)
			return true;
	return false;
}

static void queue_drop(int *queue, int *count, int slot)
{
	int from, to = 0;

	for (from = 0; from < *count; from++)
		if (queue[from] != slot)
			queue[to++] = queue[from];
	*count = to;
}

static void model_post(struct event_model *model, struct stage *stage,
		       int slot)
{
	if (queue_has(model->pending, model->pending_count, slot) ||
	    queue_has(model->held, model->held_count, slot))
		return;
	post(stage, slot);
	if (model->holding)
		model->held[model->held_count++] = slot;
	else
		model->pending[model->pending_count++] = slot;
}

static void model_drop(struct event_model *model, struct stage *stage,
		       int slot)
{
	drop(stage, slot);
	queue_drop(model->pending, &model->pending_count, slot);
	queue_drop(model->held, &model->held_count, slot);
}

static void model_release(struct event_model *model, struct stage *stage)
{
	release(stage);
	memcpy(model->pending + model->pending_count, model->held,
	       model->held_count * sizeof(int));
	model->pending_count += model->held_count;
	model->held_count = 0;
	model->holding = false;
}

static bool model_read(struct event_model *model, struct stage *stage)
{
	struct vsockdev_event event;
	int expected = model->pending_count ? model->pending[0] : -EAGAIN;

	if (read_one(stage, &event) != expected)
		return false;
	if (expected >= 0) {
		queue_drop(model->pending, &model->pending_count, expected);
		model->reads++;
	}
	return expected < 0 || stage->consumed == expected;
}

static void event_agrees_with_model(struct kunit *test)
{
	struct event_model model = {};
	struct stage *stage = test->priv;
	u64 state = kunit_random(test);
	unsigned int i;

	open_stream(stage, 64);
	for (i = 0; i < kunit_steps; i++) {
		int slot = random_below(&state, SLOTS);
		u32 choice = random_below(&state, 64);

		if (choice < 28) {
			model_post(&model, stage, slot);
		} else if (choice < 36) {
			model_drop(&model, stage, slot);
		} else if (choice < 38) {
			hold(stage);
			model.holding = true;
		} else if (choice < 42) {
			model_release(&model, stage);
		} else if (!model_read(&model, stage)) {
			KUNIT_FAIL_AND_ABORT(test, "step %u", i);
		}
		if (!(i % 65536))
			cond_resched();
	}
	KUNIT_EXPECT_GT(test, model.reads, kunit_steps / 10);
}

static struct kunit_case event_tests[] = {
	KUNIT_CASE(event_nobody_reads_before_start),
	KUNIT_CASE(event_order),
	KUNIT_CASE(event_as_many_as_fit),
	KUNIT_CASE(event_record_size),
	KUNIT_CASE(event_fault_loses_nothing),
	KUNIT_CASE(event_withdrawal),
	KUNIT_CASE(event_hold),
	KUNIT_CASE(event_gone),
	KUNIT_CASE(event_wakes_who_waits),
	KUNIT_CASE(event_wakes_with_epipe),
	KUNIT_CASE(event_agrees_with_model),
	{}
};

static struct kunit_suite event_suite = {
	.name = "vsockdev_event",
	.init = event_init,
	.exit = event_exit,
	.test_cases = event_tests,
};

kunit_test_suite(event_suite);
