#include "people/grant/book.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const states[GRANT_STATES] = {
	[GRANT_ASKED] = "asked",
	[GRANT_OPEN] = "open",
	[GRANT_DENIED] = "denied",
	[GRANT_ENDED] = "ended",
};

const char *grant_state_name(enum grant_state s)
{
	return s < GRANT_STATES ? states[s] : "";
}

/* A grant's members, by which it is written and read. */
#define TEXTS(X)   \
	X(person)  \
	X(role)    \
	X(device)  \
	X(service) \
	X(source)  \
	X(mac) X(reason) X(boot_id) X(decided_by) X(ended_by) X(why_ended) X(reviewed_by) X(review)
#define TIMES(X)    \
	X(asked_ns) \
	X(opened_ns) X(until_ns) X(ended_ns) X(until_boot_ns) X(left_ns) X(seen_ns) X(nagged_ns)

static json_t *save_grant(const struct grant *g)
{
	json_t *o = json_object();
	int err = json_object_set_new(o, "id", json_integer(g->id));

	err |= json_object_set_new(o, "state", json_string(states[g->state]));
#define X(m) err |= json_object_set_new(o, #m, json_string(g->m));
	TEXTS(X)
#undef X
#define X(m) err |= json_object_set_new(o, #m, json_integer((json_int_t)g->m));
	TIMES(X)
#undef X
	err |= json_object_set_new(o, "certificate", json_string(g->certificate));
	err |= json_object_set_new(o, "minutes", json_integer(g->minutes));
	err |= json_object_set_new(o, "invitation", json_integer(g->invitation));
	err |= json_object_set_new(o, "record", json_boolean(g->record));
	err |= json_object_set_new(o, "break_glass", json_boolean(g->break_glass));
	if (!err)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *save_invitation(const struct invitation *v)
{
	json_t *o = json_object(), *devices = json_array();
	int err = 0;

	for (unsigned i = 0; i < v->device_count; i++)
		err |= json_array_append_new(devices, json_string(v->devices[i]));
	err |= json_object_set_new(o, "devices", devices);
	err |= json_object_set_new(o, "id", json_integer(v->id));
	err |= json_object_set_new(o, "person", json_string(v->person));
	err |= json_object_set_new(o, "reason", json_string(v->reason));
	err |= json_object_set_new(o, "by", json_string(v->by));
	err |= json_object_set_new(o, "made_ns", json_integer((json_int_t)v->made_ns));
	err |= json_object_set_new(o, "until_ns", json_integer((json_int_t)v->until_ns));
	err |= json_object_set_new(o, "withdrawn", json_boolean(v->withdrawn));
	if (!err)
		return o;
	json_decref(o);
	return NULL;
}

json_t *grants_save(const struct grants *g)
{
	json_t *o = json_object(), *list = json_array(), *invitations = json_array();
	int err = 0;

	for (unsigned i = 0; i < g->count; i++)
		err |= json_array_append_new(list, save_grant(&g->list[i]));
	for (unsigned i = 0; i < g->invitation_count; i++)
		err |= json_array_append_new(invitations, save_invitation(&g->invitations[i]));
	err |= json_object_set_new(o, "grants", list);
	err |= json_object_set_new(o, "invitations", invitations);
	err |= json_object_set_new(o, "last_id", json_integer(g->last_id));
	err |= json_object_set_new(o, "version", json_integer(1));
	if (!err)
		return o;
	json_decref(o);
	return NULL;
}

static bool text(const json_t *o, const char *key, char *to, size_t size)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s || strlen(s) >= size || strlen(s) != json_string_length(json_object_get(o, key)))
		return false;
	memcpy(to, s, strlen(s) + 1);
	return true;
}

static bool number(const json_t *o, const char *key, uint64_t max, uint64_t *ret_n)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return false;
	*ret_n = (uint64_t)json_integer_value(v);
	return true;
}

