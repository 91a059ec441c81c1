#include "people/console/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <netinet/tcp.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "base/clock.h"
#include "people/console/api.h"
#include "people/console/asset.h"
#include "people/console/client_cert.h"
#include "people/console/cookie.h"
#include "people/console/limit.h"
#include "people/console/live.h"
#include "people/console/problem.h"

#define HEADERS_MAX 16384
#define TEXT_LEN    80 /* of an address */
#define TURN_MAX    16 /* connections that are accepted before those that are there have their turn */
#define FULL_US	    1000

struct request;

/* A connection; it lives as long as its SSL. */
struct conn {
	TAILQ_ENTRY(conn) next;
	struct web *web;
	struct bufferevent *pipe;
	struct event *timer;
	struct sockaddr_storage from;
	bool entered;		 /* counts at its address */
	bool served;		 /* it had an answer */
	bool leaving;		 /* it was hung up on */
	struct request *request; /* one that waits for its answer */
	struct view *view;
	struct evhttp_request *view_req;
};

/* A request that the keeper was asked about. */
struct request {
	struct web *web;
	struct conn *conn; /* NULL: it is gone */
	struct evhttp_request *req;
	const struct api_route *route;
	json_t *call;
	bool by_cookie;
};

struct web {
	struct web_options o;
	struct evhttp *http;
	struct limit *limit;
	struct live *live;
	json_t *document;
	int slot;		       /* of our data in an SSL */
	TAILQ_HEAD(conns, conn) conns; /* the one that was idle for longest first */
	struct evconnlistener *doors[WEB_DOORS];
	unsigned door_count, accepted; /* in this turn of the loop */
	uint32_t leaving; /* of the connections: were hung up on, and are still there */
	struct event *turn;
	struct web_counts counts;
};

/* --- connections ------------------------------------------------------------- */

static struct sockaddr *from_of(struct conn *c)
{
	return (struct sockaddr *)(void *)&c->from;
}

static void wait_for(struct conn *c, unsigned seconds)
{
	struct timeval t = {seconds, 0};

	event_add(c->timer, &t);
}

/* OpenSSL frees the SSL: the connection is over. */
static void conn_gone(void *parent, void *data, CRYPTO_EX_DATA *ad, int slot, long argl, void *argp)
{
	struct conn *c = data;

	if (!c)
		return;
	TAILQ_REMOVE(&c->web->conns, c, next);
	c->web->counts.connections--;
	c->web->leaving -= c->leaving;
	if (c->entered)
		limit_leave(c->web->limit, from_of(c));
	event_free(c->timer);
	free(c);
}

/* evhttp lets go of requests that are still to be answered, and they are ours then, to free. */
static void free_detached(struct evhttp_request *req)
{
	if (!evhttp_request_get_connection(req))
		evhttp_request_free(req);
}

/* evhttp takes the connection down; its SSL follows. */
static void closing(struct evhttp_connection *ec, void *arg)
{
	struct conn *c = arg;

	if (c->request) {
		c->request->conn = NULL;
		free_detached(c->request->req);
		c->request = NULL;
	}
	if (c->view) {
		free_detached(c->view_req);
		live_lost(c->view);
	}
}

/* Its reads fail from here on, and evhttp takes it down. */
static void hang_up(struct conn *c)
{
	evutil_socket_t fd = bufferevent_getfd(c->pipe);

	if (fd < 0)
		return;
	shutdown(fd, SHUT_RDWR);
	c->web->leaving += !c->leaving;
	c->leaving = true;
}

/* Who is it? evhttp had not said when the connection was made. */
static void meet(struct conn *c)
{
	socklen_t len = sizeof(c->from);
	evutil_socket_t fd = bufferevent_getfd(c->pipe);
	int on = 1;

	if (fd < 0 || (c->web->o.welcome && !c->web->o.welcome(c->web->o.arg, fd)) ||
	    getpeername(fd, from_of(c), &len) < 0 ||
	    !limit_enter(c->web->limit, from_of(c), clock_mono_ns())) {
		c->web->counts.refused++;
		hang_up(c);
		return;
	}
	c->entered = true;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* answers are whole */
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	if (!c->entered && c->from.ss_family == AF_UNSPEC) {
		c->from.ss_family = AF_UNIX; /* once only */
		wait_for(c, WEB_REQUEST_S);
		meet(c);
		return;
	}
	c->web->counts.slow++;
	hang_up(c);
}

