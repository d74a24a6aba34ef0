// SPDX-License-Identifier: GPL-2.0-only
/* How events are read, and waited for: read, poll, epoll and io_uring. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/link.h"
#include "lib/machine.h"
#include "lib/reader.h"
#include "lib/uring.h"

#define RECORD sizeof(struct vsockdev_event)

FIXTURE(reading) {
	struct device dev;
	struct peer peer;
};

FIXTURE_SETUP(reading)
{
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
}

FIXTURE_TEARDOWN(reading)
{
}

static void set_nonblocking(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		fail("O_NONBLOCK: %s", strerror(errno));
}

TEST_F(reading, read_wants_room_for_a_record_and_loses_none)
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

TEST_F(reading, read_wants_room_even_when_there_is_none)
{
	struct vsockdev_event event;

	EXPECT_EQ(-1, read(self->dev.fd, &event, RECORD - 1));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(reading, read_gives_whole_records_as_many_as_fit)
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

TEST_F(reading, read_gives_what_is_there_and_does_not_wait_for_more)
{
	struct vsockdev_event events[8];
	struct callers callers;

	call_in(&self->dev, &callers, 2);
	wait_for_requests(&self->dev, &callers);

	EXPECT_EQ(2 * RECORD, read(self->dev.fd, events, sizeof(events)));
}

TEST_F(reading, records_may_lie_across_the_parts_of_readv)
{
	struct vsockdev_event records[2];
	char *room = (char *)records;
	struct iovec parts[] = {
		{ .iov_base = room, .iov_len = 1 },
		{ .iov_base = room + 1, .iov_len = RECORD - 2 },
		{ .iov_base = room + RECORD - 1, .iov_len = RECORD },
	};
	struct callers callers;

	call_in(&self->dev, &callers, 2);
	wait_for_requests(&self->dev, &callers);

	/* One byte is missing for the second. */
	ASSERT_EQ(RECORD, readv(self->dev.fd, parts, 3));
	EXPECT_EQ(callers.ports[0], records[0].addr.local_port);
	expect_request(&self->dev, callers.ports[1]);
}

/* Records of other sizes, for programs that know more than the kernel. */
FIXTURE(sized) {
	struct device dev;
	struct link links[4]; /* each has its RESPONSE unread */
	char room[4 * 256];
};

FIXTURE_VARIANT(sized) {
	uint32_t start; /* event_size of START */
	uint32_t size; /* of a record */
};

FIXTURE_VARIANT_ADD(sized, default) {
	.start = 0,
	.size = 64,
};

FIXTURE_VARIANT_ADD(sized, smallest) {
	.start = 64,
	.size = 64,
};

FIXTURE_VARIANT_ADD(sized, larger) {
	.start = 72,
	.size = 72,
};

FIXTURE_VARIANT_ADD(sized, largest) {
	.start = 256,
	.size = 256,
};

FIXTURE_SETUP(sized)
{
	struct vsockdev_start options = { .event_size = variant->start };

	device_start(&self->dev, &options);
	memset(self->room, 0xa5, sizeof(self->room));
	for (int i = 0; i < 4; i++) {
		self->links[i] = link_request(&self->dev, SCRIPT_PORT);
		/* It has answered when its peer does. */
		expect_alive(&self->links[i]);
	}
}

FIXTURE_TEARDOWN(sized)
{
}

/* Record @i of the room is about that link, and zero behind what is known. */
static void expect_record(const char *room, uint32_t size, int i,
			  const struct link *link)
{
	struct vsockdev_event event;

	room += i * size;
	memcpy(&event, room, sizeof(event));
	if (event.type != VSOCKDEV_EVENT_RESPONSE || event.conn_id != link->id)
		fail("record %d is another one", i);
	for (uint32_t at = sizeof(event); at < size; at++)
		if (room[at])
			fail("byte %u of record %d is not zero", at, i);
}

static void expect_rest(const char *room, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (room[i] != (char)0xa5)
			fail("byte %zu behind the records was written", i);
}

#define expect_record(...) HERE((expect_record)(__VA_ARGS__))
#define expect_rest(...) HERE((expect_rest)(__VA_ARGS__))

TEST_F(sized, records_are_whole_and_as_many_as_fit)
{
	uint32_t size = variant->size;

	/* Room for three and a half. */
	ASSERT_EQ(3 * size,
		  read(self->dev.fd, self->room, 3 * size + size / 2));

	for (int i = 0; i < 3; i++)
		expect_record(self->room, size, i, &self->links[i]);
	expect_rest(self->room, 3 * size, sizeof(self->room));
	ASSERT_EQ(size, read(self->dev.fd, self->room, 4 * size - 1));
	expect_record(self->room, size, 0, &self->links[3]);
	EXPECT_EQ(0, poll_now(self->dev.fd));
}

