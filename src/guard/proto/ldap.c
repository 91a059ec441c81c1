#include "guard/proto/ldap.h"

#include "guard/proto/ber.h"
#include "guard/proto/head.h"
#include "guard/proto/logins.h"
#include "guard/proto/tls.h"

#define PORT 389
#define LOOK \
	2048 /* at the beginning of a message; of those that are longer the rest is passed over */

#define ENUMERATED 0x0a
#define SIMPLE	   0x80 /* of AuthenticationChoice, and requestName of an extended one */
#define SASL	   0xa3
#define START_TLS  "1.3.6.1.4.1.1466.20037"  /* RFC 4511 §4.14.1 */
#define WHO_AM_I   "1.3.6.1.4.1.4203.1.11.3" /* RFC 4532 */

enum operation {
	BIND = 0x60,
	BOUND = 0x61,
	ENTRY = 0x64,
	EXTENDED = 0x77,
	EXTENDED_ANSWER = 0x78,
};

#define ANSWER	1 /* the server's */
#define CONTROL 2
#define OBJECT	4 /* begins with the name of the entry it is about; or is nothing else */
#define RESULT	8 /* begins with one (§4.1.9) */
#define SILENT	16

static const struct {
	uint8_t tag, flags;
	const char *name;
} operations[] = {
	{BIND, 0, "bind_request"},
	{BOUND, ANSWER | RESULT, "bind_response"},
	{0x42, 0, "unbind_request"},
	{0x63, OBJECT, "search_request"},
	{ENTRY, ANSWER | OBJECT | SILENT, "search_result_entry"},
	{0x65, ANSWER | RESULT, "search_result_done"},
	{0x73, ANSWER | SILENT, "search_result_reference"},
	{0x66, OBJECT | CONTROL, "modify_request"},
	{0x67, ANSWER | RESULT, "modify_response"},
	{0x68, OBJECT | CONTROL, "add_request"},
	{0x69, ANSWER | RESULT, "add_response"},
	{0x4a, OBJECT | CONTROL, "del_request"},
	{0x6b, ANSWER | RESULT, "del_response"},
	{0x6c, OBJECT | CONTROL, "mod_dn_request"},
	{0x6d, ANSWER | RESULT, "mod_dn_response"},
	{0x6e, OBJECT, "compare_request"},
	{0x6f, ANSWER | RESULT, "compare_response"},
	{0x50, 0, "abandon_request"},
	{EXTENDED, CONTROL, "extended_request"},
	{EXTENDED_ANSWER, ANSWER | RESULT, "extended_response"},
	{0x79, ANSWER | SILENT, "intermediate_response"},
};

/* RFC 4511 §A.1, those that are met. */
static const struct proto_name results[] = {
	{0, "success"},
	{1, "operations_error"},
	{2, "protocol_error"},
	{4, "size_limit_exceeded"},
	{5, "compare_false"},
	{6, "compare_true"},
	{7, "auth_method_not_supported"},
	{8, "stronger_auth_required"},
	{10, "referral"},
	{13, "confidentiality_required"},
	{14, "sasl_bind_in_progress"},
	{16, "no_such_attribute"},
	{32, "no_such_object"},
	{34, "invalid_dn_syntax"},
	{48, "inappropriate_authentication"},
	{49, "invalid_credentials"},
	{50, "insufficient_access_rights"},
	{53, "unwilling_to_perform"},
	{68, "entry_already_exists"},
};

struct state {
	bool encrypted;
	bool asked_sasl;
	bool asked_name; /* the last bind named somebody */
	bool named;	 /* the client is known to be somebody */
	bool as_default;
	bool gave; /* an entry to nobody */
	uint8_t failed;
	uint32_t tls; /* the message that asks for it; 0 none */
};

/* What is there of the next element. */
static struct reader begin(struct reader *r, uint8_t *ret_tag)
{
	size_t len = ber_read_head(r, ret_tag), left = reader_left(r);

	return read_sub(r, len < left ? len : left);
}

/* The distinguished name's first value: "cn=admin,dc=ward" is admin. */
static struct bytes first_value(struct bytes name)
{
	size_t at = head_before(name, "=").len + 1;

	return at < name.len ? head_before((struct bytes){name.data + at, name.len - at}, ",+")
			     : name;
}