/* Is `a` rather to go than `b`, which waits for longer? */
static bool is_rather(const struct conn *a, uint32_t a_has, const struct conn *b, uint32_t b_has)
{
	return a_has != b_has ? a_has > b_has : !a->served && b->served;
}

/*
 * Of the address that has most, first one that never had an answer, first the one that waits
 * longest: without a whole request, or without taking what it asked for. So a crowd displaces
 * itself. Who waits for the keeper or looks on is let be. False: there is none to go.
 */
static bool make_room(struct web *w)
{
	struct conn *c, *slow = NULL;
	uint32_t most = 0;

	TAILQ_FOREACH (c, &w->conns, next) {
		uint32_t has;

		if (c->leaving || c->request || c->view || !c->entered)
			continue;
		has = limit_connections(w->limit, from_of(c));
		if (slow && !is_rather(c, has, slow, most))
			continue;
		slow = c;
		most = has;
	}
	if (!slow)
		return false;
	w->counts.refused++;
	hang_up(slow);
	return true;
}

static void open_doors(struct web *w, bool open)
{
	for (unsigned i = 0; i < w->door_count; i++)
		if (open)
			evconnlistener_enable(w->doors[i]);
		else
			evconnlistener_disable(w->doors[i]);
}

/* Those that are to go have gone, if they took notice: who knocks is let in again. */
static void next_turn(evutil_socket_t fd, short what, void *arg)
{
	struct timeval soon = {0, FULL_US};
	struct web *w = arg;

	w->accepted = 0;
	while (w->counts.connections - w->leaving > w->o.connections && make_room(w))
		;
	if (w->counts.connections < w->o.connections + TURN_MAX)
		open_doors(w, true);
	else
		event_add(w->turn, &soon);
}

/* libevent accepts for as long as somebody knocks: with a crowd at the door nobody would be
 * served, nor would who was hung up on be let go. */
static void count_in(struct web *w)
{
	struct timeval now = {0, 0};

	w->counts.connections++;
	if (w->counts.connections - w->leaving > w->o.connections)
		(void)make_room(w);
	if (++w->accepted < TURN_MAX && w->counts.connections < w->o.connections + TURN_MAX)
		return;
	open_doors(w, false);
	event_add(w->turn, &now);
}

/* Handed to evhttp, which would speak plainly where it gets none: so one it gets. */
static struct bufferevent *make_pipe(struct event_base *base, void *arg)
{
	struct web *w = arg;
	SSL *ssl = SSL_new(w->o.tls);
	struct conn *c = calloc(1, sizeof(*c));
	struct timeval now = {0, 0};

	if (!ssl || !c)
		goto none;
	c->pipe = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
						 BEV_OPT_CLOSE_ON_FREE);
	c->timer = event_new(base, -1, 0, on_timer, c);
	if (!c->pipe || !c->timer)
		goto none;
	c->web = w;
	SSL_set_ex_data(ssl, w->slot, c);
	bufferevent_openssl_set_allow_dirty_shutdown(c->pipe, 1);
	TAILQ_INSERT_TAIL(&w->conns, c, next);
	count_in(w);
	event_add(c->timer, &now);
	return c->pipe;

none: /* the handler finds no TLS on it and closes it */
	if (c && c->pipe)
		bufferevent_free(c->pipe);
	else
		SSL_free(ssl);
	free(c);
	return NULL;
}

static struct conn *conn_of(struct web *w, struct evhttp_request *req)
{
	struct evhttp_connection *ec = evhttp_request_get_connection(req);
	struct bufferevent *pipe = ec ? evhttp_connection_get_bufferevent(ec) : NULL;
	SSL *ssl = pipe ? bufferevent_openssl_get_ssl(pipe) : NULL;

