// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - the three virtqueues
 *
 * DOC: The driver is taken off the device; the suite plays both sides.
 */
#include <linux/mm.h>
#include <linux/virtio_config.h>

#include "ring.h"
#include "scene.h"

/**
 * struct stage - a ring and its device
 * @scene: the device
 * @ring: the ring
 * @rx_calls: interrupts so far
 * @tx_calls: likewise
 */
struct stage {
	struct scene *scene;
	struct vsockdev_ring ring;
	unsigned int rx_calls;
	unsigned int tx_calls;
};

static struct stage *stage_of(struct virtqueue *vq)
{
	return vq->vdev->priv;
}

static void rx_called(struct virtqueue *vq)
{
	stage_of(vq)->rx_calls++;
}

static void tx_called(struct virtqueue *vq)
{
	stage_of(vq)->tx_calls++;
}

static void event_called(struct virtqueue *vq)
{
}

/* Lets the driver go, and uses its device without it */
static struct stage *ring_stage(struct kunit *test, u64 features, u32 size)
{
	vq_callback_t *callbacks[] = { rx_called, tx_called, event_called };
	struct scene *scene = test->priv;
	struct virtio_device *vdev = &scene->fake.vdev;
	struct stage *stage;

	stage = kunit_kzalloc(test, sizeof(*stage), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stage);
	scene_unplug(scene);
	scene_plug(scene, features, size);
	device_release_driver(&vdev->dev);
	stage->scene = scene;
	vdev->priv = stage;
	KUNIT_ASSERT_EQ(test, vsockdev_ring_init(&stage->ring, vdev,
						 callbacks), 0);
	KUNIT_ASSERT_EQ(test, vsockdev_ring_fill(&stage->ring), 0);
	virtio_device_ready(vdev);
	return stage;
}

/* Returns how many data frames were still in the ring */
static int ring_end(struct stage *stage)
{
	struct vsockdev_frame *frame;
	LIST_HEAD(left);
	int count = 0;

	virtio_reset_device(&stage->scene->fake.vdev);
	vsockdev_ring_destroy(&stage->ring, &left);
	list_for_each_entry(frame, &left, node)
		count++;
	vsockdev_frames_free(&left);
	return count;
}

static u32 posted(struct stage *stage, u32 queue)
{
	bool driven;

	return fake_device_posted(&stage->scene->fake, queue, &driven);
}

static int put(struct stage *stage, u32 queue, const void *bytes, u32 len,
	       u32 used)
{
	return fake_device_put(&stage->scene->fake, queue, bytes, len, used,
			       VSOCKDEV_FAKE_INTERRUPT_WANTED);
}

static void give_back_tx(struct stage *stage, u32 count)
{
	struct scene *scene = stage->scene;
	struct fake_chain chain;
	u32 id;

	while (count--)
		KUNIT_ASSERT_EQ(scene->test,
				fake_device_take(&scene->fake, VSOCKDEV_VQ_TX,
						 scene->frame, SCENE_FRAME_MAX,
						 VSOCKDEV_FAKE_INTERRUPT_WANTED,
						 &id, &chain), 0);
}

