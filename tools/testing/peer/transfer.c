// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test streams over a socket. The calls wait for as long as the socket does:
 * a receive or send timeout on it (SO_RCVTIMEO) is how hangs are noticed.
 */
#include "transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const struct sizes default_sizes = { 64 << 10, 64 << 10 };

static struct sizes sizes_of(const struct transfer *transfer)
{
	return transfer->sizes.max ? transfer->sizes : default_sizes;
}

static size_t next_size(const struct sizes *sizes, uint64_t *pick,
			uint64_t left)
{
	uint32_t n = stream_pick(pick, sizes->min, sizes->max);

	return n < left ? n : left;
}

static void stop(struct transfer *transfer, int error, enum transfer_end end)
{
	transfer->error = error;
	transfer->end = end;
	if (error != ECONNRESET && error != EPIPE)
		transfer->end = TRANSFER_ERROR;
}

static void *new_buffer(const struct sizes *sizes)
{
	void *buf = malloc(sizes->max);

	if (!buf)
		abort();
	return buf;
}

/* One write, which may take several calls. Gives back how much was taken. */
static size_t send_all(struct transfer *transfer, int fd, const uint8_t *buf,
		       size_t len)
{
	size_t done = 0;

	while (done < len && transfer->end == TRANSFER_DONE) {
		ssize_t n = send(fd, buf + done, len - done, MSG_NOSIGNAL);

		if (n >= 0)
			done += n;
		else if (errno != EINTR)
			stop(transfer, errno, TRANSFER_BROKEN);
	}
	return done;
}

uint64_t transfer_send(struct transfer *transfer, int fd, uint64_t len)
{
	struct sizes sizes = sizes_of(transfer);
	uint64_t pick = transfer->stream.seed;
	uint8_t *buf = new_buffer(&sizes);
	uint64_t done = 0;

	transfer->end = TRANSFER_DONE;
	while (done < len && transfer->end == TRANSFER_DONE) {
		struct stream before = transfer->stream;
		size_t n = next_size(&sizes, &pick, len - done);

		stream_fill(&transfer->stream, buf, n);
		n = send_all(transfer, fd, buf, n);
		transfer->stream.pos = before.pos + n;
		done += n;
	}
	free(buf);
	transfer->bytes += done;
	return done;
}

