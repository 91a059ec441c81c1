#include "update/tuf/metadata.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hex.h"
#include "update/tuf/canon.h"
#include "update/tuf/delegation.h"
#include "update/tuf/key.h"

#define SIGNATURE_MAX 1024 /* of an 8192 bit key */
#define SIGNERS_MAX   1024 /* of one role */

static const char *const names[TUF_TYPES] = {"root", "timestamp", "snapshot", "targets"};

const char *tuf_type_name(enum tuf_type t)
{
	return names[t];
}

bool tuf_type_is_name(const char *role)
{
	for (unsigned i = 0; i < TUF_TYPES; i++)
		if (strcmp(role, names[i]) == 0)
			return true;
	return false;
}

/* --- time ---------------------------------------------------------------------------------- */

int tuf_time_read(const char *text, int64_t *ret_seconds)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	struct tm t = {0}, back;
	time_t seconds;

	if (strlen(text) != sizeof(form) - 1)
		return -EINVAL;
	for (unsigned i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return -EINVAL;
	sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
	       &t.tm_min, &t.tm_sec);
	t.tm_year -= 1900;
	t.tm_mon--;
	back = t;
	seconds = timegm(&back);
	/* What does not come back the same, such as the 31st of June, is no date. */
	if (back.tm_mon != t.tm_mon || back.tm_mday != t.tm_mday || back.tm_hour != t.tm_hour ||
	    back.tm_min != t.tm_min || back.tm_sec != t.tm_sec)
		return -EINVAL;
	*ret_seconds = seconds;
	return 0;
}

void tuf_time_write(int64_t seconds, char ret_text[TUF_TIME_LEN])
{
	time_t s = (time_t)seconds;
	struct tm t;

	if (!gmtime_r(&s, &t) || !strftime(ret_text, TUF_TIME_LEN, "%Y-%m-%dT%H:%M:%SZ", &t))
		snprintf(ret_text, TUF_TIME_LEN, "?");
}

/* --- form ---------------------------------------------------------------------------------- */

static int bad(struct tuf_error *e, const char *role, const char *what)
{
	return tuf_fail(e, -EBADMSG, "the metadata of role '%.100s' is malformed: %s", role, what);
}

/* Unique, as TUF §4.2 wants key ids in `signatures` and in a role to be. */
static const char *judge_keyids(const json_t *list, bool signatures)
{
	json_t *seen = json_object(), *entry;
	const char *id, *wrong = seen ? NULL : "no memory";
	size_t i;

	json_array_foreach (list, i, entry) {
		id = json_string_value(signatures ? json_object_get(entry, "keyid") : entry);
		if (wrong)
			break;
		if (!id)
			wrong = "a key id is no string";
		else if (signatures && !json_is_string(json_object_get(entry, "sig")))
			wrong = "a signature is no string";
		else if (json_object_get(seen, id))
			wrong = "a key id is listed twice";
		else if (json_object_set_new(seen, id, json_true()) < 0)
			wrong = "no memory";
	}
	json_decref(seen);
	return wrong;
}

const char *tuf_role_judge(const json_t *role)
{
	const json_t *keyids = json_object_get(role, "keyids"),
		     *threshold = json_object_get(role, "threshold");

	if (!json_is_array(keyids) || json_array_size(keyids) > SIGNERS_MAX)
		return "the key ids of a role are no list, or too many";
	if (!json_is_integer(threshold) || json_integer_value(threshold) < 1)
		return "the threshold of a role is no number from 1";
	return judge_keyids(keyids, false);
}

static const char *judge_root(const json_t *body)
{
	const json_t *roles = json_object_get(body, "roles"),
		     *consistent = json_object_get(body, "consistent_snapshot");
	const char *wrong = NULL;

	if (!json_is_object(json_object_get(body, "keys")))
		return "it has no keys";
	if (consistent && !json_is_boolean(consistent))
		return "consistent_snapshot is neither true nor false";
	for (unsigned i = 0; i < TUF_TYPES && !wrong; i++) {
		const json_t *role = json_object_get(roles, names[i]);

		wrong = json_is_object(role) ? tuf_role_judge(role)
					     : "it does not say who signs the four top-level roles";
	}
	return wrong;
}

