#include "guard/proto/tls.h"

#define RECORD_HEAD   5
#define HEARTBEAT_PAD 16u
#define HEAD	      4			       /* of a handshake message: its type and length */
#define MESSAGE_MAX   (PROTO_UNIT_MAX * 3 / 4) /* the rest is for heads of records */

enum content {
	CONTENT_CCS = 20,
	CONTENT_ALERT,
	CONTENT_HANDSHAKE,
	CONTENT_DATA,
	CONTENT_HEARTBEAT
};

/*
 * A handshake message on its way, seen as it is looked for in what is held: so
 * far `at` bytes were walked through, `have` of them the message's own.
 */
struct side {
	bool done;	    /* nothing of what follows can be read */
	uint8_t head[HEAD]; /* of the message being looked for */
	uint16_t left;	    /* of the record at `at` */
	uint16_t first;	    /* of the record at the beginning */
	uint32_t at, have;
	uint32_t pass; /* of a message that nobody wants */
};

struct state {
	struct side side[2];
	bool ssl2; /* began with a hello of SSL 2 */
	struct tls_kept kept;
};

_Static_assert(sizeof(struct state) <= PROTO_STATE_MAX, "state");
_Static_assert(sizeof(struct tls_msg) <= PROTO_MSG_MAX, "message");

static size_t head_len(const struct side *s)
{
	return (size_t)s->head[1] << 16 | s->head[2] << 8 | s->head[3];
}

static size_t wanted(const struct side *s)
{
	return s->have < HEAD ? HEAD : HEAD + head_len(s);
}

/* RFC 5246 §E.2: two bytes of length, a hello that offers SSL 2 and may offer more. */
static enum parse probe_ssl2(struct bytes b)
{
	struct reader r = reader_new(b.data, b.len);
	uint16_t len = read_be16(&r);
	uint8_t type = read_u8(&r);
	uint16_t version = read_be16(&r), ciphers = read_be16(&r), session = read_be16(&r);
	uint16_t challenge = read_be16(&r);

	if (b.len && !(b.data[0] & 0x80))
		return PARSE_BAD;
	if ((b.len > 2 && type != TLS_CLIENT_HELLO) ||
	    (b.len > 4 && version != 2 && (version < 0x300 || version > 0x303)))
		return PARSE_BAD;
	if (r.bad)
		return PARSE_MORE;
	if (!ciphers || ciphers % 3 || (session && session != 16) || challenge < 16 ||
	    challenge > 32 || (len & 0x7fff) != 9 + ciphers + session + challenge)
		return PARSE_BAD;
	return PARSE_OK;
}

static enum parse probe(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	uint8_t content = read_u8(&r), major = read_u8(&r), minor = read_u8(&r);
	uint16_t len = read_be16(&r);
	uint8_t type = read_u8(&r), high = read_u8(&r);

	if (!in->data.len)
		return PARSE_MORE;
	if (content & 0x80)
		return probe_ssl2(in->data);
	if (content != CONTENT_HANDSHAKE || (in->data.len > 1 && major != 3) ||
	    (in->data.len > 2 && minor > 4))
		return PARSE_BAD;
	if (r.bad)
		return PARSE_MORE;
	/* A record may hold one byte: what stands there then is the next one's head. */
	if (!len || len > TLS_RECORD_MAX || (len > 1 && high))
		return PARSE_BAD;
	return type == TLS_CLIENT_HELLO || type == TLS_SERVER_HELLO ? PARSE_OK : PARSE_BAD;
}

static enum parse broken(struct tls_msg *m, struct proto_output *out)
{
	m->msg.reason = REASON_TLS_MALFORMED;
	out->has_msg = true;
	return PARSE_BAD;
}

/* Nothing this end says from here on can be read. */
static enum parse finish(struct side *s, const struct proto_input *in, struct proto_output *out)
{
	s->done = true;
	out->used = in->data.len;
	out->skip = UINT64_MAX;
	return PARSE_OK;
}

static enum parse read_ssl2(struct state *st, const struct proto_input *in, struct tls_msg *m,
			    struct proto_output *out)
{
	struct reader r = reader_new(in->data.data, in->data.len);

	if (st->ssl2 && in->end != st->kept.client) {
		m->type = "server_hello";
		m->version = tls_version_name(2);
		out->has_msg = st->side[!in->end].done = true;
		return finish(&st->side[in->end], in, out);
	}

