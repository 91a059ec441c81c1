#include "guard/proto/tls.h"

#define RECORD_HEAD  13
#define HEAD	     12 /* RFC 6347 §4.2.2 */
#define HELLO_VERIFY 3
#define WHOLE_MAX    2560 /* of messages in fragments: a hello, or a chain's first certificate */
#define WHOLE_LEAST  512  /* what one is worth being held for; else the other end's gives way */

enum content {
	CONTENT_CCS = 20,
	CONTENT_ALERT,
	CONTENT_HANDSHAKE,
	CONTENT_DATA,
	CONTENT_HEARTBEAT,
	CONTENT_CID, /* RFC 9146 */
	CONTENT_ACK, /* RFC 9147 §7 */
};

struct record {
	uint8_t content;
	uint16_t epoch;
	struct reader body;
};

/* What says of a fragment which message it belongs to (RFC 6347 §4.2.2), and where it lies in it. */
struct fragment {
	uint8_t type;
	uint16_t number;
	uint32_t len, offset;
	struct bytes part;
};

/* A message in fragments, in whatever order they come. */
struct whole {
	uint8_t type;
	uint16_t number;
	uint16_t at, wanted,
		missing; /* where in the state's bytes it lies, how many of it are waited for */
	uint32_t len;	 /* 0: there is none */
};

struct state {
	struct tls_kept kept;
	uint16_t left;	       /* of a record with several messages, in this datagram */
	struct whole whole[2]; /* of each end: of end 0 at the front, of end 1 at the back */
	uint8_t here[WHOLE_MAX / 8];
	uint8_t data[WHOLE_MAX];
};
_Static_assert(sizeof(struct state) <= PROTO_STATE_MAX, "state");

static bool is_version(uint16_t v)
{
	return v == 0xfeff || v == 0xfefd || v == 0xfefc;
}

static bool read_head(struct reader *r, struct record *ret_r)
{
	uint16_t version;

	ret_r->content = read_u8(r);
	version = read_be16(r);
	ret_r->epoch = read_be16(r);
	read_skip(r, 6); /* sequence number */
	ret_r->body = read_sub(r, read_be16(r));
	return !r->bad && is_version(version) && ret_r->content >= CONTENT_CCS &&
	       ret_r->content <= CONTENT_ACK && ret_r->content != CONTENT_CID;
}

/*
 * Encrypted in a form of its own: by DTLS 1.3 (RFC 9147 §4), or with a connection ID, whose length stands
 * before the record's and is known to its ends alone (RFC 9146 §4). What it comes with is as well.
 */
static bool is_sealed(struct bytes b)
{
	struct reader r = reader_new(b.data, b.len);
	uint8_t content = read_u8(&r);
	uint16_t version = read_be16(&r), epoch = read_be16(&r);

	return (content & 0xe0) == 0x20 ||
	       (content == CONTENT_CID && is_version(version) && epoch && b.len > RECORD_HEAD);
}

static enum parse probe(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct record rec;
	uint8_t type;

	if (!read_head(&r, &rec) || rec.content != CONTENT_HANDSHAKE || rec.epoch)
		return PARSE_BAD;
	type = read_u8(&rec.body);
	return rec.body.in.len >= HEAD && (type == TLS_CLIENT_HELLO || type == TLS_SERVER_HELLO)
		       ? PARSE_OK
		       : PARSE_BAD;
}

static uint32_t read_be24(struct reader *r)
{
	uint32_t high = read_u8(r);

	return high << 16 | read_be16(r);
}

static bool is_here(const struct state *st, uint32_t at)
{
	return st->here[at / 8] >> at % 8 & 1;
}

static bool is_of(const struct whole *w, const struct fragment *f)
{
	return w->len == f->len && w->type == f->type && w->number == f->number;
}

/* Of a message that is longer than there is room for its beginning says enough. */
static void begin_whole(struct state *st, unsigned end, const struct fragment *f)
{
	struct whole *w = &st->whole[end], *other = &st->whole[!end];
	uint32_t most = WHOLE_MAX - (other->len ? other->wanted : 0);

	if (f->len > most && most < WHOLE_LEAST) {
		other->len = 0;
		most = WHOLE_MAX;
	}
	*w = (struct whole){.type = f->type, .number = f->number, .len = f->len};
	w->wanted = w->missing = (uint16_t)(f->len < most ? f->len : most);
	w->at = end ? (uint16_t)(WHOLE_MAX - w->wanted) : 0;
	for (unsigned i = w->at; i < w->at + w->wanted; i++)
		st->here[i / 8] &= (uint8_t) ~(1 << i % 8);
}

