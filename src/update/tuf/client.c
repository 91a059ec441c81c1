#include "update/tuf/client.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "update/tuf/delegation.h"
#include "update/tuf/metadata.h"
#include "update/tuf/local.h"
#include "update/tuf/trusted.h"

/* TUF §5.3.3, §5.4.1…: how many bytes, where nobody says how many there are. */
#define ROOT_MAX      (512u << 10)
#define TIMESTAMP_MAX (16u << 10)
#define OTHER_MAX     (5u << 20)
#define SAID_MAX      (32u << 20) /* and where somebody does */
#define ROTATIONS_MAX 256	  /* of root in one update, §5.3.3 */

/* --- root, §5.2 and §5.3 ------------------------------------------------------------------- */

static int read_root(struct bytes raw, struct tuf_metadata **ret_root, struct tuf_error *e)
{
	struct tuf_metadata *root;
	struct tuf_signers own;
	int err = tuf_metadata_parse(raw, TUF_ROOT, "root", &root, e);

	if (err < 0)
		return err;
	own = tuf_root_signers(root, TUF_ROOT);
	err = tuf_metadata_verify(root, &own, "root", e);
	if (err < 0)
		tuf_metadata_free(root);
	else
		*ret_root = root;
	return err;
}

int tuf_init(const char *dir, struct bytes raw, struct tuf_error *e)
{
	struct tuf_metadata *root;
	int store, err = read_root(raw, &root, e);

	if (err < 0)
		return err;
	store = local_open(dir);
	err = store < 0 ? store : local_put(store, "root", raw);
	if (err < 0)
		tuf_fail(e, err, "%s: %s", dir, strerror(-err));
	if (store >= 0)
		close(store);
	tuf_metadata_free(root);
	return err;
}

int64_t tuf_now(const char *dir)
{
	int64_t now = (int64_t)time(NULL);
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/timestamp.json", dir) < (int)sizeof(path) &&
	    stat(path, &st) == 0 && st.st_mtime > now)
		now = st.st_mtime;
	return now;
}

static int load_root(struct tuf *t, struct tuf_error *e)
{
	struct bytes raw;
	int err = local_get(t->store, "root", ROOT_MAX, &raw);

	if (err == -ENOENT)
		return tuf_fail(e, err,
				"%s has no root.json: 'bedwarden tuf --metadata-dir %s init ROOT' "
				"puts one there that you trust",
				t->dir, t->dir);
	if (err < 0)
		return tuf_fail(e, err, "%s/root.json: %s", t->dir, strerror(-err));
	err = read_root(raw, &t->root, e);
	free((void *)raw.data);
	return err;
}

int tuf_open(const char *dir, struct tuf_source *source, int64_t now, struct tuf **ret_tuf,
	     struct tuf_error *e)
{
	struct tuf *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return tuf_fail(e, -ENOMEM, "out of memory");
	t->dir = dir;
	t->source = source;
	t->now = now;
	t->store = local_open(dir);
	err = t->store < 0 ? tuf_fail(e, t->store, "%s: %s", dir, strerror(-t->store))
			   : load_root(t, e);
	if (err < 0)
		tuf_close(t);
	else
		*ret_tuf = t;
	return err;
}

void tuf_close(struct tuf *t)
{
	if (!t)
		return;
	tuf_metadata_free(t->root);
	tuf_metadata_free(t->timestamp);
	tuf_metadata_free(t->snapshot);
	tuf_metadata_free(t->targets);
	if (t->store >= 0)
		close(t->store);
	free(t);
}

static int save(struct tuf *t, const char *role, struct bytes raw, struct tuf_error *e)
{
	int err = local_put(t->store, role, raw);

	return err < 0 ? tuf_fail(e, err, "metadata of role '%.100s' cannot be kept in %s: %s",
				  role, t->dir, strerror(-err))
		       : 0;
}

/*
 * §5.3.11, for each step and before the step is kept: were it done after, a crash in between would
 * leave what a thief's keys once fast-forwarded, and nobody would know any more.
 */
