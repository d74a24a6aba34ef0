// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine goes to sleep and wakes up, as far as the kernel does that by
 * itself: down to the devices, and down to the last processor. (QEMU can be
 * told to wake it from more, but then firmware forgets to set up the port that
 * turns the machine off.)
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/load.h"
#include "lib/machine.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define ROUNDS 3
#define LONG_SECONDS 240

#define POWER "/sys/power/"

static int reset_done(int fd, uint64_t generation)
{
	struct vsockdev_reset_done arg = {
		.size = sizeof(arg),
		.generation = generation,
	};

	return call(fd, VSOCKDEV_RESET_DONE, &arg);
}

static int send_vmo(int fd, const struct link *link, int file, uint64_t length)
{
	struct vsockdev_send_vmo arg = {
		.size = sizeof(arg),
		.addr = link->addr,
		.vmo_fd = file,
		.length = length,
	};

	return call(fd, VSOCKDEV_SEND_VMO, &arg);
}

FIXTURE(suspend) {
	struct device dev;
	struct peer peer;
	struct link link;
};

/* How far down, in the kernel's words. */
FIXTURE_VARIANT(suspend) {
	const char *test;
};

FIXTURE_VARIANT_ADD(suspend, devices) {
	.test = "devices",
};

FIXTURE_VARIANT_ADD(suspend, core) {
	.test = "core",
};

FIXTURE_SETUP(suspend)
{
	if (!machine_has_ports())
		SKIP(return, "this machine's devices stay awake");
	if (write_file(POWER "pm_test", variant->test))
		SKIP(return, "this kernel cannot sleep for a test");
	write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
	self->link = peer_connect(&self->dev, &self->peer);
}

FIXTURE_TEARDOWN(suspend)
{
	write_file(POWER "pm_test", "none");
}

static void go_to_sleep(void)
{
	int error = write_file(POWER "state", "mem");

	if (error)
		fail("going to sleep: %s", strerror(-error));
}

/* The event, which must be the only one; its generation. */
static uint64_t expect_reset(struct device *dev)
{
	struct vsockdev_event event = next_event(dev);
	struct vsockdev_get_info info = info_of(dev->fd);

	if (event.type != VSOCKDEV_EVENT_TRANSPORT_RESET)
		fail("expected TRANSPORT_RESET, saw type %u", event.type);
	if (event.transport_reset.generation != info.generation ||
	    event.transport_reset.new_cid != info.cid || !info.cid)
		fail("TRANSPORT_RESET with generation %llu, context id %u",
		     event.transport_reset.generation,
		     event.transport_reset.new_cid);
	expect_no_event(dev, 0);
	return event.transport_reset.generation;
}

static void reconnect(struct device *dev, struct peer *peer, struct link *link)
{
	int error = reset_done(dev->fd, expect_reset(dev));

	if (error)
		fail("RESET_DONE: %s", strerror(-error));
	link_close(link);
	link_close(&peer->link);
	*peer = peer_open(dev);
	*link = peer_connect(dev, peer);
}

TEST_F_TIMEOUT(suspend, and_again, LONG_SECONDS)
{
	for (int i = 0; i < ROUNDS; i++) {
		go_to_sleep();
		reconnect(&self->dev, &self->peer, &self->link);
		exchange(&self->peer, &self->link, 1);
	}
}

TEST_F_TIMEOUT(suspend, resets_the_transport_once, LONG_SECONDS)
{
	uint64_t before = info_of(self->dev.fd).generation;
	uint32_t cid = info_of(self->dev.fd).cid;

	go_to_sleep();
	EXPECT_EQ(POLLIN, poll_now(self->dev.fd));
	EXPECT_EQ(before + 1, expect_reset(&self->dev));
	EXPECT_EQ(cid, info_of(self->dev.fd).cid);
	EXPECT_EQ(0, info_of(self->dev.fd).conns);
}

TEST_F_TIMEOUT(suspend, ends_sockets_with_econnreset, LONG_SECONDS)
{
	struct link pending = link_request(&self->dev, port_without_answer());

	peer_do(&self->peer, "done 1000", "send 1 1000");
	receive_stream(self->link.sock, 1, 500);
	WAIT_FOR(info_of(self->dev.fd).rx_bytes >= 1000);
	go_to_sleep();

	expect_end(pending.sock, TRANSFER_RESET);
	expect_end(self->peer.link.sock, TRANSFER_RESET);
	/* What came before still comes, and then it is no orderly end. */
	struct transfer rest = { .stream = { .seed = 1, .pos = 500 } };

	transfer_receive(&rest, self->link.sock, TRANSFER_TO_END);
	EXPECT_EQ(TRANSFER_RESET, rest.end);
	EXPECT_EQ(500, rest.bytes);
}

TEST_F_TIMEOUT(suspend, waits_for_reset_done, LONG_SECONDS)
{
	struct vsockdev_addr addr = host_addr(SCRIPT_PORT);
	uint64_t generation;
	int pair[2];

	go_to_sleep();
	unix_pair(pair);
	EXPECT_EQ(-ECONNRESET, send_request(self->dev.fd, addr, pair[1], NULL));
	EXPECT_EQ(-ECONNRESET, send_response(self->dev.fd, addr, 0, pair[1]));
	EXPECT_EQ(-ECONNRESET, send_shutdown(self->dev.fd, addr, 0, 0));
	EXPECT_EQ(-EALREADY, start(self->dev.fd, NULL));
	EXPECT_EQ(0, send_rst(self->dev.fd, self->link.addr, self->link.id));

	generation = expect_reset(&self->dev);
	EXPECT_EQ(-ECONNRESET, send_request(self->dev.fd, addr, pair[1], NULL));
	EXPECT_EQ(-ESTALE, reset_done(self->dev.fd, generation - 1));
	EXPECT_EQ(-ESTALE, reset_done(self->dev.fd, generation + 1));
	EXPECT_EQ(0, reset_done(self->dev.fd, generation));
	EXPECT_EQ(-EALREADY, reset_done(self->dev.fd, generation));

	self->peer = peer_open(&self->dev);
	expect_alive(&self->peer.link);
	close(pair[0]);
	close(pair[1]);
}

