// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - what a program has written into its socket
 *
 * DOC: Part of sock.c, whose rules hold here, too.
 *
 * What a program writes into an AF_UNIX socket is taken out of the receive
 * queue at once, as whole skbs, which stay charged to its send buffer. That
 * charge is the back-pressure. They must not be left in the receive queue
 * until there is credit: a descriptor sent along could be that of our own
 * device, which then could never be closed. Taking an skb out drops the
 * descriptors.
 */
#include <linux/net.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/uio.h>
#include <net/af_unix.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "claim.h"
#include "compat.h"
#include "conn.h"
#include "frame.h"
#include "sock.h"

/* Times that a receive queue is looked at in one go */
#define DRAIN_MAX	4096

/* Bytes of a TCP stream that are thrown away in one go */
#define DISCARD_MAX	SZ_1M

/* Bytes of the skbs into which AF_UNIX cuts a large write */
#define UNIX_PART	(SKB_MAX_HEAD(0) + (PAGE_SIZE << get_order(SZ_32K)))

/* Bytes of an skb from which on a reference is cheaper than a copy */
#define LEND_MIN	SZ_2K

/* Somebody may have read a part of it before we came */
static u32 consumed(const struct vsockdev_sock *vs, const struct sk_buff *skb)
{
	return vs->seqpacket ? 0 : vsockdev_compat_unix_consumed(skb);
}

/*
 * Drops what was sent along with the bytes. Who wrote them pays all the time,
 * and thereby stays.
 */
static void drop_rights(struct sk_buff *skb)
{
	struct sock *writer = skb->sk;

	refcount_add(skb->truesize, &writer->sk_wmem_alloc);
	skb_orphan(skb);
	skb->sk = writer;
	skb->destructor = sock_wfree;
}

static int take_skb(struct sock *sk, struct sk_buff *skb)
{
	struct vsockdev_sock *vs;
	u32 offset;

	/* Kernels from 6.12 on leave them there, or drop them themselves */
	if (UNIXCB(skb).fp)
		drop_rights(skb);
	rcu_read_lock();
	vs = rcu_dereference_sk_user_data(sk);
	rcu_read_unlock();

	/* This also drops empty messages, which would read as an end of file */
	offset = consumed(vs, skb);
	if (skb->len <= offset) {
		consume_skb(skb);
		return 0;
	}
	if (skb_queue_empty(&vs->skbs))
		vs->offset = offset;
	__skb_queue_tail(&vs->skbs, skb);
	vs->pending += skb->len - offset;
	return 0;
}

/*
 * AF_UNIX has no read_skb() for this type, and recvmsg() would copy. The lock
 * is the one under which a program that reads our end looks at the skb.
 */
static int read_message_skb(struct sock *sk)
{
	struct sk_buff *skb;
	int ret;

	mutex_lock(&unix_sk(sk)->iolock);
	skb = skb_recv_datagram(sk, MSG_DONTWAIT, &ret);
	mutex_unlock(&unix_sk(sk)->iolock);
	return skb ? take_skb(sk, skb) : ret;
}

/* The same, where read_skb() races with a program that reads urgent data */
static int read_part_skb(struct sock *sk)
{
	struct sk_buff_head *queue = &sk->sk_receive_queue;
	struct sk_buff *skb;
	bool urgent;

	mutex_lock(&unix_sk(sk)->iolock);
	unix_state_lock(sk);
	spin_lock(&queue->lock);
	skb = __skb_dequeue(queue);
	urgent = skb && vsockdev_compat_unix_forget_oob(sk, skb);
	spin_unlock(&queue->lock);
	unix_state_unlock(sk);
	mutex_unlock(&unix_sk(sk)->iolock);
	if (urgent)
		kfree_skb(skb);
	return skb && !urgent ? take_skb(sk, skb) : -EAGAIN;
}

static int read_skb(struct vsockdev_sock *vs)
{
	struct sock *sk = vs->sock->sk;

	if (vs->seqpacket)
		return read_message_skb(sk);
	if (VSOCKDEV_COMPAT_READ_SKB_RACES)
		return read_part_skb(sk);
	return vs->sock->ops->read_skb(sk, take_skb);
}

