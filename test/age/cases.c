/* The files of the kit (kit.c), each with one thing about it. */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

/* -- good files, and who opens them */

static void head(struct kit *k)
{
	kit_version(k);
	kit_x25519(k);
	kit_mac(k);
}

static void good_x25519(struct kit *k)
{
	head(k);
	kit_payload(k);
}

static void good_scrypt(struct kit *k)
{
	kit_version(k);
	kit_scrypt_to(k, "password");
	kit_mac(k);
	kit_payload(k);
}

static void x25519_grease(struct kit *k)
{
	kit_version(k);
	kit_line(k, "-> grease");
	kit_body(k, NULL, 0);
	kit_x25519(k);
	kit_line(k, "-> A-grease ~ ! x");
	kit_body(k, kit_own, 32);
	kit_mac(k);
	kit_payload(k);
}

static void x25519_second_of_three(struct kit *k)
{
	kit_version(k);
	kit_x25519_to(k, kit_other);
	kit_x25519(k);
	kit_x25519_to(k, kit_other);
	kit_mac(k);
	kit_payload(k);
}

static void x25519_no_match(struct kit *k)
{
	kit_version(k);
	kit_record_identity(k, kit_own);
	kit_x25519_to(k, kit_other);
	kit_mac(k);
	kit_payload(k);
	NO_MATCH(k);
}

static void x25519_bad_tag(struct kit *k)
{
	kit_version(k);
	kit_x25519(k);
	k->data[k->len - 10] = k->data[k->len - 10] == 'A' ? 'B' : 'A';
	kit_mac(k);
	kit_payload(k);
	NO_MATCH(k);
}

static void x25519_long_file_key(struct kit *k)
{
	k->file_key_len = 24;
	head(k);
	kit_payload(k);
	HEADER_FAILURE(k);
}

static void x25519_short_file_key(struct kit *k)
{
	k->file_key_len = 15;
	head(k);
	kit_payload(k);
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

	kit_version(k);
	kit_record_identity(k, kit_own);
	kit_x25519_share(k, share, kit_own, key);
	kit_line(k, "-> X25519 %s", kit_b64(share, 32));
	kit_aead_body(k, key);
	kit_mac(k);
	kit_payload(k);
	HEADER_FAILURE(k);
}

