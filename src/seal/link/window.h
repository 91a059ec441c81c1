#ifndef BEDWARDEN_SEAL_LINK_WINDOW_H
#define BEDWARDEN_SEAL_LINK_WINDOW_H
/*
 * Which record numbers have come already (RFC 6347 §4.1.2.6), the last WINDOW_BITS of them
 * by RFC 6479's ring: what is older counts as having come. A number is taken only once its
 * record was authentic.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WINDOW_WORDS 64
#define WINDOW_BITS  ((WINDOW_WORDS - 1) * 64) /* one word is being cleared */

struct window {
	uint64_t top;	/* the highest that came; meaningless while `began` is 0 */
	uint32_t began; /* 0 or 1 */
	uint64_t words[WINDOW_WORDS];
};

static inline bool window_fresh(const struct window *w, uint64_t seq)
{
	if (!w->began || seq > w->top)
		return true;
	if (w->top - seq >= WINDOW_BITS)
		return false;
	return !(w->words[seq / 64 % WINDOW_WORDS] >> seq % 64 & 1);
}

/* A fresh one has come. How many between it and the one before are missing now; -1: one of those. */
static inline int64_t window_take(struct window *w, uint64_t seq)
{
	int64_t missing = -1;

	if (!w->began || seq > w->top) {
		uint64_t from = w->began ? w->top / 64 : seq / 64, to = seq / 64;

		if (!w->began || to - from >= WINDOW_WORDS)
			memset(w->words, 0, sizeof(w->words));
		else
			for (uint64_t at = from + 1; at <= to; at++)
				w->words[at % WINDOW_WORDS] = 0;
		missing = w->began ? (int64_t)(seq - w->top - 1) : 0;
		w->top = seq;
		w->began = 1;
	}
	w->words[seq / 64 % WINDOW_WORDS] |= 1ull << seq % 64;
	return missing;
}

/* Every number up to the highest that came counts as having come: who takes this over from a process
 * that ended in the middle of it cannot know better. */
static inline void window_shut(struct window *w)
{
	w->began = w->began != 0;
	if (!w->began)
		return;
	memset(w->words, 0xff, sizeof(w->words));
	w->words[w->top / 64 % WINDOW_WORDS] = ~0ull >> (63 - w->top % 64);
}

#endif
