// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every byte arrives, once and in order: bulk in odd sizes, small writes, many
 * connections, blocked ones, and what programs send that is not plain bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/link.h"

#define KIB 1024ULL
#define MIB (1024 * 1024ULL)
#define LONG_SECONDS 600

/* Hangs are noticed by sockets that time out; this is for slow machines. */
#define LONG_TEST_F(fixture, name) TEST_F_TIMEOUT(fixture, name, LONG_SECONDS)

/* More than all buffers between two programs hold. */
#define BLOCKING (8 * MIB)

/* Of the bulk tests; the others move a part of it. */
static __u64 total_bytes(void)
{
	return from_environment("VSOCKDEV_TEST_BYTES", 1024 * MIB);
}

FIXTURE(data) {
	struct device dev;
	struct peer peer;
	struct link link;
};

FIXTURE_VARIANT(data) {
	bool host_asks;
	bool smallest_window;
};

FIXTURE_VARIANT_ADD(data, guest_asked) {
	.host_asks = false,
};

FIXTURE_VARIANT_ADD(data, host_asked) {
	.host_asks = true,
};

FIXTURE_VARIANT_ADD(data, smallest_window) {
	.smallest_window = true,
};

FIXTURE_SETUP(data)
{
	struct vsockdev_start options = {};

	if (variant->smallest_window) {
		int fd = open_device();

		options.buf_alloc = info_of(fd).min_buf_alloc;
		close(fd);
	}
	device_start(&self->dev, &options);
	self->peer = peer_open(&self->dev);
	if (variant->host_asks)
		self->link = peer_dial(&self->dev, &self->peer);
	else
		self->link = peer_connect(&self->dev, &self->peer);
}

FIXTURE_TEARDOWN(data)
{
}

/* To the host, in writes of these sizes; the peer checks each byte. */
static void to_host(struct peer *peer, int sock, struct transfer transfer,
		    __u64 len)
{
	struct job *job;

	peer_tell(peer, "recv %llu %llu", (__u64)transfer.stream.seed, len);
	job = start_sending(sock, transfer, len, TRANSFER_DONE);
	finish(job);
	peer_hear_exactly(peer, "done %llu", len);
}

static void from_host(struct peer *peer, int sock, struct transfer transfer,
		      __u64 len)
{
	struct job *job;

	peer_tell(peer, "send %llu %llu %u-%u", (__u64)transfer.stream.seed,
		  len, transfer.sizes.min, transfer.sizes.max);
	job = start_receiving(sock, transfer, len, TRANSFER_DONE);
	finish(job);
	peer_hear_exactly(peer, "done %llu", len);
}

LONG_TEST_F(data, small_writes_arrive)
{
	to_host(&self->peer, self->link.sock, TRANSFER(1, 129, 512), 2 * MIB);
	from_host(&self->peer, self->link.sock, TRANSFER(2, 129, 512), 2 * MIB);
}

LONG_TEST_F(data, single_bytes_arrive)
{
	to_host(&self->peer, self->link.sock, TRANSFER(1, 1, 1), 20000);
	from_host(&self->peer, self->link.sock, TRANSFER(2, 1, 1), 20000);
}

LONG_TEST_F(data, large_writes_arrive)
{
	to_host(&self->peer, self->link.sock, TRANSFER(1, MIB, 4 * MIB),
		total_bytes() / 32);
	from_host(&self->peer, self->link.sock, TRANSFER(2, MIB, 4 * MIB),
		  total_bytes() / 32);
}

