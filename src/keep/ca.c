#include "keep/ca_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "base/hex.h"
#include "seal/pki/signer.h"
#include "seal/pki/tls.h"

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

/* --- statements ------------------------------------------------------------------- */

/* The parameters that `kinds` names are bound. */
static sqlite3_stmt *prepare(struct ca *c, int *ret_err, const char *text, const char *kinds,
			     va_list ap)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(c->sql, text, -1, &s, NULL);

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
	if (rc == SQLITE_OK)
		return s;
	*ret_err = db_error(c->sql, rc);
	sqlite3_finalize(s);
	return NULL;
}

sqlite3_stmt *ca_query(struct ca *c, int *ret_err, const char *text, const char *kinds, ...)
{
	sqlite3_stmt *s;
	va_list ap;

	va_start(ap, kinds);
	s = prepare(c, ret_err, text, kinds, ap);
	va_end(ap);
	return s;
}

int ca_step(struct ca *c, sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : db_error(c->sql, rc);
}

int ca_run(struct ca *c, const char *text, const char *kinds, ...)
{
	sqlite3_stmt *s;
	va_list ap;
	int err;

	va_start(ap, kinds);
	s = prepare(c, &err, text, kinds, ap);
	va_end(ap);
	if (!s)
		return err;
	err = ca_step(c, s);
	sqlite3_finalize(s);
	return err < 0 ? err : 0;
}

int ca_begin(struct ca *c)
{
	return db_exec(c->sql, "BEGIN IMMEDIATE");
}

int ca_end(struct ca *c, int err)
{
	if (err == 0)
		err = db_exec(c->sql, "COMMIT");
	if (err < 0)
		sqlite3_exec(c->sql, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

const char *ca_text(sqlite3_stmt *s, int i)
{
	const char *t = (const char *)sqlite3_column_text(s, i);

	return t ? t : "";
}

/* --- the authority ------------------------------------------------------------------ */

static int sign(void *arg, const uint8_t digest[CRYPTO_HASH], uint8_t ret_sign[P256_SIGN])
{
	struct ca *c = arg;

	return signing_sign(c->signing, CA_PURPOSE, digest, ret_sign);
}

EVP_PKEY *ca_public(struct ca *c, const char *purpose, int *ret_err)
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

X509 *ca_first(const char *pem)
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
	sqlite3_stmt *s = ca_query(c, &err, "SELECT pem FROM authority WHERE id = 1", "");

	if (!s)
		return err;
	got = ca_step(c, s);
	if (got == 1)
		c->root = ca_first(ca_text(s, 0));
	sqlite3_finalize(s);
	if (got < 0)
		return got;
	if (got == 0)
		return 0;
	err = signing_public(c->signing, CA_PURPOSE, point);
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
		err = db_exec(c->sql, beside);
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

/* Signed by its own key, written down, and in use from then on. */
static int make_root(struct ca *c, struct cert_order *o)
{
	uint8_t point[P256_POINT];
	EVP_PKEY *public = NULL, *key = NULL;
	X509 *x = NULL;
	char *pem = NULL;
	int err;

	public = ca_public(c, CA_PURPOSE, &err);
	if (!public)
		return err;
	err = signing_public(c->signing, CA_PURPOSE, point);
	if (err == 0)
		err = crypto_random(o->serial, sizeof(o->serial));
	if (err < 0)
		goto out;
	key = signer_new(point, sign, c);
	x = key ? cert_root(key, public, o) : NULL;
	pem = x ? cert_text(x) : NULL;
	err = -EIO;
	if (!pem)
		goto out;
	err = ca_run(c,
		     "INSERT INTO authority VALUES(1, ?, '', 0, 0)"
		     " ON CONFLICT(id) DO UPDATE SET pem = excluded.pem",
		     "t", pem);
	if (err < 0)
		goto out;
	X509_free(c->root);
	EVP_PKEY_free(c->key);
	c->root = x;
	c->key = key;
	x = NULL;
	key = NULL;
out:
	free(pem);
	X509_free(x);
	EVP_PKEY_free(key);
	EVP_PKEY_free(public);
	return err;
}

/* Two thirds of its life are over. */
static bool is_late(X509 *x, int64_t now_s)
{
	int64_t from = (int64_t)tls_time(X509_get0_notBefore(x));
	int64_t until = (int64_t)tls_time(X509_get0_notAfter(x));

	return now_s - from >= (until - from) / 3 * 2;
}

int ca_init(struct ca *c, const char *name, uint32_t days, int64_t now_s)
{
	struct cert_order o = {.name = name, .now_s = now_s, .days = days ? days : CA_ROOT_DAYS};
	char same[CERT_NAME + 1];
	int err;

	if (c->root && !is_late(c->root, now_s))
		return -EEXIST;
	if (c->root) { /* what it issued is found by name and key */
		tls_name(c->root, same, sizeof(same));
		o.name = same;
	}
	if (!*o.name || strlen(o.name) > CERT_NAME)
		return -EINVAL;
	err = make_root(c, &o);
	return err < 0 ? err : ca_forget_alarm(c, CA_PURPOSE);
}

int ca_root(struct ca *c, char **ret_pem)
{
	if (!c->root)
		return -ENOENT;
	*ret_pem = cert_text(c->root);
	return *ret_pem ? 0 : -ENOMEM;
}

/* --- issuing -------------------------------------------------------------------------- */

void ca_join_names(const struct cert_names *n, char ret_text[CA_NAMES])
{
	size_t len = 0;

	*ret_text = 0;
	for (unsigned i = 0; i < n->count; i++)
		len += (size_t)snprintf(ret_text + len, CA_NAMES - len, "%s%s", i ? " " : "",
					n->name[i]);
}

char *ca_with_root(struct ca *c, X509 *x)
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
	char serial[CA_SERIAL], names[CA_NAMES], *pem = cert_text(x);
	uint8_t raw[CERT_SERIAL];
	int err = -ENOMEM;

	cert_serial(x, raw);
	hex_write(raw, CERT_SERIAL, serial);
	ca_join_names(&o->names, names);
	if (pem)
		err = ca_run(c, "INSERT INTO certificate VALUES(?, ?, ?, ?, ?, ?, 0, 0, ?, 0, ?)",
			     "ttttiiit", serial, o->name, cert_profile_name(o->profile), names,
			     now_s, (int64_t)tls_time(X509_get0_notAfter(x)), (int64_t)own, pem);
	free(pem);
	return err;
}

int ca_issue_as(struct ca *c, const struct ca_order *o, EVP_PKEY *key, bool own, int64_t now_s,
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
	*ret_pem = ca_with_root(c, x);
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
	return ca_issue_as(c, o, key, false, now_s, ret_pem);
}
