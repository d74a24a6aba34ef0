/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvsockdev - virtio-vsock as a device file, for programs
 *
 * A thin layer on the ABI of <linux/vsockdev.h>, whose records and addresses
 * it uses as they are. Functions that return an int return -1 on failure and
 * leave the reason in errno; the reasons are listed with the structs of the
 * ABI. A device may be used by several threads at a time, except that its
 * close must be the last use.
 */
#ifndef LIBVSOCKDEV_H
#define LIBVSOCKDEV_H

#include <linux/vsockdev.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct vsockdev - an open device node */
struct vsockdev;

/**
 * struct vsockdev_conn_options - what a connection may have of its own
 * @buf_alloc: window in bytes
 * @connect_timeout_ms: time for the host to answer, not used by a response
 * @close_timeout_ms: time for the host to confirm the end
 *
 * Zero in a member, or no options at all, takes the value of START.
 */
struct vsockdev_conn_options {
	uint32_t buf_alloc;
	uint32_t connect_timeout_ms;
	uint32_t close_timeout_ms;
};

/**
 * vsockdev_open() - open a device node
 * @path: its path, such as "/dev/vsockdev0"
 *
 * The descriptor is close-on-exec and non-blocking.
 *
 * Return: the device, to be freed by vsockdev_close(), or NULL.
 */
struct vsockdev *vsockdev_open(const char *path);

/**
 * vsockdev_adopt() - use a device node that is open already
 * @fd: its descriptor, as got from another process; becomes non-blocking
 *
 * Whoever opened it may have started it: the ownership is the file's. The
 * library then expects that START asked for its own size of event records.
 *
 * Return: the device, which now owns @fd, or NULL, and @fd is left open.
 */
struct vsockdev *vsockdev_adopt(int fd);

/**
 * vsockdev_close() - close a device node
 * @dev: the device, or NULL
 *
 * If this is the last descriptor of the owner's file, the device stops.
 */
void vsockdev_close(struct vsockdev *dev);

/**
 * vsockdev_fd() - the descriptor of a device, for poll()
 * @dev: the device
 *
 * Return: the descriptor, still owned by @dev.
 */
int vsockdev_fd(const struct vsockdev *dev);

/**
 * vsockdev_ioctl() - issue an ioctl as it is
 * @dev: the device
 * @request: its number, such as VSOCKDEV_START
 * @arg: its struct, with @size and @flags set by the caller
 *
 * For what the functions below do not offer.
 *
 * Return: 0, or -1.
 */
int vsockdev_ioctl(struct vsockdev *dev, unsigned long request, void *arg);

/**
 * vsockdev_start() - become the owner of the device
 * @dev: the device
 * @options: limits and timeouts, or NULL for the defaults; @size, @flags and
 *	@event_size are set by the library
 *
 * Return: 0, or -1.
 */
int vsockdev_start(struct vsockdev *dev, const struct vsockdev_start *options);

/**
 * vsockdev_stop() - give the device up, and every connection with it
 * @dev: the device
 *
 * Return: 0, or -1.
 */
int vsockdev_stop(struct vsockdev *dev);

/**
 * vsockdev_get_cid() - the guest's context id
 * @dev: the device; it need not be started
 * @cid: where to put it
 *
 * Return: 0, or -1.
 */
int vsockdev_get_cid(struct vsockdev *dev, uint32_t *cid);

/**
 * vsockdev_get_info() - limits and counters
 * @dev: the device; it need not be started
 * @info: where to put them; what an older kernel does not tell is 0
 *
 * Return: 0, or -1.
 */
int vsockdev_get_info(struct vsockdev *dev, struct vsockdev_get_info *info);

/**
 * vsockdev_send_request() - ask the host for a connection
 * @dev: the device, started
 * @addr: the new connection
 * @socket_fd: the socket for the driver; still the caller's to close
 * @options: window and timeouts, or NULL
 * @conn_id: where to put the connection's id, or NULL
 *
 * Return: 0, or -1.
 */
int vsockdev_send_request(struct vsockdev *dev,
			  const struct vsockdev_addr *addr, int socket_fd,
			  const struct vsockdev_conn_options *options,
			  uint64_t *conn_id);

/**
 * vsockdev_send_response() - accept a connection
 * @dev: the device, started
 * @addr: address of the REQUEST event
 * @conn_id: its id, or 0 to go by @addr alone
 * @socket_fd: the socket for the driver; still the caller's to close
 * @options: window and timeouts, or NULL
 *
 * Return: 0, or -1.
 */
int vsockdev_send_response(struct vsockdev *dev,
			   const struct vsockdev_addr *addr, uint64_t conn_id,
			   int socket_fd,
			   const struct vsockdev_conn_options *options);

/**
 * vsockdev_send_rst() - refuse or abort a connection
 * @dev: the device, started
 * @addr: the connection
 * @conn_id: its id, or 0 to go by @addr alone
 *
 * Return: 0, or -1.
 */
