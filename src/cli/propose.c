#include "cli/propose.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "cli/draft.h"
#include "cli/narrow.h"
#include "cli/yaml.h"
#include "guard/policy/data.h"

#define EXTRA_MAX 40 /* comment lines a device gets */

/* The gateway's own section as it stands in the file there is, line by line. */
static void copy_gateway(FILE *out, const char *file)
{
	FILE *in = file ? fopen(file, "re") : NULL;
	char *line = NULL;
	size_t cap = 0;
	bool inside = false;

	while (in && getline(&line, &cap, in) > 0) {
		if (strncmp(line, "gateway:", 8) == 0)
			inside = true;
		else if (inside && !strchr(" \t\n#}", line[0]))
			inside = false;
		if (inside && line[0] != '#')
			fputs(line, out);
	}
	free(line);
	if (in)
		fclose(in);
}

static const char *const mode_words[] = {"observe", "simulate", "enforce"};

static void write_segments(FILE *out, const struct draft *x)
{
	const struct config *c = x->p->config;

	fputs("segments:\n", out);
	if (!c) {
		fputs("  # Put the gateway's two ports in here: ward towards the devices.\n"
		      "  - {name: ward, ward: eth1, hospital: eth0",
		      out);
		for (unsigned i = 0; i < x->p->ward_count; i++) {
			fputs(i ? ", " : ", net: [", out);
			yaml_quoted(out, x->p->ward[i]);
		}
		fputs(x->p->ward_count ? "]}\n" : "}\n", out);
	}
	for (unsigned i = 0; c && i < c->segments_count; i++) {
		const struct config_segment *s = &c->segments[i];

		fputs("  - {name: ", out);
		yaml_quoted(out, s->name);
		fputs(", ward: ", out);
		yaml_quoted(out, s->ward);
		fputs(", hospital: ", out);
		yaml_quoted(out, s->hospital);
		if (s->net_count) {
			fputs(", net: ", out);
			yaml_list(out, s->net, s->net_count);
		}
		fprintf(out, ",\n     isolated: %s, mode: %s, unknown_devices: %s, binding: %s}\n",
			s->isolated ? "yes" : "no", mode_words[s->mode],
			s->block_strangers ? "block" : "observe",
			s->block_binding ? "block" : "report");
	}
}

