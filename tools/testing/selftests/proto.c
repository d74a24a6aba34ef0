// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the driver does with each packet that a host can send: the table of
 * operations and states in Documentation/architecture.rst, walked cell by
 * cell, and packets that no table has.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/fake.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RECEIVE VSOCKDEV_SHUTDOWN_RECEIVE
#define SEND VSOCKDEV_SHUTDOWN_SEND
#define BOTH (RECEIVE | SEND)

#define NO_PACKET VIRTIO_VSOCK_OP_INVALID

/* The rows: what the host sends. */
static const struct row {
	const char *name;
	uint16_t op;
	uint32_t flags;
	uint32_t len;
} rows[] = {
	{ "INVALID", VIRTIO_VSOCK_OP_INVALID, 0, 0 },
	{ "REQUEST", VIRTIO_VSOCK_OP_REQUEST, 0, 0 },
	{ "RESPONSE", VIRTIO_VSOCK_OP_RESPONSE, 0, 0 },
	{ "RST", VIRTIO_VSOCK_OP_RST, 0, 0 },
	{ "SHUTDOWN of nothing", VIRTIO_VSOCK_OP_SHUTDOWN, 0, 0 },
	{ "SHUTDOWN(receive)", VIRTIO_VSOCK_OP_SHUTDOWN, RECEIVE, 0 },
	{ "SHUTDOWN(send)", VIRTIO_VSOCK_OP_SHUTDOWN, SEND, 0 },
	{ "SHUTDOWN(both)", VIRTIO_VSOCK_OP_SHUTDOWN, BOTH, 0 },
	{ "RW of nothing", VIRTIO_VSOCK_OP_RW, 0, 0 },
	{ "RW", VIRTIO_VSOCK_OP_RW, 0, 1 },
	{ "CREDIT_UPDATE", VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, 0 },
	{ "CREDIT_REQUEST", VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0, 0 },
	{ "operation 8", 8, 0, 0 },
	{ "operation 65535", 65535, 0, 0 },
};

#define ROWS ARRAY_COUNT(rows)

/* The columns: what there is at the address of the packet. */
enum state {
	NO_OWNER,
	NO_CONNECTION,
	PENDING_UNREAD,
	PENDING_READ,
	CONNECTING,
	CONNECTED, /* established, by us */
	ACCEPTED, /* established, by the host */
	HOST_SHUT_SEND,
	HOST_SHUT_RECEIVE,
	HOST_SHUT_BOTH, /* and the program did not get everything yet */
	PROGRAM_SHUT_SEND,
	PROGRAM_SHUT_RECEIVE,
	PROGRAM_CLOSED,
	OWNER_SHUT_BOTH,
	ALL_SHUT_SEND,
	DEAD_UNREAD,
	DEAD_READ,
	STATES
};

/*
 * The cells: what comes of it. Packets come in the order of the members, and
 * so do events; between the two there is no order.
 */
struct outcome {
	uint16_t packet;
	uint32_t packet_flags;
	bool no_credit; /* it belongs to no connection */
	uint32_t opened; /* event REQUEST or RESPONSE */
	uint32_t shutdown; /* event, and its directions */
	uint32_t reason; /* of event RST */
	int error;
	bool over; /* there is no connection afterwards */
	bool delivered; /* the program got the byte */
	uint32_t discarded; /* bytes that nobody got */
	uint32_t violations;
};

enum {
	NO, /* nothing */
	NN, /* nothing, and there is no connection */
	BK, /* RST back, as there is no connection */
	RQ, /* event REQUEST */
	RP, /* event RESPONSE */
	VI, /* a violation of the protocol */
	VU, /* the same, and nobody learns that there was a REQUEST */
	WD, /* withdrawn */
	WU, /* withdrawn before it was read of */
	RS, /* reset by the host */
	RF, /* refused by the host */
	EN, /* the host's RST is an orderly end */
	LC, /* the same, after the program closed */
	DL, /* delivered */
	DI, /* discarded */
	CU, /* CREDIT_UPDATE back */
	SR, /* event SHUTDOWN, receive */
	SS, /* event SHUTDOWN, send */
	HR, /* the same two, and with that both directions are shut: */
	HS, /* SHUTDOWN of both, and RST awaited */
	ER, /* the same, and with that the host has shut both directions: */
	ES, /* RST */
	EB,
	LB, /* the same, after the program closed */
};

