// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - a device with its driver, a host that a suite plays, and
 * an owner
 *
 * DOC: The driver is the real one, with real virtqueues and its own workers.
 * What makes a test repeatable is that the host does one thing at a time, and
 * waits until the workers are idle before the next.
 *
 * The owner is an open file of no device: the driver only compares it.
 */
#include <linux/anon_inodes.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/uio.h>

#include "calls.h"
#include "scene.h"
#include "workers.h"

static const struct file_operations owner_fops = {
	.owner = THIS_MODULE,
};

/**
 * scene_bound() - a driver has probed the device: it has to be ours
 * @scene: the scene, which takes note of it
 */
void scene_bound(struct scene *scene)
{
	struct kunit *test = scene->test;
	struct device_driver *driver;

	driver = scene->fake.vdev.dev.driver;
	KUNIT_ASSERT_NOT_NULL(test, driver);
	KUNIT_ASSERT_STREQ(test, driver->name, "vsockdev");
	scene->vd = scene->fake.vdev.priv;
	get_device(&scene->vd->dev);
	scene->users = module_refcount(scene->vd->cdev.owner);
	scene_settle(scene);
}

/**
 * scene_plug() - plug the device in
 * @scene: without a device
 * @features: to offer
 * @queue_size: entries of each queue
 */
void scene_plug(struct scene *scene, u64 features, u32 queue_size)
{
	scene->cid = SCENE_CID;
	KUNIT_ASSERT_EQ(scene->test,
			fake_device_add(&scene->fake, scene->root, features,
					SCENE_CID, queue_size), 0);
	scene_bound(scene);
}

/**
 * scene_start() - let an owner begin
 * @scene: without an owner
 * @backlog: of it, 0 for the default
 * @max_conns: likewise
 * @buf_alloc: likewise
 *
 * Return: what the call returns.
 */
int scene_start(struct scene *scene, u32 backlog, u32 max_conns, u32 buf_alloc)
{
	union vsockdev_argument arg = {
		.start = {
			.size = sizeof(arg.start),
			.backlog = backlog,
			.max_conns = max_conns,
			.buf_alloc = buf_alloc,
			/* No test waits for time to pass */
			.connect_timeout_ms = VSOCKDEV_TIMEOUT_MAX_MS,
			.close_timeout_ms = VSOCKDEV_TIMEOUT_MAX_MS,
		},
	};

	return vsockdev_call_start(scene->vd, scene->file, &arg);
}

/**
 * scene_stop() - end the owner's time
 * @scene: with an owner
 *
 * Return: what the call returns.
 */
int scene_stop(struct scene *scene)
{
	union vsockdev_argument arg = { .stop.size = sizeof(arg.stop) };
	int ret = vsockdev_call_stop(scene->vd, scene->file, &arg);

	scene_settle(scene);
	return ret;
}

/**
 * scene_reset_done() - acknowledge the last transport reset
 * @scene: with an owner
 *
 * Return: what the call returns.
 */
int scene_reset_done(struct scene *scene)
{
	union vsockdev_argument arg = {
		.reset_done = {
			.size = sizeof(arg.reset_done),
			.generation = scene->vd->generation,
		},
	};

	return vsockdev_call_reset_done(scene->vd, scene->file, &arg);
}

/**
 * scene_init() - a device with an owner, for a suite's init
 * @test: the test
 *
 * Return: 0 or an errno.
 */
int scene_init(struct kunit *test)
{
	struct scene *scene = kunit_kzalloc(test, sizeof(*scene), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, scene);
	scene->test = test;
	INIT_LIST_HEAD(&scene->conns);
	scene->frame = kunit_kzalloc(test, SCENE_FRAME_MAX, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, scene->frame);
	scene->root = root_device_register("vsockdev_kunit");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, scene->root);
	fake_device_init(&scene->fake);
	scene->file = anon_inode_getfile("vsockdev_kunit", &owner_fops, NULL,
					 O_RDWR | O_NONBLOCK);
	test->priv = scene;
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, scene->file);
	scene_plug(scene, BIT_ULL(VSOCKDEV_F_STREAM) |
		   BIT_ULL(VIRTIO_VSOCK_F_SEQPACKET), SCENE_QUEUE);
	KUNIT_ASSERT_EQ(test, scene_start(scene, 0, 0, 0), 0);
	return 0;
}

/**
 * scene_wait_idle() - wait until the driver has given all sockets back
 * @scene: without connections
 *
 * Those of connections that the scene does not know are given back some time.
 */