/* An X25519 stanza whose first line is of this form; %s is the share. */
static void x25519_line(struct kit *k, const char *form, size_t share_len)
{
	uint8_t share[33] = {0}, key[32];
	char text[256];

	kit_version(k);
	kit_record_identity(k, kit_own);
	kit_new_share(k, share);
	kit_x25519_share(k, share, kit_own, key);
	snprintf(text, sizeof(text), form, kit_b64(share, share_len));
	kit_line(k, "%s", text);
	kit_aead_body(k, key);
	kit_mac(k);
	kit_payload(k);
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

static void x25519_uncanonical_share(struct kit *k)
{
	kit_version(k);
	kit_x25519(k);
	kit_uncanonical(k, 45 + 1); /* before the body's line and the share's line feed */
	kit_mac(k);
	kit_payload(k);
	HEADER_FAILURE(k);
}

static void x25519_uncanonical_body(struct kit *k)
{
	kit_version(k);
	kit_x25519(k);
	kit_uncanonical(k, 2);
	kit_mac(k);
	kit_payload(k);
	HEADER_FAILURE(k);
}

/* -- scrypt */

static void scrypt_no_match(struct kit *k)
{
	kit_version(k);
	kit_scrypt_to(k, "password");
	snprintf(k->passphrase, sizeof(k->passphrase), "hunter2");
	kit_mac(k);
	kit_payload(k);
	NO_MATCH(k);
}

static void scrypt_and_x25519(struct kit *k)
{
	kit_version(k);
	kit_scrypt_to(k, "password");
	kit_x25519_to(k, kit_own);
	kit_mac(k);
	kit_payload(k);
	HEADER_FAILURE(k);
}

static void scrypt_double(struct kit *k)
{
	kit_version(k);
	kit_scrypt_to(k, "password");
	kit_scrypt_to(k, "password");
	kit_mac(k);
	kit_payload(k);
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

	kit_version(k);
	snprintf(k->passphrase, sizeof(k->passphrase), "password");
	kit_scrypt_key("password", salt, 10, key);
	kit_line(k, "-> Scrypt %s 10", kit_b64(salt, 16));
	kit_aead_body(k, key);
	kit_mac(k);
	kit_payload(k);
	NO_MATCH(k);
}

static void scrypt_work(struct kit *k, const char *written)
{
	kit_version(k);
	snprintf(k->passphrase, sizeof(k->passphrase), "password");
	kit_scrypt_as(k, "password", written, 10);
	kit_mac(k);
	kit_payload(k);
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

	kit_version(k);
	snprintf(k->passphrase, sizeof(k->passphrase), "password");
	kit_scrypt_key("password", salt, 10, key);
	kit_line(k, "-> scrypt %s%s 10", kit_b64(salt, len), padded ? "==" : "");
	kit_aead_body(k, key);
	kit_mac(k);
	kit_payload(k);
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
	kit_version(k);
	kit_put(k, text, strlen(text));
	kit_x25519(k);
	kit_mac(k);
	kit_payload(k);
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
	kit_version(k);
	kit_record_identity(k, kit_own);
	kit_mac(k);
	kit_payload(k);
	HEADER_FAILURE(k);
}

static void version_other(struct kit *k)
{
	kit_line(k, "age-encryption.org/v1234");
	kit_x25519(k);
	kit_mac(k);
	kit_payload(k);
	HEADER_FAILURE(k);
}

static void header_crlf(struct kit *k)
{
	kit_put(k, "age-encryption.org/v1\r\n", 23);
	kit_x25519(k);
	kit_mac(k);
	kit_payload(k);
	HEADER_FAILURE(k);
}

static void nothing(struct kit *k)
{
	kit_record_identity(k, kit_own);
	HEADER_FAILURE(k);
}

static void hmac_line(struct kit *k, const char *form)
{
	char text[256];
	uint8_t m[32];

	kit_version(k);
	kit_x25519(k);
	kit_mac_of(k, m);
	snprintf(text, sizeof(text), form, kit_b64(m, 32));
	kit_put(k, text, strlen(text));
	kit_payload(k);
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
	kit_version(k);
	kit_x25519(k);
	kit_mac(k);
	k->data[k->len - 20] = k->data[k->len - 20] == 'A' ? 'B' : 'A';
	kit_payload(k);
	HMAC_FAILURE(k);
}

static void hmac_uncanonical(struct kit *k)
{
	kit_version(k);
	kit_x25519(k);
	kit_mac(k);
	kit_uncanonical(k, 2);
	kit_payload(k);
	HEADER_FAILURE(k);
}

/* -- the payload */

static void stream_empty(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, 0, true);
}

static void stream_no_nonce(struct kit *k)
{
	head(k);
	HEADER_FAILURE(k);
}

static void stream_short_nonce(struct kit *k)
{
	head(k);
	kit_put(k, "nonce", 5);
	HEADER_FAILURE(k);
}

static void stream_no_chunks(struct kit *k)
{
	head(k);
	kit_nonce(k);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_full_chunk(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, true);
}

static void stream_two_chunks(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	kit_chunk(k, 1, true);
}

static void stream_two_full_chunks(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	kit_chunk(k, CHUNK, true);
}

/* Across the batches that a reader may work in, and a carry of the counter. */
static void stream_many_chunks(struct kit *k)
{
	head(k);
	kit_nonce(k);
	for (int i = 0; i < 260; i++)
		kit_chunk(k, CHUNK, false);
	kit_chunk(k, 1000, true);
}

