#ifndef BEDWARDEN_KEEP_VAULT_CHOICE_H
#define BEDWARDEN_KEEP_VAULT_CHOICE_H
/*
 * What of a vault somebody wants destroyed, for vault_shred(): things by name or address, all that
 * was kept long enough, or all. What has to be kept longer is, unless somebody insists.
 */
#include "keep/vault.h"

struct vault_choice {
	const char *const *names; /* or addresses, in hexadecimal, 8 digits at least */
	size_t count;
	const char *class; /* of this class only; NULL: any */
	bool expired, all; /* instead of names */
	bool force;	   /* also what has to be kept longer */
	int64_t now_ns;	   /* wall clock */
	/* What came of it. */
	bool *found;   /* of `count`: there was one of that name or address */
	uint64_t kept; /* wanted, but to be kept longer */
};

/* For vault_shred(): `choice` is its argument. */
bool vault_choice_picks(void *choice, const struct vault_entry *e);

#endif
