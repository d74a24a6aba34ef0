/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Samples of what runs, by the kernel's own clock: there may be no processor
 * counters, as in guests.
 */
#ifndef BENCH_CPUCLOCK_H
#define BENCH_CPUCLOCK_H

#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CPUCLOCK_FREQUENCY 1000
#define CPUCLOCK_DATA (16U << 20)

struct cpuclock {
	int fd;
	struct perf_event_mmap_page *page;
};

/* Of a thread, or of a processor if @pid is -1; 0 or an error below. */
static inline int cpuclock_open(struct cpuclock *clock, int pid, int cpu,
				uint64_t sample_type)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = CPUCLOCK_FREQUENCY,
		.freq = 1,
		.sample_type = sample_type,
		.exclude_callchain_user = 1,
	};

	clock->fd = syscall(SYS_perf_event_open, &attr, pid, cpu, -1,
			    PERF_FLAG_FD_CLOEXEC);
	if (clock->fd < 0)
		return -errno;
	clock->page = mmap(NULL, CPUCLOCK_DATA + getpagesize(),
			   PROT_READ | PROT_WRITE, MAP_SHARED, clock->fd, 0);
	if (clock->page != MAP_FAILED)
		return 0;
	close(clock->fd);
	return -ENOMEM;
}

static inline void cpuclock_stop(struct cpuclock *clock)
{
	ioctl(clock->fd, PERF_EVENT_IOC_DISABLE, 0);
}

static inline void cpuclock_close(struct cpuclock *clock)
{
	munmap(clock->page, CPUCLOCK_DATA + getpagesize());
	close(clock->fd);
}

/* From the record at @at on: its bytes, which may go around the end. */
static inline void cpuclock_copy(const struct cpuclock *clock, uint64_t at,
				 void *to, size_t len)
{
	const struct perf_event_mmap_page *page = clock->page;
	const char *data = (const char *)page + page->data_offset;

	for (size_t i = 0; i < len; i++)
		((char *)to)[i] = data[(at + i) % page->data_size];
}

#endif
