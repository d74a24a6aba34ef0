// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call about a connection, of which the first allocation or copy fails,
 * then the second, and so on. A call that fails has taken no address and no
 * socket, so it works when it is made once more, with the same ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "sweep-fixture.h"

static void make_pair(struct subject *subject)
{
	switch (subject->kind) {
	case PAIR_UNIX:
		unix_pair(subject->pair);
		break;
	case PAIR_SEQPACKET:
		seqpacket_pair(subject->pair);
		break;
	case PAIR_TCP:
		tcp_pair(subject->pair);
		break;
	}
}

static uint16_t type_of(const struct subject *subject)
{
	return subject->kind == PAIR_SEQPACKET ? VIRTIO_VSOCK_TYPE_SEQPACKET :
						 VIRTIO_VSOCK_TYPE_STREAM;
}

static void close_pair(struct subject *subject)
{
	close(subject->pair[0]);
	close(subject->pair[1]);
}

/* Connections, asked for by the program. */
static int request(struct subject *subject)
{
	struct flow *flow = &subject->flow;

	return send_request(dev_of(subject)->fd, flow->link.addr,
			    subject->pair[1], &flow->link.id);
}

static void prepare_request(void *data)
{
	struct subject *subject = data;

	subject->flow = flow_new(subject->fake);
	subject->flow.type = type_of(subject);
	make_pair(subject);
	note_conns(subject);
}

static int act_request(void *data)
{
	return request(data);
}

/* All that the driver has sent, at the address of the subject. */
struct sweep_packets {
	unsigned int requests;
	unsigned int rsts;
};

static struct sweep_packets take_all(struct subject *subject)
{
	struct sweep_packets seen = {};
	struct fake *fake = subject->fake;
	struct flow nobody = flow_new(fake);
	struct packet packet;

