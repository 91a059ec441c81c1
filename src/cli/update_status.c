/* `bedwarden update status`: what is up to date, what waits and why. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/control.h"
#include "cli/text.h"
#include "cli/update.h"

static const char *when(json_int_t s, char ret_text[40])
{
	time_t t = (time_t)s;
	struct tm local;

	if (!s || !localtime_r(&t, &local) || strftime(ret_text, 40, "%Y-%m-%d %H:%M", &local) == 0)
		snprintf(ret_text, 40, "never");
	return ret_text;
}

static void say_fetching(const json_t *f)
{
	char last[40], next[40], until[40];

	if (!json_is_true(json_object_get(f, "on"))) {
		text_say("Nothing is fetched: no mirrors are named under 'updates' in the policy "
			 "file.");
		return;
	}
	text_say("Last fetched %s%s%s, next look %s.", when(control_number(f, "last_good"), last),
		 *control_text(f, "mirror") ? " from " : "", control_text(f, "mirror"),
		 when(control_number(f, "next"), next));
	if (control_number(f, "expires"))
		text_say("What vouches for it is good until %s.",
			 when(control_number(f, "expires"), until));
	if (*control_text(f, "error"))
		text_say("The last look failed: %s", control_text(f, "error"));
}

static void say_waiting(const json_t *s)
{
	const json_t *list = json_object_get(s, "waiting"), *w;
	size_t i;

	puts("\nWAITING");
	if (json_array_size(list) == 0)
		puts("  Nothing.");
	json_array_foreach (list, i, w)
		text_say("  - %s%s%s: %s", control_text(w, "name"),
			 *control_text(w, "version") ? " " : "", control_text(w, "version"),
			 control_text(w, "why"));
}

static void say_installed(const json_t *s)
{
	const json_t *t;
	size_t i, said = 0;

	puts("\nIN PLACE");
	json_array_foreach (json_object_get(s, "targets"), i, t) {
		if (!json_is_true(json_object_get(t, "installed")))
			continue;
		said++;
		text_say("  - %s%s%s, vouched for by %s", control_text(t, "name"),
			 *control_text(t, "version") ? " " : "", control_text(t, "version"),
			 control_text(t, "role"));
	}
	if (!said)
		puts("  Nothing but what the package brought.");
}

/* "1 done, 2 waiting": in the order that devices go through. */
static void count_steps(const json_t *rollout, char *ret_text, size_t size)
{
	static const char *const steps[] = {"waiting", "sending", "installing", "watching", "done",
					    "undoing", "undone",  "failed",	"skipped"};
	const json_t *d;
	size_t i, len = 0;

	*ret_text = 0;
	for (size_t n = 0; n < sizeof(steps) / sizeof(*steps) && len < size; n++) {
		unsigned count = 0;

		json_array_foreach (json_object_get(rollout, "devices"), i, d)
			count += strcmp(control_text(d, "step"), steps[n]) == 0;
		if (count)
			len += (size_t)snprintf(ret_text + len, size - len, "%s%u %s",
						len ? ", " : "", count, steps[n]);
	}
}

static void say_device(const json_t *d)
{
	const char *why = control_text(d, "why"), *driver = control_text(d, "driver");
	bool trust = strcmp(driver, "push") == 0 && strcmp(control_text(d, "step"), "done") == 0;

	text_say("      wave %lld  %s (%s): %s%s%s%s", (long long)control_number(d, "wave") + 1,
		 control_text(d, "name"), driver, control_text(d, "step"), *why ? ", " : "", why,
		 trust ? "; the last hop was on trust" : "");
}

static void say_rollouts(const json_t *s)
{
	const json_t *list = json_object_get(s, "rollouts"), *r, *d;
	char steps[160];
	size_t i, j;

	if (json_array_size(list) == 0)
		return;
	puts("\nTO DEVICES");
	json_array_foreach (list, i, r) {
		const char *why = control_text(r, "why"), *by = control_text(r, "approved_by");

		count_steps(r, steps, sizeof(steps));
		text_say("  - %s: %s %s is %s%s%s (%s)%s%s", control_text(r, "id"),
			 control_text(r, "model"), control_text(r, "version"),
			 control_text(r, "state"), *why ? ", " : "", why, steps,
			 *by ? "; approved by " : "", by);
		if (strcmp(control_text(r, "state"), "proposed") == 0)
			text_say(
				"      it waits for a person's word: 'bedwarden update approve %s'",
				control_text(r, "id"));
		json_array_foreach (json_object_get(r, "devices"), j, d)
			if (strcmp(control_text(r, "state"), "done") != 0 ||
			    strcmp(control_text(d, "step"), "done") != 0)
				say_device(d);
	}
}

static void show(void *arg, json_t *s)
{
	const struct control_options *o = arg;
	const json_t *hold = json_object_get(s, "hold"), *last = json_object_get(s, "outcome"), *w;
	const char *release = control_text(s, "release");
	char since[40];
	size_t i;

	if (o->json) {
		json_dumpf(s, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
		return;
	}
	text_say("Release %s runs%s.", *release ? release : control_text(s, "packaged"),
		 *release ? "" : ", the packaged one");
	if (last && strcmp(control_text(last, "what"), "done") != 0)
		text_say("Release %s was not kept (%s): %s", control_text(last, "to"),
			 control_text(last, "what"), control_text(last, "why"));
	if (hold)
		text_say("HELD since %s by %s%s%s.", when(control_number(hold, "since"), since),
			 control_text(hold, "by"), *control_text(hold, "reason") ? ": " : "",
			 control_text(hold, "reason"));
	say_fetching(json_object_get(s, "fetching"));
	if (*control_text(s, "place_error") && json_array_size(json_object_get(s, "waiting")))
		text_say("Nothing can be installed: %s", control_text(s, "place_error"));
	json_array_foreach (json_object_get(s, "warnings"), i, w)
		text_say("ATTENTION: %s", json_string_value(w));
	say_waiting(s);
	say_installed(s);
	say_rollouts(s);
}

int update_cli_status(int argc, char **argv)
{
	static const struct option options[] = {CONTROL_OPTIONS, {NULL}};
	struct control_options o;
	json_t *request;
	int c, code = CLI_OK;

	control_defaults(&o);
	while (code == CLI_OK &&
	       (c = getopt_long(argc, argv, CONTROL_LETTERS, options, NULL)) != -1)
		code = control_option(&o, c);
	if (code < 0 || (code == CLI_OK && optind < argc))
		return cli_usage(cli_find("update"));
	request = json_pack("{s:s, s:s}", "call", "update.status", "operator", control_operator());
	if (code == CLI_OK)
		code = control_ask(&o, request, false, show, &o);
	json_decref(request);
	return code;
}
