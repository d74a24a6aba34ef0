/* SPDX-License-Identifier: GPL-2.0-only */
/* Where messages end in a run of bytes that is kept elsewhere. */
#ifndef VSOCKDEV_HOST_MESSAGES_H
#define VSOCKDEV_HOST_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Credit counts bytes only, so a guest may send as many empty messages as it
 * likes: this many may wait for a program that does not read them.
 */
#define MESSAGES_MAX 16384u

struct messages {
	uint32_t *len; /* a ring, allocated by the first message put in */
	uint32_t head;
	uint32_t count;
	uint32_t open; /* bytes of the last message, whose end is to come */
};

/* There are @len more bytes, and a message ends there; -errno or 0. */
int messages_add(struct messages *messages, uint32_t len, bool end);

/* The length of the first whole message, or what is left of it; or -EAGAIN. */
int64_t messages_first(const struct messages *messages);

/* Drops bytes from its front; it is gone with its last byte. */
void messages_drop(struct messages *messages, uint32_t len);

void messages_free(struct messages *messages);

#endif
