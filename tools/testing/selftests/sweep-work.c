// SPDX-License-Identifier: GPL-2.0-only
/*
 * Honest traffic while allocations of the driver fail at random, whoever makes
 * them: calls, the workers that receive and those that move bytes. What cannot
 * go on for lack of memory says so. Nothing is lost in silence, no stream that
 * misses bytes looks complete, nothing waits for ever, and nothing is left.
 */
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/inject.h"
#include "lib/machine.h"
#include "lib/vmo.h"

#define LONG_SECONDS 1200
#define ECHO_PORT 7 /* a service of our host device */
#define PERCENT 1
#define ECHOES 60
#define BYTES (300 * KIB)
#define MESSAGES_MAX (20 * KIB)
#define FILE_SIZE (200 * KIB)

enum kind {
	KIND_UNIX,
	KIND_TCP,
	KIND_SEQPACKET,
	KIND_VMO,
};

/* How it went, in all. */
struct score {
	unsigned int whole;
	unsigned int cut_off;
	unsigned int refused;
	unsigned int nomem; /* calls */
	unsigned int injected;
};

FIXTURE(work) {
	struct device dev;
	struct score score;
	struct sender *sender;
	int file;
};

FIXTURE_VARIANT(work) {
	enum kind kind;
};

FIXTURE_VARIANT_ADD(work, unix_stream) {
	.kind = KIND_UNIX,
};

FIXTURE_VARIANT_ADD(work, tcp) {
	.kind = KIND_TCP,
};

FIXTURE_VARIANT_ADD(work, seqpacket) {
	.kind = KIND_SEQPACKET,
};

FIXTURE_VARIANT_ADD(work, file) {
	.kind = KIND_VMO,
};

/* The other half of an echo: writes, and ends its direction. */
struct sender {
	pthread_t thread;
	struct transfer transfer;
	int sock;
	uint64_t len;
};

static void *send_all(void *arg)
{
	struct sender *sender = arg;

	transfer_send(&sender->transfer, sender->sock, sender->len);
	shutdown(sender->sock, SHUT_WR);
	return NULL;
}

static struct transfer transfer_of(enum kind kind)
{
	struct transfer transfer = TRANSFER(7, 1, MESSAGES_MAX);

	transfer.messages = kind == KIND_SEQPACKET;
	return transfer;
}

static void make_pair(enum kind kind, int pair[2])
{
	if (kind == KIND_TCP)
		tcp_pair(pair);
	else if (kind == KIND_SEQPACKET)
		seqpacket_pair(pair);
	else
		unix_pair(pair);
}

/* A file that begins as the stream does. */
static int stream_file(void)
{
	int file = vmo_open(VMO_MEMFD, FILE_SIZE);

	vmo_fill(file, 0, stream_at(7, 0), FILE_SIZE);
	return file;
}

FIXTURE_SETUP(work)
{
	if (!inject_prepare())
		SKIP(return, "this kernel injects no faults");
	if (!host_is_ours())
		SKIP(return, "this host device has no echo");
	/* Stacks of threads are not to be locked whole */
	munlockall();
	device_start(&self->dev, NULL);
	self->file = stream_file();
	self->sender = calloc(1, sizeof(*self->sender));
}

FIXTURE_TEARDOWN(work)
{
	inject_rate(MODULE, 0);
	close(self->file);
	close(self->dev.fd);
	WAIT_FOR(module_refs() == 0);
	device_start(&self->dev, NULL);
	expect_alive(&(struct link){
		.sock = link_connect(&self->dev, SCRIPT_PORT).sock });
	close(self->dev.fd);
}

static void check_nomem(int error, struct score *score)
{
	if (error != -ENOMEM)
		fail("a call failed: %s", strerror(-error));
	score->nomem++;
}

static struct link request(struct device *dev, enum kind kind,
			   struct score *score)
{
	struct link link = { .addr = host_addr(ECHO_PORT) };
	int pair[2], error;

	make_pair(kind, pair);
	while ((error = send_request(dev->fd, link.addr, pair[1], &link.id)))
		check_nomem(error, score);
	close(pair[1]);
	link.sock = pair[0];
	return link;
}

static bool is_lack_of_memory(const struct vsockdev_event *rst)
{
	return rst->rst.reason == VSOCKDEV_RST_LOCAL_ERROR &&
	       (rst->rst.error == ENOMEM || rst->rst.error == ENOBUFS);
}

/* The file goes ahead, and the rest of the stream follows it. */
static void send_file(struct device *dev, const struct link *link, int file,
		      struct sender *sender, struct score *score)
{
	int error;

	do {
		error = send_vmo(dev->fd, link, file, 0, FILE_SIZE);
		if (error == -ENOTCONN || error == -ESTALE)
			return;
		if (error)
			check_nomem(error, score);
	} while (error);
	sender->transfer.stream.pos = FILE_SIZE;
	sender->len -= FILE_SIZE;
}

static struct vsockdev_event end_of(struct device *dev, uint64_t id, bool *sent)
{
	struct vsockdev_event event;

	*sent = false;
	for (;;) {
		event = expect_event(dev, 0, id);
		if (event.type == VSOCKDEV_EVENT_RST)
			return event;
		if (event.type == VSOCKDEV_EVENT_SEND_VMO_COMPLETE)
			*sent = !event.vmo.status;
	}
}

