// SPDX-License-Identifier: GPL-2.0-only
/* Two devices in one guest, beside each other and beside the in-tree driver. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/load.h"
#include "lib/machine.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define DEVICES 2
#define ROUNDS 5
#define LONG_SECONDS 120

static uint64_t first_cid(void)
{
	return from_environment("VSOCKDEV_CID", 3);
}

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

/* Each device with an owner, its host's peer and a connection. */
FIXTURE(several) {
	struct device devs[DEVICES];
	struct peer peers[DEVICES];
	struct link links[DEVICES];
};

FIXTURE_SETUP(several)
{
	if (machine_devices() < DEVICES)
		SKIP(return, "there is one device only");
	for (int i = 0; i < DEVICES; i++) {
		device_start_at(&self->devs[i], i, NULL);
		self->peers[i] = peer_open(&self->devs[i]);
		self->links[i] = peer_connect(&self->devs[i], &self->peers[i]);
	}
}

FIXTURE_TEARDOWN(several)
{
	if (!node_exists(0))
		bind_device(0);
}

TEST_F(several, each_has_its_cid)
{
	for (int i = 0; i < DEVICES; i++)
		EXPECT_EQ(first_cid() + i, info_of(self->devs[i].fd).cid);
}

/* Also when two connections have the same addresses. */
TEST_F(several, each_has_its_ports)
{
	struct vsockdev_addr addr = host_addr(new_port());
	struct link *link;
	int pair[2];

	for (int i = 0; i < DEVICES; i++) {
		link = &self->links[i];
		unix_pair(pair);
		peer_do(&self->peers[i], "ok", "listen %u", addr.remote_port);
		ASSERT_EQ(0, send_request(self->devs[i].fd, addr, pair[1],
					  &link->id));
		link->sock = pair[0];
		peer_do(&self->peers[i], "ok", "accept");
		expect_event(&self->devs[i], VSOCKDEV_EVENT_RESPONSE, link->id);
	}

	for (int i = 0; i < DEVICES; i++)
		exchange(&self->peers[i], &self->links[i], 10 * i + 1);
}

TEST_F(several, each_has_its_requests)
{
	uint32_t port = new_port();

	for (int i = 0; i < DEVICES; i++)
		peer_do(&self->peers[i], "ok", "dial-start %u", port);

	for (int i = 0; i < DEVICES; i++) {
		struct vsockdev_event request;
		struct link link;

		request = expect_request(&self->devs[i], port);
		link = link_accept(&self->devs[i], &request);
		peer_tell(&self->peers[i], "dial-wait");
		ASSERT_EQ(0, strncmp(peer_hear(&self->peers[i]), "ok ", 3));
		exchange(&self->peers[i], &link, 10 * i + 1);
		link_close(&link);
	}
}

TEST_F(several, each_has_its_owner)
{
	int other = open_device_at(1, O_RDWR | O_CLOEXEC);

	EXPECT_EQ(-EBUSY, start(other, NULL));
	ASSERT_EQ(0, stop(self->devs[0].fd));
	EXPECT_EQ(-EBUSY, start(other, NULL));
	EXPECT_EQ(-EPERM, send_rst(self->devs[0].fd, self->links[1].addr, 0));
	close(other);

	expect_end(self->links[0].sock, TRANSFER_RESET);
	exchange(&self->peers[1], &self->links[1], 1);
}

/* An RST event there, and nothing here. */
TEST_F(several, each_has_its_events)
{
	ASSERT_EQ(0,
		  send_shutdown(self->devs[0].fd, self->links[0].addr, 0, 0));
	peer_do(&self->peers[0], "ok", "close");
	skip_to_rst(&self->devs[0], self->links[0].id);

	expect_no_event(&self->devs[1], 0);
	exchange(&self->peers[1], &self->links[1], 1);
}

TEST_F(several, one_is_unbound_while_the_other_works)
{
	struct job *writer, *reader;

	writer = start_sending(self->links[1].sock, TRANSFER(1, 1, 100000),
			       16 * MIB, TRANSFER_DONE);
	peer_tell(&self->peers[1], "recv 1 %llu", 16 * MIB);
	for (int i = 0; i < ROUNDS; i++) {
		unbind_device(0);
		bind_device(0);
	}
	finish(writer);
	peer_hear_exactly(&self->peers[1], "done %llu", 16 * MIB);
	reader = start_receiving(self->links[0].sock, TRANSFER(1, 1, 1),
				 TRANSFER_TO_END, TRANSFER_RESET);

	exchange(&self->peers[1], &self->links[1], 2);
	finish(reader);
}

