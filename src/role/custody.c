#include "role/custody.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "keep/intake.h"
#include "keep/vault_choice.h"
#include "role/deposit.h"
#include "role/holdings.h"
#include "role/secrets.h"
#include "role/upload.h"

#define WAIT_MS	   25000 /* that somebody waits for a chore, which then goes on alone */
#define NAMES_MOST 100	 /* to be destroyed at once */
#define DAYS_MOST  36500
#define WHY_MAX	   400

/* Destroying, or new keys: in the intake's thread, from begin to end. */
struct chore {
	bool rotates;
	json_t *args; /* lends `choice` its texts */
	struct vault_choice choice;
	const char *name[NAMES_MOST];
	bool found[NAMES_MOST];
	char why[WHY_MAX];
	uint64_t count;
	int err;
};

struct custody {
	struct chore *chore; /* NULL: none is under way */
	uint32_t ticket;     /* who waits for it; 0 nobody, any longer, … */
	uint64_t until_ns;   /* … or until then, monotonic */
};

struct custody *custody_new(void)
{
	return calloc(1, sizeof(struct custody));
}

static void chore_free(struct chore *c)
{
	if (c)
		json_decref(c->args);
	free(c);
}

void custody_free(struct custody *c)
{
	if (c)
		chore_free(c->chore);
	free(c);
}

static json_t *failed(struct call_error *e, int err)
{
	return call_fail(e, 503, "vault.failed", "The vault could not be changed", "%s",
			 err == -EKEYREVOKED ? "its keys have another holder: restart the gateway"
			 : err == -ENOSPC    ? "the disk is full; make room, and ask again"
					     : strerror(-err));
}

/* --- vault.put ---------------------------------------------------------------------------- */

/* What the gateway puts there itself is told by its class, and must not be forged. */
static bool is_own(const char *class)
{
	static const char *const own[] = {"evidence", "archive", "firmware", "backup"};

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (strcmp(own[i], class) == 0)
			return true;
	return false;
}

static bool is_class(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_");

	return len > 0 && !text[len] && len < OBJECT_CLASS_MAX && !is_own(text);
}

/* One that can be a file's below a folder, wherever it is taken out again. */
static bool is_name(const char *text)
{
	const char *part = text;
	size_t len;

	if (!text || !*text || strlen(text) >= INTAKE_NAME)
		return false;
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	for (; part; part = part[len] ? part + len + 1 : NULL) {
		len = strcspn(part, "/");
		if (len == 0 || (len == 1 && *part == '.') ||
		    (len == 2 && memcmp(part, "..", 2) == 0))
			return false;
	}
	return true;
}

void custody_put_done(struct keeper *k, uint32_t ticket, const struct deposit *d)
{
	char address[2 * CRYPTO_HASH + 1];
	struct call_error e = {0};

	if (d->err < 0) {
		failed(&e, d->err);
		call_failed(k, ticket, &e);
		return;
	}
	hex_write(d->address, CRYPTO_HASH, address);
	call_done(k, ticket,
		  json_pack("{s:s, s:s, s:s, s:b}", "name", d->name, "class", d->class, "address",
			    address, "known", (int)d->known));
}

static json_t *put(struct keeper *k, const struct call_asker *by, const json_t *args,
		   struct call_error *e)
{
	const char *name = call_text(args, "name"), *class = call_text(args, "class");
	int64_t days = VAULT_KEEP_DAYS;
	struct deposit_order o = {.ticket = by->ticket};
	int fd, err;

	if (!k->intake)
		return holdings_closed(e);
	if (!is_name(name))
		return call_bad(e, "name",
				"a name of at most 255 bytes, as notes/plan.pdf; no control "
				"characters, and no part of it is empty, '.' or '..'");
	if (json_object_get(args, "class") && (!class || !is_class(class)))
		return call_bad(e, "class",
				"at most 23 of a-z, 0-9, '-' and '_'; what the gateway keeps by "
				"itself (evidence, archive, firmware, backup) nobody else puts");
	if (json_object_get(args, "keep") && !call_number(args, "keep", 0, DAYS_MOST, &days))
		return call_bad(e, "keep", "days, 0 to 36500");
	fd = upload_take(k, by, args, e);
	if (fd < 0)
		return NULL;
	snprintf(o.name, sizeof(o.name), "%s", name);
	snprintf(o.class, sizeof(o.class), "%s", class ? class : "file");
	o.days = (unsigned)days;
	err = deposit_upload(k, &o, fd);
	if (err < 0)
		return failed(e, err);
	return call_later(k, by, WAIT_MS, e);
}

