// SPDX-License-Identifier: GPL-2.0-only
/* What happened in the guest, the driver and the host device meanwhile. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"

#define COUNTS_MAX 32

struct counts {
	int n;
	struct {
		const char *name;
		double value;
	} of[COUNTS_MAX];
};

static void add(struct counts *counts, const char *name, double value)
{
	if (counts->n == COUNTS_MAX)
		die("too many counters");
	counts->of[counts->n].name = name;
	counts->of[counts->n++].value = value;
}

static FILE *open_proc(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		die("no %s", path);
	return file;
}

/* The first number behind a word, in a line that begins with it. */
static void add_stat(struct counts *counts, const char *name)
{
	FILE *file = open_proc("/proc/stat");
	size_t len = strlen(name);
	char line[8192];

	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, len) && line[len] == ' ')
			add(counts, name, atof(line + len));
	fclose(file);
}

/* On all processors, of all queues. */
static void add_virtio_interrupts(struct counts *counts)
{
	FILE *file = open_proc("/proc/interrupts");
	char line[1024], *at;
	double sum = 0;

	while (fgets(line, sizeof(line), file)) {
		if (!strstr(line, "virtio"))
			continue;
		at = strchr(line, ':') + 1;
		while (isspace(*at))
			at++;
		for (; isdigit(*at); at++)
			sum += strtoul(at, &at, 10);
	}
	fclose(file);
	add(counts, "virtio interrupts", sum);
}

static void add_info(struct counts *counts, const struct side *side)
{
	struct vsockdev_get_info info = {};

	if (!side->info)
		return;
	side->info(&info);
	add(counts, "driver rx packets", info.rx_packets);
	add(counts, "driver tx packets", info.tx_packets);
	add(counts, "driver credit requests", info.credit_requests);
	add(counts, "driver credit updates", info.credit_updates);
}

static void add_host(struct counts *counts, const struct run *run)
{
	static const char *const names[][2] = {
		{ " from_guest=", "host packets from guest" },
		{ " to_guest=", "host packets to guest" },
		{ " kicks=", "host woken by kicks" },
		{ " calls=", "host interrupts" },
		{ " device_us=", "us of the host device" },
		{ " end_us=", "us of the program on the host" },
	};
	char line[256];

	ask_host(run, ORDER_STATS, line, sizeof(line));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *at = strstr(line, names[i][0]);

		if (at)
			add(counts, names[i][1],
			    atof(at + strlen(names[i][0])));
	}
}

static struct counts counts_now(const struct run *run)
{
	struct counts counts = {};

	add_host(&counts, run);
	add_info(&counts, run->side);
	add_virtio_interrupts(&counts);
	add_stat(&counts, "intr");
	add_stat(&counts, "ctxt");
	add_stat(&counts, "softirq");
	return counts;
}

void profile(const struct measure *measure, struct run *run)
{
	struct counts before, after;
	double start, took, cpu;

	side_take(run->side);
	before = counts_now(run);
	sampler_start(run);
	cpu = cpu_now(run);
	start = wall_now();
	measure->run(run);
	took = wall_now() - start;
	cpu = cpu_now(run) - cpu;
	sampler_stop();
	after = counts_now(run);
	printf("\n== %s (%s), %s: %.6g\n", run->side->name, run->variant->name,
	       measure->keys[0], run->results[0]);
	sampler_print(run);
	printf("\n%.0f %ss in %.2f s, %.2f s busy. For each %s:\n", run->done,
	       run->unit, took, cpu, run->unit);
	for (int i = 0; i < before.n; i++)
		printf("%12.3f %s\n",
		       (after.of[i].value - before.of[i].value) / run->done,
		       before.of[i].name);
	printf("%12.3f us of the guest\n", cpu * 1e6 / run->done);
}