static struct vsockdev_frame *data_frame(struct stage *stage, u32 len)
{
	struct vsockdev_frame *frame = vsockdev_frame_alloc(len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(stage->scene->test, frame);
	frame->len = min(len, frame->room);
	memset(frame->data + VSOCKDEV_HDR_LEN, 'x', frame->len);
	return frame;
}

static int send(struct stage *stage, struct vsockdev_frame *frame)
{
	struct vsockdev_hdr hdr = {
		.src_cid = SCENE_CID,
		.dst_cid = SCENE_HOST_CID,
		.op = frame ? VIRTIO_VSOCK_OP_RW : VIRTIO_VSOCK_OP_RST,
		.len = frame ? frame->len : 0,
	};
	int ret = vsockdev_ring_send(&stage->ring, &hdr, frame);

	virtqueue_kick(stage->ring.vqs[VSOCKDEV_VQ_TX]);
	return ret;
}

static int reclaim(struct stage *stage)
{
	struct vsockdev_frame *frame;
	LIST_HEAD(done);
	int count = 0;

	vsockdev_ring_tx_reclaim(&stage->ring, &done);
	list_for_each_entry(frame, &done, node)
		count++;
	vsockdev_frames_free(&done);
	return count;
}

struct ring_size {
	const char *name;
	u32 size;
	u32 rx;		/* buffers that are posted */
	u32 events;
};

static const struct ring_size ring_sizes[] = {
	{ "one_entry", 1, 1, 1 },
	{ "two", 2, 2, 2 },
	{ "few", 16, 16, 8 },
	{ "as_many_as_wanted", 128, 128, 8 },
	{ "more", 1024, 128, 8 },
};

KUNIT_ARRAY_PARAM_DESC(ring_size, ring_sizes, name);

static void ring_fill_posts(struct kunit *test)
{
	const struct ring_size *param = test->param_value;
	struct stage *stage = ring_stage(test, 0, param->size);

	KUNIT_EXPECT_EQ(test, posted(stage, VSOCKDEV_VQ_RX), param->rx);
	KUNIT_EXPECT_EQ(test, stage->ring.rx_posted, param->rx);
	KUNIT_EXPECT_EQ(test, posted(stage, VSOCKDEV_VQ_EVENT), param->events);
	KUNIT_EXPECT_EQ(test, posted(stage, VSOCKDEV_VQ_TX), 0);
	KUNIT_EXPECT_EQ(test, ring_end(stage), 0);
}

/* The host uses all buffers up, and gets them back in any order */
static void ring_rx_exhaustion(struct kunit *test)
{
	struct stage *stage = ring_stage(test, 0, 16);
	void *buffers[16];
	u32 i, used;

	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, put(stage, VSOCKDEV_VQ_RX, &i, sizeof(i),
					  100 + i), 0);
	KUNIT_EXPECT_EQ(test, put(stage, VSOCKDEV_VQ_RX, &i, sizeof(i), 4),
			-EAGAIN);
	KUNIT_EXPECT_GE(test, stage->rx_calls, 1);
	for (i = 0; i < 16; i++) {
		buffers[i] = vsockdev_ring_rx_get(&stage->ring, &used);
		KUNIT_ASSERT_NOT_NULL(test, buffers[i]);
		KUNIT_EXPECT_EQ(test, *(u32 *)buffers[i], i);
		KUNIT_EXPECT_EQ(test, used, 100 + i);
		/* All of it is ours: KASAN looks on */
		memset(buffers[i], 0xa5, VSOCKDEV_RX_SIZE);
	}
	KUNIT_EXPECT_NULL(test, vsockdev_ring_rx_get(&stage->ring, &used));
	KUNIT_EXPECT_EQ(test, stage->ring.rx_posted, 0);
	for (i = 0; i < 16; i++)
		vsockdev_ring_rx_put(&stage->ring, buffers[(i * 7) % 16]);
	KUNIT_EXPECT_EQ(test, stage->ring.rx_posted, 16);
	KUNIT_EXPECT_EQ(test, posted(stage, VSOCKDEV_VQ_RX), 16);
	KUNIT_EXPECT_EQ(test, ring_end(stage), 0);
}

/*
 * Somebody keeps each buffer that the host fills. Others take their place, as
 * many as there may be, and come back when they are let go of.
 */
static void ring_rx_lending(struct kunit *test)
{
	struct stage *stage = ring_stage(test, 0, 16);
	struct vsockdev_ring *ring = &stage->ring;
	void **kept, *buffer;
	u32 i, used, count = 0;

	kept = kunit_kcalloc(test, VSOCKDEV_RX_LENT_MAX, sizeof(*kept),
			     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, kept);
	KUNIT_EXPECT_FALSE(test, vsockdev_ring_rx_may_lend(ring, 16383));
	for (i = 0; i < VSOCKDEV_RX_LENT_MAX + 10; i++) {
		KUNIT_ASSERT_EQ(test, put(stage, VSOCKDEV_VQ_RX, &i, sizeof(i),
					  VSOCKDEV_RX_SIZE), 0);
		buffer = vsockdev_ring_rx_get(ring, &used);
		KUNIT_ASSERT_NOT_NULL(test, buffer);
		if (vsockdev_ring_rx_may_lend(ring, 16384)) {
			get_page(virt_to_page(buffer));
			kept[count++] = buffer;
		}
		vsockdev_ring_rx_put(ring, buffer);
		KUNIT_ASSERT_EQ(test, ring->rx_posted, 16);
	}
	KUNIT_EXPECT_EQ(test, count, VSOCKDEV_RX_LENT_MAX);
	for (i = 0; i < count; i++)
		KUNIT_EXPECT_EQ(test, *(u32 *)kept[i], i);

	/* One that nobody has any more is found, wherever it is */
	KUNIT_EXPECT_FALSE(test, vsockdev_ring_rx_may_lend(ring, 16384));
	put_page(virt_to_page(kept[200]));
	for (i = 0; i < VSOCKDEV_RX_LENT_MAX && !ring->rx_spare; i++)
		vsockdev_ring_rx_may_lend(ring, 16384);
	KUNIT_EXPECT_PTR_EQ(test, ring->rx_spare, kept[200]);
	KUNIT_EXPECT_EQ(test, ring->rx_lent_count, VSOCKDEV_RX_LENT_MAX - 1);

	/* What is kept outlives the ring: KASAN and kmemleak look on */
	KUNIT_EXPECT_EQ(test, ring_end(stage), 0);
	for (i = 0; i < count; i++) {
		if (i == 200)
			continue;
		KUNIT_EXPECT_EQ(test, *(u32 *)kept[i], i);
		put_page(virt_to_page(kept[i]));
	}
}

