/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vsockdev - where kernel versions differ
 *
 * The only place that asks for the version. Each function here has the form
 * that the newest kernel calls for.
 */
#ifndef VSOCKDEV_COMPAT_H
#define VSOCKDEV_COMPAT_H

#include <linux/pagemap.h>
#include <linux/skbuff.h>
#include <linux/socket.h>
#include <linux/version.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/workqueue.h>
#include <net/af_unix.h>

#define VSOCKDEV_COMPAT_VQS_MAX	3

/* For tests, in a namespace of their own. Older kernels turn names to strings */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define VSOCKDEV_COMPAT_EXPORT(symbol)	\
	EXPORT_SYMBOL_NS_GPL(symbol, "VSOCKDEV_TESTS")
#define VSOCKDEV_COMPAT_IMPORT()	MODULE_IMPORT_NS("VSOCKDEV_TESTS")
#else
#define VSOCKDEV_COMPAT_EXPORT(symbol)	\
	EXPORT_SYMBOL_NS_GPL(symbol, VSOCKDEV_TESTS)
#define VSOCKDEV_COMPAT_IMPORT()	MODULE_IMPORT_NS(VSOCKDEV_TESTS)
#endif

static inline int
vsockdev_compat_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
			 struct virtqueue *vqs[], vq_callback_t *callbacks[],
			 const char * const names[])
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	struct virtqueue_info info[VSOCKDEV_COMPAT_VQS_MAX] = {};
	unsigned int i;

	for (i = 0; i < nvqs; i++) {
		info[i].name = names[i];
		info[i].callback = callbacks[i];
	}
	return virtio_find_vqs(vdev, nvqs, vqs, info, NULL);
#else
	return virtio_find_vqs(vdev, nvqs, vqs, callbacks, names, NULL);
#endif
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
	bool ctx;
};
#endif

/* For transports: defines @op, virtio_config_ops.find_vqs, which calls @find */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define VSOCKDEV_COMPAT_FIND_VQS(op, find)				\
static int op(struct virtio_device *vdev, unsigned int nvqs,		\
	      struct virtqueue *vqs[], struct virtqueue_info info[],	\
	      struct irq_affinity *desc)				\
{									\
	return find(vdev, nvqs, vqs, info, desc);			\
}
#else
#define VSOCKDEV_COMPAT_FIND_VQS(op, find)				\
static int op(struct virtio_device *vdev, unsigned int nvqs,		\
	      struct virtqueue *vqs[], vq_callback_t *callbacks[],	\
	      const char * const names[], const bool *ctx,		\
	      struct irq_affinity *desc)				\
{									\
	struct virtqueue_info info[VSOCKDEV_COMPAT_VQS_MAX] = {};	\
	unsigned int i;							\
									\
	if (nvqs > VSOCKDEV_COMPAT_VQS_MAX)				\
		return -ENOENT;						\
	for (i = 0; i < nvqs; i++) {					\
		info[i].name = names[i];				\
		info[i].callback = callbacks[i];			\
		info[i].ctx = ctx && ctx[i];				\
	}								\
	return find(vdev, nvqs, vqs, info, desc);			\
}
#endif

/* For work queues of this CPU. Older kernels take this for granted */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
#define VSOCKDEV_COMPAT_WQ_PERCPU	WQ_PERCPU
#else
#define VSOCKDEV_COMPAT_WQ_PERCPU	0
#endif

/* Older kernels have sendpage() instead, which waits for readers: copy there */
#ifndef MSG_SPLICE_PAGES
#define MSG_SPLICE_PAGES	0
#endif

/*
 * Newer kernels keep the head of an skb of AF_UNIX, and this declaration, to
 * themselves. vsockdev_sock_init() finds out whether the head looks like this.
 */
#ifndef UNIXCB
struct vsockdev_unix_parms {
	struct pid *pid;
	kuid_t uid;
	kgid_t gid;
	struct scm_fp_list *fp;
#ifdef CONFIG_SECURITY_NETWORK
	u32 secid;
#endif
	u32 consumed;
} __randomize_layout;

#define UNIXCB(skb)	(*(const struct vsockdev_unix_parms *)(skb)->cb)

struct sock *unix_peer_get(struct sock *sk);
#endif

/*
 * Bytes at the head of an skb of an AF_UNIX stream that recvmsg() took
 * before the skb was handed over as a whole.
 */
static inline u32 vsockdev_compat_unix_consumed(const struct sk_buff *skb)
{
	return UNIXCB(skb).consumed;
}

/*
 * read_skb() of older kernels' AF_UNIX forgets that an skb is the urgent byte only
 * when it has let go of all locks.
 */
#define VSOCKDEV_COMPAT_READ_SKB_RACES \
	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0))

/*
 * An skb was taken out of the receive queue of a stream, under the locks of the
 * socket's state and of the queue: some kernels have the one, some the other.
 * Returns true if it was the urgent byte, which nobody finds by another way now.
 * There are older kernels that have a reference for that way.
 */
static inline bool vsockdev_compat_unix_forget_oob(struct sock *sk,
						   struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_AF_UNIX_OOB)
	struct unix_sock *u = unix_sk(sk);

	if (skb == u->oob_skb) {
		WRITE_ONCE(u->oob_skb, NULL);
		if (skb_shared(skb))
			skb_unref(skb);
		return true;
	}
#endif
	return false;
}

/* Where a huge page is in a file. Older kernels count it in huge pages. */
static inline pgoff_t vsockdev_compat_hugetlb_index(pgoff_t index,
						    unsigned int order)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	return index;
#else
	return index >> order;
#endif
}

#endif /* VSOCKDEV_COMPAT_H */
