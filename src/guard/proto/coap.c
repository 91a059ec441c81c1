#include "guard/proto/coap.h"

#include "base/digits.h"

#define PORT		 5683
#define VERSION		 1
#define TOKEN		 8  /* bytes of one that are compared: the last */
#define TOKEN_SHOWN	 32 /* and that are told: the first */
#define PENDING		 16
#define MARKER		 0xff
#define SIGNAL		 7    /* the class of messages about a stream itself, RFC 8323 §5 */
#define CSM		 0xe1 /* 7.01, with which both ends begin */
#define STREAM_OPTIONS	 4096 /* bytes of a message that are looked at, where it is longer */
#define CODE_MAX_REQUEST 0x1f
#define GET		 1
#define IPATCH		 7
#define FETCH		 5

enum type { CONFIRMABLE, NON_CONFIRMABLE, ACKNOWLEDGEMENT, RESET };

struct pending {
	uint64_t time_ns; /* 0: free */
	uint32_t len;	  /* of the token, */
	uint8_t token[TOKEN];
	bool observed; /* more than one answer comes */
};

struct state {
	struct pending pending[2][PENDING]; /* either end may ask */
	uint8_t next[2];
	bool asked[2]; /* the end sent a request */
};
_Static_assert(sizeof(struct state) <= PROTO_STATE_MAX, "a state has its bound");

enum option {
	URI_HOST = 3,
	OBSERVE = 6,
	OSCORE = 9,
	URI_PATH = 11,
	CONTENT_FORMAT = 12,
	URI_QUERY = 15,
	BLOCK2 = 23,
	BLOCK1 = 27,
	PROXY_URI = 35,
};

/* Option numbers and the lengths they may have (RFC 7252 §5.10, and the RFCs of those after). */
static const struct {
	uint16_t number, min, max;
} options[] = {
	{1, 0, 8},   {3, 1, 255}, {4, 1, 8},	 {5, 0, 0},    {6, 0, 3},  {7, 0, 2},
	{8, 0, 255}, {9, 0, 255}, {11, 0, 255},	 {12, 0, 2},   {14, 0, 4}, {15, 0, 255},
	{16, 1, 1},  {17, 0, 2},  {19, 0, 3},	 {20, 0, 255}, {23, 0, 3}, {27, 0, 3},
	{28, 0, 4},  {31, 0, 3},  {35, 1, 1034}, {39, 1, 255}, {60, 0, 4}, {252, 1, 40},
	{258, 0, 1}, {292, 0, 8},
};

#define CODE(c, detail) ((c) << 5 | (detail))
static const struct proto_name codes[] = {
	{0, "Empty"},
	{1, "GET"},
	{2, "POST"},
	{3, "PUT"},
	{4, "DELETE"},
	{5, "FETCH"},
	{6, "PATCH"},
	{7, "iPATCH"},
	{CODE(2, 1), "Created"},
	{CODE(2, 2), "Deleted"},
	{CODE(2, 3), "Valid"},
	{CODE(2, 4), "Changed"},
	{CODE(2, 5), "Content"},
	{CODE(2, 31), "Continue"},
	{CODE(4, 0), "Bad Request"},
	{CODE(4, 1), "Unauthorized"},
	{CODE(4, 2), "Bad Option"},
	{CODE(4, 3), "Forbidden"},
	{CODE(4, 4), "Not Found"},
	{CODE(4, 5), "Method Not Allowed"},
	{CODE(4, 6), "Not Acceptable"},
	{CODE(4, 8), "Request Entity Incomplete"},
	{CODE(4, 9), "Conflict"},
	{CODE(4, 12), "Precondition Failed"},
	{CODE(4, 13), "Request Entity Too Large"},
	{CODE(4, 15), "Unsupported Content-Format"},
	{CODE(4, 22), "Unprocessable Entity"},
	{CODE(4, 29), "Too Many Requests"},
	{CODE(5, 0), "Internal Server Error"},
	{CODE(5, 1), "Not Implemented"},
	{CODE(5, 2), "Bad Gateway"},
	{CODE(5, 3), "Service Unavailable"},
	{CODE(5, 4), "Gateway Timeout"},
	{CODE(5, 5), "Proxying Not Supported"},
	{CODE(5, 8), "Hop Limit Reached"},
	{CODE(7, 1), "CSM"},
	{CODE(7, 2), "Ping"},
	{CODE(7, 3), "Pong"},
	{CODE(7, 4), "Release"},
	{CODE(7, 5), "Abort"},
};

