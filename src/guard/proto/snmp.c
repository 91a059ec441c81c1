#include "guard/proto/snmp.h"

#include <stdio.h>

#include "guard/proto/ber.h"

#define PORT	   161
#define TRAP_PORT  162
#define USM	   3 /* the security model, RFC 3411 §5 */
#define FLAG_AUTH  1
#define FLAG_PRIV  2
#define IP_ADDRESS 0x40
#define TIME_TICKS 0x43

enum pdu {
	PDU_GET = 0xa0,
	PDU_GET_NEXT,
	PDU_RESPONSE,
	PDU_SET,
	PDU_TRAP_V1,
	PDU_GET_BULK,
	PDU_INFORM,
	PDU_TRAP_V2,
	PDU_REPORT,
};

struct state {
	bool asked[2]; /* the end sent something that is no answer to another */
};

static const struct proto_name pdus[] = {
	{PDU_GET, "get_request"},	{PDU_GET_NEXT, "get_next_request"},
	{PDU_RESPONSE, "response"},	{PDU_SET, "set_request"},
	{PDU_TRAP_V1, "trap_v1"},	{PDU_GET_BULK, "get_bulk_request"},
	{PDU_INFORM, "inform_request"}, {PDU_TRAP_V2, "trap_v2"},
	{PDU_REPORT, "report"},
};

/* RFC 3416 §3; names as Suricata has them. */
static const struct proto_name errors[] = {
	{1, "TooBig"},
	{2, "NoSuchName"},
	{3, "BadValue"},
	{4, "ReadOnly"},
	{5, "GenErr"},
	{6, "NoAccess"},
	{7, "WrongType"},
	{8, "WrongLength"},
	{9, "WrongEncoding"},
	{10, "WrongValue"},
	{11, "NoCreation"},
	{12, "InconsistentValue"},
	{13, "ResourceUnavailable"},
	{14, "CommitFailed"},
	{15, "UndoFailed"},
	{16, "AuthorizationError"},
	{17, "NotWritable"},
	{18, "InconsistentName"},
};

/* RFC 1157 §4.1.6 */
static const struct proto_name traps[] = {
	{0, "ColdStart"},
	{1, "WarmStart"},
	{2, "LinkDown"},
	{3, "LinkUp"},
	{4, "AuthenticationFailure"},
	{5, "EgpNeighborLoss"},
	{6, "EnterpriseSpecific"},
};

/* NULL, simple and application-wide syntaxes, and v2's exceptions (RFC 3416 §3, RFC 2578 §7). */
static bool is_value(uint8_t tag)
{
	return tag == BER_INTEGER || tag == BER_OCTET_STRING || tag == BER_NULL || tag == BER_OID ||
	       (tag >= IP_ADDRESS && tag <= 0x47) || (tag >= 0x80 && tag <= 0x82);
}

static bool is_default(struct bytes community)
{
	static const char *const defaults[] = {"public", "private"};

	for (unsigned i = 0; i < 2; i++)
		if (community.len == strlen(defaults[i]) &&
		    !memcmp(community.data, defaults[i], community.len))
			return true;
	return false;
}

static void read_variables(struct reader *r, struct snmp *m)
{
	struct reader list = ber_expect(r, BER_SEQUENCE);

	m->variables = list.in;
	while (reader_left(&list)) {
		struct reader one = ber_expect(&list, BER_SEQUENCE);
		struct reader name = ber_expect(&one, BER_OID);
		uint8_t tag;

		ber_read(&one, &tag);
		if (one.bad || reader_left(&one) || !is_value(tag) || !ber_oid_text(name.in, NULL))
			list.bad = true;
		m->variable_count++;
	}
	r->bad |= list.bad;
}

static void read_trap_v1(struct reader *r, struct snmp *m)
{
	int32_t kind;

	m->trap_oid = ber_expect(r, BER_OID).in;
	m->trap_address = ber_expect(r, IP_ADDRESS).in;
	kind = ber_read_int(r);
	ber_read_int(r); /* specific */
	ber_expect(r, TIME_TICKS);
	m->trap_type = kind < 0 ? NULL : PROTO_NAME(traps, (uint32_t)kind);
	if (!m->trap_type || m->trap_address.len != 4 || !ber_oid_text(m->trap_oid, NULL))
		r->bad = true;
	read_variables(r, m);
}

/* A PDU belongs to a version: v1 has no bulk, no inform and no report, later ones no v1 trap. */
static bool has_pdu(uint8_t version, uint8_t type)
{
	if (version == 1)
		return type >= PDU_GET && type <= PDU_TRAP_V1;
	return type >= PDU_GET && type <= PDU_REPORT && type != PDU_TRAP_V1;
}

