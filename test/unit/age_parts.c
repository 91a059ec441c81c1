/* age v1, its parts: algorithms, keys and headers, as they should be and as somebody altered them. */
#include "age_text.h"

#include <errno.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "seal/age/age.h"
#include "seal/age/bech32.h"
#include "seal/age/identity.h"
#include "seal/age/stanza.h"

static void from_hex(const char *hex, uint8_t *ret)
{
	for (; *hex; hex += 2)
		assert_int_equal(sscanf(hex, "%2hhx", ret++), 1);
}

/* -- algorithms, by the vectors of their standards */

static void algorithms_are_those_of_their_standards(void **state)
{
	uint8_t a[64], b[64], want[32], got[32];

	/* RFC 7748 §5.2 */
	from_hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", a);
	from_hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", b);
	from_hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552", want);
	assert_int_equal(crypto_x25519(a, b, got, NULL), 0);
	assert_memory_equal(got, want, 32);
	/* RFC 5869 A.1 */
	memset(a, 0x0b, 22);
	from_hex("000102030405060708090a0b0c", b);
	from_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf", want);
	assert_int_equal(crypto_hkdf((struct bytes){a, 22}, (struct bytes){b, 13},
				     "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9", got),
			 0);
	assert_memory_equal(got, want, 32);
	/* RFC 4231 §4.3 */
	from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", want);
	assert_int_equal(crypto_hmac(text_of("Jefe"), text_of("what do ya want for nothing?"), got),
			 0);
	assert_memory_equal(got, want, 32);
	/* scrypt with N = 1024, r = 8, p = 1, as Python's hashlib has it */
	from_hex("54173687d265e43226bd914b015267e2fdd4108aa05937fb549eceb0c276a285", want);
	assert_int_equal(
		crypto_scrypt(text_of("pleaseletmein"), text_of("SodiumChloride"), 10, got), 0);
	assert_memory_equal(got, want, 32);
}

static void points_of_low_order_are_refused(void **state)
{
	/* The points of small order, as curve25519's authors list them, and two not reduced. */
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	static const uint8_t file_key[AGE_FILE_KEY];
	uint8_t scalar[32] = {1, 2, 3}, point[32], got[32], buffer[512];

	for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++) {
		struct writer w = writer_new(buffer, sizeof(buffer));

		from_hex(points[i], point);
		memset(got, 7, sizeof(got));
		assert_int_equal(crypto_x25519(scalar, point, got, NULL), -EDOM);
		assert_int_equal(got[0], 7);
		assert_int_equal(x25519_wrap(&w, point, file_key), -EDOM);
	}
}

/* -- encodings */

static int decode(const char *text, size_t len, bool padded)
{
	struct bytes in = unit_exact(text, len);
	uint8_t out[256];
	size_t n = 0;
	int r = padded ? base64_read_padded(in, out, sizeof(out), &n)
		       : base64_read(in, out, sizeof(out), &n);

	free((void *)in.data);
	return r < 0 ? r : (int)n;
}

static void base64_has_one_encoding_of_a_value(void **state)
{
	static const char *const bad[] = {
		"A",	  "AAAAA",  "AB",   "AAB",  "AA==",  "AAA=", "AA AA",
		"AAAA\n", "\nAAAA", "AA-A", "AA_A", "AAA\r", "=",    "===="};
	uint8_t data[100] = {0}, back[100];
	char text[200];

	for (size_t len = 0; len <= sizeof(data); len++) {
		size_t n = 0;

		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)(i * 37 + len);
		base64_write(data, len, text);
		assert_int_equal(decode(text, BASE64_LEN(len), false), len);
		assert_int_equal(base64_read((struct bytes){(uint8_t *)text, BASE64_LEN(len)}, back,
					     len, &n),
				 0);
		assert_memory_equal(back, data, len);
		n = base64_write_padded(data, len, text);
		assert_int_equal(n % 4, 0);
		assert_int_equal(decode(text, n, true), len);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(decode(bad[i], strlen(bad[i]), false), -EINVAL);
	assert_int_equal(decode("AA==", 4, true), 1);
	assert_int_equal(decode("AB==", 4, true), -EINVAL);
	assert_int_equal(decode("AAA", 3, true), -EINVAL);
	assert_int_equal(decode("A===", 4, true), -EINVAL);
	assert_int_equal(decode("====", 4, true), -EINVAL);
	assert_int_equal(decode("AA=A", 4, true), -EINVAL);
	for (unsigned c = 0; c < 256; c++) {
		char four[5] = {'A', 'A', (char)c, 'A', 0};
		bool digit = c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789+/",
					 (int)c);

		assert_int_equal(decode(four, 4, false), digit ? 3 : -EINVAL);
	}
}

