/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of Documentation/userspace-api/errors.rst. */
#ifndef VSOCKDEV_TEST_TABLE_H
#define VSOCKDEV_TEST_TABLE_H

#include <linux/vsockdev.h>
#include <stdbool.h>

/* The names in its second column. */
enum {
	CALL_START = VSOCKDEV_NR_START,
	CALL_STOP = VSOCKDEV_NR_STOP,
	CALL_SEND_REQUEST = VSOCKDEV_NR_SEND_REQUEST,
	CALL_SEND_RESPONSE = VSOCKDEV_NR_SEND_RESPONSE,
	CALL_SEND_RST = VSOCKDEV_NR_SEND_RST,
	CALL_SEND_SHUTDOWN = VSOCKDEV_NR_SEND_SHUTDOWN,
	CALL_SEND_VMO = VSOCKDEV_NR_SEND_VMO,
	CALL_RESET_DONE = VSOCKDEV_NR_RESET_DONE,
	CALL_GET_CID = VSOCKDEV_NR_GET_CID,
	CALL_GET_INFO = VSOCKDEV_NR_GET_INFO,
	CALL_ioctl,
	CALL_lseek,
	CALL_mmap,
	CALL_open,
	CALL_read,
	CALL_write,
};

/* May that call return that errno? */
bool in_table(unsigned int call, int error);

#endif
