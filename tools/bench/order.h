/* SPDX-License-Identifier: GPL-2.0-only */
/* What a measurement in the guest asks of the program on the host. */
#ifndef BENCH_ORDER_H
#define BENCH_ORDER_H

#include <stdint.h>

/* Connections that begin with an order. */
#define ORDER_PORT 1024

/* Connections without one: a byte comes, a byte goes back, an end comes. */
#define BYTE_PORT 1025

/* Connections that stay open, and nothing else. */
#define HOLD_PORT 1026

/* Those of the host device itself, see tools/host: no order either. */
#define SINK_PORT 9
#define SOURCE_PORT 19

enum order_verb {
	ORDER_SINK = 1, /* a byte back, read @count bytes, a byte back */
	ORDER_SOURCE, /* write @count bytes, in writes of @size */
	ORDER_ECHO, /* whatever comes, in pieces of @size, to the end */
	ORDER_STATS, /* a line: what the host device has counted */
	ORDER_CPU, /* a line: seconds that the guest has used */
	ORDER_SAMPLE, /* see sample.h */
	ORDER_DIAL, /* the guest's port @count; the order comes there */
};

/* Both ends are of the same machine, so as it is in memory. */
struct order {
	uint32_t verb;
	uint32_t size;
	uint64_t count;
};

#endif
