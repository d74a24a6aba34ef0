/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes that have one descriptor, for scripts that want one to be killed. */
#ifndef VSOCKDEV_PEER_PROCESS_H
#define VSOCKDEV_PEER_PROCESS_H

#include <sys/types.h>

/*
 * Calls @run in a process of its own, where all descriptors but @fd and the
 * standard ones are closed. It does not outlive the calling thread. -1: see
 * errno.
 */
pid_t process_start(int fd, void (*run)(void *arg), void *arg);

/* SIGKILL; the kernel has closed what it had when this returns. */
void process_kill(pid_t pid);

#endif
