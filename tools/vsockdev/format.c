// SPDX-License-Identifier: GPL-2.0-only
/* Events as lines of text, for people and as JSON objects. */
#include "format.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <vsockdev.h>

static bool has_address(const struct vsockdev_event *event)
{
	return event->type != VSOCKDEV_EVENT_TRANSPORT_RESET;
}

static const char *direction_text(uint32_t directions)
{
	switch (directions) {
	case VSOCKDEV_SHUTDOWN_RECEIVE:
		return "the host receives no more";
	case VSOCKDEV_SHUTDOWN_SEND:
		return "the host sends no more";
	default:
		return "the host neither sends nor receives more";
	}
}

static void print_rst_text(const struct vsockdev_event *event)
{
	printf("%s, %llu bytes sent, %llu received",
	       vsockdev_rst_strerror(event->rst.reason),
	       event->rst.bytes_sent, event->rst.bytes_received);
	if (event->rst.error)
		printf(" (%s)", strerror(event->rst.error));
}

static void print_details_text(const struct vsockdev_event *event)
{
	switch (event->type) {
	case VSOCKDEV_EVENT_REQUEST:
		fputs(vsockdev_socket_type_name(event->request.socket_type),
		      stdout);
		break;
	case VSOCKDEV_EVENT_RST:
		print_rst_text(event);
		break;
	case VSOCKDEV_EVENT_SHUTDOWN:
		printf("%s", direction_text(event->shutdown.directions));
		break;
	case VSOCKDEV_EVENT_TRANSPORT_RESET:
		printf("the context id is %u, generation %llu",
		       event->transport_reset.new_cid,
		       event->transport_reset.generation);
		break;
	case VSOCKDEV_EVENT_SEND_VMO_COMPLETE:
		printf("%llu bytes sent, %s", event->vmo.bytes,
		       event->vmo.status ? strerror(event->vmo.status) :
					   "complete");
		break;
	}
}

void print_event_text(const struct vsockdev_event *event)
{
	printf("%6llu.%06llu %-17s ", event->time_ns / 1000000000,
	       event->time_ns / 1000 % 1000000,
	       vsockdev_event_name(event->type));
	if (has_address(event))
		printf("port %u, host %u:%u, id %llu: ",
		       event->addr.local_port, event->addr.remote_cid,
		       event->addr.remote_port, event->conn_id);
	print_details_text(event);
	putchar('\n');
}

static const char *boolean(bool value)
{
	return value ? "true" : "false";
}

static void print_details_json(const struct vsockdev_event *event)
{
	switch (event->type) {
	case VSOCKDEV_EVENT_REQUEST:
		printf(",\"socket_type\":\"%s\"",
		       vsockdev_socket_type_name(event->request.socket_type));
		break;
	case VSOCKDEV_EVENT_RST:
		printf(",\"reason\":\"%s\",\"error\":%d,\"bytes_sent\":%llu,"
		       "\"bytes_received\":%llu",
		       vsockdev_rst_reason_name(event->rst.reason),
		       event->rst.error, event->rst.bytes_sent,
		       event->rst.bytes_received);
		break;
	case VSOCKDEV_EVENT_SHUTDOWN:
		printf(",\"receive\":%s,\"send\":%s",
		       boolean(event->shutdown.directions &
			       VSOCKDEV_SHUTDOWN_RECEIVE),
		       boolean(event->shutdown.directions &
			       VSOCKDEV_SHUTDOWN_SEND));
		break;
	case VSOCKDEV_EVENT_TRANSPORT_RESET:
		printf(",\"new_cid\":%u,\"generation\":%llu",
		       event->transport_reset.new_cid,
		       event->transport_reset.generation);
		break;
	case VSOCKDEV_EVENT_SEND_VMO_COMPLETE:
		printf(",\"status\":%d,\"bytes\":%llu", event->vmo.status,
		       event->vmo.bytes);
		break;
	}
}

void print_event_json(const struct vsockdev_event *event)
{
	printf("{\"event\":\"%s\",\"seq\":%llu,\"time_ns\":%llu",
	       vsockdev_event_name(event->type), event->seq,
	       event->time_ns);
	if (has_address(event))
		printf(",\"conn_id\":%llu,\"local_port\":%u,"
		       "\"remote_cid\":%u,\"remote_port\":%u",
		       event->conn_id, event->addr.local_port,
		       event->addr.remote_cid, event->addr.remote_port);
	print_details_json(event);
	puts("}");
}
