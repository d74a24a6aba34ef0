/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev tests - flow control, counted in 64 bits, where nothing wraps
 *
 * Each model is moved by random steps beside what is tested. A step returns
 * NULL, or what is wrong. Also for tests in userspace.
 */
#ifndef VSOCKDEV_TESTS_CREDIT_MODEL_H
#define VSOCKDEV_TESTS_CREDIT_MODEL_H

#include "credit.h"
#include "random.h"

#define CREDIT_SMALL		1024	/* packets below are small */
#define CREDIT_SMALL_MIN	16	/* of them may always be unread */

/* A connection that has counted up to @origin */
static inline void credit_model_init(struct vsockdev_credit *credit,
				     u32 origin, u32 buf_alloc)
{
	memset(credit, 0xa5, sizeof(*credit));
	vsockdev_credit_init(credit, buf_alloc);
	credit->tx_cnt = origin;
	credit->peer_fwd_cnt = origin;
	credit->tx_mark = origin;
	credit->rx_cnt = origin;
	credit->fwd_cnt = origin;
	credit->fwd_cnt_told = origin;
}

/*
 * Sending. The peer is honest about what it read, moves its window at will,
 * and sometimes lies about fwd_cnt.
 */
struct credit_tx_model {
	u32 origin;
	u32 window;
	u64 sent;
	u64 read;
	u64 open;
	u64 blocked;
};

static inline u64 credit_tx_model_space(const struct credit_tx_model *model)
{
	u64 unread = model->sent - model->read;

	return unread < model->window ? model->window - unread : 0;
}

static inline const char *credit_tx_model_update(struct credit_tx_model *model,
						 struct vsockdev_credit *credit,
						 u64 *state)
{
	u64 unread = model->sent - model->read;
	u32 window = random_u32(state);
	u64 step = random_below(state, 3) ? random_u64(state) % (unread + 1) :
					    random_u32(state);
	bool honest = step <= unread;

	if (vsockdev_credit_peer_update(credit, window, model->origin +
					model->read + step) != honest)
		return honest ? "a right fwd_cnt was refused" :
				"a wrong fwd_cnt was believed";
	if (honest) {
		model->read += step;
		model->window = window;
	}
	return NULL;
}

static inline const char *credit_tx_model_step(struct credit_tx_model *model,
					       struct vsockdev_credit *credit,
					       u64 *state)
{
	u32 space = vsockdev_credit_tx_space(credit);
	const char *wrong = NULL;

	if (!random_below(state, 2)) {
		wrong = credit_tx_model_update(model, credit, state);
	} else if (space) {
		u32 len = 1 + random_u32(state) % space;

		vsockdev_credit_tx(credit, len);
		model->sent += len;
	}
	space = vsockdev_credit_tx_space(credit);
	if (space)
		model->open++;
	else
		model->blocked++;
	if (!wrong && space != credit_tx_model_space(model))
		wrong = space ? "there is less room" : "there is room";
	return wrong;
}

/* Small packets: those that are unread, by where they end */
#define CREDIT_SMALL_KEPT	4096

struct credit_small_model {
	u32 origin;
	u32 window;
	u64 sent;
	u64 read;
	u32 first;
	u32 end;
	u64 ends[CREDIT_SMALL_KEPT];
};

static inline u32 credit_small_unread(struct credit_small_model *model)
{
	while (model->first != model->end &&
	       model->ends[model->first % CREDIT_SMALL_KEPT] <= model->read)
		model->first++;
	return model->end - model->first;
}

/* Sends, unless it should wait */
static inline void credit_small_send(struct credit_small_model *model,
				     struct vsockdev_credit *credit, u32 len)
{
	len = min(len, vsockdev_credit_tx_space(credit));
	if (!len || vsockdev_credit_tx_should_wait(credit, len))
		return;
	vsockdev_credit_tx(credit, len);
	model->sent += len;
	if (len < CREDIT_SMALL)
		model->ends[model->end++ % CREDIT_SMALL_KEPT] = model->sent;
}

static inline const char *
credit_small_model_step(struct credit_small_model *model,
			struct vsockdev_credit *credit, u64 *state)
{
	u32 size = random_below(state, 8) ? 300 : 3000;
	bool right = true;

	if (random_below(state, 100)) {
		credit_small_send(model, credit, 1 + random_below(state, size));
	} else {
		model->read += random_u64(state) %
			       (model->sent - model->read + 1);
		right = vsockdev_credit_peer_update(credit, model->window,
						    model->origin +
						    model->read);
	}
	if (!right)
		return "a right fwd_cnt was refused";
	if (credit_small_unread(model) > model->window / CREDIT_SMALL)
		return "too many small packets are unread";
	return NULL;
}

/* When all is read, as many single bytes go out as may be unread, no more */
static inline const char *
credit_small_model_fill(struct credit_small_model *model,
			struct vsockdev_credit *credit)
{
	u32 i;

