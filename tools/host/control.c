// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket: one command for each line, answered by one line.
 *
 * A reset or a new CID ends every connection without a word to the guest, as
 * if the device had been restored from a snapshot: who asked is told when
 * that has happened, and the guest learns it by the event.
 */
#include "control.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"
#include "options.h"
#include "unix.h"
#include "util.h"
#include "vhost_user.h"
#include "vsock.h"

#define REPLY_MAX 256

struct reply {
	char text[REPLY_MAX];
};

static int say(struct reply *reply, const char *text)
{
	snprintf(reply->text, sizeof(reply->text), "%s", text);
	return 0;
}

static int parse_cid(const char *arg, uint64_t *cid)
{
	char *end;

	if (!arg)
		return -EINVAL;
	errno = 0;
	*cid = strtoull(arg, &end, 0);
	if (errno || end == arg || *end || *arg == '-' ||
	    *cid < OPTIONS_CID_MIN || *cid > OPTIONS_CID_MAX)
		return -ERANGE;
	return 0;
}

static int do_cid(struct control *control, const char *arg, struct reply *reply)
{
	uint64_t cid, old = control->vs->cid;
	int err = parse_cid(arg, &cid);

	if (err)
		return err;
	(void)reply;
	control->vs->cid = cid;
	err = vhost_user_config_changed(control->vu);
	if (err) {
		control->vs->cid = old;
		return err;
	}
	control->vs->cid_is_news = true;
	vsock_drop_all(control->vs);
	return 0;
}

static int do_reset(struct control *control, const char *arg,
		    struct reply *reply)
{
	uint64_t cid = control->vs->cid;
	int err = arg ? parse_cid(arg, &cid) : 0;

	(void)reply;
	return err ? err : vsock_transport_reset(control->vs, cid);
}

static int do_stats(struct control *control, const char *arg,
		    struct reply *reply)
{
	const struct vsock *vs = control->vs;

	(void)arg;
	snprintf(reply->text, sizeof(reply->text),
		 "cid=%llu connections=%u from_guest=%llu to_guest=%llu "
		 "kicks=%llu calls=%llu",
		 (unsigned long long)vs->cid, vs->conns.count,
		 (unsigned long long)vs->packets_from_guest,
		 (unsigned long long)vs->packets_to_guest,
		 (unsigned long long)vs->txq->kicks + vs->rxq->kicks,
		 (unsigned long long)vs->txq->calls + vs->rxq->calls);
	return 0;
}

static int do_script(struct control *control, const char *arg,
		     struct reply *reply)
{
	struct hostile *h = control->vs->hostile;
	int err = arg ? hostile_script(h, arg) : -EINVAL;

	if (err == -EINVAL && arg) {
		hostile_status(h, reply->text, sizeof(reply->text));
		return -EBADMSG;
	}
	return err;
}

static bool parse_number(const char *text, uint64_t *value)
{
	char *end;

	if (!text)
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && end != text && !*end;
}

/* Without a seed it tells how far it is. */
static int do_hostile(struct control *control, const char *arg,
		      struct reply *reply)
{
	struct hostile *h = control->vs->hostile;
	uint64_t seed, count;

	if (!arg) {
		hostile_status(h, reply->text, sizeof(reply->text));
		return 0;
	}
	if (!parse_number(arg, &seed) ||
	    !parse_number(strtok_r(NULL, " \r", &control->rest), &count))
		return -EINVAL;
	return hostile_storm(h, seed, count);
}

static int do_go(struct control *control, const char *arg, struct reply *reply)
{
	(void)arg;
	(void)reply;
	return hostile_go(control->vs->hostile);
}

static int do_stop(struct control *control, const char *arg,
		   struct reply *reply)
{
	(void)arg;
	(void)reply;
	hostile_stop(control->vs->hostile, "stopped");
	return 0;
}

static int do_help(struct control *control, const char *arg,
		   struct reply *reply)
{
	(void)control;
	(void)arg;
	return say(reply, "cid N | reset [CID] | script NAME | "
			  "hostile [SEED COUNT] | go | stop | stats | help");
}

