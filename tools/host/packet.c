// SPDX-License-Identifier: GPL-2.0-only
/* Packets: headers to and from guest memory. */
#include "packet.h"

#include <endian.h>

#include "util.h"
#include "virtq.h"

static void decode(struct packet *pkt, const struct virtio_vsock_hdr *hdr)
{
	pkt->src_cid = le64toh(hdr->src_cid);
	pkt->dst_cid = le64toh(hdr->dst_cid);
	pkt->src_port = le32toh(hdr->src_port);
	pkt->dst_port = le32toh(hdr->dst_port);
	pkt->len = le32toh(hdr->len);
	pkt->type = le16toh(hdr->type);
	pkt->op = le16toh(hdr->op);
	pkt->flags = le32toh(hdr->flags);
	pkt->buf_alloc = le32toh(hdr->buf_alloc);
	pkt->fwd_cnt = le32toh(hdr->fwd_cnt);
}

static void encode(struct virtio_vsock_hdr *hdr, const struct packet *pkt)
{
	hdr->src_cid = htole64(pkt->src_cid);
	hdr->dst_cid = htole64(pkt->dst_cid);
	hdr->src_port = htole32(pkt->src_port);
	hdr->dst_port = htole32(pkt->dst_port);
	hdr->len = htole32(pkt->len);
	hdr->type = htole16(pkt->type);
	hdr->op = htole16(pkt->op);
	hdr->flags = htole32(pkt->flags);
	hdr->buf_alloc = htole32(pkt->buf_alloc);
	hdr->fwd_cnt = htole32(pkt->fwd_cnt);
}

bool packet_receive(struct virtq *txq, struct packet *pkt, struct iov *payload)
{
	struct virtio_vsock_hdr hdr;
	struct virtq_chain *chain;

	while ((chain = virtq_next(txq))) {
		if (iov_get(&chain->iov, &hdr, sizeof(hdr)) == sizeof(hdr)) {
			decode(pkt, &hdr);
			if (pkt->len <= chain->len - sizeof(hdr))
				break;
		}
		log_verbose("malformed packet dropped");
		virtq_done(txq, 0);
	}
	if (!chain)
		return false;
	*payload = chain->iov;
	iov_skip(payload, sizeof(hdr));
	iov_trim(payload, pkt->len);
	return true;
}

void packet_received(struct virtq *txq)
{
	virtq_done(txq, 0);
}

bool packet_room(struct virtq *rxq)
{
	struct virtq_chain *chain;

	while ((chain = virtq_next(rxq))) {
		if (chain->len > PACKET_HEADER_SIZE)
			return true;
		/* Good for no packet: back with it. */
		virtq_done(rxq, 0);
	}
	return false;
}

struct iov packet_payload(struct virtq *rxq, uint32_t len)
{
	/*
	 * The chain's own pieces are left alone: the header still goes there.
	 * Single threaded, and every use ends before the next begins.
	 */
	static struct iovec vec[VIRTQ_IOV_MAX];
	const struct iov *whole = &rxq->chain.iov;
	struct iov iov = { vec, whole->count };

	for (int i = 0; i < whole->count; i++)
		vec[i] = whole->vec[i];
	iov_skip(&iov, PACKET_HEADER_SIZE);
	iov_trim(&iov, min(len, PACKET_PAYLOAD_MAX));
	return iov;
}

void packet_send_used(struct virtq *rxq, const struct packet *pkt,
		      uint32_t used)
{
	struct virtio_vsock_hdr hdr;

	encode(&hdr, pkt);
	iov_put(&rxq->chain.iov, &hdr, sizeof(hdr));
	virtq_done(rxq, used);
}

void packet_send(struct virtq *rxq, const struct packet *pkt)
{
	packet_send_used(rxq, pkt, PACKET_HEADER_SIZE + pkt->len);
}
