#include "update/advisory/match_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

/* CSAF §3.1.3.3.4: `*` any characters, `?` one or none, a backslash takes their meaning. */
static bool pattern_fits(const char *p, const char *s)
{
	const char *star = NULL, *mark = NULL;

	while (*s) {
		bool plain = *p == '\\' && p[1];

		if (*p == '*') {
			star = p++;
			mark = s;
		} else if (*p == '?' ||
			   (*p && tolower((unsigned char)p[plain]) == tolower((unsigned char)*s))) {
			p += 1 + plain;
			s++;
		} else if (star) {
			p = star + 1;
			s = ++mark;
		} else {
			return false;
		}
	}
	while (*p == '*' || *p == '?')
		p++;
	return !*p;
}

static bool any_fits(const char *const *patterns, unsigned count, const char *text)
{
	for (unsigned i = 0; *text && i < count; i++)
		if (pattern_fits(patterns[i], text))
			return true;
	return false;
}

static enum range_answer is_version(const struct csaf_product *p, const char *version)
{
	if (p->unreadable)
		return RANGE_UNKNOWN;
	return p->range ? range_contains(p->range, version) : RANGE_YES;
}

/* A product that lists serial numbers is only those. */
static bool check_serial(const struct csaf_product *p, const struct match_device *d,
			 struct match_reason *r)
{
	if (!p->serial_count || r->component != CSAF_NONE)
		return true;
	if (!*d->serial) {
		r->version = r->version == RANGE_NO ? RANGE_NO : RANGE_UNKNOWN;
		return true;
	}
	r->serial = any_fits(p->serials, p->serial_count, d->serial);
	return r->serial;
}

static void add_hit(struct hits *h, const struct matcher *m, uint32_t advisory,
		    const struct match_device *d, const char *version, struct match_reason r)
{
	const struct csaf_product *p = &m->advisories[advisory].c->products[r.product];
	void *list = h->list;

	r.version = is_version(p, version);
	if (!check_serial(p, d, &r))
		return;
	if (p->misspelt && !r.identifier)
		r.certainty = MATCH_PART;
	else if (r.identifier || r.serial)
		r.certainty = r.certainty == MATCH_PART ? MATCH_PART : MATCH_IDENTIFIER;
	else if (r.certainty == MATCH_NAME && !r.vendor_unknown && r.version != RANGE_UNKNOWN)
		r.certainty = MATCH_NAME_VERSION;
	if (h->count == MATCH_HITS) {
		h->full = true;
		return;
	}
	if (!match_grow(&list, h->count, &h->cap, sizeof(*h->list))) {
		h->err = -ENOMEM;
		return;
	}
	h->list = list;
	h->list[h->count++] = (struct hit){advisory, r};
}

static void find_device_by_vendor(const struct matcher *m, const struct device *v, struct hits *h)
{
	for (unsigned f = 0; f < v->vendor.count; f++) {
		const struct name_form *form = &v->vendor.form[f];
		const uint64_t keys[] = {form->whole, form->first};

		for (unsigned k = 0; k < 2 && (k == 0 || keys[1] != keys[0]); k++) {
			size_t end, i = match_entries(m, BY_VENDOR, keys[k], &end);

			for (; i < end && !h->full; i++) {
				const struct entry *e = &m->entries[i];
				const struct csaf_product *p =
					&m->advisories[e->advisory].c->products[e->product];
				enum name_fit vendor = name_vendor_fit(&v->vendor, &p->vendor);
				enum name_fit name =
					vendor == NAME_NO
						? NAME_NO
						: name_product_fit(&v->model, &p->product);
				bool model = vendor != NAME_NO &&
					     any_fits(p->models, p->model_count, v->d.model);

				if (vendor != NAME_NO && name != NAME_SAME &&
				    name_product_fit(&v->both, &p->product) == NAME_SAME)
					name = NAME_SAME; /* "BD Alaris 8015" of BD */
				if (name == NAME_NO && !model)
					continue;
				add_hit(h, m, e->advisory, &v->d, v->d.version,
					(struct match_reason){.product = e->product,
							      .component = CSAF_NONE,
							      .identifier = model,
							      .certainty =
								      model || name == NAME_SAME
									      ? MATCH_NAME
									      : MATCH_PART});
			}
		}
	}
}

