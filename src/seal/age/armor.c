#include "seal/age/armor.h"

#include "base/base64.h"
#include "seal/age/age.h"

#define BEGIN_LINE "-----BEGIN AGE ENCRYPTED FILE-----"
#define END_LINE   "-----END AGE ENCRYPTED FILE-----"

static void write_line(struct writer *w, const uint8_t *data, size_t len)
{
	char line[AGE_COLUMNS];

	write_bytes(w, line, (base64_write_padded(data, len, line)));
	write_u8(w, '\n');
}

void armor_begin(struct writer *w)
{
	write_bytes(w, BEGIN_LINE "\n", strlen(BEGIN_LINE "\n"));
}

void armor_write(struct armor_writer *a, struct bytes in, struct writer *w)
{
	if (a->held_len) {
		size_t n = sizeof(a->held) - a->held_len;

		n = n < in.len ? n : in.len;
		memcpy(a->held + a->held_len, in.data, n);
		a->held_len += n;
		in = (struct bytes){in.data + n, in.len - n};
		if (a->held_len < sizeof(a->held))
			return;
		write_line(w, a->held, sizeof(a->held));
		a->held_len = 0;
	}
	for (; in.len >= AGE_LINE_BYTES; in.data += AGE_LINE_BYTES, in.len -= AGE_LINE_BYTES)
		write_line(w, in.data, AGE_LINE_BYTES);
	if (in.len)
		memcpy(a->held, in.data, in.len);
	a->held_len = in.len;
}

void armor_end(struct armor_writer *a, struct writer *w)
{
	if (a->held_len)
		write_line(w, a->held, a->held_len);
	a->held_len = 0;
	write_bytes(w, END_LINE "\n", strlen(END_LINE "\n"));
}

static bool is(struct bytes line, const char *text)
{
	return line.len == strlen(text) && memcmp(line.data, text, line.len) == 0;
}

static bool is_space(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (!strchr(" \t\n\v\f\r", b.data[i]) || !b.data[i])
			return false;
	return true;
}

static bool take_space(struct armor_reader *a, struct bytes b)
{
	a->space += b.len;
	return a->space <= ARMOR_SPACE_MAX && is_space(b);
}

/* A line without its end. */
static enum parse take_line(struct armor_reader *a, struct bytes line, struct writer *w)
{
	uint8_t bytes[AGE_LINE_BYTES];
	size_t len = 0;

	if (a->state == ARMOR_BEFORE) {
		if (is(line, BEGIN_LINE)) {
			a->state = ARMOR_BODY;
			a->space = 0;
			return PARSE_OK;
		}
		return take_space(a, line) ? PARSE_OK : PARSE_BAD;
	}
	if (is(line, END_LINE)) {
		a->state = ARMOR_AFTER;
		return PARSE_OK;
	}
	if (a->state == ARMOR_SHORT || !line.len || line.len > AGE_COLUMNS ||
	    base64_read_padded(line, bytes, sizeof(bytes), &len) < 0)
		return PARSE_BAD;
	if (len < AGE_LINE_BYTES)
		a->state = ARMOR_SHORT;
	write_bytes(w, bytes, len);
	return PARSE_OK;
}

/* The next line with its end; false where its end is not there yet. */
static bool next_line(struct bytes in, bool ended, struct bytes *ret_line, size_t *ret_len)
{
	const uint8_t *end = in.len ? memchr(in.data, '\n', in.len) : NULL;
	size_t n = end ? (size_t)(end - in.data) : in.len;

	if (!end && !(ended && in.len))
		return false;
	*ret_len = n + (end != NULL);
	if (n && in.data[n - 1] == '\r')
		n--;
	*ret_line = (struct bytes){in.data, n};
	return true;
}

/* What came out before the broken line is given first; the line is met again. */
static enum parse broken(size_t used)
{
	return used ? PARSE_OK : PARSE_BAD;
}

enum parse armor_read(struct armor_reader *a, struct bytes in, bool ended, struct writer *w,
		      size_t *ret_used)
{
	size_t used = 0, n = 0;
	struct bytes line, rest = in;

	while (a->state != ARMOR_AFTER && w->cap - w->len >= AGE_LINE_BYTES) {
		if (!next_line(rest, ended, &line, &n)) {
			*ret_used = used;
			return ended || rest.len > ARMOR_SPACE_MAX ? broken(used) : PARSE_MORE;
		}
		if (take_line(a, line, w) != PARSE_OK) {
			*ret_used = used;
			return broken(used);
		}
		used += n;
		rest = (struct bytes){in.data + used, in.len - used};
	}
	if (a->state == ARMOR_AFTER) {
		if (!take_space(a, rest)) {
			*ret_used = used;
			return broken(used);
		}
		used = in.len;
	}
	*ret_used = used;
	return PARSE_OK;
}

bool age_begins(struct bytes start)
{
	static const char *const ways[] = {"age-encryption.org/v", BEGIN_LINE};
	size_t space = 0, n;

	while (space < start.len && memchr(" \t\r\n", start.data[space], 4))
		space++;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		size_t at = i ? space : 0; /* armor alone may stand behind white space */

		n = strlen(ways[i]);
		if (start.len - at >= n && memcmp(start.data + at, ways[i], n) == 0)
			return true;
	}
	return false;
}
