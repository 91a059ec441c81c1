#include "update/report/measure_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {"met", "partly", "not_met", "not_measured",
					  "organisation"};
static const char *const state_words[] = {"Met", "Partly met", "Not met", "Not measured",
					  "For the organisation"};

const char *compliance_state_name(enum compliance_state s)
{
	return s < COMPLIANCE_STATES ? state_names[s] : "";
}

const char *compliance_state_words(enum compliance_state s)
{
	return s < COMPLIANCE_STATES ? state_words[s] : "";
}

static json_t *text_of(const char *fmt, va_list ap)
{
	char text[512];
	json_t *t;

	vsnprintf(text, sizeof(text), fmt, ap);
	t = json_string(text);
	return t ? t : json_string("(a text that is no UTF-8)");
}

static void show(const struct compliance_finding *f, json_t *list, const char *trace, json_t *text)
{
	char command[80];

	snprintf(command, sizeof(command), trace, f->days);
	json_array_append_new(list, json_pack("{s:o, s:s}", "text", text, "trace", command));
}

void figure_good(struct compliance_finding *f, const char *trace, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	show(f, f->evidence, trace, text_of(fmt, ap));
	va_end(ap);
	f->good++;
}

void figure_info(struct compliance_finding *f, const char *trace, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	show(f, f->evidence, trace, text_of(fmt, ap));
	va_end(ap);
}

void figure_lack(struct compliance_finding *f, const char *trace, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	show(f, f->missing, trace, text_of(fmt, ap));
	va_end(ap);
	f->lacking++;
}

void figure_unknown(struct compliance_finding *f, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(f->missing,
			      json_pack("{s:o}", "text", json_sprintf("not measured: %s", text)));
	f->unknown++;
}

const char *figure_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

json_int_t figure_number(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n < 0 ? 0 : n;
}

json_int_t figure_events(const struct compliance_facts *x, const char *begin,
			 json_int_t *ret_blocked)
{
	json_int_t n = 0, blocked = 0;
	const json_t *g;
	size_t i;

	json_array_foreach (x->events, i, g)
		if (strncmp(figure_text(g, "reason"), begin, strlen(begin)) == 0) {
			n += figure_number(g, "count");
			blocked += figure_number(g, "blocked");
		}
	if (ret_blocked)
		*ret_blocked = blocked;
	return n;
}

bool figure_has_policy(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!x->config)
		figure_unknown(f, "the policy could not be read");
	return x->config;
}

static bool has_events(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!x->events)
		figure_unknown(f, "events: the gateway does not run, or did not answer");
	return x->events;
}

/* --- devices and the network --------------------------------------------------------- */

void measure_inventory(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned models = 0, versions = 0, parts = 0, strangers = 0;
	const json_t *d;
	size_t i;

	if (!figure_has_policy(x, f))
		return;
	for (unsigned n = 0; n < x->config->devices_count; n++) {
		models += *x->config->devices[n].model != 0;
		versions += *x->config->devices[n].version != 0;
		parts += *x->config->devices[n].sbom != 0;
	}
	figure_good(f, POLICY, "devices that are registered, each by its hardware address: %u",
		    x->config->devices_count);
	figure_info(f, POLICY,
		    "of %u the model is noted, of %u the version, of %u the parts (SBOM)", models,
		    versions, parts);
	if (models < x->config->devices_count)
		figure_lack(f, POLICY,
			    "%u devices without a model: advisories cannot be held against them",
			    x->config->devices_count - models);
	if (versions < x->config->devices_count)
		figure_lack(f, POLICY, "%u devices without a version",
			    x->config->devices_count - versions);
	if (!x->devices) {
		figure_unknown(f, "machines that were seen and are not registered");
		return;
	}
	json_array_foreach (x->devices, i, d)
		strangers += !json_is_true(json_object_get(d, "registered"));
	figure_info(f, DEVICES, "machines that were seen and are not registered: %u", strangers);
	if (strangers)
		figure_lack(f, DEVICES, "%u machines that nobody registered", strangers);
}

static enum gate_mode mode_of(const struct config *c, const struct config_device *d)
{
	if (d->mode)
		return *d->mode;
	for (unsigned i = 0; i < c->segments_count; i++)
		if (strcmp(c->segments[i].name, d->segment) == 0)
			return c->segments[i].mode;
	return GATE_OBSERVE;
}

