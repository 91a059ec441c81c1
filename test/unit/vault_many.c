#include "filled.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

/* --- several at once ------------------------------------------------------------------------ */

struct told {
	int out;
	unsigned count;
};

/* Says the number of each that is on the disk. */
static void tell_done(void *arg, struct vault_item *it)
{
	struct told *t = arg;
	uint32_t n = (uint32_t)(uintptr_t)it->user;

	if (it->err < 0 || write(t->out, &n, sizeof(n)) != sizeof(n))
		_exit(1);
	free((void *)it->meta.name.data);
	free((void *)it->path);
	free(it);
	t->count++;
}

static size_t size_of(uint32_t n)
{
	return n % 50 == 7 ? 300000 : 100 + n % 3000;
}

static void add_numbered(struct putter *p, uint32_t n, uint32_t seed)
{
	struct vault_item *it = calloc(1, sizeof(*it));
	char file[32], name[32];

	snprintf(file, sizeof(file), "w%u", n);
	snprintf(name, sizeof(name), "n%u", n);
	it->path = strdup(make_file(file, size_of(n), seed));
	it->meta.name = (struct bytes){(const uint8_t *)strdup(name), strlen(name)};
	it->meta.until_ns = (int64_t)clock_wall_ns() - 1;
	strcpy(it->meta.class, "file");
	it->user = (void *)(uintptr_t)n;
	putter_add(p, it);
}

static void writer(int out, uint32_t from, uint32_t count)
{
	struct vault *v = vault_open(in_dir("v"), asking(), 2, error);
	struct told t = {.out = out};
	struct putter *p = v ? putter_new(v, tell_done, &t) : NULL;

	if (!p)
		_exit(2);
	for (uint32_t n = from; n < from + count; n++) {
		add_numbered(p, n, n);
		if (n % 40 == 39)
			putter_flush(p);
	}
	putter_free(p);
	vault_close(v);
	_exit(0);
}

