#include "guard/proto/tls.h"

#include <stdio.h>

#include "base/clock.h"
#include "guard/proto/tls_cipher.h"

#define NAMES_TOLD 32 /* of a certificate */

bool tls_is_wanted(uint8_t type)
{
	return type == TLS_CLIENT_HELLO || type == TLS_SERVER_HELLO || type == TLS_CERTIFICATE;
}

/* The rest of the message's own room, to be written to. */
static struct writer begin(struct tls_msg *m)
{
	return writer_new(m->room + m->room_used, sizeof(m->room) - m->room_used);
}

static struct bytes end(struct tls_msg *m, const struct writer *w)
{
	m->room_used += w->len;
	return (struct bytes){w->data, w->len};
}

static struct bytes kept_text(const void *data, size_t len)
{
	return (struct bytes){len ? data : NULL, len};
}

static void put_client(const struct tls_kept *k, struct tls_msg *m)
{
	m->sni = kept_text(k->sni, k->sni_len);
	m->ja3 = kept_text(k->ja3, strlen(k->ja3));
	m->ja4 = kept_text(k->ja4, strlen(k->ja4));
	m->client_alpns = kept_text(k->client_alpns, k->client_alpns_len);
}

static void put_cipher(struct tls_msg *m, uint16_t cipher)
{
	const char *name = tls_cipher_name(cipher);
	struct writer w = begin(m);
	char hex[8];

	if (!name) {
		snprintf(hex, sizeof(hex), "0x%04x", cipher);
		name = hex;
	}
	write_bytes(&w, name, strlen(name));
	m->cipher = end(m, &w);
}

/* Everything known of the opening so far, told with the server's part of it. */
static void put_server(struct tls_kept *k, struct tls_msg *m)
{
	m->type = "server_hello";
	m->version = tls_version_name(k->version);
	put_client(k, m);
	put_cipher(m, k->cipher);
	m->ja3s = kept_text(k->ja3s, strlen(k->ja3s));
	m->ja3s_text = kept_text(k->ja3s_text, k->ja3s_text_len);
	m->server_alpns = kept_text(k->server_alpns, k->server_alpns_len);
	k->pending = false;
}

static uint8_t keep(void *room, size_t cap, struct bytes b)
{
	if (b.len > cap || !b.len)
		return 0;
	memcpy(room, b.data, b.len);
	return (uint8_t)b.len;
}

/* Of a list of names as many as there is room for. */
static uint8_t keep_alpns(uint8_t room[TLS_ALPN_MAX], struct bytes list)
{
	struct reader r = reader_new(list.data, list.len);
	size_t len = 0;

	while (reader_left(&r)) {
		read_bytes(&r, read_u8(&r));
		if (r.bad || r.off > TLS_ALPN_MAX)
			break;
		len = r.off;
	}
	return keep(room, TLS_ALPN_MAX, (struct bytes){list.data, len});
}

static void put_client_hello(struct tls_kept *k, const struct proto_input *in,
			     const struct tls_hello *h, struct tls_msg *m)
{
	struct writer w = begin(m);

	if (w.cap > TLS_JA3_TEXT)
		w.cap = TLS_JA3_TEXT;
	k->client_seen = true;
	k->client = in->end;
	k->sni_len = keep(k->sni, sizeof(k->sni), h->server_name);
	k->client_alpns_len = keep_alpns(k->client_alpns, h->alpn_list);
	tls_ja3(h, k->ja3, &w);
	tls_ja4(h, k->ja4);
	if (!w.bad)
		m->ja3_text = end(m, &w);
	m->type = "client_hello";
	m->version = tls_version_name(h->version);
	put_client(k, m);
	/* What it does not have is asked for all the same. */
	if (!m->sni.data)
		m->sni = (struct bytes){(const uint8_t *)k->sni, 0};
	if (!m->ja4.data)
		m->ja4 = (struct bytes){(const uint8_t *)k->ja4, 0};
}

