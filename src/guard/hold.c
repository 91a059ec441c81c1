#include "base/clock.h"
#include "guard/announce.h"
#include "guard/announced.h"
#include "guard/door.h"
#include "guard/engine_internal.h"
#include "guard/policy/data.h"

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
	e->control_count += !e->controls[at].flow_id;
	e->controls[at].flow_id = flow_id;
	e->controls[at].row = *row;
}

static const struct gate_ip *ip_of(const struct flow *f, unsigned end)
{
	return &f->key.ip[end ? !f->starter : f->starter];
}

/* The device whose rule allows the conversation, and which end of it that is. Of two neighbours each
 * has rules of its own. */
static const struct gate_device *owner_of(const struct engine *e, const struct flow *f,
					  unsigned *ret_end)
{
	const struct gate_device *d = engine_device(e, f->device);

	*ret_end = f->flags & REPORT_FLOW_TO_DEVICE ? 1 : 0;
	if (d && f->rule - d->rule_first >= d->rule_count && f->peer & GATE_PEER_DEVICE) {
		*ret_end = !*ret_end;
		d = engine_device(e, f->peer & ~GATE_PEER_DEVICE);
	}
	return d && f->rule - d->rule_first < d->rule_count ? d : NULL;
}

/* What the message's conversation stands under, as a row that its doors take after: a grant for a
 * service with data of its own, or a rule that names this protocol. False: it is neither. */
static bool opener_of(const struct engine *e, const struct session_message *m,
		      struct gate_grant_row *ret_row, unsigned *ret_device_end)
{
	uint32_t id = e->heard->v.grant;
	const struct gate_grant_row *grant = id ? row_of(e, m->flow, id) : NULL;
	const struct gate_device *d;

	*ret_device_end = 1; /* of a grant: the workstation begins */
	if (grant)
		*ret_row = *grant;
	if (id)
		return grant && grant->grant.flags & GATE_GRANT_DATA;
	if (engine_expected((void *)(uintptr_t)e, m->flow) != m->proto)
		return false;
	d = owner_of(e, m->flow, ret_device_end);
	if (!d)
		return false;
	*ret_row = (struct gate_grant_row){
		.key = {.segment = d->segment,
			.peer = *ip_of(m->flow, !*ret_device_end),
			.proto = m->flow->key.proto},
		.grant.id = GATE_GRANT_RULE | (*ret_device_end ? GATE_GRANT_TOWARDS : 0) |
			    ((uint32_t)m->flow->id & ~(GATE_GRANT_RULE | GATE_GRANT_TOWARDS))};
	memcpy(ret_row->key.device_mac, d->mac, sizeof(d->mac));
	return true;
}

enum reason engine_announced(struct engine *e, const struct session_message *m, uint16_t *ret_port)
{
	struct gate_grant_row opener, row;
	struct announce a;
	enum announce_word word;
	unsigned device_end;

	if (!e->o.announce || e->heard->v.action == GATE_DROP)
		return REASON_NONE;
	word = announce_read(m, &a);
	if (word == ANNOUNCE_NOTHING || !opener_of(e, m, &opener, &device_end))
		return REASON_NONE;
	if (word == ANNOUNCE_ELSEWHERE ||
	    (word == ANNOUNCE_TRANSLATED && opener.grant.id & GATE_GRANT_RULE))
		return REASON_POLICY_DATA_ELSEWHERE;
	announce_door(&a, &opener, device_end, &row);
	if (is_open(e, &row) ||
	    (row.grant.id & GATE_GRANT_RULE &&
	     data_rule(e->policy, &row.key, row.grant.id & GATE_GRANT_TOWARDS) == ~0u))
		return REASON_NONE;
	e->announced =
		e->o.announce(e->o.announce_arg, &row, ENGINE_DOOR_OPEN, m->flow->id, 0) == 0;
	if (e->announced)
		*ret_port = row.key.port;
	if (row.key.proto == PROTO_TCP)
		remember(e, m->flow->id, &row);
	return REASON_NONE;
}

enum reason engine_hidden(const struct engine *e, const struct session_message *m)
{
	struct gate_grant_row opener;
	unsigned device_end;

	if (!announce_hidden(m) || !opener_of(e, m, &opener, &device_end))
		return REASON_NONE;
	return opener.grant.id & GATE_GRANT_RULE ? REASON_POLICY_DATA_UNREADABLE
						 : REASON_GRANT_UNREADABLE;
}

uint32_t engine_door_rule(const struct engine *e, uint32_t id)
{
	for (uint32_t i = 0; i < e->grant_count; i++)
		if (e->grants[i].grant.id == id)
			return gate_grant_rule(&e->grants[i].grant);
	return ~0u;
}