LONG_TEST_F(data, both_ways_at_once_arrives)
{
	__u64 len = total_bytes() / 32;
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

LONG_TEST_F(data, a_slow_reader_on_the_host_gets_everything)
{
	struct job *job = start_sending(self->link.sock, TRANSFER(1, 1, 100000),
					4 * MIB, TRANSFER_DONE);

	peer_tell(&self->peer, "recv 1 4194304 1-7");
	finish(job);
	peer_hear_exactly(&self->peer, "done 4194304");
}

LONG_TEST_F(data, a_slow_reader_here_gets_everything)
{
	peer_tell(&self->peer, "send 1 %llu", 2 * MIB);
	finish(start_receiving(self->link.sock, TRANSFER(1, 1, 7), 2 * MIB,
			       TRANSFER_DONE));
	peer_hear_exactly(&self->peer, "done %llu", 2 * MIB);
}

/* Neither side reads until it has written, and both must block. */
LONG_TEST_F(data, both_sides_blocked_on_credit_go_on_when_one_reads)
{
	struct job *job;

	peer_tell(&self->peer, "send 1 %llu", BLOCKING);
	job = start_sending(self->link.sock, TRANSFER(2, 65536, 65536),
			    BLOCKING, TRANSFER_DONE);

	/* The peer writes still, so the guest's job can not end before this */
	receive_stream(self->link.sock, 1, BLOCKING);
	peer_hear_exactly(&self->peer, "done %llu", BLOCKING);
	peer_tell(&self->peer, "recv 2 %llu", BLOCKING);
	finish(job);
	peer_hear_exactly(&self->peer, "done 8388608");
}

LONG_TEST_F(data, counters_tell_what_was_moved)
{
	struct vsockdev_get_info before = info_of(self->dev.fd), after;

	to_host(&self->peer, self->link.sock, TRANSFER(1, 1, 5000), 300000);
	from_host(&self->peer, self->link.sock, TRANSFER(2, 1, 5000), 500000);
	after = info_of(self->dev.fd);

	/* The script counts as well: some lines of it. */
	EXPECT_LE(300000, after.tx_bytes - before.tx_bytes);
	EXPECT_GT(300200, after.tx_bytes - before.tx_bytes);
	EXPECT_LE(500000, after.rx_bytes - before.rx_bytes);
	EXPECT_GT(500200, after.rx_bytes - before.rx_bytes);
	EXPECT_LT(before.tx_packets, after.tx_packets);
	EXPECT_LT(before.rx_packets, after.rx_packets);
	EXPECT_EQ(before.rx_malformed, after.rx_malformed);
	EXPECT_EQ(before.rx_violations, after.rx_violations);
	EXPECT_EQ(before.rx_discarded, after.rx_discarded);
}

LONG_TEST_F(data, the_programs_send_buffer_empties)
{
	int queued;

	to_host(&self->peer, self->link.sock, TRANSFER(1, 1, 5000), 300000);

	WAIT_FOR(!ioctl(self->link.sock, SIOCOUTQ, &queued) && !queued);
}

/* Bytes that were there before the driver. */
LONG_TEST_F(data, what_was_queued_before_goes_first)
{
	struct transfer transfer = TRANSFER(1, 1, 3000);
	struct link link;
	int pair[2];

	unix_pair(pair);
	transfer_send(&transfer, pair[0], 100000);
	ASSERT_EQ(TRANSFER_DONE, transfer.end);

	if (variant->host_asks)
		link = peer_dial_with(&self->dev, &self->peer, pair);
	else
		link = peer_connect_with(&self->dev, &self->peer, pair);
	transfer_send(&transfer, link.sock, 100000);

	peer_do(&self->peer, "done 200000", "recv 1 200000");
}

LONG_TEST_F(data, what_was_queued_and_partly_read_goes_on_where_reading_stopped)
{
	struct stream stream = { .seed = 1 };
	char buf[20000], taken[7777];
	int pair[2];

	unix_pair(pair);
	memset(buf, 'x', sizeof(taken));
	stream_fill(&stream, buf + sizeof(taken), sizeof(buf) - sizeof(taken));
	ASSERT_EQ(sizeof(buf), write(pair[0], buf, sizeof(buf)));
	ASSERT_EQ(sizeof(taken), read(pair[1], taken, sizeof(taken)));

	if (variant->host_asks)
		peer_dial_with(&self->dev, &self->peer, pair);
	else
		peer_connect_with(&self->dev, &self->peer, pair);

	peer_do(&self->peer, "done 12223", "recv 1 12223");
	ASSERT_EQ(12223, sizeof(buf) - sizeof(taken));
}

LONG_TEST_F(data, what_was_queued_before_a_close_goes_as_well)
{
	struct link link;
	int pair[2];

	unix_pair(pair);
	send_stream(pair[0], 1, 50000);
	ASSERT_EQ(0, shutdown(pair[0], SHUT_WR));

	link = peer_connect_with(&self->dev, &self->peer, pair);

	if (host_is_ours())
		peer_do(&self->peer, "eof 50000", "recv 1 end");
	else
		peer_do(&self->peer, "done 50000", "recv 1 50000");
	link_close(&link);
}

/* What is not plain bytes. */
static void out_of_band(int sock)
{
	if (send(sock, "!", 1, MSG_OOB) == 1)
		return;
	if (errno == EOPNOTSUPP)
		exit(KSFT_SKIP);
	fail("MSG_OOB: %s", strerror(errno));
}

LONG_TEST_F(data, out_of_band_bytes_are_dropped_and_the_rest_is_intact)
{
	struct transfer transfer = TRANSFER(1, 1000, 1000);

	for (int i = 0; i < 5; i++) {
		transfer_send(&transfer, self->link.sock, 50000);
		ASSERT_EQ(TRANSFER_DONE, transfer.end);
		out_of_band(self->link.sock);
		transfer_send(&transfer, self->link.sock, 50000);
		ASSERT_EQ(TRANSFER_DONE, transfer.end);
		peer_do(&self->peer, "done 100000", "recv 1 100000");
	}
}

LONG_TEST_F(data, out_of_band_bytes_queued_before_are_dropped)
{
	struct transfer transfer = TRANSFER(1, 1000, 1000);
	int pair[2];

	unix_pair(pair);
	transfer_send(&transfer, pair[0], 5000);
	out_of_band(pair[0]);
	transfer_send(&transfer, pair[0], 5000);

	peer_connect_with(&self->dev, &self->peer, pair);

	peer_do(&self->peer, "done 10000", "recv 1 10000");
}

LONG_TEST_F(data, an_out_of_band_byte_alone_is_nothing)
{
	out_of_band(self->link.sock);
	send_stream(self->link.sock, 1, 1000);

	peer_do(&self->peer, "done 1000", "recv 1 1000");
}

/* Sends the bytes with a descriptor along. */
static void send_with_fd(int sock, const void *buf, size_t len, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
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
	if (sendmsg(sock, &msg, 0) != (ssize_t)len)
		fail("sendmsg with a descriptor: %s", strerror(errno));
}

LONG_TEST_F(data, descriptors_sent_along_are_dropped_and_the_bytes_arrive)
{
	struct stream stream = { .seed = 1 };
	char buf[3000], byte;
	int ends[2];

	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, pipe(ends));
		stream_fill(&stream, buf, sizeof(buf));
		send_with_fd(self->link.sock, buf, sizeof(buf), ends[1]);
		ASSERT_EQ(0, close(ends[1]));
		/* The end comes when the last descriptor of it is closed. */
		EXPECT_EQ(0, read(ends[0], &byte, 1));
		close(ends[0]);
	}
	peer_do(&self->peer, "done 30000", "recv 1 30000");
}

