#include "guard/proto/hl7_xml.h"

#include <ctype.h>
#include <strings.h>

#include "guard/proto/hl7_field.h"
#include "guard/proto/xml.h"

#define NAMESPACE  "urn:hl7-org:v2xml"
#define REPETITION 0x1d
#define PART	   0x1d /* of a component */
#define DEPTH_MAX  32
#define TAG_MAX	   1024 /* bytes of a tag around segments */
#define PROBE_MAX  1024
#define NUMBER_MAX 999

enum phase { BEFORE, INSIDE, PASSING, BEHIND };

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "PID", "ZXY" */
static bool is_segment(struct bytes name)
{
	return name.len == 3 && isupper(name.data[0]) &&
	       (isupper(name.data[1]) || isdigit(name.data[1])) &&
	       (isupper(name.data[2]) || isdigit(name.data[2]));
}

/* "ORU_R01", "ACK" (HL7 table 0354): the code, and an event. */
static bool is_root(struct bytes name)
{
	struct bytes event = {name.data + 4, name.len - 4};

	if (name.len < 3 || !is_segment((struct bytes){name.data, 3}))
		return false;
	return name.len == 3 || (name.len == 7 && name.data[3] == '_' && is_segment(event));
}

/* Sets of characters in which ASCII is ASCII, whatever stands beside it. */
static bool is_known_set(const struct xml_token *t)
{
	static const char *const known[] = {"UTF-8", "US-ASCII", "ISO-8859-1", "ISO-8859-15",
					    "WINDOWS-1252"};
	struct bytes set = xml_attribute(t, "encoding");

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (set.len == strlen(known[i]) &&
		    !strncasecmp((const char *)set.data, known[i], set.len))
			return true;
	return !set.data;
}

static bool is_declaration(const struct xml_token *t)
{
	return t->kind == XML_OTHER && xml_is(t->name, "xml") && is_known_set(t);
}

enum parse hl7_xml_probe(struct bytes b)
{
	struct xml x = {0};
	struct xml_token t;
	size_t used = 0, seen = 0;
	enum parse got;

	if (!b.len || (b.data[0] != '<' && !xml_is_outside((struct bytes){b.data, 1})))
		return b.len ? PARSE_BAD : PARSE_MORE;
	while (seen < b.len && seen < PROBE_MAX) {
		bool comment = x.inside;

		got = xml_next(&x, (struct bytes){b.data + seen, b.len - seen}, &t, &used);
		if (got != PARSE_OK)
			return got;
		if (t.kind == XML_OPEN)
			return is_root(t.name) ? PARSE_OK : PARSE_BAD;
		/* What a document type is for is refused when it is read. */
		if (t.kind == XML_OTHER ? t.name.len && !comment && !is_declaration(&t)
					: t.kind != XML_TEXT || !xml_is_outside(t.text))
			return PARSE_BAD;
		seen += used;
	}
	return seen < PROBE_MAX ? PARSE_MORE : PARSE_BAD;
}

/* A segment as it is written down. */
struct draft {
	struct writer w;
	struct xml xml;
	unsigned at[3]; /* the last field, component, part of one */
	size_t leaf;	/* where the text at hand begins */
	bool closed;	/* an element within this one has ended: no text follows */
	bool header;
};

/* "PID.5": 5; 0 where it is none. */
static unsigned number_of(const struct draft *d, struct bytes name, bool field)
{
	const uint8_t *dot = name.len ? memchr(name.data, '.', name.len) : NULL;
	size_t at = dot ? (size_t)(dot - name.data) + 1 : name.len;
	unsigned n = 0;

	if (!dot || memchr(name.data, ':', name.len) ||
	    (field && (at != 4 || memcmp(name.data, d->w.data, 3))))
		return 0;
	for (; at < name.len && n <= NUMBER_MAX; at++) {
		if (!isdigit(name.data[at]))
			return 0;
		n = n * 10 + (name.data[at] - '0');
	}
	return n <= NUMBER_MAX ? n : 0;
}

/* In the order of their numbers; only fields come again, of a header none of those that are read. */
static bool open_element(struct draft *d, const struct xml_token *t)
{
	static const uint8_t separators[] = {HL7_XML_FIELD, HL7_XML_COMPONENT, PART};
	unsigned depth = d->xml.depth - 1u - (t->kind == XML_OPEN), n, from;
	bool again;

	if (depth > (d->header ? 1 : 2) || xml_attribute(t, "xmlns").data || d->w.len != d->leaf)
		return false;
	n = number_of(d, t->name, !depth);
	again = n == d->at[depth];
	if (!n || n < d->at[depth] || (again && (depth || (d->header && n <= HL7_FIELD_LAST + 1))))
		return false;
	/* MSH-1 is the separator itself. */
	from = d->at[depth] ? d->at[depth] : depth || d->header;
	for (unsigned i = from; i < n; i++)
		write_u8(&d->w, separators[depth]);
	if (again)
		write_u8(&d->w, REPETITION);
	d->at[depth] = n;
	if (depth < 2)
		d->at[depth + 1] = 0;
	d->leaf = d->w.len;
	d->closed = t->kind == XML_EMPTY;
	return true;
}

