/*
 * Makes a kit of age files, good ones and such as the specification refuses,
 * each with what is to be expected of opening it:
 *
 *     expect: success | no match | HMAC failure | header failure | armor failure | payload failure
 *     payload: SHA-256 of all plain bytes that may come out
 *     identity: AGE-SECRET-KEY-1…
 *     passphrase: …
 *     armored: yes
 *     (an empty line, then the file)
 *
 * which is the form of the public kit (C2SP/CCTV, age/), so that one script reads
 * both. Stanzas, MAC and payload are put together here from the bare algorithms.
 *
 *   age-kit FOLDER
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "seal/age/armor.h"
#include "seal/age/base64.h"
#include "seal/age/bech32.h"
#include "seal/age/header.h"

#define CHUNK 65536

struct kit {
	uint8_t *data;
	size_t len, room;
	uint8_t file_key[32], stream_key[32];
	size_t file_key_len;
	uint64_t number;
	uint8_t *plain;
	size_t plain_len;
	bool armored;
	const char *expect;
	char identity[128], passphrase[64];
	uint8_t random;
};

static const uint8_t own[32] = {7, 7, 7}, other[32] = {8, 8, 8};

static void put(struct kit *k, const void *data, size_t len)
{
	if (k->len + len > k->room) {
		k->room = (k->len + len) * 2;
		k->data = realloc(k->data, k->room);
		if (!k->data)
			abort();
	}
	memcpy(k->data + k->len, data, len);
	k->len += len;
}

static void line(struct kit *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void line(struct kit *k, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(k, text, (size_t)n);
	put(k, "\n", 1);
}

/* Takes the last n bytes away. */
static void unput(struct kit *k, size_t n)
{
	k->len -= n;
}

static void random_bytes(struct kit *k, uint8_t *ret, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ret[i] = (uint8_t)(k->random += 37);
}

static const char *b64(const void *data, size_t len)
{
	static char text[4][512];
	static unsigned next;
	char *t = text[next++ % 4];

	base64_write(data, len, t);
	t[BASE64_LEN(len)] = 0;
	return t;
}

static void body(struct kit *k, const uint8_t *data, size_t len)
{
	size_t n;

	do {
		n = len < 48 ? len : 48;
		line(k, "%s", b64(data, n));
		data += n;
		len -= n;
	} while (n == 48);
}

static void aead_body(struct kit *k, const uint8_t key[32])
{
	static const uint8_t nonce[12];
	uint8_t out[64];
	struct aead *a = aead_new(true);

	if (aead_key(a, key) < 0 || aead_seal(a, nonce, k->file_key, k->file_key_len, out) < 0)
		abort();
	aead_free(a);
	body(k, out, k->file_key_len + 16);
}

static void version(struct kit *k)
{
	line(k, "age-encryption.org/v1");
}

static void record_identity(struct kit *k, const uint8_t identity[32])
{
	bech32_write("age-secret-key-", identity, 32, true, k->identity);
}

/* As who holds the identity would compute it, which also serves for a share nobody can have. */
static void x25519_share(struct kit *k, const uint8_t share[32], const uint8_t identity[32],
			 uint8_t ret_key[32])
{
	uint8_t shared[32] = {0}, salt[64];

	memcpy(salt, share, 32);
	(void)crypto_x25519(identity, share, shared, NULL); /* of low order: zero */
	crypto_x25519_public(identity, salt + 32);
	crypto_hkdf((struct bytes){shared, 32}, (struct bytes){salt, 64},
		    "age-encryption.org/v1/X25519", ret_key);
}

static void new_share(struct kit *k, uint8_t ret_share[32])
{
	uint8_t secret[32];

	random_bytes(k, secret, 32);
	crypto_x25519_public(secret, ret_share);
}

static void x25519_to(struct kit *k, const uint8_t identity[32])
{
	uint8_t share[32], key[32];

	new_share(k, share);
	x25519_share(k, share, identity, key);
	line(k, "-> X25519 %s", b64(share, 32));
	aead_body(k, key);
}

static void x25519(struct kit *k)
{
	record_identity(k, own);
	x25519_to(k, own);
}

