// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hosts that others wrote: how connections begin and end with each of them.
 * Where a host cannot do a thing, the test asserts what it does instead.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/habits.h"
#include "lib/link.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define LONG_SECONDS 600
#define BOTH (VSOCKDEV_SHUTDOWN_RECEIVE | VSOCKDEV_SHUTDOWN_SEND)

#define LONG_TEST_F(fixture, name) TEST_F_TIMEOUT(fixture, name, LONG_SECONDS)

FIXTURE(interop) {
	struct device dev;
	struct peer peer;
};

FIXTURE_SETUP(interop)
{
	device_start(&self->dev, habitual_options());
	self->peer = peer_open(&self->dev);
}

FIXTURE_TEARDOWN(interop)
{
}

/* Bytes go both ways. */
static void expect_working(struct peer *peer, const struct link *link)
{
	send_stream(link->sock, 1, 100);
	peer_do(peer, "done 100", "recv 1 100");
	peer_do(peer, "done 100", "send 2 100");
	receive_stream(link->sock, 2, 100);
}

/* Bytes lie in the socket and are not taken. */
static void wait_unread(int sock)
{
	struct pollfd fds = { .fd = sock, .events = POLLIN };

	if (poll(&fds, 1, HANG_GUARD_MS) != 1 || fds.revents != POLLIN)
		fail("no bytes came");
}

/* The program closed, and everything was sent. */
static void expect_closed(struct device *dev, uint64_t id)
{
	expect_rst(dev, id, VSOCKDEV_RST_LOCAL_CLOSE, 0);
}

/* Where the host may not have read all when we closed. */
static void let_it_end(struct peer *peer)
{
	if (habits()->ends_late)
		peer_do(peer, "ok", "close");
}

#define expect_working(...) HERE((expect_working)(__VA_ARGS__))
#define wait_unread(...) HERE((wait_unread)(__VA_ARGS__))
#define expect_closed(...) HERE((expect_closed)(__VA_ARGS__))

/* Connections are made, or refused. */
LONG_TEST_F(interop, guest_connects)
{
	struct link link = peer_connect(&self->dev, &self->peer);

	expect_working(&self->peer, &link);
}

LONG_TEST_F(interop, host_connects)
{
	struct link link = peer_dial(&self->dev, &self->peer);

	expect_working(&self->peer, &link);
}

LONG_TEST_F(interop, guest_is_refused)
{
	struct vsockdev_start options = { .connect_timeout_ms = 500 };
	struct link link;

	if (!habits()->is_silent) {
		link = link_request(&self->dev, DEAF_PORT);
		expect_rst(&self->dev, link.id, VSOCKDEV_RST_REFUSED,
			   ECONNREFUSED);
	} else {
		note_habit("refuses by silence: the request times out");
		close(self->dev.fd);
		device_start(&self->dev, &options);
		link = link_request(&self->dev, DEAF_PORT);
		expect_rst(&self->dev, link.id, VSOCKDEV_RST_TIMED_OUT,
			   ETIMEDOUT);
	}
	expect_end(link.sock, TRANSFER_RESET);
}

LONG_TEST_F(interop, host_is_refused)
{
	uint32_t port = new_port();
	struct vsockdev_event request;
	struct link link;

	for (int i = 0; i < 3; i++) {
		peer_do(&self->peer, "ok", "dial-start %u", port);
		request = expect_request(&self->dev, port);
		ASSERT_EQ(0, send_rst(self->dev.fd, request.addr,
				      request.conn_id));
		peer_do(&self->peer, "refused", "dial-wait");
	}
	link = peer_dial(&self->dev, &self->peer);
	expect_working(&self->peer, &link);
}

LONG_TEST_F(interop, host_is_refused_without_an_owner)
{
	__u64 refused = info_of(self->dev.fd).refused;
	struct peer peer;

	peer_do(&self->peer, "ok", "defer ownerless dial %u", new_port());
	ASSERT_EQ(0, stop(self->dev.fd));
	WAIT_FOR(info_of(self->dev.fd).refused > refused);
	close(self->dev.fd);

	device_start(&self->dev, NULL);
	peer = peer_open(&self->dev);
	peer_do(&peer, "refused", "result ownerless");
}

/* Half-close. */
static void send_and_shut(struct peer *peer, struct link *link)
{
	peer_tell(peer, "recv 1 %llu", MIB);
	send_stream(link->sock, 1, MIB);
	if (shutdown(link->sock, SHUT_WR))
		fail("shutdown: %s", strerror(errno));
	peer_hear_exactly(peer, "done %llu", MIB);
}