TEST_F_TIMEOUT(suspend, twice_before_the_first_was_read, LONG_SECONDS)
{
	uint64_t before = info_of(self->dev.fd).generation;

	go_to_sleep();
	go_to_sleep();

	EXPECT_EQ(before + 2, expect_reset(&self->dev));
	EXPECT_EQ(-ESTALE, reset_done(self->dev.fd, before + 1));
	EXPECT_EQ(0, reset_done(self->dev.fd, before + 2));
	self->peer = peer_open(&self->dev);
	expect_alive(&self->peer.link);
}

TEST_F_TIMEOUT(suspend, twice_before_the_first_was_acknowledged, LONG_SECONDS)
{
	uint64_t first, second;

	go_to_sleep();
	first = expect_reset(&self->dev);
	go_to_sleep();

	EXPECT_EQ(-ESTALE, reset_done(self->dev.fd, first));
	second = expect_reset(&self->dev);
	EXPECT_EQ(first + 1, second);
	EXPECT_EQ(0, reset_done(self->dev.fd, second));
	self->peer = peer_open(&self->dev);
	expect_alive(&self->peer.link);
}

static void *read_event(void *arg)
{
	static struct vsockdev_event event;
	ssize_t n = read(*(int *)arg, &event, sizeof(event));

	return n == sizeof(event) ? &event : NULL;
}

/* The sleep is no event for who waits, only what it does to the device. */
TEST_F_TIMEOUT(suspend, while_a_reader_waits, LONG_SECONDS)
{
	struct vsockdev_event *event;
	pthread_t reader;

	ASSERT_EQ(0, pthread_create(&reader, NULL, read_event, &self->dev.fd));
	go_to_sleep();
	pthread_join(reader, (void **)&event);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(VSOCKDEV_EVENT_TRANSPORT_RESET, event->type);
	EXPECT_EQ(0, reset_done(self->dev.fd,
				event->transport_reset.generation));
}

TEST_F_TIMEOUT(suspend, without_an_owner, LONG_SECONDS)
{
	uint64_t before = info_of(self->dev.fd).generation;

	ASSERT_EQ(0, stop(self->dev.fd));
	go_to_sleep();
	EXPECT_EQ(before + 1, info_of(self->dev.fd).generation);

	close(self->dev.fd);
	device_start(&self->dev, NULL);
	expect_no_event(&self->dev, 0);
	EXPECT_EQ(-EALREADY, reset_done(self->dev.fd, before + 1));
	self->peer = peer_open(&self->dev);
	expect_alive(&self->peer.link);
}

/* The next owner knows nothing of before, so there is nothing to tell. */
TEST_F_TIMEOUT(suspend, and_a_new_owner, LONG_SECONDS)
{
	go_to_sleep();
	ASSERT_EQ(0, stop(self->dev.fd));
	ASSERT_EQ(0, start(self->dev.fd, NULL));

	expect_no_event(&self->dev, 0);
	self->peer = peer_open(&self->dev);
	expect_alive(&self->peer.link);
}

TEST_F_TIMEOUT(suspend, each_device_is_told, LONG_SECONDS)
{
	struct device other;
	struct peer peer;

	if (machine_devices() < 2)
		SKIP(return, "there is one device only");
	device_start_at(&other, 1, NULL);
	peer = peer_open(&other);
	go_to_sleep();
	expect_end(peer.link.sock, TRANSFER_RESET);
	ASSERT_EQ(0, reset_done(other.fd, expect_reset(&other)));

	peer = peer_open(&other);
	expect_alive(&peer.link);
	EXPECT_EQ(-ECONNRESET,
		  send_shutdown(self->dev.fd, self->link.addr, 0, 0));
	reconnect(&self->dev, &self->peer, &self->link);
}

TEST_F_TIMEOUT(suspend, under_load, LONG_SECONDS)
{
	static struct load load;

	for (int i = 0; i < ROUNDS; i++) {
		load_start(&load, &self->dev);
		go_to_sleep();
		load_finish(&load);
		reconnect(&self->dev, &self->peer, &self->link);
	}
	exchange(&self->peer, &self->link, 1);
}

/* The pages are ours again, and its end is told once. */
TEST_F_TIMEOUT(suspend, while_a_vmo_is_sent, LONG_SECONDS)
{
	int file = memfd_create("vmo", MFD_CLOEXEC);
	struct vsockdev_event event;

	ASSERT_EQ(0, ftruncate(file, 4 * MIB));
	ASSERT_EQ(0, send_vmo(self->dev.fd, &self->link, file, 4 * MIB));
	peer_do(&self->peer, "ok", "unread");
	go_to_sleep();

	event = expect_event(&self->dev, VSOCKDEV_EVENT_SEND_VMO_COMPLETE,
			     self->link.id);
	EXPECT_EQ(ECONNRESET, event.vmo.status);
	EXPECT_GT(4 * MIB, event.vmo.bytes);
	reconnect(&self->dev, &self->peer, &self->link);
	exchange(&self->peer, &self->link, 1);
	close(file);
}

TEST_HARNESS_MAIN