/* RFC 7252 §12.3 and what was registered since. */
static const struct proto_name formats[] = {
	{0, "text/plain"},
	{16, "application/cose; cose-type=\"cose-encrypt0\""},
	{17, "application/cose; cose-type=\"cose-mac0\""},
	{18, "application/cose; cose-type=\"cose-sign1\""},
	{19, "application/ace+cbor"},
	{21, "image/gif"},
	{22, "image/jpeg"},
	{23, "image/png"},
	{40, "application/link-format"},
	{41, "application/xml"},
	{42, "application/octet-stream"},
	{47, "application/exi"},
	{50, "application/json"},
	{51, "application/json-patch+json"},
	{52, "application/merge-patch+json"},
	{60, "application/cbor"},
	{61, "application/cwt"},
	{62, "application/multipart-core"},
	{63, "application/cbor-seq"},
	{96, "application/cose; cose-type=\"cose-encrypt\""},
	{97, "application/cose; cose-type=\"cose-mac\""},
	{98, "application/cose; cose-type=\"cose-sign\""},
	{101, "application/cose-key"},
	{102, "application/cose-key-set"},
	{110, "application/senml+json"},
	{111, "application/sensml+json"},
	{112, "application/senml+cbor"},
	{113, "application/sensml+cbor"},
	{114, "application/senml-exi"},
	{115, "application/sensml-exi"},
	{256, "application/coap-group+json"},
	{271, "application/dots+cbor"},
	{280, "application/pkcs7-mime; smime-type=server-generated-key"},
	{281, "application/pkcs7-mime; smime-type=certs-only"},
	{284, "application/pkcs8"},
	{285, "application/csrattrs"},
	{286, "application/pkcs10"},
	{287, "application/pkix-cert"},
	{310, "application/senml+xml"},
	{311, "application/sensml+xml"},
	{320, "application/senml-etch+json"},
	{322, "application/senml-etch+cbor"},
	{432, "application/td+json"},
	{10000, "application/vnd.ocf+cbor"},
	{10001, "application/oscore"},
	{11542, "application/vnd.oma.lwm2m+tlv"},
	{11543, "application/vnd.oma.lwm2m+json"},
	{11544, "application/vnd.oma.lwm2m+cbor"},
};

static bool is_length_good(uint32_t number, size_t len)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].number == number)
			return len >= options[i].min && len <= options[i].max;
	return true;
}

/* §3.1: a nibble, which 13 and 14 prolong by one and two bytes. False for 15. */
static bool read_extended(struct reader *r, uint8_t nibble, uint32_t *ret_v)
{
	if (nibble == 15)
		return false;
	*ret_v = nibble == 13 ? 13u + read_u8(r) : nibble == 14 ? 269u + read_be16(r) : nibble;
	return !r->bad;
}

/* The length of a token is a nibble, prolonged as an option's is (RFC 8974 §2.1). */
static bool is_token_len(uint8_t head)
{
	uint8_t nibble = head & 15;

	return nibble <= 8 || nibble == 13 || nibble == 14;
}

static uint32_t number_of(struct bytes v)
{
	uint32_t n = 0;

	for (size_t i = 0; i < v.len; i++)
		n = n << 8 | v.data[i];
	return n;
}

/* §6.5: one more piece of a path or a query; what would divide it, inside a piece, is escaped. */
static void append(char text[COAP_URI], struct bytes *to, struct bytes piece, char divider)
{
	size_t at = to->len;

	if (!to->data && divider == '&')
		divider = 0;
	if (divider && at < COAP_URI)
		text[at++] = divider;
	for (size_t i = 0; i < piece.len && at < COAP_URI; i++) {
		uint8_t c = piece.data[i];

		if (c != '%' && c != (divider ? (uint8_t)divider : '&')) {
			text[at++] = (char)c;
			continue;
		}
		if (at + 3 > COAP_URI)
			break;
		text[at++] = '%';
		text[at++] = "0123456789ABCDEF"[c >> 4];
		text[at++] = "0123456789ABCDEF"[c & 15];
	}
	*to = (struct bytes){(const uint8_t *)text, at};
}

/* RFC 7959 §2.2: of the sizes 16 to 1024, the eighth is none; in a stream it stands for several of
 * the last at once (RFC 8323 §6). */
static bool read_block(struct bytes v, bool stream, bool *ret_has, uint32_t *ret_block)
{
	*ret_has = true;
	*ret_block = number_of(v);
	return stream || (*ret_block & 7) != 7;
}

