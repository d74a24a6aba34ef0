// SPDX-License-Identifier: GPL-2.0-only
/*
 * What no sane program does: none of it may crash the kernel, hold up others
 * or keep the device or the module for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/link.h"
#include "lib/trap.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define DRIVER "/sys/bus/virtio/drivers/vsockdev/"
#define NOBODY 1000
#define MANY 600 /* more pumps than one work queue runs at a time */
#define LONG_SECONDS 300

/* References to the module: by open nodes, connections and sockets. */
static long module_refs(void)
{
	FILE *file = fopen("/sys/module/vsockdev/refcnt", "r");
	long refs;

	if (!file || fscanf(file, "%ld", &refs) != 1)
		fail("refcnt of the module: %s", strerror(errno));
	fclose(file);
	return refs;
}

/* How many tasks are in that function of the kernel? */
static unsigned int tasks_in(const char *function)
{
	static char stack[4096];
	unsigned int count = 0;
	glob_t found;

	if (glob("/proc/[0-9]*/stack", 0, NULL, &found))
		fail("/proc tells no stacks");
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int fd = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, stack, sizeof(stack) - 1);

		if (n > 0) {
			stack[n] = '\0';
			count += !!strstr(stack, function);
		}
		close(fd);
	}
	globfree(&found);
	return count;
}

static void set_buffer(int sock, int which, int bytes)
{
	if (setsockopt(sock, SOL_SOCKET, which, &bytes, sizeof(bytes)))
		fail("size of a socket's buffer: %s", strerror(errno));
}

static void make_pair(int pair[2], bool tcp)
{
	if (tcp)
		tcp_pair(pair);
	else
		unix_pair(pair);
}

/* Sends a byte, and a descriptor along with it. */
static void send_descriptor(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = {};
	struct iovec iov = { .iov_base = "!", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	if (sendmsg(sock, &msg, MSG_DONTWAIT) != 1)
		fail("SCM_RIGHTS: %s", strerror(errno));
}

/* A reader of a socket that was given away, in the midst of its copy. */
struct reader {
	pthread_t thread;
	int sock;
	void *to;
};

static void *read_byte(void *arg)
{
	struct reader *reader = arg;

	return (void *)(long)read(reader->sock, reader->to, 1);
}

static void reader_start(struct reader *reader, const int pair[2], void *to)
{
	pthread_attr_t small;
	int error;

	if (write(pair[0], "!", 1) != 1)
		fail("writing a byte: %s", strerror(errno));
	reader->sock = pair[1];
	reader->to = to;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 * KIB);
	error = pthread_create(&reader->thread, &small, read_byte, reader);
	if (error)
		fail("pthread_create: %s", strerror(error));
}

static void reader_finish(struct reader *reader)
{
	void *n;

	pthread_join(reader->thread, &n);
	if ((long)n != 1)
		fail("a reader got %ld instead of its byte", (long)n);
}

static void exchange(struct device *dev, struct peer *peer, struct link *link)
{
	struct job *job;

	(void)dev;
	peer_tell(peer, "exchange 1 %llu 2 %llu", MIB, MIB);
	job = start_sending(link->sock, TRANSFER(2, 1, 100000), MIB,
			    TRANSFER_DONE);
	receive_stream(link->sock, 1, MIB);
	finish(job);
	peer_hear_exactly(peer, "done %llu done %llu", MIB, MIB);
}

/* The device works, and when that is over nothing is left behind. */
static void expect_healthy(void)
{
	struct device dev;
	struct peer peer;

	device_start(&dev, NULL);
	peer = peer_open(&dev);
	expect_alive(&peer.link);
	link_close(&peer.link);
	close(dev.fd);
	WAIT_FOR(module_refs() == 0);
}

FIXTURE(misuse) {
	struct device dev;
	struct peer peer;
};

FIXTURE_SETUP(misuse)
{
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
}

FIXTURE_TEARDOWN(misuse)
{
	link_close(&self->peer.link);
	close(self->dev.fd);
	expect_healthy();
}