LONG_TEST_F(interop, guest_half_closes)
{
	struct link link = peer_connect(&self->dev, &self->peer);

	send_and_shut(&self->peer, &link);
	if (habits()->no_half_close)
		note_habit("its program sees our half-close at our close");
	else
		peer_do(&self->peer, "eof 0", "recv 1 end");

	/* The other direction goes on. */
	peer_tell(&self->peer, "send 2 %llu", MIB);
	receive_stream(link.sock, 2, MIB);
	peer_hear_exactly(&self->peer, "done %llu", MIB);
	expect_no_event(&self->dev, link.id);

	link_close(&link);
	if (habits()->no_half_close)
		peer_do(&self->peer, "eof 0", "recv 1 end");
	expect_closed(&self->dev, link.id);
}

static void receive_until_shut(struct peer *peer, struct link *link)
{
	peer_tell(peer, "send 1 %llu", MIB);
	receive_stream(link->sock, 1, MIB);
	peer_hear_exactly(peer, "done %llu", MIB);
	peer_do(peer, "ok", "shutdown wr");
	expect_end(link->sock, TRANSFER_EOF);
}

LONG_TEST_F(interop, host_half_closes)
{
	struct link link = peer_dial(&self->dev, &self->peer);

	receive_until_shut(&self->peer, &link);
	if (habits()->no_half_close) {
		note_habit("its half-close is of both directions");
		expect_shutdown(&self->dev, link.id, BOTH);
		expect_rst(&self->dev, link.id, VSOCKDEV_RST_SHUTDOWN, 0);
		EXPECT_EQ(EPIPE, send_to_end(link.sock));
		return;
	}
	expect_shutdown(&self->dev, link.id, VSOCKDEV_SHUTDOWN_SEND);

	/* The other direction goes on. */
	peer_tell(&self->peer, "recv 2 %llu", MIB);
	send_stream(link.sock, 2, MIB);
	peer_hear_exactly(&self->peer, "done %llu", MIB);
	expect_no_event(&self->dev, link.id);
	link_close(&link);
	peer_do(&self->peer, "eof 0", "recv 2 end");
	expect_closed(&self->dev, link.id);
}

/* Closes. */
LONG_TEST_F(interop, guest_closes_and_what_it_wrote_arrives)
{
	struct link link = peer_connect(&self->dev, &self->peer);

	peer_tell(&self->peer, "recv 1 end");
	send_stream(link.sock, 1, 4 * MIB);
	link_close(&link);
	peer_hear_exactly(&self->peer, "eof %llu", 4 * MIB);
	let_it_end(&self->peer);
	EXPECT_EQ(4 * MIB, skip_to_rst(&self->dev, link.id).rst.bytes_sent);
}

/* Nobody reads yet when the program is gone already. */
LONG_TEST_F(interop, guest_closes_before_the_host_reads)
{
	struct link link = peer_dial(&self->dev, &self->peer);

	send_stream(link.sock, 1, 50000);
	link_close(&link);
	peer_do(&self->peer, "ok", "unread");
	peer_do(&self->peer, "eof 50000", "recv 1 end");
	if (habits()->ends_late) {
		note_habit("its RST waits for the close of its program");
		expect_no_event(&self->dev, link.id);
		peer_do(&self->peer, "ok", "close");
	}
	expect_closed(&self->dev, link.id);
}

LONG_TEST_F(interop, host_closes_and_what_it_wrote_arrives)
{
	struct link link = peer_connect(&self->dev, &self->peer);

	peer_tell(&self->peer, "send 1 %llu", 4 * MIB);
	wait_unread(link.sock);
	peer_tell(&self->peer, "close");
	receive_to_end(link.sock, 1, 4 * MIB, TRANSFER_EOF);
	peer_hear_exactly(&self->peer, "done %llu", 4 * MIB);
	peer_hear_exactly(&self->peer, "ok");
	expect_shutdown(&self->dev, link.id, BOTH);
	expect_rst(&self->dev, link.id, VSOCKDEV_RST_SHUTDOWN, 0);
}

LONG_TEST_F(interop, guest_closes_with_bytes_unread)
{
	struct link link = peer_connect(&self->dev, &self->peer);

	peer_do(&self->peer, "done 1000", "send 1 1000");
	wait_unread(link.sock);
	link_close(&link);
	expect_rst(&self->dev, link.id, VSOCKDEV_RST_LOCAL_CLOSE, ECONNRESET);
	peer_do(&self->peer, "eof 0", "recv 1 end");
}