static const struct outcome outcomes[] = {
	[NO] = {},
	[NN] = { .over = true },
	[BK] = { .packet = VIRTIO_VSOCK_OP_RST, .no_credit = true,
		 .over = true },
	[RQ] = { .opened = VSOCKDEV_EVENT_REQUEST },
	[RP] = { .opened = VSOCKDEV_EVENT_RESPONSE },
	[VI] = { .packet = VIRTIO_VSOCK_OP_RST, .error = EPROTO,
		 .reason = VSOCKDEV_RST_PROTOCOL, .over = true,
		 .violations = 1 },
	[VU] = { .packet = VIRTIO_VSOCK_OP_RST, .over = true,
		 .violations = 1 },
	[WD] = { .packet = VIRTIO_VSOCK_OP_RST, .error = ECONNRESET,
		 .reason = VSOCKDEV_RST_PEER_RESET, .over = true },
	[WU] = { .packet = VIRTIO_VSOCK_OP_RST, .over = true },
	[RS] = { .error = ECONNRESET, .reason = VSOCKDEV_RST_PEER_RESET,
		 .over = true },
	[RF] = { .error = ECONNREFUSED, .reason = VSOCKDEV_RST_REFUSED,
		 .over = true },
	[EN] = { .reason = VSOCKDEV_RST_SHUTDOWN, .over = true },
	[LC] = { .reason = VSOCKDEV_RST_LOCAL_CLOSE, .over = true },
	[DL] = { .delivered = true },
	[DI] = { .discarded = 1 },
	[CU] = { .packet = VIRTIO_VSOCK_OP_CREDIT_UPDATE },
	[SR] = { .shutdown = RECEIVE },
	[SS] = { .shutdown = SEND },
	[HR] = { .packet = VIRTIO_VSOCK_OP_SHUTDOWN, .packet_flags = BOTH,
		 .shutdown = RECEIVE },
	[HS] = { .packet = VIRTIO_VSOCK_OP_SHUTDOWN, .packet_flags = BOTH,
		 .shutdown = SEND },
	[ER] = { .packet = VIRTIO_VSOCK_OP_RST, .shutdown = RECEIVE,
		 .reason = VSOCKDEV_RST_SHUTDOWN, .over = true },
	[ES] = { .packet = VIRTIO_VSOCK_OP_RST, .shutdown = SEND,
		 .reason = VSOCKDEV_RST_SHUTDOWN, .over = true },
	[EB] = { .packet = VIRTIO_VSOCK_OP_RST, .shutdown = BOTH,
		 .reason = VSOCKDEV_RST_SHUTDOWN, .over = true },
	[LB] = { .packet = VIRTIO_VSOCK_OP_RST, .shutdown = BOTH,
		 .reason = VSOCKDEV_RST_LOCAL_CLOSE, .over = true },
};

/*
 * For each state what comes of the rows above: INVALID, REQUEST, RESPONSE,
 * RST; SHUTDOWN of nothing, receive, send, both; RW of 0, 1 byte;
 * CREDIT_UPDATE, CREDIT_REQUEST; two unknown ones.
 */
static const uint8_t table[STATES][ROWS] = {
	[NO_OWNER] = {
		NN, BK, BK, NN, BK, BK, BK, BK, BK, BK, BK, BK, BK, BK,
	},
	[NO_CONNECTION] = {
		NN, RQ, BK, NN, BK, BK, BK, BK, BK, BK, BK, BK, BK, BK,
	},
	[PENDING_UNREAD] = {
		NO, VU, VU, NN, WU, WU, WU, WU, VU, VU, NO, NO, VU, VU,
	},
	[PENDING_READ] = {
		NO, VI, VI, RS, WD, WD, WD, WD, VI, VI, NO, NO, VI, VI,
	},
	[CONNECTING] = {
		NO, VI, RP, RF, VI, VI, VI, VI, VI, VI, NO, NO, VI, VI,
	},
	[CONNECTED] = {
		NO, VI, VI, RS, NO, SR, SS, EB, NO, DL, NO, CU, VI, VI,
	},
	[ACCEPTED] = {
		NO, VI, VI, RS, NO, SR, SS, EB, NO, DL, NO, CU, VI, VI,
	},
	[HOST_SHUT_SEND] = {
		NO, VI, VI, RS, NO, ER, NO, ER, VI, VI, NO, CU, VI, VI,
	},
	[HOST_SHUT_RECEIVE] = {
		NO, VI, VI, RS, NO, NO, ES, ES, NO, DL, NO, CU, VI, VI,
	},
	[HOST_SHUT_BOTH] = {
		NO, VI, VI, EN, NO, NO, NO, NO, VI, VI, NO, CU, VI, VI,
	},
	[PROGRAM_SHUT_SEND] = {
		NO, VI, VI, RS, NO, SR, HS, EB, NO, DL, NO, CU, VI, VI,
	},
	[PROGRAM_SHUT_RECEIVE] = {
		NO, VI, VI, RS, NO, HR, SS, EB, NO, DI, NO, CU, VI, VI,
	},
	[PROGRAM_CLOSED] = {
		NO, VI, VI, LC, NO, SR, SS, LB, NO, DI, NO, CU, VI, VI,
	},
	[OWNER_SHUT_BOTH] = {
		NO, VI, VI, EN, NO, SR, SS, EB, NO, DL, NO, CU, VI, VI,
	},
	[ALL_SHUT_SEND] = {
		NO, VI, VI, EN, NO, ER, NO, ER, VI, VI, NO, CU, VI, VI,
	},
	[DEAD_UNREAD] = {
		NN, RQ, BK, NN, BK, BK, BK, BK, BK, BK, BK, BK, BK, BK,
	},
	[DEAD_READ] = {
		NN, RQ, BK, NN, BK, BK, BK, BK, BK, BK, BK, BK, BK, BK,
	},
};

