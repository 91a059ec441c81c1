/* What goes into the vault by itself: in pieces, from a thread, for as long as it must be kept. */
#include "safe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "keep/intake.h"
#include "keep/spool.h"
#include "keep/vault_choice.h"

static const char *vault;
static struct keys *keys;

static int set_up(void **state)
{
	if (safe_open(state) != 0)
		return -1;
	vault = asking()->dir;
	keys = keys_open(vault, asking(), error);
	return keys ? 0 : -1;
}

static int tear_down(void **state)
{
	keys_free(keys);
	return safe_close(state);
}

static void fill(uint8_t *to, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		to[i] = (uint8_t)(seed >> 24);
	}
}

/* --- spool ------------------------------------------------------------------------- */

static void compare_spool(struct spool *s, const uint8_t *want, size_t len, size_t step)
{
	uint8_t *got = malloc(len + step);
	size_t at = 0;
	ssize_t n;

	assert_int_equal(spool_rewind(s), 0);
	while ((n = spool_read(s, got + at, step)) > 0)
		at += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(at, len);
	assert_memory_equal(got, want, len);
	free(got);
}

static void a_spool_gives_back_every_byte(void **state)
{
	static const size_t sizes[] = {0, 1, 2048, 2049, 131071, 131072, 131073, 262144, 1000000};
	uint8_t *data = malloc(1000000);

	fill(data, 1000000, 1);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct spool *s = spool_new(dir);
		struct bytes rest = {data, sizes[i]};

		while (rest.len) {
			size_t n = rest.len < 70001 ? rest.len : 70001;

			assert_int_equal(spool_add(s, (struct bytes){rest.data, n}), 0);
			rest = (struct bytes){rest.data + n, rest.len - n};
		}
		assert_int_equal(spool_size(s), sizes[i]);
		compare_spool(s, data, sizes[i], 262145);
		compare_spool(s, data, sizes[i], 999); /* and again, as after a disk was full */
		spool_free(s);
	}
	free(data);
}

/* The file behind a spool, though it has no name. -1: none. */
static int spool_file(void)
{
	struct dirent *e;
	DIR *d = opendir("/proc/self/fd");
	int found = -1;

	while ((e = readdir(d)) != NULL) {
		char path[300], to[300] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
		if (readlink(path, to, sizeof(to) - 1) > 0 && strstr(to, "spool.part"))
			found = open(path, O_RDWR);
	}
	closedir(d);
	return found;
}

static void what_is_long_lies_sealed_in_a_file_without_a_name(void **state)
{
	struct spool *s = spool_new(dir);
	static char page[200000];
	uint8_t *got = malloc(300000);
	struct stat st;
	ssize_t n;
	int fd;

	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = "DOE^JANE "[i % 9];
	assert_int_equal(spool_add(s, (struct bytes){(uint8_t *)page, sizeof(page)}), 0);
	assert_int_equal(spool_rewind(s), 0);
	fd = spool_file();
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	n = pread(fd, got, 300000, 0);
	assert_true(n > (ssize_t)sizeof(page));
	assert_null(memmem(got, (size_t)n, "JANE", 4));
	/* What the disk gives back altered is not given on. */
	got[1000] ^= 1;
	assert_int_equal(pwrite(fd, got, 2000, 0), 2000);
	assert_int_equal(spool_read(s, got, 300000), -EBADMSG);
	close(fd);
	free(got);
	spool_free(s);
}

/* --- intake -------------------------------------------------------------------------- */

static struct intake *open_intake(uint64_t max, uint64_t reserve)
{
	struct intake *in = intake_new(
		&(struct intake_options){
			.dir = vault, .keys = keys, .max_bytes = max, .reserve_bytes = reserve},
		error);

	if (!in)
		print_message("%s\n", error);
	assert_non_null(in);
	return in;
}

static struct deposit *begin(struct intake *in, const char *class, unsigned n, int days)
{
	struct deposit *d = intake_begin(in);

