/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - the packet header on the wire
 */
#ifndef VSOCKDEV_WIRE_H
#define VSOCKDEV_WIRE_H

#include "pure.h"

/* Feature bits that older headers do not have (virtio 1.3, 5.10.3) */
#define VSOCKDEV_F_STREAM		0
#define VSOCKDEV_F_NO_IMPLIED_STREAM	2

/* Bytes of the header in front of each packet (virtio 1.2, 5.10.6) */
#define VSOCKDEV_HDR_LEN	sizeof(struct virtio_vsock_hdr)

/**
 * struct vsockdev_hdr - a packet header in the byte order of the CPU
 * @src_cid: sender's context id
 * @dst_cid: receiver's context id
 * @src_port: sender's port
 * @dst_port: receiver's port
 * @len: bytes of payload
 * @type: enum virtio_vsock_type
 * @op: enum virtio_vsock_op
 * @flags: meaning depends on @op
 * @buf_alloc: bytes that the sender holds for this connection
 * @fwd_cnt: bytes that the sender has passed on, wrapping
 */
struct vsockdev_hdr {
	u64 src_cid;
	u64 dst_cid;
	u32 src_port;
	u32 dst_port;
	u32 len;
	u16 type;
	u16 op;
	u32 flags;
	u32 buf_alloc;
	u32 fwd_cnt;
};

/**
 * enum vsockdev_wire_status - what vsockdev_wire_decode() thinks of a packet
 * @VSOCKDEV_WIRE_OK: the header is consistent with the buffer
 * @VSOCKDEV_WIRE_SHORT: the device wrote less than a header
 * @VSOCKDEV_WIRE_OVERRUN: the device claims to have written past the buffer
 * @VSOCKDEV_WIRE_LENGTH: more payload announced than written
 * @VSOCKDEV_WIRE_CID: not sent to us, or by nobody who can exist
 */
enum vsockdev_wire_status {
	VSOCKDEV_WIRE_OK,
	VSOCKDEV_WIRE_SHORT,
	VSOCKDEV_WIRE_OVERRUN,
	VSOCKDEV_WIRE_LENGTH,
	VSOCKDEV_WIRE_CID,
};

void vsockdev_wire_encode(void *frame, const struct vsockdev_hdr *hdr);
enum vsockdev_wire_status vsockdev_wire_decode(struct vsockdev_hdr *hdr,
					       const void *frame, u32 size,
					       u32 used, u64 guest_cid);
bool vsockdev_wire_peek(const void *frame, u32 used, u16 *op, u64 *dst_cid);
u32 vsockdev_wire_event(const struct virtio_vsock_event *event);

#endif /* VSOCKDEV_WIRE_H */
