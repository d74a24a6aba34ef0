/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of scripts: constants, variables, and sums of them. */
#ifndef VSOCKDEV_HOST_VALUES_H
#define VSOCKDEV_HOST_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#define VALUES_MAX 48
#define VALUE_NAME 24

struct values {
	unsigned int count;
	struct {
		char name[VALUE_NAME];
		uint64_t value;
	} table[VALUES_MAX];
};

/* False if there are too many, or the name is too long. */
bool values_set(struct values *values, const char *name, uint64_t value);

/*
 * A number (with K or M behind it), a constant or a $variable; or several,
 * joined by + - * / %, which is done from left to right. False: makes no sense.
 */
bool values_eval(const struct values *values, const char *text,
		 uint64_t *value);

#endif
