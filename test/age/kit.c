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
#include "kit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "seal/age/armor.h"
#include "base/base64.h"
#include "seal/age/bech32.h"
#include "seal/age/header.h"

const uint8_t kit_own[32] = {7, 7, 7}, kit_other[32] = {8, 8, 8};

void kit_put(struct kit *k, const void *data, size_t len)
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

void kit_line(struct kit *k, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	kit_put(k, text, (size_t)n);
	kit_put(k, "\n", 1);
}

/* Takes the last n bytes away. */
void kit_unput(struct kit *k, size_t n)
{
	k->len -= n;
}

void kit_random_bytes(struct kit *k, uint8_t *ret, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ret[i] = (uint8_t)(k->random += 37);
}

const char *kit_b64(const void *data, size_t len)
{
	static char text[4][512];
	static unsigned next;
	char *t = text[next++ % 4];

	base64_write(data, len, t);
	t[BASE64_LEN(len)] = 0;
	return t;
}

void kit_body(struct kit *k, const uint8_t *data, size_t len)
{
	size_t n;

	do {
		n = len < 48 ? len : 48;
		kit_line(k, "%s", kit_b64(data, n));
		data += n;
		len -= n;
	} while (n == 48);
}

void kit_aead_body(struct kit *k, const uint8_t key[32])
{
	static const uint8_t nonce[12];
	uint8_t out[64];
	struct aead *a = aead_new(true);

	if (aead_key(a, key) < 0 || aead_seal(a, nonce, k->file_key, k->file_key_len, out) < 0)
		abort();
	aead_free(a);
	kit_body(k, out, k->file_key_len + 16);
}

void kit_version(struct kit *k)
{
	kit_line(k, "age-encryption.org/v1");
}

void kit_record_identity(struct kit *k, const uint8_t identity[32])
{
	bech32_write("age-secret-key-", identity, 32, true, k->identity);
}

/* As who holds the identity would compute it, which also serves for a share nobody can have. */
void kit_x25519_share(struct kit *k, const uint8_t share[32], const uint8_t identity[32],
		      uint8_t ret_key[32])
{
	uint8_t shared[32] = {0}, salt[64];

	memcpy(salt, share, 32);
	(void)crypto_x25519(identity, share, shared, NULL); /* of low order: zero */
	crypto_x25519_public(identity, salt + 32);
	crypto_hkdf((struct bytes){shared, 32}, (struct bytes){salt, 64},
		    "age-encryption.org/v1/X25519", ret_key);
}

void kit_new_share(struct kit *k, uint8_t ret_share[32])
{
	uint8_t secret[32];

	kit_random_bytes(k, secret, 32);
	crypto_x25519_public(secret, ret_share);
}

void kit_x25519_to(struct kit *k, const uint8_t identity[32])
{
	uint8_t share[32], key[32];

	kit_new_share(k, share);
	kit_x25519_share(k, share, identity, key);
	kit_line(k, "-> X25519 %s", kit_b64(share, 32));
	kit_aead_body(k, key);
}

void kit_x25519(struct kit *k)
{
	kit_record_identity(k, kit_own);
	kit_x25519_to(k, kit_own);
}

void kit_scrypt_key(const char *passphrase, const uint8_t salt[16], unsigned log_n,
		    uint8_t ret_key[32])
{
	uint8_t labelled[64] = "age-encryption.org/v1/scrypt";
	size_t n = strlen((char *)labelled);

	memcpy(labelled + n, salt, 16);
	crypto_scrypt((struct bytes){(const uint8_t *)passphrase, strlen(passphrase)},
		      (struct bytes){labelled, n + 16}, log_n, ret_key);
}

/* The work factor as it is written may differ from the one that is true. */
void kit_scrypt_as(struct kit *k, const char *passphrase, const char *written, unsigned log_n)
{
	uint8_t salt[16], key[32];

	kit_random_bytes(k, salt, 16);
	kit_scrypt_key(passphrase, salt, log_n, key);
	kit_line(k, "-> scrypt %s%s%s", kit_b64(salt, 16), *written ? " " : "", written);
	kit_aead_body(k, key);
}

