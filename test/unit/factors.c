/* Factors but passkeys (see webauthn.c): codes, passwords, tokens, tickets, counters, sessions. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "people/auth/base64url.h"
#include "people/auth/code.h"
#include "people/auth/common.h"
#include "people/auth/factor.h"
#include "people/auth/password.h"
#include "people/auth/qr.h"
#include "people/auth/limits.h"
#include "people/auth/sms.h"
#include "people/auth/throttle.h"
#include "people/auth/ticket.h"
#include "people/auth/token.h"
#include "people/auth/totp.h"

#define SEC NSEC_PER_SEC

static const struct bytes rfc_key = {(const uint8_t *)"12345678901234567890", 20};

/* RFC 4226 appendix D, and RFC 6238 appendix B for all three hashes. */
static void totp_of_the_standard(void **state)
{
	static const char *const hotp[] = {"755224", "287082", "359152", "969429", "338314",
					   "254676", "287922", "162583", "399871", "520489"};
	static const struct {
		uint64_t time;
		const char *sha1;
	} totp[] = {{59, "94287082"},	      {1111111109, "07081804"}, {1111111111, "14050471"},
		    {1234567890, "89005924"}, {2000000000, "69279037"}, {20000000000, "65353130"}};
	char code[9];

	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(totp_code(rfc_key, TOTP_SHA1, i, 6, code), 0);
		assert_string_equal(code, hotp[i]);
	}
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(totp_code(rfc_key, TOTP_SHA1, totp[i].time / 30, 8, code), 0);
		assert_string_equal(code, totp[i].sha1);
	}
	assert_int_equal(totp_code(rfc_key, TOTP_SHA1, 0, 9, code), -EINVAL);
}

static void totp_vectors(void **state)
{
	static const char file[] = UNIT_SOURCE "/../shared/data/auth/totp-rfc6238.json";
	json_t *root = json_load_file(file, 0, NULL), *v;
	unsigned count = 0;
	size_t i;

	if (!root) {
		print_message("skipped: no %s\n", file);
		skip();
	}
	json_array_foreach (json_object_get(root, "rfc6238"), i, v) {
		const char *hex = json_string_value(json_object_get(v, "key_hex")),
			   *alg = json_string_value(json_object_get(v, "alg"));
		uint8_t key[64];
		char code[9];

		for (size_t n = 0; n < strlen(hex) / 2; n++)
			assert_int_equal(sscanf(hex + 2 * n, "%2hhx", &key[n]), 1);
		totp_code((struct bytes){key, strlen(hex) / 2},
			  strcmp(alg, "SHA1") == 0     ? TOTP_SHA1
			  : strcmp(alg, "SHA256") == 0 ? TOTP_SHA256
						       : TOTP_SHA512,
			  (uint64_t)json_integer_value(json_object_get(v, "time")) / 30, 8, code);
		assert_string_equal(code, json_string_value(json_object_get(v, "totp")));
		count++;
	}
	assert_int_equal(count, 18);
	json_decref(root);
}

static void totp_once_and_one_step_beside(void **state)
{
	uint64_t now = 1700000000 / 30 * 30 + 10, step = 0, last = 0;
	char code[9];

	for (int off = -3; off <= 3; off++) {
		totp_code(rfc_key, TOTP_SHA1, now / 30 + (uint64_t)(int64_t)off, 6, code);
		assert_int_equal(totp_check(rfc_key, code, now, 0, &step), off >= -1 && off <= 1);
	}
	totp_code(rfc_key, TOTP_SHA1, now / 30, 6, code);
	assert_true(totp_check(rfc_key, code, now, last, &last));
	assert_int_equal(last, now / 30);
	assert_false(totp_check(rfc_key, code, now, last, &last));	/* again */
	assert_false(totp_check(rfc_key, code, now + 30, last, &last)); /* a step later */
	totp_code(rfc_key, TOTP_SHA1, now / 30 - 1, 6, code);
	assert_false(totp_check(rfc_key, code, now, last, &last)); /* an older one */
	assert_false(totp_check(rfc_key, "", now, 0, &step));
	assert_false(totp_check(rfc_key, "12345", now, 0, &step));
	assert_false(totp_check(rfc_key, "1234567", now, 0, &step));
	totp_code(rfc_key, TOTP_SHA1, 0, 6, code);
	assert_false(totp_check(rfc_key, code, 5, 0, &step)); /* step 0 is "never used" */
	totp_code(rfc_key, TOTP_SHA1, 1, 6, code);
	assert_true(totp_check(rfc_key, code, 5, 0, &step));
}

