#include "seal/link/link_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* --- telling -------------------------------------------------------------------- */

void links_tell(struct links *ls, struct link_fact *f)
{
	if (ls->calls.tell)
		ls->calls.tell(ls->calls.arg, f);
}

/* The first of its kind at once, then how many there were, every TELL_NS. */
void links_refuse(struct links *ls, struct link_peer *p, const struct where *at, enum reason why,
		  const char *text, const char *subject)
{
	struct link_fact f = {.what = LINK_REFUSED,
			      .peer = p,
			      .reason = why,
			      .text = text,
			      .address = at && at->len ? (const struct sockaddr *)&at->sa : NULL,
			      .subject = subject && *subject ? subject : NULL};
	struct told *t = &ls->told[why];

	if (t->last_ns && ls->now_ns - t->last_ns < TELL_NS) {
		t->held++;
		return;
	}
	f.repeats = t->held;
	*t = (struct told){.last_ns = ls->now_ns};
	links_tell(ls, &f);
}

/* --- all of it -------------------------------------------------------------------- */

static void set_options(struct links *ls, const struct links_options *o)
{
	ls->o = *o;
	ls->o.name = ls->name;
	snprintf(ls->name, sizeof(ls->name), "%s", o->name);
	ls->o.keepalive_ms = o->keepalive_ms ? o->keepalive_ms : 1000;
	ls->o.dead_ms = o->dead_ms ? o->dead_ms : 3500;
	ls->o.shake_ms = o->shake_ms ? o->shake_ms : 8000;
	ls->o.renew_s = o->renew_s ? o->renew_s : 3600;
	ls->o.renew_records = o->renew_records ? o->renew_records : 1ull << 26;
	ls->o.mtu = o->mtu ? o->mtu : 1500;
	ls->o.mtu = ls->o.mtu < LINK_MTU_MIN ? LINK_MTU_MIN : ls->o.mtu;
	ls->o.mtu = ls->o.mtu > LINK_MTU_MAX ? LINK_MTU_MAX : ls->o.mtu;
}

static void refill(struct links *ls)
{
	ls->strange_ns = ls->now_ns;
	ls->strange_left = STRANGE_SECOND;
	ls->nudges_left = NUDGES_SECOND;
	ls->hellos_left = HELLOS_SECOND;
}

struct links *links_new(const struct links_options *o, const struct links_calls *calls)
{
	struct links *ls;

	if (!o->name || !*o->name || strlen(o->name) >= sizeof(ls->name) || !calls->take ||
	    !calls->give || !calls->deliver) {
		errno = EINVAL;
		return NULL;
	}
	ls = calloc(1, sizeof(*ls));
	if (!ls)
		return NULL;
	set_options(ls, o);
	ls->calls = *calls;
	ls->now_ns = clock_mono_ns();
	refill(ls);
	ls->bio = shake_bio();
	ls->estate = ls->own_estate = calloc(1, sizeof(*ls->estate));
	if (ls->estate)
		estate_open(ls->estate);
	if (ls->estate && wire_open(&ls->wire) == 0 && ls->bio &&
	    crypto_random(ls->cookie_key, sizeof(ls->cookie_key)) == 0) {
		ls->cookie_ns = ls->now_ns;
		return ls;
	}
	links_free(ls);
	errno = ENOMEM;
	return NULL;
}

void links_tune(struct links *ls, const struct links_options *o)
{
	set_options(ls, o);
}

void links_free(struct links *ls)
{
	if (!ls)
		return;
	while (ls->peer_count)
		link_remove(ls->peers[ls->peer_count - 1]);
	for (struct link_shake *s = ls->shakes; s; s = s->next)
		shake_end(s, REASON_NONE, NULL);
	shakes_bury(ls);
	wire_flush(ls);
	hello_forget(ls);
	SSL_CTX_free(ls->client);
	SSL_CTX_free(ls->server);
	BIO_meth_free(ls->bio);
	wire_close(&ls->wire);
	free(ls->own_estate);
	OPENSSL_cleanse(ls, sizeof(*ls));
	free(ls);
}

size_t links_estate_size(void)
{
	return sizeof(struct estate);
}

int links_estate(struct links *ls, void *memory)
{
	if (ls->peer_count)
		return -EBUSY;
	estate_open(memory);
	ls->estate = memory;
	return 0;
}

void links_disown(struct links *ls)
{
	for (unsigned i = 0; i < ESTATE_SESSIONS; i++) {
		struct session *s = &ls->estate->sessions[i];
		unsigned at = 0;

		while (at < ls->peer_count && strcmp(ls->peers[at]->name, s->peer) != 0)
			at++;
		if (*s->peer && at == ls->peer_count)
			session_wipe(s);
	}
}

int links_socket(struct links *ls, int fd)
{
	links_flush(ls);
	return wire_take(&ls->wire, fd);
}

static SSL_CTX *keep(SSL_CTX *old, SSL_CTX *new)
{
	if (new)
		SSL_CTX_up_ref(new);
	SSL_CTX_free(old);
	return new;
}

void links_context(struct links *ls, SSL_CTX *client, SSL_CTX *server, bool renew)
{
	hello_forget(ls);
	ls->client = keep(ls->client, client);
	ls->server = keep(ls->server, server);
	if (server)
		hello_setup(server);
	/* What was begun by the old ones would only keep the new ones waiting. */
	for (struct link_shake *s = ls->shakes; s; s = s->next)
		if (s->client)
			shake_end(s, REASON_NONE, NULL);
	shakes_bury(ls);
	for (unsigned i = 0; i < ls->peer_count; i++) {
		struct link_peer *p = ls->peers[i];

		p->dial_ns = 0;
		p->dial_wait_ns = 0;
		if (renew && p->use)
			p->renew = true;
	}
	ls->tick_ns = 0;
}

