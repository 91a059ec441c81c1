#include "guard/proto/sdc.h"

#include <strings.h>

#include "guard/proto/http.h"
#include "guard/proto/http_hl7.h"
#include "guard/proto/soap_body.h"

#define HEAD_MAX   8192 /* of an HTTP message */
#define PORT	   3702 /* WS-Discovery */
#define LEFT_MAX   (1ull << 40)
#define CHUNK_LINE 18 /* a size of up to 16 digits, CR, LF */
#define TAG_CHUNKS 64 /* a tag may be cut into */

/* HELD: a body that is read once it is there, behind its first chunk's size. */
enum phase { HEAD, ENVELOPE, HELD, CHUNK_SIZE, CHUNK_END, TRAILER, TO_THE_END };

struct half {
	struct soap soap;
	struct soap_form form;
	uint64_t left;	 /* bytes of the body, or of the chunk, that are to come */
	uint32_t walked; /* of a held body: where the chunk ends that was found last */
	uint32_t
		ahead; /* bytes that were read, though what they have inside was not looked at yet */
	uint16_t scanned;
	uint16_t status;
	uint8_t phase; /* enum phase */
	bool chunked, told;
	bool soapy; /* the body is an envelope */
	bool held;  /* that cannot be read as it comes */
	bool begun; /* how it begins was looked at */
	uint8_t method_len;
	uint8_t method[8];
};

struct state {
	struct half half[2];
	struct hl7_inside inside; /* the body of a request */
};
_Static_assert(sizeof(struct state) <= PROTO_STATE_MAX, "a state has its bound");
_Static_assert(sizeof(struct sdc) <= PROTO_MSG_MAX, "so has a message");

/* Discovery: a datagram is one message */

static struct bytes trim(struct bytes text)
{
	if (text.len >= 3 && !memcmp(text.data, "]]>", 3)) { /* of a section whose text was told */
		text.data += 3;
		text.len -= 3;
	}
	while (text.len && memchr(" \t\r\n", text.data[0], 4)) {
		text.data++;
		text.len--;
	}
	while (text.len && memchr(" \t\r\n", text.data[text.len - 1], 4))
		text.len--;
	return text;
}

/*
 * The next text of the content's elements of that name, borrowed: a datagram is there whole, and was
 * read once. Who answers for several devices names several. A text in pieces is as many.
 */
static struct bytes next_text(const struct msg *msg, size_t *at, const char *name)
{
	struct bytes all = ((const struct sdc *)msg)->content, none = {NULL, 0};
	struct bytes element = {(const uint8_t *)name, *at ? strlen(name) : 0};
	struct xml x = {0};
	struct xml_token t;

	while (*at < all.len) {
		struct bytes rest = {all.data + *at, all.len - *at};
		size_t used = 0;

		x.depth = 1; /* what is open around it is of no concern */
		xml_next(&x, rest, &t, &used);
		*at = used ? *at + used : all.len;
		if (used && t.kind == XML_OPEN)
			element = xml_local(t.name);
		else if (t.kind == XML_CLOSE)
			element.len = 0;
		else if (t.kind == XML_TEXT && xml_is(element, name) && trim(t.text).len)
			return trim(t.text);
	}
	return none;
}

static struct bytes next_endpoint(const struct msg *m, size_t *at)
{
	return next_text(m, at, "Address");
}

static struct bytes next_types(const struct msg *m, size_t *at)
{
	return next_text(m, at, "Types");
}

static struct bytes next_xaddrs(const struct msg *m, size_t *at)
{
	return next_text(m, at, "XAddrs");
}

static void tell(const struct soap *s, struct sdc *m)
{
	if (s->action_len) {
		m->action = soap_action(s);
		m->action_uri = (struct bytes){s->action, s->action_len};
	} else {
		m->action = (struct bytes){(const uint8_t *)"", 0};
	}
	if (s->body_len)
		m->body = (struct bytes){s->body, s->body_len};
	m->msg.answer = soap_answers(s);
	m->msg.control = soap_commands(s) || !s->action_len;
}

