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
 * So at first the program's end takes no more bytes and has the error, but no
 * end of file: a reader gets the error or goes on waiting. There is no call when
 * somebody takes it, so the socket is looked at from time to time, and the error
 * is set again. The end comes when all was read and then nobody wanted the error
 * for a while, so that it is still there; or has got it several times, so that a
 * program that reads until the end finds one. Where all was not read, the next
 * look is when it was, or when the program closes its end.
 *
 * A reader of a stream looks for the error and then for the end under a lock.
 * Where messages are kept apart there is none, so the end comes only when each
 * reader that missed the error is through.
 */
#include <linux/jiffies.h>
#include <linux/net.h>
#include <linux/rcupdate.h>
#include <net/af_unix.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "claim.h"
#include "compat.h"
#include "sock.h"

/* From one look to the next: whoever was about to take the error has done so */
#define LOOK		(HZ / 10)
/* As many looks is a while */
#define QUIET		5
#define RENEWALS	2

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

/*
 * Whoever begins to write to a stream finds that it may not before it looks for
 * an error. One that has begun, or writes messages, takes the error.
 */
static void begin(struct vsockdev_sock *vs, struct sock *peer)
{
	vs->cut_off = true;
	vs->look_at = jiffies + LOOK;
	end(vs->sock->sk, SHUTDOWN_MASK);
	end(peer, SEND_SHUTDOWN);
	fail(peer);
}

/*
 * It is closed, or reads no more; or it is the other end of a relay, where our
 * own pump has noted each error that there was.
 */
static bool nobody_asks(const struct sock *peer)
{
	return sock_flag(peer, SOCK_DEAD) ||
	       (READ_ONCE(peer->sk_shutdown) & RCV_SHUTDOWN) ||
	       vsockdev_sock_is_claimed(peer);
}

/* Renews the error if it is gone. Returns true if the end may come */
static bool look(struct vsockdev_sock *vs, struct sock *peer, bool unread)
{
	bool asked = !READ_ONCE(peer->sk_err);

	vs->look_at = jiffies + LOOK;
	vs->quiet = asked || unread ? 0 : vs->quiet + 1;
	if (asked)
		fail(peer);
	if (unread)
		return false;
	vs->renewals += asked;
	return vs->quiet == QUIET || vs->renewals == RENEWALS;
}

static bool abort_unix(struct vsockdev_sock *vs, struct sock *peer,
		       unsigned long *again)
{
	bool unread = vsockdev_sock_unix_unread(vs->sock->sk);
	unsigned long now = jiffies;

	if (!vs->cut_off)
		begin(vs, peer);
	if (nobody_asks(peer)) {
		fail(peer);
	} else if (time_before(now, vs->look_at)) {
		*again = vs->look_at - now;
		return false;
	} else if (!look(vs, peer, unread)) {
		*again = unread ? 0 : LOOK;
		return false;
	} else if (vs->seqpacket) {
		synchronize_rcu_tasks();
	}
	kernel_sock_shutdown(vs->sock, SHUT_RDWR);
	return true;
}

/**
 * vsockdev_sock_abort() - the stream is cut off: no end of file, an error
 * @vs: the socket, of which nothing is written any more
 * @again: out: jiffies after which this is to be called again, 0 for never.
 *	Besides, it is to be called whenever the pump is woken
 *
 * The program reads what was handed over and then gets ECONNRESET.
 *
 * Context: the pump; may sleep for a grace period.
 * Return: true when that is done, and the socket may be released.
 */
bool vsockdev_sock_abort(struct vsockdev_sock *vs, unsigned long *again)
{
	struct sock *peer;
	bool done = true;

	vs->reads_ended = true;
	vs->writes_ended = true;
	if (vs->tcp) {
		tcp_abort(vs->sock->sk, ECONNRESET);
		return true;
	}
	peer = unix_peer_get(vs->sock->sk);
	if (peer) {
		done = abort_unix(vs, peer, again);
		sock_put(peer);
	}
	return done;
}