bool links_read(struct links *ls)
{
	bool more;

	ls->now_ns = clock_mono_ns();
	more = wire_read(ls);
	shakes_bury(ls);
	if (!ls->wire.blocked)
		wire_flush(ls);
	return more;
}

bool links_wants_write(const struct links *ls)
{
	return ls->wire.blocked;
}

void links_write(struct links *ls)
{
	ls->wire.blocked = false;
	wire_flush(ls);
}

void links_flush(struct links *ls)
{
	if (!ls->wire.blocked)
		wire_flush(ls);
}

bool links_resume(struct links *ls, const void *who)
{
	struct link_shake *s = ls->shakes;

	while (s && s != who)
		s = s->next;
	if (!s)
		return false;
	ls->now_ns = clock_mono_ns();
	shake_resume(s);
	shakes_bury(ls);
	links_flush(ls);
	return true;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t links_turn(struct links *ls, uint64_t now_ns)
{
	uint64_t next = now_ns + NSEC_PER_SEC;

	ls->now_ns = now_ns;
	if (now_ns < ls->tick_ns)
		return ls->tick_ns;
	for (unsigned i = 0; i < ls->peer_count; i++)
		next = earlier(next, peer_turn(ls->peers[i]));
	for (struct link_shake *s = ls->shakes; s; s = s->next)
		next = earlier(next, shake_turn(s));
	shakes_bury(ls);
	if (now_ns - ls->strange_ns >= NSEC_PER_SEC)
		refill(ls);
	links_flush(ls);
	/* Not every packet's time is looked at: a turn in TURN_NS does. */
	ls->tick_ns = next > now_ns + TURN_NS ? next : now_ns + TURN_NS;
	return ls->tick_ns;
}

void links_counts(const struct links *ls, struct links_counts *ret_counts)
{
	*ret_counts = ls->counts;
	ret_counts->shaking = ls->shake_count;
}

/* --- peers ------------------------------------------------------------------------- */

static bool set_where(const struct link_options *o, struct where *ret_w)
{
	if (o->address_len > sizeof(o->address) ||
	    (o->address_len && o->address.ss_family != AF_INET && o->address.ss_family != AF_INET6))
		return false;
	*ret_w = (struct where){.sa = o->address, .len = o->address_len};
	return true;
}

struct link_peer *link_add(struct links *ls, const struct link_options *o)
{
	struct link_peer *p;

	errno = EINVAL;
	if (!o->name || !*o->name || strlen(o->name) >= sizeof(p->name))
		return NULL;
	for (unsigned i = 0; i < ls->peer_count; i++)
		if (strcmp(ls->peers[i]->name, o->name) == 0)
			errno = EEXIST;
	if (errno == EINVAL && ls->peer_count == LINK_PEERS)
		errno = ENOSPC;
	if (errno != EINVAL)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	if (!set_where(o, &p->dial)) {
		free(p);
		return NULL;
	}
	p->ls = ls;
	p->arg = o->arg;
	snprintf(p->name, sizeof(p->name), "%s", o->name);
	ls->peers[ls->peer_count++] = p;
	ls->now_ns = clock_mono_ns();
	peer_adopt(p);
	/* Two that call each other at once: the one whose name comes later waits a little. */
	if (strcmp(ls->name, p->name) > 0)
		p->dial_ns = clock_mono_ns() + YIELD_NS;
	ls->tick_ns = 0;
	return p;
}

void link_remove(struct link_peer *p)
{
	struct links *ls = p->ls;
	unsigned at = 0;

	while (ls->peers[at] != p)
		at++;
	ls->peers[at] = ls->peers[--ls->peer_count];
	for (struct link_shake *s = ls->shakes; s; s = s->next)
		if (s->peer == p)
			shake_end(s, REASON_NONE, NULL);
	shakes_bury(ls);
	for (unsigned i = 0; i < LINK_KEYS; i++)
		if (p->keys[i] && p->up)
			send_farewell(p, p->keys[i]);
	links_flush(ls);
	peer_free(p);
}

void *link_arg(const struct link_peer *p)
{
	return p->arg;
}

bool link_is_up(const struct link_peer *p)
{
	return p->up;
}

void link_counts(const struct link_peer *p, struct link_counts *ret_counts)
{
	*ret_counts = p->counts;
}

void link_status(const struct link_peer *p, struct link_status *ret_status)
{
	*ret_status = (struct link_status){.up = p->up,
					   .since_ns = p->up_ns,
					   .heard_ns = p->heard_ns,
					   .rtt_ns = p->rtt_ns,
					   .address = p->at.len ? p->at.sa : p->dial.sa};
	if (p->up && p->at.len)
		ret_status->mtu = (uint16_t)(p->path.size + path_over(&p->at));
	if (!p->use)
		return;
	ret_status->handshake_ns = p->use->s->born_ns;
	ret_status->cipher = p->use->s->cipher;
	ret_status->not_after_s = p->use->s->who.not_after_s;
	memcpy(ret_status->subject, p->use->s->who.subject, sizeof(ret_status->subject));
}