static void read_pdu(struct reader *r, struct snmp *m)
{
	struct reader pdu = ber_read(r, &m->type);
	int32_t status;

	if (r->bad || !has_pdu(m->version, m->type)) {
		r->bad = true;
		return;
	}
	m->pdu_type = PROTO_NAME(pdus, m->type);
	m->msg.control = m->type == PDU_SET;
	m->msg.answer = m->type == PDU_RESPONSE || m->type == PDU_REPORT;
	if (m->type == PDU_TRAP_V1) {
		read_trap_v1(&pdu, m);
	} else {
		m->request_id = ber_read_number(&pdu);
		status = ber_read_int(&pdu);
		ber_read_int(&pdu); /* index; of bulk: repetitions */
		if (status > 0 && m->msg.answer)
			m->error = PROTO_NAME(errors, (uint32_t)status);
		read_variables(&pdu, m);
	}
	if (pdu.bad || reader_left(&pdu))
		r->bad = true;
}

/* RFC 3414 §2.4: what the security parameters hold. */
static void read_usm(struct reader r, struct snmp *m, bool *ret_bad)
{
	struct reader usm = ber_expect(&r, BER_SEQUENCE);

	ber_expect(&usm, BER_OCTET_STRING); /* engine */
	ber_read_int(&usm);		    /* its boots */
	ber_read_int(&usm);		    /* its time */
	m->usm = ber_expect(&usm, BER_OCTET_STRING).in;
	ber_expect(&usm, BER_OCTET_STRING);
	ber_expect(&usm, BER_OCTET_STRING);
	*ret_bad = r.bad || usm.bad || reader_left(&usm) || reader_left(&r) || m->usm.len > 32;
}

static void read_scoped(struct reader *r, struct snmp *m)
{
	struct reader scoped = ber_expect(r, BER_SEQUENCE);

	ber_expect(&scoped, BER_OCTET_STRING); /* context engine */
	ber_expect(&scoped, BER_OCTET_STRING); /* context name */
	read_pdu(&scoped, m);
	if (scoped.bad || reader_left(&scoped))
		r->bad = true;
}

static void read_v3(struct reader *r, struct snmp *m)
{
	struct reader head = ber_expect(r, BER_SEQUENCE), flags, security;
	uint8_t bits;
	int32_t model;
	bool bad = false;

	ber_read_int(&head); /* number of the message, RFC 3412 §6 */
	ber_read_int(&head); /* largest message */
	flags = ber_expect(&head, BER_OCTET_STRING);
	bits = read_u8(&flags);
	model = ber_read_int(&head);
	security = ber_expect(r, BER_OCTET_STRING);
	if (model == USM)
		read_usm(security, m, &bad);
	/* RFC 3412 §6.4: privacy without authentication there is not. */
	if (head.bad || flags.bad || reader_left(&flags) || reader_left(&head) || bad ||
	    (bits & (FLAG_AUTH | FLAG_PRIV)) == FLAG_PRIV) {
		r->bad = true;
		return;
	}
	m->security_level = bits & FLAG_PRIV   ? "authPriv"
			    : bits & FLAG_AUTH ? "authNoPriv"
					       : "noAuthNoPriv";
	if (!(bits & FLAG_PRIV)) {
		read_scoped(r, m);
		/* RFC 3414 §4: whoever begins asks for the engine first, as nobody, and for no more. */
		m->msg.answer |= m->type == PDU_GET && !m->usm.len && !(bits & FLAG_AUTH) &&
				 !m->variables.len;
		return;
	}
	ber_expect(r, BER_OCTET_STRING);
	m->pdu_type = "encrypted";
}

/* How a message begins, behind its length: with a version, then a community or a header. */
static bool may_begin(struct bytes data, size_t at)
{
	static const uint8_t version[] = {BER_INTEGER, 1};

	for (size_t i = 0; at + i < data.len && i < 4; i++) {
		uint8_t b = data.data[at + i];

		if (i < 2 && b != version[i])
			return false;
		if (i == 2 && b > 1 && b != 3)
			return false;
		if (i == 3 && b != (data.data[at + 2] == 3 ? BER_SEQUENCE : BER_OCTET_STRING))
			return false;
	}
	return true;
}

/* RFC 3430 §2.1: in a stream a message says itself how long it is. */
static enum parse size(struct bytes data, size_t *ret_len)
{
	struct reader r = reader_new(data.data, data.len);
	uint8_t tag;
	size_t len = ber_read_head(&r, &tag) + r.off;

	if (data.len && data.data[0] != BER_SEQUENCE)
		return PARSE_BAD;
	if (r.bad)
		return data.len < BER_HEAD_MAX ? PARSE_MORE : PARSE_BAD;
	if (len > PROTO_UNIT_MAX || !may_begin(data, r.off))
		return PARSE_BAD;
	*ret_len = len;
	return len > data.len ? PARSE_MORE : PARSE_OK;
}

