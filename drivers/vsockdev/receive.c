// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - bytes as they come from the host
 *
 * DOC: The RX work writes received bytes into the socket, where nobody has to
 * be waited for, and what is left into chunks, for the pump. Small packets
 * share a chunk, so that a byte costs about a byte however the host slices
 * them; a message costs a few more for its length. Large packets of a stream
 * are not copied: the chunk, or the socket, has a reference to the RX buffer,
 * as long as the device has others to fill.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "compat.h"
#include "conn.h"
#include "deliver.h"
#include "device.h"
#include "part.h"
#include "sock.h"

/*
 * Packets up to this size share chunks, which costs a copy under the lock.
 * Larger ones get a chunk each.
 */
#define CHUNK_SMALL	(SZ_4K - sizeof(struct vsockdev_chunk))

/* Room that @len bytes take in a chunk */
static u32 room_for(const struct vsockdev_conn *conn, u32 len)
{
	return conn->type == VSOCKDEV_TYPE_SEQPACKET ? vsockdev_part_room(len) : len;
}

static struct vsockdev_part *last_part(struct vsockdev_chunk *chunk)
{
	return (struct vsockdev_part *)(chunk->data + chunk->last_part);
}

/* Puts bytes at the end of the last part, which is that of the chunk */
static void grow_part(struct vsockdev_chunk *chunk, const void *payload,
		      u32 len, bool end)
{
	struct vsockdev_part *part = last_part(chunk);

	memcpy(part->data + part->len, payload, len);
	part->len += len;
	chunk->tail = chunk->last_part + vsockdev_part_room(part->len);
	chunk->unread += len;
	if (end)
		part->len |= VSOCKDEV_PART_END;
}

static void append(struct vsockdev_conn *conn, struct vsockdev_chunk *chunk,
		   const void *payload, u32 len, bool end)
{
	if (conn->type == VSOCKDEV_TYPE_SEQPACKET) {
		chunk->last_part = chunk->tail;
		last_part(chunk)->len = 0;
		grow_part(chunk, payload, len, end);
	} else {
		memcpy(chunk->data + chunk->tail, payload, len);
		chunk->tail += len;
		chunk->unread += len;
	}
}

/* Goes on with a part of the same message, so that fragments cost no more */
static bool join_part(struct vsockdev_conn *conn, struct vsockdev_chunk *chunk,
		      const void *payload, u32 len, bool end)
{
	struct vsockdev_part *part = last_part(chunk);

	if (!conn->rx_message || (part->len & VSOCKDEV_PART_END) ||
	    chunk->last_part + vsockdev_part_room(part->len + len) > chunk->size)
		return false;
	grow_part(chunk, payload, len, end);
	return true;
}

/* Puts bytes at the end of the last chunk, if it has the room */
static bool join_chunk(struct vsockdev_conn *conn, const void *payload,
		       u32 len, bool end)
{
	struct vsockdev_chunk *chunk;
	u32 room = room_for(conn, len);

	if (room > CHUNK_SMALL || list_empty(&conn->rx_chunks))
		return false;
	chunk = list_last_entry(&conn->rx_chunks, struct vsockdev_chunk, node);
	if (conn->type == VSOCKDEV_TYPE_SEQPACKET &&
	    join_part(conn, chunk, payload, len, end))
		return true;
	if (chunk->size - chunk->tail < room)
		return false;
	append(conn, chunk, payload, len, end);
	return true;
}

static struct vsockdev_chunk *alloc_chunk(struct vsockdev_conn *conn, u32 size)
{
	struct vsockdev_chunk *chunk;
	struct mem_cgroup *memcg;

	/* All connections wait for this: no trying hard in a full cgroup */
	memcg = set_active_memcg(conn->memcg);
	chunk = kmalloc(struct_size(chunk, data, size),
			GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN);
	set_active_memcg(memcg);
	if (!chunk)
		return NULL;
	chunk->head = 0;
	chunk->tail = 0;
	chunk->unread = 0;
	chunk->last_part = 0;
	chunk->size = size;
	chunk->lent = NULL;
	return chunk;
}

static struct vsockdev_chunk *copy_chunk(struct vsockdev_conn *conn,
					 const void *payload, u32 len,
					 bool end)
{
	u32 size = max_t(u32, room_for(conn, len), CHUNK_SMALL);
	struct vsockdev_chunk *chunk = alloc_chunk(conn, size);

	if (chunk)
		append(conn, chunk, payload, len, end);
	return chunk;
}

/* Whether the payload of the packet in hand need not be copied */
static bool may_lend(struct vsockdev_conn *conn, u32 len)
{
	return MSG_SPLICE_PAGES && conn->type == VSOCKDEV_TYPE_STREAM &&
	       vsockdev_ring_rx_may_lend(&conn->vd->ring, len);
}

static struct vsockdev_chunk *lend_chunk(struct vsockdev_conn *conn,
					 const void *payload, u32 len)
{
	struct vsockdev_chunk *chunk = alloc_chunk(conn, 0);

	if (chunk) {
		get_page(virt_to_page(payload));
		chunk->lent = payload;
		chunk->unread = len;
		chunk->tail = len;
		chunk->size = len;
	}
	return chunk;
}

static struct vsockdev_chunk *keep(struct vsockdev_conn *conn,
				   const void *payload, u32 len, bool end)
{
	if (may_lend(conn, len))
		return lend_chunk(conn, payload, len);
	return copy_chunk(conn, payload, len, end);
}

