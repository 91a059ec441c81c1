#include "guard/proto/http.h"

#include <strings.h>

#include "guard/proto/head.h"
#include "guard/proto/http_body.h"
#include "guard/proto/mqtt.h"
#include "guard/proto/sdc.h"
#include "guard/proto/soap_body.h"
#include "guard/proto/websocket.h"

#define PIPELINE_MAX  64 /* requests without their answers yet */
#define POST_HEAD     2000
#define EMPTY_MAX     64 /* bytes of empty lines ahead of the first request */
#define ABOUT_MAX     12 /* requests whose answers are told with what they asked */
#define TEXTS_MAX     600
#define METHOD_KEPT   16
#define HOSTNAME_KEPT 100
#define URL_KEPT      480

/* What a request asks decides how its answer is framed (RFC 9112 §6.3). */
enum asked { ASKED_OTHER, ASKED_HEAD, ASKED_CONNECT };
#define ASKED_DEFAULT 0x80 /* and by a login that everybody knows */
#define ASKED_UPGRADE 0x40 /* and for another protocol */
#define ASKED_FLAGS   (ASKED_DEFAULT | ASKED_UPGRADE)

/* What a request was about, for its answer: lengths of its texts, none where there was no room. */
struct about {
	uint8_t method_len, hostname_len;
	uint16_t url_len, port;
};

