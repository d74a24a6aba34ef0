/* SPDX-License-Identifier: GPL-2.0-only */
/* Scripts as they are written: one statement a line. */
#ifndef VSOCKDEV_HOST_SCRIPT_H
#define VSOCKDEV_HOST_SCRIPT_H

#include <stddef.h>

#define SCRIPT_WORDS 12
#define SCRIPT_STATEMENTS 256

enum script_verb {
	SCRIPT_SEND,
	SCRIPT_EXPECT,
	SCRIPT_TAKE,
	SCRIPT_SYNC,
	SCRIPT_QUIET,
	SCRIPT_PAUSE,
	SCRIPT_SET,
	SCRIPT_REPEAT,
	SCRIPT_END,
	SCRIPT_HOLD,
	SCRIPT_RELEASE,
	SCRIPT_USED,
	SCRIPT_JUMP,
};

struct statement {
	enum script_verb verb;
	unsigned int line;
	unsigned int words;
	const char *word[SCRIPT_WORDS]; /* behind the verb; "key=value" or so */
	unsigned int pair; /* of REPEAT its END, and the other way round */
};

struct script {
	char *text; /* the words are in there */
	unsigned int count;
	struct statement statements[SCRIPT_STATEMENTS];
};

/*
 * Reads DIR/NAME.script. 0 or a negative errno; of -EINVAL @error says more.
 */
int script_load(struct script *script, const char *dir, const char *name,
		char *error, size_t size);
void script_free(struct script *script);

#endif
