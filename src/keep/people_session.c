#include <errno.h>
#include <stdio.h>

#include "keep/people_internal.h"

static int none_is_fine(int err)
{
	return err == -ENOENT ? 0 : err;
}

static int insert(struct people *p, const struct people_session *s)
{
	return people_run(p, "INSERT INTO session VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			  "btbiittiiiitt", s->hash, sizeof(s->hash), s->id, s->user,
			  sizeof(s->user), (int64_t)s->kind, (int64_t)s->aal, s->factors, s->boot,
			  (int64_t)s->made_ns, (int64_t)s->used_ns, (int64_t)s->fresh_ns, s->made_s,
			  s->source, s->certificate);
}

int people_session_add(struct people *p, const struct people_session *s)
{
	int err = people_begin(p);

	if (err != 0)
		return err;
	err = insert(p, s);
	if (err == 0)
		err = none_is_fine(people_run(
			p,
			"DELETE FROM session WHERE user = ?1 AND hash NOT IN (SELECT hash FROM "
			"session WHERE user = ?1 ORDER BY made_ns DESC LIMIT ?2)",
			"bi", s->user, sizeof(s->user), (int64_t)PEOPLE_SESSIONS));
	return people_end(p, err);
}

#define SESSION                                                                               \
	"SELECT hash, id, user, kind, aal, factors, boot, made_ns, used_ns, fresh_ns, made, " \
	"source, certificate "                                                                \
	"FROM session "

static void read_session(sqlite3_stmt *st, struct people_session *s)
{
	memset(s, 0, sizeof(*s));
	people_blob(st, 0, s->hash, sizeof(s->hash));
	people_text(st, 1, s->id, sizeof(s->id));
	people_blob(st, 2, s->user, sizeof(s->user));
	s->kind = sqlite3_column_int(st, 3);
	s->aal = sqlite3_column_int(st, 4);
	people_text(st, 5, s->factors, sizeof(s->factors));
	people_text(st, 6, s->boot, sizeof(s->boot));
	s->made_ns = (uint64_t)sqlite3_column_int64(st, 7);
	s->used_ns = (uint64_t)sqlite3_column_int64(st, 8);
	s->fresh_ns = (uint64_t)sqlite3_column_int64(st, 9);
	s->made_s = sqlite3_column_int64(st, 10);
	people_text(st, 11, s->source, sizeof(s->source));
	people_text(st, 12, s->certificate, sizeof(s->certificate));
}

int people_session_by_hash(struct people *p, const uint8_t hash[CRYPTO_HASH],
			   struct people_session *ret_s)
{
	int err;
	sqlite3_stmt *s =
		people_bind(p, SESSION "WHERE hash = ?", &err, "b", hash, (size_t)CRYPTO_HASH);

	if (!s)
		return err;
	err = people_step(p, s);
	if (err > 0)
		read_session(s, ret_s);
	sqlite3_reset(s);
	return err > 0 ? 0 : err == 0 ? -ENOENT : err;
}

int people_session_used(struct people *p, const uint8_t hash[CRYPTO_HASH], uint64_t used_ns)
{
	return people_run(p, "UPDATE session SET used_ns = ? WHERE hash = ?", "ib",
			  (int64_t)used_ns, hash, (size_t)CRYPTO_HASH);
}

int people_session_renew(struct people *p, const uint8_t hash[CRYPTO_HASH],
			 const struct people_session *s)
{
	int err = people_begin(p);

	if (err != 0)
		return err;
	err = people_session_remove(p, hash);
	if (err == 0)
		err = insert(p, s);
	return people_end(p, err);
}

int people_session_remove(struct people *p, const uint8_t hash[CRYPTO_HASH])
{
	return people_run(p, "DELETE FROM session WHERE hash = ?", "b", hash, (size_t)CRYPTO_HASH);
}

int people_session_end(struct people *p, const char *id, const uint8_t *user)
{
	if (!user)
		return people_run(p, "DELETE FROM session WHERE id = ?", "t", id);
	return people_run(p, "DELETE FROM session WHERE id = ? AND user = ?", "tb", id, user,
			  (size_t)PEOPLE_ID);
}

int people_sessions_end(struct people *p, const uint8_t user[PEOPLE_ID], const uint8_t *but_hash)
{
	static const uint8_t nobody[CRYPTO_HASH];

	return none_is_fine(people_run(p, "DELETE FROM session WHERE user = ? AND hash <> ?", "bb",
				       user, (size_t)PEOPLE_ID, but_hash ? but_hash : nobody,
				       (size_t)CRYPTO_HASH));
}

int people_sessions_sweep(struct people *p, const char *boot)
{
	return none_is_fine(people_run(p, "DELETE FROM session WHERE boot <> ?", "t", boot));
}

