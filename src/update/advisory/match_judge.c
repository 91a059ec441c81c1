#include "update/advisory/match_internal.h"

#include <stdlib.h>
#include <string.h>

static int reason_order(const void *a, const void *b)
{
	const struct match_reason *x = a, *y = b;

	return (x->product > y->product) - (x->product < y->product);
}

/*
 * "Component on host", CSAF §3.2.2.5: the host is this device; whether the component is in it the
 * SBOM says, and where there is none nobody does.
 */
void match_relate(struct matcher *m, const struct csaf *c, const struct match_device *d)
{
	unsigned known = m->reason_count;

	for (uint32_t i = 0; i < c->product_count && m->reason_count < MATCH_REASONS; i++) {
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
	const char *version = match_version(d, r);

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

bool match_judge(const struct matcher *m, const struct csaf *c, const struct match_device *d,
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
