// SPDX-License-Identifier: GPL-2.0-only
/* Reading scripts: words, verbs, and which END belongs to which REPEAT. */
#include "script.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define TEXT_MAX (64 << 10)
#define DEPTH 8

static const struct {
	const char *name;
	unsigned int least, most; /* words behind it */
} verbs[] = {
	[SCRIPT_SEND] = { "send", 1, SCRIPT_WORDS },
	[SCRIPT_EXPECT] = { "expect", 1, SCRIPT_WORDS },
	[SCRIPT_TAKE] = { "take", 1, 1 },
	[SCRIPT_SYNC] = { "sync", 0, 0 },
	[SCRIPT_QUIET] = { "quiet", 0, 0 },
	[SCRIPT_PAUSE] = { "pause", 0, 0 },
	[SCRIPT_SET] = { "set", 2, 2 },
	[SCRIPT_REPEAT] = { "repeat", 1, 1 },
	[SCRIPT_END] = { "end", 0, 0 },
	[SCRIPT_HOLD] = { "hold", 1, 3 },
	[SCRIPT_RELEASE] = { "release", 1, 2 },
	[SCRIPT_USED] = { "used", 3, 3 },
	[SCRIPT_JUMP] = { "jump", 2, 2 },
};

static bool find_verb(const char *name, enum script_verb *verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!strcmp(verbs[i].name, name)) {
			*verb = i;
			return true;
		}
	}
	return false;
}

/* False: more words than a statement may have. */
static bool split(struct statement *s, char *text)
{
	char *save, *word;

	while ((word = strtok_r(text, " \t", &save))) {
		text = NULL;
		if (s->words == SCRIPT_WORDS)
			return false;
		s->word[s->words++] = word;
	}
	return true;
}

/* What is wrong with the line, or NULL. */
static const char *parse_line(struct script *script, char *text,
			      unsigned int line)
{
	struct statement *s = &script->statements[script->count];
	char *name;

	text[strcspn(text, "#")] = '\0';
	text += strspn(text, " \t");
	if (!*text)
		return NULL;
	if (script->count == SCRIPT_STATEMENTS)
		return "too many statements";
	name = text;
	text += strcspn(text, " \t");
	if (*text)
		*text++ = '\0';
	s->line = line;
	if (!find_verb(name, &s->verb))
		return "no such verb";
	if (!split(s, text) || s->words < verbs[s->verb].least ||
	    s->words > verbs[s->verb].most)
		return "too few or too many words";
	script->count++;
	return NULL;
}

static const char *pair_up(struct script *script, unsigned int *line)
{
	unsigned int open[DEPTH], depth = 0;

	for (unsigned int i = 0; i < script->count; i++) {
		struct statement *s = &script->statements[i];

		*line = s->line;
		if (s->verb == SCRIPT_REPEAT) {
			if (depth == DEPTH)
				return "too deep";
			open[depth++] = i;
		} else if (s->verb == SCRIPT_END) {
			if (!depth)
				return "end of nothing";
			s->pair = open[--depth];
			script->statements[s->pair].pair = i;
		}
	}
	return depth ? "repeat without end" : NULL;
}

static const char *parse(struct script *script, unsigned int *line)
{
	char *next = script->text;
	const char *error;

	for (*line = 1; next; (*line)++) {
		char *text = strsep(&next, "\n");

		error = parse_line(script, text, *line);
		if (error)
			return error;
	}
	return pair_up(script, line);
}

static int read_text(struct script *script, const char *path)
{
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return -errno;
	script->text = malloc(TEXT_MAX);
	n = script->text ? fread(script->text, 1, TEXT_MAX, file) : 0;
	fclose(file);
	if (!script->text)
		return -ENOMEM;
	if (n == TEXT_MAX)
		return -EFBIG;
	script->text[n] = '\0';
	return 0;
}

int script_load(struct script *script, const char *dir, const char *name,
		char *error, size_t size)
{
	char path[PATH_MAX];
	unsigned int line;
	const char *what;
	int err;

	*script = (struct script) {};
	if (!dir || strchr(name, '/'))
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/%s.script", dir, name);
	err = read_text(script, path);
	if (err)
		return err;
	what = parse(script, &line);
	if (!what)
		return 0;
	snprintf(error, size, "line %u: %s", line, what);
	return -EINVAL;
}

void script_free(struct script *script)
{
	free(script->text);
}