static void totp_for_apps(void **state)
{
	char uri[512], text[TOTP_TEXT];

	totp_text(rfc_key.data, text);
	assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
	assert_int_equal(totp_uri("Ward 3: east", "anna@x&y=z", rfc_key.data, uri, sizeof(uri)), 0);
	assert_string_equal(uri, "otpauth://totp/Ward%203%3A%20east:anna%40x%26y%3Dz?secret="
				 "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Ward%203%3A%20east"
				 "&algorithm=SHA1&digits=6&period=30");
	assert_int_equal(totp_uri("a", "b", rfc_key.data, uri, 100), -ENAMETOOLONG);
}

static void qr_two_ways(void **state)
{
	char *svg = qr_svg("otpauth://totp/a:b?secret=GEZDGNBVGY3TQOJQ"), long_[4000];
	char *term = qr_terminal("otpauth://totp/a:b?secret=GEZDGNBVGY3TQOJQ");

	assert_non_null(svg);
	assert_non_null(strstr(svg, "viewBox=\"0 0 37 37\"")); /* version 3 and its quiet zone */
	/* The finder pattern's first row: seven dark modules. */
	assert_non_null(strstr(svg, "M4 4h7v1h-7z"));
	assert_null(strstr(svg, "style"));
	assert_non_null(strstr(term, "\u2588"));
	free(svg);
	free(term);
	memset(long_, 'x', sizeof(long_));
	long_[sizeof(long_) - 1] = 0;
	assert_null(qr_svg(long_));
}

static enum password_fault check(const char *text, unsigned min)
{
	static const char *const context[] = {"anna.moser", "St. Vincent", "bedwarden", NULL};
	struct bytes b = unit_exact(text, strlen(text) + 1);
	enum password_fault fault = password_check((const char *)b.data, min, context);

	free((void *)b.data);
	return fault;
}

#define assert_password(text, min, want) \
	assert_string_equal(password_fault_name(check(text, min)), want)

static void passwords_by_length_alone(void **state)
{
	char long_[1100];

	assert_password("tuvulepi", 8, "ok"); /* no digit, no capital, no sign needed */
	assert_password("tuvulep", 8, "too_short");
	assert_password("tuvulepi", 15, "too_short");
	assert_password("tuvulepi ragoma", 15, "ok");		       /* blanks are characters */
	assert_password("\u00fcb\u00e4r\u00f6\u00dfw\u00e9", 8, "ok"); /* eight code points */
	assert_password("\U0001f9e6\U0001f511\U0001f40c\U0001f34b\U0001f69c\U0001f30d\U0001f3bb"
			"\U0001f9ca",
			8, "ok");
	assert_password("u\u0308ber\u00f6\u00dfw", 8, "too_short"); /* seven, once composed */
	assert_password("", 8, "too_short");
	assert_password("\xff\xfe rubbish", 8, "no_text");
	assert_password("bell\arings", 8, "no_text");
	assert_password("not yet a character: \U000e0fff", 8, "no_text");
	for (unsigned i = 0; i < sizeof(long_) - 1; i++)
		long_[i] = "kZ7q mXe"[i % 8] + (char)(i / 8 % 5);
	long_[64] = 0;
	assert_password(long_, 15, "ok"); /* 64 must be allowed */
	long_[64] = 'q';
	long_[256] = 0;
	assert_password(long_, 15, "ok");
	long_[256] = 'q';
	long_[257] = 0;
	assert_password(long_, 15, "too_long");
	long_[257] = 'q';
	long_[1099] = 0;
	assert_password(long_, 15, "too_long");
}

