// SPDX-License-Identifier: LGPL-2.1-or-later
/* Numbers of the ABI as words. */
#include "internal.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static const char *const event_names[] = {
	[VSOCKDEV_EVENT_REQUEST] = "request",
	[VSOCKDEV_EVENT_RESPONSE] = "response",
	[VSOCKDEV_EVENT_RST] = "rst",
	[VSOCKDEV_EVENT_SHUTDOWN] = "shutdown",
	[VSOCKDEV_EVENT_TRANSPORT_RESET] = "transport_reset",
	[VSOCKDEV_EVENT_SEND_VMO_COMPLETE] = "send_vmo_complete",
};

static const char *const reason_names[] = {
	[VSOCKDEV_RST_REFUSED] = "refused",
	[VSOCKDEV_RST_PEER_RESET] = "peer_reset",
	[VSOCKDEV_RST_SHUTDOWN] = "shutdown",
	[VSOCKDEV_RST_LOCAL_CLOSE] = "local_close",
	[VSOCKDEV_RST_TIMED_OUT] = "timed_out",
	[VSOCKDEV_RST_PROTOCOL] = "protocol",
	[VSOCKDEV_RST_MESSAGE_SIZE] = "message_size",
	[VSOCKDEV_RST_LOCAL_ERROR] = "local_error",
};

static const char *const reason_phrases[] = {
	[VSOCKDEV_RST_REFUSED] = "refused by the host",
	[VSOCKDEV_RST_PEER_RESET] = "reset by the host",
	[VSOCKDEV_RST_SHUTDOWN] = "shut down by both sides",
	[VSOCKDEV_RST_LOCAL_CLOSE] = "closed by this side",
	[VSOCKDEV_RST_TIMED_OUT] = "the host did not answer in time",
	[VSOCKDEV_RST_PROTOCOL] = "the host broke the protocol",
	[VSOCKDEV_RST_MESSAGE_SIZE] = "message larger than the window",
	[VSOCKDEV_RST_LOCAL_ERROR] = "failed on this side",
};

static const char *const socket_type_names[] = {
	[VSOCKDEV_TYPE_STREAM] = "stream",
	[VSOCKDEV_TYPE_SEQPACKET] = "seqpacket",
};

static const char *lookup(const char *const *names, size_t count,
			  uint32_t number, const char *unknown)
{
	return number < count && names[number] ? names[number] : unknown;
}

const char *vsockdev_event_name(uint32_t type)
{
	return lookup(event_names, ARRAY_SIZE(event_names), type, "unknown");
}

const char *vsockdev_rst_reason_name(uint32_t reason)
{
	return lookup(reason_names, ARRAY_SIZE(reason_names), reason,
		      "unknown");
}

const char *vsockdev_rst_strerror(uint32_t reason)
{
	return lookup(reason_phrases, ARRAY_SIZE(reason_phrases), reason,
		      "ended for an unknown reason");
}

const char *vsockdev_socket_type_name(uint32_t socket_type)
{
	return lookup(socket_type_names, ARRAY_SIZE(socket_type_names),
		      socket_type, "unknown");
}