static int read_key(const char *prefix, const char *text)
{
	struct bytes in = unit_exact(text, strlen(text));
	uint8_t key[40];
	size_t len = 0;
	int r = bech32_read(prefix, in, key, sizeof(key), &len);

	free((void *)in.data);
	return r < 0 ? r : (int)len;
}

static void bech32_finds_every_wrong_character(void **state)
{
	uint8_t data[40], back[40];
	char text[120];
	size_t n = 0;

	assert_int_equal(read_key("age-secret-key-", SPEC_IDENTITY), 32);
	assert_int_equal(read_key("age", SPEC_RECIPIENT), 32);
	assert_int_equal(read_key("ag", SPEC_RECIPIENT), -EINVAL);
	assert_int_equal(read_key("age-secret-key-", SPEC_RECIPIENT), -EINVAL);
	for (size_t i = 0; i < strlen(SPEC_RECIPIENT); i++) {
		snprintf(text, sizeof(text), "%s", SPEC_RECIPIENT);
		for (int c = 1; c < 256; c++) {
			text[i] = (char)c;
			assert_int_equal(read_key("age", text),
					 text[i] == SPEC_RECIPIENT[i] ? 32 : -EINVAL);
		}
		snprintf(text, sizeof(text), "%.*s", (int)i, SPEC_RECIPIENT);
		assert_int_equal(read_key("age", text), -EINVAL);
	}
	for (size_t len = 0; len <= sizeof(data); len++) {
		memset(data, (int)(len * 5 + 1), sizeof(data));
		bech32_write("x-y", data, len, len & 1, text);
		assert_int_equal(strlen(text), BECH32_LEN(3, len));
		assert_int_equal(bech32_read("x-y", text_of(text), back, len, &n), 0);
		assert_int_equal(n, len);
		assert_memory_equal(back, data, len);
		if (len)
			assert_int_equal(bech32_read("x-y", text_of(text), back, len - 1, &n),
					 -EINVAL);
	}
}

static void a_public_half_belongs_to_its_key(void **state)
{
	struct age_identities *ids = age_identities_new();
	struct age_recipients *r = age_recipients_new();
	char identity[AGE_IDENTITY_TEXT], recipient[AGE_RECIPIENT_TEXT], text[AGE_RECIPIENT_TEXT];

	assert_int_equal(age_identities_add(ids, text_of(SPEC_IDENTITY)), 0);
	age_identity_recipient(ids, 0, text);
	assert_string_equal(text, SPEC_RECIPIENT);
	assert_int_equal(age_identity_new(identity, recipient), 0);
	assert_int_equal(age_identities_add(ids, text_of(identity)), 0);
	age_identity_recipient(ids, 1, text);
	assert_string_equal(text, recipient);
	assert_int_equal(age_identities_recipients(ids, r), 0);
	assert_int_equal(age_recipients_count(r), 2);
	age_recipients_free(r);
	age_identities_free(ids);
}