static void passwords_that_everybody_tries(void **state)
{
	static const char *const common[] = {
		"password",	 "Password1",	  "P4ssw0rd2024!",   "passwordpassword",
		"qwertyuiop",	 "1qaz2wsx3edc",  "123456789012345", "987654321098765",
		"aaaaaaaaaaaa",	 "abababababab",  "abcabcabcabcabc", "19780412",
		"12041978",	 "iloveyou",	  "letmein!!",	     "Welcome2026",
		"hospital123",	 "administrator", "administrator1!", "footballmonkey",
		"Monkey-Dragon", "$unsh1ne",	  "qwerty123456",    "zxcvbnmasdfghjkl",
		"changeme",	 "abcdefgh",	  "Krankenhaus2025",
	};
	static const char *const context[] = {
		"anna.moser", "AnnaMoser1",	"annamoserannamoser",
		"bedwarden",  "B3dward3n!2026", "bedwardenpassword",
		"st-vincent", "StVincent2026",	"vincenthospital",
	};
	static const char *const fine[] = {
		"a password in a sentence", /* holds one, is none */
		"correcthorsebatterystaple",
		"monkey dragon tiger lion",
		"xkq-vu3mo2",
		"Moosgummi-Ente",
		"the bedwarden stands guard here",
	};

	for (unsigned i = 0; i < sizeof(common) / sizeof(*common); i++)
		if (check(common[i], 8) != PASSWORD_FAULT_COMMON)
			fail_msg("'%s': %s", common[i], password_fault_name(check(common[i], 8)));
	for (unsigned i = 0; i + 1 < sizeof(context) / sizeof(*context); i++)
		if (check(context[i], 8) != PASSWORD_FAULT_CONTEXT)
			fail_msg("'%s': %s", context[i], password_fault_name(check(context[i], 8)));
	for (unsigned i = 0; i < sizeof(fine) / sizeof(*fine); i++)
		if (check(fine[i], 8) != PASSWORD_FAULT_OK)
			fail_msg("'%s': %s", fine[i], password_fault_name(check(fine[i], 8)));
}

static void passwords_kept(void **state)
{
	uint8_t record[PASSWORD_RECORD], other[PASSWORD_RECORD];
	struct bytes r;

	assert_int_equal(password_hash("tu\u0308vulepi", crypto_random, record), 0);
	assert_int_equal(password_hash("tu\u0308vulepi", crypto_random, other), 0);
	assert_memory_not_equal(record, other, sizeof(record)); /* salted */
	r = unit_exact(record, sizeof(record));
	assert_int_equal(password_verify("t\u00fcvulepi", r), 0); /* the other way to type it */
	assert_int_equal(password_verify("tuvulepi", r), -EACCES);
	assert_int_equal(password_verify("", r), -EACCES);
	assert_int_equal(password_verify("\xff", r), -EACCES);
	r.len--;
	assert_int_equal(password_verify("t\u00fcvulepi", r), -EBADMSG);
	r.len++;
	((uint8_t *)r.data)[1] = 0xff; /* terabytes */
	assert_int_equal(password_verify("t\u00fcvulepi", r), -EBADMSG);
	free((void *)r.data);
	assert_int_equal(password_hash("\xff", crypto_random, record), -EINVAL);
	password_waste("whoever");
}

