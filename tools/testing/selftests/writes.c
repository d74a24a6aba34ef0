// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which packets become of what a program writes. AF_UNIX takes large writes in
 * parts and tells of each; a program may be held up between two of them.
 */
#include <errno.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/fake.h"
#include "lib/trap.h"

#define PART 36544 /* of AF_UNIX, with pages of 4 KiB */
#define PACKET 65536
#define MIB (1024 * 1024)

FIXTURE(writes) {
	struct fake fake;
	struct flow flow;
	struct stream taken;
	uint8_t bytes[4 * PART];
};

FIXTURE_SETUP(writes)
{
	struct fake_options options = {
		.features = 1ULL << VIRTIO_RING_F_INDIRECT_DESC,
	};
	struct stream stream = { .seed = 1 };

	fake_open(&self->fake, &options);
	self->flow = flow_connect_with(&self->fake, MIB);
	self->taken = (struct stream){ .seed = 1 };
	stream_fill(&stream, self->bytes, sizeof(self->bytes));
}

FIXTURE_TEARDOWN(writes)
{
	link_close(&self->flow.link);
	fake_close(&self->fake);
}

/* AF_UNIX cuts it in two. No work item may go first that a tick starts then. */
TEST_F(writes, of_a_packet_are_one)
{
	struct packet packet;

	set_policy(SCHED_FIFO, 1);
	ASSERT_EQ(PACKET, write(self->flow.link.sock, self->bytes, PACKET));
	set_policy(SCHED_OTHER, 0);
	packet = flow_expect(&self->flow, VIRTIO_VSOCK_OP_RW);
	EXPECT_EQ(PACKET, packet.len);
	EXPECT_EQ(PACKET, stream_check(&self->taken, packet.payload,
				       packet.len));
}

/* Nothing follows that would take it along. */
TEST_F(writes, of_a_part_go_out)
{
	for (int i = 1; i <= 3; i++) {
		ASSERT_EQ(PART, write(self->flow.link.sock,
				      self->bytes + (i - 1) * PART, PART));
		flow_expect_stream(&self->flow, &self->taken, PART);
	}
}

TEST_F(writes, of_a_part_come_before_the_end)
{
	struct packet packet;

	ASSERT_EQ(PART, write(self->flow.link.sock, self->bytes, PART));
	close(self->flow.link.sock);
	self->flow.link.sock = -1;
	flow_expect_stream(&self->flow, &self->taken, PART);
	packet = flow_expect(&self->flow, VIRTIO_VSOCK_OP_SHUTDOWN);
	EXPECT_EQ(VSOCKDEV_SHUTDOWN_RECEIVE | VSOCKDEV_SHUTDOWN_SEND,
		  packet.flags);
}

TEST_F(writes, of_a_part_go_with_the_next)
{
	ASSERT_EQ(PART, write(self->flow.link.sock, self->bytes, PART));
	ASSERT_EQ(PART, write(self->flow.link.sock, self->bytes + PART, PART));
	flow_expect_stream(&self->flow, &self->taken, 2 * PART);
	expect_no_packet(&self->fake);
}

struct writer {
	int sock;
	uint8_t *bytes;
	struct trap trap;
	ssize_t written;
};

static void *write_all(void *arg)
{
	struct writer *writer = arg;
	struct iovec pieces[] = {
		{ writer->bytes, PART },
		{ writer->trap.page, 4096 },
	};

	writer->written = writev(writer->sock, pieces, 2);
	return NULL;
}

/* The host may be the one who has the page that the program waits for. */
TEST_F(writes, that_are_held_up_send_what_there_is)
{
	struct writer writer = {
		.sock = self->flow.link.sock,
		.bytes = self->bytes,
	};
	pthread_t thread;

	if (!trap_set(&writer.trap))
		SKIP(return, "no userfaultfd");
	pthread_create(&thread, NULL, write_all, &writer);
	trap_wait(&writer.trap, 1);
	flow_expect_stream(&self->flow, &self->taken, PART);
	trap_release(&writer.trap);
	pthread_join(thread, NULL);
	EXPECT_EQ(PART + 4096, writer.written);
	EXPECT_EQ(4096, flow_expect(&self->flow, VIRTIO_VSOCK_OP_RW).len);
}

TEST_HARNESS_MAIN
