#include "guard/proto/syslog.h"

#include "guard/proto/head.h"

#define PORT 514
#define LINE_MAX \
	8192 /* bytes of a message that are looked at; RFC 5424 §6.1 asks for 2048 at least */
#define DIGITS	  6   /* of a count: many receivers take 200,000 bytes */
#define PRIORITY  191 /* the highest: 23 facilities and a severity */
#define STAMP_LEN 16  /* "Nov 25 10:00:00 " */
#define DATE_LEN  19

static const struct proto_name facilities[] = {
	{0, "kern"},	  {1, "user"},	  {2, "mail"},	  {3, "daemon"},  {4, "auth"},
	{5, "syslog"},	  {6, "lpr"},	  {7, "news"},	  {8, "uucp"},	  {9, "cron"},
	{10, "authpriv"}, {11, "ftp"},	  {12, "ntp"},	  {13, "audit"},  {14, "alert"},
	{15, "clock"},	  {16, "local0"}, {17, "local1"}, {18, "local2"}, {19, "local3"},
	{20, "local4"},	  {21, "local5"}, {22, "local6"}, {23, "local7"},
};

static const struct proto_name severities[] = {
	{0, "emerg"},	{1, "alert"},  {2, "crit"}, {3, "err"},
	{4, "warning"}, {5, "notice"}, {6, "info"}, {7, "debug"},
};

/* "<165>", §6.2.1. */
static enum parse read_priority(struct reader *r, uint16_t *ret_p)
{
	uint16_t p = 0;

	if (read_u8(r) != '<')
		return r->bad ? PARSE_MORE : PARSE_BAD;
	for (unsigned digits = 0;; digits++) {
		uint8_t c = read_u8(r);

		if (r->bad)
			return PARSE_MORE;
		if (c == '>' && digits) {
			*ret_p = p;
			return p <= PRIORITY ? PARSE_OK : PARSE_BAD;
		}
		if (c < '0' || c > '9' || digits == 3)
			return PARSE_BAD;
		p = (uint16_t)(p * 10 + (c - '0'));
	}
}

static struct bytes read_word(struct reader *r)
{
	struct bytes rest = {r->in.data + r->off, reader_left(r)};
	struct bytes word = head_before(rest, " ");

	read_skip(r, word.len);
	if (reader_left(r))
		read_skip(r, 1);
	return word;
}

/* "-" stands for nothing, §6.2. */
static struct bytes or_nothing(struct bytes b)
{
	return !b.len || (b.len == 1 && b.data[0] == '-') ? (struct bytes){NULL, 0} : b;
}

static bool is_stamp(struct bytes b)
{
	return b.len >= STAMP_LEN && b.data[3] == ' ' && b.data[6] == ' ' && b.data[9] == ':' &&
	       b.data[12] == ':' && b.data[15] == ' ';
}

/* "2003-10-11T22:14:15": the time of RFC 5424 in a message of the old manner, as rsyslog forwards them. */
static bool is_date(struct bytes b)
{
	return b.len > DATE_LEN && b.data[0] >= '0' && b.data[0] <= '9' && b.data[4] == '-' &&
	       b.data[7] == '-' && b.data[10] == 'T' && b.data[13] == ':' && b.data[16] == ':';
}

/* "httpd[7]:" or "httpd:" where a host's name is due: programs leave it out on the host itself, and not
 * everybody who passes that on puts it in. */
static bool is_tag(struct bytes word)
{
	size_t name = head_before(word, ":[").len;

	return name && name < word.len && (word.data[name] == '[' || name + 1 == word.len);
}

/* Whoever speaks the old manner keeps to it as he likes: what is not there is left out. */
static void read_old(struct syslog_msg *m, struct reader *r)
{
	struct bytes rest = {r->in.data + r->off, reader_left(r)}, word;

	if (is_stamp(rest))
		read_skip(r, STAMP_LEN);
	else if (is_date(rest))
		read_word(r);
	else
		return;
	word = read_word(r);
	if (!is_tag(word)) {
		m->hostname = or_nothing(word);
		word = read_word(r);
	}
	m->appname = or_nothing(head_before(word, ":["));
}

static bool read_line(struct bytes line, struct syslog_msg *m)
{
	struct reader r = reader_new(line.data, line.len);
	uint16_t priority;

	if (read_priority(&r, &priority) != PARSE_OK)
		return false;
	m->facility = PROTO_NAME(facilities, priority / 8u);
	m->severity = PROTO_NAME(severities, priority % 8u);
	if (reader_left(&r) < 2 || memcmp(line.data + r.off, "1 ", 2)) {
		read_old(m, &r);
		return true;
	}
	m->version = 1;
	read_skip(&r, 2);
	read_word(&r); /* time */
	m->hostname = or_nothing(read_word(&r));
	m->appname = or_nothing(read_word(&r));
	return true;
}

/* "123 " ahead of a message of so many bytes, RFC 6587 §3.4.1; false where there is none. */
static enum parse read_count(struct reader *r, size_t *ret_len)
{
	size_t n = 0;

	for (unsigned digits = 0; digits <= DIGITS; digits++) {
		uint8_t c = read_u8(r);

		if (r->bad)
			return PARSE_MORE;
		if (c == ' ' && digits) {
			*ret_len = n;
			return n ? PARSE_OK : PARSE_BAD;
		}
		if (c < '0' || c > '9' || (c == '0' && !digits))
			return PARSE_BAD;
		n = n * 10 + (size_t)(c - '0');
	}
	return PARSE_BAD;
}

