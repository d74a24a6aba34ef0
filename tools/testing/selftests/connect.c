// SPDX-License-Identifier: GPL-2.0-only
/* How connections begin, or do not: answers, ids, addresses, limits. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/link.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif

FIXTURE(connect) {
	struct device dev;
};

FIXTURE_SETUP(connect)
{
	device_start(&self->dev, NULL);
}

FIXTURE_TEARDOWN(connect)
{
}

TEST_F(connect, to_a_host_program_carries_bytes_both_ways)
{
	struct peer peer = peer_open(&self->dev);

	peer_do(&peer, "pong", "ping");
}

TEST_F(connect, from_a_host_program_carries_bytes_both_ways)
{
	struct peer peer = peer_open(&self->dev);
	struct link link = peer_dial(&self->dev, &peer);

	send_stream(link.sock, 1, 10);
	peer_do(&peer, "done 10", "recv 1 10");
	peer_do(&peer, "done 10", "send 2 10");
	receive_stream(link.sock, 2, 10);
}

TEST_F(connect, where_nobody_listens_is_refused_at_once)
{
	struct vsockdev_event event;
	uint64_t timeouts;
	struct link link;

	if (!host_is_ours())
		SKIP(return, "this host device refuses by silence");
	timeouts = info_of(self->dev.fd).timeouts;
	link = link_request(&self->dev, DEAF_PORT);

	event = expect_rst(&self->dev, link.id, VSOCKDEV_RST_REFUSED,
			   ECONNREFUSED);

	EXPECT_EQ(0, memcmp(&link.addr, &event.addr, sizeof(link.addr)));
	EXPECT_EQ(0, event.rst.bytes_sent);
	EXPECT_EQ(0, event.rst.bytes_received);
	expect_end(link.sock, TRANSFER_RESET);
	EXPECT_EQ(timeouts, info_of(self->dev.fd).timeouts);
}

/* What waits in the socket then is not taken for delivered. */
TEST_F(connect, refused_with_bytes_written_ahead_sends_none)
{
	struct vsockdev_event event;
	struct link link;
	int pair[2];

	if (!host_is_ours())
		SKIP(return, "this host device refuses by silence");
	unix_pair(pair);
	send_stream(pair[0], 1, 1000);
	link = link_request_with(&self->dev, DEAF_PORT, pair);

	event = expect_rst(&self->dev, link.id, VSOCKDEV_RST_REFUSED,
			   ECONNREFUSED);

	EXPECT_EQ(0, event.rst.bytes_sent);
	expect_end(link.sock, TRANSFER_RESET);
}

/* Timeouts. */
static int request_with_timeout(struct device *dev, uint32_t port,
				uint32_t timeout_ms, struct link *link)
{
	struct vsockdev_send_request arg = {
		.size = sizeof(arg),
		.addr = host_addr(port),
		.connect_timeout_ms = timeout_ms,
	};
	int pair[2], error;

	unix_pair(pair);
	arg.socket_fd = pair[1];
	error = call(dev->fd, VSOCKDEV_SEND_REQUEST, &arg);
	close(pair[1]);
	link->sock = pair[0];
	link->addr = arg.addr;
	link->id = arg.conn_id;
	return error;
}

TEST(a_host_that_does_not_answer_times_out)
{
	struct vsockdev_start options = { .connect_timeout_ms = 50 };
	struct vsockdev_event event;
	struct device dev;
	struct link link;
	uint64_t before;

	device_start(&dev, &options);
	before = info_of(dev.fd).timeouts;
	link = link_request(&dev, port_without_answer());

	event = expect_rst(&dev, link.id, VSOCKDEV_RST_TIMED_OUT, ETIMEDOUT);

	EXPECT_EQ(0, event.rst.bytes_sent);
	expect_end(link.sock, TRANSFER_RESET);
	EXPECT_EQ(before + 1, info_of(dev.fd).timeouts);
}

TEST_F(connect, a_timeout_of_its_own_goes_before_that_of_start)
{
	struct link link;

	ASSERT_EQ(0, request_with_timeout(&self->dev, port_without_answer(), 50,
					  &link));

	expect_rst(&self->dev, link.id, VSOCKDEV_RST_TIMED_OUT, ETIMEDOUT);
}

