/* The calls about weaknesses that somebody decided to live with: who, why and until when. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "role/call.h"
#include "role/keeper.h"
#include "role/survey.h"
#include "update/advisory/accept.h"

#define EDITORS (PEOPLE_ONLY(PEOPLE_CLINICAL_ENGINEER) | PEOPLE_ONLY(PEOPLE_ADMINISTRATOR))

static int64_t now_s(void)
{
	return (int64_t)(clock_wall_ns() / NSEC_PER_SEC);
}

/* The list; NULL: e says why. */
static json_t *load(const struct keeper *k, struct call_error *e)
{
	json_t *list = NULL;
	int err = accept_load(k->state_dir, &list);

	if (err == 0)
		return list;
	return call_fail(e, 500, "advisory.store", "What was accepted cannot be read",
			 "%s/" ACCEPT_FILE ": %s; see whether it is damaged", k->state_dir,
			 strerror(-err));
}

static json_t *accepted(struct keeper *k, const struct call_asker *by, const json_t *args,
			struct call_error *e)
{
	json_t *list = load(k, e), *ok = json_array(), *o;
	struct accept a;
	size_t i;

	if (!list) {
		json_decref(ok);
		return NULL;
	}
	/* Those that still hold. */
	json_array_foreach (list, i, o) {
		const char *device = json_string_value(json_object_get(o, "device"));
		const char *advisory = json_string_value(json_object_get(o, "advisory"));

		if (device && advisory && accept_find(list, device, advisory, now_s(), &a))
			json_array_append(ok, o);
	}
	json_decref(list);
	return json_pack("{s:o}", "accepted", ok);
}

static bool take(const json_t *args, const char *key, size_t max, const char **ret_text,
		 struct call_error *e)
{
	const char *text = call_text(args, key);

	if (text && *text && strlen(text) <= max) {
		*ret_text = text;
		return true;
	}
	call_fail(e, 400, "call.argument", "An argument is not what it must be",
		  "%s: a text of 1 to %zu bytes", key, max);
	return false;
}

static json_t *save(struct keeper *k, json_t *list, struct call_error *e)
{
	int err = accept_save(k->state_dir, list);

	json_decref(list);
	surveys_forget(k);
	if (err == 0)
		return json_pack("{s:b}", "done", 1);
	return call_fail(e, 503, "advisory.store", "It could not be written down",
			 "%s/" ACCEPT_FILE ": %s; nothing changed", k->state_dir, strerror(-err));
}

static json_t *accept(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	struct accept a = {.who = by->user};
	json_t *list;
	int err;

	if (!take(args, "device", 63, &a.device, e) ||
	    !take(args, "advisory", 95, &a.advisory, e) ||
	    !take(args, "reason", ACCEPT_REASON_MAX, &a.reason, e) ||
	    !take(args, "until", 10, &a.until, e))
		return NULL;
	list = load(k, e);
	if (!list)
		return NULL;
	err = accept_add(list, &a, now_s());
	if (err == 0)
		return save(k, list, e);
	json_decref(list);
	if (err == -EINVAL)
		return call_fail(
			e, 400, "advisory.until", "That is no day on which this could end",
			"until: a day as 2027-03-01, within two years; nothing is accepted "
			"for good");
	return call_fail(e, 503, "advisory.full", "It could not be taken", "%s", strerror(-err));
}

static json_t *withdraw(struct keeper *k, const struct call_asker *by, const json_t *args,
			struct call_error *e)
{
	const char *device, *advisory;
	json_t *list;

	if (!take(args, "device", 63, &device, e) || !take(args, "advisory", 95, &advisory, e))
		return NULL;
	list = load(k, e);
	if (!list)
		return NULL;
	if (accept_remove(list, device, advisory) == 0)
		return save(k, list, e);
	json_decref(list);
	return call_fail(e, 404, "advisory.none", "Nothing of that kind was accepted",
			 "device '%s', advisory '%s'; advisory.accepted lists what was", device,
			 advisory);
}

extern const struct call_row advisory_calls[]; /* call.c's */
const struct call_row advisory_calls[] = {
	{.name = "advisory.accepted", .fn = accepted, .roles = PEOPLE_HOUSE, .pages = "accepted"},
	{.name = "advisory.accept",
	 .fn = accept,
	 .roles = EDITORS,
	 .step_up = true,
	 .changes = true},
	{.name = "advisory.withdraw",
	 .fn = withdraw,
	 .roles = EDITORS,
	 .step_up = true,
	 .changes = true},
	{NULL},
};
