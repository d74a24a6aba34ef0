// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev send - send a file */
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

enum { KEY_VMO = 256, KEY_OFFSET, KEY_LENGTH };

struct arguments {
	const char *file;
	const char *target;
	struct conn_args conn;
	bool vmo;
	uint64_t offset;
	uint64_t length;	/* 0: to the end */
};

static void check(const struct argp_state *state,
		  const struct arguments *args)
{
	args_check_count(state, 2);
	if (!args->vmo && (args->offset || args->length))
		argp_error(state, "--offset and --length go with --vmo");
}

static const struct argp_child children[] = {
	{ .argp = &args_local_port },
	{ .argp = &args_timeout },
	{ .argp = &args_linger },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		args_share(state, children, &args->conn);
		return 0;
	case 'l':
		args->conn.listen = true;
		return 0;
	case KEY_VMO:
		args->vmo = true;
		return 0;
	case KEY_OFFSET:
		args->offset = arg_bytes(state, arg);
		return 0;
	case KEY_LENGTH:
		args->length = arg_bytes(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_usage(state);
		*(state->arg_num ? &args->target : &args->file) = arg;
		return 0;
	case ARGP_KEY_END:
		check(state, args);
		arg_target(state, args->target, &args->conn);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{ "listen", 'l', NULL, 0,
	  "Wait for the host to connect to PORT of this guest instead", 0 },
	{ "vmo", KEY_VMO, NULL, 0,
	  "Let the device read the file's pages, without a copy", 0 },
	{ "offset", KEY_OFFSET, "BYTES", 0, "With --vmo: begin here (default 0)", 0 },
	{ "length", KEY_LENGTH, "BYTES", 0,
	  "With --vmo: send this much (default 0: to the end of the file)", 0 },
	{}
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = children,
	.args_doc = "FILE [CID:]PORT\n--listen FILE PORT",
	.doc = "Send a file (\"-\": stdin) to a port of the host, or of CID.\v"
	       "Succeeds if all bytes were sent and the host ended the "
	       "connection in an orderly way, for which it has 5 seconds or "
	       "--linger. What the host sends is discarded. Exit status: see "
	       "vsockdev --help.",
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

static int open_null(int flags)
{
	int fd = open("/dev/null", flags | O_CLOEXEC);

	if (fd < 0)
		error(STATUS_ERROR, errno, "/dev/null");
	return fd;
}

/* What comes from @in, and a SEND_VMO; what the host sends is dropped. */
static enum status transfer(struct conn *conn, const struct arguments *args,
			    int in, uint64_t total, struct relay *relay)
{
	struct progress progress;
	enum status status;
	int discard;

	discard = open_null(O_WRONLY);
	relay_init(relay, conn, in, discard, args->conn.linger_ms);
	relay_show(relay, &relay->up, &progress);
	progress_start(&progress, args->file, total);
	status = relay_run(relay);
	close(discard);
	return status;
}

static enum status send_copy(struct conn *conn, const struct arguments *args,
			     int file)
{
	struct relay relay;
	enum status status;

	status = transfer(conn, args, file, size_of(file), &relay);
	if (status == STATUS_OK && !relay.up.ended) {
		error(0, 0, "%s: the host did not take all of it", args->file);
		status = STATUS_RESET;
	}
	return status;
}

/* The range is checked before the host hears of us. */
static void fit_range(struct arguments *args, int file)
{
	off_t size = lseek(file, 0, SEEK_END);

	if (size < 0)
		error(STATUS_ERROR, errno, "%s: --vmo needs a file",
		      args->file);
	if (args->offset > (uint64_t)size ||
	    args->length > size - args->offset)
		error(STATUS_ERROR, 0, "%s has only %lld bytes", args->file,
		      (long long)size);
	if (!args->length)
		args->length = size - args->offset;
}

/* The connection is there, but the call failed. */
static enum status vmo_refused(struct conn *conn, const struct arguments *args)
{
	enum status status;

	switch (errno) {
	case EOPNOTSUPP:
		error(STATUS_ERROR, 0, "%s: the driver cannot send this kind "
		      "of file without a copy; send it without --vmo",
		      args->file);
		break;
	case ECONNRESET:
	case ENOTCONN:
	case EPIPE:
	case ESTALE:
		status = conn_finish(conn);
		error(0, 0, "%s: the host took nothing of it", args->file);
		return status ? status : STATUS_RESET;
	}
	error(STATUS_ERROR, errno, "%s", args->file);
	return STATUS_ERROR;
}

/* An empty file is no call, but a connection. */
static enum status send_vmo(struct conn *conn, const struct arguments *args,
			    int file)
{
	const struct vsockdev_event *complete = &conn->vmo;
	struct relay relay;
	enum status status;

	if (args->length &&
	    conn_send_vmo(conn, file, args->offset, args->length))
		return vmo_refused(conn, args);
	status = transfer(conn, args, open_null(O_RDONLY), args->length,
			  &relay);
	if (complete->vmo.bytes == args->length && !complete->vmo.status)
		return status;
	error(0, complete->vmo.status, "%s: %llu of %llu bytes were sent",
	      args->file, complete->vmo.bytes,
	      (unsigned long long)args->length);
	return status ? status : STATUS_RESET;
}

enum status send_main(const char *device, int argc, char **argv)
{
	struct arguments args = { .conn.linger_ms = LINGER_MS };
	struct vsockdev *dev;
	enum status status;
	struct conn conn;
	int file;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	file = open_file(args.file);
	if (args.vmo)
		fit_range(&args, file);
	dev = device_start(device);
	status = conn_open(&conn, dev, &args.conn);
	if (status != STATUS_OK)
		return status;
	if (args.vmo)
		return send_vmo(&conn, &args, file);
	return send_copy(&conn, &args, file);
}
