/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands to others on the host: a host device, and QEMU's monitor. */
#ifndef VSOCKDEV_PEER_REMOTE_H
#define VSOCKDEV_PEER_REMOTE_H

#include <stddef.h>

/*
 * Gives @line to the control socket at @path; its line of answer, or "error"
 * and why, goes into @reply.
 */
void remote_control(const char *path, const char *line, char *reply,
		    size_t size);

/*
 * Types @line at QEMU's monitor at @path and waits for the next prompt. The
 * reply is "ok", or "error" and what was printed.
 */
void remote_monitor(const char *path, const char *line, char *reply,
		    size_t size);

#endif
