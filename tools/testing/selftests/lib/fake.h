/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that the test plays itself, packet by packet: it is the host. Each
 * is plugged into the guest by fake_open() and out by fake_close(), and has a
 * node of its own. Needs vsockdev_fake.ko; see drivers/vsockdev/tests.
 */
#ifndef VSOCKDEV_TEST_FAKE_H
#define VSOCKDEV_TEST_FAKE_H

#include <linux/virtio_vsock.h>
#include <stddef.h>

#include "../../../../drivers/vsockdev/tests/fake_abi.h"
#include "link.h"

#define FAKE_CID 52 /* of the guest, unless asked for another */
#define FAKE_QUEUE_SIZE 256
#define FAKE_BYTES_MAX 131072

#define PACKET_HEADER 44

enum fake_queue {
	FAKE_RX, /* to the guest */
	FAKE_TX,
	FAKE_EVENTS,
};

struct fake {
	int fd;
	uint64_t cid;
	unsigned int index; /* of virtioN */
	uint64_t put; /* packets, good or bad */
	char node[64];
	struct device dev; /* the started node; fd is -1 if it is not */
	uint8_t bytes[FAKE_BYTES_MAX]; /* of the packet taken last */
};

/* Zero members mean what is usual. */
struct fake_options {
	uint64_t features;
	uint64_t cid;
	uint32_t queue_size;
	bool no_start;
	struct vsockdev_start start;
};

/* A packet header in plain numbers, and what is behind it. */
struct packet {
	uint64_t src_cid;
	uint64_t dst_cid;
	uint32_t src_port;
	uint32_t dst_port;
	uint32_t len;
	uint16_t type;
	uint16_t op;
	uint32_t flags;
	uint32_t buf_alloc;
	uint32_t fwd_cnt;
	const void *payload; /* len bytes; of one taken: until the next is */
	struct vsockdev_fake_take chain; /* of one taken: how it came */
};

/* Plugging in and out. */
void fake_open(struct fake *fake, const struct fake_options *options);
void fake_close(struct fake *fake);
void fake_remove(struct fake *fake); /* the open files stay */
int fake_open_node(const struct fake *fake);

/* Looks what its node is called, if a driver has it. */
bool fake_find_node(struct fake *fake);

/* 0 or a negative errno. */
int fake_call(const struct fake *fake, unsigned long cmd, void *arg);

/*
 * To the guest. The first waits for a buffer and interrupts; the second needs
 * not be a packet, claims what it likes, and gives back a negative errno.
 */
void fake_put(struct fake *fake, const struct packet *packet);
int fake_try_put(struct fake *fake, enum fake_queue queue, const void *bytes,
		 uint32_t len, uint32_t used, uint32_t flags);
void fake_put_bytes(struct fake *fake, const void *bytes, uint32_t len,
		    uint32_t used);

/* The driver has handled all that was put; what it led to may be under way. */
void wait_until_handled(struct fake *fake);
void fake_interrupt(struct fake *fake, enum fake_queue queue);

/* A header, and the whole of the packet; gives back its length. */
void packet_decode(struct packet *packet, const void *header);
void packet_encode(const struct packet *packet, void *header);
size_t packet_bytes(const struct packet *packet, uint8_t *bytes);

/* Transport events, and the configuration. */
void fake_event(struct fake *fake, uint32_t id);
int fake_try_event(struct fake *fake, uint32_t id);
void fake_set_cid(struct fake *fake, uint64_t cid, bool tell);

/*
 * The next packet from the guest, whatever it is; waits. fake_hold() leaves it
 * in the ring until fake_return().
 */
struct packet fake_take(struct fake *fake);
struct packet fake_hold(struct fake *fake);
void fake_return(struct fake *fake, const struct packet *packet);

/* What a held packet consists of now; its memory may have changed. */
struct packet fake_look(struct fake *fake, const struct packet *packet);

struct vsockdev_fake_state fake_state(const struct fake *fake);

/* Chains that the guest has posted and that were not taken. */
uint32_t fake_posted(const struct fake *fake, enum fake_queue queue);

/* A packet of that operation from the host, at an address. */
struct packet packet_from_host(const struct fake *fake,
			       struct vsockdev_addr addr, uint16_t op);

/*
 * The next packet must be this one, at that address. RST of a connection that
 * the driver does not know has no credit.
 */
void check_packet(const struct fake *fake, const struct packet *packet,
		  struct vsockdev_addr addr, uint16_t op);
struct packet expect_packet(struct fake *fake, struct vsockdev_addr addr,
			    uint16_t op);