LONG_TEST_F(interop, host_closes_with_bytes_unread)
{
	struct link link = peer_connect(&self->dev, &self->peer);

	send_stream(link.sock, 1, 1000);
	peer_do(&self->peer, "ok", "unread");
	peer_do(&self->peer, "ok", "close");
	if (habits()->hides_its_close) {
		note_habit("tells nothing: our close times out");
		link_close(&link);
		skip_to_rst(&self->dev, link.id);
		return;
	}
	expect_end(link.sock, habits()->unread_is_reset ? TRANSFER_RESET :
							  TRANSFER_EOF);
	skip_to_rst(&self->dev, link.id);
	EXPECT_EQ(EPIPE, send_to_end(link.sock));
}

LONG_TEST_F(interop, both_close_at_once)
{
	struct link link = peer_connect(&self->dev, &self->peer);

	peer_tell(&self->peer, "close");
	link_close(&link);
	peer_hear_exactly(&self->peer, "ok");
	EXPECT_EQ(0, skip_to_rst(&self->dev, link.id).rst.error);
}

/* The same ports again, as soon as they may be used. */
static struct link request_again(struct device *dev, struct vsockdev_addr addr)
{
	struct link link = { .addr = addr };
	int pair[2], error;

	unix_pair(pair);
	link.sock = pair[0];
	error = send_request(dev->fd, addr, pair[1], &link.id);
	if (error)
		fail("SEND_REQUEST: %s", strerror(-error));
	close(pair[1]);
	return link;
}

/* False if it is refused, as may be where the old connection is kept. */
static bool is_connected(struct device *dev, struct link *link)
{
	struct vsockdev_event event = expect_event(dev, 0, link->id);

	if (event.type == VSOCKDEV_EVENT_RESPONSE)
		return true;
	if (!habits()->ends_late || event.type != VSOCKDEV_EVENT_RST ||
	    event.rst.reason != VSOCKDEV_RST_REFUSED)
		fail("event %u, reason %u", event.type, event.rst.reason);
	link_close(link);
	return false;
}

static struct link connect_again(struct device *dev, struct vsockdev_addr addr)
{
	struct link link;

	WAIT_FOR((link = request_again(dev, addr), is_connected(dev, &link)));
	return link;
}

#define connect_again(...) HERE((connect_again)(__VA_ARGS__))

LONG_TEST_F(interop, ports_again_after_close)
{
	struct vsockdev_addr addr = host_addr(SCRIPT_PORT);

	for (int i = 0; i < 20; i++) {
		struct link link = connect_again(&self->dev, addr);

		expect_alive(&link);
		link_close(&link);
		expect_closed(&self->dev, link.id);
	}
}

LONG_TEST_F(interop, ports_again_after_rst)
{
	struct vsockdev_addr addr = host_addr(SCRIPT_PORT);

	if (habits()->ends_late)
		note_habit("refuses until the old one's program has closed");
	for (int i = 0; i < 20; i++) {
		struct link link = connect_again(&self->dev, addr);

		expect_alive(&link);
		ASSERT_EQ(0, send_rst(self->dev.fd, addr, link.id));
		expect_end(link.sock, TRANSFER_RESET);
		close(link.sock);
	}
}

LONG_TEST_F(interop, ports_again_from_the_host)
{
	uint32_t port = new_port();

	for (int i = 0; i < 20; i++) {
		struct vsockdev_event request;
		struct link link;

		peer_do(&self->peer, "ok", "dial-start %u", port);
		request = expect_request(&self->dev, port);
		link = link_accept(&self->dev, &request);
		peer_tell(&self->peer, "dial-wait");
		ASSERT_EQ(0, strncmp("ok ", peer_hear(&self->peer), 3));
		expect_working(&self->peer, &link);
		peer_do(&self->peer, "ok", "close");
		expect_end(link.sock, TRANSFER_EOF);
		link_close(&link);
		skip_to_rst(&self->dev, link.id);
	}
}

/* Programs that are killed in the middle of a stream. */
#define MUCH (2 * MIB) /* more than what is under way */

static void wait_sent(struct device *dev, __u64 before)
{
	struct guard guard = guard_start();
	struct vsockdev_get_info info;

	do {
		info = info_of(dev->fd);
		if (info.tx_bytes >= before + MUCH)
			return;
	} while (guard_wait(&guard));
	fail("only %llu bytes were sent, after asking %llu times for credit",
	     info.tx_bytes - before, info.credit_requests);
}

