// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hosts that others wrote: every byte arrives, with bulk, small writes, many
 * connections, files and messages.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/habits.h"
#include "lib/vmo.h"

#define LONG_SECONDS 900
#define F_SEQPACKET (1ULL << 1)

#define LONG_TEST_F(fixture, name) TEST_F_TIMEOUT(fixture, name, LONG_SECONDS)

/* More than all buffers between two programs hold. */
#define BLOCKING (8 * MIB)

/* Each way; slow machines may do with less. */
static __u64 total_bytes(void)
{
	return from_environment("VSOCKDEV_TEST_BYTES", 64 * MIB);
}

FIXTURE(interop) {
	struct device dev;
	struct peer peer;
	struct link link;
};

FIXTURE_SETUP(interop)
{
	device_start(&self->dev, habitual_options());
	self->peer = peer_open(&self->dev);
	self->link = peer_connect(&self->dev, &self->peer);
}

/* Whatever was done to it, the connection is still one. */
FIXTURE_TEARDOWN(interop)
{
	expect_no_event(&self->dev, self->link.id);
}

/* The peer checks each byte. */
static void to_host(struct peer *peer, int sock, struct transfer transfer,
		    __u64 len)
{
	struct job *job;

	peer_tell(peer, "recv %llu %llu %u-%u", (__u64)transfer.stream.seed,
		  len, transfer.sizes.min, transfer.sizes.max);
	job = start_sending(sock, transfer, len, TRANSFER_DONE);
	finish(job);
	peer_hear_exactly(peer, "done %llu", len);
}

static void to_guest(struct peer *peer, int sock, struct transfer transfer,
		     __u64 len)
{
	struct job *job;

	peer_tell(peer, "send %llu %llu %u-%u", (__u64)transfer.stream.seed,
		  len, transfer.sizes.min, transfer.sizes.max);
	job = start_receiving(sock, transfer, len, TRANSFER_DONE);
	finish(job);
	peer_hear_exactly(peer, "done %llu", len);
}

LONG_TEST_F(interop, bulk_to_the_host)
{
	to_host(&self->peer, self->link.sock, TRANSFER(1, 1, 131071),
		total_bytes());
}

LONG_TEST_F(interop, bulk_to_the_guest)
{
	to_guest(&self->peer, self->link.sock, TRANSFER(1, 1, 131071),
		 total_bytes());
}

LONG_TEST_F(interop, bulk_both_ways)
{
	struct peer peer = peer_open(&self->dev);
	struct link link = peer_dial(&self->dev, &peer);
	__u64 len = total_bytes() / 4;
	struct job *sender, *receiver;

	peer_tell(&peer, "exchange 1 %llu 2 %llu", len, len);
	sender = start_sending(link.sock, TRANSFER(2, 1, 100000), len,
			       TRANSFER_DONE);
	receiver = start_receiving(link.sock, TRANSFER(1, 1, 100000), len,
				   TRANSFER_DONE);
	finish(sender);
	finish(receiver);
	peer_hear_exactly(&peer, "done %llu done %llu", len, len);
}

LONG_TEST_F(interop, small_writes)
{
	to_host(&self->peer, self->link.sock, TRANSFER(1, 129, 512), MIB);
	to_guest(&self->peer, self->link.sock, TRANSFER(2, 129, 512), MIB);
	to_host(&self->peer, self->link.sock, TRANSFER(3, 1, 1), 5000);
	to_guest(&self->peer, self->link.sock, TRANSFER(4, 1, 1), 5000);
}

/*
 * Linux resets a connection that has too many small packets unread. The host
 * does not read, and has to get each byte in the end.
 */
LONG_TEST_F(interop, small_writes_that_nobody_reads)
{
	struct job *job;

	job = start_sending(self->link.sock, TRANSFER(1, 1, 200), MIB,
			    TRANSFER_DONE);
	peer_do(&self->peer, "ok", "unread");
	WAIT_FOR(info_of(self->dev.fd).credit_requests > 0);
	peer_tell(&self->peer, "recv 1 %llu 1-300", MIB);
	finish(job);
	peer_hear_exactly(&self->peer, "done %llu", MIB);
}

/* The same from the host, which sends one packet for each write. */
LONG_TEST_F(interop, small_packets_that_nobody_reads)
{
	struct peer other;

	peer_tell(&self->peer, "send 1 %llu 1-200", MIB);
	other = peer_open(&self->dev);
	expect_alive(&other.link);
	receive_stream(self->link.sock, 1, MIB);
	peer_hear_exactly(&self->peer, "done %llu", MIB);
}

LONG_TEST_F(interop, blocked_both_ways_goes_on)
{
	struct job *job;

	peer_tell(&self->peer, "send 1 %llu", BLOCKING);
	job = start_sending(self->link.sock, TRANSFER(2, 65536, 65536),
			    BLOCKING, TRANSFER_DONE);
	receive_stream(self->link.sock, 1, BLOCKING);
	peer_hear_exactly(&self->peer, "done %llu", BLOCKING);
	peer_tell(&self->peer, "recv 2 %llu", BLOCKING);
	finish(job);
	peer_hear_exactly(&self->peer, "done %llu", BLOCKING);
}