/* Runs @body in a child without privileges; returns what that returns. */
#define AS_NOBODY(body)                                          \
	({                                                       \
		int status_ = -1;                                \
		pid_t child_ = fork();                           \
								 \
		if (!child_) {                                   \
			if (setresgid(NOBODY, NOBODY, NOBODY) || \
			    setresuid(NOBODY, NOBODY, NOBODY))   \
				_exit(255);                      \
			_exit(-(body));                          \
		}                                                \
		waitpid(child_, &status_, 0);                    \
		status_;                                         \
	})

static struct ucred receive_credentials(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head;
	struct ucred cred;

	if (recvmsg(sock, &msg, 0) != 1)
		fail("receiving credentials: %s", strerror(errno));
	head = CMSG_FIRSTHDR(&msg);
	if (!head || head->cmsg_type != SCM_CREDENTIALS)
		fail("no credentials came");
	memcpy(&cred, CMSG_DATA(head), sizeof(cred));
	return cred;
}

static void pass_credentials(int sock)
{
	int on = 1;

	if (setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		fail("SO_PASSCRED: %s", strerror(errno));
}

TEST_F(misuse, bytes_carry_the_credentials_of_who_sent_the_request)
{
	uint32_t port = new_port();
	struct vsockdev_addr addr = host_addr(port);
	struct ucred cred;
	int pair[2];

	unix_pair(pair);
	pass_credentials(pair[0]);
	peer_do(&self->peer, "ok", "listen %u", port);
	ASSERT_EQ(0,
		  AS_NOBODY(send_request(self->dev.fd, addr, pair[1], NULL)));
	peer_do(&self->peer, "ok", "accept");
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, 0);

	peer_do(&self->peer, "done 100", "send 1 100");
	cred = receive_credentials(pair[0]);
	EXPECT_EQ(NOBODY, cred.uid);
	EXPECT_EQ(NOBODY, cred.gid);
	close(pair[0]);
	close(pair[1]);
}

TEST_F(misuse, bytes_carry_the_credentials_of_who_sent_the_response)
{
	uint32_t port = new_port();
	struct vsockdev_event request;
	struct ucred cred;
	int pair[2];

	unix_pair(pair);
	pass_credentials(pair[0]);
	peer_do(&self->peer, "ok", "dial-start %u", port);
	request = expect_request(&self->dev, port);
	ASSERT_EQ(0, AS_NOBODY(send_response(self->dev.fd, request.addr,
					     request.conn_id, pair[1])));
	peer_tell(&self->peer, "dial-wait");
	ASSERT_EQ(0, strncmp(peer_hear(&self->peer), "ok ", 3));

	peer_do(&self->peer, "done 100", "send 1 100");
	cred = receive_credentials(pair[0]);
	EXPECT_EQ(NOBODY, cred.uid);
	EXPECT_EQ(NOBODY, cred.gid);
	close(pair[0]);
	close(pair[1]);
}

static void disconnect(int sock)
{
	struct sockaddr addr = { .sa_family = AF_UNSPEC };
	socklen_t len = sizeof(int);
	int error;

	if (connect(sock, &addr, sizeof(addr)) ||
	    getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &len))
		fail("disconnecting: %s", strerror(errno));
}

/* As the driver may reset the socket at any time, this may fail. */
static int listen_and_accept(int sock, int *caller)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	*caller = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listen(sock, 8) ||
	    getsockname(sock, (struct sockaddr *)&addr, &len))
		fail("listening: %s", strerror(errno));
	if (connect(*caller, (struct sockaddr *)&addr, len))
		return -1;
	return accept4(sock, NULL, NULL, SOCK_CLOEXEC);
}

/* The socket's callbacks are its own: whoever waits for it is told. */
static void expect_ordinary(int caller, int child)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, child, &event))
		fail("epoll: %s", strerror(errno));
	send_stream(caller, 1, 1000);
	if (epoll_wait(epoll, &event, 1, HANG_GUARD_MS) != 1)
		fail("a socket that was accepted does not tell of bytes");
	receive_stream(child, 1, 1000);
	send_stream(child, 2, 1000);
	receive_stream(caller, 2, 1000);
	close(epoll);
}

/* Keeps the driver's workers from running, by taking all processors. */
struct siege {
	pthread_t threads[16];
	int count;
	atomic_int ready;
	atomic_bool over;
};

static void *spin(void *arg)
{
	struct siege *siege = arg;

	atomic_fetch_add(&siege->ready, 1);
	while (!atomic_load(&siege->over))
		;
	return NULL;
}

