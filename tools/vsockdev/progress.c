// SPDX-License-Identifier: GPL-2.0-only
/* How far a transfer is: a bar on a terminal, and a line at its end. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "array.h"
#include "device.h"

#define SHOW_EVERY_MS 100
#define LINE_SIZE 256
#define CLEAR_LINE "\r\033[K"

static int terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return 80;
	return size.ws_col < LINE_SIZE ? size.ws_col : LINE_SIZE - 1;
}

/* Such as "12.3 MiB", in a buffer of the caller's. */
static const char *human(char text[16], double bytes)
{
	static const char *const units[] = {
		"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
	};
	size_t unit = 0;

	while (bytes >= 1000 && unit < ARRAY_SIZE(units) - 1) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, 16, "%.*f %s", unit ? 1 : 0, bytes, units[unit]);
	return text;
}

static double rate(const struct progress *progress)
{
	int64_t ms = progress->last_ms - progress->started_ms;

	return progress->bytes * 1000.0 / (ms > 0 ? ms : 1);
}

static void draw_bar(char *bar, int width, double part)
{
	int done = width * part;

	if (done > width)
		done = width;
	memset(bar, ' ', width);
	memset(bar, '=', done);
	if (done < width)
		bar[done] = '>';
	bar[width] = 0;
}

/* The name, how much and how fast; between them the bar takes what is left. */
static void show(const struct progress *progress)
{
	char line[LINE_SIZE], bar[LINE_SIZE], bytes[16], speed[16];
	double part;
	int room;

	snprintf(line, sizeof(line), "%.40s", progress->name);
	human(bytes, progress->bytes);
	human(speed, rate(progress));
	room = terminal_width() - (int)strlen(line) - 36;
	if (!progress->total || room < 4) {
		fprintf(stderr, CLEAR_LINE "%s %9s %9s/s", line, bytes, speed);
		return;
	}
	part = (double)progress->bytes / progress->total;
	draw_bar(bar, room, part);
	fprintf(stderr, CLEAR_LINE "%s [%s] %3.0f%% %9s %9s/s", line, bar,
		part < 1 ? part * 100 : 100, bytes, speed);
}

void progress_start(struct progress *progress, const char *name,
		    uint64_t total)
{
	int64_t now = clock_ms();

	*progress = (struct progress){
		.name = name,
		.total = total,
		.started_ms = now,
		.last_ms = now,
		.bar = isatty(STDERR_FILENO),
	};
}

void progress_add(struct progress *progress, size_t bytes)
{
	progress->bytes += bytes;
	progress->last_ms = clock_ms();
	if (!progress->bar ||
	    progress->last_ms - progress->shown_ms < SHOW_EVERY_MS)
		return;
	progress->shown_ms = progress->last_ms;
	show(progress);
}

void progress_end(struct progress *progress)
{
	char speed[16];

	fprintf(stderr, "%s%s: %llu bytes in %.2f s, %s/s\n",
		progress->bar ? CLEAR_LINE : "", progress->name,
		(unsigned long long)progress->bytes,
		(progress->last_ms - progress->started_ms) / 1000.0,
		human(speed, rate(progress)));
}
