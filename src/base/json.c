#include "base/json.h"

#include <math.h>
#include <stdio.h>

#include "base/digits.h"

/* The length of the well-formed UTF-8 sequence at s, 0 where there is none (RFC 3629 §4). */
static size_t utf8_len(const uint8_t *s, size_t left)
{
	uint8_t c = s[0];
	size_t n = c < 0x80		   ? 1
		   : c >= 0xc2 && c < 0xe0 ? 2
		   : c >= 0xe0 && c < 0xf0 ? 3
		   : c >= 0xf0 && c < 0xf5 ? 4
					   : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) ||
	    (c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

typedef int8_t lanes __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

/* Which need no escape: from 0x20 to 0x7e, what is beyond being below zero, but quote and backslash. */
static inline lanes plain(lanes c)
{
	return (c > 0x1f) & ~((c == 0x7f) | (c == '"') | (c == '\\'));
}

static inline bool all(lanes found)
{
	halves half = (halves)found;

	return (half[0] & half[1]) == UINT64_MAX;
}

bool json_is_utf8(struct bytes v)
{
	size_t i = 0, n;

	while (i < v.len) {
		n = v.data[i] < 0x80 ? 1 : utf8_len(v.data + i, v.len - i);
		if (!n)
			return false;
		i += n;
	}
	return true;
}

/* How many bytes at the start are ASCII that needs no escape. */
static size_t plain_len(const uint8_t *s, size_t len)
{
	size_t i = 0;

	while (i < len && s[i] >= 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

static inline lanes load(const void *s)
{
	lanes c;

	memcpy(&c, s, sizeof(c));
	return c;
}

/* Copies fewer than sixteen bytes, and gives them: some of them twice, or with letters in front. */
static inline lanes copy_short(char *at, const uint8_t *s, size_t len)
{
	uint64_t first = 0x6161616161616161, last = first;
	uint32_t head, tail;

	if (len >= 8) {
		memcpy(&first, s, 8);
		memcpy(&last, s + len - 8, 8);
		memcpy(at, &first, 8);
		memcpy(at + len - 8, &last, 8);
	} else if (len >= 4) {
		memcpy(&head, s, 4);
		memcpy(&tail, s + len - 4, 4);
		memcpy(at, &head, 4);
		memcpy(at + len - 4, &tail, 4);
		first = head | (uint64_t)tail << 32;
	} else {
		for (size_t i = 0; i < len; i++) {
			at[i] = (char)s[i];
			first = first << 8 | s[i];
		}
	}
	return (lanes)(halves){first, last};
}

/* Copies what needs no escape, which is nearly always all; false where something does. */
static inline bool copy_plain(char *at, const uint8_t *s, size_t len)
{
	lanes c, found;

	if (len < sizeof(c))
		return all(plain(copy_short(at, s, len)));
	c = load(s + len - sizeof(c));
	memcpy(at + len - sizeof(c), &c, sizeof(c));
	found = plain(c);
	for (size_t i = 0; i + sizeof(c) < len; i += sizeof(c)) {
		c = load(s + i);
		memcpy(at + i, &c, sizeof(c));
		found &= plain(c);
	}
	return all(found);
}

static const char hex_digit[] = "0123456789abcdef";

/* What steers a terminal, ends a line for some readers (U+0085, U+2028), or is not seen but changes
 * how others are: nobody writes it into a log by what a message says. */
static bool is_hidden(unsigned c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb);
}

/* The character of n bytes at s; a byte that is none, as it is. */
static unsigned character(const uint8_t *s, size_t n)
{
	return n == 2	? (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu)
	       : n == 3 ? (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu)
			: s[0];
}

/* One character, or one byte that is none. How far it goes. */
static size_t put_hard(char **at, const uint8_t *s, size_t left)
{
	size_t n = utf8_len(s, left);
	unsigned c = character(s, n);

	if (c == '"' || c == '\\') {
		*(*at)++ = '\\';
	} else if (n == 0 || (n < 4 && is_hidden(c))) {
		memcpy(*at, "\\u", 2);
		for (unsigned i = 0; i < 4; i++)
			(*at)[2 + i] = hex_digit[c >> (12 - 4 * i) & 15];
		*at += 6;
		return n ? n : 1;
	}
	memcpy(*at, s, n);
	*at += n;
	return n;
}

/* The text with escapes. Every byte may take six. */
static __attribute__((cold, noinline)) void put_text(struct json *j, char *at, struct bytes v)
{
	const char *end = (const char *)j->out.data + j->out.cap;
	size_t i = 0;

	*at++ = '"';
	while (i < v.len) {
		size_t n = plain_len(v.data + i, v.len - i);

		if (n + 8 > (size_t)(end - at)) {
			json_fail(j);
			return;
		}
		memcpy(at, v.data + i, n);
		at += n;
		i += n;
		if (i < v.len)
			i += put_hard(&at, v.data + i, v.len - i);
	}
	*at++ = '"';
	json_resume(j, at);
}

struct json json_new(char *buf, size_t cap)
{
	return (struct json){.out = {.data = (uint8_t *)buf, .cap = cap, .len = (size_t)-1}};
}

void json_value_text(struct json *j, char *at, struct bytes v)
{
	*at = '"';
	if (__builtin_expect(copy_plain(at + 1, v.data, v.len), 1)) {
		at[v.len + 1] = '"';
		json_resume(j, at + v.len + 2);
	} else {
		put_text(j, at, v);
	}
}

void json_i64(struct json *j, const char *key, int64_t v)
{
	char *at = json_member(j, json_key(key), DIGITS_MAX + 1);

	if (!at)
		return;
	if (v < 0)
		*at++ = '-';
	json_resume(j, digits_decimal(at, v < 0 ? 0 - (uint64_t)v : (uint64_t)v));
}

void json_dbl(struct json *j, const char *key, double v)
{
	char n[40];
	int len;

	if (isfinite(v))
		len = snprintf(n, sizeof(n), "%.6g", v);
	else
		len = snprintf(n, sizeof(n), "null");
	json_raw(j, key, (struct bytes){(const uint8_t *)n, (size_t)len});
}
