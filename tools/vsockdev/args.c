// SPDX-License-Identifier: GPL-2.0-only
/* The command line: values, and the options that several commands have. */
#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "relay.h"
#include "tcp.h"

#define HOST_CID 2

/* A number that ends at @end, which is moved there; signs are no numbers. */
static bool parse_number(const char **text, uint64_t max, uint64_t *number)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	value = strtoull(*text, &end, 0);
	if (errno || value > max)
		return false;
	*text = end;
	*number = value;
	return true;
}

static bool parse_u32(const char **text, uint32_t *number)
{
	uint64_t value;

	if (!parse_number(text, UINT32_MAX, &value))
		return false;
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

uint64_t arg_bytes(const struct argp_state *state, const char *text)
{
	const char *end = text;
	uint64_t bytes = 0;

	if (!parse_number(&end, UINT64_MAX, &bytes) || *end)
		argp_error(state, "not a number of bytes: %s", text);
	return bytes;
}

void arg_target(const struct argp_state *state, const char *text,
		struct conn_args *args)
{
	struct vsockdev_addr *addr = &args->addr;
	const char *end = text;

	if (args->listen) {
		addr->local_port = arg_port(state, text);
		return;
	}
	addr->remote_cid = HOST_CID;
	if (!strchr(text, ':')) {
		addr->remote_port = arg_port(state, text);
		return;
	}
	if (!parse_u32(&end, &addr->remote_cid) || *end++ != ':' ||
	    !parse_u32(&end, &addr->remote_port) || *end)
		argp_error(state, "neither CID:PORT nor PORT: %s", text);
}

/* Seconds, with decimals if need be, as milliseconds. */
static uint32_t arg_seconds(const struct argp_state *state, const char *text)
{
	double ms;
	char *end;

	ms = strtod(text, &end) * 1000;
	if (end == text || *end || !(ms >= 0 && ms <= VSOCKDEV_TIMEOUT_MAX_MS))
		argp_error(state, "not a time in seconds: %s", text);
	return ms > 0 && ms < 1 ? 1 : ms;
}

/* Likewise as a timeout of the ABI, where 0 seconds mean no limit. */
static uint32_t arg_timeout(const struct argp_state *state, const char *text)
{
	uint32_t ms = arg_seconds(state, text);

	return ms ? ms : VSOCKDEV_TIMEOUT_NONE;
}

void args_check_count(const struct argp_state *state, int count)
{
	if ((int)state->arg_num < count)
		argp_error(state, "too few arguments");
}

void args_share(struct argp_state *state, const struct argp_child *children,
		void *input)
{
	size_t i;

	for (i = 0; children[i].argp; i++)
		state->child_inputs[i] = input;
}

static void check_stdio(const struct argp_state *state,
			const struct conn_args *args)
{
	if (args->seqpacket && args->tcp)
		argp_error(state, "--seqpacket and --tcp exclude each other");
	if (args->tcp && args->linger_ms != LINGER_FOREVER)
		argp_error(state, "--linger and --tcp exclude each other");
}

/* One for all of the options below. */
static error_t parse_conn(int key, char *arg, struct argp_state *state)
{
	struct conn_args *args = state->input;

	switch (key) {
	case 'p':
		args->addr.local_port = arg_port(state, arg);
		return 0;
	case 't':
		args->timeout_ms = arg_timeout(state, arg);
		return 0;
	case 'q':
		args->linger_ms = arg_seconds(state, arg);
		return 0;
	case 'T':
		args->tcp = arg_tcp(state, arg);
		return 0;
	case 'S':
		args->seqpacket = true;
		return 0;
	case ARGP_KEY_END:
		check_stdio(state, args);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option local_port_options[] = {
	{ "local-port", 'p', "PORT", 0, "Connect from this port", 0 },
	{}
};

const struct argp args_local_port = {
	.options = local_port_options,
	.parser = parse_conn,
};

static const struct argp_option timeout_options[] = {
	{ "timeout", 't', "SECONDS", 0,
	  "How long the host may take to answer (default 2) or, if this side "
	  "listens, to connect (default 0). 0: no limit", 0 },
	{}
};

const struct argp args_timeout = {
	.options = timeout_options,
	.parser = parse_conn,
};

static const struct argp_option linger_options[] = {
	{ "linger", 'q', "SECONDS", 0,
	  "Close the connection this long after all was sent, even if the "
	  "host has not", 0 },
	{}
};

const struct argp args_linger = {
	.options = linger_options,
	.parser = parse_conn,
};

static const struct argp_option stdio_options[] = {
	{ "tcp", 'T', "HOST:PORT", 0,
	  "Instead of stdin and stdout, connect this TCP address; the kernel "
	  "moves the data", 0 },
	{ "seqpacket", 'S', NULL, 0,
	  "A connection of messages: each read of stdin, of at most 64 KiB, "
	  "is one, and each one that comes is written in one piece", 0 },
	{}
};

const struct argp args_stdio = {
	.options = stdio_options,
	.parser = parse_conn,
};

static error_t parse_json(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	return 0;
}

static const struct argp_option json_options[] = {
	{ "json", 'j', NULL, 0, "Print JSON objects, one per line", 0 },
	{}
};

const struct argp args_json = {
	.options = json_options,
	.parser = parse_json,
};
