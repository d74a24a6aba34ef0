// SPDX-License-Identifier: GPL-2.0-only
/* Both sides of an attack, seen from the guest. */
#include "siege.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef siege_start
#undef siege_begin
#undef siege_wait
#undef siege_exchange
#undef siege_lift
#undef siege_abandon
#undef siege_resume
#undef siege_reconnect

#define ECHO_SERVICE 7 /* of the host device */
#define ECHO_BYTES 65536ULL

/* The host may still have to hear of a driver that came just now. */
static bool no_driver_yet(const char *answer, const struct guard *guard)
{
	return !strcmp(answer, "ERR no driver") && guard_wait(guard);
}

void siege_begin(struct siege *s, const char *format, ...)
{
	struct guard guard = guard_start();
	const char *answer;
	char line[128];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	do {
		peer_tell(&s->control, "control 0 %s", line);
		answer = peer_hear(&s->control);
	} while (no_driver_yet(answer, &guard));
	if (strcmp(answer, "OK"))
		fail("'%s': the host device answers %s", line, answer);
}

void siege_start(struct siege *s)
{
	/* What the host does not answer is to end while the test waits. */
	const struct vsockdev_start options = { .close_timeout_ms = 4000 };

	device_start_at(&s->other, 1, NULL);
	s->control = peer_open(&s->other);
	siege_begin(s, "stop"); /* what a failed test may have left */
	device_start(&s->dev, &options);
	s->peer = peer_open(&s->dev);
	s->link = peer_connect(&s->dev, &s->peer);
	s->rounds = 0;
	s->before = info_of(s->dev.fd);
	victim_start(&s->victim, &s->dev);
}

const char *siege_status(struct siege *s)
{
	const char *answer;

	peer_tell(&s->control, "control 0 hostile");
	answer = peer_hear(&s->control);
	if (strncmp(answer, "OK ", 3))
		fail("the host device answers %s", answer);
	return answer + 3;
}

static uint64_t sent_of(const char *status)
{
	const char *sent = strstr(status, "sent=");

	return sent ? strtoull(sent + strlen("sent="), NULL, 10) : 0;
}

uint64_t siege_sent(struct siege *s)
{
	return sent_of(siege_status(s));
}

bool siege_wait(struct siege *s, uint64_t every)
{
	struct guard guard = guard_start();
	uint64_t last = 0, due = every;
	const char *status;

	for (;;) {
		status = siege_status(s);
		if (strncmp(status, "running", strlen("running")))
			break;
		if (sent_of(status) != last)
			guard = guard_start();
		else if (!guard_wait(&guard))
			fail("the host gets no further: %s", status);
		last = sent_of(status);
		if (every && last >= due) {
			due += every;
			siege_exchange(s);
		}
	}
	return !strncmp(status, "pausing", strlen("pausing"));
}

void siege_go(struct siege *s)
{
	peer_do(&s->control, "OK", "control 0 go");
}

/* Needs no event: bytes that come back say it all. */
static void echo(struct siege *s, uint64_t seed)
{
	struct link link = link_request(&s->dev, ECHO_SERVICE);

	send_stream(link.sock, seed, ECHO_BYTES);
	receive_stream(link.sock, seed, ECHO_BYTES);
	link_close(&link);
}

void siege_exchange(struct siege *s)
{
	s->rounds++;
	exchange(&s->peer, &s->link, 2 * s->rounds);
	echo(s, s->rounds);
}

void siege_abandon(struct siege *s)
{
	int error;

	victim_stop(&s->victim);
	error = stop(s->dev.fd);
	if (error)
		fail("STOP: %s", strerror(-error));
}

void siege_resume(struct siege *s)
{
	int error = start(s->dev.fd, NULL);

	if (error)
		fail("START: %s", strerror(-error));
}

void siege_reconnect(struct siege *s)
{
	link_close(&s->peer.link);
	link_close(&s->link);
	s->peer = peer_open(&s->dev);
	s->link = peer_connect(&s->dev, &s->peer);
}

static void refuse_all(struct device *dev)
{
	struct vsockdev_event event;

	while (poll_now(dev->fd) & POLLIN) {
		event = next_event(dev);
		if (event.type == VSOCKDEV_EVENT_REQUEST)
			send_rst(dev->fd, event.addr, event.conn_id);
		else if (event.type == VSOCKDEV_EVENT_TRANSPORT_RESET)
			victim_acknowledge(dev->fd, &event);
	}
}

void siege_lift(struct siege *s)
{
	struct guard guard = guard_start();

	victim_stop(&s->victim);
	while (info_of(s->dev.fd).conns > s->before.conns) {
		refuse_all(&s->dev);
		if (!guard_wait(&guard))
			fail("%u connections are left",
			     info_of(s->dev.fd).conns - s->before.conns);
	}
}
