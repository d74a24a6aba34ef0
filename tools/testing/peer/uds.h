/* SPDX-License-Identifier: GPL-2.0-only */
/* The unix sockets by which host devices offer their guest's connections. */
#ifndef VSOCKDEV_PEER_UDS_H
#define VSOCKDEV_PEER_UDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Guest connections to host port @port will arrive here: those of @type,
 * SOCK_STREAM or SOCK_SEQPACKET. -1: see errno.
 */
int uds_listen(const char *base, uint32_t port, int type);
void uds_unlisten(const char *base, uint32_t port, int type, int fd);

/* Asks for the guest's @port; the answer is still to come. -1: see errno. */
int uds_dial(const char *base, uint32_t port, int type);

/* SOCK_STREAM or SOCK_SEQPACKET */
int uds_type(int fd);

/* Connects to the socket of that very name. -1: see errno. */
int uds_connect(const char *path);

/* Waits until what was written is read; false if that takes too long. */
bool uds_drain(int fd);

/*
 * Takes the answer, "OK n\n", leaving what follows; it may be a message. The length of the line
 * without its end, 0 when there was none: refused. -1: see errno.
 */
int uds_read_line(int fd, char *line, size_t size);

#endif
