#include "seal/relay/traffic.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/be64.h"
#include "base/record_aead.h"
#include "seal/pki/keyblock.h"

#define TAG	 RECORD_AEAD_TAG
#define IV	 RECORD_AEAD_NONCE
#define SALT	 4 /* of the IV, TLS 1.2 with GCM: the rest is in the record */
#define EXPLICIT 8
#define AAD12	 13
#define SHORT	 2048

#define AES128 RECORD_AEAD_AES128
#define AES256 RECORD_AEAD_AES256
#define CHACHA RECORD_AEAD_CHACHA

static const struct suite {
	uint16_t id, version;
	enum record_aead_kind aead;
	const char *md; /* 1.3: of HKDF */
	uint8_t hash;
	const char *name;
} suites[] = {
	{0x1301, TLS1_3_VERSION, AES128, "SHA256", 32, "TLS_AES_128_GCM_SHA256"},
	{0x1302, TLS1_3_VERSION, AES256, "SHA384", 48, "TLS_AES_256_GCM_SHA384"},
	{0x1303, TLS1_3_VERSION, CHACHA, "SHA256", 32, "TLS_CHACHA20_POLY1305_SHA256"},
	{0xc02b, TLS1_2_VERSION, AES128, NULL, 0, "ECDHE-ECDSA-AES128-GCM-SHA256"},
	{0xc02c, TLS1_2_VERSION, AES256, NULL, 0, "ECDHE-ECDSA-AES256-GCM-SHA384"},
	{0xc02f, TLS1_2_VERSION, AES128, NULL, 0, "ECDHE-RSA-AES128-GCM-SHA256"},
	{0xc030, TLS1_2_VERSION, AES256, NULL, 0, "ECDHE-RSA-AES256-GCM-SHA384"},
	{0xcca8, TLS1_2_VERSION, CHACHA, NULL, 0, "ECDHE-RSA-CHACHA20-POLY1305"},
	{0xcca9, TLS1_2_VERSION, CHACHA, NULL, 0, "ECDHE-ECDSA-CHACHA20-POLY1305"},
};

/* To fetch an algorithm costs more than to seal a record. */
static EVP_KDF *hkdf;

struct traffic {
	struct record_aead *aead;
	const struct suite *suite;
	struct traffic_secret s;
	uint8_t iv[IV];
	bool seals, is13, explicit;
};

static void fetch(void)
{
	hkdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
	ERR_clear_error();
}

static const struct suite *suite_of(uint16_t version, uint16_t id)
{
	for (unsigned i = 0; i < sizeof(suites) / sizeof(*suites); i++)
		if (suites[i].id == id && suites[i].version == version)
			return &suites[i];
	return NULL;
}

/* --- keys ------------------------------------------------------------------------ */

/* RFC 8446 §7.1, with an empty context. */
static bool expand(const struct suite *suite, const struct traffic_secret *s, const char *label,
		   uint8_t *ret_out, size_t len)
{
	EVP_KDF_CTX *ctx = hkdf ? EVP_KDF_CTX_new(hkdf) : NULL;
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM params[] = {
		OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)suite->md, 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)s->secret, s->len),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PREFIX, (char *)"tls13 ", 6),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_LABEL, (char *)(uintptr_t)label,
					strlen(label)),
		OSSL_PARAM_END,
	};
	bool ok = ctx && EVP_KDF_derive(ctx, ret_out, len, params) == 1;

	EVP_KDF_CTX_free(ctx);
	return ok;
}

/* The key that belongs to the secret as it is. */
static bool set_key(struct traffic *t)
{
	uint8_t key[RECORD_AEAD_KEY];
	size_t len = record_aead_key(t->suite->aead);
	bool ok;

	if (t->is13) {
		ok = expand(t->suite, &t->s, "key", key, len) &&
		     expand(t->suite, &t->s, "iv", t->iv, IV);
	} else {
		memcpy(key, t->s.secret, len);
		memcpy(t->iv, t->s.secret + len, t->s.len - len);
		ok = true;
	}
	if (ok && !t->aead)
		t->aead = record_aead_new(t->suite->aead, t->seals, key);
	else if (ok)
		ok = record_aead_rekey(t->aead, key) == 0;
	OPENSSL_cleanse(key, sizeof(key));
	return ok && t->aead;
}

static size_t secret_len(const struct suite *suite)
{
	if (suite->version == TLS1_3_VERSION)
		return suite->hash;
	return record_aead_key(suite->aead) + (suite->aead == CHACHA ? IV : SALT);
}

