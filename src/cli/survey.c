#include "cli/survey.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/config.h"
#include "base/file.h"
#include "cli/advice.h"
#include "update/advisory/accept.h"
#include "update/advisory/library.h"
#include "update/advisory/match.h"

#define POLICY	     BEDWARDEN_SYSCONFDIR "/bedwarden.yaml"
#define STATE_DIR    "/var/lib/bedwarden"
#define UPDATES	     "/var/lib/bedwarden-updates"
#define DEVICES_FILE (64u << 20)
#define EVERYTHING   5 /* different models that an advisory must fit all of to say nothing */

struct part_list {
	char *path;
	struct sbom *sbom; /* NULL: it cannot be used */
};

struct surveying {
	const struct survey_options *o;
	struct survey *s;
	struct config *config; /* NULL with a file of devices */
	json_t *given, *seen;  /* devices of the file; what the gateway saw, by name */
	json_t *accepted;
	struct part_list *parts;
	size_t part_count;
	struct library library;
	struct matcher *matcher;
	int64_t now_s;
};

static void note(struct surveying *y, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void note(struct surveying *y, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(y->s->notes, json_string(text));
}

/* --- devices -------------------------------------------------------------------- */

static void remember(void *arg, json_t *row)
{
	if (*control_text(row, "name"))
		json_object_set(arg, control_text(row, "name"), row);
}

static int load_policy(struct surveying *y)
{
	const char *file = y->o->config ? y->o->config : POLICY;
	struct config_error e = {.line = 0};
	size_t errors = 0;

	y->config = config_load(file, &e, 1, &errors);
	if (!y->config)
		return cli_fail("%s:%u: %s", e.file, e.line, e.text);
	snprintf(y->s->state_dir, sizeof(y->s->state_dir), "%s", y->config->gateway.state_dir);
	return CLI_OK;
}

/* What it saw of them; where it does not run the policy alone counts. */
static void ask_gateway(struct surveying *y)
{
	struct control_options c = y->o->control;
	json_t *request = json_pack("{s:s}", "cmd", "devices");
	char path[sizeof(c.socket)];

	if (!y->o->socket_given && (size_t)snprintf(path, sizeof(path), "%s/control",
						    y->config->gateway.run_dir) < sizeof(path))
		memcpy(c.socket, path, sizeof(path));
	if (!control_is_there(&c))
		note(y,
		     "the gateway does not run: who made a device is known from the policy alone");
	else if (request)
		(void)control_ask(&c, request, false, remember, y->seen);
	json_decref(request);
}

static int load_devices(struct surveying *y)
{
	json_error_t e;

	if (!y->o->devices) {
		int code = load_policy(y);

		if (code == CLI_OK && !y->o->alone)
			ask_gateway(y);
		return code;
	}
	y->given = json_load_file(y->o->devices, JSON_REJECT_DUPLICATES, &e);
	if (!y->given)
		return cli_fail("%s:%d: %s", y->o->devices, e.line, e.text);
	if (!json_is_array(y->given))
		return cli_fail(
			"%s: expected a list of devices: [{\"name\":\"pump-1\",\"vendor\":…,"
			"\"model\":…,\"version\":…}]",
			y->o->devices);
	return CLI_OK;
}

/* Relative to the file that names it; each is read once. */
static const struct sbom *parts_of(struct surveying *y, const char *named_in, const char *path)
{
	char folder[4096], full[8192], why[160] = "";
	struct bytes text = {0};
	struct part_list *list;
	int err;

	if (!*path)
		return NULL;
	snprintf(folder, sizeof(folder), "%s", named_in);
	snprintf(full, sizeof(full), "%s%s%s", *path == '/' ? "" : dirname(folder),
		 *path == '/' ? "" : "/", path);
	for (size_t i = 0; i < y->part_count; i++)
		if (strcmp(y->parts[i].path, full) == 0)
			return y->parts[i].sbom;
	list = reallocarray(y->parts, y->part_count + 1, sizeof(*list));
	if (!list)
		return NULL;
	y->parts = list;
	list += y->part_count;
	*list = (struct part_list){.path = strdup(full)};
	if (!list->path)
		return NULL;
	y->part_count++;
	err = file_read(full, SBOM_BYTES_MAX, &text);
	if (err == 0)
		err = sbom_parse(text, &list->sbom, why);
	free((void *)text.data);
	if (err < 0)
		json_array_append_new(y->s->refusals, json_pack("{s:s, s:s}", "file", full, "why",
								*why ? why : strerror(-err)));
	return list->sbom;
}

static int add_device(struct surveying *y, struct match_device *d)
{
	y->s->devices++;
	y->s->nameless += !*d->model && !d->sbom;
	return matcher_add_device(y->matcher, d);
}

static int add_given(struct surveying *y)
{
	const json_t *o;
	size_t i;
	int err = 0;

	json_array_foreach (y->given, i, o) {
		struct match_device d = {.name = control_text(o, "name"),
					 .vendor = control_text(o, "vendor"),
					 .model = control_text(o, "model"),
					 .version = control_text(o, "version"),
					 .serial = control_text(o, "serial"),
					 .vendor_from = ""};

		d.sbom = parts_of(y, y->o->devices, control_text(o, "sbom"));
		err = err ? err : add_device(y, &d);
	}
	return err;
}

static int add_listed(struct surveying *y)
{
	const char *file = y->o->config ? y->o->config : POLICY;
	int err = 0;

	for (unsigned i = 0; err == 0 && i < y->config->devices_count; i++) {
		const struct config_device *c = &y->config->devices[i];
		const json_t *seen = json_object_get(y->seen, c->name);
		struct match_device d = {.name = c->name,
					 .vendor = c->vendor,
					 .model = c->model,
					 .version = c->version,
					 .serial = c->serial,
					 .vendor_from = ""};

		if (!*d.vendor && *control_text(seen, "vendor")) {
			d.vendor = control_text(seen, "vendor");
			d.vendor_from = "its hardware address";
		}
		d.sbom = parts_of(y, file, c->sbom);
		err = add_device(y, &d);
	}
	return err;
}

/* --- advisories -------------------------------------------------------------------- */

static int load_advisories(struct surveying *y)
{
	const char *state = y->o->state_dir ? y->o->state_dir : y->s->state_dir;
	char path[1024];
	int err;

	if (y->o->advisories) {
		err = library_read(&y->library, y->o->advisories, false);
		if (err == 0 && !y->library.count && !y->library.refusal_count)
			note(y, "there is no advisory in %s", y->o->advisories);
	} else {
		snprintf(path, sizeof(path), "%s/update/targets", state);
		err = library_read(&y->library, path, true);
		snprintf(path, sizeof(path), "%s/advisories", state);
		err = err ? err : library_read(&y->library, path, false);
		snprintf(path, sizeof(path), "%s/content/current/advisories",
			 y->config ? y->config->updates.dir : UPDATES);
		err = err ? err : library_read(&y->library, path, false);
	}
	if (err < 0)
		return cli_fail("advisories cannot be read: %s", strerror(-err));
	library_settle(&y->library);
	for (size_t i = 0; i < y->library.refusal_count; i++)
		json_array_append_new(y->s->refusals,
				      json_pack("{s:s*, s:s}", "file", y->library.refusals[i].file,
						"why", y->library.refusals[i].why));
	y->s->advisories = y->library.count;
	for (size_t i = 0; i < y->library.count; i++)
		if (matcher_add_advisory(y->matcher, y->library.list[i]) < 0)
			return cli_fail("out of memory");
	return CLI_OK;
}

/* --- together ------------------------------------------------------------------------ */

static void take_match(void *arg, const struct match *m)
{
	struct surveying *y = arg;
	struct accept a;
	json_t *row;

	if (json_array_size(y->s->matches) >= SURVEY_MATCHES_MAX) {
		y->s->more++;
		return;
	}
	row = advice_row(m, y->config);
	if (row && accept_find(y->accepted, m->about->name, m->advisory->id, y->now_s, &a)) {
		json_object_set_new(row, "accepted",
				    json_pack("{s:s, s:s, s:s}", "reason", a.reason, "who", a.who,
					      "until", a.until));
		json_object_set_new(row, "do", json_string("accepted"));
	}
	if (row)
		json_array_append_new(y->s->matches, row);
}

static int rank(const json_t *row, const char *key)
{
	return (int)json_integer_value(json_object_get(row, key));
}

static int row_order(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	double s = json_number_value(json_object_get(x, "score"));
	double t = json_number_value(json_object_get(y, "score"));
	int r = rank(x, "rank") - rank(y, "rank");

	if (r)
		return r;
	if (s != t)
		return s > t ? -1 : 1;
	r = strcmp(control_text(x, "device"), control_text(y, "device"));
	return r ? r : strcmp(control_text(x, "advisory"), control_text(y, "advisory"));
}

static int sort_matches(struct surveying *y)
{
	size_t n = json_array_size(y->s->matches);
	json_t **rows = calloc(n + 1, sizeof(*rows)), *sorted = json_array();

	if (!rows || !sorted) {
		free(rows);
		json_decref(sorted);
		return cli_fail("out of memory");
	}
	for (size_t i = 0; i < n; i++)
		rows[i] = json_array_get(y->s->matches, i);
	qsort(rows, n, sizeof(*rows), row_order);
	for (size_t i = 0; i < n; i++) {
		json_object_del(rows[i], "rank");
		json_array_append(sorted, rows[i]);
	}
	free(rows);
	json_decref(y->s->matches);
	y->s->matches = sorted;
	return CLI_OK;
}

static int put_together(struct surveying *y)
{
	const char *state = y->o->state_dir ? y->o->state_dir : y->s->state_dir;
	int err = accept_load(state, &y->accepted);

	if (err == -EACCES)
		note(y, "what was accepted cannot be read: %s/" ACCEPT_FILE ": ask as root", state);
	else if (err < 0)
		return cli_fail("%s/" ACCEPT_FILE ": %s", state,
				err == -EBADMSG ? "cannot be read; is it damaged?"
						: strerror(-err));
	err = y->config ? add_listed(y) : add_given(y);
	if (err == 0)
		err = matcher_run(y->matcher, take_match, y);
	if (err < 0)
		return cli_fail("out of memory");
	for (size_t i = 0; i < y->library.count; i++)
		if (match_is_everything(y->matcher, y->library.list[i], EVERYTHING))
			note(y,
			     "%s fits every model there is, so it says nothing of any: look at it",
			     y->library.list[i]->id);
	if (matcher_cut(y->matcher))
		note(y, "of %u devices more fitted than is looked at: something was left out",
		     matcher_cut(y->matcher));
	if (y->s->nameless)
		note(y,
		     "%zu of %zu devices have neither a model nor a list of parts: nothing can be "
		     "said of them",
		     y->s->nameless, y->s->devices);
	if (!y->s->advisories)
		note(y, "there are no advisories: import some, or name a folder of CSAF files with "
			"--advisories");
	if (y->s->more)
		note(y, "%zu more matches are left out; ask for a device or an advisory",
		     y->s->more);
	return sort_matches(y);
}

int survey_make(const struct survey_options *o, struct survey *ret_survey)
{
	struct survey s = {.matches = json_array(),
			   .refusals = json_array(),
			   .notes = json_array(),
			   .state_dir = STATE_DIR};
	struct surveying y = {.o = o,
			      .s = &s,
			      .seen = json_object(),
			      .matcher = matcher_new(),
			      .now_s = (int64_t)time(NULL)};
	int code = s.matches && s.refusals && s.notes && y.seen && y.matcher
			   ? load_devices(&y)
			   : cli_fail("out of memory");

	if (code == CLI_OK)
		code = load_advisories(&y);
	if (code == CLI_OK)
		code = put_together(&y);
	matcher_free(y.matcher);
	library_free(&y.library);
	for (size_t i = 0; i < y.part_count; i++) {
		sbom_free(y.parts[i].sbom);
		free(y.parts[i].path);
	}
	free(y.parts);
	json_decref(y.accepted);
	json_decref(y.given);
	json_decref(y.seen);
	config_free(y.config);
	if (code == CLI_OK)
		*ret_survey = s;
	else
		survey_free(&s);
	return code;
}

void survey_free(struct survey *s)
{
	json_decref(s->matches);
	json_decref(s->refusals);
	json_decref(s->notes);
}
