#ifndef BEDWARDEN_PEOPLE_CONSOLE_LIVE_H
#define BEDWARDEN_PEOPLE_CONSOLE_LIVE_H
/*
 * Who looks at events as they come: server-sent events (HTML Living Standard
 * §9.2), an event's number as its id. One who does not take them is dropped; its browser comes back
 * by itself and says where it stopped. Sessions end, so the keeper is asked
 * again and again whether each may still look.
 */
#include <event2/event.h>
#include <event2/http.h>

#include "people/console/ask.h"

struct live;
struct view;

#define LIVE_WAITING (512u << 10) /* bytes that may wait for one who does not take them */
#define LIVE_AGAIN_S 20		  /* between questions whether it may still look */

struct live *live_new(struct event_base *base, struct asks *asks, uint32_t max,
		      void (*watching)(void *arg, bool on), void *arg); /* NULL: no memory */
void live_free(struct live *l);
bool live_full(const struct live *l);
/* Somebody is about to ask whether it may look: events are to be handed out from now on. */
void live_expect(struct live *l);
/*
 * `req` becomes a view; `call` is the question that allowed it, referenced, and `ok` its answer.
 * *slot leads to the view as long as it lasts. false: no memory, the request is still the caller's.
 */
bool live_open(struct live *l, struct evhttp_request *req, json_t *call, const json_t *ok,
	       struct view **slot);
/* Its connection goes down. */
void live_lost(struct view *v);
/* The expected one did not come. */
void live_unexpect(struct live *l);
void live_events(struct live *l, struct bytes lines);
uint32_t live_count(const struct live *l);
uint64_t live_dropped(const struct live *l);

/* Does an event fit the arguments of a view? Exposed for tests. */
bool live_fits(const json_t *args, const json_t *event, struct bytes line);

#endif
