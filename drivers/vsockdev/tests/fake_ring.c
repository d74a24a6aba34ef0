// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - the device's side of a split virtqueue
 *
 * DOC: Addresses in the ring are physical ones, as VIRTIO_F_ACCESS_PLATFORM is
 * never offered. Byte order is little-endian, as VIRTIO_F_VERSION_1 always is
 * (virtio 1.2, 2.7). A driver under test may be wrong, so whatever it wrote is
 * checked before it is followed.
 */
#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "fake_ring.h"

/**
 * fake_ring_init() - the driver has told where a queue is
 * @ring: to be set up
 * @vring: where it is, all zero; at most %VSOCKDEV_FAKE_RING_MAX entries
 * @event_idx: VIRTIO_RING_F_EVENT_IDX was negotiated
 */
void fake_ring_init(struct fake_ring *ring, const struct vring *vring,
		    bool event_idx)
{
	memset(ring, 0, sizeof(*ring));
	ring->vring = *vring;
	ring->event_idx = event_idx;
}

/**
 * fake_ring_forget() - the driver has reset the device
 * @ring: which must not be touched from now on
 */
void fake_ring_forget(struct fake_ring *ring)
{
	memset(ring, 0, sizeof(*ring));
}

static __le16 *used_event(const struct fake_ring *ring)
{
	return (__le16 __force *)&vring_used_event(&ring->vring);
}

static __le16 *avail_event(const struct fake_ring *ring)
{
	return (__le16 __force *)&vring_avail_event(&ring->vring);
}

static u16 avail_index(const struct fake_ring *ring)
{
	__virtio16 index;

	/* Pairs with the driver's barrier between entries and index */
	index = smp_load_acquire(&ring->vring.avail->idx);
	return le16_to_cpu((__le16 __force)index);
}

/**
 * fake_ring_posted() - count the chains that wait for the device
 * @ring: the ring
 *
 * The driver will notify the device of the next one.
 *
 * Return: how many there are, more than the ring's entries if the driver
 * wrote nonsense.
 */
u32 fake_ring_posted(struct fake_ring *ring)
{
	u16 index;

	if (!ring->vring.num)
		return 0;
	index = avail_index(ring);
	if (ring->event_idx) {
		WRITE_ONCE(*avail_event(ring), cpu_to_le16(index));
		/* One that was posted meanwhile was not told of */
		smp_mb();
		index = avail_index(ring);
	}
	return (u16)(index - ring->next);
}

/**
 * fake_ring_held() - count the chains that the device holds
 * @ring: the ring
 *
 * Return: how many there are.
 */
u32 fake_ring_held(const struct fake_ring *ring)
{
	return bitmap_weight(ring->held, VSOCKDEV_FAKE_RING_MAX);
}

/**
 * fake_ring_peek() - find the chain that is next
 * @ring: the ring
 * @head: out: its first descriptor
 *
 * Return: 0, -EAGAIN if there is none, or -EIO.
 */
int fake_ring_peek(struct fake_ring *ring, u16 *head)
{
	u32 posted = fake_ring_posted(ring);
	u32 slot;

	if (!posted)
		return -EAGAIN;
	if (posted > ring->vring.num)
		return -EIO;
	slot = ring->next & (ring->vring.num - 1);
	*head = le16_to_cpu((__le16 __force)
			    READ_ONCE(ring->vring.avail->ring[slot]));
	if (*head >= ring->vring.num || test_bit(*head, ring->held))
		return -EIO;
	return 0;
}

/**
 * fake_ring_take() - take the chain that is next
 * @ring: the ring
 * @head: from fake_ring_peek(); held from now on
 */
void fake_ring_take(struct fake_ring *ring, u16 head)
{
	ring->next++;
	__set_bit(head, ring->held);
}

/**
 * struct cursor - a way along a chain
 * @table: the ring's descriptors or an indirect table
 * @size: entries of @table
 * @index: entry to look at next
 * @steps: entries that may follow before it must be a loop
 */
struct cursor {
	const struct vring_desc *table;
	u32 size;
	u32 index;
	u32 steps;
};

/**
 * struct segment - one descriptor
 * @memory: its bytes
 * @len: how many
 * @writable: by the device
 * @last: of its chain
 */
struct segment {
	void *memory;
	u32 len;
	bool writable;
	bool last;
};

static void *memory_at(__virtio64 addr, u32 len)
{
	phys_addr_t start = le64_to_cpu((__le64 __force)addr);
	phys_addr_t end = start + len - 1;

	if (!len || end < start || !pfn_valid(PHYS_PFN(start)) ||
	    !pfn_valid(PHYS_PFN(end)))
		return NULL;
	return phys_to_virt(start);
}

static u16 desc_flags(const struct vring_desc *desc)
{
	return le16_to_cpu((__le16 __force)READ_ONCE(desc->flags));
}

static u32 desc_len(const struct vring_desc *desc)
{
	return le32_to_cpu((__le32 __force)READ_ONCE(desc->len));
}

