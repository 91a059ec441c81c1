#include "role/secrets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "keep/signing.h"

struct secrets {
	struct keys *keys; /* NULL: locked */
	struct signing *signing;
	char locked[KEYS_ERROR];
	char folder[PATH_MAX];
};

/* Who may have what done, for which purpose. Nobody may have anything else done. */
static const struct right {
	enum secrets_asker from;
	enum ipc_type type;
	const char *purpose;
} rights[] = {
	{SECRETS_PARENT, IPC_SIGN, "sign.gateway"}, /* this gateway says so */
	{SECRETS_PARENT, IPC_WRAP, "setting"},	    /* secrets in what it hands to its children */
	{SECRETS_PARENT, IPC_UNWRAP, "setting"},
	{SECRETS_GUARD, IPC_WRAP, "evidence"}, /* sealed by who must never open it again */
	{SECRETS_LINK, IPC_TLS_KEY, "tls.link"},
	{SECRETS_LINK, IPC_TLS_SIGN, "tls.link"},
	{SECRETS_CONSOLE, IPC_TLS_KEY, "tls.console"},
	{SECRETS_CONSOLE, IPC_TLS_SIGN, "tls.console"},
};

static bool may(enum secrets_asker from, enum ipc_type type, const char *purpose)
{
	for (size_t i = 0; i < sizeof(rights) / sizeof(*rights); i++)
		if (rights[i].from == from && rights[i].type == type &&
		    strcmp(rights[i].purpose, purpose) == 0)
			return true;
	return false;
}

/* A file, or a folder and the files in it; nothing that is a link, or that has another name. */
static void hand_over(int at, const char *name, unsigned uid, unsigned gid, unsigned depth)
{
	int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct dirent *e;
	struct stat st;
	DIR *d = NULL;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 &&
	    (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink == 1)) &&
	    st.st_uid != uid && fchown(fd, uid, gid) < 0 && errno != EINVAL && errno != EPERM)
		log_warn("%s in the vault stays root's: %s", name, strerror(errno));
	if (depth && S_ISDIR(st.st_mode))
		d = fdopendir(fd);
	while (d && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			hand_over(fd, e->d_name, uid, gid, depth - 1);
	if (d)
		closedir(d);
	else
		close(fd);
}

/*
 * state_dir is the keeper's, and root still asks: what a keeper that was taken over left in the
 * folder's place must not lead root anywhere.
 */
static int make_folder(const char *folder, char *error)
{
	struct stat st;

	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return holder_fail(error, -errno, "%.400s: %s", folder, strerror(errno));
	if (lstat(folder, &st) < 0 || !S_ISDIR(st.st_mode))
		return holder_fail(
			error, -ENOTDIR,
			"%.400s: this is no folder; move away what is there, and put the "
			"vault's folder back",
			folder);
	return 0;
}

/* A holder that has lost its key is no reason to make another one. */
static bool is_new(const char *folder)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/keyring", folder);
	return access(path, F_OK) < 0 && errno == ENOENT;
}

static int make(const char *folder, const char *holder, const struct holder_ask *ask, char *error)
{
	const struct holder *h = holder_find(holder);

	if (!h)
		return holder_fail(error, -EINVAL, "there is no key holder '%s'", holder);
	return keys_create(folder, h, ask, NULL, error);
}

struct secrets *secrets_new(const char *state_dir, const char *holder, const char *place,
			    unsigned uid, unsigned gid)
{
	struct secrets *s = calloc(1, sizeof(*s));
	struct holder_ask ask = {.place = place ? place : ""};

	if (!s)
		return NULL;
	snprintf(s->folder, sizeof(s->folder), "%s/vault", state_dir);
	ask.dir = s->folder;
	if (make_folder(s->folder, s->locked) < 0)
		return s;
	s->keys = keys_open(s->folder, &ask, s->locked);
	if (!s->keys && errno == ENOENT && is_new(s->folder) &&
	    make(s->folder, holder, &ask, s->locked) == 0)
		s->keys = keys_open(s->folder, &ask, s->locked);
	if (geteuid() == 0) /* what root has made is the keeper's, who will be somebody else */
		hand_over(AT_FDCWD, s->folder, uid, gid, 2);
	if (s->keys)
		s->signing = signing_new(s->keys);
	if (s->keys)
		*s->locked = 0;
	return s;
}

void secrets_free(struct secrets *s)
{
	if (!s)
		return;
	signing_free(s->signing);
	keys_free(s->keys);
	free(s);
}

struct keys *secrets_keys(struct secrets *s)
{
	return s->keys;
}

struct signing *secrets_signing(struct secrets *s)
{
	return s->signing;
}

const char *secrets_locked(const struct secrets *s)
{
	return s->locked;
}

