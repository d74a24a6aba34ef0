/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that stays away, by userfaultfd: who touches it waits. */
#ifndef VSOCKDEV_TEST_TRAP_H
#define VSOCKDEV_TEST_TRAP_H

#include <stdbool.h>

#include "check.h"

/* Whoever reads into @page waits until @fd is closed. */
struct trap {
	int fd;
	void *page;
	const void *bytes; /* of the page once it comes; NULL for none */
};

/* False where there is no userfaultfd. */
bool trap_set(struct trap *trap);

/* Returns once that many more wait. */
void trap_wait(struct trap *trap, unsigned int readers);

/* Lets them go on, if somebody waits: the page is there from then on. */
bool trap_open(struct trap *trap);

/* The page is away again. */
void trap_close(struct trap *trap);

/* No trap any more, only memory. */
void trap_release(struct trap *trap);

#define trap_set(...) HERE((trap_set)(__VA_ARGS__))
#define trap_wait(...) HERE((trap_wait)(__VA_ARGS__))

#endif
