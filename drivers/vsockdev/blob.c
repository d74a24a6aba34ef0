// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsockdev - a range of a file, to be sent without a copy
 *
 * DOC: The pages of the range are looked up in the page cache as their turn
 * comes, never more of them than one packet takes, and go out with a reference
 * for each. So a range of any size costs little, and a file that somebody
 * truncates meanwhile is noticed: the pages that are under way stay, the next
 * one is missing.
 *
 * Nothing is allocated for the holes of a memfd; they go out from one page of
 * zeros. Other files fill their holes themselves when they are read. The page
 * is ours, as the kernel's own is part of its image in places, which a device
 * may not reach: under User Mode Linux it cannot.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/ramfs.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "blob.h"
#include "compat.h"
#include "frame.h"
#include "workers.h"

/* Where the pages of a file are */
enum blob_kind {
	BLOB_NOWHERE,
	BLOB_SHMEM,
	BLOB_HUGE,
	BLOB_FILE,
};

/**
 * struct vsockdev_blob - a range of a file
 * @file: the file, a reference
 * @kind: how to look up its pages
 * @pos: the next byte
 * @end: the byte after the last one
 */
struct vsockdev_blob {
	struct file *file;
	enum blob_kind kind;
	loff_t pos;
	loff_t end;
};

/* What a hole consists of */
static struct page *zeros;

/* What the page cache has now, with a reference; NULL for nothing on 6.1 too */
static struct folio *find_folio(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio = filemap_get_folio(mapping, index);

	return IS_ERR(folio) ? NULL : folio;
}

/*
 * Takes over the reference. Memory that fallocate() set aside and nobody has
 * written yet is a hole; it is told from a page on its way in by the lock.
 */
static struct page *page_of_shmem(struct folio *folio, pgoff_t index)
{
	if (!folio_test_uptodate(folio)) {
		folio_lock(folio);
		folio_unlock(folio);
	}
	if (folio_test_uptodate(folio))
		return folio_file_page(folio, index);
	folio_put(folio);
	return NULL;
}

/*
 * memfd and tmpfs. What is swapped out comes back, what is not there does not:
 * reading it would fill the hole, so it is read only where there is swap. Goes
 * round when a page has come back from there, or has left, meanwhile.
 */
static struct page *get_shmem_page(struct file *file, pgoff_t index)
{
	struct address_space *mapping = file->f_mapping;
	struct folio *folio;
	void *entry;

	do {
		folio = find_folio(mapping, index);
		if (folio)
			return page_of_shmem(folio, index);
		entry = xa_load(&mapping->i_pages, index);
		if (xa_is_value(entry))
			return shmem_read_mapping_page_gfp(mapping, index,
						mapping_gfp_mask(mapping));
	} while (entry);
	return NULL;
}

/* Huge pages are never swapped out: those that are not there are holes */
static struct page *get_huge_page(struct file *file, pgoff_t index)
{
	u32 order = huge_page_order(hstate_inode(file_inode(file)));
	struct folio *folio;

	folio = find_folio(file->f_mapping,
			   vsockdev_compat_hugetlb_index(index, order));
	if (!folio)
		return NULL;
	if (folio_test_hwpoison(folio)) {
		folio_put(folio);
		return ERR_PTR(-EIO);
	}
	return folio_page(folio, index & (BIT(order) - 1));
}

/* The lock is the one that keeps reading from racing with truncation */
static struct page *get_file_page(struct file *file, pgoff_t index)
{
	struct address_space *mapping = file->f_mapping;
	struct folio *folio = ERR_PTR(-EIO);

	filemap_invalidate_lock_shared(mapping);
	if (index < DIV_ROUND_UP(i_size_read(mapping->host), PAGE_SIZE))
		folio = read_mapping_folio(mapping, index, file);
	filemap_invalidate_unlock_shared(mapping);
	if (IS_ERR(folio))
		return ERR_CAST(folio);
	return folio_file_page(folio, index);
}

static enum blob_kind kind_of(struct file *file)
{
	struct inode *inode = file->f_mapping->host;

	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return BLOB_NOWHERE;
	if (inode->i_sb->s_magic == TMPFS_MAGIC && IS_ENABLED(CONFIG_SHMEM))
		return BLOB_SHMEM;
	if (inode->i_sb->s_magic == HUGETLBFS_MAGIC)
		return BLOB_HUGE;
	/* Files that are made up when they are read have this, and no pages */
	if (file->f_mapping->a_ops == &ram_aops &&
	    inode->i_sb->s_magic != RAMFS_MAGIC)
		return BLOB_NOWHERE;
	return file->f_mapping->a_ops->read_folio ? BLOB_FILE : BLOB_NOWHERE;
}

/* A reference, NULL for a hole, or an ERR_PTR(); may sleep */
static struct page *look_up(struct vsockdev_blob *blob, pgoff_t index)
{
	switch (blob->kind) {
	case BLOB_SHMEM:
		return get_shmem_page(blob->file, index);
	case BLOB_HUGE:
		return get_huge_page(blob->file, index);
	default:
		return get_file_page(blob->file, index);
	}
}

