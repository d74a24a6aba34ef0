// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev-peer - the host side of the guest tests
 *
 * Works beside any host device that offers its guest's connections on unix
 * sockets. A guest connects to the script port and says what shall happen.
 */
#include <argp.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "session.h"

#define DEFAULT_PORT 1024

static struct setup setup;
static uint32_t port = DEFAULT_PORT;

enum { KEY_COMMANDS = 256 };

static const struct argp_option argp_options[] = {
	{ "uds", 'u', "BASE", 0, "unix socket of the host device", 0 },
	{ "vsock", 's', "CID", 0, "instead: AF_VSOCK, and this guest", 0 },
	{ "port", 'p', "PORT", 0, "script port (1024)", 0 },
	{ "control", 'c', "PATH", 0,
	  "control socket of a host device, 0 for the first one given", 0 },
	{ "monitor", 'm', "PATH", 0, "unix socket of QEMU's monitor", 0 },
	{ "verbose", 'v', NULL, 0, "tell each step on stderr", 0 },
	{ "commands", KEY_COMMANDS, NULL, 0, "list the steps and end", 0 },
	{},
};

static void add_control(struct argp_state *state, const char *path)
{
	for (int i = 0; i < SETUP_CONTROLS; i++) {
		if (!setup.controls[i]) {
			setup.controls[i] = path;
			return;
		}
	}
	argp_error(state, "too many control sockets");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'u':
		setup.place.base = arg;
		return 0;
	case 's':
		setup.place.cid = strtoul(arg, NULL, 0);
		return 0;
	case 'p':
		port = strtoul(arg, NULL, 0);
		return 0;
	case 'c':
		add_control(state, arg);
		return 0;
	case 'm':
		setup.monitor = arg;
		return 0;
	case 'v':
		setup.verbose = true;
		return 0;
	case KEY_COMMANDS:
		session_help();
		exit(0);
	case ARGP_KEY_END:
		if (!setup.place.base == !setup.place.cid)
			argp_error(state, "either --uds or --vsock");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse,
	.doc = "The host side of the vsockdev tests: a script port where guests"
	       " say what the host shall do. Runs until SIGTERM.",
};

static void *serve(void *arg)
{
	session_run(&setup, (int)(intptr_t)arg);
	return NULL;
}

static void start_session(int fd)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
		close(fd);
	else
		pthread_detach(thread);
}

static void end(int sig)
{
	(void)sig;
	_exit(0);
}

int main(int argc, char **argv)
{
	int listener;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	signal(SIGTERM, end);
	signal(SIGINT, end);
	listener = place_listen(&setup.place, port, SOCK_STREAM);
	if (listener < 0) {
		fprintf(stderr, "peer: port %u: %s\n", port, strerror(errno));
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			start_session(fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			return 1;
	}
}