	assert_non_null(d);
	snprintf(d->name, sizeof(d->name), "%s/%u", class, n);
	strcpy(d->class, class);
	d->until_ns = (int64_t)clock_wall_ns() + days * DAY_NS;
	d->tag[0] = n;
	return d;
}

static void deposit_one(struct intake *in, const char *class, unsigned n, size_t len, int days)
{
	struct deposit *d = begin(in, class, n, days);
	uint8_t *data = malloc(len + 1);

	fill(data, len, n);
	for (size_t at = 0; at < len; at += 10000) {
		size_t piece = len - at < 10000 ? len - at : 10000;

		assert_int_equal(intake_add(in, d, (struct bytes){data + at, piece}), 0);
	}
	intake_end(in, d);
	free(data);
}

/* Waits for the next that is done. */
static struct deposit *await(struct intake *in)
{
	struct pollfd p = {.fd = intake_fd(in), .events = POLLIN};
	struct deposit *d;

	while (!(d = intake_next(in)))
		assert_int_equal(poll(&p, 1, 20000), 1);
	return d;
}

/* Beside the intake, as the command line does it. */
static int kept_whole(const char *name, size_t len, uint32_t seed)
{
	struct holder_ask ask = {.dir = vault, .place = ""};
	struct vault *v = vault_open(vault, &ask, 1, error);
	uint8_t *want = malloc(len + 1);
	int err;

	assert_non_null(v);
	fill(want, len, seed);
	err = safe_holds(v, name, (struct bytes){want, len});
	vault_close(v);
	free(want);
	return err;
}

static void what_is_said_to_be_put_is_there(void **state)
{
	static const size_t sizes[] = {0, 10, 4096, 262144, 262145, 3000000};
	struct intake *in = open_intake(64 << 20, 0);
	struct intake_counts n;
	char name[32];

	for (unsigned i = 0; i < 6; i++)
		deposit_one(in, "archive", i, sizes[i], 100);
	for (unsigned i = 0; i < 6; i++) {
		struct deposit *d = await(in);
		unsigned k = (unsigned)d->tag[0];

		assert_int_equal(d->err, 0);
		snprintf(name, sizeof(name), "archive/%u", k);
		assert_int_equal(kept_whole(name, sizes[k], k), 0);
		intake_drop(in, d);
	}
	intake_counts(in, &n);
	assert_int_equal(n.waiting, 0);
	assert_int_equal(n.bytes, 0);
	intake_free(in);
}

/* A file of its own, deposited as it is. */
static struct deposit *deposit_file(struct intake *in, const char *path, size_t len, uint32_t seed)
{
	struct deposit *d = begin(in, "firmware", seed, 100);
	uint8_t *data = malloc(len + 1);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	fill(data, len, seed);
	assert_int_equal(file_write(fd, (struct bytes){data, len}), 0);
	free(data);
	assert_int_equal(intake_file(in, d, fd), 0);
	return d;
}

static void a_file_is_put_without_being_copied_first(void **state)
{
	static const size_t sizes[] = {0, 1000, 262145, 5000000};
	struct intake *in = open_intake(1, 0); /* no byte of it is under way */
	char name[32], path[160];
	struct deposit *d;
	int pair[2];

	snprintf(path, sizeof(path), "%s.firmware", vault);
	for (unsigned i = 0; i < 4; i++) {
		intake_end(in, deposit_file(in, path, sizes[i], i));
		d = await(in);
		assert_int_equal(d->err, 0);
		snprintf(name, sizeof(name), "firmware/%u", i);
		assert_int_equal(kept_whole(name, sizes[i], i), 0);
		intake_drop(in, d);
	}
	/* Cut off while it waits: told, and nothing else waits for it. */
	d = deposit_file(in, path, 500000, 7);
	assert_int_equal(truncate(path, 1000), 0);
	intake_end(in, d);
	d = await(in);
	assert_int_equal(d->err, -EBUSY);
	intake_drop(in, d);
	assert_int_equal(kept_whole("firmware/7", 500000, 7), -ENOENT);
	/* No file. */
	assert_int_equal(pipe(pair), 0);
	d = begin(in, "firmware", 8, 100);
	assert_int_equal(intake_file(in, d, pair[0]), -EINVAL);
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);
	intake_drop(in, d);
	close(pair[1]);
	unlink(path);
	intake_free(in);
}

