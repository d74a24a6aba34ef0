// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev connect - connect to a port of the host */
#include <argp.h>
#include <unistd.h>

#include "args.h"
#include "command.h"
#include "conn.h"
#include "device.h"
#include "relay.h"
#include "tcp.h"

struct arguments {
	struct vsockdev_addr to;
	uint32_t timeout_ms;
	uint32_t linger_ms;
	struct addrinfo *tcp;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case 'p':
		args->to.local_port = arg_port(state, arg);
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
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_usage(state);
		arg_target(state, arg, &args->to);
		return 0;
	case ARGP_KEY_END:
		args_check_count(state, 1);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{ "local-port", 'p', "PORT", 0, "Connect from this port", 0 },
	{ "timeout", 't', "SECONDS", 0,
	  "How long the host may take to answer (default 2, 0: no limit)", 0 },
	{ "linger", 'q', "SECONDS", 0,
	  "Close the connection this long after the end of the input, even if "
	  "the host has not (default: wait for the host)", 0 },
	{ "tcp", 'T', "HOST:PORT", 0,
	  "Instead of stdin and stdout, connect this TCP address; the kernel "
	  "moves the data", 0 },
	{}
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[CID:]PORT",
	.doc = "Connect to a port of the host, or of CID. Sends stdin, whose "
	       "end half-closes the connection, and prints what comes back.\v"
	       "Exit status: see vsockdev --help.",
};

static enum status bridge(struct vsockdev *dev, const struct arguments *args)
{
	struct conn conn;
	enum status status;
	int fd;

	fd = tcp_connect(args->tcp);
	if (fd < 0)
		return STATUS_ERROR;
	status = conn_connect(&conn, dev, &args->to, args->timeout_ms, fd);
	close(fd);
	return status ? status : conn_finish(&conn);
}

enum status connect_main(const char *device, int argc, char **argv)
{
	struct arguments args = { .linger_ms = LINGER_FOREVER };
	struct vsockdev *dev;
	struct relay relay;
	struct conn conn;
	enum status status;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	dev = device_start(device);
	if (args.tcp)
		return bridge(dev, &args);
	status = conn_connect(&conn, dev, &args.to, args.timeout_ms, -1);
	if (status != STATUS_OK)
		return status;
	relay_init(&relay, &conn, STDIN_FILENO, STDOUT_FILENO, args.linger_ms);
	return relay_run(&relay);
}
