#include "update/repo/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/secret.h"
#include "seal/age/age.h"
#include "seal/age/identity.h"
#include "seal/age/recipient.h"
#include "update/repo/hardware.h"
#include "update/tuf/canon.h"
#include "update/tuf/hash.h"
#include "update/tuf/key.h"

#define FILE_MAX (64u << 10)
#define PSS_SALT 32
#define RSA_BITS 3072

static const struct {
	const char *name, *keytype, *scheme;
} kinds[] = {
	[SIGNER_ED25519] = {"ed25519", "ed25519", "ed25519"},
	[SIGNER_ECDSA] = {"ecdsa", "ecdsa", "ecdsa-sha2-nistp256"},
	[SIGNER_RSA] = {"rsa", "rsa", "rsassa-pss-sha256"},
};

struct signer {
	EVP_PKEY *key;		   /* the public half alone, where a token has the other */
	struct hardware *hardware; /* or NULL */
	enum signer_kind kind;
	char id[SIGNER_ID];
};

/* Locked memory that a stream comes from, or goes to. */
struct text {
	uint8_t *data;
	size_t len, at;
};

int signer_kind_read(const char *name, enum signer_kind *ret_kind)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(name, kinds[i].name) != 0)
			continue;
		*ret_kind = (enum signer_kind)i;
		return 0;
	}
	return -EINVAL;
}

/* --- sealing ------------------------------------------------------------------------------- */

static ssize_t give(void *arg, void *data, size_t max)
{
	struct text *t = arg;
	size_t n = t->len - t->at < max ? t->len - t->at : max;

	memcpy(data, t->data + t->at, n);
	t->at += n;
	return (ssize_t)n;
}

static int keep(void *arg, const void *data, size_t len)
{
	struct text *t = arg;

	if (len > FILE_MAX - t->len)
		return -EFBIG;
	memcpy(t->data + t->len, data, len);
	t->len += len;
	return 0;
}

static int ask_for(const struct signer_ask *ask, const char *path, bool fresh, char **ret_text,
		   struct tuf_error *e)
{
	char *text = secret_new(SIGNER_PASSPHRASE);
	int err = text ? ask->passphrase(ask->arg, path, fresh, text) : -ENOMEM;

	if (err == 0 && *text) {
		*ret_text = text;
		return 0;
	}
	secret_free(text, SIGNER_PASSPHRASE);
	return tuf_fail(e, err < 0 ? err : -EINVAL, "%s: there is no passphrase for it", path);
}

static int seal(const char *path, const struct signer_ask *ask, struct text *plain,
		struct text *sealed, struct tuf_error *e)
{
	struct age_recipients *to = age_recipients_new();
	struct age_engine *engine = age_engine_new(1);
	struct age_seal_options o = {.recipients = to, .armor = true};
	struct age_result result;
	char *passphrase = NULL;
	int err = ask_for(ask, path, true, &passphrase, e);

	if (err == 0) {
		err = to && engine ? age_recipients_passphrase(to,
							       (struct bytes){(uint8_t *)passphrase,
									      strlen(passphrase)},
							       AGE_WORK_DEFAULT)
				   : -ENOMEM;
		if (err == 0)
			err = age_seal(engine, &o, &(struct age_input){.read = give, .arg = plain},
				       &(struct age_output){.write = keep, .arg = sealed}, &result);
		if (err < 0)
			tuf_fail(e, err, "%s cannot be sealed: %s", path, strerror(-err));
		secret_free(passphrase, SIGNER_PASSPHRASE);
	}
	age_engine_free(engine);
	age_recipients_free(to);
	return err;
}

static int unseal(const char *path, const struct signer_ask *ask, struct text *sealed,
		  struct text *plain, struct tuf_error *e)
{
	struct age_identities *ids = age_identities_new();
	struct age_engine *engine = age_engine_new(1);
	struct age_open_options o = {.unwrap = age_identities_unwrap, .unwrap_arg = ids};
	struct age_result result = {.why = NULL};
	char *passphrase = NULL;
	int err = ask_for(ask, path, false, &passphrase, e);

