// SPDX-License-Identifier: GPL-2.0-only
/* What hostile hosts connect to. Whatever they do, this thread never waits. */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#undef victim_start

#define EVENTS 32
#define BYTES 65536
#define FILE_BYTES (1 << 20)
#define EACH 18 /* connections of a port */
#define KEPT 256

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static struct victim_conn *find(struct victim *v, uint64_t id)
{
	for (int i = 0; i < VICTIM_CONNS; i++)
		if (v->conns[i].id == id)
			return &v->conns[i];
	return NULL;
}

static void let_go(struct victim *v, struct victim_conn *conn)
{
	if (conn->sock >= 0)
		close(conn->sock);
	memset(conn, 0, sizeof(*conn));
	conn->sock = -1;
	v->count--;
}

/* A place for one more: for each port the oldest of its own has to go. */
static struct victim_conn *make_room(struct victim *v, enum victim_port does)
{
	unsigned int most = does == VICTIM_KEEP ? KEPT : EACH, n = 0;
	struct victim_conn *oldest = NULL, *unused = NULL;

	for (int i = 0; i < VICTIM_CONNS; i++) {
		struct victim_conn *conn = &v->conns[i];

		if (!conn->id) {
			unused = conn;
		} else if (conn->does == does) {
			n++;
			if (!oldest || conn->id < oldest->id)
				oldest = conn;
		}
	}
	if (n >= most) {
		send_rst(v->dev->fd, oldest->addr, oldest->id);
		let_go(v, oldest);
		unused = oldest;
	}
	v->count++;
	return unused;
}

static void watch(struct victim *v, struct victim_conn *conn)
{
	struct epoll_event event = { .data.u64 = conn->id };

	if (conn->does != VICTIM_STALL)
		event.events |= EPOLLIN;
	if (conn->does == VICTIM_SOURCE)
		event.events = EPOLLOUT;
	if (epoll_ctl(v->epfd, EPOLL_CTL_ADD, conn->sock, &event))
		fail("epoll: %s", strerror(errno));
}

/*
 * The device is gone, or this owner's time, or what was connected: of the last
 * an event tells, which may not have been read yet.
 */
static bool is_over(int error)
{
	return error == -ENODEV || error == -EPERM || error == -EPIPE ||
	       error == -ECONNRESET;
}

static bool is_tcp(int sock)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	getsockopt(sock, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	return domain == AF_INET;
}

static void victim_pair(uint32_t type, bool tcp, int pair[2])
{
	if (type == VSOCKDEV_TYPE_SEQPACKET)
		seqpacket_pair(pair);
	else if (tcp)
		tcp_pair(pair);
	else
		unix_pair(pair);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
}

/* What it writes may also come from a file; that may fail for any reason. */
static void send_file(struct victim *v, const struct victim_conn *conn)
{
	struct vsockdev_send_vmo arg = {
		.size = sizeof(arg),
		.addr = conn->addr,
		.conn_id = conn->id,
		.vmo_fd = v->file,
		.length = FILE_BYTES,
	};

	call(v->dev->fd, VSOCKDEV_SEND_VMO, &arg);
}

/*
 * An end that TCP tells is that of the program's bytes, not of the program: it
 * may still wait for the host's. So the owner has to end it.
 */
static void close_socket(struct victim *v, struct victim_conn *conn)
{
	if (!is_tcp(conn->sock)) {
		let_go(v, conn);
		return;
	}
	close(conn->sock);
	conn->sock = -1;
}

static void enter(struct victim *v, uint64_t id, struct vsockdev_addr addr,
		  int sock, enum victim_port does)
{
	struct victim_conn *conn = make_room(v, does);

	conn->id = id;
	conn->addr = addr;
	conn->sock = sock;
	conn->does = does;
	if (sock >= 0)
		watch(v, conn);
	if (does == VICTIM_SOURCE)
		send_file(v, conn);
	else if (does == VICTIM_CLOSE)
		close_socket(v, conn);
}

/* The host may have withdrawn it already. */
static void take_request(struct victim *v, const struct vsockdev_event *event,
			 enum victim_port does, bool tcp)
{
	int pair[2], error;

	victim_pair(event->request.socket_type, tcp, pair);
	error = send_response(v->dev->fd, event->addr, event->conn_id, pair[1]);
	close(pair[1]);
	if (!error) {
		enter(v, event->conn_id, event->addr, pair[0], does);
		return;
	}
	close(pair[0]);
	if (error != -ENOTCONN && error != -ESTALE && !is_over(error))
		fail("SEND_RESPONSE: %s", strerror(-error));
}

static void call_back(struct victim *v, const struct vsockdev_event *event,
		      enum victim_port does)
{
	struct vsockdev_addr addr = event->addr;
	int pair[2], error;
	uint64_t id;

	send_rst(v->dev->fd, event->addr, event->conn_id);
	victim_pair(event->request.socket_type, false, pair);
	addr.local_port = new_port();
	error = send_request(v->dev->fd, addr, pair[1], &id);
	close(pair[1]);
	if (!error) {
		enter(v, id, addr, pair[0], does);
		return;
	}
	close(pair[0]);
	if (error != -EADDRINUSE && error != -ENOBUFS && !is_over(error))
		fail("SEND_REQUEST: %s", strerror(-error));
}

static bool takes(uint32_t port)
{
	return port > VICTIM_REFUSE && port < VICTIM_KEEP;
}

