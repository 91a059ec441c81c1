#include "cli/explain.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/fips.h"
#include "cli/explain_service.h"
#include "cli/explain_shield.h"
#include "cli/explain_update.h"
#include "role/firmware.h"

static const char *const mode_names[] = {"observe", "simulate", "enforce"};
static const char *const fail_names[] = {"open", "closed"};
static const char *const action_names[] = {"pass", "inspect", "seal", "drop"};

/* A text that grows by pieces, each but the first behind a separator; cut where it is full. */
struct pieces {
	char text[1024];
	size_t len;
};

__attribute__((format(printf, 3, 4))) static void piece(struct pieces *p, const char *separator,
							const char *fmt, ...)
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

struct explaining {
	const struct config *c;
	const struct policy *p;
	const struct gate_device *devices;
	const struct gate_rule *rules;
	uint32_t device_count, rule_count;
	uint64_t *roles; /* of each host */
};

static bool begin(struct explaining *x, const struct config *c, const struct policy *p)
{
	const struct policy_net_row *nets;
	uint32_t count;

	*x = (struct explaining){.c = c, .p = p};
	x->devices = policy_devices(p, &x->device_count);
	x->rules = policy_rules(p, &x->rule_count);
	x->roles = calloc(c->hosts_count + 1, sizeof(*x->roles));
	nets = policy_nets(p, &count);
	for (uint32_t i = 0; x->roles && i < count; i++)
		if (nets[i].net.peer < c->hosts_count)
			x->roles[nets[i].net.peer] |= nets[i].net.roles;
	return x->roles;
}

static void add_peers(const struct explaining *x, const struct gate_rule *r, struct pieces *to)
{
	if (r->peer_kind == GATE_PEER_ANY) {
		piece(to, ", ", "anyone");
		return;
	}
	if (r->peer_kind == GATE_PEER_ID) {
		const char *name = policy_peer_name(x->p, (uint32_t)r->peer);

		if (!has_piece(to, name))
			piece(to, ", ", "%s", name);
		return;
	}
	if ((r->peer & GATE_ROLE_BROADCAST) && !has_piece(to, "everybody (broadcast)"))
		piece(to, ", ", "everybody (broadcast)");
	if ((r->peer & GATE_ROLE_MULTICAST) && !has_piece(to, "everybody (multicast)"))
		piece(to, ", ", "everybody (multicast)");
	for (unsigned i = 0; i < x->c->hosts_count; i++)
		if ((x->roles[i] & r->peer) && !has_piece(to, x->c->hosts[i].name))
			piece(to, ", ", "%s", x->c->hosts[i].name);
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
		piece(to, ", ", "%s", text);
}

static const char *proto_text(uint8_t proto, char number[16])
{
	const char *name = address_proto_name(proto);

	if (name)
		return proto ? name : "any protocol";
	snprintf(number, 16, "protocol %u", proto);
	return number;
}

/* The lines of the file come apart into rows, one a port and peer; this puts them together again. */
struct line {
	const char *service;
	const char *messages;
	struct gate_rule rule; /* the first */
	struct pieces ports, peers;
	uint32_t next; /* the row behind it */
};

static void read_line(const struct explaining *x, uint32_t i, uint32_t end, struct line *ret_line)
{
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
}

/* A rule's text about messages (guard/policy/message.h), taken apart. */
struct spoken {
	char app[32]; /* "" any */
	bool no_control;
	const char *lines; /* the first behind the app's, or its end */
};

static size_t line_len(const char *line)
{
	return strcspn(line, "\n");
}

static const char *behind(const char *line)
{
	line += line_len(line);
	return *line ? line + 1 : line;
}

/* The next "member=pattern" from `line` on, NULL none is left. */
static const char *next_pattern(const char *line)
{
	while (*line && (line_len(line) == 10 && !memcmp(line, "control=no", 10)))
		line = behind(line);
	return *line ? line : NULL;
}

