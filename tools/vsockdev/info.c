// SPDX-License-Identifier: GPL-2.0-only
/* vsockdev info - print the limits and counters of the device */
#include <errno.h>
#include <error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <vsockdev.h>

#include "args.h"
#include "array.h"
#include "command.h"
#include "device.h"

/* A member of the struct, which is also its key in JSON. */
#define FIELD(member, text) { \
	#member, text, offsetof(struct vsockdev_get_info, member), \
	sizeof(((struct vsockdev_get_info *)0)->member) }

static const struct field {
	const char *key;
	const char *text;
	size_t offset;
	size_t size;
} fields[] = {
	FIELD(abi_version, "ABI version"),
	FIELD(cid, "context id"),
	FIELD(features, "features"),
	FIELD(max_event_size, "largest event record"),
	FIELD(max_backlog, "largest backlog"),
	FIELD(max_conns, "most connections"),
	FIELD(min_buf_alloc, "smallest window"),
	FIELD(max_buf_alloc, "largest window"),
	FIELD(conns, "connections now"),
	FIELD(generation, "transport resets"),
	FIELD(rx_packets, "packets received"),
	FIELD(rx_bytes, "bytes received"),
	FIELD(tx_packets, "packets sent"),
	FIELD(tx_bytes, "bytes sent"),
	FIELD(rx_malformed, "malformed packets"),
	FIELD(rx_unknown, "packets for no connection"),
	FIELD(rx_violations, "protocol violations"),
	FIELD(rx_discarded, "bytes received in vain"),
	FIELD(refused, "requests refused by the driver"),
	FIELD(timeouts, "timeouts"),
	FIELD(credit_requests, "credit requests sent"),
	FIELD(credit_updates, "credit updates sent"),
};

/* Bits of the virtio specification that matter for a socket device. */
static const struct {
	unsigned int bit;
	const char *name;
} features[] = {
	{ 0, "stream" },
	{ 1, "seqpacket" },
	{ 2, "no_implied_stream" },
	{ 28, "indirect_desc" },
	{ 29, "event_idx" },
	{ 32, "version_1" },
	{ 33, "access_platform" },
	{ 34, "ring_packed" },
	{ 35, "in_order" },
	{ 36, "order_platform" },
};

static unsigned long long value(const struct vsockdev_get_info *info,
				const struct field *field)
{
	const char *at = (const char *)info + field->offset;

	return field->size == sizeof(uint64_t) ? *(const uint64_t *)at :
						 *(const uint32_t *)at;
}

/* Their names, each in @quote; unknown bits by their number. */
static void print_features(uint64_t bits, const char *quote,
			   const char *separator)
{
	const char *between = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (!(bits >> features[i].bit & 1))
			continue;
		printf("%s%s%s%s", between, quote, features[i].name, quote);
		bits &= ~(1ULL << features[i].bit);
		between = separator;
	}
	for (i = 0; i < 64; i++) {
		if (!(bits >> i & 1))
			continue;
		printf("%s%sbit_%zu%s", between, quote, i, quote);
		between = separator;
	}
}

static void print_text(const struct vsockdev_get_info *info)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		printf("%-31s ", fields[i].text);
		if (fields[i].offset == offsetof(typeof(*info), features))
			print_features(info->features, "", " ");
		else
			printf("%llu", value(info, &fields[i]));
		putchar('\n');
	}
}

static void print_json(const struct vsockdev_get_info *info)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		printf("%s\"%s\":", i ? "," : "{", fields[i].key);
		if (fields[i].offset == offsetof(typeof(*info), features)) {
			putchar('[');
			print_features(info->features, "\"", ",");
			putchar(']');
		} else {
			printf("%llu", value(info, &fields[i]));
		}
	}
	puts("}");
}

static const struct argp_child children[] = {
	{ .argp = &args_json },
	{}
};

static const struct argp argp = {
	.children = children,
	.doc = "Print the limits and counters of the device, which may be in "
	       "use.\vThe keys of the JSON object are the members of struct "
	       "vsockdev_get_info. All values are numbers, except for "
	       "\"features\", an array of names.",
};

enum status info_main(const char *device, int argc, char **argv)
{
	struct vsockdev_get_info info;
	struct vsockdev *dev;
	bool json = false;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	dev = device_open(device);
	if (vsockdev_get_info(dev, &info))
		error(STATUS_ERROR, errno, "%s", device);
	if (json)
		print_json(&info);
	else
		print_text(&info);
	return STATUS_OK;
}
