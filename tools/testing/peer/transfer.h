/* SPDX-License-Identifier: GPL-2.0-only */
/* Sends and receives test streams on a socket, checking every byte. */
#ifndef VSOCKDEV_TEST_TRANSFER_H
#define VSOCKDEV_TEST_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "stream.h"

#define TRANSFER_TO_END UINT64_MAX

/* How a transfer ended. */
enum transfer_end {
	TRANSFER_DONE, /* all bytes that were asked for */
	TRANSFER_EOF, /* receiving: an orderly end came first */
	TRANSFER_RESET, /* receiving: ECONNRESET came first */
	TRANSFER_BROKEN, /* sending: EPIPE or ECONNRESET */
	TRANSFER_MISMATCH, /* receiving: a wrong byte */
	TRANSFER_ERROR, /* another error, see error */
};

/* Sizes of single reads and writes: a new one from min to max each time. */
struct sizes {
	uint32_t min;
	uint32_t max;
};

struct transfer {
	struct stream stream; /* goes on where it stopped */
	struct sizes sizes; /* zero: 64 KiB */
	/*
	 * SOCK_SEQPACKET: each write is a message, and each read has to bring
	 * one of just the size that sender and receiver draw in that order.
	 */
	bool messages;
	uint64_t bytes; /* moved, over all calls */
	enum transfer_end end;
	int error;
	uint8_t seen[16]; /* of TRANSFER_MISMATCH */
	uint8_t expected[16];
	uint64_t message; /* likewise: size of the message */
	uint64_t message_expected;
};

/* Both give back how many bytes this call moved; the end is in @transfer. */
uint64_t transfer_send(struct transfer *transfer, int fd, uint64_t len);
uint64_t transfer_receive(struct transfer *transfer, int fd, uint64_t len);

/*
 * The same for one message, which may be empty and has to have that size; a
 * longer or shorter one is a mismatch.
 */
uint64_t transfer_send_message(struct transfer *transfer, int fd, uint64_t len);
uint64_t transfer_receive_message(struct transfer *transfer, int fd,
				  uint64_t len);

const char *transfer_end_name(enum transfer_end end);

/* Says in one line what happened, for people. */
void transfer_describe(const struct transfer *transfer, char *buf, int size);

#endif
