// SPDX-License-Identifier: GPL-2.0-only
/* A byte ring of fixed capacity. */
#include "buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iov.h"
#include "util.h"

static void put_piece(struct buf *buf, const uint8_t *data, size_t len)
{
	size_t tail = (buf->head + buf->len) % buf->capacity;
	size_t first = min(len, buf->capacity - tail);

	memcpy(buf->data + tail, data, first);
	memcpy(buf->data, data + first, len - first);
	buf->len += len;
}

int buf_put(struct buf *buf, const struct iov *iov)
{
	if (!buf->data)
		buf->data = malloc(buf->capacity);
	if (!buf->data)
		return -ENOMEM;
	for (int i = 0; i < iov->count; i++)
		put_piece(buf, iov->vec[i].iov_base, iov->vec[i].iov_len);
	return 0;
}

int buf_peek(const struct buf *buf, struct iovec vec[2])
{
	size_t first = min(buf->len, buf->capacity - buf->head);

	if (!buf->len)
		return 0;
	vec[0].iov_base = buf->data + buf->head;
	vec[0].iov_len = first;
	vec[1].iov_base = buf->data;
	vec[1].iov_len = buf->len - first;
	return vec[1].iov_len ? 2 : 1;
}

size_t buf_copy(const struct buf *buf, const struct iov *iov)
{
	size_t done = 0;

	for (int i = 0; i < iov->count && done < buf->len; i++) {
		size_t n = min(iov->vec[i].iov_len, buf->len - done);
		size_t from = (buf->head + done) % buf->capacity;
		size_t first = min(n, buf->capacity - from);
		uint8_t *to = iov->vec[i].iov_base;

		memcpy(to, buf->data + from, first);
		memcpy(to + first, buf->data, n - first);
		done += n;
	}
	return done;
}

void buf_drop(struct buf *buf, size_t len)
{
	buf->head = (buf->head + len) % buf->capacity;
	buf->len -= len;
	/* Starting over at the front keeps the content in one piece. */
	if (!buf->len)
		buf->head = 0;
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	buf->data = NULL;
	buf->len = 0;
	buf->head = 0;
}