static const struct command {
	const char *name;
	int (*run)(struct control *control, const char *arg,
		   struct reply *reply);
} commands[] = {
	{ "cid", do_cid },
	{ "reset", do_reset },
	{ "script", do_script },
	{ "hostile", do_hostile },
	{ "go", do_go },
	{ "stop", do_stop },
	{ "stats", do_stats },
	{ "help", do_help },
};

static int perform(struct control *control, char *line, struct reply *reply)
{
	char *name = strtok_r(line, " \r", &control->rest), *arg;

	arg = name ? strtok_r(NULL, " \r", &control->rest) : NULL;
	for (size_t i = 0; name && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			return commands[i].run(control, arg, reply);
	return -ENOSYS;
}

/* What an error means here, where strerror() would only puzzle. */
static const char *reason(int err)
{
	switch (err) {
	case -EINVAL:
		return "an argument is missing";
	case -ERANGE:
		return "no such CID";
	case -EAGAIN:
		return "no script pauses";
	case -EBADMSG:
		return "the script makes no sense";
	case -ENOSYS:
		return "unknown command, see help";
	case -ENOTCONN:
		return "no driver";
	case -EOPNOTSUPP:
		return "not with this front end";
	case -ENOBUFS:
		return "the driver has posted no event buffer";
	default:
		return strerror(-err);
	}
}

/* Answers are short and awaited: a client that leaves no room is too late. */
static void answer(struct control_client *client, char *line)
{
	struct reply reply = {};
	char text[REPLY_MAX + 64];
	int err = perform(client->control, line, &reply), len;

	if (err)
		len = snprintf(text, sizeof(text), "ERR %s%s%s\n", reason(err),
			       *reply.text ? ": " : "", reply.text);
	else
		len = snprintf(text, sizeof(text), "OK%s%s\n",
			       *reply.text ? " " : "", reply.text);
	if (send(client->src.fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) != len)
		loop_close(client->control->loop, &client->src);
}

/* Answers every whole line, and moves the rest to the front. */
static void take_lines(struct control_client *client)
{
	char *line = client->line, *end;

	while (client->src.fd >= 0 &&
	       (end = memchr(line, '\n', client->line + client->len - line))) {
		*end = '\0';
		answer(client, line);
		line = end + 1;
	}
	client->len -= line - client->line;
	memmove(client->line, line, client->len);
}

static void client_ready(struct source *src, uint32_t events)
{
	struct control_client *client =
		container_of(src, struct control_client, src);
	ssize_t n = recv(src->fd, client->line + client->len,
			 sizeof(client->line) - client->len, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	client->len += n > 0 ? n : 0;
	take_lines(client);
	if (n <= 0 || client->len == sizeof(client->line))
		loop_close(client->control->loop, src);
}

static struct control_client *free_client(struct control *control)
{
	for (size_t i = 0; i < ARRAY_SIZE(control->clients); i++)
		if (control->clients[i].src.fd < 0)
			return &control->clients[i];
	return NULL;
}

static void client_arrived(struct source *src, uint32_t events)
{
	struct control *control = container_of(src, struct control, listener);
	struct control_client *client = free_client(control);
	int fd = accept4(src->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (!client) {
		close(fd);
		return;
	}
	client->len = 0;
	if (loop_add(control->loop, &client->src, fd, EPOLLIN, client_ready))
		loop_close(control->loop, &client->src);
}

int control_listen(struct control *control, const char *path, struct vsock *vs,
		   struct vhost_user *vu)
{
	int fd;

	control->listener.fd = -1;
	control->path = path;
	control->loop = vs->loop;
	control->vs = vs;
	control->vu = vu;
	for (size_t i = 0; i < ARRAY_SIZE(control->clients); i++) {
		control->clients[i].control = control;
		control->clients[i].src.fd = -1;
	}
	if (!path)
		return 0;
	fd = unix_bind(path, SOCK_STREAM);
	if (fd < 0)
		return fd;
	return loop_add(control->loop, &control->listener, fd, EPOLLIN,
			client_arrived);
}

void control_close(struct control *control)
{
	for (size_t i = 0; i < ARRAY_SIZE(control->clients); i++)
		loop_close(control->loop, &control->clients[i].src);
	loop_close(control->loop, &control->listener);
	if (control->path)
		unlink(control->path);
}
