// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules that every call shares, each call's ranges, and who may call.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/link.h"

#define POISON 0xa5

/* The layout is the ABI: it never changes, on no architecture. */
#define SIZE_IS(type, size) \
	_Static_assert(sizeof(struct type) == (size), #type " changed")
#define OFFSET_IS(type, member, offset)                           \
	_Static_assert(offsetof(struct type, member) == (offset), \
		       #type "." #member " moved")

SIZE_IS(vsockdev_addr, 12);
SIZE_IS(vsockdev_start, 32);
SIZE_IS(vsockdev_stop, 8);
SIZE_IS(vsockdev_send_request, 48);
SIZE_IS(vsockdev_send_response, 40);
SIZE_IS(vsockdev_send_rst, 32);
SIZE_IS(vsockdev_send_shutdown, 32);
SIZE_IS(vsockdev_send_vmo, 48);
SIZE_IS(vsockdev_reset_done, 16);
SIZE_IS(vsockdev_get_cid, 16);
SIZE_IS(vsockdev_get_info, 152);
SIZE_IS(vsockdev_event, 64);
OFFSET_IS(vsockdev_send_request, conn_id, 24);
OFFSET_IS(vsockdev_send_response, conn_id, 24);
OFFSET_IS(vsockdev_send_rst, conn_id, 24);
OFFSET_IS(vsockdev_event, rst.bytes_sent, 48);

/*
 * Every call with a struct that is right in itself: what it answers to the
 * owner, and to someone who is not.
 */
FIXTURE(every_call) {
	struct device dev;
	int other; /* a file that is not the owner */
	int pair[2];
	int memory;
	uint64_t room[32]; /* the struct and what is behind it */
};

FIXTURE_VARIANT(every_call) {
	unsigned long cmd;
	uint32_t size;
	int owner; /* answer to the owner */
	int other; /* answer to someone else */
	int socket_at; /* where a descriptor belongs; 0: nowhere */
	int file_at;
	int length_at; /* where a length belongs; 0: nowhere */
	int zero_at[3]; /* 32-bit words that must be 0; 0: none */
};

FIXTURE_VARIANT_ADD(every_call, start) {
	.cmd = VSOCKDEV_START,
	.size = sizeof(struct vsockdev_start),
	.owner = -EALREADY,
	.other = -EBUSY,
};

FIXTURE_VARIANT_ADD(every_call, stop) {
	.cmd = VSOCKDEV_STOP,
	.size = sizeof(struct vsockdev_stop),
	.other = -EPERM,
};

FIXTURE_VARIANT_ADD(every_call, send_request) {
	.cmd = VSOCKDEV_SEND_REQUEST,
	.size = sizeof(struct vsockdev_send_request),
	.owner = -ENOTSOCK,
	.other = -EPERM,
	.file_at = offsetof(struct vsockdev_send_request, socket_fd),
	.zero_at = {
		offsetof(struct vsockdev_send_request, conn_id),
		offsetof(struct vsockdev_send_request, conn_id) + 4,
		offsetof(struct vsockdev_send_request, reserved),
	},
};

FIXTURE_VARIANT_ADD(every_call, send_response) {
	.cmd = VSOCKDEV_SEND_RESPONSE,
	.size = sizeof(struct vsockdev_send_response),
	.owner = -ENOTCONN,
	.other = -EPERM,
	.socket_at = offsetof(struct vsockdev_send_response, socket_fd),
};

FIXTURE_VARIANT_ADD(every_call, send_rst) {
	.cmd = VSOCKDEV_SEND_RST,
	.size = sizeof(struct vsockdev_send_rst),
	.other = -EPERM,
	.zero_at = { offsetof(struct vsockdev_send_rst, reserved) },
};

FIXTURE_VARIANT_ADD(every_call, send_shutdown) {
	.cmd = VSOCKDEV_SEND_SHUTDOWN,
	.size = sizeof(struct vsockdev_send_shutdown),
	.owner = -ENOTCONN,
	.other = -EPERM,
	.zero_at = { offsetof(struct vsockdev_send_shutdown, reserved) },
};

FIXTURE_VARIANT_ADD(every_call, send_vmo) {
	.cmd = VSOCKDEV_SEND_VMO,
	.size = sizeof(struct vsockdev_send_vmo),
	.owner = -EOPNOTSUPP,
	.other = -EPERM,
	.file_at = offsetof(struct vsockdev_send_vmo, vmo_fd),
	.length_at = offsetof(struct vsockdev_send_vmo, length),
};

FIXTURE_VARIANT_ADD(every_call, reset_done) {
	.cmd = VSOCKDEV_RESET_DONE,
	.size = sizeof(struct vsockdev_reset_done),
	.owner = -EOPNOTSUPP,
	.other = -EPERM,
};

FIXTURE_VARIANT_ADD(every_call, get_cid) {
	.cmd = VSOCKDEV_GET_CID,
	.size = sizeof(struct vsockdev_get_cid),
	.zero_at = { offsetof(struct vsockdev_get_cid, reserved) },
};

FIXTURE_VARIANT_ADD(every_call, get_info) {
	.cmd = VSOCKDEV_GET_INFO,
	.size = sizeof(struct vsockdev_get_info),
};

static void put32(uint64_t *room, int at, uint32_t value)
{
	memcpy((char *)room + at, &value, sizeof(value));
}

static uint32_t get32(const uint64_t *room, int at)
{
	uint32_t value;

	memcpy(&value, (const char *)room + at, sizeof(value));
	return value;
}

/* A page with no page behind it. */
static char *last_bytes(size_t size)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || munmap(page + 4096, 4096))
		fail("mmap failed");
	return page + 4096 - size;
}

