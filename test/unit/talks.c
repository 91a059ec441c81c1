/* Conversations with agents: in pieces, with files, with who says nonsense or nothing. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "role/talks.h"

#define FILE_LEN 300000

struct desk {
	struct talks *t;
	int agent; /* its end */
	unsigned heard;
	int refuse;	     /* -errno for the next */
	struct talk_order o; /* what is answered */
	int file;	     /* with it; -1 none */
	struct talk_report said;
	char device[64];
	uint64_t now;
};

static int answer(void *arg, const char *device, const struct talk_report *said,
		  struct talk_order *ret_order, int *ret_fd)
{
	struct desk *d = arg;

	d->heard++;
	d->said = *said;
	snprintf(d->device, sizeof(d->device), "%s", device);
	*ret_order = d->o;
	*ret_fd = d->file >= 0 ? dup(d->file) : -1;
	return d->refuse;
}

static void turn(struct desk *d)
{
	struct pollfd fds[TALKS_MAX];
	unsigned n = talks_poll(d->t, fds);

	poll(fds, n, 0);
	talks_turn(d->t, fds, n, d->now);
}

static void begin(struct desk *d)
{
	int pair[2];

	*d = (struct desk){.file = -1, .now = 1000 * NSEC_PER_SEC};
	d->t = talks_new(answer, d);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	d->agent = pair[0];
	talks_begin(d->t, "pump-1", pair[1], d->now);
}

static void end(struct desk *d)
{
	close(d->agent);
	talks_free(d->t);
	if (d->file >= 0)
		close(d->file);
}

static size_t report(uint8_t out[TALK_MAX + 4])
{
	const struct talk_report r = {.version = "1.0", .state = TALK_IDLE, .healthy = true};

	return talk_write_report(&r, out);
}

static bool is_over(struct desk *d)
{
	struct pollfd fds[TALKS_MAX];

	return talks_poll(d->t, fds) == 0;
}

static void a_report_in_pieces_is_answered(void **state)
{
	uint8_t out[TALK_MAX + 4], in[TALK_MAX + 4];
	size_t len = report(out), used;
	struct talk_order o;
	struct desk d;
	ssize_t n;

	begin(&d);
	d.o = (struct talk_order){.what = TALK_KEEP};
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(d.heard, 0);
		assert_int_equal(send(d.agent, out + i, 1, 0), 1);
		turn(&d);
	}
	assert_int_equal(d.heard, 1);
	assert_string_equal(d.device, "pump-1");
	assert_string_equal(d.said.version, "1.0");
	turn(&d);
	n = recv(d.agent, in, sizeof(in), 0);
	assert_true(n > 0);
	assert_int_equal(talk_read_order((struct bytes){in, (size_t)n}, &o, &used), PARSE_OK);
	assert_int_equal(o.what, TALK_KEEP);
	/* And the next one. */
	assert_int_equal(send(d.agent, out, len, 0), (ssize_t)len);
	turn(&d);
	assert_int_equal(d.heard, 2);
	end(&d);
}

static void two_at_once_are_answered_in_turn(void **state)
{
	uint8_t out[2 * (TALK_MAX + 4)];
	struct desk d;
	size_t len;

	begin(&d);
	d.o = (struct talk_order){.what = TALK_KEEP};
	len = report(out);
	memcpy(out + len, out, len);
	assert_int_equal(send(d.agent, out, 2 * len, 0), (ssize_t)(2 * len));
	turn(&d);
	assert_int_equal(d.heard, 1);
	turn(&d);
	assert_int_equal(d.heard, 2);
	end(&d);
}

static void who_is_told_to_wait_is_let_go(void **state)
{
	uint8_t out[TALK_MAX + 4];
	struct desk d;
	size_t len = report(out);

	begin(&d);
	d.o = (struct talk_order){.what = TALK_WAIT, .seconds = 60};
	assert_int_equal(send(d.agent, out, len, 0), (ssize_t)len);
	turn(&d);
	turn(&d);
	assert_true(is_over(&d));
	end(&d);
}