static bool load_grant(const json_t *o, struct grant *ret_g)
{
	const char *state = json_string_value(json_object_get(o, "state"));
	uint64_t id, minutes, invitation;
	struct grant g = {.state = GRANT_STATES};

	for (unsigned i = 0; state && i < GRANT_STATES; i++)
		if (strcmp(states[i], state) == 0)
			g.state = (enum grant_state)i;
	if (g.state == GRANT_STATES || !number(o, "id", UINT32_MAX, &id) || !id ||
	    !number(o, "minutes", 720, &minutes) ||
	    !number(o, "invitation", UINT32_MAX, &invitation))
		return false;
#define X(m)                                \
	if (!text(o, #m, g.m, sizeof(g.m))) \
		return false;
	TEXTS(X)
#undef X
#define X(m)                                 \
	if (!number(o, #m, INT64_MAX, &g.m)) \
		return false;
	TIMES(X)
#undef X
	/* Books of before do not have it. */
	if (json_object_get(o, "certificate") &&
	    !text(o, "certificate", g.certificate, sizeof(g.certificate)))
		return false;
	g.id = (uint32_t)id;
	g.minutes = (uint32_t)minutes;
	g.invitation = (uint32_t)invitation;
	g.record = json_is_true(json_object_get(o, "record"));
	g.break_glass = json_is_true(json_object_get(o, "break_glass"));
	*ret_g = g;
	return true;
}

static bool load_invitation(const json_t *o, struct invitation *ret_v)
{
	const json_t *devices = json_object_get(o, "devices"), *d;
	struct invitation v = {0};
	uint64_t id;
	size_t i;

	if (!number(o, "id", UINT32_MAX, &id) || !id || !json_is_array(devices) ||
	    json_array_size(devices) > GRANT_DEVICES ||
	    !text(o, "person", v.person, sizeof(v.person)) ||
	    !text(o, "reason", v.reason, sizeof(v.reason)) || !text(o, "by", v.by, sizeof(v.by)) ||
	    !number(o, "made_ns", INT64_MAX, &v.made_ns) ||
	    !number(o, "until_ns", INT64_MAX, &v.until_ns))
		return false;
	json_array_foreach (devices, i, d) {
		const char *s = json_string_value(d);

		if (!s || strlen(s) >= GRANT_NAME)
			return false;
		snprintf(v.devices[v.device_count++], GRANT_NAME, "%s", s);
	}
	v.id = (uint32_t)id;
	v.withdrawn = json_is_true(json_object_get(o, "withdrawn"));
	*ret_v = v;
	return true;
}

/* What is in use only: the rest is megabytes that nobody has touched yet. */
static void take_over(struct grants *g, const struct grants *fresh)
{
	memcpy(g->list, fresh->list, fresh->count * sizeof(*g->list));
	g->count = fresh->count;
	memcpy(g->invitations, fresh->invitations,
	       fresh->invitation_count * sizeof(*g->invitations));
	g->invitation_count = fresh->invitation_count;
	g->last_id = fresh->last_id;
}

int grants_load(struct grants *g, const json_t *book)
{
	const json_t *list = json_object_get(book, "grants"), *o;
	const json_t *invitations = json_object_get(book, "invitations");
	struct grants *fresh = grants_new();
	uint64_t last, version;
	int err = -EBADMSG;
	size_t i;

	if (!fresh)
		return -ENOMEM;
	if (!json_is_array(list) || !json_is_array(invitations) ||
	    json_array_size(list) > GRANTS_MAX || json_array_size(invitations) > INVITATIONS_MAX ||
	    !number(book, "last_id", UINT32_MAX, &last) || !number(book, "version", 1, &version))
		goto out;
	fresh->last_id = (uint32_t)last;
	json_array_foreach (list, i, o) {
		if (!load_grant(o, &fresh->list[fresh->count]) ||
		    fresh->list[fresh->count].id > last)
			goto out;
		fresh->count++;
	}
	json_array_foreach (invitations, i, o) {
		if (!load_invitation(o, &fresh->invitations[fresh->invitation_count]) ||
		    fresh->invitations[fresh->invitation_count].id > last)
			goto out;
		fresh->invitation_count++;
	}
	take_over(g, fresh);
	err = 0;
out:
	grants_free(fresh);
	return err;
}