static void on_request(struct victim *v, const struct vsockdev_event *event)
{
	uint32_t port = event->addr.local_port;

	count(&v->requests, 1);
	if (port == VICTIM_IGNORE || port == VICTIM_KEEP)
		enter(v, event->conn_id, event->addr, -1, port);
	else if (takes(port))
		take_request(v, event, port, false);
	else if (takes(port - VICTIM_TCP))
		take_request(v, event, port - VICTIM_TCP, true);
	else if (takes(port - VICTIM_CALL))
		call_back(v, event, port - VICTIM_CALL);
	else
		send_rst(v->dev->fd, event->addr, event->conn_id);
}

/* Another one may have come meanwhile. */
void victim_acknowledge(int fd, const struct vsockdev_event *event)
{
	struct vsockdev_reset_done done = {
		.size = sizeof(done),
		.generation = event->transport_reset.generation,
	};
	int error = call(fd, VSOCKDEV_RESET_DONE, &done);

	if (error && error != -ESTALE && error != -EALREADY && !is_over(error))
		fail("RESET_DONE: %s", strerror(-error));
}

static void on_transport_reset(struct victim *v,
			       const struct vsockdev_event *event)
{
	victim_acknowledge(v->dev->fd, event);
	for (int i = 0; i < VICTIM_CONNS; i++)
		if (v->conns[i].id)
			let_go(v, &v->conns[i]);
}

static void on_event(struct victim *v, const struct vsockdev_event *event)
{
	struct victim_conn *conn;

	if (event->type == VSOCKDEV_EVENT_REQUEST) {
		on_request(v, event);
		return;
	}
	if (event->type == VSOCKDEV_EVENT_TRANSPORT_RESET)
		on_transport_reset(v, event);
	if (event->type != VSOCKDEV_EVENT_RST)
		return;
	count(&v->resets, 1);
	conn = find(v, event->conn_id);
	if (conn)
		let_go(v, conn);
}

static void read_events(struct victim *v)
{
	struct vsockdev_event events[EVENTS];
	ssize_t n = read(v->dev->fd, events, sizeof(events));

	/* A device that is gone has nothing more to say. */
	if (n < 0 && errno == ENODEV)
		epoll_ctl(v->epfd, EPOLL_CTL_DEL, v->dev->fd, NULL);
	else if (n < 0 && errno != EAGAIN && !is_over(-errno))
		fail("read: %s", strerror(errno));
	for (ssize_t i = 0; i < n / (ssize_t)sizeof(events[0]); i++)
		on_event(v, &events[i]);
}

/* Its end comes as an event; until then it is not looked at any more. */
static void forget_socket(struct victim *v, struct victim_conn *conn)
{
	epoll_ctl(v->epfd, EPOLL_CTL_DEL, conn->sock, NULL);
	shutdown(conn->sock, SHUT_RDWR);
}

static void serve(struct victim *v, struct victim_conn *conn)
{
	static uint8_t bytes[BYTES];
	ssize_t n = BYTES;

	if (conn->does != VICTIM_SOURCE)
		n = recv(conn->sock, bytes, sizeof(bytes), 0);
	if (n > 0)
		count(&v->bytes, n);
	/* What an echo cannot write at once is lost: nobody compares. */
	if (n > 0 && conn->does != VICTIM_SINK)
		n = send(conn->sock, bytes, n, MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		forget_socket(v, conn);
}

static bool handle(struct victim *v, const struct epoll_event *event)
{
	struct victim_conn *conn;

	if (event->data.u64 == UINT64_MAX)
		return false;
	if (!event->data.u64) {
		read_events(v);
		return true;
	}
	conn = find(v, event->data.u64);
	if (conn && conn->sock >= 0)
		serve(v, conn);
	return true;
}

static void *run(void *arg)
{
	struct victim *v = arg;
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(v->epfd, events, EVENTS, -1);

		for (int i = 0; i < n; i++)
			if (!handle(v, &events[i]))
				return NULL;
	}
}

static void watch_fd(struct victim *v, int fd, uint64_t what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = what };

	if (fd < 0 || epoll_ctl(v->epfd, EPOLL_CTL_ADD, fd, &event))
		fail("epoll: %s", strerror(errno));
}

void victim_start(struct victim *v, struct device *dev)
{
	memset(v, 0, sizeof(*v));
	v->dev = dev;
	for (int i = 0; i < VICTIM_CONNS; i++)
		v->conns[i].sock = -1;
	fcntl(dev->fd, F_SETFL, fcntl(dev->fd, F_GETFL) | O_NONBLOCK);
	v->epfd = epoll_create1(EPOLL_CLOEXEC);
	v->stop = eventfd(0, EFD_CLOEXEC);
	v->file = memfd_create("victim", MFD_CLOEXEC);
	if (v->file < 0 || ftruncate(v->file, FILE_BYTES))
		fail("memfd: %s", strerror(errno));
	watch_fd(v, dev->fd, 0);
	watch_fd(v, v->stop, UINT64_MAX);
	if (pthread_create(&v->thread, NULL, run, v))
		fail("no thread");
}

void victim_stop(struct victim *v)
{
	const uint64_t one = 1;

	if (write(v->stop, &one, sizeof(one)) != sizeof(one))
		fail("eventfd: %s", strerror(errno));
	pthread_join(v->thread, NULL);
	for (int i = 0; i < VICTIM_CONNS; i++) {
		if (!v->conns[i].id)
			continue;
		send_rst(v->dev->fd, v->conns[i].addr, v->conns[i].id);
		let_go(v, &v->conns[i]);
	}
	close(v->epfd);
	close(v->stop);
	close(v->file);
	fcntl(v->dev->fd, F_SETFL,
	      fcntl(v->dev->fd, F_GETFL) & ~O_NONBLOCK);
}
