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
		    r->key.proto == f->key.proto && r->grant.port_lo <= port &&
		    port <= r->grant.port_hi)
			return r;
	}
	return NULL;
}

static bool is_open(const struct engine *e, const struct gate_grant_row *row)
{
	for (uint32_t i = 0; i < e->grant_count; i++)
		if (memcmp(&e->grants[i].key, &row->key, sizeof(row->key)) == 0)
			return true;
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
	e->announced = e->o.announce(e->o.announce_arg, &row, false) == 0;
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
			(void)e->o.announce(e->o.announce_arg, &e->controls[i].row, true);
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
