#ifndef BEDWARDEN_CLI_NARROW_H
#define BEDWARDEN_CLI_NARROW_H
/*
 * What a proposal offers of `app`, `allow` and `control`: lines that allow no
 * more than what was said. Nothing is offered of a service where something else
 * was spoken as well, or the protocol was broken: such a line would stop it.
 * Values are written only where they stand for nothing but themselves.
 */
#include <stdio.h>

#include "cli/draft.h"

/* What was said there, where a line may hold it to that; NULL where not. */
const struct said *narrow_said(const struct draft *x, const struct seen_talk *t);

/*
 * Would such a line, on top of the device's own, take something away from what
 * `rule` allows, and give nothing? `peer` is the name of the other end.
 */
bool narrow_fits(const struct draft_device *d, const struct config_rule *rule,
		 const struct said *said, const struct seen_talk *t, const char *peer,
		 enum fit_far far, bool starts);

/* Comment lines on what is left open, each behind `indent`. */
void narrow_notes(FILE *out, const struct said *said, const char *indent);
/* The rule's members, from its comma on, further lines behind `indent`. `control`: as it is now. */
void narrow_write(FILE *out, const struct said *said, bool control, const char *indent);

#endif
