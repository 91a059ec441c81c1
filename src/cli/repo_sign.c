/* `bedwarden repo` sign, take, publish, status: signatures, and what comes of them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/repo.h"
#include "update/repo/body.h"

#define FILE_MAX_      (32u << 20)
#define TIMESTAMP_DAYS 7
#define SNAPSHOT_DAYS  30
#define TIDY_DAYS      30

/* --- keys ------------------------------------------------------------------------------------ */

static bool is_wanted(const json_t *wanted, const char *id)
{
	return !wanted || json_object_get(wanted, id);
}

/* The id without the private half, and so without a passphrase. */
static bool peek_id(const char *path, char ret_id[SIGNER_ID])
{
	char public[PATH_MAX];
	json_t *key;

	snprintf(public, sizeof(public), "%s.pub", path);
	if (signer_public_read(public, &key, ret_id, NULL) < 0)
		return false;
	json_decref(key);
	return true;
}

static int open_key(const char *path, const json_t *wanted, struct signer **signers,
		    unsigned *count)
{
	char id[SIGNER_ID];
	struct tuf_error e;
	int err;

	if (peek_id(path, id) && !is_wanted(wanted, id))
		return CLI_OK;
	if (*count == REPO_LIST_MAX)
		return cli_fail("more than %d keys", REPO_LIST_MAX);
	err = signer_open(path, &repo_cli_ask, &signers[*count], &e);
	if (err < 0)
		return repo_cli_fail(err, &e);
	if (is_wanted(wanted, signer_id(signers[*count])))
		++*count;
	else
		signer_free(signers[*count]);
	return CLI_OK;
}

static int open_folder(struct repo *r, const json_t *wanted, struct signer **signers,
		       unsigned *count)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	DIR *d;
	int c = CLI_OK;

	snprintf(path, sizeof(path), "%s/keys", repo_dir(r));
	d = opendir(path);
	while (d && c == CLI_OK && (entry = readdir(d))) {
		size_t len = strlen(entry->d_name);

		if (len < 5 || strcmp(entry->d_name + len - 4, ".key") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/keys/%s", repo_dir(r), entry->d_name);
		c = open_key(path, wanted, signers, count);
	}
	if (d)
		closedir(d);
	return c;
}

static void close_signers(struct signer **signers, unsigned count)
{
	while (count > 0)
		signer_free(signers[--count]);
}

/* The keys that were named, or else those that lie in DIR/keys, of which `signers` (NULL: all)
 * tells the ids that matter. Their passphrases are asked for. CLI_OK or CLI_FAILED. */
static int signers_of(struct repo *r, const struct repo_cli *o, const json_t *wanted,
		      struct signer **ret_signers, unsigned *ret_count)
{
	int c = CLI_OK;

	*ret_count = 0;
	for (unsigned i = 0; i < o->keys.count && c == CLI_OK; i++)
		c = open_key(o->keys.at[i], wanted, ret_signers, ret_count);
	if (c == CLI_OK && !o->keys.count && r)
		c = open_folder(r, wanted, ret_signers, ret_count);
	if (c != CLI_OK)
		close_signers(ret_signers, *ret_count);
	return c;
}

static void want(json_t *wanted, const struct tuf_signers *by)
{
	json_t *entry;
	size_t i;

	json_array_foreach (by->keyids, i, entry)
		json_object_set_new(wanted, json_string_value(entry), json_true());
}

/* Everybody who may sign the draft of a role; for a new root those of the old one too. */
static int want_for(struct repo *r, const char *role, json_t *wanted)
{
	struct tuf_signers by;
	json_t *owner, *old;
	struct tuf_error e;

	if (repo_signers(r, role, &by, &owner, NULL, &e) < 0)
		return cli_fail("%s", e.text);
	want(wanted, &by);
	json_decref(owner);
	if (strcmp(role, "root") == 0 && repo_published(r, "root", &old, NULL) == 0) {
		by.keyids = json_object_get(body_find_role(old, "root"), "keyids");
		want(wanted, &by);
		json_decref(old);
	}
	return CLI_OK;
}

/* --- sign ------------------------------------------------------------------------------------ */

static int64_t number(const json_t *whole, const char *field)
{
	return json_integer_value(json_object_get(json_object_get(whole, "signed"), field));
}

static const char *text(const json_t *whole, const char *field)
{
	return json_string_value(json_object_get(json_object_get(whole, "signed"), field));
}

/* What somebody puts a name to. */
static void show_draft(const char *role, const json_t *whole)
{
	const json_t *targets = json_object_get(json_object_get(whole, "signed"), "targets");

	printf("%s version %" PRId64 ", expires %s", role, number(whole, "version"),
	       text(whole, "expires"));
	if (targets)
		printf(", %zu targets", json_object_size(targets));
	printf(": ");
}

