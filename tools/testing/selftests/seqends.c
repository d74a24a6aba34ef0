// SPDX-License-Identifier: GPL-2.0-only
/*
 * How SEQPACKET connections end: whatever cuts one off, the whole messages that
 * came before are read first, and then an error, never half a message nor an
 * end of file. And what programs may do to their sockets without harm.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/machine.h"
#include "lib/talk.h"

#define NOBODY 1000
#define LONG_SECONDS 120

/* A device with both, and one window for both sides. */
FIXTURE(seqends)
{
	struct fake fake;
	struct talk talk;
};

FIXTURE_SETUP(seqends)
{
	talk_plug(&self->fake, WINDOW);
}

FIXTURE_TEARDOWN(seqends)
{
	fake_close(&self->fake);
}

TEST_F(seqends, the_program_shuts_one_half)
{
	struct talk *talk = &self->talk;

	talk_connect(talk, &self->fake);
	program_sends(talk, 3 * PACKET);
	program_sends(talk, 1);
	shutdown(talk->flow.link.sock, SHUT_WR);
	host_gets(talk, 3 * PACKET);
	host_gets(talk, 1);
	host_gets_end(talk, VIRTIO_VSOCK_OP_SHUTDOWN, SEND);

	host_sends(talk, 20000);
	program_gets(talk, 20000);
	host_ends(talk, VIRTIO_VSOCK_OP_SHUTDOWN, SEND);
	program_gets_end(talk, TRANSFER_EOF);
	owner_gets_shutdown(talk, SEND);
	host_gets_end(talk, VIRTIO_VSOCK_OP_SHUTDOWN, BOTH);
	host_ends(talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(talk, VSOCKDEV_RST_SHUTDOWN, 0);
}

TEST_F(seqends, the_host_shuts_one_half)
{
	struct talk *talk = &self->talk;

	talk_connect_narrow(talk, &self->fake);
	for (int i = 0; i < 30; i++)
		host_sends(talk, 2000);
	host_ends(talk, VIRTIO_VSOCK_OP_SHUTDOWN, SEND);
	owner_gets_shutdown(talk, SEND);
	for (int i = 0; i < 30; i++)
		program_gets(talk, 2000);
	program_gets_end(talk, TRANSFER_EOF);

	program_sends(talk, WINDOW);
	host_gets(talk, WINDOW);
	program_closes(talk);
	host_gets_end(talk, VIRTIO_VSOCK_OP_SHUTDOWN, BOTH);
	host_ends(talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(talk, VSOCKDEV_RST_LOCAL_CLOSE, 0);
}

static void expect_broken(const struct talk *talk)
{
	WAIT_FOR(send(talk->flow.link.sock, "!", 1,
		      MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		 errno != EAGAIN);
	if (errno != EPIPE)
		fail("a writer gets %s", strerror(errno));
}

#define expect_broken(...) HERE((expect_broken)(__VA_ARGS__))

TEST_F(seqends, the_host_takes_no_more)
{
	struct talk *talk = &self->talk;

	talk_connect(talk, &self->fake);
	host_ends(talk, VIRTIO_VSOCK_OP_SHUTDOWN, RECEIVE);
	owner_gets_shutdown(talk, RECEIVE);
	expect_broken(talk);
	host_sends(talk, WINDOW);
	program_gets(talk, WINDOW);
	host_ends(talk, VIRTIO_VSOCK_OP_SHUTDOWN, SEND);
	program_gets_end(talk, TRANSFER_EOF);
}

/* That says nothing about what it sends. */
TEST_F(seqends, the_host_takes_no_more_amid_its_message)
{
	struct talk *talk = &self->talk;

	talk_connect(talk, &self->fake);
	host_puts(talk, 10, 0);
	host_ends(talk, VIRTIO_VSOCK_OP_SHUTDOWN, RECEIVE);
	owner_gets_shutdown(talk, RECEIVE);
	host_puts(talk, 10, EOM);
	program_gets(talk, 20);
}

/* Reads what was there already. To close with that unread would be a reset. */
static void shut_reads(struct talk *talk)
{
	char byte;

	shutdown(talk->flow.link.sock, SHUT_RD);
	host_gets_end(talk, VIRTIO_VSOCK_OP_SHUTDOWN, RECEIVE);
	while (recv(talk->flow.link.sock, &byte, 1, MSG_DONTWAIT) > 0)
		;
}

/* Of what it writes nothing is lost, and what comes is counted and dropped. */
static void expect_discarding(struct talk *talk)
{
	for (int i = 0; i < 5; i++)
		host_sends(talk, WINDOW);
	WAIT_FOR(host_asks(talk) == talk->flow.sent);
	program_sends(talk, 100);
	host_gets(talk, 100);
	host_ends(talk, VIRTIO_VSOCK_OP_SHUTDOWN, SEND);
	owner_gets_shutdown(talk, SEND);
	program_sends(talk, 200);
	host_gets(talk, 200);
	program_closes(talk);
	host_gets_end(talk, VIRTIO_VSOCK_OP_SHUTDOWN, BOTH);
	host_ends(talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(talk, VSOCKDEV_RST_LOCAL_CLOSE, 0);
}

TEST_F(seqends, the_program_reads_no_more)
{
	talk_connect(&self->talk, &self->fake);
	shut_reads(&self->talk);
	expect_discarding(&self->talk);
}

TEST_F(seqends, the_program_reads_no_more_with_messages_unread)
{
	talk_connect_narrow(&self->talk, &self->fake);
	host_fills(&self->talk, 1000);
	host_syncs(&self->fake);
	shut_reads(&self->talk);
	expect_discarding(&self->talk);
}

TEST_F(seqends, the_program_reads_no_more_amid_a_message)
{
	talk_connect(&self->talk, &self->fake);
	host_begins(&self->talk, 100);
	host_syncs(&self->fake);
	shut_reads(&self->talk);
	host_puts(&self->talk, 10, EOM);
	expect_discarding(&self->talk);
}

TEST_F(seqends, the_program_closes)
{
	struct talk *talk = &self->talk;

	talk_connect(talk, &self->fake);
	host_sends(talk, 5000);
	program_gets(talk, 5000);
	program_sends(talk, 1);
	program_sends(talk, WINDOW);
	program_sends(talk, 2);
	program_closes(talk);
	host_gets(talk, 1);
	host_gets(talk, WINDOW);
	host_gets(talk, 2);
	host_gets_end(talk, VIRTIO_VSOCK_OP_SHUTDOWN, BOTH);
	host_ends(talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(talk, VSOCKDEV_RST_LOCAL_CLOSE, 0);
}

static void closes_with(struct talk *talk)
{
	program_closes(talk);
	host_gets_end(talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(talk, VSOCKDEV_RST_LOCAL_CLOSE, ECONNRESET);
	expect_usable(talk->flow.fake);
}

TEST_F(seqends, the_program_closes_with_a_message_unread)
{
	talk_connect(&self->talk, &self->fake);
	host_sends(&self->talk, 100);
	WAIT_FOR(host_asks(&self->talk) == 100);
	closes_with(&self->talk);
}

TEST_F(seqends, the_program_closes_with_messages_in_the_driver)
{
	talk_connect_narrow(&self->talk, &self->fake);
	host_fills(&self->talk, 1000);
	host_syncs(&self->fake);
	closes_with(&self->talk);
}

TEST_F(seqends, the_program_closes_amid_a_message)
{
	talk_connect(&self->talk, &self->fake);
	host_begins(&self->talk, 100);
	host_syncs(&self->fake);
	closes_with(&self->talk);
}

/* Less than a packet has, so one is too much whatever is free. */
#define NARROW_WINDOW (16 * KIB)

/* Messages of before it, some of them in the driver, and half of one. */
static unsigned int begin_and_fill(struct talk *talk)
{
	unsigned int count;

	talk_connect_narrow(talk, talk->flow.fake);
	host_begins(talk, 500);
	host_puts(talk, 500, EOM);
	count = 1 + host_fills(talk, 1000);
	host_begins(talk, host_room(talk));
	host_syncs(talk->flow.fake);
	return count;
}

/* What cuts a connection off, with messages that nobody has read. */
enum cut {
	HOST_RESETS,
	HOST_SHUTS_AMID,
	HOST_SENDS_TOO_MUCH,
	HOST_SENDS_ANOTHER_TYPE,
	OWNER_RESETS,
	OWNER_STOPS,
	OWNER_CLOSES,
	DEVICE_GOES,
	TRANSPORT_RESETS,
};

static void host_sends_stream(struct talk *talk)
{
	talk->flow.type = STREAM;
	host_puts(talk, 0, 0);
	talk->flow.type = SEQPACKET;
}

static void cut_by_host(struct talk *talk, enum cut cut)
{
	switch (cut) {
	case HOST_RESETS:
		host_ends(talk, VIRTIO_VSOCK_OP_RST, 0);
		owner_gets_rst(talk, VSOCKDEV_RST_PEER_RESET, ECONNRESET);
		return;
	case HOST_SHUTS_AMID:
		host_ends(talk, VIRTIO_VSOCK_OP_SHUTDOWN, SEND);
		break;
	case HOST_SENDS_TOO_MUCH:
		host_puts(talk, PART, EOM);
		/* They were not taken. */
		talk->flow.sent -= PART;
		break;
	default:
		host_sends_stream(talk);
	}
	host_gets_end(talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(talk, VSOCKDEV_RST_PROTOCOL, EPROTO);
}

static void cut_by_owner(struct talk *talk, enum cut cut)
{
	struct device *dev = &talk->flow.fake->dev;
	struct link *link = &talk->flow.link;
	int error = 0;

	if (cut == OWNER_RESETS)
		error = send_rst(dev->fd, link->addr, link->id);
	else if (cut == OWNER_STOPS)
		error = stop(dev->fd);
	else
		close(dev->fd);
	if (error)
		fail("a call answers %d", error);
	host_gets_end(talk, VIRTIO_VSOCK_OP_RST, 0);
	if (cut == OWNER_CLOSES)
		dev->fd = -1;
}

static void cut_off(struct talk *talk, enum cut cut)
{
	struct fake *fake = talk->flow.fake;

	if (cut == TRANSPORT_RESETS) {
		fake_event(fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
		expect_event(&fake->dev, VSOCKDEV_EVENT_TRANSPORT_RESET, 0);
	} else if (cut == DEVICE_GOES) {
		fake_remove(fake);
	} else if (cut >= OWNER_RESETS) {
		cut_by_owner(talk, cut);
	} else {
		cut_by_host(talk, cut);
	}
}

FIXTURE(cut)
{
	struct fake fake;
	struct talk talk;
	unsigned int count;
};

FIXTURE_VARIANT(cut)
{
	enum cut by;
};

#define CUT(name, by)                  \
	FIXTURE_VARIANT_ADD(cut, name) \
	{                              \
		by                     \
	}

CUT(by_rst_of_the_host, HOST_RESETS);
CUT(by_shutdown_amid_a_message, HOST_SHUTS_AMID);
CUT(by_bytes_without_credit, HOST_SENDS_TOO_MUCH);
CUT(by_a_stream_packet, HOST_SENDS_ANOTHER_TYPE);
CUT(by_send_rst, OWNER_RESETS);
CUT(by_stop, OWNER_STOPS);
CUT(by_close, OWNER_CLOSES);
CUT(by_removal, DEVICE_GOES);
CUT(by_a_transport_reset, TRANSPORT_RESETS);

FIXTURE_SETUP(cut)
{
	WAIT_FOR(module_refs() == 0);
	talk_plug(&self->fake, NARROW_WINDOW);
	self->talk.flow.fake = &self->fake;
	self->count = begin_and_fill(&self->talk);
}

FIXTURE_TEARDOWN(cut)
{
	fake_close(&self->fake);
}

static struct transfer to_the_end(const struct talk *talk)
{
	return (struct transfer) {
		.stream = talk->read,
		.sizes = { 1000, 1000 },
		.messages = true,
	};
}

/* All of them; but SEND_RST drops what the socket had no room for. */
static void check_count(enum cut cut, uint64_t bytes, unsigned int count)
{
	if (bytes % 1000 || bytes > 1000 * count || !bytes ||
	    (cut != OWNER_RESETS && bytes != 1000 * count))
		fail("%llu bytes of %u messages", (unsigned long long)bytes,
		     count);
}

static void reads_to_reset(struct talk *talk, enum cut cut, unsigned int count)
{
	struct transfer transfer = to_the_end(talk);

	transfer_receive(&transfer, talk->flow.link.sock, TRANSFER_TO_END);
	if (transfer.end != TRANSFER_RESET)
		fail("messages end with %s", transfer_end_name(transfer.end));
	check_count(cut, transfer.bytes, count);
}

/* The program finds what came whole, and then an error, whenever it comes. */
TEST_F(cut, leaves_whole_messages_to_a_slow_reader)
{
	cut_off(&self->talk, variant->by);
	reads_to_reset(&self->talk, variant->by, self->count);
	expect_end_of_resets(self->talk.flow.link.sock);
}

TEST_F(cut, leaves_whole_messages_to_a_reader_that_came_before)
{
	for (int i = 0; i < 10; i++)
		program_gets(&self->talk, 1000);
	cut_off(&self->talk, variant->by);
	reads_to_reset(&self->talk, variant->by, self->count - 10);
}

/* It waits in the midst of things. */
TEST_F(cut, ends_a_reader_beside_it)
{
	struct job *reader;

	reader = start_receiving(self->talk.flow.link.sock,
				 to_the_end(&self->talk), TRANSFER_TO_END,
				 TRANSFER_RESET);
	cut_off(&self->talk, variant->by);
	check_count(variant->by, finish(reader), self->count);
}

/* And does not take the error away from whoever reads. */
TEST_F(cut, breaks_the_pipe_of_a_writer)
{
	cut_off(&self->talk, variant->by);
	expect_broken(&self->talk);
	reads_to_reset(&self->talk, variant->by, self->count);
}

/* Nothing waits for a program that is not there. */
TEST_F(cut, leaves_nothing_behind)
{
	cut_off(&self->talk, variant->by);
	program_gets(&self->talk, 1000);
	program_closes(&self->talk);
	fake_close(&self->fake);
	WAIT_FOR(module_refs() == 0);
	talk_plug(&self->fake, WINDOW);
	expect_usable(&self->fake);
}

/* A reader that does not wait, and so may look at any moment. */
struct spinner {
	pthread_t thread;
	int sock;
	atomic_uint looks;
	ssize_t n;
	int error;
};

static void *spin(void *arg)
{
	struct spinner *spinner = arg;
	char byte;

	do {
		spinner->n = recv(spinner->sock, &byte, 1, MSG_DONTWAIT);
		spinner->error = errno;
		atomic_fetch_add(&spinner->looks, 1);
	} while (spinner->n < 0 && spinner->error == EAGAIN);
	return NULL;
}

TEST_F_TIMEOUT(seqends, never_ends_in_order_when_it_is_cut_off, LONG_SECONDS)
{
	for (int i = 0; i < 200; i++) {
		struct spinner spinner = {};
		struct talk talk;

		talk_connect(&talk, &self->fake);
		spinner.sock = talk.flow.link.sock;
		ASSERT_EQ(0, pthread_create(&spinner.thread, NULL, spin,
					    &spinner));
		WAIT_FOR(atomic_load(&spinner.looks) > 9);
		host_ends(&talk, VIRTIO_VSOCK_OP_RST, 0);
		pthread_join(spinner.thread, NULL);
		owner_gets_rst(&talk, VSOCKDEV_RST_PEER_RESET, ECONNRESET);
		if (!spinner.n)
			fail("an end of file in round %d", i);
		ASSERT_EQ(ECONNRESET, spinner.error);
		program_closes(&talk);
		talk_end(&talk);
	}
}

/*
 * With what it reads last, a program lets the driver tell of the error, just
 * when it comes back for more.
 */
static void reads_twice(struct talk *talk, int flags, int round)
{
	int sock = talk->flow.link.sock;
	char bytes[2];
	ssize_t n;

	do {
		n = recv(sock, bytes, sizeof(bytes), flags);
	} while (n < 0 && errno == EAGAIN);
	if (n != 1)
		fail("round %d: no message but %zd", round, n);
	do {
		n = recv(sock, bytes, sizeof(bytes), flags);
	} while (n < 0 && errno == EAGAIN);
	if (!n)
		fail("round %d: an end of file", round);
	if (n > 0 || errno != ECONNRESET)
		fail("round %d: not reset but %zd", round, n);
}

TEST_F_TIMEOUT(seqends, ends_with_an_error_after_the_last_message, LONG_SECONDS)
{
	for (int i = 0; i < 200; i++) {
		struct talk talk;

		talk_connect(&talk, &self->fake);
		host_puts(&talk, 1, EOM);
		host_ends(&talk, VIRTIO_VSOCK_OP_RST, 0);
		owner_gets_rst(&talk, VSOCKDEV_RST_PEER_RESET, ECONNRESET);
		reads_twice(&talk, i % 2 ? MSG_DONTWAIT : 0, i);
		program_closes(&talk);
		talk_end(&talk);
	}
}

/* A writer gets the error that there is; then the reader gets another one. */
TEST_F(seqends, ends_with_an_error_for_who_writes_and_for_who_reads)
{
	struct talk *talk = &self->talk;

	talk_connect(talk, &self->fake);
	host_ends(talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(talk, VSOCKDEV_RST_PEER_RESET, ECONNRESET);
	WAIT_FOR(send(talk->flow.link.sock, "!", 1, MSG_NOSIGNAL) < 0 &&
		 errno == ECONNRESET);
	program_gets_end(talk, TRANSFER_RESET);
	expect_end_of_resets(talk->flow.link.sock);
}

/* An RST that names the other type is of no connection. */
TEST_F(seqends, ignores_rst_of_a_stream)
{
	talk_connect(&self->talk, &self->fake);
	self->talk.flow.type = STREAM;
	host_ends(&self->talk, VIRTIO_VSOCK_OP_RST, 0);
	self->talk.flow.type = SEQPACKET;
	expect_no_packet(&self->fake);
	expect_working(&self->talk);
}

TEST_F(seqends, is_not_accepted_as_a_stream)
{
	struct flow *flow = &self->talk.flow;
	int pair[2];

	seqpacket_pair(pair);
	talk_request(&self->talk, &self->fake, SEQPACKET, pair);
	flow->type = STREAM;
	flow_put(flow, VIRTIO_VSOCK_OP_RESPONSE);
	flow->type = SEQPACKET;
	flow_expect(flow, VIRTIO_VSOCK_OP_RST);
	owner_gets_rst(&self->talk, VSOCKDEV_RST_PROTOCOL, EPROTO);
	program_gets_end(&self->talk, TRANSFER_RESET);
}

TEST_F(seqends, does_not_belong_in_a_stream)
{
	struct flow *flow = &self->talk.flow;
	int pair[2];

	unix_pair(pair);
	talk_request(&self->talk, &self->fake, STREAM, pair);
	talk_open(&self->talk);
	host_puts(&self->talk, 10, EOM);
	receive_stream(flow->link.sock, self->talk.sent.seed, 10);
	flow->type = SEQPACKET;
	host_puts(&self->talk, 0, EOM);
	flow->type = STREAM;
	flow_expect(flow, VIRTIO_VSOCK_OP_RST);
	owner_gets_rst(&self->talk, VSOCKDEV_RST_PROTOCOL, EPROTO);
	program_gets_end(&self->talk, TRANSFER_RESET);
}

/* A host that refuses, or that gives up. */
TEST_F(seqends, is_refused)
{
	int pair[2];

	seqpacket_pair(pair);
	talk_request(&self->talk, &self->fake, SEQPACKET, pair);
	program_sends(&self->talk, 100);
	host_ends(&self->talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(&self->talk, VSOCKDEV_RST_REFUSED, ECONNREFUSED);
	program_gets_end(&self->talk, TRANSFER_RESET);
}

/* What was written before the host answered, or before the socket was given. */
TEST_F(seqends, keeps_what_was_written_early)
{
	struct talk *talk = &self->talk;
	struct stream early = { .seed = 1 };
	uint8_t bytes[300];
	int pair[2];

	seqpacket_pair(pair);
	stream_fill(&early, bytes, 300);
	ASSERT_EQ(100, send(pair[0], bytes, 100, 0));
	ASSERT_EQ(0, send(pair[0], bytes, 0, 0));
	ASSERT_EQ(200, send(pair[0], bytes + 100, 200, 0));
	talk_request(talk, &self->fake, SEQPACKET, pair);
	talk->wrote = early;
	talk->got.seed = early.seed;
	program_sends(talk, 300);
	expect_no_packet(&self->fake);
	talk_open(talk);
	host_gets(talk, 100);
	host_gets(talk, 200);
	host_gets(talk, 300);
}

/* Programs that misbehave. */

static void send_along(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = {};
	struct iovec iov = { .iov_base = "!", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	if (sendmsg(sock, &msg, MSG_DONTWAIT) != 1)
		fail("SCM_RIGHTS: %s", strerror(errno));
}

static bool is_hung_up(int fd)
{
	struct pollfd fds = { .fd = fd };

	return poll(&fds, 1, 0) == 1 && fds.revents == POLLHUP;
}

/* At once, and at the expense of who sent it, like any other message. */
TEST_F(seqends, drops_descriptors)
{
	struct talk *talk = &self->talk;
	int ends[2], one;

	talk_connect_blocked(talk, &self->fake);
	ASSERT_EQ(1, send(talk->flow.link.sock, "!", 1, 0));
	one = outq(talk);
	ASSERT_LT(0, one);
	for (int i = 2; i <= 100; i++) {
		ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
		send_along(talk->flow.link.sock, ends[1]);
		close(ends[1]);
		WAIT_FOR(is_hung_up(ends[0]));
		WAIT_FOR(outq(talk) == i * one);
		close(ends[0]);
	}
}

FIXTURE(cycle)
{
	struct fake fake;
	struct talk talk;
};

FIXTURE_SETUP(cycle)
{
	WAIT_FOR(module_refs() == 0);
	talk_plug(&self->fake, WINDOW);
}

FIXTURE_TEARDOWN(cycle)
{
}

/* The last descriptor of the owner was in a message of its own connection. */
static void expect_released(struct talk *talk)
{
	struct fake *fake = talk->flow.fake;

	close(fake->dev.fd);
	host_gets_end(talk, VIRTIO_VSOCK_OP_RST, 0);
	program_gets_end(talk, TRANSFER_RESET);
	program_closes(talk);
	close(fake->fd);
	WAIT_FOR(module_refs() == 0);
}

#define expect_released(...) HERE((expect_released)(__VA_ARGS__))

TEST_F(cycle, is_not_made_without_credit)
{
	talk_connect_blocked(&self->talk, &self->fake);
	send_along(self->talk.flow.link.sock, self->fake.dev.fd);
	expect_released(&self->talk);
}

TEST_F(cycle, is_not_made_before_the_request)
{
	int pair[2];

	seqpacket_pair(pair);
	send_along(pair[0], self->fake.dev.fd);
	send_along(pair[0], pair[1]);
	talk_request(&self->talk, &self->fake, SEQPACKET, pair);
	expect_released(&self->talk);
}

/* The program's own end in itself: that it closes it is noticed all the same. */
TEST_F(cycle, is_not_made_of_the_socket)
{
	struct fake_options hasty = {
		.features = 1ULL << VIRTIO_VSOCK_F_SEQPACKET,
		.start.close_timeout_ms = 1,
	};
	struct talk *talk = &self->talk;

	fake_close(&self->fake);
	fake_open(&self->fake, &hasty);
	talk_connect_blocked(talk, &self->fake);
	send_along(talk->flow.link.sock, talk->flow.link.sock);
	program_closes(talk);
	host_gets_end(talk, VIRTIO_VSOCK_OP_RST, 0);
	owner_gets_rst(talk, VSOCKDEV_RST_TIMED_OUT, ETIMEDOUT);
	fake_close(&self->fake);
	WAIT_FOR(module_refs() == 0);
}

/* A program that reads in the place of the driver, or only looks. */
struct thief {
	pthread_t thread;
	int sock;
	int flags;
	atomic_bool over;
	uint64_t bytes;
};

/* With a descriptor if there is one, which is of no further use. */
static ssize_t take(int sock, void *to, size_t size, int flags)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = to, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(sock, &msg, flags);
	struct cmsghdr *head = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);
	int fd;

	if (head && head->cmsg_type == SCM_RIGHTS) {
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
		close(fd);
	}
	return n;
}

static void *steal(void *arg)
{
	struct thief *thief = arg;
	static char loot[WINDOW];

	while (!atomic_load(&thief->over)) {
		ssize_t n = take(thief->sock, loot, sizeof(loot),
				 MSG_DONTWAIT | MSG_TRUNC | thief->flags);

		if (n > 0)
			thief->bytes += n;
		else
			sched_yield();
	}
	return NULL;
}

static void thief_start(struct thief *thief, int sock, int flags)
{
	thief->sock = sock;
	thief->flags = flags;
	if (pthread_create(&thief->thread, NULL, steal, thief))
		fail("pthread_create");
}

static void thief_finish(struct thief *thief)
{
	atomic_store(&thief->over, true);
	pthread_join(thief->thread, NULL);
	close(thief->sock);
}

TEST_F_TIMEOUT(seqends, may_be_looked_at, LONG_SECONDS)
{
	struct thief thief = {};
	int pair[2];

	seqpacket_pair(pair);
	thief.sock = dup(pair[1]);
	talk_connect_with(&self->talk, &self->fake, pair);
	thief_start(&thief, thief.sock, MSG_PEEK);
	for (uint32_t i = 0; i < 2000; i++) {
		program_sends(&self->talk, 1 + i);
		host_gets(&self->talk, 1 + i);
	}
	thief_finish(&thief);
}

/* What came along is there, or gone, but not half. */
TEST_F_TIMEOUT(seqends, may_be_looked_at_for_descriptors, LONG_SECONDS)
{
	struct flow *flow = &self->talk.flow;
	struct thief thief = {};
	int pair[2], ends[2];

	seqpacket_pair(pair);
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	thief.sock = dup(pair[1]);
	talk_connect_with(&self->talk, &self->fake, pair);
	flow->waits = true;
	thief_start(&thief, thief.sock, MSG_PEEK);
	for (int i = 0; i < 2000; i++) {
		send_along(flow->link.sock, ends[1]);
		EXPECT_EQ(1, flow_expect(flow, VIRTIO_VSOCK_OP_RW).len);
		flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	}
	thief_finish(&thief);
	close(ends[1]);
	WAIT_FOR(is_hung_up(ends[0]));
}

/* Each message is a stream of its own, and the next to come is @next or later. */
#define LOOT 600

static void got_a_message(struct talk *talk, uint64_t *next)
{
	struct packet packet = fake_take(talk->flow.fake);
	struct stream stream;

	flow_note(&talk->flow, &packet);
	if (packet.op != VIRTIO_VSOCK_OP_RW || packet.len != LOOT ||
	    packet.flags != EOM)
		fail("%s of %u with flags %x", op_name(packet.op), packet.len,
		     packet.flags);
	do {
		stream = (struct stream) { .seed = (*next)++ };
		if (stream.seed == 1000)
			fail("a message that nobody wrote, or twice");
	} while (stream_check(&stream, packet.payload, LOOT) != LOOT);
}

/* What is stolen is missing as a whole. */
TEST_F_TIMEOUT(seqends, may_be_robbed_of_whole_messages, LONG_SECONDS)
{
	struct talk *talk = &self->talk;
	struct thief thief = {};
	uint64_t next = 0, arrived = 0;
	uint8_t bytes[LOOT];
	int pair[2];

	seqpacket_pair(pair);
	thief.sock = dup(pair[1]);
	talk_request(talk, &self->fake, SEQPACKET, pair);
	talk->flow.buf_alloc = MIB;
	talk_open(talk);
	thief_start(&thief, thief.sock, 0);
	for (uint64_t i = 0; i < 1000; i++) {
		struct stream stream = { .seed = i };

		stream_fill(&stream, bytes, LOOT);
		ASSERT_EQ(LOOT, send(talk->flow.link.sock, bytes, LOOT, 0));
		WAIT_FOR(outq(talk) == 0);
		for (; fake_posted(&self->fake, FAKE_TX); arrived++)
			got_a_message(talk, &next);
	}
	thief_finish(&thief);
	EXPECT_EQ(0, thief.bytes % LOOT);
	for (; arrived < 1000 - thief.bytes / LOOT; arrived++)
		got_a_message(talk, &next);
	expect_no_packet(&self->fake);
	/* A writer sends its messages itself, and a thief must be quick */
	if (!thief.bytes)
		SKIP(return, "the thief never came first");
}

/* Who reads may ask who wrote: it was whoever gave the socket away. */
static void ask_for_credentials(int sock)
{
	int on = 1;

	if (setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		fail("SO_PASSCRED: %s", strerror(errno));
}

static struct ucred get_credentials(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head;
	struct ucred cred;

	if (recvmsg(sock, &msg, 0) != 1)
		fail("receiving credentials: %s", strerror(errno));
	head = CMSG_FIRSTHDR(&msg);
	if (!head || head->cmsg_type != SCM_CREDENTIALS)
		fail("no credentials came");
	memcpy(&cred, CMSG_DATA(head), sizeof(cred));
	return cred;
}

static int request_as_nobody(int fd, struct vsockdev_addr addr, int sock)
{
	pid_t child = fork();
	int status;

	if (!child) {
		if (setresgid(NOBODY, NOBODY, NOBODY) ||
		    setresuid(NOBODY, NOBODY, NOBODY))
			_exit(255);
		_exit(-send_request(fd, addr, sock, NULL));
	}
	waitpid(child, &status, 0);
	return status;
}

TEST_F(seqends, carries_the_credentials_of_who_gave_the_socket)
{
	struct flow flow = flow_new(&self->fake);
	struct ucred cred;
	int pair[2];

	flow.type = SEQPACKET;
	seqpacket_pair(pair);
	ask_for_credentials(pair[0]);
	ASSERT_EQ(0, request_as_nobody(self->fake.dev.fd, flow.link.addr,
				       pair[1]));
	flow_expect(&flow, VIRTIO_VSOCK_OP_REQUEST);
	flow_put(&flow, VIRTIO_VSOCK_OP_RESPONSE);
	talk_begin(&self->talk, &flow);
	host_sends(&self->talk, 1);
	cred = get_credentials(pair[0]);
	EXPECT_EQ(NOBODY, cred.uid);
	EXPECT_EQ(NOBODY, cred.gid);
}

TEST_HARNESS_MAIN
