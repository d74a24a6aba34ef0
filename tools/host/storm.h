/* SPDX-License-Identifier: GPL-2.0-only */
/* Random packets: honest ones, of which some were spoiled. */
#ifndef VSOCKDEV_HOST_STORM_H
#define VSOCKDEV_HOST_STORM_H

#include <stdbool.h>
#include <stdint.h>

struct hostile;
struct packet;
struct storm;

/* NULL without memory. */
struct storm *storm_start(struct hostile *h, uint64_t seed, uint64_t count);
void storm_free(struct storm *storm);

/* Sends a packet into the buffer that is there. False: that was all. */
bool storm_run(struct storm *storm);

/* A packet of the guest for it. */
void storm_receive(struct storm *storm, const struct packet *pkt);

/* Connections that it knows of. */
unsigned int storm_flows(const struct storm *storm);

#endif
