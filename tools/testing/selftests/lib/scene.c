// SPDX-License-Identifier: GPL-2.0-only
/* A right call, and what it needs. */
#include "scene.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#undef scene_open
#undef scene_settle
#undef scene_try
#undef scene_expect_untouched
#undef device_start
#undef info_of
#undef expect_event
#undef expect_request
#undef expect_no_event
#undef peer_open
#undef peer_do
#undef peer_tell
#undef peer_hear
#undef expect_end
#undef link_connect
#undef expect_alive

#define SHAPE(call, type) .name = #call, .size = sizeof(struct type)
#define AT(type, member) offsetof(struct type, member)

const struct shape shapes[CALLS] = {
	[VSOCKDEV_NR_START] = {
		SHAPE(START, vsockdev_start),
		.right = -EALREADY,
		.other = -EBUSY,
	},
	[VSOCKDEV_NR_STOP] = {
		SHAPE(STOP, vsockdev_stop),
		.other = -EPERM,
	},
	[VSOCKDEV_NR_SEND_REQUEST] = {
		SHAPE(SEND_REQUEST, vsockdev_send_request),
		.writes = true,
		.other = -EPERM,
		.zero_at = {
			AT(vsockdev_send_request, conn_id),
			AT(vsockdev_send_request, conn_id) + 4,
			AT(vsockdev_send_request, reserved),
		},
		.socket_at = AT(vsockdev_send_request, socket_fd),
		.addr_at = AT(vsockdev_send_request, addr),
	},
	[VSOCKDEV_NR_SEND_RESPONSE] = {
		SHAPE(SEND_RESPONSE, vsockdev_send_response),
		.other = -EPERM,
		.socket_at = AT(vsockdev_send_response, socket_fd),
		.addr_at = AT(vsockdev_send_response, addr),
		.id_at = AT(vsockdev_send_response, conn_id),
	},
	[VSOCKDEV_NR_SEND_RST] = {
		SHAPE(SEND_RST, vsockdev_send_rst),
		.other = -EPERM,
		.zero_at = { AT(vsockdev_send_rst, reserved) },
		.addr_at = AT(vsockdev_send_rst, addr),
		.id_at = AT(vsockdev_send_rst, conn_id),
	},
	[VSOCKDEV_NR_SEND_SHUTDOWN] = {
		SHAPE(SEND_SHUTDOWN, vsockdev_send_shutdown),
		.flags = VSOCKDEV_SHUTDOWN_RECEIVE | VSOCKDEV_SHUTDOWN_SEND,
		.other = -EPERM,
		.zero_at = { AT(vsockdev_send_shutdown, reserved) },
		.addr_at = AT(vsockdev_send_shutdown, addr),
		.id_at = AT(vsockdev_send_shutdown, conn_id),
	},
	[VSOCKDEV_NR_SEND_VMO] = {
		SHAPE(SEND_VMO, vsockdev_send_vmo),
		.other = -EPERM,
		.addr_at = AT(vsockdev_send_vmo, addr),
		.id_at = AT(vsockdev_send_vmo, conn_id),
	},
	[VSOCKDEV_NR_RESET_DONE] = {
		SHAPE(RESET_DONE, vsockdev_reset_done),
		.right = -EALREADY,
		.other = -EPERM,
	},
	[VSOCKDEV_NR_GET_CID] = {
		SHAPE(GET_CID, vsockdev_get_cid),
		.writes = true,
		.zero_at = { AT(vsockdev_get_cid, reserved) },
	},
	[VSOCKDEV_NR_GET_INFO] = {
		SHAPE(GET_INFO, vsockdev_get_info),
		.writes = true,
	},
};

void put32(void *room, int at, uint32_t value)
{
	memcpy((char *)room + at, &value, sizeof(value));
}

uint32_t get32(const void *room, int at)
{
	uint32_t value;

	memcpy(&value, (const char *)room + at, sizeof(value));
	return value;
}

static void put(struct scene *scene, int at, const void *value, size_t size)
{
	memcpy((char *)scene->right + at, value, size);
}

/* A REQUEST of the host that waits for an answer. */
static void ask(struct scene *scene)
{
	struct vsockdev_event request;
	uint32_t port = new_port();

	peer_do(&scene->peer, "ok", "dial-start %u", port);
	request = expect_request(&scene->dev, port);
	scene->link = (struct link){
		.sock = -1,
		.id = request.conn_id,
		.addr = request.addr,
	};
}

