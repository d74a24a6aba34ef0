// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - packets without data, and asking for credit
 *
 * DOC: The connections have no socket, as in sched_kunit.c.
 */
#include <linux/jiffies.h>

#include "scene_tx.h"
#include "workers.h"

#define REPLIES		VSOCKDEV_REPLIES

/* All at once: in an order that the host understands, with newest credit */
static void control_order(struct kunit *test)
{
	static const u16 ops[] = {
		VIRTIO_VSOCK_OP_REQUEST, VIRTIO_VSOCK_OP_RESPONSE,
		VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_OP_CREDIT_REQUEST,
	};
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = scene_tx_open(scene, 2, 65536);
	struct vsockdev_hdr hdr;
	u32 i;

	spin_lock(&scene->vd->lock);
	conn->shut_sent = VSOCKDEV_SHUTDOWN_SEND;
	vsockdev_sched_control(conn, VSOCKDEV_SEND_REQUEST_PACKET |
			       VSOCKDEV_SEND_RESPONSE_PACKET |
			       VSOCKDEV_SEND_SHUTDOWN_PACKET |
			       VSOCKDEV_SEND_CREDIT_REQUEST |
			       VSOCKDEV_SEND_CREDIT_UPDATE);
	vsockdev_credit_rx(&conn->credit, 5000);
	vsockdev_credit_forwarded(&conn->credit, 4999);
	vsockdev_sched_unlock(scene->vd);
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		scene_expect(scene, ops[i], &hdr);
		KUNIT_EXPECT_EQ(test, hdr.fwd_cnt, 4999);
		KUNIT_EXPECT_EQ(test, hdr.buf_alloc, 65536);
		KUNIT_EXPECT_EQ(test, hdr.flags, ops[i] ==
				VIRTIO_VSOCK_OP_SHUTDOWN ?
				VIRTIO_VSOCK_SHUTDOWN_SEND : 0);
	}
	/* Each of them told of the credit: no update is left to be sent */
	scene_expect_quiet(scene);
}

/* A host that provokes replies and does not take them stops itself */
static void control_replies_are_bounded(struct kunit *test)
{
	u32 fits = SCENE_QUEUE + REPLIES, i, left;
	struct scene_peer peer = { .type = VSOCKDEV_TYPE_STREAM };
	struct scene *scene = test->priv;
	struct vsockdev_hdr hdr;
	bool driven;

	for (i = 0; i < fits + 20; i++) {
		peer.local_port = i;
		scene_control(scene, &peer, VIRTIO_VSOCK_OP_RESPONSE);
	}
	left = SCENE_QUEUE - fake_device_posted(&scene->fake, VSOCKDEV_VQ_RX,
						&driven);
	KUNIT_EXPECT_EQ(test, left, 20);
	KUNIT_EXPECT_FALSE(test, vsockdev_sched_reply_room(scene->vd));
	for (i = 0; i < fits + 20; i++) {
		scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
		KUNIT_EXPECT_EQ(test, hdr.src_port, i);
	}
	KUNIT_EXPECT_EQ(test, fake_device_posted(&scene->fake, VSOCKDEV_VQ_RX,
						 &driven), SCENE_QUEUE);
	scene_expect_quiet(scene);
}

/*
 * At once, and then ever more rarely, but at least once a second. It may be
 * later than one thinks: what counts is that the delay fits the number.
 */
static void control_asks_for_credit(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = scene_tx_open(scene, 2, 0);
	unsigned long delay, first = msecs_to_jiffies(8);
	struct vsockdev_hdr hdr;
	u32 asked = 0, taken = 0;

	spin_lock(&scene->vd->lock);
	vsockdev_sched_block(conn);
	vsockdev_sched_block(conn);
	vsockdev_sched_unlock(scene->vd);
	while (asked < 12) {
		spin_lock(&scene->vd->lock);
		asked = scene->vd->stats.credit_requests;
		delay = conn->ask_delay;
		conn->ask_at = jiffies;
		spin_unlock(&scene->vd->lock);
		KUNIT_ASSERT_GE(test, asked, 1);
		KUNIT_EXPECT_EQ(test, delay,
				min_t(unsigned long, first << (asked - 1), HZ));
		flush_delayed_work(&scene->vd->sched.ask_work);
	}
	while (scene_take(scene, &hdr)) {
		KUNIT_EXPECT_EQ(test, hdr.op, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
		taken++;
	}
	KUNIT_EXPECT_GT(test, taken, 12);
	scene_tx_window(scene, conn, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&conn->blocked_node));
}

/* That another one has to ask now is no reason to look all the time */
static void control_asks_when_it_is_time(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *first = scene_tx_open(scene, 1, 0);
	struct vsockdev_conn *second = scene_tx_open(scene, 2, 0);

	spin_lock(&scene->vd->lock);
	vsockdev_sched_block(first);
	vsockdev_sched_block(second);
	first->ask_delay = 0;
	first->ask_at = jiffies + 1000 * HZ;
	second->ask_delay = 500 * HZ;
	second->ask_at = jiffies;
	vsockdev_sched_unlock(scene->vd);
	mod_delayed_work(vsockdev_wq, &scene->vd->sched.ask_work, 0);
	flush_delayed_work(&scene->vd->sched.ask_work);
	KUNIT_EXPECT_TRUE(test, time_after(scene->vd->sched.ask_next,
					   jiffies + HZ / 4));
}

