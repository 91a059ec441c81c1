#ifndef BEDWARDEN_KEEP_CATALOG_H
#define BEDWARDEN_KEEP_CATALOG_H
/*
 * The vault's index, in SQLite: which object lies where and is sealed by which
 * data key, under which names it was put, and the log of what was destroyed. It
 * holds nothing readable: addresses and names' tags are keyed hashes, names are
 * sealed. Lost or damaged, it is made again from the packs.
 *
 * Several processes may have it open; whoever changes it is alone meanwhile. A
 * commit that returned is on the disk. -errno as db_error().
 */
#include "keep/object.h"

struct catalog;

struct catalog_object {
	int64_t id;
	struct object_head head;
	uint32_t pack;
	uint64_t at; /* of the record's first byte in the pack */
};

struct catalog_name {
	int64_t id, object;
	uint8_t tag[OBJECT_TAG];
	struct bytes sealed; /* borrowed until the next call */
	char class[OBJECT_CLASS_MAX];
	int64_t put_ns, until_ns;
	uint32_t pack;
	uint64_t at;
};

/* Opens or creates. -EUCLEAN: it is damaged, or none of ours. */
int catalog_open(const char *path, struct catalog **ret_catalog);
void catalog_close(struct catalog *c);
/* SQLite's own check of the whole file. 0; -EUCLEAN. */
int catalog_check(struct catalog *c);

/* Waits for others that change it, half a minute at most: -EAGAIN. */
int catalog_begin(struct catalog *c);
int catalog_commit(struct catalog *c);
void catalog_rollback(struct catalog *c);

/* Nothing is borrowed any longer: who reads no more holds no old state of the index, which others
 * could not tidy up then. */
void catalog_rest(struct catalog *c);

/* 0; -ENOENT. */
int catalog_object_by_address(struct catalog *c, const uint8_t address[CRYPTO_HASH],
			      struct catalog_object *ret_object);
int catalog_object_by_id(struct catalog *c, int64_t id, struct catalog_object *ret_object);
/* The first with an id above `after`, of one data key, or of any where `key` is 0. */
int catalog_object_next(struct catalog *c, int64_t after, uint32_t key,
			struct catalog_object *ret_object);
/* Sets its id. -EEXIST: there is one with that address. */
int catalog_add_object(struct catalog *c, struct catalog_object *o);
int catalog_rebox(struct catalog *c, int64_t id, uint32_t key, const uint8_t box[CIPHER_BOX]);
int catalog_drop_object(struct catalog *c, int64_t id);

/* The newest under a tag, which is the last that was added, whatever the clock said; the first
 * above `after`; of an object. */
int catalog_name_by_tag(struct catalog *c, const uint8_t tag[OBJECT_TAG],
			struct catalog_name *ret_name);
int catalog_name_next(struct catalog *c, int64_t after, struct catalog_name *ret_name);
int catalog_name_of(struct catalog *c, int64_t object, int64_t after,
		    struct catalog_name *ret_name);
/* The names with an id above `after` and up to `last`; `newest`: of equal tags only the newest. */
struct catalog_range {
	int64_t after, last;
	bool newest;
};
/* Each with its object, in the order they were put, as the index is when this begins, until `fn`
 * gives anything but 0, which is then given back. What it is shown is borrowed for the call. */
int catalog_each(struct catalog *c, const struct catalog_range *r,
		 int (*fn)(void *arg, const struct catalog_name *n, struct catalog_object *o),
		 void *arg);
/* The last name's id; 0: none. */
int catalog_name_last(struct catalog *c, int64_t *ret_id);
int catalog_add_name(struct catalog *c, const struct catalog_name *n);
int catalog_keep(struct catalog *c, int64_t id, int64_t until_ns);
int catalog_drop_name(struct catalog *c, int64_t id);
/* How many names an object has. */
int catalog_names(struct catalog *c, int64_t object, int64_t *ret_count);
/* How many names are of no object that is there. */
int catalog_names_astray(struct catalog *c, int64_t *ret_count);

/* Another number whenever another connection has changed something. */
int catalog_version(struct catalog *c, int64_t *ret_version);

/* How far a pack holds what was committed; 0 where nothing was. */
int catalog_pack_end(struct catalog *c, uint32_t pack, uint64_t *ret_end);
int catalog_set_pack_end(struct catalog *c, uint32_t pack, uint64_t end);

/* The data keys that objects are sealed by, one after the other; -ENOENT. */
int catalog_key_next(struct catalog *c, uint32_t after, uint32_t *ret_key);
/* Data keys that nothing is sealed by any longer and that are to be destroyed. */
int catalog_doom(struct catalog *c, uint32_t key);
int catalog_next_doomed(struct catalog *c, uint32_t *ret_key); /* -ENOENT */
int catalog_undoom(struct catalog *c, uint32_t key);

/* The log's line after `seq`, its text borrowed until the next call; -ENOENT. */
int catalog_log_next(struct catalog *c, int64_t after, int64_t *ret_seq, int64_t *ret_time_ns,
		     struct bytes *ret_line, uint8_t ret_chain[CRYPTO_HASH]);
int catalog_log_last(struct catalog *c, int64_t *ret_seq, uint8_t ret_chain[CRYPTO_HASH]);
int catalog_log_add(struct catalog *c, int64_t seq, int64_t time_ns, struct bytes line,
		    const uint8_t chain[CRYPTO_HASH]);

struct catalog_totals {
	uint64_t objects, names, size, stored;
};
int catalog_totals(struct catalog *c, struct catalog_totals *ret_totals);

#endif