static void take_apart(const char *text, struct spoken *ret_s)
{
	size_t len = line_len(text) < sizeof(ret_s->app) ? line_len(text) : sizeof(ret_s->app) - 1;

	memcpy(ret_s->app, text, len);
	ret_s->app[len] = 0;
	ret_s->lines = behind(text);
	ret_s->no_control = false;
	for (const char *line = ret_s->lines; *line; line = behind(line))
		ret_s->no_control |= line_len(line) == 10 && !memcmp(line, "control=no", 10);
}

static bool is_of(const char *line, const char *member, size_t len)
{
	return strncmp(line, member, len) == 0 && line[len] == '=';
}

/* Was the member of this line named by one before it? */
static bool is_repeated(const struct spoken *s, const char *line)
{
	size_t len = strcspn(line, "=");

	for (const char *l = next_pattern(s->lines); l && l < line; l = next_pattern(behind(l)))
		if (is_of(l, line, len))
			return true;
	return false;
}

/* "message_type ORU^R01 or ACK" */
static void print_member(FILE *out, const char *first)
{
	size_t len = strcspn(first, "=");
	unsigned said = 0;

	fprintf(out, "%.*s", (int)len, first);
	for (const char *l = first; l; l = next_pattern(behind(l)))
		if (is_of(l, first, len))
			fprintf(out, "%s %.*s", said++ ? " or" : "", (int)(line_len(l) - len - 1),
				l + len + 1);
}

static void print_messages(FILE *out, const char *text)
{
	struct spoken s;
	unsigned said = 0;

	take_apart(text, &s);
	if (!*s.app)
		return;
	fprintf(out, "      only %s is spoken there", s.app);
	for (const char *l = next_pattern(s.lines); l; l = next_pattern(behind(l))) {
		if (is_repeated(&s, l))
			continue;
		fputs(said++ ? ", and " : "; messages: ", out);
		print_member(out, l);
	}
	if (s.no_control)
		fputs("; nothing that changes a device", out);
	fputc('\n', out);
}

/* {"app": "hl7", "control": false, "allow": {"message_type": ["ORU^R01"]}}; null: anything. */
static json_t *messages_json(const char *text)
{
	json_t *allow = json_object(), *list;
	struct spoken s;
	char member[64];

	take_apart(text, &s);
	for (const char *l = *s.app ? next_pattern(s.lines) : NULL; l;
	     l = next_pattern(behind(l))) {
		size_t len = strcspn(l, "=");

		snprintf(member, sizeof(member), "%.*s", (int)len, l);
		list = json_object_get(allow, member);
		if (!list) {
			list = json_array();
			json_object_set_new(allow, member, list);
		}
		json_array_append_new(list, json_stringn(l + len + 1, line_len(l) - len - 1));
	}
	if (!*s.app) {
		json_decref(allow);
		return json_null();
	}
	return json_pack("{s:s, s:b, s:o}", "app", s.app, "control", !s.no_control, "allow", allow);
}

static void print_line(FILE *out, const struct line *l)
{
	char number[16];
	const char *ports = l->ports.text;

	fprintf(out, "    %s: %s (%s%s%s)", l->service,
		l->peers.len ? l->peers.text : "nobody: no host has that role",
		proto_text(l->rule.proto, number), l->ports.len ? " " : "", ports);
	if (l->rule.action == GATE_PASS)
		fputs(", not inspected", out);
	if (l->rule.action == GATE_DROP)
		fputs(", BLOCKED", out);
	fputc('\n', out);
	print_messages(out, l->messages);
}

static void print_direction(FILE *out, const struct explaining *x, const struct gate_device *d,
			    bool towards)
{
	struct line l;
	bool any = false;

	for (uint32_t i = d->rule_first; i < d->rule_first + d->rule_count; i = l.next) {
		read_line(x, i, d->rule_first + d->rule_count, &l);
		if (l.rule.towards != towards)
			continue;
		if (!any)
			fputs(towards ? "  others may start:\n" : "  it may start:\n", out);
		any = true;
		print_line(out, &l);
	}
	if (!any)
		fputs(towards ? "  others may start nothing towards it\n"
			      : "  it may start nothing\n",
		      out);
}

