#ifndef BEDWARDEN_UPDATE_ROLLOUT_OFFER_H
#define BEDWARDEN_UPDATE_ROLLOUT_OFFER_H
/*
 * Which firmware of a listing (fetch/listing.h) is offered to which devices, as a rollout that is not
 * approved yet: the newest of its vendor, model and hardware, to those that have something older, and never
 * what was stopped somewhere. Pure: what is listed, what is known of devices and what was offered before
 * are arguments.
 */
#include "update/rollout/rollouts.h"

/* A device as it is known now. */
struct offer_device {
	const char *name, *vendor, *model;
	const char *version;  /* "" nobody knows */
	const char *hardware; /* in its agent's word; "" nobody knows */
	enum driver driver;
	bool heard; /* its agent, if it has one, has spoken: until then it is offered nothing */
};

/* What there is to choose from; all of it borrowed. */
struct offer {
	const json_t *targets; /* a listing */
	const struct offer_device *devices;
	unsigned count;
	struct rollouts *all; /* of before */
	const struct rollout_plan *plan;
	int64_t now;
};

/* A target that is listed under that name as firmware; NULL. */
const json_t *offer_target(const json_t *targets, const char *name);
/* Is it to be fetched: the newest for a device of ours, the one before it, or what a rollout is at? */
bool offer_wants(const struct offer *o, const json_t *target);
/* The version that the last rollout which ended for a device left on it. Borrowed; NULL: none did. */
const char *offer_left(struct rollouts *all, const char *device);
/*
 * A rollout of that target to whom it is for, for the caller to add or to free; of its devices those
 * that cannot take it are skipped already. NULL: there is nothing to offer, or no memory.
 */
struct rollout *offer_make(const struct offer *o, const json_t *target);
/* Has that target overtaken what this rollout proposes? */
bool offer_overtakes(const struct offer *o, const json_t *target, const struct rollout *proposed);

#endif
