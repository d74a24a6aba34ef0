/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SEQPACKET connections over a device that the test plays: who says what, and
 * in which messages. Streams are possible, too, for tests that mix them.
 */
#ifndef VSOCKDEV_TEST_TALK_H
#define VSOCKDEV_TEST_TALK_H

#include "fake.h"

#define KIB 1024U
#define MIB (1024 * KIB)

#define STREAM VIRTIO_VSOCK_TYPE_STREAM
#define SEQPACKET VIRTIO_VSOCK_TYPE_SEQPACKET
#define EOM VIRTIO_VSOCK_SEQ_EOM
#define EOR VIRTIO_VSOCK_SEQ_EOR

#define RECEIVE VSOCKDEV_SHUTDOWN_RECEIVE
#define SEND VSOCKDEV_SHUTDOWN_SEND
#define BOTH (RECEIVE | SEND)

#define WINDOW (64 * KIB) /* of both sides, unless a test takes another */
#define PACKET (WINDOW / 4) /* the longest one that the driver sends then */
#define PART 32000 /* that the host sends at most, as buffers are no larger */
#define MESSAGE_MAX (256 * KIB) /* to the program, whatever the window is */
#define SMALL_BUFFER 4096 /* of a socket: some messages, not many */

/*
 * A connection and what is said on it. Each of the four ends has its own idea
 * of the bytes, and messages of the program that the host has got wait here.
 */
#define TALK_MESSAGES 1024

struct talk {
	struct flow flow;
	struct stream wrote, got; /* by the program, to the host */
	struct stream sent, read; /* by the host, to the program */
	uint32_t part; /* of a message that goes on */
	uint32_t packets; /* of the message got last */
	uint32_t sizes[TALK_MESSAGES];
	unsigned int first, count;
	uint16_t over; /* SHUTDOWN or RST came */
	uint32_t over_flags;
	struct talk *next;
};

/* A device that offers SEQPACKET beside streams, and our window. */
void talk_plug(struct fake *fake, uint32_t buf_alloc);

/* Enters a flow: its seeds are the port's, so no two talks say the same. */
void talk_begin(struct talk *talk, const struct flow *flow);
void talk_end(struct talk *talk); /* before its memory goes */

/*
 * The REQUEST of ours, and RESPONSE to it; both. Of pairs of sockets the second
 * one is closed here.
 */
void talk_request(struct talk *talk, struct fake *fake, uint16_t type,
		  const int pair[2]);
void talk_open(struct talk *talk);
void talk_connect_with(struct talk *talk, struct fake *fake, const int pair[2]);
void talk_connect(struct talk *talk, struct fake *fake);

/* The same with a driver's end that takes few messages: others stay with it. */
void talk_connect_narrow(struct talk *talk, struct fake *fake);

/* The same with a host that has no room: what is written stays in the driver. */
void talk_connect_blocked(struct talk *talk, struct fake *fake);

/* The REQUEST of the host; and SEND_RESPONSE to it. */
struct vsockdev_event talk_dial(struct talk *talk, struct fake *fake,
				uint16_t type);
void talk_accept(struct talk *talk, struct fake *fake);

/* The program: one message. */
void program_sends(struct talk *talk, uint32_t len);
void program_gets(struct talk *talk, uint32_t len);
void program_gets_end(const struct talk *talk, enum transfer_end end);
void program_closes(struct talk *talk);

/* What it wrote and still pays for. */
int outq(const struct talk *talk);

/*
 * The host takes one packet, of whichever talk; or all, after the driver has
 * handled everything that was put. Data is checked and credit given at once.
 */
void host_takes(struct fake *fake);
void host_syncs(struct fake *fake);

/* One message; or SHUTDOWN or RST, with no message before it that was not got. */
void host_gets(struct talk *talk, uint32_t len);
void host_gets_end(struct talk *talk, uint16_t op, uint32_t flags);

/* Room that the driver told of; after asking for it, fwd_cnt. */
uint32_t host_room(const struct talk *talk);
uint32_t host_asks(struct talk *talk);

/* One packet, with or without room. */
void host_puts(struct talk *talk, uint32_t len, uint32_t flags);

/*
 * As hosts do: whatever there is room for. When there is none, it waits until
 * the driver tells of some, and never asks. Flags are those of the last packet.
 * A message; one that goes on; as many as there is room for.
 */
void host_sends_part(struct talk *talk, uint32_t len, uint32_t flags);
void host_sends(struct talk *talk, uint32_t len);
void host_begins(struct talk *talk, uint32_t len);
unsigned int host_fills(struct talk *talk, uint32_t len);

/* SHUTDOWN or RST. */
void host_ends(struct talk *talk, uint16_t op, uint32_t flags);

/* The owner's next event of this connection. */
void owner_gets_rst(const struct talk *talk, uint32_t reason, int error);
void owner_gets_shutdown(const struct talk *talk, uint32_t directions);

/* It goes both ways. */
void expect_working(struct talk *talk);

void set_buffer(int sock, int which, int bytes);

#define talk_plug(...) HERE((talk_plug)(__VA_ARGS__))
#define talk_begin(...) HERE((talk_begin)(__VA_ARGS__))
#define talk_request(...) HERE((talk_request)(__VA_ARGS__))
#define talk_open(...) HERE((talk_open)(__VA_ARGS__))
#define talk_connect_with(...) HERE((talk_connect_with)(__VA_ARGS__))
#define talk_connect(...) HERE((talk_connect)(__VA_ARGS__))
#define talk_dial(...) HERE((talk_dial)(__VA_ARGS__))
#define talk_accept(...) HERE((talk_accept)(__VA_ARGS__))
#define talk_connect_narrow(...) HERE((talk_connect_narrow)(__VA_ARGS__))
#define talk_connect_blocked(...) HERE((talk_connect_blocked)(__VA_ARGS__))
#define program_sends(...) HERE((program_sends)(__VA_ARGS__))
#define program_gets(...) HERE((program_gets)(__VA_ARGS__))
#define program_gets_end(...) HERE((program_gets_end)(__VA_ARGS__))
#define host_takes(...) HERE((host_takes)(__VA_ARGS__))
#define host_syncs(...) HERE((host_syncs)(__VA_ARGS__))
#define host_gets(...) HERE((host_gets)(__VA_ARGS__))
#define host_gets_end(...) HERE((host_gets_end)(__VA_ARGS__))
#define host_puts(...) HERE((host_puts)(__VA_ARGS__))
#define host_sends_part(...) HERE((host_sends_part)(__VA_ARGS__))
#define host_sends(...) HERE((host_sends)(__VA_ARGS__))
#define host_begins(...) HERE((host_begins)(__VA_ARGS__))
#define host_asks(...) HERE((host_asks)(__VA_ARGS__))
#define host_fills(...) HERE((host_fills)(__VA_ARGS__))
#define host_ends(...) HERE((host_ends)(__VA_ARGS__))
#define owner_gets_rst(...) HERE((owner_gets_rst)(__VA_ARGS__))
#define owner_gets_shutdown(...) HERE((owner_gets_shutdown)(__VA_ARGS__))
#define expect_working(...) HERE((expect_working)(__VA_ARGS__))
#define set_buffer(...) HERE((set_buffer)(__VA_ARGS__))

#endif
