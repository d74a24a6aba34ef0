// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - taking a program's socket, and giving it back
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
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "claim.h"
#include "compat.h"
#include "conn.h"
#include "sock.h"
#include "transmit.h"
#include "workers.h"

/* An odd number, so that nothing else in an skb looks like its multiples */
#define PROBE_PART	23
#define PROBE_PARTS	3

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

/*
 * A program that writes sends its bytes itself. Nobody else does: a worker
 * must not wait for a program, and may be in the middle of another connection.
 */
static bool may_send(const struct sock *sk)
{
	return sk->sk_family == AF_UNIX && in_task() && !irqs_disabled() &&
	       !(current->flags & (PF_KTHREAD | PF_EXITING));
}

static void sock_data_ready(struct sock *sk)
{
	struct vsockdev_conn *conn = NULL;
	struct vsockdev_sock *vs;

	if (!may_send(sk)) {
		wake_pump(sk);
		return;
	}
	rcu_read_lock();
	vs = rcu_dereference_sk_user_data(sk);
	/* Without a socket, a connection does not keep the module */
	if (vs && try_module_get(THIS_MODULE)) {
		if (vsockdev_conn_tryget(vs->conn))
			conn = vs->conn;
		else
			module_put(THIS_MODULE);
	}
	rcu_read_unlock();
	if (!conn)
		return;
	vsockdev_transmit_now(conn);
	vsockdev_conn_put(conn);
	module_put(THIS_MODULE);
}

/*
 * A stream of AF_UNIX calls this for each skb that its reader is through with.
 * It is of interest only if the socket was full, and then has room for several;
 * or if nothing more will be written, and the pump waits until all is read.
 */
static void unix_stream_write_space(struct sock *sk, struct socket *sock)
{
	if ((READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN) ||
	    (vsockdev_sock_unix_has_room(sk) &&
	     test_and_clear_bit(SOCK_NOSPACE, &sock->flags)))
		wake_pump(sk);
}

/* As the socket's own does: it asks for no more calls until it is full again */
static void sock_write_space(struct sock *sk)
{
	struct socket *sock = READ_ONCE(sk->sk_socket);

	if (sock && sk->sk_family == AF_UNIX && sk->sk_type == SOCK_STREAM) {
		unix_stream_write_space(sk, sock);
		return;
	}
	if (sock)
		clear_bit(SOCK_NOSPACE, &sock->flags);
	wake_pump(sk);
}

/* Without a FIN, and be it that nobody left an error, it was cut off */
static void note_close(struct vsockdev_sock *vs, struct sock *sk)
{
	int error = READ_ONCE(sk->sk_err);

	if (error)
		vsockdev_sock_note_error(vs, -error);
	else if (!(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN))
		vsockdev_sock_note_error(vs, -ECONNRESET);
}

static void uninstall(struct vsockdev_sock *vs, struct sock *sk);

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
		uninstall(vs, sk);
	rcu_read_unlock();
}

