// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - packets to be sent
 *
 * DOC: Most frames are header and payload in one piece of memory, as every
 * device takes those. Other frames have a payload that lies in pages of a file,
 * or in skbs of a program, and is not copied: the frame has a reference to each
 * until it is freed, which is when the device has returned it or was reset.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/skbuff.h>
#include <linux/slab.h>

#include "frame.h"

/*
 * What a part of an skb may be charged with, as a multiple of its bytes. A frame
 * that costs more would be more than connections leave each other.
 */
#define CHARGE_MAX	4

static void frame_init(struct vsockdev_frame *frame, u32 room)
{
	frame->control = false;
	frame->vmo = false;
	frame->awaited = false;
	frame->owner = NULL;
	frame->flags = 0;
	frame->room = room;
	frame->len = 0;
	frame->charge = 0;
	frame->lent = NULL;
}

/**
 * vsockdev_frame_alloc() - memory for a packet
 * @len: payload that there should be room for
 * @gfp: how to allocate
 *
 * A large frame is one piece of physical memory, which may be hard to find.
 * Then a smaller one is returned: @room of the frame says how much fits.
 *
 * Return: the frame, or NULL if not even a page could be had.
 */
struct vsockdev_frame *vsockdev_frame_alloc(u32 len, gfp_t gfp)
{
	struct vsockdev_frame *frame;
	u32 room = min_t(u32, len, VSOCKDEV_PAYLOAD_MAX -
				   sizeof(struct vsockdev_frame));
	gfp_t flags = gfp | __GFP_NORETRY | __GFP_NOWARN;

	for (;;) {
		if (room <= PAGE_SIZE)
			flags = gfp | __GFP_NOWARN;
		frame = kmalloc(struct_size(frame, data,
					    VSOCKDEV_HDR_LEN + room), flags);
		if (frame || room <= PAGE_SIZE)
			break;
		room /= 2;
	}
	if (frame)
		frame_init(frame, room);
	return frame;
}

/**
 * vsockdev_frame_alloc_lent() - a packet whose payload lies elsewhere
 * @gfp: how to allocate
 *
 * Return: the frame, to which pages or skbs are added, or NULL.
 */
struct vsockdev_frame *vsockdev_frame_alloc_lent(gfp_t gfp)
{
	struct vsockdev_frame *frame;
	struct vsockdev_lent *lent;
	size_t size = ALIGN(struct_size(frame, data, VSOCKDEV_HDR_LEN),
			    __alignof__(*lent));

	frame = kmalloc(size + sizeof(*lent), gfp);
	if (!frame)
		return NULL;
	frame_init(frame, 0);
	lent = (void *)frame + size;
	sg_init_table(lent->sg, ARRAY_SIZE(lent->sg));
	lent->page_count = 0;
	lent->skb_count = 0;
	lent->sg_count = 1;
	frame->lent = lent;
	return frame;
}

/**
 * vsockdev_frame_add_page() - add bytes at the end of a payload
 * @frame: from vsockdev_frame_alloc_lent(), without skbs
 * @page: where they are; the frame takes over a reference
 * @offset: in @page
 * @len: bytes, in @page
 * @runs: pieces of memory that the payload may consist of, vsockdev_ring.tx_runs
 *
 * Return: false if the frame is full: the reference is still the caller's.
 */
bool vsockdev_frame_add_page(struct vsockdev_frame *frame, struct page *page,
			     u32 offset, u32 len, u32 runs)
{
	struct vsockdev_lent *lent = frame->lent;
	struct scatterlist *last = &lent->sg[lent->sg_count - 1];

	if (lent->page_count == VSOCKDEV_PAGES_MAX ||
	    frame->len + len > VSOCKDEV_PAGED_MAX)
		return false;
	if (lent->sg_count > 1 &&
	    sg_phys(last) + last->length == page_to_phys(page) + offset)
		last->length += len;
	else if (lent->sg_count <= runs)
		sg_set_page(&lent->sg[lent->sg_count++], page, len, offset);
	else
		return false;
	lent->pages[lent->page_count++] = page;
	frame->len += len;
	frame->charge += len;
	return true;
}

/* The kernel's own one is part of its image in places: see blob.c */
static bool has_page_of_zeros(struct scatterlist *sg, int count)
{
	while (count--)
		if (sg_page(sg++) == ZERO_PAGE(0))
			return true;
	return false;
}