static void close_element(struct draft *d)
{
	while (d->w.len > d->leaf && d->w.data[d->w.len - 1] == ' ')
		d->w.len--;
	d->leaf = d->w.len;
	d->closed = true;
}

/* The character at the front of a text and its length, 0 where it is not known which it is. */
static size_t next_character(struct bytes text, uint8_t *ret_c)
{
	const uint8_t *end;
	size_t n;

	*ret_c = text.data[0];
	if (*ret_c != '&')
		return 1;
	end = memchr(text.data, ';', text.len);
	n = end ? (size_t)(end - text.data) + 1 : 0;
	return n && xml_unescape((struct bytes){text.data, n}, ret_c, 1) == 1 &&
			       (*ret_c != '&' || xml_is((struct bytes){text.data, n}, "&amp;"))
		       ? n
		       : 0;
}

static bool add_text(struct draft *d, struct bytes text)
{
	bool within = d->xml.depth > 1 && !d->closed;

	if (d->header && d->xml.depth == 2 && d->at[0] == 1)
		return true;
	for (size_t i = 0, n; i < text.len; i += n) {
		uint8_t c;

		n = next_character((struct bytes){text.data + i, text.len - i}, &c);
		if (is_space(c))
			c = ' ';
		if (!n || c < ' ' || (!within && c != ' '))
			return false;
		if (c != ' ' || d->w.len > d->leaf)
			write_u8(&d->w, c);
	}
	return true;
}

static bool add_token(struct draft *d, const struct xml_token *t)
{
	switch (t->kind) {
	case XML_OPEN:
		return d->xml.depth == 1 || open_element(d, t);
	case XML_EMPTY:
		return open_element(d, t);
	case XML_CLOSE:
		close_element(d);
		return true;
	case XML_TEXT:
		return add_text(d, t->text);
	default:
		return false;
	}
}

/* The whole element `raw`; false where somebody might read it otherwise. */
static bool write_segment(struct bytes raw, uint8_t room[HL7_XML_WINDOW], size_t *ret_len)
{
	struct draft d = {.w = writer_new(room, HL7_XML_WINDOW), .leaf = 3};
	struct xml_token t;
	size_t used;

	write_bytes(&d.w, raw.data + 1, 3);
	d.header = !memcmp(room, "MSH", 3);
	for (; raw.len; raw = (struct bytes){raw.data + used, raw.len - used})
		if (xml_next(&d.xml, raw, &t, &used) != PARSE_OK || !add_token(&d, &t) ||
		    d.xml.inside || (!d.xml.depth && used < raw.len))
			return false;
	*ret_len = d.w.len;
	return !d.w.bad && !d.xml.depth;
}

/* The end of an element: OK and its length, where the bytes begin with it. Any segment's, if `name` is NULL. */
static enum parse match_end(struct bytes b, const uint8_t *name, size_t *ret_len)
{
	size_t at = 5;

	if (b.len < 6)
		return memcmp(b.data, "</", b.len < 2 ? b.len : 2) ? PARSE_BAD : PARSE_MORE;
	if (memcmp(b.data, "</", 2) || (name && memcmp(b.data + 2, name, 3)) ||
	    !is_segment((struct bytes){b.data + 2, 3}))
		return PARSE_BAD;
	while (at < b.len && at < TAG_MAX && is_space(b.data[at]))
		at++;
	*ret_len = at + 1;
	return at == b.len ? PARSE_MORE : b.data[at] == '>' ? PARSE_OK : PARSE_BAD;
}

static size_t find_tag(struct bytes b, size_t from)
{
	const uint8_t *at = from < b.len ? memchr(b.data + from, '<', b.len - from) : NULL;

	return at ? (size_t)(at - b.data) : b.len;
}

/* Up to the end of a segment that is too long to be read. */
static enum parse pass(struct hl7_xml *x, struct bytes b, struct hl7_xml_unit *u)
{
	size_t at = find_tag(b, 0);
	enum parse got;

	u->used = at;
	if (at)
		return PARSE_OK;
	got = match_end(b, NULL, &u->used);
	if (got == PARSE_OK)
		x->phase = INSIDE;
	if (got == PARSE_BAD)
		u->used = 1;
	return got == PARSE_MORE ? got : PARSE_OK;
}