/* They go even when nothing can be sent yet. */
LONG_TEST_F(data, descriptors_are_dropped_before_the_host_answers)
{
	struct link link = link_request(&self->dev, port_without_answer());
	char byte = 0;
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	send_with_fd(link.sock, &byte, 1, ends[1]);
	ASSERT_EQ(0, close(ends[1]));

	EXPECT_EQ(0, read(ends[0], &byte, 1));
}

/* Bytes that come as pages of a file. */
LONG_TEST_F(data, sendfile_arrives)
{
	int file = memfd_create("stream", MFD_CLOEXEC);
	struct stream stream = { .seed = 1 };
	off_t at = 0;
	void *map;

	ASSERT_EQ(0, ftruncate(file, 8 * MIB));
	map = mmap(NULL, 8 * MIB, PROT_WRITE, MAP_SHARED, file, 0);
	ASSERT_NE(MAP_FAILED, map);
	stream_fill(&stream, map, 8 * MIB);

	peer_tell(&self->peer, "recv 1 %llu", 8 * MIB);
	while (at < (off_t)(8 * MIB))
		ASSERT_LT(0, sendfile(self->link.sock, file, &at, 8 * MIB));
	peer_hear_exactly(&self->peer, "done %llu", 8 * MIB);
}

/* And where there are none in the file. */
TEST_F(data, sendfile_of_a_hole_arrives)
{
	static char bytes[64 * KIB], zeroes[64 * KIB];
	int file = memfd_create("hole", MFD_CLOEXEC);
	ssize_t n;

	ASSERT_EQ(0, ftruncate(file, 256 * KIB));
	peer_tell(&self->peer, "echo");
	for (off_t at = 0; at < (off_t)(256 * KIB);) {
		off_t begin = at;

		n = sendfile(self->link.sock, file, &at, sizeof(bytes));
		ASSERT_LT(0, n);
		memset(bytes, 1, sizeof(bytes));
		ASSERT_EQ(n, recv(self->link.sock, bytes, n, MSG_WAITALL));
		ASSERT_EQ(0, memcmp(bytes, zeroes, n));
		ASSERT_EQ(begin + n, at);
	}
}

/* Several connections. */
FIXTURE(many) {
	struct device dev;
};

FIXTURE_SETUP(many)
{
	device_start(&self->dev, NULL);
}

FIXTURE_TEARDOWN(many)
{
}