static bool take_server_hello(struct tls_kept *k, const struct proto_input *in,
			      const struct tls_hello *h, struct tls_msg *m)
{
	struct writer w = writer_new(k->ja3s_text, sizeof(k->ja3s_text));

	k->retry = h->retry;
	if (h->retry)
		return false;
	k->server_seen = true;
	if (!k->client_seen)
		k->client = !in->end;
	k->version = h->version;
	k->cipher = h->cipher;
	k->server_alpns_len = keep_alpns(k->server_alpns, h->alpn_list);
	tls_ja3(h, k->ja3s, &w);
	k->ja3s_text_len = w.bad ? 0 : (uint8_t)w.len;
	k->pending = true;
	if (!tls_is_1_3(h->version))
		return false;
	put_server(k, m);
	return true;
}

static struct bytes put_pairs(struct tls_msg *m, struct bytes b)
{
	static const char digits[] = "0123456789ABCDEF";
	struct writer w = begin(m);

	for (size_t i = 0; i < b.len && i < TLS_SERIAL_MAX / 3; i++) {
		const char pair[2] = {digits[b.data[i] >> 4], digits[b.data[i] & 15]};

		if (i)
			write_u8(&w, ':');
		write_bytes(&w, pair, 2);
	}
	return end(m, &w);
}

static struct bytes put_name(struct tls_msg *m, struct bytes name)
{
	struct writer w = begin(m);

	if (w.cap > TLS_DN_MAX)
		w.cap = TLS_DN_MAX;
	x509_name(name, &w);
	return end(m, &w);
}

static struct bytes put_time(struct tls_msg *m, int64_t t)
{
	struct writer w = begin(m);
	char text[X509_TIME_LEN];

	x509_time(t, text);
	write_bytes(&w, text, strlen(text));
	return end(m, &w);
}

static struct bytes put_fingerprint(struct tls_msg *m, struct bytes der)
{
	struct digest d = digest_new(DIGEST_SHA1);
	struct writer w = begin(m);
	char hex[DIGEST_HEX_MAX];

	digest_add(&d, der.data, der.len);
	digest_hex(&d, hex);
	for (unsigned i = 0; i < TLS_PRINT_LEN; i += 3) {
		if (i)
			write_u8(&w, ':');
		write_bytes(&w, hex + i / 3 * 2, 2);
	}
	return end(m, &w);
}

static void put_certificate(struct tls_msg *m, struct bytes der, uint64_t time_ns)
{
	int64_t now = (int64_t)(time_ns / NSEC_PER_SEC);
	struct x509 x;

	if (x509_read(der, &x) != PARSE_OK) {
		m->msg.reason = REASON_TLS_CERTIFICATE;
		return;
	}
	m->names = x.names;
	m->subject = put_name(m, x.subject);
	m->issuer = put_name(m, x.issuer);
	m->serial = put_pairs(m, x.serial);
	m->fingerprint = put_fingerprint(m, der);
	m->not_before = put_time(m, x.not_before);
	m->not_after = put_time(m, x.not_after);
	m->self_signed = x.self_signed;
	m->expired = now > x.not_after;
	m->early = now < x.not_before;
}

/* RFC 5246 §7.4.2: the end's own certificate comes first. */
static bool take_certificate(struct tls_kept *k, const struct proto_input *in, struct bytes body,
			     bool cut, struct tls_msg *m)
{
	struct reader r = reader_new(body.data, body.len);
	bool from_client = k->client_seen && in->end == k->client, server = k->pending;
	struct bytes der;
	size_t len;

	if (from_client)
		m->type = "client_certificate";
	else if (server)
		put_server(k, m);
	else
		return false;
	read_skip(&r, 3);
	len = (size_t)read_u8(&r) << 16;
	len |= read_be16(&r);
	der = read_bytes(&r, len);
	if (der.len)
		put_certificate(m, der, in->time_ns);
	else if (r.bad && !cut && body.len != 3)
		m->msg.reason = REASON_TLS_CERTIFICATE;
	return server || der.len || m->msg.reason;
}

bool tls_no_certificate(struct tls_kept *k, const struct proto_input *in, bool resumed,
			struct tls_msg *ret_m)
{
	if (!k->pending || (k->client_seen && in->end == k->client))
		return false;
	put_server(k, ret_m);
	ret_m->resumed = resumed;
	return true;
}

