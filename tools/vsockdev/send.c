// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev send - send a file */
#include <argp.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "args.h"
#include "command.h"
#include "conn.h"
#include "device.h"
#include "progress.h"
#include "relay.h"

/* Some host devices know no half-close: those need a real one. */
#define LINGER_MS 5000

struct arguments {
	const char *file;
	const char *target;
	struct vsockdev_addr addr;
	uint32_t timeout_ms;
	uint32_t linger_ms;
	bool listen;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case 'l':
		args->listen = true;
		return 0;
	case 'p':
		args->addr.local_port = arg_port(state, arg);
		return 0;
	case 't':
		args->timeout_ms = arg_timeout(state, arg);
		return 0;
	case 'q':
		args->linger_ms = arg_seconds(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_usage(state);
		*(state->arg_num ? &args->target : &args->file) = arg;
		return 0;
	case ARGP_KEY_END:
		args_check_count(state, 2);
		if (args->listen)
			args->addr.local_port = arg_port(state, args->target);
		else
			arg_target(state, args->target, &args->addr);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{ "listen", 'l', NULL, 0,
	  "Wait for the host to connect to PORT of this guest instead", 0 },
	{ "local-port", 'p', "PORT", 0, "Connect from this port", 0 },
	{ "timeout", 't', "SECONDS", 0,
	  "How long the host may take to answer (default 2) or to connect "
	  "(default 0: no limit)", 0 },
	{ "linger", 'q', "SECONDS", 0,
	  "How long the host may take to close the connection once it has "
	  "everything, before this side does (default 5)", 0 },
	{}
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "FILE [CID:]PORT\nFILE --listen PORT",
	.doc = "Send a file (\"-\": stdin) to a port of the host, or of CID.\v"
	       "Succeeds if all bytes were sent and the host ended the "
	       "connection in an orderly way. What the host sends is "
	       "discarded. Exit status: see vsockdev --help.",
};

static int open_file(const char *name)
{
	int fd;

	if (!strcmp(name, "-"))
		return STDIN_FILENO;
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		error(STATUS_ERROR, errno, "%s", name);
	return fd;
}

static uint64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) || !S_ISREG(st.st_mode) ? 0 : st.st_size;
}

static enum status transfer(struct conn *conn, const struct arguments *args,
			    int file)
{
	struct progress progress;
	struct relay relay;
	enum status status;
	int discard;

	discard = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (discard < 0)
		error(STATUS_ERROR, errno, "/dev/null");
	relay_init(&relay, conn, file, discard, args->linger_ms);
	relay_show(&relay, &relay.up, &progress);
	progress_start(&progress, args->file, size_of(file));
	status = relay_run(&relay);
	close(discard);
	if (status == STATUS_OK && !relay.up.ended) {
		error(0, 0, "%s: the host did not take all of it", args->file);
		status = STATUS_RESET;
	}
	return status;
}

enum status send_main(const char *device, int argc, char **argv)
{
	struct arguments args = { .linger_ms = LINGER_MS };
	struct vsockdev *dev;
	enum status status;
	struct conn conn;
	int file;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	file = open_file(args.file);
	dev = device_start(device);
	if (args.listen)
		status = conn_listen(&conn, dev, args.addr.local_port,
				     args.timeout_ms);
	else
		status = conn_connect(&conn, dev, &args.addr, args.timeout_ms,
				      -1);
	return status ? status : transfer(&conn, &args, file);
}
