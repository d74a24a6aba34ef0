// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives a fuzz target every input of the file CORPUS, once, and prints TAP; or,
 * with a folder named, writes them there, one file each, for the fuzzer.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>

#include "fuzz.h"

#define INPUT_MAX 65536

struct named {
	char *name;
	size_t len;
	uint8_t bytes[INPUT_MAX];
};

static int digit(char c)
{
	return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

/* "name bytes...", in hexadecimal; false if it is not that. */
static int parse(char *line, struct named *input)
{
	char *text;

	input->name = strtok_r(line, "\n ", &text);
	input->len = 0;
	for (; *text && *text != '\n'; text++) {
		if (*text == ' ')
			continue;
		if (!isxdigit(text[0]) || !isxdigit(text[1]) ||
		    input->len == INPUT_MAX)
			return 0;
		input->bytes[input->len++] = digit(text[0]) << 4 |
					     digit(text[1]);
		text++;
	}
	return 1;
}

/* From memory that ends where the input does */
static int try_out(const struct named *input)
{
	uint8_t *bytes = malloc(input->len);

	if (!bytes)
		return 0;
	memcpy(bytes, input->bytes, input->len);
	/* An input that ends the program is the last one named. */
	fprintf(stderr, "# %s\n", input->name);
	LLVMFuzzerTestOneInput(bytes, input->len);
	free(bytes);
	return 1;
}

static int write_out(const struct named *input, const char *folder)
{
	char path[PATH_MAX];
	FILE *file;
	int done;

	snprintf(path, sizeof(path), "%s/%s", folder, input->name);
	file = fopen(path, "we");
	if (!file)
		return 0;
	done = fwrite(input->bytes, 1, input->len, file) == input->len;
	return !fclose(file) && done;
}

int main(int argc, char **argv)
{
	static struct named input;
	FILE *file = fopen(CORPUS, "re");
	int count = 0, failed = 0, done;
	char *line = NULL;
	size_t size = 0;

	if (!file) {
		printf("Bail out! %s: %s\n", CORPUS, strerror(errno));
		return 1;
	}
	printf("TAP version 13\n");
	while (getline(&line, &size, file) > 0) {
		if (*line == '#' || *line == '\n')
			continue;
		done = parse(line, &input) &&
		       (argc > 1 ? write_out(&input, argv[1]) :
				   try_out(&input));
		failed += !done;
		printf("%sok %d - %s\n", done ? "" : "not ", ++count,
		       input.name);
		fflush(stdout);
	}
	printf("1..%d\n", count);
	free(line);
	fclose(file);
	return failed || !count;
}
