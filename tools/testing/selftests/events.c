// SPDX-License-Identifier: GPL-2.0-only
/* The event stream: what is told, in which order, to whom, and how it waits. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/link.h"

#define RECORD sizeof(struct vsockdev_event)

FIXTURE(events) {
	struct device dev;
	struct peer peer;
};

FIXTURE_SETUP(events)
{
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
}

FIXTURE_TEARDOWN(events)
{
}

static void set_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		fail("O_NONBLOCK: %s", strerror(errno));
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/*
 * Lets the host ask for connections to ports of ours, each by a session of
 * its own, and waits until all REQUESTs are there, unread.
 */
struct callers {
	int count;
	uint32_t conns; /* before they call */
	struct peer peers[16];
	uint32_t ports[16];
};

static void call_in(struct device *dev, struct callers *callers, int count)
{
	callers->count = count;
	for (int i = 0; i < count; i++)
		callers->peers[i] = peer_open(dev);
	callers->conns = info_of(dev->fd).conns;
	for (int i = 0; i < count; i++) {
		callers->ports[i] = new_port();
		peer_do(&callers->peers[i], "ok", "dial-start %u",
			callers->ports[i]);
	}
}

static void wait_for_requests(struct device *dev, struct callers *callers)
{
	WAIT_FOR(info_of(dev->fd).conns == callers->conns + callers->count);
}

TEST_F(events, request_tells_who_asks)
{
	uint64_t before = now_ns(), after;
	struct vsockdev_event event;
	uint32_t port = new_port();

	peer_do(&self->peer, "ok", "dial-start %u", port);
	event = next_event(&self->dev);
	after = now_ns();

	EXPECT_EQ(VSOCKDEV_EVENT_REQUEST, event.type);
	EXPECT_EQ(port, event.addr.local_port);
	EXPECT_EQ(HOST_CID, event.addr.remote_cid);
	EXPECT_NE(0, event.addr.remote_port);
	EXPECT_NE(0, event.conn_id);
	EXPECT_NE(self->peer.link.id, event.conn_id);
	EXPECT_EQ(VSOCKDEV_TYPE_STREAM, event.request.socket_type);
	EXPECT_EQ(0, event.request.reserved);
	EXPECT_LE(before, event.time_ns);
	EXPECT_LE(event.time_ns, after);
}

TEST_F(events, response_tells_which_connection)
{
	struct vsockdev_event event;
	struct link link;

	link = link_request(&self->dev, SCRIPT_PORT);
	event = next_event(&self->dev);

	EXPECT_EQ(VSOCKDEV_EVENT_RESPONSE, event.type);
	EXPECT_EQ(link.id, event.conn_id);
	EXPECT_EQ(0, memcmp(&link.addr, &event.addr, sizeof(link.addr)));
}

TEST_F(events, rst_tells_reason_and_bytes)
{
	struct link link = peer_connect(&self->dev, &self->peer);
	struct vsockdev_event event;

	send_stream(link.sock, 1, 5000);
	peer_do(&self->peer, "done 5000", "recv 1 5000");
	peer_do(&self->peer, "done 7000", "send 2 7000");
	receive_stream(link.sock, 2, 7000);
	link_close(&link);
	event = next_event(&self->dev);

	EXPECT_EQ(VSOCKDEV_EVENT_RST, event.type);
	EXPECT_EQ(link.id, event.conn_id);
	EXPECT_EQ(0, memcmp(&link.addr, &event.addr, sizeof(link.addr)));
	EXPECT_EQ(VSOCKDEV_RST_LOCAL_CLOSE, event.rst.reason);
	EXPECT_EQ(0, event.rst.error);
	EXPECT_EQ(5000, event.rst.bytes_sent);
	EXPECT_EQ(7000, event.rst.bytes_received);
}

