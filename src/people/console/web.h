#ifndef BEDWARDEN_PEOPLE_CONSOLE_WEB_H
#define BEDWARDEN_PEOPLE_CONSOLE_WEB_H
/*
 * The HTTPS server: libevent's evhttp over its OpenSSL bufferevents. It lets in
 * as many connections as it may, gives each a time in which its request must be
 * whole and its answer taken, turns requests into calls for the keeper (ask.h)
 * and the answers into HTTP. What is refused is refused before the keeper hears of it.
 *
 * Whoever is slow costs itself only: where all places are taken, a connection of the
 * address that has most of them makes room, first one that never had an answer.
 */
#include <event2/event.h>
#include <openssl/ssl.h>

#include "people/console/ask.h"

struct sockaddr;
struct web;

#define WEB_REQUEST_S 15 /* for the handshake, and each request, to be whole */
#define WEB_ANSWER_S  60 /* for an answer to be there and taken */
#define WEB_DOORS     8

struct web_options {
	struct event_base *base;
	SSL_CTX *tls; /* referenced, not owned */
	struct asks *asks;
	const char *const
		*hosts; /* names and addresses it answers for, without ports, ended by NULL */
	uint32_t connections, per_source, requests, subscribers; /* base/config.h */
	/* Whether somebody looks at events as they come. */
	void (*watching)(void *arg, bool on);
	/* Whether a connection may come in the way it did. */
	bool (*welcome)(void *arg, int sock);
	/* The hardware address of a neighbour; false: none is known. */
	bool (*mac)(void *arg, const struct sockaddr *who, char ret_mac[18]);
	void *arg;
};

struct web_counts {
	uint64_t requests, refused; /* refused: connections and requests beyond a limit */
	uint64_t slow;		    /* connections that did not move in time */
	uint64_t dropped;	    /* live views that could not keep up */
	uint32_t connections, subscribers;
};

/* Borrows what the options point to, for as long as it lives. NULL: no memory. */
struct web *web_new(const struct web_options *o);
void web_free(struct web *w);
/* Who connects from now on is spoken to so. */
void web_set_tls(struct web *w, SSL_CTX *tls);
/* A socket that listens, taken over; WEB_DOORS at most. 0 or -errno. */
int web_listen(struct web *w, int sock);
/* Lines "NUMBER EVENT", each ended by '\n', as the keeper hands them out. */
void web_events(struct web *w, struct bytes lines);
void web_counts(const struct web *w, struct web_counts *ret_counts);

#endif
