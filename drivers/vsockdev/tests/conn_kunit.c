// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - connections: lookup, ids, references, limits, timers
 */
#include <linux/net.h>

#include "proto.h"
#include "scene.h"

#define CONNS	256

static void no_pump(struct work_struct *work)
{
}

static struct vsockdev_conn *make_conn(struct scene *scene,
				       const struct vsockdev_addr *addr)
{
	struct vsockdev_conn *conn;

	conn = vsockdev_conn_alloc(scene->vd, addr, VSOCKDEV_TYPE_STREAM,
				   GFP_KERNEL, no_pump);
	KUNIT_ASSERT_NOT_NULL(scene->test, conn);
	spin_lock(&scene->vd->lock);
	vsockdev_conn_publish(conn, VSOCKDEV_CONN_CONNECTING, 65536);
	spin_unlock(&scene->vd->lock);
	return conn;
}

static void end_conn(struct scene *scene, struct vsockdev_conn *conn)
{
	spin_lock(&scene->vd->lock);
	vsockdev_conn_end_silently(conn, false, 0);
	spin_unlock(&scene->vd->lock);
}

static struct vsockdev_conn *find(struct scene *scene,
				  const struct vsockdev_addr *addr)
{
	struct vsockdev_conn *conn;

	spin_lock(&scene->vd->lock);
	conn = vsockdev_conn_find(scene->vd, addr);
	spin_unlock(&scene->vd->lock);
	return conn;
}

/* Few values for each part of an address, so that most parts are the same */
static void nth_addr(u32 n, struct vsockdev_addr *addr)
{
	addr->local_port = n % 8 * 0x10001;
	addr->remote_cid = 2 + n / 8 % 4;
	addr->remote_port = n / 32 % 8 * 0x10001;
}

static void conn_lookup(struct kunit *test)
{
	u32 i, n, steps = kunit_steps / 10;
	struct vsockdev_conn **conns;
	struct scene *scene = test->priv;
	u64 state = kunit_random(test);
	struct vsockdev_addr addr;
	u64 last = 0;

	conns = kunit_kcalloc(test, CONNS, sizeof(*conns), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, conns);
	for (i = 0; i < steps; i++) {
		n = random_below(&state, CONNS);
		nth_addr(n, &addr);
		if (find(scene, &addr) != conns[n])
			KUNIT_FAIL_AND_ABORT(test, "step %u", i);
		if (random_below(&state, 2))
			continue;
		if (conns[n]) {
			end_conn(scene, conns[n]);
			conns[n] = NULL;
		} else {
			conns[n] = make_conn(scene, &addr);
			/* An id is never used again */
			KUNIT_ASSERT_GT(test, conns[n]->id, last);
			last = conns[n]->id;
		}
		if (!(i % 65536))
			cond_resched();
	}
	for (i = n = 0; i < CONNS; i++)
		n += !!conns[i];
	KUNIT_EXPECT_EQ(test, scene->vd->conns, n);
	KUNIT_EXPECT_GT(test, n, 0);
}

static u32 refs(struct vsockdev_conn *conn)
{
	return refcount_read(&conn->refs);
}

static void conn_references(struct kunit *test)
{
	static const u32 expected[] = { 2, 3, 2, 3, 2 };
	struct vsockdev_addr addr = { 1, 2, 3 };
	struct scene *scene = test->priv;
	struct vsockdev *vd = scene->vd;
	struct vsockdev_conn *conn;
	struct vsockdev_hdr hdr;
	u32 devs = kref_read(&vd->dev.kobj.kref);
	u32 i, seen[ARRAY_SIZE(expected)];

	conn = make_conn(scene, &addr);
	KUNIT_EXPECT_EQ(test, refs(conn), 1);
	KUNIT_EXPECT_EQ(test, kref_read(&vd->dev.kobj.kref), devs + 1);
	KUNIT_EXPECT_PTR_EQ(test, find(scene, &addr), conn);
	KUNIT_EXPECT_EQ(test, refs(conn), 1);
	KUNIT_EXPECT_TRUE(test, vsockdev_conn_tryget(conn));
	KUNIT_EXPECT_EQ(test, refs(conn), 2);

	/* The timer has one, however often it is started */
	spin_lock(&vd->lock);
	vsockdev_conn_arm(conn, 0);
	seen[0] = refs(conn);
	vsockdev_conn_arm(conn, 1000 * HZ);
	vsockdev_conn_arm(conn, 2000 * HZ);
	seen[1] = refs(conn);
	vsockdev_conn_disarm(conn);
	vsockdev_conn_disarm(conn);
	seen[2] = refs(conn);
	/* So has the list of control packets, until they were sent */
	vsockdev_sched_control(conn, VSOCKDEV_SEND_REQUEST_PACKET);
	vsockdev_sched_control(conn, VSOCKDEV_SEND_CREDIT_UPDATE);
	seen[3] = refs(conn);
	vsockdev_sched_unlock(vd);
	seen[4] = refs(conn);
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		KUNIT_EXPECT_EQ(test, seen[i], expected[i]);
	scene_expect(scene, VIRTIO_VSOCK_OP_REQUEST, &hdr);
	scene_expect_quiet(scene);

	/* Without a socket there is no pump to be woken */
	vsockdev_conn_wake(conn);
	KUNIT_EXPECT_EQ(test, refs(conn), 2);

	end_conn(scene, conn);
	KUNIT_EXPECT_EQ(test, refs(conn), 1);
	KUNIT_EXPECT_NULL(test, find(scene, &addr));
	vsockdev_conn_put(conn);
	KUNIT_EXPECT_EQ(test, kref_read(&vd->dev.kobj.kref), devs);
}

