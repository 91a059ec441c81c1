#ifndef BEDWARDEN_UPDATE_TUF_METADATA_H
#define BEDWARDEN_UPDATE_TUF_METADATA_H
/*
 * One metadata file, TUF §4: read, judged for its form, and verified against those who may sign
 * it. Fields that nobody knows are kept and signed for like any other. The JSON is kept
 * together with the bytes it was read from, which are what is stored.
 */
#include <jansson.h>

#include "base/bytes.h"
#include "update/tuf/error.h"
#include "update/tuf/hash.h"

enum tuf_type { TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS, TUF_TYPES };

struct tuf_metadata {
	struct bytes raw;   /* owned */
	json_t *whole;	    /* owned */
	const json_t *body; /* `signed`, borrowed from `whole` */
	enum tuf_type type;
	int64_t version; /* 1.. */
	int64_t expires; /* seconds since 1970, UTC */
};

/* Who may sign a role: borrowed from the metadata that says so. */
struct tuf_signers {
	const json_t *keys;   /* key id → key */
	const json_t *keyids; /* a list */
	int64_t threshold;    /* 1.. */
};

const char *tuf_type_name(enum tuf_type t); /* "root" … */
/* Is it one of the four names that no delegated role may have? */
bool tuf_type_is_name(const char *role);

/*
 * `role` names it in what is said. 0; -EBADMSG, -ENOMEM. The bytes are copied.
 * Signatures are not verified here.
 */
int tuf_metadata_parse(struct bytes raw, enum tuf_type type, const char *role,
		       struct tuf_metadata **ret_metadata, struct tuf_error *e);
void tuf_metadata_free(struct tuf_metadata *m);

/* TUF §5.3.4, §5.4.2…: as many different keys as the threshold, of those listed, have signed.
 * A key that comes under several names counts once. 0; -EKEYREJECTED; -ENOMEM. */
int tuf_metadata_verify(const struct tuf_metadata *m, const struct tuf_signers *by,
			const char *role, struct tuf_error *e);
/* 0; -ETIME where `now` is at or past its expiry, TUF §5.3.10. */
int tuf_metadata_fresh(const struct tuf_metadata *m, int64_t now, const char *role,
		       struct tuf_error *e);

/* Who signs a top-level role; cannot fail for a root that was parsed. */
struct tuf_signers tuf_root_signers(const struct tuf_metadata *root, enum tuf_type role);
bool tuf_root_consistent(const struct tuf_metadata *root);
/* Was one of the keys that could sign `role` taken from it? TUF §5.3.11. */
bool tuf_root_rotated(const struct tuf_metadata *from, const struct tuf_metadata *to,
		      enum tuf_type role);

/* What a timestamp or snapshot says of "ROLE.json". 0; -ENOENT; -EBADMSG. */
int tuf_meta_find(const struct tuf_metadata *m, const char *role, struct tuf_file *ret_file);

/* "2030-01-31T07:15:02Z", TUF §4.2. 0 or -EINVAL. */
int tuf_time_read(const char *text, int64_t *ret_seconds);
#define TUF_TIME_LEN 21
void tuf_time_write(int64_t seconds, char ret_text[TUF_TIME_LEN]);

#endif