/* §4.2, RFC 4513 §5.1: without a name, or without a password, one is nobody. */
static void read_bind(struct state *st, struct reader body, struct ldap_msg *m)
{
	struct reader auth;
	uint8_t tag;

	ber_read_int(&body);
	m->name = ber_expect(&body, BER_OCTET_STRING).in;
	auth = begin(&body, &tag);
	st->as_default = false;
	if (tag == SASL) {
		m->mechanism = ber_expect(&auth, BER_OCTET_STRING).in;
		st->asked_sasl = st->asked_name = true;
	} else if (tag == SIMPLE) {
		st->asked_name = m->name.len && auth.in.len;
		m->login = st->asked_name ? "password" : "anonymous";
		st->as_default = login_is_default(first_value(m->name), auth.in);
	}
	if (body.bad || auth.bad)
		m->msg.reason = REASON_LDAP_MALFORMED;
}

static void read_extended(struct state *st, struct reader body, struct ldap_msg *m)
{
	uint8_t tag;
	struct bytes oid = ber_read(&body, &tag).in;

	if (tag != SIMPLE)
		m->msg.reason = REASON_LDAP_MALFORMED;
	if (head_is(oid, START_TLS)) {
		st->tls = m->id;
		m->msg.opens = &tls_proto;
	}
	m->msg.control = !head_is(oid, WHO_AM_I);
}

static void bound(struct state *st, struct ldap_msg *m)
{
	if (m->result_code == 14)
		return; /* more is asked for */
	st->named = !m->result_code && st->asked_name;
	m->login = m->result_code ? "failed" : "succeeded";
	m->default_login = !m->result_code && st->as_default;
	if (!m->result_code)
		return;
	m->failed_logins = ++st->failed;
	if (st->failed >= LOGIN_GUESSES)
		m->msg.reason = REASON_LOGIN_GUESSING;
}

static void read_result(struct state *st, unsigned tag, struct reader *body, struct ldap_msg *m)
{
	struct reader code = ber_expect(body, ENUMERATED);

	m->result_code = read_u8(&code);
	if (code.bad || reader_left(&code)) {
		m->msg.reason = REASON_LDAP_MALFORMED;
		return;
	}
	m->result = PROTO_NAME(results, m->result_code);
	if (tag == BOUND)
		bound(st, m);
	else if (tag == EXTENDED_ANSWER && st->tls && m->id == st->tls) {
		m->msg.opens = &tls_proto;
		m->encrypted = st->encrypted = !m->result_code;
		st->tls = m->encrypted ? st->tls : 0;
	}
}

/* False where it is not told. */
static bool read_object(struct state *st, unsigned tag, struct reader body, struct ldap_msg *m)
{
	uint8_t found = BER_OCTET_STRING;
	struct reader object = tag == 0x4a ? body : begin(&body, &found);

	if (found != BER_OCTET_STRING || object.bad)
		m->msg.reason = REASON_LDAP_MALFORMED;
	m->unencrypted = object.in.len > 0; /* what a server says of itself is no secret */
	if (tag != ENTRY)
		return true;
	m->no_password = m->unencrypted && !st->named && !st->gave;
	st->gave |= m->no_password;
	return m->no_password || m->msg.reason != REASON_NONE;
}

/* False where nothing is told of it. */
static bool read_message(struct state *st, struct reader r, unsigned end, struct ldap_msg *m)
{
	struct reader body;
	uint8_t tag;
	unsigned i = 0;
	bool told = true;

	m->id = (uint32_t)ber_read_int(&r);
	body = begin(&r, &tag);
	while (i < sizeof(operations) / sizeof(operations[0]) && operations[i].tag != tag)
		i++;
	if (r.bad || i == sizeof(operations) / sizeof(operations[0]) ||
	    (operations[i].flags & ANSWER) != end) {
		m->msg.reason = REASON_LDAP_MALFORMED;
		return true;
	}
	m->operation = operations[i].name;
	m->msg.answer = end;
	m->msg.control = operations[i].flags & CONTROL;
	if (tag == BIND)
		read_bind(st, body, m);
	else if (tag == EXTENDED)
		read_extended(st, body, m);
	else if (operations[i].flags & RESULT)
		read_result(st, tag, &body, m);
	else if (operations[i].flags & OBJECT)
		told = read_object(st, tag, body, m);
	return told && !(operations[i].flags & SILENT && !m->no_password && !m->msg.reason);
}

