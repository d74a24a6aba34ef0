/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets on the two queues: the only place that knows how a header looks
 * in memory, and the only one through which packets leave the device.
 */
#ifndef VSOCKDEV_HOST_PACKET_H
#define VSOCKDEV_HOST_PACKET_H

#include <linux/virtio_vsock.h>
#include <stdbool.h>
#include <stdint.h>

#include "iov.h"

struct virtq;

#define HOST_CID 2
#define PACKET_HEADER_SIZE sizeof(struct virtio_vsock_hdr)
#define PACKET_PAYLOAD_MAX (64u * 1024)
#define PACKET_SHUTDOWN_BOTH \
	(VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

/* A header in host byte order. */
struct packet {
	uint64_t src_cid;
	uint64_t dst_cid;
	uint32_t src_port;
	uint32_t dst_port;
	uint32_t len;
	uint16_t type;
	uint16_t op;
	uint32_t flags;
	uint32_t buf_alloc;
	uint32_t fwd_cnt;
};

/*
 * The oldest packet from the guest and its payload; false when there is none.
 * The payload stays valid until packet_received() hands the memory back.
 */
bool packet_receive(struct virtq *txq, struct packet *pkt, struct iov *payload);
void packet_received(struct virtq *txq);

/* The guest posted a buffer that takes a header and some payload. */
bool packet_room(struct virtq *rxq);

/*
 * Where the payload goes in that buffer: its room, cut to @len and to what
 * one packet may carry. Only after packet_room() said it is there.
 */
struct iov packet_payload(struct virtq *rxq, uint32_t len);

/* Puts the header before the payload, if any, and sends both off. */
void packet_send(struct virtq *rxq, const struct packet *pkt);

/* The same, but what is said to be written need not be true. */
void packet_send_used(struct virtq *rxq, const struct packet *pkt,
		      uint32_t used);

#endif
