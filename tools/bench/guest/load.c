// SPDX-License-Identifier: GPL-2.0-only
/* Writers that keep their connections full, each a thread. */
#include <pthread.h>
#include <stdlib.h>

#include "measure.h"

#define PIECE (64 * KIB)

struct writer {
	struct load *load;
	struct link link;
	pthread_t thread;
	uint64_t bytes; /* atomic */
};

struct load {
	int count;
	bool stop; /* atomic */
	struct writer writers[];
};

static void *write_on(void *arg)
{
	static const char buf[PIECE];
	struct writer *writer = arg;

	while (!__atomic_load_n(&writer->load->stop, __ATOMIC_RELAXED)) {
		link_write(&writer->link, buf, sizeof(buf));
		__atomic_fetch_add(&writer->bytes, sizeof(buf),
				   __ATOMIC_RELAXED);
	}
	return NULL;
}

struct load *load_start(const struct run *run, int writers)
{
	struct load *load =
		calloc(1, sizeof(*load) + writers * sizeof(*load->writers));

	if (!load)
		die("no memory");
	load->count = writers;
	for (int i = 0; i < writers; i++) {
		struct writer *writer = &load->writers[i];
		char byte;

		writer->load = load;
		writer->link = link_order(run, ORDER_SINK, 1, UINT64_MAX);
		link_read(&writer->link, &byte, 1);
	}
	for (int i = 0; i < writers; i++)
		if (pthread_create(&load->writers[i].thread, NULL, write_on,
				   &load->writers[i]))
			die("no thread");
	return load;
}

uint64_t load_bytes(const struct load *load, int writer)
{
	return __atomic_load_n(&load->writers[writer].bytes, __ATOMIC_RELAXED);
}

void load_stop(const struct run *run, struct load *load)
{
	__atomic_store_n(&load->stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < load->count; i++)
		pthread_join(load->writers[i].thread, NULL);
	for (int i = 0; i < load->count; i++)
		run->side->close(&load->writers[i].link);
	free(load);
}
