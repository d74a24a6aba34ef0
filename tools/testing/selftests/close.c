// SPDX-License-Identifier: GPL-2.0-only
/*
 * How connections end: every order of closing, from both sides, and that what
 * was sent before an end arrives before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/link.h"

#define MIB (1024 * 1024ULL)
#define BOTH (VSOCKDEV_SHUTDOWN_RECEIVE | VSOCKDEV_SHUTDOWN_SEND)

/* A connection to the peer's data connection, whoever asked for it. */
FIXTURE(closing) {
	struct device dev;
	struct peer peer;
	struct link link;
};

FIXTURE_VARIANT(closing) {
	bool host_asks;
};

FIXTURE_VARIANT_ADD(closing, guest_asked) {
	.host_asks = false,
};

FIXTURE_VARIANT_ADD(closing, host_asked) {
	.host_asks = true,
};

FIXTURE_SETUP(closing)
{
	/* There is a host device whose connections only end by this. */
	struct vsockdev_start options = {
		.close_timeout_ms = host_is_ours() ? 0 : 1000,
	};

	device_start(&self->dev, &options);
	self->peer = peer_open(&self->dev);
	if (variant->host_asks)
		self->link = peer_dial(&self->dev, &self->peer);
	else
		self->link = peer_connect(&self->dev, &self->peer);
}

FIXTURE_TEARDOWN(closing)
{
}

/* Over, by the close of the program, with nothing lost. */
static void expect_closed(struct device *dev, uint64_t id)
{
	struct vsockdev_event event;

	event = expect_event(dev, VSOCKDEV_EVENT_RST, id);
	if (event.rst.reason == VSOCKDEV_RST_LOCAL_CLOSE && !event.rst.error)
		return;
	if (!host_is_ours() && event.rst.reason == VSOCKDEV_RST_TIMED_OUT)
		return;
	fail("expected the end by a close, saw reason %u, error %d",
	     event.rst.reason, event.rst.error);
}

/* The number at the end of the peer's answer. */
static uint64_t heard_bytes(struct peer *peer, const char *end)
{
	const char *answer = peer_hear(peer);
	size_t len = strlen(end);

	if (strncmp(answer, end, len) || answer[len] != ' ')
		fail("the peer answers '%s' instead of '%s N'", answer, end);
	return strtoull(answer + len, NULL, 10);
}

/* Bytes lie in the socket and are not taken. */
static void wait_unread(int sock)
{
	struct pollfd fds = { .fd = sock, .events = POLLIN };

	if (poll(&fds, 1, HANG_GUARD_MS) != 1 || fds.revents != POLLIN)
		fail("no bytes came");
}

static bool is_writable(int sock)
{
	struct pollfd fds = { .fd = sock, .events = POLLOUT };

	return poll(&fds, 1, 0);
}

TEST_F(closing, half_close_of_the_program_sends_everything_then_the_end)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	peer_tell(&self->peer, "recv 1 end");
	send_stream(self->link.sock, 1, MIB);
	ASSERT_EQ(0, shutdown(self->link.sock, SHUT_WR));
	peer_hear_exactly(&self->peer, "eof %llu", MIB);

	/* The other direction goes on. */
	peer_tell(&self->peer, "send 2 %llu", MIB);
	receive_stream(self->link.sock, 2, MIB);
	peer_hear_exactly(&self->peer, "done %llu", MIB);
	expect_no_event(&self->dev, self->link.id);

	peer_do(&self->peer, "ok", "close");
	expect_end(self->link.sock, TRANSFER_EOF);
	expect_shutdown(&self->dev, self->link.id, BOTH);
	expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_SHUTDOWN, 0);
}

