/* `bedwarden repo` key, init, delegate, rotate, renew: who may sign what. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/repo.h"
#include "update/repo/body.h"

#define ROOT_DAYS    365
#define TARGETS_DAYS 180
#define DAY	     86400

static int make_key(const struct repo_cli *o, const char *path, bool plain)
{
	enum signer_kind kind = SIGNER_ED25519;
	struct tuf_error e;
	int err;

	if (o->kind && signer_kind_read(o->kind, &kind) < 0)
		return cli_misuse("--kind '%s': expected ed25519, ecdsa or rsa", o->kind);
	err = signer_make(path, kind, plain ? NULL : &repo_cli_ask, &e);
	return err < 0 ? repo_cli_fail(err, &e) : CLI_OK;
}

int repo_cli_key(const struct repo_cli *o, int argc, char **argv)
{
	char id[SIGNER_ID], path[PATH_MAX];
	struct tuf_error e;
	json_t *key;
	int r;

	if (signer_is_token(argv[0]) != !!o->out)
		return cli_fail(
			"-o is for the public half of a key in a token: pkcs11:… -o FILE.pub");
	if (o->out) {
		snprintf(path, sizeof(path), "%s", o->out);
		r = signer_make_token(argv[0], path, &repo_cli_ask, &e);
		r = r < 0 ? repo_cli_fail(r, &e) : CLI_OK;
	} else {
		snprintf(path, sizeof(path), "%s.pub", argv[0]);
		r = make_key(o, argv[0], o->plain);
	}
	if (r != CLI_OK)
		return r;
	if (signer_public_read(path, &key, id, &e) < 0)
		return cli_fail("%s", e.text);
	json_decref(key);
	printf("%s  %s\n", id, path);
	return CLI_OK;
}

/* --- init ------------------------------------------------------------------------------------ */

/* The public keys that were named for a role; where none were, one is made in DIR/keys. */
static int give_keys(const struct repo_cli *o, const char *dir, json_t *root, const char *role,
		     const char *file, const struct repo_list *named)
{
	char made[PATH_MAX], id[SIGNER_ID];
	const char *made_path = made;
	struct repo_list one = {.at = {made_path}, .count = 1};
	const struct repo_list *list = named->count ? named : &one;
	struct tuf_error e;
	json_t *key;
	int err;

	snprintf(made, sizeof(made), "%s/keys/%s.key.pub", dir, file);
	for (unsigned i = 0; i < list->count; i++) {
		if (signer_public_read(list->at[i], &key, id, &e) < 0)
			return cli_fail("%s", e.text);
		err = body_add_key(body_keys(root), body_find_role(root, role), id, key);
		json_decref(key);
		if (err < 0)
			return cli_fail("out of memory");
	}
	return CLI_OK;
}

static int make_missing(const struct repo_cli *o, const char *dir)
{
	const struct {
		const char *file;
		const struct repo_list *named;
		bool plain; /* used by a program every day */
	} t[] = {{"root", &o->root, o->plain},
		 {"targets", &o->targets, o->plain},
		 {"online", &o->online, true}};
	char path[PATH_MAX];
	int r = CLI_OK;

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]) && r == CLI_OK; i++) {
		if (t[i].named->count)
			continue;
		snprintf(path, sizeof(path), "%s/keys/%s.key", dir, t[i].file);
		/* An earlier try may have been given up after this one was made. */
		if (access(path, F_OK) == 0)
			continue;
		r = make_key(o, path, t[i].plain);
		if (r == CLI_OK)
			printf("made %s%s\n", path, t[i].plain ? " (not sealed)" : "");
	}
	return r;
}

static int set_threshold(json_t *role, int threshold)
{
	size_t keys = json_array_size(json_object_get(role, "keyids"));

	if (!threshold)
		threshold = (int)json_integer_value(json_object_get(role, "threshold"));
	if ((size_t)threshold > keys)
		return cli_fail("a threshold of %d needs as many keys, and there are %zu",
				threshold, keys);
	return json_object_set_new(role, "threshold", json_integer(threshold)) < 0
		       ? cli_fail("out of memory")
		       : CLI_OK;
}

static int save_new(struct repo *r, const char *role, json_t *whole, int days)
{
	struct tuf_error e;

	if (body_expire(whole, (int64_t)time(NULL) + (int64_t)days * DAY) < 0)
		return cli_fail("out of memory");
	return repo_save(r, role, whole, &e) < 0 ? cli_fail("%s", e.text) : CLI_OK;
}

