#ifndef BEDWARDEN_PEOPLE_GRANT_BOOK_H
#define BEDWARDEN_PEOPLE_GRANT_BOOK_H
/* The book of grants as its own files see it: grant.c, what happens to them; book.c, how they are
 * written down. */
#include "people/grant/grant.h"

#define INVITATIONS_MAX 64

struct grants {
	struct grant list[GRANTS_MAX];
	unsigned count;
	struct invitation invitations[INVITATIONS_MAX];
	unsigned invitation_count;
	uint32_t last_id;
	uint64_t stored_ns; /* boot time */
};

#endif