LONG_TEST_F(interop, a_blocked_connection_does_not_hold_up_others)
{
	struct peer peer = peer_open(&self->dev);
	struct link moves = peer_connect(&self->dev, &peer);
	struct job *job;

	job = start_sending(self->link.sock, TRANSFER(1, 65536, 65536),
			    BLOCKING, TRANSFER_DONE);
	peer_do(&self->peer, "ok", "unread");
	to_host(&peer, moves.sock, TRANSFER(2, 1, 100000), 4 * MIB);
	to_guest(&peer, moves.sock, TRANSFER(3, 1, 100000), 4 * MIB);
	peer_tell(&self->peer, "recv 1 %llu", BLOCKING);
	finish(job);
	peer_hear_exactly(&self->peer, "done %llu", BLOCKING);
}

/* Many connections. */
#define CROWD 100

static void become_echo(struct link *link)
{
	if (write(link->sock, "become-echo\n", 12) != 12)
		fail("become-echo: %s", strerror(errno));
}

LONG_TEST_F(interop, a_hundred_connections)
{
	struct job *senders[CROWD], *receivers[CROWD];
	struct link links[CROWD];
	__u64 len = total_bytes() / 1024;

	for (int i = 0; i < CROWD; i++)
		links[i] = link_request(&self->dev, SCRIPT_PORT);
	for (int i = 0; i < CROWD; i++)
		expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, links[i].id);
	for (int i = 0; i < CROWD; i++) {
		become_echo(&links[i]);
		senders[i] = start_sending(links[i].sock,
					   TRANSFER(i + 1, 1, 20000), len,
					   TRANSFER_DONE);
		receivers[i] = start_receiving(links[i].sock,
					       TRANSFER(i + 1, 1, 20000), len,
					       TRANSFER_DONE);
	}
	for (int i = 0; i < CROWD; i++) {
		EXPECT_EQ(len, finish(senders[i]));
		EXPECT_EQ(len, finish(receivers[i]));
		link_close(&links[i]);
	}
	for (int i = 0; i < CROWD; i++)
		EXPECT_EQ(0, skip_to_rst(&self->dev, links[i].id).rst.error);
}

/* Files. */
LONG_TEST_F(interop, send_vmo)
{
	__u64 offset = 4099, len = MIB;
	int file = vmo_open(VMO_MEMFD, offset + len);
	struct transfer transfer = TRANSFER(1, 1, 1000);

	vmo_fill(file, offset, stream_at(1, 777), len);
	transfer_send(&transfer, self->link.sock, 777);
	peer_do(&self->peer, "done 777", "recv 1 777");
	ASSERT_EQ(0, send_vmo(self->dev.fd, &self->link, file, offset, len));
	peer_tell(&self->peer, "recv 1 %llu", len + 777);
	expect_complete(&self->dev, self->link.id, 0, len);
	transfer.stream.pos += len;
	transfer_send(&transfer, self->link.sock, 777);
	peer_hear_exactly(&self->peer, "done %llu", len + 777);
}

/* Longer than the host's window, and the program writes behind it. */
LONG_TEST_F(interop, send_vmo_that_waits_for_the_host)
{
	struct transfer transfer = TRANSFER(1, 1, 1000);
	__u64 offset = 1, len = 4 * MIB - 1;
	int file = scattered_file(4 * MIB);

	vmo_fill(file, offset, stream_at(1, 0), len);
	ASSERT_EQ(0, send_vmo(self->dev.fd, &self->link, file, offset, len));
	peer_do(&self->peer, "ok", "unread");
	transfer.stream.pos = len;
	transfer_send(&transfer, self->link.sock, 5000);
	peer_tell(&self->peer, "recv 1 %llu", len + 5000);
	expect_complete(&self->dev, self->link.id, 0, len);
	peer_hear_exactly(&self->peer, "done %llu", len + 5000);
}

LONG_TEST_F(interop, send_vmo_and_the_host_program_is_killed)
{
	struct peer peer = peer_open(&self->dev);
	struct link link = peer_connect(&self->dev, &peer);
	int file = scattered_file(16 * MIB);
	struct vsockdev_event event;

	ASSERT_EQ(0, send_vmo(self->dev.fd, &link, file, 0, 16 * MIB));
	peer_do(&peer, "done 1000", "recv 7 1000");
	peer_do(&peer, "ok", "process unread");
	peer_do(&peer, "ok", "kill");
	if (habits()->hides_its_close) {
		note_habit("tells nothing: our close times out");
		link_close(&link);
	}
	do {
		event = expect_event(&self->dev, 0, link.id);
	} while (event.type == VSOCKDEV_EVENT_SHUTDOWN);
	ASSERT_EQ(VSOCKDEV_EVENT_SEND_VMO_COMPLETE, event.type);
	EXPECT_NE(0, event.vmo.status);
	EXPECT_GT(16 * MIB, event.vmo.bytes);
	skip_to_rst(&self->dev, link.id);
}

