// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - virtio-vsock as a device file
 */
#include <linux/module.h>

#include "blob.h"
#include "device.h"
#include "sock.h"
#include "workers.h"
#include "wire.h"

#define CREATE_TRACE_POINTS
#include <trace/vsockdev.h>

static int __init vsockdev_init(void)
{
	int ret;

	ret = vsockdev_sock_init();
	if (ret)
		return ret;
	ret = vsockdev_blob_init();
	if (ret)
		return ret;
	ret = vsockdev_workers_init();
	if (ret)
		goto err_blob;
	ret = vsockdev_chardev_init();
	if (ret)
		goto err_workers;
	ret = vsockdev_device_init();
	if (ret)
		goto err_chardev;
	return 0;

err_chardev:
	vsockdev_chardev_exit();
err_workers:
	vsockdev_workers_exit();
err_blob:
	vsockdev_blob_exit();
	return ret;
}

/*
 * Connections with a socket and open files hold references to the module, so
 * there are none. What may still run is the very end of the work or the
 * callback that dropped the last one.
 */
static void __exit vsockdev_exit(void)
{
	vsockdev_device_exit();
	vsockdev_sock_exit();
	vsockdev_workers_exit();
	vsockdev_chardev_exit();
	vsockdev_blob_exit();
}

module_init(vsockdev_init);
module_exit(vsockdev_exit);

MODULE_DESCRIPTION("virtio-vsock as a device file");
MODULE_LICENSE("GPL");
