#include "people/auth/attestation.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/crypto.h"
#include "people/auth/cbor.h"

/* L3 §8.2.1: id-fido-gen-ce-aaguid. */
#define AAGUID_OID	"1.3.6.1.4.1.45724.1.1.4"
#define BYTES(w)	((struct bytes){(w).data, (w).len})
#define CHAIN_MAX	6
#define CERTIFICATE_MAX 8192

int attestation_parse(struct bytes object, struct attestation *ret_a)
{
	struct reader r = reader_new(object.data, object.len);
	struct cbor map = cbor_read(&r), key, v;
	struct attestation a = {.statement = {NULL, 0}};
	bool format = false;

	if (map.kind != CBOR_MAP || map.value != 3)
		return -EBADMSG;
	for (unsigned i = 0; i < 3; i++) {
		key = cbor_read(&r);
		if (cbor_is_text(&key, "fmt") && !format) {
			v = cbor_read(&r);
			if (v.kind != CBOR_TEXT || memchr(v.data.data, 0, v.data.len))
				return -EBADMSG;
			snprintf(a.format, sizeof(a.format), "%.*s", (int)v.data.len,
				 (const char *)v.data.data);
			format = true;
		} else if (cbor_is_text(&key, "attStmt") && !a.statement.data) {
			a.statement = cbor_skip(&r);
			if (r.bad || a.statement.data[0] >> 5 != 5) /* a map */
				return -EBADMSG;
		} else if (cbor_is_text(&key, "authData") && !a.auth_data.data) {
			v = cbor_read(&r);
			if (v.kind != CBOR_BYTES || v.data.len == 0)
				return -EBADMSG;
			a.auth_data = v.data;
		} else {
			return -EBADMSG;
		}
	}
	if (r.bad || reader_left(&r) != 0)
		return -EBADMSG;
	*ret_a = a;
	return 0;
}

/* A statement's members: §8.2 alg, sig and, unless it is self attestation, x5c; §8.6 sig and x5c. */
struct statement {
	int64_t alg; /* 0: not there */
	struct bytes sig;
	X509 *chain[CHAIN_MAX]; /* leaf first */
	int count;
};

static void statement_free(struct statement *s)
{
	while (s->count > 0)
		X509_free(s->chain[--s->count]);
}

static bool read_chain(struct reader *r, struct statement *s)
{
	struct cbor list = cbor_read(r), der;
	const unsigned char *at;

	if (s->count || list.kind != CBOR_ARRAY || list.value == 0 || list.value > CHAIN_MAX)
		return false;
	for (uint64_t n = 0; n < list.value; n++) {
		der = cbor_read(r);
		if (der.kind != CBOR_BYTES || der.data.len > CERTIFICATE_MAX)
			return false;
		at = der.data.data;
		s->chain[s->count] = d2i_X509(NULL, &at, (long)der.data.len);
		if (!s->chain[s->count])
			return false;
		s->count++;
		if (at != der.data.data + der.data.len)
			return false;
	}
	return true;
}

static bool read_member(struct reader *r, struct statement *s)
{
	struct cbor key = cbor_read(r), v;

	if (cbor_is_text(&key, "alg") && !s->alg)
		return cbor_int(r, &s->alg) && s->alg != 0;
	if (cbor_is_text(&key, "sig") && !s->sig.len) {
		v = cbor_read(r);
		s->sig = v.data;
		return v.kind == CBOR_BYTES && v.data.len > 0;
	}
	return cbor_is_text(&key, "x5c") && read_chain(r, s);
}

/* false: another member, one twice, one that is none. To be freed all the same. */
static bool read_statement(struct bytes statement, struct statement *s)
{
	struct reader r = reader_new(statement.data, statement.len);
	struct cbor map = cbor_read(&r);

	for (uint64_t i = 0; i < map.value; i++)
		if (r.bad || !read_member(&r, s))
			return false;
	return !r.bad && s->sig.len;
}

static bool has_name(X509 *cert, int nid, const char *must)
{
	char text[128];
	int len = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), nid, text, sizeof(text));

	return len > 0 && (!must || ((size_t)len == strlen(must) && strcmp(text, must) == 0));
}

/* §8.2.1: where the certificate names a model, it must be the one that authData names. */
static bool aaguid_fits(X509 *cert, struct bytes aaguid)
{
	static const uint8_t octets[2] = {0x04, AUTHDATA_AAGUID}; /* DER: an OCTET STRING in it */
	ASN1_OBJECT *oid = OBJ_txt2obj(AAGUID_OID, 1);
	int at = oid ? X509_get_ext_by_OBJ(cert, oid, -1) : -1;
	X509_EXTENSION *e = at >= 0 ? X509_get_ext(cert, at) : NULL;
	const ASN1_OCTET_STRING *v = e ? X509_EXTENSION_get_data(e) : NULL;

	ASN1_OBJECT_free(oid);
	if (!oid)
		return false;
	if (!e)
		return true;
	return !X509_EXTENSION_get_critical(e) && v &&
	       ASN1_STRING_length(v) == (int)(sizeof(octets) + AUTHDATA_AAGUID) &&
	       memcmp(ASN1_STRING_get0_data(v), octets, sizeof(octets)) == 0 &&
	       memcmp(ASN1_STRING_get0_data(v) + sizeof(octets), aaguid.data, AUTHDATA_AAGUID) == 0;
}