/* Something that the other end of a script connection knows how to take. */
static void put_file(struct scene *scene)
{
	static const char line[] = "ping me please!\n";
	uint64_t length = 0;

	scene->memory = memfd_create("vmo", MFD_CLOEXEC);
	while (length < 4096) {
		if (write(scene->memory, line, strlen(line)) < 0)
			fail("memfd: %s", strerror(errno));
		length += strlen(line);
	}
	put32(scene->right, AT(vsockdev_send_vmo, vmo_fd), scene->memory);
	put(scene, AT(vsockdev_send_vmo, length), &length, sizeof(length));
}

static void prepare(struct scene *scene)
{
	const struct shape *shape = scene->shape;

	scene->link.sock = -1;
	if (scene->nr == VSOCKDEV_NR_SEND_REQUEST)
		scene->link.addr = host_addr(SCRIPT_PORT);
	else if (scene->nr == VSOCKDEV_NR_SEND_RESPONSE)
		ask(scene);
	else if (shape->addr_at)
		scene->link = link_connect(&scene->dev, SCRIPT_PORT);
	if (scene->nr == VSOCKDEV_NR_SEND_VMO)
		put_file(scene);
}

void scene_open(struct scene *scene, unsigned int nr)
{
	const struct shape *shape = &shapes[nr];

	memset(scene, 0, sizeof(*scene));
	scene->nr = nr;
	scene->call = nr;
	scene->shape = shape;
	device_start(&scene->dev, NULL);
	scene->other = open_device();
	scene->peer = peer_open(&scene->dev);
	unix_pair(scene->pair);
	prepare(scene);
	put32(scene->right, 0, shape->size);
	if (shape->addr_at)
		put(scene, shape->addr_at, &scene->link.addr,
		    sizeof(scene->link.addr));
	if (shape->id_at)
		put(scene, shape->id_at, &scene->link.id,
		    sizeof(scene->link.id));
	if (shape->socket_at)
		put32(scene->right, shape->socket_at, scene->pair[1]);
	scene_settle(scene);
	scene_restore(scene);
}

void scene_settle(struct scene *scene)
{
	scene->conns = info_of(scene->dev.fd).conns;
}

void scene_restore(struct scene *scene)
{
	memcpy(scene->room, scene->right, sizeof(scene->room));
}

int scene_call(struct scene *scene, int fd, void *arg)
{
	return call(fd, _IO(VSOCKDEV_IOC_TYPE, scene->nr), arg);
}

int scene_try(struct scene *scene)
{
	uint64_t before[sizeof(scene->room) / sizeof(scene->room[0])];
	int error;

	memcpy(before, scene->room, sizeof(before));
	error = scene_call(scene, scene->dev.fd, scene->room);
	if (error && memcmp(before, scene->room, sizeof(before)))
		fail("%s failed and wrote to its struct", scene->shape->name);
	return error;
}

static void expect_effect(struct scene *scene)
{
	struct vsockdev_send_request request;

	switch (scene->nr) {
	case VSOCKDEV_NR_SEND_REQUEST:
		memcpy(&request, scene->room, sizeof(request));
		expect_event(&scene->dev, VSOCKDEV_EVENT_RESPONSE,
			     request.conn_id);
		break;
	case VSOCKDEV_NR_SEND_RESPONSE:
		peer_tell(&scene->peer, "dial-wait");
		if (strncmp(peer_hear(&scene->peer), "ok ", 3))
			fail("the host was not answered");
		break;
	case VSOCKDEV_NR_SEND_RST:
		expect_end(scene->link.sock, TRANSFER_RESET);
		break;
	}
}

void scene_expect_untouched(struct scene *scene)
{
	uint32_t conns = info_of(scene->dev.fd).conns;
	int error;

	if (conns != scene->conns)
		fail("there are %u connections instead of %u", conns,
		     scene->conns);
	expect_no_event(&scene->dev, 0);
	expect_alive(&scene->peer.link);
	if (scene->link.sock >= 0)
		expect_alive(&scene->link);
	scene_restore(scene);
	error = scene_call(scene, scene->dev.fd, scene->room);
	if (error != scene->shape->right)
		fail("%s, all right, answers %d", scene->shape->name, error);
	if (!error)
		expect_effect(scene);
}