/* Outside what a site numbers itself: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 §2.5.6. */
static bool is_public(const uint8_t ip[16])
{
	static const char *const own[] = {"10.0.0.0/8",	   "172.16.0.0/12",  "192.168.0.0/16",
					  "100.64.0.0/10", "169.254.0.0/16", "fc00::/7",
					  "fe80::/10"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (address_within(ip, own[i]))
			return false;
	return true;
}

static void write_host(FILE *out, const struct draft_host *h)
{
	char text[ADDRESS_IP_LEN];

	if (!h->known && is_public(h->ip))
		fputs("  # A public address: on the internet, not in the hospital.\n", out);

	if (*h->why) {
		fputs("  # ", out);
		yaml_comment(out, h->why);
		fputc('\n', out);
	}
	fputs("  - {name: ", out);
	yaml_quoted(out, h->name);
	fputs(", ip: ", out);
	if (h->known)
		yaml_list(out, h->known->ip, h->known->ip_count);
	else
		fprintf(out, "[\"%s\"]", address_ip_text(h->ip, text));
	if (h->known && h->known->mac) {
		fputs(", mac: ", out);
		yaml_quoted(out, h->known->mac);
	}
	if (h->known && h->known->role_count) {
		fputs(", role: ", out);
		yaml_list(out, h->known->role, h->known->role_count);
	} else if (h->roles) {
		fputs(", role: [", out);
		for (unsigned i = 0; i < h->roles; i++)
			fprintf(out, "%s%s", i ? ", " : "", h->role[i]);
		fputc(']', out);
	}
	fputs("}\n", out);
}

static void write_rules(FILE *out, const char *key, const struct config_rule *rules, unsigned count)
{
	static const char *const actions[] = {"pass", "inspect", "seal", "drop"};

	if (count)
		fprintf(out, "    %s:\n", key);
	for (unsigned i = 0; i < count; i++) {
		fputs("      - {service: ", out);
		yaml_quoted(out, rules[i].service);
		fputs(", proto: ", out);
		yaml_quoted(out, rules[i].proto);
		if (rules[i].port_count) {
			fputs(", port: ", out);
			yaml_list(out, rules[i].port, rules[i].port_count);
		}
		fputs(", peer: ", out);
		yaml_quoted(out, rules[i].peer);
		fprintf(out, ", action: %s", actions[rules[i].action]);
		if (*rules[i].app)
			fprintf(out, ", app: %s, control: %s", rules[i].app,
				rules[i].control ? "yes" : "no");
		if (rules[i].allow_count) {
			fputs(", allow: ", out);
			yaml_list(out, rules[i].allow, rules[i].allow_count);
		}
		fputs("}\n", out);
	}
}

static void write_known_device(FILE *out, const struct config_device *d)
{
	fputs("    mac: ", out);
	yaml_quoted(out, d->mac);
	fputc('\n', out);
	if (d->ip_count) {
		fputs("    ip: ", out);
		yaml_list(out, d->ip, d->ip_count);
		fputc('\n', out);
	}
	if (*d->profile)
		fprintf(out, "    profile: %s\n", d->profile);
	if (d->peer_count) {
		fputs("    peer: ", out);
		yaml_list(out, d->peer, d->peer_count);
		fputc('\n', out);
	}
	if (d->mode)
		fprintf(out, "    mode: %s\n", mode_words[*d->mode]);
	if (d->fail)
		fprintf(out, "    fail: %s\n", *d->fail == GATE_OPEN ? "open" : "closed");
	write_rules(out, "starts", d->starts, d->starts_count);
	write_rules(out, "accepts", d->accepts, d->accepts_count);
}

/* The floor learns these by itself, whatever is listed. */
static bool is_link_local(const uint8_t ip[16])
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

/* A list of what is its own, if that stays so. */
static void write_addresses(FILE *out, const struct draft *x, const struct draft_device *d)
{
	char text[ADDRESS_IP_LEN];
	bool any = false;

	for (size_t i = 0; !d->machine->moves && i < x->owner_count; i++)
		if (x->owners[i].device && &x->devices[x->owners[i].index] == d &&
		    !is_link_local(x->owners[i].ip)) {
			fprintf(out, "%s\"%s\"", any ? ", " : "    ip: [",
				address_ip_text(x->owners[i].ip, text));
			any = true;
		}
	if (any)
		fprintf(out, "]%s\n",
			d->machine->leases
				? " # by DHCP: leave this out unless it is reserved for it"
				: "");
}

static void write_new_device(FILE *out, const struct draft *x, const struct draft_device *d)
{
	char mac[ADDRESS_MAC_LEN];

	fprintf(out, "    mac: \"%s\"", address_mac_text(d->machine->mac, mac));
	if (*d->machine->vendor) {
		fputs(" # ", out);
		yaml_comment(out, d->machine->vendor);
	}
	if (d->machine->moves)
		fprintf(out, "%s has addresses of IPv6 that change, so none is listed",
			*d->machine->vendor ? "; it" : " # it");
	fputc('\n', out);
	write_addresses(out, x, d);
	if (d->profile) {
		fprintf(out, "    profile: %s # ", d->profile->name);
		yaml_comment(out, d->why);
		fputc('\n', out);
	} else {
		fputs("    # No profile explains what it does; see which there are, or write its "
		      "lines "
		      "here.\n",
		      out);
	}
	/* Nothing that nobody has read may block anything. */
	fputs("    mode: simulate\n", out);
}

/* One line that a person may take the '#' from. */
struct extra {
	const struct seen_talk *talk;
	const char *peer;
	const struct config_rule *rule; /* that allows it already; NULL: none does, */
	const struct config_rule *held; /* but for what is spoken there */
	const struct said *said;	/* what it may be held to; NULL not known */
};

#define BEHIND "    #      " /* what goes on in a further line */

static void write_seen(FILE *out, const struct seen_talk *t)
{
	fprintf(out, "seen %llu times, %llu bytes%s", (unsigned long long)t->flows,
		(unsigned long long)t->bytes, *t->app ? ", " : "");
	for (const char *s = t->app; *s; s++)
		if (isalnum((unsigned char)*s) || *s == '-' || *s == '_')
			fputc(*s, out);
}

static void write_extra(FILE *out, const struct extra *e)
{
	const struct seen_talk *t = e->talk;
	const char *proto = address_proto_name(t->proto);
	char number[8];

	snprintf(number, sizeof(number), "%u", t->proto);
	if (e->rule) {
		fputs("    #   # Narrower than the line that allows it now; ", out);
		write_seen(out, t);
		fputc('\n', out);
	}
	if (e->held)
		fprintf(out, "    #   # It is not %s, which the line for it is held to.\n",
			e->held->app);
	if (data_is_app(t->app))
		fputs("    #   # Files go by ports that are new each time: they open as they are "
		      "announced there.\n",
		      out);
	if (e->said)
		narrow_notes(out, e->said, "    #   ");
	fputs("    #   - {service: ", out);
	if (e->rule) {
		yaml_quoted(out, e->rule->service);
	} else {
		fputc('"', out);
		write_seen(out, t);
		fputc('"', out);
	}
	fprintf(out, ", proto: %s", proto ? proto : number);
	if (t->port)
		fprintf(out, ", port: [%u]", t->port);
	fprintf(out, ", peer: ");
	yaml_quoted(out, e->peer);
	if (e->said)
		narrow_write(out, e->said, !e->rule || e->rule->control, BEHIND);
	fputs("}\n", out);
}

static void write_extras_head(FILE *out, const struct draft_device *d, bool starts)
{
	const char *key = starts ? "starts" : "accepts";

	fputs("    # Not covered, or narrower than what is.", out);
	if (d->known && (starts ? d->known->starts_count : d->known->accepts_count))
		fprintf(out, " Put what you recognise on top of '%s' above.\n", key);
	else
		fprintf(out,
			" Take the '#' away from what you recognise, and from '%s'.\n    # %s:\n",
			key, key);
}

/*
 * Of what others send to a group, that device wants it which answers to the same service where it
 * was asked from. Talks stand by who began them.
 */
static bool answers_group(const struct draft *x, const struct draft_device *d,
			  const struct seen_talk *asked)
{
	const struct seen_talk *first = x->p->seen->talks, *end = first + x->p->seen->talk_count;
	const struct seen_talk *t = asked;

	if (fit_far(x->p, asked->to) == FIT_ONE || draft_device_of(x, asked->from))
		return false;
	while (t > first && memcmp(t[-1].from, asked->from, sizeof(t->from)) == 0)
		t--;
	for (; t < end && memcmp(t->from, asked->from, sizeof(t->from)) == 0; t++)
		if (t->proto == asked->proto && t->port == asked->port &&
		    draft_device_of(x, t->to) == d)
			return true;
	return false;
}

/* The next, or first, of those who ask the same group for the same; NULL none. */
static const struct seen_talk *asks_too(const struct draft *x, const struct draft_device *d,
					const struct seen_talk *asked,
					const struct seen_talk *after)
{
	const struct seen_talk *end = x->p->seen->talks + x->p->seen->talk_count;

	for (const struct seen_talk *t = after ? after + 1 : x->p->seen->talks; t < end; t++)
		if (t->proto == asked->proto && t->port == asked->port &&
		    memcmp(t->to, asked->to, sizeof(t->to)) == 0 && answers_group(x, d, t))
			return t;
	return NULL;
}

/* Is there a line to offer for what was seen, and which? */
static bool make_extra(struct draft *x, const struct draft_device *d, const struct seen_talk *t,
		       bool starts, struct extra *ret_e)
{
	const uint8_t *mine = starts ? t->from : t->to, *theirs = starts ? t->to : t->from;
	bool grouped = !starts && answers_group(x, d, t);
	enum fit_far far = fit_far(x->p, grouped ? t->to : theirs);
	const struct draft_device *device = far == FIT_ONE ? draft_device_of(x, theirs) : NULL;
	struct draft_host *host;

	if (draft_device_of(x, mine) != d && !(grouped && asks_too(x, d, t, NULL) == t))
		return false;
	if (starts && t->called)
		return false; /* what lets it ask lets in no answer */
	host = far == FIT_ONE && !device ? draft_host_for(x, theirs) : NULL;
	if (far == FIT_ONE && !host && !device)
		return false;
	*ret_e = (struct extra){.talk = t,
				.rule = draft_rule(d, host, t, far, starts),
				.said = narrow_said(x, t),
				.peer = far == FIT_BROADCAST   ? "broadcast"
					: far == FIT_MULTICAST ? "multicast"
					: device	       ? device->name
							       : host->name};
	if (grouped && asks_too(x, d, t, t))
		ret_e->said = NULL; /* one line for all of them, who may say different things */
	if (ret_e->rule && *ret_e->rule->app && *t->app && !seen_covers(ret_e->rule->app, t->app)) {
		ret_e->held = ret_e->rule;
		ret_e->rule = NULL;
	}
	return !ret_e->rule || (ret_e->said && narrow_fits(d, ret_e->rule, ret_e->said, t,
							   ret_e->peer, far, starts));
}

static void write_extras(FILE *out, struct draft *x, const struct draft_device *d, bool starts)
{
	const struct seen *s = x->p->seen;
	unsigned written = 0, more = 0;
	struct extra e;

	for (size_t i = 0; i < s->talk_count; i++) {
		if (!make_extra(x, d, &s->talks[i], starts, &e))
			continue;
		if (written == EXTRA_MAX) {
			more++;
			continue;
		}
		if (!written++)
			write_extras_head(out, d, starts);
		write_extra(out, &e);
		if (e.rule)
			x->p->narrower++;
		else
			x->p->uncovered++;
	}
	if (more)
		fprintf(out, "    #   # and %u more\n", more);
}

static void write_devices(FILE *out, struct draft *x)
{
	fputs("devices:\n", out);
	for (size_t i = 0; i < x->device_count; i++) {
		struct draft_device *d = &x->devices[i];

		fputs("  - name: ", out);
		yaml_quoted(out, d->name);
		fputs("\n    segment: ", out);
		yaml_quoted(out, d->segment);
		fputc('\n', out);
		if (d->known)
			write_known_device(out, d->known);
		else
			write_new_device(out, x, d);
		write_extras(out, x, d, true);
		write_extras(out, x, d, false);
		x->p->devices++;
	}
}

static void write_head(FILE *out, const struct draft *x)
{
	const struct seen *s = x->p->seen;

	fputs("# A proposal from what was seen. Nothing of it is in force. Read it, correct it, "
	      "check\n"
	      "# it with 'bedwarden policy check', put it in the policy's place and say "
	      "'bedwarden\n"
	      "# policy apply'. New devices are in mode simulate: take that line away when their\n"
	      "# events show that nothing is missing.\n",
	      out);
	if (s->unanswered)
		fprintf(out, "# %llu conversations were left out because nobody answered.\n",
			(unsigned long long)s->unanswered);
	if (s->forgotten || x->hosts_left_out)
		fprintf(out,
			"# More was seen than fits in here: %llu machines or services were left "
			"out.\n",
			(unsigned long long)(s->forgotten + x->hosts_left_out));
	if (x->p->config)
		fputs("# Comments of the policy there is were not taken over.\n", out);
}

int propose_write(struct propose *p, FILE *out)
{
	struct draft x;
	int r = draft_make(p, &x);

	if (r == 0) {
		write_head(out, &x);
		copy_gateway(out, p->config_file);
		write_segments(out, &x);
		if (x.host_count)
			fputs("hosts:\n", out);
		for (size_t i = 0; i < x.host_count; i++)
			write_host(out, &x.hosts[i]);
		p->hosts = (unsigned)x.host_count;
		write_devices(out, &x);
	}
	draft_free(&x);
	return r;
}
