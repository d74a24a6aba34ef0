// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device comes, sleeps, wakes and goes, the module is loaded, and the first
 * allocation on the way fails, then the second, and so on. Then there is no
 * device, or a worse one, but nothing of it is left, and it works when it comes
 * once more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "lib/fake.h"
#include "lib/inject.h"
#include "lib/machine.h"

#define LONG_SECONDS 1800
#define DRIVER VIRTIO_DRIVERS MODULE

/* A device that the test plays, without an owner at first. */
FIXTURE(plug) {
	struct fake fake;
};

static const struct fake_options not_started = { .no_start = true };

FIXTURE_SETUP(plug)
{
	if (!inject_prepare())
		SKIP(return, "this kernel injects no faults");
	fake_open(&self->fake, &not_started);
}

FIXTURE_TEARDOWN(plug)
{
	fake_close(&self->fake);
	WAIT_FOR(module_refs() == 0);
}

/* The node may come while nobody has unplugged it yet. */
static bool has_node(struct fake *fake)
{
	return fake_find_node(fake) && !access(fake->node, F_OK);
}

static int bind_fake(struct fake *fake, const char *what)
{
	char name[32];

	snprintf(name, sizeof(name), "virtio%u", fake->index);
	return write_file(what, name);
}

/*
 * The device model goes on without some things that it has no memory for, such
 * as the node in /dev.
 */
static void bind_again(struct fake *fake)
{
	int error;

	if (fake_find_node(fake)) {
		error = bind_fake(fake, DRIVER "/unbind");
		if (error)
			fail("unbind: %s", strerror(-error));
	}
	error = bind_fake(fake, DRIVER "/bind");
	if (error)
		fail("bind once more: %s", strerror(-error));
	if (!has_node(fake))
		fail("no node");
}

static void expect_carrying(struct fake *fake)
{
	fake->dev = (struct device){ .fd = fake_open_node(fake) };
	if (start(fake->dev.fd, NULL))
		fail("START failed");
	fake->put = info_of(fake->dev.fd).rx_packets;
	expect_usable(fake);
	close(fake->dev.fd);
	fake->dev.fd = -1;
}

static void run(struct fake *fake, const char *name,
		void (*prepare)(void *data), int (*act)(void *data),
		void (*check)(void *data, int error))
{
	struct sweep sweep = {
		.name = name,
		.prepare = prepare,
		.act = act,
		.check = check,
		.data = fake,
		.any_error = true, /* those of the device model and of sysfs */
		.once = true,
	};

	sweep_run(&sweep);
}

/* By sysfs. */
static void prepare_unbound(void *data)
{
	int error = bind_fake(data, DRIVER "/unbind");

	if (error)
		fail("unbind: %s", strerror(-error));
}

static int act_bind(void *data)
{
	return bind_fake(data, DRIVER "/bind");
}

static void check_bound(void *data, int error)
{
	struct fake *fake = data;

	if (error || !has_node(fake))
		bind_again(fake);
	expect_carrying(fake);
}

TEST_F_TIMEOUT(plug, bind, LONG_SECONDS)
{
	run(&self->fake, "bind", prepare_unbound, act_bind, check_bound);
}

static int act_unbind(void *data)
{
	return bind_fake(data, DRIVER "/unbind");
}

static void check_unbound(void *data, int error)
{
	struct fake *fake = data;

	(void)error;
	bind_again(fake);
	expect_carrying(fake);
}

TEST_F_TIMEOUT(plug, unbind, LONG_SECONDS)
{
	run(&self->fake, "unbind", NULL, act_unbind, check_unbound);
}

/* By the bus. If it cannot be probed, it is there without a driver. */
static int add(struct fake *fake)
{
	struct vsockdev_fake_add add = {
		.cid = FAKE_CID,
		.queue_size = FAKE_QUEUE_SIZE,
	};
	int error = fake_call(fake, VSOCKDEV_FAKE_ADD, &add);

	fake->index = add.index;
	fake->put = 0;
	return error;
}

static void prepare_removed(void *data)
{
	/* EFAULT of ADD was the answer that could not be written */
	fake_call(data, VSOCKDEV_FAKE_REMOVE, NULL);
}

static int act_add(void *data)
{
	return add(data);
}

static void check_added(void *data, int error)
{
	struct fake *fake = data;

	if (error) {
		fake_call(fake, VSOCKDEV_FAKE_REMOVE, NULL);
		error = add(fake);
	}
	if (error)
		fail("ADD once more: %s", strerror(-error));
	if (!has_node(fake))
		bind_again(fake);
	expect_carrying(fake);
}

TEST_F_TIMEOUT(plug, add, LONG_SECONDS)
{
	run(&self->fake, "probe", prepare_removed, act_add, check_added);
}

static void prepare_added(void *data)
{
	check_added(data, -ENODEV);
}

static int act_remove(void *data)
{
	return fake_call(data, VSOCKDEV_FAKE_REMOVE, NULL);
}

static void check_removed(void *data, int error)
{
	struct fake *fake = data;

	(void)error;
	if (has_node(fake))
		fail("the node stays");
}

