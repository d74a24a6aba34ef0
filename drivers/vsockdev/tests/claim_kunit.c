// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - taking a program's socket, and giving it back
 *
 * DOC: The connection is not in the table, and instead of its pump something
 * runs that counts.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/net.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "claim.h"
#include "scene.h"
#include "sock.h"

#define BOTH_TYPES \
	(BIT(VSOCKDEV_TYPE_STREAM) | BIT(VSOCKDEV_TYPE_SEQPACKET))

static atomic_t wakes;

static void count_wakes(struct work_struct *work)
{
	atomic_inc(&wakes);
	vsockdev_conn_put(container_of(work, struct vsockdev_conn, work));
}

/**
 * struct stage - a descriptor for the driver, and who is at its other end
 * @scene: the scene
 * @conn: the connection that it is for
 * @fd: the descriptor, or -1
 * @sock: its socket, or NULL
 * @others: more sockets, to be released
 */
struct stage {
	struct scene *scene;
	struct vsockdev_conn *conn;
	int fd;
	struct socket *sock;
	struct socket *others[2];
};

static const struct file_operations no_fops = {
	.owner = THIS_MODULE,
};

static struct socket *new_socket(struct stage *stage, int family, int type,
				 int protocol)
{
	struct socket *sock;

	KUNIT_ASSERT_EQ(stage->scene->test,
			sock_create_kern(&init_net, family, type, protocol,
					 &sock), 0);
	return sock;
}

static void install_fd(struct stage *stage, struct file *file)
{
	struct kunit *test = stage->scene->test;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	stage->fd = get_unused_fd_flags(0);
	KUNIT_ASSERT_GE(test, stage->fd, 0);
	fd_install(stage->fd, file);
}

static void use_socket(struct stage *stage, struct socket *sock)
{
	stage->sock = sock;
	install_fd(stage, sock_alloc_file(sock, 0, NULL));
}

static void make_pair(struct stage *stage, int type)
{
	struct socket *sock = new_socket(stage, AF_UNIX, type, 0);

	stage->others[0] = new_socket(stage, AF_UNIX, type, 0);
	KUNIT_ASSERT_EQ(stage->scene->test,
			sock->ops->socketpair(sock, stage->others[0]), 0);
	use_socket(stage, sock);
}

static void make_stream(struct stage *stage)
{
	make_pair(stage, SOCK_STREAM);
}

static void make_seqpacket(struct stage *stage)
{
	make_pair(stage, SOCK_SEQPACKET);
}

static void make_datagrams(struct stage *stage)
{
	make_pair(stage, SOCK_DGRAM);
}

static void make_nothing(struct stage *stage)
{
}

static void make_file(struct stage *stage)
{
	install_fd(stage, anon_inode_getfile("vsockdev_kunit", &no_fops, NULL,
					     O_RDWR));
}

static void make_unconnected(struct stage *stage)
{
	use_socket(stage, new_socket(stage, AF_UNIX, SOCK_STREAM, 0));
}

static void make_netlink(struct stage *stage)
{
	use_socket(stage, new_socket(stage, AF_NETLINK, SOCK_RAW, 0));
}

static void make_udp(struct stage *stage)
{
	use_socket(stage, new_socket(stage, AF_INET, SOCK_DGRAM, 0));
}

static void make_tcp_unconnected(struct stage *stage)
{
	use_socket(stage, new_socket(stage, AF_INET, SOCK_STREAM, 0));
}

static struct socket *listening(struct stage *stage, struct sockaddr_in *addr)
{
	struct kunit *test = stage->scene->test;
	struct socket *sock = new_socket(stage, AF_INET, SOCK_STREAM, 0);

