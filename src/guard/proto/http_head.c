#include "guard/proto/http_head.h"

#include "guard/proto/coding.h"
#include "guard/proto/head.h"
#include "guard/proto/logins.h"

#define METHOD_MAX 20
#define FIELD_MAX  200

/* Small letters are no method's that is known (RFC 9110 §9.1); small servers take them all the same. */
static bool is_token(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		uint8_t c = b.data[i] | 0x20;

		if ((c < 'a' || c > 'z') && b.data[i] != '-' && b.data[i] != '_')
			return false;
	}
	return b.len > 0;
}

/* "GET /path" of HTTP/0.9: whoever still serves that answers the line alone, and reads no field. */
static bool read_old_request(struct bytes line, struct http_head *h)
{
	h->request = true;
	h->method = head_before(line, " ");
	if (!head_is(h->method, "GET") || line.len < 5 || line.data[4] != '/' ||
	    memchr(line.data + 4, ' ', line.len - 4))
		return false;
	h->target = (struct bytes){line.data + 4, line.len - 4};
	h->reason = REASON_HTTP_MALFORMED;
	return true;
}

/* RFC 9113 §3.4: HTTP/2 from the first word on, of which nothing can be read. */
static bool read_preface(struct bytes line, struct http_head *h)
{
	h->request = true;
	h->method = (struct bytes){line.data, 3};
	h->target = (struct bytes){line.data + 4, 1};
	h->protocol = (struct bytes){line.data + 6, 8};
	h->reason = REASON_HTTP_VERSION;
	return head_is(line, "PRI * HTTP/2.0");
}

/* "GET /path HTTP/1.1" */
static bool read_request(struct bytes line, struct http_head *h)
{
	const uint8_t *space = line.len ? memchr(line.data, ' ', line.len) : NULL;
	uint8_t minor;

	if (!space || line.len < 14 || memcmp(line.data + line.len - 9, " HTTP/1.", 8) ||
	    space >= line.data + line.len - 9) /* no target between the two spaces */
		return false;
	minor = line.data[line.len - 1];
	h->request = true;
	h->method = (struct bytes){line.data, (size_t)(space - line.data)};
	if (h->method.len > METHOD_MAX || !is_token(h->method) || minor < '0' || minor > '9')
		return false;
	h->minor = (uint8_t)(minor - '0');
	h->protocol = (struct bytes){line.data + line.len - 8, 8};
	h->target = (struct bytes){space + 1, line.len - h->method.len - 1 - 9};
	return h->target.len > 0;
}

/* "HTTP/1.1 200 OK" */
static bool read_status(struct bytes line, struct http_head *h)
{
	const uint8_t *b = line.data;

	if (line.len < 12 || memcmp(b, "HTTP/1.", 7) || b[7] < '0' || b[7] > '9' || b[8] != ' ')
		return false;
	for (int i = 9; i < 12; i++) {
		if (b[i] < '0' || b[i] > '9')
			return false;
		h->status = (uint16_t)(h->status * 10 + (b[i] - '0'));
	}
	h->minor = (uint8_t)(b[7] - '0');
	h->protocol = (struct bytes){b, 8};
	return h->status >= 100;
}

/* RFC 9110 §8.6: digits; the same ones twice are one, anything else is two lengths. */
static void note_length(struct http_head *h, struct bytes value)
{
	while (value.len) {
		struct bytes one = head_before(value, ",");
		uint64_t n;

		if (!head_number(head_trim(one), &n) || (h->has_length && n != h->length)) {
			h->reason = REASON_HTTP_SMUGGLING;
			return;
		}
		h->length = n;
		h->has_length = true;
		if (one.len == value.len)
			return;
		value = (struct bytes){one.data + one.len + 1, value.len - one.len - 1};
	}
	if (!h->has_length)
		h->reason = REASON_HTTP_SMUGGLING;
}

/* RFC 9112 §6.1: "chunked" once, and last. Others than compressions are nothing anybody sends. */
static void note_encoding(struct http_head *h, struct bytes value)
{
	while (!h->reason) {
		struct bytes one = head_before(value, ",");
		struct bytes name = head_trim(one);

		if (h->chunked)
			h->reason = REASON_HTTP_SMUGGLING;
		else if (head_is(name, "chunked"))
			h->chunked = true;
		else if (!head_is(name, "gzip") && !head_is(name, "deflate") &&
			 !head_is(name, "compress") && !head_is(name, "identity"))
			h->reason = REASON_HTTP_SMUGGLING;
		if (one.len == value.len)
			return;
		value = (struct bytes){one.data + one.len + 1, value.len - one.len - 1};
	}
}

/* The fields by which a message's end and its addressee are found: no two ways to read them. */
static bool note_framing(struct http_head *h, const struct head_field *f)
{
	bool length = head_is(f->name, "Content-Length");
	bool encoding = head_is(f->name, "Transfer-Encoding");
	bool host = head_is(f->name, "Host");

	if (!length && !encoding && !host)
		return false;
	if (f->odd || f->oddly_set || f->folded || (host && h->request && h->host.data))
		h->reason = REASON_HTTP_SMUGGLING;
	if (length)
		note_length(h, f->value);
	else if (encoding)
		note_encoding(h, f->value);
	else if (!h->host.data)
		h->host = f->value;
	return true;
}

/* What stands in for the method or the target where a server believes it: said once, or in two ways. */
static void note_meant(struct http_head *h, const struct head_field *f)
{
	bool method = head_is(f->name, "X-HTTP-Method") ||
		      head_is(f->name, "X-HTTP-Method-Override") ||
		      head_is(f->name, "X-Method-Override");
	bool target = head_is(f->name, "X-Original-URL") || head_is(f->name, "X-Rewrite-URL");
	struct bytes *to = method ? &h->override : &h->rewritten;

	if (!method && !target)
		return;
	if (to->data)
		h->reason = REASON_HTTP_SMUGGLING;
	*to = f->value;
}

