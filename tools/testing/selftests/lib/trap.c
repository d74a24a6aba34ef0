// SPDX-License-Identifier: GPL-2.0-only
/* A page of which userfaultfd tells when somebody needs it. */
#include "trap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef trap_set
#undef trap_wait

#define PAGE 4096

bool trap_set(struct trap *trap)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = {
		.range.len = PAGE,
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	trap->bytes = NULL;
	trap->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (trap->fd < 0)
		return false;
	trap->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area.range.start = (uintptr_t)trap->page;
	if (trap->page == MAP_FAILED || ioctl(trap->fd, UFFDIO_API, &api) ||
	    ioctl(trap->fd, UFFDIO_REGISTER, &area))
		fail("userfaultfd: %s", strerror(errno));
	return true;
}

void trap_wait(struct trap *trap, unsigned int readers)
{
	struct pollfd fds = { .fd = trap->fd, .events = POLLIN };
	struct uffd_msg msg;

	while (readers) {
		if (poll(&fds, 1, HANG_GUARD_MS) != 1)
			fail("%u readers are not in the trap", readers);
		if (read(trap->fd, &msg, sizeof(msg)) == sizeof(msg))
			readers--;
	}
}

static void fill(struct trap *trap)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)trap->page, .len = PAGE },
	};
	struct uffdio_copy copy = {
		.dst = (uintptr_t)trap->page,
		.src = (uintptr_t)trap->bytes,
		.len = PAGE,
	};

	if (trap->bytes)
		ioctl(trap->fd, UFFDIO_COPY, &copy);
	else
		ioctl(trap->fd, UFFDIO_ZEROPAGE, &zero);
}

bool trap_open(struct trap *trap)
{
	struct uffd_msg msg;

	if (read(trap->fd, &msg, sizeof(msg)) != sizeof(msg))
		return false;
	fill(trap);
	return true;
}

void trap_close(struct trap *trap)
{
	madvise(trap->page, PAGE, MADV_DONTNEED);
}

void trap_release(struct trap *trap)
{
	close(trap->fd);
}