static enum parse read_segment(struct hl7_xml *x, struct bytes b, size_t tag,
			       uint8_t room[HL7_XML_WINDOW], struct hl7_xml_unit *u)
{
	size_t at = x->scanned > tag ? x->scanned : tag, len = 0;
	enum parse got = PARSE_BAD;

	for (at = find_tag(b, at); at < b.len; at = find_tag(b, at + 1)) {
		got = match_end((struct bytes){b.data + at, b.len - at}, b.data + 1, &len);
		if (got != PARSE_BAD)
			break;
	}
	x->scanned = 0;
	u->text = (struct bytes){b.data + 1, 3};
	u->used = tag;
	if (got == PARSE_OK) {
		u->used = at + len;
		u->clear = write_segment((struct bytes){b.data, u->used}, room, &len);
		if (u->clear)
			u->text = (struct bytes){room, len};
	} else if (b.len >= HL7_XML_WINDOW) {
		x->phase = PASSING;
	} else {
		x->scanned = (uint16_t)at;
		return PARSE_MORE;
	}
	return PARSE_OK;
}

/*
 * Around segments a comment says nothing to anybody, unless it has tags in it, for those who look for
 * tags alone. Two hyphens end it (XML 1.0 §2.5).
 */
static enum parse pass_comment(struct hl7_xml *x, struct bytes b, struct hl7_xml_unit *u)
{
	while (u->used < b.len && b.data[u->used] != '-' && b.data[u->used] != '<')
		u->used++;
	if (u->used)
		return PARSE_OK;
	if (b.data[0] == '<')
		return PARSE_BAD;
	if (b.len < 3)
		return PARSE_MORE;
	x->comment = b.data[1] != '-';
	u->used = x->comment ? 1 : 3;
	return x->comment || b.data[2] == '>' ? PARSE_OK : PARSE_BAD;
}

/* Of a group, or the root. */
static enum parse close_group(struct hl7_xml *x, struct bytes b, struct hl7_xml_unit *u)
{
	const uint8_t *end = memchr(b.data, '>', b.len < TAG_MAX ? b.len : TAG_MAX);

	if (!end)
		return b.len < TAG_MAX ? PARSE_MORE : PARSE_BAD;
	if (!x->depth)
		return PARSE_BAD;
	u->used = (size_t)(end - b.data) + 1;
	if (!--x->depth)
		x->phase = BEHIND;
	return PARSE_OK;
}

static enum parse open_group(struct hl7_xml *x, const struct xml_token *t, struct hl7_xml_unit *u)
{
	struct bytes space = xml_attribute(t, "xmlns");
	bool root = x->phase == BEFORE;

	if ((space.data && !xml_is(space, NAMESPACE)) || x->phase == BEHIND ||
	    memchr(t->name.data, ':', t->name.len) || x->depth == DEPTH_MAX)
		return PARSE_BAD;
	if (root ? t->kind != XML_OPEN || !is_root(t->name)
		 : !memchr(t->name.data, '.', t->name.len))
		return PARSE_BAD;
	x->depth += t->kind == XML_OPEN;
	x->phase = INSIDE;
	if (root)
		u->root = t->name;
	return PARSE_OK;
}

enum parse hl7_xml_next(struct hl7_xml *x, struct bytes b, uint8_t room[HL7_XML_WINDOW],
			struct hl7_xml_unit *ret_u)
{
	struct bytes tag = {b.data, b.len < TAG_MAX ? b.len : TAG_MAX};
	struct xml xml = {0};
	struct xml_token t;
	enum parse got;

	*ret_u = (struct hl7_xml_unit){0};
	if (x->phase == PASSING)
		return pass(x, b, ret_u);
	if (x->comment)
		return pass_comment(x, b, ret_u);
	if (b.data[0] != '<') {
		ret_u->used = find_tag(b, 0);
		return xml_is_outside((struct bytes){b.data, ret_u->used}) ? PARSE_OK : PARSE_BAD;
	}
	if (b.len > 1 && b.data[1] == '/')
		return close_group(x, b, ret_u);
	got = xml_next(&xml, tag, &t, &ret_u->used);
	if (got != PARSE_OK)
		return got == PARSE_MORE && b.len < TAG_MAX ? PARSE_MORE : PARSE_BAD;
	x->comment = xml.inside;
	if (t.kind == XML_OTHER)
		return x->comment || (x->phase == BEFORE && is_declaration(&t)) ? PARSE_OK
										: PARSE_BAD;
	if (x->phase != INSIDE || !is_segment(t.name))
		return open_group(x, &t, ret_u);
	if (t.kind == XML_OPEN)
		return read_segment(x, b, ret_u->used, room, ret_u);
	ret_u->text = t.name;
	ret_u->clear = true;
	return PARSE_OK;
}

bool hl7_xml_is_whole(const struct hl7_xml *x)
{
	return x->phase == BEHIND;
}
