#include "update/report/measure.h"

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

/* A figure that speaks for it; one that says how things are; what is missing; what nobody told. */
static void good(struct compliance_finding *f, const char *trace, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void info(struct compliance_finding *f, const char *trace, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void lack(struct compliance_finding *f, const char *trace, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void unknown(struct compliance_finding *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void good(struct compliance_finding *f, const char *trace, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	show(f, f->evidence, trace, text_of(fmt, ap));
	va_end(ap);
	f->good++;
}

static void info(struct compliance_finding *f, const char *trace, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	show(f, f->evidence, trace, text_of(fmt, ap));
	va_end(ap);
}

static void lack(struct compliance_finding *f, const char *trace, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	show(f, f->missing, trace, text_of(fmt, ap));
	va_end(ap);
	f->lacking++;
}

static void unknown(struct compliance_finding *f, const char *fmt, ...)
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

#define STATUS	   "bedwarden status --json"
#define POLICY	   "bedwarden policy check FILE --json"
#define DEVICES	   "bedwarden devices --json"
#define USERS	   "bedwarden user ls --json"
#define GRANTS	   "bedwarden grants --json"
#define EVENTS	   "bedwarden events --json --since %ud"
#define AUDIT	   "bedwarden audit verify --json"
#define UPDATES	   "bedwarden update status --json"
#define ADVISORIES "bedwarden update advisories --json --all"

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static json_int_t number(const json_t *o, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(o, key));

	return n < 0 ? 0 : n;
}

/* Events whose reason begins so; *ret_blocked of them were. */
static json_int_t count_events(const struct compliance_facts *x, const char *begin,
			       json_int_t *ret_blocked)
{
	json_int_t n = 0, blocked = 0;
	const json_t *g;
	size_t i;

	json_array_foreach (x->events, i, g)
		if (strncmp(text(g, "reason"), begin, strlen(begin)) == 0) {
			n += number(g, "count");
			blocked += number(g, "blocked");
		}
	if (ret_blocked)
		*ret_blocked = blocked;
	return n;
}

static bool have_policy(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!x->config)
		unknown(f, "the policy could not be read");
	return x->config;
}

static bool have_events(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!x->events)
		unknown(f, "events: the gateway does not run, or did not answer");
	return x->events;
}

/* --- devices and the network --------------------------------------------------------- */

void measure_inventory(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned models = 0, versions = 0, parts = 0, strangers = 0;
	const json_t *d;
	size_t i;

	if (!have_policy(x, f))
		return;
	for (unsigned n = 0; n < x->config->devices_count; n++) {
		models += *x->config->devices[n].model != 0;
		versions += *x->config->devices[n].version != 0;
		parts += *x->config->devices[n].sbom != 0;
	}
	good(f, POLICY, "devices that are registered, each by its hardware address: %u",
	     x->config->devices_count);
	info(f, POLICY, "of %u the model is noted, of %u the version, of %u the parts (SBOM)",
	     models, versions, parts);
	if (models < x->config->devices_count)
		lack(f, POLICY,
		     "%u devices without a model: advisories cannot be held against them",
		     x->config->devices_count - models);
	if (versions < x->config->devices_count)
		lack(f, POLICY, "%u devices without a version",
		     x->config->devices_count - versions);
	if (!x->devices) {
		unknown(f, "machines that were seen and are not registered");
		return;
	}
	json_array_foreach (x->devices, i, d)
		strangers += !json_is_true(json_object_get(d, "registered"));
	info(f, DEVICES, "machines that were seen and are not registered: %u", strangers);
	if (strangers)
		lack(f, DEVICES, "%u machines that nobody registered", strangers);
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

	if (!have_policy(x, f))
		return;
	for (unsigned i = 0; i < x->config->devices_count; i++)
		modes[mode_of(x->config, &x->config->devices[i])]++;
	if (modes[GATE_ENFORCE])
		good(f, POLICY, "%u of %u devices may do what their profile lists and nothing else",
		     modes[GATE_ENFORCE], x->config->devices_count);
	if (modes[GATE_SIMULATE] + modes[GATE_OBSERVE])
		lack(f, POLICY,
		     "%u devices are only watched (simulate or observe): nothing is blocked for "
		     "them",
		     modes[GATE_SIMULATE] + modes[GATE_OBSERVE]);
	if (!have_events(x, f))
		return;
	n = count_events(x, "policy.", &blocked);
	info(f, EVENTS, "%lld times in %u days something was not allowed, %lld of them blocked",
	     (long long)n, x->days, (long long)blocked);
}

void measure_segments(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned isolated = 0, strict = 0, count;

	if (!have_policy(x, f))
		return;
	count = x->config->segments_count;
	for (unsigned i = 0; i < count; i++) {
		isolated += x->config->segments[i].isolated;
		strict += x->config->segments[i].block_strangers;
	}
	good(f, POLICY,
	     "segments of devices that the gateway parts from the hospital's network: %u", count);
	info(f, POLICY, "in %u of them devices meet each other through the gateway only", isolated);
	info(f, POLICY, "in %u of them unknown machines are blocked", strict);
	if (isolated < count)
		lack(f, POLICY,
		     "in %u segments devices on one switch reach each other unseen (isolated: no)",
		     count - isolated);
	if (strict < count)
		lack(f, POLICY,
		     "in %u segments unknown machines are let through (unknown_devices: observe)",
		     count - strict);
}

void measure_binding(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned strict = 0;
	json_int_t n, blocked;

	if (!have_policy(x, f))
		return;
	for (unsigned i = 0; i < x->config->segments_count; i++)
		strict += x->config->segments[i].block_binding;
	if (strict)
		good(f, POLICY,
		     "in %u of %u segments a device's addresses are its own: false ones are "
		     "blocked",
		     strict, x->config->segments_count);
	if (strict < x->config->segments_count)
		lack(f, POLICY, "in %u segments false addresses are only reported",
		     x->config->segments_count - strict);
	if (!have_events(x, f))
		return;
	n = count_events(x, "binding.", &blocked);
	info(f, EVENTS, "%lld false or new addresses in %u days, %lld packets of them blocked",
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
		unknown(f, "who may sign in: the gateway does not run, or did not answer");
		return;
	}
	json_array_foreach (x->users, i, u) {
		ready += json_is_true(json_object_get(u, "ready"));
		for (unsigned k = 0; k < 5; k++)
			counts[k] += has_factor(u, kinds[k]);
	}
	if (ready)
		good(f, USERS,
		     "nobody signs in with one factor alone; users who have the two it takes: %u "
		     "of %zu",
		     ready, json_array_size(x->users));
	if (!json_array_size(x->users))
		lack(f, USERS, "there are no users: whoever works here does it as root on the box");
	for (unsigned k = 0; k < 5; k++)
		if (counts[k])
			info(f, USERS, "%u have %s", counts[k], words[k]);
	if (x->config && x->config->people.sms)
		lack(f, POLICY,
		     "codes by SMS are on: they can be read and redirected on their way");
	if (ready < json_array_size(x->users))
		lack(f, USERS, "%zu users have not enrolled yet and cannot sign in",
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
		unknown(f, "who may sign in: the gateway does not run, or did not answer");
		return;
	}
	json_array_foreach (x->users, i, u) {
		for (unsigned k = 0; k < 5; k++)
			counts[k] += strcmp(text(u, "role"), roles[k]) == 0;
		disabled += json_is_true(json_object_get(u, "disabled"));
	}
	if (json_array_size(x->users))
		good(f, USERS, "users, each with a name of their own: %zu; of them disabled: %u",
		     json_array_size(x->users), disabled);
	else
		lack(f, USERS, "there are no users: whoever works here does it as root on the box");
	for (unsigned k = 0; k < 5; k++)
		if (counts[k])
			info(f, USERS, "%u with the role %s", counts[k], roles[k]);
}

void measure_logoff(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!have_policy(x, f))
		return;
	if (x->config->people.idle_minutes)
		good(f, POLICY, "an unused session ends after %u minutes",
		     x->config->people.idle_minutes);
	else
		good(f, POLICY, "an unused session ends after 15 to 60 minutes, by role");
	if (x->config->people.overall_hours)
		info(f, POLICY, "and any session after %u hours", x->config->people.overall_hours);
	else
		info(f, POLICY, "and any session after 4 to 12 hours, by role");
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

	if (!have_policy(x, f))
		return;
	n = count_services(x->config, true);
	info(f, POLICY, "service ports of devices that can be opened at once in an emergency: %u",
	     n);
	if (x->config->console.ward)
		good(f, POLICY,
		     "the console can be used from the ward while the rest of the network is "
		     "down");
	if (!x->grants) {
		unknown(f, "emergencies that are still to be reviewed");
		return;
	}
	json_array_foreach (x->grants, i, g)
		open += json_is_true(json_object_get(g, "break_glass"));
	good(f, GRANTS, "emergency openings that are open now or wait for their review: %u", open);
	if (open)
		lack(f, GRANTS, "%u emergency openings to review", open);
}

