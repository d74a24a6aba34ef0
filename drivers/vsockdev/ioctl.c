// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - the calls on an open file
 *
 * DOC: One row of a table for each call, one place that copies structs in and
 * out. A handler finds its struct checked for size and flags, and filled with
 * zeroes where the caller knows of less than we do. What can fail is done
 * before anything becomes visible.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "conn.h"
#include "device.h"
#include "pump.h"
#include "sock.h"

/* The layout is the same for 32-bit programs, and stays */
static_assert(sizeof(struct vsockdev_addr) == 12);
static_assert(sizeof(struct vsockdev_start) == 32);
static_assert(sizeof(struct vsockdev_stop) == 8);
static_assert(sizeof(struct vsockdev_send_request) == 48);
static_assert(sizeof(struct vsockdev_send_response) == 40);
static_assert(sizeof(struct vsockdev_send_rst) == 32);
static_assert(sizeof(struct vsockdev_send_shutdown) == 32);
static_assert(sizeof(struct vsockdev_send_vmo) == 48);
static_assert(sizeof(struct vsockdev_reset_done) == 16);
static_assert(sizeof(struct vsockdev_get_cid) == 16);
static_assert(sizeof(struct vsockdev_get_info) == 152);
static_assert(sizeof(struct vsockdev_event) == 64);

/* What every struct begins with */
struct head {
	__u32 size;
	__u32 flags;
};

union argument {
	struct head head;
	struct vsockdev_start start;
	struct vsockdev_stop stop;
	struct vsockdev_send_request send_request;
	struct vsockdev_send_response send_response;
	struct vsockdev_send_rst send_rst;
	struct vsockdev_send_shutdown send_shutdown;
	struct vsockdev_send_vmo send_vmo;
	struct vsockdev_reset_done reset_done;
	struct vsockdev_get_cid get_cid;
	struct vsockdev_get_info get_info;
};

static int check_owner(struct vsockdev *vd, struct file *file)
{
	lockdep_assert_held(&vd->lock);

	if (vd->gone)
		return -ENODEV;
	return vd->owner == file ? 0 : -EPERM;
}

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

static int do_start(struct vsockdev *vd, struct file *file,
		    union argument *arg)
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
	return vsockdev_device_start(vd, file, start);
}

static int do_stop(struct vsockdev *vd, struct file *file,
		   union argument *arg)
{
	return vsockdev_device_stop(vd, file);
}

/* The options of the owner; empty if @file is not the owner */
static int owner_options(struct vsockdev *vd, struct file *file,
			 struct vsockdev_start *options)
{
	int ret;

	spin_lock(&vd->lock);
	ret = check_owner(vd, file);
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
	int ret = check_owner(vd, file);

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
	sock = vsockdev_sock_claim(args->socket_fd, conn);
	if (IS_ERR(sock)) {
		ret = PTR_ERR(sock);
		goto err_put;
	}

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

static int do_send_request(struct vsockdev *vd, struct file *file,
			   union argument *arg)
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
	int ret = check_owner(vd, file);

