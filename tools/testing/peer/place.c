// SPDX-License-Identifier: GPL-2.0-only
/* AF_VSOCK, or else the unix sockets of uds. */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "uds.h"

#define BACKLOG 256

/* The kernel's own 2 s are short for a guest that is emulated twice. */
#define CONNECT_TIMEOUT_S 60

#ifndef SO_VM_SOCKETS_CONNECT_TIMEOUT
#define SO_VM_SOCKETS_CONNECT_TIMEOUT SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD
#endif

static int vsock_fail(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
	return -1;
}

static int vsock_listen(uint32_t port, int type)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = port,
	};
	int fd = socket(AF_VSOCK, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(fd, BACKLOG))
		return vsock_fail(fd);
	return fd;
}

static int vsock_dial(uint32_t cid, uint32_t port, int type)
{
	struct timeval timeout = { .tv_sec = CONNECT_TIMEOUT_S };
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK,
		.svm_cid = cid,
		.svm_port = port,
	};
	int fd = socket(AF_VSOCK, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &timeout,
		       sizeof(timeout)))
		return vsock_fail(fd);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) &&
	    errno != EINPROGRESS)
		return vsock_fail(fd);
	return fd;
}

static int vsock_dialled(int fd, char *line, size_t size)
{
	struct sockaddr_vm addr = {};
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ||
	    fcntl(fd, F_SETFL, 0))
		return -1;
	if (error)
		return 0;
	len = sizeof(addr);
	getsockname(fd, (struct sockaddr *)&addr, &len);
	return snprintf(line, size, "OK %u", addr.svm_port);
}

int place_listen(const struct place *place, uint32_t port, int type)
{
	if (place->base)
		return uds_listen(place->base, port, type);
	return vsock_listen(port, type);
}

void place_unlisten(const struct place *place, uint32_t port, int type, int fd)
{
	if (place->base)
		uds_unlisten(place->base, port, type, fd);
	else
		close(fd);
}

int place_dial(const struct place *place, uint32_t port, int type)
{
	if (place->base)
		return uds_dial(place->base, port, type);
	return vsock_dial(place->cid, port, type);
}

short place_dial_event(const struct place *place)
{
	return place->base ? POLLIN : POLLOUT;
}

int place_dialled(const struct place *place, int fd, char *line, size_t size)
{
	if (place->base)
		return uds_read_line(fd, line, size);
	return vsock_dialled(fd, line, size);
}
