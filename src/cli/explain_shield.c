#include "cli/explain_shield.h"

#include <string.h>

static const char *const directions[] = {"both", "accepts", "starts"};

static void print_list(FILE *out, const char *before, char *const *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fprintf(out, "%s%s", i ? ", " : before, list[i]);
}

static void print_what(FILE *out, const struct config_shield *s)
{
	if (*s->app && !s->deny_count && s->control)
		fprintf(out, "all that is said in %s", s->app);
	else if (*s->app)
		fprintf(out, "of what is said in %s:", s->app);
	else
		fputs("conversations", out);
	print_list(out, " ", s->deny, s->deny_count);
	if (!s->control)
		fprintf(out, "%s what changes a device", s->deny_count ? "," : "");
	if (s->direction != CONFIG_BOTH)
		fputs(s->direction == CONFIG_ACCEPTS ? ", begun by others"
						     : ", begun by the device",
		      out);
	if (strcmp(s->proto, "any") != 0)
		fprintf(out, ", %s", s->proto);
	print_list(out, " ", s->port, s->port_count);
	if (strcmp(s->peer, "any") != 0)
		fprintf(out, ", with %s", s->peer);
}

void explain_shields(FILE *out, const struct config *c)
{
	if (c->shields_count)
		fputs("\nvirtual patches, before all other lines:\n", out);
	for (unsigned i = 0; i < c->shields_count; i++) {
		const struct config_shield *s = &c->shields[i];

		fprintf(out, "  %s, %s: ", s->advisory,
			s->enforce ? "BLOCKED" : "rehearsed, nothing is blocked");
		print_what(out, s);
		print_list(out, "; at ", s->device, s->device_count);
		fputc('\n', out);
	}
}

static json_t *texts(char *const *list, unsigned count)
{
	json_t *out = json_array();

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(out, json_string(list[i]));
	return out;
}

json_t *explain_shields_json(const struct config *c)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < c->shields_count; i++) {
		const struct config_shield *s = &c->shields[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:o, s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:b}", "advisory",
				  s->advisory, "device", texts(s->device, s->device_count), "mode",
				  s->enforce ? "enforce" : "simulate", "direction",
				  directions[s->direction], "proto", s->proto, "port",
				  texts(s->port, s->port_count), "peer", s->peer, "app", s->app,
				  "deny", texts(s->deny, s->deny_count), "control",
				  (int)s->control));
	}
	return list;
}

json_t *explain_settings_json(const struct config *c)
{
	json_t *relays = json_array();

	for (unsigned i = 0; i < c->relays_count; i++)
		json_array_append_new(relays, json_pack("{s:s, s:b}", "name", c->relays[i].name,
							"tls12", (int)c->relays[i].tls12));
	return json_pack("{s:s, s:b, s:i, s:b, s:b, s:i, s:i, s:b, s:o}", "eve_file",
			 c->gateway.eve_file, "eve_open", (int)c->gateway.eve_open, "evidence_days",
			 c->gateway.evidence ? (int)c->gateway.evidence_days : 0, "console",
			 (int)c->console.on, "console_ward", (int)c->console.ward, "idle_minutes",
			 (int)c->people.idle_minutes, "overall_hours", (int)c->people.overall_hours,
			 "sms", (int)c->people.sms, "relays", relays);
}
