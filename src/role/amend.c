#include "role/amend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/crypto.h"
#include "base/diff.h"
#include "base/file.h"
#include "base/hex.h"
#include "guard/policy/policy.h"
#include "role/call.h"
#include "role/keeper.h"

#define AMENDS	  8
#define OTHERS_MS 3000
#define APPLY_MS  30000 /* for a policy to be read, compiled and taken into force */
#define ERRORS	  64
#define HASH_HEX  (2 * CRYPTO_HASH + 1)

/* What the parent was asked for a call. */
struct amend {
	uint32_t ask, ticket; /* 0: free */
	uint64_t until_ns;
	char *text; /* what was to be put in the file's place; NULL: it was only asked for */
};

struct amends {
	const char *config_file;
	struct amend list[AMENDS];
};

struct amends *amends_new(const char *config_file)
{
	struct amends *a = calloc(1, sizeof(*a));

	if (a)
		a->config_file = config_file;
	return a;
}

static void done_with(struct amend *a)
{
	free(a->text);
	*a = (struct amend){0};
}

void amends_free(struct amends *a)
{
	for (unsigned i = 0; a && i < AMENDS; i++)
		done_with(&a->list[i]);
	free(a);
}

static struct amend *amend_new(struct keeper *k, const struct call_asker *by, uint32_t ms,
			       struct call_error *e)
{
	uint64_t now = clock_mono_ns();

	for (unsigned i = 0; i < AMENDS; i++) {
		struct amend *a = &k->amends->list[i];

		if (a->ask && now >= a->until_ns)
			done_with(a);
		if (a->ask)
			continue;
		*a = (struct amend){.ask = ++k->asked,
				    .ticket = by->ticket,
				    .until_ns = now + 2 * ms * NSEC_PER_MSEC};
		return a;
	}
	call_fail(e, 503, "gateway.busy", "Too much is asked at once", "try again");
	return NULL;
}

static void hash_hex(struct bytes text, char ret_hex[HASH_HEX])
{
	uint8_t hash[CRYPTO_HASH] = {0};

	crypto_sha256(text, hash);
	hex_write(hash, CRYPTO_HASH, ret_hex);
}

static bool hash_read(const char *hex, uint8_t ret_hash[CRYPTO_HASH])
{
	return hex && hex_read_small((struct bytes){(const uint8_t *)hex, strlen(hex)}, ret_hash,
				     CRYPTO_HASH);
}

/* --- policy.get ------------------------------------------------------------ */

static json_t *busy(struct amend *a, struct call_error *e)
{
	done_with(a);
	return call_fail(e, 503, "gateway.busy", "The parent process is busy", "try again");
}

static json_t *get(struct keeper *k, const struct call_asker *by, const json_t *args,
		   struct call_error *e)
{
	struct amend *a = amend_new(k, by, OTHERS_MS, e);

	if (!a)
		return NULL;
	if (ipc_send(k->parent, IPC_POLICY_FILE, a->ask, (struct bytes){0}, -1) != 0)
		return busy(a, e);
	return call_later(k, by, OTHERS_MS, e);
}

/* --- policy.check ---------------------------------------------------------- */

static json_t *errors_json(const struct config_error *errors, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *o = json_pack("{s:s*, s:i, s:i, s:s*}", "file", errors[i].file, "line",
				      (int)errors[i].line, "column", (int)errors[i].column, "text",
				      errors[i].text);

		if (o)
			json_array_append_new(list, o);
	}
	return list;
}

/* What it would guard, or *ret_errors, everything that is wrong with it. */
static json_t *judge(struct keeper *k, struct bytes text, json_t **ret_errors)
{
	struct config_error *errors = calloc(ERRORS, sizeof(*errors));
	struct config *c = NULL;
	struct policy *p = NULL;
	json_t *ok = NULL;
	size_t count = 0;
	char why[256] = "out of memory";

	if (errors)
		c = config_parse(k->amends->config_file, text, errors, ERRORS, &count);
	if (c)
		p = policy_compile(c, NULL, 0, 1, why);
	if (p)
		ok = json_pack("{s:b, s:i, s:i, s:i}", "valid", 1, "devices", (int)c->devices_count,
			       "hosts", (int)c->hosts_count, "segments", (int)c->segments_count);
	if (!ok && errors && count == 0)
		snprintf(errors[count++].text, sizeof(errors[0].text), "%s", why);
	if (!ok)
		*ret_errors = errors_json(errors, count);
	policy_free(p);
	config_free(c);
	free(errors);
	return ok;
}

/* The argument `text`; false: e says what is wrong. */
static bool take_text(const json_t *args, struct bytes *ret_text, struct call_error *e)
{
	const char *text = call_text(args, "text");

	if (!text || !*text || strlen(text) > AMEND_TEXT_MAX) {
		call_fail(e, 400, "call.argument", "An argument is not what it must be",
			  "text: a policy file's text, at most %u bytes", AMEND_TEXT_MAX);
		return false;
	}
	*ret_text = (struct bytes){(const uint8_t *)text, strlen(text)};
	return true;
}

static json_t *check(struct keeper *k, const struct call_asker *by, const json_t *args,
		     struct call_error *e)
{
	struct bytes text;
	json_t *ok, *errors = NULL;

	if (!take_text(args, &text, e))
		return NULL;
	ok = judge(k, text, &errors);
	return ok ? ok : json_pack("{s:b, s:o}", "valid", 0, "errors", errors);
}

/* --- policy.apply ---------------------------------------------------------- */

