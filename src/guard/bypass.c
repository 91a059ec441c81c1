/*
 * Conversations of which nothing more can be read, and which the kernel is then asked to let pass
 * for a while without a guard. When that is over, or one of their ends ends it, the kernel says how
 * much has passed, so that the flow is counted whole; then a guard sees the next packet, and may
 * ask again. What somebody else still looks at is never let pass so.
 */
#include "guard/bypass.h"

#include <stdlib.h>

#include "base/clock.h"
#include "guard/engine_internal.h"
#include "guard/flow/tcp.h"

#define FOR_NS	    (10 * NSEC_PER_SEC) /* shorter than any flow may be idle */
#define BYPASSES    4096		/* at once; all others go on being looked at */
#define PACKETS_MIN 32			/* a shorter one is not worth it */

struct bypass {
	struct gate_flow_key key;
	uint64_t due_ns; /* monotonic */
};

/* All last equally long, so the oldest is due first. */
struct bypasses {
	struct bypass ring[BYPASSES];
	unsigned first, count;
};

struct bypasses *bypasses_new(void)
{
	return calloc(1, sizeof(struct bypasses));
}

void bypasses_free(struct bypasses *b)
{
	free(b);
}

/* Has it been named, or given up? */
static bool is_identified(const struct flow *f)
{
	unsigned most = f->key.proto == PROTO_TCP ? APP_PACKETS_TCP : APP_PACKETS_UDP;

	return f->proto || f->app || f->app_packets >= most;
}

/* Would anybody miss what is in it? */
static bool is_wanted(const struct engine *e, const struct work *w, const struct flow *f)
{
	const struct gate_device *d = engine_device(e, w->v.device);

	if (e->o.evidence || !d || d->flags & (GATE_DEVICE_ARCHIVE | GATE_DEVICE_STRANGER))
		return true;
	if (w->v.grant || w->v.link || w->sealed || f->session_reason != REASON_NONE)
		return true;
	if (w->v.flags & (GATE_VERDICT_RECORD | GATE_VERDICT_FRAGMENT | GATE_VERDICT_HAIRPIN))
		return true;
	return w->v.rule != ~0u && *policy_rule_messages(e->policy, w->v.rule);
}

static bool may_pass(const struct engine *e, const struct work *w, const struct flow *f)
{
	if (!w->kernels || w->v.action != GATE_INSPECT || w->v.reason != REASON_NONE ||
	    w->v.would == GATE_DROP || !e->policy ||
	    w->v.generation != policy_generation(e->policy))
		return false;
	if (!f->packets[0] || !f->packets[1] || f->packets[0] + f->packets[1] < PACKETS_MIN)
		return false;
	if (f->key.proto == PROTO_TCP ? f->state != TCP_ESTABLISHED && f->state != TCP_MIDSTREAM
				      : f->key.proto != PROTO_UDP)
		return false;
	return (f->bypass & FLOW_BYPASS_EVER || (is_identified(f) && session_is_through(f))) &&
	       !is_wanted(e, w, f);
}

static void begin(struct engine *e, struct flow *f)
{
	struct bypasses *b = e->bypasses;

	if (b->count == BYPASSES || e->o.bypass(e->o.bypass_arg, &f->key, FOR_NS) < 0)
		return;
	b->ring[(b->first + b->count++) % BYPASSES] =
		(struct bypass){f->key, e->now_ns + FOR_NS + FOR_NS / 100};
	f->bypass |= FLOW_BYPASS_ASKED;
	session_end(e->sessions, f);
	if (f->key.proto == PROTO_TCP)
		tcp_unseen(f, true);
}

/* Asked again and again until somebody takes the question. */
static bool end(struct engine *e, const struct gate_flow_key *key)
{
	return e->o.bypass(e->o.bypass_arg, key, 0) == 0;
}

void engine_may_bypass(struct engine *e, const struct work *w, struct flow *f)
{
	bool over = w->p.proto == PROTO_TCP && w->p.tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST);

	if (f->bypass & FLOW_BYPASS_ASKED) {
		if (over)
			end(e, &f->key);
	} else if (!over && may_pass(e, w, f)) {
		begin(e, f);
	}
}

void engine_bypass_tick(struct engine *e)
{
	struct bypasses *b = e->bypasses;

	while (b && b->count && e->now_ns >= b->ring[b->first].due_ns) {
		const struct gate_flow_key *key = &b->ring[b->first].key;
		const struct flow *f = flow_of_key(e->flows, key);

		if (f && f->bypass & FLOW_BYPASS_ASKED && !end(e, key))
			return;
		b->first = (b->first + 1) % BYPASSES;
		b->count--;
	}
}

/* The kernel's count begins anew where it has forgotten the conversation meanwhile. */
static uint64_t grown(uint64_t now, uint64_t told)
{
	return now >= told ? now - told : now;
}

void engine_bypassed(struct engine *e, const struct gate_flow_key *key, bool passes,
		     const struct gate_count passed[2], uint64_t seen_wall_ns)
{
	struct flow *f = flow_of_key(e->flows, key);

	if (!f || !e->bypasses)
		return;
	for (unsigned i = 0; i < 2; i++) {
		unsigned end = i != f->starter;
		uint64_t packets = grown(passed[i].packets, f->unseen_packets[end]);
		uint64_t bytes = grown(passed[i].bytes, f->unseen_bytes[end]);

		f->packets[end] += packets;
		f->bytes[end] += bytes;
		f->unseen_packets[end] = passed[i].packets;
		f->unseen_bytes[end] = passed[i].bytes;
		if (packets && seen_wall_ns > f->last_ns && seen_wall_ns <= e->wall_ns)
			f->last_ns = seen_wall_ns;
	}
	if (passes) {
		f->bypass |= FLOW_BYPASS_EVER;
		return;
	}
	f->bypass &= (uint8_t)~FLOW_BYPASS_ASKED;
	if (f->key.proto == PROTO_TCP)
		tcp_unseen(f, false);
}
