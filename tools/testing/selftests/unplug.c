// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device is taken away from under whatever is going on, and comes back:
 * from the machine, by QEMU's monitor, and from the driver, by sysfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/load.h"
#include "lib/machine.h"
#include "lib/uring.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define ROUNDS 3
#define LONG_SECONDS 240

/* The device works from end to end. */
static void expect_working(unsigned int device)
{
	struct device dev;
	struct peer peer;

	device_start_at(&dev, device, NULL);
	peer = peer_open(&dev);
	expect_alive(&peer.link);
	link_close(&peer.link);
	close(dev.fd);
}

/* Device 0 comes and goes: by the machine, or else by its driver only. */
struct way {
	bool by_machine;
	struct peer remote; /* by way of device 1 QEMU is told */
};

FIXTURE(gone) {
	struct device dev;
	struct device other;
	struct way way;
	struct peer peer;
	struct link link;
	int watcher; /* a file on device 0 that is not the owner */
};

FIXTURE_VARIANT(gone) {
	bool by_machine;
};

FIXTURE_VARIANT_ADD(gone, unplugged) {
	.by_machine = true,
};

FIXTURE_VARIANT_ADD(gone, unbound) {
	.by_machine = false,
};

static void take_away(struct way *way)
{
	char name[NAME_SIZE];

	if (way->by_machine) {
		unplug(&way->remote, 0);
		WAIT_FOR(!find_virtio(0, name));
	} else {
		unbind_device(0);
	}
}

static void bring_back(struct way *way)
{
	char name[NAME_SIZE];

	if (!find_virtio(0, name)) {
		plug(&way->remote, 0);
		WAIT_FOR(node_exists(0));
	} else {
		bind_device(0);
	}
}

/* A test that failed may have left us without the device. */
FIXTURE_SETUP(gone)
{
	if (variant->by_machine && !machine_has_ports())
		SKIP(return, "this machine has no ports to unplug from");
	if (machine_devices() < 2 || !host_is_ours())
		SKIP(return, "there is one device only, or it comes once");
	self->way.by_machine = variant->by_machine;
	device_start_at(&self->other, 1, NULL);
	self->way.remote = peer_open(&self->other);
	if (!node_exists(0))
		bring_back(&self->way);
	device_start(&self->dev, NULL);
	self->watcher = open_device();
	self->peer = peer_open(&self->dev);
	self->link = peer_connect(&self->dev, &self->peer);
}

/* Each test brings the device back itself. */
FIXTURE_TEARDOWN(gone)
{
	EXPECT_TRUE(node_exists(0));
}

TEST_F_TIMEOUT(gone, and_back_many_times, LONG_SECONDS)
{
	for (int i = 0; i < ROUNDS; i++) {
		take_away(&self->way);
		EXPECT_FALSE(node_exists(0));
		bring_back(&self->way);
		ASSERT_TRUE(node_exists(0));
		expect_working(0);
	}
	expect_alive(&self->way.remote.link);
}

/* Every call there is. */
static void expect_enodev(int fd, struct vsockdev_addr addr)
{
	struct vsockdev_get_cid cid = { .size = sizeof(cid) };
	struct vsockdev_get_info info = { .size = sizeof(info) };
	struct vsockdev_reset_done done = { .size = sizeof(done) };
	struct vsockdev_event event;
	short wanted = POLLHUP | POLLERR;
	int pair[2];

	unix_pair(pair);
	if (start(fd, NULL) != -ENODEV || stop(fd) != -ENODEV ||
	    call(fd, VSOCKDEV_GET_CID, &cid) != -ENODEV ||
	    call(fd, VSOCKDEV_GET_INFO, &info) != -ENODEV ||
	    call(fd, VSOCKDEV_RESET_DONE, &done) != -ENODEV ||
	    send_request(fd, addr, pair[1], NULL) != -ENODEV ||
	    send_response(fd, addr, 0, pair[1]) != -ENODEV ||
	    send_rst(fd, addr, 0) != -ENODEV ||
	    send_shutdown(fd, addr, 0, 0) != -ENODEV)
		fail("a call does not say ENODEV");
	if (read(fd, &event, sizeof(event)) != -1 || errno != ENODEV)
		fail("read() does not say ENODEV");
	if ((poll_now(fd) & wanted) != wanted)
		fail("poll() says %x", poll_now(fd));
	close(pair[0]);
	close(pair[1]);
}

