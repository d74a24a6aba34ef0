/* SPDX-License-Identifier: GPL-2.0-only */
/* How far a transfer is: a bar on a terminal, and a line at its end. */
#ifndef VSOCKDEV_PROGRESS_H
#define VSOCKDEV_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	const char *name;
	uint64_t total;		/* 0 if not known */
	uint64_t bytes;
	int64_t started_ms;
	int64_t last_ms;	/* when the last bytes came */
	int64_t shown_ms;
	bool bar;
};

void progress_start(struct progress *progress, const char *name,
		    uint64_t total);
void progress_add(struct progress *progress, size_t bytes);
void progress_end(struct progress *progress);

#endif
