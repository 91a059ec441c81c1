#include "guard/proto/sip.h"

#include "guard/proto/head.h"

#include <ctype.h>

#define PORT	    5060
#define HEAD_MAX    16384
#define FIELD_MAX   200
#define VERSION	    "SIP/2.0"
#define VERSION_LEN 7

struct state {
	uint32_t scanned[2];
	bool asked[2]; /* the end sent a request */
};

/* RFC 3261 §25.1: a method may be any token. */
static bool is_token(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (!isalnum(b.data[i]) && (!b.data[i] || !strchr("-.!%*_+`'~", b.data[i])))
			return false;
	return b.len;
}

/* "INVITE sip:bed-7@host SIP/2.0" or "SIP/2.0 200 OK" */
static bool read_first(struct bytes line, struct sip_msg *m)
{
	struct bytes rest;

	if (line.len > VERSION_LEN + 4 && !memcmp(line.data, VERSION " ", VERSION_LEN + 1)) {
		m->version = (struct bytes){line.data, VERSION_LEN};
		m->code = (struct bytes){line.data + VERSION_LEN + 1, 3};
		rest = (struct bytes){m->code.data + 3, line.len - VERSION_LEN - 4};
		m->reason = head_trim(rest);
		return m->code.data[0] >= '1' && m->code.data[0] <= '6';
	}
	if (line.len < VERSION_LEN + 4 ||
	    memcmp(line.data + line.len - VERSION_LEN - 1, " " VERSION, VERSION_LEN + 1))
		return false;
	m->version = (struct bytes){line.data + line.len - VERSION_LEN, VERSION_LEN};
	m->method = head_before(line, " ");
	if (!is_token(m->method) || m->method.len + VERSION_LEN + 2 >= line.len)
		return false;
	m->uri = (struct bytes){m->method.data + m->method.len + 1,
				line.len - m->method.len - VERSION_LEN - 2};
	return true;
}

/* "sip:user@host;parameters" without its user and its parameters. */
static void strip_user(struct sip_msg *m)
{
	struct bytes scheme = head_before(m->uri, ":"), rest = m->uri;
	struct writer w = writer_new(m->room, sizeof(m->room));
	const uint8_t *at;

	if (scheme.len == m->uri.len) {
		m->uri = (struct bytes){NULL, 0};
		return;
	}
	rest = (struct bytes){scheme.data + scheme.len + 1, m->uri.len - scheme.len - 1};
	rest = head_before(rest, ";?");
	at = rest.len ? memrchr(rest.data, '@', rest.len) : NULL;
	if (at)
		rest = (struct bytes){at + 1, (size_t)(rest.data + rest.len - at - 1)};
	else if (head_is(scheme, "tel"))
		rest.len = 0;
	write_bytes(&w, scheme.data, scheme.len);
	write_u8(&w, ':');
	write_bytes(&w, rest.data, rest.len);
	m->uri = w.bad ? (struct bytes){NULL, 0} : (struct bytes){w.data, w.len};
	m->room_used = (uint16_t)w.len;
}

/* RFC 3261 §7.3.1: where a value goes on in the next line, a blank stands for the end of the line. */
static struct bytes unfolded(struct sip_msg *m, struct bytes value)
{
	struct writer w = writer_new(m->room + m->room_used, sizeof(m->room) - m->room_used);
	bool blank = false;

	for (size_t i = 0; i < value.len && !w.bad; i++) {
		bool end = value.data[i] == '\r' || value.data[i] == '\n';

		blank = end || (blank && (value.data[i] == ' ' || value.data[i] == '\t'));
		if (end && w.len && w.data[w.len - 1] != ' ')
			write_u8(&w, ' ');
		else if (!blank)
			write_u8(&w, value.data[i]);
	}
	if (w.bad)
		return (struct bytes){NULL, 0};
	m->room_used += (uint16_t)w.len;
	return (struct bytes){w.data, w.len};
}

/* Empty lines in front: streams are to have them passed over (RFC 3261 §7.5), and servers do so in datagrams. */
static size_t blank_in_front(struct bytes b)
{
	size_t n = 0;

	while (n < b.len && (b.data[n] == '\r' || b.data[n] == '\n'))
		n++;
	return n;
}

/* RFC 5626 §4.4.1, and phones before it: empty lines, or zeros, keep a path open. */
static bool is_keepalive(struct bytes b)
{
	size_t zeros = 0;

	while (zeros < b.len && !b.data[zeros])
		zeros++;
	return zeros == b.len || blank_in_front(b) == b.len;
}

static enum parse probe(const struct proto_input *in)
{
	size_t blank = blank_in_front(in->data), i = blank;
	struct reader r = reader_new(in->data.data, in->data.len);
	struct sip_msg m;
	struct bytes line;

