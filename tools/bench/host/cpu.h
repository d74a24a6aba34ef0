/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest costs. */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

/*
 * Seconds that processors of this machine were busy with the guest, which was
 * started, by timeout(1), by who started us. Below 0 if there is none.
 */
double cpu_of_guest(void);

/* The same of any process. */
double cpu_of_process(int pid);

/* Its process; -1 if there is none. */
int cpu_guest_process(void);

/*
 * Gives its session this priority: one that is a program makes a session of its
 * own, and would be left behind.
 */
void cpu_prefer_guest(const char *nice);

#endif