/* §8.2.1. */
static bool packed_certificate(X509 *cert, const struct authdata *a)
{
	return X509_get_version(cert) == X509_VERSION_3 && has_name(cert, NID_countryName, NULL) &&
	       has_name(cert, NID_organizationName, NULL) &&
	       has_name(cert, NID_organizationalUnitName, "Authenticator Attestation") &&
	       has_name(cert, NID_commonName, NULL) && aaguid_fits(cert, a->aaguid) &&
	       X509_get_ext_by_NID(cert, NID_basic_constraints, -1) >= 0 &&
	       !(X509_get_extension_flags(cert) & (EXFLAG_CA | EXFLAG_INVALID));
}

struct x509_store_st *attestation_roots(struct bytes pem, unsigned *ret_count)
{
	BIO *in = pem.len && pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
	X509_STORE *store = in ? X509_STORE_new() : NULL;
	unsigned count = 0;
	X509 *cert;
	bool good = store && X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1;

	while (good && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
		good = X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
		count++;
	}
	/* Whatever else stopped it, what follows would be missing without a word. */
	good = good && count && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	BIO_free(in);
	if (!good) {
		X509_STORE_free(store);
		return NULL;
	}
	*ret_count = count;
	return store;
}

static bool is_trusted(X509 *const *chain, int count, const struct webauthn_want *w)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *others = sk_X509_new_null();
	bool good = ctx && others;

	for (int i = 1; good && i < count; i++)
		good = sk_X509_push(others, chain[i]) > 0;
	good = good && X509_STORE_CTX_init(ctx, w->roots, chain[0], others) == 1;
	if (good) {
		X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)w->now_s);
		good = X509_verify_cert(ctx) == 1;
	}
	sk_X509_free(others);
	X509_STORE_CTX_free(ctx);
	return good;
}

/* §8.2, verification. */
static enum webauthn_fault packed(const struct attestation *at, const struct authdata *a,
				  const struct webauthn_want *w, const uint8_t hash[32],
				  const struct statement *s)
{
	bool self = s->count == 0;
	uint8_t buf[4096];
	struct writer text = writer_new(buf, sizeof(buf));

	/* Self attestation is a signature by the credential's own key. */
	if (!s->alg || (self ? s->alg != (int64_t)a->key.alg : !packed_certificate(s->chain[0], a)))
		return WEBAUTHN_ATTESTATION;
	write_bytes(&text, at->auth_data.data, at->auth_data.len);
	write_bytes(&text, hash, CRYPTO_HASH);
	if (text.bad || !(self ? cose_signed(&a->key, BYTES(text), s->sig)
			       : cose_signed_by(X509_get0_pubkey(s->chain[0]),
						(enum cose_alg)s->alg, BYTES(text), s->sig)))
		return WEBAUTHN_ATTESTATION;
	return w->roots && (self || !is_trusted(s->chain, s->count, w)) ? WEBAUTHN_UNTRUSTED
									: WEBAUTHN_OK;
}

/* §8.6, verification. */
static enum webauthn_fault u2f(const struct attestation *at, const struct authdata *a,
			       const struct webauthn_want *w, const uint8_t hash[32],
			       const struct statement *s)
{
	uint8_t buf[2048];
	struct writer text = writer_new(buf, sizeof(buf));

	/* The message of FIDO U2F that was signed, put together again. */
	write_u8(&text, 0);
	write_bytes(&text, a->rp_id_hash, CRYPTO_HASH);
	write_bytes(&text, hash, CRYPTO_HASH);
	write_bytes(&text, a->id.data, a->id.len);
	write_u8(&text, 4); /* an uncompressed point: x, y */
	write_bytes(&text, a->key.bytes, a->key.len);
	if (s->alg || s->count != 1 || a->key.alg != COSE_ES256 || text.bad ||
	    !cose_signed_by(X509_get0_pubkey(s->chain[0]), COSE_ES256, BYTES(text), s->sig))
		return WEBAUTHN_ATTESTATION;
	return w->roots && !is_trusted(s->chain, 1, w) ? WEBAUTHN_UNTRUSTED : WEBAUTHN_OK;
}

enum webauthn_fault attestation_verify(const struct attestation *at, const struct authdata *a,
				       const struct webauthn_want *w, const uint8_t client_hash[32])
{
	static const uint8_t empty_map = 0xa0;
	enum webauthn_fault fault = WEBAUTHN_ATTESTATION;
	struct statement s = {0};

	if (strcmp(at->format, "none") == 0) { /* §8.7 */
		if (at->statement.len != 1 || at->statement.data[0] != empty_map)
			return WEBAUTHN_ATTESTATION;
		return w->roots ? WEBAUTHN_UNTRUSTED : WEBAUTHN_OK;
	}
	if (strcmp(at->format, "packed") != 0 && strcmp(at->format, "fido-u2f") != 0)
		return WEBAUTHN_FORMAT;
	if (read_statement(at->statement, &s))
		fault = (*at->format == 'p' ? packed : u2f)(at, a, w, client_hash, &s);
	statement_free(&s);
	return fault;
}