struct traffic *traffic_new(const struct traffic_secret *s, bool seal)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct suite *suite = suite_of(s->version, s->suite);
	struct traffic *t;
	int err;

	pthread_once(&once, fetch);
	if (!suite) {
		errno = ENOTSUP;
		return NULL;
	}
	if (s->len != secret_len(suite)) {
		errno = EINVAL;
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->suite = suite;
	t->s = *s;
	t->seals = seal;
	t->is13 = suite->version == TLS1_3_VERSION;
	t->explicit = !t->is13 && suite->aead != CHACHA;
	errno = 0;
	if (set_key(t))
		return t;
	err = errno == ENOTSUP ? ENOTSUP : EIO;
	traffic_free(t);
	ERR_clear_error();
	errno = err;
	return NULL;
}

void traffic_free(struct traffic *t)
{
	if (!t)
		return;
	record_aead_free(t->aead);
	OPENSSL_cleanse(t, sizeof(*t));
	free(t);
}

void traffic_state(const struct traffic *t, struct traffic_secret *ret_secret)
{
	*ret_secret = t->s;
}

const char *traffic_version(const struct traffic *t)
{
	return t->is13 ? "TLSv1.3" : "TLSv1.2";
}

const char *traffic_cipher(const struct traffic *t)
{
	return t->suite->name;
}

int traffic_renew(struct traffic *t)
{
	uint8_t next[TRAFFIC_SECRET];
	bool ok = t->is13 && expand(t->suite, &t->s, "traffic upd", next, t->s.len);

	if (ok) {
		memcpy(t->s.secret, next, t->s.len);
		t->s.seq = 0;
		ok = set_key(t);
	}
	OPENSSL_cleanse(next, sizeof(next));
	return ok ? 0 : -EIO;
}

int traffic_agreed(SSL *ssl, const struct traffic_watch *w, struct traffic_secret *ret_seal,
		   struct traffic_secret *ret_open)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	const struct suite *suite =
		cipher ? suite_of((uint16_t)SSL_version(ssl), SSL_CIPHER_get_protocol_id(cipher))
		       : NULL;
	uint8_t block[2 * RECORD_AEAD_KEY + 2 * IV], *client, *server;
	struct traffic_secret s = {.version = TLS1_2_VERSION, .seq = 1}; /* 0 was Finished */
	size_t key, iv;

	if (!suite || suite->version != TLS1_2_VERSION)
		return -ENOTSUP;
	if (!w->found && suite->aead != CHACHA)
		return -EIO;
	key = record_aead_key(suite->aead);
	s.suite = suite->id;
	s.len = (uint8_t)secret_len(suite);
	iv = s.len - key;
	if (keyblock(ssl, block, 2 * (key + iv)) < 0)
		return -EIO;
	*ret_seal = *ret_open = s;
	/* OpenSSL counts upward from what it took: the other half of all nonces is ours. */
	ret_seal->nonce = w->nonce ^ (uint64_t)1 << 63;
	client = SSL_is_server(ssl) ? ret_open->secret : ret_seal->secret;
	server = SSL_is_server(ssl) ? ret_seal->secret : ret_open->secret;
	memcpy(client, block, key);
	memcpy(server, block + key, key);
	memcpy(client + key, block + 2 * key, iv);
	memcpy(server + key, block + 2 * key + iv, iv);
	OPENSSL_cleanse(block, sizeof(block));
	return 0;
}

/* As much of the head as is needed: with the nonce where the record is the one. */
static size_t head_wanted(const struct traffic_watch *w)
{
	bool finished = w->have >= TRAFFIC_HEAD && w->changed && w->head[0] == SSL3_RT_HANDSHAKE &&
			(w->head[3] << 8 | w->head[4]) >= EXPLICIT;

	return finished ? sizeof(w->head) : TRAFFIC_HEAD;
}

void traffic_watch(struct traffic_watch *w, struct bytes written)
{
	for (size_t i = 0; i < written.len && !w->found;) {
		size_t n = written.len - i < w->left ? written.len - i : w->left;

		i += n;
		w->left = (uint16_t)(w->left - n);
		if (w->left || i == written.len)
			continue;
		w->head[w->have++] = written.data[i++];
		if (w->have < head_wanted(w))
			continue;
		w->found = w->have == sizeof(w->head);
		if (w->found)
			w->nonce = be64_get(w->head + TRAFFIC_HEAD);
		w->changed = w->changed || w->head[0] == SSL3_RT_CHANGE_CIPHER_SPEC;
		w->left = (uint16_t)(w->head[3] << 8 | w->head[4]);
		w->have = 0;
	}
}