/* What becomes due while data is sent does not wait for the rest of it */
static void control_overtakes_data(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *first = scene_tx_open(scene, 1, 65536);
	struct vsockdev_conn *second = scene_tx_open(scene, 2, 65536);
	struct vsockdev_frame *frames[10];
	struct vsockdev_hdr hdr;
	int i;

	for (i = 0; i < ARRAY_SIZE(frames); i++)
		frames[i] = scene_tx_frame(scene, 100);
	spin_lock(&scene->vd->lock);
	vsockdev_sched_stage(first, frames[0]);
	for (i = 1; i < ARRAY_SIZE(frames); i++)
		vsockdev_sched_stage(second, frames[i]);
	vsockdev_credit_peer_update(&first->credit, 0, 0);
	vsockdev_sched_unlock(scene->vd);
	scene_expect(scene, VIRTIO_VSOCK_OP_CREDIT_REQUEST, &hdr);
	KUNIT_EXPECT_EQ(test, hdr.src_port, 1);
	scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	KUNIT_EXPECT_EQ(test, hdr.src_port, 2);
}

/* Gives the scene a device whose queues have room for one packet */
static void narrow(struct scene *scene)
{
	scene_unplug(scene);
	scene_plug(scene, 0, 1);
	KUNIT_ASSERT_EQ(scene->test, scene_start(scene, 0, 0, 0), 0);
}

/* A host that asks for credit with each packet that it takes gets data, too */
static void control_takes_turns(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn;
	struct vsockdev_hdr hdr;
	int i;

	narrow(scene);
	conn = scene_tx_open(scene, 1, 65536);
	for (i = 0; i < 11; i++)
		scene_tx_stage(scene, conn, 100);
	for (i = 0; i < 10; i++) {
		scene_tx_control(scene, conn, VSOCKDEV_SEND_CREDIT_UPDATE);
		scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
		scene_tx_control(scene, conn, VSOCKDEV_SEND_CREDIT_UPDATE);
		scene_expect(scene, VIRTIO_VSOCK_OP_CREDIT_UPDATE, &hdr);
	}
	/* The last update went with the data */
	scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	scene_expect_quiet(scene);
}

/* The same where some entries are kept back for control packets */
static void control_takes_turns_when_full(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn;
	struct vsockdev_hdr hdr;
	u32 i, data = 0;

	scene_tx_fill(scene, 1);
	conn = scene_tx_open(scene, 2, 65536);
	for (i = 0; i < 4 * SCENE_QUEUE; i++) {
		scene_tx_control(scene, conn, VSOCKDEV_SEND_CREDIT_REQUEST);
		KUNIT_ASSERT_TRUE(test, scene_take(scene, &hdr));
		data += hdr.op == VIRTIO_VSOCK_OP_RW;
	}
	KUNIT_EXPECT_EQ(test, data, SCENE_QUEUE);
}

/* Not even then is a connection's data sent before its RESPONSE */
static void control_response_is_first(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *asker, *fresh;
	struct vsockdev_hdr hdr;

	narrow(scene);
	asker = scene_tx_open(scene, 1, 65536);
	fresh = scene_tx_open(scene, 2, 65536);
	scene_tx_control(scene, asker, VSOCKDEV_SEND_CREDIT_REQUEST);
	scene_tx_control(scene, asker, VSOCKDEV_SEND_CREDIT_REQUEST);
	scene_tx_stage(scene, fresh, 100);
	scene_tx_control(scene, fresh, VSOCKDEV_SEND_RESPONSE_PACKET);
	scene_expect(scene, VIRTIO_VSOCK_OP_CREDIT_REQUEST, &hdr);
	scene_expect(scene, VIRTIO_VSOCK_OP_CREDIT_REQUEST, &hdr);
	scene_expect(scene, VIRTIO_VSOCK_OP_RESPONSE, &hdr);
	scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
}

/* What a connection still had to say is not said when the host has reset it */
static void control_of_the_dead(struct kunit *test)
{
	struct scene_peer peer = {
		.local_port = 2,
		.remote_port = 1024,
		.type = VSOCKDEV_TYPE_STREAM,
	};
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn;
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;
	u32 left;

	left = SCENE_QUEUE - scene_tx_fill(scene, 1);
	conn = scene_tx_open(scene, 3, 65536);
	while (left--)
		scene_tx_control(scene, conn, VSOCKDEV_SEND_CREDIT_UPDATE);
	conn = scene_tx_open(scene, 2, 65536);
	scene_tx_control(scene, conn, VSOCKDEV_SEND_RESPONSE_PACKET);
	KUNIT_EXPECT_NE(test, conn->control, 0);
	scene_control(scene, &peer, VIRTIO_VSOCK_OP_RST);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	while (scene_take(scene, &hdr))
		KUNIT_EXPECT_NE(test, hdr.src_port, 2);
}

static struct kunit_case control_tests[] = {
	KUNIT_CASE(control_order),
	KUNIT_CASE(control_replies_are_bounded),
	KUNIT_CASE(control_asks_for_credit),
	KUNIT_CASE(control_asks_when_it_is_time),
	KUNIT_CASE(control_overtakes_data),
	KUNIT_CASE(control_takes_turns),
	KUNIT_CASE(control_takes_turns_when_full),
	KUNIT_CASE(control_response_is_first),
	KUNIT_CASE(control_of_the_dead),
	{}
};

static struct kunit_suite control_suite = {
	.name = "vsockdev_control",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = control_tests,
};

kunit_test_suite(control_suite);
