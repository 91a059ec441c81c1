/*
 * What the keeper (g) and guards (a) in foreign hands could say to the parent of doors: a count of two bytes and
 * so many rows; or which announcement. Each row and announcement as it is in the message. Whatever they say, a door
 * for data stands beside a grant's own, between the same two ends, no wider and no longer than that, and
 * so many at most.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/ipc.h"
#include "role/gateway.h"
#include "touch.h"

#define STEPS 64

static struct gateway g;

static void check(void)
{
	if (g.grant_count > GATE_GRANTS || g.announced_count > GATEWAY_ANNOUNCED)
		abort();
	for (uint32_t i = 0; i < g.announced_count; i++) {
		const struct gate_grant_row *r = &g.announced[i].row, *from = NULL;
		unsigned of_it = 0;

		for (uint32_t n = 0; n < g.announced_count; n++)
			of_it += g.announced[n].row.grant.id == r->grant.id;
		for (uint32_t n = 0; n < g.grant_count && !from; n++)
			if (g.grants[n].grant.id == r->grant.id &&
			    (g.grants[n].grant.flags & GATE_GRANT_DATA) &&
			    memcmp(&g.grants[n].key.peer, &r->key.peer, sizeof(r->key.peer)) == 0 &&
			    memcmp(g.grants[n].key.device_mac, r->key.device_mac, 6) == 0 &&
			    g.grants[n].key.segment == r->key.segment &&
			    g.grants[n].key.proto == r->key.proto)
				from = &g.grants[n];
		if (!from || of_it > GRANT_ANNOUNCED || r->key.port < 1024 ||
		    r->grant.port_lo != r->key.port || r->grant.until_ns > from->grant.until_ns ||
		    (r->grant.flags & GATE_GRANT_DATA) ||
		    memcmp(r->grant.mac, from->grant.mac, 6) != 0)
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_new(data, len);
	int keeper[2], guard[2];

	if (ipc_pair(keeper) < 0 || ipc_pair(guard) < 0)
		abort();
	memset(&g, 0, sizeof(g));
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
