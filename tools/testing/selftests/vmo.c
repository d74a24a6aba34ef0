// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEND_VMO: ranges of files of every kind arrive byte by byte, in order with
 * what the program writes, and are completed once, whatever ends first.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/link.h"

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define HUGE_PAGE (2 * MIB)

enum kind { MEMFD, HUGE, TMPFS, DISK };

static int send_vmo(int fd, const struct link *link, int file, uint64_t offset,
		    uint64_t length)
{
	struct vsockdev_send_vmo args = {
		.size = sizeof(args),
		.addr = link->addr,
		.conn_id = link->id,
		.vmo_fd = file,
		.offset = offset,
		.length = length,
	};

	return call(fd, VSOCKDEV_SEND_VMO, &args);
}

static void expect_complete(struct device *dev, uint64_t id, int status,
			    uint64_t bytes)
{
	struct vsockdev_event event;

	event = expect_event(dev, VSOCKDEV_EVENT_SEND_VMO_COMPLETE, id);
	if (event.vmo.status != status || event.vmo.bytes != bytes)
		fail("completed with %d after %llu bytes", event.vmo.status,
		     (unsigned long long)event.vmo.bytes);
}

/* A path on a disk, or what comes closest; unlinked by the caller. */
static int temporary_file(const char *folder)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/vmo-XXXXXX", folder);
	fd = mkstemp(path);
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	unlink(path);
	return fd;
}

static bool reserve_huge_pages(int count)
{
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "w");

	if (!file)
		return false;
	fprintf(file, "%d\n", count);
	return !fclose(file);
}

/* An empty file of that kind; -1 where there is none. */
static int make_file(enum kind kind)
{
	switch (kind) {
	case MEMFD:
		return memfd_create("vmo", MFD_CLOEXEC);
	case HUGE:
		if (!reserve_huge_pages(8))
			return -1;
		return memfd_create("vmo", MFD_CLOEXEC | MFD_HUGETLB);
	case TMPFS:
		return temporary_file("/dev/shm");
	case DISK:
		/* The root of the guest: ramfs, whose pages are its files */
		return temporary_file("/");
	}
	return -1;
}

static void resize(int file, uint64_t size)
{
	if (ftruncate(file, size))
		fail("ftruncate: %s", strerror(errno));
}

/* Fills a range with a stream, whose first byte is at @from. */
static void fill(int file, uint64_t seed, uint64_t from, uint64_t len)
{
	struct stream stream = { .seed = seed };
	uint64_t start = from / HUGE_PAGE * HUGE_PAGE;
	uint64_t end = (from + len + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	uint8_t *map;

	map = mmap(NULL, end - start, PROT_READ | PROT_WRITE,
		   MAP_SHARED, file, start);
	if (map == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	stream_fill(&stream, map + (from - start), len);
	munmap(map, end - start);
}

FIXTURE(file) {
	struct device dev;
	struct peer peer;
	struct link link;
	int file;
};

FIXTURE_VARIANT(file) {
	enum kind kind;
};

FIXTURE_VARIANT_ADD(file, memfd) {
	.kind = MEMFD,
};

FIXTURE_VARIANT_ADD(file, hugetlb) {
	.kind = HUGE,
};

FIXTURE_VARIANT_ADD(file, tmpfs) {
	.kind = TMPFS,
};

FIXTURE_VARIANT_ADD(file, ordinary) {
	.kind = DISK,
};

FIXTURE_SETUP(file)
{
	device_start(&self->dev, NULL);
	self->peer = peer_open(&self->dev);
	self->link = peer_connect(&self->dev, &self->peer);
	self->file = make_file(variant->kind);
	if (self->file < 0)
		SKIP(return, "no such files here");
}

FIXTURE_TEARDOWN(file)
{
	if (variant->kind == HUGE)
		reserve_huge_pages(0);
}

TEST_F(file, arrives_whole)
{
	unsigned long long size = 4 * HUGE_PAGE;

	resize(self->file, size);
	fill(self->file, 7, 0, size);
	peer_tell(&self->peer, "recv 7 %llu", size);
	ASSERT_EQ(0, send_vmo(self->dev.fd, &self->link, self->file, 0, size));
	peer_hear_exactly(&self->peer, "done %llu", size);
	expect_complete(&self->dev, self->link.id, 0, size);
}

TEST_F(file, odd_range_arrives)
{
	static const struct {
		unsigned long long offset;
		unsigned long long length;
	} ranges[] = {
		{ 0, 1 },
		{ 4095, 1 },
		{ 4095, 2 },
		{ 1, 4096 },
		{ 123, 65536 },
		{ 4096, 65537 },
		{ HUGE_PAGE - 1, 2 },
		{ HUGE_PAGE - 12345, 234567 },
		{ 2 * HUGE_PAGE - 1, 1 },
	};

	resize(self->file, 2 * HUGE_PAGE);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		fill(self->file, i, ranges[i].offset, ranges[i].length);
		ASSERT_EQ(0, send_vmo(self->dev.fd, &self->link, self->file,
				      ranges[i].offset, ranges[i].length));
		expect_complete(&self->dev, self->link.id, 0,
				ranges[i].length);
		peer_tell(&self->peer, "recv %zu %llu", i, ranges[i].length);
		peer_hear_exactly(&self->peer, "done %llu", ranges[i].length);
	}
}

TEST_HARNESS_MAIN