static struct scene_peer peer_at(u32 port)
{
	return (struct scene_peer) {
		.local_port = port,
		.remote_port = 1024,
		.type = VSOCKDEV_TYPE_STREAM,
		.buf_alloc = 65536,
	};
}

static void host_request(struct scene *scene, u32 port)
{
	struct scene_peer peer = peer_at(port);

	scene_control(scene, &peer, VIRTIO_VSOCK_OP_REQUEST);
}

static void restart(struct scene *scene, u32 backlog, u32 max_conns)
{
	KUNIT_ASSERT_EQ(scene->test, scene_stop(scene), 0);
	KUNIT_ASSERT_EQ(scene->test, scene_start(scene, backlog, max_conns, 0),
			0);
}

/* Beyond the backlog, or the limit, the host gets RST at once and no event */
static void conn_backlog(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;
	u32 port;

	restart(scene, 3, 100);
	for (port = 0; port < 3; port++)
		host_request(scene, port);
	KUNIT_EXPECT_FALSE(test, scene_take(scene, &hdr));
	KUNIT_EXPECT_EQ(test, scene->vd->backlog, 3);
	host_request(scene, 3);
	scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
	KUNIT_EXPECT_EQ(test, hdr.src_port, 3);
	KUNIT_EXPECT_EQ(test, scene->vd->stats.refused, 1);
	for (port = 0; port < 3; port++) {
		scene_expect_event(scene, VSOCKDEV_EVENT_REQUEST, &event);
		KUNIT_EXPECT_EQ(test, event.addr.local_port, port);
	}
	scene_expect_quiet(scene);
}

/* The end of a connection counts until it was read */
static void conn_limit(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_event event;
	struct scene_peer peer;
	struct vsockdev_hdr hdr;
	struct socket *user;
	u64 id;
	int fd;

	restart(scene, 100, 2);
	scene_accept(scene, 1, VSOCKDEV_TYPE_STREAM);
	scene_connect(scene, 2, VSOCKDEV_TYPE_STREAM);
	host_request(scene, 3);
	scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
	peer = peer_at(1);
	scene_control(scene, &peer, VIRTIO_VSOCK_OP_RST);
	KUNIT_EXPECT_EQ(test, scene->vd->conns, 2);

	peer = peer_at(4);
	fd = scene_socketpair(scene, SOCK_STREAM, &user);
	KUNIT_EXPECT_EQ(test, scene_send_request(scene, &peer, fd, &id),
			-ENOBUFS);
	sock_release(user);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	KUNIT_EXPECT_EQ(test, scene->vd->conns, 1);
	scene_connect(scene, 4, VSOCKDEV_TYPE_STREAM);
	KUNIT_EXPECT_EQ(test, scene->vd->conns, 2);
	scene_expect_quiet(scene);
}

static int try_connect(struct scene *scene, u32 port, u64 *id)
{
	struct scene_peer peer = peer_at(port);
	struct socket *user;
	int fd = scene_socketpair(scene, SOCK_STREAM, &user);
	int ret = scene_send_request(scene, &peer, fd, id);

	sock_release(user);
	scene_settle(scene);
	return ret;
}