/* How many of the keys that count have signed. */
static unsigned count_good(const json_t *whole, const struct tuf_signers *by)
{
	json_t *entry, *id;
	unsigned good = 0;
	size_t i, k;

	json_array_foreach (json_object_get(whole, "signatures"), i, entry)
		json_array_foreach (by->keyids, k, id)
			good += json_equal(json_object_get(entry, "keyid"), id);
	return good;
}

static int sign_with(json_t *whole, struct signer **signers, unsigned count, const json_t *wanted,
		     unsigned *ret_new)
{
	struct tuf_error e;
	bool fresh;

	*ret_new = 0;
	for (unsigned i = 0; i < count; i++) {
		if (!is_wanted(wanted, signer_id(signers[i])))
			continue;
		if (repo_sign(whole, signers[i], &fresh, &e) < 0)
			return cli_fail("%s", e.text);
		*ret_new += fresh;
	}
	return CLI_OK;
}

static int sign_draft(struct repo *r, const struct repo_cli *o, const char *role,
		      struct signer **signers, unsigned count)
{
	json_t *whole = NULL, *wanted = json_object(), *owner;
	struct tuf_signers by;
	struct tuf_error e;
	unsigned fresh;
	int c = CLI_OK;

	if (repo_draft(r, role, &whole, &e) < 0)
		c = cli_fail("%s", e.text);
	if (c == CLI_OK)
		c = want_for(r, role, wanted);
	if (c == CLI_OK)
		c = sign_with(whole, signers, count, wanted, &fresh);
	if (c == CLI_OK && fresh && repo_save_signed(r, role, whole, &e) < 0)
		c = cli_fail("%s", e.text);
	if (c == CLI_OK && repo_signers(r, role, &by, &owner, NULL, &e) < 0)
		c = cli_fail("%s", e.text);
	if (c == CLI_OK) {
		show_draft(role, whole);
		printf("%u new, %u of %" PRId64 " signatures\n", fresh, count_good(whole, &by),
		       by.threshold);
		json_decref(owner);
	}
	json_decref(wanted);
	json_decref(whole);
	return c;
}

/* A draft on its travels: there is nothing here to say who may sign it. */
static int sign_file(const struct repo_cli *o, const char *path)
{
	struct signer *signers[REPO_LIST_MAX];
	struct tuf_metadata *m;
	struct tuf_error e;
	struct bytes raw;
	unsigned count, fresh = 0;
	char *out;
	int c = CLI_OK, err = file_read(path, FILE_MAX_, &raw);

	if (err < 0)
		return cli_fail("%s: %s", path, strerror(-err));
	if (!o->keys.count)
		c = cli_fail("with which key? name it with --key");
	err = TUF_ROOT;
	while (c == CLI_OK && tuf_metadata_parse(raw, (enum tuf_type)err, path, &m, &e) < 0)
		if (++err == TUF_TYPES)
			c = cli_fail("%s", e.text);
	free((void *)raw.data);
	if (c != CLI_OK)
		return c;
	c = signers_of(NULL, o, NULL, signers, &count);
	if (c == CLI_OK) {
		c = sign_with(m->whole, signers, count, NULL, &fresh);
		close_signers(signers, count);
	}
	out = c == CLI_OK ? json_dumps(m->whole, JSON_INDENT(1)) : NULL;
	if (out &&
	    (err = file_replace(path, (struct bytes){(uint8_t *)out, strlen(out)}, 0644)) < 0)
		c = cli_fail("%s: %s", path, strerror(-err));
	if (c == CLI_OK) {
		show_draft(tuf_type_name(m->type), m->whole);
		printf("%u new, %zu signatures\n", fresh,
		       json_array_size(json_object_get(m->whole, "signatures")));
	}
	free(out);
	tuf_metadata_free(m);
	return c;
}

static int sign_all(struct repo *r, const struct repo_cli *o, const json_t *roles)
{
	struct signer *signers[REPO_LIST_MAX];
	json_t *wanted = json_object(), *entry;
	unsigned count;
	size_t i;
	int c = CLI_OK;

	json_array_foreach (roles, i, entry)
		if (c == CLI_OK)
			c = want_for(r, json_string_value(entry), wanted);
	if (c == CLI_OK)
		c = signers_of(r, o, wanted, signers, &count);
	json_decref(wanted);
	if (c != CLI_OK)
		return c;
	json_array_foreach (roles, i, entry)
		if (c == CLI_OK)
			c = sign_draft(r, o, json_string_value(entry), signers, count);
	if (c == CLI_OK && !count)
		c = cli_fail("none of the keys here may sign these drafts");
	close_signers(signers, count);
	return c;
}

