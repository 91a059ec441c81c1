#ifndef BEDWARDEN_ROLE_DOOR_INTERNAL_H
#define BEDWARDEN_ROLE_DOOR_INTERNAL_H
/* Grants in the keeper, as their own files see them: door.c, the book on the disk and the doors that
 * follow from it; door_call.c, what people ask. */
#include <limits.h>

#include "bpf/shared.h"
#include "guard/policy/policy.h"
#include "people/grant/grant.h"
#include "role/door.h"

#define DOOR_WAITING 16

/* A call that waits until the doors are in force. */
struct door_waiting {
	uint32_t ask, ticket, grant; /* ask 0: free */
};

struct door {
	struct grants *book;
	char path[PATH_MAX], boot_id[CLOCK_BOOT_ID];
	struct gate_grant_row rows[GATE_GRANTS]; /* as the parent was told last */
	uint32_t row_count;
	bool told, dirty; /* something was; the parent could not be told */
	bool unsaved;
	uint64_t due_boot_ns;
	struct door_waiting waiting[DOOR_WAITING];
};

struct grant_clock door_now(const struct keeper *k);
int door_save(struct keeper *k); /* 0: it is on the disk */
/*
 * Tells the parent which doors are open, where that is not what it knows, or `always`. The
 * question's id; 0: it knows; -errno.
 */
int64_t door_push(struct keeper *k, bool always);
void door_time(json_t *o, const char *key, uint64_t wall_ns); /* 0 is left out */
/* With `note`, what the grant does not reach, where there is such a thing to say. */
json_t *door_json(const struct keeper *k, const struct grant *g, const struct grant_clock *now);
/* As an event. */
void door_tell(struct keeper *k, const struct grant *g, enum reason why);
/* In the audit trail: the entry without which no door opens, and the one that it has shut. */
int door_note(struct keeper *k, const struct grant *g, const char *what, const char *who,
	      const char *as);

/* NULL: the policy has no such device; ret_id is its number. */
const struct gate_device *door_device(const struct policy *p, const char *name, uint32_t *ret_id);
/* The first row of a device's service, NULL none; and how many there are. */
const struct policy_service *door_service(const struct policy *p, uint32_t device, const char *name,
					  uint32_t *ret_count);
bool door_source(const char *text, struct gate_ip *ret_ip); /* a single address */

#endif
