// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - ioctl of the node
 *
 * DOC: One row of a table for each call, and one place that copies structs in
 * and out. The handlers are in calls.c.
 */
#include <linux/fs.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "calls.h"
#include "device.h"

/* The layout is the same for 32-bit programs, and stays */
static_assert(sizeof(struct vsockdev_addr) == 12);
static_assert(sizeof(struct vsockdev_start) == 32);
static_assert(sizeof(struct vsockdev_stop) == 8);
static_assert(sizeof(struct vsockdev_send_request) == 48);
static_assert(sizeof(struct vsockdev_send_response) == 40);
static_assert(sizeof(struct vsockdev_send_rst) == 32);
static_assert(sizeof(struct vsockdev_send_shutdown) == 32);
static_assert(sizeof(struct vsockdev_send_vmo) == 48);
static_assert(sizeof(struct vsockdev_reset_done) == 16);
static_assert(sizeof(struct vsockdev_get_cid) == 16);
static_assert(sizeof(struct vsockdev_get_info) == 152);
static_assert(sizeof(struct vsockdev_event) == 64);

/**
 * struct call - a row of the dispatch table
 * @handler: does it
 * @undo: when what it wrote could not be told to the caller, or NULL
 * @size: of its struct
 * @min_size: of the first version of its struct
 * @flags: that it knows
 * @writes: it has something to tell the caller
 * @anyone: every open file may issue it, not only the owner
 */
struct call {
	int (*handler)(struct vsockdev *vd, struct file *file,
		       union vsockdev_argument *arg);
	void (*undo)(struct vsockdev *vd, struct file *file,
		     const union vsockdev_argument *arg);
	u32 size;
	u32 min_size;
	u32 flags;
	bool writes;
	bool anyone;
};

#define CALL(_handler, _struct, _min) \
	.handler = _handler, .size = sizeof(struct _struct), .min_size = _min

static const struct call calls[] = {
	[VSOCKDEV_NR_START] = {
		CALL(vsockdev_call_start, vsockdev_start, 32), .anyone = true },
	[VSOCKDEV_NR_STOP] = {
		CALL(vsockdev_call_stop, vsockdev_stop, 8) },
	[VSOCKDEV_NR_SEND_REQUEST] = {
		CALL(vsockdev_call_send_request, vsockdev_send_request, 48),
		.undo = vsockdev_call_undo_request, .writes = true },
	[VSOCKDEV_NR_SEND_RESPONSE] = {
		CALL(vsockdev_call_send_response, vsockdev_send_response, 40) },
	[VSOCKDEV_NR_SEND_RST] = {
		CALL(vsockdev_call_send_rst, vsockdev_send_rst, 32) },
	[VSOCKDEV_NR_SEND_SHUTDOWN] = {
		CALL(vsockdev_call_send_shutdown, vsockdev_send_shutdown, 32),
		.flags = VSOCKDEV_SHUTDOWN_RECEIVE | VSOCKDEV_SHUTDOWN_SEND },
	[VSOCKDEV_NR_SEND_VMO] = {
		CALL(vsockdev_call_send_vmo, vsockdev_send_vmo, 48) },
	[VSOCKDEV_NR_RESET_DONE] = {
		CALL(vsockdev_call_reset_done, vsockdev_reset_done, 16) },
	[VSOCKDEV_NR_GET_CID] = {
		CALL(vsockdev_call_get_cid, vsockdev_get_cid, 16),
		.writes = true, .anyone = true },
	[VSOCKDEV_NR_GET_INFO] = {
		CALL(vsockdev_call_get_info, vsockdev_get_info, 152),
		.writes = true, .anyone = true },
};

/* Answers ENODEV and EPERM before anything else is looked at */
static int gate(struct vsockdev *vd, struct file *file,
		const struct call *call)
{
	int ret;

	spin_lock(&vd->lock);
	if (call->anyone)
		ret = vd->gone ? -ENODEV : 0;
	else
		ret = vsockdev_owner_check(vd, file);
	spin_unlock(&vd->lock);
	return ret;
}

static int copy_in(const struct call *call, union vsockdev_argument *arg,
		   void __user *uarg, u32 *usize)
{
	u32 __user *size = uarg;
	int ret;

	if (get_user(*usize, size))
		return -EFAULT;
	if (*usize < call->min_size)
		return -EINVAL;
	if (*usize > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(arg, call->size, uarg, *usize);
	if (ret)
		return ret;
	if (arg->head.flags & ~call->flags)
		return -EOPNOTSUPP;
	/* What could not be told afterwards should better not be done */
	if (call->writes &&
	    copy_to_user(uarg, arg, min(*usize, call->size)))
		return -EFAULT;
	return 0;
}

static int copy_out(const struct call *call, union vsockdev_argument *arg,
		    void __user *uarg, u32 usize)
{
	arg->head.size = call->size;
	if (copy_to_user(uarg, arg, min(usize, call->size)))
		return -EFAULT;
	return 0;
}

/**
 * vsockdev_ioctl() - ioctl of the node
 * @file: the open file
 * @cmd: one of <linux/vsockdev.h>
 * @uarg: pointer to its struct
 *
 * Return: 0 or an errno as listed there.
 */
long vsockdev_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	struct vsockdev *vd = file->private_data;
	void __user *user = (void __user *)uarg;
	unsigned int nr = _IOC_NR(cmd);
	union vsockdev_argument arg = {};
	const struct call *call;
	u32 usize;
	int ret;

	if (nr >= ARRAY_SIZE(calls) || cmd != _IO(VSOCKDEV_IOC_TYPE, nr))
		return -ENOTTY;
	call = &calls[array_index_nospec(nr, ARRAY_SIZE(calls))];

	ret = gate(vd, file, call);
	if (ret)
		return ret;
	ret = copy_in(call, &arg, user, &usize);
	if (ret)
		return ret;
	ret = call->handler(vd, file, &arg);
	if (ret || !call->writes)
		return ret;
	ret = copy_out(call, &arg, user, usize);
	/* The caller took the memory away in the meantime */
	if (ret && call->undo)
		call->undo(vd, file, &arg);
	return ret;
}
