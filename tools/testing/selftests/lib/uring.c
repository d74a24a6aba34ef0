// SPDX-License-Identifier: GPL-2.0-only
/* io_uring by its system calls: one request at a time is submitted. */
#include "uring.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef uring_read
#undef uring_cancel
#undef uring_finish

#define ENTRIES 8

static void *map(int fd, size_t size, off_t offset)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 offset);

	if (map == MAP_FAILED)
		fail("mmap of io_uring: %s", strerror(errno));
	return map;
}

static size_t ring_size(const struct io_uring_params *params)
{
	return params->cq_off.cqes +
	       params->cq_entries * sizeof(struct io_uring_cqe);
}

static size_t entries_size(const struct io_uring_params *params)
{
	return params->sq_entries * sizeof(struct io_uring_sqe);
}

bool uring_open(struct uring *uring)
{
	struct io_uring_params *params = &uring->params;

	memset(params, 0, sizeof(*params));
	uring->fd = syscall(SYS_io_uring_setup, ENTRIES, params);
	if (uring->fd < 0)
		return false;
	if (!(params->features & IORING_FEAT_SINGLE_MMAP))
		fail("io_uring without IORING_FEAT_SINGLE_MMAP");
	uring->ring = map(uring->fd, ring_size(params), IORING_OFF_SQ_RING);
	uring->entries = map(uring->fd, entries_size(params),
			     IORING_OFF_SQES);
	return true;
}

void uring_close(struct uring *uring)
{
	munmap(uring->ring, ring_size(&uring->params));
	munmap(uring->entries, entries_size(&uring->params));
	close(uring->fd);
}

static uint32_t *word(struct uring *uring, uint32_t offset)
{
	return (uint32_t *)((char *)uring->ring + offset);
}

static void submit(struct uring *uring, const struct io_uring_sqe *sqe)
{
	uint32_t *tail = word(uring, uring->params.sq_off.tail);
	uint32_t slot = *tail & *word(uring, uring->params.sq_off.ring_mask);

	memcpy((struct io_uring_sqe *)uring->entries + slot, sqe, sizeof(*sqe));
	word(uring, uring->params.sq_off.array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, uring->fd, 1, 0, 0, NULL, 0) != 1)
		fail("io_uring_enter: %s", strerror(errno));
}

void uring_read(struct uring *uring, uint64_t tag, int fd, void *buf,
		size_t size, unsigned int flags)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ,
		.flags = flags,
		.fd = fd,
		.off = -1, /* where the file is; it is nowhere */
		.addr = (uintptr_t)buf,
		.len = size,
		.user_data = tag,
	};

	submit(uring, &sqe);
}

bool uring_is_quiet(struct uring *uring)
{
	return *word(uring, uring->params.cq_off.head) ==
	       __atomic_load_n(word(uring, uring->params.cq_off.tail),
			       __ATOMIC_ACQUIRE);
}

struct end {
	uint64_t tag;
	int result;
};

/* The next end, whosever it is. */
static struct end next_end(struct uring *uring)
{
	struct pollfd fds = { .fd = uring->fd, .events = POLLIN };
	uint32_t *head = word(uring, uring->params.cq_off.head);
	struct io_uring_cqe *cqe;
	struct end end;

	if (uring_is_quiet(uring) && poll(&fds, 1, HANG_GUARD_MS) <= 0)
		fail("io_uring ends nothing");
	if (uring_is_quiet(uring))
		fail("io_uring is readable and has no end to tell");
	cqe = (struct io_uring_cqe *)word(uring, uring->params.cq_off.cqes);
	cqe += *head & *word(uring, uring->params.cq_off.ring_mask);
	end = (struct end){ .tag = cqe->user_data, .result = cqe->res };
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return end;
}

int uring_finish(struct uring *uring, uint64_t tag)
{
	struct end end = next_end(uring);

	if (end.tag != tag)
		fail("io_uring ended %#llx instead of %#llx",
		     (unsigned long long)end.tag, (unsigned long long)tag);
	return end.result;
}

/*
 * The two ends come in any order. A worker that is just about to wait may not
 * notice that it was told to end, and has to be told again.
 */
int uring_cancel(struct uring *uring, uint64_t tag)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_ASYNC_CANCEL,
		.fd = -1,
		.addr = tag,
		.user_data = URING_CANCEL,
	};
	struct guard guard = guard_start();
	struct end end;

	do {
		submit(uring, &sqe);
		end = next_end(uring);
		if (end.tag == tag) {
			next_end(uring);
			return end.result;
		}
	} while (end.result == -EALREADY && guard_wait(&guard) &&
		 uring_is_quiet(uring));
	return uring_finish(uring, tag);
}
