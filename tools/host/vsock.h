/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtio socket device: its connections and the work on its queues. */
#ifndef VSOCKDEV_HOST_VSOCK_H
#define VSOCKDEV_HOST_VSOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "conn.h"

struct hostile;
struct loop;
struct options;
struct packet;
struct virtq;

enum vsock_queue {
	VSOCK_QUEUE_RX, /* to the guest */
	VSOCK_QUEUE_TX, /* from the guest */
	VSOCK_QUEUE_EVENT, /* QEMU keeps this one to itself */
	VSOCK_QUEUES,
};

struct vsock {
	const struct options *opts;
	struct loop *loop;
	struct hostile *hostile;
	struct virtq *rxq;
	struct virtq *txq;
	struct virtq *eventq; /* at rest if the client keeps it */
	uint64_t cid;
	bool cid_is_news; /* to the guest, which cannot be reached meanwhile */
	bool running;
	bool seqpacket; /* was negotiated */
	struct conn_table conns;
	unsigned int reply_count;
	uint32_t last_port;
	uint64_t packets_from_guest;
	uint64_t packets_to_guest;

	STAILQ_HEAD(, reply) replies; /* packets without a connection */
};

void vsock_init(struct vsock *vs, const struct options *opts, struct loop *loop,
		struct hostile *hostile, struct virtq *rxq, struct virtq *txq,
		struct virtq *eventq);

/* The driver has its queues up, or took them down: every connection ends. */
void vsock_start(struct vsock *vs, uint64_t features);
void vsock_stop(struct vsock *vs);

/* Every connection ends, without a word to the guest. */
void vsock_drop_all(struct vsock *vs);

/*
 * The same, and the driver gets the event that tells it so, and to read its
 * CID anew. -ENOTCONN without a driver, -EOPNOTSUPP if the client keeps the
 * event queue to itself, -ENOBUFS if no buffer is posted there.
 */
int vsock_transport_reset(struct vsock *vs, uint64_t cid);

/* A batch of work on both queues; true if there is more. */
bool vsock_work(struct vsock *vs);

/* Asks the guest for kicks; true if there is something to do already. */
bool vsock_rest(struct vsock *vs);

/* Ends what has taken too long. */
void vsock_expire(struct vsock *vs);

/* Sends a packet of a connection; packet_room() said that there is room. */
void vsock_send(struct conn *conn, uint16_t op, uint32_t flags, uint32_t len);

/* Ends the connection with RST. */
void vsock_reset(struct conn *conn);

/* Asks the guest to accept a host program's connection. */
void vsock_connect(struct conn *conn, uint32_t guest_port);

#endif
