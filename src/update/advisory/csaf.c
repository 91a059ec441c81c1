#include "update/advisory/csaf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "update/tuf/canon.h"

#define BRANCHES_DEEP 30
#define LIST_MAX      256
#define TITLE_MAX     1000

struct reading {
	struct csaf *c;
	json_t *ids;	/* product id → its index */
	json_t *groups; /* group id → a list of product ids */
	/* The names last made, and of what: a vendor is above many products. */
	const char *vendor_of, *name_of;
	struct name vendor, name;
	size_t states;
	int err;
	char *why;
};

static const char *const status_names[CSAF_STATUSES] = {
	"known_affected", "first_affected",	"last_affected", "fixed",
	"first_fixed",	  "known_not_affected", "recommended",	 "under_investigation",
};

const char *csaf_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

void csaf_fault(struct csaf *c, const char *name, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (unsigned i = 0; i < c->fault_count; i++)
		if (strcmp(c->faults[i].name, name) == 0 && strcmp(c->faults[i].text, text) == 0)
			return;
	if (c->fault_count == CSAF_FAULTS_MAX) {
		c->faults_more++;
		return;
	}
	c->faults[c->fault_count++] = (struct csaf_fault){name, arena_text(&c->arena, text)};
}

static int stop(struct reading *r, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int stop(struct reading *r, int err, const char *fmt, ...)
{
	va_list ap;

	if (r->err)
		return r->err;
	va_start(ap, fmt);
	vsnprintf(r->why, 160, fmt, ap);
	va_end(ap);
	return r->err = err;
}

static uint32_t product_of(const struct reading *r, const char *id)
{
	const json_t *at = json_object_get(r->ids, id);

	return at ? (uint32_t)json_integer_value(at) : CSAF_NONE;
}

/* --- products ------------------------------------------------------------------- */

static const char **take_patterns(struct arena *a, const json_t *list, unsigned *ret_count)
{
	size_t n = json_array_size(list), i;
	const char **texts =
		n ? arena_take(a, (n < LIST_MAX ? n : LIST_MAX) * sizeof(*texts)) : NULL;
	const json_t *v;

	*ret_count = 0;
	if (!texts)
		return NULL;
	json_array_foreach (list, i, v)
		if (json_is_string(v) && *ret_count < LIST_MAX)
			texts[(*ret_count)++] = arena_text(a, json_string_value(v));
	return texts;
}

static const struct identifier *take_identifier(struct reading *r, const char *product,
						const char *kind, const char *text)
{
	struct identifier id, *copy;

	if (!*text)
		return NULL;
	if (identifier_parse(text, &id) < 0 || id.cpe != (strcmp(kind, "cpe") == 0)) {
		csaf_fault(r->c, "identifier.unreadable", "%s: %s '%.80s' is none", product, kind,
			   text);
		return NULL;
	}
	copy = arena_take(&r->c->arena, sizeof(*copy));
	if (copy)
		*copy = id;
	return copy;
}

static void take_helper(struct reading *r, struct csaf_product *p, const json_t *helper)
{
	p->cpe = take_identifier(r, p->id, "cpe", csaf_text(helper, "cpe"));
	p->purl = take_identifier(r, p->id, "purl", csaf_text(helper, "purl"));
	p->serials = take_patterns(&r->c->arena, json_object_get(helper, "serial_numbers"),
				   &p->serial_count);
	p->models = take_patterns(&r->c->arena, json_object_get(helper, "model_numbers"),
				  &p->model_count);
}

/* Of where a product stands in the tree: the last of each kind above it. */
struct place {
	const char *vendor, *product, *version;
	const char *kind; /* of the version's branch */
};

static void take_range(struct reading *r, struct csaf_product *p, const struct place *at)
{
	const char *version = p->version;
	struct range range, *copy;

	if (!*version && p->purl)
		version = p->purl->version;
	else if (!*version && p->cpe)
		version = p->cpe->version;
	if (!*version)
		return;
	p->unreadable = range_parse(version, &range) < 0;
	if (p->unreadable) {
		csaf_fault(r->c, "range.unreadable", "%s: '%.80s' names no version", p->id,
			   version);
		return;
	}
	copy = arena_take(&r->c->arena, range_size(&range));
	if (copy)
		memcpy(copy, &range, range_size(&range));
	p->range = copy;
	if (range.vers && !version_scheme_known(range.scheme))
		csaf_fault(r->c, "range.unknown_scheme",
			   "%s: nothing orders versions of the scheme '%s'", p->id, range.scheme);
	if (strcmp(at->kind, "product_version_range") == 0 && !range.vers)
		csaf_fault(r->c, "range.not_vers",
			   "%s: '%.80s' is a range in words of its own, not in the vers notation",
			   p->id, version);
}

static void take_names(struct reading *r, struct csaf_product *p, const struct place *at)
{
	if (r->vendor_of != at->vendor)
		name_vendor(&r->c->arena, at->vendor, &r->vendor);
	r->vendor_of = at->vendor;
	p->vendor = r->vendor;
	if (!*at->product)
		name_product(&r->c->arena, p->title, &r->name);
	else if (r->name_of != at->product)
		name_product(&r->c->arena, at->product, &r->name);
	r->name_of = *at->product ? at->product : NULL;
	p->product = r->name;
}

static struct csaf_product *new_product(struct reading *r, const json_t *full,
					const struct place *at)
{
	struct csaf *c = r->c;
	const char *id = csaf_text(full, "product_id");
	struct csaf_product *p;

	if (!*id) {
		csaf_fault(c, "product.no_id", "a product '%.80s' has no product_id",
			   csaf_text(full, "name"));
		return NULL;
	}
	if (product_of(r, id) != CSAF_NONE) {
		csaf_fault(c, "product.twice", "product_id %.80s is defined more than once", id);
		return NULL;
	}
	if (c->product_count == CSAF_PRODUCTS_MAX) {
		stop(r, -EFBIG, "more than %d products", CSAF_PRODUCTS_MAX);
		return NULL;
	}
	p = &c->products[c->product_count];
	*p = (struct csaf_product){
		.id = arena_text(&c->arena, id),
		.title = arena_text(&c->arena, csaf_text(full, "name")),
		.version = arena_text(&c->arena, at->version),
		.component = CSAF_NONE,
		.host = CSAF_NONE,
	};
	take_names(r, p, at);
	take_helper(r, p, json_object_get(full, "product_identification_helper"));
	take_range(r, p, at);
	if (!p->product.count && !p->cpe && !p->purl)
		csaf_fault(c, "product.nameless", "%s: its name says nothing", p->id);
	if (json_object_set_new(r->ids, id, json_integer(c->product_count)) < 0)
		stop(r, -ENOMEM, "out of memory");
	c->product_count++;
	return p;
}

/* CSAF §3.1.2.2: what a branch is called says what it is. */
static void step_into(struct place *at, const json_t *branch)
{
	const char *category = csaf_text(branch, "category"), *name = csaf_text(branch, "name");

	if (strcmp(category, "vendor") == 0)
		at->vendor = name;
	else if (strcmp(category, "product_name") == 0)
		at->product = name;
	else if (strncmp(category, "product_version", 15) == 0) {
		at->version = name;
		at->kind = category;
	}
}

static void read_branches(struct reading *r, const json_t *list, struct place above, unsigned deep)
{
	const json_t *branch, *full;
	size_t i;

	if (deep == BRANCHES_DEEP) {
		stop(r, -EFBIG, "branches are nested more than %d deep", BRANCHES_DEEP);
		return;
	}
	json_array_foreach (list, i, branch) {
		struct place at = above;

		if (r->err)
			return;
		step_into(&at, branch);
		full = json_object_get(branch, "product");
		if (json_is_object(full))
			new_product(r, full, &at);
		read_branches(r, json_object_get(branch, "branches"), at, deep + 1);
	}
}

static void read_relationships(struct reading *r, const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one) {
		const char *component = csaf_text(one, "product_reference");
		const char *host = csaf_text(one, "relates_to_product_reference");
		struct csaf_product *p;
		uint32_t c = product_of(r, component), h = product_of(r, host);

		p = new_product(r, json_object_get(one, "full_product_name"),
				&(struct place){"", "", "", ""});
		if (r->err || !p)
			continue;
		if (c == CSAF_NONE || h == CSAF_NONE)
			csaf_fault(r->c, "product.undefined",
				   "%s relates to %.80s, which is not defined", p->id,
				   c == CSAF_NONE ? component : host);
		p->component = c;
		p->host = h;
	}
}

