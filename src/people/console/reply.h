#ifndef BEDWARDEN_PEOPLE_CONSOLE_REPLY_H
#define BEDWARDEN_PEOPLE_CONSOLE_REPLY_H
/*
 * Answers of the console in HTTP, and what every one of them tells browsers about itself.
 */
#include <stdbool.h>
#include <stddef.h>

#include <event2/http.h>
#include <jansson.h>

/* `page`: it is one, or belongs to one; else it is shown by nobody and kept nowhere. */
void reply_headers(struct evhttp_request *req, bool page);
/* The latter, as lines of an answer's head. */
void reply_headers_write(struct evbuffer *out);
/* `type` NULL: none. */
void reply_text(struct evhttp_request *req, unsigned status, const char *type, const void *data,
		size_t len);
/* The next two with their headers. */
void reply_json(struct evhttp_request *req, unsigned status, const char *type, const json_t *o);
/* Takes the problem. */
void reply_problem(struct evhttp_request *req, json_t *problem);

#endif
