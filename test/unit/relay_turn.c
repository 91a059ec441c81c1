/*
 * The loop of a relay with many conversations that speak at once: what a turn sends leaves together, and
 * each end still gets what is its, all of it, in order. Clients are OpenSSL's.
 */
#include "link_kit.h"

#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/wait.h>

#include "seal/relay/relay.h"

#define MANY 100 /* more than fit one batch */

static struct kit_issuer issuer;
static EVP_PKEY *key;
static X509 *leaf;
static unsigned closed[REASON_COUNT];

struct talker {
	SSL *ssl;
	int fd, far; /* its own, and the server's end of what the relay opened for it */
};

struct scene {
	struct relays *rs;
	SSL_CTX *ctx;
	int far;		  /* where the relay goes on to */
	struct sockaddr_in relay; /* where it listens */
	struct talker t[MANY];
	unsigned count;
};

static void tell(void *arg, const struct relay_fact *f)
{
	if (f->what == RELAY_CLOSED)
		closed[f->reason]++;
}

static int listen_here(struct sockaddr_in *ret_at)
{
	socklen_t len = sizeof(*ret_at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*ret_at = (struct sockaddr_in){.sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)ret_at, len), 0);
	assert_int_equal(listen(fd, MANY), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_at, &len), 0);
	return fd;
}

static SSL_CTX *server_context(struct trust *trust)
{
	struct tls_options o = {.server = true, .key = key, .trust = trust};
	char error[TLS_ERROR];
	SSL_CTX *ctx;

	o.chain = sk_X509_new_null();
	sk_X509_push(o.chain, leaf);
	ctx = tls_context_new(&o, error);
	assert_non_null(ctx);
	sk_X509_free(o.chain);
	return ctx;
}

static void turns(struct scene *s, unsigned n)
{
	while (n--)
		relays_turn(s->rs, 0);
}

/* One more turn, until there was time enough for all of it. */
static bool again(struct scene *s, uint64_t *until_ns)
{
	if (!*until_ns)
		*until_ns = clock_mono_ns() + 10 * NSEC_PER_SEC;
	relays_turn(s->rs, 1);
	return clock_mono_ns() < *until_ns;
}

