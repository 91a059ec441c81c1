/*
 * A call as the console hands it to the keeper: one JSON object, asked by nobody, by an administrator
 * whose factor is fresh, and by the operator on the box. Calls about people and about doors alone, which
 * need no other process. Each ends in an answer or in an error that says what is wrong, never both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "keep/keys.h"
#include "role/door.h"
#include "role/keeper.h"
#include "role/staff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define AGAIN 500 /* inputs with the same people */

static char folder[FUZZ_FOLDER];
static struct keeper k;
static struct keys *keys;
static const struct call_row *const tables[] = {signin_calls, session_calls, enrol_calls,
						user_calls,   machine_calls, door_calls};

static void tell(void *arg, enum reason why, const char *user, const char *text, uint64_t count)
{
	if (!user || !text || !*reason_name(why))
		abort();
}

/* An administrator's session, whatever token it is. */
static bool identify(struct keeper *keeper, const char *token, const char *csrf,
		     struct call_asker *by, struct call_error *e)
{
	by->user = "anna";
	by->role = PEOPLE_ADMINISTRATOR;
	by->session_id = "1";
	by->csrf_ok = true;
	by->stepped_up_ns = UINT64_MAX;
	return true;
}

static void clear(void)
{
	static const char *const names[] = {"people.db", "people.db-wal", "people.db-shm",
					    "grants"};
	char path[128];

	door_free(k.door);
	staff_free(k.staff);
	k.door = NULL;
	k.staff = NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
}

static struct call_asker asker(bool box)
{
	return (struct call_asker){.user = box ? "root" : "",
				   .operator_ = box,
				   .csrf_ok = box,
				   .role = box ? PEOPLE_ADMINISTRATOR : PEOPLE_VIEWER,
				   .source = "",
				   .mac = "",
				   .origin = "",
				   .session = "",
				   .session_id = ""};
}

static void ask(json_t *root, struct call_asker by)
{
	struct call_error e = {0};
	json_t *ok = call_run(&k, root, &by, &e);

	if ((ok != NULL) == (e.status != 0))
		abort();
	if (!ok && (e.status < 400 || e.status > 504 || !*e.type || !*e.title))
		abort();
	json_decref(e.more);
	json_decref(ok);
}

/* Anna, as the box would add her. */
static void begin(void)
{
	static const struct staff_options o = {.site = "Ward 3"};
	json_t *root = json_pack("{s:s, s:{s:s, s:s}}", "call", "user.add", "args", "user", "anna",
				 "role", "administrator");

	k.staff = staff_new(&o, tell, NULL);
	if (!k.staff)
		abort();
	staff_open(k.staff, folder, keys);
	k.door = door_new(&k, "first");
	if (!k.door)
		abort();
	ask(root, asker(true));
	json_decref(root);
}

static void leave(void)
{
	clear();
	keys_free(keys);
	folder_drop(folder);
}

static void make(void)
{
	struct holder_ask ask = {.place = "", .dir = folder};
	char error[KEYS_ERROR];

	folder_new(folder);
	if (keys_create(folder, holder_find("file"), &ask, NULL, error) != 0)
		abort();
	keys = keys_open(folder, &ask, error);
	if (!keys)
		abort();
	k.courier = k.parent = -1;
	k.identify = identify;
	k.state_dir = folder;
	atexit(leave);
	begin();
}

static bool is_ours(const json_t *root)
{
	const char *name = call_text(root, "call");

	for (size_t t = 0; name && t < sizeof(tables) / sizeof(*tables); t++)
		for (const struct call_row *r = tables[t]; r->name; r++)
			if (strcmp(r->name, name) == 0)
				return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static unsigned count;
	json_t *root = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(root) || !is_ours(root)) {
		json_decref(root);
		return 0;
	}
	if (!keys)
		make();
	if (++count % AGAIN == 0) {
		clear();
		begin();
	}
	json_object_del(root, "session");
	json_object_set_new(root, "source", json_string("10.0.0.5"));
	json_object_set_new(root, "origin", json_string("https://gateway.example"));
	ask(root, asker(false));
	ask(root, asker(true));
	json_object_set_new(root, "session", json_string("t"));
	ask(root, asker(false));
	json_decref(root);
	return 0;
}
