// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes in one direction, between two descriptors, without ever waiting.
 *
 * Descriptors are shared with other programs, so they are not made
 * non-blocking: sockets have flags for one call, and of a pipe that is
 * written to a description of our own is made. Reads follow a poll().
 */
#include "stream.h"

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "progress.h"

#define BUFFER_SIZE (256 * 1024)
#define SENDFILE_SIZE (1024 * 1024)

static mode_t file_type(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_mode & S_IFMT;
}

static int own_description(int fd)
{
	char path[32];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return own < 0 ? fd : own;
}

void stream_init(struct stream *stream, int in, int out)
{
	*stream = (struct stream){ .in = in, .out = out };
	if (in < 0) {
		stream->ended = true;
		return;
	}
	stream->buf = malloc(BUFFER_SIZE);
	if (!stream->buf)
		error(STATUS_ERROR, errno, "buffer");
	if (file_type(out) == S_IFIFO) {
		stream->out = own_description(out);
		stream->own_out = stream->out != out;
	}
	stream->in_is_socket = file_type(in) == S_IFSOCK;
	stream->out_is_socket = file_type(out) == S_IFSOCK;
	if (file_type(in) == S_IFREG && stream->out_is_socket) {
		stream->by_sendfile = true;
		fcntl(out, F_SETFL, fcntl(out, F_GETFL) | O_NONBLOCK);
	}
}

void stream_free(struct stream *stream)
{
	if (stream->own_out)
		close(stream->out);
	free(stream->buf);
}

bool stream_wants_in(const struct stream *stream)
{
	return !stream->ended && !stream->out_error && !stream->by_sendfile &&
	       stream->end < BUFFER_SIZE;
}

bool stream_wants_out(const struct stream *stream)
{
	if (stream->out_error)
		return false;
	return stream->start < stream->end ||
	       (stream->by_sendfile && !stream->ended);
}

bool stream_done(const struct stream *stream)
{
	return stream->out_error ||
	       (stream->ended && stream->start == stream->end);
}

static void count(struct stream *stream, size_t len)
{
	stream->taken += len;
	if (stream->progress)
		progress_add(stream->progress, len);
}

/* No harm, the next poll() tells when to try again. */
static bool passing(int error)
{
	return error == EAGAIN || error == EINTR;
}

void stream_fill(struct stream *stream)
{
	char *to = stream->buf + stream->end;
	size_t room = BUFFER_SIZE - stream->end;
	ssize_t len;

	if (stream->in_is_socket)
		len = recv(stream->in, to, room, MSG_DONTWAIT);
	else
		len = read(stream->in, to, room);
	if (len < 0 && passing(errno))
		return;
	if (len <= 0) {
		stream->ended = true;
		stream->in_error = len ? errno : 0;
		return;
	}
	stream->end += len;
	count(stream, len);
}

static void drain_file(struct stream *stream)
{
	ssize_t len;

	len = sendfile(stream->out, stream->in, NULL, SENDFILE_SIZE);
	if (len > 0)
		count(stream, len);
	else if (!len)
		stream->ended = true;
	else if (errno == EINVAL)
		stream->by_sendfile = false;	/* not every file can do it */
	else if (!passing(errno))
		stream->out_error = errno;
}

void stream_drain(struct stream *stream)
{
	const char *from = stream->buf + stream->start;
	size_t left = stream->end - stream->start;
	ssize_t len;

	if (stream->by_sendfile) {
		drain_file(stream);
		return;
	}
	if (stream->out_is_socket)
		len = send(stream->out, from, left,
			   MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		len = write(stream->out, from, left);
	if (len < 0) {
		if (!passing(errno))
			stream->out_error = errno;
		return;
	}
	stream->start += len;
	if (stream->start < stream->end)
		return;
	stream->start = 0;
	stream->end = 0;
}
