// SPDX-License-Identifier: GPL-2.0-only
/* What the mob does to sockets, whoever else has them, the driver included. */
#include "mob.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 65536

static bool tcp(int pair[2])
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pair[1] = -1;
	if (!listen(listener, 1) &&
	    !getsockname(listener, (struct sockaddr *)&addr, &len) &&
	    !connect(pair[0], (struct sockaddr *)&addr, sizeof(addr)))
		pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	if (pair[1] >= 0)
		return true;
	close(pair[0]);
	return false;
}

static bool local(int type, int pair[2])
{
	return !socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair);
}

bool typed_pair(struct player *player, unsigned int type, int pair[2])
{
	if (type == VSOCKDEV_TYPE_SEQPACKET)
		return local(SOCK_SEQPACKET, pair);
	return one_in(player, 4) ? tcp(pair) : local(SOCK_STREAM, pair);
}

bool any_pair(struct player *player, int pair[2])
{
	if (one_in(player, 6))
		return local(SOCK_DGRAM, pair);
	return typed_pair(player, pick(player, 1, 2), pair);
}

/* Mostly without waiting: signals end that, but cost time. */
static int flags_of(struct player *player)
{
	int flags = MSG_NOSIGNAL;

	if (!one_in(player, 8))
		flags |= MSG_DONTWAIT;
	if (one_in(player, 8))
		flags |= MSG_OOB;
	return flags;
}

static size_t size_of(struct player *player)
{
	return one_in(player, 2) ? pick(player, 0, 300) :
				   pick(player, 1, CHUNK);
}

static void act_send(struct player *player)
{
	int sock = take_sock(player);
	size_t size = size_of(player);

	send(sock, place(player, NULL, size), size, flags_of(player));
	put_sock(player, sock);
}

static void act_recv(struct player *player)
{
	static const int more[] = { 0, 0, MSG_PEEK, MSG_WAITALL, MSG_TRUNC,
				    MSG_ERRQUEUE };
	int sock = take_sock(player);
	size_t size = one_in(player, 2) ? pick(player, 1, 4096) :
					  size_of(player);

	recv(sock, place(player, NULL, size), size,
	     flags_of(player) | PICK(player, more));
	put_sock(player, sock);
}

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

void send_fds(struct player *player, int sock, const int *fds,
	      unsigned int count, int flags)
{
	union control control = {};
	struct iovec iov = { player->arena, pick(player, 0, 100) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(*fds)),
	};

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(count * sizeof(*fds));
	memcpy(CMSG_DATA(&control.head), fds, count * sizeof(*fds));
	sendmsg(sock, &msg, flags);
}

unsigned int receive_fds(struct player *player, int sock, int fds[FDS_MAX])
{
	union control control;
	struct iovec iov = { player->arena, CHUNK };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	size_t size;

	if (recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0 ||
	    msg.msg_controllen < sizeof(control.head) ||
	    control.head.cmsg_type != SCM_RIGHTS)
		return 0;
	size = control.head.cmsg_len - CMSG_LEN(0);
	memcpy(fds, CMSG_DATA(&control.head), size);
	return size / sizeof(*fds);
}

/* Descriptors of anything, into anything. */
static void act_send_fds(struct player *player)
{
	int sock = take_sock(player);
	int file = one_in(player, 4) ? take_file(player) : -1;
	int fds[] = { take_node(player), take_sock(player), sock, file };
	unsigned int count = 0;
	int sent[4];

	for (int i = 0; i < 4; i++)
		if (fds[i] >= 0 && !one_in(player, 4))
			sent[count++] = fds[i];
	send_fds(player, sock, sent, count, flags_of(player));
	put_node(player, fds[0]);
	put_sock(player, fds[1]);
	put_sock(player, sock);
	put_file(player, file);
}

static void act_recv_fds(struct player *player)
{
	int sock = take_sock(player), fds[FDS_MAX];
	unsigned int count = receive_fds(player, sock, fds);

	for (unsigned int i = 0; i < count; i++)
		put_any(player, fds[i]);
	put_sock(player, sock);
}

static void act_shut(struct player *player)
{
	int sock = take_sock(player);

	shutdown(sock, pick(player, 0, 2));
	put_sock(player, sock);
}

