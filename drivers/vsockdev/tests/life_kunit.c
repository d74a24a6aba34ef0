// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - the device goes, or is reset, in the middle of anything
 *
 * DOC: There is one fixed conversation. It is begun once for each of its steps
 * and each calamity, which happens after that step. Then everything must be
 * told its end, nothing may be left, and if the device is still there the whole
 * conversation must work.
 */
#include <linux/net.h>
#include <linux/virtio_config.h>

#include "scene.h"
#include "workers.h"

#define STREAM	VSOCKDEV_TYPE_STREAM
#define MANY	30000

/**
 * struct talk - the conversation
 * @scene: where it takes place
 * @a: the host asked for it
 * @b: the owner did
 * @sent: bytes that the host sent to A and B
 * @read: bytes that their programs read
 * @shut: the host shut its sending direction of A
 * @bytes: for anybody
 */
struct talk {
	struct scene *scene;
	struct scene_conn *a;
	struct scene_conn *b;
	u32 sent[2];
	u32 read[2];
	bool shut;
	u8 *bytes;
};

static u8 pattern(u32 at)
{
	return at ^ at >> 8;
}

static void host_sends(struct talk *talk, int which, u32 len)
{
	struct scene_conn *sc = which ? talk->b : talk->a;
	u32 i;

	for (i = 0; i < len; i++)
		talk->bytes[i] = pattern(talk->sent[which] + i);
	scene_send(talk->scene, &sc->peer, VIRTIO_VSOCK_OP_RW, 0, talk->bytes,
		   len);
	talk->sent[which] += len;
}

/* Returns what the socket says after all that is there */
static int program_reads(struct talk *talk, int which)
{
	struct scene_conn *sc = which ? talk->b : talk->a;
	int i, ret;

	while ((ret = scene_read(sc, talk->bytes, MANY)) > 0) {
		for (i = 0; i < ret; i++)
			if (talk->bytes[i] != pattern(talk->read[which] + i))
				KUNIT_FAIL_AND_ABORT(talk->scene->test,
						     "a byte is wrong");
		talk->read[which] += ret;
	}
	KUNIT_EXPECT_LE(talk->scene->test, talk->read[which],
			talk->sent[which]);
	return ret;
}

static void host_takes_all(struct talk *talk)
{
	struct vsockdev_hdr hdr;

	while (scene_take(talk->scene, &hdr))
		;
}

static void owner_reads(struct talk *talk, u32 type)
{
	struct vsockdev_event event;

	scene_expect_event(talk->scene, type, &event);
}

static void a_is_accepted(struct talk *talk)
{
	talk->a = scene_accept(talk->scene, 1, STREAM);
}

static void a_gets_bytes(struct talk *talk)
{
	host_sends(talk, 0, 1000);
}

static void a_writes(struct talk *talk)
{
	KUNIT_EXPECT_EQ(talk->scene->test,
			scene_write(talk->a, talk->bytes, 2000), 2000);
}

static void host_takes_one(struct talk *talk)
{
	struct vsockdev_hdr hdr;

	KUNIT_EXPECT_TRUE(talk->scene->test, scene_take(talk->scene, &hdr));
}

static void a_reads(struct talk *talk)
{
	KUNIT_EXPECT_EQ(talk->scene->test, program_reads(talk, 0), -EAGAIN);
	KUNIT_EXPECT_EQ(talk->scene->test, talk->read[0], talk->sent[0]);
}

static void b_is_asked_for(struct talk *talk)
{
	talk->b = scene_connect(talk->scene, 2, STREAM);
}

static void b_writes_early(struct talk *talk)
{
	KUNIT_EXPECT_EQ(talk->scene->test,
			scene_write(talk->b, talk->bytes, 500), 500);
}

static void b_is_answered(struct talk *talk)
{
	talk->b->peer.buf_alloc = 20000;
	scene_control(talk->scene, &talk->b->peer, VIRTIO_VSOCK_OP_RESPONSE);
}

