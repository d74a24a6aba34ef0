// SPDX-License-Identifier: GPL-2.0-only
/* Where messages end in a run of bytes that is kept elsewhere. */
#include "messages.h"

#include <errno.h>
#include <stdlib.h>

int messages_add(struct messages *messages, uint32_t len, bool end)
{
	uint32_t tail = (messages->head + messages->count) % MESSAGES_MAX;

	messages->open += len;
	if (!end)
		return 0;
	if (messages->count == MESSAGES_MAX)
		return -ENOBUFS;
	if (!messages->len)
		messages->len = malloc(MESSAGES_MAX * sizeof(*messages->len));
	if (!messages->len)
		return -ENOMEM;
	messages->len[tail] = messages->open;
	messages->open = 0;
	messages->count++;
	return 0;
}

int64_t messages_first(const struct messages *messages)
{
	if (!messages->count)
		return -EAGAIN;
	return messages->len[messages->head];
}

void messages_drop(struct messages *messages, uint32_t len)
{
	uint32_t *first = &messages->len[messages->head];

	*first -= len;
	if (*first)
		return;
	messages->head = (messages->head + 1) % MESSAGES_MAX;
	messages->count--;
}

void messages_free(struct messages *messages)
{
	free(messages->len);
	*messages = (struct messages) {};
}