void measure_allowlist(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned modes[3] = {0};
	json_int_t blocked, n;

	if (!figure_has_policy(x, f))
		return;
	for (unsigned i = 0; i < x->config->devices_count; i++)
		modes[mode_of(x->config, &x->config->devices[i])]++;
	if (modes[GATE_ENFORCE])
		figure_good(f, POLICY,
			    "%u of %u devices may do what their profile lists and nothing else",
			    modes[GATE_ENFORCE], x->config->devices_count);
	if (modes[GATE_SIMULATE] + modes[GATE_OBSERVE])
		figure_lack(
			f, POLICY,
			"%u devices are only watched (simulate or observe): nothing is blocked for "
			"them",
			modes[GATE_SIMULATE] + modes[GATE_OBSERVE]);
	if (!has_events(x, f))
		return;
	n = figure_events(x, "policy.", &blocked);
	figure_info(f, EVENTS,
		    "%lld times in %u days something was not allowed, %lld of them blocked",
		    (long long)n, x->days, (long long)blocked);
}

void measure_segments(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned isolated = 0, strict = 0, count;

	if (!figure_has_policy(x, f))
		return;
	count = x->config->segments_count;
	for (unsigned i = 0; i < count; i++) {
		isolated += x->config->segments[i].isolated;
		strict += x->config->segments[i].block_strangers;
	}
	figure_good(f, POLICY,
		    "segments of devices that the gateway parts from the hospital's network: %u",
		    count);
	figure_info(f, POLICY, "in %u of them devices meet each other through the gateway only",
		    isolated);
	figure_info(f, POLICY, "in %u of them unknown machines are blocked", strict);
	if (isolated < count)
		figure_lack(f, POLICY,
			    "in %u segments devices on one switch reach each other unseen "
			    "(isolated: no)",
			    count - isolated);
	if (strict < count)
		figure_lack(f, POLICY,
			    "in %u segments unknown machines are let through (unknown_devices: "
			    "observe)",
			    count - strict);
}

void measure_binding(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned strict = 0;
	json_int_t n, blocked;

	if (!figure_has_policy(x, f))
		return;
	for (unsigned i = 0; i < x->config->segments_count; i++)
		strict += x->config->segments[i].block_binding;
	if (strict)
		figure_good(f, POLICY,
			    "in %u of %u segments a device's addresses are its own: false ones are "
			    "blocked",
			    strict, x->config->segments_count);
	if (strict < x->config->segments_count)
		figure_lack(f, POLICY, "in %u segments false addresses are only reported",
			    x->config->segments_count - strict);
	if (!has_events(x, f))
		return;
	n = figure_events(x, "binding.", &blocked);
	figure_info(f, EVENTS,
		    "%lld false or new addresses in %u days, %lld packets of them blocked",
		    (long long)n, x->days, (long long)blocked);
}

/* --- people ------------------------------------------------------------------------- */

static bool has_factor(const json_t *user, const char *name)
{
	const json_t *v;
	size_t i;

	json_array_foreach (json_object_get(user, "factors"), i, v)
		if (json_is_string(v) && strcmp(json_string_value(v), name) == 0)
			return true;
	return false;
}

void measure_factors(const struct compliance_facts *x, struct compliance_finding *f)
{
	static const char *const kinds[] = {"webauthn", "totp", "password", "sms", "recovery"};
	static const char *const words[] = {"passkeys", "authenticator apps", "passwords",
					    "codes by SMS", "printed codes"};
	unsigned ready = 0, counts[5] = {0};
	const json_t *u;
	size_t i;

	if (!x->users) {
		figure_unknown(f, "who may sign in: the gateway does not run, or did not answer");
		return;
	}
	json_array_foreach (x->users, i, u) {
		ready += json_is_true(json_object_get(u, "ready"));
		for (unsigned k = 0; k < 5; k++)
			counts[k] += has_factor(u, kinds[k]);
	}
	if (ready)
		figure_good(f, USERS,
			    "nobody signs in with one factor alone; users who have the two it "
			    "takes: %u "
			    "of %zu",
			    ready, json_array_size(x->users));
	if (!json_array_size(x->users))
		figure_lack(f, USERS,
			    "there are no users: whoever works here does it as root on the box");
	for (unsigned k = 0; k < 5; k++)
		if (counts[k])
			figure_info(f, USERS, "%u have %s", counts[k], words[k]);
	if (x->config && x->config->people.sms)
		figure_lack(f, POLICY,
			    "codes by SMS are on: they can be read and redirected on their way");
	if (ready < json_array_size(x->users))
		figure_lack(f, USERS, "%zu users have not enrolled yet and cannot sign in",
			    json_array_size(x->users) - ready);
}

