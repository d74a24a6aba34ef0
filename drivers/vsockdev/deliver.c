// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - bytes from the host to a program
 *
 * DOC: What the RX work could not hand over at once waits in chunks, see
 * receive.c, and the pump of the connection moves it into the socket. fwd_cnt
 * advances when it is in there.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "conn.h"
#include "deliver.h"
#include "device.h"
#include "part.h"
#include "sock.h"

/* Chunks that the pump moves before it lets others run */
#define BATCH		64

/**
 * vsockdev_deliver_tell() - tell the peer of room if it is time
 * @conn: the connection
 *
 * Besides when it is due: the rest of a message may need all the room there
 * is, and nothing else is left that could make an update due. Context: under
 * the device's lock.
 */
void vsockdev_deliver_tell(struct vsockdev_conn *conn)
{
	bool rest = conn->rx_message && !conn->rx_messages &&
		    vsockdev_credit_untold(&conn->credit);

	if (conn->state == VSOCKDEV_CONN_ESTABLISHED &&
	    (rest || vsockdev_credit_update_due(&conn->credit)))
		vsockdev_sched_control(conn, VSOCKDEV_SEND_CREDIT_UPDATE);
}

/**
 * vsockdev_deliver_forwarded() - the program has bytes, or never will
 * @conn: the connection
 * @len: how many
 *
 * Context: under the device's lock.
 */
void vsockdev_deliver_forwarded(struct vsockdev_conn *conn, u32 len)
{
	vsockdev_credit_forwarded(&conn->credit, len);
	vsockdev_deliver_tell(conn);
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
		vsockdev_deliver_forwarded(conn, chunk->unread);
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
	vsockdev_deliver_forwarded(conn, len);
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
static struct vsockdev_part *next_part(struct cursor *cursor)
{
	struct vsockdev_part *part;

	if (cursor->pos == cursor->chunk->tail) {
		cursor->chunk = list_next_entry(cursor->chunk, node);
		cursor->pos = 0;
	}
	part = (struct vsockdev_part *)(cursor->chunk->data + cursor->pos);
	cursor->pos += vsockdev_part_room(vsockdev_part_len(part));
	return part;
}

/* Length of the first message, 0 if there is no whole one */
static u32 message_len(struct vsockdev_conn *conn)
{
	struct cursor cursor;
	struct vsockdev_part *part;
	u32 len = 0;

	if (!conn->rx_messages)
		return 0;
	cursor = first_part(conn);
	do {
		part = next_part(&cursor);
		len += vsockdev_part_len(part);
	} while (!(part->len & VSOCKDEV_PART_END));
	return len;
}

/* Copies the first message. Its parts change only when it is taken out */
static void copy_message(struct vsockdev_conn *conn, u8 *to)
{
	struct cursor cursor = first_part(conn);
	struct vsockdev_part *part;

	do {
		part = next_part(&cursor);
		memcpy(to, part->data, vsockdev_part_len(part));
		to += vsockdev_part_len(part);
	} while (!(part->len & VSOCKDEV_PART_END));
}

static void drop_message(struct vsockdev_conn *conn)
{
	bool end = false;

	while (!end) {
		struct cursor cursor = first_part(conn);
		struct vsockdev_part *part = next_part(&cursor);
		u32 len = vsockdev_part_len(part);

		end = part->len & VSOCKDEV_PART_END;
		taken(conn, cursor.chunk, len, vsockdev_part_room(len));
	}
	conn->rx_messages--;
	vsockdev_deliver_tell(conn);
}

/* Hands over one message. Returns as vsockdev_sock_write() does */
static int write_message(struct vsockdev_conn *conn, u32 len)
{
	struct cursor cursor = first_part(conn);
	struct vsockdev_part *part = next_part(&cursor);
	ssize_t ret;
	u8 *message;

	if (!vsockdev_sock_has_room(conn->sock))
		return -EAGAIN;
	if (part->len & VSOCKDEV_PART_END)
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
