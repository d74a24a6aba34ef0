// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flow control beside a model that counts in 64 bits, so that nothing wraps.
 *
 * Input: our window, where the counters begin, then steps: what, and a number.
 */
#include "credit.h"
#include "fuzz.h"

#define SMALL 1024 /* packets below this may have to wait */

enum step { PEER, SEND, SEND_ALL, RECEIVE, FORWARD, FORWARD_ALL, TELL, STEPS };

struct model {
	struct vsockdev_credit credit;
	uint64_t sent, read; /* read: as the peer said */
	uint64_t received, forwarded, told;
	uint32_t peer_window;
};

static uint64_t unread(const struct model *m)
{
	return m->sent - m->read;
}

static uint64_t held(const struct model *m)
{
	return m->received - m->forwarded;
}

/* The peer tells of a window, and a counter near to what it could tell. */
static void peer(struct model *m, struct input *in, uint32_t window)
{
	uint32_t by = take_u32(in);
	uint32_t fwd_cnt = m->credit.peer_fwd_cnt + by;
	bool right = vsockdev_credit_peer_update(&m->credit, window, fwd_cnt);

	MUST(right == (by <= unread(m)));
	if (!right)
		return;
	m->read += by;
	m->peer_window = window;
}

static void send_bytes(struct model *m, uint32_t len)
{
	uint32_t space = vsockdev_credit_tx_space(&m->credit);

	/* There are no packets without a byte. */
	if (!space || !len)
		return;
	if (len > space)
		len = space;
	vsockdev_credit_tx(&m->credit, len);
	m->sent += len;
}

static void receive(struct model *m, uint32_t len)
{
	bool fits = vsockdev_credit_rx(&m->credit, len);

	MUST(fits == (held(m) + len <= m->credit.buf_alloc));
	m->received += fits ? len : 0;
}

static void forward(struct model *m, uint32_t len)
{
	if (len > held(m))
		len = held(m);
	vsockdev_credit_forwarded(&m->credit, len);
	m->forwarded += len;
}

static void take_step(struct model *m, enum step what, struct input *in)
{
	uint32_t n = take_u32(in);

	switch (what) {
	case PEER:
		peer(m, in, n);
		break;
	case SEND:
		send_bytes(m, n);
		break;
	case SEND_ALL:
		send_bytes(m, UINT32_MAX);
		break;
	case RECEIVE:
		receive(m, n);
		break;
	case FORWARD:
		forward(m, n);
		break;
	case FORWARD_ALL:
		forward(m, UINT32_MAX);
		break;
	default:
		MUST(vsockdev_credit_tell(&m->credit) == m->credit.fwd_cnt);
		m->told = m->forwarded;
	}
}

static void check_tx(const struct model *m)
{
	const struct vsockdev_credit *credit = &m->credit;
	uint32_t space = vsockdev_credit_tx_space(credit);
	uint64_t most = m->peer_window > unread(m) ?
				m->peer_window - unread(m) :
				0;

	/* Neither more than there is room for, nor stuck with room left. */
	MUST(space == most);
	MUST(vsockdev_credit_tx_packet(credit));
	MUST(vsockdev_credit_tx_packet(credit) <= m->peer_window ||
	     m->peer_window == 0);
	MUST(!vsockdev_credit_tx_should_wait(credit, SMALL));
	if (!unread(m) && m->sent)
		MUST(!vsockdev_credit_tx_should_wait(credit, 1));
}

static void check_rx(const struct model *m)
{
	const struct vsockdev_credit *credit = &m->credit;
	/* Nobody tells while the TX queue stands still, so this may wrap. */
	uint32_t untold = m->forwarded - m->told;

	MUST(held(m) <= credit->buf_alloc);
	MUST(vsockdev_credit_untold(credit) == untold);
	MUST(!vsockdev_credit_update_due(credit) || untold);
	/* A peer that knows of no room must hear of it. */
	if (untold && m->received - m->told == credit->buf_alloc && !held(m))
		MUST(vsockdev_credit_update_due(credit));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct model m = {};
	uint32_t origin;
	uint8_t what;

	vsockdev_credit_init(&m.credit, take_u32(&in));
	origin = take_u32(&in);
	m.credit.tx_cnt = origin;
	m.credit.tx_mark = origin;
	m.credit.peer_fwd_cnt = origin;
	m.credit.rx_cnt = origin;
	m.credit.fwd_cnt = origin;
	m.credit.fwd_cnt_told = origin;
	while (in.left) {
		take(&in, &what, sizeof(what));
		take_step(&m, what % STEPS, &in);
		check_tx(&m);
		check_rx(&m);
	}
	return 0;
}
