// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks the table of Documentation/userspace-api/errors.rst, of which
 * errors-tests.h and errors-rows.h are made. For each line there is a function
 * that brings the error about; the compiler sees to it that neither goes
 * without the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/fake.h"
#include "lib/machine.h"
#include "lib/reader.h"
#include "lib/scene.h"
#include "lib/table.h"

#define PAGE 4096
#define NOBODY 65534

/*
 * What a function below returns where this kernel or host has no way; if it
 * only failed to get as far as it wanted it returns 0, which is a failure.
 */
#define NO_WAY 1

#define AT(type, member) offsetof(struct type, member)

static int answer(long result)
{
	return result < 0 ? -errno : 0;
}

static void put64(void *room, int at, uint64_t value)
{
	memcpy((char *)room + at, &value, sizeof(value));
}

/* The struct itself. */
static int E2BIG_dirty_tail(struct scene *scene)
{
	put32(scene->room, 0, scene->shape->size + 4);
	put32(scene->room, scene->shape->size, 1);
	return scene_try(scene);
}

static int E2BIG_beyond_a_page(struct scene *scene)
{
	put32(scene->room, 0, PAGE + 1);
	return scene_try(scene);
}

static int EFAULT_unreadable(struct scene *scene)
{
	return scene_call(scene, scene->dev.fd, NULL);
}

static int EFAULT_unwritable(struct scene *scene)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return 0;
	memcpy(page, scene->right, scene->shape->size);
	mprotect(page, PAGE, PROT_READ);
	return scene_call(scene, scene->dev.fd, page);
}

static int EINVAL_size(struct scene *scene)
{
	put32(scene->room, 0, scene->shape->size - 1);
	return scene_try(scene);
}

static int EINVAL_reserved(struct scene *scene)
{
	int last = 0;

	for (int i = 0; i < 4 && scene->shape->zero_at[i]; i++)
		last = scene->shape->zero_at[i];
	put32(scene->room, last, 1);
	return scene_try(scene);
}

static int EINVAL_id(struct scene *scene)
{
	put64(scene->room, AT(vsockdev_send_request, conn_id), 1);
	return scene_try(scene);
}

static int EINVAL_range(struct scene *scene)
{
	static const int at[] = {
		[CALL_START] = AT(vsockdev_start, event_size),
		[CALL_SEND_REQUEST] = AT(vsockdev_send_request, buf_alloc),
		[CALL_SEND_RESPONSE] = AT(vsockdev_send_response, buf_alloc),
	};

	put32(scene->room, at[scene->nr], UINT32_MAX);
	return scene_try(scene);
}

static int EOPNOTSUPP_flag(struct scene *scene)
{
	put32(scene->room, 4, 1U << 31);
	return scene_try(scene);
}

static int ENOTTY_number(struct scene *scene)
{
	return call(scene->dev.fd, _IO(VSOCKDEV_IOC_TYPE, CALLS), scene->room);
}

/* Who calls. */
static int EPERM_not_owner(struct scene *scene)
{
	struct vsockdev_event event;

	if (scene->call == CALL_read)
		return answer(read(scene->other, &event, sizeof(event)));
	return scene_call(scene, scene->other, scene->room);
}

static int EALREADY_owner(struct scene *scene)
{
	return scene_try(scene);
}

static int EBUSY_owned(struct scene *scene)
{
	return scene_call(scene, scene->other, scene->room);
}

