/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP connections, which the kernel bridges to the host. */
#ifndef VSOCKDEV_TCP_H
#define VSOCKDEV_TCP_H

struct addrinfo;
struct argp_state;

/* HOST:PORT, [HOST]:PORT, or PORT of this machine; for a command line. */
struct addrinfo *arg_tcp(const struct argp_state *state, const char *text);

/* A socket, or -1, which was reported. */
int tcp_connect(const struct addrinfo *to);

#endif
