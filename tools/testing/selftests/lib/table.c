// SPDX-License-Identifier: GPL-2.0-only
/* The table, as it is made of the documentation. */
#include "table.h"

#include <errno.h>
#include <stddef.h>

static const struct {
	unsigned int call;
	int error;
} rows[] = {
#include "errors-rows.h"
};

bool in_table(unsigned int call, int error)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].call == call && rows[i].error == error)
			return true;
	return false;
}
