// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - bytes between a socket and a connection
 *
 * DOC: Each connection has one work item, the pump. Whatever may concern the
 * socket (the program wrote, read or closed; bytes came from the host; there
 * is credit again; the connection died) merely wakes it, and it looks at
 * everything. If a program holds the socket's lock for ever, nobody but this
 * connection waits.
 *
 * Two things need not wait for it. A program that writes takes its bytes to
 * the TX queue itself, and the RX work hands bytes over itself, if the pump is
 * not at the socket just then, and where no program can make them wait.
 */
#include <linux/sched/mm.h>

#include "blob.h"
#include "conn.h"
#include "deliver.h"
#include "device.h"
#include "pump.h"
#include "sock.h"
#include "transmit.h"

/* The program closed, or failed, before it had everything */
static bool user_aborted(struct vsockdev_conn *conn, u32 ends)
{
	return (ends & VSOCKDEV_SOCK_FAILED) ||
	       ((ends & VSOCKDEV_SOCK_CLOSED) &&
		!list_empty(&conn->rx_chunks));
}

/* Takes note of what the program did to its end of the socket */
static void note_ends(struct vsockdev_conn *conn, u32 ends, size_t pending)
{
	int error = vsockdev_sock_error(conn->sock);

	lockdep_assert_held(&conn->vd->lock);

	if (user_aborted(conn, ends)) {
		if (error && error != -ECONNRESET && error != -EPIPE)
			vsockdev_conn_fail(conn, error);
		else
			vsockdev_conn_end(conn, true,
					  VSOCKDEV_RST_LOCAL_CLOSE,
					  ECONNRESET);
		return;
	}
	if (ends & VSOCKDEV_SOCK_CLOSED)
		conn->user_closed = true;
	if (conn->state == VSOCKDEV_CONN_CONNECTING) {
		if (conn->user_closed)
			vsockdev_conn_end(conn, true,
					  VSOCKDEV_RST_LOCAL_CLOSE, 0);
		return;
	}
	if (ends & VSOCKDEV_SOCK_READS_OVER)
		conn->rx_discard = true;
	if ((ends & VSOCKDEV_SOCK_WRITES_OVER) && !pending && !conn->vmo_left)
		conn->tx_ended = true;
}

/* Acts on the ends noted: what is shut, and who has to hurry from now on */
static void act_on_ends(struct vsockdev_conn *conn)
{
	bool over = conn->tx_ended && (conn->rx_discard || conn->rx_ended);

	lockdep_assert_held(&conn->vd->lock);

	if (conn->rx_discard)
		vsockdev_deliver_discard(conn);
	if (conn->state != VSOCKDEV_CONN_ESTABLISHED)
		return;
	if (conn->user_closed ||
	    (over && (conn->rx_discard || vsockdev_sock_is_tcp(conn->sock))))
		vsockdev_conn_close(conn);
	if (conn->rx_discard && !conn->user_closed)
		vsockdev_conn_shutdown(conn, VSOCKDEV_SHUTDOWN_RECEIVE);
	vsockdev_conn_settle(conn);
}

/*
 * The peer's last byte was handed over. Returns true if the program has not
 * been told so yet.
 */
static bool rx_complete(struct vsockdev_conn *conn)
{
	bool complete;

	spin_lock(&conn->vd->lock);
	complete = (conn->shut_received & VSOCKDEV_SHUTDOWN_SEND) &&
		   list_empty(&conn->rx_chunks) && !conn->rx_ended &&
		   !conn->aborted;
	spin_unlock(&conn->vd->lock);
	return complete;
}

static void end_of_file(struct vsockdev_conn *conn)
{
	vsockdev_sock_end_writes(conn->sock);
	spin_lock(&conn->vd->lock);
	conn->rx_ended = true;
	vsockdev_conn_settle(conn);
	vsockdev_sched_unlock(conn->vd);
}

/*
 * The other side of a TCP connection has not acknowledged @left bytes. Returns
 * true if it got nothing further in a whole close timeout.
 */
static bool has_lingered(struct vsockdev_conn *conn, u32 left)
{
	if (conn->lingering && !conn->linger_due)
		return false;
	if (conn->lingering && conn->linger_left == left)
		return true;
	conn->lingering = true;
	conn->linger_due = false;
	conn->linger_left = left;
	vsockdev_conn_arm(conn, conn->close_timeout);
	return false;
}

