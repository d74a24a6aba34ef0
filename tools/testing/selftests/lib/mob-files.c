// SPDX-License-Identifier: GPL-2.0-only
/* What the mob does to files while SEND_VMO reads them. */
#include "mob.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE_MAX_OF_FILE (1 << 19)
#define PAGE 4096

/* A file may be sealed, or of a kind that knows nothing of the sort. */
static void ignore(long result)
{
	(void)result;
}

int new_file(struct player *player)
{
	static const unsigned int flags[] = { 0, 0, 0, MFD_HUGETLB };
	static const char *const names[] = {
		"/tmp", "/dev/shm", "/proc/self/maps", "/dev/zero",
		"/sys/kernel/notes",
	};
	int file;

	if (one_in(player, 8))
		file = open(PICK(player, names),
			    one_in(player, 2) ? O_TMPFILE | O_RDWR : O_RDONLY,
			    0600);
	else
		file = memfd_create("mob", MFD_CLOEXEC | MFD_ALLOW_SEALING |
						   PICK(player, flags));
	if (file >= 0 && ftruncate(file, pick(player, 0, SIZE_MAX_OF_FILE)))
		file = dup(file); /* one that cannot be resized, twice then */
	return file;
}

static void act_make(struct player *player)
{
	put_file(player, new_file(player));
}

static void act_resize(struct player *player)
{
	int file = take_file(player);

	ignore(ftruncate(file, one_in(player, 4) ?
				       0 :
				       pick(player, 0, SIZE_MAX_OF_FILE)));
	put_file(player, file);
}

static void act_punch(struct player *player)
{
	int file = take_file(player);
	int mode = one_in(player, 2) ?
			   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE :
			   FALLOC_FL_KEEP_SIZE;

	fallocate(file, mode, pick(player, 0, SIZE_MAX_OF_FILE),
		  pick(player, 1, SIZE_MAX_OF_FILE));
	put_file(player, file);
}

static void act_write(struct player *player)
{
	int file = take_file(player);

	ignore(pwrite(file, player->arena, pick(player, 1, ARENA),
		      pick(player, 0, SIZE_MAX_OF_FILE)));
	put_file(player, file);
}

static void act_seal(struct player *player)
{
	static const int seals[] = { F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW,
				     F_SEAL_FUTURE_WRITE };
	int file = take_file(player);

	fcntl(file, F_ADD_SEALS, PICK(player, seals));
	put_file(player, file);
}

static void act_map(struct player *player)
{
	int file = take_file(player);
	void *map = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 file, 0);

	if (map != MAP_FAILED) {
		/* Touching it would be SIGBUS where it was cut */
		madvise(map, 16 * PAGE, MADV_POPULATE_WRITE);
		madvise(map, 16 * PAGE, MADV_REMOVE);
		munmap(map, 16 * PAGE);
	}
	put_file(player, file);
}

static void act_close(struct player *player)
{
	int file = take_file(player);

	if (file >= 0)
		close(file);
}

const struct act mob_files[] = {
	ACT(20, act_make), ACT(20, act_resize), ACT(10, act_punch),
	ACT(20, act_write), ACT(2, act_seal), ACT(6, act_map),
	ACT(6, act_close), {}
};
