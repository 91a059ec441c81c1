#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ipc.h"
#include "role/setup.h"

static uint8_t *buf;
static int pair[2];

static int setup(void **state)
{
	buf = malloc(IPC_BUF);
	return !buf || ipc_pair(pair) < 0;
}

static int teardown(void **state)
{
	free(buf);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* A datagram as a hostile child could send it, with any number of descriptors. */
static void send_raw(const void *data, size_t len, const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char data[CMSG_SPACE(64 * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)data, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = len ? 1 : 0};

	if (count) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(pair[0], &msg, 0), len);
}

static void carries_body_and_id(void **state)
{
	struct ipc_message m;

	assert_int_equal(ipc_recv(pair[1], buf, &m), -EAGAIN);
	assert_int_equal(ipc_send(pair[0], IPC_EVENTS, 7, (struct bytes){(uint8_t *)"x\n", 2}, -1),
			 0);
	assert_int_equal(ipc_recv(pair[1], buf, &m), 0);
	assert_int_equal(m.type, IPC_EVENTS);
	assert_int_equal(m.id, 7);
	assert_int_equal(m.body.len, 2);
	assert_memory_equal(m.body.data, "x\n", 2);
	assert_int_equal(m.fd, -1);
}

static void carries_a_descriptor(void **state)
{
	unsigned before = open_fds();
	uint32_t number = 3, got = 0;
	struct ipc_message m;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char c;

	assert_int_equal(ipc_send(pair[0], IPC_PEER, 0, (struct bytes){(uint8_t *)&number, 4}, fd),
			 0);
	assert_int_equal(close(fd), 0); /* stays the caller's */
	assert_int_equal(ipc_recv(pair[1], buf, &m), 0);
	assert_true(ipc_u32(&m, &got));
	assert_int_equal(got, 3);
	assert_int_equal(read(m.fd, &c, 1), 0);
	assert_true(fcntl(m.fd, F_GETFD) & FD_CLOEXEC);
	close(m.fd);
	assert_int_equal(open_fds(), before);
}

static void carries_the_longest_body_and_no_longer(void **state)
{
	uint8_t *big = calloc(1, IPC_BODY_MAX + 1);
	struct ipc_message m;

	assert_int_equal(
		ipc_send(pair[0], IPC_EVENTS, 0, (struct bytes){big, IPC_BODY_MAX + 1}, -1),
		-EINVAL);
	assert_int_equal(ipc_send(pair[0], IPC_EVENTS, 0, (struct bytes){big, IPC_BODY_MAX}, -1),
			 0);
	assert_int_equal(ipc_recv(pair[1], buf, &m), 0);
	assert_int_equal(m.body.len, IPC_BODY_MAX);
	free(big);
}

static void a_full_receiver_is_said(void **state)
{
	struct ipc_message m;
	unsigned sent = 0, got = 0;
	int err;

	while ((err = ipc_send(pair[0], IPC_STATUS, sent, (struct bytes){0}, -1)) == 0)
		assert_true(++sent < 100000);
	assert_int_equal(err, -EAGAIN);
	for (; ipc_recv(pair[1], buf, &m) == 0; got++)
		assert_int_equal(m.id, got);
	assert_int_equal(got, sent);
}

static void the_other_end_gone_is_said(void **state)
{
	struct ipc_message m;

	shutdown(pair[0], SHUT_RDWR);
	assert_int_equal(ipc_recv(pair[1], buf, &m), -EPIPE);
	assert_int_equal(ipc_send(pair[1], IPC_STATUS, 0, (struct bytes){0}, -1), -EPIPE);
}

