// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - connections of a scene, and the programs that have them
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "calls.h"
#include "scene.h"

/**
 * scene_close_fd() - close a descriptor, and wait for it
 * @fd: of the current process
 */
void scene_close_fd(int fd)
{
	close_fd(fd);
	flush_delayed_fput();
}

/**
 * scene_socketpair() - make the two ends of a socket
 * @scene: the scene
 * @type: SOCK_STREAM or SOCK_SEQPACKET
 * @user: out: the program's end
 *
 * Return: a descriptor of the end that the driver gets.
 */
int scene_socketpair(struct scene *scene, int type, struct socket **user)
{
	struct kunit *test = scene->test;
	struct socket *ours;
	struct file *file;
	int fd;

	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, AF_UNIX, type, 0,
					       &ours), 0);
	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, AF_UNIX, type, 0,
					       user), 0);
	KUNIT_ASSERT_EQ(test, ours->ops->socketpair(ours, *user), 0);
	fd = get_unused_fd_flags(0);
	KUNIT_ASSERT_GE(test, fd, 0);
	file = sock_alloc_file(ours, 0, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	fd_install(fd, file);
	return fd;
}

static void peer_addr(const struct scene_peer *peer,
		      struct vsockdev_addr *addr)
{
	addr->local_port = peer->local_port;
	addr->remote_cid = SCENE_HOST_CID;
	addr->remote_port = peer->remote_port;
}

/**
 * scene_find() - find a connection that is not over
 * @scene: the scene
 * @peer: the host's side of it
 *
 * Return: it, with a reference, or NULL.
 */
struct vsockdev_conn *scene_find(struct scene *scene,
				 const struct scene_peer *peer)
{
	struct vsockdev_conn *conn;
	struct vsockdev_addr addr;

	peer_addr(peer, &addr);
	spin_lock(&scene->vd->lock);
	conn = vsockdev_conn_find(scene->vd, &addr);
	if (conn)
		vsockdev_conn_get(conn);
	spin_unlock(&scene->vd->lock);
	return conn;
}

/**
 * scene_send_response() - issue SEND_RESPONSE
 * @scene: the scene
 * @peer: the host's side of the connection
 * @id: of it, or 0
 * @fd: the socket, closed by this
 *
 * Return: what the call returns.
 */
int scene_send_response(struct scene *scene, const struct scene_peer *peer,
			u64 id, int fd)
{
	union vsockdev_argument arg = {
		.send_response = {
			.size = sizeof(arg.send_response),
			.conn_id = id,
			.socket_fd = fd,
		},
	};
	int ret;

	peer_addr(peer, &arg.send_response.addr);
	ret = vsockdev_call_send_response(scene->vd, scene->file, &arg);
	scene_close_fd(fd);
	scene_settle(scene);
	return ret;
}

/**
 * scene_send_request() - issue SEND_REQUEST
 * @scene: the scene
 * @peer: the host's side of the connection
 * @fd: the socket, closed by this
 * @id: out: of the connection
 *
 * Return: what the call returns.
 */
int scene_send_request(struct scene *scene, const struct scene_peer *peer,
		       int fd, u64 *id)
{
	union vsockdev_argument arg = {
		.send_request = {
			.size = sizeof(arg.send_request),
			.socket_fd = fd,
		},
	};
	int ret;

	peer_addr(peer, &arg.send_request.addr);
	ret = vsockdev_call_send_request(scene->vd, scene->file, &arg);
	*id = arg.send_request.conn_id;
	scene_close_fd(fd);
	scene_settle(scene);
	return ret;
}

static struct scene_conn *new_conn(struct scene *scene, u32 port, u16 type)
{
	struct scene_conn *sc = kzalloc(sizeof(*sc), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(scene->test, sc);
	sc->scene = scene;
	sc->peer = (struct scene_peer) {
		.local_port = port,
		.remote_port = 1024,
		.type = type,
		.buf_alloc = 262144,
	};
	peer_addr(&sc->peer, &sc->addr);
	return sc;
}

/* From now on it is the scene's, and ends with it */
static void add_conn(struct scene_conn *sc, struct socket *user, u64 id)
{
	sc->user = user;
	sc->id = id;
	sc->conn = scene_find(sc->scene, &sc->peer);
	KUNIT_ASSERT_NOT_NULL(sc->scene->test, sc->conn);
	list_add_tail(&sc->node, &sc->scene->conns);
	scene_settle(sc->scene);
}

static int socket_type(u16 type)
{
	return type == VSOCKDEV_TYPE_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
}

/**
 * scene_accept() - the host connects, and the owner accepts
 * @scene: the scene
 * @port: of the driver's side
 * @type: VSOCKDEV_TYPE_*
 *
 * Return: the connection, ESTABLISHED.
 */
struct scene_conn *scene_accept(struct scene *scene, u32 port, u16 type)
{
	struct scene_conn *sc = new_conn(scene, port, type);
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;
	struct socket *user;
	int fd;

