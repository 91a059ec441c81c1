#include "keep/ca.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/err.h>

#include "base/hex.h"
#include "keep/db.h"
#include "seal/pki/signer.h"
#include "seal/pki/tls.h"

#define PURPOSE	   "pki.ca"
#define CODE_CHARS "ABCDEFGHJKLMNPQRSTUVWXYZ23456789" /* none that is taken for another */
#define DAY	   86400

static const char *const versions[] = {
	"CREATE TABLE IF NOT EXISTS authority("
	"  id INTEGER PRIMARY KEY, pem TEXT NOT NULL, crl TEXT NOT NULL, crl_number INTEGER NOT "
	"NULL,"
	"  crl_made INTEGER NOT NULL) STRICT;"
	"CREATE TABLE IF NOT EXISTS certificate("
	"  serial TEXT PRIMARY KEY, name TEXT NOT NULL, profile TEXT NOT NULL, names TEXT NOT NULL,"
	"  made INTEGER NOT NULL, until INTEGER NOT NULL, revoked INTEGER NOT NULL,"
	"  reason INTEGER NOT NULL, own INTEGER NOT NULL, alarmed INTEGER NOT NULL,"
	"  pem TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS certificate_name ON certificate(name, profile, made);"
	"CREATE TABLE IF NOT EXISTS code("
	"  hash BLOB PRIMARY KEY, name TEXT NOT NULL, profile TEXT NOT NULL, names TEXT NOT NULL,"
	"  days INTEGER NOT NULL, until INTEGER NOT NULL, used INTEGER NOT NULL) STRICT,"
	"  WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS installed(purpose TEXT PRIMARY KEY, pem TEXT NOT NULL) STRICT;"
	"PRAGMA user_version = 1;",
};

static const struct db_schema schema = {versions, 1};

/* A table more than a version has does not keep an older release from the file. */
static const char beside[] = "PRAGMA secure_delete = ON;"
			     "CREATE TABLE IF NOT EXISTS installed_alarm("
			     "  purpose TEXT PRIMARY KEY, alarmed INTEGER NOT NULL) STRICT;";

struct ca {
	sqlite3 *sql;
	struct signing *signing;
	X509 *root; /* NULL: not made yet */
	EVP_PKEY *key;
};

/* --- statements ------------------------------------------------------------------- */

/* `kinds`: t text, i int64, b struct bytes. NULL with *ret_err. */
static sqlite3_stmt *query(struct ca *c, int *ret_err, const char *text, const char *kinds, ...)
{
	sqlite3_stmt *s = NULL;
	va_list ap;
	int rc = sqlite3_prepare_v2(c->sql, text, -1, &s, NULL);

	va_start(ap, kinds);
	for (int i = 1; rc == SQLITE_OK && *kinds; i++, kinds++) {
		struct bytes b;

		if (*kinds == 't') {
			rc = sqlite3_bind_text(s, i, va_arg(ap, const char *), -1,
					       SQLITE_TRANSIENT);
		} else if (*kinds == 'i') {
			rc = sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
		} else {
			b = va_arg(ap, struct bytes);
			rc = sqlite3_bind_blob(s, i, b.data, (int)b.len, SQLITE_TRANSIENT);
		}
	}
	va_end(ap);
	if (rc == SQLITE_OK)
		return s;
	*ret_err = db_error(c->sql, rc);
	sqlite3_finalize(s);
	return NULL;
}

/* One row is there: 1; none: 0; -errno. */
static int step(struct ca *c, sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_error(c->sql, rc);
}

/* Runs and frees it. */
static int run(struct ca *c, sqlite3_stmt *s, int err)
{
	if (!s)
		return err;
	err = step(c, s);
	sqlite3_finalize(s);
	return err < 0 ? err : 0;
}

static int begin(struct ca *c)
{
	return db_error(c->sql, sqlite3_exec(c->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL));
}

