#include "keep/signing.h"

#include <errno.h>
#include <stdlib.h>

#include "keep/keyring.h"

#define ROOM 8

/* A key costs a multiplication on the curve to make; kept, signing costs the signature. */
struct made {
	uint32_t id; /* of its seed; 0: free */
	char purpose[KEYRING_NAME_MAX];
	struct p256 *key;
};

struct signing {
	struct keys *keys;
	struct made made[ROOM];
	unsigned next;
};

struct signing *signing_new(struct keys *keys)
{
	struct signing *s = calloc(1, sizeof(*s));

	if (s)
		s->keys = keys;
	return s;
}

static void forget(struct made *m)
{
	p256_free(m->key);
	*m = (struct made){0};
}

void signing_free(struct signing *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < ROOM; i++)
		forget(&s->made[i]);
	free(s);
}

static struct made *find(struct signing *s, const char *purpose)
{
	for (unsigned i = 0; i < ROOM; i++)
		if (s->made[i].id && strcmp(s->made[i].purpose, purpose) == 0)
			return &s->made[i];
	return NULL;
}

static int make(struct signing *s, const char *purpose, struct p256 **ret_key)
{
	struct made *m = &s->made[s->next % ROOM];
	const uint8_t *seed;
	struct p256 *key;
	uint32_t id;
	int err;

	if (strlen(purpose) >= sizeof(m->purpose))
		return -EINVAL;
	err = keys_sealing(s->keys, purpose, KEYS_ALWAYS, &id, &seed);
	if (err < 0)
		return err;
	key = p256_new(seed);
	if (!key)
		return -errno;
	forget(m);
	*m = (struct made){.id = id, .key = key};
	memcpy(m->purpose, purpose, strlen(purpose) + 1);
	s->next++;
	*ret_key = key;
	return 0;
}

static int use(struct signing *s, const char *purpose, struct p256 **ret_key)
{
	struct made *m = find(s, purpose);
	const uint8_t *seed;

	if (m && keys_opening(s->keys, m->id, &seed) == 0) { /* it was not destroyed meanwhile */
		*ret_key = m->key;
		return 0;
	}
	if (m)
		forget(m);
	return make(s, purpose, ret_key);
}

int signing_public(struct signing *s, const char *purpose, uint8_t ret_point[P256_POINT])
{
	struct p256 *key;
	int err = use(s, purpose, &key);

	if (err == 0)
		p256_public(key, ret_point);
	return err;
}

int signing_sign(struct signing *s, const char *purpose, const uint8_t digest[CRYPTO_HASH],
		 uint8_t ret_sign[P256_SIGN])
{
	struct p256 *key;
	int err = use(s, purpose, &key);

	return err == 0 ? p256_sign(key, digest, ret_sign) : err;
}
