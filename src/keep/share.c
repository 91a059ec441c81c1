#include "keep/share.h"

#include <stdlib.h>
#include <string.h>

static int less_first(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

uint64_t share_most(const uint64_t held[SHARES], uint64_t max)
{
	uint64_t sorted[SHARES];

	memcpy(sorted, held, sizeof(sorted));
	qsort(sorted, SHARES, sizeof(*sorted), less_first);
	for (unsigned i = 0; i < SHARES; i++) {
		if (sorted[i] > max / (SHARES - i))
			return max / (SHARES - i);
		max -= sorted[i];
	}
	return UINT64_MAX;
}
