#include "seal/relay/relay_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "seal/pki/library.h"

#define EVENTS	128
#define ACCEPTS 1 /* of one listener in a turn */

/* An event's pointer is a side or, by its lowest bits, a relay that listens or another descriptor. */
#define TAG_RELAY ((uintptr_t)1)
#define TAG_OTHER ((uintptr_t)2)
#define TAGS	  (TAG_RELAY | TAG_OTHER)

/* --- telling ------------------------------------------------------------------- */

static void fill(const struct relay *r, const struct proxy_header *who, const struct conn *c,
		 struct relay_fact *f)
{
	f->relay = r->name;
	memcpy(f->from, who->from, 16);
	f->from_port = who->from_port;
	if (!proxy_address((const struct sockaddr *)&r->o.connect, f->to, &f->to_port))
		f->to_port = 0;
	if (!c)
		return;
	f->id = c->id;
	f->bytes[0] = c->bytes[0];
	f->bytes[1] = c->bytes[1];
	f->duration_ms = (r->all->now_ns - c->begun_ns) / NSEC_PER_MSEC;
	f->subject = *c->peer.subject ? c->peer.subject : NULL;
	f->version = c->seal ? traffic_version(c->seal) : NULL;
	f->cipher = c->seal ? traffic_cipher(c->seal) : NULL;
}

void relay_tell(struct conn *c, struct relay_fact *f)
{
	struct relays *all = c->relay->all;

	fill(c->relay, &c->who, c, f);
	all->calls.tell(all->calls.arg, f);
}

/* The first of its kind at once, then how many there were, every REPEAT_NS. */
void relay_refuse(struct relay *r, const struct proxy_header *who, enum reason why,
		  const char *text, const struct conn *c)
{
	struct relays *all = r->all;
	struct relay_fact f = {.what = RELAY_REFUSED, .reason = why, .text = text};
	struct told *t = &r->told[why];

	r->counts.refused++;
	if (t->last_ns && all->now_ns - t->last_ns < REPEAT_NS) {
		t->held++;
		return;
	}
	f.repeats = t->held;
	*t = (struct told){.last_ns = all->now_ns ? all->now_ns : 1};
	fill(r, who, c, &f);
	all->calls.tell(all->calls.arg, &f);
}

/* --- connections in their lists ---------------------------------------------------- */

void relay_shaken(struct conn *c)
{
	struct relays *all = c->relay->all;

	if (c->state >= CONN_OPEN)
		return;
	*(c->shake_prev ? &c->shake_prev->shake_next : &all->shaking) = c->shake_next;
	*(c->shake_next ? &c->shake_next->shake_prev : &all->shaking_last) = c->shake_prev;
	c->shake_next = c->shake_prev = NULL;
	all->shaking_count--;
}

void relay_forget(struct conn *c)
{
	struct relay *r = c->relay;

	*(c->prev ? &c->prev->next : &r->conns) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	r->counts.open--;
	c->prev = NULL;
	c->next = r->all->over;
	r->all->over = c;
}

static void bury(struct relays *rs)
{
	struct conn *c;

	while ((c = rs->over)) {
		rs->over = c->next;
		conn_free(c);
	}
}

/* --- taking connections --------------------------------------------------------------- */

static unsigned shaking_from(const struct relays *rs, const uint8_t ip[16])
{
	unsigned count = 0;

	for (const struct conn *c = rs->shaking; c; c = c->shake_next)
		count += memcmp(c->who.from, ip, 16) == 0;
	return count;
}

static bool is_crowded(const struct relay *r, const uint8_t ip[16])
{
	unsigned count = 0;

	for (const struct conn *c = r->o.per_source ? r->conns : NULL; c; c = c->next)
		count += memcmp(c->who.from, ip, 16) == 0;
	return r->o.per_source && count >= r->o.per_source;
}

/* Why not; NONE: come in. */
static enum reason admit(struct relay *r, const struct proxy_header *who)
{
	struct relays *rs = r->all;

