/* SPDX-License-Identifier: GPL-2.0-only */
/* One script connection: a guest says line by line what the host shall do. */
#ifndef VSOCKDEV_PEER_SESSION_H
#define VSOCKDEV_PEER_SESSION_H

#include <stdbool.h>
#include <stddef.h>

/* Serves the connection @control to its end, and closes it. */
void session_run(const char *base, int control, bool verbose);

/* Writes what the lines can be. */
void session_help(void);

#endif
