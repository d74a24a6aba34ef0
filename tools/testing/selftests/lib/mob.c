// SPDX-License-Identifier: GPL-2.0-only
/* Processes and threads, what they hoard, and who sees to it that they end. */
#include "mob.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"
#include "slow.h"

#define PAGE 4096
#define STUCK_MS 60000 /* in which not one step was taken */
#define STACK_SIZE (128 * 1024)

uint32_t pick(struct player *player, uint32_t min, uint32_t max)
{
	return stream_pick(&player->random, min, max);
}

int hoard_take(struct player *player, atomic_int *fds, unsigned int count)
{
	for (int i = 0; i < 4; i++) {
		int fd = atomic_exchange(&fds[pick(player, 0, count - 1)], -1);

		if (fd >= 0)
			return fd;
	}
	return -1;
}

void hoard_put(struct player *player, atomic_int *fds, unsigned int count,
	       int fd)
{
	int old = fd;

	if (fd >= 0)
		old = atomic_exchange(&fds[pick(player, 0, count - 1)], fd);
	if (old >= 0)
		close(old);
}

enum kind { NOTHING, NODE, SOCK, OTHER };

static enum kind kind_of(struct player *player, int fd)
{
	struct stat info;

	if (fstat(fd, &info))
		return NOTHING;
	if (S_ISCHR(info.st_mode) && major(info.st_rdev) == player->mob->major)
		return NODE;
	return S_ISSOCK(info.st_mode) ? SOCK : OTHER;
}

void put_any(struct player *player, int fd)
{
	switch (kind_of(player, fd)) {
	case NODE:
		put_node(player, fd);
		break;
	case SOCK:
		put_sock(player, fd);
		break;
	case OTHER:
		put_file(player, fd);
		break;
	case NOTHING:
		break;
	}
}

static void keep_only(struct player *player, atomic_int *fds,
		      unsigned int count, enum kind kind)
{
	for (unsigned int i = 0; i < count; i++)
		if (kind_of(player, atomic_load(&fds[i])) != kind)
			atomic_store(&fds[i], -1);
}

/*
 * fork() copies descriptors first and memory later. Meanwhile other threads
 * close some, and their numbers become those of something else.
 */
void hoard_sort(struct player *player)
{
	struct hoard *hoard = player->hoard;

	keep_only(player, hoard->owners, OWNERS, NODE);
	keep_only(player, hoard->nodes, NODES, NODE);
	keep_only(player, hoard->socks, SOCKS, SOCK);
	keep_only(player, hoard->files, FILES, OTHER);
}

