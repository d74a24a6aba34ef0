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
	VICTIM_PORTS,
	VICTIM_CALL = VICTIM_IGNORE + 10, /* refused; it calls back as one of the above */
};

#define VICTIM_CONNS 128

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

#define victim_start(...) HERE((victim_start)(__VA_ARGS__))

#endif