static int check_range(struct file *file, u64 offset, u64 length)
{
	u64 size = i_size_read(file->f_mapping->host);
	loff_t pos = offset;

	if (!length || offset > size || length > size - offset)
		return -EINVAL;
	/* As read() would: security modules have a say */
	return rw_verify_area(READ, file, &pos, min_t(u64, length,
						      MAX_RW_COUNT));
}

/**
 * vsockdev_blob_open() - take a range of a program's file
 * @fd: its descriptor, in the table of the current process
 * @offset: first byte
 * @length: bytes
 *
 * Context: process context of the program.
 * Return: the range, or an ERR_PTR() of EBADF, EOPNOTSUPP, EINVAL or ENOMEM, or
 * of what a security module says.
 */
struct vsockdev_blob *vsockdev_blob_open(int fd, u64 offset, u64 length)
{
	struct vsockdev_blob *blob;
	struct file *file = fget(fd);
	enum blob_kind kind;
	int ret = -EBADF;

	if (!file)
		return ERR_PTR(ret);
	if (!(file->f_mode & FMODE_READ))
		goto err;
	kind = kind_of(file);
	ret = kind == BLOB_NOWHERE ? -EOPNOTSUPP :
				     check_range(file, offset, length);
	if (ret)
		goto err;
	ret = -ENOMEM;
	blob = kmalloc(sizeof(*blob), GFP_KERNEL_ACCOUNT);
	if (!blob)
		goto err;
	blob->file = file;
	blob->kind = kind;
	blob->pos = offset;
	blob->end = offset + length;
	return blob;

err:
	fput(file);
	return ERR_PTR(ret);
}

/*
 * The next page, with a reference. The size is looked at after the page, so a
 * hole that a truncation made is not taken for one that was there.
 */
static struct page *next_page(struct vsockdev_blob *blob)
{
	const struct cred *saved = override_creds(blob->file->f_cred);
	struct page *page = look_up(blob, blob->pos / PAGE_SIZE);

	revert_creds(saved);
	if (IS_ERR(page))
		return page;
	if (!page) {
		page = zeros;
		get_page(page);
	}
	if (i_size_read(blob->file->f_mapping->host) < blob->end ||
	    PageHWPoison(page)) {
		put_page(page);
		return ERR_PTR(-EIO);
	}
	return page;
}

/* Large packets end with a page, so that the next one can begin with one */
static u32 align_end(const struct vsockdev_blob *blob, u32 len)
{
	u32 rest = (blob->pos + len) % PAGE_SIZE;

	if (blob->pos + len == blob->end || rest >= len)
		return len;
	return len - rest;
}

/* Takes over the reference to the page, unless there is no room for it */
static bool add_page(struct vsockdev_frame *frame, struct page *page,
		     u32 offset, u32 len, u32 runs)
{
	if (frame->lent)
		return vsockdev_frame_add_page(frame, page, offset, len, runs);
	memcpy_from_page(frame->data + VSOCKDEV_HDR_LEN + frame->len, page,
			 offset, len);
	frame->len += len;
	put_page(page);
	return true;
}

/**
 * vsockdev_blob_read() - make a packet of the next bytes
 * @blob: the range
 * @len: how many at most; there are as many
 * @runs: see vsockdev_frame_add_page(); 0 for a copy
 *
 * Context: may sleep for as long as the file system likes.
 * Return: a frame of at least one byte, or an ERR_PTR() of ENOMEM, or EIO if
 * the bytes are not there any more.
 */
struct vsockdev_frame *vsockdev_blob_read(struct vsockdev_blob *blob, u32 len,
					  u32 runs)
{
	struct vsockdev_frame *frame;
	struct page *page;

	frame = runs ? vsockdev_frame_alloc_lent(GFP_KERNEL_ACCOUNT) :
		       vsockdev_frame_alloc(len, GFP_KERNEL_ACCOUNT);
	if (!frame)
		return ERR_PTR(-ENOMEM);
	len = min(len, runs ? VSOCKDEV_PAGED_MAX : frame->room);
	len = align_end(blob, len);
	while (frame->len < len) {
		u32 offset = blob->pos % PAGE_SIZE;
		u32 part = min_t(u32, len - frame->len, PAGE_SIZE - offset);

		page = next_page(blob);
		if (IS_ERR(page))
			break;
		if (!add_page(frame, page, offset, part, runs)) {
			put_page(page);
			break;
		}
		blob->pos += part;
	}
	if (frame->len)
		return frame;
	vsockdev_frame_free(frame);
	return PTR_ERR(page) == -ENOMEM ? ERR_CAST(page) : ERR_PTR(-EIO);
}

/**
 * vsockdev_blob_close() - let go of a file
 * @blob: the range; freed by this
 *
 * Context: may sleep for as long as the file system likes.
 */
void vsockdev_blob_close(struct vsockdev_blob *blob)
{
	vsockdev_worker_fput(blob->file);
	kfree(blob);
}

/**
 * vsockdev_blob_init() - make what holes consist of
 *
 * Return: 0 or -ENOMEM.
 */
int vsockdev_blob_init(void)
{
	zeros = alloc_page(GFP_KERNEL | __GFP_ZERO);
	return zeros ? 0 : -ENOMEM;
}

/**
 * vsockdev_blob_exit() - free it, when nothing is under way any more
 */
void vsockdev_blob_exit(void)
{
	__free_page(zeros);
}
