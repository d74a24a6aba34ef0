/* SPDX-License-Identifier: GPL-2.0-only */
/* Outcomes that are asked for later, by another session. */
#ifndef VSOCKDEV_PEER_RESULTS_H
#define VSOCKDEV_PEER_RESULTS_H

void results_put(const char *tag, const char *text);

/* Waits for the result of that tag and takes it; false if none comes. */
_Bool results_take(const char *tag, char *text, int size);

#endif