static void owner_reads_response(struct talk *talk)
{
	owner_reads(talk, VSOCKDEV_EVENT_RESPONSE);
}

/* More than the host takes */
static void b_writes_much(struct talk *talk)
{
	while (scene_write(talk->b, talk->bytes, MANY) > 0)
		;
}

/* More than its program's socket takes */
static void b_gets_much(struct talk *talk)
{
	while (list_empty(&talk->b->conn->rx_chunks))
		host_sends(talk, 1, MANY);
}

static void c_is_asked_for(struct talk *talk)
{
	struct scene_peer peer = {
		.local_port = 3,
		.remote_port = 4,
		.type = STREAM,
	};

	scene_control(talk->scene, &peer, VIRTIO_VSOCK_OP_REQUEST);
}

static void unknown_is_refused(struct talk *talk)
{
	struct scene_peer peer = { .type = STREAM };

	scene_control(talk->scene, &peer, VIRTIO_VSOCK_OP_RW);
}

static void a_is_shut_by_owner(struct talk *talk)
{
	KUNIT_EXPECT_EQ(talk->scene->test, scene_send_shutdown
			(talk->a, VSOCKDEV_SHUTDOWN_SEND), 0);
}

static void a_is_shut_by_host(struct talk *talk)
{
	scene_send(talk->scene, &talk->a->peer, VIRTIO_VSOCK_OP_SHUTDOWN,
		   VIRTIO_VSOCK_SHUTDOWN_SEND, NULL, 0);
	talk->shut = true;
}

static void a_is_reset_by_host(struct talk *talk)
{
	scene_control(talk->scene, &talk->a->peer, VIRTIO_VSOCK_OP_RST);
}

static void b_closes(struct talk *talk)
{
	scene_close(talk->b);
}

static const struct step {
	const char *name;
	void (*take)(struct talk *talk);
} steps[] = {
	{ "A is accepted", a_is_accepted },
	{ "A gets bytes", a_gets_bytes },
	{ "A writes", a_writes },
	{ "the host takes them", host_takes_one },
	{ "A reads", a_reads },
	{ "B is asked for", b_is_asked_for },
	{ "B writes early", b_writes_early },
	{ "B is answered", b_is_answered },
	{ "the owner reads that", owner_reads_response },
	{ "B writes more than there is credit", b_writes_much },
	{ "the host takes one", host_takes_one },
	{ "the host takes all", host_takes_all },
	{ "B gets more than it takes", b_gets_much },
	{ "C is asked for", c_is_asked_for },
	{ "somebody unknown is refused", unknown_is_refused },
	{ "the owner shuts A", a_is_shut_by_owner },
	{ "the host shuts A", a_is_shut_by_host },
	{ "the host takes all again", host_takes_all },
	{ "the host resets A", a_is_reset_by_host },
	{ "B closes", b_closes },
	{ "the host takes the rest", host_takes_all },
};

static void converse(struct talk *talk, struct scene *scene, u8 *bytes,
		     u32 until)
{
	u32 i;

	memset(talk, 0, sizeof(*talk));
	talk->scene = scene;
	talk->bytes = bytes;
	for (i = 0; i < until; i++) {
		scnprintf(scene->note, sizeof(scene->note), "%u of %u: %s", i,
			  until, steps[i].name);
		steps[i].take(talk);
	}
}

/* A calamity returns true if the device can be used again */
static bool unplug(struct scene *scene)
{
	KUNIT_EXPECT_EQ(scene->test, fake_device_remove(&scene->fake), 0);
	return false;
}

/* Nothing that the driver asks of its queues succeeds any more */
static bool break_and_unplug(struct scene *scene)
{
	virtio_break_device(&scene->fake.vdev);
	fake_device_interrupt(&scene->fake, VSOCKDEV_VQ_RX);
	fake_device_interrupt(&scene->fake, VSOCKDEV_VQ_TX);
	scene_settle(scene);
	return unplug(scene);
}

