/* The keyring on the disk, its master and root key, and who may open it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "keep/keys_internal.h"
#include "keep/recovery.h"

uint32_t keys_day(uint64_t wall_ns)
{
	uint32_t day = (uint32_t)(wall_ns / NSEC_PER_SEC / 86400);

	return day ? day : 1;
}

/* --- what binds a sealed key to its place ---------------------------------- */

static struct keys_place place_of(const char *what, uint32_t id, uint32_t day, const char *purpose)
{
	struct keys_place p;
	struct writer w = writer_new(p.data, sizeof(p.data));

	write_bytes(&w, what, 4);
	write_be32(&w, id);
	write_be32(&w, day);
	write_bytes(&w, purpose, strlen(purpose));
	p.len = w.len;
	return p;
}

static struct keys_place place_of_master(uint32_t generation)
{
	return place_of("mast", generation, 0, "");
}

struct keys_place keys_place_of(const struct keyring_entry *e)
{
	return place_of("data", e->id, e->day, e->purpose);
}

static struct mac *master_mac(const uint8_t master[CRYPTO_KEY])
{
	uint8_t *key = secret_new(CRYPTO_KEY);
	struct mac *m = NULL;

	if (key && crypto_hkdf((struct bytes){master, CRYPTO_KEY}, (struct bytes){0},
			       "bedwarden keyring", key) == 0)
		m = mac_new(key);
	secret_free(key, CRYPTO_KEY);
	return m;
}

/* --- reading ----------------------------------------------------------------- */

/* One file as it is. 0; -ENOENT; -EUCLEAN, -EPROTO; else -errno. */
static int read_ring(const char *path, struct keyring *ret_ring, struct bytes *ret_file,
		     struct bytes *ret_text, struct bytes *ret_mac)
{
	int err = file_read(path, KEYRING_MAX, ret_file);

	if (err < 0)
		return err == -EFBIG ? -EUCLEAN : err;
	err = keyring_parse(*ret_file, ret_ring, ret_text, ret_mac);
	if (err < 0)
		free((void *)ret_file->data);
	return err;
}

/* The file in hand against the root key: gives the master key. */
static int check_ring(struct keys *k, const struct keyring *ring, struct bytes text,
		      struct bytes mac, uint8_t ret_master[CRYPTO_KEY])
{
	struct keys_place p = place_of_master(ring->generation);
	uint8_t sum[CRYPTO_HASH];
	struct mac *m;
	int err;

	if (cipher_unbox(k->cipher, k->u->root, keys_place_bytes(&p), ring->master, ret_master) < 0)
		return -EKEYREVOKED;
	m = master_mac(ret_master);
	err = m ? mac_of(m, &text, 1, sum) : -ENOMEM;
	if (err == 0 && !crypto_equal(sum, mac.data, CRYPTO_HASH))
		err = -EUCLEAN;
	mac_free(m);
	return err;
}

/* A copy that its disk gave back wrong is as good as none. */
static bool is_damage(int err)
{
	return err == -EUCLEAN || err == -EPROTO || err == -ENOENT || err == -EIO;
}

/* One file, and what it says is true. */
static int read_checked(struct keys *k, const char *path, struct keyring *ret_ring,
			uint8_t ret_master[CRYPTO_KEY])
{
	struct bytes file, text, mac;
	int err = read_ring(path, ret_ring, &file, &text, &mac);

	if (err < 0)
		return err;
	err = check_ring(k, ret_ring, text, mac, ret_master);
	free((void *)file.data);
	if (err < 0)
		keyring_free(ret_ring);
	return err;
}

static int load_file(struct keys *k, const char *path)
{
	struct keyring ring;
	uint8_t *master = secret_new(CRYPTO_KEY);
	struct stat st = {0};
	int err = master ? 0 : -ENOMEM;

	if (err == 0 && stat(path, &st) < 0)
		err = -errno;
	if (err == 0)
		err = read_checked(k, path, &ring, master);
	if (err == 0) {
		keyring_free(&k->ring);
		k->ring = ring;
		k->seen = st;
		memcpy(k->u->master, master, CRYPTO_KEY);
	}
	secret_free(master, CRYPTO_KEY);
	return err;
}