static size_t count_products(const json_t *list, unsigned deep)
{
	const json_t *branch;
	size_t i, n = 0;

	if (deep == BRANCHES_DEEP)
		return 0;
	json_array_foreach (list, i, branch)
		n += 1 + count_products(json_object_get(branch, "branches"), deep + 1);
	return n;
}

static void read_groups(struct reading *r, const json_t *list)
{
	const json_t *group;
	size_t i;

	json_array_foreach (list, i, group) {
		const char *id = csaf_text(group, "group_id");

		if (json_object_get(r->groups, id))
			csaf_fault(r->c, "group.twice", "group_id %.80s is defined more than once",
				   id);
		else
			json_object_set(r->groups, id, json_object_get(group, "product_ids"));
	}
}

static void read_products(struct reading *r, const json_t *tree)
{
	const json_t *names = json_object_get(tree, "full_product_names"), *full;
	const json_t *relations = json_object_get(tree, "relationships");
	size_t n = count_products(json_object_get(tree, "branches"), 0) + json_array_size(names) +
		   json_array_size(relations),
	       i;

	if (n > CSAF_PRODUCTS_MAX)
		n = CSAF_PRODUCTS_MAX;
	r->c->products = arena_take(&r->c->arena, (n + 1) * sizeof(*r->c->products));
	if (!r->c->products) {
		stop(r, -ENOMEM, "out of memory");
		return;
	}
	read_branches(r, json_object_get(tree, "branches"), (struct place){"", "", "", ""}, 0);
	json_array_foreach (names, i, full)
		if (!r->err)
			new_product(r, full, &(struct place){"", "", "", ""});
	if (!r->err)
		read_relationships(r, relations);
	read_groups(r, json_object_get(tree, "product_groups"));
}