struct state {
	struct http_side side[2];
	struct hl7_inside inside; /* the body of a request */
	uint8_t client;		  /* the end that asks */
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
	    (other.len != m->hostname.len || memchr(other.data, 0, other.len) ||
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
	m->other_type = head_trim(head_before(h->other_type, ";"));
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

/* What the one that waits behind `before` others was about. */
static void recall(const struct state *st, unsigned before, struct http_msg *m)
{
	const uint8_t *at = st->texts;
	const struct about *a;

	if (before >= st->waiting || before >= ABOUT_MAX)
		return;
	for (unsigned i = 0; i < before; i++)
		at += about_len(&st->about[i]);
	a = &st->about[before];
	m->method = kept(&at, a->method_len);
	m->hostname = kept(&at, a->hostname_len);
	m->url = kept(&at, a->url_len);
	m->port = a->port;
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

/* From here on both ends speak something else. */
static void tunnel(struct state *st)
{
	for (unsigned end = 0; end < 2; end++) {
		http_body_tunnel(&st->side[end]);
	}
}

static void frame_answer(struct state *st, struct http_side *s, const struct http_head *h)
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
		http_body_begin(s, h, true);
}

/* Is all answered that was asked before, so that another one can read on? */
static bool is_between(const struct state *st)
{
	return !st->waiting && st->side[!st->client].phase == HTTP_HEAD;
}

static enum parse read_head(struct state *st, const struct proto_input *in, struct http_msg *m,
			    struct proto_output *out)
{
	struct http_side *s = &st->side[in->end];
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
		return http_broken(m, REASON_HTTP_MALFORMED, out);
	s->scanned = 0;
	settle(st);
	put_head(m, &h);
	if (!st->client_known) {
		st->client = h.request ? in->end : !in->end;
		st->client_known = true;
	}
	if (h.reason || h.request != (in->end == st->client))
		return http_broken(m, h.reason ? h.reason : REASON_HTTP_MALFORMED, out);
	out->has_msg = true;
	out->used = len;
	if (h.request) {
		if (is_between(st) && head_is(h.method, "POST") && soap_is_type(h.content_type)) {
			out->next = &sdc_proto;
			out->with_it = true;
		}
		if (!ask(st, &h, m))
			return http_broken(m, REASON_HTTP_MALFORMED, out);
		st->inside = (struct hl7_inside){0};
		http_body_begin(s, &h, false);
		return PARSE_OK;
	}
	m->msg.answer = true;
	if (h.status == 101 && (h.h2c || upgrades_unasked(st)))
		m->msg.reason = REASON_HTTP_SMUGGLING; /* requests go on, and nobody reads them */
	else if (m->msg.opens)
		out->next = &websocket_proto;
	recall(st, 0, m);
	/* RFC 9110 §15.5: what is refused says 401, or 403. */
	m->default_login = st->waiting && st->asked[st->first] & ASKED_DEFAULT && h.status >= 200 &&
			   h.status < 400;
	frame_answer(st, s, &h);
	return PARSE_OK;
}

/*
 * What an entry of a Bundle asks for stands below the base that the Bundle went to. A URL that servers may
 * read in several ways, or below a base that was not kept, is blank.
 */
static void put_request(struct http_msg *m)
{
	struct bytes base = m->url, url = m->fhir_url;

	m->msg.control |= !is_safe(m->fhir_method);
	if (url.len && http_path_at(url))
		return;
	while (base.len && base.data[base.len - 1] == '/')
		base.len--;
	m->fhir_url = (struct bytes){m->path, base.len + 1 + url.len};
	if (!m->url.len || !url.len || url.data[0] == '/' || memchr(url.data, '%', url.len) ||
	    memmem(url.data, url.len, "..", 2) || m->fhir_url.len > sizeof(m->path)) {
		m->fhir_url.len = 0;
		return;
	}
	if (base.len)
		memcpy(m->path, base.data, base.len);
	m->path[base.len] = '/';
	memcpy(m->path + base.len + 1, url.data, url.len);
}

static enum parse http_read(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct http_msg *m = (struct http_msg *)ret_m;
	struct state *st = state;
	struct http_side *s = &st->side[in->end];
	enum parse got;

	if (s->phase == HTTP_HEAD)
		return read_head(st, in, m, ret_out);
	got = http_body_read(s, &st->inside, in, in->end != st->client, m, ret_out);
	/* What a body holds is judged with what it is for. */
	if (m->sop_class.data || m->hl7.type.data || m->fhir_method.data)
		recall(st, m->msg.answer ? 0 : st->waiting - 1u, m);
	if (m->fhir_method.data)
		put_request(m);
	return got;
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

/* What rules ask for besides `url`, as an event tells it. */
static struct bytes next_reading(const struct msg *msg, size_t *at)
{
	*at += *at == 0;
	return next_url(msg, at);
}

static struct bytes next_type(const struct msg *msg, size_t *at)
{
	const struct http_msg *m = (const struct http_msg *)msg;
	const struct bytes all[] = {m->content_type, m->other_type};

	while (*at < 2)
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
	{PROTO_KEY("read_as"), 0, FIELD_LIST, 0, next_reading},
	FIELD("query", query, FIELD_BOOL, 0),
	FIELD("http_user_agent", user_agent, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	{PROTO_KEY("http_content_type"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT | FIELD_VARIES,
	 next_type},
	FIELD("http_content_type", content_type, FIELD_TEXT, 0),
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
	FIELD("sop_class", sop_class, FIELD_TEXT, FIELD_MATCH),
	FIELD("sop_class_uid", sop_class_uid, FIELD_TEXT, FIELD_MATCH),
	HL7_TOLD_FIELDS(http_msg),
	{PROTO_KEY("fhir.method"),
	 offsetof(struct http_msg, fhir_method),
	 FIELD_TEXT,
	 FIELD_MATCH | FIELD_INNER,
	 NULL,
	 {"http_method"}},
	{PROTO_KEY("fhir.url"),
	 offsetof(struct http_msg, fhir_url),
	 FIELD_TEXT,
	 FIELD_MATCH | FIELD_INNER,
	 NULL,
	 {"url"},
	 path_meant},
	{""},
};

static bool amid(const void *state, unsigned end)
{
	return ((const struct state *)state)->side[end].phase != HTTP_HEAD;
}

const struct proto http_proto = {
	.name = "http",
	.over = PROTO_OVER_TCP,
	.lines = true,
	.leads_to = &mqtt_proto,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct http_msg),
	.msg_zero = offsetof(struct http_msg, hl7.texts),
	.fields = fields,
	.probe = probe,
	.read = http_read,
	.amid = amid,
};
