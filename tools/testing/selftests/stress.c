// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hostile program: whatever a program can do, in any order, from several
 * processes and threads at a time. The kernel has to survive it, answer only
 * what its documentation says, and have nothing left of it afterwards.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/load.h"
#include "lib/machine.h"
#include "lib/mob.h"
#include "lib/slow.h"
#include "lib/vmo.h"

#define LONG_SECONDS 1800
#define REAL 1
#define FAKE 2

/* Reads events into memory that does not come. */
struct sleeper {
	pthread_t thread;
	int fd;
	void *to;
};

static void *read_events(void *arg)
{
	struct sleeper *sleeper = arg;

	return (void *)(long)read(sleeper->fd, sleeper->to, 64);
}

FIXTURE(heir) {
	struct fake fake;
	struct trap trap;
	struct sleeper sleeper;
};

FIXTURE_SETUP(heir)
{
	struct sleeper *sleeper = &self->sleeper;

	if (!trap_set(&self->trap))
		SKIP(return, "no userfaultfd");
	fake_open(&self->fake, NULL);
	*sleeper = (struct sleeper){
		.fd = self->fake.dev.fd,
		.to = self->trap.page,
	};
	flow_dial(&self->fake);
	flow_dial(&self->fake);
	pthread_create(&sleeper->thread, NULL, read_events, sleeper);
	trap_wait(&self->trap, 1);
}

FIXTURE_TEARDOWN(heir)
{
	trap_release(&self->trap);
	pthread_join(self->sleeper.thread, NULL);
	fake_close(&self->fake);
}

TEST_F(heir, is_not_held_up_by_a_reader_of_the_owner_before)
{
	struct device next = { .fd = fake_open_node(&self->fake) };
	struct device before = self->fake.dev;
	struct vsockdev_event event;
	struct flow flow;

	ASSERT_EQ(0, stop(before.fd));
	ASSERT_EQ(0, start(next.fd, NULL));
	fake_take(&self->fake);
	fake_take(&self->fake);
	flow = flow_new(&self->fake);
	flow_put(&flow, VIRTIO_VSOCK_OP_REQUEST);
	ASSERT_EQ(sizeof(event), read(next.fd, &event, sizeof(event)));
	EXPECT_EQ(VSOCKDEV_EVENT_REQUEST, event.type);
	close(next.fd);
}

/* Many readers, with good and bad memory, who are interrupted all the time. */
#define READERS 4
#define CALLERS 400
#define PORT 1000

struct crowd {
	int fd;
	pthread_t threads[READERS];
	atomic_int ended;
	/* By port of ours, from PORT on. */
	atomic_uint requests[CALLERS];
	atomic_uint rsts[CALLERS];
};

struct reader_of_crowd {
	struct crowd *crowd;
	uint64_t dice;
};

static void note(struct crowd *crowd, const struct vsockdev_event *event)
{
	unsigned int i = event->addr.local_port - PORT;

	if (i >= CALLERS)
		fail("an event of port %u", event->addr.local_port);
	if (event->type == VSOCKDEV_EVENT_REQUEST) {
		atomic_fetch_add(&crowd->requests[i], 1);
	} else if (event->type == VSOCKDEV_EVENT_RST) {
		atomic_fetch_add(&crowd->rsts[i], 1);
		atomic_fetch_add(&crowd->ended, 1);
	} else {
		fail("an event of type %u", event->type);
	}
}

/* Some records fit, or a part of one, where nothing can be written behind. */
static void *read_all(void *arg)
{
	struct reader_of_crowd *reader = arg;
	struct crowd *crowd = reader->crowd;
	uint8_t *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(pages + 4096, 4096, PROT_NONE);
	while (atomic_load(&crowd->ended) < CALLERS) {
		uint32_t room = stream_pick(&reader->dice, 0, 300) & ~7U;
		uint8_t *to = pages + 4096 - room;
		ssize_t n = read(crowd->fd, to, 256);

		if (n < 0 && errno != EFAULT && errno != EINTR)
			fail("read: %s", strerror(errno));
		for (ssize_t i = 0; i < n; i += sizeof(struct vsockdev_event))
			note(crowd, (void *)(to + i));
	}
	munmap(pages, 8192);
	return NULL;
}

static void nothing(int sig)
{
	(void)sig;
}

/* The host calls and hangs up, some of it before anybody has read of it. */
static void call_and_hang_up(struct fake *fake, struct crowd *crowd)
{
	struct packet packets[] = {
		{ .op = VIRTIO_VSOCK_OP_REQUEST },
		{ .op = VIRTIO_VSOCK_OP_RST },
	};

	for (unsigned int i = 0; i < CALLERS; i++) {
		struct vsockdev_addr addr = {
			.local_port = PORT + i,
			.remote_cid = HOST_CID,
			.remote_port = 1,
		};

		for (int j = 0; j < 2; j++) {
			packets[j] = packet_from_host(fake, addr,
						      packets[j].op);
			fake_put(fake, &packets[j]);
			pthread_kill(crowd->threads[i % READERS], SIGUSR1);
			if (!j)
				WAIT_FOR(atomic_load(&crowd->requests[i]));
		}
	}
}