TEST_F(sized, records_do_not_fit_into_less_and_none_is_lost)
{
	uint32_t size = variant->size;

	for (uint32_t less = 0; less < size; less++) {
		EXPECT_EQ(-1, read(self->dev.fd, self->room, less));
		EXPECT_EQ(EINVAL, errno);
	}
	expect_rest(self->room, 0, sizeof(self->room));

	ASSERT_EQ(4 * size, read(self->dev.fd, self->room, 4 * size));
	for (int i = 0; i < 4; i++)
		expect_record(self->room, size, i, &self->links[i]);
}

TEST_F(reading, nonblocking_read_says_eagain)
{
	struct vsockdev_event event;
	struct iovec whole = { .iov_base = &event, .iov_len = RECORD };

	EXPECT_EQ(-1, preadv2(self->dev.fd, &whole, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(EAGAIN, errno);
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

TEST_F(reading, a_read_that_faults_loses_nothing)
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

TEST_F(reading, a_read_that_faults_half_way_gives_the_first_half)
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

/* Wherever in the second record the memory ends. */
TEST_F(sized, records_that_fault_anywhere_are_not_lost)
{
	uint32_t size = variant->size;
	char *end = page_before_hole() + 4096;

	for (uint32_t part = 0; part < size; part++) {
		EXPECT_EQ(-1, read(self->dev.fd, end - part, size));
		EXPECT_EQ(EFAULT, errno);
	}
	ASSERT_EQ(size, read(self->dev.fd, end - 2 * size + 1, 2 * size));
	expect_record(end - 2 * size + 1, size, 0, &self->links[0]);
	ASSERT_EQ(3 * size, read(self->dev.fd, self->room, 4 * size));
	for (int i = 0; i < 3; i++)
		expect_record(self->room, size, i, &self->links[i + 1]);
}

/* Waiting. */
TEST_F(reading, poll_says_when_there_is_one)
{
	struct callers callers;

	EXPECT_EQ(0, poll_now(self->dev.fd));

	call_in(&self->dev, &callers, 1);
	WAIT_FOR(poll_now(self->dev.fd) == POLLIN);
	expect_request(&self->dev, callers.ports[0]);

	EXPECT_EQ(0, poll_now(self->dev.fd));
}

TEST_F(reading, epoll_says_when_there_is_one)
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

TEST_F(reading, edge_triggered_epoll_tells_each_new_one)
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

static void expect_eagain(int fd)
{
	struct vsockdev_event event;

	if (read(fd, &event, RECORD) >= 0 || errno != EAGAIN)
		fail("there is an event, or read says %s", strerror(errno));
}

#define expect_eagain(...) HERE((expect_eagain)(__VA_ARGS__))

TEST_F(reading, after_eagain_a_new_one_is_always_an_edge)
{
	struct epoll_event wanted = { .events = EPOLLIN | EPOLLET }, seen;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct vsockdev_event event;
	struct link link;

	set_nonblocking(self->dev.fd);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->dev.fd, &wanted));
	for (int i = 0; i < 200; i++) {
		expect_eagain(self->dev.fd);
		if (i % 2)
			link_close(&link);
		else
			link = link_request(&self->dev, SCRIPT_PORT);
		ASSERT_EQ(1, epoll_wait(epoll, &seen, 1, HANG_GUARD_MS));
		EXPECT_EQ(EPOLLIN, seen.events);
		ASSERT_EQ(RECORD, read(self->dev.fd, &event, RECORD));
		EXPECT_EQ(link.id, event.conn_id);
	}
}

TEST_F(reading, poll_says_nothing_to_who_is_not_the_owner)
{
	int other = open_device();
	struct callers callers;

	call_in(&self->dev, &callers, 1);
	wait_for_requests(&self->dev, &callers);
	EXPECT_EQ(POLLIN, poll_now(self->dev.fd));

	EXPECT_EQ(0, poll_now(other));
	ASSERT_EQ(0, stop(self->dev.fd));
	EXPECT_EQ(0, poll_now(self->dev.fd));
}

/* The device goes. */
FIXTURE(leaving) {
	struct device dev;
	struct peer peer;
};

FIXTURE_SETUP(leaving)
{
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
}

FIXTURE_TEARDOWN(leaving)
{
	if (!node_exists(0))
		bind_device(0);
}

static void expect_gone(int epoll, int fd)
{
	uint32_t gone = EPOLLHUP | EPOLLERR;
	struct vsockdev_event event;
	struct epoll_event seen;

	if (epoll_wait(epoll, &seen, 1, HANG_GUARD_MS) != 1 ||
	    (seen.events & gone) != gone)
		fail("epoll does not say that the device is gone");
	if ((poll_now(fd) & gone) != gone)
		fail("poll does not say that the device is gone");
	if (read(fd, &event, RECORD) >= 0 || errno != ENODEV)
		fail("read says %s", strerror(errno));
}

#define expect_gone(...) HERE((expect_gone)(__VA_ARGS__))

TEST_F(leaving, device_shows_in_poll_and_epoll_and_read)
{
	struct epoll_event levels = {}, edges = { .events = EPOLLET };
	int level = epoll_create1(EPOLL_CLOEXEC);
	int edge = epoll_create1(EPOLL_CLOEXEC);
	struct reader reader;

	ASSERT_EQ(0, epoll_ctl(level, EPOLL_CTL_ADD, self->dev.fd, &levels));
	ASSERT_EQ(0, epoll_ctl(edge, EPOLL_CTL_ADD, self->dev.fd, &edges));
	start_reader(&reader, self->dev.fd);

	unbind_device(0);

	EXPECT_EQ(-ENODEV, finish_reader(&reader));
	expect_gone(level, self->dev.fd);
	expect_gone(edge, self->dev.fd);
}

TEST_F(leaving, device_stands_for_all_events_before)
{
	struct callers callers;
	struct vsockdev_event event;

	call_in(&self->dev, &callers, 3);
	wait_for_requests(&self->dev, &callers);

	unbind_device(0);

	EXPECT_EQ(-1, read(self->dev.fd, &event, RECORD));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(0, poll_now(self->dev.fd) & POLLIN);
}

TEST_F(reading, read_waits_for_the_first_one)
{
	struct reader reader;
	struct link link;

	start_reader(&reader, self->dev.fd);

	link = link_request(&self->dev, SCRIPT_PORT);

	EXPECT_EQ(RECORD, finish_reader(&reader));
	EXPECT_EQ(VSOCKDEV_EVENT_RESPONSE, reader.event.type);
	EXPECT_EQ(link.id, reader.event.conn_id);
}

TEST_F(reading, stop_wakes_waiting_readers_with_epipe)
{
	struct reader readers[3];

	for (int i = 0; i < 3; i++)
		start_reader(&readers[i], self->dev.fd);

	ASSERT_EQ(0, stop(self->dev.fd));

	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-EPIPE, finish_reader(&readers[i]));
}