/* Half of what @len bytes in @count pieces of an skb keep from being freed */
static u32 charge_of(const struct sk_buff *skb, int count, u32 len)
{
	return max3(len, skb->truesize / 2, (u32)(count * PAGE_SIZE / 2));
}

/**
 * vsockdev_frame_add_skb() - add bytes of an skb at the end of a payload
 * @frame: from vsockdev_frame_alloc_lent(), without pages
 * @skb: where they are; the frame takes a reference of its own
 * @offset: in @skb
 * @len: bytes, in @skb
 * @runs: see vsockdev_frame_add_page()
 *
 * Return: false if they do not fit, or must be copied.
 */
bool vsockdev_frame_add_skb(struct vsockdev_frame *frame, struct sk_buff *skb,
			    u32 offset, u32 len, u32 runs)
{
	struct vsockdev_lent *lent = frame->lent;
	struct scatterlist *next = &lent->sg[lent->sg_count];
	int room = min_t(u32, runs, VSOCKDEV_PAGES_MAX) - (lent->sg_count - 1);
	int count;
	u32 charge;

	if (room <= 0 || frame->len + len > VSOCKDEV_PAGED_MAX ||
	    lent->skb_count == VSOCKDEV_PAGES_MAX)
		return false;
	count = skb_to_sgvec_nomark(skb, next, offset, len);
	if (count <= 0 || count > room || has_page_of_zeros(next, count))
		return false;
	charge = charge_of(skb, count, len);
	if (charge > CHARGE_MAX * len)
		return false;
	lent->sg_count += count;
	lent->skbs[lent->skb_count++] = skb_get(skb);
	frame->len += len;
	frame->charge += charge;
	return true;
}

/* A run is contiguous memory, whatever its pages belong to */
static void drop_bytes(struct scatterlist *sg, u32 len)
{
	u32 offset = sg->offset + len;
	unsigned long pfn = page_to_pfn(sg_page(sg)) + offset / PAGE_SIZE;

	sg_set_page(sg, pfn_to_page(pfn), sg->length - len,
		    offset % PAGE_SIZE);
}

static void drop_front(struct vsockdev_lent *lent, u32 len)
{
	while (len) {
		struct scatterlist *first = &lent->sg[1];
		u32 part = min(len, first->length);

		len -= part;
		if (part == first->length) {
			lent->sg_count--;
			memmove(first, first + 1,
				(lent->sg_count - 1) * sizeof(*first));
			continue;
		}
		drop_bytes(first, part);
	}
}

/**
 * vsockdev_frame_split() - move the first bytes of a frame to another one
 * @frame: what is left stays here
 * @head: its @len says how many bytes, fewer than @frame has
 */
void vsockdev_frame_split(struct vsockdev_frame *frame,
			  struct vsockdev_frame *head)
{
	u8 *payload = frame->data + VSOCKDEV_HDR_LEN;
	struct vsockdev_lent *lent = frame->lent;

	frame->len -= head->len;
	if (lent) {
		sg_pcopy_to_buffer(lent->sg + 1, lent->sg_count - 1,
				   head->data + VSOCKDEV_HDR_LEN, head->len, 0);
		drop_front(lent, head->len);
		return;
	}
	memcpy(head->data + VSOCKDEV_HDR_LEN, payload, head->len);
	memmove(payload, payload + head->len, frame->len);
}

/**
 * vsockdev_frame_free() - free a frame that is in no list
 * @frame: not one of the ring's own
 *
 * Context: any.
 */
void vsockdev_frame_free(struct vsockdev_frame *frame)
{
	struct vsockdev_lent *lent = frame->lent;
	u32 i;

	if (lent) {
		for (i = 0; i < lent->page_count; i++)
			put_page(lent->pages[i]);
		for (i = 0; i < lent->skb_count; i++)
			consume_skb(lent->skbs[i]);
	}
	kfree(frame);
}

/**
 * vsockdev_frames_free() - free frames
 * @frames: a list of them, empty after that
 */
void vsockdev_frames_free(struct list_head *frames)
{
	struct vsockdev_frame *frame, *next;

	list_for_each_entry_safe(frame, next, frames, node)
		vsockdev_frame_free(frame);
	INIT_LIST_HEAD(frames);
}
