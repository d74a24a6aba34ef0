/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - connections
 */
#ifndef VSOCKDEV_CONN_H
#define VSOCKDEV_CONN_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

#include "credit.h"
#include "event.h"

struct mem_cgroup;
struct vsockdev;
struct vsockdev_blob;
struct vsockdev_sock;

/**
 * enum vsockdev_conn_state - where a connection is in its life
 * @VSOCKDEV_CONN_PENDING: the host sent REQUEST, the owner did not answer
 * @VSOCKDEV_CONN_CONNECTING: we sent REQUEST, the host did not answer
 * @VSOCKDEV_CONN_ESTABLISHED: RESPONSE was sent or received
 * @VSOCKDEV_CONN_DEAD: over. What was received may still be on its way to
 *	the program, and an RST event to the owner
 */
enum vsockdev_conn_state {
	VSOCKDEV_CONN_PENDING,
	VSOCKDEV_CONN_CONNECTING,
	VSOCKDEV_CONN_ESTABLISHED,
	VSOCKDEV_CONN_DEAD,
};

/* Bytes of the longest message of SEQPACKET, whatever the window is */
#define VSOCKDEV_MESSAGE_MAX	SZ_256K

/* Control packets that a connection has to send, vsockdev_conn.control */
#define VSOCKDEV_SEND_RST_PACKET	BIT(0)
#define VSOCKDEV_SEND_REQUEST_PACKET	BIT(1)
#define VSOCKDEV_SEND_RESPONSE_PACKET	BIT(2)
#define VSOCKDEV_SEND_SHUTDOWN_PACKET	BIT(3)
#define VSOCKDEV_SEND_CREDIT_REQUEST	BIT(4)
#define VSOCKDEV_SEND_CREDIT_UPDATE	BIT(5)

#define VSOCKDEV_SHUTDOWN_BOTH \
	(VSOCKDEV_SHUTDOWN_RECEIVE | VSOCKDEV_SHUTDOWN_SEND)

/**
 * enum vsockdev_conn_event - slots of a connection
 * @VSOCKDEV_CONN_EVENT_OPEN: REQUEST or RESPONSE
 * @VSOCKDEV_CONN_EVENT_SHUTDOWN: SHUTDOWN
 * @VSOCKDEV_CONN_EVENT_VMO: SEND_VMO_COMPLETE
 * @VSOCKDEV_CONN_EVENT_RST: RST
 * @VSOCKDEV_CONN_EVENTS: how many there are
 */
enum vsockdev_conn_event {
	VSOCKDEV_CONN_EVENT_OPEN,
	VSOCKDEV_CONN_EVENT_SHUTDOWN,
	VSOCKDEV_CONN_EVENT_VMO,
	VSOCKDEV_CONN_EVENT_RST,
	VSOCKDEV_CONN_EVENTS,
};

/**
 * struct vsockdev_chunk - received bytes on their way to the socket
 * @node: in vsockdev_conn.rx_chunks
 * @head: first byte that the socket did not take
 * @tail: end of the bytes
 * @size: room for bytes
 * @unread: payload that the socket did not take
 * @last_part: SEQPACKET: where the last part of a message begins
 * @lent: the bytes, in an RX buffer, a reference; or NULL
 * @data: the bytes, if they were copied
 */
struct vsockdev_chunk {
	struct list_head node;
	u32 head;
	u32 tail;
	u32 size;
	u32 unread;
	u32 last_part;
	const void *lent;
	u8 data[];
};

