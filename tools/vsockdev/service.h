/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands that go on until somebody ends them. */
#ifndef VSOCKDEV_SERVICE_H
#define VSOCKDEV_SERVICE_H

/*
 * From now on SIGINT and SIGTERM are how the program ends well. (Elsewhere
 * they kill it: the kernel then resets its connections, as it should.)
 */
void service_ends_by_signal(void);

#endif
