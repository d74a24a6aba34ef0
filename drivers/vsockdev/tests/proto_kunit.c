// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - what each packet does in each state
 *
 * DOC: The rows are those of Documentation/architecture.rst, with a few states
 * more. Each cell has a connection of its own.
 */
#include <linux/net.h>

#include "scene.h"

#define RCV	VIRTIO_VSOCK_SHUTDOWN_RCV
#define SND	VIRTIO_VSOCK_SHUTDOWN_SEND

/* What the host sends: the columns */
static const struct packet {
	const char *name;
	u16 op;
	u32 flags;
	u32 len;
	s16 type;	/* added to that of the connection */
} packets[] = {
	{ "INVALID", 0 },
	{ "REQUEST", VIRTIO_VSOCK_OP_REQUEST },
	{ "RESPONSE", VIRTIO_VSOCK_OP_RESPONSE },
	{ "RST", VIRTIO_VSOCK_OP_RST },
	{ "SHUTDOWN(receive)", VIRTIO_VSOCK_OP_SHUTDOWN, RCV },
	{ "SHUTDOWN(send)", VIRTIO_VSOCK_OP_SHUTDOWN, SND },
	{ "SHUTDOWN(both)", VIRTIO_VSOCK_OP_SHUTDOWN, RCV | SND },
	{ "RW", VIRTIO_VSOCK_OP_RW, 0, 1 },
	{ "CREDIT_UPDATE", VIRTIO_VSOCK_OP_CREDIT_UPDATE },
	{ "CREDIT_REQUEST", VIRTIO_VSOCK_OP_CREDIT_REQUEST },
	{ "op 8", 8 },
	{ "op 65535", 65535 },
	{ "RW of another type", VIRTIO_VSOCK_OP_RW, 0, 1, 1 },
	{ "RST of another type", VIRTIO_VSOCK_OP_RST, 0, 0, 1 },
};

#define PACKETS ARRAY_SIZE(packets)

/* What comes of it. Where there is an RST event, the connection is over */
static const struct outcome {
	s32 sent;	/* op, -1 for no packet */
	u32 flags;	/* of the packet */
	u32 event;	/* 0 for none */
	u32 reason;	/* of an RST event, which may follow another */
	u32 bytes;	/* that the program gets */
	bool vanishes;	/* the connection is over without an event */
} outcomes[] = {
	['-'] = { -1 },
	['Q'] = { -1, .event = VSOCKDEV_EVENT_REQUEST },
	['O'] = { -1, .event = VSOCKDEV_EVENT_RESPONSE },
	['b'] = { VIRTIO_VSOCK_OP_RST },
	['X'] = { VIRTIO_VSOCK_OP_RST, .reason = VSOCKDEV_RST_PROTOCOL },
	['p'] = { -1, .reason = VSOCKDEV_RST_PEER_RESET },
	['P'] = { VIRTIO_VSOCK_OP_RST, .reason = VSOCKDEV_RST_PEER_RESET },
	['r'] = { -1, .reason = VSOCKDEV_RST_REFUSED },
	['v'] = { -1, .vanishes = true },
	['V'] = { VIRTIO_VSOCK_OP_RST, .vanishes = true },
	['s'] = { -1, .event = VSOCKDEV_EVENT_SHUTDOWN },
	['E'] = { VIRTIO_VSOCK_OP_RST, .event = VSOCKDEV_EVENT_SHUTDOWN,
		  .reason = VSOCKDEV_RST_SHUTDOWN },
	['L'] = { VIRTIO_VSOCK_OP_RST, .event = VSOCKDEV_EVENT_SHUTDOWN,
		  .reason = VSOCKDEV_RST_LOCAL_CLOSE },
	['B'] = { VIRTIO_VSOCK_OP_SHUTDOWN, .flags = RCV | SND,
		  .event = VSOCKDEV_EVENT_SHUTDOWN },
	['e'] = { -1, .reason = VSOCKDEV_RST_SHUTDOWN },
	['l'] = { -1, .reason = VSOCKDEV_RST_LOCAL_CLOSE },
	['d'] = { -1, .bytes = 1 },
	['c'] = { VIRTIO_VSOCK_OP_CREDIT_UPDATE },
};

/**
 * struct cell - a connection in some state
 * @scene: where
 * @peer: the host's side
 * @sc: with a program, or NULL
 */
struct cell {
	struct scene *scene;
	struct scene_peer peer;
	struct scene_conn *sc;
};

static void host_shutdown(struct cell *cell, u32 flags)
{
	struct vsockdev_event event;

	scene_send(cell->scene, &cell->peer, VIRTIO_VSOCK_OP_SHUTDOWN, flags,
		   NULL, 0);
	scene_expect_event(cell->scene, VSOCKDEV_EVENT_SHUTDOWN, &event);
}

