// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - what the suites call of the device that plays the host
 */
#include <linux/export.h>

#include "compat.h"
#include "fake_device.h"

VSOCKDEV_COMPAT_EXPORT(fake_device_init);
VSOCKDEV_COMPAT_EXPORT(fake_device_add);
VSOCKDEV_COMPAT_EXPORT(fake_device_remove);
VSOCKDEV_COMPAT_EXPORT(fake_device_freeze);
VSOCKDEV_COMPAT_EXPORT(fake_device_restore);
VSOCKDEV_COMPAT_EXPORT(fake_device_put);
VSOCKDEV_COMPAT_EXPORT(fake_device_take);
VSOCKDEV_COMPAT_EXPORT(fake_device_return);
VSOCKDEV_COMPAT_EXPORT(fake_device_interrupt);
VSOCKDEV_COMPAT_EXPORT(fake_device_config);
VSOCKDEV_COMPAT_EXPORT(fake_device_posted);
