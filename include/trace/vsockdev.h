/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - trace events: every packet, and every turn in a connection's life
 *
 * A host can make these happen as often as it likes, so they are the only
 * record of what it does; nothing of it is logged.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vsockdev

#if !defined(VSOCKDEV_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VSOCKDEV_TRACE_H

#include <linux/tracepoint.h>

#include <linux/vsockdev.h>
#include <uapi/linux/virtio_vsock.h>

#define vsockdev_show_op(op) \
	__print_symbolic(op, \
		{ VIRTIO_VSOCK_OP_INVALID, "INVALID" }, \
		{ VIRTIO_VSOCK_OP_REQUEST, "REQUEST" }, \
		{ VIRTIO_VSOCK_OP_RESPONSE, "RESPONSE" }, \
		{ VIRTIO_VSOCK_OP_RST, "RST" }, \
		{ VIRTIO_VSOCK_OP_SHUTDOWN, "SHUTDOWN" }, \
		{ VIRTIO_VSOCK_OP_RW, "RW" }, \
		{ VIRTIO_VSOCK_OP_CREDIT_UPDATE, "CREDIT_UPDATE" }, \
		{ VIRTIO_VSOCK_OP_CREDIT_REQUEST, "CREDIT_REQUEST" })

#define vsockdev_show_reason(reason) \
	__print_symbolic(reason, \
		{ 0, "silent" }, \
		{ VSOCKDEV_RST_REFUSED, "REFUSED" }, \
		{ VSOCKDEV_RST_PEER_RESET, "PEER_RESET" }, \
		{ VSOCKDEV_RST_SHUTDOWN, "SHUTDOWN" }, \
		{ VSOCKDEV_RST_LOCAL_CLOSE, "LOCAL_CLOSE" }, \
		{ VSOCKDEV_RST_TIMED_OUT, "TIMED_OUT" }, \
		{ VSOCKDEV_RST_PROTOCOL, "PROTOCOL" }, \
		{ VSOCKDEV_RST_MESSAGE_SIZE, "MESSAGE_SIZE" }, \
		{ VSOCKDEV_RST_LOCAL_ERROR, "LOCAL_ERROR" })

DECLARE_EVENT_CLASS(vsockdev_packet,
	TP_PROTO(const struct vsockdev_hdr *hdr),
	TP_ARGS(hdr),
	TP_STRUCT__entry(
		__field(u64, src_cid)
		__field(u64, dst_cid)
		__field(u32, src_port)
		__field(u32, dst_port)
		__field(u32, len)
		__field(u16, type)
		__field(u16, op)
		__field(u32, flags)
		__field(u32, buf_alloc)
		__field(u32, fwd_cnt)
	),
	TP_fast_assign(
		__entry->src_cid = hdr->src_cid;
		__entry->dst_cid = hdr->dst_cid;
		__entry->src_port = hdr->src_port;
		__entry->dst_port = hdr->dst_port;
		__entry->len = hdr->len;
		__entry->type = hdr->type;
		__entry->op = hdr->op;
		__entry->flags = hdr->flags;
		__entry->buf_alloc = hdr->buf_alloc;
		__entry->fwd_cnt = hdr->fwd_cnt;
	),
	TP_printk("%llu:%u -> %llu:%u %s type=%u flags=%#x len=%u buf_alloc=%u fwd_cnt=%u",
		  __entry->src_cid, __entry->src_port, __entry->dst_cid,
		  __entry->dst_port, vsockdev_show_op(__entry->op),
		  __entry->type, __entry->flags, __entry->len,
		  __entry->buf_alloc, __entry->fwd_cnt)
);

DEFINE_EVENT(vsockdev_packet, vsockdev_rx,
	TP_PROTO(const struct vsockdev_hdr *hdr),
	TP_ARGS(hdr)
);

DEFINE_EVENT(vsockdev_packet, vsockdev_tx,
	TP_PROTO(const struct vsockdev_hdr *hdr),
	TP_ARGS(hdr)
);

TRACE_EVENT(vsockdev_rx_malformed,
	TP_PROTO(int status, u32 used),
	TP_ARGS(status, used),
	TP_STRUCT__entry(
		__field(int, status)
		__field(u32, used)
	),
	TP_fast_assign(
		__entry->status = status;
		__entry->used = used;
	),
	TP_printk("status=%d used=%u", __entry->status, __entry->used)
);

DECLARE_EVENT_CLASS(vsockdev_conn,
	TP_PROTO(u64 id, const struct vsockdev_addr *addr, u32 reason),
	TP_ARGS(id, addr, reason),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, local_port)
		__field(u32, remote_cid)
		__field(u32, remote_port)
		__field(u32, reason)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->local_port = addr->local_port;
		__entry->remote_cid = addr->remote_cid;
		__entry->remote_port = addr->remote_port;
		__entry->reason = reason;
	),
	TP_printk("id=%llu %u <-> %u:%u reason=%s", __entry->id,
		  __entry->local_port, __entry->remote_cid,
		  __entry->remote_port, vsockdev_show_reason(__entry->reason))
);

DEFINE_EVENT(vsockdev_conn, vsockdev_conn_new,
	TP_PROTO(u64 id, const struct vsockdev_addr *addr, u32 reason),
	TP_ARGS(id, addr, reason)
);

DEFINE_EVENT(vsockdev_conn, vsockdev_conn_open,
	TP_PROTO(u64 id, const struct vsockdev_addr *addr, u32 reason),
	TP_ARGS(id, addr, reason)
);

DEFINE_EVENT(vsockdev_conn, vsockdev_conn_end,
	TP_PROTO(u64 id, const struct vsockdev_addr *addr, u32 reason),
	TP_ARGS(id, addr, reason)
);

TRACE_EVENT(vsockdev_transport_reset,
	TP_PROTO(u64 generation, u32 cid),
	TP_ARGS(generation, cid),
	TP_STRUCT__entry(
		__field(u64, generation)
		__field(u32, cid)
	),
	TP_fast_assign(
		__entry->generation = generation;
		__entry->cid = cid;
	),
	TP_printk("generation=%llu cid=%u", __entry->generation, __entry->cid)
);

#endif /* VSOCKDEV_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH trace
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE vsockdev
#include <trace/define_trace.h>
