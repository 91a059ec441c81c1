#include "people/console/web.h"

#include <errno.h>
#include <stdlib.h>

#include "people/console/web_conn.h"

#define HEADERS_MAX 16384

static char *document_text(void)
{
	json_t *document = api_document();
	char *text = json_dumps(document, JSON_COMPACT);

	json_decref(document);
	return text;
}

struct web *web_new(const struct web_options *o)
{
	struct limit_rates rates = {.connections = o->per_source, .requests = o->requests};
	struct web *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->o = *o;
	TAILQ_INIT(&w->conns);
	w->slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, web_conn_gone);
	w->http = evhttp_new(o->base);
	w->limit = limit_new(&rates);
	w->live = live_new(o->base, o->asks, o->subscribers, o->watching, o->arg);
	w->document = document_text();
	w->turn = event_new(o->base, -1, 0, web_conn_turn, w);
	if (!w->http || !w->turn || !w->limit || !w->live || !w->document || w->slot < 0) {
		web_free(w);
		return NULL;
	}
	evhttp_set_bevcb(w->http, web_conn_new, w);
	evhttp_set_gencb(w->http, web_handle, w);
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
	free(w->document);
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