	if (err == 0) {
		err = ids && engine
			      ? age_identities_passphrase(
					ids,
					(struct bytes){(uint8_t *)passphrase, strlen(passphrase)},
					AGE_WORK_MAX)
			      : -ENOMEM;
		if (err == 0)
			err = age_open(engine, &o, &(struct age_input){.read = give, .arg = sealed},
				       &(struct age_output){.write = keep, .arg = plain}, &result);
		if (err == -ENOKEY)
			err = tuf_fail(e, -EKEYREJECTED, "the passphrase does not open %s", path);
		else if (err < 0)
			tuf_fail(e, err, "%s: %s", path, result.why ? result.why : strerror(-err));
		secret_free(passphrase, SIGNER_PASSPHRASE);
	}
	age_engine_free(engine);
	age_identities_free(ids);
	return err;
}

/* --- public halves ------------------------------------------------------------------------- */

static char *public_text(const EVP_PKEY *key, enum signer_kind kind)
{
	uint8_t raw[32];
	size_t len = sizeof(raw);
	char *text = NULL, *data;
	BIO *bio;

	if (kind == SIGNER_ED25519) {
		text = malloc(2 * sizeof(raw) + 1);
		if (text && EVP_PKEY_get_raw_public_key(key, raw, &len))
			hex_write(raw, len, text);
		return text;
	}
	bio = BIO_new(BIO_s_mem());
	if (bio && PEM_write_bio_PUBKEY(bio, key)) {
		len = (size_t)BIO_get_mem_data(bio, &data);
		text = strndup(data, len);
	}
	BIO_free(bio);
	return text;
}

static json_t *public_key(const EVP_PKEY *key, enum signer_kind kind)
{
	char *text = public_text(key, kind);
	json_t *v = text ? json_pack("{s:s,s:s,s:{s:s}}", "keytype", kinds[kind].keytype, "scheme",
				     kinds[kind].scheme, "keyval", "public", text)
			 : NULL;

	free(text);
	return v;
}

static int name_key(const json_t *key, char ret_id[SIGNER_ID])
{
	uint8_t hash[CRYPTO_HASH];
	struct bytes text;
	int err = canon_encode(key, &text);

	if (err < 0)
		return err;
	err = crypto_sha256(text, hash);
	free((void *)text.data);
	if (err == 0)
		hex_write(hash, sizeof(hash), ret_id);
	return err;
}

int signer_public_read(const char *path, json_t **ret_key, char ret_id[SIGNER_ID],
		       struct tuf_error *e)
{
	char why[CANON_WHY];
	struct tuf_key *key;
	struct bytes text;
	json_t *v;
	int err = file_read(path, FILE_MAX, &text);

	if (err < 0)
		return tuf_fail(e, err, "%s: %s", path, strerror(-err));
	err = canon_parse(text, &v, why);
	free((void *)text.data);
	if (err < 0)
		return tuf_fail(e, err, "%s is no public key: %s", path, why);
	key = tuf_key_new(v);
	err = key ? name_key(v, ret_id) : -EBADMSG;
	tuf_key_free(key);
	if (err < 0) {
		json_decref(v);
		return tuf_fail(e, err, "%s is no public key of a kind that we know", path);
	}
	*ret_key = v;
	return 0;
}

/* --- private halves ------------------------------------------------------------------------ */

static EVP_PKEY *generate(enum signer_kind kind)
{
	if (kind == SIGNER_ED25519)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (kind == SIGNER_ECDSA)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS);
}

static int write_new(const char *path, struct bytes text, mode_t mode, struct tuf_error *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode), err;

	if (fd < 0)
		return tuf_fail(e, -errno, "%s: %s", path, strerror(errno));
	err = file_write(fd, text);
	if (err == 0 && fsync(fd) < 0)
		err = -errno;
	close(fd);
	if (err == 0)
		err = file_sync_folder(path);
	if (err < 0) {
		unlink(path);
		tuf_fail(e, err, "%s: %s", path, strerror(-err));
	}
	return err;
}

static int write_public(const char *path, const EVP_PKEY *key, enum signer_kind kind,
			struct tuf_error *e)
{
	json_t *v = public_key(key, kind);
	char *text = v ? json_dumps(v, JSON_INDENT(1)) : NULL;
	int err = text ? 0 : tuf_fail(e, -ENOMEM, "out of memory");

	if (err == 0)
		err = write_new(path, (struct bytes){(uint8_t *)text, strlen(text)}, 0644, e);
	free(text);
	json_decref(v);
	return err;
}

