#include "role/gateway.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/capture/gate.h"
#include "guard/engine.h"

/* Whatever the keeper says, no door stays open for longer without being told again. */
#define LONGEST_NS (24 * 3600 * NSEC_PER_SEC)

/* The keeper's doors, and behind them the guards'. */
static uint32_t all_rows(const struct gateway *g, struct gate_grant_row ret_rows[GATE_GRANTS])
{
	uint32_t count = g->grant_count;

	memcpy(ret_rows, g->grants, count * sizeof(*ret_rows));
	return count + announced_rows(&g->announced, ret_rows + count, GATE_GRANTS - count);
}

void grants_greet(struct gateway *g, struct member *guard)
{
	static struct gate_grant_row rows[GATE_GRANTS];
	uint32_t count;

	if (!g->grants_known)
		return;
	count = all_rows(g, rows);
	member_send(guard, IPC_GRANTS, 0,
		    (struct bytes){(const uint8_t *)rows, count * sizeof(*rows)}, -1);
}

static bool sound(const struct gate_grant_row *r, uint64_t boot_ns)
{
	static const uint8_t none[6];
	bool known = (r->grant.flags & GATE_GRANT_ANY_MAC) || memcmp(r->grant.mac, none, 6) != 0;

	return r->grant.id && !(r->grant.id & GATE_GRANT_RULE) && known &&
	       r->grant.until_ns < boot_ns + LONGEST_NS && r->grant.port_lo <= r->grant.port_hi &&
	       r->grant.port_hi &&
	       (r->key.port == 0 ||
		(r->key.port == r->grant.port_lo && r->key.port == r->grant.port_hi)) &&
	       r->key.kind == GATE_DOOR_SERVICE && !r->key.other && !r->grant.pad;
}

static struct announced_law law(const struct gateway *g)
{
	return (struct announced_law){.grants = g->grants,
				      .grant_count = g->grant_count,
				      .policy = g->site.policy,
				      .now_ns = clock_boot_ns()};
}

/* The kernel first: what is shut is shut before anybody is told. */
static int put_in_force(struct gateway *g)
{
	static struct gate_grant_row rows[GATE_GRANTS];
	uint32_t count = all_rows(g, rows);
	int err = g->gate ? gate_set_grants(g->gate, rows, count) : 0;

	if (err < 0)
		log_error("grants: the kernel does not take them: %s", strerror(-err));
	for (unsigned i = 0; i < g->member_count; i++)
		if (g->members[i].role == ROLE_GUARD && g->members[i].child.sock >= 0)
			grants_greet(g, &g->members[i]);
	return err;
}

bool grants_take(struct gateway *g, struct member *keeper, const struct ipc_message *m)
{
	struct gate_grant_row rows[GATE_GRANTS];
	size_t count = m->body.len / sizeof(*rows);
	uint64_t boot_ns = clock_boot_ns();
	struct announced_law now;
	int32_t err;

	if (m->body.len % sizeof(*rows) || count > GATE_GRANTS)
		return false;
	if (count)
		memcpy(rows, m->body.data, m->body.len);
	for (size_t i = 0; i < count; i++)
		if (!sound(&rows[i], boot_ns))
			return false;
	memcpy(g->grants, rows, count * sizeof(*rows));
	g->grant_count = (uint32_t)count;
	g->grants_known = true;
	now = law(g);
	announced_follow(&g->announced, &now);
	err = put_in_force(g);
	member_send(keeper, IPC_GRANTS, m->id, (struct bytes){(const uint8_t *)&err, sizeof(err)},
		    -1);
	return true;
}

bool grants_announced(struct gateway *g, struct member *guard, const struct ipc_message *m)
{
	const struct announced_law now = law(g);
	struct setup_announced a;
	struct announced_word w;
	int r;

	if (!setup_take(m, &a, sizeof(a)) || a.key.port < ANNOUNCED_PORT ||
	    a.key.kind > GATE_DOOR_BACK || a.what > ENGINE_DOOR_OVER || a.other_port > 65535)
		return false;
	w = (struct announced_word){.key = a.key,
				    .id = a.grant,
				    .what = (enum engine_door)a.what,
				    .by = a.by,
				    .other_port = (uint16_t)a.other_port};
	/* Until the keeper has spoken the kernel goes by what it said to the gateway before this one. */
	r = g->grants_known ? announced_take(&g->announced, &w, &now) : -EPERM;
	if (r < 0)
		grants_greet(g, guard); /* not permitted any more: that is its answer */
	else if (r > 0)
		(void)put_in_force(g);
	return true;
}

void grants_policy(struct gateway *g)
{
	const struct announced_law now = law(g);
	static struct gate_grant_row rows[GATE_GRANTS];
	int count = 0;

	/* A gateway that takes another's place over goes on with what is under way. */
	if (!g->grants_known && !g->announced.count && g->gate)
		count = gate_grants(g->gate, rows);
	if (count > 0)
		announced_adopt(&g->announced, rows, (uint32_t)count, &now);
	if (!g->announced.count)
		return;
	announced_follow(&g->announced, &now);
	if (g->grants_known)
		(void)put_in_force(g);
}
