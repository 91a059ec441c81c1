#include "guard/proto/dns.h"

#include <stdio.h>

#include "base/digits.h"
#include "guard/decode/packet.h"

#define HEAD	     12
#define PORT	     53
#define MDNS	     5353
#define NETBIOS	     137
#define ANSWERS_TOLD 32
#define QUESTIONS    16	  /* of a first datagram; who asks more is not known for DNS by it */
#define QUERY_MAX    4096 /* of the first message over TCP */

enum rr {
	RR_A = 1,
	RR_NS = 2,
	RR_CNAME = 5,
	RR_PTR = 12,
	RR_MX = 15,
	RR_TXT = 16,
	RR_AAAA = 28,
	RR_SRV = 33
};

static const struct proto_name types[] = {
	{1, "A"},      {2, "NS"},     {5, "CNAME"},  {6, "SOA"},   {10, "NULL"},   {11, "WKS"},
	{12, "PTR"},   {13, "HINFO"}, {15, "MX"},    {16, "TXT"},  {17, "RP"},	   {28, "AAAA"},
	{29, "LOC"},   {33, "SRV"},   {35, "NAPTR"}, {37, "CERT"}, {39, "DNAME"},  {41, "OPT"},
	{43, "DS"},    {44, "SSHFP"}, {46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"}, {50, "NSEC3"},
	{52, "TLSA"},  {64, "SVCB"},  {65, "HTTPS"}, {99, "SPF"},  {249, "TKEY"},  {250, "TSIG"},
	{251, "IXFR"}, {252, "AXFR"}, {255, "ANY"},  {256, "URI"}, {257, "CAA"},
};

static const struct proto_name rcodes[] = {
	{0, "NOERROR"}, {1, "FORMERR"}, {2, "SERVFAIL"}, {3, "NXDOMAIN"},
	{4, "NOTIMP"},	{5, "REFUSED"}, {6, "YXDOMAIN"}, {7, "YXRRSET"},
	{8, "NXRRSET"}, {9, "NOTAUTH"}, {10, "NOTZONE"}, {11, "DSOTYPENI"},
};

static struct bytes keep(struct dns_msg *m, struct writer *w)
{
	m->room_used += w->len;
	return (struct bytes){w->data, w->len};
}

static struct writer begin(struct dns_msg *m)
{
	return writer_new(m->room + m->room_used, sizeof(m->room) - m->room_used);
}

static const char *type_text(uint16_t type, char buf[12])
{
	const char *name = PROTO_NAME(types, type);

	if (name)
		return name;
	snprintf(buf, 12, "TYPE%u", type);
	return buf;
}

static void read_flags(struct dns_msg *m, uint16_t flags)
{
	struct writer w = begin(m);
	char hex[4];

	digits_hex(hex, flags, 4);
	write_bytes(&w, hex, 4);
	m->flags = keep(m, &w);
	m->qr = flags & 0x8000;
	m->opcode = flags >> 11 & 15;
	m->aa = flags & 0x400;
	m->tc = flags & 0x200;
	m->rd = flags & 0x100;
	m->ra = flags & 0x80;
	m->type = m->qr ? "answer" : "query";
	m->rcode = m->qr ? PROTO_NAME(rcodes, flags & 15u) : NULL;
	m->msg.answer = m->qr;
}

static bool read_question(struct dns_msg *m, struct reader *r, bool first)
{
	struct dns_name name;
	struct writer w;
	char buf[12];
	const char *type;

	if (!first) {
		if (!dns_name_skip(r))
			return false;
		read_skip(r, 4);
		return !r->bad;
	}
	if (!dns_name_read(r, &name))
		return false;
	w = begin(m);
	dns_name_write(&name, &w);
	m->rrname = keep(m, &w);
	type = type_text(read_be16(r), buf);
	read_skip(r, 2); /* class */
	w = begin(m);
	write_bytes(&w, type, strlen(type));
	m->rrtype = keep(m, &w);
	return !r->bad;
}

/* Every record's name and length hold, or the message is refused. */
static bool skip_records(struct reader *r, unsigned count)
{
	for (; count; count--) {
		if (!dns_name_skip(r))
			return false;
		read_skip(r, 8); /* type, class, time to live */
		read_skip(r, read_be16(r));
		if (r->bad)
			return false;
	}
	return true;
}

static bool read_message(struct bytes b, struct dns_msg *m)
{
	struct reader r = reader_new(b.data, b.len);
	unsigned questions, answers, others;

	m->id = read_be16(&r);
	read_flags(m, read_be16(&r));
	questions = read_be16(&r);
	answers = read_be16(&r);
	others = read_be16(&r);
	others += read_be16(&r);
	if (r.bad)
		return false;
	for (unsigned i = 0; i < questions; i++)
		if (!read_question(m, &r, i == 0))
			return false;
	m->question_count = questions;
	if (!questions && !m->qr)
		m->rrname = (struct bytes){m->room, 0}; /* patterns are asked whether that may be */
	/* RFC 9619 §4: a query has one at most; servers answer the first, the last or none of more. */
	if (questions > 1 && m->opcode == 0)
		m->msg.reason = REASON_DNS_MALFORMED;
	m->whole = b;
	m->answers_at = r.off;
	if (!skip_records(&r, answers) || !skip_records(&r, others))
		return false;
	m->answer_count = answers;
	return true;
}

/*
 * Of a message that may go on behind the bytes: a head, and questions of which the first makes
 * sense. Without one (RFC 7873 §5.4, RFC 8490) the port must say whose it is.
 */
static enum parse probe_message(struct bytes b, bool port)
{
	struct reader r = reader_new(b.data, b.len);
	uint16_t flags, questions, answers, others, class;
	struct dns_name name;

	read_skip(&r, 2);
	flags = read_be16(&r);
	questions = read_be16(&r);
	answers = read_be16(&r);
	others = read_be16(&r);
	others |= read_be16(&r);
	if (r.bad)
		return PARSE_MORE;
	/* Operations 0 to 5 of RFC 2136, 6 of RFC 8490, a bit that is always zero. */
	if ((flags >> 11 & 15) > 6 || flags & 0x40 || questions > QUESTIONS || others > 64 ||
	    (!(flags & 0x8000) && (answers || flags & 15)))
		return PARSE_BAD;
	if (!questions)
		return port ? PARSE_OK : PARSE_BAD;
	if (!dns_name_read(&r, &name))
		return b.len < HEAD + DNS_NAME_MAX && !memchr(b.data + HEAD, 0, b.len - HEAD)
			       ? PARSE_MORE
			       : PARSE_BAD;
	read_skip(&r, 2);
	class = read_be16(&r);
	if (r.bad)
		return PARSE_MORE;
	return class == 1 || class == 3 || class == 255 ? PARSE_OK : PARSE_BAD;
}

static enum parse probe(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	bool port = in->port[0] == PORT || in->port[1] == PORT;
	struct dns_msg m = {.qr = false};
	uint16_t len;

	if (in->datagram) {
		if (in->port[0] == MDNS || in->port[1] == MDNS || in->port[1] == NETBIOS)
			return PARSE_BAD;
		return probe_message(in->data, port) == PARSE_OK && read_message(in->data, &m)
			       ? PARSE_OK
			       : PARSE_BAD;
	}
	len = read_be16(&r);
	if (r.bad)
		return PARSE_MORE;
	if (len < HEAD + (port ? 0 : 5) || (!in->end && len > QUERY_MAX))
		return PARSE_BAD;
	return probe_message((struct bytes){in->data.data + 2, in->data.len - 2}, port);
}

static enum parse dns_read(void *state, const struct proto_input *in, struct msg *ret_m,
			   struct proto_output *ret_out)
{
	struct dns_msg *m = (struct dns_msg *)ret_m;
	struct bytes b = in->data;

	if (!in->datagram) {
		struct reader r = reader_new(b.data, b.len);

		b = read_bytes(&r, read_be16(&r));
		if (r.bad)
			return PARSE_MORE;
		ret_out->used = 2;
	}
	ret_out->used += b.len;
	ret_out->has_msg = true;
	if (read_message(b, m))
		return PARSE_OK;
	m->msg.reason = REASON_DNS_MALFORMED;
	return PARSE_BAD;
}

/* For a record: two names, of which every byte may take six as an escape, and numbers. */
static bool has_room(const struct json *j)
{
	return !j->out.bad && j->out.cap - j->out.len > 2 * 6 * PROTO_TEXT_MAX + 512;
}

static void write_name(struct json *j, const char *key, struct reader *r)
{
	struct dns_name name;
	char text[DNS_NAME_MAX];
	struct writer w = writer_new(text, sizeof(text));

	if (!dns_name_read(r, &name))
		return;
	dns_name_write(&name, &w);
	json_text(j, key, (struct bytes){w.data, w.len});
}

static void write_address(struct json *j, struct bytes b)
{
	char text[PACKET_IP_LEN];
	struct gate_ip ip;

	if (b.len == 4)
		packet_ip_map(b.data, &ip);
	else if (b.len == 16)
		memcpy(ip.b, b.data, 16);
	else
		return;
	json_name(j, "rdata", packet_ip_text(&ip, text));
}

/* RFC 1035 §3.3.14: a record's text is one or more strings, which belong together. */
static void write_strings(struct json *j, struct reader *r)
{
	char text[PROTO_TEXT_MAX];
	struct writer w = writer_new(text, sizeof(text));

	while (reader_left(r)) {
		struct bytes one = read_bytes(r, read_u8(r));
		size_t room = w.cap - w.len;

		write_bytes(&w, one.data, one.len < room ? one.len : room);
	}
	if (w.len)
		json_text(j, "rdata", (struct bytes){w.data, w.len});
}

static void write_service(struct json *j, struct reader *r)
{
	json_open(j, "srv");
	json_u64(j, "priority", read_be16(r));
	json_u64(j, "weight", read_be16(r));
	json_u64(j, "port", read_be16(r));
	write_name(j, "name", r);
	json_close(j);
}

/* `r` stands at the data and ends there. */
static void write_data(struct json *j, uint16_t type, struct reader r)
{
	struct bytes data = {r.in.data + r.off, r.in.len - r.off};

	switch (type) {
	case RR_A:
	case RR_AAAA:
		write_address(j, data);
		break;
	case RR_MX:
		read_skip(&r, 2);
		write_name(j, "rdata", &r);
		break;
	case RR_NS:
	case RR_CNAME:
	case RR_PTR:
		write_name(j, "rdata", &r);
		break;
	case RR_TXT:
		write_strings(j, &r);
		break;
	case RR_SRV:
		write_service(j, &r);
		break;
	}
}

static void write_answer(struct json *j, struct reader *r)
{
	uint16_t type, len;
	uint32_t ttl;
	char buf[12];
	struct reader data;

	json_open(j, NULL);
	write_name(j, "rrname", r);
	type = read_be16(r);
	read_skip(r, 2);
	ttl = read_be32(r);
	len = read_be16(r);
	json_name(j, "rrtype", type_text(type, buf));
	json_u64(j, "ttl", ttl);
	data = (struct reader){.in = {r->in.data, r->off + len}, .off = r->off};
	read_skip(r, len);
	if (!r->bad)
		write_data(j, type, data);
	json_close(j);
}

/* Of more than one: all of them; rrname and rrtype are the first's. */
static void write_questions(const struct dns_msg *m, struct json *j)
{
	struct reader r = {.in = m->whole, .off = HEAD};
	char buf[12];

	json_list(j, "queries");
	for (unsigned i = 0; i < m->question_count && i < QUESTIONS && has_room(j); i++) {
		json_open(j, NULL);
		write_name(j, "rrname", &r);
		json_name(j, "rrtype", type_text(read_be16(&r), buf));
		read_skip(&r, 2);
		json_close(j);
	}
	json_end(j);
}

/* The lengths were checked when the message was read; names may still lead nowhere. */
static void dns_write(const struct msg *msg, struct json *j)
{
	const struct dns_msg *m = (const struct dns_msg *)msg;
	struct reader r = {.in = m->whole, .off = m->answers_at};

	if (m->question_count > 1)
		write_questions(m, j);
	if (!m->answer_count)
		return;
	json_list(j, "answers");
	for (unsigned i = 0; i < m->answer_count && i < ANSWERS_TOLD && !r.bad && has_room(j); i++)
		write_answer(j, &r);
	json_end(j);
}

#define FIELD(name, member, type, flags)                                       \
	{                                                                      \
		PROTO_KEY(name), offsetof(struct dns_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("type", type, FIELD_NAME, 0),
	FIELD("id", id, FIELD_U16, FIELD_ZERO),
	FIELD("flags", flags, FIELD_TEXT, 0),
	FIELD("qr", qr, FIELD_BOOL, 0),
	FIELD("aa", aa, FIELD_BOOL, 0),
	FIELD("tc", tc, FIELD_BOOL, 0),
	FIELD("rd", rd, FIELD_BOOL, 0),
	FIELD("ra", ra, FIELD_BOOL, 0),
	FIELD("opcode", opcode, FIELD_U8, FIELD_ZERO),
	FIELD("rrname", rrname, FIELD_TEXT, FIELD_MATCH | FIELD_CASELESS),
	FIELD("rrtype", rrtype, FIELD_TEXT, FIELD_MATCH),
	FIELD("rcode", rcode, FIELD_NAME, 0),
	{""},
};

const struct proto dns_proto = {
	.name = "dns",
	.over = PROTO_OVER_UDP | PROTO_OVER_TCP,
	.msg_size = sizeof(struct dns_msg),
	.msg_zero = offsetof(struct dns_msg, room),
	.fields = fields,
	.probe = probe,
	.read = dns_read,
	.write = dns_write,
};