/* --- chores ------------------------------------------------------------------------------- */

/* In the thread. */
static void run(struct vault *v, void *arg)
{
	struct chore *c = arg;

	if (!c->rotates) {
		c->err = vault_shred(v, vault_choice_picks, &c->choice, c->why, &c->count);
		return;
	}
	c->err = keys_rotate(vault_keys(v));
	if (c->err == 0)
		c->err = vault_rotate_data(v, &c->count);
}

static json_t *begin(struct keeper *k, const struct call_asker *by, struct chore *c,
		     struct call_error *e)
{
	if (!c)
		return call_fail(e, 503, "gateway.memory", "Out of memory", "try again");
	if (k->custody->chore || intake_chore(k->intake, run, c) < 0) {
		chore_free(c);
		return call_fail(e, 409, "vault.changing", "The vault is being changed already",
				 "ask again when that is done");
	}
	k->custody->chore = c;
	k->custody->ticket = by->ticket;
	k->custody->until_ns = clock_mono_ns() + WAIT_MS * NSEC_PER_MSEC;
	return call_later(k, by, WAIT_MS + 5000, e);
}

static json_t *shredded(const struct chore *c)
{
	json_t *missing = json_array();

	for (size_t i = 0; i < c->choice.count; i++)
		if (!c->found[i])
			json_array_append_new(missing, json_string(c->name[i]));
	return json_pack("{s:b, s:I, s:I, s:o}", "done", 1, "destroyed", (json_int_t)c->count,
			 "kept", (json_int_t)c->choice.kept, "missing", missing);
}

static void tell(struct keeper *k, uint32_t ticket, const struct chore *c)
{
	struct call_error e = {0};

	if (c->err < 0) {
		log_error("the vault: %s: %s", c->rotates ? "new keys" : "destroying",
			  strerror(-c->err));
		failed(&e, c->err);
		call_failed(k, ticket, &e);
		return;
	}
	log_info("the vault: %" PRIu64 " %s", c->count,
		 c->rotates ? "data keys are new" : "names were destroyed");
	call_done(k, ticket,
		  c->rotates ? json_pack("{s:b, s:I}", "done", 1, "data_keys", (json_int_t)c->count)
			     : shredded(c));
}

void custody_turn(struct keeper *k, uint64_t now_ns)
{
	struct custody *c = k->custody;
	struct chore *done = c->chore && k->intake ? intake_chored(k->intake) : NULL;

	if (done) {
		tell(k, c->ticket, done);
		chore_free(done);
		*c = (struct custody){0};
	} else if (c->ticket && now_ns >= c->until_ns) {
		call_done(k, c->ticket, json_pack("{s:b}", "done", 0));
		c->ticket = 0;
	}
}

uint64_t custody_due(const struct keeper *k)
{
	return k->custody->ticket ? k->custody->until_ns : UINT64_MAX;
}

static json_t *take_names(struct chore *c, struct call_error *e)
{
	const json_t *names = json_object_get(c->args, "names"), *one;
	size_t i;

	if (names && (!json_is_array(names) || json_array_size(names) > NAMES_MOST))
		return call_bad(e, "names", "a list of at most 100 names or addresses");
	json_array_foreach (names, i, one) {
		c->name[i] = json_string_value(one);
		if (!c->name[i] || !*c->name[i] || strlen(c->name[i]) != json_string_length(one))
			return call_bad(e, "names", "each a name or an address of vault.list");
	}
	c->choice.names = c->name;
	c->choice.found = c->found;
	c->choice.count = json_array_size(names);
	return NULL;
}

static struct chore *read_choice(const json_t *args, struct call_error *e)
{
	struct chore *c = calloc(1, sizeof(*c));
	const char *why = call_text(args, "reason");