static int end(struct ca *c, int err)
{
	if (err == 0)
		err = db_error(c->sql, sqlite3_exec(c->sql, "COMMIT", NULL, NULL, NULL));
	if (err < 0)
		sqlite3_exec(c->sql, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

static const char *text_at(sqlite3_stmt *s, int i)
{
	const char *t = (const char *)sqlite3_column_text(s, i);

	return t ? t : "";
}

/* --- the authority ------------------------------------------------------------------ */

static int sign(void *arg, const uint8_t digest[CRYPTO_HASH], uint8_t ret_sign[P256_SIGN])
{
	struct ca *c = arg;

	return signing_sign(c->signing, PURPOSE, digest, ret_sign);
}

static EVP_PKEY *public_of(struct ca *c, const char *purpose, int *ret_err)
{
	uint8_t point[P256_POINT];
	EVP_PKEY *key;

	*ret_err = signing_public(c->signing, purpose, point);
	if (*ret_err < 0)
		return NULL;
	key = signer_public(point);
	if (!key)
		*ret_err = -EIO;
	return key;
}

static X509 *first_of(const char *pem)
{
	STACK_OF(X509) *chain = cert_chain((struct bytes){(const uint8_t *)pem, strlen(pem)});
	X509 *x = chain ? sk_X509_shift(chain) : NULL;

	sk_X509_pop_free(chain, X509_free);
	return x;
}

static int load_root(struct ca *c)
{
	uint8_t point[P256_POINT];
	int err = 0, got;
	sqlite3_stmt *s = query(c, &err, "SELECT pem FROM authority WHERE id = 1", "");

	if (!s)
		return err;
	got = step(c, s);
	if (got == 1)
		c->root = first_of(text_at(s, 0));
	sqlite3_finalize(s);
	if (got < 0)
		return got;
	if (got == 0)
		return 0;
	err = signing_public(c->signing, PURPOSE, point);
	c->key = err == 0 ? signer_new(point, sign, c) : NULL;
	if (!c->root || !c->key || X509_check_private_key(c->root, c->key) != 1) {
		/* Its key was destroyed: what it signed stands, but it signs no more. */
		X509_free(c->root);
		EVP_PKEY_free(c->key);
		c->root = NULL;
		c->key = NULL;
		ERR_clear_error();
		return -EKEYREVOKED;
	}
	return 0;
}

struct ca *ca_open(const char *dir, struct signing *s)
{
	struct ca *c = calloc(1, sizeof(*c));
	char path[DB_PATH_MAX];
	int err;

	if (!c)
		return NULL;
	c->signing = s;
	snprintf(path, sizeof(path), "%s/pki.db", dir);
	err = db_open_as(path, &schema, &c->sql);
	if (err == 0)
		err = db_error(c->sql, sqlite3_exec(c->sql, beside, NULL, NULL, NULL));
	if (err == 0)
		err = load_root(c);
	if (err == 0)
		return c;
	ca_free(c);
	errno = -err;
	return NULL;
}

void ca_free(struct ca *c)
{
	if (!c)
		return;
	X509_free(c->root);
	EVP_PKEY_free(c->key);
	sqlite3_close(c->sql);
	free(c);
}

bool ca_ready(const struct ca *c)
{
	return c->root != NULL;
}

int ca_init(struct ca *c, const char *name, uint32_t days, int64_t now_s)
{
	struct cert_order o = {.name = name, .now_s = now_s, .days = days ? days : CA_ROOT_DAYS};
	uint8_t point[P256_POINT];
	EVP_PKEY *public = NULL, *key = NULL;
	X509 *x = NULL;
	char *pem = NULL;
	int err;

	if (c->root)
		return -EEXIST;
	if (!*name || strlen(name) > CERT_NAME)
		return -EINVAL;
	public = public_of(c, PURPOSE, &err);
	if (!public || signing_public(c->signing, PURPOSE, point) < 0 ||
	    crypto_random(o.serial, sizeof(o.serial)) < 0)
		goto out;
	key = signer_new(point, sign, c);
	x = key ? cert_root(key, public, &o) : NULL;
	pem = x ? cert_text(x) : NULL;
	err = -EIO;
	if (!pem)
		goto out;
	err = run(c, query(c, &err, "INSERT INTO authority VALUES(1, ?, '', 0, 0)", "t", pem), err);
	if (err == 0) {
		c->root = x;
		c->key = key;
		x = NULL;
		key = NULL;
	}
out:
	free(pem);
	X509_free(x);
	EVP_PKEY_free(key);
	EVP_PKEY_free(public);
	return err;
}

int ca_root(struct ca *c, char **ret_pem)
{
	if (!c->root)
		return -ENOENT;
	*ret_pem = cert_text(c->root);
	return *ret_pem ? 0 : -ENOMEM;
}

/* --- issuing -------------------------------------------------------------------------- */

#define NAMES_TEXT (CERT_NAMES * CERT_HOST)
static void join_names(const struct cert_names *n, char ret_text[NAMES_TEXT])
{
	size_t len = 0;

	*ret_text = 0;
	for (unsigned i = 0; i < n->count; i++)
		len += (size_t)snprintf(ret_text + len, NAMES_TEXT - len, "%s%s", i ? " " : "",
					n->name[i]);
}

static int split_names(const char *text, struct cert_names *ret_names)
{
	char copy[NAMES_TEXT], *save = NULL;
	int err = 0;

	*ret_names = (struct cert_names){0};
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *n = strtok_r(copy, " ", &save); n && err == 0; n = strtok_r(NULL, " ", &save))
		err = cert_names_add(ret_names, n);
	return err;
}

static char *with_root(struct ca *c, X509 *x)
{
	char *own = cert_text(x), *root = cert_text(c->root), *both = NULL;

	if (own && root && asprintf(&both, "%s%s", own, root) < 0)
		both = NULL;
	free(own);
	free(root);
	return both;
}

static int insert(struct ca *c, const struct ca_order *o, X509 *x, bool own, int64_t now_s)
{
	char serial[CA_SERIAL], names[NAMES_TEXT], *pem = cert_text(x);
	uint8_t raw[CERT_SERIAL];
	int err = -ENOMEM;

	cert_serial(x, raw);
	hex_write(raw, CERT_SERIAL, serial);
	join_names(&o->names, names);
	if (pem)
		err = run(c,
			  query(c, &err,
				"INSERT INTO certificate VALUES(?, ?, ?, ?, ?, ?, 0, 0, ?, 0, ?)",
				"ttttiiit", serial, o->name, cert_profile_name(o->profile), names,
				now_s, (int64_t)tls_time(X509_get0_notAfter(x)), (int64_t)own, pem),
			  err);
	free(pem);
	return err;
}

static int issue(struct ca *c, const struct ca_order *o, EVP_PKEY *key, bool own, int64_t now_s,
		 char **ret_pem)
{
	struct cert_order order = {.profile = o->profile,
				   .name = o->name,
				   .names = &o->names,
				   .key = key,
				   .now_s = now_s,
				   .days = o->days ? o->days : CA_DAYS};
	X509 *x;
	int err;

	if (!c->root)
		return -ENOENT;
	err = crypto_random(order.serial, sizeof(order.serial));
	if (err < 0)
		return err;
	x = cert_issue(c->root, c->key, &order);
	if (!x)
		return tls_time(X509_get0_notAfter(c->root)) <= (uint64_t)now_s ? -EKEYEXPIRED
										: -EIO;
	*ret_pem = with_root(c, x);
	err = *ret_pem ? insert(c, o, x, own, now_s) : -ENOMEM;
	X509_free(x);
	if (err < 0) {
		free(*ret_pem);
		*ret_pem = NULL;
	}
	return err;
}

int ca_issue(struct ca *c, const struct ca_order *o, EVP_PKEY *key, int64_t now_s, char **ret_pem)
{
	return issue(c, o, key, false, now_s, ret_pem);
}

/* --- codes and enrolment --------------------------------------------------------------- */

/* Dashes, spaces and small letters are how people type it. */
static int hash_code(const char *code, uint8_t ret_hash[CRYPTO_HASH])
{
	char clean[CA_CODE] = "";
	size_t n = 0;

	for (; *code; code++) {
		if (*code == '-' || *code == ' ')
			continue;
		if (n + 1 >= sizeof(clean))
			return -ENOENT;
		clean[n++] = (char)toupper((unsigned char)*code);
	}
	return crypto_sha256((struct bytes){(const uint8_t *)clean, n}, ret_hash);
}

int ca_code(struct ca *c, const struct ca_order *o, uint32_t hours, int64_t now_s,
	    char ret_code[CA_CODE])
{
	uint8_t random[12], hash[CRYPTO_HASH];
	char names[NAMES_TEXT], code[CA_CODE];
	int64_t until = now_s + (int64_t)(hours ? hours : CA_CODE_HOURS) * 3600;
	size_t n = 0;
	int err = crypto_random(random, sizeof(random));

	if (!c->root)
		return -ENOENT;
	if (err < 0)
		return err;
	for (unsigned i = 0; i < sizeof(random); i++) {
		if (i && i % 4 == 0)
			code[n++] = '-';
		code[n++] = CODE_CHARS[random[i] & 31];
	}
	code[n] = 0;
	err = hash_code(code, hash);
	join_names(&o->names, names);
	if (err == 0)
		err = run(c, query(c, &err, "DELETE FROM code WHERE until < ?", "i", now_s - DAY),
			  err);
	if (err == 0)
		err = run(c,
			  query(c, &err, "INSERT INTO code VALUES(?, ?, ?, ?, ?, ?, 0)", "btttii",
				(struct bytes){hash, sizeof(hash)}, o->name,
				cert_profile_name(o->profile), names, (int64_t)o->days, until),
			  err);
	if (err == 0)
		memcpy(ret_code, code, n + 1);
	return err;
}

/* What is asked for must have been granted: every name, and the common name if there is one. */
static bool within(const struct csr *r, const struct ca_order *o)
{
	for (unsigned i = 0; i < r->names.count; i++)
		if (!cert_names_have(&o->names, r->names.name[i]))
			return false;
	return !*r->name || strcasecmp(r->name, o->name) == 0 ||
	       cert_names_have(&o->names, r->name);
}

static int find_code(struct ca *c, const uint8_t hash[CRYPTO_HASH], int64_t now_s,
		     struct ca_order *ret_o)
{
	int err = 0, got;
	sqlite3_stmt *s = query(c, &err,
				"SELECT name, profile, names, days, until, used FROM code"
				" WHERE hash = ?",
				"b", (struct bytes){hash, CRYPTO_HASH});

	if (!s)
		return err;
	got = step(c, s);
	if (got == 1) {
		snprintf(ret_o->name, sizeof(ret_o->name), "%s", text_at(s, 0));
		ret_o->profile = cert_profile_find(text_at(s, 1));
		ret_o->days = (uint32_t)sqlite3_column_int64(s, 3);
		err = split_names(text_at(s, 2), &ret_o->names);
		if (sqlite3_column_int64(s, 5))
			err = -EALREADY;
		else if (sqlite3_column_int64(s, 4) <= now_s)
			err = -EKEYEXPIRED;
	}
	sqlite3_finalize(s);
	return got < 0 ? got : got == 0 ? -ENOENT : err;
}

int ca_enrol(struct ca *c, const char *code, const struct csr *r, int64_t now_s, char **ret_pem,
	     char *ret_name)
{
	struct ca_order o = {0};
	uint8_t hash[CRYPTO_HASH];
	int err = hash_code(code, hash);

	if (err == 0)
		err = begin(c);
	if (err < 0)
		return err;
	err = find_code(c, hash, now_s, &o);
	if (err == 0 && !within(r, &o))
		err = -EACCES;
	if (err == 0)
		err = run(c,
			  query(c, &err, "UPDATE code SET used = ? WHERE hash = ?", "ib", now_s,
				(struct bytes){hash, sizeof(hash)}),
			  err);
	if (err == 0)
		err = issue(c, &o, r->key, false, now_s, ret_pem);
	snprintf(ret_name, CERT_NAME + 1, "%s", o.name);
	return end(c, err);
}

static int find_serial(struct ca *c, const char *serial, struct ca_order *ret_o)
{
	int err = 0, got;
	sqlite3_stmt *s = query(c, &err,
				"SELECT name, profile, names, revoked FROM certificate"
				" WHERE serial = ?",
				"t", serial);

	if (!s)
		return err;
	got = step(c, s);
	if (got == 1) {
		snprintf(ret_o->name, sizeof(ret_o->name), "%s", text_at(s, 0));
		ret_o->profile = cert_profile_find(text_at(s, 1));
		err = split_names(text_at(s, 2), &ret_o->names);
		if (sqlite3_column_int64(s, 3))
			err = -EKEYREVOKED;
	}
	sqlite3_finalize(s);
	return got < 0 ? got : got == 0 ? -ENOENT : err;
}

int ca_renew(struct ca *c, struct bytes der, const struct csr *r, int64_t now_s, char **ret_pem,
	     char *ret_name)
{
	const uint8_t *p = der.data;
	X509 *x = d2i_X509(NULL, &p, (long)der.len);
	struct ca_order o = {0};
	uint8_t raw[CERT_SERIAL];
	char serial[CA_SERIAL];
	int err = -ENOENT;

	ERR_clear_error();
	*ret_name = 0;
	if (x && c->root && X509_verify(x, X509_get0_pubkey(c->root)) == 1) {
		cert_serial(x, raw);
		hex_write(raw, CERT_SERIAL, serial);
		err = find_serial(c, serial, &o);
	}
	if (err == 0 && (tls_time(X509_get0_notAfter(x)) <= (uint64_t)now_s ||
			 tls_time(X509_get0_notBefore(x)) > (uint64_t)now_s))
		err = -EKEYEXPIRED;
	if (err == 0 && !within(r, &o))
		err = -EACCES;
	snprintf(ret_name, CERT_NAME + 1, "%s", o.name);
	if (err == 0)
		err = issue(c, &o, r->key, false, now_s, ret_pem);
	X509_free(x);
	ERR_clear_error();
	return err;
}

/* --- revoking ----------------------------------------------------------------------------- */

int ca_revoke(struct ca *c, const char *which, int reason, int64_t now_s)
{
	int err = 0, count;
	int changed = run(c,
			  query(c, &err,
				"UPDATE certificate SET revoked = ?, reason = ? WHERE revoked = 0"
				" AND until > ? AND (serial = lower(?) OR name = ?)",
				"iiitt", now_s, (int64_t)reason, now_s, which, which),
			  err);

	if (changed < 0)
		return changed;
	count = sqlite3_changes(c->sql);
	if (count)
		err = run(c, query(c, &err, "UPDATE authority SET crl_made = 0", ""), err);
	return err < 0 ? err : count;
}

static int make_crl(struct ca *c, uint64_t number, int64_t now_s, char **ret_pem)
{
	struct cert_revoked *list = NULL;
	size_t count = 0, room = 0;
	X509_CRL *crl = NULL;
	const char *serial;
	int err = 0, got = 0;
	sqlite3_stmt *s = query(c, &err,
				"SELECT serial, revoked, reason FROM certificate WHERE revoked > 0"
				" AND until > ?",
				"i", now_s - 7 * DAY);

	while (s && (got = step(c, s)) == 1) {
		if (count == room) {
			struct cert_revoked *more =
				realloc(list, (room = room ? room * 2 : 64) * sizeof(*list));

			if (!more) {
				got = -ENOMEM;
				break;
			}
			list = more;
		}
		serial = text_at(s, 0);
		if (!hex_read_small((struct bytes){(const uint8_t *)serial, strlen(serial)},
				    list[count].serial, CERT_SERIAL)) {
			got = -EBADMSG;
			break;
		}
		list[count].when_s = sqlite3_column_int64(s, 1);
		list[count++].reason = sqlite3_column_int(s, 2);
	}
	sqlite3_finalize(s);
	err = s ? got : err;
	if (err == 0) {
		crl = cert_crl(c->root, c->key, list, count, number, now_s, CA_CRL_HOURS);
		*ret_pem = crl ? cert_crl_text(crl) : NULL;
		err = *ret_pem ? 0 : -EIO;
	}
	X509_CRL_free(crl);
	free(list);
	return err;
}

int ca_crl(struct ca *c, int64_t now_s, char **ret_pem)
{
	int err = 0, got;
	sqlite3_stmt *s;
	int64_t number, made;

	if (!c->root)
		return -ENOENT;
	s = query(c, &err, "SELECT crl, crl_number, crl_made FROM authority WHERE id = 1", "");
	if (!s)
		return err;
	got = step(c, s);
	number = got == 1 ? sqlite3_column_int64(s, 1) : 0;
	made = got == 1 ? sqlite3_column_int64(s, 2) : 0;
	*ret_pem = NULL;
	if (made && now_s >= made && now_s - made < CA_CRL_HOURS * 1800)
		*ret_pem = strdup(text_at(s, 0));
	sqlite3_finalize(s);
	if (got < 0 || *ret_pem)
		return got < 0 ? got : 0;
	err = make_crl(c, (uint64_t)number + 1, now_s, ret_pem);
	if (err == 0)
		err = run(c,
			  query(c, &err,
				"UPDATE authority SET crl = ?, crl_number = ?, crl_made = ?", "tii",
				*ret_pem, number + 1, now_s),
			  err);
	if (err < 0) {
		free(*ret_pem);
		*ret_pem = NULL;
	}
	return err;
}

/* --- this gateway's own ----------------------------------------------------------------------- */

static int fetch_text(struct ca *c, const char *text, const char *key, char **ret_text)
{
	int err = 0, got;
	sqlite3_stmt *s = query(c, &err, text, "t", key);

	if (!s)
		return err;
	got = step(c, s);
	*ret_text = got == 1 ? strdup(text_at(s, 0)) : NULL;
	sqlite3_finalize(s);
	return got < 0 ? got : *ret_text ? 0 : -ENOENT;
}

/* Is it for this key and these names, and has it a third of its life left? */
static bool still_good(X509 *x, EVP_PKEY *key, const struct ca_order *o, int64_t now_s)
{
	int64_t from = (int64_t)tls_time(X509_get0_notBefore(x));
	int64_t until = (int64_t)tls_time(X509_get0_notAfter(x));
	struct cert_names names;

	if (EVP_PKEY_eq(X509_get0_pubkey(x), key) != 1 || cert_names_of(x, &names) < 0 ||
	    names.count != o->names.count || now_s < from)
		return false;
	for (unsigned i = 0; i < names.count; i++)
		if (!cert_names_have(&o->names, names.name[i]))
			return false;
	return now_s - from < (until - from) / 3 * 2;
}

static int newest_own(struct ca *c, const char *profile, char **ret_pem)
{
	return fetch_text(c,
			  "SELECT pem FROM certificate WHERE own = 1 AND revoked = 0"
			  " AND profile = ? ORDER BY made DESC, until DESC LIMIT 1",
			  profile, ret_pem);
}

int ca_own(struct ca *c, const char *purpose, const struct ca_order *o, int64_t now_s, bool anew,
	   char **ret_pem, bool *ret_fresh)
{
	EVP_PKEY *key;
	char *pem = NULL;
	X509 *x = NULL;
	int err;

	*ret_fresh = false;
	err = fetch_text(c, "SELECT pem FROM installed WHERE purpose = ?", purpose, ret_pem);
	if (err != -ENOENT)
		return err;
	key = public_of(c, purpose, &err);
	if (!key)
		return err;
	err = anew ? -ENOENT : newest_own(c, cert_profile_name(o->profile), &pem);
	x = err == 0 ? first_of(pem) : NULL;
	/* One that another authority of ours had signed, before, is of no use. */
	if (x && c->root && X509_verify(x, X509_get0_pubkey(c->root)) == 1 &&
	    still_good(x, key, o, now_s)) {
		*ret_pem = with_root(c, x);
		err = *ret_pem ? 0 : -ENOMEM;
	} else if (err == 0 || err == -ENOENT) {
		err = issue(c, o, key, true, now_s, ret_pem);
		*ret_fresh = err == 0;
	}
	ERR_clear_error();
	X509_free(x);
	free(pem);
	EVP_PKEY_free(key);
	return err;
}

static int forget_alarm(struct ca *c, const char *purpose)
{
	int err = 0;

	return run(c, query(c, &err, "DELETE FROM installed_alarm WHERE purpose = ?", "t", purpose),
		   err);
}

int ca_install(struct ca *c, const char *purpose, struct bytes pem)
{
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key;
	char *text;
	int err = 0;

	if (!pem.data) {
		err = run(c,
			  query(c, &err, "DELETE FROM installed WHERE purpose = ?", "t", purpose),
			  err);
		return err < 0 ? err : forget_alarm(c, purpose);
	}
	key = public_of(c, purpose, &err);
	if (!key)
		return err;
	chain = cert_chain(pem);
	if (!chain)
		err = -EBADMSG;
	else if (EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(chain, 0)), key) != 1)
		err = -EACCES;
	text = strndup((const char *)pem.data, pem.len);
	if (err == 0 && !text)
		err = -ENOMEM;
	if (err == 0)
		err = run(c,
			  query(c, &err, "INSERT OR REPLACE INTO installed VALUES(?, ?)", "tt",
				purpose, text),
			  err);
	if (err == 0)
		err = forget_alarm(c, purpose);
	free(text);
	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return err;
}

