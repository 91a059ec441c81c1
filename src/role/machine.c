#include <errno.h>
#include <stdio.h>

#include "base/crypto.h"
#include "base/secret.h"
#include "people/auth/base64url.h"
#include "people/auth/token.h"
#include "role/staff_internal.h"

#define DAYS_MAX 366

static void put_key(void *arg, const struct people_key *k)
{
	json_array_append_new(
		arg, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "id", k->id, "name", k->name,
			       "role", k->role, "scopes", k->scopes, "made", (json_int_t)k->made_s,
			       "until", (json_int_t)k->until_s, "used", (json_int_t)k->used_s));
}

static json_t *list(struct keeper *k, const struct call_asker *by, const json_t *args,
		    struct call_error *e)
{
	struct staff *s = staff_of(k);
	json_t *rows;
	int err;

	if (!staff_people(s, e))
		return NULL;
	rows = json_array();
	err = people_keys(s->people, put_key, rows);
	if (err < 0) {
		json_decref(rows);
		return staff_broken(e, err);
	}
	return json_pack("{s:o}", "keys", rows);
}

/* "events", "grant.*": what calls are called. */
static bool is_scope(const char *text)
{
	size_t len = text ? strspn(text, "abcdefghijklmnopqrstuvwxyz_.") : 0;

	return len > 0 && len < 64 && (!text[len] || (text[len] == '*' && !text[len + 1]));
}

static bool take_scopes(const json_t *args, char ret_text[PEOPLE_LIST])
{
	const json_t *list = json_object_get(args, "scopes"), *item;
	size_t i, len = 0;

	*ret_text = 0;
	json_array_foreach (list, i, item) {
		const char *scope = json_string_value(item);

		if (!is_scope(scope) || len + strlen(scope) + 2 > PEOPLE_LIST)
			return false;
		len += (size_t)snprintf(ret_text + len, PEOPLE_LIST - len, "%s%s", len ? " " : "",
					scope);
	}
	return len > 0;
}

static json_t *make(struct keeper *k, const struct call_asker *by, const json_t *args,
		    struct call_error *e)
{
	struct staff *s = staff_of(k);
	const char *name = call_text(args, "name"), *role = call_text(args, "role");
	struct people_key key = {.made_s = staff_wall(s)};
	char token[TOKEN_TEXT];
	enum people_role r = PEOPLE_VIEWER;
	uint8_t id[6];
	int64_t days = 90;
	json_t *o;
	int err;

	if (!staff_people(s, e))
		return NULL;
	if (!name || !*name || strlen(name) >= PEOPLE_NAME ||
	    (role && (!people_role_from_name(role, &r) || r == PEOPLE_ADMINISTRATOR)) ||
	    !take_scopes(args, key.scopes) ||
	    (json_object_get(args, "days") && !call_number(args, "days", 1, DAYS_MAX, &days)))
		return call_fail(
			e, 400, "call.arguments", "What is the key for?",
			"'name'; 'scopes', a list of calls (\"events\", \"grant.*\"); 'days', "
			"1 to %d, 90 if not given; 'role', any but administrator, viewer if none "
			"is given",
			DAYS_MAX);
	key.until_s = key.made_s + days * 86400;
	snprintf(key.name, sizeof(key.name), "%s", name);
	snprintf(key.role, sizeof(key.role), "%s", people_role_name(r));
	if (!by->operator_)
		memcpy(key.owner, s->user.id, PEOPLE_ID);
	err = crypto_random(id, sizeof(id));
	base64url_write(id, sizeof(id), key.id);
	if (err == 0)
		err = token_make(TOKEN_API_KEY, crypto_random, token, key.hash);
	if (err == 0)
		err = people_key_add(s->people, &key);
	if (err < 0)
		return staff_broken(e, err);
	s->tell(s->arg, REASON_AUTH_KEY_CHANGED, by->user, key.name, 0);
	o = json_pack("{s:s, s:s, s:I}", "id", key.id, "key", token, "until",
		      (json_int_t)key.until_s);
	secret_wipe(token, sizeof(token));
	return o;
}

static json_t *revoke(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	struct staff *s = staff_of(k);
	const char *id = call_text(args, "id");
	int err;

	if (!staff_people(s, e))
		return NULL;
	err = id ? people_key_remove(s->people, id) : -ENOENT;
	if (err == -ENOENT)
		return call_fail(e, 404, "auth.none", "There is no such key",
				 "key.list names those that there are");
	if (err < 0)
		return staff_broken(e, err);
	s->tell(s->arg, REASON_AUTH_KEY_CHANGED, by->user, id, 0);
	return json_object();
}

#define ADMIN PEOPLE_ONLY(PEOPLE_ADMINISTRATOR)

const struct call_row machine_calls[] = {
	{.name = "key.list",
	 .fn = list,
	 .roles = ADMIN | PEOPLE_ONLY(PEOPLE_AUDITOR),
	 .pages = "keys"},
	{.name = "key.make", .fn = make, .roles = ADMIN, .step_up = true, .changes = true},
	{.name = "key.revoke", .fn = revoke, .roles = ADMIN, .step_up = true, .changes = true},
	{NULL},
};
