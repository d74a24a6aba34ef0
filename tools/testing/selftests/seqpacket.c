// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEQPACKET connections: where they are offered, and that messages stay whole
 * and apart. The host is the test itself, packet by packet; at the end it is
 * the real one.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/machine.h"
#include "lib/talk.h"

#define BIT(nr) (1ULL << (nr))

#define F_STREAM BIT(0)
#define F_SEQPACKET BIT(VIRTIO_VSOCK_F_SEQPACKET)
#define F_NO_IMPLIED_STREAM BIT(2)

#define LONG_SECONDS 120

FIXTURE(offer)
{
	struct fake fake;
};

FIXTURE_VARIANT(offer)
{
	uint64_t features;
	bool stream;
	bool messages;
};

#define OFFER(name, ...)                 \
	FIXTURE_VARIANT_ADD(offer, name) \
	{                                \
		__VA_ARGS__              \
	}

OFFER(of_nothing, 0, true, false);
OFFER(of_stream, F_STREAM | F_NO_IMPLIED_STREAM, true, false);
OFFER(of_nothing_implied, F_NO_IMPLIED_STREAM, false, false);
OFFER(of_seqpacket, F_SEQPACKET, true, true);
OFFER(of_both, F_SEQPACKET | F_STREAM, true, true);
OFFER(of_both_said, F_SEQPACKET | F_STREAM | F_NO_IMPLIED_STREAM, true, true);
OFFER(of_seqpacket_alone, F_SEQPACKET | F_NO_IMPLIED_STREAM, false, true);

FIXTURE_SETUP(offer)
{
	struct fake_options options = { .features = variant->features };

	fake_open(&self->fake, &options);
}

FIXTURE_TEARDOWN(offer)
{
	fake_close(&self->fake);
}

TEST_F(offer, is_accepted_as_it_is)
{
	uint64_t mask = F_STREAM | F_SEQPACKET | F_NO_IMPLIED_STREAM;

	EXPECT_EQ(variant->features,
		  info_of(self->fake.dev.fd).features & mask);
	EXPECT_EQ(variant->features, fake_state(&self->fake).features & mask);
}

static void try_socket(struct fake *fake, void (*make)(int pair[2]),
		       bool carried, uint16_t type)
{
	struct vsockdev_addr addr = host_addr(new_port());
	struct packet packet;
	int pair[2], error;

	make(pair);
	error = send_request(fake->dev.fd, addr, pair[1], NULL);
	if (error != (carried ? 0 : -EPROTOTYPE))
		fail("SEND_REQUEST answers %d", error);
	if (carried) {
		packet = expect_packet(fake, addr, VIRTIO_VSOCK_OP_REQUEST);
		if (packet.type != type)
			fail("REQUEST of type %u", packet.type);
	}
	expect_no_packet(fake);
	send_rst(fake->dev.fd, addr, 0);
	expect_packet(fake, addr, VIRTIO_VSOCK_OP_RST);
	close(pair[0]);
	close(pair[1]);
}

TEST_F(offer, decides_which_sockets_are_taken)
{
	try_socket(&self->fake, unix_pair, variant->stream, STREAM);
	try_socket(&self->fake, tcp_pair, variant->stream, STREAM);
	try_socket(&self->fake, seqpacket_pair, variant->messages, SEQPACKET);
}

static void try_request(struct fake *fake, bool carried, uint16_t type)
{
	uint64_t refused = info_of(fake->dev.fd).refused;
	struct flow flow = flow_new(fake);
	struct vsockdev_event event;
	struct packet packet;

	flow.type = type;
	flow_put(&flow, VIRTIO_VSOCK_OP_REQUEST);
	if (carried) {
		event = expect_request(&fake->dev, flow.link.addr.local_port);
		if (event.request.socket_type != type)
			fail("event REQUEST tells of type %u instead of %u",
			     event.request.socket_type, type);
		refused--;
	} else {
		packet = expect_packet(fake, flow.link.addr,
				       VIRTIO_VSOCK_OP_RST);
		if (packet.type != type)
			fail("RST of type %u instead of %u", packet.type, type);
	}
	expect_no_packet(fake);
	if (info_of(fake->dev.fd).refused != refused + 1)
		fail("%llu instead of %llu were refused",
		     info_of(fake->dev.fd).refused,
		     (unsigned long long)refused + 1);
}

TEST_F(offer, decides_which_requests_are_told)
{
	try_request(&self->fake, variant->stream, STREAM);
	try_request(&self->fake, variant->messages, SEQPACKET);
	try_request(&self->fake, false, 0);
	try_request(&self->fake, false, 3);
	try_request(&self->fake, false, 34);
	expect_no_event(&self->fake.dev, 0);
}

/* A device with both, and one window for both sides. */
FIXTURE(seqpacket)
{
	struct fake fake;
	struct talk talk;
};

FIXTURE_SETUP(seqpacket)
{
	talk_plug(&self->fake, WINDOW);
}

FIXTURE_TEARDOWN(seqpacket)
{
	fake_close(&self->fake);
}

TEST_F(seqpacket, goes_both_ways_when_we_asked)
{
	talk_connect(&self->talk, &self->fake);
	expect_working(&self->talk);
}

TEST_F(seqpacket, goes_both_ways_when_the_host_asked)
{
	talk_accept(&self->talk, &self->fake);
	expect_working(&self->talk);
}

static int give(const struct talk *talk, const struct vsockdev_event *request,
		void (*make)(int pair[2]))
{
	int pair[2], error;

	make(pair);
	error = send_response(talk->flow.fake->dev.fd, request->addr,
			      request->conn_id, pair[1]);
	close(pair[0]);
	close(pair[1]);
	return error;
}

