// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - what is sent next
 *
 * DOC: The connections have no socket: what they have to send is staged here.
 */
#include <linux/jiffies.h>

#include "scene.h"
#include "workers.h"

#define QUANTUM		65536	/* bytes that each may send in its turn */
#define REPLIES		VSOCKDEV_REPLIES

static void no_pump(struct work_struct *work)
{
}

/* An ESTABLISHED connection that may send @window bytes */
static struct vsockdev_conn *open_conn(struct scene *scene, u32 port,
				       u32 window)
{
	struct vsockdev_addr addr = { port, SCENE_HOST_CID, 1024 };
	struct vsockdev_conn *conn;

	conn = vsockdev_conn_alloc(scene->vd, &addr, VSOCKDEV_TYPE_STREAM,
				   GFP_KERNEL, no_pump);
	KUNIT_ASSERT_NOT_NULL(scene->test, conn);
	spin_lock(&scene->vd->lock);
	vsockdev_conn_publish(conn, VSOCKDEV_CONN_CONNECTING, 65536);
	vsockdev_credit_peer_update(&conn->credit, window, 0);
	vsockdev_conn_open(conn);
	spin_unlock(&scene->vd->lock);
	return conn;
}

static struct vsockdev_frame *make_frame(struct scene *scene, u32 len)
{
	struct vsockdev_frame *frame = vsockdev_frame_alloc(len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(scene->test, frame);
	KUNIT_ASSERT_GE(scene->test, frame->room, len);
	frame->len = len;
	return frame;
}

static void stage(struct scene *scene, struct vsockdev_conn *conn, u32 len)
{
	struct vsockdev_frame *frame = make_frame(scene, len);

	spin_lock(&scene->vd->lock);
	vsockdev_sched_stage(conn, frame);
	vsockdev_sched_unlock(scene->vd);
}

static void control(struct scene *scene, struct vsockdev_conn *conn,
		    u32 packets)
{
	spin_lock(&scene->vd->lock);
	vsockdev_sched_control(conn, packets);
	vsockdev_sched_unlock(scene->vd);
}

/* Fills the TX queue with data of a connection of its own. Returns how many */
static u32 fill_queue(struct scene *scene, u32 port)
{
	struct vsockdev_conn *conn = open_conn(scene, port, U32_MAX);
	u32 i;

	for (i = 0; i < SCENE_QUEUE; i++)
		stage(scene, conn, 1);
	KUNIT_ASSERT_FALSE(scene->test,
			   vsockdev_ring_tx_data_room(&scene->vd->ring,
						      false));
	return SCENE_QUEUE - conn->tx_frame_count;
}

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
		stage(scene, flow->conn, flow->min +
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
		flows[n].conn = open_conn(scene, n, U32_MAX);
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
	struct vsockdev_conn *conn = open_conn(scene, 1, 65536);
	struct vsockdev_hdr hdr;
	u32 clogged, i;

	for (clogged = 0; vsockdev_ring_tx_data_room(ring, false); clogged++)
		stage(scene, conn, 1);
	conn = open_conn(scene, 2, 65536);
	/* These may use what is kept back for them */
	control(scene, conn, VSOCKDEV_SEND_RESPONSE_PACKET);
	KUNIT_EXPECT_EQ(test, conn->control, 0);
	for (i = clogged + 1; i < SCENE_QUEUE; i++)
		control(scene, conn, VSOCKDEV_SEND_CREDIT_UPDATE);
	KUNIT_EXPECT_FALSE(test, vsockdev_ring_tx_room(&scene->vd->ring));
	control(scene, conn, VSOCKDEV_SEND_SHUTDOWN_PACKET);
	spin_lock(&scene->vd->lock);
	vsockdev_sched_reply(scene->vd, &unknown, VSOCKDEV_TYPE_STREAM);
	vsockdev_sched_unlock(scene->vd);
	stage(scene, conn, 10);

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

/* All at once: in an order that the host understands, with newest credit */
static void sched_control_order(struct kunit *test)
{
	static const u16 ops[] = {
		VIRTIO_VSOCK_OP_REQUEST, VIRTIO_VSOCK_OP_RESPONSE,
		VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_OP_CREDIT_REQUEST,
	};
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = open_conn(scene, 2, 65536);
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
static void sched_replies_are_bounded(struct kunit *test)
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

static void peer_says(struct scene *scene, struct vsockdev_conn *conn,
		      u32 window)
{
	struct scene_peer peer = {
		.local_port = conn->addr.local_port,
		.remote_port = conn->addr.remote_port,
		.type = conn->type,
		.buf_alloc = window,
	};

	scene_control(scene, &peer, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
}

/* Room that was promised is taken back, while the frame still waits */
static void sched_window_shrinks(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 clogged = fill_queue(scene, 1);
	struct vsockdev_frame *head;
	struct vsockdev_conn *conn;
	struct vsockdev_hdr hdr;
	bool split;

	conn = open_conn(scene, 2, 65536);
	stage(scene, conn, 1000);
	peer_says(scene, conn, 10);
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
	peer_says(scene, conn, 1000);
	do
		KUNIT_ASSERT_TRUE(test, scene_take(scene, &hdr));
	while (hdr.op == VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	KUNIT_EXPECT_EQ(test, hdr.op, VIRTIO_VSOCK_OP_RW);
	KUNIT_EXPECT_EQ(test, hdr.len, 990);
	KUNIT_EXPECT_EQ(test, conn->credit.tx_cnt, 1000);
	KUNIT_EXPECT_EQ(test, conn->bytes_sent, 1000);
	scene_expect_quiet(scene);
}

/*
 * At once, and then ever more rarely, but at least once a second. It may be
 * later than one thinks: what counts is that the delay fits the number.
 */
static void sched_asks_for_credit(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = open_conn(scene, 2, 0);
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
	peer_says(scene, conn, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&conn->blocked_node));
}

/* A peer that takes room back again and again, before anything was sent */
static void sched_splits_are_few(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn;
	struct vsockdev_frame *first, *head;
	int i;

	fill_queue(scene, 1);
	conn = open_conn(scene, 2, 65536);
	stage(scene, conn, 60000);
	for (i = 0; i < 100; i++) {
		first = list_first_entry(&conn->tx_frames,
					 struct vsockdev_frame, node);
		if (first->len == 1)
			break;
		peer_says(scene, conn, first->len - 1);
		head = make_frame(scene, first->len - 1);
		spin_lock(&scene->vd->lock);
		if (vsockdev_sched_split(conn, head))
			head = NULL;
		vsockdev_sched_unlock(scene->vd);
		KUNIT_ASSERT_NULL(test, head);
	}
	KUNIT_EXPECT_LE(test, conn->tx_frame_count, 17);
}

/* That another one has to ask now is no reason to look all the time */
static void sched_asks_when_it_is_time(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *first = open_conn(scene, 1, 0);
	struct vsockdev_conn *second = open_conn(scene, 2, 0);

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

/* The completion comes with the last frame, or when the rest is dropped */
static void sched_vmo_frames(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = open_conn(scene, 2, 65536);
	struct vsockdev_frame *frame;
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;
	int i;

	conn->vmo_active = true;
	for (i = 0; i < 3; i++) {
		frame = make_frame(scene, 100);
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
	struct vsockdev_conn *conn = open_conn(scene, 2, 1 << 20);
	struct vsockdev_frame *frame;
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;

	stage(scene, conn, 60000);
	KUNIT_EXPECT_EQ(test, armed(scene), VSOCKDEV_TX_QUIET);
	flush_delayed_work(&scene->vd->sched.tidy_work);
	KUNIT_EXPECT_EQ(test, armed(scene), VSOCKDEV_TX_NEXT);
	scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	scene_settle(scene);
	KUNIT_EXPECT_EQ(test, armed(scene), VSOCKDEV_TX_QUIET);
	KUNIT_EXPECT_EQ(test, conn->tx_ring_bytes, 0);

	conn->vmo_active = true;
	frame = make_frame(scene, 100);
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
		stage(scene, conn, 60000);
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

	conn = open_conn(scene, 1, U32_MAX);
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

	first = open_conn(scene, 1, U32_MAX);
	for (i = 0; i < 20; i++)
		crowd(scene, first, U32_MAX);
	crowd(scene, first, 0);
	before = ring->tx_bytes;
	KUNIT_EXPECT_GT(test, before, VSOCKDEV_TX_BYTES_MIN);
	second = open_conn(scene, 2, U32_MAX);
	for (i = 0; i < 8; i++)
		stage(scene, second, 60000);
	KUNIT_EXPECT_GE(test, second->tx_ring_bytes, 240000);
	KUNIT_EXPECT_LE(test, ring->tx_bytes,
			before + VSOCKDEV_TX_BYTES_MIN / 3 + 2 * 60000);
}

/* A device that takes each packet before the next one is not held up */
static void sched_adapts_to_need(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = open_conn(scene, 1, U32_MAX);
	struct vsockdev_hdr hdr;
	u32 i;

	for (i = 0; i < 100; i++) {
		stage(scene, conn, 60000);
		scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	}
	KUNIT_EXPECT_EQ(test, scene->vd->ring.tx_limit, VSOCKDEV_TX_BYTES_MIN);
}

/* The rings are gone, and nobody waits for room in them */
static void sched_freezes_when_full(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = open_conn(scene, 1, U32_MAX);

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

	fill_queue(scene, 1);
	conn = open_conn(scene, 2, 65536);
	conn->vmo_active = true;
	conn->vmo_left = 5;
	stage(scene, conn, 100);
	frame = make_frame(scene, 100);
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

/* What becomes due while data is sent does not wait for the rest of it */
static void sched_control_overtakes_data(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *first = open_conn(scene, 1, 65536);
	struct vsockdev_conn *second = open_conn(scene, 2, 65536);
	struct vsockdev_frame *frames[10];
	struct vsockdev_hdr hdr;
	int i;

	for (i = 0; i < ARRAY_SIZE(frames); i++)
		frames[i] = make_frame(scene, 100);
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
static void sched_takes_turns(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn;
	struct vsockdev_hdr hdr;
	int i;

	narrow(scene);
	conn = open_conn(scene, 1, 65536);
	for (i = 0; i < 11; i++)
		stage(scene, conn, 100);
	for (i = 0; i < 10; i++) {
		control(scene, conn, VSOCKDEV_SEND_CREDIT_UPDATE);
		scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
		control(scene, conn, VSOCKDEV_SEND_CREDIT_UPDATE);
		scene_expect(scene, VIRTIO_VSOCK_OP_CREDIT_UPDATE, &hdr);
	}
	/* The last update went with the data */
	scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	scene_expect_quiet(scene);
}

/* The same where some entries are kept back for control packets */
static void sched_takes_turns_when_full(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn;
	struct vsockdev_hdr hdr;
	u32 i, data = 0;

	fill_queue(scene, 1);
	conn = open_conn(scene, 2, 65536);
	for (i = 0; i < 4 * SCENE_QUEUE; i++) {
		control(scene, conn, VSOCKDEV_SEND_CREDIT_REQUEST);
		KUNIT_ASSERT_TRUE(test, scene_take(scene, &hdr));
		data += hdr.op == VIRTIO_VSOCK_OP_RW;
	}
	KUNIT_EXPECT_EQ(test, data, SCENE_QUEUE);
}

/* Not even then is a connection's data sent before its RESPONSE */
static void sched_response_is_first(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *asker, *fresh;
	struct vsockdev_hdr hdr;

	narrow(scene);
	asker = open_conn(scene, 1, 65536);
	fresh = open_conn(scene, 2, 65536);
	control(scene, asker, VSOCKDEV_SEND_CREDIT_REQUEST);
	control(scene, asker, VSOCKDEV_SEND_CREDIT_REQUEST);
	stage(scene, fresh, 100);
	control(scene, fresh, VSOCKDEV_SEND_RESPONSE_PACKET);
	scene_expect(scene, VIRTIO_VSOCK_OP_CREDIT_REQUEST, &hdr);
	scene_expect(scene, VIRTIO_VSOCK_OP_CREDIT_REQUEST, &hdr);
	scene_expect(scene, VIRTIO_VSOCK_OP_RESPONSE, &hdr);
	scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
}

/* Both parts of a frame belong to the SEND_VMO that the frame did */
static void sched_split_vmo(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_conn *conn = open_conn(scene, 2, 65536);
	struct vsockdev_frame *frame = make_frame(scene, 1000);
	struct vsockdev_frame *head = make_frame(scene, 10);
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
	peer_says(scene, conn, 65536);
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
	struct vsockdev_conn *conn = open_conn(scene, 2, 65536);
	struct vsockdev_frame *frame = make_frame(scene, 1000);

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

/* What a connection still had to say is not said when the host has reset it */
static void sched_dead_say_nothing(struct kunit *test)
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

	left = SCENE_QUEUE - fill_queue(scene, 1);
	conn = open_conn(scene, 3, 65536);
	while (left--)
		control(scene, conn, VSOCKDEV_SEND_CREDIT_UPDATE);
	conn = open_conn(scene, 2, 65536);
	control(scene, conn, VSOCKDEV_SEND_RESPONSE_PACKET);
	KUNIT_EXPECT_NE(test, conn->control, 0);
	scene_control(scene, &peer, VIRTIO_VSOCK_OP_RST);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	while (scene_take(scene, &hdr))
		KUNIT_EXPECT_NE(test, hdr.src_port, 2);
}

static struct kunit_case sched_tests[] = {
	KUNIT_CASE_PARAM(sched_is_fair, fair_gen_params),
	KUNIT_CASE(sched_order),
	KUNIT_CASE(sched_control_order),
	KUNIT_CASE(sched_replies_are_bounded),
	KUNIT_CASE(sched_window_shrinks),
	KUNIT_CASE(sched_asks_for_credit),
	KUNIT_CASE(sched_vmo_frames),
	KUNIT_CASE(sched_interrupts),
	KUNIT_CASE(sched_adapts),
	KUNIT_CASE(sched_adapts_to_others),
	KUNIT_CASE(sched_adapts_to_need),
	KUNIT_CASE(sched_freezes_when_full),
	KUNIT_CASE(sched_splits_are_few),
	KUNIT_CASE(sched_asks_when_it_is_time),
	KUNIT_CASE(sched_drop_data),
	KUNIT_CASE(sched_control_overtakes_data),
	KUNIT_CASE(sched_takes_turns),
	KUNIT_CASE(sched_takes_turns_when_full),
	KUNIT_CASE(sched_response_is_first),
	KUNIT_CASE(sched_split_vmo),
	KUNIT_CASE(sched_vmo_frames_come_back),
	KUNIT_CASE(sched_dead_say_nothing),
	{}
};

static struct kunit_suite sched_suite = {
	.name = "vsockdev_sched",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = sched_tests,
};

kunit_test_suite(sched_suite);