static int EACCES_permission(struct scene *scene)
{
	char node[NAME_SIZE];
	int status = 0;
	pid_t pid;

	(void)scene;
	if (!find_node(0, node))
		return 0;
	pid = fork();
	if (pid == 0) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(0);
		_exit(open(node, O_RDWR) < 0 ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 0;
	return -WEXITSTATUS(status);
}

/* The address and the connection there. */
static int EADDRINUSE_in_use(struct scene *scene)
{
	memcpy((char *)scene->room + scene->shape->addr_at,
	       &scene->peer.link.addr, sizeof(scene->peer.link.addr));
	return scene_try(scene);
}

static int EADDRINUSE_unread_rst(struct scene *scene)
{
	struct link link = link_request(&scene->dev, DEAF_PORT);
	int result;

	if (!host_is_ours())
		return NO_WAY;
	WAIT_FOR(poll_now(scene->dev.fd) & POLLIN);
	memcpy((char *)scene->room + scene->shape->addr_at, &link.addr,
	       sizeof(link.addr));
	result = scene_try(scene);
	expect_rst(&scene->dev, link.id, VSOCKDEV_RST_REFUSED, ECONNREFUSED);
	return result;
}

static int ESTALE_id(struct scene *scene)
{
	put64(scene->room, scene->shape->id_at, scene->link.id + 1);
	return scene_try(scene);
}

/* Nothing was ever at this address. */
static int try_elsewhere(struct scene *scene)
{
	struct vsockdev_addr addr = host_addr(SCRIPT_PORT);

	memcpy((char *)scene->room + scene->shape->addr_at, &addr,
	       sizeof(addr));
	put64(scene->room, scene->shape->id_at, 0);
	return scene_try(scene);
}

static int ENOTCONN_no_request(struct scene *scene)
{
	return try_elsewhere(scene);
}

static int ENOTCONN_not_established(struct scene *scene)
{
	return try_elsewhere(scene);
}

/* The other direction is left to be shut. */
static int EALREADY_shut(struct scene *scene)
{
	put32(scene->room, 4, VSOCKDEV_SHUTDOWN_RECEIVE);
	if (scene_try(scene))
		return 0;
	scene->link.sock = -1;
	return scene_try(scene);
}

static int ENOBUFS_limit(struct scene *scene)
{
	struct vsockdev_start options = { .max_conns = 1 };
	struct link link;
	int result;

	stop(scene->dev.fd);
	if (start(scene->dev.fd, &options))
		return 0;
	link = link_connect(&scene->dev, SCRIPT_PORT);
	result = scene_try(scene);
	expect_alive(&link);
	scene->over = true;
	return result;
}

/* The socket. */
static int try_socket(struct scene *scene, int fd)
{
	put32(scene->room, scene->shape->socket_at, fd);
	return scene_try(scene);
}

static int EAFNOSUPPORT_family(struct scene *scene)
{
	return try_socket(scene, socket(AF_INET, SOCK_DGRAM, 0));
}

static int EBADF_descriptor(struct scene *scene)
{
	int at = scene->shape->socket_at;

	if (scene->nr == CALL_SEND_VMO)
		at = AT(vsockdev_send_vmo, vmo_fd);
	put32(scene->room, at, -1);
	if (scene_try(scene) != -EBADF)
		return 0;
	put32(scene->room, at, open("/", O_PATH));
	return scene_try(scene);
}

static int ENOTSOCK_no_socket(struct scene *scene)
{
	return try_socket(scene, scene->dev.fd);
}

static int second_of_pair(int type)
{
	int pair[2];

	return socketpair(AF_UNIX, type, 0, pair) ? -1 : pair[1];
}

static int EPROTOTYPE_type(struct scene *scene)
{
	/* The host asked for a stream; it may be able to do both. */
	if (scene->nr == CALL_SEND_RESPONSE &&
	    try_socket(scene, second_of_pair(SOCK_SEQPACKET)) != -EPROTOTYPE)
		return 0;
	return try_socket(scene, second_of_pair(SOCK_DGRAM));
}

static int ENOTCONN_unconnected(struct scene *scene)
{
	uint16_t port;

	if (try_socket(scene, socket(AF_UNIX, SOCK_STREAM, 0)) != -ENOTCONN)
		return 0;
	return try_socket(scene, tcp_listener(&port));
}

static int EBUSY_taken(struct scene *scene)
{
	uint64_t id;
	int pair[2];

	unix_pair(pair);
	if (send_request(scene->dev.fd, host_addr(SCRIPT_PORT), pair[1], &id))
		return 0;
	expect_event(&scene->dev, VSOCKDEV_EVENT_RESPONSE, id);
	scene_settle(scene);
	return try_socket(scene, pair[1]);
}

static int EBUSY_upper_layer(struct scene *scene)
{
	int pair[2];

	tcp_pair(pair);
	/* A kernel that is told no modprobe does not find it by itself. */
	if (system("modprobe tls 2>/dev/null") ||
	    setsockopt(pair[1], IPPROTO_TCP, TCP_ULP, "tls", 4))
		return NO_WAY;
	return try_socket(scene, pair[1]);
}

/* Memory. Only kernels for testing can be told to be short of it. */
#define FAULTS "/sys/kernel/debug/"
#define FAIL_NTH "/proc/thread-self/fail-nth"

/* The call with its @nth chance to fail used. True if there was one. */
static bool try_nth(struct scene *scene, int nth, int *result)
{
	char text[16] = {};
	int fd;

	snprintf(text, sizeof(text), "%d", nth);
	write_file(FAIL_NTH, text);
	*result = scene_call(scene, scene->dev.fd, scene->room);
	fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0 ||
	    pwrite(fd, "0", 1, 0) != 1)
		fail(FAIL_NTH ": %s", strerror(errno));
	close(fd);
	return atoi(text) == 0;
}

