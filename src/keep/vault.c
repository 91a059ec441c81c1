#include "keep/vault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "keep/vault_internal.h"

/* Keys that the vault has for itself, not of one day. */
#define FOR_ADDRESSES "vault-addresses"
#define FOR_THE_LOG   "vault-log"

static void path_of(const char *dir, const char *name, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/%s", dir, name);
}

void vault_purpose(const char *class, char ret_purpose[VAULT_PURPOSE])
{
	snprintf(ret_purpose, VAULT_PURPOSE, "vault.%.*s", OBJECT_CLASS_MAX - 1, class);
}

/* --- making and opening ------------------------------------------------------------ */

static int make_folders(const char *dir, char *error)
{
	char path[PATH_MAX];

	if (strlen(dir) >= PATH_MAX - 64)
		return holder_fail(error, -ENAMETOOLONG, "%.64s…: the path is too long", dir);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return holder_fail(error, -errno, "%s: %s", dir, strerror(errno));
	path_of(dir, "packs", path);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return holder_fail(error, -errno, "%s: %s", path, strerror(errno));
	file_sync_folder(path);
	return 0;
}

int vault_init(const char *dir, const struct holder *h, const struct holder_ask *ask,
	       const char *recipient, char ret_error[KEYS_ERROR])
{
	struct catalog *c;
	char path[PATH_MAX];
	int err = make_folders(dir, ret_error);

	if (err == 0)
		err = keys_create(dir, h, ask, recipient, ret_error);
	if (err < 0)
		return err;
	path_of(dir, "index.db", path);
	err = catalog_open(path, &c);
	if (err < 0)
		return holder_fail(ret_error, err, "%s: %s", path, strerror(-err));
	catalog_close(c);
	return file_sync_folder(path);
}

static int start_workers(struct vault *v, const uint8_t naming[CRYPTO_KEY], unsigned threads)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (!threads)
		threads = cores < 1 ? 2 : 2 * (unsigned)cores; /* one may wait for its turn */
	v->workers = threads < VAULT_WORKERS_MAX ? threads : VAULT_WORKERS_MAX;
	v->sealer = sealer_new(naming);
	for (unsigned i = 0; i < v->workers; i++) {
		v->sealers[i] = sealer_new(naming);
		if (!v->sealers[i])
			return -ENOMEM;
	}
	v->pool = pool_new(v->workers);
	return v->sealer && v->pool ? 0 : -ENOMEM;
}

/* An index that is not there although packs are, or has nothing at all in it, was lost, and must
 * not be begun anew. */
static int find_index(const char *dir, const char *path)
{
	uint32_t *ids = NULL;
	struct stat st;
	int count;

	if (stat(path, &st) == 0 && st.st_size)
		return 0;
	count = pack_list(dir, &ids);
	free(ids);
	return count > 0 ? -EUCLEAN : count;
}

static int open_parts(struct vault *v, const char *index, unsigned threads, char *error)
{
	uint8_t *naming = secret_new(CRYPTO_KEY);
	const uint8_t *key;
	char path[PATH_MAX];
	uint32_t id;
	int err = naming ? 0 : -ENOMEM;

	if (err == 0)
		err = keys_sealing(v->keys, FOR_ADDRESSES, KEYS_ALWAYS, &id, &key);
	if (err == 0) {
		memcpy(naming, key, CRYPTO_KEY);
		err = start_workers(v, naming, threads);
	}
	secret_free(naming, CRYPTO_KEY);
	if (err < 0)
		return holder_fail(error, err, "%s: %s", v->dir, strerror(-err));
	path_of(v->dir, index ? index : "index.db", path);
	err = index ? 0 : find_index(v->dir, path);
	if (err == 0)
		err = catalog_open(path, &v->catalog);
	if (err == -EUCLEAN)
		return holder_fail(error, err,
				   "%s is damaged; 'bedwarden vault fsck --mend %s' makes it again "
				   "from the packs",
				   path, v->dir);
	if (err == 0 && !index)
		err = vault_resume(v);
	if (err < 0)
		return holder_fail(error, err, "%s: %s", path, strerror(-err));
	return 0;
}