void measure_doors(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned n;

	if (!have_policy(x, f))
		return;
	n = count_services(x->config, false);
	if (n)
		good(f, POLICY,
		     "service ports that are closed, and open for one person, for a reason, for a "
		     "while: %u",
		     n);
	else
		info(f, POLICY, "no device has a service port that people could ask for");
	if (x->grants)
		info(f, GRANTS, "%zu are open now", json_array_size(x->grants));
	else
		unknown(f, "which of them are open now");
}

void measure_sign_ins(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!have_events(x, f))
		return;
	good(f, EVENTS, "%lld events about signing in and about users in %u days",
	     (long long)count_events(x, "auth.", NULL), x->days);
	info(f, EVENTS, "%lld of them: somebody guessed",
	     (long long)count_events(x, "auth.guessing", NULL));
}

/* --- records ------------------------------------------------------------------------ */

void measure_audit(const struct compliance_facts *x, struct compliance_finding *f)
{
	const char *state = text(x->audit, "state");

	if (!x->audit) {
		unknown(f, "the audit trail could not be verified");
		return;
	}
	if (strcmp(state, "whole") == 0)
		good(f, AUDIT,
		     "the audit trail is whole: %lld entries, %lld of them under a signature",
		     (long long)number(x->audit, "count"), (long long)number(x->audit, "sure"));
	else
		lack(f, AUDIT, "the audit trail is %s: %s", state, text(x->audit, "text"));
	if (!json_is_true(json_object_get(x->audit, "key_known")))
		lack(f, AUDIT,
		     "the key that signs the trail is not known here, so its signatures were not "
		     "verified");
}