TEST(no_timeout_means_none)
{
	struct vsockdev_start options = { .connect_timeout_ms = 50 };
	struct link waits, ends;
	struct device dev;

	device_start(&dev, &options);
	ASSERT_EQ(0, request_with_timeout(&dev, port_without_answer(),
					  VSOCKDEV_TIMEOUT_NONE, &waits));
	for (int i = 0; i < 5; i++) {
		ends = link_request(&dev, port_without_answer());
		expect_rst(&dev, ends.id, VSOCKDEV_RST_TIMED_OUT, ETIMEDOUT);
	}

	expect_no_event(&dev, waits.id);
	expect_silence(waits.sock);
	WAIT_FOR(info_of(dev.fd).conns == 1);
	EXPECT_EQ(0, send_rst(dev.fd, waits.addr, waits.id));
}

TEST_F(connect, a_connection_that_was_made_has_no_connect_timeout)
{
	struct link script, silent;

	ASSERT_EQ(0,
		  request_with_timeout(&self->dev, SCRIPT_PORT, 2000, &script));
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, script.id);

	/* One that was asked for later with the same time runs out. */
	ASSERT_EQ(0, request_with_timeout(&self->dev, port_without_answer(),
					  2000, &silent));
	expect_rst(&self->dev, silent.id, VSOCKDEV_RST_TIMED_OUT, ETIMEDOUT);

	expect_no_event(&self->dev, script.id);
	expect_alive(&script);
}

TEST_F(connect, the_user_may_close_while_it_waits)
{
	struct link link = link_request(&self->dev, port_without_answer());

	link_close(&link);

	expect_rst(&self->dev, link.id, VSOCKDEV_RST_LOCAL_CLOSE, 0);
	WAIT_FOR(info_of(self->dev.fd).conns == 0);
}

/* Ids and addresses. */
TEST_F(connect, ids_are_never_used_twice)
{
	struct link links[50];

	for (int i = 0; i < 50; i++) {
		links[i] = link_request(&self->dev, SCRIPT_PORT);
		for (int j = 0; j < i; j++)
			EXPECT_NE(links[j].id, links[i].id);
		if (i % 2)
			EXPECT_EQ(0, send_rst(self->dev.fd, links[i].addr,
					      links[i].id));
	}
}

TEST_F(connect, ids_go_on_after_stop)
{
	struct link first = link_request(&self->dev, SCRIPT_PORT);
	struct link second;

	ASSERT_EQ(0, stop(self->dev.fd));
	ASSERT_EQ(0, start(self->dev.fd, NULL));
	second = link_request(&self->dev, SCRIPT_PORT);

	EXPECT_LT(first.id, second.id);
}

/* SEND_REQUEST once more on an address that was used before. */
static int request_again(struct device *dev, struct link *link)
{
	int pair[2], error;

	unix_pair(pair);
	error = send_request(dev->fd, link->addr, pair[1], &link->id);
	close(pair[1]);
	link->sock = pair[0];
	return error;
}

TEST_F(connect, an_address_in_use_cannot_be_used_again)
{
	struct link link = link_connect(&self->dev, SCRIPT_PORT), copy = link;

	EXPECT_EQ(-EADDRINUSE, request_again(&self->dev, &copy));

	expect_alive(&link);
	expect_no_event(&self->dev, link.id);
}

TEST_F(connect, an_address_that_is_being_asked_for_cannot_be_used_again)
{
	struct link link = link_request(&self->dev, port_without_answer());

	EXPECT_EQ(-EADDRINUSE, request_again(&self->dev, &link));
}

TEST_F(connect, an_address_is_in_use_until_its_rst_was_read)
{
	struct link link = link_connect(&self->dev, SCRIPT_PORT);

	link_close(&link);
	WAIT_FOR(poll_now(self->dev.fd) == POLLIN);
	EXPECT_EQ(-EADDRINUSE, request_again(&self->dev, &link));

	expect_event(&self->dev, VSOCKDEV_EVENT_RST, link.id);
	EXPECT_EQ(0, request_again(&self->dev, &link));
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, link.id);
}

TEST_F(connect, send_rst_takes_an_rst_back_that_was_not_read)
{
	struct link link = link_connect(&self->dev, SCRIPT_PORT);

	link_close(&link);
	WAIT_FOR(poll_now(self->dev.fd) == POLLIN);
	ASSERT_EQ(0, send_rst(self->dev.fd, link.addr, link.id));

	EXPECT_EQ(0, poll_now(self->dev.fd));
	EXPECT_EQ(0, request_again(&self->dev, &link));
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, link.id);
}