	*addr = (struct sockaddr_in) {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	/* Not every kernel takes the same type of address */
	KUNIT_ASSERT_EQ(test, kernel_bind(sock, (void *)addr, sizeof(*addr)),
			0);
	KUNIT_ASSERT_EQ(test, kernel_listen(sock, 1), 0);
	KUNIT_ASSERT_GT(test, kernel_getsockname(sock, (void *)addr), 0);
	return sock;
}

static void make_tcp_listening(struct stage *stage)
{
	struct sockaddr_in addr;

	use_socket(stage, listening(stage, &addr));
}

static void make_tcp(struct stage *stage)
{
	struct kunit *test = stage->scene->test;
	struct sockaddr_in addr;
	struct socket *sock;

	stage->others[0] = listening(stage, &addr);
	sock = new_socket(stage, AF_INET, SOCK_STREAM, 0);
	KUNIT_ASSERT_EQ(test, kernel_connect(sock, (void *)&addr, sizeof(addr),
					     0), 0);
	KUNIT_ASSERT_EQ(test, kernel_accept(stage->others[0],
					    &stage->others[1], 0), 0);
	use_socket(stage, sock);
}

static const struct tcp_ulp_ops some_ulp;

static void make_tcp_with_ulp(struct stage *stage)
{
	make_tcp(stage);
	inet_csk(stage->sock->sk)->icsk_ulp_ops = &some_ulp;
}

static void make_used(struct stage *stage)
{
	make_stream(stage);
	rcu_assign_sk_user_data(stage->sock->sk, stage);
}

struct claim_case {
	const char *name;
	void (*make)(struct stage *stage);
	u32 types;
	int error;
};

static const struct claim_case claim_cases[] = {
	{ "stream", make_stream, BOTH_TYPES },
	{ "seqpacket", make_seqpacket, BOTH_TYPES },
	{ "tcp", make_tcp, BOTH_TYPES },
	{ "no_descriptor", make_nothing, BOTH_TYPES, -EBADF },
	{ "no_socket", make_file, BOTH_TYPES, -ENOTSOCK },
	{ "datagrams", make_datagrams, BOTH_TYPES, -EPROTOTYPE },
	{ "stream_for_messages", make_stream, BIT(VSOCKDEV_TYPE_SEQPACKET),
	  -EPROTOTYPE },
	{ "messages_for_stream", make_seqpacket, BIT(VSOCKDEV_TYPE_STREAM),
	  -EPROTOTYPE },
	{ "tcp_for_messages", make_tcp, BIT(VSOCKDEV_TYPE_SEQPACKET),
	  -EPROTOTYPE },
	{ "unconnected", make_unconnected, BOTH_TYPES, -ENOTCONN },
	{ "tcp_unconnected", make_tcp_unconnected, BOTH_TYPES, -ENOTCONN },
	{ "tcp_listening", make_tcp_listening, BOTH_TYPES, -ENOTCONN },
	{ "netlink", make_netlink, BOTH_TYPES, -EAFNOSUPPORT },
	{ "udp", make_udp, BOTH_TYPES, -EAFNOSUPPORT },
	{ "tcp_with_ulp", make_tcp_with_ulp, BOTH_TYPES, -EBUSY },
	{ "used_by_somebody", make_used, BOTH_TYPES, -EBUSY },
};

KUNIT_ARRAY_PARAM_DESC(claim, claim_cases, name);

static void stage_make(struct stage *stage, struct kunit *test,
		       void (*make)(struct stage *stage))
{
	struct vsockdev_addr addr = {};
	struct scene *scene = test->priv;

	memset(stage, 0, sizeof(*stage));
	stage->scene = scene;
	stage->fd = -1;
	stage->conn = vsockdev_conn_alloc(scene->vd, &addr,
					  VSOCKDEV_TYPE_STREAM, GFP_KERNEL,
					  count_wakes);
	KUNIT_ASSERT_NOT_NULL(test, stage->conn);
	KUNIT_ASSERT_EQ(test, vsockdev_conn_make_room(stage->conn), 0);
	make(stage);
}

static void stage_end(struct stage *stage)
{
	int i;

	if (stage->fd >= 0)
		scene_close_fd(stage->fd);
	for (i = 0; i < ARRAY_SIZE(stage->others); i++)
		if (stage->others[i])
			sock_release(stage->others[i]);
	flush_work(&stage->conn->work);
	KUNIT_EXPECT_EQ(stage->scene->test, refcount_read(&stage->conn->refs),
			1);
	vsockdev_conn_put(stage->conn);
}

/* What a claim changes, and has to leave as it was */
struct before {
	void (*data_ready)(struct sock *sk);
	void (*write_space)(struct sock *sk);
	void (*state_change)(struct sock *sk);
	void (*error_report)(struct sock *sk);
	void *user_data;
	long files;
	u32 module;
};

static void look(struct stage *stage, struct before *before)
{
	struct sock *sk = stage->sock ? stage->sock->sk : NULL;

	memset(before, 0, sizeof(*before));
	before->module = module_refcount(stage->scene->vd->cdev.owner);
	if (!sk)
		return;
	before->data_ready = sk->sk_data_ready;
	before->write_space = sk->sk_write_space;
	before->state_change = sk->sk_state_change;
	before->error_report = sk->sk_error_report;
	before->user_data = rcu_access_pointer(__sk_user_data(sk));
	before->files = file_count(stage->sock->file);
}

static void claim_each(struct kunit *test)
{
	const struct claim_case *param = test->param_value;
	struct before before, after;
	struct vsockdev_sock *vs;
	struct stage stage;

	stage_make(&stage, test, param->make);
	look(&stage, &before);
	vs = vsockdev_sock_claim(stage.fd, stage.conn, param->types);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vs), param->error);
	if (!IS_ERR(vs)) {
		look(&stage, &after);
		KUNIT_EXPECT_EQ(test, after.module, before.module + 1);
		KUNIT_EXPECT_EQ(test, after.files, before.files + 1);
		KUNIT_EXPECT_PTR_NE(test, after.data_ready, before.data_ready);
		vsockdev_sock_release(vs);
	}
	look(&stage, &after);
	KUNIT_EXPECT_MEMEQ(test, &before, &after, sizeof(before));
	if (stage.sock && param->make == make_used)
		rcu_assign_sk_user_data(stage.sock->sk, NULL);
	if (stage.sock && param->make == make_tcp_with_ulp)
		inet_csk(stage.sock->sk)->icsk_ulp_ops = NULL;
	stage_end(&stage);
}

