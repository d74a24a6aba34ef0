// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - what is sent next
 *
 * DOC: The connections have no socket: what they have to send is staged here.
 */
#include "scene_tx.h"

#define QUANTUM		65536	/* bytes that each may send in its turn */

#define FLOWS	4

/**
 * struct flow - a connection that always has something to send
 * @conn: the connection
 * @min: bytes of its smallest frame
 * @max: and of its largest
 * @sent: bytes that the host has seen
 */
struct flow {
	struct vsockdev_conn *conn;
	u32 min;
	u32 max;
	u64 sent;
};

/* More than it may send in its turn, so that it never leaves the round */
static void refill(struct scene *scene, struct flow *flow, u64 *state)
{
	while (flow->conn->tx_staged < 2 * QUANTUM)
		scene_tx_stage(scene, flow->conn, flow->min +
			       random_below(state, flow->max - flow->min + 1));
}

static void check_fair(struct scene *scene, const struct flow *flows)
{
	u64 least = U64_MAX, most = 0;
	int i;

	for (i = 0; i < FLOWS; i++) {
		least = min(least, flows[i].sent);
		most = max(most, flows[i].sent);
	}
	/* Two are at most a turn, and the rest of one, apart */
	KUNIT_ASSERT_LE(scene->test, most - least, 3 * QUANTUM);
}

struct fair_case {
	const char *name;
	u32 sizes[FLOWS][2];
};

static const struct fair_case fair_cases[] = {
	{ "all_alike", { {4096, 4096}, {4096, 4096}, {4096, 4096},
			 {4096, 4096} } },
	{ "large_and_small", { {60000, 60000}, {4000, 4000}, {1000, 1000},
			       {60000, 60000} } },
	{ "random", { {1, 60000}, {1, 60000}, {1, 60000}, {1, 60000} } },
	{ "mixed", { {1000, 60000}, {3000, 5000}, {20000, 30000},
		     {60000, 60000} } },
};

KUNIT_ARRAY_PARAM_DESC(fair, fair_cases, name);

/* Bytes are shared alike, whatever the frames are like */
static void sched_is_fair(struct kunit *test)
{
	u32 i, n, rounds = clamp(kunit_steps / 100, 500U, 10000U);
	const struct fair_case *param = test->param_value;
	struct scene *scene = test->priv;
	u64 state = kunit_random(test);
	struct flow flows[FLOWS] = {};
	struct vsockdev_hdr hdr;

	for (n = 0; n < FLOWS; n++) {
		flows[n].conn = scene_tx_open(scene, n, U32_MAX);
		flows[n].min = param->sizes[n][0];
		flows[n].max = param->sizes[n][1];
	}
	for (i = 0; i < rounds; i++) {
		for (n = 0; n < FLOWS; n++)
			refill(scene, &flows[n], &state);
		KUNIT_ASSERT_TRUE(test, scene_take(scene, &hdr));
		KUNIT_ASSERT_LT(test, hdr.src_port, FLOWS);
		flows[hdr.src_port].sent += hdr.len;
		/* Whoever begins, while the queue is empty, has an advantage */
		if (i >= 2 * SCENE_QUEUE)
			check_fair(scene, flows);
		if (i == 2 * SCENE_QUEUE - 1)
			for (n = 0; n < FLOWS; n++)
				flows[n].sent = 0;
	}
	for (n = 0; n < FLOWS; n++)
		KUNIT_EXPECT_GT(test, flows[n].sent, 0);
}

/* Replies before control packets before data, and no need to wait for data */
static void sched_order(struct kunit *test)
{
	struct vsockdev_addr unknown = { 77, SCENE_HOST_CID, 7 };
	struct scene *scene = test->priv;
	struct vsockdev_ring *ring = &scene->vd->ring;
	struct vsockdev_conn *conn = scene_tx_open(scene, 1, 65536);
	struct vsockdev_hdr hdr;
	u32 clogged, i;

	for (clogged = 0; vsockdev_ring_tx_data_room(ring, false); clogged++)
		scene_tx_stage(scene, conn, 1);
	conn = scene_tx_open(scene, 2, 65536);
	/* These may use what is kept back for them */
	scene_tx_control(scene, conn, VSOCKDEV_SEND_RESPONSE_PACKET);
	KUNIT_EXPECT_EQ(test, conn->control, 0);
	for (i = clogged + 1; i < SCENE_QUEUE; i++)
		scene_tx_control(scene, conn, VSOCKDEV_SEND_CREDIT_UPDATE);
	KUNIT_EXPECT_FALSE(test, vsockdev_ring_tx_room(&scene->vd->ring));
	scene_tx_control(scene, conn, VSOCKDEV_SEND_SHUTDOWN_PACKET);
	spin_lock(&scene->vd->lock);
	vsockdev_sched_reply(scene->vd, &unknown, VSOCKDEV_TYPE_STREAM);
	vsockdev_sched_unlock(scene->vd);
	scene_tx_stage(scene, conn, 10);

	for (i = 0; i < clogged; i++)
		scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	scene_expect(scene, VIRTIO_VSOCK_OP_RESPONSE, &hdr);
	for (i = clogged + 1; i < SCENE_QUEUE; i++)
		scene_expect(scene, VIRTIO_VSOCK_OP_CREDIT_UPDATE, &hdr);
	scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
	KUNIT_EXPECT_EQ(test, hdr.src_port, 77);
	KUNIT_EXPECT_EQ(test, hdr.dst_port, 7);
	scene_expect(scene, VIRTIO_VSOCK_OP_SHUTDOWN, &hdr);
	KUNIT_EXPECT_EQ(test, hdr.src_port, 2);
	scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
}

