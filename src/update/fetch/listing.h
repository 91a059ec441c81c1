#ifndef BEDWARDEN_UPDATE_FETCH_LISTING_H
#define BEDWARDEN_UPDATE_FETCH_LISTING_H
/*
 * What a repository offers to a gateway: the targets that its top-level role lists, and the
 * delegated roles that a site follows, each with what its metadata says of it under `custom`:
 *
 *   {"kind":"gateway","version":"0.2.0","arch":"x86_64"}	a release; arch as uname(2) has it
 *   {"kind":"profile"|"rules"|"advisory","version":"7"}	one file of that kind
 *   {"kind":"firmware","vendor":"Acme","model":"Pump","version":"2.1",	for devices (doc/agent.md)
 *    "hardware":"r2","needs":"1.5"}
 *   anything else						listed, not installed here
 *
 * as a JSON array of
 *   {"name","kind","version","arch","role","sha256","length","there":bool}, of firmware
 *   "vendor", "model", "hardware" and "needs" besides
 */
#include <jansson.h>

#include "update/tuf/client.h"

#define LISTING_MAX 200 /* targets; more are left out and `more` says so */

struct listing_ask {
	const char *dir; /* where targets lie, to say which are there; NULL nowhere */
	char *const *roles;
	unsigned role_count;
};

/* After a refresh. The caller's; NULL with an error. *ret_more: there were more. */
json_t *listing_make(struct tuf *t, const struct listing_ask *a, bool *ret_more,
		     struct tuf_error *e);
/* Removes from a folder of targets what is not in the list, of any kind. */
void listing_sweep(const char *dir, const json_t *listing);

/* What a kind is to us. */
bool listing_is_content(const char *kind);
bool listing_is_gateway(const char *kind);
bool listing_is_firmware(const char *kind);
/* Can this machine run it? Also where nothing is said. */
bool listing_fits(const json_t *target);
const char *listing_text(const json_t *target, const char *key); /* "" where there is none */
/* The first with that text; NULL none. */
const json_t *listing_find(const json_t *listing, const char *key, const char *text);
/* What was fetched and what is in `place`, which says of its own "installed" and "there": the newer of a name
 * first (of place, if `place_is_newer`), the same of both once. The caller's. Either may be NULL. */
json_t *listing_merge(const json_t *fetched, const json_t *place, bool place_is_newer);

#endif