static bool read_envelope(struct bytes data, struct soap *s, struct sdc *m)
{
	struct bytes element = {NULL, 0};
	struct xml_token t;
	size_t used = 0;

	while (data.len) {
		if (xml_next(&s->xml, data, &t, &used) != PARSE_OK || !soap_take(s, &t))
			return false;
		if (t.kind == XML_OPEN)
			element = xml_local(t.name);
		else if (t.kind == XML_CLOSE)
			element.len = 0;
		else if (t.kind == XML_TEXT && xml_is(element, "MessageID") && trim(t.text).len)
			m->message_id = trim(t.text);
		else if (t.kind == XML_TEXT && xml_is(element, "RelatesTo") && trim(t.text).len)
			m->relates_to = trim(t.text);
		data.data += used;
		data.len -= used;
		if (s->place >= SOAP_IN_BODY && !m->content.data)
			m->content = data;
	}
	return !s->xml.depth && s->place == SOAP_KNOWN && s->action_len;
}

static enum parse read_datagram(struct half *h, const struct proto_input *in, struct sdc *m,
				struct proto_output *out)
{
	struct bytes text = in->data;

	*h = (struct half){0};
	out->has_msg = true;
	out->used = in->data.len;
	if (text.len > 1 && soap_is_wide(text.data) &&
	    (text.len / 2 > sizeof(m->narrow) || soap_narrow(m->narrow, &text) != PARSE_OK))
		text.len = 0;
	if (!read_envelope(text, &h->soap, m))
		m->msg.reason = REASON_SDC_MALFORMED;
	tell(&h->soap, m);
	return PARSE_OK;
}

/* HTTP: heads, and bodies as far as they say what is asked for */

static enum parse refuse(struct sdc *m, struct proto_output *out)
{
	m->msg.reason = REASON_SDC_MALFORMED;
	out->has_msg = true;
	return PARSE_BAD;
}

/* The next line of a head without its end; data NULL behind the last. */
static struct bytes next_line(struct bytes *head)
{
	const uint8_t *lf = head->len ? memchr(head->data, '\n', head->len) : NULL;
	struct bytes line = {NULL, 0};

	if (!lf)
		return line;
	line = (struct bytes){head->data, (size_t)(lf - head->data)};
	head->len -= line.len + 1;
	head->data += line.len + 1;
	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* The value of a header field of that name; data NULL where it is another. */
static struct bytes value_of(struct bytes line, const char *name)
{
	size_t n = strlen(name);
	struct bytes v = {NULL, 0};

	if (line.len <= n || line.data[n] != ':' || strncasecmp((const char *)line.data, name, n))
		return v;
	v = (struct bytes){line.data + n + 1, line.len - n - 1};
	while (v.len && (v.data[0] == ' ' || v.data[0] == '\t')) {
		v.data++;
		v.len--;
	}
	while (v.len && (v.data[v.len - 1] == ' ' || v.data[v.len - 1] == '\t'))
		v.len--;
	return v;
}

static bool starts(struct bytes v, const char *with)
{
	size_t n = strlen(with);

	return v.len >= n && !strncasecmp((const char *)v.data, with, n);
}

static bool read_digits(struct bytes v, unsigned base, uint64_t *ret_n)
{
	uint64_t n = 0;

	if (!v.len)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = v.data[i] | 0x20;
		unsigned digit = 99;

		if (v.data[i] >= '0' && v.data[i] <= '9')
			digit = v.data[i] - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		if (digit >= base || n > LEFT_MAX)
			return false;
		n = n * base + digit;
	}
	*ret_n = n;
	return true;
}

