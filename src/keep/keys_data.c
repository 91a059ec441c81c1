/* The data keys under the master key, one for each purpose and day, and what is done with them for
 * others. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/secret.h"
#include "keep/keys_internal.h"

static const uint8_t *cached(struct keys *k, uint32_t id)
{
	for (unsigned i = 0; i < CACHED; i++)
		if (k->u->cache[i].id == id)
			return k->u->cache[i].key;
	return NULL;
}

static int unbox_entry(struct keys *k, const struct keyring_entry *e, const uint8_t **ret_key)
{
	struct keys_place p = keys_place_of(e);
	unsigned at = k->next;

	*ret_key = cached(k, e->id);
	if (*ret_key)
		return 0;
	k->u->cache[at].id = 0;
	if (cipher_unbox(k->cipher, k->u->master, keys_place_bytes(&p), e->box,
			 k->u->cache[at].key) < 0)
		return -EUCLEAN;
	k->u->cache[at].id = e->id;
	k->next = (at + 1) % CACHED;
	*ret_key = k->u->cache[at].key;
	return 0;
}

static int add_key(struct keys *k, const char *purpose, uint32_t day)
{
	struct keyring_entry e = {.id = k->ring.next_id, .day = day};
	uint8_t *key = secret_new(CRYPTO_KEY);
	struct keys_place p;
	int err = key ? crypto_random(key, CRYPTO_KEY) : -ENOMEM;

	snprintf(e.purpose, sizeof(e.purpose), "%s", purpose);
	p = keys_place_of(&e);
	if (err == 0 && e.id == UINT32_MAX)
		err = -ENOSPC;
	if (err == 0)
		err = cipher_box(k->cipher, k->u->master, keys_place_bytes(&p), key, e.box);
	if (err == 0)
		err = keyring_add(&k->ring, &e);
	if (err == 0)
		k->ring.next_id++;
	secret_free(key, CRYPTO_KEY);
	return err;
}

static int make_key(struct keys *k, const char *purpose, uint32_t day)
{
	int err;

	if (!*purpose || strlen(purpose) >= KEYRING_NAME_MAX)
		return -EINVAL;
	err = keys_begin(k);
	if (err < 0)
		return err;
	if (keyring_current(&k->ring, purpose, day)) { /* somebody was faster */
		keys_unlock(k);
		return 0;
	}
	err = add_key(k, purpose, day);
	return err == 0 ? keys_commit(k) : keys_drop(k, err);
}

int keys_sealing(struct keys *k, const char *purpose, uint32_t day, uint32_t *ret_id,
		 const uint8_t **ret_key)
{
	const struct keyring_entry *e;
	int err = keys_refresh(k);

	if (err < 0)
		return err;
	e = keyring_current(&k->ring, purpose, day);
	if (!e) {
		err = make_key(k, purpose, day);
		e = err == 0 ? keyring_current(&k->ring, purpose, day) : NULL;
	}
	if (!e)
		return err < 0 ? err : -EAGAIN;
	*ret_id = e->id;
	return unbox_entry(k, e, ret_key);
}

