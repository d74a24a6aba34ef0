/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A mob of processes and threads that does to devices whatever a program can
 * do, at random. What it has, it hoards: nodes, sockets and files, which all
 * threads of a process use at the same time, as there are several descriptors
 * of each. Processes are forked from each other and pass descriptors around.
 */
#ifndef VSOCKDEV_TEST_MOB_H
#define VSOCKDEV_TEST_MOB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fake.h"
#include "trap.h"
#include "uring.h"

#define MOB_DEVICES 3
#define MOB_PROCESSES 3
#define MOB_THREADS 3
#define MOB_KNOWN 64
#define MOB_PORTS 24 /* of ours; so few that they meet */

#define NODES 8
#define SOCKS 24
#define FILES 8
#define ARENA (128 * 1024)

/*
 * An address of which somebody heard. Nobody cares if it is read while another
 * one is written: it is half of each then, which is an address, too.
 */
struct known {
	struct vsockdev_addr addr;
	uint64_t id;
	uint64_t generation; /* of the last transport reset there */
};

/* What all of them share. */
struct mob {
	uint64_t seed;
	unsigned int steps_max;
	atomic_uint steps;
	atomic_bool over;
	atomic_uint news;
	struct known known[MOB_KNOWN];
	unsigned int devices;
	char nodes[MOB_DEVICES][64]; /* of fake ones, they change */
	unsigned int major; /* of all of them */
	struct slow *slow; /* NULL if there is no such file */
};

/* What the threads of a process share. */
struct hoard {
	atomic_int nodes[NODES];
	atomic_int socks[SOCKS];
	atomic_int files[FILES];
	struct trap trap;
	bool has_trap;
	uint8_t template[4096]; /* of the page in the trap */
	pthread_t threads[MOB_THREADS];
};

/* One of those threads. */
struct player {
	struct mob *mob;
	struct hoard *hoard;
	uint64_t random;
	uint8_t *arena; /* of its own, and nothing is behind it */
	struct uring uring;
	unsigned int reads; /* that io_uring has, or had */
	bool has_uring;
	bool forked; /* alone in a process of its own */
};

/* Something that it can do. */
struct act {
	unsigned int weight;
	void (*act)(struct player *player);
	const char *name;
};

#define ACT(weight, name) { weight, name, #name }

extern const struct act mob_calls[];
extern const struct act mob_socks[];
extern const struct act mob_files[];

/* Dice. */
uint32_t pick(struct player *player, uint32_t min, uint32_t max);

static inline bool one_in(struct player *player, uint32_t n)
{
	return pick(player, 1, n) == 1;
}

#define PICK(player, of) of[pick(player, 0, sizeof(of) / sizeof(of[0]) - 1)]

/*
 * Takes a descriptor out of a hoard, or -1; puts it back, or one more, for
 * which another one may have to go.
 */
int hoard_take(struct player *player, atomic_int *fds, unsigned int count);
void hoard_put(struct player *player, atomic_int *fds, unsigned int count,
	       int fd);

static inline int take_node(struct player *player)
{
	return hoard_take(player, player->hoard->nodes, NODES);
}

static inline void put_node(struct player *player, int fd)
{
	hoard_put(player, player->hoard->nodes, NODES, fd);
}

static inline int take_sock(struct player *player)
{
	return hoard_take(player, player->hoard->socks, SOCKS);
}

static inline void put_sock(struct player *player, int fd)
{
	hoard_put(player, player->hoard->socks, SOCKS, fd);
}

static inline int take_file(struct player *player)
{
	return hoard_take(player, player->hoard->files, FILES);
}

static inline void put_file(struct player *player, int fd)
{
	hoard_put(player, player->hoard->files, FILES, fd);
}

/* To where it belongs. */
void put_any(struct player *player, int fd);

/* A new pair of sockets of some kind, or one that failed: then false. */
bool any_pair(struct player *player, int pair[2]);

/*
 * Memory for the kernel to read or to write: it may be away for a while, end
 * too early, be read-only or not be there. What is to be read is in @bytes.
 */
void *place(struct player *player, const void *bytes, size_t size);

/* One step, whatever it is. */
void mob_step(struct player *player);

/* All of them, until @steps_max. Fails if they get stuck. */
void mob_run(struct mob *mob);

/*
 * The host of a device that is played: honest for the most part, until the mob
 * is over. Its node has that number among those of the mob.
 */
void mob_host(struct mob *mob, unsigned int device, struct fake *fake);

/* Where everybody hangs, for people. */
void show_hangs(void);

#endif
