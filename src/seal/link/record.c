#include "seal/link/record.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "base/be64.h"
#include "base/record_aead.h"
#include "seal/pki/keyblock.h"

#define VERSION	 0xfefd /* DTLS 1.2 */
#define VERSION0 0xfeff /* what a first ClientHello may say */
#define EPOCH	 1
#define SALT	 4
#define AAD	 13

struct record_key {
	struct record_aead *aead;
	uint8_t iv[RECORD_IV]; /* GCM: the salt in front; ChaCha20: all of it */
	bool explicit;	       /* GCM: the rest of the nonce is in the record */
	uint64_t nonce;	       /* sealing: + the record's number */
	/* what is being opened */
	const uint8_t *at, *tag;
};

bool record_read(struct reader *r, struct record *ret_r)
{
	struct record x = {.type = read_u8(r)};
	uint16_t version = read_be16(r);
	struct bytes data;

	x.epoch = read_be16(r);
	x.seq = (uint64_t)read_be16(r) << 32;
	x.seq |= read_be32(r);
	x.len = read_be16(r);
	data = read_bytes(r, x.len);
	x.data = data.data;
	*ret_r = x;
	return !r->bad && x.type >= RECORD_CHANGE && x.type <= RECORD_DATA &&
	       (version == VERSION || (version == VERSION0 && x.epoch == 0));
}

bool record_nonce(struct bytes datagram, uint64_t *ret_nonce)
{
	struct reader r = reader_new(datagram.data, datagram.len);
	struct record x;

	while (record_read(&r, &x))
		if (x.epoch == EPOCH && x.len >= RECORD_NONCE) {
			*ret_nonce = be64_get(x.data);
			return true;
		}
	return false;
}

/* --- keys ------------------------------------------------------------------------ */

void record_key_free(struct record_key *k)
{
	if (!k)
		return;
	record_aead_free(k->aead);
	OPENSSL_cleanse(k, sizeof(*k));
	free(k);
}

static bool is_explicit(enum record_aead_kind kind)
{
	return kind != RECORD_AEAD_CHACHA;
}

static struct record_key *key_new(enum record_aead_kind kind, bool seal, const uint8_t *key,
				  const uint8_t *iv, uint64_t nonce)
{
	struct record_key *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->explicit = is_explicit(kind);
	k->nonce = nonce;
	memcpy(k->iv, iv, k->explicit ? SALT : RECORD_IV);
	k->aead = record_aead_new(kind, seal, key);
	if (k->aead)
		return k;
	record_key_free(k);
	return NULL;
}

/* KINDS: none. */
static enum record_aead_kind kind_of(int nid)
{
	switch (nid) {
	case NID_aes_256_gcm:
		return RECORD_AEAD_AES256;
	case NID_aes_128_gcm:
		return RECORD_AEAD_AES128;
	case NID_chacha20_poly1305:
		return RECORD_AEAD_CHACHA;
	default:
		return RECORD_AEAD_KINDS;
	}
}

int record_secrets(SSL *ssl, bool client, uint64_t taken, struct record_secrets *ret_secrets)
{
	const SSL_CIPHER *suite = SSL_get_current_cipher(ssl);
	int nid =
		suite && SSL_version(ssl) == DTLS1_2_VERSION ? SSL_CIPHER_get_cipher_nid(suite) : 0;
	enum record_aead_kind kind = kind_of(nid);
	/* OpenSSL counts upward from `taken`: the other half of all nonces is ours. */
	struct record_secrets s = {.cipher = nid, .nonce = taken ^ (uint64_t)1 << 63};
	uint8_t block[2 * RECORD_KEY + 2 * RECORD_IV];
	size_t key, iv;
	int err;

	if (kind == RECORD_AEAD_KINDS)
		return -ENOTSUP;
	key = record_aead_key(kind);
	iv = is_explicit(kind) ? SALT : RECORD_IV;
	err = keyblock(ssl, block, 2 * (key + iv));
	if (err < 0)
		return err;
	memcpy(s.seal_key, block + (client ? 0 : key), key);
	memcpy(s.open_key, block + (client ? key : 0), key);
	memcpy(s.seal_iv, block + 2 * key + (client ? 0 : iv), iv);
	memcpy(s.open_iv, block + 2 * key + (client ? iv : 0), iv);
	*ret_secrets = s;
	OPENSSL_cleanse(block, sizeof(block));
	OPENSSL_cleanse(&s, sizeof(s));
	return 0;
}

