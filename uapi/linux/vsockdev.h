/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * vsockdev - virtio-vsock as a device file: the user API
 */
#ifndef _UAPI_LINUX_VSOCKDEV_H
#define _UAPI_LINUX_VSOCKDEV_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General ioctl format
 *
 * Every virtio-vsock device is one node, ``/dev/vsockdevN``. The calls are
 * ioctls that take a pointer to the struct of their name; what the host does
 * arrives as records that read() returns.
 *
 * The numbers carry no size, so a struct can grow at its end. The first two
 * members of each struct are @size, which the caller sets to the sizeof() it
 * was compiled with, and @flags. Old programs run on new kernels, where the
 * tail that they do not know counts as zero; new programs run on old kernels
 * as long as the tail that the kernel does not know is zero. Zero in a
 * member means the default, or nothing. Where a call returns values, as many
 * bytes are written as both sides know, and @size becomes the kernel's.
 *
 * vsockdev_get_info.abi_version rises when what a program was compiled for
 * means something else, or is gone. It stays the same when calls, members at
 * the end of a struct, flags, event types, reasons or errors are added. So
 * programs skip events of a type that they do not know, and take a reason that
 * they do not know for an error like the others; a kernel that does not know a
 * flag says EOPNOTSUPP. Until the first release anything may still change, and
 * the version stays 1.
 *
 * The errors that every call can return:
 *
 * ========== ===========================================================
 * ENOTTY     The ioctl number is unknown.
 * EFAULT     The struct cannot be read or written.
 * EINVAL     @size is below that of the first version, a reserved member
 *            is not zero, or a value is out of its range.
 * E2BIG      @size is beyond what this kernel knows and the rest is not
 *            zero, or it is beyond a page.
 * EOPNOTSUPP A flag is unknown.
 * EPERM      The file has not started the device (all but START, GET_CID
 *            and GET_INFO).
 * ENODEV     The device is gone. The file stays open and answers only this.
 * ENOMEM     No memory.
 * ========== ===========================================================
 *
 * Errors of one call are listed with its struct.
 */
#define VSOCKDEV_IOC_TYPE	0xBE

/** define VSOCKDEV_ABI_VERSION - what vsockdev_get_info.abi_version holds */
#define VSOCKDEV_ABI_VERSION	1

/**
 * enum vsockdev_ioctl_nr - ioctl numbers, in the order of the Device protocol
 * @VSOCKDEV_NR_START: Start
 * @VSOCKDEV_NR_STOP: the other end of the Callbacks channel closes
 * @VSOCKDEV_NR_SEND_REQUEST: SendRequest
 * @VSOCKDEV_NR_SEND_RESPONSE: SendResponse
 * @VSOCKDEV_NR_SEND_RST: SendRst
 * @VSOCKDEV_NR_SEND_SHUTDOWN: SendShutdown
 * @VSOCKDEV_NR_SEND_VMO: SendVmo
 * @VSOCKDEV_NR_RESET_DONE: the reply to TransportReset
 * @VSOCKDEV_NR_GET_CID: GetCid
 * @VSOCKDEV_NR_GET_INFO: not in the protocol
 */
enum vsockdev_ioctl_nr {
	VSOCKDEV_NR_START = 0,
	VSOCKDEV_NR_STOP,
	VSOCKDEV_NR_SEND_REQUEST,
	VSOCKDEV_NR_SEND_RESPONSE,
	VSOCKDEV_NR_SEND_RST,
	VSOCKDEV_NR_SEND_SHUTDOWN,
	VSOCKDEV_NR_SEND_VMO,
	VSOCKDEV_NR_RESET_DONE,
	VSOCKDEV_NR_GET_CID,
	VSOCKDEV_NR_GET_INFO,
};

/**
 * struct vsockdev_addr - names a connection
 * @local_port: port on the driver's side
 * @remote_cid: context id of the other side, 2 for the host
 * @remote_port: port on the device's side
 *
 * Local is always the driver and remote always the device, whichever side
 * asked for the connection. There is no local CID: it can only be that of
 * the device node. Source: FIDL ``Addr``.
 */
struct vsockdev_addr {
	__u32 local_port;
	__u32 remote_cid;
	__u32 remote_port;
};

/** define VSOCKDEV_TIMEOUT_NONE - a connect timeout that never ends */
#define VSOCKDEV_TIMEOUT_NONE	0xffffffffU