uint64_t transfer_send_message(struct transfer *transfer, int fd, uint64_t len)
{
	struct sizes sizes = { len, len + 1 };
	struct stream before = transfer->stream;
	uint8_t *buf = new_buffer(&sizes);
	ssize_t n;

	transfer->end = TRANSFER_DONE;
	stream_fill(&transfer->stream, buf, len);
	do {
		n = send(fd, buf, len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	free(buf);
	if (n < 0) {
		stop(transfer, errno, TRANSFER_BROKEN);
		transfer->stream = before;
		return 0;
	}
	transfer->bytes += n;
	return n;
}

/* Keeps what was seen around the first wrong byte. */
static void mismatch(struct transfer *transfer, const uint8_t *buf, size_t len)
{
	struct stream expected = transfer->stream;

	transfer->end = TRANSFER_MISMATCH;
	memset(transfer->seen, 0, sizeof(transfer->seen));
	if (len > sizeof(transfer->seen))
		len = sizeof(transfer->seen);
	memcpy(transfer->seen, buf, len);
	stream_fill(&expected, transfer->expected, sizeof(transfer->expected));
}

static size_t receive_some(struct transfer *transfer, int fd, uint8_t *buf,
			   size_t size)
{
	ssize_t n = recv(fd, buf, size, 0);
	size_t good;

	if (n < 0) {
		if (errno != EINTR)
			stop(transfer, errno, TRANSFER_RESET);
		return 0;
	}
	if (n == 0) {
		transfer->end = TRANSFER_EOF;
		return 0;
	}
	good = stream_check(&transfer->stream, buf, n);
	if (good < (size_t)n)
		mismatch(transfer, buf + good, n - good);
	return good;
}

/* The sender's credentials come with a message, but not with the end. */
static ssize_t receive_message(int fd, void *buf, size_t size, bool *end)
{
	struct iovec iov = { buf, size };
	char control[CMSG_SPACE(sizeof(struct ucred))];
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int on = 1;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	n = recvmsg(fd, &msg, MSG_TRUNC);
	*end = !n && !msg.msg_controllen;
	return n;
}

static size_t receive_one(struct transfer *transfer, int fd, uint8_t *buf,
			  size_t size)
{
	size_t good, seen;
	ssize_t n;
	bool end;

	do {
		n = receive_message(fd, buf, size, &end);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		stop(transfer, errno, TRANSFER_RESET);
		return 0;
	}
	if (end) {
		transfer->end = TRANSFER_EOF;
		return 0;
	}
	seen = (size_t)n < size ? (size_t)n : size;
	good = stream_check(&transfer->stream, buf, seen);
	transfer->message = n;
	transfer->message_expected = size;
	if (good < seen || (size_t)n != size)
		mismatch(transfer, buf + good, seen - good);
	return good;
}

uint64_t transfer_receive_message(struct transfer *transfer, int fd,
				  uint64_t len)
{
	struct sizes sizes = { len, len + 1 };
	uint8_t *buf = new_buffer(&sizes);
	uint64_t done;

	transfer->end = TRANSFER_DONE;
	done = receive_one(transfer, fd, buf, len);
	free(buf);
	transfer->bytes += done;
	return done;
}

uint64_t transfer_receive(struct transfer *transfer, int fd, uint64_t len)
{
	struct sizes sizes = sizes_of(transfer);
	uint64_t pick = transfer->stream.seed;
	uint8_t *buf = new_buffer(&sizes);
	uint64_t done = 0;

	transfer->end = TRANSFER_DONE;
	while (done < len && transfer->end == TRANSFER_DONE) {
		size_t n = next_size(&sizes, &pick, len - done);

		if (transfer->messages)
			done += receive_one(transfer, fd, buf, n);
		else
			done += receive_some(transfer, fd, buf, n);
	}
	free(buf);
	transfer->bytes += done;
	return done;
}

const char *transfer_end_name(enum transfer_end end)
{
	static const char *const names[] = {
		[TRANSFER_DONE] = "done",	  [TRANSFER_EOF] = "eof",
		[TRANSFER_RESET] = "reset",	  [TRANSFER_BROKEN] = "broken",
		[TRANSFER_MISMATCH] = "mismatch", [TRANSFER_ERROR] = "error",
	};

	return names[end];
}

static void hex(char out[33], const uint8_t bytes[16])
{
	for (int i = 0; i < 16; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
}

static void describe_message(const struct transfer *transfer, char *buf,
			     int size)
{
	if (size > 0 && transfer->message != transfer->message_expected)
		snprintf(buf, size, ", in a message of %llu instead of %llu",
			 (unsigned long long)transfer->message,
			 (unsigned long long)transfer->message_expected);
}

void transfer_describe(const struct transfer *transfer, char *buf, int size)
{
	char seen[33], expected[33];
	int n;

	n = snprintf(buf, size, "%s after %llu bytes (seed %llu)",
		     transfer_end_name(transfer->end),
		     (unsigned long long)transfer->bytes,
		     (unsigned long long)transfer->stream.seed);
	if (n < 0 || n >= size)
		return;
	if (transfer->end == TRANSFER_ERROR ||
	    transfer->end == TRANSFER_BROKEN) {
		snprintf(buf + n, size - n, ": %s", strerror(transfer->error));
	} else if (transfer->end == TRANSFER_MISMATCH) {
		hex(seen, transfer->seen);
		hex(expected, transfer->expected);
		n += snprintf(buf + n, size - n, ": saw %s, expected %s", seen,
			      expected);
		describe_message(transfer, buf + n, size - n);
	}
}
