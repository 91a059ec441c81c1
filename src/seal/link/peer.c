#include "seal/link/link_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define CHALLENGE_NS (200 * NSEC_PER_MSEC) /* between two to new places */
#define MOVING_NS    (3 * NSEC_PER_SEC)	   /* an answer may take so long */
#define NUDGE_NS     NSEC_PER_SEC
#define RECORDS_MAX  ((uint64_t)1 << 31) /* never more by one key, renewed or not */
#define FORGED_MAX   ((uint64_t)1 << 35) /* RFC 9147 §4.5.3: half of what a key of GCM bears */

struct link_peer *peer_named(struct links *ls, X509 *certificate)
{
	for (unsigned i = 0; i < ls->peer_count; i++)
		if (X509_check_host(certificate, ls->peers[i]->name, 0,
				    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
					    X509_CHECK_FLAG_NO_WILDCARDS,
				    NULL) == 1)
			return ls->peers[i];
	return NULL;
}

/* --- keys ------------------------------------------------------------------------------ */

static void keys_free(struct link_keys *k)
{
	if (!k)
		return;
	if (k->ssl)
		tls_peer_attach(k->ssl, NULL);
	SSL_free(k->ssl);
	record_key_free(k->seal);
	record_key_free(k->open);
	session_wipe(k->s);
	free(k);
}

static void drop(struct link_peer *p, unsigned i)
{
	struct link_keys *k = p->keys[i];

	if (p->use == k)
		p->use = NULL;
	for (; i + 1 < LINK_KEYS; i++)
		p->keys[i] = p->keys[i + 1];
	p->keys[LINK_KEYS - 1] = NULL;
	keys_free(k);
}

/* In front; where all places are taken, the oldest that is not in use goes. */
static void add(struct link_peer *p, struct link_keys *k)
{
	if (p->keys[LINK_KEYS - 1])
		drop(p, p->keys[LINK_KEYS - 1] == p->use ? LINK_KEYS - 2 : LINK_KEYS - 1);
	for (unsigned i = LINK_KEYS - 1; i > 0; i--)
		p->keys[i] = p->keys[i - 1];
	p->keys[0] = k;
}

/* At work by what the estate has of it, which is wiped where that fails. */
static struct link_keys *keys_of(struct links *ls, struct session *s)
{
	struct link_keys *k = calloc(1, sizeof(*k));

	if (!k || record_keys(&s->secrets, &k->seal, &k->open) < 0) {
		session_wipe(s);
		free(k);
		return NULL;
	}
	k->s = s;
	k->bio = (struct link_bio){.ls = ls, .at = &s->at, .nonce_seen = true};
	return k;
}

static struct link_keys *keys_new(struct link_peer *p, struct link_shake *shake)
{
	struct session *s = estate_place(p->ls->estate);
	struct link_keys *k;

	if (!s || record_secrets(shake->ssl, shake->client, shake->bio.nonce, &s->secrets) < 0)
		return NULL;
	memcpy(s->peer, p->name, sizeof(s->peer));
	snprintf(s->cipher, sizeof(s->cipher), "%s", SSL_get_cipher_name(shake->ssl));
	s->seq = RECORD_FIRST;
	s->born_ns = p->ls->now_ns;
	s->client = shake->client;
	s->at = shake->at;
	s->who = shake->who;
	k = keys_of(p->ls, s);
	if (!k)
		return NULL;
	k->ssl = shake->ssl;
	shake->ssl = NULL;
	BIO_set_data(SSL_get_rbio(k->ssl), &k->bio);
	tls_peer_attach(k->ssl, &s->who);
	session_keep(s);
	return k;
}

static void tell(struct link_peer *p, enum link_event what, enum reason why, const char *text)
{
	struct link_fact f = {.what = what, .peer = p, .reason = why, .text = text};

	f.address = p->at.len ? (const struct sockaddr *)&p->at.sa : NULL;
	f.subject = p->use ? p->use->s->who.subject : NULL;
	links_tell(p->ls, &f);
}

/* From now on its frames are sealed by these. The ones before still open what is under way. */
static void use(struct link_peer *p, struct link_keys *k)
{
	uint64_t now = p->ls->now_ns;
	bool moved = !where_same(&p->at, &k->s->at), was = p->up;

	for (unsigned i = 0; i < LINK_KEYS; i++)
		if (p->keys[i] && p->keys[i] != k && !p->keys[i]->s->old_ns &&
		    p->keys[i]->s->born_ns <= k->s->born_ns)
			p->keys[i]->s->old_ns = now;
	k->s->used = 1;
	if (p->use && p->use != k)
		p->use->s->used = 0;
	p->use = k;
	p->at = k->s->at;
	p->renew = false;
	p->refused = REASON_NONE;
	p->heard_ns = now;
	p->dial_wait_ns = 0;
	p->up = true;
	if (!was) {
		p->up_ns = now;
		p->rtt_ns = 0;
	}
	/* Who is called knows by this that its keys are in use, too. */
	p->ping_ns = now;
	if (crypto_random(&p->ping_token, sizeof(p->ping_token)) == 0)
		send_echo(p, k, &p->at, FRAMING_ASK, FRAMING_PING, p->ping_token, 0);
	tell(p, was ? LINK_RENEWED : LINK_UP, REASON_NONE, NULL);
	if (!was || moved)
		path_start(p);
}