/** define VSOCKDEV_TIMEOUT_MAX_MS - longest timeout, one day */
#define VSOCKDEV_TIMEOUT_MAX_MS	86400000U

/**
 * struct vsockdev_start - become the owner of the device (ioctl START)
 * @size: sizeof(struct vsockdev_start)
 * @flags: must be 0
 * @event_size: bytes of one event record as read() returns it: the
 *	sizeof(struct vsockdev_event) that the program was compiled with, a
 *	multiple of 8 and at most vsockdev_get_info.max_event_size; what the
 *	kernel does not know is zero. 0 for 64, that of the first version
 * @backlog: REQUESTs from the host that may wait for an answer, read or
 *	unread; one more is answered with RST at once. 0 for 128
 * @max_conns: connections at a time, pending and ending ones included.
 *	0 for 1024
 * @buf_alloc: bytes that the driver holds for one connection when its
 *	socket is full, and so the window that the host sees. 0 for 262144
 * @connect_timeout_ms: time for the host to answer a REQUEST. 0 for 2000,
 *	%VSOCKDEV_TIMEOUT_NONE for no limit
 * @close_timeout_ms: time for the host to answer once both directions are
 *	shut, or to make progress once the program closed its socket. 0 for
 *	8000; it cannot be turned off
 *
 * This open file, and whoever holds it, may now issue the SEND_* calls and
 * read events; the event stream begins empty. The maxima of the members are
 * in struct vsockdev_get_info. Source: FIDL ``Device.Start``.
 *
 * Errors: EBUSY another file is the owner; EALREADY this one is.
 */
struct vsockdev_start {
	__u32 size;
	__u32 flags;
	__u32 event_size;
	__u32 backlog;
	__u32 max_conns;
	__u32 buf_alloc;
	__u32 connect_timeout_ms;
	__u32 close_timeout_ms;
};

#define VSOCKDEV_START	_IO(VSOCKDEV_IOC_TYPE, VSOCKDEV_NR_START)

/**
 * struct vsockdev_stop - give the device up (ioctl STOP)
 * @size: sizeof(struct vsockdev_stop)
 * @flags: must be 0
 *
 * Every connection is reset, unread events are gone, and a read() that waits
 * returns EPIPE. Sockets are given back when their programs have read what they
 * got, and could know of the reset. START works again as soon as this returned.
 * The last close of the owner's file does the same. Source: FIDL ``Device``,
 * end of the Callbacks channel.
 */
struct vsockdev_stop {
	__u32 size;
	__u32 flags;
};

#define VSOCKDEV_STOP	_IO(VSOCKDEV_IOC_TYPE, VSOCKDEV_NR_STOP)

/**
 * struct vsockdev_send_request - ask the host for a connection
 *	(ioctl SEND_REQUEST)
 * @size: sizeof(struct vsockdev_send_request)
 * @flags: must be 0
 * @addr: the new connection
 * @socket_fd: a connected AF_UNIX stream socket or TCP socket, or an AF_UNIX
 *	seqpacket socket, which asks for a SEQPACKET connection. The driver
 *	takes its own reference: the caller may close its descriptor
 * @conn_id: out: the id of the connection; must be 0 on entry
 * @buf_alloc: window of this connection; 0 for that of START
 * @connect_timeout_ms: as in START; 0 for that of START
 * @close_timeout_ms: as in START; 0 for that of START
 * @reserved: must be 0
 *
 * Returns once the REQUEST is queued. A RESPONSE event or an RST event
 * follows. Nothing is taken from the host or sent to it before RESPONSE.
 * Source: FIDL ``Device.SendRequest``; virtio 1.2, 5.10.6.
 *
 * A SEQPACKET connection keeps messages apart. A message can be as long as
 * the window of the side that receives it, and 262144 bytes at most on its
 * way to the program; a longer one ends the connection, and the RST event has
 * the reason %VSOCKDEV_RST_MESSAGE_SIZE. There are no empty messages, as they
 * would read as an end of file: they are dropped.
 *
 * Errors: EADDRINUSE the address is in use, or an RST event of its last
 * connection is still unread; EBADF no such descriptor; ENOTSOCK not a
 * socket; EAFNOSUPPORT neither AF_UNIX nor TCP; EPROTOTYPE a socket type
 * that the device does not carry; ENOTCONN the socket is not connected;
 * EBUSY the socket is in use by another connection or kernel facility;
 * ENOBUFS at the connection limit, or 131072 connections of all devices have
 * sockets; ECONNRESET a transport reset is not acknowledged.
 */
