/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the library share. */
#ifndef LIBVSOCKDEV_INTERNAL_H
#define LIBVSOCKDEV_INTERNAL_H

#include "vsockdev.h"

struct vsockdev {
	int fd;
};

#endif
