// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device node. A test takes its lock before it opens the node: after a
 * test that the harness had to kill, the next one so waits until the kernel
 * has really closed the node.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine.h"

#undef expect_event
#undef next_event
#undef expect_request
#undef expect_rst
#undef skip_to_rst
#undef expect_shutdown
#undef expect_no_event
#undef device_start
#undef device_start_at
#undef info_of

#define LOCK_PATH "/tmp/vsockdev-test.lock"
#define PATIENT_MS 60000

static const char *const type_names[] = {
	[VSOCKDEV_EVENT_REQUEST] = "REQUEST",
	[VSOCKDEV_EVENT_RESPONSE] = "RESPONSE",
	[VSOCKDEV_EVENT_RST] = "RST",
	[VSOCKDEV_EVENT_SHUTDOWN] = "SHUTDOWN",
	[VSOCKDEV_EVENT_TRANSPORT_RESET] = "TRANSPORT_RESET",
	[VSOCKDEV_EVENT_SEND_VMO_COMPLETE] = "SEND_VMO_COMPLETE",
};

static const char *type_name(uint32_t type)
{
	if (type < sizeof(type_names) / sizeof(type_names[0]) &&
	    type_names[type])
		return type_names[type];
	return "(unknown)";
}

static void describe(const struct vsockdev_event *event, char *buf, size_t size)
{
	int n;

	n = snprintf(buf, size, "%s of connection %llu, local %u, remote %u:%u",
		     type_name(event->type), event->conn_id,
		     event->addr.local_port, event->addr.remote_cid,
		     event->addr.remote_port);
	if (event->type == VSOCKDEV_EVENT_RST)
		snprintf(buf + n, size - n,
			 ", reason %u, error %d, sent %llu, received %llu",
			 event->rst.reason, event->rst.error,
			 event->rst.bytes_sent, event->rst.bytes_received);
	else if (event->type == VSOCKDEV_EVENT_SHUTDOWN)
		snprintf(buf + n, size - n, ", directions %u",
			 event->shutdown.directions);
}

/* Held until the process ends. */
static void take_lock(void)
{
	static int lock = -1;

	if (lock >= 0)
		return;
	lock = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX))
		fail("%s: %s", LOCK_PATH, strerror(errno));
}

int open_device_at(unsigned int device, int flags)
{
	char name[NAME_SIZE];
	int fd;

	take_lock();
	if (!find_node(device, name))
		fail("device %u has no node", device);
	fd = open(name, flags);
	if (fd < 0)
		fail("%s: %s", name, strerror(errno));
	return fd;
}

int open_device_flags(int flags)
{
	return open_device_at(0, flags);
}

int open_device(void)
{
	return open_device_flags(O_RDWR | O_CLOEXEC);
}

int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

int start(int fd, const struct vsockdev_start *options)
{
	struct vsockdev_start arg = {};

	if (options)
		arg = *options;
	arg.size = sizeof(arg);
	return call(fd, VSOCKDEV_START, &arg);
}

/* Patient, as a busy machine is no reason to fail. */
void device_start_at(struct device *dev, unsigned int device,
		     const struct vsockdev_start *options)
{
	struct vsockdev_start arg = {};
	int error;

	if (options)
		arg = *options;
	if (!arg.connect_timeout_ms)
		arg.connect_timeout_ms = PATIENT_MS;
	if (!arg.close_timeout_ms)
		arg.close_timeout_ms = PATIENT_MS;
	memset(dev, 0, sizeof(*dev));
	dev->fd = open_device_at(device, O_RDWR | O_CLOEXEC);
	error = start(dev->fd, &arg);
	if (error)
		fail("START: %s", strerror(-error));
}

void device_start(struct device *dev, const struct vsockdev_start *options)
{
	device_start_at(dev, 0, options);
}

int stop(int fd)
{
	struct vsockdev_stop arg = { .size = sizeof(arg) };

	return call(fd, VSOCKDEV_STOP, &arg);
}

struct vsockdev_get_info info_of(int fd)
{
	struct vsockdev_get_info info = { .size = sizeof(info) };
	int error = call(fd, VSOCKDEV_GET_INFO, &info);

	if (error)
		fail("GET_INFO: %s", strerror(-error));
	return info;
}

int send_request(int fd, struct vsockdev_addr addr, int sock, uint64_t *id)
{
	struct vsockdev_send_request arg = {
		.size = sizeof(arg),
		.addr = addr,
		.socket_fd = sock,
	};
	int error = call(fd, VSOCKDEV_SEND_REQUEST, &arg);

	if (!error && id)
		*id = arg.conn_id;
	return error;
}

int send_response(int fd, struct vsockdev_addr addr, uint64_t id, int sock)
{
	struct vsockdev_send_response arg = {
		.size = sizeof(arg),
		.addr = addr,
		.socket_fd = sock,
		.conn_id = id,
	};

	return call(fd, VSOCKDEV_SEND_RESPONSE, &arg);
}

int send_rst(int fd, struct vsockdev_addr addr, uint64_t id)
{
	struct vsockdev_send_rst arg = {
		.size = sizeof(arg),
		.addr = addr,
		.conn_id = id,
	};

	return call(fd, VSOCKDEV_SEND_RST, &arg);
}

