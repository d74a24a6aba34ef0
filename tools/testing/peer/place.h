/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where programs of the host find the guest's connections: on the unix sockets
 * of a host device, or on AF_VSOCK where the host's kernel is the device.
 */
#ifndef VSOCKDEV_PEER_PLACE_H
#define VSOCKDEV_PEER_PLACE_H

#include <stddef.h>
#include <stdint.h>

struct place {
	const char *base; /* of the unix sockets; NULL for AF_VSOCK */
	uint32_t cid; /* AF_VSOCK: that of the guest */
};

/*
 * Guest connections to host port @port will arrive here: those of @type,
 * SOCK_STREAM or SOCK_SEQPACKET. -1: see errno.
 */
int place_listen(const struct place *place, uint32_t port, int type);
void place_unlisten(const struct place *place, uint32_t port, int type, int fd);

/* Asks for the guest's @port; the answer is still to come. -1: see errno. */
int place_dial(const struct place *place, uint32_t port, int type);

/* What poll() tells of the socket once the answer is there. */
short place_dial_event(const struct place *place);

/*
 * The answer: "OK n", leaving what follows. The length of the line without its
 * end, 0 when there was none: refused. -1: see errno.
 */
int place_dialled(const struct place *place, int fd, char *line, size_t size);

#endif
