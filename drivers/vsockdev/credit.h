/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - flow control of one connection
 */
#ifndef VSOCKDEV_CREDIT_H
#define VSOCKDEV_CREDIT_H

#include "pure.h"

/**
 * struct vsockdev_credit - both windows of a connection
 * @tx_cnt: payload bytes sent, wrapping
 * @peer_fwd_cnt: of those, what the peer said it has passed on
 * @peer_buf_alloc: the peer's window, whatever it may be
 * @tx_mark: @tx_cnt when counting @small_after began
 * @small_before: small packets sent before @tx_mark that may be unread
 * @small_after: small packets sent since
 * @buf_alloc: our window
 * @rx_cnt: payload bytes received, wrapping
 * @fwd_cnt: of those, what entered the program's socket
 * @fwd_cnt_told: the @fwd_cnt that the peer heard of last
 *
 * All counters wrap at 2^32; only differences between them mean anything
 * (virtio 1.2, 5.10.6.3).
 */
struct vsockdev_credit {
	u32 tx_cnt;
	u32 peer_fwd_cnt;
	u32 peer_buf_alloc;
	u32 tx_mark;
	u32 small_before;
	u32 small_after;
	u32 buf_alloc;
	u32 rx_cnt;
	u32 fwd_cnt;
	u32 fwd_cnt_told;
};

void vsockdev_credit_init(struct vsockdev_credit *credit, u32 buf_alloc);

bool vsockdev_credit_peer_update(struct vsockdev_credit *credit,
				 u32 buf_alloc, u32 fwd_cnt);
u32 vsockdev_credit_tx_space(const struct vsockdev_credit *credit);
u32 vsockdev_credit_tx_packet(const struct vsockdev_credit *credit);
bool vsockdev_credit_tx_should_wait(const struct vsockdev_credit *credit,
				    u32 len);
void vsockdev_credit_tx(struct vsockdev_credit *credit, u32 len);

bool vsockdev_credit_rx(struct vsockdev_credit *credit, u32 len);
void vsockdev_credit_forwarded(struct vsockdev_credit *credit, u32 len);
u32 vsockdev_credit_untold(const struct vsockdev_credit *credit);
bool vsockdev_credit_update_due(const struct vsockdev_credit *credit);
u32 vsockdev_credit_tell(struct vsockdev_credit *credit);

#endif /* VSOCKDEV_CREDIT_H */
