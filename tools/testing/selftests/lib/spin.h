/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does a work item of the driver run again and again for nothing? Its runs are
 * counted by the kernel's tracer, for each device on its own; kernels without a
 * tracer find nothing.
 */
#ifndef VSOCKDEV_TEST_SPIN_H
#define VSOCKDEV_TEST_SPIN_H

void spin_start(void);

/*
 * Of that function all devices but one must have made fewer runs since then;
 * the caller keeps that one busy.
 */
void spin_check(const char *function, unsigned int most);

#define spin_check(...) HERE((spin_check)(__VA_ARGS__))

#endif
