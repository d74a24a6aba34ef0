// SPDX-License-Identifier: GPL-2.0-only
/* The host devices that are known here. */
#include "habits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_MS 1000

static const struct habits all[] = {
	{
		.host = "ours",
		.unread_is_reset = true,
	},
	{
		.host = "vhost-device-vsock",
		.is_silent = true,
		.no_half_close = true,
		.hides_its_close = true,
	},
	{
		.host = "vhost-vsock",
		.ends_late = true,
	},
};

const struct habits *habits(void)
{
	const char *host = getenv("VSOCKDEV_HOST") ?: "none";

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(host, all[i].host))
			return &all[i];
	fail("unknown host device: %s", host);
}

const struct vsockdev_start *habitual_options(void)
{
	static const struct vsockdev_start impatient = {
		.close_timeout_ms = SHORT_MS,
	};

	return habits()->hides_its_close ? &impatient : NULL;
}

void note_habit(const char *text)
{
	printf("# habit: %s\n", text);
	fflush(stdout);
}