struct vsockdev_send_request {
	__u32 size;
	__u32 flags;
	struct vsockdev_addr addr;
	__s32 socket_fd;
	__aligned_u64 conn_id;
	__u32 buf_alloc;
	__u32 connect_timeout_ms;
	__u32 close_timeout_ms;
	__u32 reserved;
};

#define VSOCKDEV_SEND_REQUEST \
	_IO(VSOCKDEV_IOC_TYPE, VSOCKDEV_NR_SEND_REQUEST)

/**
 * struct vsockdev_send_response - accept a connection (ioctl SEND_RESPONSE)
 * @size: sizeof(struct vsockdev_send_response)
 * @flags: must be 0
 * @addr: the address of a REQUEST event
 * @socket_fd: as in struct vsockdev_send_request, of the type that the REQUEST
 *	event names
 * @conn_id: the id of the REQUEST event, or 0 to go by @addr alone
 * @buf_alloc: window of this connection; 0 for that of START
 * @close_timeout_ms: as in START; 0 for that of START
 *
 * Source: FIDL ``Device.SendResponse``; virtio 1.2, 5.10.6.
 *
 * Errors: ENOTCONN no REQUEST waits at @addr: there never was one, it is
 * answered, or the host withdrew it; ESTALE @conn_id is not the connection
 * at @addr; EPROTOTYPE the socket is of another type than the REQUEST; ENOBUFS
 * 131072 connections of all devices have sockets; the other errors of the
 * socket and ECONNRESET as for SEND_REQUEST.
 */
struct vsockdev_send_response {
	__u32 size;
	__u32 flags;
	struct vsockdev_addr addr;
	__s32 socket_fd;
	__aligned_u64 conn_id;
	__u32 buf_alloc;
	__u32 close_timeout_ms;
};

#define VSOCKDEV_SEND_RESPONSE \
	_IO(VSOCKDEV_IOC_TYPE, VSOCKDEV_NR_SEND_RESPONSE)

/**
 * struct vsockdev_send_rst - refuse or abort a connection (ioctl SEND_RST)
 * @size: sizeof(struct vsockdev_send_rst)
 * @flags: must be 0
 * @addr: the connection
 * @reserved: must be 0
 * @conn_id: its id, or 0 to go by @addr alone
 *
 * RST goes to the host, whether there is a connection or not; the socket is
 * aborted; unread events of the connection are dropped, except for a
 * SEND_VMO_COMPLETE, and none follows. While a transport reset is not
 * acknowledged nothing is left to be reset: this succeeds and does nothing.
 * Source: FIDL ``Device.SendRst``.
 *
 * Errors: ESTALE @conn_id is not the connection at @addr; ENOBUFS there is
 * no connection at @addr and too many replies wait for the host already.
 */
struct vsockdev_send_rst {
	__u32 size;
	__u32 flags;
	struct vsockdev_addr addr;
	__u32 reserved;
	__aligned_u64 conn_id;
};

#define VSOCKDEV_SEND_RST	_IO(VSOCKDEV_IOC_TYPE, VSOCKDEV_NR_SEND_RST)

/* Directions, seen from whoever sends the SHUTDOWN (virtio 1.2, 5.10.6.5) */
#define VSOCKDEV_SHUTDOWN_RECEIVE	(1U << 0)
#define VSOCKDEV_SHUTDOWN_SEND		(1U << 1)

/**
 * struct vsockdev_send_shutdown - end transmission (ioctl SEND_SHUTDOWN)
 * @size: sizeof(struct vsockdev_send_shutdown)
 * @flags: %VSOCKDEV_SHUTDOWN_RECEIVE, %VSOCKDEV_SHUTDOWN_SEND or both;
 *	0 for both
 * @addr: the connection
 * @reserved: must be 0
 * @conn_id: its id, or 0 to go by @addr alone
 *
 * SEND takes effect at once: what the program wrote and was not sent yet is
 * dropped. (A program that wants everything sent shuts down or closes its
 * own end of the socket instead.) What the host still sends is received
 * until the RST event. Source: FIDL ``Device.SendShutdown``.
 *
 * Errors: ENOTCONN no established connection at @addr; EALREADY these
 * directions are shut already; ESTALE @conn_id is not the connection at
 * @addr; ECONNRESET a transport reset is not acknowledged.
 */
struct vsockdev_send_shutdown {
	__u32 size;
	__u32 flags;
	struct vsockdev_addr addr;
	__u32 reserved;
	__aligned_u64 conn_id;
};

