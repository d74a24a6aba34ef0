// SPDX-License-Identifier: GPL-2.0-only
/* Failing with something to understand, and waiting with an end to it. */
#include "check.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static __thread const char *test_file = "?";
static __thread int test_line;
static __thread const char *test_case;

void check_note(const char *file, int line)
{
	test_file = file;
	test_line = line;
}

void check_case(const char *name)
{
	test_case = name;
}

void fail(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (test_case)
		fprintf(stderr, "# in the case: %s\n", test_case);
	fprintf(stderr, "# %s:%d: %s\n", test_file, test_line, text);
	abort();
}

bool host_is_ours(void)
{
	const char *host = getenv("VSOCKDEV_HOST");

	return !host || !strcmp(host, "ours");
}

bool kernel_is(const char *name)
{
	const char *kernel = getenv("VSOCKDEV_KERNEL");

	return kernel && !strcmp(kernel, name);
}

void set_policy(int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	if (sched_setscheduler(0, policy, &param))
		fail("sched_setscheduler: %s", strerror(errno));
}

unsigned long long from_environment(const char *name,
				    unsigned long long fallback)
{
	const char *value = getenv(name);

	return value && *value ? strtoull(value, NULL, 0) : fallback;
}

static unsigned long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

struct guard guard_start(void)
{
	return (struct guard){ .until_ms = now_ms() + HANG_GUARD_MS };
}

bool guard_wait(const struct guard *guard)
{
	sched_yield();
	return now_ms() < guard->until_ms;
}