/* The driver tells the host what the program, or the owner, has done */
static void told_shutdown(struct cell *cell, u32 flags)
{
	struct vsockdev_hdr hdr;

	scene_settle(cell->scene);
	scene_expect(cell->scene, VIRTIO_VSOCK_OP_SHUTDOWN, &hdr);
	KUNIT_EXPECT_EQ(cell->scene->test, hdr.flags, flags);
}

static void enter_none(struct cell *cell)
{
}

static void enter_unread(struct cell *cell)
{
	scene_control(cell->scene, &cell->peer, VIRTIO_VSOCK_OP_REQUEST);
}

static void enter_pending(struct cell *cell)
{
	struct vsockdev_event event;

	enter_unread(cell);
	scene_expect_event(cell->scene, VSOCKDEV_EVENT_REQUEST, &event);
}

static void enter_connecting(struct cell *cell)
{
	cell->sc = scene_connect(cell->scene, cell->peer.local_port,
				 cell->peer.type);
}

static void enter_established(struct cell *cell)
{
	cell->sc = scene_accept(cell->scene, cell->peer.local_port,
				cell->peer.type);
}

static void enter_host_send(struct cell *cell)
{
	enter_established(cell);
	host_shutdown(cell, SND);
}

static void enter_host_receive(struct cell *cell)
{
	enter_established(cell);
	host_shutdown(cell, RCV);
}

/* More than the socket takes: the program has not got everything */
static void enter_host_both(struct cell *cell)
{
	u8 *bytes = kunit_kzalloc(cell->scene->test, 20000, GFP_KERNEL);
	struct vsockdev_hdr hdr;
	int i;

	enter_established(cell);
	for (i = 0; i < 13; i++)
		scene_send(cell->scene, &cell->peer, VIRTIO_VSOCK_OP_RW, 0,
			   bytes, 20000);
	KUNIT_ASSERT_FALSE(cell->scene->test,
			   list_empty(&cell->sc->conn->rx_chunks));
	scene_expect(cell->scene, VIRTIO_VSOCK_OP_CREDIT_UPDATE, &hdr);
	host_shutdown(cell, RCV | SND);
}

static void enter_user_send(struct cell *cell)
{
	enter_established(cell);
	kernel_sock_shutdown(cell->sc->user, SHUT_WR);
	told_shutdown(cell, SND);
}

static void enter_user_receive(struct cell *cell)
{
	enter_established(cell);
	kernel_sock_shutdown(cell->sc->user, SHUT_RD);
	told_shutdown(cell, RCV);
}

static void enter_user_closed(struct cell *cell)
{
	enter_established(cell);
	scene_close(cell->sc);
	told_shutdown(cell, RCV | SND);
}

static void enter_owner_both(struct cell *cell)
{
	enter_established(cell);
	KUNIT_EXPECT_EQ(cell->scene->test,
			scene_send_shutdown(cell->sc, 0), 0);
	told_shutdown(cell, RCV | SND);
}

static void enter_each_send(struct cell *cell)
{
	enter_user_send(cell);
	host_shutdown(cell, SND);
	told_shutdown(cell, RCV | SND);
}

/* Its RST event is unread, and the address is free for the host all the same */
static void enter_dead(struct cell *cell)
{
	enter_established(cell);
	scene_control(cell->scene, &cell->peer, VIRTIO_VSOCK_OP_RST);
}

static void enter_dead_read(struct cell *cell)
{
	struct vsockdev_event event;

	enter_dead(cell);
	scene_expect_event(cell->scene, VSOCKDEV_EVENT_RST, &event);
}

struct proto_state {
	const char *name;
	void (*enter)(struct cell *cell);
	bool exists;		/* there is a connection */
	bool unread;		/* and an RST event */
	const char *outcomes;	/* one for each of packets[] */
};

static const struct proto_state states[] = {
	{ "none", enter_none, false, false,		"-Qb-bbbbbbbbb-" },
	{ "pending_unread", enter_unread, true, false,	"-VVvVVVV--VVV-" },
	{ "pending", enter_pending, true, false,	"-XXpPPPX--XXX-" },
	{ "connecting", enter_connecting, true, false,	"-XOrXXXX--XXX-" },
	{ "established", enter_established, true, false, "-XXpssEd-cXXX-" },
	{ "host_send", enter_host_send, true, false,	"-XXpE-EX-cXXX-" },
	{ "host_receive", enter_host_receive, true, false, "-XXp-EEd-cXXX-" },
	{ "host_both", enter_host_both, true, false,	"-XXe---X-cXXX-" },
	{ "user_send", enter_user_send, true, false,	"-XXpsBEd-cXXX-" },
	{ "user_receive", enter_user_receive, true, false, "-XXpBsE--cXXX-" },
	{ "user_closed", enter_user_closed, true, false, "-XXlssL--cXXX-" },
	{ "owner_both", enter_owner_both, true, false,	"-XXessEd-cXXX-" },
	{ "each_send", enter_each_send, true, false,	"-XXeE-EX-cXXX-" },
	{ "dead_unread", enter_dead, false, true,	"-Qb-bbbbbbbbb-" },
	{ "dead", enter_dead_read, false, false,	"-Qb-bbbbbbbbb-" },
};

