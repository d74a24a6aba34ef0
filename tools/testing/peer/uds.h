/* SPDX-License-Identifier: GPL-2.0-only */
/* The unix sockets by which host devices offer their guest's connections. */
#ifndef VSOCKDEV_PEER_UDS_H
#define VSOCKDEV_PEER_UDS_H

#include <stddef.h>
#include <stdint.h>

/* Guest connections to host port @port will arrive here. -1: see errno. */
int uds_listen(const char *base, uint32_t port);
void uds_unlisten(const char *base, uint32_t port, int fd);

/* Asks for the guest's @port; the answer is still to come. -1: see errno. */
int uds_dial(const char *base, uint32_t port);

/*
 * Takes the answer, "OK n\n", leaving what follows. The length of the line
 * without its end, 0 when there was none: refused. -1: see errno.
 */
int uds_read_line(int fd, char *line, size_t size);

#endif
