#include "keep/ca_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include <openssl/err.h>

#include "base/hex.h"
#include "seal/pki/tls.h"

#define CODE_CHARS "ABCDEFGHJKLMNPQRSTUVWXYZ23456789" /* none that is taken for another */

/* --- codes ----------------------------------------------------------------------------------- */

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
	char names[CA_NAMES], code[CA_CODE];
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
	ca_join_names(&o->names, names);
	if (err == 0)
		err = ca_run(c, "DELETE FROM code WHERE until < ?", "i", now_s - CA_DAY);
	if (err == 0)
		err = ca_run(c, "INSERT INTO code VALUES(?, ?, ?, ?, ?, ?, 0)", "btttii",
			     (struct bytes){hash, sizeof(hash)}, o->name,
			     cert_profile_name(o->profile), names, (int64_t)o->days, until);
	if (err == 0)
		memcpy(ret_code, code, n + 1);
	return err;
}

/* --- enrolment and renewal ------------------------------------------------------------------- */

static int split_names(const char *text, struct cert_names *ret_names)
{
	char copy[CA_NAMES], *save = NULL;
	int err = 0;

	*ret_names = (struct cert_names){0};
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *n = strtok_r(copy, " ", &save); n && err == 0; n = strtok_r(NULL, " ", &save))
		err = cert_names_add(ret_names, n);
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
	sqlite3_stmt *s = ca_query(c, &err,
				   "SELECT name, profile, names, days, until, used FROM code"
				   " WHERE hash = ?",
				   "b", (struct bytes){hash, CRYPTO_HASH});

	if (!s)
		return err;
	got = ca_step(c, s);
	if (got == 1) {
		snprintf(ret_o->name, sizeof(ret_o->name), "%s", ca_text(s, 0));
		ret_o->profile = cert_profile_find(ca_text(s, 1));
		ret_o->days = (uint32_t)sqlite3_column_int64(s, 3);
		err = split_names(ca_text(s, 2), &ret_o->names);
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
		err = ca_begin(c);
	if (err < 0)
		return err;
	err = find_code(c, hash, now_s, &o);
	if (err == 0 && !within(r, &o))
		err = -EACCES;
	if (err == 0)
		err = ca_run(c, "UPDATE code SET used = ? WHERE hash = ?", "ib", now_s,
			     (struct bytes){hash, sizeof(hash)});
	if (err == 0)
		err = ca_issue_as(c, &o, r->key, false, now_s, ret_pem);
	snprintf(ret_name, CERT_NAME + 1, "%s", o.name);
	return ca_end(c, err);
}

static int find_serial(struct ca *c, const char *serial, struct ca_order *ret_o)
{
	int err = 0, got;
	sqlite3_stmt *s = ca_query(c, &err,
				   "SELECT name, profile, names, revoked FROM certificate"
				   " WHERE serial = ?",
				   "t", serial);

	if (!s)
		return err;
	got = ca_step(c, s);
	if (got == 1) {
		snprintf(ret_o->name, sizeof(ret_o->name), "%s", ca_text(s, 0));
		ret_o->profile = cert_profile_find(ca_text(s, 1));
		err = split_names(ca_text(s, 2), &ret_o->names);
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
		err = ca_issue_as(c, &o, r->key, false, now_s, ret_pem);
	X509_free(x);
	ERR_clear_error();
	return err;
}