void measure_users(const struct compliance_facts *x, struct compliance_finding *f)
{
	static const char *const roles[] = {"viewer", "clinical_engineer", "administrator",
					    "auditor", "vendor"};
	unsigned counts[5] = {0}, disabled = 0;
	const json_t *u;
	size_t i;

	if (!x->users) {
		figure_unknown(f, "who may sign in: the gateway does not run, or did not answer");
		return;
	}
	json_array_foreach (x->users, i, u) {
		for (unsigned k = 0; k < 5; k++)
			counts[k] += strcmp(figure_text(u, "role"), roles[k]) == 0;
		disabled += json_is_true(json_object_get(u, "disabled"));
	}
	if (json_array_size(x->users))
		figure_good(f, USERS,
			    "users, each with a name of their own: %zu; of them disabled: %u",
			    json_array_size(x->users), disabled);
	else
		figure_lack(f, USERS,
			    "there are no users: whoever works here does it as root on the box");
	for (unsigned k = 0; k < 5; k++)
		if (counts[k])
			figure_info(f, USERS, "%u with the role %s", counts[k], roles[k]);
}

void measure_logoff(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!figure_has_policy(x, f))
		return;
	if (x->config->people.idle_minutes)
		figure_good(f, POLICY, "an unused session ends after %u minutes",
			    x->config->people.idle_minutes);
	else
		figure_good(f, POLICY, "an unused session ends after 15 to 60 minutes, by role");
	if (x->config->people.overall_hours)
		figure_info(f, POLICY, "and any session after %u hours",
			    x->config->people.overall_hours);
	else
		figure_info(f, POLICY, "and any session after 4 to 12 hours, by role");
}

/* Those of profiles count once for each device that has the profile. */
static unsigned count_services(const struct config *c, bool emergency)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->devices_count; i++) {
		const struct config_device *d = &c->devices[i];

		for (unsigned j = 0; j < d->services_count; j++)
			n += !emergency || d->services[j].break_glass;
		for (unsigned p = 0; p < c->profiles_count; p++)
			if (strcmp(c->profiles[p].name, d->profile) == 0)
				for (unsigned j = 0; j < c->profiles[p].services_count; j++)
					n += !emergency || c->profiles[p].services[j].break_glass;
	}
	return n;
}

void measure_emergency(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned open = 0, n;
	const json_t *g;
	size_t i;

	if (!figure_has_policy(x, f))
		return;
	n = count_services(x->config, true);
	figure_info(f, POLICY,
		    "service ports of devices that can be opened at once in an emergency: %u", n);
	if (x->config->console.ward)
		figure_good(
			f, POLICY,
			"the console can be used from the ward while the rest of the network is "
			"down");
	if (!x->grants) {
		figure_unknown(f, "emergencies that are still to be reviewed");
		return;
	}
	json_array_foreach (x->grants, i, g)
		open += json_is_true(json_object_get(g, "break_glass"));
	figure_good(f, GRANTS, "emergency openings that are open now or wait for their review: %u",
		    open);
	if (open)
		figure_lack(f, GRANTS, "%u emergency openings to review", open);
}

void measure_doors(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned n;

	if (!figure_has_policy(x, f))
		return;
	n = count_services(x->config, false);
	if (n)
		figure_good(f, POLICY,
			    "service ports that are closed, and open for one person, for a reason, "
			    "for a "
			    "while: %u",
			    n);
	else
		figure_info(f, POLICY, "no device has a service port that people could ask for");
	if (x->grants)
		figure_info(f, GRANTS, "%zu are open now", json_array_size(x->grants));
	else
		figure_unknown(f, "which of them are open now");
}

void measure_sign_ins(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!has_events(x, f))
		return;
	figure_good(f, EVENTS, "%lld events about signing in and about users in %u days",
		    (long long)figure_events(x, "auth.", NULL), x->days);
	figure_info(f, EVENTS, "%lld of them: somebody guessed",
		    (long long)figure_events(x, "auth.guessing", NULL));
}

