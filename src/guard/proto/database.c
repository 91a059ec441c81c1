#include "guard/proto/database.h"

#include "guard/proto/tls.h"

#define STEP_MAX 16384 /* bytes of one step of a login */

struct state {
	bool over;   /* nothing is read any more */
	bool began;  /* the client has said who it is */
	bool asked;  /* something of the other end's, that is to be answered next */
	bool clear;  /* a password in clear text is asked for */
	bool secret; /* some proof is */
};

static enum parse tell(struct proto_output *out, size_t used)
{
	out->has_msg = true;
	out->used = used;
	return PARSE_OK;
}

static enum parse pass(struct proto_output *out, size_t used, size_t all)
{
	out->used = used < all ? used : all;
	out->skip = all - out->used;
	return PARSE_OK;
}

static enum parse broken(struct database_msg *m, struct proto_output *out)
{
	m->msg.reason = REASON_DATABASE_MALFORMED;
	out->has_msg = true;
	return PARSE_BAD;
}

static void let_in(struct state *st, struct database_msg *m)
{
	m->login = "succeeded";
	m->no_password = !st->secret;
	m->unencrypted = st->over = true;
	m->msg.answer = true;
}

static void refused(struct state *st, struct database_msg *m)
{
	m->login = "failed";
	m->msg.answer = st->over = true;
}

static enum parse sealed(struct state *st, const struct proto *by, struct database_msg *m,
			 struct proto_output *out, size_t used)
{
	m->encrypted = st->over = true;
	m->msg.opens = out->next = by;
	return tell(out, used);
}

/* Whoever comes late reads nothing: a login is at the beginning or nowhere. */
static bool is_through(struct state *st, const struct proto_input *in, struct proto_output *out)
{
	if (!st->over && !in->midstream)
		return false;
	out->used = in->data.len;
	out->skip = UINT64_MAX;
	return true;
}

static void gap(void *state, unsigned end, uint64_t bytes)
{
	((struct state *)state)->over = true;
}

/*
 * PostgreSQL 15's manual, §55.7. What a client says first has no type, but a length and a version, or a
 * number that stands for a question.
 */
#define PG_VERSION 3 /* and less after it */
#define PG_CANCEL  80877102
#define PG_TLS	   80877103
#define PG_GSS	   80877104

static bool pg_is_first(uint32_t len, uint32_t code)
{
	return len >= 8 && len <= STEP_MAX &&
	       (code >> 16 == PG_VERSION || (code >= PG_CANCEL && code <= PG_GSS));
}

static enum parse pgsql_probe(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	uint32_t len, code;

	if (in->end || (in->midstream && !in->expected) || in->data.data[0])
		return PARSE_BAD;
	if (in->data.len < 8)
		return !in->last ? PARSE_MORE : PARSE_BAD;
	len = read_be32(&r);
	code = read_be32(&r);
	return pg_is_first(len, code) ? PARSE_OK : PARSE_BAD;
}

static enum parse pg_begin(struct state *st, const struct proto_input *in, struct database_msg *m,
			   struct proto_output *out)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	uint32_t len, code;

	if (in->data.len < 8)
		return PARSE_MORE;
	len = read_be32(&r);
	code = read_be32(&r);
	if (!pg_is_first(len, code))
		return broken(m, out);
	st->asked = code == PG_TLS || code == PG_GSS;
	st->began = code >> 16 == PG_VERSION;
	st->over = code == PG_CANCEL;
	return pass(out, in->data.len, len);
}

enum { PG_LET_IN = 0, PG_PASSWORD = 3 };

static enum parse pg_login(struct state *st, const struct proto_input *in, struct database_msg *m,
			   struct proto_output *out)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	uint8_t type = read_u8(&r);
	uint32_t len = read_be32(&r), how = type == 'R' ? read_be32(&r) : 0;

	if (r.bad)
		return PARSE_MORE;
	if (len < 4 || len > STEP_MAX)
		return broken(m, out);
	pass(out, in->data.len, 1 + (size_t)len);
	if (in->end && type == 'E')
		refused(st, m);
	else if (in->end && type == 'R' && how == PG_LET_IN)
		let_in(st, m);
	else if (in->end && type == 'R') {
		st->clear = how == PG_PASSWORD;
		st->secret = true;
		return PARSE_OK;
	} else if (!in->end && type == 'p' && st->clear)
		m->login = "password";
	else
		return PARSE_OK;
	return tell(out, out->used);
}

static enum parse pgsql_read(void *state, const struct proto_input *in, struct msg *ret_m,
			     struct proto_output *ret_out)
{
	struct database_msg *m = (struct database_msg *)ret_m;
	struct state *st = state;