/* RFC 9112 §6: how long the body is. What says two things at once is refused. */
static bool read_fields(struct half *h, struct bytes head, bool *ret_length)
{
	struct bytes line, v;

	*ret_length = false;
	while ((line = next_line(&head)).len) {
		if (line.data[0] == ' ' || line.data[0] == '\t')
			return false;
		if ((v = value_of(line, "Content-Length")).data) {
			if (*ret_length || h->chunked || !read_digits(v, 10, &h->left))
				return false;
			*ret_length = true;
		} else if ((v = value_of(line, "Transfer-Encoding")).data) {
			if (*ret_length || h->chunked || v.len != 7 || !starts(v, "chunked"))
				return false;
			h->chunked = true;
		} else if ((v = value_of(line, "Content-Type")).data) {
			h->soapy = soap_is_type(v);
			soap_form_type(&h->form, v);
		} else if ((v = value_of(line, "Content-Encoding")).data) {
			h->form.coding = coding_note(h->form.coding, v);
		}
	}
	return line.data;
}

static bool read_start(struct half *h, struct bytes line)
{
	const uint8_t *space;
	uint64_t status;

	if (starts(line, "HTTP/1.")) {
		if (line.len < 12 || !read_digits((struct bytes){line.data + 9, 3}, 10, &status))
			return false;
		h->status = (uint16_t)status;
		return true;
	}
	space = line.len ? memchr(line.data, ' ', line.len) : NULL;
	if (!space || (size_t)(space - line.data) > sizeof(h->method) || space == line.data)
		return false;
	h->method_len = (uint8_t)(space - line.data);
	memcpy(h->method, line.data, h->method_len);
	return true;
}

/* The length of a head with the empty line that ends it; 0 where that is not there. */
static size_t head_len(struct bytes in, uint16_t *scanned)
{
	for (size_t i = *scanned; i + 1 < in.len && i < HEAD_MAX; i++) {
		if (in.data[i] != '\n')
			continue;
		if (in.data[i + 1] == '\n')
			return i + 2;
		if (i + 2 < in.len && in.data[i + 1] == '\r' && in.data[i + 2] == '\n')
			return i + 3;
		if (i + 2 >= in.len)
			break;
		*scanned = (uint16_t)(i + 1);
	}
	return 0;
}

static void tell_http(const struct half *h, struct sdc *m)
{
	m->status = h->status;
	if (h->method_len)
		m->method = (struct bytes){h->method, h->method_len};
	if (h->soapy || (h->method_len && !xml_is(m->method, "GET") && !xml_is(m->method, "HEAD")))
		tell(&h->soap, m);
	m->msg.answer = h->status != 0;
	if (m->msg.answer)
		m->msg.control = false;
}

/* It is not known what the body asks for, and will not be: it is passed over. */
static void tell_unread(struct half *h, struct sdc *m, struct proto_output *out)
{
	if (h->phase == HELD)
		h->phase = ENVELOPE;
	out->has_msg = h->told = true;
	m->msg.unread = h->method_len && h->phase != HEAD;
	tell_http(h, m);
}

/* Of a held body: is there too much of it, or no end? */
static bool is_unreadable(const struct half *h)
{
	return h->form.coding == CODING_UNREADABLE || h->phase == TO_THE_END ||
	       h->left > SOAP_BODY_MAX;
}

static enum parse read_head(struct state *st, const struct proto_input *in, struct sdc *m,
			    struct proto_output *out)
{
	struct half *h = &st->half[in->end];
	uint16_t scanned = h->scanned;
	size_t len = head_len(in->data, &scanned);
	struct bytes head = {in->data.data, len};
	bool has_length;

	if (!len && in->data.len < HEAD_MAX) {
		h->scanned = scanned;
		return PARSE_MORE;
	}
	*h = (struct half){0};
	if (!len || !read_start(h, next_line(&head)) || !read_fields(h, head, &has_length))
		return refuse(m, out);
	out->used = len;
	if (h->method_len)
		st->inside = (struct hl7_inside){0};
	h->phase = h->chunked ? CHUNK_SIZE : ENVELOPE;
	/* §6.3: an answer without either goes on to the end of the connection. */
	if (!h->chunked && !has_length && h->status >= 200 && h->status != 204 && h->status != 304)
		h->phase = TO_THE_END;
	else if (!h->chunked && !h->left)
		h->phase = HEAD;
	h->held = h->soapy && soap_is_held(&h->form);
	if (!h->soapy || h->phase == HEAD || (h->held && is_unreadable(h)))
		tell_unread(h, m, out);
	else if (h->held && !h->chunked)
		h->phase = HELD;
	return PARSE_OK;
}

