// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hello PORT - greets whoever on the host connects to PORT of this guest
 *
 * An example of a service. With the library installed:
 *
 *	cc hello.c -o hello -lvsockdev
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vsockdev.h>

#define NODE "/dev/vsockdev0"

static void refuse(struct vsockdev *dev, const struct vsockdev_event *request)
{
	/* A failure means that the host has withdrawn it already. */
	vsockdev_send_rst(dev, &request->addr, request->conn_id);
	printf("refused a connection to port %u\n", request->addr.local_port);
}

static void greet(struct vsockdev *dev, const struct vsockdev_event *request)
{
	static const char greeting[] = "hello, host\n";
	int fd = vsockdev_accept(dev, request, NULL);

	if (fd < 0) {
		perror("accept");
		refuse(dev, request);
		return;
	}
	/* Few bytes, which always fit into a new socket; who is gone is told. */
	if (send(fd, greeting, strlen(greeting), MSG_NOSIGNAL) < 0)
		perror("send");
	/* What was written arrives before the end does. */
	close(fd);
}

static void handle(struct vsockdev *dev, const struct vsockdev_event *event,
		   uint32_t port)
{
	switch (event->type) {
	case VSOCKDEV_EVENT_REQUEST:
		if (event->addr.local_port == port)
			greet(dev, event);
		else
			refuse(dev, event);
		break;
	case VSOCKDEV_EVENT_RST:
		printf("end of a connection: %s\n",
		       vsockdev_rst_strerror(event->rst.reason));
		break;
	case VSOCKDEV_EVENT_TRANSPORT_RESET:
		/* A failure means that there is one more, which is told, too. */
		vsockdev_reset_done(dev, event->transport_reset.generation);
		printf("transport reset, now with context id %u\n",
		       event->transport_reset.new_cid);
		break;
	default:
		/* Of no concern, or of a kernel that knows more than we do. */
		break;
	}
}

int main(int argc, char **argv)
{
	struct vsockdev_event event;
	struct vsockdev *dev;
	uint32_t port;

	if (argc != 2) {
		fprintf(stderr, "Usage: hello PORT\n");
		return 64;
	}
	port = strtoul(argv[1], NULL, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);

	dev = vsockdev_open(NODE);
	if (!dev || vsockdev_start(dev, NULL)) {
		perror(NODE);
		return 1;
	}
	printf("greeting on port %u\n", port);
	while (vsockdev_next_event(dev, &event, -1) == 1)
		handle(dev, &event, port);
	perror("next_event");
	vsockdev_close(dev);
	return 1;
}