static int recover(struct tuf *t, const struct tuf_metadata *next, struct tuf_error *e)
{
	int err;

	if (!tuf_root_rotated(t->root, next, TUF_TIMESTAMP) &&
	    !tuf_root_rotated(t->root, next, TUF_SNAPSHOT))
		return 0;
	err = local_drop(t->store, "timestamp");
	if (err == 0)
		err = local_drop(t->store, "snapshot");
	return err < 0 ? tuf_fail(e, err, "%s: %s", t->dir, strerror(-err)) : 0;
}

/* §5.3.4 to §5.3.8 */
static int step_root(struct tuf *t, struct bytes raw, struct tuf_error *e)
{
	struct tuf_signers old = tuf_root_signers(t->root, TUF_ROOT), own;
	struct tuf_metadata *next;
	int err = tuf_metadata_parse(raw, TUF_ROOT, "root", &next, e);

	if (err < 0)
		return err;
	own = tuf_root_signers(next, TUF_ROOT);
	err = tuf_metadata_verify(next, &old, "root", e);
	if (err == 0)
		err = tuf_metadata_verify(next, &own, "root", e);
	if (err == 0 && next->version != t->root->version + 1)
		err = tuf_fail(e, -ESTALE,
			       "root version %" PRId64 " came where %" PRId64 " belongs",
			       next->version, t->root->version + 1);
	if (err == 0)
		err = recover(t, next, e);
	if (err == 0)
		err = save(t, "root", raw, e);
	if (err < 0) {
		tuf_metadata_free(next);
		return err;
	}
	tuf_metadata_free(t->root);
	t->root = next;
	return 0;
}

static int update_root(struct tuf *t, struct tuf_error *e)
{
	char path[40];
	struct bytes raw;
	int err = 0;

	for (unsigned i = 0; i < ROTATIONS_MAX && err == 0; i++) {
		if (t->root->version == INT64_MAX)
			break;
		snprintf(path, sizeof(path), "%" PRId64 ".root.json", t->root->version + 1);
		err = tuf_source_read(t->source, path, ROOT_MAX, &raw, e);
		if (err < 0)
			break;
		err = step_root(t, raw, e);
		free((void *)raw.data);
	}
	if (err < 0 && err != -ENOENT)
		return err;
	return tuf_metadata_fresh(t->root, t->now, "root", e); /* §5.3.10 */
}

/* --- the others ---------------------------------------------------------------------------- */

/* What is in the folder and still signed by those who may; NULL for anything else. */
static struct tuf_metadata *load_local(struct tuf *t, enum tuf_type type, const char *role,
				       const struct tuf_signers *by)
{
	struct tuf_metadata *m;
	struct bytes raw;
	int err;

	if (local_get(t->store, role, SAID_MAX, &raw) < 0)
		return NULL;
	err = tuf_metadata_parse(raw, type, role, &m, NULL);
	free((void *)raw.data);
	if (err < 0)
		return NULL;
	if (tuf_metadata_verify(m, by, role, NULL) == 0)
		return m;
	tuf_metadata_free(m);
	return NULL;
}

/* "role.json", or "7.role.json" where snapshots are consistent (§5.5.1…). NULL: no memory. */
static char *make_path(const struct tuf *t, const char *role, const struct tuf_file *said)
{
	char *escaped = tuf_escape(role, ""), *path;
	size_t size = escaped ? strlen(escaped) + 32 : 0;

	path = escaped ? malloc(size) : NULL;
	if (path && said && tuf_root_consistent(t->root))
		snprintf(path, size, "%" PRId64 ".%s.json", said->version, escaped);
	else if (path)
		snprintf(path, size, "%s.json", escaped);
	free(escaped);
	return path;
}

/* §5.5.2 to §5.5.4, and the same of the others: what came is what was announced, and who signed. */
static int judge(struct bytes raw, enum tuf_type type, const char *role,
		 const struct tuf_signers *by, const struct tuf_file *said,
		 struct tuf_metadata **ret_metadata, struct tuf_error *e)
{
	struct tuf_metadata *m;
	int err;

