/* SPDX-License-Identifier: GPL-2.0-only */
/* The fields of a packet's header by their names. */
#ifndef VSOCKDEV_HOST_FIELDS_H
#define VSOCKDEV_HOST_FIELDS_H

#include <stddef.h>
#include <stdint.h>

struct field;
struct packet;

/* NULL: there is none of that name. */
const struct field *field_find(const char *name, size_t len);

uint64_t field_get(const struct field *field, const struct packet *pkt);

/* What does not fit in is cut off. */
void field_set(const struct field *field, struct packet *pkt, uint64_t value);

#endif
