// SPDX-License-Identifier: GPL-2.0-only
/* The command line. */
#include "options.h"

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

#define BUF_ALLOC_MAX (64u << 20)

bool verbose;

enum {
	OPT_SOCKET = 's',
	OPT_UDS = 'u',
	OPT_CID = 'c',
	OPT_PORT = 'p',
	OPT_VERBOSE = 'v',
	OPT_KEEP = 'k',
	OPT_BUF_ALLOC = 0x100,
	OPT_CONNECT_TIMEOUT,
	OPT_CONTROL,
	OPT_SCRIPTS,
	OPT_NO_INDIRECT,
	OPT_NO_SEQPACKET,
};

static const struct argp_option option_table[] = {
	{ "socket", OPT_SOCKET, "PATH", 0,
	  "Listen here for the vhost-user client (QEMU, UML)", 0 },
	{ "uds", OPT_UDS, "PATH", 0,
	  "Unix socket for host programs (CONNECT PORT); connections of the "
	  "guest to host port N go to PATH_N",
	  0 },
	{ "control", OPT_CONTROL, "PATH", 0,
	  "Unix socket for commands, one a line: cid N (a new CID for the "
	  "guest), reset [CID] (the transport is reset), script NAME, hostile "
	  "SEED COUNT, hostile, go, stop, stats, help. Both resets end every "
	  "connection",
	  0 },
	{ "scripts", OPT_SCRIPTS, "DIR", 0,
	  "Where script NAME finds NAME.script: what a device that means ill "
	  "does, beside honest connections",
	  0 },
	{ "cid", OPT_CID, "N", 0, "CID of the guest (3)", 0 },
	{ "port", OPT_PORT, "N=KIND", 0,
	  "Built-in service on host port N: echo, sink, source, silent (never "
	  "answers), hold (accepts, never reads) or none. Without it: "
	  "7=echo, 9=sink, 19=source",
	  0 },
	{ "buf-alloc", OPT_BUF_ALLOC, "BYTES", 0,
	  "Receive window of every connection (262144)", 0 },
	{ "connect-timeout", OPT_CONNECT_TIMEOUT, "MS", 0,
	  "How long to wait for the guest's answer to a REQUEST (2000)", 0 },
	{ "no-indirect", OPT_NO_INDIRECT, NULL, 0,
	  "Do not offer indirect descriptors", 0 },
	{ "no-seqpacket", OPT_NO_SEQPACKET, NULL, 0,
	  "Do not offer SEQPACKET connections. Those have unix sockets of type "
	  "SOCK_SEQPACKET, the same as above with _seqpacket at the end of "
	  "their names: UDS_seqpacket and UDS_N_seqpacket",
	  0 },
	{ "keep", OPT_KEEP, NULL, 0,
	  "Wait for the next client when one has gone", 0 },
	{ "verbose", OPT_VERBOSE, NULL, 0, "Tell what happens", 0 },
	{ 0 },
};

static uint64_t number(struct argp_state *state, const char *text, uint64_t low,
		       uint64_t high, int stop)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno || end == text || *text == '-' || *end != stop || v < low ||
	    v > high)
		argp_error(state, "'%s' is not a number from %llu to %llu",
			   text, (unsigned long long)low,
			   (unsigned long long)high);
	return v;
}

static void set_service(struct options *opts, uint32_t port, enum service kind)
{
	unsigned int i;

	for (i = 0; i < opts->service_count; i++)
		if (opts->services[i].port == port)
			break;
	opts->services[i].port = port;
	opts->services[i].kind = kind;
	if (i == opts->service_count)
		opts->service_count++;
}

static void parse_port(struct argp_state *state, struct options *opts,
		       const char *arg)
{
	const char *name = strchr(arg, '=');
	enum service kind;

	if (!name || !service_parse(name + 1, &kind))
		argp_error(state, "'%s' is not PORT=SERVICE", arg);
	if (opts->service_count == OPTIONS_SERVICES)
		argp_error(state, "too many services");
	set_service(opts, number(state, arg, 0, UINT32_MAX, '='), kind);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *opts = state->input;

	switch (key) {
	case OPT_SOCKET:
		opts->socket = arg;
		break;
	case OPT_UDS:
		opts->uds = arg;
		break;
	case OPT_CONTROL:
		opts->control = arg;
		break;
	case OPT_SCRIPTS:
		opts->scripts = arg;
		break;
	case OPT_CID:
		opts->cid = number(state, arg, OPTIONS_CID_MIN,
				   OPTIONS_CID_MAX, 0);
		break;
	case OPT_PORT:
		parse_port(state, opts, arg);
		break;
	case OPT_BUF_ALLOC:
		opts->buf_alloc = number(state, arg, 1, BUF_ALLOC_MAX, 0);
		break;
	case OPT_CONNECT_TIMEOUT:
		opts->connect_timeout_ms = number(state, arg, 1, INT_MAX, 0);
		break;
	case OPT_NO_INDIRECT:
		opts->indirect = false;
		break;
	case OPT_NO_SEQPACKET:
		opts->seqpacket = false;
		break;
	case OPT_KEEP:
		opts->keep = true;
		break;
	case OPT_VERBOSE:
		verbose = true;
		break;
	case ARGP_KEY_END:
		if (!opts->socket || !opts->uds)
			argp_error(state, "--socket and --uds are needed");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void options_parse(struct options *opts, int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_table,
		.parser = parse,
		.doc = "The host side of a virtio socket device, for a "
		       "vhost-user client.",
	};

	*opts = (struct options){
		.cid = OPTIONS_CID_MIN,
		.buf_alloc = 256 * 1024,
		.connect_timeout_ms = 2000, /* as Linux has it */
		.indirect = true,
		.seqpacket = true,
	};
	set_service(opts, 7, SERVICE_ECHO);
	set_service(opts, 9, SERVICE_SINK);
	set_service(opts, 19, SERVICE_SOURCE);
	argp_parse(&argp, argc, argv, 0, NULL, opts);
}

enum service options_service(const struct options *opts, uint32_t port)
{
	for (unsigned int i = 0; i < opts->service_count; i++)
		if (opts->services[i].port == port)
			return opts->services[i].kind;
	return SERVICE_NONE;
}
