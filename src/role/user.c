#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "people/auth/code.h"
#include "role/door.h"
#include "role/staff_internal.h"

/* What a user may be called: letters, digits and .-_@ as sign-in names have them. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < PEOPLE_NAME &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_@") == len &&
	       strcmp(name, "root") != 0;
}

static bool is_display(const char *text)
{
	struct bytes b = {(const uint8_t *)text, strlen(text)};

	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] < 0x20 || b.data[i] == 0x7f)
			return false;
	return b.len < PEOPLE_TEXT && json_is_utf8(b);
}

/* "devices": a list of names, as the words of one text. */
static bool take_devices(const json_t *args, char ret_text[PEOPLE_LIST], struct call_error *e)
{
	const json_t *list = json_object_get(args, "devices"), *item;
	size_t i, len = 0;

	if (!list || json_is_null(list))
		return true;
	*ret_text = 0;
	json_array_foreach (list, i, item) {
		const char *name = json_string_value(item);
		size_t n = name ? strlen(name) : 0;

		if (n == 0 || n > 63 || strpbrk(name, " \t\n") || len + n + 2 > PEOPLE_LIST) {
			call_fail(e, 400, "call.arguments", "Which devices?",
				  "'devices' is a list of device names, not too many");
			return false;
		}
		len += (size_t)snprintf(ret_text + len, PEOPLE_LIST - len, "%s%s", len ? " " : "",
					name);
	}
	if (!json_is_array(list)) {
		call_fail(e, 400, "call.arguments", "Which devices?",
			  "'devices' is a list of device names");
		return false;
	}
	return true;
}

/* Role, display name, devices and whether disabled, as far as they are given. */
static bool take_changes(const json_t *args, struct people_user *u, struct call_error *e)
{
	const char *role = call_text(args, "role"), *display = call_text(args, "display");
	const json_t *disabled = json_object_get(args, "disabled");
	enum people_role r;

	if (role && !people_role_from_name(role, &r)) {
		call_fail(e, 400, "call.arguments", "There is no such role",
			  "viewer, clinical_engineer, administrator, auditor or vendor");
		return false;
	}
	if (display && !is_display(display)) {
		call_fail(e, 400, "call.arguments", "This name cannot be shown",
			  "at most %d bytes, without control characters", PEOPLE_TEXT - 1);
		return false;
	}
	if (disabled && !json_is_boolean(disabled)) {
		call_fail(e, 400, "call.arguments", "Disabled or not?", "true or false");
		return false;
	}
	if (!take_devices(args, u->devices, e))
		return false;
	if (role)
		snprintf(u->role, sizeof(u->role), "%s", role);
	if (display)
		snprintf(u->display, sizeof(u->display), "%s", display);
	if (disabled)
		u->disabled = json_is_true(disabled);
	return true;
}

static bool find(struct staff *s, const json_t *args, struct people_user *ret_u,
		 struct call_error *e)
{
	const char *name = call_text(args, "user");
	int err;

	if (!staff_people(s, e))
		return false;
	err = name ? people_user_by_name(s->people, name, ret_u) : -ENOENT;
	if (err == -ENOENT)
		call_fail(e, 404, "auth.no_user", "There is no such user",
			  "user.list, or 'bedwarden user ls', names them");
	else if (err < 0)
		staff_broken(e, err);
	return err == 0;
}

struct listing {
	struct staff *s;
	json_t *rows;
	struct people_user *all;
	size_t count;
};

static void collect(void *arg, const struct people_user *u)
{
	struct listing *l = arg;

	json_array_append_new(l->rows, json_pack("{s:s, s:s, s:s, s:b, s:I}", "user", u->name,
						 "display", u->display, "role", u->role, "disabled",
						 u->disabled, "made", (json_int_t)u->made_s));
}

static json_t *factor_names(unsigned set)
{
	json_t *list = json_array();

	for (unsigned f = 0; f < FACTOR_COUNT; f++)
		if (set & FACTOR_ONLY(f))
			json_array_append_new(list, json_string(factor_name((enum factor)f)));
	return list;
}

static json_t *devices_json(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		size_t len = strcspn(text, " ");

		if (len)
			json_array_append_new(list, json_stringn(text, len));
		text += len + (text[len] == ' ');
	}
	return list;
}

