// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Connections on a new pair of sockets: one end goes to the driver, which
 * takes its own reference, the other one is the program's.
 */
#include "internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PROGRAM, DRIVER };

static int make_pair(int type, int pair[2])
{
	return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair);
}

/* The program's end if the driver took its own, which is closed anyway. */
static int handed_over(const int pair[2], int ret)
{
	int error = errno;

	close(pair[DRIVER]);
	if (!ret)
		return pair[PROGRAM];
	close(pair[PROGRAM]);
	errno = error;
	return -1;
}

int vsockdev_connect(struct vsockdev *dev, const struct vsockdev_addr *addr,
		     int type, const struct vsockdev_conn_options *options,
		     uint64_t *conn_id)
{
	int pair[2];

	if (make_pair(type, pair))
		return -1;
	return handed_over(pair, vsockdev_send_request(dev, addr, pair[DRIVER],
						       options, conn_id));
}

int vsockdev_accept(struct vsockdev *dev, const struct vsockdev_event *request,
		    const struct vsockdev_conn_options *options)
{
	int type = SOCK_STREAM;
	int pair[2];

	if (request->request.socket_type == VSOCKDEV_TYPE_SEQPACKET)
		type = SOCK_SEQPACKET;
	if (make_pair(type, pair))
		return -1;
	return handed_over(pair, vsockdev_send_response(dev, &request->addr,
							request->conn_id,
							pair[DRIVER],
							options));
}
