// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - what the calls do
 *
 * DOC: What can fail is done before anything becomes visible, and the state is
 * looked at again under the lock after everything that may sleep: the host, or
 * another thread, may have been faster.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/sched.h>

#include "blob.h"
#include "calls.h"
#include "conn.h"
#include "device.h"
#include "pump.h"
#include "sock.h"

static bool set_default(u32 *value, u32 def, u32 min, u32 max)
{
	if (!*value)
		*value = def;
	return *value >= min && *value <= max;
}

static bool set_connect_timeout(u32 *value, u32 def)
{
	if (!*value)
		*value = def;
	return *value == VSOCKDEV_TIMEOUT_NONE ||
	       *value <= VSOCKDEV_TIMEOUT_MAX_MS;
}

static bool set_close_timeout(u32 *value, u32 def)
{
	return set_default(value, def, 1, VSOCKDEV_TIMEOUT_MAX_MS);
}

static bool set_buf_alloc(u32 *value, u32 def)
{
	return set_default(value, def, VSOCKDEV_BUF_ALLOC_MIN,
			   VSOCKDEV_BUF_ALLOC_MAX);
}

static unsigned long timeout_jiffies(u32 ms)
{
	return ms == VSOCKDEV_TIMEOUT_NONE ? 0 : msecs_to_jiffies(ms);
}

int vsockdev_call_start(struct vsockdev *vd, struct file *file,
			union vsockdev_argument *arg)
{
	struct vsockdev_start *start = &arg->start;

	if (!set_default(&start->event_size, VSOCKDEV_EVENT_SIZE_MIN,
			 VSOCKDEV_EVENT_SIZE_MIN, VSOCKDEV_EVENT_SIZE_MAX) ||
	    !IS_ALIGNED(start->event_size, 8) ||
	    !set_default(&start->backlog, VSOCKDEV_BACKLOG_DEFAULT, 1,
			 VSOCKDEV_BACKLOG_MAX) ||
	    !set_default(&start->max_conns, VSOCKDEV_CONNS_DEFAULT, 1,
			 VSOCKDEV_CONNS_MAX) ||
	    !set_buf_alloc(&start->buf_alloc, VSOCKDEV_BUF_ALLOC_DEFAULT) ||
	    !set_connect_timeout(&start->connect_timeout_ms,
				 VSOCKDEV_CONNECT_TIMEOUT_MS) ||
	    !set_close_timeout(&start->close_timeout_ms,
			       VSOCKDEV_CLOSE_TIMEOUT_MS))
		return -EINVAL;
	return vsockdev_owner_start(vd, file, start);
}

int vsockdev_call_stop(struct vsockdev *vd, struct file *file,
		       union vsockdev_argument *arg)
{
	return vsockdev_owner_stop(vd, file);
}

/* The options of the owner, if @file is it and may make connections */
static int owner_options(struct vsockdev *vd, struct file *file,
			 struct vsockdev_start *options)
{
	int ret;

	spin_lock(&vd->lock);
	ret = vsockdev_owner_check_ready(vd, file);
	if (!ret)
		*options = vd->options;
	spin_unlock(&vd->lock);
	return ret;
}

/* Publishes a CONNECTING connection, or says why not */
static int enter_request(struct vsockdev_conn *conn, struct file *file,
			 struct vsockdev_sock *sock, u32 buf_alloc)
{
	struct vsockdev *vd = conn->vd;
	int ret = vsockdev_owner_check_ready(vd, file);

	if (ret)
		return ret;
	if (vsockdev_conn_find(vd, &conn->addr) ||
	    vsockdev_conn_find_dead(vd, &conn->addr, 0))
		return -EADDRINUSE;
	if (vd->conns >= vd->options.max_conns)
		return -ENOBUFS;

	/* Pairs with the pump, which a callback may wake at any time */
	smp_store_release(&conn->sock, sock);
	vsockdev_conn_publish(conn, VSOCKDEV_CONN_CONNECTING, buf_alloc);
	vsockdev_sched_control(conn, VSOCKDEV_SEND_REQUEST_PACKET);
	vsockdev_conn_arm(conn, conn->connect_timeout);
	/* The socket must be emptied from now on, and its end be noticed */
	vsockdev_conn_wake(conn);
	return 0;
}

static int send_request(struct vsockdev *vd, struct file *file,
			struct vsockdev_send_request *args)
{
	struct vsockdev_conn *conn;
	struct vsockdev_sock *sock;
	u64 id = 0;
	int ret;

