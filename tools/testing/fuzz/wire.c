// SPDX-License-Identifier: GPL-2.0-only
/*
 * The packet header, from any bytes: nothing is read that was not written, what
 * is accepted makes sense, and it is what was there.
 *
 * Input: size of the buffer, bytes used, context id, then the frame.
 */
#include "fuzz.h"
#include "wire.h"

/* As much memory as may be read, and not a byte more. */
static void *frame_of(struct input *in, uint32_t size, uint32_t used)
{
	size_t len = used <= size && used >= VSOCKDEV_HDR_LEN ?
			     VSOCKDEV_HDR_LEN :
			     0;
	void *frame = malloc(len);

	if (frame)
		take(in, frame, len);
	return frame;
}

static void check_accepted(const struct vsockdev_hdr *hdr, const void *frame,
			   uint32_t size, uint32_t used, uint64_t cid)
{
	uint8_t again[VSOCKDEV_HDR_LEN];

	MUST(used <= size);
	MUST((uint64_t)hdr->len + VSOCKDEV_HDR_LEN <= used);
	MUST(hdr->dst_cid == cid);
	MUST(hdr->src_cid <= UINT32_MAX);
	vsockdev_wire_encode(again, hdr);
	MUST(!memcmp(again, frame, sizeof(again)));
}

/* What is refused is refused for what it says. */
static void check_refused(enum vsockdev_wire_status status,
			  const struct vsockdev_hdr *hdr, uint32_t size,
			  uint32_t used, uint64_t cid)
{
	switch (status) {
	case VSOCKDEV_WIRE_SHORT:
		MUST(used < VSOCKDEV_HDR_LEN);
		break;
	case VSOCKDEV_WIRE_OVERRUN:
		MUST(used > size);
		break;
	case VSOCKDEV_WIRE_LENGTH:
		MUST((uint64_t)hdr->len + VSOCKDEV_HDR_LEN > used);
		break;
	case VSOCKDEV_WIRE_CID:
		MUST(hdr->dst_cid != cid || hdr->src_cid > UINT32_MAX);
		break;
	default:
		MUST(!"a status that there is");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint32_t room = take_u32(&in), used = take_u32(&in);
	uint64_t cid = take_u64(&in);
	struct virtio_vsock_event event;
	enum vsockdev_wire_status status;
	struct vsockdev_hdr hdr = {};
	void *frame = frame_of(&in, room, used);

	MUST(frame);
	status = vsockdev_wire_decode(&hdr, frame, room, used, cid);
	if (status == VSOCKDEV_WIRE_OK)
		check_accepted(&hdr, frame, room, used, cid);
	else
		check_refused(status, &hdr, room, used, cid);
	free(frame);

	memcpy(&event, &used, sizeof(event));
	MUST(vsockdev_wire_event(&event) == le32toh(event.id));
	return 0;
}