static const struct config_profile *profile_of(const struct config *c,
					       const struct config_device *d)
{
	for (unsigned i = 0; i < c->profiles_count; i++)
		if (strcmp(c->profiles[i].name, d->profile) == 0)
			return &c->profiles[i];
	return NULL;
}

static void print_device(FILE *out, const struct explaining *x, unsigned i)
{
	const struct config_device *d = &x->c->devices[i];
	const struct gate_device *g = &x->devices[x->c->segments_count + i];
	const struct config_profile *p = profile_of(x->c, d);
	struct pieces ips = {.len = 0};

	for (unsigned j = 0; j < d->ip_count; j++)
		piece(&ips, ", ", "%s", d->ip[j]);
	fprintf(out, "\n%s: %s\n", d->name, p ? p->title : "no profile, only its own lines");
	fprintf(out, "  in %s, %s, %s\n", d->segment, d->mac,
		ips.len ? ips.text : "any address that nobody else owns");
	fprintf(out, "  %s; while nobody inspects, what is allowed %s\n",
		g->mode == GATE_ENFORCE	   ? "everything else is blocked"
		: g->mode == GATE_SIMULATE ? "simulate: NOTHING IS BLOCKED, only said"
					   : "observe: NOTHING IS BLOCKED",
		g->fail == GATE_OPEN ? "passes (open)" : "is stopped (closed)");
	if (g->flags & GATE_DEVICE_ARCHIVE)
		fprintf(out,
			"  its HL7 messages and DICOM images are kept in the vault, six years\n");
	print_direction(out, x, g, false);
	print_direction(out, x, g, true);
	explain_update(out, x->c, d);
}

static void print_segments(FILE *out, const struct explaining *x)
{
	for (unsigned i = 0; i < x->c->segments_count; i++) {
		const struct config_segment *s = &x->c->segments[i];

		fprintf(out, "segment %s: ward on %s, hospital on %s, mode %s\n", s->name, s->ward,
			s->hospital, mode_names[s->mode]);
		fprintf(out, "  unknown machines are %s; false addresses are %s; %s\n",
			s->block_strangers ? "blocked" : "let through and inspected",
			s->block_binding ? "blocked" : "only reported",
			s->isolated ? "devices reach each other through the gateway only"
				    : "devices on one switch reach each other unseen");
	}
}

/* What is probably not meant. Each is one sentence for a person. */

typedef void (*warn_fn)(void *arg, const char *text);

struct warning {
	warn_fn fn;
	void *arg;
};

__attribute__((format(printf, 2, 3))) static void warn(const struct warning *w, const char *fmt,
						       ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->fn(w->arg, text);
}

static bool role_held(const struct config *c, const char *role)
{
	if (strcmp(role, "any") == 0 || strcmp(role, "broadcast") == 0 ||
	    strcmp(role, "multicast") == 0)
		return true;
	for (unsigned i = 0; i < c->hosts_count; i++) {
		if (strcmp(c->hosts[i].name, role) == 0)
			return true;
		for (unsigned j = 0; j < c->hosts[i].role_count; j++)
			if (strcmp(c->hosts[i].role[j], role) == 0)
				return true;
	}
	for (unsigned i = 0; i < c->devices_count; i++)
		if (strcmp(c->devices[i].name, role) == 0)
			return true;
	return false;
}