static json_t *list(struct keeper *k, const struct call_asker *by, const json_t *args,
		    struct call_error *e)
{
	struct staff *s = staff_of(k);
	struct listing l = {.s = s};
	char asker[PEOPLE_NAME];
	struct people_user u;
	int64_t when;
	unsigned set;
	json_t *row;
	size_t i;
	int err;

	if (!staff_people(s, e))
		return NULL;
	l.rows = json_array();
	err = people_users(s->people, collect, &l);
	json_array_foreach (l.rows, i, row) {
		if (people_user_by_name(s->people, call_text(row, "user"), &u) < 0 ||
		    !staff_enrolled(s, u.id, &set))
			continue;
		json_object_set_new(row, "factors", factor_names(set));
		json_object_set_new(row, "devices", devices_json(u.devices));
		json_object_set_new(row, "ready", json_boolean(factor_ready(set)));
		if (people_reset_asked(s->people, u.id, asker, &when) == 0)
			json_object_set_new(row, "reset_asked_by", json_string(asker));
	}
	if (err < 0) {
		json_decref(l.rows);
		return staff_broken(e, err);
	}
	return json_pack("{s:o}", "users", l.rows);
}

static json_t *invite_json(struct staff *s, const struct people_user *u, struct call_error *e)
{
	char code[32];
	int err = staff_invite(s, u->id, code);

	if (err < 0)
		return staff_broken(e, err);
	return json_pack("{s:s, s:s, s:i}", "user", u->name, "code", code, "expires_seconds",
			 STAFF_INVITE_S);
}

static json_t *add(struct keeper *k, const struct call_asker *by, const json_t *args,
		   struct call_error *e)
{
	struct staff *s = staff_of(k);
	const char *name = call_text(args, "user");
	struct people_user u = {.role = "viewer"};
	int err;

	if (!staff_people(s, e))
		return NULL;
	if (!name || !is_name(name))
		return call_fail(e, 400, "call.arguments", "What is the user called?",
				 "'user': small letters, digits, . - _ @, at most %d, not root",
				 PEOPLE_NAME - 1);
	if (!take_changes(args, &u, e))
		return NULL;
	snprintf(u.name, sizeof(u.name), "%s", name);
	u.made_s = staff_wall(s);
	err = crypto_random(u.id, sizeof(u.id));
	if (err == 0)
		err = people_user_add(s->people, &u);
	if (err == -EEXIST)
		return call_fail(e, 409, "auth.exists", "There is a user of that name",
				 "choose another name");
	if (err < 0)
		return staff_broken(e, err);
	s->tell(s->arg, REASON_AUTH_USER_CHANGED, u.name, "was added", 0);
	return invite_json(s, &u, e);
}

/* Nobody locks the last one out who could let others in. */
static bool keeps_an_administrator(struct staff *s, const struct people_user *before,
				   const struct people_user *after, struct call_error *e)
{
	bool was = !before->disabled && staff_role(before) == PEOPLE_ADMINISTRATOR;
	bool is = after && !after->disabled && staff_role(after) == PEOPLE_ADMINISTRATOR;

	if (!was || is || staff_administrators(s, before->id) > 0)
		return true;
	call_fail(e, 409, "auth.last_administrator", "This is the last administrator",
		  "make another one, who has signed in once, first");
	return false;
}

static json_t *change(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	struct staff *s = staff_of(k);
	struct people_user u, before;
	bool other;
	int err;

	if (!find(s, args, &u, e))
		return NULL;
	before = u;
	if (!take_changes(args, &u, e) || !keeps_an_administrator(s, &before, &u, e))
		return NULL;
	err = people_user_change(s->people, &u);
	/* What is open, sessions and doors, was opened under the old role. */
	other = strcmp(before.role, u.role) != 0 || u.disabled;
	if (err == 0 && other)
		door_without(k, u.name, by->user, by->operator_);
	if (err == 0 && other)
		err = people_sessions_end(s->people, u.id, NULL);
	if (err < 0)
		return staff_broken(e, err);
	staff_notice(s, &u, REASON_AUTH_USER_CHANGED, "%s changed your account: %s%s", by->user,
		     u.role, u.disabled ? ", disabled" : "");
	return json_object();
}

static json_t *drop(struct keeper *k, const struct call_asker *by, const json_t *args,
		    struct call_error *e)
{
	struct staff *s = staff_of(k);
	struct people_user u;
	int err;