/* Full both ways, with a host and a program that take nothing. */
TEST_F(several, one_is_stuck_while_the_other_works)
{
	struct job *writer;

	writer = start_sending(self->links[0].sock, TRANSFER(1, 65536, 65536),
			       TRANSFER_TO_END, TRANSFER_BROKEN);
	peer_do(&self->peers[0], "ok", "unread");
	peer_tell(&self->peers[0], "send 1 end");

	exchange(&self->peers[1], &self->links[1], 1);
	ASSERT_EQ(0, stop(self->devs[1].fd));
	close(self->devs[1].fd);
	expect_working(1);

	ASSERT_EQ(0, stop(self->devs[0].fd));
	finish(writer);
}

/*
 * The relay: the ends of one pair are the sockets of connections of two
 * devices, and bytes go from host to host with no program between.
 */
FIXTURE(relay) {
	struct device devs[DEVICES];
	struct peer peers[DEVICES];
	uint64_t ids[DEVICES];
};

FIXTURE_SETUP(relay)
{
	int pair[2];

	if (machine_devices() < DEVICES)
		SKIP(return, "there is one device only");
	unix_pair(pair);
	for (int i = 0; i < DEVICES; i++) {
		struct vsockdev_addr addr = host_addr(new_port());

		device_start_at(&self->devs[i], i, NULL);
		self->peers[i] = peer_open(&self->devs[i]);
		peer_do(&self->peers[i], "ok", "listen %u", addr.remote_port);
		ASSERT_EQ(0, send_request(self->devs[i].fd, addr, pair[i],
					  &self->ids[i]));
		peer_do(&self->peers[i], "ok", "accept");
		expect_event(&self->devs[i], VSOCKDEV_EVENT_RESPONSE,
			     self->ids[i]);
	}
	close(pair[0]);
	close(pair[1]);
}

FIXTURE_TEARDOWN(relay)
{
	if (!node_exists(0))
		bind_device(0);
}

TEST_F_TIMEOUT(relay, moves_bytes_both_ways, LONG_SECONDS)
{
	const unsigned long long bytes = 8 * MIB;

	peer_tell(&self->peers[0], "exchange 1 %llu 2 %llu", bytes, bytes);
	peer_tell(&self->peers[1], "exchange 2 %llu 1 %llu", bytes, bytes);

	for (int i = 0; i < DEVICES; i++)
		peer_hear_exactly(&self->peers[i], "done %llu done %llu", bytes,
				  bytes);
}

TEST_F(relay, moves_odd_sizes)
{
	peer_tell(&self->peers[0], "send 1 %llu 1-3000", MIB);
	peer_do(&self->peers[1], "done 1048576", "recv 1 %llu 1-7000", MIB);
	peer_hear_exactly(&self->peers[0], "done %llu", MIB);
}

TEST_F(relay, passes_an_orderly_end_on)
{
	if (!host_is_ours())
		SKIP(return, "this host device knows no half-close");
	peer_do(&self->peers[0], "done 1000", "send 1 1000");
	peer_do(&self->peers[0], "ok", "shutdown wr");
	peer_do(&self->peers[1], "eof 1000", "recv 1 end");

	/* The other direction is still there. */
	peer_do(&self->peers[1], "done 5000", "send 2 5000");
	peer_do(&self->peers[1], "ok", "close");
	peer_do(&self->peers[0], "eof 5000", "recv 2 end");
	for (int i = 0; i < DEVICES; i++)
		skip_to_rst(&self->devs[i], self->ids[i]);
}

/* What is cut off here must not look complete there. */
TEST_F(relay, passes_a_reset_on)
{
	ASSERT_EQ(0, stop(self->devs[0].fd));

	expect_rst(&self->devs[1], self->ids[1], VSOCKDEV_RST_LOCAL_CLOSE,
		   ECONNRESET);
}

/* In the midst of it: what is on its way still arrives. */
TEST_F(relay, ends_when_a_device_goes)
{
	peer_tell(&self->peers[0], "send 1 end");
	peer_do(&self->peers[1], "ok", "unread");

	unbind_device(0);
	bind_device(0);

	peer_tell(&self->peers[1], "recv 1 end");
	expect_rst(&self->devs[1], self->ids[1], VSOCKDEV_RST_LOCAL_CLOSE,
		   ECONNRESET);
	EXPECT_EQ(-ENODEV, stop(self->devs[0].fd));
	expect_working(0);
}

/* The driver of the kernel for AF_VSOCK. It takes one device at most. */
#define IN_TREE "vmw_vsock_virtio_transport"

static void run(const char *command)
{
	int status = system(command);

	if (status)
		fail("'%s' ends with %d", command, status);
}

static bool in_tree_unloads(void)
{
	int error = remove_module(IN_TREE);

	return !error || error == -ENOENT;
}

