// SPDX-License-Identifier: GPL-2.0-only
/* AF_VSOCK on the in-tree driver. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "bus.h"
#include "side.h"

#define LIBRARIES "/vsockdev/bin"

static pid_t socat;

static void start(const char *node)
{
	(void)node;
}

static void stop(void)
{
}

static void set_window(int sock, uint64_t window)
{
	if (setsockopt(sock, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &window,
		       sizeof(window)) ||
	    setsockopt(sock, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &window,
		       sizeof(window)))
		die("SO_VM_SOCKETS_BUFFER_SIZE: %s", strerror(errno));
}

static void set_zerocopy(int sock)
{
	int on = 1;

	if (setsockopt(sock, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)))
		die("SO_ZEROCOPY: %s", strerror(errno));
}

static struct link open_link(const struct variant *variant, uint32_t port)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = port,
	};
	struct link link = {
		.sock = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0),
	};

	if (link.sock < 0)
		die("AF_VSOCK: %s", strerror(errno));
	if (variant && variant->window)
		set_window(link.sock, variant->window);
	if (variant && variant->zerocopy)
		set_zerocopy(link.sock);
	if (connect(link.sock, (struct sockaddr *)&addr, sizeof(addr)))
		die("AF_VSOCK connect: %s", strerror(errno));
	return link;
}

/* To the end, or the connection stays for the seconds that it may last. */
static void close_link(struct link *link)
{
	char byte;

	/* That device knows no half-close. */
	shutdown(link->sock, host_is_foreign() ? SHUT_RDWR : SHUT_WR);
	while (recv(link->sock, &byte, 1, 0) > 0)
		;
	close(link->sock);
}

static void abort_link(struct link *link)
{
	close(link->sock);
}

static void visit(uint32_t port)
{
	struct link link = open_link(NULL, port);
	char byte = 'b';

	if (send(link.sock, &byte, 1, MSG_NOSIGNAL) != 1 ||
	    recv(link.sock, &byte, 1, 0) != 1)
		die("visit: %s", strerror(errno));
	close(link.sock);
}

/*
 * socat is linked dynamically, and its libraries lie beside it. With the port
 * open it waits for the host.
 */
static void bridge_open(const struct variant *variant, uint32_t port,
			uint16_t tcp_port)
{
	char block[32], listen[32], connect[32];

	snprintf(block, sizeof(block), "-b%zu", variant->piece);
	snprintf(listen, sizeof(listen), "VSOCK-LISTEN:%u", port);
	snprintf(connect, sizeof(connect), "TCP:127.0.0.1:%u", tcp_port);
	socat = fork();
	if (socat < 0)
		die("fork: %s", strerror(errno));
	if (socat)
		return;
	execl(LIBRARIES "/ld-linux-x86-64.so.2", "ld.so", "--library-path",
	      LIBRARIES, LIBRARIES "/socat", block, listen, connect, NULL);
	_exit(127);
}

static void bridge_accept(uint32_t port, uint16_t tcp_port)
{
	(void)port;
	(void)tcp_port;
}

static void bridge_close(void)
{
	kill(socat, SIGTERM);
	waitpid(socat, NULL, 0);
}

const struct side side_peer = {
	.name = "peer",
	.driver = BUS_LINUX_DRIVER,
	.start = start,
	.stop = stop,
	.open = open_link,
	.close = close_link,
	.abort = abort_link,
	.visit = visit,
	.bridge_open = bridge_open,
	.bridge_accept = bridge_accept,
	.bridge_close = bridge_close,
};