bool tls_handshake(struct tls_kept *k, const struct proto_input *in, uint8_t type,
		   struct bytes body, bool cut, struct tls_msg *ret_m)
{
	struct tls_hello h;
	bool is_hello = type == TLS_CLIENT_HELLO || type == TLS_SERVER_HELLO;

	if (is_hello && !tls_hello_read(body, type, in->datagram, &h) && !cut) {
		ret_m->type = h.client ? "client_hello" : "server_hello";
		ret_m->version = tls_version_name(h.version);
		ret_m->msg.reason = REASON_TLS_MALFORMED;
		return true;
	}
	switch (type) {
	case TLS_CLIENT_HELLO:
		put_client_hello(k, in, &h, ret_m);
		return true;
	case TLS_SERVER_HELLO:
		return take_server_hello(k, in, &h, ret_m);
	case TLS_CERTIFICATE:
		return take_certificate(k, in, body, cut, ret_m);
	default:
		return false;
	}
}

/* Every name that the certificate is good for, one a call; an address lies in the message. */
static struct bytes next_name(const struct msg *msg, size_t *at)
{
	struct tls_msg *m = (struct tls_msg *)(uintptr_t)msg; /* for `address` */

	return x509_next_name(m->names, at, m->address);
}

#define FIELD(name, member, type, flags)                                       \
	{                                                                      \
		PROTO_KEY(name), offsetof(struct tls_msg, member), type, flags \
	}
const struct proto_field tls_fields[] = {
	FIELD("type", type, FIELD_NAME, 0),
	FIELD("sni", sni, FIELD_TEXT, FIELD_MATCH | FIELD_CASELESS | FIELD_MUST),
	FIELD("version", version, FIELD_NAME, FIELD_MATCH),
	FIELD("cipher", cipher, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	FIELD("subject", subject, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	FIELD("issuerdn", issuer, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	FIELD("serial", serial, FIELD_TEXT, 0),
	FIELD("fingerprint", fingerprint, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	FIELD("notbefore", not_before, FIELD_TEXT, 0),
	FIELD("notafter", not_after, FIELD_TEXT, 0),
	FIELD("session_resumed", resumed, FIELD_BOOL, 0),
	FIELD("self_signed", self_signed, FIELD_BOOL, 0),
	FIELD("expired", expired, FIELD_BOOL, 0),
	FIELD("not_yet_valid", early, FIELD_BOOL, 0),
	FIELD("ja3.hash", ja3, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES | FIELD_INNER | FIELD_MUST),
	FIELD("ja3.string", ja3_text, FIELD_TEXT, FIELD_INNER),
	FIELD("ja3s.hash", ja3s, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES | FIELD_INNER),
	FIELD("ja3s.string", ja3s_text, FIELD_TEXT, FIELD_INNER),
	FIELD("ja4", ja4, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES | FIELD_MUST),
	{PROTO_KEY("subjectaltname"), 0, FIELD_LIST,
	 FIELD_MATCH | FIELD_VARIES | FIELD_SILENT | FIELD_CASELESS, next_name},
	{""},
};

static void write_alpns(struct json *j, const char *key, struct bytes list)
{
	struct reader r = reader_new(list.data, list.len);

	if (!list.len)
		return;
	json_list(j, key);
	while (reader_left(&r)) {
		struct bytes name = read_bytes(&r, read_u8(&r));

		if (name.len)
			json_text(j, NULL, name);
	}
	json_end(j);
}

/* Some servers have one certificate for hundreds of names. */
static void write_names(struct json *j, const struct tls_msg *m)
{
	struct bytes name;
	size_t at = 0;

	if (!m->names.len)
		return;
	json_list(j, "subjectaltname");
	for (unsigned n = 0; n < NAMES_TOLD && proto_room(j); n++) {
		name = next_name(&m->msg, &at);
		if (!name.data)
			break;
		proto_text(j, NULL, name);
	}
	json_end(j);
}

void tls_write(const struct msg *msg, struct json *j)
{
	const struct tls_msg *m = (const struct tls_msg *)msg;

	write_alpns(j, "client_alpns", m->client_alpns);
	write_alpns(j, "server_alpns", m->server_alpns);
	write_names(j, m);
}
