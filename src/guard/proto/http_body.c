#include "guard/proto/http_body.h"

#include "guard/proto/head.h"

#define CHUNK_LINE_MAX 1024
#define HELD_MAX       HTTP_HELD_MAX /* of chunks with what is between them */

enum parse http_broken(struct http_msg *m, enum reason reason, struct proto_output *out)
{
	m->msg.reason = reason;
	out->has_msg = true;
	return PARSE_BAD;
}

static void begin(struct http_side *s, enum http_phase phase, uint64_t left)
{
	s->phase = (uint8_t)phase;
	s->left = left;
}

void http_body_begin(struct http_side *s, const struct http_head *h, bool to_end)
{
	if (h->chunked)
		begin(s, HTTP_CHUNK_LINE, 0);
	else if (h->has_length)
		begin(s, h->length ? HTTP_BODY : HTTP_HEAD, h->length);
	else
		begin(s, to_end ? HTTP_REST : HTTP_HEAD, 0);
	if (s->phase != HTTP_HEAD)
		http_content_begin(&s->content, h);
}

void http_body_tunnel(struct http_side *s)
{
	begin(s, HTTP_REST, 0);
	s->tunnel = true;
}

/* "1a2b", and what may follow it (RFC 9112 §7.1): one way to write it, one way to read it. */
static bool read_size(struct bytes line, uint64_t *ret_n)
{
	struct bytes digits = head_before(line, "; \t");
	uint64_t n = 0;

	if (!digits.len || digits.len > 15 || memchr(line.data, '\r', line.len) ||
	    memchr(line.data, 0, line.len))
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		uint8_t c = digits.data[i] | 0x20;

		if (digits.data[i] >= '0' && digits.data[i] <= '9')
			n = n << 4 | (uint64_t)(digits.data[i] - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	line = head_trim((struct bytes){line.data + digits.len, line.len - digits.len});
	*ret_n = n;
	return !line.len || line.data[0] == ';';
}

static enum parse read_chunk_line(struct http_side *s, struct hl7_inside *inside,
				  const struct proto_input *in, struct http_msg *m,
				  struct proto_output *out)
{
	size_t len = in->data.len < CHUNK_LINE_MAX ? in->data.len : CHUNK_LINE_MAX;
	const uint8_t *end = memchr(in->data.data, '\n', len);

	if (!end && len < CHUNK_LINE_MAX)
		return PARSE_MORE;
	len = end ? (size_t)(end - in->data.data) : 0;
	if (!len || end[-1] != '\r' || !read_size((struct bytes){in->data.data, len - 1}, &s->left))
		return http_broken(m, REASON_HTTP_SMUGGLING, out);
	out->used = len + 1;
	s->phase = s->left ? HTTP_CHUNK : HTTP_TRAILER;
	if (!s->left && s->content.wraps)
		http_content_read(&s->content, inside, (struct bytes){in->data.data, 0}, true, m,
				  out);
	return PARSE_OK;
}

static enum parse read_chunk_end(struct http_side *s, const struct proto_input *in,
				 struct http_msg *m, struct proto_output *out)
{
	if (in->data.len < 2)
		return PARSE_MORE;
	if (memcmp(in->data.data, "\r\n", 2))
		return http_broken(m, REASON_HTTP_SMUGGLING, out);
	out->used = 2;
	s->phase = HTTP_CHUNK_LINE;
	return PARSE_OK;
}

/* RFC 9112 §7.1.2: fields again, or nothing; they change nothing. */
static enum parse read_trailer(struct http_side *s, const struct proto_input *in,
			       struct http_msg *m, struct proto_output *out)
{
	const uint8_t *end = memchr(in->data.data, '\n', in->data.len);
	size_t len = end ? (size_t)(end - in->data.data) + 1 : 0;

	if (!end && in->data.len < HTTP_HEAD_MAX)
		return PARSE_MORE;
	if (!end)
		return http_broken(m, REASON_HTTP_MALFORMED, out);
	out->used = len;
	if (len == 1 || (len == 2 && in->data.data[0] == '\r'))
		s->phase = HTTP_HEAD;
	return PARSE_OK;
}

/* The line of the chunk that begins there, and how much it holds; 0: it is the last, or none. False: not there yet. */
static bool next_chunk(struct bytes b, size_t *ret_line, uint64_t *ret_size)
{
	size_t max = b.len < CHUNK_LINE_MAX ? b.len : CHUNK_LINE_MAX;
	const uint8_t *end = memchr(b.data, '\n', max);

	*ret_line = end ? (size_t)(end - b.data) + 1 : 0;
	*ret_size = 0;
	if (*ret_line > 1 && !read_size((struct bytes){b.data, *ret_line - 2}, ret_size))
		*ret_size = 0;
	return end || max == CHUNK_LINE_MAX;
}

/* Is as much there as is looked into? What was walked over is not looked at again. */
static bool is_gathered(struct http_side *s, struct bytes in)
{
	while (s->scanned < in.len && s->scanned < HELD_MAX) {
		uint64_t size;
		size_t line;

		if (!next_chunk((struct bytes){in.data + s->scanned, in.len - s->scanned}, &line,
				&size))
			return in.len >= HELD_MAX;
		if (!size)
			return true;
		s->scanned += (uint32_t)(line + 2 + (size < HELD_MAX ? size : HELD_MAX));
	}
	return in.len >= HELD_MAX;
}

/* What the chunks hold, one behind the other; *ret_whole: the last one is there. */
static struct bytes put_together(struct bytes in, uint8_t *to, bool *ret_whole)
{
	size_t at = 0, n = 0, line = 0;
	uint64_t size;

	if (in.len > HELD_MAX)
		in.len = HELD_MAX;
	*ret_whole = false;
	while (!*ret_whole && at < in.len &&
	       next_chunk((struct bytes){in.data + at, in.len - at}, &line, &size)) {
		size_t left = in.len - at - line, here = size < left ? (size_t)size : left;

		if (here)
			memcpy(to + n, in.data + at + line, here);
		n += here;
		at += line + here + 2;
		*ret_whole = !size;
	}
	return (struct bytes){to, n};
}

/* What chunks hold is known by the first of them, or by more. */
static bool know_chunks(struct http_side *s, const struct proto_input *in)
{
	struct bytes first = {in->data.data,
			      in->data.len < HTTP_KNOWN_BY ? in->data.len : HTTP_KNOWN_BY};
	uint8_t together[HTTP_KNOWN_BY];
	bool whole;
	struct bytes text = put_together(first, together, &whole);

	return http_content_know(&s->content, text, whole || in->last, first.len < HTTP_KNOWN_BY);
}

/* A body that is looked at in one go is, in chunks, ahead of them; then each is read. */
static enum parse look_ahead(struct http_side *s, const struct proto_input *in, bool answer,
			     struct http_msg *m, struct proto_output *out)
{
	uint8_t together[HELD_MAX];
	struct bytes held;
	bool whole;

	if (!is_gathered(s, in->data) && !in->last)
		return PARSE_MORE;
	s->scanned = 0;
	held = put_together(in->data, together, &whole);
	m->msg.answer = answer;
	whole |= in->last && in->data.len <= HELD_MAX;
	http_content_read_held(&s->content, held, whole, m, out);
	s->content.headers = (struct http_hl7_search){{0}}; /* which come again */
	return read_chunk_line(s, NULL, in, m, out);
}

static enum parse read_piece(struct http_side *s, struct hl7_inside *inside,
			     const struct proto_input *in, bool answer, struct http_msg *m,
			     struct proto_output *out)
{
	struct bytes piece = in->data;
	bool seen;

	if (s->phase != HTTP_REST && piece.len > s->left)
		piece.len = (size_t)s->left;
	if (http_content_is_open(&s->content) &&
	    !http_content_know(&s->content, piece, in->last || piece.len == s->left,
			       piece.len < HTTP_KNOWN_BY))
		return PARSE_MORE;
	if (http_content_is_held(&s->content) && piece.len < HELD_MAX && !in->last &&
	    (s->phase == HTTP_REST || piece.len < s->left))
		return PARSE_MORE;
	m->msg.answer = answer;
	if (http_content_is_held(&s->content)) {
		bool whole = in->last || (s->phase != HTTP_REST && piece.len == s->left);

		if (piece.len > HELD_MAX) {
			piece.len = HELD_MAX;
			whole = false;
		}
		http_content_read_held(&s->content, piece, whole, m, out);
		out->used = piece.len;
	} else {
		bool last = in->last || (s->phase == HTTP_BODY && piece.len == s->left);

		out->used = http_content_read(&s->content, inside, piece, last, m, out);
	}
	seen = http_content_is_seen(&s->content);
	if (s->phase == HTTP_REST) {
		if (seen)
			out->skip = UINT64_MAX;
		return PARSE_OK;
	}
	s->left -= out->used;
	if (seen) {
		out->skip = s->left;
		s->left = 0;
	}
	if (!s->left)
		s->phase = s->phase == HTTP_BODY ? HTTP_HEAD : HTTP_CHUNK_END;
	return PARSE_OK;
}

enum parse http_body_read(struct http_side *s, struct hl7_inside *inside,
			  const struct proto_input *in, bool answer, struct http_msg *m,
			  struct proto_output *out)
{
	switch (s->phase) {
	case HTTP_CHUNK_LINE:
		if (http_content_is_open(&s->content) && !know_chunks(s, in))
			return PARSE_MORE;
		return http_content_is_held(&s->content) ? look_ahead(s, in, answer, m, out)
							 : read_chunk_line(s, inside, in, m, out);
	case HTTP_CHUNK_END:
		return read_chunk_end(s, in, m, out);
	case HTTP_TRAILER:
		return read_trailer(s, in, m, out);
	case HTTP_REST:
		if (!s->tunnel)
			break;
		out->used = in->data.len;
		out->skip = UINT64_MAX;
		return PARSE_OK;
	}
	return read_piece(s, inside, in, answer, m, out);
}
