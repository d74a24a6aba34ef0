// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - packets to be sent
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/skbuff.h>

#include "frame.h"
#include "kunit.h"

#define PAGES	8	/* contiguous */

struct frame_size {
	const char *name;
	u32 len;
	u32 room;	/* that a frame must have at least */
};

static const struct frame_size frame_sizes[] = {
	{ "nothing", 0, 0 },
	{ "one_byte", 1, 1 },
	{ "page", PAGE_SIZE, PAGE_SIZE },
	{ "page_and_one", PAGE_SIZE + 1, PAGE_SIZE / 2 },
	{ "largest", VSOCKDEV_PAYLOAD_MAX, PAGE_SIZE / 2 },
	{ "too_large", VSOCKDEV_PAYLOAD_MAX + 1, PAGE_SIZE / 2 },
	{ "all_ones", U32_MAX, PAGE_SIZE / 2 },
};

KUNIT_ARRAY_PARAM_DESC(frame_size, frame_sizes, name);

static void frame_alloc_room(struct kunit *test)
{
	const struct frame_size *param = test->param_value;
	struct vsockdev_frame *frame;

	frame = vsockdev_frame_alloc(param->len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, frame);
	KUNIT_EXPECT_LE(test, frame->room, param->len);
	KUNIT_EXPECT_LE(test, frame->room, VSOCKDEV_PAYLOAD_MAX);
	KUNIT_EXPECT_GE(test, frame->room, param->room);
	KUNIT_EXPECT_EQ(test, frame->len, 0);
	KUNIT_EXPECT_NULL(test, frame->owner);
	/* It is there: KASAN looks on */
	memset(frame->data, 0xa5, VSOCKDEV_HDR_LEN + frame->room);
	vsockdev_frame_free(frame);
}

/**
 * struct run - contiguous pages with a pattern in them
 * @first: of them; each has a reference of its own
 */
struct run {
	struct page *first;
};

static void run_alloc(struct kunit *test, struct run *run, u64 *state)
{
	u32 i;
	u8 *bytes;

	run->first = alloc_pages(GFP_KERNEL, get_order(PAGES * PAGE_SIZE));
	KUNIT_ASSERT_NOT_NULL(test, run->first);
	split_page(run->first, get_order(PAGES * PAGE_SIZE));
	bytes = page_address(run->first);
	for (i = 0; i < PAGES * PAGE_SIZE; i++)
		bytes[i] = random_u64(state);
}

/* All references but ours were given back */
static void run_free(struct kunit *test, struct run *run)
{
	int i;

	for (i = 0; i < PAGES; i++) {
		KUNIT_EXPECT_EQ(test, page_count(run->first + i), 1);
		put_page(run->first + i);
	}
}

static bool add(struct vsockdev_frame *frame, struct page *page, u32 offset,
		u32 len, u32 runs)
{
	get_page(page);
	if (vsockdev_frame_add_page(frame, page, offset, len, runs))
		return true;
	put_page(page);
	return false;
}

/* Pages that touch are one run; the header is counted apart */
static void frame_runs(struct kunit *test)
{
	struct vsockdev_frame *frame = vsockdev_frame_alloc_lent(GFP_KERNEL);
	struct page *page;
	struct run run;
	u64 state = 1;

	KUNIT_ASSERT_NOT_NULL(test, frame);
	run_alloc(test, &run, &state);
	page = run.first;
	KUNIT_EXPECT_TRUE(test, add(frame, page, 100, PAGE_SIZE - 100, 1));
	KUNIT_EXPECT_TRUE(test, add(frame, page + 1, 0, PAGE_SIZE, 1));
	KUNIT_EXPECT_TRUE(test, add(frame, page + 2, 0, 50, 1));
	KUNIT_EXPECT_EQ(test, frame->lent->sg_count, 2);
	/* Does not touch: a hole of one page, or of one byte */
	KUNIT_EXPECT_FALSE(test, add(frame, page + 4, 0, PAGE_SIZE, 1));
	KUNIT_EXPECT_FALSE(test, add(frame, page + 2, 51, 10, 1));
	KUNIT_EXPECT_TRUE(test, add(frame, page + 4, 0, PAGE_SIZE, 2));
	KUNIT_EXPECT_TRUE(test, add(frame, page + 2, 51, 10, 3));
	KUNIT_EXPECT_FALSE(test, add(frame, page + 7, 0, 1, 3));
	KUNIT_EXPECT_EQ(test, frame->lent->sg_count, 4);
	KUNIT_EXPECT_EQ(test, frame->lent->page_count, 5);
	KUNIT_EXPECT_EQ(test, frame->len, 3 * PAGE_SIZE - 100 + 60);
	vsockdev_frame_free(frame);
	run_free(test, &run);
}