/* What comes after the arena cannot be touched. */
static uint8_t *new_arena(void)
{
	uint8_t *arena = mmap(NULL, ARENA + PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (arena == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	mprotect(arena + ARENA, PAGE, PROT_NONE);
	return arena;
}

static void *in_trap(struct player *player, const void *bytes, size_t size)
{
	struct hoard *hoard = player->hoard;

	if (bytes)
		memcpy(hoard->template, bytes, size);
	trap_close(&hoard->trap);
	return hoard->trap.page;
}

static void *at_end(struct player *player, const void *bytes, size_t size)
{
	size_t part = pick(player, 0, size);

	if (bytes)
		memcpy(player->arena + ARENA - part, bytes, part);
	return player->arena + ARENA - part;
}

void *place(struct player *player, const void *bytes, size_t size)
{
	size_t at = pick(player, 0, (ARENA - size) / 2);

	switch (pick(player, 1, 40)) {
	case 1:
		return NULL;
	case 2:
		return (void *)0xffff888000000000UL;
	case 3:
		return at_end(player, bytes, size);
	case 4:
	case 5:
		if (player->hoard->has_trap && !player->forked && size <= PAGE)
			return in_trap(player, bytes, size);
		break;
	case 6:
		return (void *)mob_calls; /* cannot be written */
	}
	if (bytes)
		memcpy(player->arena + at, bytes, size);
	return player->arena + at;
}

static unsigned int weight_of(const struct act *acts)
{
	unsigned int weight = 0;

	for (; acts->act; acts++)
		weight += acts->weight;
	return weight;
}

static void act(struct player *player, const struct act *acts)
{
	unsigned int at = pick(player, 1, weight_of(acts));

	while (at > acts->weight)
		at -= acts++->weight;
	acts->act(player);
}

void mob_step(struct player *player)
{
	static const struct act *const kinds[] = {
		mob_calls, mob_calls, mob_calls, mob_calls, mob_nodes,
		mob_socks, mob_socks, mob_files,
	};

	player->sane = !one_in(player, 4);
	act(player, PICK(player, kinds));
	atomic_fetch_add(&player->mob->steps, 1);
}

static bool is_over(struct mob *mob)
{
	return atomic_load(&mob->over) || atomic_load(&mob->broken) ||
	       atomic_load(&mob->steps) >= mob->steps_max;
}

static void *play(void *arg)
{
	struct player *player = arg;

	player->has_uring = uring_open(&player->uring);
	while (!is_over(player->mob))
		mob_step(player);
	if (player->has_uring)
		uring_close(&player->uring);
	return NULL;
}

/* A handler, as a signal that is ignored interrupts nothing. */
static void nothing(int sig)
{
	(void)sig;
}

static void pause_us(unsigned int us)
{
	struct timespec time = { .tv_nsec = us * 1000L };

	nanosleep(&time, NULL);
}

/*
 * What the process itself does: interrupts its threads, of which some wait for
 * what never comes, and lets memory come that is away.
 */
static void shake(struct player *player, struct player *players)
{
	struct hoard *hoard = player->hoard;

	while (!is_over(player->mob)) {
		pthread_t thread = PICK(player, hoard->threads);

		pthread_kill(thread, SIGUSR1);
		if (hoard->has_trap && one_in(player, 4))
			trap_open(&hoard->trap);
		pause_us(pick(player, 1, 3000));
	}
	for (int i = 0; i < MOB_THREADS; i++) {
		while (pthread_tryjoin_np(hoard->threads[i], NULL)) {
			pthread_kill(hoard->threads[i], SIGUSR1);
			if (hoard->has_trap)
				trap_open(&hoard->trap);
			pause_us(1000);
		}
		munmap(players[i].arena, ARENA + PAGE);
	}
}

/* Nobody waits for processes of the mob's own, so this is how they tell. */
static _Atomic bool *broken;

static void note_broken(int sig)
{
	(void)sig;
	atomic_store(broken, true);
}

static void watch_signals(struct mob *mob)
{
	struct sigaction shaken = { .sa_handler = nothing };
	struct sigaction fatal = {
		.sa_handler = note_broken,
		.sa_flags = SA_RESETHAND, /* and now it dies of it */
	};

	broken = &mob->broken;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN); /* of forks nobody wants to know */
	sigaction(SIGUSR1, &shaken, NULL);
	sigaction(SIGABRT, &fatal, NULL);
	sigaction(SIGSEGV, &fatal, NULL);
	sigaction(SIGBUS, &fatal, NULL);
}

static void spread(struct hoard *hoard)
{
	for (int i = 0; i < OWNERS; i++)
		hoard->owners[i] = -1;
	for (int i = 0; i < NODES; i++)
		hoard->nodes[i] = -1;
	for (int i = 0; i < SOCKS; i++)
		hoard->socks[i] = -1;
	for (int i = 0; i < FILES; i++)
		hoard->files[i] = -1;
}

static _Noreturn void play_all(struct mob *mob, unsigned int number)
{
	struct player players[MOB_THREADS + 1] = {};
	/* All descriptors in one page, which fork() copies at one moment */
	static _Alignas(4096) struct hoard hoard;
	pthread_attr_t small;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	watch_signals(mob);
	spread(&hoard);
	hoard.has_trap = trap_set(&hoard.trap);
	hoard.trap.bytes = hoard.template;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK_SIZE);
	for (int i = 0; i <= MOB_THREADS; i++) {
		players[i].mob = mob;
		players[i].hoard = &hoard;
		players[i].arena = new_arena();
		players[i].random = mob->seed + number * 16 + i;
		if (i < MOB_THREADS &&
		    pthread_create(&hoard.threads[i], &small, play,
				   &players[i]))
			fail("pthread_create");
	}
	shake(&players[MOB_THREADS], players);
	exit(0);
}

static pid_t spawn(struct mob *mob, unsigned int number)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (!pid)
		play_all(mob, number);
	return pid;
}

static void show_file(const char *path)
{
	char text[2048];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n > 0) {
		text[n] = '\0';
		for (char *line = strtok(text, "\n"); line;
		     line = strtok(NULL, "\n"))
			fprintf(stderr, "# %s\n", line);
	}
	close(fd);
}

