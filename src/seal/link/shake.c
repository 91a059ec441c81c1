#include "seal/link/link_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#define ALERTED_NS (2 * NSEC_PER_SEC) /* what is left to a handshake that the other end refused */
#define FIPS	   "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"

/* --- what is under OpenSSL ------------------------------------------------------------ */

static int bio_read(BIO *bio, char *ret_data, int len)
{
	struct link_bio *b = BIO_get_data(bio);
	size_t n = b->len < (size_t)len ? b->len : (size_t)len;

	BIO_clear_retry_flags(bio);
	if (!b->len) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(ret_data, b->data, n);
	if (!b->peek)
		b->len = 0;
	return (int)n;
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct link_bio *b = BIO_get_data(bio);
	struct bytes d = {(const uint8_t *)data, (size_t)len};
	uint8_t *room = wire_room(&b->ls->wire, d.len);

	BIO_clear_retry_flags(bio);
	if (!b->nonce_seen)
		b->nonce_seen = record_nonce(d, &b->nonce);
	/* As on any wire, what finds no room is lost and said again later. */
	if (room) {
		memcpy(room, d.data, d.len);
		wire_add(&b->ls->wire, b->at, d.len);
	}
	return len;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	struct link_bio *b = BIO_get_data(bio);

	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_DGRAM_SET_PEEK_MODE:
		b->peek = num != 0;
		return 1;
	case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
		return path_over(b->at);
	case BIO_CTRL_DGRAM_QUERY_MTU:
	case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
		return SHAKE_MTU;
	default:
		return 0;
	}
}

BIO_METHOD *shake_bio(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bedwarden link");

	if (!m || !BIO_meth_set_read(m, bio_read) || !BIO_meth_set_write(m, bio_write) ||
	    !BIO_meth_set_ctrl(m, bio_ctrl)) {
		BIO_meth_free(m);
		return NULL;
	}
	return m;
}

static unsigned next_timer(SSL *ssl, unsigned us)
{
	if (us == 0)
		return SHAKE_FIRST;
	return us * 2 < SHAKE_LAST ? us * 2 : SHAKE_LAST;
}

SSL *shake_ssl(struct links *ls, SSL_CTX *ctx, struct link_bio *b, bool client)
{
	SSL *ssl = SSL_new(ctx);
	BIO *bio = ssl ? BIO_new(ls->bio) : NULL;

	if (!bio || (ls->o.fips && SSL_set_cipher_list(ssl, FIPS) != 1)) {
		BIO_free(bio);
		SSL_free(ssl);
		return NULL;
	}
	BIO_set_data(bio, b);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(ssl, SHAKE_MTU);
	SSL_set_mode(ssl, SSL_MODE_ASYNC);
	DTLS_set_timer_cb(ssl, next_timer);
	if (client)
		SSL_set_connect_state(ssl);
	else
		SSL_set_accept_state(ssl);
	return ssl;
}

/* --- lists ------------------------------------------------------------------------------- */

static struct link_shake *shake_new(struct links *ls, const struct where *at)
{
	struct link_shake *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ls = ls;
	s->at = *at;
	s->begun_ns = ls->now_ns;
	s->until_ns = ls->now_ns + ls->o.shake_ms * NSEC_PER_MSEC;
	s->bio = (struct link_bio){.ls = ls, .at = &s->at};
	s->prev = ls->shakes_last;
	*(s->prev ? &s->prev->next : &ls->shakes) = s;
	ls->shakes_last = s;
	ls->shake_count++;
	return s;
}

static void shake_free(struct link_shake *s)
{
	struct links *ls = s->ls;

	*(s->prev ? &s->prev->next : &ls->shakes) = s->next;
	*(s->next ? &s->next->prev : &ls->shakes_last) = s->prev;
	ls->shake_count--;
	if (s->ssl)
		tls_peer_attach(s->ssl, NULL);
	SSL_free(s->ssl);
	while (s->queued)
		free(s->queue[--s->queued].data);
	free(s);
}

void shakes_bury(struct links *ls)
{
	struct link_shake *next;

	for (struct link_shake *s = ls->shakes; s; s = next) {
		next = s->next;
		if (s->over)
			shake_free(s);
	}
}

struct link_shake *shake_at(struct links *ls, const struct where *at)
{
	for (struct link_shake *s = ls->shakes; s; s = s->next)
		if (!s->over && where_same(&s->at, at))
			return s;
	return NULL;
}

void shake_end(struct link_shake *s, enum reason why, const char *text)
{
	struct links *ls = s->ls;

	if (s->over)
		return;
	s->over = true;
	if (s->waits && ls->calls.forget && ls->calls.forget(ls->calls.arg, s)) {
		/* Its job has to come to its end before it may be freed. */
		s->bio.len = 0;
		SSL_do_handshake(s->ssl);
		ERR_clear_error();
	}
	if (why == REASON_NONE)
		return;
	if (s->peer)
		peer_failed(s->peer, why);
	links_refuse(ls, s->peer, &s->at, why, text, s->who.subject);
}

/* --- driving ------------------------------------------------------------------------------- */

