// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call that is not about one connection, again and again, of which the
 * first allocation or copy fails, then the second, and so on until none is
 * left. Whatever fails has done nothing, so the same call works when it is made
 * once more.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/machine.h"
#include "sweep-fixture.h"

/* Open and close. */
static int act_open(void *data)
{
	struct subject *subject = data;

	subject->file = open(subject->fake->node, O_RDWR | O_CLOEXEC);
	return answer(subject->file);
}

static void check_open(void *data, int error)
{
	struct subject *subject = data;

	if (error)
		subject->file = fake_open_node(subject->fake);
	if (info_of(subject->file).cid != FAKE_CID)
		fail("no CID");
	close(subject->file);
}

TEST_F_TIMEOUT(sweep, open, LONG_SECONDS)
{
	run(&self->subject, "open", NULL, act_open, check_open);
}

/* One connection of each kind, which all end with their owner. */
struct crowd {
	struct flow open;
	struct flow pending;
	struct flow connecting;
};

static void crowd_gather(struct crowd *crowd, struct fake *fake)
{
	crowd->open = flow_accept(fake);
	send_stream(crowd->open.link.sock, 1, 100);
	flow_expect(&crowd->open, VIRTIO_VSOCK_OP_RW);
	flow_put_data(&crowd->open, "0123456789", 10);
	crowd->pending = flow_dial(fake);
	crowd->connecting = flow_request(fake);
	WAIT_FOR(info_of(fake->dev.fd).conns == 3);
}

/* RST to each, in whatever order, beside what the open one had to say. */
static void crowd_expect_reset(struct crowd *crowd, struct fake *fake)
{
	unsigned int left = 3;

	while (left) {
		struct packet packet = fake_take(fake);

		if (packet.op != VIRTIO_VSOCK_OP_RST) {
			check_packet(fake, &packet, crowd->open.link.addr,
				     packet.op);
			continue;
		}
		left--;
	}
	receive_to_end(crowd->connecting.link.sock, 0, 0, TRANSFER_RESET);
	link_close(&crowd->open.link);
	link_close(&crowd->connecting.link);
}

static struct crowd crowd;

static void prepare_owner(void *data)
{
	struct subject *subject = data;

	crowd_gather(&crowd, subject->fake);
}

static int act_close(void *data)
{
	struct subject *subject = data;

	return answer(close(dev_of(subject)->fd));
}

static void restart(struct subject *subject, int fd)
{
	int error = start(fd, NULL);

	if (error)
		fail("START: %s", strerror(-error));
	*dev_of(subject) = (struct device){ .fd = fd };
	note_conns(subject);
	if (subject->conns)
		fail("%u connections of the owner before", subject->conns);
}

/* Whatever it answers, the file is closed. */
static void check_close(void *data, int error)
{
	struct subject *subject = data;

	(void)error;
	crowd_expect_reset(&crowd, subject->fake);
	restart(subject, fake_open_node(subject->fake));
}

TEST_F_TIMEOUT(sweep, close, LONG_SECONDS)
{
	struct sweep sweep = {
		.name = "close",
		.prepare = prepare_owner,
		.act = act_close,
		.check = check_close,
		.data = &self->subject,
		.may_be_none = true, /* it is to allocate nothing */
	};

	sweep_run(&sweep);
}

static int act_stop(void *data)
{
	struct subject *subject = data;

	return stop(dev_of(subject)->fd);
}

static void check_stop(void *data, int error)
{
	struct subject *subject = data;
	int fd = dev_of(subject)->fd;

	if (error && stop(fd))
		fail("STOP does not work once more");
	crowd_expect_reset(&crowd, subject->fake);
	restart(subject, fd);
}

TEST_F_TIMEOUT(sweep, stop, LONG_SECONDS)
{
	run(&self->subject, "STOP", prepare_owner, act_stop, check_stop);
}

static void prepare_start(void *data)
{
	struct subject *subject = data;

	if (stop(dev_of(subject)->fd))
		fail("STOP failed");
}

static int act_start(void *data)
{
	struct subject *subject = data;

	return start(dev_of(subject)->fd, NULL);
}

