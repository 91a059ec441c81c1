#include "seal/pki/est.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/base64.h"
#include "base/http_status.h"
#include "base/secret.h"

#define PATH "/.well-known/est/"

struct head {
	bool post, chunked, waits, basic, has_length;
	size_t length;
	struct bytes path, type, credentials;
};

static bool is(struct bytes b, const char *text)
{
	return b.len == strlen(text) && strncasecmp((const char *)b.data, text, b.len) == 0;
}

static struct bytes trim(struct bytes b)
{
	while (b.len && (*b.data == ' ' || *b.data == '\t'))
		b = (struct bytes){b.data + 1, b.len - 1};
	while (b.len && (b.data[b.len - 1] == ' ' || b.data[b.len - 1] == '\t'))
		b.len--;
	return b;
}

/* The next line without its CRLF (or LF); data NULL: none is whole. */
static struct bytes line_of(struct reader *r)
{
	const uint8_t *at = r->in.data + r->off;
	const uint8_t *end = memchr(at, '\n', reader_left(r));
	struct bytes line = {NULL, 0};

	if (!end)
		return line;
	line = (struct bytes){at, (size_t)(end - at)};
	read_skip(r, line.len + 1);
	if (line.len && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* RFC 9112 §3. */
static unsigned read_first(struct bytes line, struct head *h)
{
	const uint8_t *a = memchr(line.data, ' ', line.len), *b;
	struct bytes method;

	if (!a)
		return 400;
	method = (struct bytes){line.data, (size_t)(a - line.data)};
	b = memchr(a + 1, ' ', line.len - method.len - 1);
	if (!b || !is((struct bytes){b + 1, line.len - (size_t)(b + 1 - line.data)}, "HTTP/1.1"))
		return 505;
	h->path = (struct bytes){a + 1, (size_t)(b - a - 1)};
	h->post = is(method, "POST");
	return h->post || is(method, "GET") ? 0 : 405;
}

static unsigned read_length(struct bytes v, struct head *h)
{
	size_t n = 0;

	if (h->has_length || !v.len || v.len > 6)
		return v.len > 6 ? 413 : 400;
	for (size_t i = 0; i < v.len; i++) {
		if (v.data[i] < '0' || v.data[i] > '9')
			return 400;
		n = n * 10 + (size_t)(v.data[i] - '0');
	}
	h->has_length = true;
	h->length = n;
	return n > EST_BODY_MAX ? 413 : 0;
}

static unsigned read_header(struct bytes line, struct head *h)
{
	const uint8_t *colon = memchr(line.data, ':', line.len);
	struct bytes name, v;

	/* RFC 9112 §5.1 and §5.2: nothing between name and colon, no line that goes on. */
	if (!colon || colon == line.data || *line.data == ' ' || *line.data == '\t' ||
	    colon[-1] == ' ' || colon[-1] == '\t')
		return 400;
	name = (struct bytes){line.data, (size_t)(colon - line.data)};
	v = trim((struct bytes){colon + 1, line.len - name.len - 1});
	if (is(name, "Content-Length"))
		return read_length(v, h);
	if (is(name, "Transfer-Encoding"))
		return 411;
	if (is(name, "Expect"))
		h->waits = is(v, "100-continue");
	else if (is(name, "Content-Type"))
		h->type = v;
	else if (is(name, "Authorization")) {
		if (v.len < 6 || strncasecmp((const char *)v.data, "Basic ", 6) != 0)
			return 401;
		h->credentials = trim((struct bytes){v.data + 6, v.len - 6});
	}
	return 0;
}

/* RFC 7617 §2: what stands behind the first colon. */
static bool read_code(struct bytes base64, char ret_code[EST_CODE_MAX])
{
	uint8_t text[192];
	const char *colon;
	bool good = false;
	size_t len;

	if (base64_read_padded(base64, text, sizeof(text), &len) < 0)
		return false;
	colon = memchr(text, ':', len);
	if (colon && !memchr(text, 0, len)) {
		len -= (size_t)(colon + 1 - (char *)text);
		good = len < EST_CODE_MAX;
	}
	if (good) {
		memcpy(ret_code, colon + 1, len);
		ret_code[len] = 0;
	}
	secret_wipe(text, sizeof(text));
	return good;
}

static unsigned read_path(const struct head *h, enum est_call *ret_call)
{
	static const struct {
		const char *path;
		bool post;
		enum est_call call;
	} paths[] = {
		{PATH "cacerts", false, EST_CACERTS},
		{PATH "simpleenroll", true, EST_ENROLL},
		{PATH "simplereenroll", true, EST_REENROLL},
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (is(h->path, paths[i].path)) {
			*ret_call = paths[i].call;
			return paths[i].post == h->post ? 0 : 405;
		}
	return 404;
}

static unsigned check(const struct head *h, struct est_request *r)
{
	unsigned bad = read_path(h, &r->call);
	struct bytes type = h->type;
	const uint8_t *semicolon = type.len ? memchr(type.data, ';', type.len) : NULL;

	if (bad)
		return bad;
	if (h->credentials.len && !read_code(h->credentials, r->code))
		return 401;
	if (!h->post)
		return h->length ? 400 : 0;
	if (semicolon)
		type = trim((struct bytes){type.data, (size_t)(semicolon - type.data)});
	if (!h->has_length)
		return 411;
	return is(type, "application/pkcs10") ? 0 : 415;
}

enum parse est_read(struct bytes in, struct est_request *ret_r, unsigned *ret_status)
{
	struct reader r = reader_new(in.data, in.len);
	struct est_request q = {.code = ""};
	struct head h = {0};
	struct bytes line = line_of(&r);
	unsigned bad;

	*ret_status = 0;
	if (!line.data) {
		*ret_status = in.len > EST_HEAD_MAX ? 431 : 0;
		return *ret_status ? PARSE_BAD : PARSE_MORE;
	}
	bad = read_first(line, &h);
	while (!bad) {
		line = line_of(&r);
		if (!line.data) {
			*ret_status = in.len > EST_HEAD_MAX ? 431 : 0;
			return *ret_status ? PARSE_BAD : PARSE_MORE;
		}
		if (!line.len)
			break;
		bad = read_header(line, &h);
	}
	if (!bad)
		bad = check(&h, &q);
	if (bad) {
		*ret_status = bad;
		return PARSE_BAD;
	}
	if (reader_left(&r) < h.length) {
		*ret_status = h.waits && !reader_left(&r) ? 100 : 0;
		return PARSE_MORE;
	}
	q.body = read_bytes(&r, h.length);
	*ret_r = q;
	return PARSE_OK;
}

/* --- answers -------------------------------------------------------------------- */

char *est_refusal(unsigned status, const char *text, size_t *ret_len)
{
	char *answer;
	int len =
		asprintf(&answer,
			 "HTTP/1.1 %u %s\r\n%sContent-Type: text/plain; charset=utf-8\r\n"
			 "Content-Length: %zu\r\nConnection: close\r\nCache-Control: no-store\r\n"
			 "\r\n%s\n",
			 status, http_phrase(status),
			 status == 401 ? "WWW-Authenticate: Basic realm=\"one-time code\"\r\n" : "",
			 strlen(text) + 1, text);

	*ret_len = len > 0 ? (size_t)len : 0;
	return len > 0 ? answer : NULL;
}

/* RFC 8951 §3: base64, whose line breaks mean nothing. */
char *est_certificates(struct bytes der, bool enrolled, size_t *ret_len)
{
	size_t text_len = (der.len + 2) / 3 * 4;
	char *text = malloc(text_len + 1), *answer = NULL;
	int len = -1;

	if (text) {
		text[base64_write_padded(der.data, der.len, text)] = 0;
		len = asprintf(&answer,
			       "HTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime%s\r\n"
			       "Content-Transfer-Encoding: base64\r\nContent-Length: %zu\r\n"
			       "Connection: close\r\n\r\n%s",
			       enrolled ? "; smime-type=certs-only" : "", text_len, text);
	}
	free(text);
	*ret_len = len > 0 ? (size_t)len : 0;
	return len > 0 ? answer : NULL;
}
