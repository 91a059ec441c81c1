/* repo_publish(): from drafts to a complete new state. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/hex.h"
#include "update/repo/body.h"
#include "update/repo/folder.h"
#include "update/tuf/local.h"

#define DAY 86400

/* A role as it will stand after this. */
struct item {
	char role[REPO_ROLE_MAX];
	struct tuf_metadata *m;
	bool draft;    /* not public yet */
	bool left;     /* public already, by a run that was killed before it could tidy */
	bool orphaned; /* nobody delegates to it any more: stays listed, TUF §5.5.5 */
};

struct plan {
	struct repo *r;
	const struct repo_publish *o;
	struct tuf_error *e;
	void (*note)(void *arg, const char *line);
	void *arg;
	int64_t now;
	struct tuf_metadata *old_root, *root; /* old NULL: the first */
	bool new_root;
	struct item *items;
	size_t count;
	struct tuf_metadata *snapshot, *timestamp;
	bool new_snapshot;
};

static void tell(struct plan *p, const char *fmt, const char *role, int64_t version)
{
	char line[256];

	snprintf(line, sizeof(line), fmt, role, version);
	if (p->note)
		p->note(p->arg, line);
}

/* --- what will stand ------------------------------------------------------------------------- */

static bool is_same(const struct tuf_metadata *a, const struct tuf_metadata *b)
{
	return a->raw.len == b->raw.len && memcmp(a->raw.data, b->raw.data, a->raw.len) == 0;
}

static int plan_root(struct plan *p)
{
	struct tuf_signers old, own;
	int err = folder_load(p->r, "root", false, &p->old_root, p->e);

	if (err < 0 && err != -ENOENT)
		return err;
	err = folder_load(p->r, "root", true, &p->root, p->e);
	if (err == -ENOENT && p->old_root) {
		p->root = p->old_root;
		p->old_root = NULL;
		return tuf_metadata_fresh(p->root, p->now, "root", p->e);
	}
	if (err < 0)
		return err;
	/* Published by a run that was killed before it was done? */
	p->new_root = !p->old_root || !is_same(p->root, p->old_root);
	if (!p->new_root)
		return 0;
	if (p->root->version != (p->old_root ? p->old_root->version + 1 : 1))
		return tuf_fail(p->e, -ESTALE,
				"the draft of root has version %" PRId64 ", and %" PRId64
				" is published: begin it anew",
				p->root->version, p->old_root ? p->old_root->version : 0);
	own = tuf_root_signers(p->root, TUF_ROOT);
	err = tuf_metadata_verify(p->root, &own, "root", p->e);
	if (err == 0 && p->old_root) {
		old = tuf_root_signers(p->old_root, TUF_ROOT);
		err = tuf_metadata_verify(p->root, &old, "root", p->e);
		if (err < 0)
			tuf_fail(p->e, err,
				 "the new root needs signatures by the old root's keys too: "
				 "'bedwarden "
				 "repo sign' with those");
	}
	return err < 0 ? err : tuf_metadata_fresh(p->root, p->now, "root", p->e);
}

/* The draft where there is one, else what is public. */
static int add_item(struct plan *p, const char *role)
{
	struct item *more = realloc(p->items, (p->count + 1) * sizeof(*more)), *it;
	struct tuf_metadata *public = NULL;
	int err;

	if (!more)
		return tuf_fail(p->e, -ENOMEM, "out of memory");
	p->items = more;
	it = &more[p->count];
	*it = (struct item){0};
	snprintf(it->role, sizeof(it->role), "%s", role);
	err = folder_load(p->r, role, false, &public, p->e);
	if (err < 0 && err != -ENOENT)
		return err;
	err = folder_load(p->r, role, true, &it->m, p->e);
	if (err == -ENOENT) {
		it->m = public;
		public = NULL;
		err = it->m ? 0 : err;
	} else if (err == 0) {
		it->left = public && is_same(public, it->m);
		it->draft = !it->left;
		if (it->draft && it->m->version != (public ? public->version + 1 : 1))
			err = tuf_fail(p->e, -ESTALE,
				       "the draft of '%s' has version %" PRId64 ", and %" PRId64
				       " is published: begin it anew",
				       role, it->m->version, public ? public->version : 0);
	}
	tuf_metadata_free(public);
	if (err < 0)
		tuf_metadata_free(it->m);
	else
		p->count++;
	return err;
}

static int verify_by(struct plan *p, const struct item *it, const json_t *by, const json_t *role)
{
	struct tuf_signers s = {
		.keys = body_keys(by),
		.keyids = json_object_get(role, "keyids"),
		.threshold = json_integer_value(json_object_get(role, "threshold")),
	};

	return tuf_metadata_verify(it->m, &s, it->role, p->e);
}

/* Every one who delegates to the role must accept it. */
static int verify_item(struct plan *p, struct item *it)
{
	const json_t *role;
	int err;

	if (strcmp(it->role, "targets") == 0)
		return verify_by(
			p, it, p->root->whole,
			json_object_get(json_object_get(p->root->body, "roles"), "targets"));
	it->orphaned = true;
	for (size_t i = 0; i < p->count; i++) {
		role = body_find_role(p->items[i].m->whole, it->role);
		if (!role)
			continue;
		it->orphaned = false;
		err = verify_by(p, it, p->items[i].m->whole, role);
		if (err < 0)
			return err;
	}
	return 0;
}

