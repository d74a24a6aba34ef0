// SPDX-License-Identifier: GPL-2.0-only
/* The event stream: what is told, when, in which order, and to whom. */
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/fake.h"
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

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
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

/* What an honest host does not do: a device that is played here. */
FIXTURE(played) {
	struct fake fake;
};

FIXTURE_SETUP(played)
{
	fake_open(&self->fake, NULL);
}

FIXTURE_TEARDOWN(played)
{
	fake_close(&self->fake);
}

TEST_F(played, transport_reset_stands_for_all_events_before)
{
	struct flow asking = flow_request(&self->fake);
	struct flow ended = flow_connect(&self->fake);
	struct device *dev = &self->fake.dev;
	struct vsockdev_event event;

	flow_put(&asking, VIRTIO_VSOCK_OP_RESPONSE);
	flow_put(&ended, VIRTIO_VSOCK_OP_RST);
	for (int i = 0; i < 3; i++) {
		struct flow flow = flow_new(&self->fake);

		flow_put(&flow, VIRTIO_VSOCK_OP_REQUEST);
	}
	expect_no_packet(&self->fake);
	ASSERT_EQ(POLLIN, poll_now(dev->fd));

	fake_event(&self->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	expect_end(asking.link.sock, TRANSFER_RESET);
	WAIT_FOR(info_of(dev->fd).generation == 1);
	event = next_event(dev);

	EXPECT_EQ(VSOCKDEV_EVENT_TRANSPORT_RESET, event.type);
	EXPECT_EQ(0, event.conn_id);
	EXPECT_EQ(0, event.addr.local_port);
	EXPECT_EQ(0, event.addr.remote_cid);
	EXPECT_EQ(0, event.addr.remote_port);
	EXPECT_EQ(1, event.transport_reset.generation);
	EXPECT_EQ(FAKE_CID, event.transport_reset.new_cid);
	expect_no_event(dev, 0);
}

/* Before the RST of the last connection there was read. */
TEST_F(played, an_address_is_free_for_the_host_at_once)
{
	struct flow flow = flow_accept(&self->fake);
	struct device *dev = &self->fake.dev;
	struct vsockdev_event rst, request;
	int pair[2];

	unix_pair(pair);
	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
	flow_put(&flow, VIRTIO_VSOCK_OP_REQUEST);
	expect_no_packet(&self->fake);

	/* Too late, and not for the one that asks now. */
	EXPECT_EQ(-ESTALE, send_response(dev->fd, flow.link.addr, flow.link.id,
					 pair[1]));
	EXPECT_EQ(-ESTALE,
		  send_shutdown(dev->fd, flow.link.addr, flow.link.id, 0));
	expect_no_packet(&self->fake);

	rst = expect_rst(dev, flow.link.id, VSOCKDEV_RST_PEER_RESET,
			 ECONNRESET);
	request = next_event(dev);
	EXPECT_EQ(VSOCKDEV_EVENT_REQUEST, request.type);
	EXPECT_EQ(0, memcmp(&rst.addr, &request.addr, sizeof(rst.addr)));
	EXPECT_LT(rst.conn_id, request.conn_id);
	EXPECT_LT(rst.seq, request.seq);
	EXPECT_EQ(0, send_response(dev->fd, request.addr, request.conn_id,
				   pair[1]));
	expect_packet(&self->fake, request.addr, VIRTIO_VSOCK_OP_RESPONSE);
}

/* SEND_RST with an old id takes back the old RST and nothing else. */
TEST_F(played, send_rst_with_a_stale_id_spares_the_request_at_its_address)
{
	struct flow flow = flow_accept(&self->fake);
	struct device *dev = &self->fake.dev;
	struct vsockdev_event request;

	flow_put(&flow, VIRTIO_VSOCK_OP_RST);
	flow_put(&flow, VIRTIO_VSOCK_OP_REQUEST);
	expect_no_packet(&self->fake);

	EXPECT_EQ(0, send_rst(dev->fd, flow.link.addr, flow.link.id));
	EXPECT_EQ(-ESTALE, send_rst(dev->fd, flow.link.addr, flow.link.id));

	expect_no_packet(&self->fake);
	request = next_event(dev);
	EXPECT_EQ(VSOCKDEV_EVENT_REQUEST, request.type);
	expect_no_event(dev, 0);
}

TEST_F(played, shutdown_of_a_direction_is_told_once)
{
	struct flow flow = flow_accept(&self->fake);
	struct device *dev = &self->fake.dev;

	for (int i = 0; i < 3; i++)
		flow_put_flags(&flow, VIRTIO_VSOCK_OP_SHUTDOWN,
			       VSOCKDEV_SHUTDOWN_SEND);
	expect_no_packet(&self->fake);
	expect_shutdown(dev, flow.link.id, VSOCKDEV_SHUTDOWN_SEND);
	flow_put_flags(&flow, VIRTIO_VSOCK_OP_SHUTDOWN, VSOCKDEV_SHUTDOWN_SEND);
	expect_no_packet(&self->fake);
	expect_no_event(dev, 0);
}

TEST_F(played, shutdown_of_both_before_the_first_was_read_is_one_event)
{
	struct flow flow = flow_accept(&self->fake);
	struct vsockdev_event event;

	flow_put_flags(&flow, VIRTIO_VSOCK_OP_SHUTDOWN,
		       VSOCKDEV_SHUTDOWN_RECEIVE);
	flow_put_flags(&flow, VIRTIO_VSOCK_OP_SHUTDOWN, VSOCKDEV_SHUTDOWN_SEND);
	flow_expect(&flow, VIRTIO_VSOCK_OP_RST);

	event = next_event(&self->fake.dev);
	EXPECT_EQ(VSOCKDEV_EVENT_SHUTDOWN, event.type);
	EXPECT_EQ(VSOCKDEV_SHUTDOWN_RECEIVE | VSOCKDEV_SHUTDOWN_SEND,
		  event.shutdown.directions);
	expect_rst(&self->fake.dev, flow.link.id, VSOCKDEV_RST_SHUTDOWN, 0);
	expect_no_event(&self->fake.dev, 0);
}

TEST_F(played, packets_for_no_connection_are_no_events)
{
	static const uint16_t ops[] = {
		VIRTIO_VSOCK_OP_RESPONSE,	VIRTIO_VSOCK_OP_RST,
		VIRTIO_VSOCK_OP_SHUTDOWN,	VIRTIO_VSOCK_OP_RW,
		VIRTIO_VSOCK_OP_CREDIT_UPDATE,	VIRTIO_VSOCK_OP_CREDIT_REQUEST,
	};
	uint64_t unknown = info_of(self->fake.dev.fd).rx_unknown;

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		struct flow flow = flow_new(&self->fake);

		flow_put(&flow, ops[i]);
		if (ops[i] != VIRTIO_VSOCK_OP_RST)
			expect_packet(&self->fake, flow.link.addr,
				      VIRTIO_VSOCK_OP_RST);
	}
	expect_no_packet(&self->fake);
	expect_no_event(&self->fake.dev, 0);
	EXPECT_LE(unknown + ARRAY_SIZE(ops),
		  info_of(self->fake.dev.fd).rx_unknown);
}