/* Every way to be wrong: refused, nothing leaked, the output untouched. */
static void malformed_is_refused_without_a_leak(void **state)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), many[20];
	static uint8_t big[IPC_BUF + 1];
	const struct {
		struct ipc_header h;
		size_t len, fds;
		int err;
	} cases[] = {
		{{0}, 0, 1, -EPIPE},
		{{IPC_STATUS, 0, 0, 0}, 15, 1, -EBADMSG},
		{{IPC_STATUS, 0, 1, 0}, 16, 0, -EBADMSG},
		{{IPC_STATUS, 0, 0, 0}, 17, 0, -EBADMSG},
		{{IPC_STATUS, 0, UINT32_MAX, 0}, 16, 0, -EBADMSG},
		{{IPC_STATUS, 0, 0, 1}, 16, 0, -EBADMSG},
		{{IPC_STATUS, 0, 0, 0}, 16, 1, -EBADMSG}, /* may not carry one */
		{{IPC_POLICY, 0, 0, 0}, 16, 0, -EBADMSG}, /* must */
		{{IPC_POLICY, 0, 0, 0}, 16, 2, -EBADMSG},
		{{IPC_POLICY, 0, 0, 0}, 16, 9, -EBADMSG},
		{{IPC_POLICY, 0, 0, 0}, 16, 20, -EBADMSG},
		{{0, 0, 0, 0}, 16, 1, -EBADMSG},
		{{IPC_TYPE_COUNT, 0, 0, 0}, 16, 1, -EBADMSG},
		{{UINT32_MAX, 0, 0, 0}, 16, 0, -EBADMSG},
		{{IPC_EVENTS, 0, IPC_BODY_MAX + 1, 0}, IPC_BUF + 1, 1, -EBADMSG},
	};
	unsigned before = open_fds();

	for (size_t i = 0; i < 20; i++)
		many[i] = null;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ipc_message m = {.id = 99, .fd = -7};

		memcpy(big, &cases[i].h, sizeof(cases[i].h));
		send_raw(big, cases[i].len, many, cases[i].fds);
		assert_int_equal(ipc_recv(pair[1], buf, &m), cases[i].err);
		assert_int_equal(m.id, 99);
		assert_int_equal(m.fd, -7);
		assert_int_equal(open_fds(), before);
	}
	close(null);
}

static void a_sender_cannot_say_nonsense(void **state)
{
	assert_int_equal(ipc_send(pair[0], 0, 0, (struct bytes){0}, -1), -EINVAL);
	assert_int_equal(ipc_send(pair[0], IPC_TYPE_COUNT, 0, (struct bytes){0}, -1), -EINVAL);
	assert_int_equal(ipc_send(pair[0], IPC_POLICY, 0, (struct bytes){0}, -1), -EINVAL);
	assert_int_equal(ipc_send(pair[0], IPC_STATUS, 0, (struct bytes){0}, 0), -EINVAL);
}

static void who_may_say_what(void **state)
{
	static const struct ipc_right table[] = {{1, IPC_READY}, {2, IPC_EVENTS}};

	assert_true(ipc_may(table, 2, 1, IPC_READY));
	assert_true(ipc_may(table, 2, 2, IPC_EVENTS));
	assert_false(ipc_may(table, 2, 1, IPC_EVENTS));
	assert_false(ipc_may(table, 2, 3, IPC_READY));
	assert_false(ipc_may(table, 1, 2, IPC_EVENTS));
}

static void what_may_not_be_said_is_malformed(void **state)
{
	static const struct ipc_right table[] = {{1, IPC_READY}, {2, IPC_EVENTS}};
	struct ipc_message m = {.id = 77};
	unsigned fds;

	assert_int_equal(ipc_send(pair[0], IPC_READY, 5, (struct bytes){0}, -1), 0);
	assert_int_equal(ipc_hear(pair[1], buf, table, 2, 2, &m), -EBADMSG);
	assert_int_equal(ipc_send(pair[0], IPC_POLICY, 5, (struct bytes){0}, 0), 0);
	fds = open_fds();
	assert_int_equal(ipc_hear(pair[1], buf, table, 2, 2, &m), -EBADMSG);
	assert_int_equal(open_fds(), fds); /* what came along is closed */
	assert_int_equal(m.id, 77);	   /* untouched */
	assert_int_equal(ipc_send(pair[0], IPC_READY, 6, (struct bytes){0}, -1), 0);
	assert_int_equal(ipc_hear(pair[1], buf, table, 2, 1, &m), 0);
	assert_int_equal(m.id, 6);
	assert_int_equal(ipc_hear(pair[1], buf, table, 2, 1, &m), -EAGAIN);
}

static void setup_fits_a_message(void **state)
{
	struct setup_guard g;
	struct ipc_message m = {.body = {buf, sizeof(g) - 1}};

	memset(buf, 0, sizeof(g));
	assert_true(sizeof(g) <= IPC_BODY_MAX);
	assert_false(setup_take(&m, &g, sizeof(g)));
	m.body.len++;
	assert_true(setup_take(&m, &g, sizeof(g)));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(carries_body_and_id),
		T(carries_a_descriptor),
		T(carries_the_longest_body_and_no_longer),
		T(a_full_receiver_is_said),
		T(the_other_end_gone_is_said),
		T(malformed_is_refused_without_a_leak),
		T(a_sender_cannot_say_nonsense),
		T(who_may_say_what),
		T(what_may_not_be_said_is_malformed),
		T(setup_fits_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
