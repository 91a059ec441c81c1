#include "base/clock.h"
#include "guard/announce.h"
#include "guard/engine_internal.h"

#define PATIENCE_NS (NSEC_PER_SEC / 10) /* for the door; then the sender's next try has to do */

/* Of the packet's own grant: the row it passes by. */
static const struct gate_grant_row *row_of(const struct engine *e, const struct flow *f,
					   uint32_t grant)
{
	uint16_t port = f->key.port[!f->starter];

	for (uint32_t i = 0; i < e->grant_count; i++) {
		const struct gate_grant_row *r = &e->grants[i];

		if (r->grant.id == grant && r->key.kind == GATE_DOOR_SERVICE &&
		    !(r->grant.flags & GATE_GRANT_MET) && r->key.proto == f->key.proto &&
		    r->grant.port_lo <= port && port <= r->grant.port_hi)
			return r;
	}
	return NULL;
}

/* By the service's own range: then nothing has to be opened. */
static bool is_open(const struct engine *e, const struct gate_grant_row *row)
{
	struct gate_grant_key range = row->key;

	range.port = 0;
	for (uint32_t i = 0; i < e->grant_count; i++) {
		const struct gate_grant_row *r = &e->grants[i];

		if (memcmp(&r->key, &range, sizeof(range)) == 0 &&
		    r->grant.port_lo <= row->key.port && row->key.port <= r->grant.port_hi)
			return true;
	}
	return false;
}

/* Of what finds no place the door stays until its grant ends, or others make it go. */
static void remember(struct engine *e, uint64_t flow_id, const struct gate_grant_row *row)
{
	unsigned at = ENGINE_CONTROLS;

	for (unsigned i = ENGINE_CONTROLS; i-- > 0;)
		if (!e->controls[i].flow_id && at == ENGINE_CONTROLS)
			at = i;
	for (unsigned i = 0; i < ENGINE_CONTROLS; i++)
		if (e->controls[i].flow_id == flow_id)
			at = i;
	if (at == ENGINE_CONTROLS)
		return;
	e->controls[at].flow_id = flow_id;
	e->controls[at].row = *row;
}

void engine_announced(struct engine *e, const struct session_message *m)
{
	const struct gate_verdict *v = &e->heard->v;
	const struct gate_grant_row *grant;
	struct gate_grant_row row;

	if (!e->o.announce || v->action == GATE_DROP)
		return;
	grant = row_of(e, m->flow, v->grant);
	if (!grant || !announce_door(m, grant, &row) || is_open(e, &row))
		return;
	e->announced =
		e->o.announce(e->o.announce_arg, &row, ENGINE_DOOR_OPEN, m->flow->id, 0) == 0;
	remember(e, m->flow->id, &row);
}

bool engine_hidden(const struct engine *e, const struct session_message *m)
{
	uint32_t id = e->heard->v.grant;
	const struct gate_grant_row *grant = id ? row_of(e, m->flow, id) : NULL;

	return grant && announce_hidden(m, grant);
}

void engine_control_ended(struct engine *e, const struct flow *f)
{
	for (unsigned i = 0; i < ENGINE_CONTROLS; i++) {
		if (e->controls[i].flow_id != f->id || !f->id)
			continue;
		e->controls[i].flow_id = 0;
		if (f->key.proto == PROTO_TCP)
			(void)e->o.announce(e->o.announce_arg, &e->controls[i].row,
					    ENGINE_DOOR_OVER, f->id, 0);
	}
}

/* Whoever began it came from `other`, to the door that the row of this key is. */
static bool is_door_of(const struct gate_grant_row *r, const struct flow *f)
{
	unsigned came = f->starter, met = !f->starter;
	unsigned peer = r->key.kind == GATE_DOOR_BACK ? met : came;

	return r->key.port && r->key.port == f->key.port[met] && r->key.proto == f->key.proto &&
	       r->key.segment == f->key.segment &&
	       memcmp(&r->key.peer, &f->key.ip[peer], sizeof(r->key.peer)) == 0;
}

void engine_door_met(struct engine *e, const struct flow *f, uint32_t grant)
{
	uint64_t n = f->packets[0] + f->packets[1];
	bool data = false;

	/* What was said once may be lost: said again, ever less often, until it is so. Not by the last
	 * packets of one before, where the device listens at the same port again. */
	if (!e->o.announce || (n & (n - 1)) || f->state == TCP_FIN_WAIT || f->state == TCP_CLOSED ||
	    f->state == TCP_RESET)
		return;
	for (uint32_t i = 0; i < e->grant_count; i++) {
		const struct gate_grant_row *r = &e->grants[i];

		data |= r->grant.id == grant && (r->grant.flags & GATE_GRANT_DATA);
		if (!data || r->grant.id != grant ||
		    (r->grant.flags & (GATE_GRANT_DATA | GATE_GRANT_MET)) || !is_door_of(r, f))
			continue;
		(void)e->o.announce(e->o.announce_arg, r, ENGINE_DOOR_MET, 0,
				    f->key.port[f->starter]);
		return;
	}
}

void engine_door_left(struct engine *e, const struct flow *f)
{
	uint16_t other = f->key.port[f->starter];

	for (uint32_t i = e->met; e->o.announce && i < e->grant_count; i++) {
		const struct gate_grant_row *r = &e->grants[i];

		if ((r->grant.flags & GATE_GRANT_MET) && r->grant.port_hi == other &&
		    is_door_of(r, f))
			(void)e->o.announce(e->o.announce_arg, r, ENGINE_DOOR_LEFT, 0, other);
	}
}

bool engine_hold(struct engine *e, const struct frame *f, uint32_t out)
{
	if (!e->announced || e->held_count == ENGINE_HELD)
		return false;
	e->held[e->held_count++] =
		(struct engine_held){.frame = *f, .out = out, .due_ns = e->boot_ns + PATIENCE_NS};
	return true;
}

void engine_release(struct engine *e, bool all)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < e->held_count; i++) {
		struct engine_held *h = &e->held[i];

		if (all || h->due_ns <= e->boot_ns)
			e->capture->ops->forward(e->capture, &h->frame, h->out);
		else
			e->held[kept++] = *h;
	}
	e->held_count = kept;
}
