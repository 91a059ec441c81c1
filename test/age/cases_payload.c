/* Files with one thing about their payload, or about the armor around them. */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- the payload */

static void stream_empty(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, 0, true);
}

static void stream_no_nonce(struct kit *k)
{
	kit_head(k);
	HEADER_FAILURE(k);
}

static void stream_short_nonce(struct kit *k)
{
	kit_head(k);
	kit_put(k, "nonce", 5);
	HEADER_FAILURE(k);
}

static void stream_no_chunks(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_full_chunk(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, true);
}

static void stream_two_chunks(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	kit_chunk(k, 1, true);
}

static void stream_two_full_chunks(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	kit_chunk(k, CHUNK, true);
}

/* Across the batches that a reader may work in, and a carry of the counter. */
static void stream_many_chunks(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	for (int i = 0; i < 260; i++)
		kit_chunk(k, CHUNK, false);
	kit_chunk(k, 1000, true);
}

static void stream_last_empty(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	kit_chunk(k, 0, true);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_no_final(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, 3, false);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_no_final_full(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_no_final_two(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	kit_chunk(k, 3, false);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_two_finals(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, 3, true);
	kit_chunk(k, 3, true);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_two_finals_full(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, true);
	kit_chunk(k, CHUNK, true);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_short_chunk(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, 1000, false);
	kit_chunk(k, CHUNK, true);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_short_second_chunk(struct kit *k)
{
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, false);
	kit_chunk(k, 1000, false);
	kit_chunk(k, CHUNK, true);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void stream_bad_tag(struct kit *k)
{
	kit_good_x25519(k);
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
	kit_good_x25519(k);
	kit_unput(k, 16);
	PAYLOAD_FAILURE(k, 0);
}

static void stream_trailing_short(struct kit *k)
{
	kit_good_x25519(k);
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
	kit_good_x25519(k);
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
	kit_head(k);
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

	kit_head(&probe);
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
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, plain_for(k, 1), true);
	kit_wear(k);
	kit_uncanonical(k, strlen("==\n" END) + 1);
	ARMOR_FAILURE(k);
}

static void armor_full_last_line(struct kit *k)
{
	kit_head(k);
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
	kit_head(k);
	kit_nonce(k);
	kit_chunk(k, CHUNK, true);
	kit_put(k, "twenty more bytes...", 20);
	kit_wear(k);
	PAYLOAD_FAILURE(k, CHUNK);
}

static void armor_header_crlf(struct kit *k)
{
	kit_header_crlf(k);
	kit_wear(k);
}

static void armor_no_match(struct kit *k)
{
	kit_x25519_no_match(k);
	kit_wear(k);
}

static void armor_scrypt(struct kit *k)
{
	kit_good_scrypt(k);
	kit_wear(k);
}

const struct kit_case kit_payload_cases[] = {
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
	{NULL, NULL},
};
