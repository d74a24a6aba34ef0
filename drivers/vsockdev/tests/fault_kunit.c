// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - memory runs out at each allocation
 *
 * DOC: The first allocation of this thread fails, then the second, until there
 * is none left to fail. What workers allocate is done in this thread instead.
 * That faults are injected into allocations that may wait is for whoever loads
 * the module to see to.
 */
#include <linux/device.h>
#include <linux/net.h>
#include <linux/sched.h>

#include "calls.h"
#include "proto.h"
#include "pump.h"
#include "scene.h"

#define FAULTS_MAX	1000

#ifdef CONFIG_FAULT_INJECTION
static void fault_begin(u32 nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}

/* Returns true if there was one */
static bool fault_end(void)
{
	bool hit = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return hit;
}
#else
static void fault_begin(u32 nth)
{
}

static bool fault_end(void)
{
	return false;
}
#endif

static int fault_init(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_FAULT_INJECTION))
		kunit_skip(test, "this kernel injects no faults");
	return scene_init(test);
}

/* Either there is a device that works, or none, and nothing is left */
static void fault_probe(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct device *dev = &scene->fake.vdev.dev;
	u32 nth, failed = 0;
	bool hit = true;

	for (nth = 1; hit && nth < FAULTS_MAX; nth++) {
		scene_unplug(scene);
		scene->fake.missing = 0;
		KUNIT_ASSERT_EQ(test, fake_device_add(&scene->fake, scene->root,
						      0, SCENE_CID, 16), 0);
		KUNIT_ASSERT_NULL(test, dev->driver);
		scene->fake.missing = VSOCKDEV_FAKE_QUEUES;
		fault_begin(nth);
		if (device_attach(dev) < 0)
			kunit_info(test, "allocation %u: no driver\n", nth);
		hit = fault_end();
		if (!dev->driver) {
			KUNIT_EXPECT_TRUE(test, hit);
			failed++;
			fake_device_remove(&scene->fake);
			continue;
		}
		scene->cid = SCENE_CID;
		scene_bound(scene);
		KUNIT_ASSERT_EQ(test, scene_start(scene, 0, 0, 0), 0);
		scene_echo(scene_accept(scene, 1, VSOCKDEV_TYPE_STREAM));
	}
	kunit_info(test, "%u faults, %u of them fatal\n", nth - 2, failed);
	KUNIT_EXPECT_FALSE(test, hit);
	KUNIT_EXPECT_GT(test, failed, 8);
}

static int call_request(struct scene *scene, int fd)
{
	union vsockdev_argument arg = {
		.send_request = {
			.size = sizeof(arg.send_request),
			.addr = { 1, SCENE_HOST_CID, 1024 },
			.socket_fd = fd,
		},
	};

	return vsockdev_call_send_request(scene->vd, scene->file, &arg);
}

static int call_response(struct scene *scene, int fd)
{
	union vsockdev_argument arg = {
		.send_response = {
			.size = sizeof(arg.send_response),
			.addr = { 1, SCENE_HOST_CID, 1024 },
			.socket_fd = fd,
		},
	};

	return vsockdev_call_send_response(scene->vd, scene->file, &arg);
}

/* Nothing of one call is left for the next */
static void clear(struct scene *scene)
{
	struct vsockdev_hdr hdr;

	KUNIT_ASSERT_EQ(scene->test, scene_stop(scene), 0);
	scene_wait_idle(scene);
	while (scene_take(scene, &hdr))
		;
	KUNIT_ASSERT_EQ(scene->test, scene_start(scene, 0, 0, 0), 0);
}

/* Calls with the nth allocation failing. Returns false if there is none */
static bool call_once(struct scene *scene, u32 nth, u32 *failed,
		      int (*call)(struct scene *scene, int fd))
{
	struct kunit *test = scene->test;
	u32 conns = scene->vd->conns;
	struct vsockdev_hdr hdr;
	struct socket *user;
	bool hit;
	int fd, ret;

	fd = scene_socketpair(scene, SOCK_STREAM, &user);
	fault_begin(nth);
	ret = call(scene, fd);
	hit = fault_end();
	scene_close_fd(fd);
	scene_settle(scene);
	if (ret) {
		KUNIT_EXPECT_TRUE(test, hit);
		KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		KUNIT_EXPECT_EQ(test, scene->vd->conns, conns);
		KUNIT_EXPECT_EQ(test, module_refcount
				(scene->vd->cdev.owner), scene->users);
		KUNIT_EXPECT_FALSE(test, scene_take(scene, &hdr));
		(*failed)++;
	}
	sock_release(user);
	return hit;
}

/* A call that fails has done nothing. Not every fault makes it fail */
static void sweep_call(struct scene *scene, const struct scene_peer *asking,
		       int (*call)(struct scene *scene, int fd))
{
	u32 nth = 0, failed = 0;

	do {
		clear(scene);
		if (asking)
			scene_control(scene, asking, VIRTIO_VSOCK_OP_REQUEST);
	} while (call_once(scene, ++nth, &failed, call) && nth < FAULTS_MAX);
	KUNIT_EXPECT_LT(scene->test, nth, FAULTS_MAX);
	KUNIT_EXPECT_GT(scene->test, failed, 0);
	kunit_info(scene->test, "%u faults, %u of them fatal\n", nth - 1,
		   failed);
}

