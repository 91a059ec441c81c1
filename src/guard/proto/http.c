#include "guard/proto/http.h"

#include <strings.h>

#include "guard/proto/coding.h"
#include "guard/proto/head.h"
#include "guard/proto/http_head.h"
#include "guard/proto/mqtt.h"
#include "guard/proto/part10.h"
#include "guard/proto/sdc.h"
#include "guard/proto/soap_body.h"
#include "guard/proto/websocket.h"

#define CHUNK_LINE_MAX 1024
#define PIPELINE_MAX   64 /* requests without their answers yet */
#define BODY_START     4  /* bytes that tell a program */
#define PACKED_MAX \
	60000 /* bytes of a compressed body that are looked into, with those between chunks, */
#define PLAIN_MAX     0x40000 /* and of what they are when they are not compressed */
#define POST_HEAD     2000
#define EMPTY_MAX     64 /* bytes of empty lines ahead of the first request */
#define ABOUT_MAX     12 /* requests whose answers are told with what they asked */
#define TEXTS_MAX     600
#define METHOD_KEPT   16
#define HOSTNAME_KEPT 100
#define URL_KEPT      480

enum phase {
	PHASE_HEAD,
	PHASE_BODY, /* `left` bytes */
	PHASE_CHUNK_LINE,
	PHASE_CHUNK, /* `left` bytes */
	PHASE_CHUNK_END,
	PHASE_TRAILER,
	PHASE_REST, /* a body to the end, or no HTTP any more */
};

/* What a request asks decides how its answer is framed (RFC 9112 §6.3). */
enum asked { ASKED_OTHER, ASKED_HEAD, ASKED_CONNECT };
#define ASKED_DEFAULT 0x80 /* and by a login that everybody knows */
#define ASKED_UPGRADE 0x40 /* and for another protocol */
#define ASKED_FLAGS   (ASKED_DEFAULT | ASKED_UPGRADE)

struct side {
	uint8_t phase, seen; /* seen: of the body's first bytes */
	bool tunnel : 1;     /* the rest is none of HTTP's */
	bool parts : 1;	     /* the body has some, each of which may be an image */
	uint8_t coding : 2;  /* enum coding; of a body that is looked into */
	struct part10 file;  /* the body, as far as it may be one itself */
	struct part10_search files;
	uint32_t scanned;
	uint64_t left;
};

/* What a request was about, for its answer: lengths of its texts, none where there was no room. */
struct about {
	uint8_t method_len, hostname_len;
	uint16_t url_len, port;
};

struct state {
	struct side side[2];
	uint8_t client; /* the end that asks */
	bool client_known;
	uint8_t first, waiting; /* a ring of what was asked */
	uint8_t asked[PIPELINE_MAX];
	bool answered; /* the first of those that wait; the answer's event may still need its texts */
	uint16_t texts_len;
	struct about about[ABOUT_MAX]; /* of the first that wait, in their order */
	uint8_t texts[TEXTS_MAX];      /* one behind the other: method, host name, URL */
};

_Static_assert(sizeof(struct state) <= PROTO_STATE_MAX, "state");

static bool is_line_end(uint8_t c)
{
	return c == '\r' || c == '\n';
}

/*
 * What is posted may be SDC's, which its head says further down: a protocol of its own. The head
 * comes in pieces where a client writes it so; what begins with a long one is read as HTTP.
 */
static enum parse probe(const struct proto_input *in)
{
	struct bytes b = in->data;
	uint32_t scanned = 0;
	enum parse got;

	/* Empty lines ahead of a request are for nothing (RFC 9112 §2.2), and nothing hides behind them. */
	for (; b.len && is_line_end(b.data[0]); b.data++, b.len--)
		;
	got = in->data.len - b.len > EMPTY_MAX ? PARSE_BAD : http_head_probe(b);
	if (got == PARSE_OK && b.len < POST_HEAD && !in->last && !memcmp(b.data, "POST ", 5) &&
	    !head_len(b, &scanned))
		return PARSE_MORE;
	return got;
}