LONG_TEST_F(interop, host_program_is_killed_while_it_sends)
{
	struct link link = peer_connect(&self->dev, &self->peer);
	struct transfer transfer = TRANSFER(1, 1, 70000);

	peer_do(&self->peer, "ok", "process send 1 end");
	transfer_receive(&transfer, link.sock, MUCH);
	ASSERT_EQ(TRANSFER_DONE, transfer.end);
	peer_do(&self->peer, "ok", "kill");
	transfer_receive(&transfer, link.sock, TRANSFER_TO_END);
	EXPECT_EQ(TRANSFER_EOF, transfer.end);
	EXPECT_EQ(EPIPE, send_to_end(link.sock));
	EXPECT_EQ(transfer.bytes,
		  skip_to_rst(&self->dev, link.id).rst.bytes_received);
	link = peer_connect(&self->dev, &self->peer);
	expect_working(&self->peer, &link);
}

LONG_TEST_F(interop, host_program_is_killed_while_it_receives)
{
	struct link link = peer_dial(&self->dev, &self->peer);
	__u64 before = info_of(self->dev.fd).tx_bytes;
	struct job *job;

	peer_do(&self->peer, "ok", "process recv 1 end");
	job = start_sending(link.sock, TRANSFER(1, 1, 70000), TRANSFER_TO_END,
			    TRANSFER_BROKEN);
	wait_sent(&self->dev, before);
	peer_do(&self->peer, "ok", "kill");
	if (habits()->hides_its_close) {
		note_habit("may tell nothing: the owner has to reset");
		ASSERT_EQ(0, send_rst(self->dev.fd, link.addr, link.id));
	} else {
		skip_to_rst(&self->dev, link.id);
	}
	EXPECT_LE(MUCH, finish(job));
	link = peer_connect(&self->dev, &self->peer);
	expect_working(&self->peer, &link);
}

/* A process of the guest that alone has the socket. */
static pid_t process_with(struct link *link, bool sends)
{
	struct transfer transfer = TRANSFER(1, 1, 70000);
	pid_t pid = fork();

	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid) {
		link_close(link);
		return pid;
	}
	if (sends)
		transfer_send(&transfer, link->sock, TRANSFER_TO_END);
	else
		transfer_receive(&transfer, link->sock, TRANSFER_TO_END);
	_exit(1);
}

static void kill_process(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		fail("the process was not killed");
}

LONG_TEST_F(interop, guest_program_is_killed_while_it_sends)
{
	struct link link = peer_connect(&self->dev, &self->peer);
	__u64 before = info_of(self->dev.fd).tx_bytes;
	unsigned long long received;
	struct vsockdev_event event;
	pid_t pid;

	peer_tell(&self->peer, "recv 1 end");
	pid = process_with(&link, true);
	wait_sent(&self->dev, before);
	kill_process(pid);
	ASSERT_EQ(1, sscanf(peer_hear(&self->peer), "eof %llu", &received));
	let_it_end(&self->peer);
	event = skip_to_rst(&self->dev, link.id);
	EXPECT_EQ(VSOCKDEV_RST_LOCAL_CLOSE, event.rst.reason);
	EXPECT_EQ(0, event.rst.error);
	EXPECT_EQ(received, event.rst.bytes_sent);
}

LONG_TEST_F(interop, guest_program_is_killed_while_it_receives)
{
	struct link link = peer_dial(&self->dev, &self->peer);
	__u64 before = info_of(self->dev.fd).rx_bytes;
	pid_t pid;

	peer_tell(&self->peer, "send 1 end");
	pid = process_with(&link, false);
	WAIT_FOR(info_of(self->dev.fd).rx_bytes >= before + MUCH);
	kill_process(pid);
	EXPECT_EQ(VSOCKDEV_RST_LOCAL_CLOSE,
		  skip_to_rst(&self->dev, link.id).rst.reason);
	EXPECT_EQ(0, strncmp("broken ", peer_hear(&self->peer), 7));
}

/* An owner that dies takes its connections along, and the next one starts. */
static void own(int ready)
{
	struct device dev;
	struct peer peer;

	device_start(&dev, NULL);
	peer = peer_open(&dev);
	peer_connect(&dev, &peer);
	peer_do(&peer, "ok", "defer killed recv 1 end");
	if (write(ready, "", 1) != 1)
		fail("write: %s", strerror(errno));
	for (;;)
		pause();
}

FIXTURE(service) {
};

FIXTURE_SETUP(service)
{
}

FIXTURE_TEARDOWN(service)
{
}

LONG_TEST_F(service, guest_service_is_killed)
{
	struct device dev;
	struct peer peer;
	int ready[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		own(ready[1]);
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	kill_process(pid);

	device_start(&dev, NULL);
	peer = peer_open(&dev);
	peer_do(&peer, "eof 0", "result killed");
}

TEST_HARNESS_MAIN
