#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "keep/audit.h"
#include "keep/keys.h"

static char dir[64], error[AUDIT_ERROR];
static struct keys *keys;
static uint8_t key[CRYPTO_KEY];

static const char *at(const char *name)
{
	static char path[4][128];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static int setup(void **state)
{
	struct holder_ask ask = {.dir = dir, .place = ""};
	char why[KEYS_ERROR];

	strcpy(dir,
	       access("/dev/shm", W_OK) == 0 ? "/dev/shm/bw-audit-XXXXXX" : "/tmp/bw-audit-XXXXXX");
	if (!mkdtemp(dir) || keys_create(dir, holder_find("file"), &ask, NULL, why) < 0)
		return -1;
	keys = keys_open(dir, &ask, why);
	return !keys || keys_public(keys, AUDIT_PURPOSE, key) < 0;
}

static int teardown(void **state)
{
	char command[128];

	keys_free(keys);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct audit_log *opened(struct keys *k)
{
	struct audit_log *a = audit_open(dir, k, error);

	if (!a)
		fail_msg("%s", error);
	return a;
}

static void act(struct audit_log *a, const char *who, const char *what)
{
	struct audit_entry e = {.who = who, .what = what, .as = "session", .source = "10.0.0.5"};

	assert_int_equal(audit_append(a, &e), 0);
}

/* A trail of five: the beginning and four acts. */
static void five(void)
{
	struct audit_log *a = opened(keys);

	act(a, "anna", "grant.request");
	act(a, "ben", "grant.approve");
	act(a, "anna", "policy.apply");
	act(a, "ben", "user.add");
	audit_free(a);
}

static struct audit_report verified(const struct audit_checkpoint *elsewhere)
{
	struct audit_report r;

	assert_int_equal(audit_verify(dir, key, elsewhere, &r), 0);
	return r;
}

static char *lines[64];
static unsigned count;

static void read_lines(void)
{
	struct bytes text;
	char *copy;

	assert_int_equal(file_read(at("audit.log"), 1 << 20, &text), 0);
	copy = strndup((const char *)text.data, text.len);
	free((void *)text.data);
	count = 0;
	for (char *l = strtok(copy, "\n"); l; l = strtok(NULL, "\n"))
		lines[count++] = strdup(l);
	free(copy);
}

static void write_lines(void)
{
	FILE *f = fopen(at("audit.log"), "w");

	for (unsigned i = 0; i < count; i++) {
		fprintf(f, "%s\n", lines[i]);
		free(lines[i]);
	}
	fclose(f);
}

/* By who does not have the key but knows how lines are chained. */
static void chain_anew(void)
{
	uint8_t hash[CRYPTO_HASH] = {0}, all[4096];

	for (unsigned i = 0; i < count; i++) {
		size_t len = strlen(lines[i] + 65);

		memcpy(all, hash, 32);
		memcpy(all + 32, lines[i] + 65, len);
		crypto_sha256((struct bytes){all, len + 32}, hash);
		for (unsigned b = 0; b < 32; b++) {
			char two[3];

			snprintf(two, sizeof(two), "%02x", hash[b]);
			memcpy(lines[i] + 2 * b, two, 2);
		}
	}
}

static void whole(void **state)
{
	struct audit_report r;

	five();
	r = verified(NULL);
	assert_int_equal(r.state, AUDIT_WHOLE);
	assert_int_equal(r.count, 5);
	assert_int_equal(r.sure, 5);
	assert_true(r.key_known);
	assert_false(r.torn);
}

static void edited(void **state)
{
	struct audit_report r;

	five();
	read_lines();
	memcpy(strstr(lines[2], "ben"), "eve", 3);
	write_lines();
	r = verified(NULL);
	assert_int_equal(r.state, AUDIT_CHANGED);
	assert_int_equal(r.where, 3);
}

/* Every byte of the log, one at a time: none may change unseen. */
static void any_byte(void **state)
{
	struct bytes text;
	uint8_t *copy;

	five();
	assert_int_equal(file_read(at("audit.log"), 1 << 20, &text), 0);
	copy = malloc(text.len);
	for (size_t i = 0; i < text.len; i++) {
		int fd = open(at("audit.log"), O_WRONLY | O_TRUNC);
		struct audit_report r;

		memcpy(copy, text.data, text.len);
		copy[i] ^= 1;
		assert_int_equal(file_write(fd, (struct bytes){copy, text.len}), 0);
		close(fd);
		r = verified(NULL);
		if (r.state != AUDIT_CHANGED && r.state != AUDIT_CUT)
			fail_msg("byte %zu changed unseen", i);
	}
	free(copy);
	free((void *)text.data);
}

static void edited_and_chained(void **state)
{
	struct audit_report r;

	five();
	read_lines();
	memcpy(strstr(lines[2], "ben"), "eve", 3);
	chain_anew();
	write_lines();
	r = verified(NULL);
	assert_int_equal(r.state, AUDIT_CHANGED);
}

static void removed(void **state)
{
	five();
	read_lines();
	free(lines[2]);
	memmove(lines + 2, lines + 3, 2 * sizeof(*lines));
	count--;
	write_lines();
	assert_int_equal(verified(NULL).state, AUDIT_CHANGED);
}

static void removed_and_chained(void **state)
{
	five();
	read_lines();
	free(lines[2]);
	memmove(lines + 2, lines + 3, 2 * sizeof(*lines));
	count--;
	chain_anew();
	write_lines();
	assert_int_equal(verified(NULL).state, AUDIT_CUT);
}

static void reordered(void **state)
{
	char *swap;

	five();
	read_lines();
	swap = lines[2];
	lines[2] = lines[3];
	lines[3] = swap;
	write_lines();
	assert_int_equal(verified(NULL).state, AUDIT_CHANGED);
	read_lines();
	chain_anew();
	write_lines();
	assert_int_equal(verified(NULL).state, AUDIT_CHANGED);
}

static void cut(void **state)
{
	struct audit_report r;
	struct stat st;

	five();
	read_lines();
	free(lines[--count]);
	write_lines();
	r = verified(NULL);
	assert_int_equal(r.state, AUDIT_CUT);
	assert_int_equal(r.count, 4);
	/* The end of the last line alone, too. */
	assert_int_equal(stat(at("audit.log"), &st), 0);
	assert_int_equal(truncate(at("audit.log"), st.st_size - 1), 0);
	assert_int_equal(verified(NULL).state, AUDIT_CUT);
	assert_int_equal(truncate(at("audit.log"), 0), 0);
	assert_int_equal(verified(NULL).state, AUDIT_CUT);
}

static void without_checkpoint(void **state)
{
	struct audit_report r;

	five();
	unlink(at("audit.checkpoint"));
	r = verified(NULL);
	assert_int_equal(r.state, AUDIT_UNSIGNED);
	assert_int_equal(r.sure, 0);
}

/* Both files as they were before: on this machine alone nothing shows it. */
static void rolled_back(void **state)
{
	struct audit_log *a;
	struct audit_checkpoint later;
	struct bytes log, checkpoint;
	char line[AUDIT_CHECKPOINT_MAX];
	size_t len;

	five();
	assert_int_equal(file_read(at("audit.log"), 1 << 20, &log), 0);
	assert_int_equal(file_read(at("audit.checkpoint"), 4096, &checkpoint), 0);
	a = opened(keys);
	act(a, "ben", "grant.revoke");
	audit_checkpoint_of(a, &later);
	audit_free(a);
	len = audit_checkpoint_text(&later, line);
	assert_true(audit_checkpoint_parse((struct bytes){(uint8_t *)line, len}, &later));
	assert_int_equal(verified(&later).state, AUDIT_WHOLE);
	assert_int_equal(file_replace(at("audit.log"), log, 0640), 0);
	assert_int_equal(file_replace(at("audit.checkpoint"), checkpoint, 0640), 0);
	assert_int_equal(verified(NULL).state, AUDIT_WHOLE);
	assert_int_equal(verified(&later).state, AUDIT_CUT);
	free((void *)log.data);
	free((void *)checkpoint.data);
}

static void forged_checkpoint(void **state)
{
	struct audit_checkpoint c;
	char line[AUDIT_CHECKPOINT_MAX];
	struct bytes text;
	size_t len;

	five();
	assert_int_equal(file_read(at("audit.checkpoint"), 4096, &text), 0);
	assert_true(audit_checkpoint_parse(text, &c));
	free((void *)text.data);
	c.count = 4;
	len = audit_checkpoint_text(&c, line);
	file_replace(at("audit.checkpoint"), (struct bytes){(uint8_t *)line, len}, 0640);
	assert_int_equal(verified(NULL).state, AUDIT_FORGED);
	/* By another key than ours, which fits. */
	c.count = 5;
	c.key[0] ^= 1;
	len = audit_checkpoint_text(&c, line);
	file_replace(at("audit.checkpoint"), (struct bytes){(uint8_t *)line, len}, 0640);
	assert_int_equal(verified(NULL).state, AUDIT_FORGED);
	file_replace(at("audit.checkpoint"), (struct bytes){(uint8_t *)"x\n", 2}, 0640);
	assert_int_equal(verified(NULL).state, AUDIT_FORGED);
}

static void checkpoint_texts(void **state)
{
	static const char *const bad[] = {"", "audit-checkpoint-1", "audit-checkpoint-2 0 0",
					  "audit-checkpoint-1  ", "audit-checkpoint-1 zz 1 zz 1"};
	struct audit_checkpoint c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct bytes b = unit_exact(bad[i], strlen(bad[i]));

		assert_false(audit_checkpoint_parse(b, &c));
		free((void *)b.data);
	}
}

/* What was broken is kept, and the new trail begins by saying so. */
static void broken_is_set_aside(void **state)
{
	struct audit_log *a;

	five();
	read_lines();
	memcpy(strstr(lines[2], "ben"), "eve", 3);
	write_lines();
	a = opened(keys);
	assert_non_null(strstr(audit_found(a), "entry 3"));
	audit_free(a);
	read_lines();
	assert_int_equal(count, 1);
	assert_non_null(strstr(lines[0], "\"audit.begin\""));
	assert_non_null(strstr(lines[0], "entry 3"));
	write_lines();
	assert_int_equal(verified(NULL).state, AUDIT_WHOLE);
}

static void torn_line(void **state)
{
	struct audit_log *a;
	FILE *f;

	five();
	f = fopen(at("audit.log"), "a");
	fputs("0123 {\"seq\":6,\"ti", f);
	fclose(f);
	assert_int_equal(verified(NULL).state, AUDIT_WHOLE);
	assert_true(verified(NULL).torn);
	a = opened(keys);
	assert_non_null(strstr(audit_found(a), "power cut"));
	act(a, "anna", "grant.request");
	audit_free(a);
	assert_int_equal(verified(NULL).state, AUDIT_WHOLE);
	assert_int_equal(verified(NULL).count, 7);
}

/* Entries between the log's sync and the checkpoint's: a kill there costs nothing. */
static void behind_the_checkpoint(void **state)
{
	struct bytes old;
	struct audit_log *a;

	five();
	assert_int_equal(file_read(at("audit.checkpoint"), 4096, &old), 0);
	a = opened(keys);
	act(a, "anna", "grant.request");
	audit_free(a);
	file_replace(at("audit.checkpoint"), old, 0640);
	free((void *)old.data);
	assert_int_equal(verified(NULL).state, AUDIT_WHOLE);
	assert_int_equal(verified(NULL).sure, 5);
	audit_free(opened(keys));
	assert_int_equal(verified(NULL).sure, 6);
}

static void locked_keys(void **state)
{
	struct audit_log *a = opened(NULL);

	act(a, "anna", "grant.request");
	audit_free(a);
	assert_int_equal(verified(NULL).state, AUDIT_UNSIGNED);
	audit_free(opened(keys));
	assert_int_equal(verified(NULL).state, AUDIT_WHOLE);
	assert_int_equal(verified(NULL).sure, 2);
}

/* Without keys nothing is signed, and no signature is lost. */
static void signed_then_locked(void **state)
{
	struct audit_log *a;

	five();
	a = opened(NULL);
	act(a, "anna", "grant.request");
	audit_free(a);
	assert_int_equal(verified(NULL).state, AUDIT_WHOLE);
	assert_int_equal(verified(NULL).count, 6);
	assert_int_equal(verified(NULL).sure, 5);
}

static void two_writers(void **state)
{
	struct audit_log *a = opened(keys), *b = opened(keys);

	for (unsigned i = 0; i < 100; i++)
		act(i % 2 ? a : b, "anna", "grant.request");
	audit_free(a);
	audit_free(b);
	assert_int_equal(verified(NULL).state, AUDIT_WHOLE);
	assert_int_equal(verified(NULL).count, 101);
}

/* Put back older under a running gateway: it does not go on as if nothing were. */
static void changed_under_us(void **state)
{
	struct audit_entry e = {.who = "anna", .what = "grant.request"};
	struct audit_log *a;

	five();
	a = opened(keys);
	read_lines();
	free(lines[--count]);
	write_lines();
	assert_int_equal(audit_append(a, &e), -EUCLEAN);
	audit_free(a);
}

static void collect(void *arg, struct bytes row)
{
	char *all = arg;
	const char *seq = memmem(row.data, row.len, "\"seq\":", 6);

	assert_non_null(seq);
	sprintf(all + strlen(all), "%ld ", strtol(seq + 6, NULL, 10));
}

static void listed(void **state)
{
	struct audit_query q = {.limit = 3};
	struct audit_log *a = opened(keys);
	char got[8192] = "";
	uint64_t next;

	for (unsigned i = 0; i < 200; i++)
		act(a, i % 50 ? "anna" : "ben", i % 3 ? "grant.request" : "policy.apply");
	assert_int_equal(audit_list(a, &q, collect, got, &next), 0);
	assert_string_equal(got, "201 200 199 ");
	assert_int_equal(next, 199);
	*got = 0;
	q.before = next;
	assert_int_equal(audit_list(a, &q, collect, got, &next), 0);
	assert_string_equal(got, "198 197 196 ");
	*got = 0;
	q = (struct audit_query){.limit = 100, .who = "ben"};
	assert_int_equal(audit_list(a, &q, collect, got, &next), 0);
	assert_string_equal(got, "152 102 52 2 ");
	assert_int_equal(next, 0);
	*got = 0;
	q = (struct audit_query){.limit = 1, .what = "audit."};
	assert_int_equal(audit_list(a, &q, collect, got, &next), 0);
	assert_string_equal(got, "1 ");
	*got = 0;
	assert_int_equal(audit_since(a, 63, 4, collect, got), 0);
	assert_string_equal(got, "63 64 65 66 ");
	*got = 0;
	assert_int_equal(audit_since(a, 202, 4, collect, got), 0);
	assert_string_equal(got, "");
	audit_free(a);
}

/* Two lines made one behind our back: whoever reads rows is told, and does not look for the other for ever. */
static void a_line_that_is_gone_is_missed(void **state)
{
	struct audit_query q = {.limit = 100};
	struct audit_log *a;
	char got[8192] = "";
	uint64_t next;
	int fd;

	five();
	a = opened(keys);
	read_lines();
	fd = open(at("audit.log"), O_WRONLY);
	assert_int_equal(pwrite(fd, " ", 1, (off_t)strlen(lines[0])), 1);
	close(fd);
	while (count)
		free(lines[--count]);
	alarm(10);
	assert_int_equal(audit_since(a, 1, 100, collect, got), -EUCLEAN);
	assert_int_equal(audit_list(a, &q, collect, got, &next), -EUCLEAN);
	alarm(0);
	audit_free(a);
}

static void hostile_fields(void **state)
{
	struct audit_log *a = opened(keys);
	struct audit_entry e = {
		.who = "an\"na\n{\xff", .what = "grant.request", .outcome = AUDIT_MINOR};
	char *wide = malloc(100001);

	memset(wide, 1, 100000);
	wide[100000] = 0;
	e.text = e.object = e.source = e.reason = e.session = e.mac = e.role = e.as = wide;
	assert_int_equal(audit_append(a, &e), 0);
	for (size_t i = 0; i + 2 < 100000; i += 3)
		memcpy(wide + i, "\u20ac", 3);
	assert_int_equal(audit_append(a, &e), 0);
	e.who = "";
	assert_int_equal(audit_append(a, &e), -EINVAL);
	free(wide);
	audit_free(a);
	assert_int_equal(verified(NULL).state, AUDIT_WHOLE);
	assert_int_equal(verified(NULL).count, 3);
}

/* Killed at any moment: every entry that was acknowledged is there. */
static void killed(void **state)
{
	for (unsigned round = 0; round < 20; round++) {
		uint32_t *done;
		int pipes[2], status;
		struct timespec nap = {.tv_nsec = 1000000 + (long)(round * 377777)};
		uint64_t before;
		pid_t pid;

		audit_free(opened(keys));
		before = verified(NULL).count;
		assert_int_equal(pipe(pipes), 0);
		pid = fork();
		if (pid == 0) {
			struct audit_log *a = audit_open(dir, keys, error);
			struct audit_entry e = {.who = "anna", .what = "grant.request"};

			while (a && audit_append(a, &e) == 0)
				if (write(pipes[1], "x", 1) != 1)
					break;
			_exit(1);
		}
		close(pipes[1]);
		nanosleep(&nap, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		done = calloc(1, sizeof(*done));
		for (char x; read(pipes[0], &x, 1) == 1;)
			(*done)++;
		close(pipes[0]);
		audit_free(opened(keys));
		assert_int_equal(verified(NULL).state, AUDIT_WHOLE);
		assert_true(verified(NULL).count >= before + *done);
		free(done);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(whole),
		T(edited),
		T(any_byte),
		T(edited_and_chained),
		T(removed),
		T(removed_and_chained),
		T(reordered),
		T(cut),
		T(without_checkpoint),
		T(rolled_back),
		T(forged_checkpoint),
		T(checkpoint_texts),
		T(broken_is_set_aside),
		T(torn_line),
		T(behind_the_checkpoint),
		T(locked_keys),
		T(signed_then_locked),
		T(two_writers),
		T(changed_under_us),
		T(listed),
		T(a_line_that_is_gone_is_missed),
		T(hostile_fields),
		T(killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
