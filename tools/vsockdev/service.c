// SPDX-License-Identifier: GPL-2.0-only
/* Commands that go on until somebody ends them. */
#include "service.h"

#include <signal.h>
#include <unistd.h>

#include "command.h"

/* Nothing is left to do: output is flushed as it comes, the kernel stops. */
static void end(int number)
{
	(void)number;
	_exit(STATUS_OK);
}

void service_ends_by_signal(void)
{
	signal(SIGINT, end);
	signal(SIGTERM, end);
}
