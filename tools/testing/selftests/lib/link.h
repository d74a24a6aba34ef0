/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections, and the peer on the host that is told what to do with them. */
#ifndef VSOCKDEV_TEST_LINK_H
#define VSOCKDEV_TEST_LINK_H

#include "device.h"
#include "socket.h"

#define SCRIPT_PORT 1024

/* Ports that our own host device is started with. */
#define HOLD_PORT 5 /* accepts, and takes nothing */
#define SILENT_PORT 6 /* never answers */

/* Nobody listens there. */
#define DEAF_PORT 4242

/* One that gives no answer, on every host device. */
uint32_t port_without_answer(void);

/* One connection, seen from the test's end of its socket. */
struct link {
	int sock;
	uint64_t id;
	struct vsockdev_addr addr;
};

/* A port of ours that nobody used lately. */
uint32_t new_port(void);
struct vsockdev_addr host_addr(uint32_t remote_port);

/* SEND_REQUEST with a new socket, or with that one, which is closed here. */
struct link link_request(struct device *dev, uint32_t host_port);
struct link link_request_with(struct device *dev, uint32_t host_port,
			      const int pair[2]);

/* The same and RESPONSE. */
struct link link_connect(struct device *dev, uint32_t host_port);

/* SEND_RESPONSE to that REQUEST. */
struct link link_accept(struct device *dev,
			const struct vsockdev_event *request);
struct link link_accept_with(struct device *dev,
			     const struct vsockdev_event *request,
			     const int pair[2]);

void link_close(struct link *link);

/* A script connection to the host's peer. */
struct peer {
	struct link link;
};

struct peer peer_open(struct device *dev);
void peer_tell(struct peer *peer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
const char *peer_hear(struct peer *peer);
void peer_hear_exactly(struct peer *peer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A link to the script port: its peer still answers. */
void expect_alive(const struct link *link);

/* Tells a step, which must be answered so. */
void peer_do(struct peer *peer, const char *answer, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A connection whose other end is the peer's data connection: asked for by
 * us, or by the host. The second forms take a pair of sockets.
 */
struct link peer_connect(struct device *dev, struct peer *peer);
struct link peer_dial(struct device *dev, struct peer *peer);
struct link peer_connect_with(struct device *dev, struct peer *peer,
			      const int pair[2]);
struct link peer_dial_with(struct device *dev, struct peer *peer,
			   const int pair[2]);

/*
 * Lets the host ask for connections to ports of ours, each by a session of its
 * own, and waits until all REQUESTs are there, unread.
 */
struct callers {
	int count;
	uint32_t conns; /* before they call */
	struct peer peers[16];
	uint32_t ports[16];
};

void call_in(struct device *dev, struct callers *callers, int count);
void wait_for_requests(struct device *dev, const struct callers *callers);

#define link_request(...) HERE((link_request)(__VA_ARGS__))
#define link_request_with(...) HERE((link_request_with)(__VA_ARGS__))
#define link_connect(...) HERE((link_connect)(__VA_ARGS__))
#define link_accept(...) HERE((link_accept)(__VA_ARGS__))
#define link_accept_with(...) HERE((link_accept_with)(__VA_ARGS__))
#define peer_open(...) HERE((peer_open)(__VA_ARGS__))
#define peer_tell(...) HERE((peer_tell)(__VA_ARGS__))
#define peer_hear(...) HERE((peer_hear)(__VA_ARGS__))
#define peer_hear_exactly(...) HERE((peer_hear_exactly)(__VA_ARGS__))
#define peer_do(...) HERE((peer_do)(__VA_ARGS__))
#define expect_alive(...) HERE((expect_alive)(__VA_ARGS__))
#define peer_connect(...) HERE((peer_connect)(__VA_ARGS__))
#define peer_dial(...) HERE((peer_dial)(__VA_ARGS__))
#define peer_connect_with(...) HERE((peer_connect_with)(__VA_ARGS__))
#define peer_dial_with(...) HERE((peer_dial_with)(__VA_ARGS__))
#define call_in(...) HERE((call_in)(__VA_ARGS__))

#endif
