// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - a device that lies
 *
 * DOC: Whatever the host does, a connection that it does not concern goes on,
 * and the device can be used, and unplugged, afterwards.
 */
#include <linux/net.h>

#include "scene.h"

#define KNOWN_PORT	5000

#define SAME_CID	SCENE_CID
#define HOST		SCENE_HOST_CID
#define RW		VIRTIO_VSOCK_OP_RW
#define RST		VIRTIO_VSOCK_OP_RST
#define REQUEST		VIRTIO_VSOCK_OP_REQUEST
#define UPDATE		VIRTIO_VSOCK_OP_CREDIT_UPDATE
#define STREAM		VSOCKDEV_TYPE_STREAM

enum counted {
	NOTHING,
	MALFORMED,
	UNKNOWN,
	REFUSED,
};

/* A packet that there is a connection for only if its port is KNOWN_PORT */
struct bad_packet {
	const char *name;
	u64 src_cid;
	u64 dst_cid;
	u32 port;
	u16 type;
	u16 op;
	u32 len;	/* in the header */
	u32 bytes;	/* of payload that are there */
	u32 used;	/* that are claimed, with the header */
	enum counted counted;
	bool answered;	/* by RST */
};

static const struct bad_packet bad_packets[] = {
	{ "used_nothing", HOST, SAME_CID, 1, STREAM, RW, 0, 0, 0, MALFORMED },
	{ "used_1", HOST, SAME_CID, 1, STREAM, RW, 0, 0, 1, MALFORMED },
	{ "used_43", HOST, SAME_CID, KNOWN_PORT, STREAM, RST, 0, 0, 43,
	  MALFORMED },
	{ "used_more_than_buffer", HOST, SAME_CID, KNOWN_PORT, STREAM, RW, 100,
	  100, VSOCKDEV_RX_SIZE + 1, MALFORMED },
	{ "used_all_ones", HOST, SAME_CID, KNOWN_PORT, STREAM, RW, 100, 100,
	  U32_MAX, MALFORMED },
	{ "len_one_more", HOST, SAME_CID, KNOWN_PORT, STREAM, RW, 101, 100, 144,
	  MALFORMED },
	{ "len_beyond_buffer", HOST, SAME_CID, KNOWN_PORT, STREAM, RW,
	  VSOCKDEV_RX_SIZE, 100, 144, MALFORMED },
	{ "len_all_ones", HOST, SAME_CID, KNOWN_PORT, STREAM, RW, U32_MAX, 100,
	  144, MALFORMED },
	{ "len_of_control", HOST, SAME_CID, KNOWN_PORT, STREAM, RST, 1, 0, 44,
	  MALFORMED },
	{ "for_another_guest", HOST, 4, KNOWN_PORT, STREAM, RST, 0, 0, 44,
	  MALFORMED },
	{ "upper_half_of_dst", HOST, SAME_CID | BIT_ULL(32), KNOWN_PORT, STREAM,
	  RST, 0, 0, 44, MALFORMED },
	{ "upper_half_of_src", HOST | BIT_ULL(63), SAME_CID, KNOWN_PORT, STREAM,
	  RST, 0, 0, 44, MALFORMED },
	{ "rst_of_another_cid", 9, SAME_CID, KNOWN_PORT, STREAM, RST, 0, 0, 44,
	  UNKNOWN },
	{ "rst_of_another_port", HOST, SAME_CID, 1, STREAM, RST, 0, 0, 44,
	  UNKNOWN },
	{ "rw_of_another_port", HOST, SAME_CID, 1, STREAM, RW, 10, 10, 54,
	  UNKNOWN, true },
	{ "type_0", HOST, SAME_CID, 1, 0, RW, 10, 10, 54, UNKNOWN, true },
	{ "type_3", HOST, SAME_CID, 1, 3, UPDATE, 0, 0, 44, UNKNOWN, true },
	{ "type_65535", HOST, SAME_CID, 1, 65535, RW, 0, 0, 44, UNKNOWN, true },
	{ "request_of_type_0", HOST, SAME_CID, 1, 0, REQUEST, 0, 0, 44, REFUSED,
	  true },
	{ "request_of_type_33", HOST, SAME_CID, 1, 33, REQUEST, 0, 0, 44,
	  REFUSED, true },
	{ "request_of_type_65535", HOST, SAME_CID, 1, 65535, REQUEST, 0, 0, 44,
	  REFUSED, true },
	{ "op_0", HOST, SAME_CID, 1, STREAM, 0, 0, 0, 44, UNKNOWN },
	{ "op_8", HOST, SAME_CID, 1, STREAM, 8, 0, 0, 44, UNKNOWN, true },
	{ "op_65535", HOST, SAME_CID, 1, STREAM, 65535, 0, 0, 44, UNKNOWN,
	  true },
	{ "empty_rw", HOST, SAME_CID, KNOWN_PORT, STREAM, RW, 0, 0, 44,
	  NOTHING },
	{ "payload_of_control", HOST, SAME_CID, KNOWN_PORT, STREAM, UPDATE, 99,
	  99, 143, NOTHING },
	{ "more_used_than_len", HOST, SAME_CID, KNOWN_PORT, STREAM, UPDATE, 0,
	  99, 143, NOTHING },
};

