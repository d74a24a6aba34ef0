// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - a program's socket in the hands of the driver
 *
 * DOC: A claimed socket has our callbacks and, in sk_user_data, our object.
 * Claiming and releasing happen under sk_callback_lock, never under
 * lock_sock(), which a program can hold for as long as it likes.
 *
 * The callbacks only wake the pump. They run in whatever context the other
 * end writes, reads or closes in, and find our object under RCU; it holds
 * its connection, and is freed with a grace period. A writer may have fetched
 * the address of a callback long before it calls it, so restoring the old one
 * waits for nobody, and the module's exit must (vsockdev_sock_exit()).
 *
 * A program may go on to use a TCP socket that it gave us, even disconnect it
 * and listen on it. The sockets that it then accepts are copies, and would
 * have our callbacks without a reference to anything. So the callbacks go as
 * soon as the socket is in TCP_CLOSE, which it must pass, with its lock held
 * and a callback called, before it can listen.
 *
 * Everything else here is called by the pump of the connection alone, one
 * call at a time, and may sleep on the socket's lock: for AF_UNIX when a
 * program reads from our end and is stuck in the copy, for TCP when it does
 * anything with it.
 *
 * What a program writes into an AF_UNIX socket is taken out of the receive
 * queue at once, as whole skbs, which stay charged to its send buffer. That
 * charge is the back-pressure. They must not be left in the receive queue
 * until there is credit: a descriptor sent along could be that of our own
 * device, which then could never be closed. Taking an skb out drops the
 * descriptors: read_skb() does that in every kernel that this is built for.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/sizes.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <net/af_unix.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"
#include "conn.h"
#include "sock.h"

/* Bytes of a TCP stream that are thrown away in one go */
#define DISCARD_MAX	SZ_1M

/**
 * struct vsockdev_sock - a claimed socket
 * @rcu: frees it
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
 * @reads_ended: vsockdev_sock_end_reads() was called
 * @writes_ended: vsockdev_sock_end_writes() was called
 */
struct vsockdev_sock {
	struct rcu_head rcu;
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
	bool reads_ended;
	bool writes_ended;
};

/* Wakes the pump. The socket may have been released a moment ago */
static void wake_pump(struct sock *sk)
{
	struct vsockdev_sock *vs;

	rcu_read_lock();
	vs = rcu_dereference_sk_user_data(sk);
	if (vs && vsockdev_conn_tryget(vs->conn)) {
		vsockdev_conn_wake(vs->conn);
		vsockdev_conn_put(vs->conn);
	}
	rcu_read_unlock();
}

static void sock_data_ready(struct sock *sk)
{
	wake_pump(sk);
}

/* As the socket's own does: it asks for no more calls until it is full again */
static void sock_write_space(struct sock *sk)
{
	struct socket *sock = READ_ONCE(sk->sk_socket);

	if (sock)
		clear_bit(SOCK_NOSPACE, &sock->flags);
	wake_pump(sk);
}

/* The other end closed with bytes unread, which is how a program aborts */
static void note_error(struct vsockdev_sock *vs, int error)
{
	cmpxchg(&vs->error, 0, error);
}

/* Without a FIN, and be it that nobody left an error, it was cut off */
static void note_close(struct vsockdev_sock *vs, struct sock *sk)
{
	int error = READ_ONCE(sk->sk_err);

	if (error)
		note_error(vs, -error);
	else if (!(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN))
		note_error(vs, -ECONNRESET);
}

static void uninstall(struct vsockdev_sock *vs);

/* Changes of state and errors. See above why TCP_CLOSE ends it all */
static void sock_state_change(struct sock *sk)
{
	struct vsockdev_sock *vs;
	bool closed;

	rcu_read_lock();
	vs = rcu_dereference_sk_user_data(sk);
	closed = vs && vs->tcp && inet_sk_state_load(sk) == TCP_CLOSE;
	if (closed)
		note_close(vs, sk);
	wake_pump(sk);
	if (closed)
		uninstall(vs);
	rcu_read_unlock();
}

static int check_unix(struct socket *sock)
{
	if (sock->type != SOCK_STREAM)
		return -EPROTOTYPE;
	if (!sock->ops->read_skb)
		return -EAFNOSUPPORT;
	return READ_ONCE(sock->sk->sk_state) == TCP_ESTABLISHED ? 0 :
								  -ENOTCONN;
}