	if (r->o.admits && !r->o.admits(r->o.arg, who->from))
		return REASON_RELAY_SOURCE;
	if (is_crowded(r, who->from))
		return REASON_RELAY_FLOOD;
	if (r->counts.open >= r->o.connections)
		return REASON_RELAY_FULL;
	if (shaking_from(rs, who->from) >= RELAY_SOURCE_MAX)
		return REASON_RELAY_FLOOD;
	if (rs->shaking_count < RELAY_HANDSHAKES)
		return REASON_NONE;
	/* Who has had its time makes room for who comes. */
	if (rs->now_ns - rs->shaking->begun_ns < EVICT_NS)
		return REASON_RELAY_FLOOD;
	conn_end(rs->shaking, REASON_RELAY_UNFINISHED, "others wait");
	return REASON_NONE;
}

static void listen_for(struct relay *r, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = (char *)r + TAG_RELAY};

	r->paused = events == 0;
	epoll_ctl(r->all->epoll, EPOLL_CTL_MOD, r->listener, &e);
}

/* Out of descriptors or memory: who comes waits in the kernel until relays_tick(). */
static void pause_listening(struct relay *r)
{
	struct proxy_header nobody = {0};

	relay_refuse(r, &nobody, REASON_RELAY_FULL, strerror(errno), NULL);
	listen_for(r, 0);
}

static void accept_some(struct relay *r)
{
	for (unsigned i = 0; i < ACCEPTS; i++) { /* epoll says it again where there are more */
		struct sockaddr_storage from, to;
		socklen_t from_len = sizeof(from), to_len = sizeof(to);
		struct proxy_header who = {0};
		enum reason why;
		int fd = accept4(r->listener, (struct sockaddr *)&from, &from_len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM)
				pause_listening(r);
			return;
		}
		who.known = getsockname(fd, (struct sockaddr *)&to, &to_len) == 0 &&
			    proxy_address((struct sockaddr *)&from, who.from, &who.from_port) &&
			    proxy_address((struct sockaddr *)&to, who.to, &who.to_port);
		r->counts.accepted++;
		why = admit(r, &who);
		if (why == REASON_NONE) {
			conn_new(r, fd, &who);
			continue;
		}
		close(fd);
		relay_refuse(r, &who, why, NULL, NULL);
	}
}

/* --- the loop --------------------------------------------------------------------------- */

struct relays *relays_new(const struct relay_calls *calls)
{
	struct relays *rs = calloc(1, sizeof(*rs));

	if (!rs)
		return NULL;
	rs->calls = *calls;
	for (unsigned i = 0; i < RELAYS_OTHERS; i++)
		rs->others[i].fd = -1;
	rs->now_ns = clock_mono_ns();
	rs->bio = secure_bio();
	rs->batch = batch_new();
	rs->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (rs->epoll >= 0 && rs->bio && rs->batch)
		return rs;
	if (rs->epoll >= 0)
		close(rs->epoll);
	batch_free(rs->batch);
	BIO_meth_free(rs->bio);
	free(rs);
	errno = ENOMEM;
	return NULL;
}

static void relay_free(struct relay *r)
{
	while (r->conns)
		conn_end(r->conns, REASON_NONE, "the relay ends");
	relay_listen(r, -1);
	SSL_CTX_free(r->ctx);
	free(r);
}

void relays_free(struct relays *rs)
{
	struct relay *r;

	if (!rs)
		return;
	while ((r = rs->list)) {
		rs->list = r->next;
		relay_free(r);
		bury(rs);
	}
	close(rs->epoll);
	batch_free(rs->batch);
	BIO_meth_free(rs->bio);
	free(rs);
}

static void dispatch(const struct epoll_event *e)
{
	uintptr_t p = (uintptr_t)e->data.ptr;
	const struct other *o = (const struct other *)(p & ~TAGS);

	if (p & TAG_RELAY)
		accept_some((struct relay *)(p & ~TAGS));
	else if (p & TAG_OTHER && o->fd >= 0)
		o->fn(o->arg);
	else if (!(p & TAG_OTHER))
		conn_event(e->data.ptr, e->events);
}

