#include "keep/ca_internal.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "seal/pki/signer.h"
#include "seal/pki/tls.h"

static int fetch_text(struct ca *c, const char *text, const char *key, char **ret_text)
{
	int err = 0, got;
	sqlite3_stmt *s = ca_query(c, &err, text, "t", key);

	if (!s)
		return err;
	got = ca_step(c, s);
	*ret_text = got == 1 ? strdup(ca_text(s, 0)) : NULL;
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
	key = ca_public(c, purpose, &err);
	if (!key)
		return err;
	err = anew ? -ENOENT : newest_own(c, cert_profile_name(o->profile), &pem);
	x = err == 0 ? ca_first(pem) : NULL;
	/* One that another authority of ours had signed, before, is of no use. */
	if (x && c->root && X509_verify(x, X509_get0_pubkey(c->root)) == 1 &&
	    still_good(x, key, o, now_s)) {
		*ret_pem = ca_with_root(c, x);
		err = *ret_pem ? 0 : -ENOMEM;
	} else if (err == 0 || err == -ENOENT) {
		err = ca_issue_as(c, o, key, true, now_s, ret_pem);
		*ret_fresh = err == 0;
	}
	ERR_clear_error();
	X509_free(x);
	free(pem);
	EVP_PKEY_free(key);
	return err;
}

int ca_forget_alarm(struct ca *c, const char *purpose)
{
	return ca_run(c, "DELETE FROM installed_alarm WHERE purpose = ?", "t", purpose);
}

/* What has run out, peers refuse: it must not take the place of one that they do not. */
static bool any_over(STACK_OF(X509) * chain, int64_t now_s)
{
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (tls_time(X509_get0_notAfter(sk_X509_value(chain, i))) <= (uint64_t)now_s)
			return true;
	return false;
}

int ca_install(struct ca *c, const char *purpose, struct bytes pem, int64_t now_s)
{
	STACK_OF(X509) *chain = NULL;
	EVP_PKEY *key;
	char *text;
	int err = 0;

	if (!pem.data) {
		err = ca_run(c, "DELETE FROM installed WHERE purpose = ?", "t", purpose);
		return err < 0 ? err : ca_forget_alarm(c, purpose);
	}
	key = ca_public(c, purpose, &err);
	if (!key)
		return err;
	chain = cert_chain(pem);
	if (!chain)
		err = -EBADMSG;
	else if (EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(chain, 0)), key) != 1)
		err = -EACCES;
	else if (any_over(chain, now_s))
		err = -EKEYEXPIRED;
	text = strndup((const char *)pem.data, pem.len);
	if (err == 0 && !text)
		err = -ENOMEM;
	if (err == 0)
		err = ca_run(c, "INSERT OR REPLACE INTO installed VALUES(?, ?)", "tt", purpose,
			     text);
	if (err == 0)
		err = ca_forget_alarm(c, purpose);
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

	public = ca_public(c, purpose, &err);
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