/* --- vulnerabilities -------------------------------------------------------------- */

static void read_states(struct reading *r, struct csaf_vulnerability *v, const json_t *status)
{
	const json_t *id;
	size_t n = 0, i;

	for (int s = 0; s < CSAF_STATUSES; s++)
		n += json_array_size(json_object_get(status, status_names[s]));
	r->states += n;
	if (r->states > CSAF_STATUSES_MAX) {
		stop(r, -EFBIG, "more than %d product states", CSAF_STATUSES_MAX);
		return;
	}
	v->states = n ? arena_take(&r->c->arena, n * sizeof(*v->states)) : NULL;
	for (int s = 0; v->states && s < CSAF_STATUSES; s++)
		json_array_foreach (json_object_get(status, status_names[s]), i, id) {
			const char *text = json_string_value(id) ? json_string_value(id) : "";
			uint32_t p = product_of(r, text);

			if (p == CSAF_NONE)
				csaf_fault(r->c, "product.undefined",
					   "%s: product %.80s is %s and not defined", v->cve, text,
					   status_names[s]);
			else
				v->states[v->state_count++] = (struct csaf_state){p, (uint32_t)s};
		}
}

static void add_remedy_products(struct reading *r, struct csaf_remedy *m, const json_t *ids)
{
	const json_t *id;
	size_t i;

	json_array_foreach (ids, i, id) {
		const char *text = json_string_value(id) ? json_string_value(id) : "";
		uint32_t p = product_of(r, text);

		if (p == CSAF_NONE)
			csaf_fault(r->c, "product.undefined",
				   "a remediation is for product %.80s, which is not defined",
				   text);
		else
			m->products[m->product_count++] = p;
	}
}

