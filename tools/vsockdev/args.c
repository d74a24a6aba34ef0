// SPDX-License-Identifier: GPL-2.0-only
/* Values on the command line. */
#include "args.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <vsockdev.h>

#define HOST_CID 2

/* A number that ends at @end, which is moved there; signs are no numbers. */
static bool parse_u32(const char **text, uint32_t *number)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	value = strtoull(*text, &end, 0);
	if (errno || value > UINT32_MAX)
		return false;
	*text = end;
	*number = value;
	return true;
}

uint32_t arg_port(const struct argp_state *state, const char *text)
{
	const char *end = text;
	uint32_t port = 0;

	if (!parse_u32(&end, &port) || *end)
		argp_error(state, "not a port: %s", text);
	return port;
}

void arg_target(const struct argp_state *state, const char *text,
		struct vsockdev_addr *addr)
{
	const char *end = text;

	addr->remote_cid = HOST_CID;
	if (!strchr(text, ':')) {
		addr->remote_port = arg_port(state, text);
		return;
	}
	if (!parse_u32(&end, &addr->remote_cid) || *end++ != ':' ||
	    !parse_u32(&end, &addr->remote_port) || *end)
		argp_error(state, "neither CID:PORT nor PORT: %s", text);
}

uint32_t arg_seconds(const struct argp_state *state, const char *text)
{
	double ms;
	char *end;

	ms = strtod(text, &end) * 1000;
	if (end == text || *end || !(ms >= 0 && ms <= VSOCKDEV_TIMEOUT_MAX_MS))
		argp_error(state, "not a time in seconds: %s", text);
	return ms > 0 && ms < 1 ? 1 : ms;
}

uint32_t arg_timeout(const struct argp_state *state, const char *text)
{
	uint32_t ms = arg_seconds(state, text);

	return ms ? ms : VSOCKDEV_TIMEOUT_NONE;
}

void args_check_count(const struct argp_state *state, int count)
{
	if ((int)state->arg_num < count)
		argp_error(state, "too few arguments");
}