KUNIT_ARRAY_PARAM_DESC(bad_packet, bad_packets, name);

static void get_counters(struct scene *scene, u64 *counters)
{
	const struct vsockdev_stats *stats = &scene->vd->stats;

	counters[NOTHING] = stats->rx_violations;
	counters[MALFORMED] = stats->rx_malformed;
	counters[UNKNOWN] = stats->rx_unknown;
	counters[REFUSED] = stats->refused;
}

static void device_bad_packet(struct kunit *test)
{
	const struct bad_packet *param = test->param_value;
	struct scene *scene = test->priv;
	u64 before[4], after[4];
	struct scene_conn *sc;
	struct vsockdev_hdr hdr;
	u8 bytes[100];
	u32 i;

	sc = scene_accept(scene, KNOWN_PORT, STREAM);
	get_counters(scene, before);
	memset(bytes, 'y', sizeof(bytes));
	scene_header(&sc->peer, param->op, param->len, &hdr);
	hdr.src_cid = param->src_cid;
	hdr.dst_cid = param->dst_cid;
	hdr.dst_port = param->port;
	hdr.type = param->type;
	KUNIT_ASSERT_EQ(test, scene_put(scene, &hdr, bytes, param->bytes,
					param->used), 0);
	get_counters(scene, after);
	if (param->counted)
		before[param->counted]++;
	for (i = 0; i < ARRAY_SIZE(before); i++)
		KUNIT_EXPECT_EQ(test, after[i], before[i]);
	if (param->answered) {
		scene_expect(scene, RST, &hdr);
		KUNIT_EXPECT_EQ(test, hdr.type, param->type);
		KUNIT_EXPECT_EQ(test, hdr.src_port, param->port);
	}
	scene_expect_quiet(scene);
	scene_echo(sc);
}

