#include "cli/explain_internal.h"

#include <stdlib.h>
#include <string.h>

#include "cli/explain_service.h"
#include "cli/explain_shield.h"
#include "cli/explain_update.h"

const char *const explain_modes[] = {"observe", "simulate", "enforce"};
static const char *const fail_names[] = {"open", "closed"};

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

const struct config_profile *explain_profile(const struct config *c, const struct config_device *d)
{
	for (unsigned i = 0; i < c->profiles_count; i++)
		if (strcmp(c->profiles[i].name, d->profile) == 0)
			return &c->profiles[i];
	return NULL;
}

static void print_direction(FILE *out, const struct explaining *x, const struct gate_device *d,
			    bool towards)
{
	struct line l;
	bool any = false;

	for (uint32_t i = d->rule_first; i < d->rule_first + d->rule_count; i = l.next) {
		explain_line(x, d, i, &l);
		if (l.rule.towards != towards)
			continue;
		if (!any)
			fputs(towards ? "  others may start:\n" : "  it may start:\n", out);
		any = true;
		explain_line_text(out, &l);
	}
	if (!any)
		fputs(towards ? "  others may start nothing towards it\n"
			      : "  it may start nothing\n",
		      out);
}

static void print_device(FILE *out, const struct explaining *x, unsigned i)
{
	const struct config_device *d = &x->c->devices[i];
	const struct gate_device *g = &x->devices[x->c->segments_count + i];
	const struct config_profile *p = explain_profile(x->c, d);
	struct pieces ips = {.len = 0};

	for (unsigned j = 0; j < d->ip_count; j++)
		piece_add(&ips, ", ", "%s", d->ip[j]);
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
			s->hospital, explain_modes[s->mode]);
		fprintf(out, "  unknown machines are %s; false addresses are %s; %s\n",
			s->block_strangers ? "blocked" : "let through and inspected",
			s->block_binding ? "blocked" : "only reported",
			s->isolated ? "devices reach each other through the gateway only"
				    : "devices on one switch reach each other unseen");
	}
}

static void print_warning(void *arg, const char *text)
{
	fprintf(arg, "warning: %s\n", text);
}

void explain_text(FILE *out, const struct config *c, const struct policy *p)
{
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
	explain_warnings(&x, print_warning, out);
	fprintf(out, "good: %u segments, %u hosts, %u devices, %u rules\n", c->segments_count,
		c->hosts_count, c->devices_count, x.rule_count);
	free(x.roles);
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
		explain_line(x, g, r, &l);
		json_array_append_new(rules, explain_line_json(&l));
	}
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o}", "name", d->name,
		      "segment", d->segment, "mac", d->mac, "profile", d->profile, "mode",
		      explain_modes[g->mode], "fail", fail_names[g->fail], "archive",
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
			 "hospital", s->hospital, "mode", explain_modes[s->mode], "unknown_devices",
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
	struct explaining x;

	if (!begin(&x, c, p))
		return NULL;
	for (unsigned i = 0; i < c->segments_count; i++)
		json_array_append_new(segments, segment_json(&c->segments[i]));
	for (unsigned i = 0; i < c->devices_count; i++)
		json_array_append_new(devices, device_json(&x, i));
	explain_warnings(&x, add_warning, warnings);
	free(x.roles);
	return json_pack("{s:b, s:i, s:i, s:o, s:o, s:o, s:o, s:o}", "ok", 1, "hosts",
			 (int)c->hosts_count, "rules", (int)x.rule_count, "segments", segments,
			 "devices", devices, "warnings", warnings, "shields",
			 explain_shields_json(c), "settings", explain_settings_json(c));
}
