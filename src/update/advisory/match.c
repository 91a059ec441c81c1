#include "update/advisory/match.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASONS_MAX 64	   /* of one pair; an advisory that has more says the same of all */
#define HITS_MAX    200000 /* of one device, in all advisories */

/* Where a product is looked up: by its vendor, its own name, or what a machine calls it. */
enum key_kind { BY_VENDOR, BY_NAME, BY_IDENTIFIER, BY_MODEL };

struct entry {
	uint64_t key;
	uint32_t advisory, product;
	uint32_t kind;
};

struct device {
	struct match_device d;
	struct name vendor, model, both; /* both: "Philips IntelliVue MX40" as one name */
	uint64_t sort;			 /* of vendor and model, to tell models apart */
};

struct advisory {
	const struct csaf *c;
	unsigned models; /* different ones it fitted */
	uint64_t last_sort;
};

struct matcher {
	struct device *devices;
	uint32_t device_count, device_cap;
	struct advisory *advisories;
	uint32_t advisory_count, advisory_cap;
	struct entry *entries;
	size_t entry_count, entry_cap;
	struct arena arena;
	unsigned models; /* different ones among the devices */
	unsigned cut;	 /* devices with more hits than the bound */
	bool sorted;
	/* of the pair at hand */
	struct match_reason reasons[REASONS_MAX];
	unsigned reason_count;
	struct match_vulnerability *found;
	uint32_t found_cap;
};

/* A product that fits the device at hand. */
struct hit {
	uint32_t advisory;
	struct match_reason reason;
};

struct hits {
	struct hit *list;
	size_t count, cap;
	bool full;
	int err;
};

static const char *const certainty_names[] = {"identifier", "name_and_version", "name",
					      "part_of_name"};
static const char *const status_names[] = {"affected", "cannot_tell", "under_investigation",
					   "fixed", "not_affected"};

const char *match_certainty_name(enum match_certainty c)
{
	return c < MATCH_CERTAINTIES ? certainty_names[c] : "";
}

const char *match_status_name(enum match_status s)
{
	return s < MATCH_STATUSES ? status_names[s] : "";
}

struct matcher *matcher_new(void)
{
	return calloc(1, sizeof(struct matcher));
}

void matcher_free(struct matcher *m)
{
	if (!m)
		return;
	arena_free(&m->arena);
	free(m->devices);
	free(m->advisories);
	free(m->entries);
	free(m->found);
	free(m);
}

static bool grow(void **list, size_t count, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 64;
	void *p;

	if (count < *cap)
		return true;
	p = reallocarray(*list, more, size);
	if (!p)
		return false;
	*list = p;
	*cap = more;
	return true;
}

/* --- what is looked up, and by what ----------------------------------------------- */

static uint64_t hash_text(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)tolower((unsigned char)*s)) * 0x100000001b3ull;
	return (h ^ 0xff) * 0x100000001b3ull;
}

static uint64_t identifier_key(const struct identifier *id)
{
	uint64_t h = id->cpe ? 7 : 11;

	return hash_text(hash_text(hash_text(h, id->kind), id->vendor), id->product);
}

static bool add_entry(struct matcher *m, enum key_kind kind, uint64_t key, uint32_t product)
{
	void *list = m->entries;

	if (!grow(&list, m->entry_count, &m->entry_cap, sizeof(*m->entries)))
		return false;
	m->entries = list;
	m->entries[m->entry_count++] =
		(struct entry){key, m->advisory_count, product, (uint32_t)kind};
	return true;
}

static bool add_product(struct matcher *m, const struct csaf_product *p, uint32_t i)
{
	bool ok = true;

	for (unsigned f = 0; ok && f < p->vendor.count; f++) {
		ok = add_entry(m, BY_VENDOR, p->vendor.form[f].whole, i);
		if (ok && p->vendor.form[f].first != p->vendor.form[f].whole)
			ok = add_entry(m, BY_VENDOR, p->vendor.form[f].first, i);
	}
	for (unsigned f = 0; ok && f < p->product.count; f++)
		if (p->product.form[f].telling)
			ok = add_entry(m, BY_NAME, p->product.form[f].whole, i);
	if (ok && p->cpe)
		ok = add_entry(m, BY_IDENTIFIER, identifier_key(p->cpe), i);
	if (ok && p->purl)
		ok = add_entry(m, BY_IDENTIFIER, identifier_key(p->purl), i);
	return ok;
}

