#include "base/check_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"

const char *config_service_port(const char *name)
{
	static const char *const known[][2] = {
		{"ftp", "21"},	  {"ssh", "22"},   {"telnet", "23"}, {"web", "80"},
		{"https", "443"}, {"rdp", "3389"}, {"vnc", "5900"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i][0], name) == 0)
			return known[i][1];
	return NULL;
}

/* The roles of people/role.h; a test holds the two lists together. */
void check_roles(struct checking *k, const char *path, const char *key, char *const *roles,
		 unsigned count)
{
	static const char *const names[] = {
		"viewer", "clinical_engineer", "administrator", "auditor", "vendor", NULL};
	char at[160];

	for (unsigned i = 0; i < count; i++) {
		snprintf(at, sizeof(at), "%s.%s[%u]", path, key, i);
		check_word(k, at, key, roles[i], names,
			   "viewer, clinical_engineer, administrator, auditor or vendor");
	}
}

static void check_service_ports(struct checking *k, const char *path,
				const struct config_service *s)
{
	uint16_t lo, hi;
	char at[160];

	if (!s->port_count && !config_service_port(s->name)) {
		snprintf(at, sizeof(at), "%s.name", path);
		check_wrong(k, at,
			    "'%.31s' is no service whose port is known; expected port, or one of "
			    "telnet, "
			    "ssh, ftp, web, https, vnc and rdp",
			    s->name);
	}
	for (unsigned i = 0; i < s->port_count; i++) {
		snprintf(at, sizeof(at), "%s.port[%u]", path, i);
		if (!address_ports(s->port[i], &lo, &hi) || lo == 0)
			check_wrong(k, at,
				    "'%.40s' is no port; expected a number from 1 to 65535 or a "
				    "range as "
				    "5000-5010",
				    s->port[i]);
	}
}

void check_services(struct checking *k, const char *path, const struct config_service *list,
		    unsigned count)
{
	static const char *const protos[] = {"tcp", "udp", NULL};
	char at[128], in[160];

	for (unsigned i = 0; i < count; i++) {
		const struct config_service *s = &list[i];

		snprintf(at, sizeof(at), "%s[%u]", path, i);
		for (unsigned j = 0; j < i; j++)
			if (strcmp(list[j].name, s->name) == 0) {
				snprintf(in, sizeof(in), "%s.name", at);
				check_wrong(k, in,
					    "a second service is called '%.31s'; expected a name "
					    "of its "
					    "own",
					    s->name);
			}
		snprintf(in, sizeof(in), "%s.name", at);
		if (!check_profile_name(s->name))
			check_wrong(k, in,
				    "'%.31s' is no name that can be asked for; expected lower-case "
				    "letters, digits and dashes",
				    s->name);
		snprintf(in, sizeof(in), "%s.proto", at);
		check_word(k, in, "proto", s->proto, protos, "tcp or udp");
		check_service_ports(k, at, s);
		check_roles(k, at, "ask", s->ask, s->ask_count);
		check_roles(k, at, "alone", s->alone, s->alone_count);
	}
}
