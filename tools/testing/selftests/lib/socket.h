/* SPDX-License-Identifier: GPL-2.0-only */
/* The sockets of the tests' programs. */
#ifndef VSOCKDEV_TEST_SOCKET_H
#define VSOCKDEV_TEST_SOCKET_H

#include <pthread.h>
#include <stdint.h>

#include "../../peer/transfer.h"
#include "check.h"

/* Connected pairs: [0] is for the test (it notices hangs), [1] to give away. */
void unix_pair(int pair[2]);
void seqpacket_pair(int pair[2]);
void tcp_pair(int pair[2]);

/* A TCP socket that listens on the loopback, and its port. */
int tcp_listener(uint16_t *port);
int tcp_dial(uint16_t port);
int tcp_accept(int listener);

/* All of it must go through, and the bytes be the right ones. */
void send_stream(int sock, uint64_t seed, uint64_t len);
void receive_stream(int sock, uint64_t seed, uint64_t len);

/* After these bytes and no others the stream ends, like this. */
void receive_to_end(int sock, uint64_t seed, uint64_t len,
		    enum transfer_end end);

/* The same without bytes before. */
void expect_end(int sock, enum transfer_end end);
void expect_end_of_resets(int sock);

/* Writes until the other side takes no more: EPIPE or ECONNRESET. */
int send_to_end(int sock);

/* What never changes while the other side is silent: no bytes, no end. */
void expect_silence(int sock);

/* Transfers beside the test, on a thread. */
struct job {
	pthread_t thread;
	struct transfer transfer;
	int sock;
	uint64_t len;
	enum transfer_end end; /* must be this */
};

struct job *start_sending(int sock, struct transfer transfer, uint64_t len,
			  enum transfer_end end);
struct job *start_receiving(int sock, struct transfer transfer, uint64_t len,
			    enum transfer_end end);

/* Waits for its end, checks it, frees it. Gives back the bytes moved. */
uint64_t finish(struct job *job);

/* With the right seed, and reads or writes of those sizes. */
#define TRANSFER(seed_, min_, max_)                        \
	((struct transfer){ .stream = { .seed = (seed_) }, \
			    .sizes = { .min = (min_), .max = (max_) } })

#define send_stream(...) HERE((send_stream)(__VA_ARGS__))
#define receive_stream(...) HERE((receive_stream)(__VA_ARGS__))
#define receive_to_end(...) HERE((receive_to_end)(__VA_ARGS__))
#define expect_end(...) HERE((expect_end)(__VA_ARGS__))
#define expect_end_of_resets(...) HERE((expect_end_of_resets)(__VA_ARGS__))
#define send_to_end(...) HERE((send_to_end)(__VA_ARGS__))
#define expect_silence(...) HERE((expect_silence)(__VA_ARGS__))
#define finish(...) HERE((finish)(__VA_ARGS__))

#endif