static enum parse broken(struct http_msg *m, enum reason reason, struct proto_output *out)
{
	m->msg.reason = reason;
	out->has_msg = true;
	return PARSE_BAD;
}

static struct bytes without_query(struct bytes url)
{
	return head_before(url, "?#;");
}

/* "http://host:port/path" of a proxy's client has the host in it (RFC 9112 §3.2.2). */
static void read_target(struct http_msg *m, struct bytes target)
{
	m->url = without_query(target);
	m->query = m->url.len != target.len;
	m->path_len = http_path_read(target, m->path, &m->unsure);
	if (m->path_len == m->url.len && !memcmp(m->path, m->url.data, m->path_len))
		m->path_len = 0;
}

/* A proxy that means it writes it plainly: of one that leads elsewhere no second path is kept. */
static void read_rewritten(struct http_msg *m, struct bytes target)
{
	uint8_t path[HTTP_PATH_MAX];
	bool unsure;

	m->rewritten = without_query(target);
	m->unsure |= target.data && http_path_read(target, path, &unsure);
}

/* "host:port", "[::1]:port"; a port that is none stays part of the name. */
static void read_host(struct http_msg *m, struct bytes host)
{
	size_t i = host.len;
	uint64_t port;

	m->hostname = host;
	m->port = 0;
	while (i && host.data[i - 1] >= '0' && host.data[i - 1] <= '9')
		i--;
	if (i < 2 || i == host.len || host.data[i - 1] != ':' ||
	    !head_number((struct bytes){host.data + i, host.len - i}, &port) || port > 65535)
		return;
	if (memchr(host.data, ':', i - 1) && host.data[i - 2] != ']')
		return; /* an address of IPv6 without brackets */
	m->hostname.len = i - 1;
	m->port = (uint16_t)port;
}

/* Whom the target itself names: "host:port" of CONNECT, or behind "http://"; empty: nobody. */
static struct bytes authority(const struct http_head *h)
{
	struct bytes b = h->target, at;

	if (!b.data)
		return b;
	if (!head_is(h->method, "CONNECT")) {
		const uint8_t *colon;

		b.len = http_path_at(b);
		if (!b.len)
			return b;
		colon = memchr(b.data, ':', b.len);
		b.len -= (size_t)(colon + 3 - b.data);
		b.data = colon + 3;
	}
	b = head_before(b, "/?#");
	for (at = head_before(b, "@"); at.len < b.len; at = head_before(b, "@")) {
		b.data += at.len + 1;
		b.len -= at.len + 1;
	}
	return b;
}

/*
 * RFC 9112 §3.2.2: where the target names somebody the Host field does not count. Those
 * who differ are two ways to read it: one of them is what a rule was told.
 */
static enum reason read_addressee(struct http_msg *m, const struct http_head *h)
{
	struct bytes named = authority(h);
	struct bytes other;

	read_host(m, h->host);
	if (!named.len)
		return REASON_NONE;
	/* A login ahead of the host is told nobody. */
	if (named.data > h->target.data && named.data[-1] == '@') {
		size_t login = (size_t)(named.data - m->url.data);

		m->url.data += login < m->url.len ? login : m->url.len;
		m->url.len -= login < m->url.len ? login : m->url.len;
	}
	other = m->hostname;
	read_host(m, named);
	if (other.len &&
	    (other.len != m->hostname.len ||
	     strncasecmp((const char *)other.data, (const char *)m->hostname.data, other.len)))
		return REASON_HTTP_SMUGGLING;
	return REASON_NONE;
}