/* A buffer that a broken queue refuses is freed: kmemleak looks on */
static void ring_rx_broken(struct kunit *test)
{
	struct stage *stage = ring_stage(test, 0, 16);
	void *buffer;
	u32 used;

	KUNIT_EXPECT_EQ(test, put(stage, VSOCKDEV_VQ_RX, &used, 4, 4), 0);
	buffer = vsockdev_ring_rx_get(&stage->ring, &used);
	KUNIT_ASSERT_NOT_NULL(test, buffer);
	virtio_break_device(&stage->scene->fake.vdev);
	vsockdev_ring_rx_put(&stage->ring, buffer);
	KUNIT_EXPECT_EQ(test, stage->ring.rx_posted, 15);
	__virtio_unbreak_device(&stage->scene->fake.vdev);
	KUNIT_EXPECT_EQ(test, ring_end(stage), 0);
}

/* Control packets need no memory and may use every entry; data may not */
static void ring_reserve_for_control(struct kunit *test)
{
	struct stage *stage = ring_stage(test, 0, 64);
	u32 data = 0, control = 0;

	while (vsockdev_ring_tx_data_room(&stage->ring, false)) {
		KUNIT_ASSERT_EQ(test, send(stage, data_frame(stage, 1)), 0);
		data++;
	}
	KUNIT_EXPECT_EQ(test, data, 64 - 64 / 8);
	while (vsockdev_ring_tx_room(&stage->ring)) {
		KUNIT_ASSERT_EQ(test, send(stage, NULL), 0);
		control++;
	}
	KUNIT_EXPECT_EQ(test, control, 64 / 8);
	KUNIT_EXPECT_EQ(test, reclaim(stage), 0);

	give_back_tx(stage, 64);
	KUNIT_EXPECT_EQ(test, reclaim(stage), data);
	KUNIT_EXPECT_EQ(test, stage->ring.tx_bytes, 0);
	for (control = 0; vsockdev_ring_tx_room(&stage->ring); control++)
		KUNIT_ASSERT_EQ(test, send(stage, NULL), 0);
	KUNIT_EXPECT_EQ(test, control, 64);
	KUNIT_EXPECT_EQ(test, ring_end(stage), 0);
}

/* What is in the ring is sent in order, so it is kept short */
static void ring_bounds_bytes(struct kunit *test)
{
	struct stage *stage = ring_stage(test, 0, 128);
	u32 bytes = 0, sent = 0;

	while (vsockdev_ring_tx_data_room(&stage->ring, false)) {
		struct vsockdev_frame *frame = data_frame(stage, 30000);

		bytes += frame->len;
		sent++;
		KUNIT_ASSERT_EQ(test, send(stage, frame), 0);
		KUNIT_ASSERT_LE(test, sent, 128);
	}
	KUNIT_EXPECT_GE(test, bytes, 768 * 1024);
	KUNIT_EXPECT_LT(test, bytes, 768 * 1024 + 30000);
	KUNIT_EXPECT_EQ(test, stage->ring.tx_bytes, bytes);
	KUNIT_EXPECT_TRUE(test, vsockdev_ring_tx_room(&stage->ring));
	give_back_tx(stage, 1);
	KUNIT_EXPECT_EQ(test, reclaim(stage), 1);
	KUNIT_EXPECT_TRUE(test, vsockdev_ring_tx_data_room(&stage->ring, false));
	KUNIT_EXPECT_EQ(test, ring_end(stage), sent - 1);
}

