// SPDX-License-Identifier: GPL-2.0-only
/* What hostile hosts connect to. Whatever they do, this thread never waits. */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#undef victim_start

#define EVENTS 32
#define BYTES 65536

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
	unsigned int most = VICTIM_CONNS / (VICTIM_PORTS - VICTIM_IGNORE), n = 0;
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

static void victim_pair(uint32_t type, int pair[2])
{
	if (type == VSOCKDEV_TYPE_SEQPACKET)
		seqpacket_pair(pair);
	else
		unix_pair(pair);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
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
	if (does == VICTIM_CLOSE)
		let_go(v, conn);
}

/* The host may have withdrawn it already. */
static void take_request(struct victim *v, const struct vsockdev_event *event,
			 enum victim_port does)
{
	int pair[2], error;

	victim_pair(event->request.socket_type, pair);
	error = send_response(v->dev->fd, event->addr, event->conn_id, pair[1]);
	close(pair[1]);
	if (!error) {
		enter(v, event->conn_id, event->addr, pair[0], does);
		return;
	}
	close(pair[0]);
	if (error != -ENOTCONN && error != -ESTALE)
		fail("SEND_RESPONSE: %s", strerror(-error));
}

static void call_back(struct victim *v, const struct vsockdev_event *event,
		      enum victim_port does)
{
	struct vsockdev_addr addr = event->addr;
	int pair[2], error;
	uint64_t id;

	send_rst(v->dev->fd, event->addr, event->conn_id);
	victim_pair(event->request.socket_type, pair);
	addr.local_port = new_port();
	error = send_request(v->dev->fd, addr, pair[1], &id);
	close(pair[1]);
	if (!error)
		enter(v, id, addr, pair[0], does);
	else if (error != -EADDRINUSE && error != -ENOBUFS)
		fail("SEND_REQUEST: %s", strerror(-error));
	else
		close(pair[0]);
}

static void on_request(struct victim *v, const struct vsockdev_event *event)
{
	enum victim_port does = event->addr.local_port;

	count(&v->requests, 1);
	if (does == VICTIM_IGNORE)
		enter(v, event->conn_id, event->addr, -1, does);
	else if (does > VICTIM_REFUSE && does < VICTIM_PORTS)
		take_request(v, event, does);
	else if (does > VICTIM_CALL + 1 &&
		 does < VICTIM_CALL + VICTIM_PORTS - VICTIM_IGNORE)
		call_back(v, event, does - VICTIM_CALL + VICTIM_IGNORE);
	else
		send_rst(v->dev->fd, event->addr, event->conn_id);
}

static void on_event(struct victim *v, const struct vsockdev_event *event)
{
	struct victim_conn *conn;

	if (event->type == VSOCKDEV_EVENT_REQUEST) {
		on_request(v, event);
		return;
	}
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

	if (n < 0 && errno != EAGAIN)
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
	fcntl(v->dev->fd, F_SETFL,
	      fcntl(v->dev->fd, F_GETFL) & ~O_NONBLOCK);
}