static void frame_limits(struct kunit *test)
{
	struct vsockdev_frame *frame = vsockdev_frame_alloc_lent(GFP_KERNEL);
	struct run run;
	u64 state = 1;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, frame);
	run_alloc(test, &run, &state);
	for (i = 0; i < VSOCKDEV_PAGES_MAX; i++)
		KUNIT_EXPECT_TRUE(test, add(frame, run.first + i % PAGES, 7, 1,
					    VSOCKDEV_PAGES_MAX));
	KUNIT_EXPECT_FALSE(test, add(frame, run.first, 8, 1,
				     VSOCKDEV_PAGES_MAX));
	vsockdev_frame_free(frame);

	frame = vsockdev_frame_alloc_lent(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, frame);
	for (i = 0; i < VSOCKDEV_PAGED_MAX / PAGE_SIZE; i++)
		KUNIT_EXPECT_TRUE(test, add(frame, run.first + i % PAGES, 0,
					    PAGE_SIZE, VSOCKDEV_PAGES_MAX));
	KUNIT_EXPECT_FALSE(test, add(frame, run.first, 0, 1,
				     VSOCKDEV_PAGES_MAX));
	KUNIT_EXPECT_EQ(test, frame->len, VSOCKDEV_PAGED_MAX);
	vsockdev_frame_free(frame);
	run_free(test, &run);
}

/* A small part of an skb keeps all of it, also when it becomes still smaller */
static void frame_charges_what_it_keeps(struct kunit *test)
{
	struct vsockdev_frame *frame = vsockdev_frame_alloc_lent(GFP_KERNEL);
	struct vsockdev_frame *head = vsockdev_frame_alloc(2999, GFP_KERNEL);
	struct sk_buff *skb = alloc_skb(16000, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, frame);
	KUNIT_ASSERT_NOT_NULL(test, head);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_put(skb, 16000);
	KUNIT_EXPECT_FALSE(test, vsockdev_frame_add_skb(frame, skb, 9, 1000, 9));
	KUNIT_ASSERT_TRUE(test, vsockdev_frame_add_skb(frame, skb, 9, 3000, 9));
	KUNIT_EXPECT_LE(test, vsockdev_frame_cost(frame), 12000);
	KUNIT_EXPECT_GE(test, vsockdev_frame_cost(frame), 8000);
	head->len = 2999;
	vsockdev_frame_split(frame, head);
	KUNIT_EXPECT_EQ(test, frame->len, 1);
	KUNIT_EXPECT_EQ(test, vsockdev_frame_cost(head), 2999);
	KUNIT_EXPECT_GE(test, vsockdev_frame_cost(frame), 8000);
	vsockdev_frame_free(head);
	vsockdev_frame_free(frame);

	frame = vsockdev_frame_alloc_lent(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, frame);
	KUNIT_ASSERT_TRUE(test, vsockdev_frame_add_skb(frame, skb, 0, 16000, 9));
	KUNIT_EXPECT_EQ(test, vsockdev_frame_cost(frame), 16000);
	vsockdev_frame_free(frame);
	consume_skb(skb);
}

/* Appends what the device would read as payload */
static u32 payload(struct vsockdev_frame *frame, u8 *to)
{
	struct vsockdev_lent *lent = frame->lent;
	u32 i, len = 0;

	if (!lent) {
		memcpy(to, frame->data + VSOCKDEV_HDR_LEN, frame->len);
		return frame->len;
	}
	for (i = 1; i < lent->sg_count; i++) {
		memcpy(to + len, sg_virt(&lent->sg[i]), lent->sg[i].length);
		len += lent->sg[i].length;
	}
	return len;
}

