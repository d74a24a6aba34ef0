// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - bytes between a program and the host
 *
 * DOC: Both write at random, in both directions at once, while windows fill
 * up, open, and shrink. What goes in must come out, in order, and nothing else;
 * and it must go on as long as there is credit.
 */
#include <linux/net.h>
#include <linux/vmalloc.h>
#include <net/sock.h>

#include "claim.h"
#include "deliver.h"
#include "scene.h"

#define WINDOW		262144	/* ours, the default */
#define WRITE_MAX	40000

/**
 * struct flow - what went over a connection so far
 * @sc: the connection
 * @state: of random numbers
 * @buf: for anybody
 * @written: bytes that the program wrote
 * @taken: of those, what the host has
 * @window: the host's, as it was told
 * @sent: bytes that the host sent
 * @read: of those, what the program has
 * @known: of those, what the host knows to have been forwarded
 * @asked: a CREDIT_REQUEST was not answered
 * @asks: how many there were
 * @shut: directions that the driver has shut
 */
struct flow {
	struct scene_conn *sc;
	u64 state;
	u8 *buf;
	u32 written;
	u32 taken;
	u32 window;
	u32 sent;
	u32 read;
	u32 known;
	bool asked;
	u32 asks;
	u32 shut;
};

static u8 pattern(u32 at)
{
	return at ^ at >> 8 ^ (at >> 16) * 7;
}

static void fill(struct flow *flow, u32 at, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		flow->buf[i] = pattern(at + i);
}

static void check(struct flow *flow, const u8 *bytes, u32 at, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		if (bytes[i] != pattern(at + i))
			KUNIT_FAIL_AND_ABORT(flow->sc->scene->test,
					     "byte %u is wrong", at + i);
}

/* Returns false if the socket is full */
static bool user_writes(struct flow *flow, u32 len)
{
	int ret;

	fill(flow, flow->written, len);
	ret = scene_write(flow->sc, flow->buf, len);
	if (ret == -EAGAIN)
		return false;
	KUNIT_ASSERT_GT(flow->sc->scene->test, ret, 0);
	flow->written += ret;
	return true;
}

/* Returns false if there was nothing */
static bool user_reads(struct flow *flow, u32 len)
{
	struct kunit *test = flow->sc->scene->test;
	int ret = scene_read(flow->sc, flow->buf, len);

	if (ret == -EAGAIN)
		return false;
	KUNIT_ASSERT_GT(test, ret, 0);
	KUNIT_ASSERT_LE(test, (u32)ret, flow->sent - flow->read);
	check(flow, flow->buf, flow->read, ret);
	flow->read += ret;
	return true;
}

static void host_takes_data(struct flow *flow, const struct vsockdev_hdr *hdr)
{
	struct scene *scene = flow->sc->scene;
	u32 unread = flow->taken - flow->sc->peer.fwd_cnt;

	KUNIT_ASSERT_GT(scene->test, hdr->len, 0);
	KUNIT_ASSERT_LE(scene->test, unread + hdr->len, WINDOW);
	KUNIT_ASSERT_LE(scene->test, flow->taken + hdr->len, flow->written);
	check(flow, scene->frame + VSOCKDEV_HDR_LEN, flow->taken, hdr->len);
	flow->taken += hdr->len;
}