TEST_F(connect, send_rst_by_address_takes_such_an_rst_back_as_well)
{
	struct link link = link_connect(&self->dev, SCRIPT_PORT);

	link_close(&link);
	WAIT_FOR(poll_now(self->dev.fd) == POLLIN);
	ASSERT_EQ(0, send_rst(self->dev.fd, link.addr, 0));

	EXPECT_EQ(0, poll_now(self->dev.fd));
	EXPECT_EQ(0, request_again(&self->dev, &link));
}

TEST_F(connect, an_address_is_free_right_after_send_rst)
{
	struct link link = link_connect(&self->dev, SCRIPT_PORT);

	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, send_rst(self->dev.fd, link.addr, link.id));
		ASSERT_EQ(0, request_again(&self->dev, &link));
		expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, link.id);
	}
	expect_no_event(&self->dev, 0);
}

TEST_F(connect, an_address_is_reused_many_times)
{
	struct link link = link_connect(&self->dev, SCRIPT_PORT);

	for (int i = 0; i < 20; i++) {
		expect_alive(&link);
		link_close(&link);
		expect_rst(&self->dev, link.id, VSOCKDEV_RST_LOCAL_CLOSE, 0);
		ASSERT_EQ(0, request_again(&self->dev, &link));
		expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, link.id);
	}
}

TEST_F(connect, a_call_for_a_dead_connection_does_not_hit_its_successor)
{
	struct link first = link_connect(&self->dev, SCRIPT_PORT);
	struct link second = first;

	ASSERT_EQ(0, send_rst(self->dev.fd, first.addr, first.id));
	ASSERT_EQ(0, request_again(&self->dev, &second));
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, second.id);

	EXPECT_EQ(-ESTALE, send_rst(self->dev.fd, first.addr, first.id));
	EXPECT_EQ(-ESTALE,
		  send_shutdown(self->dev.fd, first.addr, first.id, 0));

	expect_alive(&second);
	expect_no_event(&self->dev, 0);
}

TEST_F(connect, an_id_that_never_was_is_stale)
{
	struct link link = link_connect(&self->dev, SCRIPT_PORT);

	EXPECT_EQ(-ESTALE, send_rst(self->dev.fd, link.addr, link.id + 1000));
	EXPECT_EQ(-ESTALE,
		  send_shutdown(self->dev.fd, link.addr, link.id + 1000, 0));
	EXPECT_EQ(-ESTALE,
		  send_shutdown(self->dev.fd, link.addr, UINT64_MAX, 0));
	expect_no_event(&self->dev, 0);
}

/* The id of a connection at another address. */
TEST_F(connect, an_id_must_belong_to_the_address)
{
	struct link one = link_connect(&self->dev, SCRIPT_PORT);
	struct link two = link_connect(&self->dev, SCRIPT_PORT);

	EXPECT_EQ(-ESTALE, send_rst(self->dev.fd, one.addr, two.id));
	EXPECT_EQ(-ESTALE, send_shutdown(self->dev.fd, two.addr, one.id, 0));
	expect_no_event(&self->dev, 0);
	EXPECT_EQ(2, info_of(self->dev.fd).conns);
}

/* The RSTs of one owner go out before the packets of the next. */
TEST_F(connect, an_address_is_free_right_after_stop)
{
	struct link link = link_connect(&self->dev, SCRIPT_PORT);

	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, stop(self->dev.fd));
		ASSERT_EQ(0, start(self->dev.fd, NULL));
		ASSERT_EQ(0, request_again(&self->dev, &link));
		expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, link.id);
	}
	expect_alive(&link);
}

