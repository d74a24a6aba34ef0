// SPDX-License-Identifier: GPL-2.0-only
/* A file that gets its name only when it is complete. */
#include "output.h"

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

/* Such as /dev/null, which renaming would replace. */
static int open_special(const char *name)
{
	struct stat st;

	if (!strcmp(name, "-"))
		return STDOUT_FILENO;
	if (stat(name, &st) || S_ISREG(st.st_mode))
		return -1;
	return open(name, O_WRONLY | O_CLOEXEC);
}

void output_open(struct output *output, const char *name)
{
	struct stat st;

	output->part = NULL;
	/* The file that a link names is replaced, not the link. */
	output->name = realpath(name, NULL);
	if (!output->name)
		output->name = strdup(name);
	if (!output->name)
		error(STATUS_ERROR, errno, "%s", name);
	output->fd = open_special(name);
	if (output->fd >= 0)
		return;
	if (!stat(name, &st) && !S_ISREG(st.st_mode))
		error(STATUS_ERROR, errno, "%s", name);
	if (asprintf(&output->part, "%s.part", output->name) < 0)
		error(STATUS_ERROR, errno, "%s", name);
	output->fd = open(output->part,
			  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (output->fd < 0)
		error(STATUS_ERROR, errno, "%s", output->part);
}

static void output_free(struct output *output)
{
	free(output->part);
	free(output->name);
}

void output_complete(struct output *output)
{
	/* Some file systems tell only now that the disk is full. */
	if (close(output->fd))
		error(STATUS_ERROR, errno, "%s", output->name);
	if (output->part && rename(output->part, output->name))
		error(STATUS_ERROR, errno, "%s", output->name);
	output_free(output);
}

void output_give_up(struct output *output)
{
	struct stat st;

	if (output->part && !fstat(output->fd, &st) && !st.st_size)
		unlink(output->part);
	else
		error(0, 0, "%s is not complete",
		      output->part ? output->part : output->name);
	close(output->fd);
	output_free(output);
}