/* --- records ------------------------------------------------------------------------ */

void measure_audit(const struct compliance_facts *x, struct compliance_finding *f)
{
	const char *state = figure_text(x->audit, "state");

	if (!x->audit) {
		figure_unknown(f, "the audit trail could not be verified");
		return;
	}
	if (strcmp(state, "whole") == 0)
		figure_good(
			f, AUDIT,
			"the audit trail is whole: %lld entries, %lld of them under a signature",
			(long long)figure_number(x->audit, "count"),
			(long long)figure_number(x->audit, "sure"));
	else
		figure_lack(f, AUDIT, "the audit trail is %s: %s", state,
			    figure_text(x->audit, "text"));
	if (!json_is_true(json_object_get(x->audit, "key_known")))
		figure_lack(f, AUDIT,
			    "the key that signs the trail is not known here, so its signatures "
			    "were not "
			    "verified");
}

void measure_events(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *store = json_object_get(x->status, "store");

	if (!store) {
		figure_unknown(f, "events: the gateway does not run, or did not answer");
		return;
	}
	figure_good(f, STATUS, "%lld events are kept, %lld of today",
		    (long long)figure_number(store, "events_kept"),
		    (long long)figure_number(store, "events_today"));
	if (figure_number(store, "events_lost"))
		figure_lack(f, STATUS, "%lld events were lost",
			    (long long)figure_number(store, "events_lost"));
	if (!json_is_true(json_object_get(store, "writable")))
		figure_lack(f, STATUS, "the disk is full: events are kept in memory only");
	if (x->config && !*x->config->gateway.eve_file)
		figure_lack(f, POLICY,
			    "no event file is written that a SIEM could read (eve_file)");
	else if (x->config)
		figure_info(f, POLICY, "a SIEM can read them as EVE JSON (%s)",
			    x->config->gateway.eve_file);
}

void measure_incidents(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *g;
	size_t i, told = 0;

	if (!has_events(x, f))
		return;
	figure_good(f, EVENTS, "%zu kinds of findings at devices in %u days",
		    json_array_size(x->events), x->days);
	json_array_foreach (x->events, i, g) {
		if (told == 5 || !*figure_text(g, "device"))
			continue;
		told++;
		figure_info(f, EVENTS, "%s: %s %lld times, %lld of them blocked",
			    figure_text(g, "device"), figure_text(g, "sentence"),
			    (long long)figure_number(g, "count"),
			    (long long)figure_number(g, "blocked"));
	}
}

void measure_vitals(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!has_events(x, f))
		return;
	figure_good(f, EVENTS, "vital signs on their way are compared; %lld findings in %u days",
		    (long long)figure_events(x, "vitals.", NULL), x->days);
	figure_info(f, EVENTS, "%lld altered or injected packets of conversations",
		    (long long)figure_events(x, "stream.", NULL));
}

/* --- encryption ------------------------------------------------------------------------ */

void measure_sealed(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *relays = json_object_get(x->status, "relays"), *r;
	json_int_t bytes = 0, passed = 0;
	const char *key;
	json_t *total;
	size_t i;

	if (!figure_has_policy(x, f))
		return;
	if (x->config->relays_count)
		figure_good(f, POLICY,
			    "%u relays carry TCP in TLS 1.3 that machines speak in the clear",
			    x->config->relays_count);
	else
		figure_lack(f, POLICY,
			    "no relay is set up: what machines speak in the clear crosses the "
			    "network so");
	json_array_foreach (relays, i, r)
		bytes += figure_number(r, "bytes");
	if (relays && x->config->relays_count)
		figure_info(f, STATUS, "%lld bytes went through them since the gateway was started",
			    (long long)bytes);
	for (unsigned n = 0; n < x->config->relays_count; n++)
		if (x->config->relays[n].tls12)
			figure_lack(f, POLICY, "relay %s allows TLS 1.2",
				    x->config->relays[n].name);
	json_object_foreach (json_object_get((json_t *)(uintptr_t)x->status, "floor"), key, total)
		passed += strcmp(key, "passed") == 0 || strcmp(key, "inspected") == 0
				  ? figure_number(total, "bytes")
				  : 0;
	if (passed)
		figure_info(f, STATUS, "%lld bytes passed between wards and hospital meanwhile",
			    (long long)passed);
	figure_unknown(f, "which share of that devices sealed themselves");
}

