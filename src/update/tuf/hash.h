#ifndef BEDWARDEN_UPDATE_TUF_HASH_H
#define BEDWARDEN_UPDATE_TUF_HASH_H
/*
 * What metadata says of a file, TUF §4.4 and §4.5: length and hashes. SHA-256 and SHA-512 are
 * known; others are passed over, and where only others are given the file cannot be verified.
 */
#include <jansson.h>

#include "base/bytes.h"

enum { HASH_SHA256, HASH_SHA512, HASH_KINDS };
#define HASH_BYTES_MAX 64
#define HASH_HEX_MAX   (2 * HASH_BYTES_MAX + 1)

struct tuf_file {
	int64_t version; /* of metadata; 0 for a target */
	int64_t length;	 /* -1: not said */
	bool hashed;	 /* hashes are given, known ones or not */
	bool known[HASH_KINDS];
	uint8_t hash[HASH_KINDS][HASH_BYTES_MAX];
};

/* Of an entry of `meta`: a version, and maybe length and hashes. 0 or -EBADMSG. */
int tuf_file_of_meta(const json_t *entry, struct tuf_file *ret_file);
/* Of an entry of `targets`: length and at least one hash. 0 or -EBADMSG. */
int tuf_file_of_target(const json_t *entry, struct tuf_file *ret_file);
/* The hash that names it in a consistent snapshot, in hex; NULL where none is known. */
const char *tuf_file_name(const struct tuf_file *f, char ret_hex[HASH_HEX_MAX]);

/* Hashes what streams by, as `f` asks for. */
struct hashing;
struct hashing *hashing_new(const struct tuf_file *f); /* NULL: no memory */
void hashing_free(struct hashing *h);
int hashing_add(struct hashing *h, const void *data, size_t len);
/* Did it have the length and every hash that is given, at least one of them known? */
bool hashing_fits(struct hashing *h);

/* The same of bytes at hand; also true where `f` says neither. */
bool tuf_file_fits(const struct tuf_file *f, struct bytes data);

#endif