/* A START right after STOP does not make the old reader one of the new. */
TEST_F(reading, a_reader_of_before_stop_is_none_after_start)
{
	struct reader reader;

	start_reader(&reader, self->dev.fd);

	ASSERT_EQ(0, stop(self->dev.fd));
	ASSERT_EQ(0, start(self->dev.fd, NULL));

	EXPECT_EQ(-EPIPE, finish_reader(&reader));
}

TEST_F(reading, two_readers_share_the_stream_and_none_is_told_twice)
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
			ASSERT_EQ(RECORD, finish_reader(&readers[i]));
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

/* A thread that reads until its file is stopped, a few records at a time. */
struct collector {
	pthread_t thread;
	int fd;
	int error;
	unsigned int count;
	uint64_t ids[256];
};

static void *collect(void *arg)
{
	struct collector *collector = arg;
	struct vsockdev_event events[3];
	ssize_t n;

	while ((n = read(collector->fd, events, sizeof(events))) > 0)
		for (unsigned int i = 0; i < n / RECORD; i++)
			collector->ids[collector->count++ % 256] =
				events[i].conn_id;
	collector->error = errno;
	return NULL;
}

static unsigned int times_seen(const struct collector *collectors, uint64_t id)
{
	unsigned int seen = 0;

	for (int c = 0; c < 2; c++)
		for (unsigned int i = 0; i < collectors[c].count; i++)
			seen += collectors[c].ids[i] == id;
	return seen;
}

