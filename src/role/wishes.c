#include "role/wishes.h"

#include <stdio.h>
#include <stdlib.h>

#include "people/role.h"
#include "role/keeper.h"
#include "role/staff_internal.h"
#include "role/trail_send.h"

static unsigned set_of(char *const *roles, unsigned count)
{
	enum people_role role;
	unsigned set = 0;

	for (unsigned i = 0; i < count; i++)
		if (people_role_from_name(roles[i], &role))
			set |= PEOPLE_ONLY(role);
	return set;
}

size_t wishes_write(const struct config *c, char ret_text[WISHES_MAX])
{
	const struct config_people *p = &c->people;
	unsigned aal3 = set_of(p->aal3, p->aal3_count);
	char place[128] = "";
	json_t *o;
	size_t len;

	if (*c->audit.server)
		snprintf(place, sizeof(place), "%s_%u", c->audit.server, c->audit.port);
	o = json_pack("{s:b, s:s, s:s, s:i, s:i, s:i, s:b, s:s, s:s, s:i}", "sms", p->sms,
		      "sms_url", p->sms_url, "sms_from", p->sms_from, "aal3", (int)aal3,
		      "idle_minutes", (int)p->idle_minutes, "overall_hours", (int)p->overall_hours,
		      "one_factor_anywhere", p->one_factor_anywhere, "export", place, "attestation",
		      p->attestation, "certificate",
		      (int)set_of(p->certificate, p->certificate_count));
	len = o ? json_dumpb(o, ret_text, WISHES_MAX, JSON_COMPACT) : 0;
	json_decref(o);
	return len <= WISHES_MAX ? len : 0;
}

bool wishes_take(struct keeper *k, struct bytes text)
{
	json_t *o = json_loadb((const char *)text.data, text.len, 0, NULL);
	struct staff_options *s = &k->staff->o;
	const char *url, *from, *export, *attestation;
	int sms, aal3, idle, hours, anywhere, certificate;

	if (!o ||
	    json_unpack(o, "{s:b, s:s, s:s, s:i, s:i, s:i, s:b, s:s, s:s, s:i}", "sms", &sms,
			"sms_url", &url, "sms_from", &from, "aal3", &aal3, "idle_minutes", &idle,
			"overall_hours", &hours, "one_factor_anywhere", &anywhere, "export",
			&export, "attestation", &attestation, "certificate", &certificate) < 0) {
		json_decref(o);
		return false;
	}
	s->sms = sms;
	s->sms_url = url;
	s->sms_from = from;
	s->aal3 = (unsigned)aal3;
	s->wish.idle_minutes = (uint32_t)idle;
	s->wish.overall_hours = (uint32_t)hours;
	s->certificate = (unsigned)certificate;
	s->attestation = attestation;
	staff_take_roots(k->staff, (struct bytes){0}); /* which come behind this, if at all */
	k->one_factor_anywhere = anywhere;
	trail_send_to(k, export);
	json_decref(k->wishes); /* whose texts were lent out until here */
	k->wishes = o;
	return true;
}
