/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev tests - a device with its driver, a host that a suite plays, and
 * an owner
 */
#ifndef VSOCKDEV_TESTS_SCENE_H
#define VSOCKDEV_TESTS_SCENE_H

#include <linux/vsockdev.h>

#include "conn.h"
#include "device.h"
#include "fake_device.h"
#include "kunit.h"
#include "wire.h"

struct file;
struct socket;

#define SCENE_HOST_CID	2
#define SCENE_CID	3
#define SCENE_QUEUE	64

/**
 * struct scene - what most tests need
 * @test: to whom it belongs
 * @root: parent of the device
 * @fake: the device, as the host sees it
 * @vd: as the driver sees it; a reference, so that it stays when it is gone
 * @file: the owner
 * @cid: context id of the guest
 * @conns: struct scene_conn, for those who wait for all to be quiet
 * @frame: a packet
 * @users: of the module, before the test
 * @note: what is being done, shown if the test fails
 */
struct scene {
	struct kunit *test;
	struct device *root;
	struct fake_device fake;
	struct vsockdev *vd;
	struct file *file;
	u32 cid;
	struct list_head conns;
	u8 *frame;
	int users;
	char note[80];
};

#define SCENE_FRAME_MAX	(VSOCKDEV_HDR_LEN + VSOCKDEV_PAGED_MAX)

/**
 * struct scene_peer - what the host knows of a connection
 * @local_port: the driver's
 * @remote_port: the host's
 * @type: VSOCKDEV_TYPE_*
 * @buf_alloc: the host's window
 * @fwd_cnt: what it has passed on
 */
struct scene_peer {
	u32 local_port;
	u32 remote_port;
	u16 type;
	u32 buf_alloc;
	u32 fwd_cnt;
};

int scene_init(struct kunit *test);
void scene_exit(struct kunit *test);
void scene_bound(struct scene *scene);
void scene_plug(struct scene *scene, u64 features, u32 queue_size);
void scene_unplug(struct scene *scene);
int scene_start(struct scene *scene, u32 backlog, u32 max_conns,
		u32 buf_alloc);
int scene_stop(struct scene *scene);
int scene_reset_done(struct scene *scene);
void scene_settle(struct scene *scene);
void scene_wait_idle(struct scene *scene);

void scene_header(const struct scene_peer *peer, u16 op, u32 len,
		  struct vsockdev_hdr *hdr);
int scene_put(struct scene *scene, const struct vsockdev_hdr *hdr,
	      const void *payload, u32 len, u32 used);
void scene_send(struct scene *scene, const struct scene_peer *peer, u16 op,
		u32 flags, const void *payload, u32 len);
void scene_control(struct scene *scene, const struct scene_peer *peer, u16 op);
void scene_transport_event(struct scene *scene, u32 id, u32 len);

bool scene_take(struct scene *scene, struct vsockdev_hdr *hdr);
void scene_expect(struct scene *scene, u16 op, struct vsockdev_hdr *hdr);
bool scene_event(struct scene *scene, struct vsockdev_event *event);
void scene_expect_event(struct scene *scene, u32 type,
			struct vsockdev_event *event);
void scene_expect_quiet(struct scene *scene);

/**
 * struct scene_conn - a connection with a program
 * @node: in struct scene
 * @scene: whose it is
 * @conn: in the driver, a reference
 * @user: the program's end of the socket; NULL when it has closed it
 * @addr: for calls
 * @peer: the host's side
 * @id: for calls
 */
struct scene_conn {
	struct list_head node;
	struct scene *scene;
	struct vsockdev_conn *conn;
	struct socket *user;
	struct vsockdev_addr addr;
	struct scene_peer peer;
	u64 id;
};

int scene_socketpair(struct scene *scene, int type, struct socket **user);
void scene_close_fd(int fd);
struct vsockdev_conn *scene_find(struct scene *scene,
				 const struct scene_peer *peer);
int scene_send_response(struct scene *scene, const struct scene_peer *peer,
			u64 id, int fd);
int scene_send_request(struct scene *scene, const struct scene_peer *peer,
		       int fd, u64 *id);
struct scene_conn *scene_accept(struct scene *scene, u32 port, u16 type);
struct scene_conn *scene_connect(struct scene *scene, u32 port, u16 type);
int scene_send_rst(struct scene_conn *sc);
int scene_send_shutdown(struct scene_conn *sc, u32 flags);
void scene_close(struct scene_conn *sc);
void scene_drop(struct scene_conn *sc);
int scene_write(struct scene_conn *sc, const void *from, size_t len);
int scene_read(struct scene_conn *sc, void *to, size_t len);
void scene_echo(struct scene_conn *sc);
int scene_stop_pump(struct scene_conn *sc);
void scene_go_on(struct scene_conn *sc, int place);

#endif /* VSOCKDEV_TESTS_SCENE_H */