static void check_start(void *data, int error)
{
	struct subject *subject = data;
	int fd = dev_of(subject)->fd;

	if (error != -EFAULT && stop(fd))
		fail("START said 0, and is not the owner");
	if (error == -EFAULT && stop(fd) != -EPERM)
		fail("START failed, and is the owner");
	restart(subject, fd);
}

TEST_F_TIMEOUT(sweep, start, LONG_SECONDS)
{
	run(&self->subject, "START", prepare_start, act_start, check_start);
}

/* Reading. The REQUEST of the host is told exactly once. */
static void prepare_event(void *data)
{
	struct subject *subject = data;

	note_conns(subject);
	subject->flow = flow_dial(subject->fake);
	WAIT_FOR(info_of(dev_of(subject)->fd).conns == subject->conns + 1);
}

static int act_read(void *data)
{
	struct subject *subject = data;

	return answer(read(dev_of(subject)->fd, &subject->event,
			   sizeof(subject->event)));
}

static void check_event(const struct subject *subject)
{
	const struct vsockdev_event *event = &subject->event;

	if (event->type != VSOCKDEV_EVENT_REQUEST ||
	    event->addr.local_port != subject->flow.link.addr.local_port)
		fail("event %u of port %u", event->type,
		     event->addr.local_port);
}

static void check_read(void *data, int error)
{
	struct subject *subject = data;

	if (error && act_read(data))
		fail("read() does not work once more");
	check_event(subject);
	expect_no_event(dev_of(subject), 0);
	end_flow(subject);
}

TEST_F_TIMEOUT(sweep, read, LONG_SECONDS)
{
	run(&self->subject, "read", prepare_event, act_read, check_read);
}

/* With two records, the first one may have been read alone. */
static int act_read_two(void *data)
{
	struct subject *subject = data;
	struct vsockdev_event events[2];
	ssize_t n = read(dev_of(subject)->fd, events, sizeof(events));

	subject->events = n < 0 ? 0 : n / sizeof(events[0]);
	if (n > 0)
		subject->event = events[0];
	return answer(n);
}

static void prepare_two(void *data)
{
	struct subject *subject = data;

	prepare_event(data);
	flow_dial(subject->fake);
	WAIT_FOR(info_of(dev_of(subject)->fd).conns == subject->conns + 2);
}

static void check_read_two(void *data, int error)
{
	struct subject *subject = data;
	struct device *dev = dev_of(subject);

	if (!!error == !!subject->events)
		fail("%d events, and error %d", subject->events, error);
	if (subject->events)
		check_event(subject);
	while (subject->events++ < 2)
		subject->event = next_event(dev);
	expect_no_event(dev, 0);
	if (stop(dev->fd))
		fail("STOP failed");
	fake_take(subject->fake);
	fake_take(subject->fake);
	restart(subject, dev->fd);
}

TEST_F_TIMEOUT(sweep, read_two, LONG_SECONDS)
{
	run(&self->subject, "read of two events", prepare_two, act_read_two,
	    check_read_two);
}

static int act_poll(void *data)
{
	struct subject *subject = data;
	struct pollfd fds = { .fd = dev_of(subject)->fd, .events = POLLIN };
	int n = poll(&fds, 1, 0);

	if (n == 1 && fds.revents != POLLIN)
		fail("poll says %#x", fds.revents);
	return answer(n);
}

static void check_poll(void *data, int error)
{
	struct subject *subject = data;

	(void)error;
	if (poll_now(dev_of(subject)->fd) != POLLIN)
		fail("poll sees no event");
	check_read(data, -EAGAIN);
}

TEST_F_TIMEOUT(sweep, poll, LONG_SECONDS)
{
	run(&self->subject, "poll", prepare_event, act_poll, check_poll);
}

static int act_epoll(void *data)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct subject *subject = data;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int error = answer(epoll);

	if (!error)
		error = answer(epoll_ctl(epoll, EPOLL_CTL_ADD,
					 dev_of(subject)->fd, &event));
	if (!error)
		error = answer(epoll_wait(epoll, &event, 1, 0));
	if (epoll >= 0)
		close(epoll);
	return error;
}

TEST_F_TIMEOUT(sweep, epoll, LONG_SECONDS)
{
	run(&self->subject, "epoll", prepare_event, act_epoll, check_poll);
}

TEST_HARNESS_MAIN
