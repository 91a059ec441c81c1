#include "role/holdings.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "keep/outlet.h"
#include "role/backups.h"
#include "role/secrets.h"
#include "seal/age/recipient.h"

#define EVIDENCE   "evidence"
#define PAGE	   100
#define PAGE_MOST  1000
#define LOOKED_AT  5000 /* names of a page, whatever of them fits */
#define RECIPIENTS 20

#define CHECK_MS      25000 /* that somebody waits for a check */
#define CHECK_LOOK_MS 100

void holdings_open(struct keeper *k)
{
	char folder[PATH_MAX], error[KEYS_ERROR];

	if (!k->secrets || !secrets_keys(k->secrets))
		return;
	snprintf(folder, sizeof(folder), "%s/vault", k->state_dir);
	k->outlet = outlet_new(folder, secrets_keys(k->secrets), error);
	if (!k->outlet)
		log_error("nothing can be taken out of the vault: %s", error);
}

void holdings_close(struct keeper *k)
{
	outlet_free(k->outlet);
	k->outlet = NULL;
}

json_t *holdings_closed(struct call_error *e)
{
	return call_fail(e, 503, "vault.closed", "The vault is not open",
			 "its keys are locked, or there are none; 'bedwarden status' says why");
}

/* --- lists --------------------------------------------------------------------------- */

struct listing {
	const char *class, *begins; /* NULL: all */
	json_t *rows;
	int64_t at; /* the last name looked at */
};

/* A name may hold any byte: what is no UTF-8 stands as '?'. */
static json_t *text_of(struct bytes name)
{
	json_t *t = json_stringn((const char *)name.data, name.len);
	char *copy;

	if (t)
		return t;
	copy = malloc(name.len + 1);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < name.len; i++)
		copy[i] = name.data[i] >= 0x80 ? '?' : (char)name.data[i];
	t = json_stringn(copy, name.len);
	free(copy);
	return t;
}

static json_t *row_of(const struct vault_entry *e)
{
	char put[CLOCK_EVE_LEN], until[CLOCK_EVE_LEN], address[2 * CRYPTO_HASH + 1];

	clock_eve((uint64_t)e->meta.put_ns, put);
	clock_eve((uint64_t)e->meta.until_ns, until);
	hex_write(e->address, CRYPTO_HASH, address);
	return json_pack("{s:I, s:o, s:s, s:I, s:s, s:s, s:s}", "id", (json_int_t)e->id, "name",
			 text_of(e->meta.name), "class", e->meta.class, "size", (json_int_t)e->size,
			 "put", put, "until", until, "address", address);
}

static int add_row(void *arg, const struct vault_entry *e)
{
	struct listing *l = arg;
	size_t len = l->begins ? strlen(l->begins) : 0;

	l->at = e->id;
	if (l->class && strcmp(l->class, e->meta.class) != 0)
		return 0;
	if (len > e->meta.name.len || (len && memcmp(l->begins, e->meta.name.data, len) != 0))
		return 0;
	json_array_append_new(l->rows, row_of(e));
	return 0;
}

static bool take_page(const json_t *args, int64_t *ret_limit, int64_t *ret_after,
		      struct call_error *e)
{
	*ret_limit = PAGE;
	*ret_after = 0;
	if (json_object_get(args, "limit") && !call_number(args, "limit", 1, PAGE_MOST, ret_limit))
		return call_bad(e, "limit", "a number from 1 to 1000") != NULL;
	if (!call_cursor(args, INT64_MAX, ret_after))
		return call_bad(e, "cursor", "the value of 'next' of the page before") != NULL;
	return true;
}