struct asking {
	struct ca *ca;
	const char *purpose;
};

static int sign_request(void *arg, const uint8_t digest[CRYPTO_HASH], uint8_t ret_sign[P256_SIGN])
{
	struct asking *a = arg;

	return signing_sign(a->ca->signing, a->purpose, digest, ret_sign);
}

int ca_request(struct ca *c, const char *purpose, const struct ca_order *o, char **ret_pem)
{
	struct asking a = {c, purpose};
	uint8_t point[P256_POINT];
	EVP_PKEY *public, *key;
	X509_REQ *r = NULL;
	int err;

	public = public_of(c, purpose, &err);
	if (!public)
		return err;
	err = signing_public(c->signing, purpose, point);
	key = err == 0 ? signer_new(point, sign_request, &a) : NULL;
	r = key ? csr_make(key, public, o->name, &o->names) : NULL;
	*ret_pem = r ? cert_csr_text(r) : NULL;
	X509_REQ_free(r);
	EVP_PKEY_free(key);
	EVP_PKEY_free(public);
	return *ret_pem ? 0 : -EIO;
}

/* --- telling -------------------------------------------------------------------------------------- */

#define COLUMNS                                                            \
	"serial, name, profile, names, made, until, revoked, own, "        \
	"NOT EXISTS(SELECT 1 FROM certificate o WHERE o.name = c.name AND" \
	" o.profile = c.profile AND o.revoked = 0 AND (o.made > c.made OR" \
	" (o.made = c.made AND o.serial > c.serial)))"