static void siege_begin(struct siege *siege)
{
	long others = sysconf(_SC_NPROCESSORS_ONLN) - 1;

	memset(siege, 0, sizeof(*siege));
	set_policy(SCHED_FIFO, 1);
	while (siege->count < others && siege->count < 16)
		pthread_create(&siege->threads[siege->count++], NULL, spin,
			       siege);
	WAIT_FOR(atomic_load(&siege->ready) == siege->count);
}

static void siege_end(struct siege *siege)
{
	atomic_store(&siege->over, true);
	for (int i = 0; i < siege->count; i++)
		pthread_join(siege->threads[i], NULL);
	set_policy(SCHED_OTHER, 0);
}

static bool child_of_disconnected(struct device *dev, struct peer *peer)
{
	int pair[2], keep, caller, child;
	struct siege siege;
	struct link link;

	tcp_pair(pair);
	keep = dup(pair[1]);
	link = peer_connect_with(dev, peer, pair);
	siege_begin(&siege);
	disconnect(keep);
	child = listen_and_accept(keep, &caller);
	siege_end(&siege);
	if (child >= 0)
		expect_ordinary(caller, child);
	if (!skip_to_rst(dev, link.id).rst.error)
		fail("a disconnected socket looks like a clean end");
	if (child >= 0)
		expect_ordinary(caller, child);
	close(child);
	close(caller);
	close(keep);
	link_close(&link);
	return child >= 0;
}

TEST_F_TIMEOUT(misuse, tcp_disconnected_and_listening, LONG_SECONDS)
{
	unsigned int children = 0;

	/* Somebody has to be quicker than the driver once */
	for (int i = 0; i < 10 || (!children && i < 100); i++)
		children += child_of_disconnected(&self->dev, &self->peer);
	EXPECT_NE(0, children);
}

/* Full of bytes that nobody acknowledges: its close lasts. */
static struct link full_bridge(struct device *dev, struct peer *peer,
			       unsigned int window)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 30000 };
	struct link link;
	int pair[2];

	tcp_pair(pair);
	set_buffer(pair[0], SO_RCVBUF, window);
	set_buffer(pair[1], SO_SNDBUFFORCE, 4 * MIB);
	if (setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		fail("SO_LINGER: %s", strerror(errno));
	link = peer_connect_with(dev, peer, pair);
	peer_do(peer, "done 2097152", "send 1 2097152");
	return link;
}

TEST_F(misuse, tcp_lingers_and_others_are_closed)
{
	struct vsockdev_start hasty = { .close_timeout_ms = 1 };
	struct peer other;
	struct link link;
	struct pollfd fds;
	int ends[2];

	if (!host_is_ours())
		SKIP(return, "needs a host that shuts down in order");
	ASSERT_EQ(0, stop(self->dev.fd));
	ASSERT_EQ(0, start(self->dev.fd, &hasty));
	self->peer = peer_open(&self->dev);
	other = peer_open(&self->dev);
	link = full_bridge(&self->dev, &self->peer, 4 * KIB);
	peer_do(&self->peer, "ok", "close");
	skip_to_rst(&self->dev, link.id);
	WAIT_FOR(tasks_in("sk_stream_wait_close") == 1);

	ASSERT_EQ(0, pipe(ends));
	send_descriptor(other.link.sock, ends[1]);
	close(ends[1]);
	fds = (struct pollfd){ .fd = ends[0] };
	EXPECT_EQ(1, poll(&fds, 1, HANG_GUARD_MS));
	EXPECT_EQ(POLLHUP, fds.revents);

	link_close(&link);
	link_close(&other.link);
	close(ends[0]);
}