/*
 * The driver has handled everything that was put, and the packets that this
 * led to were taken: there are no others. (Asks for an RST from a port that
 * nobody knows, which must be what comes next. Such an RST overtakes others as
 * long as the queue is full.)
 */
void expect_no_packet(struct fake *fake);

#define ANY_OP 65535

/* The same, but for packets of that operation at that address: how many? */
unsigned int count_packets(struct fake *fake, struct vsockdev_addr addr,
			   uint16_t op);

/* It still carries connections. */
void expect_usable(struct fake *fake);

const char *op_name(uint16_t op);

/* A connection, seen from both of its ends. */
struct flow {
	struct fake *fake;
	struct link link; /* the guest's */
	uint16_t type; /* of its packets; STREAM unless set to another */
	/* The host's part of the credit, sent with each packet. */
	uint32_t buf_alloc;
	uint32_t fwd_cnt;
	bool hoards; /* fwd_cnt does not follow what is taken */
	bool waits; /* the guest may be out of credit, and ask for it */
	uint32_t sent;
	uint32_t taken;
	/* What the guest told last. */
	uint32_t guest_buf_alloc;
	uint32_t guest_fwd_cnt;
};

#define FLOW_BUF_ALLOC 65536

/* An address at which nothing was yet, and the flow of nothing there. */
struct flow flow_new(struct fake *fake);

/* SEND_REQUEST and the REQUEST packet; the same and RESPONSE. */
struct flow flow_request(struct fake *fake);
struct flow flow_request_with(struct fake *fake, const int pair[2]);
struct flow flow_connect(struct fake *fake);
struct flow flow_connect_with(struct fake *fake, uint32_t buf_alloc);

/* The host's REQUEST; the same and SEND_RESPONSE and its packet. */
struct flow flow_dial(struct fake *fake);
struct flow flow_accept(struct fake *fake);

/* One packet of it from the host. */
struct packet flow_packet(const struct flow *flow, uint16_t op);
void flow_put(struct flow *flow, uint16_t op);
void flow_put_flags(struct flow *flow, uint16_t op, uint32_t flags);
void flow_put_data(struct flow *flow, const void *bytes, uint32_t len);

/* A packet of this flow was taken: what it tells, which must be right. */
void flow_note(struct flow *flow, const struct packet *packet);

/* The next packet is of this flow, and its credit is right. */
struct packet flow_expect(struct flow *flow, uint16_t op);

/* The same, of any operation. */
struct packet flow_expect_any(struct flow *flow);

/* The next @len bytes of a test stream, in RW packets only. */
void flow_expect_stream(struct flow *flow, struct stream *stream, uint64_t len);

#define fake_open(...) HERE((fake_open)(__VA_ARGS__))
#define fake_put(...) HERE((fake_put)(__VA_ARGS__))
#define fake_put_bytes(...) HERE((fake_put_bytes)(__VA_ARGS__))
#define wait_until_handled(...) HERE((wait_until_handled)(__VA_ARGS__))
#define fake_take(...) HERE((fake_take)(__VA_ARGS__))
#define fake_hold(...) HERE((fake_hold)(__VA_ARGS__))
#define fake_return(...) HERE((fake_return)(__VA_ARGS__))
#define fake_event(...) HERE((fake_event)(__VA_ARGS__))
#define expect_packet(...) HERE((expect_packet)(__VA_ARGS__))
#define count_packets(...) HERE((count_packets)(__VA_ARGS__))
#define expect_no_packet(...) HERE((expect_no_packet)(__VA_ARGS__))
#define expect_usable(...) HERE((expect_usable)(__VA_ARGS__))
#define flow_request(...) HERE((flow_request)(__VA_ARGS__))
#define flow_request_with(...) HERE((flow_request_with)(__VA_ARGS__))
#define flow_connect(...) HERE((flow_connect)(__VA_ARGS__))
#define flow_connect_with(...) HERE((flow_connect_with)(__VA_ARGS__))
#define flow_dial(...) HERE((flow_dial)(__VA_ARGS__))
#define flow_accept(...) HERE((flow_accept)(__VA_ARGS__))
#define flow_put(...) HERE((flow_put)(__VA_ARGS__))
#define flow_put_flags(...) HERE((flow_put_flags)(__VA_ARGS__))
#define flow_put_data(...) HERE((flow_put_data)(__VA_ARGS__))
#define flow_expect(...) HERE((flow_expect)(__VA_ARGS__))
#define flow_expect_any(...) HERE((flow_expect_any)(__VA_ARGS__))
#define flow_expect_stream(...) HERE((flow_expect_stream)(__VA_ARGS__))

#endif
