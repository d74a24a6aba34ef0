// SPDX-License-Identifier: GPL-2.0-only
/* Finding devices in sysfs, and giving them to drivers. */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef bind_device
#undef log_lines
#undef unbind_device
#undef insert_module
#undef module_refs
#undef plug
#undef unplug

/* Where the PCI ports begin, one to a device (tools/testing/guest/run). */
#define FIRST_SLOT 0x10

unsigned int machine_devices(void)
{
	return from_environment("VSOCKDEV_HOSTS", 1);
}

bool machine_has_ports(void)
{
	return !access("/sys/bus/pci/devices", F_OK);
}

/* The last part of the only path below the device that fits the pattern. */
static bool find(unsigned int device, const char *pattern, char name[NAME_SIZE])
{
	char path[128];
	glob_t found;

	if (machine_has_ports())
		snprintf(path, sizeof(path),
			 "/sys/bus/pci/devices/0000:00:%02x.0/0000:*/%s",
			 FIRST_SLOT + device, pattern);
	else
		snprintf(path, sizeof(path),
			 "/sys/bus/platform/devices/virtio-uml.%u/%s", device,
			 pattern);
	if (glob(path, 0, NULL, &found))
		return false;
	snprintf(name, NAME_SIZE, "%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	return true;
}

bool find_virtio(unsigned int device, char name[NAME_SIZE])
{
	return find(device, "virtio[0-9]*", name);
}

bool find_node(unsigned int device, char name[NAME_SIZE])
{
	char node[NAME_SIZE];

	if (!find(device, "virtio[0-9]*/vsockdev/vsockdev[0-9]*", node))
		return false;
	snprintf(name, NAME_SIZE, "/dev/%.20s", node);
	return !access(name, F_OK);
}

bool node_exists(unsigned int device)
{
	char name[NAME_SIZE];

	return find_node(device, name);
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;
	int error;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	error = n < 0 ? -errno : 0;
	close(fd);
	return error;
}

static int write_driver(unsigned int device, const char *driver,
			const char *what)
{
	char path[PATH_MAX], name[NAME_SIZE];

	if (!find_virtio(device, name))
		return -ENODEV;
	snprintf(path, sizeof(path), VIRTIO_DRIVERS "%s/%s", driver, what);
	return write_file(path, name);
}

int bind_to(unsigned int device, const char *driver)
{
	return write_driver(device, driver, "bind");
}

int unbind_from(unsigned int device, const char *driver)
{
	return write_driver(device, driver, "unbind");
}

void bind_device(unsigned int device)
{
	int error = bind_to(device, MODULE);

	if (error)
		fail("bind: %s", strerror(-error));
}

void unbind_device(unsigned int device)
{
	int error = unbind_from(device, MODULE);

	if (error)
		fail("unbind: %s", strerror(-error));
}

int remove_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

void insert_module(void)
{
	const char *path = getenv("VSOCKDEV_MODULE") ?: "/vsockdev/vsockdev.ko";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		fail("%s: %s", path, strerror(errno));
	close(fd);
}

long module_refs(void)
{
	FILE *file = fopen("/sys/module/" MODULE "/refcnt", "r");
	long refs;

	if (!file || fscanf(file, "%ld", &refs) != 1)
		fail("refcnt of the module: %s", strerror(errno));
	fclose(file);
	return refs;
}

void unplug(struct peer *peer, unsigned int device)
{
	peer_do(peer, "ok", "monitor device_del vsock%u", device);
}

/* QEMU may not have heard yet that the guest let go of the last one. */
void plug(struct peer *peer, unsigned int device)
{
	peer_do(peer, "ok", PLUG_COMMAND, device, device, device);
}

/* "PRIORITY,NUMBER,..." of each line, oldest first. */
unsigned int log_lines(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unsigned long long number = 0;
	char line[8192];
	ssize_t n;

	if (fd < 0)
		fail("/dev/kmsg: %s", strerror(errno));
	while ((n = read(fd, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		line[n] = '\0';
		sscanf(line, "%*u,%llu", &number);
	}
	close(fd);
	return number;
}