void engine_control_ended(struct engine *e, const struct flow *f)
{
	for (unsigned i = 0; e->control_count && i < ENGINE_CONTROLS; i++) {
		if (e->controls[i].flow_id != f->id || !f->id)
			continue;
		e->controls[i].flow_id = 0;
		e->control_count--;
		(void)e->o.announce(e->o.announce_arg, &e->controls[i].row, ENGINE_DOOR_OVER, f->id,
				    0);
	}
}

/* Whoever began it came from `other`, to the door that the row of this key is. */
static bool is_door_of(const struct gate_grant_row *r, const struct flow *f)
{
	unsigned came = f->starter, met = !f->starter;
	unsigned peer = r->key.kind == GATE_DOOR_BACK ? met : came;

	return r->key.port && r->key.port == f->key.port[met] && r->key.proto == f->key.proto &&
	       r->key.segment == f->key.segment &&
	       (!r->key.other || r->key.other == f->key.port[came]) &&
	       memcmp(&r->key.peer, &f->key.ip[peer], sizeof(r->key.peer)) == 0;
}

/* Has it been met, as far as need be said? What a rule permits stays for as long as it is heard of. */
static bool is_met(const struct engine *e, const struct gate_grant *g)
{
	return g->flags & GATE_GRANT_MET &&
	       (!(g->id & GATE_GRANT_RULE) || g->until_ns - e->boot_ns > ANNOUNCED_UNHEARD_NS / 2);
}

/* Were doors for data announced under it? */
static bool is_for_data(const struct engine *e, uint32_t grant)
{
	bool data = grant & GATE_GRANT_RULE;

	for (uint32_t i = 0; i < e->grant_count && !data; i++)
		data = e->grants[i].grant.id == grant &&
		       (e->grants[i].grant.flags & GATE_GRANT_DATA);
	return data;
}

/* The announced one that the conversation goes by: its own, before one that stands open for others. */
static const struct gate_grant_row *door_of(const struct engine *e, const struct flow *f)
{
	const struct gate_grant_row *best = NULL;

	for (uint32_t i = 0; i < e->grant_count; i++) {
		const struct gate_grant_row *r = &e->grants[i];

		if (is_door_of(r, f) && !(r->grant.flags & GATE_GRANT_DATA) &&
		    is_for_data(e, r->grant.id) && (!best || r->key.other))
			best = r;
	}
	return best;
}

void engine_door_met(struct engine *e, const struct flow *f, uint32_t grant)
{
	bool done = f->state == TCP_CLOSED || f->state == TCP_RESET;
	uint64_t n = f->packets[0] + f->packets[1];
	const struct gate_grant_row *door;

	/* What was said once may be lost: said again, ever less often, until it is so. Not by the last
	 * packets of one before, where the device listens at the same port again. */
	if (!e->o.announce || (!done && (n & (n - 1))) || f->state == TCP_FIN_WAIT)
		return;
	door = door_of(e, f);
	if (door && door->grant.id == grant && (done || !is_met(e, &door->grant)))
		(void)e->o.announce(e->o.announce_arg, door,
				    done ? ENGINE_DOOR_DONE : ENGINE_DOOR_MET, 0,
				    f->key.port[f->starter]);
}

/* A short one may be over before it is known here that its door is its own. */
void engine_door_left(struct engine *e, const struct flow *f)
{
	const struct gate_grant_row *door = e->o.announce ? door_of(e, f) : NULL;

	doors_forget(e->doors, &f->key);
	if (door)
		(void)e->o.announce(e->o.announce_arg, door, ENGINE_DOOR_LEFT, 0,
				    f->key.port[f->starter]);
}

bool engine_hold(struct engine *e, const struct frame *f, uint32_t out)
{
	if (!e->announced || e->own || e->held_count == ENGINE_HELD)
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

/* --- of a file, where there is no parent to ask --------------------------------------------- */

int engine_announce_here(void *arg, const struct gate_grant_row *row, enum engine_door what,
			 uint64_t by, uint16_t other_port)
{
	struct engine *e = arg;
	const struct announced_law law = {.policy = e->policy, .now_ns = e->now_ns};
	const struct announced_word w = {.key = row->key,
					 .id = row->grant.id,
					 .what = what,
					 .by = by,
					 .other_port = other_port};
	int r = announced_take(e->own, &w, &law);

	e->own_changed |= r > 0;
	e->own_busy |= r > 0;
	return r < 0 ? r : 0;
}

void engine_own_doors(struct engine *e)
{
	struct gate_grant_row rows[ANNOUNCED_MAX];

	engine_boot(e, e->now_ns);
	if (!e->own_changed)
		return;
	e->own_changed = false;
	e->own_busy = e->own->count;
	engine_set_grants(e, e->capture, rows, announced_rows(e->own, rows, ANNOUNCED_MAX),
			  e->now_ns);
}
