/* SPDX-License-Identifier: GPL-2.0-only */
/* What single host devices do that others do not. */
#ifndef VSOCKDEV_TEST_HABITS_H
#define VSOCKDEV_TEST_HABITS_H

#include "device.h"

struct habits {
	const char *host; /* as run's --host */
	bool is_silent; /* where nobody listens, instead of RST */
	bool no_half_close; /* forgets ours; its own one is of both directions */
	/*
	 * Keeps a connection that the guest ended until its program has closed:
	 * RST, where bytes were unread, and the same ports come after that.
	 */
	bool ends_late;
	/* When its program closes with bytes unread: RST, or nothing at all. */
	bool unread_is_reset;
	bool hides_its_close;
};

const struct habits *habits(void);

/* For the table: this test asserts something else than with other hosts. */
void note_habit(const char *text);

/* Of START: there is a host whose connections only end by a timeout. */
const struct vsockdev_start *habitual_options(void);

#endif