TEST_F(events, shutdown_tells_the_direction)
{
	struct vsockdev_event event;
	struct link link;

	if (!host_is_ours())
		SKIP(return, "this host device shuts only both directions");
	link = peer_connect(&self->dev, &self->peer);

	peer_do(&self->peer, "ok", "shutdown wr");
	event = next_event(&self->dev);

	EXPECT_EQ(VSOCKDEV_EVENT_SHUTDOWN, event.type);
	EXPECT_EQ(link.id, event.conn_id);
	EXPECT_EQ(0, memcmp(&link.addr, &event.addr, sizeof(link.addr)));
	EXPECT_EQ(VSOCKDEV_SHUTDOWN_SEND, event.shutdown.directions);
	EXPECT_EQ(0, event.shutdown.reserved);
}

TEST_F(events, come_in_the_order_of_what_happened)
{
	struct vsockdev_event events[12];
	struct callers callers;
	uint64_t now;

	call_in(&self->dev, &callers, 6);
	wait_for_requests(&self->dev, &callers);
	for (int i = 0; i < 6; i++)
		link_request(&self->dev, SCRIPT_PORT);
	for (int i = 0; i < 12; i++)
		events[i] = next_event(&self->dev);
	now = now_ns();

	for (int i = 0; i < 6; i++) {
		EXPECT_EQ(VSOCKDEV_EVENT_REQUEST, events[i].type);
		EXPECT_EQ(VSOCKDEV_EVENT_RESPONSE, events[6 + i].type);
	}
	for (int i = 1; i < 12; i++) {
		EXPECT_LT(events[i - 1].seq, events[i].seq);
		EXPECT_LE(events[i - 1].time_ns, events[i].time_ns);
	}
	EXPECT_LE(events[11].time_ns, now);
}

TEST_F(events, of_one_connection_come_in_its_order)
{
	struct link link;

	if (!host_is_ours())
		SKIP(return, "this host device shuts only both directions");
	link = link_request(&self->dev, SCRIPT_PORT);
	ASSERT_EQ(12, write(link.sock, "become-echo\n", 12));
	ASSERT_EQ(0, shutdown(link.sock, SHUT_WR));

	EXPECT_EQ(VSOCKDEV_EVENT_RESPONSE, next_event(&self->dev).type);
	expect_shutdown(&self->dev, link.id,
			VSOCKDEV_SHUTDOWN_SEND | VSOCKDEV_SHUTDOWN_RECEIVE);
	expect_event(&self->dev, VSOCKDEV_EVENT_RST, link.id);
}

/* Reading. */
TEST_F(events, read_wants_room_for_a_record_and_loses_none)
{
	struct vsockdev_event event;
	struct callers callers;

	call_in(&self->dev, &callers, 1);
	wait_for_requests(&self->dev, &callers);

	EXPECT_EQ(-1, read(self->dev.fd, &event, RECORD - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->dev.fd, &event, 1));
	EXPECT_EQ(EINVAL, errno);
	expect_request(&self->dev, callers.ports[0]);
}

