// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - who has the device
 *
 * DOC: The owner is the open file that issued START. What it has ends with it,
 * with the device, or with a transport reset: then the host has forgotten all
 * connections, and the owner gets one event in place of all that it has not
 * read. Until it acknowledges that, it can make no connection, as it could not
 * know whether a call meets the old host or the new one; and REQUESTs of the
 * new one are kept back.
 *
 * Functions without the lock in their description take it themselves.
 */
#include "conn.h"
#include "device.h"

#include <trace/vsockdev.h>

/**
 * vsockdev_owner_drop_conns() - end every connection
 * @vd: the device
 * @send_rst: tell the host
 * @error: of SEND_VMOs that are under way, positive
 *
 * Of its events, only their completions are left.
 * Context: under the lock.
 */
void vsockdev_owner_drop_conns(struct vsockdev *vd, bool send_rst,
			       int error)
{
	struct vsockdev_conn *conn;
	struct hlist_node *next;
	int bucket;

	hash_for_each_safe(vd->table, bucket, next, conn, node)
		vsockdev_conn_end_silently(conn, send_rst, error);
}

/**
 * vsockdev_owner_reset() - the host, or the rings, have forgotten everything
 * @vd: the device
 *
 * What the owner has not read is moot, and nothing is owed to who was there
 * before. Context: under the lock; vsockdev_owner_tell_reset() follows.
 */
void vsockdev_owner_reset(struct vsockdev *vd)
{
	vsockdev_owner_drop_conns(vd, false, ECONNRESET);
	vsockdev_sched_clear(vd);
	vsockdev_event_drop(&vd->reset_event);
	vd->reset_pending = vd->owner;
}

/**
 * vsockdev_owner_tell_reset() - let the owner know of the new host
 * @vd: the device
 * @cid: our context id from now on
 *
 * REQUESTs that come before the owner has acknowledged are kept back.
 * Context: under the lock.
 */
void vsockdev_owner_tell_reset(struct vsockdev *vd, u32 cid)
{
	struct vsockdev_event_slot *slot = &vd->reset_event;

	WRITE_ONCE(vd->cid, cid);
	vd->generation++;
	trace_vsockdev_transport_reset(vd->generation, cid);
	if (!vd->owner)
		return;
	vd->reset_pending = true;
	slot->record.transport_reset.new_cid = cid;
	slot->record.transport_reset.generation = vd->generation;
	vsockdev_stream_release(&vd->stream);
	vsockdev_event_post(&vd->stream, slot, VSOCKDEV_EVENT_TRANSPORT_RESET);
	vsockdev_stream_hold(&vd->stream);
}

/**
 * vsockdev_owner_start() - give the device an owner
 * @vd: the device
 * @file: the owner
 * @start: its options, checked and with defaults filled in
 *
 * Return: 0, -ENODEV, -EBUSY or -EALREADY.
 */
int vsockdev_owner_start(struct vsockdev *vd, struct file *file,
			 const struct vsockdev_start *start)
{
	int ret = 0;

	spin_lock(&vd->lock);
	if (vd->gone) {
		ret = -ENODEV;
	} else if (vd->owner) {
		ret = vd->owner == file ? -EALREADY : -EBUSY;
	} else {
		vd->owner = file;
		vd->options = *start;
		vsockdev_stream_open(&vd->stream, start->event_size);
	}
	spin_unlock(&vd->lock);
	return ret;
}

/**
 * vsockdev_owner_check() - tells whether a file may give orders
 * @vd: the device
 * @file: the file
 *
 * Context: under the lock.
 * Return: 0, -ENODEV, or -EPERM if @file is not the owner.
 */
int vsockdev_owner_check(struct vsockdev *vd, struct file *file)
{
	lockdep_assert_held(&vd->lock);

	if (vd->gone)
		return -ENODEV;
	return vd->owner == file ? 0 : -EPERM;
}

/**
 * vsockdev_owner_check_ready() - tells whether a file may make connections
 * @vd: the device
 * @file: the file
 *
 * Context: under the lock.
 * Return: 0, -ENODEV, -EPERM if @file is not the owner, or -ECONNRESET.
 */
int vsockdev_owner_check_ready(struct vsockdev *vd, struct file *file)
{
	int ret = vsockdev_owner_check(vd, file);

	if (ret)
		return ret;
	return vd->ready && !vd->reset_pending ? 0 : -ECONNRESET;
}

/**
 * vsockdev_owner_reset_done() - the owner acknowledges a transport reset
 * @vd: the device
 * @file: who says so
 * @generation: which one
 *
 * Who knows of the reset without having read its event need not any more.
 *
 * Return: 0, -ENODEV, -EPERM, -EALREADY or -ESTALE.
 */
int vsockdev_owner_reset_done(struct vsockdev *vd, struct file *file,
			      u64 generation)
{
	int ret;

	spin_lock(&vd->lock);
	ret = vsockdev_owner_check(vd, file);
	if (!ret && !vd->reset_pending)
		ret = -EALREADY;
	/* Between freeze and restore the next reset is on its way */
	if (!ret && (generation != vd->generation || !vd->ready))
		ret = -ESTALE;
	if (!ret) {
		vd->reset_pending = false;
		vsockdev_event_drop(&vd->reset_event);
		vsockdev_stream_release(&vd->stream);
	}
	spin_unlock(&vd->lock);
	return ret;
}

/* Takes away everything that the owner has or could read */
static void drop_owner(struct vsockdev *vd)
{
	struct vsockdev_conn *conn;
	struct hlist_node *next;
	int bucket;

	vsockdev_owner_drop_conns(vd, true, ECANCELED);
	hash_for_each_safe(vd->table, bucket, next, conn, node)
		vsockdev_conn_forget(conn);
	vsockdev_event_drop(&vd->reset_event);
	vd->reset_pending = false;
	vd->owner = NULL;
}

/**
 * vsockdev_owner_stop() - take the device from its owner
 * @vd: the device
 * @file: who says so
 *
 * The RSTs that this queues go out ahead of what a next owner sends, as
 * control packets are sent in order. Sockets that could not take everything
 * yet are finished by their pumps.
 *
 * Return: 0, -ENODEV, or -EPERM if @file is not the owner.
 */
int vsockdev_owner_stop(struct vsockdev *vd, struct file *file)
{
	int ret;

	spin_lock(&vd->lock);
	ret = vd->gone ? -ENODEV : 0;
	if (vd->owner == file) {
		drop_owner(vd);
		if (!vd->gone)
			vsockdev_stream_close(&vd->stream, -EPERM);
	} else if (!ret) {
		ret = -EPERM;
	}
	vsockdev_sched_unlock(vd);
	return ret;
}