/*
 * A message that fills the window and goes on can never be received whole.
 * Returns false if it ended the connection.
 */
static bool count_message(struct vsockdev_conn *conn, u32 len, bool end)
{
	u32 max = min_t(u32, conn->credit.buf_alloc, VSOCKDEV_MESSAGE_MAX);

	conn->rx_message += len;
	if (conn->state != VSOCKDEV_CONN_DEAD &&
	    (conn->rx_message > max || (conn->rx_message == max && !end))) {
		vsockdev_conn_end(conn, true, VSOCKDEV_RST_MESSAGE_SIZE,
				  EMSGSIZE);
		return false;
	}
	if (end) {
		conn->rx_message = 0;
		conn->rx_messages++;
	}
	vsockdev_deliver_tell(conn);
	return true;
}

/*
 * What has arrived is to be delivered. @more of a stream waits already: then
 * the pump is at it, or waits for room in the socket.
 */
static void arrived(struct vsockdev_conn *conn, u32 len, bool end, bool more)
{
	if (conn->type == VSOCKDEV_TYPE_SEQPACKET ?
	    count_message(conn, len, end) : !more)
		vsockdev_conn_wake(conn);
}

/* Of those who deliver, only the RX work adds to what is to be delivered */
static bool may_deliver(const struct vsockdev_conn *conn)
{
	return conn->type == VSOCKDEV_TYPE_STREAM &&
	       list_empty(&conn->rx_chunks);
}

/* To write into a TCP socket means to wait for the program that has its lock */
static ssize_t write_now(struct vsockdev_conn *conn, const void *payload,
			 u32 len)
{
	struct vsockdev_sock *vs;
	struct mem_cgroup *memcg;
	ssize_t ret = -EAGAIN;

	if (!mutex_trylock(&conn->io_mutex))
		return ret;
	/* Pairs with whoever published it, after what belongs to it */
	vs = smp_load_acquire(&conn->sock);
	if (vs && !vsockdev_sock_is_tcp(vs) && !vsockdev_sock_is_watched(vs)) {
		memcg = set_active_memcg(conn->memcg);
		ret = vsockdev_sock_write(vs, payload, len,
					  may_lend(conn, len));
		set_active_memcg(memcg);
	}
	mutex_unlock(&conn->io_mutex);
	return ret;
}

/*
 * Hands bytes over at once if nobody has to be waited for. Returns how many.
 * The lock is dropped meanwhile.
 */
static u32 deliver_now(struct vsockdev_conn *conn, const void *payload,
		       u32 len)
{
	struct vsockdev *vd = conn->vd;
	ssize_t ret;

	if (!may_deliver(conn))
		return 0;
	spin_unlock(&vd->lock);
	ret = write_now(conn, payload, len);
	spin_lock(&vd->lock);
	if (ret == -EAGAIN)
		return 0;
	if (ret > 0) {
		vsockdev_deliver_forwarded(conn, ret);
		return ret;
	}
	conn->rx_discard = true;
	vsockdev_conn_wake(conn);
	return 0;
}

/*
 * The connection has ended since the last packet came, and with it what there was
 * of a message. The rest would look like a whole one.
 */
static bool lost_its_front(const struct vsockdev_conn *conn)
{
	return conn->type == VSOCKDEV_TYPE_SEQPACKET &&
	       conn->state == VSOCKDEV_CONN_DEAD;
}

/* Leaves bytes to the pump. The lock is dropped meanwhile */
static void deliver_later(struct vsockdev_conn *conn, const void *payload,
			  u32 len, bool end)
{
	struct vsockdev *vd = conn->vd;
	struct vsockdev_chunk *chunk;
	bool more;

	if (join_chunk(conn, payload, len, end)) {
		arrived(conn, len, end, true);
		return;
	}

	spin_unlock(&vd->lock);
	chunk = keep(conn, payload, len, end);
	spin_lock(&vd->lock);
	if (!chunk) {
		vsockdev_conn_fail(conn, -ENOMEM);
	} else if (lost_its_front(conn)) {
		vd->stats.rx_discarded += len;
		kfree(chunk);
	} else {
		more = !list_empty(&conn->rx_chunks);
		list_add_tail(&chunk->node, &conn->rx_chunks);
		arrived(conn, len, end, more);
	}
}

/**
 * vsockdev_deliver_receive() - take received bytes for the program
 * @conn: ESTABLISHED, and @len was counted in its credit
 * @payload: the bytes
 * @len: how many; 0 only if it is where a message ends
 * @end: a message of SEQPACKET ends here
 *
 * Context: the RX work, under the device's lock, which is dropped for a while.
 */
void vsockdev_deliver_receive(struct vsockdev_conn *conn, const void *payload,
			      u32 len, bool end)
{
	u32 done = 0;

	lockdep_assert_held(&conn->vd->lock);

	vsockdev_conn_get(conn);
	if (!conn->rx_discard)
		done = deliver_now(conn, payload, len);
	payload += done;
	len -= done;
	if (conn->rx_discard) {
		conn->vd->stats.rx_discarded += len;
		vsockdev_deliver_forwarded(conn, len);
	} else if (len || !done) {
		deliver_later(conn, payload, len, end);
	}
	vsockdev_conn_put(conn);
}