/* A memfd of the text; -errno. */
static int text_fd(struct bytes text)
{
	int fd = memfd_create("policy", MFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = file_write(fd, text);
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

static json_t *send_text(struct keeper *k, const struct call_asker *by, struct bytes text,
			 const uint8_t base[CRYPTO_HASH], struct call_error *e)
{
	struct amend *a = amend_new(k, by, APPLY_MS, e);
	int fd = a ? text_fd(text) : -1, err;

	if (!a)
		return NULL;
	a->text = strndup((const char *)text.data, text.len);
	if (fd < 0 || !a->text) {
		if (fd >= 0)
			close(fd);
		done_with(a);
		return call_fail(e, 500, "gateway.memory", "Out of memory", "try again");
	}
	err = ipc_send(k->parent, IPC_POLICY_TEXT, a->ask, (struct bytes){base, CRYPTO_HASH}, fd);
	close(fd);
	return err ? busy(a, e) : call_later(k, by, APPLY_MS, e);
}

static json_t *apply(struct keeper *k, const struct call_asker *by, const json_t *args,
		     struct call_error *e)
{
	uint8_t base[CRYPTO_HASH];
	json_t *ok, *errors = NULL;
	struct bytes text;

	if (!take_text(args, &text, e))
		return NULL;
	if (!hash_read(call_text(args, "base"), base))
		return call_fail(e, 400, "call.argument", "An argument is not what it must be",
				 "base: the 'hash' that policy.get gave with the text you changed");
	ok = judge(k, text, &errors);
	json_decref(ok);
	if (ok)
		return send_text(k, by, text, base, e);
	call_fail(e, 422, "policy.invalid", "The policy is refused, the one in force stays",
		  "%zu things are wrong with it, listed in 'errors'", json_array_size(errors));
	e->more = json_pack("{s:o}", "errors", errors);
	return NULL;
}

/* --- what the parent said --------------------------------------------------- */

static struct amend *by_ask(struct keeper *k, uint32_t ask)
{
	for (unsigned i = 0; i < AMENDS; i++)
		if (ask && k->amends->list[i].ask == ask)
			return &k->amends->list[i];
	return NULL;
}

/* The file is another by now: what it says, and how what was sent differs from that. */
static void conflict(struct keeper *k, struct amend *a, struct bytes now)
{
	char *difference =
		diff_unified(now, (struct bytes){(const uint8_t *)a->text, strlen(a->text)});
	struct call_error e = {0};
	char hex[HASH_HEX];

	hash_hex(now, hex);
	call_fail(&e, 409, "policy.changed", "Somebody else has changed the policy meanwhile",
		  "'difference' leads from theirs to yours; put both together, and apply that with "
		  "'hash' as its base");
	e.more = json_pack("{s:s}", "hash", hex);
	if (difference)
		json_object_set_new(e.more, "difference", json_string(difference));
	json_object_set_new(e.more, "text", json_stringn((const char *)now.data, now.len));
	call_failed(k, a->ticket, &e);
	free(difference);
}

static void got_text(struct keeper *k, struct amend *a, struct ipc_message *m)
{
	struct call_error e = {0};
	struct bytes text;
	char hex[HASH_HEX];
	json_t *ok;
	int err;

	err = file_read_memory(m->fd, AMEND_TEXT_MAX, &text);
	if (err != 0) {
		call_fail(&e, 500, "policy.unreadable", "The policy file cannot be read", "%s",
			  strerror(-err));
		call_failed(k, a->ticket, &e);
		return;
	}
	if (a->text) {
		conflict(k, a, text);
	} else {
		hash_hex(text, hex);
		ok = json_pack("{s:s%, s:s, s:s}", "text", (const char *)text.data, text.len,
			       "hash", hex, "file", k->amends->config_file);
		if (ok) {
			call_done(k, a->ticket, ok);
		} else {
			call_fail(&e, 500, "policy.unreadable", "The policy file is no UTF-8 text",
				  "mend it on the box");
			call_failed(k, a->ticket, &e);
		}
	}
	free((void *)text.data);
}

static void got_answer(struct keeper *k, struct amend *a, const struct ipc_message *m)
{
	json_t *answer = json_loadb((const char *)m->body.data, m->body.len, 0, NULL);
	const char *error = json_string_value(json_object_get(answer, "error"));
	struct call_error e = {0};
	char hex[HASH_HEX];

	if (json_is_object(answer) && !error && a->text) {
		hash_hex((struct bytes){(const uint8_t *)a->text, strlen(a->text)}, hex);
		json_object_set_new(answer, "hash", json_string(hex));
		call_done(k, a->ticket, answer);
		return;
	}
	call_fail(&e, error ? 422 : 500, error ? "policy.refused" : "gateway.nonsense",
		  error ? "The policy is refused, the one in force stays"
			: "The parent process answered nonsense",
		  "%s", error ? error : "see the gateway's log");
	call_failed(k, a->ticket, &e);
	json_decref(answer);
}

void amend_answer(struct keeper *k, struct ipc_message *m)
{
	struct amend *a = by_ask(k, m->id);

	if (!a)
		return; /* it did not wait */
	if (m->type == IPC_POLICY_TEXT)
		got_text(k, a, m);
	else
		got_answer(k, a, m);
	done_with(a);
}

#define EDITORS (PEOPLE_ONLY(PEOPLE_ADMINISTRATOR) | PEOPLE_ONLY(PEOPLE_CLINICAL_ENGINEER))

const struct call_row policy_calls[] = {
	{.name = "policy.get", .fn = get, .roles = EDITORS | PEOPLE_ONLY(PEOPLE_AUDITOR)},
	{.name = "policy.check", .fn = check, .roles = EDITORS},
	{.name = "policy.apply", .fn = apply, .roles = EDITORS, .step_up = true, .changes = true},
	{NULL},
};