/* The rest of a body, or of a chunk, that nobody need see. */
static void pass_over(struct half *h, struct proto_output *out)
{
	out->skip = h->phase == TO_THE_END ? LEFT_MAX : h->left + h->ahead;
	h->left = h->ahead = 0;
	h->phase = h->chunked ? CHUNK_END : HEAD;
}

/* What is asked for is known; a request's envelope is read to its end, or it might ask for more. */
static bool goes_on(const struct half *h)
{
	return h->method_len && h->soap.place == SOAP_KNOWN && h->soap.xml.depth;
}

/* RFC 9112 §7.1, the line that says how long a chunk is, without extensions. OK: *ret_len bytes. */
static enum parse read_size(struct bytes in, uint64_t *ret_size, size_t *ret_len)
{
	struct bytes rest = {in.data, in.len < CHUNK_LINE ? in.len : CHUNK_LINE};
	struct bytes line = next_line(&rest);

	if (!line.data && in.len < CHUNK_LINE)
		return PARSE_MORE;
	*ret_len = (size_t)(rest.data - in.data);
	return line.data && read_digits(line, 16, ret_size) ? PARSE_OK : PARSE_BAD;
}

/* The body from the front of the input on, as if it had no chunks. */
struct joined {
	uint8_t data[XML_TAG];
	size_t len;
	size_t used;   /* of the input, for that */
	uint64_t left; /* of the chunk in which it ends */
};

/* Takes `max` bytes of the body. MORE: there are fewer; BAD: nor will there be, or in too many chunks. */
static enum parse join(struct bytes in, uint64_t left, size_t max, struct joined *j)
{
	enum parse got = PARSE_OK;

	j->len = j->used = 0;
	for (unsigned chunk = 0; chunk < TAG_CHUNKS; chunk++) {
		struct bytes rest = {in.data + j->used, in.len - j->used};
		size_t n = max - j->len < rest.len ? max - j->len : rest.len, line;

		n = left < n ? (size_t)left : n;
		memcpy(j->data + j->len, rest.data, n);
		j->len += n;
		j->used += n;
		j->left = left - n;
		if (j->len == max)
			return PARSE_OK;
		rest = (struct bytes){rest.data + n, rest.len - n};
		if (j->left || rest.len < 2)
			return PARSE_MORE;
		if (rest.data[0] != '\r' || rest.data[1] != '\n')
			return PARSE_BAD;
		got = read_size((struct bytes){rest.data + 2, rest.len - 2}, &left, &line);
		if (got != PARSE_OK || !left)
			return got == PARSE_MORE ? got : PARSE_BAD;
		j->used += 2 + line;
	}
	return PARSE_BAD;
}

/*
 * Where the held body ends, in front of the size that ends all chunks: *ret_used with that. MORE: not yet.
 * What was walked over is not looked at again.
 */
static enum parse find_body_end(struct half *h, struct bytes in, size_t *ret_used)
{
	enum parse got = PARSE_OK;
	uint64_t size;
	size_t line;

	if (!h->walked)
		h->walked = (uint32_t)h->left;
	while (h->chunked && got == PARSE_OK) {
		struct bytes rest = {in.data + h->walked, in.len - h->walked};

		if (h->walked > in.len || rest.len < 2)
			return PARSE_MORE;
		if (memcmp(rest.data, "\r\n", 2))
			return PARSE_BAD;
		got = read_size((struct bytes){rest.data + 2, rest.len - 2}, &size, &line);
		if (got != PARSE_OK)
			return got;
		if (!size) {
			*ret_used = h->walked + 2 + line;
			return PARSE_OK;
		}
		if (size > SOAP_BODY_MAX)
			size = SOAP_BODY_MAX; /* which is too much with what there was */
		h->walked += (uint32_t)(2 + line + size);
		if (h->walked > SOAP_BODY_MAX)
			return PARSE_MORE;
	}
	*ret_used = h->walked;
	return h->walked > in.len ? PARSE_MORE : PARSE_OK;
}

