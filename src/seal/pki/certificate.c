#include "seal/pki/certificate.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>

#define USAGE_ROOT "critical,keyCertSign,cRLSign"
#define USAGE_LEAF "critical,digitalSignature"

static const struct {
	const char *name, *usage;
} profiles[CERT_PROFILES] = {
	[CERT_GATEWAY] = {"gateway", "serverAuth,clientAuth"},
	[CERT_SERVER] = {"server", "serverAuth,clientAuth"},
	[CERT_DEVICE] = {"device", "clientAuth"},
	[CERT_CONSOLE] = {"console", "serverAuth"},
};

const char *cert_profile_name(enum cert_profile p)
{
	return p < CERT_PROFILES ? profiles[p].name : "";
}

enum cert_profile cert_profile_find(const char *name)
{
	unsigned p = 0;

	while (p < CERT_PROFILES && strcmp(profiles[p].name, name) != 0)
		p++;
	return (enum cert_profile)p;
}

static int fail(char error[CERT_ERROR], int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(char error[CERT_ERROR], int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, CERT_ERROR, fmt, ap);
	va_end(ap);
	return err;
}

/* --- names -------------------------------------------------------------------- */

static bool is_address(const char *name)
{
	uint8_t ip[16];

	return inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;
}

/* RFC 1123 §2.1: labels of letters, digits and dashes; no wildcard, no dot at the end. */
static bool is_host(const char *name)
{
	size_t len = strlen(name), label = 0;

	if (!len || len >= CERT_HOST)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (c == '.') {
			if (!label || name[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)c) && (c != '-' || !label))
			return false;
		if (++label > 63)
			return false;
	}
	return label && name[len - 1] != '-';
}

bool cert_names_have(const struct cert_names *n, const char *name)
{
	for (unsigned i = 0; i < n->count; i++)
		if (strcasecmp(n->name[i], name) == 0)
			return true;
	return false;
}

int cert_names_add(struct cert_names *n, const char *name)
{
	if (!is_address(name) && !is_host(name))
		return -EINVAL;
	if (cert_names_have(n, name))
		return 0;
	if (n->count == CERT_NAMES)
		return -ENOSPC;
	snprintf(n->name[n->count++], CERT_HOST, "%s", name);
	return 0;
}

/* A name without a zero or anything else inside that a reader could be fooled by. */
static int add_dns(struct cert_names *n, const ASN1_STRING *s)
{
	char name[CERT_HOST];
	int len = ASN1_STRING_length(s);

	if (len <= 0 || len >= CERT_HOST || memchr(ASN1_STRING_get0_data(s), 0, (size_t)len))
		return -EINVAL;
	memcpy(name, ASN1_STRING_get0_data(s), (size_t)len);
	name[len] = 0;
	return is_address(name) ? -EINVAL : cert_names_add(n, name);
}

static int add_ip(struct cert_names *n, const ASN1_OCTET_STRING *s)
{
	int len = ASN1_STRING_length(s);
	char name[INET6_ADDRSTRLEN];

	if (len != 4 && len != 16)
		return -EINVAL;
	if (!inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s), name, sizeof(name)))
		return -EINVAL;
	return cert_names_add(n, name);
}

static int add_general(struct cert_names *n, GENERAL_NAMES *names)
{
	int err = 0;

	for (int i = 0; err == 0 && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type == GEN_DNS)
			err = add_dns(n, g->d.dNSName);
		else if (g->type == GEN_IPADD)
			err = add_ip(n, g->d.iPAddress);
		else
			err = -EINVAL;
	}
	return err;
}

int cert_names_of(X509 *x, struct cert_names *ret_names)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int err;

	*ret_names = (struct cert_names){0};
	err = add_general(ret_names, names);
	GENERAL_NAMES_free(names);
	return err;
}

/* --- requests ------------------------------------------------------------------ */

static X509_REQ *parse_der(const uint8_t *data, size_t len)
{
	const uint8_t *p = data;
	X509_REQ *r = d2i_X509_REQ(NULL, &p, (long)len);

	if (r && p == data + len)
		return r;
	X509_REQ_free(r);
	return NULL;
}