FIXTURE(crowd) {
	struct fake fake;
	struct crowd crowd;
};

FIXTURE_SETUP(crowd)
{
	struct sigaction action = { .sa_handler = nothing };

	sigaction(SIGUSR1, &action, NULL);
	fake_open(&self->fake, NULL);
	self->crowd.fd = self->fake.dev.fd;
}

FIXTURE_TEARDOWN(crowd)
{
	fake_close(&self->fake);
}

TEST_F_TIMEOUT(crowd, is_told_each_event_once, LONG_SECONDS)
{
	struct reader_of_crowd readers[READERS];
	struct crowd *crowd = &self->crowd;

	for (int i = 0; i < READERS; i++) {
		readers[i] = (struct reader_of_crowd){ crowd, i + 1 };
		pthread_create(&crowd->threads[i], NULL, read_all, &readers[i]);
	}
	call_and_hang_up(&self->fake, crowd);
	for (int i = 0; i < READERS; i++)
		while (pthread_tryjoin_np(crowd->threads[i], NULL))
			pthread_kill(crowd->threads[i], SIGUSR1);
	for (int i = 0; i < CALLERS; i++) {
		EXPECT_EQ(1, atomic_load(&crowd->requests[i]));
		EXPECT_EQ(1, atomic_load(&crowd->rsts[i]));
	}
	expect_no_event(&self->fake.dev, 0);
}

/* What there is of things that nobody has any more, unless they leak. */
static long sockets_used(void)
{
	FILE *file = fopen("/proc/net/sockstat", "r");
	int pair[2];
	long used;

	/*
	 * Sockets that only sit in queues of each other are looked for when
	 * one of AF_UNIX is released, and the driver may have been the last to
	 * let go of such a one.
	 */
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	close(pair[0]);
	close(pair[1]);

	if (!file || fscanf(file, "sockets: used %ld", &used) != 1)
		fail("/proc/net/sockstat: %s", strerror(errno));
	fclose(file);
	return used;
}

/* What tests before had under way is gone. */
static long sockets_settled(void)
{
	struct guard guard = guard_start();
	long used, before = -1;

	WAIT_FOR(module_refs() == 0);
	while ((used = sockets_used()) != before && guard_wait(&guard))
		before = used;
	return used;
}

static void expect_sockets(long expected)
{
	struct guard guard = guard_start();
	long used;

	while ((used = sockets_used()) != expected)
		if (!guard_wait(&guard))
			fail("%ld sockets are in use, and there were %ld", used,
			     expected);
}

static long files_open(void)
{
	FILE *file = fopen("/proc/sys/fs/file-nr", "r");
	long open;

	if (!file || fscanf(file, "%ld", &open) != 1)
		fail("/proc/sys/fs/file-nr: %s", strerror(errno));
	fclose(file);
	return open;
}

/* Older kernels count files roughly. */
#define ROUGHLY 128

FIXTURE(mob) {
	struct mob *mob;
	struct fake fake;
	struct slow slow;
	pid_t host;
	long sockets;
	long files;
};

FIXTURE_VARIANT(mob) {
	int devices;
};

FIXTURE_VARIANT_ADD(mob, with_a_real_device) {
	.devices = REAL,
};

FIXTURE_VARIANT_ADD(mob, with_a_fake_device) {
	.devices = FAKE,
};

FIXTURE_VARIANT_ADD(mob, with_devices_of_both_kinds) {
	.devices = REAL | FAKE,
};

static uint64_t new_seed(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		fail("getrandom: %s", strerror(errno));
	return from_environment("VSOCKDEV_TEST_SEED", seed);
}