/* Whoever mends is alone: a handle that is open would go on with the old index. */
static int take_folder(struct vault *v, bool alone, char *error)
{
	v->in_use = open(v->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->in_use < 0)
		return holder_fail(error, -errno, "%s: %s", v->dir, strerror(errno));
	if (flock(v->in_use, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return holder_fail(error, -errno, "%s: %s", v->dir, strerror(errno));
	return holder_fail(error, -EBUSY,
			   alone ? "%s: others have the vault open; stop the gateway, or whatever "
				   "else uses it, and try again"
				 : "%s: the vault is being mended; try again when that is done",
			   v->dir);
}

/* Of an earlier attempt that was killed. */
static void remove_new(const struct vault *v, const char *index)
{
	static const char *const tails[] = {"", "-wal", "-shm"};
	char name[PATH_MAX];

	for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
		snprintf(name, sizeof(name), "%s/%s%s", v->dir, index, tails[i]);
		unlink(name);
	}
}

struct vault *vault_open_index(const char *dir, const char *index, struct keys *keys,
			       unsigned threads, char ret_error[KEYS_ERROR])
{
	struct vault *v = calloc(1, sizeof(*v));
	int err;

	if (!v) {
		holder_fail(ret_error, -ENOMEM, "out of memory");
		return NULL;
	}
	v->keys = keys;
	v->in_use = -1;
	err = make_folders(dir, ret_error);
	if (err == 0) {
		snprintf(v->dir, sizeof(v->dir), "%s", dir);
		err = take_folder(v, index != NULL, ret_error);
	}
	if (err == 0 && index)
		remove_new(v, index);
	if (err == 0)
		err = open_parts(v, index, threads, ret_error);
	if (err == 0)
		return v;
	vault_close(v);
	errno = -err;
	return NULL;
}

struct vault *vault_open_with(const char *dir, struct keys *keys, unsigned threads,
			      char ret_error[KEYS_ERROR])
{
	return vault_open_index(dir, NULL, keys, threads, ret_error);
}

struct vault *vault_open(const char *dir, const struct holder_ask *ask, unsigned threads,
			 char ret_error[KEYS_ERROR])
{
	struct keys *keys = keys_open(dir, ask, ret_error);
	struct vault *v = keys ? vault_open_with(dir, keys, threads, ret_error) : NULL;
	int err = errno;

	if (v)
		v->keys_are_ours = true;
	else
		keys_free(keys);
	errno = err;
	return v;
}

void vault_close(struct vault *v)
{
	if (!v)
		return;
	pool_free(v->pool);
	sealer_free(v->sealer);
	for (unsigned i = 0; i < VAULT_WORKERS_MAX; i++)
		sealer_free(v->sealers[i]);
	for (unsigned i = 0; i < VAULT_PACKS_OPEN; i++)
		if (v->packs[i].fd)
			close(v->packs[i].fd);
	catalog_close(v->catalog);
	if (v->in_use >= 0)
		close(v->in_use);
	if (v->keys_are_ours)
		keys_free(v->keys);
	free(v);
}

bool vault_is_own(const struct vault *v, const struct stat *st)
{
	struct stat own;

	if (fstat(v->in_use, &own) == 0 && own.st_ino == st->st_ino && own.st_dev == st->st_dev)
		return true;
	return fstatat(v->in_use, "packs", &own, 0) == 0 && own.st_ino == st->st_ino &&
	       own.st_dev == st->st_dev;
}

struct keys *vault_keys(struct vault *v)
{
	return v->keys;
}

/* --- for its other files ------------------------------------------------------------- */

int vault_pack(struct vault *v, uint32_t id)
{
	unsigned at = v->next_pack;
	int fd;

	for (unsigned i = 0; i < VAULT_PACKS_OPEN; i++)
		if (v->packs[i].fd && v->packs[i].id == id)
			return v->packs[i].fd;
	fd = pack_open(v->dir, id, false);
	if (fd < 0)
		return fd;
	if (v->packs[at].fd)
		close(v->packs[at].fd);
	v->packs[at].id = id;
	v->packs[at].fd = fd;
	v->next_pack = (at + 1) % VAULT_PACKS_OPEN;
	return fd;
}

int vault_object_key(struct vault *v, const struct object_head *h, uint8_t ret_key[CRYPTO_KEY])
{
	const uint8_t *data_key;
	int err = keys_opening(v->keys, h->key, &data_key);

	if (err < 0)
		return err;
	return object_unbox(v->sealer, data_key, h->address, h->box, ret_key);
}

/* --- finding ---------------------------------------------------------------------------- */

int vault_unseal(struct vault *v, const struct catalog_name *n, struct catalog_object *o,
		 uint8_t *key, uint8_t buf[OBJECT_META], struct vault_entry *ret_entry)
{
	struct vault_entry e = {.id = n->id, .object = o, .key = key};
	int err = vault_object_key(v, &o->head, key);

	if (err == 0)
		err = object_open_name(v->sealer, key, o->head.address, n->sealed, buf, &e.meta);
	if (err < 0)
		return err;
	/* It may have been put again, to be kept longer; an index that is damaged shortens nothing. */
	if (n->until_ns > e.meta.until_ns)
		e.meta.until_ns = n->until_ns;
	memcpy(e.address, o->head.address, sizeof(e.address));
	e.size = o->head.size;
	*ret_entry = e;
	return 0;
}

#define TRIES 5 /* at a name whose key was given up just when it was looked at */

struct walk {
	struct vault *v;
	int (*fn)(void *arg, const struct vault_entry *e);
	void *arg;
	struct catalog_range range; /* what is left */
	int64_t stuck;		    /* the name whose key is gone; 0: none */
	uint8_t *key;
	uint8_t buf[OBJECT_META];
};

static int give(void *arg, const struct catalog_name *n, struct catalog_object *o)
{
	struct walk *w = arg;
	struct vault_entry e;
	int err = vault_unseal(w->v, n, o, w->key, w->buf, &e);

	if (err == -ENOKEY)
		w->stuck = n->id;
	if (err < 0)
		return err;
	w->range.after = n->id;
	return w->fn(w->arg, &e);
}

/*
 * The index is seen as it was when the walk began. Keys that were replaced or destroyed since open
 * nothing of that any more: it goes on from there with the index as it is by then.
 */
static int walk_on(struct walk *w)
{
	unsigned tries = 0;
	bool lost = false;
	int err;

	do {
		int64_t before = w->stuck;

		w->stuck = 0;
		err = catalog_each(w->v->catalog, &w->range, give, w);
		if (!w->stuck)
			break;
		tries = w->stuck == before ? tries + 1 : 1;
		if (tries ==
		    (lost ? 2 : TRIES)) { /* nothing has destroyed that, and it does not open */
			w->range.after = w->stuck;
			lost = true;
		}
	} while (true);
	return err == 0 && lost ? -ESTALE : err;
}

int vault_walk_range(struct vault *v, struct catalog_range *range,
		     int (*fn)(void *arg, const struct vault_entry *e), void *arg)
{
	struct walk w = {
		.v = v, .fn = fn, .arg = arg, .range = *range, .key = secret_new(CRYPTO_KEY)};
	int err = w.key ? walk_on(&w) : -ENOMEM;

	range->after = w.range.after;
	secret_free(w.key, CRYPTO_KEY);
	return err;
}

int vault_walk(struct vault *v, bool newest, int (*fn)(void *arg, const struct vault_entry *e),
	       void *arg)
{
	struct catalog_range range = {.newest = newest};
	int err = catalog_name_last(v->catalog, &range.last);

	return err == 0 ? vault_walk_range(v, &range, fn, arg) : err;
}

int vault_each(struct vault *v, int (*fn)(void *arg, const struct vault_entry *e), void *arg)
{
	return vault_walk(v, false, fn, arg);
}

int vault_newest(struct vault *v, int (*fn)(void *arg, const struct vault_entry *e), void *arg)
{
	return vault_walk(v, true, fn, arg);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* At least 8 digits, or it is no address. */
static bool may_begin_address(const char *what)
{
	size_t len = strlen(what);

	return len >= 8 && len <= 2 * CRYPTO_HASH && strspn(what, "0123456789abcdef") == len;
}

static bool begins_with(const uint8_t address[CRYPTO_HASH], const char *what)
{
	for (size_t i = 0; what[i]; i++)
		if (digit(what[i]) != (i % 2 ? address[i / 2] & 15 : address[i / 2] >> 4))
			return false;
	return true;
}

static int find_address(struct vault *v, const char *what, struct catalog_name *ret_name)
{
	struct catalog_object o = {.id = 0};
	int err;

	if (!may_begin_address(what))
		return -ENOENT;
	while ((err = catalog_object_next(v->catalog, o.id, 0, &o)) == 0)
		if (begins_with(o.head.address, what))
			return catalog_name_of(v->catalog, o.id, 0, ret_name);
	return err;
}

/* The row as an entry for `fn`. What is borrowed of it is copied: the object is looked up, too. */
static int give_one(struct vault *v, struct catalog_name *n,
		    int (*fn)(void *arg, const struct vault_entry *e), void *arg)
{
	uint8_t sealed[OBJECT_NAME_RECORD], buf[OBJECT_META], *key = secret_new(CRYPTO_KEY);
	struct catalog_object o;
	struct vault_entry e;
	int err = key ? 0 : -ENOMEM;

	if (!n->sealed.len || n->sealed.len > sizeof(sealed))
		err = -EUCLEAN;
	if (err == 0) {
		memcpy(sealed, n->sealed.data, n->sealed.len);
		n->sealed.data = sealed;
	}
	for (unsigned tries = 0; err == 0 && tries < TRIES; tries++) {
		err = catalog_object_by_id(v->catalog, n->object, &o);
		if (err == 0)
			err = vault_unseal(v, n, &o, key, buf, &e);
		if (err != -ENOKEY)
			break;
		err = tries + 1 < TRIES ? 0 : -ESTALE; /* it may have another one by now */
	}
	if (err == 0)
		err = fn(arg, &e);
	secret_free(key, CRYPTO_KEY);
	return err;
}

int vault_find(struct vault *v, const char *what, int (*fn)(void *arg, const struct vault_entry *e),
	       void *arg)
{
	struct bytes name = {(const uint8_t *)what, strlen(what)};
	struct catalog_name n;
	uint8_t tag[OBJECT_TAG];
	int err = object_tag(v->sealer, name, tag);

	if (err == 0)
		err = catalog_name_by_tag(v->catalog, tag, &n);
	if (err == -ENOENT)
		err = find_address(v, what, &n);
	return err == 0 ? give_one(v, &n, fn, arg) : err;
}

int vault_next(struct vault *v, int64_t after, int (*fn)(void *arg, const struct vault_entry *e),
	       void *arg)
{
	struct catalog_name n;
	int err;

	do {
		err = catalog_name_next(v->catalog, after, &n);
		after = n.id;
		if (err == 0)
			err = give_one(v, &n, fn, arg);
		else
			return err;
	} while (err == -ENOENT || err == -ESTALE); /* destroyed meanwhile, or lost */
	return err;
}

bool vault_has(struct vault *v, int64_t id, int64_t put_ns)
{
	struct catalog_name n;

	return catalog_name_next(v->catalog, id - 1, &n) == 0 && n.id == id && n.put_ns == put_ns;
}

int vault_version(struct vault *v, int64_t *ret_version)
{
	return catalog_version(v->catalog, ret_version);
}

void vault_rest(struct vault *v)
{
	catalog_rest(v->catalog);
}

void vault_lone(struct vault *v)
{
	pool_free(v->pool);
	v->pool = NULL;
}

int vault_totals(struct vault *v, struct vault_totals *ret_totals)
{
	struct catalog_totals t;
	int err = catalog_totals(v->catalog, &t);

	if (err == 0)
		*ret_totals = (struct vault_totals){t.objects, t.names, t.size, t.stored};
	return err;
}

/* --- the log ------------------------------------------------------------------------------ */

/* Made with the log's first line. */
static int log_mac(struct vault *v, struct mac **ret_mac)
{
	const uint8_t *key;
	uint32_t id;
	int err = keys_sealing(v->keys, FOR_THE_LOG, KEYS_ALWAYS, &id, &key);

	if (err < 0)
		return err;
	*ret_mac = mac_new(key);
	return *ret_mac ? 0 : -ENOMEM;
}

/* What a line's chain is: of the chain before it, its place, its time and itself. */
static int link_of(struct mac *m, const uint8_t before[CRYPTO_HASH], int64_t seq, int64_t time_ns,
		   struct bytes line, uint8_t ret_chain[CRYPTO_HASH])
{
	int64_t place[2] = {seq, time_ns};
	struct bytes parts[] = {
		{before, CRYPTO_HASH}, {(const uint8_t *)place, sizeof(place)}, line};

	return mac_of(m, parts, 3, ret_chain);
}

int vault_note(struct vault *v, const char *line, size_t len)
{
	uint8_t before[CRYPTO_HASH] = {0}, chain[CRYPTO_HASH];
	struct bytes text = {(const uint8_t *)line, len};
	int64_t seq = 0, now = (int64_t)clock_wall_ns();
	struct mac *m = NULL;
	int err = log_mac(v, &m);

	if (err == 0)
		err = catalog_log_last(v->catalog, &seq, before);
	if (m && (err == 0 || err == -ENOENT))
		err = link_of(m, before, seq + 1, now, text, chain);
	mac_free(m);
	return err == 0 ? catalog_log_add(v->catalog, seq + 1, now, text, chain) : err;
}

int vault_log(struct vault *v, int (*fn)(void *arg, int64_t time_ns, struct bytes line), void *arg)
{
	uint8_t before[CRYPTO_HASH] = {0}, chain[CRYPTO_HASH], want[CRYPTO_HASH];
	struct mac *m = NULL;
	int64_t seq = 0, next, time_ns;
	struct bytes line;
	int err = catalog_log_last(v->catalog, &next, chain);

	if (err == 0)
		err = log_mac(v, &m);
	while (err == 0 &&
	       (err = catalog_log_next(v->catalog, seq, &next, &time_ns, &line, chain)) == 0) {
		err = link_of(m, before, next, time_ns, line, want);
		if (err == 0 && (next != seq + 1 || !crypto_equal(chain, want, CRYPTO_HASH)))
			err = -EUCLEAN;
		if (err == 0)
			err = fn(arg, time_ns, line);
		memcpy(before, chain, sizeof(before));
		seq = next;
	}
	mac_free(m);
	return err == -ENOENT ? 0 : err;
}

int vault_log_head(struct vault *v, uint64_t *ret_lines, uint8_t ret_chain[CRYPTO_HASH])
{
	uint8_t chain[CRYPTO_HASH] = {0};
	int64_t seq = 0;
	int err = catalog_log_last(v->catalog, &seq, chain);

	if (err < 0 && err != -ENOENT)
		return err;
	*ret_lines = (uint64_t)seq;
	memcpy(ret_chain, chain, sizeof(chain));
	return 0;
}
