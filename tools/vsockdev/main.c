// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev - use a vsockdev device from the command line: global options. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vsockdev.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "command.h"

#define TEXT_OF(number) #number
#define VALUE_AS_TEXT(macro) TEXT_OF(macro)
#define ABI_VERSION VALUE_AS_TEXT(VSOCKDEV_ABI_VERSION)

static const struct command {
	const char *name;
	const char *summary;
	enum status (*main)(const char *device, int argc, char **argv);
	bool opens_node;
} commands[] = {
	{ "cid", "print the context id of this guest", cid_main, true },
	{ "info", "print the limits and counters of the device", info_main,
	  true },
	{ "monitor", "print what the host does", monitor_main, true },
	{ "connect", "connect to a port of the host", connect_main, true },
	{ "listen", "accept connections to a port", listen_main, true },
	{ "send", "send a file", send_main, true },
	{ "recv", "receive a file", recv_main, true },
	{ "devices", "list the socket devices", devices_main, false },
	{ "bind", "take a device over from AF_VSOCK", bind_main, false },
	{ "unbind", "give it back", unbind_main, false },
};

struct arguments {
	const char *device;
	const struct command *command;
	int first;		/* argv index of the command's name */
};

bool verbose;

void note(const char *format, ...)
{
	va_list args;

	if (!verbose)
		return;
	fprintf(stderr, "%s: ", program_invocation_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case 'd':
		args->device = arg;
		return 0;
	case 'v':
		verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		args->command = find_command(arg);
		if (!args->command)
			argp_error(state, "no such command: %s", arg);
		args->first = state->next - 1;
		state->next = state->argc;	/* the rest is the command's */
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
	}
	return ARGP_ERR_UNKNOWN;
}

/* The end of --help: the table of the commands. */
static char *filter_help(int key, const char *text, void *input)
{
	char *help;
	size_t size, i;
	FILE *out;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	out = open_memstream(&help, &size);
	if (!out)
		return NULL;
	fputs("Commands:\n", out);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name,
			commands[i].summary);
	fputs(text, out);
	fclose(out);
	return help;
}

static const struct argp_option options[] = {
	{ "device", 'd', "PATH", 0,
	  "Device node (default: VSOCKDEV_DEVICE in the environment, else "
	  "/dev/vsockdev0)", 0 },
	{ "verbose", 'v', NULL, 0, "Tell on stderr what goes on", 0 },
	{}
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "COMMAND [ARGUMENT...]",
	.doc = "Use virtio-vsock through a vsockdev device.\v"
	       "\nvsockdev COMMAND --help tells more about a command.\n\n"
	       "Exit status: 0 if all went well, 1 on errors, 2 if the host "
	       "refused the connection, 3 if a connection was reset or lost "
	       "data, 4 if time ran out, 64 if the command line is wrong.",
	.help_filter = filter_help,
};

/* So that no file which is opened later is taken for stdin or stdout. */
static void fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

static const char *device_of(const struct arguments *args)
{
	const char *device = args->device;

	if (device || !args->command->opens_node)
		return device;
	device = getenv("VSOCKDEV_DEVICE");
	return device && *device ? device : "/dev/vsockdev0";
}

int main(int argc, char **argv)
{
	struct arguments args = {};
	char name[64];

	fill_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	program_invocation_name = program_invocation_short_name;
	argp_program_version = "vsockdev, of ABI version " ABI_VERSION;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &args);
	argv += args.first;
	snprintf(name, sizeof(name), "vsockdev %s", args.command->name);
	argv[0] = name;
	return args.command->main(device_of(&args), argc - args.first, argv);
}