static const char *judge_meta(const json_t *body, const char *needed)
{
	const json_t *meta = json_object_get(body, "meta");
	struct tuf_file f;
	const char *key;
	json_t *entry;

	if (!json_is_object(meta) || !json_object_get(meta, needed))
		return "it does not list what it should";
	json_object_foreach ((json_t *)meta, key, entry)
		if (tuf_file_of_meta(entry, &f) < 0)
			return "it lists a file without a version, or with a broken length or hash";
	return NULL;
}

static const char *judge_body(const json_t *body, enum tuf_type type)
{
	const json_t *delegations;

	switch (type) {
	case TUF_ROOT:
		return judge_root(body);
	case TUF_TIMESTAMP:
		return judge_meta(body, "snapshot.json");
	case TUF_SNAPSHOT:
		return judge_meta(body, "targets.json");
	default:
		if (!json_is_object(json_object_get(body, "targets")))
			return "it has no targets";
		delegations = json_object_get(body, "delegations");
		return delegations ? delegations_judge(delegations) : NULL;
	}
}

/* The same for every role, TUF §4.2. */
static const char *judge_common(struct tuf_metadata *m)
{
	const char *type = json_string_value(json_object_get(m->body, "_type")),
		   *spec = json_string_value(json_object_get(m->body, "spec_version")),
		   *expires = json_string_value(json_object_get(m->body, "expires"));
	const json_t *version = json_object_get(m->body, "version"),
		     *signatures = json_object_get(m->whole, "signatures");

	if (!json_is_object(m->body) || !json_is_array(signatures))
		return "it has no signed part, or no signatures";
	if (!type || strcmp(type, names[m->type]) != 0)
		return "it is of another type";
	if (!spec || strncmp(spec, "1.", 2) != 0)
		return "it is not written to version 1 of the specification";
	if (!json_is_integer(version) || json_integer_value(version) < 1)
		return "its version is no number from 1";
	if (!expires || tuf_time_read(expires, &m->expires) < 0)
		return "its expiry is no time of the form 2030-01-31T07:15:02Z";
	m->version = json_integer_value(version);
	return judge_keyids(signatures, true);
}

int tuf_metadata_parse(struct bytes raw, enum tuf_type type, const char *role,
		       struct tuf_metadata **ret_metadata, struct tuf_error *e)
{
	struct tuf_metadata *m = calloc(1, sizeof(*m));
	uint8_t *copy = malloc(raw.len + 1);
	const char *wrong;
	char why[CANON_WHY];
	int err;

	if (!m || !copy) {
		free(m);
		free(copy);
		return tuf_fail(e, -ENOMEM, "out of memory");
	}
	if (raw.len)
		memcpy(copy, raw.data, raw.len);
	m->raw = (struct bytes){copy, raw.len};
	m->type = type;
	err = canon_parse(raw, &m->whole, why);
	if (err < 0) {
		bad(e, role, why);
		goto fail;
	}
	m->body = json_object_get(m->whole, "signed");
	wrong = judge_common(m);
	if (!wrong)
		wrong = judge_body(m->body, type);
	if (wrong) {
		err = bad(e, role, wrong);
		goto fail;
	}
	*ret_metadata = m;
	return 0;
fail:
	tuf_metadata_free(m);
	return err;
}

void tuf_metadata_free(struct tuf_metadata *m)
{
	if (!m)
		return;
	json_decref(m->whole);
	free((void *)m->raw.data);
	free(m);
}

/* --- signatures ---------------------------------------------------------------------------- */

struct count {
	uint8_t (*seen)[CRYPTO_HASH];
	int64_t good;
};

static void count_signature(struct count *c, const json_t *key, struct bytes message,
			    const json_t *sig)
{
	struct tuf_key *k = tuf_key_new(key);
	uint8_t data[SIGNATURE_MAX], *id = c->seen[c->good];
	size_t len;
	bool good;

	good = k &&
	       hex_read(json_string_value(sig), json_string_length(sig), data, sizeof(data),
			&len) == 0 &&
	       tuf_key_verify(k, message, (struct bytes){data, len}) &&
	       tuf_key_identity(k, id) == 0;
	for (int64_t i = 0; good && i < c->good; i++)
		good = memcmp(c->seen[i], id, CRYPTO_HASH) != 0;
	c->good += good;
	tuf_key_free(k);
}

