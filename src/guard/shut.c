#include "guard/door.h"
#include "guard/engine_internal.h"

/* The door has shut: nothing is on its way, so the last packet that passed stands for it. */
static void shut_one(struct engine *e, const struct door *d)
{
	enum reason why =
		d->grant & GATE_GRANT_RULE ? REASON_POLICY_DATA_ENDED : REASON_GRANT_ENDED;
	struct work *w = &e->whole;
	unsigned end = d->sender;
	struct flow *f;

	w->p = d->p;
	w->v = d->v;
	w->v.reason = (uint8_t)why;
	w->v.action = w->v.would = GATE_DROP;
	w->ifindex = d->ifindex;
	w->segment = d->segment;
	flow_hint(e->flows, &w->p, w->segment, &w->hint);
	flow_prefetch(e->flows, &w->hint);
	f = flow_peek(e->flows, &w->hint);
	if (f && (f->state == TCP_CLOSED || f->state == TCP_RESET))
		return; /* it has ended by itself */
	if (f) {
		f->reason = (uint8_t)why;
		f->action = f->would = GATE_DROP;
		/* Of other protocols nothing shows that they begin anew under the next grant. */
		if (w->p.proto == PROTO_TCP) {
			f->session_reason = (uint8_t)why;
			f->state = TCP_RESET;
		}
		session_end(e->sessions, f);
	}
	w->p.time_ns = e->wall_ns;
	notice_verdict(&e->notice, &w->p, &w->v, w->segment, f, e->now_ns);
	if (w->p.proto != PROTO_TCP || (d->known & 1u << end) == 0 || e->o.packet_times)
		return;
	engine_reset(e, w, false, w->p.tcp_seq);
	if (d->known & 1u << !end)
		engine_reset(e, w, true, w->p.tcp_ack);
}

/* Where the device is only watched, nothing is cut. */
static bool is_enforced(const struct engine *e, uint32_t device)
{
	const struct gate_device *d = engine_device(e, device);

	return d && d->mode == GATE_ENFORCE;
}

void engine_shut_doors(struct engine *e)
{
	struct door d;

	while (doors_take(e->doors, e->boot_ns, &d)) {
		/* The policy may be another one than when it was last seen, and the device's number. */
		if (e->policy && d.v.generation != policy_generation(e->policy))
			floor_judge(e->floor, &d.p, d.ifindex, e->now_ns, &d.v);
		if (is_enforced(e, d.v.device))
			shut_one(e, &d);
	}
}

void engine_boot(struct engine *e, uint64_t boot_ns)
{
	e->boot_ns = boot_ns;
	if (e->floor)
		floor_set_boot(e->floor, boot_ns);
}

void engine_set_grants(struct engine *e, struct capture *c, const struct gate_grant_row *rows,
		       uint32_t count, uint64_t boot_ns)
{
	e->grant_count = count < GATE_GRANTS ? count : GATE_GRANTS;
	if (e->grant_count)
		memcpy(e->grants, rows, e->grant_count * sizeof(*rows));
	if (e->floor)
		floor_set_grants(e->floor, e->grants, e->grant_count);
	doors_set(e->doors, e->grants, e->grant_count);
	engine_boot(e, boot_ns);
	e->capture = c;
	engine_shut_doors(e);
	engine_release(e, true);
}