	scene_control(scene, &sc->peer, VIRTIO_VSOCK_OP_REQUEST);
	scene_expect_event(scene, VSOCKDEV_EVENT_REQUEST, &event);
	fd = scene_socketpair(scene, socket_type(type), &user);
	KUNIT_ASSERT_EQ(scene->test,
			scene_send_response(scene, &sc->peer, event.conn_id,
					    fd), 0);
	add_conn(sc, user, event.conn_id);
	scene_expect(scene, VIRTIO_VSOCK_OP_RESPONSE, &hdr);
	return sc;
}

/**
 * scene_connect() - the owner connects, and the host does not answer yet
 * @scene: the scene
 * @port: of the driver's side
 * @type: VSOCKDEV_TYPE_*
 *
 * Return: the connection, CONNECTING.
 */
struct scene_conn *scene_connect(struct scene *scene, u32 port, u16 type)
{
	struct scene_conn *sc = new_conn(scene, port, type);
	struct vsockdev_hdr hdr;
	struct socket *user;
	u64 id;
	int fd;

	fd = scene_socketpair(scene, socket_type(type), &user);
	KUNIT_ASSERT_EQ(scene->test,
			scene_send_request(scene, &sc->peer, fd, &id), 0);
	add_conn(sc, user, id);
	scene_expect(scene, VIRTIO_VSOCK_OP_REQUEST, &hdr);
	return sc;
}

/**
 * scene_send_rst() - issue SEND_RST
 * @sc: the connection
 *
 * Return: what the call returns.
 */
int scene_send_rst(struct scene_conn *sc)
{
	union vsockdev_argument arg = {
		.send_rst = {
			.size = sizeof(arg.send_rst),
			.addr = sc->addr,
			.conn_id = sc->id,
		},
	};
	int ret;

	ret = vsockdev_call_send_rst(sc->scene->vd, sc->scene->file, &arg);
	scene_settle(sc->scene);
	return ret;
}

/**
 * scene_send_shutdown() - issue SEND_SHUTDOWN
 * @sc: the connection
 * @flags: VSOCKDEV_SHUTDOWN_*, 0 for both
 *
 * Return: what the call returns.
 */
int scene_send_shutdown(struct scene_conn *sc, u32 flags)
{
	union vsockdev_argument arg = {
		.send_shutdown = {
			.size = sizeof(arg.send_shutdown),
			.flags = flags,
			.addr = sc->addr,
			.conn_id = sc->id,
		},
	};
	int ret;

	ret = vsockdev_call_send_shutdown(sc->scene->vd, sc->scene->file, &arg);
	scene_settle(sc->scene);
	return ret;
}

/**
 * scene_close() - the program closes its end
 * @sc: the connection
 */
void scene_close(struct scene_conn *sc)
{
	struct socket *user = sc->user;

	sc->user = NULL;
	if (user)
		sock_release(user);
	scene_settle(sc->scene);
}

/**
 * scene_drop() - forget a connection
 * @sc: the connection; its program closes its end
 */
void scene_drop(struct scene_conn *sc)
{
	scene_close(sc);
	list_del(&sc->node);
	vsockdev_conn_put(sc->conn);
	kfree(sc);
}

/**
 * scene_write() - the program writes, as much as it can without waiting
 * @sc: the connection
 * @from: bytes
 * @len: how many
 *
 * Return: how many were taken, or an errno.
 */
int scene_write(struct scene_conn *sc, const void *from, size_t len)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec = { .iov_base = (void *)from, .iov_len = len };
	int ret = kernel_sendmsg(sc->user, &msg, &vec, 1, len);

	scene_settle(sc->scene);
	return ret;
}

/**
 * scene_read() - the program reads what there is
 * @sc: the connection
 * @to: bytes
 * @len: how many at most
 *
 * Return: how many there were, or an errno.
 */
int scene_read(struct scene_conn *sc, void *to, size_t len)
{
	struct msghdr msg = {};
	struct kvec vec = { .iov_base = to, .iov_len = len };
	int ret = kernel_recvmsg(sc->user, &msg, &vec, 1, len, MSG_DONTWAIT);

	scene_settle(sc->scene);
	return ret;
}

/**
 * scene_echo() - bytes go both ways
 * @sc: the connection, with nothing under way
 */
void scene_echo(struct scene_conn *sc)
{
	struct scene *scene = sc->scene;
	struct vsockdev_hdr hdr;
	u8 bytes[4];

	scene_send(scene, &sc->peer, VIRTIO_VSOCK_OP_RW, 0, "ping", 4);
	KUNIT_EXPECT_EQ(scene->test, scene_read(sc, bytes, sizeof(bytes)), 4);
	KUNIT_EXPECT_MEMEQ(scene->test, bytes, "ping", 4);
	KUNIT_EXPECT_EQ(scene->test, scene_write(sc, "pong", 4), 4);
	scene_expect(scene, VIRTIO_VSOCK_OP_RW, &hdr);
	KUNIT_EXPECT_EQ(scene->test, hdr.len, 4);
	KUNIT_EXPECT_MEMEQ(scene->test, scene->frame + VSOCKDEV_HDR_LEN,
			   "pong", 4);
	sc->peer.fwd_cnt += 4;
}

/**
 * scene_stop_pump() - from now on nothing wakes the pump of a connection
 * @sc: the connection
 *
 * Return: for scene_go_on().
 */
int scene_stop_pump(struct scene_conn *sc)
{
	int place = sc->conn->place;

	WRITE_ONCE(sc->conn->place, -1);
	return place;
}

/**
 * scene_go_on() - let the pump see what has happened meanwhile
 * @sc: the connection
 * @place: from scene_stop_pump()
 */
void scene_go_on(struct scene_conn *sc, int place)
{
	WRITE_ONCE(sc->conn->place, place);
	vsockdev_conn_wake(sc->conn);
	scene_settle(sc->scene);
}