void scene_wait_idle(struct scene *scene)
{
	unsigned long limit = jiffies + 60 * HZ;

	while (module_refcount(scene->vd->cdev.owner) != scene->users &&
	       time_before(jiffies, limit))
		schedule_timeout_uninterruptible(1);
	scene_settle(scene);
	KUNIT_EXPECT_EQ(scene->test, module_refcount(scene->vd->cdev.owner),
			scene->users);
}

/**
 * scene_unplug() - unplug the device; nothing of it may be left
 * @scene: the scene; its connections are dropped, and its owner's time ends
 */
void scene_unplug(struct scene *scene)
{
	struct vsockdev *vd = scene->vd;
	struct scene_conn *sc, *next;

	if (!vd)
		return;
	scene_stop(scene);
	fake_device_remove(&scene->fake);
	list_for_each_entry_safe(sc, next, &scene->conns, node)
		scene_drop(sc);
	scene_wait_idle(scene);
	KUNIT_EXPECT_EQ(scene->test, vd->conns, 0);
	KUNIT_EXPECT_EQ(scene->test, vd->backlog, 0);
	KUNIT_EXPECT_TRUE(scene->test, hash_empty(vd->table));
	KUNIT_EXPECT_TRUE(scene->test, list_empty(&vd->stream.pending));
	KUNIT_EXPECT_TRUE(scene->test, list_empty(&vd->stream.held));
	/* Connections and sockets that are left would have references */
	KUNIT_EXPECT_EQ(scene->test, kref_read(&vd->dev.kobj.kref), 1);
	scene->vd = NULL;
	put_device(&vd->dev);
}

/**
 * scene_exit() - for a suite's exit
 * @test: the test
 */
void scene_exit(struct kunit *test)
{
	struct scene *scene = test->priv;

	if (!scene)
		return;
	scene_unplug(scene);
	if (test->status == KUNIT_FAILURE && scene->note[0])
		kunit_err(test, "the last was: %s\n", scene->note);
	fake_device_remove(&scene->fake);
	if (!IS_ERR_OR_NULL(scene->file))
		__fput_sync(scene->file);
	root_device_unregister(scene->root);
}

static bool scene_busy(struct scene *scene)
{
	struct vsockdev *vd = scene->vd;
	struct scene_conn *sc;
	unsigned int busy;

	busy = work_busy(&vd->rx_work) | work_busy(&vd->rx_yield_work) |
	       work_busy(&vd->tx_work) | work_busy(&vd->event_work);
	list_for_each_entry(sc, &scene->conns, node)
		busy |= work_busy(&sc->conn->work);
	return busy;
}

/**
 * scene_settle() - wait until the driver has nothing left to do
 * @scene: the scene
 *
 * What runs out later is not waited for.
 */
void scene_settle(struct scene *scene)
{
	struct scene_conn *sc;

	do {
		flush_workqueue(vsockdev_wq);
		flush_workqueue(vsockdev_high_wq);
		list_for_each_entry(sc, &scene->conns, node)
			flush_work(&sc->conn->work);
	} while (scene_busy(scene));
}

/**
 * scene_header() - the header of a packet from the host
 * @peer: from where
 * @op: what
 * @len: payload
 * @hdr: out: the header
 */
void scene_header(const struct scene_peer *peer, u16 op, u32 len,
		  struct vsockdev_hdr *hdr)
{
	*hdr = (struct vsockdev_hdr) {
		.src_cid = SCENE_HOST_CID,
		.dst_cid = SCENE_CID,
		.src_port = peer->remote_port,
		.dst_port = peer->local_port,
		.len = len,
		.type = peer->type,
		.op = op,
		.buf_alloc = peer->buf_alloc,
		.fwd_cnt = peer->fwd_cnt,
	};
}

/**
 * scene_put() - put any packet for the guest into the RX queue
 * @scene: the scene
 * @hdr: its header, right or not
 * @payload: what follows it
 * @len: how much that is
 * @used: bytes to claim
 *
 * Return: 0, or an errno as fake_device_put().
 */
int scene_put(struct scene *scene, const struct vsockdev_hdr *hdr,
	      const void *payload, u32 len, u32 used)
{
	int ret;

	vsockdev_wire_encode(scene->frame, hdr);
	if (len)
		memcpy(scene->frame + VSOCKDEV_HDR_LEN, payload, len);
	ret = fake_device_put(&scene->fake, VSOCKDEV_VQ_RX, scene->frame,
			      VSOCKDEV_HDR_LEN + len, used,
			      VSOCKDEV_FAKE_INTERRUPT_WANTED);
	scene_settle(scene);
	return ret;
}

/**
 * scene_send() - send a packet of a connection
 * @scene: the scene
 * @peer: its host's side
 * @op: what
 * @flags: of the header
 * @payload: bytes
 * @len: how many
 */
