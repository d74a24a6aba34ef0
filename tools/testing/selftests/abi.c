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

#include "lib/scene.h"

#define POISON 0xa5
#define PAGE 4096L

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

/* Each call, right but for what the test spoils. */
FIXTURE(every_call) {
	struct scene scene;
};

FIXTURE_VARIANT(every_call) {
	unsigned int nr;
};

#define EVERY_CALL(name, number)              \
	FIXTURE_VARIANT_ADD(every_call, name) \
	{                                     \
		.nr = VSOCKDEV_NR_##number,   \
	}

EVERY_CALL(start, START);
EVERY_CALL(stop, STOP);
EVERY_CALL(send_request, SEND_REQUEST);
EVERY_CALL(send_response, SEND_RESPONSE);
EVERY_CALL(send_rst, SEND_RST);
EVERY_CALL(send_shutdown, SEND_SHUTDOWN);
EVERY_CALL(send_vmo, SEND_VMO);
EVERY_CALL(reset_done, RESET_DONE);
EVERY_CALL(get_cid, GET_CID);
EVERY_CALL(get_info, GET_INFO);

FIXTURE_SETUP(every_call)
{
	scene_open(&self->scene, variant->nr);
}

FIXTURE_TEARDOWN(every_call)
{
}

/* Two pages, with nothing around them. */
static char *two_pages(void)
{
	char *pages = mmap(NULL, 4 * PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED ||
	    mprotect(pages + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE))
		fail("mmap: %s", strerror(errno));
	return pages + PAGE;
}

static void protect(char *page, int protection)
{
	if (mprotect(page, PAGE, protection))
		fail("mprotect: %s", strerror(errno));
}

static void expect_answer(struct scene *scene, int expected, const char *what,
			  unsigned long long value)
{
	int answer = scene_try(scene);

	if (answer != expected)
		fail("%s with %s %#llx answers %d instead of %d",
		     scene->shape->name, what, value, answer, expected);
}

#define expect_answer(...) HERE((expect_answer)(__VA_ARGS__))

TEST_F(every_call, that_is_right_has_its_effect)
{
	scene_expect_untouched(&self->scene);
}

TEST_F(every_call, answers_another_file)
{
	struct scene *scene = &self->scene;

	EXPECT_EQ(scene->shape->other,
		  scene_call(scene, scene->other, scene->room));
	scene_expect_untouched(scene);
}

TEST_F(every_call, answers_a_file_when_nobody_started)
{
	struct scene *scene = &self->scene;
	int expected = scene->shape->other;

	if (expected == -EBUSY)
		expected = 0;
	ASSERT_EQ(0, stop(scene->dev.fd));

	EXPECT_EQ(expected, scene_call(scene, scene->other, scene->room));
}

TEST_F(every_call, rejects_a_size_below_the_first_version)
{
	struct scene *scene = &self->scene;

	for (uint32_t size = 0; size < scene->shape->size; size++) {
		put32(scene->room, 0, size);
		expect_answer(scene, -EINVAL, "size", size);
	}
	scene_expect_untouched(scene);
}

TEST_F(every_call, takes_a_struct_that_is_a_byte_longer_and_clean)
{
	put32(self->scene.right, 0, self->scene.shape->size + 1);
	scene_expect_untouched(&self->scene);
}

TEST_F(every_call, takes_a_struct_of_a_page_that_is_clean)
{
	struct scene *scene = &self->scene;
	char *pages = two_pages();

	memcpy(pages, scene->right, scene->shape->size);
	put32(pages, 0, PAGE);

	EXPECT_EQ(scene->shape->right, scene_call(scene, scene->dev.fd, pages));
}

TEST_F(every_call, rejects_each_dirty_byte_of_a_tail)
{
	struct scene *scene = &self->scene;
	char *tail = (char *)scene->room + scene->shape->size;

	for (int i = 0; i < TAIL; i++) {
		put32(scene->room, 0, scene->shape->size + i + 1);
		tail[i] = 1;
		expect_answer(scene, -E2BIG, "dirty byte", i);
		put32(scene->room, 0, scene->shape->size + TAIL);
		expect_answer(scene, -E2BIG, "dirty byte of many", i);
		tail[i] = 0;
	}
	scene_expect_untouched(scene);
}

TEST_F(every_call, ignores_what_is_behind_the_struct)
{
	struct scene *scene = &self->scene;
	int size = scene->shape->size;

	memset((char *)scene->right + size, POISON, TAIL);
	scene_expect_untouched(scene);

	for (int i = 0; i < TAIL; i++)
		ASSERT_EQ((char)POISON, ((char *)scene->room)[size + i]);
}

TEST_F(every_call, rejects_a_size_beyond_a_page)
{
	static const uint32_t sizes[] = { PAGE + 1, 2 * PAGE, INT32_MAX,
					  1U << 31, UINT32_MAX };
	struct scene *scene = &self->scene;
	char *pages = two_pages();

	memcpy(pages, scene->right, scene->shape->size);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		put32(pages, 0, sizes[i]);
		EXPECT_EQ(-E2BIG, scene_call(scene, scene->dev.fd, pages)) {
			TH_LOG("size %u", sizes[i]);
		}
	}
	scene_expect_untouched(scene);
}

TEST_F(every_call, rejects_each_unknown_flag)
{
	struct scene *scene = &self->scene;

	for (int bit = 0; bit < 32; bit++) {
		if (scene->shape->flags & (1U << bit))
			continue;
		put32(scene->room, 4, 1U << bit);
		expect_answer(scene, -EOPNOTSUPP, "flag", 1U << bit);
		put32(scene->room, 4, scene->shape->flags | 1U << bit);
		expect_answer(scene, -EOPNOTSUPP, "flags",
			      scene->shape->flags | 1U << bit);
	}
	scene_expect_untouched(scene);
}