TEST_F(events, read_wants_room_even_when_there_is_none)
{
	struct vsockdev_event event;

	EXPECT_EQ(-1, read(self->dev.fd, &event, RECORD - 1));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(events, read_gives_whole_records_as_many_as_fit)
{
	char room[RECORD * 3];
	struct callers callers;
	struct vsockdev_event event;

	call_in(&self->dev, &callers, 3);
	wait_for_requests(&self->dev, &callers);
	memset(room, 0xa5, sizeof(room));

	ASSERT_EQ(2 * RECORD, read(self->dev.fd, room, 3 * RECORD - 1));

	for (size_t i = 2 * RECORD; i < sizeof(room); i++)
		ASSERT_EQ((char)0xa5, room[i]);
	for (int i = 0; i < 2; i++) {
		memcpy(&event, room + i * RECORD, RECORD);
		EXPECT_EQ(VSOCKDEV_EVENT_REQUEST, event.type);
		EXPECT_EQ(callers.ports[i], event.addr.local_port);
	}
	event = next_event(&self->dev);
	EXPECT_EQ(callers.ports[2], event.addr.local_port);
	expect_no_event(&self->dev, 0);
}

TEST_F(events, read_gives_what_is_there_and_does_not_wait_for_more)
{
	struct vsockdev_event events[8];
	struct callers callers;

	call_in(&self->dev, &callers, 2);
	wait_for_requests(&self->dev, &callers);

	EXPECT_EQ(2 * RECORD, read(self->dev.fd, events, sizeof(events)));
}

TEST(records_have_the_size_that_start_named)
{
	struct vsockdev_start options = { .event_size = RECORD + 8 };
	uint64_t room[2 * (RECORD + 8) / 8];
	struct vsockdev_event event;
	struct device dev;
	struct link link;

	device_start(&dev, &options);
	link = link_request(&dev, SCRIPT_PORT);
	memset(room, 0xa5, sizeof(room));
	EXPECT_EQ(-1, read(dev.fd, room, RECORD));
	EXPECT_EQ(EINVAL, errno);

	ASSERT_EQ(RECORD + 8, read(dev.fd, room, sizeof(room)));

	memcpy(&event, room, RECORD);
	EXPECT_EQ(VSOCKDEV_EVENT_RESPONSE, event.type);
	EXPECT_EQ(link.id, event.conn_id);
	EXPECT_EQ(0, room[RECORD / 8]);
	EXPECT_EQ(0xa5a5a5a5a5a5a5a5, room[RECORD / 8 + 1]);
}

TEST_F(events, nonblocking_read_says_eagain)
{
	struct vsockdev_event event;

	set_nonblocking(self->dev.fd);

	EXPECT_EQ(-1, read(self->dev.fd, &event, RECORD));
	EXPECT_EQ(EAGAIN, errno);
}

/* Memory of one page; what is behind it faults. */
static char *page_before_hole(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || munmap(page + 4096, 4096))
		fail("mmap: %s", strerror(errno));
	return page;
}

TEST_F(events, a_read_that_faults_loses_nothing)
{
	char *page = page_before_hole();
	struct callers callers;

	call_in(&self->dev, &callers, 2);
	wait_for_requests(&self->dev, &callers);

	EXPECT_EQ(-1, read(self->dev.fd, page + 4096, RECORD));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, read(self->dev.fd, page + 4096 - 8, RECORD));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, read(self->dev.fd, page + 4096 - RECORD + 1, 2 * RECORD));
	EXPECT_EQ(EFAULT, errno);

	expect_request(&self->dev, callers.ports[0]);
	expect_request(&self->dev, callers.ports[1]);
}

TEST_F(events, a_read_that_faults_half_way_gives_the_first_half)
{
	char *page = page_before_hole();
	struct vsockdev_event event;
	struct callers callers;

	call_in(&self->dev, &callers, 2);
	wait_for_requests(&self->dev, &callers);

	ASSERT_EQ(RECORD,
		  read(self->dev.fd, page + 4096 - RECORD - 8, 2 * RECORD));

	memcpy(&event, page + 4096 - RECORD - 8, RECORD);
	EXPECT_EQ(callers.ports[0], event.addr.local_port);
	expect_request(&self->dev, callers.ports[1]);
}

/* Waiting. */
TEST_F(events, poll_says_when_there_is_one)
{
	struct callers callers;

	EXPECT_EQ(0, poll_now(self->dev.fd));

	call_in(&self->dev, &callers, 1);
	WAIT_FOR(poll_now(self->dev.fd) == POLLIN);
	expect_request(&self->dev, callers.ports[0]);

	EXPECT_EQ(0, poll_now(self->dev.fd));
}