static void a_file_comes_whole(void **state)
{
	static uint8_t content[FILE_LEN], got[FILE_LEN + TALK_MAX];
	uint8_t out[TALK_MAX + 4];
	size_t len, at = 0, used;
	struct talk_order o;
	struct desk d;

	for (size_t i = 0; i < FILE_LEN; i++)
		content[i] = (uint8_t)(i * 31 + (i >> 8));
	begin(&d);
	d.file = file_memory("file", (struct bytes){content, FILE_LEN});
	d.o = (struct talk_order){.what = TALK_BYTES, .target = "t", .length = FILE_LEN};
	len = report(out);
	assert_int_equal(send(d.agent, out, len, 0), (ssize_t)len);
	for (unsigned i = 0; i < 1000 && at < FILE_LEN; i++) {
		ssize_t n;

		turn(&d);
		n = recv(d.agent, got + at, sizeof(got) - at, 0);
		at += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(talk_read_order((struct bytes){got, at}, &o, &used), PARSE_OK);
	while (at < used + FILE_LEN) {
		ssize_t n;

		turn(&d);
		n = recv(d.agent, got + at, sizeof(got) - at, 0);
		assert_true(n > 0);
		at += (size_t)n;
	}
	assert_int_equal(at, used + FILE_LEN);
	assert_memory_equal(got + used, content, FILE_LEN);
	end(&d);
}

static void a_file_that_is_shorter_ends_it(void **state)
{
	uint8_t out[TALK_MAX + 4];
	struct desk d;
	size_t len = report(out);

	begin(&d);
	d.file = file_memory("file", (struct bytes){out, 10});
	d.o = (struct talk_order){.what = TALK_BYTES, .target = "t", .length = 1000};
	assert_int_equal(send(d.agent, out, len, 0), (ssize_t)len);
	for (unsigned i = 0; i < 4; i++)
		turn(&d);
	assert_true(is_over(&d));
	end(&d);
}

static void nonsense_ends_it(void **state)
{
	struct desk d;

	begin(&d);
	assert_int_equal(send(d.agent, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	turn(&d);
	assert_int_equal(d.heard, 0);
	assert_true(is_over(&d));
	end(&d);
}

static void who_is_refused_is_left(void **state)
{
	uint8_t out[TALK_MAX + 4];
	struct desk d;
	size_t len = report(out);

	begin(&d);
	d.refuse = -EACCES;
	assert_int_equal(send(d.agent, out, len, 0), (ssize_t)len);
	turn(&d);
	assert_true(is_over(&d));
	end(&d);
}

static void silence_ends_it(void **state)
{
	struct desk d;

	begin(&d);
	d.now += 59 * NSEC_PER_SEC;
	turn(&d);
	assert_false(is_over(&d));
	d.now += 2 * NSEC_PER_SEC;
	turn(&d);
	assert_true(is_over(&d));
	end(&d);
}

static void the_silent_make_room(void **state)
{
	int ends[TALKS_MAX + 1];
	struct pollfd fds[TALKS_MAX];
	struct desk d;
	char byte;

	begin(&d);
	for (unsigned i = 0; i < TALKS_MAX; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		ends[i] = pair[0];
		talks_begin(d.t, "pump-2", pair[1], d.now + 1 + i);
	}
	assert_int_equal(talks_poll(d.t, fds), TALKS_MAX);
	assert_int_equal(recv(d.agent, &byte, 1, 0), 0); /* the first was left */
	assert_int_equal(recv(ends[0], &byte, 1, 0), -1);
	for (unsigned i = 0; i < TALKS_MAX; i++)
		close(ends[i]);
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_in_pieces_is_answered),
		cmocka_unit_test(two_at_once_are_answered_in_turn),
		cmocka_unit_test(who_is_told_to_wait_is_let_go),
		cmocka_unit_test(a_file_comes_whole),
		cmocka_unit_test(a_file_that_is_shorter_ends_it),
		cmocka_unit_test(nonsense_ends_it),
		cmocka_unit_test(who_is_refused_is_left),
		cmocka_unit_test(silence_ends_it),
		cmocka_unit_test(the_silent_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
