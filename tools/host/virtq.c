// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueues. The guest can write to everything here at any moment, so
 * each field is read once, into a local, and checked there. A chain that
 * cannot be used goes back untouched; indices that cannot be true end the
 * work on the ring until the driver resets it.
 */
#include "virtq.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

/* Where the driver says at which index it wants to be interrupted ... */
static uint16_t *used_event(const struct virtq *vq)
{
	return &vq->avail->ring[vq->num];
}

/* ... and where the device says at which index it wants to be kicked. */
static uint16_t *avail_event(const struct virtq *vq)
{
	return (uint16_t *)&vq->used->ring[vq->num];
}

static uint16_t load16(const uint16_t *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

static void store16(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, htole16(v), __ATOMIC_RELEASE);
}

int virtq_map(struct virtq *vq, const struct gmem *mem)
{
	uint32_t n = vq->num;

	if (!n || n > VIRTQ_NUM_MAX || (n & (n - 1)))
		return -EINVAL;
	if (vq->desc_addr % VRING_DESC_ALIGN_SIZE ||
	    vq->avail_addr % VRING_AVAIL_ALIGN_SIZE ||
	    vq->used_addr % VRING_USED_ALIGN_SIZE)
		return -EINVAL;
	vq->desc = gmem_user(mem, vq->desc_addr, n * sizeof(*vq->desc));
	vq->avail = gmem_user(mem, vq->avail_addr,
			      sizeof(*vq->avail) + (n + 1) * sizeof(uint16_t));
	vq->used = gmem_user(mem, vq->used_addr,
			     sizeof(*vq->used) + n * sizeof(*vq->used->ring) +
				     sizeof(uint16_t));
	/* What was translated before may point into memory that is gone. */
	vq->have_chain = false;
	return vq->desc && vq->avail && vq->used ? 0 : -EFAULT;
}

