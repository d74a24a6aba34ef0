/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line. */
#ifndef VSOCKDEV_HOST_OPTIONS_H
#define VSOCKDEV_HOST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "service.h"

#define OPTIONS_SERVICES 64

/* The upper half is reserved; all ones is "any". */
#define OPTIONS_CID_MIN 3
#define OPTIONS_CID_MAX (UINT32_MAX - 1)

struct options {
	const char *socket;
	const char *uds;
	const char *control; /* NULL: none */
	const char *scripts; /* likewise */
	uint64_t cid;
	uint32_t buf_alloc;
	unsigned int connect_timeout_ms;
	bool indirect;
	bool seqpacket;
	bool keep;
	struct {
		uint32_t port;
		enum service kind;
	} services[OPTIONS_SERVICES];
	unsigned int service_count;
};

/* Exits with a message if the command line makes no sense. */
void options_parse(struct options *opts, int argc, char **argv);

/* What answers on a port; SERVICE_NONE: the program at UDS_PORT, if any. */
enum service options_service(const struct options *opts, uint32_t port);

#endif