/* A program that knows nothing of us talks with the host. */
static void expect_af_vsock(void)
{
	struct timeval guard = { .tv_sec = HANG_GUARD_MS / 1000 };
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK,
		.svm_cid = HOST_CID,
		.svm_port = SCRIPT_PORT,
	};
	int sock = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct peer peer = { .link.sock = sock };
	char byte;

	if (sock < 0)
		fail("AF_VSOCK: %s", strerror(errno));
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard));
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		fail("AF_VSOCK connect: %s", strerror(errno));
	peer_do(&peer, "pong", "ping");
	/* To the end, or the driver stays for the seconds that it may last. */
	shutdown(sock, SHUT_WR);
	while (host_is_ours() && recv(sock, &byte, 1, 0) > 0)
		;
	close(sock);
}

FIXTURE(in_tree) {
	glob_t found;
};

FIXTURE_SETUP(in_tree)
{
	if (machine_devices() < DEVICES)
		SKIP(return, "there is one device only");
	if (glob("/lib/modules/*/kernel/net/vmw_vsock/" IN_TREE ".ko", 0, NULL,
		 &self->found))
		SKIP(return, "there is no " IN_TREE);
}

/* However far the test came: the module is there and has both devices. */
FIXTURE_TEARDOWN(in_tree)
{
	WAIT_FOR(in_tree_unloads());
	if (access(VIRTIO_DRIVERS MODULE, F_OK))
		insert_module();
	for (int i = 0; i < DEVICES; i++)
		if (!node_exists(i))
			bind_device(i);
}

TEST_F(in_tree, leaves_devices_that_are_ours)
{
	run("modprobe " IN_TREE);

	for (int i = 0; i < DEVICES; i++) {
		EXPECT_TRUE(node_exists(i));
		expect_working(i);
	}
}

TEST_F(in_tree, gets_one_and_gives_it_back)
{
	run("modprobe " IN_TREE);
	for (int i = 0; i < ROUNDS; i++) {
		unbind_device(0);
		ASSERT_EQ(0, bind_to(0, IN_TREE));
		expect_af_vsock();
		expect_working(1);

		ASSERT_EQ(0, unbind_from(0, IN_TREE));
		bind_device(0);
		expect_working(0);
		expect_working(1);
	}
}

/* Both at work at the same time. */
TEST_F(in_tree, has_one_while_the_other_is_ours)
{
	struct device dev;
	struct peer peer;
	struct link link;
	struct job *writer;

	run("modprobe " IN_TREE);
	device_start_at(&dev, 1, NULL);
	peer = peer_open(&dev);
	link = peer_connect(&dev, &peer);
	writer = start_sending(link.sock, TRANSFER(1, 1, 100000), 8 * MIB,
			       TRANSFER_DONE);
	peer_tell(&peer, "recv 1 %llu", 8 * MIB);
	unbind_device(0);
	ASSERT_EQ(0, bind_to(0, IN_TREE));
	expect_af_vsock();
	ASSERT_EQ(0, unbind_from(0, IN_TREE));
	bind_device(0);

	finish(writer);
	peer_hear_exactly(&peer, "done %llu", 8 * MIB);
	close(dev.fd);
}

TEST_F(in_tree, takes_no_second_one)
{
	run("modprobe " IN_TREE);
	unbind_device(0);
	unbind_device(1);
	ASSERT_EQ(0, bind_to(0, IN_TREE));
	EXPECT_NE(0, bind_to(1, IN_TREE));
	bind_device(1);

	expect_working(1);
	expect_af_vsock();
	ASSERT_EQ(0, unbind_from(0, IN_TREE));
}

/* Whoever comes first gets what there is, and we the rest. */
TEST_F(in_tree, is_loaded_before_us)
{
	WAIT_FOR(remove_module(MODULE) == 0);
	run("modprobe " IN_TREE);
	insert_module();

	EXPECT_FALSE(node_exists(0));
	ASSERT_TRUE(node_exists(1));
	expect_af_vsock();
	expect_working(1);
	ASSERT_EQ(0, unbind_from(0, IN_TREE));
	bind_device(0);
	expect_working(0);
}

/* Nothing but us: numbers follow the order on the bus. */
TEST(nodes_are_numbered_in_order)
{
	char name[NAME_SIZE], wanted[NAME_SIZE];

	WAIT_FOR(remove_module(MODULE) == 0);
	insert_module();
	for (unsigned int i = 0; i < machine_devices(); i++) {
		snprintf(wanted, sizeof(wanted), "/dev/vsockdev%u", i);
		ASSERT_TRUE(find_node(i, name));
		EXPECT_STREQ(wanted, name);
	}
}

TEST_HARNESS_MAIN