static void become_echo(struct link *link)
{
	if (write(link->sock, "become-echo\n", 12) != 12)
		fail("become-echo: %s", strerror(errno));
}

LONG_TEST_F(many, a_hundred_connections_at_once)
{
	struct job *senders[100], *receivers[100];
	struct link links[100];
	__u64 len = total_bytes() / 1024;

	for (int i = 0; i < 100; i++)
		links[i] = link_request(&self->dev, SCRIPT_PORT);
	for (int i = 0; i < 100; i++)
		expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, links[i].id);
	EXPECT_EQ(100, info_of(self->dev.fd).conns);
	for (int i = 0; i < 100; i++) {
		become_echo(&links[i]);
		senders[i] = start_sending(links[i].sock,
					   TRANSFER(i + 1, 1, 20000), len,
					   TRANSFER_DONE);
		receivers[i] = start_receiving(links[i].sock,
					       TRANSFER(i + 1, 1, 20000), len,
					       TRANSFER_DONE);
	}
	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(len, finish(senders[i]));
		EXPECT_EQ(len, finish(receivers[i]));
		link_close(&links[i]);
	}
	for (int i = 0; i < 100; i++)
		skip_to_rst(&self->dev, links[i].id);
	WAIT_FOR(info_of(self->dev.fd).conns == 0);
}

LONG_TEST_F(many, fifty_connections_from_the_host)
{
	struct peer peers[50];
	struct link links[50];

	for (int i = 0; i < 50; i++) {
		peers[i] = peer_open(&self->dev);
		links[i] = peer_dial(&self->dev, &peers[i]);
	}
	for (int i = 0; i < 50; i++)
		peer_tell(&peers[i], "send %d 300000", i + 1);
	for (int i = 49; i >= 0; i--)
		receive_stream(links[i].sock, i + 1, 300000);
	for (int i = 0; i < 50; i++)
		peer_hear_exactly(&peers[i], "done 300000");
	for (int i = 0; i < 50; i++)
		send_stream(links[i].sock, i + 1, 30000);
	for (int i = 49; i >= 0; i--)
		peer_do(&peers[i], "done 30000", "recv %d 30000", i + 1);
}

/* One that does not read may cost the others nothing. */
LONG_TEST_F(many, a_stalled_reader_here_does_not_hold_up_others)
{
	struct peer stalled = peer_open(&self->dev);
	struct peer moving = peer_open(&self->dev);
	struct link still = peer_connect(&self->dev, &stalled);
	struct link moves = peer_connect(&self->dev, &moving);

	peer_tell(&stalled, "send 1 %llu", BLOCKING);
	from_host(&moving, moves.sock, TRANSFER(2, 1, 100000),
		  total_bytes() / 64);
	to_host(&moving, moves.sock, TRANSFER(3, 1, 100000),
		total_bytes() / 64);

	receive_stream(still.sock, 1, BLOCKING);
	peer_hear_exactly(&stalled, "done %llu", BLOCKING);
}

LONG_TEST_F(many, a_stalled_reader_on_the_host_does_not_hold_up_others)
{
	struct peer stalled = peer_open(&self->dev);
	struct peer moving = peer_open(&self->dev);
	struct link still = peer_connect(&self->dev, &stalled);
	struct link moves = peer_connect(&self->dev, &moving);
	struct job *job;

	job = start_sending(still.sock, TRANSFER(1, 65536, 65536), BLOCKING,
			    TRANSFER_DONE);
	peer_do(&stalled, "ok", "unread");
	to_host(&moving, moves.sock, TRANSFER(2, 1, 100000),
		total_bytes() / 64);
	from_host(&moving, moves.sock, TRANSFER(3, 1, 100000),
		  total_bytes() / 64);

	peer_tell(&stalled, "recv 1 %llu", BLOCKING);
	finish(job);
	peer_hear_exactly(&stalled, "done 8388608");
}

LONG_TEST_F(many, twenty_stalled_readers_do_not_hold_up_one)
{
	struct peer stalled[20], moving = peer_open(&self->dev);
	struct link still[20], moves;

	moves = peer_connect(&self->dev, &moving);
	for (int i = 0; i < 20; i++) {
		stalled[i] = peer_open(&self->dev);
		still[i] = peer_connect(&self->dev, &stalled[i]);
		peer_tell(&stalled[i], "send 1 %llu", BLOCKING);
	}
	from_host(&moving, moves.sock, TRANSFER(2, 1, 100000),
		  total_bytes() / 256);
	to_host(&moving, moves.sock, TRANSFER(3, 1, 100000),
		total_bytes() / 256);
	for (int i = 0; i < 20; i++)
		link_close(&still[i]);
	for (int i = 0; i < 20; i++)
		skip_to_rst(&self->dev, still[i].id);
}

