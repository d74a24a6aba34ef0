/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - inside of a claimed socket: claim.c, sock.c, abort.c, intake.c
 */
#ifndef VSOCKDEV_CLAIM_H
#define VSOCKDEV_CLAIM_H

#include <linux/atomic.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <net/sock.h>

struct cred;
struct file;
struct vsockdev_conn;

/**
 * struct vsockdev_sock - a claimed socket
 * @rcu: frees it
 * @file: of the socket, a reference; that of @sock can change
 * @cred: of whoever passed the socket: what is written to it is theirs
 * @sock: the socket
 * @conn: the connection, a reference
 * @data_ready: callback of the socket before it was claimed
 * @write_space: likewise
 * @state_change: likewise
 * @error_report: likewise
 * @skbs: AF_UNIX: taken from the receive queue, oldest first
 * @offset: bytes of the first one that were read
 * @error: what ended the socket, negative errno; the first one stays
 * @lowat: sk_rcvlowat of the socket before it was claimed
 * @pending: bytes in @skbs that were not read
 * @look_at: jiffies when vsockdev_sock_abort() looks at it again
 * @quiet: looks in a row that found nothing to be done or read
 * @renewals: errors set again
 * @cut_off: AF_UNIX: vsockdev_sock_abort() was called
 * @tcp: it is a TCP socket
 * @seqpacket: it is an AF_UNIX socket that keeps messages apart
 * @reads_ended: vsockdev_sock_end_reads() was called
 * @writes_ended: vsockdev_sock_end_writes() was called
 *
 * There may be very many: on 64 bits this fills 128 bytes, and no slab more.
 */
struct vsockdev_sock {
	union {
		struct rcu_head rcu;
		struct {
			struct file *file;
			const struct cred *cred;
		};
	};
	struct socket *sock;
	struct vsockdev_conn *conn;
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	void (*error_report)(struct sock *sk);
	struct sk_buff_head skbs;
	u32 offset;
	int error;
	int lowat;
	size_t pending;
	unsigned long look_at;
	u8 quiet;
	u8 renewals;
	bool cut_off;
	bool tcp;
	bool seqpacket;
	bool reads_ended;
	bool writes_ended;
};

/* As AF_UNIX itself sees it: not just one byte */
static inline bool vsockdev_sock_unix_has_room(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk) <= READ_ONCE(sk->sk_sndbuf) / 4;
}

/* An skb gives its last byte back only after its callback */
static inline bool vsockdev_sock_unix_unread(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk) >= SKB_TRUESIZE(1);
}

/* What ended a socket is said once, by a callback or by the pump */
static inline void vsockdev_sock_note_error(struct vsockdev_sock *vs,
					    int error)
{
	cmpxchg(&vs->error, 0, error);
}

/* claim.c */
bool vsockdev_sock_is_claimed(const struct sock *sk);

#endif /* VSOCKDEV_CLAIM_H */