static void files_of_keys_say_which_line_is_wrong(void **state)
{
	static const struct {
		const char *text;
		int error;
		unsigned line;
	} cases[] = {
		{"# a comment\r\n\r\n" SPEC_RECIPIENT "\r\n", 0, 0},
		{SPEC_RECIPIENT, 0, 0},
		{"", -ENOENT, 0},
		{"# nobody\n\n", -ENOENT, 0},
		{SPEC_RECIPIENT "\nage1nobody\n", -EINVAL, 2},
		{"\n " SPEC_RECIPIENT "\n", -EINVAL, 2},
		{SPEC_RECIPIENT " \n", -EINVAL, 1},
		{SPEC_IDENTITY "\n", -EINVAL, 1},
		{"ssh-ed25519 "
		 "AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN\n",
		 -ENOTSUP, 1},
		{"age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t\n",
		 -ENOTSUP, 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bytes in = unit_exact(cases[i].text, strlen(cases[i].text));
		struct age_recipients *r = age_recipients_new();
		unsigned line = 99;

		assert_int_equal(age_recipients_read(r, in, &line), cases[i].error);
		assert_int_equal(line, cases[i].line);
		age_recipients_free(r);
		free((void *)in.data);
	}
}

/* -- headers */

static enum parse read_header(const char *text, size_t len)
{
	struct bytes in = unit_exact(text, len);
	struct age_header h;
	enum parse p = age_header_read(in, &h);

	free((void *)in.data);
	return p;
}

static void headers_are_read_strictly(void **state)
{
	static const char *const good[] = {
		V "-> a\n\n--- " MAC43 "\n",
		V "-> a b c\nAAAA\n--- " MAC43 "\n",
		V "-> a\n" LINE64 "\n\n-> b\nAA\n--- " MAC43 "\n",
		V "-> !\"#$%&'()*+,-./ ~\n\n--- " MAC43 "\nand a payload",
	};
	static const char *const bad[] = {
		"age-encryption.org/v2\n-> a\n\n--- " MAC43 "\n",
		"age-encryption.org/v1\r\n-> a\n\n--- " MAC43 "\n",
		" " V "-> a\n\n--- " MAC43 "\n",
		V "--- " MAC43 "\n",
		V "->\n\n--- " MAC43 "\n",
		V "-> \n\n--- " MAC43 "\n",
		V "->a\n\n--- " MAC43 "\n",
		V "-> a \n\n--- " MAC43 "\n",
		V "-> a  b\n\n--- " MAC43 "\n",
		V "->  a\n\n--- " MAC43 "\n",
		V "-> a\tb\n\n--- " MAC43 "\n",
		V "-> a\x7f\n\n--- " MAC43 "\n",
		V "-> \xc3\xa9\n\n--- " MAC43 "\n",
		V "-> a\r\n\n--- " MAC43 "\n",
		V "-> a\n--- " MAC43 "\n",
		V "-> a\n" LINE64 "\n--- " MAC43 "\n",
		V "-> a\n" LINE64 "A\n\n--- " MAC43 "\n",
		V "-> a\nAA\nAA\n--- " MAC43 "\n",
		V "-> a\nAA==\n--- " MAC43 "\n",
		V "-> a\nAB\n--- " MAC43 "\n",
		V "-> a\n \n--- " MAC43 "\n",
		V "-> a\nA*AA\n--- " MAC43 "\n",
		V "-> a\n\n\n--- " MAC43 "\n",
		V "-> a\n\n---  " MAC43 "\n",
		V "-> a\n\n---" MAC43 "\n",
		V "-> a\n\n--- " MAC43 " \n",
		V "-> a\n\n--- " MAC43 "A\n",
		V "-> a\n\n--- " MAC43 "=\n",
		V "-> a\n\n--- AAAA\n",
		V "-> a\n\n---\n",
		V "-> a\n\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\n",
		V "\n-> a\n\n--- " MAC43 "\n",
		V "-> a\n\nx\n--- " MAC43 "\n",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		size_t whole = (size_t)(strchr(strstr(good[i], "\n--- ") + 1, '\n') + 1 - good[i]);

		assert_int_equal(read_header(good[i], strlen(good[i])), PARSE_OK);
		for (size_t cut = 0; cut < whole; cut++)
			assert_int_equal(read_header(good[i], cut), PARSE_MORE);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (read_header(bad[i], strlen(bad[i])) != PARSE_BAD)
			fail_msg("not refused: %s", bad[i]);
}

static void stanzas_come_out_as_they_went_in(void **state)
{
	uint8_t buffer[8192], body[500], back[500];
	static const uint8_t key[AGE_FILE_KEY] = {1};
	struct writer w = writer_new(buffer, sizeof(buffer));
	struct age_header h;
	struct age_stanza s;
	struct reader r;

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 7);
	age_header_begin(&w);
	for (size_t len = 0; len <= 144; len += 24)
		age_header_stanza(&w, "type one two", body, len);
	assert_int_equal(age_header_end(&w, key), 0);
	assert_int_equal(age_header_read((struct bytes){buffer, w.len}, &h), PARSE_OK);
	assert_int_equal(h.stanza_count, 7);
	assert_int_equal(h.text.len, w.len);
	assert_int_equal(age_header_check(&h, key), 0);
	assert_int_equal(age_header_check(&h, body), -EKEYREJECTED);
	r = (struct reader){.in = h.stanzas};
	for (size_t len = 0; age_stanza_next(&r, &s); len += 24) {
		assert_int_equal(s.arg_count, 3);
		assert_memory_equal(age_stanza_arg(&s, 1).data, "one", 3);
		assert_int_equal(age_stanza_arg(&s, 3).len, 0);
		assert_int_equal(s.body_len, len);
		assert_int_equal(age_stanza_body(&s, back, len), 0);
		assert_memory_equal(back, body, len);
		assert_int_equal(age_stanza_body(&s, back, len + 1), -EMSGSIZE);
	}
	assert_false(r.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(algorithms_are_those_of_their_standards),
		cmocka_unit_test(points_of_low_order_are_refused),
		cmocka_unit_test(base64_has_one_encoding_of_a_value),
		cmocka_unit_test(bech32_finds_every_wrong_character),
		cmocka_unit_test(a_public_half_belongs_to_its_key),
		cmocka_unit_test(files_of_keys_say_which_line_is_wrong),
		cmocka_unit_test(headers_are_read_strictly),
		cmocka_unit_test(stanzas_come_out_as_they_went_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