/* Limits. */
TEST(there_are_as_many_connections_as_start_allows)
{
	struct vsockdev_start options = { .max_conns = 3 };
	struct link links[3], more;
	struct device dev;

	device_start(&dev, &options);
	links[0] = link_connect(&dev, SCRIPT_PORT);
	links[1] = link_connect(&dev, SCRIPT_PORT);
	links[2] = link_request(&dev, port_without_answer());
	more = links[2];
	more.addr.local_port = new_port();

	EXPECT_EQ(-ENOBUFS, request_again(&dev, &more));

	/* One that is over counts until that was read. */
	link_close(&links[0]);
	WAIT_FOR(poll_now(dev.fd) == POLLIN);
	EXPECT_EQ(-ENOBUFS, request_again(&dev, &more));
	expect_event(&dev, VSOCKDEV_EVENT_RST, links[0].id);
	WAIT_FOR(info_of(dev.fd).conns == 2);
	EXPECT_EQ(0, request_again(&dev, &more));
	EXPECT_EQ(3, info_of(dev.fd).conns);

	ASSERT_EQ(0, send_rst(dev.fd, more.addr, more.id));
	WAIT_FOR(info_of(dev.fd).conns == 2);
	EXPECT_EQ(0, request_again(&dev, &more));
}

TEST(the_host_is_refused_at_the_limit)
{
	struct vsockdev_start options = { .max_conns = 1 };
	struct device dev;
	struct peer peer;
	uint64_t before;

	device_start(&dev, &options);
	before = info_of(dev.fd).refused;
	peer = peer_open(&dev);

	if (host_is_ours())
		peer_do(&peer, "refused", "dial %u", new_port());
	else
		peer_do(&peer, "ok", "dial-start %u", new_port());

	WAIT_FOR(info_of(dev.fd).refused == before + 1);
	expect_no_event(&dev, 0);
}

/* Answering REQUESTs. */
FIXTURE(asked) {
	struct device dev;
	struct peer peer;
	struct vsockdev_event request;
	int pair[2];
};

FIXTURE_SETUP(asked)
{
	uint32_t port = new_port();

	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
	peer_do(&self->peer, "ok", "dial-start %u", port);
	self->request = expect_request(&self->dev, port);
	unix_pair(self->pair);
}

FIXTURE_TEARDOWN(asked)
{
}

TEST_F(asked, is_accepted_by_id_or_by_address_alone)
{
	EXPECT_EQ(0, send_response(self->dev.fd, self->request.addr, 0,
				   self->pair[1]));
	peer_tell(&self->peer, "dial-wait");
	EXPECT_EQ(0, strncmp("ok ", peer_hear(&self->peer), 3));
}

TEST_F(asked, is_not_accepted_by_a_wrong_id)
{
	EXPECT_EQ(-ESTALE,
		  send_response(self->dev.fd, self->request.addr,
				self->request.conn_id + 1, self->pair[1]));
	EXPECT_EQ(0, send_response(self->dev.fd, self->request.addr,
				   self->request.conn_id, self->pair[1]));
}

TEST_F(asked, is_accepted_only_once)
{
	int other[2];

	unix_pair(other);
	ASSERT_EQ(0, send_response(self->dev.fd, self->request.addr, 0,
				   self->pair[1]));

	EXPECT_EQ(-ENOTCONN,
		  send_response(self->dev.fd, self->request.addr, 0, other[1]));
	EXPECT_EQ(-ENOTCONN, send_response(self->dev.fd, self->request.addr,
					   self->request.conn_id, other[1]));
}

TEST_F(asked, is_refused_by_send_rst)
{
	ASSERT_EQ(0, send_rst(self->dev.fd, self->request.addr,
			      self->request.conn_id));

	if (host_is_ours())
		peer_do(&self->peer, "refused", "dial-wait");
	EXPECT_EQ(-ENOTCONN, send_response(self->dev.fd, self->request.addr, 0,
					   self->pair[1]));
	expect_no_event(&self->dev, 0);
	WAIT_FOR(info_of(self->dev.fd).conns == 1);
}

TEST_F(asked, is_not_established_until_it_is_answered)
{
	EXPECT_EQ(-ENOTCONN, send_shutdown(self->dev.fd, self->request.addr,
					   self->request.conn_id, 0));
	EXPECT_EQ(-EADDRINUSE, send_request(self->dev.fd, self->request.addr,
					    self->pair[1], NULL));
}

TEST_F(connect, nobody_asked_for_an_answer)
{
	struct link link = link_connect(&self->dev, SCRIPT_PORT);
	int pair[2];

	unix_pair(pair);

	EXPECT_EQ(-ENOTCONN, send_response(self->dev.fd, host_addr(SCRIPT_PORT),
					   0, pair[1]));
	EXPECT_EQ(-ENOTCONN,
		  send_response(self->dev.fd, link.addr, 0, pair[1]));
	expect_no_event(&self->dev, 0);
}