/* In the order they were put. A page takes a bounded time, whatever fits. */
static json_t *list(struct keeper *k, const char *class, const json_t *args, struct call_error *e)
{
	struct listing l = {.class = class, .begins = call_text(args, "begins")};
	int64_t limit, looked = 0;
	char next[24];
	json_t *ok;
	int err = 0;

	if (!k->outlet)
		return holdings_closed(e);
	if (!take_page(args, &limit, &l.at, e))
		return NULL;
	l.rows = json_array();
	while (err == 0 && looked++ < LOOKED_AT && json_array_size(l.rows) < (size_t)limit)
		err = vault_next(outlet_vault(k->outlet), l.at, add_row, &l);
	vault_rest(outlet_vault(k->outlet));
	if (err < 0 && err != -ENOENT) {
		json_decref(l.rows);
		return call_fail(e, 503, "vault.damaged", "The vault cannot be read",
				 "%s; 'bedwarden vault fsck' says what is wrong", strerror(-err));
	}
	ok = json_pack("{s:o}", "objects", l.rows);
	snprintf(next, sizeof(next), "%" PRId64, l.at);
	if (err == 0)
		json_object_set_new(ok, "next", json_string(next));
	return ok;
}

static json_t *vault_list(struct keeper *k, const struct call_asker *by, const json_t *args,
			  struct call_error *e)
{
	return list(k, call_text(args, "class"), args, e);
}

static json_t *evidence_list(struct keeper *k, const struct call_asker *by, const json_t *args,
			     struct call_error *e)
{
	return list(k, EVIDENCE, args, e);
}

/* --- what leaves ------------------------------------------------------------------------ */

/* "age1…" each; NULL without an error: nobody was named, it is opened. */
static struct age_recipients *take_recipients(const json_t *args, struct call_error *e)
{
	const json_t *list = json_object_get(args, "recipients"), *one;
	struct age_recipients *r;
	size_t i;

	if (!json_array_size(list))
		return NULL;
	r = json_array_size(list) <= RECIPIENTS ? age_recipients_new() : NULL;
	if (!r) {
		call_bad(e, "recipients", "at most 20");
		return NULL;
	}
	json_array_foreach (list, i, one) {
		struct bytes text = {(const uint8_t *)json_string_value(one),
				     json_string_length(one)};

		if (text.data && age_recipients_add(r, text) == 0)
			continue;
		call_bad(e, "recipients", "each a recipient of age, age1…");
		age_recipients_free(r);
		return NULL;
	}
	return r;
}

struct wanted {
	const char *class; /* NULL: any */
	int64_t id;
	uint64_t size;
	json_t *name;
};

static int find_it(void *arg, const struct vault_entry *e)
{
	struct wanted *w = arg;

	if (w->id && e->id != w->id)
		return -ENOENT;
	if (w->class && strcmp(w->class, e->meta.class) != 0)
		return -ENOENT;
	w->id = e->id;
	w->size = e->size;
	w->name = text_of(e->meta.name);
	return 0;
}

/* What a browser calls the file: the last part of its name, of plain letters. */
static json_t *file_name(const json_t *name, bool sealed)
{
	const char *text = json_string_value(name), *slash = text ? strrchr(text, '/') : NULL;
	char file[128];

	snprintf(file, sizeof(file), "%.100s%s",
		 slash && slash[1] ? slash + 1
		 : text		   ? text
				   : "",
		 sealed ? ".age" : "");
	for (char *c = file; *c; c++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
			    *c))
			*c = '_';
	return json_string(*file == '.' ? "object" : file);
}

/* It is recorded who has it before the first byte leaves: `changes` of the call's row. */
static json_t *give(struct keeper *k, const struct call_asker *by, const struct wanted *w,
		    struct age_recipients *r, struct call_error *e)
{
	json_t *file;
	int fd = -1, err = outlet_begin(k->outlet, w->id, r, &fd);

	if (err < 0)
		age_recipients_free(r);
	if (err == -EBUSY)
		return call_fail(e, 503, "vault.busy", "Others are being exported",
				 "%d at once; try again when one of them is done", OUTLET_MOST);
	if (err < 0)
		return call_fail(e, err == -ENOENT ? 404 : 503, "vault.none",
				 "It cannot be exported", "%s",
				 err == -ENOENT ? "it was destroyed meanwhile" : strerror(-err));
	if (!call_attach(k, by->ticket, fd)) {
		close(fd); /* the thread notices */
		return call_fail(e, 503, "gateway.busy", "It cannot be handed out just now",
				 "on the box itself use 'bedwarden vault get' or 'export'");
	}
	close(fd);
	file = json_pack("{s:o, s:s}", "name", file_name(w->name, r), "type",
			 "application/octet-stream");
	if (!r) /* sealed, it is longer */
		json_object_set_new(file, "size", json_integer((json_int_t)w->size));
	return json_pack("{s:o, s:I, s:O}", "file", file, "id", (json_int_t)w->id, "object",
			 w->name);
}