static int check_tcp(struct socket *sock)
{
	int state = inet_sk_state_load(sock->sk);

	if (!((1 << state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return -ENOTCONN;
	return inet_csk_has_ulp(sock->sk) ? -EBUSY : 0;
}

static int check_socket(struct socket *sock)
{
	switch (sock->sk->sk_family) {
	case AF_UNIX:
		return check_unix(sock);
	case AF_INET:
	case AF_INET6:
		if (sock->sk->sk_type == SOCK_STREAM &&
		    sock->sk->sk_protocol == IPPROTO_TCP)
			return check_tcp(sock);
		fallthrough;
	default:
		return -EAFNOSUPPORT;
	}
}

static int install(struct vsockdev_sock *vs)
{
	struct sock *sk = vs->sock->sk;
	int ret = -EBUSY;

	write_lock_bh(&sk->sk_callback_lock);
	if (!rcu_access_pointer(__sk_user_data(sk))) {
		vs->data_ready = sk->sk_data_ready;
		vs->write_space = sk->sk_write_space;
		vs->state_change = sk->sk_state_change;
		vs->error_report = sk->sk_error_report;
		__rcu_assign_sk_user_data_with_flags(sk, vs,
						     SK_USER_DATA_NOCOPY);
		WRITE_ONCE(sk->sk_data_ready, sock_data_ready);
		WRITE_ONCE(sk->sk_write_space, sock_write_space);
		WRITE_ONCE(sk->sk_state_change, sock_state_change);
		WRITE_ONCE(sk->sk_error_report, sock_state_change);
		/* With a higher mark, what is below it would not be told */
		WRITE_ONCE(sk->sk_rcvlowat, 1);
		ret = 0;
	}
	write_unlock_bh(&sk->sk_callback_lock);
	return ret;
}

static bool callbacks_are_ours(const struct sock *sk)
{
	return sk->sk_data_ready == sock_data_ready &&
	       sk->sk_write_space == sock_write_space &&
	       sk->sk_state_change == sock_state_change &&
	       sk->sk_error_report == sock_state_change;
}

/*
 * Gives the callbacks back, once. Somebody, such as TLS, may have put others
 * on top of ours; those remember ours and will call them, so the module must
 * stay for ever.
 */
static void uninstall(struct vsockdev_sock *vs)
{
	struct sock *sk = vs->sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	if (rcu_access_pointer(__sk_user_data(sk)) ==
	    (void *)((uintptr_t)vs | SK_USER_DATA_NOCOPY)) {
		if (!callbacks_are_ours(sk))
			__module_get(THIS_MODULE);
		if (sk->sk_data_ready == sock_data_ready)
			WRITE_ONCE(sk->sk_data_ready, vs->data_ready);
		if (sk->sk_write_space == sock_write_space)
			WRITE_ONCE(sk->sk_write_space, vs->write_space);
		if (sk->sk_state_change == sock_state_change)
			WRITE_ONCE(sk->sk_state_change, vs->state_change);
		if (sk->sk_error_report == sock_state_change)
			WRITE_ONCE(sk->sk_error_report, vs->error_report);
		rcu_assign_sk_user_data(sk, NULL);
	}
	write_unlock_bh(&sk->sk_callback_lock);
}

/**
 * vsockdev_sock_claim() - take a program's socket
 * @fd: its descriptor, in the table of the current process
 * @conn: the connection that it will belong to
 *
 * The pump may be woken from now on, before the connection has the socket.
 *
 * Context: process context of the program; does not wait for it.
 * Return: the claimed socket, or an ERR_PTR() of EBADF, ENOTSOCK,
 * EAFNOSUPPORT, EPROTOTYPE, ENOTCONN, EBUSY or ENOMEM.
 */
struct vsockdev_sock *vsockdev_sock_claim(int fd, struct vsockdev_conn *conn)
{
	struct vsockdev_sock *vs;
	int ret;

	vs = kzalloc(sizeof(*vs), GFP_KERNEL_ACCOUNT);
	if (!vs)
		return ERR_PTR(-ENOMEM);
	skb_queue_head_init(&vs->skbs);
	vs->sock = sockfd_lookup(fd, &ret);
	if (!vs->sock)
		goto err_free;
	ret = check_socket(vs->sock);
	if (ret)
		goto err_put;
	vs->tcp = vs->sock->sk->sk_family != AF_UNIX;
	vs->conn = conn;
	vs->cred = get_current_cred();
	vsockdev_conn_get(conn);
	__module_get(THIS_MODULE);
	ret = install(vs);
	if (ret)
		goto err_undo;
	return vs;

err_undo:
	module_put(THIS_MODULE);
	vsockdev_conn_put(conn);
	put_cred(vs->cred);
err_put:
	sockfd_put(vs->sock);
err_free:
	kfree(vs);
	return ERR_PTR(ret);
}

/*
 * The last reference may be ours, and closing the socket then takes as long
 * as its SO_LINGER says. A worker that leaves that to others leaves it to one
 * worker for the whole system, so it closes the socket itself.
 */
static void put_file(struct file *file)
{
	if (current->flags & PF_KTHREAD)
		__fput_sync(file);
	else
		fput(file);
}

/**
 * vsockdev_sock_release() - give a socket back
 * @vs: the socket; freed by this
 *
 * What it still has for us is dropped. The program keeps its own descriptors;
 * whoever waits at one of them is woken, as its time has come again.
 */
void vsockdev_sock_release(struct vsockdev_sock *vs)
{
	struct vsockdev_conn *conn = vs->conn;
	struct sock *sk = vs->sock->sk;

	uninstall(vs);
	sk->sk_data_ready(sk);
	sk->sk_write_space(sk);
	skb_queue_purge(&vs->skbs);
	put_file(vs->sock->file);
	put_cred(vs->cred);
	kfree_rcu(vs, rcu);
	vsockdev_conn_put(conn);
	module_put(THIS_MODULE);
}

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
		note_error(vs, -error);
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

static int take_skb(struct sock *sk, struct sk_buff *skb)
{
	/* Somebody may have read a part of it before we came */
	u32 consumed = vsockdev_compat_unix_consumed(skb);
	struct vsockdev_sock *vs;

	rcu_read_lock();
	vs = rcu_dereference_sk_user_data(sk);
	rcu_read_unlock();

	if (skb->len <= consumed) {
		consume_skb(skb);
		return 0;
	}
	if (skb_queue_empty(&vs->skbs))
		vs->offset = consumed;
	__skb_queue_tail(&vs->skbs, skb);
	vs->pending += skb->len - consumed;
	return 0;
}

static void drain_unix(struct vsockdev_sock *vs)
{
	struct sock *sk = vs->sock->sk;

	while (!skb_queue_empty_lockless(&sk->sk_receive_queue)) {
		int ret = vs->sock->ops->read_skb(sk, take_skb);

		/* After an out-of-band byte there is EAGAIN, and yet more */
		if (ret < 0 && ret != -EAGAIN) {
			note_error(vs, ret);
			break;
		}
	}
}

/*
 * What ioctl(SIOCINQ) tells stops at urgent data; this does not. The FIN has
 * a sequence number, too, but is nothing to read.
 */
static size_t tcp_pending(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 unread = READ_ONCE(tp->rcv_nxt) - READ_ONCE(tp->copied_seq);

	if (unread && sock_flag(sk, SOCK_DONE))
		unread--;
	return unread;
}

/**
 * vsockdev_sock_pending() - bytes that the program wrote and we did not read
 * @vs: the socket
 *
 * Return: how many; for TCP an urgent byte is among them that will be skipped.
 */
size_t vsockdev_sock_pending(struct vsockdev_sock *vs)
{
	if (vs->tcp)
		return tcp_pending(vs->sock->sk);
	drain_unix(vs);
	return vs->pending;
}

static size_t read_unix(struct vsockdev_sock *vs, void *to, size_t len)
{
	size_t done = 0;

	while (done < len && !skb_queue_empty(&vs->skbs)) {
		struct sk_buff *skb = skb_peek(&vs->skbs);
		u32 part = min_t(size_t, len - done, skb->len - vs->offset);

		if (skb_copy_bits(skb, vs->offset, to + done, part))
			break;
		done += part;
		vs->offset += part;
		if (vs->offset < skb->len)
			continue;
		__skb_unlink(skb, &vs->skbs);
		consume_skb(skb);
		skb = skb_peek(&vs->skbs);
		if (skb)
			vs->offset = vsockdev_compat_unix_consumed(skb);
	}
	vs->pending -= done;
	return done;
}

static ssize_t read_tcp(struct vsockdev_sock *vs, void *to, size_t len,
			int flags)
{
	struct msghdr msg = {};
	struct kvec vec = { .iov_base = to, .iov_len = len };
	int ret;

	ret = kernel_recvmsg(vs->sock, &msg, &vec, 1, len,
			     MSG_DONTWAIT | flags);
	if (ret < 0 && ret != -EAGAIN)
		note_error(vs, ret);
	return max(ret, 0);
}

/**
 * vsockdev_sock_read() - take bytes that the program wrote
 * @vs: the socket
 * @to: where they go
 * @len: how many at most
 *
 * Return: how many it were, 0 if there are none now.
 */
ssize_t vsockdev_sock_read(struct vsockdev_sock *vs, void *to, size_t len)
{
	return vs->tcp ? read_tcp(vs, to, len, 0) : read_unix(vs, to, len);
}

/**
 * vsockdev_sock_discard() - drop bytes that the program wrote
 * @vs: the socket
 */
void vsockdev_sock_discard(struct vsockdev_sock *vs)
{
	if (vs->tcp) {
		/* With MSG_TRUNC, TCP drops the bytes and copies nothing */
		if (vsockdev_sock_pending(vs))
			read_tcp(vs, NULL, DISCARD_MAX, MSG_TRUNC);
		return;
	}
	drain_unix(vs);
	__skb_queue_purge(&vs->skbs);
	vs->pending = 0;
}

/**
 * vsockdev_sock_write() - hand bytes over to the program
 * @vs: the socket
 * @from: the bytes
 * @len: how many
 *
 * Return: how many were taken, -EAGAIN if none can be now (the pump is woken
 * when that changes), or another errno if none ever will.
 */
ssize_t vsockdev_sock_write(struct vsockdev_sock *vs, void *from, size_t len)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec = { .iov_base = from, .iov_len = len };
	const struct cred *saved;
	int ret;

	/* Who reads at the other end may ask who wrote it */
	saved = override_creds(vs->cred);
	ret = kernel_sendmsg(vs->sock, &msg, &vec, 1, len);
	revert_creds(saved);
	/* EPIPE of AF_UNIX is no error: the program reads no more */
	if (ret < 0 && ret != -EAGAIN && (vs->tcp || ret != -EPIPE))
		note_error(vs, ret);
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

/**
 * vsockdev_sock_end_writes() - the program has everything: end of file
 * @vs: the socket
 */
void vsockdev_sock_end_writes(struct vsockdev_sock *vs)
{
	vs->writes_ended = true;
	kernel_sock_shutdown(vs->sock, SHUT_WR);
}

static void abort_unix(struct vsockdev_sock *vs)
{
	struct sock *peer = unix_peer_get(vs->sock->sk);

	/*
	 * A reader looks for an error when its queue is empty, and before it
	 * looks whether there is an end of file. A writer must find the end
	 * first, or it would take the error away from the reader.
	 */
	if (peer) {
		unix_state_lock(peer);
		WRITE_ONCE(peer->sk_shutdown, SHUTDOWN_MASK);
		WRITE_ONCE(peer->sk_err, ECONNRESET);
		unix_state_unlock(peer);
		sock_put(peer);
	}
	kernel_sock_shutdown(vs->sock, SHUT_RDWR);
}

/**
 * vsockdev_sock_abort() - the stream is cut off: no end of file, an error
 * @vs: the socket
 *
 * The program reads what was handed over and then gets ECONNRESET.
 */
void vsockdev_sock_abort(struct vsockdev_sock *vs)
{
	vs->reads_ended = true;
	vs->writes_ended = true;
	if (vs->tcp)
		tcp_abort(vs->sock->sk, ECONNRESET);
	else
		abort_unix(vs);
}

/**
 * vsockdev_sock_flushed() - tells whether the socket may be closed
 * @vs: the socket, after vsockdev_sock_end_writes()
 *
 * Closing a TCP socket with bytes unread resets it, and what it has not sent
 * is lost. The pump is woken when this changes.
 *
 * Return: false if the other side has not acknowledged everything.
 */
bool vsockdev_sock_flushed(const struct vsockdev_sock *vs)
{
	int state;

	if (!vs->tcp)
		return true;
	state = inet_sk_state_load(vs->sock->sk);
	return !((1 << state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT |
				 TCPF_FIN_WAIT1 | TCPF_CLOSING |
				 TCPF_LAST_ACK));
}

/**
 * vsockdev_sock_exit() - wait until no callback of ours is running
 *
 * Context: when every socket was released, before the module's code goes.
 */
void vsockdev_sock_exit(void)
{
	synchronize_rcu_tasks();
	synchronize_rcu();
}
