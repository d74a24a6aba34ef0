/* SPDX-License-Identifier: GPL-2.0-only */
/* One script connection: a guest says line by line what the host shall do. */
#ifndef VSOCKDEV_PEER_SESSION_H
#define VSOCKDEV_PEER_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "place.h"

#define SETUP_CONTROLS 8

/* What all sessions are told on the command line. */
struct setup {
	struct place place; /* where the guest's connections are */
	const char *controls[SETUP_CONTROLS]; /* NULL behind the last */
	const char *monitor; /* NULL: none */
	bool verbose;
};

/* Serves the connection @control to its end, and closes it. */
void session_run(const struct setup *setup, int control);

/* Writes what the lines can be. */
void session_help(void);

#endif