	conn = vsockdev_conn_alloc(vd, &args->addr, VSOCKDEV_TYPE_STREAM,
				   GFP_KERNEL_ACCOUNT, vsockdev_pump_work);
	if (!conn)
		return -ENOMEM;
	conn->memcg = get_mem_cgroup_from_mm(current->mm);
	conn->connect_timeout = timeout_jiffies(args->connect_timeout_ms);
	conn->close_timeout = timeout_jiffies(args->close_timeout_ms);
	ret = vsockdev_conn_make_room(conn);
	if (ret)
		goto err_put;
	sock = vsockdev_sock_claim(args->socket_fd, conn, vd->types);
	if (IS_ERR(sock)) {
		ret = PTR_ERR(sock);
		goto err_put;
	}
	conn->type = vsockdev_sock_type(sock);

	spin_lock(&vd->lock);
	ret = enter_request(conn, file, sock, args->buf_alloc);
	if (!ret)
		id = conn->id;
	vsockdev_sched_unlock(vd);
	if (ret)
		goto err_release;
	args->conn_id = id;
	return 0;

err_release:
	vsockdev_sock_release(sock);
err_put:
	vsockdev_conn_put(conn);
	return ret;
}

int vsockdev_call_send_request(struct vsockdev *vd, struct file *file,
			       union vsockdev_argument *arg)
{
	struct vsockdev_send_request *args = &arg->send_request;
	struct vsockdev_start options;
	int ret;

	if (args->reserved || args->conn_id)
		return -EINVAL;
	ret = owner_options(vd, file, &options);
	if (ret)
		return ret;
	if (!set_buf_alloc(&args->buf_alloc, options.buf_alloc) ||
	    !set_connect_timeout(&args->connect_timeout_ms,
				 options.connect_timeout_ms) ||
	    !set_close_timeout(&args->close_timeout_ms,
			       options.close_timeout_ms))
		return -EINVAL;
	return send_request(vd, file, args);
}

/*
 * Finds the connection that a call is for. @conn is NULL if there is none at
 * the address and the caller did not name one by its id.
 */
static int find_conn(struct vsockdev *vd, struct file *file,
		     const struct vsockdev_addr *addr, u64 id,
		     struct vsockdev_conn **conn)
{
	int ret = vsockdev_owner_check_ready(vd, file);

	if (ret)
		return ret;
	*conn = vsockdev_conn_find(vd, addr);
	if (id && (!*conn || (*conn)->id != id))
		return -ESTALE;
	return 0;
}

/* Drops what is unread of connections that are over. Returns how many */
static int drop_dead(struct vsockdev *vd, const struct vsockdev_addr *addr,
		     u64 id)
{
	struct vsockdev_conn *conn;
	int count = 0;

	while ((conn = vsockdev_conn_find_dead(vd, addr, id))) {
		vsockdev_conn_end_silently(conn, false, 0);
		count++;
	}
	return count;
}

/* The caller does not learn the id, so there must not be a connection */
void vsockdev_call_undo_request(struct vsockdev *vd, struct file *file,
				const union vsockdev_argument *arg)
{
	const struct vsockdev_send_request *args = &arg->send_request;
	struct vsockdev_conn *conn;

	spin_lock(&vd->lock);
	if (!find_conn(vd, file, &args->addr, args->conn_id, &conn)) {
		conn->aborted = true;
		vsockdev_conn_end_silently(conn, true, ECANCELED);
	} else {
		drop_dead(vd, &args->addr, args->conn_id);
	}
	vsockdev_sched_unlock(vd);
}

/* A reference to the PENDING connection that is to be accepted */
static struct vsockdev_conn *get_pending(struct vsockdev *vd,
					 struct file *file,
					 struct vsockdev_send_response *args)
{
	struct vsockdev_conn *conn;
	int ret;

	spin_lock(&vd->lock);
	ret = find_conn(vd, file, &args->addr, args->conn_id, &conn);
	if (!ret && (!conn || conn->state != VSOCKDEV_CONN_PENDING))
		ret = -ENOTCONN;
	if (!ret)
		vsockdev_conn_get(conn);
	spin_unlock(&vd->lock);
	return ret ? ERR_PTR(ret) : conn;
}

