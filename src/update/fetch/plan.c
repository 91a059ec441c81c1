#include "update/fetch/plan.h"

#include <string.h>

#include "base/number.h"
#include "update/fetch/listing.h"
#include "update/place/deb_version.h"

bool plan_in_window(char *const *windows, unsigned count, unsigned minute)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned from, to;

		if (!number_window(windows[i], &from, &to))
			continue;
		if (from <= to ? minute >= from && minute < to : minute >= from || minute < to)
			return true;
	}
	return count == 0;
}

static void wait_for(struct plan *p, const json_t *target, const char *code, const char *why)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name",
			      listing_text(target, "name"), "kind", listing_text(target, "kind"),
			      "version", listing_text(target, "version"), "sha256",
			      listing_text(target, "sha256"), "code", code, "why", why);

	if (o)
		json_array_append_new(p->waiting, o);
}

static bool has(const json_t *set, const json_t *target)
{
	return json_object_get(set, listing_text(target, "sha256")) != NULL;
}

/* Is a person's word missing? */
static bool is_held_back(const struct plan_rules *r, struct plan *p, const json_t *target,
			 bool waits)
{
	const char *why =
		json_string_value(json_object_get(r->failed, listing_text(target, "sha256")));

	if (r->held) {
		wait_for(p, target, "held",
			 "updates are held: 'bedwarden update release' lets "
			 "them go on");
		return true;
	}
	if (has(r->approved, target))
		return false; /* also once more, of what failed */
	if (why) {
		wait_for(p, target, "failed", why);
		return true;
	}
	if (waits)
		wait_for(p, target, "approval",
			 "it waits for a person's word: 'bedwarden update approve'");
	return waits;
}

static void plan_content(const struct plan_rules *r, struct plan *p, const json_t *target)
{
	if (json_is_true(json_object_get(target, "installed")))
		return;
	if (!json_is_true(json_object_get(target, "there"))) {
		wait_for(p, target, "fetch", "it is not fetched yet");
		return;
	}
	if (!is_held_back(r, p, target, r->content_waits))
		json_array_append(p->install, json_object_get(target, "name"));
}

static void plan_gateway(const struct plan_rules *r, struct plan *p, const json_t *target)
{
	const char *version = listing_text(target, "version");
	const char *running = *r->running ? r->running : r->packaged;
	bool older = deb_version_compare(version, running) <= 0;

	if (!listing_fits(target) || strcmp(version, running) == 0)
		return;
	/* A signed downgrade is an explicit act. */
	if (older && !has(r->approved, target))
		return;
	if (!json_is_true(json_object_get(target, "there")) &&
	    !json_is_true(json_object_get(target, "installed"))) {
		wait_for(p, target, "fetch", "it is not fetched yet");
		return;
	}
	/* Unpacked beside the others it changes nothing yet: that waits for nobody's word. */
	if (is_held_back(r, p, target,
			 r->gateway_waits && json_is_true(json_object_get(target, "installed"))))
		return;
	if (!json_is_true(json_object_get(target, "installed"))) {
		json_array_append(p->install, json_object_get(target, "name"));
		return;
	}
	if (!plan_in_window(r->windows, r->window_count, r->minute)) {
		wait_for(p, target, "window", "it waits for its window");
		return;
	}
	if (!p->start || deb_version_compare(version, p->start) > 0)
		p->start = version;
}

static bool is_known(const json_t *seen, const char *name)
{
	return json_object_get(seen, name) != NULL;
}

void plan_make(const struct plan_rules *r, const json_t *targets, struct plan *ret_plan)
{
	json_t *seen = json_object(), *target;
	size_t i;

	*ret_plan = (struct plan){.install = json_array(), .waiting = json_array()};
	json_array_foreach (targets, i, target) {
		const char *name = listing_text(target, "name"),
			   *kind = listing_text(target, "kind");

		if (is_known(seen, name))
			continue;
		json_object_set_new(seen, name, json_true());
		if (listing_is_gateway(kind))
			plan_gateway(r, ret_plan, target);
		else if (listing_is_content(kind))
			plan_content(r, ret_plan, target);
	}
	json_decref(seen);
}

void plan_free(struct plan *p)
{
	json_decref(p->install);
	json_decref(p->waiting);
	*p = (struct plan){0};
}