static X509_REQ *parse_base64(struct bytes text)
{
	EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
	uint8_t *der = malloc(text.len + 4);
	int n = 0, end = 0;
	X509_REQ *r = NULL;

	EVP_DecodeInit(ctx);
	if (der && EVP_DecodeUpdate(ctx, der, &n, text.data, (int)text.len) >= 0 &&
	    EVP_DecodeFinal(ctx, der + n, &end) == 1 && n + end <= CERT_CSR_MAX)
		r = parse_der(der, (size_t)(n + end));
	free(der);
	EVP_ENCODE_CTX_free(ctx);
	return r;
}

static X509_REQ *parse(struct bytes text)
{
	BIO *in;
	X509_REQ *r;

	if (text.data[0] == 0x30 && text.len <= CERT_CSR_MAX)
		return parse_der(text.data, text.len);
	if (!memmem(text.data, text.len, "-----BEGIN", 10))
		return parse_base64(text);
	in = BIO_new_mem_buf(text.data, (int)text.len);
	r = in ? PEM_read_bio_X509_REQ(in, NULL, NULL, NULL) : NULL;
	BIO_free(in);
	return r;
}

static int check_key(EVP_PKEY *key, char *error)
{
	char group[32] = "";
	int bits;

	if (!key)
		return fail(error, -EBADMSG, "its key cannot be read");
	bits = EVP_PKEY_get_bits(key);
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
		if (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0 ||
		    strcmp(group, "secp521r1") == 0)
			return 0;
		return fail(error, -EACCES, "its curve is not P-256, P-384 or P-521");
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		if (bits >= 2048 && bits <= 8192)
			return 0;
		return fail(error, -EACCES, "an RSA key of %d bits; 2048 to 8192 are taken", bits);
	case EVP_PKEY_ED25519:
		return 0;
	default:
		return fail(error, -EACCES, "its kind of key is not taken; P-256 is");
	}
}

static int check_signature(X509_REQ *r, EVP_PKEY *key, char *error)
{
	int digest = NID_undef, kind = NID_undef;

	OBJ_find_sigid_algs(X509_REQ_get_signature_nid(r), &digest, &kind);
	if (digest == NID_md5 || digest == NID_sha1 || digest == NID_md4 || digest == NID_md2 ||
	    digest == NID_sha224 || digest == NID_ripemd160)
		return fail(error, -EACCES,
			    "signed with %s, which can be forged; sign with SHA-256",
			    OBJ_nid2sn(digest));
	if (X509_REQ_verify(r, key) != 1)
		return fail(error, -EACCES, "it is not signed by the key it is for");
	return 0;
}

static int read_name(X509_REQ *r, struct csr *c, char *error)
{
	X509_NAME *subject = X509_REQ_get_subject_name(r);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1), len;
	unsigned char *text = NULL;

	if (X509_NAME_entry_count(subject) > 8)
		return fail(error, -EINVAL, "its subject has too many parts");
	if (at < 0)
		return 0;
	if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return fail(error, -EINVAL, "it has two common names");
	len = ASN1_STRING_to_UTF8(&text,
				  X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	for (int i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] == 0x7f)
			len = -1;
	if (len < 0 || len > CERT_NAME) {
		OPENSSL_free(text);
		return fail(error, -EINVAL, "its common name is longer than %d bytes or no text",
			    CERT_NAME);
	}
	memcpy(c->name, text, (size_t)len);
	OPENSSL_free(text);
	return 0;
}

