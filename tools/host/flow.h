/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes and their ends between one connection and its endpoint. */
#ifndef VSOCKDEV_HOST_FLOW_H
#define VSOCKDEV_HOST_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct iov;

/* Payload from the guest; false if it may not send that now. */
bool flow_from_guest(struct conn *conn, const struct iov *payload,
		     uint32_t flags);

/* The guest shut down directions (VIRTIO_VSOCK_SHUTDOWN_*). */
void flow_guest_shutdown(struct conn *conn, uint32_t flags);

/* Sends the connection's next packet; false if there is none now. */
bool flow_to_guest(struct conn *conn);

/* The guest is done with the connection: it only ends, or writes the rest. */
void flow_orphan(struct conn *conn);

/* From the endpoint: it may have bytes, or its end, for the guest. */
void flow_readable(struct conn *conn);

/* From the endpoint: it may take bytes again. */
void flow_writable(struct conn *conn);

/*
 * From the endpoint: it took bytes out of the connection's buffer, for
 * SEQPACKET no more than are left of the first message there.
 */
void flow_taken(struct conn *conn, size_t len);

/* From the endpoint: nobody wants what is in the connection's buffer. */
void flow_discard(struct conn *conn);

/* From the endpoint: it takes no bytes any more. */
void flow_gone(struct conn *conn);

#endif