TEST_F(gone, leaves_open_files_that_say_enodev)
{
	take_away(&self->way);

	expect_enodev(self->dev.fd, self->link.addr);
	expect_enodev(self->watcher, self->link.addr);

	bring_back(&self->way);
	expect_working(0);
	expect_enodev(self->dev.fd, self->link.addr);
	expect_enodev(self->watcher, self->link.addr);
}

/* What came before is read; then it is plain that there was more. */
TEST_F(gone, cuts_streams_off_and_tells_so)
{
	struct transfer transfer = { .stream.seed = 1 };

	peer_tell(&self->peer, "send 1 end");
	receive_stream(self->link.sock, 1, MIB);
	take_away(&self->way);

	/* The same stream, from where it stopped. */
	transfer.stream.pos = MIB;
	transfer_receive(&transfer, self->link.sock, TRANSFER_TO_END);
	EXPECT_EQ(TRANSFER_RESET, transfer.end);
	expect_end(self->peer.link.sock, TRANSFER_RESET);
	bring_back(&self->way);
}

TEST_F_TIMEOUT(gone, under_load, LONG_SECONDS)
{
	static struct load load;

	for (int i = 0; i < ROUNDS; i++) {
		load_start(&load, &self->dev);
		take_away(&self->way);
		load_finish(&load);
		close(self->dev.fd);
		bring_back(&self->way);
		device_start(&self->dev, NULL);
	}
	expect_alive(&self->way.remote.link);
}

/* Somebody who does one thing until it says an error that ends it. */
struct waiter {
	pthread_t thread;
	int fd;
	struct link link; /* of a connection of that device */
	atomic_int tid;
	long result;
};

static long wait_in_read(struct waiter *waiter)
{
	struct vsockdev_event event;
	ssize_t n;

	do {
		n = read(waiter->fd, &event, sizeof(event));
	} while (n > 0);
	return -errno;
}

static long wait_in_poll(struct waiter *waiter)
{
	struct pollfd fds = { .fd = waiter->fd };

	if (poll(&fds, 1, HANG_GUARD_MS) != 1)
		return 0;
	return fds.revents;
}

static long wait_in_epoll(struct waiter *waiter)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int fd = epoll_create1(EPOLL_CLOEXEC);
	long events = 0;

	epoll_ctl(fd, EPOLL_CTL_ADD, waiter->fd, &event);
	while (!(events & EPOLLHUP) &&
	       epoll_wait(fd, &event, 1, HANG_GUARD_MS) == 1)
		events = event.events;
	close(fd);
	return events & ~EPOLLIN;
}

/* Whatever it said until then: this is the last word. */
static long wait_for_enodev(struct waiter *waiter, int (*once)(struct waiter *))
{
	struct guard guard = guard_start();
	int error;

	do {
		error = once(waiter);
	} while (error != -ENODEV && guard_wait(&guard));
	return error;
}

static int once_info(struct waiter *waiter)
{
	struct vsockdev_get_info info = { .size = sizeof(info) };

	return call(waiter->fd, VSOCKDEV_GET_INFO, &info);
}

static int once_request(struct waiter *waiter)
{
	struct vsockdev_addr addr = host_addr(DEAF_PORT);
	int pair[2], error;

	unix_pair(pair);
	error = send_request(waiter->fd, addr, pair[1], NULL);
	send_rst(waiter->fd, addr, 0);
	close(pair[0]);
	close(pair[1]);
	return error;
}

static int once_shutdown(struct waiter *waiter)
{
	return send_shutdown(waiter->fd, waiter->link.addr, 0,
			     VSOCKDEV_SHUTDOWN_RECEIVE);
}

static int once_start(struct waiter *waiter)
{
	return start(waiter->fd, NULL);
}

static long wait_in_info(struct waiter *waiter)
{
	return wait_for_enodev(waiter, once_info);
}