static int check_unix(struct socket *sock)
{
	if (sock->type != SOCK_STREAM && sock->type != SOCK_SEQPACKET)
		return -EPROTOTYPE;
	if (sock->type == SOCK_STREAM && !sock->ops->read_skb)
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
		vs->lowat = READ_ONCE(sk->sk_rcvlowat);
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

/**
 * vsockdev_sock_is_claimed() - tells whether a socket is in our hands
 * @sk: any socket
 *
 * Return: true if so; it may be given back at any time.
 */
bool vsockdev_sock_is_claimed(const struct sock *sk)
{
	return READ_ONCE(sk->sk_data_ready) == sock_data_ready;
}

/*
 * Gives the callbacks back, once. Somebody, such as TLS, may have put others
 * on top of ours; those remember ours and will call them. So does what a socket
 * that listens has accepted. Then the module must stay for ever.
 */
static void uninstall(struct vsockdev_sock *vs, struct sock *sk)
{
	write_lock_bh(&sk->sk_callback_lock);
	if (rcu_access_pointer(__sk_user_data(sk)) ==
	    (void *)((uintptr_t)vs | SK_USER_DATA_NOCOPY)) {
		if (!callbacks_are_ours(sk) ||
		    inet_sk_state_load(sk) == TCP_LISTEN)
			__module_get(THIS_MODULE);
		if (sk->sk_data_ready == sock_data_ready)
			WRITE_ONCE(sk->sk_data_ready, vs->data_ready);
		if (sk->sk_write_space == sock_write_space)
			WRITE_ONCE(sk->sk_write_space, vs->write_space);
		if (sk->sk_state_change == sock_state_change)
			WRITE_ONCE(sk->sk_state_change, vs->state_change);
		if (sk->sk_error_report == sock_state_change)
			WRITE_ONCE(sk->sk_error_report, vs->error_report);
		/* If the program has set none meanwhile */
		if (READ_ONCE(sk->sk_rcvlowat) == 1)
			WRITE_ONCE(sk->sk_rcvlowat, vs->lowat);
		rcu_assign_sk_user_data(sk, NULL);
	}
	write_unlock_bh(&sk->sk_callback_lock);
}

/*
 * Whoever else has a socket of TCP can disconnect it while we take it, and then
 * no call tells us. It may even listen by now.
 */
static bool is_gone(const struct vsockdev_sock *vs)
{
	return vs->tcp && (1 << inet_sk_state_load(vs->sock->sk)) &
				  (TCPF_CLOSE | TCPF_LISTEN);
}

/**
 * vsockdev_sock_type() - tells what a socket can carry
 * @vs: the socket
 *
 * Return: VSOCKDEV_TYPE_*.
 */
u16 vsockdev_sock_type(const struct vsockdev_sock *vs)
{
	return vs->seqpacket ? VSOCKDEV_TYPE_SEQPACKET : VSOCKDEV_TYPE_STREAM;
}

/**
 * vsockdev_sock_claim() - take a program's socket
 * @fd: its descriptor, in the table of the current process
 * @conn: the connection that it will belong to
 * @types: a bit for each VSOCKDEV_TYPE_* that will do
 *
 * The pump may be woken from now on, before the connection has the socket.
 *
 * Context: process context of the program; does not wait for it.
 * Return: the claimed socket, or an ERR_PTR() of EBADF, ENOTSOCK,
 * EAFNOSUPPORT, EPROTOTYPE, ENOTCONN, EBUSY or ENOMEM.
 */
struct vsockdev_sock *vsockdev_sock_claim(int fd, struct vsockdev_conn *conn,
					  u32 types)
{
	struct vsockdev_sock *vs;
	int ret = -EBADF;

	vs = kzalloc(sizeof(*vs), GFP_KERNEL_ACCOUNT);
	if (!vs)
		return ERR_PTR(-ENOMEM);
	skb_queue_head_init(&vs->skbs);
	vs->file = fget(fd);
	if (!vs->file)
		goto err_free;
	vs->sock = sock_from_file(vs->file);
	ret = vs->sock ? check_socket(vs->sock) : -ENOTSOCK;
	if (ret)
		goto err_put;
	vs->tcp = vs->sock->sk->sk_family != AF_UNIX;
	vs->seqpacket = vs->sock->type == SOCK_SEQPACKET;
	if (!(types & BIT(vsockdev_sock_type(vs)))) {
		ret = -EPROTOTYPE;
		goto err_put;
	}
	vs->conn = conn;
	vs->cred = get_current_cred();
	vsockdev_conn_get(conn);
	__module_get(THIS_MODULE);
	ret = install(vs);
	if (ret)
		goto err_undo;
	if (is_gone(vs)) {
		vsockdev_sock_release(vs);
		return ERR_PTR(-ENOTCONN);
	}
	return vs;

err_undo:
	module_put(THIS_MODULE);
	vsockdev_conn_put(conn);
	put_cred(vs->cred);
err_put:
	fput(vs->file);
err_free:
	kfree(vs);
	return ERR_PTR(ret);
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

	uninstall(vs, sk);
	/* Not what is there now: others may expect to be called with the lock */
	vs->data_ready(sk);
	vs->write_space(sk);
	skb_queue_purge(&vs->skbs);
	vsockdev_worker_fput(vs->file);
	put_cred(vs->cred);
	kfree_rcu(vs, rcu);
	vsockdev_conn_put(conn);
	module_put(THIS_MODULE);
}

static bool consumed_is(struct socket *sock, u32 len)
{
	const struct sk_buff *skb = skb_peek(&sock->sk->sk_receive_queue);

	return skb && vsockdev_compat_unix_consumed(skb) == len;
}

/* Reads an skb in parts, and looks at what AF_UNIX notes of each */
static int check_consumed(struct socket *reader, struct socket *writer)
{
	u8 buf[PROBE_PARTS * PROBE_PART + 1] = {};
	struct kvec vec = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {};
	int ret, part;

	ret = kernel_sendmsg(writer, &msg, &vec, 1, sizeof(buf));
	for (part = 0; ret > 0 && part <= PROBE_PARTS; part++) {
		if (!consumed_is(reader, part * PROBE_PART))
			return -EOPNOTSUPP;
		vec = (struct kvec){ .iov_base = buf, .iov_len = PROBE_PART };
		ret = kernel_recvmsg(reader, &msg, &vec, 1, PROBE_PART,
				     MSG_DONTWAIT);
	}
	return min(ret, 0);
}

static int try_unix(void)
{
	struct socket *reader, *writer;
	int ret;

	ret = sock_create_kern(&init_net, AF_UNIX, SOCK_STREAM, 0, &reader);
	if (ret)
		return ret;
	ret = sock_create_kern(&init_net, AF_UNIX, SOCK_STREAM, 0, &writer);
	if (ret)
		goto err_reader;
	ret = reader->ops->socketpair(reader, writer);
	if (!ret)
		ret = check_consumed(reader, writer);
	sock_release(writer);
err_reader:
	sock_release(reader);
	return ret;
}

/**
 * vsockdev_sock_init() - see whether AF_UNIX is as we know it
 *
 * What it notes in its skbs is private in newer kernels. If it were misread,
 * streams would have holes; so it is tried out.
 *
 * Context: process context.
 * Return: 0, or a negative errno.
 */
int vsockdev_sock_init(void)
{
	int ret = try_unix();

	if (ret == -EOPNOTSUPP)
		pr_err("vsockdev: this kernel's AF_UNIX is not known to this driver\n");
	return ret;
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
