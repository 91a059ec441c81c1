#ifndef BEDWARDEN_KEEP_VAULT_SCAN_H
#define BEDWARDEN_KEEP_VAULT_SCAN_H
/*
 * Reading a pack without the index: what lies where by its own words. Those are not always true:
 * of a record whose writer was killed, only the first part may be there, and what others wrote
 * then begins within the length that it says.
 */
#include "keep/vault_internal.h"

/* What is asked of every record, at its place in the pack. SCAN_WHOLE: it is what it says, and the
 * next one follows it; SCAN_INSIDE: the next may begin anywhere behind its first byte; or -errno. */
enum { SCAN_WHOLE, SCAN_INSIDE };
typedef int vault_scan_fn(void *arg, uint64_t at, const struct object_record *r);

/* Every record of a pack between the two places; what is none is passed over. 0, or -errno. */
int vault_scan(int fd, uint64_t begin, uint64_t end, vault_scan_fn *fn, void *arg);

#endif
