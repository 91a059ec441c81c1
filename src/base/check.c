#include "base/check_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/conform.h"

void check_wrong(struct checking *k, const char *path, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	errors_at(k->e, k->o, path, "%s", text);
}

void check_word(struct checking *k, const char *path, const char *key, const char *value,
		const char *const *words, const char *expected)
{
	struct nearest near = {.text = value};

	for (size_t i = 0; words[i]; i++) {
		if (strcmp(words[i], value) == 0)
			return;
		nearest_offer(&near, words[i]);
	}
	if (near.best)
		check_wrong(k, path, "'%s' is '%.15s'; did you mean '%s'?", key, value, near.best);
	else
		check_wrong(k, path, "'%s' is '%.15s'; expected %s", key, value, expected);
}

bool check_profile_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return len > 0 && len <= 63 && !name[len];
}

void check_policy(const struct config *c, const struct outline *o, struct errors *e)
{
	struct checking k = {.c = c, .o = o, .e = e};

	if (!check_names_gather(&k)) {
		check_wrong(&k, "", "out of memory");
		goto out;
	}
	check_gateway(&k);
	check_console(&k);
	check_people(&k);
	check_audit(&k);
	check_backup(&k);
	check_updates(&k);
	check_pki(&k);
	for (unsigned i = 0; i < c->segments_count; i++)
		check_segment(&k, i);
	check_names(&k);
	for (unsigned i = 0; i < c->hosts_count; i++)
		check_host(&k, i);
	for (unsigned i = 0; i < c->devices_count; i++)
		check_device(&k, i);
	for (unsigned i = 0; i < c->relays_count; i++)
		check_relay(&k, i);
	check_link(&k);
	for (unsigned i = 0; i < c->shields_count; i++)
		check_shield(&k, i);
	check_addresses(&k);
out:
	free(k.names);
	free(k.segments);
}

static const char *const kinds[] = {"monitor",	   "pump",   "imaging", "analyser",
				    "ecg",	   "sensor", "camera",	"printer",
				    "workstation", "other",  NULL};

static void check_identify(struct checking *k, const struct config_identify *id)
{
	char at[64], proto[8];
	uint16_t lo, hi;
	uint8_t number;

	for (unsigned i = 0; i < id->service_count; i++) {
		const char *slash = strchr(id->service[i], '/');
		size_t len = slash ? (size_t)(slash - id->service[i]) : sizeof(proto);

		if (len < sizeof(proto)) {
			memcpy(proto, id->service[i], len);
			proto[len] = 0;
			if (address_proto(proto, &number) && address_ports(slash + 1, &lo, &hi))
				continue;
		}
		snprintf(at, sizeof(at), "identify.service[%u]", i);
		check_wrong(k, at, "'%.40s' is no service; expected one as udp/24105",
			    id->service[i]);
	}
}

void check_profile(const struct config_profile *p, const struct outline *o, struct errors *e)
{
	struct checking k = {.o = o, .e = e};
	struct nearest near = {.text = p->kind};
	bool known = false;

	for (unsigned i = 0; kinds[i]; i++) {
		known |= strcmp(kinds[i], p->kind) == 0;
		nearest_offer(&near, kinds[i]);
	}
	if (!known)
		check_wrong(&k, "kind",
			    "'kind' is '%.31s'; %s%s%sexpected monitor, pump, imaging, analyser, "
			    "ecg, sensor, camera, printer, workstation or other",
			    p->kind, near.best ? "did you mean '" : "", near.best ? near.best : "",
			    near.best ? "'? " : "");
	check_rules(&k, "starts", p->starts, p->starts_count);
	check_rules(&k, "accepts", p->accepts, p->accepts_count);
	check_services(&k, "services", p->services, p->services_count);
	if (p->identify)
		check_identify(&k, p->identify);
}