	return ssl ? SSL_get_ex_data(ssl, w->slot) : NULL;
}

/* The request has its answer; the next one may come. */
static void next_request(struct evhttp_request *req, void *arg)
{
	struct conn *c = arg;

	c->served = true;
	TAILQ_REMOVE(&c->web->conns, c, next);
	TAILQ_INSERT_TAIL(&c->web->conns, c, next);
	wait_for(c, WEB_REQUEST_S);
}

/* --- answers ----------------------------------------------------------------- */

static void put_headers(struct evhttp_request *req, bool page)
{
	static const char *const all[][2] = {
		{"Strict-Transport-Security", "max-age=31536000"},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Embedder-Policy", "require-corp"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Permissions-Policy",
		 "publickey-credentials-create=(self), publickey-credentials-get=(self), "
		 "camera=(), microphone=(), geolocation=(), usb=(), serial=(), payment=()"},
	};
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		evhttp_add_header(out, all[i][0], all[i][1]);
	evhttp_add_header(out, "Content-Security-Policy",
			  page ? "default-src 'none'; script-src 'self'; style-src 'self'; "
				 "img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
				 "form-action 'none'; frame-ancestors 'none'; "
				 "require-trusted-types-for 'script'; trusted-types 'none'"
			       : "default-src 'none'; frame-ancestors 'none'");
	evhttp_add_header(out, "Cache-Control", page ? "no-cache" : "no-store");
}

static const char *phrase(unsigned status)
{
	switch (status) {
	case 200:
		return "OK";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 413:
		return "Content Too Large";
	case 415:
		return "Unsupported Media Type";
	case 421:
		return "Misdirected Request";
	case 422:
		return "Unprocessable Content";
	case 429:
		return "Too Many Requests";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	default:
		return status < 500 ? "Client Error" : "Server Error";
	}
}

/* RFC 9110 §9.3.2: to HEAD what GET would say, without saying it. */
static void reply(struct evhttp_request *req, unsigned status, const char *type, const void *data,
		  size_t len)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);
	bool head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;
	struct evbuffer *body = head ? NULL : evbuffer_new();
	char length[24];

	snprintf(length, sizeof(length), "%zu", len);
	if (type)
		evhttp_add_header(out, "Content-Type", type);
	if (status != 304)
		evhttp_add_header(out, "Content-Length", length);
	if (body)
		evbuffer_add(body, data, len);
	evhttp_send_reply(req, (int)status, phrase(status), body);
	if (body)
		evbuffer_free(body);
}

static void reply_json(struct evhttp_request *req, unsigned status, const char *type,
		       const json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	put_headers(req, false);
	reply(req, text ? status : 503, text ? type : NULL, text ? text : "",
	      text ? strlen(text) : 0);
	free(text);
}

/* Takes the problem. */
static void reply_problem(struct evhttp_request *req, json_t *problem)
{
	reply_json(req, problem_status(problem), "application/problem+json", problem);
	json_decref(problem);
}

static void set_cookie(struct evhttp_request *req, const char *token)
{
	char text[COOKIE_TOKEN_MAX + 128];

	snprintf(text, sizeof(text), COOKIE_NAME "=%s; Path=/; Secure; HttpOnly; SameSite=Strict%s",
		 token, *token ? "" : "; Max-Age=0");
	evhttp_add_header(evhttp_request_get_output_headers(req), "Set-Cookie", text);
}

/* The token is for the cookie alone: no script ever has it. */
static void reply_ok(struct request *r, const json_t *ok)
{
	const char *token = json_string_value(json_object_get(ok, "token"));
	json_t *copy = NULL;

	if (r->route->effect == API_SESSION && token) {
		if (cookie_is_token(token))
			set_cookie(r->req, token);
		copy = json_copy((json_t *)ok);
		json_object_del(copy, "token");
		ok = copy;
	} else if (r->route->effect == API_END) {
		set_cookie(r->req, "");
		evhttp_add_header(evhttp_request_get_output_headers(r->req), "Clear-Site-Data",
				  "\"cache\", \"storage\"");
	}
	reply_json(r->req, 200, "application/json", ok);
	json_decref(copy);
}

