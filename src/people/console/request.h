#ifndef BEDWARDEN_PEOPLE_CONSOLE_REQUEST_H
#define BEDWARDEN_PEOPLE_CONSOLE_REQUEST_H
/*
 * What a request says about itself: whom it calls, from which page it comes, by whose session
 * or key. What is contradictory, or from another site, is refused here.
 */
#include <stdbool.h>

#include <event2/http.h>
#include <jansson.h>

#include "people/console/cookie.h"

/* What the request says about itself, taken apart once. */
struct said {
	const char *host, *origin, *site, *cookie, *authorization, *type, *csrf, *last;
	char token[COOKIE_TOKEN_MAX];
	bool by_cookie;
};

/* Its headers, each there once. NULL; else the problem. */
json_t *request_read(struct evhttp_request *req, struct said *ret_said);
/* "name", "10.0.0.1", "[fd00::1]", each with or without a port: one of `hosts`, ended by NULL? */
bool request_host(const char *const *hosts, const char *host);
json_t *request_no_host(void);
/* Whose it is, into s->token, and whether it may come from there. NULL; else the problem. */
json_t *request_check(const char *const *hosts, struct said *s, bool changes);

#endif