/* RST is sent whether there is a connection or not. */
TEST_F(connect, send_rst_to_nobody_succeeds)
{
	uint64_t before = info_of(self->dev.fd).tx_packets;

	ASSERT_EQ(0, send_rst(self->dev.fd, host_addr(SCRIPT_PORT), 0));

	WAIT_FOR(info_of(self->dev.fd).tx_packets == before + 1);
	expect_no_event(&self->dev, 0);
}

TEST_F(connect, send_rst_ends_a_connection_that_is_being_asked_for)
{
	struct link link = link_request(&self->dev, port_without_answer());

	ASSERT_EQ(0, send_rst(self->dev.fd, link.addr, link.id));

	expect_end(link.sock, TRANSFER_RESET);
	expect_no_event(&self->dev, 0);
	WAIT_FOR(info_of(self->dev.fd).conns == 0);
}

/* A RESPONSE that comes too late finds nobody and is no event. */
TEST_F(connect, an_answer_to_a_request_that_was_reset_is_no_event)
{
	struct peer peer = peer_open(&self->dev);

	for (int i = 0; i < 50; i++) {
		struct link link = link_request(&self->dev, SCRIPT_PORT);

		ASSERT_EQ(0, send_rst(self->dev.fd, link.addr, link.id));
		link_close(&link);
	}
	peer_do(&peer, "pong", "ping");

	expect_no_event(&self->dev, 0);
	WAIT_FOR(info_of(self->dev.fd).conns == 1);
}

/* Sockets that cannot be used, for both calls that take one. */
enum socket_kind {
	NEGATIVE,
	NOT_OPEN,
	PIPE,
	OWN_NODE,
	PATH_ONLY,
	UDP,
	UNIX_DATAGRAM,
	UNIX_UNCONNECTED,
	UNIX_LISTENING,
	TCP_UNCONNECTED,
	TCP_LISTENING,
	TAKEN,
	TCP_TAKEN,
	TCP_WITH_ULP,
};

FIXTURE(bad_socket) {
	struct device dev;
	struct peer peer;
	int fd;
};

FIXTURE_VARIANT(bad_socket) {
	enum socket_kind kind;
	int expected;
};

#define BAD_SOCKET(name, kind_, error)                 \
	FIXTURE_VARIANT_ADD(bad_socket, name)          \
	{                                              \
		.kind = (kind_), .expected = -(error), \
	}

BAD_SOCKET(negative, NEGATIVE, EBADF);
BAD_SOCKET(not_open, NOT_OPEN, EBADF);
BAD_SOCKET(path_only, PATH_ONLY, EBADF);
BAD_SOCKET(pipe, PIPE, ENOTSOCK);
BAD_SOCKET(own_node, OWN_NODE, ENOTSOCK);
BAD_SOCKET(udp, UDP, EAFNOSUPPORT);
BAD_SOCKET(unix_datagram, UNIX_DATAGRAM, EPROTOTYPE);
BAD_SOCKET(unix_unconnected, UNIX_UNCONNECTED, ENOTCONN);
BAD_SOCKET(unix_listening, UNIX_LISTENING, ENOTCONN);
BAD_SOCKET(tcp_unconnected, TCP_UNCONNECTED, ENOTCONN);
BAD_SOCKET(tcp_listening, TCP_LISTENING, ENOTCONN);
BAD_SOCKET(taken, TAKEN, EBUSY);
BAD_SOCKET(tcp_taken, TCP_TAKEN, EBUSY);
BAD_SOCKET(tcp_with_ulp, TCP_WITH_ULP, EBUSY);

static int second_of_pair(int family, int type)
{
	int pair[2];

	if (socketpair(family, type, 0, pair))
		return -1;
	return pair[1];
}

static int unix_listening(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr addr = { .sa_family = AF_UNIX };

	/* An empty name is given one by the kernel. */
	if (bind(fd, &addr, sizeof(addr.sa_family)) || listen(fd, 1))
		return -1;
	return fd;
}

static int pipe_end(void)
{
	int ends[2];

	return pipe(ends) ? -1 : ends[0];
}