/* False where the bytes are not one whole message. */
static bool read_message(struct bytes data, struct snmp *m)
{
	struct reader r = reader_new(data.data, data.len), message = ber_expect(&r, BER_SEQUENCE);
	int32_t version = ber_read_int(&message);

	if (r.bad || message.bad || reader_left(&r) ||
	    (version != 0 && version != 1 && version != 3))
		return false;
	m->version = version == 3 ? 3 : (uint8_t)(version + 1);
	m->usm = (struct bytes){data.data, 0}; /* nobody, where a rule asks for somebody */
	m->security_level = "";
	if (version == 3) {
		read_v3(&message, m);
	} else {
		m->default_community = is_default(ber_expect(&message, BER_OCTET_STRING).in);
		read_pdu(&message, m);
	}
	return !message.bad && !reader_left(&message);
}

/* An answer to what nobody asked in this conversation is judged like what is asked. */
static void pair(struct snmp *m, struct state *s, const struct proto_input *in)
{
	if (m->type != PDU_RESPONSE && m->type != PDU_REPORT)
		s->asked[in->end] = true;
	else
		m->msg.answer = in->midstream || s->asked[!in->end];
}

static enum parse snmp_read(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct snmp *m = (struct snmp *)ret_m;
	size_t len = in->data.len;
	enum parse got = in->datagram ? PARSE_OK : size(in->data, &len);

	if (got == PARSE_MORE)
		return got;
	ret_out->has_msg = true;
	ret_out->used = got == PARSE_OK ? len : 0;
	/* A broken message says nothing of the next, which is read all the same. What is sealed may
	 * set as well as get; what goes to where traps do may not, unless an agent sends them from
	 * its own port: it takes what comes back for a request. */
	if (got == PARSE_BAD || !read_message((struct bytes){in->data.data, len}, m))
		ret_m->reason = REASON_SNMP_MALFORMED;
	else if (m->version == 3 && !m->type)
		ret_m->control =
			in->port[!in->end] == PORT || (!in->end && in->port[1] != TRAP_PORT);
	if (ret_m->reason == REASON_NONE)
		pair(m, state, in);
	return got;
}

static enum parse snmp_probe(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct snmp m = {0};
	size_t len = in->data.len;
	bool port = false;
	enum parse got;

	if (!in->datagram) {
		got = size(in->data, &len);
		if (got != PARSE_OK)
			return got;
	}
	for (unsigned i = 0; in->datagram && i < 2; i++)
		port |= in->port[i] == PORT || in->port[i] == TRAP_PORT;
	if (port && read_u8(&r) == BER_SEQUENCE)
		return PARSE_OK;
	return read_message((struct bytes){in->data.data, len}, &m) ? PARSE_OK : PARSE_BAD;
}

static void snmp_write(const struct msg *msg, struct json *j)
{
	const struct snmp *m = (const struct snmp *)msg;
	struct reader list = reader_new(m->variables.data, m->variables.len);
	char text[BER_OID_TEXT];

	if (m->version == 3 && m->usm.data && !m->usm.len)
		json_str(j, "usm", ""); /* nobody asks for an engine */
	/* RFC 3416 §3: an Integer32, though some write one without a sign; a trap of v1 has none, and
	 * what is encrypted does not show its own. */
	if (m->type && m->type != PDU_TRAP_V1)
		json_i64(j, "request_id", m->request_id);
	if (m->trap_oid.len && ber_oid_text(m->trap_oid, text))
		json_name(j, "trap_oid", text);
	if (m->trap_address.len == 4) {
		const uint8_t *a = m->trap_address.data;

		snprintf(text, sizeof(text), "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
		json_name(j, "trap_address", text);
	}
	if (!m->variables.len)
		return;
	json_list(j, "vars");
	while (reader_left(&list) && proto_room(j)) {
		struct reader one = ber_expect(&list, BER_SEQUENCE);

		if (ber_oid_text(ber_expect(&one, BER_OID).in, text))
			json_name(j, NULL, text);
	}
	json_end(j);
}

#define FIELD(name, type, flags)                                           \
	{                                                                  \
		PROTO_KEY(#name), offsetof(struct snmp, name), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD(version, FIELD_U8, FIELD_MATCH),
	FIELD(pdu_type, FIELD_NAME, FIELD_MATCH),
	FIELD(error, FIELD_NAME, 0),
	FIELD(trap_type, FIELD_NAME, 0),
	FIELD(usm, FIELD_TEXT, FIELD_MATCH | FIELD_MUST),
	FIELD(security_level, FIELD_NAME, FIELD_MATCH | FIELD_MUST),
	FIELD(default_community, FIELD_BOOL, FIELD_MATCH),
	{""},
};

const struct proto snmp_proto = {
	.name = "snmp",
	.over = PROTO_OVER_UDP | PROTO_OVER_TCP,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct snmp),
	.fields = fields,
	.probe = snmp_probe,
	.read = snmp_read,
	.write = snmp_write,
};