/* A wrong code at a fresh factor is a 401, too, and the session is as good as before. */
static bool is_dead(const json_t *error)
{
	const char *type = json_string_value(json_object_get(error, "type"));

	return type && (strcmp(type, "auth.session") == 0 || strcmp(type, "auth.certificate") == 0);
}

static void reply_error(struct request *r, const json_t *error)
{
	json_int_t wait = json_integer_value(json_object_get(error, "retry_after"));
	unsigned status = problem_status(error);
	char after[24];

	if (wait > 0 && wait < 86400) {
		snprintf(after, sizeof(after), "%" JSON_INTEGER_FORMAT, wait);
		evhttp_add_header(evhttp_request_get_output_headers(r->req), "Retry-After", after);
	}
	if (status == 401 && r->by_cookie && is_dead(error))
		set_cookie(r->req, ""); /* it is good for nothing any more */
	if (status == 401)
		evhttp_add_header(evhttp_request_get_output_headers(r->req), "WWW-Authenticate",
				  "Bearer realm=\"bedwarden\"");
	reply_json(r->req, status, "application/problem+json", error);
}

static void open_view(struct request *r, const json_t *ok)
{
	struct web *w = r->web;

	put_headers(r->req, false);
	evhttp_add_header(evhttp_request_get_output_headers(r->req), "Content-Type",
			  "text/event-stream");
	evhttp_add_header(evhttp_request_get_output_headers(r->req), "Connection", "close");
	event_del(r->conn->timer); /* it may stay as long as it takes what comes */
	/* From the next answers on nothing is replayed. */
	json_object_del(json_object_get(r->call, "args"), "after");
	r->conn->view_req = r->req;
	if (!live_open(w->live, r->req, r->call, ok, &r->conn->view))
		reply_problem(r->req,
			      problem_new(503, "gateway.memory", "Out of memory", "%s", ""));
}

static void answered(void *arg, const json_t *answer)
{
	struct request *r = arg;
	const json_t *ok = json_object_get(answer, "ok");
	const json_t *error = json_object_get(answer, "error");
	json_t *nonsense;

	if (r->conn) {
		r->conn->request = NULL;
		if (ok && r->route->stream)
			open_view(r, ok);
		else if (ok)
			reply_ok(r, ok);
		else if (error)
			reply_error(r, error);
		else {
			nonsense = problem_new(500, "gateway.nonsense", "The answer made no sense",
					       "%s", "");
			reply_problem(r->req, nonsense);
		}
	}
	if (r->route->stream)
		live_unexpect(r->web->live);
	json_decref(r->call);
	free(r);
}

/* --- requests ---------------------------------------------------------------- */

/* A header that may be there once. NULL: it is not; *ret_twice: it is there more often. */
static const char *header(struct evhttp_request *req, const char *name, bool *ret_twice)
{
	struct evkeyvalq *in = evhttp_request_get_input_headers(req);
	const char *value = NULL;
	struct evkeyval *h;

	TAILQ_FOREACH (h, in, next) {
		if (strcasecmp(h->key, name) != 0)
			continue;
		*ret_twice |= value != NULL;
		value = h->value;
	}
	return value;
}

