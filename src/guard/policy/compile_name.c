#include "guard/policy/compile_internal.h"

#include <stdlib.h>
#include <string.h>

static int known_order(const void *a, const void *b)
{
	return strcmp(((const struct compile_known *)a)->name,
		      ((const struct compile_known *)b)->name);
}

bool compile_know_names(struct compiling *b)
{
	const struct config *c = b->c;
	size_t n = 0;

	b->known_count = (size_t)c->hosts_count + c->devices_count;
	b->known = calloc(b->known_count + 1, sizeof(*b->known));
	b->host_roles = calloc(c->hosts_count + 1, sizeof(*b->host_roles));
	if (!b->known || !b->host_roles)
		return false;
	for (unsigned i = 0; i < c->hosts_count; i++)
		b->known[n++] = (struct compile_known){c->hosts[i].name, i};
	for (unsigned i = 0; i < c->devices_count; i++)
		b->known[n++] = (struct compile_known){c->devices[i].name,
						       GATE_PEER_DEVICE | (c->segments_count + i)};
	if (n)
		qsort(b->known, n, sizeof(*b->known), known_order);
	return true;
}

uint32_t compile_peer_named(const struct compiling *b, const char *name)
{
	struct compile_known key = {.name = name}, *hit;

	hit = b->known_count ? bsearch(&key, b->known, b->known_count, sizeof(key), known_order)
			     : NULL;
	return hit ? hit->peer : GATE_PEER_NONE;
}

uint64_t compile_role_bit(const struct compiling *b, const char *role)
{
	if (strcmp(role, "broadcast") == 0)
		return GATE_ROLE_BROADCAST;
	if (strcmp(role, "multicast") == 0)
		return GATE_ROLE_MULTICAST;
	if (strcmp(role, "dhcp") == 0)
		return GATE_ROLE_DHCP;
	for (unsigned i = 0; i < b->roles_count; i++)
		if (strcmp(b->roles[i], role) == 0)
			return 1ull << i;
	return 0;
}

void compile_learn_roles(struct compiling *b)
{
	for (unsigned i = 0; i < b->c->hosts_count; i++)
		for (unsigned j = 0; j < b->c->hosts[i].role_count; j++) {
			const char *role = b->c->hosts[i].role[j];

			if (!compile_role_bit(b, role) && b->roles_count < GATE_ROLES_OWN)
				b->roles[b->roles_count++] = role;
			b->host_roles[i] |= compile_role_bit(b, role);
		}
}

const struct config_segment *compile_segment_named(const struct config *c, const char *name,
						   uint32_t *ret_id)
{
	for (unsigned i = 0; i < c->segments_count; i++)
		if (strcmp(c->segments[i].name, name) == 0) {
			*ret_id = i;
			return &c->segments[i];
		}
	return NULL;
}

const struct config_profile *compile_profile_named(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->profiles_count; i++)
		if (strcmp(c->profiles[i].name, name) == 0)
			return &c->profiles[i];
	return NULL;
}
