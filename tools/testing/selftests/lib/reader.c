// SPDX-License-Identifier: GPL-2.0-only
/* A thread in read(). */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef start_reader

static void *read_one(void *arg)
{
	struct reader *reader = arg;

	reader->tid = syscall(SYS_gettid);
	reader->n = read(reader->fd, &reader->event, sizeof(reader->event));
	reader->error = errno;
	return NULL;
}

/* The thread does nothing but this read, so asleep means waiting in it. */
static bool asleep(pid_t tid)
{
	char path[64], stat[256], *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[n > 0 ? n : 0] = '\0';
	state = strrchr(stat, ')');
	return state && state[2] == 'S';
}

void start_reader(struct reader *reader, int fd)
{
	memset(reader, 0, sizeof(*reader));
	reader->fd = fd;
	if (pthread_create(&reader->thread, NULL, read_one, reader))
		fail("pthread_create");
	WAIT_FOR(reader->tid && asleep(reader->tid));
}

static void do_nothing(int sig)
{
	(void)sig;
}

void interrupt_reader(struct reader *reader)
{
	struct sigaction action = { .sa_handler = do_nothing };

	if (sigaction(SIGUSR1, &action, NULL) ||
	    pthread_kill(reader->thread, SIGUSR1))
		fail("a signal for the reader: %s", strerror(errno));
}

ssize_t finish_reader(struct reader *reader)
{
	pthread_join(reader->thread, NULL);
	return reader->n < 0 ? -reader->error : reader->n;
}