void measure_events(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *store = json_object_get(x->status, "store");

	if (!store) {
		unknown(f, "events: the gateway does not run, or did not answer");
		return;
	}
	good(f, STATUS, "%lld events are kept, %lld of today",
	     (long long)number(store, "events_kept"), (long long)number(store, "events_today"));
	if (number(store, "events_lost"))
		lack(f, STATUS, "%lld events were lost", (long long)number(store, "events_lost"));
	if (!json_is_true(json_object_get(store, "writable")))
		lack(f, STATUS, "the disk is full: events are kept in memory only");
	if (x->config && !*x->config->gateway.eve_file)
		lack(f, POLICY, "no event file is written that a SIEM could read (eve_file)");
	else if (x->config)
		info(f, POLICY, "a SIEM can read them as EVE JSON (%s)",
		     x->config->gateway.eve_file);
}

void measure_incidents(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *g;
	size_t i, told = 0;

	if (!have_events(x, f))
		return;
	good(f, EVENTS, "%zu kinds of findings at devices in %u days", json_array_size(x->events),
	     x->days);
	json_array_foreach (x->events, i, g) {
		if (told == 5 || !*text(g, "device"))
			continue;
		told++;
		info(f, EVENTS, "%s: %s %lld times, %lld of them blocked", text(g, "device"),
		     text(g, "sentence"), (long long)number(g, "count"),
		     (long long)number(g, "blocked"));
	}
}

void measure_vitals(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!have_events(x, f))
		return;
	good(f, EVENTS, "vital signs on their way are compared; %lld findings in %u days",
	     (long long)count_events(x, "vitals.", NULL), x->days);
	info(f, EVENTS, "%lld altered or injected packets of conversations",
	     (long long)count_events(x, "stream.", NULL));
}

/* --- encryption ------------------------------------------------------------------------ */