static void fault_send_request(struct kunit *test)
{
	sweep_call(test->priv, NULL, call_request);
}

static const struct scene_peer peer = {
	.local_port = 1,
	.remote_port = 1024,
	.type = VSOCKDEV_TYPE_STREAM,
	.buf_alloc = 65536,
};

static void fault_send_response(struct kunit *test)
{
	sweep_call(test->priv, &peer, call_response);
}

/* A packet, handled in this thread */
static void receive(struct scene *scene, const struct scene_peer *peer, u16 op,
		    u32 len)
{
	struct vsockdev_hdr hdr;

	scene_header(peer, op, len, &hdr);
	vsockdev_wire_encode(scene->frame, &hdr);
	vsockdev_proto_receive(scene->vd, scene->frame, SCENE_FRAME_MAX,
			       VSOCKDEV_HDR_LEN + len);
}

static void fault_receive_request(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_hdr hdr;

	fault_begin(1);
	receive(scene, &peer, VIRTIO_VSOCK_OP_REQUEST, 0);
	KUNIT_EXPECT_TRUE(test, fault_end());
	scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
	scene_expect_quiet(scene);
	KUNIT_EXPECT_EQ(test, scene->vd->stats.refused, 1);
}

static void expect_failure(struct scene *scene)
{
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;

	scene_settle(scene);
	scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	KUNIT_EXPECT_EQ(scene->test, event.rst.reason,
			VSOCKDEV_RST_LOCAL_ERROR);
	KUNIT_EXPECT_EQ(scene->test, event.rst.error, ENOMEM);
	scene_expect_quiet(scene);
}

/* What came before is delivered, and the stream is cut off */
static void fault_receive_data(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct scene_conn *sc;
	u8 bytes[8];

	sc = scene_accept(scene, 1, VSOCKDEV_TYPE_STREAM);
	scene_send(scene, &sc->peer, VIRTIO_VSOCK_OP_RW, 0, "ping", 4);
	fault_begin(1);
	receive(scene, &sc->peer, VIRTIO_VSOCK_OP_RW, 1000);
	KUNIT_EXPECT_TRUE(test, fault_end());
	expect_failure(scene);
	KUNIT_EXPECT_EQ(test, scene_read(sc, bytes, sizeof(bytes)), 4);
	KUNIT_EXPECT_EQ(test, scene_read(sc, bytes, sizeof(bytes)),
			-ECONNRESET);
}

/* Runs the pump once, in this thread, with its first allocation failing */
static void run_pump(struct scene_conn *sc, int place)
{
	vsockdev_conn_get(sc->conn);
	fault_begin(1);
	vsockdev_pump_work(&sc->conn->work);
	KUNIT_EXPECT_TRUE(sc->scene->test, fault_end());
	scene_go_on(sc, place);
}

static void fault_transmit(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct scene_conn *sc;
	int place;

	sc = scene_accept(scene, 1, VSOCKDEV_TYPE_STREAM);
	place = scene_stop_pump(sc);
	KUNIT_EXPECT_EQ(test, scene_write(sc, "ping", 4), 4);
	run_pump(sc, place);
	expect_failure(scene);
}

/*
 * A message of several packets has to be put together. It lies in two chunks,
 * and is no longer than a page: more than that would come from elsewhere.
 */
static void fault_deliver_message(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct scene_conn *sc;
	u8 bytes[190] = {};
	int place;

	sc = scene_accept(scene, 1, VSOCKDEV_TYPE_SEQPACKET);
	place = scene_stop_pump(sc);
	memset(scene->frame, 0, SCENE_FRAME_MAX);
	receive(scene, &sc->peer, VIRTIO_VSOCK_OP_RW, 3900);
	scene_send(scene, &sc->peer, VIRTIO_VSOCK_OP_RW, VIRTIO_VSOCK_SEQ_EOM,
		   bytes, sizeof(bytes));
	run_pump(sc, place);
	expect_failure(scene);
	KUNIT_EXPECT_EQ(test, scene_read(sc, bytes, sizeof(bytes)),
			-ECONNRESET);
}

static struct kunit_case fault_tests[] = {
	KUNIT_CASE(fault_probe),
	KUNIT_CASE(fault_send_request),
	KUNIT_CASE(fault_send_response),
	KUNIT_CASE(fault_receive_request),
	KUNIT_CASE(fault_receive_data),
	KUNIT_CASE(fault_transmit),
	KUNIT_CASE(fault_deliver_message),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "vsockdev_fault",
	.init = fault_init,
	.exit = scene_exit,
	.test_cases = fault_tests,
};

kunit_test_suite(fault_suite);