static void datagram_pair(int pair[2])
{
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair))
		fail("socketpair: %s", strerror(errno));
}

static void unconnected_pair(int pair[2])
{
	pair[0] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	pair[1] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

/* What is refused so leaves the connection as it was: pending. */
TEST_F(seqpacket, a_request_is_answered_with_its_type_only)
{
	struct vsockdev_event event;
	int pair[2];

	event = talk_dial(&self->talk, &self->fake, SEQPACKET);
	EXPECT_EQ(-EPROTOTYPE, give(&self->talk, &event, unix_pair));
	EXPECT_EQ(-EPROTOTYPE, give(&self->talk, &event, tcp_pair));
	EXPECT_EQ(-EPROTOTYPE, give(&self->talk, &event, datagram_pair));
	EXPECT_EQ(-ENOTCONN, give(&self->talk, &event, unconnected_pair));
	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);

	seqpacket_pair(pair);
	self->talk.flow.link = link_accept_with(&self->fake.dev, &event, pair);
	flow_expect(&self->talk.flow, VIRTIO_VSOCK_OP_RESPONSE);
	expect_working(&self->talk);
}

TEST_F(seqpacket, a_stream_request_takes_no_messages)
{
	struct stream stream = { .seed = 1 };
	struct vsockdev_event event;

	event = talk_dial(&self->talk, &self->fake, STREAM);
	EXPECT_EQ(-EPROTOTYPE, give(&self->talk, &event, seqpacket_pair));
	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);

	self->talk.flow.link = link_accept(&self->fake.dev, &event);
	flow_expect(&self->talk.flow, VIRTIO_VSOCK_OP_RESPONSE);
	send_stream(self->talk.flow.link.sock, 1, 100);
	flow_expect_stream(&self->talk.flow, &stream, 100);
}

TEST_F(seqpacket, a_range_of_memory_is_no_message)
{
	struct vsockdev_send_vmo args = { .size = sizeof(args) };
	struct link *link = &self->talk.flow.link;

	talk_connect(&self->talk, &self->fake);
	args.addr = link->addr;
	args.conn_id = link->id;
	args.vmo_fd = memfd_create("vmo", MFD_CLOEXEC);
	args.length = 4096;
	ASSERT_EQ(0, ftruncate(args.vmo_fd, args.length));

	EXPECT_EQ(-EPROTOTYPE,
		  call(self->fake.dev.fd, VSOCKDEV_SEND_VMO, &args));
	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	expect_working(&self->talk);
}

/* From the program to the host. */

static const uint32_t lengths[] = {
	1, 2, PACKET - 1, PACKET, PACKET + 1, 2 * PACKET, WINDOW - 1, WINDOW, 3,
};

#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

TEST_F(seqpacket, goes_out_whole)
{
	talk_connect(&self->talk, &self->fake);
	for (unsigned int i = 0; i < LENGTHS; i++) {
		program_sends(&self->talk, lengths[i]);
		host_gets(&self->talk, lengths[i]);
	}
	host_syncs(&self->fake);
	EXPECT_EQ(0, self->talk.count + self->talk.part);
}

/* In no more packets than it takes. */
TEST_F(seqpacket, goes_out_in_long_packets)
{
	talk_connect(&self->talk, &self->fake);
	program_sends(&self->talk, PACKET);
	host_gets(&self->talk, PACKET);
	EXPECT_EQ(1, self->talk.packets);
	program_sends(&self->talk, 3 * PACKET);
	host_gets(&self->talk, 3 * PACKET);
	EXPECT_EQ(3, self->talk.packets);
}

/* No packet has bytes of two messages, however many wait. */
TEST_F(seqpacket, goes_out_apart)
{
	struct flow *flow = &self->talk.flow;

	talk_connect(&self->talk, &self->fake);
	flow->hoards = true;
	program_sends(&self->talk, WINDOW);
	host_gets(&self->talk, WINDOW);
	for (int i = 1; i <= 50; i++)
		program_sends(&self->talk, 10 * i);

	flow->hoards = false;
	flow->fwd_cnt = flow->taken;
	flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	for (int i = 1; i <= 50; i++)
		host_gets(&self->talk, 10 * i);
}

/* The host has less room than a message has bytes, and later all of it. */
TEST_F(seqpacket, goes_out_as_room_comes)
{
	struct flow *flow = &self->talk.flow;

	talk_connect(&self->talk, &self->fake);
	flow->hoards = true;
	program_sends(&self->talk, WINDOW - 10);
	host_gets(&self->talk, WINDOW - 10);
	program_sends(&self->talk, WINDOW);
	while (self->talk.part < 10)
		host_takes(&self->fake);
	EXPECT_EQ(10, self->talk.part);
	EXPECT_EQ(0, self->talk.count);

	for (int i = 0; i < 20; i++) {
		flow->fwd_cnt += 1000;
		flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
		while (self->talk.part < 10 + 1000u * (i + 1))
			host_takes(&self->fake);
	}
	flow->hoards = false;
	flow->fwd_cnt = flow->taken;
	flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	host_gets(&self->talk, WINDOW);
}

/*
 * The host takes room back while the message waits behind a queue that is full:
 * what still fits goes on its way, and is not the end.
 */
#define TIGHT_QUEUE 16
#define TIGHT_DATA 14 /* entries of it that data may take */