	if (is_through(st, in, ret_out))
		return PARSE_OK;
	if (!in->end && !st->began)
		return pg_begin(st, in, m, ret_out);
	if (!in->end || !st->asked)
		return pg_login(st, in, m, ret_out);
	st->asked = false;
	if (in->data.data[0] == 'N')
		return pass(ret_out, 1, 1);
	if (in->data.data[0] != 'S' && in->data.data[0] != 'G')
		return broken(m, ret_out);
	return sealed(st, in->data.data[0] == 'S' ? &tls_proto : NULL, m, ret_out, 1);
}

/* MySQL 8's internals, "Connection Phase": three bytes of length, one that counts, and what it is. */
#define MYSQL_PORT     3306
#define MYSQL_HEAD     4
#define MYSQL_PROTOCOL 10
#define MYSQL_TLS      0x800
#define MYSQL_OK       0
#define MYSQL_SWITCH   0xfe
#define MYSQL_ERROR    0xff
#define MYSQL_CLEAR    "mysql_clear_password"
#define MYSQL_VERSION  64 /* longest */

static uint32_t mysql_length(struct bytes b)
{
	return b.data[0] | (uint32_t)b.data[1] << 8 | (uint32_t)b.data[2] << 16;
}

/* A server that has no room for another client, or none for this one, greets with an error. */
static bool mysql_turns_away(const struct proto_input *in)
{
	const uint8_t *b = in->data.data;

	return in->data.len > MYSQL_HEAD && !b[2] && !b[3] && b[MYSQL_HEAD] == MYSQL_ERROR &&
	       (in->port[1] == MYSQL_PORT || in->expected);
}

static enum parse mysql_probe(const struct proto_input *in)
{
	static const uint8_t begin[] = {0, 0, MYSQL_PROTOCOL};
	size_t n = in->data.len;

	if (!in->end || (in->midstream && !in->expected))
		return PARSE_BAD;
	if (mysql_turns_away(in))
		return PARSE_OK;
	for (size_t i = 2; i < 5 && i < n; i++)
		if (in->data.data[i] != begin[i - 2])
			return PARSE_BAD;
	for (size_t i = 5; i < n; i++) {
		if (!in->data.data[i])
			return i > 5 ? PARSE_OK : PARSE_BAD;
		if (in->data.data[i] < ' ' || in->data.data[i] > '~' || i > MYSQL_VERSION)
			return PARSE_BAD;
	}
	return in->last ? PARSE_BAD : PARSE_MORE;
}

static bool mysql_asks_clear(struct bytes b)
{
	return b.len >= MYSQL_HEAD + 1 + sizeof(MYSQL_CLEAR) &&
	       !memcmp(b.data + MYSQL_HEAD + 1, MYSQL_CLEAR, sizeof(MYSQL_CLEAR));
}

static enum parse mysql_answer(struct state *st, struct bytes b, struct database_msg *m,
			       struct proto_output *out)
{
	switch (b.data[MYSQL_HEAD]) {
	case MYSQL_OK:
		let_in(st, m);
		return tell(out, b.len);
	case MYSQL_ERROR:
		refused(st, m);
		return tell(out, b.len);
	case MYSQL_SWITCH:
		st->clear = mysql_asks_clear(b);
		break;
	}
	return PARSE_OK;
}

static enum parse mysql_read(void *state, const struct proto_input *in, struct msg *ret_m,
			     struct proto_output *ret_out)
{
	struct database_msg *m = (struct database_msg *)ret_m;
	struct bytes b = in->data;
	struct state *st = state;
	struct reader r;
	size_t all;

	if (is_through(st, in, ret_out))
		return PARSE_OK;
	if (b.len < MYSQL_HEAD)
		return PARSE_MORE;
	all = MYSQL_HEAD + (size_t)mysql_length(b);
	if (all > STEP_MAX)
		return broken(m, ret_out);
	if (b.len < all)
		return PARSE_MORE;
	b.len = all;
	pass(ret_out, all, all);
	if (all == MYSQL_HEAD)
		return PARSE_OK;
	if (in->end)
		return st->began ? mysql_answer(st, b, m, ret_out) : PARSE_OK;
	r = reader_new(b.data + MYSQL_HEAD, all - MYSQL_HEAD);
	if (!st->began && read_le32(&r) & MYSQL_TLS)
		return sealed(st, &tls_proto, m, ret_out, all);
	st->secret = true; /* what it proves is not read */
	st->began = true;
	if (!st->clear)
		return PARSE_OK;
	m->login = "password";
	return tell(ret_out, all);
}

