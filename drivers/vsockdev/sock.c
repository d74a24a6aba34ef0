// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - a program's socket in the hands of the driver
 *
 * DOC: Everything here is called by whoever holds io_mutex of the connection,
 * mostly the pump, and may sleep on the socket's lock: for AF_UNIX when a
 * program reads from our end and is stuck in the copy, for TCP when it does
 * anything with it.
 */
#include <linux/bvec.h>
#include <linux/cred.h>
#include <linux/net.h>
#include <linux/sizes.h>
#include <linux/uio.h>
#include <net/af_unix.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "claim.h"
#include "compat.h"
#include "conn.h"
#include "sock.h"

/* Send buffer of a stream that the program did not choose */
#define SNDBUF_MAX	SZ_1M

/**
 * vsockdev_sock_is_tcp() - tells what kind of socket it is
 * @vs: the socket
 *
 * Return: true for TCP, false for AF_UNIX.
 */
bool vsockdev_sock_is_tcp(const struct vsockdev_sock *vs)
{
	return vs->tcp;
}

static bool unix_peer_is_dead(struct sock *sk)
{
	struct sock *peer = unix_peer_get(sk);
	bool dead;

	if (!peer)
		return true;
	dead = sock_flag(peer, SOCK_DEAD);
	sock_put(peer);
	return dead;
}

static u32 unix_ends(struct vsockdev_sock *vs, u32 shutdown)
{
	struct sock *sk = vs->sock->sk;
	u32 ends = 0;

	if ((shutdown & RCV_SHUTDOWN) && !vs->reads_ended)
		ends |= VSOCKDEV_SOCK_WRITES_OVER;
	if ((shutdown & SEND_SHUTDOWN) && !vs->writes_ended)
		ends |= VSOCKDEV_SOCK_READS_OVER;
	if (shutdown == SHUTDOWN_MASK && unix_peer_is_dead(sk))
		ends |= VSOCKDEV_SOCK_WRITES_OVER | VSOCKDEV_SOCK_READS_OVER |
			VSOCKDEV_SOCK_CLOSED;
	return ends;
}

/**
 * vsockdev_sock_ends() - tells what the program did to its end
 * @vs: the socket
 *
 * Asked before vsockdev_sock_pending(): if there is nothing pending then,
 * nothing will come any more once %VSOCKDEV_SOCK_WRITES_OVER is set here.
 *
 * Return: VSOCKDEV_SOCK_*.
 */
u32 vsockdev_sock_ends(struct vsockdev_sock *vs)
{
	struct sock *sk = vs->sock->sk;
	u32 shutdown = READ_ONCE(sk->sk_shutdown);
	int error = READ_ONCE(sk->sk_err);
	u32 ends = 0;

	/* Pairs with the other end, which queues its bytes and then shuts */
	smp_rmb();
	if (error)
		vsockdev_sock_note_error(vs, -error);
	if (!vs->tcp)
		ends = unix_ends(vs, shutdown);
	else if (shutdown & RCV_SHUTDOWN)
		ends = VSOCKDEV_SOCK_WRITES_OVER;
	if (READ_ONCE(vs->error))
		ends |= VSOCKDEV_SOCK_FAILED;
	return ends;
}

/**
 * vsockdev_sock_error() - tells why a socket failed
 * @vs: the socket
 *
 * Return: a negative errno, or 0 if it did not.
 */
int vsockdev_sock_error(const struct vsockdev_sock *vs)
{
	return READ_ONCE(vs->error);
}

/*
 * A message must fit the send buffer, which is as large as a program made it. A
 * stream with a large window goes on in larger strides with a larger buffer,
 * unless a program chose one.
 */
