#include "guard/proto/head.h"

#include <strings.h>

size_t head_len(struct bytes b, uint32_t *scanned)
{
	size_t at = *scanned;

	for (;;) {
		const uint8_t *end = at < b.len ? memchr(b.data + at, '\n', b.len - at) : NULL;
		size_t next = end ? (size_t)(end - b.data) + 1 : b.len;

		if (!end)
			break;
		if (next < b.len && b.data[next] == '\n')
			return next + 1;
		if (next + 1 < b.len && b.data[next] == '\r' && b.data[next + 1] == '\n')
			return next + 2;
		if (next + 1 >= b.len) {
			*scanned = (uint32_t)(next - 1); /* what decides is still to come */
			return 0;
		}
		at = next;
	}
	*scanned = (uint32_t)b.len;
	return 0;
}

bool head_line(struct reader *r, struct bytes *ret_line)
{
	size_t left = reader_left(r);
	const uint8_t *at, *end;

	if (!left)
		return false;
	at = r->in.data + r->off;
	end = memchr(at, '\n', left);
	if (!end)
		return false;
	*ret_line = read_bytes(r, (size_t)(end - at));
	read_u8(r);
	if (ret_line->len && ret_line->data[ret_line->len - 1] == '\r')
		ret_line->len--;
	return true;
}

static bool is_space(uint8_t c)
{
	return c <= ' ' || c == 0x7f;
}

/* Does anything stand around the value but blanks and tabs (RFC 9110 §5.5), and line ends where it is
 * folded? */
static bool is_oddly_set(struct bytes all, struct bytes value, bool folded)
{
	for (const uint8_t *at = all.data; at < all.data + all.len; at++) {
		if (at == value.data)
			at += value.len;
		if (at < all.data + all.len && *at != ' ' && *at != '\t' &&
		    !(folded && (*at == '\r' || *at == '\n')))
			return true;
	}
	return false;
}

struct bytes head_trim(struct bytes b)
{
	while (b.len && is_space(b.data[0]))
		b.data++, b.len--;
	while (b.len && is_space(b.data[b.len - 1]))
		b.len--;
	return b;
}

bool head_field(struct reader *r, struct head_field *ret_f)
{
	struct head_field f = {.folded = false};
	struct bytes line, name;
	const uint8_t *colon;

	if (!head_line(r, &line) || !line.len)
		return false;
	while (reader_left(r) && (r->in.data[r->off] == ' ' || r->in.data[r->off] == '\t')) {
		struct bytes more;

		if (!head_line(r, &more))
			break;
		line.len = (size_t)(more.data + more.len - line.data);
		f.folded = true;
	}
	colon = memchr(line.data, ':', line.len);
	f.value = head_trim(line);
	if (colon) {
		name = (struct bytes){line.data, (size_t)(colon - line.data)};
		f.name = head_trim(name);
		f.odd = f.name.len != name.len;
		line = (struct bytes){colon + 1, line.len - name.len - 1};
		f.value = head_trim(line);
		f.oddly_set = is_oddly_set(line, f.value, f.folded);
	}
	*ret_f = f;
	return true;
}

bool head_is(struct bytes b, const char *text)
{
	return b.len == strlen(text) && !strncasecmp((const char *)b.data, text, b.len);
}

bool head_contains(struct bytes b, const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i + n <= b.len; i++)
		if (head_is((struct bytes){b.data + i, n}, text))
			return true;
	return false;
}

bool head_number(struct bytes b, uint64_t *ret_n)
{
	uint64_t n = 0;

	for (size_t i = 0; i < b.len; i++) {
		if (b.data[i] < '0' || b.data[i] > '9' || n > (UINT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(b.data[i] - '0');
	}
	*ret_n = n;
	return b.len > 0;
}

struct bytes head_before(struct bytes b, const char *stops)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] && strchr(stops, b.data[i]))
			return (struct bytes){b.data, i};
	return b;
}

bool head_parameter(struct bytes *rest, struct bytes *ret_name, struct bytes *ret_value)
{
	bool quoted = false;
	size_t n = 0;
	struct bytes one;

	while (n < rest->len && (quoted || rest->data[n] != ';'))
		quoted ^= rest->data[n++] == '"';
	one = (struct bytes){rest->data, n};
	n += n < rest->len;
	*rest = (struct bytes){rest->data + n, rest->len - n};
	*ret_name = head_before(one, "=");
	*ret_value = head_trim((struct bytes){one.data + ret_name->len, one.len - ret_name->len});
	*ret_name = head_trim(*ret_name);
	if (ret_value->len)
		*ret_value = head_trim((struct bytes){ret_value->data + 1, ret_value->len - 1});
	if (ret_value->len > 1 && ret_value->data[0] == '"')
		*ret_value = (struct bytes){ret_value->data + 1, ret_value->len - 2};
	if (ret_value->len && memchr(ret_value->data, '\\', ret_value->len))
		ret_value->len = 0;
	return n;
}
