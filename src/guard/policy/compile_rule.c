#include "guard/policy/compile_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"

/* What may be said, as guard/policy/message.h reads it. */
static uint32_t messages_string(struct compiling *b, const struct config_rule *r)
{
	size_t size = r->app ? strlen(r->app) + 16 : 0;
	uint32_t at;
	char *text;
	int len;

	if (!r->app || !*r->app)
		return 0;
	for (unsigned i = 0; i < r->allow_count; i++)
		size += strlen(r->allow[i]) + 1;
	text = malloc(size);
	if (!text) {
		b->failed = -ENOMEM;
		return 0;
	}
	len = snprintf(text, size, "%s%s", r->app, r->control ? "" : "\ncontrol=no");
	for (unsigned i = 0; i < r->allow_count; i++)
		len += snprintf(text + len, size - (size_t)len, "\n%s", r->allow[i]);
	at = compile_string(b, text);
	free(text);
	return at;
}

struct compiling_words compile_words_of(struct compiling *b, const struct config_rule *r)
{
	return (struct compiling_words){compile_string(b, r->service), messages_string(b, r)};
}

/* Can the kernel hold it by itself? */
static bool is_floor_shield(const struct config_shield *s)
{
	return s->enforce && !*s->app;
}

/* Whether it is to be a rule as well. */
static bool add_shield_row(struct compiling *b, const struct compiling_device *v,
			   const struct gate_rule *r)
{
	struct policy_shield *row = compile_push(b, BLOCK_SHIELDS);

	if (!row)
		return false;
	row->match = *r;
	row->device = v->id;
	row->messages = v->words.messages;
	row->rule = is_floor_shield(v->shield) ? b->to[BLOCK_RULES].count : ~0u;
	row->flags = v->shield->enforce ? POLICY_SHIELD_ENFORCE : 0;
	return row->rule != ~0u;
}

static void add_rule(struct compiling *b, const struct compiling_device *v,
		     const struct gate_rule *r)
{
	struct gate_rule *row;

	if (b->failed || (v->shield && !add_shield_row(b, v, r)))
		return;
	if (b->to[BLOCK_RULES].count - v->first == GATE_MAX_RULES_PER_DEVICE) {
		snprintf(b->error, 256,
			 "device '%.63s' would need more than %d rules; narrow it with fewer "
			 "peers, or give port ranges instead of single ports",
			 v->d->name, GATE_MAX_RULES_PER_DEVICE);
		b->failed = -E2BIG;
		return;
	}
	row = compile_push(b, BLOCK_RULES);
	if (!row)
		return;
	*row = *r;
	if (v->read && row->action == GATE_PASS)
		row->action = GATE_INSPECT;
	compile_push_name(b, BLOCK_RULE_SERVICES, v->words.service);
	compile_push_name(b, BLOCK_RULE_MESSAGES, v->words.messages);
}

/* Once for each of the rule's ports. */
static void add_rule_ports(struct compiling *b, const struct compiling_device *v,
			   const struct config_rule *from, struct gate_rule r)
{
	r.port_lo = 0;
	r.port_hi = 65535;
	if (!from->port_count)
		add_rule(b, v, &r);
	for (unsigned i = 0; i < from->port_count; i++)
		if (address_ports(from->port[i], &r.port_lo, &r.port_hi))
			add_rule(b, v, &r);
}

/*
 * A role is narrowed to those of the device's peers that hold it, if any does.
 * A name nobody has and a role nobody holds allow nothing.
 */
static void add_rule_peers(struct compiling *b, const struct compiling_device *v,
			   const struct config_rule *from, bool towards)
{
	struct gate_rule r = {.towards = towards, .action = (uint8_t)from->action};
	uint64_t role = compile_role_bit(b, from->peer);
	bool narrowed = false;
	uint32_t peer;

	if (!address_proto(from->proto, &r.proto))
		return;
	if (strcmp(from->peer, "any") == 0) {
		add_rule_ports(b, v, from, r);
		return;
	}
	r.peer_kind = GATE_PEER_ID;
	for (unsigned i = 0; role && i < v->d->peer_count; i++) {
		r.peer = compile_peer_named(b, v->d->peer[i]);
		if (r.peer < b->c->hosts_count && (b->host_roles[r.peer] & role)) {
			add_rule_ports(b, v, from, r);
			narrowed = true;
		}
	}
	if (narrowed)
		return;
	if (role) {
		r.peer_kind = GATE_PEER_ROLES;
		r.peer = role;
		add_rule_ports(b, v, from, r);
		return;
	}
	peer = compile_peer_named(b, from->peer);
	if (peer == GATE_PEER_NONE)
		return;
	r.peer = peer;
	add_rule_ports(b, v, from, r);
	if (peer & GATE_PEER_DEVICE)
		compile_neighbour(b, v->segment, peer);
}