static bool acknowledge(struct scene *scene)
{
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;

	/* Completions are all that may come before */
	scene_expect_event(scene, VSOCKDEV_EVENT_TRANSPORT_RESET, &event);
	KUNIT_EXPECT_EQ(scene->test, event.transport_reset.new_cid,
			scene->cid);
	scene_settle(scene);
	while (scene_take(scene, &hdr))
		;
	KUNIT_EXPECT_EQ(scene->test, scene_reset_done(scene), 0);
	return true;
}

static bool transport_reset(struct scene *scene)
{
	scene_transport_event(scene, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET, 4);
	return acknowledge(scene);
}

static bool another_cid(struct scene *scene)
{
	scene->cid++;
	fake_device_config(&scene->fake, scene->cid, 1);
	scene_settle(scene);
	return acknowledge(scene);
}

static bool freeze_and_restore(struct scene *scene)
{
	KUNIT_EXPECT_EQ(scene->test, fake_device_freeze(&scene->fake), 0);
	scene_settle(scene);
	/* The reset that it leads to is on its way */
	KUNIT_EXPECT_EQ(scene->test, scene_reset_done(scene), -ESTALE);
	KUNIT_EXPECT_EQ(scene->test, fake_device_restore(&scene->fake), 0);
	scene_settle(scene);
	return acknowledge(scene);
}

static bool freeze_and_unplug(struct scene *scene)
{
	KUNIT_EXPECT_EQ(scene->test, fake_device_freeze(&scene->fake), 0);
	scene_settle(scene);
	return unplug(scene);
}

static bool unbind(struct scene *scene)
{
	device_release_driver(&scene->fake.vdev.dev);
	return false;
}

static bool stop_and_start(struct scene *scene)
{
	struct vsockdev_hdr hdr;

	KUNIT_EXPECT_EQ(scene->test, scene_stop(scene), 0);
	while (scene_take(scene, &hdr))
		;
	KUNIT_EXPECT_EQ(scene->test, scene_start(scene, 0, 0, 0), 0);
	return true;
}

struct calamity {
	const char *name;
	bool (*happen)(struct scene *scene);
};

static const struct calamity calamities[] = {
	{ "unplug", unplug },
	{ "break_and_unplug", break_and_unplug },
	{ "unbind", unbind },
	{ "transport_reset", transport_reset },
	{ "another_cid", another_cid },
	{ "freeze_and_restore", freeze_and_restore },
	{ "freeze_and_unplug", freeze_and_unplug },
	{ "stop_and_start", stop_and_start },
};

KUNIT_ARRAY_PARAM_DESC(calamity, calamities, name);

/* What there is can be read; then it is cut off, looks like that, and goes */
static void check_program(struct talk *talk, int which)
{
	struct scene_conn *sc = which ? talk->b : talk->a;
	struct kunit *test = talk->scene->test;
	int ret;

	if (!sc || !sc->user)
		return;
	scene_settle(talk->scene);
	ret = program_reads(talk, which);
	if (!ret)
		KUNIT_EXPECT_TRUE(test, !which && talk->shut &&
				  talk->read[0] == talk->sent[0]);
	else
		KUNIT_EXPECT_EQ(test, ret, -ECONNRESET);
	KUNIT_EXPECT_EQ(test, talk->read[which], talk->sent[which]);
	KUNIT_EXPECT_EQ(test, scene_write(sc, talk->bytes, 1), -EPIPE);
	scene_close(sc);
	KUNIT_EXPECT_NULL(test, READ_ONCE(sc->conn->sock));
}

