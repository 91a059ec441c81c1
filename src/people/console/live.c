#include "people/console/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "base/clock.h"

#define BEAT_S 15 /* between signs of life, so that whoever is in the middle does not hang up */

struct view {
	TAILQ_ENTRY(view) next;
	struct live *live;
	struct view **slot;
	struct evhttp_request *req;
	json_t *call;
	const json_t *args; /* of the call */
	uint32_t ask;	    /* whether it may still look; 0 not asked */
	uint64_t asked_ns, beat_ns;
	int64_t at; /* the last event it has */
};

struct live {
	TAILQ_HEAD(views, view) views;
	struct asks *asks;
	struct event *tick;
	uint32_t count, max, expected;
	uint64_t dropped;
	bool on;
	void (*watching)(void *arg, bool on);
	void *arg;
};

static void turn(evutil_socket_t fd, short what, void *arg);

struct live *live_new(struct event_base *base, struct asks *asks, uint32_t max,
		      void (*watching)(void *arg, bool on), void *arg)
{
	struct live *l = calloc(1, sizeof(*l));
	struct timeval second = {1, 0};

	if (!l)
		return NULL;
	*l = (struct live){.asks = asks, .max = max, .watching = watching, .arg = arg};
	TAILQ_INIT(&l->views);
	l->tick = event_new(base, -1, EV_PERSIST, turn, l);
	if (!l->tick || event_add(l->tick, &second) < 0) {
		live_free(l);
		return NULL;
	}
	return l;
}

static void forget(struct view *v)
{
	struct live *l = v->live;

	TAILQ_REMOVE(&l->views, v, next);
	*v->slot = NULL;
	l->count--;
	ask_forget(l->asks, v->ask);
	json_decref(v->call);
	free(v);
}

void live_free(struct live *l)
{
	struct view *v;

	if (!l)
		return;
	while ((v = TAILQ_FIRST(&l->views)))
		forget(v);
	if (l->tick)
		event_free(l->tick);
	free(l);
}

bool live_full(const struct live *l)
{
	return l->count + l->expected >= l->max;
}

static void watch(struct live *l)
{
	bool on = l->count + l->expected > 0;

	if (on != l->on && l->watching)
		l->watching(l->arg, on);
	l->on = on;
}

void live_expect(struct live *l)
{
	l->expected++;
	watch(l);
}

void live_unexpect(struct live *l)
{
	l->expected--;
	watch(l);
}

void live_lost(struct view *v)
{
	struct live *l = v->live;

	forget(v);
	watch(l);
}

uint32_t live_count(const struct live *l)
{
	return l->count;
}

uint64_t live_dropped(const struct live *l)
{
	return l->dropped;
}

/* --- which events ----------------------------------------------------------- */

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static const char *verdict_of(const json_t *event)
{
	const json_t *v = json_object_get(event, "verdict");

	if (strcmp(text_of(v, "action"), "drop") == 0)
		return "blocked";
	return strcmp(text_of(v, "would"), "drop") == 0 ? "would_block" : "passed";
}

/* The reason itself, or what stands before a dot of it. */
static bool begins(const char *reason, const char *want)
{
	size_t len = strlen(want);

	return strncmp(reason, want, len) == 0 && (reason[len] == 0 || reason[len] == '.');
}

/* Whom it is about, as the store has it. */
static const char *who_of(const json_t *event)
{
	static const char *const kinds[] = {"binding", "inventory"};
	const char *who = text_of(event, "device");

	for (unsigned i = 0; !*who && i < 2; i++)
		who = text_of(json_object_get(event, kinds[i]), "mac");
	return *who ? who : text_of(event, "src_ip");
}

bool live_fits(const json_t *args, const json_t *event, struct bytes line)
{
	const char *device = text_of(args, "device"), *reason = text_of(args, "reason");
	const char *type = text_of(args, "type"), *verdict = text_of(args, "verdict");
	const char *text = text_of(args, "text");
	char copy[65536];

	if ((*device && strcmp(device, who_of(event)) != 0) ||
	    (*reason && !begins(text_of(event, "reason"), reason)) ||
	    (*type && strcmp(type, text_of(event, "event_type")) != 0) ||
	    (*verdict && strcmp(verdict, verdict_of(event)) != 0))
		return false;
	if (!*text)
		return true;
	if (line.len >= sizeof(copy))
		return false;
	memcpy(copy, line.data, line.len);
	copy[line.len] = 0;
	return strcasestr(copy, text) != NULL;
}

/* --- one view --------------------------------------------------------------- */

static struct bufferevent *pipe_of(struct view *v)
{
	return evhttp_connection_get_bufferevent(evhttp_request_get_connection(v->req));
}

/* Takes what is in `out`. */
static void push(struct view *v, struct evbuffer *out)
{
	if (evbuffer_get_length(out) > 0)
		evhttp_send_reply_chunk(v->req, out);
}

static void put_event(struct evbuffer *out, int64_t id, struct bytes line)
{
	evbuffer_add_printf(out, "id: %" PRId64 "\ndata: ", id);
	evbuffer_add(out, line.data, line.len);
	evbuffer_add(out, "\n\n", 2);
}

/* The end, in order: a last event, and the connection closes when it was taken. */
static void end(struct view *v, const char *why)
{
	struct evhttp_request *req = v->req;
	struct evbuffer *out = evbuffer_new();

	live_lost(v);
	if (out) {
		evbuffer_add_printf(out, "event: end\ndata: {\"type\":\"%s\"}\n\n", why);
		evhttp_send_reply_chunk(req, out);
		evbuffer_free(out);
	}
	evhttp_send_reply_end(req);
}