static bool is_listed(const json_t *keyids, const char *id)
{
	json_t *entry;
	size_t i;

	json_array_foreach (keyids, i, entry)
		if (strcmp(json_string_value(entry), id) == 0)
			return true;
	return false;
}

int tuf_metadata_verify(const struct tuf_metadata *m, const struct tuf_signers *by,
			const char *role, struct tuf_error *e)
{
	struct count c = {.seen = calloc(json_array_size(by->keyids) + 1, CRYPTO_HASH)};
	struct bytes message = {0};
	const json_t *key;
	json_t *entry;
	size_t i;
	int err = c.seen ? canon_encode(m->body, &message) : -ENOMEM;

	if (err == -EINVAL)
		err = bad(e, role, "it has a number with a fraction, which cannot be signed");
	else if (err < 0)
		tuf_fail(e, err, "out of memory");
	json_array_foreach (json_object_get(m->whole, "signatures"), i, entry) {
		const char *id = json_string_value(json_object_get(entry, "keyid"));

		if (err < 0 || c.good >= by->threshold)
			break;
		key = json_object_get(by->keys, id);
		if (key && is_listed(by->keyids, id))
			count_signature(&c, key, message, json_object_get(entry, "sig"));
	}
	if (err == 0 && c.good < by->threshold)
		err = tuf_fail(e, -EKEYREJECTED,
			       "version %" PRId64 " of role '%.100s' is signed by %" PRId64
			       " of the keys that count, and it needs %" PRId64,
			       m->version, role, c.good, by->threshold);
	free(c.seen);
	free((void *)message.data);
	return err;
}

int tuf_metadata_fresh(const struct tuf_metadata *m, int64_t now, const char *role,
		       struct tuf_error *e)
{
	char until[TUF_TIME_LEN], here[TUF_TIME_LEN];

	if (now < m->expires)
		return 0;
	tuf_time_write(m->expires, until);
	tuf_time_write(now, here);
	return tuf_fail(e, -ETIME,
			"version %" PRId64 " of role '%.100s' expired %s and it is %s here: is "
			"the clock right, and does the repository still publish?",
			m->version, role, until, here);
}

/* --- questions to it ----------------------------------------------------------------------- */

static const json_t *role_of(const struct tuf_metadata *root, enum tuf_type role)
{
	return json_object_get(json_object_get(root->body, "roles"), names[role]);
}

struct tuf_signers tuf_root_signers(const struct tuf_metadata *root, enum tuf_type role)
{
	const json_t *r = role_of(root, role);

	return (struct tuf_signers){
		.keys = json_object_get(root->body, "keys"),
		.keyids = json_object_get(r, "keyids"),
		.threshold = json_integer_value(json_object_get(r, "threshold")),
	};
}

bool tuf_root_consistent(const struct tuf_metadata *root)
{
	return json_is_true(json_object_get(root->body, "consistent_snapshot"));
}

/* One and the same, whatever else is said of it. */
static bool is_same_key(const json_t *a, const json_t *b)
{
	return json_equal(json_object_get(a, "keyval"), json_object_get(b, "keyval")) &&
	       json_equal(json_object_get(a, "scheme"), json_object_get(b, "scheme"));
}

bool tuf_root_rotated(const struct tuf_metadata *from, const struct tuf_metadata *to,
		      enum tuf_type role)
{
	struct tuf_signers old = tuf_root_signers(from, role), new = tuf_root_signers(to, role);
	json_t *entry;
	size_t i;

	json_array_foreach (old.keyids, i, entry) {
		const char *id = json_string_value(entry);
		struct tuf_key *k = tuf_key_new(json_object_get(old.keys, id));

		/* What never could sign is not missed. */
		tuf_key_free(k);
		if (k &&
		    (!is_listed(new.keyids, id) ||
		     !is_same_key(json_object_get(old.keys, id), json_object_get(new.keys, id))))
			return true;
	}
	return false;
}

int tuf_meta_find(const struct tuf_metadata *m, const char *role, struct tuf_file *ret_file)
{
	size_t size = strlen(role) + sizeof(".json");
	char *file = malloc(size);
	const json_t *entry;

	if (!file)
		return -ENOMEM;
	snprintf(file, size, "%s.json", role);
	entry = json_object_get(json_object_get(m->body, "meta"), file);
	free(file);
	return entry ? tuf_file_of_meta(entry, ret_file) : -ENOENT;
}
