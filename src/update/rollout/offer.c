#include "update/rollout/offer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "update/fetch/listing.h"
#include "update/place/deb_version.h"

#define AGAIN_MAX 99 /* rollouts of one firmware, for devices that came later */

/* --- targets -------------------------------------------------------------------- */

const json_t *offer_target(const json_t *targets, const char *name)
{
	const json_t *t;
	size_t i;

	json_array_foreach (targets, i, t)
		if (strcmp(listing_text(t, "name"), name) == 0 &&
		    listing_is_firmware(listing_text(t, "kind")))
			return t;
	return NULL;
}

static bool is_firmware(const json_t *t)
{
	return listing_is_firmware(listing_text(t, "kind")) && *listing_text(t, "version") &&
	       *listing_text(t, "model");
}

static bool is_alike(const json_t *a, const json_t *b)
{
	return is_firmware(a) && is_firmware(b) &&
	       strcasecmp(listing_text(a, "vendor"), listing_text(b, "vendor")) == 0 &&
	       strcasecmp(listing_text(a, "model"), listing_text(b, "model")) == 0 &&
	       strcmp(listing_text(a, "hardware"), listing_text(b, "hardware")) == 0;
}

static int compare(const json_t *a, const json_t *b)
{
	return deb_version_compare(listing_text(a, "version"), listing_text(b, "version"));
}

static bool is_of(const struct rollout *r, const json_t *target)
{
	return strcmp(r->target, listing_text(target, "name")) == 0 &&
	       strcmp(r->version, listing_text(target, "version")) == 0;
}

/* Stopped somewhere, it is offered to nobody else: others would fare no better. */
static bool is_stopped(const struct offer *o, const json_t *target)
{
	for (struct rollout *r = NULL; (r = rollouts_next(o->all, r));)
		if (r->state == ROLLOUT_STOPPED && is_of(r, target))
			return true;
	return false;
}

static bool is_newest(const struct offer *o, const json_t *target)
{
	const json_t *t;
	size_t i;

	json_array_foreach (o->targets, i, t)
		if (is_alike(t, target) && compare(t, target) > 0)
			return false;
	return true;
}

/* What a device goes back to; not what was bad itself. */
static const json_t *one_before(const struct offer *o, const json_t *target)
{
	const json_t *best = NULL, *t;
	size_t i;

	json_array_foreach (o->targets, i, t)
		if (is_alike(t, target) && compare(t, target) < 0 && !is_stopped(o, t) &&
		    (!best || compare(t, best) > 0))
			best = t;
	return best;
}

bool offer_overtakes(const struct offer *o, const json_t *target, const struct rollout *proposed)
{
	const json_t *t = offer_target(o->targets, proposed->target);

	return proposed->state == ROLLOUT_PROPOSED && t && is_alike(t, target) &&
	       compare(t, target) < 0;
}

/* --- devices -------------------------------------------------------------------- */

static bool is_for(const struct offer_device *d, const json_t *target)
{
	return strcasecmp(d->vendor, listing_text(target, "vendor")) == 0 &&
	       strcasecmp(d->model, listing_text(target, "model")) == 0;
}

static bool has(const struct rollout *r, const char *device)
{
	for (unsigned i = 0; i < r->count; i++)
		if (strcmp(r->devices[i].name, device) == 0)
			return true;
	return false;
}

/* One thing at a time; and nobody is asked twice about the same. */
static bool is_spoken_for(const struct offer *o, const char *device, const json_t *target)
{
	for (struct rollout *r = NULL; (r = rollouts_next(o->all, r));)
		if (has(r, device) && (rollout_is_unfinished(r) || is_of(r, target)))
			return true;
	return false;
}

static bool is_candidate(const struct offer *o, const struct offer_device *d, const json_t *target)
{
	const char *hardware = listing_text(target, "hardware");

	if (!is_for(d, target) || is_spoken_for(o, d->name, target))
		return false;
	/* Who can say what it is, and has not yet, waits until it has. */
	if (d->driver == DRIVER_AGENT && !d->heard)
		return false;
	if (*hardware && d->driver == DRIVER_AGENT && strcmp(hardware, d->hardware) != 0)
		return false;
	return !*d->version || deb_version_compare(d->version, listing_text(target, "version")) < 0;
}

const char *offer_left(struct rollouts *all, const char *device)
{
	const char *version = NULL;
	int64_t since = 0;

	for (struct rollout *r = NULL; (r = rollouts_next(all, r));)
		for (unsigned i = 0; i < r->count; i++) {
			const struct rollout_device *d = &r->devices[i];

			if (strcmp(d->name, device) != 0 || d->since < since)
				continue;
			if (d->step == STEP_DONE)
				version = r->version;
			else if (d->step == STEP_UNDONE)
				version = *d->was ? d->was : NULL;
			else
				continue;
			since = d->since;
		}
	return version;
}