/* The chunks of a whole body, one behind the other; how many bytes. */
static size_t put_together(struct bytes in, uint64_t first, uint8_t *to)
{
	uint64_t left = first;
	size_t at = 0, n = 0, line = 0;

	for (; left; at += 2 + line) {
		memcpy(to + n, in.data + at, (size_t)left);
		n += (size_t)left;
		at += (size_t)left;
		read_size((struct bytes){in.data + at + 2, in.len - at - 2}, &left, &line);
	}
	return n;
}

static enum parse read_held(struct half *h, const struct proto_input *in, struct sdc *m,
			    struct proto_output *out)
{
	uint8_t together[SOAP_BODY_MAX];
	struct bytes body = {in->data.data, (size_t)h->left};
	size_t used = 0;
	enum parse got = PARSE_MORE;

	if (!is_unreadable(h))
		got = find_body_end(h, in->data, &used);
	if (got == PARSE_MORE && !is_unreadable(h) && h->walked <= SOAP_BODY_MAX)
		return got;
	if (got == PARSE_OK && h->chunked)
		body = (struct bytes){together, put_together(in->data, h->left, together)};
	if (got == PARSE_OK)
		got = soap_body_read(&h->form, body, &h->soap, h->method_len ? &m->hl7 : NULL);
	if (got == PARSE_MORE) {
		h->soap = (struct soap){.place = SOAP_START};
		tell_unread(h, m, out);
		return PARSE_OK;
	}
	tell_http(h, m);
	if (got == PARSE_BAD)
		return refuse(m, out);
	out->has_msg = h->told = true;
	out->used = used;
	h->left = 0;
	h->phase = h->chunked ? TRAILER : HEAD;
	return PARSE_OK;
}

/* Of a request, up to the end of the first message of HL7 that is in it; the rest is looked at next. */
static void look_inside(struct half *h, struct hl7_inside *inside, struct bytes text, struct sdc *m,
			struct proto_output *out)
{
	out->used = text.len;
	h->ahead = 0;
	if (!h->method_len || !hl7_inside_take(inside, text, &out->used))
		return;
	h->ahead = (uint32_t)(text.len - out->used);
	http_hl7_tell_inside(inside, &m->hl7);
}

/* What is left of that. */
static enum parse look_on(struct half *h, struct hl7_inside *inside, const struct proto_input *in,
			  struct sdc *m, struct proto_output *out)
{
	size_t n = in->data.len < h->ahead ? in->data.len : h->ahead, left = h->ahead - n;

	look_inside(h, inside, (struct bytes){in->data.data, n}, m, out);
	h->ahead += (uint32_t)left;
	out->has_msg = m->hl7.type.data;
	if (out->has_msg)
		tell_http(h, m);
	return PARSE_OK;
}

/* A token that the end of a chunk cuts: *ret_used of the input, *ret_left to come of the chunk it ends in. */
static enum parse read_across(struct half *h, struct hl7_inside *inside, struct bytes in,
			      struct sdc *m, struct proto_output *out, uint64_t *ret_left)
{
	struct joined j;
	enum parse all = join(in, h->left, sizeof(j.data), &j), got;
	struct xml_token t;
	size_t used = 0;

	got = xml_next(&h->soap.xml, (struct bytes){j.data, j.len}, &t, &used);
	if (got == PARSE_MORE)
		return all == PARSE_MORE ? got : PARSE_BAD;
	if (got == PARSE_BAD || !soap_take(&h->soap, &t))
		return PARSE_BAD;
	join(in, h->left, used, &j);
	if (h->method_len)
		http_hl7_look_inside(inside, (struct bytes){j.data, used}, false, &m->hl7);
	out->used = j.used;
	*ret_left = j.left;
	return PARSE_OK;
}

