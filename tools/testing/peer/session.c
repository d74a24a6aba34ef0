// SPDX-License-Identifier: GPL-2.0-only
/*
 * A script connection. Each line is one step, each step is answered by one
 * line once it is done, so guest and host never have to guess how far the
 * other one is. Besides the script connection a session has one data
 * connection, which it accepted or dialled.
 */
#include "session.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process.h"
#include "remote.h"
#include "results.h"
#include "transfer.h"
#include "uds.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_WORDS 16
#define UNTIL_PAUSE_MS 10
#define UNTIL_TRIES 2000
#define ECHO_BYTES (256 << 10)
#define MESSAGE_BYTES (256 << 10)

struct session {
	const struct setup *setup;
	int control; /* -1: ended */
	int data; /* -1: none */
	int listener; /* -1: none */
	uint32_t port; /* of listener */
	int type; /* likewise */
	struct transfer tx; /* on data */
	struct transfer rx;
	bool became; /* the script connection is no script any more */
	pid_t process; /* 0: none */
	char defer_tag[32];
	char deferred[256];
	char later[256]; /* once the answer is out */
	char reply[256];
};

struct command {
	const char *name;
	int args; /* at least */
	void (*run)(struct session *s, char **args);
	const char *help;
};

static void perform(struct session *s, char *line);
static void reply(struct session *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void reply(struct session *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->reply, sizeof(s->reply), format, args);
	va_end(args);
}

static void reply_errno(struct session *s, const char *what)
{
	reply(s, "error %s: %s", what, strerror(errno));
}

static uint64_t number(const char *word)
{
	return strcmp(word, "end") ? strtoull(word, NULL, 0) : TRANSFER_TO_END;
}

/* "MIN-MAX" or "N" */
static struct sizes sizes(const char *word)
{
	struct sizes sizes = {};

	if (!word)
		return sizes;
	sizes.min = strtoul(word, (char **)&word, 0);
	sizes.max = *word == '-' ? strtoul(word + 1, NULL, 0) : sizes.min;
	return sizes;
}

static int socket_type(const char *word)
{
	return word && !strcmp(word, "seqpacket") ? SOCK_SEQPACKET :
						    SOCK_STREAM;
}

static void new_data(struct session *s, int fd)
{
	int buf = MESSAGE_BYTES;

	if (s->data >= 0)
		close(s->data);
	s->data = fd;
	memset(&s->tx, 0, sizeof(s->tx));
	memset(&s->rx, 0, sizeof(s->rx));
	if (fd < 0 || uds_type(fd) != SOCK_SEQPACKET)
		return;
	s->tx.messages = true;
	s->rx.messages = true;
	/* A message has to fit in as a whole. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buf, sizeof(buf));
}

/* Waits for @fd, but not longer than there is a script connection. */
static bool wait_for(struct session *s, int fd, short events)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = events },
		{ .fd = s->control, .events = POLLRDHUP },
	};

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		if (errno != EINTR)
			return false;
	return fds[0].revents;
}

static void do_ping(struct session *s, char **args)
{
	(void)args;
	reply(s, "pong");
}

static void unlisten(struct session *s)
{
	if (s->listener >= 0)
		place_unlisten(&s->setup->place, s->port, s->type, s->listener);
	s->listener = -1;
}

static void do_listen(struct session *s, char **args)
{
	unlisten(s);
	s->port = number(args[1]);
	s->type = socket_type(args[2]);
	s->listener = place_listen(&s->setup->place, s->port, s->type);
	if (s->listener < 0)
		reply_errno(s, "listen");
	else
		reply(s, "ok");
}

static void do_accept(struct session *s, char **args)
{
	int fd = -1;

	(void)args;
	if (s->listener >= 0 && wait_for(s, s->listener, POLLIN))
		fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	new_data(s, fd);
	if (fd < 0)
		reply_errno(s, "accept");
	else
		reply(s, "ok");
}

static void do_dial_start(struct session *s, char **args)
{
	new_data(s, place_dial(&s->setup->place, number(args[1]),
			       socket_type(args[2])));
	if (s->data < 0)
		reply_errno(s, "dial");
	else
		reply(s, "ok");
}

static void do_dial_wait(struct session *s, char **args)
{
	const struct place *place = &s->setup->place;
	char line[64];

	(void)args;
	if (s->data < 0 || !wait_for(s, s->data, place_dial_event(place))) {
		reply(s, "error nothing dialled");
		return;
	}
	if (place_dialled(place, s->data, line, sizeof(line)) <= 0) {
		new_data(s, -1);
		reply(s, "refused");
	} else if (strncmp(line, "OK ", 3)) {
		reply(s, "error answer: %s", line);
	} else {
		reply(s, "ok %s", line + 3);
	}
}