	if (ret)
		return ret;
	*conn = vsockdev_conn_find(vd, addr);
	if (id && (!*conn || (*conn)->id != id))
		return -ESTALE;
	return 0;
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
	int ret = check_owner(conn->vd, file);

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
	sock = vsockdev_sock_claim(args->socket_fd, conn);
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

static int do_send_response(struct vsockdev *vd, struct file *file,
			    union argument *arg)
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

/* Drops what is unread of connections that are over. Returns how many */
static int drop_dead(struct vsockdev *vd, const struct vsockdev_addr *addr,
		     u64 id)
{
	struct vsockdev_conn *conn;
	int count = 0;

	while ((conn = vsockdev_conn_find_dead(vd, addr, id))) {
		vsockdev_conn_end_silently(conn, false);
		count++;
	}
	return count;
}

static int send_rst(struct vsockdev *vd, struct file *file,
		    const struct vsockdev_send_rst *args)
{
	struct vsockdev_conn *conn;
	int ret;

	ret = find_conn(vd, file, &args->addr, args->conn_id, &conn);
	if (ret == -ESTALE && drop_dead(vd, &args->addr, args->conn_id))
		return 0;
	if (ret)
		return ret;
	if (conn) {
		conn->aborted = true;
		vsockdev_conn_end_silently(conn, true);
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

static int do_send_rst(struct vsockdev *vd, struct file *file,
		       union argument *arg)
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

static int do_send_shutdown(struct vsockdev *vd, struct file *file,
			    union argument *arg)
{
	int ret;

	if (arg->send_shutdown.reserved)
		return -EINVAL;
	spin_lock(&vd->lock);
	ret = send_shutdown(vd, file, &arg->send_shutdown);
	vsockdev_sched_unlock(vd);
	return ret;
}

static int do_not_yet(struct vsockdev *vd, struct file *file,
		      union argument *arg)
{
	return -EOPNOTSUPP;
}

static int do_get_cid(struct vsockdev *vd, struct file *file,
		      union argument *arg)
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

static int do_get_info(struct vsockdev *vd, struct file *file,
		       union argument *arg)
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

/**
 * struct call - a row of the dispatch table
 * @handler: does it
 * @size: of its struct
 * @min_size: of the first version of its struct
 * @flags: that it knows
 * @writes: it has something to tell the caller
 * @anyone: every open file may issue it, not only the owner
 */
struct call {
	int (*handler)(struct vsockdev *vd, struct file *file,
		       union argument *arg);
	u32 size;
	u32 min_size;
	u32 flags;
	bool writes;
	bool anyone;
};

#define CALL(_handler, _struct, _min) \
	.handler = _handler, .size = sizeof(struct _struct), .min_size = _min

static const struct call calls[] = {
	[VSOCKDEV_NR_START] = {
		CALL(do_start, vsockdev_start, 32), .anyone = true },
	[VSOCKDEV_NR_STOP] = {
		CALL(do_stop, vsockdev_stop, 8) },
	[VSOCKDEV_NR_SEND_REQUEST] = {
		CALL(do_send_request, vsockdev_send_request, 48),
		.writes = true },
	[VSOCKDEV_NR_SEND_RESPONSE] = {
		CALL(do_send_response, vsockdev_send_response, 40) },
	[VSOCKDEV_NR_SEND_RST] = {
		CALL(do_send_rst, vsockdev_send_rst, 32) },
	[VSOCKDEV_NR_SEND_SHUTDOWN] = {
		CALL(do_send_shutdown, vsockdev_send_shutdown, 32),
		.flags = VSOCKDEV_SHUTDOWN_BOTH },
	[VSOCKDEV_NR_SEND_VMO] = {
		CALL(do_not_yet, vsockdev_send_vmo, 48) },
	[VSOCKDEV_NR_RESET_DONE] = {
		CALL(do_not_yet, vsockdev_reset_done, 16) },
	[VSOCKDEV_NR_GET_CID] = {
		CALL(do_get_cid, vsockdev_get_cid, 16),
		.writes = true, .anyone = true },
	[VSOCKDEV_NR_GET_INFO] = {
		CALL(do_get_info, vsockdev_get_info, 152),
		.writes = true, .anyone = true },
};

/* Answers ENODEV and EPERM before anything else is looked at */
static int gate(struct vsockdev *vd, struct file *file,
		const struct call *call)
{
	int ret;

	spin_lock(&vd->lock);
	if (call->anyone)
		ret = vd->gone ? -ENODEV : 0;
	else
		ret = check_owner(vd, file);
	spin_unlock(&vd->lock);
	return ret;
}

static int copy_in(const struct call *call, union argument *arg,
		   void __user *uarg, u32 *usize)
{
	u32 __user *size = uarg;
	int ret;

	if (get_user(*usize, size))
		return -EFAULT;
	if (*usize < call->min_size)
		return -EINVAL;
	if (*usize > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(arg, call->size, uarg, *usize);
	if (ret)
		return ret;
	if (arg->head.flags & ~call->flags)
		return -EOPNOTSUPP;
	/* What could not be told afterwards should not be done */
	if (call->writes && put_user(*usize, size))
		return -EFAULT;
	return 0;
}

static int copy_out(const struct call *call, union argument *arg,
		    void __user *uarg, u32 usize)
{
	arg->head.size = call->size;
	if (copy_to_user(uarg, arg, min(usize, call->size)))
		return -EFAULT;
	return 0;
}

/**
 * vsockdev_ioctl() - ioctl of the node
 * @file: the open file
 * @cmd: one of <linux/vsockdev.h>
 * @uarg: pointer to its struct
 *
 * Return: 0 or an errno as listed there.
 */
long vsockdev_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	struct vsockdev *vd = file->private_data;
	void __user *user = (void __user *)uarg;
	unsigned int nr = _IOC_NR(cmd);
	union argument arg = {};
	const struct call *call;
	u32 usize;
	int ret;

	if (nr >= ARRAY_SIZE(calls) || cmd != _IO(VSOCKDEV_IOC_TYPE, nr))
		return -ENOTTY;
	call = &calls[array_index_nospec(nr, ARRAY_SIZE(calls))];

	ret = gate(vd, file, call);
	if (ret)
		return ret;
	ret = copy_in(call, &arg, user, &usize);
	if (ret)
		return ret;
	ret = call->handler(vd, file, &arg);
	if (!ret && call->writes)
		ret = copy_out(call, &arg, user, usize);
	return ret;
}
