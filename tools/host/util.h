/* SPDX-License-Identifier: GPL-2.0-only */
/* Small things that every file of the host device may use. */
#ifndef VSOCKDEV_HOST_UTIL_H
#define VSOCKDEV_HOST_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define container_of(ptr, type, member)                     \
	({                                                  \
		char *member_ = (char *)(ptr);              \
		(type *)(member_ - offsetof(type, member)); \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define min(a, b) ((a) < (b) ? (a) : (b))

/* Set once from the command line. */
extern bool verbose;

#define log_error(...)                              \
	do {                                        \
		fprintf(stderr, "vsockdev-host: "); \
		fprintf(stderr, __VA_ARGS__);       \
		fputc('\n', stderr);                \
	} while (0)

/* Whatever a guest can cause is told with --verbose only. */
#define log_verbose(...)                        \
	do {                                    \
		if (verbose)                    \
			log_error(__VA_ARGS__); \
	} while (0)

#endif
