#ifndef BEDWARDEN_UPDATE_TUF_CANON_H
#define BEDWARDEN_UPDATE_TUF_CANON_H
/*
 * Canonical JSON as OLPC defines it and TUF §4.2 asks for: the bytes that are
 * signed. No white space, keys in the order of their bytes, integers only, and
 * in a string nothing is escaped but '"' and '\'.
 */
#include <jansson.h>

#include "base/bytes.h"

enum { CANON_DEPTH_MAX = 64 };

/* 0, the block is the caller's to free(); -EINVAL where the value has a fraction, which the form
 * cannot express, or is nested too deeply; -ENOMEM. */
int canon_encode(const json_t *value, struct bytes *ret_text);

/*
 * Reads JSON from outside: UTF-8, one object, no key twice, not nested deeper than
 * CANON_DEPTH_MAX, of no more values than CANON_VALUES_MAX, so that a few bytes never take
 * much memory. 0, to json_decref(); -EBADMSG; -ENOMEM. `ret_why` (or NULL) gets a constant or
 * the reader's own words, at most 160 bytes.
 */
enum { CANON_VALUES_MAX = 600000, CANON_WHY = 160 };
int canon_parse(struct bytes text, json_t **ret_value, char ret_why[CANON_WHY]);

#endif
