// SPDX-License-Identifier: GPL-2.0-only
/* Files of all kinds, and SEND_VMO of their bytes. */
#include "vmo.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#undef expect_complete
#undef expect_event
#undef vmo_fill
#undef vmo_map
#undef flow_endless
#undef flow_complete
#undef expect_sent
#undef next_data
#undef flow_tell
#undef flow_connect_with
#undef flow_expect_stream
#undef flow_put
#undef fake_take
#undef info_of

#define SHMEM_HUGE "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define MOUNT_POINT "/tmp/vmo-mount"

void load_module(const char *name)
{
	char command[64];

	snprintf(command, sizeof(command), "modprobe %s 2>/dev/null", name);
	if (system(command) == -1)
		fail("%s: %s", command, strerror(errno));
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

/* It lasts until it is closed. */
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

void resize(int file, uint64_t size)
{
	if (ftruncate(file, size))
		fail("ftruncate: %s", strerror(errno));
}

/* Huge pages are for those who ask while this is on. */
static int huge_memfd(uint64_t size)
{
	int file;

	if (!write_text(SHMEM_HUGE, "always"))
		return -1;
	file = memfd_create("vmo", MFD_CLOEXEC);
	resize(file, size);
	if (fallocate(file, 0, 0, size))
		fail("fallocate: %s", strerror(errno));
	write_text(SHMEM_HUGE, "never");
	return file;
}

/* A file in a file system that goes with it. */
static int file_in(const char *type, const char *device)
{
	int file;

	mkdir(MOUNT_POINT, 0700);
	if (mount(device, MOUNT_POINT, type, 0, NULL))
		return -1;
	file = temporary_file(MOUNT_POINT);
	umount2(MOUNT_POINT, MNT_DETACH);
	return file;
}

/* A disk in memory, which goes with its last user; its path is in @path. */
static int open_disk(uint64_t size, char path[32])
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config config = {
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int number, disk;

	if (control < 0)
		return -1;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, 32, "/dev/loop%d", number);
	disk = open(path, O_RDWR | O_CLOEXEC);
	if (disk < 0)
		fail("%s: %s", path, strerror(errno));
	config.fd = temporary_file("/dev/shm");
	resize(config.fd, size);
	if (ioctl(disk, LOOP_CONFIGURE, &config))
		fail("%s: %s", path, strerror(errno));
	close(config.fd);
	return disk;
}

/* Nobody may write to a disk that is mounted, not even by chance. */
static int make_read_only(int disk, const char *path)
{
	int again = open(path, O_RDONLY | O_CLOEXEC);

	close(disk);
	return again;
}

static int file_on_disk(uint64_t size)
{
	char path[32], command[96];
	int disk, file;

	/* The kernel would ask for it by a program that guests do not have */
	load_module("crc32c_generic");
	load_module("ext4");
	disk = open_disk(2 * size + 4 * MIB, path);
	if (disk < 0)
		return -1;
	disk = make_read_only(disk, path);
	snprintf(command, sizeof(command), "mke2fs -F -b 4096 %s >/dev/null",
		 path);
	if (system(command))
		fail("%s: no mke2fs", path);
	file = file_in("ext4", path);
	if (file < 0)
		file = file_in("ext2", path);
	close(disk);
	return file;
}

static int open_kind(enum vmo_kind kind, uint64_t size)
{
	char path[32];

	switch (kind) {
	case VMO_MEMFD:
		return memfd_create("vmo", MFD_CLOEXEC);
	case VMO_THP:
		return huge_memfd(size);
	case VMO_HUGE:
		return memfd_create("vmo", MFD_CLOEXEC | MFD_HUGETLB);
	case VMO_TMPFS:
		return temporary_file("/dev/shm");
	case VMO_RAMFS:
		return file_in("ramfs", "none");
	case VMO_DISK:
		return file_on_disk(size);
	case VMO_BLOCK:
		return open_disk(size, path);
	}
	return -1;
}

int vmo_open(enum vmo_kind kind, uint64_t size)
{
	int file;

	if (kind == VMO_DISK || kind == VMO_BLOCK)
		load_module("loop");
	file = open_kind(kind, size);
	if (file >= 0 && kind != VMO_BLOCK)
		resize(file, size);
	return file;
}

/* hugetlb wants whole pages, and nothing else minds. */
static uint64_t huge_floor(uint64_t offset)
{
	return offset / HUGE_PAGE * HUGE_PAGE;
}

static uint64_t huge_ceiling(uint64_t offset)
{
	return huge_floor(offset + HUGE_PAGE - 1);
}