static long wait_in_request(struct waiter *waiter)
{
	return wait_for_enodev(waiter, once_request);
}

static long wait_in_shutdown(struct waiter *waiter)
{
	return wait_for_enodev(waiter, once_shutdown);
}

static long wait_in_start(struct waiter *waiter)
{
	return wait_for_enodev(waiter, once_start);
}

/* The node itself: open, ask, close, until there is none any more. */
static long wait_in_open(struct waiter *waiter)
{
	struct guard guard = guard_start();
	char name[NAME_SIZE];
	int fd;

	(void)waiter;
	while (guard_wait(&guard)) {
		if (!find_node(0, name))
			return -ENOENT;
		fd = open(name, O_RDWR | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT && errno != ENXIO &&
		    errno != ENODEV)
			return -errno;
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

struct wait {
	const char *name;
	long (*run)(struct waiter *waiter);
	long wanted;
	bool sleeps;
};

static const struct wait waits[] = {
	{ "read", wait_in_read, -ENODEV, true },
	{ "poll", wait_in_poll, POLLHUP | POLLERR, true },
	{ "epoll", wait_in_epoll, EPOLLHUP | EPOLLERR, true },
	{ "GET_INFO", wait_in_info, -ENODEV, false },
	{ "SEND_REQUEST", wait_in_request, -ENODEV, false },
	{ "SEND_SHUTDOWN", wait_in_shutdown, -ENODEV, false },
	{ "START", wait_in_start, -ENODEV, false },
	{ "open", wait_in_open, -ENOENT, false },
};

#define WAITS (sizeof(waits) / sizeof(waits[0]))

struct waiting {
	const struct wait *wait;
	struct waiter waiter;
};

static void *run_wait(void *arg)
{
	struct waiting *waiting = arg;

	atomic_store(&waiting->waiter.tid, gettid());
	waiting->waiter.result = waiting->wait->run(&waiting->waiter);
	return NULL;
}

static bool thread_sleeps(int tid)
{
	char path[64], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = tid ? fopen(path, "r") : NULL;
	if (file) {
		if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = '?';
		fclose(file);
	}
	return state == 'S';
}

static void wait_start(struct waiting *waiting, const struct wait *wait, int fd,
		       struct link link)
{
	int error;

	waiting->wait = wait;
	waiting->waiter.fd = fd;
	waiting->waiter.link = link;
	error = pthread_create(&waiting->waiter.thread, NULL, run_wait,
			       waiting);
	if (error)
		fail("pthread_create: %s", strerror(error));
	if (wait->sleeps)
		WAIT_FOR(thread_sleeps(atomic_load(&waiting->waiter.tid)));
}

static void wait_finish(struct waiting *waiting)
{
	pthread_join(waiting->waiter.thread, NULL);
	if (waiting->waiter.result != waiting->wait->wanted)
		fail("%s ends with %ld instead of %ld", waiting->wait->name,
		     waiting->waiter.result, waiting->wait->wanted);
}

TEST_F(gone, wakes_whoever_waits)
{
	static struct waiting waitings[WAITS];
	struct vsockdev_event event;
	struct uring uring;
	bool has_uring = uring_open(&uring);

	for (unsigned int i = 0; i < WAITS; i++)
		if (waits[i].sleeps)
			wait_start(&waitings[i], &waits[i], self->dev.fd,
				   self->link);
	if (has_uring)
		uring_read(&uring, 1, self->dev.fd, &event, sizeof(event), 0);
	take_away(&self->way);
	for (unsigned int i = 0; i < WAITS; i++)
		if (waits[i].sleeps)
			wait_finish(&waitings[i]);
	if (has_uring)
		EXPECT_EQ(-ENODEV, uring_finish(&uring, 1));
	bring_back(&self->way);
}

/* Who is no owner has nothing to read, but is to know this. */
TEST_F(gone, tells_watchers_in_poll)
{
	static struct waiting waiting;

	wait_start(&waiting, &waits[1], self->watcher, self->link);
	take_away(&self->way);
	wait_finish(&waiting);
	bring_back(&self->way);
}

/* Everything at once, over and over, with bytes in flight. */
TEST_F_TIMEOUT(gone, from_under_every_call, LONG_SECONDS)
{
	static struct waiting waitings[WAITS];
	struct job *writer;

	for (int round = 0; round < ROUNDS; round++) {
		writer = start_sending(self->link.sock,
				       TRANSFER(1, 65536, 65536),
				       TRANSFER_TO_END, TRANSFER_BROKEN);
		peer_tell(&self->peer, "exchange 1 end 1 end");
		for (unsigned int i = 0; i < WAITS; i++)
			wait_start(&waitings[i], &waits[i], self->dev.fd,
				   self->link);
		take_away(&self->way);
		for (unsigned int i = 0; i < WAITS; i++)
			wait_finish(&waitings[i]);
		finish(writer);
		close(self->link.sock);
		close(self->peer.link.sock);
		close(self->dev.fd);

		bring_back(&self->way);
		device_start(&self->dev, NULL);
		self->peer = peer_open(&self->dev);
		self->link = peer_connect(&self->dev, &self->peer);
	}
}

/* Programs that want the device while it comes and goes. */
static atomic_bool enough;

static int use_device(int fd)
{
	struct vsockdev_addr addr = host_addr(SCRIPT_PORT);
	struct vsockdev_event event;
	char byte;
	int pair[2], error;

	error = start(fd, NULL);
	if (error)
		return error;
	unix_pair(pair);
	error = send_request(fd, addr, pair[1], NULL);
	close(pair[1]);
	if (!error && read(fd, &event, sizeof(event)) < 0)
		error = -errno;
	if (!error && send(pair[0], "ping\n", 5, MSG_NOSIGNAL) < 0)
		error = -errno;
	if (!error && recv(pair[0], &byte, 1, 0) < 0)
		error = -errno;
	close(pair[0]);
	return error;
}

static void *use_devices(void *arg)
{
	char name[NAME_SIZE];
	int fd;

	(void)arg;
	while (!atomic_load(&enough)) {
		fd = find_node(0, name) ? open(name, O_RDWR | O_CLOEXEC) : -1;
		if (fd < 0) {
			/* Leave some time to those who bring it. */
			poll(NULL, 0, 1);
			continue;
		}
		switch (-use_device(fd)) {
		case 0:
		case EBUSY:
		case ECONNRESET:
		case ENODEV:
		case EPIPE:
			break;
		default:
			fail("a program got another error");
		}
		close(fd);
	}
	return NULL;
}

TEST_F_TIMEOUT(gone, while_programs_come_and_go, LONG_SECONDS)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, use_devices, NULL);
	for (int i = 0; i < 3 * ROUNDS; i++) {
		take_away(&self->way);
		bring_back(&self->way);
	}
	atomic_store(&enough, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	expect_working(0);
}

/* The module: a file that is open keeps it, a device that is gone does not. */
TEST_F(gone, and_files_keep_the_module)
{
	take_away(&self->way);
	EXPECT_EQ(-EAGAIN, remove_module(MODULE));
	close(self->dev.fd);
	EXPECT_EQ(-EAGAIN, remove_module(MODULE));
	close(self->watcher);
	close(self->link.sock);
	close(self->peer.link.sock);
	bring_back(&self->way);
	expect_working(0);
}

/* The peer plugs it in when it hears no more from us. */
TEST_F(gone, and_comes_back_while_there_is_no_module)
{
	char name[NAME_SIZE];

	if (!self->way.by_machine)
		SKIP(return, "without the module nothing is bound");
	take_away(&self->way);
	peer_do(&self->way.remote, "ok", "defer plugged " PLUG_COMMAND, 0, 0, 0);
	link_close(&self->way.remote.link);
	close(self->link.sock);
	close(self->peer.link.sock);
	close(self->dev.fd);
	close(self->watcher);
	close(self->other.fd);
	WAIT_FOR(remove_module(MODULE) == 0);
	WAIT_FOR(find_virtio(0, name));
	insert_module();

	expect_working(0);
	expect_working(1);
}

TEST_HARNESS_MAIN
