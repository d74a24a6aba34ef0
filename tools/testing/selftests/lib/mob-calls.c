// SPDX-License-Identifier: GPL-2.0-only
/* What the mob does to device nodes. */
#include "mob.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slow.h"
#include "table.h"

#define EVENT_SIZE 64

/* The structs begin alike. */
union argument {
	struct {
		uint32_t size;
		uint32_t flags;
	};
	struct vsockdev_start start;
	struct vsockdev_stop stop;
	struct vsockdev_send_request request;
	struct vsockdev_send_response response;
	struct vsockdev_send_rst rst;
	struct vsockdev_send_shutdown shutdown;
	struct vsockdev_send_vmo vmo;
	struct vsockdev_reset_done reset_done;
	struct vsockdev_get_cid cid;
	struct vsockdev_get_info info;
	uint32_t words[64];
};

/* Nearly right: one of its words is another. */
static void spoil(struct player *player, union argument *arg)
{
	static const uint32_t odd[] = { 0, 1, 2, 3, 255, 4096, 4097, 1U << 31,
					-1U };
	unsigned int words = arg->size / 4;

	if (!player->sane && one_in(player, 3) && words && words <= 64)
		arg->words[pick(player, 0, words - 1)] = PICK(player, odd);
}

/* Whatever it answers, the documentation has it. */
static int issue(struct player *player, int fd, unsigned int nr,
		 union argument *arg)
{
	void *at;
	int error;

	spoil(player, arg);
	at = place(player, arg, sizeof(*arg));
	error = call(fd, _IO(VSOCKDEV_IOC_TYPE, nr), at);
	/* No descriptor, or O_PATH: that is none of ours */
	if (error && error != -EBADF && !in_table(nr, -error))
		fail("ioctl %u answered %s, which its table has not", nr,
		     strerror(-error));
	if (!error)
		atomic_fetch_add(&player->mob->done[nr], 1);
	if (!error && at >= (void *)player->arena &&
	    at < (void *)(player->arena + ARENA - sizeof(*arg)))
		memcpy(arg, at, sizeof(*arg));
	return error;
}

static struct vsockdev_addr any_addr(struct player *player)
{
	static const uint32_t host_ports[] = {
		HOLD_PORT, SILENT_PORT, DEAF_PORT, 7, 7, 9, 19, 1,
	};

	return (struct vsockdev_addr){
		.local_port = pick(player, 1, MOB_PORTS),
		.remote_cid = one_in(player, 50) ? pick(player, 0, 5) :
						   HOST_CID,
		.remote_port = PICK(player, host_ports),
	};
}

/* A new one, that nobody has started. */
static int node_to_start(struct player *player)
{
	return player->sane ? open_node(player) : take_node(player);
}

static void act_start(struct player *player)
{
	static const uint32_t sizes[] = { 0, 0, 0, 64, 128, 256, 1024, 72 };
	static const uint32_t windows[] = { 0, 0, 4096, 65536, 1 << 24 };
	static const uint32_t times[] = { 0, 1, 5, 50, 3000,
					  VSOCKDEV_TIMEOUT_NONE };
	int fd = node_to_start(player);
	union argument arg = { .start = {
		.size = sizeof(arg.start),
		.event_size = PICK(player, sizes),
		.backlog = one_in(player, 2) ? pick(player, 1, 8) : 0,
		.max_conns = one_in(player, 4) ? pick(player, 1, 64) : 0,
		.buf_alloc = PICK(player, windows),
		.connect_timeout_ms = PICK(player, times),
		.close_timeout_ms = PICK(player, times),
	} };
	int error;

	if (arg.start.close_timeout_ms == VSOCKDEV_TIMEOUT_NONE)
		arg.start.close_timeout_ms = 1;
	error = issue(player, fd, VSOCKDEV_NR_START, &arg);
	player->slot = NULL;
	put_useful(player, fd, error == -EBUSY ? -EPERM : error);
}

static void act_stop(struct player *player)
{
	union argument arg = { .stop = { .size = sizeof(arg.stop) } };
	int fd = take_node(player);

	issue(player, fd, VSOCKDEV_NR_STOP, &arg);
	put_node(player, fd);
}

static void reset_done(struct player *player, int fd, uint64_t generation)
{
	union argument arg = { .reset_done = {
		.size = sizeof(arg.reset_done),
		.generation = generation,
	} };

	issue(player, fd, VSOCKDEV_NR_RESET_DONE, &arg);
}

