// SPDX-License-Identifier: GPL-2.0-only
/* Messages of the vhost-user protocol: how they get here and back. */
#include "vhost_user_msg.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util.h"

/* The header, with the descriptors that come along. */
static int receive_header(int fd, struct vhost_user_msg *msg)
{
	union {
		char buf[CMSG_SPACE(sizeof(msg->fds))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { &msg->hdr, sizeof(msg->hdr) };
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg;
	ssize_t n = recvmsg(fd, &mh, MSG_WAITALL | MSG_CMSG_CLOEXEC);

	msg->fd_count = 0;
	if (n < 0)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&mh);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS) {
		size_t len = cmsg->cmsg_len - CMSG_LEN(0);

		memcpy(msg->fds, CMSG_DATA(cmsg), len);
		msg->fd_count = len / sizeof(*msg->fds);
	}
	if (n == 0)
		return -ECONNRESET;
	return n == sizeof(msg->hdr) ? 0 : -EPROTO;
}

int vhost_user_receive(int fd, struct vhost_user_msg *msg)
{
	int err = receive_header(fd, msg);
	uint32_t size = msg->hdr.size;

	if (err)
		return err;
	if ((msg->hdr.flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION ||
	    size > sizeof(msg->payload))
		return -EPROTO;
	if (size && recv(fd, &msg->payload, size, MSG_WAITALL) != (ssize_t)size)
		return -EPROTO;
	return 0;
}

int vhost_user_reply(int fd, struct vhost_user_msg *msg)
{
	/* Two pieces: the payload follows without the header's padding. */
	struct iovec iov[] = {
		{ &msg->hdr, sizeof(msg->hdr) },
		{ &msg->payload, msg->hdr.size },
	};
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };
	ssize_t size = sizeof(msg->hdr) + msg->hdr.size;

	msg->hdr.flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
	return sendmsg(fd, &mh, MSG_NOSIGNAL) == size ? 0 : -EPIPE;
}

void vhost_user_close_fds(struct vhost_user_msg *msg)
{
	for (unsigned int i = 0; i < msg->fd_count; i++)
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
	msg->fd_count = 0;
}
