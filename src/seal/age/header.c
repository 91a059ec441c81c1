#include "seal/age/header.h"

#include <errno.h>

#include "base/secret.h"
#include "base/base64.h"

#define VERSION_LINE "age-encryption.org/v1\n"
#define STANZA	     "-> "
#define END	     "---"
#define MAC_DIGITS   43

static bool starts(const struct reader *r, const char *with)
{
	size_t n = strlen(with);

	return reader_left(r) >= n && memcmp(r->in.data + r->off, with, n) == 0;
}

/* Without its line feed. Bad where there is none. */
static struct bytes read_line(struct reader *r)
{
	const uint8_t *at = r->in.data + r->off, *end;
	struct bytes line = {NULL, 0};

	end = reader_left(r) ? memchr(at, '\n', reader_left(r)) : NULL;
	if (!end) {
		r->bad = true;
		return line;
	}
	line = read_bytes(r, (size_t)(end - at));
	read_skip(r, 1);
	return line;
}

/* argument = 1*VCHAR, with one space between two. Counts them; 0 is bad. */
static unsigned count_args(struct bytes args)
{
	unsigned count = 0;
	size_t in_one = 0;

	for (size_t i = 0; i < args.len; i++) {
		uint8_t c = args.data[i];

		if (c == ' ' ? !in_one : (c < 0x21 || c > 0x7e))
			return 0;
		count += c != ' ' && !in_one;
		in_one = c == ' ' ? 0 : in_one + 1;
	}
	return in_one ? count : 0;
}

bool age_stanza_next(struct reader *r, struct age_stanza *ret_stanza)
{
	struct age_stanza s = {.body_len = 0};
	uint8_t bytes[AGE_LINE_BYTES];
	struct bytes line;
	size_t len = 0;

	if (!starts(r, STANZA))
		return false;
	read_skip(r, strlen(STANZA));
	s.args = read_line(r);
	s.arg_count = count_args(s.args);
	r->bad |= !s.arg_count;
	s.type = age_stanza_arg(&s, 0);
	s.body_text.data = r->in.data + r->off;
	do {
		line = read_line(r);
		r->bad |=
			line.len > AGE_COLUMNS || base64_read(line, bytes, sizeof(bytes), &len) < 0;
		s.body_len += len;
	} while (!r->bad && line.len == AGE_COLUMNS);
	s.body_text.len = (size_t)(r->in.data + r->off - s.body_text.data);
	*ret_stanza = s;
	return !r->bad;
}

struct bytes age_stanza_arg(const struct age_stanza *s, unsigned n)
{
	struct bytes rest = s->args, arg = {NULL, 0};

	for (unsigned i = 0; i <= n && rest.len; i++) {
		const uint8_t *space = memchr(rest.data, ' ', rest.len);
		size_t len = space ? (size_t)(space - rest.data) : rest.len;

		if (i == n)
			arg = (struct bytes){rest.data, len};
		len += space != NULL;
		rest = (struct bytes){rest.data + len, rest.len - len};
	}
	return arg;
}

int age_stanza_body(const struct age_stanza *s, uint8_t *ret_body, size_t len)
{
	struct reader r = {.in = s->body_text};
	size_t off = 0;

	if (s->body_len != len)
		return -EMSGSIZE;
	while (reader_left(&r)) {
		size_t n = 0;

		if (base64_read(read_line(&r), ret_body + off, len - off, &n) < 0)
			return -EMSGSIZE;
		off += n;
	}
	return 0;
}

/* One of the lines that a header is made of can still become one with more bytes. */
static enum parse more(struct bytes in)
{
	return in.len < AGE_HEADER_MAX ? PARSE_MORE : PARSE_BAD;
}

/* The header's text, found by its last line: no line of a body can begin with a dash. */
static enum parse find_end(struct bytes in, struct bytes *ret_text)
{
	static const char last[] = "\n" END;
	const uint8_t *at, *end;

