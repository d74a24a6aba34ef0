/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes in one direction, between two descriptors, without ever waiting. If
 * one of them is a SEQPACKET socket, messages: what one read takes from
 * anything else, of at most 64 KiB, is one.
 */
#ifndef VSOCKDEV_STREAM_H
#define VSOCKDEV_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress;

struct stream {
	int in;			/* -1: there is nothing to move */
	int out;
	bool own_out;		/* out was opened by us */
	bool in_is_socket;
	bool out_is_socket;
	bool messages;		/* one at a time, and in one piece */
	bool by_sendfile;	/* the kernel moves them, not we */
	char *buf;
	size_t start;		/* buf[start..end) waits for out */
	size_t end;
	bool ended;		/* nothing more comes from in */
	int in_error;		/* why, 0 for the end of the data */
	int out_error;		/* why nothing more goes out, else 0 */
	uint64_t taken;		/* bytes that came from in */
	struct progress *progress;	/* who is told of them, or NULL */
};

/*
 * Both descriptors must outlive the stream. Sockets and pipes may be blocking,
 * except that a pipe which cannot be opened anew may hold us up.
 */
void stream_init(struct stream *stream, int in, int out);
void stream_free(struct stream *stream);

/* What the stream waits for. */
bool stream_wants_in(const struct stream *stream);
bool stream_wants_out(const struct stream *stream);

/* To be called when in can be read, and when out can be written. */
void stream_fill(struct stream *stream);
void stream_drain(struct stream *stream);

/* Everything came and went, or nothing more can go. */
bool stream_done(const struct stream *stream);

#endif