	/* Its answer is the last one */
	flow_put(&nobody, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	for (;;) {
		packet = fake_take(fake);
		if (packet.src_port == nobody.link.addr.local_port)
			return seen;
		check_packet(fake, &packet, subject->flow.link.addr,
			     packet.op);
		seen.requests += packet.op == VIRTIO_VSOCK_OP_REQUEST;
		seen.rsts += packet.op == VIRTIO_VSOCK_OP_RST;
	}
}

/*
 * If the id could not be told, the connection was there for a moment. It has
 * ended as by SEND_RST, and the socket with it.
 */
static bool was_there(struct subject *subject)
{
	struct sweep_packets seen = take_all(subject);

	if (!seen.rsts && !seen.requests)
		return false;
	if (seen.rsts != 1 || seen.requests > 1)
		fail("%u REQUEST, %u RST", seen.requests, seen.rsts);
	expect_end(subject->pair[0], TRANSFER_RESET);
	close_pair(subject);
	make_pair(subject);
	return true;
}

/* The address and the socket are free when it failed, and taken now. */
static void check_request(void *data, int error)
{
	struct subject *subject = data;

	if (error) {
		if (was_there(subject) && error != -EFAULT)
			fail("SEND_REQUEST: %s", strerror(-error));
		expect_conns(subject, 0);
		error = request(subject);
	}
	if (error)
		fail("SEND_REQUEST once more: %s", strerror(-error));
	expect_conns(subject, 1);
	flow_expect(&subject->flow, VIRTIO_VSOCK_OP_REQUEST);
	end_flow(subject);
	expect_end(subject->pair[0], TRANSFER_RESET);
	close_pair(subject);
}

TEST_F_TIMEOUT(sweep, send_request_unix, LONG_SECONDS)
{
	run(&self->subject, "SEND_REQUEST", prepare_request, act_request,
	    check_request);
}

TEST_F_TIMEOUT(sweep, send_request_seqpacket, LONG_SECONDS)
{
	self->subject.kind = PAIR_SEQPACKET;
	run(&self->subject, "SEND_REQUEST, seqpacket", prepare_request,
	    act_request, check_request);
}

TEST_F_TIMEOUT(sweep, send_request_tcp, LONG_SECONDS)
{
	self->subject.kind = PAIR_TCP;
	run(&self->subject, "SEND_REQUEST, TCP", prepare_request, act_request,
	    check_request);
}

/* And by the host. */
static void prepare_response(void *data)
{
	struct subject *subject = data;
	struct vsockdev_event event;

	prepare_request(data);
	flow_put(&subject->flow, VIRTIO_VSOCK_OP_REQUEST);
	event = expect_request(dev_of(subject),
			       subject->flow.link.addr.local_port);
	subject->flow.link.id = event.conn_id;
	note_conns(subject);
}

static int act_response(void *data)
{
	struct subject *subject = data;

	return send_response(dev_of(subject)->fd, subject->flow.link.addr,
			     subject->flow.link.id, subject->pair[1]);
}

static void check_response(void *data, int error)
{
	struct subject *subject = data;

	expect_conns(subject, 0);
	if (error) {
		expect_no_packet(subject->fake);
		error = act_response(data);
	}
	if (error)
		fail("SEND_RESPONSE once more: %s", strerror(-error));
	flow_expect(&subject->flow, VIRTIO_VSOCK_OP_RESPONSE);
	end_flow(subject);
	expect_end(subject->pair[0], TRANSFER_RESET);
	close_pair(subject);
}

TEST_F_TIMEOUT(sweep, send_response_unix, LONG_SECONDS)
{
	run(&self->subject, "SEND_RESPONSE", prepare_response, act_response,
	    check_response);
}

TEST_F_TIMEOUT(sweep, send_response_seqpacket, LONG_SECONDS)
{
	self->subject.kind = PAIR_SEQPACKET;
	run(&self->subject, "SEND_RESPONSE, seqpacket", prepare_response,
	    act_response, check_response);
}

TEST_F_TIMEOUT(sweep, send_response_tcp, LONG_SECONDS)
{
	self->subject.kind = PAIR_TCP;
	run(&self->subject, "SEND_RESPONSE, TCP", prepare_response,
	    act_response, check_response);
}

/* What is done to a connection. */
static void prepare_open(void *data)
{
	struct subject *subject = data;

	subject->flow = flow_accept(subject->fake);
	note_conns(subject);
}

static int act_rst(void *data)
{
	struct subject *subject = data;

	return send_rst(dev_of(subject)->fd, subject->flow.link.addr,
			subject->flow.link.id);
}

static void check_rst(void *data, int error)
{
	struct subject *subject = data;

	if (error) {
		expect_conns(subject, 0);
		error = act_rst(data);
	}
	if (error)
		fail("SEND_RST once more: %s", strerror(-error));
	flow_expect(&subject->flow, VIRTIO_VSOCK_OP_RST);
	expect_end(subject->flow.link.sock, TRANSFER_RESET);
	link_close(&subject->flow.link);
}

TEST_F_TIMEOUT(sweep, send_rst, LONG_SECONDS)
{
	run(&self->subject, "SEND_RST", prepare_open, act_rst, check_rst);
}

static int act_shutdown(void *data)
{
	struct subject *subject = data;

	return send_shutdown(dev_of(subject)->fd, subject->flow.link.addr,
			     subject->flow.link.id, 0);
}

static void check_shutdown(void *data, int error)
{
	struct subject *subject = data;

	if (error) {
		expect_no_packet(subject->fake);
		error = act_shutdown(data);
	}
	if (error)
		fail("SEND_SHUTDOWN once more: %s", strerror(-error));
	flow_expect(&subject->flow, VIRTIO_VSOCK_OP_SHUTDOWN);
	end_flow(subject);
	link_close(&subject->flow.link);
}

TEST_F_TIMEOUT(sweep, send_shutdown, LONG_SECONDS)
{
	run(&self->subject, "SEND_SHUTDOWN", prepare_open, act_shutdown,
	    check_shutdown);
}

static void acknowledge(struct subject *subject)
{
	struct vsockdev_reset_done done = { .size = sizeof(done) };

	done.generation = subject->generation;
	if (call(dev_of(subject)->fd, VSOCKDEV_RESET_DONE, &done))
		fail("RESET_DONE once more failed");
}

static void prepare_reset(void *data)
{
	struct subject *subject = data;
	struct vsockdev_event event;

	fake_event(subject->fake, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	event = expect_event(dev_of(subject), VSOCKDEV_EVENT_TRANSPORT_RESET,
			     0);
	subject->generation = event.transport_reset.generation;
}

static int act_reset_done(void *data)
{
	struct subject *subject = data;
	struct vsockdev_reset_done done = {
		.size = sizeof(done),
		.generation = subject->generation,
	};

	return call(dev_of(subject)->fd, VSOCKDEV_RESET_DONE, &done);
}

static void check_reset_done(void *data, int error)
{
	if (error)
		acknowledge(data);
	if (act_reset_done(data) != -EALREADY)
		fail("the reset is not acknowledged");
}

TEST_F_TIMEOUT(sweep, reset_done, LONG_SECONDS)
{
	run(&self->subject, "RESET_DONE", prepare_reset, act_reset_done,
	    check_reset_done);
}

static int act_get_cid(void *data)
{
	struct vsockdev_get_cid cid = { .size = sizeof(cid) };
	struct subject *subject = data;

	return call(dev_of(subject)->fd, VSOCKDEV_GET_CID, &cid);
}

static int act_get_info(void *data)
{
	struct vsockdev_get_info info = { .size = sizeof(info) };
	struct subject *subject = data;

	return call(dev_of(subject)->fd, VSOCKDEV_GET_INFO, &info);
}

static void check_nothing(void *data, int error)
{
	(void)data;
	(void)error;
}

TEST_F_TIMEOUT(sweep, get_cid, LONG_SECONDS)
{
	run(&self->subject, "GET_CID", NULL, act_get_cid, check_nothing);
}

TEST_F_TIMEOUT(sweep, get_info, LONG_SECONDS)
{
	run(&self->subject, "GET_INFO", NULL, act_get_info, check_nothing);
}

/* Files. What fails sends nothing and owes no completion. */
#define FILE_SIZE (3 * PAGE)

static int act_vmo(void *data)
{
	struct subject *subject = data;

	return flow_vmo(&subject->flow, subject->file, 0, FILE_SIZE);
}

/* The stream, and zeroes where the file has nothing. */
static void check_bytes(const struct subject *subject, uint64_t pos,
			const struct packet *packet)
{
	uint64_t filled = pos < subject->filled ? subject->filled - pos : 0;
	struct stream stream = stream_at(7, pos);
	const uint8_t *bytes = packet->payload;
	size_t part = packet->len < filled ? packet->len : filled;

	if (stream_check(&stream, bytes, part) != part ||
	    !all_zero(bytes + part, packet->len - part))
		fail("wrong bytes in the packet at %llu",
		     (unsigned long long)pos);
}

static void check_vmo(void *data, int error)
{
	struct subject *subject = data;
	struct flow *flow = &subject->flow;
	uint64_t left;

	if (error) {
		expect_no_packet(subject->fake);
		expect_no_event(dev_of(subject), 0);
		error = act_vmo(data);
	}
	if (error)
		fail("SEND_VMO once more: %s", strerror(-error));
	for (left = FILE_SIZE; left;) {
		struct packet packet = next_data(flow);

		check_bytes(subject, FILE_SIZE - left, &packet);
		left -= packet.len;
	}
	flow_complete(flow, 0, FILE_SIZE);
	end_flow(subject);
	link_close(&flow->link);
}

static void sweep_file(struct subject *subject, const char *name,
		       enum vmo_kind kind)
{
	subject->file = vmo_open(kind, HUGE_PAGE);
	if (subject->file < 0)
		fail("no such files here");
	subject->filled = kind == VMO_MEMFD ? PAGE : FILE_SIZE;
	vmo_fill(subject->file, 0, stream_at(7, 0), subject->filled);
	run(subject, name, prepare_open, act_vmo, check_vmo);
	close(subject->file);
}

TEST_F_TIMEOUT(sweep, send_vmo_memfd, LONG_SECONDS)
{
	sweep_file(&self->subject, "SEND_VMO, memfd", VMO_MEMFD);
}

TEST_F_TIMEOUT(sweep, send_vmo_thp, LONG_SECONDS)
{
	sweep_file(&self->subject, "SEND_VMO, huge pages", VMO_THP);
}

TEST_F_TIMEOUT(sweep, send_vmo_ramfs, LONG_SECONDS)
{
	sweep_file(&self->subject, "SEND_VMO, ramfs", VMO_RAMFS);
}

TEST_HARNESS_MAIN