void show_hangs(void)
{
	glob_t found;
	char path[96];

	if (glob("/proc/[0-9]*/task/[0-9]*", 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		fprintf(stderr, "# %s:\n", found.gl_pathv[i]);
		snprintf(path, sizeof(path), "%s/comm", found.gl_pathv[i]);
		show_file(path);
		snprintf(path, sizeof(path), "%s/stack", found.gl_pathv[i]);
		show_file(path);
	}
	globfree(&found);
	write_file("/proc/sysrq-trigger", "w");
}

/* The keeper: what the test itself does meanwhile. */
struct keeper {
	struct mob *mob;
	struct player dice;
	pid_t pids[MOB_PROCESSES];
	unsigned int spawned;
	unsigned int seen;
	struct timespec since;
};

static void check_progress(struct keeper *keeper)
{
	unsigned int steps = atomic_load(&keeper->mob->steps);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (steps != keeper->seen) {
		keeper->seen = steps;
		keeper->since = now;
	} else if (now.tv_sec - keeper->since.tv_sec > STUCK_MS / 1000) {
		show_hangs();
		fail("stuck after %u steps", steps);
	}
}

/* It was killed, or had its time; anything else is what it complained of. */
static void check_status(int status)
{
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail("a process of the mob ended with status %#x", status);
}

static bool reap(struct keeper *keeper, int i)
{
	int status;
	pid_t pid = waitpid(keeper->pids[i], &status, WNOHANG);

	if (!pid)
		return false;
	if (pid < 0)
		fail("waitpid: %s", strerror(errno));
	check_status(status);
	keeper->pids[i] = 0;
	return true;
}

static void keep_one(struct keeper *keeper, int i)
{
	if (!is_over(keeper->mob) && one_in(&keeper->dice, 100))
		kill(keeper->pids[i], SIGKILL);
	if (reap(keeper, i) && !is_over(keeper->mob))
		keeper->pids[i] = spawn(keeper->mob, ++keeper->spawned);
}

static void answer_slow(struct keeper *keeper)
{
	struct slow *slow = keeper->mob->slow;

	if (slow && one_in(&keeper->dice, 4) &&
	    __atomic_load_n(&slow->waits, __ATOMIC_ACQUIRE))
		slow_answer(slow, one_in(&keeper->dice, 4) ? EIO : 0);
}

/* How much of it had an effect. */
static void tell(const struct keeper *keeper)
{
	static const char *const events[MOB_EVENTS] = {
		"", "REQUEST", "RESPONSE", "RST", "SHUTDOWN",
		"TRANSPORT_RESET", "SEND_VMO_COMPLETE",
	};
	struct mob *mob = keeper->mob;

	printf("# %u steps by %u processes\n# calls:",
	       atomic_load(&mob->steps), keeper->spawned);
	for (int i = 0; i < CALLS; i++)
		printf(" %u %s", atomic_load(&mob->done[i]), shapes[i].name);
	printf("\n# %u reads of events:", atomic_load(&mob->reads));
	for (int i = 1; i < MOB_EVENTS; i++)
		printf(" %u %s", atomic_load(&mob->heard[i]), events[i]);
	printf("\n# bytes of one device: %lu received, %lu sent\n",
	       atomic_load(&mob->received), atomic_load(&mob->sent));
	fflush(stdout);
}

static unsigned int major_of(const char *node)
{
	struct stat info;

	if (stat(node, &info))
		fail("%s: %s", node, strerror(errno));
	return major(info.st_rdev);
}

void mob_give_node(struct mob *mob, const char *node)
{
	mob->major = major_of(node);
	snprintf(mob->nodes[mob->devices++], sizeof(mob->nodes[0]), "%s", node);
}

void mob_run(struct mob *mob)
{
	struct keeper keeper = {
		.mob = mob,
		.dice = { .random = mob->seed },
	};
	bool some;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, mob->market))
		fail("socketpair: %s", strerror(errno));
	clock_gettime(CLOCK_MONOTONIC, &keeper.since);
	for (int i = 0; i < MOB_PROCESSES; i++)
		keeper.pids[i] = spawn(mob, ++keeper.spawned);
	do {
		some = false;
		for (int i = 0; i < MOB_PROCESSES; i++) {
			if (keeper.pids[i])
				keep_one(&keeper, i);
			some |= keeper.pids[i];
		}
		answer_slow(&keeper);
		check_progress(&keeper);
		pause_us(5000);
	} while (some);
	atomic_store(&mob->over, true);
	close(mob->market[0]);
	close(mob->market[1]);
	tell(&keeper);
	if (atomic_load(&mob->broken))
		fail("a process of the mob has failed");
}
