// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection, by its files in debugfs and /proc. By default it leaves out
 * what may wait for memory, which is nearly everything, and single pages.
 */
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

#undef sweep_run
#undef inject_rate

#define DEBUGFS "/sys/kernel/debug/"
#define FAIL_NTH "/proc/thread-self/fail-nth"
#define MANY INT_MAX

static const char *const kinds[] = { "failslab", "fail_page_alloc",
				     "fail_usercopy" };

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define KINDS_OF_MEMORY 2

static bool set(const char *kind, const char *name, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", kind, name);
	return !write_file(path, value);
}

static void must_set(const char *kind, const char *name, const char *value)
{
	if (!set(kind, name, value))
		fail("%s/%s does not take %s", kind, name, value);
}

static void set_number(const char *kind, const char *name,
		       unsigned long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	must_set(kind, name, text);
}

static unsigned long long get_number(const char *kind, const char *name)
{
	char path[96], text[32] = {};
	int fd;

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", kind, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		fail("%s: %s", path, strerror(errno));
	close(fd);
	return strtoull(text, NULL, 0);
}

/* Without a trace in the log for each fault. */
static void make_usual(const char *kind)
{
	must_set(kind, "verbose", "0");
	must_set(kind, "probability", "0");
	must_set(kind, "interval", "1");
	must_set(kind, "times", "-1");
	must_set(kind, "space", "0");
	must_set(kind, "task-filter", "N");
	set_number(kind, "require-start", 0);
	set_number(kind, "require-end", ULONG_MAX);
}

bool inject_prepare(void)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (!set(kinds[i], "verbose", "0"))
			return false;
		make_usual(kinds[i]);
	}
	must_set("failslab", "ignore-gfp-wait", "N");
	must_set("failslab", "cache-filter", "N");
	must_set("fail_page_alloc", "ignore-gfp-wait", "N");
	must_set("fail_page_alloc", "ignore-gfp-highmem", "N");
	must_set("fail_page_alloc", "min-order", "0");
	/* Pages of the test itself are not to be missed in a sweep */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		fail("mlockall: %s", strerror(errno));
	return true;
}

static int fail_nth(void)
{
	static __thread int fd = -1;

	if (fd < 0)
		fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(FAIL_NTH ": %s", strerror(errno));
	return fd;
}

void inject_arm(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fail_nth(), text, len, 0) != len)
		fail(FAIL_NTH ": %s", strerror(errno));
}

/* What is left of the count. To read it, or to write, may be the Nth itself. */
bool inject_disarm(void)
{
	char text[16] = {};
	bool injected;

	injected = pread(fail_nth(), text, sizeof(text) - 1, 0) > 0 &&
		   !atoi(text);
	while (pwrite(fail_nth(), "0", 1, 0) != 1)
		if (errno != EFAULT)
			fail(FAIL_NTH ": %s", strerror(errno));
	return injected;
}

static void count(struct sweep *sweep, unsigned int nth, int error)
{
	sweep->injected++;
	if (error == -ENOMEM)
		sweep->nomem++;
	else if (error == -EFAULT)
		sweep->fault++;
	else if (error != sweep->right)
		sweep->other++;
	if (sweep->other && !sweep->any_error)
		fail("%s, fault %u: %s", sweep->name, nth, strerror(-error));
}

static bool run_once(struct sweep *sweep, unsigned int nth)
{
	bool injected;
	int error;

	if (sweep->prepare)
		sweep->prepare(sweep->data);
	inject_arm(nth);
	error = sweep->act(sweep->data);
	injected = inject_disarm();
	if (injected)
		count(sweep, nth, error);
	else if (error != sweep->right)
		fail("%s without a fault: %s", sweep->name, strerror(-error));
	sweep->check(sweep->data, error);
	return injected;
}

/*
 * How much is allocated depends on what caches have: where one call ends well
 * before its Nth allocation, the next may not.
 */
#define TIMES 3
#define QUIET 3

static bool run_nth(struct sweep *sweep, unsigned int nth)
{
	bool injected = false;

	for (int i = 0; i < (sweep->once ? 1 : TIMES); i++)
		injected |= run_once(sweep, nth);
	return injected;
}

void sweep_run(struct sweep *sweep)
{
	unsigned int quiet = 0;
	char name[96];

	for (unsigned int nth = 1; quiet < QUIET; nth++) {
		snprintf(name, sizeof(name), "%s, fault %u", sweep->name, nth);
		check_case(name);
		quiet = run_nth(sweep, nth) ? 0 : quiet + 1;
	}
	check_case(NULL);
	printf("# %s: %u faults, of which %u ENOMEM, %u EFAULT, %u other\n",
	       sweep->name, sweep->injected, sweep->nomem, sweep->fault,
	       sweep->other);
	fflush(stdout);
	if (!sweep->injected && !sweep->may_be_none)
		fail("%s: nothing was injected", sweep->name);
}

struct range {
	unsigned long start;
	unsigned long end;
};

/* Whether the symbol of this line is one that is looked for, and the next. */
static bool wanted(const char *line, const char *function, const char *module)
{
	char name[256], type, owner[64] = "";

	if (sscanf(line, "%*x %c %255s [%63[^]]]", &type, name, owner) < 2)
		return false;
	if (module)
		return !strcmp(owner, module) && (type == 't' || type == 'T');
	return !strcmp(name, function);
}

/* All code of a module, or one function, which ends where the next begins. */
static struct range find_code(const char *function, const char *module)
{
	struct range range = { .start = ULONG_MAX };
	FILE *file = fopen("/proc/kallsyms", "r");
	unsigned long next = ULONG_MAX;
	char line[400];

	for (int pass = 0; file && pass < 2; pass++) {
		rewind(file);
		while (fgets(line, sizeof(line), file)) {
			unsigned long at = strtoul(line, NULL, 16);

			if (pass && at > range.end && at < next)
				next = at;
			if (pass || !wanted(line, function, module))
				continue;
			if (at < range.start)
				range.start = at;
			if (at > range.end)
				range.end = at;
		}
	}
	if (!range.end)
		fail("no code of %s", module ?: function);
	fclose(file);
	range.end = next - range.end > 4096 ? range.end + 4096 : next;
	return range;
}

static void require(const struct range *range)
{
	for (size_t i = 0; i < KINDS; i++) {
		set_number(kinds[i], "require-start", range->start);
		set_number(kinds[i], "require-end", range->end);
	}
}

void inject_below(const char *function)
{
	struct range range = { .end = ULONG_MAX };

	if (function)
		range = find_code(function, NULL);
	require(&range);
}

unsigned int inject_rate(const char *module, unsigned int percent)
{
	struct range range = { .end = ULONG_MAX };
	unsigned int failed = 0;

	for (size_t i = 0; i < KINDS_OF_MEMORY; i++) {
		unsigned long long left;

		set_number(kinds[i], "probability", 0);
		left = get_number(kinds[i], "times");
		if ((int)left > 0)
			failed += MANY - (int)left;
	}
	if (percent)
		range = find_code(NULL, module);
	require(&range);
	for (size_t i = 0; percent && i < KINDS_OF_MEMORY; i++) {
		set_number(kinds[i], "times", MANY);
		set_number(kinds[i], "probability", percent);
	}
	return failed;
}
