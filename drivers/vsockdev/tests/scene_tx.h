/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev tests - connections without a socket: what they have to send is
 * staged by the test
 */
#ifndef VSOCKDEV_TESTS_SCENE_TX_H
#define VSOCKDEV_TESTS_SCENE_TX_H

#include "scene.h"

struct vsockdev_conn *scene_tx_open(struct scene *scene, u32 port, u32 window);
struct vsockdev_frame *scene_tx_frame(struct scene *scene, u32 len);
void scene_tx_stage(struct scene *scene, struct vsockdev_conn *conn, u32 len);
void scene_tx_control(struct scene *scene, struct vsockdev_conn *conn,
		      u32 packets);
u32 scene_tx_fill(struct scene *scene, u32 port);
void scene_tx_window(struct scene *scene, struct vsockdev_conn *conn,
		     u32 window);

#endif /* VSOCKDEV_TESTS_SCENE_TX_H */