int vsockdev_send_rst(struct vsockdev *dev, const struct vsockdev_addr *addr,
		      uint64_t conn_id);

/**
 * vsockdev_send_shutdown() - end transmission at once
 * @dev: the device, started
 * @addr: the connection
 * @conn_id: its id, or 0 to go by @addr alone
 * @directions: VSOCKDEV_SHUTDOWN_*, or 0 for both
 *
 * Return: 0, or -1.
 */
int vsockdev_send_shutdown(struct vsockdev *dev,
			   const struct vsockdev_addr *addr, uint64_t conn_id,
			   uint32_t directions);

/**
 * vsockdev_send_vmo() - send a range of a file, without a copy
 * @dev: the device, started
 * @addr: the connection
 * @conn_id: its id, or 0 to go by @addr alone
 * @vmo_fd: the file
 * @offset: first byte
 * @length: bytes, at least 1
 *
 * The range is not to be written to until a SEND_VMO_COMPLETE event came.
 *
 * Return: 0, or -1.
 */
int vsockdev_send_vmo(struct vsockdev *dev, const struct vsockdev_addr *addr,
		      uint64_t conn_id, int vmo_fd, uint64_t offset,
		      uint64_t length);

/**
 * vsockdev_reset_done() - acknowledge a transport reset
 * @dev: the device, started
 * @generation: that of the TRANSPORT_RESET event
 *
 * Until then there are no new connections.
 *
 * Return: 0, or -1.
 */
int vsockdev_reset_done(struct vsockdev *dev, uint64_t generation);

/**
 * vsockdev_read_events() - take the events that are there
 * @dev: the device, started
 * @events: where to put them
 * @count: how many fit, at least 1
 *
 * Never waits.
 *
 * Return: how many were taken, 0 if there is none, or -1.
 */
int vsockdev_read_events(struct vsockdev *dev, struct vsockdev_event *events,
			 size_t count);

/**
 * vsockdev_wait() - wait for events
 * @dev: the device, started
 * @timeout_ms: longest wait in milliseconds, -1 for no limit
 *
 * An event that was there can be withdrawn before it is read, so that a read
 * after this finds nothing; vsockdev_next_event() copes with it.
 *
 * Return: 1 if a read has something to tell (an error too), 0 if the time ran
 * out, or -1.
 */
int vsockdev_wait(struct vsockdev *dev, int timeout_ms);

/**
 * vsockdev_next_event() - wait for one event and take it
 * @dev: the device, started
 * @event: where to put it
 * @timeout_ms: longest wait in milliseconds, -1 for no limit
 *
 * Return: 1, 0 if the time ran out, or -1.
 */
int vsockdev_next_event(struct vsockdev *dev, struct vsockdev_event *event,
			int timeout_ms);

/**
 * vsockdev_connect() - ask the host for a connection on a new socket
 * @dev: the device, started
 * @addr: the new connection
 * @type: SOCK_STREAM or SOCK_SEQPACKET
 * @options: window and timeouts, or NULL
 * @conn_id: where to put the connection's id, or NULL
 *
 * Does not wait: a RESPONSE or RST event tells what the host said. What is
 * written before waits in the socket.
 *
 * Return: the program's end of the socket, close-on-exec, or -1.
 */
int vsockdev_connect(struct vsockdev *dev, const struct vsockdev_addr *addr,
		     int type, const struct vsockdev_conn_options *options,
		     uint64_t *conn_id);

/**
 * vsockdev_accept() - accept a connection on a new socket
 * @dev: the device, started
 * @request: the REQUEST event
 * @options: window and timeouts, or NULL
 *
 * Return: the program's end of the socket, of the type that the host asked
 * for and close-on-exec, or -1.
 */
int vsockdev_accept(struct vsockdev *dev, const struct vsockdev_event *request,
		    const struct vsockdev_conn_options *options);

/**
 * vsockdev_event_name() - name of an event type
 * @type: enum vsockdev_event_type
 *
 * Return: a word such as "transport_reset", or "unknown".
 */
const char *vsockdev_event_name(uint32_t type);

/**
 * vsockdev_rst_reason_name() - name of the reason of an RST event
 * @reason: enum vsockdev_rst_reason
 *
 * Return: a word such as "peer_reset", or "unknown".
 */
const char *vsockdev_rst_reason_name(uint32_t reason);

/**
 * vsockdev_rst_strerror() - the reason of an RST event for people
 * @reason: enum vsockdev_rst_reason
 *
 * Return: a phrase such as "reset by the host".
 */
const char *vsockdev_rst_strerror(uint32_t reason);

/**
 * vsockdev_socket_type_name() - name of a socket type
 * @socket_type: VSOCKDEV_TYPE_*, as in REQUEST events
 *
 * Return: "stream", "seqpacket" or "unknown".
 */
const char *vsockdev_socket_type_name(uint32_t socket_type);

#ifdef __cplusplus
}
#endif

#endif