static int act_tls(struct secrets *s, enum ipc_type type, const char *purpose, struct bytes data,
		   uint8_t *ret_data)
{
	int err;

	if (!s->signing)
		return -ENOMEM;
	if (data.len != (type == IPC_TLS_SIGN ? CRYPTO_HASH : 0))
		return -EBADMSG;
	if (type == IPC_TLS_KEY) {
		err = signing_public(s->signing, purpose, ret_data);
		return err < 0 ? err : P256_POINT;
	}
	err = signing_sign(s->signing, purpose, data.data, ret_data);
	return err < 0 ? err : P256_SIGN;
}

/* The result's bytes in ret_data; their number or -errno. */
static int act(struct secrets *s, enum ipc_type type, const char *purpose, struct bytes data,
	       uint8_t *ret_data)
{
	int err;

	if (type == IPC_TLS_KEY || type == IPC_TLS_SIGN)
		return act_tls(s, type, purpose, data, ret_data);
	if (type == IPC_SIGN) {
		err = keys_sign(s->keys, purpose, data, ret_data);
		return err < 0 ? err : CIPHER_SIGN;
	}
	if (type == IPC_WRAP) {
		err = keys_wrap(s->keys, purpose, keys_day(clock_wall_ns()), data, ret_data);
		return err < 0 ? err : (int)data.len + KEYS_WRAP;
	}
	err = keys_unwrap(s->keys, purpose, data, ret_data);
	return err < 0 ? err : (int)data.len - KEYS_WRAP;
}

static int take(struct secrets *s, enum secrets_asker from, const struct ipc_message *m,
		uint8_t *ret_data)
{
	struct reader r = reader_new(m->body.data, m->body.len);
	struct bytes name = read_bytes(&r, read_u8(&r)), data;
	char purpose[256];

	if (r.bad || !name.len || memchr(name.data, 0, name.len))
		return -EBADMSG;
	memcpy(purpose, name.data, name.len);
	purpose[name.len] = 0;
	data = read_bytes(&r, reader_left(&r));
	if (!may(from, m->type, purpose))
		return -EACCES;
	if (data.len > SECRETS_DATA_MAX)
		return -EMSGSIZE;
	return s->keys ? act(s, m->type, purpose, data, ret_data) : -ENOKEY;
}

bool secrets_answer(struct secrets *s, enum secrets_asker from, int sock,
		    const struct ipc_message *m)
{
	static uint8_t answer[4 + SECRETS_DATA_MAX + KEYS_WRAP + CIPHER_SIGN];
	struct bytes body = {answer, 4};
	int32_t said;
	int n;

	if (m->type != IPC_SIGN && m->type != IPC_WRAP && m->type != IPC_UNWRAP &&
	    m->type != IPC_TLS_KEY && m->type != IPC_TLS_SIGN)
		return false;
	n = take(s, from, m, answer + 4);
	said = n < 0 ? n : 0;
	memcpy(answer, &said, 4);
	body.len += n < 0 ? 0 : (size_t)n;
	/* Who does not read its answers goes without. */
	if (ipc_send(sock, m->type, m->id, body, -1) < 0)
		log_debug("an answer about keys was not taken");
	secret_wipe(answer, sizeof(answer));
	return true;
}

void secrets_status(const struct secrets *s, struct json *j)
{
	struct keys_state st;

	json_open(j, "keys");
	json_bool(j, "locked", !s->keys);
	if (s->keys) {
		keys_state(s->keys, &st);
		json_str(j, "holder", st.holder ? st.holder->name : "");
		json_bool(j, "recoverable", *st.recipient != 0);
		json_u64(j, "generation", st.generation);
		json_u64(j, "data_keys", st.count);
	} else {
		json_str(j, "reason", s->locked);
	}
	json_close(j);
}

const char *secrets_nag(const struct secrets *s, unsigned n, char *buf, size_t cap)
{
	struct keys_state st;

	if (!s->keys) {
		snprintf(buf, cap, "the keys are locked, nothing can be sealed: %s", s->locked);
		return n == 0 ? buf : NULL;
	}
	keys_state(s->keys, &st);
	if (st.holder && st.holder->trial && n-- == 0) {
		snprintf(buf, cap,
			 "the keys are held by %s: who takes the disk can read everything; "
			 "'bedwarden vault rotate %s --holder tpm2' (or pkcs11, credential, "
			 "passphrase) changes that",
			 st.holder->what, s->folder);
		return buf;
	}
	if (!*st.recipient && n-- == 0) {
		snprintf(buf, cap,
			 "if this machine is lost, everything sealed on it is lost; 'bedwarden "
			 "vault "
			 "rotate %s --recovery' prints a key to put away",
			 s->folder);
		return buf;
	}
	if (st.from_copy && n-- == 0) {
		snprintf(buf, cap, "%s/keyring is damaged and its copy serves; look after the disk",
			 s->folder);
		return buf;
	}
	return NULL;
}
