/* SPDX-License-Identifier: GPL-2.0-only */
/* Values on the command line; what makes no sense is a usage error. */
#ifndef VSOCKDEV_ARGS_H
#define VSOCKDEV_ARGS_H

#include <stdint.h>

struct argp_state;
struct vsockdev_addr;

uint32_t arg_port(const struct argp_state *state, const char *text);

/* CID:PORT, or PORT of the host, into the remote side of @addr. */
void arg_target(const struct argp_state *state, const char *text,
		struct vsockdev_addr *addr);

/* Seconds, with decimals if need be, as milliseconds. */
uint32_t arg_seconds(const struct argp_state *state, const char *text);

/* Likewise as a timeout of the ABI, where 0 seconds mean no limit. */
uint32_t arg_timeout(const struct argp_state *state, const char *text);

/* Ends by a usage message unless there were exactly @count arguments. */
void args_check_count(const struct argp_state *state, int count);

#endif