FIXTURE_SETUP(every_call)
{
	device_start(&self->dev, NULL);
	self->other = open_device();
	unix_pair(self->pair);
	self->memory = memfd_create("vmo", MFD_CLOEXEC);
	ASSERT_LE(0, self->memory);
	ASSERT_EQ(0, ftruncate(self->memory, 4096));
	put32(self->room, 0, variant->size);
	if (variant->socket_at)
		put32(self->room, variant->socket_at, self->pair[1]);
	if (variant->file_at)
		put32(self->room, variant->file_at, self->memory);
	if (variant->length_at)
		put32(self->room, variant->length_at, 4096);
}

FIXTURE_TEARDOWN(every_call)
{
}

TEST_F(every_call, answers_the_owner)
{
	EXPECT_EQ(variant->owner, call(self->dev.fd, variant->cmd, self->room));
}

TEST_F(every_call, answers_another_file)
{
	EXPECT_EQ(variant->other, call(self->other, variant->cmd, self->room));
}

TEST_F(every_call, answers_a_file_when_nobody_started)
{
	int expected = variant->other == -EBUSY ? 0 : variant->other;

	ASSERT_EQ(0, stop(self->dev.fd));

	EXPECT_EQ(expected, call(self->other, variant->cmd, self->room));
}

TEST_F(every_call, rejects_a_size_below_the_first_version)
{
	static const uint32_t sizes[] = { 0, 1, 4, 7 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		put32(self->room, 0, sizes[i]);
		EXPECT_EQ(-EINVAL, call(self->dev.fd, variant->cmd, self->room)) {
			TH_LOG("size %u", sizes[i]);
		}
	}
	put32(self->room, 0, variant->size - 1);
	EXPECT_EQ(-EINVAL, call(self->dev.fd, variant->cmd, self->room));
}

TEST_F(every_call, takes_a_larger_struct_with_a_clean_tail)
{
	put32(self->room, 0, variant->size + 1);
	EXPECT_EQ(variant->owner, call(self->dev.fd, variant->cmd, self->room));
}

TEST_F(every_call, takes_a_much_larger_struct_with_a_clean_tail)
{
	put32(self->room, 0, variant->size + 64);
	EXPECT_EQ(variant->owner, call(self->dev.fd, variant->cmd, self->room));
}

TEST_F(every_call, rejects_a_dirty_tail)
{
	char *tail = (char *)self->room + variant->size;

	put32(self->room, 0, variant->size + 1);
	tail[0] = 1;
	EXPECT_EQ(-E2BIG, call(self->dev.fd, variant->cmd, self->room));

	put32(self->room, 0, variant->size + 64);
	tail[0] = 0;
	tail[63] = 1;
	EXPECT_EQ(-E2BIG, call(self->dev.fd, variant->cmd, self->room));
}

