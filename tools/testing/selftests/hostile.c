// SPDX-License-Identifier: GPL-2.0-only
/*
 * A host that means ill, on real virtqueues: the scripts of
 * tools/testing/hostile, one test for each, and storms of random packets.
 * Honest connections of the same device go on beside them.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/machine.h"
#include "lib/memory.h"
#include "lib/siege.h"
#include "lib/spin.h"

#define KIB 1024LL
#define LONG_SECONDS 3600
#define PINGS 500
#define RESETS 40
#define OWNERS 40
#define BINDS 10
#define LOG_LINES 100 /* of all the kernel, in one storm */
#define OTHER_CID 1000
#define STORM_ROUNDS 50 /* of honest bytes, in one storm */

/* What the documentation says of memory. */
#define WINDOW (256 * KIB) /* of a connection, where START says nothing */
#define STREAM_FACTOR 3
#define MESSAGES_FACTOR 8
#define STAGED (2 * 64 * KIB)
#define SOCKETS (2 * 2 * 208 * KIB) /* both send buffers, and what skbs cost */
#define OBJECTS (16 * KIB)
#define QUEUE (512 * KIB + 64 * KIB) /* less than there may be */

static bool is_a(const char *name, const char *kind)
{
	return !strncmp(name, kind, strlen(kind));
}

/* As much as what is connected now may cost. */
static int64_t memory_bound(struct siege *siege, const char *name)
{
	int64_t conns = info_of(siege->dev.fd).conns - siege->before.conns;
	int64_t factor = STREAM_FACTOR;

	if (is_a(name, "flood_messages") || is_a(name, "flood_fragments"))
		factor = MESSAGES_FACTOR;
	return conns * (factor * WINDOW + STAGED + SOCKETS + OBJECTS) + QUEUE +
	       memory_slack();
}

static void check_memory(struct siege *siege, const char *name,
			 const struct memory *before)
{
	int64_t bound = memory_bound(siege, name), taken;
	struct memory now = memory_now();

	taken = memory_taken(before, &now);
	memory_describe("during", &now);
	printf("# %lld KiB taken of %lld KiB\n", (long long)taken / KIB,
	       (long long)bound / KIB);
	if (taken > bound)
		fail("%s took %lld KiB", name, (long long)taken / KIB);
}

FIXTURE(storm) {
	struct siege siege;
};

FIXTURE_SETUP(storm)
{
	if (!host_is_ours())
		SKIP(return, "other host devices are honest");
	if (machine_devices() < 2)
		SKIP(return, "there is one device only");
	siege_start(&self->siege);
}

FIXTURE_TEARDOWN(storm)
{
}

static void describe(struct siege *siege, const struct vsockdev_get_info *now)
{
	const struct vsockdev_get_info *before = &siege->before;

	printf("# %llu packets; %llu malformed, %llu unknown, %llu violations, %llu refused\n",
	       now->rx_packets - before->rx_packets,
	       now->rx_malformed - before->rx_malformed,
	       now->rx_unknown - before->rx_unknown,
	       now->rx_violations - before->rx_violations,
	       now->refused - before->refused);
	printf("# %u honest rounds, %llu requests taken, %llu ends seen\n",
	       siege->rounds, (unsigned long long)siege->victim.requests,
	       (unsigned long long)siege->victim.resets);
}

/* Connections that the host has begun since the siege was laid. */
static uint64_t conns_begun(struct siege *siege)
{
	struct link last = link_request(&siege->dev, new_port());
	uint64_t ours = siege->rounds + 1;

	link_close(&last);
	return last.id - siege->link.id - ours;
}

TEST_F_TIMEOUT(storm, does_no_harm, LONG_SECONDS)
{
	unsigned long long packets = from_environment("VSOCKDEV_TEST_PACKETS",
						      20000);
	unsigned long long seed = from_environment("VSOCKDEV_TEST_SEED", 1);
	struct siege *siege = &self->siege;
	struct vsockdev_get_info after;
	unsigned int lines = log_lines();
	struct memory before;
	uint64_t begun;

	siege_exchange(siege);
	before = memory_now();
	memory_describe("before", &before);
	siege_begin(siege, "hostile %llu %llu", seed, packets);
	siege_wait(siege, packets / STORM_ROUNDS + 1);
	if (!is_a(siege_status(siege), "passed"))
		fail("seed %llu: %s", seed, siege_status(siege));
	EXPECT_EQ(packets, siege_sent(siege));
	check_memory(siege, "storm", &before);

	siege_lift(siege);
	siege_exchange(siege);
	check_memory(siege, "storm", &before);
	after = info_of(siege->dev.fd);
	describe(siege, &after);
	begun = conns_begun(siege);
	printf("# %llu connections begun\n", (unsigned long long)begun);
	/* A report of KCSAN, of other races too, is dozens: see scan-log */
	if (!kernel_is("kcsan"))
		EXPECT_GE(LOG_LINES, log_lines() - lines);
	EXPECT_LE(packets, after.rx_packets - siege->before.rx_packets);
	EXPECT_LT(packets / 100, after.rx_malformed);
	EXPECT_LT(packets / 100, after.rx_unknown);
	EXPECT_LT(packets / 200, after.rx_violations);
	/* REQUESTs. How many the owner meets depends on who gets the processor */
	EXPECT_LT(packets / 10, after.refused + begun);
	EXPECT_LT(0, after.refused);
	EXPECT_LT(0, siege->victim.requests);
}

