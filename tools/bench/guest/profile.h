/* SPDX-License-Identifier: GPL-2.0-only */
/* Where time goes: counters of what happened, and samples of what ran. */
#ifndef BENCH_PROFILE_H
#define BENCH_PROFILE_H

#include "measure.h"

/* Does the run, and prints what it learned of it. */
void profile(const struct measure *measure, struct run *run);

/* Samples what every processor does; prints them after the end. */
void sampler_start(const struct run *run);
void sampler_stop(void);
void sampler_print(const struct run *run);

#endif