bool offer_wants(const struct offer *o, const json_t *target)
{
	unsigned newer = 0;
	bool here = false;
	const json_t *t;
	size_t i;

	for (unsigned d = 0; is_firmware(target) && d < o->count; d++)
		here = here || is_for(&o->devices[d], target);
	if (!here)
		return false;
	json_array_foreach (o->targets, i, t)
		newer += is_alike(t, target) && compare(t, target) > 0 && !is_stopped(o, t);
	if (newer < 2)
		return true;
	/* Or a rollout is still at it. */
	for (struct rollout *r = NULL; (r = rollouts_next(o->all, r));)
		if (r->state != ROLLOUT_DONE &&
		    (strcmp(r->target, listing_text(target, "name")) == 0 ||
		     strcmp(r->previous, listing_text(target, "name")) == 0))
			return true;
	return false;
}

/* --- the offer ------------------------------------------------------------------ */

/* Why it cannot take it, as far as that is known beforehand. True: it can. */
static bool check_device(const struct offer_device *d, const json_t *target, int64_t now,
			 struct rollout_device *to)
{
	const char *hardware = listing_text(target, "hardware"),
		   *needs = listing_text(target, "needs");

	if (*hardware && d->driver == DRIVER_PUSH)
		snprintf(to->why, sizeof(to->why),
			 "it is for hardware %s, and nobody knows which this has", hardware);
	else if (*needs && (!*d->version || deb_version_compare(d->version, needs) < 0))
		snprintf(to->why, sizeof(to->why), "it needs version %s first, and this has %s",
			 needs, *d->version ? d->version : "one that nobody knows");
	else
		return true;
	to->step = STEP_SKIPPED;
	to->since = now;
	return false;
}

/* "Pump X", "2.1" → "pump-x-2.1"; a number behind it where that is taken. */
static bool make_id(struct rollouts *all, const json_t *target, char ret_id[ROLLOUT_NAME])
{
	char base[48];
	size_t len;

	snprintf(base, sizeof(base), "%.24s-%.20s", listing_text(target, "model"),
		 listing_text(target, "version"));
	for (len = 0; base[len]; len++)
		base[len] = isalnum((unsigned char)base[len]) || strchr("._", base[len])
				    ? (char)tolower((unsigned char)base[len])
				    : '-';
	while (len && *base == '.')
		memmove(base, base + 1, len--);
	for (unsigned n = 1; *base && n <= AGAIN_MAX; n++) {
		snprintf(ret_id, ROLLOUT_NAME, n > 1 ? "%s-%u" : "%s", base, n);
		if (!rollouts_find(all, ret_id))
			return true;
	}
	return false;
}

static struct rollout *make(const struct offer *o, const json_t *target,
			    const struct offer_device *const *devices, unsigned count)
{
	const char *names[ROLLOUT_DEVICES];
	const json_t *before = one_before(o, target);
	char id[ROLLOUT_NAME];
	struct rollout *r;
	unsigned able = 0;

	if (!make_id(o->all, target, id))
		return NULL;
	for (unsigned i = 0; i < count; i++)
		names[i] = devices[i]->name;
	r = rollout_new(id, listing_text(target, "name"), listing_text(target, "version"), o->plan,
			names, count);
	if (!r)
		return NULL;
	if (before)
		snprintf(r->previous, sizeof(r->previous), "%s", listing_text(before, "name"));
	for (unsigned i = 0; i < count; i++)
		able += check_device(devices[i], target, o->now, &r->devices[i]);
	if (able)
		return r;
	rollout_free(r);
	return NULL;
}

struct rollout *offer_make(const struct offer *o, const json_t *target)
{
	const struct offer_device **devices;
	struct rollout *r = NULL;
	unsigned count = 0;

	if (!is_firmware(target) || !is_newest(o, target) || is_stopped(o, target) ||
	    strlen(listing_text(target, "name")) >= ROLLOUT_TARGET ||
	    strlen(listing_text(target, "version")) >= ROLLOUT_VERSION)
		return NULL;
	devices = calloc(o->count + 1, sizeof(*devices));
	for (unsigned i = 0; devices && i < o->count && count < ROLLOUT_DEVICES; i++)
		if (is_candidate(o, &o->devices[i], target))
			devices[count++] = &o->devices[i];
	if (count)
		r = make(o, target, devices, count);
	free(devices);
	return r;
}
