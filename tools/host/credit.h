/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flow control of one connection. All counters are free running and wrap at
 * 32 bits; only differences mean anything.
 */
#ifndef VSOCKDEV_HOST_CREDIT_H
#define VSOCKDEV_HOST_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "util.h"

/* Keeps every difference far from the sign bit, whatever a guest grants. */
#define CREDIT_WINDOW_MAX (1u << 30)

struct credit {
	/* Towards the guest. */
	uint32_t tx_cnt;
	uint32_t peer_buf_alloc;
	uint32_t peer_fwd_cnt;
	/* From the guest. */
	uint32_t rx_cnt;
	uint32_t fwd_cnt;
	uint32_t told_fwd_cnt; /* as in the last packet that went out */
	uint32_t buf_alloc;
};

/* Bytes that the guest is ready to take. */
static inline uint32_t credit_tx_room(const struct credit *cr)
{
	uint32_t flying = cr->tx_cnt - cr->peer_fwd_cnt;
	uint32_t window = min(cr->peer_buf_alloc, CREDIT_WINDOW_MAX);

	return flying < window ? window - flying : 0;
}

/* Bytes that the guest may send by what it was told. */
static inline uint32_t credit_rx_room(const struct credit *cr)
{
	return cr->buf_alloc - (cr->rx_cnt - cr->told_fwd_cnt);
}

/*
 * Notes what the guest's header says; false if it claims to have taken bytes
 * that were never sent. A count that went back is an older packet overtaken
 * by a newer one, and stays without effect.
 */
static inline bool credit_note_peer(struct credit *cr, uint32_t buf_alloc,
				    uint32_t fwd_cnt)
{
	if ((int32_t)(cr->tx_cnt - fwd_cnt) < 0)
		return false;
	cr->peer_buf_alloc = buf_alloc;
	if ((int32_t)(fwd_cnt - cr->peer_fwd_cnt) > 0)
		cr->peer_fwd_cnt = fwd_cnt;
	return true;
}

/*
 * Time to tell the guest how much was taken: at half the window. A guest may
 * use no more than its own buffer size of our window, so that counts too.
 */
static inline bool credit_update_due(const struct credit *cr)
{
	uint32_t news = cr->fwd_cnt - cr->told_fwd_cnt;

	return news && news >= min(cr->buf_alloc, cr->peer_buf_alloc) / 2;
}

#endif