/* To open something, a keyring that was right a moment ago will do. */
static int refresh_soon(struct keys *k)
{
	struct timespec t;
	uint64_t now;
	int err;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	now = (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
	if (k->looked_ns && now - k->looked_ns < KEYS_STALE_MS * NSEC_PER_MSEC)
		return 0;
	err = keys_refresh(k);
	k->looked_ns = err == 0 ? now : 0;
	return err;
}

static int find(struct keys *k, uint32_t id, const struct keyring_entry **ret_entry)
{
	int err = refresh_soon(k);

	if (err == 0 && !keyring_find(&k->ring, id))
		err = keys_refresh(k); /* made meanwhile? */

	if (err < 0)
		return err;
	*ret_entry = keyring_find(&k->ring, id);
	return *ret_entry ? 0 : -ENOKEY;
}

int keys_opening(struct keys *k, uint32_t id, const uint8_t **ret_key)
{
	const struct keyring_entry *e;
	int err = find(k, id, &e);

	return err == 0 ? unbox_entry(k, e, ret_key) : err;
}

int keys_describe(struct keys *k, uint32_t id, struct keys_info *ret_info)
{
	const struct keyring_entry *e;
	struct keys_info info;
	int err = find(k, id, &e);

	if (err < 0)
		return err;
	info = (struct keys_info){.day = e->day, .retired = e->retired};
	memcpy(info.purpose, e->purpose, sizeof(info.purpose));
	err = crypto_sha256((struct bytes){e->box, CIPHER_BOX}, info.print);
	if (err == 0)
		*ret_info = info;
	return err;
}

int keys_retire(struct keys *k, uint32_t id)
{
	bool any = false;
	int err = keys_begin(k);

	if (err < 0)
		return err;
	for (uint32_t i = 0; i < k->ring.count; i++) {
		struct keyring_entry *e = &k->ring.entries[i];

		if (id ? e->id == id : e->day != KEYS_ALWAYS)
			e->retired = any = true;
	}
	if (any)
		return keys_commit(k);
	keys_unlock(k);
	return id ? -ENOKEY : 0;
}

int keys_destroy(struct keys *k, uint32_t id)
{
	int err = keys_begin(k);

	if (err < 0)
		return err;
	if (!keyring_find(&k->ring, id)) {
		keys_unlock(k);
		return -ENOKEY;
	}
	keyring_remove(&k->ring, id);
	secret_wipe(k->u->cache, sizeof(k->u->cache));
	return keys_commit(k);
}

/* --- for others ---------------------------------------------------------------- */

int keys_wrap(struct keys *k, const char *purpose, uint32_t day, struct bytes plain,
	      uint8_t *ret_wrapped)
{
	struct bytes aad = {(const uint8_t *)purpose, strlen(purpose)};
	struct writer w = writer_new(ret_wrapped, KEYS_WRAP);
	uint8_t nonce[CRYPTO_NONCE];
	const uint8_t *key;
	uint32_t id;
	int err = keys_sealing(k, purpose, day, &id, &key);

	if (err == 0)
		err = crypto_random(nonce, sizeof(nonce));
	if (err < 0)
		return err;
	write_be32(&w, id);
	write_bytes(&w, nonce, sizeof(nonce));
	return cipher_seal(k->cipher, key, nonce, aad, plain, ret_wrapped + w.len);
}

int keys_unwrap(struct keys *k, const char *purpose, struct bytes wrapped, uint8_t *ret_plain)
{
	struct bytes aad = {(const uint8_t *)purpose, strlen(purpose)}, nonce;
	struct reader r = reader_new(wrapped.data, wrapped.len);
	uint32_t id = read_be32(&r);
	struct keys_info info;
	const uint8_t *key;
	int err;

	nonce = read_bytes(&r, CRYPTO_NONCE);
	if (r.bad || reader_left(&r) < CRYPTO_TAG)
		return -EBADMSG;
	err = keys_describe(k, id, &info);
	if (err == 0 && strcmp(info.purpose, purpose) != 0)
		err = -EBADMSG;
	if (err == 0)
		err = keys_opening(k, id, &key);
	if (err < 0)
		return err;
	return cipher_open(k->cipher, key, nonce.data, aad, read_bytes(&r, reader_left(&r)),
			   ret_plain);
}

int keys_sign(struct keys *k, const char *purpose, struct bytes text, uint8_t ret_sign[CIPHER_SIGN])
{
	const uint8_t *seed;
	uint32_t id;
	int err = keys_sealing(k, purpose, KEYS_ALWAYS, &id, &seed);

	return err == 0 ? sign_text(seed, text, ret_sign) : err;
}

int keys_public(struct keys *k, const char *purpose, uint8_t ret_public[CRYPTO_KEY])
{
	const uint8_t *seed;
	uint32_t id;
	int err = keys_sealing(k, purpose, KEYS_ALWAYS, &id, &seed);

	return err == 0 ? sign_public(seed, ret_public) : err;
}
