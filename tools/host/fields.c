// SPDX-License-Identifier: GPL-2.0-only
/* Where each field is, and how large. */
#include "fields.h"

#include <string.h>

#include "packet.h"
#include "util.h"

static const struct field {
	const char *name;
	size_t offset, size;
} fields[] = {
#define FIELD(name)                                                \
	{                                                          \
		#name, offsetof(struct packet, name),              \
			sizeof(((struct packet *)NULL)->name)      \
	}
	FIELD(src_cid),	  FIELD(dst_cid), FIELD(src_port), FIELD(dst_port),
	FIELD(len),	  FIELD(type),	  FIELD(op),	   FIELD(flags),
	FIELD(buf_alloc), FIELD(fwd_cnt),
#undef FIELD
};

const struct field *field_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strlen(fields[i].name) == len &&
		    !memcmp(fields[i].name, name, len))
			return &fields[i];
	return NULL;
}

uint64_t field_get(const struct field *field, const struct packet *pkt)
{
	const char *at = (const char *)pkt + field->offset;

	switch (field->size) {
	case sizeof(uint16_t):
		return *(const uint16_t *)at;
	case sizeof(uint32_t):
		return *(const uint32_t *)at;
	default:
		return *(const uint64_t *)at;
	}
}

void field_set(const struct field *field, struct packet *pkt, uint64_t value)
{
	char *at = (char *)pkt + field->offset;

	switch (field->size) {
	case sizeof(uint16_t):
		*(uint16_t *)at = value;
		break;
	case sizeof(uint32_t):
		*(uint32_t *)at = value;
		break;
	default:
		*(uint64_t *)at = value;
	}
}
