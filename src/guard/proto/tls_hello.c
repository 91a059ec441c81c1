#include "guard/proto/tls_hello.h"

#include <stdio.h>

#include "base/digits.h"
#include "guard/proto/proto.h"

#define JA4_ITEMS 1024 /* ciphers or extensions: scanners offer every one that has a number */

enum extension {
	EXT_SERVER_NAME = 0,
	EXT_GROUPS = 10,
	EXT_POINT_FORMATS = 11,
	EXT_SIGNATURES = 13,
	EXT_ALPN = 16,
	EXT_VERSIONS = 43,
};

/* RFC 8701: values that mean nothing, offered so that nobody chokes on new ones. */
static bool is_grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

/* RFC 6066 §3: one name. False where there is another, of which servers would take the one or the other, or
 * where it is longer than any host's: some read it all the same. */
static bool read_server_name(struct tls_hello *h, struct reader r)
{
	struct reader list = read_sub(&r, read_be16(&r));
	uint8_t kind = read_u8(&list);
	struct bytes name = read_bytes(&list, read_be16(&list));

	if (!list.bad && kind == 0)
		h->server_name = name;
	return list.bad || (!reader_left(&list) && name.len <= TLS_NAME_MAX);
}

static void read_alpn(struct tls_hello *h, struct reader r)
{
	struct reader list = read_sub(&r, read_be16(&r));
	struct bytes first;

	if (list.bad)
		return;
	h->alpn_list = list.in;
	first = read_bytes(&list, read_u8(&list));
	if (!list.bad)
		h->alpn = first;
}

/* draft-ietf-tls-tls13 §4.1.2 up to its 28th; 0xfb: as Facebook's servers and clients had them. */
static bool is_draft(uint16_t v)
{
	return (v >= 0x7f0e && v <= 0x7f1c) || (v >= 0xfb14 && v <= 0xfb1a);
}

bool tls_is_1_3(uint16_t version)
{
	return version == 0x0304 || version == 0xfefc || is_draft(version);
}

/* Of two versions the higher one; 0: it is none. Drafts of TLS 1.3 are before it, and DTLS counts
 * downwards: 0xfeff is 1.0, 0xfefd 1.2, 0xfefc 1.3. */
static unsigned rank(uint16_t v, bool datagram)
{
	if (datagram)
		return v >= 0xfefc && v <= 0xfeff ? 0x10000u - v : 0;
	if (is_draft(v))
		return 0x030300u + (v & 0xff) + 1;
	return v >= 0x0300 && v <= 0x0304 ? (unsigned)v << 8 : 0;
}

static void read_versions(struct tls_hello *h, struct reader r)
{
	struct reader list = h->client ? read_sub(&r, read_u8(&r)) : r;
	unsigned best = 0;

	while (reader_left(&list) >= 2) {
		uint16_t v = read_be16(&list);

		if (rank(v, h->datagram) > best) {
			best = rank(v, h->datagram);
			h->version = v;
		}
	}
}

static struct bytes read_list(struct reader r, bool wide)
{
	struct bytes list = read_sub(&r, wide ? read_be16(&r) : read_u8(&r)).in;

	return r.bad ? (struct bytes){NULL, 0} : list;
}

/* False where it may be read in two ways. */
static bool read_extension(struct tls_hello *h, uint16_t type, struct reader v)
{
	switch (type) {
	case EXT_SERVER_NAME:
		return !h->client || read_server_name(h, v);
	case EXT_GROUPS:
		h->groups = read_list(v, true);
		break;
	case EXT_POINT_FORMATS:
		h->point_formats = read_list(v, false);
		break;
	case EXT_SIGNATURES:
		h->signatures = read_list(v, true);
		break;
	case EXT_ALPN:
		read_alpn(h, v);
		break;
	case EXT_VERSIONS:
		read_versions(h, v);
		break;
	}
	return true;
}

