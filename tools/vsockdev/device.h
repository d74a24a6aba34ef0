/* SPDX-License-Identifier: GPL-2.0-only */
/* The device as every command uses it: what fails ends the program. */
#ifndef VSOCKDEV_DEVICE_H
#define VSOCKDEV_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

struct vsockdev;
struct vsockdev_event;

struct vsockdev *device_open(const char *path);

/* Opens and owns the device; it stops when the program ends. */
struct vsockdev *device_start(const char *path);

/* Takes an event if there is one. */
bool device_poll(struct vsockdev *dev, struct vsockdev_event *event);

/* Waits for an event; false once the clock passed @end_ms (-1: never). */
bool device_next(struct vsockdev *dev, struct vsockdev_event *event,
		 int64_t end_ms);

/*
 * The answer to an event that nobody here is concerned with: a request is
 * refused, a transport reset acknowledged.
 */
void device_decline(struct vsockdev *dev, const struct vsockdev_event *event);

/* To be called when one is on its way, before there is any connection. */
void device_await_reset(struct vsockdev *dev);

/* Milliseconds of a clock that only moves forward. */
int64_t clock_ms(void);

#endif