/* Is the text one of two bytes a character, which its beginning shows? MORE, or BAD: it does not. */
static enum parse look_for_wide(struct half *h, struct bytes in)
{
	struct joined j;
	enum parse got = PARSE_BAD;

	if (h->chunked || h->left > 1 || h->phase == TO_THE_END)
		got = join(in, h->phase == TO_THE_END ? LEFT_MAX : h->left, 2, &j);
	return got == PARSE_OK && !soap_is_wide(j.data) ? PARSE_BAD : got;
}

static enum parse read_body(struct half *h, struct hl7_inside *inside, const struct proto_input *in,
			    struct sdc *m, struct proto_output *out)
{
	struct bytes data = in->data;
	bool ends = h->phase != TO_THE_END && data.len >= h->left;
	struct xml_token t;
	size_t used = 0;
	uint64_t left;
	enum parse got;

	if (ends)
		data.len = (size_t)h->left;
	if (h->told && !goes_on(h)) {
		pass_over(h, out);
		return PARSE_OK;
	}
	if (!h->begun) {
		got = look_for_wide(h, in->data);
		if (got == PARSE_MORE)
			return got;
		h->begun = true;
		h->held = got == PARSE_OK;
	}
	if (h->held) {
		if (h->phase == ENVELOPE)
			h->phase = HELD;
		return read_held(h, in, m, out);
	}
	got = xml_next(&h->soap.xml, data, &t, &used);
	left = h->phase != TO_THE_END ? h->left - used : 0;
	/* An envelope must say what it asks for before it ends. */
	if (got == PARSE_MORE && ends)
		got = h->chunked ? read_across(h, inside, in->data, m, out, &left) : PARSE_BAD;
	else if (got == PARSE_OK && !soap_take(&h->soap, &t))
		got = PARSE_BAD;
	else if (got == PARSE_OK)
		look_inside(h, inside, (struct bytes){data.data, used}, m, out);
	if (got == PARSE_MORE)
		return got;
	if (got == PARSE_BAD) {
		tell_http(h, m);
		return refuse(m, out);
	}
	h->left = left;
	out->has_msg = m->hl7.type.data || (h->soap.place == SOAP_KNOWN && !h->told);
	h->told |= h->soap.place == SOAP_KNOWN;
	if (out->has_msg)
		tell_http(h, m);
	if (h->told && !goes_on(h)) {
		pass_over(h, out);
	} else if (!h->left && h->phase != TO_THE_END) {
		if (!h->chunked) {
			tell_http(h, m);
			return refuse(m, out);
		}
		h->phase = CHUNK_END;
	}
	return PARSE_OK;
}

static enum parse read_chunk_size(struct half *h, const struct proto_input *in, struct sdc *m,
				  struct proto_output *out)
{
	size_t used;
	enum parse got = read_size(in->data, &h->left, &used);

	if (got != PARSE_OK)
		return got == PARSE_MORE ? got : refuse(m, out);
	out->used = used;
	h->phase = !h->left ? TRAILER : h->held && !h->told ? HELD : ENVELOPE;
	if (h->phase == TRAILER && !h->told)
		return refuse(m, out);
	return PARSE_OK;
}

/* The end of a chunk is an empty line; that of all, behind lines that are passed over. */
static enum parse read_line(struct half *h, const struct proto_input *in, struct sdc *m,
			    struct proto_output *out)
{
	struct bytes rest = {in->data.data, in->data.len < HEAD_MAX ? in->data.len : HEAD_MAX};
	struct bytes line;

	if (h->scanned > rest.len)
		h->scanned = 0;
	if (!memchr(rest.data + h->scanned, '\n', rest.len - h->scanned)) {
		h->scanned = (uint16_t)rest.len;
		return rest.len < HEAD_MAX ? PARSE_MORE : refuse(m, out);
	}
	h->scanned = 0;
	line = next_line(&rest);
	out->used = (size_t)(rest.data - in->data.data);
	if (h->phase == CHUNK_END) {
		if (line.len)
			return refuse(m, out);
		h->phase = CHUNK_SIZE;
	} else if (!line.len) {
		h->phase = HEAD;
	}
	return PARSE_OK;
}

