// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev tests - ranges of files
 *
 * DOC: The file is one of the guest's root file system, which lies in memory.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/scatterlist.h>
#include <linux/vmalloc.h>

#include "blob.h"
#include "frame.h"
#include "kunit.h"
#include "scene.h"

#define FILE_NAME	"/vsockdev_blob_kunit"
#define SIZE		300001

/**
 * struct stage - a file with a pattern in it
 * @file: the file
 * @fd: its descriptor
 * @buf: for the bytes of a frame
 */
struct stage {
	struct file *file;
	int fd;
	u8 *buf;
};

static u8 pattern(loff_t at)
{
	return at ^ (at >> 7) * 5;
}

static int blob_init(struct kunit *test)
{
	struct stage *stage = kunit_kzalloc(test, sizeof(*stage), GFP_KERNEL);
	loff_t at = 0;
	u8 *bytes;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, stage);
	test->priv = stage;
	stage->buf = kunit_kzalloc(test, VSOCKDEV_PAGED_MAX, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stage->buf);
	bytes = vmalloc(SIZE);
	KUNIT_ASSERT_NOT_NULL(test, bytes);
	for (i = 0; i < SIZE; i++)
		bytes[i] = pattern(i);
	stage->fd = get_unused_fd_flags(0);
	stage->file = filp_open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (!IS_ERR(stage->file))
		i = kernel_write(stage->file, bytes, SIZE, &at);
	vfree(bytes);
	KUNIT_ASSERT_FALSE(test, IS_ERR(stage->file));
	KUNIT_ASSERT_EQ(test, i, SIZE);
	KUNIT_ASSERT_GE(test, stage->fd, 0);
	fd_install(stage->fd, get_file(stage->file));
	return 0;
}

static void blob_exit(struct kunit *test)
{
	struct stage *stage = test->priv;

	if (!stage || IS_ERR_OR_NULL(stage->file))
		return;
	scene_close_fd(stage->fd);
	fput(stage->file);
}

static struct vsockdev_blob *open_range(struct kunit *test, loff_t pos,
					loff_t end)
{
	struct stage *stage = test->priv;
	struct vsockdev_blob *blob;

	blob = vsockdev_blob_open(stage->fd, pos, end - pos);
	KUNIT_ASSERT_FALSE(test, IS_ERR(blob));
	return blob;
}

/* What it consists of is what the file has there, or zeros */
static void check_frame(struct kunit *test, struct vsockdev_frame *frame,
			loff_t pos, loff_t end)
{
	struct stage *stage = test->priv;
	struct vsockdev_lent *lent = frame->lent;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, lent);
	KUNIT_ASSERT_LE(test, frame->len, VSOCKDEV_PAGED_MAX);
	KUNIT_ASSERT_EQ(test, sg_copy_to_buffer(lent->sg + 1,
						lent->sg_count - 1, stage->buf,
						frame->len), frame->len);
	for (i = 0; i < frame->len; i++)
		if (stage->buf[i] != (pos + i < end ? pattern(pos + i) : 0))
			KUNIT_FAIL_AND_ABORT(test, "byte %u of %lld is wrong",
					     i, pos);
}

struct blob_runs {
	const char *name;
	u32 runs;
};

static const struct blob_runs runs[] = {
	{ "one_run", 1 },
	{ "two_runs", 2 },
	{ "many_runs", VSOCKDEV_PAGES_MAX },
};

KUNIT_ARRAY_PARAM_DESC(blob_runs, runs, name);

/* From the middle of a page to the middle of another, in frames of any size */
static void blob_is_read_whole(struct kunit *test)
{
	const struct blob_runs *param = test->param_value;
	loff_t pos = 123, end = SIZE - 77;
	struct vsockdev_blob *blob = open_range(test, pos, end);
	struct vsockdev_frame *frame;
	u32 len = 1;

	while (pos < end) {
		len = min_t(loff_t, len * 3 + 1, end - pos);
		frame = vsockdev_blob_read(blob, len, param->runs);
		KUNIT_ASSERT_FALSE(test, IS_ERR(frame));
		KUNIT_EXPECT_GE(test, frame->len, 1);
		KUNIT_EXPECT_LE(test, frame->len, len);
		KUNIT_EXPECT_LE(test, frame->lent->sg_count, 1 + param->runs);
		check_frame(test, frame, pos, SIZE);
		pos += frame->len;
		if (frame->len > PAGE_SIZE && pos < end)
			KUNIT_EXPECT_EQ(test, pos % PAGE_SIZE, 0);
		vsockdev_frame_free(frame);
	}
	vsockdev_blob_close(blob);
}

