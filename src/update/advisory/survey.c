#include "update/advisory/survey.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "update/advisory/accept.h"
#include "update/advisory/advice.h"
#include "update/advisory/library.h"
#include "update/advisory/match.h"

#define EVERYTHING 5 /* different models that an advisory must fit all of to say nothing */

struct part_list {
	char *path;
	struct sbom *sbom; /* NULL: it cannot be used */
};

struct surveying {
	const struct survey_input *in;
	struct survey *s;
	struct part_list *parts;
	size_t part_count;
	struct library library;
	struct matcher *matcher;
	char *why;
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

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

static int fail(struct surveying *y, int err, const char *what)
{
	snprintf(y->why, SURVEY_WHY, "%s: %s", what, strerror(-err));
	return err;
}

/* --- devices -------------------------------------------------------------------- */

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

	json_array_foreach (y->in->given, i, o) {
		struct match_device d = {.name = text_of(o, "name"),
					 .vendor = text_of(o, "vendor"),
					 .model = text_of(o, "model"),
					 .version = text_of(o, "version"),
					 .serial = text_of(o, "serial"),
					 .vendor_from = ""};

		d.sbom = parts_of(y, y->in->file, text_of(o, "sbom"));
		err = err ? err : add_device(y, &d);
	}
	return err;
}

static int add_listed(struct surveying *y)
{
	int err = 0;

	for (unsigned i = 0; err == 0 && i < y->in->config->devices_count; i++) {
		const struct config_device *c = &y->in->config->devices[i];
		const json_t *seen = json_object_get(y->in->seen, c->name);
		struct match_device d = {.name = c->name,
					 .vendor = c->vendor,
					 .model = c->model,
					 .version = c->version,
					 .serial = c->serial,
					 .vendor_from = ""};

		if (!*d.vendor && *text_of(seen, "vendor")) {
			d.vendor = text_of(seen, "vendor");
			d.vendor_from = "its hardware address";
		}
		d.sbom = parts_of(y, y->in->file, c->sbom);
		err = add_device(y, &d);
	}
	return err;
}

/* --- advisories -------------------------------------------------------------------- */

static int load_advisories(struct surveying *y)
{
	char path[1024];
	int err;

	if (y->in->advisories) {
		err = library_read(&y->library, y->in->advisories, false);
		if (err == 0 && !y->library.count && !y->library.refusal_count)
			note(y, "there is no advisory in %s", y->in->advisories);
	} else {
		snprintf(path, sizeof(path), "%s/update/targets", y->in->state_dir);
		err = library_read(&y->library, path, true);
		snprintf(path, sizeof(path), "%s/advisories", y->in->state_dir);
		err = err ? err : library_read(&y->library, path, false);
		snprintf(path, sizeof(path), "%s/content/current/advisories", y->in->updates_dir);
		err = err ? err : library_read(&y->library, path, false);
	}
	if (err < 0)
		return fail(y, err, "advisories cannot be read");
	library_settle(&y->library);
	for (size_t i = 0; i < y->library.refusal_count; i++)
		json_array_append_new(y->s->refusals,
				      json_pack("{s:s*, s:s}", "file", y->library.refusals[i].file,
						"why", y->library.refusals[i].why));
	y->s->advisories = y->library.count;
	for (size_t i = 0; i < y->library.count; i++)
		if (matcher_add_advisory(y->matcher, y->library.list[i]) < 0)
			return fail(y, -ENOMEM, "advisories");
	return 0;
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
	row = advice_row(m, y->in->config);
	if (row &&
	    accept_find(y->in->accepted, m->about->name, m->advisory->id, y->in->now_s, &a)) {
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
	r = strcmp(text_of(x, "device"), text_of(y, "device"));
	return r ? r : strcmp(text_of(x, "advisory"), text_of(y, "advisory"));
}

static int sort_matches(struct surveying *y)
{
	size_t n = json_array_size(y->s->matches);
	json_t **rows = calloc(n + 1, sizeof(*rows)), *sorted = json_array();

	if (!rows || !sorted) {
		free(rows);
		json_decref(sorted);
		return -ENOMEM;
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
	return 0;
}

static int put_together(struct surveying *y)
{
	int err = y->in->config ? add_listed(y) : add_given(y);

	if (err == 0)
		err = matcher_run(y->matcher, take_match, y);
	if (err < 0)
		return fail(y, err, "matching");
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
	err = sort_matches(y);
	return err < 0 ? fail(y, err, "sorting") : 0;
}

int survey_run(const struct survey_input *in, struct survey *ret_survey, char ret_why[SURVEY_WHY])
{
	struct survey s = {
		.matches = json_array(), .refusals = json_array(), .notes = json_array()};
	struct surveying y = {.in = in, .s = &s, .matcher = matcher_new(), .why = ret_why};
	int err = s.matches && s.refusals && s.notes && y.matcher ? load_advisories(&y)
								  : fail(&y, -ENOMEM, "a survey");

	if (err == 0)
		err = put_together(&y);
	matcher_free(y.matcher);
	library_free(&y.library);
	for (size_t i = 0; i < y.part_count; i++) {
		sbom_free(y.parts[i].sbom);
		free(y.parts[i].path);
	}
	free(y.parts);
	if (err == 0)
		*ret_survey = s;
	else
		survey_free(&s);
	return err;
}

void survey_free(struct survey *s)
{
	json_decref(s->matches);
	json_decref(s->refusals);
	json_decref(s->notes);
}

json_t *survey_json(const struct survey *s)
{
	return json_pack("{s:I, s:I, s:O, s:O, s:O}", "devices", (json_int_t)s->devices,
			 "advisories", (json_int_t)s->advisories, "matches", s->matches, "notes",
			 s->notes, "refused", s->refusals);
}
