#include "guard/proto/http_content.h"

#include "guard/proto/head.h"

#define BODY_START 4	   /* bytes that tell a program */
#define PLAIN_MAX  0x40000 /* bytes of what a compressed body is when it is not */

/* Nearly every page comes compressed: of those a browser is told it may show, none is an image for a viewer. */
static bool may_be_file(const struct http_head *h)
{
	struct bytes type = head_trim(head_before(h->content_type, ";"));

	return h->request || h->parts || !type.len || head_is(type, "application/dicom") ||
	       head_is(type, "application/octet-stream");
}

void http_content_begin(struct http_content *c, const struct http_head *h)
{
	c->seen = 0;
	c->parts = h->parts;
	c->coding = CODING_NONE;
	c->file = (struct part10){.seen = 0};
	if (may_be_file(h) && h->coding != CODING_UNREADABLE)
		c->coding = h->coding;
	if (c->parts)
		c->files = (struct part10_search){{0}};
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

/* The first bytes: where content is looked at. */
static void look(struct http_content *c, struct bytes piece, struct http_msg *m,
		 struct proto_output *out)
{
	const char *hidden = NULL;

	part10_take(&c->file, piece, &hidden);
	c->seen = (uint8_t)(c->seen + piece.len);
	if (hidden)
		m->msg.reason = REASON_DICOM_PREAMBLE_EXECUTABLE;
	m->program = c->seen == BODY_START ? program(c->file.start) : hidden;
	out->has_msg = m->program;
}

/* Each behind its own head. */
static size_t look_at_parts(struct http_content *c, struct bytes piece, struct http_msg *m,
			    struct proto_output *out)
{
	size_t used = part10_search(&c->files, piece, &m->program);

	if (m->program)
		m->msg.reason = REASON_DICOM_PREAMBLE_EXECUTABLE;
	out->has_msg = m->program;
	return used;
}

size_t http_content_read(struct http_content *c, struct bytes piece, struct http_msg *m,
			 struct proto_output *out)
{
	size_t n = (c->seen < BODY_START ? BODY_START : PART10_HEAD) - (size_t)c->seen;

	if (!n && c->parts)
		return look_at_parts(c, piece, m, out);
	if (n > piece.len)
		n = piece.len;
	piece.len = n;
	if (c->parts) /* one may begin there */
		part10_search(&c->files, piece, &m->program);
	if (n)
		look(c, piece, m, out);
	return n;
}

/* Parts of which not all is seen might hide an image, as might what is padded so that nothing is seen. */
void http_content_unpack(struct http_content *c, struct bytes packed, bool whole,
			 struct http_msg *m, struct proto_output *out)
{
	uint8_t plain[PLAIN_MAX];
	size_t max = c->parts ? PLAIN_MAX : PART10_HEAD;
	struct bytes text = coding_inflate_all(c->coding, packed, plain, max);
	const char *found = NULL;

	if ((!whole && (c->parts || text.len < PART10_HEAD)) || (c->parts && text.len == max))
		m->msg.reason = REASON_HTTP_PACKED;
	while (text.len && m->msg.reason != REASON_DICOM_PREAMBLE_EXECUTABLE &&
	       (c->seen < PART10_HEAD || c->parts)) {
		size_t n = http_content_read(c, text, m, out);

		text = (struct bytes){text.data + n, text.len - n};
		found = m->program ? m->program : found;
	}
	m->program = found;
	out->has_msg = found || m->msg.reason;
	c->seen = PART10_HEAD;
	c->parts = false;
	c->coding = CODING_NONE;
}