static struct mob *new_mob(void)
{
	struct mob *mob = mmap(NULL, sizeof(*mob), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (mob == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	mob->seed = new_seed();
	mob->steps_max = from_environment("VSOCKDEV_TEST_ROUNDS",
					  rounds(20000));
	printf("# VSOCKDEV_TEST_SEED=%#llx VSOCKDEV_TEST_ROUNDS=%u\n",
	       (unsigned long long)mob->seed, mob->steps_max);
	fflush(stdout);
	return mob;
}

static void give_real(struct mob *mob)
{
	char name[NAME_SIZE];

	close(open_device()); /* no other test has it */
	for (unsigned int i = 0; i < machine_devices() && i < 2; i++) {
		if (!find_node(i, name))
			fail("device %u has no node", i);
		mob_give_node(mob, name);
	}
}

static pid_t start_host(struct mob *mob, struct fake *fake)
{
	unsigned int device = mob->devices;
	pid_t pid;

	mob_give_node(mob, fake->node);
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		mob_host(mob, device, fake);
		_exit(0);
	}
	return pid;
}

FIXTURE_SETUP(mob)
{
	struct fake_options options = { .features = 3, .no_start = true };

	self->sockets = sockets_settled();
	self->files = files_open();
	self->mob = new_mob();
	if (variant->devices & REAL)
		give_real(self->mob);
	if (variant->devices & FAKE)
		fake_open(&self->fake, &options);
	if (slow_open(&self->slow, 1 << 20, 1))
		self->mob->slow = &self->slow;
	if (variant->devices & FAKE)
		self->host = start_host(self->mob, &self->fake);
}

/* It works: for programs, and from host to guest and back. */
static void expect_real_works(void)
{
	for (unsigned int i = 0; i < machine_devices(); i++) {
		struct device dev;
		struct peer peer;
		struct link link;

		device_start_at(&dev, i, NULL);
		peer = peer_open(&dev);
		link = peer_connect(&dev, &peer);
		exchange(&peer, &link, 1);
		link_close(&link);
		link_close(&peer.link);
		close(dev.fd);
	}
}

static void expect_fake_works(void)
{
	struct stream stream = { .seed = 1 };
	struct fake fake;
	struct flow flow;

	fake_open(&fake, NULL);
	flow = flow_accept(&fake);
	send_stream(flow.link.sock, 1, 1000);
	flow_expect_stream(&flow, &stream, 1000);
	link_close(&flow.link);
	fake_close(&fake);
}

FIXTURE_TEARDOWN(mob)
{
	if (self->mob->slow)
		slow_close(&self->slow);
	if (variant->devices & FAKE)
		fake_close(&self->fake);
	WAIT_FOR(module_refs() == 0);
	expect_sockets(self->sockets);
	WAIT_FOR(files_open() <= self->files + ROUGHLY);
	expect_real_works();
	expect_fake_works();
	WAIT_FOR(module_refs() == 0);
}

/*
 * A tenth or less of what is usual, of 20000 steps. Some need connections that
 * the host has accepted, or a host that calls in, or one that resets.
 */
static const struct {
	unsigned int nr;
	unsigned int least;
	int devices;
} effects[] = {
	{ VSOCKDEV_NR_START, 1, REAL | FAKE },
	{ VSOCKDEV_NR_SEND_REQUEST, 30, REAL | FAKE },
	{ VSOCKDEV_NR_SEND_RST, 8, REAL | FAKE },
	{ VSOCKDEV_NR_GET_CID, 4, REAL | FAKE },
	{ VSOCKDEV_NR_GET_INFO, 4, REAL | FAKE },
	{ VSOCKDEV_NR_SEND_SHUTDOWN, 3, REAL | FAKE },
	{ VSOCKDEV_NR_SEND_VMO, 2, REAL | FAKE },
	{ VSOCKDEV_NR_SEND_RESPONSE, 4, FAKE },
	{ VSOCKDEV_NR_RESET_DONE, 1, FAKE },
};

static unsigned int least_of(const struct mob *mob, unsigned int usual)
{
	return (uint64_t)usual * mob->steps_max / 20000;
}

static void expect_effects(struct mob *mob, int devices)
{
	for (size_t i = 0; i < ARRAY_SIZE(effects); i++) {
		unsigned int least = least_of(mob, effects[i].least);
		unsigned int nr = effects[i].nr;

		if ((effects[i].devices & devices) &&
		    atomic_load(&mob->done[nr]) < least)
			fail("of %u steps, %u %s had an effect, not %u",
			     mob->steps_max, atomic_load(&mob->done[nr]),
			     shapes[nr].name, least);
	}
	if (atomic_load(&mob->reads) < least_of(mob, 30))
		fail("of %u steps, %u read events", mob->steps_max,
		     atomic_load(&mob->reads));
	if (least_of(mob, 1) &&
	    (!atomic_load(&mob->sent) || !atomic_load(&mob->received)))
		fail("no data went to the host, or none came from there");
}

TEST_F_TIMEOUT(mob, leaves_nothing_behind, LONG_SECONDS)
{
	int devices = variant->devices;
	int status = 0;

	mob_run(self->mob);
	/* Other hosts accept nothing at the ports that the mob asks for */
	if (!host_is_ours())
		devices &= ~REAL;
	if (devices)
		expect_effects(self->mob, devices);
	if (self->host) {
		ASSERT_EQ(self->host, waitpid(self->host, &status, 0));
		ASSERT_EQ(0, status);
	}
}

TEST_HARNESS_MAIN
