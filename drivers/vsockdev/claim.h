/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - inside of a claimed socket, for claim.c and sock.c only
 */
#ifndef VSOCKDEV_CLAIM_H
#define VSOCKDEV_CLAIM_H

#include <linux/atomic.h>
#include <linux/llist.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <net/sock.h>

struct cred;
struct vsockdev_conn;

/**
 * struct vsockdev_sock - a claimed socket
 * @rcu: frees it
 * @cut_node: in the list of those to be ended, see abort.c
 * @sock: the socket; the reference is one to its file
 * @conn: the connection, a reference
 * @cred: of whoever passed the socket: what is written to it is theirs
 * @data_ready: callback of the socket before it was claimed
 * @write_space: likewise
 * @state_change: likewise
 * @error_report: likewise
 * @skbs: AF_UNIX: taken from the receive queue, oldest first
 * @offset: bytes of the first one that were read
 * @pending: bytes in @skbs that were not
 * @error: what ended the socket, negative errno; the first one stays
 * @tcp: it is a TCP socket
 * @seqpacket: it is an AF_UNIX socket that keeps messages apart
 * @reads_ended: vsockdev_sock_end_reads() was called
 * @writes_ended: vsockdev_sock_end_writes() was called
 * @cut_off: AF_UNIX: vsockdev_sock_abort() was called, and the program has its
 *	end still
 */
struct vsockdev_sock {
	union {
		struct rcu_head rcu;
		struct llist_node cut_node;
	};
	struct socket *sock;
	struct vsockdev_conn *conn;
	const struct cred *cred;
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	void (*error_report)(struct sock *sk);
	struct sk_buff_head skbs;
	u32 offset;
	size_t pending;
	int error;
	bool tcp;
	bool seqpacket;
	bool reads_ended;
	bool writes_ended;
	bool cut_off;
};

/* As AF_UNIX itself sees it: not just one byte */
static inline bool vsockdev_sock_unix_has_room(const struct sock *sk)
{
	return sk_wmem_alloc_get(sk) <= READ_ONCE(sk->sk_sndbuf) / 4;
}

/* What ended a socket is said once, by a callback or by the pump */
static inline void vsockdev_sock_note_error(struct vsockdev_sock *vs,
					    int error)
{
	cmpxchg(&vs->error, 0, error);
}

/* abort.c: the last step of a release */
void vsockdev_sock_close(struct vsockdev_sock *vs);

#endif /* VSOCKDEV_CLAIM_H */