static bool read_extensions(struct tls_hello *h, struct reader *r)
{
	size_t start = r->off;

	while (reader_left(r)) {
		uint16_t type = read_be16(r);
		struct reader v = read_sub(r, read_be16(r));

		/* RFC 8446 §4.2: none twice. Of two names servers would take the one or the other. */
		if (r->bad || (type == EXT_SERVER_NAME && h->server_name.len))
			return false;
		h->extensions = (struct bytes){r->in.data + start, r->off - start};
		if (!read_extension(h, type, v))
			return false;
	}
	return true;
}

/* The random of a ServerHello that is none, RFC 8446 §4.1.3. */
static bool is_retry(struct bytes random)
{
	return random.len == 32 &&
	       !memcmp(random.data,
		       "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
		       "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c",
		       32);
}

bool tls_hello_read(struct bytes body, uint8_t type, bool datagram, struct tls_hello *ret_h)
{
	struct reader r = reader_new(body.data, body.len), ext;
	struct tls_hello *h = ret_h;
	struct bytes random;
	size_t len, left;

	*h = (struct tls_hello){.client = type == TLS_CLIENT_HELLO, .datagram = datagram};
	h->legacy = h->version = read_be16(&r);
	random = read_bytes(&r, 32);
	read_skip(&r, read_u8(&r)); /* session */
	if (h->client) {
		if (datagram)
			read_skip(&r, read_u8(&r)); /* cookie */
		h->ciphers = read_bytes(&r, read_be16(&r));
		read_skip(&r, read_u8(&r)); /* compression methods */
	} else {
		h->retry = is_retry(random);
		h->cipher = read_be16(&r);
		read_skip(&r, 1);
	}
	if (r.bad || h->ciphers.len % 2)
		return false;
	if (!reader_left(&r))
		return true; /* before TLS 1.2 there need be none */
	len = left = read_be16(&r);
	/* Of a hello that is cut, the extensions that are there are still worth reading. */
	if (left > reader_left(&r))
		left = reader_left(&r);
	ext = read_sub(&r, left);
	return read_extensions(h, &ext) && left == len && !r.bad;
}

enum parse tls_hello_first(struct bytes stream, struct tls_hello *ret_h)
{
	struct reader r = reader_new(stream.data, stream.len);
	uint8_t content = read_u8(&r), major = read_u8(&r), type;
	size_t record, len;
	struct tls_hello h = {0};
	bool cut, whole;

	read_u8(&r);
	record = read_be16(&r);
	type = read_u8(&r);
	len = (size_t)read_u8(&r) << 16;
	len |= read_be16(&r);
	if (stream.len && (content != TLS_CONTENT_HELLOS || (stream.len > 1 && major != 3)))
		return PARSE_BAD;
	if (r.bad) {
		*ret_h = h;
		return PARSE_MORE;
	}
	if (record < 4 || record > TLS_RECORD_MAX ||
	    (type != TLS_CLIENT_HELLO && type != TLS_SERVER_HELLO))
		return PARSE_BAD;
	/* Spread over several records: the first one's part must do. */
	cut = len > record - 4 || record - 4 > reader_left(&r);
	if (len > record - 4)
		len = record - 4;
	if (len > reader_left(&r))
		len = reader_left(&r);
	whole = tls_hello_read(read_bytes(&r, len), type, false, &h);
	if (!whole && !cut)
		return PARSE_BAD;
	*ret_h = h;
	return cut ? PARSE_MORE : PARSE_OK;
}

const char *tls_version_name(uint16_t version)
{
	static const struct proto_name names[] = {
		{0x0002, "SSLv2"},    {0x0300, "SSLv3"},    {0x0301, "TLSv1"},
		{0x0302, "TLS 1.1"},  {0x0303, "TLS 1.2"},  {0x0304, "TLS 1.3"},
		{0xfeff, "DTLS 1.0"}, {0xfefd, "DTLS 1.2"}, {0xfefc, "DTLS 1.3"},
	};
	static const char *const drafts[] = {
		"TLS 1.3 draft-14", "TLS 1.3 draft-15", "TLS 1.3 draft-16", "TLS 1.3 draft-17",
		"TLS 1.3 draft-18", "TLS 1.3 draft-19", "TLS 1.3 draft-20", "TLS 1.3 draft-21",
		"TLS 1.3 draft-22", "TLS 1.3 draft-23", "TLS 1.3 draft-24", "TLS 1.3 draft-25",
		"TLS 1.3 draft-26", "TLS 1.3 draft-27", "TLS 1.3 draft-28",
	};

	return is_draft(version) ? drafts[(version & 0xff) - 14] : PROTO_NAME(names, version);
}

