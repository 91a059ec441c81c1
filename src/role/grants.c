#include "role/gateway.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/capture/gate.h"
#include "guard/engine.h"

/* Whatever the keeper says, no door stays open for longer without being told again. */
#define LONGEST_NS (24 * 3600 * NSEC_PER_SEC)
#define PORT_MIN   1024 /* of what a guard announces: below are services */
/* That a door for data waits for whoever it was announced to: the kernel shuts it then. */
#define ALONE_NS (10 * NSEC_PER_SEC)

/* The keeper's doors, and behind them the guards'. */
static uint32_t all_rows(const struct gateway *g, struct gate_grant_row ret_rows[GATE_GRANTS])
{
	uint32_t count = g->grant_count;

	memcpy(ret_rows, g->grants, count * sizeof(*ret_rows));
	for (uint32_t i = 0; i < g->announced_count && count < GATE_GRANTS; i++)
		ret_rows[count++] = g->announced[i].row;
	return count;
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

	return r->grant.id && known && r->grant.until_ns < boot_ns + LONGEST_NS &&
	       r->grant.port_lo <= r->grant.port_hi && r->grant.port_hi &&
	       (r->key.port == 0 ||
		(r->key.port == r->grant.port_lo && r->key.port == r->grant.port_hi)) &&
	       r->key.kind == GATE_DOOR_SERVICE && !r->key.pad[0] && !r->key.pad[1] &&
	       !r->grant.pad;
}

/* The grant's door that another between the same two ends, for data, may stand beside. */
static const struct gate_grant_row *parent_of(const struct gateway *g,
					      const struct gate_grant_key *key, uint32_t id)
{
	for (uint32_t i = 0; i < g->grant_count; i++) {
		const struct gate_grant_row *r = &g->grants[i];

		if (r->grant.id == id && (r->grant.flags & GATE_GRANT_DATA) &&
		    r->key.segment == key->segment && r->key.proto == key->proto &&
		    memcmp(&r->key.peer, &key->peer, sizeof(key->peer)) == 0 &&
		    memcmp(r->key.device_mac, key->device_mac, sizeof(key->device_mac)) == 0)
			return r;
	}
	return NULL;
}

static void forget(struct gateway *g, uint32_t i)
{
	g->announced_count--;
	memmove(&g->announced[i], &g->announced[i + 1],
		(g->announced_count - i) * sizeof(*g->announced));
}

/* They live as their grant does: its end, its workstation. Before somebody has come not for long, and
 * from then on for that conversation alone. */
static void follow_parents(struct gateway *g)
{
	for (uint32_t i = g->announced_count; i-- > 0;) {
		struct announced *x = &g->announced[i];
		struct gate_grant_row *r = &x->row;
		const struct gate_grant_row *from = parent_of(g, &r->key, r->grant.id);
		uint16_t port = r->key.port;

		if (!from) {
			forget(g, i);
			continue;
		}
		r->grant = from->grant;
		r->grant.flags &= (uint8_t)~GATE_GRANT_DATA;
		r->grant.port_lo = r->grant.port_hi = port;
		if (x->alone_ns && x->alone_ns < r->grant.until_ns)
			r->grant.until_ns = x->alone_ns;
		if (!x->alone_ns) {
			r->grant.flags |= GATE_GRANT_MET;
			r->grant.port_hi = x->other_port;
		}
	}
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
	follow_parents(g);
	err = put_in_force(g);
	member_send(keeper, IPC_GRANTS, m->id, (struct bytes){(const uint8_t *)&err, sizeof(err)},
		    -1);
	return true;
}

static uint32_t find(const struct gateway *g, const struct gate_grant_key *key)
{
	uint32_t i = 0;

	while (i < g->announced_count && memcmp(&g->announced[i].row.key, key, sizeof(*key)) != 0)
		i++;
	return i;
}

/* The oldest of the same grant where it has as many as it may, else the oldest of all. */
static void make_room(struct gateway *g, uint32_t id)
{
	uint32_t own = 0, oldest = 0;

	for (uint32_t i = g->announced_count; i-- > 0;)
		if (g->announced[i].row.grant.id == id) {
			own++;
			oldest = i;
		}
	if (own >= GRANT_ANNOUNCED)
		forget(g, oldest);
	else if (g->announced_count == GATEWAY_ANNOUNCED)
		forget(g, 0);
}

/* What became of one. False: nothing that anybody would have to be told. */
static bool settle(struct gateway *g, uint32_t at, const struct setup_announced *a)
{
	struct announced *x = &g->announced[at];
	bool met = at < g->announced_count && !x->alone_ns;

	if (at == g->announced_count || x->row.grant.id != a->grant)
		return false; /* it made room, or its grant has ended */
	if (a->what == ENGINE_DOOR_MET) {
		if (met)
			return false; /* the first one has it */
		x->alone_ns = 0;
		x->other_port = (uint16_t)a->other_port;
		follow_parents(g);
		return true;
	}
	if ((a->what != ENGINE_DOOR_LEFT && x->by != a->by) || /* others announced it since */
	    (a->what == ENGINE_DOOR_LEFT && (!met || x->other_port != a->other_port)))
		return false;
	forget(g, at);
	return true;
}

/* Where it stands already, it was announced anew: for whoever comes next. What the same one announced
 * before and nobody came to is shut. */
static void open_one(struct gateway *g, uint32_t at, const struct setup_announced *a)
{
	if (at < g->announced_count)
		forget(g, at);
	for (uint32_t i = g->announced_count; i-- > 0;)
		if (g->announced[i].alone_ns && g->announced[i].by == a->by &&
		    g->announced[i].row.grant.id == a->grant)
			forget(g, i);
	make_room(g, a->grant);
	g->announced[g->announced_count++] =
		(struct announced){.row = {.key = a->key, .grant.id = a->grant},
				   .by = a->by,
				   .alone_ns = clock_boot_ns() + ALONE_NS};
	follow_parents(g);
}

bool grants_announced(struct gateway *g, struct member *guard, const struct ipc_message *m)
{
	struct setup_announced a;
	uint32_t at;

	if (!setup_take(m, &a, sizeof(a)) || a.key.port < PORT_MIN || a.key.kind > GATE_DOOR_BACK ||
	    a.key.pad[0] || a.key.pad[1] || a.what > ENGINE_DOOR_OVER || a.other_port > 65535)
		return false;
	at = find(g, &a.key);
	if (a.what == ENGINE_DOOR_OPEN && !parent_of(g, &a.key, a.grant)) {
		grants_greet(g, guard); /* its grant ended meanwhile: that is its answer */
		return true;
	}
	if (a.what == ENGINE_DOOR_OPEN)
		open_one(g, at, &a);
	else if (!settle(g, at, &a))
		return true;
	(void)put_in_force(g);
	return true;
}