int matcher_add_advisory(struct matcher *m, const struct csaf *c)
{
	size_t cap = m->advisory_cap;
	void *list = m->advisories;

	if (!grow(&list, m->advisory_count, &cap, sizeof(*m->advisories)))
		return -ENOMEM;
	m->advisories = list;
	m->advisory_cap = (uint32_t)cap;
	m->advisories[m->advisory_count] = (struct advisory){.c = c};
	for (uint32_t i = 0; i < c->product_count; i++)
		if (!add_product(m, &c->products[i], i))
			return -ENOMEM;
	m->advisory_count++;
	m->sorted = false;
	return 0;
}

int matcher_add_device(struct matcher *m, const struct match_device *d)
{
	size_t cap = m->device_cap;
	void *list = m->devices;
	struct device *v;
	char both[600];

	if (!grow(&list, m->device_count, &cap, sizeof(*m->devices)))
		return -ENOMEM;
	m->devices = list;
	m->device_cap = (uint32_t)cap;
	v = &m->devices[m->device_count];
	*v = (struct device){.d = *d};
	snprintf(both, sizeof(both), "%.280s %.280s", d->vendor, d->model);
	name_vendor(&m->arena, d->vendor, &v->vendor);
	name_product(&m->arena, d->model, &v->model);
	name_product(&m->arena, *d->model ? both : "", &v->both);
	v->sort = hash_text(hash_text(1, d->vendor), d->model);
	if (m->arena.no_memory)
		return -ENOMEM;
	m->device_count++;
	return 0;
}

static int entry_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->advisory != y->advisory)
		return x->advisory < y->advisory ? -1 : 1;
	return (x->product > y->product) - (x->product < y->product);
}

/* The first entry of a key; *ret_end is behind the last. */
static size_t entries_of(const struct matcher *m, enum key_kind kind, uint64_t key, size_t *ret_end)
{
	size_t low = 0, high = m->entry_count, at;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct entry *e = &m->entries[mid];

		if (e->kind < (uint32_t)kind || (e->kind == (uint32_t)kind && e->key < key))
			low = mid + 1;
		else
			high = mid;
	}
	for (at = low; at < m->entry_count && m->entries[at].kind == (uint32_t)kind &&
		       m->entries[at].key == key;)
		at++;
	*ret_end = at;
	return low;
}

