/* SPDX-License-Identifier: GPL-2.0-only */
/* Events as lines of text. */
#ifndef VSOCKDEV_FORMAT_H
#define VSOCKDEV_FORMAT_H

struct vsockdev_event;

void print_event_text(const struct vsockdev_event *event);
void print_event_json(const struct vsockdev_event *event);

#endif