TEST_F(every_call, ignores_what_is_behind_the_struct)
{
	memset((char *)self->room + variant->size, POISON, 64);

	EXPECT_EQ(variant->owner, call(self->dev.fd, variant->cmd, self->room));
	for (int i = 0; i < 64; i += 4)
		EXPECT_EQ(0xa5a5a5a5, get32(self->room, variant->size + i));
}

TEST_F(every_call, rejects_an_absurd_size)
{
	char *whole = last_bytes(variant->size);

	put32(self->room, 0, UINT32_MAX);
	memcpy(whole, self->room, variant->size);

	EXPECT_GT(0, call(self->dev.fd, variant->cmd, whole));
	memset((char *)self->room + variant->size, POISON, 8);
	EXPECT_EQ(-E2BIG, call(self->dev.fd, variant->cmd, self->room));
}

TEST_F(every_call, rejects_unknown_flags)
{
	uint32_t known = variant->cmd == VSOCKDEV_SEND_SHUTDOWN ? 3 : 0;

	for (int bit = 0; bit < 32; bit++) {
		if (known & (1U << bit))
			continue;
		put32(self->room, 4, 1U << bit);
		EXPECT_EQ(-EOPNOTSUPP,
			  call(self->dev.fd, variant->cmd, self->room)) {
			TH_LOG("flag %d", bit);
		}
	}
}

TEST_F(every_call, rejects_reserved_members_that_are_not_zero)
{
	for (size_t i = 0; i < ARRAY_SIZE(variant->zero_at); i++) {
		if (!variant->zero_at[i])
			continue;
		for (int bit = 0; bit < 32; bit++) {
			put32(self->room, variant->zero_at[i], 1U << bit);
			EXPECT_EQ(-EINVAL,
				  call(self->dev.fd, variant->cmd, self->room)) {
				TH_LOG("offset %d bit %d", variant->zero_at[i],
				       bit);
			}
		}
		put32(self->room, variant->zero_at[i], 0);
	}
}

TEST_F(every_call, faults_where_the_struct_cannot_be_read)
{
	char *part = last_bytes(variant->size - 1);

	memcpy(part, self->room, variant->size - 1);

	EXPECT_EQ(-EFAULT, call(self->dev.fd, variant->cmd, NULL));
	EXPECT_EQ(-EFAULT, call(self->dev.fd, variant->cmd, (void *)-4096L));
	EXPECT_EQ(-EFAULT, call(self->dev.fd, variant->cmd, part));
}

TEST_F(every_call, reads_no_further_than_size)
{
	char *whole = last_bytes(variant->size);

	memcpy(whole, self->room, variant->size);

	EXPECT_EQ(variant->owner, call(self->dev.fd, variant->cmd, whole));
}