/* Room that was promised is taken back, while the frame still waits */
static void sched_window_shrinks(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 clogged = scene_tx_fill(scene, 1);
	struct vsockdev_frame *head;
	struct vsockdev_conn *conn;
	struct vsockdev_hdr hdr;
	bool split;

	conn = scene_tx_open(scene, 2, 65536);
	scene_tx_stage(scene, conn, 1000);
	scene_tx_window(scene, conn, 10);
	while (clogged--)
		scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	while (scene_take(scene, &hdr))
		KUNIT_EXPECT_EQ(test, hdr.src_port, 1);
	KUNIT_EXPECT_TRUE(test, conn->tx_split);
	KUNIT_EXPECT_EQ(test, conn->tx_frame_count, 1);

	head = vsockdev_frame_alloc(10, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, head);
	spin_lock(&scene->vd->lock);
	split = vsockdev_sched_split(conn, head);
	vsockdev_sched_unlock(scene->vd);
	KUNIT_ASSERT_TRUE(test, split);
	scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	KUNIT_EXPECT_EQ(test, hdr.len, 10);
	/* The rest waits, and asks, perhaps again meanwhile */
	scene_expect(scene, VIRTIO_VSOCK_OP_CREDIT_REQUEST, &hdr);
	scene_tx_window(scene, conn, 1000);
	do
		KUNIT_ASSERT_TRUE(test, scene_take(scene, &hdr));
	while (hdr.op == VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	KUNIT_EXPECT_EQ(test, hdr.op, VIRTIO_VSOCK_OP_RW);
	KUNIT_EXPECT_EQ(test, hdr.len, 990);
	KUNIT_EXPECT_EQ(test, conn->credit.tx_cnt, 1000);
	KUNIT_EXPECT_EQ(test, conn->bytes_sent, 1000);
	scene_expect_quiet(scene);
}

/* A peer that takes room back again and again, before anything was sent */
static void sched_splits_are_few(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn;
	struct vsockdev_frame *first, *head;
	int i;

	scene_tx_fill(scene, 1);
	conn = scene_tx_open(scene, 2, 65536);
	scene_tx_stage(scene, conn, 60000);
	for (i = 0; i < 100; i++) {
		first = list_first_entry(&conn->tx_frames,
					 struct vsockdev_frame, node);
		if (first->len == 1)
			break;
		scene_tx_window(scene, conn, first->len - 1);
		head = scene_tx_frame(scene, first->len - 1);
		spin_lock(&scene->vd->lock);
		if (vsockdev_sched_split(conn, head))
			head = NULL;
		vsockdev_sched_unlock(scene->vd);
		KUNIT_ASSERT_NULL(test, head);
	}
	KUNIT_EXPECT_LE(test, conn->tx_frame_count, 17);
}

/* The completion comes with the last frame, or when the rest is dropped */
static void sched_vmo_frames(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = scene_tx_open(scene, 2, 65536);
	struct vsockdev_frame *frame;
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;
	int i;

	conn->vmo_active = true;
	for (i = 0; i < 3; i++) {
		frame = scene_tx_frame(scene, 100);
		spin_lock(&scene->vd->lock);
		frame->vmo = true;
		frame->awaited = i == 2;
		vsockdev_sched_stage(conn, frame);
		vsockdev_sched_unlock(scene->vd);
	}
	KUNIT_EXPECT_EQ(test, refcount_read(&conn->refs), 4);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_FALSE(test, scene_event(scene, &event));
		scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	}
	scene_expect_event(scene, VSOCKDEV_EVENT_SEND_VMO_COMPLETE, &event);
	KUNIT_EXPECT_EQ(test, event.vmo.status, 0);
	KUNIT_EXPECT_EQ(test, event.vmo.bytes, 300);
	KUNIT_EXPECT_EQ(test, refcount_read(&conn->refs), 1);
	scene_expect_quiet(scene);
}

static enum vsockdev_tx_armed armed(struct scene *scene)
{
	enum vsockdev_tx_armed armed;