/* More than the sockets of a stuck() connection take. */
#define STUCK_BYTES 65536

static void put_stream(struct flow *flow, uint64_t seed, uint32_t len)
{
	struct stream stream = { .seed = seed };
	uint8_t bytes[16384];

	while (len) {
		uint32_t part = len < sizeof(bytes) ? len : sizeof(bytes);

		stream_fill(&stream, bytes, part);
		flow_put_data(flow, bytes, part);
		len -= part;
	}
}

/* One whose program reads nothing, and which holds bytes because of that. */
static struct flow stuck(struct fake *fake)
{
	int pair[2], size = 1;
	struct flow flow;

	unix_pair(pair);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	flow = flow_request_with(fake, pair);
	flow_put(&flow, VIRTIO_VSOCK_OP_RESPONSE);
	expect_event(&fake->dev, VSOCKDEV_EVENT_RESPONSE, flow.link.id);
	put_stream(&flow, 1, STUCK_BYTES);
	return flow;
}

/* The guest's SHUTDOWN, which may come in two. */
static void expect_shut(struct flow *flow, uint32_t directions)
{
	struct packet packet;

	do {
		packet = flow_expect(flow, VIRTIO_VSOCK_OP_SHUTDOWN);
	} while (packet.flags != directions);
}

static struct flow host_shut(struct fake *fake, uint32_t directions)
{
	struct flow flow = flow_connect(fake);

	flow_put_flags(&flow, VIRTIO_VSOCK_OP_SHUTDOWN, directions);
	expect_shutdown(&fake->dev, flow.link.id, directions);
	if (directions & SEND)
		expect_end(flow.link.sock, TRANSFER_EOF);
	return flow;
}

static struct flow host_shut_both(struct fake *fake)
{
	struct flow flow = stuck(fake);

	flow_put_flags(&flow, VIRTIO_VSOCK_OP_SHUTDOWN, BOTH);
	expect_shutdown(&fake->dev, flow.link.id, BOTH);
	return flow;
}

static struct flow program_shut(struct fake *fake, int how, uint32_t directions)
{
	struct flow flow = flow_connect(fake);

	shutdown(flow.link.sock, how);
	expect_shut(&flow, directions);
	return flow;
}

static struct flow program_closed(struct fake *fake)
{
	struct flow flow = flow_connect(fake);

	link_close(&flow.link);
	expect_shut(&flow, BOTH);
	return flow;
}

static struct flow owner_shut_both(struct fake *fake)
{
	struct flow flow = flow_connect(fake);
	int error = send_shutdown(fake->dev.fd, flow.link.addr, 0, 0);

	if (error)
		fail("SEND_SHUTDOWN: %s", strerror(-error));
	expect_shut(&flow, BOTH);
	return flow;
}

static struct flow all_shut_send(struct fake *fake)
{
	struct flow flow = host_shut(fake, SEND);

	shutdown(flow.link.sock, SHUT_WR);
	expect_shut(&flow, BOTH);
	return flow;
}

static struct flow dead(struct fake *fake, bool read)
{
	struct flow flow = flow_connect(fake);

	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
	expect_no_packet(fake);
	if (read)
		expect_event(&fake->dev, VSOCKDEV_EVENT_RST, flow.link.id);
	return flow;
}

static struct flow pending(struct fake *fake, bool read)
{
	struct flow flow = flow_dial(fake);
	struct vsockdev_event event;

	expect_no_packet(fake);
	if (read) {
		event = expect_request(&fake->dev, flow.link.addr.local_port);
		flow.link.id = event.conn_id;
	}
	return flow;
}

static struct flow make_state(struct fake *fake, enum state state)
{
	switch (state) {
	case NO_OWNER:
		stop(fake->dev.fd);
		return flow_new(fake);
	case PENDING_UNREAD:
	case PENDING_READ:
		return pending(fake, state == PENDING_READ);
	case CONNECTING:
		return flow_request(fake);
	case CONNECTED:
		return flow_connect(fake);
	case ACCEPTED:
		return flow_accept(fake);
	case HOST_SHUT_SEND:
		return host_shut(fake, SEND);
	case HOST_SHUT_RECEIVE:
		return host_shut(fake, RECEIVE);
	case HOST_SHUT_BOTH:
		return host_shut_both(fake);
	case PROGRAM_SHUT_SEND:
		return program_shut(fake, SHUT_WR, SEND);
	case PROGRAM_SHUT_RECEIVE:
		return program_shut(fake, SHUT_RD, RECEIVE);
	case PROGRAM_CLOSED:
		return program_closed(fake);
	case OWNER_SHUT_BOTH:
		return owner_shut_both(fake);
	case ALL_SHUT_SEND:
		return all_shut_send(fake);
	case DEAD_UNREAD:
	case DEAD_READ:
		return dead(fake, state == DEAD_READ);
	default:
		return flow_new(fake);
	}
}

