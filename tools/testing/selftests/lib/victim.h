/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs for a hostile host to meet: a thread that reads the owner's events,
 * takes REQUESTs, and does with each connection what its port stands for. The
 * numbers are those of the host device's scripts.
 */
#ifndef VSOCKDEV_TEST_VICTIM_H
#define VSOCKDEV_TEST_VICTIM_H

#include <pthread.h>

#include "link.h"

enum victim_port {
	VICTIM_IGNORE = 7000, /* no answer */
	VICTIM_REFUSE, /* SEND_RST */
	VICTIM_SINK, /* reads all */
	VICTIM_STALL, /* reads and writes nothing */
	VICTIM_SOURCE, /* writes without end */
	VICTIM_ECHO, /* writes what it reads */
	VICTIM_CLOSE, /* is closed at once */
	VICTIM_KEEP, /* no answer, however many there are */
	VICTIM_PORTS,
};

/* Added to these: refused, and it calls back; and a TCP socket takes it. */
#define VICTIM_CALL 10
#define VICTIM_TCP 20

#define VICTIM_CONNS 512

struct victim_conn {
	uint64_t id;
	struct vsockdev_addr addr;
	int sock;
	enum victim_port does;
};

struct victim {
	pthread_t thread;
	struct device *dev;
	int epfd;
	int stop; /* an eventfd */
	int file;
	unsigned int count;
	struct victim_conn conns[VICTIM_CONNS];
	/* Read by the test while it runs. */
	uint64_t requests;
	uint64_t resets;
	uint64_t bytes;
};

/* From here on nobody else may read events. */
void victim_start(struct victim *victim, struct device *dev);

/* All its connections are closed, or reset, when it returns. */
void victim_stop(struct victim *victim);

/* Says RESET_DONE to a TRANSPORT_RESET, as it does by itself. */
void victim_acknowledge(int fd, const struct vsockdev_event *event);

#define victim_start(...) HERE((victim_start)(__VA_ARGS__))

#endif
