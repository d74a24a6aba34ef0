// SPDX-License-Identifier: GPL-2.0-only
/* A file system of one file, which has the number 2. */
#include "slow.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmo.h"

#undef slow_wait

#define MOUNT_POINT "/tmp/slow-mount"
#define FILE_PATH MOUNT_POINT "/file"
#define FILE_NODE 2
#define REQUEST_MAX (FUSE_MIN_READ_BUFFER + 4096)
#define READ_MAX 131072

static void reply(struct slow *slow, uint64_t unique, int error,
		  const void *body, size_t len)
{
	struct fuse_out_header header = {
		.len = sizeof(header) + len,
		.error = -error,
		.unique = unique,
	};
	struct iovec iov[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)body, .iov_len = len },
	};

	/* Who asked may be gone, and the file system, too */
	if (writev(slow->fuse, iov, 2) < 0 && errno != ENOENT &&
	    errno != ENODEV)
		fail("FUSE: %s", strerror(errno));
}

static struct fuse_attr attributes(const struct slow *slow, uint64_t node)
{
	bool is_file = node == FILE_NODE;

	return (struct fuse_attr){
		.ino = node,
		.size = is_file ? slow->size : 0,
		.mode = is_file ? S_IFREG | 0600 : S_IFDIR | 0700,
		.nlink = 1,
		.blksize = 4096,
	};
}

static void do_init(struct slow *slow, const struct fuse_in_header *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = 4096,
	};

	reply(slow, in->unique, 0, &out, sizeof(out));
}

static void do_lookup(struct slow *slow, const struct fuse_in_header *in)
{
	struct fuse_entry_out out = {
		.nodeid = FILE_NODE,
		.entry_valid = 60,
		.attr_valid = 60,
		.attr = attributes(slow, FILE_NODE),
	};

	reply(slow, in->unique, 0, &out, sizeof(out));
}

static void do_getattr(struct slow *slow, const struct fuse_in_header *in)
{
	struct fuse_attr_out out = {
		.attr_valid = 60,
		.attr = attributes(slow, in->nodeid),
	};

	reply(slow, in->unique, 0, &out, sizeof(out));
}

static void do_open(struct slow *slow, const struct fuse_in_header *in)
{
	/* A test that dies must not wait for its own answer to a FLUSH */
	struct fuse_open_out out = { .open_flags = FOPEN_NOFLUSH };

	reply(slow, in->unique, 0, &out, sizeof(out));
}

static void do_read(struct slow *slow, const struct fuse_in_header *in)
{
	const struct fuse_read_in *arg = (const void *)(in + 1);

	slow->unique = in->unique;
	slow->offset = arg->offset;
	slow->len = arg->size;
	__atomic_store_n(&slow->waits, true, __ATOMIC_RELEASE);
}

static void serve(struct slow *slow, const struct fuse_in_header *in)
{
	switch (in->opcode) {
	case FUSE_INIT:
		do_init(slow, in);
		break;
	case FUSE_LOOKUP:
		do_lookup(slow, in);
		break;
	case FUSE_GETATTR:
		do_getattr(slow, in);
		break;
	case FUSE_OPEN:
		do_open(slow, in);
		break;
	case FUSE_READ:
		do_read(slow, in);
		break;
	case FUSE_RELEASE:
		reply(slow, in->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(slow, in->unique, ENOSYS, NULL, 0);
	}
}

/* Until there is a request, or nobody wants it any more. */
static bool wait_for_request(struct slow *slow)
{
	struct pollfd fds[] = {
		{ .fd = slow->fuse, .events = POLLIN },
		{ .fd = slow->stop[0] },
	};

	while (poll(fds, 2, -1) < 0)
		;
	return !fds[1].revents && !(fds[0].revents & POLLERR);
}

static void *serve_all(void *arg)
{
	static _Alignas(8) char request[REQUEST_MAX];
	struct slow *slow = arg;

	while (wait_for_request(slow))
		if (read(slow->fuse, request, sizeof(request)) > 0)
			serve(slow, (const void *)request);
	return NULL;
}

static bool mount_it(struct slow *slow)
{
	char options[96];

	load_module("fuse");
	slow->fuse = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (slow->fuse < 0)
		return false;
	mkdir(MOUNT_POINT, 0700);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", slow->fuse);
	if (mount("slow", MOUNT_POINT, "fuse", 0, options))
		fail("mounting FUSE: %s", strerror(errno));
	return true;
}

bool slow_open(struct slow *slow, uint64_t size, uint64_t seed)
{
	int error;

	memset(slow, 0, sizeof(*slow));
	slow->size = size;
	slow->seed = seed;
	if (!mount_it(slow))
		return false;
	error = pipe2(slow->stop, O_CLOEXEC) ? errno : 0;
	error = error ?: pthread_create(&slow->thread, NULL, serve_all, slow);
	if (error)
		fail("a thread for FUSE: %s", strerror(error));
	slow->file = open(FILE_PATH, O_RDONLY | O_CLOEXEC);
	if (slow->file < 0)
		fail("%s: %s", FILE_PATH, strerror(errno));
	umount2(MOUNT_POINT, MNT_DETACH);
	return true;
}

static bool waits(struct slow *slow)
{
	return __atomic_load_n(&slow->waits, __ATOMIC_ACQUIRE);
}

void slow_wait(struct slow *slow)
{
	WAIT_FOR(waits(slow));
}

void slow_answer(struct slow *slow, int error)
{
	struct stream stream = { .seed = slow->seed, .pos = slow->offset };
	static uint8_t bytes[READ_MAX];
	uint32_t len = error ? 0 : slow->len;

	if (len > sizeof(bytes))
		fail("a read of %u bytes", len);
	stream_fill(&stream, bytes, len);
	__atomic_store_n(&slow->waits, false, __ATOMIC_RELAXED);
	reply(slow, slow->unique, error, bytes, len);
}

void slow_close(struct slow *slow)
{
	close(slow->file);
	close(slow->stop[1]);
	pthread_join(slow->thread, NULL);
	close(slow->stop[0]);
	close(slow->fuse);
}
