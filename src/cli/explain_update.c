#include "cli/explain_update.h"

#include <string.h>

#include "role/firmware.h"

static const char *const drivers[] = {
	[CONFIG_PERSON] = "person", [CONFIG_AGENT] = "agent", [CONFIG_PUSH] = "push"};

static void print_push(FILE *out, const struct config_update *u)
{
	bool http = strncmp(u->url, "http", 4) == 0;

	fprintf(out, "  firmware is sent to it%s, %s%s%s%s\n",
		http ? (u->post ? " by POST" : " by PUT") : "", u->url, *u->user ? " as " : "",
		u->user,
		strncmp(u->url, "http://", 7) == 0 || strncmp(u->url, "tftp://", 7) == 0
			? ", in the clear"
			: "");
	if (*u->then)
		fprintf(out, "      afterwards %s is asked for\n", u->then);
	fprintf(out, "      the gateway verifies it; the last hop, to the device, is on trust\n");
}

void explain_update(FILE *out, const struct config *c, const struct config_device *d)
{
	const struct config_update *u = d->update;

	if (!u)
		return;
	if (u->driver == CONFIG_PUSH)
		print_push(out, u);
	else if (u->driver == CONFIG_AGENT)
		fprintf(out,
			"  firmware is fetched by an agent on it, which calls at %s with a "
			"certificate for '%s'\n",
			c->updates.agents, d->name);
	else
		fprintf(out, "  firmware is installed by a person, who says so: bedwarden update "
			     "done\n");
	fprintf(out,
		"      found by: vendor %s, model %s%s%s; never while vital signs show it on a "
		"patient\n",
		d->vendor, d->model, *d->version ? "; it has version " : "", d->version);
}

static void print_span(FILE *out, uint32_t seconds)
{
	if (seconds % 3600 == 0 && seconds)
		fprintf(out, "%u h", seconds / 3600);
	else if (seconds % 60 == 0 && seconds)
		fprintf(out, "%u min", seconds / 60);
	else
		fprintf(out, "%u s", seconds);
}

void explain_rollouts(FILE *out, const struct config *c)
{
	const struct config_rollout *r = &c->updates.rollout;

	if (!firmware_wanted(c))
		return;
	fprintf(out,
		"\nfirmware for devices: %s; one device first, then %u, then the rest, at most "
		"%u at a time\n  ",
		c->updates.firmware_waits ? "a person approves each rollout"
					  : "each rollout begins by itself",
		r->few, r->parallel);
	print_span(out, r->pause_minutes * 60);
	fprintf(out, " between these; %u%% of them must come out well, or it stops; %s%s\n  ",
		r->success, *r->window ? "only at " : "at any hour", r->window);
	fprintf(out, "a device counts as on a patient until it has shown no vital signs for ");
	print_span(out, r->patient_seconds);
	fprintf(out, ";\n  it has ");
	print_span(out, r->install_seconds);
	fprintf(out, " to be heard of again and is watched for ");
	print_span(out, r->watch_seconds);
	fprintf(out, "; one that is not well is taken back\n");
}

json_t *explain_update_json(const struct config_device *d)
{
	const struct config_update *u = d->update;

	if (!u)
		return NULL;
	if (u->driver != CONFIG_PUSH)
		return json_pack("{s:s}", "driver", drivers[u->driver]);
	return json_pack("{s:s, s:s, s:s, s:s, s:b}", "driver", drivers[u->driver], "url", u->url,
			 "method", u->post ? "post" : "put", "then", u->then, "on_trust", 1);
}
