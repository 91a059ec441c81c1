/* Files with one thing about who opens them, or about their header. */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

/* -- X25519 */

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

void kit_x25519_no_match(struct kit *k)
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
	kit_head(k);
	kit_payload(k);
	HEADER_FAILURE(k);
}

static void x25519_short_file_key(struct kit *k)
{
	k->file_key_len = 15;
	kit_head(k);
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
	kit_good_scrypt(k);
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

void kit_header_crlf(struct kit *k)
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

const struct kit_case kit_header_cases[] = {
	{"x25519", kit_good_x25519},
	{"scrypt", kit_good_scrypt},
	CASE(x25519_grease),
	CASE(x25519_second_of_three),
	{"x25519_no_match", kit_x25519_no_match},
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
	{"header_crlf", kit_header_crlf},
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
	{NULL, NULL},
};