/* The ioctl system call of 32-bit programs, through its own gate. */
static int call_32(int fd, unsigned int cmd, uint32_t arg)
{
	int result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(54), "b"(fd), "c"(cmd), "d"(arg)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static bool has_32bit_calls(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit(call_32(-1, 0, 0) == -EBADF ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

TEST_F(every_call, answers_32_bit_programs_alike)
{
	uint64_t *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	ASSERT_NE(MAP_FAILED, low);
	if (!has_32bit_calls())
		SKIP(return, "this kernel runs no 32-bit programs");
	memcpy(low, self->room, sizeof(self->room));

	put32(low, 0, variant->size - 1);
	EXPECT_EQ(-EINVAL, call_32(self->dev.fd, variant->cmd,
				   (uint32_t)(uintptr_t)low));
	put32(low, 0, variant->size);
	EXPECT_EQ(variant->owner, call_32(self->dev.fd, variant->cmd,
					  (uint32_t)(uintptr_t)low));
}

/* One device with an owner. */
FIXTURE(owned) {
	struct device dev;
};

FIXTURE_SETUP(owned)
{
	device_start(&self->dev, NULL);
}

FIXTURE_TEARDOWN(owned)
{
}

TEST_F(owned, unknown_numbers_are_no_calls)
{
	uint64_t room[32] = { 8 };

	for (int nr = VSOCKDEV_NR_GET_INFO + 1; nr < 256; nr++) {
		EXPECT_EQ(-ENOTTY,
			  call(self->dev.fd, _IO(VSOCKDEV_IOC_TYPE, nr), room)) {
			TH_LOG("number %d", nr);
		}
	}
	EXPECT_EQ(-ENOTTY,
		  call(self->dev.fd, _IO(VSOCKDEV_IOC_TYPE + 1, 0), room));
	EXPECT_EQ(-ENOTTY, call(self->dev.fd, 0, room));
	EXPECT_EQ(-ENOTTY, call(self->dev.fd,
				_IOWR(VSOCKDEV_IOC_TYPE, VSOCKDEV_NR_GET_CID,
				      struct vsockdev_get_cid),
				room));
}

TEST_F(owned, get_cid_tells_the_cid)
{
	struct vsockdev_get_cid arg = { .size = sizeof(arg), .cid = 0xa5a5 };
	uint32_t expected = from_environment("VSOCKDEV_CID", 3);

	ASSERT_EQ(0, call(self->dev.fd, VSOCKDEV_GET_CID, &arg));

	EXPECT_EQ(expected, arg.cid);
	EXPECT_EQ(sizeof(arg), arg.size);
	EXPECT_EQ(0, arg.flags);
	EXPECT_EQ(0, arg.reserved);
}

TEST_F(owned, get_info_tells_the_limits)
{
	struct vsockdev_get_info info;

	info = info_of(self->dev.fd);

	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(VSOCKDEV_ABI_VERSION, info.abi_version);
	EXPECT_EQ(from_environment("VSOCKDEV_CID", 3), info.cid);
	EXPECT_TRUE(info.features & (1ULL << 32)); /* VIRTIO_F_VERSION_1 */
	EXPECT_LE(sizeof(struct vsockdev_event), info.max_event_size);
	EXPECT_EQ(0, info.max_event_size % 8);
	EXPECT_LE(128, info.max_backlog);
	EXPECT_LE(1024, info.max_conns);
	EXPECT_LE(1, info.min_buf_alloc);
	EXPECT_LE(info.min_buf_alloc, 262144);
	EXPECT_LE(262144, info.max_buf_alloc);
	EXPECT_EQ(0, info.conns);
}

TEST_F(owned, get_info_writes_the_kernels_size_and_no_more)
{
	struct {
		struct vsockdev_get_info info;
		uint64_t behind[4];
	} arg = { .info.size = sizeof(arg) };

	ASSERT_EQ(0, call(self->dev.fd, VSOCKDEV_GET_INFO, &arg));

	EXPECT_EQ(sizeof(arg.info), arg.info.size);
	for (size_t i = 0; i < ARRAY_SIZE(arg.behind); i++)
		EXPECT_EQ(0, arg.behind[i]);
}

TEST_F(owned, a_call_that_fails_writes_nothing)
{
	struct vsockdev_send_request arg = {
		.size = sizeof(arg),
		.addr = host_addr(SCRIPT_PORT),
		.socket_fd = -1,
	};
	struct vsockdev_send_request before = arg;

	ASSERT_EQ(-EBADF, call(self->dev.fd, VSOCKDEV_SEND_REQUEST, &arg));

	EXPECT_EQ(0, memcmp(&before, &arg, sizeof(arg)));
}

TEST_F(owned, send_request_whose_id_cannot_be_written_makes_no_connection)
{
	struct vsockdev_send_request *arg;
	int pair[2];

	unix_pair(pair);
	arg = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, arg);
	arg->size = sizeof(*arg);
	arg->addr = host_addr(SCRIPT_PORT);
	arg->socket_fd = pair[1];
	ASSERT_EQ(0, mprotect(arg, 4096, PROT_READ));

	EXPECT_EQ(-EFAULT, call(self->dev.fd, VSOCKDEV_SEND_REQUEST, arg));

	WAIT_FOR(info_of(self->dev.fd).conns == 0);
	expect_no_event(&self->dev, 0);
}

/* The ranges of START. */
struct start_case {
	const char *name;
	struct vsockdev_start arg;
	int expected;
};

#define START_CASE(error, ...)                       \
	{                                            \
#__VA_ARGS__, { __VA_ARGS__ }, error \
	}

TEST(start_checks_its_ranges)
{
	int fd = open_device();
	struct vsockdev_get_info info = info_of(fd);
	const struct start_case cases[] = {
		START_CASE(0, .event_size = sizeof(struct vsockdev_event)),
		START_CASE(0, .event_size = info.max_event_size),
		START_CASE(-EINVAL, .event_size = info.max_event_size + 8),
		START_CASE(-EINVAL, .event_size = UINT32_MAX & ~7U),
		START_CASE(-EINVAL, .event_size = 8),
		START_CASE(-EINVAL, .event_size = 56),
		START_CASE(-EINVAL, .event_size = 65),
		START_CASE(-EINVAL, .event_size = 68),
		START_CASE(0, .backlog = 1),
		START_CASE(0, .backlog = info.max_backlog),
		START_CASE(-EINVAL, .backlog = info.max_backlog + 1),
		START_CASE(-EINVAL, .backlog = UINT32_MAX),
		START_CASE(0, .max_conns = 1),
		START_CASE(0, .max_conns = info.max_conns),
		START_CASE(-EINVAL, .max_conns = info.max_conns + 1),
		START_CASE(-EINVAL, .max_conns = UINT32_MAX),
		START_CASE(0, .buf_alloc = info.min_buf_alloc),
		START_CASE(0, .buf_alloc = info.max_buf_alloc),
		START_CASE(-EINVAL, .buf_alloc = info.min_buf_alloc - 1),
		START_CASE(-EINVAL, .buf_alloc = info.max_buf_alloc + 1),
		START_CASE(-EINVAL, .buf_alloc = UINT32_MAX),
		START_CASE(0, .connect_timeout_ms = 1),
		START_CASE(0, .connect_timeout_ms = VSOCKDEV_TIMEOUT_MAX_MS),
		START_CASE(0, .connect_timeout_ms = VSOCKDEV_TIMEOUT_NONE),
		START_CASE(-EINVAL,
			   .connect_timeout_ms = VSOCKDEV_TIMEOUT_MAX_MS + 1),
		START_CASE(-EINVAL,
			   .connect_timeout_ms = VSOCKDEV_TIMEOUT_NONE - 1),
		START_CASE(0, .close_timeout_ms = 1),
		START_CASE(0, .close_timeout_ms = VSOCKDEV_TIMEOUT_MAX_MS),
		START_CASE(-EINVAL,
			   .close_timeout_ms = VSOCKDEV_TIMEOUT_MAX_MS + 1),
		START_CASE(-EINVAL, .close_timeout_ms = VSOCKDEV_TIMEOUT_NONE),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* below a minimum of 1 there is only the default */
		if (cases[i].expected && cases[i].arg.buf_alloc == 0 &&
		    !strncmp(cases[i].name, ".buf_alloc", 10))
			continue;
		EXPECT_EQ(cases[i].expected, start(fd, &cases[i].arg)) {
			TH_LOG("%s", cases[i].name);
		}
		if (!cases[i].expected)
			EXPECT_EQ(0, stop(fd));
	}
}

TEST(start_that_failed_makes_no_owner)
{
	struct vsockdev_start bad = { .event_size = 1 };
	int fd = open_device(), other = open_device();

	ASSERT_EQ(-EINVAL, start(fd, &bad));

	EXPECT_EQ(-EPERM, stop(fd));
	EXPECT_EQ(0, start(other, NULL));
}

TEST(start_goes_to_one_file_at_a_time)
{
	int fd = open_device(), other = open_device();

	EXPECT_EQ(0, start(fd, NULL));
	EXPECT_EQ(-EALREADY, start(fd, NULL));
	EXPECT_EQ(-EBUSY, start(other, NULL));
	EXPECT_EQ(0, stop(fd));
	EXPECT_EQ(-EPERM, stop(fd));
	EXPECT_EQ(0, start(other, NULL));
	EXPECT_EQ(-EBUSY, start(fd, NULL));
	EXPECT_EQ(0, close(other));
	EXPECT_EQ(0, start(fd, NULL));
}

TEST(start_works_again_as_soon_as_stop_returned)
{
	int fd = open_device();

	for (int i = 0; i < 200; i++) {
		ASSERT_EQ(0, start(fd, NULL));
		ASSERT_EQ(0, stop(fd));
	}
}

TEST(a_duplicate_of_the_owners_file_is_the_owner)
{
	int fd = open_device(), copy;

	ASSERT_EQ(0, start(fd, NULL));
	copy = dup(fd);
	ASSERT_LE(0, copy);
	ASSERT_EQ(0, close(fd));

	EXPECT_EQ(-EALREADY, start(copy, NULL));
	EXPECT_EQ(0, stop(copy));
}

/* The ranges of the members that SEND_REQUEST has beside its socket. */
TEST_F(owned, send_request_checks_its_ranges)
{
	struct vsockdev_get_info info = info_of(self->dev.fd);
	const struct vsockdev_send_request bad[] = {
		{ .buf_alloc = info.max_buf_alloc + 1 },
		{ .buf_alloc = UINT32_MAX },
		{ .connect_timeout_ms = VSOCKDEV_TIMEOUT_MAX_MS + 1 },
		{ .connect_timeout_ms = VSOCKDEV_TIMEOUT_NONE - 1 },
		{ .close_timeout_ms = VSOCKDEV_TIMEOUT_MAX_MS + 1 },
		{ .close_timeout_ms = VSOCKDEV_TIMEOUT_NONE },
	};
	struct vsockdev_send_request arg;
	int pair[2];

	unix_pair(pair);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		arg = bad[i];
		arg.size = sizeof(arg);
		arg.socket_fd = pair[1];
		arg.addr = host_addr(SCRIPT_PORT);
		EXPECT_EQ(-EINVAL,
			  call(self->dev.fd, VSOCKDEV_SEND_REQUEST, &arg)) {
			TH_LOG("case %zu", i);
		}
	}
	WAIT_FOR(info_of(self->dev.fd).conns == 0);
}

TEST_F(owned, send_response_checks_its_ranges)
{
	struct vsockdev_get_info info = info_of(self->dev.fd);
	const struct vsockdev_send_response bad[] = {
		{ .buf_alloc = info.max_buf_alloc + 1 },
		{ .buf_alloc = UINT32_MAX },
		{ .close_timeout_ms = VSOCKDEV_TIMEOUT_MAX_MS + 1 },
		{ .close_timeout_ms = VSOCKDEV_TIMEOUT_NONE },
	};
	struct peer peer = peer_open(&self->dev);
	struct vsockdev_send_response arg;
	struct vsockdev_event request;
	uint32_t port = new_port();
	int pair[2];

	unix_pair(pair);
	peer_do(&peer, "ok", "dial-start %u", port);
	request = expect_request(&self->dev, port);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		arg = bad[i];
		arg.size = sizeof(arg);
		arg.socket_fd = pair[1];
		arg.addr = request.addr;
		EXPECT_EQ(-EINVAL,
			  call(self->dev.fd, VSOCKDEV_SEND_RESPONSE, &arg)) {
			TH_LOG("case %zu", i);
		}
	}

	/* The REQUEST is as it was. */
	link_accept(&self->dev, &request);
}

TEST_F(owned, a_connection_may_have_its_own_window_and_timeouts)
{
	struct vsockdev_get_info info = info_of(self->dev.fd);
	struct vsockdev_send_request arg = {
		.size = sizeof(arg),
		.buf_alloc = info.min_buf_alloc,
		.connect_timeout_ms = VSOCKDEV_TIMEOUT_NONE,
		.close_timeout_ms = VSOCKDEV_TIMEOUT_MAX_MS,
		.addr = host_addr(SCRIPT_PORT),
	};
	struct link link;
	int pair[2];

	unix_pair(pair);
	arg.socket_fd = pair[1];

	ASSERT_EQ(0, call(self->dev.fd, VSOCKDEV_SEND_REQUEST, &arg));
	close(pair[1]);
	expect_event(&self->dev, VSOCKDEV_EVENT_RESPONSE, arg.conn_id);

	link.sock = pair[0];
	expect_alive(&link);
}

TEST_HARNESS_MAIN
