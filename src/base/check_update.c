#include "base/check_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/number.h"

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool is_http(const char *url)
{
	return begins(url, "http://") || begins(url, "https://");
}

/* The path of one of an entry's keys. */
static const char *under(const char *entry, const char *key, char ret_path[96])
{
	snprintf(ret_path, 96, "%s.%s", entry, key);
	return ret_path;
}

static void check_push(struct checking *k, const char *entry, const struct config_update *u)
{
	char path[96];

	if (!is_http(u->url) && !begins(u->url, "sftp://") && !begins(u->url, "tftp://"))
		check_wrong(
			k, *u->url ? under(entry, "url", path) : entry,
			*u->url ? "'%.80s' is no address to push to; expected http://…, https://…, "
				  "sftp://… or tftp://…"
				: "driver push needs url%.1s: where the file goes",
			u->url);
	if (*u->then && !is_http(u->then))
		check_wrong(k, under(entry, "then", path),
			    "'%.80s' cannot be asked for; expected http://… or https://…", u->then);
	if (*u->host_key && !begins(u->host_key, "SHA256:"))
		check_wrong(k, under(entry, "host_key", path),
			    "'%.80s'; expected SHA256:… as 'ssh-keygen -l' shows it", u->host_key);
	if (begins(u->url, "sftp://") && !*u->host_key)
		check_wrong(k, entry,
			    "by sftp host_key is needed: without it anybody could be there");
	if (*u->ca && !begins(u->ca, "/etc/"))
		check_wrong(k, under(entry, "ca", path),
			    "'%.80s'; expected a file below /etc: who pushes reads no other",
			    u->ca);
	if (*u->password_file && (*u->password_file != '/' || !*u->user))
		check_wrong(k, under(entry, "password_file", path),
			    "expected an absolute path, and user beside it");
}

/* Each of these is for pushing alone. */
static void check_no_push(struct checking *k, const char *entry, const struct config_update *u)
{
	const struct {
		const char *key, *value;
	} keys[] = {
		{"url", u->url},   {"then", u->then},
		{"user", u->user}, {"password_file", u->password_file},
		{"ca", u->ca},	   {"host_key", u->host_key},
	};
	char path[96];

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (*keys[i].value)
			check_wrong(k, under(entry, keys[i].key, path),
				    "'%s' is for driver: push alone", keys[i].key);
}

void check_device_update(struct checking *k, unsigned i)
{
	const struct config_device *d = &k->c->devices[i];
	char entry[64];

	if (!d->update)
		return;
	snprintf(entry, sizeof(entry), "devices[%u].update", i);
	if (!*d->vendor || !*d->model)
		check_wrong(k, entry,
			    "firmware is found by vendor and model, which '%.63s' does not have "
			    "both of",
			    d->name);
	if (d->update->driver == CONFIG_AGENT && !*k->c->updates.agents)
		check_wrong(
			k, entry,
			"driver agent needs a place to call: updates: {agents: \"10.1.1.2:8086\"}");
	if (d->update->driver == CONFIG_PUSH)
		check_push(k, entry, d->update);
	else
		check_no_push(k, entry, d->update);
}

void check_rollouts(struct checking *k)
{
	const struct config_updates *u = &k->c->updates;
	char ip[ADDRESS_IP_LEN];
	unsigned from, to;
	uint16_t port;

	if (*u->rollout.window && !number_window(u->rollout.window, &from, &to))
		check_wrong(k, "updates.rollout.window",
			    "'%.60s' is no span of time; expected 01:00-05:00", u->rollout.window);
	if (*u->agents && !address_endpoint(u->agents, ip, &port))
		check_wrong(k, "updates.agents",
			    "'%.60s' is no place to listen at; expected an address and a port as "
			    "10.1.1.2:8086",
			    u->agents);
	if (*u->agents && strcmp(u->agents, k->c->pki.est) == 0)
		check_wrong(k, "updates.agents",
			    "'%.60s' is where machines enrol (pki.est); expected another port",
			    u->agents);
}