	if (said && !tuf_file_fits(said, raw))
		return tuf_fail(e, -EBADMSG,
				"the metadata of role '%.100s' is not the file that was announced: "
				"its length or hash differs",
				role);
	err = tuf_metadata_parse(raw, type, role, &m, e);
	if (err < 0)
		return err;
	err = tuf_metadata_verify(m, by, role, e);
	if (err == 0 && said && m->version != said->version)
		err = tuf_fail(e, -ESTALE,
			       "role '%.100s' came in version %" PRId64 ", announced was %" PRId64,
			       role, m->version, said->version);
	if (err < 0)
		tuf_metadata_free(m);
	else
		*ret_metadata = m;
	return err;
}

/* Fetched, read and verified; `said` is what vouches for it, or NULL. */
static int fetch(struct tuf *t, enum tuf_type type, const char *role, const struct tuf_signers *by,
		 const struct tuf_file *said, struct tuf_metadata **ret_metadata,
		 struct tuf_error *e)
{
	size_t max = type == TUF_TIMESTAMP ? TIMESTAMP_MAX : OTHER_MAX;
	char *path = make_path(t, role, said);
	struct bytes raw;
	int err;

	if (!path)
		return tuf_fail(e, -ENOMEM, "out of memory");
	if (said && said->length >= 0)
		max = said->length < SAID_MAX ? (size_t)said->length : SAID_MAX;
	err = tuf_source_read(t->source, path, max, &raw, e);
	free(path);
	if (err < 0)
		return err;
	err = judge(raw, type, role, by, said, ret_metadata, e);
	free((void *)raw.data);
	return err;
}

/* Takes the place of what was there, once it is kept. */
static int adopt(struct tuf *t, const char *role, struct tuf_metadata *m,
		 struct tuf_metadata **place, struct tuf_error *e)
{
	int err = tuf_metadata_fresh(m, t->now, role, e);

	if (err == 0)
		err = save(t, role, m->raw, e);
	if (err < 0) {
		tuf_metadata_free(m);
		return err;
	}
	tuf_metadata_free(*place);
	*place = m;
	return 0;
}

static int rolled_back(struct tuf_error *e, const char *role, int64_t now, int64_t before)
{
	return tuf_fail(e, -ESTALE,
			"role '%.100s' is rolled back from version %" PRId64 " to %" PRId64
			": not taken",
			role, before, now);
}

/* §5.4 */
static int update_timestamp(struct tuf *t, struct tuf_error *e)
{
	struct tuf_signers by = tuf_root_signers(t->root, TUF_TIMESTAMP);
	struct tuf_file old, new;
	struct tuf_metadata *m;
	int err;

	t->timestamp = load_local(t, TUF_TIMESTAMP, "timestamp", &by);
	err = fetch(t, TUF_TIMESTAMP, "timestamp", &by, NULL, &m, e);
	if (err < 0)
		return err;
	if (!t->timestamp)
		return adopt(t, "timestamp", m, &t->timestamp, e);
	if (m->version == t->timestamp->version) { /* §5.4.3.1: nothing new */
		tuf_metadata_free(m);
		return tuf_metadata_fresh(t->timestamp, t->now, "timestamp", e);
	}
	err = tuf_meta_find(t->timestamp, "snapshot", &old);
	if (err == 0)
		err = tuf_meta_find(m, "snapshot", &new);
	if (err < 0)
		tuf_fail(e, err, "the timestamp does not tell the snapshot's version");
	else if (m->version < t->timestamp->version)
		err = rolled_back(e, "timestamp", m->version, t->timestamp->version);
	else if (new.version < old.version)
		err = rolled_back(e, "snapshot", new.version, old.version);
	if (err < 0) {
		tuf_metadata_free(m);
		return err;
	}
	return adopt(t, "timestamp", m, &t->timestamp, e);
}