void kit_scrypt_to(struct kit *k, const char *passphrase)
{
	snprintf(k->passphrase, sizeof(k->passphrase), "%s", passphrase);
	kit_scrypt_as(k, passphrase, "10", 10);
}

void kit_mac_of(struct kit *k, uint8_t ret_mac[32])
{
	uint8_t key[32];

	crypto_hkdf((struct bytes){k->file_key, k->file_key_len}, (struct bytes){NULL, 0}, "header",
		    key);
	kit_put(k, "---", 3);
	crypto_hmac((struct bytes){key, 32}, (struct bytes){k->data, k->len}, ret_mac);
	kit_unput(k, 3);
}

void kit_mac(struct kit *k)
{
	uint8_t m[32];

	kit_mac_of(k, m);
	kit_line(k, "--- %s", kit_b64(m, 32));
}

void kit_nonce(struct kit *k)
{
	uint8_t n[16];

	kit_random_bytes(k, n, 16);
	kit_put(k, n, 16);
	crypto_hkdf((struct bytes){k->file_key, k->file_key_len}, (struct bytes){n, 16}, "payload",
		    k->stream_key);
}

void kit_chunk_of(struct kit *k, const uint8_t *data, size_t len, bool last)
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
	kit_put(k, out, len + 16);
	k->plain = realloc(k->plain, k->plain_len + len + 1);
	if (!k->plain)
		abort();
	memcpy(k->plain + k->plain_len, data, len);
	k->plain_len += len;
}

void kit_chunk(struct kit *k, size_t len, bool last)
{
	static uint8_t data[CHUNK];

	memset(data, (int)('a' + k->number), sizeof(data));
	kit_chunk_of(k, data, len, last);
}

void kit_payload(struct kit *k)
{
	kit_nonce(k);
	kit_chunk_of(k, (const uint8_t *)"age", 3, true);
}

void kit_expect(struct kit *k, const char *what, size_t plain)
{
	k->expect = what;
	k->plain_len = plain;
}

/* The last digit of what was written last stands for the same bytes, but is another one. */
void kit_uncanonical(struct kit *k, size_t from_end)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *at = k->data + k->len - from_end;

	*at = (uint8_t)strchr(digits, *at)[1];
}

/* What is in the kit, in armor. */
void kit_wear(struct kit *k)
{
	struct armor_writer a = {.held_len = 0};
	size_t room = ARMOR_ROOM(k->len) + 256;
	struct writer w = writer_new(malloc(room), room);

	armor_begin(&w);
	armor_write(&a, (struct bytes){k->data, k->len}, &w);
	armor_end(&a, &w);
	k->len = 0;
	kit_put(k, w.data, w.len);
	free(w.data);
	k->armored = true;
}

/* Puts text in place of the first or last that is like `from`. */
void kit_swap(struct kit *k, const char *from, const char *to, bool last)
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
	kit_put(k, to, strlen(to));
	kit_put(k, tail, rest);
	free(tail);
}

void kit_head(struct kit *k)
{
	kit_version(k);
	kit_x25519(k);
	kit_mac(k);
}

void kit_good_x25519(struct kit *k)
{
	kit_head(k);
	kit_payload(k);
}

void kit_good_scrypt(struct kit *k)
{
	kit_version(k);
	kit_scrypt_to(k, "password");
	kit_mac(k);
	kit_payload(k);
}

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

static int write_cases(const char *folder, const struct kit_case *c)
{
	for (; c->name; c++) {
		struct kit k = {
			.expect = "success", .file_key = "sixteen bytes...", .file_key_len = 16};

		c->make(&k);
		if (write_case(folder, c->name, &k))
			return 1;
		free(k.data);
		free(k.plain);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: age-kit FOLDER\n", stderr);
		return 2;
	}
	return write_cases(argv[1], kit_header_cases) || write_cases(argv[1], kit_payload_cases);
}
