// SPDX-License-Identifier: GPL-2.0-only
/* Streams of bytes one way, in large and in small pieces. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "measure.h"

#define BULK_PIECE (64 * KIB)
#define FIRST_BULK (8 * MIB)
#define MESSAGE 64
#define FIRST_MESSAGES 10000

static char buffer[BULK_PIECE];

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static struct link open_sink(const struct run *run)
{
	struct link link;
	char byte;

	if (run->direct)
		return run->side->open(run->variant, SINK_PORT);
	link = link_order(run, ORDER_SINK, 1, run->count);
	link_read(&link, &byte, 1);
	return link;
}

/* Until everything is there: the end comes back, or a byte. */
static void await_sink(const struct run *run, const struct link *link)
{
	char byte;

	if (!run->direct)
		link_read(link, &byte, 1);
	else if (shutdown(link->sock, SHUT_WR) || recv(link->sock, &byte, 1, 0))
		die("the sink does not end");
}

/* Both return the seconds that it took. */
static double send_stream(const struct run *run,
			  void (*feed)(const struct run *run,
				       const struct link *link))
{
	struct link link = open_sink(run);
	double start = wall_now(), took;

	feed(run, &link);
	await_sink(run, &link);
	took = wall_now() - start;
	run->side->close(&link);
	return took;
}

static struct link open_source(const struct run *run, size_t piece)
{
	if (run->direct && piece == BULK_PIECE)
		return run->side->open(run->variant, SOURCE_PORT);
	return link_order(run, ORDER_SOURCE, piece, run->count);
}

static double receive_stream(const struct run *run, size_t piece)
{
	double start = wall_now(), took;
	uint64_t left = run->count;
	struct link link = open_source(run, piece);

	while (left) {
		ssize_t n = recv(link.sock, buffer, min_size(piece, left), 0);

		if (n <= 0)
			die("recv: %s", n ? strerror(errno) : "end of file");
		left -= n;
	}
	took = wall_now() - start;
	run->side->abort(&link);
	return took;
}

static void bulk_done(struct run *run, double seconds, double cpu)
{
	run->done = run->count / 1e6;
	run->unit = "MB";
	run->results[0] = run->done / seconds;
	run->results[1] = cpu / (run->count / 1e9);
	run_scale(run, seconds, BULK_PIECE);
}

static void messages_done(struct run *run, double seconds)
{
	run->done = run->count / MESSAGE;
	run->unit = "message";
	run->results[0] = run->done / seconds;
	run_scale(run, seconds, MESSAGE);
}

static void feed_pieces(const struct run *run, const struct link *link,
			size_t piece)
{
	for (uint64_t left = run->count; left; left -= piece)
		link_write(link, buffer, piece);
}

static void feed_bulk(const struct run *run, const struct link *link)
{
	feed_pieces(run, link, BULK_PIECE);
}

static void feed_messages(const struct run *run, const struct link *link)
{
	feed_pieces(run, link, MESSAGE);
}

void measure_feed(struct run *run,
		  void (*feed)(const struct run *run, const struct link *link))
{
	double cpu = cpu_now(run), seconds;

	if (!run->count)
		run->count = FIRST_BULK;
	seconds = send_stream(run, feed);
	bulk_done(run, seconds, cpu_now(run) - cpu);
}

void measure_g2h(struct run *run)
{
	measure_feed(run, feed_bulk);
}

void measure_h2g(struct run *run)
{
	double cpu = cpu_now(run), seconds;

	if (!run->count)
		run->count = FIRST_BULK;
	seconds = receive_stream(run, BULK_PIECE);
	bulk_done(run, seconds, cpu_now(run) - cpu);
}

void measure_msg64_g2h(struct run *run)
{
	if (!run->count)
		run->count = FIRST_MESSAGES * MESSAGE;
	messages_done(run, send_stream(run, feed_messages));
}

void measure_msg64_h2g(struct run *run)
{
	if (!run->count)
		run->count = FIRST_MESSAGES * MESSAGE;
	messages_done(run, receive_stream(run, MESSAGE));
}