static void check_gone(struct scene *scene)
{
	struct vsockdev_event event;
	u64 id;
	struct scene_peer peer = { .local_port = 9, .type = STREAM };
	struct socket *user;
	int fd;

	KUNIT_EXPECT_FALSE(scene->test, scene_event(scene, &event));
	KUNIT_EXPECT_TRUE(scene->test,
			  vsockdev_stream_poll(&scene->vd->stream) ==
			  (EPOLLHUP | EPOLLERR));
	fd = scene_socketpair(scene, SOCK_STREAM, &user);
	KUNIT_EXPECT_EQ(scene->test, scene_send_request(scene, &peer, fd, &id),
			-ENODEV);
	sock_release(user);
	KUNIT_EXPECT_EQ(scene->test, scene_stop(scene), -ENODEV);
}

static void check_usable(struct scene *scene, u8 *bytes)
{
	struct scene_conn *sc, *next;
	struct talk talk;

	list_for_each_entry_safe(sc, next, &scene->conns, node)
		scene_drop(sc);
	KUNIT_EXPECT_EQ(scene->test, scene->vd->conns, 0);
	converse(&talk, scene, bytes, ARRAY_SIZE(steps));
}

static void life_sweep(struct kunit *test)
{
	u32 k, rarely = kunit_steps < 100000 ? 4 : 1;
	const struct calamity *param = test->param_value;
	struct scene *scene = test->priv;
	struct talk talk;
	u8 *bytes;

	bytes = kunit_kzalloc(test, MANY, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bytes);
	for (k = 0; k <= ARRAY_SIZE(steps); k++) {
		bool usable;

		converse(&talk, scene, bytes, k);
		usable = param->happen(scene);
		scene_settle(scene);
		check_program(&talk, 0);
		check_program(&talk, 1);
		if (!usable)
			check_gone(scene);
		else if (!(k % rarely))
			check_usable(scene, bytes);
		scene_unplug(scene);
		if (test->status == KUNIT_FAILURE)
			return;
		scene_plug(scene, 0, SCENE_QUEUE);
		KUNIT_ASSERT_EQ(test, scene_start(scene, 0, 0, 0), 0);
	}
}

struct shape {
	const char *name;
	u64 features;
	u32 queue_size;
	u32 types;
};

static const struct shape shapes[] = {
	{ "nothing_offered", 0, 64, BIT(STREAM) },
	{ "stream", BIT_ULL(VSOCKDEV_F_STREAM), 64, BIT(STREAM) },
	{ "seqpacket_implies_stream", BIT_ULL(VIRTIO_VSOCK_F_SEQPACKET), 64,
	  BIT(STREAM) | BIT(VSOCKDEV_TYPE_SEQPACKET) },
	{ "only_seqpacket", BIT_ULL(VIRTIO_VSOCK_F_SEQPACKET) |
	  BIT_ULL(VSOCKDEV_F_NO_IMPLIED_STREAM), 64,
	  BIT(VSOCKDEV_TYPE_SEQPACKET) },
	{ "nothing_at_all", BIT_ULL(VSOCKDEV_F_NO_IMPLIED_STREAM), 64, 0 },
	{ "event_index", BIT_ULL(VIRTIO_RING_F_EVENT_IDX), 64, BIT(STREAM) },
	{ "indirect", BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC), 64, BIT(STREAM) },
	{ "one_entry", 0, 1, BIT(STREAM) },
	{ "two_entries", 0, 2, BIT(STREAM) },
	{ "eight_entries", BIT_ULL(VIRTIO_RING_F_EVENT_IDX), 8, BIT(STREAM) },
	{ "1024_entries", 0, 1024, BIT(STREAM) },
};

KUNIT_ARRAY_PARAM_DESC(shape, shapes, name);