/* Nothing that is sent is taken; what comes is delivered all the same */
static void device_never_takes(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev *vd = scene->vd;
	u32 i, written = 0, blocked = 0;
	struct scene_conn *sc[8];
	u8 *bytes;
	int ret;

	bytes = kunit_kzalloc(test, 65536, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bytes);
	for (i = 0; i < ARRAY_SIZE(sc); i++)
		sc[i] = scene_accept(scene, i, STREAM);
	for (i = 0; blocked < ARRAY_SIZE(sc); i = (i + 1) % ARRAY_SIZE(sc)) {
		ret = scene_write(sc[i], bytes, 30000);
		if (ret > 0)
			written += ret;
		blocked = ret > 0 ? 0 : blocked + 1;
	}
	/* It is bounded by what there is of queue, frames and send buffers */
	KUNIT_EXPECT_LE(test, vd->ring.tx_bytes, 768 * 1024 + 65536);
	for (i = 0; i < ARRAY_SIZE(sc); i++)
		KUNIT_EXPECT_LE(test, sc[i]->conn->tx_ring_bytes,
				512 * 1024 + 65536);
	for (i = 0; i < ARRAY_SIZE(sc); i++)
		KUNIT_EXPECT_LE(test, sc[i]->conn->tx_frame_count, 2);
	KUNIT_EXPECT_LE(test, written, 8 * (3 * 65536 + 300000) + 600000);
	for (i = 0; i < ARRAY_SIZE(sc); i++) {
		scene_send(scene, &sc[i]->peer, RW, 0, "ping", 4);
		KUNIT_EXPECT_EQ(test, scene_read(sc[i], bytes, 100), 4);
	}
	for (i = 0; i < ARRAY_SIZE(sc); i += 2)
		scene_close(sc[i]);
}

struct bad_event {
	const char *name;
	u32 id;
	u32 used;
	bool resets;
};

static const struct bad_event bad_events[] = {
	{ "right", VIRTIO_VSOCK_EVENT_TRANSPORT_RESET, 4, true },
	{ "nothing", VIRTIO_VSOCK_EVENT_TRANSPORT_RESET, 0 },
	{ "three_bytes", VIRTIO_VSOCK_EVENT_TRANSPORT_RESET, 3 },
	{ "five_bytes", VIRTIO_VSOCK_EVENT_TRANSPORT_RESET, 5 },
	{ "all_ones", VIRTIO_VSOCK_EVENT_TRANSPORT_RESET, U32_MAX },
	{ "unknown_id", 1, 4 },
	{ "largest_id", U32_MAX, 4 },
};

KUNIT_ARRAY_PARAM_DESC(bad_event, bad_events, name);

static void device_bad_event(struct kunit *test)
{
	const struct bad_event *param = test->param_value;
	struct scene *scene = test->priv;
	struct vsockdev_event event;
	struct scene_conn *sc;
	int i;

	sc = scene_accept(scene, KNOWN_PORT, STREAM);
	/* More often than there are buffers */
	for (i = 0; i < 3 * VSOCKDEV_EVENT_BUFS; i++)
		scene_transport_event(scene, param->id, param->used);
	if (!param->resets) {
		scene_expect_quiet(scene);
		scene_echo(sc);
		return;
	}
	scene_expect_event(scene, VSOCKDEV_EVENT_TRANSPORT_RESET, &event);
	KUNIT_EXPECT_EQ(test, event.transport_reset.generation,
			3 * VSOCKDEV_EVENT_BUFS);
	KUNIT_EXPECT_EQ(test, scene_reset_done(scene), 0);
	scene_expect_quiet(scene);
	scene_echo(scene_accept(scene, KNOWN_PORT, STREAM));
}

/* The newest reset is the one that counts, and only once */
static void device_reset_done(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_event event;

	KUNIT_EXPECT_EQ(test, scene_reset_done(scene), -EALREADY);
	scene_transport_event(scene, 0, 4);
	scene->vd->generation++;
	KUNIT_EXPECT_EQ(test, scene_reset_done(scene), 0);
	KUNIT_EXPECT_EQ(test, scene_reset_done(scene), -EALREADY);
	scene_expect_quiet(scene);
	scene_transport_event(scene, 0, 4);
	scene_transport_event(scene, 0, 4);
	scene_expect_event(scene, VSOCKDEV_EVENT_TRANSPORT_RESET, &event);
	KUNIT_EXPECT_EQ(test, event.transport_reset.generation,
			scene->vd->generation);
	scene_expect_quiet(scene);
}

