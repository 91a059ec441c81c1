#ifndef BEDWARDEN_UPDATE_REPO_BODY_H
#define BEDWARDEN_UPDATE_REPO_BODY_H
/*
 * Changes to the signed part of metadata, pure JSON. 0 or -errno; -ENOMEM unless said otherwise.
 */
#include <jansson.h>

#include "update/tuf/hash.h"

/* An empty role of version 1: {"signed", "signatures"}; NULL: no memory. */
json_t *body_new_root(void);
json_t *body_new_targets(void);
json_t *body_new_online(const char *type);
int body_expire(json_t *whole, int64_t at);

/* A role's keys, in root (TUF §4.3), or in the delegations of a targets role (§4.5). A key that
 * no role uses any more goes. */
int body_add_key(json_t *keys, json_t *role, const char *id, json_t *key);
/* -ENOENT: the role does not have it. */
int body_remove_key(json_t *role, const char *id);
void body_tidy_keys(json_t *keys, const json_t *roles);
/* NULL where the root or targets role does not speak of it. */
json_t *body_find_role(const json_t *whole, const char *name);
json_t *body_keys(const json_t *whole);
/* A new delegation at the end, and what it needs around it. */
int body_delegate(json_t *whole, const char *name, const json_t *paths, bool terminating,
		  json_t **ret_role);

/* `custom` may be NULL, and is borrowed. */
int body_add_target(json_t *whole, const char *name, const struct tuf_file *file, json_t *custom);

#endif
