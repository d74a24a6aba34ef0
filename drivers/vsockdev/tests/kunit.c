// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - the module of the KUnit suites
 *
 * DOC: A suite for each room. They run when the module is loaded; each test
 * that makes use of chance logs its seed, and with that as module parameter
 * does the same again.
 */
#include <linux/module.h>
#include <linux/random.h>

#include "compat.h"
#include "kunit.h"

static ulong seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "of random tests; 0 for a new one each time");

unsigned int kunit_steps = 1000000;
module_param_named(steps, kunit_steps, uint, 0444);
MODULE_PARM_DESC(steps, "of each test that moves beside a model");

/**
 * kunit_random() - begin a repeatable series of random numbers
 * @test: which needs them
 *
 * Return: the state for random_u64() and its like.
 */
u64 kunit_random(struct kunit *test)
{
	u64 state = seed ?: get_random_long();

	kunit_info(test, "seed=%llu steps=%u\n", state, kunit_steps);
	return state;
}

MODULE_DESCRIPTION("KUnit suites of vsockdev");
MODULE_LICENSE("GPL");
VSOCKDEV_COMPAT_IMPORT();
