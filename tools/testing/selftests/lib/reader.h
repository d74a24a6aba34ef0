/* SPDX-License-Identifier: GPL-2.0-only */
/* A thread that waits for one event in read(). */
#ifndef VSOCKDEV_TEST_READER_H
#define VSOCKDEV_TEST_READER_H

#include <pthread.h>
#include <sys/types.h>

#include "device.h"

struct reader {
	pthread_t thread;
	int fd;
	volatile pid_t tid;
	ssize_t n; /* of read() */
	int error;
	struct vsockdev_event event;
};

/* Returns once it waits, so nothing may be there to be read. */
void start_reader(struct reader *reader, int fd);

/* Sends a signal, which is handled by doing nothing. */
void interrupt_reader(struct reader *reader);

/* What read() returned: bytes or a negative errno. */
ssize_t finish_reader(struct reader *reader);

#define start_reader(...) HERE((start_reader)(__VA_ARGS__))

#endif