/**
 * struct vsockdev_conn - a connection
 * @vd: the device, a reference
 * @refs: see below
 * @rcu: frees it, as socket callbacks reach it without a lock
 * @work: the pump, see pump.c
 * @late_wake: queues @work at the next jiffy; holds a reference while it is
 *	pending
 * @place: where @work runs, see workers.c; -1 as long as there is no socket
 * @sock: the program's socket; set once when it is claimed, and then used and
 *	cleared under @io_mutex
 * @io_mutex: held by whoever moves bytes in or out of @sock: @work, or a
 *	context that does so at once if nobody else does. May be held for as
 *	long as a program likes, so only @work waits for it
 * @memcg: who pays for its memory
 * @addr: its address
 * @id: never used again
 * @type: VSOCKDEV_TYPE_*
 *
 * @node: in the device's table, from birth until the owner knows of its end
 * @counted: it counts against the connection limit
 * @state: see there
 * @credit: flow control
 * @control: control packets to send
 * @control_node: in vsockdev_sched.control while @control is not 0
 * @shut_sent: directions that we shut, as we mean them
 * @shut_received: directions that the peer shut, as it means them
 * @tx_stopped: nothing more is sent: shut by the owner or by the peer
 * @tx_ended: the program will not write more, all of it is staged
 * @tx_split: the first staged frame does not fit the peer's window any more
 * @tx_small_pass: one small packet more may go out
 * @tx_waiting: the pump wants to be woken when a staged frame was sent
 * @tx_written: then for bytes that a program of ours has written
 * @tx_corked: small writes wait until the packets before them were sent
 * @rx_discard: the program does not want what comes
 * @rx_ended: all that the peer sent before its SHUTDOWN was handed over
 * @aborted: do not hand over what is left, or wait until it is
 * @lingering: DEAD, and its TCP socket has bytes that it may not lose, or its
 *	program may not know yet that the stream was cut off
 * @linger_due: the time that was waited for since then is over
 * @user_closed: the program closed its end
 * @closing: the close timeout runs, restarted by each progress
 * @tx_frames: staged frames
 * @tx_frame_count: how many they are
 * @tx_staged: payload in them
 * @tx_in_ring: frames in the TX queue
 * @tx_ring_bytes: their cost, see vsockdev_frame_cost()
 * @tx_crowded: that is its share: it may send when the device returned some
 * @tx_node: in vsockdev_sched.active while @tx_frames is not empty, unless it
 *	is crowded, waits for credit or is to be split
 * @tx_deficit: bytes it may send before it is the next one's turn
 * @blob: the range of a SEND_VMO. Set with @vmo_active; after that only @work
 *	uses and clears it
 * @vmo_active: a SEND_VMO was not completed yet
 * @vmo_left: bytes of it that are not staged
 * @vmo_bytes: bytes of it that were put into the TX queue
 * @vmo_frames: frames of it that are staged or in the TX queue
 * @blocked_node: in vsockdev_sched.blocked while it waits for credit
 * @ask_at: jiffies of its next CREDIT_REQUEST
 * @ask_delay: jiffies between that and the one after, 0 when bytes were sent
 * @rx_chunks: received bytes
 * @rx_message: SEQPACKET: bytes of the message that did not end yet
 * @rx_messages: SEQPACKET: whole messages in @rx_chunks
 * @timer: connect or close timeout, and for @lingering; holds a reference
 *	while it is pending
 * @deadline: jiffies when it runs out; a @timer that runs earlier is stale
 * @linger_left: bytes that the other side had not acknowledged
 * @connect_timeout: jiffies, 0 for none
 * @close_timeout: jiffies
 * @bytes_sent: payload put into the TX queue
 * @bytes_received: payload taken from the RX queue
 * @events: slots for what can be unread
 *
 * Everything after @type is guarded by the device's lock.
 *
 * References are held by the table, by membership of vsockdev_sched.control,
 * by the timer and by @work while either is pending or running, by each frame
 * with data, and by whoever looked the connection up.
 */
struct vsockdev_conn {
	struct vsockdev *vd;
	refcount_t refs;
	struct rcu_head rcu;
	struct work_struct work;
	struct delayed_work late_wake;
	int place;
	struct vsockdev_sock *sock;
	/* Guards what is behind sock, and blob */
	struct mutex io_mutex;
	struct mem_cgroup *memcg;
	struct vsockdev_addr addr;
	u64 id;
	u16 type;

