#include "people/auth/code.h"

#include <errno.h>
#include <stdio.h>

#include "base/secret.h"

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void code_text(const uint8_t random[CODE_BYTES], char ret_text[CODE_TEXT])
{
	uint32_t bits = 0;
	unsigned have = 0, out = 0;

	for (unsigned i = 0; i < CODE_BYTES; i++) {
		bits = bits << 8 | random[i];
		have += 8;
		while (have >= 5) {
			have -= 5;
			if (out % 5 == 4)
				ret_text[out++] = '-';
			ret_text[out++] = digits[bits >> have & 31];
		}
	}
	ret_text[out] = 0;
}

static int digit_of(char c)
{
	const char *at;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	c = c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c;
	at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

bool code_read(const char *text, uint8_t ret_random[CODE_BYTES])
{
	uint8_t out[CODE_BYTES];
	uint32_t bits = 0;
	unsigned have = 0, n = 0, count = 0;

	for (; *text; text++) {
		int d = digit_of(*text);

		if (*text == ' ' || *text == '-')
			continue;
		if (d < 0 || ++count > CODE_BYTES * 8 / 5)
			return false;
		bits = bits << 5 | (unsigned)d;
		have += 5;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	if (n != CODE_BYTES)
		return false;
	memcpy(ret_random, out, sizeof(out));
	return true;
}

int code_hash(const uint8_t random[CODE_BYTES], const char *kind, struct bytes salt,
	      uint8_t ret_hash[CRYPTO_HASH])
{
	uint8_t text[128];
	struct writer w = writer_new(text, sizeof(text));
	int err;

	write_bytes(&w, "bedwarden code ", 15);
	write_bytes(&w, kind, strlen(kind) + 1);
	write_bytes(&w, salt.data, salt.len);
	write_bytes(&w, random, CODE_BYTES);
	err = w.bad ? -EINVAL : crypto_sha256((struct bytes){text, w.len}, ret_hash);
	secret_wipe(text, sizeof(text));
	return err;
}

int code_sms(int (*random)(void *ret_data, size_t len), char ret_code[CODE_SMS])
{
	uint32_t n;
	int err;

	do { /* what is beyond the last whole million would favour small codes */
		err = random(&n, sizeof(n));
		if (err < 0)
			return err;
	} while (n >= UINT32_MAX / 1000000 * 1000000);
	snprintf(ret_code, CODE_SMS, "%06u", n % 1000000);
	return 0;
}

static struct bytes salt_of(const struct code_set *set)
{
	return (struct bytes){set->salt, sizeof(set->salt)};
}

int code_set_make(int (*random)(void *ret_data, size_t len), struct code_set *ret_set,
		  char ret_texts[CODE_RECOVERY][CODE_TEXT])
{
	uint8_t code[CODE_BYTES];
	int err = random(ret_set->salt, sizeof(ret_set->salt));

	for (unsigned i = 0; err == 0 && i < CODE_RECOVERY; i++) {
		err = random(code, sizeof(code));
		if (err == 0)
			err = code_hash(code, "recovery", salt_of(ret_set), ret_set->hash[i]);
		code_text(code, ret_texts[i]);
		ret_set->left[i] = 1;
	}
	secret_wipe(code, sizeof(code));
	return err;
}

bool code_set_use(struct code_set *set, const char *text)
{
	uint8_t code[CODE_BYTES], hash[CRYPTO_HASH];
	bool good = false;

	if (!code_read(text, code) || code_hash(code, "recovery", salt_of(set), hash) < 0)
		return false;
	for (unsigned i = 0; i < CODE_RECOVERY; i++)
		if (crypto_equal(hash, set->hash[i], sizeof(hash)) && set->left[i]) {
			set->left[i] = 0;
			good = true;
		}
	return good;
}

unsigned code_set_left(const struct code_set *set)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CODE_RECOVERY; i++)
		n += set->left[i] == 1;
	return n;
}