void measure_sealed(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *relays = json_object_get(x->status, "relays"), *r;
	json_int_t bytes = 0, passed = 0;
	const char *key;
	json_t *total;
	size_t i;

	if (!have_policy(x, f))
		return;
	if (x->config->relays_count)
		good(f, POLICY, "%u relays carry TCP in TLS 1.3 that machines speak in the clear",
		     x->config->relays_count);
	else
		lack(f, POLICY,
		     "no relay is set up: what machines speak in the clear crosses the network so");
	json_array_foreach (relays, i, r)
		bytes += number(r, "bytes");
	if (relays && x->config->relays_count)
		info(f, STATUS, "%lld bytes went through them since the gateway was started",
		     (long long)bytes);
	for (unsigned n = 0; n < x->config->relays_count; n++)
		if (x->config->relays[n].tls12)
			lack(f, POLICY, "relay %s allows TLS 1.2", x->config->relays[n].name);
	json_object_foreach (json_object_get((json_t *)(uintptr_t)x->status, "floor"), key, total)
		passed += strcmp(key, "passed") == 0 || strcmp(key, "inspected") == 0
				  ? number(total, "bytes")
				  : 0;
	if (passed)
		info(f, STATUS, "%lld bytes passed between wards and hospital meanwhile",
		     (long long)passed);
	unknown(f, "which share of that devices sealed themselves");
}

void measure_rest(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *keys = json_object_get(x->status, "keys");

	if (!keys) {
		unknown(f, "where the keys are: the gateway does not run, or did not answer");
	} else if (json_is_true(json_object_get(keys, "locked"))) {
		lack(f, STATUS, "the keys are locked: %s", text(keys, "reason"));
	} else {
		good(f, STATUS,
		     "evidence and archive rest in the vault, each file sealed with a key of "
		     "its own (age v1); the keys are held by: %s",
		     text(keys, "holder"));
		if (strcmp(text(keys, "holder"), "file") == 0)
			lack(f, STATUS,
			     "the keys' own key lies in a file, which is for a first trial only "
			     "(gateway.key_holder)");
		if (!json_is_true(json_object_get(keys, "recoverable")))
			lack(f, STATUS,
			     "there is no recovery key: if the holder is lost, so is the vault");
	}
	if (x->config && x->config->gateway.eve_open)
		lack(f, POLICY,
		     "names that could tell a patient are readable in the event file "
		     "(eve_names: open)");
	else if (x->config)
		info(f, POLICY, "names that could tell a patient are hashed in the event file");
}

/* --- patches --------------------------------------------------------------------------- */

/* Days since the advisory came out; -1 its date cannot be read. */
static int64_t age_days(const struct compliance_facts *x, const json_t *match)
{
	int y, m, d;
	int64_t days;

	if (sscanf(text(match, "released"), "%4d-%2d-%2d", &y, &m, &d) != 3 || m < 1 || m > 12)
		return -1;
	/* Days of the civil calendar since 1970, as in POSIX's "seconds since the Epoch". */
	y -= m <= 2;
	days = 365ll * y + y / 4 - y / 100 + y / 400 + (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d -
	       1 - 719468;
	return x->now_s / 86400 - days;
}

struct patch_counts {
	unsigned open, shielded, rehearsed, accepted, unsure, overdue;
	int64_t oldest;
	char oldest_what[200];
};

static bool todo_is(const json_t *m, const char *what)
{
	return strcmp(text(m, "do"), what) == 0;
}

/* The proposed 45 CFR 164.308(a)(4): critical within 15 days, high within 30. */
static bool is_overdue(const json_t *m, int64_t age)
{
	const char *severity = text(m, "severity");

	return (strcmp(severity, "critical") == 0 && age > 15) ||
	       (strcmp(severity, "high") == 0 && age > 30);
}

static void count_patches(const struct compliance_facts *x, struct patch_counts *n)
{
	const json_t *m;
	size_t i;

	*n = (struct patch_counts){.oldest = -1};
	json_array_foreach (x->matches, i, m) {
		int64_t age = age_days(x, m);

		n->accepted += todo_is(m, "accepted");
		n->shielded += todo_is(m, "shielded");
		n->unsure += todo_is(m, "look");
		if (!todo_is(m, "update") && !todo_is(m, "shield") && !todo_is(m, "enforce_shield"))
			continue;
		n->open++;
		n->rehearsed += todo_is(m, "enforce_shield");
		n->overdue += is_overdue(m, age);
		if (age <= n->oldest)
			continue;
		n->oldest = age;
		snprintf(n->oldest_what, sizeof(n->oldest_what), "%.95s at %.63s",
			 text(m, "advisory"), text(m, "device"));
	}
}

static bool have_advisories(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!x->matches || !x->advisories)
		unknown(f, "known weaknesses: there are no advisories");
	return x->matches && x->advisories;
}

