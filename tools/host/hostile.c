// SPDX-License-Identifier: GPL-2.0-only
/* The hostile side of the device: what it has in common whoever drives it. */
#include "hostile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "play.h"
#include "storm.h"
#include "util.h"
#include "vsock.h"

static const char *const op_names[] = {
	[VIRTIO_VSOCK_OP_INVALID] = "INVALID",
	[VIRTIO_VSOCK_OP_REQUEST] = "REQUEST",
	[VIRTIO_VSOCK_OP_RESPONSE] = "RESPONSE",
	[VIRTIO_VSOCK_OP_RST] = "RST",
	[VIRTIO_VSOCK_OP_SHUTDOWN] = "SHUTDOWN",
	[VIRTIO_VSOCK_OP_RW] = "RW",
	[VIRTIO_VSOCK_OP_CREDIT_UPDATE] = "CREDIT_UPDATE",
	[VIRTIO_VSOCK_OP_CREDIT_REQUEST] = "CREDIT_REQUEST",
};

const char *hostile_op_name(uint16_t op, char buf[8])
{
	if (op < ARRAY_SIZE(op_names))
		return op_names[op];
	snprintf(buf, 8, "%u", op);
	return buf;
}

void hostile_init(struct hostile *h, struct vsock *vs, const char *scripts)
{
	*h = (struct hostile){ .vs = vs, .scripts = scripts };
	snprintf(h->result, sizeof(h->result), "idle");
}

static bool is_under_way(const struct hostile *h)
{
	return h->play || h->storm;
}

void hostile_stop(struct hostile *h, const char *why)
{
	if (is_under_way(h))
		snprintf(h->result, sizeof(h->result), "%s", why);
	play_free(h->play);
	h->play = NULL;
	storm_free(h->storm);
	h->storm = NULL;
	h->hold = HOSTILE_HOLD_NONE;
	h->inbox_count = 0;
	hostile_release(h, h->held_count, false);
}

void hostile_forget(struct hostile *h)
{
	h->held_count = 0;
	hostile_stop(h, "failed: the driver has gone");
}

static int begin(struct hostile *h)
{
	hostile_stop(h, "dropped");
	if (!h->vs->running)
		return -ENOTCONN;
	h->sent = 0;
	h->runs++;
	return 0;
}

int hostile_script(struct hostile *h, const char *name)
{
	int err = begin(h);

	if (err)
		return err;
	return play_start(h, name, &h->play);
}

int hostile_go(struct hostile *h)
{
	if (!h->play || !play_pauses(h->play))
		return -EAGAIN;
	play_go(h->play);
	return 0;
}

int hostile_storm(struct hostile *h, uint64_t seed, uint64_t count)
{
	int err = begin(h);

	if (err)
		return err;
	h->storm = storm_start(h, seed, count);
	return h->storm ? 0 : -ENOMEM;
}

void hostile_status(const struct hostile *h, char *text, size_t size)
{
	unsigned long long sent = h->sent;

	if (h->play)
		snprintf(text, size, "%s sent=%llu line=%u",
			 play_pauses(h->play) ? "pausing" : "running", sent,
			 play_line(h->play));
	else if (h->storm)
		snprintf(text, size, "running sent=%llu flows=%u", sent,
			 storm_flows(h->storm));
	else
		snprintf(text, size, "%s sent=%llu", h->result, sent);
}

static bool is_ours(const struct packet *pkt)
{
	return pkt->dst_cid != HOST_CID ||
	       (pkt->dst_port & HOSTILE_PORT_MASK) == HOSTILE_PORT_FIRST;
}

bool hostile_take(struct hostile *h, struct packet *pkt)
{
	if (!h->inbox_count)
		return false;
	*pkt = h->inbox[h->inbox_first];
	h->inbox_first = (h->inbox_first + 1) % HOSTILE_INBOX;
	h->inbox_count--;
	return true;
}

/* A script that does not look for so long does not want the oldest ones. */
static void put_in_inbox(struct hostile *h, const struct packet *pkt)
{
	struct packet dropped;

	if (h->inbox_count == HOSTILE_INBOX)
		hostile_take(h, &dropped);
	h->inbox[(h->inbox_first + h->inbox_count++) % HOSTILE_INBOX] = *pkt;
}

bool hostile_receive(struct hostile *h, const struct packet *pkt)
{
	if (!is_ours(pkt))
		return false;
	if (h->storm)
		storm_receive(h->storm, pkt);
	else if (h->play)
		put_in_inbox(h, pkt);
	/* What comes after its end is for nobody, and so it stays. */
	return is_under_way(h) || pkt->dst_cid != HOST_CID;
}

bool hostile_keep(struct hostile *h, const struct packet *pkt)
{
	if (h->hold == HOSTILE_HOLD_NONE || !h->hold_left ||
	    pkt->len < h->hold_least || h->held_count == VIRTQ_NUM_MAX ||
	    (h->hold == HOSTILE_HOLD_OWN && !is_ours(pkt)))
		return false;
	h->hold_left--;
	h->held[h->held_count++] = virtq_take(h->vs->txq);
	return true;
}

void hostile_release(struct hostile *h, unsigned int count, bool newest)
{
	count = min(count, h->held_count);
	for (unsigned int i = 0; i < count; i++)
		virtq_give(h->vs->txq,
			   h->held[newest ? h->held_count - 1 - i : i], 0);
	h->held_count -= count;
	if (!newest)
		memmove(h->held, h->held + count,
			h->held_count * sizeof(*h->held));
	if (count)
		virtq_flush(h->vs->txq);
}

void hostile_put(struct hostile *h, const struct packet *pkt, uint32_t used)
{
	packet_send_used(h->vs->rxq, pkt, used);
	h->sent++;
	h->vs->packets_to_guest++;
}

void hostile_scribble(struct hostile *h, uint64_t what)
{
	const struct iov *iov = &h->vs->rxq->chain.iov;
	unsigned int i = h->scribble_count;

	if (i == HOSTILE_SCRIBBLES || iov->vec->iov_len < PACKET_HEADER_SIZE)
		return;
	h->scribbles[i].at = iov->vec->iov_base;
	h->scribbles[i].what = what;
	h->scribble_count++;
}

void hostile_flushed(struct hostile *h)
{
	for (unsigned int i = 0; i < h->scribble_count; i++) {
		uint64_t what = h->scribbles[i].what;
		uint8_t *at = h->scribbles[i].at;

		for (size_t n = 0; n < PACKET_HEADER_SIZE; n++)
			at[n] = what >> n % 8 * 8;
	}
	h->scribble_count = 0;
}

bool hostile_is_honest(const struct hostile *h, const struct packet *pkt)
{
	return (uint32_t)pkt->src_cid == HOST_CID &&
	       conn_find(&h->vs->conns, pkt->src_port, pkt->dst_port);
}

bool hostile_send(struct hostile *h)
{
	uint64_t before = h->sent;

	if (h->play && !play_run(h->play))
		hostile_stop(h, play_result(h->play));
	else if (h->storm && !storm_run(h->storm))
		hostile_stop(h, "passed");
	return h->sent != before;
}

bool hostile_wants_buffer(const struct hostile *h)
{
	return h->storm || (h->play && !play_waits(h->play));
}