static bool take_option(struct coap *m, uint32_t number, struct bytes v)
{
	/* §5.4.3: as if it were not known, and so passed over if it is elective, as even ones are. */
	if (!is_length_good(number, v.len))
		return number % 2 == 0;
	switch (number) {
	case URI_HOST:
		m->uri_host = v;
		break;
	case OBSERVE:
		m->has_observe = true;
		m->observe = number_of(v);
		break;
	case OSCORE:
		m->oscore = true;
		break;
	case URI_PATH:
		if (v.len && v.len <= 2 && !memcmp(v.data, "..", v.len))
			return false; /* §5.10.1: may not be "." or ".." */
		append(m->path_text, &m->path, v, '/');
		break;
	case URI_QUERY:
		append(m->query_text, &m->query, v, '&');
		break;
	case CONTENT_FORMAT:
		m->content_format = PROTO_NAME(formats, number_of(v));
		break;
	case BLOCK1:
		return read_block(v, !m->type, &m->has_block1, &m->block1);
	case BLOCK2:
		return read_block(v, !m->type, &m->has_block2, &m->block2);
	case PROXY_URI:
		m->proxy_uri = v;
		break;
	}
	return true;
}

/* §5.4.5: a critical one that comes again is one that the receiver does not know. Host, Port, Accept,
 * the blocks, and who is asked for it all come once. */
static bool is_single(uint32_t number)
{
	return number == URI_HOST || number == 7 || number == 17 || number == BLOCK2 ||
	       number == BLOCK1 || number == PROXY_URI || number == 39;
}

/*
 * §3.1: options until the end, or a marker that a payload must follow. `behind`: bytes of the payload
 * that are not there yet. Options of a signal mean something else.
 */
static bool read_options(struct reader *r, size_t behind, struct coap *m)
{
	bool signal = m->code_number >> 5 == SIGNAL;
	uint32_t number = 0, delta, len;

	while (reader_left(r)) {
		uint8_t head = read_u8(r);

		if (head == MARKER) {
			m->payload_length = reader_left(r) + behind;
			read_skip(r, reader_left(r));
			return m->payload_length;
		}
		if (!read_extended(r, head >> 4, &delta) || !read_extended(r, head & 15, &len))
			return false;
		number += delta;
		if (signal)
			read_skip(r, len);
		else if ((!delta && is_single(number)) ||
			 !take_option(m, number, read_bytes(r, len)))
			return false;
		if (number > UINT16_MAX || r->bad)
			return false;
	}
	return !behind;
}

/* §4.2, §4.3: what a type of message may carry. Class 7 is for streams (RFC 8323). */
static bool fits(enum type type, uint8_t code, size_t behind)
{
	uint8_t class = code >> 5;

	if (!code)
		return type != NON_CONFIRMABLE && !behind;
	if (class != 0 && class != 2 && class != 4 && class != 5)
		return false;
	return type != RESET && (type != ACKNOWLEDGEMENT || class);
}

static bool is_request(const struct coap *m)
{
	return m->code_number && m->code_number <= CODE_MAX_REQUEST;
}

static void put_code(struct coap *m)
{
	m->code = PROTO_NAME(codes, m->code_number);
	if (!m->code)
		m->code = "Unknown";
	m->code_text[0] = (char)('0' + (m->code_number >> 5));
	m->code_text[1] = '.';
	*digits_pair(m->code_text + 2, m->code_number & 31) = 0;
	m->code_dotted = (struct bytes){(const uint8_t *)m->code_text, 4};
	m->msg.answer = !is_request(m); /* or a ping (§4.3), which asks for nothing */
}

/* What both kinds of messages end with. */
static bool read_rest(struct reader *r, size_t behind, struct coap *m)
{
	if (r->bad || !read_options(r, behind, m))
		return false;
	/* Of what is sealed, the code outside says nothing (RFC 8613 §4.2). */
	m->msg.control =
		is_request(m) && ((m->code_number != GET && m->code_number != FETCH) || m->oscore);
	/* §5.10.2: one of both, or a proxy asks for something else than a server gives. */
	if (m->proxy_uri.data && (m->uri_host.data || m->path.data || m->query.data))
		return false;
	if (is_request(m) && !m->uri_host.data)
		m->uri_host = (struct bytes){(const uint8_t *)"", 0};
	if (is_request(m) && !m->path.data)
		append(m->path_text, &m->path, (struct bytes){NULL, 0}, '/');
	return true;
}