/* Once for each role that a profile names and nobody holds, with the services that need it. */
static void warn_roles(const struct config *c, const struct warning *w)
{
	for (unsigned i = 0; i < c->profiles_count; i++) {
		const struct config_profile *p = &c->profiles[i];
		unsigned n = p->starts_count + p->accepts_count;

		for (unsigned j = 0; j < n; j++) {
			struct pieces services = {.len = 0};
			const char *role = NULL;
			bool first = true;

			for (unsigned k = 0; k < n; k++) {
				const struct config_rule *r =
					k < p->starts_count ? &p->starts[k]
							    : &p->accepts[k - p->starts_count];

				if (k == j)
					role = r->peer;
				else if (k < j)
					continue;
				if (strcmp(role, r->peer) == 0)
					piece(&services, "; ", "%s", r->service);
			}
			for (unsigned k = 0; first && k < j; k++)
				first = strcmp(role,
					       k < p->starts_count
						       ? p->starts[k].peer
						       : p->accepts[k - p->starts_count].peer);
			if (first && !role_held(c, role))
				warn(w,
				     "no host has the role '%s', so profile %s allows nobody: %s",
				     role, p->name, services.text);
		}
	}
}

static bool narrows(const struct config *c, const struct config_device *d, const char *peer)
{
	const struct config_profile *p = profile_of(c, d);

	for (unsigned i = 0; i < c->hosts_count; i++)
		for (unsigned j = 0;
		     strcmp(c->hosts[i].name, peer) == 0 && j < c->hosts[i].role_count; j++) {
			const char *role = c->hosts[i].role[j];

			for (unsigned k = 0; p && k < p->starts_count; k++)
				if (strcmp(p->starts[k].peer, role) == 0)
					return true;
			for (unsigned k = 0; p && k < p->accepts_count; k++)
				if (strcmp(p->accepts[k].peer, role) == 0)
					return true;
			for (unsigned k = 0; k < d->starts_count; k++)
				if (strcmp(d->starts[k].peer, role) == 0)
					return true;
			for (unsigned k = 0; k < d->accepts_count; k++)
				if (strcmp(d->accepts[k].peer, role) == 0)
					return true;
		}
	return false;
}

static void warn_devices(const struct explaining *x, const struct warning *w)
{
	for (unsigned i = 0; i < x->c->devices_count; i++) {
		const struct config_device *d = &x->c->devices[i];
		const struct gate_device *g = &x->devices[x->c->segments_count + i];

		if (!d->ip_count)
			warn(w,
			     "device '%s' has no ip: it may use any address that nobody else owns",
			     d->name);
		if (!g->rule_count)
			warn(w,
			     "device '%s' may do nothing at all: it has no profile and no lines of "
			     "its own, or nobody holds the roles they name",
			     d->name);
		if (d->update && d->update->driver != CONFIG_PERSON &&
		    !firmware_seen(x->p, x->c->segments_count + i))
			warn(w,
			     "device '%s' gets no firmware: none of its lines is inspected, so "
			     "nobody can see whether it is on a patient, or well afterwards",
			     d->name);
		if (g->mode != GATE_ENFORCE)
			warn(w, "device '%s' is in mode %s: nothing is blocked for it", d->name,
			     mode_names[g->mode]);
		for (unsigned j = 0; j < d->peer_count; j++)
			if (!narrows(x->c, d, d->peer[j]))
				warn(w,
				     "device '%s' is narrowed to '%s', which holds no role that "
				     "its "
				     "lines name: that narrows nothing",
				     d->name, d->peer[j]);
	}
}

static void warn_hosts(const struct config *c, const struct warning *w)
{
	uint8_t ip[16];
	unsigned len;

	for (unsigned i = 0; i < c->hosts_count; i++)
		for (unsigned j = 0; j < c->hosts[i].ip_count; j++)
			if (address_prefix(c->hosts[i].ip[j], ip, &len) &&
			    (len == 0 || (len == 96 && !strchr(c->hosts[i].ip[j], ':'))))
				warn(w, "host '%s' is the whole internet (%s)", c->hosts[i].name,
				     c->hosts[i].ip[j]);
}

static bool any_v6(char *const *ips, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (strchr(ips[i], ':'))
			return true;
	return false;
}

