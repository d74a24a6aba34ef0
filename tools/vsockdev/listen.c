// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev listen - accept connections to a port */
#include <error.h>
#include <unistd.h>

#include "args.h"
#include "command.h"
#include "conn.h"
#include "device.h"
#include "relay.h"
#include "service.h"
#include "spawn.h"
#include "tcp.h"

struct arguments {
	struct conn_args conn;
	bool keep;
	char **exec;
};

static void check(const struct argp_state *state,
		  const struct arguments *args)
{
	args_check_count(state, 1);
	if (args->exec && args->conn.tcp)
		argp_error(state, "--exec and --tcp exclude each other");
	if (args->exec && args->conn.linger_ms != LINGER_FOREVER)
		argp_error(state, "--exec and --linger exclude each other");
	if (args->keep && args->conn.timeout_ms)
		argp_error(state, "--keep and --timeout exclude each other");
}

static const struct argp_child children[] = {
	{ .argp = &args_timeout },
	{ .argp = &args_linger },
	{ .argp = &args_stdio },
	{}
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		args_share(state, children, &args->conn);
		return 0;
	case 'e':
		args->exec = state->argv + state->next;
		state->next = state->argc;	/* the command's own options */
		if (!*args->exec)
			argp_error(state, "--exec needs a command");
		return 0;
	case 'k':
		args->keep = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_usage(state);
		arg_target(state, arg, &args->conn);
		return 0;
	case ARGP_KEY_END:
		check(state, args);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option options[] = {
	{ "keep", 'k', NULL, 0,
	  "Go on with the next connection; with --exec and --tcp several at a "
	  "time. SIGINT or SIGTERM ends this, with status 0", 0 },
	{ "exec", 'e', NULL, 0,
	  "Serve each connection by a command, whose stdin and stdout are the "
	  "connection. All arguments after this are the command", 0 },
	{}
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = children,
	.args_doc = "PORT [--exec COMMAND [ARGUMENT...]]",
	.doc = "Accept a connection of the host to PORT. Sends stdin, whose "
	       "end half-closes the connection, and prints what comes. "
	       "Connections to other ports, and to this one while it is busy, "
	       "are refused.\v"
	       "Without --linger, which is for stdin and stdout only, not for "
	       "--tcp and --exec, the host is waited for. The command finds "
	       "VSOCKDEV_LOCAL_PORT, VSOCKDEV_REMOTE_CID and "
	       "VSOCKDEV_REMOTE_PORT in its environment. Exit status: see "
	       "vsockdev --help; 1 if the command fails.",
};

/* Where connections go; a command serves one of them as @pid. */
static enum accept accept_tcp(struct conn *conn, struct vsockdev *dev,
			      const struct arguments *args,
			      const struct vsockdev_event *request)
{
	enum accept result;
	int fd;

	fd = tcp_connect(args->conn.tcp);
	if (fd < 0) {
		device_decline(dev, request);
		return FAILED;
	}
	result = conn_accept(conn, dev, request, fd);
	close(fd);
	return result;
}

static enum accept accept_exec(struct conn *conn, struct vsockdev *dev,
			       const struct arguments *args,
			       const struct vsockdev_event *request,
			       pid_t *pid)
{
	enum accept result;

	result = conn_accept(conn, dev, request, -1);
	if (result != ACCEPTED)
		return result;
	*pid = spawn(args->exec, conn->fd, &conn->addr);
	if (*pid < 0) {
		device_decline(dev, request);
		result = FAILED;
	}
	close(conn->fd);
	conn->fd = -1;
	return result;
}

static enum accept hand_over(struct conn *conn, struct vsockdev *dev,
			     const struct arguments *args,
			     const struct vsockdev_event *request, pid_t *pid)
{
	if (args->conn.tcp)
		return accept_tcp(conn, dev, args, request);
	return accept_exec(conn, dev, args, request, pid);
}

static void serve_event(struct vsockdev *dev, const struct arguments *args,
			const struct vsockdev_event *event)
{
	struct conn conn;
	pid_t pid;

	if (conn_is_request(event, &args->conn)) {
		hand_over(&conn, dev, args, event, &pid);
		return;
	}
	if (event->type == VSOCKDEV_EVENT_RST)
		conn_report(&event->addr, event);
	if (event->type == VSOCKDEV_EVENT_TRANSPORT_RESET)
		error(0, 0, "all connections are lost in a transport reset");
	device_decline(dev, event);
}

/* Every connection as it comes, many at a time. */
static void serve(struct vsockdev *dev, const struct arguments *args)
{
	struct vsockdev_event event;

	spawn_forget_children();
	note("listening on port %u", args->conn.addr.local_port);
	for (;;) {
		device_next(dev, &event, -1);
		serve_event(dev, args, &event);
	}
}

static enum status listen_once(struct vsockdev *dev,
			       const struct arguments *args)
{
	struct vsockdev_event request;
	enum status status;
	enum accept result;
	struct conn conn;
	pid_t pid = -1;

	do {
		if (!conn_await(dev, &args->conn, &request))
			return STATUS_TIMEOUT;
		result = hand_over(&conn, dev, args, &request, &pid);
	} while (result == WITHDRAWN);
	if (result != ACCEPTED)
		return STATUS_ERROR;
	status = conn_finish(&conn);
	if (pid > 0 && !spawn_wait(pid) && status == STATUS_OK)
		status = STATUS_ERROR;
	return status;
}

static enum status listen_stdio(struct vsockdev *dev,
				const struct arguments *args)
{
	enum status status;
	struct relay relay;
	struct conn conn;

	status = conn_open(&conn, dev, &args->conn);
	if (status != STATUS_OK)
		return status;
	relay_init(&relay, &conn, STDIN_FILENO, STDOUT_FILENO,
		   args->conn.linger_ms);
	return relay_run(&relay);
}

enum status listen_main(const char *device, int argc, char **argv)
{
	struct arguments args = {
		.conn = { .listen = true, .linger_ms = LINGER_FOREVER },
	};
	struct vsockdev *dev;
	enum status status;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &args);
	dev = device_start(device);
	if (args.keep)
		service_ends_by_signal();
	if (args.keep && (args.exec || args.conn.tcp))
		serve(dev, &args);
	if (args.exec || args.conn.tcp)
		return listen_once(dev, &args);
	do {
		status = listen_stdio(dev, &args);
	} while (args.keep);
	return status;
}
