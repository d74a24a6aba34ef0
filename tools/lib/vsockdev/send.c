// SPDX-License-Identifier: LGPL-2.1-or-later
/* The calls that concern one connection, SEND_*. */
#include "internal.h"

int vsockdev_send_request(struct vsockdev *dev,
			  const struct vsockdev_addr *addr, int socket_fd,
			  const struct vsockdev_conn_options *options,
			  uint64_t *conn_id)
{
	struct vsockdev_send_request arg = {
		.size = sizeof(arg),
		.addr = *addr,
		.socket_fd = socket_fd,
	};

	if (options) {
		arg.buf_alloc = options->buf_alloc;
		arg.connect_timeout_ms = options->connect_timeout_ms;
		arg.close_timeout_ms = options->close_timeout_ms;
	}
	if (vsockdev_ioctl(dev, VSOCKDEV_SEND_REQUEST, &arg))
		return -1;
	if (conn_id)
		*conn_id = arg.conn_id;
	return 0;
}

int vsockdev_send_response(struct vsockdev *dev,
			   const struct vsockdev_addr *addr, uint64_t conn_id,
			   int socket_fd,
			   const struct vsockdev_conn_options *options)
{
	struct vsockdev_send_response arg = {
		.size = sizeof(arg),
		.addr = *addr,
		.socket_fd = socket_fd,
		.conn_id = conn_id,
	};

	if (options) {
		arg.buf_alloc = options->buf_alloc;
		arg.close_timeout_ms = options->close_timeout_ms;
	}
	return vsockdev_ioctl(dev, VSOCKDEV_SEND_RESPONSE, &arg);
}

int vsockdev_send_rst(struct vsockdev *dev, const struct vsockdev_addr *addr,
		      uint64_t conn_id)
{
	struct vsockdev_send_rst arg = {
		.size = sizeof(arg),
		.addr = *addr,
		.conn_id = conn_id,
	};

	return vsockdev_ioctl(dev, VSOCKDEV_SEND_RST, &arg);
}

int vsockdev_send_shutdown(struct vsockdev *dev,
			   const struct vsockdev_addr *addr, uint64_t conn_id,
			   uint32_t directions)
{
	struct vsockdev_send_shutdown arg = {
		.size = sizeof(arg),
		.flags = directions,
		.addr = *addr,
		.conn_id = conn_id,
	};

	return vsockdev_ioctl(dev, VSOCKDEV_SEND_SHUTDOWN, &arg);
}

int vsockdev_send_vmo(struct vsockdev *dev, const struct vsockdev_addr *addr,
		      uint64_t conn_id, int vmo_fd, uint64_t offset,
		      uint64_t length)
{
	struct vsockdev_send_vmo arg = {
		.size = sizeof(arg),
		.addr = *addr,
		.vmo_fd = vmo_fd,
		.conn_id = conn_id,
		.offset = offset,
		.length = length,
	};

	return vsockdev_ioctl(dev, VSOCKDEV_SEND_VMO, &arg);
}