TEST_F(closing, half_close_of_the_host_is_the_end_after_everything)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	peer_tell(&self->peer, "send 1 %llu", MIB);
	receive_stream(self->link.sock, 1, MIB);
	peer_hear_exactly(&self->peer, "done %llu", MIB);
	peer_do(&self->peer, "ok", "shutdown wr");
	expect_end(self->link.sock, TRANSFER_EOF);
	expect_shutdown(&self->dev, self->link.id, VSOCKDEV_SHUTDOWN_SEND);

	/* The other direction goes on. */
	peer_tell(&self->peer, "recv 2 %llu", MIB);
	send_stream(self->link.sock, 2, MIB);
	peer_hear_exactly(&self->peer, "done %llu", MIB);
	expect_no_event(&self->dev, self->link.id);

	link_close(&self->link);
	peer_do(&self->peer, "eof 0", "recv 2 end");
	expect_closed(&self->dev, self->link.id);
}

/* The end may not overtake what waits in the window. */
TEST_F(closing, half_close_of_the_host_waits_behind_unread_bytes)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	peer_tell(&self->peer, "send 1 %llu", MIB);
	wait_unread(self->link.sock);
	receive_stream(self->link.sock, 1, MIB);
	peer_hear_exactly(&self->peer, "done %llu", MIB);
	peer_do(&self->peer, "done 200000", "send 2 200000");
	peer_do(&self->peer, "ok", "shutdown wr");
	expect_shutdown(&self->dev, self->link.id, VSOCKDEV_SHUTDOWN_SEND);

	receive_to_end(self->link.sock, 2, 200000, TRANSFER_EOF);
}

/* Then nothing can be sent any more, and the connection is over. */
TEST_F(closing, both_may_half_close)
{
	struct vsockdev_event event;

	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	peer_do(&self->peer, "done 1000", "send 1 1000");
	peer_do(&self->peer, "ok", "shutdown wr");
	send_stream(self->link.sock, 2, 1000);
	ASSERT_EQ(0, shutdown(self->link.sock, SHUT_WR));

	receive_to_end(self->link.sock, 1, 1000, TRANSFER_EOF);
	peer_do(&self->peer, "eof 1000", "recv 2 end");
	event = skip_to_rst(&self->dev, self->link.id);
	EXPECT_EQ(VSOCKDEV_RST_SHUTDOWN, event.rst.reason);
	EXPECT_EQ(0, event.rst.error);
	EXPECT_EQ(1000, event.rst.bytes_sent);
	EXPECT_EQ(1000, event.rst.bytes_received);
}

TEST_F(closing, the_program_closes_and_what_it_wrote_arrives)
{
	struct vsockdev_event event;

	peer_tell(&self->peer, "recv 1 end");
	send_stream(self->link.sock, 1, 4 * MIB);
	link_close(&self->link);

	peer_hear_exactly(&self->peer, "eof %llu", 4 * MIB);
	event = expect_event(&self->dev, VSOCKDEV_EVENT_RST, self->link.id);
	EXPECT_EQ(4 * MIB, event.rst.bytes_sent);
}

/* Nobody reads yet when the program is gone already. */
TEST_F(closing, the_program_closes_before_the_host_reads)
{
	send_stream(self->link.sock, 1, 100000);
	link_close(&self->link);

	peer_do(&self->peer, "eof 100000", "recv 1 end");
	expect_closed(&self->dev, self->link.id);
}

TEST_F(closing, the_program_closes_with_nothing_written)
{
	link_close(&self->link);

	peer_do(&self->peer, "eof 0", "recv 1 end");
	expect_closed(&self->dev, self->link.id);
	WAIT_FOR(info_of(self->dev.fd).conns == 1);
}

TEST_F(closing, the_program_closes_with_bytes_unread)
{
	struct vsockdev_event event;

	peer_do(&self->peer, "done 1000", "send 1 1000");
	wait_unread(self->link.sock);
	link_close(&self->link);

	event = expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_LOCAL_CLOSE,
			   ECONNRESET);
	EXPECT_EQ(1000, event.rst.bytes_received);
	peer_tell(&self->peer, "recv 1 end");
	EXPECT_NE(NULL, strstr(peer_hear(&self->peer), " 0"));
}

/* They wait in the connection, as the socket is full. */
TEST_F(closing, the_program_closes_with_bytes_that_never_reached_its_socket)
{
	peer_tell(&self->peer, "send 1 %llu", 64 * MIB);
	wait_unread(self->link.sock);
	link_close(&self->link);

	expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_LOCAL_CLOSE,
		   ECONNRESET);
	peer_hear(&self->peer);
}