/* Tells whether the socket may go: the connection is over, all handed over */
static bool is_finished(struct vsockdev_conn *conn)
{
	u32 left;

	if (conn->state != VSOCKDEV_CONN_DEAD)
		return false;
	if (conn->aborted)
		vsockdev_deliver_discard(conn);
	if (!list_empty(&conn->rx_chunks))
		return false;
	if (!conn->rx_ended)
		return !vsockdev_sock_unread(conn->sock);
	if (conn->aborted)
		return true;
	left = vsockdev_sock_unsent(conn->sock);
	return !left || has_lingered(conn, left);
}

/* Returns true if the program has had its chance to know of it */
static bool cut_off(struct vsockdev_conn *conn)
{
	unsigned long again;

	if (vsockdev_sock_abort(conn->sock, &again))
		return true;
	spin_lock(&conn->vd->lock);
	conn->lingering = true;
	vsockdev_conn_arm(conn, again);
	spin_unlock(&conn->vd->lock);
	return false;
}

/* Gives the socket back when it may go */
static void finish(struct vsockdev_conn *conn)
{
	struct vsockdev_sock *vs = conn->sock;
	struct vsockdev_blob *blob = NULL;
	bool finished, complete;

	spin_lock(&conn->vd->lock);
	finished = is_finished(conn);
	complete = conn->rx_ended;
	if (finished) {
		vsockdev_conn_disarm(conn);
		swap(blob, conn->blob);
	}
	spin_unlock(&conn->vd->lock);
	if (!finished)
		return;
	if (blob)
		vsockdev_blob_close(blob);
	if (!complete && !cut_off(conn))
		return;
	/* To close a socket with bytes unread would be an abort, too */
	vsockdev_sock_end_reads(vs);
	vsockdev_sock_discard(vs);
	WRITE_ONCE(conn->sock, NULL);
	vsockdev_sock_release(vs);
}

static bool pump(struct vsockdev_conn *conn)
{
	struct vsockdev *vd = conn->vd;
	size_t pending;
	bool stopped;
	bool again;
	u32 ends;

	ends = vsockdev_sock_ends(conn->sock);
	again = vsockdev_transmit(conn, &pending);
	again |= vsockdev_deliver(conn);
	/*
	 * Writing may just have met the end of the program. That it writes no
	 * more counts only if it was so before we looked for its bytes.
	 */
	ends |= vsockdev_sock_ends(conn->sock) & ~VSOCKDEV_SOCK_WRITES_OVER;

	spin_lock(&vd->lock);
	/* A stream that misses something must not look complete */
	if (ends & VSOCKDEV_SOCK_FAILED)
		conn->aborted = true;
	if (conn->state != VSOCKDEV_CONN_DEAD)
		note_ends(conn, ends, pending);
	else if (ends & (VSOCKDEV_SOCK_FAILED | VSOCKDEV_SOCK_READS_OVER))
		conn->rx_discard = true;
	act_on_ends(conn);
	stopped = conn->tx_stopped || conn->state == VSOCKDEV_CONN_DEAD;
	vsockdev_sched_unlock(vd);

	if (stopped)
		vsockdev_sock_end_reads(conn->sock);
	if (rx_complete(conn))
		end_of_file(conn);
	finish(conn);
	return again;
}

/**
 * vsockdev_pump_work() - the work item of a connection
 * @work: in struct vsockdev_conn
 *
 * Context: may sleep on the socket for as long as a program likes.
 */
void vsockdev_pump_work(struct work_struct *work)
{
	struct vsockdev_conn *conn = container_of(work, struct vsockdev_conn,
						  work);
	struct mem_cgroup *memcg;

	mutex_lock(&conn->io_mutex);
	/* Pairs with whoever published it, after what belongs to it */
	if (smp_load_acquire(&conn->sock)) {
		memcg = set_active_memcg(conn->memcg);
		if (pump(conn))
			vsockdev_conn_wake(conn);
		set_active_memcg(memcg);
	}
	mutex_unlock(&conn->io_mutex);
	vsockdev_conn_put(conn);
}