static int taken(struct device *dev, bool tcp)
{
	struct vsockdev_addr addr = host_addr(SCRIPT_PORT);
	uint64_t id;
	int pair[2];

	if (tcp)
		tcp_pair(pair);
	else
		unix_pair(pair);
	if (send_request(dev->fd, addr, pair[1], &id))
		return -1;
	expect_event(dev, VSOCKDEV_EVENT_RESPONSE, id);
	return pair[1];
}

static int tcp_with_ulp(void)
{
	int pair[2];

	tcp_pair(pair);
	/* A kernel that is told no modprobe does not find it by itself. */
	if (system("modprobe tls 2>/dev/null"))
		return -1;
	if (setsockopt(pair[1], IPPROTO_TCP, TCP_ULP, "tls", 4))
		return -1;
	return pair[1];
}

static int make_socket(struct device *dev, enum socket_kind kind)
{
	uint16_t port;

	switch (kind) {
	case PIPE:
		return pipe_end();
	case OWN_NODE:
		return dev->fd;
	case PATH_ONLY:
		return open("/", O_PATH);
	case UDP:
		return socket(AF_INET, SOCK_DGRAM, 0);
	case UNIX_DATAGRAM:
		return second_of_pair(AF_UNIX, SOCK_DGRAM);
	case UNIX_UNCONNECTED:
		return socket(AF_UNIX, SOCK_STREAM, 0);
	case UNIX_LISTENING:
		return unix_listening();
	case TCP_UNCONNECTED:
		return socket(AF_INET, SOCK_STREAM, 0);
	case TCP_LISTENING:
		return tcp_listener(&port);
	case TAKEN:
		return taken(dev, false);
	case TCP_TAKEN:
		return taken(dev, true);
	case TCP_WITH_ULP:
		return tcp_with_ulp();
	case NOT_OPEN:
		return 999;
	default:
		return -1;
	}
}

FIXTURE_SETUP(bad_socket)
{
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
	self->fd = make_socket(&self->dev, variant->kind);
	if (self->fd < 0 && variant->kind == TCP_WITH_ULP)
		SKIP(return, "this kernel has no TLS for TCP");
	ASSERT_EQ(variant->kind == NEGATIVE, self->fd < 0);
}

FIXTURE_TEARDOWN(bad_socket)
{
}

TEST_F(bad_socket, is_not_taken_by_send_request)
{
	struct link link = { .addr = host_addr(SCRIPT_PORT) };
	uint32_t conns = info_of(self->dev.fd).conns;

	EXPECT_EQ(variant->expected,
		  send_request(self->dev.fd, link.addr, self->fd, NULL));

	/* Nothing is left of it: the address can be used. */
	WAIT_FOR(info_of(self->dev.fd).conns == conns);
	EXPECT_EQ(0, request_again(&self->dev, &link));
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, link.id);
}

TEST_F(bad_socket, is_not_taken_by_send_response)
{
	struct vsockdev_event request;
	uint32_t port = new_port();

	peer_do(&self->peer, "ok", "dial-start %u", port);
	request = expect_request(&self->dev, port);

	EXPECT_EQ(variant->expected, send_response(self->dev.fd, request.addr,
						   request.conn_id, self->fd));

	/* The REQUEST still waits. */
	link_accept(&self->dev, &request);
	peer_tell(&self->peer, "dial-wait");
	EXPECT_EQ(0, strncmp("ok ", peer_hear(&self->peer), 3));
}

/* What a refused socket carries is its own still. */
TEST_F(connect, a_socket_that_was_not_taken_works_as_before)
{
	struct link link = link_connect(&self->dev, SCRIPT_PORT);
	int pair[2];

	unix_pair(pair);
	send_stream(pair[0], 1, 100);

	ASSERT_EQ(-EADDRINUSE,
		  send_request(self->dev.fd, link.addr, pair[1], NULL));

	receive_stream(pair[1], 1, 100);
	send_stream(pair[1], 2, 100);
	receive_stream(pair[0], 2, 100);
}

/* The descriptor is the caller's, the socket the driver's. */
TEST_F(connect, the_caller_may_close_its_descriptor)
{
	struct link link;
	int pair[2];

	unix_pair(pair);
	link.sock = pair[0];
	ASSERT_EQ(0, send_request(self->dev.fd, host_addr(SCRIPT_PORT), pair[1],
				  &link.id));
	ASSERT_EQ(0, close(pair[1]));
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, link.id);

	expect_alive(&link);
}

TEST_HARNESS_MAIN