static int enter_response(struct vsockdev_conn *conn, struct file *file,
			  struct vsockdev_sock *sock,
			  const struct vsockdev_send_response *args)
{
	struct vsockdev_event_slot *open;
	int ret = vsockdev_owner_check_ready(conn->vd, file);

	if (ret)
		return ret;
	if (conn->state != VSOCKDEV_CONN_PENDING)
		return -ENOTCONN;

	/* Who accepts a REQUEST without having read of it need not any more */
	open = &conn->events[VSOCKDEV_CONN_EVENT_OPEN];
	vsockdev_event_drop(open);
	conn->memcg = get_mem_cgroup_from_mm(current->mm);
	/* Pairs with the pump, which a callback may wake at any time */
	smp_store_release(&conn->sock, sock);
	conn->credit.buf_alloc = args->buf_alloc;
	conn->close_timeout = timeout_jiffies(args->close_timeout_ms);
	vsockdev_conn_open(conn);
	vsockdev_sched_control(conn, VSOCKDEV_SEND_RESPONSE_PACKET);
	return 0;
}

static int send_response(struct vsockdev *vd, struct file *file,
			 struct vsockdev_send_response *args)
{
	struct vsockdev_conn *conn;
	struct vsockdev_sock *sock;
	int ret;

	conn = get_pending(vd, file, args);
	if (IS_ERR(conn))
		return PTR_ERR(conn);
	ret = vsockdev_conn_make_room(conn);
	if (ret)
		goto out;
	sock = vsockdev_sock_claim(args->socket_fd, conn, BIT(conn->type));
	ret = PTR_ERR_OR_ZERO(sock);
	if (ret)
		goto out;

	/* The host may have withdrawn it, or another thread answered it */
	spin_lock(&vd->lock);
	ret = enter_response(conn, file, sock, args);
	vsockdev_sched_unlock(vd);
	if (ret)
		vsockdev_sock_release(sock);
out:
	vsockdev_conn_put(conn);
	return ret;
}

int vsockdev_call_send_response(struct vsockdev *vd, struct file *file,
				union vsockdev_argument *arg)
{
	struct vsockdev_send_response *args = &arg->send_response;
	struct vsockdev_start options;
	int ret;

	ret = owner_options(vd, file, &options);
	if (ret)
		return ret;
	if (!set_buf_alloc(&args->buf_alloc, options.buf_alloc) ||
	    !set_close_timeout(&args->close_timeout_ms,
			       options.close_timeout_ms))
		return -EINVAL;
	return send_response(vd, file, args);
}

static int send_rst(struct vsockdev *vd, struct file *file,
		    const struct vsockdev_send_rst *args)
{
	struct vsockdev_conn *conn;
	int ret;

	ret = find_conn(vd, file, &args->addr, args->conn_id, &conn);
	/* The reset has done it already; what is at the address is new */
	if (ret == -ECONNRESET)
		return 0;
	if (ret == -ESTALE && drop_dead(vd, &args->addr, args->conn_id))
		return 0;
	if (ret)
		return ret;
	if (conn) {
		conn->aborted = true;
		vsockdev_conn_end_silently(conn, true, ECANCELED);
	} else if (vd->sched.reply_count < VSOCKDEV_REPLIES - 1) {
		/* The last place is for the RX work, which looked for it */
		vsockdev_sched_reply(vd, &args->addr, VSOCKDEV_TYPE_STREAM);
	} else {
		return -ENOBUFS;
	}
	if (!args->conn_id)
		drop_dead(vd, &args->addr, 0);
	return 0;
}

int vsockdev_call_send_rst(struct vsockdev *vd, struct file *file,
			   union vsockdev_argument *arg)
{
	int ret;

	if (arg->send_rst.reserved)
		return -EINVAL;
	spin_lock(&vd->lock);
	ret = send_rst(vd, file, &arg->send_rst);
	vsockdev_sched_unlock(vd);
	return ret;
}

static int send_shutdown(struct vsockdev *vd, struct file *file,
			 const struct vsockdev_send_shutdown *args)
{
	u32 directions = args->flags ?: VSOCKDEV_SHUTDOWN_BOTH;
	struct vsockdev_conn *conn;
	int ret;

	ret = find_conn(vd, file, &args->addr, args->conn_id, &conn);
	if (ret)
		return ret;
	if (!conn || conn->state != VSOCKDEV_CONN_ESTABLISHED)
		return -ENOTCONN;
	if (!(directions & ~conn->shut_sent))
		return -EALREADY;

	if (directions & VSOCKDEV_SHUTDOWN_SEND)
		vsockdev_conn_stop_tx(conn);
	vsockdev_conn_shutdown(conn, directions);
	if (conn->shut_sent == VSOCKDEV_SHUTDOWN_BOTH)
		vsockdev_conn_close(conn);
	vsockdev_conn_settle(conn);
	return 0;
}

