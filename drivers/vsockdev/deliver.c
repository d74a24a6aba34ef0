// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - bytes from the host to a program
 *
 * DOC: The RX work copies received bytes into chunks, and the pump of the
 * connection moves them into the socket. fwd_cnt advances when they are in
 * there. Small packets share a chunk, so that a byte costs about a byte
 * however the host slices them; a message costs a few more for its length.
 * Large packets of a stream are not copied: the chunk, or the socket, has a
 * reference to the RX buffer, as long as the device has others to fill.
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
#include "sock.h"

/* Chunks that the pump moves before it lets others run */
#define BATCH		64

/*
 * Packets up to this size share chunks, which costs a copy under the lock.
 * Larger ones get a chunk each.
 */
#define CHUNK_SMALL	(SZ_4K - sizeof(struct vsockdev_chunk))

/*
 * Besides when it is due: the rest of a message may need all the room there
 * is, and nothing else is left that could make an update due.
 */
static void tell_credit(struct vsockdev_conn *conn)
{
	bool rest = conn->rx_message && !conn->rx_messages &&
		    vsockdev_credit_untold(&conn->credit);

	if (conn->state == VSOCKDEV_CONN_ESTABLISHED &&
	    (rest || vsockdev_credit_update_due(&conn->credit)))
		vsockdev_sched_control(conn, VSOCKDEV_SEND_CREDIT_UPDATE);
}

static void forwarded(struct vsockdev_conn *conn, u32 len)
{
	vsockdev_credit_forwarded(&conn->credit, len);
	tell_credit(conn);
}

static void drop_chunk(struct vsockdev_chunk *chunk)
{
	list_del(&chunk->node);
	if (chunk->lent)
		put_page(virt_to_page(chunk->lent));
	kfree(chunk);
}

static const void *first_byte(const struct vsockdev_chunk *chunk)
{
	const void *bytes = chunk->lent ? chunk->lent : chunk->data;

	return bytes + chunk->head;
}

/**
 * vsockdev_deliver_discard() - forget what the program did not get
 * @conn: the connection, whose program takes no more
 *
 * The peer is kept going. Context: under the device's lock.
 */
void vsockdev_deliver_discard(struct vsockdev_conn *conn)
{
	struct vsockdev_chunk *chunk, *next;

	lockdep_assert_held(&conn->vd->lock);

	list_for_each_entry_safe(chunk, next, &conn->rx_chunks, node) {
		conn->vd->stats.rx_discarded += chunk->unread;
		forwarded(conn, chunk->unread);
		drop_chunk(chunk);
	}
	conn->rx_messages = 0;
}

/**
 * vsockdev_deliver_free() - free what nobody will take any more
 * @conn: the connection, which is being freed
 *
 * Context: any.
 */
void vsockdev_deliver_free(struct vsockdev_conn *conn)
{
	struct vsockdev_chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, &conn->rx_chunks, node)
		drop_chunk(chunk);
}

/* The program got @len bytes, which fill @room in the chunk */
static void taken(struct vsockdev_conn *conn, struct vsockdev_chunk *chunk,
		  u32 len, u32 room)
{
	chunk->head += room;
	chunk->unread -= len;
	forwarded(conn, len);
	if (chunk->head == chunk->tail)
		drop_chunk(chunk);
}

static struct vsockdev_chunk *first_chunk(struct vsockdev_conn *conn,
					  u32 *len)
{
	struct vsockdev_chunk *chunk;

	chunk = list_first_entry_or_null(&conn->rx_chunks,
					 struct vsockdev_chunk, node);
	if (chunk)
		*len = chunk->unread;
	return chunk;
}

static bool deliver_stream(struct vsockdev_conn *conn)
{
	struct vsockdev *vd = conn->vd;
	struct vsockdev_chunk *chunk;
	int budget = BATCH;
	ssize_t ret;
	u32 len;

	spin_lock(&vd->lock);
	chunk = first_chunk(conn, &len);
	spin_unlock(&vd->lock);

	/* Others only ever add to the end, of the chunk and of the list */
	while (chunk) {
		if (!budget--)
			return true;
		cond_resched();
		ret = vsockdev_sock_write(conn->sock, first_byte(chunk), len,
					  chunk->lent);
		if (ret == -EAGAIN)
			return false;
		spin_lock(&vd->lock);
		if (ret < 0) {
			conn->rx_discard = true;
			spin_unlock(&vd->lock);
			return false;
		}
		taken(conn, chunk, ret, ret);
		chunk = first_chunk(conn, &len);
		vsockdev_sched_unlock(vd);
	}
	return false;
}

/*
 * In a chunk of SEQPACKET each part of a message has its length in front, in
 * whose highest bit is whether the message ends with it.
 */
#define PART_END	BIT(31)

struct part {
	u32 len;
	u8 data[];
};

static u32 part_len(const struct part *part)
{
	return part->len & ~PART_END;
}

static u32 part_room(u32 len)
{
	return ALIGN(sizeof(struct part) + len, __alignof__(struct part));
}

/**
 * struct cursor - a place among the parts of a connection
 * @chunk: of the next part
 * @pos: of the next part in @chunk
 */
struct cursor {
	struct vsockdev_chunk *chunk;
	u32 pos;
};

/* Where the first part is; there is one */
static struct cursor first_part(struct vsockdev_conn *conn)
{
	struct cursor cursor;