#define VSOCKDEV_SEND_SHUTDOWN \
	_IO(VSOCKDEV_IOC_TYPE, VSOCKDEV_NR_SEND_SHUTDOWN)

/**
 * struct vsockdev_send_vmo - send a range of a file (ioctl SEND_VMO)
 * @size: sizeof(struct vsockdev_send_vmo)
 * @flags: must be 0
 * @addr: the connection
 * @vmo_fd: a memfd, a file of tmpfs or hugetlbfs, or a file whose mapping
 *	can be read
 * @conn_id: its id, or 0 to go by @addr alone
 * @offset: first byte of the range
 * @length: bytes of the range
 *
 * The pages are sent without a copy, as part of the stream: ahead of what the
 * program has written and the driver has not taken yet, and nothing of the
 * program goes in between. So they are not to be written to until a
 * SEND_VMO_COMPLETE event says that the device has returned the last one; what
 * is written there meanwhile may be sent. Holes of a memfd are sent as zeroes
 * and stay holes. The driver takes its own reference to the file, until the
 * last page was looked up. Source: FIDL ``Device.SendVmo``.
 *
 * There is one SEND_VMO_COMPLETE for each SEND_VMO that returned 0. Its status
 * is 0 if all was sent; EIO if the file was truncated or could not be read,
 * which also ends the connection; EPIPE after a SHUTDOWN of either side;
 * ECANCELED after SEND_RST; ENODEV if the device was removed; else the error of
 * the RST event that follows, or ECONNRESET. When a connection ends first, the
 * event comes at once, and the device may still read the pages until it
 * returns them.
 *
 * Errors: ENOTCONN no established connection at @addr; EPIPE its sending
 * direction is over; EPROTOTYPE it is a SEQPACKET connection; EBUSY the last
 * one's SEND_VMO_COMPLETE was not read yet; EINVAL @length is 0 or the range
 * passes the end of the file; EBADF not open for reading; EACCES a security
 * module forbids to read the file; EOPNOTSUPP a file of another kind; ESTALE
 * @conn_id is not the connection at @addr; ECONNRESET a transport reset is not
 * acknowledged.
 */
struct vsockdev_send_vmo {
	__u32 size;
	__u32 flags;
	struct vsockdev_addr addr;
	__s32 vmo_fd;
	__aligned_u64 conn_id;
	__aligned_u64 offset;
	__aligned_u64 length;
};

#define VSOCKDEV_SEND_VMO	_IO(VSOCKDEV_IOC_TYPE, VSOCKDEV_NR_SEND_VMO)

/**
 * struct vsockdev_reset_done - acknowledge a transport reset
 *	(ioctl RESET_DONE)
 * @size: sizeof(struct vsockdev_reset_done)
 * @flags: must be 0
 * @generation: that of the TRANSPORT_RESET event
 *
 * After a transport reset SEND_REQUEST, SEND_RESPONSE, SEND_SHUTDOWN and
 * SEND_VMO fail with ECONNRESET until this call, so that none of them, meant
 * for a connection that is gone, can meet one with the new host. REQUESTs of
 * the new host wait meanwhile, and are told after this call. Source: FIDL
 * ``Callbacks.TransportReset``, its reply.
 *
 * Errors: EALREADY no reset is waiting; ESTALE @generation is not that of the
 * last reset.
 */
struct vsockdev_reset_done {
	__u32 size;
	__u32 flags;
	__aligned_u64 generation;
};

#define VSOCKDEV_RESET_DONE	_IO(VSOCKDEV_IOC_TYPE, VSOCKDEV_NR_RESET_DONE)

/**
 * struct vsockdev_get_cid - the guest's context id (ioctl GET_CID)
 * @size: sizeof(struct vsockdev_get_cid)
 * @flags: must be 0
 * @cid: out: as last read from the device's configuration
 * @reserved: must be 0
 *
 * Any open file may ask. Source: FIDL ``Device.GetCid``.
 */
struct vsockdev_get_cid {
	__u32 size;
	__u32 flags;
	__u32 cid;
	__u32 reserved;
};

#define VSOCKDEV_GET_CID	_IO(VSOCKDEV_IOC_TYPE, VSOCKDEV_NR_GET_CID)

