#include "update/advisory/advice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "update/advisory/cvss.h"
#include "update/advisory/hint.h"

#define REASONS_SHOWN  8
#define REMEDIES_SHOWN 12
#define FAULTS_SHOWN   16

/* Texts come from outside and may have been cut within a letter. */
static json_t *text_of(const char *s)
{
	json_t *t = json_string(s);

	return t ? t : json_string("(no UTF-8)");
}

static void set(json_t *o, const char *key, const char *s)
{
	if (*s)
		json_object_set_new(o, key, text_of(s));
}

static void set_score(json_t *o, int tenths)
{
	if (tenths < 0)
		return;
	json_object_set_new(o, "score", json_real(tenths / 10.0));
	json_object_set_new(o, "severity", json_string(cvss_severity(tenths)));
}

static json_t *vulnerabilities(const struct match *m)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < m->vulnerability_count; i++) {
		const struct match_vulnerability *f = &m->vulnerabilities[i];
		const struct csaf_vulnerability *v =
			&m->advisory->vulnerabilities[f->vulnerability];
		json_t *o = json_object();

		set(o, "id", *v->cve ? v->cve : "(no id)");
		set(o, "title", v->title);
		set(o, "cwe", v->cwe);
		json_object_set_new(o, "status", json_string(match_status_name(f->status)));
		set_score(o, v->score);
		if (f->contradicts)
			json_object_set_new(o, "contradicts", json_true());
		if (f->status == MATCH_NOT_AFFECTED)
			set(o, "why_not", v->impact);
		json_array_append_new(list, o);
	}
	return list;
}

/* Reasons stand in the order of their products. */
static const struct match_reason *reason_of(const struct match *m, uint32_t product)
{
	unsigned low = 0, high = m->reason_count;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (m->reasons[mid].product < product)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->reason_count && m->reasons[low].product == product ? &m->reasons[low]
									   : NULL;
}

static bool concerns(const struct match *m, uint32_t product)
{
	const struct match_reason *r = reason_of(m, product);

	return r && r->version != RANGE_NO;
}

static bool is_for(const struct match *m, const struct csaf_remedy *r)
{
	for (unsigned i = 0; i < r->product_count; i++)
		if (concerns(m, r->products[i]))
			return true;
	return !r->product_count;
}

static bool is_listed(const json_t *list, const struct csaf_remedy *r)
{
	const json_t *o;
	size_t i;

	json_array_foreach (list, i, o)
		if (strcmp(json_string_value(json_object_get(o, "category")), r->category) == 0 &&
		    strcmp(json_string_value(json_object_get(o, "details")), r->details) == 0)
			return true;
	return false;
}

/* What its own products are told to do; *ret_fix: is an update among that? */
static json_t *remedies(const struct match *m, bool *ret_fix)
{
	json_t *list = json_array();

	*ret_fix = false;
	for (unsigned i = 0; i < m->vulnerability_count; i++) {
		const struct csaf_vulnerability *v =
			&m->advisory->vulnerabilities[m->vulnerabilities[i].vulnerability];

		if (m->vulnerabilities[i].status > MATCH_INVESTIGATED)
			continue;
		for (unsigned j = 0; j < v->remedy_count; j++) {
			const struct csaf_remedy *r = &v->remedies[j];
			json_t *o;

			if (!is_for(m, r) || is_listed(list, r))
				continue;
			*ret_fix |= strcmp(r->category, "vendor_fix") == 0;
			if (json_array_size(list) >= REMEDIES_SHOWN)
				continue;
			o = json_object();
			json_object_set_new(o, "category", text_of(r->category));
			json_object_set_new(o, "details", text_of(r->details));
			set(o, "url", r->url);
			json_array_append_new(list, o);
		}
	}
	return list;
}

/* Versions of the same product that are fixed or recommended. */
static json_t *fixed_versions(const struct match *m)
{
	const struct csaf *c = m->advisory;
	json_t *list = json_array();

	for (unsigned i = 0; i < c->vulnerability_count; i++)
		for (unsigned j = 0; j < c->vulnerabilities[i].state_count; j++) {
			const struct csaf_state *s = &c->vulnerabilities[i].states[j];
			const char *version = c->products[s->product].version;
			bool mine = false, known = false;
			const json_t *o;
			size_t k;

			if ((s->status != CSAF_FIXED && s->status != CSAF_FIRST_FIXED &&
			     s->status != CSAF_RECOMMENDED) ||
			    !*version)
				continue;
			mine = reason_of(m, s->product);
			json_array_foreach (list, k, o)
				known |= strcmp(json_string_value(o), version) == 0;
			if (mine && !known && json_array_size(list) < REMEDIES_SHOWN)
				json_array_append_new(list, text_of(version));
		}
	return list;
}

