/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults on purpose: allocations that fail, and copies from and to the memory
 * of programs. Needs a kernel with CONFIG_FAULT_INJECTION; see there,
 * Documentation/fault-injection.
 */
#ifndef VSOCKDEV_TEST_INJECT_H
#define VSOCKDEV_TEST_INJECT_H

#include <stdbool.h>

#include "check.h"

/*
 * Makes every kind of allocation one that may fail. False where the kernel has
 * nothing of this.
 */
bool inject_prepare(void);

/* The Nth of what may fail in this thread's next calls does fail. */
void inject_arm(unsigned int nth);

/* Nothing fails any more. Did it? */
bool inject_disarm(void);

/*
 * The same call again and again, of which the first allocation fails, then the
 * second and so on, until none is left.
 */
struct sweep {
	const char *name;
	/* All of it without faults; @act and its answer are what is tested. */
	void (*prepare)(void *data);
	int (*act)(void *data); /* 0 or a negative errno */
	void (*check)(void *data, int error);
	void *data;
	int right; /* the answer when nothing fails */
	bool any_error; /* others than ENOMEM and EFAULT will do, too */
	bool may_be_none; /* nothing that could fail */
	bool once; /* takes long: each fault only once */
	/* What was seen */
	unsigned int injected;
	unsigned int nomem;
	unsigned int fault;
	unsigned int other;
};

/* Fails if not a single fault was injected. Prints the numbers. */
void sweep_run(struct sweep *sweep);

/*
 * From now on each allocation of that module's code fails with this
 * probability in percent, whoever runs it; 0 ends it. Gives back how many
 * failed since it was called last.
 */
unsigned int inject_rate(const char *module, unsigned int percent);

/* Only faults below that function of the kernel count, NULL for any. */
void inject_below(const char *function);

#define sweep_run(...) HERE((sweep_run)(__VA_ARGS__))
#define inject_rate(...) HERE((inject_rate)(__VA_ARGS__))

#endif