/* RFC 9110 §9.2.1 and IANA's registry of methods: those that only read. */
static bool is_safe(struct bytes method)
{
	static const char *const names[] = {"GET",    "HEAD",	"OPTIONS", "PROPFIND",
					    "REPORT", "SEARCH", "QUERY",   "TRACE"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (head_is(method, names[i]))
			return true;
	return false;
}

/* MQTT 3.1.1 §6 names it so; what extensions make of it is not read (RFC 7692: compressed). */
static bool opens_mqtt(const struct http_head *h)
{
	struct bytes list = h->websocket_protocol;

	if (!h->websocket || (!h->request && h->websocket_extensions.len))
		return false;
	while (list.len) {
		struct bytes one = head_before(list, ","), name = head_trim(one);
		size_t n = one.len + (one.len < list.len);

		if (head_is(name, "mqtt") || head_is(name, "mqttv3.1"))
			return true;
		list = (struct bytes){list.data + n, list.len - n};
	}
	return false;
}

static void put_upgrade(struct http_msg *m, const struct http_head *h)
{
	m->upgrade = h->websocket ? "websocket" : NULL;
	m->websocket_protocol = h->websocket_protocol;
	if (opens_mqtt(h) && (h->request ? head_is(h->method, "GET") && !h->length && !h->chunked
					 : h->status == 101))
		m->msg.opens = &mqtt_proto;
}

static void put_head(struct http_msg *m, struct http_head *h)
{
	m->protocol = h->protocol;
	m->content_type = head_trim(head_before(h->content_type, ";"));
	m->content_encoding = h->content_encoding;
	m->length = h->length;
	m->chunked = h->chunked;
	m->status = h->status;
	m->server = h->server;
	m->redirect = without_query(h->location);
	put_upgrade(m, h);
	if (!h->request)
		return;
	m->method = h->method;
	m->msg.control = !is_safe(h->method) || (h->override.len && !is_safe(h->override));
	if (h->target.data)
		read_target(m, h->target);
	if (read_addressee(m, h) != REASON_NONE)
		h->reason = REASON_HTTP_SMUGGLING;
	if (!m->hostname.data)
		m->hostname = (struct bytes){(const uint8_t *)"", 0};
	read_rewritten(m, h->rewritten);
	m->user_agent = h->user_agent;
	m->referer = without_query(h->referer);
	m->auth = head_before(h->authorization, " ");
	m->default_login = http_default_login(h->authorization);
}

static size_t about_len(const struct about *a)
{
	return (size_t)a->method_len + a->hostname_len + a->url_len;
}

static size_t keep(struct writer *w, size_t cap, struct bytes b)
{
	if (b.len > cap)
		return 0;
	write_bytes(w, b.data, b.len);
	return b.len;
}

/* Of the request that waits behind `waiting` others. */
static void remember(struct state *st, const struct http_msg *m)
{
	struct writer w = writer_new(st->texts + st->texts_len, sizeof(st->texts) - st->texts_len);
	struct about a;

	if (st->waiting >= ABOUT_MAX)
		return;
	a.method_len = (uint8_t)keep(&w, METHOD_KEPT, m->method);
	a.hostname_len = (uint8_t)keep(&w, HOSTNAME_KEPT, m->hostname);
	a.url_len = (uint16_t)keep(&w, URL_KEPT, m->url);
	a.port = m->port;
	if (w.bad)
		a = (struct about){0};
	else
		st->texts_len = (uint16_t)(st->texts_len + w.len);
	st->about[st->waiting] = a;
}

static struct bytes kept(const uint8_t **at, size_t len)
{
	const uint8_t *text = *at;

	*at += len;
	return (struct bytes){len ? text : NULL, len};
}

/* What the first that waits was about. */
static void recall(const struct state *st, struct http_msg *m)
{
	const uint8_t *at = st->texts;

	if (!st->waiting)
		return;
	m->method = kept(&at, st->about[0].method_len);
	m->hostname = kept(&at, st->about[0].hostname_len);
	m->url = kept(&at, st->about[0].url_len);
	m->port = st->about[0].port;
}

/* The first has its answer, and that was told: the next one is the first. */
static void settle(struct state *st)
{
	size_t len = about_len(&st->about[0]);

	if (!st->answered)
		return;
	st->answered = false;
	st->first = (st->first + 1) % PIPELINE_MAX;
	st->waiting--;
	st->texts_len = (uint16_t)(st->texts_len - len);
	memmove(st->texts, st->texts + len, st->texts_len);
	memmove(&st->about[0], &st->about[1], sizeof(st->about) - sizeof(st->about[0]));
	st->about[ABOUT_MAX - 1] = (struct about){0};
}

static bool ask(struct state *st, const struct http_head *h, const struct http_msg *m)
{
	enum asked what = head_is(h->method, "HEAD")	  ? ASKED_HEAD
			  : head_is(h->method, "CONNECT") ? ASKED_CONNECT
							  : ASKED_OTHER;

	if (st->waiting == PIPELINE_MAX)
		return false;
	remember(st, m);
	st->asked[(st->first + st->waiting++) % PIPELINE_MAX] =
		(uint8_t)(what | (m->default_login ? ASKED_DEFAULT : 0) |
			  (h->upgrade ? ASKED_UPGRADE : 0));
	return true;
}

static enum asked answered(struct state *st)
{
	if (!st->waiting)
		return ASKED_OTHER; /* asked before anybody listened */
	st->answered = true;
	return st->asked[st->first] & ~ASKED_FLAGS;
}

/* RFC 9110 §7.8: a server changes to no protocol that it was not asked for. */
static bool upgrades_unasked(const struct state *st)
{
	return st->waiting && !(st->asked[st->first] & ASKED_UPGRADE);
}

static void body(struct side *s, enum phase phase, uint64_t left)
{
	s->phase = (uint8_t)phase;
	s->left = left;
	s->seen = 0;
	s->parts = false;
	s->coding = CODING_NONE;
	s->file = (struct part10){.seen = 0};
}

/* Nearly every page comes compressed: of those a browser is told it may show, none is an image for a viewer. */
static bool may_be_file(const struct http_head *h)
{
	struct bytes type = head_trim(head_before(h->content_type, ";"));

	return h->request || h->parts || !type.len || head_is(type, "application/dicom") ||
	       head_is(type, "application/octet-stream");
}

static void frame(struct side *s, const struct http_head *h, bool to_end)
{
	if (h->chunked)
		body(s, PHASE_CHUNK_LINE, 0);
	else if (h->has_length)
		body(s, h->length ? PHASE_BODY : PHASE_HEAD, h->length);
	else
		body(s, to_end ? PHASE_REST : PHASE_HEAD, 0);
	s->parts = h->parts;
	if (may_be_file(h) && h->coding != CODING_UNREADABLE)
		s->coding = h->coding;
	if (s->parts)
		s->files = (struct part10_search){{0}};
}

/* From here on both ends speak something else. */
static void tunnel(struct state *st)
{
	for (unsigned end = 0; end < 2; end++) {
		body(&st->side[end], PHASE_REST, 0);
		st->side[end].tunnel = true;
	}
}

static void frame_answer(struct state *st, struct side *s, const struct http_head *h)
{
	enum asked what;

	if (h->status == 101) {
		tunnel(st);
		return;
	}
	if (h->status < 200)
		return; /* the real answer is still to come */
	what = answered(st);
	if (what == ASKED_CONNECT && h->status < 300)
		tunnel(st);
	else if (what != ASKED_HEAD && h->status != 204 && h->status != 304)
		frame(s, h, true);
}

/* Is all answered that was asked before, so that another one can read on? */
static bool is_between(const struct state *st)
{
	return !st->waiting && st->side[!st->client].phase == PHASE_HEAD;
}

static enum parse read_head(struct state *st, const struct proto_input *in, struct http_msg *m,
			    struct proto_output *out)
{
	struct side *s = &st->side[in->end];
	struct bytes b = in->data;
	struct http_head h;
	size_t len;

	/* RFC 9112 §2.2: an empty line too many is passed over. */
	if (is_line_end(b.data[0])) {
		out->used = 1;
		return PARSE_OK;
	}
	len = head_len(b, &s->scanned);
	if (!len && http_head_is_old(b))
		len = b.len;
	if (!len && b.len < HTTP_HEAD_MAX)
		return in->last ? PARSE_BAD : PARSE_MORE;
	if (!len || http_head_read((struct bytes){b.data, len}, &h) != PARSE_OK)
		return broken(m, REASON_HTTP_MALFORMED, out);
	s->scanned = 0;
	settle(st);
	put_head(m, &h);
	if (!st->client_known) {
		st->client = h.request ? in->end : !in->end;
		st->client_known = true;
	}
	if (h.reason || h.request != (in->end == st->client))
		return broken(m, h.reason ? h.reason : REASON_HTTP_MALFORMED, out);
	out->has_msg = true;
	out->used = len;
	if (h.request) {
		if (is_between(st) && head_is(h.method, "POST") && soap_is_type(h.content_type)) {
			out->next = &sdc_proto;
			out->with_it = true;
		}
		if (!ask(st, &h, m))
			return broken(m, REASON_HTTP_MALFORMED, out);
		frame(s, &h, false);
		return PARSE_OK;
	}
	m->msg.answer = true;
	if (h.status == 101 && (h.h2c || upgrades_unasked(st)))
		m->msg.reason = REASON_HTTP_SMUGGLING; /* requests go on, and nobody reads them */
	else if (m->msg.opens)
		out->next = &websocket_proto;
	recall(st, m);
	/* RFC 9110 §15.5: what is refused says 401, or 403. */
	m->default_login = st->waiting && st->asked[st->first] & ASKED_DEFAULT && h.status >= 200 &&
			   h.status < 400;
	frame_answer(st, s, &h);
	return PARSE_OK;
}

/* "1a2b", and what may follow it (RFC 9112 §7.1): one way to write it, one way to read it. */
static bool read_size(struct bytes line, uint64_t *ret_n)
{
	struct bytes digits = head_before(line, "; \t");
	uint64_t n = 0;

	if (!digits.len || digits.len > 15 || memchr(line.data, '\r', line.len) ||
	    memchr(line.data, 0, line.len))
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		uint8_t c = digits.data[i] | 0x20;

		if (digits.data[i] >= '0' && digits.data[i] <= '9')
			n = n << 4 | (uint64_t)(digits.data[i] - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	line = head_trim((struct bytes){line.data + digits.len, line.len - digits.len});
	*ret_n = n;
	return !line.len || line.data[0] == ';';
}

static enum parse read_chunk_line(struct side *s, const struct proto_input *in, struct http_msg *m,
				  struct proto_output *out)
{
	size_t len = in->data.len < CHUNK_LINE_MAX ? in->data.len : CHUNK_LINE_MAX;
	const uint8_t *end = memchr(in->data.data, '\n', len);

	if (!end && len < CHUNK_LINE_MAX)
		return PARSE_MORE;
	len = end ? (size_t)(end - in->data.data) : 0;
	if (!len || end[-1] != '\r' || !read_size((struct bytes){in->data.data, len - 1}, &s->left))
		return broken(m, REASON_HTTP_SMUGGLING, out);
	out->used = len + 1;
	s->phase = s->left ? PHASE_CHUNK : PHASE_TRAILER;
	return PARSE_OK;
}

static enum parse read_chunk_end(struct side *s, const struct proto_input *in, struct http_msg *m,
				 struct proto_output *out)
{
	if (in->data.len < 2)
		return PARSE_MORE;
	if (memcmp(in->data.data, "\r\n", 2))
		return broken(m, REASON_HTTP_SMUGGLING, out);
	out->used = 2;
	s->phase = PHASE_CHUNK_LINE;
	return PARSE_OK;
}

/* RFC 9112 §7.1.2: fields again, or nothing; they change nothing. */
static enum parse read_trailer(struct side *s, const struct proto_input *in, struct http_msg *m,
			       struct proto_output *out)
{
	const uint8_t *end = memchr(in->data.data, '\n', in->data.len);
	size_t len = end ? (size_t)(end - in->data.data) + 1 : 0;

	if (!end && in->data.len < HTTP_HEAD_MAX)
		return PARSE_MORE;
	if (!end)
		return broken(m, REASON_HTTP_MALFORMED, out);
	out->used = len;
	if (len == 1 || (len == 2 && in->data.data[0] == '\r'))
		s->phase = PHASE_HEAD;
	return PARSE_OK;
}

/* A program starts by its first bytes, whatever name or type it travels under. */
static const char *program(const uint8_t start[PART10_START])
{
	if (!memcmp(start, "\177ELF", 4))
		return "ELF";
	if (!memcmp(start, "MZ", 2))
		return "PE";
	if (!memcmp(start, "#!/", 3))
		return "script";
	return NULL;
}

/* A body's first bytes, seen whatever pieces they come in: where content is looked at. */
static void look(struct side *s, struct bytes piece, struct http_msg *m, struct proto_output *out)
{
	const char *hidden = NULL;

	part10_take(&s->file, piece, &hidden);
	s->seen = (uint8_t)(s->seen + piece.len);
	if (hidden)
		m->msg.reason = REASON_DICOM_PREAMBLE_EXECUTABLE;
	m->program = s->seen == BODY_START ? program(s->file.start) : hidden;
	out->has_msg = m->program;
}

/* PS3.18 §8.6.1.2: images travel as parts of one body, too, behind their heads. How many bytes are done with. */
static size_t look_at_parts(struct side *s, struct bytes piece, struct http_msg *m,
			    struct proto_output *out)
{
	size_t used = part10_search(&s->files, piece, &m->program);

	if (m->program)
		m->msg.reason = REASON_DICOM_PREAMBLE_EXECUTABLE;
	out->has_msg = m->program;
	return used;
}

/* How many of the bytes are looked at in one go. */
static size_t read_content(struct side *s, struct bytes piece, struct http_msg *m,
			   struct proto_output *out)
{
	size_t n = (s->seen < BODY_START ? BODY_START : PART10_HEAD) - (size_t)s->seen;

	if (!n && s->parts)
		return look_at_parts(s, piece, m, out);
	if (n > piece.len)
		n = piece.len;
	piece.len = n;
	if (s->parts) /* one may begin there */
		part10_search(&s->files, piece, &m->program);
	if (n)
		look(s, piece, m, out);
	return n;
}

/*
 * The beginning of a compressed body, as if it were none; what is behind it is passed over. Parts of
 * which not all is seen might hide one, as might what is padded so that nothing is seen.
 */
static void look_inside(struct side *s, struct bytes packed, bool whole, struct http_msg *m,
			struct proto_output *out)
{
	uint8_t plain[PLAIN_MAX];
	size_t max = s->parts ? PLAIN_MAX : PART10_HEAD;
	struct bytes text = coding_inflate_all(s->coding, packed, plain, max);
	const char *found = NULL;

	if ((!whole && (s->parts || text.len < PART10_HEAD)) || (s->parts && text.len == max))
		m->msg.reason = REASON_HTTP_PACKED;
	while (text.len && m->msg.reason != REASON_DICOM_PREAMBLE_EXECUTABLE &&
	       (s->seen < PART10_HEAD || s->parts)) {
		size_t n = read_content(s, text, m, out);

		text = (struct bytes){text.data + n, text.len - n};
		found = m->program ? m->program : found;
	}
	m->program = found;
	out->has_msg = found || m->msg.reason;
	s->seen = PART10_HEAD;
	s->parts = false;
	s->coding = CODING_NONE;
}

/* The line of the chunk that begins there, and how much it holds; 0: it is the last, or none. False: not there yet. */
static bool next_chunk(struct bytes b, size_t *ret_line, uint64_t *ret_size)
{
	size_t max = b.len < CHUNK_LINE_MAX ? b.len : CHUNK_LINE_MAX;
	const uint8_t *end = memchr(b.data, '\n', max);

	*ret_line = end ? (size_t)(end - b.data) + 1 : 0;
	*ret_size = 0;
	if (*ret_line > 1 && !read_size((struct bytes){b.data, *ret_line - 2}, ret_size))
		*ret_size = 0;
	return end || max == CHUNK_LINE_MAX;
}

/* Is as much there as is looked into? What was walked over is not looked at again. */
static bool is_gathered(struct side *s, struct bytes in)
{
	while (s->scanned < in.len && s->scanned < PACKED_MAX) {
		uint64_t size;
		size_t line;

		if (!next_chunk((struct bytes){in.data + s->scanned, in.len - s->scanned}, &line,
				&size))
			return in.len >= PACKED_MAX;
		if (!size)
			return true;
		s->scanned += (uint32_t)(line + 2 + (size < PACKED_MAX ? size : PACKED_MAX));
	}
	return in.len >= PACKED_MAX;
}

/* What the chunks hold, one behind the other; *ret_whole: the last one is there. */
static struct bytes put_together(struct bytes in, uint8_t to[PACKED_MAX], bool *ret_whole)
{
	size_t at = 0, n = 0, line = 0;
	uint64_t size;

	if (in.len > PACKED_MAX)
		in.len = PACKED_MAX;
	*ret_whole = false;
	while (!*ret_whole && at < in.len &&
	       next_chunk((struct bytes){in.data + at, in.len - at}, &line, &size)) {
		size_t left = in.len - at - line, here = size < left ? (size_t)size : left;

		if (here)
			memcpy(to + n, in.data + at + line, here);
		n += here;
		at += line + here + 2;
		*ret_whole = !size;
	}
	return (struct bytes){to, n};
}

/* A compressed body in chunks is looked into ahead of them; then each is read, and passed over. */
static enum parse look_ahead(struct state *st, const struct proto_input *in, struct http_msg *m,
			     struct proto_output *out)
{
	struct side *s = &st->side[in->end];
	uint8_t together[PACKED_MAX];
	struct bytes packed;
	bool whole;

	if (!is_gathered(s, in->data) && !in->last)
		return PARSE_MORE;
	s->scanned = 0;
	packed = put_together(in->data, together, &whole);
	m->msg.answer = in->end != st->client;
	whole |= in->last && in->data.len <= PACKED_MAX;
	look_inside(s, packed, whole, m, out);
	return read_chunk_line(s, in, m, out);
}

static enum parse read_body(struct state *st, const struct proto_input *in, struct http_msg *m,
			    struct proto_output *out)
{
	struct side *s = &st->side[in->end];
	struct bytes piece = in->data;
	bool seen;

	if (s->phase != PHASE_REST && piece.len > s->left)
		piece.len = (size_t)s->left;
	if (s->coding && piece.len < PACKED_MAX && !in->last &&
	    (s->phase == PHASE_REST || piece.len < s->left))
		return PARSE_MORE;
	m->msg.answer = in->end != st->client;
	if (s->coding) {
		bool whole = in->last || (s->phase != PHASE_REST && piece.len == s->left);

		if (piece.len > PACKED_MAX) {
			piece.len = PACKED_MAX;
			whole = false;
		}
		look_inside(s, piece, whole, m, out);
		out->used = piece.len;
	} else {
		out->used = read_content(s, piece, m, out);
	}
	seen = s->seen == PART10_HEAD && !s->parts;
	if (s->phase == PHASE_REST) {
		if (seen)
			out->skip = UINT64_MAX;
		return PARSE_OK;
	}
	s->left -= out->used;
	if (seen) {
		out->skip = s->left;
		s->left = 0;
	}
	if (!s->left)
		s->phase = s->phase == PHASE_BODY ? PHASE_HEAD : PHASE_CHUNK_END;
	return PARSE_OK;
}

static enum parse http_read(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct http_msg *m = (struct http_msg *)ret_m;
	struct state *st = state;
	struct side *s = &st->side[in->end];

	switch (s->phase) {
	case PHASE_HEAD:
		return read_head(st, in, m, ret_out);
	case PHASE_CHUNK_LINE:
		return s->coding ? look_ahead(st, in, m, ret_out)
				 : read_chunk_line(s, in, m, ret_out);
	case PHASE_CHUNK_END:
		return read_chunk_end(s, in, m, ret_out);
	case PHASE_TRAILER:
		return read_trailer(s, in, m, ret_out);
	case PHASE_REST:
		if (!s->tunnel)
			break;
		ret_out->used = in->data.len;
		ret_out->skip = UINT64_MAX;
		return PARSE_OK;
	}
	return read_body(st, in, m, ret_out);
}

/* As it is written, as it is read, as another field has it, and as nobody can tell. */
static struct bytes next_url(const struct msg *msg, size_t *at)
{
	const struct http_msg *m = (const struct http_msg *)msg;
	const struct bytes all[] = {m->url,
				    {m->path_len && m->url.data ? m->path : NULL, m->path_len},
				    m->rewritten,
				    {m->unsure && m->url.data ? m->path : NULL, 0}};

	while (*at < sizeof(all) / sizeof(all[0]))
		if (all[(*at)++].data)
			return all[*at - 1];
	return (struct bytes){NULL, 0};
}

/*
 * A pattern that names no host is one for paths: what it does not ask for is no place for what it
 * does. One that names a host has all of a target before it.
 */
static struct bytes path_meant(struct bytes url, const char *pattern, size_t len)
{
	size_t at = http_path_at(url);

	if (!at || http_path_at((struct bytes){(const uint8_t *)pattern, len}))
		return url;
	if (at == url.len)
		return (struct bytes){(const uint8_t *)"/", 1}; /* RFC 9110 §4.2.3 */
	return (struct bytes){url.data + at, url.len - at};
}

#define FIELD(name, member, type, flags)                                        \
	{                                                                       \
		PROTO_KEY(name), offsetof(struct http_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("hostname", hostname, FIELD_TEXT, FIELD_MATCH | FIELD_CASELESS | FIELD_MUST),
	FIELD("http_port", port, FIELD_U16, 0),
	{PROTO_KEY("url"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT, next_url,
	 .meant = path_meant},
	FIELD("url", url, FIELD_TEXT, 0),
	FIELD("query", query, FIELD_BOOL, 0),
	FIELD("http_user_agent", user_agent, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	FIELD("http_content_type", content_type, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	FIELD("content_encoding", content_encoding, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	FIELD("http_refer", referer, FIELD_TEXT, 0),
	FIELD("http_method", method, FIELD_TEXT, FIELD_MATCH),
	FIELD("protocol", protocol, FIELD_TEXT, 0),
	FIELD("status", status, FIELD_U16, 0),
	FIELD("redirect", redirect, FIELD_TEXT, 0),
	FIELD("server", server, FIELD_TEXT, 0),
	FIELD("length", length, FIELD_U64, 0),
	FIELD("chunked", chunked, FIELD_BOOL, 0),
	FIELD("upgrade", upgrade, FIELD_NAME, 0),
	FIELD("websocket_protocol", websocket_protocol, FIELD_TEXT, 0),
	FIELD("auth", auth, FIELD_TEXT, 0),
	FIELD("default_login", default_login, FIELD_BOOL, 0),
	FIELD("program", program, FIELD_NAME, 0),
	{""},
};

static bool amid(const void *state, unsigned end)
{
	return ((const struct state *)state)->side[end].phase != PHASE_HEAD;
}

const struct proto http_proto = {
	.name = "http",
	.over = PROTO_OVER_TCP,
	.leads_to = &mqtt_proto,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct http_msg),
	.msg_zero = offsetof(struct http_msg, path),
	.fields = fields,
	.probe = probe,
	.read = http_read,
	.amid = amid,
};
