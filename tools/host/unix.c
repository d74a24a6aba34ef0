// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unix sockets as endpoints. All are edge triggered: a connection remembers
 * that it may read or write until a call says otherwise.
 *
 * A message of SEQPACKET is one of SOCK_SEQPACKET, an empty one too: programs
 * that expect those have to tell them from the end, which recv() shows by 0 as
 * well. As here: the sender's credentials come with a message only.
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
#include "options.h"
#include "packet.h"
#include "util.h"
#include "vsock.h"

#define DATA_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

#define MESSAGES_SUFFIX "_seqpacket"

/* What AF_UNIX needs beside the message. */
#define MESSAGE_OVERHEAD 1024

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

/* What the sockets have to be told that messages shall go through. */
static void prepare_messages(const struct conn *conn)
{
	int on = 1, size = conn->vs->opts->buf_alloc + MESSAGE_OVERHEAD;

	setsockopt(conn->src.fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	if (setsockopt(conn->src.fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
		       sizeof(size)))
		setsockopt(conn->src.fd, SOL_SOCKET, SO_SNDBUF, &size,
			   sizeof(size));
}

static int64_t message_next(struct conn *conn)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n = recvmsg(conn->src.fd, &msg,
			    MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	return n || msg.msg_controllen ? n : -ENODATA;
}

/* Takes the whole message out of the socket, for more than one packet. */
static int stage_message(struct conn *conn)
{
	struct buf *staged = &conn->staged;
	ssize_t n;

	staged->capacity = conn->message_left;
	staged->data = malloc(staged->capacity);
	if (!staged->data)
		return -ENOMEM;
	n = recv(conn->src.fd, staged->data, staged->capacity, MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	staged->len = n;
	return staged->len == staged->capacity ? 0 : -EIO;
}

static ssize_t message_read(struct conn *conn, const struct iov *iov)
{
	/* Not cut down to what one call takes, which then rather fails. */
	struct msghdr msg = {
		.msg_iov = iov->vec,
		.msg_iovlen = iov->count,
	};
	struct buf *staged = &conn->staged;
	size_t n = iov_size(iov);
	int err = 0;

	if (!staged->len && n == conn->message_left)
		return result(recvmsg(conn->src.fd, &msg, MSG_DONTWAIT));
	if (!staged->len)
		err = stage_message(conn);
	if (err)
		return err;
	n = buf_copy(staged, iov);
	buf_drop(staged, n);
	if (!staged->len)
		buf_free(staged);
	return n;
}

static ssize_t message_write(struct conn *conn, const struct iov *iov)
{
	struct msghdr msg = {
		.msg_iov = iov->vec,
		.msg_iovlen = iov->count,
	};

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

static const struct endpoint_ops stream_ops = {
	.drains = true,
	.read = unix_read,
	.peek = unix_peek,
	.write = unix_write,
	.shutdown = unix_shutdown,
	.gone = unix_gone,
	.accepted = unix_accepted,
	.close = unix_close,
};

static const struct endpoint_ops message_ops = {
	.drains = true,
	.next = message_next,
	.read = message_read,
	.write = message_write,
	.shutdown = unix_shutdown,
	.gone = unix_gone,
	.accepted = unix_accepted,
	.close = unix_close,
};

/*
 * Reads the line and not a byte of what may follow; 0 if it is not whole, which
 * a message cannot become.
 */
static ssize_t read_line(int fd, char line[LINE_MAX_LEN], bool message)
{
	ssize_t n = recv(fd, line, LINE_MAX_LEN - 1, MSG_PEEK | MSG_DONTWAIT);
	const char *end;

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	end = memchr(line, '\n', n);
	if (!end)
		return message || n == 0 || n == LINE_MAX_LEN - 1 ? -EPROTO : 0;
	if (message && end + 1 != line + n)
		return -EPROTO;
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
	ssize_t n = read_line(conn->src.fd, line, conn->ops == &message_ops);

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

static int unix_socket(int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* Makes the socket the connection's, to be closed with it. */
static struct conn *adopt(struct vsock *vs, int fd, int type)
{
	bool messages = type == SOCK_SEQPACKET;
	struct conn *conn = conn_new(vs, messages ? &message_ops : &stream_ops,
				     messages ? VIRTIO_VSOCK_TYPE_SEQPACKET :
						VIRTIO_VSOCK_TYPE_STREAM);

	if (!conn) {
		close(fd);
		return NULL;
	}
	if (loop_add(vs->loop, &conn->src, fd, DATA_EVENTS, ready)) {
		conn_kill(conn);
		return NULL;
	}
	if (messages)
		prepare_messages(conn);
	return conn;
}

struct conn *unix_connect(struct vsock *vs, uint16_t type, uint32_t port)
{
	bool messages = type == VIRTIO_VSOCK_TYPE_SEQPACKET;
	int fd, unix_type = messages ? SOCK_SEQPACKET : SOCK_STREAM;
	struct sockaddr_un sa;
	char path[UNIX_PATH];

	snprintf(path, sizeof(path), "%s_%u%s", vs->opts->uds, port,
		 messages ? MESSAGES_SUFFIX : "");
	if (address(&sa, path))
		return NULL;
	fd = unix_socket(unix_type);
	if (fd < 0)
		return NULL;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		close(fd);
		return NULL;
	}
	return adopt(vs, fd, unix_type);
}

int unix_bind(const char *path, int type)
{
	struct sockaddr_un sa;
	struct stat st;
	int err = address(&sa, path), fd;

	if (err)
		return err;
	fd = unix_socket(type);
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
	int fd;

	(void)events;
	while ((fd = accept4(src->fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		adopt(listener->vs, fd, listener->type);
}

int unix_listen(struct unix_listener *listener, struct vsock *vs, int type)
{
	int fd;

	snprintf(listener->path, sizeof(listener->path), "%s%s", vs->opts->uds,
		 type == SOCK_SEQPACKET ? MESSAGES_SUFFIX : "");
	fd = unix_bind(listener->path, type);
	if (fd < 0)
		return fd;
	listener->vs = vs;
	listener->type = type;
	return loop_add(vs->loop, &listener->src, fd, EPOLLIN | EPOLLET,
			accept_all);
}

void unix_unlisten(struct unix_listener *listener)
{
	loop_close(listener->vs->loop, &listener->src);
	unlink(listener->path);
}
