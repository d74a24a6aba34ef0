// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's functions, and in how many samples each was. */
#include "symbols.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "side.h"

#define SHOWN 45
#define HOST_KERNEL 0xffff800000000000ULL

struct symbol {
	uint64_t address;
	char *name;
	unsigned int self;
	unsigned int all;
	unsigned int seen; /* number of the last sample that it was in */
};

static struct symbol *symbols;
static size_t symbol_count, symbol_room;
static unsigned int samples, program_samples;

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static void add_symbol(uint64_t address, const char *name, const char *module)
{
	struct symbol *symbol;

	if (symbol_count == symbol_room) {
		symbol_room = symbol_room ? 2 * symbol_room : 1 << 16;
		symbols = realloc(symbols, symbol_room * sizeof(*symbols));
		if (!symbols)
			die("no memory for symbols");
	}
	symbol = &symbols[symbol_count++];
	*symbol = (struct symbol){ .address = address };
	if (asprintf(&symbol->name, "%s%s", name, module) < 0)
		die("no memory for symbols");
}

void symbols_load(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], name[256], module[64], type;
	unsigned long long address;

	if (!file)
		die("no /proc/kallsyms");
	samples = 0;
	program_samples = 0;
	add_symbol(0, "(no symbol)", "");
	/* For a kernel that is a program there is one below. */
	add_symbol(HOST_KERNEL, "(the host's kernel)", "");
	while (fgets(line, sizeof(line), file)) {
		*module = '\0';
		if (sscanf(line, "%llx %c %255s %63s", &address, &type, name,
			   module) >= 3 &&
		    strchr("tTwW", type))
			add_symbol(address, name, module);
	}
	fclose(file);
	qsort(symbols, symbol_count, sizeof(*symbols), by_address);
}

static struct symbol *find(uint64_t address)
{
	size_t low = 0, high = symbol_count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (symbols[middle].address <= address)
			low = middle;
		else
			high = middle;
	}
	return &symbols[low];
}

/* A function counts once, however often it is there. */
void symbols_count(const uint64_t *chain, uint64_t depth)
{
	bool innermost = true;

	samples++;
	for (uint64_t i = 0; i < depth; i++) {
		struct symbol *symbol;

		if (chain[i] >= PERF_CONTEXT_MAX)
			continue;
		/* Callers are told by where they go on. */
		symbol = find(innermost ? chain[i] : chain[i] - 1);
		symbol->self += innermost;
		symbol->all += symbol->seen != samples;
		symbol->seen = samples;
		innermost = false;
	}
	program_samples += innermost;
}

static int by_self(const void *a, const void *b)
{
	return ((const struct symbol *)b)->self -
	       ((const struct symbol *)a)->self;
}

static int by_all(const void *a, const void *b)
{
	return ((const struct symbol *)b)->all -
	       ((const struct symbol *)a)->all;
}

static void print_top(const char *title,
		      int (*order)(const void *a, const void *b))
{
	qsort(symbols, symbol_count, sizeof(*symbols), order);
	printf("\n  alone  in all  %s\n", title);
	for (size_t i = 0; i < SHOWN && i < symbol_count; i++)
		if (symbols[i].all)
			printf("%6.1f%% %6.1f%%  %s\n",
			       100.0 * symbols[i].self / samples,
			       100.0 * symbols[i].all / samples,
			       symbols[i].name);
}

void symbols_print(bool callers)
{
	if (!samples)
		return;
	printf("%u samples, %.1f%% in programs\n", samples,
	       100.0 * program_samples / samples);
	print_top("functions by time in themselves", by_self);
	if (callers)
		print_top("functions by time with what they call", by_all);
}

void symbols_free(void)
{
	for (size_t i = 0; i < symbol_count; i++)
		free(symbols[i].name);
	symbol_count = 0;
}