	spin_lock(&scene->vd->lock);
	armed = scene->vd->ring.tx_armed;
	spin_unlock(&scene->vd->lock);
	return armed;
}

/* Nobody wants to hear that bytes were sent, but for the last of a SEND_VMO */
static void sched_interrupts(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = scene_tx_open(scene, 2, 1 << 20);
	struct vsockdev_frame *frame;
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;

	scene_tx_stage(scene, conn, 60000);
	KUNIT_EXPECT_EQ(test, armed(scene), VSOCKDEV_TX_QUIET);
	flush_delayed_work(&scene->vd->sched.tidy_work);
	KUNIT_EXPECT_EQ(test, armed(scene), VSOCKDEV_TX_NEXT);
	scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	scene_settle(scene);
	KUNIT_EXPECT_EQ(test, armed(scene), VSOCKDEV_TX_QUIET);
	KUNIT_EXPECT_EQ(test, conn->tx_ring_bytes, 0);

	conn->vmo_active = true;
	frame = scene_tx_frame(scene, 100);
	spin_lock(&scene->vd->lock);
	frame->vmo = true;
	frame->awaited = true;
	vsockdev_sched_stage(conn, frame);
	vsockdev_sched_unlock(scene->vd);
	KUNIT_EXPECT_EQ(test, armed(scene), VSOCKDEV_TX_NEXT);
	scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	scene_expect_event(scene, VSOCKDEV_EVENT_SEND_VMO_COMPLETE, &event);
}

/* Sends as much as there is room for, and lets the device return @count */
static void crowd(struct scene *scene, struct vsockdev_conn *conn, u32 count)
{
	struct fake_chain chain;
	u32 id;

	while (!conn->tx_crowded)
		scene_tx_stage(scene, conn, 60000);
	while (count-- && !fake_device_take(&scene->fake, VSOCKDEV_VQ_TX,
					    scene->frame, SCENE_FRAME_MAX, 0,
					    &id, &chain))
		;
	KUNIT_EXPECT_EQ(scene->test,
			fake_device_interrupt(&scene->fake, VSOCKDEV_VQ_TX), 0);
	scene_settle(scene);
}

/*
 * A device that is faster than we are gets a longer queue, for that time and
 * for one connection
 */
static void sched_adapts(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_ring *ring = &scene->vd->ring;
	struct vsockdev_conn *conn;
	u32 most = 0, i;

	conn = scene_tx_open(scene, 1, U32_MAX);
	crowd(scene, conn, 1);
	KUNIT_EXPECT_EQ(test, ring->tx_limit, VSOCKDEV_TX_BYTES_MIN);
	crowd(scene, conn, U32_MAX);
	KUNIT_EXPECT_GT(test, ring->tx_limit, VSOCKDEV_TX_BYTES_MIN);
	for (i = 0; i < 20; i++) {
		crowd(scene, conn, U32_MAX);
		most = max(most, conn->tx_ring_bytes);
	}
	KUNIT_EXPECT_EQ(test, ring->tx_limit, VSOCKDEV_TX_BYTES_MAX);
	KUNIT_EXPECT_LE(test, most, VSOCKDEV_TX_BYTES_MAX / 3 * 2 + 60000);
	for (i = 0; i < 200; i++)
		crowd(scene, conn, 1);
	KUNIT_EXPECT_EQ(test, ring->tx_limit, VSOCKDEV_TX_BYTES_MIN);
}

/* One that was alone, and whose bytes are not taken any more, holds up nobody */
static void sched_adapts_to_others(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_ring *ring = &scene->vd->ring;
	struct vsockdev_conn *first, *second;
	u32 i, before;

	first = scene_tx_open(scene, 1, U32_MAX);
	for (i = 0; i < 20; i++)
		crowd(scene, first, U32_MAX);
	crowd(scene, first, 0);
	before = ring->tx_bytes;
	KUNIT_EXPECT_GT(test, before, VSOCKDEV_TX_BYTES_MIN);
	second = scene_tx_open(scene, 2, U32_MAX);
	for (i = 0; i < 8; i++)
		scene_tx_stage(scene, second, 60000);
	KUNIT_EXPECT_GE(test, second->tx_ring_bytes, 240000);
	KUNIT_EXPECT_LE(test, ring->tx_bytes,
			before + VSOCKDEV_TX_BYTES_MIN / 3 + 2 * 60000);
}

/* A device that takes each packet before the next one is not held up */
static void sched_adapts_to_need(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = scene_tx_open(scene, 1, U32_MAX);
	struct vsockdev_hdr hdr;
	u32 i;

	for (i = 0; i < 100; i++) {
		scene_tx_stage(scene, conn, 60000);
		scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	}
	KUNIT_EXPECT_EQ(test, scene->vd->ring.tx_limit, VSOCKDEV_TX_BYTES_MIN);
}