int repo_cli_sign(const struct repo_cli *o, int argc, char **argv)
{
	struct tuf_error e;
	struct repo *r;
	struct stat st;
	json_t *roles;
	int c;

	if (stat(argv[0], &st) == 0 && S_ISREG(st.st_mode))
		return argc == 1 ? sign_file(o, argv[0])
				 : cli_fail("%s is a draft and no repository", argv[0]);
	r = repo_cli_open(argv[0]);
	if (!r)
		return CLI_FAILED;
	if (argc == 2)
		roles = json_pack("[s]", argv[1]);
	else if (repo_drafts(r, &roles, &e) < 0)
		roles = NULL;
	if (!roles)
		c = cli_fail("%s", e.text);
	else if (json_array_size(roles) == 0)
		c = cli_fail("nothing waits to be signed");
	else
		c = sign_all(r, o, roles);
	json_decref(roles);
	repo_close(r);
	return c;
}

/* --- take ------------------------------------------------------------------------------------ */

static int role_of(const char *path, char ret_role[REPO_ROLE_MAX])
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t len = strlen(base);

	if (len <= 5 || len - 5 >= REPO_ROLE_MAX || strcmp(base + len - 5, ".json") != 0)
		return -EINVAL;
	memcpy(ret_role, base, len - 5);
	ret_role[len - 5] = 0;
	return repo_role_is_good(ret_role) ? 0 : -EINVAL;
}

static enum tuf_type type_of(const char *role)
{
	for (unsigned i = 0; i < TUF_TYPES; i++)
		if (strcmp(role, tuf_type_name((enum tuf_type)i)) == 0)
			return (enum tuf_type)i;
	return TUF_TARGETS;
}

/* The same draft gets the signatures it lacks; another takes its place, if anybody who may signed
 * it. */
static int take_draft(struct repo *r, const char *role, struct tuf_metadata *m)
{
	struct tuf_signers by;
	json_t *mine = NULL, *owner;
	struct tuf_error e;
	unsigned fresh = 0, good;
	int err;

	if (repo_draft(r, role, &mine, NULL) == 0 &&
	    repo_merge(mine, m->whole, &fresh, NULL) == 0) {
		err = repo_save_signed(r, role, mine, &e);
		json_decref(mine);
		if (err < 0)
			return cli_fail("%s", e.text);
		printf("%s version %" PRId64 ": %u signatures came\n", role, m->version, fresh);
		return CLI_OK;
	}
	json_decref(mine);
	if (repo_signers(r, role, &by, &owner, NULL, &e) < 0)
		return cli_fail("%s", e.text);
	by.threshold = 1;
	err = tuf_metadata_verify(m, &by, role, &e);
	good = count_good(m->whole, &by);
	json_decref(owner);
	if (err == 0)
		err = repo_save_signed(r, role, m->whole, &e);
	if (err < 0)
		return cli_fail("%s", e.text);
	printf("%s version %" PRId64 " taken, %u signatures\n", role, m->version, good);
	return CLI_OK;
}

static bool has_hash(const char *path, const struct tuf_file *want)
{
	struct hashing *h = hashing_new(want);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t *piece = malloc(1 << 18);
	ssize_t n = -1;

	while (h && fd >= 0 && piece && (n = read(fd, piece, 1 << 18)) > 0)
		if (hashing_add(h, piece, (size_t)n) < 0)
			break;
	if (fd >= 0)
		close(fd);
	free(piece);
	n = n == 0 && hashing_fits(h);
	hashing_free(h);
	return n;
}

/* A file goes under every name that the role lists it by. */
static int take_target(struct repo *r, const char *path, const struct tuf_metadata *m)
{
	struct tuf_file want, got;
	struct tuf_error e;
	const char *name;
	json_t *entry;
	bool found = false;
	struct stat st;

	if (stat(path, &st) < 0)
		return cli_fail("%s: %s", path, strerror(errno));
	json_object_foreach (json_object_get(m->body, "targets"), name, entry) {
		if (tuf_file_of_target(entry, &want) < 0 || want.length != st.st_size ||
		    !has_hash(path, &want))
			continue;
		if (repo_put_target(r, path, name, &got, &e) < 0)
			return cli_fail("%s", e.text);
		printf("%s\n", name);
		found = true;
	}
	return found ? CLI_OK : cli_fail("%s is no target that this role lists", path);
}

int repo_cli_take(const struct repo_cli *o, int argc, char **argv)
{
	char role[REPO_ROLE_MAX];
	struct tuf_metadata *m;
	struct tuf_error e;
	struct repo *r;
	struct bytes raw;
	int c, err;

	if (role_of(argv[1], role) < 0)
		return cli_fail("%s: a draft is a file ROLE.json", argv[1]);
	err = file_read(argv[1], FILE_MAX_, &raw);
	if (err < 0)
		return cli_fail("%s: %s", argv[1], strerror(-err));
	err = tuf_metadata_parse(raw, type_of(role), role, &m, &e);
	free((void *)raw.data);
	if (err < 0)
		return cli_fail("%s: %s", argv[1], e.text);
	r = repo_cli_open(argv[0]);
	c = r ? take_draft(r, role, m) : CLI_FAILED;
	for (int i = 2; i < argc && c == CLI_OK; i++)
		c = take_target(r, argv[i], m);
	repo_close(r);
	tuf_metadata_free(m);
	return c;
}