void compile_rules(struct compiling *b, struct compiling_device *v, const struct config_rule *rules,
		   unsigned count, bool towards)
{
	for (unsigned i = 0; i < count; i++) {
		v->words = compile_words_of(b, &rules[i]);
		add_rule_peers(b, v, &rules[i], towards);
	}
}

void compile_profile_rules(struct compiling *b, struct compiling_device *v,
			   const struct config_profile *p, const struct compiling_words *words)
{
	for (unsigned i = 0; i < p->starts_count; i++) {
		v->words = words[i];
		add_rule_peers(b, v, &p->starts[i], false);
	}
	for (unsigned i = 0; i < p->accepts_count; i++) {
		v->words = words[p->starts_count + i];
		add_rule_peers(b, v, &p->accepts[i], true);
	}
}

void compile_shields(struct compiling *b, struct compiling_device *v)
{
	for (unsigned i = 0; i < b->c->shields_count; i++) {
		const struct config_shield *s = &b->c->shields[i];
		struct config_rule r = {.service = s->advisory,
					.proto = s->proto,
					.port = s->port,
					.port_count = s->port_count,
					.peer = s->peer,
					.action = GATE_DROP,
					.app = s->app,
					.allow = s->deny,
					.allow_count = s->deny_count,
					.control = s->control};
		bool mine = false;

		for (unsigned j = 0; !mine && j < s->device_count; j++)
			mine = strcmp(s->device[j], v->d->name) == 0;
		if (!mine)
			continue;
		v->shield = s;
		v->words = compile_words_of(b, &r);
		v->read |= !is_floor_shield(s);
		if (s->direction != CONFIG_ACCEPTS)
			add_rule_peers(b, v, &r, false);
		if (s->direction != CONFIG_STARTS)
			add_rule_peers(b, v, &r, true);
	}
	v->shield = NULL;
}

static const struct gate_rule *rule_at(const struct compiling *b, uint32_t i)
{
	return (const struct gate_rule *)b->to[BLOCK_RULES].data + i;
}

static bool stranger_has(const struct compiling *b, uint32_t first, const struct gate_rule *r)
{
	for (uint32_t i = first; i < b->to[BLOCK_RULES].count; i++)
		if (memcmp(rule_at(b, i), r, sizeof(*r)) == 0)
			return true;
	return false;
}

static uint32_t name_at(const struct compiling *b, enum block_table t, uint32_t i)
{
	return ((const uint32_t *)b->to[t].data)[i];
}

void compile_stranger_rules(struct compiling *b, uint32_t segment)
{
	struct gate_device *devices = (struct gate_device *)b->to[BLOCK_DEVICES].data;
	struct config_device nobody = {.name = b->c->segments[segment].name};
	struct compiling_device v = {.d = &nobody, .first = b->to[BLOCK_RULES].count};

	for (uint32_t d = b->c->segments_count; d < b->to[BLOCK_DEVICES].count; d++) {
		if (devices[d].segment != segment)
			continue;
		for (uint32_t i = 0; i < devices[d].rule_count; i++) {
			struct gate_rule r = *rule_at(b, devices[d].rule_first + i);
			uint32_t from = devices[d].rule_first + i;

			if (!r.towards || r.peer_kind != GATE_PEER_ROLES ||
			    !(r.peer & (GATE_ROLE_BROADCAST | GATE_ROLE_MULTICAST)) ||
			    stranger_has(b, v.first, &r))
				continue;
			v.words.service = name_at(b, BLOCK_RULE_SERVICES, from);
			v.words.messages = name_at(b, BLOCK_RULE_MESSAGES, from);
			add_rule(b, &v, &r);
		}
	}
	devices[segment].rule_first = v.first;
	devices[segment].rule_count = b->to[BLOCK_RULES].count - v.first;
}
