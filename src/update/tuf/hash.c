#include "update/tuf/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

static const struct {
	const char *name;
	size_t len;
	const EVP_MD *(*md)(void);
} kinds[HASH_KINDS] = {
	[HASH_SHA256] = {"sha256", 32, EVP_sha256},
	[HASH_SHA512] = {"sha512", 64, EVP_sha512},
};

struct hashing {
	struct tuf_file want;
	uint64_t seen;
	EVP_MD_CTX *md[HASH_KINDS];
};

static int read_hashes(const json_t *hashes, struct tuf_file *f)
{
	const char *key;
	json_t *value;
	size_t len;

	if (!json_is_object(hashes) || json_object_size(hashes) == 0)
		return -EBADMSG;
	f->hashed = true;
	json_object_foreach ((json_t *)hashes, key, value) {
		if (!json_is_string(value))
			return -EBADMSG;
		for (unsigned k = 0; k < HASH_KINDS; k++) {
			if (strcmp(key, kinds[k].name) != 0)
				continue;
			if (hex_read(json_string_value(value), json_string_length(value),
				     f->hash[k], kinds[k].len, &len) < 0 ||
			    len != kinds[k].len)
				return -EBADMSG;
			f->known[k] = true;
		}
	}
	return 0;
}

static int read_file(const json_t *entry, struct tuf_file *f)
{
	const json_t *length = json_object_get(entry, "length"),
		     *hashes = json_object_get(entry, "hashes");

	f->length = -1;
	if (length) {
		if (!json_is_integer(length) || json_integer_value(length) < 0)
			return -EBADMSG;
		f->length = json_integer_value(length);
	}
	return hashes ? read_hashes(hashes, f) : 0;
}

int tuf_file_of_meta(const json_t *entry, struct tuf_file *ret_file)
{
	const json_t *version = json_object_get(entry, "version");
	struct tuf_file f = {0};

	if (!json_is_integer(version) || json_integer_value(version) < 1 ||
	    read_file(entry, &f) < 0)
		return -EBADMSG;
	f.version = json_integer_value(version);
	*ret_file = f;
	return 0;
}

int tuf_file_of_target(const json_t *entry, struct tuf_file *ret_file)
{
	struct tuf_file f = {0};

	if (!json_is_object(entry) || read_file(entry, &f) < 0 || f.length < 0 || !f.hashed)
		return -EBADMSG;
	*ret_file = f;
	return 0;
}

const char *tuf_file_name(const struct tuf_file *f, char ret_hex[HASH_HEX_MAX])
{
	for (unsigned k = 0; k < HASH_KINDS; k++) {
		if (!f->known[k])
			continue;
		hex_write(f->hash[k], kinds[k].len, ret_hex);
		return ret_hex;
	}
	return NULL;
}

struct hashing *hashing_new(const struct tuf_file *f)
{
	struct hashing *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->want = *f;
	for (unsigned k = 0; k < HASH_KINDS; k++) {
		if (!f->known[k])
			continue;
		h->md[k] = EVP_MD_CTX_new();
		if (!h->md[k] || !EVP_DigestInit_ex(h->md[k], kinds[k].md(), NULL)) {
			hashing_free(h);
			return NULL;
		}
	}
	return h;
}

void hashing_free(struct hashing *h)
{
	if (!h)
		return;
	for (unsigned k = 0; k < HASH_KINDS; k++)
		EVP_MD_CTX_free(h->md[k]);
	free(h);
}

int hashing_add(struct hashing *h, const void *data, size_t len)
{
	h->seen += len;
	for (unsigned k = 0; k < HASH_KINDS; k++)
		if (h->md[k] && !EVP_DigestUpdate(h->md[k], data, len))
			return -EIO;
	return 0;
}

bool hashing_fits(struct hashing *h)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	bool any = false;

	if (h->want.length >= 0 && h->seen != (uint64_t)h->want.length)
		return false;
	for (unsigned k = 0; k < HASH_KINDS; k++) {
		if (!h->md[k])
			continue;
		if (!EVP_DigestFinal_ex(h->md[k], hash, NULL) ||
		    memcmp(hash, h->want.hash[k], kinds[k].len) != 0)
			return false;
		any = true;
	}
	return any || !h->want.hashed;
}

bool tuf_file_fits(const struct tuf_file *f, struct bytes data)
{
	struct hashing *h = hashing_new(f);
	bool fits = h && hashing_add(h, data.data, data.len) == 0 && hashing_fits(h);

	hashing_free(h);
	return fits;
}
