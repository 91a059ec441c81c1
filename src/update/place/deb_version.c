#include "update/place/deb_version.h"

#include <ctype.h>
#include <string.h>

/* deb-version(7): '~' before the end, the end before letters, letters before the rest. */
static int rank(char c)
{
	if (c == '~')
		return -1;
	if (!c || isdigit((unsigned char)c))
		return 0;
	return isalpha((unsigned char)c) ? (unsigned char)c : (unsigned char)c + 256;
}

/* The numbers at both; moves past them. */
static int compare_numbers(const char **a, const char **b)
{
	size_t x, y;
	int r;

	*a += strspn(*a, "0");
	*b += strspn(*b, "0");
	x = strspn(*a, "0123456789");
	y = strspn(*b, "0123456789");
	if (x != y)
		return x < y ? -1 : 1;
	r = memcmp(*a, *b, x);
	*a += x;
	*b += y;
	return r;
}

int deb_version_compare(const char *a, const char *b)
{
	while (*a || *b) {
		int r;

		while ((*a && !isdigit((unsigned char)*a)) || (*b && !isdigit((unsigned char)*b))) {
			r = rank(*a) - rank(*b);
			if (r)
				return r;
			a += *a != 0;
			b += *b != 0;
		}
		r = compare_numbers(&a, &b);
		if (r)
			return r;
	}
	return 0;
}