/* §5.5.5 */
static int compare_snapshots(const struct tuf_metadata *old, const struct tuf_metadata *new,
			     struct tuf_error *e)
{
	const json_t *then = json_object_get(old->body, "meta"),
		     *now = json_object_get(new->body, "meta");
	const char *file;
	json_t *entry;

	json_object_foreach ((json_t *)then, file, entry) {
		const json_t *other = json_object_get(now, file);
		int64_t before = json_integer_value(json_object_get(entry, "version"));

		if (!other)
			return tuf_fail(e, -ESTALE,
					"%.100s is gone from the new snapshot: not taken", file);
		if (json_integer_value(json_object_get(other, "version")) < before)
			return rolled_back(e, file,
					   json_integer_value(json_object_get(other, "version")),
					   before);
	}
	return 0;
}

/* Is what we have what was announced, and still good? */
static bool is_current(const struct tuf *t, const struct tuf_metadata *m,
		       const struct tuf_file *said)
{
	return m && m->version == said->version && tuf_file_fits(said, m->raw) &&
	       t->now < m->expires;
}

/* §5.5 */
static int update_snapshot(struct tuf *t, struct tuf_error *e)
{
	struct tuf_signers by = tuf_root_signers(t->root, TUF_SNAPSHOT);
	struct tuf_file said;
	struct tuf_metadata *m;
	int err = tuf_meta_find(t->timestamp, "snapshot", &said);

	if (err < 0)
		return tuf_fail(e, err, "the timestamp does not tell the snapshot's version");
	t->snapshot = load_local(t, TUF_SNAPSHOT, "snapshot", &by);
	if (is_current(t, t->snapshot, &said))
		return 0;
	err = fetch(t, TUF_SNAPSHOT, "snapshot", &by, &said, &m, e);
	if (err < 0)
		return err;
	err = t->snapshot ? compare_snapshots(t->snapshot, m, e) : 0;
	if (err < 0) {
		tuf_metadata_free(m);
		return err;
	}
	return adopt(t, "snapshot", m, &t->snapshot, e);
}

/* §5.6, and §5.6.7 for a delegated role: always against who delegates to it here and now. */
int tuf_load_targets(struct tuf *t, const char *role, const struct tuf_signers *by,
		     struct tuf_metadata **ret_targets, struct tuf_error *e)
{
	struct tuf_metadata *m = NULL, *new;
	struct tuf_file said;
	int err = tuf_meta_find(t->snapshot, role, &said);

	if (err < 0)
		return tuf_fail(e, err, "the snapshot does not list role '%.100s'", role);
	m = load_local(t, TUF_TARGETS, role, by);
	if (!is_current(t, m, &said)) {
		err = fetch(t, TUF_TARGETS, role, by, &said, &new, e);
		if (err == 0)
			err = adopt(t, role, new, &m, e);
		if (err < 0) {
			tuf_metadata_free(m);
			return err;
		}
	}
	*ret_targets = m;
	return 0;
}

int tuf_refresh(struct tuf *t, struct tuf_error *e)
{
	struct tuf_signers by;
	int err = update_root(t, e);

	if (err == 0)
		err = update_timestamp(t, e);
	if (err == 0)
		err = update_snapshot(t, e);
	if (err < 0)
		return err;
	by = tuf_root_signers(t->root, TUF_TARGETS);
	return tuf_load_targets(t, "targets", &by, &t->targets, e);
}

void tuf_versions(const struct tuf *t, int64_t ret_versions[4])
{
	const struct tuf_metadata *const m[] = {t->root, t->timestamp, t->snapshot, t->targets};

	for (unsigned i = 0; i < 4; i++)
		ret_versions[i] = m[i] ? m[i]->version : 0;
}

int64_t tuf_expires(const struct tuf *t)
{
	const struct tuf_metadata *const m[] = {t->root, t->timestamp, t->snapshot, t->targets};
	int64_t first = INT64_MAX;

	for (unsigned i = 0; i < 4; i++)
		if (m[i] && m[i]->expires < first)
			first = m[i]->expires;
	return first;
}
