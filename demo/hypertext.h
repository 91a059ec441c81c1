#ifndef BEDWARDEN_DEMO_HYPERTEXT_H
#define BEDWARDEN_DEMO_HYPERTEXT_H
/*
 * As much HTTP/1.1 (RFC 9112) as two of the demonstration's servers need: a web server that has
 * files, and a pump that takes one. One request a connection; each in a process of its own.
 */
#include "base/bytes.h"

#define HYPERTEXT_BODY_MAX (32u << 20)

struct hypertext_request {
	char method[8], path[256];
	struct bytes body; /* free() its data */
};

bool hypertext_is(const struct hypertext_request *r, const char *method, const char *path);
/*
 * Serves at a port for ever: `answer` has each request and gives a status code, and a body or none in
 * *ret_body, which is free()d. 1: the port cannot be had.
 */
int hypertext_serve(uint16_t port,
		    unsigned (*answer)(void *arg, const struct hypertext_request *r,
				       struct bytes *ret_body),
		    void *arg);

#endif
