/* SPDX-License-Identifier: GPL-2.0-only */
/* What a guest that is a program does. */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

/*
 * Looks at the process until a byte comes from @fd, and then writes there how
 * many addresses it saw, and those. Says by a byte that it begins.
 */
void sample_process(int pid, int fd);

#endif