static int write_private(const char *path, const EVP_PKEY *key, const struct signer_ask *ask,
			 struct tuf_error *e)
{
	struct text plain = {.data = secret_new(FILE_MAX)}, sealed = {.data = malloc(FILE_MAX)};
	BIO *bio = BIO_new(BIO_s_secmem());
	char *data;
	long len;
	int err = -ENOMEM;

	if (plain.data && sealed.data && bio &&
	    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) {
		len = BIO_get_mem_data(bio, &data);
		err = keep(&plain, data, (size_t)len);
	}
	if (err < 0)
		tuf_fail(e, err, "%s: %s", path, strerror(-err));
	else if (ask)
		err = seal(path, ask, &plain, &sealed, e);
	if (err == 0)
		err = write_new(path,
				ask ? (struct bytes){sealed.data, sealed.len}
				    : (struct bytes){plain.data, plain.len},
				0600, e);
	BIO_free(bio);
	secret_free(plain.data, FILE_MAX);
	free(sealed.data);
	return err;
}

int signer_make(const char *path, enum signer_kind kind, const struct signer_ask *ask,
		struct tuf_error *e)
{
	EVP_PKEY *key = generate(kind);
	char public[PATH_MAX];
	int err = key ? 0 : tuf_fail(e, -EIO, "no key could be made");

	if (err == 0 && snprintf(public, sizeof(public), "%s.pub", path) >= (int)sizeof(public))
		err = tuf_fail(e, -ENAMETOOLONG, "%s: the name is too long", path);
	if (err == 0)
		err = write_private(path, key, ask, e);
	if (err == 0) {
		err = write_public(public, key, kind, e);
		if (err < 0)
			file_erase(path);
	}
	EVP_PKEY_free(key);
	return err;
}

static int kind_of(const EVP_PKEY *key, enum signer_kind *ret_kind)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_ED25519:
		*ret_kind = SIGNER_ED25519;
		return 0;
	case EVP_PKEY_EC:
		*ret_kind = SIGNER_ECDSA;
		return 0;
	case EVP_PKEY_RSA:
		*ret_kind = SIGNER_RSA;
		return 0;
	default:
		return -ENOTSUP;
	}
}

/* -ENOTSUP for a key that no client would take. */
static int name_signer(struct signer *s)
{
	struct tuf_key *check = NULL;
	json_t *public = NULL;
	int err = kind_of(s->key, &s->kind);

	if (err == 0) {
		public = public_key(s->key, s->kind);
		check = public ? tuf_key_new(public) : NULL;
		err = check ? name_key(public, s->id) : -ENOTSUP;
	}
	tuf_key_free(check);
	json_decref(public);
	return err;
}

/* One that OpenSSL would ask for gets no passphrase; ours are sealed differently. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	return -1;
}

static int read_private(const char *path, const struct text *t, struct signer **ret_signer,
			struct tuf_error *e)
{
	struct signer *s = calloc(1, sizeof(*s));
	BIO *bio = BIO_new_mem_buf(t->data, (int)t->len);
	int err = s && bio ? 0 : -ENOMEM;

	if (err == 0) {
		s->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
		err = s->key ? name_signer(s) : -EBADMSG;
	}
	BIO_free(bio);
	if (err < 0) {
		signer_free(s);
		return tuf_fail(e, err,
				"%s is no private key that signs (PEM: Ed25519, ECDSA P-256, RSA)",
				path);
	}
	*ret_signer = s;
	return 0;
}

/* A key that others may read is no secret any more. */
static int open_file(const char *path, struct tuf_error *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return tuf_fail(e, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && (st.st_mode & 077) == 0)
		return fd;
	close(fd);
	return tuf_fail(e, -EACCES, "%s can be read by others: 'chmod 600' it, or make a new key",
			path);
}

/* What the token asks for, through who asks for passphrases. */
struct pin {
	const struct signer_ask *ask;
	const char *uri;
};

static int ask_pin(void *arg, char ret_pin[TOKEN_PIN])
{
	const struct pin *p = arg;
	_Static_assert((int)SIGNER_PASSPHRASE <= (int)TOKEN_PIN, "a PIN that is asked for fits");

	return p->ask->passphrase(p->ask->arg, p->uri, false, ret_pin);
}

