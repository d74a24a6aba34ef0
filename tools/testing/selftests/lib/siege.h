/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device whose host means ill: victims, honest connections beside them, and
 * the way to tell the host, which is not by that device.
 */
#ifndef VSOCKDEV_TEST_SIEGE_H
#define VSOCKDEV_TEST_SIEGE_H

#include "load.h"
#include "victim.h"

struct siege {
	struct device dev;
	struct device other; /* not attacked: by it the host is told */
	struct peer control;
	struct peer peer; /* of the honest connection */
	struct link link;
	struct vsockdev_get_info before;
	unsigned int rounds; /* of honest bytes so far */
	struct victim victim;
};

void siege_start(struct siege *siege);

/* Begins; the line is for the host device's control socket. */
void siege_begin(struct siege *siege, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What the host does, or how it ended. */
const char *siege_status(struct siege *siege);
uint64_t siege_sent(struct siege *siege);

/*
 * Waits until it is over, or pauses: true. It must get further all the time.
 * After each @every packets honest bytes are sent and checked; 0 for never.
 */
bool siege_wait(struct siege *siege, uint64_t every);

/* Lets it go on after a pause. */
void siege_go(struct siege *siege);

/*
 * Honest bytes: over the old connection, and one that is made for them. Both
 * ways, and checked.
 */
void siege_exchange(struct siege *siege);

/* The owner goes, with all that it has; and comes back. */
void siege_abandon(struct siege *siege);
void siege_resume(struct siege *siege);

/* The honest connection anew, after all were lost. Without victims. */
void siege_reconnect(struct siege *siege);

/* Closes what the victims have, and waits until the driver has let go of it. */
void siege_lift(struct siege *siege);

#define siege_start(...) HERE((siege_start)(__VA_ARGS__))
#define siege_begin(...) HERE((siege_begin)(__VA_ARGS__))
#define siege_wait(...) HERE((siege_wait)(__VA_ARGS__))
#define siege_exchange(...) HERE((siege_exchange)(__VA_ARGS__))
#define siege_abandon(...) HERE((siege_abandon)(__VA_ARGS__))
#define siege_resume(...) HERE((siege_resume)(__VA_ARGS__))
#define siege_reconnect(...) HERE((siege_reconnect)(__VA_ARGS__))
#define siege_lift(...) HERE((siege_lift)(__VA_ARGS__))

#endif