/* As much as the connection takes when nobody reads. */
static uint64_t fill(int sock)
{
	struct transfer transfer = { .stream.seed = 1 };

	if (fcntl(sock, F_SETFL, O_NONBLOCK))
		fail("O_NONBLOCK: %s", strerror(errno));
	transfer_send(&transfer, sock, TRANSFER_TO_END);
	fcntl(sock, F_SETFL, 0);
	if (transfer.error != EAGAIN)
		fail("filling: %s", strerror(transfer.error));
	return transfer.bytes;
}

/* As much as that and so much that credit ran out, so the host has some. */
static uint64_t fill_up(struct device *dev, int sock)
{
	uint64_t asked = info_of(dev->fd).credit_requests, written = 0;

	WAIT_FOR((written += fill(sock),
		  info_of(dev->fd).credit_requests > asked));
	return written + fill(sock);
}

/* A host that leaves bytes behind must not look like one that took them. */
TEST_F(closing, the_program_closed_and_the_host_resets_before_it_has_all)
{
	struct vsockdev_event event;
	uint64_t written;

	if (!host_is_ours())
		SKIP(return, "this host device does not tell of its close");
	written = fill_up(&self->dev, self->link.sock);
	link_close(&self->link);
	peer_do(&self->peer, "ok", "unread");
	peer_do(&self->peer, "ok", "close");

	event = skip_to_rst(&self->dev, self->link.id);
	if (event.rst.bytes_sent < written)
		EXPECT_NE(0, event.rst.error);
}

TEST_F(closing, the_host_closes_after_everything)
{
	peer_do(&self->peer, "done 100000", "send 1 100000");
	peer_do(&self->peer, "ok", "close");

	receive_to_end(self->link.sock, 1, 100000, TRANSFER_EOF);
	expect_shutdown(&self->dev, self->link.id, BOTH);
	expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_SHUTDOWN, 0);
	EXPECT_EQ(EPIPE, send_to_end(self->link.sock));
}

TEST_F(closing, the_host_closes_before_the_program_reads)
{
	struct vsockdev_event event;

	peer_tell(&self->peer, "send 1 %llu", 4 * MIB);
	wait_unread(self->link.sock);
	peer_tell(&self->peer, "close");

	receive_to_end(self->link.sock, 1, 4 * MIB, TRANSFER_EOF);
	peer_hear_exactly(&self->peer, "done %llu", 4 * MIB);
	peer_hear_exactly(&self->peer, "ok");
	expect_shutdown(&self->dev, self->link.id, BOTH);
	event = expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_SHUTDOWN, 0);
	EXPECT_EQ(4 * MIB, event.rst.bytes_received);
}

TEST_F(closing, the_host_closes_with_nothing_sent)
{
	peer_do(&self->peer, "ok", "close");

	expect_end(self->link.sock, TRANSFER_EOF);
	expect_shutdown(&self->dev, self->link.id, BOTH);
	expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_SHUTDOWN, 0);
	WAIT_FOR(info_of(self->dev.fd).conns == 1);
}

TEST_F(closing, both_close_at_once)
{
	peer_tell(&self->peer, "close");
	link_close(&self->link);
	peer_hear_exactly(&self->peer, "ok");

	EXPECT_EQ(0, skip_to_rst(&self->dev, self->link.id).rst.error);
	WAIT_FOR(info_of(self->dev.fd).conns == 1);
}

/*
 * More than the program's socket holds, so some of it waits in the connection
 * when that ends.
 */
TEST_F(closing, a_reset_of_the_host_follows_the_bytes_before_it)
{
	struct vsockdev_event event;

	if (!host_is_ours())
		SKIP(return, "this host device ends resets by a close");
	send_stream(self->link.sock, 2, 1);
	peer_do(&self->peer, "ok", "unread");
	peer_do(&self->peer, "done 300000", "send 1 300000");
	peer_do(&self->peer, "ok", "close");

	event = skip_to_rst(&self->dev, self->link.id);
	EXPECT_EQ(VSOCKDEV_RST_PEER_RESET, event.rst.reason);
	EXPECT_EQ(ECONNRESET, event.rst.error);
	EXPECT_EQ(300000, event.rst.bytes_received);
	receive_to_end(self->link.sock, 1, 300000, TRANSFER_RESET);
}