static int read_names(X509_REQ *r, struct csr *c, char *error)
{
	STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(r);
	int err = 0, at;

	for (int i = 0; err == 0 && i < sk_X509_EXTENSION_num(list); i++) {
		X509_EXTENSION *e = sk_X509_EXTENSION_value(list, i);
		BASIC_CONSTRAINTS *b;
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(e));

		if (nid == NID_basic_constraints) {
			b = X509V3_EXT_d2i(e);
			if (!b || b->ca)
				err = fail(error, -EINVAL, "it asks to become an authority");
			BASIC_CONSTRAINTS_free(b);
		} else if (nid != NID_subject_alt_name && nid != NID_key_usage &&
			   nid != NID_ext_key_usage && nid != NID_subject_key_identifier) {
			err = fail(error, -EINVAL, "it asks for '%s', which is not given",
				   OBJ_nid2sn(nid));
		}
	}
	at = err == 0 ? X509v3_get_ext_by_NID(list, NID_subject_alt_name, -1) : -1;
	if (at >= 0 && X509v3_get_ext_by_NID(list, NID_subject_alt_name, at) >= 0)
		err = fail(error, -EINVAL, "it has two lists of names");
	if (err == 0 && at >= 0) {
		GENERAL_NAMES *names = X509V3_EXT_d2i(sk_X509_EXTENSION_value(list, at));

		if (!names || add_general(&c->names, names) < 0)
			err = fail(error, -EINVAL,
				   "its names are not at most %d host names and addresses, "
				   "without wildcards",
				   CERT_NAMES);
		GENERAL_NAMES_free(names);
	}
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return err;
}

int csr_read(struct bytes text, struct csr *ret_csr, char ret_error[CERT_ERROR])
{
	struct csr c = {0};
	X509_REQ *r;
	int err;

	if (!text.len || text.len > 2 * CERT_CSR_MAX)
		return fail(ret_error, -EMSGSIZE, "a request has 1 to %d bytes", CERT_CSR_MAX);
	r = parse(text);
	if (!r) {
		ERR_clear_error();
		return fail(ret_error, -EBADMSG, "no certificate request (PKCS #10)");
	}
	c.key = X509_REQ_get_pubkey(r);
	err = check_key(c.key, ret_error);
	if (err == 0)
		err = check_signature(r, c.key, ret_error);
	if (err == 0)
		err = read_name(r, &c, ret_error);
	if (err == 0)
		err = read_names(r, &c, ret_error);
	X509_REQ_free(r);
	ERR_clear_error();
	if (err == 0)
		*ret_csr = c;
	else
		csr_free(&c);
	return err;
}

void csr_free(struct csr *c)
{
	EVP_PKEY_free(c->key);
	c->key = NULL;
}

/* --- making ----------------------------------------------------------------------- */

static bool put_names(GENERAL_NAMES *to, const struct cert_names *names)
{
	for (unsigned i = 0; i < names->count; i++) {
		const char *name = names->name[i];
		GENERAL_NAME *g = GENERAL_NAME_new();

		if (!g)
			return false;
		if (is_address(name)) {
			g->type = GEN_IPADD;
			g->d.iPAddress = a2i_IPADDRESS(name);
		} else {
			g->type = GEN_DNS;
			g->d.dNSName = ASN1_IA5STRING_new();
			if (g->d.dNSName)
				ASN1_STRING_set(g->d.dNSName, name, -1);
		}
		if (!g->d.ptr || sk_GENERAL_NAME_push(to, g) <= 0) {
			GENERAL_NAME_free(g);
			return false;
		}
	}
	return true;
}

static X509_EXTENSION *names_extension(const struct cert_names *names)
{
	GENERAL_NAMES *list = GENERAL_NAMES_new();
	X509_EXTENSION *e = NULL;

	if (list && put_names(list, names))
		e = X509V3_EXT_i2d(NID_subject_alt_name, 0, list);
	GENERAL_NAMES_free(list);
	return e;
}

static bool add_text(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	ok = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool add_names(X509 *x, const struct cert_names *names)
{
	X509_EXTENSION *e;
	bool ok;

	if (!names || !names->count)
		return true;
	e = names_extension(names);
	ok = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool set_name(X509_NAME *n, const char *name)
{
	return X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1,
					  0) == 1;
}

static X509 *begin(const struct cert_order *o)
{
	X509 *x = X509_new();
	uint8_t serial[CERT_SERIAL];
	BIGNUM *n;
	bool ok;

	memcpy(serial, o->serial, sizeof(serial));
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and always as long */
	n = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = x && n && X509_set_version(x, X509_VERSION_3) == 1 &&
	     BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) &&
	     ASN1_TIME_set(X509_getm_notBefore(x), o->now_s - CERT_CLOCK_OFF) &&
	     ASN1_TIME_set(X509_getm_notAfter(x), o->now_s + (int64_t)o->days * 86400) &&
	     set_name(X509_get_subject_name(x), o->name) && X509_set_pubkey(x, o->key) == 1;
	BN_free(n);
	if (ok)
		return x;
	X509_free(x);
	return NULL;
}

