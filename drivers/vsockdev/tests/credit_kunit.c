// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - flow control
 */
#include "credit_model.h"
#include "kunit.h"

/* Where counting begins: every run is also done across the wrap */
struct credit_case {
	const char *name;
	u32 origin;
};

static const struct credit_case credit_cases[] = {
	{ "from_zero", 0 },
	{ "across_the_sign", 0x7fffff00 },
	{ "across_the_wrap", 0xffffff00 },
};

KUNIT_ARRAY_PARAM_DESC(credit, credit_cases, name);

static u32 credit_origin(struct kunit *test)
{
	const struct credit_case *param = test->param_value;

	return param->origin;
}

/* Fails the test if a step of a model found something wrong */
static void credit_check(struct kunit *test, unsigned int step,
			 const char *wrong)
{
	if (wrong)
		KUNIT_FAIL_AND_ABORT(test, "step %u: %s", step, wrong);
	if (!(step % 65536))
		cond_resched();
}

static void credit_sending(struct kunit *test)
{
	struct credit_tx_model model = { .origin = credit_origin(test) };
	u64 state = kunit_random(test);
	struct vsockdev_credit credit;
	unsigned int i;

	credit_model_init(&credit, model.origin, 4096);
	for (i = 0; i < kunit_steps; i++)
		credit_check(test, i,
			     credit_tx_model_step(&model, &credit, &state));
	KUNIT_EXPECT_GT(test, model.open, kunit_steps / 1000);
	KUNIT_EXPECT_GT(test, model.blocked, kunit_steps / 1000);
	KUNIT_EXPECT_GT(test, model.sent, kunit_steps * 65536ULL);
}

static void credit_receiving(struct kunit *test)
{
	struct credit_rx_model model = { .origin = credit_origin(test) };
	u64 state = kunit_random(test);
	struct vsockdev_credit credit;
	unsigned int i;

	credit_model_init(&credit, model.origin, 262144);
	for (i = 0; i < kunit_steps; i++)
		credit_check(test, i,
			     credit_rx_model_step(&model, &credit, &state));
	KUNIT_EXPECT_GT(test, model.refused, kunit_steps / 1000);
	KUNIT_EXPECT_GT(test, model.received, kunit_steps * 4096ULL);
}

static void credit_small_packets(struct kunit *test)
{
	struct credit_small_model *model;
	u64 state = kunit_random(test);
	struct vsockdev_credit credit;
	unsigned int i;

	model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, model);
	model->origin = credit_origin(test);
	model->window = 65536;
	credit_model_init(&credit, model->origin, 4096);
	vsockdev_credit_peer_update(&credit, model->window, model->origin);
	for (i = 0; i < kunit_steps; i++)
		credit_check(test, i,
			     credit_small_model_step(model, &credit, &state));
	/* The limit is used, or this test shows nothing */
	credit_check(test, i, credit_small_model_fill(model, &credit));
}

static void credit_pairs(struct kunit *test)
{
	static const u32 windows[] = {
		1, 2, 3, 4096, 65536, 262144, 1 << 24
	};
	u32 steps = kunit_steps / ARRAY_SIZE(windows);
	struct credit_pair_model model;
	u64 state = kunit_random(test);
	unsigned int i, w;

	for (w = 0; w < ARRAY_SIZE(windows); w++) {
		credit_pair_init(&model, credit_origin(test), windows[w]);
		for (i = 0; i < steps; i++)
			credit_check(test, i, credit_pair_step(&model, &state));
		KUNIT_EXPECT_GT(test, model.packets, steps / 100);
		KUNIT_EXPECT_GT(test, model.updates, steps / 1000);
	}
}

struct credit_window {
	const char *name;
	u32 window;
	u32 due;	/* untold bytes that make an update due */
};

static const struct credit_window credit_windows[] = {
	{ "one_byte", 1, 1 },
	{ "two", 2, 1 },
	{ "page", 4096, 2048 },
	{ "default", 262144, 131072 },
	{ "above_what_linux_sends", 262146, 131072 },
	{ "largest_of_ours", 16 << 20, 131072 },
	{ "all_ones", U32_MAX, 131072 },
};

KUNIT_ARRAY_PARAM_DESC(credit_window, credit_windows, name);

static void credit_update_due(struct kunit *test)
{
	const struct credit_window *param = test->param_value;
	struct vsockdev_credit credit;

	credit_model_init(&credit, 0xfffffff0, param->window);
	KUNIT_EXPECT_TRUE(test, vsockdev_credit_rx(&credit, param->window));
	KUNIT_EXPECT_FALSE(test, vsockdev_credit_rx(&credit, 1));
	KUNIT_EXPECT_FALSE(test, vsockdev_credit_update_due(&credit));
	vsockdev_credit_forwarded(&credit, param->due - 1);
	KUNIT_EXPECT_FALSE(test, vsockdev_credit_update_due(&credit));
	vsockdev_credit_forwarded(&credit, 1);
	KUNIT_EXPECT_TRUE(test, vsockdev_credit_update_due(&credit));
	KUNIT_EXPECT_EQ(test, vsockdev_credit_untold(&credit), param->due);
	KUNIT_EXPECT_EQ(test, vsockdev_credit_tell(&credit),
			0xfffffff0 + param->due);
	KUNIT_EXPECT_FALSE(test, vsockdev_credit_update_due(&credit));
}

/* The peer takes room back, down to nothing, and gives it again */
static void credit_shrunk_window(struct kunit *test)
{
	static const struct {
		u32 window;
		u32 read;
		u32 space;
	} steps[] = {
		{ 65536, 0, 5536 }, { 60001, 0, 1 }, { 60000, 0, 0 },
		{ 30000, 0, 0 }, { 0, 0, 0 }, { 0, 60000, 0 },
		{ U32_MAX, 60000, U32_MAX }, { 1, 60000, 1 },
	};
	u32 origin = credit_origin(test);
	struct vsockdev_credit credit;
	unsigned int i;

	credit_model_init(&credit, origin, 4096);
	KUNIT_EXPECT_TRUE(test, vsockdev_credit_peer_update(&credit, 65536,
							    origin));
	vsockdev_credit_tx(&credit, 60000);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		KUNIT_EXPECT_TRUE(test, vsockdev_credit_peer_update
				  (&credit, steps[i].window,
				   origin + steps[i].read));
		KUNIT_EXPECT_EQ(test, vsockdev_credit_tx_space(&credit),
				steps[i].space);
		KUNIT_EXPECT_GE(test, vsockdev_credit_tx_packet(&credit), 1);
	}
}

static struct kunit_case credit_tests[] = {
	KUNIT_CASE_PARAM(credit_sending, credit_gen_params),
	KUNIT_CASE_PARAM(credit_receiving, credit_gen_params),
	KUNIT_CASE_PARAM(credit_small_packets, credit_gen_params),
	KUNIT_CASE_PARAM(credit_pairs, credit_gen_params),
	KUNIT_CASE_PARAM(credit_shrunk_window, credit_gen_params),
	KUNIT_CASE_PARAM(credit_update_due, credit_window_gen_params),
	{}
};

static struct kunit_suite credit_suite = {
	.name = "vsockdev_credit",
	.test_cases = credit_tests,
};

kunit_test_suite(credit_suite);
