#include "update/rollout/word.h"

#include <stdbool.h>
#include <string.h>

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

const json_t *word_meant(const json_t *rollouts, const char *name)
{
	const json_t *r, *found = NULL;
	size_t i;

	json_array_foreach (rollouts, i, r) {
		if (strcmp(text(r, "id"), name) == 0)
			return r;
		if (strcmp(text(r, "target"), name) == 0 &&
		    (!found || strcmp(text(r, "state"), "proposed") == 0))
			found = r;
	}
	return found;
}

static const json_t *device_of(const json_t *rollout, const char *name)
{
	const json_t *d;
	size_t i;

	json_array_foreach (json_object_get(rollout, "devices"), i, d)
		if (strcmp(text(d, "name"), name) == 0)
			return d;
	return NULL;
}

const char *word_senseless(const json_t *r, const char *what, const char *device)
{
	const char *state = text(r, "state"), *step = text(device_of(r, device), "step");
	bool proposed = strcmp(state, "proposed") == 0;

	if (strcmp(what, "approve") == 0)
		return proposed ? NULL : "it was approved before";
	if (strcmp(what, "hold") == 0)
		return strcmp(state, "running") == 0 ? NULL : "it is not running";
	if (strcmp(what, "release") == 0)
		return strcmp(state, "held") == 0 ? NULL : "it is not held";
	if (strcmp(what, "rollback") == 0)
		return proposed			       ? "it has not begun"
		       : strcmp(state, "undoing") == 0 ? "that is under way"
						       : NULL;
	if (!*step)
		return "that device is not in it";
	return strcmp(step, "sending") == 0 || strcmp(step, "undoing") == 0 ||
			       strcmp(step, "failed") == 0
		       ? NULL
		       : "nothing is to be done at that device now";
}

void word_heard(json_t *words, json_int_t number)
{
	const json_t *word;
	size_t i;

	json_array_foreach (words, i, word)
		if (json_integer_value(json_object_get(word, "n")) == number) {
			json_array_remove(words, i);
			return;
		}
}
