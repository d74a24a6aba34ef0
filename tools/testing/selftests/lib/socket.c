// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets of the tests. Each end that a test keeps has receive and send
 * timeouts, so a hang becomes an error that says where.
 */
#include "socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#undef send_stream
#undef receive_stream
#undef receive_to_end
#undef expect_end
#undef expect_end_of_resets
#undef send_to_end
#undef expect_silence
#undef finish

/* That a program may see after the first one. */
#define RESETS 2

static void guard_socket(int sock)
{
	struct timeval guard = { .tv_sec = HANG_GUARD_MS / 1000 };

	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard)) ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof(guard)))
		fail("SO_RCVTIMEO: %s", strerror(errno));
}

static void make_unix_pair(int pair[2], int type)
{
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair))
		fail("socketpair: %s", strerror(errno));
	guard_socket(pair[0]);
}

void unix_pair(int pair[2])
{
	make_unix_pair(pair, SOCK_STREAM);
}

void seqpacket_pair(int pair[2])
{
	make_unix_pair(pair, SOCK_SEQPACKET);
}

static int tcp_socket(void)
{
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		fail("TCP socket: %s", strerror(errno));
	return sock;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

int tcp_listener(uint16_t *port)
{
	struct sockaddr_in addr = loopback(0);
	socklen_t len = sizeof(addr);
	int sock = tcp_socket();

	if (bind(sock, (struct sockaddr *)&addr, len) || listen(sock, 8) ||
	    getsockname(sock, (struct sockaddr *)&addr, &len))
		fail("TCP listener: %s", strerror(errno));
	*port = ntohs(addr.sin_port);
	return sock;
}

int tcp_dial(uint16_t port)
{
	struct sockaddr_in addr = loopback(port);
	int sock = tcp_socket();

	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		fail("TCP connect: %s", strerror(errno));
	guard_socket(sock);
	return sock;
}

int tcp_accept(int listener)
{
	int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (sock < 0)
		fail("TCP accept: %s", strerror(errno));
	guard_socket(sock);
	return sock;
}

void tcp_pair(int pair[2])
{
	uint16_t port;
	int listener = tcp_listener(&port);

	pair[0] = tcp_dial(port);
	pair[1] = tcp_accept(listener);
	close(listener);
}

static void check_end(const struct transfer *transfer, enum transfer_end end,
		      const char *what)
{
	char text[200];

	if (transfer->end == end)
		return;
	transfer_describe(transfer, text, sizeof(text));
	fail("%s: expected %s, saw %s", what, transfer_end_name(end), text);
}

void send_stream(int sock, uint64_t seed, uint64_t len)
{
	struct transfer transfer = { .stream.seed = seed };

	transfer_send(&transfer, sock, len);
	check_end(&transfer, TRANSFER_DONE, "sending");
}

void receive_stream(int sock, uint64_t seed, uint64_t len)
{
	struct transfer transfer = { .stream.seed = seed };

	transfer_receive(&transfer, sock, len);
	check_end(&transfer, TRANSFER_DONE, "receiving");
}

void receive_to_end(int sock, uint64_t seed, uint64_t len,
		    enum transfer_end end)
{
	struct transfer transfer = { .stream.seed = seed };

	transfer_receive(&transfer, sock, TRANSFER_TO_END);
	check_end(&transfer, end, "receiving to the end");
	if (transfer.bytes != len)
		fail("the end came after %llu bytes instead of %llu",
		     (unsigned long long)transfer.bytes,
		     (unsigned long long)len);
}

void expect_end(int sock, enum transfer_end end)
{
	receive_to_end(sock, 0, 0, end);
}

/*
 * The error is told more than once, in case that it was somebody else who got
 * it; but not for ever.
 */
void expect_end_of_resets(int sock)
{
	ssize_t n;
	char byte;

	for (int i = 0; i <= RESETS; i++) {
		n = recv(sock, &byte, 1, 0);
		if (!n)
			return;
		if (n > 0 || errno != ECONNRESET)
			fail("expected an error or the end, saw %zd, errno %d",
			     n, errno);
	}
	fail("there is no end");
}

int send_to_end(int sock)
{
	struct transfer transfer = {};

	transfer_send(&transfer, sock, TRANSFER_TO_END);
	check_end(&transfer, TRANSFER_BROKEN, "sending to the end");
	return transfer.error;
}

void expect_silence(int sock)
{
	char byte;
	ssize_t n = recv(sock, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	if (n > 0)
		fail("expected silence, saw a byte");
	if (n == 0)
		fail("expected silence, saw the end");
	if (errno != EAGAIN)
		fail("expected silence, saw %s", strerror(errno));
}

static struct job *new_job(int sock, const struct transfer *transfer,
			   uint64_t len, enum transfer_end end)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		abort();
	job->transfer = *transfer;
	job->sock = sock;
	job->len = len;
	job->end = end;
	return job;
}

static void *send_job(void *arg)
{
	struct job *job = arg;

	transfer_send(&job->transfer, job->sock, job->len);
	return NULL;
}

static void *receive_job(void *arg)
{
	struct job *job = arg;

	transfer_receive(&job->transfer, job->sock, job->len);
	return NULL;
}

static struct job *start_job(struct job *job, void *(*function)(void *))
{
	int error = pthread_create(&job->thread, NULL, function, job);

	if (error)
		fail("pthread_create: %s", strerror(error));
	return job;
}

struct job *start_sending(int sock, struct transfer transfer, uint64_t len,
			  enum transfer_end end)
{
	return start_job(new_job(sock, &transfer, len, end), send_job);
}

struct job *start_receiving(int sock, struct transfer transfer, uint64_t len,
			    enum transfer_end end)
{
	return start_job(new_job(sock, &transfer, len, end), receive_job);
}

uint64_t finish(struct job *job)
{
	uint64_t bytes;

	pthread_join(job->thread, NULL);
	check_end(&job->transfer, job->end, "transfer beside the test");
	bytes = job->transfer.bytes;
	free(job);
	return bytes;
}
