#ifndef BEDWARDEN_KEEP_VAULT_COMMIT_H
#define BEDWARDEN_KEEP_VAULT_COMMIT_H
/*
 * What brings sealed items to the disk, in a thread of its own: records into a
 * pack, rows into the index. Many items become durable by one transaction, since
 * the index is a tree and a page of it is then written once for all that went into
 * it. The index is locked to others for a second at most, and a tenth of one where
 * nothing more comes; between two transactions they have their turn.
 *
 * Between committer_add() and the return of committer_flush() it alone uses the
 * vault's catalog, keys and sealer.
 */
#include "keep/vault_internal.h"

#define LOT_ITEMS 64 /* handing over one by one would cost more than sealing */

/* A short item as a worker leaves it: its record, whose head is still empty, and its name's. */
struct sealed {
	struct vault_item *item;
	size_t at, object, name; /* in the lot's records: where, how long; `name` 0: it failed */
	uint8_t tag[OBJECT_TAG];
};

/* What goes from thread to thread at once. */
struct lot {
	unsigned count;
	struct sealed items[LOT_ITEMS];
	uint8_t (
		*keys)[CRYPTO_KEY]; /* the objects' own, in locked memory; wiped by the committer */
	uint8_t *records;	    /* one behind the other */
	/* The committer's, false to begin with. */
	bool queued, ready;
	struct lot *next;
};

struct committer;
struct committer *committer_new(struct vault *v);
/* After a flush. NULL is fine. */
void committer_free(struct committer *c);
/* Takes over the lot in its turn, though it may still have to be sealed. */
void committer_add(struct committer *c, struct lot *l);
/* It is: from any thread. */
void committer_ready(struct committer *c, struct lot *l);
/* Returns when the lot is the caller's again. */
void committer_wait(struct committer *c, const struct lot *l);
/* Returns when everything added is on the disk or has failed. */
void committer_flush(struct committer *c);
/* Those that are done, in the order they were added, one behind the other; NULL: none yet. */
struct vault_item *committer_take(struct committer *c);

/* --- for who writes an item alone, after a flush ------------------------------------------- */

/* The pack that is written to, taken if need be; lent until the next committer_add(). */
int committer_pack(struct committer *c, struct pack **ret_pack);
/* The data key of a class and a day for one transaction, its memory locked. */
struct sealing {
	char class[OBJECT_CLASS_MAX];
	uint32_t day, id; /* 0: none yet */
	uint8_t *key;	  /* locked memory */
};
struct sealing *committer_sealing(struct committer *c);

/* --- one item in the index, within a transaction ----------------------------------------------- */

/* Seals the object's key into its head. */
int index_box(struct vault *v, struct sealing *by, const struct vault_item *it, const uint8_t *key,
	      struct object_head *h);
/* The content is there already: `key` becomes the one that it has, and the name is sealed by it. */
int index_name_again(struct vault *v, const struct catalog_object *known,
		     const struct vault_item *it, uint8_t *key, uint8_t *to, size_t *ret_len);
/* Whether the known content is put once more under its old name: then it is only kept longer. */
int index_same_again(struct vault *v, const struct catalog_object *known,
		     const struct vault_item *it, const uint8_t *tag, bool *ret_same);
int index_name(struct vault *v, const struct vault_item *it, const uint8_t *tag, int64_t object,
	       uint32_t pack, struct bytes record, uint64_t at);

#endif
