#ifndef BEDWARDEN_CLI_FIT_H
#define BEDWARDEN_CLI_FIT_H
/*
 * How well a profile explains what was seen of a machine. Its maker, the name
 * it gives itself, the services by which such devices are known and the share
 * of its conversations that the rules cover each score, and say so in words.
 * Nothing is changed, nothing allocated; what is returned borrows from the
 * profiles.
 */
#include "cli/propose.h"

/* What a conversation's far end is, as far as a rule's `peer` goes. */
enum fit_far { FIT_ONE, FIT_BROADCAST, FIT_MULTICAST };
enum fit_far fit_far(const struct propose *p, const uint8_t ip[16]);

/* The next rule of the list that covers a conversation, behind `after`; NULL none. */
const struct config_rule *fit_rule(const struct config_rule *rules, unsigned count,
				   const struct config_rule *after, const struct seen_talk *t,
				   enum fit_far far);

/* Do makers of such devices include this one? */
bool fit_made_by(const struct config_identify *id, const char *vendor);

struct fit_guess {
	const struct config_profile *profile; /* NULL: none explains enough */
	unsigned score;
	char why[256];
};

/* The profile that explains a machine best. */
struct fit_guess fit_best(const struct propose *p, const struct seen_machine *m);

#endif
