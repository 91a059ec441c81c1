#include "people/console/web_conn.h"

#include <netinet/tcp.h>
#include <stdlib.h>

#include <event2/buffer.h>

#include "base/clock.h"
#include "people/console/download.h"
#include "people/console/reply.h"

#define TURN_MAX 16 /* connections that are accepted before those that are there have their turn */
#define FULL_US	 1000

struct sockaddr *web_conn_from(struct conn *c)
{
	return (struct sockaddr *)(void *)&c->from;
}

void web_conn_wait(struct conn *c, unsigned seconds)
{
	struct timeval t = {seconds, 0};

	event_add(c->timer, &t);
}

void web_conn_gone(void *parent, void *data, CRYPTO_EX_DATA *ad, int slot, long argl, void *argp)
{
	struct conn *c = data;

	if (!c)
		return;
	TAILQ_REMOVE(&c->web->conns, c, next);
	c->web->counts.connections--;
	c->web->leaving -= c->leaving;
	if (c->entered)
		limit_leave(c->web->limit, web_conn_from(c));
	event_free(c->timer);
	free(c);
}

/* evhttp lets go of requests that are still to be answered, and they are ours then, to free. */
static void free_detached(struct evhttp_request *req)
{
	if (!evhttp_request_get_connection(req))
		evhttp_request_free(req);
}

void web_conn_closing(struct evhttp_connection *ec, void *arg)
{
	struct conn *c = arg;

	if (c->request) {
		c->request->conn = NULL;
		free_detached(c->request->req);
		c->request = NULL;
	}
	if (c->view) {
		free_detached(c->req);
		live_lost(c->view);
	}
	if (c->download) {
		free_detached(c->req);
		download_lost(c->download);
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
	    getpeername(fd, web_conn_from(c), &len) < 0 ||
	    !limit_enter(c->web->limit, web_conn_from(c), clock_mono_ns())) {
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
		web_conn_wait(c, WEB_REQUEST_S);
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
 * itself. Who waits for the keeper, looks on or fetches is let be. False: there is none to go.
 */
static bool make_room(struct web *w)
{
	struct conn *c, *slow = NULL;
	uint32_t most = 0;

	TAILQ_FOREACH (c, &w->conns, next) {
		uint32_t has;

		if (c->leaving || c->request || c->view || c->download || !c->entered)
			continue;
		has = limit_connections(w->limit, web_conn_from(c));
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

void web_conn_turn(evutil_socket_t fd, short what, void *arg)
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

/*
 * What evhttp refuses by itself, malformed or too long, it answers by itself and without a header of
 * ours. Of every answer it writes the first line first, and alone: they follow it. (A 100 is none.)
 */
static void on_output(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
	char line[sizeof("HTTP/1.1 4") - 1];
	struct conn *c = arg;

	if (c->ours || info->orig_size ||
	    evbuffer_copyout(out, line, sizeof(line)) != sizeof(line) ||
	    line[sizeof(line) - 1] < '4')
		return;
	c->ours = true;
	reply_headers_write(out);
}

/* Handed to evhttp, which would speak plainly where it gets none: so one it gets. */
struct bufferevent *web_conn_new(struct event_base *base, void *arg)
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
	if (!evbuffer_add_cb(bufferevent_get_output(c->pipe), on_output, c))
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

struct conn *web_conn_of(struct web *w, struct evhttp_request *req)
{
	struct evhttp_connection *ec = evhttp_request_get_connection(req);
	struct bufferevent *pipe = ec ? evhttp_connection_get_bufferevent(ec) : NULL;
	SSL *ssl = pipe ? bufferevent_openssl_get_ssl(pipe) : NULL;

	return ssl ? SSL_get_ex_data(ssl, w->slot) : NULL;
}

void web_conn_next(struct evhttp_request *req, void *arg)
{
	struct conn *c = arg;

	c->served = true;
	c->ours = false;
	TAILQ_REMOVE(&c->web->conns, c, next);
	TAILQ_INSERT_TAIL(&c->web->conns, c, next);
	web_conn_wait(c, WEB_REQUEST_S);
}
