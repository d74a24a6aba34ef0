// SPDX-License-Identifier: GPL-2.0-only
/* What the mob has heard of connections, so that calls can be about one. */
#include "mob.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A node that comes back is another one. */
static unsigned int minor_of(int fd)
{
	struct stat info;

	return fstat(fd, &info) ? -1U : minor(info.st_rdev);
}

void learn(struct player *player, int fd, struct known known)
{
	struct mob *mob = player->mob;
	unsigned int at = atomic_fetch_add(&mob->news, 1) % MOB_KNOWN;

	known.minor = minor_of(fd);
	mob->known[at] = known;
}

bool learn_state(struct player *player, int fd, uint64_t id,
		 enum known_state state)
{
	unsigned int minor = minor_of(fd);
	struct known *known = player->mob->known;

	for (int i = 0; id && i < MOB_KNOWN; i++)
		if (known[i].id == id && known[i].minor == minor) {
			known[i].state = state;
			return true;
		}
	return false;
}

struct known recall(struct player *player, int fd, enum known_state state)
{
	unsigned int from = pick(player, 0, MOB_KNOWN - 1);
	unsigned int minor = minor_of(fd);
	struct known known = player->mob->known[from];

	for (int i = 0; player->sane && i < MOB_KNOWN; i++) {
		struct known next = player->mob->known[(from + i) % MOB_KNOWN];

		if (next.state == state && next.minor == minor) {
			known = next;
			break;
		}
	}
	if (one_in(player, 3))
		known.id = 0;
	return known;
}
