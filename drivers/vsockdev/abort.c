// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - a program's stream is cut off
 *
 * DOC: What is cut off must not look complete. The program reads what was
 * handed over, then gets ECONNRESET, and an end of file only after that. But a
 * socket tells its error once, to whoever asks first, and that may be a thread
 * that writes; the one that reads would find nothing but the end.
 *
 * So AF_UNIX is cut off in steps. At once, the program's end takes no more
 * bytes and has the error, but no end of file: a reader gets the error or goes
 * on waiting. Whoever begins to write now finds out that it may not before it
 * looks for an error; only where messages are kept apart it is the other way
 * round. A writer that had begun before may still take the error away, until
 * each of them is through, which is a grace period of RCU-tasks. Then the error
 * is set again if it is gone.
 *
 * A reader of a stream looks for the error and then for the end under a lock;
 * where messages are kept apart, it has none. After one more grace period, each
 * that missed the error is through, and the end may come.
 *
 * Nobody waits for all this: one work item does it for all sockets that were
 * cut off meanwhile. It holds a reference to their files, and nothing that can
 * make it wait for a program.
 */
#include <linux/llist.h>
#include <linux/net.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <net/af_unix.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "claim.h"
#include "compat.h"
#include "sock.h"
#include "workers.h"

/* Enough for a task that is awake to have its turn, where nobody counts turns */
#define TURN	(HZ / 4)

static void end_work(struct work_struct *work);

static LLIST_HEAD(cut_off);
static DECLARE_WORK(cut_off_work, end_work);

static void end(struct sock *sk, int directions)
{
	unix_state_lock(sk);
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | directions);
	unix_state_unlock(sk);
}

static void fail(struct sock *sk)
{
	WRITE_ONCE(sk->sk_err, ECONNRESET);
	sk_error_report(sk);
}

/* The first step. Returns false if the program has closed its end */
static bool cut_off_peer(struct sock *sk)
{
	struct sock *peer = unix_peer_get(sk);
	bool alive;

	if (!peer)
		return false;
	alive = !sock_flag(peer, SOCK_DEAD);
	if (alive) {
		end(sk, SHUTDOWN_MASK);
		end(peer, SEND_SHUTDOWN);
		fail(peer);
	}
	sock_put(peer);
	return alive;
}

/**
 * vsockdev_sock_abort() - the stream is cut off: no end of file, an error
 * @vs: the socket, which is to be released next
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
		vs->cut_off = cut_off_peer(vs->sock->sk);
}

static void renew_error(struct sock *sk)
{
	struct sock *peer = unix_peer_get(sk);

	if (!peer)
		return;
	if (!READ_ONCE(peer->sk_err))
		fail(peer);
	sock_put(peer);
}

static void close_now(struct vsockdev_sock *vs)
{
	vsockdev_worker_fput(vs->sock->file);
	kfree_rcu(vs, rcu);
}

/*
 * Until each task that was about to look at the error or the end has done so.
 * Where the kernel has no RCU-tasks, a grace period of RCU stands for it. That
 * does not wait for tasks that were woken and are not running yet.
 */
static void wait_for_tasks(void)
{
	synchronize_rcu_tasks();
	if (!IS_ENABLED(CONFIG_TASKS_RCU))
		schedule_timeout_uninterruptible(TURN);
}

/* The later steps, for all sockets that had the first one before this began */
static void end_work(struct work_struct *work)
{
	struct llist_node *list = llist_del_all(&cut_off);
	struct vsockdev_sock *vs, *next;

	wait_for_tasks();
	llist_for_each_entry(vs, list, cut_node)
		renew_error(vs->sock->sk);
	wait_for_tasks();
	llist_for_each_entry_safe(vs, next, list, cut_node) {
		kernel_sock_shutdown(vs->sock, SHUT_RDWR);
		close_now(vs);
	}
}

/**
 * vsockdev_sock_close() - give the file of a socket back
 * @vs: the socket, which has nothing of ours any more; freed by this
 *
 * If it was cut off, it stays until the program can know that.
 */
void vsockdev_sock_close(struct vsockdev_sock *vs)
{
	if (!vs->cut_off)
		close_now(vs);
	else if (llist_add(&vs->cut_node, &cut_off))
		queue_work(vsockdev_wq, &cut_off_work);
}