void measure_patches(const struct compliance_facts *x, struct compliance_finding *f)
{
	struct patch_counts n;

	if (!have_advisories(x, f))
		return;
	count_patches(x, &n);
	good(f, ADVISORIES, "advisories that were held against the devices: %zu", x->advisories);
	info(f, ADVISORIES,
	     "known weaknesses: %u open, %u shielded, %u accepted for a reason and a time", n.open,
	     n.shielded, n.accepted);
	if (n.open)
		lack(f, ADVISORIES,
		     "%u known weaknesses are neither patched, shielded nor accepted", n.open);
	if (n.oldest >= 0)
		info(f, ADVISORIES, "the oldest open one came out %lld days ago: %s",
		     (long long)n.oldest, n.oldest_what);
	if (n.overdue)
		lack(f, ADVISORIES,
		     "%u open ones are older than 15 days (critical) or 30 days (high), the "
		     "proposed "
		     "rule's limits",
		     n.overdue);
	if (n.unsure)
		lack(f, ADVISORIES, "of %u more nobody can tell from model, version and advisory",
		     n.unsure);
	if (x->nameless)
		lack(f, ADVISORIES, "%zu devices have no model, so nothing can be said of them",
		     x->nameless);
}

struct firmware_counts {
	unsigned by[3]; /* agent, push, person */
	unsigned silent, unwell, asked, failed, on_trust, own_word;
	json_int_t last; /* when one was updated; 0 never */
};

static unsigned count_steps(const json_t *rollout, const char *step, const char *driver)
{
	const json_t *d;
	unsigned n = 0;
	size_t i;

	json_array_foreach (json_object_get(rollout, "devices"), i, d)
		n += strcmp(text(d, "step"), step) == 0 &&
		     (!driver || strcmp(text(d, "driver"), driver) == 0);
	return n;
}

static void count_firmware(const struct compliance_facts *x, struct firmware_counts *n)
{
	static const char *const drivers[] = {"agent", "push", "person"};
	const json_t *d, *r;
	size_t i, j;

	*n = (struct firmware_counts){.last = 0};
	json_array_foreach (json_object_get(x->updates, "devices"), i, d) {
		for (unsigned k = 0; k < 3; k++)
			n->by[k] += strcmp(text(d, "driver"), drivers[k]) == 0;
		n->silent += json_is_false(json_object_get(d, "reachable"));
		n->unwell += json_is_false(json_object_get(d, "healthy"));
	}
	json_array_foreach (json_object_get(x->updates, "rollouts"), i, r) {
		if (strcmp(text(r, "state"), "proposed") == 0)
			n->asked += count_steps(r, "waiting", NULL);
		n->failed += count_steps(r, "failed", NULL);
		n->on_trust += count_steps(r, "done", "push");
		json_array_foreach (json_object_get(r, "devices"), j, d) {
			n->own_word += json_is_true(json_object_get(d, "own_word"));
			if (strcmp(text(d, "step"), "done") == 0 && number(d, "since") > n->last)
				n->last = number(d, "since");
		}
	}
}

/* How devices get theirs. */
static void measure_firmware(const struct compliance_facts *x, struct compliance_finding *f)
{
	struct firmware_counts n;

	count_firmware(x, &n);
	if (n.by[0] + n.by[1] + n.by[2] == 0)
		return;
	info(f, UPDATES,
	     "devices that get firmware from the gateway: %u by an agent, %u by pushing, %u by a "
	     "person's hand",
	     n.by[0], n.by[1], n.by[2]);
	if (n.last)
		info(f, UPDATES, "days since a device was last updated: %lld",
		     (long long)((x->now_s - n.last) / 86400));
	if (n.on_trust)
		info(f, UPDATES,
		     "updates by pushing: %u; the gateway verified them, the last hop was on trust",
		     n.on_trust);
	if (n.own_word)
		info(f, UPDATES, "devices that said they had an update already, on their word: %u",
		     n.own_word);
	if (n.asked)
		lack(f, UPDATES, "firmware for %u devices waits for a person's word", n.asked);
	if (n.failed)
		lack(f, UPDATES,
		     "%u devices could neither be updated nor taken back: somebody has to look at "
		     "them",
		     n.failed);
	if (n.silent)
		lack(f, UPDATES, "agents of %u devices do not call", n.silent);
	if (n.unwell)
		lack(f, UPDATES, "%u devices say themselves that they are not well", n.unwell);
}