static void drain_unix(struct vsockdev_sock *vs)
{
	struct sock *sk = vs->sock->sk;
	int budget = DRAIN_MAX;

	while (!skb_queue_empty_lockless(&sk->sk_receive_queue)) {
		int ret;

		/*
		 * A writer of empty messages is never full. When nobody writes
		 * any more, it is the end that is looked for.
		 */
		if (!(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN) &&
		    !budget--) {
			vsockdev_conn_wake(vs->conn);
			break;
		}
		cond_resched();
		ret = read_skb(vs);
		/* After an out-of-band byte there is EAGAIN, and yet more */
		if (ret < 0 && ret != -EAGAIN) {
			vsockdev_sock_note_error(vs, ret);
			break;
		}
	}
}

/*
 * What ioctl(SIOCINQ) tells stops at urgent data; this does not. The FIN has
 * a sequence number, too, but is nothing to read.
 */
static size_t tcp_pending(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 unread = READ_ONCE(tp->rcv_nxt) - READ_ONCE(tp->copied_seq);

	if (unread && sock_flag(sk, SOCK_DONE))
		unread--;
	return unread;
}

/*
 * TCP notes its last bytes and then the FIN, in no order but that of its lock:
 * whoever has seen the FIN looks again.
 */
static size_t tcp_pending_or_end(struct sock *sk)
{
	size_t pending = tcp_pending(sk);

	if (!pending && (READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN)) {
		lock_sock(sk);
		pending = tcp_pending(sk);
		release_sock(sk);
	}
	return pending;
}

/**
 * vsockdev_sock_is_read() - tells whether a program reads from our end
 * @vs: the socket, an AF_UNIX one
 *
 * Return: true if to look for bytes means to wait for that program, for as
 * long as it likes.
 */
bool vsockdev_sock_is_read(const struct vsockdev_sock *vs)
{
	return mutex_is_locked(&unix_sk(vs->sock->sk)->iolock);
}

/**
 * vsockdev_sock_pending() - bytes that the program wrote and we did not read
 * @vs: the socket
 *
 * Return: how many; for TCP an urgent byte is among them that will be skipped.
 */
size_t vsockdev_sock_pending(struct vsockdev_sock *vs)
{
	if (vs->tcp)
		return tcp_pending_or_end(vs->sock->sk);
	drain_unix(vs);
	return vs->pending;
}

/**
 * vsockdev_sock_in_write() - tells whether more is about to come
 * @vs: the socket, an AF_UNIX one
 *
 * Return: true if the last bytes look like a part of a larger write. There may
 * be no more all the same.
 */
bool vsockdev_sock_in_write(const struct vsockdev_sock *vs)
{
	const struct sk_buff *skb = skb_peek_tail(&vs->skbs);

	return skb && skb->len == UNIX_PART && !vs->seqpacket;
}

/**
 * vsockdev_sock_message() - length of the message that is to be read next
 * @vs: the socket
 *
 * Return: bytes; 0 if there is none, if a part of it was read already, or if
 * the socket has no messages.
 */
u32 vsockdev_sock_message(const struct vsockdev_sock *vs)
{
	const struct sk_buff *skb = skb_peek(&vs->skbs);

	return skb && vs->seqpacket && !vs->offset ? skb->len : 0;
}

/**
 * vsockdev_sock_packet() - bytes that one packet can have
 * @vs: the socket
 * @pending: bytes that the program wrote
 *
 * Return: @pending, or what is left of the first message.
 */
size_t vsockdev_sock_packet(const struct vsockdev_sock *vs, size_t pending)
{
	const struct sk_buff *skb = skb_peek(&vs->skbs);

	return skb && vs->seqpacket ? skb->len - vs->offset : pending;
}

/*
 * Bytes of the first skb were taken. Its writer has paid for it as long as it
 * waited here; what the TX queue keeps of it is bounded there.
 */
static void taken(struct vsockdev_sock *vs, struct vsockdev_frame *frame,
		  u32 len)
{
	struct sk_buff *skb = skb_peek(&vs->skbs);

	vs->pending -= len;
	vs->offset += len;
	if (vs->offset < skb->len)
		return;
	__skb_unlink(skb, &vs->skbs);
	skb_orphan(skb);
	consume_skb(skb);
	skb = skb_peek(&vs->skbs);
	vs->offset = skb ? consumed(vs, skb) : 0;
	/* A message is an skb: no frame goes past its end */
	if (vs->seqpacket)
		frame->flags = VIRTIO_VSOCK_SEQ_EOM;
}

/* How much of the first skb fits into a frame of up to @len bytes */
static u32 first_part(const struct vsockdev_sock *vs,
		      const struct vsockdev_frame *frame, u32 len)
{
	const struct sk_buff *skb = skb_peek(&vs->skbs);

	if (!skb || frame->flags)
		return 0;
	return min(len - frame->len, skb->len - vs->offset);
}

