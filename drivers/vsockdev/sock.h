/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - a program's socket in the hands of the driver
 */
#ifndef VSOCKDEV_SOCK_H
#define VSOCKDEV_SOCK_H

#include <linux/types.h>

struct vsockdev_conn;
struct vsockdev_frame;
struct vsockdev_sock;

/* What the program did to its end, vsockdev_sock_ends() */
#define VSOCKDEV_SOCK_WRITES_OVER	BIT(0)	/* it will not write more */
#define VSOCKDEV_SOCK_READS_OVER	BIT(1)	/* it will not read more */
#define VSOCKDEV_SOCK_CLOSED		BIT(2)	/* it is gone altogether */
#define VSOCKDEV_SOCK_FAILED		BIT(3)	/* see vsockdev_sock_error() */

struct vsockdev_sock *vsockdev_sock_claim(int fd, struct vsockdev_conn *conn,
					  u32 types);
void vsockdev_sock_release(struct vsockdev_sock *vs);

bool vsockdev_sock_is_tcp(const struct vsockdev_sock *vs);
u16 vsockdev_sock_type(const struct vsockdev_sock *vs);
u32 vsockdev_sock_ends(struct vsockdev_sock *vs);
int vsockdev_sock_error(const struct vsockdev_sock *vs);

/* intake.c: what the program has written */
bool vsockdev_sock_is_read(const struct vsockdev_sock *vs);
size_t vsockdev_sock_pending(struct vsockdev_sock *vs);
bool vsockdev_sock_in_write(const struct vsockdev_sock *vs);
u32 vsockdev_sock_message(const struct vsockdev_sock *vs);
size_t vsockdev_sock_packet(const struct vsockdev_sock *vs, size_t pending);
struct vsockdev_frame *vsockdev_sock_read(struct vsockdev_sock *vs, u32 len,
					  u32 runs);
bool vsockdev_sock_discard(struct vsockdev_sock *vs);

bool vsockdev_sock_has_room(const struct vsockdev_sock *vs);
bool vsockdev_sock_is_watched(const struct vsockdev_sock *vs);
ssize_t vsockdev_sock_write(struct vsockdev_sock *vs, const void *from,
			    size_t len, bool lend);

void vsockdev_sock_end_reads(struct vsockdev_sock *vs);
void vsockdev_sock_end_writes(struct vsockdev_sock *vs);
u32 vsockdev_sock_unsent(const struct vsockdev_sock *vs);
bool vsockdev_sock_unread(const struct vsockdev_sock *vs);
bool vsockdev_sock_abort(struct vsockdev_sock *vs, unsigned long *again);

int vsockdev_sock_init(void);
void vsockdev_sock_exit(void);

#endif /* VSOCKDEV_SOCK_H */
