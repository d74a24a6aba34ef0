/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - packets to be sent
 */
#ifndef VSOCKDEV_FRAME_H
#define VSOCKDEV_FRAME_H

#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

#include "wire.h"

/* Header and payload of one packet: what every known device takes at once */
#define VSOCKDEV_FRAME_MAX	65536
#define VSOCKDEV_PAYLOAD_MAX	(VSOCKDEV_FRAME_MAX - VSOCKDEV_HDR_LEN)

/* Payload of a packet whose header lies apart, and pages that it can touch */
#define VSOCKDEV_PAGED_MAX	65536
#define VSOCKDEV_PAGES_MAX	(VSOCKDEV_PAGED_MAX / PAGE_SIZE + 1)

struct sk_buff;

/**
 * struct vsockdev_lent - a payload that lies in somebody else's memory
 * @page_count: entries of @pages
 * @skb_count: entries of @skbs
 * @pages: a reference for each
 * @skbs: a reference for each; a frame has pages or skbs
 * @sg_count: entries of @sg, the header included
 * @sg: runs of contiguous memory; the first one is for the header
 */
struct vsockdev_lent {
	u32 page_count;
	u32 skb_count;
	union {
		struct page *pages[VSOCKDEV_PAGES_MAX];
		struct sk_buff *skbs[VSOCKDEV_PAGES_MAX];
	};
	u32 sg_count;
	struct scatterlist sg[1 + VSOCKDEV_PAGES_MAX];
};

/**
 * struct vsockdev_frame - a packet to be sent
 * @node: for whoever holds the frame before and after the ring does
 * @control: belongs to the ring, not to the heap
 * @owner: the connection, a reference, or NULL. The ring only keeps it
 * @vmo: part of a SEND_VMO
 * @awaited: the last part: somebody waits until it was sent
 * @flags: of the header
 * @room: largest payload that fits @data
 * @len: payload
 * @charge: at least half of the memory that @lent keeps from being freed, if that
 *	is pages of ordinary size
 * @lent: where the payload is, or NULL if it is in @data
 * @data: header and payload, one piece of memory for the device
 */
struct vsockdev_frame {
	struct list_head node;
	bool control;
	bool vmo;
	bool awaited;
	void *owner;
	u32 flags;
	u32 room;
	u32 len;
	u32 charge;
	struct vsockdev_lent *lent;
	u8 data[] __aligned(8);
};

/**
 * vsockdev_frame_cost() - what a frame counts for in the TX queue
 * @frame: the frame
 *
 * Return: bytes, at least its payload.
 */
static inline u32 vsockdev_frame_cost(const struct vsockdev_frame *frame)
{
	return max(frame->len, frame->charge);
}

struct vsockdev_frame *vsockdev_frame_alloc(u32 len, gfp_t gfp);
struct vsockdev_frame *vsockdev_frame_alloc_lent(gfp_t gfp);
bool vsockdev_frame_add_page(struct vsockdev_frame *frame, struct page *page,
			     u32 offset, u32 len, u32 runs);
bool vsockdev_frame_add_skb(struct vsockdev_frame *frame, struct sk_buff *skb,
			    u32 offset, u32 len, u32 runs);
void vsockdev_frame_split(struct vsockdev_frame *frame,
			  struct vsockdev_frame *head);
void vsockdev_frame_free(struct vsockdev_frame *frame);
void vsockdev_frames_free(struct list_head *frames);

#endif /* VSOCKDEV_FRAME_H */
