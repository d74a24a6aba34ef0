/* SPDX-License-Identifier: GPL-2.0-only */
/* Plays a script against the guest. */
#ifndef VSOCKDEV_HOST_PLAY_H
#define VSOCKDEV_HOST_PLAY_H

#include <stdbool.h>

struct hostile;
struct play;

/* 0 or a negative errno, then @play is NULL and the hostile side's result says more. */
int play_start(struct hostile *h, const char *name, struct play **play);
void play_free(struct play *play);

/*
 * Goes on until a packet was sent, into the buffer that is there, or one of the
 * guest is awaited. False: it is over.
 */
bool play_run(struct play *play);

/* It waits for a packet of the guest that is not there, or for play_go(). */
bool play_waits(const struct play *play);

/* It has come to a pause; and it may go on. */
bool play_pauses(const struct play *play);
void play_go(struct play *play);

unsigned int play_line(const struct play *play);

/* Once it is over. */
const char *play_result(const struct play *play);

#endif