	/* All that is said for long may be that the path is kept open. */
	if (in->datagram ? is_keepalive(in->data) : blank == in->data.len)
		return !proto_at_home(in, PORT) ? PARSE_BAD : in->datagram ? PARSE_OK : PARSE_MORE;
	read_skip(&r, blank);
	if (head_line(&r, &line))
		return read_first(line, &m) ? PARSE_OK : PARSE_BAD;
	while (i < in->data.len && in->data.data[i] >= 'A' && in->data.data[i] <= 'Z')
		i++;
	return !in->datagram && in->data.len < 512 && i > blank &&
			       (i == in->data.len || in->data.data[i] == ' ' ||
				in->data.data[i] == '/')
		       ? PARSE_MORE
		       : PARSE_BAD;
}

static enum parse broken(struct sip_msg *m, struct proto_output *out)
{
	m->msg.reason = REASON_SIP_MALFORMED;
	out->has_msg = true;
	return PARSE_BAD;
}

/* False where the length is none, or there are two, of which servers take one or the other, or it stands in
 * a line of its own, which some read as none; RFC 3261 §20.14, and its short form. */
static bool read_fields(struct sip_msg *m, struct reader *r, uint64_t *ret_length)
{
	unsigned lengths = 0;
	struct head_field f;

	*ret_length = 0;
	for (unsigned n = 0; head_field(r, &f); n++) {
		if (n == FIELD_MAX)
			return false;
		if (head_is(f.name, "Content-Length") || head_is(f.name, "l")) {
			if (lengths++ || f.folded || f.oddly_set ||
			    !head_number(f.value, ret_length))
				return false;
		} else if (head_is(f.name, "User-Agent") || head_is(f.name, "Server")) {
			m->user_agent = f.folded ? unfolded(m, f.value) : f.value;
		} else if (head_is(f.name, "Content-Type") || head_is(f.name, "c")) {
			m->content_type = f.folded ? unfolded(m, f.value) : f.value;
		} else if (head_is(f.name, "CSeq")) {
			size_t at = head_before(f.value, " \t").len;

			m->answers = head_trim((struct bytes){f.value.data + at, f.value.len - at});
		}
	}
	return true;
}

/*
 * What nobody asked for in this conversation proxies may pass on to anybody (RFC 3261 §16.7), or it is
 * the answer to a request that came from another port (§18.2.2): it is judged by the method that it says
 * it answers, and by whom that was for, which it does not say.
 */
static void pair(struct sip_msg *m, struct state *st, const struct proto_input *in)
{
	if (!m->code.data) {
		st->asked[in->end] = true;
		return;
	}
	m->msg.answer = in->midstream || st->asked[!in->end];
	if (m->msg.answer)
		return;
	m->method = m->answers.data ? m->answers : (struct bytes){m->code.data, 0};
	m->uri = (struct bytes){m->code.data, 0};
}

static enum parse sip_read(void *state, const struct proto_input *in, struct msg *ret_m,
			   struct proto_output *ret_out)
{
	struct sip_msg *m = (struct sip_msg *)ret_m;
	struct state *st = state;
	struct bytes b = in->data, line;
	uint32_t datagram = 0, *scanned = in->datagram ? &datagram : &st->scanned[in->end];
	struct reader r;
	size_t len, blank = blank_in_front(b);
	uint64_t length;

	if (in->datagram ? is_keepalive(b) : blank > 0) {
		ret_out->used = in->datagram ? b.len : blank;
		return PARSE_OK;
	}
	b = (struct bytes){b.data + blank, b.len - blank};
	len = head_len(b, scanned);
	if (!len && !in->datagram && b.len < HEAD_MAX)
		return PARSE_MORE;
	if (!len)
		return broken(m, ret_out);
	*scanned = 0;
	r = reader_new(b.data, len);
	if (!head_line(&r, &line) || !read_first(line, m))
		return broken(m, ret_out);
	strip_user(m);
	if (!read_fields(m, &r, &length))
		return broken(m, ret_out);
	pair(m, st, in);
	ret_out->has_msg = true;
	ret_out->used = in->datagram ? in->data.len : len;
	ret_out->skip = in->datagram ? 0 : length;
	return PARSE_OK;
}

#define FIELD(name, member, type, flags)                                       \
	{                                                                      \
		PROTO_KEY(name), offsetof(struct sip_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("method", method, FIELD_TEXT, FIELD_MATCH),
	FIELD("uri", uri, FIELD_TEXT, FIELD_MATCH),
	FIELD("version", version, FIELD_TEXT, 0),
	FIELD("code", code, FIELD_TEXT, 0),
	FIELD("reason", reason, FIELD_TEXT, 0),
	FIELD("user_agent", user_agent, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	FIELD("content_type", content_type, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	{""},
};

const struct proto sip_proto = {
	.name = "sip",
	.over = PROTO_OVER_UDP | PROTO_OVER_TCP,
	.lines = true,
	.unmarked = true,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct sip_msg),
	.msg_zero = offsetof(struct sip_msg, room),
	.fields = fields,
	.probe = probe,
	.read = sip_read,
};