	model->read = model->sent;
	vsockdev_credit_peer_update(credit, model->window,
				    model->origin + (u32)model->read);
	for (i = 0; i < model->window; i++)
		credit_small_send(model, credit, 1);
	return credit_small_unread(model) == model->window / CREDIT_SMALL ?
		       NULL : "another number of small packets is unread";
}

/* Receiving, from a peer that often ignores our window */
struct credit_rx_model {
	u32 origin;
	u64 received;
	u64 forwarded;
	u64 refused;
};

static inline const char *credit_rx_model_step(struct credit_rx_model *model,
					       struct vsockdev_credit *credit,
					       u64 *state)
{
	u64 held = model->received - model->forwarded;
	u32 len = random_u32(state);
	bool fits;

	if (random_below(state, 2)) {
		if (random_below(state, 2))
			len %= credit->buf_alloc - held + 1;
		fits = held + len <= credit->buf_alloc;
		if (vsockdev_credit_rx(credit, len) != fits)
			return fits ? "bytes that fit were refused" :
				      "more was taken than fits";
		model->received += fits ? len : 0;
		model->refused += !fits;
	} else {
		len %= held + 1;
		vsockdev_credit_forwarded(credit, len);
		model->forwarded += len;
	}
	if (credit->fwd_cnt != (u32)(model->origin + model->forwarded))
		return "fwd_cnt is wrong";
	return NULL;
}

/*
 * Two connections of ours, one that sends and one that receives, with packets
 * and updates under way between them.
 */
struct credit_pair_model {
	struct vsockdev_credit from;
	struct vsockdev_credit to;
	u32 max_packet;
	u64 sent;
	u64 arrived;
	u64 forwarded;
	u64 told;
	u64 known;
	u64 updates;
	u64 packets;
};

static inline void credit_pair_init(struct credit_pair_model *model,
				    u32 origin, u32 window)
{
	memset(model, 0, sizeof(*model));
	credit_model_init(&model->from, origin, 4096);
	credit_model_init(&model->to, origin, window);
	vsockdev_credit_peer_update(&model->from, window, origin);
	model->max_packet = 65536;
}

static inline const char *credit_pair_send(struct credit_pair_model *model,
					   u64 *state)
{
	u64 under_way = model->sent - model->forwarded;
	u32 space = vsockdev_credit_tx_space(&model->from);
	u32 len = min(space, vsockdev_credit_tx_packet(&model->from));

	len = min(len, model->max_packet);
	if (!len)
		return NULL;
	len = 1 + random_below(state, len);
	vsockdev_credit_tx(&model->from, len);
	model->sent += len;
	model->packets++;
	if (under_way + len > model->to.buf_alloc)
		return "more was sent than there is room";
	return NULL;
}

static inline const char *credit_pair_arrive(struct credit_pair_model *model,
					     u64 *state)
{
	u64 len = model->sent - model->arrived;

	if (len)
		len = 1 + random_u64(state) % len;
	if (!vsockdev_credit_rx(&model->to, len))
		return "what was sent with credit was refused";
	model->arrived += len;
	return NULL;
}

static inline const char *credit_pair_forward(struct credit_pair_model *model,
					      u64 *state)
{
	u64 len = random_u64(state) % (model->arrived - model->forwarded + 1);

	vsockdev_credit_forwarded(&model->to, len);
	model->forwarded += len;
	if (vsockdev_credit_update_due(&model->to)) {
		vsockdev_credit_tell(&model->to);
		model->told = model->forwarded;
		model->updates++;
	}
	return NULL;
}

static inline const char *credit_pair_learn(struct credit_pair_model *model)
{
	u32 fwd_cnt = model->from.peer_fwd_cnt + (model->told - model->known);

	if (!vsockdev_credit_peer_update(&model->from, model->to.buf_alloc,
					 fwd_cnt))
		return "a right fwd_cnt was refused";
	model->known = model->told;
	return NULL;
}

/* With nothing under way and all of it forwarded, sending must go on */
static inline const char *credit_pair_check(struct credit_pair_model *model)
{
	if (model->arrived == model->sent &&
	    model->forwarded == model->arrived &&
	    model->known == model->told &&
	    vsockdev_credit_tx_space(&model->from) <= model->to.buf_alloc / 2)
		return "it stalls, with the window empty";
	return NULL;
}

static inline const char *credit_pair_step(struct credit_pair_model *model,
					   u64 *state)
{
	const char *wrong;

	switch (random_below(state, 4)) {
	case 0:
		wrong = credit_pair_send(model, state);
		break;
	case 1:
		wrong = credit_pair_arrive(model, state);
		break;
	case 2:
		wrong = credit_pair_forward(model, state);
		break;
	default:
		wrong = credit_pair_learn(model);
		break;
	}
	return wrong ? wrong : credit_pair_check(model);
}

#endif /* VSOCKDEV_TESTS_CREDIT_MODEL_H */