static int open_token(const char *uri, const struct signer_ask *ask, struct signer **ret_signer,
		      struct tuf_error *e)
{
	struct signer *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return tuf_fail(e, -ENOMEM, "out of memory");
	err = hardware_open(uri, ask_pin, &(struct pin){ask, uri}, &s->hardware, &s->key, e);
	if (err == 0) {
		err = name_signer(s);
		if (err < 0)
			tuf_fail(e, err, "the key of %s is of no kind that signs metadata", uri);
	}
	if (err < 0)
		signer_free(s);
	else
		*ret_signer = s;
	return err;
}

int signer_make_token(const char *uri, const char *public, const struct signer_ask *ask,
		      struct tuf_error *e)
{
	struct signer *s;
	int err = hardware_make(uri, ask_pin, &(struct pin){ask, uri}, e);

	/* One that is there already is shown. */
	if (err < 0 && err != -EEXIST)
		return err;
	err = open_token(uri, ask, &s, e);
	if (err < 0)
		return err;
	err = write_public(public, s->key, s->kind, e);
	signer_free(s);
	return err;
}

bool signer_is_token(const char *path)
{
	return strncmp(path, "pkcs11:", 7) == 0;
}

static int open_key_file(const char *path, const struct signer_ask *ask, struct signer **ret_signer,
			 struct tuf_error *e)
{
	static const char sealed_by_age[] = "-----BEGIN AGE";
	struct text plain = {.data = secret_new(FILE_MAX)}, file = {.data = NULL};
	struct bytes text = {0};
	int fd = open_file(path, e), err = fd < 0 ? fd : file_read_fd(fd, FILE_MAX - 1, &text);

	if (fd >= 0 && err < 0)
		tuf_fail(e, err, "%s: %s", path, strerror(-err));
	if (fd >= 0)
		close(fd);
	if (err == 0 && !plain.data)
		err = tuf_fail(e, -ENOMEM, "out of memory");
	file.data = (uint8_t *)text.data;
	file.len = text.len;
	if (err == 0) {
		if (file.len >= sizeof(sealed_by_age) - 1 &&
		    memcmp(file.data, sealed_by_age, sizeof(sealed_by_age) - 1) == 0)
			err = unseal(path, ask, &file, &plain, e);
		else
			err = keep(&plain, file.data, file.len);
	}
	if (err == 0)
		err = read_private(path, &plain, ret_signer, e);
	if (file.data)
		secret_wipe(file.data, file.len);
	free(file.data);
	secret_free(plain.data, FILE_MAX);
	return err;
}

int signer_open(const char *path, const struct signer_ask *ask, struct signer **ret_signer,
		struct tuf_error *e)
{
	return signer_is_token(path) ? open_token(path, ask, ret_signer, e)
				     : open_key_file(path, ask, ret_signer, e);
}

void signer_free(struct signer *s)
{
	if (!s)
		return;
	hardware_close(s->hardware);
	EVP_PKEY_free(s->key); /* wipes it */
	free(s);
}

const char *signer_id(const struct signer *s)
{
	return s->id;
}

static int sign_here(const struct signer *s, struct bytes message, uint8_t *ret_signature,
		     size_t *len, struct tuf_error *e)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *with; /* ctx's own */
	bool good;

	good = ctx &&
	       EVP_DigestSignInit(ctx, &with, s->kind == SIGNER_ED25519 ? NULL : EVP_sha256(), NULL,
				  s->key) == 1 &&
	       (s->kind != SIGNER_RSA ||
		(EVP_PKEY_CTX_set_rsa_padding(with, RSA_PKCS1_PSS_PADDING) == 1 &&
		 EVP_PKEY_CTX_set_rsa_pss_saltlen(with, PSS_SALT) == 1)) &&
	       EVP_DigestSign(ctx, ret_signature, len, message.data, message.len) == 1;
	EVP_MD_CTX_free(ctx);
	return good ? 0 : tuf_fail(e, -EIO, "the key %.16s… could not sign", s->id);
}

int signer_sign(const struct signer *s, struct bytes message, json_t **ret_signature,
		struct tuf_error *e)
{
	uint8_t sig[1024];
	char hex[2 * sizeof(sig) + 1];
	size_t len = sizeof(sig);
	int err = s->hardware ? hardware_sign(s->hardware, message, sig, &len, e)
			      : sign_here(s, message, sig, &len, e);

	if (err < 0)
		return err;
	hex_write(sig, len, hex);
	*ret_signature = json_pack("{s:s,s:s}", "keyid", s->id, "sig", hex);
	return *ret_signature ? 0 : tuf_fail(e, -ENOMEM, "out of memory");
}