static void fill(sqlite3_stmt *s, struct ca_row *r)
{
	*r = (struct ca_row){.name = text_at(s, 1),
			     .profile = text_at(s, 2),
			     .names = text_at(s, 3),
			     .from_s = sqlite3_column_int64(s, 4),
			     .until_s = sqlite3_column_int64(s, 5),
			     .revoked_s = sqlite3_column_int64(s, 6),
			     .own = sqlite3_column_int(s, 7),
			     .newest = sqlite3_column_int(s, 8)};
	snprintf(r->serial, sizeof(r->serial), "%s", text_at(s, 0));
}

int ca_each(struct ca *c, void (*fn)(void *arg, const struct ca_row *row), void *arg)
{
	int err = 0, got = 0;
	sqlite3_stmt *s = query(
		c, &err, "SELECT " COLUMNS " FROM certificate c ORDER BY name, made DESC", "");

	while (s && (got = step(c, s)) == 1) {
		struct ca_row r;

		fill(s, &r);
		fn(arg, &r);
	}
	sqlite3_finalize(s);
	return s ? got : err;
}

/* The alarm that is due: 90, 30, 7 days left, -1 over; 0 none. */
static int due(const struct ca_row *r, int64_t now_s)
{
	static const int steps[] = {7, 30, 90};
	int64_t left = r->until_s - now_s;
	bool early = now_s - r->from_s < (r->until_s - r->from_s) / 3 * 2;

	if (left <= 0)
		return -1;
	for (unsigned i = 0; i < 3; i++) {
		/* Nobody need do anything yet, where it is renewed by a machine. */
		if (early && !(r->installed && steps[i] < 90))
			continue;
		if (left <= (int64_t)steps[i] * DAY)
			return steps[i];
	}
	return 0;
}

