#include "update/advisory/match_internal.h"

#include <stdio.h>

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
	explain_version(p, match_version(d, r), r, version, sizeof(version));
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
