// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - a program's stream is cut off
 *
 * DOC: What is cut off must not look complete. The program reads what was
 * handed over, then gets ECONNRESET, and an end of file only after that. But a
 * socket of AF_UNIX tells its error once, to whoever asks first. That may be a
 * thread whose write was blocked, any thread that asks for SO_ERROR, or a read
 * that returns some bytes and forgets the error, as with MSG_WAITALL. Who reads
 * then would find nothing but the end.
 *
 * So the end comes in two steps. At once, the program's end takes no more bytes
 * and has the error, but no end of file: a reader gets the error or goes on
 * waiting. The second step is taken when somebody has asked: the error is set
 * again, and the end comes. There is no call when that happens, so the socket is
 * looked at from time to time. If nobody asks, we have the socket for as long as
 * there are bytes to be read before the error, or for a moment.
 *
 * A thread that was about to write when the first step was taken looks for the
 * error before it looks for the end. It is through before the second step, and
 * those that begin to write later find the end first. (Where messages are kept
 * apart they do not, and so each gets the error that there is.)
 *
 * A reader of a stream looks for the error and then for the end under a lock.
 * Where messages are kept apart there is none, so the end comes only when each
 * reader that missed the error is through.
 */
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/net.h>
#include <linux/rcupdate.h>
#include <net/af_unix.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "claim.h"
#include "compat.h"
#include "sock.h"

/*
 * Until the first look, and at most between two of them. The former is also for
 * kernels without RCU-tasks, where a grace period says nothing of threads that
 * were woken and are not running yet.
 */
#define LOOK_FIRST	(HZ / 10)
#define LOOK_MAX	(2 * HZ)

/* When this much has passed between two looks, nobody is expected to ask */
#define PATIENCE	(HZ / 2)

static void end(struct sock *sk, int directions)
{
	unix_state_lock(sk);
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | directions);
	unix_state_unlock(sk);
}

static void fail(struct sock *peer)
{
	WRITE_ONCE(peer->sk_err, ECONNRESET);
	sk_error_report(peer);
}

static void first_step(struct vsockdev_sock *vs, struct sock *peer)
{
	vs->cut_off = true;
	vs->look_delay = LOOK_FIRST;
	vs->look_at = jiffies + LOOK_FIRST;
	end(vs->sock->sk, SHUTDOWN_MASK);
	end(peer, SEND_SHUTDOWN);
	fail(peer);
}

static void second_step(struct vsockdev_sock *vs, struct sock *peer)
{
	synchronize_rcu_tasks();
	fail(peer);
	if (vs->seqpacket)
		synchronize_rcu_tasks();
	kernel_sock_shutdown(vs->sock, SHUT_RDWR);
}

/* 0 if the second step is due, or jiffies until the next look */
static unsigned long look(struct vsockdev_sock *vs, struct sock *peer)
{
	bool unread = vsockdev_sock_unix_unread(vs->sock->sk);
	unsigned long now = jiffies;

	if (time_before(now, vs->look_at))
		return vs->look_at - now;
	if (!READ_ONCE(peer->sk_err) ||
	    (vs->look_delay > PATIENCE && !unread))
		return 0;
	vs->look_delay = min(2 * vs->look_delay, LOOK_MAX);
	vs->look_at = now + vs->look_delay;
	return vs->look_delay;
}

/* It is closed, or the other end of a relay: our pumps take no errors away */
static bool nobody_asks(const struct sock *peer)
{
	return sock_flag(peer, SOCK_DEAD) || vsockdev_sock_is_claimed(peer);
}

static unsigned long abort_unix(struct vsockdev_sock *vs, struct sock *peer)
{
	unsigned long delay;

	if (!vs->cut_off)
		first_step(vs, peer);
	if (nobody_asks(peer)) {
		kernel_sock_shutdown(vs->sock, SHUT_RDWR);
		return 0;
	}
	delay = look(vs, peer);
	if (!delay)
		second_step(vs, peer);
	return delay;
}

/**
 * vsockdev_sock_abort() - the stream is cut off: no end of file, an error
 * @vs: the socket, of which nothing is written any more
 *
 * The program reads what was handed over and then gets ECONNRESET.
 *
 * Context: the pump; may sleep for grace periods.
 * Return: 0 when that is done, and the socket may be released. Otherwise jiffies
 * after which this is to be called again: the program has its end open, and has
 * not asked yet. The pump is woken when it closes that.
 */
unsigned long vsockdev_sock_abort(struct vsockdev_sock *vs)
{
	unsigned long delay = 0;
	struct sock *peer;

	vs->reads_ended = true;
	vs->writes_ended = true;
	if (vs->tcp) {
		tcp_abort(vs->sock->sk, ECONNRESET);
		return 0;
	}
	peer = unix_peer_get(vs->sock->sk);
	if (peer) {
		delay = abort_unix(vs, peer);
		sock_put(peer);
	}
	return delay;
}
