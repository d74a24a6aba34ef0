/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One call whose struct is right in every member, with all that it needs to
 * have its effect; so that whatever a test spoils is the only thing wrong.
 */
#ifndef VSOCKDEV_TEST_SCENE_H
#define VSOCKDEV_TEST_SCENE_H

#include "link.h"

#define CALLS (VSOCKDEV_NR_GET_INFO + 1)

/* Bytes behind the largest struct that tests may play with. */
#define TAIL 64

/* What is to know of a call's struct. Offsets are 0 where there is none. */
struct shape {
	const char *name;
	uint32_t size;
	uint32_t flags; /* that are known */
	bool writes; /* has an answer in its struct */
	int right; /* what the owner is answered when all is right */
	int other; /* and another file */
	int zero_at[4]; /* 32-bit words that must be 0 */
	int socket_at;
	int addr_at;
	int id_at;
};

extern const struct shape shapes[CALLS];

struct scene {
	unsigned int nr;
	unsigned int call; /* a test's own number, at first @nr */
	const struct shape *shape;
	struct device dev;
	int other; /* a file that is not the owner */
	struct peer peer; /* goes on whatever becomes of the call */
	struct link link; /* what the call is about, where that is one */
	int pair[2];
	int memory; /* a page of a file */
	uint32_t conns; /* before the call */
	bool over; /* the device is gone, or its owner */
	uint64_t right[32 + TAIL / 8];
	uint64_t room[32 + TAIL / 8]; /* to be spoiled */
};

void scene_open(struct scene *scene, unsigned int nr);

/* The call with that struct, by that file: 0 or a negative errno. */
int scene_call(struct scene *scene, int fd, void *arg);

/* The same, spoiled, by the owner. What fails must leave @room alone. */
int scene_try(struct scene *scene);

/* Counts the connections again, after a test made some. */
void scene_settle(struct scene *scene);

/* Makes @room right again. */
void scene_restore(struct scene *scene);

/*
 * Nothing was done yet: no event, the same connections, and the call that is
 * right has its effect, which is the last that is to be seen of a scene.
 */
void scene_expect_untouched(struct scene *scene);

void put32(void *room, int at, uint32_t value);
uint32_t get32(const void *room, int at);

#define scene_open(...) HERE((scene_open)(__VA_ARGS__))
#define scene_settle(...) HERE((scene_settle)(__VA_ARGS__))
#define scene_try(...) HERE((scene_try)(__VA_ARGS__))
#define scene_expect_untouched(...) HERE((scene_expect_untouched)(__VA_ARGS__))

#endif