TEST_F(events, epoll_says_when_there_is_one)
{
	struct epoll_event wanted = { .events = EPOLLIN }, seen;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct callers callers;

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->dev.fd, &wanted));
	ASSERT_EQ(0, epoll_wait(epoll, &seen, 1, 0));

	call_in(&self->dev, &callers, 1);

	/* Level triggered: the RESPONSE of the caller was taken already. */
	ASSERT_EQ(1, epoll_wait(epoll, &seen, 1, HANG_GUARD_MS));
	EXPECT_EQ(EPOLLIN, seen.events);
	expect_request(&self->dev, callers.ports[0]);
	EXPECT_EQ(0, epoll_wait(epoll, &seen, 1, 0));
}

TEST_F(events, edge_triggered_epoll_tells_each_new_one)
{
	struct epoll_event wanted = { .events = EPOLLIN | EPOLLET }, seen;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->dev.fd, &wanted));
	for (int i = 0; i < 5; i++) {
		link_request(&self->dev, SCRIPT_PORT);
		/* unread, and yet the next one is told */
		ASSERT_EQ(1, epoll_wait(epoll, &seen, 1, HANG_GUARD_MS));
	}
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(VSOCKDEV_EVENT_RESPONSE, next_event(&self->dev).type);
}

/* A thread in read(), and how that ended. */
struct reader {
	pthread_t thread;
	int fd;
	volatile pid_t tid;
	ssize_t n;
	int error;
	struct vsockdev_event event;
};

static void *read_one(void *arg)
{
	struct reader *reader = arg;

	reader->tid = syscall(SYS_gettid);
	reader->n = read(reader->fd, &reader->event, RECORD);
	reader->error = errno;
	return NULL;
}

/* The thread does nothing but this read, so asleep means waiting in it. */
static bool asleep(pid_t tid)
{
	char path[64], stat[256], *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[n > 0 ? n : 0] = '\0';
	state = strrchr(stat, ')');
	return state && state[2] == 'S';
}

static void start_reader(struct reader *reader, int fd)
{
	memset(reader, 0, sizeof(*reader));
	reader->fd = fd;
	if (pthread_create(&reader->thread, NULL, read_one, reader))
		fail("pthread_create");
	WAIT_FOR(reader->tid && asleep(reader->tid));
}

TEST_F(events, read_waits_for_the_first_one)
{
	struct reader reader;
	struct link link;

	start_reader(&reader, self->dev.fd);

	link = link_request(&self->dev, SCRIPT_PORT);
	pthread_join(reader.thread, NULL);

	EXPECT_EQ(RECORD, reader.n);
	EXPECT_EQ(VSOCKDEV_EVENT_RESPONSE, reader.event.type);
	EXPECT_EQ(link.id, reader.event.conn_id);
}

TEST_F(events, stop_wakes_waiting_readers_with_epipe)
{
	struct reader readers[3];

	for (int i = 0; i < 3; i++)
		start_reader(&readers[i], self->dev.fd);

	ASSERT_EQ(0, stop(self->dev.fd));

	for (int i = 0; i < 3; i++) {
		pthread_join(readers[i].thread, NULL);
		EXPECT_EQ(-1, readers[i].n);
		EXPECT_EQ(EPIPE, readers[i].error);
	}
}

/* A START right after STOP does not make the old reader one of the new. */
TEST_F(events, a_reader_of_before_stop_is_none_after_start)
{
	struct reader reader;

	start_reader(&reader, self->dev.fd);

	ASSERT_EQ(0, stop(self->dev.fd));
	ASSERT_EQ(0, start(self->dev.fd, NULL));
	pthread_join(reader.thread, NULL);

	EXPECT_EQ(-1, reader.n);
	EXPECT_EQ(EPIPE, reader.error);
}