static int ENOMEM_memory(struct scene *scene)
{
	int result = 0, seen = 0;

	if (write_file(FAULTS "failslab/ignore-gfp-wait", "N"))
		return NO_WAY;
	/* Each is a trace in the log otherwise. */
	write_file(FAULTS "failslab/verbose", "0");
	write_file(FAULTS "fail_page_alloc/verbose", "0");
	write_file(FAULTS "fail_usercopy/verbose", "0");
	for (int nth = 1; try_nth(scene, nth, &result); nth++) {
		/* Copies from and to user memory may fail, too. */
		if (result == -ENOMEM)
			seen = result;
		else if (result != -EFAULT)
			break;
	}
	if (!seen || result != scene->shape->right)
		fail("the last answer is %d", result);
	scene->over = true;
	return seen;
}

/* SEND_VMO. */
static int try_file(struct scene *scene, int fd)
{
	put32(scene->room, AT(vsockdev_send_vmo, vmo_fd), fd);
	return scene_try(scene);
}

static int try_range(struct scene *scene, uint64_t offset, uint64_t length)
{
	put64(scene->room, AT(vsockdev_send_vmo, offset), offset);
	put64(scene->room, AT(vsockdev_send_vmo, length), length);
	return scene_try(scene);
}

static int EBADF_write_only(struct scene *scene)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", scene->memory);
	return try_file(scene, open(path, O_WRONLY));
}

static int EOPNOTSUPP_kind(struct scene *scene)
{
	int ends[2];

	if (pipe(ends))
		return 0;
	if (try_file(scene, scene->dev.fd) != -EOPNOTSUPP ||
	    try_file(scene, scene->pair[1]) != -EOPNOTSUPP)
		return 0;
	return try_file(scene, ends[0]);
}

static int EINVAL_empty(struct scene *scene)
{
	return try_range(scene, 0, 0);
}

static int EINVAL_end_of_file(struct scene *scene)
{
	if (try_range(scene, 1, PAGE) != -EINVAL)
		return 0;
	return try_range(scene, PAGE, 1);
}

static int EINVAL_overflow(struct scene *scene)
{
	if (try_range(scene, INT64_MAX, 2) != -EINVAL ||
	    try_range(scene, 1, UINT64_MAX) != -EINVAL)
		return 0;
	return try_range(scene, UINT64_MAX, UINT64_MAX);
}