static int fill_root(const struct repo_cli *o, const char *dir, json_t *root)
{
	int r = give_keys(o, dir, root, "root", "root", &o->root);

	if (r == CLI_OK)
		r = give_keys(o, dir, root, "targets", "targets", &o->targets);
	if (r == CLI_OK)
		r = give_keys(o, dir, root, "snapshot", "online", &o->online);
	if (r == CLI_OK)
		r = give_keys(o, dir, root, "timestamp", "online", &o->online);
	if (r == CLI_OK)
		r = set_threshold(body_find_role(root, "root"), o->root_threshold);
	if (r == CLI_OK)
		r = set_threshold(body_find_role(root, "targets"), o->targets_threshold);
	return r;
}

int repo_cli_init(const struct repo_cli *o, int argc, char **argv)
{
	json_t *root = body_new_root(), *targets = body_new_targets();
	struct repo *r = NULL;
	struct tuf_error e;
	int c = root && targets ? CLI_OK : cli_fail("out of memory");

	if (c == CLI_OK && repo_create(argv[0], &e) < 0)
		c = cli_fail("%s", e.text);
	if (c == CLI_OK)
		c = make_missing(o, argv[0]);
	if (c == CLI_OK)
		c = fill_root(o, argv[0], root);
	if (c == CLI_OK && !(r = repo_cli_open(argv[0])))
		c = CLI_FAILED;
	if (c == CLI_OK)
		c = save_new(r, "targets", targets, o->days ? o->days : TARGETS_DAYS);
	if (c == CLI_OK) /* the last, for it makes a repository of the folder */
		c = save_new(r, "root", root, o->days ? o->days : ROOT_DAYS);
	if (c == CLI_OK)
		printf("next: 'bedwarden repo sign %s', then 'bedwarden repo publish %s'\n",
		       argv[0], argv[0]);
	repo_close(r);
	json_decref(root);
	json_decref(targets);
	return c;
}

/* --- changes --------------------------------------------------------------------------------- */

static int add_keys(json_t *whole, json_t *role, const struct repo_list *add)
{
	char id[SIGNER_ID];
	struct tuf_error e;
	json_t *key;
	int err;

	for (unsigned i = 0; i < add->count; i++) {
		if (signer_public_read(add->at[i], &key, id, &e) < 0)
			return cli_fail("%s", e.text);
		err = body_add_key(body_keys(whole), role, id, key);
		json_decref(key);
		if (err < 0)
			return cli_fail("out of memory");
	}
	return CLI_OK;
}

static int remove_keys(json_t *role, const char *name, const struct repo_list *remove)
{
	char id[SIGNER_ID];
	json_t *key;

	for (unsigned i = 0; i < remove->count; i++) {
		const char *which = remove->at[i];

		/* A public key's file, or its id. */
		if (signer_public_read(which, &key, id, NULL) == 0) {
			json_decref(key);
			which = id;
		}
		if (body_remove_key(role, which) < 0)
			return cli_fail("role '%s' has no key '%s'; name its file or its id", name,
					remove->at[i]);
	}
	return CLI_OK;
}

static json_t *roles_of(const json_t *whole)
{
	json_t *body = json_object_get(whole, "signed"), *roles = json_object_get(body, "roles");

	return roles ? roles : json_object_get(json_object_get(body, "delegations"), "roles");
}

static json_t *paths_of(const struct repo_cli *o, const char *role)
{
	json_t *paths = json_array();
	char own[REPO_ROLE_MAX + 4];

	for (unsigned i = 0; i < o->paths.count; i++)
		json_array_append_new(paths, json_string(o->paths.at[i]));
	if (!o->paths.count) {
		snprintf(own, sizeof(own), "%s/*", role);
		json_array_append_new(paths, json_string(own));
	}
	return paths;
}

static int delegate_in(const struct repo_cli *o, json_t *whole, const char *name)
{
	json_t *paths = paths_of(o, name), *role = NULL;
	int r = body_delegate(whole, name, paths, o->terminating, &role) < 0
			? cli_fail("out of memory")
			: CLI_OK;

	if (r == CLI_OK)
		r = add_keys(whole, role, &o->keys);
	if (r == CLI_OK)
		r = set_threshold(role, o->threshold);
	json_decref(paths);
	return r;
}

/* The role begins empty, so that its keepers have something to add to and to sign. */
static int begin_role(struct repo *r, const struct repo_cli *o, const char *name)
{
	json_t *whole;
	int c;

	if (repo_latest(r, name, &whole, NULL) == 0) {
		json_decref(whole);
		return CLI_OK;
	}
	whole = body_new_targets();
	c = whole ? save_new(r, name, whole, o->days ? o->days : TARGETS_DAYS)
		  : cli_fail("out of memory");
	json_decref(whole);
	return c;
}