/* Owners come and go in the middle of it. */
TEST_F_TIMEOUT(storm, with_many_owners_does_no_harm, LONG_SECONDS)
{
	struct siege *siege = &self->siege;
	uint64_t sent;

	siege_begin(siege, "hostile 2 1000000000");
	for (int i = 0; i < OWNERS; i++) {
		sent = siege_sent(siege);
		WAIT_FOR(siege_sent(siege) > sent + 200);
		if (i % 2) {
			siege_abandon(siege);
		} else {
			ASSERT_EQ(0, stop(siege->dev.fd));
			victim_stop(&siege->victim);
		}
		siege_resume(siege);
		victim_start(&siege->victim, &siege->dev);
	}
	siege_begin(siege, "stop");
	siege->before.conns = 0;
	siege_lift(siege);
	siege_reconnect(siege);
	siege_exchange(siege);
}

/* The driver takes the device down in the middle of it, and up again. */
TEST_F_TIMEOUT(storm, with_unbinds_does_no_harm, LONG_SECONDS)
{
	struct siege *siege = &self->siege;

	for (int i = 0; i < BINDS; i++) {
		siege_begin(siege, "hostile %d 1000000000", i);
		WAIT_FOR(siege_sent(siege) > 500);
		unbind_device(0);
		victim_stop(&siege->victim);
		close(siege->dev.fd);
		bind_device(0);
		device_start(&siege->dev, NULL);
		victim_start(&siege->victim, &siege->dev);
	}
	siege->before.conns = 0;
	siege_lift(siege);
	siege_reconnect(siege);
	siege_exchange(siege);
}

/*
 * The guest gets another context id again and again, in the middle of it all:
 * whatever was connected is gone each time.
 */
TEST_F_TIMEOUT(storm, with_resets_does_no_harm, LONG_SECONDS)
{
	struct siege *siege = &self->siege;
	uint64_t cid = siege->before.cid;
	struct vsockdev_get_info now;

	siege_begin(siege, "hostile 1 1000000000");
	for (int i = 0; i < RESETS; i++) {
		uint64_t sent = siege_sent(siege);

		siege_begin(siege, "cid %llu",
			    (unsigned long long)(i % 2 ? cid : OTHER_CID));
		WAIT_FOR(siege_sent(siege) > sent + 100);
	}
	siege_begin(siege, "stop");
	WAIT_FOR(info_of(siege->dev.fd).cid == cid);
	siege->before.conns = 0;
	siege_lift(siege);

	now = info_of(siege->dev.fd);
	EXPECT_LE(siege->before.generation + 2, now.generation);
	EXPECT_GE(siege->before.generation + RESETS, now.generation);
	siege_reconnect(siege);
	siege_exchange(siege);
}

FIXTURE(script) {
	struct siege siege;
};

FIXTURE_VARIANT(script) {
	const char *name;
};

#define SCRIPT(name_)                      \
	FIXTURE_VARIANT_ADD(script, name_) \
	{                                  \
		.name = #name_,            \
	}
#include "hostile-scripts.h"

FIXTURE_SETUP(script)
{
	if (!host_is_ours())
		SKIP(return, "other host devices are honest");
	if (machine_devices() < 2)
		SKIP(return, "there is one device only");
	siege_start(&self->siege);
}

FIXTURE_TEARDOWN(script)
{
	if (is_a(variant->name, "break_") && !node_exists(0))
		bind_device(0);
}

/* The queue is of no use any more; what there is can still be taken down. */
static void rebind(struct siege *siege)
{
	struct vsockdev_get_info info = { .size = sizeof(info) };
	struct device dev;
	struct peer peer;

	/* Nothing turns round and round for something that cannot come. */
	spin_start();
	for (int i = 0; i < PINGS; i++)
		peer_do(&siege->control, "pong", "ping");
	spin_check("tx_work", PINGS / 2);
	spin_check("rx_work", PINGS / 2);

	unbind_device(0);
	if (call(siege->dev.fd, VSOCKDEV_GET_INFO, &info) != -ENODEV)
		fail("the device is not gone");
	close(siege->dev.fd);
	bind_device(0);
	device_start(&dev, NULL);
	peer = peer_open(&dev);
	peer_do(&peer, "pong", "ping");
}

/* Nothing that came then is of any interest to the next owner. */
static void without_owner(struct siege *siege, const char *name)
{
	siege_abandon(siege);
	siege_begin(siege, "script %s", name);
	siege_wait(siege, 0);
	if (!is_a(siege_status(siege), "passed"))
		fail("%s: %s", name, siege_status(siege));
	siege_resume(siege);
	expect_no_event(&siege->dev, 0);
	siege_reconnect(siege);
	siege_exchange(siege);
}

TEST_F_TIMEOUT(script, does_no_harm, LONG_SECONDS)
{
	bool breaks = is_a(variant->name, "break_");
	struct siege *siege = &self->siege;
	struct memory before;

	if (is_a(variant->name, "without_owner")) {
		without_owner(siege, variant->name);
		return;
	}
	siege_exchange(siege);
	before = memory_now();
	memory_describe("before", &before);

	siege_begin(siege, "script %s", variant->name);
	while (siege_wait(siege, 0)) {
		check_memory(siege, variant->name, &before);
		siege_exchange(siege);
		siege_go(siege);
	}
	if (!is_a(siege_status(siege), breaks ? "running" : "passed") &&
	    !is_a(siege_status(siege), "passed"))
		fail("%s: %s", variant->name, siege_status(siege));

	if (breaks) {
		victim_stop(&siege->victim);
		rebind(siege);
		return;
	}
	siege_lift(siege);
	siege_exchange(siege);
	check_memory(siege, variant->name, &before);
}

TEST_HARNESS_MAIN
