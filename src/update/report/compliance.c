#include "update/report/compliance.h"

#include <string.h>

const struct compliance_framework *compliance_find(const char *name)
{
	static const struct compliance_framework *const all[] = {&compliance_hipaa,
								 &compliance_csf};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

static enum compliance_state state_of(const struct compliance_requirement *r,
				      const struct compliance_finding *f)
{
	if (!r->measures[0])
		return COMPLIANCE_ORGANISATION;
	if (!f->good && !f->lacking)
		return COMPLIANCE_NOT_MEASURED;
	if (!f->good)
		return COMPLIANCE_NOT_MET;
	return f->lacking || f->unknown ? COMPLIANCE_PARTLY : COMPLIANCE_MET;
}

static json_t *item_of(const struct compliance_requirement *r, const struct compliance_facts *x,
		       bool shared, unsigned counts[COMPLIANCE_STATES])
{
	struct compliance_finding f = {
		.evidence = json_array(), .missing = json_array(), .days = x->days};
	enum compliance_state s;

	for (unsigned i = 0; i < COMPLIANCE_MEASURES && r->measures[i]; i++)
		r->measures[i](x, &f);
	s = state_of(r, &f);
	if (shared && s == COMPLIANCE_MET) {
		s = COMPLIANCE_PARTLY;
		json_array_append_new(f.missing, json_pack("{s:s}", "text",
							   "the organisation's own part, which no "
							   "gateway can show"));
	}
	counts[s]++;
	return json_pack("{s:s, s:s, s:s, s:b, s:s, s:o, s:o}", "section", r->section, "title",
			 r->title, "level", r->level, "proposed", (int)r->proposed, "state",
			 compliance_state_name(s), "evidence", f.evidence, "missing", f.missing);
}

json_t *compliance_report(const struct compliance_framework *f, const struct compliance_facts *x,
			  const json_t *about)
{
	unsigned counts[COMPLIANCE_STATES] = {0};
	json_t *parts = json_array(), *items = NULL, *summary = json_object(), *out;
	bool shared = false;

	for (const struct compliance_requirement *r = f->requirements; r->section; r++) {
		if (r->title) {
			json_array_append_new(items, item_of(r, x, shared, counts));
			continue;
		}
		shared = r->shared;
		items = json_array();
		json_array_append_new(parts,
				      json_pack("{s:s, s:b, s:o}", "title", r->section, "proposed",
						(int)r->proposed, "requirements", items));
	}
	for (int s = 0; s < COMPLIANCE_STATES; s++)
		json_object_set_new(summary, compliance_state_name((enum compliance_state)s),
				    json_integer(counts[s]));
	out = json_pack("{s:s, s:s, s:s, s:s, s:O, s:o, s:o}", "framework", f->name, "title",
			f->title, "source", f->source, "note", f->note, "about", about, "summary",
			summary, "parts", parts);
	return out;
}