/* More than all buffers hold: the reset waits on the host. */
TEST_F(closing, a_reset_of_the_host_loses_nothing_that_was_received)
{
	struct vsockdev_event event;

	if (!host_is_ours())
		SKIP(return, "this host device ends resets by a close");
	send_stream(self->link.sock, 2, 1);
	peer_do(&self->peer, "ok", "unread");
	peer_tell(&self->peer, "send 1 %llu", 4 * MIB);
	peer_tell(&self->peer, "close");
	wait_unread(self->link.sock);

	receive_to_end(self->link.sock, 1, 4 * MIB, TRANSFER_RESET);
	event = skip_to_rst(&self->dev, self->link.id);
	EXPECT_EQ(VSOCKDEV_RST_PEER_RESET, event.rst.reason);
	EXPECT_EQ(ECONNRESET, event.rst.error);
	EXPECT_EQ(4 * MIB, event.rst.bytes_received);
}

TEST_F(closing, a_blocked_writer_wakes_when_the_host_resets)
{
	struct job *job;

	if (!host_is_ours())
		SKIP(return, "this host device ends resets by a close");
	job = start_sending(self->link.sock, TRANSFER(1, 65536, 65536),
			    TRANSFER_TO_END, TRANSFER_BROKEN);
	peer_do(&self->peer, "ok", "unread");
	peer_do(&self->peer, "ok", "close");

	finish(job);
}

/* SEND_RST */
TEST_F(closing, send_rst_aborts_at_once)
{
	peer_do(&self->peer, "done 1000", "send 1 1000");
	wait_unread(self->link.sock);

	ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, self->link.id));

	receive_to_end(self->link.sock, 1, 1000, TRANSFER_RESET);
	EXPECT_EQ(EPIPE, send_to_end(self->link.sock));
	peer_tell(&self->peer, "recv 2 end");
	peer_hear(&self->peer);
	expect_no_event(&self->dev, self->link.id);
	WAIT_FOR(info_of(self->dev.fd).conns == 1);
}

TEST_F(closing, send_rst_wakes_a_blocked_writer)
{
	struct job *job = start_sending(self->link.sock,
					TRANSFER(1, 65536, 65536),
					TRANSFER_TO_END, TRANSFER_BROKEN);

	peer_do(&self->peer, "ok", "unread");
	ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, 0));

	finish(job);
	expect_no_event(&self->dev, self->link.id);
}

/*
 * A socket tells its error once, and a writer may be there first. The reader
 * must not take the end for that of a whole stream.
 */
TEST_F(closing, send_rst_is_told_to_a_reader_beside_blocked_writers)
{
	struct job *reader, *writers[4];
	unsigned int i;

	for (int round = 0; round < 20; round++) {
		reader = start_receiving(self->link.sock,
					 TRANSFER(2, 1000, 1000),
					 TRANSFER_TO_END, TRANSFER_RESET);
		for (i = 0; i < ARRAY_SIZE(writers); i++)
			writers[i] = start_sending(self->link.sock,
						   TRANSFER(1, 65536, 65536),
						   TRANSFER_TO_END,
						   TRANSFER_BROKEN);
		peer_do(&self->peer, "ok", "unread");
		WAIT_FOR(!is_writable(self->link.sock));
		ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, 0));
		for (i = 0; i < ARRAY_SIZE(writers); i++)
			finish(writers[i]);
		finish(reader);

		link_close(&self->link);
		peer_do(&self->peer, "ok", "close");
		self->link = peer_connect(&self->dev, &self->peer);
	}
}

static void ask_for_error(int sock)
{
	int error = 0;
	socklen_t len = sizeof(error);

	WAIT_FOR(poll_now(sock) & POLLERR);
	if (getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &len) ||
	    error != ECONNRESET)
		fail("SO_ERROR: %d", error);
}