/* A reset is told once: TCP, and AF_UNIX with messages, tell who comes first. */
static bool writer_was_told(enum kind kind, const struct sender *sender)
{
	return (kind == KIND_SEQPACKET || kind == KIND_TCP) &&
	       sender->transfer.error == ECONNRESET;
}

/*
 * A TCP socket for whose FIN there was no memory can only be reset: what is
 * complete may look cut off, but not the other way round.
 */
static void judge(enum kind kind, const struct transfer *got,
		  const struct sender *sender,
		  const struct vsockdev_event *rst, struct score *score)
{
	bool whole = got->bytes == BYTES && !is_lack_of_memory(rst);
	char text[200];

	transfer_describe(got, text, sizeof(text));
	if (whole && got->end == TRANSFER_EOF)
		score->whole++;
	else if (got->end == TRANSFER_RESET &&
		 (is_lack_of_memory(rst) || (whole && kind == KIND_TCP)))
		score->cut_off++;
	else if (got->end == TRANSFER_EOF && is_lack_of_memory(rst) &&
		 writer_was_told(kind, sender))
		score->cut_off++;
	else
		fail("%s, and RST for reason %u, error %d", text,
		     rst->rst.reason, rst->rst.error);
}

/* All of it, and the end. */
static struct transfer receive_all(enum kind kind, int sock)
{
	struct transfer got = transfer_of(kind);

	transfer_receive(&got, sock, BYTES);
	if (got.end == TRANSFER_DONE)
		transfer_receive(&got, sock, TRANSFER_TO_END);
	return got;
}

static void echo(struct device *dev, enum kind kind, int file,
		 struct sender *sender, struct score *score)
{
	struct link link = request(dev, kind, score);
	struct vsockdev_event event;
	struct transfer got;
	bool sent;

	event = expect_event(dev, 0, link.id);
	if (event.type == VSOCKDEV_EVENT_RST) {
		if (!is_lack_of_memory(&event))
			fail("refused for reason %u", event.rst.reason);
		score->refused++;
		link_close(&link);
		return;
	}
	*sender = (struct sender){ .sock = link.sock, .len = BYTES };
	sender->transfer = transfer_of(kind);
	if (kind == KIND_VMO)
		send_file(dev, &link, file, sender, score);
	pthread_create(&sender->thread, NULL, send_all, sender);
	got = receive_all(kind, link.sock);
	pthread_join(sender->thread, NULL);
	link_close(&link);
	event = end_of(dev, link.id, &sent);
	judge(kind, &got, sender, &event, score);
}

TEST_F_TIMEOUT(work, bytes_arrive_or_it_is_told, LONG_SECONDS)
{
	struct score *score = &self->score;

	inject_rate(MODULE, PERCENT);
	for (int i = 0; i < ECHOES; i++)
		echo(&self->dev, variant->kind, self->file, self->sender,
		     score);
	score->injected = inject_rate(MODULE, 0);
	printf("# %u faults, %u whole, %u cut off, %u refused, %u ENOMEM\n",
	       score->injected, score->whole, score->cut_off, score->refused,
	       score->nomem);
	EXPECT_LT(0, score->injected);
	EXPECT_LT(0, score->whole);
	EXPECT_LT(0, score->cut_off);
}

/* REQUESTs of the host: each one is told, or refused. */
FIXTURE(calls) {
	struct fake fake;
};

FIXTURE_SETUP(calls)
{
	if (!inject_prepare())
		SKIP(return, "this kernel injects no faults");
	munlockall();
	fake_open(&self->fake, NULL);
}

FIXTURE_TEARDOWN(calls)
{
	inject_rate(MODULE, 0);
	expect_no_event(&self->fake.dev, 0);
	expect_usable(&self->fake);
	fake_close(&self->fake);
	WAIT_FOR(module_refs() == 0);
}

static bool is_told(struct fake *fake)
{
	struct pollfd fds[] = {
		{ .fd = fake->fd, .events = POLLIN },
		{ .fd = fake->dev.fd, .events = POLLIN },
	};

	if (poll(fds, 2, HANG_GUARD_MS) <= 0)
		fail("a REQUEST was lost");
	return fds[1].revents;
}

TEST_F_TIMEOUT(calls, are_told_or_refused, LONG_SECONDS)
{
	unsigned int told = 0, refused = 0, injected;
	struct vsockdev_event event;

	inject_rate(MODULE, 20);
	for (int i = 0; i < rounds(8000); i++) {
		struct flow flow = flow_dial(&self->fake);

		if (is_told(&self->fake)) {
			event = expect_request(&self->fake.dev,
					       flow.link.addr.local_port);
			send_rst(self->fake.dev.fd, event.addr, event.conn_id);
			told++;
		} else {
			refused++;
		}
		expect_packet(&self->fake, flow.link.addr,
			      VIRTIO_VSOCK_OP_RST);
	}
	injected = inject_rate(MODULE, 0);
	printf("# %u faults, %u told, %u refused\n", injected, told, refused);
	EXPECT_LT(0, told);
	EXPECT_LT(0, refused);
	EXPECT_LE(refused, injected);
	EXPECT_EQ(refused, info_of(self->fake.dev.fd).refused);
}

TEST_HARNESS_MAIN