int people_sessions(struct people *p, const uint8_t *user, people_session_fn fn, void *arg)
{
	int err = 0;
	sqlite3_stmt *st = user ? people_bind(p, SESSION "WHERE user = ? ORDER BY made_ns", &err,
					      "b", user, (size_t)PEOPLE_ID)
				: people_bind(p, SESSION "ORDER BY made_ns", &err, "");
	struct people_session s;

	while (st && (err = people_step(p, st)) > 0) {
		read_session(st, &s);
		fn(arg, &s);
	}
	return err;
}

int people_invite(struct people *p, const struct people_invitation *i)
{
	int64_t n = people_number(p, "SELECT count(*) FROM invitation", "");

	if (n < 0 || n >= PEOPLE_INVITED)
		return n < 0 ? (int)n : -EDQUOT;
	return people_run(p, "INSERT OR REPLACE INTO invitation VALUES(?, ?, ?, ?, ?)", "bbtii",
			  i->hash, sizeof(i->hash), i->user, sizeof(i->user), i->boot,
			  (int64_t)i->until_ns, i->until_s);
}

int people_invited(struct people *p, const uint8_t hash[CRYPTO_HASH],
		   struct people_invitation *ret_i)
{
	int err;
	sqlite3_stmt *s = people_bind(
		p, "SELECT hash, user, boot, until_ns, until FROM invitation WHERE hash = ?", &err,
		"b", hash, (size_t)CRYPTO_HASH);

	if (!s)
		return err;
	err = people_step(p, s);
	if (err > 0) {
		people_blob(s, 0, ret_i->hash, sizeof(ret_i->hash));
		people_blob(s, 1, ret_i->user, sizeof(ret_i->user));
		people_text(s, 2, ret_i->boot, sizeof(ret_i->boot));
		ret_i->until_ns = (uint64_t)sqlite3_column_int64(s, 3);
		ret_i->until_s = sqlite3_column_int64(s, 4);
	}
	sqlite3_reset(s);
	return err > 0 ? 0 : err == 0 ? -ENOENT : err;
}

int people_invitation_remove(struct people *p, const uint8_t hash[CRYPTO_HASH])
{
	return people_run(p, "DELETE FROM invitation WHERE hash = ?", "b", hash,
			  (size_t)CRYPTO_HASH);
}

int people_key_add(struct people *p, const struct people_key *k)
{
	int64_t n = people_number(p, "SELECT count(*) FROM api_key", "");

	if (n < 0 || n >= PEOPLE_KEYS)
		return n < 0 ? (int)n : -EDQUOT;
	return people_run(p, "INSERT INTO api_key VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", "bttbttiii",
			  k->hash, sizeof(k->hash), k->id, k->name, k->owner, sizeof(k->owner),
			  k->role, k->scopes, k->made_s, k->until_s, k->used_s);
}

#define KEY "SELECT hash, id, name, owner, role, scopes, made, until, used FROM api_key "

static void read_key(sqlite3_stmt *s, struct people_key *k)
{
	memset(k, 0, sizeof(*k));
	people_blob(s, 0, k->hash, sizeof(k->hash));
	people_text(s, 1, k->id, sizeof(k->id));
	people_text(s, 2, k->name, sizeof(k->name));
	people_blob(s, 3, k->owner, sizeof(k->owner));
	people_text(s, 4, k->role, sizeof(k->role));
	people_text(s, 5, k->scopes, sizeof(k->scopes));
	k->made_s = sqlite3_column_int64(s, 6);
	k->until_s = sqlite3_column_int64(s, 7);
	k->used_s = sqlite3_column_int64(s, 8);
}

int people_key_by_hash(struct people *p, const uint8_t hash[CRYPTO_HASH], struct people_key *ret_k)
{
	int err;
	sqlite3_stmt *s =
		people_bind(p, KEY "WHERE hash = ?", &err, "b", hash, (size_t)CRYPTO_HASH);

	if (!s)
		return err;
	err = people_step(p, s);
	if (err > 0)
		read_key(s, ret_k);
	sqlite3_reset(s);
	return err > 0 ? 0 : err == 0 ? -ENOENT : err;
}

int people_key_used(struct people *p, const uint8_t hash[CRYPTO_HASH], int64_t used_s)
{
	return people_run(p, "UPDATE api_key SET used = ? WHERE hash = ?", "ib", used_s, hash,
			  (size_t)CRYPTO_HASH);
}

int people_key_remove(struct people *p, const char *id)
{
	return people_run(p, "DELETE FROM api_key WHERE id = ?", "t", id);
}

int people_keys_sweep(struct people *p, int64_t now_s)
{
	return none_is_fine(people_run(p, "DELETE FROM api_key WHERE until <= ?", "i", now_s));
}

int people_keys(struct people *p, people_key_fn fn, void *arg)
{
	int err = 0;
	sqlite3_stmt *s = people_bind(p, KEY "ORDER BY made", &err, "");
	struct people_key k;

	while (s && (err = people_step(p, s)) > 0) {
		read_key(s, &k);
		fn(arg, &k);
	}
	return err;
}