	if (probe_ssl2(in->data) == PARSE_MORE)
		return PARSE_MORE;
	if (probe_ssl2(in->data) == PARSE_BAD)
		return broken(m, out);
	read_skip(&r, 3);
	m->type = "client_hello";
	m->version = tls_version_name(read_be16(&r));
	/* It has no room for these, which are asked for. */
	m->sni = m->ja3 = m->ja4 = (struct bytes){in->data.data, 0};
	out->has_msg = st->ssl2 = st->kept.client_seen = true;
	st->kept.client = in->end;
	/* A server that knows better answers with records; the client goes on with them. */
	out->used = 11;
	out->skip = (uint64_t)((in->data.data[0] & 0x7f) << 8 | in->data.data[1]) + 2 - 11;
	return PARSE_OK;
}

/* A record's head at `at`; only those of the handshake may be walked into. */
static enum parse open_record(struct side *s, struct bytes in)
{
	struct reader r = {.in = in, .off = s->at};
	uint8_t content = read_u8(&r);
	uint16_t version = read_be16(&r), len = read_be16(&r);

	if (r.bad)
		return PARSE_MORE;
	if (content != CONTENT_HANDSHAKE || version >> 8 != 3 || !len || len > TLS_RECORD_MAX)
		return PARSE_BAD;
	s->left = len;
	s->at += RECORD_HEAD;
	return PARSE_OK;
}

/*
 * A chain of certificates can be longer than what may be held, and is then told
 * of without them; a hello never is.
 */
static bool is_held(const struct side *s)
{
	return tls_is_wanted(s->head[0]) && head_len(s) <= MESSAGE_MAX;
}

/*
 * Walks on until the whole message is there, or its head and nobody wants the
 * rest. Never back, so a message in records of one byte costs no more than one
 * in a single record.
 */
static enum parse walk(struct side *s, struct bytes in)
{
	while (s->have < wanted(s)) {
		size_t n = wanted(s) - s->have;

		if (!s->left) {
			enum parse got = open_record(s, in);

			if (got != PARSE_OK)
				return got;
		}
		if (n > s->left)
			n = s->left;
		if (n > in.len - s->at)
			n = in.len - s->at;
		if (!n)
			return PARSE_MORE;
		for (size_t i = 0; i < n && s->have + i < HEAD; i++)
			s->head[s->have + i] = in.data[s->at + i];
		s->at += (uint32_t)n;
		s->left -= (uint16_t)n;
		s->have += (uint32_t)n;
		if (s->have == HEAD && !is_held(s))
			break;
	}
	return PARSE_OK;
}

/* The message without the heads of the records it lies in. */
static size_t gather(const struct side *s, struct bytes in, uint8_t *whole)
{
	struct reader r = reader_new(in.data, in.len);
	size_t left = s->first, len = 0;

	while (len < s->have) {
		struct bytes part;

		if (!left) {
			read_skip(&r, 3);
			left = read_be16(&r);
		}
		part = read_bytes(&r, left < s->have - len ? left : s->have - len);
		if (!part.len)
			break;
		memcpy(whole + len, part.data, part.len);
		len += part.len;
		left -= part.len;
	}
	return len;
}

/* Its texts are copied out of `whole` by whoever keeps them: all but none of hellos do not. */
static __attribute__((noinline)) bool take_gathered(struct state *st, const struct proto_input *in,
						    struct tls_msg *m)
{
	const struct side *s = &st->side[in->end];
	uint8_t whole[PROTO_UNIT_MAX];
	size_t len = gather(s, in->data, whole);

	return tls_handshake(&st->kept, in, s->head[0], (struct bytes){whole + HEAD, len - HEAD},
			     false, m);
}

static bool take(struct state *st, const struct proto_input *in, struct tls_msg *m)
{
	const struct side *s = &st->side[in->end];
	size_t skipped = s->first ? 0 : RECORD_HEAD;

	if (s->have != s->at - skipped)
		return take_gathered(st, in, m);
	return tls_handshake(&st->kept, in, s->head[0],
			     (struct bytes){in->data.data + skipped + HEAD, s->have - HEAD}, false,
			     m);
}

/* Is all said that can be read of this end? */
static bool is_over(const struct state *st, unsigned end)
{
	bool client = st->kept.client_seen && end == st->kept.client;

	if (client)
		return false; /* a second hello, or a certificate, may follow */
	return st->kept.server_seen && !st->kept.pending;
}

static enum parse read_handshake(struct state *st, const struct proto_input *in, struct tls_msg *m,
				 struct proto_output *out)
{
	struct side *s = &st->side[in->end];
	enum parse got;

