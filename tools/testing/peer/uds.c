// SPDX-License-Identifier: GPL-2.0-only
/*
 * The habit that several host devices share: a guest's connection to host
 * port P arrives at the unix socket BASE_P; the other way one connects to BASE
 * and writes "CONNECT P\n". The sockets of SEQPACKET connections are named
 * alike, with an ending.
 */
#include "uds.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 256

/* A hang guard of 20 s. */
#define DRAIN_LOOK_MS 1
#define DRAIN_LOOKS 20000

static int address(struct sockaddr_un *addr, const char *base, uint32_t port,
		   int type)
{
	char middle[16] = "";
	int n;

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (port)
		snprintf(middle, sizeof(middle), "_%u", port);
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s%s%s", base,
		     middle, type == SOCK_SEQPACKET ? "_seqpacket" : "");
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

int uds_listen(const char *base, uint32_t port, int type)
{
	struct sockaddr_un addr;
	int fd;

	if (address(&addr, base, port, type))
		return -1;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	unlink(addr.sun_path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, BACKLOG))
		return close_failed(fd);
	return fd;
}

void uds_unlisten(const char *base, uint32_t port, int type, int fd)
{
	struct sockaddr_un addr;

	if (!address(&addr, base, port, type))
		unlink(addr.sun_path);
	close(fd);
}

static int connect_to(const char *path, int type)
{
	struct sockaddr_un addr;
	int fd;

	if (address(&addr, path, 0, type))
		return -1;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return close_failed(fd);
	return fd;
}

int uds_connect(const char *path)
{
	return connect_to(path, SOCK_STREAM);
}

int uds_dial(const char *base, uint32_t port, int type)
{
	int fd = connect_to(base, type), n;
	char line[32];

	if (fd < 0)
		return -1;
	n = snprintf(line, sizeof(line), "CONNECT %u\n", port);
	if (send(fd, line, n, MSG_NOSIGNAL) != n)
		return close_failed(fd);
	return fd;
}

/* Nothing wakes a writer for that, so it looks again and again. */
bool uds_drain(int fd)
{
	for (int i = 0; i < DRAIN_LOOKS; i++) {
		int left = 0;

		if (ioctl(fd, SIOCOUTQ, &left) || !left)
			return true;
		poll(NULL, 0, DRAIN_LOOK_MS);
	}
	return false;
}

/* The same for a line that is a message of its own. */
static int read_message(int fd, char *line, size_t size)
{
	ssize_t n = recv(fd, line, size, MSG_TRUNC);

	if (n <= 0)
		return n;
	if ((size_t)n > size || line[n - 1] != '\n') {
		errno = EMSGSIZE;
		return -1;
	}
	line[n - 1] = '\0';
	return n - 1;
}

int uds_type(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	return type;
}

/* Byte by byte, as what follows the line is data. */
int uds_read_line(int fd, char *line, size_t size)
{
	size_t len = 0;

	if (uds_type(fd) == SOCK_SEQPACKET)
		return read_message(fd, line, size);

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
