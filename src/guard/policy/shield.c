#include "guard/policy/shield.h"

#include <errno.h>
#include <stdlib.h>

struct shields {
	const struct policy_shield *list;
	uint32_t count;
	struct message_rules **messages; /* by shield; NULL: whole conversations */
	uint32_t *first;		 /* by device: its first shield, plus one; 0 none */
	uint32_t device_count;
	uint64_t *roles; /* by host */
	uint32_t host_count;
	uint8_t *is_shield; /* a bit a rule */
	uint32_t rule_count;
};

/* Which roles each host holds: its addresses say so. */
static bool know_hosts(struct shields *s, const struct policy *p)
{
	uint32_t nets, ips;
	const struct policy_net_row *net = policy_nets(p, &nets);
	const struct policy_ip_row *ip = policy_ips(p, &ips);

	for (uint32_t i = 0; i < nets; i++)
		if (net[i].net.peer < GATE_PEER_NONE && net[i].net.peer >= s->host_count)
			s->host_count = net[i].net.peer + 1;
	s->roles = calloc(s->host_count + 1, sizeof(*s->roles));
	if (!s->roles)
		return false;
	for (uint32_t i = 0; i < nets; i++)
		if (net[i].net.peer < s->host_count)
			s->roles[net[i].net.peer] |= net[i].net.roles;
	for (uint32_t i = 0; i < ips; i++)
		if (ip[i].bind.peer < s->host_count)
			s->roles[ip[i].bind.peer] |= ip[i].bind.roles;
	return true;
}

static bool take(struct shields *s, const struct policy *p, uint32_t i)
{
	const struct policy_shield *v = &s->list[i];

	if (v->rule != ~0u)
		s->is_shield[v->rule / 8] |= (uint8_t)(1 << v->rule % 8);
	if (!s->first[v->device])
		s->first[v->device] = i + 1;
	if (!v->messages)
		return true;
	s->messages[i] = message_rules_of(policy_shield_messages(p, v));
	return s->messages[i];
}

struct shields *shields_new(const struct policy *p)
{
	struct shields *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->list = policy_shields(p, &s->count);
	(void)policy_devices(p, &s->device_count);
	(void)policy_rules(p, &s->rule_count);
	if (!s->count)
		return s;
	s->messages = calloc(s->count, sizeof(struct message_rules *));
	s->first = calloc(s->device_count + 1, sizeof(*s->first));
	s->is_shield = calloc(s->rule_count / 8 + 1, 1);
	if (!s->messages || !s->first || !s->is_shield || !know_hosts(s, p))
		goto fail;
	for (uint32_t i = 0; i < s->count; i++)
		if (!take(s, p, i))
			goto fail;
	return s;
fail:
	shields_free(s);
	errno = ENOMEM;
	return NULL;
}

void shields_free(struct shields *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; s->messages && i < s->count; i++)
		message_rules_free(s->messages[i]);
	free(s->messages);
	free(s->first);
	free(s->roles);
	free(s->is_shield);
	free(s);
}

bool shields_are_none(const struct shields *s)
{
	return !s->count;
}

bool shield_is_rule(const struct shields *s, uint32_t rule)
{
	return s->count && rule < s->rule_count && s->is_shield[rule / 8] >> rule % 8 & 1;
}

static bool is_peer(const struct shields *s, const struct gate_rule *r, uint32_t peer)
{
	switch (r->peer_kind) {
	case GATE_PEER_ANY:
		return true;
	case GATE_PEER_ID:
		return r->peer == peer;
	default:
		return peer < s->host_count && s->roles[peer] & r->peer;
	}
}

static bool fits(const struct shields *s, const struct policy_shield *v,
		 const struct shield_talk *t)
{
	const struct gate_rule *r = &v->match;

	return (!r->proto || r->proto == t->proto) && r->port_lo <= t->port &&
	       t->port <= r->port_hi && r->towards == t->towards && is_peer(s, r, t->peer);
}

/* `p` NULL: shields of whole conversations are asked, else those of messages. */
static enum shield_word judge_end(const struct shields *s, const struct shield_talk *t,
				  const struct proto *p, const struct msg *msg)
{
	enum shield_word word = SHIELD_PASS;
	uint32_t i = t->device < s->device_count ? s->first[t->device] : 0;

	for (; i && i <= s->count && s->list[i - 1].device == t->device; i++) {
		const struct policy_shield *v = &s->list[i - 1];
		struct message_rules *m = s->messages[i - 1];

		if (!m != !p || !fits(s, v, t) || (p && !message_is_denied(m, 0, p, msg)))
			continue;
		if (v->flags & POLICY_SHIELD_ENFORCE)
			return SHIELD_DROP;
		word = SHIELD_WOULD_DROP;
	}
	return word;
}

static enum shield_word judge(const struct shields *s, const struct shield_talk *t,
			      const struct proto *p, const struct msg *msg)
{
	struct shield_talk other = {.device = t->peer & ~GATE_PEER_DEVICE,
				    .peer = GATE_PEER_DEVICE | t->device,
				    .port = t->port,
				    .proto = t->proto,
				    .towards = !t->towards};
	enum shield_word a, b;

	if (!s->count)
		return SHIELD_PASS;
	a = judge_end(s, t, p, msg);
	b = t->peer & GATE_PEER_DEVICE ? judge_end(s, &other, p, msg) : SHIELD_PASS;
	return a > b ? a : b;
}

enum shield_word shield_conversation(const struct shields *s, const struct shield_talk *t)
{
	return judge(s, t, NULL, NULL);
}

enum shield_word shield_message(const struct shields *s, const struct shield_talk *t,
				const struct proto *p, const struct msg *msg)
{
	return judge(s, t, p, msg);
}
