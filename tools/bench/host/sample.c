// SPDX-License-Identifier: GPL-2.0-only
/* What a guest that is a program does. */
#include "sample.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "cpuclock.h"

/* With header, and what PERF_SAMPLE_IP is. */
struct record {
	struct perf_event_header header;
	uint64_t address;
};

static uint64_t each(const struct cpuclock *clock,
		     void (*use)(FILE *to, uint64_t address), FILE *to)
{
	uint64_t at = clock->page->data_tail, count = 0;
	struct record record;

	while (at < clock->page->data_head) {
		cpuclock_copy(clock, at, &record, sizeof(record));
		if (record.header.type == PERF_RECORD_SAMPLE) {
			if (use)
				use(to, record.address);
			count++;
		}
		at += record.header.size;
	}
	return count;
}

static void write_address(FILE *to, uint64_t address)
{
	fwrite(&address, sizeof(address), 1, to);
}

static void tell(int fd, const struct cpuclock *clock)
{
	FILE *to = fdopen(dup(fd), "w");
	uint64_t count = 0;

	if (clock)
		count = each(clock, NULL, NULL);
	if (!to)
		return;
	write_address(to, count);
	if (clock)
		each(clock, write_address, to);
	fclose(to);
}

void sample_process(int pid, int fd)
{
	struct cpuclock clock;
	int err = cpuclock_open(&clock, pid, -1, PERF_SAMPLE_IP);
	char byte = 0;

	if (err)
		fprintf(stderr, "bench-host: samples: %s\n", strerror(-err));
	if (send(fd, &byte, 1, MSG_NOSIGNAL) == 1 &&
	    recv(fd, &byte, 1, 0) == 1) {
		if (!err)
			cpuclock_stop(&clock);
		tell(fd, err ? NULL : &clock);
	}
	if (!err)
		cpuclock_close(&clock);
}
