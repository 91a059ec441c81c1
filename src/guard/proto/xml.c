#include "guard/proto/xml.h"

#include <ctype.h>

#include "base/fnv.h"

#define REFERENCE_MAX 16  /* bytes; zeros may stand before a number */
#define MOST	      256 /* characters: longer than most tags */
#define MARK	      0xfeff

enum { NOTHING, COMMENT, CDATA };

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool xml_is(struct bytes b, const char *text)
{
	return b.len == strlen(text) && !memcmp(b.data, text, b.len);
}

bool xml_is_outside(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!memchr(" \t\r\n\xef\xbb\xbf", text.data[i], 7))
			return false;
	return true;
}

struct bytes xml_local(struct bytes name)
{
	const uint8_t *colon = name.len ? memchr(name.data, ':', name.len) : NULL;
	size_t prefix = colon ? (size_t)(colon - name.data) + 1 : 0;

	/* Text has no name at all. */
	return colon ? (struct bytes){colon + 1, name.len - prefix} : name;
}

/* Folded: what closes is nearly always what opened, or the document is malformed. */
static uint16_t hash(struct bytes name)
{
	uint32_t h = fnv32(FNV32_START, name);

	return (uint16_t)(h ^ h >> 16);
}

static bool begins(struct bytes in, const char *with)
{
	size_t n = strlen(with);

	return in.len >= n && !memcmp(in.data, with, n);
}

/* As far as there is any of it. */
static bool may_begin(struct bytes in, const char *with)
{
	size_t n = strlen(with);

	return !memcmp(in.data, with, in.len < n ? in.len : n);
}

/* Text, or the inside of a comment or a CDATA section: up to `end`, as much as is there. */
static size_t find(struct bytes in, const char *end)
{
	size_t n = strlen(end), at = 0;

	while (at < in.len) {
		const uint8_t *c = memchr(in.data + at, end[0], in.len - at);

		if (!c)
			return in.len;
		at = (size_t)(c - in.data);
		if (may_begin((struct bytes){c, in.len - at}, end) || n == 1)
			return at;
		at++;
	}
	return in.len;
}

static enum parse read_inside(struct xml *x, struct bytes in, struct xml_token *t, size_t *ret_used)
{
	const char *end = x->inside == COMMENT ? "-->" : "]]>";
	size_t n = find(in, end);

	t->kind = x->inside == CDATA && n ? XML_TEXT : XML_OTHER;
	t->text = (struct bytes){in.data, n};
	*ret_used = n;
	if (n)
		return PARSE_OK;
	if (!begins(in, end))
		return PARSE_MORE;
	x->inside = NOTHING;
	*ret_used = 3;
	return PARSE_OK;
}

/* Where the tag that begins the input ends, outside of its attributes' quotes. */
static enum parse find_end(struct xml *x, struct bytes in, size_t *ret_len)
{
	for (size_t i = x->scanned; i < in.len; i++) {
		uint8_t c = in.data[i];

		if (i >= XML_TAG || !c || (c == '<' && i && !x->quote))
			return PARSE_BAD;
		if (x->quote) {
			if (c == x->quote)
				x->quote = 0;
		} else if (c == '"' || c == '\'') {
			x->quote = c;
		} else if (c == '>') {
			*ret_len = i + 1;
			return PARSE_OK;
		}
	}
	if (in.len > x->scanned)
		x->scanned = (uint16_t)in.len;
	return PARSE_MORE;
}

static struct bytes name_of(struct bytes tag)
{
	size_t n = 0;

	while (n < tag.len && !is_space(tag.data[n]) && tag.data[n] != '/')
		n++;
	return (struct bytes){tag.data, n};
}

/* `tag` is what stands between < and >. */
static bool read_tag(struct xml *x, struct bytes tag, struct xml_token *t)
{
	bool closes = tag.len && tag.data[0] == '/';
	bool empty = !closes && tag.len && tag.data[tag.len - 1] == '/';

	if (closes) {
		tag.data++;
		tag.len--;
	}
	tag.len -= empty;
	t->name = name_of(tag);
	t->kind = closes ? XML_CLOSE : empty ? XML_EMPTY : XML_OPEN;
	t->attributes = (struct bytes){tag.data + t->name.len, tag.len - t->name.len};
	if (!t->name.len || t->name.data[0] < 'A' || memchr(t->name.data, '<', t->name.len))
		return false;
	if (t->kind == XML_EMPTY)
		return true;
	if (t->kind == XML_CLOSE)
		return x->depth && x->open[--x->depth] == hash(t->name);
	if (x->depth == XML_DEPTH)
		return false;
	x->open[x->depth++] = hash(t->name);
	return true;
}

/* What begins with <! or <?. OK: taken; BAD: not to be had; MORE. */
static enum parse read_declaration(struct xml *x, struct bytes in, struct xml_token *t,
				   size_t *ret_used)
{
	size_t len = 0;
	enum parse got;

	t->kind = XML_OTHER;
	if (may_begin(in, "<!--") || may_begin(in, "<![CDATA[")) {
		*ret_used = in.len > 2 && in.data[2] == '[' ? 9 : 4;
		if (in.len < *ret_used)
			return PARSE_MORE;
		x->inside = *ret_used == 9 ? CDATA : COMMENT;
		return x->inside == COMMENT || x->depth ? PARSE_OK : PARSE_BAD;
	}
	if (!may_begin(in, "<!DOCTYPE") && !may_begin(in, "<?"))
		return PARSE_BAD;
	got = find_end(x, in, &len);
	if (got != PARSE_OK)
		return got;
	x->scanned = 0;
	*ret_used = len;
	if (in.data[1] == '?' && len >= 4) {
		t->name = name_of((struct bytes){in.data + 2, len - 4});
		t->attributes = (struct bytes){in.data + 2 + t->name.len, len - 4 - t->name.len};
	}
	/* A subset of its own is where entities are defined; none is needed for a message. */
	if (in.data[1] == '!' && (x->depth || memchr(in.data, '[', len)))
		return PARSE_BAD;
	return PARSE_OK;
}