static void put_row(struct flow *flow, const struct row *row)
{
	struct packet packet = flow_packet(flow, row->op);

	packet.flags = row->flags;
	packet.len = row->len;
	packet.payload = row->len ? "x" : NULL;
	fake_put(flow->fake, &packet);
	flow->sent += row->len;
}

static void expect_outcome_packets(struct flow *flow, const struct outcome *cell)
{
	struct packet packet;

	if (cell->packet == NO_PACKET)
		return;
	if (cell->no_credit)
		packet = expect_packet(flow->fake, flow->link.addr,
				       cell->packet);
	else
		packet = flow_expect(flow, cell->packet);
	if (packet.flags != cell->packet_flags)
		fail("%s with flags %u", op_name(packet.op), packet.flags);
}

static void expect_outcome_events(struct flow *flow, const struct outcome *cell)
{
	struct device *dev = &flow->fake->dev;
	struct vsockdev_event event;

	if (cell->opened == VSOCKDEV_EVENT_REQUEST) {
		event = expect_request(dev, flow->link.addr.local_port);
		if (event.conn_id == flow->link.id)
			fail("the id of a dead connection");
		flow->link.id = event.conn_id;
	} else if (cell->opened) {
		expect_event(dev, cell->opened, flow->link.id);
	}
	if (cell->shutdown)
		expect_shutdown(dev, flow->link.id, cell->shutdown);
	if (cell->reason)
		expect_rst(dev, flow->link.id, cell->reason, cell->error);
}

static void expect_byte(const struct flow *flow)
{
	char byte = 0;

	if (recv(flow->link.sock, &byte, 1, 0) != 1 || byte != 'x')
		fail("the program does not get the byte");
}

/* Whoever names the connection by its id sees whether it is there. */
static void expect_there(struct flow *flow, bool there)
{
	int fd = flow->fake->dev.fd;
	int error;

	if (!flow->link.id) {
		struct vsockdev_event event;

		event = expect_request(&flow->fake->dev,
				       flow->link.addr.local_port);
		flow->link.id = event.conn_id;
	}
	error = send_rst(fd, flow->link.addr, flow->link.id);
	if (error != (there ? 0 : -ESTALE))
		fail("SEND_RST: %s", strerror(-error));
	if (there)
		flow_expect(flow, VIRTIO_VSOCK_OP_RST);
}

/* What the counters say of a cell. */
static void expect_counted(const struct fake *fake,
			   const struct vsockdev_get_info *before,
			   const struct outcome *cell)
{
	struct vsockdev_get_info now = info_of(fake->dev.fd);

	if (now.rx_violations - before->rx_violations != cell->violations)
		fail("%llu violations counted",
		     now.rx_violations - before->rx_violations);
	/* What the connection before this one held may be dropped only now */
	if (cell->discarded &&
	    now.rx_discarded - before->rx_discarded != cell->discarded)
		fail("%llu bytes counted as discarded",
		     now.rx_discarded - before->rx_discarded);
	if (now.rx_malformed != before->rx_malformed)
		fail("counted as malformed");
}

static void leave_state(struct flow *flow, enum state state,
			const struct outcome *cell)
{
	struct device *dev = &flow->fake->dev;

	if (state == NO_OWNER && start(dev->fd, NULL))
		fail("START after STOP failed");
	if (!cell->over || flow->link.id)
		expect_there(flow, !cell->over);
	expect_no_packet(flow->fake);
	expect_no_event(dev, 0);
	if (info_of(dev->fd).conns)
		fail("%u connections left", info_of(dev->fd).conns);
	if (flow->link.sock >= 0)
		link_close(&flow->link);
}

static void test_cell(struct fake *fake, enum state state, unsigned int row)
{
	const struct outcome *cell = &outcomes[table[state][row]];
	struct vsockdev_get_info before;
	struct flow flow;
	uint64_t old;

	flow = make_state(fake, state);
	before = info_of(fake->dev.fd);
	old = flow.link.id;

	put_row(&flow, &rows[row]);

	expect_outcome_packets(&flow, cell);
	expect_no_packet(fake);
	if (state == DEAD_UNREAD)
		expect_event(&fake->dev, VSOCKDEV_EVENT_RST, old);
	expect_outcome_events(&flow, cell);
	if (cell->delivered)
		expect_byte(&flow);
	expect_counted(fake, &before, cell);
	leave_state(&flow, state, cell);
	expect_usable(fake);
}

