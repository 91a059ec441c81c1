#include "guard/proto/hl7_inside.h"

#include <ctype.h>

#include "guard/proto/hl7_probe.h"

enum { NOWHERE, PLAIN, PACKED };

#define LAST_FIELD    10 /* MSH-10, the number; behind it … */
#define CHARSET_FIELD 18 /* … this alone says how the others are read */
#define NOTHING	      (-1)

/* Headers */

static void end_header(struct hl7_inside *s)
{
	s->found = true;
	s->reading = NOWHERE;
}

static void read_header(struct hl7_inside *s, uint8_t c, bool escaped)
{
	bool separates = c == s->header[3];

	if (c == '\r' || c == '\n' || (c == '<' && !escaped && s->reading == PLAIN)) {
		end_header(s);
		return;
	}
	/* Those who do not read escapes count other fields. */
	s->unsure |= !c || (separates && escaped != s->escaped);
	if (separates && s->field < UINT8_MAX)
		s->field++;
	if (!separates && s->field > LAST_FIELD && s->field != CHARSET_FIELD)
		return;
	if (s->field > CHARSET_FIELD)
		return;
	if (s->len == HL7_INSIDE_HEADER)
		s->unsure = true;
	else
		s->header[s->len++] = c;
}

/* A header within the other text's leaves open which of them counts. */
static void begin_header(struct hl7_inside *s, unsigned where, const struct hl7_seek *k,
			 bool escaped)
{
	if (s->reading) {
		s->unsure = true;
		return;
	}
	memcpy(s->header, k->start, k->len);
	s->len = k->len;
	s->reading = (uint8_t)where;
	s->field = 3;
	s->escaped = escaped;
	s->unsure = k->escaped != escaped;
}

/* The element of a message in XML, by any prefix. */
static bool is_element(uint8_t before, uint8_t behind)
{
	return (before == '<' || before == ':') && memchr("> \t\r\n/", behind, 6);
}

/* "MSH":"…" of JSON: a message between quotes has none of them itself. */
static bool is_key(const struct hl7_seek *k, uint8_t behind, bool escaped)
{
	return k->before == '"' && behind == '"' && k->behind_escape == escaped;
}

static void pass_by(struct hl7_seek *k, uint8_t c, bool escaped)
{
	k->len = 0;
	k->before = c;
	k->behind_escape = escaped;
}

/* What is no character of ASCII's own in UTF-16 is passed over. */
static void seek(struct hl7_inside *s, unsigned where, uint8_t c, bool escaped)
{
	struct hl7_seek *k = where == PLAIN ? &s->plain : &s->packed;
	enum parse got;

	if (s->reading == where) {
		read_header(s, c, escaped);
		pass_by(k, c, escaped);
		return;
	}
	if (!c)
		return;
	if (!k->len && (c != 'M' || isalnum(k->before))) {
		pass_by(k, c, escaped);
		return;
	}
	k->start[k->len++] = c;
	got = hl7_probe_bare((struct bytes){k->start, k->len});
	if (k->len == 4 && got == PARSE_MORE)
		k->escaped = escaped;
	if (k->len == 4 && is_key(k, c, escaped))
		got = PARSE_BAD;
	if (k->len == 4 && is_element(k->before, c)) {
		s->found = s->unsure = true;
		s->len = 0;
		pass_by(k, c, escaped);
	} else if (got == PARSE_OK) {
		begin_header(s, where, k, escaped);
		pass_by(k, c, escaped);
	} else if (got == PARSE_BAD) {
		pass_by(k, k->start[k->len - 2], false);
		seek(s, where, c, escaped); /* which may begin one */
	}
}

/* Base64 (RFC 4648 §4), in lines or not; whatever else stands there ends it, and an empty line. */

#define SPAN(c, v)   [c] = v, [c + 1] = v + 1, [c + 2] = v + 2, [c + 3] = v + 3, [c + 4] = v + 4
#define SPAN8(c, v)  SPAN(c, v), [c + 5] = v + 5, [c + 6] = v + 6, [c + 7] = v + 7
#define SPAN13(c, v) SPAN8(c, v), SPAN(c + 8, v + 8)
#define BASE64	     64
#define SPECIAL	     65 /* an escape, or what may stand between lines of base64 */