static void conn_address_in_use(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_event event;
	struct scene_conn *sc;
	struct vsockdev_hdr hdr;
	u64 id;

	sc = scene_connect(scene, 1, VSOCKDEV_TYPE_STREAM);
	KUNIT_EXPECT_EQ(test, try_connect(scene, 1, &id), -EADDRINUSE);
	scene_control(scene, &sc->peer, VIRTIO_VSOCK_OP_RST);
	/* To the host it is free; to the owner when it has read so */
	KUNIT_EXPECT_EQ(test, try_connect(scene, 1, &id), -EADDRINUSE);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	KUNIT_EXPECT_EQ(test, event.conn_id, sc->id);
	KUNIT_EXPECT_EQ(test, try_connect(scene, 1, &id), 0);
	KUNIT_EXPECT_GT(test, id, sc->id);
	scene_expect(scene, VIRTIO_VSOCK_OP_REQUEST, &hdr);

	/* A call for the old one does not hit its successor */
	KUNIT_EXPECT_EQ(test, scene_send_rst(sc), -ESTALE);
	KUNIT_EXPECT_EQ(test, scene_send_shutdown(sc, 0), -ESTALE);
}

/* As if the time were over */
static void expire(struct scene *scene, struct scene_conn *sc)
{
	KUNIT_EXPECT_TRUE(scene->test, delayed_work_pending(&sc->conn->timer));
	spin_lock(&scene->vd->lock);
	sc->conn->deadline = jiffies;
	spin_unlock(&scene->vd->lock);
	flush_delayed_work(&sc->conn->timer);
	scene_settle(scene);
}

static void expect_timeout(struct scene *scene)
{
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;

	scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	KUNIT_EXPECT_EQ(scene->test, event.rst.reason, VSOCKDEV_RST_TIMED_OUT);
	KUNIT_EXPECT_EQ(scene->test, event.rst.error, ETIMEDOUT);
	KUNIT_EXPECT_EQ(scene->test, scene->vd->stats.timeouts, 1);
}

static void conn_connect_timeout(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct scene_conn *sc;
	struct vsockdev_hdr hdr;

	sc = scene_connect(scene, 1, VSOCKDEV_TYPE_STREAM);
	expire(scene, sc);
	expect_timeout(scene);
	/* The answer comes too late */
	scene_control(scene, &sc->peer, VIRTIO_VSOCK_OP_RESPONSE);
	scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
	scene_expect_quiet(scene);
}

static void conn_no_timeout_once_open(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_event event;
	struct scene_conn *sc;

	sc = scene_connect(scene, 1, VSOCKDEV_TYPE_STREAM);
	scene_control(scene, &sc->peer, VIRTIO_VSOCK_OP_RESPONSE);
	scene_expect_event(scene, VSOCKDEV_EVENT_RESPONSE, &event);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&sc->conn->timer));
	scene_expect_quiet(scene);
}

static void conn_close_timeout(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct scene_conn *sc;
	struct vsockdev_hdr hdr;

	sc = scene_accept(scene, 1, VSOCKDEV_TYPE_STREAM);
	KUNIT_EXPECT_EQ(test, scene_send_shutdown(sc, 0), 0);
	scene_expect(scene, VIRTIO_VSOCK_OP_SHUTDOWN, &hdr);
	expire(scene, sc);
	expect_timeout(scene);
	scene_expect_quiet(scene);
}

/* One direction is no end: that may last as long as it likes */
static void conn_half_close_has_no_timeout(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct scene_conn *sc;
	struct vsockdev_hdr hdr;

	sc = scene_accept(scene, 1, VSOCKDEV_TYPE_STREAM);
	KUNIT_EXPECT_EQ(test, scene_send_shutdown
			(sc, VSOCKDEV_SHUTDOWN_SEND), 0);
	scene_expect(scene, VIRTIO_VSOCK_OP_SHUTDOWN, &hdr);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&sc->conn->timer));
	KUNIT_EXPECT_EQ(test, scene_send_shutdown
			(sc, VSOCKDEV_SHUTDOWN_SEND), -EALREADY);
}

/* A timer that runs although it was started anew has no say */
static void conn_stale_timer(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct scene_conn *sc;

	sc = scene_connect(scene, 1, VSOCKDEV_TYPE_STREAM);
	flush_delayed_work(&sc->conn->timer);
	KUNIT_EXPECT_EQ(test, sc->conn->state, VSOCKDEV_CONN_CONNECTING);
	scene_expect_quiet(scene);
}

static struct kunit_case conn_tests[] = {
	KUNIT_CASE(conn_lookup),
	KUNIT_CASE(conn_references),
	KUNIT_CASE(conn_backlog),
	KUNIT_CASE(conn_limit),
	KUNIT_CASE(conn_address_in_use),
	KUNIT_CASE(conn_connect_timeout),
	KUNIT_CASE(conn_no_timeout_once_open),
	KUNIT_CASE(conn_close_timeout),
	KUNIT_CASE(conn_half_close_has_no_timeout),
	KUNIT_CASE(conn_stale_timer),
	{}
};

static struct kunit_suite conn_suite = {
	.name = "vsockdev_conn",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = conn_tests,
};

kunit_test_suite(conn_suite);
