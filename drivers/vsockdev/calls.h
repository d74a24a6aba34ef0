/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - what the calls do
 */
#ifndef VSOCKDEV_CALLS_H
#define VSOCKDEV_CALLS_H

#include <linux/vsockdev.h>

struct file;
struct vsockdev;

/* What every struct begins with */
struct vsockdev_argument_head {
	__u32 size;
	__u32 flags;
};

union vsockdev_argument {
	struct vsockdev_argument_head head;
	struct vsockdev_start start;
	struct vsockdev_stop stop;
	struct vsockdev_send_request send_request;
	struct vsockdev_send_response send_response;
	struct vsockdev_send_rst send_rst;
	struct vsockdev_send_shutdown send_shutdown;
	struct vsockdev_send_vmo send_vmo;
	struct vsockdev_reset_done reset_done;
	struct vsockdev_get_cid get_cid;
	struct vsockdev_get_info get_info;
};

/*
 * A handler for each call, all alike: @arg was checked for size and flags, and
 * is zero where the caller knows of less than we do; what is to be returned is
 * put there. They may sleep for memory, and return 0 or an errno as listed with
 * the struct in <linux/vsockdev.h>.
 */
int vsockdev_call_start(struct vsockdev *vd, struct file *file,
			union vsockdev_argument *arg);
int vsockdev_call_stop(struct vsockdev *vd, struct file *file,
		       union vsockdev_argument *arg);
int vsockdev_call_send_request(struct vsockdev *vd, struct file *file,
			       union vsockdev_argument *arg);
void vsockdev_call_undo_request(struct vsockdev *vd, struct file *file,
				const union vsockdev_argument *arg);
int vsockdev_call_send_response(struct vsockdev *vd, struct file *file,
				union vsockdev_argument *arg);
int vsockdev_call_send_rst(struct vsockdev *vd, struct file *file,
			   union vsockdev_argument *arg);
int vsockdev_call_send_shutdown(struct vsockdev *vd, struct file *file,
				union vsockdev_argument *arg);
int vsockdev_call_send_vmo(struct vsockdev *vd, struct file *file,
			   union vsockdev_argument *arg);
int vsockdev_call_reset_done(struct vsockdev *vd, struct file *file,
			     union vsockdev_argument *arg);
int vsockdev_call_get_cid(struct vsockdev *vd, struct file *file,
			  union vsockdev_argument *arg);
int vsockdev_call_get_info(struct vsockdev *vd, struct file *file,
			   union vsockdev_argument *arg);

#endif /* VSOCKDEV_CALLS_H */