	if (!find(s, args, &u, e) || !keeps_an_administrator(s, &u, NULL, e))
		return NULL;
	err = people_user_remove(s->people, u.id);
	if (err < 0)
		return staff_broken(e, err);
	door_without(k, u.name, by->user, by->operator_);
	s->tell(s->arg, REASON_AUTH_USER_CHANGED, u.name, "was removed", 0);
	return json_object();
}

/* Another code, for who has not come in yet. Whoever has factors needs a reset, by two. */
static json_t *invite(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	struct staff *s = staff_of(k);
	struct people_user u;
	unsigned set = 0;

	if (!find(s, args, &u, e))
		return NULL;
	if (!staff_enrolled(s, u.id, &set))
		return staff_broken(e, -EIO);
	if (factor_ready(set))
		return call_fail(e, 409, "auth.has_factors", "This user has factors already",
				 "they can add others themselves; if all are lost, reset them "
				 "(user.reset_request, 'bedwarden user reset')");
	return invite_json(s, &u, e);
}

static json_t *do_reset(struct keeper *k, const struct call_asker *by, const struct people_user *u,
			const char *who, struct call_error *e)
{
	struct staff *s = staff_of(k);
	int err = people_reset(s->people, u->id);

	if (err < 0)
		return staff_broken(e, err);
	door_without(k, u->name, by->user, by->operator_); /* who has the lost factors may be in */
	staff_notice(s, u, REASON_AUTH_RESET, "all your factors were removed by %s and %s", who,
		     by->user);
	return invite_json(s, u, e);
}

/* All is lost: one asks, another agrees. Alone only where there is no other. */
static json_t *reset_request(struct keeper *k, const struct call_asker *by, const json_t *args,
			     struct call_error *e)
{
	struct staff *s = staff_of(k);
	struct people_user u;
	int err;

	if (!find(s, args, &u, e))
		return NULL;
	if (by->operator_ && staff_administrators(s, u.id) == 0)
		return do_reset(k, by, &u, "nobody else", e);
	err = people_reset_ask(s->people, u.id, by->user, staff_wall(s));
	if (err < 0)
		return staff_broken(e, err);
	staff_notice(
		s, &u, REASON_AUTH_RESET,
		"%s asked that all your factors be removed; if you did not want that, speak up",
		by->user);
	return json_pack("{s:s, s:s}", "user", u.name, "waits_for",
			 "another administrator, within a day");
}

#define RESET_S 86400

static json_t *reset_approve(struct keeper *k, const struct call_asker *by, const json_t *args,
			     struct call_error *e)
{
	struct staff *s = staff_of(k);
	char asker[PEOPLE_NAME];
	struct people_user u;
	int64_t when, now = staff_wall(s);
	int err;

	if (!find(s, args, &u, e))
		return NULL;
	err = people_reset_asked(s->people, u.id, asker, &when);
	if (err == -ENOENT || (err == 0 && (now < when || now - when > RESET_S)))
		return call_fail(e, 404, "auth.none", "Nobody asked for that, lately",
				 "one administrator asks (user.reset_request), another agrees");
	if (err < 0)
		return staff_broken(e, err);
	if (strcmp(asker, by->user) == 0 || strcmp(u.name, by->user) == 0)
		return call_fail(e, 403, "auth.two_persons", "This takes two",
				 "somebody other than '%s' and '%s' has to agree", asker, u.name);
	return do_reset(k, by, &u, asker, e);
}

#define ADMIN PEOPLE_ONLY(PEOPLE_ADMINISTRATOR)
#define USER_ROW(name_, fn_)                                                                   \
	{                                                                                      \
		.name = (name_), .fn = (fn_), .roles = ADMIN, .step_up = true, .changes = true \
	}

const struct call_row user_calls[] = {
	{.name = "user.list",
	 .fn = list,
	 .roles = ADMIN | PEOPLE_ONLY(PEOPLE_AUDITOR),
	 .pages = "users"},
	USER_ROW("user.add", add),
	USER_ROW("user.change", change),
	USER_ROW("user.remove", drop),
	USER_ROW("user.invite", invite),
	USER_ROW("user.reset_request", reset_request),
	USER_ROW("user.reset_approve", reset_approve),
	{NULL},
};
