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
#define MESSAGE_SIZE (64 * 1024)	/* of ours; a socket's buffer is more */

static mode_t file_type(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_mode & S_IFMT;
}

static bool is_seqpacket(int fd)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) &&
	       type == SOCK_SEQPACKET;
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
	stream->messages = is_seqpacket(in) || is_seqpacket(out);
	if (file_type(in) == S_IFREG && stream->out_is_socket &&
	    !stream->messages) {
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

static size_t room(const struct stream *stream)
{
	if (!stream->messages)
		return BUFFER_SIZE - stream->end;
	if (stream->end)
		return 0;
	return stream->in_is_socket ? BUFFER_SIZE : MESSAGE_SIZE;
}

bool stream_wants_in(const struct stream *stream)
{
	return !stream->ended && !stream->out_error && !stream->by_sendfile &&
	       room(stream);
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

/* Like read(), but half a message is an error. */
static ssize_t take(const struct stream *stream)
{
	char *to = stream->buf + stream->end;
	size_t size = room(stream);
	ssize_t len;

	if (!stream->in_is_socket)
		return read(stream->in, to, size);
	if (!stream->messages)
		return recv(stream->in, to, size, MSG_DONTWAIT);
	len = recv(stream->in, to, size, MSG_DONTWAIT | MSG_TRUNC);
	if (len <= (ssize_t)size)
		return len;
	errno = EMSGSIZE;
	return -1;
}

void stream_fill(struct stream *stream)
{
	ssize_t len = take(stream);

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