/* --- chores ------------------------------------------------------------------------------ */

static void count_names(struct vault *v, void *arg)
{
	struct vault_totals t;

	assert_int_equal(vault_totals(v, &t), 0);
	*(uint64_t *)arg = t.names;
}

static void *await_chore(struct intake *in)
{
	void *arg;

	while ((arg = intake_chored(in)) == NULL)
		usleep(1000);
	return arg;
}

static void a_chore_is_done_by_the_thread_one_at_a_time(void **state)
{
	struct intake *in = open_intake(64 << 20, 0);
	uint64_t names = 99, other = 99;

	for (unsigned i = 0; i < 3; i++)
		deposit_one(in, "archive", i, 100, 1);
	for (unsigned i = 0; i < 3; i++)
		intake_drop(in, await(in));
	assert_null(intake_chored(in));
	assert_int_equal(intake_chore(in, count_names, &names), 0);
	/* Also until somebody has heard of the first one. */
	assert_int_equal(intake_chore(in, count_names, &other), -EBUSY);
	assert_ptr_equal(await_chore(in), &names);
	assert_int_equal(names, 3);
	assert_null(intake_chored(in));
	assert_int_equal(intake_chore(in, count_names, &other), 0);
	assert_ptr_equal(await_chore(in), &other);
	/* After the end none is begun. */
	intake_finish(in);
	names = 99;
	assert_int_equal(intake_chore(in, count_names, &names), 0);
	assert_null(intake_chored(in));
	assert_int_equal(names, 99);
	intake_free(in);
}

struct shredding {
	struct vault_choice choice;
	uint64_t count;
	int err;
};

static void shred(struct vault *v, void *arg)
{
	struct shredding *s = arg;

	s->err = vault_shred(v, vault_choice_picks, &s->choice, "a test", &s->count);
}

static struct shredding shred_now(struct intake *in, struct vault_choice choice)
{
	struct shredding s = {.choice = choice};

	s.choice.now_ns = (int64_t)clock_wall_ns();
	assert_int_equal(intake_chore(in, shred, &s), 0);
	assert_ptr_equal(await_chore(in), &s);
	assert_int_equal(s.err, 0);
	return s;
}

static void what_has_to_be_kept_is_unless_somebody_insists(void **state)
{
	struct intake *in = open_intake(64 << 20, 0);
	const char *names[] = {"archive/1", "archive/2", "nothing"};
	bool found[3] = {false};
	struct vault_choice named = {.names = names, .count = 3, .found = found};
	struct shredding s;

	for (unsigned i = 0; i < 5; i++) /* 0 to 2 were kept long enough */
		deposit_one(in, i == 4 ? "other" : "archive", i, 100, i < 3 ? -1 : 10);
	for (unsigned i = 0; i < 5; i++)
		intake_drop(in, await(in));
	named.class = "other"; /* of another class than those of these names */
	s = shred_now(in, named);
	assert_int_equal(s.count, 0);
	named.class = NULL;
	s = shred_now(in, named);
	assert_int_equal(s.count, 2);
	assert_true(found[0] && found[1] && !found[2]);
	s = shred_now(in, (struct vault_choice){.all = true});
	assert_int_equal(s.count, 1);
	assert_int_equal(s.choice.kept, 2);
	s = shred_now(in, (struct vault_choice){.expired = true, .force = true});
	assert_int_equal(s.count, 0);
	s = shred_now(in, (struct vault_choice){.all = true, .force = true, .class = "other"});
	assert_int_equal(s.count, 1);
	assert_int_equal(kept_whole("archive/3", 100, 3), 0);
	intake_free(in);
}