int relays_watch(struct relays *rs, int fd, void (*fn)(void *arg), void *arg)
{
	struct epoll_event e = {.events = EPOLLIN};

	for (unsigned i = 0; i < RELAYS_OTHERS; i++) {
		struct other *o = &rs->others[i];

		if (o->fd >= 0)
			continue;
		e.data.ptr = (char *)o + TAG_OTHER;
		if (epoll_ctl(rs->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
			return -errno;
		*o = (struct other){fd, fn, arg};
		return 0;
	}
	return -ENOBUFS;
}

void relays_unwatch(struct relays *rs, int fd)
{
	for (unsigned i = 0; i < RELAYS_OTHERS; i++)
		if (fd >= 0 && rs->others[i].fd == fd) {
			epoll_ctl(rs->epoll, EPOLL_CTL_DEL, fd, NULL);
			rs->others[i].fd = -1;
		}
}

void relays_turn(struct relays *rs, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(rs->epoll, events, EVENTS, timeout_ms);

	rs->now_ns = clock_mono_ns();
	for (int i = 0; i < n; i++) {
		bool ours = !((uintptr_t)events[i].data.ptr & TAGS);

		if (batch_full(rs->batch))
			batch_settle(rs->batch);
		if (!ours)
			batch_send(rs->batch); /* who knows how long others take */
		rs->batching = ours && n > 1;
		dispatch(&events[i]);
		rs->batching = false;
	}
	batch_settle(rs->batch);
	bury(rs);
}

void relays_resume(struct relays *rs, struct conn *c)
{
	rs->now_ns = clock_mono_ns();
	conn_resume(
		c); /* who is dead then is buried at a turn's end: the present one may have something of it */
}

void relays_tick(struct relays *rs)
{
	struct relay **at = &rs->list;

	rs->now_ns = clock_mono_ns();
	while (*at) {
		struct relay *r = *at;
		struct conn *next;

		for (struct conn *c = r->conns; c; c = next) {
			next = c->next;
			conn_tick(c);
		}
		if (r->paused && r->listener >= 0)
			listen_for(r, EPOLLIN);
		bury(rs);
		if (!r->retired || r->conns) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		relay_free(r);
	}
}

/* --- relays ------------------------------------------------------------------------------- */

struct relay *relay_add(struct relays *rs, const struct relay_options *o)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->all = rs;
	r->o = *o;
	snprintf(r->name, sizeof(r->name), "%s", o->name);
	snprintf(r->server_name, sizeof(r->server_name), "%s",
		 o->server_name ? o->server_name : "");
	r->o.name = r->name;
	r->o.server_name = r->server_name;
	r->listener = -1;
	r->next = rs->list;
	rs->list = r;
	return r;
}

void relay_context(struct relay *r, SSL_CTX *ctx)
{
	if (ctx)
		SSL_CTX_up_ref(ctx);
	if (ctx && !library_tls())
		SSL_CTX_set_keylog_callback(ctx, secure_keylog);
	SSL_CTX_free(r->ctx);
	r->ctx = ctx;
}

int relay_listen(struct relay *r, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = (char *)r + TAG_RELAY};

	if (r->listener >= 0) {
		epoll_ctl(r->all->epoll, EPOLL_CTL_DEL, r->listener, NULL);
		close(r->listener); /* whoever else has it goes on listening */
	}
	r->listener = fd;
	r->paused = false;
	if (fd < 0)
		return 0;
	side_tune(fd);
	return epoll_ctl(r->all->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

void relay_retire(struct relay *r)
{
	relay_listen(r, -1);
	r->retired = true;
}

const char *relay_name(const struct relay *r)
{
	return r->name;
}

void relay_counts(const struct relay *r, struct relay_counts *ret_counts)
{
	*ret_counts = r->counts;
	ret_counts->handshakes = 0;
	for (const struct conn *c = r->all->shaking; c; c = c->shake_next)
		ret_counts->handshakes += c->relay == r;
}

bool relay_ready(const struct relay *r)
{
	return r->listener >= 0 && r->ctx && !r->retired;
}

unsigned relays_shaking(const struct relays *rs)
{
	return rs->shaking_count;
}

uint64_t relays_open(const struct relays *rs)
{
	uint64_t open = 0;

	for (const struct relay *r = rs->list; r; r = r->next)
		open += r->counts.open;
	return open;
}
