#include <string.h>

#include "base/clock.h"
#include "role/guard_internal.h"

#define CONDUCT_NS (2 * NSEC_PER_SEC)

/* --- the parent ------------------------------------------------------------------------------ */

void guard_say_generation(struct guard *g)
{
	uint32_t generation = policy_generation(g->policy.policy);

	ipc_send(g->parent, IPC_POLICY_TAKEN, 0,
		 (struct bytes){(const uint8_t *)&generation, sizeof(generation)}, -1);
}

void guard_say_counts(struct guard *g)
{
	struct evidence_counts evidence = {0};
	struct archive_counts archive;
	struct capture_counts n;
	struct engine_stats s;
	struct setup_counts c;

	g->capture->ops->counts(g->capture, &n);
	engine_stats(g->engine, &s);
	if (g->evidence)
		evidence_counts(g->evidence, &evidence);
	archive_counts(g->archive, &archive);
	c = (struct setup_counts){.received = n.received,
				  .forwarded = n.forwarded,
				  .dropped = n.dropped,
				  .lost_receive = n.lost_receive,
				  .lost_send = n.lost_send,
				  .would_drop = s.would_drop,
				  .events = g->events.lines,
				  .events_lost = g->events.lost,
				  .evidence_lost = evidence.lost,
				  .archive_lost = archive.lost,
				  .flows_untold = s.flows_untold,
				  .flows = flow_count(engine_flows(g->engine))};
	ipc_send(g->parent, IPC_COUNTS, 0, (struct bytes){(const uint8_t *)&c, sizeof(c)}, -1);
}

/* The parent has the rights to. Where its socket is full, the resets have to do. */
void guard_block(void *arg, const struct gate_flow_key *key, enum reason why, uint64_t for_ns)
{
	struct guard *g = arg;
	struct setup_block b;

	memset(&b, 0, sizeof(b));
	b.key = *key;
	b.reason = why;
	b.for_ns = for_ns;
	ipc_send(g->parent, IPC_BLOCK, 0, (struct bytes){(const uint8_t *)&b, sizeof(b)}, -1);
}

int guard_bypass(void *arg, const struct gate_flow_key *key, uint64_t for_ns)
{
	struct guard *g = arg;
	struct setup_bypass b;

	memset(&b, 0, sizeof(b));
	b.key = *key;
	b.for_ns = for_ns;
	return ipc_send(g->parent, IPC_BYPASS, 0, (struct bytes){(const uint8_t *)&b, sizeof(b)},
			-1);
}

/* So it has to. Where its socket is full, the next try has to do. */
int guard_announce(void *arg, const struct gate_grant_row *row, enum engine_door what, uint64_t by,
		   uint16_t other_port)
{
	struct guard *g = arg;
	struct setup_announced a;

	memset(&a, 0, sizeof(a));
	a.key = row->key;
	a.grant = row->grant.id;
	a.what = what;
	a.by = by;
	a.other_port = other_port;
	return ipc_send(g->parent, IPC_ANNOUNCED, 0, (struct bytes){(const uint8_t *)&a, sizeof(a)},
			-1);
}

/* --- the keeper ------------------------------------------------------------------------------ */

/* Patients as they are gathered for the keeper. */
struct patients_told {
	const struct guard *guard;
	uint32_t generation, count;
	struct setup_patient rows[256];
};

static void flush_patients(struct patients_told *t)
{
	if (t->count)
		ipc_send(t->guard->keeper, IPC_PATIENTS, 0,
			 (struct bytes){(const uint8_t *)t->rows, t->count * sizeof(t->rows[0])},
			 -1);
	t->count = 0;
}

static void tell_patient(void *arg, uint32_t device, uint64_t wall_ns)
{
	struct patients_told *t = arg;

	t->rows[t->count++] = (struct setup_patient){device, t->generation, wall_ns};
	if (t->count == sizeof(t->rows) / sizeof(t->rows[0]))
		flush_patients(t);
}

/* What does not arrive is said again with the next vital sign. */
void guard_say_patients(struct guard *g, uint64_t wall)
{
	struct patients_told t = {.guard = g};

	if (g->keeper < 0)
		return;
	if (wall < g->patients_ns)
		g->patients_ns = 0; /* the clock was set back: all of them, once more */
	t.generation = policy_generation(g->policy.policy);
	engine_patients(g->engine, g->patients_ns, tell_patient, &t);
	flush_patients(&t);
	g->patients_ns = wall;
}

/* The same of their conduct. */
struct conduct_told {
	const struct guard *guard;
	uint32_t generation, count;
	struct setup_conduct rows[256];
};

static void flush_conduct(struct conduct_told *t)
{
	if (t->count)
		ipc_send(t->guard->keeper, IPC_CONDUCT, 0,
			 (struct bytes){(const uint8_t *)t->rows, t->count * sizeof(t->rows[0])},
			 -1);
	t->count = 0;
}

static void tell_conduct(void *arg, uint32_t device, uint64_t talked_ns, uint64_t misbehaved_ns)
{
	struct conduct_told *t = arg;

	t->rows[t->count++] =
		(struct setup_conduct){device, t->generation, talked_ns, misbehaved_ns};
	if (t->count == sizeof(t->rows) / sizeof(t->rows[0]))
		flush_conduct(t);
}

void guard_say_conduct(struct guard *g, uint64_t wall)
{
	struct conduct_told t = {.guard = g};

	if (g->keeper < 0 || (wall - g->conduct_ns < CONDUCT_NS && wall >= g->conduct_ns))
		return;
	if (wall < g->conduct_ns)
		g->conduct_ns = 0;
	t.generation = policy_generation(g->policy.policy);
	engine_conduct(g->engine, g->conduct_ns, tell_conduct, &t);
	flush_conduct(&t);
	g->conduct_ns = wall;
}