static int EBUSY_completion(struct scene *scene)
{
	int result;

	if (scene_try(scene))
		return 0;
	result = scene_try(scene);
	expect_event(&scene->dev, VSOCKDEV_EVENT_SEND_VMO_COMPLETE,
		     scene->link.id);
	return result;
}

/* What honest hosts do not do at will: a device that is played here. */
static struct fake fake;

/* The call is moved to a connection of that device. */
static void move_to_fake(struct scene *scene)
{
	struct link link;

	fake_open(&fake, NULL);
	if (scene->nr == CALL_SEND_RESPONSE) {
		link = flow_dial(&fake).link;
		link.id =
			expect_request(&fake.dev, link.addr.local_port).conn_id;
	} else {
		link = flow_connect(&fake).link;
	}
	scene->over = true;
	if (scene->shape->id_at) {
		put64(scene->room, scene->shape->id_at, link.id);
		memcpy((char *)scene->room + scene->shape->addr_at, &link.addr,
		       sizeof(link.addr));
	}
}

static uint64_t reset_transport(void)
{
	struct vsockdev_event event;

	fake_event(&fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	event = next_event(&fake.dev);
	if (event.type != VSOCKDEV_EVENT_TRANSPORT_RESET)
		fail("an event of type %u came before", event.type);
	return event.transport_reset.generation;
}

static int reset_done(uint64_t generation)
{
	struct vsockdev_reset_done arg = {
		.size = sizeof(arg),
		.generation = generation,
	};

	return call(fake.dev.fd, VSOCKDEV_RESET_DONE, &arg);
}

static int EPIPE_sending_shut(struct scene *scene)
{
	struct vsockdev_send_vmo *vmo = (void *)scene->room;

	move_to_fake(scene);
	if (send_shutdown(fake.dev.fd, vmo->addr, vmo->conn_id,
			  VSOCKDEV_SHUTDOWN_SEND))
		return 0;
	return scene_call(scene, fake.dev.fd, scene->room);
}

/* Before the acknowledgment, and after it. */
static int ECONNRESET_reset(struct scene *scene)
{
	int later = scene->shape->id_at ? -ESTALE : 0, result;
	uint64_t generation;

	move_to_fake(scene);
	generation = reset_transport();
	result = scene_call(scene, fake.dev.fd, scene->room);
	if (reset_done(generation) ||
	    scene_call(scene, fake.dev.fd, scene->room) != later)
		return 0;
	return result;
}

static int ESTALE_generation(struct scene *scene)
{
	uint64_t generation;
	int result;

	move_to_fake(scene);
	generation = reset_transport();
	if (reset_done(generation - 1) != -ESTALE)
		return 0;
	result = reset_done(generation + 1);
	return reset_done(generation) ? 0 : result;
}

/* The host takes nothing until this is over. */
static int ENOBUFS_replies(struct scene *scene)
{
	int result = 0;

	move_to_fake(scene);
	for (int i = 0; i < 1000 && !result; i++)
		result = send_rst(fake.dev.fd, host_addr(DEAF_PORT), 0);
	fake_take(&fake);
	WAIT_FOR(!send_rst(fake.dev.fd, host_addr(DEAF_PORT), 0));
	return result;
}

static int EALREADY_none_pending(struct scene *scene)
{
	return scene_try(scene);
}

/* The device goes. */
static void take_device_away(struct scene *scene)
{
	unbind_device(0);
	scene->over = true;
}

static int ENODEV_gone(struct scene *scene)
{
	struct vsockdev_event event;

	take_device_away(scene);
	if (scene->call == CALL_read)
		return answer(read(scene->dev.fd, &event, sizeof(event)));
	if (scene_call(scene, scene->other, scene->room) != -ENODEV)
		return 0;
	return scene_call(scene, scene->dev.fd, scene->room);
}

static int ENOENT_no_node(struct scene *scene)
{
	char node[NAME_SIZE];

	if (!find_node(0, node))
		return 0;
	take_device_away(scene);
	return answer(open(node, O_RDWR));
}

static int ENXIO_leftover(struct scene *scene)
{
	struct stat st;
	int result;

	if (fstat(scene->dev.fd, &st) ||
	    mknod("/tmp/leftover", S_IFCHR | 0600, st.st_rdev))
		return 0;
	take_device_away(scene);
	result = answer(open("/tmp/leftover", O_RDWR));
	unlink("/tmp/leftover");
	return result;
}

/* Reading. */
static int EAGAIN_nothing_to_read(struct scene *scene)
{
	struct vsockdev_event event;
	int result;

	fcntl(scene->dev.fd, F_SETFL, O_NONBLOCK);
	result = answer(read(scene->dev.fd, &event, sizeof(event)));
	fcntl(scene->dev.fd, F_SETFL, 0);
	return result;
}

/* A read that goes wrong while there is an event. */
static int read_wrongly(struct scene *scene, void *buf, size_t size)
{
	struct link link = link_request(&scene->dev, SCRIPT_PORT);
	int result;

	WAIT_FOR(poll_now(scene->dev.fd) & POLLIN);
	result = answer(read(scene->dev.fd, buf, size));
	expect_event(&scene->dev, VSOCKDEV_EVENT_RESPONSE, link.id);
	scene_settle(scene);
	return result;
}

static int EFAULT_buffer(struct scene *scene)
{
	return read_wrongly(scene, NULL, sizeof(struct vsockdev_event));
}

static int EINVAL_small(struct scene *scene)
{
	struct vsockdev_event event;

	return read_wrongly(scene, &event, sizeof(event) - 1);
}

static int EINTR_signal(struct scene *scene)
{
	struct reader reader;

	start_reader(&reader, scene->dev.fd);
	interrupt_reader(&reader);
	return finish_reader(&reader);
}

static int EPIPE_stopped(struct scene *scene)
{
	struct reader reader;

	start_reader(&reader, scene->dev.fd);
	stop(scene->dev.fd);
	scene->over = true;
	return finish_reader(&reader);
}

/* A connection of messages, made by hand. */
static int EPROTOTYPE_messages(struct scene *scene)
{
	struct fake_options options = {
		.features = 1ULL << VIRTIO_VSOCK_F_SEQPACKET,
	};
	struct vsockdev_addr addr = host_addr(SCRIPT_PORT);
	struct packet packet;
	uint64_t id;

	fake_open(&fake, &options);
	if (send_request(fake.dev.fd, addr, second_of_pair(SOCK_SEQPACKET),
			 &id))
		return 0;
	expect_packet(&fake, addr, VIRTIO_VSOCK_OP_REQUEST);
	packet = packet_from_host(&fake, addr, VIRTIO_VSOCK_OP_RESPONSE);
	packet.type = VIRTIO_VSOCK_TYPE_SEQPACKET;
	packet.buf_alloc = FLOW_BUF_ALLOC;
	fake_put(&fake, &packet);
	expect_event(&fake.dev, VSOCKDEV_EVENT_RESPONSE, id);
	memcpy((char *)scene->room + scene->shape->addr_at, &addr,
	       sizeof(addr));
	put64(scene->room, scene->shape->id_at, id);
	return scene_call(scene, fake.dev.fd, scene->room);
}

/* What the node does not do. */
static int EBADF_mode(struct scene *scene)
{
	struct vsockdev_event event;
	int fd = open_device_flags(O_WRONLY);

	(void)scene;
	return answer(read(fd, &event, sizeof(event)));
}

static int EBADF_read_only(struct scene *scene)
{
	(void)scene;
	return answer(write(open_device_flags(O_RDONLY), "", 1));
}

static int EINVAL_always(struct scene *scene)
{
	return answer(write(scene->dev.fd, "", 1));
}

static int ESPIPE_stream(struct scene *scene)
{
	return answer(lseek(scene->dev.fd, 0, SEEK_CUR));
}

static int ENODEV_no_mapping(struct scene *scene)
{
	void *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, scene->dev.fd, 0);

	return page == MAP_FAILED ? -errno : 0;
}

