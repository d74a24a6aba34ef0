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
#include "scene.h"
#include "trap.h"
#include "uring.h"

#define MOB_DEVICES 3
#define MOB_PROCESSES 3
#define MOB_THREADS 3
#define MOB_KNOWN 64
#define MOB_EVENTS (VSOCKDEV_EVENT_SEND_VMO_COMPLETE + 1)
#define MOB_PORTS 24 /* of ours; so few that they meet */

#define OWNERS 6
#define NODES 8
#define SOCKS 24
#define FILES 8
#define ARENA (128 * 1024)

enum known_state {
	KNOWN_OVER,
	KNOWN_ASKED, /* by us */
	KNOWN_CALLED, /* by the host */
	KNOWN_OPEN,
};

/*
 * A connection of which somebody heard. Nobody cares if it is read while
 * another one is written: it is half of each then, and some address, too.
 */
struct known {
	struct vsockdev_addr addr;
	enum known_state state;
	uint64_t id;
	unsigned int minor; /* of the node */
	unsigned int type; /* VSOCKDEV_TYPE_* */
};

/* What all of them share. */
struct mob {
	uint64_t seed;
	unsigned int steps_max;
	atomic_uint steps;
	atomic_bool over;
	atomic_bool broken; /* somebody has failed, and said why */
	atomic_uint done[CALLS]; /* ioctls that had their effect */
	atomic_uint reads; /* of events */
	atomic_uint heard[MOB_EVENTS]; /* by type */
	atomic_ulong received; /* bytes, the most that a device has had */
	atomic_ulong sent;
	atomic_uint news;
	struct known known[MOB_KNOWN];
	unsigned int devices;
	char nodes[MOB_DEVICES][64]; /* of fake ones, they change */
	unsigned int major; /* of all of them */
	struct slow *slow; /* NULL if there is no such file */
	int market[2]; /* a pair of sockets, by which they trade nodes */
};

/* What the threads of a process share. */
struct hoard {
	atomic_int owners[OWNERS]; /* nodes that may give orders, at last */
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
	atomic_int *slot; /* of owners, from where its node is a copy */
	bool sane; /* this time it wants something that can be had */
};

/* Something that it can do. */
struct act {
	unsigned int weight;
	void (*act)(struct player *player);
	const char *name;
};

#define ACT(weight, name) { weight, name, #name }

extern const struct act mob_calls[];
extern const struct act mob_nodes[];
extern const struct act mob_socks[];
extern const struct act mob_files[];

/* A file of some kind, or -1. */
int new_file(struct player *player);

/*
 * Sends descriptors along with some bytes; takes such without waiting, and
 * gives back how many.
 */
#define FDS_MAX 8

void send_fds(struct player *player, int sock, const int *fds,
	      unsigned int count, int flags);
unsigned int receive_fds(struct player *player, int sock, int fds[FDS_MAX]);

/*
 * A connection of the device that @fd is, in that state if there is one and
 * the player is sane; and what one turned out to be, if it is known at all.
 */
struct known recall(struct player *player, int fd, enum known_state state);
void learn(struct player *player, int fd, struct known known);
bool learn_state(struct player *player, int fd, uint64_t id,
		 enum known_state state);

/* Dice. */
uint32_t pick(struct player *player, uint32_t min, uint32_t max);

static inline bool one_in(struct player *player, uint32_t n)
{
	return pick(player, 1, n) == 1;
}

#define PICK(player, of) of[pick(player, 0, sizeof(of) / sizeof(of[0]) - 1)]

/*
 * Takes a descriptor out of a hoard, or -1; puts it back, or one more, for
 * which another one may have to go. Here as elsewhere, -1 is nothing to put,
 * and to close it does no harm.
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

/* In a process that was just forked: none is elsewhere than it belongs. */
void hoard_sort(struct player *player);

/*
 * A node that may give orders if the player is sane, has one or gets one, else
 * any; and back, after what a call by it has answered.
 */
int take_useful(struct player *player);
void put_useful(struct player *player, int fd, int error);
int open_node(struct player *player);

/*
 * A new pair of sockets, for connections of that type or of any kind; or one
 * that failed: then false.
 */
bool typed_pair(struct player *player, unsigned int type, int pair[2]);
bool any_pair(struct player *player, int pair[2]);

/*
 * Memory for the kernel to read or to write: it may be away for a while, end
 * too early, be read-only or not be there. What is to be read is in @bytes.
 */
void *place(struct player *player, const void *bytes, size_t size);

/* One step, whatever it is. */
void mob_step(struct player *player);

/*
 * Another device for the mob. Before anything can unplug that one: its host
 * puts another node in its place at any time.
 */
void mob_give_node(struct mob *mob, const char *node);

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
