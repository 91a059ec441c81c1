#include "base/json.h"

#include <math.h>
#include <stdio.h>

static void put_c(struct json *j, char c)
{
	write_u8(&j->out, (uint8_t)c);
}

static void put(struct json *j, const char *s)
{
	write_bytes(&j->out, s, strlen(s));
}

/* The next n bytes of the line, the caller's to fill; NULL where they do not fit. */
static char *reserve(struct json *j, size_t n)
{
	struct writer *w = &j->out;

	if (w->bad || n > w->cap - w->len) {
		w->bad = true;
		return NULL;
	}
	w->len += n;
	return (char *)w->data + w->len - n;
}

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

static void put_escape(struct json *j, uint8_t c)
{
	char u[8];

	snprintf(u, sizeof(u), "\\u%04x", c);
	put(j, u);
}

/* Of eight bytes, is any below 0x20 or beyond 0x7e, a quote or a backslash? A carry may cry wolf. */
static bool needs_care(const uint8_t *s)
{
	const uint64_t ones = 0x0101010101010101, high = ones << 7;
	uint64_t w, quote, backslash;

	memcpy(&w, s, 8);
	quote = w ^ ones * '"';
	backslash = w ^ ones * '\\';
	return (w | (w + ones) | (w - ones * 0x20) | (quote - ones) | (backslash - ones)) & high;
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

/* How many bytes at the start are ASCII that needs no escape: nearly always all. */
static size_t plain_len(const uint8_t *s, size_t len)
{
	size_t i = 0;

	while (i + 8 <= len && !needs_care(s + i))
		i += 8;
	while (i < len && s[i] >= 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

static void put_quoted(struct json *j, struct bytes v)
{
	char *at = reserve(j, v.len + 2);

	if (!at)
		return;
	*at++ = '"';
	if (v.len)
		memcpy(at, v.data, v.len);
	at[v.len] = '"';
}

static void put_text(struct json *j, struct bytes v)
{
	size_t i = plain_len(v.data, v.len);

	if (i == v.len) {
		put_quoted(j, v);
		return;
	}
	i = 0;
	put_c(j, '"');
	while (i < v.len) {
		size_t plain = plain_len(v.data + i, v.len - i), n;

		write_bytes(&j->out, v.data + i, plain);
		i += plain;
		if (i == v.len)
			break;
		n = utf8_len(v.data + i, v.len - i);
		if (v.data[i] == '"' || v.data[i] == '\\') {
			put_c(j, '\\');
			put_c(j, (char)v.data[i]);
		} else if (v.data[i] < 0x20 || v.data[i] == 0x7f || n == 0) {
			put_escape(j, v.data[i]);
			n = 1;
		} else {
			write_bytes(&j->out, v.data + i, n);
		}
		i += n;
	}
	put_c(j, '"');
}

static void put_key(struct json *j, const char *key)
{
	size_t len = key ? strlen(key) : 0;
	char *at = reserve(j, j->comma + (key ? len + 3 : 0));

	if (at && j->comma)
		*at++ = ',';
	j->comma = true;
	if (!at || !key)
		return;
	*at++ = '"';
	memcpy(at, key, len);
	memcpy(at + len, "\":", 2);
}

struct json json_new(char *buf, size_t cap)
{
	return (struct json){.out = writer_new(buf, cap)};
}

void json_open(struct json *j, const char *key)
{
	put_key(j, key);
	put(j, "{");
	j->comma = false;
}

void json_close(struct json *j)
{
	put(j, "}");
	j->comma = true;
}

void json_list(struct json *j, const char *key)
{
	put_key(j, key);
	put(j, "[");
	j->comma = false;
}

void json_end(struct json *j)
{
	put(j, "]");
	j->comma = true;
}

void json_text(struct json *j, const char *key, struct bytes v)
{
	put_key(j, key);
	put_text(j, v);
}

void json_str(struct json *j, const char *key, const char *v)
{
	json_text(j, key, (struct bytes){(const uint8_t *)v, strlen(v)});
}

static void put_number(struct json *j, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	write_bytes(&j->out, digits + at, sizeof(digits) - at);
}

void json_u64(struct json *j, const char *key, uint64_t v)
{
	put_key(j, key);
	put_number(j, v);
}

void json_i64(struct json *j, const char *key, int64_t v)
{
	put_key(j, key);
	if (v < 0)
		put_c(j, '-');
	put_number(j, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void json_dbl(struct json *j, const char *key, double v)
{
	char n[40];

	if (isfinite(v))
		snprintf(n, sizeof(n), "%.6g", v);
	else
		snprintf(n, sizeof(n), "null");
	put_key(j, key);
	put(j, n);
}

void json_bool(struct json *j, const char *key, bool v)
{
	put_key(j, key);
	put(j, v ? "true" : "false");
}

void json_raw(struct json *j, const char *key, struct bytes v)
{
	put_key(j, key);
	write_bytes(&j->out, v.data, v.len);
}
