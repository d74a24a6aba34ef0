/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtio socket device: its connections and the work on its queues. */
#ifndef VSOCKDEV_HOST_VSOCK_H
#define VSOCKDEV_HOST_VSOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "conn.h"

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
	struct virtq *rxq;
	struct virtq *txq;
	bool running;
	struct conn_table conns;
	unsigned int reply_count;
	uint32_t last_port;

	STAILQ_HEAD(, reply) replies; /* packets without a connection */
};

void vsock_init(struct vsock *vs, const struct options *opts, struct loop *loop,
		struct virtq *rxq, struct virtq *txq);

/* The driver has its queues up, or took them down: every connection ends. */
void vsock_start(struct vsock *vs);
void vsock_stop(struct vsock *vs);

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
