// SPDX-License-Identifier: GPL-2.0-only
/* Time, and what the guest did with it. */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

#define COPY_BYTES (16 * MIB)
#define COPY_SECONDS 0.2
#define CALLS 100 /* between two looks at the clock */
#define CALL_SECONDS 0.1
#define FACTOR_MAX 32
#define SHORTEST 0.000001

double wall_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

double cpu_now(const struct run *run)
{
	char line[64];

	ask_host(run, ORDER_CPU, line, sizeof(line));
	return atof(line);
}

void run_scale(struct run *run, double seconds, size_t unit)
{
	double factor =
		run->seconds / (seconds > SHORTEST ? seconds : SHORTEST);
	uint64_t more;

	/* What began slowly is not to last for ever. */
	more = run->count * (factor < FACTOR_MAX ? factor : FACTOR_MAX);
	more -= more % unit;
	if (more > run->count)
		run->count = more;
}

/* MB/s between two places that no cache holds. */
double memcpy_rate(void)
{
	static char *from, *to;
	double start, now;
	uint64_t done = 0;

	if (!from) {
		from = malloc(COPY_BYTES);
		to = malloc(COPY_BYTES);
		if (!from || !to)
			die("no memory");
		memset(from, 1, COPY_BYTES);
		memset(to, 2, COPY_BYTES);
	}
	start = wall_now();
	/* To look at the clock can be a system call that costs more */
	do {
		memcpy(to, from, COPY_BYTES);
		done += COPY_BYTES;
		now = wall_now();
	} while (now - start < COPY_SECONDS);
	return done / 1e6 / (now - start);
}

/* Microseconds of one that does nothing. */
double syscall_cost(void)
{
	double start = wall_now(), now;
	uint64_t done = 0;

	do {
		for (int i = 0; i < CALLS; i++)
			syscall(SYS_getppid);
		done += CALLS;
		now = wall_now();
	} while (now - start < CALL_SECONDS);
	return 1e6 * (now - start) / done;
}
