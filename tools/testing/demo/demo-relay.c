// SPDX-License-Identifier: GPL-2.0-only
/*
 * demo-relay PORT HOST-PORT - from one host to another without touching a byte
 *
 * Waits until the first device's host asks for PORT, and asks the second one's
 * for HOST-PORT. The sockets of the two connections are the ends of one pair,
 * of which nothing is left here while the kernel moves the bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vsockdev.h>

#define HOST_CID 2
#define PATIENCE_MS 60000

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct vsockdev *open_started(const char *path)
{
	struct vsockdev *dev = vsockdev_open(path);

	if (!dev || vsockdev_start(dev, NULL))
		die(path);
	return dev;
}

static struct vsockdev_event wait_for(struct vsockdev *dev, uint32_t type)
{
	struct vsockdev_event event;

	do {
		if (vsockdev_next_event(dev, &event, PATIENCE_MS) != 1)
			die(vsockdev_event_name(type));
	} while (event.type != type);
	return event;
}

static void join(struct vsockdev *from, const struct vsockdev_event *request,
		 struct vsockdev *to, const struct vsockdev_addr *addr)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("socketpair");
	if (vsockdev_send_response(from, &request->addr, request->conn_id,
				   pair[0], NULL))
		die("SEND_RESPONSE");
	if (vsockdev_send_request(to, addr, pair[1], NULL, NULL))
		die("SEND_REQUEST");
	close(pair[0]);
	close(pair[1]);
}

int main(int argc, char **argv)
{
	struct vsockdev_addr addr = { .remote_cid = HOST_CID };
	struct vsockdev *from, *to;
	struct vsockdev_event event;

	if (argc != 3)
		return 64;
	addr.local_port = strtoul(argv[1], NULL, 0);
	addr.remote_port = strtoul(argv[2], NULL, 0);
	from = open_started("/dev/vsockdev0");
	to = open_started("/dev/vsockdev1");
	printf("demo: relay on port %u\n", addr.local_port);
	fflush(stdout);
	do {
		event = wait_for(from, VSOCKDEV_EVENT_REQUEST);
	} while (event.addr.local_port != addr.local_port);
	join(from, &event, to, &addr);

	wait_for(from, VSOCKDEV_EVENT_RST);
	event = wait_for(to, VSOCKDEV_EVENT_RST);
	printf("demo: relayed %llu\n", event.rst.bytes_sent);
	vsockdev_close(from);
	vsockdev_close(to);
	return 0;
}