int vsockdev_call_send_shutdown(struct vsockdev *vd, struct file *file,
				union vsockdev_argument *arg)
{
	int ret;

	if (arg->send_shutdown.reserved)
		return -EINVAL;
	spin_lock(&vd->lock);
	ret = send_shutdown(vd, file, &arg->send_shutdown);
	vsockdev_sched_unlock(vd);
	return ret;
}

/* Lets a connection send a range of a file, or says why not */
static int enter_vmo(struct vsockdev *vd, struct file *file,
		     const struct vsockdev_send_vmo *args,
		     struct vsockdev_blob *blob)
{
	struct vsockdev_conn *conn;
	int ret = find_conn(vd, file, &args->addr, args->conn_id, &conn);

	if (ret)
		return ret;
	if (!conn || conn->state != VSOCKDEV_CONN_ESTABLISHED)
		return -ENOTCONN;
	if (conn->type != VSOCKDEV_TYPE_STREAM)
		return -EPROTOTYPE;
	if (conn->tx_ended || conn->tx_stopped ||
	    (conn->shut_sent & VSOCKDEV_SHUTDOWN_SEND))
		return -EPIPE;
	if (conn->vmo_active ||
	    vsockdev_event_pending(&conn->events[VSOCKDEV_CONN_EVENT_VMO]))
		return -EBUSY;
	conn->blob = blob;
	conn->vmo_active = true;
	conn->vmo_left = args->length;
	conn->vmo_bytes = 0;
	vsockdev_conn_wake(conn);
	return 0;
}

int vsockdev_call_send_vmo(struct vsockdev *vd, struct file *file,
			   union vsockdev_argument *arg)
{
	const struct vsockdev_send_vmo *args = &arg->send_vmo;
	struct vsockdev_blob *blob;
	int ret;

	blob = vsockdev_blob_open(args->vmo_fd, args->offset, args->length);
	if (IS_ERR(blob))
		return PTR_ERR(blob);
	spin_lock(&vd->lock);
	ret = enter_vmo(vd, file, args, blob);
	spin_unlock(&vd->lock);
	if (ret)
		vsockdev_blob_close(blob);
	return ret;
}

int vsockdev_call_reset_done(struct vsockdev *vd, struct file *file,
			     union vsockdev_argument *arg)
{
	return vsockdev_owner_reset_done(vd, file, arg->reset_done.generation);
}

int vsockdev_call_get_cid(struct vsockdev *vd, struct file *file,
			  union vsockdev_argument *arg)
{
	if (arg->get_cid.reserved)
		return -EINVAL;
	spin_lock(&vd->lock);
	arg->get_cid.cid = vd->cid;
	spin_unlock(&vd->lock);
	return 0;
}

static void get_stats(const struct vsockdev_stats *stats,
		      struct vsockdev_get_info *info)
{
	info->rx_packets = stats->rx_packets;
	info->rx_bytes = stats->rx_bytes;
	info->tx_packets = stats->tx_packets;
	info->tx_bytes = stats->tx_bytes;
	info->rx_malformed = stats->rx_malformed;
	info->rx_unknown = stats->rx_unknown;
	info->rx_violations = stats->rx_violations;
	info->rx_discarded = stats->rx_discarded;
	info->refused = stats->refused;
	info->timeouts = stats->timeouts;
	info->credit_requests = stats->credit_requests;
	info->credit_updates = stats->credit_updates;
}

int vsockdev_call_get_info(struct vsockdev *vd, struct file *file,
			   union vsockdev_argument *arg)
{
	struct vsockdev_get_info *info = &arg->get_info;

	info->abi_version = VSOCKDEV_ABI_VERSION;
	info->max_event_size = VSOCKDEV_EVENT_SIZE_MAX;
	info->max_backlog = VSOCKDEV_BACKLOG_MAX;
	info->max_conns = VSOCKDEV_CONNS_MAX;
	info->min_buf_alloc = VSOCKDEV_BUF_ALLOC_MIN;
	info->max_buf_alloc = VSOCKDEV_BUF_ALLOC_MAX;
	spin_lock(&vd->lock);
	info->cid = vd->cid;
	info->features = vd->features;
	info->conns = vd->conns;
	info->generation = vd->generation;
	get_stats(&vd->stats, info);
	spin_unlock(&vd->lock);
	return 0;
}