FIXTURE(state) {
	struct fake fake;
};

FIXTURE_VARIANT(state) {
	enum state state;
};

#define STATE(variant_name, state_)                \
	FIXTURE_VARIANT_ADD(state, variant_name) { \
		.state = (state_),                 \
	}

STATE(no_owner, NO_OWNER);
STATE(no_connection, NO_CONNECTION);
STATE(pending_unread, PENDING_UNREAD);
STATE(pending_read, PENDING_READ);
STATE(connecting, CONNECTING);
STATE(connected, CONNECTED);
STATE(accepted, ACCEPTED);
STATE(host_shut_send, HOST_SHUT_SEND);
STATE(host_shut_receive, HOST_SHUT_RECEIVE);
STATE(host_shut_both, HOST_SHUT_BOTH);
STATE(program_shut_send, PROGRAM_SHUT_SEND);
STATE(program_shut_receive, PROGRAM_SHUT_RECEIVE);
STATE(program_closed, PROGRAM_CLOSED);
STATE(owner_shut_both, OWNER_SHUT_BOTH);
STATE(all_shut_send, ALL_SHUT_SEND);
STATE(dead_unread, DEAD_UNREAD);
STATE(dead_read, DEAD_READ);

FIXTURE_SETUP(state)
{
	fake_open(&self->fake, NULL);
}

FIXTURE_TEARDOWN(state)
{
	fake_close(&self->fake);
}

TEST_F_TIMEOUT(state, answers_each_operation, 120)
{
	for (unsigned int row = 0; row < ROWS; row++) {
		check_case(rows[row].name);
		test_cell(&self->fake, variant->state, row);
	}
}

FIXTURE(packet) {
	struct fake fake;
	struct flow flow; /* established */
	struct vsockdev_get_info before;
};

FIXTURE_SETUP(packet)
{
	fake_open(&self->fake, NULL);
	self->flow = flow_connect(&self->fake);
	self->before = info_of(self->fake.dev.fd);
}

/* Whatever came, the connection is sound. */
static void expect_sound(struct flow *flow)
{
	struct stream stream = { .seed = 1 };
	uint8_t bytes[100];

	expect_no_packet(flow->fake);
	expect_no_event(&flow->fake->dev, 0);
	send_stream(flow->link.sock, 1, sizeof(bytes));
	flow_expect_stream(flow, &stream, sizeof(bytes));
	stream = (struct stream){ .seed = 2 };
	stream_fill(&stream, bytes, sizeof(bytes));
	flow_put_data(flow, bytes, sizeof(bytes));
	receive_stream(flow->link.sock, 2, sizeof(bytes));
}

FIXTURE_TEARDOWN(packet)
{
	fake_close(&self->fake);
}

/* That many packets were dropped, and nothing else happened. */
static void expect_dropped(struct flow *flow, uint64_t count,
			   const struct vsockdev_get_info *before)
{
	uint64_t malformed;

	expect_no_packet(flow->fake);
	malformed = info_of(flow->fake->dev.fd).rx_malformed;
	if (malformed - before->rx_malformed != count)
		fail("%llu packets counted as malformed",
		     (unsigned long long)(malformed - before->rx_malformed));
	expect_sound(flow);
}

/* A good packet, of which the device claims to have written @used bytes. */
static void put_claiming(struct flow *flow, uint32_t used)
{
	struct packet packet = flow_packet(flow, VIRTIO_VSOCK_OP_RW);
	uint8_t bytes[PACKET_HEADER + 100];

	packet.len = used > PACKET_HEADER ? 100 : 0;
	packet.payload = "";
	memset(bytes, 'x', sizeof(bytes));
	packet_encode(&packet, bytes);
	fake_put_bytes(flow->fake, bytes, sizeof(bytes), used);
}

/* The buffers of the driver have 32 KiB. */
TEST_F(packet, of_which_nothing_was_written_is_dropped)
{
	put_claiming(&self->flow, 0);
	put_claiming(&self->flow, 1);
	put_claiming(&self->flow, PACKET_HEADER - 1);

	expect_dropped(&self->flow, 3, &self->before);
}

TEST_F(packet, of_just_a_header_is_one)
{
	put_claiming(&self->flow, PACKET_HEADER);

	expect_dropped(&self->flow, 0, &self->before);
}

TEST_F(packet, that_goes_beyond_its_buffer_is_dropped)
{
	put_claiming(&self->flow, 32768 + 1);
	put_claiming(&self->flow, 65536);
	put_claiming(&self->flow, UINT32_MAX);

	expect_dropped(&self->flow, 3, &self->before);
}