static void make_room(struct vsockdev_sock *vs, size_t len)
{
	struct sock *sk = vs->sock->sk;
	int size = 0;

	if (vs->seqpacket)
		size = len + SKB_TRUESIZE(0);
	else if (!vs->tcp && !(sk->sk_userlocks & SOCK_SNDBUF_LOCK))
		size = min_t(u32, READ_ONCE(vs->conn->credit.buf_alloc) / 2,
			     SNDBUF_MAX);
	if (READ_ONCE(sk->sk_sndbuf) < size)
		WRITE_ONCE(sk->sk_sndbuf, size);
}

/*
 * The socket was full, and asks for a call when it has room; but the reader
 * may have made room just before that.
 */
static void check_room(struct vsockdev_sock *vs)
{
	/* The bit that asks for the call is set before the room is looked at */
	smp_mb__after_atomic();
	if (vsockdev_sock_unix_has_room(vs->sock->sk))
		vsockdev_conn_wake(vs->conn);
}

/* The other side has acknowledged all there is */
static bool tcp_is_idle(const struct vsockdev_sock *vs)
{
	const struct tcp_sock *tp = tcp_sk(vs->sock->sk);

	return vs->tcp && READ_ONCE(tp->write_seq) == READ_ONCE(tp->snd_una);
}

/*
 * A TCP socket without memory says that it is full. If nothing of it is under
 * way, no acknowledgment will come, and so no call when there is room.
 */
static int check_memory(struct vsockdev_sock *vs, bool was_idle)
{
	if (!tcp_is_idle(vs))
		return -EAGAIN;
	if (was_idle)
		return -ENOMEM;
	vsockdev_conn_wake(vs->conn);
	return -EAGAIN;
}

/**
 * vsockdev_sock_has_room() - tells whether a message can be written
 * @vs: the socket, one that keeps messages apart
 *
 * Return: false if vsockdev_sock_write() would say -EAGAIN.
 */
bool vsockdev_sock_has_room(const struct vsockdev_sock *vs)
{
	const struct sock *sk = vs->sock->sk;

	return sk_wmem_alloc_get(sk) < READ_ONCE(sk->sk_sndbuf);
}

#define SEND_FLAGS	(MSG_DONTWAIT | MSG_NOSIGNAL)

static int send_copy(struct socket *sock, const void *from, size_t len)
{
	struct kvec vec = { .iov_base = (void *)from, .iov_len = len };
	struct msghdr msg = { .msg_flags = SEND_FLAGS };

	return kernel_sendmsg(sock, &msg, &vec, 1, len);
}

static int send_pages(struct socket *sock, const void *from, size_t len)
{
	struct msghdr msg = { .msg_flags = SEND_FLAGS | MSG_SPLICE_PAGES };
	struct bio_vec pages = {
		.bv_page = virt_to_page(from),
		.bv_offset = offset_in_page(from),
		.bv_len = len,
	};

	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, &pages, 1, len);
	return sock_sendmsg(sock, &msg);
}

/**
 * vsockdev_sock_is_watched() - tells whether writing means to wait for others
 * @vs: the socket, an AF_UNIX one
 *
 * A BPF program that has the program's end in a map takes what is written as it
 * comes, and waits for whoever reads there.
 *
 * Return: true if so, or if the end may be one of another subsystem's.
 */
bool vsockdev_sock_is_watched(const struct vsockdev_sock *vs)
{
	struct sock *peer = unix_peer_get(vs->sock->sk);
	bool watched;

	if (!peer)
		return false;
	watched = rcu_access_pointer(__sk_user_data(peer)) &&
		  !vsockdev_sock_is_claimed(peer);
	sock_put(peer);
	return watched;
}

/**
 * vsockdev_sock_write() - hand bytes over to the program
 * @vs: the socket
 * @from: the bytes; a whole message where the socket keeps messages apart
 * @len: how many
 * @lend: @from is in one compound page: the socket takes a reference to that,
 *	not a copy. Not with messages, and not before Linux 6.5
 *
 * Return: how many were taken, -EAGAIN if none can be now (the pump is woken
 * when that changes), or another errno if none ever will.
 */
