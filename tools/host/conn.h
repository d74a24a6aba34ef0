/* SPDX-License-Identifier: GPL-2.0-only */
/* The connection object: key, lookup, run queue, timers. */
#ifndef VSOCKDEV_HOST_CONN_H
#define VSOCKDEV_HOST_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "buf.h"
#include "credit.h"
#include "endpoint.h"
#include "loop.h"
#include "messages.h"

struct vsock;

enum conn_state {
	CONN_HANDSHAKE, /* a host program has not named its port yet */
	CONN_CONNECTING, /* REQUEST goes or went to the guest */
	CONN_OPEN,
	CONN_ORPHAN, /* over for the guest; the rest is being written */
	CONN_DEAD, /* freed once no event can name it */
};

/* Packets that wait for a buffer. */
enum conn_pending {
	CONN_PEND_REQUEST = 1 << 0,
	CONN_PEND_RESPONSE = 1 << 1,
	CONN_PEND_CREDIT_UPDATE = 1 << 2, /* asked for by the guest */
};

enum conn_timer { CONN_TIMER_CONNECT, CONN_TIMER_CLOSE, CONN_TIMERS };

struct conn {
	struct vsock *vs;
	uint16_t type; /* VIRTIO_VSOCK_TYPE_* */
	enum conn_state state;
	uint32_t host_port;
	uint32_t guest_port;

	TAILQ_ENTRY(conn) all; /* the graveyard once dead */
	LIST_ENTRY(conn) hash;
	TAILQ_ENTRY(conn) run;
	TAILQ_ENTRY(conn) timer;

	bool hashed;
	bool queued;
	bool timed;
	enum conn_timer timer_kind;
	uint64_t deadline;

	unsigned int pending;
	uint32_t shut_received; /* VIRTIO_VSOCK_SHUTDOWN_* of the guest */
	uint32_t shut_sent;
	struct credit credit;
	bool credit_asked; /* once per time of being blocked */

	const struct endpoint_ops *ops;
	struct buf buf; /* bytes that the endpoint could not take yet */
	struct messages messages; /* and, for SEQPACKET, their boundaries */
	bool in_message; /* some of one may have gone to the guest */
	uint32_t message_left; /* bytes of it that have not */
	bool readable; /* until a read says otherwise */
	bool writable;
	bool eof; /* the endpoint has no more for the guest */
	bool gone; /* nor takes any */
	bool lossy; /* and did not take all: ends by RST */
	bool wr_shut; /* was told that no more will come */

	/* For the endpoint. */
	struct source src;
	struct buf staged; /* the rest of a message to the guest */
	uint64_t produced;
};

TAILQ_HEAD(conn_list, conn);
LIST_HEAD(conn_bucket, conn);

#define CONN_BUCKETS 16384
#define CONN_MAX 16384

struct conn_table {
	struct conn_bucket buckets[CONN_BUCKETS];
	struct conn_list all;
	struct conn_list dead;
	struct conn_list run;
	struct conn_list timers[CONN_TIMERS]; /* by deadline */
	unsigned int count;
};

void conn_table_init(struct conn_table *table);

/* A connection with no key yet; NULL when there are too many. */
struct conn *conn_new(struct vsock *vs, const struct endpoint_ops *ops,
		      uint16_t type);

/* Gives it a key, by which conn_find() finds it. */
void conn_hash(struct conn *conn, uint32_t host_port, uint32_t guest_port);
void conn_unhash(struct conn *conn);

struct conn *conn_find(struct conn_table *table, uint32_t host_port,
		       uint32_t guest_port);

/* Closes the endpoint. Says nothing to the guest. */
void conn_kill(struct conn *conn);

/* Frees what was killed. Only between two rounds of events. */
void conn_reap(struct conn_table *table);

/* Puts it at the end of the queue for guest buffers. */
void conn_schedule(struct conn *conn);
struct conn *conn_dequeue(struct conn_table *table);

/* One timer per connection: setting it replaces what was set. */
void conn_timer_set(struct conn *conn, enum conn_timer kind);
void conn_timer_clear(struct conn *conn);

/* Milliseconds to the next deadline, -1 for none. */
int conn_timer_wait(const struct conn_table *table);

/* One connection whose time is over, its timer cleared; or NULL. */
struct conn *conn_timer_expired(struct conn_table *table);

#endif