/* Returns false if there was no packet */
static bool host_takes(struct flow *flow)
{
	struct scene *scene = flow->sc->scene;
	struct vsockdev_hdr hdr;

	if (!scene_take(scene, &hdr))
		return false;
	KUNIT_ASSERT_EQ(scene->test, hdr.buf_alloc, WINDOW);
	/* fwd_cnt never goes back, and never ahead of what the program has */
	KUNIT_ASSERT_LE(scene->test, hdr.fwd_cnt - flow->known,
			flow->sent - flow->known);
	flow->known = hdr.fwd_cnt;
	switch (hdr.op) {
	case VIRTIO_VSOCK_OP_RW:
		host_takes_data(flow, &hdr);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		flow->asked = true;
		flow->asks++;
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		flow->shut = hdr.flags;
		break;
	default:
		KUNIT_ASSERT_EQ(scene->test, hdr.op,
				VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	}
	return true;
}

static void host_tells(struct flow *flow, u32 window, u32 forwarded)
{
	flow->sc->peer.buf_alloc = window;
	flow->sc->peer.fwd_cnt += forwarded;
	flow->asked = false;
	scene_control(flow->sc->scene, &flow->sc->peer,
		      VIRTIO_VSOCK_OP_CREDIT_UPDATE);
}

static void host_changes_window(struct flow *flow)
{
	static const u32 windows[] = { 0, 1, 100, 4096, 65536, WINDOW };
	u32 unread = flow->taken - flow->sc->peer.fwd_cnt;
	u32 which = random_below(&flow->state, ARRAY_SIZE(windows));

	host_tells(flow, windows[which],
		   random_below(&flow->state, unread + 1));
}

static void host_sends(struct flow *flow, u32 len)
{
	u32 room = WINDOW - (flow->sent - flow->known);

	len = min3(len, room, VSOCKDEV_RX_SIZE - (u32)VSOCKDEV_HDR_LEN);
	fill(flow, flow->sent, len);
	scene_send(flow->sc->scene, &flow->sc->peer, VIRTIO_VSOCK_OP_RW, 0,
		   flow->buf, len);
	flow->sent += len;
}

/* The driver's end takes only so much at a time, and less than it is given */
static void small_socket(struct flow *flow, int size)
{
	WRITE_ONCE(flow->sc->conn->sock->sock->sk->sk_sndbuf, size);
}

static struct flow *flow_init(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct flow *flow;

	flow = kunit_kzalloc(test, sizeof(*flow), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, flow);
	flow->buf = kunit_kzalloc(test, 65536, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, flow->buf);
	flow->state = kunit_random(test);
	flow->sc = scene_accept(scene, 1, VSOCKDEV_TYPE_STREAM);
	return flow;
}

/* Sizes of all magnitudes */
static u32 some(struct flow *flow, u32 max)
{
	return 1 + random_below(&flow->state,
				1 + (max >> random_below(&flow->state, 12)));
}

static void flow_step(struct flow *flow)
{
	switch (random_below(&flow->state, 8)) {
	case 0:
	case 1:
		user_writes(flow, some(flow, WRITE_MAX));
		break;
	case 2:
		user_reads(flow, some(flow, 65535));
		break;
	case 3:
	case 4:
		host_takes(flow);
		break;
	case 5:
		host_sends(flow, some(flow, WRITE_MAX));
		break;
	case 6:
		host_changes_window(flow);
		break;
	default:
		if (flow->asked)
			host_changes_window(flow);
	}
}

/* With credit at hand all must come, and without waiting for time to pass */
static void flow_drain(struct flow *flow)
{
	struct kunit *test = flow->sc->scene->test;

	while (flow->taken != flow->written) {
		u32 taken = flow->taken;

		while (host_takes(flow))
			;
		host_tells(flow, WINDOW, flow->taken - flow->sc->peer.fwd_cnt);
		if (!host_takes(flow) && flow->taken == taken)
			KUNIT_FAIL_AND_ABORT(test, "it stalls at %u of %u",
					     flow->taken, flow->written);
	}
	while (flow->read != flow->sent)
		if (!user_reads(flow, 65536))
			KUNIT_FAIL_AND_ABORT(test, "it stalls at %u of %u",
					     flow->read, flow->sent);
	while (host_takes(flow))
		;
}

/* Each shuts its direction; nothing is lost, and the end is a clean one */
static void flow_end(struct flow *flow)
{
	struct scene *scene = flow->sc->scene;
	struct vsockdev_event event;

	kernel_sock_shutdown(flow->sc->user, SHUT_WR);
	scene_settle(scene);
	flow_drain(flow);
	KUNIT_EXPECT_EQ(scene->test, flow->shut, VIRTIO_VSOCK_SHUTDOWN_SEND);
	KUNIT_EXPECT_EQ(scene->test, scene_read(flow->sc, flow->buf, 1),
			-EAGAIN);
	scene_send(scene, &flow->sc->peer, VIRTIO_VSOCK_OP_SHUTDOWN,
		   VIRTIO_VSOCK_SHUTDOWN_SEND, NULL, 0);
	KUNIT_EXPECT_EQ(scene->test, scene_read(flow->sc, flow->buf, 1), 0);
	while (host_takes(flow))
		;
	KUNIT_EXPECT_EQ(scene->test, flow->shut, VIRTIO_VSOCK_SHUTDOWN_RCV |
			VIRTIO_VSOCK_SHUTDOWN_SEND);
	scene_control(scene, &flow->sc->peer, VIRTIO_VSOCK_OP_RST);
	scene_expect_event(scene, VSOCKDEV_EVENT_SHUTDOWN, &event);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	KUNIT_EXPECT_EQ(scene->test, event.rst.reason, VSOCKDEV_RST_SHUTDOWN);
	KUNIT_EXPECT_EQ(scene->test, event.rst.bytes_sent, flow->written);
	KUNIT_EXPECT_EQ(scene->test, event.rst.bytes_received, flow->sent);
	scene_expect_quiet(scene);
}

struct socket_size {
	const char *name;
	int size;
};

static const struct socket_size socket_sizes[] = {
	{ "default", 0 },
	{ "small", 20000 },
	{ "smallest", 4608 },
};

KUNIT_ARRAY_PARAM_DESC(socket_size, socket_sizes, name);

static void pump_random(struct kunit *test)
{
	u32 i, steps = clamp(kunit_steps / 100, 500U, 20000U);
	const struct socket_size *param = test->param_value;
	struct flow *flow = flow_init(test);

	if (param->size)
		small_socket(flow, param->size);
	for (i = 0; i < steps; i++)
		flow_step(flow);
	flow_end(flow);
	kunit_info(test, "%u bytes sent, %u received, asked %u times\n",
		   flow->taken, flow->read, flow->asks);
	KUNIT_EXPECT_GT(test, flow->taken, steps * 100);
	KUNIT_EXPECT_GT(test, flow->read, steps * 100);
	KUNIT_EXPECT_GT(test, flow->asks, 0);
}

/* Written, and closed at once, with no credit: it goes out all the same */
static void pump_close_flushes(struct kunit *test)
{
	struct flow *flow = flow_init(test);
	struct scene *scene = test->priv;
	struct vsockdev_event event;

	host_tells(flow, 0, 0);
	while (user_writes(flow, 10000))
		;
	scene_close(flow->sc);
	while (host_takes(flow))
		;
	KUNIT_EXPECT_EQ(test, flow->taken, 0);
	KUNIT_EXPECT_EQ(test, flow->shut, 0);
	KUNIT_EXPECT_TRUE(test, flow->asked);
	flow_drain(flow);
	KUNIT_EXPECT_EQ(test, flow->shut, VIRTIO_VSOCK_SHUTDOWN_RCV |
			VIRTIO_VSOCK_SHUTDOWN_SEND);
	scene_control(scene, &flow->sc->peer, VIRTIO_VSOCK_OP_RST);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	KUNIT_EXPECT_EQ(test, event.rst.reason, VSOCKDEV_RST_LOCAL_CLOSE);
	KUNIT_EXPECT_EQ(test, event.rst.bytes_sent, flow->written);
	scene_expect_quiet(scene);
}

/* More than the socket takes, and the program closes: that cuts it off */
static void pump_close_with_unread(struct kunit *test)
{
	struct flow *flow = flow_init(test);
	struct scene *scene = test->priv;
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;

	while (list_empty(&flow->sc->conn->rx_chunks))
		host_sends(flow, 30000);
	while (host_takes(flow))
		;
	scene_close(flow->sc);
	scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	KUNIT_EXPECT_EQ(test, event.rst.reason, VSOCKDEV_RST_LOCAL_CLOSE);
	KUNIT_EXPECT_TRUE(test, list_empty(&flow->sc->conn->rx_chunks));
	scene_expect_quiet(scene);
}

/* The same when its socket is empty, and only we have more for it */
static void pump_close_with_undelivered(struct kunit *test)
{
	struct flow *flow = flow_init(test);
	struct scene *scene = test->priv;
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;
	int place;

	while (list_empty(&flow->sc->conn->rx_chunks))
		host_sends(flow, 30000);
	while (host_takes(flow))
		;
	place = scene_stop_pump(flow->sc);
	while (user_reads(flow, 65536))
		;
	scene_close(flow->sc);
	scene_go_on(flow->sc, place);
	scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	KUNIT_EXPECT_EQ(test, event.rst.reason, VSOCKDEV_RST_LOCAL_CLOSE);
	scene_expect_quiet(scene);
}

/* Reset by the host: all that came before is read, and then an error */
static void pump_reset_is_no_end(struct kunit *test)
{
	struct flow *flow = flow_init(test);
	struct scene *scene = test->priv;
	struct vsockdev_event event;

	while (list_empty(&flow->sc->conn->rx_chunks))
		host_sends(flow, 30000);
	while (host_takes(flow))
		;
	scene_control(scene, &flow->sc->peer, VIRTIO_VSOCK_OP_RST);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	while (flow->read != flow->sent)
		KUNIT_ASSERT_TRUE(test, user_reads(flow, 10000));
	KUNIT_EXPECT_EQ(test, scene_read(flow->sc, flow->buf, 1), -ECONNRESET);
	KUNIT_EXPECT_EQ(test, scene_write(flow->sc, flow->buf, 1), -EPIPE);
	scene_expect_quiet(scene);
}

/* A program that does not read holds nobody up, and the host can not go on */
static void pump_full_socket(struct kunit *test)
{
	struct flow *flow = flow_init(test);
	struct vsockdev_credit *credit = &flow->sc->conn->credit;
	struct scene *scene = test->priv;
	struct vsockdev_event event;
	struct scene_conn *other;
	struct vsockdev_hdr hdr;
	u8 byte = 'x';

	other = scene_accept(scene, 2, VSOCKDEV_TYPE_STREAM);
	while (flow->sent - flow->known < WINDOW) {
		host_sends(flow, 20000);
		while (host_takes(flow))
			;
	}
	scene_send(scene, &other->peer, VIRTIO_VSOCK_OP_RW, 0, &byte, 1);
	KUNIT_EXPECT_EQ(test, scene_read(other, &byte, 1), 1);
	KUNIT_EXPECT_FALSE(test, host_takes(flow));
	while (user_reads(flow, 10000))
		;
	KUNIT_EXPECT_EQ(test, flow->read, flow->sent);
	KUNIT_EXPECT_TRUE(test, host_takes(flow));

	/* Beyond the window is a violation; what the driver holds counts */
	while (credit->rx_cnt - credit->fwd_cnt < WINDOW) {
		flow->known = credit->fwd_cnt;
		host_sends(flow, 20000);
		while (host_takes(flow))
			;
	}
	scene_send(scene, &flow->sc->peer, VIRTIO_VSOCK_OP_RW, 0, &byte, 1);
	scene_expect(scene, VIRTIO_VSOCK_OP_RST, &hdr);
	scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	KUNIT_EXPECT_EQ(test, event.rst.reason, VSOCKDEV_RST_PROTOCOL);
	KUNIT_EXPECT_EQ(test, scene->vd->stats.rx_violations, 1);
	scene_expect_quiet(scene);
}

/* The owner shuts: what is not sent is dropped, and nothing follows */
static void pump_stops_at_shutdown(struct kunit *test)
{
	struct flow *flow = flow_init(test);
	struct scene *scene = test->priv;

	host_tells(flow, 1000, 0);
	user_writes(flow, 30000);
	while (host_takes(flow))
		;
	KUNIT_EXPECT_EQ(test, flow->taken, 1000);
	KUNIT_EXPECT_EQ(test, scene_send_shutdown(flow->sc,
						  VSOCKDEV_SHUTDOWN_SEND), 0);
	host_tells(flow, WINDOW, 1000);
	while (host_takes(flow))
		;
	KUNIT_EXPECT_EQ(test, flow->taken, 1000);
	KUNIT_EXPECT_EQ(test, flow->shut, VIRTIO_VSOCK_SHUTDOWN_SEND);
	KUNIT_EXPECT_EQ(test, scene_write(flow->sc, flow->buf, 1), -EPIPE);
	host_sends(flow, 5000);
	KUNIT_EXPECT_TRUE(test, user_reads(flow, 5000));
	KUNIT_EXPECT_EQ(test, flow->read, 5000);
	scene_expect_quiet(scene);
}

/*
 * To a host that has not read the others, only so many small packets go, and
 * one more each time that credit is asked for. None waits for ever.
 */
static void pump_tiny_writes(struct kunit *test)
{
	u32 i, packets = 0, writes = clamp(kunit_steps / 500, 100U, 2000U);
	struct flow *flow = flow_init(test);

	host_tells(flow, 65536, 0);
	for (i = 0; i < writes; i++) {
		u32 taken = flow->taken;

		if (!user_writes(flow, 1 + i % 3))
			break;
		host_takes(flow);
		packets += flow->taken != taken;
	}
	KUNIT_EXPECT_GE(test, packets, 64);
	KUNIT_EXPECT_LE(test, packets,
			64 + flow->sc->scene->vd->stats.credit_requests);
	flow_end(flow);
}

struct narrow_window {
	const char *name;
	u32 window;
	bool lent;	/* what goes out refers to what was written */
};

static const struct narrow_window narrow_windows[] = {
	{ "a_byte", 1, false },
	{ "two_kib", 2047, false },
	{ "a_page", 8192, false },
	{ "a_third", 32768, true },
};

KUNIT_ARRAY_PARAM_DESC(narrow_window, narrow_windows, name);

/* A device that keeps a small packet does not keep much more by it */
static void pump_keeps_little(struct kunit *test)
{
	const struct narrow_window *param = test->param_value;
	struct scene *scene = test->priv;
	struct fake_chain chain;
	struct flow *flow;
	u32 id, cost;

	scene_unplug(scene);
	scene_plug(scene, BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC), SCENE_QUEUE);
	KUNIT_ASSERT_EQ(test, scene_start(scene, 0, 0, 0), 0);
	flow = flow_init(test);
	host_tells(flow, param->window, 0);
	user_writes(flow, 30000);
	KUNIT_ASSERT_EQ(test, fake_device_take(&scene->fake, VSOCKDEV_VQ_TX,
					       scene->frame, SCENE_FRAME_MAX,
					       VSOCKDEV_FAKE_HOLD, &id, &chain),
			0);
	KUNIT_EXPECT_LE(test, chain.readable,
			VSOCKDEV_HDR_LEN + param->window);
	KUNIT_EXPECT_EQ(test, chain.count > 1, param->lent);
	spin_lock(&scene->vd->lock);
	cost = scene->vd->ring.tx_bytes;
	spin_unlock(&scene->vd->lock);
	KUNIT_EXPECT_GE(test, cost, param->lent ? 15000 : 1);
}

