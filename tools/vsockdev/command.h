/* SPDX-License-Identifier: GPL-2.0-only */
/* The subcommands: each is a file of its own, with its options and its main. */
#ifndef VSOCKDEV_COMMAND_H
#define VSOCKDEV_COMMAND_H

#include <stdbool.h>

/* What the tool ends with, so that scripts can tell. Part of the interface. */
enum status {
	STATUS_OK = 0,
	STATUS_ERROR = 1,
	STATUS_REFUSED = 2,
	STATUS_RESET = 3,
	STATUS_TIMEOUT = 4,
};

/*
 * @argv[0] is the command's name as usage messages show it. @device is a node;
 * those that open none get what the user named, or NULL.
 */
enum status cid_main(const char *device, int argc, char **argv);
enum status info_main(const char *device, int argc, char **argv);
enum status monitor_main(const char *device, int argc, char **argv);
enum status connect_main(const char *device, int argc, char **argv);
enum status listen_main(const char *device, int argc, char **argv);
enum status send_main(const char *device, int argc, char **argv);
enum status recv_main(const char *device, int argc, char **argv);
enum status devices_main(const char *device, int argc, char **argv);
enum status bind_main(const char *device, int argc, char **argv);
enum status unbind_main(const char *device, int argc, char **argv);

/* Tells on stderr what goes on, if --verbose asked for it. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern bool verbose;

#endif