/* "name", "10.0.0.1", "[fd00::1]", each with or without a port: one of ours? */
static bool our_host(const struct web *w, const char *host)
{
	char name[256];
	const char *colon = strrchr(host, ':');
	size_t len = strlen(host), digits;

	if (colon && (*host != '[' || colon[-1] == ']')) {
		digits = strspn(colon + 1, "0123456789");
		if (digits == 0 || digits > 5 || colon[1 + digits])
			return false;
		len = (size_t)(colon - host);
	}
	if (len >= 2 && *host == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = 0;
	for (const char *const *h = w->o.hosts; *h; h++)
		if (strcasecmp(*h, name) == 0)
			return true;
	return false;
}

/* What the request says about itself, taken apart once. */
struct said {
	const char *host, *origin, *site, *cookie, *authorization, *type, *csrf, *last;
	char token[COOKIE_TOKEN_MAX];
	bool by_cookie;
};

static json_t *read_headers(struct evhttp_request *req, struct said *s)
{
	bool twice = false;

	*s = (struct said){
		.host = header(req, "Host", &twice),
		.origin = header(req, "Origin", &twice),
		.site = header(req, "Sec-Fetch-Site", &twice),
		.cookie = header(req, "Cookie", &twice),
		.authorization = header(req, "Authorization", &twice),
		.type = header(req, "Content-Type", &twice),
		.csrf = header(req, "X-CSRF-Token", &twice),
		.last = header(req, "Last-Event-ID", &twice),
	};
	if (twice)
		return problem_new(400, "request.header", "A header is there twice",
				   "send each header once");
	return NULL;
}

static json_t *read_token(struct said *s)
{
	enum cookie_found found = COOKIE_NONE;

	if (s->cookie)
		found = cookie_session(s->cookie, s->token);
	s->by_cookie = found == COOKIE_FOUND;
	if (s->authorization && found == COOKIE_FOUND)
		found = COOKIE_BAD; /* who is it, then? */
	else if (s->authorization)
		found = cookie_bearer(s->authorization, s->token);
	if (found != COOKIE_BAD)
		return NULL;
	return problem_new(400, "request.credentials", "Who asks is unclear",
			   "one session cookie, or one API key in Authorization: Bearer");
}

/*
 * The request comes from our own page, or from no page at all (a machine with its key).
 * Browsers say Origin with everything but a GET, and Sec-Fetch-Site with
 * everything (Fetch Metadata); what says neither brings no cookie of ours to more than look.
 */
static json_t *check_site(const struct said *s, bool changes)
{
	char own[300];
	bool same;

	snprintf(own, sizeof(own), "https://%s", s->host);
	same = s->origin && strcasecmp(s->origin, own) == 0;
	if ((s->origin && !same) ||
	    (s->site && strcmp(s->site, "same-origin") != 0 && strcmp(s->site, "none") != 0) ||
	    (changes && s->by_cookie && !same))
		return problem_new(403, "request.cross_site", "The request came from another site",
				   "only our own page may send it");
	return NULL;
}

static json_t *refuse_host(void)
{
	return problem_new(421, "request.host", "This is not called so here",
			   "open it by one of the names in console.names, or by its address");
}

/* NULL: as it should be. */
static json_t *check(struct web *w, struct said *s, bool changes)
{
	json_t *problem = NULL;

	if (!s->host || strlen(s->host) > 260 || !our_host(w, s->host))
		problem = refuse_host();
	if (!problem)
		problem = read_token(s);
	if (!problem)
		problem = check_site(s, changes);
	return problem;
}

static json_t *call_of(struct conn *c, const struct api_route *r, const struct said *s,
		       json_t *args)
{
	json_t *o = json_pack("{s:s, s:o}", "call", r->call, "args", args);
	char source[TEXT_LEN] = "", origin[300], mac[18], shown[CLIENT_CERT_TEXT];
	SSL *ssl = bufferevent_openssl_get_ssl(c->pipe);

	if (c->from.ss_family == AF_INET)
		evutil_inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&c->from)->sin_addr,
				 source, sizeof(source));
	else
		evutil_inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)&c->from)->sin6_addr,
				 source, sizeof(source));
	snprintf(origin, sizeof(origin), "https://%s", s->host);
	json_object_set_new(o, "source", json_string(source));
	if (r->changes && c->web->o.mac && c->web->o.mac(c->web->o.arg, from_of(c), mac))
		json_object_set_new(o, "mac", json_string(mac));
	if (ssl && client_cert_text(ssl, shown))
		json_object_set_new(o, "certificate", json_string(shown));
	json_object_set_new(o, "origin", json_string(s->origin ? s->origin : origin));
	if (*s->token)
		json_object_set_new(o, "session", json_string(s->token));
	if (s->csrf && cookie_is_token(s->csrf))
		json_object_set_new(o, "csrf", json_string(s->csrf));
	return o;
}