static void read_remedies(struct reading *r, struct csaf_vulnerability *v, const json_t *list)
{
	size_t n = json_array_size(list), i, j;
	const json_t *one, *group;

	v->remedies = n ? arena_take(&r->c->arena, n * sizeof(*v->remedies)) : NULL;
	json_array_foreach (list, i, one) {
		const json_t *ids = json_object_get(one, "product_ids");
		const json_t *groups = json_object_get(one, "group_ids");
		struct csaf_remedy *m;

		if (!v->remedies)
			return;
		n = json_array_size(ids);
		json_array_foreach (groups, j, group)
			n += json_array_size(json_object_get(
				r->groups,
				json_string_value(group) ? json_string_value(group) : ""));
		r->states += n;
		if (r->states > CSAF_STATUSES_MAX) {
			stop(r, -EFBIG, "more than %d product states", CSAF_STATUSES_MAX);
			return;
		}
		m = &v->remedies[v->remedy_count++];
		m->category = arena_text(&r->c->arena, csaf_text(one, "category"));
		m->details = arena_text(&r->c->arena, csaf_text(one, "details"));
		m->url = arena_text(&r->c->arena, csaf_text(one, "url"));
		m->products = n ? arena_take(&r->c->arena, n * sizeof(*m->products)) : NULL;
		if (!m->products)
			continue;
		add_remedy_products(r, m, ids);
		json_array_foreach (groups, j, group)
			add_remedy_products(
				r, m,
				json_object_get(r->groups, json_string_value(group)
								   ? json_string_value(group)
								   : ""));
	}
}

static void read_scores(struct csaf *c, struct csaf_vulnerability *v, const json_t *scores)
{
	const json_t *one;
	size_t i;

	v->score = -1;
	v->vector = "";
	json_array_foreach (scores, i, one) {
		const json_t *cvss = json_object_get(one, "cvss_v3");
		const json_t *base = json_object_get(cvss, "baseScore");
		double n = json_number_value(base);
		int tenths = n >= 0 && n <= 10 ? (int)(n * 10 + 0.5) : -1;

		if (!json_is_number(base) || tenths <= v->score)
			continue;
		v->score = tenths;
		v->vector = arena_text(&c->arena, csaf_text(cvss, "vectorString"));
	}
}

/* The text of the first note or threat of a category. */
static const char *note_of(const json_t *list, const char *category, const char *key)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (strcmp(csaf_text(one, "category"), category) == 0)
			return csaf_text(one, key);
	return "";
}

static void read_vulnerability(struct reading *r, struct csaf_vulnerability *v, const json_t *o)
{
	struct arena *a = &r->c->arena;
	const json_t *cwe = json_object_get(o, "cwe"), *notes = json_object_get(o, "notes");
	const json_t *id = json_array_get(json_object_get(o, "ids"), 0);
	const char *cve = csaf_text(o, "cve"), *summary = note_of(notes, "summary", "text");

	v->cve = arena_text(a, *cve ? cve : csaf_text(id, "text"));
	v->title = arena_text(a, csaf_text(o, "title"));
	v->cwe = arena_text(a, csaf_text(cwe, "id"));
	v->summary = arena_text(a, *summary ? summary : note_of(notes, "description", "text"));
	v->impact = arena_text(a, note_of(json_object_get(o, "threats"), "impact", "details"));
	read_scores(r->c, v, json_object_get(o, "scores"));
	read_states(r, v, json_object_get(o, "product_status"));
	if (!r->err)
		read_remedies(r, v, json_object_get(o, "remediations"));
}