static bool uses_v6(const struct config *c)
{
	bool v6 = false;

	for (unsigned i = 0; i < c->segments_count; i++)
		v6 |= any_v6(c->segments[i].net, c->segments[i].net_count);
	for (unsigned i = 0; i < c->devices_count; i++)
		v6 |= any_v6(c->devices[i].ip, c->devices[i].ip_count);
	return v6;
}

/* RFC 8415 §18.3.10: what it answers comes from a link-local address (fe80::/10), which is
 * nobody's as long as neither that nor its hardware address is known. */
static void warn_dhcp(const struct config *c, const struct warning *w)
{
	uint8_t ip[16];
	unsigned len;

	for (unsigned i = 0; i < c->hosts_count; i++) {
		const struct config_host *h = &c->hosts[i];
		bool serves = false, known = h->mac != NULL;

		for (unsigned j = 0; j < h->role_count; j++)
			serves |= strcmp(h->role[j], "dhcp") == 0;
		for (unsigned j = 0; j < h->ip_count; j++)
			known |= address_prefix(h->ip[j], ip, &len) && len >= 10 && ip[0] == 0xfe &&
				 (ip[1] & 0xc0) == 0x80;
		if (serves && !known && (uses_v6(c) || any_v6(h->ip, h->ip_count)))
			warn(w,
			     "host '%s' has the role dhcp and IPv6 is in use, but it has no mac: "
			     "its DHCPv6 answers come from a link-local address and will be taken "
			     "for a rogue server's; give it 'mac', or its fe80:: address in 'ip'",
			     h->name);
	}
}

static void warn_segments(const struct config *c, const struct warning *w)
{
	for (unsigned i = 0; i < c->segments_count; i++) {
		unsigned devices = 0;

		for (unsigned j = 0; j < c->devices_count; j++)
			devices += strcmp(c->devices[j].segment, c->segments[i].name) == 0;
		if (!devices)
			warn(w, "segment '%s' has no devices%s", c->segments[i].name,
			     c->segments[i].block_strangers
				     ? ": everything on its ward side will be blocked"
				     : "");
		if (!c->segments[i].block_strangers)
			warn(w, "segment '%s' lets machines through that nobody registered",
			     c->segments[i].name);
	}
}

static void warn_services(const struct explaining *x, const struct warning *w)
{
	uint32_t count;
	const struct policy_service *s = policy_services(x->p, &count);

	for (uint32_t i = 0; i < count; i++) {
		const char *open = explain_service_open(x->p, &s[i]);

		if (open)
			warn(w,
			     "device '%s': the service '%s' is open to some without being asked "
			     "for, "
			     "by the line '%s' of accepts",
			     policy_device_name(x->p, s[i].device),
			     policy_service_name(x->p, &s[i]), open);
		if (s[i].flags & POLICY_SERVICE_RECORD && !x->c->gateway.evidence)
			warn(w,
			     "device '%s': the service '%s' is to be recorded, which needs "
			     "evidence: "
			     "on",
			     policy_device_name(x->p, s[i].device),
			     policy_service_name(x->p, &s[i]));
	}
}

/* Each setting that is about it is where it takes effect; what it does not reach is said once. */
static void warn_crypto(const struct config *c, const struct warning *w)
{
	if (strcmp(c->gateway.crypto, "fips") != 0)
		return;
	fips_begin(); /* as the gateway would */
	if (!fips_has_module())
		warn(w, "crypto: fips: no validated module (OpenSSL's FIPS provider) is installed "
			"here; only approved algorithms will be used, but OpenSSL's own");
	warn(w, "crypto: fips: age files, the recovery kit among them, and device updates over "
		"TFTP or plain HTTP stay what they are; updates over SFTP are refused; passwords "
		"are kept by Argon2id until they are set anew");
}

static void warn_all(const struct explaining *x, const struct warning *w)
{
	warn_crypto(x->c, w);
	warn_services(x, w);
	warn_segments(x->c, w);
	warn_hosts(x->c, w);
	warn_dhcp(x->c, w);
	warn_roles(x->c, w);
	warn_devices(x, w);
}

