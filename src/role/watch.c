#include "role/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "guard/capture/gate.h"

/* A guard says how it is twice a second; silent for this long, it hangs. */
#define QUIET_NS (5 * NSEC_PER_SEC)
#define START_NS (15 * NSEC_PER_SEC) /* to open its rings and lock itself in */
#define STOP_NS	 (2 * NSEC_PER_SEC)
/* The others are asked; who does not answer so many times hangs. Counted, not timed: a parent that was
 * itself held up ends nobody for it. */
#define ASK_NS	 (5 * NSEC_PER_SEC)
#define ASKS_MAX 9
/* Those that do one thing, hear nobody meanwhile and end: so long for it. */
#define CLERK_NS    (60 * NSEC_PER_SEC)
#define ERRAND_NS   (600 * NSEC_PER_SEC)
#define REPORTS_MAX 64 /* devices reported a second; the others' counts wait, none is lost */

struct watch {
	struct gate_device_count *now, *told; /* per device: as read, as reported */
	uint32_t devices;
	uint32_t next; /* where the reports go on */
};

struct watch *watch_new(void)
{
	return calloc(1, sizeof(struct watch));
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	free(w->now);
	free(w->told);
	free(w);
}

static bool anyone_inspects(const struct gateway *g)
{
	for (unsigned i = 0; i < g->member_count; i++)
		if (g->members[i].role == ROLE_GUARD && !g->members[i].child.ready)
			return false;
	return true;
}

static void say(struct gateway *g, uint32_t device, enum reason reason, const char *verdict,
		uint64_t packets)
{
	const char *name = policy_device_name(g->site.policy, device);
	char text[160];

	snprintf(text, sizeof(text), "%llu packets of %s %s", (unsigned long long)packets,
		 *name ? name : "an unregistered machine",
		 reason == REASON_FLOOR_UNINSPECTED ? "passed uninspected" : "were shut out");
	facts_say(&g->facts, &(struct fact){.reason = reason,
					    .device = name,
					    .verdict = verdict,
					    .count = packets,
					    .text = text});
}

/* One device: what grew since it was last told. True if there was something to say. */
static bool report(struct gateway *g, struct watch *w, uint32_t d)
{
	const struct gate_device_count *now = &w->now[d];
	struct gate_device_count *told = &w->told[d];
	uint64_t uninspected = now->uninspected.packets - told->uninspected.packets;
	uint64_t failed = now->failed.packets - told->failed.packets;

	if (uninspected)
		say(g, d, REASON_FLOOR_UNINSPECTED, "pass", uninspected);
	if (failed)
		say(g, d, anyone_inspects(g) ? REASON_FLOOR_OVERLOAD : REASON_FLOOR_NO_GUARD,
		    "drop", failed);
	*told = *now;
	return uninspected || failed;
}

static void report_all(struct gateway *g, struct watch *w)
{
	unsigned said = 0;

	for (uint32_t i = 0; i < w->devices && said < REPORTS_MAX; i++) {
		said += report(g, w, w->next);
		w->next = (w->next + 1) % w->devices;
	}
}

/* The floor's counters of devices begin at zero with each policy, and so do ours. */
void watch_policy(struct gateway *g)
{
	struct watch *w = g->watch;
	uint32_t devices;

	if (!g->gate)
		return;
	free(w->now);
	free(w->told);
	policy_devices(g->site.policy, &devices);
	w->now = calloc(devices, sizeof(*w->now));
	w->told = calloc(devices, sizeof(*w->told));
	/* Without memory for it nothing is reported; it is enforced all the same. */
	w->devices = w->now && w->told ? devices : 0;
	w->next = 0;
}

void watch_counts(struct gateway *g)
{
	struct watch *w = g->watch;

	if (g->gate && w->devices && gate_device_counts(g->gate, w->now, w->devices) > 0)
		report_all(g, w);
}

/* How long one that is ready may say nothing; 0: it owes no sign of life by itself. */
static uint64_t patience(const struct gateway *g, const struct member *m)
{
	switch (m->role) {
	case ROLE_GUARD:
		return QUIET_NS;
	case ROLE_CLERK:
		return g->errand.long_ ? ERRAND_NS : CLERK_NS;
	case ROLE_INSTALLER:
	case ROLE_SURVEYOR:
		return ERRAND_NS;
	default:
		return 0;
	}
}

/* False: it has not answered for long. */
static bool ask(struct member *m, uint64_t quiet)
{
	if (quiet < (m->child.unheard + 1) * ASK_NS)
		return true;
	if (m->child.unheard == ASKS_MAX)
		return false;
	m->child.unheard++;
	member_send(m, IPC_ALIVE, 0, (struct bytes){0}, -1);
	return true;
}

static void watch_hearts(struct gateway *g, uint64_t now_ns)
{
	char name[MEMBER_NAME];

	for (unsigned i = 0; i < g->member_count; i++) {
		struct member *m = &g->members[i];
		uint64_t quiet = now_ns - m->child.heard_ns;
		uint64_t most = m->child.stopping ? STOP_NS
				: m->child.ready  ? patience(g, m)
						  : START_NS;

		if (!m->child.pid || quiet < most || now_ns < m->child.heard_ns)
			continue;
		if (!most && ask(m, quiet))
			continue;
		if (!m->child.stopping)
			log_error("%s has been silent for %llu s; ending it", member_name(m, name),
				  (unsigned long long)(quiet / NSEC_PER_SEC));
		child_kill(&m->child);
	}
}

void watch_second(struct gateway *g, uint64_t now_ns)
{
	watch_counts(g);
	watch_hearts(g, now_ns);
	/* Not at once: whoever asked for the new policy still gets the answer. */
	reload_restart(g, ROLE_KEEPER);
}

void watch_port(void *arg, const struct port *p, unsigned changes)
{
	struct gateway *g = arg;
	bool down = changes & (PORT_VANISHED | PORT_LINK_DOWN);
	char text[96];

	if (changes & (PORT_CAME | PORT_VANISHED))
		g->ports_changed = true;
	snprintf(text, sizeof(text), "%s %s", p->name,
		 changes & PORT_VANISHED    ? "is missing"
		 : changes & PORT_LINK_DOWN ? "has no link"
		 : p->link		    ? "has a link"
					    : "is there, without a link yet");
	if (down)
		log_warn("port %s", text);
	else
		log_info("port %s", text);
	facts_say(&g->facts,
		  &(struct fact){.reason = down ? REASON_GATEWAY_PORT_DOWN : REASON_GATEWAY_PORT_UP,
				 .iface = p->name,
				 .text = text});
}
