/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What sweeps of calls are about. Each works on a device that the test plays.
 * Included by test programs, behind the harness.
 */
#ifndef VSOCKDEV_TEST_SWEEP_FIXTURE_H
#define VSOCKDEV_TEST_SWEEP_FIXTURE_H

#include "lib/inject.h"
#include "lib/machine.h"
#include "lib/vmo.h"

#define LONG_SECONDS 600

enum pair_kind {
	PAIR_UNIX,
	PAIR_SEQPACKET,
	PAIR_TCP,
};

struct subject {
	struct fake *fake;
	struct flow flow;
	enum pair_kind kind;
	int pair[2];
	int file; /* that is opened and closed, or sent */
	uint64_t filled; /* bytes of it; the rest is a hole */
	uint32_t conns; /* before */
	int events; /* of it that were read */
	uint64_t generation;
	struct vsockdev_event event;
};

FIXTURE(sweep) {
	struct fake fake;
	struct subject subject;
};

FIXTURE_SETUP(sweep)
{
	struct fake_options options = {
		.features = 1ULL << VIRTIO_VSOCK_F_SEQPACKET,
	};

	if (!inject_prepare())
		SKIP(return, "this kernel injects no faults");
	fake_open(&self->fake, &options);
	self->subject = (struct subject){ .fake = &self->fake, .file = -1 };
}

FIXTURE_TEARDOWN(sweep)
{
	expect_no_event(&self->fake.dev, 0);
	expect_no_packet(&self->fake);
	expect_usable(&self->fake);
	fake_close(&self->fake);
	WAIT_FOR(module_refs() == 0);
}

static inline void run(struct subject *subject, const char *name,
		       void (*prepare)(void *data), int (*act)(void *data),
		       void (*check)(void *data, int error))
{
	struct sweep sweep = {
		.name = name,
		.prepare = prepare,
		.act = act,
		.check = check,
		.data = subject,
	};

	sweep_run(&sweep);
}

static inline int answer(long result)
{
	return result < 0 ? -errno : 0;
}

static inline struct device *dev_of(const struct subject *subject)
{
	return &subject->fake->dev;
}

static inline void note_conns(struct subject *subject)
{
	subject->conns = info_of(dev_of(subject)->fd).conns;
}

static inline void expect_conns(const struct subject *subject, uint32_t more)
{
	uint32_t conns = info_of(dev_of(subject)->fd).conns;

	if (conns != subject->conns + more)
		fail("%u connections, there were %u", conns, subject->conns);
}

/* SEND_RST and its packet; and the other ends of what it had. */
static inline void end_flow(struct subject *subject)
{
	struct flow *flow = &subject->flow;

	if (send_rst(dev_of(subject)->fd, flow->link.addr, 0))
		fail("SEND_RST failed");
	flow_expect(flow, VIRTIO_VSOCK_OP_RST);
}

#endif
