/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's functions, and in how many samples each was. */
#ifndef BENCH_SYMBOLS_H
#define BENCH_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

void symbols_load(void);

/* One sample: a function and its callers, as addresses; none in a program. */
void symbols_count(const uint64_t *chain, uint64_t depth);

/* The top of them. With no callers known there is one order only. */
void symbols_print(bool callers);

void symbols_free(void);

#endif
