// SPDX-License-Identifier: GPL-2.0-only
/* The socket devices on the virtio bus and their drivers, in sysfs. */
#include "bus.h"

#include <dirent.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

#define BUS "/sys/bus/virtio"
#define SOCKET_ID 19

static void make_path(char path[PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void make_path(char path[PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(path, PATH_MAX, format, args);
	va_end(args);
}

static long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long number = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%li", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

static bool is_socket_device(const char *name)
{
	char path[PATH_MAX];

	make_path(path, BUS "/devices/%s/device", name);
	return read_number(path) == SOCKET_ID;
}

static void find_driver(struct bus_device *device)
{
	char path[PATH_MAX], to[PATH_MAX];
	ssize_t len;

	*device->driver = 0;
	make_path(path, BUS "/devices/%s/driver", device->name);
	len = readlink(path, to, sizeof(to) - 1);
	if (len < 0)
		return;
	to[len] = 0;
	snprintf(device->driver, sizeof(device->driver), "%s",
		 basename(to));
}

static int is_node(const struct dirent *entry)
{
	return *entry->d_name != '.';
}

static void free_list(struct dirent **list, int count)
{
	while (count-- > 0)
		free(list[count]);
	free(list);
}

static void find_node(struct bus_device *device)
{
	struct dirent **list = NULL;
	char path[PATH_MAX];
	int count;

	*device->node = 0;
	make_path(path, BUS "/devices/%s/" BUS_OUR_DRIVER, device->name);
	count = scandir(path, &list, is_node, NULL);
	if (count > 0)
		snprintf(device->node, sizeof(device->node), "/dev/%.200s",
			 list[0]->d_name);
	free_list(list, count);
}

void bus_look_again(struct bus_device *device)
{
	find_driver(device);
	find_node(device);
}

static bool bus_look(struct bus_device *device, const char *name)
{
	if (!is_socket_device(name))
		return false;
	snprintf(device->name, sizeof(device->name), "%s", name);
	bus_look_again(device);
	return true;
}

struct bus_device *bus_list(size_t *count)
{
	struct bus_device *devices;
	struct dirent **list = NULL;
	int names, i;

	*count = 0;
	names = scandir(BUS "/devices", &list, is_node, versionsort);
	if (names < 0 && errno != ENOENT)
		error(STATUS_ERROR, errno, BUS);
	devices = calloc(names > 0 ? names : 1, sizeof(*devices));
	if (!devices)
		error(STATUS_ERROR, errno, "memory");
	for (i = 0; i < names; i++)
		if (bus_look(&devices[*count], list[i]->d_name))
			++*count;
	free_list(list, names);
	return devices;
}

bool bus_has_driver(const char *driver)
{
	char path[PATH_MAX];

	make_path(path, BUS "/drivers/%s", driver);
	return !access(path, F_OK);
}

int bus_may_write(const char *driver, const char *file)
{
	char path[PATH_MAX];

	make_path(path, BUS "/drivers/%s/%s", driver, file);
	return access(path, W_OK);
}

int bus_write(const char *driver, const char *file, const char *device)
{
	ssize_t size = strlen(device), len;
	char path[PATH_MAX];
	int fd, error;

	make_path(path, BUS "/drivers/%s/%s", driver, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	len = write(fd, device, size);
	error = errno;
	close(fd);
	errno = error;
	return len == size ? 0 : -1;
}