static int check_targets(struct plan *p, const struct item *it)
{
	const char *name;
	struct tuf_file f;
	json_t *entry;

	json_object_foreach (json_object_get(it->m->body, "targets"), name, entry) {
		if (tuf_file_of_target(entry, &f) < 0)
			return tuf_fail(p->e, -EBADMSG, "role '%s': target '%s' is malformed",
					it->role, name);
		if (!repo_has_target(p->r, name, &f))
			return tuf_fail(p->e, -ENOENT,
					"role '%s' lists target '%s', whose file is not in "
					"public/targets: 'bedwarden repo take' brings it",
					it->role, name);
	}
	return 0;
}

/* Never public, and not signed yet: others need not wait for it. */
static bool may_wait(const struct item *it)
{
	return it->draft && it->m->version == 1 && strcmp(it->role, "targets") != 0;
}

static int check_items(struct plan *p)
{
	int err = 0;

	for (size_t i = 0; i < p->count && err == 0; i++) {
		struct item *it = &p->items[i];

		err = verify_item(p, it);
		if (err == -EKEYREJECTED && may_wait(it)) {
			tell(p, "%s: left out, for it is not signed by enough yet", it->role, 0);
			tuf_metadata_free(it->m);
			p->items[i--] = p->items[--p->count];
			err = 0;
			continue;
		}
		if (err == 0 && !it->orphaned)
			err = tuf_metadata_fresh(it->m, p->now, it->role, p->e);
		if (err == 0 && it->draft)
			err = check_targets(p, it);
	}
	return err;
}

static int plan_items(struct plan *p)
{
	json_t *names, *entry;
	size_t i;
	int err = repo_roles(p->r, &names, p->e);

	if (err < 0)
		return err;
	json_array_foreach (names, i, entry) {
		err = add_item(p, json_string_value(entry));
		if (err < 0)
			break;
	}
	json_decref(names);
	return err < 0 ? err : check_items(p);
}

/* --- snapshot and timestamp ------------------------------------------------------------------ */

static json_t *describe(const struct tuf_metadata *m)
{
	uint8_t hash[CRYPTO_HASH];
	char hex[2 * CRYPTO_HASH + 1];

	if (crypto_sha256(m->raw, hash) < 0)
		return NULL;
	hex_write(hash, sizeof(hash), hex);
	return json_pack("{s:I,s:I,s:{s:s}}", "version", (json_int_t)m->version, "length",
			 (json_int_t)m->raw.len, "hashes", "sha256", hex);
}

/* Version, expiry, signatures; parsed again, so that it is judged as a client would. */
static int seal_role(struct plan *p, enum tuf_type type, json_t *whole, int64_t version, int days,
		     struct tuf_metadata **ret_metadata)
{
	const char *role = tuf_type_name(type);
	struct tuf_signers by = tuf_root_signers(p->root, type);
	struct tuf_metadata *m = NULL;
	bool fresh;
	char *text;
	int err = body_expire(whole, p->now + (int64_t)days * DAY);

	if (json_object_set_new(json_object_get(whole, "signed"), "version",
				json_integer(version)) < 0)
		err = -ENOMEM;
	for (unsigned i = 0; err == 0 && i < p->o->signer_count; i++) {
		json_t *entry;
		size_t k;

		json_array_foreach (by.keyids, k, entry)
			if (strcmp(json_string_value(entry), signer_id(p->o->signers[i])) == 0)
				err = repo_sign(whole, p->o->signers[i], &fresh, p->e);
	}
	text = err == 0 ? json_dumps(whole, JSON_INDENT(1)) : NULL;
	if (err == 0 && !text)
		err = -ENOMEM;
	if (err == 0)
		err = tuf_metadata_parse((struct bytes){(uint8_t *)text, strlen(text)}, type, role,
					 &m, p->e);
	if (err == 0)
		err = tuf_metadata_verify(m, &by, role, p->e);
	if (err == -EKEYREJECTED)
		tuf_fail(p->e, err,
			 "role '%s' needs %" PRId64
			 " signatures by online keys that root lists, and "
			 "too few of those are here: name them with --key",
			 role, by.threshold);
	free(text);
	if (err < 0)
		tuf_metadata_free(m);
	else
		*ret_metadata = m;
	return err;
}

/* Is the public snapshot good for another half of its time, and signed by who may now? */
static bool still_good(struct plan *p, const struct tuf_metadata *m, const json_t *meta)
{
	struct tuf_signers by = tuf_root_signers(p->root, TUF_SNAPSHOT);

	return json_equal(json_object_get(m->body, "meta"), meta) &&
	       tuf_metadata_verify(m, &by, "snapshot", NULL) == 0 &&
	       m->expires - p->now > (int64_t)p->o->snapshot_days * DAY / 2;
}

