#include "guard/proto/http.h"

#include <strings.h>

#define HEAD_MAX   8192
#define METHOD_MAX 20
#define FIELD_MAX  100

/* One line without its end; false where the end is not there yet. */
static bool read_line(struct reader *r, struct bytes *ret_line)
{
	const uint8_t *at = r->in.data + r->off, *end;
	size_t left = reader_left(r);

	end = left ? memchr(at, '\n', left) : NULL;
	if (!end)
		return false;
	*ret_line = read_bytes(r, (size_t)(end - at));
	read_u8(r);
	if (ret_line->len && ret_line->data[ret_line->len - 1] == '\r')
		ret_line->len--;
	return true;
}

static bool is_token(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if ((b.data[i] < 'A' || b.data[i] > 'Z') && b.data[i] != '-' && b.data[i] != '_')
			return false;
	return b.len > 0;
}

/* "GET /path HTTP/1.1" */
static bool read_request(struct bytes line, struct http_hints *h)
{
	const uint8_t *space = line.len ? memchr(line.data, ' ', line.len) : NULL;

	if (!space || line.len < 14 || memcmp(line.data + line.len - 9, " HTTP/1.", 8))
		return false;
	h->request = true;
	h->method = (struct bytes){line.data, (size_t)(space - line.data)};
	return h->method.len <= METHOD_MAX && is_token(h->method);
}

/* "HTTP/1.1 200 OK" */
static bool read_status(struct bytes line, struct http_hints *h)
{
	const uint8_t *b = line.data;

	if (line.len < 12 || memcmp(b, "HTTP/1.", 7) || b[8] != ' ')
		return false;
	for (int i = 9; i < 12; i++) {
		if (b[i] < '0' || b[i] > '9')
			return false;
		h->status = (uint16_t)(h->status * 10 + (b[i] - '0'));
	}
	return true;
}

static struct bytes trim(struct bytes b)
{
	while (b.len && (b.data[0] == ' ' || b.data[0] == '\t'))
		b.data++, b.len--;
	while (b.len && (b.data[b.len - 1] == ' ' || b.data[b.len - 1] == '\t'))
		b.len--;
	return b;
}

static void note_field(struct http_hints *h, struct bytes line)
{
	const struct {
		const char *name;
		struct bytes *value;
	} wanted[] = {{"Host", &h->host}, {"User-Agent", &h->user_agent}, {"Server", &h->server}};
	const uint8_t *colon = line.len ? memchr(line.data, ':', line.len) : NULL;
	size_t len = colon ? (size_t)(colon - line.data) : 0;

	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (len == strlen(wanted[i].name) && !wanted[i].value->len &&
		    !strncasecmp((const char *)line.data, wanted[i].name, len))
			*wanted[i].value = trim((struct bytes){colon + 1, line.len - len - 1});
}

/* Does it at least begin like one: decides between "more to come" and "never". */
static bool may_begin(struct bytes stream)
{
	size_t n = stream.len < METHOD_MAX ? stream.len : METHOD_MAX;
	size_t i = 0;

	if (!memcmp(stream.data, "HTTP/1.", n < 7 ? n : 7))
		return true;
	while (i < n && stream.data[i] >= 'A' && stream.data[i] <= 'Z')
		i++;
	return i && (i == n || stream.data[i] == ' ');
}

enum parse http_read_hints(struct bytes stream, struct http_hints *ret_h)
{
	struct reader r;
	struct http_hints h = {0};
	struct bytes line;

	if (stream.len > HEAD_MAX)
		stream.len = HEAD_MAX;
	r = reader_new(stream.data, stream.len);
	if (stream.len && !may_begin(stream))
		return PARSE_BAD;
	*ret_h = h;
	if (!read_line(&r, &line))
		return stream.len == HEAD_MAX ? PARSE_BAD : PARSE_MORE;
	if (!read_request(line, &h) && !read_status(line, &h))
		return PARSE_BAD;
	for (unsigned n = 0; n < FIELD_MAX; n++) {
		if (!read_line(&r, &line)) {
			*ret_h = h;
			return stream.len == HEAD_MAX ? PARSE_BAD : PARSE_MORE;
		}
		if (!line.len) {
			*ret_h = h;
			return PARSE_OK;
		}
		note_field(&h, line);
	}
	return PARSE_BAD;
}
