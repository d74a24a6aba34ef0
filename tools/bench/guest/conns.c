// SPDX-License-Identifier: GPL-2.0-only
/* Connections that come and go, and many at a time. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

#define FIRST_VISITS 50
#define SENDERS 16
#define SETTLE_SECONDS 0.25
#define FAIRNESS_SECONDS 2

void measure_conn_rate(struct run *run)
{
	double start, took;

	if (!run->count)
		run->count = FIRST_VISITS;
	start = wall_now();
	for (uint64_t i = 0; i < run->count; i++)
		run->side->visit(BYTE_PORT);
	took = wall_now() - start;
	run->done = run->count;
	run->unit = "connection";
	run->results[0] = run->done / took;
	run_scale(run, took, 1);
}

static void sleep_for(double seconds)
{
	usleep(seconds * 1e6);
}

/* What is in the buffers at the beginning and at the end is the same. */
void measure_fairness(struct run *run)
{
	struct load *load = load_start(run, SENDERS);
	uint64_t bytes[SENDERS], least = UINT64_MAX, most = 0, sum = 0;

	sleep_for(SETTLE_SECONDS);
	for (int i = 0; i < SENDERS; i++)
		bytes[i] = load_bytes(load, i);
	sleep_for(FAIRNESS_SECONDS);
	for (int i = 0; i < SENDERS; i++) {
		bytes[i] = load_bytes(load, i) - bytes[i];
		least = bytes[i] < least ? bytes[i] : least;
		most = bytes[i] > most ? bytes[i] : most;
		sum += bytes[i];
	}
	load_stop(run, load);
	run->done = sum / 1e6;
	run->unit = "MB";
	run->results[0] = most ? (double)least / most : 0;
}

static void allow_files(int count)
{
	struct rlimit lim = { .rlim_cur = count, .rlim_max = count };

	if (setrlimit(RLIMIT_NOFILE, &lim))
		die("RLIMIT_NOFILE: %s", strerror(errno));
}

static double free_bytes(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib;

	if (!file || fscanf(file, "MemTotal: %*u kB MemFree: %llu", &kib) != 1)
		die("/proc/meminfo makes no sense");
	fclose(file);
	return kib * 1024.0;
}

/* Sockets first, so that only what the driver adds is counted. */
static double open_idle(const struct side *side, int (*pairs)[2], int count)
{
	double before;

	for (int i = 0; i < count; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
			       pairs[i]))
			die("socketpair: %s", strerror(errno));
	before = free_bytes();
	for (int i = 0; i < count; i++)
		side->give(pairs[i][1], HOLD_PORT);
	return (before - free_bytes()) / count;
}

static void close_idle(const struct side *side, int (*pairs)[2], int count)
{
	for (int i = 0; i < count; i++) {
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
	side->settle();
}

/* The first time counts: later ones find slabs that are there already. */
void measure_idle(struct run *run)
{
	int count = run->variant->idle;
	int (*pairs)[2] = calloc(count, sizeof(*pairs));
	static double most;
	double each, rtt;

	if (!pairs)
		die("no memory");
	memset(pairs, 1, count * sizeof(*pairs));
	allow_files(2 * count + 1024);
	run->side->settle();
	each = open_idle(run->side, pairs, count);
	most = each > most ? each : most;
	measure_rtt_1(run);
	rtt = run->results[0];
	measure_conn_rate(run);
	run->results[2] = run->results[0];
	run->results[1] = rtt;
	run->results[0] = count > 1000 ? most : NAN;
	close_idle(run->side, pairs, count);
	free(pairs);
}
