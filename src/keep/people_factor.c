#include <errno.h>
#include <stdio.h>

#include "base/secret.h"
#include "keep/keys.h"
#include "keep/people_internal.h"

/* The key is of no day: whoever has an account keeps it for years. */
#define PURPOSE "people"
/* Whose and what it is goes under the seal with it. */
#define BOUND (PEOPLE_ID + 12)

static void write_bound(const struct people_factor *f, uint8_t *to)
{
	memcpy(to, f->user, PEOPLE_ID);
	memset(to + PEOPLE_ID, 0, 12);
	memcpy(to + PEOPLE_ID, f->kind, strnlen(f->kind, 12));
}

/* What stands in the row's data; its length or -errno. */
static int seal(struct people *p, const struct people_factor *f,
		uint8_t ret_data[BOUND + PEOPLE_DATA + KEYS_WRAP])
{
	uint8_t plain[BOUND + PEOPLE_DATA];
	int err;

	if (f->data_len > PEOPLE_DATA)
		return -EINVAL;
	if (f->open) {
		memcpy(ret_data, f->data, f->data_len);
		return (int)f->data_len;
	}
	if (!p->keys)
		return -ENOKEY;
	write_bound(f, plain);
	memcpy(plain + BOUND, f->data, f->data_len);
	err = keys_wrap(p->keys, PURPOSE, KEYS_ALWAYS, (struct bytes){plain, BOUND + f->data_len},
			ret_data);
	secret_wipe(plain, sizeof(plain));
	return err < 0 ? err : (int)(BOUND + f->data_len + KEYS_WRAP);
}

static int unseal(struct people *p, struct bytes row, struct people_factor *f)
{
	uint8_t plain[BOUND + PEOPLE_DATA], bound[BOUND];
	int err;

	if (f->open) {
		if (row.len > sizeof(f->data))
			return -EBADMSG;
		if (row.len)
			memcpy(f->data, row.data, row.len);
		f->data_len = row.len;
		return 0;
	}
	if (!p->keys)
		return -ENOKEY;
	if (row.len < BOUND + KEYS_WRAP || row.len > sizeof(plain) + KEYS_WRAP)
		return -EBADMSG;
	err = keys_unwrap(p->keys, PURPOSE, row, plain);
	write_bound(f, bound);
	if (err == 0 && !crypto_equal(bound, plain, BOUND))
		err = -EBADMSG; /* somebody else's, moved here */
	if (err == 0) {
		f->data_len = row.len - KEYS_WRAP - BOUND;
		memcpy(f->data, plain + BOUND, f->data_len);
	}
	secret_wipe(plain, sizeof(plain));
	return err;
}

int people_factor_add(struct people *p, const struct people_factor *f, int64_t *ret_id)
{
	uint8_t data[BOUND + PEOPLE_DATA + KEYS_WRAP];
	int64_t n = people_number(p, "SELECT count(*) FROM factor WHERE user = ?", "b", f->user,
				  sizeof(f->user));
	int len, err;

	if (n < 0 || n >= PEOPLE_FACTORS)
		return n < 0 ? (int)n : -EDQUOT;
	len = seal(p, f, data);
	if (len < 0)
		return len;
	err = people_run(p,
			 "INSERT INTO factor(user, kind, label, made, used, handle, data, open, "
			 "count, failures) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
			 "bttiibbii", f->user, sizeof(f->user), f->kind, f->label, f->made_s,
			 f->used_s, f->handle_len ? f->handle : NULL, f->handle_len, data,
			 (size_t)len, (int64_t)f->open, f->count);
	if (err == 0 && ret_id)
		*ret_id = sqlite3_last_insert_rowid(p->sql);
	return err;
}

int people_factor_change(struct people *p, const struct people_factor *f)
{
	uint8_t data[BOUND + PEOPLE_DATA + KEYS_WRAP];
	int len = seal(p, f, data);

	if (len < 0)
		return len;
	return people_run(
		p,
		"UPDATE factor SET label = ?, used = ?, data = ?, count = ?, failures = ? "
		"WHERE id = ?",
		"tibiii", f->label, f->used_s, data, (size_t)len, f->count, f->failures, f->id);
}

int people_factor_failed(struct people *p, int64_t id, int64_t failures)
{
	return people_run(p, "UPDATE factor SET failures = ? WHERE id = ?", "ii", failures, id);
}

int people_factor_remove(struct people *p, int64_t id)
{
	return people_run(p, "DELETE FROM factor WHERE id = ?", "i", id);
}

#define FACTOR                                                                                \
	"SELECT id, user, kind, label, made, used, handle, data, open, count, failures FROM " \
	"factor "

static void read_factor(sqlite3_stmt *s, struct people_factor *f)
{
	memset(f, 0, sizeof(*f));
	f->id = sqlite3_column_int64(s, 0);
	people_blob(s, 1, f->user, sizeof(f->user));
	people_text(s, 2, f->kind, sizeof(f->kind));
	people_text(s, 3, f->label, sizeof(f->label));
	f->made_s = sqlite3_column_int64(s, 4);
	f->used_s = sqlite3_column_int64(s, 5);
	f->handle_len = people_blob(s, 6, f->handle, sizeof(f->handle));
	f->open = sqlite3_column_int(s, 8) != 0;
	f->count = sqlite3_column_int64(s, 9);
	f->failures = sqlite3_column_int64(s, 10);
}

static int one(struct people *p, sqlite3_stmt *s, int err, struct people_factor *ret_f)
{
	if (!s)
		return err;
	err = people_step(p, s);
	if (err > 0) {
		read_factor(s, ret_f);
		err = unseal(p,
			     (struct bytes){sqlite3_column_blob(s, 7),
					    (size_t)sqlite3_column_bytes(s, 7)},
			     ret_f);
		sqlite3_reset(s);
		return err;
	}
	return err == 0 ? -ENOENT : err;
}

int people_factor_by_handle(struct people *p, struct bytes handle, struct people_factor *ret_f)
{
	int err;
	sqlite3_stmt *s =
		people_bind(p, FACTOR "WHERE handle = ?", &err, "b", handle.data, handle.len);

	return handle.len ? one(p, s, err, ret_f) : -ENOENT;
}

int people_factor_by_id(struct people *p, int64_t id, struct people_factor *ret_f)
{
	int err;
	sqlite3_stmt *s = people_bind(p, FACTOR "WHERE id = ?", &err, "i", id);

	return one(p, s, err, ret_f);
}

int people_factor_of(struct people *p, const uint8_t user[PEOPLE_ID], const char *kind,
		     struct people_factor *ret_f)
{
	int err;
	sqlite3_stmt *s = people_bind(p, FACTOR "WHERE user = ? AND kind = ? ORDER BY id LIMIT 1",
				      &err, "bt", user, (size_t)PEOPLE_ID, kind);

	return one(p, s, err, ret_f);
}

int people_factors(struct people *p, const uint8_t user[PEOPLE_ID], people_factor_fn fn, void *arg)
{
	int err = 0;
	sqlite3_stmt *s = people_bind(p, FACTOR "WHERE user = ? ORDER BY id", &err, "b", user,
				      (size_t)PEOPLE_ID);
	struct people_factor f;

	while (s && (err = people_step(p, s)) > 0) {
		read_factor(s, &f);
		fn(arg, &f);
	}
	return err;
}