/* Each device that there can be is probed, used and removed */
static void life_shapes(struct kunit *test)
{
	const struct shape *param = test->param_value;
	struct scene_peer peer = { .local_port = 1, .type = STREAM };
	struct scene *scene = test->priv;
	struct vsockdev_hdr hdr;
	struct talk talk;
	u8 *bytes;

	bytes = kunit_kzalloc(test, MANY, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bytes);
	scene_unplug(scene);
	scene_plug(scene, param->features, param->queue_size);
	KUNIT_ASSERT_EQ(test, scene_start(scene, 0, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, scene->vd->types, param->types);
	if (param->types & BIT(STREAM)) {
		converse(&talk, scene, bytes, ARRAY_SIZE(steps));
		return;
	}
	scene_control(scene, &peer, VIRTIO_VSOCK_OP_REQUEST);
	scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
	scene_expect_quiet(scene);
}

/* Plugs a device in that lacks a queue, which no driver takes, and out again */
static void plug_without(struct scene *scene, u32 queue)
{
	struct kunit *test = scene->test;

	scene->fake.missing = queue;
	KUNIT_ASSERT_EQ(test, fake_device_add(&scene->fake, scene->root, 0,
					      SCENE_CID, 16), 0);
	KUNIT_EXPECT_NULL(test, scene->fake.vdev.dev.driver);
	KUNIT_EXPECT_TRUE(test, scene->fake.status & VIRTIO_CONFIG_S_FAILED);
	KUNIT_EXPECT_EQ(test, fake_device_remove(&scene->fake), 0);
	scene->fake.missing = VSOCKDEV_FAKE_QUEUES;
}

/* A queue cannot be had: there is no node, and nothing is left */
static void life_missing_queue(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 queue;

	for (queue = 0; queue < VSOCKDEV_FAKE_QUEUES; queue++) {
		scene_unplug(scene);
		plug_without(scene, queue);
		scene_plug(scene, 0, SCENE_QUEUE);
		KUNIT_ASSERT_EQ(test, scene_start(scene, 0, 0, 0), 0);
	}
}

/* Neither can it be had again after a suspend: then the device is gone */
static void life_restore_fails(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct scene_conn *sc;
	u32 queue;
	u8 byte;

	for (queue = 0; queue < VSOCKDEV_FAKE_QUEUES; queue++) {
		sc = scene_accept(scene, 1, STREAM);
		KUNIT_EXPECT_EQ(test, fake_device_freeze(&scene->fake), 0);
		scene->fake.missing = queue;
		KUNIT_EXPECT_EQ(test, fake_device_restore(&scene->fake),
				-ENOENT);
		scene->fake.missing = VSOCKDEV_FAKE_QUEUES;
		scene_settle(scene);
		KUNIT_EXPECT_EQ(test, scene_read(sc, &byte, 1), -ECONNRESET);
		check_gone(scene);
		scene_unplug(scene);
		scene_plug(scene, 0, SCENE_QUEUE);
		KUNIT_ASSERT_EQ(test, scene_start(scene, 0, 0, 0), 0);
	}
}

/* Interrupts before the driver is ready do nothing, and nothing is missed */
static void life_hasty_device(struct kunit *test)
{
	struct scene *scene = test->priv;
	u32 queue;

	scene->fake.hasty = true;
	scene->fake.late_cid = 77;
	scene_unplug(scene);
	for (queue = 0; queue < VSOCKDEV_FAKE_QUEUES; queue++) {
		plug_without(scene, queue);
		flush_workqueue(vsockdev_high_wq);
		flush_workqueue(vsockdev_wq);
	}
	scene_plug(scene, 0, SCENE_QUEUE);
	scene->fake.hasty = false;
	scene->cid = 77;
	KUNIT_EXPECT_EQ(test, scene->vd->cid, 77);
	KUNIT_ASSERT_EQ(test, scene_start(scene, 0, 0, 0), 0);
	scene_echo(scene_accept(scene, 1, STREAM));
}

static struct kunit_case life_tests[] = {
	KUNIT_CASE_PARAM(life_sweep, calamity_gen_params),
	KUNIT_CASE_PARAM(life_shapes, shape_gen_params),
	KUNIT_CASE(life_missing_queue),
	KUNIT_CASE(life_restore_fails),
	KUNIT_CASE(life_hasty_device),
	{}
};

static struct kunit_suite life_suite = {
	.name = "vsockdev_life",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = life_tests,
};

kunit_test_suite(life_suite);
