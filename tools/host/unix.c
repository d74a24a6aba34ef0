// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unix sockets as endpoints. All are edge triggered: a connection remembers
 * that it may read or write until a call says otherwise.
 */
#include "unix.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <poll.h>
#include <unistd.h>

#include "conn.h"
#include "flow.h"
#include "iov.h"
#include "util.h"
#include "vsock.h"

#define DATA_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

/* "CONNECT ", a port, and some patience for spaces. */
#define LINE_MAX_LEN 32

static ssize_t result(ssize_t n)
{
	return n < 0 ? -errno : n;
}

static struct msghdr message(const struct iov *iov)
{
	return (struct msghdr){
		.msg_iov = iov->vec,
		.msg_iovlen = min(iov->count, IOV_MAX),
	};
}

static ssize_t unix_read(struct conn *conn, const struct iov *iov)
{
	struct msghdr msg = message(iov);

	return result(recvmsg(conn->src.fd, &msg, MSG_DONTWAIT));
}

static ssize_t unix_peek(struct conn *conn)
{
	char c;

	return result(recv(conn->src.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT));
}

static ssize_t unix_write(struct conn *conn, const struct iov *iov)
{
	struct msghdr msg = message(iov);

	return result(sendmsg(conn->src.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void unix_shutdown(struct conn *conn, int how)
{
	shutdown(conn->src.fd, how);
}

static bool unix_gone(struct conn *conn)
{
	struct pollfd pfd = { .fd = conn->src.fd };

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLHUP);
}

static void unix_accepted(struct conn *conn)
{
	char line[LINE_MAX_LEN];
	int len = snprintf(line, sizeof(line), "OK %u\n", conn->host_port);

	/* The first bytes on this socket: they fit, or nobody is there. */
	if (send(conn->src.fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) != len)
		flow_gone(conn);
}

static void unix_close(struct conn *conn)
{
	loop_close(conn->vs->loop, &conn->src);
}

const struct endpoint_ops unix_ops = {
	.drains = true,
	.read = unix_read,
	.peek = unix_peek,
	.write = unix_write,
	.shutdown = unix_shutdown,
	.gone = unix_gone,
	.accepted = unix_accepted,
	.close = unix_close,
};

/* Reads the line and not a byte of what may follow; 0 if it is not whole. */
static ssize_t read_line(int fd, char line[LINE_MAX_LEN])
{
	ssize_t n = recv(fd, line, LINE_MAX_LEN - 1, MSG_PEEK | MSG_DONTWAIT);
	const char *end;

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	end = memchr(line, '\n', n);
	if (!end)
		return n == 0 || n == LINE_MAX_LEN - 1 ? -EPROTO : 0;
	n = recv(fd, line, end + 1 - line, MSG_DONTWAIT);
	line[n - 1] = '\0';
	return n;
}

static bool parse_port(const char *line, uint32_t *port)
{
	static const char verb[] = "CONNECT ";
	unsigned long long v;
	char *end;

	if (strncmp(line, verb, sizeof(verb) - 1))
		return false;
	errno = 0;
	v = strtoull(line + sizeof(verb) - 1, &end, 10);
	*port = v;
	return !errno && end > line + sizeof(verb) - 1 && !*end &&
	       v < UINT32_MAX;
}

static void handshake(struct conn *conn, uint32_t events)
{
	char line[LINE_MAX_LEN];
	uint32_t port;
	ssize_t n = read_line(conn->src.fd, line);

	if (n == 0 && !(events & (EPOLLHUP | EPOLLRDHUP)))
		return;
	if (n > 0 && parse_port(line, &port))
		vsock_connect(conn, port);
	else
		conn_kill(conn);
}

static void data_ready(struct conn *conn, uint32_t events)
{
	if (events & EPOLLOUT)
		flow_writable(conn);
	if (conn->state == CONN_DEAD)
		return;
	if (events & (EPOLLHUP | EPOLLERR))
		flow_gone(conn);
	else if (events & (EPOLLIN | EPOLLRDHUP))
		flow_readable(conn);
}

static void ready(struct source *src, uint32_t events)
{
	struct conn *conn = container_of(src, struct conn, src);

	if (conn->state == CONN_HANDSHAKE)
		handshake(conn, events);
	else if (conn->state != CONN_CONNECTING)
		data_ready(conn, events);
	else if (events & EPOLLHUP)
		/* The program lost patience before the guest answered. */
		vsock_reset(conn);
}

static int address(struct sockaddr_un *sa, const char *path)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	strcpy(sa->sun_path, path);
	return 0;
}

static int unix_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int unix_connect(struct conn *conn, const char *base, uint32_t port)
{
	char path[PATH_MAX];
	struct sockaddr_un sa;
	int fd, err;

	snprintf(path, sizeof(path), "%s_%u", base, port);
	err = address(&sa, path);
	if (err)
		return err;
	fd = unix_socket();
	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		err = -errno;
		close(fd);
		return err;
	}
	/* From here on it is the connection's to close. */
	return loop_add(conn->vs->loop, &conn->src, fd, DATA_EVENTS, ready);
}

int unix_bind(const char *path)
{
	struct sockaddr_un sa;
	struct stat st;
	int err = address(&sa, path), fd;

	if (err)
		return err;
	fd = unix_socket();
	if (fd < 0)
		return fd;
	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    listen(fd, SOMAXCONN)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static void accept_all(struct source *src, uint32_t events)
{
	struct unix_listener *listener =
		container_of(src, struct unix_listener, src);
	struct conn *conn;
	int fd;

	(void)events;
	while ((fd = accept4(src->fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		conn = conn_new(listener->vs, &unix_ops);
		if (!conn)
			close(fd);
		else if (loop_add(listener->vs->loop, &conn->src, fd,
				  DATA_EVENTS, ready))
			conn_kill(conn);
	}
}

int unix_listen(struct unix_listener *listener, struct vsock *vs,
		const char *path)
{
	int fd = unix_bind(path);

	if (fd < 0)
		return fd;
	listener->vs = vs;
	listener->path = path;
	return loop_add(vs->loop, &listener->src, fd, EPOLLIN | EPOLLET,
			accept_all);
}

void unix_unlisten(struct unix_listener *listener)
{
	loop_close(listener->vs->loop, &listener->src);
	unlink(listener->path);
}
