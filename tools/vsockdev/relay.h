/* SPDX-License-Identifier: GPL-2.0-only */
/* Both directions of a connection, between descriptors and the host. */
#ifndef VSOCKDEV_RELAY_H
#define VSOCKDEV_RELAY_H

#include "command.h"
#include "stream.h"

struct conn;

/* A host that does not end the connection is waited for without limit. */
#define LINGER_FOREVER UINT32_MAX

struct relay {
	struct conn *conn;
	struct stream up;	/* to the host */
	struct stream down;	/* from the host */
	uint32_t linger_ms;	/* from the end of up to closing anyway */
	bool half_closed;
	int64_t close_at;	/* clock_ms(), or -1 */
	struct progress *progress;
};

/*
 * Sends what comes from @in (-1: nothing, and no end of it either), writes to
 * @out what the host sends, half-closes at the end of @in and of a SEND_VMO,
 * and returns when the connection is over, with its status. Failures were reported; failures
 * of @in and @out end the program, so that they never look like their end.
 */
void relay_init(struct relay *relay, struct conn *conn, int in, int out,
		uint32_t linger_ms);
enum status relay_run(struct relay *relay);

/* Before that: @progress shows how far one of the two directions is. */
void relay_show(struct relay *relay, struct stream *stream,
		struct progress *progress);

#endif
