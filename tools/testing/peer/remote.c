// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands to others on the host, each over a connection of its own: QEMU's
 * monitor serves one at a time, and lets the next one wait until then.
 */
#include "remote.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "uds.h"

#define HANG_GUARD_S 20
#define PROMPT "(qemu) "

static int open_remote(const char *path, char *reply, size_t size)
{
	struct timeval guard = { .tv_sec = HANG_GUARD_S };
	int fd = path ? uds_connect(path) : -1;

	if (!path)
		snprintf(reply, size, "error no such socket was given");
	else if (fd < 0)
		snprintf(reply, size, "error %s: %s", path, strerror(errno));
	else
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard));
	return fd;
}

static bool send_line(int fd, const char *line)
{
	char text[256];
	int len = snprintf(text, sizeof(text), "%s\n", line);

	return (size_t)len < sizeof(text) &&
	       send(fd, text, len, MSG_NOSIGNAL) == len;
}

void remote_control(const char *path, const char *line, char *reply,
		    size_t size)
{
	int fd = open_remote(path, reply, size);

	if (fd < 0)
		return;
	if (!send_line(fd, line) || uds_read_line(fd, reply, size) <= 0)
		snprintf(reply, size, "error no answer from %s", path);
	close(fd);
}

/*
 * Text up to a prompt, which is cut off; what is too long loses its beginning.
 * (The monitor writes a long line anew for each key, as for a terminal.)
 */
static bool read_to_prompt(int fd, char *text, size_t size)
{
	const size_t end = strlen(PROMPT), half = size / 2;
	size_t len = 0;

	for (;;) {
		ssize_t n = recv(fd, text + len, size - 1 - len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		len += n;
		text[len] = '\0';
		if (len >= end && !strcmp(text + len - end, PROMPT)) {
			text[len - end] = '\0';
			return true;
		}
		if (len > half) {
			memmove(text, text + len - half, half);
			len = half;
		}
	}
}

/* One line of them: what a terminal would be told is no text. */
static void join_lines(char *to, size_t size, const char *from)
{
	size_t len = 0;

	for (; *from && len + 1 < size; from++) {
		if (*from >= ' ')
			to[len++] = *from;
		else if (*from == '\n')
			to[len++] = from[1] ? '|' : '\0';
	}
	to[len] = '\0';
}

static void type(int fd, const char *line, char *reply, size_t size)
{
	char text[4096], *output;

	if (!read_to_prompt(fd, text, sizeof(text)) || !send_line(fd, line) ||
	    !read_to_prompt(fd, text, sizeof(text))) {
		snprintf(reply, size, "error no prompt from the monitor");
		return;
	}
	/* The first line is the echo of what was typed. */
	output = strchr(text, '\n');
	if (!output || !output[1]) {
		snprintf(reply, size, "ok");
		return;
	}
	snprintf(reply, size, "error ");
	join_lines(reply + strlen(reply), size - strlen(reply), output + 1);
}

void remote_monitor(const char *path, const char *line, char *reply,
		    size_t size)
{
	int fd = open_remote(path, reply, size);

	if (fd < 0)
		return;
	type(fd, line, reply, size);
	close(fd);
}