static json_t *export(struct keeper *k, const struct call_asker *by, const char *class,
		      const json_t *args, struct call_error *e)
{
	struct wanted w = {.class = class};
	const char *name = call_text(args, "name");
	struct age_recipients *r;
	json_t *ok;
	int err;

	if (!k->outlet)
		return holdings_closed(e);
	if (!json_object_get(args, "id") == !name ||
	    (!name && !call_number(args, "id", 1, INT64_MAX, &w.id)))
		return call_bad(e, "id",
				"the number of an object of the list, or its name, and not both");
	err = name ? vault_find(outlet_vault(k->outlet), name, find_it, &w)
		   : vault_next(outlet_vault(k->outlet), w.id - 1, find_it, &w);
	vault_rest(outlet_vault(k->outlet));
	if (err < 0)
		return call_fail(
			e, err == -ENOENT ? 404 : 503, "vault.none", "There is no such object",
			"%s", err == -ENOENT ? "the list names those there are" : strerror(-err));
	r = take_recipients(args, e);
	ok = e->status ? NULL : give(k, by, &w, r, e);
	json_decref(w.name);
	return ok;
}

static json_t *vault_export(struct keeper *k, const struct call_asker *by, const json_t *args,
			    struct call_error *e)
{
	return export(k, by, NULL, args, e);
}

static json_t *evidence_export(struct keeper *k, const struct call_asker *by, const json_t *args,
			       struct call_error *e)
{
	return export(k, by, EVIDENCE, args, e);
}

/* --- vault.check, vault.log -------------------------------------------------------------- */

static json_t *checked(const struct outlet_check *c)
{
	json_t *found = json_array();

	for (unsigned i = 0; i < c->count; i++)
		json_array_append_new(found, json_string(c->found[i]));
	return json_pack("{s:b, s:b, s:I, s:I, s:I, s:o}", "done", 1, "content", c->content,
			 "wrong", (json_int_t)c->wrong, "objects", (json_int_t)c->objects, "names",
			 (json_int_t)c->names, "found", found);
}

static void tell_checked(struct keeper *k, uint32_t ticket, const struct outlet_check *c)
{
	struct call_error e = {0};

	if (c->wrong >= 0) {
		call_done(k, ticket, checked(c));
		return;
	}
	call_fail(&e, 503, "vault.damaged", "The vault cannot be checked",
		  "%s; 'bedwarden vault fsck' says more", strerror((int)-c->wrong));
	call_failed(k, ticket, &e);
}

void holdings_turn(struct keeper *k)
{
	const struct outlet_check *c = k->checking ? outlet_checked(k->outlet) : NULL;
	bool late = k->checking && clock_mono_ns() >= k->checking_ns;

	if (c)
		tell_checked(k, k->checking, c);
	else if (late)
		call_done(k, k->checking, json_pack("{s:b}", "done", 0));
	if (c || late)
		k->checking = 0;
}

uint64_t holdings_due(const struct keeper *k, uint64_t now_ns)
{
	return k->checking ? now_ns + CHECK_LOOK_MS * NSEC_PER_MSEC : UINT64_MAX;
}

/* Of a large vault it takes longer than anybody waits: it goes on, and is asked for again. */
static json_t *vault_check_call(struct keeper *k, const struct call_asker *by, const json_t *args,
				struct call_error *e)
{
	int err;

	if (!k->outlet)
		return holdings_closed(e);
	if (k->checking)
		return call_fail(e, 409, "vault.checking", "Somebody waits for a check already",
				 "ask again when it is done");
	err = outlet_check_begin(k->outlet, json_is_true(json_object_get(args, "content")));
	if (err == -EALREADY)
		return call_fail(e, 409, "vault.checking", "A check of the other kind is under way",
				 "ask for that one, or again when it is done");
	if (err < 0)
		return call_fail(e, 503, "vault.busy", "Others are being exported",
				 "%d at once; try again when one of them is done", OUTLET_MOST);
	k->checking = by->ticket;
	k->checking_ns = clock_mono_ns() + CHECK_MS * NSEC_PER_MSEC;
	return call_later(k, by, CHECK_MS + 5000, e);
}

