#include "people/auth/password.h"

#include <errno.h>
#include <stdlib.h>

#include <argon2.h>
#include <openssl/evp.h>
#include <utf8proc.h>

#include "base/crypto.h"
#include "base/fips.h"
#include "base/pages.h"
#include "base/secret.h"
#include "people/auth/common.h"

#define MEMORY_KIB 65536
#define PASSES	   3
#define LANES	   4
#define SALT	   16 /* RFC 9106 §4 */
#define TAG	   32
#define BYTES_MAX  (PASSWORD_MAX * 4)

#define ITERATIONS 600000 /* of PBKDF2, SP 800-132, where Argon2id is not approved */

/* A record that asks for more than this is none of ours. */
#define MEMORY_MAX     (1u << 20)
#define PASSES_MAX     16
#define ITERATIONS_MAX 10000000

/* What a record was made by, its first byte. */
enum method { METHOD_ARGON2ID = 1, METHOD_PBKDF2 };

#define FAULT_NAME(name, text, sentence)     [PASSWORD_FAULT_##name] = (text),
#define FAULT_SENTENCE(name, text, sentence) [PASSWORD_FAULT_##name] = (sentence),
static const char *const names[] = {PASSWORD_FAULTS(FAULT_NAME)};
static const char *const sentences[] = {PASSWORD_FAULTS(FAULT_SENTENCE)};

const char *password_fault_name(enum password_fault f)
{
	return names[f < PASSWORD_FAULT_COUNT ? f : PASSWORD_FAULT_TEXT];
}

const char *password_fault_sentence(enum password_fault f)
{
	return sentences[f < PASSWORD_FAULT_COUNT ? f : PASSWORD_FAULT_TEXT];
}

/*
 * UAX #15 §12.1, the normalization process for stabilized strings: NFC, and nothing in it that
 * a later Unicode could compose otherwise, so unassigned code points are refused. The text is
 * the caller's to wipe and free; NULL: it is none.
 */
static char *normalize(const char *password, size_t *ret_points)
{
	utf8proc_uint8_t *out = NULL;
	size_t points = 0;

	if (strlen(password) > BYTES_MAX)
		return NULL;
	if (utf8proc_map((const utf8proc_uint8_t *)password, 0, &out,
			 UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE |
				 UTF8PROC_REJECTNA) < 0)
		return NULL;
	for (const utf8proc_uint8_t *p = out; *p; p++) {
		points += (*p & 0xc0) != 0x80;
		if (*p < 0x20 || *p == 0x7f) { /* control characters */
			free(out);
			return NULL;
		}
	}
	*ret_points = points;
	return (char *)out;
}

static void drop(char *text)
{
	if (text)
		secret_wipe(text, strlen(text));
	free(text);
}

enum password_fault password_check(const char *password, unsigned min, const char *const *context)
{
	enum password_fault fault = PASSWORD_FAULT_OK;
	size_t points = 0;
	char *text;

	if (strlen(password) > BYTES_MAX)
		return PASSWORD_FAULT_LONG;
	text = normalize(password, &points);
	if (!text)
		return PASSWORD_FAULT_TEXT;
	if (points < min)
		fault = PASSWORD_FAULT_SHORT;
	else if (points > PASSWORD_MAX)
		fault = PASSWORD_FAULT_LONG;
	else if (common_word(text, context))
		fault = PASSWORD_FAULT_CONTEXT;
	else if (common_password(text))
		fault = PASSWORD_FAULT_COMMON;
	drop(text);
	return fault;
}

struct cost {
	enum method method;
	uint32_t memory, passes, lanes; /* PBKDF2: passes alone */
};

static struct cost cost_now(void)
{
	return fips_on() ? (struct cost){METHOD_PBKDF2, 0, ITERATIONS, 0}
			 : (struct cost){METHOD_ARGON2ID, MEMORY_KIB, PASSES, LANES};
}

static bool is_ours(const struct cost *c)
{
	if (c->method == METHOD_PBKDF2)
		return c->memory == 0 && c->lanes == 0 && c->passes && c->passes <= ITERATIONS_MAX;
	return c->method == METHOD_ARGON2ID && c->memory <= MEMORY_MAX && c->passes <= PASSES_MAX &&
	       c->lanes <= 64;
}

