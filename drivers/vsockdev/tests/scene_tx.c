// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - connections without a socket
 */
#include "scene_tx.h"

static void no_pump(struct work_struct *work)
{
}

/**
 * scene_tx_open() - make a connection that nobody called for
 * @scene: the scene
 * @port: of the driver's side
 * @window: bytes that it may send
 *
 * Return: the connection, ESTABLISHED. It ends with the device.
 */
struct vsockdev_conn *scene_tx_open(struct scene *scene, u32 port, u32 window)
{
	struct vsockdev_addr addr = { port, SCENE_HOST_CID, 1024 };
	struct vsockdev_conn *conn;

	conn = vsockdev_conn_alloc(scene->vd, &addr, VSOCKDEV_TYPE_STREAM,
				   GFP_KERNEL, no_pump);
	KUNIT_ASSERT_NOT_NULL(scene->test, conn);
	spin_lock(&scene->vd->lock);
	vsockdev_conn_publish(conn, VSOCKDEV_CONN_CONNECTING, 65536);
	vsockdev_credit_peer_update(&conn->credit, window, 0);
	vsockdev_conn_open(conn);
	spin_unlock(&scene->vd->lock);
	return conn;
}

/**
 * scene_tx_frame() - make a data frame
 * @scene: the scene
 * @len: bytes of payload, whatever they are
 *
 * Return: the frame, for vsockdev_sched_stage().
 */
struct vsockdev_frame *scene_tx_frame(struct scene *scene, u32 len)
{
	struct vsockdev_frame *frame = vsockdev_frame_alloc(len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(scene->test, frame);
	KUNIT_ASSERT_GE(scene->test, frame->room, len);
	frame->len = len;
	return frame;
}

/**
 * scene_tx_stage() - let a connection send data when it can
 * @scene: the scene
 * @conn: the connection
 * @len: bytes
 */
void scene_tx_stage(struct scene *scene, struct vsockdev_conn *conn, u32 len)
{
	struct vsockdev_frame *frame = scene_tx_frame(scene, len);

	spin_lock(&scene->vd->lock);
	vsockdev_sched_stage(conn, frame);
	vsockdev_sched_unlock(scene->vd);
}

/**
 * scene_tx_control() - let a connection send control packets when it can
 * @scene: the scene
 * @conn: the connection
 * @packets: VSOCKDEV_SEND_*
 */
void scene_tx_control(struct scene *scene, struct vsockdev_conn *conn,
		      u32 packets)
{
	spin_lock(&scene->vd->lock);
	vsockdev_sched_control(conn, packets);
	vsockdev_sched_unlock(scene->vd);
}

/**
 * scene_tx_fill() - fill the TX queue with data of a connection of its own
 * @scene: the scene
 * @port: of the driver's side of that connection
 *
 * What is kept for control packets stays free.
 *
 * Return: packets in the queue.
 */
u32 scene_tx_fill(struct scene *scene, u32 port)
{
	struct vsockdev_conn *conn = scene_tx_open(scene, port, U32_MAX);
	u32 i;

	for (i = 0; i < SCENE_QUEUE; i++)
		scene_tx_stage(scene, conn, 1);
	KUNIT_ASSERT_FALSE(scene->test,
			   vsockdev_ring_tx_data_room(&scene->vd->ring,
						      false));
	return SCENE_QUEUE - conn->tx_frame_count;
}

/**
 * scene_tx_window() - the host tells of its window
 * @scene: the scene
 * @conn: the connection
 * @window: bytes that the host has room for
 */
void scene_tx_window(struct scene *scene, struct vsockdev_conn *conn,
		     u32 window)
{
	struct scene_peer peer = {
		.local_port = conn->addr.local_port,
		.remote_port = conn->addr.remote_port,
		.type = conn->type,
		.buf_alloc = window,
	};

	scene_control(scene, &peer, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
}