/* The gateway's own, and what it brings for devices. */
void measure_updates(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *fetching = json_object_get(x->updates, "fetching");
	json_int_t last = number(fetching, "last_good");

	if (!x->updates) {
		unknown(f,
			"whether updates are fetched: the gateway does not run, or did not answer");
		return;
	}
	if (!json_is_true(json_object_get(fetching, "on")))
		lack(f, UPDATES,
		     "no mirrors are named: updates come by stick only (updates.mirrors)");
	else if (last)
		good(f, UPDATES,
		     "updates are fetched and verified; days since that last went well: %lld",
		     (long long)((x->now_s - last) / 86400));
	else
		lack(f, UPDATES, "nothing was fetched yet");
	info(f, UPDATES, "updates that wait: %zu",
	     json_array_size(json_object_get(x->updates, "waiting")));
	if (json_is_object(json_object_get(x->updates, "hold")))
		lack(f, UPDATES, "updates are on hold, by %s",
		     text(json_object_get(x->updates, "hold"), "by"));
	measure_firmware(x, f);
}

void measure_shields(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned enforced = 0, rehearsed = 0;
	json_int_t n, blocked;

	if (!have_policy(x, f))
		return;
	for (unsigned i = 0; i < x->config->shields_count; i++) {
		enforced += x->config->shields[i].enforce;
		rehearsed += !x->config->shields[i].enforce;
	}
	if (enforced)
		good(f, POLICY, "virtual patches that block: %u", enforced);
	if (rehearsed)
		info(f, POLICY, "virtual patches that are rehearsed and block nothing yet: %u",
		     rehearsed);
	if (!x->events)
		return;
	n = count_events(x, "policy.shielded", &blocked);
	info(f, EVENTS, "they stopped %lld of %lld attempts in %u days", (long long)blocked,
	     (long long)n, x->days);
}

/* --- the gateway itself ---------------------------------------------------------------- */

void measure_continuity(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *d = json_object_get(x->status, "devices");
	const json_t *guards = json_object_get(x->status, "guards"), *g;
	unsigned alive = 0;
	size_t i;

	if (!x->status) {
		unknown(f, "how the gateway is: it does not run, or did not answer");
		return;
	}
	json_array_foreach (guards, i, g)
		alive += json_is_true(json_object_get(g, "alive"));
	if (alive && alive == json_array_size(guards))
		good(f, STATUS, "%u of %zu guards inspect", alive, json_array_size(guards));
	else
		lack(f, STATUS, "%u of %zu guards inspect", alive, json_array_size(guards));
	if (strcmp(text(x->status, "capture"), "xdp") == 0)
		good(f, STATUS, "the kernel goes on enforcing the policy while no process does");
	else
		lack(f, STATUS,
		     "the policy is enforced by the guard alone: while it does not run nothing is "
		     "forwarded");
	info(f, STATUS, "while nobody inspects, %lld devices stay online and %lld are shut off",
	     (long long)number(d, "fail_open"), (long long)number(d, "fail_closed"));
	unknown(f, "whether the gateway's own files are backed up elsewhere");
}

void measure_changes(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (x->status)
		good(f, STATUS, "policy number %lld of %s is in force",
		     (long long)number(x->status, "generation"), text(x->status, "policy_file"));
	if (!have_events(x, f))
		return;
	info(f, EVENTS, "%lld policies came into force in %u days",
	     (long long)count_events(x, "gateway.policy_applied", NULL), x->days);
	info(f, EVENTS, "%lld were refused for an error",
	     (long long)count_events(x, "gateway.policy_refused", NULL));
}

void measure_kept(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned archived = 0;

	if (!have_policy(x, f))
		return;
	for (unsigned i = 0; i < x->config->devices_count; i++) {
		const struct config_device *d = &x->config->devices[i];
		bool keep = d->archive && *d->archive;

		for (unsigned p = 0; !d->archive && p < x->config->profiles_count; p++)
			keep |= strcmp(x->config->profiles[p].name, d->profile) == 0 &&
				x->config->profiles[p].archive;
		archived += keep;
	}
	good(f, POLICY, "messages and images of %u devices are kept sealed for six years",
	     archived);
	if (x->audit)
		info(f, AUDIT, "the audit trail holds %lld entries",
		     (long long)number(x->audit, "count"));
	if (x->config->gateway.evidence)
		info(f, POLICY, "packets around what was found are kept for %u days, at most %u MB",
		     x->config->gateway.evidence_days, x->config->gateway.evidence_mb);
	else
		info(f, POLICY, "packets around what was found are not kept (evidence: off)");
}