static void do_dial(struct session *s, char **args)
{
	do_dial_start(s, args);
	if (s->data >= 0)
		do_dial_wait(s, args);
}

/* The same seed again goes on where it was. */
static void seed(struct transfer *transfer, const char *word)
{
	uint64_t seed = number(word);

	if (transfer->stream.seed != seed)
		memset(&transfer->stream, 0, sizeof(transfer->stream));
	transfer->stream.seed = seed;
}

static void do_send(struct session *s, char **args)
{
	uint64_t n;

	seed(&s->tx, args[1]);
	s->tx.sizes = sizes(args[3]);
	n = transfer_send(&s->tx, s->data, number(args[2]));
	reply(s, "%s %llu", transfer_end_name(s->tx.end),
	      (unsigned long long)n);
}

static void complain(const struct transfer *transfer)
{
	char text[256];

	transfer_describe(transfer, text, sizeof(text));
	fprintf(stderr, "peer: receiving: %s\n", text);
}

static void do_recv(struct session *s, char **args)
{
	uint64_t n;

	seed(&s->rx, args[1]);
	s->rx.sizes = sizes(args[3]);
	n = transfer_receive(&s->rx, s->data, number(args[2]));
	if (s->rx.end == TRANSFER_MISMATCH)
		complain(&s->rx);
	reply(s, "%s %llu", transfer_end_name(s->rx.end),
	      (unsigned long long)n);
}

static void do_send_message(struct session *s, char **args)
{
	uint64_t n;

	seed(&s->tx, args[1]);
	n = transfer_send_message(&s->tx, s->data, number(args[2]));
	reply(s, "%s %llu", transfer_end_name(s->tx.end),
	      (unsigned long long)n);
}

static void do_recv_message(struct session *s, char **args)
{
	uint64_t n;

	seed(&s->rx, args[1]);
	n = transfer_receive_message(&s->rx, s->data, number(args[2]));
	if (s->rx.end == TRANSFER_MISMATCH)
		complain(&s->rx);
	reply(s, "%s %llu", transfer_end_name(s->rx.end),
	      (unsigned long long)n);
}

static void do_recv_line(struct session *s, char **args)
{
	char line[128], byte;
	ssize_t n;

	(void)args;
	if (uds_read_line(s->data, line, sizeof(line)) <= 0) {
		reply_errno(s, "line");
		return;
	}
	n = recv(s->data, &byte, 1, 0);
	reply(s, "%s %s", n < 0 ? "reset" : n ? "more" : "eof", line);
}

struct exchange {
	struct session *session;
	uint64_t len;
	uint64_t sent;
};

static void *exchange_send(void *arg)
{
	struct exchange *exchange = arg;
	struct session *s = exchange->session;

	exchange->sent = transfer_send(&s->tx, s->data, exchange->len);
	return NULL;
}

static void do_exchange(struct session *s, char **args)
{
	struct exchange exchange = { .session = s, .len = number(args[2]) };
	pthread_t sender;
	uint64_t received;

	seed(&s->tx, args[1]);
	seed(&s->rx, args[3]);
	if (pthread_create(&sender, NULL, exchange_send, &exchange)) {
		reply(s, "error no thread");
		return;
	}
	received = transfer_receive(&s->rx, s->data, number(args[4]));
	pthread_join(sender, NULL);
	if (s->rx.end == TRANSFER_MISMATCH)
		complain(&s->rx);
	reply(s, "%s %llu %s %llu", transfer_end_name(s->tx.end),
	      (unsigned long long)exchange.sent, transfer_end_name(s->rx.end),
	      (unsigned long long)received);
}

static bool write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		buf += n;
		len -= n;
	}
	return true;
}

/* Back what comes, to its end. False if that was not orderly. */
static bool echo(int fd, uint64_t *total)
{
	char *buf = malloc(ECHO_BYTES);
	ssize_t n = -1;

	*total = 0;
	while (buf) {
		/* Of a message that does not fit, this is the real size. */
		n = recv(fd, buf, ECHO_BYTES, MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || n > ECHO_BYTES || !write_all(fd, buf, n))
			break;
		*total += n;
	}
	free(buf);
	if (n == 0)
		shutdown(fd, SHUT_WR);
	return n == 0;
}

static void do_echo(struct session *s, char **args)
{
	uint64_t total;
	bool orderly;

	(void)args;
	orderly = echo(s->data, &total);
	reply(s, "%s %llu", orderly ? "eof" : "reset",
	      (unsigned long long)total);
}

