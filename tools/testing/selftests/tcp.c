// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection bridged to a TCP connection by the kernel: the same promises as
 * for a unix socket, with FIN and RST in the place of its ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/link.h"

#define MIB (1024 * 1024ULL)
#define BLOCKING (16 * MIB) /* TCP buffers grow */
#define LONG_SECONDS 600
#define BOTH (VSOCKDEV_SHUTDOWN_RECEIVE | VSOCKDEV_SHUTDOWN_SEND)

static __u64 total_bytes(void)
{
	return from_environment("VSOCKDEV_TEST_BYTES", 1024 * MIB);
}

FIXTURE(tcp) {
	struct device dev;
	struct peer peer;
	struct link link; /* its socket is the far end of the TCP connection */
};

FIXTURE_VARIANT(tcp) {
	bool host_asks;
};

FIXTURE_VARIANT_ADD(tcp, guest_asked) {
	.host_asks = false,
};

FIXTURE_VARIANT_ADD(tcp, host_asked) {
	.host_asks = true,
};

static struct link bridge(struct device *dev, struct peer *peer, bool host_asks)
{
	int pair[2];

	tcp_pair(pair);
	if (host_asks)
		return peer_dial_with(dev, peer, pair);
	return peer_connect_with(dev, peer, pair);
}

FIXTURE_SETUP(tcp)
{
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
	self->link = bridge(&self->dev, &self->peer, variant->host_asks);
}

FIXTURE_TEARDOWN(tcp)
{
}

static void reset_on_close(int sock)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		fail("SO_LINGER: %s", strerror(errno));
}

static void wait_unread(int sock)
{
	struct pollfd fds = { .fd = sock, .events = POLLIN };

	if (poll(&fds, 1, HANG_GUARD_MS) != 1 || fds.revents != POLLIN)
		fail("no bytes came");
}

TEST_F_TIMEOUT(tcp, carries_bytes_to_the_host, LONG_SECONDS)
{
	__u64 len = total_bytes() / 16;
	struct job *job;

	peer_tell(&self->peer, "recv 1 %llu", len);
	job = start_sending(self->link.sock, TRANSFER(1, 1, 100000), len,
			    TRANSFER_DONE);
	finish(job);
	peer_hear_exactly(&self->peer, "done %llu", len);
}

TEST_F_TIMEOUT(tcp, carries_bytes_from_the_host, LONG_SECONDS)
{
	__u64 len = total_bytes() / 16;
	struct job *job;

	peer_tell(&self->peer, "send 1 %llu 1-100000", len);
	job = start_receiving(self->link.sock, TRANSFER(1, 1, 100000), len,
			      TRANSFER_DONE);
	finish(job);
	peer_hear_exactly(&self->peer, "done %llu", len);
}

TEST_F_TIMEOUT(tcp, carries_bytes_both_ways_at_once, LONG_SECONDS)
{
	__u64 len = total_bytes() / 64;
	struct job *sender, *receiver;

	peer_tell(&self->peer, "exchange 1 %llu 2 %llu", len, len);
	sender = start_sending(self->link.sock, TRANSFER(2, 1, 100000), len,
			       TRANSFER_DONE);
	receiver = start_receiving(self->link.sock, TRANSFER(1, 1, 100000), len,
				   TRANSFER_DONE);
	finish(sender);
	finish(receiver);
	peer_hear_exactly(&self->peer, "done %llu done %llu", len, len);
}

TEST_F(tcp, carries_small_writes)
{
	struct job *job = start_sending(self->link.sock, TRANSFER(1, 1, 400),
					MIB, TRANSFER_DONE);

	peer_tell(&self->peer, "recv 1 1048576");
	finish(job);
	peer_hear_exactly(&self->peer, "done 1048576");
}

TEST_F(tcp, what_was_queued_before_goes_first)
{
	struct transfer transfer = TRANSFER(1, 1000, 1000);
	int pair[2];

	tcp_pair(pair);
	transfer_send(&transfer, pair[0], 50000);
	wait_unread(pair[1]);
	self->link = peer_connect_with(&self->dev, &self->peer, pair);
	transfer_send(&transfer, self->link.sock, 50000);

	peer_do(&self->peer, "done 100000", "recv 1 100000");
}

TEST_F(tcp, fin_of_the_program_is_a_half_close)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	send_stream(self->link.sock, 1, 300000);
	ASSERT_EQ(0, shutdown(self->link.sock, SHUT_WR));

	peer_do(&self->peer, "eof 300000", "recv 1 end");
	peer_tell(&self->peer, "send 2 %llu", MIB);
	receive_stream(self->link.sock, 2, MIB);
	peer_hear_exactly(&self->peer, "done %llu", MIB);
	expect_no_event(&self->dev, self->link.id);

	peer_do(&self->peer, "ok", "close");
	expect_end(self->link.sock, TRANSFER_EOF);
	EXPECT_EQ(0, skip_to_rst(&self->dev, self->link.id).rst.error);
}

TEST_F(tcp, half_close_of_the_host_is_a_fin)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	peer_do(&self->peer, "done 100000", "send 1 100000");
	peer_do(&self->peer, "ok", "shutdown wr");
	receive_to_end(self->link.sock, 1, 100000, TRANSFER_EOF);
	expect_shutdown(&self->dev, self->link.id, VSOCKDEV_SHUTDOWN_SEND);

	send_stream(self->link.sock, 2, 100000);
	peer_do(&self->peer, "done 100000", "recv 2 100000");
	expect_no_event(&self->dev, self->link.id);

	link_close(&self->link);
	peer_do(&self->peer, "eof 0", "recv 2 end");
	EXPECT_EQ(0, skip_to_rst(&self->dev, self->link.id).rst.error);
}