/* A host that asks while the reset was not acknowledged has to wait */
static void device_requests_wait_for_ack(struct kunit *test)
{
	struct scene_peer peer = {
		.local_port = 7,
		.remote_port = 8,
		.type = STREAM,
		.buf_alloc = 65536,
	};
	struct scene *scene = test->priv;
	struct vsockdev_event event;
	struct socket *user;
	u64 id;
	int fd;

	scene_transport_event(scene, 0, 4);
	scene_control(scene, &peer, REQUEST);
	scene_expect_event(scene, VSOCKDEV_EVENT_TRANSPORT_RESET, &event);
	scene_expect_quiet(scene);
	fd = scene_socketpair(scene, SOCK_STREAM, &user);
	peer.local_port = 9;
	KUNIT_EXPECT_EQ(test, scene_send_request(scene, &peer, fd, &id),
			-ECONNRESET);
	sock_release(user);
	KUNIT_EXPECT_EQ(test, scene_reset_done(scene), 0);
	scene_expect_event(scene, VSOCKDEV_EVENT_REQUEST, &event);
	KUNIT_EXPECT_EQ(test, event.addr.local_port, 7);
	scene_expect_quiet(scene);
}

static void device_cid_changes(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct vsockdev_event event;

	/* No news is no reset */
	fake_device_config(&scene->fake, SCENE_CID, 1);
	scene_settle(scene);
	scene_expect_quiet(scene);
	fake_device_config(&scene->fake, 99, 1);
	scene_settle(scene);
	scene->cid = 99;
	scene_expect_event(scene, VSOCKDEV_EVENT_TRANSPORT_RESET, &event);
	KUNIT_EXPECT_EQ(test, event.transport_reset.new_cid, 99);
	KUNIT_EXPECT_EQ(test, scene_reset_done(scene), 0);
	scene_echo(scene_accept(scene, KNOWN_PORT, STREAM));
}

/* An id that is none: the queue is broken then, and the device can only go */
static void device_lies_about_ids(struct kunit *test)
{
	static const u32 ids[] = { SCENE_QUEUE, 0xffff, U32_MAX };
	struct scene *scene = test->priv;
	struct scene_conn *sc;
	u32 queue, i;

	for (queue = 0; queue < VSOCKDEV_FAKE_QUEUES; queue++) {
		for (i = 0; i < ARRAY_SIZE(ids); i++) {
			sc = scene_accept(scene, KNOWN_PORT, STREAM);
			fake_device_return(&scene->fake, queue, ids[i], 44,
					   VSOCKDEV_FAKE_LIE |
					   VSOCKDEV_FAKE_INTERRUPT_ALWAYS);
			scene_settle(scene);
			scene_write(sc, "lost", 4);
			scene_unplug(scene);
			scene_plug(scene, 0, SCENE_QUEUE);
			KUNIT_ASSERT_EQ(test, scene_start(scene, 0, 0, 0), 0);
		}
	}
	scene_echo(scene_accept(scene, KNOWN_PORT, STREAM));
}

static void device_interrupts_for_nothing(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct scene_conn *sc;
	u32 queue, i;

	sc = scene_accept(scene, KNOWN_PORT, STREAM);
	for (i = 0; i < 100; i++)
		for (queue = 0; queue < VSOCKDEV_FAKE_QUEUES; queue++)
			fake_device_interrupt(&scene->fake, queue);
	scene_settle(scene);
	scene_expect_quiet(scene);
	scene_echo(sc);
}

static struct kunit_case device_tests[] = {
	KUNIT_CASE_PARAM(device_bad_packet, bad_packet_gen_params),
	KUNIT_CASE(device_never_takes),
	KUNIT_CASE_PARAM(device_bad_event, bad_event_gen_params),
	KUNIT_CASE(device_reset_done),
	KUNIT_CASE(device_requests_wait_for_ack),
	KUNIT_CASE(device_cid_changes),
	KUNIT_CASE(device_lies_about_ids),
	KUNIT_CASE(device_interrupts_for_nothing),
	{}
};

static struct kunit_suite device_suite = {
	.name = "vsockdev_device",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = device_tests,
};

kunit_test_suite(device_suite);