/* A text that is hashed whole, some of it at a time, and kept as far as there is room. */
struct hashed {
	struct digest digest;
	struct writer *text; /* NULL: not kept */
	char piece[256];
	size_t len;
};

static void flush(struct hashed *t)
{
	digest_add(&t->digest, t->piece, t->len);
	if (t->text)
		write_bytes(t->text, t->piece, t->len);
	t->len = 0;
}

/* Where the next few characters go: a number and what is before it. */
static char *next(struct hashed *t)
{
	if (t->len + 1 + DIGITS_MAX > sizeof(t->piece))
		flush(t);
	return t->piece + t->len;
}

static void advance(struct hashed *t, const char *end)
{
	t->len = (size_t)(end - t->piece);
}

static void add(struct hashed *t, char c)
{
	char *at = next(t);

	*at = c;
	advance(t, at + 1);
}

static void add_number(struct hashed *t, uint16_t n, bool first)
{
	char *at = next(t);

	if (!first)
		*at++ = '-';
	advance(t, digits_decimal(at, n));
}

static void add_hex(struct hashed *t, uint16_t v, bool first)
{
	char *at = next(t);

	if (!first)
		*at++ = ',';
	advance(t, digits_hex(at, v, 4));
}

static void add_list(struct hashed *t, struct bytes list, bool wide)
{
	struct reader r = reader_new(list.data, list.len);
	bool first = true;

	add(t, ',');
	while (reader_left(&r) >= (wide ? 2 : 1)) {
		uint16_t v = wide ? read_be16(&r) : read_u8(&r);

		if (wide && is_grease(v))
			continue;
		add_number(t, v, first);
		first = false;
	}
}

static void add_extensions(struct hashed *t, struct bytes extensions)
{
	struct reader r = reader_new(extensions.data, extensions.len);
	bool first = true;

	add(t, ',');
	while (reader_left(&r)) {
		uint16_t type = read_be16(&r);

		read_skip(&r, read_be16(&r));
		if (is_grease(type))
			continue;
		add_number(t, type, first);
		first = false;
	}
}

void tls_ja3(const struct tls_hello *h, char ret_hash[TLS_JA3_LEN], struct writer *text)
{
	struct hashed t = {.digest = digest_new(DIGEST_MD5), .text = text};
	char hex[DIGEST_HEX_MAX];

	add_number(&t, h->legacy, true);
	if (h->client) {
		add_list(&t, h->ciphers, true);
		add_extensions(&t, h->extensions);
		add_list(&t, h->groups, true);
		add_list(&t, h->point_formats, false);
	} else {
		add(&t, ',');
		add_number(&t, h->cipher, true);
		add_extensions(&t, h->extensions);
	}
	flush(&t);
	digest_hex(&t.digest, hex);
	memcpy(ret_hash, hex, TLS_JA3_LEN);
}

/* A list of JA4, as its text needs it: without what means nothing, sorted. */
struct items {
	uint16_t v[JA4_ITEMS];
	unsigned count;
	bool full;
};

static void add_item(struct items *s, uint16_t v)
{
	if (is_grease(v))
		return;
	if (s->count == JA4_ITEMS)
		s->full = true;
	else
		s->v[s->count++] = v;
}

/* By the low byte, then by the high one: no order that a sender chooses takes longer than another. */
static void sort(struct items *s)
{
	uint16_t other[JA4_ITEMS];

	for (unsigned shift = 0; shift < 16; shift += 8) {
		uint16_t at[257] = {0};

		for (unsigned i = 0; i < s->count; i++)
			at[(s->v[i] >> shift & 255) + 1]++;
		for (unsigned i = 1; i < 256; i++)
			at[i] += at[i - 1];
		for (unsigned i = 0; i < s->count; i++)
			other[at[s->v[i] >> shift & 255]++] = s->v[i];
		memcpy(s->v, other, s->count * sizeof(*other));
	}
}