static void codes_as_people_type_them(void **state)
{
	uint8_t random[CODE_BYTES], back[CODE_BYTES], a[CRYPTO_HASH], b[CRYPTO_HASH];
	char text[CODE_TEXT], other[CODE_TEXT * 2];
	struct bytes none = {NULL, 0};
	unsigned at = 0;

	for (unsigned round = 0; round < 200; round++) {
		crypto_random(random, sizeof(random));
		code_text(random, text);
		assert_int_equal(strlen(text), 19);
		assert_true(code_read(text, back));
		assert_memory_equal(random, back, sizeof(back));
		at = 0;
		for (const char *p = text; *p; p++) {
			other[at++] = *p == '0'	  ? 'o'
				      : *p == '1' ? 'L'
						  : (char)(*p | (*p > '9') << 5);
			other[at++] = ' ';
		}
		other[at] = 0;
		assert_true(code_read(other, back));
		assert_memory_equal(random, back, sizeof(back));
	}
	assert_false(code_read("", back));
	assert_false(code_read("K7QW-M2XD-09TF-HV4", back));
	assert_false(code_read("K7QW-M2XD-09TF-HV4PP", back));
	assert_false(code_read("K7QW-M2XD-09TF-HV4U", back)); /* U is none of the digits */
	assert_int_equal(code_hash(random, "recovery", none, a), 0);
	assert_int_equal(code_hash(random, "invitation", none, b), 0);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void recovery_codes_once(void **state)
{
	struct code_set set;
	char texts[CODE_RECOVERY][CODE_TEXT];

	assert_int_equal(code_set_make(crypto_random, &set, texts), 0);
	assert_int_equal(code_set_left(&set), 10);
	for (unsigned i = 0; i < CODE_RECOVERY; i++) {
		assert_true(code_set_use(&set, texts[i]));
		assert_false(code_set_use(&set, texts[i]));
		assert_int_equal(code_set_left(&set), 9 - i);
	}
	assert_false(code_set_use(&set, "K7QW-M2XD-09TF-HV4P"));
}

static unsigned calls;
static int stuck(void *ret_data, size_t len)
{
	memset(ret_data, calls++ ? 7 : 0xff, len); /* first one beyond the last whole million */
	return 0;
}

static int dry(void *ret_data, size_t len)
{
	return -EIO;
}

static void sms_codes(void **state)
{
	char code[CODE_SMS], text[TOKEN_TEXT];
	uint8_t hash[32];
	struct code_set set;
	char texts[CODE_RECOVERY][CODE_TEXT];

	calls = 0;
	assert_int_equal(code_sms(stuck, code), 0);
	assert_int_equal(calls, 2);
	assert_int_equal(strlen(code), 6);
	assert_int_equal(code_sms(dry, code), -EIO);
	assert_int_equal(token_make(TOKEN_SESSION, dry, text, hash), -EIO);
	assert_int_equal(code_set_make(dry, &set, texts), -EIO);
	assert_null(tickets_new(dry));
}

static void sms_as_kannel_takes_it(void **state)
{
	static const char *const texts[] = {" 0: Accepted for delivery",
					    " 3: Queued for later delivery",
					    " Sent.",
					    " ",
					    " 3",
					    "!1: no credit",
					    "!10: what",
					    "!ERROR: number",
					    "!Login failed",
					    "!fail",
					    "!3: Queued, then rejected"};
	struct sms_gateway g = {"http://10.0.0.20:13013/cgi-bin/sendsms", "a b", "c&d=e", ""};
	char url[SMS_URL_MAX];

	assert_int_equal(sms_url(&g, "+4366", "123456 f\u00fcr \"Ward 3\"", url, sizeof(url)), 0);
	assert_string_equal(url,
			    "http://10.0.0.20:13013/cgi-bin/sendsms?username=a%20b&password="
			    "c%26d%3De&to=%2B4366&charset=UTF-8&coding=0&text=123456%20f%C3%BCr"
			    "%20%22Ward%203%22");
	g.from = "Ward";
	assert_int_equal(sms_url(&g, "+4366", "x", url, 80), -ENAMETOOLONG);
	assert_int_equal(sms_url(&g, "+4366", "x", url, sizeof(url)), 0);
	assert_non_null(strstr(url, "&from=Ward&"));
	assert_int_equal(sms_answer(202), SMS_QUEUED);
	assert_int_equal(sms_answer(200), SMS_REFUSED); /* whatever that is, it is no yes */
	assert_int_equal(sms_answer(403), SMS_REFUSED);
	assert_int_equal(sms_answer(302), SMS_REFUSED);
	assert_int_equal(sms_answer(503), SMS_UNAVAILABLE);
	assert_int_equal(sms_answer(0), SMS_UNAVAILABLE);
	for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct bytes said = unit_exact(texts[i] + 1, strlen(texts[i] + 1));

		assert_int_equal(sms_denies(said), texts[i][0] == '!');
		free((void *)(uintptr_t)said.data);
	}
}