static void many_at_once_are_put_and_the_rest_at_the_end(void **state)
{
	struct intake *in = open_intake(64 << 20, 0);
	struct deposit *d;
	unsigned put = 0;

	for (unsigned i = 0; i < 3000; i++)
		deposit_one(in, "archive", i, 200 + i % 100, 100);
	intake_finish(in);
	while ((d = intake_next(in)) != NULL) {
		assert_int_equal(d->err, 0);
		intake_drop(in, d);
		put++;
	}
	assert_int_equal(put, 3000);
	intake_free(in);
	assert_int_equal(kept_whole("archive/2999", 200 + 2999 % 100, 2999), 0);
}

static void what_finds_no_room_is_refused(void **state)
{
	struct intake *in = open_intake(100000, 0);
	struct deposit *d = begin(in, "archive", 1, 1);
	static uint8_t data[100001];
	unsigned count = 1;

	assert_int_equal(intake_add(in, d, (struct bytes){data, sizeof(data)}), -ENOBUFS);
	assert_int_equal(intake_add(in, d, (struct bytes){data, 100000}), 0);
	assert_int_equal(intake_add(in, d, (struct bytes){data, 1}), -ENOBUFS);
	intake_drop(in, d);
	d = begin(in, "archive", 2, 1);
	assert_int_equal(intake_add(in, d, (struct bytes){data, 100000}), 0);
	struct deposit *all[INTAKE_THINGS] = {d};

	while ((d = intake_begin(in)) != NULL)
		all[count++] = d;
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(count, INTAKE_THINGS);
	while (count)
		intake_drop(in, all[--count]);
	intake_free(in);
}

/* A disk that has no more than others need: it waits, and is put when there is room. */
static void a_full_disk_is_waited_for(void **state)
{
	struct intake *in = open_intake(1 << 20, UINT64_MAX / 2);
	struct timespec nap = {.tv_nsec = 400000000};
	struct intake_counts n;
	struct deposit *d;

	deposit_one(in, "archive", 7, 5000, 100);
	nanosleep(&nap, NULL);
	assert_null(intake_next(in));
	intake_counts(in, &n);
	assert_int_equal(n.waiting, 1);
	assert_int_equal(n.error, -ENOSPC);
	intake_reserve(in, 0);
	d = await(in);
	assert_int_equal(d->err, 0);
	intake_drop(in, d);
	intake_counts(in, &n);
	assert_int_equal(n.error, 0);
	intake_free(in);
	assert_int_equal(kept_whole("archive/7", 5000, 7), 0);
}

static void nobody_mends_while_it_is_open(void **state)
{
	struct intake *in = open_intake(1 << 20, 0);
	struct vault_report r = {.found = NULL};

	assert_int_equal(vault_mend(vault, keys, &r, error), -EBUSY);
	assert_non_null(strstr(error, "stop the gateway"));
	intake_free(in);
	assert_int_equal(vault_mend(vault, keys, &r, error), 0);
}

/* --- retention ------------------------------------------------------------------------ */

static struct retention run_retention(struct intake *in, int64_t now_ns,
				      const struct retention_bound *b, unsigned count)
{
	struct pollfd p = {.fd = intake_fd(in), .events = POLLIN};
	struct retention r;

	intake_retain(in, now_ns, b, count);
	while (!intake_retained(in, &r)) {
		assert_int_equal(poll(&p, 1, 20000), 1);
		assert_null(intake_next(in));
	}
	return r;
}

static void deposit_all(struct intake *in, const char *class, unsigned from, unsigned to, int days)
{
	for (unsigned i = from; i < to; i++) {
		deposit_one(in, class, i, 1000, days);
		intake_drop(in, await(in));
	}
}

