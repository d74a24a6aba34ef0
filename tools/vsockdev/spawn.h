/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands that serve a connection as their stdin and stdout. */
#ifndef VSOCKDEV_SPAWN_H
#define VSOCKDEV_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

struct vsockdev_addr;

/* The process, or -1, which was reported. */
pid_t spawn(char **command, int fd, const struct vsockdev_addr *addr);

/* Waits for it; whether it succeeded. */
bool spawn_wait(pid_t pid);

/* Those not waited for leave no zombies. */
void spawn_forget_children(void);

#endif