#define JA4_HASH 12

static void put_hash(char *at, struct hashed *t, bool any)
{
	char hex[DIGEST_HEX_MAX] = "000000000000";

	flush(t);
	if (any)
		digest_hex(&t->digest, hex);
	memcpy(at, hex, JA4_HASH);
}

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void put_alpn(char at[2], struct bytes alpn)
{
	static const char digits[] = "0123456789abcdef";

	memcpy(at, "00", 2);
	if (!alpn.len)
		return;
	at[0] = (char)alpn.data[0];
	at[1] = (char)alpn.data[alpn.len - 1];
	if (is_alnum((uint8_t)at[0]) && is_alnum((uint8_t)at[1]))
		return;
	at[0] = digits[alpn.data[0] >> 4];
	at[1] = digits[alpn.data[alpn.len - 1] & 15];
}

static const char *ja4_version(uint16_t version)
{
	static const struct proto_name names[] = {
		{0x0002, "s2"}, {0x0300, "s3"}, {0x0301, "10"}, {0x0302, "11"}, {0x0303, "12"},
		{0x0304, "13"}, {0xfeff, "d1"}, {0xfefd, "d2"}, {0xfefc, "d3"},
	};
	const char *name = PROTO_NAME(names, version);

	return name ? name : "00";
}

static void hash_ciphers(const struct items *ciphers, char *at)
{
	struct hashed t = {.digest = digest_new(DIGEST_SHA256)};

	for (unsigned i = 0; i < ciphers->count; i++)
		add_hex(&t, ciphers->v[i], i == 0);
	put_hash(at, &t, ciphers->count);
}

/* The sorted extensions but SNI and ALPN, then the signature algorithms in their own order. */
static void hash_extensions(const struct items *extensions, struct bytes signatures, char *at)
{
	struct hashed t = {.digest = digest_new(DIGEST_SHA256)};
	struct reader r = reader_new(signatures.data, signatures.len);
	bool any = false, first = true;

	for (unsigned i = 0; i < extensions->count; i++) {
		if (extensions->v[i] == EXT_SERVER_NAME || extensions->v[i] == EXT_ALPN)
			continue;
		add_hex(&t, extensions->v[i], !any);
		any = true;
	}
	while (reader_left(&r) >= 2) {
		uint16_t v = read_be16(&r);

		if (is_grease(v))
			continue;
		if (first)
			add(&t, '_');
		add_hex(&t, v, first);
		first = false;
	}
	put_hash(at, &t, any);
}

void tls_ja4(const struct tls_hello *h, char ret_ja4[TLS_JA4_LEN])
{
	struct items ciphers, extensions;
	struct reader r = reader_new(h->ciphers.data, h->ciphers.len);
	bool named = false;

	ciphers.count = extensions.count = ciphers.full = extensions.full = 0;
	while (reader_left(&r) >= 2)
		add_item(&ciphers, read_be16(&r));
	r = reader_new(h->extensions.data, h->extensions.len);
	while (reader_left(&r)) {
		uint16_t type = read_be16(&r);

		read_skip(&r, read_be16(&r));
		named |= type == EXT_SERVER_NAME;
		add_item(&extensions, type);
	}
	ret_ja4[0] = 0;
	if (ciphers.full || extensions.full)
		return;
	sort(&ciphers);
	sort(&extensions);
	snprintf(ret_ja4, 11, "%c%s%c%02u%02u", h->datagram ? 'd' : 't', ja4_version(h->version),
		 named ? 'd' : 'i', ciphers.count < 99 ? ciphers.count : 99,
		 extensions.count < 99 ? extensions.count : 99);
	put_alpn(ret_ja4 + 8, h->alpn);
	ret_ja4[10] = '_';
	hash_ciphers(&ciphers, ret_ja4 + 11);
	ret_ja4[23] = '_';
	hash_extensions(&extensions, h->signatures, ret_ja4 + 24);
	ret_ja4[36] = 0;
}