/* A test for each line and call. */
FIXTURE(row) {
	struct scene scene;
};

FIXTURE_VARIANT(row) {
	unsigned int call;
	int error;
	int (*provoke)(struct scene *scene);
	const char *when;
};

#include "errors-tests.h"

FIXTURE_SETUP(row)
{
	bool is_ioctl = variant->call < CALLS;

	scene_open(&self->scene, is_ioctl ? variant->call : CALL_GET_INFO);
	self->scene.call = variant->call;
}

FIXTURE_TEARDOWN(row)
{
	if (!node_exists(0))
		bind_device(0);
}

TEST_F(row, and_changes_nothing)
{
	int result;

	if (!variant->provoke)
		SKIP(return, "cannot be provoked: %s", variant->when);
	result = variant->provoke(&self->scene);
	if (result == NO_WAY)
		SKIP(return, "not here: %s", variant->when);
	EXPECT_EQ(-variant->error, result) {
		TH_LOG("%s", variant->when);
	}
	if (!self->scene.over)
		scene_expect_untouched(&self->scene);
}

/* Numbers at which things change, and what may be a descriptor. */
static uint32_t odd_number(const struct scene *scene)
{
	const uint32_t odd[] = {
		0, 1, 2, 3, 8, 32, 48, 64, 256, PAGE, 1U << 31, UINT32_MAX,
		scene->dev.fd, scene->other, scene->pair[0], scene->pair[1],
		scene->memory, scene->link.id, scene->link.addr.local_port,
		SCRIPT_PORT, DEAF_PORT, HOLD_PORT, SILENT_PORT, HOST_CID,
	};
	unsigned int pick = random() % (ARRAY_SIZE(odd) + 1);

	return pick == ARRAY_SIZE(odd) ? (uint32_t)random() : odd[pick];
}