/* Where one side does not say who made it, only the whole name counts, and as less. */
static void find_device_by_name(const struct matcher *m, const struct device *v, struct hits *h)
{
	const struct name *const names[] = {&v->model, &v->both};

	for (unsigned n = 0; n < 2; n++)
		for (unsigned f = 0; f < names[n]->count; f++) {
			size_t end, i = match_entries(m, BY_NAME, names[n]->form[f].whole, &end);

			for (; i < end && !h->full; i++) {
				const struct entry *e = &m->entries[i];
				const struct csaf_product *p =
					&m->advisories[e->advisory].c->products[e->product];
				bool said = n == 1 && v->vendor.count; /* the name says the maker */

				if ((v->vendor.count && p->vendor.count) ||
				    name_product_fit(names[n], &p->product) != NAME_SAME)
					continue;
				add_hit(h, m, e->advisory, &v->d, v->d.version,
					(struct match_reason){.product = e->product,
							      .component = CSAF_NONE,
							      .vendor_unknown = !said,
							      .certainty = MATCH_NAME});
			}
		}
}

static void find_identifier(const struct matcher *m, const struct match_device *d,
			    const struct identifier *id, const char *version, uint32_t component,
			    struct hits *h)
{
	size_t end, i;

	if (!id)
		return;
	for (i = match_entries(m, BY_IDENTIFIER, match_identifier_key(id), &end);
	     i < end && !h->full; i++) {
		const struct entry *e = &m->entries[i];
		const struct csaf_product *p = &m->advisories[e->advisory].c->products[e->product];
		const struct identifier *theirs = id->cpe ? p->cpe : p->purl;

		if (theirs && identifier_same(id, theirs))
			add_hit(h, m, e->advisory, d, version,
				(struct match_reason){.product = e->product,
						      .component = component,
						      .identifier = true,
						      .certainty = MATCH_NAME});
	}
}

static void find_component(const struct matcher *m, const struct match_device *d,
			   const struct sbom_component *c, uint32_t number, struct hits *h)
{
	find_identifier(m, d, c->cpe,
			*c->version ? c->version
			: c->cpe    ? c->cpe->version
				    : "",
			number, h);
	find_identifier(m, d, c->purl,
			*c->version ? c->version
			: c->purl   ? c->purl->version
				    : "",
			number, h);
	for (unsigned f = 0; f < c->name.count; f++) {
		size_t end, i = match_entries(m, BY_NAME, c->name.form[f].whole, &end);

		for (; i < end && !h->full; i++) {
			const struct entry *e = &m->entries[i];
			const struct csaf_product *p =
				&m->advisories[e->advisory].c->products[e->product];
			bool unknown = !c->vendor.count || !p->vendor.count;

			if (name_product_fit(&c->name, &p->product) != NAME_SAME ||
			    (!unknown && name_vendor_fit(&c->vendor, &p->vendor) == NAME_NO))
				continue;
			add_hit(h, m, e->advisory, d, c->version,
				(struct match_reason){.product = e->product,
						      .component = number,
						      .vendor_unknown = unknown,
						      .certainty = MATCH_NAME});
		}
	}
}

static int hit_order(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	if (x->advisory != y->advisory)
		return x->advisory < y->advisory ? -1 : 1;
	if (x->reason.product != y->reason.product)
		return x->reason.product < y->reason.product ? -1 : 1;
	if (x->reason.certainty != y->reason.certainty)
		return x->reason.certainty < y->reason.certainty ? -1 : 1;
	return (x->reason.component > y->reason.component) -
	       (x->reason.component < y->reason.component);
}

void match_find(const struct matcher *m, const struct device *v, struct hits *h)
{
	const struct sbom *s = v->d.sbom;

	h->count = 0;
	h->full = false;
	find_device_by_vendor(m, v, h);
	find_device_by_name(m, v, h);
	if (s && s->has_self) {
		const char *version = *v->d.version ? v->d.version : s->self.version;

		find_identifier(m, &v->d, s->self.cpe, version, CSAF_NONE, h);
		find_identifier(m, &v->d, s->self.purl, version, CSAF_NONE, h);
	}
	for (uint32_t i = 0; s && i < s->count && !h->full; i++)
		find_component(m, &v->d, &s->components[i], i, h);
	if (h->count)
		qsort(h->list, h->count, sizeof(*h->list), hit_order);
}