static void print_warning(void *arg, const char *text)
{
	fprintf(arg, "warning: %s\n", text);
}

void explain_text(FILE *out, const struct config *c, const struct policy *p)
{
	struct warning w = {print_warning, out};
	struct explaining x;

	if (!begin(&x, c, p))
		return;
	print_segments(out, &x);
	for (unsigned i = 0; i < c->devices_count; i++) {
		print_device(out, &x, i);
		explain_services(out, p, c->segments_count + i);
	}
	explain_shields(out, c);
	explain_rollouts(out, c);
	fputc('\n', out);
	warn_all(&x, &w);
	fprintf(out, "good: %u segments, %u hosts, %u devices, %u rules\n", c->segments_count,
		c->hosts_count, c->devices_count, x.rule_count);
	free(x.roles);
}

static json_t *line_json(const struct line *l)
{
	char number[16];

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "service", l->service, "direction",
			 l->rule.towards ? "accepts" : "starts", "proto",
			 proto_text(l->rule.proto, number), "ports", l->ports.text, "peers",
			 l->peers.text, "action", action_names[l->rule.action], "messages",
			 messages_json(l->messages));
}

static json_t *device_json(const struct explaining *x, unsigned i)
{
	const struct config_device *d = &x->c->devices[i];
	const struct gate_device *g = &x->devices[x->c->segments_count + i];
	json_t *ips = json_array(), *rules = json_array(), *o;
	struct line l;

	for (unsigned j = 0; j < d->ip_count; j++)
		json_array_append_new(ips, json_string(d->ip[j]));
	for (uint32_t r = g->rule_first; r < g->rule_first + g->rule_count; r = l.next) {
		read_line(x, r, g->rule_first + g->rule_count, &l);
		json_array_append_new(rules, line_json(&l));
	}
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "name", d->name,
		      "segment", d->segment, "mac", d->mac, "profile", d->profile, "mode",
		      mode_names[g->mode], "fail", fail_names[g->fail], "archive",
		      (g->flags & GATE_DEVICE_ARCHIVE) != 0, "ip", ips, "rules", rules, "services",
		      explain_services_json(x->p, x->c->segments_count + i));
	if (d->update)
		json_object_set_new(o, "update", explain_update_json(d));
	if (o)
		json_object_update_new(o,
				       json_pack("{s:s, s:s, s:s, s:s, s:s}", "vendor", d->vendor,
						 "model", d->model, "version", d->version, "serial",
						 d->serial, "sbom", d->sbom));
	return o;
}

static json_t *segment_json(const struct config_segment *s)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "name", s->name, "ward", s->ward,
			 "hospital", s->hospital, "mode", mode_names[s->mode], "unknown_devices",
			 s->block_strangers ? "block" : "observe", "binding",
			 s->block_binding ? "block" : "report", "isolated", s->isolated);
}

static void add_warning(void *arg, const char *text)
{
	json_array_append_new(arg, json_string(text));
}

json_t *explain_json(const struct config *c, const struct policy *p)
{
	json_t *segments = json_array(), *devices = json_array(), *warnings = json_array();
	struct warning w = {add_warning, warnings};
	struct explaining x;

	if (!begin(&x, c, p))
		return NULL;
	for (unsigned i = 0; i < c->segments_count; i++)
		json_array_append_new(segments, segment_json(&c->segments[i]));
	for (unsigned i = 0; i < c->devices_count; i++)
		json_array_append_new(devices, device_json(&x, i));
	warn_all(&x, &w);
	free(x.roles);
	return json_pack("{s:b, s:i, s:i, s:o, s:o, s:o, s:o, s:o}", "ok", 1, "hosts",
			 (int)c->hosts_count, "rules", (int)x.rule_count, "segments", segments,
			 "devices", devices, "warnings", warnings, "shields",
			 explain_shields_json(c), "settings", explain_settings_json(c));
}