static void forget_events(struct device *dev)
{
	struct vsockdev_event events[16];

	while (poll_now(dev->fd) & POLLIN)
		if (read(dev->fd, events, sizeof(events)) < 0)
			break;
}

/* Some calls that are nearly right. */
static void call_around(struct scene *scene, int count)
{
	for (int i = 0; i < count; i++) {
		uint32_t words = scene->shape->size / 4;
		int result;

		for (int spoil = random() % 3; spoil; spoil--)
			put32(scene->room, 4 * (random() % words),
			      odd_number(scene));
		result = scene_call(scene,
				    random() % 8 ? scene->dev.fd : scene->other,
				    scene->room);
		if (result && !in_table(scene->nr, -result))
			fail("%s answered %s, which its table has not",
			     scene->shape->name, strerror(-result));
		scene_restore(scene);
		forget_events(&scene->dev);
		start(scene->dev.fd, NULL);
	}
}

FIXTURE(any) {
	struct scene scene;
};

FIXTURE_VARIANT(any) {
	unsigned int nr;
};

#define ANY(name)                         \
	FIXTURE_VARIANT_ADD(any, name)    \
	{                                 \
		.nr = VSOCKDEV_NR_##name, \
	}

ANY(START);
ANY(STOP);
ANY(SEND_REQUEST);
ANY(SEND_RESPONSE);
ANY(SEND_RST);
ANY(SEND_SHUTDOWN);
ANY(SEND_VMO);
ANY(RESET_DONE);
ANY(GET_CID);
ANY(GET_INFO);

FIXTURE_SETUP(any)
{
	scene_open(&self->scene, variant->nr);
	srandom(variant->nr + 1);
}

FIXTURE_TEARDOWN(any)
{
}

TEST_F(any, answer_to_odd_arguments_is_in_the_table)
{
	call_around(&self->scene, 2000);
}

TEST_HARNESS_MAIN