/* Beside the reading, the program writes what nobody will take. */
TEST_F_TIMEOUT(misuse, tcp_is_read_slowly_and_written_after_the_end,
	       LONG_SECONDS)
{
	struct transfer transfer = TRANSFER(1, KIB, KIB);
	struct link link;

	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	link = full_bridge(&self->dev, &self->peer, 256 * KIB);
	send_stream(link.sock, 2, 1000);
	/* A host that has not taken this yet would rightly send RST */
	peer_do(&self->peer, "done 1000", "recv 2 1000");
	peer_do(&self->peer, "ok", "shutdown both");
	EXPECT_EQ(VSOCKDEV_RST_SHUTDOWN,
		  skip_to_rst(&self->dev, link.id).rst.reason);

	do {
		send(link.sock, "!", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		transfer_receive(&transfer, link.sock, KIB);
	} while (transfer.end == TRANSFER_DONE);

	EXPECT_EQ(TRANSFER_EOF, transfer.end);
	EXPECT_EQ(2 * MIB, transfer.bytes);
	link_close(&link);
}

static struct vsockdev_event end_of_dup(struct device *dev, struct link *link)
{
	link_close(link);
	return skip_to_rst(dev, link->id);
}

TEST_F(misuse, a_socket_is_given_twice)
{
	int pair[2], again;
	struct link link;

	unix_pair(pair);
	again = dup(pair[1]);
	link = peer_connect_with(&self->dev, &self->peer, pair);
	EXPECT_EQ(-EBUSY, send_request(self->dev.fd, host_addr(SCRIPT_PORT),
				       again, NULL));
	EXPECT_EQ(-EBUSY, send_request(self->dev.fd, host_addr(SCRIPT_PORT),
				       again, NULL));
	exchange(&self->dev, &self->peer, &link);
	EXPECT_EQ(VSOCKDEV_RST_LOCAL_CLOSE,
		  end_of_dup(&self->dev, &link).rst.reason);
	close(again);
}

TEST_F(misuse, a_call_that_fails_leaves_the_socket_as_it_was)
{
	int pair[2], mark = 5;
	socklen_t len = sizeof(mark);

	tcp_pair(pair);
	ASSERT_EQ(0, setsockopt(pair[1], SOL_SOCKET, SO_RCVLOWAT, &mark, len));
	EXPECT_EQ(-EADDRINUSE, send_request(self->dev.fd, self->peer.link.addr,
					    pair[1], NULL));
	mark = 0;
	ASSERT_EQ(0, getsockopt(pair[1], SOL_SOCKET, SO_RCVLOWAT, &mark, &len));
	EXPECT_EQ(5, mark);
	close(pair[0]);
	close(pair[1]);
}

/* A program that takes bytes away from the driver. */
#define STREAM (64 * KIB)

struct thief {
	pthread_t thread;
	int sock;
	atomic_bool *over;
	uint64_t bytes;
};

static void *steal(void *arg)
{
	struct thief *thief = arg;
	char loot[100];

	while (!atomic_load(thief->over)) {
		ssize_t n = recv(thief->sock, loot, sizeof(loot), MSG_DONTWAIT);

		if (n > 0)
			thief->bytes += n;
		else
			sched_yield();
	}
	return NULL;
}

static void thieves_start(struct thief thieves[2], int sock, atomic_bool *over,
			  void *(*steal)(void *))
{
	for (int i = 0; i < 2; i++) {
		thieves[i].sock = sock;
		thieves[i].over = over;
		pthread_create(&thieves[i].thread, NULL, steal, &thieves[i]);
	}
}

/* Returns how many bytes they got. */
static uint64_t thieves_stop(struct thief thieves[2])
{
	uint64_t bytes = 0;

	atomic_store(thieves->over, true);
	for (int i = 0; i < 2; i++) {
		pthread_join(thieves[i].thread, NULL);
		bytes += thieves[i].bytes;
	}
	return bytes;
}

static uint64_t robbed(struct device *dev, struct peer *peer, bool tcp)
{
	struct transfer transfer = TRANSFER(1, 1, 400);
	struct thief thieves[2] = {};
	unsigned long long arrived;
	atomic_bool over = false;
	struct link link;
	uint64_t stolen;
	int pair[2], again;
	char loot[100];

	make_pair(pair, tcp);
	again = dup(pair[1]);
	transfer_send(&transfer, pair[0], 1000);
	stolen = recv(again, loot, sizeof(loot), 0);
	link = peer_connect_with(dev, peer, pair);
	thieves_start(thieves, again, &over, steal);
	peer_tell(peer, "echo");
	/* Nobody reads the echo, which must not hold up the rest. */
	transfer_send(&transfer, link.sock, STREAM - 1000);
	shutdown(link.sock, SHUT_WR);
	if (sscanf(peer_hear(peer), "eof %llu", &arrived) != 1)
		fail("the stream was cut off");
	stolen += thieves_stop(thieves);
	peer_do(peer, "ok", "close");
	skip_to_rst(dev, link.id);
	close(again);
	link_close(&link);
	return stolen + arrived;
}

TEST_F_TIMEOUT(misuse, a_program_reads_in_our_place, LONG_SECONDS)
{
	if (!host_is_ours())
		SKIP(return, "this host device has no half-close");
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(STREAM, robbed(&self->dev, &self->peer, i % 2));
}

/* Looks at urgent bytes, or takes them, while the driver drops them. */
static void *steal_urgent(void *arg)
{
	struct thief *thief = arg;
	int flags = MSG_OOB | MSG_DONTWAIT;
	char byte;

	while (!atomic_load(thief->over)) {
		recv(thief->sock, &byte, 1, flags);
		flags ^= MSG_PEEK;
	}
	return NULL;
}

TEST_F_TIMEOUT(misuse, a_program_reads_urgent_bytes_in_our_place, LONG_SECONDS)
{
	struct thief thieves[2] = {};
	atomic_bool over = false;
	int pair[2], again;
	struct link link;

	unix_pair(pair);
	again = dup(pair[1]);
	link = peer_connect_with(&self->dev, &self->peer, pair);
	thieves_start(thieves, again, &over, steal_urgent);
	for (int i = 0; i < 20000; i++)
		if (send(link.sock, "!", 1, MSG_OOB) != 1)
			break;
	thieves_stop(thieves);
	close(again);
	link_close(&link);
}

TEST_F_TIMEOUT(misuse, small_writes_are_not_held_back_for_good, LONG_SECONDS)
{
	unsigned int unmerged = 260; /* beyond a packet for each KiB */
	struct link link;
	uint64_t before;

	if (!host_is_ours())
		SKIP(return, "this host device has no hold port");
	link = link_connect(&self->dev, HOLD_PORT);
	before = info_of(self->dev.fd).tx_bytes;
	for (unsigned int i = 1; i <= 2000; i++) {
		ASSERT_EQ(1, send(link.sock, "!", 1, 0));
		if (i < unmerged)
			WAIT_FOR(info_of(self->dev.fd).tx_bytes == before + i);
	}
	WAIT_FOR(info_of(self->dev.fd).tx_bytes == before + 2000);
	link_close(&link);
}

/* A node that lies in the queue of a socket that it owns. */
FIXTURE(cycle) {
	struct device dev;
	int other;
};

FIXTURE_SETUP(cycle)
{
	device_start(&self->dev, NULL);
	self->other = open_device();
}

FIXTURE_TEARDOWN(cycle)
{
}

/* The socket's other end stays open: the node must go by itself. */
static void expect_released(int node, int other, int sock)
{
	close(node);
	WAIT_FOR(start(other, NULL) == 0);
	expect_end(sock, TRANSFER_RESET);
	close(sock);
	close(other);
	expect_healthy();
}

TEST_F(cycle, sent_before_the_request)
{
	struct link link;
	int pair[2];

	unix_pair(pair);
	send_descriptor(pair[0], self->dev.fd);
	link = link_request_with(&self->dev, port_without_answer(), pair);
	expect_released(self->dev.fd, self->other, link.sock);
}

TEST_F(cycle, sent_while_connecting)
{
	struct link link;

	if (!host_is_ours())
		SKIP(return, "this host device always answers");
	link = link_request(&self->dev, SILENT_PORT);
	for (int i = 0; i < 10; i++)
		send_descriptor(link.sock, self->dev.fd);
	expect_released(self->dev.fd, self->other, link.sock);
}

TEST_F(cycle, sent_without_credit)
{
	static char bytes[64 * KIB];
	struct link link;

	if (!host_is_ours())
		SKIP(return, "this host device has no hold port");
	link = link_connect(&self->dev, HOLD_PORT);
	set_buffer(link.sock, SO_SNDBUFFORCE, 4 * MIB);
	for (int i = 0; i < 16; i++)
		send(link.sock, bytes, sizeof(bytes), MSG_DONTWAIT);
	send_descriptor(link.sock, self->dev.fd);
	expect_released(self->dev.fd, self->other, link.sock);
}

/* A connection whose socket a reader keeps busy. */
FIXTURE(stuck) {
	struct device dev;
	struct peer peer; /* another connection */
	struct trap trap;
	struct reader reader;
	struct link link;
};

FIXTURE_VARIANT(stuck) {
	bool tcp;
};

FIXTURE_VARIANT_ADD(stuck, unix_socket) {
	.tcp = false,
};

FIXTURE_VARIANT_ADD(stuck, tcp) {
	.tcp = true,
};

FIXTURE_SETUP(stuck)
{
	int pair[2];

	if (!trap_set(&self->trap))
		SKIP(return, "no userfaultfd");
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
	make_pair(pair, variant->tcp);
	reader_start(&self->reader, pair, self->trap.page);
	trap_wait(&self->trap, 1);
	self->link = link_request_with(&self->dev, port_without_answer(), pair);
	/* The pump has something to do with the socket: it is stuck, too. */
	if (write(self->link.sock, "!", 1) != 1)
		fail("writing a byte: %s", strerror(errno));
}

FIXTURE_TEARDOWN(stuck)
{
	trap_release(&self->trap);
	reader_finish(&self->reader);
	close(self->dev.fd);
	expect_end(self->link.sock, TRANSFER_RESET);
	link_close(&self->link);
	link_close(&self->peer.link);
	expect_healthy();
}

TEST_F(stuck, others_go_on)
{
	struct link link = peer_connect(&self->dev, &self->peer);

	exchange(&self->dev, &self->peer, &link);
	link_close(&link);
	skip_to_rst(&self->dev, link.id);
}

TEST_F(stuck, send_rst_goes_on)
{
	ASSERT_EQ(0, send_rst(self->dev.fd, self->link.addr, 0));
	expect_alive(&self->peer.link);
	WAIT_FOR(info_of(self->dev.fd).conns == 1);
}

TEST_F(stuck, stop_goes_on)
{
	ASSERT_EQ(0, stop(self->dev.fd));
	ASSERT_EQ(0, start(self->dev.fd, NULL));
	self->peer = peer_open(&self->dev);
	expect_alive(&self->peer.link);
}

TEST_F(stuck, close_goes_on)
{
	close(self->dev.fd);
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
	expect_alive(&self->peer.link);
}

static void bind_device(const char *file, const char *device)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, device, strlen(device)) < 0)
		fail("%s: %s", file, strerror(errno));
	close(fd);
}