/* A frame of up to @len bytes may begin with a reference to the first skb */
static bool may_lend(const struct vsockdev_sock *vs, u32 len, u32 runs)
{
	const struct sk_buff *skb = skb_peek(&vs->skbs);

	return runs > 1 && skb && min(len, skb->len - vs->offset) >= LEND_MIN;
}

static struct vsockdev_frame *lend_unix(struct vsockdev_sock *vs, u32 len,
					u32 runs)
{
	struct vsockdev_frame *frame;
	u32 part;

	len = min_t(u32, len, VSOCKDEV_PAGED_MAX);
	if (!may_lend(vs, len, runs))
		return NULL;
	frame = vsockdev_frame_alloc_lent(GFP_KERNEL_ACCOUNT);
	if (!frame)
		return NULL;
	while ((part = first_part(vs, frame, len)) >= LEND_MIN) {
		if (!vsockdev_frame_add_skb(frame, skb_peek(&vs->skbs),
					    vs->offset, part, runs))
			break;
		taken(vs, frame, part);
	}
	if (frame->len)
		return frame;
	vsockdev_frame_free(frame);
	return NULL;
}

static void copy_unix(struct vsockdev_sock *vs, struct vsockdev_frame *frame,
		      u32 len, u32 runs)
{
	u8 *payload = frame->data + VSOCKDEV_HDR_LEN;
	u32 part;

	while ((part = first_part(vs, frame, len))) {
		if (skb_copy_bits(skb_peek(&vs->skbs), vs->offset,
				  payload + frame->len, part))
			break;
		frame->len += part;
		taken(vs, frame, part);
		if (may_lend(vs, U32_MAX, runs))
			break;
	}
}

static ssize_t receive_tcp(struct vsockdev_sock *vs, struct msghdr *msg,
			   int flags)
{
	int ret = sock_recvmsg(vs->sock, msg, MSG_DONTWAIT | flags);

	if (ret < 0 && ret != -EAGAIN)
		vsockdev_sock_note_error(vs, ret);
	return max(ret, 0);
}

static ssize_t read_tcp(struct vsockdev_sock *vs, void *to, size_t len)
{
	struct kvec vec = { .iov_base = to, .iov_len = len };
	struct msghdr msg = {};

	iov_iter_kvec(&msg.msg_iter, ITER_DEST, &vec, 1, len);
	return receive_tcp(vs, &msg, 0);
}

/**
 * vsockdev_sock_read() - make a packet of what the program wrote
 * @vs: the socket
 * @len: how many bytes at most
 * @runs: pieces of memory that a packet may consist of
 *
 * Return: the frame, without a payload if there is none now, or NULL for lack
 * of memory.
 */
struct vsockdev_frame *vsockdev_sock_read(struct vsockdev_sock *vs, u32 len,
					  u32 runs)
{
	struct vsockdev_frame *frame = lend_unix(vs, len, runs);

	if (frame)
		return frame;
	frame = vsockdev_frame_alloc(len, GFP_KERNEL_ACCOUNT);
	if (!frame)
		return NULL;
	len = min(len, frame->room);
	if (vs->tcp)
		frame->len = read_tcp(vs, frame->data + VSOCKDEV_HDR_LEN, len);
	else
		copy_unix(vs, frame, len, runs);
	return frame;
}

/*
 * With MSG_TRUNC, TCP drops the bytes and copies nothing. A program may have put
 * TLS between us, which knows no such thing; if that comes only now, it fails.
 */
static bool discard_tcp(struct vsockdev_sock *vs)
{
	struct msghdr msg = {};
	u8 bytes[256];

	if (inet_csk_has_ulp(vs->sock->sk))
		return read_tcp(vs, bytes, sizeof(bytes));
	iov_iter_discard(&msg.msg_iter, ITER_DEST, DISCARD_MAX);
	return receive_tcp(vs, &msg, MSG_TRUNC);
}

/**
 * vsockdev_sock_discard() - drop bytes that the program wrote
 * @vs: the socket
 *
 * Return: true if there are more that can be dropped now.
 */
bool vsockdev_sock_discard(struct vsockdev_sock *vs)
{
	if (vs->tcp)
		return tcp_pending(vs->sock->sk) && discard_tcp(vs) &&
		       tcp_pending(vs->sock->sk);
	drain_unix(vs);
	__skb_queue_purge(&vs->skbs);
	vs->pending = 0;
	return false;
}
