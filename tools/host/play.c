// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plays a script. The language is described in Documentation/testing/hostile.rst.
 *
 * A statement is done, or waits for a packet of the guest and is tried again,
 * or fails, which ends the script. No statement waits for time: who has started
 * a script sees whether it goes on.
 */
#include "play.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "hostile.h"
#include "script.h"
#include "util.h"
#include "values.h"
#include "vsock.h"

/* Ports of one run, so that no run meets packets of another. */
#define PORTS_PER_RUN 0x10000u
#define PROBE_PORT (PORTS_PER_RUN - 1)
/* Of the guest, where nobody is. */
#define PROBED_PORT 1

enum outcome { DONE, SENT, WAITS, FAILED };

struct play {
	struct hostile *h;
	struct script script;
	struct values values;
	unsigned int next;
	uint64_t left[SCRIPT_STATEMENTS]; /* rounds of each repeat */
	uint64_t taken; /* bytes that a take has got so far */
	uint32_t told; /* fwd_cnt that the guest knows of */
	bool probing; /* a sync or quiet has sent its packet */
	bool waits;
	bool pauses;
	bool go; /* on after the pause */
	char result[HOSTILE_TEXT];
};

static enum outcome failed(struct play *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static enum outcome failed(struct play *p, const char *format, ...)
{
	int n = snprintf(p->result, sizeof(p->result), "failed: line %u: ",
			 play_line(p));
	va_list args;

	va_start(args, format);
	vsnprintf(p->result + n, sizeof(p->result) - n, format, args);
	va_end(args);
	return FAILED;
}

static uint64_t value(const struct play *p, const char *name)
{
	uint64_t v = 0;

	values_eval(&p->values, name, &v);
	return v;
}

/* An honest packet on the ports that the script is about. */
static struct packet usual(const struct play *p)
{
	return (struct packet){
		.src_cid = HOST_CID,
		.dst_cid = p->h->vs->cid,
		.src_port = value(p, "$host"),
		.dst_port = value(p, "$guest"),
		.type = value(p, "$type"),
		.op = VIRTIO_VSOCK_OP_RW,
		.buf_alloc = value(p, "$buf_alloc"),
		.fwd_cnt = value(p, "$taken"),
	};
}

/* Not even by its name may a script use what is not its own. */
static enum outcome put(struct play *p, const struct packet *pkt, uint32_t used)
{
	if (hostile_is_honest(p->h, pkt))
		return failed(p, "that is an honest connection");
	hostile_put(p->h, pkt, used);
	return SENT;
}

static enum outcome do_send(struct play *p, const struct statement *s)
{
	struct packet pkt = usual(p);
	bool has_used = false;
	uint64_t v, used = 0;

	for (unsigned int i = 0; i < s->words; i++) {
		size_t len = strcspn(s->word[i], "=");
		const struct field *f = field_find(s->word[i], len);

		if (s->word[i][len] != '=' ||
		    !values_eval(&p->values, s->word[i] + len + 1, &v))
			return failed(p, "what is '%s'?", s->word[i]);
		if (f) {
			field_set(f, &pkt, v);
		} else if (!strncmp(s->word[i], "used=", 5)) {
			has_used = true;
			used = v;
		} else {
			return failed(p, "what is '%s'?", s->word[i]);
		}
	}
	return put(p, &pkt, has_used ? used : PACKET_HEADER_SIZE + pkt.len);
}

static bool is_credit(const struct packet *pkt)
{
	return pkt->op == VIRTIO_VSOCK_OP_CREDIT_UPDATE ||
	       pkt->op == VIRTIO_VSOCK_OP_CREDIT_REQUEST;
}

/* The next packet of the guest. What it sent counts as passed on. */
static bool take(struct play *p, struct packet *pkt)
{
	if (!hostile_take(p->h, pkt))
		return false;
	if (pkt->op == VIRTIO_VSOCK_OP_RW)
		values_set(&p->values, "taken",
			   value(p, "$taken") + pkt->len);
	return true;
}

static enum outcome unexpected(struct play *p, const struct packet *pkt)
{
	char op[8];

	return failed(p, "%s from %u to %u, len %u type %u flags %u",
		      hostile_op_name(pkt->op, op), pkt->src_port,
		      pkt->dst_port, pkt->len, pkt->type, pkt->flags);
}

/* "key=value" must be so; "key:name" is remembered. */
static enum outcome compare(struct play *p, const struct packet *pkt,
			    const char *word)
{
	size_t len = strcspn(word, "=:");
	const struct field *f = field_find(word, len);
	uint64_t v;

	if (!f || !word[len])
		return failed(p, "what is '%s'?", word);
	if (word[len] == ':')
		return values_set(&p->values, word + len + 1,
				  field_get(f, pkt)) ?
			       DONE :
			       failed(p, "too many names");
	if (!values_eval(&p->values, word + len + 1, &v))
		return failed(p, "what is '%s'?", word);
	return field_get(f, pkt) == v ? DONE : unexpected(p, pkt);
}

static bool wants_credit(const struct statement *s)
{
	for (unsigned int i = 0; i < s->words; i++)
		if (!strncmp(s->word[i], "op=CREDIT", 9))
			return true;
	return false;
}

static enum outcome do_expect(struct play *p, const struct statement *s)
{
	enum outcome outcome = DONE;
	struct packet pkt;

	do {
		if (!take(p, &pkt))
			return WAITS;
	} while (is_credit(&pkt) && !wants_credit(s));
	for (unsigned int i = 0; i < s->words && outcome == DONE; i++)
		outcome = compare(p, &pkt, s->word[i]);
	return outcome;
}

/* Tells of the room that reading has made, when that is worth a packet. */
static bool update_due(struct play *p)
{
	uint64_t untold = value(p, "$taken") - p->told;

	return untold && untold >= value(p, "$buf_alloc") / 4;
}

static enum outcome send_update(struct play *p)
{
	struct packet pkt = usual(p);

	pkt.op = VIRTIO_VSOCK_OP_CREDIT_UPDATE;
	p->told = pkt.fwd_cnt;
	p->next--; /* comes back here */
	return put(p, &pkt, PACKET_HEADER_SIZE);
}

/*
 * Data, that many bytes or more, and nothing else but credit, which is given as
 * honest hosts do.
 */
static enum outcome do_take(struct play *p, const struct statement *s)
{
	struct packet pkt;
	uint64_t want;

	if (!values_eval(&p->values, s->word[0], &want))
		return failed(p, "what is '%s'?", s->word[0]);
	while (p->taken < want) {
		if (update_due(p))
			return send_update(p);
		if (!take(p, &pkt))
			return WAITS;
		if (pkt.op != VIRTIO_VSOCK_OP_RW && !is_credit(&pkt))
			return unexpected(p, &pkt);
		p->taken += pkt.len;
	}
	p->taken = 0;
	return DONE;
}

/*
 * To an address that nobody has the guest answers RST, after it has handled
 * all that came before. Of what it sends until then all is dropped, or nothing
 * but credit may come.
 */
static enum outcome do_sync(struct play *p, const struct statement *s)
{
	struct packet pkt = usual(p);
	uint32_t port = value(p, "$first") + PROBE_PORT;

	if (!p->probing) {
		pkt.src_port = port;
		pkt.dst_port = PROBED_PORT;
		pkt.type = VIRTIO_VSOCK_TYPE_STREAM;
		p->probing = true;
		p->next--; /* comes back here */
		return put(p, &pkt, PACKET_HEADER_SIZE);
	}
	do {
		if (!take(p, &pkt))
			return WAITS;
		if (s->verb == SCRIPT_QUIET && pkt.dst_port != port &&
		    !is_credit(&pkt))
			return unexpected(p, &pkt);
	} while (pkt.dst_port != port);
	p->probing = false;
	return DONE;
}

/* Until somebody has looked what came of it so far. */
static enum outcome do_pause(struct play *p)
{
	p->pauses = !p->go;
	p->go = false;
	return p->pauses ? WAITS : DONE;
}

static enum outcome do_set(struct play *p, const struct statement *s)
{
	uint64_t v;

	if (!values_eval(&p->values, s->word[1], &v) ||
	    !values_set(&p->values, s->word[0], v))
		return failed(p, "what is '%s'?", s->word[1]);
	return DONE;
}

static enum outcome do_repeat(struct play *p, const struct statement *s)
{
	uint64_t *left = &p->left[p->next];

	if (!values_eval(&p->values, s->word[0], left))
		return failed(p, "what is '%s'?", s->word[0]);
	if (!*left)
		p->next = s->pair;
	return DONE;
}

static enum outcome do_end(struct play *p, const struct statement *s)
{
	if (--p->left[s->pair])
		p->next = s->pair;
	return DONE;
}

/* From now on all; or so many; or so many of at least that length. */
static enum outcome do_hold(struct play *p, const struct statement *s)
{
	uint64_t count = UINT64_MAX, least = 0;

	if ((s->words > 1 && !values_eval(&p->values, s->word[1], &count)) ||
	    (s->words > 2 && !values_eval(&p->values, s->word[2], &least)))
		return failed(p, "how many, how long?");
	p->h->hold_left = count;
	p->h->hold_least = least;
	if (!strcmp(s->word[0], "own"))
		p->h->hold = HOSTILE_HOLD_OWN;
	else if (!strcmp(s->word[0], "all"))
		p->h->hold = HOSTILE_HOLD_ALL;
	else if (!strcmp(s->word[0], "none"))
		p->h->hold = HOSTILE_HOLD_NONE;
	else
		return failed(p, "hold own, all or none?");
	return DONE;
}

/* How many, and whether the newest ones go first. */
static enum outcome do_release(struct play *p, const struct statement *s)
{
	bool newest = s->words == 2 && !strcmp(s->word[1], "newest");
	uint64_t count = p->h->held_count;

	if (strcmp(s->word[0], "all") &&
	    !values_eval(&p->values, s->word[0], &count))
		return failed(p, "what is '%s'?", s->word[0]);
	if (!strcmp(s->word[0], "all"))
		p->h->hold = HOSTILE_HOLD_NONE;
	hostile_release(p->h, count > VIRTQ_NUM_MAX ? VIRTQ_NUM_MAX : count, newest);
	return DONE;
}

static struct virtq *named_queue(const struct play *p, const char *name)
{
	return strcmp(name, "tx") ? p->h->vs->rxq : p->h->vs->txq;
}

/* A used entry out of nothing: which queue, which chain, how long. */
static enum outcome do_used(struct play *p, const struct statement *s)
{
	struct virtq *vq = named_queue(p, s->word[0]);
	uint64_t id, len;

	if (!values_eval(&p->values, s->word[1], &id) ||
	    !values_eval(&p->values, s->word[2], &len))
		return failed(p, "what is that?");
	virtq_give(vq, id, len);
	virtq_flush(vq);
	return DONE;
}

static enum outcome do_jump(struct play *p, const struct statement *s)
{
	struct virtq *vq = named_queue(p, s->word[0]);
	uint64_t by;

	if (!values_eval(&p->values, s->word[1], &by))
		return failed(p, "what is '%s'?", s->word[1]);
	vq->used_idx += by;
	virtq_flush(vq);
	return DONE;
}

static enum outcome perform(struct play *p, const struct statement *s)
{
	switch (s->verb) {
	case SCRIPT_SEND:
		return do_send(p, s);
	case SCRIPT_EXPECT:
		return do_expect(p, s);
	case SCRIPT_TAKE:
		return do_take(p, s);
	case SCRIPT_SYNC:
	case SCRIPT_QUIET:
		return do_sync(p, s);
	case SCRIPT_PAUSE:
		return do_pause(p);
	case SCRIPT_SET:
		return do_set(p, s);
	case SCRIPT_REPEAT:
		return do_repeat(p, s);
	case SCRIPT_END:
		return do_end(p, s);
	case SCRIPT_HOLD:
		return do_hold(p, s);
	case SCRIPT_RELEASE:
		return do_release(p, s);
	case SCRIPT_USED:
		return do_used(p, s);
	case SCRIPT_JUMP:
		return do_jump(p, s);
	}
	return FAILED;
}

bool play_run(struct play *p)
{
	p->waits = false;
	while (p->next < p->script.count) {
		const struct statement *s = &p->script.statements[p->next];
		enum outcome outcome = perform(p, s);

		if (outcome == FAILED)
			return false;
		if (outcome == WAITS) {
			p->waits = true;
			return true;
		}
		p->next++;
		if (outcome == SENT)
			return true;
	}
	snprintf(p->result, sizeof(p->result), "passed");
	return false;
}

bool play_waits(const struct play *p)
{
	return p->waits && (p->pauses || !p->h->inbox_count);
}

bool play_pauses(const struct play *p)
{
	return p->pauses;
}

void play_go(struct play *p)
{
	p->go = p->pauses;
	p->pauses = false;
}

unsigned int play_line(const struct play *p)
{
	return p->next < p->script.count ? p->script.statements[p->next].line :
					   0;
}

const char *play_result(const struct play *p)
{
	return p->result;
}

static void set_defaults(struct play *p)
{
	uint64_t first = HOSTILE_PORT_FIRST +
			 (uint64_t)p->h->runs * PORTS_PER_RUN %
				 (~HOSTILE_PORT_MASK + 1ULL);

	values_set(&p->values, "first", first);
	values_set(&p->values, "host", first);
	values_set(&p->values, "guest", PROBED_PORT);
	values_set(&p->values, "cid", p->h->vs->cid);
	values_set(&p->values, "type", VIRTIO_VSOCK_TYPE_STREAM);
	values_set(&p->values, "buf_alloc", 256 << 10);
	values_set(&p->values, "taken", 0);
	values_set(&p->values, "tx_num", p->h->vs->txq->num);
	values_set(&p->values, "rx_num", p->h->vs->rxq->num);
	values_set(&p->values, "rx_bufs", virtq_available(p->h->vs->rxq));
}

int play_start(struct hostile *h, const char *name, struct play **play)
{
	struct play *p = calloc(1, sizeof(*p));
	int err;

	*play = NULL;
	if (!p)
		return -ENOMEM;
	p->h = h;
	err = script_load(&p->script, h->scripts, name, h->result,
			  sizeof(h->result));
	if (err) {
		play_free(p);
		return err;
	}
	set_defaults(p);
	*play = p;
	return 0;
}

void play_free(struct play *p)
{
	if (!p)
		return;
	script_free(&p->script);
	free(p);
}
