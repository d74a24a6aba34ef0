/* SPDX-License-Identifier: GPL-2.0-only */
/* A file that gets its name only when it is complete. */
#ifndef VSOCKDEV_OUTPUT_H
#define VSOCKDEV_OUTPUT_H

struct output {
	int fd;
	char *name;
	char *part;	/* its name until then, or NULL if it has only one */
};

/* "-" is stdout; what exists and is no regular file is written to directly. */
void output_open(struct output *output, const char *name);

/* Either of these is the last use; an empty part is not kept. */
void output_complete(struct output *output);
void output_give_up(struct output *output);

#endif