static void tokens(void **state)
{
	char text[TOKEN_TEXT], other[TOKEN_TEXT], csrf[TOKEN_CSRF];
	uint8_t hash[32], back[32];
	enum token_kind kind;

	assert_int_equal(token_make(TOKEN_SESSION, crypto_random, text, hash), 0);
	assert_int_equal(token_make(TOKEN_SESSION, crypto_random, other, back), 0);
	assert_string_not_equal(text, other);
	assert_true(token_read(text, &kind, back));
	assert_int_equal(kind, TOKEN_SESSION);
	assert_memory_equal(hash, back, 32);
	assert_int_equal(token_make(TOKEN_API_KEY, crypto_random, other, hash), 0);
	assert_true(token_read(other, &kind, back));
	assert_int_equal(kind, TOKEN_API_KEY);
	assert_false(token_read("", &kind, back));
	assert_false(token_read("bws_", &kind, back));
	assert_false(token_read(text + 1, &kind, back));
	text[10] = '+';
	assert_false(token_read(text, &kind, back));
	assert_int_equal(token_csrf(other, csrf), 0);
	assert_true(token_csrf_fits(other, csrf));
	csrf[5] ^= 1;
	assert_false(token_csrf_fits(other, csrf));
	assert_false(token_csrf_fits(other, ""));
	assert_false(token_csrf_fits(other, NULL));
}

static void tickets_once_and_for_a_while(void **state)
{
	struct tickets *t = tickets_new(crypto_random), *other = tickets_new(crypto_random);
	struct ticket k = {.use = TICKET_LOGIN, .passed = 5}, back;
	char text[TICKET_TEXT];

	assert_int_equal(ticket_write(t, &k, 10 * SEC, text), 0);
	assert_int_equal(ticket_read(t, text, 11 * SEC, &back), 0);
	assert_int_equal(back.passed, 5);
	assert_int_equal(ticket_read(t, text, 311 * SEC, &back), -ESTALE);
	assert_int_equal(ticket_read(t, text, 9 * SEC, &back), -ESTALE);
	assert_int_equal(ticket_read(other, text, 11 * SEC, &back), -EBADMSG); /* another start's */
	for (size_t i = 0; i < strlen(text); i++) {
		char was = text[i];

		text[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(ticket_read(t, text, 11 * SEC, &back), -EBADMSG);
		text[i] = was;
	}
	assert_int_equal(ticket_read(t, text, 11 * SEC, &back), 0);
	assert_int_equal(ticket_spend(t, &back, 11 * SEC), 0);
	assert_int_equal(ticket_read(t, text, 11 * SEC, &back), -EALREADY);
	assert_int_equal(ticket_spend(t, &k, 11 * SEC), -EALREADY);
	/* Full: nobody's is forgotten before its time. */
	for (unsigned i = 1; i < 4096; i++) {
		assert_int_equal(ticket_write(t, &k, 12 * SEC, text), 0);
		assert_int_equal(ticket_spend(t, &k, 12 * SEC), 0);
	}
	assert_int_equal(ticket_write(t, &k, 13 * SEC, text), 0);
	assert_int_equal(ticket_spend(t, &k, 13 * SEC), -ENOBUFS);
	assert_int_equal(ticket_write(t, &k, 320 * SEC, text), 0);
	assert_int_equal(ticket_spend(t, &k, 320 * SEC), 0);
	tickets_free(t);
	tickets_free(other);
}

static const struct throttle_limits slow = {3, SEC, 900 * SEC, 86400 * SEC};

static void guessing_slows_down(void **state)
{
	struct throttle *t = throttle_new(64);
	struct bytes anna = {(const uint8_t *)"anna", 4}, bert = {(const uint8_t *)"bert", 4};
	uint64_t key = throttle_key(t, "password", anna, "stranger"), now = 5 * SEC, waited = 0;
	uint64_t others[] = {throttle_key(t, "totp", anna, "stranger"),
			     throttle_key(t, "password", bert, "stranger"),
			     throttle_key(t, "password", anna, "10.0.0.5")};

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(throttle_wait(t, key, &slow, now), 0);
		throttle_failed(t, key, &slow, now);
	}
	assert_int_equal(throttle_wait(t, key, &slow, now), 0);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t wait;

		throttle_failed(t, key, &slow, now);
		wait = throttle_wait(t, key, &slow, now);
		assert_int_equal(wait, i < 10 ? SEC << i : 900 * SEC);
		assert_int_equal(throttle_wait(t, key, &slow, now + wait), 0);
		assert_int_not_equal(throttle_wait(t, key, &slow, now + wait - 1), 0);
		now += wait;
		waited += wait;
	}
	assert_true(waited > 2 * 3600 * SEC);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(throttle_wait(t, others[i], &slow, now), 0);
	throttle_clear(t, key);
	assert_int_equal(throttle_wait(t, key, &slow, now), 0);
	throttle_failed(t, key, &slow, now);
	assert_int_equal(throttle_wait(t, key, &slow, now), 0); /* it begins anew */
	throttle_free(t);
}