/* It gets what there is, and forgets the error. */
static void read_for_all(int sock, ssize_t len)
{
	char bytes[2000];
	ssize_t n = recv(sock, bytes, sizeof(bytes), MSG_WAITALL);

	if (n != len)
		fail("%zd bytes instead of %zd", n, len);
	expect_end(sock, TRANSFER_RESET);
	expect_end_of_resets(sock);
}

TEST_F(closing, send_rst_is_told_after_a_read_that_waits_for_all)
{
	peer_do(&self->peer, "done 1000", "send 1 1000");
	wait_unread(self->link.sock);
	ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, self->link.id));
	read_for_all(self->link.sock, 1000);
}

/* Each of them takes the error from the next one. */
TEST_F(closing, send_rst_is_told_to_who_asks_and_to_who_reads_all)
{
	peer_do(&self->peer, "done 1000", "send 1 1000");
	wait_unread(self->link.sock);
	ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, self->link.id));
	ask_for_error(self->link.sock);
	ask_for_error(self->link.sock);
	read_for_all(self->link.sock, 1000);
}

/* However late it comes. */
TEST_F(closing, send_rst_is_told_after_a_late_read_that_waits_for_all)
{
	peer_do(&self->peer, "done 1000", "send 1 1000");
	wait_unread(self->link.sock);
	ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, self->link.id));
	sleep(4);
	read_for_all(self->link.sock, 1000);
}

TEST_F(closing, send_rst_is_told_to_who_asks_and_to_who_reads)
{
	ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, self->link.id));
	ask_for_error(self->link.sock);
	ask_for_error(self->link.sock);
	expect_end(self->link.sock, TRANSFER_RESET);
	expect_end_of_resets(self->link.sock);
}

TEST_F(closing, send_rst_drops_the_unread_events_of_the_connection)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	peer_do(&self->peer, "ok", "shutdown wr");
	WAIT_FOR(poll_now(self->dev.fd) == POLLIN);

	ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, self->link.id));

	EXPECT_EQ(0, poll_now(self->dev.fd));
	/* Once more it is RST to nobody. */
	EXPECT_EQ(0, send_rst(self->dev.fd, self->link.addr, 0));
}

/* SEND_SHUTDOWN */
TEST_F(closing, send_shutdown_ends_sending_and_goes_on_receiving)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	send_stream(self->link.sock, 1, 1000);
	peer_do(&self->peer, "done 1000", "recv 1 1000");

	ASSERT_EQ(0, send_shutdown(self->dev.fd, self->link.addr, self->link.id,
				   VSOCKDEV_SHUTDOWN_SEND));

	EXPECT_EQ(EPIPE, send_to_end(self->link.sock));
	peer_do(&self->peer, "eof 0", "recv 1 end");
	peer_do(&self->peer, "done 100000", "send 2 100000");
	receive_stream(self->link.sock, 2, 100000);
	EXPECT_EQ(-EALREADY,
		  send_shutdown(self->dev.fd, self->link.addr, self->link.id,
				VSOCKDEV_SHUTDOWN_SEND));
	expect_no_event(&self->dev, self->link.id);

	peer_do(&self->peer, "ok", "close");
	expect_end(self->link.sock, TRANSFER_EOF);
	expect_shutdown(&self->dev, self->link.id, BOTH);
	expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_SHUTDOWN, 0);
}

TEST_F(closing, send_shutdown_ends_receiving_and_goes_on_sending)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	ASSERT_EQ(0, send_shutdown(self->dev.fd, self->link.addr, self->link.id,
				   VSOCKDEV_SHUTDOWN_RECEIVE));

	peer_tell(&self->peer, "send 1 end");
	heard_bytes(&self->peer, "broken");
	send_stream(self->link.sock, 2, 10000);
	peer_do(&self->peer, "done 10000", "recv 2 10000");
	EXPECT_EQ(-EALREADY,
		  send_shutdown(self->dev.fd, self->link.addr, self->link.id,
				VSOCKDEV_SHUTDOWN_RECEIVE));
	expect_no_event(&self->dev, self->link.id);
}

