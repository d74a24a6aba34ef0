// SPDX-License-Identifier: GPL-2.0-only
/* TCP connections, which the kernel bridges to the host. */
#include "tcp.h"

#include <argp.h>
#include <errno.h>
#include <error.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "command.h"

/* Time for a TCP peer to answer: the other connections have to wait. */
#define CONNECT_SECONDS 10

/* Cuts HOST:PORT into two; brackets let an IPv6 address have colons. */
static const char *split(char *text, char **port)
{
	char *colon = strrchr(text, ':');
	size_t len;

	if (!colon) {
		*port = text;
		return "127.0.0.1";
	}
	*port = colon + 1;
	*colon = 0;
	len = strlen(text);
	if (*text != '[' || text[len - 1] != ']')
		return text;
	text[len - 1] = 0;
	return text + 1;
}

struct addrinfo *arg_tcp(const struct argp_state *state, const char *text)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *to = NULL;
	char *copy = strdup(text);
	const char *host;
	char *port;
	int ret;

	if (!copy)
		argp_failure(state, STATUS_ERROR, errno, "memory");
	host = split(copy, &port);
	ret = getaddrinfo(host, port, &hints, &to);
	if (ret)
		argp_failure(state, STATUS_ERROR, 0, "%s: %s", text,
			     gai_strerror(ret));
	free(copy);
	return to;
}

static int connect_one(const struct addrinfo *to)
{
	const struct timeval limit = { .tv_sec = CONNECT_SECONDS }, none = {};
	const int on = 1;
	int fd, error;

	fd = socket(to->ai_family, to->ai_socktype | SOCK_CLOEXEC,
		    to->ai_protocol);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, to->ai_addr, to->ai_addrlen)) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		return fd;
	}
	error = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(fd);
	errno = error;
	return -1;
}

int tcp_connect(const struct addrinfo *to)
{
	int fd = -1;

	for (; to && fd < 0; to = to->ai_next)
		fd = connect_one(to);
	if (fd < 0)
		error(0, errno, "TCP connection");
	return fd;
}
