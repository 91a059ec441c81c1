/*
 * What guards and the link in foreign hands could tell: one byte for who tells whom (g a guard, l the link the
 * parent; p a guard the keeper, of patients), two of type, two of length, and the body; what l says of peers is filled up with zeros, of L it is not. Where there is no floor in
 * the kernel, what may go wrong is what is kept and told on: in the end the status is whole JSON, and who is on a
 * patient is a device of the policy.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/ipc.h"
#include "guard/policy/policy.h"
#include "role/census.h"
#include "role/gateway.h"
#include "touch.h"

#define STEPS 64

static const char site[] = "gateway: {name: gw}\n"
			   "segments: [{name: icu, ward: w0, hospital: h0}]\n"
			   "pki: {names: [gw.example]}\n"
			   "link: {listen: \"10.0.0.1:4433\"}\n"
			   "hosts: [{name: srv, ip: [10.2.0.1]}]\n"
			   "peers: [{name: far, address: \"10.0.0.2:4433\", hosts: [srv]}]\n"
			   "devices: [{name: pump-1, segment: icu, mac: \"02:00:00:00:00:01\"}]\n";

static struct gateway g;
static json_t *patients;

static void begin(void)
{
	struct bytes text = {(const uint8_t *)site, sizeof(site) - 1};
	struct config_error errors[4];
	size_t count;
	char why[256];

	g.config_file = "site";
	g.site.config = config_parse("site", text, errors, 4, &count);
	g.site.policy = g.site.config ? policy_compile(g.site.config, NULL, 0, 1, why) : NULL;
	if (!g.site.policy)
		abort();
}

static void check(void)
{
	const char *name;
	uint32_t count;
	json_t *when;

	policy_devices(g.site.policy, &count);
	json_object_foreach (patients, name, when) {
		uint32_t i = 0;

		while (i < count && strcmp(policy_device_name(g.site.policy, i), name) != 0)
			i++;
		if (i == count || json_integer_value(when) < 0)
			abort();
	}
}

static void check_status(void)
{
	static char text[IPC_BODY_MAX];
	size_t len = status_json(&g, 1, text, sizeof(text));
	json_t *o;

	if (!len)
		return; /* it does not fit, which it says */
	o = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	if (!json_is_object(o))
		abort();
	json_decref(o);
}

static void drain(int sock)
{
	static uint8_t buf[IPC_BUF];
	struct ipc_message m;

	while (ipc_recv(sock, buf, &m) == 0)
		touch(m.body);
}

static bool is_of(enum role_id role, enum ipc_type type)
{
	return role == ROLE_LINK ? type == IPC_PEERS || type == IPC_READY
				 : type == IPC_BLOCK || type == IPC_BYPASS || type == IPC_COUNTS ||
					   type == IPC_ANNOUNCED || type == IPC_POLICY_TAKEN ||
					   type == IPC_READY;
}

static void step(struct reader *r)
{
	uint8_t who = read_u8(r);
	struct member *from = &g.members[who == 'l' || who == 'L'];
	struct ipc_message m = {.type = (enum ipc_type)read_be16(r), .fd = -1};
	struct bytes body = read_bytes(r, read_be16(r));
	size_t len = body.len;
	uint8_t *copy;

	if (r->bad || (who != 'p' && !is_of(from->role, m.type)))
		return;
	if (who == 'l' && m.type == IPC_PEERS && len < sizeof(struct setup_peers))
		len = sizeof(struct setup_peers);
	copy = calloc(1, len ? len : 1);
	if (!copy)
		abort();
	if (body.len)
		memcpy(copy, body.data, body.len);
	m.body = (struct bytes){copy, len};
	if (who == 'p')
		(void)census_patients(g.site.policy, m.body, patients);
	else
		(void)take_message(&g, from, &m);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_new(data, len);
	int guard[2], link[2];

	if (ipc_pair(guard) < 0 || ipc_pair(link) < 0)
		abort();
	if (!g.site.policy)
		begin();
	g.peers = (struct setup_peers){.peer_count = 0};
	g.grant_count = 0;
	g.announced = (struct announced){0};
	memset(g.members, 0, sizeof(g.members));
	patients = json_object();
	g.members[0] =
		(struct member){.role = ROLE_GUARD, .child = {.name = "guard", .sock = guard[0]}};
	g.members[1] =
		(struct member){.role = ROLE_LINK, .child = {.name = "link", .sock = link[0]}};
	g.member_count = 2;
	for (unsigned n = 0; n < STEPS && reader_left(&r); n++) {
		step(&r);
		drain(guard[1]);
		drain(link[1]);
	}
	check();
	check_status();
	json_decref(patients);
	for (unsigned i = 0; i < 2; i++) {
		close(guard[i]);
		close(link[i]);
	}
	return 0;
}