TEST_F(closing, send_shutdown_of_both_is_answered_by_rst)
{
	ASSERT_EQ(0, send_shutdown(self->dev.fd, self->link.addr, self->link.id,
				   0));

	if (host_is_ours())
		expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_SHUTDOWN, 0);
	else
		expect_event(&self->dev, VSOCKDEV_EVENT_RST, self->link.id);
	EXPECT_EQ(EPIPE, send_to_end(self->link.sock));
	peer_do(&self->peer, "eof 0", "recv 1 end");
	EXPECT_EQ(-ENOTCONN,
		  send_shutdown(self->dev.fd, self->link.addr, 0, 0));
}

TEST_F(closing, send_shutdown_direction_by_direction_is_both)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	ASSERT_EQ(0, send_shutdown(self->dev.fd, self->link.addr, 0,
				   VSOCKDEV_SHUTDOWN_SEND));
	ASSERT_EQ(0, send_shutdown(self->dev.fd, self->link.addr, 0,
				   VSOCKDEV_SHUTDOWN_RECEIVE));

	expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_SHUTDOWN, 0);
}

/* shutdown() of the program's socket */
TEST_F(closing, the_program_shuts_down_receiving)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	ASSERT_EQ(0, shutdown(self->link.sock, SHUT_RD));

	peer_tell(&self->peer, "send 1 end");
	heard_bytes(&self->peer, "broken");
	send_stream(self->link.sock, 2, 10000);
	peer_do(&self->peer, "done 10000", "recv 2 10000");
	expect_no_event(&self->dev, self->link.id);
}

TEST_F(closing, the_program_shuts_down_both_directions)
{
	send_stream(self->link.sock, 1, 50000);
	ASSERT_EQ(0, shutdown(self->link.sock, SHUT_RDWR));

	peer_do(&self->peer, "eof 50000", "recv 1 end");
	if (host_is_ours())
		expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_SHUTDOWN, 0);
	else
		expect_event(&self->dev, VSOCKDEV_EVENT_RST, self->link.id);
}

/* The host takes no more. */
TEST_F(closing, the_program_gets_epipe_when_the_host_takes_no_more)
{
	struct vsockdev_event event;

	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	peer_do(&self->peer, "ok", "shutdown rd");

	EXPECT_EQ(EPIPE, send_to_end(self->link.sock));
	event = expect_event(&self->dev, VSOCKDEV_EVENT_SHUTDOWN,
			     self->link.id);
	EXPECT_EQ(VSOCKDEV_SHUTDOWN_RECEIVE, event.shutdown.directions);
	peer_do(&self->peer, "done 10000", "send 1 10000");
	receive_stream(self->link.sock, 1, 10000);
}

/* The end of the owner. */
TEST_F(closing, stop_resets_every_connection)
{
	struct link other = link_connect(&self->dev, SCRIPT_PORT);

	peer_do(&self->peer, "done 1000", "send 1 1000");
	wait_unread(self->link.sock);

	ASSERT_EQ(0, stop(self->dev.fd));

	receive_to_end(self->link.sock, 1, 1000, TRANSFER_RESET);
	expect_end(other.sock, TRANSFER_RESET);
	expect_end(self->peer.link.sock, TRANSFER_RESET);
	WAIT_FOR(info_of(self->dev.fd).conns == 0);
}

TEST_F(closing, the_last_close_resets_every_connection)
{
	int other = open_device();

	ASSERT_EQ(0, close(self->dev.fd));

	expect_end(self->link.sock, TRANSFER_RESET);
	expect_end(self->peer.link.sock, TRANSFER_RESET);
	EXPECT_EQ(0, start(other, NULL));
}

TEST_F(closing, stop_wakes_blocked_programs)
{
	struct link other = link_connect(&self->dev, SCRIPT_PORT);
	struct job *writer, *reader;

	writer = start_sending(self->link.sock, TRANSFER(1, 65536, 65536),
			       TRANSFER_TO_END, TRANSFER_BROKEN);
	reader = start_receiving(other.sock, TRANSFER(1, 65536, 65536),
				 TRANSFER_TO_END, TRANSFER_RESET);
	peer_do(&self->peer, "ok", "unread");

	ASSERT_EQ(0, stop(self->dev.fd));

	finish(writer);
	finish(reader);
}

