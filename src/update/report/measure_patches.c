/* Known weaknesses, what is done about each, and whether updates come. */
#include "update/report/measure_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Days since the advisory came out; -1 its date cannot be read. */
static int64_t age_days(const struct compliance_facts *x, const json_t *match)
{
	int y, m, d;

	if (sscanf(figure_text(match, "released"), "%4d-%2d-%2d", &y, &m, &d) != 3 || m < 1 ||
	    m > 12)
		return -1;
	return x->now_s / 86400 - clock_days(y, m, d);
}

struct patch_counts {
	unsigned open, shielded, rehearsed, accepted, unsure, overdue;
	int64_t oldest;
	char oldest_what[200];
};

static bool todo_is(const json_t *m, const char *what)
{
	return strcmp(figure_text(m, "do"), what) == 0;
}

/* The proposed 45 CFR 164.308(a)(4): critical within 15 days, high within 30. */
static bool is_overdue(const json_t *m, int64_t age)
{
	const char *severity = figure_text(m, "severity");

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
			 figure_text(m, "advisory"), figure_text(m, "device"));
	}
}

static bool have_advisories(const struct compliance_facts *x, struct compliance_finding *f)
{
	if (!x->matches || !x->advisories)
		figure_unknown(f, "known weaknesses: there are no advisories");
	return x->matches && x->advisories;
}

void measure_patches(const struct compliance_facts *x, struct compliance_finding *f)
{
	struct patch_counts n;

	if (!have_advisories(x, f))
		return;
	count_patches(x, &n);
	figure_good(f, ADVISORIES, "advisories that were held against the devices: %zu",
		    x->advisories);
	figure_info(f, ADVISORIES,
		    "known weaknesses: %u open, %u shielded, %u accepted for a reason and a time",
		    n.open, n.shielded, n.accepted);
	if (n.open)
		figure_lack(f, ADVISORIES,
			    "%u known weaknesses are neither patched, shielded nor accepted",
			    n.open);
	if (n.oldest >= 0)
		figure_info(f, ADVISORIES, "the oldest open one came out %lld days ago: %s",
			    (long long)n.oldest, n.oldest_what);
	if (n.overdue)
		figure_lack(f, ADVISORIES,
			    "%u open ones are older than 15 days (critical) or 30 days (high), the "
			    "proposed "
			    "rule's limits",
			    n.overdue);
	if (n.unsure)
		figure_lack(f, ADVISORIES,
			    "of %u more nobody can tell from model, version and advisory",
			    n.unsure);
	if (x->nameless)
		figure_lack(f, ADVISORIES,
			    "%zu devices have no model, so nothing can be said of them",
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
		n += strcmp(figure_text(d, "step"), step) == 0 &&
		     (!driver || strcmp(figure_text(d, "driver"), driver) == 0);
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
			n->by[k] += strcmp(figure_text(d, "driver"), drivers[k]) == 0;
		n->silent += json_is_false(json_object_get(d, "reachable"));
		n->unwell += json_is_false(json_object_get(d, "healthy"));
	}
	json_array_foreach (json_object_get(x->updates, "rollouts"), i, r) {
		if (strcmp(figure_text(r, "state"), "proposed") == 0)
			n->asked += count_steps(r, "waiting", NULL);
		n->failed += count_steps(r, "failed", NULL);
		n->on_trust += count_steps(r, "done", "push");
		json_array_foreach (json_object_get(r, "devices"), j, d) {
			n->own_word += json_is_true(json_object_get(d, "own_word"));
			if (strcmp(figure_text(d, "step"), "done") == 0 &&
			    figure_number(d, "since") > n->last)
				n->last = figure_number(d, "since");
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
	figure_info(f, UPDATES,
		    "devices that get firmware from the gateway: %u by an agent, %u by pushing, %u "
		    "by a "
		    "person's hand",
		    n.by[0], n.by[1], n.by[2]);
	if (n.last)
		figure_info(f, UPDATES, "days since a device was last updated: %lld",
			    (long long)((x->now_s - n.last) / 86400));
	if (n.on_trust)
		figure_info(f, UPDATES,
			    "updates by pushing: %u; the gateway verified them, the last hop was "
			    "on trust",
			    n.on_trust);
	if (n.own_word)
		figure_info(f, UPDATES,
			    "devices that said they had an update already, on their word: %u",
			    n.own_word);
	if (n.asked)
		figure_lack(f, UPDATES, "firmware for %u devices waits for a person's word",
			    n.asked);
	if (n.failed)
		figure_lack(f, UPDATES,
			    "%u devices could neither be updated nor taken back: somebody has to "
			    "look at "
			    "them",
			    n.failed);
	if (n.silent)
		figure_lack(f, UPDATES, "agents of %u devices do not call", n.silent);
	if (n.unwell)
		figure_lack(f, UPDATES, "%u devices say themselves that they are not well",
			    n.unwell);
}

/* The gateway's own, and what it brings for devices. */
void measure_updates(const struct compliance_facts *x, struct compliance_finding *f)
{
	const json_t *fetching = json_object_get(x->updates, "fetching");
	json_int_t last = figure_number(fetching, "last_good");

	if (!x->updates) {
		figure_unknown(
			f,
			"whether updates are fetched: the gateway does not run, or did not answer");
		return;
	}
	if (!json_is_true(json_object_get(fetching, "on")))
		figure_lack(f, UPDATES,
			    "no mirrors are named: updates come by stick only (updates.mirrors)");
	else if (last)
		figure_good(
			f, UPDATES,
			"updates are fetched and verified; days since that last went well: %lld",
			(long long)((x->now_s - last) / 86400));
	else
		figure_lack(f, UPDATES, "nothing was fetched yet");
	figure_info(f, UPDATES, "updates that wait: %zu",
		    json_array_size(json_object_get(x->updates, "waiting")));
	if (json_is_object(json_object_get(x->updates, "hold")))
		figure_lack(f, UPDATES, "updates are on hold, by %s",
			    figure_text(json_object_get(x->updates, "hold"), "by"));
	measure_firmware(x, f);
}

void measure_shields(const struct compliance_facts *x, struct compliance_finding *f)
{
	unsigned enforced = 0, rehearsed = 0;
	json_int_t n, blocked;

	if (!figure_has_policy(x, f))
		return;
	for (unsigned i = 0; i < x->config->shields_count; i++) {
		enforced += x->config->shields[i].enforce;
		rehearsed += !x->config->shields[i].enforce;
	}
	if (enforced)
		figure_good(f, POLICY, "virtual patches that block: %u", enforced);
	if (rehearsed)
		figure_info(f, POLICY,
			    "virtual patches that are rehearsed and block nothing yet: %u",
			    rehearsed);
	if (!x->events)
		return;
	n = figure_events(x, "policy.shielded", &blocked);
	figure_info(f, EVENTS, "they stopped %lld of %lld attempts in %u days", (long long)blocked,
		    (long long)n, x->days);
}