static struct vsockdev_frame *random_paged(struct kunit *test,
					   struct run *run, u64 *state)
{
	struct vsockdev_frame *frame = vsockdev_frame_alloc_lent(GFP_KERNEL);
	u32 count = 1 + random_below(state, 6);
	u32 i = random_below(state, PAGES);

	KUNIT_ASSERT_NOT_NULL(test, frame);
	while (count--) {
		u32 offset = random_below(state, 2) ?
			     random_below(state, PAGE_SIZE) : 0;

		add(frame, run->first + i % PAGES, offset, random_below(state, 2) ?
		    PAGE_SIZE - offset :
		    1 + random_below(state, PAGE_SIZE - offset), 16);
		i += 1 + !random_below(state, 3);
	}
	return frame;
}

static struct vsockdev_frame *random_linear(struct kunit *test, u64 *state)
{
	u32 i, len = 2 + random_below(state, 9000);
	struct vsockdev_frame *frame = vsockdev_frame_alloc(len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, frame);
	frame->len = min(len, frame->room);
	for (i = 0; i < frame->len; i++)
		frame->data[VSOCKDEV_HDR_LEN + i] = random_u64(state);
	return frame;
}

/* Cuts a frame to pieces, which together are what it was */
static void split_all(struct kunit *test, struct vsockdev_frame *frame,
		      u8 *before, u8 *after, u64 *state)
{
	u32 total = payload(frame, before), done = 0;
	struct vsockdev_frame *head;

	KUNIT_ASSERT_EQ(test, total, frame->len);
	while (frame->len > 1) {
		u32 len = 1 + random_below(state, frame->len - 1);

		head = vsockdev_frame_alloc(len, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, head);
		head->len = min(len, head->room);
		vsockdev_frame_split(frame, head);
		done += payload(head, after + done);
		vsockdev_frame_free(head);
		KUNIT_ASSERT_EQ(test, done + frame->len, total);
	}
	done += payload(frame, after + done);
	KUNIT_ASSERT_EQ(test, done, total);
	KUNIT_ASSERT_MEMEQ(test, before, after, total);
}

static void frame_split_keeps_bytes(struct kunit *test)
{
	u8 *before = kunit_kzalloc(test, VSOCKDEV_PAGED_MAX, GFP_KERNEL);
	u8 *after = kunit_kzalloc(test, VSOCKDEV_PAGED_MAX, GFP_KERNEL);
	u32 i, rounds = clamp(kunit_steps / 1000, 50U, 1000U);
	u64 state = kunit_random(test);
	struct vsockdev_frame *frame;
	struct run run;

	KUNIT_ASSERT_NOT_NULL(test, before);
	KUNIT_ASSERT_NOT_NULL(test, after);
	run_alloc(test, &run, &state);
	for (i = 0; i < rounds; i++) {
		if (random_below(&state, 4))
			frame = random_paged(test, &run, &state);
		else
			frame = random_linear(test, &state);
		split_all(test, frame, before, after, &state);
		vsockdev_frame_free(frame);
		cond_resched();
	}
	run_free(test, &run);
}

static void frame_list_is_freed(struct kunit *test)
{
	struct vsockdev_frame *frame;
	LIST_HEAD(frames);
	struct run run;
	u64 state = 1;
	int i;

	run_alloc(test, &run, &state);
	for (i = 0; i < 10; i++) {
		frame = i % 2 ? random_paged(test, &run, &state) :
				random_linear(test, &state);
		list_add(&frame->node, &frames);
	}
	vsockdev_frames_free(&frames);
	KUNIT_EXPECT_TRUE(test, list_empty(&frames));
	run_free(test, &run);
}

static struct kunit_case frame_tests[] = {
	KUNIT_CASE_PARAM(frame_alloc_room, frame_size_gen_params),
	KUNIT_CASE(frame_runs),
	KUNIT_CASE(frame_limits),
	KUNIT_CASE(frame_charges_what_it_keeps),
	KUNIT_CASE(frame_split_keeps_bytes),
	KUNIT_CASE(frame_list_is_freed),
	{}
};

static struct kunit_suite frame_suite = {
	.name = "vsockdev_frame",
	.test_cases = frame_tests,
};

kunit_test_suite(frame_suite);