/* One line, as far as one sees. */
static bool is_text(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] < ' ' && b.data[i] != '\t' && b.data[i] != '\n' &&
		    b.data[i] != '\r' && (b.data[i] || i + 1 < b.len))
			return false;
	return true;
}

static enum parse probe(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	uint16_t priority;
	size_t len;
	enum parse got;

	if (in->end)
		return PARSE_BAD;
	if (!in->datagram && in->data.data[0] != '<') {
		got = read_count(&r, &len);
		if (got != PARSE_OK)
			return got;
	}
	got = read_priority(&r, &priority);
	/* RFC 3164 §4.3.3: what comes there is one without, where nothing but the port can tell. */
	if (got != PARSE_OK && in->datagram)
		return proto_at_home(in, PORT) && in->data.data[0] != '<' && is_text(in->data)
			       ? PARSE_OK
			       : PARSE_BAD;
	if (got != PARSE_OK)
		return got;
	if (!reader_left(&r))
		return in->datagram ? PARSE_BAD : PARSE_MORE;
	return in->data.data[r.off] >= ' ' ? PARSE_OK : PARSE_BAD;
}

/* RFC 6587 §3.4.2: what ends a message of a stream is a line feed mostly, a zero for some. */
static bool is_end(uint8_t c)
{
	return c == '\n' || !c;
}

/* What is too long goes on in another message, as it does for receivers. */
static enum parse take_line(struct bytes b, struct bytes *ret_line, size_t *ret_used)
{
	size_t n = 0;

	while (n < b.len && n < LINE_MAX && !is_end(b.data[n]))
		n++;
	if (n == b.len && n < LINE_MAX)
		return PARSE_MORE;
	*ret_used = n < LINE_MAX ? n + 1 : n;
	if (n && n < LINE_MAX && b.data[n - 1] == '\r')
		n--;
	*ret_line = (struct bytes){b.data, n};
	return PARSE_OK;
}

/* The message at the front, how many bytes it takes with what surrounds it, and how many more follow. */
static enum parse take(struct bytes b, struct bytes *ret_line, size_t *ret_used, uint64_t *ret_skip)
{
	struct reader r = reader_new(b.data, b.len);
	size_t len;
	enum parse got = read_count(&r, &len);

	if (got == PARSE_MORE)
		return got;
	if (got == PARSE_BAD)
		return take_line(b, ret_line, ret_used);
	*ret_line = read_bytes(&r, len < LINE_MAX ? len : LINE_MAX);
	if (r.bad)
		return PARSE_MORE;
	*ret_used = r.off;
	*ret_skip = len - ret_line->len;
	return PARSE_OK;
}

/*
 * RFC 3164 §4.3.3: what has no priority is a message of its own all the same, as the further lines of
 * a longer text are. Its receiver reads on behind it.
 */
static void put_line(struct syslog_msg *m, struct bytes line)
{
	if (read_line(line, m))
		return;
	m->facility = "user";
	m->severity = "notice";
	m->msg.reason = REASON_SYSLOG_MALFORMED;
	m->msg.readable = true;
}

static enum parse syslog_read(void *state, const struct proto_input *in, struct msg *ret_m,
			      struct proto_output *ret_out)
{
	struct syslog_msg *m = (struct syslog_msg *)ret_m;
	struct bytes line = in->data;
	enum parse got;

	ret_out->used = in->data.len;
	if (in->end) { /* nobody answers in this protocol; what is said is somebody else's */
		ret_out->skip = in->datagram ? 0 : UINT64_MAX;
		return PARSE_OK;
	}
	if (in->datagram && read_line(line, m)) {
		ret_out->has_msg = true;
		return PARSE_OK;
	}
	if (in->datagram)
		got = line.data[0] != '<' && is_text(line) ? PARSE_OK : PARSE_BAD;
	else
		got = take(in->data, &line, &ret_out->used, &ret_out->skip);
	if (got == PARSE_MORE)
		return got;
	ret_out->has_msg = line.len || got == PARSE_BAD;
	if (got == PARSE_BAD)
		m->msg.reason = REASON_SYSLOG_MALFORMED;
	else if (line.len)
		put_line(m, line);
	return got;
}

/* The connection's end ends a message, too. */
static enum parse syslog_closed(void *state, const struct proto_input *in, struct msg *ret_m,
				struct proto_output *ret_out)
{
	if (!in->end && in->data.len && in->data.data[0] == '<') {
		put_line((struct syslog_msg *)ret_m, in->data);
		ret_out->has_msg = true;
	}
	return PARSE_OK;
}

#define FIELD(name, member, type, flags)                                          \
	{                                                                         \
		PROTO_KEY(name), offsetof(struct syslog_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("facility", facility, FIELD_NAME, FIELD_MATCH | FIELD_VARIES),
	FIELD("severity", severity, FIELD_NAME, FIELD_MATCH | FIELD_VARIES),
	FIELD("version", version, FIELD_U8, 0),
	FIELD("hostname", hostname, FIELD_TEXT, FIELD_MATCH | FIELD_CASELESS),
	FIELD("appname", appname, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	{""},
};

const struct proto syslog_proto = {
	.name = "syslog",
	.over = PROTO_OVER_UDP | PROTO_OVER_TCP,
	.lines = true,
	.unmarked = true,
	.msg_size = sizeof(struct syslog_msg),
	.fields = fields,
	.probe = probe,
	.read = syslog_read,
	.closed = syslog_closed,
};
