#ifndef BEDWARDEN_PEOPLE_CONSOLE_WEB_CONN_H
#define BEDWARDEN_PEOPLE_CONSOLE_WEB_CONN_H
/*
 * The server from inside, shared by its files:
 *
 *   web.c       begins and ends it
 *   web_conn.c  connections: who comes in, for how long, and who makes room
 *   handle.c    a request's way to the keeper, and its answer's way back
 *   request.c   what a request says about itself
 *   routes.c    the calls there are; api.c reads their arguments, document.c tells of them
 *   reply.c     answers in HTTP
 *   live.c      who looks at events as they come
 *   download.c  what is read from a descriptor, as fast as it is taken
 */
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "people/console/api.h"
#include "people/console/limit.h"
#include "people/console/live.h"
#include "people/console/web.h"

struct download;

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
	bool ours;		 /* its request is answered by us, not by evhttp */
	struct request *request; /* one that waits for its answer */
	struct view *view;
	struct download *download;
	struct evhttp_request *req; /* of the view or the download */
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
	char *document; /* OpenAPI, written once: it is long, and anybody may ask for it */
	int slot;	/* of our data in an SSL */
	TAILQ_HEAD(conns, conn) conns; /* the one that was idle for longest first */
	struct evconnlistener *doors[WEB_DOORS];
	unsigned door_count, accepted; /* in this turn of the loop */
	uint32_t leaving; /* of the connections: were hung up on, and are still there */
	struct event *turn;
	struct web_counts counts;
};

struct sockaddr *web_conn_from(struct conn *c);
/* It has so long from now on. */
void web_conn_wait(struct conn *c, unsigned seconds);
/* evhttp takes the connection down: evhttp_connection_set_closecb(). */
void web_conn_closing(struct evhttp_connection *ec, void *conn);
/* The request has its answer: evhttp_request_set_on_complete_cb(). */
void web_conn_next(struct evhttp_request *req, void *conn);
/* Those that are to go have gone, if they took notice: who knocks is let in again. web->turn, with
 * the server. */
void web_conn_turn(evutil_socket_t fd, short what, void *web);
/* NULL: not over TLS. */
struct conn *web_conn_of(struct web *w, struct evhttp_request *req);
/* For SSL_get_ex_new_index(): OpenSSL frees the SSL, the connection is over. */
void web_conn_gone(void *parent, void *data, CRYPTO_EX_DATA *ad, int slot, long argl, void *argp);
/* For evhttp_set_bevcb(), with the server. */
struct bufferevent *web_conn_new(struct event_base *base, void *web);

/* handle.c, for evhttp_set_gencb(), with the server. */
void web_handle(struct evhttp_request *req, void *web);

#endif
