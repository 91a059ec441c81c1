#include "people/console/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>

#include "base/http_status.h"
#include "people/console/problem.h"

#define HEADERS	      8
#define SHOWS_NOTHING "default-src 'none'; frame-ancestors 'none'"

static const char *const headers[HEADERS][2] = {
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

void reply_headers(struct evhttp_request *req, bool page)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);

	for (size_t i = 0; i < HEADERS; i++)
		evhttp_add_header(out, headers[i][0], headers[i][1]);
	evhttp_add_header(out, "Content-Security-Policy",
			  page ? "default-src 'none'; script-src 'self'; style-src 'self'; "
				 "img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
				 "form-action 'none'; frame-ancestors 'none'; "
				 "require-trusted-types-for 'script'; trusted-types 'none'"
			       : SHOWS_NOTHING);
	evhttp_add_header(out, "Cache-Control", page ? "no-cache" : "no-store");
}

void reply_headers_write(struct evbuffer *out)
{
	for (size_t i = 0; i < HEADERS; i++)
		evbuffer_add_printf(out, "%s: %s\r\n", headers[i][0], headers[i][1]);
	evbuffer_add_printf(out, "Content-Security-Policy: " SHOWS_NOTHING "\r\n"
				 "Cache-Control: no-store\r\n");
}

/* RFC 9110 §9.3.2: to HEAD what GET would say, without saying it. */
void reply_text(struct evhttp_request *req, unsigned status, const char *type, const void *data,
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
	evhttp_send_reply(req, (int)status, http_phrase(status), body);
	if (body)
		evbuffer_free(body);
}

void reply_json(struct evhttp_request *req, unsigned status, const char *type, const json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	reply_headers(req, false);
	reply_text(req, text ? status : 503, text ? type : NULL, text ? text : "",
		   text ? strlen(text) : 0);
	free(text);
}

/* Takes the problem. */
void reply_problem(struct evhttp_request *req, json_t *problem)
{
	reply_json(req, problem_status(problem), "application/problem+json", problem);
	json_decref(problem);
}
