/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be measured, and what measurements share. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>

#include "order.h"
#include "side.h"

#define KEYS_MAX 3

/* One run: how much to do, and what came out. */
struct run {
	const struct side *side;
	const struct variant *variant;
	const char *label; /* whose figures these are */
	double seconds; /* about how long it shall last */
	bool direct; /* bulk has its other end in the host device itself */
	uint64_t count; /* bytes or messages; set by the run before */
	double results[KEYS_MAX]; /* NAN for none */
	double done; /* how many of ... */
	const char *unit; /* ... these were done, for the profile */
};

struct measure {
	const char *keys[KEYS_MAX + 1]; /* of the results */
	const struct variant *variants; /* of AF_VSOCK, to an empty one */
	void (*run)(struct run *run);
	const struct variant *own; /* instead of those: ours, then ours again */
};

/* bulk.c: streams one way */
void measure_g2h(struct run *run);
void measure_h2g(struct run *run);
void measure_msg64_g2h(struct run *run);
void measure_msg64_h2g(struct run *run);
void measure_feed(struct run *run,
		  void (*feed)(const struct run *run, const struct link *link));

/* files.c: from a file to the host */
void measure_splice(struct run *run);
void measure_vmo(struct run *run);

/* rtt.c: round trips */
void measure_rtt_1(struct run *run);
void measure_rtt_4k(struct run *run);
void measure_rtt_p99(struct run *run);

/* conns.c: many connections */
void measure_conn_rate(struct run *run);
void measure_idle(struct run *run);
void measure_fairness(struct run *run);

/* bridge.c: to TCP */
void measure_bridge(struct run *run);

/* load.c: writers that do not stop by themselves */
struct load;
struct load *load_start(const struct run *run, int writers);
uint64_t load_bytes(const struct load *load, int writer);
void load_stop(const struct run *run, struct load *load);

/* clock.c: seconds that passed, and those that the guest was busy */
double wall_now(void);
double cpu_now(const struct run *run);
double memcpy_rate(void);
double syscall_cost(void);

/*
 * How much to do the next time, when this took so long. Not less than now: to
 * be held up once is no reason for that.
 */
void run_scale(struct run *run, double seconds, size_t unit);

/* link.c: connections that begin with an order */
struct link link_order(const struct run *run, enum order_verb verb,
		       uint32_t size, uint64_t count);
void order_write(int sock, enum order_verb verb, uint32_t size, uint64_t count);
void ask_host(const struct run *run, enum order_verb verb, char *line,
	      size_t size);
void link_write(const struct link *link, const void *buf, size_t len);
void link_read(const struct link *link, void *buf, size_t len);
void link_skip(const struct link *link, uint64_t count);

#endif