static void talker_open(struct scene *s, unsigned n)
{
	struct talker *t = &s->t[n];
	uint64_t until = 0;

	t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(t->fd, (struct sockaddr *)&s->relay, sizeof(s->relay)), 0);
	fcntl(t->fd, F_SETFL, O_NONBLOCK);
	t->ssl = SSL_new(s->ctx);
	SSL_set_fd(t->ssl, t->fd);
	SSL_set_connect_state(t->ssl);
	while (SSL_do_handshake(t->ssl) != 1)
		assert_true(again(s, &until));
	while ((t->far = accept4(s->far, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
		assert_true(again(s, &until));
	turns(s, 2);
}

static void scene_open(struct scene *s, unsigned count)
{
	struct relay_calls calls = {.tell = tell};
	struct relay_options o = {.name = "t", .tls_in = true, .connections = MANY};
	struct trust *trust = kit_trust(&issuer, NULL);
	SSL_CTX *ctx = server_context(trust);
	struct sockaddr_in to;
	struct relay *r;

	memset(closed, 0, sizeof(closed));
	*s = (struct scene){.rs = relays_new(&calls), .count = count};
	assert_non_null(s->rs);
	s->far = listen_here(&to);
	memcpy(&o.connect, &to, sizeof(to));
	o.connect_len = sizeof(to);
	r = relay_add(s->rs, &o);
	relay_context(r, ctx);
	SSL_CTX_free(ctx);
	trust_free(trust);
	assert_int_equal(relay_listen(r, listen_here(&s->relay)), 0);
	s->ctx = SSL_CTX_new(TLS_client_method());
	for (unsigned n = 0; n < count; n++)
		talker_open(s, n);
	assert_int_equal(relays_open(s->rs), count);
}

static void talker_close(struct talker *t)
{
	SSL_free(t->ssl);
	t->ssl = NULL;
	if (t->fd >= 0)
		close(t->fd);
	if (t->far >= 0)
		close(t->far);
	t->fd = t->far = -1;
}

static void scene_close(struct scene *s)
{
	for (unsigned n = 0; n < s->count; n++)
		talker_close(&s->t[n]);
	relays_free(s->rs);
	SSL_CTX_free(s->ctx);
	close(s->far);
}

/* What conversation `n` says in its round `k`: of every length on both sides of what is batched. */
static size_t phrase(unsigned n, unsigned k, uint8_t *ret_data)
{
	static const size_t lens[] = {1, 700, 1024, 4000, 4096, 4097, 9000};
	size_t len = lens[(n + k) % (sizeof(lens) / sizeof(*lens))];

	for (size_t i = 0; i < len; i++)
		ret_data[i] = (uint8_t)(n * 31 + k * 7 + i);
	return len;
}

static void say(struct talker *t, unsigned n, unsigned k)
{
	uint8_t data[9000];
	size_t len = phrase(n, k, data);

	assert_int_equal(SSL_write(t->ssl, data, (int)len), (int)len);
}

static void hear_far(struct scene *s, unsigned n, unsigned k)
{
	uint8_t want[9000], got[9000];
	size_t len = phrase(n, k, want), have = 0;
	uint64_t until = 0;

	while (have < len) {
		ssize_t r = recv(s->t[n].far, got + have, len - have, 0);

		have += r > 0 ? (size_t)r : 0;
		assert_true(r > 0 || again(s, &until));
	}
	assert_memory_equal(got, want, len);
}

static void hear_near(struct scene *s, unsigned n, unsigned k)
{
	uint8_t want[9000], got[9000];
	size_t len = phrase(n, k, want), have = 0;
	uint64_t until = 0;

	while (have < len) {
		int r = SSL_read(s->t[n].ssl, got + have, (int)(len - have));

		have += r > 0 ? (size_t)r : 0;
		assert_true(r > 0 || again(s, &until));
	}
	assert_memory_equal(got, want, len);
}

static void all_talk(struct scene *s, unsigned rounds)
{
	uint8_t data[9000];

	for (unsigned k = 0; k < rounds; k++) {
		for (unsigned n = 0; n < s->count; n++)
			say(&s->t[n], n, k);
		for (unsigned n = 0; n < s->count; n++)
			hear_far(s, n, k);
		for (unsigned n = 0; n < s->count; n++) {
			size_t len = phrase(n, k + 1, data);

			assert_int_equal(send(s->t[n].far, data, len, 0), len);
		}
		for (unsigned n = 0; n < s->count; n++)
			hear_near(s, n, k + 1);
	}
}

static long contexts(void)
{
	FILE *f = fopen("/proc/sys/fs/aio-nr", "r");
	long n = -1;

	if (f) {
		if (fscanf(f, "%ld", &n) != 1)
			n = -1;
		fclose(f);
	}
	return n;
}

static void each_gets_what_is_its(void **state)
{
	long before = contexts();
	struct scene s;

	scene_open(&s, MANY);
	all_talk(&s, 9);
	if (before >= 0) /* else this kernel has none, and the next test is this one */
		assert_true(contexts() > before);
	assert_int_equal(relays_open(s.rs), MANY);
	scene_close(&s);
}

/* A kernel, or a sandbox around us, that has no asynchronous calls. */
static void nor_without_the_call(void **state)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
		struct scene s;

		if (!f || seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_setup), 0) < 0 ||
		    seccomp_load(f) < 0)
			_exit(2);
		seccomp_release(f);
		scene_open(&s, 20);
		all_talk(&s, 7);
		scene_close(&s);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Many small pieces for one that takes nothing, between others that do. */
static void who_does_not_read_loses_nothing(void **state)
{
	static uint8_t block[4000];
	struct scene s;
	unsigned long said = 0, got = 0;
	int room = 8192;
	uint64_t until = 0;
	unsigned n = 0;

	scene_open(&s, 8);
	setsockopt(s.t[0].far, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	for (unsigned i = 0; i < 4000; i++) {
		memset(block, (int)(i % 251), sizeof(block));
		if (SSL_write(s.t[0].ssl, block, sizeof(block)) != sizeof(block))
			break;
		said += sizeof(block);
		for (n = 1; n < s.count; n++)
			say(&s.t[n], n, i);
		turns(&s, 2);
		for (n = 1; n < s.count; n++)
			hear_far(&s, n, i);
	}
	assert_true(said > 100000 && said < 4000 * sizeof(block)); /* it was held up */
	room = 1 << 20;
	setsockopt(s.t[0].far, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	while (got < said) {
		ssize_t r = recv(s.t[0].far, block, sizeof(block), 0);

		for (ssize_t k = 0; k < r; k++, got++)
			if (block[k] != got / sizeof(block) % 251)
				fail_msg("byte %lu is another's", got);
		until = r > 0 ? 0 : until;
		assert_true(r > 0 || again(&s, &until));
	}
	scene_close(&s);
}

static void who_is_gone_costs_nobody_else(void **state)
{
	struct linger now = {.l_onoff = 1};
	uint64_t until = 0;
	struct scene s;

	scene_open(&s, 20);
	for (unsigned n = 0; n < s.count; n++)
		say(&s.t[n], n, 2);
	setsockopt(s.t[7].far, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(s.t[7].far);
	s.t[7].far = -1;
	for (unsigned n = 0; n < s.count; n++)
		if (n != 7)
			hear_far(&s, n, 2);
	while (relays_open(s.rs) != s.count - 1)
		assert_true(again(&s, &until));
	scene_close(&s);
}

/* From an address of this machine's loopback. */
static int knock(const struct scene *s, const char *from)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, from, &at.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&s->relay, sizeof(s->relay)), 0);
	return fd;
}