/* Alarms told, as one number that grows: 90 → 1, 30 → 2, 7 → 3, over → 4. */
static int rank(int days)
{
	return days == 90 ? 1 : days == 30 ? 2 : days == 7 ? 3 : days == -1 ? 4 : 0;
}

/* From the first's beginning to the first end in the chain. False: there is none. */
static bool chain_life(const char *pem, struct ca_row *ret_row, char ret_name[CERT_NAME + 1])
{
	STACK_OF(X509) *chain = cert_chain((struct bytes){(const uint8_t *)pem, strlen(pem)});
	int n = chain ? sk_X509_num(chain) : 0;

	for (int i = 0; i < n; i++) {
		X509 *x = sk_X509_value(chain, i);
		int64_t until = (int64_t)tls_time(X509_get0_notAfter(x));

		if (i == 0) {
			tls_name(x, ret_name, CERT_NAME + 1);
			ret_row->from_s = (int64_t)tls_time(X509_get0_notBefore(x));
		}
		ret_row->until_s = i && ret_row->until_s < until ? ret_row->until_s : until;
	}
	sk_X509_pop_free(chain, X509_free);
	return n > 0;
}

static int alarms_installed(struct ca *c, int64_t now_s,
			    void (*fn)(void *arg, const struct ca_row *row, int days), void *arg)
{
	int err = 0, got = 0;
	sqlite3_stmt *s = query(c, &err,
				"SELECT i.purpose, i.pem, ifnull(a.alarmed, 0) FROM installed i"
				" LEFT JOIN installed_alarm a USING(purpose)",
				"");

	while (s && (got = step(c, s)) == 1) {
		char name[CERT_NAME + 1], purpose[64];
		struct ca_row r = {.own = true, .newest = true, .installed = true};
		int days;

		if (!chain_life(text_at(s, 1), &r, name))
			continue;
		snprintf(purpose, sizeof(purpose), "%s", text_at(s, 0));
		r.name = name;
		r.profile = strcmp(purpose, "tls.console") == 0 ? "console" : "gateway";
		r.names = "";
		days = due(&r, now_s);
		if (rank(days) <= sqlite3_column_int(s, 2))
			continue;
		err = run(c,
			  query(c, &err, "INSERT OR REPLACE INTO installed_alarm VALUES(?, ?)",
				"ti", purpose, (int64_t)rank(days)),
			  err);
		if (err < 0)
			break;
		fn(arg, &r, days);
	}
	sqlite3_finalize(s);
	ERR_clear_error();
	return err < 0 ? err : s ? got : err;
}