/* Goes to the first descriptor, which may be of a table of its own */
static int cursor_init(struct cursor *cursor, const struct fake_ring *ring,
		       u16 head)
{
	const struct vring_desc *desc = &ring->vring.desc[head];
	u32 len = desc_len(desc);

	*cursor = (struct cursor) {
		.table = ring->vring.desc,
		.size = ring->vring.num,
		.index = head,
		.steps = ring->vring.num,
	};
	if (!(desc_flags(desc) & VRING_DESC_F_INDIRECT))
		return 0;

	cursor->table = memory_at(desc->addr, len);
	cursor->size = len / sizeof(*desc);
	cursor->index = 0;
	cursor->steps = cursor->size;
	if (desc_flags(desc) & VRING_DESC_F_NEXT || len % sizeof(*desc))
		return -EIO;
	return cursor->table ? 0 : -EIO;
}

static int cursor_next(struct cursor *cursor, struct segment *segment)
{
	const struct vring_desc *desc;
	u16 flags;

	if (cursor->index >= cursor->size || !cursor->steps--)
		return -EIO;
	desc = &cursor->table[cursor->index];
	flags = desc_flags(desc);
	if (flags & VRING_DESC_F_INDIRECT)
		return -EIO;
	segment->len = desc_len(desc);
	segment->memory = memory_at(desc->addr, segment->len);
	segment->writable = flags & VRING_DESC_F_WRITE;
	segment->last = !(flags & VRING_DESC_F_NEXT);
	cursor->index = le16_to_cpu((__le16 __force)READ_ONCE(desc->next));
	return segment->memory ? 0 : -EIO;
}

static void chain_count(struct fake_chain *chain, const struct segment *segment)
{
	if (chain->count < VSOCKDEV_FAKE_SIZES)
		chain->sizes[chain->count] = segment->len;
	chain->count++;
	if (segment->writable)
		chain->writable += segment->len;
	else
		chain->readable += segment->len;
}

/**
 * fake_ring_read() - read the bytes of a chain
 * @ring: the ring
 * @head: its first descriptor
 * @buf: where the bytes go
 * @room: how many of them at most
 * @chain: out: what there is
 *
 * Return: 0 or -EIO.
 */
int fake_ring_read(const struct fake_ring *ring, u16 head, void *buf, u32 room,
		   struct fake_chain *chain)
{
	struct segment segment;
	struct cursor cursor;
	int ret;

	memset(chain, 0, sizeof(*chain));
	ret = cursor_init(&cursor, ring, head);
	while (!ret) {
		ret = cursor_next(&cursor, &segment);
		if (ret)
			break;
		if (!segment.writable && chain->readable < room)
			memcpy(buf + chain->readable, segment.memory,
			       min(segment.len, room - chain->readable));
		/* What the device reads comes first (virtio 1.2, 2.7.4.2) */
		if (!segment.writable && chain->writable)
			return -EIO;
		chain_count(chain, &segment);
		if (segment.last)
			break;
	}
	return ret;
}

/**
 * fake_ring_write() - write into the buffers of a chain
 * @ring: the ring
 * @head: its first descriptor
 * @buf: the bytes
 * @len: how many
 *
 * Return: 0, -EMSGSIZE if there is less room, or -EIO.
 */
int fake_ring_write(const struct fake_ring *ring, u16 head, const void *buf,
		    u32 len)
{
	struct segment segment;
	struct cursor cursor;
	u32 done = 0, part;
	int ret;

	ret = cursor_init(&cursor, ring, head);
	while (!ret) {
		ret = cursor_next(&cursor, &segment);
		if (ret)
			break;
		if (segment.writable) {
			part = min(segment.len, len - done);
			memcpy(segment.memory, buf + done, part);
			done += part;
		}
		if (segment.last)
			return done == len ? 0 : -EMSGSIZE;
	}
	return ret;
}

/**
 * fake_ring_return() - give a chain back to the driver
 * @ring: the ring
 * @id: its first descriptor, or a lie
 * @used: bytes to claim as written
 */
void fake_ring_return(struct fake_ring *ring, u32 id, u32 used)
{
	vring_used_elem_t *elem;

	if (id < VSOCKDEV_FAKE_RING_MAX)
		__clear_bit(id, ring->held);
	elem = &ring->vring.used->ring[ring->used & (ring->vring.num - 1)];
	elem->id = (__virtio32 __force)cpu_to_le32(id);
	elem->len = (__virtio32 __force)cpu_to_le32(used);
	ring->used++;
	/* Pairs with the driver's barrier between index and entries */
	smp_store_release((__le16 __force *)&ring->vring.used->idx,
			  cpu_to_le16(ring->used));
}

/**
 * fake_ring_wants_interrupt() - ask whether the driver wants to be told
 * @ring: the ring
 *
 * Return: true if it does, of what was returned since the last time.
 */
bool fake_ring_wants_interrupt(struct fake_ring *ring)
{
	u16 told = ring->told;
	__virtio16 flags;
	u16 event;

	/* Pairs with the driver's between asking and looking once more */
	smp_mb();
	ring->told = ring->used;
	if (ring->event_idx) {
		event = le16_to_cpu(READ_ONCE(*used_event(ring)));
		return vring_need_event(event, ring->used, told);
	}
	flags = READ_ONCE(ring->vring.avail->flags);
	return !(le16_to_cpu((__le16 __force)flags) &
		 VRING_AVAIL_F_NO_INTERRUPT);
}