/* Who may read. */
/* Reads an event and says by its status whether it is that connection's. */
static pid_t read_in_child(int fd, uint64_t id)
{
	struct vsockdev_event event;
	pid_t pid = fork();

	if (pid == 0) {
		if (read(fd, &event, RECORD) != RECORD)
			_exit(2);
		_exit(event.conn_id != id);
	}
	return pid;
}

TEST_F(events, a_child_may_read_as_the_file_is_the_owner)
{
	struct link link = link_request(&self->dev, SCRIPT_PORT);
	int status;
	pid_t pid = read_in_child(self->dev.fd, link.id);

	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	expect_no_event(&self->dev, 0);
}

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

/* Calls that come too late. */
TEST_F(events, a_call_with_a_stale_id_does_not_touch_the_successor)
{
	struct link first = link_connect(&self->dev, SCRIPT_PORT);
	struct link second = first;
	struct vsockdev_send_vmo vmo = {
		.size = sizeof(vmo),
		.addr = first.addr,
		.conn_id = first.id,
		.length = 4096,
	};
	int pair[2], again[2];

	unix_pair(pair);
	unix_pair(again);
	vmo.vmo_fd = memfd_create("vmo", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(vmo.vmo_fd, vmo.length));
	link_close(&first);
	expect_event(&self->dev, VSOCKDEV_EVENT_RST, first.id);
	ASSERT_EQ(0, send_request(self->dev.fd, first.addr, pair[1],
				  &second.id));
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, second.id);
	close(pair[1]);
	second.sock = pair[0];

	EXPECT_EQ(-ESTALE, send_rst(self->dev.fd, first.addr, first.id));
	EXPECT_EQ(-ESTALE,
		  send_shutdown(self->dev.fd, first.addr, first.id, 0));
	EXPECT_EQ(-ESTALE, send_response(self->dev.fd, first.addr, first.id,
					 again[1]));
	EXPECT_EQ(-ESTALE, call(self->dev.fd, VSOCKDEV_SEND_VMO, &vmo));

	expect_alive(&second);
	expect_no_event(&self->dev, 0);
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
