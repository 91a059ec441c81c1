#include "seal/link/link_internal.h"

#include <stdlib.h>

#include <openssl/err.h>

#define COOKIE_NS    (60 * NSEC_PER_SEC) /* a cookie is good for that long, and as long again */
#define CLIENT_HELLO 1

/* RFC 6347 §4.2.1: a cookie is made of the address alone, by a key that nobody else has. */
static bool make_cookie(const struct link_bio *b, unsigned key, uint8_t ret_cookie[CRYPTO_HASH])
{
	const struct sockaddr_in *v4 = (const void *)&b->at->sa;
	const struct sockaddr_in6 *v6 = (const void *)&b->at->sa;
	uint8_t text[18] = {0};

	if (b->at->sa.ss_family == AF_INET) {
		memcpy(text, &v4->sin_addr, 4);
		memcpy(text + 16, &v4->sin_port, 2);
	} else {
		memcpy(text, &v6->sin6_addr, 16);
		memcpy(text + 16, &v6->sin6_port, 2);
	}
	return crypto_hmac((struct bytes){b->ls->cookie_key[key], CRYPTO_KEY},
			   (struct bytes){text, sizeof(text)}, ret_cookie) == 0;
}

static int give_cookie(SSL *ssl, unsigned char *ret_cookie, unsigned *ret_len)
{
	*ret_len = CRYPTO_HASH;
	return make_cookie(BIO_get_data(SSL_get_rbio(ssl)), 0, ret_cookie);
}

static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned len)
{
	uint8_t own[CRYPTO_HASH];

	for (unsigned key = 0; len == CRYPTO_HASH && key < 2; key++)
		if (make_cookie(BIO_get_data(SSL_get_rbio(ssl)), key, own) &&
		    crypto_equal(own, cookie, CRYPTO_HASH))
			return 1;
	return 0;
}

int hello_setup(SSL_CTX *server)
{
	SSL_CTX_set_cookie_generate_cb(server, give_cookie);
	SSL_CTX_set_cookie_verify_cb(server, check_cookie);
	return 0;
}

static void turn_keys(struct links *ls)
{
	if (ls->now_ns - ls->cookie_ns < COOKIE_NS)
		return;
	memcpy(ls->cookie_key[1], ls->cookie_key[0], CRYPTO_KEY);
	if (crypto_random(ls->cookie_key[0], CRYPTO_KEY) == 0)
		ls->cookie_ns = ls->now_ns;
}

bool hello_is(struct bytes datagram)
{
	struct reader r = reader_new(datagram.data, datagram.len);
	struct record x;

	return record_read(&r, &x) && x.type == RECORD_HANDSHAKE && x.epoch == 0 && x.len &&
	       x.data[0] == CLIENT_HELLO;
}

void hello_forget(struct links *ls)
{
	SSL_free(ls->listener);
	ls->listener = NULL;
}

static bool same_host(const struct where *a, const struct where *b)
{
	const struct sockaddr_in *a4 = (const void *)&a->sa, *b4 = (const void *)&b->sa;
	const struct sockaddr_in6 *a6 = (const void *)&a->sa, *b6 = (const void *)&b->sa;

	if (a->sa.ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return memcmp(&a6->sin6_addr, &b6->sin6_addr, 16) == 0;
}

/* Room for one more; the oldest that had its time gives way. */
static bool may_begin(struct links *ls, const struct where *at)
{
	unsigned same = 0, others = 0;
	struct link_shake *oldest = NULL;

	for (struct link_shake *s = ls->shakes; s; s = s->next) {
		if (s->client || s->over)
			continue;
		oldest = oldest ? oldest : s;
		others++;
		same += same_host(&s->at, at);
	}
	if (same < LINK_SHAKES_SOURCE && others < LINK_SHAKES)
		return true;
	if (same < LINK_SHAKES_SOURCE && ls->now_ns - oldest->begun_ns >= EVICT_NS) {
		shake_end(oldest, REASON_RELAY_UNFINISHED, "others waited");
		return true;
	}
	ls->counts.refused++;
	links_refuse(ls, NULL, at, REASON_SEAL_FLOOD, "handshakes that are not finished", NULL);
	return false;
}

/*
 * Two that call each other at once: on one pair of addresses only one handshake can be
 * told from another, so the one whose name comes first calls. One that was refused is as good as
 * over: who refused it may believe us by now.
 */
static bool gives_way(struct links *ls, const struct where *at)
{
	struct link_shake *s = shake_at(ls, at);

	if (!s)
		return true;
	if (s->client && !s->alert && strcmp(ls->name, s->peer->name) < 0)
		return false;
	shake_end(s, REASON_NONE, NULL);
	return true;
}

void hello_take(struct links *ls, const struct where *at, struct bytes datagram)
{
	BIO_ADDR *none;
	SSL *ssl;
	int n;

	if (!ls->hellos_left) {
		ls->counts.refused++;
		links_refuse(ls, NULL, at, REASON_SEAL_FLOOD, "beginnings of handshakes", NULL);
		return;
	}
	ls->hellos_left--;
	none = BIO_ADDR_new();
	turn_keys(ls);
	ls->listener_bio =
		(struct link_bio){.ls = ls, .at = at, .data = datagram.data, .len = datagram.len};
	if (!ls->listener && ls->server)
		ls->listener = shake_ssl(ls, ls->server, &ls->listener_bio, false);
	if (!ls->listener || !none) {
		BIO_ADDR_free(none);
		return;
	}
	ls->counts.hellos++;
	ERR_clear_error();
	n = DTLSv1_listen(ls->listener, none);
	BIO_ADDR_free(none);
	ERR_clear_error();
	if (n == 0)
		return;
	ssl = ls->listener;
	ls->listener = NULL;
	if (n < 0 || !gives_way(ls, at) || !may_begin(ls, at)) {
		SSL_free(ssl);
		return;
	}
	ls->counts.cookies++;
	shake_answer(ls, ssl, at, datagram);
}