X509 *cert_root(EVP_PKEY *key, EVP_PKEY *public, const struct cert_order *o)
{
	struct cert_order own = *o;
	X509 *x;

	own.key = public;
	x = begin(&own);
	if (x && X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
	    add_text(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    add_text(x, x, NID_key_usage, USAGE_ROOT) &&
	    add_text(x, x, NID_subject_key_identifier, "hash") &&
	    X509_sign(x, key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	ERR_clear_error();
	return NULL;
}

X509 *cert_issue(X509 *issuer, EVP_PKEY *issuer_key, const struct cert_order *o)
{
	const ASN1_TIME *end = X509_get0_notAfter(issuer);
	time_t now = (time_t)o->now_s;
	X509 *x;

	if (X509_cmp_time(end, &now) <= 0)
		return NULL;
	x = begin(o);
	if (x && ASN1_TIME_compare(X509_get0_notAfter(x), end) > 0)
		X509_set1_notAfter(x, end);
	if (x && X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1 &&
	    add_text(x, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_text(x, issuer, NID_key_usage, USAGE_LEAF) &&
	    add_text(x, issuer, NID_ext_key_usage, profiles[o->profile].usage) &&
	    add_text(x, issuer, NID_subject_key_identifier, "hash") &&
	    add_text(x, issuer, NID_authority_key_identifier, "keyid:always") &&
	    add_names(x, o->names) && X509_sign(x, issuer_key, EVP_sha256()) > 0)
		return x;
	X509_free(x);
	ERR_clear_error();
	return NULL;
}

X509_REQ *csr_make(EVP_PKEY *key, EVP_PKEY *public, const char *name,
		   const struct cert_names *names)
{
	X509_REQ *r = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	X509_EXTENSION *e = names_extension(names);
	bool ok = r && list && e && sk_X509_EXTENSION_push(list, e) > 0;

	if (!ok)
		X509_EXTENSION_free(e);
	ok = ok && set_name(X509_REQ_get_subject_name(r), name) &&
	     X509_REQ_set_pubkey(r, public) == 1 && X509_REQ_add_extensions(r, list) == 1 &&
	     X509_REQ_sign(r, key, EVP_sha256()) > 0;
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	if (ok)
		return r;
	X509_REQ_free(r);
	ERR_clear_error();
	return NULL;
}

static bool add_revoked(X509_CRL *crl, const struct cert_revoked *v)
{
	X509_REVOKED *r = X509_REVOKED_new();
	BIGNUM *n = BN_bin2bn(v->serial, CERT_SERIAL, NULL);
	ASN1_INTEGER *serial = n ? BN_to_ASN1_INTEGER(n, NULL) : NULL;
	ASN1_TIME *when = ASN1_TIME_set(NULL, v->when_s);
	ASN1_ENUMERATED *why = v->reason ? ASN1_ENUMERATED_new() : NULL;
	bool ok = r && serial && when && X509_REVOKED_set_serialNumber(r, serial) == 1 &&
		  X509_REVOKED_set_revocationDate(r, when) == 1;

	if (ok && why)
		ok = ASN1_ENUMERATED_set(why, v->reason) == 1 &&
		     X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, why, 0, 0) == 1;
	ok = ok && X509_CRL_add0_revoked(crl, r) == 1;
	if (!ok)
		X509_REVOKED_free(r);
	ASN1_ENUMERATED_free(why);
	ASN1_TIME_free(when);
	ASN1_INTEGER_free(serial);
	BN_free(n);
	return ok;
}

X509_CRL *cert_crl(X509 *issuer, EVP_PKEY *issuer_key, const struct cert_revoked *list,
		   size_t count, uint64_t number, int64_t now_s, uint32_t hours)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *from = ASN1_TIME_set(NULL, now_s - CERT_CLOCK_OFF);
	ASN1_TIME *to = ASN1_TIME_set(NULL, now_s + (int64_t)hours * 3600);
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	X509_EXTENSION *e = NULL;
	X509V3_CTX ctx;
	bool ok = crl && from && to && n && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
		  X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
		  X509_CRL_set1_lastUpdate(crl, from) == 1 &&
		  X509_CRL_set1_nextUpdate(crl, to) == 1 &&
		  ASN1_INTEGER_set_uint64(n, number) == 1 &&
		  X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0, 0) == 1;

	if (ok) {
		X509V3_set_ctx(&ctx, issuer, NULL, NULL, crl, 0);
		e = X509V3_EXT_nconf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid:always");
		ok = e && X509_CRL_add_ext(crl, e, -1) == 1;
	}
	for (size_t i = 0; ok && i < count; i++)
		ok = add_revoked(crl, &list[i]);
	if (ok)
		X509_CRL_sort(crl);
	ok = ok && X509_CRL_sign(crl, issuer_key, EVP_sha256()) > 0;
	X509_EXTENSION_free(e);
	ASN1_INTEGER_free(n);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	if (ok)
		return crl;
	X509_CRL_free(crl);
	ERR_clear_error();
	return NULL;
}

/* --- forms ------------------------------------------------------------------------- */

static char *text_of(BIO *out, bool ok)
{
	char *data, *text = NULL;
	long len = out ? BIO_get_mem_data(out, &data) : 0;

	if (ok && len > 0 && (text = malloc((size_t)len + 1)) != NULL) {
		memcpy(text, data, (size_t)len);
		text[len] = 0;
	}
	BIO_free(out);
	return text;
}

char *cert_text(X509 *x)
{
	BIO *out = BIO_new(BIO_s_mem());

	return text_of(out, out && PEM_write_bio_X509(out, x) == 1);
}

char *cert_crl_text(X509_CRL *crl)
{
	BIO *out = BIO_new(BIO_s_mem());

	return text_of(out, out && PEM_write_bio_X509_CRL(out, crl) == 1);
}

char *cert_csr_text(X509_REQ *r)
{
	BIO *out = BIO_new(BIO_s_mem());

	return text_of(out, out && PEM_write_bio_X509_REQ(out, r) == 1);
}

size_t cert_pkcs7(STACK_OF(X509) * chain, uint8_t **ret_der)
{
	PKCS7 *p = PKCS7_new();
	int len = 0;
	bool ok = p && PKCS7_set_type(p, NID_pkcs7_signed) == 1 &&
		  PKCS7_content_new(p, NID_pkcs7_data) == 1 && PKCS7_set_detached(p, 1);

	for (int i = 0; ok && i < sk_X509_num(chain); i++)
		ok = PKCS7_add_certificate(p, sk_X509_value(chain, i)) == 1;
	*ret_der = NULL;
	if (ok)
		len = i2d_PKCS7(p, ret_der);
	PKCS7_free(p);
	ERR_clear_error();
	return len > 0 ? (size_t)len : 0;
}

STACK_OF(X509) * cert_chain(struct bytes pem)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	BIO *in = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509 *x;

	while (in && chain && sk_X509_num(chain) < 10 &&
	       (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(chain, x) <= 0)
			X509_free(x);
	BIO_free(in);
	/* The end is "no start line"; anything else is a piece that could not be read. */
	if (ERR_peek_last_error() && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		sk_X509_pop_free(chain, X509_free);
		chain = NULL;
	}
	ERR_clear_error();
	if (sk_X509_num(chain) > 0)
		return chain;
	sk_X509_free(chain);
	return NULL;
}

void cert_serial(X509 *x, uint8_t ret_serial[CERT_SERIAL])
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);

	if (!n || BN_bn2binpad(n, ret_serial, CERT_SERIAL) != CERT_SERIAL)
		memset(ret_serial, 0, CERT_SERIAL);
	BN_free(n);
}
