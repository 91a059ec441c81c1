/* The parent's side of the installer: one run at a time, and what came of it taken into force. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "role/gateway.h"
#include "role/installer.h"
#include "update/place/content.h"
#include "update/place/place.h"

#define LOOK "{\"targets\":[]}"

static bool want(struct gateway *g, uint32_t id, struct bytes order)
{
	struct install *i = &g->install;
	char *copy;

	if (i->wanted)
		return false;
	copy = malloc(order.len + 1);
	if (!copy)
		return false;
	memcpy(copy, order.data, order.len);
	free(i->order);
	*i = (struct install){.wanted = true, .id = id, .order = copy, .len = order.len};
	return true;
}

void install_look(struct gateway *g)
{
	if (!want(g, 0, (struct bytes){(const uint8_t *)LOOK, strlen(LOOK)}))
		g->install.again = true;
}

/* `more`: what is in place by now follows. */
static void tell(struct gateway *g, struct bytes place, const char *error, bool more)
{
	static char buf[IPC_BODY_MAX];
	struct json j = json_new(buf, sizeof(buf));

	json_open(&j, NULL);
	if (place.len)
		json_raw(&j, "place", place);
	if (*error)
		json_str(&j, "error", error);
	json_bool(&j, "more", more);
	json_close(&j);
	if (!j.out.bad)
		member_send(member_keeper(g), IPC_INSTALL, g->install.id,
			    (struct bytes){(const uint8_t *)buf, j.out.len}, -1);
}

bool install_take(struct gateway *g, struct member *keeper, const struct ipc_message *m)
{
	static const char busy[] = "{\"busy\":true}";

	if (m->body.len == 0)
		install_look(g);
	else if (!want(g, m->id, m->body))
		member_send(keeper, IPC_INSTALL, m->id,
			    (struct bytes){(const uint8_t *)busy, strlen(busy)}, -1);
	return true;
}

void install_greet(struct gateway *g, struct member *installer)
{
	member_send(installer, IPC_INSTALL, 0,
		    (struct bytes){(const uint8_t *)g->install.order, g->install.len}, -1);
}

/* Does the policy file hold with the set that is next? */
static bool holds(struct gateway *g, char ret_error[SITE_ERROR])
{
	struct ports fresh = g->ports;
	struct site next;
	int err;

	config_content("next");
	err = site_load(g->config_file, g->generation + 1, &fresh, &next, ret_error);
	config_content("current");
	if (err == 0)
		site_free(&next);
	return err == 0;
}

/*
 * Tried before it is adopted: a gateway that is ended in between comes up with a set that holds. What
 * the kernel refuses all the same is taken back.
 */
static void take_into_force(struct gateway *g, const struct installer_head *head,
			    char ret_error[SITE_ERROR])
{
	char again[SITE_ERROR], text[SITE_ERROR + 96];
	int place = place_open(g->site.config->updates.dir), err = place < 0 ? place : 0;
	bool fine = false;

	*ret_error = 0;
	if (err == 0 && holds(g, ret_error)) {
		err = content_adopt(place, head->now);
		fine = err == 0 && reload_apply(g, ret_error) == 0;
		if (err == 0 && !fine && content_back(place, head->before) == 0)
			reload_apply(g, again);
	}
	if (err < 0)
		snprintf(ret_error, SITE_ERROR, "%s: %s", g->site.config->updates.dir,
			 strerror(-err));
	if (place >= 0)
		close(place);
	if (fine)
		return;
	snprintf(text, sizeof(text), "set %u of profiles and rules is not used: %s", head->now,
		 ret_error);
	log_error("%s", text);
	facts_say(&g->facts, &(struct fact){.reason = REASON_UPDATE_REFUSED, .text = text});
}

bool install_done(struct gateway *g, struct member *installer, const struct ipc_message *m)
{
	struct installer_head head;
	struct bytes json;
	char error[SITE_ERROR] = "";
	bool again = g->install.again;

	if (m->body.len <= sizeof(head) || !g->install.wanted)
		return false;
	memcpy(&head, m->body.data, sizeof(head));
	json = (struct bytes){m->body.data + sizeof(head), m->body.len - sizeof(head)};
	g->install.wanted = g->install.again = false;
	installer->child.stopping = true; /* it ends, and that is no news */
	installer->child.heard_ns = clock_mono_ns();
	if (head.now != head.before) {
		take_into_force(g, &head, error);
		again = true;
	}
	tell(g, json, error, again);
	if (again)
		install_look(g);
	return true;
}

int install_mirror(const char *state_dir)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/update", state_dir);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}
