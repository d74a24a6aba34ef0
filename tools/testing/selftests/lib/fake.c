// SPDX-License-Identifier: GPL-2.0-only
/* A device that the test plays: it is the host. */
#include "fake.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#undef fake_open
#undef fake_put
#undef fake_put_bytes
#undef fake_take
#undef wait_until_handled
#undef fake_hold
#undef fake_return
#undef fake_event
#undef expect_packet
#undef expect_no_packet
#undef count_packets
#undef expect_usable
#undef expect_request
#undef info_of

#define FAKE_PATH "/dev/vsockdev_fake"
#define PATIENT_MS 60000

int fake_call(const struct fake *fake, unsigned long cmd, void *arg)
{
	return ioctl(fake->fd, cmd, arg) ? -errno : 0;
}

static void must(const struct fake *fake, unsigned long cmd, void *arg,
		 const char *name)
{
	int error = fake_call(fake, cmd, arg);

	if (error)
		fail("fake device: %s: %s", name, strerror(-error));
}

#define MUST(fake, name, arg) must(fake, VSOCKDEV_FAKE_##name, arg, #name)

bool fake_find_node(struct fake *fake)
{
	char pattern[96];
	glob_t found;

	snprintf(pattern, sizeof(pattern),
		 "/sys/bus/virtio/devices/virtio%u/vsockdev/vsockdev*",
		 fake->index);
	if (glob(pattern, 0, NULL, &found))
		return false;
	snprintf(fake->node, sizeof(fake->node), "/dev/%s",
		 strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
	return true;
}

int fake_open_node(const struct fake *fake)
{
	int fd = open(fake->node, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail("%s: %s", fake->node, strerror(errno));
	return fd;
}

static void start_node(struct fake *fake, const struct vsockdev_start *options)
{
	struct vsockdev_start arg = *options;
	int error;

	if (!arg.connect_timeout_ms)
		arg.connect_timeout_ms = PATIENT_MS;
	if (!arg.close_timeout_ms)
		arg.close_timeout_ms = PATIENT_MS;
	fake->dev.fd = fake_open_node(fake);
	error = start(fake->dev.fd, &arg);
	if (error)
		fail("START: %s", strerror(-error));
}

void fake_open(struct fake *fake, const struct fake_options *options)
{
	static const struct fake_options usual;
	struct vsockdev_fake_add add = {};

	options = options ?: &usual;
	memset(fake, 0, offsetof(struct fake, bytes));
	fake->dev.fd = -1;
	fake->cid = options->cid ?: FAKE_CID;
	fake->fd = open(FAKE_PATH, O_RDWR | O_CLOEXEC);
	if (fake->fd < 0)
		fail("%s: %s", FAKE_PATH, strerror(errno));
	add.features = options->features;
	add.cid = fake->cid;
	add.queue_size = options->queue_size ?: FAKE_QUEUE_SIZE;
	MUST(fake, ADD, &add);
	fake->index = add.index;
	/* The driver has made it by now, as plugging in includes the probe. */
	if (!fake_find_node(fake))
		fail("virtio%u has no node", fake->index);
	if (!options->no_start)
		start_node(fake, &options->start);
}

void fake_remove(struct fake *fake)
{
	MUST(fake, REMOVE, NULL);
}

void fake_close(struct fake *fake)
{
	if (fake->dev.fd >= 0)
		close(fake->dev.fd);
	close(fake->fd);
}

struct vsockdev_fake_state fake_state(const struct fake *fake)
{
	struct vsockdev_fake_state state;

	MUST(fake, STATE, &state);
	return state;
}

uint32_t fake_posted(const struct fake *fake, enum fake_queue queue)
{
	return fake_state(fake).posted[queue];
}

/* Waits until the driver did something about a queue. */
static void wait_for(const struct fake *fake, short events, const char *what)
{
	struct pollfd fds = { .fd = fake->fd, .events = events };

	if (poll(&fds, 1, HANG_GUARD_MS) < 0)
		fail("poll: %s", strerror(errno));
	if (fds.revents & POLLHUP)
		fail("there is no driver, while waiting for %s", what);
	if (!(fds.revents & events))
		fail("never came: %s", what);
}

int fake_try_put(struct fake *fake, enum fake_queue queue, const void *bytes,
		 uint32_t len, uint32_t used, uint32_t flags)
{
	struct vsockdev_fake_put put = {
		.data = (uintptr_t)bytes,
		.len = len,
		.used = used,
		.queue = queue,
		.flags = flags,
	};
	int error = fake_call(fake, VSOCKDEV_FAKE_PUT, &put);

	if (!error && queue == FAKE_RX)
		fake->put++;
	return error;
}

/* The driver counts a packet and handles it under one lock. */
void wait_until_handled(struct fake *fake)
{
	WAIT_FOR(info_of(fake->dev.fd).rx_packets == fake->put);
}

void fake_put_bytes(struct fake *fake, const void *bytes, uint32_t len,
		    uint32_t used)
{
	int error;

	do {
		wait_for(fake, POLLOUT, "a buffer for a packet");
		error = fake_try_put(fake, FAKE_RX, bytes, len, used,
				     VSOCKDEV_FAKE_INTERRUPT_WANTED);
	} while (error == -EAGAIN);
	if (error)
		fail("putting a packet of %u bytes: %s", len, strerror(-error));
}

void fake_interrupt(struct fake *fake, enum fake_queue queue)
{
	MUST(fake, INTERRUPT, (void *)(uintptr_t)queue);
}

void packet_encode(const struct packet *packet, void *header)
{
	struct virtio_vsock_hdr wire = {
		.src_cid = htole64(packet->src_cid),
		.dst_cid = htole64(packet->dst_cid),
		.src_port = htole32(packet->src_port),
		.dst_port = htole32(packet->dst_port),
		.len = htole32(packet->len),
		.type = htole16(packet->type),
		.op = htole16(packet->op),
		.flags = htole32(packet->flags),
		.buf_alloc = htole32(packet->buf_alloc),
		.fwd_cnt = htole32(packet->fwd_cnt),
	};

	_Static_assert(sizeof(wire) == PACKET_HEADER, "virtio 1.2, 5.10.6");
	memcpy(header, &wire, sizeof(wire));
}

void packet_decode(struct packet *packet, const void *header)
{
	struct virtio_vsock_hdr wire;

	memcpy(&wire, header, sizeof(wire));
	packet->src_cid = le64toh(wire.src_cid);
	packet->dst_cid = le64toh(wire.dst_cid);
	packet->src_port = le32toh(wire.src_port);
	packet->dst_port = le32toh(wire.dst_port);
	packet->len = le32toh(wire.len);
	packet->type = le16toh(wire.type);
	packet->op = le16toh(wire.op);
	packet->flags = le32toh(wire.flags);
	packet->buf_alloc = le32toh(wire.buf_alloc);
	packet->fwd_cnt = le32toh(wire.fwd_cnt);
}

size_t packet_bytes(const struct packet *packet, uint8_t *bytes)
{
	packet_encode(packet, bytes);
	if (packet->payload)
		memcpy(bytes + PACKET_HEADER, packet->payload, packet->len);
	return PACKET_HEADER + (packet->payload ? packet->len : 0);
}

void fake_put(struct fake *fake, const struct packet *packet)
{
	static uint8_t bytes[FAKE_BYTES_MAX];
	size_t len = packet_bytes(packet, bytes);

	fake_put_bytes(fake, bytes, len, len);
}

int fake_try_event(struct fake *fake, uint32_t id)
{
	struct virtio_vsock_event event = { .id = htole32(id) };

	return fake_try_put(fake, FAKE_EVENTS, &event, sizeof(event),
			    sizeof(event), VSOCKDEV_FAKE_INTERRUPT_WANTED);
}

void fake_event(struct fake *fake, uint32_t id)
{
	int error = fake_try_event(fake, id);

	if (error)
		fail("transport event: %s", strerror(-error));
}

void fake_set_cid(struct fake *fake, uint64_t cid, bool tell)
{
	struct vsockdev_fake_config config = {
		.cid = cid,
		.flags = tell ? VSOCKDEV_FAKE_INTERRUPT_ALWAYS : 0,
	};

	MUST(fake, CONFIG, &config);
	fake->cid = cid;
}

/* What every packet of the driver must be, to be one at all. */
static void check_taken(struct fake *fake, struct packet *packet)
{
	struct vsockdev_fake_take *chain = &packet->chain;

	if (chain->len < PACKET_HEADER || chain->len > sizeof(fake->bytes) ||
	    chain->writable)
		fail("the driver sends %u bytes, and %u to be written",
		     chain->len, chain->writable);
	packet_decode(packet, fake->bytes);
	packet->payload = fake->bytes + PACKET_HEADER;
	if (packet->len != chain->len - PACKET_HEADER)
		fail("%s: len is %u in a packet of %u bytes",
		     op_name(packet->op), packet->len, chain->len);
}

static struct packet take(struct fake *fake, unsigned long cmd, uint32_t flags,
			  uint32_t id)
{
	struct packet packet = { .chain = {
		.data = (uintptr_t)fake->bytes,
		.room = sizeof(fake->bytes),
		.queue = FAKE_TX,
		.flags = flags,
		.id = id,
	} };

	must(fake, cmd, &packet.chain, "taking a packet");
	check_taken(fake, &packet);
	return packet;
}

struct packet fake_take(struct fake *fake)
{
	wait_for(fake, POLLIN, "a packet of the driver");
	return take(fake, VSOCKDEV_FAKE_TAKE, VSOCKDEV_FAKE_INTERRUPT_WANTED,
		    0);
}

struct packet fake_hold(struct fake *fake)
{
	wait_for(fake, POLLIN, "a packet of the driver");
	return take(fake, VSOCKDEV_FAKE_TAKE, VSOCKDEV_FAKE_HOLD, 0);
}

struct packet fake_look(struct fake *fake, const struct packet *packet)
{
	return take(fake, VSOCKDEV_FAKE_LOOK, 0, packet->chain.id);
}

void fake_return(struct fake *fake, const struct packet *packet)
{
	struct vsockdev_fake_return arg = {
		.id = packet->chain.id,
		.queue = FAKE_TX,
		.flags = VSOCKDEV_FAKE_INTERRUPT_WANTED,
	};

	MUST(fake, RETURN, &arg);
}

const char *op_name(uint16_t op)
{
	static const char *const names[] = {
		[VIRTIO_VSOCK_OP_INVALID] = "INVALID",
		[VIRTIO_VSOCK_OP_REQUEST] = "REQUEST",
		[VIRTIO_VSOCK_OP_RESPONSE] = "RESPONSE",
		[VIRTIO_VSOCK_OP_RST] = "RST",
		[VIRTIO_VSOCK_OP_SHUTDOWN] = "SHUTDOWN",
		[VIRTIO_VSOCK_OP_RW] = "RW",
		[VIRTIO_VSOCK_OP_CREDIT_UPDATE] = "CREDIT_UPDATE",
		[VIRTIO_VSOCK_OP_CREDIT_REQUEST] = "CREDIT_REQUEST",
	};

	return op < sizeof(names) / sizeof(names[0]) ? names[op] : "(unknown)";
}

struct packet packet_from_host(const struct fake *fake,
			       struct vsockdev_addr addr, uint16_t op)
{
	return (struct packet){
		.src_cid = addr.remote_cid,
		.dst_cid = fake->cid,
		.src_port = addr.remote_port,
		.dst_port = addr.local_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
	};
}

static bool is_at(const struct fake *fake, const struct packet *packet,
		  struct vsockdev_addr addr)
{
	return packet->src_cid == fake->cid &&
	       packet->dst_cid == addr.remote_cid &&
	       packet->src_port == addr.local_port &&
	       packet->dst_port == addr.remote_port;
}

static void describe(const struct packet *packet, char *buf, size_t size)
{
	snprintf(buf, size, "%s from %llu:%u to %llu:%u, len %u, flags %u",
		 op_name(packet->op), (unsigned long long)packet->src_cid,
		 packet->src_port, (unsigned long long)packet->dst_cid,
		 packet->dst_port, packet->len, packet->flags);
}

void check_packet(const struct fake *fake, const struct packet *packet,
		  struct vsockdev_addr addr, uint16_t op)
{
	char seen[160];

	if (packet->op == op && is_at(fake, packet, addr))
		return;
	describe(packet, seen, sizeof(seen));
	fail("expected %s from %u to %u:%u, saw %s", op_name(op),
	     addr.local_port, addr.remote_cid, addr.remote_port, seen);
}

struct packet expect_packet(struct fake *fake, struct vsockdev_addr addr,
			    uint16_t op)
{
	struct packet packet = fake_take(fake);

	check_packet(fake, &packet, addr, op);
	if (op != VIRTIO_VSOCK_OP_RW && packet.len)
		fail("%s has %u bytes of payload", op_name(op), packet.len);
	return packet;
}

/* Provokes an answer that cannot be mistaken, and comes after all before. */
static struct vsockdev_addr call_nobody(struct fake *fake)
{
	struct vsockdev_addr nobody = host_addr(new_port());
	struct packet packet;

	packet = packet_from_host(fake, nobody, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	fake_put(fake, &packet);
	return nobody;
}

void expect_no_packet(struct fake *fake)
{
	expect_packet(fake, call_nobody(fake), VIRTIO_VSOCK_OP_RST);
}

unsigned int count_packets(struct fake *fake, struct vsockdev_addr addr,
			   uint16_t op)
{
	struct vsockdev_addr nobody = call_nobody(fake);
	unsigned int count = 0;

	for (;;) {
		struct packet packet = fake_take(fake);

		if (packet.op == VIRTIO_VSOCK_OP_RST &&
		    is_at(fake, &packet, nobody))
			return count;
		check_packet(fake, &packet, addr,
			     op == ANY_OP ? packet.op : op);
		count++;
	}
}

void expect_usable(struct fake *fake)
{
	struct vsockdev_addr addr = host_addr(new_port());
	struct vsockdev_event event;
	struct packet packet;

	packet = packet_from_host(fake, addr, VIRTIO_VSOCK_OP_REQUEST);
	fake_put(fake, &packet);
	event = expect_request(&fake->dev, addr.local_port);
	if (send_rst(fake->dev.fd, addr, event.conn_id))
		fail("SEND_RST of a REQUEST failed");
	expect_packet(fake, addr, VIRTIO_VSOCK_OP_RST);
}