	if (in.len < strlen(VERSION_LINE))
		return memcmp(in.data, VERSION_LINE, in.len) == 0 ? PARSE_MORE : PARSE_BAD;
	if (memcmp(in.data, VERSION_LINE, strlen(VERSION_LINE)) != 0)
		return PARSE_BAD;
	at = memmem(in.data, in.len, last, strlen(last));
	if (!at)
		return more(in);
	end = memchr(at + 1, '\n', in.len - (size_t)(at + 1 - in.data));
	if (!end)
		return more(in);
	*ret_text = (struct bytes){in.data, (size_t)(end + 1 - in.data)};
	return ret_text->len > AGE_HEADER_MAX ? PARSE_BAD : PARSE_OK;
}

enum parse age_header_read(struct bytes in, struct age_header *ret_header)
{
	struct age_header h = {.stanza_count = 0};
	struct age_stanza s;
	struct bytes text = {NULL, 0};
	struct reader r;
	size_t len = 0;
	enum parse p = in.len ? find_end(in, &text) : PARSE_MORE;

	if (p != PARSE_OK)
		return p;
	r = reader_new(text.data, text.len);
	h.text = text;
	read_skip(&r, strlen(VERSION_LINE));
	h.stanzas.data = r.in.data + r.off;
	while (age_stanza_next(&r, &s))
		h.stanza_count++;
	h.stanzas.len = (size_t)(r.in.data + r.off - h.stanzas.data);
	if (r.bad || !h.stanza_count || !starts(&r, END " "))
		return PARSE_BAD;
	h.sealed = (struct bytes){text.data, r.off + strlen(END)};
	read_skip(&r, strlen(END " "));
	if (base64_read(read_line(&r), h.mac, sizeof(h.mac), &len) < 0 || len != sizeof(h.mac))
		return PARSE_BAD;
	*ret_header = h;
	return PARSE_OK;
}

static int header_mac(struct bytes sealed, const uint8_t file_key[AGE_FILE_KEY],
		      uint8_t ret_mac[CRYPTO_HASH])
{
	uint8_t key[CRYPTO_KEY];
	int r = crypto_hkdf((struct bytes){file_key, AGE_FILE_KEY}, (struct bytes){NULL, 0},
			    "header", key);

	if (r == 0)
		r = crypto_hmac((struct bytes){key, sizeof(key)}, sealed, ret_mac);
	secret_wipe(key, sizeof(key));
	return r;
}

int age_header_check(const struct age_header *h, const uint8_t file_key[AGE_FILE_KEY])
{
	uint8_t mac[CRYPTO_HASH];
	int r = header_mac(h->sealed, file_key, mac);

	if (r < 0)
		return r;
	return crypto_equal(mac, h->mac, sizeof(mac)) ? 0 : -EKEYREJECTED;
}

static void write_text(struct writer *w, const char *text)
{
	write_bytes(w, text, strlen(text));
}

void age_header_begin(struct writer *w)
{
	write_text(w, VERSION_LINE);
}

void age_header_stanza(struct writer *w, const char *args, const void *body, size_t len)
{
	const uint8_t *p = body;
	char line[AGE_COLUMNS];
	size_t n;

	write_text(w, STANZA);
	write_text(w, args);
	write_u8(w, '\n');
	do {
		n = len < AGE_LINE_BYTES ? len : AGE_LINE_BYTES;
		base64_write(p, n, line);
		write_bytes(w, line, BASE64_LEN(n));
		write_u8(w, '\n');
		if (n)
			p += n; /* an empty body may be nowhere */
		len -= n;
	} while (n == AGE_LINE_BYTES);
}

int age_header_end(struct writer *w, const uint8_t file_key[AGE_FILE_KEY])
{
	uint8_t mac[CRYPTO_HASH];
	char text[MAC_DIGITS];
	int r;

	write_text(w, END);
	if (w->bad)
		return -E2BIG;
	r = header_mac((struct bytes){w->data, w->len}, file_key, mac);
	if (r < 0)
		return r;
	base64_write(mac, sizeof(mac), text);
	write_u8(w, ' ');
	write_bytes(w, text, sizeof(text));
	write_u8(w, '\n');
	return w->bad ? -E2BIG : 0;
}
