#include "guard/proto/tls.h"

#define CONTENT_HANDSHAKE 22
#define CLIENT_HELLO	  1
#define SERVER_HELLO	  2
#define RECORD_MAX	  (16384 + 2048) /* RFC 5246 §6.2.3 */

enum extension { EXT_SERVER_NAME = 0, EXT_ALPN = 16, EXT_VERSIONS = 43 };

static void read_server_name(struct tls_hello *h, struct reader r)
{
	struct reader list = read_sub(&r, read_be16(&r));
	uint8_t kind = read_u8(&list);
	struct bytes name = read_bytes(&list, read_be16(&list));

	if (!list.bad && kind == 0)
		h->server_name = name;
}

static void read_alpn(struct tls_hello *h, struct reader r)
{
	struct reader list = read_sub(&r, read_be16(&r));
	struct bytes first = read_bytes(&list, read_u8(&list));

	if (!list.bad)
		h->alpn = first;
}

/* GREASE values (RFC 8701) are larger than any version, and mean none. */
static void read_versions(struct tls_hello *h, struct reader r)
{
	struct reader list = h->client ? read_sub(&r, read_u8(&r)) : r;

	while (reader_left(&list) >= 2) {
		uint16_t v = read_be16(&list);

		if (v <= 0x0304 && v > h->version)
			h->version = v;
	}
}

static void read_extensions(struct tls_hello *h, struct reader *r)
{
	while (reader_left(r)) {
		uint16_t type = read_be16(r);
		struct reader v = read_sub(r, read_be16(r));

		if (r->bad)
			return;
		if (type == EXT_SERVER_NAME && h->client)
			read_server_name(h, v);
		else if (type == EXT_ALPN)
			read_alpn(h, v);
		else if (type == EXT_VERSIONS)
			read_versions(h, v);
	}
}

static void read_body(struct tls_hello *h, struct reader *r)
{
	struct reader ext;
	size_t left;

	h->version = read_be16(r);
	read_skip(r, 32);	  /* random */
	read_skip(r, read_u8(r)); /* session */
	if (h->client) {
		read_skip(r, read_be16(r)); /* cipher suites */
		read_skip(r, read_u8(r));   /* compression methods */
	} else {
		read_skip(r, 3);
	}
	if (!reader_left(r))
		return; /* before TLS 1.2 there need be none */
	left = read_be16(r);
	/* Of a hello that is cut, the extensions that are there are still worth reading. */
	if (left > reader_left(r))
		left = reader_left(r);
	ext = read_sub(r, left);
	read_extensions(h, &ext);
}

enum parse tls_read_hello(struct bytes stream, struct tls_hello *ret_h)
{
	struct reader r = reader_new(stream.data, stream.len), body;
	uint8_t content = read_u8(&r), major = read_u8(&r), kind;
	size_t record, len;
	struct tls_hello h = {0};
	bool cut;

	read_u8(&r);
	record = read_be16(&r);
	kind = read_u8(&r);
	len = (size_t)read_u8(&r) << 16;
	len |= read_be16(&r);
	if (stream.len && (content != CONTENT_HANDSHAKE || (stream.len > 1 && major != 3)))
		return PARSE_BAD;
	if (r.bad) {
		*ret_h = h;
		return PARSE_MORE;
	}
	if (record < 4 || record > RECORD_MAX || (kind != CLIENT_HELLO && kind != SERVER_HELLO))
		return PARSE_BAD;
	h.client = kind == CLIENT_HELLO;
	/* Spread over several records: the first one's part must do. */
	cut = len > record - 4 || record - 4 > reader_left(&r);
	if (len > record - 4)
		len = record - 4;
	if (len > reader_left(&r))
		len = reader_left(&r);
	body = read_sub(&r, len);
	read_body(&h, &body);
	if (body.bad && !cut)
		return PARSE_BAD;
	*ret_h = h;
	return cut ? PARSE_MORE : PARSE_OK;
}