struct log_page {
	json_t *rows;
	int64_t at, from, limit;
};

static int add_line(void *arg, int64_t time_ns, struct bytes line)
{
	struct log_page *l = arg;
	char when[CLOCK_EVE_LEN];
	json_t *o;

	if (l->at++ < l->from || json_array_size(l->rows) >= (size_t)l->limit)
		return 0;
	o = json_loadb((const char *)line.data, line.len, 0, NULL);
	clock_eve((uint64_t)time_ns, when);
	json_array_append_new(l->rows, json_pack("{s:I, s:s, s:o}", "line", (json_int_t)l->at,
						 "time", when, "entry", o ? o : text_of(line)));
	return 0;
}

/* What was destroyed, oldest first, as `bedwarden vault log` proves it. */
static json_t *vault_log_call(struct keeper *k, const struct call_asker *by, const json_t *args,
			      struct call_error *e)
{
	struct log_page l = {0};
	char next[24];
	json_t *ok;
	int err;

	if (!k->outlet)
		return holdings_closed(e);
	if (!take_page(args, &l.limit, &l.from, e))
		return NULL;
	l.rows = json_array();
	err = vault_log(outlet_vault(k->outlet), add_line, &l);
	vault_rest(outlet_vault(k->outlet));
	if (err < 0 && err != -EUCLEAN) {
		json_decref(l.rows);
		return call_fail(e, 503, "vault.damaged", "The vault's log cannot be read",
				 "%s; 'bedwarden vault fsck' says what is wrong", strerror(-err));
	}
	ok = json_pack("{s:o, s:b}", "lines", l.rows, "whole", err == 0);
	snprintf(next, sizeof(next), "%" PRId64, l.from + (int64_t)json_array_size(l.rows));
	if (l.from + (int64_t)json_array_size(l.rows) < l.at)
		json_object_set_new(ok, "next", json_string(next));
	return ok;
}

/* --- backups ------------------------------------------------------------------------------ */

static json_t *backup_make(struct keeper *k, const struct call_asker *by, const json_t *args,
			   struct call_error *e)
{
	int err = backups_now(k);

	if (err == -ENOENT)
		return call_fail(e, 422, "backup.off", "No backups are made here",
				 "name a folder on another disk with backup.to");
	if (err == -EBUSY)
		return call_fail(e, 409, "backup.busy", "One is being made",
				 "'backup' of status says when it is done");
	if (err < 0)
		return call_fail(e, 503, "backup.failed", "No backup can be made now",
				 "the keys are locked; 'backup' of status says more");
	return json_pack("{s:b}", "begun", 1);
}

#define ADMIN	PEOPLE_ONLY(PEOPLE_ADMINISTRATOR)
#define READERS (ADMIN | PEOPLE_ONLY(PEOPLE_AUDITOR))
#define LOOKERS (READERS | PEOPLE_ONLY(PEOPLE_CLINICAL_ENGINEER))

extern const struct call_row holding_calls[]; /* call.c's */
const struct call_row holding_calls[] = {
	{.name = "evidence.list", .fn = evidence_list, .roles = LOOKERS},
	{.name = "evidence.export",
	 .fn = evidence_export,
	 .roles = READERS,
	 .step_up = true,
	 .changes = true},
	{.name = "vault.list", .fn = vault_list, .roles = READERS},
	{.name = "vault.check", .fn = vault_check_call, .roles = READERS},
	{.name = "vault.log", .fn = vault_log_call, .roles = READERS},
	{.name = "vault.export",
	 .fn = vault_export,
	 .roles = ADMIN,
	 .step_up = true,
	 .changes = true},
	{.name = "backup.make", .fn = backup_make, .roles = ADMIN, .changes = true},
	{NULL},
};
