#include "people/auth/ticket.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cipher.h"
#include "base/clock.h"
#include "base/secret.h"
#include "people/auth/base64url.h"

#define SPENT_MAX 4096
#define LIFE_NS	  (TICKET_LIFE_S * NSEC_PER_SEC)
#define SEALED	  (CRYPTO_NONCE + sizeof(struct ticket) + CRYPTO_TAG)

_Static_assert(BASE64URL_LEN(SEALED) < TICKET_TEXT, "a ticket's text has room");

struct spent {
	uint8_t number[16];
	uint64_t made_ns; /* 0: free */
};

struct tickets {
	int (*random)(void *ret_data, size_t len);
	struct cipher *cipher;
	uint8_t key[CRYPTO_KEY];
	struct spent spent[SPENT_MAX];
};

struct tickets *tickets_new(int (*random)(void *ret_data, size_t len))
{
	struct tickets *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->random = random;
	t->cipher = cipher_new();
	if (t->cipher && random(t->key, sizeof(t->key)) == 0)
		return t;
	tickets_free(t);
	return NULL;
}

void tickets_free(struct tickets *t)
{
	if (!t)
		return;
	cipher_free(t->cipher);
	secret_wipe(t->key, sizeof(t->key));
	free(t);
}

int ticket_write(struct tickets *t, struct ticket *k, uint64_t now_ns, char ret_text[TICKET_TEXT])
{
	uint8_t sealed[SEALED];
	int err = t->random(k->number, sizeof(k->number));

	k->made_ns = now_ns ? now_ns : 1;
	/* 96 random bits: 2^32 tickets a process before two might share a nonce (SP 800-38D §8.3). */
	if (err == 0)
		err = t->random(sealed, CRYPTO_NONCE);
	if (err == 0)
		err = cipher_seal(t->cipher, t->key, sealed, (struct bytes){0},
				  (struct bytes){(const uint8_t *)k, sizeof(*k)},
				  sealed + CRYPTO_NONCE);
	if (err == 0)
		base64url_write(sealed, sizeof(sealed), ret_text);
	return err;
}

static struct spent *find_spent(struct tickets *t, const struct ticket *k)
{
	for (unsigned i = 0; i < SPENT_MAX; i++)
		if (t->spent[i].made_ns &&
		    memcmp(t->spent[i].number, k->number, sizeof(k->number)) == 0)
			return &t->spent[i];
	return NULL;
}

int ticket_read(struct tickets *t, const char *text, uint64_t now_ns, struct ticket *ret_k)
{
	uint8_t sealed[SEALED];
	struct ticket k;
	size_t len;
	int err = 0;

	if (base64url_read(text, sealed, sizeof(sealed), &len) < 0 || len != sizeof(sealed) ||
	    cipher_open(t->cipher, t->key, sealed, (struct bytes){0},
			(struct bytes){sealed + CRYPTO_NONCE, len - CRYPTO_NONCE},
			(uint8_t *)&k) < 0)
		return -EBADMSG;
	if (now_ns < k.made_ns || now_ns - k.made_ns > LIFE_NS)
		err = -ESTALE;
	else if (find_spent(t, &k))
		err = -EALREADY;
	else
		*ret_k = k;
	secret_wipe(&k, sizeof(k));
	return err;
}

int ticket_spend(struct tickets *t, const struct ticket *k, uint64_t now_ns)
{
	struct spent *room = NULL;

	if (find_spent(t, k))
		return -EALREADY;
	for (unsigned i = 0; i < SPENT_MAX; i++) {
		struct spent *s = &t->spent[i];

		if (s->made_ns && now_ns - s->made_ns > LIFE_NS)
			s->made_ns = 0;
		if (!s->made_ns)
			room = s;
	}
	if (!room)
		return -ENOBUFS;
	room->made_ns = k->made_ns;
	memcpy(room->number, k->number, sizeof(room->number));
	return 0;
}