/* Under the lock. What was destroyed or replaced elsewhere must not linger here. */
static int load(struct keys *k)
{
	int err = load_file(k, k->path);

	k->from_copy = false;
	if (is_damage(err) && load_file(k, k->copy) == 0) {
		k->from_copy = true;
		err = 0;
	}
	secret_wipe(k->u->cache, sizeof(k->u->cache));
	return err == -EPROTO || err == -ENOENT ? -EUCLEAN : err;
}

static bool is_current(const struct keys *k)
{
	struct stat st;

	return !k->from_copy && stat(k->path, &st) == 0 && st.st_ino == k->seen.st_ino &&
	       st.st_dev == k->seen.st_dev && st.st_size == k->seen.st_size &&
	       st.st_mtim.tv_sec == k->seen.st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == k->seen.st_mtim.tv_nsec;
}

static int lock(struct keys *k, int how)
{
	while (flock(k->lock, how) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

void keys_unlock(struct keys *k)
{
	flock(k->lock, LOCK_UN);
}

int keys_refresh(struct keys *k)
{
	int err;

	if (is_current(k))
		return 0;
	err = lock(k, LOCK_SH);
	if (err < 0)
		return err;
	err = load(k);
	keys_unlock(k);
	return err;
}

int keys_check_copy(struct keys *k)
{
	struct keyring ring;
	uint8_t *master = secret_new(CRYPTO_KEY);
	int err = master ? lock(k, LOCK_SH) : -ENOMEM;

	if (err == 0) {
		err = read_checked(k, k->copy, &ring, master);
		keys_unlock(k);
	}
	if (err == 0)
		keyring_free(&ring);
	secret_free(master, CRYPTO_KEY);
	return err;
}

/* --- changing ---------------------------------------------------------------- */

static int save(struct keys *k)
{
	struct mac *m = master_mac(k->u->master);
	size_t len = 0;
	uint8_t *file = m ? keyring_write(&k->ring, m, &len) : NULL;
	struct bytes text = {file, len};
	int err = file ? 0 : -ENOMEM;

	/* The copy first: where both are whole, the other one counts. */
	if (err == 0)
		err = file_replace(k->copy, text, 0600);
	if (err == 0)
		err = file_replace(k->path, text, 0600);
	if (err == 0 && stat(k->path, &k->seen) < 0)
		err = -errno;
	if (err == 0)
		k->from_copy = false;
	mac_free(m);
	free(file);
	return err;
}

int keys_begin(struct keys *k)
{
	int err = lock(k, LOCK_EX);

	if (err == 0 && !is_current(k))
		err = load(k);
	if (err < 0)
		keys_unlock(k);
	return err;
}

int keys_drop(struct keys *k, int err)
{
	load(k);
	keys_unlock(k);
	return err;
}

int keys_commit(struct keys *k)
{
	int err = save(k);

	if (err < 0)
		return keys_drop(k, err);
	keys_unlock(k);
	return 0;
}

/* --- master and root ----------------------------------------------------------- */

/* Every data key out of one master key's box and into another's. */
static int rebox_all(struct keys *k, const uint8_t master[CRYPTO_KEY])
{
	uint8_t *key = secret_new(CRYPTO_KEY);
	int err = key ? 0 : -ENOMEM;

	for (uint32_t i = 0; err == 0 && i < k->ring.count; i++) {
		struct keyring_entry *e = &k->ring.entries[i];
		struct keys_place p = keys_place_of(e);

		err = cipher_unbox(k->cipher, k->u->master, keys_place_bytes(&p), e->box, key);
		if (err == 0)
			err = cipher_box(k->cipher, master, keys_place_bytes(&p), key, e->box);
	}
	secret_free(key, CRYPTO_KEY);
	return err == -EBADMSG ? -EUCLEAN : err;
}

/* A new master key under the root key there is. */
static int new_master(struct keys *k)
{
	struct keys_place p = place_of_master(k->ring.generation + 1);
	uint8_t *master = secret_new(CRYPTO_KEY);
	int err = master ? crypto_random(master, CRYPTO_KEY) : -ENOMEM;

	if (err == 0)
		err = rebox_all(k, master);
	if (err == 0)
		err = cipher_box(k->cipher, k->u->root, keys_place_bytes(&p), master,
				 k->ring.master);
	if (err == 0) {
		k->ring.generation++;
		memcpy(k->u->master, master, CRYPTO_KEY);
	}
	secret_free(master, CRYPTO_KEY);
	return err;
}

int keys_rotate(struct keys *k)
{
	int err = keys_begin(k);

	if (err < 0)
		return err;
	err = new_master(k);
	return err == 0 ? keys_commit(k) : keys_drop(k, err);
}

static int hold(struct keyring *ring, const struct holder *h, const struct holder_ask *ask,
		const uint8_t root[CRYPTO_KEY], char *error)
{
	struct writer w = writer_new(ring->blob, sizeof(ring->blob));
	int err = h->wrap(ask, root, &w, error);

	if (err < 0)
		return err;
	if (w.bad || strlen(ask->place) >= sizeof(ring->place))
		return holder_fail(error, -ENAMETOOLONG, "the holder's place is too long");
	ring->blob_len = w.len;
	snprintf(ring->holder, sizeof(ring->holder), "%s", h->name);
	snprintf(ring->place, sizeof(ring->place), "%s", ask->place);
	return 0;
}

static int make_recoverable(struct keyring *ring, const char *recipient,
			    const uint8_t root[CRYPTO_KEY], char *error)
{
	struct writer w = writer_new(ring->recovery, sizeof(ring->recovery));
	int err;

	if (recipient != ring->recipient &&
	    snprintf(ring->recipient, sizeof(ring->recipient), "%s", recipient ? recipient : "") >=
		    (int)sizeof(ring->recipient))
		return holder_fail(error, -EINVAL, "the recipient is too long");
	ring->recovery_len = 0;
	if (!*ring->recipient)
		return 0;
	err = recovery_seal(ring->recipient, root, &w);
	if (err < 0)
		return holder_fail(error, err, "'%s' is no age recipient", ring->recipient);
	ring->recovery_len = w.len;
	return 0;
}

/* Everything under a root key that is new; the caller saves. */
static int new_root(struct keys *k, const struct holder *h, const struct holder_ask *ask,
		    const char *recipient, char *error)
{
	uint8_t *root = secret_new(CRYPTO_KEY);
	int err = root ? crypto_random(root, CRYPTO_KEY) : -ENOMEM;

	if (err == 0)
		err = hold(&k->ring, h, ask, root, error);
	if (err == 0)
		err = make_recoverable(&k->ring, recipient, root, error);
	if (err == 0) {
		memcpy(k->u->root, root, CRYPTO_KEY);
		err = new_master(k);
	}
	secret_free(root, CRYPTO_KEY);
	return err;
}

/* The old root key opens the old keyring, should the new one not come to be. */
int keys_change_holder(struct keys *k, const struct holder *h, const struct holder_ask *ask,
		       char ret_error[KEYS_ERROR])
{
	uint8_t *old = secret_new(CRYPTO_KEY);
	int err = old ? keys_begin(k) : -ENOMEM;

	*ret_error = 0;
	if (err < 0) {
		secret_free(old, CRYPTO_KEY);
		return err;
	}
	memcpy(old, k->u->root, CRYPTO_KEY);
	err = new_root(k, h, ask, k->ring.recipient, ret_error);
	if (err == 0)
		err = save(k);
	if (err < 0) {
		memcpy(k->u->root, old, CRYPTO_KEY);
		load(k);
	}
	keys_unlock(k);
	secret_free(old, CRYPTO_KEY);
	return err;
}

int keys_change_recipient(struct keys *k, const char *recipient, char ret_error[KEYS_ERROR])
{
	int err = keys_begin(k);

	*ret_error = 0;
	if (err < 0)
		return err;
	err = make_recoverable(&k->ring, recipient, k->u->root, ret_error);
	return err == 0 ? keys_commit(k) : keys_drop(k, err);
}

/* --- making and opening ---------------------------------------------------------- */

static struct keys *keys_new(const char *dir, char *error)
{
	struct keys *k = calloc(1, sizeof(*k));
	char path[PATH_MAX];
	int err = k ? 0 : -ENOMEM;

	if (err == 0) {
		k->lock = -1;
		k->u = secret_new(sizeof(*k->u));
		k->cipher = cipher_new();
		err = k->u && k->cipher ? 0 : -ENOMEM;
	}
	if (err == 0 && (snprintf(k->path, sizeof(k->path), "%s/keyring", dir) >= PATH_MAX ||
			 snprintf(k->copy, sizeof(k->copy), "%s/keyring.copy", dir) >= PATH_MAX ||
			 snprintf(path, sizeof(path), "%s/keyring.lock", dir) >= PATH_MAX))
		err = -ENAMETOOLONG;
	if (err == 0) {
		k->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		err = k->lock < 0 ? -errno : file_follow_folder(k->lock, path);
	}
	if (err == 0)
		return k;
	holder_fail(error, err, "%s: %s", dir, strerror(-err));
	keys_free(k);
	errno = -err;
	return NULL;
}

void keys_free(struct keys *k)
{
	if (!k)
		return;
	if (k->lock >= 0)
		close(k->lock);
	keyring_free(&k->ring);
	secret_free(k->u, sizeof(*k->u));
	cipher_free(k->cipher);
	free(k);
}

int keys_create(const char *dir, const struct holder *h, const struct holder_ask *ask,
		const char *recipient, char ret_error[KEYS_ERROR])
{
	struct keys *k = keys_new(dir, ret_error);
	struct stat st;
	int err = k ? lock(k, LOCK_EX) : -errno;

	if (err < 0) {
		keys_free(k);
		return err;
	}
	if (lstat(k->path, &st) == 0 || lstat(k->copy, &st) == 0)
		err = holder_fail(ret_error, -EEXIST, "%s has a keyring already", dir);
	k->ring.next_id = 1;
	*ret_error = err == 0 ? 0 : *ret_error;
	if (err == 0)
		err = new_root(k, h, ask, recipient, ret_error);
	if (err == 0)
		err = save(k);
	if (err < 0 && !*ret_error)
		holder_fail(ret_error, err, "%s: %s", k->path, strerror(-err));
	keys_unlock(k);
	keys_free(k);
	return err;
}

/* The keyring as it is before anything is unlocked; its copy where it is damaged. */
static int peek(struct keys *k, struct keyring *ret_ring, char *error)
{
	struct bytes file, text, mac;
	int err = lock(k, LOCK_SH);

	if (err < 0)
		return err;
	err = read_ring(k->path, ret_ring, &file, &text, &mac);
	if (is_damage(err) && read_ring(k->copy, ret_ring, &file, &text, &mac) == 0)
		err = 0;
	keys_unlock(k);
	if (err == 0)
		free((void *)file.data);
	else if (err == -ENOENT)
		holder_fail(error, err, "%s: there is no keyring; 'bedwarden vault init' makes one",
			    k->path);
	else if (err == -EUCLEAN || err == -EPROTO)
		err = holder_fail(error, -EUCLEAN,
				  "%s and its copy are damaged; put back a backup of the folder",
				  k->path);
	else
		holder_fail(error, err, "%s: %s", k->path, strerror(-err));
	return err;
}

static int ask_holder(struct keys *k, const struct keyring *ring, const struct holder_ask *ask,
		      char *error)
{
	const struct holder *h = holder_find(ring->holder);
	struct holder_ask there = *ask;
	int err;

	if (!h)
		return holder_fail(error, -EUCLEAN, "%s names a holder '%.32s' that is none",
				   k->path, ring->holder);
	if (!*there.place)
		there.place = ring->place;
	err = h->unwrap(&there, (struct bytes){ring->blob, ring->blob_len}, k->u->root, error);
	if (stat(there.place, &k->place) < 0)
		k->place.st_nlink = 0;
	if (err < 0 && !*error)
		holder_fail(error, err, "%s: %s", h->name, strerror(-err));
	return err;
}

/* The root key is there: the rest. */
static int finish_opening(struct keys *k, char *error)
{
	int err = lock(k, LOCK_SH);

	if (err == 0) {
		err = load(k);
		keys_unlock(k);
	}
	if (err == -EKEYREVOKED)
		return holder_fail(error, -EUCLEAN, "%s was put together from two keyrings",
				   k->path);
	if (err < 0)
		return holder_fail(error, err, "%s is damaged; put back a backup of the folder",
				   k->path);
	return 0;
}

static struct keys *open_by(const char *dir, const struct holder_ask *ask, const char *identity,
			    char *error)
{
	struct keys *k = keys_new(dir, error);
	struct keyring *ring = k ? calloc(1, sizeof(*ring)) : NULL;
	int err;

	*error = k ? 0 : *error;
	if (!ring) {
		keys_free(k);
		return NULL;
	}
	err = peek(k, ring, error);
	if (err == 0 && identity && !ring->recovery_len)
		err = holder_fail(error, -ENOKEY, "%s was made without a recovery key", k->path);
	else if (err == 0 && identity)
		err = recovery_open(identity, (struct bytes){ring->recovery, ring->recovery_len},
				    k->u->root);
	else if (err == 0)
		err = ask_holder(k, ring, ask, error);
	if (err < 0 && !*error)
		holder_fail(error, err,
			    err == -EINVAL ? "this is no recovery key"
					   : "this recovery key is not of this keyring");
	keyring_free(ring);
	free(ring);
	if (err == 0)
		err = finish_opening(k, error);
	if (err == 0)
		return k;
	keys_free(k);
	errno = -err;
	return NULL;
}

struct keys *keys_open(const char *dir, const struct holder_ask *ask, char ret_error[KEYS_ERROR])
{
	return open_by(dir, ask, NULL, ret_error);
}

struct keys *keys_recover(const char *dir, const char *identity, char ret_error[KEYS_ERROR])
{
	return open_by(dir, NULL, identity, ret_error);
}

struct keys *keys_again(const struct keys *k, char ret_error[KEYS_ERROR])
{
	char dir[PATH_MAX];
	struct keys *again;
	int err;

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(k->path, '/') - k->path), k->path);
	again = keys_new(dir, ret_error);
	if (!again)
		return NULL;
	memcpy(again->u->root, k->u->root, CRYPTO_KEY);
	again->place = k->place;
	err = finish_opening(again, ret_error);
	if (err == 0)
		return again;
	keys_free(again);
	errno = -err;
	return NULL;
}

void keys_state(const struct keys *k, struct keys_state *ret_state)
{
	*ret_state = (struct keys_state){
		.holder = holder_find(k->ring.holder),
		.recipient = k->ring.recipient,
		.generation = k->ring.generation,
		.count = k->ring.count,
		.next_id = k->ring.next_id,
		.from_copy = k->from_copy,
	};
}

bool keys_are_held_in(const struct keys *k, const struct stat *st)
{
	return k->place.st_nlink && k->place.st_dev == st->st_dev && k->place.st_ino == st->st_ino;
}
