#include "unit.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "keep/keyring.h"
#include "keep/keys.h"
#include "keep/recovery.h"

static char dir[64];
static char error[KEYS_ERROR];
static const char *typed; /* what the person at the terminal types */
static unsigned asked;

static int type(void *arg, const char *what, bool fresh, char ret_secret[HOLDER_SECRET])
{
	asked++;
	if (!typed)
		return -ECANCELED;
	snprintf(ret_secret, HOLDER_SECRET, "%s", typed);
	return 0;
}

static struct holder_ask ask_at(const char *place)
{
	return (struct holder_ask){.dir = dir, .place = place, .secret = type};
}

static int setup(void **state)
{
	/* A process that is killed does not care what the disk is; a busy disk takes long. */
	strcpy(dir,
	       access("/dev/shm", W_OK) == 0 ? "/dev/shm/bw-keys-XXXXXX" : "/tmp/bw-keys-XXXXXX");
	typed = "correct horse battery staple";
	asked = 0;
	return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static const char *in_dir(const char *name)
{
	static char path[4][160];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void create(const char *holder, const char *place)
{
	struct holder_ask ask = ask_at(place);

	assert_int_equal(keys_create(dir, holder_find(holder), &ask, NULL, error), 0);
}

static struct keys *open_at(const char *place)
{
	struct holder_ask ask = ask_at(place);
	struct keys *k = keys_open(dir, &ask, error);

	if (!k)
		print_message("%s\n", error);
	assert_non_null(k);
	return k;
}

static void refused_at(const char *place, int err)
{
	struct holder_ask ask = ask_at(place);
	struct keys *k = keys_open(dir, &ask, error);

	assert_null(k);
	if (errno != err)
		print_message("%s (%s)\n", error, strerror(errno));
	assert_int_equal(errno, err);
	assert_true(*error);
}

static uint32_t sealing(struct keys *k, const char *purpose, uint32_t day, uint8_t ret_key[32])
{
	const uint8_t *key;
	uint32_t id;

	assert_int_equal(keys_sealing(k, purpose, day, &id, &key), 0);
	memcpy(ret_key, key, 32);
	return id;
}

static void flip(const char *path, long at)
{
	FILE *f = fopen(path, "r+b");
	int c;

	assert_non_null(f);
	fseek(f, at, SEEK_SET);
	c = fgetc(f);
	fseek(f, at, SEEK_SET);
	fputc(c ^ 0x40, f);
	fclose(f);
}

static long size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : (long)st.st_size;
}

/* --- what every holder has to do ---------------------------------------------- */

static void holds(const char *holder, const char *place)
{
	uint8_t made[32], again[32];
	uint32_t id;
	struct keys *k;

	create(holder, place);
	k = open_at("");
	id = sealing(k, "evidence", 20000, made);
	keys_free(k);
	k = open_at("");
	assert_int_equal(sealing(k, "evidence", 20000, again), id);
	assert_memory_equal(made, again, 32);
	keys_free(k);
}

static void a_file_holds(void **state)
{
	struct stat st;

	holds("file", "");
	assert_int_equal(stat(in_dir("trial.key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	chmod(in_dir("trial.key"), 0640);
	refused_at("", EACCES);
	chmod(in_dir("trial.key"), 0600);
	keys_free(open_at(""));
	flip(in_dir("trial.key"), size_of(in_dir("trial.key")) - 1);
	refused_at("", EKEYREJECTED);
	assert_int_equal(truncate(in_dir("trial.key"), 30), 0);
	refused_at("", EKEYREJECTED);
	unlink(in_dir("trial.key"));
	refused_at("", ENOENT);
}

static void a_passphrase_holds(void **state)
{
	FILE *f;

	holds("passphrase", "");
	assert_int_equal(asked, 3);
	typed = "correct horse battery stable";
	refused_at("", EKEYREJECTED);
	assert_string_equal(error, "wrong passphrase");
	typed = "";
	refused_at("", EKEYREJECTED);
	typed = NULL;
	refused_at("", ECANCELED);
	f = fopen(in_dir("pass"), "w");
	fputs("correct horse battery staple\nnot this\n", f);
	fclose(f);
	asked = 0;
	keys_free(open_at(in_dir("pass")));
	assert_int_equal(asked, 0);
}

static void a_credential_holds(void **state)
{
	FILE *f = fopen(in_dir("bedwarden.root"), "w");

	fputs("what systemd-creds decrypted for us", f);
	fclose(f);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	holds("credential", "");
	f = fopen(in_dir("bedwarden.root"), "w");
	fputs("what it decrypted for somebody else", f);
	fclose(f);
	refused_at("", EKEYREJECTED);
	assert_int_equal(truncate(in_dir("bedwarden.root"), 3), 0);
	refused_at("", EKEYREJECTED);
	unlink(in_dir("bedwarden.root"));
	refused_at("", ENOENT);
	refused_at("../keyring", EINVAL);
	unsetenv("CREDENTIALS_DIRECTORY");
	refused_at("", ENOENT);
}

/* Runs a command of the test's own, quietly. */
static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("%s", command);
}

/* A TPM with a seed of its own, in software; it is there when this returns. */
static void start_tpm(const char *name, unsigned port)
{
	mkdir(in_dir(name), 0700);
	run("swtpm socket --tpm2 --tpmstate dir=%s/%s --server type=tcp,port=%u --ctrl "
	    "type=tcp,port=%u --flags not-need-init,startup-clear --daemon --pid file=%s/%s.pid",
	    dir, name, port, port + 1, dir, name);
}

static void stop_tpm(const char *name)
{
	/* Gone it is when it serves nobody any more, not when it was told to go. */
	run("p=$(cat %s/%s.pid); kill $p; while kill -0 $p 2>/dev/null; do sleep 0.01; done", dir,
	    name);
}

static void a_tpm_holds(void **state)
{
	unsigned port = 20000 + (unsigned)getpid() % 6000 * 2; /* clients get higher ones */
	char mine[64], other[64];

	snprintf(mine, sizeof(mine), "swtpm:host=127.0.0.1,port=%u", port);
	snprintf(other, sizeof(other), "swtpm:host=127.0.0.1,port=%u", port + 10);
	start_tpm("mine", port);
	start_tpm("other", port + 10);
	holds("tpm2", mine);
	refused_at(other, EKEYREJECTED);
	assert_non_null(strstr(error, "another TPM"));
	keys_free(open_at(""));
	stop_tpm("mine");
	stop_tpm("other");
	refused_at("", ENODEV);
}

static void init_token(const char *label)
{
	run("SOFTHSM2_CONF=%s/softhsm2.conf softhsm2-util --init-token --free --label %s --pin "
	    "1234 --so-pin 5678 >/dev/null",
	    dir, label);
}

static void a_token_holds(void **state)
{
	static const char module[] = "module-path=/usr/lib/softhsm/libsofthsm2.so";
	char mine[160], other[160], nowhere[160], typing[160];
	FILE *f = fopen(in_dir("softhsm2.conf"), "w");

	fprintf(f, "directories.tokendir = %s\nlog.level = ERROR\n", in_dir("tokens"));
	fclose(f);
	mkdir(in_dir("tokens"), 0700);
	setenv("SOFTHSM2_CONF", in_dir("softhsm2.conf"), 1);
	init_token("ward");
	init_token("other");
	snprintf(mine, sizeof(mine), "pkcs11:token=ward;object=gate?%s&pin-value=1234", module);
	snprintf(other, sizeof(other), "pkcs11:token=other;object=gate?%s&pin-value=1234", module);
	snprintf(nowhere, sizeof(nowhere), "pkcs11:token=away?%s&pin-value=1234", module);
	snprintf(typing, sizeof(typing), "pkcs11:token=ward;object=gate?%s", module);
	holds("pkcs11", mine);
	refused_at(other, EKEYREJECTED);
	refused_at(nowhere, ENODEV);
	typed = "1234";
	keys_free(open_at(typing));
	typed = "4321";
	refused_at(typing, EKEYREJECTED);
	refused_at("pkcs11:token=ward?module-path=/nowhere.so", ENODEV);
	refused_at("no uri", EINVAL);
	unsetenv("SOFTHSM2_CONF");
}

/* --- what the keyring promises -------------------------------------------------- */

static void there_is_one_keyring(void **state)
{
	struct holder_ask ask = ask_at("");

	create("file", "");
	assert_int_equal(keys_create(dir, &holder_file, &ask, NULL, error), -EEXIST);
	keys_free(open_at(""));
}

static void a_key_for_a_purpose_and_a_day(void **state)
{
	uint8_t a[32], b[32];
	uint32_t id;
	struct keys *k;

	create("file", "");
	k = open_at("");
	id = sealing(k, "evidence", 20000, a);
	assert_int_equal(sealing(k, "evidence", 20000, b), id);
	assert_memory_equal(a, b, 32);
	assert_int_not_equal(sealing(k, "evidence", 20001, b), id);
	assert_memory_not_equal(a, b, 32);
	assert_int_not_equal(sealing(k, "firmware", 20000, b), id);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(keys_sealing(k, "", 1, &id, &(const uint8_t *){NULL}), -EINVAL);
	keys_free(k);
}

/* Every byte of the file, one by one: the copy serves, and is told. */
static void a_damaged_keyring_has_a_copy(void **state)
{
	uint8_t made[32], again[32];
	struct keys_state st;
	struct bytes good;
	struct keys *k;
	uint32_t id;

	create("file", "");
	k = open_at("");
	id = sealing(k, "evidence", 20000, made);
	keys_free(k);
	assert_int_equal(file_read(in_dir("keyring"), KEYRING_MAX, &good), 0);
	for (size_t at = 0; at < good.len; at += 7) {
		flip(in_dir("keyring"), (long)at);
		k = open_at("");
		keys_state(k, &st);
		assert_true(st.from_copy);
		assert_int_equal(sealing(k, "evidence", 20000, again), id);
		assert_memory_equal(made, again, 32);
		keys_free(k);
		flip(in_dir("keyring"), (long)at);
	}
	for (size_t len = 0; len < good.len; len += 13) {
		assert_int_equal(truncate(in_dir("keyring"), (long)len), 0);
		keys_free(open_at(""));
	}
	flip(in_dir("keyring.copy"), 50);
	refused_at("", EUCLEAN);
	flip(in_dir("keyring.copy"), 50);
	k = open_at(""); /* the next change mends it */
	sealing(k, "evidence", 20001, again);
	keys_state(k, &st);
	assert_false(st.from_copy);
	keys_free(k);
	unlink(in_dir("keyring.copy"));
	keys_free(open_at(""));
	free((void *)good.data);
}

/* Taking a key out, or putting an older one back, shows even where the sums are right. */
static void a_doctored_keyring_is_refused(void **state)
{
	uint8_t made[32], sum[32];
	struct bytes file;
	struct keys *k;

	create("file", "");
	k = open_at("");
	sealing(k, "evidence", 20000, made);
	keys_free(k);
	assert_int_equal(file_read(in_dir("keyring"), KEYRING_MAX, &file), 0);
	((uint8_t *)file.data)[file.len - 64 - 80] ^= 1; /* in the last entry */
	assert_int_equal(crypto_sha256((struct bytes){file.data, file.len - 32}, sum), 0);
	memcpy((uint8_t *)file.data + file.len - 32, sum, 32);
	assert_int_equal(file_replace(in_dir("keyring"), file, 0600), 0);
	assert_int_equal(file_replace(in_dir("keyring.copy"), file, 0600), 0);
	refused_at("", EUCLEAN);
	free((void *)file.data);
}

static bool file_has(const char *path, const void *what, size_t len)
{
	struct bytes file;
	bool has;

	assert_int_equal(file_read(path, KEYRING_MAX, &file), 0);
	has = memmem(file.data, file.len, what, len) != NULL;
	free((void *)file.data);
	return has;
}

static void a_destroyed_key_is_gone_everywhere(void **state)
{
	struct keys *k, *other;
	uint8_t made[32];
	const uint8_t *key;
	uint32_t id, kept;

	create("file", "");
	k = open_at("");
	id = sealing(k, "evidence", 20000, made);
	kept = sealing(k, "evidence", 20001, made);
	other = open_at("");
	assert_int_equal(keys_opening(other, id, &key), 0);
	assert_true(file_has(in_dir("keyring"), "\0\0\x4e\x20", 4));
	assert_int_equal(keys_destroy(k, id), 0);
	assert_int_equal(keys_opening(k, id, &key), -ENOKEY);
	usleep((KEYS_STALE_MS + 20) * 1000);
	assert_int_equal(keys_opening(other, id, &key), -ENOKEY);
	assert_int_equal(keys_opening(other, kept, &key), 0);
	assert_int_equal(keys_destroy(other, id), -ENOKEY);
	assert_false(file_has(in_dir("keyring"), "\0\0\x4e\x20", 4));
	assert_false(file_has(in_dir("keyring.copy"), "\0\0\x4e\x20", 4));
	assert_int_not_equal(sealing(k, "evidence", 20000, made), id);
	keys_free(other);
	keys_free(k);
}

static void rotation_is_seen_by_those_at_work(void **state)
{
	uint8_t before[32], after[32];
	struct keys *k, *other;
	struct keys_state st;
	const uint8_t *key;
	uint32_t id;

	create("file", "");
	k = open_at("");
	other = open_at("");
	id = sealing(other, "evidence", 20000, before);
	assert_int_equal(keys_rotate(k), 0);
	usleep((KEYS_STALE_MS + 20) * 1000);
	assert_int_equal(keys_opening(other, id, &key), 0);
	assert_memory_equal(key, before, 32);
	keys_state(other, &st);
	assert_int_equal(st.generation, 2);
	assert_int_equal(keys_retire(k, 0), 0);
	assert_int_not_equal(sealing(other, "evidence", 20000, after), id);
	assert_memory_not_equal(before, after, 32);
	assert_int_equal(keys_opening(other, id, &key), 0);
	keys_free(k);
	k = open_at("");
	assert_int_equal(keys_opening(k, id, &key), 0);
	assert_memory_equal(key, before, 32);
	keys_free(k);
	keys_free(other);
}

/* Root rotates the keys of a keeper that runs as somebody else. */
static void root_leaves_the_keyring_to_its_owner(void **state)
{
	struct stat st;
	struct keys *k;

	if (geteuid() != 0)
		skip();
	create("file", "");
	assert_int_equal(chown(in_dir("keyring"), 65534, 65534), 0);
	assert_int_equal(chown(in_dir("keyring.copy"), 65534, 65534), 0);
	k = open_at("");
	assert_int_equal(keys_rotate(k), 0);
	keys_free(k);
	assert_int_equal(stat(in_dir("keyring"), &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(stat(in_dir("keyring.copy"), &st), 0);
	assert_int_equal(st.st_uid, 65534);
	keys_free(open_at(""));
}

static void another_holder_takes_over(void **state)
{
	struct holder_ask ask = ask_at("");
	uint8_t made[32], again[32];
	struct keys *k, *other;
	const uint8_t *key;
	uint32_t id;

	create("file", "");
	k = open_at("");
	id = sealing(k, "evidence", 20000, made);
	other = open_at("");
	ask.secret = NULL;
	assert_int_equal(keys_change_holder(k, &holder_passphrase, &ask, error), -EKEYREJECTED);
	assert_int_equal(sealing(k, "evidence", 20000, again), id); /* as it was */
	ask.secret = type;
	assert_int_equal(keys_change_holder(k, &holder_passphrase, &ask, error), 0);
	assert_int_equal(sealing(k, "evidence", 20000, again), id);
	assert_memory_equal(made, again, 32);
	usleep((KEYS_STALE_MS + 20) * 1000);
	assert_int_equal(keys_opening(other, id, &key), -EKEYREVOKED);
	keys_free(other);
	keys_free(k);
	keys_free(open_at(""));
	typed = "something else";
	refused_at("", EKEYREJECTED);
}

/* The machine is lost, its holder with it: what is left is a copy of the folder, and a paper. */
static void a_recovery_key_opens_without_the_holder(void **state)
{
	char identity[RECOVERY_TEXT], recipient[RECOVERY_TEXT], other[RECOVERY_TEXT];
	struct holder_ask ask = ask_at("");
	uint8_t made[32], again[32];
	struct keys *k;
	uint32_t id;

	assert_int_equal(recovery_new(identity, recipient), 0);
	assert_int_equal(keys_create(dir, &holder_file, &ask, "age1nobody", error), -EINVAL);
	assert_int_equal(keys_create(dir, &holder_file, &ask, recipient, error), 0);
	k = open_at("");
	id = sealing(k, "evidence", 20000, made);
	assert_int_equal(keys_rotate(k), 0);
	keys_free(k);
	unlink(in_dir("trial.key"));
	refused_at("", ENOENT);
	assert_null(keys_recover(dir, "AGE-SECRET-KEY-1", error));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(recovery_new(other, (char[RECOVERY_TEXT]){0}), 0);
	assert_null(keys_recover(dir, other, error));
	assert_int_equal(errno, EKEYREJECTED);
	k = keys_recover(dir, identity, error);
	assert_non_null(k);
	assert_int_equal(sealing(k, "evidence", 20000, again), id);
	assert_memory_equal(made, again, 32);
	assert_int_equal(keys_change_holder(k, &holder_passphrase, &ask, error), 0);
	keys_free(k);
	keys_free(open_at(""));
	keys_free(keys_recover(dir, identity, error)); /* the same paper serves on */
	assert_false(file_has(in_dir("keyring"), identity + 16, 20));
	k = open_at("");
	assert_int_equal(keys_change_recipient(k, NULL, error), 0);
	keys_free(k);
	assert_null(keys_recover(dir, identity, error));
	assert_int_equal(errno, ENOKEY);
}

static void a_recovery_key_is_found_as_people_give_it(void **state)
{
	static const char key[] =
		"AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
	static const struct {
		const char *before, *after;
	} around[] = {
		{"", ""},
		{"    ", "  \r\n"},
		{"The recovery key, which is shown this once:\n\n    ", "\n\nWrite it down.\n"},
		{"# created: today\n# AGE-SECRET-KEY-1OTHER\n", "\n"},
		{"key: ", " (of ward 7)"},
	};
	char text[512], found[RECOVERY_TEXT];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(around) / sizeof(*around); i++) {
		snprintf(text, sizeof(text), "%s%s%s", around[i].before, key, around[i].after);
		assert_true(recovery_find(text, found));
		assert_string_equal(found, key);
	}
	for (size_t i = 0; key[i]; i++) { /* from paper, in groups */
		text[n++] = (char)tolower((unsigned char)key[i]);
		if (i % 5 == 4)
			text[n++] = ' ';
	}
	text[n] = 0;
	assert_true(recovery_find(text, found));
	assert_string_equal(found, key);
	assert_false(recovery_find("", found));
	assert_false(recovery_find("# AGE-SECRET-KEY-1ABC", found));
	assert_false(recovery_find("AGE-SECRET-KEY-", found));
	assert_false(recovery_find("age1nobody\nAGE-SECRET-KEY-PQ-1ABC\n", found));
}

static void wraps_signs_and_tells_purposes_apart(void **state)
{
	struct bytes text = unit_exact("what is told", 12), sealed;
	uint8_t wrapped[12 + KEYS_WRAP], plain[12], sign[64], public[32];
	struct keys *k;

	create("file", "");
	k = open_at("");
	assert_int_equal(keys_wrap(k, "totp", 20000, text, wrapped), 0);
	for (size_t cut = 0; cut < sizeof(wrapped); cut++) {
		sealed = unit_exact(wrapped, cut);
		assert_int_not_equal(keys_unwrap(k, "totp", sealed, plain), 0);
		free((void *)sealed.data);
	}
	sealed = unit_exact(wrapped, sizeof(wrapped));
	assert_int_equal(keys_unwrap(k, "grant", sealed, plain), -EBADMSG);
	assert_int_equal(keys_unwrap(k, "totp", sealed, plain), 0);
	assert_memory_equal(plain, "what is told", 12);
	assert_int_equal(keys_sign(k, "sign.audit", text, sign), 0);
	assert_int_equal(keys_public(k, "sign.audit", public), 0);
	assert_true(sign_check(public, text, sign));
	sign[5] ^= 1;
	assert_false(sign_check(public, text, sign));
	free((void *)sealed.data);
	free((void *)text.data);
	keys_free(k);
}

/* A disk that takes nothing: what was there stays, and works again when there is room. */
static void nothing_is_lost_where_nothing_can_be_written(void **state)
{
	struct rlimit old, none = {100, 0};
	uint8_t made[32], again[32];
	const uint8_t *key;
	struct keys *k;
	uint32_t id, other;

	create("file", "");
	k = open_at("");
	id = sealing(k, "evidence", 20000, made);
	getrlimit(RLIMIT_FSIZE, &old);
	none.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &none);
	assert_int_equal(keys_sealing(k, "evidence", 20001, &other, &key), -EFBIG);
	assert_int_equal(keys_rotate(k), -EFBIG);
	assert_int_equal(keys_destroy(k, id), -EFBIG);
	assert_int_equal(sealing(k, "evidence", 20000, again), id);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_memory_equal(made, again, 32);
	assert_int_equal(keys_rotate(k), 0);
	keys_free(k);
	k = open_at("");
	assert_int_equal(sealing(k, "evidence", 20000, again), id);
	assert_memory_equal(made, again, 32);
	keys_free(k);
}

/* /proc/self/smaps tells of the page that a key lies in. */
static void keys_are_locked_and_left_out_of_dumps(void **state)
{
	uint8_t *key = secret_new(32);
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	bool ours = false, seen = false;
	char line[512];

	assert_non_null(key);
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			ours = (unsigned long)key >= from && (unsigned long)key < to;
		if (ours && strncmp(line, "VmFlags:", 8) == 0) {
			seen = true;
			assert_non_null(strstr(line, " lo"));
			assert_non_null(strstr(line, " dd"));
		}
	}
	assert_true(seen);
	fclose(f);
	memset(key, 0x5a, 32);
	secret_free(key, 32);
	key = secret_new(32);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(key[i], 0);
	secret_free(key, 32);
}

/* --- killed at any moment --------------------------------------------------------- */

struct ack {
	uint32_t id;
	uint16_t destroyed;
	uint16_t last; /* before a kill: it may just have been destroyed */
	uint8_t key[32];
};

/* Adds, rotates, destroys and tells what was done, until it is killed. */
static void work(int out)
{
	struct holder_ask ask = ask_at("");
	struct keys *k = keys_open(dir, &ask, error);
	const uint8_t *key;

	for (uint32_t n = 0; k; n++) {
		struct ack a = {0};

		if (keys_sealing(k, "evidence", 20000, &a.id, &key) < 0)
			break;
		memcpy(a.key, key, 32);
		if (write(out, &a, sizeof(a)) != sizeof(a) || keys_retire(k, a.id) < 0)
			break;
		if (n % 5 == 2 && keys_rotate(k) < 0)
			break;
		if (n % 3 == 1) {
			a.destroyed = 1;
			if (keys_destroy(k, a.id) < 0 || write(out, &a, sizeof(a)) != sizeof(a))
				break;
		}
	}
	_exit(1); /* nothing of this may fail */
}

static void read_acks(int in, struct ack *acks, unsigned *count, unsigned max)
{
	while (*count < max && read(in, &acks[*count], sizeof(*acks)) == (ssize_t)sizeof(*acks))
		(*count)++;
}

static bool gone(const struct ack *acks, unsigned count, uint32_t id)
{
	for (unsigned i = 0; i < count; i++)
		if (acks[i].destroyed && acks[i].id == id)
			return true;
	return false;
}

static void nothing_acknowledged_is_lost_by_kills(void **state)
{
	static struct ack acks[40000];
	struct holder_ask ask = ask_at("");
	unsigned count = 0;

	create("file", "");
	srand((unsigned)time(NULL));
	for (unsigned round = 0; round < 100; round++) {
		int fds[2], status;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (pid == 0)
			work(fds[1]);
		close(fds[1]);
		/* However slow the machine is: killed at the beginning, or somewhere behind. */
		read_acks(fds[0], acks, &count, count + (unsigned)rand() % 5);
		usleep((useconds_t)(rand() % 10000));
		kill(pid, SIGKILL);
		read_acks(fds[0], acks, &count, 40000);
		close(fds[0]);
		if (count > 0)
			acks[count - 1].last = 1;
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		if (round % 10 == 9) {
			struct keys *k = keys_open(dir, &ask, error);
			const uint8_t *key;

			assert_non_null(k);
			for (unsigned i = 0; i < count; i++) {
				int err = keys_opening(k, acks[i].id, &key);

				if (gone(acks, count, acks[i].id))
					assert_int_equal(err, -ENOKEY);
				else if (err == 0)
					assert_memory_equal(key, acks[i].key, 32);
				else
					assert_true(err == -ENOKEY && acks[i].last);
			}
			keys_free(k);
		}
	}
	assert_true(count > 100);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_file_holds),
		T(a_passphrase_holds),
		T(a_credential_holds),
		T(a_tpm_holds),
		T(a_token_holds),
		T(there_is_one_keyring),
		T(a_key_for_a_purpose_and_a_day),
		T(a_damaged_keyring_has_a_copy),
		T(a_doctored_keyring_is_refused),
		T(a_destroyed_key_is_gone_everywhere),
		T(rotation_is_seen_by_those_at_work),
		T(root_leaves_the_keyring_to_its_owner),
		T(another_holder_takes_over),
		T(a_recovery_key_opens_without_the_holder),
		cmocka_unit_test(a_recovery_key_is_found_as_people_give_it),
		T(wraps_signs_and_tells_purposes_apart),
		T(nothing_is_lost_where_nothing_can_be_written),
		T(keys_are_locked_and_left_out_of_dumps),
		T(nothing_acknowledged_is_lost_by_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