/* By memory that nobody else writes to. */
static struct vsockdev_get_info ask(int fd)
{
	struct vsockdev_get_info info = { .size = sizeof(info) };

	call(fd, VSOCKDEV_GET_INFO, &info);
	return info;
}

/* After a call that was about a connection: what its answer tells. */
static void conclude(struct player *player, int fd, uint64_t id, int error)
{
	if (error == -ESTALE || error == -ENOTCONN)
		learn_state(player, fd, id, KNOWN_OVER);
	if (error == -ECONNRESET && one_in(player, 2))
		reset_done(player, fd, ask(fd).generation);
	put_useful(player, fd, error);
}

/* Sockets that somebody has, or new ones, and then more of the same. */
static int any_sock(struct player *player, unsigned int type)
{
	int pair[2];

	if (one_in(player, 4))
		return take_sock(player);
	if (!(player->sane ? typed_pair(player, type, pair) :
			     any_pair(player, pair)))
		return -1;
	put_sock(player, pair[0]);
	return pair[1];
}

static void done_with(struct player *player, int sock)
{
	if (one_in(player, 2))
		put_sock(player, sock);
	else
		close(sock);
}

static void act_request(struct player *player)
{
	static const uint32_t windows[] = { 0, 0, 4096, 65536, 1 << 24 };
	unsigned int type = one_in(player, 3) ? VSOCKDEV_TYPE_SEQPACKET :
						VSOCKDEV_TYPE_STREAM;
	int sock = any_sock(player, type), fd = take_useful(player);
	union argument arg = { .request = {
		.size = sizeof(arg.request),
		.addr = any_addr(player),
		.socket_fd = sock,
		.buf_alloc = PICK(player, windows),
		.connect_timeout_ms = pick(player, 0, 400),
		.close_timeout_ms = pick(player, 0, 40),
	} };
	int error = issue(player, fd, VSOCKDEV_NR_SEND_REQUEST, &arg);

	if (!error)
		learn(player, fd,
		      (struct known){
			      .addr = arg.request.addr,
			      .state = KNOWN_ASKED,
			      .id = arg.request.conn_id,
			      .type = type,
		      });
	conclude(player, fd, 0, error);
	done_with(player, sock);
}

static void act_response(struct player *player)
{
	int fd = take_useful(player);
	struct known known = recall(player, fd, KNOWN_CALLED);
	int sock = any_sock(player, known.type);
	union argument arg = { .response = {
		.size = sizeof(arg.response),
		.addr = known.addr,
		.conn_id = known.id,
		.socket_fd = sock,
		.close_timeout_ms = pick(player, 0, 40),
	} };
	int error = issue(player, fd, VSOCKDEV_NR_SEND_RESPONSE, &arg);

	if (!error)
		learn_state(player, fd, known.id, KNOWN_OPEN);
	conclude(player, fd, known.id, error);
	done_with(player, sock);
}

static void act_rst(struct player *player)
{
	int fd = take_useful(player);
	struct known known =
		recall(player, fd, pick(player, KNOWN_OVER, KNOWN_OPEN));
	union argument arg = { .rst = {
		.size = sizeof(arg.rst),
		.addr = known.addr,
		.conn_id = known.id,
	} };
	int error = issue(player, fd, VSOCKDEV_NR_SEND_RST, &arg);

	if (!error)
		learn_state(player, fd, known.id, KNOWN_OVER);
	conclude(player, fd, known.id, error);
}

static void act_shutdown(struct player *player)
{
	int fd = take_useful(player);
	struct known known = recall(player, fd, KNOWN_OPEN);
	union argument arg = { .shutdown = {
		.size = sizeof(arg.shutdown),
		.flags = pick(player, 0, 3),
		.addr = known.addr,
		.conn_id = known.id,
	} };
	int error = issue(player, fd, VSOCKDEV_NR_SEND_SHUTDOWN, &arg);

	conclude(player, fd, known.id, error);
}

static int any_file(struct player *player)
{
	int file = take_file(player);

	return file < 0 && player->sane ? new_file(player) : file;
}