static json_t *reasons(const struct match *m)
{
	json_t *list = json_array();
	char text[768];

	/* First those that bear the verdict. */
	for (int pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < m->reason_count; i++) {
			const struct match_reason *r = &m->reasons[i];

			if ((r->version == RANGE_NO) != (pass == 1) ||
			    json_array_size(list) >= REASONS_SHOWN)
				continue;
			match_explain(m, r, text, sizeof(text));
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:o}", "certainty",
						match_certainty_name(r->certainty), "version",
						r->version == RANGE_YES	 ? "yes"
						: r->version == RANGE_NO ? "no"
									 : "cannot_tell",
						"text", text_of(text)));
		}
	return list;
}

static json_t *disagreements(const struct csaf *c)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < c->fault_count && i < FAULTS_SHOWN; i++)
		json_array_append_new(list, json_pack("{s:s, s:o}", "name", c->faults[i].name,
						      "text", text_of(c->faults[i].text)));
	return list;
}

/* "enforce", "simulate", or NULL: no shield for this advisory is on the device. */
static const char *shielded(const struct match *m, const struct config *c)
{
	const char *best = NULL;

	for (unsigned i = 0; c && i < c->shields_count; i++) {
		const struct config_shield *s = &c->shields[i];

		if (strcmp(s->advisory, m->advisory->id) != 0)
			continue;
		for (unsigned j = 0; j < s->device_count; j++)
			if (strcmp(s->device[j], m->about->name) == 0 && (!best || s->enforce))
				best = s->enforce ? "enforce" : "simulate";
	}
	return best;
}

/* Ports that the advisory's own words name, as a command to begin with. */
static json_t *shield_hint(const struct match *m)
{
	struct hints h;
	char command[512], ports[160] = "";
	size_t len = 0;

	hints_of(m->advisory, &h);
	if (!h.count)
		return NULL;
	for (unsigned i = 0; i < h.count && len < sizeof(ports); i++)
		if (h.ports[i].udp == h.ports[0].udp)
			len += (size_t)snprintf(ports + len, sizeof(ports) - len, " --port %u",
						h.ports[i].port);
	snprintf(command, sizeof(command),
		 "bedwarden update shield %.80s --device %.63s --accepts --proto %s%s",
		 m->advisory->id, m->about->name, h.ports[0].udp ? "udp" : "tcp", ports);
	return json_pack("{s:o, s:o}", "because", text_of(h.sentence), "command", text_of(command));
}

static const char *what_to_do(const struct match *m, bool fix, const char *shield)
{
	if (m->status >= MATCH_FIXED)
		return "nothing";
	if (m->status == MATCH_INVESTIGATED)
		return "wait";
	if (shield)
		return strcmp(shield, "enforce") == 0 ? "shielded" : "enforce_shield";
	if (m->status == MATCH_CANNOT_TELL)
		return "look";
	return fix ? "update" : "shield";
}

json_t *advice_row(const struct match *m, const struct config *c)
{
	const struct csaf *a = m->advisory;
	const char *shield = shielded(m, c);
	json_t *o = json_object(), *hint, *fixed = fixed_versions(m);
	bool fix;

	set(o, "device", m->about->name);
	set(o, "vendor", m->about->vendor);
	set(o, "model", m->about->model);
	set(o, "version", m->about->version);
	json_object_set_new(o, "advisory", text_of(a->id));
	set(o, "title", a->title);
	set(o, "publisher", a->publisher);
	set(o, "url", a->url);
	set(o, "released", a->released);
	set(o, "revised", a->revised);
	json_object_set_new(o, "status", json_string(match_status_name(m->status)));
	json_object_set_new(o, "certainty", json_string(match_certainty_name(m->certainty)));
	set_score(o, m->score);
	json_object_set_new(o, "vulnerabilities", vulnerabilities(m));
	json_object_set_new(o, "evidence", reasons(m));
	json_object_set_new(o, "remedies", remedies(m, &fix));
	fix |= json_array_size(fixed) > 0;
	if (json_array_size(fixed))
		json_object_set(o, "fixed_in", fixed);
	json_decref(fixed);
	if (a->fault_count)
		json_object_set_new(o, "disagrees", disagreements(a));
	if (shield)
		json_object_set_new(o, "shield", json_string(shield));
	hint = m->status <= MATCH_CANNOT_TELL ? shield_hint(m) : NULL;
	if (hint)
		json_object_set_new(o, "shield_hint", hint);
	json_object_set_new(o, "do", json_string(what_to_do(m, fix, shield)));
	json_object_set_new(
		o, "rank",
		json_integer((json_int_t)m->status * MATCH_CERTAINTIES + (json_int_t)m->certainty));
	return o;
}