void peer_agreed(struct link_peer *p, struct link_shake *s)
{
	struct link_keys *k = keys_new(p, s);

	if (!k) {
		links_refuse(p->ls, p, &s->at, REASON_RELAY_TLS, "the suite's keys cannot be used",
			     NULL);
		return;
	}
	p->counts.handshakes++;
	add(p, k);
	if (s->client)
		use(p, k);
	if (s->who.late != REASON_NONE)
		links_refuse(p->ls, p, &s->at, s->who.late, "and was let pass", s->who.subject);
}

void peer_adopt(struct link_peer *p)
{
	struct estate *e = p->ls->estate;
	struct link_keys *used = NULL;

	for (unsigned i = 0; i < ESTATE_SESSIONS; i++) {
		struct session *s = &e->sessions[i];
		unsigned at = 0;
		struct link_keys *k;

		if (s->whole != ESTATE_WHOLE || strcmp(s->peer, p->name) != 0)
			continue;
		k = p->keys[LINK_KEYS - 1] ? NULL : keys_of(p->ls, s);
		if (!k)
			continue;
		while (at < LINK_KEYS && p->keys[at] && p->keys[at]->s->born_ns > s->born_ns)
			at++;
		memmove(&p->keys[at + 1], &p->keys[at], (LINK_KEYS - 1 - at) * sizeof(p->keys[0]));
		p->keys[at] = k;
		if (s->used && (!used || s->born_ns > used->s->born_ns))
			used = k;
	}
	if (used)
		use(p, used);
	else /* it was down */
		while (p->keys[0])
			drop(p, 0);
	p->renew = used != NULL; /* what another process knew is not for long */
}

void peer_failed(struct link_peer *p, enum reason why)
{
	uint64_t wait = p->dial_wait_ns ? p->dial_wait_ns * 2 : DIAL_NS;

	p->counts.failed++;
	p->refused = why;
	p->dial_wait_ns = wait < DIAL_MAX_NS ? wait : DIAL_MAX_NS;
	p->dial_ns = p->ls->now_ns + p->dial_wait_ns;
}

static void down(struct link_peer *p, enum reason why)
{
	struct links *ls = p->ls;

	if (!p->up)
		return;
	p->up = false;
	p->up_ns = ls->now_ns;
	tell(p, LINK_DOWN, why, NULL);
	while (p->keys[0])
		drop(p, 0);
	p->counts.incomplete += rejoin_expire(&p->rejoin, &ls->calls, ls->now_ns, true);
	p->moving.to.len = 0;
	p->dial_ns = ls->now_ns;
	ls->tick_ns = 0;
}

void peer_left(struct link_peer *p, struct link_keys *k)
{
	if (k == p->use)
		down(p, REASON_SEAL_LEFT);
}

void peer_free(struct link_peer *p)
{
	rejoin_expire(&p->rejoin, &p->ls->calls, 0, true);
	for (unsigned i = 0; i < LINK_KEYS; i++)
		keys_free(p->keys[i]);
	free(p);
}

/* --- what is heard ------------------------------------------------------------------------ */

/* Anybody may have sent on what it sent: it is asked at the new place before it is believed there. */
static void challenge(struct link_peer *p, const struct where *from)
{
	uint64_t now = p->ls->now_ns;

	if (p->moving.to.len && now - p->moving.sent_ns < CHALLENGE_NS)
		return;
	p->moving.to = *from;
	p->moving.sent_ns = now;
	if (crypto_random(&p->moving.token, sizeof(p->moving.token)) == 0)
		send_echo(p, p->use, from, FRAMING_ASK, FRAMING_CHALLENGE, p->moving.token, 0);
}

void peer_heard(struct link_peer *p, struct link_keys *k, const struct where *from, bool newest)
{
	bool first = !k->s->heard;

	k->s->heard = true;
	p->heard_ns = p->ls->now_ns;
	if (first && !k->s->client && (!p->use || k->s->born_ns >= p->use->s->born_ns) &&
	    k != p->use)
		use(p, k);
	if (newest && k == p->use && !where_same(from, &p->at))
		challenge(p, from);
}

