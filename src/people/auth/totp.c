#include "people/auth/totp.h"

#include <errno.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/crypto.h"

int totp_code(struct bytes secret, enum totp_hash hash, uint64_t counter, unsigned digits,
	      char ret_code[9])
{
	static const uint32_t powers[] = {1000000, 10000000, 100000000};
	const EVP_MD *md = hash == TOTP_SHA1	 ? EVP_sha1()
			   : hash == TOTP_SHA256 ? EVP_sha256()
						 : EVP_sha512();
	uint8_t message[8], mac[EVP_MAX_MD_SIZE];
	unsigned len = 0, at;
	uint32_t n;

	if (digits < 6 || digits > 8)
		return -EINVAL;
	for (unsigned i = 0; i < 8; i++)
		message[i] = (uint8_t)(counter >> (56 - 8 * i));
	if (!HMAC(md, secret.data, (int)secret.len, message, sizeof(message), mac, &len))
		return -EIO;
	at = mac[len - 1] & 15; /* §5.3, dynamic truncation */
	n = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
	    (uint32_t)mac[at + 2] << 8 | mac[at + 3];
	n %= powers[digits - 6];
	ret_code[digits] = 0;
	for (unsigned i = digits; i-- > 0; n /= 10)
		ret_code[i] = (char)('0' + n % 10);
	return 0;
}

bool totp_check(struct bytes secret, const char *code, uint64_t now_s, uint64_t last,
		uint64_t *ret_step)
{
	uint64_t now = now_s / TOTP_STEP_S, from = now > TOTP_SKEW ? now - TOTP_SKEW : 0, found = 0;
	char want[9];
	bool ok = false;

	if (strlen(code) != TOTP_DIGITS)
		return false;
	/* All of them, so that the time says nothing of which. */
	for (uint64_t step = from; step <= now + TOTP_SKEW; step++) {
		if (totp_code(secret, TOTP_SHA1, step, TOTP_DIGITS, want) < 0)
			return false;
		if (crypto_equal(want, code, TOTP_DIGITS) && step > last) {
			ok = true;
			found = step;
		}
	}
	if (ok)
		*ret_step = found;
	return ok;
}

void totp_text(const uint8_t secret[TOTP_SECRET], char ret_text[TOTP_TEXT])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint32_t bits = 0;
	unsigned have = 0, out = 0;

	for (unsigned i = 0; i < TOTP_SECRET; i++) {
		bits = bits << 8 | secret[i];
		have += 8;
		while (have >= 5) {
			have -= 5;
			ret_text[out++] = digits[bits >> have & 31];
		}
	}
	ret_text[out] = 0; /* 160 bits are 32 digits, nothing is left */
}

/* RFC 3986 §2.3: what is not unreserved is percent-encoded. */
static void put(struct writer *w, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (const uint8_t *p = (const uint8_t *)text; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			     (*p >= '0' && *p <= '9') || strchr("-._~", *p);

		if (plain) {
			write_u8(w, *p);
		} else {
			write_u8(w, '%');
			write_u8(w, (uint8_t)hex[*p >> 4]);
			write_u8(w, (uint8_t)hex[*p & 15]);
		}
	}
}

static void say(struct writer *w, const char *text)
{
	write_bytes(w, text, strlen(text));
}

int totp_uri(const char *issuer, const char *user, const uint8_t secret[TOTP_SECRET], char *ret_uri,
	     size_t cap)
{
	struct writer w = writer_new(ret_uri, cap);
	char text[TOTP_TEXT];

	totp_text(secret, text);
	say(&w, "otpauth://totp/");
	put(&w, issuer);
	say(&w, ":");
	put(&w, user);
	say(&w, "?secret=");
	say(&w, text);
	say(&w, "&issuer=");
	put(&w, issuer);
	say(&w, "&algorithm=SHA1&digits=6&period=30");
	write_u8(&w, 0);
	return w.bad ? -ENAMETOOLONG : 0;
}
