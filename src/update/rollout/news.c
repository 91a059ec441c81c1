#include "update/rollout/news.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static const struct said {
	const char *name;
	enum reason why;
} states[] =
	{
		{"proposed", REASON_UPDATE_WAITING}, {"running", REASON_UPDATE_ROLLOUT},
		{"held", REASON_UPDATE_ROLLOUT},     {"stopped", REASON_UPDATE_ROLLOUT_STOPPED},
		{"undoing", REASON_UPDATE_ROLLOUT},  {"done", REASON_UPDATE_ROLLOUT},
},
  steps[] = {
	  {"sending", REASON_UPDATE_DEVICE_BEGUN}, {"done", REASON_UPDATE_DEVICE_DONE},
	  {"undoing", REASON_UPDATE_DEVICE_BACK},  {"undone", REASON_UPDATE_DEVICE_BACK},
	  {"failed", REASON_UPDATE_DEVICE_FAILED}, {"skipped", REASON_UPDATE_DEVICE_WAITS},
};

static enum reason reason_of(const struct said *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return list[i].why;
	return REASON_NONE;
}
#define REASON_OF(list, name) reason_of(list, sizeof(list) / sizeof(*(list)), name)

/* Each reason for waiting is told once, not each time that it comes and goes. */
static void device_news(json_t *known, const json_t *r, const json_t *d, news_fn fn, void *arg)
{
	const char *name = text(d, "name"), *step = text(d, "step"), *why = text(d, "why");
	bool waits = strcmp(step, "waiting") == 0 && *why,
	     pushed = strcmp(text(d, "driver"), "push") == 0,
	     own_word = json_is_true(json_object_get(d, "own_word"));
	enum reason reason = waits ? REASON_UPDATE_DEVICE_WAITS : REASON_OF(steps, step);
	char now[320];

	snprintf(now, sizeof(now), "%s%s%s", step, waits ? " " : "", waits ? why : "");
	if (strcmp(text(known, name), now) == 0)
		return;
	json_object_set_new(known, name, json_string(now));
	if (reason == REASON_NONE)
		return;
	fn(arg, &(struct news){reason, r, d, why});
	if (strcmp(step, "done") == 0 && (own_word || pushed))
		fn(arg, &(struct news){REASON_UPDATE_ON_TRUST, r, d,
				       own_word ? why
						: "the gateway verified it; the device took it "
						  "without a word"});
}

void news_of(json_t *told, const json_t *r, news_fn fn, void *arg)
{
	json_t *known = json_object_get(told, text(r, "id")), *devices;
	const char *state = text(r, "state");
	const json_t *d;
	size_t i;

	if (!known) {
		known = json_pack("{s:s, s:{}}", "state", "", "devices");
		json_object_set_new(told, text(r, "id"), known);
	}
	devices = json_object_get(known, "devices");
	if (strcmp(text(known, "state"), state) != 0) {
		json_object_set_new(known, "state", json_string(state));
		fn(arg, &(struct news){REASON_OF(states, state), r, NULL, text(r, "why")});
	}
	if (strcmp(state, "proposed") == 0)
		return;
	json_array_foreach (json_object_get(r, "devices"), i, d)
		device_news(devices, r, d, fn, arg);
}

static bool is_there(const json_t *rollouts, const char *id)
{
	const json_t *r;
	size_t i;

	json_array_foreach (rollouts, i, r)
		if (strcmp(text(r, "id"), id) == 0)
			return true;
	return false;
}

void news_forget(json_t *told, const json_t *rollouts)
{
	const char *id;
	json_t *known;
	void *next;

	json_object_foreach_safe(told, next, id, known)
	{
		if (!is_there(rollouts, id))
			json_object_del(told, id);
	}
}
