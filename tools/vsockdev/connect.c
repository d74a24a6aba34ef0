// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev connect - connect to a port of the host */
#include <unistd.h>

#include "args.h"
#include "conn.h"
#include "device.h"
#include "relay.h"
#include "tcp.h"

static const struct argp_child children[] = {
	{ .argp = &args_local_port },
	{ .argp = &args_timeout },
	{ .argp = &args_linger },
	{ .argp = &args_stdio },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct conn_args *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		args_share(state, children, args);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_usage(state);
		arg_target(state, arg, args);
		return 0;
	case ARGP_KEY_END:
		args_check_count(state, 1);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.parser = parse,
	.children = children,
	.args_doc = "[CID:]PORT",
	.doc = "Connect to a port of the host, or of CID. Sends stdin, whose "
	       "end half-closes the connection, and prints what comes back.\v"
	       "Without --linger, which is for stdin and stdout only, not for "
	       "--tcp, the host is waited for. Exit status: see vsockdev --help.",
};

static enum status bridge(struct vsockdev *dev, const struct conn_args *args)
{
	struct conn conn;
	enum status status;
	int fd;

	fd = tcp_connect(args->tcp);
	if (fd < 0)
		return STATUS_ERROR;
	status = conn_connect(&conn, dev, args, fd);
	close(fd);
	return status ? status : conn_finish(&conn);
}

enum status connect_main(const char *device, int argc, char **argv)
{
	struct conn_args args = { .linger_ms = LINGER_FOREVER };
	struct vsockdev *dev;
	struct relay relay;
	struct conn conn;
	enum status status;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	dev = device_start(device);
	if (args.tcp)
		return bridge(dev, &args);
	status = conn_connect(&conn, dev, &args, -1);
	if (status != STATUS_OK)
		return status;
	relay_init(&relay, &conn, STDIN_FILENO, STDOUT_FILENO, args.linger_ms);
	return relay_run(&relay);
}