static void scrypt_key(const char *passphrase, const uint8_t salt[16], unsigned log_n,
		       uint8_t ret_key[32])
{
	uint8_t labelled[64] = "age-encryption.org/v1/scrypt";
	size_t n = strlen((char *)labelled);

	memcpy(labelled + n, salt, 16);
	crypto_scrypt((struct bytes){(const uint8_t *)passphrase, strlen(passphrase)},
		      (struct bytes){labelled, n + 16}, log_n, ret_key);
}

/* The work factor as it is written may differ from the one that is true. */
static void scrypt_as(struct kit *k, const char *passphrase, const char *written, unsigned log_n)
{
	uint8_t salt[16], key[32];

	random_bytes(k, salt, 16);
	scrypt_key(passphrase, salt, log_n, key);
	line(k, "-> scrypt %s%s%s", b64(salt, 16), *written ? " " : "", written);
	aead_body(k, key);
}

static void scrypt_to(struct kit *k, const char *passphrase)
{
	snprintf(k->passphrase, sizeof(k->passphrase), "%s", passphrase);
	scrypt_as(k, passphrase, "10", 10);
}

static void mac_of(struct kit *k, uint8_t ret_mac[32])
{
	uint8_t key[32];

	crypto_hkdf((struct bytes){k->file_key, k->file_key_len}, (struct bytes){NULL, 0}, "header",
		    key);
	put(k, "---", 3);
	crypto_hmac((struct bytes){key, 32}, (struct bytes){k->data, k->len}, ret_mac);
	unput(k, 3);
}

static void mac(struct kit *k)
{
	uint8_t m[32];

	mac_of(k, m);
	line(k, "--- %s", b64(m, 32));
}

static void nonce(struct kit *k)
{
	uint8_t n[16];

	random_bytes(k, n, 16);
	put(k, n, 16);
	crypto_hkdf((struct bytes){k->file_key, k->file_key_len}, (struct bytes){n, 16}, "payload",
		    k->stream_key);
}

static void chunk_of(struct kit *k, const uint8_t *data, size_t len, bool last)
{
	static uint8_t out[CHUNK + 64];
	uint8_t n[12] = {0};
	struct aead *a = aead_new(true);

	n[11] = last;
	for (int i = 0; i < 8; i++)
		n[10 - i] = (uint8_t)(k->number >> 8 * i);
	k->number++;
	if (aead_key(a, k->stream_key) < 0 || aead_seal(a, n, data, len, out) < 0)
		abort();
	aead_free(a);
	put(k, out, len + 16);
	k->plain = realloc(k->plain, k->plain_len + len + 1);
	if (!k->plain)
		abort();
	memcpy(k->plain + k->plain_len, data, len);
	k->plain_len += len;
}

static void chunk(struct kit *k, size_t len, bool last)
{
	static uint8_t data[CHUNK];

	memset(data, (int)('a' + k->number), sizeof(data));
	chunk_of(k, data, len, last);
}

static void payload(struct kit *k)
{
	nonce(k);
	chunk_of(k, (const uint8_t *)"age", 3, true);
}

static void expect(struct kit *k, const char *what, size_t plain)
{
	k->expect = what;
	k->plain_len = plain;
}

#define HEADER_FAILURE(k)	expect(k, "header failure", 0)
#define PAYLOAD_FAILURE(k, len) expect(k, "payload failure", len)
#define NO_MATCH(k)		expect(k, "no match", 0)
#define HMAC_FAILURE(k)		expect(k, "HMAC failure", 0)
#define ARMOR_FAILURE(k)	expect(k, "armor failure", 0)

/* -- good files, and who opens them */

static void head(struct kit *k)
{
	version(k);
	x25519(k);
	mac(k);
}

static void good_x25519(struct kit *k)
{
	head(k);
	payload(k);
}

static void good_scrypt(struct kit *k)
{
	version(k);
	scrypt_to(k, "password");
	mac(k);
	payload(k);
}

static void x25519_grease(struct kit *k)
{
	version(k);
	line(k, "-> grease");
	body(k, NULL, 0);
	x25519(k);
	line(k, "-> A-grease ~ ! x");
	body(k, own, 32);
	mac(k);
	payload(k);
}

static void x25519_second_of_three(struct kit *k)
{
	version(k);
	x25519_to(k, other);
	x25519(k);
	x25519_to(k, other);
	mac(k);
	payload(k);
}