TEST_F(stuck, unbind_goes_on)
{
	const char *device;
	glob_t found;

	ASSERT_EQ(0, glob(DRIVER "virtio*", 0, NULL, &found));
	device = strrchr(found.gl_pathv[0], '/') + 1;
	bind_device(DRIVER "unbind", device);
	bind_device(DRIVER "bind", device);
	globfree(&found);

	EXPECT_EQ(-ENODEV, stop(self->dev.fd));
	close(self->dev.fd);
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
	expect_alive(&self->peer.link);
}

/* Work runs on the CPU that queued it: all of this on one. */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	if (sched_setaffinity(0, sizeof(here), &here))
		fail("sched_setaffinity: %s", strerror(errno));
}

/* Each with its reader in the same trap. */
struct crowd {
	struct reader readers[MANY];
	int socks[MANY];
};

static void crowd_gather(struct crowd *crowd, struct device *dev,
			 struct trap *trap)
{
	for (int i = 0; i < MANY; i++) {
		int pair[2];

		unix_pair(pair);
		reader_start(&crowd->readers[i], pair, trap->page);
		trap_wait(trap, 1);
		crowd->socks[i] =
			link_request_with(dev, SILENT_PORT, pair).sock;
	}
}

/* Their pumps are stuck, and have something more to do from now on. */
static void crowd_disturb(struct crowd *crowd)
{
	for (int i = 0; i < MANY; i++)
		if (write(crowd->socks[i], "!", 1) != 1)
			fail("writing a byte: %s", strerror(errno));
}