/* --- does a product fit? ------------------------------------------------------------ */

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
	if (h->count == HITS_MAX) {
		h->full = true;
		return;
	}
	if (!grow(&list, h->count, &h->cap, sizeof(*h->list))) {
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
			size_t end, i = entries_of(m, BY_VENDOR, keys[k], &end);

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
			size_t end, i = entries_of(m, BY_NAME, names[n]->form[f].whole, &end);

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
	for (i = entries_of(m, BY_IDENTIFIER, identifier_key(id), &end); i < end && !h->full; i++) {
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
		size_t end, i = entries_of(m, BY_NAME, c->name.form[f].whole, &end);

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

static void find(const struct matcher *m, const struct device *v, struct hits *h)
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

/* --- what does the advisory say of it? ------------------------------------------------ */

static int reason_order(const void *a, const void *b)
{
	const struct match_reason *x = a, *y = b;

	return (x->product > y->product) - (x->product < y->product);
}

/*
 * "Component on host", CSAF §3.2.2.5: the host is this device; whether the component is in it the
 * SBOM says, and where there is none nobody does.
 */
static void relate(struct matcher *m, const struct csaf *c, const struct match_device *d)
{
	unsigned known = m->reason_count;

	for (uint32_t i = 0; i < c->product_count && m->reason_count < REASONS_MAX; i++) {
		const struct csaf_product *p = &c->products[i];
		const struct match_reason *host = NULL, *part = NULL;
		struct match_reason r;

		if (p->host == CSAF_NONE || p->component == CSAF_NONE)
			continue;
		for (unsigned j = 0; j < known; j++) {
			if (m->reasons[j].product == p->host)
				host = &m->reasons[j];
			if (m->reasons[j].product == p->component)
				part = &m->reasons[j];
		}
		if (!host || host->version == RANGE_NO)
			continue;
		if (!part && d->sbom)
			continue; /* it has a list of its parts, and this is not in it */
		r = part ? *part : *host;
		r.product = i;
		if (!part || host->version == RANGE_UNKNOWN)
			r.version = r.version == RANGE_NO ? RANGE_NO : RANGE_UNKNOWN;
		if (host->certainty > r.certainty)
			r.certainty = host->certainty;
		m->reasons[m->reason_count++] = r;
	}
	if (m->reason_count > known)
		qsort(m->reasons, m->reason_count, sizeof(*m->reasons), reason_order);
}

/* The product stands for one version; is the device's at or past it (`op` VERSION_GE), or before? */
static enum range_answer beside(const struct csaf_product *p, const char *version,
				enum version_op op)
{
	struct range r = {.count = 1};

	if (!p->range || p->range->count != 1 || p->range->all)
		return RANGE_UNKNOWN;
	memcpy(r.scheme, p->range->scheme, sizeof(r.scheme));
	r.part[0] = p->range->part[0];
	r.part[0].op = op;
	return range_contains(&r, version);
}

static const char *version_of(const struct match_device *d, const struct match_reason *r)
{
	if (r->component == CSAF_NONE)
		return d->version;
	return d->sbom->components[r->component].version;
}

struct weighing {
	enum range_answer affected, fixed, denied;
	enum range_answer first, last; /* the ends of what is affected */
	bool has_first, has_last, investigated;
};

static void worst(enum range_answer *to, enum range_answer a)
{
	if (a == RANGE_YES || (a == RANGE_UNKNOWN && *to == RANGE_NO))
		*to = a;
}

static void weigh(struct weighing *w, const struct csaf_product *p, const struct match_device *d,
		  const struct match_reason *r, enum csaf_status status)
{
	const char *version = version_of(d, r);

	switch (status) {
	case CSAF_KNOWN_AFFECTED:
		worst(&w->affected, r->version);
		break;
	case CSAF_FIRST_AFFECTED:
		w->has_first = true;
		worst(&w->first, beside(p, version, VERSION_GE));
		break;
	case CSAF_LAST_AFFECTED:
		w->has_last = true;
		worst(&w->last, beside(p, version, VERSION_LE));
		break;
	case CSAF_FIXED:
		worst(&w->fixed, r->version == RANGE_UNKNOWN ? RANGE_NO : r->version);
		break;
	case CSAF_FIRST_FIXED:
		worst(&w->fixed,
		      beside(p, version, VERSION_GE) == RANGE_YES ? RANGE_YES : RANGE_NO);
		break;
	case CSAF_NOT_AFFECTED:
		worst(&w->denied, r->version == RANGE_UNKNOWN ? RANGE_NO : r->version);
		break;
	case CSAF_INVESTIGATED:
		w->investigated |= r->version != RANGE_NO;
		break;
	default:
		break;
	}
}

/* Both ends must hold where both are said. */
static void close_range(struct weighing *w)
{
	enum range_answer a = w->has_first ? w->first : RANGE_YES;
	enum range_answer b = w->has_last ? w->last : RANGE_YES;

	if (!w->has_first && !w->has_last)
		return;
	worst(&w->affected, a == RANGE_NO || b == RANGE_NO     ? RANGE_NO
			    : a == RANGE_YES && b == RANGE_YES ? RANGE_YES
							       : RANGE_UNKNOWN);
}

/* false: it says nothing of this device. */
static bool judge(const struct matcher *m, const struct csaf *c, const struct match_device *d,
		  const struct csaf_vulnerability *v, struct match_vulnerability *ret)
{
	struct weighing sure = {.affected = RANGE_NO, .fixed = RANGE_NO, .denied = RANGE_NO};
	bool maybe = false;

	for (unsigned i = 0; i < m->reason_count; i++) {
		const struct match_reason *r = &m->reasons[i];
		unsigned low = 0, high = v->state_count;

		while (low < high) {
			unsigned mid = low + (high - low) / 2;

			if (v->states[mid].product < r->product)
				low = mid + 1;
			else
				high = mid;
		}
		for (; low < v->state_count && v->states[low].product == r->product; low++) {
			struct weighing one = {.affected = RANGE_NO};

			if (r->certainty != MATCH_PART) {
				weigh(&sure, &c->products[r->product], d, r, v->states[low].status);
				continue;
			}
			/* A name that fits in part proves nothing, in either direction. */
			weigh(&one, &c->products[r->product], d, r, v->states[low].status);
			close_range(&one);
			maybe |= one.affected != RANGE_NO || one.investigated;
		}
	}
	close_range(&sure);
	ret->contradicts =
		sure.affected == RANGE_YES && (sure.fixed == RANGE_YES || sure.denied == RANGE_YES);
	if (sure.affected == RANGE_YES)
		ret->status = MATCH_AFFECTED;
	else if (sure.denied == RANGE_YES)
		ret->status = MATCH_NOT_AFFECTED;
	else if (sure.fixed == RANGE_YES)
		ret->status = MATCH_FIXED;
	else if (sure.affected == RANGE_UNKNOWN || maybe)
		ret->status = MATCH_CANNOT_TELL;
	else if (sure.investigated)
		ret->status = MATCH_INVESTIGATED;
	else
		return false;
	return true;
}

static bool make_room(struct matcher *m, uint32_t count)
{
	struct match_vulnerability *list;

	if (count <= m->found_cap)
		return true;
	list = reallocarray(m->found, count, sizeof(*list));
	if (!list)
		return false;
	m->found = list;
	m->found_cap = count;
	return true;
}

static enum match_certainty best_certainty(const struct matcher *m, enum match_status status)
{
	enum match_certainty best = MATCH_PART, any = MATCH_PART;

	for (unsigned i = 0; i < m->reason_count; i++) {
		const struct match_reason *r = &m->reasons[i];

		if (r->certainty < any)
			any = r->certainty;
		if (status == MATCH_AFFECTED && r->version == RANGE_YES && r->certainty < best)
			best = r->certainty;
		if (status == MATCH_CANNOT_TELL && r->version == RANGE_UNKNOWN &&
		    r->certainty < best)
			best = r->certainty;
	}
	return status == MATCH_AFFECTED || status == MATCH_CANNOT_TELL ? best : any;
}

static void count_model(struct matcher *m, uint32_t advisory, const struct device *v)
{
	struct advisory *a = &m->advisories[advisory];

	if (a->models && a->last_sort == v->sort)
		return;
	a->models++;
	a->last_sort = v->sort;
}

static int tell(struct matcher *m, uint32_t device, uint32_t advisory, match_fn fn, void *arg)
{
	const struct csaf *c = m->advisories[advisory].c;
	const struct match_device *d = &m->devices[device].d;
	struct match out = {.device = device,
			    .about = d,
			    .advisory = c,
			    .status = MATCH_STATUSES,
			    .score = -1,
			    .reasons = m->reasons};
	unsigned n = 0;

	if (!make_room(m, c->vulnerability_count))
		return -ENOMEM;
	relate(m, c, d);
	for (uint32_t i = 0; i < c->vulnerability_count; i++) {
		struct match_vulnerability *f = &m->found[n];

		if (!judge(m, c, d, &c->vulnerabilities[i], f))
			continue;
		f->vulnerability = i;
		if (f->status < out.status)
			out.status = f->status;
		if (f->status <= MATCH_CANNOT_TELL && c->vulnerabilities[i].score > out.score)
			out.score = c->vulnerabilities[i].score;
		n++;
	}
	if (!n)
		return 0;
	out.certainty = best_certainty(m, out.status);
	out.reason_count = m->reason_count;
	out.vulnerabilities = m->found;
	out.vulnerability_count = n;
	count_model(m, advisory, &m->devices[device]);
	fn(arg, &out);
	return 0;
}

/* Of hits on one product the surest counts. */
static int tell_all(struct matcher *m, uint32_t device, const struct hits *h, match_fn fn,
		    void *arg)
{
	size_t i = 0;
	int err = 0;

	while (err == 0 && i < h->count) {
		uint32_t advisory = h->list[i].advisory;

		m->reason_count = 0;
		for (; i < h->count && h->list[i].advisory == advisory; i++) {
			const struct match_reason *r = &h->list[i].reason;

			if (m->reason_count &&
			    m->reasons[m->reason_count - 1].product == r->product) {
				struct match_reason *have = &m->reasons[m->reason_count - 1];

				/* Two parts of a device may be the product, in two versions. */
				if (have->certainty == r->certainty && have->version == RANGE_NO)
					*have = *r;
				continue;
			}
			if (m->reason_count < REASONS_MAX)
				m->reasons[m->reason_count++] = *r;
		}
		err = tell(m, device, advisory, fn, arg);
	}
	return err;
}

static int sort_order(const void *a, const void *b)
{
	const struct device *x = *(const struct device *const *)a;
	const struct device *y = *(const struct device *const *)b;

	if (x->sort != y->sort)
		return x->sort < y->sort ? -1 : 1;
	return x < y ? -1 : x > y;
}

int matcher_run(struct matcher *m, match_fn fn, void *arg)
{
	const struct device **order = calloc(m->device_count + 1, sizeof(*order));
	struct hits h = {0};
	int err = order ? 0 : -ENOMEM;

	if (!m->sorted && m->entry_count)
		qsort(m->entries, m->entry_count, sizeof(*m->entries), entry_order);
	m->sorted = true;
	m->models = m->cut = 0;
	for (uint32_t i = 0; i < m->advisory_count; i++)
		m->advisories[i].models = 0;
	for (uint32_t i = 0; err == 0 && i < m->device_count; i++)
		order[i] = &m->devices[i];
	if (err == 0 && m->device_count)
		qsort(order, m->device_count, sizeof(*order), sort_order);
	for (uint32_t i = 0; err == 0 && i < m->device_count; i++) {
		m->models += !i || order[i]->sort != order[i - 1]->sort;
		find(m, order[i], &h);
		m->cut += h.full;
		err = h.err ? h.err : tell_all(m, (uint32_t)(order[i] - m->devices), &h, fn, arg);
	}
	free(h.list);
	free(order);
	return err;
}

unsigned matcher_cut(const struct matcher *m)
{
	return m->cut;
}

bool match_is_everything(const struct matcher *m, const struct csaf *c, unsigned least)
{
	for (uint32_t i = 0; i < m->advisory_count; i++)
		if (m->advisories[i].c == c)
			return m->models >= least && m->advisories[i].models == m->models;
	return false;
}

/* --- in words ------------------------------------------------------------------------- */

static void explain_version(const struct csaf_product *p, const char *version,
			    const struct match_reason *r, char *ret, size_t size)
{
	const char *range = p->version;

	if (p->unreadable)
		snprintf(ret, size, "'%.80s' names no version that can be compared", range);
	else if (!p->range)
		snprintf(ret, size, "the advisory names no version");
	else if (p->range->all && !*p->range->condition)
		snprintf(ret, size, "all versions are meant");
	else if (!*version && !p->range->all)
		snprintf(ret, size, "its version is not known, the advisory is about %.80s",
			 *range ? range : p->range->part[0].version);
	else if (*p->range->condition)
		snprintf(ret, size, "only under a condition: %.100s", p->range->condition);
	else if (r->version == RANGE_UNKNOWN)
		snprintf(ret, size, "version %.40s cannot be compared with %.80s", version,
			 *range ? range : p->range->part[0].version);
	else
		snprintf(ret, size, "version %.40s is %s %.80s", version,
			 r->version == RANGE_YES ? "within" : "not within",
			 *range ? range : p->range->part[0].version);
}

void match_explain(const struct match *m, const struct match_reason *r, char *ret_text, size_t size)
{
	const struct csaf_product *p = &m->advisory->products[r->product];
	const struct match_device *d = m->about;
	const struct sbom_component *c =
		r->component == CSAF_NONE ? NULL : &d->sbom->components[r->component];
	const char *what = p->product.given;
	char version[320], who[256];

	if (p->component != CSAF_NONE)
		what = p->title;
	explain_version(p, version_of(d, r), r, version, sizeof(version));
	if (c)
		snprintf(who, sizeof(who), "its part %.80s %.40s", c->title, c->version);
	else
		snprintf(who, sizeof(who), "%.60s %.80s%s%.60s",
			 *d->vendor ? d->vendor : "the device", d->model,
			 *d->vendor_from ? ", maker by " : "", d->vendor_from);
	snprintf(ret_text, size, "%s %s %s %.120s (%.40s)%s; %s", who,
		 r->certainty == MATCH_PART ? "resembles"
		 : r->serial		    ? "has a serial number of"
		 : r->identifier	    ? "has the identifier of"
					    : "is",
		 p->vendor.count ? p->vendor.given : "", what, p->id,
		 r->vendor_unknown ? ", whose maker is not said on both sides" : "", version);
}
