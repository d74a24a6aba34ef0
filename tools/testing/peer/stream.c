// SPDX-License-Identifier: GPL-2.0-only
/*
 * The deterministic byte stream. Word i is a mix of seed and i, so no state
 * has to be carried and any position can be made; one multiplication for each
 * eight bytes keeps it faster than what it tests, even in an emulated CPU.
 */
#include "stream.h"

#include <endian.h>
#include <string.h>

#define STEP 0x9e3779b97f4a7c15ULL
#define MIX 0xd6e8feb86659fd93ULL

static uint64_t word_at(const struct stream *stream, uint64_t index)
{
	uint64_t x = (stream->seed + index) * STEP;

	x ^= x >> 29;
	return htole64(x * MIX);
}

/* The part of the word under pos: where it is and how much of it is wanted. */
static size_t part(const struct stream *stream, size_t len, uint8_t word[8],
		   size_t *skip)
{
	uint64_t x = word_at(stream, stream->pos / 8);

	memcpy(word, &x, 8);
	*skip = stream->pos % 8;
	return len < 8 - *skip ? len : 8 - *skip;
}

void stream_fill(struct stream *stream, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		uint8_t word[8];
		size_t skip, n;

		while (stream->pos % 8 == 0 && len >= 8) {
			uint64_t x = word_at(stream, stream->pos / 8);

			memcpy(p, &x, 8);
			p += 8;
			len -= 8;
			stream->pos += 8;
		}
		n = part(stream, len, word, &skip);
		memcpy(p, word + skip, n);
		p += n;
		len -= n;
		stream->pos += n;
	}
}

/* How many bytes from the start are the same. */
static size_t same(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t n = 0;

	while (n < len && a[n] == b[n])
		n++;
	return n;
}

size_t stream_check(struct stream *stream, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	size_t done = 0;

	while (done < len) {
		uint8_t word[8];
		size_t skip, n, good;

		while (stream->pos % 8 == 0 && len - done >= 8) {
			uint64_t x = word_at(stream, stream->pos / 8);

			if (memcmp(p + done, &x, 8))
				break;
			done += 8;
			stream->pos += 8;
		}
		n = part(stream, len - done, word, &skip);
		good = same(p + done, word + skip, n);
		done += good;
		stream->pos += good;
		if (good < n)
			break;
	}
	return done;
}

uint32_t stream_pick(uint64_t *state, uint32_t min, uint32_t max)
{
	uint64_t x = *state += STEP;

	x ^= x >> 32;
	x *= MIX;
	x ^= x >> 32;
	return min + x % ((uint64_t)max - min + 1);
}
