// SPDX-License-Identifier: GPL-2.0-only
/* Round trips. */
#include <stdlib.h>

#include "measure.h"

#define SAMPLES_MAX 100000
#define WARM_UP 50
#define SETTLE_SECONDS 0.2
#define P99_SECONDS 2 /* or there are too few */

static double samples[SAMPLES_MAX];
static char message[4096];

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double round_trip(const struct link *link, size_t size)
{
	double start = wall_now();

	link_write(link, message, size);
	link_read(link, message, size);
	return wall_now() - start;
}

/* Round trips for that time: how many, and their times sorted. */
static size_t sample(const struct link *link, size_t size, double seconds)
{
	double sum = 0;
	size_t n = 0;

	while (n < SAMPLES_MAX && (!n || sum < seconds)) {
		samples[n] = round_trip(link, size);
		sum += samples[n++];
	}
	qsort(samples, n, sizeof(*samples), by_size);
	return n;
}

static void round_trips(struct run *run, size_t size)
{
	struct link link = link_order(run, ORDER_ECHO, size, 0);
	size_t n;

	for (int i = 0; i < WARM_UP; i++)
		round_trip(&link, size);
	n = sample(&link, size, run->seconds);
	run->side->close(&link);
	run->done = n;
	run->unit = "round trip";
	run->results[0] = samples[n / 2] * 1e6;
}

void measure_rtt_1(struct run *run)
{
	round_trips(run, 1);
}

void measure_rtt_4k(struct run *run)
{
	round_trips(run, sizeof(message));
}

void measure_rtt_p99(struct run *run)
{
	struct link link = link_order(run, ORDER_ECHO, 1, 0);
	struct load *load = load_start(run, 1);
	size_t n;

	/* Until the writer's buffers are full. */
	sample(&link, 1, SETTLE_SECONDS);
	n = sample(&link, 1, run->seconds + P99_SECONDS);
	load_stop(run, load);
	run->side->close(&link);
	run->done = n;
	run->unit = "round trip";
	run->results[0] = samples[n * 99 / 100] * 1e6;
}