int send_shutdown(int fd, struct vsockdev_addr addr, uint64_t id,
		  uint32_t flags)
{
	struct vsockdev_send_shutdown arg = {
		.size = sizeof(arg),
		.flags = flags,
		.addr = addr,
		.conn_id = id,
	};

	return call(fd, VSOCKDEV_SEND_SHUTDOWN, &arg);
}

static struct vsockdev_event read_event(struct device *dev, const char *wanted)
{
	struct pollfd fds = { .fd = dev->fd, .events = POLLIN };
	struct vsockdev_event event;
	ssize_t n;

	n = poll(&fds, 1, HANG_GUARD_MS);
	if (n == 0)
		fail("no event came while waiting for %s", wanted);
	if (n < 0)
		fail("poll: %s", strerror(errno));
	memset(&event, 0xa5, sizeof(event));
	n = read(dev->fd, &event, sizeof(event));
	if (n < 0)
		fail("read while waiting for %s: %s", wanted, strerror(errno));
	if (n != sizeof(event))
		fail("read gave %zd bytes instead of %zu", n, sizeof(event));
	return event;
}

static struct vsockdev_event unstash(struct device *dev, unsigned int i)
{
	struct vsockdev_event event = dev->stash[i];

	dev->stashed--;
	memmove(&dev->stash[i], &dev->stash[i + 1],
		(dev->stashed - i) * sizeof(event));
	return event;
}

static void stash(struct device *dev, const struct vsockdev_event *event)
{
	if (dev->stashed == sizeof(dev->stash) / sizeof(dev->stash[0]))
		fail("too many unexpected events");
	dev->stash[dev->stashed++] = *event;
}

struct vsockdev_event next_event(struct device *dev)
{
	return dev->stashed ? unstash(dev, 0) : read_event(dev, "any event");
}

/* Which event is looked for. */
struct wanted {
	uint64_t id; /* 0: any */
	uint32_t port; /* of REQUEST; 0: any */
};

static bool matches(const struct vsockdev_event *event,
		    const struct wanted *wanted)
{
	if (wanted->port)
		return event->type == VSOCKDEV_EVENT_REQUEST &&
		       event->addr.local_port == wanted->port;
	return !wanted->id || event->conn_id == wanted->id;
}

static struct vsockdev_event
find_event(struct device *dev, const struct wanted *wanted, const char *name)
{
	struct vsockdev_event event;

	for (unsigned int i = 0; i < dev->stashed; i++)
		if (matches(&dev->stash[i], wanted))
			return unstash(dev, i);
	for (;;) {
		event = read_event(dev, name);
		if (matches(&event, wanted))
			return event;
		stash(dev, &event);
	}
}

struct vsockdev_event expect_event(struct device *dev, uint32_t type,
				   uint64_t id)
{
	struct wanted wanted = { .id = id };
	struct vsockdev_event event;
	char seen[200];

	event = find_event(dev, &wanted, type_name(type));
	if (!type || event.type == type)
		return event;
	describe(&event, seen, sizeof(seen));
	fail("expected %s of connection %llu, saw %s", type_name(type),
	     (unsigned long long)id, seen);
}

struct vsockdev_event expect_request(struct device *dev, uint32_t port)
{
	struct wanted wanted = { .port = port };

	return find_event(dev, &wanted, "REQUEST");
}

struct vsockdev_event expect_rst(struct device *dev, uint64_t id,
				 uint32_t reason, int error)
{
	struct vsockdev_event event;
	char seen[200];

	event = expect_event(dev, VSOCKDEV_EVENT_RST, id);
	if (event.rst.reason == reason && event.rst.error == error)
		return event;
	describe(&event, seen, sizeof(seen));
	fail("expected RST with reason %u, error %d; saw %s", reason, error,
	     seen);
}

struct vsockdev_event skip_to_rst(struct device *dev, uint64_t id)
{
	struct vsockdev_event event;

	do {
		event = expect_event(dev, 0, id);
	} while (event.type == VSOCKDEV_EVENT_SHUTDOWN);
	if (event.type != VSOCKDEV_EVENT_RST)
		fail("expected RST, saw %s", type_name(event.type));
	return event;
}

/* Both directions may come at once or one by one. */
void expect_shutdown(struct device *dev, uint64_t id, uint32_t directions)
{
	while (directions) {
		struct vsockdev_event event;

		event = expect_event(dev, VSOCKDEV_EVENT_SHUTDOWN, id);
		if (!event.shutdown.directions ||
		    event.shutdown.directions & ~directions)
			fail("expected SHUTDOWN of %u, saw %u", directions,
			     event.shutdown.directions);
		directions &= ~event.shutdown.directions;
	}
}

void expect_no_event(struct device *dev, uint64_t id)
{
	struct wanted wanted = { .id = id };
	struct vsockdev_event event;
	char seen[200];

	while (poll_now(dev->fd) & POLLIN) {
		event = read_event(dev, "nothing");
		stash(dev, &event);
	}
	for (unsigned int i = 0; i < dev->stashed; i++) {
		if (matches(&dev->stash[i], &wanted)) {
			describe(&dev->stash[i], seen, sizeof(seen));
			fail("expected no event, saw %s", seen);
		}
	}
}

short poll_now(int fd)
{
	struct pollfd fds = { .fd = fd, .events = POLLIN };

	if (poll(&fds, 1, 0) < 0)
		fail("poll: %s", strerror(errno));
	return fds.revents;
}
