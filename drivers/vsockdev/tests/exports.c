// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - what the suites call in the module
 *
 * Linked into it for tests only: as installed, it exports nothing.
 */
#include <linux/export.h>

#include "blob.h"
#include "calls.h"
#include "compat.h"
#include "conn.h"
#include "credit.h"
#include "deliver.h"
#include "device.h"
#include "event.h"
#include "frame.h"
#include "proto.h"
#include "pump.h"
#include "ring.h"
#include "sched.h"
#include "sock.h"
#include "wire.h"
#include "workers.h"

VSOCKDEV_COMPAT_EXPORT(vsockdev_wire_encode);
VSOCKDEV_COMPAT_EXPORT(vsockdev_wire_decode);
VSOCKDEV_COMPAT_EXPORT(vsockdev_wire_event);
VSOCKDEV_COMPAT_EXPORT(vsockdev_wire_peek);

VSOCKDEV_COMPAT_EXPORT(vsockdev_credit_init);
VSOCKDEV_COMPAT_EXPORT(vsockdev_credit_peer_update);
VSOCKDEV_COMPAT_EXPORT(vsockdev_credit_tx_space);
VSOCKDEV_COMPAT_EXPORT(vsockdev_credit_tx_packet);
VSOCKDEV_COMPAT_EXPORT(vsockdev_credit_tx_should_wait);
VSOCKDEV_COMPAT_EXPORT(vsockdev_credit_tx);
VSOCKDEV_COMPAT_EXPORT(vsockdev_credit_rx);
VSOCKDEV_COMPAT_EXPORT(vsockdev_credit_forwarded);
VSOCKDEV_COMPAT_EXPORT(vsockdev_credit_untold);
VSOCKDEV_COMPAT_EXPORT(vsockdev_credit_update_due);
VSOCKDEV_COMPAT_EXPORT(vsockdev_credit_tell);

VSOCKDEV_COMPAT_EXPORT(vsockdev_stream_init);
VSOCKDEV_COMPAT_EXPORT(vsockdev_stream_open);
VSOCKDEV_COMPAT_EXPORT(vsockdev_stream_close);
VSOCKDEV_COMPAT_EXPORT(vsockdev_stream_hold);
VSOCKDEV_COMPAT_EXPORT(vsockdev_stream_release);
VSOCKDEV_COMPAT_EXPORT(vsockdev_event_init);
VSOCKDEV_COMPAT_EXPORT(vsockdev_event_pending);
VSOCKDEV_COMPAT_EXPORT(vsockdev_event_post);
VSOCKDEV_COMPAT_EXPORT(vsockdev_event_drop);
VSOCKDEV_COMPAT_EXPORT(vsockdev_stream_read);
VSOCKDEV_COMPAT_EXPORT(vsockdev_stream_poll);

VSOCKDEV_COMPAT_EXPORT(vsockdev_frame_alloc);
VSOCKDEV_COMPAT_EXPORT(vsockdev_frame_alloc_lent);
VSOCKDEV_COMPAT_EXPORT(vsockdev_frame_add_page);
VSOCKDEV_COMPAT_EXPORT(vsockdev_frame_add_skb);
VSOCKDEV_COMPAT_EXPORT(vsockdev_frame_split);
VSOCKDEV_COMPAT_EXPORT(vsockdev_frame_free);
VSOCKDEV_COMPAT_EXPORT(vsockdev_frames_free);

VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_init);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_fill);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_destroy);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_tx_room);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_tx_data_room);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_send);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_tx_reclaim);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_tx_arm);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_tx_disarm);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_rx_get);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_rx_put);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_rx_may_lend);
VSOCKDEV_COMPAT_EXPORT(vsockdev_ring_event_get);

VSOCKDEV_COMPAT_EXPORT(vsockdev_wq);
VSOCKDEV_COMPAT_EXPORT(vsockdev_high_wq);

VSOCKDEV_COMPAT_EXPORT(vsockdev_deliver_receive);

VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_alloc);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_publish);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_get);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_tryget);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_put);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_find);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_make_room);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_wake);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_open);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_arm);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_disarm);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_stop_tx);
VSOCKDEV_COMPAT_EXPORT(vsockdev_conn_end_silently);

VSOCKDEV_COMPAT_EXPORT(vsockdev_sched_reply_room);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sched_reply);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sched_control);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sched_stage);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sched_split);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sched_block);

VSOCKDEV_COMPAT_EXPORT(vsockdev_blob_open);
VSOCKDEV_COMPAT_EXPORT(vsockdev_blob_read);
VSOCKDEV_COMPAT_EXPORT(vsockdev_blob_close);

VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_claim);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_release);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_type);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_ends);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_error);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_pending);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_message);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_packet);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_read);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_write);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_end_reads);
VSOCKDEV_COMPAT_EXPORT(vsockdev_sock_end_writes);

VSOCKDEV_COMPAT_EXPORT(vsockdev_proto_receive);

VSOCKDEV_COMPAT_EXPORT(vsockdev_pump_work);

VSOCKDEV_COMPAT_EXPORT(vsockdev_call_start);
VSOCKDEV_COMPAT_EXPORT(vsockdev_call_stop);
VSOCKDEV_COMPAT_EXPORT(vsockdev_call_send_request);
VSOCKDEV_COMPAT_EXPORT(vsockdev_call_send_response);
VSOCKDEV_COMPAT_EXPORT(vsockdev_call_send_rst);
VSOCKDEV_COMPAT_EXPORT(vsockdev_call_send_shutdown);
VSOCKDEV_COMPAT_EXPORT(vsockdev_call_reset_done);

VSOCKDEV_COMPAT_EXPORT(vsockdev_sched_unlock);
