// SPDX-License-Identifier: GPL-2.0-only
/* Both directions of a connection, between descriptors and the host. */
#include "relay.h"

#include <errno.h>
#include <error.h>
#include <poll.h>
#include <sys/socket.h>

#include "conn.h"
#include "device.h"
#include "progress.h"

enum { POLL_DEVICE, POLL_IN, POLL_SOCKET, POLL_OUT, POLL_COUNT };

void relay_init(struct relay *relay, struct conn *conn, int in, int out,
		uint32_t linger_ms)
{
	relay->conn = conn;
	relay->linger_ms = linger_ms;
	relay->half_closed = false;
	relay->close_at = -1;
	relay->progress = NULL;
	stream_init(&relay->up, in, conn->fd);
	stream_init(&relay->down, conn->fd, out);
}

/* A descriptor without events is left out: its errors would end no poll. */
static void watch(struct pollfd *pfd, int fd, short events)
{
	pfd->fd = events ? fd : -1;
	pfd->events = events;
	pfd->revents = 0;
}

static int time_left(const struct relay *relay)
{
	int64_t left;

	if (relay->close_at < 0)
		return -1;
	left = relay->close_at - clock_ms();
	return left > 0 ? left : 0;
}

static void read_events(struct relay *relay)
{
	struct conn *conn = relay->conn;
	bool pending = conn->vmo_pending;

	conn_read_events(conn);
	if (pending && !conn->vmo_pending && relay->progress)
		progress_add(relay->progress, conn->vmo.vmo.bytes);
}

static void wait_and_move(struct relay *relay)
{
	struct stream *up = &relay->up, *down = &relay->down;
	struct pollfd pfds[POLL_COUNT];

	watch(&pfds[POLL_DEVICE], vsockdev_fd(relay->conn->dev), POLLIN);
	watch(&pfds[POLL_IN], up->in, stream_wants_in(up) ? POLLIN : 0);
	watch(&pfds[POLL_SOCKET], relay->conn->fd,
	      (stream_wants_out(up) ? POLLOUT : 0) |
	      (stream_wants_in(down) ? POLLIN : 0));
	watch(&pfds[POLL_OUT], down->out,
	      stream_wants_out(down) ? POLLOUT : 0);
	if (poll(pfds, POLL_COUNT, time_left(relay)) < 0) {
		if (errno != EINTR)
			error(STATUS_ERROR, errno, "poll");
		return;
	}

	if (pfds[POLL_DEVICE].revents)
		read_events(relay);
	if (pfds[POLL_IN].revents)
		stream_fill(up);
	if (pfds[POLL_SOCKET].revents && stream_wants_out(up))
		stream_drain(up);
	if (pfds[POLL_SOCKET].revents && stream_wants_in(down))
		stream_fill(down);
	if (pfds[POLL_OUT].revents)
		stream_drain(down);
}

/* What has failed at our user's side must not look like an end. */
static void check_user_side(const struct relay *relay)
{
	if (relay->up.in_error)
		error(STATUS_ERROR, relay->up.in_error, "reading the input");
	if (relay->down.out_error)
		error(STATUS_ERROR, relay->down.out_error,
		      "writing the output");
}

static bool all_sent(const struct relay *relay)
{
	return stream_done(&relay->up) && !relay->conn->vmo_pending;
}

static void half_close(struct relay *relay)
{
	if (relay->half_closed || relay->up.in < 0 || !all_sent(relay))
		return;
	relay->half_closed = true;
	shutdown(relay->conn->fd, SHUT_WR);
	if (relay->linger_ms != LINGER_FOREVER)
		relay->close_at = clock_ms() + relay->linger_ms;
}

/*
 * The host's end is the end of the connection only if it takes no more
 * either, which its RST tells: else the input goes on.
 */
static bool finished(const struct relay *relay)
{
	if (relay->close_at >= 0 && clock_ms() >= relay->close_at)
		return true;
	if (!stream_done(&relay->down))
		return false;
	return relay->down.in_error || all_sent(relay) ||
	       conn_over(relay->conn);
}

/* What was lost although the connection ended in an orderly way. */
static enum status look_for_losses(const struct relay *relay)
{
	const struct stream *up = &relay->up, *down = &relay->down;
	const struct vsockdev_event *end = &relay->conn->end;

	if (up->taken > end->rst.bytes_sent) {
		error(0, 0, "the host did not take the last %llu bytes",
		      up->taken - end->rst.bytes_sent);
		return STATUS_RESET;
	}
	if (down->in_error) {
		error(0, down->in_error, "receiving");
		return STATUS_RESET;
	}
	if (down->ended && down->taken < end->rst.bytes_received) {
		error(0, 0, "%llu bytes from the host did not arrive",
		      end->rst.bytes_received - down->taken);
		return STATUS_RESET;
	}
	return STATUS_OK;
}

void relay_show(struct relay *relay, struct stream *stream,
		struct progress *progress)
{
	relay->progress = progress;
	stream->progress = progress;
}

enum status relay_run(struct relay *relay)
{
	enum status status;

	while (!finished(relay)) {
		wait_and_move(relay);
		check_user_side(relay);
		half_close(relay);
	}
	if (relay->progress)
		progress_end(relay->progress);
	status = conn_finish(relay->conn);
	if (status == STATUS_OK)
		status = look_for_losses(relay);
	stream_free(&relay->up);
	stream_free(&relay->down);
	return status;
}