TEST(an_owner_that_is_killed_gives_the_device_up)
{
	int other = open_device(), gate[2], status;
	struct device dev;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(gate));
	pid = fork();
	ASSERT_LE(0, pid);
	if (pid == 0) {
		device_start(&dev, NULL);
		peer_open(&dev);
		if (write(gate[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT_EQ(1, read(gate[0], &byte, 1));
	EXPECT_EQ(-EBUSY, start(other, NULL));

	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));

	EXPECT_EQ(0, start(other, NULL));
	WAIT_FOR(info_of(other).conns == 0);
}

TEST_F(closing, a_child_that_inherits_the_file_keeps_the_connections)
{
	int status, gate[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(gate));
	pid = fork();
	ASSERT_LE(0, pid);
	if (pid == 0) {
		close(gate[1]);
		_exit(read(gate[0], &byte, 1));
	}
	ASSERT_EQ(0, close(self->dev.fd));

	expect_alive(&self->peer.link);

	close(gate[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	expect_end(self->peer.link.sock, TRANSFER_RESET);
}

/* Sends descriptors along with one byte. */
static void pass_fd(int sock, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = {}, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	if (sendmsg(sock, &msg, 0) != 1)
		fail("sendmsg with a descriptor: %s", strerror(errno));
}

static int take_fd(int sock)
{
	char room[CMSG_SPACE(sizeof(int))] = {}, byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room),
	};
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg))
		fail("recvmsg of a descriptor: %s", strerror(errno));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

TEST_F(closing, ownership_goes_with_the_file)
{
	int pair[2], taken;

	unix_pair(pair);
	pass_fd(pair[0], self->dev.fd);
	ASSERT_EQ(0, close(self->dev.fd));
	expect_alive(&self->peer.link);

	taken = take_fd(pair[1]);
	EXPECT_EQ(-EALREADY, start(taken, NULL));
	expect_alive(&self->peer.link);
	ASSERT_EQ(0, close(taken));
	expect_end(self->peer.link.sock, TRANSFER_RESET);
}

/* A file that waits in its own data socket would never be freed. */
TEST_F(closing, the_nodes_file_sent_into_its_own_connection_is_dropped)
{
	int other = open_device();

	pass_fd(self->link.sock, self->dev.fd);
	peer_do(&self->peer, "ok", "unread");

	ASSERT_EQ(0, close(self->dev.fd));

	WAIT_FOR(start(other, NULL) == 0);
	expect_end(self->peer.link.sock, TRANSFER_RESET);
}

TEST(the_nodes_file_queued_before_a_connection_is_made_is_dropped)
{
	int other = open_device(), pair[2];
	struct device dev;
	struct link link;

	device_start(&dev, NULL);
	unix_pair(pair);
	pass_fd(pair[0], dev.fd);
	link = link_request_with(&dev, port_without_answer(), pair);

	ASSERT_EQ(0, close(dev.fd));

	WAIT_FOR(start(other, NULL) == 0);
	expect_end(link.sock, TRANSFER_RESET);
}

/* Timeouts. */
FIXTURE(held) {
	struct device dev;
	struct link link;
};

FIXTURE_SETUP(held)
{
	struct vsockdev_start options = { .close_timeout_ms = 50 };

	if (!host_is_ours())
		SKIP(return, "this host device has no port that holds");
	device_start(&self->dev, &options);
	self->link = link_connect(&self->dev, HOLD_PORT);
}

FIXTURE_TEARDOWN(held)
{
}

TEST_F(held, a_closed_program_does_not_wait_for_credit_for_ever)
{
	uint64_t before = info_of(self->dev.fd).timeouts;

	fill_up(&self->dev, self->link.sock);
	link_close(&self->link);

	expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_TIMED_OUT,
		   ETIMEDOUT);
	EXPECT_EQ(before + 1, info_of(self->dev.fd).timeouts);
	WAIT_FOR(info_of(self->dev.fd).conns == 0);
}

