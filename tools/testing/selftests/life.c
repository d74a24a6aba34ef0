// SPDX-License-Identifier: GPL-2.0-only
/* The device comes and goes, and the module with it. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/link.h"
#include "lib/machine.h"

/* The device works from end to end. */
static void expect_working(void)
{
	struct device dev;
	struct peer peer;

	device_start(&dev, NULL);
	peer = peer_open(&dev);
	expect_alive(&peer.link);
	close(peer.link.sock);
	expect_event(&dev, VSOCKDEV_EVENT_RST, peer.link.id);
	close(dev.fd);
}

FIXTURE(unbound) {
	struct device dev;
	struct peer peer;
	struct link link;
	int watcher; /* a file that is not the owner */
};

FIXTURE_SETUP(unbound)
{
	device_start(&self->dev, NULL);
	self->watcher = open_device();
	self->peer = peer_open(&self->dev);
	self->link = peer_connect(&self->dev, &self->peer);
}

/* Runs after a failed test too, so that the next one has a device. */
FIXTURE_TEARDOWN(unbound)
{
	if (!node_exists(0))
		bind_device(0);
}

TEST_F(unbound, takes_the_node_away)
{
	unbind_device(0);

	EXPECT_FALSE(node_exists(0));
}

TEST_F(unbound, leaves_open_files_that_say_enodev)
{
	struct vsockdev_get_cid cid = { .size = sizeof(cid) };
	struct vsockdev_get_info info = { .size = sizeof(info) };
	struct vsockdev_event event;

	unbind_device(0);

	EXPECT_EQ(-ENODEV, start(self->dev.fd, NULL));
	EXPECT_EQ(-ENODEV, stop(self->dev.fd));
	EXPECT_EQ(-ENODEV, start(self->watcher, NULL));
	EXPECT_EQ(-ENODEV, call(self->watcher, VSOCKDEV_GET_CID, &cid));
	EXPECT_EQ(-ENODEV, call(self->watcher, VSOCKDEV_GET_INFO, &info));
	EXPECT_EQ(-ENODEV, send_rst(self->dev.fd, self->link.addr, 0));
	EXPECT_EQ(-ENODEV, send_shutdown(self->dev.fd, self->link.addr, 0, 0));
	EXPECT_EQ(-1, read(self->dev.fd, &event, sizeof(event)));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, read(self->watcher, &event, sizeof(event)));
	EXPECT_EQ(ENODEV, errno);
}

TEST_F(unbound, shows_in_poll)
{
	short wanted = POLLHUP | POLLERR;

	unbind_device(0);

	EXPECT_EQ(wanted, poll_now(self->dev.fd) & wanted);
	EXPECT_EQ(wanted, poll_now(self->watcher) & wanted);
}

TEST_F(unbound, ends_sockets_with_econnreset)
{
	peer_do(&self->peer, "done 1000", "send 1 1000");
	receive_stream(self->link.sock, 1, 1000);

	unbind_device(0);

	expect_end(self->link.sock, TRANSFER_RESET);
	expect_end(self->peer.link.sock, TRANSFER_RESET);
}

static void *read_event(void *arg)
{
	struct vsockdev_event event;
	long n = read(*(int *)arg, &event, sizeof(event));

	return (void *)(n < 0 ? -(long)errno : n);
}

/* Whether the reader waits yet or not: this is what it must get. */
TEST_F(unbound, wakes_readers_and_writers)
{
	struct job *writer, *reader;
	pthread_t waiter;
	void *result;

	ASSERT_EQ(0, pthread_create(&waiter, NULL, read_event, &self->dev.fd));
	writer = start_sending(self->link.sock, TRANSFER(1, 65536, 65536),
			       TRANSFER_TO_END, TRANSFER_BROKEN);
	reader = start_receiving(self->peer.link.sock, TRANSFER(1, 1, 1),
				 TRANSFER_TO_END, TRANSFER_RESET);

	unbind_device(0);

	finish(writer);
	finish(reader);
	ASSERT_EQ(0, pthread_join(waiter, &result));
	EXPECT_EQ(-ENODEV, (long)result);
}

TEST_F(unbound, does_not_wait_for_programs)
{
	/* Full in both directions, and nobody takes anything. */
	struct job *writer = start_sending(self->link.sock,
					   TRANSFER(1, 65536, 65536),
					   TRANSFER_TO_END, TRANSFER_BROKEN);

	peer_do(&self->peer, "ok", "unread");
	peer_tell(&self->peer, "send 1 end");

	unbind_device(0);

	finish(writer);
}

TEST_F(unbound, and_bound_again_works)
{
	unbind_device(0);
	bind_device(0);

	ASSERT_TRUE(node_exists(0));
	EXPECT_EQ(-ENODEV, stop(self->dev.fd));
	expect_working();
	EXPECT_EQ(-ENODEV, stop(self->dev.fd));
}

TEST_F_TIMEOUT(unbound, and_bound_again_many_times, 300)
{
	close(self->dev.fd);
	for (int i = 0; i < 10; i++) {
		unbind_device(0);
		bind_device(0);
	}
	expect_working();
}

TEST_F(unbound, with_connections_in_every_state)
{
	struct link pending = link_request(&self->dev, port_without_answer());
	struct peer caller = peer_open(&self->dev);
	struct link closed = link_connect(&self->dev, SCRIPT_PORT);
	uint32_t port = new_port();

	peer_do(&caller, "ok", "dial-start %u", port);
	expect_request(&self->dev, port);
	link_close(&closed);
	ASSERT_EQ(0, send_shutdown(self->dev.fd, self->link.addr, 0,
				   VSOCKDEV_SHUTDOWN_SEND));

	unbind_device(0);

	expect_end(pending.sock, TRANSFER_RESET);
	expect_end(self->link.sock, TRANSFER_RESET);
	expect_end(caller.link.sock, TRANSFER_RESET);
}

/* The module. */
TEST(module_stays_while_a_node_is_open)
{
	int fd = open_device();

	EXPECT_EQ(-EAGAIN, remove_module(MODULE));
	ASSERT_EQ(0, start(fd, NULL));
	EXPECT_EQ(-EAGAIN, remove_module(MODULE));
	close(fd);
}

TEST(module_stays_while_a_file_of_an_unbound_device_is_open)
{
	int fd = open_device();
	int removed;

	unbind_device(0);
	removed = remove_module(MODULE);
	bind_device(0);

	EXPECT_EQ(-EAGAIN, removed);
	close(fd);
}

TEST(module_comes_again_and_the_device_works)
{
	for (int i = 0; i < 3; i++) {
		WAIT_FOR(remove_module(MODULE) == 0);
		EXPECT_FALSE(node_exists(0));
		insert_module();
		ASSERT_TRUE(node_exists(0));
		expect_working();
	}
}

TEST_HARNESS_MAIN