TEST_F(every_call, rejects_each_bit_of_a_reserved_member)
{
	struct scene *scene = &self->scene;

	for (size_t i = 0; i < ARRAY_SIZE(scene->shape->zero_at); i++) {
		int at = scene->shape->zero_at[i];

		for (int bit = 0; at && bit < 32; bit++) {
			put32(scene->room, at, 1U << bit);
			expect_answer(scene, -EINVAL, "bit at", at);
		}
		scene_restore(scene);
	}
	scene_expect_untouched(scene);
}

TEST_F(every_call, faults_where_there_is_no_memory)
{
	struct scene *scene = &self->scene;

	EXPECT_EQ(-EFAULT, scene_call(scene, scene->dev.fd, NULL));
	EXPECT_EQ(-EFAULT, scene_call(scene, scene->dev.fd, (void *)1));
	EXPECT_EQ(-EFAULT, scene_call(scene, scene->dev.fd, (void *)-PAGE));
	EXPECT_EQ(-EFAULT, scene_call(scene, scene->dev.fd, (void *)-1));
	scene_expect_untouched(scene);
}

/* Behind each byte of the struct there is nothing, and then before each. */
TEST_F(every_call, faults_where_a_part_of_the_struct_is_missing)
{
	struct scene *scene = &self->scene;
	uint32_t size = scene->shape->size;
	char *pages = two_pages();
	char *end = pages + 2 * PAGE;

	for (uint32_t part = 1; part < size; part++) {
		memcpy(end - part, scene->room, part);
		EXPECT_EQ(-EFAULT,
			  scene_call(scene, scene->dev.fd, end - part)) {
			TH_LOG("the first %u bytes", part);
		}
		memcpy(pages, (char *)scene->room + size - part, part);
		EXPECT_EQ(-EFAULT, scene_call(scene, scene->dev.fd,
					      pages - size + part)) {
			TH_LOG("the last %u bytes", part);
		}
	}
	scene_expect_untouched(scene);
}

TEST_F(every_call, reads_no_further_than_size)
{
	struct scene *scene = &self->scene;
	char *end = two_pages() + 2 * PAGE;

	memcpy(end - scene->shape->size, scene->right, scene->shape->size);

	EXPECT_EQ(scene->shape->right,
		  scene_call(scene, scene->dev.fd, end - scene->shape->size));
}

TEST_F(every_call, takes_a_struct_across_pages)
{
	struct scene *scene = &self->scene;
	char *middle = two_pages() + PAGE - scene->shape->size / 2;

	memcpy(middle, scene->right, scene->shape->size);

	EXPECT_EQ(scene->shape->right,
		  scene_call(scene, scene->dev.fd, middle));
}

TEST_F(every_call, that_answers_faults_where_it_cannot_write)
{
	struct scene *scene = &self->scene;
	char *pages = two_pages();

	memcpy(pages, scene->right, scene->shape->size);
	protect(pages, PROT_READ);

	if (!scene->shape->writes) {
		EXPECT_EQ(scene->shape->right,
			  scene_call(scene, scene->dev.fd, pages));
		return;
	}
	EXPECT_EQ(-EFAULT, scene_call(scene, scene->dev.fd, pages));
	scene_expect_untouched(scene);
}

/* What could not be told must not be done. */
TEST_F(every_call, that_cannot_write_a_part_of_its_answer_does_nothing)
{
	struct scene *scene = &self->scene;
	uint32_t size = scene->shape->size;
	char *pages = two_pages(), *at;

	if (!scene->shape->writes)
		return;
	for (uint32_t part = 1; part < size; part++) {
		for (int second = 0; second < 2; second++) {
			at = pages + PAGE - part;
			memcpy(at, scene->right, size);
			protect(pages + second * PAGE, PROT_READ);
			EXPECT_EQ(-EFAULT,
				  scene_call(scene, scene->dev.fd, at)) {
				TH_LOG("page %d begins after %u bytes", second,
				       part);
			}
			protect(pages + second * PAGE, PROT_READ | PROT_WRITE);
		}
	}
	scene_expect_untouched(scene);
}

/* The system calls of 32-bit programs, through their own gate. */
#ifdef __x86_64__
#define GETPID_32 20
#define IOCTL_32 54

static int gate_32(int number, int first, uint32_t second, uint32_t third)
{
	int result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second), "d"(third)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static int call_32(int fd, unsigned int cmd, uint32_t arg)
{
	return gate_32(IOCTL_32, fd, cmd, arg);
}

/* To a kernel without that gate this may also be some other call. */
static bool has_32bit_calls(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit(gate_32(GETPID_32, 0, 0, 0) == getpid() ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

TEST_F(every_call, answers_through_the_gate_of_32_bit_programs_alike)
{
	struct scene *scene = &self->scene;
	unsigned int cmd = _IO(VSOCKDEV_IOC_TYPE, scene->nr);
	uint32_t *low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	uint32_t address = (uint32_t)(uintptr_t)low;

	ASSERT_NE(MAP_FAILED, low);
	if (!has_32bit_calls())
		SKIP(return, "this kernel runs no 32-bit programs");
	memcpy(low, scene->right, scene->shape->size);

	put32(low, 0, scene->shape->size - 1);
	EXPECT_EQ(-EINVAL, call_32(scene->dev.fd, cmd, address));
	put32(low, 0, scene->shape->size);
	EXPECT_EQ(scene->shape->right, call_32(scene->dev.fd, cmd, address));
}
#endif

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