/* --- records ----------------------------------------------------------------------- */

/* Nonce and additional data; `head` is the record's, `len` its content's length. */
static bool begin(struct traffic *t, const uint8_t *head, uint64_t nonce, size_t len)
{
	uint8_t iv[IV], aad[AAD12];

	memcpy(iv, t->iv, IV);
	be64_put(iv + SALT, t->explicit ? nonce : be64_get(t->iv + SALT) ^ t->s.seq);
	if (t->is13) /* RFC 8446 §5.2 */
		return record_aead_begin(t->aead, iv, (struct bytes){head, TRAFFIC_HEAD}) == 0;
	be64_put(aad, t->s.seq);
	memcpy(aad + 8, head, 3);
	aad[11] = (uint8_t)(len >> 8);
	aad[12] = (uint8_t)len;
	return record_aead_begin(t->aead, iv, (struct bytes){aad, AAD12}) == 0;
}

/* TLS 1.3: the type stands behind the content; of a short one the two are made one piece, which is less work. */
static bool put_content(struct traffic *t, uint8_t type, const uint8_t *data, size_t len,
			uint8_t *out)
{
	if (!t->is13)
		return record_aead_piece(t->aead, data, len, out) == 0;
	if (len > SHORT)
		return record_aead_piece(t->aead, data, len, out) == 0 &&
		       record_aead_piece(t->aead, &type, 1, out + len) == 0;
	if (len)
		memcpy(out, data, len);
	out[len] = type;
	return record_aead_piece(t->aead, out, len + 1, out) == 0;
}

size_t traffic_seal(struct traffic *t, uint8_t type, const uint8_t *data, size_t len, uint8_t *out)
{
	size_t body = len + TAG + (t->is13 ? 1 : t->explicit ? EXPLICIT : 0);
	uint64_t nonce = t->s.nonce + t->s.seq;
	uint8_t *at = out + TRAFFIC_HEAD;

	out[0] = t->is13 ? SSL3_RT_APPLICATION_DATA : type;
	out[1] = TLS1_2_VERSION >> 8;
	out[2] = TLS1_2_VERSION & 0xff;
	out[3] = (uint8_t)(body >> 8);
	out[4] = (uint8_t)body;
	if (t->explicit) {
		be64_put(at, nonce);
		at += EXPLICIT;
	}
	if (!begin(t, out, nonce, len) || !put_content(t, type, data, len, at))
		return 0;
	at += len + t->is13;
	if (record_aead_tag(t->aead, at) < 0)
		return 0;
	t->s.seq++;
	return (size_t)(at + TAG - out);
}

/* RFC 8446 §5.4: the type stands behind the content, zeros behind the type. */
static int strip(const uint8_t *data, uint8_t *ret_type, size_t *len)
{
	size_t n = *len;

	while (n && data[n - 1] == 0)
		n--;
	if (!n)
		return -EPROTO;
	*ret_type = data[n - 1];
	*len = n - 1;
	return 0;
}

int traffic_open(struct traffic *t, const uint8_t *record, size_t len, uint8_t *ret_data,
		 uint8_t *ret_type, size_t *ret_len)
{
	size_t over = TRAFFIC_HEAD + TAG + (t->explicit ? EXPLICIT : 0), content;
	const uint8_t *at = record + TRAFFIC_HEAD + (t->explicit ? EXPLICIT : 0);

	if (len > TRAFFIC_RECORD)
		return -EMSGSIZE;
	if (len < over + t->is13 || (t->is13 && record[0] != SSL3_RT_APPLICATION_DATA))
		return t->is13 && len >= TRAFFIC_HEAD && record[0] != SSL3_RT_APPLICATION_DATA
			       ? -EPROTO
			       : -EBADMSG;
	content = len - over;
	if (content > (size_t)TRAFFIC_CONTENT + t->is13)
		return -EMSGSIZE;
	if (!begin(t, record, t->explicit ? be64_get(record + TRAFFIC_HEAD) : 0, content) ||
	    record_aead_piece(t->aead, at, content, ret_data) < 0 ||
	    record_aead_check(t->aead, at + content) < 0)
		return -EBADMSG;
	t->s.seq++;
	*ret_type = record[0];
	*ret_len = content;
	return t->is13 ? strip(ret_data, ret_type, ret_len) : 0;
}
