// SPDX-License-Identifier: GPL-2.0-only
/*
 * The habit that several host devices share: a guest's connection to host
 * port P arrives at the unix socket BASE_P; the other way one connects to BASE
 * and writes "CONNECT P\n".
 */
#include "uds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 256

static int address(struct sockaddr_un *addr, const char *base, uint32_t port)
{
	int n;

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (port)
		n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s_%u",
			     base, port);
	else
		n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s",
			     base);
	if (n >= 0 && (size_t)n < sizeof(addr->sun_path))
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

static int close_failed(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
	return -1;
}

int uds_listen(const char *base, uint32_t port)
{
	struct sockaddr_un addr;
	int fd;

	if (address(&addr, base, port))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	unlink(addr.sun_path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, BACKLOG))
		return close_failed(fd);
	return fd;
}

void uds_unlisten(const char *base, uint32_t port, int fd)
{
	struct sockaddr_un addr;

	if (!address(&addr, base, port))
		unlink(addr.sun_path);
	close(fd);
}

int uds_dial(const char *base, uint32_t port)
{
	struct sockaddr_un addr;
	char line[32];
	int fd, n;

	if (address(&addr, base, 0))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	n = snprintf(line, sizeof(line), "CONNECT %u\n", port);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    send(fd, line, n, MSG_NOSIGNAL) != n)
		return close_failed(fd);
	return fd;
}

/* Byte by byte, as what follows the line is data. */
int uds_read_line(int fd, char *line, size_t size)
{
	size_t len = 0;

	while (len + 1 < size) {
		ssize_t n = recv(fd, line + len, 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n;
		if (line[len] == '\n') {
			line[len] = '\0';
			return len;
		}
		len++;
	}
	errno = EMSGSIZE;
	return -1;
}
