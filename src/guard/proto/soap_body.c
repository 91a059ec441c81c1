#include "guard/proto/soap_body.h"

#include <strings.h>

#include "guard/proto/head.h"
#include "guard/proto/http_hl7.h"

static bool starts(struct bytes b, const char *with)
{
	size_t n = strlen(with);

	return b.len >= n && !strncasecmp((const char *)b.data, with, n);
}

static bool is_related(struct bytes type)
{
	return head_is(head_trim(head_before(type, ";")), "multipart/related");
}

bool soap_is_type(struct bytes type)
{
	struct bytes name, value;
	bool related = is_related(type);

	if (!related)
		return starts(type, "application/soap+xml");
	while (head_parameter(&type, &name, &value))
		if ((head_is(name, "type") || head_is(name, "start-info")) &&
		    starts(value, "application/soap+xml"))
			return true;
	return false;
}

/* RFC 2392: with or without its angles. */
static struct bytes without_angles(struct bytes id)
{
	if (id.len > 1 && id.data[0] == '<' && id.data[id.len - 1] == '>')
		return (struct bytes){id.data + 1, id.len - 2};
	return id;
}

/* False where it was said already, or cannot be kept. */
static bool keep(uint8_t *to, size_t cap, uint8_t *len, struct bytes value)
{
	if (*len || !value.len || value.len > cap)
		return false;
	memcpy(to, value.data, value.len);
	*len = (uint8_t)value.len;
	return true;
}

void soap_form_type(struct soap_form *f, struct bytes type)
{
	struct bytes name, value;
	bool kept = true;

	f->parts = is_related(type);
	if (!f->parts)
		return;
	while (head_parameter(&type, &name, &value)) {
		if (head_is(name, "boundary"))
			kept &= keep(f->boundary, SOAP_BOUNDARY, &f->boundary_len, value);
		else if (head_is(name, "start"))
			kept &= keep(f->root, SOAP_ROOT, &f->root_len, without_angles(value));
	}
	if (!kept || !f->boundary_len)
		f->coding = CODING_UNREADABLE;
}

bool soap_is_held(const struct soap_form *f)
{
	return f->parts || f->coding != CODING_NONE;
}

/* Parts */

/* The next delimiter at the beginning of a line (RFC 2046 §5.1.1); its line is taken. False where none is. */
static bool next_delimiter(const struct soap_form *f, struct bytes *rest, struct bytes *ret_before,
			   bool *ret_last)
{
	struct reader r = reader_new(rest->data, rest->len);
	struct bytes line;

	for (size_t at = 0; head_line(&r, &line); at = r.off) {
		size_t n = (size_t)f->boundary_len + 2;

		if (line.len < n || memcmp(line.data, "--", 2) ||
		    memcmp(line.data + 2, f->boundary, f->boundary_len))
			continue;
		*ret_before = (struct bytes){rest->data, at};
		*ret_last = line.len > n && line.data[n] == '-';
		*rest = (struct bytes){rest->data + r.off, rest->len - r.off};
		return true;
	}
	return false;
}

/* A part behind its head. BAD: what its head says cannot be. */
static enum parse read_part(const struct soap_form *f, struct bytes part, bool first,
			    struct bytes *ret_text, bool *ret_root)
{
	struct reader r = reader_new(part.data, part.len);
	bool plain = true;
	struct head_field field;

	*ret_root = !f->root_len && first;
	while (head_field(&r, &field)) {
		struct bytes id = without_angles(field.value);

		if (head_is(field.name, "Content-ID") && f->root_len)
			*ret_root |= id.len == f->root_len && !memcmp(id.data, f->root, id.len);
		if (head_is(field.name, "Content-Transfer-Encoding"))
			plain &=
				head_is(id, "binary") || head_is(id, "8bit") || head_is(id, "7bit");
	}
	*ret_text = read_bytes(&r, reader_left(&r));
	/* The line's end belongs to the delimiter behind it. */
	ret_text->len -= ret_text->len && ret_text->data[ret_text->len - 1] == '\n';
	ret_text->len -= ret_text->len && ret_text->data[ret_text->len - 1] == '\r';
	return *ret_root && !plain ? PARSE_BAD : PARSE_OK;
}

/* The one that is the message: two would be two messages. */
static enum parse find_root(const struct soap_form *f, struct bytes body, struct bytes *ret_text)
{
	struct bytes part = {NULL, 0}, text;
	bool last = false, root, found = false;
	unsigned n = 0;

	if (!next_delimiter(f, &body, &part, &last))
		return PARSE_BAD;
	for (; !last && next_delimiter(f, &body, &part, &last); n++) {
		if (read_part(f, part, !n, &text, &root) != PARSE_OK || (root && found))
			return PARSE_BAD;
		if (root)
			*ret_text = text;
		found |= root;
	}
	return found && last ? PARSE_OK : PARSE_BAD;
}

/* Wide characters */

bool soap_is_wide(const uint8_t *start)
{
	static const char marks[][2] = {{'\xfe', '\xff'}, {'\xff', '\xfe'}, {0, '<'}, {'<', 0}};

	for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (!memcmp(start, marks[i], 2))
			return true;
	return false;
}

enum parse soap_narrow(uint8_t *plain, struct bytes *text)
{
	bool little = text->data[0] == 0xff || text->data[0] == '<';
	size_t from = text->data[0] >= 0xfe ? 2 : 0, n = 0;

	if (text->len % 2)
		return PARSE_BAD;
	for (; from < text->len; from += 2) {
		uint8_t high = text->data[from + little], low = text->data[from + !little];

		plain[n++] = high ? 0xff : low;
	}
	*text = (struct bytes){plain, n};
	return PARSE_OK;
}

static enum parse read_text(struct bytes text, bool all, struct soap *s)
{
	struct xml_token t;
	size_t used = 0;

	while (text.len && (all || s->place != SOAP_KNOWN)) {
		if (xml_next(&s->xml, text, &t, &used) != PARSE_OK || !soap_take(s, &t))
			return PARSE_BAD;
		text.data += used;
		text.len -= used;
	}
	return s->place == SOAP_KNOWN && !(all && s->xml.depth) ? PARSE_OK : PARSE_BAD;
}

enum parse soap_body_read(const struct soap_form *f, struct bytes body, struct soap *s,
			  struct hl7_told *hl7)
{
	uint8_t plain[SOAP_PLAIN_MAX];
	enum parse got = PARSE_OK;

	if (f->coding == CODING_UNREADABLE)
		return PARSE_MORE;
	if (f->coding != CODING_NONE)
		got = coding_inflate(f->coding, body, plain, sizeof(plain), &body, NULL);
	if (got == PARSE_OK && hl7)
		http_hl7_look_inside(&(struct hl7_inside){0}, body, true, hl7);
	if (got == PARSE_OK && f->parts)
		got = find_root(f, body, &body);
	if (got == PARSE_OK && body.len > 1 && soap_is_wide(body.data))
		got = soap_narrow(plain, &body);
	return got == PARSE_OK ? read_text(body, hl7, s) : got;
}
