#include "update/tuf/glob.h"

#include <stddef.h>
#include <stdint.h>

/* The next character; bytes that are no UTF-8 count one each. */
static const char *next(const char *s, uint32_t *ret_char)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
	uint32_t c = more ? *p & (0x3fu >> more) : *p;

	for (unsigned i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*ret_char = *p;
			return s + 1;
		}
		c = c << 6 | (p[i] & 0x3f);
	}
	*ret_char = c;
	return s + more + 1;
}

/*
 * `set` stands after the '['. Tells whether c is in it and where it ends, after the ']'; NULL
 * where nothing closes it, and the '[' is an ordinary character.
 */
static const char *match_set(const char *set, uint32_t c, bool *ret_in)
{
	bool inverted = *set == '!', in = false, first = true;
	uint32_t from, to;

	set += inverted;
	while (*set && (first || *set != ']')) {
		set = next(set, &from);
		to = from;
		if (*set == '-' && set[1] && set[1] != ']')
			set = next(set + 1, &to);
		in = in || (c >= from && c <= to);
		first = false;
	}
	if (!*set)
		return NULL;
	*ret_in = in != inverted;
	return set + 1;
}

/* One character of the path against one item of the pattern that is no '*'. */
static const char *match_one(const char *pattern, uint32_t c)
{
	const char *end;
	uint32_t want;
	bool in;

	if (*pattern == '?')
		return c != '/' ? pattern + 1 : NULL;
	if (*pattern == '[') {
		end = match_set(pattern + 1, c, &in);
		if (end)
			return in && c != '/' ? end : NULL;
	}
	if (!*pattern)
		return NULL;
	pattern = next(pattern, &want);
	return want == c ? pattern : NULL;
}

bool glob_match(const char *pattern, const char *path)
{
	const char *star = NULL, *resume = NULL, *after, *then;
	uint32_t c;

	while (*path) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = path;
			continue;
		}
		then = next(path, &c);
		after = match_one(pattern, c);
		if (after) {
			/* A '/' that was matched is never given back to an earlier '*'. */
			if (c == '/')
				star = NULL;
			pattern = after;
			path = then;
			continue;
		}
		if (!star)
			return false;
		resume = next(resume, &c);
		if (c == '/')
			return false;
		pattern = star;
		path = resume;
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
