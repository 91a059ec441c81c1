/*
 * What the keeper (g) and guards (a) in foreign hands could say to the parent of doors: a count of two bytes and
 * so many rows; or which announcement. Each row and announcement as it is in the message. Whatever they say, a door
 * for data stands beside a grant's own, between the same two ends, no wider and no longer than that, or is
 * permitted by the policy, and so many at most.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ipc.h"
#include "role/gateway.h"
#include "touch.h"

#define STEPS 64

static struct gateway g;
static struct policy *policy;

static const char site[] =
	"segments:\n  - {name: icu, ward: w, hospital: h}\n"
	"hosts:\n  - {name: files, ip: [10.9.0.5], role: [files]}\n"
	"devices:\n  - {name: pump, segment: icu, mac: '02:00:00:00:00:11', ip: [10.9.1.12], "
	"starts: [\n"
	"     {service: shut, proto: tcp, port: ['5000-5999'], peer: files, action: drop},\n"
	"     {service: export, proto: tcp, port: [21], peer: files, app: ftp}]}\n";

static const struct gate_grant_row *grant_of(const struct gate_grant_row *r)
{
	for (uint32_t n = 0; n < g.grant_count; n++)
		if (g.grants[n].grant.id == r->grant.id &&
		    (g.grants[n].grant.flags & GATE_GRANT_DATA) &&
		    memcmp(&g.grants[n].key.peer, &r->key.peer, sizeof(r->key.peer)) == 0 &&
		    memcmp(g.grants[n].key.device_mac, r->key.device_mac, 6) == 0 &&
		    g.grants[n].key.segment == r->key.segment &&
		    g.grants[n].key.proto == r->key.proto)
			return &g.grants[n];
	return NULL;
}

/* No wider and no longer than what permits it. */
static bool is_sound(const struct gate_grant_row *r)
{
	const struct gate_grant_row *from = grant_of(r);

	if (r->key.port < 1024 || r->grant.port_lo != r->key.port ||
	    (r->grant.flags & GATE_GRANT_DATA))
		return false;
	if (r->grant.id & GATE_GRANT_RULE)
		return r->key.device_mac[5] == 0x11 && r->key.peer.b[15] == 5 &&
		       r->key.proto == 6 &&
		       (r->key.kind == GATE_DOOR_SERVICE || r->key.port / 1000 != 5) &&
		       r->grant.until_ns <= clock_boot_ns() + ANNOUNCED_UNHEARD_NS;
	return from && r->grant.until_ns <= from->grant.until_ns &&
	       memcmp(r->grant.mac, from->grant.mac, 6) == 0;
}

static void check(void)
{
	const struct announced_door *list = g.announced.list;

	if (g.grant_count > GATE_GRANTS || g.announced.count > ANNOUNCED_MAX)
		abort();
	for (uint32_t i = 0; i < g.announced.count; i++) {
		unsigned opener = 0, device = 0;

		for (uint32_t n = 0; n < g.announced.count; n++) {
			opener += list[n].row.grant.id == list[i].row.grant.id;
			device += memcmp(list[n].row.key.device_mac, list[i].row.key.device_mac,
					 6) == 0 &&
				  list[n].row.key.segment == list[i].row.key.segment;
		}
		if (!is_sound(&list[i].row) || opener > ANNOUNCED_OPENER ||
		    device > ANNOUNCED_DEVICE)
			abort();
	}
}

static void drain(int sock)
{
	static uint8_t buf[IPC_BUF];
	struct ipc_message m;

	while (ipc_recv(sock, buf, &m) == 0)
		touch(m.body);
}

static void step(struct reader *r, struct member *keeper, struct member *guard)
{
	uint8_t what = read_u8(r);
	size_t size = what == 'g' ? (size_t)read_be16(r) * sizeof(struct gate_grant_row)
				  : sizeof(struct setup_announced);
	struct ipc_message m = {.fd = -1};
	uint8_t *body;

	/* What is cut off is a message all the same. */
	size = size < reader_left(r) ? size : reader_left(r);
	if (size > IPC_BODY_MAX)
		size = IPC_BODY_MAX;
	body = malloc(size ? size : 1);
	if (!body)
		abort();
	if (size)
		memcpy(body, read_bytes(r, size).data, size);
	m.body = (struct bytes){body, size};
	if (what == 'g')
		(void)grants_take(&g, keeper, &m);
	else if (what == 'a')
		(void)grants_announced(&g, guard, &m);
	free(body);
}

static struct policy *compile(void)
{
	struct bytes text = {(const uint8_t *)site, sizeof(site) - 1};
	struct config_error errors[1];
	size_t count;
	struct config *c = config_parse("site", text, errors, 1, &count);
	char why[256];
	struct policy *p = c ? policy_compile(c, NULL, 0, 1, why) : NULL;

	if (!p)
		abort();
	config_free(c);
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_new(data, len);
	int keeper[2], guard[2];

	if (ipc_pair(keeper) < 0 || ipc_pair(guard) < 0)
		abort();
	memset(&g, 0, sizeof(g));
	g.site.policy = policy ? policy : (policy = compile());
	g.members[0] = (struct member){.role = ROLE_KEEPER,
				       .child = {.name = "keeper", .sock = keeper[0]}};
	g.members[1] =
		(struct member){.role = ROLE_GUARD, .child = {.name = "guard", .sock = guard[0]}};
	g.member_count = 2;
	for (unsigned n = 0; n < STEPS && reader_left(&r); n++) {
		step(&r, &g.members[0], &g.members[1]);
		check();
		drain(keeper[1]);
		drain(guard[1]);
	}
	for (unsigned i = 0; i < 2; i++) {
		close(keeper[i]);
		close(guard[i]);
	}
	return 0;
}
