#include "guard/proto/http_path.h"

#include <ctype.h>

struct path {
	uint8_t *out;
	size_t len, segment; /* where the one that is being read begins */
	size_t read;	     /* bytes of it, those without room too */
	size_t lost;	     /* segments before it that found no room */
	bool dots;	     /* nothing else is in it */
	bool back;	     /* a segment was "..", or began so and may be that to some */
	bool ends_text;	     /* a NUL: the path's end to some, nothing to others */
};

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_plain(int c)
{
	return !c || isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '/' ||
	       c == '\\' || c == '%';
}

static bool is_code(struct bytes b, size_t at)
{
	return at + 2 <= b.len && hex_digit(b.data[at]) >= 0 && hex_digit(b.data[at + 1]) >= 0;
}

static int code(struct bytes b, size_t at)
{
	return is_code(b, at) ? hex_digit(b.data[at]) * 16 + hex_digit(b.data[at + 1]) : -1;
}

/* The code at `at`, if it goes on a character in UTF-8; else -1. */
static int more(struct bytes b, size_t at)
{
	int c = at < b.len && b.data[at] == '%' ? code(b, at + 1) : -1;

	return c >= 0x80 && c < 0xc0 ? c & 0x3f : -1;
}

/* Ways to write a character of ASCII that no standard has and old servers read: "%u002e", and more
 * bytes of UTF-8 than it takes (RFC 3629 §3), "%c0%ae". *ret_len: so many bytes behind the sign. */
static int decoded_oddly(struct bytes b, size_t at, size_t *ret_len)
{
	int first = code(b, at + 1), second = more(b, at + 3), third = more(b, at + 6);

	*ret_len = 5;
	if (at + 1 < b.len && (b.data[at + 1] | 0x20) == 'u')
		return code(b, at + 2) == 0 ? code(b, at + 4) : -1;
	if ((first == 0xc0 || first == 0xc1) && second >= 0)
		return (first & 1) << 6 | second;
	*ret_len = 8;
	return first == 0xe0 && second >= 0 && second < 2 && third >= 0 ? second << 6 | third : -1;
}

/*
 * The character that the percent sign at `at` encodes; -1: none that need not have been. A
 * percent sign itself need not only where it makes a code of what follows.
 */
static int decoded(struct bytes b, size_t at, size_t *ret_len)
{
	int c = code(b, at + 1);

	*ret_len = 2;
	if (c < 0 || c >= 0x80)
		c = decoded_oddly(b, at, ret_len);
	if (c < 0 || c >= 0x80 || !is_plain(c) || (c == '%' && !is_code(b, at + *ret_len + 1)))
		return -1;
	return c;
}

/* The next character; "%2561" is "%61" is "a". */
static uint8_t take(struct bytes b, size_t *at)
{
	uint8_t c = b.data[*at];
	size_t len;

	for (int d; c == '%' && (d = decoded(b, *at, &len)) >= 0; *at += len)
		c = (uint8_t)d;
	++*at;
	return c;
}

static void put(struct path *p, uint8_t c)
{
	p->back |= p->dots && p->read == 2;
	p->ends_text |= !c;
	p->dots = p->dots && c == '.';
	p->read++;
	if (!p->lost && p->len < HTTP_PATH_MAX)
		p->out[p->len++] = c;
}

static void drop_last(struct path *p)
{
	if (p->lost) {
		p->lost--;
		return;
	}
	if (p->len > 1)
		p->len--; /* its slash */
	while (p->len > 1 && p->out[p->len - 1] != '/')
		p->len--;
}

static void end_segment(struct path *p, bool slash)
{
	bool fits = !p->lost && p->len - p->segment == p->read && p->len < HTTP_PATH_MAX;

	if (p->dots && p->read && p->read <= 2) {
		p->len = p->segment;
		p->back |= p->read == 2;
		if (p->read == 2)
			drop_last(p);
	} else if (p->read && fits && slash) {
		p->out[p->len++] = '/';
	} else if (p->read && !fits) {
		p->len = p->segment;
		p->lost++;
	}
	p->segment = p->len;
	p->read = 0;
	p->dots = true;
}

static bool ends_host(uint8_t c)
{
	return c == '/' || c == '\\' || c == '?' || c == '#';
}

size_t http_path_at(struct bytes target)
{
	size_t i = 0;

	while (i < target.len && (isalnum(target.data[i]) || target.data[i] == '+' ||
				  target.data[i] == '-' || target.data[i] == '.'))
		i++;
	if (!i || target.len - i < 3 || memcmp(target.data + i, "://", 3))
		return 0;
	for (i += 3; i < target.len && !ends_host(target.data[i]); i++)
		;
	return i;
}

/* May it be read in another way? Nearly no target may. */
static bool is_odd(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] == '%' || b.data[i] == '\\' || b.data[i] == ';' || b.data[i] == '#' ||
		    (b.data[i] == '.' && i && b.data[i - 1] == '/'))
			return true;
	return false;
}

static struct bytes path_of(struct bytes target)
{
	size_t n = 0;

	while (n < target.len && target.data[n] != '?') /* a '#' ends it for some servers only */
		n++;
	return (struct bytes){target.data, n};
}

/*
 * Servers agree on where ".." leads only if all else is plain: what is encoded, a parameter, a
 * backslash, a fragment or an empty segment is to some a segment that ".." takes back.
 */
static bool is_mixed(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] == '%' || b.data[i] == '\\' || b.data[i] == ';' || b.data[i] == '#' ||
		    (b.data[i] == '/' && i && b.data[i - 1] == '/'))
			return true;
	return false;
}

size_t http_path_read(struct bytes target, uint8_t ret_path[HTTP_PATH_MAX], bool *ret_unsure)
{
	struct path p = {.out = ret_path, .dots = true};
	struct bytes b = path_of(target);
	size_t host = http_path_at(b);
	bool parameters = false;

	b.data += host;
	b.len -= host;
	*ret_unsure = false;
	if (!b.len || (!host && b.data[0] != '/') || !is_odd(b))
		return 0;
	p.out[p.len++] = '/';
	p.segment = 1;
	for (size_t at = 0; at < b.len;) {
		bool written = b.data[at] == ';';
		uint8_t c = take(b, &at);

		if (c == '/' || c == '\\') {
			end_segment(&p, true);
			parameters = false;
		} else if (written || parameters) {
			parameters = true;
		} else {
			put(&p, c);
		}
	}
	end_segment(&p, false);
	*ret_unsure = p.ends_text || (p.back && is_mixed(b));
	return p.len;
}
