#include "base/check_internal.h"

#include <stdio.h>
#include <string.h>

static const char *interface_user(const struct config *c, unsigned upto, bool hospital,
				  const char *name)
{
	for (unsigned i = 0; i < upto; i++)
		if (strcmp(c->segments[i].ward, name) == 0 ||
		    strcmp(c->segments[i].hospital, name) == 0)
			return c->segments[i].name;
	if (hospital && strcmp(c->segments[upto].ward, name) == 0)
		return c->segments[upto].name;
	return NULL;
}

void check_segment(struct checking *k, unsigned i)
{
	const struct config_segment *s = &k->c->segments[i];
	const char *user;
	char at[64];

	for (unsigned j = 0; j < i; j++)
		if (strcmp(k->c->segments[j].name, s->name) == 0) {
			snprintf(at, sizeof(at), "segments[%u].name", i);
			check_wrong(k, at,
				    "a second segment is called '%s'; expected a name of its own",
				    s->name);
			break;
		}
	for (int side = 0; side < 2; side++) {
		const char *name = side ? s->hospital : s->ward;

		user = interface_user(k->c, i, side, name);
		snprintf(at, sizeof(at), "segments[%u].%s", i, side ? "hospital" : "ward");
		if (user)
			check_wrong(
				k, at,
				"interface '%s' is in use by segment '%s' already; expected one "
				"of its own",
				name, user);
		else if (strchr(name, '/') || strpbrk(name, " \t\n"))
			check_wrong(k, at, "'%s' is no interface name; expected one as eth0", name);
	}
	for (unsigned j = 0; j < s->net_count; j++) {
		snprintf(at, sizeof(at), "segments[%u].net[%u]", i, j);
		check_prefix(k, at, s->net[j], false);
	}
}

void check_host(struct checking *k, unsigned i)
{
	const struct config_host *h = &k->c->hosts[i];
	char at[64];

	for (unsigned j = 0; j < h->ip_count; j++) {
		snprintf(at, sizeof(at), "hosts[%u].ip[%u]", i, j);
		check_prefix(k, at, h->ip[j], false);
	}
	if (h->mac) {
		snprintf(at, sizeof(at), "hosts[%u].mac", i);
		check_mac(k, at, h->mac);
	}
	for (unsigned j = 0; j < h->role_count; j++) {
		snprintf(at, sizeof(at), "hosts[%u].role[%u]", i, j);
		check_role_add(k, at, h->role[j]);
	}
}

static void check_device_names(struct checking *k, unsigned i)
{
	const struct config_device *d = &k->c->devices[i];
	char at[64], text[160];

	if (!check_name_find(k->segments, k->c->segments_count, d->segment)) {
		snprintf(at, sizeof(at), "devices[%u].segment", i);
		check_name_hint(k->segments, k->c->segments_count, d->segment, "one from segments",
				text, sizeof(text));
		check_wrong(k, at, "there is no segment '%.60s'%s", d->segment, text);
	}
	for (unsigned j = 0; j < d->peer_count; j++) {
		const struct check_name *n = check_name_find(k->names, k->names_count, d->peer[j]);

		snprintf(at, sizeof(at), "devices[%u].peer[%u]", i, j);
		if (n && n->device) {
			check_wrong(k, at,
				    "'%.60s' is a device; expected a host. A device is reached by "
				    "a line "
				    "under starts",
				    d->peer[j]);
		} else if (!n) {
			check_name_hint(k->names, k->names_count, d->peer[j], "the name of a host",
					text, sizeof(text));
			check_wrong(k, at, "there is no host '%.60s'%s", d->peer[j], text);
		}
	}
	if (*d->profile && !check_profile_name(d->profile)) {
		snprintf(at, sizeof(at), "devices[%u].profile", i);
		check_wrong(k, at,
			    "'%.63s' is no profile's name; expected lower-case letters, digits and "
			    "dashes",
			    d->profile);
	}
}

void check_device(struct checking *k, unsigned i)
{
	const struct config_device *d = &k->c->devices[i];
	char at[64];

	check_device_names(k, i);
	snprintf(at, sizeof(at), "devices[%u].mac", i);
	check_mac(k, at, d->mac);
	for (unsigned j = 0; j < d->ip_count; j++) {
		snprintf(at, sizeof(at), "devices[%u].ip[%u]", i, j);
		check_prefix(k, at, d->ip[j], true);
	}
	snprintf(at, sizeof(at), "devices[%u].starts", i);
	check_rules(k, at, d->starts, d->starts_count);
	snprintf(at, sizeof(at), "devices[%u].accepts", i);
	check_rules(k, at, d->accepts, d->accepts_count);
	snprintf(at, sizeof(at), "devices[%u].services", i);
	check_services(k, at, d->services, d->services_count);
	check_device_update(k, i);
}