/**
 * struct vsockdev_get_info - limits and counters (ioctl GET_INFO)
 * @size: sizeof(struct vsockdev_get_info)
 * @flags: must be 0
 * @abi_version: out: %VSOCKDEV_ABI_VERSION of the driver
 * @cid: out: as GET_CID
 * @features: out: virtio feature bits that driver and device agreed on
 * @max_event_size: out: largest vsockdev_start.event_size
 * @max_backlog: out: largest vsockdev_start.backlog
 * @max_conns: out: largest vsockdev_start.max_conns
 * @min_buf_alloc: out: smallest buf_alloc of START, SEND_REQUEST and
 *	SEND_RESPONSE
 * @max_buf_alloc: out: largest one
 * @conns: out: connections now, pending and ending ones included
 * @generation: out: transport resets so far
 * @rx_packets: out: packets received
 * @rx_bytes: out: payload bytes received
 * @tx_packets: out: packets sent
 * @tx_bytes: out: payload bytes sent
 * @rx_malformed: out: packets dropped, as no sense could be made of them
 * @rx_unknown: out: packets for no connection
 * @rx_violations: out: connections reset as the host broke the protocol
 * @rx_discarded: out: payload bytes dropped, as the program had closed its
 *	side for them
 * @refused: out: REQUESTs answered with RST by the driver itself: no owner,
 *	backlog or connection limit reached
 * @timeouts: out: connections that ended by a timeout
 * @credit_requests: out: CREDIT_REQUESTs sent
 * @credit_updates: out: CREDIT_UPDATEs sent
 *
 * Any open file may ask. Counters start at 0 when the device is probed.
 */
struct vsockdev_get_info {
	__u32 size;
	__u32 flags;
	__u32 abi_version;
	__u32 cid;
	__aligned_u64 features;
	__u32 max_event_size;
	__u32 max_backlog;
	__u32 max_conns;
	__u32 min_buf_alloc;
	__u32 max_buf_alloc;
	__u32 conns;
	__aligned_u64 generation;
	__aligned_u64 rx_packets;
	__aligned_u64 rx_bytes;
	__aligned_u64 tx_packets;
	__aligned_u64 tx_bytes;
	__aligned_u64 rx_malformed;
	__aligned_u64 rx_unknown;
	__aligned_u64 rx_violations;
	__aligned_u64 rx_discarded;
	__aligned_u64 refused;
	__aligned_u64 timeouts;
	__aligned_u64 credit_requests;
	__aligned_u64 credit_updates;
};

#define VSOCKDEV_GET_INFO	_IO(VSOCKDEV_IOC_TYPE, VSOCKDEV_NR_GET_INFO)

/**
 * DOC: Events
 *
 * read() returns whole records of the size agreed in START, as many as fit
 * and are there; they are in the order in which things happened. It waits
 * for the first one unless the file is O_NONBLOCK. A record that could not
 * be copied out is not lost. poll() says when there is one; of a file that is
 * not the owner it says nothing, until the device is gone.
 *
 * ======= ==============================================================
 * EINVAL  The buffer is smaller than one record.
 * EAGAIN  O_NONBLOCK, and there is none.
 * EPERM   The file is not the owner.
 * EPIPE   STOP was called while this read waited.
 * EFAULT  The buffer cannot be written.
 * EINTR   A signal ended the wait.
 * ENODEV  The device is gone; poll() says EPOLLHUP and EPOLLERR.
 * ======= ==============================================================
 */

/**
 * enum vsockdev_event_type - what an event tells (FIDL ``Callbacks``)
 * @VSOCKDEV_EVENT_REQUEST: the host asks for a connection; SEND_RESPONSE or
 *	SEND_RST answers it. If the host gives up before this event is read,
 *	it vanishes; after that, RST follows
 * @VSOCKDEV_EVENT_RESPONSE: the host accepted a SEND_REQUEST; data flows
 * @VSOCKDEV_EVENT_RST: the connection is over. Bytes already received may
 *	still be on their way into the program's socket
 * @VSOCKDEV_EVENT_SHUTDOWN: the host will not send, or not receive, more.
 *	A direction is told once; two directions told before the first was
 *	read may come as one event
 * @VSOCKDEV_EVENT_TRANSPORT_RESET: the host is another one, or the same after
 *	a snapshot or migration, or the guest was suspended. Every connection
 *	is gone, its program reads ECONNRESET, and no other event tells of it:
 *	what was unread vanished, except for SEND_VMO_COMPLETE. RESET_DONE
 *	acknowledges it. Of several resets only the last one is told
 * @VSOCKDEV_EVENT_SEND_VMO_COMPLETE: a SEND_VMO came to its end
 *
 * A reader skips types that it does not know.
 */
