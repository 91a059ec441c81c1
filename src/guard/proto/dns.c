#include "guard/proto/dns.h"

#include <stdio.h>

#include "base/digits.h"
#include "guard/proto/dns_record.h"

#define HEAD	     12
#define PORT	     53
#define NOTIFY	     4
#define OPT	     41
#define MDNS	     5353
#define NETBIOS	     137
#define RECORDS_TOLD 32
#define QUESTIONS    16	  /* of a first datagram; who asks more is not known for DNS by it */
#define UPDATE	     5	  /* opcode, RFC 2136 */
#define DSO	     6	  /* RFC 8490 */
#define QUERY_MAX    4096 /* of the first message over TCP */

/* Answers to what is asked in the same conversation now, each by another number, are guesses. */
#define GUESSES 8
#define QUERIES 16 /* whose numbers are kept: who has asked more lately is not judged */

struct state {
	bool asked[2]; /* the end sent a query */
	uint8_t queries[2], guesses[2];
	uint16_t id[2][QUERIES];
};

static const struct proto_name rcodes[] = {
	{0, "NOERROR"},	 {1, "FORMERR"},    {2, "SERVFAIL"}, {3, "NXDOMAIN"},  {4, "NOTIMP"},
	{5, "REFUSED"},	 {6, "YXDOMAIN"},   {7, "YXRRSET"},  {8, "NXRRSET"},   {9, "NOTAUTH"},
	{10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADVERS"}, {17, "BADKEY"},   {18, "BADTIME"},
	{19, "BADMODE"}, {20, "BADNAME"},   {21, "BADALG"},  {22, "BADTRUNC"}, {23, "BADCOOKIE"},
};

/* RFC 6895 §3.2 */
static const struct proto_name classes[] = {
	{1, "IN"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "ANY"},
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
	/* What nobody knows may do anything. */
	m->msg.control = (m->opcode == UPDATE || m->opcode > DSO) && !m->qr;
}

/* RFC 3597 §5: one without a name has its number for one. */
static void read_class(struct dns_msg *m, uint16_t class)
{
	const char *name = PROTO_NAME(classes, class);
	struct writer w = begin(m);
	char number[12];

	if (!name) {
		snprintf(number, sizeof(number), "CLASS%u", class);
		name = number;
	}
	write_bytes(&w, name, strlen(name));
	m->rrclass = keep(m, &w);
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
	type = dns_type_text(read_be16(r), buf);
	w = begin(m);
	write_bytes(&w, type, strlen(type));
	m->rrtype = keep(m, &w);
	read_class(m, read_be16(r));
	return !r->bad;
}

/* Every record's name and length hold, or the message is refused. */
static bool skip_records(struct reader *r, unsigned count, unsigned *ret_rcode)
{
	for (; count; count--) {
		if (!dns_name_skip(r))
			return false;
		if (read_be16(r) == OPT) { /* RFC 6891 §6.1.3: the upper bits of the code */
			read_skip(r, 2);
			*ret_rcode = (*ret_rcode & 15) | (unsigned)read_u8(r) << 4;
			read_skip(r, 3);
		} else {
			read_skip(r, 6); /* class, time to live */
		}
		read_skip(r, read_be16(r));
		if (r->bad)
			return false;
	}
	return true;
}

static bool read_message(struct bytes b, struct dns_msg *m)
{
	struct reader r = reader_new(b.data, b.len);
	unsigned questions, answers, authorities, others, rcode;
	uint16_t flags;

	m->id = read_be16(&r);
	flags = read_be16(&r);
	rcode = flags & 15;
	read_flags(m, flags);
	questions = read_be16(&r);
	answers = read_be16(&r);
	authorities = read_be16(&r);
	others = read_be16(&r);
	if (r.bad)
		return false;
	for (unsigned i = 0; i < questions; i++)
		if (!read_question(m, &r, i == 0))
			return false;
	m->question_count = questions;
	/* RFC 9619 §4: a query has one at most; servers answer the first, the last or none of more. So have
	 * an update (RFC 2136 §2.3) and the rest: one is asked of a rule. */
	if (questions > 1)
		m->msg.reason = REASON_DNS_MALFORMED;
	m->whole = b;
	m->answers_at = r.off;
	if (!skip_records(&r, answers, &rcode))
		return false;
	m->authorities_at = r.off;
	if (!skip_records(&r, authorities, &rcode))
		return false;
	m->additionals_at = r.off;
	if (!skip_records(&r, others, &rcode))
		return false;
	m->rcode = m->qr ? PROTO_NAME(rcodes, rcode) : NULL;
	m->answer_count = answers;
	m->authority_count = authorities;
	m->additional_count = others;
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
	unsigned opcode;

	read_skip(&r, 2);
	flags = read_be16(&r);
	opcode = flags >> 11 & 15;
	questions = read_be16(&r);
	answers = read_be16(&r);
	others = read_be16(&r);
	others |= read_be16(&r);
	if (r.bad)
		return PARSE_MORE;
	/* Operations 0 to 5 of RFC 2136, 6 of RFC 8490, a bit that is always zero. Who notifies or updates
	 * says already what is (RFC 1996 §3.7, RFC 2136 §2.4). */
	if (opcode > 6 || flags & 0x40 || questions > QUESTIONS || others > 64 ||
	    (!(flags & 0x8000) &&
	     ((answers && opcode != NOTIFY && opcode != UPDATE) || flags & 15)))
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
	bool port = in->port[0] == PORT || proto_at_home(in, PORT);
	struct dns_msg m = {.qr = false};
	uint16_t len;

	if (in->datagram) {
		/* Who asks a server may do so from any port. */
		for (unsigned i = 0; i < 2; i++)
			if (in->port[i] == MDNS && in->port[!i] != PORT)
				return PARSE_BAD;
		if (in->port[1] == NETBIOS)
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

/*
 * An answer to what nobody asked in this conversation is judged like the question that it repeats. One
 * of LLMNR comes from another port than was asked (RFC 4795 §2.5).
 */
static void pair(struct dns_msg *m, struct state *s, const struct proto_input *in)
{
	s->asked[in->end] |= !m->qr;
	m->msg.answer = m->qr && (in->midstream || s->asked[!in->end]);
	if (!m->question_count && !m->msg.answer)
		m->rrname = (struct bytes){m->room, 0}; /* patterns are asked whether that may be */
}

/* By the number alone: whoever forges an answer has seen everything else, or can think it (RFC 5452 §4).
 * What is sent again has the same one. */
static void count_guesses(struct dns_msg *m, struct state *s, const struct proto_input *in)
{
	unsigned by = in->end, to = !in->end;

	if (!m->qr) {
		if (s->queries[by] < QUERIES)
			s->id[by][s->queries[by]] = m->id;
		s->queries[by] += s->queries[by] <= QUERIES;
		return;
	}
	if (!in->datagram || in->midstream || !s->queries[to] || s->queries[to] > QUERIES)
		return;
	for (unsigned i = 0; i < s->queries[to]; i++)
		if (s->id[to][i] == m->id)
			return;
	s->guesses[to] += s->guesses[to] <= GUESSES;
	if (s->guesses[to] != GUESSES)
		return;
	m->msg.reason = REASON_DNS_FORGED;
	m->msg.readable = true;
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
	if (read_message(b, m)) {
		pair(m, state, in);
		count_guesses(m, state, in);
		return PARSE_OK;
	}
	m->msg.reason = REASON_DNS_MALFORMED;
	return PARSE_BAD;
}

/* Of more than one: all of them; rrname and rrtype are the first's. */
static void write_questions(const struct dns_msg *m, struct json *j)
{
	struct reader r = {.in = m->whole, .off = HEAD};
	char buf[12];

	json_list(j, "queries");
	for (unsigned i = 0; i < m->question_count && i < QUESTIONS && dns_record_room(j); i++) {
		json_open(j, NULL);
		dns_record_name(j, "rrname", &r);
		json_name(j, "rrtype", dns_type_text(read_be16(&r), buf));
		read_skip(&r, 2);
		json_close(j);
	}
	json_end(j);
}

static void write_records(const struct dns_msg *m, const char *key, size_t at, unsigned count,
			  struct json *j)
{
	struct reader r = {.in = m->whole, .off = at};
	unsigned told = 0;

	for (unsigned i = 0; i < count && told < RECORDS_TOLD && !r.bad && dns_record_room(j);
	     i++) {
		if (dns_record_is_about_itself(r)) {
			dns_record_skip(&r);
			continue;
		}
		if (!told++)
			json_list(j, key);
		dns_record_write(j, &r);
	}
	if (told)
		json_end(j);
}

/* The lengths were checked when the message was read; names may still lead nowhere. */
static void dns_write(const struct msg *msg, struct json *j)
{
	const struct dns_msg *m = (const struct dns_msg *)msg;

	if (m->rrclass.len && (m->rrclass.len != 2 || memcmp(m->rrclass.data, "IN", 2)))
		proto_text(j, "rrclass", m->rrclass);
	if (m->question_count > 1)
		write_questions(m, j);
	write_records(m, "answers", m->answers_at, m->answer_count, j);
	write_records(m, "authorities", m->authorities_at, m->authority_count, j);
	write_records(m, "additionals", m->additionals_at, m->additional_count, j);
}

/* Some who pass questions on end a name at a zero: whose it is then is not what stands behind. */
static struct bytes whole(struct bytes value, const char *pattern, size_t len)
{
	if (value.len && memchr(value.data, 0, value.len))
		value.len = 0;
	return value;
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
	FIELD("opcode", opcode, FIELD_U8, FIELD_MATCH | FIELD_ZERO),
	{PROTO_KEY("rrname"), offsetof(struct dns_msg, rrname), FIELD_TEXT,
	 FIELD_MATCH | FIELD_CASELESS, .meant = whole},
	FIELD("rrtype", rrtype, FIELD_TEXT, FIELD_MATCH),
	FIELD("rrclass", rrclass, FIELD_TEXT, FIELD_MATCH | FIELD_SILENT),
	FIELD("rcode", rcode, FIELD_NAME, 0),
	{""},
};

const struct proto dns_proto = {
	.name = "dns",
	.over = PROTO_OVER_UDP | PROTO_OVER_TCP,
	.framed = true,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct dns_msg),
	.msg_zero = offsetof(struct dns_msg, room),
	.fields = fields,
	.probe = probe,
	.read = dns_read,
	.write = dns_write,
};
