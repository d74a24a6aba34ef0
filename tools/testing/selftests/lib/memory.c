// SPDX-License-Identifier: GPL-2.0-only
/* /proc/meminfo, and what to make of it. */
#include "memory.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define MIB (1 << 20)
#define SLACK (8 * MIB)
/* KASAN keeps back as much of all memory: KASAN's QUARANTINE_FRACTION. */
#define QUARANTINE 32

static const struct {
	const char *name;
	size_t at;
} lines[] = {
	{ "MemTotal:", offsetof(struct memory, total) },
	{ "MemAvailable:", offsetof(struct memory, available) },
	{ "Slab:", offsetof(struct memory, slab) },
	{ "SUnreclaim:", offsetof(struct memory, unreclaimable) },
};

static void note(struct memory *memory, const char *name, long long kib)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strcmp(lines[i].name, name))
			*(int64_t *)((char *)memory + lines[i].at) = kib << 10;
}

struct memory memory_now(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	struct memory memory = {};
	char line[128], name[64];
	long long kib;

	if (!file)
		fail("no /proc/meminfo");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %lld kB", name, &kib) == 2)
			note(&memory, name, kib);
	fclose(file);
	if (!memory.available || !memory.slab)
		fail("/proc/meminfo does not say what is used");
	return memory;
}

int64_t memory_taken(const struct memory *before, const struct memory *after)
{
	int64_t pages = before->available - after->available;
	int64_t slab = after->slab - before->slab;

	return pages > slab ? pages : slab;
}

/* Kernels for tests have names, others numbers. */
int64_t memory_slack(void)
{
	const char *kernel = getenv("VSOCKDEV_KERNEL");

	if (!kernel || isdigit(*kernel))
		return SLACK;
	return SLACK + memory_now().total / QUARANTINE;
}

void memory_describe(const char *when, const struct memory *memory)
{
	printf("# %s: %lld KiB available, slab %lld KiB, %lld KiB of it for good\n",
	       when, (long long)memory->available >> 10,
	       (long long)memory->slab >> 10,
	       (long long)memory->unreclaimable >> 10);
}
