/* SPDX-License-Identifier: GPL-2.0-only */
/* How many elements a table has. */
#ifndef VSOCKDEV_ARRAY_H
#define VSOCKDEV_ARRAY_H

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