enum parse xml_next(struct xml *x, struct bytes in, struct xml_token *ret_t, size_t *ret_used)
{
	struct xml_token t = {0};
	size_t len = 0;
	enum parse got;

	*ret_t = t;
	if (!in.len)
		return PARSE_MORE;
	if (x->inside)
		return read_inside(x, in, ret_t, ret_used);
	if (in.data[0] != '<') {
		ret_t->kind = XML_TEXT;
		*ret_used = find(in, "<");
		ret_t->text = (struct bytes){in.data, *ret_used};
		return PARSE_OK;
	}
	if (in.len == 1)
		return PARSE_MORE;
	if (in.data[1] == '!' || in.data[1] == '?')
		return read_declaration(x, in, ret_t, ret_used);
	got = find_end(x, in, &len);
	if (got != PARSE_OK)
		return got;
	x->scanned = 0;
	*ret_used = len;
	return read_tag(x, (struct bytes){in.data + 1, len - 2}, ret_t) ? PARSE_OK : PARSE_BAD;
}

enum parse xml_sniff(struct bytes in, enum xml_encoding *e)
{
	unsigned pair;

	if (in.len < 2)
		return !in.len || memchr("<\0\xfe\xff", in.data[0], 4) ? PARSE_MORE : PARSE_OK;
	pair = (unsigned)in.data[0] << 8 | in.data[1];
	if (pair == 0xfffe || pair == '<' << 8)
		*e = XML_UTF16LE;
	else if (pair == MARK || pair == '<')
		*e = XML_UTF16BE;
	else if (in.data[0] == '<')
		*e = XML_BYTES;
	return PARSE_OK;
}

struct bytes xml_narrow(struct bytes in, enum xml_encoding e, uint8_t *room, size_t cap)
{
	size_t n = in.len / 2 < cap ? in.len / 2 : cap, high = e == XML_UTF16LE;

	for (size_t i = 0; i < n; i++) {
		unsigned c = (unsigned)in.data[2 * i + high] << 8 | in.data[2 * i + !high];

		room[i] = c == MARK ? ' ' : (uint8_t)(c < 0x80 ? c : 0x80 | (c & 0x7f));
	}
	return (struct bytes){room, n};
}

/* Few characters first: what is not looked at is narrowed in vain, once for every token. */
enum parse xml_next_of(struct xml *x, enum xml_encoding e, struct bytes in, uint8_t room[XML_TAG],
		       struct xml_token *ret_t, size_t *ret_used)
{
	enum parse got = PARSE_MORE;

	if (e == XML_BYTES)
		return xml_next(x, in, ret_t, ret_used);
	for (size_t cap = MOST; got == PARSE_MORE && cap <= XML_TAG; cap *= XML_TAG / MOST) {
		struct bytes narrow = xml_narrow(in, e, room, cap);

		got = xml_next(x, narrow, ret_t, ret_used);
		if (got == PARSE_OK)
			*ret_used *= 2;
		if (narrow.len < cap)
			break;
	}
	return got;
}

struct bytes xml_attribute(const struct xml_token *t, const char *name)
{
	struct bytes a = t->attributes, none = {NULL, 0};
	size_t i = 0;

	while (i < a.len) {
		size_t start, equal;
		const uint8_t *end;

		while (i < a.len && is_space(a.data[i]))
			i++;
		start = i;
		while (i < a.len && a.data[i] != '=' && !is_space(a.data[i]))
			i++;
		equal = i;
		while (i < a.len && (is_space(a.data[i]) || a.data[i] == '='))
			i++;
		if (i == a.len || (a.data[i] != '"' && a.data[i] != '\''))
			return none;
		end = memchr(a.data + i + 1, a.data[i], a.len - i - 1);
		if (!end)
			return none;
		if (xml_is((struct bytes){a.data + start, equal - start}, name))
			return (struct bytes){a.data + i + 1, (size_t)(end - a.data) - i - 1};
		i = (size_t)(end - a.data) + 1;
	}
	return none;
}

/* The character that stands for `&in;`, 0 where it is none of ASCII. */
static uint8_t reference(struct bytes in)
{
	static const struct {
		const char *name;
		uint8_t c;
	} known[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
	size_t at = in.len > 1 && in.data[1] == 'x' ? 2 : 1;
	unsigned base = at == 2 ? 16 : 10, c = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (xml_is(in, known[i].name))
			return known[i].c;
	if (!in.len || in.data[0] != '#')
		return 0;
	for (; at < in.len && c < 0x80; at++) {
		unsigned d = in.data[at] | 0x20;

		d = d >= 'a' ? d - 'a' + 10 : isdigit(in.data[at]) ? in.data[at] - '0' : 16;
		if (d >= base)
			return 0;
		c = c * base + d;
	}
	return c < 0x80 ? (uint8_t)c : 0;
}

size_t xml_unescape(struct bytes value, uint8_t *ret_text, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < value.len && n < cap; i++) {
		size_t left = value.len - i < REFERENCE_MAX ? value.len - i : REFERENCE_MAX;
		const uint8_t *at = value.data + i;
		const uint8_t *end = *at == '&' ? memchr(at, ';', left) : NULL;
		uint8_t c = end ? reference((struct bytes){at + 1, (size_t)(end - at) - 1}) : 0;

		ret_text[n++] = c ? c : *at;
		if (c)
			i = (size_t)(end - value.data);
	}
	return n;
}