static void crowd_dismiss(struct crowd *crowd, struct trap *trap)
{
	trap_release(trap);
	for (int i = 0; i < MANY; i++) {
		reader_finish(&crowd->readers[i]);
		close(crowd->socks[i]);
	}
}

TEST_F_TIMEOUT(misuse, more_readers_are_stuck_than_a_work_queue_holds,
	       LONG_SECONDS)
{
	struct rlimit files = { .rlim_cur = 4096, .rlim_max = 4096 };
	static struct crowd crowd;
	struct link first, last;
	struct trap trap;

	if (!host_is_ours())
		SKIP(return, "this host device always answers");
	if (!trap_set(&trap))
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	stay_here();
	first = peer_connect(&self->dev, &self->peer);
	crowd_gather(&crowd, &self->dev, &trap);
	WAIT_FOR(tasks_in("vsockdev_pump_work") >= MANY);
	crowd_disturb(&crowd);

	/* One whose place is in the first queue, and one behind them all. */
	exchange(&self->dev, &self->peer, &first);
	last = peer_connect(&self->dev, &self->peer);
	exchange(&self->dev, &self->peer, &last);
	link_close(&first);
	link_close(&last);

	crowd_dismiss(&crowd, &trap);
}

/* Everything at once, and in no order. */
#define ROUNDS 2000
#define PROCESSES 2
#define THREADS 3
#define ADDRESSES 12

