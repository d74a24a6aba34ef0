/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machine around the devices. Device 0 is behind the first PCI port, and
 * that is what it is known by here: its number on the virtio bus and that of
 * its node are new ones each time it comes.
 */
#ifndef VSOCKDEV_TEST_MACHINE_H
#define VSOCKDEV_TEST_MACHINE_H

#include <stdbool.h>

#include "link.h"

#define MODULE "vsockdev"
#define VIRTIO_DRIVERS "/sys/bus/virtio/drivers/"

/* How many devices were there when the guest was started. */
unsigned int machine_devices(void);

/*
 * Are they on PCI? Those of a kernel that is a program can neither be unplugged
 * nor do they sleep when it does.
 */
bool machine_has_ports(void);

/* Room for /dev/vsockdevN, or virtioN. */
#define NAME_SIZE 32

/* The node of that device, if it has one. */
bool find_node(unsigned int device, char name[NAME_SIZE]);
bool node_exists(unsigned int device);

/* Its name on the virtio bus; false if it is not plugged in. */
bool find_virtio(unsigned int device, char name[NAME_SIZE]);

/* Writes all of a text to a file of the kernel; 0 or a negative errno. */
int write_file(const char *path, const char *text);

/* Give a device to a virtio driver, and take it away; 0 or a negative errno. */
int bind_to(unsigned int device, const char *driver);
int unbind_from(unsigned int device, const char *driver);

/* The same with ours, which must succeed. */
void bind_device(unsigned int device);
void unbind_device(unsigned int device);

/* Modules. Removal: 0 or a negative errno, at once. */
int remove_module(const char *name);
void insert_module(void);
long module_refs(void);

/* Lines that the kernel has logged so far, as far as it remembers. */
unsigned int log_lines(void);

/*
 * Hot-unplug and hot-plug, through a peer that is not behind that device. They
 * have only begun when these return.
 */
#define PLUG_COMMAND                                              \
	"until monitor device_add vhost-user-vsock-pci,id=vsock%u," \
	"chardev=vsock%u,bus=port%u"

void unplug(struct peer *peer, unsigned int device);
void plug(struct peer *peer, unsigned int device);

#define log_lines(...) HERE((log_lines)(__VA_ARGS__))
#define bind_device(...) HERE((bind_device)(__VA_ARGS__))
#define unbind_device(...) HERE((unbind_device)(__VA_ARGS__))
#define insert_module(...) HERE((insert_module)(__VA_ARGS__))
#define module_refs(...) HERE((module_refs)(__VA_ARGS__))
#define plug(...) HERE((plug)(__VA_ARGS__))
#define unplug(...) HERE((unplug)(__VA_ARGS__))

#endif