static void ask(struct web *w, struct conn *c, struct evhttp_request *req,
		const struct api_route *route, const struct said *s, json_t *args)
{
	struct request *r = calloc(1, sizeof(*r));

	if (!r) {
		json_decref(args);
		reply_problem(req,
			      problem_new(503, "gateway.memory", "Out of memory", "try again"));
		return;
	}
	*r = (struct request){.web = w,
			      .conn = c,
			      .req = req,
			      .route = route,
			      .by_cookie = s->by_cookie,
			      .call = call_of(c, route, s, args)};
	c->request = r;
	wait_for(c, WEB_ANSWER_S);
	if (route->stream)
		live_expect(w->live);
	ask_keeper(w->o.asks, r->call, clock_mono_ns(), answered, r);
}

/* Where a view broke off, its browser says by itself. */
static void resume_from(const struct said *s, json_t *args)
{
	if (s->last && strlen(s->last) < 19 && *s->last &&
	    strspn(s->last, "0123456789") == strlen(s->last))
		json_object_set_new(args, "after", json_integer(strtoll(s->last, NULL, 10)));
}

static void handle_call(struct web *w, struct conn *c, struct evhttp_request *req,
			const struct api_route *route, struct said *s)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	size_t len = evbuffer_get_length(in);
	bool post = evhttp_request_get_command(req) == EVHTTP_REQ_POST;
	json_t *problem = check(w, s, route->changes), *args = NULL;
	const uint8_t *body = NULL;

	if (!problem && post != route->changes) {
		evhttp_add_header(evhttp_request_get_output_headers(req), "Allow",
				  route->changes ? "POST" : "GET");
		problem = problem_new(405, "request.method", "Not with this method", "%s",
				      route->changes ? "POST" : "GET");
	}
	if (!problem && len > 0) {
		body = evbuffer_pullup(in, -1);
		if (!body)
			problem = problem_new(503, "gateway.memory", "Out of memory", "try again");
	}
	if (!problem && route->stream && live_full(w->live))
		problem = problem_new(503, "gateway.busy", "Too many look on already",
				      "try again later, or raise console.subscribers");
	if (!problem)
		args = api_args(route, query, s->type, (struct bytes){body, len}, &problem);
	if (problem) {
		reply_problem(req, problem);
		return;
	}
	if (route->stream)
		resume_from(s, args);
	ask(w, c, req, route, s, args);
}

static void handle_asset(struct web *w, struct evhttp_request *req, const struct asset *a,
			 const struct said *s)
{
	const char *tag =
		evhttp_find_header(evhttp_request_get_input_headers(req), "If-None-Match");

	if (!s->host || !our_host(w, s->host)) {
		reply_problem(req, refuse_host());
		return;
	}
	put_headers(req, true);
	evhttp_add_header(evhttp_request_get_output_headers(req), "ETag", a->tag);
	if (tag && strcmp(tag, a->tag) == 0)
		reply(req, 304, NULL, "", 0);
	else
		reply(req, 200, a->type, a->data, a->len);
}

static void handle_document(struct web *w, struct evhttp_request *req, struct said *s)
{
	json_t *problem = check(w, s, false);

	if (problem)
		reply_problem(req, problem);
	else
		reply_json(req, 200, "application/json", w->document);
}

/* The path alone: nothing in ours is ever escaped. */
static const char *path_of(struct evhttp_request *req)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;

	if (!path || *path != '/' || evhttp_uri_get_host(uri) || evhttp_uri_get_fragment(uri))
		return NULL;
	return path;
}

static void route(struct web *w, struct conn *c, struct evhttp_request *req, struct said *s)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	const char *path = path_of(req);
	const struct asset *asset = path ? asset_find(path) : NULL;
	const struct api_route *r = path ? api_find(path) : NULL;
	bool get = method == EVHTTP_REQ_GET || (method == EVHTTP_REQ_HEAD && !r);

	if (!path)
		reply_problem(req, problem_new(400, "request.path", "The path is malformed",
					       "a path that begins with a slash"));
	else if (!get && (method != EVHTTP_REQ_POST || !r) && (r || asset)) {
		evhttp_add_header(evhttp_request_get_output_headers(req), "Allow",
				  !r	       ? "GET, HEAD"
				  : r->changes ? "POST"
					       : "GET");
		reply_problem(req, problem_new(405, "request.method", "Not with this method", "%s",
					       !r	    ? "GET"
					       : r->changes ? "POST"
							    : "GET"));
	} else if (asset)
		handle_asset(w, req, asset, s);
	else if (strcmp(path, "/api/openapi.json") == 0)
		handle_document(w, req, s);
	else if (r)
		handle_call(w, c, req, r, s);
	else
		reply_problem(req, problem_new(404, "request.not_found", "There is nothing here",
					       "/api/openapi.json names what there is"));
}