/* Messages. */
FIXTURE(messages) {
	struct device dev;
	struct peer peer;
};

FIXTURE_SETUP(messages)
{
	device_start(&self->dev, NULL);
	if (!(info_of(self->dev.fd).features & F_SEQPACKET))
		SKIP(return, "the host offers no SEQPACKET");
	self->peer = peer_open(&self->dev);
}

FIXTURE_TEARDOWN(messages)
{
}

#define MESSAGE_MAX (256 * KIB)

static struct transfer messages(uint64_t seed, uint32_t min, uint32_t max)
{
	return (struct transfer){
		.stream = { .seed = seed },
		.sizes = { min, max },
		.messages = true,
	};
}

/* With room for the largest message. */
static void message_pair(int pair[2])
{
	int bytes = MIB;

	seqpacket_pair(pair);
	if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &bytes,
		       sizeof(bytes)))
		fail("SO_SNDBUFFORCE: %s", strerror(errno));
}

static struct link connect_messages(struct device *dev, struct peer *peer)
{
	uint32_t port = new_port();
	struct link link;
	int pair[2];

	message_pair(pair);
	peer_do(peer, "ok", "listen %u seqpacket", port);
	link = link_request_with(dev, port, pair);
	peer_do(peer, "ok", "accept");
	expect_event(dev, VSOCKDEV_EVENT_RESPONSE, link.id);
	return link;
}

static struct link accept_messages(struct device *dev, struct peer *peer)
{
	uint32_t port = new_port();
	struct vsockdev_event request;
	struct link link;
	int pair[2];

	message_pair(pair);
	peer_do(peer, "ok", "dial-start %u seqpacket", port);
	request = expect_request(dev, port);
	if (request.request.socket_type != VSOCKDEV_TYPE_SEQPACKET)
		fail("REQUEST of type %u", request.request.socket_type);
	link = link_accept_with(dev, &request, pair);
	peer_tell(peer, "dial-wait");
	if (strncmp(peer_hear(peer), "ok ", 3))
		fail("dialling the guest failed");
	return link;
}

#define connect_messages(...) HERE((connect_messages)(__VA_ARGS__))
#define accept_messages(...) HERE((accept_messages)(__VA_ARGS__))

LONG_TEST_F(messages, seqpacket_to_the_host)
{
	struct link link = connect_messages(&self->dev, &self->peer);

	to_host(&self->peer, link.sock, messages(1, 1, 60000), 4 * MIB);
}

LONG_TEST_F(messages, seqpacket_to_the_guest)
{
	struct link link = accept_messages(&self->dev, &self->peer);

	to_guest(&self->peer, link.sock, messages(1, 1, 60000), 4 * MIB);
}

LONG_TEST_F(messages, seqpacket_of_the_largest_size)
{
	struct link link = connect_messages(&self->dev, &self->peer);

	to_host(&self->peer, link.sock, messages(1, MESSAGE_MAX, MESSAGE_MAX),
		3 * MESSAGE_MAX);
	to_guest(&self->peer, link.sock, messages(2, MESSAGE_MAX, MESSAGE_MAX),
		 3 * MESSAGE_MAX);
}

LONG_TEST_F(messages, seqpacket_small_ones_that_nobody_reads)
{
	struct link link = connect_messages(&self->dev, &self->peer);
	struct job *job;

	job = start_sending(link.sock, messages(1, 1, 200), MIB,
			    TRANSFER_DONE);
	peer_do(&self->peer, "ok", "unread");
	WAIT_FOR(info_of(self->dev.fd).credit_requests > 0);
	peer_tell(&self->peer, "recv 1 %llu 1-200", MIB);
	finish(job);
	peer_hear_exactly(&self->peer, "done %llu", MIB);
}

LONG_TEST_F(messages, seqpacket_ends_in_order)
{
	struct link link = accept_messages(&self->dev, &self->peer);

	peer_do(&self->peer, "done 4000", "send 1 4000 100-500");
	peer_do(&self->peer, "ok", "shutdown wr");
	finish(start_receiving(link.sock, messages(1, 100, 500), 4000,
			       TRANSFER_DONE));
	expect_end(link.sock, TRANSFER_EOF);
	to_host(&self->peer, link.sock, messages(2, 5000, 6000), 100000);
	shutdown(link.sock, SHUT_WR);
	peer_do(&self->peer, "eof 0", "recv 2 end");
	peer_do(&self->peer, "ok", "close");
	link_close(&link);
	EXPECT_EQ(0, skip_to_rst(&self->dev, link.id).rst.error);
}

TEST_HARNESS_MAIN