static void agreed(struct link_shake *s)
{
	struct links *ls = s->ls;
	X509 *certificate = SSL_get1_peer_certificate(s->ssl);
	struct link_peer *p = certificate ? peer_named(ls, certificate) : NULL;

	X509_free(certificate);
	SSL_clear_mode(s->ssl, SSL_MODE_ASYNC);
	if (!p || (s->peer && p != s->peer)) {
		/* What it is told is that we do not speak with it. */
		shake_end(s, REASON_RELAY_NAME,
			  "its certificate is not of a peer that is called so");
		return;
	}
	peer_agreed(p, s);
	shake_end(s, REASON_NONE, NULL);
}

static void failed(struct link_shake *s)
{
	char text[TLS_ERROR];
	enum reason why = tls_failure(s->ssl, &s->who, text);

	shake_end(s, why, text);
}

static void drive(struct link_shake *s)
{
	struct links_calls *c = &s->ls->calls;
	int n, error;

	ERR_clear_error();
	if (c->driving)
		c->driving(c->arg, s);
	n = SSL_do_handshake(s->ssl);
	error = SSL_get_error(s->ssl, n);
	if (c->driving)
		c->driving(c->arg, NULL);
	s->waits = error == SSL_ERROR_WANT_ASYNC;
	if (n == 1)
		agreed(s);
	else if (error != SSL_ERROR_WANT_READ && !s->waits)
		failed(s);
	ERR_clear_error();
}

static void feed(struct link_shake *s, struct bytes d)
{
	s->bio.data = d.data;
	s->bio.len = d.len;
	drive(s);
	s->bio.data = NULL;
	s->bio.len = 0;
}

/* What the other end refuses is known by a word that anybody could have sent: noted, not obeyed. */
static void alerted(struct link_shake *s, const struct record *r)
{
	char text[TLS_ERROR];

	if (s->alert || r->len != 2 || r->data[0] != SSL3_AL_FATAL)
		return;
	s->alert = r->data[1];
	snprintf(text, sizeof(text), "the other gateway refuses: %s",
		 SSL_alert_desc_string_long(r->data[1]));
	if (s->until_ns > s->ls->now_ns + ALERTED_NS)
		s->until_ns = s->ls->now_ns + ALERTED_NS;
	links_refuse(s->ls, s->peer, &s->at, REASON_RELAY_TLS, text, NULL);
}

void shake_input(struct link_shake *s, struct bytes datagram)
{
	struct reader r = reader_new(datagram.data, datagram.len);
	struct record first;

	if (record_read(&r, &first) && first.type == RECORD_ALERT && first.epoch == 0) {
		alerted(s, &first);
		return;
	}
	if (!s->waits) {
		feed(s, datagram);
		return;
	}
	if (s->queued == SHAKE_QUEUE || !(s->queue[s->queued].data = malloc(datagram.len)))
		return; /* it will be said again */
	memcpy(s->queue[s->queued].data, datagram.data, datagram.len);
	s->queue[s->queued++].len = datagram.len;
}

void shake_resume(struct link_shake *s)
{
	if (s->over)
		return;
	drive(s);
	while (!s->over && !s->waits && s->queued) {
		uint8_t *data = s->queue[0].data;
		size_t len = s->queue[0].len;

		memmove(s->queue, s->queue + 1, --s->queued * sizeof(s->queue[0]));
		feed(s, (struct bytes){data, len});
		free(data);
	}
}

uint64_t shake_turn(struct link_shake *s)
{
	uint64_t now = s->ls->now_ns;

	if (s->over)
		return UINT64_MAX;
	if (now >= s->until_ns) {
		bool silent = s->client && SSL_get_state(s->ssl) == TLS_ST_CW_CLNT_HELLO;

		if (s->alert)
			shake_end(s, REASON_RELAY_TLS, "the other gateway refused");
		else if (silent)
			shake_end(s, REASON_SEAL_UNREACHED, "nobody answers");
		else
			shake_end(s, REASON_RELAY_UNFINISHED, "no answer came any longer");
		return UINT64_MAX;
	}
	if (!s->waits && DTLSv1_handle_timeout(s->ssl) < 0)
		failed(s);
	return now + 2 * TURN_NS;
}

/* --- beginning ------------------------------------------------------------------------------- */

void shake_call(struct link_peer *p, const struct where *at)
{
	struct links *ls = p->ls;
	struct link_shake *s;

	if (!ls->client || ls->wire.fd < 0 || ls->shake_count >= LINK_SHAKES + LINK_PEERS)
		return;
	s = shake_new(ls, at);
	if (!s)
		return;
	s->client = true;
	s->peer = p;
	s->ssl = shake_ssl(ls, ls->client, &s->bio, true);
	if (!s->ssl) {
		shake_end(s, REASON_RELAY_KEY, "no memory");
		return;
	}
	SSL_set_tlsext_host_name(s->ssl, p->name);
	tls_peer_attach(s->ssl, &s->who);
	drive(s);
}

void shake_answer(struct links *ls, SSL *ssl, const struct where *at, struct bytes hello)
{
	struct link_shake *s = shake_new(ls, at);

	if (!s) {
		SSL_free(ssl);
		return;
	}
	s->ssl = ssl;
	BIO_set_data(SSL_get_rbio(ssl), &s->bio);
	tls_peer_attach(ssl, &s->who);
	if (hello.len >= HELLO_RANDOM + SSL3_RANDOM_SIZE)
		memcpy(s->random, hello.data + HELLO_RANDOM, SSL3_RANDOM_SIZE);
	feed(s, hello);
}
