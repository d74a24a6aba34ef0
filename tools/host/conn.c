// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connection object. Events of one round may still point at a connection
 * that an earlier one ended, so the memory outlives the round.
 */
#include "conn.h"

#include <limits.h>
#include <stdlib.h>

#include "options.h"
#include "vsock.h"

/* As Linux has it. */
#define CLOSE_TIMEOUT_MS 8000

static unsigned int timeout_ms(const struct conn *conn, enum conn_timer kind)
{
	return kind == CONN_TIMER_CONNECT ? conn->vs->opts->connect_timeout_ms :
					    CLOSE_TIMEOUT_MS;
}

void conn_table_init(struct conn_table *table)
{
	for (unsigned int i = 0; i < CONN_BUCKETS; i++)
		LIST_INIT(&table->buckets[i]);
	for (unsigned int i = 0; i < CONN_TIMERS; i++)
		TAILQ_INIT(&table->timers[i]);
	TAILQ_INIT(&table->all);
	TAILQ_INIT(&table->dead);
	TAILQ_INIT(&table->run);
	table->count = 0;
}

static struct conn_bucket *bucket(struct conn_table *table, uint32_t host_port,
				  uint32_t guest_port)
{
	uint32_t h = (host_port * 0x9e3779b1u) ^ (guest_port * 0x85ebca6bu);

	return &table->buckets[(h >> 16) % CONN_BUCKETS];
}

struct conn *conn_new(struct vsock *vs, const struct endpoint_ops *ops,
		      uint16_t type)
{
	struct conn *conn;

	if (vs->conns.count == CONN_MAX)
		return NULL;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return NULL;
	conn->vs = vs;
	conn->type = type;
	conn->ops = ops;
	conn->src.fd = -1;
	conn->writable = true;
	conn->buf.capacity = vs->opts->buf_alloc;
	conn->credit.buf_alloc = vs->opts->buf_alloc;
	TAILQ_INSERT_TAIL(&vs->conns.all, conn, all);
	vs->conns.count++;
	return conn;
}

void conn_hash(struct conn *conn, uint32_t host_port, uint32_t guest_port)
{
	conn->host_port = host_port;
	conn->guest_port = guest_port;
	LIST_INSERT_HEAD(bucket(&conn->vs->conns, host_port, guest_port), conn,
			 hash);
	conn->hashed = true;
}

void conn_unhash(struct conn *conn)
{
	if (conn->hashed)
		LIST_REMOVE(conn, hash);
	conn->hashed = false;
}

struct conn *conn_find(struct conn_table *table, uint32_t host_port,
		       uint32_t guest_port)
{
	struct conn *conn;

	LIST_FOREACH(conn, bucket(table, host_port, guest_port), hash)
	if (conn->host_port == host_port && conn->guest_port == guest_port)
		return conn;
	return NULL;
}

void conn_kill(struct conn *conn)
{
	struct conn_table *table = &conn->vs->conns;

	if (conn->state == CONN_DEAD)
		return;
	conn->state = CONN_DEAD;
	conn_unhash(conn);
	conn_timer_clear(conn);
	if (conn->queued)
		TAILQ_REMOVE(&table->run, conn, run);
	conn->queued = false;
	conn->ops->close(conn);
	buf_free(&conn->buf);
	messages_free(&conn->messages);
	buf_free(&conn->staged);
	TAILQ_REMOVE(&table->all, conn, all);
	TAILQ_INSERT_TAIL(&table->dead, conn, all);
	table->count--;
}

void conn_reap(struct conn_table *table)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&table->dead))) {
		TAILQ_REMOVE(&table->dead, conn, all);
		free(conn);
	}
}

void conn_schedule(struct conn *conn)
{
	if (conn->queued || conn->state == CONN_DEAD)
		return;
	conn->queued = true;
	TAILQ_INSERT_TAIL(&conn->vs->conns.run, conn, run);
}

struct conn *conn_dequeue(struct conn_table *table)
{
	struct conn *conn = TAILQ_FIRST(&table->run);

	if (!conn)
		return NULL;
	TAILQ_REMOVE(&table->run, conn, run);
	conn->queued = false;
	return conn;
}

void conn_timer_set(struct conn *conn, enum conn_timer kind)
{
	conn_timer_clear(conn);
	conn->timer_kind = kind;
	conn->deadline = loop_now_ms() + timeout_ms(conn, kind);
	conn->timed = true;
	TAILQ_INSERT_TAIL(&conn->vs->conns.timers[kind], conn, timer);
}

void conn_timer_clear(struct conn *conn)
{
	if (conn->timed)
		TAILQ_REMOVE(&conn->vs->conns.timers[conn->timer_kind], conn,
			     timer);
	conn->timed = false;
}

int conn_timer_wait(const struct conn_table *table)
{
	uint64_t now = loop_now_ms(), next = UINT64_MAX;

	for (unsigned int i = 0; i < CONN_TIMERS; i++) {
		const struct conn *conn = TAILQ_FIRST(&table->timers[i]);

		if (conn)
			next = min(next, conn->deadline);
	}
	if (next == UINT64_MAX)
		return -1;
	return next > now ? (int)min(next - now, (uint64_t)INT_MAX) : 0;
}

struct conn *conn_timer_expired(struct conn_table *table)
{
	uint64_t now = loop_now_ms();

	for (unsigned int i = 0; i < CONN_TIMERS; i++) {
		struct conn *conn = TAILQ_FIRST(&table->timers[i]);

		if (conn && conn->deadline <= now) {
			conn_timer_clear(conn);
			return conn;
		}
	}
	return NULL;
}