static void do_become_echo(struct session *s, char **args)
{
	uint64_t total;

	(void)args;
	s->became = true;
	echo(s->control, &total);
}

/* Not every kernel knows FIONREAD for AF_VSOCK. */
static bool has_bytes(int fd)
{
	char byte;
	int n;

	if (!ioctl(fd, FIONREAD, &n))
		return n;
	return recv(fd, &byte, 1, MSG_PEEK) > 0;
}

static void do_unread(struct session *s, char **args)
{
	(void)args;
	if (!wait_for(s, s->data, POLLIN))
		reply_errno(s, "unread");
	else
		reply(s, has_bytes(s->data) ? "ok" : "eof");
}

static void do_shutdown(struct session *s, char **args)
{
	int how = SHUT_RDWR;

	if (!strcmp(args[1], "wr"))
		how = SHUT_WR;
	else if (!strcmp(args[1], "rd"))
		how = SHUT_RD;
	if (shutdown(s->data, how))
		reply_errno(s, "shutdown");
	else
		reply(s, "ok");
}

static void do_close(struct session *s, char **args)
{
	(void)args;
	new_data(s, -1);
	reply(s, "ok");
}

static void join(char *to, size_t size, char **words)
{
	size_t len = 0;

	*to = '\0';
	while (*words && len < size)
		len += snprintf(to + len, size - len, "%s%s", len ? " " : "",
				*words++);
}

static void do_defer(struct session *s, char **args)
{
	snprintf(s->defer_tag, sizeof(s->defer_tag), "%s", args[1]);
	join(s->deferred, sizeof(s->deferred), args + 2);
	reply(s, "ok");
}

static void do_later(struct session *s, char **args)
{
	join(s->later, sizeof(s->later), args + 1);
	reply(s, "ok");
}

static void in_process(void *arg)
{
	struct session *s = arg;

	s->control = -1;
	perform(s, s->deferred);
}

static void do_process(struct session *s, char **args)
{
	if (s->data < 0 || s->process) {
		reply(s, "error no data connection");
		return;
	}
	join(s->deferred, sizeof(s->deferred), args + 1);
	s->process = process_start(s->data, in_process, s);
	s->deferred[0] = '\0';
	if (s->process < 0) {
		s->process = 0;
		reply_errno(s, "process");
		return;
	}
	new_data(s, -1);
	reply(s, "ok");
}

static void kill_process(struct session *s)
{
	if (s->process)
		process_kill(s->process);
	s->process = 0;
}

static void do_kill(struct session *s, char **args)
{
	(void)args;
	kill_process(s);
	reply(s, "ok");
}

/* What it waits for wakes nobody here, so it tries again and again. */
static void do_until(struct session *s, char **args)
{
	char line[256], copy[256];

	join(line, sizeof(line), args + 1);
	for (int i = 0; i < UNTIL_TRIES; i++) {
		memcpy(copy, line, sizeof(copy));
		memset(s->reply, 0, sizeof(s->reply));
		perform(s, copy);
		if (!strncasecmp(s->reply, "ok", 2))
			return;
		poll(NULL, 0, UNTIL_PAUSE_MS);
	}
}

/* For guests whose next program listens. */
static void do_reach(struct session *s, char **args)
{
	char *dial[4] = { "until", "dial", args[1], NULL };
	char line[256];

	do_until(s, dial);
	if (s->data < 0 || !args[2])
		return;
	join(line, sizeof(line), args + 2);
	memset(s->reply, 0, sizeof(s->reply));
	perform(s, line);
}

static void do_control(struct session *s, char **args)
{
	uint64_t index = number(args[1]);
	const char *path = NULL;
	char line[256];

	if (index < SETUP_CONTROLS)
		path = s->setup->controls[index];
	join(line, sizeof(line), args + 2);
	remote_control(path, line, s->reply, sizeof(s->reply));
}

static void do_monitor(struct session *s, char **args)
{
	char line[256];

	join(line, sizeof(line), args + 1);
	remote_monitor(s->setup->monitor, line, s->reply, sizeof(s->reply));
}

static void do_result(struct session *s, char **args)
{
	if (!results_take(args[1], s->reply, sizeof(s->reply)))
		reply(s, "error no result");
}