static void act_option(struct player *player)
{
	static const struct {
		int level;
		int name;
		int max;
	} options[] = {
		{ SOL_SOCKET, SO_SNDBUF, 200000 },
		{ SOL_SOCKET, SO_RCVBUF, 200000 },
		{ SOL_SOCKET, SO_SNDBUFFORCE, 4000000 },
		{ SOL_SOCKET, SO_RCVLOWAT, 5000 },
		{ SOL_SOCKET, SO_PASSCRED, 1 },
		{ SOL_SOCKET, SO_PEEK_OFF, 100 },
		{ SOL_SOCKET, SO_OOBINLINE, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_CORK, 1 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 100 },
		{ IPPROTO_TCP, TCP_REPAIR, 1 },
	};
	unsigned int i = pick(player, 0, sizeof(options) / 12 - 1);
	struct linger linger = { pick(player, 0, 1), 0 };
	int value = pick(player, 0, options[i].max);
	int sock = take_sock(player);

	setsockopt(sock, options[i].level, options[i].name, &value,
		   sizeof(value));
	setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	setsockopt(sock, IPPROTO_TCP, TCP_ULP, "tls", 3);
	put_sock(player, sock);
}

/* Makes it another socket, as far as it can. */
static void act_reconnect(struct player *player)
{
	struct sockaddr addr = { .sa_family = AF_UNSPEC };
	int sock = take_sock(player);

	connect(sock, &addr, sizeof(addr));
	if (one_in(player, 4) && !listen(sock, 1))
		put_sock(player, accept4(sock, NULL, NULL,
					 SOCK_CLOEXEC | SOCK_NONBLOCK));
	put_sock(player, sock);
}

static void act_look(struct player *player)
{
	int sock = take_sock(player), value;
	struct pollfd fds = { .fd = sock, .events = -1 };
	socklen_t len = sizeof(value);

	poll(&fds, 1, 0);
	ioctl(sock, FIONREAD, &value);
	ioctl(sock, SIOCATMARK, &value);
	getsockopt(sock, SOL_SOCKET, SO_ERROR, &value, &len);
	put_sock(player, sock);
}

/* Without a copy, by way of a pipe. */
static void act_splice(struct player *player)
{
	int from = take_sock(player), to = take_sock(player);
	struct iovec iov = { player->arena, pick(player, 1, 30000) };
	int ends[2];

	if (!pipe2(ends, O_CLOEXEC | O_NONBLOCK)) {
		if (one_in(player, 2))
			splice(from, NULL, ends[1], NULL, CHUNK,
			       SPLICE_F_NONBLOCK);
		else
			vmsplice(ends[1], &iov, 1, SPLICE_F_NONBLOCK);
		splice(ends[0], NULL, to, NULL, CHUNK, SPLICE_F_NONBLOCK);
		close(ends[0]);
		close(ends[1]);
	}
	put_sock(player, from);
	put_sock(player, to);
}

static void act_sendfile(struct player *player)
{
	int sock = take_sock(player), file = take_file(player);
	off_t offset = pick(player, 0, 100000);

	fcntl(sock, F_SETFL, O_NONBLOCK);
	sendfile(sock, file, &offset, size_of(player));
	put_file(player, file);
	put_sock(player, sock);
}

static void act_dup(struct player *player)
{
	int sock = take_sock(player);

	put_sock(player, fcntl(sock, F_DUPFD_CLOEXEC, 0));
	put_sock(player, sock);
}

static void act_close(struct player *player)
{
	close(take_sock(player));
}

/* Both ends of one pair, in the hands of whoever takes them. */
static void act_make(struct player *player)
{
	int pair[2];

	if (!any_pair(player, pair))
		return;
	put_sock(player, pair[0]);
	put_sock(player, pair[1]);
}

const struct act mob_socks[] = {
	ACT(40, act_send),	ACT(40, act_recv),     ACT(10, act_send_fds),
	ACT(10, act_recv_fds),	ACT(6, act_shut),      ACT(8, act_option),
	ACT(3, act_reconnect),	ACT(8, act_look),      ACT(8, act_splice),
	ACT(6, act_sendfile),	ACT(8, act_dup),       ACT(10, act_close),
	ACT(10, act_make),	{}
};
