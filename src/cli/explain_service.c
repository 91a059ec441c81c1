#include "cli/explain_service.h"

#include <string.h>

static void ports(const struct policy_service *s, char ret_text[24])
{
	if (s->port_lo == s->port_hi)
		snprintf(ret_text, 24, "%s/%u", s->proto == 6 ? "tcp" : "udp", s->port_lo);
	else
		snprintf(ret_text, 24, "%s/%u-%u", s->proto == 6 ? "tcp" : "udp", s->port_lo,
			 s->port_hi);
}

/* "clinical_engineer vendor" for people. */
static void roles(const char *words, char *ret_text, size_t size)
{
	size_t n = 0;

	for (; *words && n + 3 < size; words++) {
		if (*words == ' ') {
			ret_text[n++] = ',';
			ret_text[n++] = ' ';
		} else {
			ret_text[n++] = *words == '_' ? ' ' : *words;
		}
	}
	ret_text[n] = 0;
}

void explain_services(FILE *out, const struct policy *p, uint32_t device)
{
	uint32_t count;
	const struct policy_service *s = policy_services(p, &count);
	char where[24], ask[160], alone[160];

	for (uint32_t i = 0; i < count; i++) {
		if (s[i].device != device)
			continue;
		ports(&s[i], where);
		roles(policy_service_ask(p, &s[i]), ask, sizeof(ask));
		roles(policy_service_alone(p, &s[i]), alone, sizeof(alone));
		fprintf(out,
			"  for one person at a time: %s (%s), at most %u minutes, if asked for by: "
			"%s\n",
			policy_service_name(p, &s[i]), where, s[i].minutes, ask);
		fprintf(out, "      %s%s; %s%s%s\n",
			*alone ? "nobody's leave is needed by: "
			       : "a second person has to allow it",
			alone,
			s[i].flags & POLICY_SERVICE_BREAK_GLASS ? "opens at once in an emergency"
								: "no emergency opens it",
			s[i].flags & POLICY_SERVICE_RECORD ? "; every packet is kept" : "",
			s[i].flags & POLICY_SERVICE_CERTIFICATE
				? "; only from a workstation with a certificate"
				: "");
	}
}

json_t *explain_services_json(const struct policy *p, uint32_t device)
{
	uint32_t count;
	const struct policy_service *s = policy_services(p, &count);
	json_t *list = json_array();
	char where[24];

	for (uint32_t i = 0; i < count; i++) {
		if (s[i].device != device)
			continue;
		ports(&s[i], where);
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:s, s:i, s:b, s:b, s:b}", "service",
				  policy_service_name(p, &s[i]), "port", where, "ask",
				  policy_service_ask(p, &s[i]), "alone",
				  policy_service_alone(p, &s[i]), "minutes", (int)s[i].minutes,
				  "record", (s[i].flags & POLICY_SERVICE_RECORD) != 0,
				  "break_glass", (s[i].flags & POLICY_SERVICE_BREAK_GLASS) != 0,
				  "certificate", (s[i].flags & POLICY_SERVICE_CERTIFICATE) != 0));
	}
	return list;
}

const char *explain_service_open(const struct policy *p, const struct policy_service *s)
{
	uint32_t device_count, rule_count;
	const struct gate_device *d = policy_devices(p, &device_count);
	const struct gate_rule *r = policy_rules(p, &rule_count);

	d += s->device;
	for (uint32_t i = d->rule_first; i < d->rule_first + d->rule_count; i++)
		if (r[i].towards && r[i].action != GATE_DROP &&
		    (!r[i].proto || r[i].proto == s->proto) && r[i].port_lo <= s->port_hi &&
		    r[i].port_hi >= s->port_lo)
			return policy_rule_service(p, i);
	return NULL;
}