/* Up to BASE64 one more than the character's value, 0 for what ends it. */
static const uint8_t kinds[256] = {
	SPAN13('A', 1),	  SPAN13('N', 14), SPAN13('a', 27), SPAN13('n', 40),  SPAN('0', 53),
	SPAN('5', 58),	  ['+'] = 63,	   ['/'] = BASE64,  ['%'] = SPECIAL,  ['&'] = SPECIAL,
	['\\'] = SPECIAL, ['='] = SPECIAL, [' '] = SPECIAL, ['\t'] = SPECIAL, ['\r'] = SPECIAL,
	['\n'] = SPECIAL, [0] = SPECIAL,
};

static int value(uint8_t c)
{
	return kinds[c] && kinds[c] <= BASE64 ? kinds[c] - 1 : -1;
}

static bool is_between_lines(struct hl7_inside *s, uint8_t c)
{
	if (c == '\n')
		return !s->line_ends++;
	return c == '\r' || ((c == ' ' || c == '\t') && s->line_ends);
}

static void unpack(struct hl7_inside *s, uint8_t c)
{
	int v = value(c);

	if (v < 0 && is_between_lines(s, c))
		return;
	s->line_ends = 0;
	if (v < 0) {
		s->bits = s->packed.len = s->packed.before = 0;
		if (s->reading == PACKED)
			end_header(s);
		return;
	}
	s->group = s->group << 6 | (uint32_t)v;
	s->bits = (uint8_t)(s->bits + 6);
	if (s->bits < 8)
		return;
	s->bits = (uint8_t)(s->bits - 8);
	seek(s, PACKED, (uint8_t)(s->group >> s->bits), false);
}

/* Escapes: MORE as far as they go, BAD what is none. */

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number to the end of the text; -1 where it is none. What is beyond a byte is no separator. */
static int number(struct bytes b, int base)
{
	int n = 0;

	for (size_t i = 0; i < b.len; i++) {
		int v = digit(b.data[i]);

		if (v < 0 || v >= base)
			return -1;
		n = n * base + v;
		n = n < 256 ? n : 255;
	}
	return n;
}

static enum parse two_digits(struct bytes e, int *ret_c)
{
	struct bytes digits = {e.data + 1, e.len - 1};

	*ret_c = number(digits, 16);
	return *ret_c < 0 ? PARSE_BAD : digits.len < 2 ? PARSE_MORE : PARSE_OK;
}

/*
 * RFC 2045 §6.7, and a line's end that is none. As a form's "=" may be followed by base64, no more than
 * ASCII is read, but for what would be the beginning of a mark ahead of UTF-8.
 */
static enum parse of_mail(struct bytes e, int *ret_c)
{
	uint8_t first = e.len > 1 ? e.data[1] : 0, last = e.data[e.len - 1];
	enum parse got;

	*ret_c = NOTHING;
	if (first == '\n')
		return PARSE_OK;
	if (first == '\r')
		return e.len == 2 ? PARSE_MORE : last == '\n' ? PARSE_OK : PARSE_BAD;
	got = two_digits(e, ret_c);
	return got == PARSE_OK && (*ret_c > 127 || *ret_c == 'w') ? PARSE_BAD : got;
}

static enum parse of_json(struct bytes e, int *ret_c)
{
	static const char from[] = "nrtbf\"\\/", to[] = "\n\r\t\b\f\"\\/";
	const char *at;

	if (e.len == 1)
		return PARSE_MORE;
	if (e.data[1] == 'u') {
		*ret_c = number((struct bytes){e.data + 2, e.len - 2}, 16);
		return *ret_c < 0 ? PARSE_BAD : e.len < 6 ? PARSE_MORE : PARSE_OK;
	}
	at = e.data[1] ? strchr(from, e.data[1]) : NULL;
	*ret_c = at ? to[at - from] : NOTHING;
	return at ? PARSE_OK : PARSE_BAD;
}

