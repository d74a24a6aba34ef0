// SPDX-License-Identifier: GPL-2.0-only
/* Walking over scattered memory. */
#include "iov.h"

#include <stdint.h>
#include <string.h>

#include "util.h"

size_t iov_get(const struct iov *iov, void *buf, size_t len)
{
	size_t done = 0;

	for (int i = 0; i < iov->count && done < len; i++) {
		size_t n = min(iov->vec[i].iov_len, len - done);

		memcpy((uint8_t *)buf + done, iov->vec[i].iov_base, n);
		done += n;
	}
	return done;
}

size_t iov_put(const struct iov *iov, const void *buf, size_t len)
{
	size_t done = 0;

	for (int i = 0; i < iov->count && done < len; i++) {
		size_t n = min(iov->vec[i].iov_len, len - done);

		memcpy(iov->vec[i].iov_base, (const uint8_t *)buf + done, n);
		done += n;
	}
	return done;
}

void iov_skip(struct iov *iov, size_t len)
{
	while (iov->count && len >= iov->vec->iov_len) {
		len -= iov->vec->iov_len;
		iov->vec++;
		iov->count--;
	}
	if (iov->count && len) {
		iov->vec->iov_base = (uint8_t *)iov->vec->iov_base + len;
		iov->vec->iov_len -= len;
	}
}

void iov_trim(struct iov *iov, size_t len)
{
	int i;

	for (i = 0; i < iov->count && len; i++) {
		iov->vec[i].iov_len = min(iov->vec[i].iov_len, len);
		len -= iov->vec[i].iov_len;
	}
	iov->count = i;
}

size_t iov_size(const struct iov *iov)
{
	size_t len = 0;

	for (int i = 0; i < iov->count; i++)
		len += iov->vec[i].iov_len;
	return len;
}