/* It takes nothing: no more is kept for it. Whoever owns the connection hears of its end. */
static void drop(struct view *v)
{
	v->live->dropped++;
	evhttp_connection_free(evhttp_request_get_connection(v->req));
}

bool live_open(struct live *l, struct evhttp_request *req, json_t *call, const json_t *ok,
	       struct view **slot)
{
	struct view *v = calloc(1, sizeof(*v));
	struct evbuffer *out = evbuffer_new();
	uint64_t now = clock_mono_ns();
	const json_t *event;
	char *text;
	size_t i;

	if (!v || !out) {
		free(v);
		if (out)
			evbuffer_free(out);
		return false;
	}
	*slot = v;
	*v = (struct view){.live = l,
			   .slot = slot,
			   .req = req,
			   .call = json_incref(call),
			   .asked_ns = now,
			   .beat_ns = now,
			   .at = json_integer_value(json_object_get(ok, "at"))};
	v->args = json_object_get(v->call, "args");
	json_object_set_new(v->call, "passive",
			    json_true()); /* looking on keeps no session alive */
	TAILQ_INSERT_TAIL(&l->views, v, next);
	l->count++;
	bufferevent_set_timeouts(pipe_of(v), NULL, NULL);
	bufferevent_setwatermark(pipe_of(v), EV_READ, 0, 4096); /* nothing more is to come */
	evhttp_send_reply_start(req, 200, "OK");
	evbuffer_add_printf(out, "retry: 2000\n\n");
	json_array_foreach (json_object_get(ok, "events"), i, event) {
		text = json_dumps(event, JSON_COMPACT);
		if (text &&
		    live_fits(v->args, event, (struct bytes){(uint8_t *)text, strlen(text)}))
			put_event(out, json_integer_value(json_object_get(event, "id")),
				  (struct bytes){(uint8_t *)text, strlen(text)});
		free(text);
	}
	push(v, out);
	evbuffer_free(out);
	return true;
}

static void answered(void *arg, const json_t *answer)
{
	struct view *v = arg;
	const json_t *error = json_object_get(answer, "error");
	json_int_t status = json_integer_value(json_object_get(error, "status"));

	v->ask = 0;
	if (error && status < 500) /* a keeper that is busy is no reason */
		end(v, text_of(error, "type"));
}

static void ask_again(struct view *v, uint64_t now_ns)
{
	v->asked_ns = now_ns;
	v->ask = ask_keeper(v->live->asks, v->call, now_ns, answered, v);
}

static void turn(evutil_socket_t fd, short what, void *arg)
{
	struct live *l = arg;
	uint64_t now = clock_mono_ns();
	struct view *v = TAILQ_FIRST(&l->views), *next;

	for (; v; v = next) {
		struct evbuffer *beat;

		next = TAILQ_NEXT(v, next);
		if (now - v->beat_ns >= BEAT_S * NSEC_PER_SEC && (beat = evbuffer_new())) {
			v->beat_ns = now;
			evbuffer_add(beat, ": \n\n", 4);
			push(v, beat);
			evbuffer_free(beat);
		}
		/* Last: an answer may come at once, and end it. */
		if (!v->ask && now - v->asked_ns >= LIVE_AGAIN_S * NSEC_PER_SEC)
			ask_again(v, now);
	}
}

/* --- events ------------------------------------------------------------------ */

struct line {
	int64_t id;
	struct bytes text;
	json_t *event;
};

#define LINES 512

static void hand_out(struct view *v, const struct line *lines, unsigned count)
{
	struct evbuffer *out = evbuffer_new();

	for (unsigned i = 0; out && i < count; i++) {
		if (lines[i].id <= v->at)
			continue;
		v->at = lines[i].id;
		if (live_fits(v->args, lines[i].event, lines[i].text))
			put_event(out, lines[i].id, lines[i].text);
	}
	if (!out)
		return;
	if (evbuffer_get_length(out) + evbuffer_get_length(bufferevent_get_output(pipe_of(v))) >
	    LIVE_WAITING)
		drop(v);
	else
		push(v, out);
	evbuffer_free(out);
}

/* "NUMBER EVENT\n"; how many bytes it took, 0 none. */
static size_t read_line(struct bytes from, struct line *ret_line)
{
	const uint8_t *newline = memchr(from.data, '\n', from.len), *at = from.data;
	struct line l = {0};

	if (!newline)
		return 0;
	while (*at >= '0' && *at <= '9' && l.id < INT64_MAX / 100)
		l.id = l.id * 10 + (*at++ - '0');
	if (*at == ' ')
		at++;
	l.text = (struct bytes){at, (size_t)(newline - at)};
	l.event = json_loadb((const char *)at, l.text.len, JSON_ALLOW_NUL, NULL);
	*ret_line = l;
	return (size_t)(newline - from.data) + 1;
}

void live_events(struct live *l, struct bytes from)
{
	static struct line lines[LINES];
	struct view *v, *next;
	unsigned count;
	size_t used = 1;

	while (from.len > 0 && used > 0) {
		for (count = 0; count < LINES && from.len > 0; count++) {
			used = read_line(from, &lines[count]);
			if (used == 0)
				break;
			from = (struct bytes){from.data + used, from.len - used};
		}
		for (v = TAILQ_FIRST(&l->views); v; v = next) {
			next = TAILQ_NEXT(v, next);
			hand_out(v, lines, count);
		}
		while (count > 0)
			json_decref(lines[--count].event);
	}
}