enum vsockdev_event_type {
	VSOCKDEV_EVENT_REQUEST = 1,
	VSOCKDEV_EVENT_RESPONSE,
	VSOCKDEV_EVENT_RST,
	VSOCKDEV_EVENT_SHUTDOWN,
	VSOCKDEV_EVENT_TRANSPORT_RESET,
	VSOCKDEV_EVENT_SEND_VMO_COMPLETE,
};

/**
 * enum vsockdev_rst_reason - why a connection is over
 * @VSOCKDEV_RST_REFUSED: the host answered a REQUEST with RST (ECONNREFUSED)
 * @VSOCKDEV_RST_PEER_RESET: the host reset the connection, or withdrew its
 *	REQUEST (ECONNRESET)
 * @VSOCKDEV_RST_SHUTDOWN: both directions had been shut (0)
 * @VSOCKDEV_RST_LOCAL_CLOSE: the program closed its end of the socket (0, or
 *	ECONNRESET when it left received data unread)
 * @VSOCKDEV_RST_TIMED_OUT: a connect or close timeout ran out (ETIMEDOUT)
 * @VSOCKDEV_RST_PROTOCOL: the host broke the protocol (EPROTO)
 * @VSOCKDEV_RST_MESSAGE_SIZE: a SEQPACKET message, of either side, that is
 *	larger than the window (EMSGSIZE)
 * @VSOCKDEV_RST_LOCAL_ERROR: this side failed; the error says how (ENOMEM,
 *	or that of the socket)
 *
 * The error in brackets is in vsockdev_event.rst.error.
 */
enum vsockdev_rst_reason {
	VSOCKDEV_RST_REFUSED = 1,
	VSOCKDEV_RST_PEER_RESET,
	VSOCKDEV_RST_SHUTDOWN,
	VSOCKDEV_RST_LOCAL_CLOSE,
	VSOCKDEV_RST_TIMED_OUT,
	VSOCKDEV_RST_PROTOCOL,
	VSOCKDEV_RST_MESSAGE_SIZE,
	VSOCKDEV_RST_LOCAL_ERROR,
};

/* Socket types as the transport numbers them (virtio 1.2, 5.10.6) */
#define VSOCKDEV_TYPE_STREAM	1U
#define VSOCKDEV_TYPE_SEQPACKET	2U

/**
 * struct vsockdev_event - one record of the event stream
 * @type: enum vsockdev_event_type
 * @addr: the connection; zero for TRANSPORT_RESET
 * @conn_id: its id, never used twice in the life of a device
 * @seq: order of occurrence across the whole stream; gaps are allowed
 * @time_ns: CLOCK_MONOTONIC when it occurred, nanoseconds
 * @request: of REQUEST
 * @request.socket_type: %VSOCKDEV_TYPE_STREAM or %VSOCKDEV_TYPE_SEQPACKET
 * @rst: of RST
 * @rst.reason: enum vsockdev_rst_reason
 * @rst.error: errno-like detail, positive, or 0
 * @rst.bytes_sent: payload that was put into the transport
 * @rst.bytes_received: payload that was taken from it
 * @shutdown: of SHUTDOWN
 * @shutdown.directions: VSOCKDEV_SHUTDOWN_*, as the host means them: SEND is
 *	that the host will not send more
 * @transport_reset: of TRANSPORT_RESET
 * @transport_reset.new_cid: the guest's context id from now on
 * @transport_reset.generation: for RESET_DONE
 * @vmo: of SEND_VMO_COMPLETE
 * @vmo.status: 0, or an errno, positive
 * @vmo.bytes: bytes that were put into the transport
 */
struct vsockdev_event {
	__u32 type;
	struct vsockdev_addr addr;
	__aligned_u64 conn_id;
	__aligned_u64 seq;
	__aligned_u64 time_ns;
	union {
		struct {
			__u32 socket_type;
			__u32 reserved;
		} request;
		struct {
			__u32 reason;
			__s32 error;
			__aligned_u64 bytes_sent;
			__aligned_u64 bytes_received;
		} rst;
		struct {
			__u32 directions;
			__u32 reserved;
		} shutdown;
		struct {
			__u32 new_cid;
			__u32 reserved;
			__aligned_u64 generation;
		} transport_reset;
		struct {
			__s32 status;
			__u32 reserved;
			__aligned_u64 bytes;
		} vmo;
	};
};

#endif /* _UAPI_LINUX_VSOCKDEV_H */
