/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a connection ends in on the host: a unix socket or a built-in service.
 * None of the calls waits.
 */
#ifndef VSOCKDEV_HOST_ENDPOINT_H
#define VSOCKDEV_HOST_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct conn;
struct iov;

struct endpoint_ops {
	/* What is buffered goes out even when the guest has gone. */
	bool drains;

	/*
	 * The length of the next message for the guest, which read() will
	 * bring; -ENODATA at the end, else as there. For SEQPACKET only, as
	 * peek() is for streams only.
	 */
	int64_t (*next)(struct conn *conn);

	/*
	 * Bytes for the guest: their number, 0 at the end, -EAGAIN for
	 * none now (flow_readable() tells when), another -errno when lost.
	 */
	ssize_t (*read)(struct conn *conn, const struct iov *iov);

	/* The same answers without taking a byte; above 0 there are some. */
	ssize_t (*peek)(struct conn *conn);

	/*
	 * Bytes from the guest, one whole message in the case of SEQPACKET,
	 * which is taken as such or not at all: how many were taken, -EAGAIN for none now
	 * (flow_writable() tells when), another -errno for never again.
	 */
	ssize_t (*write)(struct conn *conn, const struct iov *iov);

	/* No more bytes from (SHUT_WR) or for (SHUT_RD) the guest. */
	void (*shutdown)(struct conn *conn, int how);

	/* After the end: no bytes would be taken either. */
	bool (*gone)(struct conn *conn);

	/* The guest accepted what the host side asked for. */
	void (*accepted)(struct conn *conn);

	void (*close)(struct conn *conn);
};

#endif
