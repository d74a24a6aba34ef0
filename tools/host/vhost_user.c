// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vhost-user protocol, device side, one client at a time.
 *
 * A ring runs once it has a kick descriptor and is enabled, and rests when it
 * is disabled, asked for its base or set up anew. The device runs while both
 * data rings do. QEMU stops a ring by GET_VRING_BASE, UML by disabling it;
 * QEMU brings only the two data rings, UML the event ring as well.
 */
#include "vhost_user.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_vsock.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "options.h"
#include "unix.h"
#include "util.h"
#include "vhost_user_msg.h"

/* A client that stops in the middle of a message holds up everything. */
#define CLIENT_TIMEOUT_S 1

#define BIT64(n) (1ULL << (n))

#define PROTOCOL_FEATURES                           \
	(BIT64(VHOST_USER_PROTOCOL_F_MQ) |          \
	 BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK) |   \
	 BIT64(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | \
	 BIT64(VHOST_USER_PROTOCOL_F_CONFIG))

static uint64_t device_features(const struct vhost_user *vu)
{
	uint64_t f = BIT64(VIRTIO_F_VERSION_1) |
		     BIT64(VIRTIO_RING_F_EVENT_IDX) |
		     BIT64(VHOST_USER_F_PROTOCOL_FEATURES);

	if (vu->opts->seqpacket)
		f |= BIT64(VIRTIO_VSOCK_F_SEQPACKET);
	if (vu->opts->indirect)
		f |= BIT64(VIRTIO_RING_F_INDIRECT_DESC);
	return f;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Takes the only descriptor out of a message; -1 without one. */
static int take_fd(struct vhost_user_msg *msg)
{
	int fd = msg->fd_count ? msg->fds[0] : -1;

	msg->fds[0] = -1;
	return fd;
}

/* The kick only ends the wait: the loop looks at the rings by itself. */
static void kicked(struct source *src, uint32_t events)
{
	(void)events;
	container_of(src, struct vhost_user_queue, kick)->vq.kicks++;
}

static bool data_rings_run(const struct vhost_user *vu)
{
	return vu->queues[VSOCK_QUEUE_RX].vq.running &&
	       vu->queues[VSOCK_QUEUE_TX].vq.running;
}

static void ring_stop(struct vhost_user *vu, struct vhost_user_queue *q)
{
	virtq_stop(&q->vq);
	if (!data_rings_run(vu))
		vsock_stop(vu->vs);
}

/* Starts the ring if the client has said all that is needed for it. */
static int ring_start(struct vhost_user *vu, struct vhost_user_queue *q)
{
	bool implied = !(vu->features & BIT64(VHOST_USER_F_PROTOCOL_FEATURES));
	int err;

	if (q->vq.running || q->kick.fd < 0 || !(q->enabled || implied))
		return 0;
	err = virtq_start(&q->vq, &vu->mem, vu->features);
	if (err) {
		log_error("ring: %s", strerror(-err));
		return err;
	}
	if (data_rings_run(vu) && !vu->vs->running)
		vsock_start(vu->vs, vu->features);
	return 0;
}

static struct vhost_user_queue *queue(struct vhost_user *vu, uint32_t index)
{
	return index < VSOCK_QUEUES ? &vu->queues[index] : NULL;
}

/*
 * Handlers: 0 if done, 1 if the message became its own reply, or -errno. The
 * table below has checked the size of the payload.
 */

static int get_features(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	msg->payload.u64 = device_features(vu);
	msg->hdr.size = sizeof(msg->payload.u64);
	return 1;
}

static int set_features(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	if (msg->payload.u64 & ~device_features(vu))
		return -EINVAL;
	vu->features = msg->payload.u64;
	return 0;
}

static int get_protocol_features(struct vhost_user *vu,
				 struct vhost_user_msg *msg)
{
	(void)vu;
	msg->payload.u64 = PROTOCOL_FEATURES;
	msg->hdr.size = sizeof(msg->payload.u64);
	return 1;
}

static int set_protocol_features(struct vhost_user *vu,
				 struct vhost_user_msg *msg)
{
	(void)vu;
	return msg->payload.u64 & ~PROTOCOL_FEATURES ? -EINVAL : 0;
}

static int set_owner(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	(void)vu;
	(void)msg;
	return 0;
}

static int get_queue_num(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	(void)vu;
	msg->payload.u64 = VSOCK_QUEUES;
	msg->hdr.size = sizeof(msg->payload.u64);
	return 1;
}

static int add_regions(struct vhost_user *vu, const struct vhost_user_msg *msg)
{
	const struct vhost_user_memory *memory = &msg->payload.memory;

	if (memory->count != msg->fd_count ||
	    msg->hdr.size < offsetof(struct vhost_user_memory, regions) +
				    memory->count * sizeof(*memory->regions))
		return -EINVAL;
	for (uint32_t i = 0; i < memory->count; i++) {
		const struct vhost_user_region *r = &memory->regions[i];
		struct gmem_region region = {
			.guest_addr = r->guest_addr,
			.user_addr = r->user_addr,
			.size = r->size,
			.mmap_offset = r->mmap_offset,
		};
		int err = gmem_add(&vu->mem, &region, msg->fds[i]);

		if (err)
			return err;
	}
	return 0;
}

static int set_mem_table(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	int err;

	gmem_clear(&vu->mem);
	err = add_regions(vu, msg);
	if (err)
		gmem_clear(&vu->mem);
	for (unsigned int i = 0; i < VSOCK_QUEUES; i++) {
		struct vhost_user_queue *q = &vu->queues[i];

		if (q->vq.running && virtq_map(&q->vq, &vu->mem)) {
			/* Its memory is gone: no last word to the guest. */
			q->vq.running = false;
			ring_stop(vu, q);
		}
	}
	return err;
}

static int set_vring_num(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	struct vhost_user_queue *q = queue(vu, msg->payload.state.index);

	if (!q)
		return -EINVAL;
	ring_stop(vu, q);
	q->vq.num = msg->payload.state.num;
	return 0;
}

static int set_vring_addr(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	const struct vhost_vring_addr *addr = &msg->payload.addr;
	struct vhost_user_queue *q = queue(vu, addr->index);

	if (!q)
		return -EINVAL;
	ring_stop(vu, q);
	q->vq.desc_addr = addr->desc_user_addr;
	q->vq.avail_addr = addr->avail_user_addr;
	q->vq.used_addr = addr->used_user_addr;
	return 0;
}

static int set_vring_base(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	struct vhost_user_queue *q = queue(vu, msg->payload.state.index);

	if (!q)
		return -EINVAL;
	ring_stop(vu, q);
	q->vq.last_avail = msg->payload.state.num;
	return 0;
}

static int get_vring_base(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	struct vhost_user_queue *q = queue(vu, msg->payload.state.index);

	if (!q)
		return -EINVAL;
	ring_stop(vu, q);
	loop_close(vu->loop, &q->kick);
	close_fd(&q->vq.call_fd);
	msg->payload.state.num = q->vq.last_avail;
	msg->hdr.size = sizeof(msg->payload.state);
	return 1;
}

static int set_vring_kick(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	struct vhost_user_queue *q =
		queue(vu, msg->payload.u64 & VHOST_USER_VRING_INDEX_MASK);
	int fd = take_fd(msg), err;

	if (!q || fd < 0) {
		close_fd(&fd);
		return -EINVAL;
	}
	loop_close(vu->loop, &q->kick);
	/* Edge triggered, the counter need not be read. */
	err = loop_add(vu->loop, &q->kick, fd, EPOLLIN | EPOLLET, kicked);
	return err ? err : ring_start(vu, q);
}

static int set_vring_call(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	struct vhost_user_queue *q =
		queue(vu, msg->payload.u64 & VHOST_USER_VRING_INDEX_MASK);
	int fd = take_fd(msg);

	if (!q) {
		close_fd(&fd);
		return -EINVAL;
	}
	close_fd(&q->vq.call_fd);
	q->vq.call_fd = fd;
	/* UML hands over a pipe, which a guest could leave full. */
	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return 0;
}

static int set_vring_err(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	/* There is nothing to tell: a broken ring rests until a reset. */
	return queue(vu, msg->payload.u64 & VHOST_USER_VRING_INDEX_MASK) ?
		       0 :
		       -EINVAL;
}

static int set_vring_enable(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	struct vhost_user_queue *q = queue(vu, msg->payload.state.index);

	if (!q)
		return -EINVAL;
	q->enabled = msg->payload.state.num;
	if (q->enabled)
		return ring_start(vu, q);
	ring_stop(vu, q);
	return 0;
}

static int set_backend_req_fd(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	close_fd(&vu->backend_fd);
	vu->backend_fd = take_fd(msg);
	return 0;
}

static int get_config(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	struct vhost_user_config *config = &msg->payload.config;
	struct virtio_vsock_config cfg = {
		.guest_cid = htole64(vu->vs->cid),
	};
	size_t head = offsetof(struct vhost_user_config, data);

	if (config->size > sizeof(config->data) ||
	    msg->hdr.size < head + config->size)
		return -EINVAL;
	vu->vs->cid_is_news = false;
	memset(config->data, 0, sizeof(config->data));
	if (config->offset < sizeof(cfg))
		memcpy(config->data, (uint8_t *)&cfg + config->offset,
		       min(sizeof(cfg) - config->offset, (size_t)config->size));
	msg->hdr.size = head + config->size;
	return 1;
}

int vhost_user_config_changed(struct vhost_user *vu)
{
	const struct vhost_user_header hdr = {
		.request = VHOST_USER_BACKEND_CONFIG_CHANGE,
		.flags = VHOST_USER_VERSION,
	};

	if (vu->client.fd < 0)
		return 0;
	if (vu->backend_fd < 0)
		return -EOPNOTSUPP;
	/* It answers by GET_CONFIG, so there is no other answer to wait for. */
	return send(vu->backend_fd, &hdr, sizeof(hdr),
		    MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(hdr) ?
		       0 :
		       -EPIPE;
}

/* What a request carries at least. */
enum {
	U64 = sizeof(uint64_t),
	STATE = sizeof(struct vhost_vring_state),
	ADDR = sizeof(struct vhost_vring_addr),
	MEMORY = offsetof(struct vhost_user_memory, regions),
	CONFIG = offsetof(struct vhost_user_config, data),
};

static const struct handler {
	int (*handle)(struct vhost_user *vu, struct vhost_user_msg *msg);
	uint32_t size;
} handlers[] = {
	[VHOST_USER_GET_FEATURES] = { get_features, 0 },
	[VHOST_USER_SET_FEATURES] = { set_features, U64 },
	[VHOST_USER_SET_OWNER] = { set_owner, 0 },
	[VHOST_USER_RESET_OWNER] = { set_owner, 0 },
	[VHOST_USER_SET_MEM_TABLE] = { set_mem_table, MEMORY },
	[VHOST_USER_SET_VRING_NUM] = { set_vring_num, STATE },
	[VHOST_USER_SET_VRING_ADDR] = { set_vring_addr, ADDR },
	[VHOST_USER_SET_VRING_BASE] = { set_vring_base, STATE },
	[VHOST_USER_GET_VRING_BASE] = { get_vring_base, STATE },
	[VHOST_USER_SET_VRING_KICK] = { set_vring_kick, U64 },
	[VHOST_USER_SET_VRING_CALL] = { set_vring_call, U64 },
	[VHOST_USER_SET_VRING_ERR] = { set_vring_err, U64 },
	[VHOST_USER_GET_PROTOCOL_FEATURES] = { get_protocol_features, 0 },
	[VHOST_USER_SET_PROTOCOL_FEATURES] = { set_protocol_features, U64 },
	[VHOST_USER_GET_QUEUE_NUM] = { get_queue_num, 0 },
	[VHOST_USER_SET_VRING_ENABLE] = { set_vring_enable, STATE },
	[VHOST_USER_SET_BACKEND_REQ_FD] = { set_backend_req_fd, 0 },
	[VHOST_USER_GET_CONFIG] = { get_config, CONFIG },
};

static int handle(struct vhost_user *vu, struct vhost_user_msg *msg)
{
	const struct handler *h = NULL;

	if (msg->hdr.request < ARRAY_SIZE(handlers))
		h = &handlers[msg->hdr.request];
	if (!h || !h->handle)
		return -EOPNOTSUPP;
	return msg->hdr.size < h->size ? -EINVAL : h->handle(vu, msg);
}

/* Everything that the client set up ends with it. */
static void client_close(struct vhost_user *vu)
{
	for (unsigned int i = 0; i < VSOCK_QUEUES; i++) {
		struct vhost_user_queue *q = &vu->queues[i];

		ring_stop(vu, q);
		loop_close(vu->loop, &q->kick);
		close_fd(&q->vq.call_fd);
		q->enabled = false;
	}
	gmem_clear(&vu->mem);
	close_fd(&vu->backend_fd);
	vu->features = 0;
	loop_close(vu->loop, &vu->client);
	vu->client_left = true;
}

static int serve(struct vhost_user *vu)
{
	struct vhost_user_msg msg;
	int err = vhost_user_receive(vu->client.fd, &msg), res;

	if (!err) {
		res = handle(vu, &msg);
		if (res < 0)
			log_error("request %u: %s", msg.hdr.request,
				  strerror(-res));
		if (res <= 0) {
			msg.payload.u64 = res < 0;
			msg.hdr.size = sizeof(msg.payload.u64);
		}
		if (res > 0 || (msg.hdr.flags & VHOST_USER_NEED_REPLY))
			err = vhost_user_reply(vu->client.fd, &msg);
	}
	vhost_user_close_fds(&msg);
	return err;
}

static void client_ready(struct source *src, uint32_t events)
{
	struct vhost_user *vu = container_of(src, struct vhost_user, client);
	int err = serve(vu);

	(void)events;
	if (!err)
		return;
	if (err != -ECONNRESET)
		log_error("client: %s", strerror(-err));
	log_verbose("client has gone");
	client_close(vu);
}

static void client_arrived(struct source *src, uint32_t events)
{
	struct vhost_user *vu = container_of(src, struct vhost_user, listener);
	struct timeval timeout = { .tv_sec = CLIENT_TIMEOUT_S };
	int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (vu->client.fd >= 0) {
		log_error("a second client was turned away");
		close(fd);
		return;
	}
	log_verbose("client is there");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (loop_add(vu->loop, &vu->client, fd, EPOLLIN, client_ready))
		loop_close(vu->loop, &vu->client);
}

void vhost_user_init(struct vhost_user *vu, const struct options *opts,
		     struct loop *loop, struct vsock *vs)
{
	*vu = (struct vhost_user){
		.opts = opts,
		.loop = loop,
		.vs = vs,
		.listener.fd = -1,
		.client.fd = -1,
		.backend_fd = -1,
	};
	for (unsigned int i = 0; i < VSOCK_QUEUES; i++) {
		vu->queues[i].vq.call_fd = -1;
		vu->queues[i].kick.fd = -1;
	}
}

int vhost_user_listen(struct vhost_user *vu)
{
	int fd = unix_bind(vu->opts->socket, SOCK_STREAM);

	if (fd < 0)
		return fd;
	return loop_add(vu->loop, &vu->listener, fd, EPOLLIN, client_arrived);
}

void vhost_user_close(struct vhost_user *vu)
{
	client_close(vu);
	loop_close(vu->loop, &vu->listener);
	unlink(vu->opts->socket);
}