TEST_F(held, a_program_that_is_there_waits_as_long_as_it_likes)
{
	struct link other;

	fill_up(&self->dev, self->link.sock);
	other = link_connect(&self->dev, HOLD_PORT);
	fill_up(&self->dev, other.sock);
	link_close(&other);
	expect_rst(&self->dev, other.id, VSOCKDEV_RST_TIMED_OUT, ETIMEDOUT);

	expect_no_event(&self->dev, self->link.id);
}

TEST_F(held, send_shutdown_drops_what_is_unsent_and_times_out)
{
	fill_up(&self->dev, self->link.sock);

	ASSERT_EQ(0, send_shutdown(self->dev.fd, self->link.addr, self->link.id,
				   0));

	EXPECT_EQ(EPIPE, send_to_end(self->link.sock));
	expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_TIMED_OUT,
		   ETIMEDOUT);
}

TEST_F(held, send_rst_and_stop_need_nothing_from_the_host)
{
	struct link other = link_connect(&self->dev, HOLD_PORT);

	fill_up(&self->dev, self->link.sock);
	fill_up(&self->dev, other.sock);

	ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, self->link.id));
	ASSERT_EQ(0, stop(self->dev.fd));

	WAIT_FOR(info_of(self->dev.fd).conns == 0);
}

/* Ends in any order, many at once, from a seed. */
#define CHURN_LINKS 16
#define CHURN_ROUNDS 12

struct churn {
	struct peer peer;
	struct link link;
};

/* One step of an end; some make no sense after others, and must do no harm. */
static void churn_step(struct device *dev, struct churn *churn, uint32_t step)
{
	struct link *link = &churn->link;
	char bytes[100];

	switch (step) {
	case 0:
		send(link->sock, churn, sizeof(*churn),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 1:
		shutdown(link->sock, SHUT_WR);
		break;
	case 2:
		shutdown(link->sock, SHUT_RD);
		break;
	case 3:
		send_shutdown(dev->fd, link->addr, link->id,
			      VSOCKDEV_SHUTDOWN_SEND);
		break;
	case 4:
		send_shutdown(dev->fd, link->addr, link->id,
			      VSOCKDEV_SHUTDOWN_RECEIVE);
		break;
	case 5:
		peer_tell(&churn->peer, "send 1 1000");
		break;
	case 6:
		peer_tell(&churn->peer, "shutdown wr");
		break;
	case 7:
		peer_tell(&churn->peer, "close");
		break;
	default:
		recv(link->sock, bytes, sizeof(bytes), MSG_DONTWAIT);
	}
}

TEST_F_TIMEOUT(held, no_order_of_ends_leaves_anything_behind, 300)
{
	struct vsockdev_get_info before = info_of(self->dev.fd), after;
	struct churn churns[CHURN_LINKS];
	uint64_t pick = 1;

	ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, 0));
	for (int i = 0; i < CHURN_LINKS; i++)
		churns[i].peer = peer_open(&self->dev);
	for (int round = 0; round < CHURN_ROUNDS; round++) {
		for (int i = 0; i < CHURN_LINKS; i++) {
			struct churn *c = &churns[i];

			c->link = i % 2 ? peer_dial(&self->dev, &c->peer) :
					  peer_connect(&self->dev, &c->peer);
		}
		for (int i = 0; i < 6 * CHURN_LINKS; i++) {
			uint32_t which = stream_pick(&pick, 0, CHURN_LINKS - 1);
			uint32_t step = stream_pick(&pick, 0, 8);

			churn_step(&self->dev, &churns[which], step);
		}
		for (int i = 0; i < CHURN_LINKS; i++) {
			link_close(&churns[i].link);
			skip_to_rst(&self->dev, churns[i].link.id);
			close(churns[i].peer.link.sock);
			skip_to_rst(&self->dev, churns[i].peer.link.id);
			churns[i].peer = peer_open(&self->dev);
		}
	}
	WAIT_FOR(info_of(self->dev.fd).conns == CHURN_LINKS);
	after = info_of(self->dev.fd);
	EXPECT_EQ(before.rx_violations, after.rx_violations);
	EXPECT_EQ(before.rx_malformed, after.rx_malformed);
}

TEST_HARNESS_MAIN