/* Our own is not shown while an installed one is, and nobody renews it. */
#define STANDS_IN                                                               \
	" AND NOT (own = 1 AND EXISTS (SELECT 1 FROM installed WHERE purpose =" \
	" CASE profile WHEN 'gateway' THEN 'tls.link' WHEN 'console' THEN 'tls.console' END))"

int ca_alarms(struct ca *c, int64_t now_s,
	      void (*fn)(void *arg, const struct ca_row *row, int days), void *arg)
{
	int err = 0, got = 0;
	sqlite3_stmt *s = query(c, &err,
				"SELECT " COLUMNS ", alarmed FROM certificate c WHERE revoked = 0"
				" AND until < ?" STANDS_IN,
				"i", now_s + 91 * DAY);

	while (s && (got = step(c, s)) == 1) {
		struct ca_row r;
		int days;

		fill(s, &r);
		days = due(&r, now_s);
		if (!r.newest || rank(days) <= sqlite3_column_int(s, 9))
			continue;
		err = run(c,
			  query(c, &err, "UPDATE certificate SET alarmed = ? WHERE serial = ?",
				"it", (int64_t)rank(days), r.serial),
			  err);
		if (err < 0)
			break;
		fn(arg, &r, days);
	}
	sqlite3_finalize(s);
	err = err < 0 ? err : s ? got : err;
	return err < 0 ? err : alarms_installed(c, now_s, fn, arg);
}
