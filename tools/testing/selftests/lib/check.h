/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How helpers fail: they say what they saw, and which line of a test called
 * them, and abort, which the harness counts as a failed test. This also works
 * in threads, where the harness' own ASSERT does not.
 */
#ifndef VSOCKDEV_TEST_CHECK_H
#define VSOCKDEV_TEST_CHECK_H

#include <stdbool.h>

/* What waits for something gives up after this; no test measures time. */
#define HANG_GUARD_MS 20000

void check_note(const char *file, int line);

/* Which line of a table is being tested, for what fails from now on. */
void check_case(const char *name);

_Noreturn void fail(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Calls the function behind a macro of the same name, noting the line. */
#define HERE(call) (check_note(__FILE__, __LINE__), call)

/* Which host device is there, and which kernel, of those for tests only? */
bool host_is_ours(void);
bool kernel_is(const char *name);

/* Of the calling thread. With SCHED_FIFO, work items on its processor wait. */
void set_policy(int policy, int priority);

/* A number from the environment, or the default. */
unsigned long long from_environment(const char *name,
				    unsigned long long fallback);

/* For conditions that nothing announces: false once the guard time is over. */
struct guard {
	unsigned long long until_ms;
};

struct guard guard_start(void);
bool guard_wait(const struct guard *guard);

/* Waits until @condition holds, else fails with its text. */
#define WAIT_FOR(condition)                                              \
	do {                                                             \
		for (struct guard guard_ = guard_start(); !(condition);) \
			if (!guard_wait(&guard_))                        \
				HERE(fail("never: " #condition));        \
	} while (0)

#endif
