// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - the packet header on the wire
 *
 * DOC: Nothing but this file knows the byte order and the layout of a packet.
 * The frame lies in memory that the device may write to at any time, so every
 * field is read exactly once, into a struct that the device cannot reach, and
 * checked there.
 */
#include "wire.h"

/**
 * vsockdev_wire_encode() - write a header in front of a payload
 * @frame: at least %VSOCKDEV_HDR_LEN bytes, unaligned is fine
 * @hdr: what to write
 */
void vsockdev_wire_encode(void *frame, const struct vsockdev_hdr *hdr)
{
	struct virtio_vsock_hdr wire = {
		.src_cid = cpu_to_le64(hdr->src_cid),
		.dst_cid = cpu_to_le64(hdr->dst_cid),
		.src_port = cpu_to_le32(hdr->src_port),
		.dst_port = cpu_to_le32(hdr->dst_port),
		.len = cpu_to_le32(hdr->len),
		.type = cpu_to_le16(hdr->type),
		.op = cpu_to_le16(hdr->op),
		.flags = cpu_to_le32(hdr->flags),
		.buf_alloc = cpu_to_le32(hdr->buf_alloc),
		.fwd_cnt = cpu_to_le32(hdr->fwd_cnt),
	};

	memcpy(frame, &wire, sizeof(wire));
}

/**
 * vsockdev_wire_decode() - read and check the header of a received packet
 * @hdr: out: the header; undefined unless %VSOCKDEV_WIRE_OK is returned
 * @frame: the buffer that the device filled
 * @size: bytes of @frame
 * @used: bytes of @frame that the device says it wrote
 * @guest_cid: the context id that the packet must be for
 *
 * Type, operation and flags are passed on as they are: what is wrong about
 * them is for the state of the connection to say.
 *
 * Return: %VSOCKDEV_WIRE_OK, or why the packet makes no sense.
 */
enum vsockdev_wire_status vsockdev_wire_decode(struct vsockdev_hdr *hdr,
					       const void *frame, u32 size,
					       u32 used, u64 guest_cid)
{
	struct virtio_vsock_hdr wire;

	if (used < VSOCKDEV_HDR_LEN)
		return VSOCKDEV_WIRE_SHORT;
	if (used > size)
		return VSOCKDEV_WIRE_OVERRUN;

	memcpy(&wire, frame, sizeof(wire));
	hdr->src_cid = le64_to_cpu(wire.src_cid);
	hdr->dst_cid = le64_to_cpu(wire.dst_cid);
	hdr->src_port = le32_to_cpu(wire.src_port);
	hdr->dst_port = le32_to_cpu(wire.dst_port);
	hdr->len = le32_to_cpu(wire.len);
	hdr->type = le16_to_cpu(wire.type);
	hdr->op = le16_to_cpu(wire.op);
	hdr->flags = le32_to_cpu(wire.flags);
	hdr->buf_alloc = le32_to_cpu(wire.buf_alloc);
	hdr->fwd_cnt = le32_to_cpu(wire.fwd_cnt);

	if (hdr->len > used - VSOCKDEV_HDR_LEN)
		return VSOCKDEV_WIRE_LENGTH;
	/* The upper half of a CID is reserved and zero (virtio 1.2, 5.10.4) */
	if (hdr->dst_cid != guest_cid || hdr->src_cid >> 32)
		return VSOCKDEV_WIRE_CID;
	return VSOCKDEV_WIRE_OK;
}

/**
 * vsockdev_wire_peek() - have a first look at a received packet
 * @frame: the buffer that the device filled
 * @used: bytes of @frame that the device says it wrote
 * @op: out: the operation, which may be none that exists
 * @dst_cid: out: the context id that the packet is for
 *
 * The device may still write to the packet: what counts is what
 * vsockdev_wire_decode() finds.
 *
 * Return: false if there is no header to look at.
 */
bool vsockdev_wire_peek(const void *frame, u32 used, u16 *op, u64 *dst_cid)
{
	struct virtio_vsock_hdr wire;

	if (used < VSOCKDEV_HDR_LEN)
		return false;
	memcpy(&wire, frame, sizeof(wire));
	*op = le16_to_cpu(wire.op);
	*dst_cid = le64_to_cpu(wire.dst_cid);
	return true;
}

/**
 * vsockdev_wire_event() - read a buffer of the event queue
 * @event: the buffer that the device filled
 *
 * Return: enum virtio_vsock_event_id.
 */
u32 vsockdev_wire_event(const struct virtio_vsock_event *event)
{
	__le32 id;

	memcpy(&id, &event->id, sizeof(id));
	return le32_to_cpu(id);
}
