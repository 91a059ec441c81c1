#include "seal/link/estate.h"

#include <string.h>

#include <openssl/crypto.h>

#define FORM \
	(0x6265647761726400ull + sizeof(struct estate)) /* the letters of our name, and a size */

void session_keep(struct session *s)
{
	__atomic_store_n(&s->whole, ESTATE_WHOLE, __ATOMIC_RELEASE);
}

void session_wipe(struct session *s)
{
	__atomic_store_n(&s->whole, 0, __ATOMIC_SEQ_CST);
	OPENSSL_cleanse(s, sizeof(*s));
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

static bool adds_up(const struct session *s)
{
	return s->whole == ESTATE_WHOLE && s->used <= 1 && s->client <= 1 && s->heard <= 1 &&
	       *s->peer && ends(s->peer, sizeof(s->peer)) && ends(s->cipher, sizeof(s->cipher)) &&
	       ends(s->who.subject, sizeof(s->who.subject)) && s->who.late < REASON_COUNT &&
	       s->who.refused < REASON_COUNT && s->at.len <= sizeof(s->at.sa) &&
	       (s->at.sa.ss_family == AF_INET || s->at.sa.ss_family == AF_INET6) &&
	       s->seq >= RECORD_FIRST && s->seq <= RECORD_LAST && s->window.top <= RECORD_LAST;
}

void estate_open(struct estate *e)
{
	if (e->form != FORM) {
		OPENSSL_cleanse(e, sizeof(*e));
		e->form = FORM;
	}
	for (unsigned i = 0; i < ESTATE_SESSIONS; i++) {
		struct session *s = &e->sessions[i];

		if (adds_up(s))
			window_shut(&s->window);
		else
			session_wipe(s);
	}
}

struct session *estate_place(struct estate *e)
{
	for (unsigned i = 0; i < ESTATE_SESSIONS; i++)
		if (!*e->sessions[i].peer)
			return &e->sessions[i];
	return NULL;
}
