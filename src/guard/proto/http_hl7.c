#include "guard/proto/http_hl7.h"

#include "guard/proto/head.h"
#include "guard/proto/hl7.h"
#include "guard/proto/hl7_probe.h"
#include "guard/proto/hl7_xml.h"

#define TYPE  "application/hl7-v2"
#define START 0x0b /* MLLP */

bool http_hl7_is_type(struct bytes content_type)
{
	struct bytes type, form;

	if (content_type.len < sizeof(TYPE) - 1)
		return false;
	type = head_trim(head_before(content_type, ";"));
	if (type.len > 2 && head_is((struct bytes){type.data, 2}, "x-"))
		type = (struct bytes){type.data + 2, type.len - 2};
	if (type.len < sizeof(TYPE) - 1 ||
	    !head_is((struct bytes){type.data, sizeof(TYPE) - 1}, TYPE))
		return false;
	form = (struct bytes){type.data + sizeof(TYPE) - 1, type.len - sizeof(TYPE) + 1};
	return !form.len || head_is(form, "+er7") || head_is(form, "+xml");
}

/* Ahead of a header: a frame's first byte, and what receivers trim. */
static bool is_ahead(uint8_t c)
{
	return c == START || c == HL7_STX || c == '\r' || c == '\n' || c == ' ' || c == '\t';
}

enum parse http_hl7_probe(struct bytes body)
{
	struct reader r = reader_new(body.data, body.len);
	enum parse got;

	while (reader_left(&r) && is_ahead(body.data[r.off]))
		r.off++;
	if (hl7_has_mark((struct bytes){body.data + r.off, reader_left(&r)}))
		r.off += 3;
	body = (struct bytes){body.data + r.off, reader_left(&r)};
	if (!body.len || (body.len < 3 && body.data[0] == 0xef))
		return PARSE_MORE;
	got = hl7_probe_header(body);
	if (got == PARSE_BAD)
		got = hl7_xml_probe(body);
	return got == PARSE_BAD ? hl7_probe_wide(body) : got;
}

/* A copy, behind the others; what is longer than there is room for is blank. */
static void put(struct hl7_told *m, size_t *at, struct bytes *to, struct bytes text)
{
	size_t n = text.len <= sizeof(m->texts) - *at ? text.len : 0;

	*to = (struct bytes){text.data ? (const uint8_t *)m->texts + *at : NULL, n};
	if (n)
		memcpy(m->texts + *at, text.data, n);
	*at += n;
}

static void put_blank(struct hl7_told *m)
{
	m->type = (struct bytes){(const uint8_t *)"", 0};
	m->structure = (struct bytes){NULL, 0};
}

static bool is_same(struct bytes a, struct bytes b)
{
	return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

static void note(struct hl7_told *m, const struct hl7_msg *said)
{
	bool clear =
		!said->msg.reason || said->msg.readable || said->msg.reason == REASON_HL7_FRAMING;
	size_t at = 0;

	if (!clear)
		put_blank(m);
	if (m->type.data) {
		if (!is_same(m->type, said->type) ||
		    !is_same(m->structure, said->type_by_structure))
			put_blank(m);
		return;
	}
	put(m, &at, &m->type, said->type);
	put(m, &at, &m->structure, said->type_by_structure);
	put(m, &at, &m->ack_code, said->ack_code);
	put(m, &at, &m->control_id, said->control_id);
}

/* One unit after the other, as long as there are any; what is left is taken as the end. */
static void read_units(void *state, struct bytes text, struct hl7_told *m, struct proto_input *in)
{
	enum parse got = PARSE_OK;

	for (in->data = text; in->data.len && got == PARSE_OK;) {
		struct proto_output out = {0};
		struct hl7_msg said = {0};

		got = hl7_proto.read(state, in, &said.msg, &out);
		if (out.has_msg && !said.msg.part)
			note(m, &said);
		in->data.data += out.used;
		in->data.len -= out.used;
	}
}

void http_hl7_read(struct bytes body, enum http_hl7_rest rest, struct hl7_told *m)
{
	static const uint8_t start = START;
	uint64_t state[(PROTO_STATE_MAX + 7) / 8] = {0};
	struct proto_input in = {0};
	struct proto_output out = {0};
	struct hl7_msg last = {0};

	if (!body.len || body.data[0] != start)
		read_units(state, (struct bytes){&start, 1}, m, &in);
	read_units(state, body, m, &in);
	hl7_proto.closed(state, &in, &last.msg, &out);
	if (out.has_msg)
		note(m, &last);
	if (!m->type.data || rest == HTTP_HL7_UNSEEN ||
	    (rest && last.encoding && *last.encoding == 'U'))
		put_blank(m);
}

static bool is_dicom(struct bytes type)
{
	static const char dicom[] = "application/dicom";
	struct bytes name, value = head_trim(head_before(type, ";"));

	if (head_is(value, "multipart/related"))
		while (head_parameter(&type, &name, &value) && !head_is(name, "type"))
			;
	return value.len >= sizeof(dicom) - 1 &&
	       head_is((struct bytes){value.data, sizeof(dicom) - 1}, dicom);
}

bool http_hl7_is_inside(const struct http_head *h)
{
	return h->request &&
	       (!is_dicom(h->content_type) || (h->other_type.len && !is_dicom(h->other_type)));
}

void http_hl7_tell_inside(const struct hl7_inside *s, struct hl7_told *m)
{
	if (s->unsure)
		put_blank(m);
	else
		http_hl7_read((struct bytes){s->header, s->len}, HTTP_HL7_NOTHING, m);
}

void http_hl7_look_inside(struct hl7_inside *s, struct bytes text, bool last, struct hl7_told *m)
{
	size_t n;

	for (; text.len; text = (struct bytes){text.data + n, text.len - n})
		if (hl7_inside_take(s, text, &n))
			http_hl7_tell_inside(s, m);
	if (last && hl7_inside_end(s))
		http_hl7_tell_inside(s, m);
}

bool http_hl7_search(struct http_hl7_search *s, struct bytes piece)
{
	bool found = false;

	for (size_t i = 0; i < piece.len; i++) {
		const uint8_t *b = s->behind;

		found |= piece.data[i] == 'H' && b[2] == 'S' && b[1] == 'M' &&
			 (b[0] == '\r' || b[0] == '\n');
		memmove(s->behind, s->behind + 1, 2);
		s->behind[2] = piece.data[i];
	}
	return found;
}
