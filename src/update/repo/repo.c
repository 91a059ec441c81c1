#include "update/repo/repo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "update/repo/body.h"
#include "update/repo/folder.h"
#include "update/tuf/canon.h"
#include "update/tuf/local.h"

#define DAY 86400

static const struct {
	const char *path;
	mode_t mode;
} folders[] = {
	{"keys", 0700},		  {"drafts", 0755}, {"public", 0755}, {"public/metadata", 0755},
	{"public/targets", 0755},
};

/* --- the folder ---------------------------------------------------------------------------- */

/* With a root, waiting or public; without one, somebody gave up before there was any. */
static bool is_repository(int top)
{
	return faccessat(top, "drafts/root.json", F_OK, 0) == 0 ||
	       faccessat(top, "public/metadata/1.root.json", F_OK, 0) == 0;
}

int repo_create(const char *dir, struct tuf_error *e)
{
	int top = local_folder(dir), err = top < 0 ? top : 0;

	if (err == 0 && is_repository(top))
		err = -EEXIST;
	for (unsigned i = 0; err == 0 && i < sizeof(folders) / sizeof(folders[0]); i++)
		if (mkdirat(top, folders[i].path, folders[i].mode) < 0 && errno != EEXIST)
			err = -errno;
	if (top >= 0)
		close(top);
	return err < 0 ? tuf_fail(e, err, "%s cannot become a repository: %s", dir,
				  err == -EEXIST ? "there is one already" : strerror(-err))
		       : 0;
}

