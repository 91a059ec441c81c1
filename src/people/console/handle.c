#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>

#include "base/clock.h"
#include "people/console/asset.h"
#include "people/console/client_cert.h"
#include "people/console/web_conn.h"
#include "people/console/cookie.h"
#include "people/console/download.h"
#include "people/console/problem.h"
#include "people/console/reply.h"
#include "people/console/request.h"

#define TEXT_LEN 80 /* of an address */

/* --- answers ----------------------------------------------------------------- */

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

	reply_headers(r->req, false);
	evhttp_add_header(evhttp_request_get_output_headers(r->req), "Content-Type",
			  "text/event-stream");
	evhttp_add_header(evhttp_request_get_output_headers(r->req), "Connection", "close");
	event_del(r->conn->timer); /* it may stay as long as it takes what comes */
	/* From the next answers on nothing is replayed. */
	json_object_del(json_object_get(r->call, "args"), "after");
	r->conn->req = r->req;
	if (!live_open(w->live, r->req, r->call, ok, &r->conn->view))
		reply_problem(r->req,
			      problem_new(503, "gateway.memory", "Out of memory", "%s", ""));
}

static void moved(void *arg)
{
	web_conn_wait(arg, WEB_ANSWER_S);
}

/* What it tells of is read from a descriptor that came before it. */
static void open_download(struct request *r, const json_t *file)
{
	int fd = ask_take_content(r->web->o.asks);
	struct conn *c = r->conn;
	bool fine = fd >= 0;

	c->req = r->req;
	if (fine)
		fine = download_open(r->web->o.base, r->req, file, fd, moved, c, &c->download);
	if (!fine)
		reply_problem(r->req, problem_new(503, "gateway.busy", "It cannot be handed out",
						  "try again"));
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
		else if (ok && r->route->file && json_object_get(ok, "file"))
			open_download(r, json_object_get(ok, "file"));
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
	if (r->changes && c->web->o.mac && c->web->o.mac(c->web->o.arg, web_conn_from(c), mac))
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
	web_conn_wait(c, WEB_ANSWER_S);
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
	json_t *problem = request_check(w->o.hosts, s, route->changes), *args = NULL;
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

	if (!s->host || !request_host(w->o.hosts, s->host)) {
		reply_problem(req, request_no_host());
		return;
	}
	reply_headers(req, true);
	evhttp_add_header(evhttp_request_get_output_headers(req), "ETag", a->tag);
	if (tag && strcmp(tag, a->tag) == 0)
		reply_text(req, 304, NULL, "", 0);
	else
		reply_text(req, 200, a->type, a->data, a->len);
}

static void handle_document(struct web *w, struct evhttp_request *req, struct said *s)
{
	json_t *problem = request_check(w->o.hosts, s, false);

	if (problem) {
		reply_problem(req, problem);
		return;
	}
	reply_headers(req, false);
	reply_text(req, 200, "application/json", w->document, strlen(w->document));
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

void web_handle(struct evhttp_request *req, void *arg)
{
	struct web *w = arg;
	struct conn *c = web_conn_of(w, req);
	json_t *problem;
	struct said s;
	char after[16];
	unsigned wait;

	if (!c || !c->entered) { /* not over TLS, or nobody we let in */
		evhttp_connection_free(evhttp_request_get_connection(req));
		return;
	}
	c->ours = true;
	w->counts.requests++;
	web_conn_wait(c, WEB_ANSWER_S);
	evhttp_request_set_on_complete_cb(req, web_conn_next, c);
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), web_conn_closing, c);
	if (!limit_ask(w->limit, web_conn_from(c), clock_mono_ns(), &wait)) {
		w->counts.refused++;
		snprintf(after, sizeof(after), "%u", wait);
		evhttp_add_header(evhttp_request_get_output_headers(req), "Retry-After", after);
		reply_problem(req, problem_new(429, "request.too_many", "Too many requests",
					       "try again in %u s", wait));
		return;
	}
	problem = request_read(req, &s);
	if (problem)
		reply_problem(req, problem);
	else
		route(w, c, req, &s);
}