static void stream_last_empty(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	kit_chunk(k, 0, true);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_no_final(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, 3, false);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_no_final_full(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_no_final_two(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	kit_chunk(k, 3, false);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_two_finals(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, 3, true);
	kit_chunk(k, 3, true);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_two_finals_full(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, true);
	kit_chunk(k, CHUNK, true);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_short_chunk(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, 1000, false);
	kit_chunk(k, CHUNK, true);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_short_second_chunk(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	kit_chunk(k, 1000, false);
	kit_chunk(k, CHUNK, true);
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
	kit_unput(k, 16);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_trailing_short(struct kit *k)
{
	good_x25519(k);
	kit_put(k, "x", 1);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_trailing_after_full(struct kit *k)
{
	stream_full_chunk(k);
	kit_put(k, "garbage", 7);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_many_then_bad(struct kit *k)
{
	stream_many_chunks(k);
	k->data[k->len - 1016 - 30 * (CHUNK + 16) - 5] ^= 0x80;
	PAYLOAD_FAILURE(k, 229 * (size_t)CHUNK);
}

/* -- armor */

static void armor(struct kit *k)
{
	good_x25519(k);
	kit_wear(k);
}

#define BEGIN "-----BEGIN AGE ENCRYPTED FILE-----\n"
#define END   "-----END AGE ENCRYPTED FILE-----\n"

#define ARMOR_SWAP(name, from, to, last)     \
	static void name(struct kit *k)      \
	{                                    \
		armor(k);                    \
		kit_swap(k, from, to, last); \
		ARMOR_FAILURE(k);            \
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

#define ARMOR_GOOD(name, from, to, last)     \
	static void name(struct kit *k)      \
	{                                    \
		armor(k);                    \
		kit_swap(k, from, to, last); \
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
			kit_put(k, "\r", 1);
		kit_put(k, copy.data + i, 1);
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
	kit_put(k, "x", 1);
	memmove(k->data + strlen(BEGIN) + 61, k->data + strlen(BEGIN) + 60,
		k->len - strlen(BEGIN) - 61);
	k->data[strlen(BEGIN) + 60] = '\n';
	ARMOR_FAILURE(k);
}

static void armor_empty(struct kit *k)
{
	kit_record_identity(k, kit_own);
	kit_line(k, "-----BEGIN AGE ENCRYPTED FILE-----");
	kit_line(k, "-----END AGE ENCRYPTED FILE-----");
	k->armored = true;
	HEADER_FAILURE(k);
}

static void armor_padding(struct kit *k, size_t plain, const char *from, const char *to)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, plain, true);
	kit_wear(k);
	kit_swap(k, from, to, true);
	ARMOR_FAILURE(k);
}

/* The length of what is in armor is a matter of the plain one: so many that its end is padded. */
static size_t plain_for(struct kit *k, size_t rest)
{
	struct kit probe = {.file_key_len = 16};
	size_t n = 1;

	head(&probe);
	kit_nonce(&probe);
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
	kit_nonce(k);
	kit_chunk(k, plain_for(k, 1), true);
	kit_wear(k);
	kit_uncanonical(k, strlen("==\n" END) + 1);
	ARMOR_FAILURE(k);
}

static void armor_full_last_line(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, plain_for(k, 0), true);
	kit_wear(k);
}

static void armor_empty_last_line(struct kit *k)
{
	armor_padding(k, plain_for(k, 0), END, "\n" END);
}

static void armor_trailing_inside(struct kit *k)
{
	head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, true);
	kit_put(k, "twenty more bytes...", 20);
	kit_wear(k);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void armor_header_crlf(struct kit *k)
{
	header_crlf(k);
	kit_wear(k);
}

static void armor_no_match(struct kit *k)
{
	x25519_no_match(k);
	kit_wear(k);
}

static void armor_scrypt(struct kit *k)
{
	good_scrypt(k);
	kit_wear(k);
}

#define CASE(name)          \
	{                   \
#name, name \
	}
const struct kit_case kit_cases[] = {
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

const size_t kit_case_count = sizeof(kit_cases) / sizeof(*kit_cases);