static enum parse of_xml(struct bytes e, int *ret_c)
{
	static const struct {
		const char *name;
		char c;
	} names[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
	struct bytes name = {e.data + 1, e.len - 1};
	bool whole = name.len && name.data[name.len - 1] == ';', numeric, hex;

	name.len -= whole;
	numeric = name.len && name.data[0] == '#';
	hex = name.len > 1 && numeric && (name.data[1] | 0x20) == 'x';
	if (numeric) {
		name = (struct bytes){name.data + 1 + hex, name.len - 1 - hex};
		*ret_c = number(name, hex ? 16 : 10);
		return *ret_c < 0 || (whole && !name.len) ? PARSE_BAD
		       : whole				  ? PARSE_OK
							  : PARSE_MORE;
	}
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i].name);

		*ret_c = names[i].c;
		if ((whole ? name.len == len : name.len <= len) &&
		    !memcmp(names[i].name, name.data, name.len))
			return whole ? PARSE_OK : PARSE_MORE;
	}
	return PARSE_BAD;
}

static enum parse read_escape(struct bytes e, int *ret_c)
{
	switch (e.data[0]) {
	case '%':
		return two_digits(e, ret_c);
	case '=':
		return of_mail(e, ret_c);
	case '\\':
		return of_json(e, ret_c);
	}
	return of_xml(e, ret_c);
}

static void take_plain(struct hl7_inside *s, uint8_t c, bool escaped)
{
	seek(s, PLAIN, c, escaped);
	unpack(s, c);
}

static bool is_escape(uint8_t c)
{
	return c == '%' || c == '&' || c == '\\' || c == '=';
}

static void take(struct hl7_inside *s, uint8_t c)
{
	unsigned n = s->escape_len;
	enum parse got;
	int plain;

	if (!n && !is_escape(c)) {
		take_plain(s, c, false);
		return;
	}
	s->escape[n++] = c;
	got = read_escape((struct bytes){s->escape, n}, &plain);
	if (got == PARSE_MORE && n < HL7_INSIDE_ESCAPE) {
		bool leads =
			s->escape[0] == '&' && c == '0' && n > 2 && !isxdigit(s->escape[n - 2]);

		s->escape_len = (uint8_t)(n - leads); /* zeros, of which there may be any number */
		return;
	}
	s->escape_len = 0;
	if (got == PARSE_OK) {
		if (plain != NOTHING)
			take_plain(s, (uint8_t)plain, true);
		return;
	}
	for (unsigned i = 0; i + 1 < n; i++)
		take_plain(s, s->escape[i], false);
	take(s, c);
}

/* What begins no header and no escape, as take() does, at a few times its speed; how many bytes. */
static size_t pass_over(struct hl7_inside *s, struct bytes b)
{
	uint8_t before = s->plain.before, unpacked = s->packed.before;
	uint32_t group = s->group;
	unsigned bits = s->bits;
	size_t i = 0;

	if (s->escape_len || s->reading || s->plain.len || s->packed.len)
		return 0;
	for (; i < b.len; i++) {
		uint8_t c = b.data[i], kind = kinds[c];

		if (kind == SPECIAL || (c == 'M' && !isalnum(before)))
			break;
		if (!kind) {
			bits = unpacked = 0;
		} else if (bits < 2) {
			group = group << 6 | (kind - 1u);
			bits += 6;
		} else {
			uint8_t made = (uint8_t)((group << 6 | (kind - 1u)) >> (bits - 2));

			if (made == 'M' || !made)
				break;
			group = group << 6 | (kind - 1u);
			bits -= 2;
			unpacked = made;
		}
		before = c;
	}
	if (!i)
		return 0;
	pass_by(&s->plain, before, false);
	pass_by(&s->packed, unpacked, false);
	s->group = group;
	s->bits = (uint8_t)bits;
	s->line_ends = 0;
	return i;
}

bool hl7_inside_take(struct hl7_inside *s, struct bytes piece, size_t *ret_used)
{
	size_t used = 0;

	s->found = false;
	while (used < piece.len && !s->found) {
		used += pass_over(s, (struct bytes){piece.data + used, piece.len - used});
		if (used < piece.len)
			take(s, piece.data[used++]);
	}
	*ret_used = used;
	return s->found;
}

bool hl7_inside_end(struct hl7_inside *s)
{
	s->found = s->reading;
	s->reading = NOWHERE;
	return s->found;
}