TEST_F(events, two_readers_share_the_stream_and_none_is_told_twice)
{
	struct link links[20];
	bool told[20] = {};

	for (int round = 0; round < 10; round++) {
		struct reader readers[2];

		for (int i = 0; i < 2; i++)
			start_reader(&readers[i], self->dev.fd);
		for (int i = 0; i < 2; i++)
			links[2 * round + i] =
				link_request(&self->dev, SCRIPT_PORT);
		for (int i = 0; i < 2; i++) {
			pthread_join(readers[i].thread, NULL);
			ASSERT_EQ(RECORD, readers[i].n);
			for (int j = 0; j < 2 * round + 2; j++) {
				if (links[j].id != readers[i].event.conn_id)
					continue;
				EXPECT_FALSE(told[j]);
				told[j] = true;
			}
		}
	}
	for (int i = 0; i < 20; i++)
		EXPECT_TRUE(told[i]);
	expect_no_event(&self->dev, 0);
}

static void do_nothing(int sig)
{
	(void)sig;
}

TEST_F(events, a_signal_ends_the_wait)
{
	struct sigaction action = { .sa_handler = do_nothing };
	struct reader reader;
	struct link link;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	start_reader(&reader, self->dev.fd);

	ASSERT_EQ(0, pthread_kill(reader.thread, SIGUSR1));
	pthread_join(reader.thread, NULL);

	EXPECT_EQ(-1, reader.n);
	EXPECT_EQ(EINTR, reader.error);
	link = link_request(&self->dev, SCRIPT_PORT);
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, link.id);
}

/* Who may read. */
TEST(only_the_owner_may_read)
{
	int fd = open_device(), other = open_device();
	struct vsockdev_event event;

	EXPECT_EQ(-1, read(fd, &event, RECORD));
	EXPECT_EQ(EPERM, errno);

	ASSERT_EQ(0, start(fd, NULL));
	EXPECT_EQ(-1, read(other, &event, RECORD));
	EXPECT_EQ(EPERM, errno);

	ASSERT_EQ(0, stop(fd));
	EXPECT_EQ(-1, read(fd, &event, RECORD));
	EXPECT_EQ(EPERM, errno);
}

TEST_F(events, unread_ones_are_gone_after_stop)
{
	struct callers callers;

	call_in(&self->dev, &callers, 3);
	wait_for_requests(&self->dev, &callers);

	ASSERT_EQ(0, stop(self->dev.fd));
	ASSERT_EQ(0, start(self->dev.fd, NULL));

	expect_no_event(&self->dev, 0);
	/* Nor does anything that was on its way reach the new owner. */
	self->peer = peer_open(&self->dev);
	expect_no_event(&self->dev, 0);
	WAIT_FOR(info_of(self->dev.fd).conns == 1);
}

/* REQUESTs that the host takes back. */
TEST_F(events, a_request_withdrawn_before_it_was_read_vanishes)
{
	struct vsockdev_addr addr = { .remote_cid = HOST_CID };
	int pair[2];

	if (!host_is_ours())
		SKIP(return, "this host device does not withdraw");
	unix_pair(pair);
	addr.local_port = new_port();
	peer_do(&self->peer, "ok", "dial-start %u", addr.local_port);
	WAIT_FOR(poll_now(self->dev.fd) == POLLIN);

	peer_do(&self->peer, "ok", "close");

	WAIT_FOR(poll_now(self->dev.fd) == 0);
	expect_no_event(&self->dev, 0);
	WAIT_FOR(info_of(self->dev.fd).conns == 1);
}

TEST_F(events, a_request_withdrawn_after_it_was_read_is_followed_by_rst)
{
	struct vsockdev_event request;
	uint32_t port = new_port();
	int pair[2];

	if (!host_is_ours())
		SKIP(return, "this host device does not withdraw");
	unix_pair(pair);
	peer_do(&self->peer, "ok", "dial-start %u", port);
	request = expect_request(&self->dev, port);

	peer_do(&self->peer, "ok", "close");

	expect_rst(&self->dev, request.conn_id, VSOCKDEV_RST_PEER_RESET,
		   ECONNRESET);
	EXPECT_EQ(-ENOTCONN,
		  send_response(self->dev.fd, request.addr, 0, pair[1]));
	EXPECT_EQ(-ESTALE, send_response(self->dev.fd, request.addr,
					 request.conn_id, pair[1]));
	expect_no_event(&self->dev, 0);
}