static void writers_and_readers_do_not_disturb_each_other(void **state)
{
	int fds[2], status;
	pid_t pids[3];
	struct vault *v;
	char name[16];

	assert_int_equal(pipe(fds), 0);
	for (uint32_t i = 0; i < 3; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			writer(fds[1], i * 1000, 200);
	}
	close(fds[1]);
	v = open_vault();
	for (uint32_t n, got = 0; read(fds[0], &n, sizeof(n)) == sizeof(n); got++) {
		snprintf(name, sizeof(name), "n%u", n);
		if (got % 7 == 0)
			assert_int_equal(holds(v, name, size_of(n), n), 0);
	}
	for (unsigned i = 0; i < 3; i++) {
		waitpid(pids[i], &status, 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(wrong(v), 0);
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t n = i * 1000; n < i * 1000 + 200; n++) {
			snprintf(name, sizeof(name), "n%u", n);
			assert_int_equal(holds(v, name, size_of(n), n), 0);
		}
	vault_close(v);
	close(fds[0]);
}

/* --- killed at any moment ------------------------------------------------------------------- */

#define NUMBERS	 101000
#define ASKED	 0x1000000u /* a number with this is about to be destroyed */
#define ALL_GONE UINT32_MAX /* and now they are */

/* What the processes that were killed had said of each. */
enum { NOTHING, PUT, GONE, ASKED_FOR, UNKNOWN };
static uint8_t said[NUMBERS];

/* Those asked for are gone, or nobody knows. */
static void settle(uint8_t as)
{
	for (uint32_t i = 0; i < NUMBERS; i++)
		if (said[i] == ASKED_FOR)
			said[i] = as;
}

/* Within this from its start a process is killed: past the work that it begins with, however slow the machine. */
static useconds_t killed_within = 60000;

struct running {
	pid_t pid;
	int in; /* what it says */
};

static struct running begin(void (*run)(int out, uint32_t from), uint32_t from)
{
	struct running r;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	r = (struct running){fork(), fds[0]};
	if (r.pid == 0)
		run(fds[1], from);
	close(fds[1]);
	return r;
}

/* What it had said by then. */
static void hear_out(struct running r)
{
	uint32_t n;
	int status;

	while (read(r.in, &n, sizeof(n)) == sizeof(n)) {
		if (n == ALL_GONE)
			settle(GONE);
		else if (n & ASKED)
			said[n & ~ASKED] = ASKED_FOR;
		else
			said[n] = PUT;
	}
	settle(UNKNOWN);
	close(r.in);
	waitpid(r.pid, &status, 0);
	if (!WIFSIGNALED(status))
		assert_int_equal(status, 0);
}

static void wait_and_kill(struct running r)
{
	usleep((useconds_t)rand() % killed_within);
	kill(r.pid, SIGKILL);
}

static void run_and_kill(void (*run)(int out, uint32_t from), uint32_t from)
{
	struct running r = begin(run, from);

	wait_and_kill(r);
	hear_out(r);
}

static void keep_putting(int out, uint32_t from)
{
	writer(out, from, 1000);
}

/* Half of the time goes into opening the vault and the first that is put. */
static void time_kills(void)
{
	uint64_t begun = clock_mono_ns(), first_us;
	struct running r = begin(keep_putting, NUMBERS - 1000);
	uint32_t n;

	assert_int_equal(read(r.in, &n, sizeof(n)), sizeof(n));
	first_us = (clock_mono_ns() - begun) / 1000;
	if (killed_within < 2 * first_us)
		killed_within = (useconds_t)(2 * first_us);
	kill(r.pid, SIGKILL);
	hear_out(r);
}

struct some {
	uint32_t remainder;
	int out;
};

static bool pick_some(void *arg, const struct vault_entry *e)
{
	struct some *s = arg;
	char name[16];
	uint32_t n, ask;

	snprintf(name, sizeof(name), "%.*s", (int)e->meta.name.len, e->meta.name.data);
	n = (uint32_t)atoi(name + 1);
	ask = n | ASKED;
	if (n % 11 != s->remainder)
		return false;
	if (write(s->out, &ask, sizeof(ask)) != sizeof(ask))
		_exit(1);
	return true;
}

static void keep_shredding(int out, uint32_t from)
{
	struct vault *v = vault_open(in_dir("v"), asking(), 1, error);
	uint32_t all = ALL_GONE;
	struct some s = {.remainder = from % 11, .out = out};
	uint64_t count;

	if (!v || vault_shred(v, pick_some, &s, "test", &count) < 0)
		_exit(2);
	if (write(out, &all, sizeof(all)) != sizeof(all))
		_exit(1);
	_exit(0);
}

static void keep_rotating(int out, uint32_t from)
{
	struct vault *v = vault_open(in_dir("v"), asking(), 1, error);
	uint64_t count;

	for (;;)
		if (!v || keys_rotate(vault_keys(v)) < 0 || vault_rotate_data(v, &count) < 0)
			_exit(2);
}

/* One that was put is not there: are the others that its process put, and what does the vault say itself? */
static void tell_lost(struct vault *v, uint32_t n)
{
	uint32_t first = n / 1000 * 1000, put = 0, lost = 0;
	char name[16];

	for (uint32_t i = first; i < first + 1000; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		put += said[i] == PUT;
		lost += said[i] == PUT && holds(v, name, size_of(i), i) != 0;
	}
	print_message("of %u that were put with n%u, %u are lost\n", put, n, lost);
	print_message("the vault finds %lld faults\n", (long long)wrong(v));
}

/*
 * What was said to be put is there, but for what was asked to be destroyed since;
 * what was said to be destroyed is not, whatever else was going on.
 */
static void check_said(void)
{
	struct vault *v = open_vault();
	char name[16];

	for (uint32_t n = 0; n < NUMBERS; n++) {
		int err;

		if (!said[n])
			continue;
		snprintf(name, sizeof(name), "n%u", n);
		err = holds(v, name, size_of(n), n);
		if (said[n] == PUT && err != 0) {
			tell_lost(v, n);
			vault_close(v);
			fail_msg("%s was put and is not there: %s", name, strerror(-err));
		}
		if (said[n] == GONE && err != -ENOENT)
			fail_msg("%s was destroyed and is there", name);
		assert_true(err == 0 || err == -ENOENT);
		said[n] = err == 0 ? PUT : GONE;
	}
	assert_int_equal(wrong(v), 0);
	vault_close(v);
}

/* A number never comes again. */
static void one_after_the_other(unsigned round)
{
	run_and_kill(keep_putting, round * 1000);
	run_and_kill(keep_rotating, 0);
	run_and_kill(keep_shredding, round);
}

/* What was put may be asked for before anybody has heard that it was. */
static void all_at_once(unsigned round)
{
	struct running r[] = {begin(keep_putting, round * 1000), begin(keep_rotating, 0),
			      begin(keep_shredding, round)};

	for (unsigned i = 0; i < 3; i++)
		wait_and_kill(r[(round + i) % 3]);
	for (unsigned i = 0; i < 3; i++)
		hear_out(r[i]);
}

static void nothing_acknowledged_is_lost_by_kills(void **state)
{
	unsigned put_count = 0;

	srand((unsigned)time(NULL));
	memset(said, 0, sizeof(said));
	time_kills();
	for (unsigned round = 0; round < 100; round++) {
		if (round % 2)
			all_at_once(round);
		else
			one_after_the_other(round);
		if (round % 20 == 19)
			check_said();
	}
	for (uint32_t n = 0; n < NUMBERS; n++)
		put_count += said[n] != 0;
	assert_true(put_count > 500);
	mend();
	check_said();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, safe_open, safe_close)
	const struct CMUnitTest tests[] = {
		T(writers_and_readers_do_not_disturb_each_other),
		T(nothing_acknowledged_is_lost_by_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
