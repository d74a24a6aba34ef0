// SPDX-License-Identifier: GPL-2.0-only
/* A small table of texts by tag, for all sessions. */
#include "results.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#define HANG_GUARD_S 20

struct result {
	LIST_ENTRY(result) list;
	char tag[32];
	char text[256];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t added = PTHREAD_COND_INITIALIZER;
static LIST_HEAD(, result) results = LIST_HEAD_INITIALIZER(results);

void results_put(const char *tag, const char *text)
{
	struct result *result = calloc(1, sizeof(*result));

	if (!result)
		abort();
	snprintf(result->tag, sizeof(result->tag), "%s", tag);
	snprintf(result->text, sizeof(result->text), "%s", text);
	pthread_mutex_lock(&lock);
	LIST_INSERT_HEAD(&results, result, list);
	pthread_cond_broadcast(&added);
	pthread_mutex_unlock(&lock);
}

static struct result *take(const char *tag)
{
	struct result *result;

	LIST_FOREACH(result, &results, list)
	{
		if (!strcmp(result->tag, tag)) {
			LIST_REMOVE(result, list);
			return result;
		}
	}
	return NULL;
}

_Bool results_take(const char *tag, char *text, int size)
{
	struct timespec until;
	struct result *result;
	int timed_out = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += HANG_GUARD_S;
	pthread_mutex_lock(&lock);
	while (!(result = take(tag)) && !timed_out)
		timed_out = pthread_cond_timedwait(&added, &lock, &until);
	pthread_mutex_unlock(&lock);
	if (!result)
		return 0;
	snprintf(text, size, "%s", result->text);
	free(result);
	return 1;
}