/* The two ends of one pair given to two connections. */
FIXTURE(relay) {
	struct device dev;
	struct peer peers[2];
	uint64_t ids[2];
};

FIXTURE_SETUP(relay)
{
	uint32_t ports[2] = { new_port(), new_port() };
	struct vsockdev_event request;
	struct vsockdev_addr addr;
	int pair[2];

	device_start(&self->dev, NULL);
	for (int i = 0; i < 2; i++)
		self->peers[i] = peer_open(&self->dev);
	unix_pair(pair);

	peer_do(&self->peers[0], "ok", "listen %u", ports[0]);
	addr = host_addr(ports[0]);
	ASSERT_EQ(0, send_request(self->dev.fd, addr, pair[0], &self->ids[0]));
	peer_do(&self->peers[0], "ok", "accept");
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, self->ids[0]);

	peer_do(&self->peers[1], "ok", "dial-start %u", ports[1]);
	request = expect_request(&self->dev, ports[1]);
	self->ids[1] = request.conn_id;
	ASSERT_EQ(0, send_response(self->dev.fd, request.addr, 0, pair[1]));
	peer_tell(&self->peers[1], "dial-wait");
	ASSERT_EQ(0, strncmp("ok ", peer_hear(&self->peers[1]), 3));
	close(pair[0]);
	close(pair[1]);
}

FIXTURE_TEARDOWN(relay)
{
}

LONG_TEST_F(relay, carries_bytes_both_ways)
{
	__u64 len = total_bytes() / 64;

	peer_tell(&self->peers[0], "exchange 1 %llu 2 %llu", len, len);
	peer_tell(&self->peers[1], "exchange 2 %llu 1 %llu", len, len);
	for (int i = 0; i < 2; i++)
		peer_hear_exactly(&self->peers[i], "done %llu done %llu", len,
				  len);
}

LONG_TEST_F(relay, carries_the_half_close)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	peer_do(&self->peers[0], "done 100000", "send 1 100000");
	peer_do(&self->peers[0], "ok", "shutdown wr");
	peer_do(&self->peers[1], "eof 100000", "recv 1 end");

	peer_do(&self->peers[1], "done 100000", "send 2 100000");
	peer_do(&self->peers[1], "ok", "shutdown wr");
	peer_do(&self->peers[0], "eof 100000", "recv 2 end");
}

LONG_TEST_F(relay, carries_the_close)
{
	peer_do(&self->peers[0], "done 100000", "send 1 100000");
	peer_do(&self->peers[0], "ok", "close");

	peer_do(&self->peers[1], "eof 100000", "recv 1 end");
	peer_do(&self->peers[1], "ok", "close");
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(0, skip_to_rst(&self->dev, self->ids[i]).rst.error);
}

LONG_TEST_F(relay, blocked_at_one_end_blocks_the_other_and_goes_on)
{
	peer_tell(&self->peers[0], "send 1 %llu", BLOCKING);
	peer_do(&self->peers[1], "ok", "unread");
	peer_do(&self->peers[1], "done 8388608", "recv 1 %llu", BLOCKING);
	peer_hear_exactly(&self->peers[0], "done %llu", BLOCKING);
}

LONG_TEST_F(relay, both_connections_end_at_stop)
{
	peer_tell(&self->peers[0], "send 1 %llu", BLOCKING);
	peer_do(&self->peers[1], "ok", "unread");

	ASSERT_EQ(0, stop(self->dev.fd));

	WAIT_FOR(info_of(self->dev.fd).conns == 0);
}

/* Bulk: half of it each way. */
FIXTURE(bulk) {
	struct device dev;
	struct peer peer;
	struct link link;
	__u64 len;
};

FIXTURE_SETUP(bulk)
{
	self->len = total_bytes() / 2;
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
	self->link = peer_connect(&self->dev, &self->peer);
}

FIXTURE_TEARDOWN(bulk)
{
}

LONG_TEST_F(bulk, to_the_host_in_odd_sizes)
{
	to_host(&self->peer, self->link.sock, TRANSFER(1, 1, 131071),
		self->len);
}

LONG_TEST_F(bulk, from_the_host_in_odd_sizes)
{
	from_host(&self->peer, self->link.sock, TRANSFER(1, 1, 131071),
		  self->len);
}

TEST_HARNESS_MAIN
