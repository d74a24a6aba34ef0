// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev recv - receive a file */
#include <argp.h>
#include <string.h>

#include "args.h"
#include "command.h"
#include "conn.h"
#include "device.h"
#include "output.h"
#include "progress.h"
#include "relay.h"

struct arguments {
	const char *target;
	const char *file;
	struct vsockdev_addr addr;
	uint32_t timeout_ms;
	bool connect;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case 'c':
		args->connect = true;
		return 0;
	case 'p':
		args->addr.local_port = arg_port(state, arg);
		return 0;
	case 't':
		args->timeout_ms = arg_timeout(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_usage(state);
		*(state->arg_num ? &args->file : &args->target) = arg;
		return 0;
	case ARGP_KEY_END:
		args_check_count(state, 2);
		if (args->connect)
			arg_target(state, args->target, &args->addr);
		else
			args->addr.local_port = arg_port(state, args->target);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{ "connect", 'c', NULL, 0,
	  "Connect to [CID:]PORT of the host instead of waiting for it", 0 },
	{ "local-port", 'p', "PORT", 0, "With --connect: from this port", 0 },
	{ "timeout", 't', "SECONDS", 0,
	  "How long the host may take to connect (default 0: no limit) or to "
	  "answer (default 2)", 0 },
	{}
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "PORT FILE\n--connect [CID:]PORT FILE",
	.doc = "Receive a file (\"-\": to stdout) that the host sends to PORT "
	       "of this guest.\v"
	       "The bytes go to FILE.part, which becomes FILE once all have "
	       "come and the connection ended in an orderly way; else what "
	       "came stays in FILE.part. Exit status: see vsockdev --help.",
};

static enum status transfer(struct conn *conn, const char *name, int fd)
{
	struct progress progress;
	struct relay relay;

	relay_init(&relay, conn, -1, fd, LINGER_FOREVER);
	relay_show(&relay, &relay.down, &progress);
	progress_start(&progress, name, 0);
	return relay_run(&relay);
}

enum status recv_main(const char *device, int argc, char **argv)
{
	struct arguments args = {};
	struct output output;
	struct vsockdev *dev;
	enum status status;
	struct conn conn;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	dev = device_start(device);
	output_open(&output, args.file);
	if (args.connect)
		status = conn_connect(&conn, dev, &args.addr, args.timeout_ms,
				      -1);
	else
		status = conn_listen(&conn, dev, args.addr.local_port,
				     args.timeout_ms);
	if (status == STATUS_OK)
		status = transfer(&conn, args.file, output.fd);
	if (status == STATUS_OK)
		output_complete(&output);
	else
		output_give_up(&output);
	return status;
}
