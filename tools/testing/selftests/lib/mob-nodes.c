// SPDX-License-Identifier: GPL-2.0-only
/* Who has which node, and what the mob does to nodes that is no call. */
#include "mob.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define EVENT_SIZE 64

int open_node(struct player *player)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY, O_PATH };
	struct mob *mob = player->mob;
	unsigned int device = pick(player, 0, mob->devices - 1);
	int flags = player->sane ? O_RDWR : PICK(player, modes);

	if (one_in(player, 2))
		flags |= O_NONBLOCK;
	/* Right, as with any device the name may be that of another by now */
	return open(mob->nodes[device], flags | O_CLOEXEC);
}

/* There is another one in its place at once: all threads may give orders. */
static int copy_owner(struct player *player)
{
	unsigned int from = pick(player, 0, OWNERS - 1);

	for (int i = 0; i < OWNERS; i++) {
		atomic_int *slot = &player->hoard->owners[(from + i) % OWNERS];
		int fd = atomic_exchange(slot, -1);

		if (fd < 0)
			continue;
		close(atomic_exchange(slot, fcntl(fd, F_DUPFD_CLOEXEC, 0)));
		player->slot = slot;
		return fd;
	}
	return -1;
}

static void put_owner(struct player *player, int fd)
{
	hoard_put(player, player->hoard->owners, OWNERS, fd);
}

/* And so may all processes. */
static void sell(struct player *player, int fd)
{
	send_fds(player, player->mob->market[0], &fd, 1, MSG_DONTWAIT);
}

static int buy(struct player *player)
{
	int fds[FDS_MAX];

	return receive_fds(player, player->mob->market[1], fds) ? fds[0] : -1;
}

int take_useful(struct player *player)
{
	int fd = -1;

	player->slot = NULL;
	if (player->sane)
		fd = copy_owner(player);
	if (fd < 0 && player->sane)
		fd = buy(player);
	return fd < 0 ? take_node(player) : fd;
}

static void drop(struct player *player)
{
	if (player->slot)
		close(atomic_exchange(player->slot, -1));
}

void put_useful(struct player *player, int fd, int error)
{
	if (fd < 0)
		return;
	if (!error && one_in(player, 8))
		sell(player, fd);
	if (error == -ENODEV || error == -EPERM)
		drop(player);
	if (error == -ENODEV || player->slot)
		close(fd);
	else if (error == -EPERM || error == -EBADF)
		put_node(player, fd); /* or was it the socket? */
	else
		put_owner(player, fd);
}

static void act_open(struct player *player)
{
	put_node(player, open_node(player));
}

static void act_close(struct player *player)
{
	close(take_node(player));
}

static void act_dup(struct player *player)
{
	int fd = take_useful(player);

	put_node(player, fcntl(fd, F_DUPFD_CLOEXEC, 0));
	put_node(player, fd);
}

static void act_buy(struct player *player)
{
	put_owner(player, buy(player));
}

/* Any number and size, and any bytes. */
static void act_garbage(struct player *player)
{
	int fd = take_node(player);
	uint32_t words[64];
	unsigned long cmd;

	for (size_t i = 0; i < sizeof(words) / 4; i++)
		words[i] = one_in(player, 2) ? pick(player, 0, 300) :
					       pick(player, 0, -2U);
	cmd = _IOC(pick(player, 0, 3),
		   one_in(player, 3) ? pick(player, 0, 255) : VSOCKDEV_IOC_TYPE,
		   pick(player, 0, one_in(player, 4) ? 255 : 12),
		   one_in(player, 2) ? 0 : pick(player, 0, 8191));
	ioctl(fd, cmd, place(player, words, sizeof(words)));
	put_node(player, fd);
}

static void act_poll(struct player *player)
{
	int fd = take_node(player), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct pollfd fds = { .fd = fd, .events = -1 };
	struct epoll_event event = { .events = -1U };

	poll(&fds, 1, pick(player, 0, 2));
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	epoll_wait(epoll, &event, 1, 0);
	if (one_in(player, 2))
		put_node(player, fd);
	else
		close(fd); /* while it is polled */
	close(epoll);
}

/* None of which a node has anything to do with. */
static void act_other(struct player *player)
{
	int fd = take_node(player), sock = take_sock(player);
	struct iovec iov[] = {
		{ player->arena, 32 },
		{ place(player, NULL, 64), 64 },
		{ player->arena + 64, 320 },
	};

	fcntl(fd, F_SETFL, one_in(player, 2) ? O_NONBLOCK : O_ASYNC);
	preadv2(fd, iov, 3, -1, one_in(player, 2) ? RWF_NOWAIT : 0);
	if (write(fd, player->arena, 64) > 0)
		fail("a node was written to");
	lseek(fd, 0, SEEK_SET);
	mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	sendfile(sock, fd, NULL, 100);
	put_sock(player, sock);
	put_node(player, fd);
}

/* Ends by itself, or with the ring, or with the process. */
static void act_uring(struct player *player)
{
	uint8_t *to = player->arena + pick(player, 0, ARENA / 2);
	int fd;

	if (!player->has_uring)
		return;
	if (++player->reads == 8) {
		uring_close(&player->uring);
		player->has_uring = uring_open(&player->uring);
		player->reads = 0;
		return;
	}
	fd = one_in(player, 3) ? take_sock(player) : take_node(player);
	uring_read(&player->uring, 1, fd, to, EVENT_SIZE * 4, 0);
	put_any(player, fd);
}

/* A process of its own, with all that this one has, for some steps. */
static void act_fork(struct player *player)
{
	pid_t pid;

	if (player->forked)
		return;
	pid = fork();
	if (pid > 0 && one_in(player, 3))
		kill(pid, SIGKILL);
	if (pid)
		return;
	player->forked = true;
	hoard_sort(player);
	player->has_uring = false;
	player->random += pick(player, 1, 1000);
	/* Nobody interrupts it */
	alarm(1);
	for (int i = pick(player, 1, 10); i; i--)
		mob_step(player);
	_exit(0);
}

const struct act mob_nodes[] = {
	ACT(20, act_open),  ACT(14, act_close), ACT(6, act_dup),
	ACT(30, act_buy), ACT(10, act_garbage), ACT(8, act_poll),
	ACT(5, act_other),  ACT(6, act_uring),  ACT(1, act_fork),
	{}
};