void peer_answered(struct link_peer *p, const struct where *from, const struct framing *f)
{
	uint64_t now = p->ls->now_ns, rtt = now - p->ping_ns;

	switch (f->what) {
	case FRAMING_PING:
		if (!p->ping_token || f->token != p->ping_token)
			return;
		p->ping_token = 0;
		p->rtt_ns = p->rtt_ns ? (p->rtt_ns * 7 + rtt) / 8 : rtt;
		return;
	case FRAMING_PROBE:
		path_answer(p, f->token);
		return;
	default:
		if (!p->moving.to.len || f->token != p->moving.token ||
		    !where_same(from, &p->moving.to))
			return;
		p->at = p->moving.to;
		p->use->s->at = p->at;
		p->moving.to.len = 0;
		p->counts.moved++;
		tell(p, LINK_MOVED, REASON_NONE, NULL);
		path_start(p);
	}
}

/* --- what the time brings -------------------------------------------------------------------- */

static bool is_shaking(const struct link_peer *p)
{
	for (const struct link_shake *s = p->ls->shakes; s; s = s->next)
		if (!s->over && (s->peer == p || where_same(&s->at, &p->at)))
			return true;
	return false;
}

void peer_nudged(struct link_peer *p)
{
	uint64_t now = p->ls->now_ns;

	if (!p->up || is_shaking(p) || now - p->nudge_ns < NUDGE_NS)
		return;
	p->nudge_ns = now;
	shake_call(p, &p->at);
}

/* Who began the last handshake begins the next; the other end only where it fails to. */
static bool is_due(const struct link_peer *p)
{
	const struct link_keys *k = p->use;
	uint64_t age = p->ls->now_ns - k->s->born_ns, most = p->ls->o.renew_s * NSEC_PER_SEC;
	uint64_t records = k->s->seq - RECORD_FIRST, limit = p->ls->o.renew_records;

	if (!k->s->client) {
		most += most / 4;
		limit += limit / 4;
	}
	return p->renew || age > most || records > limit || k->s->forged > FORGED_MAX;
}

static bool is_spent(const struct link_peer *p)
{
	const struct link_keys *k = p->use;
	uint64_t age = p->ls->now_ns - k->s->born_ns;

	return age > (2ull * p->ls->o.renew_s + 60) * NSEC_PER_SEC ||
	       k->s->seq - RECORD_FIRST > RECORDS_MAX;
}

static void call(struct link_peer *p)
{
	struct where to = p->dial;

	/* Where it was last is tried in turns with where it should be. */
	if (p->up || !to.len || (p->dial_wait_ns > DIAL_NS && p->at.len && (p->dial_turn++ & 1)))
		to = p->at;
	if (!to.len || p->ls->now_ns < p->dial_ns || is_shaking(p))
		return;
	wire_fit(&p->ls->wire, &to);
	shake_call(p, &to);
}

static void clear_keys(struct link_peer *p)
{
	uint64_t now = p->ls->now_ns;

	for (unsigned i = 0; i < LINK_KEYS; i++) {
		struct link_keys *k = p->keys[i];

		if (k && k != p->use &&
		    ((k->s->old_ns && now - k->s->old_ns > OLD_NS) ||
		     (!k->s->heard && now - k->s->born_ns > OLD_NS)))
			drop(p, i--);
	}
}

static void ask(struct link_peer *p)
{
	uint64_t now = p->ls->now_ns, wait = p->ls->o.keepalive_ms * NSEC_PER_MSEC;

	if (now - p->heard_ns < wait || now - p->ping_ns < wait / 2)
		return;
	p->ping_ns = now;
	if (crypto_random(&p->ping_token, sizeof(p->ping_token)) == 0)
		send_echo(p, p->use, &p->at, FRAMING_ASK, FRAMING_PING, p->ping_token, 0);
}

/* Whoever did not ask for a while, because it stood still itself, asks first. */
static bool is_silent(const struct link_peer *p)
{
	uint64_t now = p->ls->now_ns;

	return now - p->heard_ns > p->ls->o.dead_ms * NSEC_PER_MSEC && p->ping_ns > p->heard_ns &&
	       now - p->ping_ns >= p->ls->o.keepalive_ms * NSEC_PER_MSEC / 2;
}

uint64_t peer_turn(struct link_peer *p)
{
	uint64_t now = p->ls->now_ns;

	if (p->up && is_silent(p)) {
		send_farewell(p, p->use);
		down(p, REASON_SEAL_SILENT);
	} else if (p->up && is_spent(p)) {
		send_farewell(p, p->use);
		down(p, p->refused != REASON_NONE ? p->refused : REASON_SEAL_SPENT);
	}
	clear_keys(p);
	p->counts.incomplete += rejoin_expire(&p->rejoin, &p->ls->calls, now, false);
	if (p->moving.to.len && now - p->moving.sent_ns > MOVING_NS)
		p->moving.to.len = 0;
	if (!p->up || is_due(p))
		call(p);
	if (!p->up)
		return now + 2 * TURN_NS;
	ask(p);
	return path_turn(p);
}