int repo_cli_delegate(const struct repo_cli *o, int argc, char **argv)
{
	const char *name = argv[1], *by = o->by ? o->by : "targets";
	struct repo *r;
	json_t *whole = NULL;
	struct tuf_error e;
	int c = CLI_OK;

	if (!repo_role_is_good(name) || tuf_type_is_name(name))
		return cli_fail(
			"'%s' is no name for a role: letters, digits, '-', '_' and '.', and "
			"none of the four top-level ones",
			name);
	if (!o->keys.count)
		return cli_fail("whose is '%s'? name its keepers' public keys with --key", name);
	r = repo_cli_open(argv[0]);
	if (!r)
		return CLI_FAILED;
	if (repo_edit(r, by, o->days ? o->days : TARGETS_DAYS, &whole, &e) < 0)
		c = cli_fail("%s", e.text);
	else if (body_find_role(whole, name))
		c = cli_fail("'%s' delegates to '%s' already; 'bedwarden repo rotate' changes its "
			     "keys",
			     by, name);
	if (c == CLI_OK)
		c = delegate_in(o, whole, name);
	if (c == CLI_OK && repo_save(r, by, whole, &e) < 0)
		c = cli_fail("%s", e.text);
	if (c == CLI_OK)
		c = begin_role(r, o, name);
	json_decref(whole);
	repo_close(r);
	return c;
}

static int rotate_in(const struct repo_cli *o, json_t *whole, const char *name)
{
	json_t *role = body_find_role(whole, name);
	int r = add_keys(whole, role, &o->add);

	if (r == CLI_OK)
		r = remove_keys(role, name, &o->remove);
	if (r == CLI_OK)
		r = set_threshold(role, o->threshold);
	body_tidy_keys(body_keys(whole), roles_of(whole));
	return r;
}

static int rotate_one(struct repo *r, const struct repo_cli *o, const char *name)
{
	char by[REPO_ROLE_MAX];
	struct tuf_signers signers;
	json_t *whole = NULL, *owner;
	struct tuf_error e;
	int c;

	if (repo_signers(r, name, &signers, &owner, by, &e) < 0)
		return cli_fail("%s", e.text);
	json_decref(owner);
	if (repo_edit(r, by,
		      o->days			? o->days
		      : strcmp(by, "root") == 0 ? ROOT_DAYS
						: TARGETS_DAYS,
		      &whole, &e) < 0)
		return cli_fail("%s", e.text);
	c = rotate_in(o, whole, name);
	if (c == CLI_OK && repo_save(r, by, whole, &e) < 0)
		c = cli_fail("%s", e.text);
	if (c == CLI_OK)
		printf("the keys of '%s' change with version %d of '%s'\n", name,
		       (int)json_integer_value(
			       json_object_get(json_object_get(whole, "signed"), "version")),
		       by);
	json_decref(whole);
	return c;
}

/* What was signed with the old keys alone is signed again. */
static int restage(struct repo *r, const struct repo_cli *o, const char *name)
{
	json_t *whole;
	struct tuf_error e;
	int c = CLI_OK;

	if (!o->remove.count || strcmp(name, "root") == 0 || strcmp(name, "snapshot") == 0 ||
	    strcmp(name, "timestamp") == 0)
		return CLI_OK;
	if (repo_edit(r, name, o->days ? o->days : TARGETS_DAYS, &whole, &e) < 0)
		return cli_fail("%s", e.text);
	if (repo_save(r, name, whole, &e) < 0)
		c = cli_fail("%s", e.text);
	json_decref(whole);
	return c;
}

int repo_cli_rotate(const struct repo_cli *o, int argc, char **argv)
{
	struct repo *r;
	int c = CLI_OK;

	if (!o->add.count && !o->remove.count && !o->threshold)
		return cli_fail("what is to change? --add-key, --remove-key, --threshold");
	r = repo_cli_open(argv[0]);
	if (!r)
		return CLI_FAILED;
	for (int i = 1; i < argc && c == CLI_OK; i++) {
		c = rotate_one(r, o, argv[i]);
		if (c == CLI_OK)
			c = restage(r, o, argv[i]);
	}
	repo_close(r);
	return c;
}

int repo_cli_renew(const struct repo_cli *o, int argc, char **argv)
{
	struct repo *r = repo_cli_open(argv[0]);
	struct tuf_error e;
	json_t *whole;
	int c = r ? CLI_OK : CLI_FAILED;

	for (int i = 1; i < argc && c == CLI_OK; i++) {
		int days = strcmp(argv[i], "root") == 0 ? ROOT_DAYS : TARGETS_DAYS;

		if (repo_edit(r, argv[i], o->days ? o->days : days, &whole, &e) < 0) {
			c = cli_fail("%s", e.text);
			break;
		}
		if (repo_save(r, argv[i], whole, &e) < 0)
			c = cli_fail("%s", e.text);
		json_decref(whole);
	}
	repo_close(r);
	return c;
}
