#include "cli/explain_internal.h"

#include <stdarg.h>
#include <string.h>

#include "base/address.h"

static const char *const action_names[] = {"pass", "inspect", "seal", "drop"};

void piece_add(struct pieces *p, const char *separator, const char *fmt, ...)
{
	char text[256];
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = strlen(text) + (p->len ? strlen(separator) : 0);
	if (p->len + n >= sizeof(p->text))
		return;
	snprintf(p->text + p->len, sizeof(p->text) - p->len, "%s%s", p->len ? separator : "", text);
	p->len += n;
}

static bool has_piece(const struct pieces *p, const char *text)
{
	size_t n = strlen(text);

	for (const char *at = p->text; p->len && (at = strstr(at, text)); at++)
		if ((at == p->text || at[-1] == ' ') && (at[n] == ',' || !at[n]))
			return true;
	return false;
}

static void add_peers(const struct explaining *x, const struct gate_rule *r, struct pieces *to)
{
	if (r->peer_kind == GATE_PEER_ANY) {
		piece_add(to, ", ", "anyone");
		return;
	}
	if (r->peer_kind == GATE_PEER_ID) {
		const char *name = policy_peer_name(x->p, (uint32_t)r->peer);

		if (!has_piece(to, name))
			piece_add(to, ", ", "%s", name);
		return;
	}
	if ((r->peer & GATE_ROLE_BROADCAST) && !has_piece(to, "everybody (broadcast)"))
		piece_add(to, ", ", "everybody (broadcast)");
	if ((r->peer & GATE_ROLE_MULTICAST) && !has_piece(to, "everybody (multicast)"))
		piece_add(to, ", ", "everybody (multicast)");
	for (unsigned i = 0; i < x->c->hosts_count; i++)
		if ((x->roles[i] & r->peer) && !has_piece(to, x->c->hosts[i].name))
			piece_add(to, ", ", "%s", x->c->hosts[i].name);
}

static void add_ports(const struct gate_rule *r, struct pieces *to)
{
	char text[16];

	if (r->port_lo == 0 && r->port_hi == 65535)
		return;
	if (r->port_lo == r->port_hi)
		snprintf(text, sizeof(text), "%u", r->port_lo);
	else
		snprintf(text, sizeof(text), "%u-%u", r->port_lo, r->port_hi);
	if (!has_piece(to, text))
		piece_add(to, ", ", "%s", text);
}

static const char *transport_text(uint8_t proto, char number[16])
{
	const char *name = address_proto_name(proto);

	if (name)
		return proto ? name : "any protocol";
	snprintf(number, 16, "protocol %u", proto);
	return number;
}

static uint64_t roles_of(const struct explaining *x, const struct gate_rule *r)
{
	if (r->peer_kind == GATE_PEER_ROLES)
		return r->peer;
	return r->peer < x->c->hosts_count ? x->roles[r->peer] : 0;
}

static bool may_be_one(const struct explaining *x, const struct gate_rule *a,
		       const struct gate_rule *b)
{
	if (a->peer_kind == GATE_PEER_ANY || b->peer_kind == GATE_PEER_ANY)
		return true;
	if (a->peer_kind == GATE_PEER_ID && b->peer_kind == GATE_PEER_ID)
		return a->peer == b->peer;
	return roles_of(x, a) & roles_of(x, b);
}

/* The first line that fits decides alone: of those behind it that has to be said. */
static bool comes_after(const struct explaining *x, uint32_t first, uint32_t i, uint32_t end)
{
	for (uint32_t b = i; b < end; b++)
		for (uint32_t a = first; a < i; a++) {
			const struct gate_rule *r = &x->rules[a], *s = &x->rules[b];

			if (r->towards == s->towards &&
			    (r->proto == s->proto || !r->proto || !s->proto) &&
			    r->port_lo <= s->port_hi && s->port_lo <= r->port_hi &&
			    may_be_one(x, r, s))
				return true;
		}
	return false;
}

void explain_line(const struct explaining *x, const struct gate_device *d, uint32_t i,
		  struct line *ret_line)
{
	uint32_t end = d->rule_first + d->rule_count, first = i;

	*ret_line = (struct line){.service = policy_rule_service(x->p, i),
				  .messages = policy_rule_messages(x->p, i),
				  .rule = x->rules[i]};
	do {
		add_ports(&x->rules[i], &ret_line->ports);
		add_peers(x, &x->rules[i], &ret_line->peers);
		i++;
	} while (i < end && policy_rule_service(x->p, i) == ret_line->service &&
		 policy_rule_messages(x->p, i) == ret_line->messages &&
		 x->rules[i].proto == ret_line->rule.proto &&
		 x->rules[i].towards == ret_line->rule.towards &&
		 x->rules[i].action == ret_line->rule.action);
	ret_line->next = i;
	ret_line->after = comes_after(x, d->rule_first, first, i);
}

void explain_line_text(FILE *out, const struct line *l)
{
	char number[16];
	const char *ports = l->ports.text;

	fprintf(out, "    %s: %s (%s%s%s)", l->service,
		l->peers.len ? l->peers.text : "nobody: no host has that role",
		transport_text(l->rule.proto, number), l->ports.len ? " " : "", ports);
	if (l->rule.action == GATE_PASS)
		fputs(", not inspected", out);
	if (l->rule.action == GATE_DROP)
		fputs(", BLOCKED", out);
	if (l->after)
		fputs(", where no line above fits", out);
	fputc('\n', out);
	explain_messages(out, l->messages);
}

json_t *explain_line_json(const struct line *l)
{
	char number[16];

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "service", l->service, "direction",
			 l->rule.towards ? "accepts" : "starts", "proto",
			 transport_text(l->rule.proto, number), "ports", l->ports.text, "peers",
			 l->peers.text, "action", action_names[l->rule.action], "messages",
			 explain_messages_json(l->messages));
}