/* MS-TDS §2.2.3.1: packets of a type and a length; §2.2.6.4 LOGIN7, §2.2.6.5 PRELOGIN. */
#define TDS_HEAD     8
#define TDS_ANSWER   4
#define TDS_LOGIN    0x10
#define TDS_PRELOGIN 0x12
#define TDS_END	     0xff
#define TDS_PASSWORD (TDS_HEAD + 46) /* its length in LOGIN7 */

enum tds_option { TDS_VERSION, TDS_ENCRYPTION };
enum tds_encryption { TDS_OF_LOGIN, TDS_ON, TDS_NONE, TDS_REQUIRED };

static enum parse tds_probe(const struct proto_input *in)
{
	/* A first packet that is the last, whose first option is its version. */
	static const int begin[] = {TDS_PRELOGIN, 1, -1, -1, 0, 0, -1, 0, TDS_VERSION};

	if (in->end || (in->midstream && !in->expected))
		return PARSE_BAD;
	for (size_t i = 0; i < sizeof(begin) / sizeof(begin[0]); i++) {
		if (i == in->data.len)
			return in->last ? PARSE_BAD : PARSE_MORE;
		if (begin[i] >= 0 && in->data.data[i] != begin[i])
			return PARSE_BAD;
	}
	return PARSE_OK;
}

/* What the server chose; without a word of it, nothing. */
static uint8_t tds_encryption(struct bytes b)
{
	struct reader r = reader_new(b.data, b.len);
	uint8_t option;

	while ((option = read_u8(&r)) != TDS_END && !r.bad) {
		uint16_t at = read_be16(&r), len = read_be16(&r);

		if (option == TDS_ENCRYPTION && len && at < b.len)
			return b.data[at];
	}
	return TDS_NONE;
}

static bool tds_has_password(struct bytes b)
{
	return b.len >= TDS_PASSWORD + 2 && (b.data[TDS_PASSWORD] || b.data[TDS_PASSWORD + 1]);
}

static enum parse tds_packet(struct state *st, unsigned end, struct bytes b, struct database_msg *m,
			     struct proto_output *out)
{
	uint8_t chosen;

	if (end && !st->began && b.data[0] == TDS_ANSWER) {
		chosen = tds_encryption((struct bytes){b.data + TDS_HEAD, b.len - TDS_HEAD});
		st->began = true;
		m->msg.answer = true;
		if (chosen == TDS_ON || chosen == TDS_REQUIRED) /* in packets of TDS's own */
			return sealed(st, NULL, m, out, b.len);
		m->unencrypted = true;
		st->over |= chosen == TDS_OF_LOGIN; /* which is behind TLS then, and nothing else */
		return tell(out, b.len);
	}
	if (end || b.data[0] != TDS_LOGIN)
		return PARSE_OK;
	/* Its password is turned over and XORed, which anybody undoes (§2.2.6.4). */
	st->over = true;
	if (!tds_has_password(b))
		return PARSE_OK;
	m->login = "password";
	return tell(out, b.len);
}

static enum parse tds_read(void *state, const struct proto_input *in, struct msg *ret_m,
			   struct proto_output *ret_out)
{
	struct database_msg *m = (struct database_msg *)ret_m;
	struct bytes b = in->data;
	struct state *st = state;
	size_t all;

	if (is_through(st, in, ret_out))
		return PARSE_OK;
	if (b.len < TDS_HEAD)
		return PARSE_MORE;
	all = (size_t)(b.data[2] << 8 | b.data[3]);
	if (all < TDS_HEAD || all > STEP_MAX)
		return broken(m, ret_out);
	if (b.len < all)
		return PARSE_MORE;
	b.len = all;
	pass(ret_out, all, all);
	return tds_packet(st, in->end, b, m, ret_out);
}

#define FIELD(name, member, type, flags)                                            \
	{                                                                           \
		PROTO_KEY(name), offsetof(struct database_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("login", login, FIELD_NAME, 0),
	FIELD("no_password", no_password, FIELD_BOOL, 0),
	FIELD("encrypted", encrypted, FIELD_BOOL, 0),
	FIELD("unencrypted", unencrypted, FIELD_BOOL, 0),
	{""},
};

#define DATABASE(database, leads)                        \
	const struct proto database##_proto = {          \
		.name = #database,                       \
		.over = PROTO_OVER_TCP,                  \
		.unmarked = true,                        \
		.leads_to = leads,                       \
		.state_size = sizeof(struct state),      \
		.msg_size = sizeof(struct database_msg), \
		.fields = fields,                        \
		.probe = database##_probe,               \
		.read = database##_read,                 \
		.gap = gap,                              \
	}

DATABASE(pgsql, &tls_proto);
DATABASE(mysql, &tls_proto);
DATABASE(tds, NULL);