/* On SEQPACKET connections send and recv are about messages of those sizes. */
static const struct command commands[] = {
	{ "ping", 0, do_ping, "answers pong" },
	{ "listen", 1, do_listen, "PORT [seqpacket]: of the host" },
	{ "accept", 0, do_accept, "waits for the guest's connection" },
	{ "dial", 1, do_dial, "PORT [seqpacket]: of the guest; or refused" },
	{ "dial-start", 1, do_dial_start, "PORT [seqpacket]: does not wait" },
	{ "dial-wait", 0, do_dial_wait, "the answer to dial-start" },
	{ "send", 2, do_send, "SEED BYTES [MIN-MAX]: in writes of that size" },
	{ "recv", 2, do_recv, "SEED BYTES|end [MIN-MAX]: and check all" },
	{ "send-message", 2, do_send_message, "SEED BYTES: just one" },
	{ "recv-message", 2, do_recv_message, "SEED BYTES: just one of these" },
	{ "recv-line", 0, do_recv_line, "of text, and what is behind it" },
	{ "exchange", 4, do_exchange, "SEED BYTES SEED BYTES|end: both ways" },
	{ "echo", 0, do_echo, "to the end, which is passed on" },
	{ "become-echo", 0, do_become_echo, "on the script connection itself" },
	{ "unread", 0, do_unread, "waits for bytes, and leaves them" },
	{ "shutdown", 1, do_shutdown, "rd|wr|both" },
	{ "close", 0, do_close, "with bytes unread that is a reset" },
	{ "defer", 2, do_defer, "TAG COMMAND... [; ...]: once this one ended" },
	{ "later", 1, do_later, "COMMAND...: after the answer, and with none" },
	{ "process", 1, do_process, "COMMAND...: by one that has the data" },
	{ "kill", 0, do_kill, "that process" },
	{ "until", 1, do_until, "COMMAND...: until it answers ok, for 20 s" },
	{ "reach", 1, do_reach, "PORT [COMMAND...]: until dial, then that" },
	{ "control", 2, do_control, "INDEX COMMAND...: to a host device" },
	{ "monitor", 1, do_monitor, "COMMAND...: to QEMU, which has no word" },
	{ "result", 1, do_result, "TAG: answer of a deferred command" },
};

void session_help(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-13s %s\n", commands[i].name, commands[i].help);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void perform(struct session *s, char *line)
{
	char *words[MAX_WORDS + 1] = {}, *save = NULL, *word;
	const struct command *command;
	int n = 0;

	for (word = strtok_r(line, " ", &save); word && n < MAX_WORDS;
	     word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	command = n ? find(words[0]) : NULL;
	if (!command || n <= command->args)
		reply(s, "error command?");
	else
		command->run(s, words);
}

static bool send_reply(struct session *s)
{
	size_t len = strlen(s->reply);

	s->reply[len] = '\n';
	return write_all(s->control, s->reply, len + 1);
}

/*
 * What may end this very connection: its answer is to be out of reach by then.
 * Nobody hears how it went, but for those who read the log.
 */
static void perform_later(struct session *s)
{
	char line[256], copy[256];

	memcpy(line, s->later, sizeof(line));
	memcpy(copy, s->later, sizeof(copy));
	s->later[0] = '\0';
	memset(s->reply, 0, sizeof(s->reply));
	if (!uds_drain(s->control))
		fprintf(stderr, "peer: later: the answer is not read\n");
	perform(s, line);
	if (s->setup->verbose || strncasecmp(s->reply, "ok", 2))
		fprintf(stderr, "peer: later: %s: %s\n", copy, s->reply);
}

static void converse(struct session *s)
{
	char line[256], copy[256];

	while (uds_read_line(s->control, line, sizeof(line)) > 0) {
		memcpy(copy, line, sizeof(copy));
		memset(s->reply, 0, sizeof(s->reply));
		perform(s, line);
		if (s->setup->verbose)
			fprintf(stderr, "peer: %s: %s\n", copy, s->reply);
		if (s->became || !send_reply(s))
			return;
		if (s->later[0])
			perform_later(s);
	}
}

/* One after the other; the last one's answer is what it was all for. */
static void perform_deferred(struct session *s)
{
	char *rest = s->deferred, *line;

	while ((line = strsep(&rest, ";"))) {
		memset(s->reply, 0, sizeof(s->reply));
		perform(s, line);
	}
	results_put(s->defer_tag, s->reply);
}

void session_run(const struct setup *setup, int control)
{
	struct session s = {
		.setup = setup,
		.control = control,
		.data = -1,
		.listener = -1,
	};

	converse(&s);
	close(s.control);
	s.control = -1;
	if (s.deferred[0])
		perform_deferred(&s);
	kill_process(&s);
	unlisten(&s);
	new_data(&s, -1);
}
