#include "base/number.h"

#include <stddef.h>

bool number_read(const char *text, uint64_t min, uint64_t max, uint64_t *ret_n)
{
	uint64_t n = 0;

	if (!text || !*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return false;
	}
	if (n < min || n > max)
		return false;
	*ret_n = n;
	return true;
}