static void read_vulnerabilities(struct reading *r, const json_t *list)
{
	size_t n = json_array_size(list), i;
	const json_t *one;

	if (n > CSAF_VULNERABILITIES_MAX) {
		stop(r, -EFBIG, "more than %d vulnerabilities", CSAF_VULNERABILITIES_MAX);
		return;
	}
	r->c->vulnerabilities =
		n ? arena_take(&r->c->arena, n * sizeof(*r->c->vulnerabilities)) : NULL;
	json_array_foreach (list, i, one)
		if (!r->err && r->c->vulnerabilities)
			read_vulnerability(r, &r->c->vulnerabilities[r->c->vulnerability_count++],
					   one);
}

/* --- the document ------------------------------------------------------------------- */

static void read_document(struct reading *r, const json_t *document)
{
	struct csaf *c = r->c;
	const json_t *tracking = json_object_get(document, "tracking");
	const json_t *publisher = json_object_get(document, "publisher"), *one;
	const char *version = csaf_text(document, "csaf_version"), *self = "";
	size_t i;

	if (strcmp(version, "2.0") != 0) {
		stop(r, -EBADMSG, "document.csaf_version is '%.20s'; expected 2.0", version);
		return;
	}
	json_array_foreach (json_object_get(document, "references"), i, one) {
		const char *url = csaf_text(one, "url");

		if (strcmp(csaf_text(one, "category"), "self") == 0 &&
		    (!*self || !strstr(url, ".json")))
			self = url;
	}
	c->id = arena_text(&c->arena, csaf_text(tracking, "id"));
	c->title = arena_short(&c->arena, csaf_text(document, "title"), TITLE_MAX);
	c->category = arena_text(&c->arena, csaf_text(document, "category"));
	c->publisher = arena_text(&c->arena, csaf_text(publisher, "name"));
	c->version = arena_text(&c->arena, csaf_text(tracking, "version"));
	c->tracking = arena_text(&c->arena, csaf_text(tracking, "status"));
	c->released = arena_text(&c->arena, csaf_text(tracking, "initial_release_date"));
	c->revised = arena_text(&c->arena, csaf_text(tracking, "current_release_date"));
	c->url = arena_text(&c->arena, self);
	if (!*c->id)
		stop(r, -EBADMSG,
		     "document.tracking.id is missing; without it nobody can refer to it");
}

int csaf_parse(struct bytes text, const char *name, struct csaf **ret_csaf, char ret_why[160])
{
	struct reading r = {.why = ret_why};
	json_t *whole = NULL;

	if (text.len > CSAF_BYTES_MAX) {
		snprintf(ret_why, 160, "it is longer than %d MiB", CSAF_BYTES_MAX >> 20);
		return -EFBIG;
	}
	r.err = canon_parse(text, &whole, ret_why);
	if (r.err < 0)
		return r.err;
	r.c = calloc(1, sizeof(*r.c));
	r.ids = json_object();
	r.groups = json_object();
	if (!r.c || !r.ids || !r.groups)
		stop(&r, -ENOMEM, "out of memory");
	if (!r.err)
		read_document(&r, json_object_get(whole, "document"));
	if (!r.err)
		read_products(&r, json_object_get(whole, "product_tree"));
	if (!r.err)
		read_vulnerabilities(&r, json_object_get(whole, "vulnerabilities"));
	if (!r.err)
		csaf_check(r.c, whole, name);
	if (r.c && r.c->arena.no_memory)
		stop(&r, -ENOMEM, "out of memory");
	json_decref(r.ids);
	json_decref(r.groups);
	json_decref(whole);
	if (r.err) {
		csaf_free(r.c);
		return r.err;
	}
	*ret_csaf = r.c;
	return 0;
}

void csaf_free(struct csaf *c)
{
	if (!c)
		return;
	arena_free(&c->arena);
	free(c);
}