	struct hlist_node node;
	bool counted;
	enum vsockdev_conn_state state;
	struct vsockdev_credit credit;
	u32 control;
	struct list_head control_node;
	u8 shut_sent;
	u8 shut_received;
	bool tx_stopped : 1;
	bool tx_ended : 1;
	bool tx_waiting : 1;
	bool tx_written : 1;
	bool tx_split : 1;
	bool tx_small_pass : 1;
	bool rx_discard : 1;
	bool rx_ended : 1;
	bool aborted : 1;
	bool lingering : 1;
	bool linger_due : 1;
	bool user_closed : 1;
	bool closing : 1;
	struct list_head tx_frames;
	u32 tx_frame_count;
	u32 tx_staged;
	u32 tx_in_ring;
	u32 tx_ring_bytes;
	bool tx_crowded;
	bool tx_corked;
	struct list_head tx_node;
	u32 tx_deficit;
	struct vsockdev_blob *blob;
	bool vmo_active;
	u64 vmo_left;
	u64 vmo_bytes;
	u32 vmo_frames;
	struct list_head blocked_node;
	unsigned long ask_at;
	unsigned long ask_delay;
	struct list_head rx_chunks;
	u32 rx_message;
	u32 rx_messages;
	struct delayed_work timer;
	unsigned long deadline;
	u32 linger_left;
	unsigned long connect_timeout;
	unsigned long close_timeout;
	u64 bytes_sent;
	u64 bytes_received;
	struct vsockdev_event_slot events[VSOCKDEV_CONN_EVENTS];
};

struct vsockdev_conn *vsockdev_conn_alloc(struct vsockdev *vd,
					  const struct vsockdev_addr *addr,
					  u16 type, gfp_t gfp,
					  work_func_t pump);
void vsockdev_conn_publish(struct vsockdev_conn *conn,
			   enum vsockdev_conn_state state, u32 buf_alloc);
void vsockdev_conn_get(struct vsockdev_conn *conn);
bool vsockdev_conn_tryget(struct vsockdev_conn *conn);
void vsockdev_conn_put(struct vsockdev_conn *conn);

struct vsockdev_conn *vsockdev_conn_find(struct vsockdev *vd,
					 const struct vsockdev_addr *addr);
struct vsockdev_conn *vsockdev_conn_find_dead(struct vsockdev *vd,
					      const struct vsockdev_addr *addr,
					      u64 id);

int vsockdev_conn_make_room(struct vsockdev_conn *conn);
void vsockdev_conn_uncount(struct vsockdev_conn *conn);
void vsockdev_conn_forget(struct vsockdev_conn *conn);
void vsockdev_conn_wake(struct vsockdev_conn *conn);
void vsockdev_conn_wake_to_send(struct vsockdev_conn *conn);
void vsockdev_conn_wake_late(struct vsockdev_conn *conn);
void vsockdev_conn_open(struct vsockdev_conn *conn);
void vsockdev_conn_arm(struct vsockdev_conn *conn, unsigned long timeout);
void vsockdev_conn_disarm(struct vsockdev_conn *conn);
void vsockdev_conn_request_event(struct vsockdev_conn *conn);

/* close.c: how it ends */
void vsockdev_conn_shutdown(struct vsockdev_conn *conn, u32 directions);
void vsockdev_conn_peer_shutdown(struct vsockdev_conn *conn, u32 directions);
void vsockdev_conn_stop_tx(struct vsockdev_conn *conn);
void vsockdev_conn_close(struct vsockdev_conn *conn);
void vsockdev_conn_settle(struct vsockdev_conn *conn);
void vsockdev_conn_vmo_end(struct vsockdev_conn *conn, int status);
void vsockdev_conn_end(struct vsockdev_conn *conn, bool send_rst, u32 reason,
		       int error);
void vsockdev_conn_fail(struct vsockdev_conn *conn, int error);
void vsockdev_conn_end_silently(struct vsockdev_conn *conn, bool send_rst,
				int error);
void vsockdev_conn_event_consumed(struct vsockdev_stream *stream,
				  struct vsockdev_event_slot *slot);

#endif /* VSOCKDEV_CONN_H */