static void only_what_was_kept_long_enough_goes_and_its_keys_with_it(void **state)
{
	const int64_t now = (int64_t)clock_wall_ns();
	struct intake *in = open_intake(1 << 20, 0);
	struct retention r;

	deposit_all(in, "evidence", 0, 4, 30);
	deposit_all(in, "archive", 10, 14, VAULT_KEEP_DAYS);
	r = run_retention(in, now + 29 * DAY_NS, NULL, 0);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.destroyed, 0);
	assert_int_equal(r.log_lines, 0);

	r = run_retention(in, now + 31 * DAY_NS, NULL, 0);
	assert_int_equal(r.err, 0);
	assert_int_equal(r.destroyed, 4);
	assert_int_equal(r.expired, 4);
	assert_int_equal(r.keys, 1);
	assert_true(r.log_lines >= 6); /* what went, that the key would and that it did */
	assert_int_equal(kept_whole("evidence/0", 1000, 0), -ENOENT);
	assert_int_equal(kept_whole("archive/13", 1000, 13), 0);

	r = run_retention(in, now + (VAULT_KEEP_DAYS - 1) * DAY_NS, NULL, 0);
	assert_int_equal(r.destroyed, 0);
	r = run_retention(in, now + (VAULT_KEEP_DAYS + 1) * DAY_NS, NULL, 0);
	assert_int_equal(r.destroyed, 4);
	assert_int_equal(kept_whole("archive/13", 1000, 13), -ENOENT);
	intake_free(in);
}

static void of_what_is_bounded_the_oldest_go(void **state)
{
	const struct retention_bound bound = {"evidence", 2000}; /* two are just within it */
	const int64_t now = (int64_t)clock_wall_ns();
	struct intake *in = open_intake(1 << 20, 0);
	struct retention r;

	deposit_all(in, "evidence", 0, 5, 30);
	deposit_all(in, "archive", 10, 15, 30);
	r = run_retention(in, now, &bound, 1);
	assert_int_equal(r.destroyed, 3);
	assert_int_equal(r.expired, 0);
	assert_int_equal(kept_whole("evidence/2", 1000, 2), -ENOENT);
	assert_int_equal(kept_whole("evidence/3", 1000, 3), 0);
	assert_int_equal(kept_whole("archive/10", 1000, 10), 0);
	intake_free(in);
}

/* By the first of its digits. */
static uint32_t holder_of(struct bytes name)
{
	return name.data[sizeof("evidence/") - 1];
}

static void of_who_holds_most_the_oldest_go(void **state)
{
	const struct retention_bound bound = {"evidence", 3000, holder_of};
	const int64_t now = (int64_t)clock_wall_ns();
	struct intake *in = open_intake(1 << 20, 0);
	struct retention r;

	deposit_all(in, "evidence", 1, 2, 30);
	deposit_all(in, "evidence", 20, 26, 30);
	r = run_retention(in, now, &bound, 1);
	assert_int_equal(r.destroyed, 4);
	assert_int_equal(kept_whole("evidence/1", 1000, 1), 0);
	assert_int_equal(kept_whole("evidence/23", 1000, 23), -ENOENT);
	assert_int_equal(kept_whole("evidence/24", 1000, 24), 0);
	intake_free(in);
}

static void keys_are_had_twice(void **state)
{
	struct keys *again = keys_again(keys, error);
	uint8_t wrapped[100], plain[100];

	assert_non_null(again);
	assert_int_equal(
		keys_wrap(again, "p", 1, (struct bytes){(const uint8_t *)"text", 4}, wrapped), 0);
	assert_int_equal(keys_unwrap(keys, "p", (struct bytes){wrapped, 4 + KEYS_WRAP}, plain), 0);
	assert_memory_equal(plain, "text", 4);
	keys_free(again);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_spool_gives_back_every_byte),
		T(what_is_long_lies_sealed_in_a_file_without_a_name),
		T(what_is_said_to_be_put_is_there),
		T(a_file_is_put_without_being_copied_first),
		T(a_chore_is_done_by_the_thread_one_at_a_time),
		T(what_has_to_be_kept_is_unless_somebody_insists),
		T(many_at_once_are_put_and_the_rest_at_the_end),
		T(what_finds_no_room_is_refused),
		T(a_full_disk_is_waited_for),
		T(nobody_mends_while_it_is_open),
		T(only_what_was_kept_long_enough_goes_and_its_keys_with_it),
		T(of_what_is_bounded_the_oldest_go),
		T(of_who_holds_most_the_oldest_go),
		T(keys_are_had_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