TEST_F(packet, that_fills_its_buffer_is_one)
{
	struct stream stream = { .seed = 3 };
	uint8_t bytes[32768 - PACKET_HEADER];

	stream_fill(&stream, bytes, sizeof(bytes));
	flow_put_data(&self->flow, bytes, sizeof(bytes));
	receive_stream(self->flow.link.sock, 3, sizeof(bytes));

	expect_dropped(&self->flow, 0, &self->before);
}

/* What the device did not write is what was there before. */
TEST_F(packet, with_more_payload_than_was_written_is_dropped)
{
	static const uint32_t lengths[] = {
		101, 32768 - PACKET_HEADER, 32768, UINT32_MAX - PACKET_HEADER,
		UINT32_MAX,
	};
	struct packet packet = flow_packet(&self->flow, VIRTIO_VSOCK_OP_RW);
	uint8_t bytes[PACKET_HEADER + 100] = {};

	for (unsigned int i = 0; i < ARRAY_COUNT(lengths); i++) {
		packet.len = lengths[i];
		packet_encode(&packet, bytes);
		fake_put_bytes(&self->fake, bytes, sizeof(bytes),
			       sizeof(bytes));
	}

	expect_dropped(&self->flow, ARRAY_COUNT(lengths), &self->before);
}

TEST_F(packet, with_less_payload_than_was_written_is_one)
{
	struct packet packet = flow_packet(&self->flow, VIRTIO_VSOCK_OP_RW);
	uint8_t bytes[PACKET_HEADER + 100];
	char byte;

	memset(bytes, 'x', sizeof(bytes));
	packet.len = 1;
	packet_encode(&packet, bytes);
	fake_put_bytes(&self->fake, bytes, sizeof(bytes), sizeof(bytes));
	self->flow.sent++;

	ASSERT_EQ(1, recv(self->flow.link.sock, &byte, 1, 0));
	expect_silence(self->flow.link.sock);
	expect_dropped(&self->flow, 0, &self->before);
}

