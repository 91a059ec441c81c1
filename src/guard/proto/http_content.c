#include "guard/proto/http_content.h"

#include "guard/proto/dicom_uid.h"
#include "guard/proto/head.h"

#define BODY_START 4	   /* bytes that tell a program */
#define PLAIN_MAX  0x40000 /* bytes of what a compressed body is when it is not */

static const struct bytes blank = {(const uint8_t *)"", 0};

/* Nearly every page comes compressed: of those a browser is told it may show, none is an image for a viewer. */
static bool may_be_file(const struct http_head *h)
{
	struct bytes type = head_trim(head_before(h->content_type, ";"));

	return h->request || h->parts || !type.len || head_is(type, "application/dicom") ||
	       head_is(type, "application/octet-stream");
}

/* Whatever it begins with, it is read as fields. */
static bool is_form(const struct http_head *h)
{
	static const char form[] = "application/x-www-form-urlencoded";

	return head_is(head_trim(head_before(h->content_type, ";")), form) ||
	       head_is(head_trim(head_before(h->other_type, ";")), form);
}

void http_content_begin(struct http_content *c, const struct http_head *h)
{
	c->seen = 0;
	c->parts = h->parts;
	c->image = false;
	c->hl7 = http_hl7_is_type(h->content_type) || http_hl7_is_type(h->other_type);
	c->wraps = !c->hl7 && http_hl7_is_inside(h);
	c->may_be_hl7 = h->request && !c->hl7 && !c->parts && !is_form(h);
	c->coding = CODING_NONE;
	c->file = (struct part10){.seen = 0};
	if ((may_be_file(h) || c->hl7) && h->coding != CODING_UNREADABLE)
		c->coding = h->coding;
	c->bundles = c->wraps && !c->parts;
	if (c->parts)
		c->files = (struct part10_search){{0}};
	else
		c->bundle = (struct fhir_bundle){0};
	c->headers = (struct http_hl7_search){{0}};
}

/* What begins like one for long is held to be one: it is read, and judged by what it says. */
bool http_content_know(struct http_content *c, struct bytes beginning, bool whole, bool more)
{
	enum parse got = http_hl7_probe(beginning);

	if (got == PARSE_MORE && more && !whole)
		return false;
	c->hl7 = got == PARSE_OK || (got == PARSE_MORE && !whole);
	c->may_be_hl7 = false;
	c->wraps &= !c->hl7;
	c->bundles &= !c->hl7;
	return true;
}

/* A program starts by its first bytes, whatever name or type it travels under. */
static const char *program(const uint8_t start[PART10_START])
{
	if (!memcmp(start, "\177ELF", 4))
		return "ELF";
	if (!memcmp(start, "MZ", 2))
		return "PE";
	if (!memcmp(start, "#!/", 3))
		return "script";
	return NULL;
}

/* Where the head of an image ends. */
static void begin_image(struct http_content *c, const char *hidden, struct http_msg *m)
{
	if (hidden)
		m->msg.reason = REASON_DICOM_PREAMBLE_EXECUTABLE;
	c->image = !hidden;
	c->meta = (struct part10_meta){0};
}

/* The first bytes: where content is looked at. */
static void look(struct http_content *c, struct bytes piece, struct http_msg *m)
{
	const char *hidden = NULL;

	c->seen = (uint8_t)(c->seen + piece.len);
	if (part10_take(&c->file, piece, &hidden) == PARSE_OK)
		begin_image(c, hidden, m);
	m->program = c->seen == BODY_START ? program(c->file.start) : hidden;
}

/* A name, the UID of what has none; empty: nobody can tell. */
static void tell_class(struct http_msg *m, struct bytes uid)
{
	const char *name =
		dicom_uid_name(DICOM_SOP_CLASSES, dicom_uid_find(DICOM_SOP_CLASSES, uid));

	m->sop_class_uid = uid;
	m->sop_class = name ? (struct bytes){(const uint8_t *)name, strlen(name)} : uid;
}

/* Behind the head of an image: as many bytes as say what kind it is. */
static size_t look_at_image(struct http_content *c, struct bytes piece, struct http_msg *m)
{
	struct bytes uid = {NULL, 0};
	size_t n = piece.len;
	enum parse got = part10_meta_take(&c->meta, piece, &n, &uid);

	c->image = got == PARSE_MORE;
	if (!c->image)
		tell_class(m, got == PARSE_OK ? uid : blank);
	return n;
}

/* Each behind its own head. One that begins before it is known what kind another one is hides that. */
static size_t look_at_parts(struct http_content *c, struct bytes piece, struct http_msg *m)
{
	bool found;
	size_t used = part10_search(&c->files, piece, &found, &m->program);

	if (found && c->image)
		tell_class(m, blank);
	if (found)
		begin_image(c, m->program, m);
	return used;
}

static bool is_told(const struct http_msg *m)
{
	return m->program || m->sop_class.data || m->hl7.type.data || m->fhir_method.data;
}