static void claim_twice(struct kunit *test)
{
	struct vsockdev_sock *vs, *again;
	struct stage stage;

	stage_make(&stage, test, make_stream);
	vs = vsockdev_sock_claim(stage.fd, stage.conn, BOTH_TYPES);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vs);
	again = vsockdev_sock_claim(stage.fd, stage.conn, BOTH_TYPES);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(again), -EBUSY);
	vsockdev_sock_release(vs);
	vs = vsockdev_sock_claim(stage.fd, stage.conn, BOTH_TYPES);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vs);
	vsockdev_sock_release(vs);
	stage_end(&stage);
}

/* A low-water mark would keep the end of the bytes from us */
static void claim_resets_low_water_mark(struct kunit *test)
{
	struct vsockdev_sock *vs;
	struct stage stage;

	stage_make(&stage, test, make_tcp);
	WRITE_ONCE(stage.sock->sk->sk_rcvlowat, 1000);
	vs = vsockdev_sock_claim(stage.fd, stage.conn, BOTH_TYPES);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vs);
	KUNIT_EXPECT_EQ(test, stage.sock->sk->sk_rcvlowat, 1);
	vsockdev_sock_release(vs);
	stage_end(&stage);
}

static bool woken(struct stage *stage)
{
	flush_work(&stage->conn->work);
	return atomic_xchg(&wakes, 0);
}

static int user_write(struct stage *stage, const void *from, size_t len)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec = { .iov_base = (void *)from, .iov_len = len };

	return kernel_sendmsg(stage->others[0], &msg, &vec, 1, len);
}

static int user_read(struct stage *stage, void *to, size_t len)
{
	struct msghdr msg = {};
	struct kvec vec = { .iov_base = to, .iov_len = len };

	return kernel_recvmsg(stage->others[0], &msg, &vec, 1, len,
			      MSG_DONTWAIT);
}

/* Each thing that a program can do wakes the pump; nothing after the release */
static void claim_wakes(struct kunit *test)
{
	u8 *bytes = kunit_kzalloc(test, 32768, GFP_KERNEL);
	struct vsockdev_sock *vs;
	struct stage stage;

	KUNIT_ASSERT_NOT_NULL(test, bytes);
	stage_make(&stage, test, make_stream);
	vs = vsockdev_sock_claim(stage.fd, stage.conn, BOTH_TYPES);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vs);
	woken(&stage);
	KUNIT_EXPECT_EQ(test, user_write(&stage, bytes, 10), 10);
	KUNIT_EXPECT_TRUE(test, woken(&stage));
	while (vsockdev_sock_write(vs, bytes, 32768, false) > 0)
		;
	KUNIT_EXPECT_FALSE(test, woken(&stage));
	while (user_read(&stage, bytes, 32768) > 0)
		;
	KUNIT_EXPECT_TRUE(test, woken(&stage));
	kernel_sock_shutdown(stage.others[0], SHUT_RD);
	KUNIT_EXPECT_TRUE(test, woken(&stage));
	kernel_sock_shutdown(stage.others[0], SHUT_WR);
	KUNIT_EXPECT_TRUE(test, woken(&stage));
	sock_release(stage.others[0]);
	stage.others[0] = NULL;
	KUNIT_EXPECT_TRUE(test, woken(&stage));
	vsockdev_sock_release(vs);
	stage_end(&stage);

	stage_make(&stage, test, make_stream);
	vs = vsockdev_sock_claim(stage.fd, stage.conn, BOTH_TYPES);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vs);
	vsockdev_sock_release(vs);
	woken(&stage);
	KUNIT_EXPECT_EQ(test, user_write(&stage, bytes, 10), 10);
	KUNIT_EXPECT_FALSE(test, woken(&stage));
	stage_end(&stage);
}

