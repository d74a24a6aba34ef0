// SPDX-License-Identifier: GPL-2.0-only
/* Commands that serve a connection as their stdin and stdout. */
#include "spawn.h"

#include <errno.h>
#include <error.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vsockdev.h>

static void set_number(const char *name, uint32_t number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	setenv(name, text, 1);
}

/* Who asks: it is the only thing that a command cannot see by itself. */
static void set_environment(const struct vsockdev_addr *addr)
{
	set_number("VSOCKDEV_LOCAL_PORT", addr->local_port);
	set_number("VSOCKDEV_REMOTE_CID", addr->remote_cid);
	set_number("VSOCKDEV_REMOTE_PORT", addr->remote_port);
}

pid_t spawn(char **command, int fd, const struct vsockdev_addr *addr)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	pid_t pid = -1;
	int ret;

	set_environment(addr);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	ret = posix_spawnp(&pid, command[0], &actions, &attributes, command,
			   environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (!ret)
		return pid;
	error(0, ret, "%s", command[0]);
	return -1;
}

bool spawn_wait(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

void spawn_forget_children(void)
{
	const struct sigaction action = {
		.sa_handler = SIG_DFL,
		.sa_flags = SA_NOCLDWAIT,
	};

	sigaction(SIGCHLD, &action, NULL);
}