static enum parse read_unit(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct state *st = state;
	struct half *h = &st->half[in->end];
	struct sdc *m = (struct sdc *)ret_m;

	if (in->datagram)
		return read_datagram(h, in, m, ret_out);
	if (h->ahead)
		return look_on(h, &st->inside, in, m, ret_out);
	switch (h->phase) {
	case HEAD:
		return read_head(st, in, m, ret_out);
	case CHUNK_SIZE:
		return read_chunk_size(h, in, m, ret_out);
	case CHUNK_END:
	case TRAILER:
		return read_line(h, in, m, ret_out);
	case HELD:
		return read_held(h, in, m, ret_out);
	}
	return read_body(h, &st->inside, in, m, ret_out);
}

static bool may_be_xml(struct bytes b)
{
	return b.data[0] == '<' || (b.len > 1 && soap_is_wide(b.data));
}

static enum parse probe_datagram(const struct proto_input *in)
{
	bool port = in->port[0] == PORT || in->port[1] == PORT;
	struct bytes d = in->data;
	struct soap s = {0};
	struct xml_token t;
	size_t used = 0;

	while (d.len && s.place == SOAP_START) {
		if (xml_next(&s.xml, d, &t, &used) != PARSE_OK || !soap_take(&s, &t))
			return port && may_be_xml(in->data) ? PARSE_OK : PARSE_BAD;
		d.data += used;
		d.len -= used;
	}
	return s.place == SOAP_ENVELOPE ? PARSE_OK : PARSE_BAD;
}

/* A request whose head says SOAP 1.2. Without its whole head it is anybody's HTTP. */
static enum parse probe(const struct proto_input *in)
{
	struct bytes d = in->data, head;
	uint16_t scanned = 0;
	struct half h = {0};
	bool has_length;

	if (in->datagram)
		return probe_datagram(in);
	if (d.len < 5)
		return d.len && memcmp(d.data, "POST ", d.len) ? PARSE_BAD : PARSE_MORE;
	if (memcmp(d.data, "POST ", 5))
		return PARSE_BAD;
	head = (struct bytes){d.data, head_len(d, &scanned)};
	if (!head.len)
		return d.len < HEAD_MAX ? PARSE_MORE : PARSE_BAD;
	next_line(&head);
	read_fields(&h, head, &has_length);
	return h.soapy ? PARSE_OK : PARSE_BAD;
}

#define FIELD(name, type, flags)                                          \
	{                                                                 \
		PROTO_KEY(#name), offsetof(struct sdc, name), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD(action, FIELD_TEXT, FIELD_MATCH),
	FIELD(action_uri, FIELD_TEXT, FIELD_MATCH),
	FIELD(body, FIELD_TEXT, FIELD_MATCH),
	FIELD(message_id, FIELD_TEXT, 0),
	FIELD(relates_to, FIELD_TEXT, 0),
	{PROTO_KEY("endpoint"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT, next_endpoint},
	{PROTO_KEY("types"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT, next_types},
	FIELD(method, FIELD_TEXT, FIELD_MATCH),
	FIELD(status, FIELD_U16, 0),
	HL7_TOLD_FIELDS(sdc),
	{""},
};

static void write_matches(const struct msg *m, struct json *j)
{
	proto_texts(j, "endpoint", next_endpoint, m);
	proto_texts(j, "types", next_types, m);
	proto_texts(j, "xaddrs", next_xaddrs, m);
}

static bool amid(const void *state, unsigned end)
{
	return ((const struct state *)state)->half[end].phase != HEAD;
}

const struct proto sdc_proto = {
	.name = "sdc",
	.over = PROTO_OVER_TCP | PROTO_OVER_UDP,
	.lines = true,
	.carrier = &http_proto,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct sdc),
	.msg_zero = offsetof(struct sdc, hl7.texts),
	.fields = fields,
	.probe = probe,
	.read = read_unit,
	.write = write_matches,
	.amid = amid,
};