struct vandal {
	pthread_t thread;
	int fd;
	unsigned int seed;
};

static struct vsockdev_addr some_address(struct vandal *vandal)
{
	static const uint32_t ports[] = { SCRIPT_PORT, DEAF_PORT, SILENT_PORT };
	unsigned int n = rand_r(&vandal->seed) % ADDRESSES;

	return (struct vsockdev_addr){
		.local_port = 50 + n,
		.remote_cid = HOST_CID,
		.remote_port = ports[n % 3],
	};
}

static int request_some(struct vandal *vandal)
{
	char bytes[3000] = "ping\n";
	int pair[2], error;

	make_pair(pair, rand_r(&vandal->seed) % 4 == 0);
	send(pair[0], bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
	error = send_request(vandal->fd, some_address(vandal), pair[1], NULL);
	close(pair[1]);
	send(pair[0], bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(pair[0]);
	return error;
}

static int read_some(struct vandal *vandal)
{
	struct vsockdev_event events[4];

	return read(vandal->fd, events, sizeof(events)) < 0 ? -errno : 0;
}

static int do_something(struct vandal *vandal)
{
	switch (rand_r(&vandal->seed) % 16) {
	case 0:
		return stop(vandal->fd);
	case 1:
	case 2:
		return start(vandal->fd, NULL);
	case 3:
		return send_shutdown(vandal->fd, some_address(vandal), 0, 0);
	case 4:
	case 5:
	case 6:
		return send_rst(vandal->fd, some_address(vandal), 0);
	case 7:
	case 8:
	case 9:
		return read_some(vandal);
	default:
		return request_some(vandal);
	}
}

static bool may_happen(int error)
{
	switch (-error) {
	case 0:
	case EADDRINUSE:
	case EAGAIN:
	case EALREADY:
	case ENOBUFS:
	case ENOTCONN:
	case EPERM:
	case EPIPE:
		return true;
	default:
		return false;
	}
}

static void *rage(void *arg)
{
	struct vandal *vandal = arg;

	for (int i = 0; i < ROUNDS / (PROCESSES * THREADS); i++) {
		int error = do_something(vandal);

		if (!may_happen(error))
			fail("an unexpected error: %s", strerror(-error));
	}
	return NULL;
}

static void rage_together(int fd, unsigned int seed)
{
	struct vandal vandals[THREADS];

	for (int i = 0; i < THREADS; i++) {
		vandals[i] = (struct vandal){ .fd = fd, .seed = seed + i };
		pthread_create(&vandals[i].thread, NULL, rage, &vandals[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(vandals[i].thread, NULL);
}

TEST_F_TIMEOUT(misuse, everything_at_once, LONG_SECONDS)
{
	int status, fd = self->dev.fd;
	pid_t child;

	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_NONBLOCK));
	child = fork();
	if (!child) {
		rage_together(fd, 1000);
		_exit(0);
	}
	rage_together(fd, 2000);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);

	start(fd, NULL);
	ASSERT_EQ(0, stop(fd));
	WAIT_FOR(info_of(fd).conns == 0);
}

TEST_HARNESS_MAIN