/* The rings are gone, and nobody waits for room in them */
static void sched_freezes_when_full(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = scene_tx_open(scene, 1, U32_MAX);

	crowd(scene, conn, 0);
	KUNIT_EXPECT_EQ(test, scene->vd->sched.crowded, 1);
	KUNIT_ASSERT_EQ(test, fake_device_freeze(&scene->fake), 0);
	KUNIT_ASSERT_EQ(test, fake_device_restore(&scene->fake), 0);
	scene_settle(scene);
	KUNIT_EXPECT_EQ(test, scene->vd->sched.crowded, 0);
	KUNIT_EXPECT_EQ(test, scene->vd->sched.corked, 0);
}

static void sched_drop_data(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_frame *frame;
	struct vsockdev_conn *conn;
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;
	u32 references;

	scene_tx_fill(scene, 1);
	conn = scene_tx_open(scene, 2, 65536);
	conn->vmo_active = true;
	conn->vmo_left = 5;
	scene_tx_stage(scene, conn, 100);
	frame = scene_tx_frame(scene, 100);
	spin_lock(&scene->vd->lock);
	frame->vmo = true;
	vsockdev_sched_stage(conn, frame);
	vsockdev_conn_stop_tx(conn);
	references = refcount_read(&conn->refs);
	vsockdev_sched_unlock(scene->vd);
	KUNIT_EXPECT_EQ(test, references, 1);
	KUNIT_EXPECT_EQ(test, conn->tx_staged, 0);
	KUNIT_EXPECT_EQ(test, conn->tx_frame_count, 0);
	scene_expect_event(scene, VSOCKDEV_EVENT_SEND_VMO_COMPLETE, &event);
	KUNIT_EXPECT_EQ(test, event.vmo.status, EPIPE);
	while (scene_take(scene, &hdr))
		KUNIT_EXPECT_EQ(test, hdr.src_port, 1);
}

/* Both parts of a frame belong to the SEND_VMO that the frame did */
static void sched_split_vmo(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = scene_tx_open(scene, 2, 65536);
	struct vsockdev_frame *frame = scene_tx_frame(scene, 1000);
	struct vsockdev_frame *head = scene_tx_frame(scene, 10);
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;
	bool split;

	conn->vmo_active = true;
	spin_lock(&scene->vd->lock);
	frame->vmo = true;
	frame->awaited = true;
	vsockdev_sched_stage(conn, frame);
	vsockdev_credit_peer_update(&conn->credit, 10, 0);
	vsockdev_sched_unlock(scene->vd);
	spin_lock(&scene->vd->lock);
	split = vsockdev_sched_split(conn, head);
	vsockdev_sched_unlock(scene->vd);
	KUNIT_ASSERT_TRUE(test, split);
	scene_tx_window(scene, conn, 65536);
	while (scene_take(scene, &hdr))
		;
	scene_expect_event(scene, VSOCKDEV_EVENT_SEND_VMO_COMPLETE, &event);
	KUNIT_EXPECT_EQ(test, event.vmo.bytes, 1000);
	KUNIT_EXPECT_EQ(test, refcount_read(&conn->refs), 1);
}

/* The device goes with frames in its queue: scene_unplug() counts them */
static void sched_vmo_frames_come_back(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = scene_tx_open(scene, 2, 65536);
	struct vsockdev_frame *frame = scene_tx_frame(scene, 1000);

	conn->vmo_active = true;
	spin_lock(&scene->vd->lock);
	frame->vmo = true;
	vsockdev_sched_stage(conn, frame);
	vsockdev_sched_unlock(scene->vd);
	KUNIT_EXPECT_EQ(test, conn->vmo_frames, 1);
	KUNIT_EXPECT_EQ(test, conn->tx_frame_count, 0);
	KUNIT_EXPECT_EQ(test, fake_device_remove(&scene->fake), 0);
	scene_unplug(scene);
}

static struct kunit_case sched_tests[] = {
	KUNIT_CASE_PARAM(sched_is_fair, fair_gen_params),
	KUNIT_CASE(sched_order),
	KUNIT_CASE(sched_window_shrinks),
	KUNIT_CASE(sched_vmo_frames),
	KUNIT_CASE(sched_interrupts),
	KUNIT_CASE(sched_adapts),
	KUNIT_CASE(sched_adapts_to_others),
	KUNIT_CASE(sched_adapts_to_need),
	KUNIT_CASE(sched_freezes_when_full),
	KUNIT_CASE(sched_splits_are_few),
	KUNIT_CASE(sched_drop_data),
	KUNIT_CASE(sched_split_vmo),
	KUNIT_CASE(sched_vmo_frames_come_back),
	{}
};

static struct kunit_suite sched_suite = {
	.name = "vsockdev_sched",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = sched_tests,
};

kunit_test_suite(sched_suite);