void scene_send(struct scene *scene, const struct scene_peer *peer, u16 op,
		u32 flags, const void *payload, u32 len)
{
	struct vsockdev_hdr hdr;

	scene_header(peer, op, len, &hdr);
	hdr.dst_cid = scene->cid;
	hdr.flags = flags;
	KUNIT_ASSERT_EQ(scene->test, scene_put(scene, &hdr, payload, len,
					       VSOCKDEV_HDR_LEN + len), 0);
}

/**
 * scene_control() - send a packet without payload
 * @scene: the scene
 * @peer: the host's side of the connection
 * @op: what
 */
void scene_control(struct scene *scene, const struct scene_peer *peer, u16 op)
{
	scene_send(scene, peer, op, 0, NULL, 0);
}

/**
 * scene_transport_event() - fill a buffer of the event queue
 * @scene: the scene
 * @id: which event
 * @len: how many bytes to claim
 */
void scene_transport_event(struct scene *scene, u32 id, u32 len)
{
	__le32 wire = cpu_to_le32(id);

	KUNIT_EXPECT_EQ(scene->test,
			fake_device_put(&scene->fake, VSOCKDEV_VQ_EVENT, &wire,
					sizeof(wire), len,
					VSOCKDEV_FAKE_INTERRUPT_WANTED), 0);
	scene_settle(scene);
}

/**
 * scene_take() - take the next packet that the driver sent
 * @scene: the scene; its frame has the packet
 * @hdr: out: its header
 *
 * Return: false if there is none.
 */
bool scene_take(struct scene *scene, struct vsockdev_hdr *hdr)
{
	enum vsockdev_wire_status status;
	struct fake_chain chain;
	u32 id;
	int ret;

	ret = fake_device_take(&scene->fake, VSOCKDEV_VQ_TX, scene->frame,
			       SCENE_FRAME_MAX, VSOCKDEV_FAKE_INTERRUPT_WANTED,
			       &id, &chain);
	if (ret) {
		KUNIT_EXPECT_TRUE(scene->test, ret == -EAGAIN ||
				  ret == -ENOLINK || ret == -ENODEV);
		return false;
	}
	scene_settle(scene);
	status = vsockdev_wire_decode(hdr, scene->frame, SCENE_FRAME_MAX,
				      chain.readable, SCENE_HOST_CID);
	KUNIT_EXPECT_EQ(scene->test, status, VSOCKDEV_WIRE_OK);
	KUNIT_EXPECT_EQ(scene->test, hdr->len + VSOCKDEV_HDR_LEN,
			chain.readable);
	return true;
}

/**
 * scene_expect() - take the next packet, which has to be this one
 * @scene: the scene
 * @op: what it is
 * @hdr: out: its header
 */
void scene_expect(struct scene *scene, u16 op, struct vsockdev_hdr *hdr)
{
	KUNIT_ASSERT_TRUE_MSG(scene->test, scene_take(scene, hdr),
			      "no packet, op %u", op);
	KUNIT_ASSERT_EQ(scene->test, hdr->op, op);
}

/**
 * scene_event() - read an event
 * @scene: the scene
 * @event: out: the event
 *
 * Return: false if there is none.
 */
bool scene_event(struct scene *scene, struct vsockdev_event *event)
{
	struct kvec vec = { .iov_base = event, .iov_len = sizeof(*event) };
	struct iov_iter iter;
	struct kiocb iocb;
	ssize_t ret;

	init_sync_kiocb(&iocb, scene->file);
	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, sizeof(*event));
	ret = vsockdev_stream_read(&scene->vd->stream, &iocb, &iter);
	if (ret == sizeof(*event))
		return true;
	KUNIT_EXPECT_TRUE(scene->test, ret == -EAGAIN || ret == -ENODEV ||
			  ret == -EPERM);
	return false;
}

/**
 * scene_expect_event() - read the next event, which has to be this one
 * @scene: the scene
 * @type: what it is
 * @event: out: the event
 */
void scene_expect_event(struct scene *scene, u32 type,
			struct vsockdev_event *event)
{
	KUNIT_ASSERT_TRUE_MSG(scene->test, scene_event(scene, event),
			      "no event, type %u", type);
	KUNIT_ASSERT_EQ(scene->test, event->type, type);
}

/**
 * scene_expect_quiet() - there is neither a packet nor an event
 * @scene: the scene
 */
void scene_expect_quiet(struct scene *scene)
{
	struct vsockdev_event event;
	struct vsockdev_hdr hdr;

	if (scene_take(scene, &hdr))
		KUNIT_FAIL(scene->test, "a packet, op %u", hdr.op);
	if (scene_event(scene, &event))
		KUNIT_FAIL(scene->test, "an event, type %u", event.type);
}