TEST_F(seqpacket, goes_out_whole_through_a_window_that_shrinks)
{
	struct fake_options tight = {
		.features = F_SEQPACKET,
		.queue_size = TIGHT_QUEUE,
	};
	struct talk *talk = &self->talk, filler;
	uint64_t packets;

	fake_close(&self->fake);
	fake_open(&self->fake, &tight);
	talk_connect(&filler, &self->fake);
	talk_connect(talk, &self->fake);
	for (uint32_t i = 1; i <= TIGHT_DATA; i++) {
		program_sends(&filler, 1);
		WAIT_FOR(fake_posted(&self->fake, FAKE_TX) == i);
	}
	program_sends(talk, 8 * KIB);
	WAIT_FOR(outq(talk) == 0);
	talk->flow.hoards = true;
	talk->flow.buf_alloc = KIB;
	packets = info_of(self->fake.dev.fd).rx_packets;
	flow_put(&talk->flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	WAIT_FOR(info_of(self->fake.dev.fd).rx_packets > packets);

	for (int i = 0; i < TIGHT_DATA; i++)
		host_gets(&filler, 1);
	while (talk->part < KIB)
		host_takes(&self->fake);
	talk->flow.buf_alloc = WINDOW;
	flow_put(&talk->flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	host_gets(talk, 8 * KIB);
}

/* The host's window may be larger than ours, and so may its messages. */
TEST_F(seqpacket, goes_out_longer_than_it_could_come_in)
{
	int pair[2];

	seqpacket_pair(pair);
	set_buffer(pair[0], SO_SNDBUFFORCE, 2 * MIB);
	talk_request(&self->talk, &self->fake, SEQPACKET, pair);
	self->talk.flow.buf_alloc = MIB;
	talk_open(&self->talk);

	program_sends(&self->talk, 500001);
	host_gets(&self->talk, 500001);
	program_sends(&self->talk, MIB);
	host_gets(&self->talk, MIB);
}

TEST_F_TIMEOUT(seqpacket, goes_out_as_it_was_written, LONG_SECONDS)
{
	uint64_t left = 4 * MIB, pick;
	struct transfer transfer = {
		.sizes = { 1, WINDOW },
		.messages = true,
	};
	struct job *writer;

	talk_connect(&self->talk, &self->fake);
	transfer.stream = self->talk.wrote;
	pick = transfer.stream.seed;
	writer = start_sending(self->talk.flow.link.sock, transfer, left,
			       TRANSFER_DONE);
	while (left) {
		uint32_t len = stream_pick(&pick, 1, WINDOW);

		len = len < left ? len : left;
		host_gets(&self->talk, len);
		left -= len;
	}
	finish(writer);
}

/* They would be read as an end of file. */
TEST_F(seqpacket, goes_out_unless_it_is_empty)
{
	talk_connect(&self->talk, &self->fake);
	program_sends(&self->talk, 0);
	program_sends(&self->talk, 5);
	program_sends(&self->talk, 0);
	program_sends(&self->talk, 0);
	program_sends(&self->talk, 6);
	program_sends(&self->talk, 0);
	shutdown(self->talk.flow.link.sock, SHUT_WR);

	host_gets(&self->talk, 5);
	host_gets(&self->talk, 6);
	host_gets_end(&self->talk, VIRTIO_VSOCK_OP_SHUTDOWN, SEND);
}

/* More than are looked at in one go. What comes after them is not the end. */
TEST_F(seqpacket, goes_out_behind_many_empty_ones)
{
	struct vsockdev_event event;
	int pair[2];

	seqpacket_pair(pair);
	set_buffer(pair[0], SO_SNDBUFFORCE, 16 * MIB);
	event = talk_dial(&self->talk, &self->fake, SEQPACKET);
	self->talk.flow.link.sock = pair[0];
	for (unsigned int i = 0; i < 5000; i++)
		program_sends(&self->talk, 0);
	program_sends(&self->talk, 5);
	shutdown(pair[0], SHUT_WR);

	self->talk.flow.link = link_accept_with(&self->fake.dev, &event, pair);
	flow_expect(&self->talk.flow, VIRTIO_VSOCK_OP_RESPONSE);
	host_gets(&self->talk, 5);
	host_gets_end(&self->talk, VIRTIO_VSOCK_OP_SHUTDOWN, SEND);
}

/*
 * Hosts that charge each packet would run out of room. After one small packet
 * for each KiB of window the driver asks before it sends another.
 */
TEST_F(seqpacket, goes_out_in_few_small_packets)
{
	struct flow *flow = &self->talk.flow;
	const unsigned int limit = WINDOW / KIB, len = 100;

	talk_connect(&self->talk, &self->fake);
	flow->hoards = true;
	program_sends(&self->talk, WINDOW - limit * len * 2);
	host_gets(&self->talk, WINDOW - limit * len * 2);
	for (unsigned int i = 0; i < 2 * limit; i++)
		program_sends(&self->talk, len);

	for (unsigned int i = 0; i < limit; i++)
		EXPECT_EQ(len, flow_expect(flow, VIRTIO_VSOCK_OP_RW).len);
	flow_expect(flow, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
}

/* What cannot ever be sent ends the connection; what came before is there. */
TEST_F(seqpacket, goes_out_no_longer_than_the_window)
{
	talk_connect(&self->talk, &self->fake);
	program_sends(&self->talk, 100);
	program_sends(&self->talk, PACKET);
	program_sends(&self->talk, WINDOW + 1);

	host_gets(&self->talk, 100);
	host_gets(&self->talk, PACKET);
	host_gets_end(&self->talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(&self->talk, VSOCKDEV_RST_MESSAGE_SIZE, EMSGSIZE);
	program_gets_end(&self->talk, TRANSFER_RESET);
	expect_usable(&self->fake);
}

TEST_F(seqpacket, goes_out_no_longer_and_what_came_in_is_read_first)
{
	talk_connect_narrow(&self->talk, &self->fake);
	for (int i = 0; i < 10; i++)
		host_sends(&self->talk, 3000 + i);
	host_syncs(&self->fake);
	program_sends(&self->talk, WINDOW + 1);
	host_gets_end(&self->talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(&self->talk, VSOCKDEV_RST_MESSAGE_SIZE, EMSGSIZE);

	for (int i = 0; i < 10; i++)
		program_gets(&self->talk, 3000 + i);
	program_gets_end(&self->talk, TRANSFER_RESET);
}

/* Until the socket takes no more. */
static unsigned int program_fills(struct talk *talk, uint32_t len)
{
	static uint8_t bytes[WINDOW];
	struct stream next = talk->wrote;
	unsigned int count = 0;

	for (;; count++) {
		stream_fill(&next, bytes, len);
		if (send(talk->flow.link.sock, bytes, len,
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
		talk->wrote = next;
	}
	if (errno != EAGAIN)
		fail("filling a socket: %s", strerror(errno));
	return count;
}

/*
 * The host gives no credit: two packets wait in the driver, the rest in the
 * socket, at the expense of who wrote it.
 */
TEST_F(seqpacket, waits_in_the_socket)
{
	struct flow *flow = &self->talk.flow;
	unsigned int count;
	int buffer;

	talk_connect(&self->talk, &self->fake);
	ASSERT_EQ(0, getsockopt(flow->link.sock, SOL_SOCKET, SO_SNDBUF, &buffer,
				&(socklen_t) { sizeof(buffer) }));
	flow->hoards = true;
	program_sends(&self->talk, WINDOW);
	host_gets(&self->talk, WINDOW);
	WAIT_FOR(outq(&self->talk) == 0);

	count = program_fills(&self->talk, 1000);
	EXPECT_LE(count * 1000, buffer);
	EXPECT_GE(outq(&self->talk), count * 1000);
	host_syncs(&self->fake);
	EXPECT_EQ(0, program_fills(&self->talk, 1000));

	flow->hoards = false;
	flow->fwd_cnt = flow->taken;
	flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	for (unsigned int i = 0; i < count; i++)
		host_gets(&self->talk, 1000);
	WAIT_FOR(outq(&self->talk) == 0);
}

/* From the host to the program. */

TEST_F(seqpacket, comes_in_whole)
{
	talk_connect(&self->talk, &self->fake);
	for (unsigned int i = 0; i < LENGTHS; i++) {
		host_sends(&self->talk, lengths[i]);
		program_gets(&self->talk, lengths[i]);
	}
	expect_silence(self->talk.flow.link.sock);
}

TEST_F(seqpacket, comes_in_at_its_end)
{
	struct talk *talk = &self->talk;

	talk_connect(talk, &self->fake);
	for (int i = 1; i <= 5; i++) {
		host_puts(talk, 100 * i, 0);
		host_syncs(&self->fake);
		expect_silence(talk->flow.link.sock);
	}
	EXPECT_EQ(0, host_asks(talk));
	host_puts(talk, 1, EOM);
	program_gets(talk, 1501);
	WAIT_FOR(host_asks(talk) == 1501);
}

/* Whatever pieces the host makes of it: empty ones, too. */
TEST_F(seqpacket, comes_in_in_pieces)
{
	struct talk *talk = &self->talk;

	talk_connect(talk, &self->fake);
	host_puts(talk, 0, 0);
	host_puts(talk, 1, 0);
	host_puts(talk, 0, 0);
	host_puts(talk, 4096, 0);
	host_puts(talk, 3, 0);
	host_puts(talk, 0, EOM);
	host_puts(talk, 5, EOM);
	host_puts(talk, 0, 0);
	host_puts(talk, PART, 0);
	host_puts(talk, 7, EOM);
	program_gets(talk, 4100);
	program_gets(talk, 5);
	program_gets(talk, PART + 7);
	expect_silence(talk->flow.link.sock);
}

TEST_F(seqpacket, comes_in_byte_by_byte)
{
	talk_connect(&self->talk, &self->fake);
	for (int i = 0; i < 9999; i++)
		host_puts(&self->talk, 1, 0);
	host_puts(&self->talk, 1, EOM);
	host_puts(&self->talk, 1, EOM);
	program_gets(&self->talk, 10000);
	program_gets(&self->talk, 1);
}

/* A record may have several messages. Linux knows of no records. */
TEST_F(seqpacket, comes_in_with_other_flags)
{
	struct talk *talk = &self->talk;

	talk_connect(talk, &self->fake);
	host_puts(talk, 10, EOM | EOR);
	host_puts(talk, 20, EOR);
	host_puts(talk, 30, EOM);
	host_puts(talk, 40, 0xfffffffe);
	host_puts(talk, 50, 0xffffffff);
	program_gets(talk, 10);
	program_gets(talk, 50);
	program_gets(talk, 90);
	expect_working(talk);
}

TEST_F(seqpacket, comes_in_unless_it_is_empty)
{
	struct talk *talk = &self->talk;

	talk_connect(talk, &self->fake);
	host_puts(talk, 0, EOM);
	host_puts(talk, 0, EOM | EOR);
	host_puts(talk, 9, EOM);
	host_puts(talk, 0, EOM);
	host_puts(talk, 8, EOM);
	host_puts(talk, 0, EOM);
	program_gets(talk, 9);
	program_gets(talk, 8);
	host_syncs(&self->fake);
	expect_silence(talk->flow.link.sock);
	host_ends(talk, VIRTIO_VSOCK_OP_SHUTDOWN, SEND);
	program_gets_end(talk, TRANSFER_EOF);
}

TEST_F_TIMEOUT(seqpacket, comes_in_as_it_was_sent, LONG_SECONDS)
{
	uint64_t left = 2 * MIB, pick, pieces = 1;
	struct transfer transfer = {
		.sizes = { 1, WINDOW },
		.messages = true,
	};
	struct job *reader;

	talk_connect(&self->talk, &self->fake);
	transfer.stream = self->talk.read;
	pick = transfer.stream.seed;
	reader = start_receiving(self->talk.flow.link.sock, transfer, left,
				 TRANSFER_DONE);
	while (left) {
		uint32_t len = stream_pick(&pick, 1, WINDOW);

		len = len < left ? len : left;
		left -= len;
		while (len) {
			uint32_t n = stream_pick(&pieces, 0, 3000);

			n = n < len ? n : len;
			len -= n;
			host_sends_part(&self->talk, n, len ? 0 : EOM);
		}
	}
	finish(reader);
}

/*
 * A host that does not ask has what the driver told. With a message under way
 * that fills its window, nothing would ever be told again.
 */
TEST_F(seqpacket, comes_in_although_the_host_never_asks)
{
	talk_connect(&self->talk, &self->fake);
	host_sends(&self->talk, 20000);
	program_gets(&self->talk, 20000);
	host_sends(&self->talk, 60000);
	program_gets(&self->talk, 60000);
	for (int i = 0; i < 5; i++) {
		host_sends(&self->talk, WINDOW);
		program_gets(&self->talk, WINDOW);
		host_sends(&self->talk, 1);
		program_gets(&self->talk, 1);
	}
}

/* The driver lets go of a message, in terms of credit, as a whole. */
TEST_F(seqpacket, waits_for_a_slow_reader)
{
	struct talk *talk = &self->talk;
	unsigned int count = 0, got = 0;

	talk_connect_narrow(talk, &self->fake);
	count = host_fills(talk, 1000);
	EXPECT_EQ(WINDOW / 1000, count);
	while (got < count - 10) {
		uint32_t fwd_cnt = host_asks(talk);

		EXPECT_EQ(0, fwd_cnt % 1000);
		EXPECT_GE(SMALL_BUFFER * 2 / 1000 + got, fwd_cnt / 1000);
		program_gets(talk, 1000);
		got++;
		/* What it made room for goes to the host and comes back. */
		WAIT_FOR(host_asks(talk) >= got * 1000);
	}
	count += host_fills(talk, 1000);
	for (; got < count; got++)
		program_gets(talk, 1000);
	WAIT_FOR(host_asks(talk) == talk->flow.sent);
}

/* The largest ones, into a socket that is smaller than these. */
TEST_F(seqpacket, comes_in_longer_than_a_socket)
{
	talk_connect_narrow(&self->talk, &self->fake);
	for (int i = 0; i < 3; i++) {
		host_sends(&self->talk, WINDOW);
		program_gets(&self->talk, WINDOW);
	}
}

static unsigned long slab_bytes(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long kib = 0;
	char line[100];

	while (file && fgets(line, sizeof(line), file) &&
	       sscanf(line, "SUnreclaim: %lu", &kib) != 1)
		;
	if (!kib)
		fail("/proc/meminfo tells nothing");
	fclose(file);
	return kib * KIB;
}

/* Of one byte each, which nobody reads. */
TEST_F_TIMEOUT(seqpacket, comes_in_and_costs_little, LONG_SECONDS)
{
	struct talk *talk = &self->talk;
	unsigned long before;

	if (kernel_is("debug"))
		SKIP(return, "here slabs hold what was freed, too");
	talk_connect_narrow(talk, &self->fake);
	before = slab_bytes();
	while (host_room(talk))
		host_puts(talk, 1, EOM);
	host_syncs(&self->fake);
	EXPECT_GE(before + 32 * WINDOW, slab_bytes());

	while (talk->read.pos < talk->sent.pos)
		program_gets(talk, 1);
	host_asks(talk);
	expect_working(talk);
}

FIXTURE(too_long)
{
	struct fake fake;
	struct talk talk;
};

FIXTURE_VARIANT(too_long)
{
	uint32_t window;
	uint32_t max;
};

FIXTURE_VARIANT_ADD(too_long, for_the_window) { WINDOW, WINDOW };
FIXTURE_VARIANT_ADD(too_long, for_any_window) { MIB, MESSAGE_MAX };

FIXTURE_SETUP(too_long)
{
	talk_plug(&self->fake, variant->window);
	talk_connect(&self->talk, &self->fake);
}

FIXTURE_TEARDOWN(too_long)
{
	fake_close(&self->fake);
}

TEST_F(too_long, is_what_goes_on)
{
	struct talk *talk = &self->talk;

	host_sends(talk, variant->max);
	program_gets(talk, variant->max);
	host_sends(talk, 100);
	host_sends(talk, 200);
	host_begins(talk, variant->max);
	host_gets_end(talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(talk, VSOCKDEV_RST_MESSAGE_SIZE, EMSGSIZE);

	program_gets(talk, 100);
	program_gets(talk, 200);
	program_gets_end(talk, TRANSFER_RESET);
	expect_usable(&self->fake);
}

/* One byte too many, all at once: only for this is there ever the credit. */
TEST_F(seqpacket, comes_in_no_longer_than_a_message_may_be)
{
	struct talk *talk = &self->talk;

	fake_close(&self->fake);
	talk_plug(&self->fake, MIB);
	talk_connect(talk, &self->fake);
	host_sends(talk, 100);
	host_begins(talk, MESSAGE_MAX - 1);
	host_puts(talk, 2, EOM);
	host_gets_end(talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(talk, VSOCKDEV_RST_MESSAGE_SIZE, EMSGSIZE);
	program_gets(talk, 100);
	program_gets_end(talk, TRANSFER_RESET);
}

/* A relay: the two ends of one pair are the sockets of two connections. */
FIXTURE(relay)
{
	struct fake fake;
	struct talk talks[2];
};

FIXTURE_SETUP(relay)
{
	int pair[2];

	talk_plug(&self->fake, WINDOW);
	seqpacket_pair(pair);
	for (int i = 0; i < 2; i++) {
		int given[2] = { -1, pair[i] };

		talk_connect_with(&self->talks[i], &self->fake, given);
	}
	self->talks[1].got = self->talks[0].sent;
	self->talks[0].got = self->talks[1].sent;
}

FIXTURE_TEARDOWN(relay)
{
	fake_close(&self->fake);
}

TEST_F_TIMEOUT(relay, keeps_messages_apart, LONG_SECONDS)
{
	struct talk *left = &self->talks[0], *right = &self->talks[1];
	uint64_t pick = 1;

	for (int i = 0; i < 100; i++) {
		uint32_t a = stream_pick(&pick, 1, i % 4 ? 1000 : WINDOW);
		uint32_t b = stream_pick(&pick, 1, i % 5 ? 1000 : WINDOW);

		host_sends(left, a);
		host_sends(right, b);
		host_sends(left, b);
		host_gets(right, a);
		host_gets(right, b);
		host_gets(left, b);
	}
}

/* The one host takes nothing: then the other one has to wait. */
TEST_F(relay, waits_for_the_slower_side)
{
	struct talk *left = &self->talks[0], *right = &self->talks[1];
	unsigned int count = 0;

	right->flow.hoards = true;
	for (int i = 0; i < 1000; i++) {
		if (host_room(left) < 1000)
			host_asks(left);
		if (host_room(left) >= 1000) {
			host_sends_part(left, 1000, EOM);
			count++;
		}
	}
	EXPECT_GT(1000, count);
	EXPECT_LT(WINDOW / 1000, count);

	right->flow.hoards = false;
	right->flow.fwd_cnt = right->flow.taken;
	flow_put(&right->flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	while (count--)
		host_gets(right, 1000);
	host_sends(right, 10);
	host_gets(left, 10);
}

TEST_F(relay, passes_an_orderly_end_on)
{
	struct talk *left = &self->talks[0], *right = &self->talks[1];

	for (int i = 0; i < 10; i++)
		host_sends(left, 1 + i);
	host_ends(left, VIRTIO_VSOCK_OP_SHUTDOWN, SEND);
	for (int i = 0; i < 10; i++)
		host_gets(right, 1 + i);
	host_gets_end(right, VIRTIO_VSOCK_OP_SHUTDOWN, SEND);
	host_sends(right, 5000);
	host_gets(left, 5000);
}

TEST_F(relay, passes_a_reset_on)
{
	struct talk *left = &self->talks[0], *right = &self->talks[1];

	host_sends(left, 1);
	host_gets(right, 1);
	host_begins(left, 10);
	host_ends(left, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(left, VSOCKDEV_RST_PEER_RESET, ECONNRESET);
	host_gets_end(right, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(right, VSOCKDEV_RST_LOCAL_CLOSE, ECONNRESET);
}

/* Many at once, of both types, both ways. */
#define MANY 40

static void talk_connect_some(struct talk *talk, struct fake *fake, bool stream)
{
	int pair[2];

	if (!stream) {
		talk_connect(talk, fake);
		return;
	}
	unix_pair(pair);
	talk_request(talk, fake, STREAM, pair);
	talk_open(talk);
}

static void program_gets_some(struct talk *talk, uint32_t len)
{
	struct transfer transfer = { .stream = talk->read };

	if (talk->flow.type == SEQPACKET) {
		program_gets(talk, len);
		return;
	}
	transfer_receive(&transfer, talk->flow.link.sock, len);
	if (transfer.end != TRANSFER_DONE)
		fail("a stream ends with %s", transfer_end_name(transfer.end));
	talk->read = transfer.stream;
}

static void host_gets_some(struct talk *talk, uint32_t len)
{
	if (talk->flow.type == SEQPACKET) {
		host_gets(talk, len);
		return;
	}
	while (talk->part < len)
		host_takes(talk->flow.fake);
	if (talk->part != len)
		fail("the host got %u instead of %u", talk->part, len);
	talk->part = 0;
}

TEST_F_TIMEOUT(seqpacket, goes_on_beside_many_others, LONG_SECONDS)
{
	static struct talk many[MANY];
	uint64_t pick = 1;

	for (int i = 0; i < MANY; i++)
		talk_connect_some(&many[i], &self->fake, i % 3 == 0);
	for (int round = 0; round < 10; round++) {
		uint32_t len = stream_pick(&pick, 1, round % 2 ? 1000 : 60000);

		for (int i = 0; i < MANY; i++)
			program_sends(&many[i], len + i);
		for (int i = 0; i < MANY; i++)
			host_sends(&many[i], len + 2 * i);
		for (int i = 0; i < MANY; i++)
			program_gets_some(&many[i], len + 2 * i);
		for (int i = 0; i < MANY; i++)
			host_gets_some(&many[i], len + i);
	}
	for (int i = 0; i < MANY; i++) {
		program_closes(&many[i]);
		host_gets_end(&many[i], VIRTIO_VSOCK_OP_SHUTDOWN, BOTH);
		host_ends(&many[i], VIRTIO_VSOCK_OP_RST, 0);
		owner_gets_rst(&many[i], VSOCKDEV_RST_LOCAL_CLOSE, 0);
	}
}

/* With the real host device, and a program of the host that knows messages. */
FIXTURE(host)
{
	struct device dev;
	struct peer peer;
};

FIXTURE_SETUP(host)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no SEQPACKET");
	device_start(&self->dev, NULL);
	ASSERT_NE(0, info_of(self->dev.fd).features & F_SEQPACKET);
	self->peer = peer_open(&self->dev);
}

FIXTURE_TEARDOWN(host)
{
}

static struct link connect_host_with(struct device *dev, struct peer *peer,
				     const int pair[2])
{
	uint32_t port = new_port();
	struct link link;

	peer_do(peer, "ok", "listen %u seqpacket", port);
	link = link_request_with(dev, port, pair);
	peer_do(peer, "ok", "accept");
	expect_event(dev, VSOCKDEV_EVENT_RESPONSE, link.id);
	return link;
}

static struct link connect_host(struct device *dev, struct peer *peer)
{
	int pair[2];

	seqpacket_pair(pair);
	set_buffer(pair[0], SO_SNDBUFFORCE, MIB);
	return connect_host_with(dev, peer, pair);
}

static struct link accept_host(struct device *dev, struct peer *peer)
{
	uint32_t port = new_port();
	struct vsockdev_event request;
	struct link link;
	int pair[2];

	seqpacket_pair(pair);
	peer_do(peer, "ok", "dial-start %u seqpacket", port);
	request = expect_request(dev, port);
	if (request.request.socket_type != SEQPACKET)
		fail("REQUEST of type %u", request.request.socket_type);
	link = link_accept_with(dev, &request, pair);
	peer_tell(peer, "dial-wait");
	if (strncmp(peer_hear(peer), "ok ", 3))
		fail("dialling the guest failed");
	return link;
}

#define connect_host(...) HERE((connect_host)(__VA_ARGS__))
#define accept_host(...) HERE((accept_host)(__VA_ARGS__))

static struct transfer messages(uint64_t seed, uint32_t min, uint32_t max)
{
	return (struct transfer) {
		.stream = { .seed = seed },
		.sizes = { min, max },
		.messages = true,
	};
}

static void exchange(struct peer *peer, const struct link *link, uint64_t seed,
		     uint64_t bytes)
{
	struct transfer in = messages(seed, 64 * KIB, 64 * KIB);
	struct transfer out = messages(seed + 1, 64 * KIB, 64 * KIB);
	struct job *writer, *reader;

	peer_tell(peer, "exchange %llu %llu %llu %llu",
		  (unsigned long long)seed, (unsigned long long)bytes,
		  (unsigned long long)seed + 1, (unsigned long long)bytes);
	reader = start_receiving(link->sock, in, bytes, TRANSFER_DONE);
	writer = start_sending(link->sock, out, bytes, TRANSFER_DONE);
	finish(writer);
	finish(reader);
	peer_hear_exactly(peer, "done %llu done %llu",
			  (unsigned long long)bytes, (unsigned long long)bytes);
}

TEST_F_TIMEOUT(host, gets_messages, LONG_SECONDS)
{
	struct link link = connect_host(&self->dev, &self->peer);
	struct job *job;

	job = start_sending(link.sock, messages(1, 1, 60000), 4 * MIB,
			    TRANSFER_DONE);
	peer_tell(&self->peer, "recv 1 %u 1-60000", 4 * MIB);
	finish(job);
	peer_hear_exactly(&self->peer, "done %u", 4 * MIB);
}

TEST_F_TIMEOUT(host, sends_messages, LONG_SECONDS)
{
	struct link link = accept_host(&self->dev, &self->peer);
	struct job *job;

	peer_tell(&self->peer, "send 1 %u 1-60000", 4 * MIB);
	job = start_receiving(link.sock, messages(1, 1, 60000), 4 * MIB,
			      TRANSFER_DONE);
	finish(job);
	peer_hear_exactly(&self->peer, "done %u", 4 * MIB);
}

TEST_F_TIMEOUT(host, exchanges_messages_when_we_asked, LONG_SECONDS)
{
	struct link link = connect_host(&self->dev, &self->peer);

	exchange(&self->peer, &link, 1, 4 * MIB);
}

TEST_F_TIMEOUT(host, exchanges_messages_when_it_asked, LONG_SECONDS)
{
	struct link link = accept_host(&self->dev, &self->peer);

	exchange(&self->peer, &link, 1, 4 * MIB);
}

static void send_message(const struct link *link, uint64_t seed, uint32_t len)
{
	struct transfer transfer = messages(seed, 1, 1);

	transfer_send_message(&transfer, link->sock, len);
	if (transfer.end != TRANSFER_DONE)
		fail("a message of %u: %s", len,
		     transfer_end_name(transfer.end));
}

static void receive_message(const struct link *link, uint64_t seed,
			    uint32_t len)
{
	struct transfer transfer = messages(seed, 1, 1);

	transfer_receive_message(&transfer, link->sock, len);
	if (transfer.end != TRANSFER_DONE)
		fail("a message of %u: %s", len,
		     transfer_end_name(transfer.end));
}

TEST_F(host, exchanges_the_largest_message)
{
	struct link link = connect_host(&self->dev, &self->peer);

	for (int i = 1; i <= 3; i++) {
		send_message(&link, i, MESSAGE_MAX);
		peer_do(&self->peer, "done 262144", "recv-message %u 262144",
			i);
		peer_tell(&self->peer, "send-message %u 262144", 10 + i);
		receive_message(&link, 10 + i, MESSAGE_MAX);
		peer_hear_exactly(&self->peer, "done 262144");
	}
}

TEST_F(host, takes_no_larger_message)
{
	struct link link = connect_host(&self->dev, &self->peer);

	send_message(&link, 1, 1000);
	send_message(&link, 2, MESSAGE_MAX + 1);
	expect_rst(&self->dev, link.id, VSOCKDEV_RST_MESSAGE_SIZE, EMSGSIZE);
	expect_end(link.sock, TRANSFER_RESET);
	peer_do(&self->peer, "done 1000", "recv-message 1 1000");
}

TEST_F(host, has_its_empty_messages_dropped)
{
	struct link link = accept_host(&self->dev, &self->peer);

	peer_do(&self->peer, "done 0", "send-message 1 0");
	peer_do(&self->peer, "done 5", "send-message 1 5");
	peer_do(&self->peer, "done 0", "send-message 2 0");
	peer_do(&self->peer, "ok", "shutdown wr");
	receive_message(&link, 1, 5);
	expect_end(link.sock, TRANSFER_EOF);
}

TEST_F(host, ends_in_order)
{
	struct link link = connect_host(&self->dev, &self->peer);

	for (int i = 0; i < 20; i++)
		peer_do(&self->peer, "done 4000", "send-message %u 4000", i);
	peer_do(&self->peer, "ok", "shutdown wr");
	for (int i = 0; i < 20; i++)
		receive_message(&link, i, 4000);
	expect_end(link.sock, TRANSFER_EOF);

	send_message(&link, 1, 100000);
	shutdown(link.sock, SHUT_WR);
	peer_do(&self->peer, "done 100000", "recv-message 1 100000");
	peer_do(&self->peer, "eof 0", "recv 2 end");
	peer_do(&self->peer, "ok", "close");
	link_close(&link);
	skip_to_rst(&self->dev, link.id);
}

TEST_F(host, closes_with_a_message_unread)
{
	struct link link = connect_host(&self->dev, &self->peer);

	peer_do(&self->peer, "done 10", "send-message 1 10");
	send_message(&link, 1, 1000);
	peer_do(&self->peer, "ok", "unread");
	peer_do(&self->peer, "ok", "close");
	expect_rst(&self->dev, link.id, VSOCKDEV_RST_PEER_RESET, ECONNRESET);
	receive_message(&link, 1, 10);
	expect_end(link.sock, TRANSFER_RESET);
}

/* Who listens for streams takes no messages, and the other way round. */
TEST_F(host, has_ports_of_one_type)
{
	uint32_t port = new_port();
	struct link link;
	int pair[2];

	peer_do(&self->peer, "ok", "listen %u", port);
	seqpacket_pair(pair);
	link = link_request_with(&self->dev, port, pair);
	expect_rst(&self->dev, link.id, VSOCKDEV_RST_REFUSED, ECONNREFUSED);
	peer_do(&self->peer, "ok", "listen %u seqpacket", port);
	link = link_request(&self->dev, port);
	expect_rst(&self->dev, link.id, VSOCKDEV_RST_REFUSED, ECONNREFUSED);
}

#define CROWD 16

TEST_F_TIMEOUT(host, exchanges_messages_beside_streams, LONG_SECONDS)
{
	struct peer peers[CROWD];
	struct link links[CROWD];

	for (int i = 0; i < CROWD; i++) {
		peers[i] = peer_open(&self->dev);
		links[i] = i % 2 ? connect_host(&self->dev, &peers[i]) :
				   peer_connect(&self->dev, &peers[i]);
	}
	for (int i = 0; i < CROWD; i++) {
		peer_tell(&peers[i], "echo");
		if (i % 2)
			send_message(&links[i], i, 60000 + i);
		else
			send_stream(links[i].sock, i, 60000 + i);
	}
	for (int i = 0; i < CROWD; i++) {
		if (i % 2)
			receive_message(&links[i], i, 60000 + i);
		else
			receive_stream(links[i].sock, i, 60000 + i);
		shutdown(links[i].sock, SHUT_WR);
		expect_end(links[i].sock, TRANSFER_EOF);
		peer_hear_exactly(&peers[i], "eof %u", 60000 + i);
	}
}

/* From one host to another one, with no program between. */
TEST_F_TIMEOUT(host, relays_messages_to_another, LONG_SECONDS)
{
	struct device other;
	struct peer peer;
	int pair[2];

	if (machine_devices() < 2)
		SKIP(return, "there is one device only");
	device_start_at(&other, 1, NULL);
	peer = peer_open(&other);
	seqpacket_pair(pair);
	connect_host_with(&self->dev, &self->peer,
			  (const int[]) { -1, pair[0] });
	connect_host_with(&other, &peer, (const int[]) { -1, pair[1] });
	peer_tell(&self->peer, "send 1 %u 1-60000", 4 * MIB);
	peer_do(&peer, "done 4194304", "recv 1 %u 1-60000", 4 * MIB);
	peer_hear_exactly(&self->peer, "done %u", 4 * MIB);
	peer_tell(&peer, "send 2 %u 1-3000", MIB);
	peer_do(&self->peer, "done 1048576", "recv 2 %u 1-3000", MIB);
	peer_hear_exactly(&peer, "done %u", MIB);
	close(other.fd);
}

TEST_HARNESS_MAIN
