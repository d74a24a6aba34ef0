/* SPDX-License-Identifier: GPL-2.0-only */
/* Services inside the device, on ports of the host. */
#ifndef VSOCKDEV_HOST_SERVICE_H
#define VSOCKDEV_HOST_SERVICE_H

#include <stdbool.h>

struct endpoint_ops;

enum service {
	SERVICE_NONE,
	SERVICE_ECHO, /* sends back what it gets */
	SERVICE_SINK, /* takes everything */
	SERVICE_SOURCE, /* sends for ever: byte n of it all is n % 251 */
	SERVICE_SILENT, /* never answers a REQUEST */
	SERVICE_HOLD, /* accepts, then takes and sends nothing */
};

bool service_parse(const char *name, enum service *kind);

/* The endpoint of a connection to that service; NULL if it has none. */
const struct endpoint_ops *service_ops(enum service kind);

#endif