ssize_t vsockdev_sock_write(struct vsockdev_sock *vs, const void *from,
			    size_t len, bool lend)
{
	bool was_idle = tcp_is_idle(vs);
	const struct cred *saved;
	int ret;

	make_room(vs, len);
	/* Who reads at the other end may ask who wrote it */
	saved = override_creds(vs->cred);
	ret = lend ? send_pages(vs->sock, from, len) :
		     send_copy(vs->sock, from, len);
	revert_creds(saved);
	if (ret == -EAGAIN && vs->tcp)
		ret = check_memory(vs, was_idle);
	else if (ret == -EAGAIN)
		check_room(vs);
	if (ret == -ENOBUFS)
		ret = -ENOMEM;
	/* EPIPE of AF_UNIX is no error: the program reads no more */
	if (ret < 0 && ret != -EAGAIN && (vs->tcp || ret != -EPIPE))
		vsockdev_sock_note_error(vs, ret);
	return ret;
}

/**
 * vsockdev_sock_end_reads() - the program may not write any more
 * @vs: the socket
 *
 * It gets EPIPE. TCP knows no such thing: its bytes are to be discarded.
 */
void vsockdev_sock_end_reads(struct vsockdev_sock *vs)
{
	if (vs->tcp || vs->reads_ended)
		return;
	vs->reads_ended = true;
	kernel_sock_shutdown(vs->sock, SHUT_RD);
}

/*
 * A FIN needs memory if there is nothing to put it on, and without memory it is
 * forgotten, for good. One that was queued counts among the bytes. What is
 * complete had better look cut off than never end.
 */
static void end_tcp_writes(struct socket *sock)
{
	const struct tcp_sock *tp = tcp_sk(sock->sk);
	bool forgotten;
	u32 end;

	lock_sock(sock->sk);
	end = tp->write_seq;
	forgotten = (1 << sock->sk->sk_state) &
		    (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT);
	release_sock(sock->sk);

	kernel_sock_shutdown(sock, SHUT_WR);

	lock_sock(sock->sk);
	forgotten &= tp->write_seq == end && sock->sk->sk_state != TCP_CLOSE;
	release_sock(sock->sk);
	if (forgotten)
		tcp_abort(sock->sk, ECONNRESET);
}

/**
 * vsockdev_sock_end_writes() - the program has everything: end of file
 * @vs: the socket
 */
void vsockdev_sock_end_writes(struct vsockdev_sock *vs)
{
	vs->writes_ended = true;
	if (vs->tcp)
		end_tcp_writes(vs->sock);
	else
		kernel_sock_shutdown(vs->sock, SHUT_WR);
}

/**
 * vsockdev_sock_unread() - tells whether the program must read before the end
 * @vs: the socket
 *
 * A socket that keeps messages apart tells of an error before it gives what
 * it has. The pump is woken when there is nothing left.
 *
 * Return: true if so.
 */
bool vsockdev_sock_unread(const struct vsockdev_sock *vs)
{
	return vs->seqpacket && vsockdev_sock_unix_unread(vs->sock->sk);
}

/**
 * vsockdev_sock_unsent() - what would be lost if the socket were closed now
 * @vs: the socket, after vsockdev_sock_end_writes()
 *
 * Closing a TCP socket with bytes unread resets it, and what it has not sent
 * is lost. The pump is woken when there is nothing left.
 *
 * Return: bytes, and the end, that the other side has not acknowledged; always
 * 0 for AF_UNIX.
 */
u32 vsockdev_sock_unsent(const struct vsockdev_sock *vs)
{
	const struct tcp_sock *tp = tcp_sk(vs->sock->sk);
	int state;

	if (!vs->tcp)
		return 0;
	state = inet_sk_state_load(vs->sock->sk);
	if (!((1 << state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT |
			      TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_LAST_ACK)))
		return 0;
	return max(READ_ONCE(tp->write_seq) - READ_ONCE(tp->snd_una), 1U);
}
