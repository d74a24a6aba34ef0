// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processors do, looked at many times a second: functions of the
 * kernel by the time spent in them alone, and with all that they call. A kernel
 * that is a program cannot look at itself; then the host does, and knows no
 * callers.
 */
#include <stdlib.h>
#include <string.h>

#include "cpuclock.h"
#include "profile.h"
#include "symbols.h"

#define PROCESSORS_MAX 8
#define DEPTH_MAX 128

static struct cpuclock clocks[PROCESSORS_MAX];
static bool remote;
static struct link remote_link;

static int processor_count(void)
{
	int n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < PROCESSORS_MAX ? n : PROCESSORS_MAX;
}

void sampler_start(const struct run *run)
{
	char byte;
	int err;

	for (int cpu = 0; cpu < processor_count(); cpu++) {
		err = cpuclock_open(&clocks[cpu], -1, cpu,
				    PERF_SAMPLE_CALLCHAIN);
		remote = err == -ENOSYS;
		if (err && !remote)
			die("samples: %s", strerror(-err));
	}
	if (!remote)
		return;
	remote_link = link_order(run, ORDER_SAMPLE, 1, 0);
	link_read(&remote_link, &byte, 1);
}

static void count_clock(const struct cpuclock *clock)
{
	uint64_t at = clock->page->data_tail, chain[DEPTH_MAX + 1];
	struct perf_event_header header;

	while (at < clock->page->data_head) {
		cpuclock_copy(clock, at, &header, sizeof(header));
		if (header.type == PERF_RECORD_SAMPLE &&
		    header.size <= sizeof(header) + sizeof(chain)) {
			cpuclock_copy(clock, at + sizeof(header), chain,
				      header.size - sizeof(header));
			symbols_count(chain + 1, chain[0]);
		}
		at += header.size;
	}
}

static void count_own(void)
{
	for (int cpu = 0; cpu < processor_count(); cpu++) {
		count_clock(&clocks[cpu]);
		cpuclock_close(&clocks[cpu]);
	}
}

/* The host sends how many addresses there are, and then those. */
static void count_remote(void)
{
	uint64_t left, address;

	link_read(&remote_link, &left, sizeof(left));
	for (; left; left--) {
		link_read(&remote_link, &address, sizeof(address));
		symbols_count(&address, 1);
	}
}

void sampler_stop(void)
{
	if (remote)
		link_write(&remote_link, "", 1);
	for (int cpu = 0; !remote && cpu < processor_count(); cpu++)
		cpuclock_stop(&clocks[cpu]);
}

void sampler_print(const struct run *run)
{
	symbols_load();
	if (remote)
		count_remote();
	else
		count_own();
	symbols_print(!remote);
	symbols_free();
	if (remote)
		run->side->close(&remote_link);
}
