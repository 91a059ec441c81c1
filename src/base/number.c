#include "base/number.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

bool number_window(const char *text, unsigned *ret_from, unsigned *ret_to)
{
	unsigned h1, m1, h2, m2, from, to;
	int used = 0;

	if (text[strspn(text, "0123456789:-")] ||
	    sscanf(text, "%2u:%2u-%2u:%2u%n", &h1, &m1, &h2, &m2, &used) != 4 || text[used])
		return false;
	from = h1 * 60 + m1;
	to = h2 * 60 + m2;
	if (h1 > 23 || m1 > 59 || m2 > 59 || to > 24 * 60 || from == to)
		return false;
	*ret_from = from;
	*ret_to = to;
	return true;
}
