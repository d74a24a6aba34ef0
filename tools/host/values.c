// SPDX-License-Identifier: GPL-2.0-only
/* Numbers of scripts. They have 64 bits, and whoever uses them cuts them. */
#include "values.h"

#include <ctype.h>
#include <errno.h>
#include <linux/virtio_vsock.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static const struct {
	const char *name;
	uint64_t value;
} constants[] = {
	{ "INVALID", VIRTIO_VSOCK_OP_INVALID },
	{ "REQUEST", VIRTIO_VSOCK_OP_REQUEST },
	{ "RESPONSE", VIRTIO_VSOCK_OP_RESPONSE },
	{ "RST", VIRTIO_VSOCK_OP_RST },
	{ "SHUTDOWN", VIRTIO_VSOCK_OP_SHUTDOWN },
	{ "RW", VIRTIO_VSOCK_OP_RW },
	{ "CREDIT_UPDATE", VIRTIO_VSOCK_OP_CREDIT_UPDATE },
	{ "CREDIT_REQUEST", VIRTIO_VSOCK_OP_CREDIT_REQUEST },
	{ "STREAM", VIRTIO_VSOCK_TYPE_STREAM },
	{ "SEQPACKET", VIRTIO_VSOCK_TYPE_SEQPACKET },
	{ "EOM", VIRTIO_VSOCK_SEQ_EOM },
	{ "EOR", VIRTIO_VSOCK_SEQ_EOR },
	{ "RECEIVE", VIRTIO_VSOCK_SHUTDOWN_RCV },
	{ "SENDS", VIRTIO_VSOCK_SHUTDOWN_SEND },
	{ "BOTH", VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND },
	{ "HOST", 2 },
	/* The guest's ports, by what the program behind them does. */
	{ "IGNORE", 7000 },
	{ "REFUSE", 7001 },
	{ "SINK", 7002 },
	{ "STALL", 7003 },
	{ "SOURCE", 7004 },
	{ "ECHO", 7005 },
	{ "CLOSE", 7006 },
	{ "KEEP", 7007 },
	{ "CALL", 10 }, /* to be added */
	{ "TCP", 20 },
};

static int find(const struct values *values, const char *name)
{
	for (unsigned int i = 0; i < values->count; i++)
		if (!strcmp(values->table[i].name, name))
			return i;
	return -1;
}

bool values_set(struct values *values, const char *name, uint64_t value)
{
	int i = find(values, name);

	if (i < 0) {
		if (values->count == VALUES_MAX || strlen(name) >= VALUE_NAME)
			return false;
		i = values->count++;
		strcpy(values->table[i].name, name);
	}
	values->table[i].value = value;
	return true;
}

static bool constant(const char *name, uint64_t *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(constants); i++) {
		if (!strcmp(constants[i].name, name)) {
			*value = constants[i].value;
			return true;
		}
	}
	return false;
}

static bool number(const char *text, uint64_t *value)
{
	char *end;

	if (!isdigit(*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	if (*end == 'K')
		*value <<= 10;
	else if (*end == 'M')
		*value <<= 20;
	end += *end == 'K' || *end == 'M';
	return !errno && !*end;
}

static bool operand(const struct values *values, const char *text,
		    uint64_t *value)
{
	int i;

	if (*text != '$')
		return number(text, value) || constant(text, value);
	i = find(values, text + 1);
	if (i >= 0)
		*value = values->table[i].value;
	return i >= 0;
}

static bool apply(char operator, uint64_t operand, uint64_t *value)
{
	switch (operator) {
	case '+':
		*value += operand;
		return true;
	case '-':
		*value -= operand;
		return true;
	case '*':
		*value *= operand;
		return true;
	case '/':
		*value = operand ? *value / operand : 0;
		return operand;
	case '%':
		*value = operand ? *value % operand : 0;
		return operand;
	default:
		return false;
	}
}

bool values_eval(const struct values *values, const char *text, uint64_t *value)
{
	char operator = '+', word[VALUE_NAME + 1];
	uint64_t v;

	*value = 0;
	for (;;) {
		size_t len = strcspn(text, "+-*/%");

		if (!len || len >= sizeof(word))
			return false;
		memcpy(word, text, len);
		word[len] = '\0';
		if (!operand(values, word, &v) || !apply(operator, v, value))
			return false;
		text += len;
		if (!*text)
			return true;
		operator = *text++;
	}
}