static int open_folder(int top, const char *path)
{
	int fd = openat(top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int repo_open(const char *dir, struct repo **ret_repo, struct tuf_error *e)
{
	struct repo *r = calloc(1, sizeof(*r));
	struct stat st;
	int err = -ENOMEM;

	if (!r)
		return tuf_fail(e, err, "out of memory");
	r->top = r->drafts = r->metadata = r->targets = -1;
	r->dir = strdup(dir);
	if (r->dir && stat(dir, &st) < 0)
		err = -errno;
	else if (r->dir)
		err = r->top = local_open(dir);
	if (err >= 0)
		err = r->drafts = open_folder(r->top, "drafts");
	if (err >= 0)
		err = r->metadata = open_folder(r->top, "public/metadata");
	if (err >= 0)
		err = r->targets = open_folder(r->top, "public/targets");
	if (err < 0) {
		repo_close(r);
		return tuf_fail(e, err, "%s is no repository: %s; 'bedwarden repo init' makes one",
				dir, strerror(-err));
	}
	*ret_repo = r;
	return 0;
}

void folder_forget(struct repo *r)
{
	tuf_metadata_free(r->snapshot);
	json_decref(r->roles);
	r->snapshot = NULL;
	r->roles = NULL;
}

void repo_close(struct repo *r)
{
	const int fds[] = {r ? r->top : -1, r ? r->drafts : -1, r ? r->metadata : -1,
			   r ? r->targets : -1};

	if (!r)
		return;
	folder_forget(r);
	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(r->dir);
	free(r);
}

const char *repo_dir(const struct repo *r)
{
	return r->dir;
}

bool repo_role_is_good(const char *role)
{
	size_t len = strspn(role, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789-_.");

	return len > 0 && !role[len] && len < REPO_ROLE_MAX && *role != '.';
}

static enum tuf_type type_of(const char *role)
{
	for (unsigned i = 0; i < TUF_TYPES; i++)
		if (strcmp(role, tuf_type_name((enum tuf_type)i)) == 0)
			return (enum tuf_type)i;
	return TUF_TARGETS;
}

/* --- reading ------------------------------------------------------------------------------- */

static int load(int folder, const char *file, const char *role, struct tuf_metadata **ret_metadata,
		struct tuf_error *e)
{
	struct bytes raw;
	int err = local_get(folder, file, FOLDER_FILE_MAX, &raw);

	if (err < 0)
		return tuf_fail(e, err, "%s.json: %s", file, strerror(-err));
	err = tuf_metadata_parse(raw, type_of(role), role, ret_metadata, e);
	free((void *)raw.data);
	return err;
}

static int load_version(struct repo *r, const char *role, int64_t version,
			struct tuf_metadata **ret_metadata, struct tuf_error *e)
{
	char file[REPO_ROLE_MAX + 24];

	snprintf(file, sizeof(file), "%" PRId64 ".%s", version, role);
	return load(r->metadata, file, role, ret_metadata, e);
}

/* The last of the chain, wherever a killed publish() left root.json. */
static int load_root(struct repo *r, struct tuf_metadata **ret_root, struct tuf_error *e)
{
	struct tuf_metadata *root = NULL, *next;
	int64_t version = 1;
	int err = load(r->metadata, "root", "root", &root, NULL);

	if (err == 0)
		version = root->version + 1;
	else if (err != -ENOENT)
		return tuf_fail(e, err, "public/metadata/root.json is broken");
	while ((err = load_version(r, "root", version, &next, e)) == 0) {
		tuf_metadata_free(root);
		root = next;
		version++;
	}
	if (err == -ENOENT && root) {
		*ret_root = root;
		return 0;
	}
	tuf_metadata_free(root);
	return err;
}

static int load_snapshot(struct repo *r, struct tuf_metadata **ret_snapshot, struct tuf_error *e)
{
	struct tuf_metadata *timestamp;
	struct tuf_file said;
	int err = load(r->metadata, "timestamp", "timestamp", &timestamp, e);

	if (err < 0)
		return err;
	err = tuf_meta_find(timestamp, "snapshot", &said);
	tuf_metadata_free(timestamp);
	return err < 0 ? tuf_fail(e, err, "public/metadata/timestamp.json is broken")
		       : load_version(r, "snapshot", said.version, ret_snapshot, e);
}

/* Follows timestamp and snapshot to the version that is public. */
static int load_published(struct repo *r, const char *role, struct tuf_metadata **ret_metadata,
			  struct tuf_error *e)
{
	struct tuf_file said;
	int err = 0;

	if (strcmp(role, "root") == 0)
		return load_root(r, ret_metadata, e);
	if (strcmp(role, "timestamp") == 0)
		return load(r->metadata, role, role, ret_metadata, e);
	if (strcmp(role, "snapshot") == 0)
		return load_snapshot(r, ret_metadata, e);
	if (!r->snapshot)
		err = load_snapshot(r, &r->snapshot, e);
	if (err < 0)
		return err;
	if (tuf_meta_find(r->snapshot, role, &said) < 0)
		return tuf_fail(e, -ENOENT, "role '%s' was never published", role);
	return load_version(r, role, said.version, ret_metadata, e);
}

int folder_load(struct repo *r, const char *role, bool draft, struct tuf_metadata **ret_metadata,
		struct tuf_error *e)
{
	if (!repo_role_is_good(role))
		return tuf_fail(e, -EINVAL,
				"'%s' is no name for a role: letters, digits, '-', '_' and '.'",
				role);
	return draft ? load(r->drafts, role, role, ret_metadata, e)
		     : load_published(r, role, ret_metadata, e);
}

static int whole_of(struct repo *r, const char *role, bool draft, json_t **ret_whole,
		    struct tuf_error *e)
{
	struct tuf_metadata *m;
	int err = folder_load(r, role, draft, &m, e);

	if (err < 0)
		return err;
	*ret_whole = json_incref(m->whole);
	tuf_metadata_free(m);
	return 0;
}

int repo_published(struct repo *r, const char *role, json_t **ret_whole, struct tuf_error *e)
{
	return whole_of(r, role, false, ret_whole, e);
}

int repo_draft(struct repo *r, const char *role, json_t **ret_whole, struct tuf_error *e)
{
	return whole_of(r, role, true, ret_whole, e);
}

int repo_latest(struct repo *r, const char *role, json_t **ret_whole, struct tuf_error *e)
{
	int err = repo_draft(r, role, ret_whole, e);

	return err == -ENOENT ? repo_published(r, role, ret_whole, e) : err;
}

int repo_drafts(struct repo *r, json_t **ret_names, struct tuf_error *e)
{
	int fd = openat(r->drafts, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	json_t *names = json_array();
	const struct dirent *entry;
	char role[REPO_ROLE_MAX];
	int err = d && names ? 0 : -ENOMEM;

	while (err == 0 && (entry = readdir(d))) {
		size_t len = strlen(entry->d_name);

		if (len <= 5 || len - 5 >= sizeof(role) ||
		    strcmp(entry->d_name + len - 5, ".json") != 0)
			continue;
		memcpy(role, entry->d_name, len - 5);
		role[len - 5] = 0;
		if (repo_role_is_good(role) && json_array_append_new(names, json_string(role)) < 0)
			err = -ENOMEM;
	}
	if (d)
		closedir(d);
	if (err < 0) {
		json_decref(names);
		return tuf_fail(e, err, "%s/drafts: %s", r->dir, strerror(-err));
	}
	*ret_names = names;
	return 0;
}

static bool has(const json_t *names, const char *name)
{
	json_t *entry;
	size_t i;

	json_array_foreach (names, i, entry)
		if (strcmp(json_string_value(entry), name) == 0)
			return true;
	return false;
}

/* "targets" comes first, for it is asked first. */
int repo_roles(struct repo *r, json_t **ret_names, struct tuf_error *e)
{
	json_t *names, *drafts = NULL, *snapshot = NULL, *entry;
	const char *file;
	char role[REPO_ROLE_MAX];
	size_t i;
	int err;

	if (r->roles) {
		*ret_names = json_incref(r->roles);
		return 0;
	}
	names = json_pack("[s]", "targets");
	err = repo_drafts(r, &drafts, e);

	if (err == 0)
		err = repo_published(r, "snapshot", &snapshot, e);
	if (err == -ENOENT)
		err = 0;
	json_object_foreach (json_object_get(json_object_get(snapshot, "signed"), "meta"), file,
			     entry) {
		snprintf(role, sizeof(role), "%.*s", (int)(strlen(file) - 5), file);
		if (err == 0 && !has(names, role) &&
		    json_array_append_new(names, json_string(role)) < 0)
			err = -ENOMEM;
	}
	json_array_foreach (drafts, i, entry) {
		const char *name = json_string_value(entry);

		if (err == 0 && !tuf_type_is_name(name) && !has(names, name) &&
		    json_array_append(names, entry) < 0)
			err = -ENOMEM;
	}
	json_decref(snapshot);
	json_decref(drafts);
	if (err == -ENOMEM)
		tuf_fail(e, err, "out of memory");
	if (err < 0) {
		json_decref(names);
		return err;
	}
	r->roles = json_incref(names);
	*ret_names = names;
	return 0;
}

static struct tuf_signers signers_in(const json_t *whole, const json_t *role)
{
	return (struct tuf_signers){
		.keys = body_keys(whole),
		.keyids = json_object_get(role, "keyids"),
		.threshold = json_integer_value(json_object_get(role, "threshold")),
	};
}

int repo_signers(struct repo *r, const char *role, struct tuf_signers *ret_signers, json_t **ret_by,
		 char ret_delegator[REPO_ROLE_MAX], struct tuf_error *e)
{
	json_t *names = NULL, *by, *entry;
	const json_t *found = NULL;
	size_t i;
	int err = 0;

	if (tuf_type_is_name(role))
		names = json_pack("[s]", "root");
	else if ((err = repo_roles(r, &names, e)) < 0)
		return err;
	json_array_foreach (names, i, entry) {
		const char *name = json_string_value(entry);

		err = repo_latest(r, name, &by, e);
		if (err == -ENOENT)
			continue;
		if (err < 0)
			break;
		found = body_find_role(by, role);
		if (found) {
			*ret_signers = signers_in(by, found);
			*ret_by = by;
			if (ret_delegator)
				snprintf(ret_delegator, REPO_ROLE_MAX, "%s", name);
			break;
		}
		json_decref(by);
	}
	json_decref(names);
	if (found)
		return 0;
	return err < 0 && err != -ENOENT
		       ? err
		       : tuf_fail(e, -ENOENT, "nobody delegates to a role '%s'", role);
}

/* --- changing ------------------------------------------------------------------------------ */

int repo_edit(struct repo *r, const char *role, int days, json_t **ret_whole, struct tuf_error *e)
{
	json_t *whole, *body;
	int err = repo_draft(r, role, &whole, e);

	if (err == -ENOENT) {
		err = repo_published(r, role, &whole, e);
		if (err < 0)
			return err;
		body = json_object_get(whole, "signed");
		if (json_object_set_new(
			    body, "version",
			    json_integer(json_integer_value(json_object_get(body, "version")) +
					 1)) < 0)
			err = -ENOMEM;
	}
	if (err == 0)
		err = body_expire(whole, (int64_t)time(NULL) + (int64_t)days * DAY);
	if (err < 0) {
		json_decref(whole);
		return err == -ENOMEM ? tuf_fail(e, err, "out of memory") : err;
	}
	*ret_whole = whole;
	return 0;
}

int repo_save_signed(struct repo *r, const char *role, const json_t *whole, struct tuf_error *e)
{
	char *text = json_dumps(whole, JSON_INDENT(1));
	struct tuf_metadata *m = NULL;
	struct bytes raw = {(uint8_t *)text, text ? strlen(text) : 0};
	int err;

	if (!text)
		return tuf_fail(e, -ENOMEM, "out of memory");
	/* What we could not read again is not written either. */
	err = tuf_metadata_parse(raw, type_of(role), role, &m, e);
	if (err == 0) {
		folder_forget(r);
		err = local_put(r->drafts, role, raw);
		if (err < 0)
			tuf_fail(e, err, "%s/drafts/%s.json: %s", r->dir, role, strerror(-err));
	}
	tuf_metadata_free(m);
	free(text);
	return err;
}

int repo_save(struct repo *r, const char *role, json_t *whole, struct tuf_error *e)
{
	if (json_object_set_new(whole, "signatures", json_array()) < 0)
		return tuf_fail(e, -ENOMEM, "out of memory");
	return repo_save_signed(r, role, whole, e);
}

static bool has_signed(const json_t *whole, const char *id)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(whole, "signatures"), i, entry) {
		const char *by = json_string_value(json_object_get(entry, "keyid"));

		if (by && strcmp(by, id) == 0)
			return true;
	}
	return false;
}

int repo_sign(json_t *whole, const struct signer *s, bool *ret_new, struct tuf_error *e)
{
	struct bytes message;
	json_t *signature;
	int err;

	*ret_new = false;
	if (has_signed(whole, signer_id(s)))
		return 0;
	err = canon_encode(json_object_get(whole, "signed"), &message);
	if (err < 0)
		return tuf_fail(e, err, "it cannot be signed: %s", strerror(-err));
	err = signer_sign(s, message, &signature, e);
	free((void *)message.data);
	if (err < 0)
		return err;
	if (json_array_append_new(json_object_get(whole, "signatures"), signature) < 0)
		return tuf_fail(e, -ENOMEM, "out of memory");
	*ret_new = true;
	return 0;
}

int repo_merge(json_t *whole, const json_t *from, unsigned *ret_new, struct tuf_error *e)
{
	json_t *entry;
	size_t i;

	*ret_new = 0;
	if (!json_equal(json_object_get(whole, "signed"), json_object_get(from, "signed")))
		return tuf_fail(e, -EINVAL, "it is not the same draft: what is signed differs");
	json_array_foreach (json_object_get(from, "signatures"), i, entry) {
		const char *id = json_string_value(json_object_get(entry, "keyid"));

		if (!id || has_signed(whole, id))
			continue;
		if (json_array_append(json_object_get(whole, "signatures"), entry) < 0)
			return tuf_fail(e, -ENOMEM, "out of memory");
		++*ret_new;
	}
	return 0;
}