static bool is_same(struct bytes a, struct bytes b)
{
	return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

static void tell_request(const struct fhir_bundle *b, struct http_msg *m)
{
	m->fhir_method = fhir_bundle_method(b);
	m->fhir_url = fhir_bundle_url(b);
}

static size_t look_at_piece(struct http_content *c, struct bytes piece, struct http_msg *m)
{
	size_t first = (c->seen < BODY_START ? BODY_START : PART10_HEAD) - (size_t)c->seen;
	size_t n = piece.len;

	if (first && n) {
		n = n < first ? n : first;
		look(c, (struct bytes){piece.data, n}, m);
	} else if (c->image) {
		n = look_at_image(c, piece, m);
	} else if (c->hl7 && http_hl7_search(&c->headers, piece)) {
		m->hl7.type = blank; /* a header begins another message to some */
	}
	if (c->parts)
		n = look_at_parts(c, (struct bytes){piece.data, n}, m);
	return n;
}

/* What ends first is told; for it no more than that was looked at. */
size_t http_content_read(struct http_content *c, struct hl7_inside *inside, struct bytes piece,
			 bool last, struct http_msg *m, struct proto_output *out)
{
	struct hl7_inside before;
	struct fhir_bundle bundle;
	bool hl7 = false, fhir = false;
	size_t n, hl7_end = 0, fhir_end = 0;

	if (c->wraps) {
		before = *inside;
		hl7 = hl7_inside_take(inside, piece, &hl7_end) || (last && hl7_inside_end(inside));
		piece.len = hl7_end;
	}
	if (c->bundles) {
		bundle = c->bundle;
		fhir = fhir_bundle_take(&c->bundle, piece, &fhir_end);
		piece.len = fhir_end;
	}
	n = look_at_piece(c, piece, m);
	if (n < fhir_end) {
		c->bundle = bundle;
		fhir = fhir_bundle_take(&c->bundle, (struct bytes){piece.data, n}, &fhir_end);
	}
	if (n < hl7_end) {
		*inside = before;
		hl7 = hl7_inside_take(inside, (struct bytes){piece.data, n}, &hl7_end);
	}
	if (hl7)
		http_hl7_tell_inside(inside, &m->hl7);
	if (fhir)
		tell_request(&c->bundle, m);
	out->has_msg = is_told(m);
	return n;
}

/* Of several requests, what they have in common. */
static void look_for_requests(struct http_content *c, struct bytes text, struct http_msg *m)
{
	struct fhir_bundle s = {0};
	size_t n;

	for (; text.len; text = (struct bytes){text.data + n, text.len - n}) {
		if (!fhir_bundle_take(&s, text, &n))
			continue;
		if (!m->fhir_method.data) {
			c->bundle = s;
			tell_request(&c->bundle, m);
			continue;
		}
		if (!is_same(fhir_bundle_method(&s), m->fhir_method))
			m->fhir_method = blank;
		if (!is_same(fhir_bundle_url(&s), m->fhir_url))
			m->fhir_url = blank;
	}
}

/* Of several images, what they have in common. */
static void look_through(struct http_content *c, struct bytes text, struct http_msg *m)
{
	unsigned images = 0, kind = 0;
	const char *found = NULL;
	bool differ = false;

	while (text.len && m->msg.reason != REASON_DICOM_PREAMBLE_EXECUTABLE &&
	       (c->seen < PART10_HEAD || c->parts || c->image)) {
		size_t n = look_at_piece(c, text, m);
		unsigned one;

		text = (struct bytes){text.data + n, text.len - n};
		found = m->program ? m->program : found;
		if (!m->sop_class.data)
			continue;
		one = dicom_uid_find(DICOM_SOP_CLASSES, m->sop_class_uid);
		differ |= images++ && (!one || one != kind);
		kind = one;
		m->sop_class.data = NULL;
	}
	m->program = found;
	if (m->msg.reason == REASON_DICOM_PREAMBLE_EXECUTABLE)
		m->sop_class_uid.data = NULL;
	else if (images || c->image)
		tell_class(m, differ || c->image ? blank : m->sop_class_uid);
}

/* Parts of which not all is seen might hide an image, as might what is padded so that nothing is seen. */
void http_content_read_held(struct http_content *c, struct bytes held, bool whole,
			    struct http_msg *m, struct proto_output *out)
{
	uint8_t plain[PLAIN_MAX];
	size_t max = c->parts || c->hl7 || c->may_be_hl7 || c->wraps ? PLAIN_MAX
								     : PART10_HEAD + PART10_META;
	struct bytes text = held;
	bool all;

	if (c->coding)
		text = coding_inflate_all(c->coding, held, plain, max);
	all = whole && text.len < PLAIN_MAX;
	if (c->may_be_hl7)
		http_content_know(c, text, text.len < max, false);
	if ((!whole && text.len < PART10_HEAD) || (c->parts && !all))
		m->msg.reason = REASON_HTTP_PACKED;
	look_through(c, text, m);
	if (c->wraps)
		http_hl7_look_inside(&(struct hl7_inside){0}, text, true, &m->hl7);
	if (c->bundles)
		look_for_requests(c, text, m);
	if (c->hl7)
		http_hl7_read(text,
			      all	  ? HTTP_HL7_NOTHING
			      : c->coding ? HTTP_HL7_UNSEEN
					  : HTTP_HL7_SEARCHED,
			      &m->hl7);
	c->hl7 &= !all && !c->coding;
	if (c->hl7)
		http_hl7_search(&c->headers, text);
	c->seen = PART10_HEAD;
	c->parts = c->image = c->wraps = c->bundles = false;
	c->coding = CODING_NONE;
	out->has_msg = is_told(m) || m->msg.reason;
}