KUNIT_ARRAY_PARAM_DESC(proto, states, name);

static void send_cell(struct cell *cell, const struct packet *packet)
{
	struct scene_peer peer = cell->peer;
	u8 byte = 'x';

	peer.type += packet->type;
	scene_send(cell->scene, &peer, packet->op, packet->flags, &byte,
		   packet->len);
}

static void check_sent(struct cell *cell, const struct outcome *expected)
{
	struct kunit *test = cell->scene->test;
	struct vsockdev_hdr hdr;
	bool sent = scene_take(cell->scene, &hdr);

	KUNIT_EXPECT_EQ(test, sent ? hdr.op : -1, expected->sent);
	if (!sent)
		return;
	KUNIT_EXPECT_EQ(test, hdr.flags, expected->flags);
	KUNIT_EXPECT_EQ(test, hdr.src_port, cell->peer.local_port);
	KUNIT_EXPECT_EQ(test, hdr.dst_port, cell->peer.remote_port);
}

static void check_events(struct cell *cell, const struct outcome *expected)
{
	struct vsockdev_event event;

	if (expected->event)
		scene_expect_event(cell->scene, expected->event, &event);
	if (expected->reason) {
		scene_expect_event(cell->scene, VSOCKDEV_EVENT_RST, &event);
		KUNIT_EXPECT_EQ(cell->scene->test, event.rst.reason,
				expected->reason);
	}
}

static void check_bytes(struct cell *cell, const struct outcome *expected)
{
	u8 bytes[8];
	int ret;

	if (!expected->bytes)
		return;
	ret = scene_read(cell->sc, bytes, sizeof(bytes));
	KUNIT_EXPECT_EQ(cell->scene->test, ret, expected->bytes);
	KUNIT_EXPECT_EQ(cell->scene->test, bytes[0], 'x');
}

static void check_exists(struct cell *cell, bool exists)
{
	struct vsockdev_conn *conn = scene_find(cell->scene, &cell->peer);

	KUNIT_EXPECT_EQ(cell->scene->test, !!conn, exists);
	if (conn)
		vsockdev_conn_put(conn);
}

/* Nothing of one cell is left for the next */
static void clear_cell(struct cell *cell)
{
	struct scene *scene = cell->scene;
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;

	KUNIT_EXPECT_EQ(scene->test, scene_stop(scene), 0);
	if (cell->sc)
		scene_drop(cell->sc);
	while (scene_take(scene, &hdr))
		KUNIT_EXPECT_EQ(scene->test, hdr.op, VIRTIO_VSOCK_OP_RST);
	KUNIT_EXPECT_FALSE(scene->test, scene_event(scene, &event));
	KUNIT_EXPECT_EQ(scene->test, scene->vd->conns, 0);
	KUNIT_EXPECT_EQ(scene->test, scene->vd->backlog, 0);
	KUNIT_EXPECT_EQ(scene->test, scene_start(scene, 0, 0, 0), 0);
}

static void walk_cell(struct scene *scene, const struct proto_state *state,
		      const struct packet *packet,
		      const struct outcome *expected)
{
	struct cell cell = {
		.scene = scene,
		.peer = {
			.local_port = 5000,
			.remote_port = 1024,
			.type = VSOCKDEV_TYPE_STREAM,
			.buf_alloc = 262144,
		},
	};
	bool ends = expected->reason || expected->vanishes;
	struct vsockdev_event event;

	state->enter(&cell);
	send_cell(&cell, packet);
	check_sent(&cell, expected);
	check_bytes(&cell, expected);
	if (state->unread)
		scene_expect_event(scene, VSOCKDEV_EVENT_RST, &event);
	if (state->enter == enter_unread && !ends)
		scene_expect_event(scene, VSOCKDEV_EVENT_REQUEST, &event);
	check_events(&cell, expected);
	scene_expect_quiet(scene);
	check_exists(&cell, (state->exists && !ends) ||
		     expected->event == VSOCKDEV_EVENT_REQUEST);
	clear_cell(&cell);
}

static void proto_state(struct kunit *test)
{
	const struct proto_state *state = test->param_value;
	struct scene *scene = test->priv;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, strlen(state->outcomes), PACKETS);
	for (i = 0; i < PACKETS; i++) {
		u8 letter = state->outcomes[i];

		scnprintf(scene->note, sizeof(scene->note), "%s: %c",
			  packets[i].name, letter);
		walk_cell(scene, state, &packets[i], &outcomes[letter]);
		if (test->status == KUNIT_FAILURE)
			break;
	}
}

static struct kunit_case proto_tests[] = {
	KUNIT_CASE_PARAM(proto_state, proto_gen_params),
	{}
};

static struct kunit_suite proto_suite = {
	.name = "vsockdev_proto",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = proto_tests,
};

kunit_test_suite(proto_suite);