TEST_F(tcp, the_host_closes_after_everything)
{
	peer_do(&self->peer, "done 100000", "send 1 100000");
	peer_do(&self->peer, "ok", "close");

	receive_to_end(self->link.sock, 1, 100000, TRANSFER_EOF);
	expect_shutdown(&self->dev, self->link.id, BOTH);
	expect_rst(&self->dev, self->link.id, VSOCKDEV_RST_SHUTDOWN, 0);
}

TEST_F(tcp, a_reset_of_the_program_resets_the_connection)
{
	struct vsockdev_event event;

	reset_on_close(self->link.sock);
	link_close(&self->link);

	event = skip_to_rst(&self->dev, self->link.id);
	EXPECT_EQ(VSOCKDEV_RST_LOCAL_CLOSE, event.rst.reason);
	EXPECT_EQ(ECONNRESET, event.rst.error);
	peer_tell(&self->peer, "recv 1 end");
	EXPECT_NE(NULL, strstr(peer_hear(&self->peer), " 0"));
}

/* A program that is gone answers bytes with RST. */
TEST_F(tcp, a_close_with_bytes_unread_resets_the_connection)
{
	struct vsockdev_event event;

	peer_do(&self->peer, "done 1000", "send 1 1000");
	wait_unread(self->link.sock);
	link_close(&self->link);

	event = skip_to_rst(&self->dev, self->link.id);
	EXPECT_EQ(VSOCKDEV_RST_LOCAL_CLOSE, event.rst.reason);
	EXPECT_EQ(ECONNRESET, event.rst.error);
}

TEST_F(tcp, a_reset_of_the_host_follows_the_bytes_before_it)
{
	struct vsockdev_event event;

	if (!host_is_ours())
		SKIP(return, "this host device ends resets by a close");
	send_stream(self->link.sock, 2, 1);
	peer_do(&self->peer, "ok", "unread");
	peer_do(&self->peer, "done 100000", "send 1 100000");
	wait_unread(self->link.sock);
	receive_stream(self->link.sock, 1, 100000);
	peer_do(&self->peer, "ok", "close");

	expect_end(self->link.sock, TRANSFER_RESET);
	event = skip_to_rst(&self->dev, self->link.id);
	EXPECT_EQ(VSOCKDEV_RST_PEER_RESET, event.rst.reason);
	EXPECT_EQ(ECONNRESET, event.rst.error);
}

TEST_F(tcp, send_rst_resets_the_program)
{
	ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, self->link.id));

	expect_end(self->link.sock, TRANSFER_RESET);
	EXPECT_EQ(EPIPE, send_to_end(self->link.sock));
	expect_no_event(&self->dev, self->link.id);
}

TEST_F(tcp, stop_resets_the_program)
{
	ASSERT_EQ(0, stop(self->dev.fd));

	expect_end(self->link.sock, TRANSFER_RESET);
	WAIT_FOR(info_of(self->dev.fd).conns == 0);
}

TEST_F(tcp, stop_wakes_a_blocked_program)
{
	struct job *job = start_sending(self->link.sock,
					TRANSFER(1, 65536, 65536),
					TRANSFER_TO_END, TRANSFER_BROKEN);

	peer_do(&self->peer, "ok", "unread");
	ASSERT_EQ(0, stop(self->dev.fd));

	finish(job);
}

/* TCP cannot be told to write no more, so its bytes are taken and dropped. */
TEST_F(tcp, the_program_may_write_on_when_the_host_takes_no_more)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	peer_do(&self->peer, "ok", "shutdown rd");

	send_stream(self->link.sock, 1, BLOCKING);
	expect_shutdown(&self->dev, self->link.id, VSOCKDEV_SHUTDOWN_RECEIVE);
	peer_do(&self->peer, "done 10000", "send 2 10000");
	receive_stream(self->link.sock, 2, 10000);
}

TEST_F(tcp, send_shutdown_ends_sending_and_goes_on_receiving)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	ASSERT_EQ(0, send_shutdown(self->dev.fd, self->link.addr, self->link.id,
				   VSOCKDEV_SHUTDOWN_SEND));

	peer_do(&self->peer, "eof 0", "recv 1 end");
	peer_do(&self->peer, "done 10000", "send 2 10000");
	receive_stream(self->link.sock, 2, 10000);
}

TEST_F(tcp, urgent_bytes_are_dropped_and_the_rest_is_intact)
{
	struct transfer transfer = TRANSFER(1, 1000, 1000);

	transfer_send(&transfer, self->link.sock, 50000);
	ASSERT_EQ(1, send(self->link.sock, "!", 1, MSG_OOB));
	transfer_send(&transfer, self->link.sock, 50000);

	peer_do(&self->peer, "done 100000", "recv 1 100000");
}

TEST_F(tcp, a_stalled_program_does_not_hold_up_others)
{
	struct peer other = peer_open(&self->dev);
	struct link moves = bridge(&self->dev, &other, false);
	struct job *job;

	peer_tell(&self->peer, "send 1 %llu", BLOCKING);
	wait_unread(self->link.sock);
	peer_tell(&other, "exchange 2 %llu 3 %llu", 4 * MIB, 4 * MIB);
	job = start_sending(moves.sock, TRANSFER(3, 1, 100000), 4 * MIB,
			    TRANSFER_DONE);
	receive_stream(moves.sock, 2, 4 * MIB);
	peer_hear_exactly(&other, "done %llu done %llu", 4 * MIB, 4 * MIB);
	finish(job);

	receive_stream(self->link.sock, 1, BLOCKING);
	peer_hear_exactly(&self->peer, "done %llu", BLOCKING);
}

TEST_HARNESS_MAIN