int virtq_start(struct virtq *vq, const struct gmem *mem, uint64_t features)
{
	int err = virtq_map(vq, mem);

	if (err)
		return err;
	vq->mem = mem;
	vq->event_idx = features & (1ULL << VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = features & (1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	vq->used_idx = load16(&vq->used->idx);
	vq->flushed_idx = vq->used_idx;
	vq->broken = false;
	vq->running = true;
	return 0;
}

void virtq_stop(struct virtq *vq)
{
	if (vq->running)
		virtq_flush(vq);
	vq->running = false;
	vq->have_chain = false;
}

/* Where a walk over descriptors stands. */
struct walk {
	const struct vring_desc *table;
	uint32_t size;
	uint32_t index;
	uint32_t left; /* steps before it must be a loop */
};

static bool walk_load(const struct walk *w, struct vring_desc *d)
{
	const struct vring_desc *src = &w->table[w->index];

	if (w->index >= w->size)
		return false;
	d->addr = le64toh(__atomic_load_n(&src->addr, __ATOMIC_RELAXED));
	d->len = le32toh(__atomic_load_n(&src->len, __ATOMIC_RELAXED));
	d->flags = le16toh(__atomic_load_n(&src->flags, __ATOMIC_RELAXED));
	d->next = le16toh(__atomic_load_n(&src->next, __ATOMIC_RELAXED));
	return true;
}

/* Moves the walk into the table that @d describes. */
static bool walk_indirect(const struct virtq *vq, struct walk *w,
			  const struct vring_desc *d)
{
	if (!vq->indirect || w->table != vq->desc ||
	    (d->flags & VRING_DESC_F_NEXT))
		return false;
	w->size = d->len / sizeof(*d);
	if (!w->size || d->len % sizeof(*d) || w->size > VIRTQ_NUM_MAX ||
	    d->addr % sizeof(uint64_t))
		return false;
	w->table = gmem_guest(vq->mem, d->addr, d->len);
	w->index = 0;
	w->left = w->size;
	return w->table;
}

static bool chain_add(const struct virtq *vq, struct virtq_chain *chain,
		      const struct vring_desc *d)
{
	int n;

	if (!!(d->flags & VRING_DESC_F_WRITE) != vq->device_writes)
		return false;
	n = gmem_iov(vq->mem, d->addr, d->len, chain->vec + chain->iov.count,
		     VIRTQ_IOV_MAX - chain->iov.count);
	if (n < 0)
		return false;
	chain->iov.count += n;
	chain->len += d->len;
	return true;
}

static bool chain_load(struct virtq *vq, struct virtq_chain *chain)
{
	struct walk w = { vq->desc, vq->num, chain->head, vq->num };
	struct vring_desc d;

	chain->iov.vec = chain->vec;
	chain->iov.count = 0;
	chain->len = 0;
	do {
		if (!w.left-- || !walk_load(&w, &d))
			return false;
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (!walk_indirect(vq, &w, &d))
				return false;
			d.flags = VRING_DESC_F_NEXT;
			continue;
		}
		if (!chain_add(vq, chain, &d))
			return false;
		w.index = d.next;
	} while (d.flags & VRING_DESC_F_NEXT);
	return true;
}

uint16_t virtq_available(struct virtq *vq)
{
	uint16_t n;

	if (!vq->running || vq->broken)
		return 0;
	n = load16(&vq->avail->idx) - vq->last_avail;
	if (n > vq->num) {
		log_verbose("ring broken: %u buffers in a ring of %u", n,
			    vq->num);
		vq->broken = true;
		return 0;
	}
	return n;
}

struct virtq_chain *virtq_next(struct virtq *vq)
{
	struct virtq_chain *chain = &vq->chain;

	while (!vq->have_chain) {
		uint16_t slot = vq->last_avail & (vq->num - 1);

		if (!virtq_available(vq))
			return NULL;
		chain->head = load16(&vq->avail->ring[slot]);
		if (chain->head >= vq->num) {
			log_verbose("ring broken: head %u", chain->head);
			vq->broken = true;
			return NULL;
		}
		vq->have_chain = true;
		if (!chain_load(vq, chain)) {
			log_verbose("malformed chain dropped");
			virtq_done(vq, 0);
		}
	}
	return chain;
}

uint16_t virtq_take(struct virtq *vq)
{
	vq->last_avail++;
	vq->have_chain = false;
	return vq->chain.head;
}

void virtq_give(struct virtq *vq, uint32_t head, uint32_t len)
{
	struct vring_used_elem *e =
		&vq->used->ring[vq->used_idx & (vq->num - 1)];

	e->id = htole32(head);
	e->len = htole32(len);
	vq->used_idx++;
}

void virtq_done(struct virtq *vq, uint32_t len)
{
	virtq_give(vq, virtq_take(vq), len);
}

static bool guest_wants_call(const struct virtq *vq, uint16_t old)
{
	/* The index must be out before the guest's wish is read. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->event_idx)
		return !(load16(&vq->avail->flags) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(load16(used_event(vq)), vq->used_idx, old);
}

void virtq_flush(struct virtq *vq)
{
	static const uint64_t one = 1;
	uint16_t old = vq->flushed_idx;

	if (old == vq->used_idx)
		return;
	store16(&vq->used->idx, vq->used_idx);
	vq->flushed_idx = vq->used_idx;
	if (vq->call_fd < 0 || !guest_wants_call(vq, old))
		return;
	vq->calls++;
	/* A full pipe or counter means that a call is pending already. */
	if (write(vq->call_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_verbose("call: %s", strerror(errno));
}

void virtq_mute(struct virtq *vq)
{
	/* With event indices, not moving avail_event is all it takes. */
	if (vq->running && !vq->event_idx)
		store16(&vq->used->flags, VRING_USED_F_NO_NOTIFY);
}

bool virtq_listen(struct virtq *vq)
{
	if (!vq->running)
		return false;
	if (vq->event_idx)
		store16(avail_event(vq), vq->last_avail);
	else
		store16(&vq->used->flags, 0);
	/* The wish must be out before the index is read again. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return vq->have_chain || virtq_available(vq);
}