int record_keys(const struct record_secrets *s, struct record_key **ret_seal,
		struct record_key **ret_open)
{
	enum record_aead_kind kind = kind_of(s->cipher);
	struct record_key *seal, *open;

	if (kind == RECORD_AEAD_KINDS)
		return -ENOTSUP;
	seal = key_new(kind, true, s->seal_key, s->seal_iv, s->nonce);
	open = key_new(kind, false, s->open_key, s->open_iv, 0);
	if (!seal || !open) {
		record_key_free(seal);
		record_key_free(open);
		return -EIO;
	}
	*ret_seal = seal;
	*ret_open = open;
	return 0;
}

/* --- sealing and opening ------------------------------------------------------------ */

size_t record_over(const struct record_key *k)
{
	return RECORD_HEAD + (k->explicit ? RECORD_NONCE : 0) + RECORD_TAG;
}

/* Epoch and number are what both nonce and additional data are made of. */
static uint64_t number(uint64_t seq)
{
	return (uint64_t)EPOCH << 48 | seq;
}

static bool begin(struct record_key *k, uint8_t type, uint64_t seq, uint64_t nonce, size_t len)
{
	uint8_t iv[RECORD_IV], aad[AAD];

	memcpy(iv, k->iv, RECORD_IV);
	be64_put(iv + SALT, k->explicit ? nonce : be64_get(k->iv + SALT) ^ number(seq));
	be64_put(aad, number(seq));
	aad[8] = type;
	aad[9] = VERSION >> 8;
	aad[10] = VERSION & 0xff;
	aad[11] = (uint8_t)(len >> 8);
	aad[12] = (uint8_t)len;
	return record_aead_begin(k->aead, iv, (struct bytes){aad, AAD}) == 0;
}

size_t record_seal(struct record_key *k, enum record_type type, uint64_t seq,
		   const struct iovec *parts, unsigned count, size_t len, uint8_t *out)
{
	uint64_t nonce = k->nonce + seq;
	uint8_t *at = out + RECORD_HEAD;
	size_t body = len + record_over(k) - RECORD_HEAD;

	out[0] = (uint8_t)type;
	out[1] = VERSION >> 8;
	out[2] = VERSION & 0xff;
	be64_put(out + 3, number(seq));
	out[11] = (uint8_t)(body >> 8);
	out[12] = (uint8_t)body;
	if (k->explicit) {
		be64_put(at, nonce);
		at += RECORD_NONCE;
	}
	if (!begin(k, (uint8_t)type, seq, nonce, len))
		return 0;
	for (unsigned i = 0; i < count; i++) {
		if (record_aead_piece(k->aead, parts[i].iov_base, parts[i].iov_len, at) < 0)
			return 0;
		at += parts[i].iov_len;
	}
	if (record_aead_tag(k->aead, at) < 0)
		return 0;
	return (size_t)(at + RECORD_TAG - out);
}

int record_content(const struct record_key *k, const struct record *r)
{
	int over = (int)record_over(k) - RECORD_HEAD;

	return r->len < over ? -1 : r->len - over;
}

int record_open_begin(struct record_key *k, const struct record *r)
{
	int len = record_content(k, r);

	if (len < 0)
		return -EBADMSG;
	k->at = r->data + (k->explicit ? RECORD_NONCE : 0);
	k->tag = k->at + len;
	return begin(k, r->type, r->seq, k->explicit ? be64_get(r->data) : 0, (size_t)len) ? 0
											   : -EIO;
}

int record_open_some(struct record_key *k, size_t len, uint8_t *ret_data)
{
	if (len > (size_t)(k->tag - k->at) || record_aead_piece(k->aead, k->at, len, ret_data) < 0)
		return -EIO;
	k->at += len;
	return 0;
}

int record_open_end(struct record_key *k)
{
	return k->at == k->tag ? record_aead_check(k->aead, k->tag) : -EIO;
}