	cursor.chunk = list_first_entry(&conn->rx_chunks,
					struct vsockdev_chunk, node);
	cursor.pos = cursor.chunk->head;
	return cursor;
}

/* The part at a place, which moves on. There is one, and it does not change */
static struct part *next_part(struct cursor *cursor)
{
	struct part *part;

	if (cursor->pos == cursor->chunk->tail) {
		cursor->chunk = list_next_entry(cursor->chunk, node);
		cursor->pos = 0;
	}
	part = (struct part *)(cursor->chunk->data + cursor->pos);
	cursor->pos += part_room(part_len(part));
	return part;
}

/* Length of the first message, 0 if there is no whole one */
static u32 message_len(struct vsockdev_conn *conn)
{
	struct cursor cursor;
	struct part *part;
	u32 len = 0;

	if (!conn->rx_messages)
		return 0;
	cursor = first_part(conn);
	do {
		part = next_part(&cursor);
		len += part_len(part);
	} while (!(part->len & PART_END));
	return len;
}

/* Copies the first message. Its parts change only when it is taken out */
static void copy_message(struct vsockdev_conn *conn, u8 *to)
{
	struct cursor cursor = first_part(conn);
	struct part *part;

	do {
		part = next_part(&cursor);
		memcpy(to, part->data, part_len(part));
		to += part_len(part);
	} while (!(part->len & PART_END));
}

static void drop_message(struct vsockdev_conn *conn)
{
	bool end = false;

	while (!end) {
		struct cursor cursor = first_part(conn);
		struct part *part = next_part(&cursor);
		u32 len = part_len(part);

		end = part->len & PART_END;
		taken(conn, cursor.chunk, len, part_room(len));
	}
	conn->rx_messages--;
	tell_credit(conn);
}

/* Hands over one message. Returns as vsockdev_sock_write() does */
static int write_message(struct vsockdev_conn *conn, u32 len)
{
	struct cursor cursor = first_part(conn);
	struct part *part = next_part(&cursor);
	ssize_t ret;
	u8 *message;

	if (!vsockdev_sock_has_room(conn->sock))
		return -EAGAIN;
	if (part->len & PART_END)
		return vsockdev_sock_write(conn->sock, part->data, len, false);

	message = kvmalloc(len, GFP_KERNEL_ACCOUNT);
	if (!message)
		return -ENOMEM;
	copy_message(conn, message);
	ret = vsockdev_sock_write(conn->sock, message, len, false);
	kvfree(message);
	return ret;
}

/* No more is handed over: for lack of memory, or as the socket wants none */
static void give_up(struct vsockdev_conn *conn, int error)
{
	if (error == -ENOMEM) {
		conn->aborted = true;
		vsockdev_conn_fail(conn, error);
	}
	conn->rx_discard = true;
}

/* Messages go out whole; one that never became whole goes nowhere */
static bool deliver_messages(struct vsockdev_conn *conn)
{
	struct vsockdev *vd = conn->vd;
	int budget = BATCH;
	ssize_t ret = 0;
	u32 len;

	for (;;) {
		spin_lock(&vd->lock);
		if (ret > 0)
			drop_message(conn);
		else if (ret < 0)
			give_up(conn, ret);
		len = message_len(conn);
		if (!len && conn->state == VSOCKDEV_CONN_DEAD)
			vsockdev_deliver_discard(conn);
		vsockdev_sched_unlock(vd);
		if (!len || ret < 0)
			return false;
		if (!budget--)
			return true;
		cond_resched();
		ret = write_message(conn, len);
		if (ret == -EAGAIN)
			return false;
	}
}

/**
 * vsockdev_deliver() - move received bytes into the socket
 * @conn: with a socket
 *
 * Context: the pump; may sleep for as long as a program likes.
 * Return: true if there is more to do at once.
 */
bool vsockdev_deliver(struct vsockdev_conn *conn)
{
	if (conn->type == VSOCKDEV_TYPE_SEQPACKET)
		return deliver_messages(conn);
	return deliver_stream(conn);
}

/* Room that @len bytes take in a chunk */
static u32 room_for(const struct vsockdev_conn *conn, u32 len)
{
	return conn->type == VSOCKDEV_TYPE_SEQPACKET ? part_room(len) : len;
}

static struct part *last_part(struct vsockdev_chunk *chunk)
{
	return (struct part *)(chunk->data + chunk->last_part);
}

/* Puts bytes at the end of the last part, which is that of the chunk */
static void grow_part(struct vsockdev_chunk *chunk, const void *payload,
		      u32 len, bool end)
{
	struct part *part = last_part(chunk);

	memcpy(part->data + part->len, payload, len);
	part->len += len;
	chunk->tail = chunk->last_part + part_room(part->len);
	chunk->unread += len;
	if (end)
		part->len |= PART_END;
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
	struct part *part = last_part(chunk);

	if (!conn->rx_message || (part->len & PART_END) ||
	    chunk->last_part + part_room(part->len + len) > chunk->size)
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
	tell_credit(conn);
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
	if (vs && !vsockdev_sock_is_tcp(vs)) {
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
		forwarded(conn, ret);
		return ret;
	}
	conn->rx_discard = true;
	vsockdev_conn_wake(conn);
	return 0;
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
		forwarded(conn, len);
	} else if (len || !done) {
		deliver_later(conn, payload, len, end);
	}
	vsockdev_conn_put(conn);
}