/* Limits. */
FIXTURE(small_backlog) {
	struct device dev;
	struct peer peer;
	struct peer dialler;
};

FIXTURE_SETUP(small_backlog)
{
	struct vsockdev_start options = { .backlog = 2 };

	device_start(&self->dev, &options);
	self->peer = peer_open(&self->dev);
	self->dialler = peer_open(&self->dev);
}

FIXTURE_TEARDOWN(small_backlog)
{
}

/* Refusal shows to the host as an end without an answer. */
static void expect_refused(struct device *dev, struct peer *peer)
{
	uint64_t before = info_of(dev->fd).refused;

	if (host_is_ours())
		peer_do(peer, "refused", "dial %u", new_port());
	else
		peer_do(peer, "ok", "dial-start %u", new_port());
	WAIT_FOR(info_of(dev->fd).refused == before + 1);
}

TEST_F(small_backlog, one_more_request_is_refused_at_once)
{
	struct callers callers;

	call_in(&self->dev, &callers, 2);
	wait_for_requests(&self->dev, &callers);

	expect_refused(&self->dev, &self->dialler);

	expect_request(&self->dev, callers.ports[0]);
	expect_request(&self->dev, callers.ports[1]);
	expect_no_event(&self->dev, 0);
}

TEST_F(small_backlog, a_request_that_was_read_still_waits)
{
	struct callers callers;

	call_in(&self->dev, &callers, 2);
	expect_request(&self->dev, callers.ports[0]);
	expect_request(&self->dev, callers.ports[1]);

	expect_refused(&self->dev, &self->dialler);
	expect_no_event(&self->dev, 0);
}

TEST_F(small_backlog, an_answer_makes_room)
{
	struct vsockdev_event requests[2];
	struct callers callers;
	uint32_t ports[2] = { new_port(), new_port() };

	call_in(&self->dev, &callers, 2);
	requests[0] = expect_request(&self->dev, callers.ports[0]);
	requests[1] = expect_request(&self->dev, callers.ports[1]);

	link_accept(&self->dev, &requests[0]);
	peer_do(&self->peer, "ok", "dial-start %u", ports[0]);
	expect_request(&self->dev, ports[0]);

	ASSERT_EQ(0, send_rst(self->dev.fd, requests[1].addr,
			      requests[1].conn_id));
	peer_do(&self->dialler, "ok", "dial-start %u", ports[1]);
	expect_request(&self->dev, ports[1]);
}

TEST_F(small_backlog, a_withdrawn_request_makes_room)
{
	uint32_t port = new_port();
	struct callers callers;

	if (!host_is_ours())
		SKIP(return, "this host device does not withdraw");
	call_in(&self->dev, &callers, 2);
	wait_for_requests(&self->dev, &callers);

	peer_do(&callers.peers[0], "ok", "close");
	WAIT_FOR(info_of(self->dev.fd).conns == 5);

	peer_do(&self->dialler, "ok", "dial-start %u", port);
	expect_request(&self->dev, callers.ports[1]);
	expect_request(&self->dev, port);
}

/* Nobody there. */
TEST(a_request_is_refused_when_there_is_no_owner)
{
	int watcher = open_device();
	struct device dev;
	struct peer peer;
	uint64_t refused;

	device_start(&dev, NULL);
	refused = info_of(watcher).refused;
	peer = peer_open(&dev);
	peer_do(&peer, "ok", "defer %u dial %u", getpid(), new_port());

	ASSERT_EQ(0, stop(dev.fd));

	/* The peer dials when its script connection is reset. */
	WAIT_FOR(info_of(watcher).refused > refused);
	ASSERT_EQ(0, start(dev.fd, NULL));
	expect_no_event(&dev, 0);
	peer = peer_open(&dev);
	if (host_is_ours())
		peer_do(&peer, "refused", "result %u", getpid());
	expect_no_event(&dev, 0);
}

TEST_HARNESS_MAIN