static uint64_t stranger(const struct throttle *t, uint32_t number)
{
	return throttle_key(t, "source", (struct bytes){(const uint8_t *)&number, sizeof(number)},
			    "");
}

/* A million keys in the room of 64: no more memory, and who waits longest is not forgotten. */
static void counters_are_bounded(void **state)
{
	struct throttle *t = throttle_new(64);
	struct bytes anna = {(const uint8_t *)"anna", 4};
	uint64_t key = throttle_key(t, "password", anna, "stranger");
	unsigned known = 0;

	for (unsigned i = 0; i < 12; i++)
		throttle_failed(t, key, &slow, SEC);
	assert_int_not_equal(throttle_wait(t, key, &slow, SEC), 0);
	for (uint32_t i = 0; i < 1000000; i++)
		throttle_failed(t, stranger(t, i), &slow, SEC);
	assert_int_not_equal(throttle_wait(t, key, &slow, SEC), 0);
	for (uint32_t i = 0; i < 12 * 1000; i++)
		throttle_failed(t, stranger(t, i / 12), &slow, SEC);
	for (uint32_t i = 0; i < 1000; i++)
		known += throttle_wait(t, stranger(t, i), &slow, SEC) != 0;
	known += throttle_wait(t, key, &slow, SEC) != 0;
	assert_int_equal(known, 64);
	throttle_free(t);
}

static void a_budget(void **state)
{
	struct throttle_budget b = {.most = 5, .every_ns = SEC / 2};

	for (unsigned i = 0; i < 5; i++)
		assert_true(throttle_spend(&b, SEC));
	assert_false(throttle_spend(&b, SEC));
	assert_true(throttle_spend(&b, SEC + SEC / 2));
	assert_false(throttle_spend(&b, SEC + SEC / 2));
	for (unsigned i = 0; i < 5; i++)
		assert_true(throttle_spend(&b, 100 * SEC));
	assert_false(throttle_spend(&b, 100 * SEC));
}

static void levels(void **state)
{
	const unsigned password = FACTOR_ONLY(FACTOR_PASSWORD), totp = FACTOR_ONLY(FACTOR_TOTP),
		       key = FACTOR_ONLY(FACTOR_WEBAUTHN), sms = FACTOR_ONLY(FACTOR_SMS),
		       paper = FACTOR_ONLY(FACTOR_RECOVERY);

	assert_int_equal(factor_aal(0, false), 0);
	assert_int_equal(factor_aal(password, false), 1);
	assert_int_equal(factor_aal(totp, true), 1);
	assert_int_equal(factor_aal(totp | sms | paper, true), 1); /* all things held */
	assert_int_equal(factor_aal(password | totp, true), 2);
	assert_int_equal(factor_aal(password | sms, false), 2);
	assert_int_equal(factor_aal(key, false), 2);
	assert_int_equal(factor_aal(key, true), 3);
	assert_int_equal(factor_next(password, password | totp | key), totp | key);
	assert_int_equal(factor_next(totp, password | totp | key), password | key);
	assert_int_equal(factor_next(password, password), 0);
	assert_string_equal(factor_name(FACTOR_SMS), "sms");
	assert_string_equal(factor_name(FACTOR_COUNT), "none");
}

