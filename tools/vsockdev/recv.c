// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev recv - receive a file */
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
	struct conn_args conn;
};

static const struct argp_child children[] = {
	{ .argp = &args_local_port },
	{ .argp = &args_timeout },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		args_share(state, children, &args->conn);
		return 0;
	case 'c':
		args->conn.listen = false;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_usage(state);
		*(state->arg_num ? &args->file : &args->target) = arg;
		return 0;
	case ARGP_KEY_END:
		args_check_count(state, 2);
		arg_target(state, args->target, &args->conn);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{ "connect", 'c', NULL, 0,
	  "Connect to [CID:]PORT of the host instead of waiting for it", 0 },
	{}
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = children,
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
	struct arguments args = { .conn.listen = true };
	struct output output;
	struct vsockdev *dev;
	enum status status;
	struct conn conn;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	dev = device_start(device);
	output_open(&output, args.file);
	status = conn_open(&conn, dev, &args.conn);
	if (status == STATUS_OK)
		status = transfer(&conn, args.file, output.fd);
	if (status == STATUS_OK)
		output_complete(&output);
	else
		output_give_up(&output);
	return status;
}