/* Of what the file has now, if the player is sane. */
static void choose_range(struct player *player, struct vsockdev_send_vmo *vmo)
{
	struct stat info = {};
	off_t end = 1 << 18;

	fstat(vmo->vmo_fd, &info);
	if (player->sane && info.st_size > 0 && info.st_size < end)
		end = info.st_size;
	vmo->offset = one_in(player, 2) ? 0 : pick(player, 0, end - 1);
	if (player->sane)
		end -= vmo->offset;
	vmo->length = pick(player, 1, end);
}

static void act_vmo(struct player *player)
{
	int fd = take_useful(player), file = any_file(player);
	struct known known = recall(player, fd, KNOWN_OPEN);
	bool slow = player->mob->slow && one_in(player, 16);
	union argument arg = { .vmo = {
		.size = sizeof(arg.vmo),
		.addr = known.addr,
		.conn_id = known.id,
		.vmo_fd = slow ? player->mob->slow->file : file,
	} };
	int error;

	choose_range(player, &arg.vmo);
	error = issue(player, fd, VSOCKDEV_NR_SEND_VMO, &arg);
	conclude(player, fd, known.id, error);
	put_file(player, file);
}

static void act_reset_done(struct player *player)
{
	int fd = take_useful(player);

	reset_done(player, fd,
		   player->sane ? ask(fd).generation : pick(player, 0, 3));
	put_node(player, fd);
}

static void note_most(atomic_ulong *most, unsigned long bytes)
{
	unsigned long seen = atomic_load(most);

	while (seen < bytes && !atomic_compare_exchange_weak(most, &seen, bytes))
		;
}

static void act_ask(struct player *player)
{
	union argument cid = { .cid = { .size = sizeof(cid.cid) } };
	union argument info = { .info = { .size = sizeof(info.info) } };
	struct vsockdev_get_info traffic;
	int fd = take_node(player);

	issue(player, fd, VSOCKDEV_NR_GET_CID, &cid);
	issue(player, fd, VSOCKDEV_NR_GET_INFO, &info);
	traffic = ask(fd);
	note_most(&player->mob->received, traffic.rx_bytes);
	note_most(&player->mob->sent, traffic.tx_bytes);
	put_node(player, fd);
}

static void hear(struct player *player, int fd, const void *at)
{
	static const enum known_state states[MOB_EVENTS] = {
		[VSOCKDEV_EVENT_REQUEST] = KNOWN_CALLED,
		[VSOCKDEV_EVENT_RESPONSE] = KNOWN_OPEN,
	};
	struct vsockdev_event event;

	memcpy(&event, at, sizeof(event));
	/* Other reads write here, too, so it may be half of one */
	if (!event.type || event.type >= MOB_EVENTS)
		return;
	atomic_fetch_add(&player->mob->heard[event.type], 1);
	if (event.type == VSOCKDEV_EVENT_TRANSPORT_RESET && !one_in(player, 4))
		reset_done(player, fd, event.transport_reset.generation);
	else if (event.type == VSOCKDEV_EVENT_RST)
		learn_state(player, fd, event.conn_id, KNOWN_OVER);
	else if (states[event.type] &&
		 !learn_state(player, fd, event.conn_id, states[event.type]))
		learn(player, fd,
		      (struct known){
			      .addr = event.addr,
			      .state = states[event.type],
			      .id = event.conn_id,
			      .type = event.request.socket_type,
		      });
}

static void act_read(struct player *player)
{
	size_t size = EVENT_SIZE * pick(player, 1, 16) + pick(player, 0, 1);
	int fd = take_useful(player);
	uint8_t *at = place(player, NULL, size);
	bool mine = at >= player->arena && at <= player->arena + ARENA - size;
	ssize_t n = read(fd, at, size);
	int error = n < 0 ? -errno : 0;

	if (error && !in_table(CALL_read, -error))
		fail("read() says %s", strerror(-error));
	if (n > 0)
		atomic_fetch_add(&player->mob->reads, 1);
	if (n > 0 && n % 8)
		fail("read() gives %zd bytes", n);
	for (ssize_t i = 0; mine && i + EVENT_SIZE <= n; i += EVENT_SIZE)
		hear(player, fd, at + i);
	put_useful(player, fd, error);
}

const struct act mob_calls[] = {
	ACT(20, act_start),    ACT(3, act_stop),     ACT(60, act_request),
	ACT(40, act_response), ACT(12, act_rst),     ACT(10, act_shutdown),
	ACT(30, act_vmo),      ACT(4, act_ask),	     ACT(3, act_reset_done),
	ACT(60, act_read),     {}
};