static void handle(struct evhttp_request *req, void *arg)
{
	struct web *w = arg;
	struct conn *c = conn_of(w, req);
	json_t *problem;
	struct said s;
	char after[16];
	unsigned wait;

	if (!c || !c->entered) { /* not over TLS, or nobody we let in */
		evhttp_connection_free(evhttp_request_get_connection(req));
		return;
	}
	w->counts.requests++;
	wait_for(c, WEB_ANSWER_S);
	evhttp_request_set_on_complete_cb(req, next_request, c);
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), closing, c);
	if (!limit_ask(w->limit, from_of(c), clock_mono_ns(), &wait)) {
		w->counts.refused++;
		snprintf(after, sizeof(after), "%u", wait);
		evhttp_add_header(evhttp_request_get_output_headers(req), "Retry-After", after);
		reply_problem(req, problem_new(429, "request.too_many", "Too many requests",
					       "try again in %u s", wait));
		return;
	}
	problem = read_headers(req, &s);
	if (problem)
		reply_problem(req, problem);
	else
		route(w, c, req, &s);
}

/* --- the server -------------------------------------------------------------- */

struct web *web_new(const struct web_options *o)
{
	struct limit_rates rates = {.connections = o->per_source, .requests = o->requests};
	struct web *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->o = *o;
	TAILQ_INIT(&w->conns);
	w->slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, conn_gone);
	w->http = evhttp_new(o->base);
	w->limit = limit_new(&rates);
	w->live = live_new(o->base, o->asks, o->subscribers, o->watching, o->arg);
	w->document = api_document();
	w->turn = event_new(o->base, -1, 0, next_turn, w);
	if (!w->http || !w->turn || !w->limit || !w->live || !w->document || w->slot < 0) {
		web_free(w);
		return NULL;
	}
	evhttp_set_bevcb(w->http, make_pipe, w);
	evhttp_set_gencb(w->http, handle, w);
	evhttp_set_max_headers_size(w->http, HEADERS_MAX);
	evhttp_set_max_body_size(w->http, API_BODY_MAX);
	/* We say ourselves what a method is not for. */
	evhttp_set_allowed_methods(w->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
						    EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
						    EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
						    EVHTTP_REQ_PATCH);
	return w;
}

void web_free(struct web *w)
{
	if (!w)
		return;
	if (w->http) {
		evhttp_free(w->http);
		event_base_loop(w->o.base, EVLOOP_NONBLOCK); /* which frees what was in use */
	}
	if (w->turn)
		event_free(w->turn);
	live_free(w->live);
	limit_free(w->limit);
	json_decref(w->document);
	free(w);
}

void web_set_tls(struct web *w, SSL_CTX *tls)
{
	w->o.tls = tls;
}

int web_listen(struct web *w, int sock)
{
	struct evhttp_bound_socket *bound;

	if (w->door_count == WEB_DOORS)
		return -ENOSPC;
	bound = evhttp_accept_socket_with_handle(w->http, sock);
	if (!bound)
		return -ENOMEM;
	w->doors[w->door_count++] = evhttp_bound_socket_get_listener(bound);
	return 0;
}

void web_events(struct web *w, struct bytes lines)
{
	live_events(w->live, lines);
}

void web_counts(const struct web *w, struct web_counts *ret_counts)
{
	*ret_counts = w->counts;
	ret_counts->subscribers = live_count(w->live);
	ret_counts->dropped = live_dropped(w->live);
}
