// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a file of memory to the host. We have sendfile() and SEND_VMO for that;
 * AF_VSOCK has the file's mapping, to be copied or, with MSG_ZEROCOPY, not.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

#define FILE_SIZE (16 * MIB)
#define DEFAULT_PIECE (64 * KIB)
#define REAP_AT 16

static char *mapping;

static int the_file(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	fd = memfd_create("bench", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, FILE_SIZE))
		die("memfd: %s", strerror(errno));
	mapping = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       0);
	if (mapping == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	memset(mapping, 'b', FILE_SIZE);
	return fd;
}

/*
 * Takes the notifications that are there: how many of them a send brings is
 * not known, so that there is no waiting for the last one.
 */
static bool reap(const struct link *link)
{
	char control[128];
	bool any = false;

	for (;;) {
		struct msghdr msg = {
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};

		if (recvmsg(link->sock, &msg, MSG_ERRQUEUE | MSG_DONTWAIT))
			return any;
		any = true;
	}
}

/*
 * There may be as many sends under way as the kernel has memory for. Most
 * sockets say ENOBUFS to more, AF_VSOCK also ENOMEM.
 */
static ssize_t send_zerocopy(const struct link *link, const char *at,
			     size_t len)
{
	struct pollfd pfd = { .fd = link->sock };
	ssize_t n;

	for (;;) {
		n = send(link->sock, at, len, MSG_ZEROCOPY | MSG_NOSIGNAL);
		if (n >= 0)
			return n;
		if (errno != ENOBUFS && errno != ENOMEM)
			die("MSG_ZEROCOPY: %s", strerror(errno));
		while (!reap(link))
			poll(&pfd, 1, -1);
	}
}

static void feed_zerocopy(const struct link *link, const char *at, size_t len,
			  size_t piece)
{
	for (unsigned int i = 1; len; i++) {
		ssize_t n = send_zerocopy(link, at, len < piece ? len : piece);

		at += n;
		len -= n;
		if (!(i % REAP_AT))
			reap(link);
	}
	reap(link);
}

static void feed_copies(const struct link *link, const char *at, size_t len,
			size_t piece)
{
	for (; len > piece; len -= piece, at += piece)
		link_write(link, at, piece);
	link_write(link, at, len);
}

static void feed_peer(const struct run *run, const struct link *link,
		      size_t len)
{
	size_t piece = run->variant->piece ?: DEFAULT_PIECE;

	if (run->variant->zerocopy)
		feed_zerocopy(link, mapping, len, piece);
	else
		feed_copies(link, mapping, len, piece);
}

static void feed_sendfile(const struct link *link, int fd, size_t len)
{
	off_t at = 0;

	while ((size_t)at < len)
		if (sendfile(link->sock, fd, &at, len - at) <= 0)
			die("sendfile: %s", strerror(errno));
}

/* The file again and again. */
static void feed_file(const struct run *run, const struct link *link,
		      void (*ours)(const struct link *link, int fd, size_t len))
{
	uint64_t left = run->count;
	int fd = the_file();

	while (left) {
		size_t len = left < FILE_SIZE ? left : FILE_SIZE;

		if (run->side == &side_ours)
			ours(link, fd, len);
		else
			feed_peer(run, link, len);
		left -= len;
	}
}

static void feed_splice(const struct run *run, const struct link *link)
{
	feed_file(run, link, feed_sendfile);
}

static void feed_vmo(const struct run *run, const struct link *link)
{
	feed_file(run, link, run->side->send_file);
}

void measure_splice(struct run *run)
{
	the_file();
	measure_feed(run, feed_splice);
}

void measure_vmo(struct run *run)
{
	the_file();
	measure_feed(run, feed_vmo);
}