static bool read_message(struct bytes data, struct coap *m)
{
	static const char *const types[] = {"confirmable", "non_confirmable", "acknowledgement",
					    "reset"};
	struct reader r = reader_new(data.data, data.len);
	uint8_t head = read_u8(&r);
	enum type type = head >> 4 & 3;
	uint32_t token_len;

	m->code_number = read_u8(&r);
	m->message_id = read_be16(&r);
	if (r.bad || head >> 6 != VERSION || !is_token_len(head) ||
	    !fits(type, m->code_number, reader_left(&r) + (head & 15)) ||
	    !read_extended(&r, head & 15, &token_len))
		return false;
	m->type = types[type];
	put_code(m);
	m->token = read_bytes(&r, token_len);
	return read_rest(&r, 0, m);
}

/* RFC 8323 §3.2: how long the options and the payload are, then what they follow. */
static enum parse read_frame(struct reader *r, struct coap *m, size_t *ret_len, size_t *ret_held)
{
	uint8_t head = read_u8(r), nibble = head >> 4, class;
	uint32_t token_len = 0;
	size_t len = nibble == 13   ? 13u + read_u8(r)
		     : nibble == 14 ? 269u + read_be16(r)
		     : nibble == 15 ? 65805u + (size_t)read_be32(r)
				    : nibble;

	m->code_number = read_u8(r);
	class = m->code_number >> 5;
	if (!is_token_len(head) || (!r->bad && (class == 1 || class == 3 || class == 6)))
		return PARSE_BAD;
	read_extended(r, head & 15, &token_len);
	m->token = read_bytes(r, token_len);
	*ret_len = len;
	*ret_held = len < STREAM_OPTIONS ? len : STREAM_OPTIONS;
	return r->bad || reader_left(r) < *ret_held ? PARSE_MORE : PARSE_OK;
}

/* The payload of a long one is passed over. */
static enum parse read_stream(const struct proto_input *in, struct coap *m,
			      struct proto_output *out)
{
	struct reader r = reader_new(in->data.data, in->data.len), body;
	size_t len, held;
	enum parse got = read_frame(&r, m, &len, &held);

	if (got != PARSE_OK)
		return got;
	put_code(m);
	body = read_sub(&r, held);
	if (!read_rest(&body, len - held, m))
		return PARSE_BAD;
	out->used = r.off;
	out->skip = len - held;
	return PARSE_OK;
}

/* A long token keeps its client's state, and ends in what protects it (RFC 8974 §3.2): that differs. */
static size_t token_end(const struct coap *m, uint8_t end[static TOKEN])
{
	size_t len = m->token.len < TOKEN ? m->token.len : TOKEN;

	if (len)
		memcpy(end, m->token.data + m->token.len - len, len);
	return len;
}

static void keep_pending(struct state *s, const struct proto_input *in, const struct coap *m)
{
	uint8_t *next = &s->next[in->end];
	struct pending *p = &s->pending[in->end][*next];

	s->asked[in->end] = true;
	*next = (uint8_t)((*next + 1) % PENDING);
	*p = (struct pending){.time_ns = in->time_ns + !in->time_ns,
			      .len = (uint32_t)m->token.len,
			      .observed = m->has_observe && !m->observe};
	token_end(m, p->token);
}

/* The newest request of the other end with this token. */
static void pair(struct state *s, const struct proto_input *in, struct coap *m)
{
	struct pending *found = NULL;
	uint8_t token[TOKEN];
	size_t len = token_end(m, token);

	for (unsigned i = 0; i < PENDING; i++) {
		struct pending *p = &s->pending[!in->end][i];

		if (p->time_ns && p->len == m->token.len && !memcmp(p->token, token, len) &&
		    (!found || p->time_ns > found->time_ns))
			found = p;
	}
	if (!found)
		return;
	if (in->time_ns > found->time_ns)
		m->latency_us = (uint32_t)((in->time_ns - found->time_ns) / 1000);
	if (!found->observed || !m->has_observe)
		found->time_ns = 0;
}

/* One that nobody asked for in this conversation is judged like a request for a place that is not known. */
static void read_response(struct state *s, const struct proto_input *in, struct coap *m)
{
	pair(s, in, m);
	if (in->midstream || s->asked[!in->end])
		return;
	m->msg.answer = false;
	m->uri_host = m->path = (struct bytes){(const uint8_t *)"", 0};
}