static void claim_sees_ends(struct kunit *test)
{
	struct vsockdev_sock *vs;
	struct stage stage;

	stage_make(&stage, test, make_stream);
	vs = vsockdev_sock_claim(stage.fd, stage.conn, BOTH_TYPES);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vs);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_ends(vs), 0);
	kernel_sock_shutdown(stage.others[0], SHUT_WR);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_ends(vs),
			VSOCKDEV_SOCK_WRITES_OVER);
	kernel_sock_shutdown(stage.others[0], SHUT_RD);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_ends(vs),
			VSOCKDEV_SOCK_WRITES_OVER | VSOCKDEV_SOCK_READS_OVER);
	sock_release(stage.others[0]);
	stage.others[0] = NULL;
	KUNIT_EXPECT_EQ(test, vsockdev_sock_ends(vs),
			VSOCKDEV_SOCK_WRITES_OVER | VSOCKDEV_SOCK_READS_OVER |
			VSOCKDEV_SOCK_CLOSED);
	vsockdev_sock_release(vs);
	stage_end(&stage);

	/* What we ended ourselves is no news */
	stage_make(&stage, test, make_stream);
	vs = vsockdev_sock_claim(stage.fd, stage.conn, BOTH_TYPES);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vs);
	vsockdev_sock_end_reads(vs);
	vsockdev_sock_end_writes(vs);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_ends(vs), 0);
	vsockdev_sock_release(vs);
	stage_end(&stage);
}

/* The other side is reset: we are told, and the callbacks go at once */
static void claim_tcp_reset(struct kunit *test)
{
	struct before before, after;
	struct vsockdev_sock *vs;
	struct stage stage;

	stage_make(&stage, test, make_tcp);
	look(&stage, &before);
	vs = vsockdev_sock_claim(stage.fd, stage.conn, BOTH_TYPES);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vs);
	woken(&stage);
	sock_no_linger(stage.others[1]->sk);
	sock_release(stage.others[1]);
	stage.others[1] = NULL;
	while (inet_sk_state_load(stage.sock->sk) != TCP_CLOSE)
		schedule_timeout_uninterruptible(1);
	lock_sock(stage.sock->sk);
	release_sock(stage.sock->sk);
	KUNIT_EXPECT_TRUE(test, woken(&stage));
	look(&stage, &after);
	KUNIT_EXPECT_PTR_EQ(test, after.data_ready, before.data_ready);
	KUNIT_EXPECT_NULL(test, after.user_data);
	KUNIT_EXPECT_TRUE(test, vsockdev_sock_ends(vs) & VSOCKDEV_SOCK_FAILED);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_error(vs), -ECONNRESET);
	vsockdev_sock_release(vs);
	stage_end(&stage);
}

/* Takes up to @len bytes: they must be @bytes, and end a message or not */
static void expect_frame(struct stage *stage, struct vsockdev_sock *vs,
			 u32 len, const char *bytes, bool end)
{
	struct vsockdev_frame *frame = vsockdev_sock_read(vs, len, 1);
	struct kunit *test = stage->scene->test;

	KUNIT_ASSERT_NOT_NULL(test, frame);
	KUNIT_EXPECT_EQ(test, frame->len, strlen(bytes));
	KUNIT_EXPECT_MEMEQ(test, frame->data + VSOCKDEV_HDR_LEN, bytes,
			   strlen(bytes));
	KUNIT_EXPECT_EQ(test, frame->flags,
			end ? VIRTIO_VSOCK_SEQ_EOM : 0);
	vsockdev_frame_free(frame);
}

/* A message stays one, is read in parts, and its end is told */
static void claim_messages(struct kunit *test)
{
	struct vsockdev_sock *vs;
	struct stage stage;

	stage_make(&stage, test, make_seqpacket);
	vs = vsockdev_sock_claim(stage.fd, stage.conn, BOTH_TYPES);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vs);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_type(vs), VSOCKDEV_TYPE_SEQPACKET);
	user_write(&stage, "abcde", 5);
	user_write(&stage, "", 0);
	user_write(&stage, "fg", 2);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_pending(vs), 7);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_message(vs), 5);
	expect_frame(&stage, vs, 3, "abc", false);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_message(vs), 0);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_packet(vs, 4), 2);
	expect_frame(&stage, vs, 13, "de", true);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_message(vs), 2);
	expect_frame(&stage, vs, 16, "fg", true);
	KUNIT_EXPECT_EQ(test, vsockdev_sock_pending(vs), 0);
	vsockdev_sock_release(vs);
	stage_end(&stage);
}

static struct kunit_case claim_tests[] = {
	KUNIT_CASE_PARAM(claim_each, claim_gen_params),
	KUNIT_CASE(claim_twice),
	KUNIT_CASE(claim_resets_low_water_mark),
	KUNIT_CASE(claim_wakes),
	KUNIT_CASE(claim_sees_ends),
	KUNIT_CASE(claim_tcp_reset),
	KUNIT_CASE(claim_messages),
	{}
};

static struct kunit_suite claim_suite = {
	.name = "vsockdev_claim",
	.init = scene_init,
	.exit = scene_exit,
	.test_cases = claim_tests,
};

kunit_test_suite(claim_suite);