static void no_address_has_them_all(void **state)
{
	struct relay_options o = {
		.name = "few", .tls_in = true, .connections = 10, .per_source = 3};
	struct relay_counts c;
	struct trust *trust;
	SSL_CTX *ctx;
	struct relay *r;
	struct scene s;
	int fd[8];

	scene_open(&s, 0);
	memcpy(&o.connect, &s.relay, sizeof(s.relay)); /* nobody gets as far */
	o.connect_len = sizeof(s.relay);
	trust = kit_trust(&issuer, NULL);
	ctx = server_context(trust);
	r = relay_add(s.rs, &o);
	relay_context(r, ctx);
	SSL_CTX_free(ctx);
	trust_free(trust);
	assert_int_equal(relay_listen(r, listen_here(&s.relay)), 0);
	for (unsigned n = 0; n < 6; n++)
		fd[n] = knock(&s, "127.0.0.7");
	turns(&s, 10);
	relay_counts(r, &c);
	assert_int_equal(c.refused, 3);
	assert_int_equal(c.open, 3);
	for (unsigned n = 6; n < 8; n++)
		fd[n] = knock(&s, "127.0.0.8");
	turns(&s, 10);
	relay_counts(r, &c);
	assert_int_equal(c.refused, 3);
	assert_int_equal(c.open, 5);
	for (unsigned n = 0; n < 8; n++)
		close(fd[n]);
	scene_close(&s);
}

/* The last words and the end come together. */
static void an_end_comes_behind_what_was_said(void **state)
{
	uint64_t until = 0;
	struct scene s;
	char end;

	scene_open(&s, 40);
	for (unsigned n = 0; n < s.count; n++) {
		say(&s.t[n], n, 3);
		SSL_shutdown(s.t[n].ssl);
		shutdown(s.t[n].fd, SHUT_WR);
	}
	for (unsigned n = 0; n < s.count; n++) {
		hear_far(&s, n, 3);
		while (recv(s.t[n].far, &end, 1, 0) != 0) {
			assert_int_equal(errno, EAGAIN);
			assert_true(again(&s, &until));
		}
	}
	/* The other direction still stands. */
	for (unsigned n = 0; n < s.count; n++) {
		uint8_t data[9000];
		size_t len = phrase(n, 4, data);

		assert_int_equal(send(s.t[n].far, data, len, 0), len);
		close(s.t[n].far);
		s.t[n].far = -1;
	}
	for (unsigned n = 0; n < s.count; n++)
		hear_near(&s, n, 4);
	while (relays_open(s.rs))
		assert_true(again(&s, &until));
	assert_int_equal(closed[REASON_NONE], s.count);
	scene_close(&s);
}

/* The same from the far side, whose end is told in TLS: and who was told so goes on speaking. */
static void a_farewell_leaves_before_its_end_is_shut(void **state)
{
	uint8_t data[9000];
	uint64_t until = 0;
	struct scene s;
	int r;

	scene_open(&s, 40);
	for (unsigned n = 0; n < s.count; n++) {
		size_t len = phrase(n, 3, data);

		assert_int_equal(send(s.t[n].far, data, len, 0), len);
		shutdown(s.t[n].far, SHUT_WR);
	}
	for (unsigned n = 0; n < s.count; n++) {
		hear_near(&s, n, 3);
		while ((r = SSL_read(s.t[n].ssl, data, 1)) < 0 &&
		       SSL_get_error(s.t[n].ssl, r) == SSL_ERROR_WANT_READ)
			assert_true(again(&s, &until));
		assert_int_equal(SSL_get_error(s.t[n].ssl, r), SSL_ERROR_ZERO_RETURN);
	}
	for (unsigned n = 0; n < s.count; n++)
		say(&s.t[n], n, 4);
	for (unsigned n = 0; n < s.count; n++)
		hear_far(&s, n, 4);
	assert_int_equal(relays_open(s.rs), s.count);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_gets_what_is_its),
		cmocka_unit_test(nor_without_the_call),
		cmocka_unit_test(who_does_not_read_loses_nothing),
		cmocka_unit_test(who_is_gone_costs_nobody_else),
		cmocka_unit_test(an_end_comes_behind_what_was_said),
		cmocka_unit_test(a_farewell_leaves_before_its_end_is_shut),
		cmocka_unit_test(no_address_has_them_all),
	};
	int failed;

	signal(SIGPIPE, SIG_IGN);
	kit_issuer_new(&issuer, "test");
	key = kit_key();
	leaf = kit_certificate(&issuer, key, "gw.example", -DAY, DAY, "serverAuth,clientAuth");
	failed = cmocka_run_group_tests_name("relay_turn", tests, NULL, NULL);
	X509_free(leaf);
	EVP_PKEY_free(key);
	kit_issuer_free(&issuer);
	return failed;
}
