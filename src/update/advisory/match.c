#include "update/advisory/match_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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

bool match_grow(void **list, size_t count, size_t *cap, size_t size)
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

int matcher_add_advisory(struct matcher *m, const struct csaf *c)
{
	size_t cap = m->advisory_cap;
	void *list = m->advisories;

	if (!match_grow(&list, m->advisory_count, &cap, sizeof(*m->advisories)))
		return -ENOMEM;
	m->advisories = list;
	m->advisory_cap = (uint32_t)cap;
	m->advisories[m->advisory_count] = (struct advisory){.c = c};
	for (uint32_t i = 0; i < c->product_count; i++)
		if (!match_index(m, &c->products[i], i))
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

	if (!match_grow(&list, m->device_count, &cap, sizeof(*m->devices)))
		return -ENOMEM;
	m->devices = list;
	m->device_cap = (uint32_t)cap;
	v = &m->devices[m->device_count];
	*v = (struct device){.d = *d};
	snprintf(both, sizeof(both), "%.280s %.280s", d->vendor, d->model);
	name_vendor(&m->arena, d->vendor, &v->vendor);
	name_product(&m->arena, d->model, &v->model);
	name_product(&m->arena, *d->model ? both : "", &v->both);
	v->sort = match_hash(match_hash(1, d->vendor), d->model);
	if (m->arena.no_memory)
		return -ENOMEM;
	m->device_count++;
	return 0;
}

const char *match_version(const struct match_device *d, const struct match_reason *r)
{
	if (r->component == CSAF_NONE)
		return d->version;
	return d->sbom->components[r->component].version;
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
	match_relate(m, c, d);
	for (uint32_t i = 0; i < c->vulnerability_count; i++) {
		struct match_vulnerability *f = &m->found[n];

		if (!match_judge(m, c, d, &c->vulnerabilities[i], f))
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
			if (m->reason_count < MATCH_REASONS)
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

	match_index_sort(m);
	m->models = m->cut = 0;
	for (uint32_t i = 0; i < m->advisory_count; i++)
		m->advisories[i].models = 0;
	for (uint32_t i = 0; err == 0 && i < m->device_count; i++)
		order[i] = &m->devices[i];
	if (err == 0 && m->device_count)
		qsort(order, m->device_count, sizeof(*order), sort_order);
	for (uint32_t i = 0; err == 0 && i < m->device_count; i++) {
		m->models += !i || order[i]->sort != order[i - 1]->sort;
		match_find(m, order[i], &h);
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
