// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev: one end of a socket pair for the driver, one for us. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vsockdev.h>

#include "bus.h"
#include "side.h"

#define HOST_CID 2
#define GUARD_MS 60000
#define WINDOW (4 * MIB)
#define MAX_CONNS 16384
#define FIRST_PORT 0x10000

static struct vsockdev *dev;
static uint32_t last_port;
static uint32_t open_links;
static uint64_t bridge; /* id of its connection */

static void start(const char *node)
{
	struct vsockdev_start options = {
		.buf_alloc = WINDOW,
		.max_conns = MAX_CONNS,
	};

	dev = vsockdev_open(node);
	if (!dev)
		die("%s: %s", node, strerror(errno));
	if (vsockdev_start(dev, &options))
		die("START: %s", strerror(errno));
	last_port = FIRST_PORT;
}

static void stop(void)
{
	vsockdev_close(dev);
	dev = NULL;
}

/* What happens to other connections is theirs to notice. */
static void await(uint32_t type, uint64_t id)
{
	struct vsockdev_event event;

	do {
		if (vsockdev_next_event(dev, &event, GUARD_MS) <= 0)
			die("no %s event", vsockdev_event_name(type));
		if (event.conn_id == id && event.type != type &&
		    event.type == VSOCKDEV_EVENT_RST)
			die("connection: %s",
			    vsockdev_rst_strerror(event.rst.reason));
	} while (event.conn_id != id || event.type != type);
}

static struct vsockdev_addr new_addr(uint32_t port)
{
	return (struct vsockdev_addr){
		.local_port = ++last_port,
		.remote_cid = HOST_CID,
		.remote_port = port,
	};
}

static struct link request(uint32_t port)
{
	struct link link = { .addr = new_addr(port) };

	link.sock =
		vsockdev_connect(dev, &link.addr, SOCK_STREAM, NULL, &link.id);
	if (link.sock < 0)
		die("SEND_REQUEST: %s", strerror(errno));
	return link;
}

static struct link open_link(const struct variant *variant, uint32_t port)
{
	struct link link = request(port);

	(void)variant;
	await(VSOCKDEV_EVENT_RESPONSE, link.id);
	open_links++;
	return link;
}

static void close_link(struct link *link)
{
	close(link->sock);
	await(VSOCKDEV_EVENT_RST, link->id);
	open_links--;
}

/* Nobody waits for the events; they have to be read at some time. */
static void visit(uint32_t port)
{
	struct vsockdev_event events[64];
	struct link link = request(port);
	char byte = 'b';

	if (send(link.sock, &byte, 1, MSG_NOSIGNAL) != 1 ||
	    recv(link.sock, &byte, 1, 0) != 1)
		die("visit: %s", strerror(errno));
	close(link.sock);
	while (vsockdev_read_events(dev, events, 64) == 64)
		;
}

static void give(int sock, uint32_t port)
{
	struct vsockdev_addr addr = new_addr(port);
	uint64_t id;

	if (vsockdev_send_request(dev, &addr, sock, NULL, &id))
		die("SEND_REQUEST: %s", strerror(errno));
	await(VSOCKDEV_EVENT_RESPONSE, id);
}

static void send_file(const struct link *link, int fd, size_t len)
{
	if (vsockdev_send_vmo(dev, &link->addr, link->id, fd, 0, len))
		die("SEND_VMO: %s", strerror(errno));
	await(VSOCKDEV_EVENT_SEND_VMO_COMPLETE, link->id);
}

static void bridge_open(const struct variant *variant, uint32_t port,
			uint16_t tcp_port)
{
	(void)variant;
	(void)port;
	(void)tcp_port;
}

static void bridge_accept(uint32_t port, uint16_t tcp_port)
{
	struct vsockdev_event event;
	int sock = tcp_connect(tcp_port);

	do {
		if (vsockdev_next_event(dev, &event, GUARD_MS) <= 0)
			die("no REQUEST");
	} while (event.type != VSOCKDEV_EVENT_REQUEST ||
		 event.addr.local_port != port);
	if (vsockdev_send_response(dev, &event.addr, event.conn_id, sock, NULL))
		die("SEND_RESPONSE: %s", strerror(errno));
	bridge = event.conn_id;
	close(sock);
}

static void bridge_close(void)
{
	await(VSOCKDEV_EVENT_RST, bridge);
}

static void get_info(struct vsockdev_get_info *info)
{
	if (vsockdev_get_info(dev, info))
		die("GET_INFO: %s", strerror(errno));
}

/* A sampler on the host has a link of its own meanwhile. */
static void settle(void)
{
	struct vsockdev_get_info info;
	struct vsockdev_event event;

	for (get_info(&info); info.conns > open_links; get_info(&info))
		if (vsockdev_next_event(dev, &event, GUARD_MS) <= 0)
			die("%u connections do not end",
			    info.conns - open_links);
}

const struct side side_ours = {
	.name = "ours",
	.driver = BUS_OUR_DRIVER,
	.start = start,
	.stop = stop,
	.open = open_link,
	.close = close_link,
	.abort = close_link,
	.visit = visit,
	.give = give,
	.settle = settle,
	.send_file = send_file,
	.bridge_open = bridge_open,
	.bridge_accept = bridge_accept,
	.bridge_close = bridge_close,
	.info = get_info,
};