	if (!c)
		return NULL;
	c->args = json_deep_copy(args);
	snprintf(c->why, sizeof(c->why), "%s", why ? why : "");
	c->choice.class = call_text(c->args, "class");
	c->choice.expired = json_is_true(json_object_get(args, "expired"));
	c->choice.all = json_is_true(json_object_get(args, "all"));
	c->choice.force = json_is_true(json_object_get(args, "force"));
	c->choice.now_ns = (int64_t)clock_wall_ns();
	take_names(c, e);
	if (!e->status && !*c->why)
		call_bad(e, "reason", "why it is destroyed; it is kept");
	if (!e->status && (c->choice.count > 0) + c->choice.expired + c->choice.all != 1)
		call_bad(e, "names", "say what is to be destroyed: names, expired or all");
	if (!e->status && json_object_get(args, "class") && !c->choice.class)
		call_bad(e, "class", "as vault.list has it");
	if (!e->status)
		return c;
	chore_free(c);
	return NULL;
}

static json_t *shred(struct keeper *k, const struct call_asker *by, const json_t *args,
		     struct call_error *e)
{
	struct chore *c;

	if (!k->intake)
		return holdings_closed(e);
	c = read_choice(args, e);
	return e->status ? NULL : begin(k, by, c, e);
}

/* --- keys ----------------------------------------------------------------------------------- */

static json_t *rotate(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	struct chore *c;

	if (!k->intake)
		return holdings_closed(e);
	c = calloc(1, sizeof(*c));
	if (c)
		c->rotates = true;
	return begin(k, by, c, e);
}

static json_t *status(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	struct keys *keys = k->secrets ? secrets_keys(k->secrets) : NULL;
	struct keys_state st;

	if (!keys)
		return json_pack("{s:b, s:s}", "locked", 1, "reason",
				 k->secrets ? secrets_locked(k->secrets) : "no keys are wanted");
	keys_state(keys, &st);
	return json_pack("{s:b, s:s, s:s, s:b, s:s, s:i, s:i, s:b, s:b}", "locked", 0, "holder",
			 st.holder ? st.holder->name : "", "holder_is",
			 st.holder ? st.holder->what : "", "trial",
			 (int)(st.holder && st.holder->trial), "recipient", st.recipient,
			 "generation", (int)st.generation, "data_keys", (int)st.count, "from_copy",
			 (int)st.from_copy, "changing", (int)(k->custody->chore != NULL));
}

/* The identity stays with whoever made it: here only its recipient is ever seen. */
static json_t *recipient(struct keeper *k, const struct call_asker *by, const json_t *args,
			 struct call_error *e)
{
	struct keys *keys = k->secrets ? secrets_keys(k->secrets) : NULL;
	const char *text = call_text(args, "recipient");
	char error[KEYS_ERROR] = "";
	int err;

	if (!keys)
		return holdings_closed(e);
	if (!text || !*text)
		return call_bad(e, "recipient", "age1…, as 'bedwarden keygen' prints it");
	err = keys_change_recipient(keys, text, error);
	if (err == -EINVAL)
		return call_bad(e, "recipient", "an X25519 recipient of age, age1…");
	if (err < 0)
		return failed(e, err);
	return json_pack("{s:s}", "recipient", text);
}

#define ADMIN	PEOPLE_ONLY(PEOPLE_ADMINISTRATOR)
#define READERS (ADMIN | PEOPLE_ONLY(PEOPLE_AUDITOR))

extern const struct call_row custody_calls[]; /* call.c's */
const struct call_row custody_calls[] = {
	{.name = "vault.put", .fn = put, .roles = ADMIN, .changes = true},
	{.name = "vault.shred", .fn = shred, .roles = ADMIN, .step_up = true, .changes = true},
	{.name = "vault.keys", .fn = status, .roles = READERS},
	{.name = "vault.rotate", .fn = rotate, .roles = ADMIN, .step_up = true, .changes = true},
	{.name = "vault.recipient",
	 .fn = recipient,
	 .roles = ADMIN,
	 .step_up = true,
	 .changes = true},
	{NULL},
};