/* A message that lost its front in a reset must not look like a whole one */
static void pump_drops_the_rest_of_a_message(struct kunit *test)
{
	struct scene *scene = test->priv;
	struct scene_conn *sc = scene_accept(scene, 1, VSOCKDEV_TYPE_SEQPACKET);
	struct vsockdev_event event;
	u8 *rest;

	rest = kunit_kzalloc(test, 8192, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rest);
	scene_send(scene, &sc->peer, VIRTIO_VSOCK_OP_RW, VIRTIO_VSOCK_SEQ_EOM,
		   "whole", 5);
	scene_send(scene, &sc->peer, VIRTIO_VSOCK_OP_RW, 0, "front", 5);
	scene_transport_event(scene, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET, 4);
	scene_expect_event(scene, VSOCKDEV_EVENT_TRANSPORT_RESET, &event);
	/* The RX work had it in its hands, and waited for memory */
	spin_lock(&scene->vd->lock);
	vsockdev_deliver_receive(sc->conn, rest, 8192, true);
	vsockdev_sched_unlock(scene->vd);
	scene_settle(scene);
	KUNIT_EXPECT_EQ(test, scene_read(sc, rest, 8192), 5);
	KUNIT_EXPECT_MEMEQ(test, rest, "whole", 5);
	KUNIT_EXPECT_LE(test, scene_read(sc, rest, 8192), 0);
}

static struct kunit_case pump_tests[] = {
	KUNIT_CASE_PARAM(pump_random, socket_size_gen_params),
	KUNIT_CASE(pump_close_flushes),
	KUNIT_CASE(pump_close_with_unread),
	KUNIT_CASE(pump_close_with_undelivered),
	KUNIT_CASE(pump_reset_is_no_end),
	KUNIT_CASE(pump_full_socket),
	KUNIT_CASE(pump_stops_at_shutdown),
	KUNIT_CASE(pump_tiny_writes),
	KUNIT_CASE_PARAM(pump_keeps_little, narrow_window_gen_params),
	KUNIT_CASE(pump_drops_the_rest_of_a_message),
	{}
};

static struct kunit_suite pump_suite = {
	.name = "vsockdev_pump",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = pump_tests,
};

kunit_test_suite(pump_suite);
