/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line: what makes no sense is a usage error. */
#ifndef VSOCKDEV_ARGS_H
#define VSOCKDEV_ARGS_H

#include <argp.h>
#include <stdint.h>

struct conn_args;

/* Options of a connection, as children of a command's own parser. */
extern const struct argp args_local_port;
extern const struct argp args_timeout;
extern const struct argp args_linger;
extern const struct argp args_stdio;	/* what is not stdin and stdout */

/* --json; its input is a bool. */
extern const struct argp args_json;

/* Gives all children of a parser the same input, in its ARGP_KEY_INIT. */
void args_share(struct argp_state *state, const struct argp_child *children,
		void *input);

uint32_t arg_port(const struct argp_state *state, const char *text);
uint64_t arg_bytes(const struct argp_state *state, const char *text);

/*
 * Where a connection goes or comes from: PORT of this side if we listen, else
 * CID:PORT, or PORT of the host.
 */
void arg_target(const struct argp_state *state, const char *text,
		struct conn_args *args);

/* Ends by a usage message unless there were exactly @count arguments. */
void args_check_count(const struct argp_state *state, int count);

#endif