TEST_F(reading, two_threads_that_read_all_the_time_miss_none)
{
	struct collector collectors[2] = {};
	struct link links[100];

	for (int i = 0; i < 2; i++) {
		collectors[i].fd = self->dev.fd;
		ASSERT_EQ(0, pthread_create(&collectors[i].thread, NULL,
					    collect, &collectors[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		links[i] = link_request(&self->dev, SCRIPT_PORT);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		expect_alive(&links[i]);
	WAIT_FOR(poll_now(self->dev.fd) == 0);
	ASSERT_EQ(0, stop(self->dev.fd));

	for (int i = 0; i < 2; i++) {
		pthread_join(collectors[i].thread, NULL);
		EXPECT_TRUE(collectors[i].error == EPIPE ||
			    collectors[i].error == EPERM);
	}
	EXPECT_EQ(ARRAY_SIZE(links), collectors[0].count + collectors[1].count);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		EXPECT_EQ(1, times_seen(collectors, links[i].id));
}

TEST_F(reading, a_signal_ends_the_wait)
{
	struct reader reader;
	struct link link;

	start_reader(&reader, self->dev.fd);

	interrupt_reader(&reader);

	EXPECT_EQ(-EINTR, finish_reader(&reader));
	link = link_request(&self->dev, SCRIPT_PORT);
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, link.id);
}

/* io_uring, which does not wait in read but for poll. */
FIXTURE(uring) {
	struct device dev;
	struct uring uring;
	struct vsockdev_event event;
};

FIXTURE_VARIANT(uring) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(uring, at_once) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(uring, by_worker) {
	.flags = IOSQE_ASYNC,
};

FIXTURE_SETUP(uring)
{
	if (!uring_open(&self->uring))
		SKIP(return, "this kernel has no io_uring");
	device_start(&self->dev, NULL);
}

/* The kernel lets go of what io_uring has open some time after the end */
FIXTURE_TEARDOWN(uring)
{
	stop(self->dev.fd);
}

TEST_F(uring, read_takes_what_is_there)
{
	struct link link = link_request(&self->dev, SCRIPT_PORT);

	expect_alive(&link);

	uring_read(&self->uring, 1, self->dev.fd, &self->event, RECORD,
		   variant->flags);

	EXPECT_EQ(RECORD, uring_finish(&self->uring, 1));
	EXPECT_EQ(link.id, self->event.conn_id);
}

TEST_F(uring, read_waits_for_the_first_one)
{
	struct link link;

	for (int i = 0; i < 20; i++) {
		uring_read(&self->uring, i, self->dev.fd, &self->event, RECORD,
			   variant->flags);
		EXPECT_TRUE(uring_is_quiet(&self->uring));

		link = link_request(&self->dev, SCRIPT_PORT);

		EXPECT_EQ(RECORD, uring_finish(&self->uring, i));
		EXPECT_EQ(VSOCKDEV_EVENT_RESPONSE, self->event.type);
		EXPECT_EQ(link.id, self->event.conn_id);
	}
}

TEST_F(uring, read_that_is_cancelled_loses_nothing)
{
	struct link link;
	int result;

	uring_read(&self->uring, 1, self->dev.fd, &self->event, RECORD,
		   variant->flags);
	result = uring_cancel(&self->uring, 1);
	EXPECT_TRUE(result == -ECANCELED || result == -EINTR);

	link = link_request(&self->dev, SCRIPT_PORT);
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, link.id);
}

TEST_F(uring, read_says_what_read_says)
{
	struct link link;

	uring_read(&self->uring, 1, self->dev.fd, &self->event, RECORD - 1,
		   variant->flags);
	EXPECT_EQ(-EINVAL, uring_finish(&self->uring, 1));
	link = link_request(&self->dev, SCRIPT_PORT);
	expect_alive(&link);
	uring_read(&self->uring, 2, self->dev.fd, NULL, RECORD, variant->flags);
	EXPECT_EQ(-EFAULT, uring_finish(&self->uring, 2));
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, link.id);
}

TEST_F(uring, read_ends_when_the_owner_stops)
{
	int result;

	uring_read(&self->uring, 1, self->dev.fd, &self->event, RECORD,
		   variant->flags);
	EXPECT_TRUE(uring_is_quiet(&self->uring));

	ASSERT_EQ(0, stop(self->dev.fd));

	result = uring_finish(&self->uring, 1);
	EXPECT_TRUE(result == -EPIPE || result == -EPERM);
}

TEST_F(uring, read_ends_when_the_device_goes)
{
	uring_read(&self->uring, 1, self->dev.fd, &self->event, RECORD,
		   variant->flags);

	unbind_device(0);
	bind_device(0);

	EXPECT_EQ(-ENODEV, uring_finish(&self->uring, 1));
}

TEST_HARNESS_MAIN