static void sessions_end(void **state)
{
	struct limits_wish wish = {.idle_minutes = 2, .overall_hours = 1};
	struct limits l = limits_of(PEOPLE_ADMINISTRATOR, SESSION_FULL, false, NULL);
	struct limits_times t = {1000 * SEC, 1000 * SEC};

	assert_int_equal(l.idle_ns, 15 * 60 * SEC);
	assert_int_equal(l.overall_ns, 8 * 3600 * SEC);
	assert_false(limits_over(&t, &l, t.used_ns + l.idle_ns - 1));
	assert_true(limits_over(&t, &l, t.used_ns + l.idle_ns));
	assert_true(limits_over(&t, &l, 999 * SEC)); /* before it began */
	t.used_ns = t.made_ns + l.overall_ns - 1;
	assert_false(limits_over(&t, &l, t.used_ns));
	assert_true(limits_over(&t, &l, t.used_ns + 1));
	assert_int_equal(limits_end(&t, &l), t.made_ns + l.overall_ns);
	for (unsigned role = 0; role < PEOPLE_ROLE_COUNT; role++) {
		l = limits_of((enum people_role)role, SESSION_FULL, false, NULL);
		assert_true(l.idle_ns <= 3600 * SEC && l.overall_ns <= 24 * 3600 * SEC); /* AAL2 */
		l = limits_of((enum people_role)role, SESSION_FULL, true, NULL);
		assert_true(l.idle_ns <= 900 * SEC && l.overall_ns <= 12 * 3600 * SEC); /* AAL3 */
		l = limits_of((enum people_role)role, SESSION_ENROL, false, NULL);
		assert_true(l.overall_ns <= 1800 * SEC);
	}
	l = limits_of(PEOPLE_VIEWER, SESSION_FULL, false, &wish);
	assert_int_equal(l.idle_ns, 120 * SEC);
	assert_int_equal(l.overall_ns, 3600 * SEC);
}

static void base64url_in_one_form(void **state)
{
	uint8_t data[8];
	size_t len;
	char text[16];

	base64url_write("\xfb\xff\xfe", 3, text);
	assert_string_equal(text, "-__-");
	assert_int_equal(base64url_read("-__-", data, sizeof(data), &len), 0);
	assert_int_equal(len, 3);
	assert_int_not_equal(base64url_read("+//+", data, sizeof(data), &len), 0);
	assert_int_not_equal(base64url_read("-__-=", data, sizeof(data), &len), 0);
	assert_int_not_equal(base64url_read("QQ=", data, sizeof(data), &len), 0);
	assert_int_not_equal(base64url_read("QR", data, sizeof(data), &len), 0); /* spare bits */
	assert_int_not_equal(base64url_read("-__--__--__-", data, sizeof(data), &len), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totp_of_the_standard),
		cmocka_unit_test(totp_vectors),
		cmocka_unit_test(totp_once_and_one_step_beside),
		cmocka_unit_test(totp_for_apps),
		cmocka_unit_test(qr_two_ways),
		cmocka_unit_test(passwords_by_length_alone),
		cmocka_unit_test(passwords_that_everybody_tries),
		cmocka_unit_test(passwords_kept),
		cmocka_unit_test(codes_as_people_type_them),
		cmocka_unit_test(recovery_codes_once),
		cmocka_unit_test(sms_codes),
		cmocka_unit_test(sms_as_kannel_takes_it),
		cmocka_unit_test(tokens),
		cmocka_unit_test(tickets_once_and_for_a_while),
		cmocka_unit_test(guessing_slows_down),
		cmocka_unit_test(counters_are_bounded),
		cmocka_unit_test(a_budget),
		cmocka_unit_test(levels),
		cmocka_unit_test(sessions_end),
		cmocka_unit_test(base64url_in_one_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