void measure_rest(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *keys = json_object_get(x->status, "keys");

	if (!keys) {
		figure_unknown(f,
			       "where the keys are: the gateway does not run, or did not answer");
	} else if (json_is_true(json_object_get(keys, "locked"))) {
		figure_lack(f, STATUS, "the keys are locked: %s", figure_text(keys, "reason"));
	} else {
		figure_good(
			f, STATUS,
			"evidence and archive rest in the vault, each file sealed with a key of "
			"its own (age v1); the keys are held by: %s",
			figure_text(keys, "holder"));
		if (strcmp(figure_text(keys, "holder"), "file") == 0)
			figure_lack(
				f, STATUS,
				"the keys' own key lies in a file, which is for a first trial only "
				"(gateway.key_holder)");
		if (!json_is_true(json_object_get(keys, "recoverable")))
			figure_lack(
				f, STATUS,
				"there is no recovery key: if the holder is lost, so is the vault");
	}
	if (x->config && x->config->gateway.eve_open)
		figure_lack(f, POLICY,
			    "names that could tell a patient are readable in the event file "
			    "(eve_names: open)");
	else if (x->config)
		figure_info(f, POLICY,
			    "names that could tell a patient are hashed in the event file");
}

/* --- the gateway itself ---------------------------------------------------------------- */

void measure_continuity(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *d = json_object_get(x->status, "devices");
	const json_t *guards = json_object_get(x->status, "guards"), *g;
	unsigned alive = 0;
	size_t i;

	if (!x->status) {
		figure_unknown(f, "how the gateway is: it does not run, or did not answer");
		return;
	}
	json_array_foreach (guards, i, g)
		alive += json_is_true(json_object_get(g, "alive"));
	if (alive && alive == json_array_size(guards))
		figure_good(f, STATUS, "%u of %zu guards inspect", alive, json_array_size(guards));
	else
		figure_lack(f, STATUS, "%u of %zu guards inspect", alive, json_array_size(guards));
	if (strcmp(figure_text(x->status, "capture"), "xdp") == 0)
		figure_good(f, STATUS,
			    "the kernel goes on enforcing the policy while no process does");
	else
		figure_lack(f, STATUS,
			    "the policy is enforced by the guard alone: while it does not run "
			    "nothing is "
			    "forwarded");
	figure_info(f, STATUS,
		    "while nobody inspects, %lld devices stay online and %lld are shut off",
		    (long long)figure_number(d, "fail_open"),
		    (long long)figure_number(d, "fail_closed"));
	figure_unknown(f, "whether the gateway's own files are backed up elsewhere");
}

void measure_changes(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (x->status)
		figure_good(f, STATUS, "policy number %lld of %s is in force",
			    (long long)figure_number(x->status, "generation"),
			    figure_text(x->status, "policy_file"));
	if (!has_events(x, f))
		return;
	figure_info(f, EVENTS, "%lld policies came into force in %u days",
		    (long long)figure_events(x, "gateway.policy_applied", NULL), x->days);
	figure_info(f, EVENTS, "%lld were refused for an error",
		    (long long)figure_events(x, "gateway.policy_refused", NULL));
}

void measure_kept(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned archived = 0;

	if (!figure_has_policy(x, f))
		return;
	for (unsigned i = 0; i < x->config->devices_count; i++) {
		const struct config_device *d = &x->config->devices[i];
		bool keep = d->archive && *d->archive;

		for (unsigned p = 0; !d->archive && p < x->config->profiles_count; p++)
			keep |= strcmp(x->config->profiles[p].name, d->profile) == 0 &&
				x->config->profiles[p].archive;
		archived += keep;
	}
	figure_good(f, POLICY, "messages and images of %u devices are kept sealed for six years",
		    archived);
	if (x->audit)
		figure_info(f, AUDIT, "the audit trail holds %lld entries",
			    (long long)figure_number(x->audit, "count"));
	if (x->config->gateway.evidence)
		figure_info(f, POLICY,
			    "packets around what was found are kept for %u days, at most %u MB",
			    x->config->gateway.evidence_days, x->config->gateway.evidence_mb);
	else
		figure_info(f, POLICY,
			    "packets around what was found are not kept (evidence: off)");
}
