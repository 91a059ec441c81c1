#include "role/gateway.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/capture/gate.h"

/* Whatever the keeper says, no door stays open for longer without being told again. */
#define LONGEST_NS (24 * 3600 * NSEC_PER_SEC)

static struct bytes rows_of(const struct gateway *g)
{
	return (struct bytes){(const uint8_t *)g->grants, g->grant_count * sizeof(*g->grants)};
}

void grants_greet(struct gateway *g, struct member *guard)
{
	if (g->grants_known)
		member_send(guard, IPC_GRANTS, 0, rows_of(g), -1);
}

static bool sound(const struct gate_grant_row *r, uint64_t boot_ns)
{
	static const uint8_t none[6];
	bool known = (r->grant.flags & GATE_GRANT_ANY_MAC) || memcmp(r->grant.mac, none, 6) != 0;

	return r->grant.id && known && r->grant.until_ns < boot_ns + LONGEST_NS &&
	       r->grant.port_lo <= r->grant.port_hi && r->grant.port_hi &&
	       (r->key.port == 0 ||
		(r->key.port == r->grant.port_lo && r->key.port == r->grant.port_hi)) &&
	       !r->key.pad[0] && !r->key.pad[1] && !r->key.pad[2] && !r->grant.pad;
}

bool grants_take(struct gateway *g, struct member *keeper, const struct ipc_message *m)
{
	struct gate_grant_row rows[GATE_GRANTS];
	size_t count = m->body.len / sizeof(*rows);
	uint64_t boot_ns = clock_boot_ns();
	int32_t err = 0;

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
	/* The kernel first: what is shut is shut before anybody is told. */
	if (g->gate)
		err = gate_set_grants(g->gate, g->grants, g->grant_count);
	if (err < 0)
		log_error("grants: the kernel does not take them: %s", strerror(-err));
	for (unsigned i = 0; i < g->member_count; i++)
		if (g->members[i].role == ROLE_GUARD && g->members[i].child.sock >= 0)
			grants_greet(g, &g->members[i]);
	member_send(keeper, IPC_GRANTS, m->id, (struct bytes){(const uint8_t *)&err, sizeof(err)},
		    -1);
	return true;
}
