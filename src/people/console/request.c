#include "people/console/request.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include "people/console/problem.h"

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

bool request_host(const char *const *hosts, const char *host)
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
	for (const char *const *h = hosts; *h; h++)
		if (strcasecmp(*h, name) == 0)
			return true;
	return false;
}

/* RFC 9110 §5.6.2. evhttp takes any: "Host :" would be another header than "Host" (RFC 9112 §5.1). */
static bool has_odd_name(struct evhttp_request *req)
{
	static const char letters[] = "!#$%&'*+-.^_`|~0123456789"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	struct evkeyval *h;

	TAILQ_FOREACH (h, evhttp_request_get_input_headers(req), next)
		if (!*h->key || h->key[strspn(h->key, letters)])
			return true;
	return false;
}

json_t *request_read(struct evhttp_request *req, struct said *s)
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
	if (has_odd_name(req))
		return problem_new(400, "request.header", "A header's name is none",
				   "letters, digits and hyphens, and the colon directly behind");
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

json_t *request_no_host(void)
{
	return problem_new(421, "request.host", "This is not called so here",
			   "open it by one of the names in console.names, or by its address");
}

json_t *request_check(const char *const *hosts, struct said *s, bool changes)
{
	json_t *problem = NULL;

	if (!s->host || strlen(s->host) > 260 || !request_host(hosts, s->host))
		problem = request_no_host();
	if (!problem)
		problem = read_token(s);
	if (!problem)
		problem = check_site(s, changes);
	return problem;
}
