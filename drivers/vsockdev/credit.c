// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - flow control of one connection
 *
 * DOC: The peer may send any buf_alloc and any fwd_cnt, in any order. Three
 * things must hold all the same: we never send more than the peer has room
 * for, no subtraction runs below zero, and a connection with room left is
 * never taken for a full one.
 *
 * Besides bytes, small packets are counted. Some hosts charge about 576 bytes
 * for each packet that their program did not read yet, against the window they
 * announced, and reset the connection when that is used up. So with more than
 * one small packet per KiB of window unread, small writes should wait to be
 * merged into a larger packet. Not for ever, though: the host's program may
 * wait for the very byte that is held back. How many of the small packets a
 * fwd_cnt covers is not known exactly: they are counted in two groups, and the
 * older group is forgotten once fwd_cnt passed its end, which errs towards too
 * many.
 */
#include "credit.h"

#define SMALL_PACKET		1024
#define SMALL_PACKETS_MIN	16

/*
 * Room is told at half our window, or half the peer's if that is less, but not
 * less than this. The peer may have less in mind than we offer: Linux sends no
 * more than its own window, 256 KiB by default, and then waits without asking.
 */
#define UPDATE_MIN		(128 * 1024)

/**
 * vsockdev_credit_init() - start with empty windows
 * @credit: to be set up
 * @buf_alloc: our window in bytes
 *
 * The peer's window is 0 until its first packet told another.
 */
void vsockdev_credit_init(struct vsockdev_credit *credit, u32 buf_alloc)
{
	memset(credit, 0, sizeof(*credit));
	credit->buf_alloc = buf_alloc;
}

static u32 tx_unread(const struct vsockdev_credit *credit)
{
	return credit->tx_cnt - credit->peer_fwd_cnt;
}

/**
 * vsockdev_credit_peer_update() - take over what a received header says
 * @credit: of the connection
 * @buf_alloc: of the header
 * @fwd_cnt: of the header
 *
 * Return: false if the peer claims to have passed on what was never sent,
 * in which case nothing is taken over.
 */
bool vsockdev_credit_peer_update(struct vsockdev_credit *credit,
				 u32 buf_alloc, u32 fwd_cnt)
{
	if (fwd_cnt - credit->peer_fwd_cnt > tx_unread(credit))
		return false;

	credit->peer_buf_alloc = buf_alloc;
	credit->peer_fwd_cnt = fwd_cnt;

	if (!tx_unread(credit)) {
		credit->small_before = 0;
		credit->small_after = 0;
		credit->tx_mark = credit->tx_cnt;
	} else if ((s32)(fwd_cnt - credit->tx_mark) >= 0) {
		credit->small_before = credit->small_after;
		credit->small_after = 0;
		credit->tx_mark = credit->tx_cnt;
	}
	return true;
}

/**
 * vsockdev_credit_tx_space() - bytes that may be sent now
 * @credit: of the connection
 *
 * Return: 0 when the peer's window is full, or was made smaller than what
 * is on its way.
 */
u32 vsockdev_credit_tx_space(const struct vsockdev_credit *credit)
{
	u32 unread = tx_unread(credit);

	if (unread >= credit->peer_buf_alloc)
		return 0;
	return credit->peer_buf_alloc - unread;
}

/**
 * vsockdev_credit_tx_packet() - largest payload of one packet
 * @credit: of the connection
 *
 * A quarter of the peer's window: the peer can then read one packet while
 * the next ones are on their way, where a packet of a whole window would
 * make both sides wait for each other.
 *
 * Return: bytes, at least 1.
 */
u32 vsockdev_credit_tx_packet(const struct vsockdev_credit *credit)
{
	return max(credit->peer_buf_alloc / 4, (u32)1);
}

/**
 * vsockdev_credit_tx_should_wait() - tells whether a packet is one too many
 * @credit: of the connection
 * @len: its payload, for which there is room
 *
 * Return: true if it is small, and many small ones are unread already.
 */
bool vsockdev_credit_tx_should_wait(const struct vsockdev_credit *credit,
				    u32 len)
{
	u32 limit = max(credit->peer_buf_alloc / SMALL_PACKET,
			(u32)SMALL_PACKETS_MIN);

	return len < SMALL_PACKET &&
	       credit->small_before + credit->small_after >= limit;
}

/**
 * vsockdev_credit_tx() - count a packet that is being sent
 * @credit: of the connection
 * @len: its payload, not more than vsockdev_credit_tx_space()
 */
void vsockdev_credit_tx(struct vsockdev_credit *credit, u32 len)
{
	credit->tx_cnt += len;
	if (len < SMALL_PACKET)
		credit->small_after++;
}

/**
 * vsockdev_credit_rx() - count a packet that was received
 * @credit: of the connection
 * @len: its payload
 *
 * Return: false if it does not fit our window: the peer ignored flow
 * control. Nothing is counted then.
 */
bool vsockdev_credit_rx(struct vsockdev_credit *credit, u32 len)
{
	u32 held = credit->rx_cnt - credit->fwd_cnt;

	if (len > credit->buf_alloc - held)
		return false;
	credit->rx_cnt += len;
	return true;
}

/**
 * vsockdev_credit_forwarded() - count bytes that left our window
 * @credit: of the connection
 * @len: bytes, not more than were received
 */
void vsockdev_credit_forwarded(struct vsockdev_credit *credit, u32 len)
{
	credit->fwd_cnt += len;
}

/**
 * vsockdev_credit_untold() - tells whether an update would be news
 * @credit: of the connection
 *
 * Return: bytes of room that the peer does not know of.
 */
u32 vsockdev_credit_untold(const struct vsockdev_credit *credit)
{
	return credit->fwd_cnt - credit->fwd_cnt_told;
}

/**
 * vsockdev_credit_update_due() - tells whether the peer should hear of room
 * @credit: of the connection
 *
 * Due at half the window at the latest, which leaves a peer that fills the
 * window half of it to go on with, and never for each packet of a few.
 *
 * Return: true if so.
 */
bool vsockdev_credit_update_due(const struct vsockdev_credit *credit)
{
	u32 untold = vsockdev_credit_untold(credit);
	u32 peer = max(credit->peer_buf_alloc / 2, (u32)UPDATE_MIN);

	return untold && untold >= min(credit->buf_alloc / 2, peer);
}

/**
 * vsockdev_credit_tell() - the fwd_cnt for a header about to be sent
 * @credit: of the connection
 *
 * Return: fwd_cnt; from now on the peer knows it.
 */
u32 vsockdev_credit_tell(struct vsockdev_credit *credit)
{
	credit->fwd_cnt_told = credit->fwd_cnt;
	return credit->fwd_cnt;
}