/* A sequence, a number, and an operation that this end may say. */
static enum parse probe(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct state st = {0};
	struct ldap_msg m = {0};
	uint8_t tag;

	if (in->data.data[0] != BER_SEQUENCE ||
	    (in->midstream && !in->expected && in->port[1] != PORT))
		return PARSE_BAD;
	ber_read_head(&r, &tag);
	if (!r.bad)
		ber_read_int(&r);
	if (!r.bad)
		begin(&r, &tag);
	if (r.bad)
		return in->data.len < 3 * BER_HEAD_MAX && !in->last ? PARSE_MORE : PARSE_BAD;
	r.off = 0;
	r.bad = false;
	ber_read_head(&r, &tag);
	read_message(&st, r, in->end, &m);
	return m.operation ? PARSE_OK : PARSE_BAD;
}

/* RFC 4422 §3.7: buffers, each behind its length. What is in them may be anything. */
static enum parse sealed(struct state *st, const struct proto_input *in, struct ldap_msg *m,
			 struct proto_output *out)
{
	out->has_msg = true;
	st->encrypted = m->encrypted = true;
	m->msg.unread = !in->end;
	m->msg.control = !in->end;
	m->msg.answer = in->end;
	out->used = in->data.len;
	out->skip = UINT64_MAX;
	return PARSE_OK;
}

static enum parse ldap_read(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct ldap_msg *m = (struct ldap_msg *)ret_m;
	struct state *st = state;
	size_t len, all;
	uint8_t tag;

	if (st->encrypted && in->data.data[0] != BER_SEQUENCE) {
		ret_out->next = st->tls ? &tls_proto : NULL;
		ret_out->with_it = true;
		ret_out->used = in->data.len;
		ret_out->skip = UINT64_MAX;
		return PARSE_OK;
	}
	st->named |= in->midstream; /* by a bind that was not seen, it may be */
	if (in->data.data[0] != BER_SEQUENCE && st->asked_sasl)
		return sealed(st, in, m, ret_out);
	len = ber_read_head(&r, &tag);
	if (r.bad && in->data.data[0] == BER_SEQUENCE && in->data.len < BER_HEAD_MAX)
		return PARSE_MORE;
	all = r.off + len;
	if (!r.bad && tag == BER_SEQUENCE && in->data.len < (all < LOOK ? all : LOOK))
		return PARSE_MORE;
	if (r.bad || tag != BER_SEQUENCE) {
		ret_m->reason = REASON_LDAP_MALFORMED;
		ret_out->has_msg = true;
		return PARSE_BAD;
	}
	if (reader_left(&r) > len)
		r.in.len = all;
	ret_out->has_msg = read_message(st, r, in->end, m);
	ret_out->used = all < in->data.len ? all : in->data.len;
	ret_out->skip = all - ret_out->used;
	return ret_m->reason == REASON_LDAP_MALFORMED ? PARSE_BAD : PARSE_OK;
}

#define FIELD(name, member, type, flags)                                        \
	{                                                                       \
		PROTO_KEY(name), offsetof(struct ldap_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("message_id", id, FIELD_U32, 0),
	FIELD("operation", operation, FIELD_NAME, FIELD_MATCH),
	FIELD("name", name, FIELD_TEXT, FIELD_MATCH | FIELD_CASELESS),
	FIELD("mechanism", mechanism, FIELD_TEXT, FIELD_MATCH),
	FIELD("result_code", result, FIELD_NAME, 0),
	FIELD("login", login, FIELD_NAME, 0),
	FIELD("failed_logins", failed_logins, FIELD_U8, 0),
	FIELD("default_login", default_login, FIELD_BOOL, 0),
	FIELD("no_password", no_password, FIELD_BOOL, 0),
	FIELD("encrypted", encrypted, FIELD_BOOL, 0),
	FIELD("unencrypted", unencrypted, FIELD_BOOL, 0),
	{""},
};

const struct proto ldap_proto = {
	.name = "ldap",
	.over = PROTO_OVER_TCP,
	.leads_to = &tls_proto,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct ldap_msg),
	.fields = fields,
	.probe = probe,
	.read = ldap_read,
};
