#ifndef BEDWARDEN_KEEP_OBJECT_H
#define BEDWARDEN_KEEP_OBJECT_H
/*
 * How the vault writes an object down: records, one after the other, that tell
 * enough to find everything again without any index. Bytes in, bytes out.
 *
 *   object  its head: what opens it, how long it is; then chunks of at most
 *           OBJECT_CHUNK bytes of the content, each compressed where that pays
 *           and sealed by the object's own key. A chunk's nonce is its number and
 *           whether it is the last, so none can be moved, repeated or cut off.
 *   name    one name under which an object was put, sealed by that object's key
 *
 * An object's key is random, and is sealed by a data key of the vault (keep/keys.h)
 * bound to the object's address. The address is a keyed hash of the content: it is
 * the same for the same content in one vault, and tells nobody else anything.
 */
#include "base/cipher.h"

#define OBJECT_CHUNK	   (256u << 10)
#define OBJECT_SEALED_MAX  (4 + OBJECT_CHUNK + CRYPTO_TAG) /* bytes of one chunk's record */
#define OBJECT_HEAD	   120
#define OBJECT_NAME_MAX	   4096
#define OBJECT_CLASS_MAX   24 /* with its zero */
#define OBJECT_NAME_HEAD   40
#define OBJECT_META	   (36 + OBJECT_CLASS_MAX + OBJECT_NAME_MAX)
#define OBJECT_NAME_RECORD (OBJECT_NAME_HEAD + CRYPTO_NONCE + OBJECT_META + CRYPTO_TAG)

struct object_head {
	uint64_t size;	 /* bytes of the content */
	uint64_t length; /* bytes of the chunks, as they follow */
	uint32_t key;	 /* the data key that `box` is sealed by */
	uint8_t box[CIPHER_BOX];
	uint8_t address[CRYPTO_HASH];
};

/* What is known of one thing that was put. */
struct object_meta {
	char class[OBJECT_CLASS_MAX];
	int64_t put_ns, until_ns; /* wall clock; when it was put, how long it is kept */
	int64_t mtime_ns;
	uint32_t mode;	   /* permission bits */
	struct bytes name; /* any bytes but zero */
};

enum object_kind { OBJECT_CONTENT = 1, OBJECT_NAME = 2 };

/* A record as it lies in a file. */
struct object_record {
	enum object_kind kind;
	struct object_head head; /* OBJECT_CONTENT */
	const uint8_t *address;	 /* OBJECT_NAME: borrowed, as is … */
	struct bytes sealed;	 /* … what object_open_name() takes */
	uint64_t length;	 /* of the whole record */
};

void object_write_head(const struct object_head *h, uint8_t ret_head[OBJECT_HEAD]);
/* The first record of `in`; an object's chunks need not be in it. */
enum parse object_read(struct bytes in, struct object_record *ret_record);
/* Whether there can be such an object: it has a data key, and its chunks the length of its size. */
bool object_head_possible(const struct object_head *h);
/* Where in a head the data key's number and the box are, which are replaced together. */
#define OBJECT_KEY_AT  24
#define OBJECT_KEY_LEN (4 + CIPHER_BOX)

/* One thread's contexts. `naming` is the vault's own key for addresses. */
struct sealer;
struct sealer *sealer_new(const uint8_t naming[CRYPTO_KEY]);
void sealer_free(struct sealer *s);

/* An object's key, sealed by a data key for this address; and back: -EBADMSG. */
int object_box(struct sealer *s, const uint8_t data_key[CRYPTO_KEY],
	       const uint8_t address[CRYPTO_HASH], const uint8_t key[CRYPTO_KEY],
	       uint8_t ret_box[CIPHER_BOX]);
int object_unbox(struct sealer *s, const uint8_t data_key[CRYPTO_KEY],
		 const uint8_t address[CRYPTO_HASH], const uint8_t box[CIPHER_BOX],
		 uint8_t ret_key[CRYPTO_KEY]);

/* Into ret_sealed, which takes OBJECT_SEALED_MAX bytes. 0 or -EIO. */
int object_seal_chunk(struct sealer *s, const uint8_t key[CRYPTO_KEY], uint64_t number, bool last,
		      struct bytes plain, uint8_t *ret_sealed, size_t *ret_len);
/* How long the chunk at the start of `in` is. PARSE_MORE before its length is there. */
enum parse object_chunk_length(struct bytes in, size_t *ret_len);
/* The whole chunk; ret_plain takes OBJECT_CHUNK bytes. 0; -EBADMSG. */
int object_open_chunk(struct sealer *s, const uint8_t key[CRYPTO_KEY], uint64_t number, bool last,
		      struct bytes sealed, uint8_t *ret_plain, size_t *ret_len);

/*
 * Addresses. Content of one chunk: object_address(). More: object_leaf() of
 * each, and their object_root() in order with the whole size.
 */
int object_address(struct sealer *s, struct bytes content, uint8_t ret_address[CRYPTO_HASH]);
int object_leaf(struct sealer *s, struct bytes chunk, uint8_t ret_leaf[CRYPTO_HASH]);
int object_root_start(struct sealer *s);
int object_root_add(struct sealer *s, const uint8_t leaf[CRYPTO_HASH]);
int object_root_end(struct sealer *s, uint64_t size, uint8_t ret_address[CRYPTO_HASH]);
/* A name's keyed hash, by which it is looked up. */
#define OBJECT_TAG 16
int object_tag(struct sealer *s, struct bytes name, uint8_t ret_tag[OBJECT_TAG]);

/* The whole name record, OBJECT_NAME_RECORD bytes at most. 0; -EINVAL a name that is too long. */
int object_seal_name(struct sealer *s, const uint8_t key[CRYPTO_KEY],
		     const uint8_t address[CRYPTO_HASH], const struct object_meta *meta,
		     uint8_t *ret_record, size_t *ret_len);
/* `sealed` as object_read() gave it; the name is borrowed from `buf` (OBJECT_META bytes). 0;
 * -EBADMSG. */
int object_open_name(struct sealer *s, const uint8_t key[CRYPTO_KEY],
		     const uint8_t address[CRYPTO_HASH], struct bytes sealed, uint8_t *buf,
		     struct object_meta *ret_meta);
/*
 * The next part of a name as the name of a file or folder, which leads nowhere but into the one
 * before: ".." stands as "__", what is longer than NAME_MAX is cut, "." and nothing are passed
 * over. False: there is none. `ret_part` takes NAME_MAX + 1 bytes.
 */
bool object_name_part(struct bytes *rest, char *ret_part);

#endif
