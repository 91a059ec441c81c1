#include "demo/pair.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "demo/actor.h"
#include "demo/cast.h"
#include "demo/folder.h"

#define ASK_MS	     3000
#define AUTHORITY_MS 10000
#define LINK_MS	     20000

/* Its policy; nobody is trusted yet, by a file that is empty. */
static int prepare(struct gateway *g, enum ward_place place, const char *dir, const char *capture)
{
	int err = gateway_prepare(g, dir);

	if (!err)
		err = folder_write(folder_path(dir, CAST_CA), (struct bytes){NULL, 0});
	return err ? err : cast_policy(place, false, dir, g->config, capture);
}

/* The authority of one becomes what the other trusts. It is made while the gateway begins. */
static int introduce(const struct gateway *g, const struct gateway *to)
{
	char own[FOLDER_MAX + 32], log[FOLDER_MAX + 32];
	const char *argv[] = {"/proc/self/exe", "pki", "show", "-c", g->config, "-o", own, NULL};
	struct actor_tool t = {.argv = argv, .output = log};
	uint64_t end = clock_mono_ns() + AUTHORITY_MS * NSEC_PER_MSEC;
	struct bytes shown = {NULL, 0};
	char *pem;
	int err;

	snprintf(own, sizeof(own), "%s/authority.pem", g->dir);
	snprintf(log, sizeof(log), "%s/pki.log", g->dir);
	while (actor_run(-1, &t, ASK_MS)) {
		if (clock_mono_ns() >= end)
			return -ETIMEDOUT;
		actor_sleep(50);
	}
	shown = folder_read(own);
	pem = shown.data ? strstr((char *)shown.data, "-----BEGIN") : NULL;
	err = !pem ? -ENOENT
		   : folder_write(folder_path(to->dir, CAST_CA),
				  (struct bytes){(uint8_t *)pem, strlen(pem)});
	free((void *)shown.data);
	return err;
}

/* What is trusted is read with the policy. */
static int reread(const struct gateway *g)
{
	const char *argv[] = {"/proc/self/exe", "policy", "apply", "-c", g->config, NULL};
	char log[FOLDER_MAX + 32];
	struct actor_tool t = {.argv = argv, .output = log};

	snprintf(log, sizeof(log), "%s/policy.log", g->dir);
	return actor_run(-1, &t, ASK_MS) ? -EIO : 0;
}

/* All of a list in its status say yes to that. */
static bool all(const json_t *status, const char *list, const char *key)
{
	const json_t *l = json_object_get(status, list), *one;
	bool yes = json_array_size(l) > 0;
	size_t i;

	json_array_foreach (l, i, one)
		yes &= json_is_true(json_object_get(one, key));
	return yes;
}

static bool linked(const struct gateway *g)
{
	json_t *s = gateway_status(g);
	bool yes = all(s, "peers", "up") && all(s, "relays", "ready");

	json_decref(s);
	return yes;
}

static int await_link(const struct pair *p, char *ret_why)
{
	uint64_t end = clock_mono_ns() + LINK_MS * NSEC_PER_MSEC;

	while (!linked(&p->ward) || !linked(&p->far)) {
		if (clock_mono_ns() >= end) {
			snprintf(ret_why, 256,
				 "the link between the gateways was not up after %d s",
				 LINK_MS / 1000);
			return -ETIMEDOUT;
		}
		actor_sleep(50);
	}
	return 0;
}

static int acquaint(struct pair *p, char *ret_why)
{
	int err;

	snprintf(ret_why, 256, "a gateway did not show its authority, or not take the other's");
	err = introduce(&p->ward, &p->far);
	if (!err)
		err = introduce(&p->far, &p->ward);
	if (!err)
		err = reread(&p->ward);
	if (!err)
		err = reread(&p->far);
	return err ? err : await_link(p, ret_why);
}

int pair_start(struct pair *p, const struct ward *w, const char *dir, const char *capture,
	       char *ret_why)
{
	char far[FOLDER_MAX + 16];
	int err;

	memset(p, 0, sizeof(*p));
	snprintf(far, sizeof(far), "%s/servers", dir);
	snprintf(ret_why, 256, "no room for the gateways' files in %.150s", dir);
	err = prepare(&p->ward, WARD_GATEWAY, dir, capture);
	if (!err)
		err = folder_make(far);
	if (!err)
		err = prepare(&p->far, WARD_FAR, far, capture);
	snprintf(p->place, sizeof(p->place), "%.180s/" CAST_PLACE, dir);
	p->ward.place = p->place;
	if (!err)
		err = gateway_start(&p->ward, w, WARD_GATEWAY);
	if (!err)
		err = gateway_start(&p->far, w, WARD_FAR);
	if (!err)
		err = gateway_await(&p->ward, ret_why);
	if (!err)
		err = gateway_await(&p->far, ret_why);
	return err ? err : acquaint(p, ret_why);
}

void pair_stop(struct pair *p)
{
	gateway_stop(&p->ward);
	gateway_stop(&p->far);
}