struct vmo_map vmo_map(int file, uint64_t offset, uint64_t len)
{
	uint64_t from = huge_floor(offset);
	struct vmo_map map = { .size = huge_ceiling(offset + len) - from };

	map.start = mmap(NULL, map.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 file, from);
	if (map.start == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	map.bytes = (uint8_t *)map.start + (offset - from);
	return map;
}

void vmo_unmap(const struct vmo_map *map)
{
	if (munmap(map->start, map->size))
		fail("munmap: %s", strerror(errno));
}

void vmo_fill(int file, uint64_t offset, struct stream stream, uint64_t len)
{
	struct vmo_map map = (vmo_map)(file, offset, len);

	stream_fill(&stream, map.bytes, len);
	vmo_unmap(&map);
}

bool huge_pages_reserve(unsigned int count)
{
	char text[16];

	snprintf(text, sizeof(text), "%u\n", count);
	if (!write_text("/proc/sys/vm/nr_hugepages", text))
		return false;
	return huge_pages_free() >= count;
}

unsigned int huge_pages_free(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned int count = 0;
	char line[128];

	if (!file)
		fail("/proc/meminfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "HugePages_Free: %u", &count) == 1)
			break;
	fclose(file);
	return count;
}

int send_vmo(int fd, const struct link *link, int file, uint64_t offset,
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

void expect_complete(struct device *dev, uint64_t id, int status,
		     uint64_t bytes)
{
	struct vsockdev_event event;

	event = expect_event(dev, VSOCKDEV_EVENT_SEND_VMO_COMPLETE, id);
	if (event.vmo.status != status || event.vmo.bytes != bytes)
		fail("completed with %d after %llu bytes instead of %d, %llu",
		     event.vmo.status, (unsigned long long)event.vmo.bytes,
		     status, (unsigned long long)bytes);
}

int rounds(int count)
{
	return kernel_is("debug") ? count / 8 : count;
}

struct flow flow_endless(struct fake *fake)
{
	return flow_connect_with(fake, ENDLESS);
}

int flow_vmo(const struct flow *flow, int file, uint64_t offset,
	     uint64_t length)
{
	return send_vmo(flow->fake->dev.fd, &flow->link, file, offset, length);
}

void flow_complete(const struct flow *flow, int status, uint64_t bytes)
{
	(expect_complete)(&flow->fake->dev, flow->link.id, status, bytes);
}

void expect_sent(struct flow *flow, int file, uint64_t seed, uint64_t offset,
		 uint64_t length)
{
	struct stream stream = stream_at(seed, offset);
	int error = flow_vmo(flow, file, offset, length);

	if (error)
		fail("SEND_VMO of %llu bytes at %llu: %s",
		     (unsigned long long)length, (unsigned long long)offset,
		     strerror(-error));
	flow_expect_stream(flow, &stream, length);
	flow_complete(flow, 0, length);
}

struct packet next_data(struct flow *flow)
{
	for (;;) {
		struct packet packet = fake_take(flow->fake);

		if (packet.op == VIRTIO_VSOCK_OP_RW)
			return packet;
		if (packet.op != VIRTIO_VSOCK_OP_CREDIT_REQUEST)
			fail("expected data, saw %s", op_name(packet.op));
	}
}

void flow_tell(struct flow *flow)
{
	uint64_t before = info_of(flow->fake->dev.fd).rx_packets;

	flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	WAIT_FOR(info_of(flow->fake->dev.fd).rx_packets > before);
}

void flow_grant(struct flow *flow, uint32_t buf_alloc)
{
	flow->buf_alloc = buf_alloc;
	flow->fwd_cnt = flow->taken;
	flow_put(flow, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
}

uint64_t blocks_of(int file)
{
	struct stat stat;

	if (fstat(file, &stat))
		fail("fstat: %s", strerror(errno));
	return stat.st_blocks;
}

bool all_zero(const uint8_t *bytes, size_t len)
{
	return !len || (!*bytes && !memcmp(bytes, bytes + 1, len - 1));
}

/* Its pages come in no order. */
int scattered_file(uint64_t size)
{
	int file = vmo_open(VMO_MEMFD, size);
	struct vmo_map map = vmo_map(file, 0, size);
	uint32_t pages = size / PAGE;
	uint64_t random = 1;

	for (uint32_t i = 0; i < 4 * pages; i++) {
		uint32_t page = stream_pick(&random, 0, pages - 1);

		map.bytes[page * PAGE] = 1;
	}
	vmo_unmap(&map);
	vmo_fill(file, 0, stream_at(7, 0), size);
	return file;
}