/* One that says nothing does not stand for one that does. */
static void note_coding(struct http_head *h, struct bytes value)
{
	if (!h->content_encoding.data || head_is(h->content_encoding, "identity"))
		h->content_encoding = value;
	h->coding = (uint8_t)coding_note(h->coding, value);
}

static void note_field(struct http_head *h, const struct head_field *f)
{
	const struct {
		const char *name;
		struct bytes *value;
	} wanted[] = {
		{"User-Agent", &h->user_agent},
		{"Server", &h->server},
		{"Content-Type", &h->content_type},
		{"Referer", &h->referer},
		{"Location", &h->location},
		{"Authorization", &h->authorization},
		{"Sec-WebSocket-Protocol", &h->websocket_protocol},
		{"Sec-WebSocket-Extensions", &h->websocket_extensions},
	};

	if (note_framing(h, f))
		return;
	if (f->name.len && (f->name.data[0] | 0x20) == 'x') {
		note_meant(h, f);
		return;
	}
	if (head_is(f->name, "Upgrade")) {
		h->upgrade = true;
		h->h2c |= memmem(f->value.data, f->value.len, "h2c", 3) != NULL;
		h->websocket |= head_is(f->value, "websocket");
	}
	if (head_is(f->name, "Content-Type")) {
		if (h->content_type.data)
			h->other_type = f->value;
		h->parts |= head_is(head_before(f->value, "/"), "multipart");
	}
	if (head_is(f->name, "Content-Encoding"))
		note_coding(h, f->value);
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!wanted[i].value->data && head_is(f->name, wanted[i].name))
			*wanted[i].value = f->value;
}

/* Does it at least begin like one: decides between "more to come" and "never". */
static bool may_begin(struct bytes stream)
{
	size_t n = stream.len < METHOD_MAX ? stream.len : METHOD_MAX;
	size_t i = 0;

	if (!memcmp(stream.data, "HTTP/1.", n < 7 ? n : 7))
		return true;
	while (i < n && (is_token((struct bytes){stream.data + i, 1})))
		i++;
	return i && (i == n || stream.data[i] == ' ');
}

/* Bytes that one reader takes for an end and another for nothing. */
static bool has_stray(struct bytes head)
{
	for (size_t i = 0; i < head.len; i++)
		if (!head.data[i] ||
		    (head.data[i] == '\r' && i + 1 < head.len && head.data[i + 1] != '\n'))
			return true;
	return false;
}

static void judge(struct http_head *h, struct bytes head)
{
	if (h->chunked && (h->has_length || !h->minor))
		h->reason = REASON_HTTP_SMUGGLING;
	if (!h->reason && has_stray(head))
		h->reason = REASON_HTTP_MALFORMED;
}

bool http_head_is_old(struct bytes stream)
{
	struct reader r = reader_new(stream.data, stream.len);
	struct http_head h = {.request = false};
	struct bytes line;

	return head_line(&r, &line) && read_old_request(line, &h);
}

enum parse http_head_probe(struct bytes stream)
{
	struct reader r = reader_new(stream.data, stream.len);
	struct http_head h = {.request = false};
	struct bytes line;

	if (!stream.len)
		return PARSE_MORE;
	if (!may_begin(stream))
		return PARSE_BAD;
	if (!head_line(&r, &line))
		return stream.len >= HTTP_HEAD_MAX ? PARSE_BAD : PARSE_MORE;
	return read_request(line, &h) || read_status(line, &h) || read_old_request(line, &h) ||
			       read_preface(line, &h)
		       ? PARSE_OK
		       : PARSE_BAD;
}

enum parse http_head_read(struct bytes stream, struct http_head *ret_h)
{
	struct reader r;
	struct http_head h = {.request = false};
	struct bytes line;

	if (stream.len > HTTP_HEAD_MAX)
		stream.len = HTTP_HEAD_MAX;
	r = reader_new(stream.data, stream.len);
	if (stream.len && !may_begin(stream))
		return PARSE_BAD;
	*ret_h = h;
	if (!head_line(&r, &line))
		return stream.len == HTTP_HEAD_MAX ? PARSE_BAD : PARSE_MORE;
	if (!read_request(line, &h) && !read_status(line, &h)) {
		if (!read_old_request(line, &h) && !read_preface(line, &h))
			return PARSE_BAD;
		*ret_h = h;
		return PARSE_OK;
	}
	for (unsigned n = 0; n < FIELD_MAX; n++) {
		struct reader before = r;
		struct head_field f;

		if (head_field(&r, &f)) {
			note_field(&h, &f);
			continue;
		}
		if (r.off > before.off) {
			judge(&h, (struct bytes){stream.data, r.off});
			*ret_h = h;
			return PARSE_OK;
		}
		*ret_h = h;
		return stream.len == HTTP_HEAD_MAX ? PARSE_BAD : PARSE_MORE;
	}
	return PARSE_BAD;
}

bool http_default_login(struct bytes authorization)
{
	struct bytes scheme = head_before(authorization, " "), text, user;
	uint8_t plain[48];
	size_t len;

	if (!head_is(scheme, "Basic"))
		return false;
	text = head_trim((struct bytes){scheme.data + scheme.len, authorization.len - scheme.len});
	len = login_decode(text, plain, sizeof(plain));
	user = head_before((struct bytes){plain, len}, ":");
	if (len == sizeof(plain) || user.len == len)
		return false;
	return login_is_default(user, (struct bytes){plain + user.len + 1, len - user.len - 1});
}