static int plan_snapshot(struct plan *p)
{
	json_t *whole = body_new_online("snapshot"),
	       *meta = json_object_get(json_object_get(whole, "signed"), "meta");
	struct tuf_metadata *old = NULL;
	char file[REPO_ROLE_MAX + 8];
	int err = folder_load(p->r, "snapshot", false, &old, p->e);

	if (err == -ENOENT)
		err = 0;
	for (size_t i = 0; i < p->count && err == 0; i++) {
		snprintf(file, sizeof(file), "%s.json", p->items[i].role);
		if (json_object_set_new(meta, file, describe(p->items[i].m)) < 0)
			err = tuf_fail(p->e, -ENOMEM, "out of memory");
	}
	if (err == 0 && old && still_good(p, old, meta)) {
		p->snapshot = old;
		old = NULL;
	} else if (err == 0) {
		p->new_snapshot = true;
		err = seal_role(p, TUF_SNAPSHOT, whole, old ? old->version + 1 : 1,
				p->o->snapshot_days, &p->snapshot);
	}
	tuf_metadata_free(old);
	json_decref(whole);
	return err;
}

static int plan_timestamp(struct plan *p)
{
	json_t *whole = body_new_online("timestamp");
	struct tuf_metadata *old = NULL;
	int err = folder_load(p->r, "timestamp", false, &old, p->e);

	if (err == -ENOENT)
		err = 0;
	if (err == 0 &&
	    json_object_set_new(json_object_get(json_object_get(whole, "signed"), "meta"),
				"snapshot.json", describe(p->snapshot)) < 0)
		err = tuf_fail(p->e, -ENOMEM, "out of memory");
	if (err == 0)
		err = seal_role(p, TUF_TIMESTAMP, whole, old ? old->version + 1 : 1,
				p->o->timestamp_days, &p->timestamp);
	tuf_metadata_free(old);
	json_decref(whole);
	return err;
}

/* --- into the public folder -------------------------------------------------------------------- */

static int put(struct plan *p, const char *role, const struct tuf_metadata *m, bool versioned)
{
	char file[REPO_ROLE_MAX + 24];
	int err;

	if (versioned)
		snprintf(file, sizeof(file), "%" PRId64 ".%s", m->version, role);
	else
		snprintf(file, sizeof(file), "%s", role);
	err = local_put(p->r->metadata, file, m->raw);
	return err < 0 ? tuf_fail(p->e, err, "%s/public/metadata/%s.json: %s", p->r->dir, file,
				  strerror(-err))
		       : 0;
}

/* Root and timestamp last and close together; between them a client sees at worst a timestamp
 * that it refuses. */
static int write_all(struct plan *p)
{
	int err = 0;

	for (size_t i = 0; i < p->count && err == 0; i++)
		if (p->items[i].draft)
			err = put(p, p->items[i].role, p->items[i].m, true);
	if (err == 0 && p->new_snapshot)
		err = put(p, "snapshot", p->snapshot, true);
	if (err == 0 && p->new_root)
		err = put(p, "root", p->root, true);
	if (err == 0)
		err = put(p, "timestamp", p->timestamp, false);
	if (err == 0)
		err = put(p, "root", p->root, false);
	return err;
}

static int drop_draft(struct plan *p, const char *role, int64_t version)
{
	int err = local_drop(p->r->drafts, role);

	folder_forget(p->r);
	tell(p, "%s version %" PRId64, role, version);
	return err < 0 ? tuf_fail(p->e, err, "%s/drafts/%s.json: %s", p->r->dir, role,
				  strerror(-err))
		       : 0;
}

static int tidy(struct plan *p)
{
	int err = p->old_root || p->new_root ? drop_draft(p, "root", p->root->version) : 0;

	for (size_t i = 0; i < p->count && err == 0; i++)
		if (p->items[i].draft || p->items[i].left)
			err = drop_draft(p, p->items[i].role, p->items[i].m->version);
	if (err == 0 && p->new_snapshot)
		tell(p, "%s version %" PRId64, "snapshot", p->snapshot->version);
	if (err == 0)
		tell(p, "%s version %" PRId64, "timestamp", p->timestamp->version);
	return err;
}

int repo_publish(struct repo *r, const struct repo_publish *o,
		 void (*note)(void *arg, const char *line), void *arg, struct tuf_error *e)
{
	struct plan p = {.r = r, .o = o, .e = e, .note = note, .arg = arg, .now = time(NULL)};
	int err = plan_root(&p);

	if (err == 0)
		err = plan_items(&p);
	if (err == 0)
		err = plan_snapshot(&p);
	if (err == 0)
		err = plan_timestamp(&p);
	if (err == 0)
		err = write_all(&p);
	if (err == 0)
		err = tidy(&p);
	for (size_t i = 0; i < p.count; i++)
		tuf_metadata_free(p.items[i].m);
	free(p.items);
	tuf_metadata_free(p.snapshot);
	tuf_metadata_free(p.timestamp);
	tuf_metadata_free(p.root);
	tuf_metadata_free(p.old_root);
	return err;
}