/* What nobody has written is zeros, and costs no memory of the file */
static void blob_has_holes(struct kunit *test)
{
	loff_t pos = SIZE - 100, end = SIZE + 5 * PAGE_SIZE;
	struct stage *stage = test->priv;
	struct vsockdev_frame *frame;
	struct vsockdev_blob *blob;

	KUNIT_ASSERT_EQ(test, vfs_truncate(&stage->file->f_path, end), 0);
	blob = open_range(test, pos, end);
	while (pos < end) {
		frame = vsockdev_blob_read(blob, end - pos, VSOCKDEV_PAGES_MAX);
		KUNIT_ASSERT_FALSE(test, IS_ERR(frame));
		check_frame(test, frame, pos, SIZE);
		pos += frame->len;
		vsockdev_frame_free(frame);
	}
	vsockdev_blob_close(blob);
}

/* What was there when it was looked up stays; the rest is an error */
static void blob_is_truncated(struct kunit *test)
{
	struct vsockdev_blob *blob = open_range(test, 0, SIZE);
	struct stage *stage = test->priv;
	struct vsockdev_frame *frame;

	frame = vsockdev_blob_read(blob, 3 * PAGE_SIZE, VSOCKDEV_PAGES_MAX);
	KUNIT_ASSERT_FALSE(test, IS_ERR(frame));
	KUNIT_ASSERT_EQ(test, vfs_truncate(&stage->file->f_path, 0), 0);
	check_frame(test, frame, 0, SIZE);
	vsockdev_frame_free(frame);
	frame = vsockdev_blob_read(blob, 1, VSOCKDEV_PAGES_MAX);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(frame), -EIO);
	vsockdev_blob_close(blob);
}

struct blob_range {
	const char *name;
	u64 offset;
	u64 length;
	int error;
};

static const struct blob_range ranges[] = {
	{ "all", 0, SIZE, 0 },
	{ "last_byte", SIZE - 1, 1, 0 },
	{ "nothing", 0, 0, -EINVAL },
	{ "nothing_at_the_end", SIZE, 0, -EINVAL },
	{ "one_too_many", 0, SIZE + 1, -EINVAL },
	{ "behind_the_end", SIZE, 1, -EINVAL },
	{ "that_wraps", 2, U64_MAX, -EINVAL },
	{ "far_away", U64_MAX, 1, -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(blob_range, ranges, name);

static void blob_range_is_checked(struct kunit *test)
{
	const struct blob_range *param = test->param_value;
	struct stage *stage = test->priv;
	struct vsockdev_blob *blob;

	blob = vsockdev_blob_open(stage->fd, param->offset, param->length);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(blob), param->error);
	if (!IS_ERR(blob))
		vsockdev_blob_close(blob);
}

static void blob_needs_a_file(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vsockdev_blob_open(-1, 0, 1)),
			-EBADF);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(vsockdev_blob_open(S32_MAX, 0, 1)),
			-EBADF);
}

static struct kunit_case blob_tests[] = {
	KUNIT_CASE_PARAM(blob_is_read_whole, blob_runs_gen_params),
	KUNIT_CASE(blob_has_holes),
	KUNIT_CASE(blob_is_truncated),
	KUNIT_CASE_PARAM(blob_range_is_checked, blob_range_gen_params),
	KUNIT_CASE(blob_needs_a_file),
	{}
};

static struct kunit_suite blob_suite = {
	.name = "vsockdev_blob",
	.init = blob_init,
	.exit = blob_exit,
	.test_cases = blob_tests,
};

kunit_test_suite(blob_suite);