/* False where a byte was another before: receivers take the one or the other. */
static bool add_fragment(struct state *st, struct whole *w, const struct fragment *f)
{
	for (uint32_t i = 0; i < f->part.len && f->offset + i < w->wanted; i++) {
		uint32_t at = w->at + f->offset + i;

		if (is_here(st, at) && st->data[at] != f->part.data[i])
			return false;
		w->missing -= !is_here(st, at);
		st->here[at / 8] |= (uint8_t)(1 << at % 8);
		st->data[at] = f->part.data[i];
	}
	return true;
}

/* What there is of it from the beginning on: all, or as much as came before its end went on to another. */
static bool take_whole(struct state *st, const struct proto_input *in, struct tls_msg *m)
{
	struct whole *w = &st->whole[in->end];
	uint32_t len = 0, whole = w->len;

	while (len < w->wanted && is_here(st, w->at + len))
		len++;
	w->len = 0;
	return tls_handshake(&st->kept, in, w->type, (struct bytes){st->data + w->at, len},
			     len < whole, m);
}

/* True where there is a message to tell; *ret_again: the fragment was not taken yet. */
static bool take_fragment(struct state *st, const struct proto_input *in, const struct fragment *f,
			  struct tls_msg *m, bool *ret_again)
{
	struct whole *w = &st->whole[in->end];

	/* Who never ends a hello shall not hide it. */
	if (w->len && !is_of(w, f) && take_whole(st, in, m)) {
		*ret_again = true;
		return true;
	}
	if (!is_of(w, f))
		begin_whole(st, in->end, f);
	if (!add_fragment(st, w, f)) {
		m->msg.reason = REASON_TLS_MALFORMED;
		return true;
	}
	return !w->missing && take_whole(st, in, m);
}

/* True where there is a message to tell. */
static bool read_handshake(struct state *st, const struct proto_input *in, struct reader *r,
			   struct tls_msg *m, bool *ret_again)
{
	struct fragment f = {.type = read_u8(r)};

	f.len = read_be24(r);
	f.number = read_be16(r);
	f.offset = read_be24(r);
	f.part = read_bytes(r, read_be24(r));
	if (r->bad || f.part.len > f.len || f.offset > f.len - f.part.len) {
		m->msg.reason = REASON_TLS_MALFORMED;
		return true;
	}
	if (!tls_is_wanted(f.type))
		return !f.offset && f.type != HELLO_VERIFY &&
		       tls_no_certificate(&st->kept, in, f.type == TLS_NEW_TICKET, m);
	if (f.part.len < f.len)
		return take_fragment(st, in, &f, m, ret_again);
	return tls_handshake(&st->kept, in, f.type, f.part, false, m);
}

/* RFC 6347 §4.2.3: a record may hold several messages; one of them is told at a time. */
static void read_handshakes(struct state *st, const struct proto_input *in, struct reader *r,
			    struct tls_msg *m, struct proto_output *out)
{
	bool again = false;
	size_t at;

	do {
		at = r->off;
		out->has_msg = read_handshake(st, in, r, m, &again);
	} while (!out->has_msg && reader_left(r));
	if (!again)
		at = r->off;
	out->used += at;
	st->left = (uint16_t)(r->in.len - at);
}

static enum parse dtls_read(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct tls_msg *m = (struct tls_msg *)ret_m;
	struct reader r = reader_new(in->data.data, in->data.len);
	struct state *st = state;
	struct record rec = {.content = CONTENT_HANDSHAKE};

	if (!st->left && is_sealed(in->data)) {
		ret_out->used = in->data.len;
		return PARSE_OK;
	}
	if (st->left) {
		rec.body = read_sub(&r, st->left);
	} else if (!read_head(&r, &rec)) {
		m->msg.reason = REASON_TLS_MALFORMED;
		ret_out->has_msg = true;
		return PARSE_BAD;
	}
	ret_out->used = r.off;
	if (rec.content == CONTENT_CCS || rec.epoch) {
		ret_out->has_msg = tls_no_certificate(&st->kept, in, true, m);
	} else if (rec.content == CONTENT_HANDSHAKE) {
		ret_out->used -= rec.body.in.len;
		read_handshakes(st, in, &rec.body, m, ret_out);
	}
	return m->msg.reason == REASON_TLS_MALFORMED ? PARSE_BAD : PARSE_OK;
}

/* Datagrams get lost; each stands for itself. */
static void gap(void *state, unsigned end, uint64_t bytes)
{
}

const struct proto dtls_proto = {
	.name = "dtls",
	.over = PROTO_OVER_UDP,
	.unmarked = true,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct tls_msg),
	.msg_zero = offsetof(struct tls_msg, room),
	.fields = tls_fields,
	.probe = probe,
	.read = dtls_read,
	.gap = gap,
	.write = tls_write,
};