TEST_F(packet, of_control_carries_no_data)
{
	struct packet packet;

	packet = flow_packet(&self->flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	packet.len = 8;
	packet.payload = "nonsense";
	fake_put(&self->fake, &packet);

	expect_no_packet(&self->fake);
	expect_silence(self->flow.link.sock);
	expect_sound(&self->flow);
}

TEST_F(packet, for_another_guest_is_dropped)
{
	static const uint64_t cids[] = {
		0, 1, HOST_CID, FAKE_CID + 1, UINT32_MAX,
		FAKE_CID | 1ULL << 32, FAKE_CID | 1ULL << 63,
	};
	static const uint16_t ops[] = {
		VIRTIO_VSOCK_OP_REQUEST, VIRTIO_VSOCK_OP_RST,
		VIRTIO_VSOCK_OP_RW,
	};

	for (unsigned int i = 0; i < ARRAY_COUNT(cids); i++) {
		for (unsigned int k = 0; k < ARRAY_COUNT(ops); k++) {
			struct packet packet = flow_packet(&self->flow, ops[k]);

			packet.dst_cid = cids[i];
			fake_put(&self->fake, &packet);
		}
	}

	expect_dropped(&self->flow, ARRAY_COUNT(cids) * ARRAY_COUNT(ops),
		       &self->before);
}

/* The upper half of a CID is reserved: nobody is there, not even the host. */
TEST_F(packet, from_beyond_32_bits_is_dropped)
{
	static const uint16_t ops[] = {
		VIRTIO_VSOCK_OP_REQUEST, VIRTIO_VSOCK_OP_RST,
		VIRTIO_VSOCK_OP_RW,
	};

	for (unsigned int i = 0; i < ARRAY_COUNT(ops); i++) {
		struct packet packet = flow_packet(&self->flow, ops[i]);

		packet.src_cid |= 1ULL << 32;
		fake_put(&self->fake, &packet);
		packet.src_cid = HOST_CID | 1ULL << 63;
		fake_put(&self->fake, &packet);
	}

	expect_dropped(&self->flow, 2 * ARRAY_COUNT(ops), &self->before);
}

/* Somebody else, at the connection's ports: not of this connection. */
static void expect_spoofed_refused(struct flow *flow, struct packet *packet)
{
	struct vsockdev_addr spoofed = {
		.local_port = packet->dst_port,
		.remote_cid = packet->src_cid,
		.remote_port = packet->src_port,
	};

	packet->op = VIRTIO_VSOCK_OP_RW;
	packet->len = 1;
	packet->payload = "x";
	fake_put(flow->fake, packet);
	expect_packet(flow->fake, spoofed, VIRTIO_VSOCK_OP_RST);
	packet->op = VIRTIO_VSOCK_OP_SHUTDOWN;
	packet->flags = BOTH;
	packet->len = 0;
	fake_put(flow->fake, packet);
	expect_packet(flow->fake, spoofed, VIRTIO_VSOCK_OP_RST);
	packet->op = VIRTIO_VSOCK_OP_RST;
	fake_put(flow->fake, packet);
	expect_sound(flow);
}

TEST_F(packet, from_another_cid_is_of_no_connection)
{
	struct packet packet = flow_packet(&self->flow, VIRTIO_VSOCK_OP_RW);

	packet.src_cid = 7;

	expect_spoofed_refused(&self->flow, &packet);
}

TEST_F(packet, from_another_port_is_of_no_connection)
{
	struct packet packet = flow_packet(&self->flow, VIRTIO_VSOCK_OP_RW);

	packet.src_port++;

	expect_spoofed_refused(&self->flow, &packet);
}

TEST_F(packet, to_another_port_is_of_no_connection)
{
	struct packet packet = flow_packet(&self->flow, VIRTIO_VSOCK_OP_RW);

	packet.dst_port++;

	expect_spoofed_refused(&self->flow, &packet);
}

/* Types that are none, and SEQPACKET, which was not negotiated. */
static const uint16_t wrong_types[] = { 0, 2, 3, 65535 };

TEST_F(packet, that_requests_an_unknown_type_is_refused)
{
	for (unsigned int i = 0; i < ARRAY_COUNT(wrong_types); i++) {
		struct flow flow = flow_new(&self->fake);
		struct packet packet;

		packet = flow_packet(&flow, VIRTIO_VSOCK_OP_REQUEST);
		packet.type = wrong_types[i];
		fake_put(&self->fake, &packet);

		packet = expect_packet(&self->fake, flow.link.addr,
				       VIRTIO_VSOCK_OP_RST);
		EXPECT_EQ(wrong_types[i], packet.type);
	}
	EXPECT_EQ(self->before.refused + ARRAY_COUNT(wrong_types),
		  info_of(self->fake.dev.fd).refused);
	expect_sound(&self->flow);
}

TEST_F(packet, of_another_type_than_its_connection_is_a_violation)
{
	for (unsigned int i = 0; i < ARRAY_COUNT(wrong_types); i++) {
		struct flow flow = flow_connect(&self->fake);
		struct packet packet = flow_packet(&flow, VIRTIO_VSOCK_OP_RW);

		packet.type = wrong_types[i];
		packet.len = 1;
		packet.payload = "x";
		fake_put(&self->fake, &packet);

		flow_expect(&flow, VIRTIO_VSOCK_OP_RST);
		expect_rst(&self->fake.dev, flow.link.id, VSOCKDEV_RST_PROTOCOL,
			   EPROTO);
		expect_end(flow.link.sock, TRANSFER_RESET);
	}
	expect_sound(&self->flow);
}

TEST_F(packet, of_another_type_does_not_open_a_connection)
{
	struct flow flow = flow_request(&self->fake);
	struct packet packet = flow_packet(&flow, VIRTIO_VSOCK_OP_RESPONSE);

	packet.type = 2;
	fake_put(&self->fake, &packet);

	flow_expect(&flow, VIRTIO_VSOCK_OP_RST);
	expect_rst(&self->fake.dev, flow.link.id, VSOCKDEV_RST_PROTOCOL,
		   EPROTO);
	expect_sound(&self->flow);
}

/* Never RST for RST, whatever it is of. */
TEST_F(packet, that_resets_another_type_is_ignored)
{
	for (unsigned int i = 0; i < ARRAY_COUNT(wrong_types); i++) {
		struct packet packet;

		packet = flow_packet(&self->flow, VIRTIO_VSOCK_OP_RST);
		packet.type = wrong_types[i];
		fake_put(&self->fake, &packet);
	}

	expect_sound(&self->flow);
}

/* Devices put what they like there: rust-vmm leaves the credit empty. */
TEST_F(packet, that_resets_needs_no_credit)
{
	struct packet packet = flow_packet(&self->flow, VIRTIO_VSOCK_OP_RST);

	packet.buf_alloc = 0;
	packet.fwd_cnt = 12345;
	fake_put(&self->fake, &packet);

	expect_rst(&self->fake.dev, self->flow.link.id, VSOCKDEV_RST_PEER_RESET,
		   ECONNRESET);
	expect_no_packet(&self->fake);
}

TEST_F(packet, with_unknown_flags_means_the_same)
{
	flow_put_flags(&self->flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE, UINT32_MAX);
	expect_sound(&self->flow);
	flow_put_flags(&self->flow, VIRTIO_VSOCK_OP_SHUTDOWN, ~BOTH);
	expect_sound(&self->flow);
	flow_put_flags(&self->flow, VIRTIO_VSOCK_OP_SHUTDOWN, ~RECEIVE);
	expect_shutdown(&self->fake.dev, self->flow.link.id, SEND);
}

/* Answers that come too late, or twice, or to somebody else. */
TEST(a_response_after_the_connect_timeout_is_reset)
{
	struct fake_options options = { .start.connect_timeout_ms = 50 };
	struct flow flow;
	struct fake fake;

	fake_open(&fake, &options);
	flow = flow_request(&fake);
	flow_expect(&flow, VIRTIO_VSOCK_OP_RST);
	expect_rst(&fake.dev, flow.link.id, VSOCKDEV_RST_TIMED_OUT, ETIMEDOUT);

	flow_put(&flow, VIRTIO_VSOCK_OP_RESPONSE);

	expect_packet(&fake, flow.link.addr, VIRTIO_VSOCK_OP_RST);
	expect_no_packet(&fake);
	expect_no_event(&fake.dev, 0);
	expect_end(flow.link.sock, TRANSFER_RESET);
	expect_usable(&fake);
	fake_close(&fake);
}

FIXTURE(owner) {
	struct fake fake;
};

FIXTURE_SETUP(owner)
{
	fake_open(&self->fake, NULL);
}

FIXTURE_TEARDOWN(owner)
{
	fake_close(&self->fake);
}

/* RST of what the old owner had comes before anything of the new one. */
TEST_F(owner, leaves_nothing_to_the_next)
{
	struct flow open = flow_connect(&self->fake);
	struct flow unread = flow_dial(&self->fake);
	struct flow waits = flow_request(&self->fake);
	struct flow next;

	expect_no_packet(&self->fake);
	ASSERT_EQ(0, stop(self->fake.dev.fd));
	ASSERT_EQ(0, start(self->fake.dev.fd, NULL));
	next.link = link_request(&self->fake.dev, 1);
	for (int i = 0; i < 3; i++) {
		struct packet packet = fake_take(&self->fake);

		EXPECT_EQ(VIRTIO_VSOCK_OP_RST, packet.op);
	}
	expect_packet(&self->fake, next.link.addr, VIRTIO_VSOCK_OP_REQUEST);

	flow_put_data(&open, "x", 1);
	expect_packet(&self->fake, open.link.addr, VIRTIO_VSOCK_OP_RST);
	flow_put(&unread, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	expect_packet(&self->fake, unread.link.addr, VIRTIO_VSOCK_OP_RST);
	flow_put(&waits, VIRTIO_VSOCK_OP_RESPONSE);
	expect_packet(&self->fake, waits.link.addr, VIRTIO_VSOCK_OP_RST);
	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	expect_end(open.link.sock, TRANSFER_RESET);
	expect_end(waits.link.sock, TRANSFER_RESET);
	expect_usable(&self->fake);
}

/* In the ring, and not yet seen by the driver when the owner changes. */
TEST_F(owner, does_not_get_requests_of_before_its_time)
{
	struct flow flow = flow_new(&self->fake);
	struct packet packet = flow_packet(&flow, VIRTIO_VSOCK_OP_REQUEST);
	uint8_t bytes[PACKET_HEADER];

	ASSERT_EQ(0, stop(self->fake.dev.fd));
	packet_encode(&packet, bytes);
	ASSERT_EQ(0, fake_try_put(&self->fake, FAKE_RX, bytes, sizeof(bytes),
				  sizeof(bytes),
				  VSOCKDEV_FAKE_INTERRUPT_WANTED));
	expect_packet(&self->fake, flow.link.addr, VIRTIO_VSOCK_OP_RST);
	ASSERT_EQ(0, start(self->fake.dev.fd, NULL));

	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
}

/*
 * SEND_RST beside the host's answer: either is first, and then it is over, for
 * the owner once SEND_RST has returned, for the host with an RST each.
 */
static void *put_response(void *arg)
{
	flow_put(arg, VIRTIO_VSOCK_OP_RESPONSE);
	return NULL;
}

TEST_F_TIMEOUT(owner, cancels_while_the_host_accepts, 120)
{
	for (int i = 0; i < 200; i++) {
		struct flow flow = flow_request(&self->fake);
		unsigned int count;
		pthread_t host;

		ASSERT_EQ(0, pthread_create(&host, NULL, put_response, &flow));
		ASSERT_EQ(0, send_rst(self->fake.dev.fd, flow.link.addr,
				      flow.link.id));
		expect_no_event(&self->fake.dev, flow.link.id);
		ASSERT_EQ(0, pthread_join(host, NULL));
		count = count_packets(&self->fake, flow.link.addr,
				      VIRTIO_VSOCK_OP_RST);
		EXPECT_GE(count, 1);
		EXPECT_LE(count, 2);
		expect_no_event(&self->fake.dev, 0);
		expect_end(flow.link.sock, TRANSFER_RESET);
		link_close(&flow.link);
	}
	EXPECT_EQ(0, info_of(self->fake.dev.fd).conns);
}

TEST_HARNESS_MAIN