static int hash_pbkdf2(const char *text, const struct cost *c, struct bytes salt,
		       uint8_t ret_tag[TAG])
{
	return PKCS5_PBKDF2_HMAC(text, (int)strlen(text), salt.data, (int)salt.len, (int)c->passes,
				 EVP_sha256(), TAG, ret_tag) == 1
		       ? 0
		       : -EIO;
}

/* Argon2 looks all over its 64 MiB: in huge pages it takes a third of the time. It wipes them itself. */
static int take_pages(uint8_t **ret_memory, size_t size)
{
	*ret_memory = pages_map(&size);
	return *ret_memory ? 0 : -ENOMEM;
}

static void give_pages(uint8_t *memory, size_t size)
{
	pages_unmap(memory, pages_size(size));
}

/* One thread for all lanes: a lane is how the memory is filled, not who does it. */
static int hash(const char *text, const struct cost *c, struct bytes salt, uint8_t ret_tag[TAG])
{
	argon2_context ctx = {
		.out = ret_tag,
		.outlen = TAG,
		.pwd = (uint8_t *)text,
		.pwdlen = (uint32_t)strlen(text),
		.salt = (uint8_t *)salt.data,
		.saltlen = (uint32_t)salt.len,
		.t_cost = c->passes,
		.m_cost = c->memory,
		.lanes = c->lanes,
		.threads = 1,
		.version = ARGON2_VERSION_13,
		.allocate_cbk = take_pages,
		.free_cbk = give_pages,
		.flags = ARGON2_DEFAULT_FLAGS,
	};
	int rc;

	if (c->method == METHOD_PBKDF2)
		return hash_pbkdf2(text, c, salt, ret_tag);
	rc = argon2id_ctx(&ctx);
	return rc == ARGON2_OK ? 0 : rc == ARGON2_MEMORY_ALLOCATION_ERROR ? -ENOMEM : -EBADMSG;
}

int password_hash(const char *password, int (*random)(void *ret_data, size_t len),
		  uint8_t ret_record[PASSWORD_RECORD])
{
	const struct cost cost = cost_now();
	struct writer w = writer_new(ret_record, PASSWORD_RECORD);
	uint8_t salt[SALT], tag[TAG];
	size_t points;
	char *text = normalize(password, &points);
	int err = text ? random(salt, sizeof(salt)) : -EINVAL;

	if (err == 0)
		err = hash(text, &cost, (struct bytes){salt, sizeof(salt)}, tag);
	drop(text);
	if (err < 0)
		return err;
	write_u8(&w, (uint8_t)cost.method);
	write_be32(&w, cost.memory);
	write_be32(&w, cost.passes);
	write_be32(&w, cost.lanes);
	write_bytes(&w, salt, sizeof(salt));
	write_bytes(&w, tag, sizeof(tag));
	secret_wipe(tag, sizeof(tag));
	return w.bad ? -EINVAL : 0;
}

int password_verify(const char *password, struct bytes record)
{
	struct reader r = reader_new(record.data, record.len);
	struct cost c = {.method = (enum method)read_u8(&r)};
	uint8_t tag[TAG];
	struct bytes salt, want;
	size_t points;
	char *text;
	int err;

	c.memory = read_be32(&r);
	c.passes = read_be32(&r);
	c.lanes = read_be32(&r);
	salt = read_bytes(&r, SALT);
	want = read_bytes(&r, TAG);
	if (r.bad || reader_left(&r) || !is_ours(&c))
		return -EBADMSG;
	text = normalize(password, &points);
	if (!text)
		return -EACCES;
	err = hash(text, &c, salt, tag);
	drop(text);
	if (err == 0 && !crypto_equal(tag, want.data, TAG))
		err = -EACCES;
	secret_wipe(tag, sizeof(tag));
	return err;
}

void password_waste(const char *password)
{
	static const uint8_t salt[SALT] = "nobody's salt, .";
	const struct cost cost = cost_now();
	uint8_t tag[TAG];
	size_t points;
	char *text = normalize(password, &points);

	if (text)
		hash(text, &cost, (struct bytes){salt, sizeof(salt)}, tag);
	drop(text);
}
