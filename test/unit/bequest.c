#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ipc.h"
#include "role/bequest.h"

static int keys, sock, pair[2];

static int setup(void **state)
{
	keys = memfd_create("keys", MFD_CLOEXEC);
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(keys >= 0 && sock >= 0);
	assert_int_equal(write(keys, "secret", 6), 6);
	assert_int_equal(ipc_pair(pair), 0);
	return 0;
}

static int teardown(void **state)
{
	close(keys);
	close(sock);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static void arrives_as_it_was_left(void **state)
{
	struct bequest b = {.keys = keys, .sock = sock, .at = "[fd00::9]:4789"}, got = BEQUEST_NONE;
	char word[128], text[8] = "";
	int fds[2];

	assert_int_equal(bequest_hear(pair[1], word, sizeof(word), fds), -EAGAIN);
	assert_int_equal(bequest_tell(&b, pair[0]), 0);
	assert_true(bequest_hear(pair[1], word, sizeof(word), fds) > 0);
	assert_true(bequest_take(&got, word, fds));
	assert_string_equal(got.at, b.at);
	assert_int_equal(fds[0], -1);
	assert_int_equal(fcntl(got.keys, F_GETFD), FD_CLOEXEC);
	assert_int_equal(pread(got.keys, text, 6, 0), 6);
	assert_string_equal(text, "secret");
	bequest_drop(&got);
	assert_int_equal(got.keys, -1);
	bequest_drop(&got);
	shutdown(pair[0], SHUT_WR);
	assert_int_equal(bequest_hear(pair[1], word, sizeof(word), fds), 0);
}

/* What does not come whole, or is at no address, is nobody's. */
static void takes_nothing_else(void **state)
{
	static const char *const ats[] = {"", "10.9.0.1:4789 7", "10.9.0.1:4789\n", "eth0:4789",
					  "1111111111111111111111111111111111111111111111111111111"
					  "11111111111"};
	struct bequest got = BEQUEST_NONE;
	char word[128];
	int fds[2] = {keys, sock}, none[2] = {-1, -1}, half[2] = {keys, -1};

	for (unsigned i = 0; i < sizeof(ats) / sizeof(*ats); i++) {
		snprintf(word, sizeof(word), "LINK=%s", ats[i]);
		assert_false(bequest_take(&got, word, fds));
	}
	assert_false(bequest_take(&got, "LINK=10.9.0.1:4789", none));
	assert_false(bequest_take(&got, "LINK=10.9.0.1:4789", half));
	assert_false(bequest_take(&got, "SWITCH=1", fds));
	assert_int_equal(fds[0], keys);
	assert_int_equal(got.keys, -1);
}

/* A word that carries nothing, a descriptor alone: heard, and none left open. */
static void hears_what_carries_less(void **state)
{
	char room[CMSG_SPACE(sizeof(int))] = {0}, word[128];
	struct iovec io = {"READY=1", 7};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
	struct cmsghdr *c;
	int fds[2];

	assert_int_equal(sendmsg(pair[0], &m, 0), 7);
	assert_int_equal(bequest_hear(pair[1], word, sizeof(word), fds), 7);
	assert_string_equal(word, "READY=1");
	assert_int_equal(fds[0], -1);
	assert_int_equal(fds[1], -1);
	m.msg_control = room;
	m.msg_controllen = sizeof(room);
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &keys, sizeof(int));
	assert_int_equal(sendmsg(pair[0], &m, 0), 7);
	assert_int_equal(bequest_hear(pair[1], word, sizeof(word), fds), 7);
	assert_true(fds[0] >= 0);
	assert_int_equal(fds[1], -1);
	close(fds[0]);
}

static void is_inherited_by_numbers(void **state)
{
	static const char *const bad[] = {"6", "6 7", "x 7 1.2.3.4:5", "1 2 1.2.3.4:5",
					  "600 601 1.2.3.4:5"};
	struct bequest b = {.at = "10.9.0.1:4789"}, got = BEQUEST_NONE;
	char swapped[64];

	assert_false(bequest_inherit(&got));
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		setenv("BEDWARDEN_LINK", bad[i], 1);
		assert_false(bequest_inherit(&got));
		assert_null(getenv("BEDWARDEN_LINK"));
	}
	snprintf(swapped, sizeof(swapped), "%d %d 1.2.3.4:5", sock, keys);
	setenv("BEDWARDEN_LINK", swapped, 1);
	assert_false(bequest_inherit(&got));
	assert_int_equal(fcntl(keys, F_SETFD, 0), 0);
	assert_int_equal(bequest_name(&b, keys, sock), 0);
	assert_true(bequest_inherit(&got));
	assert_int_equal(got.keys, keys);
	assert_int_equal(got.sock, sock);
	assert_string_equal(got.at, b.at);
	assert_int_equal(fcntl(keys, F_GETFD), FD_CLOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(arrives_as_it_was_left, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_nothing_else, setup, teardown),
		cmocka_unit_test_setup_teardown(hears_what_carries_less, setup, teardown),
		cmocka_unit_test_setup_teardown(is_inherited_by_numbers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
