/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What no device may do, done on purpose: a script, or a storm of random
 * packets, beside the honest connections of the same device. Host ports of a
 * range belong to it, and whatever the guest sends to other CIDs than the
 * host's; connections of others are not touched.
 */
#ifndef VSOCKDEV_HOST_HOSTILE_H
#define VSOCKDEV_HOST_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"
#include "virtq.h"

struct play;
struct storm;
struct vsock;

#define HOSTILE_PORT_FIRST 0x50000000u
#define HOSTILE_PORT_MASK 0xf0000000u
#define HOSTILE_INBOX 1024
#define HOSTILE_TEXT 160
#define HOSTILE_SCRIBBLES 64

/* Which chains of the TX queue are not handed back. */
enum hostile_hold {
	HOSTILE_HOLD_NONE,
	HOSTILE_HOLD_OWN, /* packets that are for the hostile side */
	HOSTILE_HOLD_ALL,
};

struct hostile {
	struct vsock *vs;
	const char *scripts; /* folder; NULL: there are none */
	struct play *play;
	struct storm *storm;
	uint64_t sent; /* packets, since it was started last */
	uint32_t runs;
	enum hostile_hold hold;
	uint64_t hold_left; /* chains that are still to be held */
	uint32_t hold_least; /* payload of those */
	unsigned int held_count;
	uint16_t held[VIRTQ_NUM_MAX];
	unsigned int inbox_first, inbox_count;
	struct packet inbox[HOSTILE_INBOX];
	/* Headers that are to change after the guest was given them. */
	unsigned int scribble_count;
	struct {
		uint8_t *at;
		uint64_t what;
	} scribbles[HOSTILE_SCRIBBLES];
	char result[HOSTILE_TEXT];
};

void hostile_init(struct hostile *h, struct vsock *vs, const char *scripts);

/* Begins; what was under way is dropped. 0 or a negative errno. */
int hostile_script(struct hostile *h, const char *name);
int hostile_storm(struct hostile *h, uint64_t seed, uint64_t count);

/* What it is doing, or how it ended, in one line. */
void hostile_status(const struct hostile *h, char *text, size_t size);

/* Lets a script go on after a pause. 0 or a negative errno. */
int hostile_go(struct hostile *h);

/* Ends it, and hands back all that is held. */
void hostile_stop(struct hostile *h, const char *why);

/* The driver took the queues down: nothing can be handed back. */
void hostile_forget(struct hostile *h);

/* A packet of the guest: true if it is none of the honest side's business. */
bool hostile_receive(struct hostile *h, const struct packet *pkt);

/* After that, or not: true if its chain is kept, false if it may go back. */
bool hostile_keep(struct hostile *h, const struct packet *pkt);

/* Sends a packet into the buffer that is there; false if there is none now. */
bool hostile_send(struct hostile *h);

/* It waits for a buffer. */
bool hostile_wants_buffer(const struct hostile *h);

/* For scripts and storms. */

/* Hands back @count chains, the oldest or the newest first. */
void hostile_release(struct hostile *h, unsigned int count, bool newest);

/* The next packet for it. */
bool hostile_take(struct hostile *h, struct packet *pkt);

/* A packet with @used bytes said to be written. */
void hostile_put(struct hostile *h, const struct packet *pkt, uint32_t used);

/*
 * Lets the next packet's header change once the guest has it: a driver must
 * not read anything twice.
 */
void hostile_scribble(struct hostile *h, uint64_t what);

/* Now it has: before any buffer is taken that may be one of those. */
void hostile_flushed(struct hostile *h);

/* An address that belongs to an honest connection, or may. */
bool hostile_is_honest(const struct hostile *h, const struct packet *pkt);

/* Like it: an op's name, or its number. */
const char *hostile_op_name(uint16_t op, char buf[8]);

#endif
