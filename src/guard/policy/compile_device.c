#include "guard/policy/compile_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"

static uint32_t roles_string(struct compiling *b, char *const *roles, unsigned count,
			     const char *fallback)
{
	char text[256] = "";
	size_t len = 0;

	if (!count)
		return compile_string(b, fallback);
	for (unsigned i = 0; i < count && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
					roles[i]);
	return compile_string(b, text);
}

static void add_service(struct compiling *b, uint32_t device, const struct config_service *s)
{
	struct policy_service row = {
		.device = device,
		.name = compile_string(b, s->name),
		.ask = roles_string(b, s->ask, s->ask_count, "clinical_engineer administrator"),
		.alone = roles_string(b, s->alone, s->alone_count, ""),
		.minutes = (uint16_t)s->minutes,
		.flags = (uint8_t)((s->record ? POLICY_SERVICE_RECORD : 0) |
				   (s->break_glass ? POLICY_SERVICE_BREAK_GLASS : 0) |
				   (s->certificate ? POLICY_SERVICE_CERTIFICATE : 0)),
	};
	unsigned count = s->port_count ? s->port_count : 1;

	if (!address_proto(s->proto, &row.proto))
		return;
	for (unsigned i = 0; i < count; i++) {
		const char *port = s->port_count ? s->port[i] : config_service_port(s->name);
		struct policy_service *to;

		if (!port || !address_ports(port, &row.port_lo, &row.port_hi))
			continue;
		to = compile_push(b, BLOCK_SERVICES);
		if (!to)
			return;
		*to = row;
	}
}

/* The device's own, then those of its profile that it has none of its own for. */
static void add_services(struct compiling *b, uint32_t device, const struct config_device *d,
			 const struct config_profile *p)
{
	for (unsigned i = 0; i < d->services_count; i++)
		add_service(b, device, &d->services[i]);
	for (unsigned i = 0; p && i < p->services_count; i++) {
		bool own = false;

		for (unsigned j = 0; j < d->services_count; j++)
			own |= strcmp(d->services[j].name, p->services[i].name) == 0;
		if (!own)
			add_service(b, device, &p->services[i]);
	}
}

struct compiling_profile {
	uint32_t name;
	struct compiling_words *words; /* of its starts, then its accepts */
};

static void add_device(struct compiling *b, unsigned i, const struct compiling_profile *profiles)
{
	const struct config_device *d = &b->c->devices[i];
	const struct config_profile *p = compile_profile_named(b->c, d->profile);
	const struct compiling_profile *names = p ? &profiles[p - b->c->profiles] : NULL;
	struct compiling_device v = {.d = d, .id = b->c->segments_count + i};
	const struct config_segment *s = compile_segment_named(b->c, d->segment, &v.segment);
	struct gate_device *row = compile_push(b, BLOCK_DEVICES);

	if (!row || !s)
		return;
	v.first = b->to[BLOCK_RULES].count;
	row->segment = v.segment;
	row->rule_first = v.first;
	row->mode = (uint8_t)(d->mode ? *d->mode : s->mode);
	row->fail = (uint8_t)(d->fail ? *d->fail : p ? p->fail : GATE_CLOSED);
	row->flags = d->ip_count ? 0 : GATE_DEVICE_ANY_IP;
	if (d->archive ? *d->archive : p && p->archive)
		row->flags |= GATE_DEVICE_ARCHIVE;
	(void)address_mac(d->mac, row->mac);
	compile_device_addresses(b, &v, row);
	compile_push_name(b, BLOCK_DEVICE_NAMES, compile_string(b, d->name));
	compile_push_name(b, BLOCK_DEVICE_PROFILES, names ? names->name : 0);
	compile_shields(b, &v);
	compile_rules(b, &v, d->starts, d->starts_count, false);
	compile_rules(b, &v, d->accepts, d->accepts_count, true);
	if (p)
		compile_profile_rules(b, &v, p, names->words);
	add_services(b, v.id, d, p);
	row = (struct gate_device *)b->to[BLOCK_DEVICES].data + v.id;
	row->rule_count = b->to[BLOCK_RULES].count - v.first;
}

/* One a segment, before all others; their rules come last, from those of the devices. */
static void add_strangers(struct compiling *b)
{
	for (unsigned i = 0; i < b->c->segments_count; i++) {
		struct gate_device *row = compile_push(b, BLOCK_DEVICES);

		if (!row)
			return;
		row->segment = i;
		row->mode = (uint8_t)b->c->segments[i].mode;
		row->fail = GATE_CLOSED;
		row->flags = GATE_DEVICE_STRANGER | GATE_DEVICE_ANY_IP;
		compile_push_name(b, BLOCK_SEGMENT_NAMES,
				  compile_string(b, b->c->segments[i].name));
		compile_push_name(b, BLOCK_DEVICE_NAMES, 0);
		compile_push_name(b, BLOCK_DEVICE_PROFILES, 0);
	}
}

void compile_devices(struct compiling *b)
{
	struct compiling_profile *profiles = calloc(b->c->profiles_count + 1, sizeof(*profiles));

	for (unsigned i = 0; profiles && i < b->c->profiles_count; i++) {
		const struct config_profile *p = &b->c->profiles[i];
		unsigned n = 0;

		profiles[i].name = compile_string(b, p->name);
		profiles[i].words =
			calloc(p->starts_count + p->accepts_count + 1, sizeof(*profiles[i].words));
		if (!profiles[i].words) {
			b->failed = -ENOMEM;
			break;
		}
		for (unsigned j = 0; j < p->starts_count; j++)
			profiles[i].words[n++] = compile_words_of(b, &p->starts[j]);
		for (unsigned j = 0; j < p->accepts_count; j++)
			profiles[i].words[n++] = compile_words_of(b, &p->accepts[j]);
	}
	if (!profiles)
		b->failed = -ENOMEM;
	add_strangers(b);
	for (unsigned i = 0; !b->failed && i < b->c->devices_count; i++)
		add_device(b, i, profiles);
	for (unsigned i = 0; !b->failed && i < b->c->segments_count; i++)
		compile_stranger_rules(b, i);
	for (unsigned i = 0; profiles && i < b->c->profiles_count; i++)
		free(profiles[i].words);
	free(profiles);
}
