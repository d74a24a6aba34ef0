// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts runs of work items in the trace. The event is on from the start, see
 * guest/run, and only the recording is switched: to switch an event is to patch
 * running code, which emulated processors do not always survive.
 */
#include "spin.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "machine.h"

#undef spin_check

#define TRACING "/sys/kernel/tracing/"
#define EVENT TRACING "events/workqueue/workqueue_execute_start/enable"
#define RECORDING TRACING "tracing_on"
#define ITEMS 64

struct runs {
	char item[32]; /* its address */
	unsigned int count;
};

static bool is_on(void)
{
	FILE *file = fopen(EVENT, "re");
	int state = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	return state == '1';
}

void spin_start(void)
{
	if (access(EVENT, W_OK))
		return;
	if (!is_on())
		fail("the kernel does not record runs of work items");
	if (write_file(TRACING "trace", "\n") || write_file(RECORDING, "1"))
		fail("the tracer does not start");
}

/* "... work struct ADDRESS: function NAME [MODULE]" */
static void note(struct runs runs[ITEMS], const char *line,
		 const char *function)
{
	char item[32], name[64];
	const char *text = strstr(line, "work struct ");

	if (!text ||
	    sscanf(text, "work struct %31[^:]: function %63s", item, name) != 2 ||
	    strcmp(name, function) || !strstr(text, "[" MODULE "]"))
		return;
	for (int i = 0; i < ITEMS; i++) {
		if (!runs[i].count)
			strcpy(runs[i].item, item);
		if (!strcmp(runs[i].item, item)) {
			runs[i].count++;
			return;
		}
	}
}

void spin_check(const char *function, unsigned int most)
{
	struct runs runs[ITEMS] = {};
	unsigned int busy = 0;
	char line[256];
	FILE *file;

	if (access(EVENT, W_OK))
		return;
	write_file(RECORDING, "0");
	file = fopen(TRACING "trace", "re");
	if (!file)
		fail("no trace");
	while (fgets(line, sizeof(line), file))
		note(runs, line, function);
	fclose(file);
	for (int i = 0; i < ITEMS; i++)
		busy += runs[i].count >= most;
	if (busy > 1)
		fail("%u devices run %s again and again", busy, function);
}
