// SPDX-License-Identifier: GPL-2.0-only
/* Bytes through a connection, and the order that one begins with. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "measure.h"

#define PIECE (64 * KIB)

void link_write(const struct link *link, const void *buf, size_t len)
{
	const char *at = buf;

	while (len) {
		ssize_t n = send(link->sock, at, len, MSG_NOSIGNAL);

		if (n < 0)
			die("send: %s", strerror(errno));
		at += n;
		len -= n;
	}
}

static size_t read_some(const struct link *link, void *buf, size_t len)
{
	ssize_t n = recv(link->sock, buf, len, 0);

	if (n <= 0)
		die("recv: %s", n ? strerror(errno) : "end of file");
	return n;
}

void link_read(const struct link *link, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len)
		done += read_some(link, (char *)buf + done, len - done);
}

void link_skip(const struct link *link, uint64_t count)
{
	static char buf[PIECE];

	while (count)
		count -= read_some(link, buf, count < PIECE ? count : PIECE);
}

void order_write(int sock, enum order_verb verb, uint32_t size, uint64_t count)
{
	struct order order = { .verb = verb, .size = size, .count = count };
	struct link link = { .sock = sock };

	link_write(&link, &order, sizeof(order));
}

void ask_host(const struct run *run, enum order_verb verb, char *line,
	      size_t size)
{
	struct link link = link_order(run, verb, 1, 0);

	for (; size > 1; size--) {
		link_read(&link, line, 1);
		if (*line++ == '\n')
			break;
	}
	*line = '\0';
	run->side->close(&link);
}

struct link link_order(const struct run *run, enum order_verb verb,
		       uint32_t size, uint64_t count)
{
	struct link link = run->side->open(run->variant, ORDER_PORT);

	order_write(link.sock, verb, size, count);
	return link;
}
