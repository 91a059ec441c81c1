#include "guard/proto/rdp.h"

#include "guard/proto/tls.h"

#include <strings.h>

#define TPKT_HEAD   4 /* RFC 1006 §6 */
#define X224_HEAD   7
#define CONNECT	    0xe0
#define CONFIRM	    0xd0
#define REQUEST	    1
#define RESPONSE    2
#define FAILURE	    3
#define NEGOTIATION 8
#define COOKIE	    "Cookie: mstshash="

static const struct proto_name protocols[] = {
	{0, "rdp"}, {1, "ssl"}, {2, "hybrid"}, {4, "rdstls"}, {8, "hybrid_ex"}, {16, "rdsaad"},
};

struct state {
	bool asked, answered, over;
};

static struct reader read_tpkt(struct reader *r)
{
	uint8_t version = read_u8(r);
	uint16_t len;
	struct reader none = {.bad = true};

	read_skip(r, 1);
	len = read_be16(r);
	if (r->bad)
		return none;
	if (version != 3 || len < TPKT_HEAD + X224_HEAD)
		return none;
	return read_sub(r, len - (size_t)TPKT_HEAD);
}

/* MS-RDPBCGR §2.2.1.1: a line for who shares the load, of any form ("tsv://..."), where no cookie is. */
static bool is_routing_token(struct bytes rest)
{
	size_t n = 0;

	while (n < rest.len && rest.data[n] >= ' ' && rest.data[n] < 0x7f)
		n++;
	return n && rest.len - n >= 2 && !memcmp(rest.data + n, "\r\n", 2);
}

/* What comes behind the head of an X.224 connection request is RDP's, and no other's. */
static bool is_rdp(struct bytes rest, uint16_t port)
{
	if (!rest.len)
		return port == 3389;
	if (is_routing_token(rest))
		return true;
	return rest.len >= NEGOTIATION && rest.data[0] == REQUEST && rest.data[2] == NEGOTIATION &&
	       rest.data[3] == 0;
}

static enum parse probe(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len), body;

	if (in->end || in->data.data[0] != 3 || (in->data.len > 1 && in->data.data[1]))
		return PARSE_BAD;
	if (in->data.len > 5 && in->data.data[5] != CONNECT)
		return PARSE_BAD;
	body = read_tpkt(&r);
	if (r.bad)
		return in->data.len < 512 ? PARSE_MORE : PARSE_BAD;
	read_skip(&body, X224_HEAD);
	if (body.bad)
		return PARSE_BAD;
	return is_rdp((struct bytes){body.in.data + X224_HEAD, body.in.len - X224_HEAD},
		      in->port[1])
		       ? PARSE_OK
		       : PARSE_BAD;
}

static void read_cookie(struct rdp_msg *m, struct reader *r)
{
	struct bytes rest = {r->in.data + r->off, reader_left(r)};
	const uint8_t *end = rest.len ? memmem(rest.data, rest.len, "\r\n", 2) : NULL;
	size_t prefix = sizeof(COOKIE) - 1, len = end ? (size_t)(end - rest.data) : 0;

	if (!end)
		return;
	if (len > prefix && !memcmp(rest.data, COOKIE, prefix))
		m->cookie = (struct bytes){rest.data + prefix, len - prefix};
	read_skip(r, len + 2);
}

static const char *strongest(uint32_t offered)
{
	const char *name = protocols[0].name;

	for (unsigned i = 1; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (offered & protocols[i].n)
			name = protocols[i].name;
	return name;
}

static void read_request(struct state *st, struct rdp_msg *m, struct reader *r)
{
	m->event_type = "initial_request";
	m->msg.control = true;				    /* who has the screen has the machine */
	m->cookie = (struct bytes){(const uint8_t *)"", 0}; /* who says no name has none */
	read_cookie(m, r);
	m->offered = protocols[0].name;
	if (read_u8(r) == REQUEST) {
		uint32_t offered;

		read_skip(r, 3);
		offered = read_le32(r);
		m->offered = strongest(offered);
		m->msg.opens = offered ? &tls_proto : NULL;
	}
	st->asked = true;
}

static void read_response(struct state *st, struct rdp_msg *m, struct reader *r)
{
	uint8_t kind = read_u8(r);
	uint32_t value;

	read_skip(r, 3);
	value = read_le32(r);
	m->event_type = "initial_response";
	m->msg.answer = true;
	st->answered = true;
	if (r->bad || kind == RESPONSE) {
		value = r->bad ? 0 : value; /* an old server says nothing, and means its own */
		m->protocol = PROTO_NAME(protocols, value);
		st->over = value;
		m->msg.opens = value ? &tls_proto
				     : NULL; /* all but its own are within it (MS-RDPBCGR §5.4.5) */
	} else if (kind == FAILURE) {
		m->error_code = value;
		st->over = true;
	}
}

/* CVE-2019-0708: a channel that no client has a use for, asked for by name, in either case. */
static bool is_bluekeep(struct bytes body)
{
	static const char name[8] = "MS_T120";

	for (size_t i = 0; i + sizeof(name) <= body.len; i++)
		if (!strncasecmp((const char *)body.data + i, name, sizeof(name)) &&
		    !body.data[i + sizeof(name) - 1])
			return true;
	return false;
}

static enum parse rdp_read(void *state, const struct proto_input *in, struct msg *ret_m,
			   struct proto_output *ret_out)
{
	struct reader r = reader_new(in->data.data, in->data.len), body;
	struct rdp_msg *m = (struct rdp_msg *)ret_m;
	struct state *st = state;
	uint8_t code;

	if (st->over || (in->end && st->answered)) {
		ret_out->used = in->data.len;
		ret_out->skip = UINT64_MAX;
		return PARSE_OK;
	}
	body = read_tpkt(&r);
	if (r.bad)
		return PARSE_MORE;
	ret_out->used = r.off;
	ret_out->has_msg = true;
	if (!in->end && st->asked) {
		m->event_type = "connect_request";
		st->over = true;
		if (body.bad) {
			m->msg.reason = REASON_RDP_MALFORMED;
			return PARSE_BAD;
		}
		if (is_bluekeep(body.in))
			m->msg.reason = REASON_RDP_BLUEKEEP;
		return PARSE_OK;
	}
	read_skip(&body, 1);
	code = read_u8(&body);
	read_skip(&body, X224_HEAD - 2);
	if (body.bad || code != (in->end ? CONFIRM : CONNECT)) {
		m->msg.reason = REASON_RDP_MALFORMED;
		return PARSE_BAD;
	}
	if (in->end) {
		read_response(st, m, &body);
		ret_out->next = m->msg.opens;
	} else
		read_request(st, m, &body);
	return PARSE_OK;
}

#define FIELD(name, member, type, flags)                                       \
	{                                                                      \
		PROTO_KEY(name), offsetof(struct rdp_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("event_type", event_type, FIELD_NAME, 0),
	FIELD("cookie", cookie, FIELD_TEXT, FIELD_MATCH | FIELD_MUST),
	FIELD("offered", offered, FIELD_NAME, FIELD_MATCH),
	FIELD("protocol", protocol, FIELD_NAME, 0),
	FIELD("error_code", error_code, FIELD_U32, 0),
	{""},
};

const struct proto rdp_proto = {
	.name = "rdp",
	.over = PROTO_OVER_TCP,
	.leads_to = &tls_proto,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct rdp_msg),
	.fields = fields,
	.probe = probe,
	.read = rdp_read,
};