/* Interrupts come as they were asked for: not at all, soon, or at once */
static void ring_interrupts(struct kunit *test)
{
	struct stage *stage = ring_stage(test, BIT_ULL(VIRTIO_RING_F_EVENT_IDX),
					 64);
	unsigned int calls;
	int i;

	/* A queue that asks for nothing names the entry that comes first */
	KUNIT_ASSERT_EQ(test, send(stage, data_frame(stage, 1)), 0);
	give_back_tx(stage, 1);
	KUNIT_EXPECT_EQ(test, reclaim(stage), 1);
	calls = stage->tx_calls;

	for (i = 0; i < 16; i++)
		KUNIT_ASSERT_EQ(test, send(stage, data_frame(stage, 1)), 0);
	give_back_tx(stage, 4);
	KUNIT_EXPECT_EQ(test, stage->tx_calls, calls);
	KUNIT_EXPECT_EQ(test, reclaim(stage), 4);

	KUNIT_EXPECT_TRUE(test, vsockdev_ring_tx_arm(&stage->ring,
						     VSOCKDEV_TX_SOON));
	give_back_tx(stage, 1);
	KUNIT_EXPECT_EQ(test, stage->tx_calls, calls);
	give_back_tx(stage, 11);
	KUNIT_EXPECT_EQ(test, stage->tx_calls, calls + 1);
	vsockdev_ring_tx_disarm(&stage->ring);
	KUNIT_EXPECT_EQ(test, reclaim(stage), 12);

	for (i = 0; i < 16; i++)
		KUNIT_ASSERT_EQ(test, send(stage, data_frame(stage, 1)), 0);
	KUNIT_EXPECT_TRUE(test, vsockdev_ring_tx_arm(&stage->ring,
						     VSOCKDEV_TX_NEXT));
	calls = stage->tx_calls;
	give_back_tx(stage, 1);
	KUNIT_EXPECT_EQ(test, stage->tx_calls, calls + 1);
	KUNIT_EXPECT_EQ(test, reclaim(stage), 1);
	give_back_tx(stage, 1);
	KUNIT_EXPECT_FALSE(test, vsockdev_ring_tx_arm(&stage->ring,
						      VSOCKDEV_TX_NEXT));
	/* The one that was returned, and not taken back, is left as well */
	KUNIT_EXPECT_EQ(test, ring_end(stage), 15);
}

struct ring_event {
	const char *name;
	u32 len;
	u32 id;
};

static const struct ring_event ring_events[] = {
	{ "right", 4, 0x04030201 },
	{ "nothing", 0, ~0U },
	{ "one_byte", 1, ~0U },
	{ "three", 3, ~0U },
	{ "five", 5, ~0U },
	{ "all_ones", U32_MAX, ~0U },
};

KUNIT_ARRAY_PARAM_DESC(ring_event, ring_events, name);

/* Its buffer is posted again, however often and whatever its length */
static void ring_event_get(struct kunit *test)
{
	static const u8 bytes[] = { 1, 2, 3, 4 };
	const struct ring_event *param = test->param_value;
	struct stage *stage = ring_stage(test, 0, 16);
	u32 id;
	int i;

	for (i = 0; i < 3 * VSOCKDEV_EVENT_BUFS; i++) {
		KUNIT_EXPECT_EQ(test, put(stage, VSOCKDEV_VQ_EVENT, bytes,
					  sizeof(bytes), param->len), 0);
		KUNIT_EXPECT_TRUE(test,
				  vsockdev_ring_event_get(&stage->ring, &id));
		KUNIT_EXPECT_EQ(test, id, param->id);
		KUNIT_EXPECT_FALSE(test,
				   vsockdev_ring_event_get(&stage->ring, &id));
		KUNIT_EXPECT_EQ(test, posted(stage, VSOCKDEV_VQ_EVENT),
				VSOCKDEV_EVENT_BUFS);
	}
	KUNIT_EXPECT_EQ(test, ring_end(stage), 0);
}

/* Devices without indirect descriptors take a header and one piece */
static void ring_runs(struct kunit *test)
{
	struct stage *stage = ring_stage(test, 0, 64);

	KUNIT_EXPECT_EQ(test, stage->ring.tx_runs, 1);
	ring_end(stage);
	stage = ring_stage(test, BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC), 64);
	KUNIT_EXPECT_EQ(test, stage->ring.tx_runs, 16);
	ring_end(stage);
	stage = ring_stage(test, BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC), 1024);
	KUNIT_EXPECT_EQ(test, stage->ring.tx_runs, VSOCKDEV_PAGES_MAX);
	ring_end(stage);
}

static struct kunit_case ring_tests[] = {
	KUNIT_CASE_PARAM(ring_fill_posts, ring_size_gen_params),
	KUNIT_CASE(ring_rx_exhaustion),
	KUNIT_CASE(ring_rx_lending),
	KUNIT_CASE(ring_rx_broken),
	KUNIT_CASE(ring_reserve_for_control),
	KUNIT_CASE(ring_bounds_bytes),
	KUNIT_CASE(ring_interrupts),
	KUNIT_CASE_PARAM(ring_event_get, ring_event_gen_params),
	KUNIT_CASE(ring_runs),
	{}
};

static struct kunit_suite ring_suite = {
	.name = "vsockdev_ring",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = ring_tests,
};

kunit_test_suite(ring_suite);
