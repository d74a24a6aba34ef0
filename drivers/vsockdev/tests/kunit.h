/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev tests - what all suites share
 */
#ifndef VSOCKDEV_TESTS_KUNIT_H
#define VSOCKDEV_TESTS_KUNIT_H

#include <kunit/test.h>

#include "random.h"

extern unsigned int kunit_steps;

u64 kunit_random(struct kunit *test);

#endif /* VSOCKDEV_TESTS_KUNIT_H */