static enum parse coap_read(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct coap *m = (struct coap *)ret_m;
	enum parse got = PARSE_OK;
	bool good;

	if (in->datagram) {
		good = read_message(in->data, m);
		ret_out->used = in->data.len;
	} else {
		got = read_stream(in, m, ret_out);
		if (got == PARSE_MORE)
			return got;
		good = got == PARSE_OK;
	}
	ret_out->has_msg = true;
	if (!good)
		m->msg.reason = REASON_COAP_MALFORMED;
	else if (is_request(m))
		keep_pending(state, in, m);
	else if (m->code_number && m->code_number >> 5 != SIGNAL)
		read_response(state, in, m);
	return got;
}

static bool is_port(const struct proto_input *in)
{
	return in->port[0] == PORT || in->port[1] == PORT;
}

/* RFC 8323 §5.3: a message that says what its sender can, within a few bytes. */
static enum parse probe_stream(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	uint8_t head = read_u8(&r), size = head >> 4;
	struct proto_output out = {0};
	struct coap m = {0};
	enum parse got;

	/* In the middle nobody says it any more: the rule tells, and a message that is there whole. */
	if (in->midstream && in->expected) {
		got = read_stream(in, &m, &out);
		return got == PARSE_OK && out.skip ? PARSE_BAD : got;
	}
	if (size == 13)
		read_u8(&r);
	if (size > 13 || !is_token_len(head) || (read_u8(&r) != CSM && !r.bad))
		return PARSE_BAD;
	got = r.bad ? PARSE_MORE : read_stream(in, &m, &out);
	/* Elsewhere it must say more than that it is one. */
	return got == PARSE_OK && !size && !is_port(in) ? PARSE_BAD : got;
}

/* Two bits are all that every message has in common: beside the port, a request for a place. */
static enum parse probe(const struct proto_input *in)
{
	struct coap m = {0};
	bool good;

	if (!in->datagram)
		return probe_stream(in);
	good = read_message(in->data, &m);
	if (is_port(in))
		return in->data.len >= 4 && in->data.data[0] >> 6 == VERSION ? PARSE_OK : PARSE_BAD;
	return good && is_request(&m) && m.code_number <= IPATCH &&
			       (m.path.len > 1 || m.proxy_uri.len) && !in->end
		       ? PARSE_OK
		       : PARSE_BAD;
}

static void write_block(struct json *j, const char *key, uint32_t block)
{
	json_open(j, key);
	json_u64(j, "number", block >> 4);
	json_bool(j, "more", block & 8);
	json_u64(j, "size", (block & 7) < 7 ? 16u << (block & 7) : 1024);
	json_close(j);
}

static void write_rest(const struct msg *msg, struct json *j)
{
	const struct coap *m = (const struct coap *)msg;
	size_t shown = m->token.len < TOKEN_SHOWN ? m->token.len : TOKEN_SHOWN;
	char token[2 * TOKEN_SHOWN + 1];

	if (m->type)
		json_u64(j, "message_id", m->message_id); /* a stream needs none */
	*digits_hex_bytes(token, m->token.data, shown) = 0;
	if (shown)
		json_name(j, "token", token);
	if (m->has_observe)
		json_u64(j, "observe", m->observe);
	if (m->has_block1)
		write_block(j, "block1", m->block1);
	if (m->has_block2)
		write_block(j, "block2", m->block2);
}

#define FIELD(name, member, type, flags)                                    \
	{                                                                   \
		PROTO_KEY(name), offsetof(struct coap, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("type", type, FIELD_NAME, 0),
	FIELD("code", code_dotted, FIELD_TEXT, 0),
	FIELD("code_name", code, FIELD_NAME, FIELD_MATCH),
	FIELD("uri_host", uri_host, FIELD_TEXT, FIELD_MATCH | FIELD_CASELESS | FIELD_MUST),
	FIELD("uri_path", path, FIELD_TEXT, FIELD_MATCH),
	FIELD("uri_query", query, FIELD_TEXT, 0),
	FIELD("proxy_uri", proxy_uri, FIELD_TEXT, FIELD_MATCH),
	FIELD("content_format", content_format, FIELD_NAME, 0),
	FIELD("oscore", oscore, FIELD_BOOL, FIELD_MATCH),
	FIELD("payload_length", payload_length, FIELD_U64, 0),
	FIELD("latency_us", latency_us, FIELD_U32, 0),
	{""},
};

const struct proto coap_proto = {
	.name = "coap",
	.over = PROTO_OVER_UDP | PROTO_OVER_TCP,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct coap),
	.msg_zero = offsetof(struct coap, path_text),
	.fields = fields,
	.probe = probe,
	.read = coap_read,
	.write = write_rest,
};