/* --- publish, status ------------------------------------------------------------------------- */

static void note(void *arg, const char *line)
{
	puts(line);
}

int repo_cli_publish(const struct repo_cli *o, int argc, char **argv)
{
	struct signer *signers[REPO_LIST_MAX];
	struct repo *r = repo_cli_open(argv[0]);
	json_t *wanted = json_object();
	struct tuf_error e;
	unsigned count = 0;
	int c = r ? want_for(r, "snapshot", wanted) : CLI_FAILED;

	if (c == CLI_OK)
		c = want_for(r, "timestamp", wanted);
	if (c == CLI_OK)
		c = signers_of(r, o, wanted, signers, &count);
	json_decref(wanted);
	if (c == CLI_OK) {
		struct repo_publish p = {
			.timestamp_days = o->timestamp_days ? o->timestamp_days : TIMESTAMP_DAYS,
			.snapshot_days = o->snapshot_days ? o->snapshot_days : SNAPSHOT_DAYS,
			.signers = signers,
			.signer_count = count,
		};

		if (repo_publish(r, &p, note, NULL, &e) < 0)
			c = cli_fail("%s", e.text);
		close_signers(signers, count);
	}
	repo_close(r);
	return c;
}

int repo_cli_tidy(const struct repo_cli *o, int argc, char **argv)
{
	struct repo *r = repo_cli_open(argv[0]);
	struct tuf_error e;
	int c = CLI_OK;

	if (!r)
		return CLI_FAILED;
	if (repo_tidy(r, o->days ? o->days : TIDY_DAYS, note, NULL, &e) < 0)
		c = cli_fail("%s", e.text);
	repo_close(r);
	return c;
}

static json_t *status_of(struct repo *r, const char *role)
{
	json_t *row = json_pack("{s:s}", "role", role), *whole, *owner;
	struct tuf_signers by;

	if (repo_published(r, role, &whole, NULL) == 0) {
		json_object_set_new(row, "version", json_integer(number(whole, "version")));
		json_object_set_new(row, "expires", json_string(text(whole, "expires")));
		json_decref(whole);
	}
	if (repo_signers(r, role, &by, &owner, NULL, NULL) == 0) {
		json_object_set_new(row, "keys", json_deep_copy(by.keyids));
		json_object_set_new(row, "threshold", json_integer(by.threshold));
		if (repo_draft(r, role, &whole, NULL) == 0) {
			json_object_set_new(row, "draft", json_integer(number(whole, "version")));
			json_object_set_new(row, "draft_signatures",
					    json_integer(count_good(whole, &by)));
			json_decref(whole);
		}
		json_decref(owner);
	}
	return row;
}

static void print_row(const json_t *row)
{
	const json_t *version = json_object_get(row, "version"),
		     *draft = json_object_get(row, "draft");

	printf("%-20s ", json_string_value(json_object_get(row, "role")));
	if (version)
		printf("version %-5" PRId64 " expires %s", (int64_t)json_integer_value(version),
		       json_string_value(json_object_get(row, "expires")));
	else
		printf("not published");
	if (draft)
		printf("; version %" PRId64 " waits with %" PRId64 " of %" PRId64 " signatures",
		       (int64_t)json_integer_value(draft),
		       (int64_t)json_integer_value(json_object_get(row, "draft_signatures")),
		       (int64_t)json_integer_value(json_object_get(row, "threshold")));
	printf("\n");
}

int repo_cli_status(const struct repo_cli *o, int argc, char **argv)
{
	static const char *const online[] = {"root", "timestamp", "snapshot"};
	struct repo *r = repo_cli_open(argv[0]);
	json_t *names = NULL, *rows = json_array(), *entry;
	struct tuf_error e;
	size_t i;

	if (!r)
		return CLI_FAILED;
	for (i = 0; i < 3; i++)
		json_array_append_new(rows, status_of(r, online[i]));
	if (repo_roles(r, &names, &e) < 0) {
		json_decref(rows);
		repo_close(r);
		return cli_fail("%s", e.text);
	}
	json_array_foreach (names, i, entry)
		json_array_append_new(rows, status_of(r, json_string_value(entry)));
	if (o->json) {
		json_dumpf(rows, stdout, JSON_INDENT(1));
		printf("\n");
	} else {
		json_array_foreach (rows, i, entry)
			print_row(entry);
	}
	json_decref(names);
	json_decref(rows);
	repo_close(r);
	return CLI_OK;
}