	if (!s->at)
		s->first = s->left;
	got = walk(s, in->data);
	if (got == PARSE_BAD)
		return broken(m, out);
	if (got == PARSE_MORE)
		return got;
	if (is_held(s)) {
		out->has_msg = take(st, in, m);
		if (m->msg.reason == REASON_TLS_MALFORMED)
			return PARSE_BAD;
	} else if (s->head[0] == TLS_CLIENT_HELLO || s->head[0] == TLS_SERVER_HELLO) {
		return broken(m, out);
	} else {
		out->has_msg = tls_no_certificate(&st->kept, in, s->head[0] == TLS_NEW_TICKET, m);
		s->pass = (uint32_t)head_len(s);
	}
	out->used = s->at;
	s->at = s->have = 0;
	if (!s->pass && is_over(st, in->end))
		return finish(s, in, out);
	return PARSE_OK;
}

/* The rest of a message that nobody wants, as far as its record goes. */
static enum parse pass(struct side *s, const struct proto_input *in, struct tls_msg *m,
		       struct proto_output *out)
{
	uint32_t n;

	if (!s->left) {
		enum parse got = open_record(s, in->data);

		if (got == PARSE_BAD)
			return broken(m, out);
		if (got == PARSE_MORE)
			return got;
		out->used = s->at;
		s->at = 0;
	}
	n = s->pass < s->left ? s->pass : s->left;
	s->pass -= n;
	s->left -= (uint16_t)n;
	out->skip = n;
	return PARSE_OK;
}

/* RFC 6520 §4: a heartbeat that asks for more than it brought reads its peer's memory. Padding of
 * sixteen bytes belongs to it. */
static bool is_heartbleed(struct reader body)
{
	uint8_t kind = read_u8(&body);
	uint16_t len = read_be16(&body);

	return kind == 1 && 3 + len + HEARTBEAT_PAD > body.in.len;
}

/* Behind STARTTLS nothing else has shown yet that this is TLS. */
static bool has_said_hello(const struct tls_kept *k, unsigned end)
{
	if (!k->client_seen && !k->server_seen)
		return false;
	return end == k->client ? k->client_seen : k->server_seen;
}

/* Before its server has said hello a client may say what it dares to (RFC 8446 §2.3), and another hello
 * behind that. */
static bool is_early(const struct tls_kept *k, const struct proto_input *in)
{
	return !k->server_seen && !in->midstream && !in->alone;
}

static enum parse read_record(struct state *st, const struct proto_input *in, struct tls_msg *m,
			      struct proto_output *out)
{
	struct side *s = &st->side[in->end];
	struct reader r = reader_new(in->data.data, in->data.len);
	uint8_t content = read_u8(&r);
	uint16_t version = read_be16(&r), len = read_be16(&r);

	if (r.bad)
		return PARSE_MORE;
	if (content < CONTENT_CCS || content > CONTENT_HEARTBEAT || version >> 8 != 3 ||
	    len > TLS_RECORD_MAX)
		return broken(m, out);
	if (content == CONTENT_HANDSHAKE)
		return read_handshake(st, in, m, out);
	if (content == CONTENT_HEARTBEAT) {
		struct reader body = read_sub(&r, len < 3 ? len : 3);

		if (body.bad)
			return PARSE_MORE;
		body.in.len = len;
		if (len >= 3 && is_heartbleed(body)) {
			m->msg.reason = REASON_TLS_HEARTBLEED;
			out->has_msg = true;
		}
	}
	out->used = RECORD_HEAD;
	out->skip = len;
	/* After a retry, a change of ciphers stands for nothing (RFC 8446 §D.4). */
	if (content == CONTENT_DATA || (content == CONTENT_CCS && !st->kept.retry)) {
		if (!has_said_hello(&st->kept, in->end) && !in->midstream)
			return broken(m, out);
		if (is_early(&st->kept, in))
			return PARSE_OK;
		out->has_msg = tls_no_certificate(&st->kept, in, true, m);
		return finish(s, in, out);
	}
	return PARSE_OK;
}

static enum parse tls_read(void *state, const struct proto_input *in, struct msg *ret_m,
			   struct proto_output *ret_out)
{
	struct tls_msg *m = (struct tls_msg *)ret_m;
	struct state *st = state;
	struct side *s = &st->side[in->end];

	if (s->done)
		return finish(s, in, ret_out);
	if (s->pass)
		return pass(s, in, m, ret_out);
	if (s->left || s->at)
		return read_handshake(st, in, m, ret_out);
	if (in->data.data[0] & 0x80 && (st->ssl2 || !st->kept.client_seen))
		return read_ssl2(st, in, m, ret_out);
	return read_record(st, in, m, ret_out);
}

const struct proto tls_proto = {
	.name = "tls",
	.over = PROTO_OVER_TCP,
	.unmarked = true,
	.seals = true,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct tls_msg),
	.msg_zero = offsetof(struct tls_msg, room),
	.fields = tls_fields,
	.probe = probe,
	.read = tls_read,
	.write = tls_write,
};