static void x25519_no_match(struct kit *k)
{
	version(k);
	record_identity(k, own);
	x25519_to(k, other);
	mac(k);
	payload(k);
	NO_MATCH(k);
}

static void x25519_bad_tag(struct kit *k)
{
	version(k);
	x25519(k);
	k->data[k->len - 10] = k->data[k->len - 10] == 'A' ? 'B' : 'A';
	mac(k);
	payload(k);
	NO_MATCH(k);
}

static void x25519_long_file_key(struct kit *k)
{
	k->file_key_len = 24;
	head(k);
	payload(k);
	HEADER_FAILURE(k);
}

static void x25519_short_file_key(struct kit *k)
{
	k->file_key_len = 15;
	head(k);
	payload(k);
	HEADER_FAILURE(k);
}

static void x25519_low_order(struct kit *k)
{
	/* Of order eight, with the high bit set, which X25519 ignores. */
	static const uint8_t share[32] = {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24,
					  0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
					  0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86,
					  0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0xd7};
	uint8_t key[32];

	version(k);
	record_identity(k, own);
	x25519_share(k, share, own, key);
	line(k, "-> X25519 %s", b64(share, 32));
	aead_body(k, key);
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

/* An X25519 stanza whose first line is of this form; %s is the share. */
static void x25519_line(struct kit *k, const char *form, size_t share_len)
{
	uint8_t share[33] = {0}, key[32];
	char text[256];

	version(k);
	record_identity(k, own);
	new_share(k, share);
	x25519_share(k, share, own, key);
	snprintf(text, sizeof(text), form, b64(share, share_len));
	line(k, "%s", text);
	aead_body(k, key);
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

static void x25519_extra_argument(struct kit *k)
{
	x25519_line(k, "-> X25519 %s 1234", 32);
}

static void x25519_lowercase(struct kit *k)
{
	x25519_line(k, "-> x25519 %s", 32);
	NO_MATCH(k);
}

static void x25519_long_share(struct kit *k)
{
	x25519_line(k, "-> X25519 %s", 33);
}

static void x25519_short_share(struct kit *k)
{
	x25519_line(k, "-> X25519 %s", 31);
}

static void x25519_padded_share(struct kit *k)
{
	x25519_line(k, "-> X25519 %s=", 32);
}

/* The last digit of what was written last stands for the same bytes, but is another one. */
static void uncanonical(struct kit *k, size_t from_end)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *at = k->data + k->len - from_end;

	*at = (uint8_t)strchr(digits, *at)[1];
}

static void x25519_uncanonical_share(struct kit *k)
{
	version(k);
	x25519(k);
	uncanonical(k, 45 + 1); /* before the body's line and the share's line feed */
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

static void x25519_uncanonical_body(struct kit *k)
{
	version(k);
	x25519(k);
	uncanonical(k, 2);
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

/* -- scrypt */

static void scrypt_no_match(struct kit *k)
{
	version(k);
	scrypt_to(k, "password");
	snprintf(k->passphrase, sizeof(k->passphrase), "hunter2");
	mac(k);
	payload(k);
	NO_MATCH(k);
}

static void scrypt_and_x25519(struct kit *k)
{
	version(k);
	scrypt_to(k, "password");
	x25519_to(k, own);
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

static void scrypt_double(struct kit *k)
{
	version(k);
	scrypt_to(k, "password");
	scrypt_to(k, "password");
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

static void scrypt_long_file_key(struct kit *k)
{
	k->file_key_len = 24;
	good_scrypt(k);
	HEADER_FAILURE(k);
}

static void scrypt_uppercase(struct kit *k)
{
	uint8_t salt[16] = {0}, key[32];

	version(k);
	snprintf(k->passphrase, sizeof(k->passphrase), "password");
	scrypt_key("password", salt, 10, key);
	line(k, "-> Scrypt %s 10", b64(salt, 16));
	aead_body(k, key);
	mac(k);
	payload(k);
	NO_MATCH(k);
}

static void scrypt_work(struct kit *k, const char *written)
{
	version(k);
	snprintf(k->passphrase, sizeof(k->passphrase), "password");
	scrypt_as(k, "password", written, 10);
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

#define SCRYPT_WORK(name, written)       \
	static void name(struct kit *k)  \
	{                                \
		scrypt_work(k, written); \
	}
SCRYPT_WORK(scrypt_work_leading_zero, "010")
SCRYPT_WORK(scrypt_work_zero, "0")
SCRYPT_WORK(scrypt_work_plus, "+10")
SCRYPT_WORK(scrypt_work_negative, "-10")
SCRYPT_WORK(scrypt_work_hex, "0xa")
SCRYPT_WORK(scrypt_work_garbage, "10x")
SCRYPT_WORK(scrypt_work_bomb, "23")
SCRYPT_WORK(scrypt_work_huge, "18446744073709551626")
SCRYPT_WORK(scrypt_work_missing, "")
SCRYPT_WORK(scrypt_extra_argument, "10 10")

static void scrypt_work_wrong(struct kit *k)
{
	scrypt_work(k, "9");
	NO_MATCH(k);
}

static void scrypt_salt(struct kit *k, size_t len, bool padded)
{
	uint8_t salt[17] = {0}, key[32];

	version(k);
	snprintf(k->passphrase, sizeof(k->passphrase), "password");
	scrypt_key("password", salt, 10, key);
	line(k, "-> scrypt %s%s 10", b64(salt, len), padded ? "==" : "");
	aead_body(k, key);
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

static void scrypt_salt_short(struct kit *k)
{
	scrypt_salt(k, 15, false);
}

static void scrypt_salt_long(struct kit *k)
{
	scrypt_salt(k, 17, false);
}

static void scrypt_salt_padded(struct kit *k)
{
	scrypt_salt(k, 16, true);
}

/* -- header and MAC */

/* A version line, then this, then a good stanza. */
static void stanza_before(struct kit *k, const char *text)
{
	version(k);
	put(k, text, strlen(text));
	x25519(k);
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

#define STANZA_BEFORE(name, text)       \
	static void name(struct kit *k) \
	{                               \
		stanza_before(k, text); \
	}
#define FULL "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
STANZA_BEFORE(stanza_no_arguments, "->\n\n")
STANZA_BEFORE(stanza_empty_argument, "-> empty  argument\n\n")
STANZA_BEFORE(stanza_trailing_space, "-> trailing \n\n")
STANZA_BEFORE(stanza_no_space, "->none\n\n")
STANZA_BEFORE(stanza_bad_start, "-- start\n\n")
STANZA_BEFORE(stanza_invalid_character, "-> st\xc3\xa9\n\n")
STANZA_BEFORE(stanza_control_character, "-> st\x01\n\n")
STANZA_BEFORE(stanza_cr, "-> stanza\r\n\n")
STANZA_BEFORE(stanza_missing_body, "-> stanza\n")
STANZA_BEFORE(stanza_missing_last_line, "-> stanza\n" FULL "\n")
STANZA_BEFORE(stanza_two_short_lines, "-> stanza\nAAAA\nAAAA\n")
STANZA_BEFORE(stanza_long_line, "-> stanza\n" FULL "AAAA\n\n")
STANZA_BEFORE(stanza_padding, "-> stanza\nAA==\n")
STANZA_BEFORE(stanza_uncanonical, "-> stanza\nAB\n")
STANZA_BEFORE(stanza_space_in_body, "-> stanza\nAA A\n")
STANZA_BEFORE(stanza_empty_line_between, "-> stanza\n\n\n")

static void stanza_full_last_line(struct kit *k)
{
	stanza_before(k, "-> stanza\n" FULL "\n\n-> \"#$%&'()*+,-./ {|}~ 0\nAAAA\n");
	k->expect = "success";
	k->plain_len = 3;
}

static void no_stanza(struct kit *k)
{
	version(k);
	record_identity(k, own);
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

static void version_other(struct kit *k)
{
	line(k, "age-encryption.org/v1234");
	x25519(k);
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

static void header_crlf(struct kit *k)
{
	put(k, "age-encryption.org/v1\r\n", 23);
	x25519(k);
	mac(k);
	payload(k);
	HEADER_FAILURE(k);
}

static void nothing(struct kit *k)
{
	record_identity(k, own);
	HEADER_FAILURE(k);
}

static void hmac_line(struct kit *k, const char *form)
{
	char text[256];
	uint8_t m[32];

	version(k);
	x25519(k);
	mac_of(k, m);
	snprintf(text, sizeof(text), form, b64(m, 32));
	put(k, text, strlen(text));
	payload(k);
	HEADER_FAILURE(k);
}

#define HMAC_LINE(name, form)           \
	static void name(struct kit *k) \
	{                               \
		hmac_line(k, form);     \
	}
HMAC_LINE(hmac_no_space, "---%s\n")
HMAC_LINE(hmac_two_spaces, "---  %s\n")
HMAC_LINE(hmac_trailing_space, "--- %s \n")
HMAC_LINE(hmac_missing, "---%.0s\n")
HMAC_LINE(hmac_cut, "--- %.30s\n")
HMAC_LINE(hmac_padded, "--- %s=\n")
HMAC_LINE(hmac_long, "--- %sAAAA\n")
HMAC_LINE(hmac_garbage, "--- *%.42s\n")

static void hmac_bad(struct kit *k)
{
	version(k);
	x25519(k);
	mac(k);
	k->data[k->len - 20] = k->data[k->len - 20] == 'A' ? 'B' : 'A';
	payload(k);
	HMAC_FAILURE(k);
}

static void hmac_uncanonical(struct kit *k)
{
	version(k);
	x25519(k);
	mac(k);
	uncanonical(k, 2);
	payload(k);
	HEADER_FAILURE(k);
}

/* -- the payload */

static void stream_empty(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, 0, true);
}

static void stream_no_nonce(struct kit *k)
{
	head(k);
	HEADER_FAILURE(k);
}

static void stream_short_nonce(struct kit *k)
{
	head(k);
	put(k, "nonce", 5);
	HEADER_FAILURE(k);
}

static void stream_no_chunks(struct kit *k)
{
	head(k);
	nonce(k);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_full_chunk(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, CHUNK, true);
}

static void stream_two_chunks(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, CHUNK, false);
	chunk(k, 1, true);
}

static void stream_two_full_chunks(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, CHUNK, false);
	chunk(k, CHUNK, true);
}

/* Across the batches that a reader may work in, and a carry of the counter. */
static void stream_many_chunks(struct kit *k)
{
	head(k);
	nonce(k);
	for (int i = 0; i < 260; i++)
		chunk(k, CHUNK, false);
	chunk(k, 1000, true);
}

static void stream_last_empty(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, CHUNK, false);
	chunk(k, 0, true);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_no_final(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, 3, false);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_no_final_full(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, CHUNK, false);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_no_final_two(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, CHUNK, false);
	chunk(k, 3, false);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_two_finals(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, 3, true);
	chunk(k, 3, true);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_two_finals_full(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, CHUNK, true);
	chunk(k, CHUNK, true);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_short_chunk(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, 1000, false);
	chunk(k, CHUNK, true);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_short_second_chunk(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, CHUNK, false);
	chunk(k, 1000, false);
	chunk(k, CHUNK, true);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_bad_tag(struct kit *k)
{
	good_x25519(k);
	k->data[k->len - 1] ^= 1;
	PAYLOAD_FAILURE(k, 0);
}

static void stream_bad_tag_second(struct kit *k)
{
	stream_two_chunks(k);
	k->data[k->len - 1] ^= 1;
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_bad_tag_second_full(struct kit *k)
{
	stream_two_full_chunks(k);
	k->data[k->len - 1] ^= 1;
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_tag_missing(struct kit *k)
{
	good_x25519(k);
	unput(k, 16);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_trailing_short(struct kit *k)
{
	good_x25519(k);
	put(k, "x", 1);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_trailing_after_full(struct kit *k)
{
	stream_full_chunk(k);
	put(k, "garbage", 7);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_many_then_bad(struct kit *k)
{
	stream_many_chunks(k);
	k->data[k->len - 1016 - 30 * (CHUNK + 16) - 5] ^= 0x80;
	PAYLOAD_FAILURE(k, 229 * (size_t)CHUNK);
}

/* -- armor */

/* What is in the kit, in armor. */
static void wear(struct kit *k)
{
	struct armor_writer a = {.held_len = 0};
	size_t room = ARMOR_ROOM(k->len) + 256;
	struct writer w = writer_new(malloc(room), room);

	armor_begin(&w);
	armor_write(&a, (struct bytes){k->data, k->len}, &w);
	armor_end(&a, &w);
	k->len = 0;
	put(k, w.data, w.len);
	free(w.data);
	k->armored = true;
}

static void armor(struct kit *k)
{
	good_x25519(k);
	wear(k);
}

/* Puts text in place of the first or last that is like `from`. */
static void swap(struct kit *k, const char *from, const char *to, bool last)
{
	size_t n = strlen(from);
	uint8_t *at = NULL, *tail;
	size_t rest;

	for (size_t i = 0; i + n <= k->len && (last || !at); i++)
		if (memcmp(k->data + i, from, n) == 0)
			at = k->data + i;
	if (!at)
		abort();
	rest = k->len - (size_t)(at + n - k->data);
	tail = malloc(rest + 1);
	if (!tail)
		abort();
	memcpy(tail, at + n, rest);
	k->len = (size_t)(at - k->data);
	put(k, to, strlen(to));
	put(k, tail, rest);
	free(tail);
}

#define BEGIN "-----BEGIN AGE ENCRYPTED FILE-----\n"
#define END   "-----END AGE ENCRYPTED FILE-----\n"

#define ARMOR_SWAP(name, from, to, last) \
	static void name(struct kit *k)  \
	{                                \
		armor(k);                \
		swap(k, from, to, last); \
		ARMOR_FAILURE(k);        \
	}
ARMOR_SWAP(armor_wrong_type, "-----BEGIN AGE ENCRYPTED FILE", "-----BEGIN AGE ENCRYPTED MESSAGE",
	   false)
ARMOR_SWAP(armor_lowercase, "-----BEGIN AGE ENCRYPTED FILE", "-----begin age encrypted file", false)
ARMOR_SWAP(armor_whitespace_begin, "-----BEGIN AGE", "----- BEGIN AGE", false)
ARMOR_SWAP(armor_whitespace_end, "-----END AGE", "----- END AGE", true)
ARMOR_SWAP(armor_headers, BEGIN, BEGIN "Headers: are\nNot: allowed\n\n", false)
ARMOR_SWAP(armor_empty_line_begin, BEGIN, BEGIN "\n", false)
ARMOR_SWAP(armor_empty_line_end, END, "\n" END, true)
ARMOR_SWAP(armor_line_starts_with_space, BEGIN, BEGIN " ", false)
ARMOR_SWAP(armor_line_ends_with_space, "\n" END, " \n" END, true)
ARMOR_SWAP(armor_no_end, END, "", true)
ARMOR_SWAP(armor_checksum, END, "=abcd\n" END, true)
ARMOR_SWAP(armor_garbage_after, END, END "garbage\n", true)
ARMOR_SWAP(armor_garbage_before, BEGIN, "garbage\n" BEGIN, false)
ARMOR_SWAP(armor_invalid_character, BEGIN, BEGIN "*", false)
ARMOR_SWAP(armor_two, END, END BEGIN "AAAA\n" END, true)

#define ARMOR_GOOD(name, from, to, last) \
	static void name(struct kit *k)  \
	{                                \
		armor(k);                \
		swap(k, from, to, last); \
	}
ARMOR_GOOD(armor_no_eol, "-----END AGE ENCRYPTED FILE-----\n", "-----END AGE ENCRYPTED FILE-----",
	   true)
ARMOR_GOOD(armor_space_after, END, END "\n\r   \t\n", true)
ARMOR_GOOD(armor_space_before, BEGIN, "\n\r   \t\n" BEGIN, false)

static void armor_crlf(struct kit *k)
{
	struct kit copy;

	armor(k);
	copy = *k;
	k->data = NULL;
	k->len = k->room = 0;
	for (size_t i = 0; i < copy.len; i++) {
		if (copy.data[i] == '\n')
			put(k, "\r", 1);
		put(k, copy.data + i, 1);
	}
	free(copy.data);
}

static void armor_long_line(struct kit *k)
{
	armor(k);
	/* The end of the first line of base64. */
	memmove(k->data + strlen(BEGIN) + 64, k->data + strlen(BEGIN) + 65,
		k->len - strlen(BEGIN) - 65);
	k->len--;
	ARMOR_FAILURE(k);
}

static void armor_short_line(struct kit *k)
{
	armor(k);
	put(k, "x", 1);
	memmove(k->data + strlen(BEGIN) + 61, k->data + strlen(BEGIN) + 60,
		k->len - strlen(BEGIN) - 61);
	k->data[strlen(BEGIN) + 60] = '\n';
	ARMOR_FAILURE(k);
}

static void armor_empty(struct kit *k)
{
	record_identity(k, own);
	line(k, "-----BEGIN AGE ENCRYPTED FILE-----");
	line(k, "-----END AGE ENCRYPTED FILE-----");
	k->armored = true;
	HEADER_FAILURE(k);
}

static void armor_padding(struct kit *k, size_t plain, const char *from, const char *to)
{
	head(k);
	nonce(k);
	chunk(k, plain, true);
	wear(k);
	swap(k, from, to, true);
	ARMOR_FAILURE(k);
}

/* The length of what is in armor is a matter of the plain one: so many that its end is padded. */
static size_t plain_for(struct kit *k, size_t rest)
{
	struct kit probe = {.file_key_len = 16};
	size_t n = 1;

	head(&probe);
	nonce(&probe);
	while ((probe.len + n + 16) % 48 != rest)
		n++;
	free(probe.data);
	return n;
}

static void armor_no_padding(struct kit *k)
{
	armor_padding(k, plain_for(k, 1), "==\n" END, "\n" END);
}

static void armor_split_padding(struct kit *k)
{
	armor_padding(k, plain_for(k, 1), "==\n" END, "=\n=\n" END);
}

static void armor_uncanonical(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, plain_for(k, 1), true);
	wear(k);
	uncanonical(k, strlen("==\n" END) + 1);
	ARMOR_FAILURE(k);
}

static void armor_full_last_line(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, plain_for(k, 0), true);
	wear(k);
}

static void armor_empty_last_line(struct kit *k)
{
	armor_padding(k, plain_for(k, 0), END, "\n" END);
}

static void armor_trailing_inside(struct kit *k)
{
	head(k);
	nonce(k);
	chunk(k, CHUNK, true);
	put(k, "twenty more bytes...", 20);
	wear(k);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void armor_header_crlf(struct kit *k)
{
	header_crlf(k);
	wear(k);
}

static void armor_no_match(struct kit *k)
{
	x25519_no_match(k);
	wear(k);
}

static void armor_scrypt(struct kit *k)
{
	good_scrypt(k);
	wear(k);
}

#define CASE(name)          \
	{                   \
#name, name \
	}
static const struct {
	const char *name;
	void (*make)(struct kit *k);
} cases[] = {
	{"x25519", good_x25519},
	{"scrypt", good_scrypt},
	CASE(x25519_grease),
	CASE(x25519_second_of_three),
	CASE(x25519_no_match),
	CASE(x25519_bad_tag),
	CASE(x25519_long_file_key),
	CASE(x25519_short_file_key),
	CASE(x25519_low_order),
	CASE(x25519_extra_argument),
	CASE(x25519_lowercase),
	CASE(x25519_long_share),
	CASE(x25519_short_share),
	CASE(x25519_padded_share),
	CASE(x25519_uncanonical_share),
	CASE(x25519_uncanonical_body),
	CASE(scrypt_no_match),
	CASE(scrypt_and_x25519),
	CASE(scrypt_double),
	CASE(scrypt_long_file_key),
	CASE(scrypt_uppercase),
	CASE(scrypt_work_leading_zero),
	CASE(scrypt_work_zero),
	CASE(scrypt_work_plus),
	CASE(scrypt_work_negative),
	CASE(scrypt_work_hex),
	CASE(scrypt_work_garbage),
	CASE(scrypt_work_bomb),
	CASE(scrypt_work_huge),
	CASE(scrypt_work_missing),
	CASE(scrypt_work_wrong),
	CASE(scrypt_extra_argument),
	CASE(scrypt_salt_short),
	CASE(scrypt_salt_long),
	CASE(scrypt_salt_padded),
	CASE(stanza_no_arguments),
	CASE(stanza_empty_argument),
	CASE(stanza_trailing_space),
	CASE(stanza_no_space),
	CASE(stanza_bad_start),
	CASE(stanza_invalid_character),
	CASE(stanza_control_character),
	CASE(stanza_cr),
	CASE(stanza_missing_body),
	CASE(stanza_missing_last_line),
	CASE(stanza_two_short_lines),
	CASE(stanza_long_line),
	CASE(stanza_padding),
	CASE(stanza_uncanonical),
	CASE(stanza_space_in_body),
	CASE(stanza_empty_line_between),
	CASE(stanza_full_last_line),
	CASE(no_stanza),
	CASE(version_other),
	CASE(header_crlf),
	CASE(nothing),
	CASE(hmac_no_space),
	CASE(hmac_two_spaces),
	CASE(hmac_trailing_space),
	CASE(hmac_missing),
	CASE(hmac_cut),
	CASE(hmac_padded),
	CASE(hmac_long),
	CASE(hmac_garbage),
	CASE(hmac_bad),
	CASE(hmac_uncanonical),
	CASE(stream_empty),
	CASE(stream_no_nonce),
	CASE(stream_short_nonce),
	CASE(stream_no_chunks),
	CASE(stream_full_chunk),
	CASE(stream_two_chunks),
	CASE(stream_two_full_chunks),
	CASE(stream_many_chunks),
	CASE(stream_last_empty),
	CASE(stream_no_final),
	CASE(stream_no_final_full),
	CASE(stream_no_final_two),
	CASE(stream_two_finals),
	CASE(stream_two_finals_full),
	CASE(stream_short_chunk),
	CASE(stream_short_second_chunk),
	CASE(stream_bad_tag),
	CASE(stream_bad_tag_second),
	CASE(stream_bad_tag_second_full),
	CASE(stream_tag_missing),
	CASE(stream_trailing_short),
	CASE(stream_trailing_after_full),
	CASE(stream_many_then_bad),
	CASE(armor),
	CASE(armor_wrong_type),
	CASE(armor_lowercase),
	CASE(armor_whitespace_begin),
	CASE(armor_whitespace_end),
	CASE(armor_headers),
	CASE(armor_empty_line_begin),
	CASE(armor_empty_line_end),
	CASE(armor_line_starts_with_space),
	CASE(armor_line_ends_with_space),
	CASE(armor_no_end),
	CASE(armor_checksum),
	CASE(armor_garbage_after),
	CASE(armor_garbage_before),
	CASE(armor_invalid_character),
	CASE(armor_two),
	CASE(armor_no_eol),
	CASE(armor_space_after),
	CASE(armor_space_before),
	CASE(armor_crlf),
	CASE(armor_long_line),
	CASE(armor_short_line),
	CASE(armor_empty),
	CASE(armor_no_padding),
	CASE(armor_split_padding),
	CASE(armor_uncanonical),
	CASE(armor_full_last_line),
	CASE(armor_empty_last_line),
	CASE(armor_trailing_inside),
	CASE(armor_header_crlf),
	CASE(armor_no_match),
	CASE(armor_scrypt),
};

static int write_case(const char *folder, const char *name, const struct kit *k)
{
	char path[4096];
	uint8_t hash[CRYPTO_HASH];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = fopen(path, "w");
	if (!out) {
		perror(path);
		return 1;
	}
	crypto_sha256((struct bytes){k->plain, k->plain_len}, hash);
	fprintf(out, "expect: %s\npayload: ", k->expect);
	for (unsigned i = 0; i < sizeof(hash); i++)
		fprintf(out, "%02x", hash[i]);
	fputc('\n', out);
	if (*k->identity)
		fprintf(out, "identity: %s\n", k->identity);
	if (*k->passphrase)
		fprintf(out, "passphrase: %s\n", k->passphrase);
	if (k->armored)
		fprintf(out, "armored: yes\n");
	fputc('\n', out);
	if (k->len)
		fwrite(k->data, 1, k->len, out);
	return fclose(out) != 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: age-kit FOLDER\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct kit k = {
			.expect = "success", .file_key = "sixteen bytes...", .file_key_len = 16};

		cases[i].make(&k);
		if (write_case(argv[1], cases[i].name, &k))
			return 1;
		free(k.data);
		free(k.plain);
	}
	return 0;
}