TEST_F_TIMEOUT(plug, remove, LONG_SECONDS)
{
	run(&self->fake, "remove", prepare_added, act_remove, check_removed);
}

/* Asleep. What cannot wake is gone, and its owner is told so. */
static struct flow flow;

static void prepare_awake(void *data)
{
	struct fake *fake = data;

	fake->dev = (struct device){ .fd = fake_open_node(fake) };
	if (start(fake->dev.fd, NULL))
		fail("START failed");
	fake->put = info_of(fake->dev.fd).rx_packets;
	flow = flow_accept(fake);
}

static void expect_cut_off(struct fake *fake)
{
	expect_end(flow.link.sock, TRANSFER_RESET);
	link_close(&flow.link);
	close(fake->dev.fd);
	fake->dev.fd = -1;
}

static int act_freeze(void *data)
{
	return fake_call(data, VSOCKDEV_FAKE_FREEZE, NULL);
}

static void check_frozen(void *data, int error)
{
	struct fake *fake = data;

	if (error)
		fail("freeze: %s", strerror(-error));
	error = fake_call(data, VSOCKDEV_FAKE_RESTORE, NULL);
	if (error)
		fail("restore: %s", strerror(-error));
	expect_event(&fake->dev, VSOCKDEV_EVENT_TRANSPORT_RESET, 0);
	expect_cut_off(fake);
	expect_carrying(fake);
}

TEST_F_TIMEOUT(plug, freeze, LONG_SECONDS)
{
	struct sweep sweep = {
		.name = "freeze",
		.prepare = prepare_awake,
		.act = act_freeze,
		.check = check_frozen,
		.data = &self->fake,
		.may_be_none = true, /* it is to allocate nothing */
	};

	sweep_run(&sweep);
}

static void prepare_asleep(void *data)
{
	int error;

	prepare_awake(data);
	error = fake_call(data, VSOCKDEV_FAKE_FREEZE, NULL);
	if (error)
		fail("freeze: %s", strerror(-error));
}

static int act_restore(void *data)
{
	return fake_call(data, VSOCKDEV_FAKE_RESTORE, NULL);
}

static void check_restored(void *data, int error)
{
	struct fake *fake = data;

	if (error) {
		if (stop(fake->dev.fd) != -ENODEV)
			fail("the device is not gone");
		expect_cut_off(fake);
		prepare_removed(fake);
		check_added(fake, -ENODEV);
		return;
	}
	expect_event(&fake->dev, VSOCKDEV_EVENT_TRANSPORT_RESET, 0);
	expect_cut_off(fake);
	expect_carrying(fake);
}

TEST_F_TIMEOUT(plug, restore, LONG_SECONDS)
{
	run(&self->fake, "restore", prepare_asleep, act_restore,
	    check_restored);
}

/* The module, with the devices that are there, of which none may be in use. */
static bool is_loaded(void)
{
	return !access("/sys/module/" MODULE, F_OK);
}

static void prepare_unloaded(void *data)
{
	int error;

	(void)data;
	if (!is_loaded())
		return;
	WAIT_FOR((error = remove_module(MODULE)) != -EAGAIN);
	if (error)
		fail("the module stays: %s", strerror(-error));
}

static int act_load(void *data)
{
	const char *path = getenv("VSOCKDEV_MODULE") ?: "/vsockdev/vsockdev.ko";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = 0;

	(void)data;
	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, "", 0))
		error = -errno;
	close(fd);
	return error;
}

static void expect_carrying_all(void)
{
	for (unsigned int i = 0; i < machine_devices(); i++) {
		struct device dev;
		struct link link;

		if (!node_exists(i))
			bind_device(i);
		device_start_at(&dev, i, NULL);
		link = link_connect(&dev, SCRIPT_PORT);
		expect_alive(&link);
		link_close(&link);
		close(dev.fd);
	}
	WAIT_FOR(module_refs() == 0);
}

static void check_loaded(void *data, int error)
{
	if (error && is_loaded())
		fail("the module failed with %s, and is there",
		     strerror(-error));
	if (error)
		error = act_load(data);
	if (error)
		fail("loading once more: %s", strerror(-error));
}

/* Of other drivers, none may find devices meanwhile, nor may ours. */
#define AUTOPROBE "/sys/bus/virtio/drivers_autoprobe"

FIXTURE(module) {
	struct sweep sweep;
};

FIXTURE_SETUP(module)
{
	if (!inject_prepare())
		SKIP(return, "this kernel injects no faults");
	ASSERT_EQ(0, write_file(AUTOPROBE, "0"));
	inject_below("do_one_initcall");
}

FIXTURE_TEARDOWN(module)
{
	inject_below(NULL);
	write_file(AUTOPROBE, "1");
	expect_carrying_all();
}

TEST_F_TIMEOUT(module, load, LONG_SECONDS)
{
	self->sweep = (struct sweep){
		.name = "module",
		.prepare = prepare_unloaded,
		.act = act_load,
		.check = check_loaded,
		.any_error = true,
	};
	sweep_run(&self->sweep);
}

TEST_HARNESS_MAIN
